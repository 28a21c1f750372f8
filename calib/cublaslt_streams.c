/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/cublaslt_streams.h"
#include "calib/gpu.h"

#include <assert.h>
#include <stdlib.h>

struct rc_streams {
    rc_cublaslt *lt[RC_STREAMS_MAX]; /* a workspace each */
    cudaStream_t stream[RC_STREAMS_MAX];
    cudaEvent_t fork, join[RC_STREAMS_MAX];
    rc_cublaslt_shape shape;
    int count; /* streams in use */
};

static rc_status open_parts(rc_streams *s, rc_error *err) {
    RC_CUDA(cudaEventCreateWithFlags(&s->fork, cudaEventDisableTiming));
    for (int i = 0; i < RC_STREAMS_MAX; i++) {
        RC_TRY(rc_cublaslt_open(&s->lt[i], err));
        RC_CUDA(cudaStreamCreateWithFlags(&s->stream[i], cudaStreamNonBlocking));
        RC_CUDA(cudaEventCreateWithFlags(&s->join[i], cudaEventDisableTiming));
    }
    return RC_OK;
}

rc_status rc_streams_open(rc_streams **out, rc_error *err) {
    rc_streams *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_status st = open_parts(s, err);
    if (st != RC_OK) {
        rc_streams_close(s);
        return st;
    }
    *out = s;
    return RC_OK;
}

void rc_streams_close(rc_streams *s) {
    if (!s)
        return;
    for (int i = 0; i < RC_STREAMS_MAX; i++) {
        rc_cublaslt_close(s->lt[i]);
        if (s->stream[i])
            (void)cudaStreamDestroy(s->stream[i]);
        if (s->join[i])
            (void)cudaEventDestroy(s->join[i]);
    }
    if (s->fork)
        (void)cudaEventDestroy(s->fork);
    free(s);
}

rc_status rc_streams_prepare(rc_streams *s, const rc_cublaslt_shape *shape, int count,
                             const int64_t *rows_of, int experts, const void *x, const void *w,
                             void *y, cudaStream_t stream, rc_error *err) {
    assert(experts >= 1);
    if (count < 1 || count > RC_STREAMS_MAX)
        return rc_fail(err, RC_E_UNMODELLED, "%d streams: 1 to %d are taken", count,
                       RC_STREAMS_MAX);
    s->shape = *shape;
    s->count = count;
    for (int i = 0; i < count; i++)
        for (int e = 0; e < experts; e++) {
            rc_cublaslt_shape one = *shape;
            one.m = rows_of[e];
            if (one.m > 0 && (e == 0 || rows_of[e] != rows_of[e - 1]))
                RC_TRY(rc_cublaslt_prepare(s->lt[i], &one, x, w, y, stream, NULL, err));
        }
    return RC_OK;
}

rc_status rc_streams_launch(rc_streams *s, const int64_t *rows_of, int experts, const void *x,
                            const void *w, void *y, cudaStream_t stream, rc_error *err) {
    const size_t element = rc_product_element(s->shape.type);
    const size_t row = (size_t)s->shape.k * element, matrix = (size_t)s->shape.n * row;
    const unsigned char *from = x, *by = w;
    unsigned char *to = y;
    RC_CUDA(cudaEventRecord(s->fork, stream));
    for (int i = 0; i < s->count; i++)
        RC_CUDA(cudaStreamWaitEvent(s->stream[i], s->fork, 0));
    for (int e = 0; e < experts; e++) {
        const int i = e % s->count;
        rc_cublaslt_shape one = s->shape;
        one.m = rows_of[e];
        if (one.m > 0)
            RC_TRY(rc_cublaslt_launch(s->lt[i], &one, from, by + (size_t)e * matrix, to,
                                      s->stream[i], err));
        from += (size_t)one.m * row;
        to += (size_t)(one.m * s->shape.n) * 2;
    }
    for (int i = 0; i < s->count; i++) {
        RC_CUDA(cudaEventRecord(s->join[i], s->stream[i]));
        RC_CUDA(cudaStreamWaitEvent(stream, s->join[i], 0));
    }
    return RC_OK;
}
