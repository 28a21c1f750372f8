/* Ops of several suites, each measured by the suite that knows the op: `heads` and `mla` of other sizes,
 * and under a condition `sms` on fewer SMs than there are and `clock` at work for part of the time, for long,
 * from rest, or with dense products in the rest of the time (`hot`).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/suite.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS = 10, HEAT_M = 4096, HEAT_N = 8192, HEAT_K = 4096 };

typedef struct part {
    const char *op;
    const rc_suite *suite;
    void *self;
    bool open;
} part;

typedef struct mixed_suite {
    part v[PARTS];
    rc_gemm_heater *heat; /* NULL: no point asks for it */
} mixed_suite;

static void mixed_close(void *self) {
    mixed_suite *s = self;
    for (int i = 0; s && i < PARTS; i++)
        if (s->v[i].open)
            s->v[i].suite->close(s->v[i].self);
    if (s)
        rc_gemm_heater_close(s->heat);
    free(s);
}

static bool is_hot(const rc_point *p) {
    return p->cond && !strcmp(p->cond, "hot");
}

static bool is_part_time(const rc_point *p) {
    return p->cond && (is_hot(p) || !strcmp(p->cond, "fresh") || !strcmp(p->cond, "duty"));
}

/* As the suite of the op knows it: when it is at work is not its concern. */
static rc_point bare(const rc_point *p) {
    rc_point x = *p;
    if (is_part_time(p))
        x.cond = NULL;
    return x;
}

/* A part is opened for its own points only. */
static rc_status open_part(rc_calib *c, part *x, const rc_points *points, rc_error *err) {
    rc_points own = {0};
    rc_status st = RC_OK;
    for (size_t i = 0; i < points->n && st == RC_OK; i++) {
        const rc_point p = bare(&points->v[i]);
        if (!strcmp(p.op, x->op))
            st = rc_points_add(&own, &p, err);
    }
    if (st == RC_OK && own.n)
        st = x->suite->open(c, &own, &x->self, err);
    x->open = st == RC_OK && own.n;
    rc_points_free(&own);
    return st;
}

static bool any_hot(const rc_points *points) {
    bool any = false;
    for (size_t i = 0; i < points->n; i++)
        any = any || is_hot(&points->v[i]);
    return any;
}

static rc_status mixed_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    mixed_suite *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    *s = (mixed_suite){.v = {{.op = "attention", .suite = &rc_suite_attention},
                             {.op = "mla_prefill", .suite = &rc_suite_attention},
                             {.op = "mla_decode", .suite = &rc_suite_mla},
                             {.op = "gemm", .suite = &rc_suite_gemm},
                             {.op = "decode", .suite = &rc_suite_decode},
                             {.op = "merge", .suite = &rc_suite_merge},
                             {.op = "rmsnorm", .suite = &rc_suite_elementwise},
                             {.op = "swiglu", .suite = &rc_suite_elementwise},
                             {.op = "rotary_kv", .suite = &rc_suite_elementwise},
                             {.op = "copy", .suite = &rc_suite_memory}}};
    rc_status st = RC_OK;
    for (int i = 0; i < PARTS && st == RC_OK; i++)
        st = open_part(c, &s->v[i], points, err);
    if (st == RC_OK && any_hot(points))
        st = rc_gemm_heater_open(c, HEAT_M, HEAT_N, HEAT_K, &s->heat, err);
    if (st != RC_OK) {
        mixed_close(s);
        return st;
    }
    *self = s;
    return RC_OK;
}

static rc_status mixed_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                               rc_error *err) {
    mixed_suite *s = self;
    const rc_point as_known = bare(p);
    for (int i = 0; i < PARTS; i++) {
        if (strcmp(s->v[i].op, p->op) != 0)
            continue;
        c->bench.duty_cycle = is_part_time(p) ? 0.01 * (double)p->value : 0;
        c->bench.from_rest = p->cond && !strcmp(p->cond, "fresh");
        c->bench.heat = is_hot(p) ? rc_gemm_heater_op(s->heat) : NULL;
        rc_status st = s->v[i].suite->measure(c, s->v[i].self, &as_known, m, err);
        c->bench.duty_cycle = 0;
        c->bench.heat = NULL;
        c->bench.from_rest = false;
        return st;
    }
    return rc_fail(err, RC_E_INTERNAL, "no suite measures %s", p->op);
}

const rc_suite rc_suite_mixed = {mixed_open, mixed_measure, mixed_close};
