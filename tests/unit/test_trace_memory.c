/* Traces of every format, read and reshaped with each allocation failing once, and then with all failing from there on: they say
 * that there is no memory, or are as if nothing had been, and nothing is left held.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "sim/trace/workload.h"
#include "tests/support/starve.h"

#ifdef STARVE_OFF
static void test_starved(void **state) {
    (void)state;
    skip(); /* a sanitizer's allocator is not to be replaced */
}
#else
enum { MOST = 1 << 16, MOST_TRIED = 60 };
static char text[MOST];
static size_t size;

typedef struct job {
    const char *name;
    rc_status status;
    rc_error err;
    uint64_t sum; /* of all that the trace says */
} job;

static uint64_t sum_of(const rc_trace *t) {
    uint64_t h =
        t->count + t->blocks * UINT64_C(31) + t->sessions * UINT64_C(1009) + rc_trace_refused(t);
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *q = &t->at[i];
        h = 31 * h + (uint64_t)q->arrival + 7 * (uint64_t)q->think + q->after +
            3 * (uint64_t)q->session;
        h = 31 * h + q->input + 5 * (uint64_t)q->output + (uint64_t)q->prefix + q->named;
        for (uint32_t s = 0; s < q->spans; s++)
            h = 31 * h + t->spans[q->span + s].first + 3 * (uint64_t)t->spans[q->span + s].count;
    }
    return h;
}

/* What is refused for another reason is so with or without memory. Of a trace of millions of blocks nothing is made, for the
 * time that their tables take. */
static void reshape(job *j, rc_trace *t) {
    const rc_kept_history half = {.share = 0.5};
    rc_trace_stats stats;
    if (t->blocks >= 1u << 16)
        return;
    if (j->status == RC_OK && t->block > 0)
        j->status = rc_trace_together(t, 2, &j->err);
    if (j->status == RC_OK && t->sessions > 0)
        j->status = rc_trace_keep_history(t, &half, &j->err);
    if (j->status == RC_OK && t->count < 100)
        j->status = rc_trace_resize(t, t->count > 1 ? t->count - 1 : 3, &j->err);
    if (j->status == RC_OK)
        j->status = rc_trace_statistics(t, NULL, &stats, &j->err);
}

static void read_it(void *x) {
    job *j = x;
    const rc_trace_options o = {.on_bad_row = RC_BAD_ROW_SKIP, .redrawn = true};
    rc_trace *t = NULL;
    memset(&j->err, 0, sizeof j->err);
    j->status = rc_trace_parse(j->name, text, size, &o, &t, &j->err);
    j->sum = 0;
    if (j->status == RC_OK) {
        reshape(j, t);
        j->sum = j->status == RC_OK ? sum_of(t) : 0;
    }
    rc_trace_free(t);
}

static bool starve_file(const char *name) {
    job j = {.name = name};
    read_it(&j); /* what is made once and kept is made now */
    starve_at(-1, read_it, &j);
    const rc_status right = j.status;
    const uint64_t sum = j.sum;
    const long calls = starve.calls, step = calls > MOST_TRIED ? calls / MOST_TRIED : 1;
    if (starve.live != 0)
        fail_msg("%s: %ld blocks held", name, (long)starve.live);
    for (long n = 0; n < calls; n += step)
        for (int for_good = 0; for_good < 2; for_good++) {
            (for_good ? starve_from : starve_at)(n, read_it, &j);
            if (j.status != RC_E_NOMEM && !(j.status == right && j.sum == sum))
                fail_msg("%s, call %ld of %ld%s: status %d, %s", name, n, calls,
                         for_good ? " and all behind it" : "", (int)j.status, j.err.msg);
            if (starve.live != 0)
                fail_msg("%s, call %ld of %ld: %ld blocks held", name, n, calls, (long)starve.live);
        }
    return right == RC_OK;
}

static void test_starved(void **state) {
    const char *root = getenv("RC_SOURCE_DIR");
    char folder[512], path[1024];
    int read = 0;
    (void)state;
    (void)snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/trace", root ? root : ".");
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (!f)
            continue;
        size = fread(text, 1, sizeof text, f);
        (void)fclose(f);
        if (size < sizeof text && !strstr(e->d_name, ".xz") && !strstr(e->d_name, ".gz"))
            read += starve_file(e->d_name);
    }
    (void)closedir(d);
    assert_true(read >= 20);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_starved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
