/* Device-to-device copies: the HBM rate that everything memory-bound is held against.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/suite.h"

#include <stdlib.h>

typedef struct copy {
    rc_pools *suite;
    rc_sets sets;
    size_t bytes;
} copy;

static rc_need copy_need(const rc_point *p) {
    return (rc_need){(size_t)p->a / 2, (size_t)p->a / 2};
}

static rc_status copy_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    return rc_pools_open(c, points, copy_need, self, err);
}

static rc_status copy_launch(void *self, int slot, cudaStream_t stream, rc_error *err) {
    copy *t = self;
    RC_CUDA(cudaMemcpyAsync(t->suite->out.p + (size_t)slot * t->sets.out_stride,
                            t->suite->in.p + (size_t)slot * t->sets.in_stride, t->bytes,
                            cudaMemcpyDeviceToDevice, stream));
    return RC_OK;
}

static rc_status copy_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                              rc_error *err) {
    copy t = {self, rc_sets_for(&c->gpu, copy_need(p)), (size_t)p->a / 2};
    RC_TRY(rc_sets_check(&c->gpu, &t.sets, err));
    rc_bench_op op = {copy_launch, &t, (size_t)p->a, t.sets.n};
    RC_TRY(rc_bench_run(&c->bench, &op, &m->r, err));
    rc_record_set(m->kernel, sizeof m->kernel, "cudaMemcpyAsync");
    return RC_OK;
}

const rc_suite rc_suite_memory = {copy_open, copy_measure, rc_pools_close};
