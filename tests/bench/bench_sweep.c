/* Three rates of a sweep: points evaluated by one worker, rows that it writes to its shard, rows of
 * shards that are merged. Workers do the first two side by side; the last is done once, by one.
 *
 *   bench_sweep [rows, default 200000]
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "sim/sweep/database.h"

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
    int64_t step = s->points / 100000, n = 0;
    double start = now_s(), end = start;
    for (int64_t p = 0; p < s->points && end - start < 4.0; p += step, n++) {
        if (rc_sweep_eval(w, p, &row, &err) != RC_OK)
            die(&err);
        if (n % 32 == 0)
            end = now_s();
    }
    rc_sweep_worker_free(w);
    return (double)n / (now_s() - start);
}

static rc_sweep_row some_row(int64_t point) {
    double i = (double)(point % 256) + 1.0;
    return (rc_sweep_row){.point = point,
                          .ticks = 1000000007 * (point % 256 + 1),
                          .time = 0.123456789 * i,
                          .flop_rate = 1e15 / i,
                          .mfu = 1.0 / i,
                          .total = 6e10 + i};
}

/* Every second run of 256 of the first 2 x `rows` points. */
static void write_shard(const rc_sweep *s, const rc_sweep_options *opt, int number, int64_t rows) {
    rc_error err = {0};
    sweep_shard *d = NULL;
    sweep_cursor at;
    if (sweep_shard_create(s, opt, number, &d, &err) != RC_OK ||
        sweep_cursor_init(&at, s, &err) != RC_OK)
        die(&err);
    for (int64_t i = 0; i < rows; i++) {
        int64_t point = 512 * (i / 256) + 256 * number + i % 256;
        const rc_sweep_row row = some_row(point);
        (void)sweep_cursor_at(&at, point, &err);
        if (sweep_shard_put(d, &at, &row, &err) != RC_OK)
            die(&err);
    }
    sweep_cursor_free(&at);
    if (sweep_shard_close(d, NULL, &err) != RC_OK)
        die(&err);
}

/* Two shards of `rows` each, then one database: rows a second of both. */
static void write_rates(const rc_sweep *s, int64_t rows, double *written, double *merged) {
    char folder[] = "/tmp/ringcast-bench-XXXXXX", path[64];
    rc_error err = {0};
    if (!mkdtemp(folder))
        exit(1);
    (void)snprintf(path, sizeof path, "%s/x.db", folder);
    const rc_sweep_options opt = {.out = path};
    const int shards[] = {0, 1};
    double start = now_s();
    for (int i = 0; i < 2; i++)
        write_shard(s, &opt, i, rows);
    *written = 2.0 * (double)rows / (now_s() - start);
    rc_sweep part = *s;
    rc_sweep_report report = {0};
    part.points = 2 * rows;
    start = now_s();
    if (sweep_merge(&part, &opt, shards, 2, &report, &err) != RC_OK)
        die(&err);
    *merged = 2.0 * (double)rows / (now_s() - start);
    (void)unlink(path);
    (void)rmdir(folder);
}

int main(int argc, char **argv) {
    rc_doc *doc = NULL;
    rc_sweep *s = NULL;
    rc_error err = {0};
    int64_t rows = argc > 1 ? atoll(argv[1]) : 200000;
    if (rc_doc_parse("bench.yaml", text, strlen(text), &doc, &err) != RC_OK ||
        rc_sweep_read(doc, NULL, 0, NULL, &s, &err) != RC_OK)
        die(&err);
    double points = eval_rate(s), written = 0.0, merged = 0.0;
    write_rates(s, (rows / 512) * 256, &written, &merged);
    printf("# sweep: Llama 3.1 405B, CP 1 to 16, pass-KV and pass-Q, T and P to 1M\n");
    printf("points evaluated  %8.0f /s   one core\n", points);
    printf("rows written      %8.0f /s   one core, %lld rows, commits and syncs included\n",
           written, (long long)(rows / 512) * 512);
    printf("rows merged       %8.0f /s   one core, from two shards, sync included\n", merged);
    printf("per point: writing takes %.1f %% and merging %.1f %% of the time of computing it\n",
           100.0 * points / written, 100.0 * points / merged);
    rc_sweep_free(s);
    rc_doc_close(doc);
    return 0;
}
