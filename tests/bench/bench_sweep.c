/* Two rates of a sweep: points evaluated by one worker, and rows written by the one writer. The
 * second over the first says how many workers one writer keeps up with.
 *
 *   bench_sweep [rows, default 200000]
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "sim/plan/sweep_internal.h"

static const char *const text =
    "scenario: bench\nmodel: llama-3.1-405b\nmachine: h200-sxm\nphase: prefill\n"
    "parallel: {tp: 8, cp: [1, 2, 4, 8, 16], variant: [pass-kv, pass-q]}\n"
    "tokens: {new: {from: 1K, to: 1M, points: 1000}, cached: {from: 0, to: 1M, points: 1000}}\n"
    "dtypes: {ffn_weights: fp8}\n";

static double now_s(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const rc_error *err) {
    fprintf(stderr, "bench_sweep: %s\n", err->msg);
    exit(1);
}

/* Points spread over the whole grid, in order. */
static double eval_rate(const rc_sweep *s) {
    rc_error err = {0};
    rc_sweep_worker *w = NULL;
    rc_sweep_row row;
    if (rc_sweep_worker_create(s, &w, &err) != RC_OK)
        die(&err);
    int64_t step = rc_sweep_points(s) / 100000, n = 0;
    double start = now_s(), end = start;
    for (int64_t p = 0; p < rc_sweep_points(s) && end - start < 4.0; p += step, n++) {
        if (rc_sweep_eval(w, p, &row, &err) != RC_OK)
            die(&err);
        if (n % 32 == 0)
            end = now_s();
    }
    rc_sweep_worker_free(w);
    return (double)n / (now_s() - start);
}

static double write_rate(const rc_sweep *s, int64_t rows) {
    char path[] = "/tmp/ringcast-bench-XXXXXX";
    int fd = mkstemp(path);
    rc_error err = {0};
    sweep_db *db = NULL;
    static rc_sweep_row run[256];
    if (fd < 0)
        exit(1);
    (void)close(fd);
    const rc_sweep_options opt = {.out = path};
    if (sweep_db_open(s, &opt, &db, &err) != RC_OK)
        die(&err);
    for (int i = 0; i < 256; i++)
        run[i] = (rc_sweep_row){.ticks = 1000000007 * (int64_t)(i + 1),
                                .time = 0.123456789 * (i + 1),
                                .flop_rate = 1e15 / (i + 3),
                                .mfu = 1.0 / (i + 3),
                                .total = 6e10 + i};
    double start = now_s();
    for (int64_t p = 0; p < rows; p += 256) {
        for (int i = 0; i < 256; i++)
            run[i].point = p + i;
        if (sweep_db_put(db, run, 256, &err) != RC_OK)
            die(&err);
    }
    rc_sweep_report report;
    if (sweep_db_close(db, &report, &err) != RC_OK)
        die(&err);
    double took = now_s() - start;
    (void)unlink(path);
    return (double)rows / took;
}

int main(int argc, char **argv) {
    rc_doc *doc = NULL;
    rc_sweep *s = NULL;
    rc_error err = {0};
    int64_t rows = argc > 1 ? atoll(argv[1]) : 200000;
    if (rc_doc_parse("bench.yaml", text, strlen(text), &doc, &err) != RC_OK ||
        rc_sweep_read(doc, NULL, 0, NULL, &s, &err) != RC_OK)
        die(&err);
    double points = eval_rate(s), written = write_rate(s, rows - rows % 256);
    printf("# sweep: Llama 3.1 405B, CP 1 to 16, pass-KV and pass-Q, T and P to 1M\n");
    printf("points evaluated  %8.0f /s   one core\n", points);
    printf("rows written      %8.0f /s   %lld rows, commits and fsync included\n", written,
           (long long)(rows - rows % 256));
    printf("one writer keeps up with %.0f workers of this speed\n", written / points);
    rc_sweep_free(s);
    rc_doc_close(doc);
    return 0;
}
