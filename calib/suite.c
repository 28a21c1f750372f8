/* Input sets: how a point's tensors are laid out, several times over, in a suite's pools.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/suite.h"

#include <stdlib.h>
#include <string.h>

size_t rc_align(size_t bytes) {
    return (bytes + 1023) / 1024 * 1024;
}

rc_sets rc_sets_for(const rc_gpu *g, rc_need need) {
    rc_sets s = {rc_align(need.in), rc_align(need.out), 1};
    s.n = rc_bench_slots_wanted(g, need.in + need.out);
    return s;
}

static double total(const rc_sets *s) {
    return (double)s->n * ((double)s->in_stride + (double)s->out_stride);
}

bool rc_sets_fit(const rc_gpu *g, const rc_sets *s) {
    return total(s) <= RC_MEMORY_SHARE * (double)g->free_bytes;
}

rc_status rc_sets_check(const rc_gpu *g, const rc_sets *s, rc_error *err) {
    if (rc_sets_fit(g, s))
        return RC_OK;
    return rc_fail(err, RC_E_UNMODELLED, "needs %.1f GB, over 60 %% of the %.1f GB free",
                   total(s) / 1e9, (double)g->free_bytes / 1e9);
}

void rc_sets_pools(const rc_gpu *g, const rc_points *points, rc_need_fn need, const char *dtype,
                   size_t *in, size_t *out) {
    *in = *out = 0;
    for (size_t i = 0; i < points->n; i++) {
        const rc_point *p = &points->v[i];
        if (dtype && strcmp(p->dtype, dtype))
            continue;
        rc_sets s = rc_sets_for(g, need(p));
        if (!rc_sets_fit(g, &s))
            continue;
        if ((size_t)s.n * s.in_stride > *in)
            *in = (size_t)s.n * s.in_stride;
        if ((size_t)s.n * s.out_stride > *out)
            *out = (size_t)s.n * s.out_stride;
    }
}

rc_status rc_pools_reserve(rc_calib *c, const rc_points *points, rc_need_fn need, const char *dtype,
                           rc_pools *p, rc_error *err) {
    const size_t row = 8192; /* e4m3 is filled by whole rows of it */
    size_t in, out;
    rc_sets_pools(&c->gpu, points, need, dtype, &in, &out);
    if (in == 0)
        return RC_OK;
    RC_TRY(rc_buffer_reserve(&p->in, (in + row - 1) / row * row, err));
    RC_TRY(rc_buffer_reserve(&p->out, out, err));
    return dtype && !strcmp(dtype, "fp8") ? rc_buffer_fill_e4m3(&c->gpu, &p->in, c->opt->seed, err)
                                          : rc_buffer_fill_bf16(&c->gpu, &p->in, c->opt->seed, err);
}

void rc_pools_free(rc_pools *p) {
    rc_buffer_free(&p->in);
    rc_buffer_free(&p->out);
}

rc_status rc_pools_open(rc_calib *c, const rc_points *points, rc_need_fn need, void **self,
                        rc_error *err) {
    rc_pools *p = calloc(1, sizeof *p);
    if (!p)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_status st = rc_pools_reserve(c, points, need, NULL, p, err);
    if (st != RC_OK) {
        rc_pools_close(p);
        return st;
    }
    *self = p;
    return RC_OK;
}

void rc_pools_close(void *self) {
    if (!self)
        return;
    rc_pools_free(self);
    free(self);
}

rc_status rc_point_sms(const rc_calib *c, const rc_point *p, int *sms, rc_error *err) {
    *sms = 0;
    if (!p->cond || strcmp(p->cond, "sms") != 0 || p->value == c->gpu.sms)
        return RC_OK;
    if (p->value > c->gpu.sms)
        return rc_fail(err, RC_E_UNMODELLED, "this GPU has %d SMs", c->gpu.sms);
    *sms = (int)p->value;
    return RC_OK;
}
