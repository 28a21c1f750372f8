/* Which rows a time depends on: of every cost that a pass is made of, its share of the time and of
 * the interval, and by how much the interval would narrow if just that row were measured.
 *
 * The share of a cost is found by having the pass computed again with this one cost slowed down, so
 * it holds for whatever hides behind what, and a cost that is hidden has none. The interval is
 * reckoned to first order, from these shares and the spreads of the costs: families err together, and
 * each size by itself where it is no row, as the draws behind p5 and p95 have them (forward.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_WANTED_H
#define RC_FORWARD_WANTED_H
#include "sim/cost/asks.h"
#include "sim/forward/forward.h"

typedef struct rc_wanted_row {
    rc_ask ask;
    double time;     /* of the time: by how much it grows, relative, when this cost does */
    double interval; /* of the variance behind the interval; shares sum to 1 with rc_wanted.rest */
    double narrows;  /* of the interval's width: what a measured row would take off it */
    double then;     /* relative spread of the cost once it is measured */
} rc_wanted_row;

typedef struct rc_wanted {
    rc_wanted_row *row; /* what narrows the interval most comes first */
    size_t count;
    size_t unseen;    /* costs beyond those that are looked at one by one: the smallest */
    double half;      /* half of the width of p5 to p95, relative to the time */
    double half_then; /* the same with every row measured */
    double model;     /* the same of the error of the model, which is not in `half`; 0: not known */
    double rest;      /* share of the variance that no row narrows: fitted numbers of the machine */
} rc_wanted;

/* Of several passes: the mean of each pass's own shares. All passes rest on the same costs. Draws
 * and seed are not looked at. A pass that cannot be run is its own error (rc_forward_time). */
rc_status rc_wanted_of(const rc_spec *passes, size_t n, rc_wanted *out, rc_error *err);
void rc_wanted_free(rc_wanted *w); /* leaves an empty one; a zeroed one is fine */

#endif
