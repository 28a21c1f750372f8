/* GEMM, merge, elementwise work and copies.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/cost/book.h"

static const double FLOOR = 2e-6; /* of a GEMM, what does not scale with N K: launch and tail */

/* ---- gemm ---------------------------------------------------------------------------------- */

/* The two series nearest to (N, K) in log distance; the second may be NULL. Of other shapes than
 * the one asked for, those that were not measured up to M are as far away as they fall short of it:
 * an LM head, measured for a few rows, says nothing of thousands. */
static const rc_series *nearest_shapes(const rc_book *b, const char *dtype, double m, double n,
                                       double k, const rc_series **second, double d[2]) {
    const rc_series *best = NULL;
    *second = NULL;
    d[0] = d[1] = INFINITY;
    for (size_t i = b->first[OP_GEMM]; i < b->first[OP_GEMM + 1]; i++) { /* measured as asked for */
        const rc_series *s = &b->series[i];
        if ((double)s->k[0] == n && (double)s->k[1] == k && strcmp(s->dtype, dtype) == 0) {
            d[0] = 0.0;
            return s;
        }
    }
    for (size_t i = b->first[OP_GEMM]; i < b->first[OP_GEMM + 1]; i++) {
        const rc_series *s = &b->series[i];
        if (strcmp(s->dtype, dtype) != 0)
            continue;
        double dn = log(n / (double)s->k[0]), dk = log(k / (double)s->k[1]);
        double far = dn * dn + dk * dk, beyond = fmax(log(m) - s->x[s->n - 1], 0.0);
        if (far > 0.0)
            far += beyond * beyond;
        if (far < d[0]) {
            *second = best, d[1] = d[0];
            best = s, d[0] = far;
        } else if (far < d[1]) {
            *second = s, d[1] = far;
        }
    }
    return best;
}

/* A series of another shape at the same M. Its FLOPs and its weights differ by the same factor, so
 * whichever binds, what is above the floor scales with N*K. */
static void scaled(const rc_series *s, double m, double n, double k, rc_probe *p) {
    rc_series_at(s, log(m), p);
    double t = exp(p->y), ratio = n * k / ((double)s->k[0] * (double)s->k[1]);
    p->y = log(t > FLOOR ? FLOOR + (t - FLOOR) * ratio : t);
}

rc_status rc_cost_gemm(const rc_costs *c, rc_dtype d, int64_t m, int64_t n, int64_t k, rc_cost *out,
                       rc_error *err) {
    RC_TRY(rc_cost_domain("gemm", "m", m, 0, err));
    RC_TRY(rc_cost_domain("gemm", "n", n, 1, err));
    RC_TRY(rc_cost_domain("gemm", "k", k, 1, err));
    if (d == RC_FP32)
        return rc_fail(err, RC_E_UNMODELLED,
                       "gemm in fp32 is not modelled: rows exist of bf16 and fp8 only");
    if (d != RC_BF16 && d != RC_FP8)
        return rc_cost_gemm_quantised(c, d, m, n, k, out, err);
    if (m == 0)
        return rc_cost_nothing(out);
    char what[32];
    (void)snprintf(what, sizeof what, "gemm in %s", rc_dtype_name(d));
    double far[2], dm = (double)m, dn = (double)n, dk = (double)k;
    const rc_series *second = NULL;
    const rc_series *first = nearest_shapes(c->book, rc_dtype_name(d), dm, dn, dk, &second, far);
    if (first == NULL)
        return rc_cost_no_rows(c, what, err);
    rc_probe p, q;
    scaled(first, dm, dn, dk, &p);
    if (far[0] > 0.0)
        p.basis = RC_MODELLED;
    if (far[0] > 0.0 && second != NULL) { /* weights 1/distance^2 */
        scaled(second, dm, dn, dk, &q);
        double w = far[0] / (far[0] + far[1]);
        p.y += w * (q.y - p.y);
        p.spread = fmax(p.spread, q.spread);
    }
    double e = rc_dtype_bytes(d);
    rc_work w = {.engine = ENGINE_GEMM,
                 .dtype = d,
                 .flops = 2.0 * dm * dn * dk,
                 .bytes = e * (dm * dk + dn * dk) + 2.0 * dm * dn};
    return rc_cost_finish(c, &p, &w, out, err);
}

/* ---- merge --------------------------------------------------------------------------------- */

rc_status rc_cost_merge(const rc_costs *c, int64_t rows, int parts, rc_cost *out, rc_error *err) {
    RC_TRY(rc_cost_domain("merge", "rows", rows, 0, err));
    RC_TRY(rc_cost_domain("merge", "parts", parts, 1, err));
    if (rows == 0 || parts == 1)
        return rc_cost_nothing(out); /* one part is the answer */
    const rc_series *from = NULL, *to = NULL;
    rc_probe p;
    if (!rc_book_range(c->book, OP_MERGE, NULL, 0, &from, &to))
        return rc_cost_no_rows(c, "merge", err);
    rc_grid_at(from, to, 0, log((double)parts), log((double)rows), &p);
    rc_work w = {.engine = ENGINE_MEMORY,
                 .dtype = RC_BF16,
                 .bytes = (double)rows * (128.0 * 2.0 * (parts + 1) + 4.0 * parts)};
    return rc_cost_finish(c, &p, &w, out, err);
}

/* ---- elementwise --------------------------------------------------------------------------- */

typedef struct element {
    const char *name;
    rc_op op;
    double bytes; /* read and written for one element of the width */
    bool by_rule; /* the rows are of another op that moves at least as much */
} element;

static const element elements[] = {
    {"rmsnorm", OP_RMSNORM, 8.0, false},
    {"rmsnorm_fp8", OP_RMSNORM_FP8, 7.0, false},
    {"quantize_fp8", OP_QUANTIZE_FP8, 3.0, false},
    {"residual_add", OP_RESIDUAL_ADD, 6.0, false},
    {"swiglu", OP_SWIGLU, 6.0, false},
    {"swiglu_fp8", OP_SWIGLU_FP8, 5.0, false},
    {"rotary_kv", OP_ROTARY_KV, 4.0, false},
    {"rotary_kv_fp8", OP_ROTARY_KV, 4.0, true},
};
enum { ELEMENTS = sizeof elements / sizeof elements[0] };

/* Elements a token: the width, or for rotary_kv all heads of q, k and v. */
static double width_of(rc_op op, int64_t k0, int64_t k1) {
    return op == OP_ROTARY_KV ? 128.0 * ((double)k0 + 2.0 * (double)k1) : (double)k0;
}

static const rc_series *nearest_width(const rc_book *b, rc_op op, const int64_t k[2],
                                      double width) {
    const rc_series *best = NULL;
    double far = INFINITY;
    for (size_t i = b->first[op]; i < b->first[op + 1]; i++) {
        const rc_series *s = &b->series[i];
        if (s->k[0] == k[0] && s->k[1] == k[1])
            return s;
        double d = fabs(log(width_of(op, s->k[0], s->k[1]) / width));
        if (d < far) {
            far = d;
            best = s;
        }
    }
    return best;
}

static const element *find_element(const char *op, rc_error *err) {
    const char *names[ELEMENTS + 1] = {NULL};
    for (int i = 0; i < ELEMENTS; i++) {
        if (strcmp(op, elements[i].name) == 0)
            return &elements[i];
        names[i] = elements[i].name;
    }
    const char *near = rc_nearest(op, names);
    (void)rc_fail(err, RC_E_INPUT, "'%.40s' is no elementwise op%s%s%s", op,
                  near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return NULL;
}

rc_status rc_cost_elementwise(const rc_costs *c, const char *op, int64_t tokens, int64_t width,
                              rc_cost *out, rc_error *err) {
    const element *e = find_element(op, err);
    if (e == NULL)
        return RC_E_INPUT;
    RC_TRY(rc_cost_domain(op, "tokens", tokens, 0, err));
    RC_TRY(rc_cost_domain(op, "width", width, 1, err));
    int64_t k[2] = {width, 0};
    if (e->op == OP_ROTARY_KV) {
        k[0] = width / 1000, k[1] = width % 1000;
        RC_TRY(rc_cost_domain(op, "query heads", k[0], 1, err));
        RC_TRY(rc_cost_domain(op, "KV heads", k[1], 1, err));
    }
    if (tokens == 0)
        return rc_cost_nothing(out);
    double across = width_of(e->op, k[0], k[1]);
    const rc_series *s = nearest_width(c->book, e->op, k, across);
    if (s == NULL)
        return rc_cost_no_rows(c, op, err);
    bool exact = s->k[0] == k[0] && s->k[1] == k[1];
    rc_probe p; /* another width is as many tokens more or fewer: the same elements */
    double times = exact ? 1.0 : across / width_of(e->op, s->k[0], s->k[1]);
    rc_series_at(s, log((double)tokens * times), &p);
    if (!exact || e->by_rule)
        p.basis = rc_worse(p.basis, RC_MODELLED);
    rc_work w = {
        .engine = ENGINE_MEMORY, .dtype = RC_BF16, .bytes = (double)tokens * across * e->bytes};
    return rc_cost_finish(c, &p, &w, out, err);
}

/* ---- copy ---------------------------------------------------------------------------------- */

rc_status rc_cost_copy(const rc_costs *c, double bytes, rc_cost *out, rc_error *err) {
    if (!(bytes >= 0.0) || bytes > 1e18)
        return rc_fail(err, RC_E_INPUT, "copy: bytes is %g; expected 0 to 1e18", bytes);
    if (bytes < 1.0)
        return rc_cost_nothing(out);
    const rc_series *from = NULL, *to = NULL;
    rc_probe p;
    if (!rc_book_range(c->book, OP_COPY, NULL, 0, &from, &to))
        return rc_cost_no_rows(c, "copy", err);
    rc_series_at(from, log(2.0 * bytes), &p); /* rows count bytes read and written */
    rc_work w = {.engine = ENGINE_MEMORY, .dtype = RC_BF16, .bytes = 2.0 * bytes};
    return rc_cost_finish(c, &p, &w, out, err);
}
