/* The book: all curves of one base machine and clock state, ready for look-up.
 *
 * Curves are ordered by op, machine, variant, type and the sizes that are fixed on a curve, in the
 * order in which the table of ops names them. Those that differ in the axis across alone are one
 * grid; a curve of an op without such an axis is a grid of one. A book is a constant: the one that
 * is compiled into the program (embed/) and one that is built from rows (build.h) are alike to the
 * bit.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_BOOK_H
#define RC_COST_BOOK_H
#include <string.h>
#include "sim/cost/field.h"
#include "sim/cost/gemm_plan.h"
#include "sim/cost/launch_gap.h"
#include "sim/cost/nearness.h"
#include "sim/cost/ops.h"
#include "sim/cost/power.h"
#include "sim/cost/series.h"
#include "sim/cost/surface.h"

typedef struct rc_grid {
    rc_op op;
    rc_dtype dtype;                      /* RC_BF16 where rows of all types are one curve */
    const char *machine, *gpu, *variant; /* variant: the transport of a transfer, else "" */
    rc_axes fixed;                       /* the axis across left out */
    double logs[2];                      /* of the first two fixed sizes; 0 for sizes of 0 */
    rc_curves curves;
} rc_grid;

typedef struct rc_book {
    const char *base, *state;
    rc_power power; /* of the state power_limited; its curves are of bursts where it is known */
    const rc_power *cards; /* of each card of the host that has rows of its own; all are known */
    int card_count;
    const rc_grid *grids;
    size_t count;
    size_t first[RC_OPS_MAX + 1]; /* grids of op: [first[op], first[op + 1]) */
    const rc_field *fields; /* times of attention and decode; their grids say what was measured */
    size_t field_count;
    const rc_surface *surfaces; /* times of the ops whose rows make surfaces, in order of ops */
    size_t surface_count;
    rc_product_rates products[RC_PRODUCT_TYPES]; /* in the order of rc_product_type_of */
    rc_launch_gaps gaps;                         /* of kernels that are launched one by one */
    rc_class_errors errors;                      /* learnt from the rows (class_errors.h), else 0 */
} rc_book;

/* The clock state whose rows make the curves: the book's own; of power_limited, bursts where a power
 * model carries them to the clock of a pass, else the chip after long load. */
static inline const char *rc_book_rows_state(const rc_book *b) {
    if (strcmp(b->state, RC_POWER_LIMITED) != 0)
        return b->state;
    return b->power.known ? "burst" : "sustained";
}
/* What products in a type reach; NULL when there are no rows of them. */
const rc_product_rates *rc_book_products(const rc_book *b, rc_dtype d);
/* The grids of an op, in order; NULL and 0 when there is none. */
const rc_grid *rc_book_grids(const rc_book *b, rc_op op, size_t *n);
/* The grid of this op and type whose fixed sizes are those of `at`, or NULL. For ops whose rows are
 * all of the base machine. */
const rc_grid *rc_book_find(const rc_book *b, rc_op op, rc_dtype d, const rc_axes *at);
/* The grid of `op` in the type whose heads are nearest to those asked for: the same heads, else the
 * same number of query heads a KV head and the nearest number of heads, else the nearest of both.
 * Only grids of the same head sizes and window count; NULL when there is none. *basis: RC_MEASURED
 * or, of other heads, RC_MODELLED. */
const rc_grid *rc_book_heads(const rc_book *b, rc_op op, rc_dtype d, const rc_axes *at,
                             rc_basis *basis);
/* The field of attention or decode in the type, with the head sizes and the window of `at`, or
 * NULL. */
const rc_field *rc_book_field(const rc_book *b, bool decode, rc_dtype d, const rc_axes *at);

#endif
