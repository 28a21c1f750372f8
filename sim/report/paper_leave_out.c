/* `ringcast paper --leave-out`: would the forecasts hold, had a table of the paper not been seen? For
 * each table left out in turn the parameters are fitted again without any of its rows, and its rows
 * are predicted with what the others give.
 *
 * What was chosen by looking at the table, NCCL's algorithm or a kernel that splits its tiles, is left
 * to its neutral value. A measurement that two tables print belongs to the first: its copies are left out with it, and it
 * is predicted and counted there alone.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/table.h"
#include "sim/report/paper_internal.h"

typedef struct without {
    const char *table;
    rc_refit fit;
} without;

typedef struct leave_out {
    rc_paper *p;
    size_t tables;
    without of[RC_PAPER_TABLES];
    double *predicted; /* of each row by the fit without its table; NaN where there is none */
    bool *left_out, *wanted;
} leave_out;

static bool in_table(const rc_paper *p, size_t row, const char *table) {
    return strcmp(p->rows[row].table, table) == 0;
}

/* Whether the row is one to predict when its table is left out. */
static bool is_judged(const rc_paper *p, size_t row) {
    const rc_paper_row *r = &p->rows[row];
    return r->role == RC_ROLE_COMPARED && r->duplicate_of < 0 && isfinite(r->error_pct);
}

/* ---- one table ------------------------------------------------------------------------------- */

static void mark_left_out(leave_out *x, const char *table) {
    const rc_paper *p = x->p;
    memset(x->wanted, 0, p->job_count * sizeof *x->wanted);
    for (size_t i = 0; i < p->count; i++) {
        int first = p->rows[i].duplicate_of;
        x->left_out[i] = in_table(p, first >= 0 ? (size_t)first : i, table);
        for (int k = 0; k < RC_PLAN_JOBS && x->left_out[i]; k++)
            if (p->plans[i].job[k] != RC_JOB_NONE)
                x->wanted[p->plans[i].job[k]] = true;
    }
}

static rc_status predict(leave_out *x, const char *table, const rc_costs *const *costs,
                         rc_error *err) {
    rc_paper *p = x->p;
    RC_TRY(rc_paper_run_jobs(p, costs, x->wanted, false, err));
    for (size_t i = 0; i < p->count; i++)
        if (in_table(p, i, table) && is_judged(p, i))
            RC_TRY(rc_paper_value(p, costs, i, &x->predicted[i], err));
    return RC_OK;
}

static rc_status predict_with(leave_out *x, const without *w, rc_error *err) {
    const rc_paper *p = x->p;
    rc_machine roomy = w->fit.machine;
    rc_costs *view = NULL, *roomy_view = NULL;
    roomy.memory = p->machine[RC_PAPER_ROOMY].memory;
    RC_TRY(rc_costs_view(p->costs[RC_PAPER_GTT], &w->fit.machine, &view, err));
    rc_status st = rc_costs_view(p->costs[RC_PAPER_GTT], &roomy, &roomy_view, err);
    if (st == RC_OK) {
        const rc_costs *costs[RC_PAPER_MACHINES] = {view, p->costs[RC_PAPER_GTI], roomy_view};
        st = predict(x, w->table, costs, err);
        rc_costs_close(roomy_view);
    }
    rc_costs_close(view);
    return st;
}

/* A choice that was made by looking at this table. */
static bool chosen_by(const rc_paper_neutral *n, const void *table) {
    return n->table && strcmp(n->table, table) == 0;
}

static rc_status leave(leave_out *x, const char *table, rc_error *err) {
    without *w = &x->of[x->tables];
    rc_machine start;
    w->table = table;
    mark_left_out(x, table);
    const rc_machine *shipped = &x->p->machine[RC_PAPER_GTT];
    RC_TRY(
        rc_paper_load_neutral(x->p, "gtt", chosen_by, table, x->p->options.set_count, &start, err));
    start.fitted_count = shipped->fitted_count;
    memcpy(start.fitted, shipped->fitted, sizeof start.fitted);
    RC_TRY(rc_paper_refit(x->p, &start, x->left_out, &w->fit, err));
    RC_TRY(predict_with(x, w, err));
    x->tables++;
    return RC_OK;
}

static rc_status leave_each(leave_out *x, const char *which, rc_error *err) {
    for (size_t i = 0; i < RC_PAPER_TABLES; i++)
        if (strcmp(which, "all") == 0 || strcmp(which, rc_paper_table_names[i]) == 0)
            RC_TRY(leave(x, rc_paper_table_names[i], err));
    return x->tables > 0
               ? RC_OK
               : rc_fail_at(err, RC_E_USAGE, "--leave-out", 0, 0,
                            "found '%.40s', expected 4, 5, 6, 7, 8, points or all", which);
}

/* ---- what is shown --------------------------------------------------------------------------- */

static rc_table *parameters(const leave_out *x) {
    static const rc_column columns[] = {
        {"parameter", "parameter", "", RC_LEFT},
        {"unit", "unit", "", RC_LEFT},
        {"shipped", "as shipped", "unit", RC_RIGHT},
    };
    const rc_machine *shipped = &x->p->machine[RC_PAPER_GTT];
    char name[24];
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(t, "parameters fitted with these rows left out; *: none of its own rows left, "
                     "fitted on all times left that it");
    rc_table_note(t,
                  "moves; =: it moves none of those, and is what the file states beside the fit");
    for (size_t i = 0; i < x->tables; i++) {
        bool number = x->of[i].table[0] >= '0' && x->of[i].table[0] <= '9';
        (void)snprintf(name, sizeof name, "%s%s", number ? "Table " : "", x->of[i].table);
        rc_table_column(t, x->of[i].table, name, "unit", RC_RIGHT);
    }
    for (int k = 0; k < shipped->fitted_count; k++) {
        rc_table_text(t, shipped->fitted[k].name);
        rc_table_text(t, shipped->fitted[k].unit);
        rc_table_textf(t, "%.4g", shipped->fitted[k].value);
        for (size_t i = 0; i < x->tables; i++) {
            static const char *const marks[] = {"", "*", "="};
            rc_table_textf(t, "%.4g%s", x->of[i].fit.machine.fitted[k].value,
                           marks[x->of[i].fit.from[k]]);
        }
    }
    return t;
}

static double error_of(const leave_out *x, size_t row) {
    return 100.0 * (x->predicted[row] / x->p->rows[row].paper - 1.0);
}

static rc_table *rows(const leave_out *x) {
    static const rc_column columns[] = {
        {"left_out", "left out", "", RC_LEFT}, {"id", "row", "", RC_LEFT},
        {"config", "config", "", RC_LEFT},     {"variant", "variant", "", RC_LEFT},
        {"metric", "metric", "", RC_LEFT},     {"unit", "unit", "", RC_LEFT},
        {"paper", "paper", "unit", RC_RIGHT},  {"predicted", "predicted", "unit", RC_RIGHT},
        {"error_pct", "error", "%", RC_RIGHT}, {"shipped_error_pct", "as shipped", "%", RC_RIGHT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(t, "predicted by a fit that has seen no row of the same table; as shipped: the "
                     "error with the machine's file");
    for (size_t i = 0; i < x->p->count; i++) {
        const rc_paper_row *r = &x->p->rows[i];
        if (!isfinite(x->predicted[i]))
            continue;
        rc_table_text(t, r->table);
        rc_table_text(t, r->id);
        rc_table_text(t, r->config);
        rc_table_text(t, r->schedule ? r->schedule->name : "-");
        rc_table_text(t, r->metric);
        rc_table_text(t, r->unit);
        rc_table_real(t, r->paper, rc_paper_decimals(r->paper));
        rc_table_real(t, x->predicted[i], rc_paper_decimals(x->predicted[i]));
        rc_table_real(t, error_of(x, i), 1);
        rc_table_real(t, r->error_pct, 1);
    }
    return t;
}

/* The rows that a line of the summary is about: of one table (NULL: of all) and of one kind. */
typedef struct kind {
    const char *name, *metric, *tables; /* metric NULL: any of the tables named by their digits */
} kind;
static const kind kinds[] = {{"TTFT", "ttft", NULL},
                             {"TTIT", "ttit", NULL},
                             {"parts of a ring step", NULL, "5"},
                             {"parts of decode attention", NULL, "8"}};

static bool is_kind(const rc_paper_row *r, const kind *k) {
    return k->metric ? r->scored && strcmp(r->metric, k->metric) == 0
                     : strcmp(r->table, k->tables) == 0;
}

static void summary_line(const leave_out *x, const kind *k, const char *table, rc_table *t) {
    double sum = 0.0, most = 0.0, bias = 0.0, shipped = 0.0;
    int n = 0;
    for (size_t i = 0; i < x->p->count; i++) {
        const rc_paper_row *r = &x->p->rows[i];
        if (!isfinite(x->predicted[i]) || !is_kind(r, k) || (table && strcmp(r->table, table) != 0))
            continue;
        double e = error_of(x, i);
        sum += fabs(e);
        bias += e;
        most = fmax(most, fabs(e));
        shipped += fabs(r->error_pct);
        n++;
    }
    if (n == 0)
        return;
    rc_table_text(t, k->name);
    rc_table_text(t, table ? table : "all");
    rc_table_int(t, n);
    rc_table_real(t, sum / n, 2);
    rc_table_real(t, most, 2);
    rc_table_real(t, bias / n, 2);
    rc_table_real(t, shipped / n, 2);
}

static rc_table *summary(const leave_out *x) {
    static const rc_column columns[] = {
        {"what", "what", "", RC_LEFT},
        {"left_out", "left out", "", RC_LEFT},
        {"rows", "rows", "", RC_RIGHT},
        {"mean_pct", "mean", "%", RC_RIGHT},
        {"max_pct", "worst", "%", RC_RIGHT},
        {"bias_pct", "signed", "%", RC_RIGHT},
        {"shipped_pct", "as shipped", "%", RC_RIGHT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(t, "mean absolute error of the left-out rows, each measurement once; as shipped: "
                     "mean of the same rows");
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        for (size_t i = 0; i < x->tables; i++)
            summary_line(x, &kinds[k], x->of[i].table, t);
        if (kinds[k].metric && x->tables > 1)
            summary_line(x, &kinds[k], NULL, t);
    }
    return t;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static rc_status show(const leave_out *x, bool csv, FILE *f, rc_error *err) {
    if (csv)
        return rc_table_finish(rows(x), true, f, err);
    RC_TRY(rc_table_finish(parameters(x), false, f, err));
    (void)fputs("#\n", f);
    RC_TRY(rc_table_finish(rows(x), false, f, err));
    (void)fputs("#\n", f);
    return rc_table_finish(summary(x), false, f, err);
}

rc_status rc_paper_leave_out(rc_paper *p, const char *which, bool csv, FILE *f, rc_error *err) {
    assert(which != NULL && f != NULL);
    double *predicted = calloc(p->count + 1, sizeof *predicted);
    bool *left_out = calloc(p->count + 1, sizeof *left_out);
    bool *wanted = calloc(p->job_count + 1, sizeof *wanted);
    leave_out x = {.p = p, .predicted = predicted, .left_out = left_out, .wanted = wanted};
    rc_status st = predicted && left_out && wanted
                       ? RC_OK
                       : rc_fail(err, RC_E_NOMEM, "out of memory in the fit");
    for (size_t i = 0; st == RC_OK && i < p->count; i++)
        predicted[i] = NAN;
    if (st == RC_OK)
        st = leave_each(&x, which, err);
    if (st == RC_OK)
        st = show(&x, csv, f, err);
    free(predicted);
    free(left_out);
    free(wanted);
    return st;
}
