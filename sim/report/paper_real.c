/* Table 4 as real GPUs ran it: the ratio of pass-Q to pass-KV, in the paper, in the forecast of the
 * paper and in runs of `ringcast-calib ring`, and where each crosses 1. A run is one layer of one
 * ring group, so its times are not the paper's; ratios are what can be set side by side.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/base/file.h"
#include "sim/base/table.h"
#include "sim/plot/gnuplot.h"
#include "sim/report/paper_internal.h"
#include "sim/validate/validate.h"

enum { MOST_POINTS = 32, MOST_SERIES = 12, PAPER = 0, FORECAST = 1, FIRST_REAL = 2 };

typedef struct series {
    const rc_measured_run *run;             /* any run of it; NULL: not a real one */
    double kv[MOST_POINTS], q[MOST_POINTS]; /* at t[i]; NaN where there is none */
} series;

typedef struct real {
    int64_t t[MOST_POINTS]; /* new tokens, ascending */
    size_t points, count;
    series s[MOST_SERIES];
} real;

static double ratio(const series *s, size_t i) {
    return s->q[i] / s->kv[i];
}

static bool is_time(const rc_paper_row *r) {
    return strcmp(r->table, "4") == 0 && strcmp(r->metric, "ttft") == 0;
}

static size_t find(const real *x, int64_t t) {
    size_t i = 0;
    while (i < x->points && x->t[i] != t)
        i++;
    return i;
}

static series *open_series(real *x, const rc_measured_run *run) {
    if (x->count == MOST_SERIES)
        return NULL;
    series *s = &x->s[x->count++];
    s->run = run;
    for (size_t i = 0; i < MOST_POINTS; i++)
        s->kv[i] = s->q[i] = NAN;
    return s;
}

static rc_status from_paper(const rc_paper *p, real *x, rc_error *err) {
    for (size_t i = 0; i < p->count; i++) {
        int64_t t = p->rows[i].t;
        if (!is_time(&p->rows[i]) || find(x, t) < x->points)
            continue;
        if (x->points == MOST_POINTS)
            return rc_fail(err, RC_E_INPUT, "Table 4 has more than %d rows", MOST_POINTS);
        size_t at = x->points++;
        for (; at > 0 && x->t[at - 1] > t; at--)
            x->t[at] = x->t[at - 1];
        x->t[at] = t;
    }
    series *paper = open_series(x, NULL), *forecast = open_series(x, NULL);
    for (size_t i = 0; i < p->count; i++) {
        const rc_paper_row *r = &p->rows[i];
        if (!is_time(r))
            continue;
        size_t at = find(x, r->t);
        bool kv = r->schedule == &rc_schedule_pass_kv;
        (kv ? paper->kv : paper->q)[at] = r->paper;
        (kv ? forecast->kv : forecast->q)[at] = r->predicted;
    }
    return RC_OK;
}

static bool alike(const rc_measured_run *a, const rc_measured_run *b) {
    return strcmp(a->machine, b->machine) == 0 && strcmp(a->transport, b->transport) == 0 &&
           a->sms == b->sms && a->ctas == b->ctas && a->graph == b->graph && a->cp == b->cp &&
           a->tp == b->tp && a->hq == b->hq && a->hkv == b->hkv && a->width == b->width &&
           a->ffn == b->ffn && a->layers == b->layers;
}

static rc_status from_run(real *x, const rc_measured_run *run, rc_error *err) {
    bool kv = rc_run_is(run, &rc_schedule_pass_kv), q = rc_run_is(run, &rc_schedule_pass_q);
    size_t at = find(x, run->t), k = FIRST_REAL;
    if ((!kv && !q) || at == x->points || run->t + run->p != RC_PAPER_TOTAL || run->batch != 1)
        return rc_fail(err, RC_E_INPUT,
                       "case \"%s\" is no row of Table 4: pass-kv or pass-q, one sequence, T of "
                       "%d tokens new as in the table",
                       run->name, RC_PAPER_TOTAL);
    while (k < x->count && !alike(x->s[k].run, run))
        k++;
    series *s = k < x->count ? &x->s[k] : open_series(x, run);
    if (!s)
        return rc_fail(err, RC_E_INPUT, "more than %d kinds of runs", MOST_SERIES - FIRST_REAL);
    (kv ? s->kv : s->q)[at] = run->measured;
    return RC_OK;
}

/* ---- where it crosses ------------------------------------------------------------------------ */

/* T at which the ratio first passes 1, linear in log T between rows; NaN when it does not. `times`
 * says how often it does. */
static double crossing(const real *x, const series *s, int *times) {
    double first = NAN, last_t = NAN, last = NAN;
    *times = 0;
    for (size_t i = 0; i < x->points; i++) {
        double y = ratio(s, i), t = log((double)x->t[i]);
        if (!isfinite(y))
            continue;
        if (isfinite(last) && (last < 1.0) != (y < 1.0) && ++*times == 1)
            first = exp(last_t + (1.0 - last) / (y - last) * (t - last_t));
        last = y;
        last_t = t;
    }
    return first;
}

/* ---- shown ----------------------------------------------------------------------------------- */

static void name(const real *x, size_t k, char *out, size_t size) {
    const rc_measured_run *r = x->s[k].run;
    char sms[16] = "", ctas[16] = "";
    if (!r) {
        (void)snprintf(out, size, k == PAPER ? "paper" : "forecast");
        return;
    }
    if (r->sms)
        (void)snprintf(sms, sizeof sms, "@sms%d", r->sms);
    if (r->ctas)
        (void)snprintf(ctas, sizeof ctas, "@ctas%d", r->ctas);
    (void)snprintf(out, size, "%s%s%s", r->transport, sms, ctas);
}

static rc_status print_ratios(const real *x, FILE *f, rc_error *err) {
    char text[48];
    static const rc_column columns[] = {
        {"t", "T", "tokens", RC_RIGHT},
        {"miss_pct", "T/(T+P)", "%", RC_RIGHT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(t, "Table 4: time of pass-Q over that of pass-KV, T of %d tokens new, CP4",
                  RC_PAPER_TOTAL);
    for (size_t k = 0; k < x->count; k++) {
        name(x, k, text, sizeof text);
        rc_table_column(t, text, text, "", RC_RIGHT);
    }
    for (size_t i = 0; i < x->points; i++) {
        rc_table_int(t, x->t[i]);
        rc_table_real(t, 100.0 * (double)x->t[i] / RC_PAPER_TOTAL, 1);
        for (size_t k = 0; k < x->count; k++)
            rc_table_real(t, ratio(&x->s[k], i), 3);
    }
    return rc_table_finish(t, false, f, err);
}

static void describe(const real *x, size_t k, rc_table *t) {
    const rc_measured_run *r = x->s[k].run;
    if (k == PAPER)
        rc_table_text(t, "printed: 405B, CP4 x TP8, 32 H100");
    else if (k == FORECAST)
        rc_table_text(t, "simulated: the same");
    else
        rc_table_textf(t, "run: %d layer%s, %d query heads on %d, CP%d, %s, bf16, attention on %s",
                       r->layers, r->layers == 1 ? "" : "s", r->hq, r->hkv, r->cp, r->machine,
                       r->sms ? "fewer SMs than all" : "all SMs");
}

static rc_status print_crossings(const real *x, FILE *f, rc_error *err) {
    char text[48];
    int times;
    static const rc_column columns[] = {
        {"series", "series", "", RC_LEFT},
        {"t", "T", "tokens", RC_RIGHT},
        {"crossings", "crossings", "", RC_RIGHT},
        {"what", "what", "", RC_LEFT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(t, "where pass-Q and pass-KV take as long, linear in log T between rows");
    for (size_t k = 0; k < x->count; k++) {
        name(x, k, text, sizeof text);
        rc_table_text(t, text);
        rc_table_real(t, crossing(x, &x->s[k], &times), 0);
        rc_table_int(t, times);
        describe(x, k, t);
    }
    return rc_table_finish(t, false, f, err);
}

/* ---- drawn ----------------------------------------------------------------------------------- */

static void write_data(const real *x, FILE *data) {
    for (size_t k = 0; k < x->count; k++) {
        for (size_t i = 0; i < x->points; i++)
            if (isfinite(ratio(&x->s[k], i)))
                (void)fprintf(data, "%lld %.6g\n", (long long)x->t[i], ratio(&x->s[k], i));
        rc_plot_next(data);
    }
}

static void title(const real *x, size_t k, char *out, size_t size) {
    static const char *const keys[][2] = {
        {"nvlink", "NVLink"}, {"shm", "host memory"}, {"socket", "sockets"}};
    const rc_measured_run *r = x->s[k].run;
    char sms[16] = "all", ctas[24] = "";
    if (!r) {
        (void)snprintf(out, size, k == PAPER ? "paper, Table 4" : "forecast of the paper");
        return;
    }
    const char *over = r->transport;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(over, keys[i][0]) == 0)
            over = keys[i][1];
    if (r->sms)
        (void)snprintf(sms, sizeof sms, "%d", r->sms);
    if (r->ctas)
        (void)snprintf(ctas, sizeof ctas, ", %d CTAs", r->ctas);
    (void)snprintf(out, size, "run, %s, %s SMs%s", over, sms, ctas);
}

static void draw(const void *ctx, FILE *script, FILE *data) {
    const real *x = ctx;
    char text[80];
    write_data(x, data);
    (void)fputs("set multiplot layout 1,2\nset logscale xy\nset xrange [1100:150000]\n"
                "set xtics ('1280' 1280, '3200' 3200, '6400' 6400, '12.8K' 12800, '38.4K' 38400, "
                "'128K' 128000)\nset xlabel 'T, new tokens of 128,000'\n"
                "set ylabel 'time of pass-Q / time of pass-KV'\nset key top left\n",
                script);
    for (int panel = 0; panel < 2; panel++) {
        (void)fputs(panel == 0
                        ? "set title 'Table 4 in the paper, forecast and run'\n"
                          "set yrange [0.18:10]\n"
                          "set ytics (0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7)\n"
                        : "set title 'The same, near 1'\nset yrange [0.8:1.25]\n"
                          "set ytics 0.8, 0.05, 1.25\nset ytics (0.8, 0.85, 0.9, 0.95, 1, 1.05, "
                          "1.1, 1.15, 1.2, 1.25)\nunset key\n",
                    script);
        (void)fputs("plot 1 with lines dt 2 lw 1.5 lc rgb '#888888' notitle", script);
        for (size_t k = 0; k < x->count; k++) {
            title(x, k, text, sizeof text);
            (void)fprintf(script,
                          ", 'table4.dat' index %zu using 1:2 with linespoints lt %zu "
                          "lw %d pt %zu ps 1.3 title ",
                          k, k + 1, k < FIRST_REAL ? 4 : 2, k + 4);
            rc_plot_text(script, "%s", text);
        }
        (void)fputc('\n', script);
    }
    (void)fputs("unset multiplot\n", script);
}

static const char *const stems[] = {"table4", NULL};

static rc_status picture(const real *x, const char *dir, bool overwrite, FILE *f, rc_error *err) {
    rc_plot plot = {stems[0], 1500, 700, draw};
    bool drawn = false;
    RC_TRY(rc_gnuplot(&plot, 1, x, dir, overwrite, &drawn, err));
    (void)fprintf(f,
                  drawn ? "# wrote %s/table4.png and .svg\n"
                        : "# no picture in %s: gnuplot is not there\n",
                  dir);
    return RC_OK;
}

rc_status rc_paper_real_may_write(const char *dir, bool overwrite, rc_error *err) {
    return rc_plot_check(stems, dir, overwrite, err);
}

rc_status rc_paper_real(const rc_paper *p, const char *runs, const char *dir, bool overwrite,
                        FILE *f, rc_error *err) {
    assert(runs != NULL && f != NULL);
    real x = {.points = 0};
    rc_runs r = {0};
    RC_TRY(from_paper(p, &x, err));
    rc_status st = rc_runs_read(&r, runs, err);
    for (size_t i = 0; st == RC_OK && i < r.n; i++)
        st = from_run(&x, &r.v[i], err);
    if (st == RC_OK)
        st = print_ratios(&x, f, err);
    if (st == RC_OK)
        st = print_crossings(&x, f, err);
    if (st == RC_OK && dir)
        st = picture(&x, dir, overwrite, f, err);
    rc_runs_free(&r);
    return st;
}
