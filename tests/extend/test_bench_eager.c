/* Timings of calls that are launched one by one (calib/bench_eager.c), over a host that takes a time
 * for each launch and a GPU that runs what is queued, both played.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "calib/bench.h"
#include "calib/bench_kernels.h"
#include "calib/stats.h"

enum { EVENTS = 2 };

static double host, gpu;       /* seconds: now, and when all that is queued is done */
static double reached[EVENTS]; /* by event */
static double launch_s, call_s, stall_s;
static int launches, stalls; /* so many stretches begin with a stalled host */

static void queue(double seconds) {
    gpu = fmax(gpu, host) + seconds;
}

static size_t index_of(cudaEvent_t event) {
    return (size_t)(uintptr_t)event - 1;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    (void)stream;
    reached[index_of(event)] = fmax(gpu, host);
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
    return reached[index_of(event)] > host ? cudaErrorNotReady : cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    host = fmax(host, reached[index_of(event)]);
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to) {
    *ms = (float)(1e3 * (reached[index_of(to)] - reached[index_of(from)]));
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void) {
    return cudaSuccess;
}

int rc_bench_evict_l2(const void *buf, size_t bytes, void *stream) {
    (void)buf, (void)bytes, (void)stream;
    queue(30e-6);
    return 0;
}

int rc_bench_idle(int64_t nanoseconds, void *stream) {
    (void)stream;
    queue(1e-9 * (double)nanoseconds);
    if (stalls > 0) {
        stalls--;
        host += stall_s;
    }
    return 0;
}

rc_status rc_kernel_check(rc_error *err, int code, const char *what) {
    return code == 0 ? RC_OK : rc_fail(err, RC_E_INTERNAL, "%s", what);
}

rc_status rc_cuda_fail(rc_error *err, cudaError_t e, const char *call, const char *file, int line) {
    return rc_fail(err, RC_E_INTERNAL, "%s:%d: %s: %d", file, line, call, (int)e);
}

rc_health rc_nvml_read(rc_nvml *n) {
    (void)n;
    return (rc_health){.sm_mhz = 1980.0, .power_w = 100.0, .temp_c = 40.0};
}

void rc_health_drop_stale(rc_health *h, double loaded_s) {
    assert_true(loaded_s < RC_BENCH_NVML_LAG_S);
    h->sm_mhz = h->power_w = NAN;
}

void rc_result_set(rc_result *r, double *samples, size_t n) {
    rc_stats_sort(samples, n);
    r->p50_s = rc_stats_quantile(samples, n, 0.5);
    r->p10_s = samples[0];
    r->p90_s = samples[n - 1];
    r->samples = (int64_t)n;
}

static rc_status one_call(void *self, int slot, cudaStream_t stream, rc_error *err) {
    (void)self, (void)stream, (void)err;
    assert_int_equal(slot, 0);
    host += launch_s;
    queue(call_s);
    launches++;
    return RC_OK;
}

static rc_status measure(int calls, rc_result *r) {
    static rc_gpu device;
    rc_bench b = {.gpu = &device};
    rc_error err;
    const rc_bench_op op = {one_call, NULL, 1 << 20, 1};
    b.start[0] = (cudaEvent_t)(uintptr_t)1;
    b.stop[0] = (cudaEvent_t)(uintptr_t)2;
    host = gpu = 0.0;
    launches = 0;
    return rc_bench_eager(&b, &op, calls, r, &err);
}

/* A host that is three times as slow as the GPU is ahead of it all the same. */
static void test_slow_host(void **state) {
    (void)state;
    rc_result r;
    launch_s = 6e-6;
    call_s = 2e-6;
    assert_int_equal(measure(64, &r), RC_OK);
    assert_true(fabs(r.p50_s - call_s) < 1e-3 * call_s);
    assert_int_equal(r.samples, RC_BENCH_MIN_SAMPLES);
    assert_int_equal(launches, 64 * (1 + RC_BENCH_MIN_SAMPLES)); /* the first finds the sleep */
    assert_int_equal(measure(256, &r), RC_OK);                   /* 1.5 ms: the sleep doubles */
    assert_true(fabs(r.p90_s - call_s) < 1e-3 * call_s);
    assert_int_equal(launches, 256 * (2 + RC_BENCH_MIN_SAMPLES));
    assert_true(isnan(r.health.power_w) && r.health.temp_c == 40.0);
}

/* What was timed while the host was behind does not count. */
static void test_stalled_host(void **state) {
    (void)state;
    rc_result r;
    launch_s = 1e-6;
    call_s = 2e-6;
    stall_s = 3e-3;
    stalls = 3; /* sleeps of 1 and 2 ms are too short, that of 4 ms is not */
    assert_int_equal(measure(64, &r), RC_OK);
    assert_true(fabs(r.p90_s - call_s) < 1e-3 * call_s);
    assert_int_equal(launches, 64 * (3 + RC_BENCH_MIN_SAMPLES));
}

/* A host that cannot queue them ahead measures nothing. */
static void test_host_too_slow(void **state) {
    (void)state;
    rc_result r;
    stalls = 0;
    launch_s = 1e-3;
    call_s = 2e-6;
    assert_int_equal(measure(256, &r), RC_E_UNMODELLED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_host),
        cmocka_unit_test(test_stalled_host),
        cmocka_unit_test(test_host_too_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
