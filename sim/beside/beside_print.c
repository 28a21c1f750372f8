/* The answer, then what users felt and what passes took, run by run, then all runs of a set.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/beside/server_runs.h"

#include <math.h>

#include "sim/base/style.h"
#include "sim/base/table.h"

/* Of the runs that nobody looked at while the model was made, else of all. */
static void print_answer(const rc_beside_run *runs, size_t count, FILE *f) {
    static const rc_beside_metric said[] = {RC_BESIDE_TTFT_P95, RC_BESIDE_GAP_P95,
                                            RC_BESIDE_THROUGHPUT};
    size_t unseen = 0;
    for (size_t i = 0; i < count; i++)
        unseen += runs[i].set == RC_SET_UNSEEN;
    const size_t n = unseen ? unseen : count;
    const char *separator = "";
    (void)fputs(rc_style_on(f, RC_STYLE_ANSWER), f);
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        const rc_beside_summary s = rc_beside_summarise(runs, count, unseen ? RC_SET_UNSEEN : -1,
                                                        RC_BESIDE_FORECAST, said[i]);
        if (s.runs == 0)
            continue;
        (void)fprintf(f, "%s%s is forecast within %.1f %%", separator,
                      rc_beside_metric_name(said[i]), s.most);
        separator = ", ";
    }
    (void)fprintf(f, ", over %zu %srun%s%s\n", n, unseen ? "unseen " : "", n == 1 ? "" : "s",
                  rc_style_on(f, RC_STYLE_END));
}

/* ---- what users felt ------------------------------------------------------------------------ */

static rc_table *metric_table(void) {
    static const rc_column columns[] = {
        {"run", "run", "", RC_LEFT},
        {"set", "set", "", RC_LEFT},
        {"metric", "metric", "", RC_LEFT},
        {"unit", "unit", "", RC_LEFT},
        {"measured", "measured", "", RC_RIGHT},
        {"forecast", "forecast", "", RC_RIGHT},
        {"error_pct", "error", "%", RC_RIGHT},
        {"host_measured_error_pct", "host as measured", "%", RC_RIGHT},
        {"gpu_measured_error_pct", "and GPU", "%", RC_RIGHT},
        {"taught_error_pct", "taught", "%", RC_RIGHT},
    };
    return RC_TABLE_WITH(columns);
}

static void metric_rows(const rc_beside_run *r, bool csv, rc_table *t) {
    for (int m = 0; m < RC_BESIDE_METRICS; m++) {
        const rc_beside_metric x = (rc_beside_metric)m;
        rc_table_text(t, r->name);
        rc_table_text(t, rc_run_set_name(r->set));
        rc_table_text(t, csv ? rc_beside_metric_key(x) : rc_beside_metric_name(x));
        rc_table_text(t, rc_beside_metric_unit(x));
        rc_table_real(t, rc_beside_value(r, RC_BESIDE_MEASURED, x), 2);
        rc_table_real(t, rc_beside_value(r, RC_BESIDE_FORECAST, x), 2);
        for (int way = RC_BESIDE_FORECAST; way < RC_BESIDE_WAYS; way++)
            rc_table_real(t, rc_beside_error(r, (rc_beside_way)way, x), 1);
    }
}

static rc_status print_run(const rc_beside_run *r, FILE *f, rc_error *err) {
    const rc_beside_play *a = &r->play[RC_BESIDE_MEASURED], *b = &r->play[RC_BESIDE_FORECAST];
    rc_table *t = metric_table();
    rc_table_note(t,
                  "%s: %zu of %zu passes are composed alike; %llu of %llu requests served, "
                  "forecast %llu",
                  r->name, r->log.count, r->log.count, (unsigned long long)a->done,
                  (unsigned long long)a->requests, (unsigned long long)b->done);
    rc_table_note(t, "prompt tokens found cached: %llu measured, %llu forecast, %s",
                  (unsigned long long)a->hit_tokens, (unsigned long long)b->hit_tokens,
                  a->hit_tokens == b->hit_tokens ? "equal" : "not equal");
    rc_table_note(t, "the host for a pass: %.1f us measured, %.1f us as the scenario states",
                  1e6 * r->host_mean, 1e6 * r->host_stated);
    metric_rows(r, false, t);
    RC_TRY(rc_table_finish(t, false, f, err));
    (void)fputc('\n', f);
    return RC_OK;
}

rc_status rc_beside_csv(const rc_beside_run *runs, size_t count, FILE *f, rc_error *err) {
    rc_table *t = metric_table();
    for (size_t i = 0; i < count; i++)
        metric_rows(&runs[i], true, t);
    return rc_table_finish(t, true, f, err);
}

/* ---- passes --------------------------------------------------------------------------------- */

static void spread_cells(const rc_beside_spread *s, rc_table *t) {
    rc_table_int(t, (int64_t)s->passes);
    rc_table_real(t, s->measured_s, 3);
    rc_table_real(t, s->model_s, 3);
    rc_table_real(t, s->bias, 1);
    rc_table_real(t, s->median, 1);
    rc_table_real(t, s->p95, 1);
}

static rc_status kind_rows(const rc_beside_run *r, rc_table *t, rc_error *err) {
    for (int k = 0; k <= RC_BESIDE_KINDS; k++) {
        rc_beside_spread s;
        if (k < RC_BESIDE_KINDS)
            RC_TRY(rc_beside_kind_spread(r, (rc_beside_kind)k, &s, err));
        else
            RC_TRY(rc_beside_spread_of(r, NULL, NULL, &s, err));
        rc_table_text(t, r->name);
        rc_table_text(t, k < RC_BESIDE_KINDS ? rc_beside_kind_name((rc_beside_kind)k) : "all");
        spread_cells(&s, t);
    }
    return RC_OK;
}

static rc_status print_kinds(const rc_beside_run *runs, size_t count, FILE *f, rc_error *err) {
    static const rc_column columns[] = {
        {"run", "run", "", RC_LEFT},
        {"kind", "passes of", "", RC_LEFT},
        {"passes", "passes", "", RC_RIGHT},
        {"measured_s", "measured", "s", RC_RIGHT},
        {"model_s", "model", "s", RC_RIGHT},
        {"bias_pct", "of the sum", "%", RC_RIGHT},
        {"median_abs_error_pct", "median", "%", RC_RIGHT},
        {"p95_abs_error_pct", "95th", "%", RC_RIGHT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    rc_status st = RC_OK;
    rc_table_note(t, "time of passes on the GPU: the model's of each pass that was measured, and "
                     "its error");
    for (size_t i = 0; st == RC_OK && i < count; i++)
        st = kind_rows(&runs[i], t, err);
    if (st == RC_OK)
        return rc_table_finish(t, false, f, err);
    rc_table_destroy(t);
    return st;
}

/* ---- sets ----------------------------------------------------------------------------------- */

static void set_rows(const rc_beside_run *runs, size_t count, int set, rc_table *t) {
    for (int m = 0; m < RC_BESIDE_METRICS; m++) {
        rc_beside_summary s =
            rc_beside_summarise(runs, count, set, RC_BESIDE_FORECAST, (rc_beside_metric)m);
        if (s.runs == 0)
            continue;
        rc_table_text(t, rc_run_set_name((rc_run_set)set));
        rc_table_text(t, rc_beside_metric_name((rc_beside_metric)m));
        rc_table_int(t, (int64_t)s.runs);
        rc_table_real(t, s.mean, 1);
        rc_table_real(t, s.most, 1);
        for (int way = RC_BESIDE_HOST_MEAN; way < RC_BESIDE_WAYS; way++) {
            s = rc_beside_summarise(runs, count, set, (rc_beside_way)way, (rc_beside_metric)m);
            rc_table_real(t, s.runs > 0 ? s.mean : NAN, 1);
        }
        rc_table_real(t, s.runs > 0 ? s.most : NAN, 1);
    }
}

static rc_status print_sets(const rc_beside_run *runs, size_t count, FILE *f, rc_error *err) {
    static const rc_column columns[] = {
        {"set", "set", "", RC_LEFT},
        {"metric", "metric", "", RC_LEFT},
        {"runs", "runs", "", RC_RIGHT},
        {"mean_abs_error_pct", "mean", "%", RC_RIGHT},
        {"most_abs_error_pct", "worst", "%", RC_RIGHT},
        {"host_measured_mean_pct", "host as measured", "%", RC_RIGHT},
        {"gpu_measured_mean_pct", "and GPU", "%", RC_RIGHT},
        {"taught_mean_pct", "taught", "%", RC_RIGHT},
        {"taught_most_pct", "worst", "%", RC_RIGHT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(t,
                  "absolute errors of the forecast over the runs of a set; then their means "
                  "with measured means of the host, and of the GPU by kind of pass; taught: by the "
                  "means of the other seen runs on such a machine");
    for (int set = 0; set < RC_SET_COUNT; set++)
        set_rows(runs, count, set, t);
    return rc_table_finish(t, false, f, err);
}

rc_status rc_beside_print(const rc_beside_run *runs, size_t count, FILE *f, rc_error *err) {
    print_answer(runs, count, f);
    for (size_t i = 0; i < count; i++)
        RC_TRY(print_run(&runs[i], f, err));
    RC_TRY(print_kinds(runs, count, f, err));
    (void)fputc('\n', f);
    return print_sets(runs, count, f, err);
}
