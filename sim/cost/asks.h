/* What a set of costs was asked for: each look-up once, with the answer and the row that a
 * measurement of just that would give.
 *
 * Whoever wants to know on which costs a time depends listens to a set of costs (rc_costs_listen),
 * has the time computed, and then has it computed again with one answer after the other slowed
 * down: no evaluator has to know of it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_ASKS_H
#define RC_COST_ASKS_H
#include "sim/cost/cost.h"
#include "sim/cost/store.h"

typedef struct rc_ask {
    rc_op op; /* whose rows answer */
    rc_dtype dtype;
    rc_axes at;         /* the sizes that the op has; of transfers bytes, ranks and nodes */
    char transport[16]; /* of transfers; else empty */
    rc_cost cost;       /* the answer; p50 of a message: its latency and bytes at its peer rate */
    bool heard;         /* since rc_asks_begin */
} rc_ask;

/* Not for several threads at once. */
typedef struct rc_asks rc_asks;
rc_asks *rc_asks_create(void);    /* NULL when out of memory */
void rc_asks_destroy(rc_asks *a); /* NULL is fine */
size_t rc_asks_count(const rc_asks *a);
const rc_ask *rc_asks_at(const rc_asks *a, size_t i); /* in the order in which they came */
void rc_asks_begin(rc_asks *a);                       /* nothing has been heard */
/* From here on answers of the i-th take `factor` >= 1 times as long; RC_ASKS_NONE: none does. */
#define RC_ASKS_NONE SIZE_MAX
void rc_asks_slow(rc_asks *a, size_t i, double factor);
/* The header of a file of rows that are wanted: which point a row is, and then why. Ended by
 * NULL. */
const char *const *rc_wanted_columns(void);
/* The row that a measurement of the ask is: op, variant, dtype and sizes; its strings are the ask's,
 * all else is empty. */
void rc_ask_row(const rc_ask *ask, rc_row *out);

/* Costs over the same curves on the same machine whose answers `a` hears, and slows down as it is
 * told. `c` and `a` must outlive *out, which rc_costs_close frees. What keeps prices of earlier
 * look-ups (rc_forward_ctx) has to forget them whenever another answer is slowed down. */
rc_status rc_costs_listen(const rc_costs *c, rc_asks *a, rc_costs **out, rc_error *err);
/* The relative spread that the answer would have if its row were measured: the median of those that
 * rows of the op have in this book, and that of the transfer where the machine is not the base. */
double rc_ask_measured_spread(const rc_costs *c, const rc_ask *ask);

/* Of the cost room: an answer was given. */
rc_status rc_asks_hear(rc_asks *a, rc_op op, rc_dtype d, const rc_axes *at, const char *transport,
                       rc_cost *answer, rc_error *err);

#endif
