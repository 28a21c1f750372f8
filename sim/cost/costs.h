/* The costs of one machine: its book and its ratios; and what all rules of look-up share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_COSTS_H
#define RC_COST_COSTS_H
#include "sim/cost/asks.h"
#include "sim/cost/beside.h"
#include "sim/cost/book.h"
#include "sim/cost/build.h"

struct rc_costs {
    rc_machine m;
    const rc_book *book;
    rc_asks *asks;        /* who hears the answers; NULL: nobody */
    rc_beside beside;     /* known only of rows that a store has */
    rc_built_book *built; /* freed with the costs; NULL: the book is built in, or another's */
    rc_pace pace;         /* power NULL: the book's own law */
    const rc_costs *root; /* of a view at another clock: what it is a view of; else NULL */
};

/* One op of one size to be priced. The sizes have been checked: all that the op has are at least 1,
 * windows and experts at least 0. */
typedef struct rc_asked {
    rc_op op;   /* that was asked for */
    rc_op rows; /* whose rows answer: most often the same */
    rc_dtype d;
    const rc_axes *at;
} rc_asked;

/* A time found on the base as a cost of the machine. */
rc_status rc_answer(const rc_costs *c, const rc_asked *a, const rc_probe *found, rc_cost *out,
                    rc_error *err);
/* The same where `own`, the spread for not being a row, is known already and in `found`. */
rc_status rc_answer_own(const rc_costs *c, const rc_asked *a, const rc_probe *found, double own,
                        rc_cost *out, rc_error *err);
/* stand_in.c: the costs of the part whose rows answer for types that the base has none of: attention in
 * fp8, products in fp8 with a scale for each block. False: the machine names no such part. */
bool rc_costs_on_stand_in(const rc_costs *c, rc_costs *there);
rc_status rc_cost_nothing(rc_cost *out);
rc_status rc_cost_no_rows(const rc_costs *c, const char *what, rc_error *err);

#endif
