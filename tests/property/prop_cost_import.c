/* Logs of nccl-tests put together at random: whatever runs stand in a log, in whatever order,
 * behind whatever label, between whatever lines, their rows are those of each run alone; a log cut
 * between runs gives the same rows in two parts.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "tests/support/nccl_log.h"
#include "tests/support/prop.h"

enum { MOST = 6 };
static const char *const tests_of[] = {"all_reduce_perf", "all_gather_perf", "reduce_scatter_perf",
                                       "alltoall_perf", "sendrecv_perf"};
static const char *const ops_of[] = {"all_reduce", "all_gather", "reduce_scatter", "all_to_all",
                                     "send_recv"};

typedef struct drawn {
    nccl_job job;
    int test;
} drawn;

/* Jobs of different tests or ranks, so that no row of one is a row of another. */
static drawn some_job(prop_case *c, int i) {
    int nodes = (int)prop_range(c, 1, 4), each = (int)prop_range(c, 1, 8);
    drawn d = {.test = (int)prop_range(c, 0, 4)};
    each += nodes == 1 && each == 1;
    d.job = (nccl_job){tests_of[d.test],
                       nodes * each,
                       nodes,
                       (int)prop_range(c, 1, 99999),
                       10 * i,
                       (int)prop_range(c, 1, 8),
                       (double)prop_range(c, 2000, 900000) / 100};
    return d;
}

static void write_job(prop_case *c, nccl_log *l, const nccl_job *j) {
    int style = (int)prop_range(c, 0, 2);
    if (style == 0)
        log_line(l, "+ mpirun -np %d ./build/%s -b 1M", j->ranks, j->test);
    if (style == 1)
        log_line(l, "# Collective test starting: %s", j->test);
    log_job(l, j);
    if (style == 2)
        log_line(l, "# Collective test concluded: %s", j->test);
}

/* Each line once, lines of noise between them. */
static void disturbed(prop_case *c, nccl_log *to, const nccl_log *from, const char *label) {
    static const char *const noise[] = {"a1b2:880:880 [0] NCCL INFO Channel 00/0",
                                        "77 lines follow",
                                        "Thu Jan 30 10:00:00 UTC 2025",
                                        "",
                                        "# a remark",
                                        "100 200"};
    to->n = 0;
    for (size_t at = 0; at < from->n;) {
        const char *end = memchr(from->text + at, '\n', from->n - at);
        if (prop_range(c, 0, 4) == 0)
            log_line(to, "%s%s", label, noise[prop_range(c, 0, 5)]);
        log_line(to, "%s%.*s", label, (int)(end - (from->text + at)), from->text + at);
        at = (size_t)(end - from->text) + 1;
    }
}

static bool has_row(const rc_rows *rows, const drawn *d, int i) {
    double bytes = 1048576.0 * (1 << i), us = d->job.us * (1 << i);
    for (size_t k = 0; k < rc_rows_count(rows); k++) {
        const rc_row *r = rc_rows_at(rows, k);
        if (strcmp(r->op, ops_of[d->test]) == 0 && r->b == d->job.ranks && r->c == d->job.nodes &&
            (double)r->a == bytes && fabs(r->p50 - 1e-6 * us) <= 0.00501e-6)
            return true;
    }
    return false;
}

static bool runs_are_told_apart(prop_case *c) {
    static const char *const labels[] = {
        "", "[1,0]<stdout>:", "0: ", "[node-3] ", "node-3: ", "[12] ", "2025-01-31 12:00:00 "};
    static nccl_log plain, l;
    drawn d[MOST];
    int n = (int)(c->size % MOST) + 1, kept = 0;
    size_t rows_wanted = 0;
    plain.n = 0;
    for (int i = 0; i < n; i++) {
        bool twin = false;
        drawn one = some_job(c, i);
        for (int k = 0; k < kept; k++)
            twin = twin || (d[k].test == one.test && d[k].job.ranks == one.job.ranks &&
                            d[k].job.nodes == one.job.nodes);
        if (twin)
            continue;
        d[kept++] = one;
        write_job(c, &plain, &one.job);
        rows_wanted += (size_t)one.job.rows;
    }
    disturbed(c, &l, &plain, labels[prop_range(c, 0, 6)]);
    rc_rows *rows = NULL;
    rc_import_count count;
    rc_error e = {0};
    rc_status st = log_import(l.text, l.n, NULL, &rows, &count, &e);
    PROP_CHECK(c, st == RC_OK, "line %d: %s\n%.200s", e.line, e.msg, l.text);
    PROP_CHECK(c, rc_rows_count(rows) == rows_wanted, "%zu rows of %zu", rc_rows_count(rows),
               rows_wanted);
    for (int k = 0; k < kept; k++)
        for (int i = 0; i < d[k].job.rows; i++)
            PROP_CHECK(c, has_row(rows, &d[k], i), "row %d of %s, %d ranks, %d nodes", i,
                       d[k].job.test, d[k].job.ranks, d[k].job.nodes);
    rc_rows_free(rows);
    return true;
}

static bool parts_are_the_whole(prop_case *c) {
    static nccl_log a, b, both;
    drawn x = some_job(c, 0), y = some_job(c, 1);
    rc_rows *rows[3] = {0};
    rc_import_count count[3];
    rc_error e = {0};
    a.n = b.n = both.n = 0;
    write_job(c, &a, &x.job);
    write_job(c, &b, &y.job);
    memcpy(both.text, a.text, a.n);
    memcpy(both.text + a.n, b.text, b.n);
    both.n = a.n + b.n;
    const nccl_log *logs[] = {&a, &b, &both};
    for (int i = 0; i < 3; i++)
        PROP_CHECK(c, log_import(logs[i]->text, logs[i]->n, NULL, &rows[i], &count[i], &e) == RC_OK,
                   "%d: %s", i, e.msg);
    size_t sum = count[0].rows + count[1].rows;
    PROP_CHECK(c, count[2].rows + count[2].doubled == sum, "%zu and %zu of %zu", count[2].rows,
               count[2].doubled, sum);
    for (int i = 0; i < x.job.rows; i++)
        PROP_CHECK(c, has_row(rows[2], &x, i), "row %d of the first", i);
    for (int i = 0; i < 3; i++)
        rc_rows_free(rows[i]);
    return true;
}

static void test_runs(void **state) {
    (void)state;
    assert_true(prop_run("runs_are_told_apart", runs_are_told_apart, MOST));
}

static void test_parts(void **state) {
    (void)state;
    assert_true(prop_run("parts_are_the_whole", parts_are_the_whole, 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_runs), cmocka_unit_test(test_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
