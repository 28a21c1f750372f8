/* What a suite is, and what a run hands to it.
 *
 * A suite measures points one at a time. The driver (calibrate.c) walks the list, looks at the
 * budget and at what is there already, and stores the rows; the suite owns buffers and knows how to
 * launch its op.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_SUITE_H
#define RC_CALIB_SUITE_H
#include "calib/run_progress.h"
#include "calib/bench.h"
#include "calib/catalog.h"
#include "calib/process_group.h"
#include "calib/calib_options.h"
#include "calib/point_lists.h"
#include "calib/row_file.h"

typedef struct rc_calib {
    const rc_calib_options *opt;
    rc_gpu gpu;
    rc_bench bench;
    rc_row_file row_file; /* open on rank 0 alone */
    rc_run_progress progress;
    rc_group group;
    char machine[48], commit[48];
    int gpus;               /* GPUs for net: of this process, or one a process */
    double began, deadline; /* of the run and of the suite at hand; rc_now() clock */
} rc_calib;

/* What a suite says about one point. Text fields arrive empty. */
typedef struct rc_measured {
    rc_result r;
    char variant[48]; /* replaces the point's when set; the condition is added to it */
    char kernel[48];  /* what ran: a kernel's or a library's version */
    char nccl[24];    /* set by what goes through NCCL */
} rc_measured;

typedef struct rc_suite {
    /* Buffers for all points of the list. */
    rc_status (*open)(rc_calib *c, const rc_points *points, void **self, rc_error *err);
    /* RC_E_UNMODELLED: this point cannot be measured here; *err says why, and the run goes on. */
    rc_status (*measure)(rc_calib *c, void *self, const rc_point *p, rc_measured *m, rc_error *err);
    void (*close)(void *self);
} rc_suite;

extern const rc_suite rc_suite_gemm, rc_suite_attention, rc_suite_decode, rc_suite_merge,
    rc_suite_elementwise, rc_suite_memory, rc_suite_host, rc_suite_gap, rc_suite_net,
    rc_suite_interference, rc_suite_experts, rc_suite_mla,
    rc_suite_mixed; /* heads, mla, sms and clock: ops of several suites */

/* Device bytes of one call: inputs (never written) and outputs (also what is updated in place). */
typedef struct rc_need {
    size_t in, out;
} rc_need;
typedef rc_need (*rc_need_fn)(const rc_point *p);

/* How one point's input sets lie in the pools. */
typedef struct rc_sets {
    size_t in_stride, out_stride;
    int n; /* sets; at least 1 */
} rc_sets;

rc_sets rc_sets_for(const rc_gpu *g, rc_need need);
/* Of the memory free at the start: points that need more are left out. */
#define RC_MEMORY_SHARE 0.6
bool rc_sets_fit(const rc_gpu *g, const rc_sets *s);
/* The pools that the list's points need, those that do not fit left out; only those of `dtype` when
 * it is not NULL. */
void rc_sets_pools(const rc_gpu *g, const rc_points *points, rc_need_fn need, const char *dtype,
                   size_t *in, size_t *out);
/* Most suites read from one pool and write to another. */
typedef struct rc_pools {
    rc_buffer in, out;
} rc_pools;
/* Both for the list's points, the input filled with normal numbers: of all points, in bf16, when
 * dtype is NULL; of those of bf16 or fp8 alone, in that. e4m3 numbers are RC_E4M3_SPREAD times
 * normal ones, a row of 8192 reaching 448. What was reserved is in *p even on failure:
 * rc_pools_free. */
#define RC_E4M3_SPREAD 112.0f
rc_status rc_pools_reserve(rc_calib *c, const rc_points *points, rc_need_fn need, const char *dtype,
                           rc_pools *p, rc_error *err);
void rc_pools_free(rc_pools *p);
/* open and close of a suite that has nothing but its pools. */
rc_status rc_pools_open(rc_calib *c, const rc_points *points, rc_need_fn need, void **self,
                        rc_error *err);
void rc_pools_close(void *self);
/* Fails with RC_E_UNMODELLED, naming the size, when a point does not fit. */
rc_status rc_sets_check(const rc_gpu *g, const rc_sets *s, rc_error *err);
size_t rc_align(size_t bytes); /* up to 1 KiB */

/* A product y[m,n] = x[m,k] W[n,k]^T in bf16 that keeps a chip at the clock of dense work. Owns its tensors. */
typedef struct rc_gemm_heater rc_gemm_heater;
rc_status rc_gemm_heater_open(rc_calib *c, int64_t m, int64_t n, int64_t k, rc_gemm_heater **out,
                              rc_error *err);
const rc_bench_op *rc_gemm_heater_op(const rc_gemm_heater *h);
void rc_gemm_heater_close(rc_gemm_heater *h); /* NULL is fine */
/* Seconds of continuous large matrix products, before the sustained pass. */
rc_status rc_gemm_heat(rc_calib *c, double seconds, rc_error *err);
/* The wall-clock time of a row, in UTC: 2025-01-31T12:00:00Z. */
void rc_row_date(char *out, size_t size);
/* RC_E_UNMODELLED, with the loader's words, where NCCL cannot be had. */
rc_status rc_nccl_ready(rc_error *err);
/* "2.28.9", or "" without NCCL. */
void rc_nccl_version(char *out, size_t size);

/* SMs that the point's condition "sms" leaves to the kernel, as kernels.h and cublaslt.h take them:
 * 0, all of them, without such a condition or where the GPU has no more. RC_E_UNMODELLED: it has
 * fewer. */
rc_status rc_point_sms(const rc_calib *c, const rc_point *p, int *sms, rc_error *err);

/* Fill a row's provenance and numbers. */
void rc_calib_row(const rc_calib *c, const rc_point *p, const rc_measured *m, rc_record *row);

#endif
