/* Scenarios over a range of rates, and where each begins to give way.
 *
 * The knee is where p95 TTFT crosses the SLO's TTFT (without one: twice its value at the lowest
 * rate), between the two rates on either side by interpolation of both logarithms.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/parallel.h"
#include "sim/base/table.h"
#include "sim/cost/basis.h"
#include "sim/plot/gnuplot.h"
#include "sim/serve/serve_report.h"

#define MS 1e9 /* ps */

/* ---- rates ---------------------------------------------------------------------------- */

#define HIGHEST_RATE 1e9 /* per second, as of `arrivals.rate` */

static rc_status rate_of(const char *text, size_t size, double *out, rc_error *err) {
    char one[64];
    (void)snprintf(one, sizeof one, "%.*s", (int)size, text);
    rc_status st = rc_quantity_parse(one, RC_DIM_RATIO, out, err);
    if (st == RC_OK && *out > 0.0 && *out < HIGHEST_RATE)
        return RC_OK;
    return rc_fail_at(err, RC_E_USAGE, "--rates", 0, 0,
                      "found '%s', expected rates above 0: low..high, or a list a,b,c", one);
}

rc_status rc_curve_rates(const char *text, int n, double *out, int *count, rc_error *err) {
    assert(text != NULL);
    const char *dots = strstr(text, "..");
    *count = 0;
    if (dots) {
        double low, high;
        RC_TRY(rate_of(text, (size_t)(dots - text), &low, err));
        RC_TRY(rate_of(dots + 2, strlen(dots + 2), &high, err));
        if (high <= low || n < 2 || n > RC_CURVE_POINTS)
            return rc_fail_at(err, RC_E_USAGE, "--rates", 0, 0,
                              "found '%s' in %d points, expected low..high in 2 to %d points", text,
                              n, RC_CURVE_POINTS);
        for (int i = 0; i < n; i++)
            out[i] = low * pow(high / low, (double)i / (n - 1));
        *count = n;
        return RC_OK;
    }
    for (const char *at = text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        if (*count == RC_CURVE_POINTS)
            return rc_fail_at(err, RC_E_USAGE, "--rates", 0, 0, "more than %d rates",
                              RC_CURVE_POINTS);
        RC_TRY(rate_of(at, strcspn(at, ","), &out[*count], err));
        if (*count > 0 && out[*count] <= out[*count - 1])
            return rc_fail_at(err, RC_E_USAGE, "--rates", 0, 0, "rates must rise, found '%s'",
                              text);
        (*count)++;
    }
    return RC_OK;
}

/* ---- runs ----------------------------------------------------------------------------- */

typedef struct work {
    rc_curve *curves;
    int rates;
    const rc_costs *const *costs;
    uint64_t seed;
} work;

static rc_status one(void *ctx, size_t item, rc_error *err) {
    const work *w = ctx;
    size_t line = item / (size_t)w->rates, at = item % (size_t)w->rates;
    rc_curve *c = &w->curves[line];
    rc_trace *trace = NULL;
    rc_serve_options o = {.costs = w->costs[line], .seed = w->seed, .quiet = true};
    RC_TRY(rc_serve_workload(c->serve, w->seed, c->points[at].rate, &trace, err));
    rc_status st = rc_serve_run(c->serve, trace, &o, c->points[at].result, err);
    rc_trace_free(trace);
    return st;
}

static double p95_ttft(const rc_curve *c, int i) {
    return rc_hist_quantile(&c->points[i].result->ttft, 0.95) / RC_PS_PER_S;
}

#define KNEE 2.0 /* times the p95 TTFT at the lowest rate, where there is no SLO */

static double knee_of(const rc_curve *c) {
    assert(c->count >= 1);
    double slo = c->serve->slo_ttft, limit = slo > 0.0 ? slo : KNEE * p95_ttft(c, 0);
    if (p95_ttft(c, 0) > limit)
        return NAN;
    for (int i = 1; i < c->count; i++) {
        double a = p95_ttft(c, i - 1), b = p95_ttft(c, i);
        if (b < limit)
            continue;
        double share = log(limit / a) / log(b / a);
        return c->points[i - 1].rate * pow(c->points[i].rate / c->points[i - 1].rate, share);
    }
    return NAN;
}

rc_status rc_curve_run(rc_curve *curves, int curve_count, const double *rates, int rate_count,
                       const rc_costs *const *costs, uint64_t seed, int threads, rc_error *err) {
    assert(rate_count >= 1 && rate_count <= RC_CURVE_POINTS);
    assert(curve_count >= 1 && curve_count <= RC_CURVE_LINES);
    for (int i = 0; i < curve_count; i++) {
        curves[i].count = rate_count;
        for (int k = 0; k < rate_count; k++) {
            curves[i].points[k].rate = rates[k];
            curves[i].points[k].result = calloc(1, sizeof(rc_serve_result));
            if (!curves[i].points[k].result)
                return rc_fail(err, RC_E_NOMEM, "out of memory for a curve");
        }
    }
    work w = {curves, rate_count, costs, seed};
    RC_TRY(rc_parallel((size_t)curve_count * (size_t)rate_count, threads, one, &w, err));
    for (int i = 0; i < curve_count; i++)
        curves[i].knee = knee_of(&curves[i]);
    return RC_OK;
}

void rc_curve_free(rc_curve *c) {
    for (int k = 0; k < c->count; k++)
        free(c->points[k].result);
    c->count = 0;
}

/* ---- what they gave ------------------------------------------------------------------- */

static void curve_rows(rc_table *t, const rc_curve *c) {
    for (int k = 0; k < c->count; k++) {
        const rc_serve_result *r = c->points[k].result;
        const rc_pool_result *p = &r->pools[0], *d = &r->pools[r->pool_count - 1];
        rc_table_text(t, c->serve->name);
        rc_table_real(t, c->points[k].rate, 5);
        rc_table_real(t, rc_hist_quantile(&r->ttft, 0.5) / MS, 1);
        rc_table_real(t, rc_hist_quantile(&r->ttft, 0.95) / MS, 1);
        rc_table_real(t, rc_hist_quantile(&r->ttit, 0.5) / MS, 2);
        rc_table_real(t, rc_hist_quantile(&r->ttit, 0.95) / MS, 2);
        rc_table_real(t, r->goodput, 4);
        rc_table_real(t, 100.0 * p->busy_s / p->up_s, 1);
        rc_table_real(t, r->pool_count > 1 ? 100.0 * d->busy_s / d->up_s : NAN, 1);
        rc_table_real(
            t, 100.0 * (double)r->kv_hit_tokens / (double)(r->kv_hit_tokens + r->kv_miss_tokens),
            1);
        rc_table_int(t, (int64_t)r->done);
        rc_table_int(t, (int64_t)(r->rejected + r->lost));
    }
}

static rc_table *curve_table(const rc_curve *curves, int count) {
    static const rc_column columns[] = {
        {"serve", "scenario", "", RC_LEFT},
        {"rate", "rate", "1/s", RC_RIGHT},
        {"ttft_p50_ms", "TTFT p50", "ms", RC_RIGHT},
        {"ttft_p95_ms", "TTFT p95", "ms", RC_RIGHT},
        {"ttit_p50_ms", "TTIT p50", "ms", RC_RIGHT},
        {"ttit_p95_ms", "TTIT p95", "ms", RC_RIGHT},
        {"goodput", "goodput", "1/s", RC_RIGHT},
        {"busy_pct", "busy", "%", RC_RIGHT},
        {"decode_busy_pct", "last pool", "%", RC_RIGHT},
        {"kv_hit_pct", "KV hits", "%", RC_RIGHT},
        {"done", "done", "", RC_RIGHT},
        {"not_done", "not done", "", RC_RIGHT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    for (int i = 0; i < count; i++)
        curve_rows(t, &curves[i]);
    return t;
}

/* Over all rates: every point is made of the same costs. */
static void print_rests(const rc_curve *c, FILE *f) {
    double share[RC_BASIS_COUNT], sum[RC_BASIS_COUNT] = {0.0};
    char text[RC_BASIS_TEXT];
    for (int k = 0; k < c->count; k++) {
        rc_serve_rests(c->points[k].result, share);
        for (int b = 0; b < RC_BASIS_COUNT; b++)
            sum[b] += share[b];
    }
    rc_basis_share(sum, share);
    (void)fprintf(f, "busy time of %s rests on: %s\n", c->serve->name,
                  rc_basis_text(share, text, sizeof text));
}

rc_status rc_curve_print(const rc_curve *curves, int count, FILE *f, rc_error *err) {
    rc_status st = rc_table_finish(curve_table(curves, count), false, f, err);
    for (int i = 0; i < count; i++)
        print_rests(&curves[i], f);
    for (int i = 0; i < count; i++) {
        if (isnan(curves[i].knee))
            (void)fprintf(f, "knee of %s: not within these rates\n", curves[i].serve->name);
        else
            (void)fprintf(f, "knee of %s: %.4g per second (p95 TTFT %s)\n", curves[i].serve->name,
                          curves[i].knee,
                          curves[i].serve->slo_ttft > 0.0 ? "at the SLO" : "twice the first");
    }
    return st;
}

void rc_curve_json(const rc_curve *curves, int count, rc_json *j, json_t *root) {
    json_t *list = rc_json_list(j, root, "curves");
    for (int i = 0; i < count; i++) {
        json_t *c = rc_json_object(j, list, NULL);
        rc_json_text(j, c, "serve", curves[i].serve->name);
        rc_json_real(j, c, "knee", curves[i].knee);
        json_t *points = rc_json_list(j, c, "points");
        for (int k = 0; k < curves[i].count; k++) {
            json_t *p = rc_json_object(j, points, NULL);
            rc_json_real(j, p, "rate", curves[i].points[k].rate);
            rc_serve_json(curves[i].serve, curves[i].points[k].result, j, p);
        }
    }
}

/* ---- picture -------------------------------------------------------------------------- */

typedef struct picture {
    const rc_curve *curves;
    int count;
} picture;

static void draw_data(const picture *p, FILE *data) {
    for (int i = 0; i < p->count; i++) {
        const rc_curve *c = &p->curves[i];
        for (int k = 0; k < c->count; k++) {
            const rc_serve_result *r = c->points[k].result;
            (void)fprintf(data, "%.8g %.8g %.8g %.8g %.8g\n", c->points[k].rate,
                          rc_hist_quantile(&r->ttft, 0.5) / RC_PS_PER_S,
                          rc_hist_quantile(&r->ttft, 0.95) / RC_PS_PER_S,
                          rc_hist_quantile(&r->ttit, 0.5) / MS,
                          rc_hist_quantile(&r->ttit, 0.95) / MS);
        }
        rc_plot_next(data);
    }
}

static void draw_knees(const picture *p, FILE *script, bool labelled) {
    (void)fputs("unset arrow\nunset label\n", script);
    for (int i = 0; i < p->count; i++) {
        double knee = p->curves[i].knee;
        if (isnan(knee))
            continue;
        (void)fprintf(script,
                      "set arrow from %.8g, graph 0 to %.8g, graph 1 nohead lt %d lw 1.5 dt 3\n",
                      knee, knee, i + 1);
        if (labelled)
            (void)fprintf(
                script, "set label 'knee %.3g/s' at %.8g, graph %.3g left offset 0.5,0 tc lt %d\n",
                knee, knee, 0.95 - 0.07 * i, i + 1);
    }
}

static void draw_lines(const picture *p, FILE *script, int column) {
    (void)fputs("plot ", script);
    for (int i = 0; i < p->count; i++) {
        const char *name = p->curves[i].serve->name;
        (void)fprintf(script, "'rates.dat' index %d using 1:%d with linespoints lt %d title ", i,
                      column, i + 1);
        rc_plot_text(script, "%s, p50", name);
        (void)fprintf(script,
                      ", 'rates.dat' index %d using 1:%d with linespoints lt %d dt 2 pt 6 title ",
                      i, column + 1, i + 1);
        rc_plot_text(script, "%s, p95", name);
        (void)fputs(i + 1 < p->count ? ", " : "\n", script);
    }
}

static void draw(const void *ctx, FILE *script, FILE *data) {
    const picture *p = ctx;
    const rc_curve *c = &p->curves[0];
    draw_data(p, data);
    (void)fputs("set multiplot layout 2,1 title ", script);
    rc_plot_text(script, "%s on %s", c->serve->model.name, c->serve->machine.name);
    (void)fprintf(script, " font ',17'\nset xrange [%.8g:%.8g]\n", 0.9 * c->points[0].rate,
                  1.1 * c->points[c->count - 1].rate);
    (void)fputs("set logscale xy\nset key outside right top\nset rmargin 30\nset lmargin 12\n"
                "set format x '%g'\nset format y '%g'\nset ylabel 'TTFT, s'\n",
                script);
    draw_knees(p, script, true);
    draw_lines(p, script, 2);
    (void)fputs("set ylabel 'TTIT (token gaps), ms'\n"
                "set xlabel 'sessions or requests arriving per second'\n",
                script);
    draw_knees(p, script, false);
    draw_lines(p, script, 4);
    (void)fputs("unset multiplot\n", script);
}

const char *const rc_curve_plot_names[] = {"rates", NULL};

rc_status rc_curve_plot(const rc_curve *curves, int count, const char *dir, bool overwrite,
                        bool *drawn, rc_error *err) {
    const picture p = {curves, count};
    const rc_plot plot = {rc_curve_plot_names[0], 1100, 900, draw};
    return rc_gnuplot(&plot, 1, &p, dir, overwrite, drawn, err);
}
