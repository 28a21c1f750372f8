/* Logs of nccl-tests, written as the program and its launchers write them, for tests of the import.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TEST_NCCL_LOG_H
#define RC_TEST_NCCL_LOG_H
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "sim/cost/import.h"

typedef struct nccl_log {
    char text[1 << 18];
    size_t n;
} nccl_log;

typedef struct nccl_job {
    const char *test; /* all_reduce_perf */
    int ranks, nodes; /* ranks fill the nodes one after the other */
    int pid, first;   /* number of the first host */
    int rows;
    double us; /* of the first row; each row doubles bytes and time */
} nccl_job;

__attribute__((format(printf, 2, 3), unused)) static void log_line(nccl_log *l, const char *fmt,
                                                                   ...) {
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(l->text + l->n, sizeof l->text - l->n, fmt, args);
    va_end(args);
    if (n > 0 && l->n + (size_t)n + 1 < sizeof l->text) {
        l->n += (size_t)n;
        l->text[l->n++] = '\n';
    }
}

__attribute__((unused)) static void log_ranks(nccl_log *l, const nccl_job *j) {
    log_line(l, "# nThread 1 nGpus 1 minBytes 8 maxBytes 67108864 step: 2(factor) warmup iters: 5 "
                "iters: 20 agg iters: 1 validation: 1 graph: 0");
    log_line(l, "#");
    log_line(l, "# Using devices");
    for (int r = 0; r < j->ranks; r++)
        log_line(
            l,
            "#  Rank %2d Group  0 Pid %6d on %10s%d device %2d [0000:%02x:00] NVIDIA H100 80GB "
            "HBM3",
            r, j->pid, "host-", j->first + r / (j->ranks / j->nodes), r % (j->ranks / j->nodes),
            r % 8);
    log_line(l, "#");
}

__attribute__((unused)) static void log_header(nccl_log *l) {
    log_line(l, "#                                                              out-of-place      "
                "                 in-place          ");
    log_line(l, "#       size         count      type   redop    root     time   algbw   busbw "
                "#wrong     time   algbw   busbw #wrong");
    log_line(l, "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)     "
                "       (us)  (GB/s)  (GB/s)       ");
}

__attribute__((unused)) static void log_row(nccl_log *l, const nccl_job *j, int row) {
    double bytes = 1048576.0 * (1 << row), us = j->us * (1 << row), rate = 1e-3 * bytes / us;
    double n = j->ranks, share = (n - 1) / n;
    double factor = strcmp(j->test, "all_reduce_perf") == 0 ? 2 * share
                    : strcmp(j->test, "sendrecv_perf") == 0 ? 1
                                                            : share;
    log_line(l, "%12.0f  %12.0f  %8s  %6s  %6d  %7.2f  %6.2f  %6.2f  %5d  %7.2f  %6.2f  %6.2f  %5d",
             bytes, bytes / 4, "float", strstr(j->test, "reduce") ? "sum" : "none", -1, us, rate,
             factor * rate, 0, us + 1, rate, factor * rate, 0);
}

__attribute__((unused)) static void log_tail(nccl_log *l) {
    log_line(l, "# Out of bounds values : 0 OK");
    log_line(l, "# Avg bus bandwidth    : 226.3 ");
    log_line(l, "#");
}

__attribute__((unused)) static void log_job(nccl_log *l, const nccl_job *j) {
    log_ranks(l, j);
    log_header(l);
    for (int i = 0; i < j->rows; i++)
        log_row(l, j, i);
    log_tail(l);
}

/* Each line of `from` behind `label`. */
__attribute__((unused)) static void log_labelled(nccl_log *l, const char *label,
                                                 const nccl_log *from) {
    for (size_t at = 0; at < from->n;) {
        const char *end = memchr(from->text + at, '\n', from->n - at);
        size_t n = (size_t)(end - (from->text + at));
        log_line(l, "%s%.*s", label, (int)n, from->text + at);
        at += n + 1;
    }
}

/* Lines of `a` and `b` in turn, each behind its label. */
__attribute__((unused)) static void log_mixed(nccl_log *l, const char *la, const nccl_log *a,
                                              const char *lb, const nccl_log *b) {
    const nccl_log *from[2] = {a, b};
    const char *label[2] = {la, lb};
    size_t at[2] = {0, 0};
    for (int k = 0; at[0] < a->n || at[1] < b->n; k = 1 - k) {
        if (at[k] >= from[k]->n)
            continue;
        const char *start = from[k]->text + at[k];
        const char *end = memchr(start, '\n', from[k]->n - at[k]);
        log_line(l, "%s%.*s", label[k], (int)(end - start), start);
        at[k] += (size_t)(end - start) + 1;
    }
}

__attribute__((unused)) static rc_status log_import(const char *text, size_t size,
                                                    const rc_import *how, rc_rows **rows,
                                                    rc_import_count *count, rc_error *err) {
    static const rc_import plain = {.machine = "lab"};
    rc_import_format f = RC_IMPORT_FORMATS;
    *rows = NULL;
    RC_TRY(rc_import_detect("log", text, size, &f, err));
    RC_TRY(rc_rows_create(rows, err));
    return rc_import_parse(f, "log", text, size, how ? how : &plain, *rows, count, err);
}

#endif
