/* The text that nccl-tests print.
 *
 * Lines that start with '#' tell of the run (a `Rank` line a GPU, with its host and name; the
 * collective, in newer versions) and hold the column names; columns differ between collectives and
 * versions, so the first `time` after `size` is looked for by name. It is the out-of-place time, in
 * microseconds. Sizes are bytes as the store counts them: the whole gathered or scattered buffer,
 * one rank's whole send buffer, the one message. A row with wrong results (#wrong above zero) is
 * left out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/import.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 24, LINE = 1024, HOSTS = 256, HOST = 64 };

typedef struct report {
    int ranks, hosts;
    char host[HOSTS][HOST];
    char gpu[64], op[24], nccl[24];
    int size, type, time, wrong; /* columns; -1: not known yet */
    int iters;
} report;

static const struct {
    const char *test, *op;
} tests[] = {{"all_reduce_perf", "all_reduce"},
             {"all_gather_perf", "all_gather"},
             {"reduce_scatter_perf", "reduce_scatter"},
             {"alltoall_perf", "all_to_all"},
             {"sendrecv_perf", "send_recv"}};

/* Splits in place. */
static int split(char *line, char **field) {
    int n = 0;
    char *rest = NULL;
    for (char *s = strtok_r(line, " \t\r", &rest); s && n < FIELDS;
         s = strtok_r(NULL, " \t\r", &rest))
        field[n++] = s;
    return n;
}

static void find_test(report *r, const char *line) {
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        if (strstr(line, tests[i].test))
            snprintf(r->op, sizeof r->op, "%s", tests[i].op);
}

/* #  Rank  0 Group  0 Pid 123 on host-a device  0 [0000:0f:00] NVIDIA H100 80GB HBM3 */
static void rank_line(report *r, const char *line) {
    const char *on = strstr(line, " on "), *name = strchr(line, ']');
    char host[HOST] = "";
    int known = 0;
    r->ranks++;
    if (on)
        (void)sscanf(on + 4, "%63s", host);
    while (known < r->hosts && strcmp(r->host[known], host) != 0)
        known++;
    if (known == r->hosts && r->hosts < HOSTS)
        memcpy(r->host[r->hosts++], host, HOST);
    if (name && !r->gpu[0]) {
        while (*++name == ' ')
            ;
        snprintf(r->gpu, sizeof r->gpu, "%.63s", name);
        for (size_t n = strlen(r->gpu); n > 0 && isspace((unsigned char)r->gpu[n - 1]); n--)
            r->gpu[n - 1] = '\0';
    }
}

static void header_line(report *r, char *line) {
    char *f[FIELDS];
    int n = split(line, f);
    r->size = r->type = r->time = r->wrong = -1;
    for (int i = 0; i < n; i++) {
        if (strcmp(f[i], "size") == 0)
            r->size = i;
        if (strcmp(f[i], "type") == 0)
            r->type = i;
        if (strcmp(f[i], "time") == 0 && r->time < 0)
            r->time = i;
        if ((strcmp(f[i], "#wrong") == 0 || strcmp(f[i], "error") == 0) && r->wrong < 0)
            r->wrong = i;
    }
}

static void comment(report *r, char *line) {
    char *at = strstr(line, "nccl-library");
    while (*line == '#' || *line == ' ' || *line == '\t')
        line++;
    if (strncmp(line, "Rank ", 5) == 0) {
        rank_line(r, line);
        return;
    }
    find_test(r, line);
    if (strstr(line, "iters:"))
        r->iters = (int)strtol(strstr(line, "iters:") + 6, NULL, 10);
    if (at) {
        long v = strtol(at + strcspn(at, "=:") + (at[strcspn(at, "=:")] != '\0'), NULL, 10);
        if (v > 10000 && v < 1000000)
            snprintf(r->nccl, sizeof r->nccl, "%ld.%ld.%ld", v / 10000, v / 100 % 100, v % 100);
    }
    if (strncmp(line, "size", 4) == 0 && strstr(line, "busbw"))
        header_line(r, line);
}

static bool number(const char *s, double *out) {
    char *end = NULL;
    *out = strtod(s, &end);
    return end != s && *end == '\0' && *out >= 0 && *out < 1e15;
}

/* A line of data: 0 when it is none. */
static rc_status data_line(rc_importer *m, const report *r, char *line, int number_of_line,
                           rc_error *err) {
    char *f[FIELDS];
    double bytes = 0, us = 0, wrong = 0;
    int n = split(line, f);
    if (n == 0 || !isdigit((unsigned char)f[0][0]))
        return RC_OK;
    if (r->time < 0 || r->size < 0)
        return rc_fail_at(err, RC_E_INPUT, m->name, number_of_line, 0,
                          "numbers before the line of column names");
    if (n <= r->time || !number(f[r->size], &bytes) || !number(f[r->time], &us))
        return rc_fail_at(err, RC_E_INPUT, m->name, number_of_line, 0,
                          "expected a size and a time in columns %d and %d", r->size + 1,
                          r->time + 1);
    if (r->wrong >= 0 && n > r->wrong && number(f[r->wrong], &wrong) && wrong > 0) {
        rc_import_skip(m, "a row whose results were wrong");
        return RC_OK;
    }
    if (bytes < 1) {
        rc_import_skip(m, "a message of no bytes");
        return RC_OK;
    }
    int nodes = r->hosts > 0 ? r->hosts : 1;
    rc_row x = rc_import_row(m);
    x.gpu = m->how->gpu ? m->how->gpu : r->gpu[0] ? r->gpu : "unknown";
    x.op = m->how->op ? m->how->op : r->op;
    x.variant = m->how->transport ? m->how->transport : nodes > 1 ? "rdma" : "nvlink";
    x.dtype = r->type >= 0 && r->type < n ? f[r->type] : "bytes";
    x.a = (int64_t)bytes, x.b = r->ranks, x.c = nodes;
    x.p10 = x.p50 = x.p90 = 1e-6 * us;
    x.samples = r->iters > 0 ? r->iters : 0;
    x.nccl = r->nccl[0] ? r->nccl : "unknown";
    return rc_import_add(m, &x, err);
}

static rc_status one_line(rc_importer *m, report *r, char *line, int number_of_line,
                          rc_error *err) {
    if (line[strspn(line, " \t")] == '#') {
        comment(r, line);
        return RC_OK;
    }
    if (isdigit((unsigned char)line[strspn(line, " \t")]) && r->ranks == 0)
        return rc_fail_at(err, RC_E_INPUT, m->name, number_of_line, 0,
                          "no line says which ranks took part (\"#  Rank  0 ...\")");
    if (isdigit((unsigned char)line[strspn(line, " \t")]) && !r->op[0] && !m->how->op)
        return rc_fail_at(err, RC_E_INPUT, m->name, number_of_line, 0,
                          "no line names the collective: say it with --op (all_reduce, "
                          "all_gather, reduce_scatter, all_to_all, send_recv)");
    return data_line(m, r, line, number_of_line, err);
}

/* A log often names the collective after its rows only ("Collective test concluded: ..."). */
static void look_ahead(report *r, const char *text, size_t size) {
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        size_t n = strlen(tests[i].test);
        for (size_t k = 0; k + n <= size && !r->op[0]; k++)
            if (memcmp(text + k, tests[i].test, n) == 0)
                snprintf(r->op, sizeof r->op, "%s", tests[i].op);
    }
}

rc_status rc_import_nccl_tests(rc_importer *m, const char *text, size_t size, rc_error *err) {
    report *r = calloc(1, sizeof *r);
    if (!r)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    r->size = r->type = r->time = r->wrong = -1;
    look_ahead(r, text, size);
    rc_status st = RC_OK;
    int count = 0;
    for (size_t at = 0; at < size && st == RC_OK;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t n = end ? (size_t)(end - (text + at)) : size - at;
        char line[LINE];
        count++;
        if (n >= sizeof line || memchr(text + at, '\0', n)) {
            st = rc_fail_at(err, RC_E_INPUT, m->name, count, 0,
                            "a line of %zu characters, or one that is not text", n);
            break;
        }
        memcpy(line, text + at, n);
        line[n] = '\0';
        st = one_line(m, r, line, count, err);
        at += n + 1;
    }
    free(r);
    if (st == RC_OK && m->count->rows + m->count->skipped == 0)
        st = rc_fail_at(err, RC_E_INPUT, m->name, 0, 0, "holds no row of nccl-tests");
    return st;
}
