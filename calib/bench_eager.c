/* Time of calls that the host launches one by one, far enough ahead that it is not what limits them.
 *
 * A sample is a stretch of calls between two events. Before the first event stands a kernel that
 * sleeps until the host has queued the whole stretch: whether it did is asked of the first event
 * when the last call has been launched, and a stretch that had begun by then does not count; the
 * next sleep is twice as long. What is timed is thus what the GPU itself takes from one kernel to
 * the next, as in rc_bench_run, without the graph.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/bench.h"
#include "calib/bench_kernels.h"
#include "calib/stats.h"

#include <assert.h>
#include <string.h>

enum { SAMPLES_MOST = 40 };
#define FIRST_SLEEP_S 1e-3
#define LONGEST_SLEEP_S 0.15 /* a host that takes longer has filled the queue of launches */

/* One stretch: seconds of a call in it, and whether the host was ahead all the time. */
static rc_status stretch(rc_bench *b, const rc_bench_op *op, int calls, double sleep_s,
                         double *call_s, bool *ahead, rc_error *err) {
    cudaStream_t s = b->gpu->stream;
    float ms = 0;
    RC_TRY(rc_kernel_check(err, rc_bench_evict_l2(b->gpu->evict_buffer, b->gpu->evict_bytes, s),
                           "rc_bench_evict_l2"));
    RC_TRY(rc_kernel_check(err, rc_bench_idle((int64_t)(1e9 * sleep_s), s), "rc_bench_idle"));
    RC_CUDA(cudaEventRecord(b->start[0], s));
    for (int i = 0; i < calls; i++)
        RC_TRY(op->launch(op->self, op->slots > 1 ? i % op->slots : 0, s, err));
    RC_CUDA(cudaEventRecord(b->stop[0], s));
    cudaError_t begun = cudaEventQuery(b->start[0]);
    *ahead = begun == cudaErrorNotReady;
    if (*ahead)
        (void)cudaGetLastError(); /* "not ready" is an answer: the next check must not find it */
    else
        RC_CUDA(begun);
    RC_CUDA(cudaEventSynchronize(b->stop[0]));
    RC_CUDA(cudaEventElapsedTime(&ms, b->start[0], b->stop[0]));
    *call_s = 1e-3 * (double)ms / calls;
    return RC_OK;
}

/* How long the GPU must sleep for the host to be ahead; the stretches on the way warm up. */
static rc_status find_sleep(rc_bench *b, const rc_bench_op *op, int calls, double *sleep_s,
                            rc_error *err) {
    double t = 0;
    bool ahead = false;
    for (*sleep_s = FIRST_SLEEP_S; *sleep_s < LONGEST_SLEEP_S; *sleep_s *= 2.0) {
        RC_TRY(stretch(b, op, calls, *sleep_s, &t, &ahead, err));
        if (ahead)
            return RC_OK;
    }
    return rc_fail(err, RC_E_UNMODELLED,
                   "the host cannot queue %d calls before the GPU begins with the first", calls);
}

rc_status rc_bench_eager(rc_bench *b, const rc_bench_op *op, int calls, rc_result *r,
                         rc_error *err) {
    assert(op->launch != NULL && calls >= 1);
    double x[SAMPLES_MOST], sleep_s = 0, spent = 0;
    int n = 0;
    memset(r, 0, sizeof *r);
    RC_TRY(find_sleep(b, op, calls, &sleep_s, err));
    while (n < SAMPLES_MOST) {
        bool ahead = false;
        RC_TRY(stretch(b, op, calls, sleep_s, &x[n], &ahead, err));
        if (!ahead) {
            sleep_s *= 2.0;
            if (sleep_s > LONGEST_SLEEP_S)
                return rc_fail(err, RC_E_UNMODELLED, "the host falls behind the GPU");
            continue;
        }
        spent += x[n++] * calls;
        rc_stats_sort(x, (size_t)n);
        if (n >= RC_BENCH_MIN_SAMPLES && (rc_stats_median_spread(x, (size_t)n) < RC_BENCH_SPREAD ||
                                          spent > RC_BENCH_BURST_CAP_S))
            break;
    }
    b->warmth_s += spent;
    rc_result_set(r, x, (size_t)n);
    r->health = rc_nvml_read(b->gpu->nvml);
    rc_health_drop_stale(&r->health, 0);
    return RC_OK;
}
