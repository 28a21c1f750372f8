/* Predicted against measured: tables, JSON, a picture.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/base/style.h"
#include "sim/base/table.h"
#include "sim/plot/gnuplot.h"
#include "sim/plot/plot_axes.h"
#include "sim/validate/validate.h"

enum { MAX_CROSSINGS = 64 };

static double error_pct(const rc_measured_run *x, rc_method m) {
    return 100.0 * (x->time[m] / x->measured - 1.0);
}

static rc_status print_cases(const rc_runs *r, bool csv, FILE *f, rc_error *err) {
    static const rc_column columns[] = {
        {"case", "case", "", RC_LEFT},
        {"host", "host", "", RC_LEFT},
        {"machine", "machine", "", RC_LEFT},
        {"transport", "transport", "", RC_LEFT},
        {"set", "set", "", RC_LEFT},
        {"measured_ms", "measured", "ms", RC_RIGHT},
        {"predicted_ms", "predicted", "ms", RC_RIGHT},
        {"p5_ms", "p5", "ms", RC_RIGHT},
        {"p95_ms", "p95", "ms", RC_RIGHT},
        {"error_pct", "error", "%", RC_RIGHT},
        {"roofline_pct", "roofline", "%", RC_RIGHT},
        {"alpha_beta_pct", "alpha-beta", "%", RC_RIGHT},
        {"note", "note", "", RC_LEFT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(t, "predicted from primitive suites, measured on real GPUs; errors in %%");
    for (size_t i = 0; i < r->n; i++) {
        const rc_measured_run *x = &r->v[i];
        rc_table_text(t, x->name);
        rc_table_text(t, r->folder[x->folder]);
        rc_table_text(t, x->machine);
        rc_table_text(t, x->transport);
        rc_table_text(t, rc_run_set_name(x->set));
        rc_table_real(t, 1e3 * x->measured, 3);
        rc_table_real(t, 1e3 * x->time[RC_BY_SIMULATION], 3);
        rc_table_real(t, 1e3 * x->p5, 3);
        rc_table_real(t, 1e3 * x->p95, 3);
        for (int m = 0; m < RC_METHODS; m++)
            rc_table_real(t, error_pct(x, (rc_method)m), 1);
        rc_table_text(t, x->why[0] ? x->why : x->transferred > 0 ? "another part's rows" : "");
    }
    return rc_table_finish(t, csv, f, err);
}

static void share(rc_table *t, int of, int all) {
    if (all > 0)
        rc_table_textf(t, "%d of %d", of, all);
    else
        rc_table_missing(t);
}

/* A class of runs, by each method. */
static void accuracy_rows(const rc_runs *r, rc_table *t, int set, const char *transport,
                          const char *regime) {
    for (int m = 0; m < RC_METHODS; m++) {
        rc_accuracy a = rc_runs_accuracy(r, (rc_method)m, set, transport, regime);
        if (a.n == 0)
            continue;
        rc_table_text(t, rc_run_set_name((rc_run_set)set));
        rc_table_text(t, transport ? transport : "all");
        rc_table_text(t, regime ? regime : "all");
        rc_table_text(t, rc_method_name((rc_method)m));
        rc_table_int(t, (int64_t)a.n);
        rc_table_real(t, a.median_pct, 2);
        rc_table_real(t, a.p95_pct, 2);
        rc_table_real(t, a.mean_pct, 2);
        share(t, a.winners_right, a.winners_total);
        share(t, a.inside, a.drawn);
    }
}

static void set_rows(const rc_runs *r, rc_table *t, int set) {
    const char *names[RC_RUN_TRANSPORTS];
    size_t n = rc_runs_transports(r, names);
    accuracy_rows(r, t, set, NULL, NULL);
    for (size_t k = 0; k < RC_RUN_REGIMES; k++)
        accuracy_rows(r, t, set, NULL, rc_run_regimes[k]);
    for (size_t i = 0; i < n && n > 1; i++) { /* one transport alone is all of them */
        accuracy_rows(r, t, set, names[i], NULL);
        for (size_t k = 0; k < RC_RUN_REGIMES; k++)
            accuracy_rows(r, t, set, names[i], rc_run_regimes[k]);
    }
}

static rc_status print_accuracy(const rc_runs *r, FILE *f, rc_error *err) {
    static const rc_column columns[] = {
        {"set", "set", "", RC_LEFT},
        {"transport", "transport", "", RC_LEFT},
        {"kind", "kind", "", RC_LEFT},
        {"method", "method", "", RC_LEFT},
        {"n", "cases", "", RC_RIGHT},
        {"median_abs_error_pct", "median", "%", RC_RIGHT},
        {"p95_abs_error_pct", "95th", "%", RC_RIGHT},
        {"mean_error_pct", "signed", "%", RC_RIGHT},
        {"winners", "faster one right", "", RC_LEFT},
        {"inside", "in p5..p95", "", RC_LEFT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    if (r->scale[RC_BY_ROOFLINE] > 0)
        rc_table_note(t, "roofline times %.3f, alpha-beta times %.3f, as is best for the seen runs",
                      r->scale[RC_BY_ROOFLINE], r->scale[RC_BY_ALPHA_BETA]);
    for (int set = 0; set < RC_SET_COUNT; set++)
        set_rows(r, t, set);
    return rc_table_finish(t, false, f, err);
}

/* Series that nobody sees cross tell of no crossover, and those whose real one is not known do not
 * tell where it is. */
static bool is_judged(const rc_crossover *c) {
    return rc_crossover_resolved(c) && (isfinite(c->measured) || isfinite(c->predicted));
}

static rc_status print_crossovers(const rc_runs *r, FILE *f, rc_error *err) {
    rc_crossover c[MAX_CROSSINGS];
    size_t n = rc_runs_crossovers(r, c, MAX_CROSSINGS);
    if (n == 0)
        return RC_OK;
    static const rc_column columns[] = {
        {"host", "host", "", RC_LEFT},
        {"transport", "transport", "", RC_LEFT},
        {"total", "T+P", "tokens", RC_RIGHT},
        {"heads", "heads", "", RC_LEFT},
        {"layers", "layers", "", RC_RIGHT},
        {"launch", "launch", "", RC_LEFT},
        {"sms", "SMs", "", RC_RIGHT},
        {"ctas", "CTAs", "", RC_RIGHT},
        {"measured", "measured", "tokens", RC_RIGHT},
        {"known_pct", "known to", "%", RC_RIGHT},
        {"predicted", "predicted", "tokens", RC_RIGHT},
        {"right", "within 10 %", "", RC_LEFT},
    };
    int right = 0, cross = 0;
    for (size_t i = 0; i < n; i++)
        if (is_judged(&c[i])) {
            cross++;
            right += rc_crossover_right(&c[i]);
        }
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(t,
                  "new tokens at which pass-KV and pass-Q take as long, where the runs tell it to "
                  "10 %%: %d of %d within 10 %%",
                  right, cross);
    for (size_t i = 0; i < n; i++) {
        const rc_measured_run *x = c[i].first;
        rc_table_text(t, r->folder[x->folder]);
        rc_table_text(t, x->transport);
        rc_table_int(t, x->t + x->p);
        rc_table_textf(t, "%d on %d", x->hq, x->hkv);
        rc_table_int(t, x->layers);
        rc_table_text(t, x->graph ? "graph" : "eager");
        rc_table_int(t, x->sms);
        rc_table_int(t, x->ctas);
        rc_table_real(t, c[i].measured, 0);
        rc_table_real(t, 100.0 * c[i].known, 0);
        rc_table_real(t, c[i].predicted, 0);
        rc_table_text(t, !is_judged(&c[i]) ? NULL : rc_crossover_right(&c[i]) ? "yes" : "no");
    }
    return rc_table_finish(t, false, f, err);
}

/* The answer: of the runs that were not looked at, else of all. */
static void print_answer(const rc_runs *r, FILE *f) {
    rc_accuracy a = rc_runs_accuracy(r, RC_BY_SIMULATION, RC_SET_UNSEEN, NULL, NULL);
    bool unseen = a.n > 0;
    if (!unseen)
        a = rc_runs_accuracy(r, RC_BY_SIMULATION, -1, NULL, NULL);
    (void)fprintf(f, "%s%zu %sruns: median error %.2f %%, 95th percentile %.2f %%%s\n",
                  rc_style_on(f, RC_STYLE_ANSWER), (size_t)a.n, unseen ? "unseen " : "",
                  a.median_pct, a.p95_pct, rc_style_on(f, RC_STYLE_END));
}

rc_status rc_runs_print(const rc_runs *r, FILE *f, rc_error *err) {
    assert(f != NULL);
    print_answer(r, f);
    RC_TRY(print_cases(r, false, f, err));
    (void)fputc('\n', f);
    RC_TRY(print_accuracy(r, f, err));
    return print_crossovers(r, f, err);
}

rc_status rc_runs_csv(const rc_runs *r, FILE *f, rc_error *err) {
    return print_cases(r, true, f, err);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_accuracy(rc_json *j, json_t *o, const rc_accuracy *a) {
    rc_json_int(j, o, "n", (int64_t)a->n);
    rc_json_real(j, o, "median_abs_error_pct", a->median_pct);
    rc_json_real(j, o, "p95_abs_error_pct", a->p95_pct);
    rc_json_real(j, o, "mean_error_pct", a->mean_pct);
    rc_json_int(j, o, "winners_right", a->winners_right);
    rc_json_int(j, o, "winners_total", a->winners_total);
    rc_json_int(j, o, "inside", a->inside);
    rc_json_int(j, o, "drawn", a->drawn);
}

static void put_sets(const rc_runs *r, rc_json *j, json_t *parent, rc_method m) {
    const char *names[RC_RUN_TRANSPORTS];
    size_t n = rc_runs_transports(r, names);
    for (int set = 0; set < RC_SET_COUNT; set++) {
        json_t *o = rc_json_object(j, parent, rc_run_set_name((rc_run_set)set));
        rc_accuracy a = rc_runs_accuracy(r, m, set, NULL, NULL);
        put_accuracy(j, o, &a);
        json_t *by = rc_json_object(j, o, "transports");
        for (size_t i = 0; i < n; i++) {
            a = rc_runs_accuracy(r, m, set, names[i], NULL);
            if (a.n > 0)
                put_accuracy(j, rc_json_object(j, by, names[i]), &a);
        }
        by = rc_json_object(j, o, "regimes");
        for (size_t i = 0; i < RC_RUN_REGIMES; i++) {
            a = rc_runs_accuracy(r, m, set, NULL, rc_run_regimes[i]);
            if (a.n > 0)
                put_accuracy(j, rc_json_object(j, by, rc_run_regimes[i]), &a);
        }
    }
}

static void put_case(rc_json *j, json_t *list, const rc_runs *r, const rc_measured_run *x) {
    json_t *o = rc_json_object(j, list, NULL);
    rc_json_text(j, o, "case", x->name);
    rc_json_text(j, o, "host", r->folder[x->folder]);
    rc_json_text(j, o, "machine", x->machine);
    rc_json_text(j, o, "transport", x->transport);
    rc_json_text(j, o, "set", rc_run_set_name(x->set));
    rc_json_real(j, o, "measured_s", x->measured);
    for (int m = 0; m < RC_METHODS; m++)
        rc_json_real(j, o, rc_method_name((rc_method)m), x->time[m]);
    rc_json_real(j, o, "p5", x->p5);
    rc_json_real(j, o, "p95", x->p95);
    if (x->why[0])
        rc_json_text(j, o, "why_not", x->why);
}

rc_status rc_runs_json(const rc_runs *r, const char *path, bool overwrite, rc_error *err) {
    rc_json *j = rc_json_create();
    json_t *root = rc_json_root(j);
    rc_json_text(j, root, "schema", "validate-1");
    put_sets(r, j, rc_json_object(j, root, "sets"), RC_BY_SIMULATION);
    json_t *base = rc_json_object(j, root, "baselines");
    put_sets(r, j, rc_json_object(j, base, "roofline"), RC_BY_ROOFLINE);
    put_sets(r, j, rc_json_object(j, base, "alpha_beta"), RC_BY_ALPHA_BETA);
    rc_crossover c[MAX_CROSSINGS];
    size_t n = rc_runs_crossovers(r, c, MAX_CROSSINGS);
    json_t *list = rc_json_list(j, root, "crossovers");
    for (size_t i = 0; i < n; i++) {
        json_t *o = rc_json_object(j, list, NULL);
        rc_json_text(j, o, "transport", c[i].first->transport);
        rc_json_int(j, o, "total_tokens", c[i].first->t + c[i].first->p);
        rc_json_int(j, o, "heads", c[i].first->hq);
        rc_json_int(j, o, "kv_heads", c[i].first->hkv);
        rc_json_real(j, o, "measured_t", c[i].measured);
        rc_json_real(j, o, "known", c[i].known);
        rc_json_bool(j, o, "resolved", rc_crossover_resolved(&c[i]));
        rc_json_int(j, o, "sms", c[i].first->sms);
        rc_json_int(j, o, "ctas", c[i].first->ctas);
        rc_json_real(j, o, "predicted_t", c[i].predicted);
    }
    list = rc_json_list(j, root, "cases");
    for (size_t i = 0; i < r->n; i++)
        put_case(j, list, r, &r->v[i]);
    if (strcmp(path, "-") == 0)
        return rc_json_finish(j, stdout, err);
    return rc_json_finish_as(j, path, overwrite, err);
}

/* ---- picture --------------------------------------------------------------------------------- */

enum { SERIES = RC_SET_COUNT + 2 };                 /* seen, unseen, then the baselines of all */
static const double BAND = 5.0, LEAST_RANGE = 15.0; /* of the lower panel, per cent */

/* The largest residual of Ringcast's own, which the lower panel holds. */
static double residual_range(const rc_runs *r) {
    double most = LEAST_RANGE;
    for (size_t i = 0; i < r->n; i++) {
        const double off = 100.0 * fabs(r->v[i].time[0] / r->v[i].measured - 1.0);
        most = isfinite(off) ? fmax(most, 1.05 * off) : most;
    }
    return most;
}

/* x, what was predicted, and the residual in per cent. */
static void put_series(const rc_runs *r, int k, double *lo, double *hi, FILE *data) {
    (void)fputs("1 - -\n", data);
    for (size_t i = 0; i < r->n; i++) {
        const rc_measured_run *x = &r->v[i];
        const double y = x->time[k < RC_SET_COUNT ? 0 : k - RC_SET_COUNT + 1];
        if (!isfinite(y) || (k < RC_SET_COUNT && (int)x->set != k))
            continue;
        (void)fprintf(data, "%.6g %.6g %.6g\n", 1e3 * x->measured, 1e3 * y,
                      100.0 * (y / x->measured - 1.0));
        *lo = fmin(*lo, 1e3 * fmin(x->measured, y));
        *hi = fmax(*hi, 1e3 * fmax(x->measured, y));
    }
    rc_plot_next(data);
}

/* Times over four decades do not show a few per cent; the residuals below them do. */
static void draw(const void *ctx, FILE *script, FILE *data) {
    const rc_runs *r = ctx;
    double lo = INFINITY, hi = 0.0;
    for (int k = 0; k < SERIES; k++)
        put_series(r, k, &lo, &hi, data);
    if (!(hi > 0.0))
        lo = 0.1, hi = 10.0;
    (void)fputs("set label 1 'Whole passes on GPUs: forecast from kernels and transfers alone, and "
                "measured' at screen 0.5, screen 0.975 center font ',16'\n"
                "set multiplot\nset lmargin at screen 0.11\nset rmargin at screen 0.97\n"
                "set tmargin at screen 0.94\nset bmargin at screen 0.42\nset key top left\n",
                script);
    rc_plot_log_axis(script, 'x', lo / 1.5, hi * 1.5);
    rc_plot_log_axis(script, 'y', lo / 1.5, hi * 1.5);
    (void)fputs(
        "set format x ''\nset xtics format ''\nset ylabel 'forecast, ms'\n"
        "plot x with lines lw 1.5 lc rgb '#888888' title 'equal', "
        "'validation.dat' index 2 using 1:2 with points pt 2 lc rgb '#E69F00' title "
        "'roofline, times one fitted constant', "
        "'' index 3 using 1:2 with points pt 1 lc rgb '#CC79A7' title "
        "'alpha-beta, times one fitted constant', "
        "'' index 0 using 1:2 with points pt 6 lc rgb '#0072B2' title 'Ringcast, seen while it was "
        "made', '' index 1 using 1:2 with points pt 7 lc rgb '#009E73' title 'Ringcast, drawn "
        "after the model was frozen'\nunset label\nset key off\n"
        "set tmargin at screen 0.36\nset bmargin at screen 0.1\nunset logscale y\n",
        script);
    rc_plot_log_axis(script, 'x', lo / 1.5, hi * 1.5);
    (void)fprintf(
        script,
        "set yrange [%g:%g]\nset ytics autofreq\nset xlabel 'measured, ms'\n"
        "set ylabel 'residual, %%'\n"
        "plot %g with filledcurves y1=%g lc rgb '#eeeeee' notitle, 0 with lines lw 1.5 lc rgb "
        "'#888888' notitle, 'validation.dat' index 0 using 1:3 with points pt 6 lc rgb "
        "'#0072B2' notitle, '' index 1 using 1:3 with points pt 7 lc rgb '#009E73' notitle\n"
        "unset multiplot\n",
        -residual_range(r), residual_range(r), BAND, -BAND);
}

rc_status rc_runs_plot(const rc_runs *r, const char *dir, bool overwrite, bool *drawn,
                       rc_error *err) {
    rc_plot plot = {"validation", 900, 900, draw};
    return rc_gnuplot(&plot, 1, r, dir, overwrite, drawn, err);
}
