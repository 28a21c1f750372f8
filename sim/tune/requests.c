/* Requests of a trace in place of a grid: what dynamic CP would save on them.
 *
 * A file has the columns T and P, a row a request (scenarios/tune/requests/), or is a trace, of
 * which P is what a cache that forgets nothing would hold. Every request is run alone, at once:
 * times are those of the prefill, without queueing, and a policy that leaves nodes free for others
 * shows it in GPU-seconds alone.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/csv.h"
#include "sim/tune/tune_internal.h"

#define MAX_TOKENS 100000000 /* of one request: more is a column of something else */

/* Room for `rows` requests, or for `limit` of them. */
static rc_status make_cells(size_t rows, int64_t limit, rc_tune *view, rc_error *err) {
    size_t wanted = limit > 0 && (size_t)limit < rows ? (size_t)limit : rows;
    view->cells = calloc(wanted + 1, sizeof *view->cells);
    view->time =
        calloc((wanted + 1) * (size_t)view->s.degrees * RC_TUNE_VARIANTS, sizeof *view->time);
    if (!view->cells || !view->time)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu requests", wanted);
    view->count = wanted;
    return RC_OK;
}

static rc_status read_cells(const rc_csv *csv, int64_t limit, rc_tune *view, rc_error *err) {
    size_t t, p, rows = rc_csv_rows(csv);
    RC_TRY(rc_csv_column(csv, "T", &t, err));
    RC_TRY(rc_csv_column(csv, "P", &p, err));
    RC_TRY(make_cells(rows, limit, view, err));
    for (size_t i = 0; i < view->count; i++) {
        rc_tune_cell *c = &view->cells[i];
        size_t row = i * rows / view->count;
        RC_TRY(rc_csv_int(csv, row, t, 1, MAX_TOKENS, &c->t, err));
        RC_TRY(rc_csv_int(csv, row, p, 0, MAX_TOKENS, &c->p, err));
    }
    return RC_OK;
}

static rc_status cells_of_trace(const rc_trace *trace, int64_t limit, rc_tune *view,
                                rc_error *err) {
    rc_trace_stats stats;
    uint32_t *prefix = malloc((trace->count + 1) * sizeof *prefix);
    if (!prefix)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu requests", trace->count);
    rc_status st = rc_trace_statistics(trace, prefix, &stats, err);
    if (st == RC_OK)
        st = make_cells(trace->count, limit, view, err);
    for (size_t i = 0; st == RC_OK && i < view->count; i++) {
        size_t row = i * trace->count / view->count;
        view->cells[i].p = prefix[row];
        view->cells[i].t = (int64_t)trace->at[row].input - prefix[row];
    }
    free(prefix);
    return st;
}

/* A table has the columns T and P in its first line; anything else is a trace. */
static bool is_table(const char *path) {
    char line[1024] = "", *rest = NULL;
    int found = 0;
    FILE *f = fopen(path, "r");
    do {
        if (!f || !fgets(line, sizeof line, f))
            line[0] = '\0';
    } while (line[0] == '#');
    if (f)
        (void)fclose(f);
    for (char *name = strtok_r(line, ",\r\n", &rest); name; name = strtok_r(NULL, ",\r\n", &rest))
        found |= strcmp(name, "T") == 0 ? 1 : strcmp(name, "P") == 0 ? 2 : 0;
    return found == 3;
}

static rc_status read_file(const rc_tune *t, const char *path, rc_tune *view, rc_error *err) {
    rc_csv *csv = NULL;
    rc_trace *trace = NULL;
    rc_trace_options options = t->s.request_options;
    rc_status st;
    options.redrawn = true; /* each request is run alone: when it came does not matter */
    if (is_table(path)) {
        st = rc_csv_open(path, &csv, err);
        if (st == RC_OK)
            st = read_cells(csv, t->s.request_limit, view, err);
    } else {
        st = rc_trace_read(path, &options, &trace, err);
        if (st == RC_OK)
            st = cells_of_trace(trace, t->s.request_limit, view, err);
    }
    rc_csv_close(csv);
    rc_trace_free(trace);
    return st;
}

/* Requests that the tuned rule does not cover are left out: every policy is shown on the same ones.
 */
static size_t drop_uncovered(rc_tune *view) {
    size_t kept = 0, all = view->count;
    for (size_t i = 0; i < all; i++) {
        const rc_tune_cell *c = &view->cells[i];
        if (rc_tune_covered(view, (double)c->t, (double)c->p, 1, view->s.degree[0], NULL) == RC_OK)
            view->cells[kept++] = *c;
    }
    view->count = kept;
    return all - kept;
}

static void name_of(const char *path, char *out, size_t size) {
    const char *base = strrchr(path, '/');
    (void)snprintf(out, size, "%s", base ? base + 1 : path);
    char *dot = strrchr(out, '.');
    if (dot)
        *dot = '\0';
}

static rc_status one_file(const rc_tune *t, const char *path, rc_tune_requests *out,
                          rc_error *err) {
    rc_tune *view = malloc(sizeof *view);
    if (!view)
        return rc_fail(err, RC_E_NOMEM, "out of memory for requests");
    *view = *t; /* rules and costs are borrowed; cells and times its own */
    view->cells = NULL;
    view->time = NULL;
    view->count = 0;
    view->variants = RC_TUNE_Q + 1;
    view->s.batch[0] = view->s.batches = 1;
    memset(out, 0, sizeof *out);
    name_of(path, out->name, sizeof out->name);
    rc_status st = read_file(t, path, view, err);
    if (st == RC_OK)
        out->outside = drop_uncovered(view);
    if (st == RC_OK)
        st = rc_tune_evaluate(view, err);
    if (st == RC_OK)
        st = rc_tune_serve(view, out, err);
    free(view->cells);
    free(view->time);
    free(view);
    return st;
}

rc_status rc_tune_requests_all(rc_tune *t, rc_error *err) {
    assert(t->s.request_files >= 0 && t->s.request_files <= RC_TUNE_TRACES);
    for (int i = 0; i < t->s.request_files; i++) {
        RC_TRY(one_file(t, t->s.request_file[i], &t->requests[i], err));
        t->request_files = i + 1;
    }
    return RC_OK;
}
