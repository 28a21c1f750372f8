/* One GPU: identity, stream, buffers, errors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/gpu.h"
#include "calib/suite.h"
#include "kernels/capability.h"
#include "kernels/kernels.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

rc_status rc_cuda_fail(rc_error *err, cudaError_t e, const char *call, const char *file, int line) {
    const char *base = strrchr(file, '/');
    return rc_fail(err, e == cudaErrorMemoryAllocation ? RC_E_NOMEM : RC_E_INTERNAL,
                   "%s:%d: %.120s: %s (%s)", base ? base + 1 : file, line, call,
                   cudaGetErrorName(e), cudaGetErrorString(e));
}

rc_status rc_kernel_check(rc_error *err, int code, const char *what) {
    if (code == 0)
        return RC_OK;
    if (code == RC_KERNEL_EINVAL)
        return rc_fail(err, RC_E_UNMODELLED, "%s does not take this shape", what);
    if (code == RC_KERNEL_ECAPABILITY)
        return rc_fail(
            err, RC_E_UNMODELLED,
            "%s has no code for this GPU's compute capability (`ringcast-calib list` says "
            "what each suite needs)",
            what);
    return rc_fail(err, RC_E_INTERNAL, "%s: %s (%s)", what, cudaGetErrorName((cudaError_t)code),
                   cudaGetErrorString((cudaError_t)code));
}

int rc_gpu_count(void) {
    int n = 0;
    if (cudaGetDeviceCount(&n) != cudaSuccess) {
        (void)cudaGetLastError(); /* not an error that later calls should see */
        return 0;
    }
    return n;
}

bool rc_gpu_peers(void) {
    int peer = 0;
    return cudaDeviceCanAccessPeer(&peer, 0, 1) == cudaSuccess && peer;
}

rc_status rc_gpu_open(rc_gpu *g, int device, rc_error *err) {
    struct cudaDeviceProp prop;
    char bus[32] = "";
    int version = 0;
    size_t total = 0;
    memset(g, 0, sizeof *g);
    g->device = device;
    RC_CUDA(cudaSetDevice(device));
    RC_CUDA(cudaGetDeviceProperties(&prop, device));
    snprintf(g->name, sizeof g->name, "%.63s", prop.name);
    g->sms = prop.multiProcessorCount;
    g->capability = 10 * prop.major + prop.minor;
    if (g->capability < RC_CAPABILITY_LEAST)
        return rc_fail(err, RC_E_UNMODELLED,
                       "%s has compute capability %d.%d, and nothing here runs below %d.%d",
                       g->name, prop.major, prop.minor, RC_CAPABILITY_LEAST / 10,
                       RC_CAPABILITY_LEAST % 10);
    g->l2_bytes = (size_t)prop.l2CacheSize;
    RC_CUDA(cudaDeviceGetPCIBusId(bus, sizeof bus, device));
    g->nvml = rc_nvml_open(bus);
    rc_nvml_driver(g->nvml, g->driver, sizeof g->driver);
    if (!g->driver[0]) {
        RC_CUDA(cudaDriverGetVersion(&version));
        snprintf(g->driver, sizeof g->driver, "cuda-%d.%d", version / 1000, version % 1000 / 10);
    }
    RC_CUDA(cudaRuntimeGetVersion(&version));
    snprintf(g->cuda, sizeof g->cuda, "%d.%d", version / 1000, version % 1000 / 10);
    RC_CUDA(cudaStreamCreateWithFlags(&g->stream, cudaStreamNonBlocking));
    g->evict_bytes = 2 * g->l2_bytes;
    RC_CUDA(cudaMalloc(&g->evict_buffer, g->evict_bytes));
    RC_CUDA(cudaMemset(g->evict_buffer, 0, g->evict_bytes));
    RC_CUDA(cudaMemGetInfo(&g->free_bytes, &total));
    return RC_OK;
}

void rc_gpu_close(rc_gpu *g) {
    if (g->evict_buffer)
        (void)cudaFree(g->evict_buffer);
    if (g->stream)
        (void)cudaStreamDestroy(g->stream);
    rc_nvml_close(g->nvml);
    memset(g, 0, sizeof *g);
}

rc_status rc_buffer_reserve(rc_buffer *p, size_t bytes, rc_error *err) {
    if (bytes <= p->bytes)
        return RC_OK;
    rc_buffer_free(p);
    void *at = NULL;
    bytes = (bytes + 65535) / 65536 * 65536;
    RC_CUDA(cudaMalloc(&at, bytes));
    p->p = at;
    p->bytes = bytes;
    return RC_OK;
}

void rc_buffer_free(rc_buffer *p) {
    if (p->p)
        (void)cudaFree(p->p);
    p->p = NULL;
    p->bytes = 0;
}

rc_status rc_buffer_fill_bf16(const rc_gpu *g, const rc_buffer *p, uint64_t seed, rc_error *err) {
    if (!p->bytes)
        return RC_OK;
    int64_t n = (int64_t)(p->bytes / 16 * 8);
    RC_TRY(rc_kernel_check(err, rc_fill_normal(p->p, n, seed, 1.0f, g->stream), "rc_fill_normal"));
    RC_CUDA(cudaStreamSynchronize(g->stream));
    return RC_OK;
}

/* Through a bf16 buffer, chunk by chunk, each with its own numbers. A pool is a whole number of
 * rows. */
rc_status rc_buffer_fill_e4m3(const rc_gpu *g, const rc_buffer *p, uint64_t seed, rc_error *err) {
    const int width = 8192;
    const size_t rows = 8192, chunk = rows * (size_t)width;
    rc_buffer tmp = {0}, scale = {0};
    rc_status st = rc_buffer_reserve(&tmp, 2 * chunk, err);
    if (st == RC_OK)
        st = rc_buffer_reserve(&scale, rows * sizeof(float), err);
    for (size_t at = 0; at < p->bytes && st == RC_OK; at += chunk) {
        size_t left = p->bytes - at, n = (left < chunk ? left : chunk) / (size_t)width;
        st = rc_kernel_check(
            err, rc_fill_normal(tmp.p, (int64_t)(n * (size_t)width), seed + at, 1.0f, g->stream),
            "rc_fill_normal");
        if (st == RC_OK)
            st = rc_kernel_check(err,
                                 rc_quantize_fp8(tmp.p, p->p + at, (float *)(void *)scale.p,
                                                 (int64_t)n, width, g->stream),
                                 "rc_quantize_fp8");
    }
    cudaError_t e = cudaStreamSynchronize(g->stream);
    rc_buffer_free(&tmp);
    rc_buffer_free(&scale);
    if (st == RC_OK && e != cudaSuccess)
        return rc_cuda_fail(err, e, "cudaStreamSynchronize", __FILE__, __LINE__);
    return st;
}

double rc_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void rc_nap(double seconds) {
    if (!(seconds > 0))
        return;
    struct timespec t = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
    (void)nanosleep(&t, NULL);
}

void rc_row_date(char *out, size_t size) {
    time_t t = time(NULL);
    struct tm utc;
    out[0] = '\0';
    if (gmtime_r(&t, &utc))
        strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &utc);
}
