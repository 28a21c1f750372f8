/* Scenarios over a range of rates, and where each begins to give way.
 *
 * The knee is the least rate at which an objective of the SLO is no longer met: too few of the
 * requests keep its limit, where one that is rejected or lost keeps nothing. Between the two rates
 * on either side, logarithms of rate and of the objective's value are interpolated, or, where too
 * few are served for a value, the share that keeps the limit. A scenario without an SLO gives way
 * where p95 TTFT of all requests is twice what it is at the lowest rate.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/parallel.h"
#include "sim/base/style.h"
#include "sim/base/table.h"
#include "sim/cost/basis.h"
#include "sim/plot/gnuplot.h"
#include "sim/plot/plot_axes.h"
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
    return rc_fail_file(err, RC_E_USAGE, "--rates",
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
            return rc_fail_file(err, RC_E_USAGE, "--rates",
                                "found '%s' in %d points, expected low..high in 2 to %d points",
                                text, n, RC_CURVE_POINTS);
        for (int i = 0; i < n; i++)
            out[i] = low * pow(high / low, (double)i / (n - 1));
        *count = n;
        return RC_OK;
    }
    for (const char *at = text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        if (*count == RC_CURVE_POINTS)
            return rc_fail_file(err, RC_E_USAGE, "--rates", "more than %d rates", RC_CURVE_POINTS);
        RC_TRY(rate_of(at, strcspn(at, ","), &out[*count], err));
        if (*count > 0 && out[*count] <= out[*count - 1])
            return rc_fail_file(err, RC_E_USAGE, "--rates", "rates must rise, found '%s'", text);
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
    rc_serve_options o = {.costs = w->costs[line], .seed = w->seed, .quiet = true, .work = true};
    RC_TRY(rc_serve_workload(c->serve, w->seed, c->points[at].rate, &trace, err));
    rc_status st = rc_serve_run(c->serve, trace, &o, c->points[at].result, err);
    rc_trace_free(trace);
    return st;
}

/* s: a quantile over all requests, of which `unserved` have no value: INFINITY among those. */
static double of_all(const rc_hist *h, double q, uint64_t unserved) {
    uint64_t all = h->count + unserved;
    double rank = ceil(q * (double)all);
    if (all == 0)
        return NAN;
    if (rank > (double)h->count)
        return INFINITY;
    return rc_hist_quantile(h, fmax(rank - 0.5, 0.5) / (double)h->count) / RC_PS_PER_S;
}

static double ttft_of_all(const rc_serve_result *r, double q) {
    return of_all(&r->ttft, q, r->requests - r->ttft.count);
}

static double ttit_of_all(const rc_serve_result *r, double q) {
    return of_all(&r->ttit, q, r->rejected + r->lost);
}

#define TAIL 0.95
#define KNEE 2.0 /* times the p95 TTFT at the lowest rate, where there is no SLO */

/* What one objective shows at one rate. */
typedef struct shown {
    bool met;
    double value, limit; /* s */
    double kept, share;  /* of the requests */
} shown;

static shown shown_at(const rc_curve *c, int objective, int i) {
    const rc_serve_result *r = c->points[i].result;
    if (c->serve->objective_count == 0) {
        shown v = {.value = ttft_of_all(r, TAIL), .share = TAIL};
        v.limit = KNEE * ttft_of_all(c->points[0].result, TAIL);
        v.met = i == 0 || v.value <= v.limit;
        v.kept = (double)r->ttft.count / (double)r->requests;
        return v;
    }
    const rc_objective *g = &c->serve->objectives[objective];
    const rc_objective_result *o = &r->objectives[objective];
    return (shown){.met = rc_objective_met(g, o),
                   .value = rc_objective_value(g, o),
                   .limit = g->limit,
                   .kept = o->asked > 0 ? (double)o->kept / (double)o->asked : 1.0,
                   .share = g->share};
}

/* How far from the last rate that held (0) to the first that does not (1). */
static double crossing(const shown *a, const shown *b) {
    double at = isfinite(b->value) ? log(a->limit / a->value) / log(b->value / a->value)
                                   : (a->kept - a->share) / (a->kept - b->kept);
    return isfinite(at) ? fmin(fmax(at, 0.0), 1.0) : 1.0;
}

static double knee_of_one(const rc_curve *c, int objective) {
    for (int i = 0; i < c->count; i++) {
        shown b = shown_at(c, objective, i);
        if (b.met)
            continue;
        if (i == 0)
            return 0.0;
        shown a = shown_at(c, objective, i - 1);
        double low = c->points[i - 1].rate, high = c->points[i].rate;
        return low * pow(high / low, crossing(&a, &b));
    }
    return INFINITY;
}

static void find_knee(rc_curve *c) {
    assert(c->count >= 1);
    c->knee = INFINITY;
    c->breaks = 0;
    for (int i = 0; i < c->serve->objective_count || i == 0; i++) {
        double at = knee_of_one(c, i);
        if (at >= c->knee)
            continue;
        c->knee = at;
        c->breaks = i;
    }
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
        find_knee(&curves[i]);
    return RC_OK;
}

void rc_curve_free(rc_curve *c) {
    for (int k = 0; k < c->count; k++)
        free(c->points[k].result);
    c->count = 0;
}

/* ---- what they gave ------------------------------------------------------------------- */

/* %, of all requests; NAN without an SLO. */
static double within_slo(const rc_curve *c, int i) {
    const rc_serve_result *r = c->points[i].result;
    return c->serve->objective_count > 0 ? 100.0 * (double)r->within_slo / (double)r->requests
                                         : NAN;
}

static void curve_rows(rc_table *t, const rc_curve *c) {
    for (int k = 0; k < c->count; k++) {
        const rc_serve_result *r = c->points[k].result;
        rc_table_text(t, c->serve->name);
        rc_table_real(t, c->points[k].rate, 5);
        rc_table_real(t, 1e3 * ttft_of_all(r, 0.5), 1);
        rc_table_real(t, 1e3 * ttft_of_all(r, TAIL), 1);
        rc_table_real(t, 1e3 * ttit_of_all(r, 0.5), 2);
        rc_table_real(t, 1e3 * ttit_of_all(r, TAIL), 2);
        rc_table_real(t, rc_hist_quantile(&r->gap, TAIL) / MS, 2);
        rc_table_real(t, within_slo(c, k), 1);
        rc_table_real(t, r->goodput, 4);
        rc_table_real(t, 100.0 * rc_pool_work(r, 0), 1);
        rc_table_real(t, r->pool_count > 1 ? 100.0 * rc_pool_work(r, r->pool_count - 1) : NAN, 1);
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
        {"token_gap_p95_ms", "gaps p95", "ms", RC_RIGHT},
        {"within_slo_pct", "in SLO", "%", RC_RIGHT},
        {"goodput", "goodput", "1/s", RC_RIGHT},
        {"work_pct", "work", "%", RC_RIGHT},
        {"last_work_pct", "last pool", "%", RC_RIGHT},
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
    (void)fprintf(f, "costs of the busy time of %s: %s\n", c->serve->name,
                  rc_basis_text(share, text, sizeof text));
}

static void print_knee(const rc_curve *c, FILE *f) {
    char why[RC_OBJECTIVE_TEXT] = "p95 TTFT twice the first";
    if (c->serve->objective_count > 0)
        (void)rc_objective_text(&c->serve->objectives[c->breaks], why);
    (void)fprintf(f, "%sknee of %s: ", rc_style_on(f, RC_STYLE_ANSWER), c->serve->name);
    if (c->knee <= 0.0)
        (void)fprintf(f, "below %.4g per second (%s)", c->points[0].rate, why);
    else if (isinf(c->knee))
        (void)fprintf(f, "above %.4g per second", c->points[c->count - 1].rate);
    else
        (void)fprintf(f, "%.4g per second (%s)", c->knee, why);
    (void)fprintf(f, "%s\n", rc_style_on(f, RC_STYLE_END));
}

rc_status rc_curve_print(const rc_curve *curves, int count, bool csv, FILE *f, rc_error *err) {
    for (int i = 0; i < count && !csv; i++)
        print_knee(&curves[i], f);
    rc_status st = rc_table_finish(curve_table(curves, count), csv, f, err);
    for (int i = 0; i < count && !csv; i++)
        print_rests(&curves[i], f);
    return st;
}

void rc_curve_json(const rc_curve *curves, int count, rc_json *j, json_t *root) {
    json_t *list = rc_json_list(j, root, "curves");
    for (int i = 0; i < count; i++) {
        json_t *c = rc_json_object(j, list, NULL);
        rc_json_text(j, c, "serve", curves[i].serve->name);
        bool within = curves[i].knee > 0.0 && isfinite(curves[i].knee);
        rc_json_real(j, c, "knee", within ? curves[i].knee : NAN);
        rc_json_text(j, c, "knee_is", within ? "within" : curves[i].knee > 0.0 ? "above" : "below");
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

/* What is not finite is not drawn. */
static void put(FILE *data, double v) {
    if (isfinite(v))
        (void)fprintf(data, " %.8g", v);
    else
        (void)fputs(" -", data);
}

static void draw_data(const picture *p, FILE *data) {
    for (int i = 0; i < p->count; i++) {
        const rc_curve *c = &p->curves[i];
        for (int k = 0; k < c->count; k++) {
            const rc_serve_result *r = c->points[k].result;
            (void)fprintf(data, "%.8g", c->points[k].rate);
            put(data, ttft_of_all(r, 0.5));
            put(data, ttft_of_all(r, TAIL));
            put(data, 1e3 * ttit_of_all(r, 0.5));
            put(data, 1e3 * ttit_of_all(r, TAIL));
            put(data, within_slo(c, k));
            (void)fputc('\n', data);
        }
        rc_plot_next(data);
    }
}

static bool has_knee(const rc_curve *c) {
    return c->knee > 0.0 && isfinite(c->knee);
}

static void draw_knees(const picture *p, FILE *script) {
    (void)fputs("unset arrow\n", script);
    for (int i = 0; i < p->count; i++) {
        const double knee = p->curves[i].knee;
        if (has_knee(&p->curves[i]))
            (void)fprintf(
                script, "set arrow from %.8g, graph 0 to %.8g, graph 1 nohead lt %d lw 1.5 dt 3\n",
                knee, knee, i + 1);
    }
}

/* One legend for all panels: the scenarios with their knees, then what the lines are. */
static void put_legend(const picture *p, FILE *script) {
    for (int i = 0; i < p->count; i++) {
        const rc_curve *c = &p->curves[i];
        (void)fprintf(script, "NaN with lines lt %d title ", i + 1);
        rc_plot_text(script, "%s", c->serve->name);
        if (has_knee(c)) {
            (void)fprintf(script, ", NaN with lines lt %d lw 1.5 dt 3 title ", i + 1);
            rc_plot_text(script, "its knee, %.3g/s", c->knee);
        }
        (void)fputs(", ", script);
    }
    (void)fputs(
        "NaN with linespoints lc rgb '#444444' pt 7 title 'p50', NaN with linespoints lc rgb "
        "'#444444' dt 2 pt 6 title 'p95', ",
        script);
}

/* Columns `column` and the next one: p50 and p95. */
static void draw_lines(const picture *p, FILE *script, int column) {
    for (int i = 0; i < p->count; i++)
        (void)fprintf(script,
                      "'rates.dat' index %d using 1:%d with linespoints lt %d notitle, '' index %d "
                      "using 1:%d with linespoints lt %d dt 2 pt 6 notitle%s",
                      i, column, i + 1, i, column + 1, i + 1, i + 1 < p->count ? ", " : "\n");
}

/* The share of all requests within the SLO. */
static void draw_shares(const picture *p, FILE *script) {
    (void)fputs("plot ", script);
    for (int i = 0; i < p->count; i++)
        (void)fprintf(script, "'rates.dat' index %d using 1:6 with linespoints lt %d notitle%s", i,
                      i + 1, i + 1 < p->count ? ", " : "\n");
}

/* A logarithmic y axis over p50 and p95 of all points. */
static void put_range(const picture *p, bool ttit, FILE *script) {
    double lo = INFINITY, hi = 0.0;
    for (int i = 0; i < p->count; i++)
        for (int k = 0; k < p->curves[i].count; k++) {
            const rc_serve_result *r = p->curves[i].points[k].result;
            const double at[] = {ttit ? 1e3 * ttit_of_all(r, 0.5) : ttft_of_all(r, 0.5),
                                 ttit ? 1e3 * ttit_of_all(r, TAIL) : ttft_of_all(r, TAIL)};
            for (int q = 0; q < 2; q++) {
                lo = isfinite(at[q]) && at[q] > 0.0 ? fmin(lo, at[q]) : lo;
                hi = isfinite(at[q]) ? fmax(hi, at[q]) : hi;
            }
        }
    if (hi > 0.0 && lo < INFINITY)
        rc_plot_log_axis(script, 'y', lo / 1.5, hi * 1.5);
}

#define X_LABEL "set xlabel 'sessions or requests arriving per second'\n"

/* One of the shares within the SLO when a scenario has one. */
static int panels(const picture *p) {
    for (int i = 0; i < p->count; i++)
        if (p->curves[i].serve->objective_count > 0)
            return 3;
    return 2;
}

/* One model on one machine. */
static bool all_alike(const picture *p) {
    const rc_serve *first = p->curves[0].serve;
    for (int i = 1; i < p->count; i++) {
        const rc_serve *s = p->curves[i].serve;
        if (strcmp(s->model.name, first->model.name) != 0 ||
            strcmp(s->machine.name, first->machine.name) != 0)
            return false;
    }
    return true;
}

static void draw(const void *ctx, FILE *script, FILE *data) {
    const picture *p = ctx;
    const rc_curve *c = &p->curves[0];
    draw_data(p, data);
    (void)fputs("set label 1 ", script);
    if (all_alike(p))
        rc_plot_text(script, "%s on %s: latency over load", c->serve->model.name,
                     c->serve->machine.name);
    else
        rc_plot_text(script, "Latency over load");
    (void)fprintf(
        script,
        " at screen 0.5, screen 0.98 center font ',17'\nset multiplot layout %d,1 margins "
        "0.1,0.72,0.07,0.95 spacing 0.05\nset key at screen 0.735, screen 0.95 left top "
        "samplen 2.5\nset ylabel 'TTFT, s'\n",
        panels(p));
    rc_plot_log_axis(script, 'x', 0.9 * c->points[0].rate, 1.1 * c->points[c->count - 1].rate);
    put_range(p, false, script);
    draw_knees(p, script);
    (void)fputs("plot ", script);
    put_legend(p, script);
    draw_lines(p, script, 2);
    (void)fputs("unset label\nset key off\nset ylabel 'TTIT, ms'\n", script);
    put_range(p, true, script);
    if (panels(p) < 3)
        (void)fputs(X_LABEL, script);
    (void)fputs("plot ", script);
    draw_lines(p, script, 4);
    if (panels(p) == 3) {
        (void)fputs("unset logscale y\nset yrange [0:105]\nset ytics autofreq 20\n"
                    "set ylabel 'requests within the SLO, %'\n" X_LABEL,
                    script);
        draw_shares(p, script);
    }
    (void)fputs("unset multiplot\n", script);
}

const char *const rc_curve_plot_names[] = {"rates", NULL};

rc_status rc_curve_plot(const rc_curve *curves, int count, const char *dir, bool overwrite,
                        bool *drawn, rc_error *err) {
    const picture p = {curves, count};
    const rc_plot plot = {rc_curve_plot_names[0], 1100, 1200, draw};
    return rc_gnuplot(&plot, 1, &p, dir, overwrite, drawn, err);
}
