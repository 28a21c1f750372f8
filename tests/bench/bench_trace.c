/* How fast is a trace read, and how fast does the prefix cache follow it?
 *
 *   read      the Mooncake conversation trace, plain in memory and as .xz; and the same lines by
 *             jansson, with every number taken out of the tree (what the line reader replaces)
 *   made      that trace repeated to a million requests with fresh blocks
 *   cache     each request admitted, filled and released in turn; a block is looked up three times
 *
 *   bench_trace [SOURCE-FOLDER, default .]
 *
 * Rows are medians of five, in processor time of one core.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "sim/base/file.h"
#include "sim/kv/kv.h"
#include "sim/trace/workload.h"

enum { REPEATS = 5 };

static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v) {
    qsort(v, REPEATS, sizeof *v, by_value);
    return v[REPEATS / 2];
}

typedef struct text {
    char *p;
    size_t n;
} text;

static text unpacked(const text *xz) {
    text t = {malloc((size_t)64 << 20), 0};
    uint64_t limit = UINT64_MAX;
    size_t in = 0;
    if (!t.p || lzma_stream_buffer_decode(&limit, 0, NULL, (const uint8_t *)xz->p, &in, xz->n,
                                          (uint8_t *)t.p, &t.n, (size_t)64 << 20) != LZMA_OK)
        t.n = 0;
    return t;
}

static double time_reader(const text *t) {
    double v[REPEATS];
    for (int i = 0; i < REPEATS; i++) {
        rc_trace *trace = NULL;
        double start = now();
        if (rc_trace_parse("bench", t->p, t->n, NULL, &trace, NULL) != RC_OK)
            return 0.0;
        v[i] = now() - start;
        rc_trace_free(trace);
    }
    return median(v);
}

static json_int_t numbers_of(const json_t *row) {
    const json_t *ids = json_object_get(row, "hash_ids");
    json_int_t sum = json_integer_value(json_object_get(row, "timestamp")) +
                     json_integer_value(json_object_get(row, "input_length")) +
                     json_integer_value(json_object_get(row, "output_length"));
    for (size_t i = 0; i < json_array_size(ids); i++)
        sum += json_integer_value(json_array_get(ids, i));
    return sum;
}

static double time_jansson(const text *t, json_int_t *sum) {
    double v[REPEATS];
    for (int i = 0; i < REPEATS; i++) {
        double start = now();
        for (const char *p = t->p, *end = t->p + t->n; p < end;) {
            const char *line = memchr(p, '\n', (size_t)(end - p));
            size_t n = line ? (size_t)(line - p) : (size_t)(end - p);
            json_t *row = json_loadb(p, n, 0, NULL);
            *sum += numbers_of(row);
            json_decref(row);
            p += n + 1;
        }
        v[i] = now() - start;
    }
    return median(v);
}

static double time_cache(const rc_trace *t, uint32_t capacity, uint64_t *hits) {
    double v[REPEATS];
    for (int i = 0; i < REPEATS; i++) {
        const rc_kv_config c = {
            .block = t->block, .capacity = capacity, .requests = 1, .policy = RC_KV_LRU};
        rc_kv *kv = NULL;
        double start = now();
        *hits = 0;
        if (rc_kv_create(&c, &kv, NULL) != RC_OK)
            return 0.0;
        for (size_t k = 0; k < t->count; k++) {
            rc_kv_lease lease;
            rc_kv_match m;
            if (!rc_kv_admit(kv, t, &t->at[k], t->at[k].input, &lease, &m))
                continue;
            *hits += m.tokens;
            rc_kv_filled(kv, lease, t->at[k].input);
            rc_kv_release(kv, lease, true);
        }
        v[i] = now() - start;
        rc_kv_destroy(kv);
    }
    return median(v);
}

static void bench_cache(const rc_trace *t, const char *name) {
    static const uint32_t capacities[] = {2000, 20000, 1000000};
    uint64_t blocks = 0, hits = 0, input = 0;
    for (size_t i = 0; i < t->count; i++) {
        blocks += t->at[i].named;
        input += t->at[i].input;
    }
    for (int i = 0; i < 3; i++) {
        double s = time_cache(t, capacities[i], &hits);
        printf("  cache %-9s %8u blocks   %8.1f ms   %6.1f ns/block   %5.2f M requests/s   %5.1f "
               "%% of tokens hit\n",
               name, capacities[i], 1e3 * s, 1e9 * s / (double)blocks, (double)t->count / s / 1e6,
               100.0 * (double)hits / (double)input);
    }
}

int main(int argc, char **argv) {
    char path[1024];
    text xz = {NULL, 0}, plain;
    json_int_t sum = 0;
    rc_trace *t = NULL;
    (void)snprintf(path, sizeof path, "%s/scenarios/traces/mooncake_conversation.jsonl.xz",
                   argc > 1 ? argv[1] : ".");
    if (rc_file_read(path, &xz.p, &xz.n, NULL) != RC_OK ||
        rc_trace_read(path, NULL, &t, NULL) != RC_OK) {
        (void)fprintf(stderr, "cannot read %s\n", path);
        return 2;
    }
    plain = unpacked(&xz);
    double ours = time_reader(&plain), packed = time_reader(&xz);
    double theirs = time_jansson(&plain, &sum);
    printf("# %zu requests, %.2f MB of JSON lines (check sum %lld)\n", t->count,
           (double)plain.n / 1e6, (long long)sum);
    printf("  read plain      %7.1f ms   %6.0f MB/s\n", 1e3 * ours, (double)plain.n / ours / 1e6);
    printf("  read .xz        %7.1f ms\n", 1e3 * packed);
    printf("  jansson, plain  %7.1f ms   %.1f times ours\n", 1e3 * theirs, theirs / ours);
    bench_cache(t, "12 K");
    double start = now();
    if (rc_trace_resize(t, 1000000, NULL) != RC_OK)
        return 1;
    printf("  made a million  %7.1f ms\n", 1e3 * (now() - start));
    bench_cache(t, "a million");
    rc_trace_free(t);
    free(xz.p);
    free(plain.p);
    return 0;
}
