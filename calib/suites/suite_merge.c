/* Merge of partial attention outputs by log-sum-exp: all parts at once, or (variant `step`) one
 * part into a running sum in fp32, as a ring does after each step.
 *
 * A row is one token's one head: 128 bf16 numbers and a float. Bytes: rows (256 + 4) (parts + 1);
 * of a step, rows (260 + 2 * 516). The log-sum-exps come from the same fill: a float whose upper
 * half is a normal bf16 number is that number, give or take its last bits.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <string.h>

enum { MAX_PARTS = 64 };

typedef struct merge {
    rc_pools *suite;
    rc_sets sets;
    int64_t rows;
    int parts, sms;
    size_t part_o, part_lse; /* bytes of one part's output and LSE */
} merge;

static bool is_step(const rc_point *p) {
    return !strcmp(p->variant, "step");
}

/* An input set: parts of O, then parts of LSE. A step has one part, and its sum is the output. */
static rc_need merge_need(const rc_point *p) {
    size_t o = rc_align((size_t)p->a * 256), lse = rc_align((size_t)p->a * 4);
    if (is_step(p))
        return (rc_need){o + lse, 2 * o + lse};
    return (rc_need){(size_t)p->b * (o + lse), o + lse};
}

static rc_status merge_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    return rc_pools_open(c, points, merge_need, self, err);
}

static rc_status merge_launch(void *self, int slot, cudaStream_t stream, rc_error *err) {
    merge *t = self;
    const void *o[MAX_PARTS];
    const float *lse[MAX_PARTS];
    const unsigned char *in = t->suite->in.p + (size_t)slot * t->sets.in_stride;
    unsigned char *out = t->suite->out.p + (size_t)slot * t->sets.out_stride;
    for (int i = 0; i < t->parts; i++) {
        o[i] = in + (size_t)i * t->part_o;
        lse[i] = (const float *)(const void *)(in + (size_t)t->parts * t->part_o +
                                               (size_t)i * t->part_lse);
    }
    return rc_kernel_check(err,
                           rc_merge(o, lse, t->parts, t->rows, out,
                                    (float *)(void *)(out + t->part_o), t->sms, stream),
                           "rc_merge");
}

static rc_status step_launch(void *self, int slot, cudaStream_t stream, rc_error *err) {
    merge *t = self;
    const unsigned char *in = t->suite->in.p + (size_t)slot * t->sets.in_stride;
    unsigned char *out = t->suite->out.p + (size_t)slot * t->sets.out_stride;
    return rc_kernel_check(err,
                           rc_merge_step(in, (const float *)(const void *)(in + t->part_o), t->rows,
                                         0, (float *)(void *)out,
                                         (float *)(void *)(out + 2 * t->part_o), NULL, NULL, t->sms,
                                         stream),
                           "rc_merge_step");
}

static rc_status merge_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                               rc_error *err) {
    rc_need need = merge_need(p);
    merge t = {.suite = self, .sets = rc_sets_for(&c->gpu, need), .rows = p->a, .parts = (int)p->b};
    RC_TRY(rc_sets_check(&c->gpu, &t.sets, err));
    if (p->b > MAX_PARTS)
        return rc_fail(err, RC_E_UNMODELLED, "over %d parts are not measured", MAX_PARTS);
    t.part_o = rc_align((size_t)p->a * 256);
    t.part_lse = rc_align((size_t)p->a * 4);
    RC_TRY(rc_point_sms(c, p, &t.sms, err));
    rc_bench_op op = {is_step(p) ? step_launch : merge_launch, &t, need.in + need.out, t.sets.n};
    RC_TRY(rc_bench_run(&c->bench, &op, &m->r, err));
    rc_record_set(m->kernel, sizeof m->kernel, rc_kernel_version("merge"));
    return RC_OK;
}

const rc_suite rc_suite_merge = {merge_open, merge_measure, rc_pools_close};
