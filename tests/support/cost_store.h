/* A synthetic calibration store: formulas in place of measurements, so that look-ups have a known
 * truth. Machine "h200-sxm". Every formula is latency + the larger of arithmetic and traffic, at
 * rates near what the part achieves. `noise` > 0 multiplies each time by 1 +- noise, the same on
 * every run.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_COST_STORE_H
#define RC_TESTS_SUPPORT_COST_STORE_H
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/cost/cost.h"
#include "sim/cost/store.h"

#if defined(__GNUC__)
#define SYN_UNUSED __attribute__((unused))
#else
#define SYN_UNUSED
#endif

/* Heads of 128 elements, as all rows here have. */
#define SYN_HEADS(query, kv) ((rc_heads){(query), (kv), 128, 128})

typedef struct syn_store {
    rc_rows *rows;
    double noise;
    uint64_t seed;
    bool failed;
} syn_store;

static double syn_wobble(syn_store *s) {
    s->seed = s->seed * 6364136223846793005u + 1442695040888963407u;
    return 1.0 + s->noise * (2.0 * (double)(s->seed >> 11) * 0x1p-53 - 1.0);
}

static void syn_add(syn_store *s, const char *machine, const char *state, const char *op,
                    const char *variant, const char *dtype, int64_t a, int64_t b, int64_t c,
                    int64_t d, double t, const char *source) {
    double v = t * syn_wobble(s);
    rc_row r = {.machine = machine,
                .gpu = "H200 SXM5 141GB",
                .state = state,
                .op = op,
                .variant = variant,
                .dtype = dtype,
                .a = a,
                .b = b,
                .c = c,
                .d = d,
                .p10 = 0.98 * v,
                .p50 = v,
                .p90 = 1.02 * v,
                .samples = 20,
                .sm_mhz = 1700.0,
                .power_w = NAN,
                .temp_c = NAN,
                .date = "2025-01-01",
                .driver = "580",
                .cuda = "13.0",
                .nccl = "",
                .kernel = "synthetic",
                .commit = "0",
                .source = source};
    s->failed = s->failed || rc_rows_add(s->rows, &r, NULL) != RC_OK;
}

static double syn_full(double tq, double tk, double hq) {
    return 5e-6 + 4.0 * 128.0 * fmax(tq * hq, 2048.0) * tk / 600e12;
}

static double syn_square(double t, double hq) {
    return 5e-6 + 4.0 * 128.0 * hq * 0.5 * t * fmax(t, 256.0) / 560e12;
}

static double syn_gemm(double m, double n, double k, bool fp8) {
    double e = fp8 ? 1.0 : 2.0, flops = 2.0 * m * n * k / (fp8 ? 1250e12 : 680e12);
    return 3e-6 + fmax(flops, (e * (m * k + n * k) + 2.0 * m * n) / 4.2e12);
}

static double syn_decode(double batch, double context, double hkv) {
    return 6e-6 + batch * context * 512.0 * hkv / 4.2e12;
}

static double syn_stream(double bytes) {
    return 2.5e-6 + bytes / 4.2e12;
}

static void syn_attention(syn_store *s, const char *m, int64_t hq) {
    static const int64_t tq[] = {1, 16, 64, 256, 800, 3200, 12800, 32768};
    static const int64_t tk[] = {1024, 4096, 16384, 32000, 64000, 128000, 512000};
    for (size_t i = 0; i < 8; i++) {
        for (size_t j = 0; j < 7; j++) {
            double t = syn_full((double)tq[i], (double)tk[j], (double)hq);
            if (tk[j] > 128000 && tq[i] > 3200)
                continue;
            syn_add(s, m, "burst", "attention", "full", "bf16", tq[i], tk[j], hq, 1, t, "measured");
            if (tq[i] >= 800 && tk[j] == 32000) /* hot for a few */
                syn_add(s, m, "sustained", "attention", "full", "bf16", tq[i], tk[j], hq, 1,
                        1.1 * t, "measured");
        }
    }
    for (int64_t t = 512; t <= 131072; t *= 2)
        syn_add(s, m, "burst", "attention", "causal", "bf16", t, t, hq, 1,
                syn_square((double)t, (double)hq), "measured");
}

static void syn_matrices(syn_store *s, const char *m) {
    static const int64_t shape[4][2] = {
        {2304, 16384}, {16384, 2048}, {13312, 16384}, {16384, 6656}};
    for (size_t i = 0; i < 4; i++) {
        for (int64_t t = 1; t <= 131072; t *= 2) {
            double dm = (double)t, n = (double)shape[i][0], k = (double)shape[i][1];
            syn_add(s, m, "burst", "gemm", "", "bf16", t, shape[i][0], shape[i][1], 0,
                    syn_gemm(dm, n, k, false), "measured");
            if (i >= 2)
                syn_add(s, m, "burst", "gemm", "", "fp8", t, shape[i][0], shape[i][1], 0,
                        syn_gemm(dm, n, k, true), "measured");
        }
    }
}

static void syn_memory(syn_store *s, const char *m) {
    static const struct {
        const char *op;
        double bytes;
        int64_t width;
    } e[] = {{"rmsnorm", 4, 16384},      {"rmsnorm_fp8", 3, 16384}, {"quantize_fp8", 3, 16384},
             {"residual_add", 6, 16384}, {"swiglu", 6, 6656},       {"swiglu_fp8", 5, 6656}};
    for (size_t i = 0; i < sizeof e / sizeof e[0]; i++) {
        for (int64_t t = 1; t <= 131072; t *= 4)
            syn_add(s, m, "burst", e[i].op, "", "bf16", t, e[i].width, 0, 0,
                    syn_stream((double)t * (double)e[i].width * e[i].bytes), "measured");
    }
    for (int64_t t = 1; t <= 131072; t *= 4)
        syn_add(s, m, "burst", "rotary_kv", "", "bf16", t, 0, 16, 1,
                syn_stream((double)t * 18.0 * 128.0 * 4.0), "measured");
    for (int64_t b = 131072; b <= INT64_C(1) << 33; b *= 4)
        syn_add(s, m, "burst", "copy", "", "", b, 0, 0, 0, syn_stream((double)b), "measured");
    for (int64_t p = 2; p <= 16; p *= 2) {
        for (int64_t r = 16; r <= 524288; r *= 4)
            syn_add(s, m, "burst", "merge", "", "bf16", r, p, 0, 0,
                    syn_stream((double)r * (256.0 * (double)(p + 1) + 4.0 * (double)p)),
                    "measured");
    }
    for (int64_t b = 1; b <= 64; b *= 4) {
        for (int64_t x = 1024; x <= 1048576; x *= 4)
            syn_add(s, m, "burst", "decode", "", "bf16", b, x, 16, 1,
                    syn_decode((double)b, (double)x, 1.0), "measured");
    }
}

/* Ops under a condition, ten times as slow as by themselves: no look-up may be led by them. */
static void syn_conditions(syn_store *s, const char *m) {
    syn_add(s, m, "burst", "attention", "full@sms124", "bf16", 3200, 32000, 16, 1,
            10.0 * syn_full(3200, 32000, 16), "measured");
    syn_add(s, m, "burst", "attention", "causal@seqs4", "bf16", 8192, 8192, 16, 1,
            10.0 * syn_square(8192, 16), "measured");
    syn_add(s, m, "burst", "gemm", "@sms124", "bf16", 3000, 2304, 16384, 0,
            10.0 * syn_gemm(3000, 2304, 16384, false), "measured");
    syn_add(s, m, "burst", "decode", "@rest1024", "bf16", 4, 100000, 16, 1,
            10.0 * syn_decode(4, 100000, 1.0), "measured");
    syn_add(s, m, "burst", "merge", "step@sms124", "bf16", 3200, 2, 0, 0,
            10.0 * syn_stream(3200 * 776.0), "measured");
    syn_add(s, m, "sustained", "copy", "@duty50", "", INT64_C(1) << 31, 0, 0, 0,
            10.0 * syn_stream(0x1p31), "measured");
}

/* Write the store to `path` (removed first); false when something failed. */
SYN_UNUSED static bool syn_write(const char *path, double noise) {
    syn_store s = {.noise = noise, .seed = 7};
    if (rc_rows_create(&s.rows, NULL) != RC_OK)
        return false;
    syn_attention(&s, "h200-sxm", 16);
    syn_attention(&s, "h200-sxm", 8);
    syn_matrices(&s, "h200-sxm");
    syn_memory(&s, "h200-sxm");
    syn_conditions(&s, "h200-sxm");
    (void)unlink(path);
    rc_rows *sets[1] = {s.rows};
    bool ok = !s.failed && rc_store_write(path, sets, 1, NULL) == RC_OK;
    rc_rows_free(s.rows);
    return ok;
}

/* A machine that is the base itself, as in scenarios/machines/h200-sxm.yaml, in the burst state. */
SYN_UNUSED static rc_machine syn_machine(void) {
    rc_machine m = {.name = "h200-sxm",
                    .gpu = "H200 SXM5 141GB",
                    .memory = 141e9,
                    .hbm_rate = 4.8e12,
                    .bf16_rate = 989e12,
                    .fp8_rate = 1979e12,
                    .sms = 132,
                    .power = 700.0,
                    .gpus_per_node = 8,
                    .nvlink_rate = 450e9,
                    .nvls = true,
                    .intra_transport = "nvlink",
                    .inter_transport = "rdma",
                    .nic_rate = 50e9,
                    .nic_line_rate = 46e9,
                    .peer_rate = 36e9,
                    .hop_latency = 17e-6,
                    .launch = 5e-6,
                    .base = "h200-sxm",
                    .collectives = "h200-sxm",
                    .state = "burst",
                    .gemm_ratio = 1.0,
                    .attention_ratio = 1.0,
                    .hbm_ratio = 1.0,
                    .base_bf16_rate = 989e12,
                    .base_fp8_rate = 1979e12,
                    .base_hbm_rate = 4.8e12};
    return m;
}

SYN_UNUSED static rc_status syn_elementwise(const rc_costs *c, const char *op, int64_t tokens,
                                            int64_t width, rc_cost *out, rc_error *err) {
    rc_axes at = {{[RC_AXIS_TOKENS] = tokens, [RC_AXIS_WIDTH] = width}};
    return rc_cost_named(c, op, RC_BF16, &at, out, err);
}

SYN_UNUSED static rc_status syn_rotary(const rc_costs *c, const char *op, int64_t tokens,
                                       rc_heads heads, rc_cost *out, rc_error *err) {
    rc_axes at = {{[RC_AXIS_TOKENS] = tokens,
                   [RC_AXIS_QUERY_HEADS] = heads.query,
                   [RC_AXIS_KV_HEADS] = heads.kv,
                   [RC_AXIS_HEAD_K] = heads.key_size,
                   [RC_AXIS_HEAD_V] = heads.value_size}};
    return rc_cost_named(c, op, RC_BF16, &at, out, err);
}

/* A copy on the device of so many bytes: rows count those that are read and those that are
 * written. */
SYN_UNUSED static rc_status syn_copy(const rc_costs *c, int64_t bytes, rc_cost *out,
                                     rc_error *err) {
    rc_axes at = {{[RC_AXIS_BYTES] = 2 * bytes}};
    return rc_cost_op(c, RC_COST_COPY, RC_BF16, &at, out, err);
}

SYN_UNUSED static const char *syn_path(char *buf, size_t size, const char *name) {
    const char *dir = getenv("RC_BINARY_DIR");
    (void)snprintf(buf, size, "%s/%s.%ld.db", dir != NULL ? dir : "/tmp", name, (long)getpid());
    return buf;
}

#endif
