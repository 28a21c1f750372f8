/* The book: all series of one base machine and clock state, ready for look-up. Not for other rooms.
 *
 * A series is one curve: log time over the log of its running axis, the other axes fixed. What runs
 * and what is fixed (k):
 *     gemm        x = M         k = N, K           by dtype
 *     full        x = Tk        k = Hq, Hkv, Tq    attention, variant full
 *     square      x = T         k = Hq, Hkv        attention, causal with Tq = Tk
 *     prefix      x = Tk/Tq     k = Hq, Hkv, Tq    attention, causal with Tk > Tq; see attention.c
 *     decode      x = context   k = Hq, Hkv, batch
 *     merge       x = rows      k = parts
 *     elementwise x = tokens    k = width (rotary_kv: Hq, Hkv)
 *     copy        x = bytes
 *     collectives x = bytes     k = ranks, nodes   by machine and transport
 *
 * Why log-log: times span seven decades, and each regime of a kernel (launch, bandwidth,
 * arithmetic) is a straight line there. Steffen's curve goes through every point and never
 * overshoots; it is monotone where the points are.
 *
 * Clock state. A machine asks for burst or sustained; sustained times exist for few, large shapes
 * only (they cost minutes). A point that exists only in the other state is carried over by the
 * ratio of the states seen at the points of the same op that have both, weighted by nearness in
 * shape (states.c), and counts as `transferred`.
 *
 * Order. Where time must not fall as work grows (all but gemm and collectives, whose algorithms
 * switch) points are made monotone by pooling neighbours that disagree (isotonic regression in log
 * time): noise of a per mille stays a per mille, and nothing that the points agree on moves.
 *
 * The book is built once, is never written afterwards, and a look-up allocates nothing: any number
 * of threads may read it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_BOOK_H
#define RC_COST_BOOK_H
#include <gsl/gsl_interp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/base/arena.h"
#include "sim/cost/cost.h"
#include "sim/cost/store.h"

typedef enum rc_op {
    OP_GEMM,
    OP_FULL,
    OP_SQUARE,
    OP_PREFIX,
    OP_DECODE,
    OP_MERGE,
    OP_RMSNORM,
    OP_RMSNORM_FP8,
    OP_QUANTIZE_FP8,
    OP_RESIDUAL_ADD,
    OP_SWIGLU,
    OP_SWIGLU_FP8,
    OP_ROTARY_KV,
    OP_COPY,
    OP_SEND_RECV,
    OP_ALL_REDUCE,
    OP_ALL_GATHER,
    OP_REDUCE_SCATTER,
    OP_ALL_TO_ALL,
    OP_COUNT
} rc_op;
const char *rc_op_name(rc_op op);
static inline bool rc_op_moves(rc_op op) /* a transfer between GPUs */
{
    return op >= OP_SEND_RECV;
}

enum { RC_KEYS = 3, RC_GRID_MAX = 64 };

/* One usable row. */
typedef struct rc_point {
    rc_op op;
    const char *machine, *gpu, *variant, *dtype; /* "" where it does not matter */
    int64_t k[RC_KEYS];
    double x, y; /* logs of the running axis and of the p50 */
    double spread;
    bool own_state;
    bool unpaired; /* of the other state, and no point of its op was measured in both */
    int rank;      /* of two rows of one point the lower wins */
    rc_basis basis;
} rc_point;

typedef struct rc_series {
    rc_op op;
    const char *machine, *gpu, *variant, *dtype;
    int64_t k[RC_KEYS];
    size_t n;
    const double *x, *y, *spread;
    const rc_basis *basis;
    gsl_interp *interp; /* NULL below 3 points: straight lines */
} rc_series;

typedef struct rc_book {
    rc_arena *arena; /* owns the numbers; strings are the rows' */
    char base[64], state[16];
    rc_series *series; /* ordered by op, machine, variant, dtype, k */
    size_t count;
    size_t first[OP_COUNT + 1]; /* series of op: [first[op], first[op + 1]) */
} rc_book;

/* What a book is of: a base machine and clock state; or attention and decode in fp8 alone, which
 * have a book of their own, so that look-ups need not know of types. */
typedef struct rc_selection {
    const char *base, *state;
    bool fp8_attention;
} rc_selection;

/* The rows must outlive the book. */
rc_status rc_book_build(const rc_rows *rows, const rc_selection *of, rc_book **out, rc_error *err);
void rc_book_free(rc_book *b); /* NULL is fine */

/* points.c: rows to points of the base and of every machine's transfers; *out is malloc'ed. */
rc_status rc_points_of(const rc_rows *rows, const rc_selection *of, rc_point **out, size_t *n,
                       rc_error *err);
/* Sort key of a series: op, machine, variant, dtype, k. */
int rc_point_series_order(const rc_point *x, const rc_point *y);
/* states.c: carry points of the other state over; leaves one point for each x of a series. */
rc_status rc_points_settle(rc_point *p, size_t *n, rc_error *err);
/* Isotonic regression in place: the nearest non-decreasing values, equal weights. n <= RC_GRID_MAX
 * or `work` has n entries. */
void rc_isotonic(double *y, size_t n, size_t *work);

/* ---- look-up ------------------------------------------------------------------------------ */
typedef struct rc_probe {
    double y; /* log time */
    double spread;
    rc_basis basis;
} rc_probe;
static inline rc_basis rc_worse(rc_basis a, rc_basis b) {
    return a > b ? a : b;
}
/* Above its points a series goes on along its last slope over about a factor of two, held between 0
 * and the op's physical slope, and at exactly that slope once within 10 % of it: then its rate has
 * settled. Below them time is latency + work / rate through the first points, and never under 2 us.
 */
void rc_series_at(const rc_series *s, double x, rc_probe *out);
/* Series `from`..`to` differ in k[outer] (ascending): along x by each, then straight across in
 * log k[outer]. Flat below the first, slope 1 above the last. Monotone in both. */
void rc_grid_at(const rc_series *from, const rc_series *to, int outer, double u, double x,
                rc_probe *out);
/* The range of series of one op with the first `keys` of k as given; false when there is none. */
bool rc_book_range(const rc_book *b, rc_op op, const int64_t *k, int keys, const rc_series **from,
                   const rc_series **to);

/* weights.c: a GEMM whose weights are of a type without rows; RC_MODELLED. */
rc_status rc_cost_gemm_quantised(const rc_costs *c, rc_dtype d, int64_t m, int64_t n, int64_t k,
                                 rc_cost *out, rc_error *err);

struct rc_costs {
    rc_machine m;
    rc_rows *rows;       /* own the strings of the books */
    rc_book *book, *fp8; /* fp8: attention and decode in that type, nothing else */
    bool owner;          /* rows and books are freed with it */
};

/* ---- shared by the look-up files ------------------------------------------------------------ */
typedef enum rc_engine { ENGINE_GEMM, ENGINE_ATTENTION, ENGINE_MEMORY } rc_engine;
/* The work of a call, which decides how its time is carried over to another part. */
typedef struct rc_work {
    rc_engine engine;
    rc_dtype dtype;
    double flops, bytes; /* least HBM traffic */
} rc_work;
/* A probe of the base as a cost of the machine. */
rc_status rc_cost_finish(const rc_costs *c, const rc_probe *p, const rc_work *w, rc_cost *out,
                         rc_error *err);
rc_status rc_cost_nothing(rc_cost *out);
/* lo <= v <= 2^52, else RC_E_INPUT naming op and argument. */
rc_status rc_cost_domain(const char *op, const char *arg, int64_t v, int64_t lo, rc_error *err);
rc_status rc_cost_heads(const char *op, int hq, int hkv, rc_error *err);
rc_status rc_cost_no_rows(const rc_costs *c, const char *what, rc_error *err);
/* The (Hq, Hkv) of `op` nearest to the one asked for: the same, else the same group and the nearest
 * number of heads, else the nearest of both. false when the op has no series. */
bool rc_nearest_heads(const rc_book *b, rc_op op, int hq, int hkv, int64_t k[2], rc_basis *basis);
/* attention.c: the model of a causal call with a prefix, without the correction by measured rows.
 */
bool rc_prefix_model(const rc_book *b, double tq, double prefix, int hq, int hkv, rc_probe *out);
/* nccl.c */
rc_status rc_nccl_between_nodes(const rc_machine *m, rc_op op, double bytes, int ranks, int nodes,
                                rc_cost *out, rc_error *err);

#endif
