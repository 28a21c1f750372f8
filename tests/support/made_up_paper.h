/* The paper's rows over a calibration made up by formulas, for tests: no measurement of it is true, and
 * none changes. A test of it is linked with the report room, and runs in a group whose set-up is
 * make_folder and whose clean-up is remove_folder.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_MADE_UP_PAPER_H
#define RC_TESTS_SUPPORT_MADE_UP_PAPER_H
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sim/base/file.h"
#include "sim/cost/store.h"
#include "sim/report/paper_internal.h"

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        rc_status st_ = (call);                                                                    \
        if (st_ != RC_OK)                                                                          \
            fail_msg("%s", err.msg);                                                               \
    } while (0)

static char folder[64], store[96];

/* ---- a calibration by formula ---------------------------------------------------------------- */

static const char *base_machine = "h200-sxm", *base_collectives = "h200-sxm";

static void put(FILE *f, const char *machine, const char *op, const char *variant,
                const char *dtype, long long a, long long b, long long c, long long d, double s) {
    fprintf(
        f,
        "%s,made up,sustained,%s,%s,%s,%lld,%lld,%lld,%lld,%.9e,%.9e,%.9e,10,,,,2025-01-01,1,1,1,"
        "none,none,measured\n",
        machine, op, variant, dtype, a, b, c, d, 0.98 * s, s, 1.03 * s);
}

static void put_gemm(FILE *f) {
    static const long long nk[][2] = {{2304, 16384}, {16384, 2048}, {13312, 16384}, {16384, 6656}};
    for (size_t i = 0; i < sizeof nk / sizeof nk[0]; i++) {
        for (long long m = 1; m <= 131072; m *= 4) {
            double flops = 2.0 * (double)m * (double)nk[i][0] * (double)nk[i][1];
            double weights = (double)nk[i][0] * (double)nk[i][1];
            put(f, base_machine, "gemm", "", "bf16", m, nk[i][0], nk[i][1], 0,
                fmax(flops / 680e12, 2.0 * weights / 4e12) + 3e-6);
            put(f, base_machine, "gemm", "", "fp8", m, nk[i][0], nk[i][1], 0,
                fmax(flops / 1150e12, weights / 4e12) + 3e-6);
        }
    }
}

static void put_attention(FILE *f) {
    for (long long q = 128; q <= 131072; q *= 4) {
        double dq = (double)q;
        put(f, base_machine, "attention", "causal", "bf16", q, q, 16, 1,
            4096.0 * dq * dq / 580e12 + 5e-6);
        for (long long k = 1024; k <= 131072; k *= 4)
            put(f, base_machine, "attention", "full", "bf16", q, k, 16, 1,
                8192.0 * dq * (double)k / 600e12 + 5e-6);
    }
    for (long long batch = 1; batch <= 4; batch *= 4)
        for (long long k = 1024; k <= 262144; k *= 4)
            put(f, base_machine, "decode", "", "bf16", batch, k, 16, 1,
                (double)(batch * k) * 512.0 / 3.6e12 + 9e-6);
}

static void put_rest(FILE *f) {
    static const char *const ops[] = {"rmsnorm", "rmsnorm_fp8", "quantize_fp8", "residual_add"};
    for (long long t = 1; t <= 131072; t *= 8) {
        double dt = (double)t;
        for (size_t i = 0; i < 4; i++)
            put(f, base_machine, ops[i], "", "bf16", t, 16384, 0, 0,
                dt * 16384 * 4 / 3.9e12 + 2.5e-6);
        put(f, base_machine, "swiglu", "", "bf16", t, 6656, 0, 0, dt * 6656 * 6 / 3.9e12 + 2.5e-6);
        put(f, base_machine, "swiglu_fp8", "", "bf16", t, 6656, 0, 0,
            dt * 6656 * 5 / 3.9e12 + 2.5e-6);
        put(f, base_machine, "rotary_kv", "", "bf16", t, 0, 16, 1, dt * 9216 / 3.9e12 + 2.5e-6);
    }
    for (long long parts = 2; parts <= 16; parts *= 2)
        for (long long r = 16; r <= 2097152; r *= 8)
            put(f, base_machine, "merge", "", "bf16", r, parts, 0, 0,
                (double)r * 260.0 * (double)parts / 4e12 + 2.5e-6);
    for (long long b = 1024; b <= 4294967296; b *= 8) {
        put(f, base_machine, "copy", "", "", b, 0, 0, 0, (double)b / 4.2e12 + 3e-6);
        put(f, base_collectives, "all_reduce", "nvls", "bf16", b, 8, 1, 0,
            (double)b / 250e9 + 1e-5);
        put(f, base_collectives, "all_reduce", "nvlink", "bf16", b, 8, 1, 0,
            (double)b / 240e9 + 1e-5);
    }
}

static void write_store(void) {
    char csv[96];
    rc_rows *rows = NULL;
    rc_error err = {0};
    snprintf(csv, sizeof csv, "%s/made-up.csv", folder);
    snprintf(store, sizeof store, "%s/made-up.db", folder);
    FILE *f = fopen(csv, "w");
    assert_non_null(f);
    fputs("machine,gpu,state,op,variant,dtype,a,b,c,d,p10_s,p50_s,p90_s,samples,sm_mhz,power_w,"
          "temp_c,date,"
          "driver,cuda,nccl,kernel,commit,source\n",
          f);
    put_gemm(f);
    put_attention(f);
    put_rest(f);
    assert_int_equal(fclose(f), 0);
    assert_ok(rc_store_read_csv(csv, &rows, &err));
    assert_ok(rc_store_write(store, &rows, 1, &err));
    rc_rows_free(rows);
}

static inline int make_folder(void **state) {
    const char *source = getenv("RC_SOURCE_DIR");
    static rc_machine m;
    char path[1024];
    rc_error err = {0};
    (void)state;
    if (source)
        setenv("RINGCAST_SHARE", source, 1);
    strcpy(folder, "/tmp/test-paper-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/scenarios/machines/gtt.yaml", source ? source : ".");
    if (rc_machine_load(path, &m, &err) != RC_OK) {
        print_error("%s\n", err.msg);
        return -1;
    }
    base_machine = m.base;
    base_collectives = m.collectives;
    write_store();
    return 0;
}

static inline int remove_folder(void **state) {
    static const char *const files[] = {"made-up.csv",
                                        "made-up.db",
                                        "out/table4.csv",
                                        "out/table5.csv",
                                        "out/table6.csv",
                                        "out/table7.csv",
                                        "out/table8.csv",
                                        "out/points.csv",
                                        "out/summary.json",
                                        "text",
                                        "out",
                                        ""};
    char path[128];
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        if (unlink(path) != 0)
            (void)rmdir(path);
    }
    return 0;
}

static inline rc_paper *open_paper(int draws, int threads) {
    rc_paper_options o = {
        .store = store, .draws = draws, .seed = 7, .threads = threads, .version = "test"};
    rc_paper *p = NULL;
    rc_error err = {0};
    assert_ok(rc_paper_open(&o, &p, &err));
    return p;
}

static inline rc_paper_row *find(rc_paper *p, const char *id) {
    int i = rc_paper_find(p, id);
    if (i < 0)
        fail_msg("no row '%s'", id);
    return &p->rows[i];
}

/* Makes `name` a parameter that was fitted on `rows`. */
static inline void fit_on(rc_paper *p, const char *name, double value, const char *rows) {
    rc_machine *m = &p->machine[RC_PAPER_GTT];
    rc_fitted *f = &m->fitted[m->fitted_count++];
    memset(f, 0, sizeof *f);
    snprintf(f->name, sizeof f->name, "%s", name);
    snprintf(f->rows, sizeof f->rows, "%s", rows);
    snprintf(f->unit, sizeof f->unit, "1");
    snprintf(f->meaning, sizeof f->meaning, "a \"test\"");
    f->value = value;
    f->lo = 0.9 * value;
    f->hi = 1.1 * value;
}

/* As if no row had been marked as fitted or duplicate. */
static inline void clear_marks(rc_paper *p) {
    p->machine[RC_PAPER_GTT].fitted_count = p->machine[RC_PAPER_GTI].fitted_count = 0;
    for (size_t i = 0; i < p->count; i++) {
        p->rows[i].fitted = false;
        p->rows[i].duplicate_of = -1;
    }
}

/* Of a file in the folder; freed by the caller. */
static inline char *text_of(const char *name) {
    char path[160], *text = NULL;
    size_t size;
    rc_error err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(rc_file_read(path, &text, &size, &err));
    return text;
}

#endif
