/* A product an expert by cuBLASLt, on several streams at once: what an engine without a grouped kernel does,
 * and what one is held against.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_CUBLASLT_STREAMS_H
#define RC_CALIB_CUBLASLT_STREAMS_H
#include "calib/cublaslt.h"

typedef struct rc_streams rc_streams;
enum { RC_STREAMS_MAX = 8 };

rc_status rc_streams_open(rc_streams **out, rc_error *err);
void rc_streams_close(rc_streams *s); /* NULL is fine */
/* Expert e multiplies rows_of[e] rows by its own n x k matrix; `shape` says n, k and the type. Plans every
 * number of rows that occurs, on `count` streams. */
rc_status rc_streams_prepare(rc_streams *s, const rc_cublaslt_shape *shape, int count,
                             const int64_t *rows_of, int experts, const void *x, const void *w,
                             void *y, cudaStream_t stream, rc_error *err);
/* Behind what `stream` holds; what it is given next waits for all. Rows of expert e follow those of e - 1,
 * its matrix that of e - 1. May be captured. */
rc_status rc_streams_launch(rc_streams *s, const int64_t *rows_of, int experts, const void *x,
                            const void *w, void *y, cudaStream_t stream, rc_error *err);

#endif
