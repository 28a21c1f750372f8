/* ringcast calibration leave-out: how far off the costs are at points that they have no rows of.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cli/calibration_leave_out.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/table.h"
#include "sim/cost/call_plan.h"
#include "sim/cost/class_errors.h"
#include "sim/cost/leave_out.h"
#include "sim/cost/store_tools.h"

static const char *variant_of(const rc_left_out *x) {
    switch (x->op) {
    case RC_COST_FULL:
        return "full";
    case RC_COST_SQUARE:
        return "square";
    case RC_COST_PREFIX:
        return "prefix";
    default:
        return NULL;
    }
}

static bool same_kind(const rc_left_out *x, const rc_left_out *y) {
    return x->op == y->op && x->between == y->between &&
           (strcmp(x->row->dtype, y->row->dtype) == 0 ||
            rc_op_info_of(x->op)->type == RC_TYPE_IGNORED);
}

static rc_status read_by(const char *text, rc_left_out_by *out, rc_error *err) {
    const char *names[RC_LEFT_OUT_COUNT + 1] = {NULL};
    *out = RC_LEFT_OUT_ROW;
    for (int i = 0; i < RC_LEFT_OUT_COUNT; i++) {
        names[i] = rc_left_out_name((rc_left_out_by)i);
        if (text != NULL && strcmp(text, names[i]) == 0)
            *out = (rc_left_out_by)i;
    }
    if (text == NULL || strcmp(text, rc_left_out_name(*out)) == 0)
        return RC_OK;
    const char *near = rc_nearest(text, names);
    return rc_fail_file(err, RC_E_USAGE, "--by",
                        "\"%.40s\": expected nothing, row, line, shape or state%s%s%s", text,
                        near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static rc_status read_state(const char *text, rc_error *err) {
    if (text == NULL || strcmp(text, "burst") == 0 || strcmp(text, "sustained") == 0)
        return RC_OK;
    return rc_fail_file(err, RC_E_USAGE, "--state", "\"%.40s\": expected burst or sustained", text);
}

/* ---- the tables ------------------------------------------------------------------------------ */

static rc_table *table_of_kinds(void) {
    static const rc_column columns[] = {
        {"machine", "machine", "", RC_LEFT},
        {"op", "op", "", RC_LEFT},
        {"variant", "variant", "", RC_LEFT},
        {"dtype", "type", "", RC_LEFT},
        {"where", "where", "", RC_LEFT},
        {"points", "points", "", RC_RIGHT},
        {"unanswered", "no answer", "", RC_RIGHT},
        {"median_pct", "median", "%", RC_RIGHT},
        {"p95_pct", "95th", "%", RC_RIGHT},
        {"max_pct", "most", "%", RC_RIGHT},
        {"bias_pct", "mean", "%", RC_RIGHT},
        {"covered_pct", "in p5..p95", "%", RC_RIGHT},
        {"worst", "at", "", RC_LEFT},
    };
    return RC_TABLE_WITH(columns);
}

static void put_kind(rc_table *t, const rc_left_out *first, const rc_left_out_errors *e) {
    const char *variant = variant_of(first);
    rc_table_text(t, first->row->machine);
    rc_table_text(t, first->row->op);
    rc_table_text(t, variant);
    rc_table_text(t, first->row->dtype[0] ? first->row->dtype : NULL);
    rc_table_text(t, first->between ? "between" : "beyond");
    rc_table_int(t, (int64_t)e->n);
    rc_table_int(t, (int64_t)e->unanswered);
    bool any = e->n > 0;
    rc_table_real(t, any ? 100.0 * e->median : NAN, 2);
    rc_table_real(t, any ? 100.0 * e->p95 : NAN, 2);
    rc_table_real(t, any ? 100.0 * e->max : NAN, 2);
    rc_table_real(t, any ? 100.0 * expm1(e->bias) : NAN, 2);
    rc_table_real(t, any ? 100.0 * e->covered : NAN, 1);
    if (!any) {
        rc_table_missing(t);
        return;
    }
    const rc_row *r = e->worst->row;
    rc_table_textf(t, "%lld %lld %lld %lld", (long long)r->a, (long long)r->b, (long long)r->c,
                   (long long)r->d);
}

static rc_status put_kinds(rc_table *t, const rc_left_out *all, size_t n, rc_error *err) {
    const rc_left_out **kind = calloc(n + 1, sizeof *kind);
    bool *told = calloc(n + 1, sizeof *told);
    rc_status st = kind != NULL && told != NULL
                       ? RC_OK
                       : rc_fail(err, RC_E_NOMEM, "out of memory for %zu points", n);
    for (size_t i = 0; i < n && st == RC_OK; i++) {
        size_t count = 0;
        rc_left_out_errors e;
        if (told[i])
            continue;
        for (size_t k = i; k < n; k++) {
            if (!same_kind(&all[i], &all[k]))
                continue;
            told[k] = true;
            kind[count++] = &all[k];
        }
        st = rc_left_out_errors_of(kind, count, &e, err);
        if (st == RC_OK)
            put_kind(t, &all[i], &e);
    }
    free(kind);
    free(told);
    return st;
}

static rc_table *table_of_each(void) {
    static const rc_column columns[] = {
        {"machine", "machine", "", RC_LEFT},
        {"op", "op", "", RC_LEFT},
        {"variant", "variant", "", RC_LEFT},
        {"dtype", "type", "", RC_LEFT},
        {"a", "a", "", RC_RIGHT},
        {"b", "b", "", RC_RIGHT},
        {"c", "c", "", RC_RIGHT},
        {"d", "d", "", RC_RIGHT},
        {"where", "where", "", RC_LEFT},
        {"measured_us", "measured", "us", RC_RIGHT},
        {"forecast_us", "forecast", "us", RC_RIGHT},
        {"off_pct", "off by", "%", RC_RIGHT},
        {"spread_pct", "p10..p90", "+-%", RC_RIGHT},
        {"basis", "forecast is", "", RC_LEFT},
    };
    return RC_TABLE_WITH(columns);
}

static void put_each(rc_table *t, const rc_left_out *all, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const rc_left_out *x = &all[i];
        const rc_row *r = x->row;
        const int64_t axes[] = {r->a, r->b, r->c, r->d};
        rc_table_text(t, r->machine);
        rc_table_text(t, r->op);
        rc_table_text(t, variant_of(x));
        rc_table_text(t, r->dtype[0] ? r->dtype : NULL);
        for (int k = 0; k < 4; k++)
            rc_table_int(t, axes[k]);
        rc_table_text(t, x->between ? "between" : "beyond");
        rc_table_real(t, 1e6 * r->p50, 3);
        rc_table_real(t, x->answered ? 1e6 * x->cost.p50 : NAN, 3);
        rc_table_real(t, x->answered ? 100.0 * (x->cost.p50 / r->p50 - 1.0) : NAN, 2);
        rc_table_real(t, x->answered ? 100.0 * x->cost.spread : NAN, 2);
        rc_table_text(t, x->answered ? rc_basis_name(x->cost.basis) : NULL);
    }
}

/* ---- machines -------------------------------------------------------------------------------- */

static rc_status of_machine(rc_table *t, const rc_rows *rows, const char *machine,
                            rc_left_out_by by, const rc_leave_out_flags *f, size_t *told,
                            rc_error *err) {
    rc_machine m;
    rc_left_out *all = NULL;
    rc_built_book *book = NULL;
    size_t n;
    rc_machine_of_rows(machine, f->state != NULL ? f->state : "burst", &m);
    RC_TRY(rc_book_build(rows, m.base, m.state, &book, err));
    bool surface = f->op != NULL && rc_op_named(f->op) < rc_op_count() &&
                   rc_call_kind_of(rc_op_named(f->op), RC_BF16, RC_PUBLISHED) !=
                       NULL; /* which has learnt already */
    rc_status st = surface ? RC_OK : rc_book_learn(book, rows, RC_LEARN_WELL, err);
    if (st == RC_OK) {
        rc_leaving how = {.by = by,
                          .op = f->op,
                          .curves = f->op == NULL,
                          .errors = &rc_built_book_of(book)->errors};
        st = rc_leave_out(rows, &m, &how, &all, &n, err);
    }
    rc_built_book_free(book);
    if (st != RC_OK)
        return st;
    if (f->each)
        put_each(t, all, n);
    else
        st = put_kinds(t, all, n, err);
    free(all);
    *told += n;
    return st;
}

/* Whether a machine has rows that are asked for: to leave them out takes seconds, to look does not. */
static bool has_rows(const rc_rows *rows, const char *machine, const char *op) {
    for (size_t i = 0; i < rc_rows_count(rows); i++) {
        const rc_row *r = rc_rows_at(rows, i);
        if (strcmp(r->machine, machine) == 0 && (op == NULL || strcmp(r->op, op) == 0))
            return true;
    }
    return false;
}

/* Rows stand in the order of their machines. */
static rc_status of_all(rc_table *t, const rc_rows *rows, rc_left_out_by by,
                        const rc_leave_out_flags *f, size_t *told, rc_error *err) {
    const char *before = NULL;
    for (size_t i = 0; i < rc_rows_count(rows); i++) {
        const char *machine = rc_rows_at(rows, i)->machine;
        if (before != NULL && strcmp(machine, before) == 0)
            continue;
        before = machine;
        if ((f->machine == NULL || strcmp(machine, f->machine) == 0) &&
            has_rows(rows, machine, f->op))
            RC_TRY(of_machine(t, rows, machine, by, f, told, err));
    }
    return RC_OK;
}

rc_status rc_cmd_calibration_leave_out(const char *const *files, size_t count,
                                       const rc_leave_out_flags *f, rc_error *err) {
    rc_left_out_by by;
    rc_rows *rows = NULL, *sorted = NULL;
    size_t told = 0;
    assert(f != NULL && (files != NULL || count == 0));
    if (count > 1)
        return rc_fail(err, RC_E_USAGE, "calibration leave-out takes one store or CSV file");
    RC_TRY(read_by(f->by, &by, err));
    RC_TRY(read_state(f->state, err));
    RC_TRY(count > 0 ? rc_rows_open(files[0], &rows, err)
                     : rc_store_rows(f->store, f->machine, &rows, err));
    rc_table *t = f->each ? table_of_each() : table_of_kinds();
    rc_status st = rc_rows_merge(&rows, 1, &sorted, err);
    if (st == RC_OK)
        st = of_all(t, sorted, by, f, &told, err);
    if (st == RC_OK && told == 0)
        st = rc_fail(err, RC_E_INPUT, "no measured rows of such an op, machine and clock state");
    if (st == RC_OK)
        st = rc_form_table(
            t, f->form, f->each ? "calibration-leave-out-each-1" : "calibration-leave-out-1", err);
    else
        rc_table_destroy(t);
    rc_rows_free(sorted);
    rc_rows_free(rows);
    return st;
}
