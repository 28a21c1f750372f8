/* From rows of the store to points of series: which axis runs, which are fixed, what does not
 * matter. SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cost/book.h"

static const char *const names[OP_COUNT] = {
    [OP_GEMM] = "gemm",
    [OP_FULL] = "attention",
    [OP_SQUARE] = "attention",
    [OP_PREFIX] = "attention",
    [OP_DECODE] = "decode",
    [OP_MERGE] = "merge",
    [OP_RMSNORM] = "rmsnorm",
    [OP_RMSNORM_FP8] = "rmsnorm_fp8",
    [OP_QUANTIZE_FP8] = "quantize_fp8",
    [OP_RESIDUAL_ADD] = "residual_add",
    [OP_SWIGLU] = "swiglu",
    [OP_SWIGLU_FP8] = "swiglu_fp8",
    [OP_ROTARY_KV] = "rotary_kv",
    [OP_COPY] = "copy",
    [OP_SEND_RECV] = "send_recv",
    [OP_ALL_REDUCE] = "all_reduce",
    [OP_ALL_GATHER] = "all_gather",
    [OP_REDUCE_SCATTER] = "reduce_scatter",
    [OP_ALL_TO_ALL] = "all_to_all",
};

const char *rc_op_name(rc_op op) {
    return names[op];
}

/* OP_COUNT for ops that are no series (launch, sync, ...), and for rows measured under a condition
 * ("full@sms124": on fewer SMs), which are not what the same op costs by itself. */
static rc_op op_of(const rc_row *r) {
    if (strchr(r->variant, '@') != NULL)
        return OP_COUNT;
    if (strcmp(r->op, "attention") == 0) {
        if (strcmp(r->variant, "full") == 0)
            return OP_FULL;
        if (strcmp(r->variant, "causal") != 0 || r->b < r->a)
            return OP_COUNT;
        return r->a == r->b ? OP_SQUARE : OP_PREFIX;
    }
    for (int op = 0; op < OP_COUNT; op++) {
        if (strcmp(names[op], r->op) == 0)
            return (rc_op)op;
    }
    return OP_COUNT;
}

static bool attends(rc_op op) {
    return op >= OP_FULL && op <= OP_DECODE;
}

/* Fills op, k and the running axis (not yet its log); false when the row is of no use. */
static bool place(const rc_row *r, rc_point *p) {
    p->op = op_of(r);
    double a = (double)r->a, b = (double)r->b;
    switch (p->op) {
    case OP_GEMM:
        p->x = a, p->k[0] = r->b, p->k[1] = r->c;
        break;
    case OP_FULL:
        p->x = b, p->k[0] = r->c, p->k[1] = r->d, p->k[2] = r->a;
        break;
    case OP_SQUARE:
        p->x = a, p->k[0] = r->c, p->k[1] = r->d;
        break;
    case OP_PREFIX:
        p->x = r->a > 0 ? b / a : 0.0, p->k[0] = r->c, p->k[1] = r->d, p->k[2] = r->a;
        break;
    case OP_DECODE:
        p->x = b, p->k[0] = r->c, p->k[1] = r->d, p->k[2] = r->a;
        break;
    case OP_ROTARY_KV:
        p->x = a, p->k[0] = r->c, p->k[1] = r->d;
        break;
    case OP_COPY:
        p->x = a;
        return a >= 1.0;
    case OP_SEND_RECV:
    case OP_ALL_REDUCE:
    case OP_ALL_GATHER:
    case OP_REDUCE_SCATTER:
    case OP_ALL_TO_ALL:
        p->x = a, p->k[0] = r->b, p->k[1] = r->c > 0 ? r->c : 1;
        break;
    case OP_COUNT:
        return false;
    default: /* merge and elementwise */
        p->x = a, p->k[0] = r->b;
        break;
    }
    if (!(p->x > 0.0) || p->k[0] <= 0)
        return false;
    if (!attends(p->op))
        return true;
    const int64_t most = 1000000; /* heads */
    bool heads = p->k[0] <= most && p->k[1] > 0 && p->k[1] <= p->k[0];
    return heads && (p->op == OP_SQUARE || p->k[2] > 0);
}

/* Rows of transfers differ in the type of their elements, which a link does not see; a reduction
 * does, so two-byte types come first. */
static int dtype_rank(const char *dtype) {
    static const char *const order[] = {"bf16", "fp16", "bytes", ""};
    for (int i = 0; i < 4; i++) {
        if (strcmp(dtype, order[i]) == 0)
            return i;
    }
    return 4;
}

/* How far two calibrations of one GPU type lie apart, which p10 to p90 of one run do not show: 80 %
 * of the GEMMs of two H200 runs (results/calibration/h200-sxm) are within 2.2 % of each other in
 * bursts and 3.5 % at sustained clocks; a run's own share is that over the square root of two. */
static double between_runs(const rc_row *r) {
    return strcmp(r->state, "sustained") == 0 ? 0.025 : 0.016;
}

static bool point_of(const rc_row *r, const rc_selection *of, rc_point *p) {
    memset(p, 0, sizeof *p);
    if (!place(r, p))
        return false;
    bool fp8 = strcmp(r->dtype, "fp8") == 0;
    if (attends(p->op) ? fp8 != of->fp8_attention : of->fp8_attention)
        return false;
    bool moves = rc_op_moves(p->op);
    if (!moves && strcmp(r->machine, of->base) != 0)
        return false;
    bool published = strcmp(r->source, "measured") != 0;
    bool modelled = strncmp(r->source, "modelled", 8) == 0;
    p->machine = r->machine;
    p->gpu = r->gpu;
    p->variant = moves ? r->variant : "";
    p->dtype = p->op == OP_GEMM ? r->dtype : "";
    p->x = log(p->x);
    p->y = log(r->p50);
    p->spread = (r->p90 - r->p10) / (2.0 * r->p50);
    if (!published)
        p->spread = hypot(p->spread, between_runs(r));
    p->own_state = moves || strcmp(r->state, of->state) == 0;
    p->basis = modelled ? RC_MODELLED : published ? RC_PUBLISHED : RC_MEASURED;
    p->rank = (published ? 10 : 0) + (moves ? dtype_rank(r->dtype) : 0);
    return isfinite(p->x) && isfinite(p->y);
}

rc_status rc_points_of(const rc_rows *rows, const rc_selection *of, rc_point **out, size_t *n,
                       rc_error *err) {
    size_t count = rc_rows_count(rows);
    rc_point *p = calloc(count + 1, sizeof *p);
    if (p == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu cost rows", count);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        kept += point_of(rc_rows_at(rows, i), of, &p[kept]) ? 1 : 0;
    *out = p;
    *n = kept;
    return RC_OK;
}

int rc_point_series_order(const rc_point *x, const rc_point *y) {
    if (x->op != y->op)
        return x->op < y->op ? -1 : 1;
    int o = strcmp(x->machine, y->machine);
    o = o != 0 ? o : strcmp(x->variant, y->variant);
    o = o != 0 ? o : strcmp(x->dtype, y->dtype);
    for (int i = 0; i < RC_KEYS && o == 0; i++)
        o = (x->k[i] > y->k[i]) - (x->k[i] < y->k[i]);
    return o;
}
