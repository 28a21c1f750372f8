/* Requests of a trace in place of a grid: what dynamic CP would save on them.
 *
 * A file has the columns T and P, a row a request (scenarios/tune/requests/). Every request is run
 * alone, at once: times are those of the prefill, without queueing, and a policy that leaves nodes
 * free for others shows it in GPU-seconds alone.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/csv.h"
#include "sim/tune/internal.h"

#define MAX_TOKENS 100000000

static rc_status read_cells(const rc_csv *csv, int64_t limit, rc_tune *view, rc_error *err) {
    size_t t, p, rows = rc_csv_rows(csv);
    RC_TRY(rc_csv_column(csv, "T", &t, err));
    RC_TRY(rc_csv_column(csv, "P", &p, err));
    size_t wanted = limit > 0 && (size_t)limit < rows ? (size_t)limit : rows;
    view->cells = calloc(wanted + 1, sizeof *view->cells);
    view->time =
        calloc((wanted + 1) * (size_t)view->s.degrees * RC_TUNE_VARIANTS, sizeof *view->time);
    if (!view->cells || !view->time)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu requests", wanted);
    for (size_t i = 0; i < wanted; i++) {
        rc_tune_cell *c = &view->cells[i];
        size_t row = i * rows / wanted;
        RC_TRY(rc_csv_int(csv, row, t, 1, MAX_TOKENS, &c->t, err));
        RC_TRY(rc_csv_int(csv, row, p, 0, MAX_TOKENS, &c->p, err));
    }
    view->count = wanted;
    return RC_OK;
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
    rc_csv *csv = NULL;
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
    rc_status st = rc_csv_open(path, &csv, err);
    if (st == RC_OK)
        st = read_cells(csv, t->s.request_limit, view, err);
    rc_csv_close(csv);
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
    for (int i = 0; i < t->s.request_files; i++) {
        RC_TRY(one_file(t, t->s.request_file[i], &t->requests[i], err));
        t->request_files = i + 1;
    }
    return RC_OK;
}
