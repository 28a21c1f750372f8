/* How good: MFU, and predicted against printed TTFT.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>
#include "sim/report/paper_plots.h"

/* Tokens, MFU, its p5 and p95: a share of a rate, so the quantiles of the time swap. */
static void band_line(FILE *data, const rc_job *j) {
    const rc_forward *f = &j->result;
    bool drawn = j->draws && f->p5 > 0.0 && f->p95 > 0.0;
    (void)fprintf(data, "%lld %.6g %.6g %.6g\n", (long long)j->t, 100.0 * f->mfu,
                  100.0 * f->mfu * (drawn ? f->time / f->p95 : 1.0),
                  100.0 * f->mfu * (drawn ? f->time / f->p5 : 1.0));
}

static void mfu_line(const rc_paper *p, int job, FILE *data) {
    if (job != RC_JOB_NONE && p->jobs[job].status == RC_OK)
        band_line(data, &p->jobs[job]);
}

void rc_plot_mfu(const void *paper, FILE *script, FILE *data) {
    const rc_paper *p = paper;
    const rc_figures *f = &p->figures;
    for (int n = 0; n < RC_FIG6A_CPS; n++) { /* CP1, 2, 4, 8 up to 128K; CP8 goes on */
        (void)fputs("1 - - -\n", data);
        for (int c = 0; c < RC_FIG_CONTEXTS; c++)
            mfu_line(p, f->fig6a[n][c], data);
        for (int c = 1; c < RC_FIG8_CONTEXTS && n == RC_FIG6A_CPS - 1; c++)
            mfu_line(p, f->fig8[0][c], data);
        rc_plot_next(data);
    }
    (void)fputs("1 - - -\n", data);
    for (int c = 0; c < RC_FIG8_CONTEXTS; c++)
        mfu_line(p, f->fig8[1][c], data);
    rc_plot_next(data);
    int row = rc_paper_find(p, "pt:mfu_1m"), alone = rc_paper_find(p, "pt:fa3_8k");
    if (row >= 0)
        (void)fprintf(data, "%lld %.6g\n", (long long)p->rows[row].t, p->rows[row].paper);
    double peak = p->machine[RC_PAPER_GTT].bf16_rate / 1e12;
    double standalone = alone < 0 ? NAN : 100.0 * p->rows[alone].predicted / peak;
    (void)fprintf(script,
                  "set title \"Model FLOP utilisation of full prefill, ring pass-KV, on Grand "
                  "Teton Training\\n"
                  "{/*0.8 (GTT) of %.0f TFLOP/s, the bf16 peak of a GPU, though products of the "
                  "FFN are fp8}\"\n",
                  peak);
    (void)fputs(
        "set logscale x\nset xrange [1700:1200000]\nset yrange [0:80]\n"
        "set xlabel 'context length, tokens'\nset ylabel 'MFU, %'\n"
        "set xtics ('2K' 2000, '4K' 4000, '8K' 8000, '16K' 16000, '32K' 32000, '64K' 64000, "
        "'128K' 128000, '256K' 256000, '512K' 512000, '1M' 1000000)\nset key below maxrows "
        "3\nplot ",
        script);
    for (int n = 0; n <= RC_FIG6A_CPS; n++)
        rc_plot_band(script, "mfu", n, 3, n + 1);
    if (isfinite(standalone))
        (void)fprintf(script,
                      "%.6g with lines dt 2 lw 1.5 lc rgb '#888888' title 'attention alone, 8K', ",
                      standalone);
    for (int n = 0; n <= RC_FIG6A_CPS; n++)
        (void)fprintf(script, "'mfu.dat' index %d using 1:2 with linespoints lt %d title 'CP%d', ",
                      n, n + 1, n < RC_FIG6A_CPS ? rc_fig_nodes[n] : 16);
    (void)fprintf(script,
                  "'mfu.dat' index %d using 1:2 with points lt %d pt 4 ps 2.6 lw 2 title "
                  "'printed in the paper (CP16, 1M)'",
                  RC_FIG6A_CPS + 1, RC_FIG6A_CPS + 1);
    rc_plot_band_key(script);
    (void)fputc('\n', script);
}

/* ---- parity ---------------------------------------------------------------------------------- */

typedef struct series {
    const char *table;
    const rc_schedule *schedule; /* NULL: any */
    const char *title;
    int color, filled, open; /* point types */
} series;

static const series all_series[] = {
    {"4", &rc_schedule_pass_kv, "Table 4, pass-KV", 1, 7, 6},
    {"4", &rc_schedule_pass_q, "Table 4, pass-Q", 2, 5, 4},
    {"6", NULL, "Table 6", 3, 9, 8},
    {"7", NULL, "Table 7", 4, 11, 10},
    {"points", NULL, "CP8, CP16", 5, 13, 12},
};
enum { SERIES = sizeof all_series / sizeof all_series[0] };

static bool in_series(const rc_paper_row *r, const series *s) {
    return r->scored && r->duplicate_of < 0 && strcmp(r->metric, "ttft") == 0 &&
           strcmp(r->table, s->table) == 0 && (!s->schedule || r->schedule == s->schedule);
}

/* Half the height of the lower panel: all errors and intervals, rounded up, at least 15 %. */
static double largest_error(const rc_paper *p) {
    double most = 15.0;
    for (size_t i = 0; i < p->count; i++) {
        const rc_paper_row *r = &p->rows[i];
        const double ends[] = {r->predicted, r->p5, r->p95};
        for (int k = 0; k < 3 * SERIES; k++)
            if (in_series(r, &all_series[k / 3]) && isfinite(ends[k % 3]))
                most = fmax(most, 5.0 * ceil(20.0 * fabs(ends[k % 3] / r->paper - 1.0)));
    }
    return most;
}

/* Index 2s: predicted rows of the series, 2s+1: fitted ones; printed s, predicted s, error %, p5,
 * p95. */
static void parity_data(const rc_paper *p, FILE *data) {
    for (int s = 0; s < SERIES; s++) {
        for (int fitted = 0; fitted < 2; fitted++) {
            (void)fputs("1 - - - -\n", data);
            for (size_t i = 0; i < p->count; i++) {
                const rc_paper_row *r = &p->rows[i];
                double to_s = 1.0 / p->plans[i].scale;
                if (!in_series(r, &all_series[s]) || r->fitted != (fitted == 1) ||
                    !isfinite(r->predicted))
                    continue;
                double p5 = isfinite(r->p5) ? r->p5 : r->predicted;
                double p95 = isfinite(r->p95) ? r->p95 : r->predicted;
                (void)fprintf(data, "%.6g %.6g %.5g %.5g %.5g\n", r->paper * to_s,
                              r->predicted * to_s, r->error_pct, 100.0 * (p5 / r->paper - 1.0),
                              100.0 * (p95 / r->paper - 1.0));
            }
            rc_plot_next(data);
        }
    }
}

static void parity_points(FILE *f, int column, bool titled) {
    for (int s = 0; s < SERIES; s++) {
        const series *x = &all_series[s];
        (void)fprintf(f, ", 'ttft-parity.dat' index %d using 1:%d with points pt %d ps 1.5 lc %d ",
                      2 * s, column, x->filled, x->color);
        if (titled)
            (void)fprintf(f, "title '%s'", x->title);
        else
            (void)fputs("notitle", f);
        (void)fprintf(
            f,
            ", 'ttft-parity.dat' index %d using 1:%d with points pt %d ps 1.7 lw 2.2 lc %d "
            "notitle",
            2 * s + 1, column, x->open, x->color);
    }
}

void rc_plot_parity(const void *paper, FILE *script, FILE *data) {
    const rc_paper *p = paper;
    const rc_paper_summary *s = &p->summary;
    double most = largest_error(p);
    parity_data(p, data);
    (void)fprintf(
        script,
        "set multiplot title \"TTFT, predicted against printed\\n{/*0.8 mean absolute error "
        "%.1f %% over all %d rows, %.1f %% over the %d that nothing was fitted on}\" font ',17'\n",
        s->ttft_mape_all, s->ttft_rows_all, s->ttft_mape_predicted, s->ttft_rows_predicted);
    (void)fputs(
        "set logscale xy\nset xrange [0.7:100]\nset yrange [0.7:100]\nset lmargin 10\n"
        "set xtics (1, 2, 5, 10, 20, 50, 100)\nset ytics (1, 2, 5, 10, 20, 50, 100)\n"
        "set size 1,0.54\nset origin 0,0.38\nset format x ''\nset ylabel 'predicted TTFT, s'\n"
        "set key top left\nset samples 200\n"
        "plot '+' using 1:($1*0.9):($1*1.1) with filledcurves fc rgb '#eeeeee' title '± 10 %', "
        "'+' using 1:($1*0.95):($1*1.05) with filledcurves fc rgb '#d8d8d8' title '± 5 %', "
        "x with lines lw 1.2 lc rgb '#888888' notitle",
        script);
    parity_points(script, 2, true);
    (void)fputs(", NaN with points pt 6 ps 1.7 lw 2.2 lc rgb '#555555' title 'hollow: fitted on'\n"
                "unset logscale y\nset format x '%g'\nset size 1,0.40\nset origin 0,0\nset xlabel "
                "'printed TTFT, s'\n"
                "set ylabel 'error, %'\nset ytics 10\nunset key\n",
                script);
    (void)fprintf(script, "set yrange [-%g:%g]\n", most, most);
    (void)fputs("plot '+' using 1:(-10):(10) with filledcurves fc rgb '#eeeeee' notitle, "
                "'+' using 1:(-5):(5) with filledcurves fc rgb '#d8d8d8' notitle, "
                "0 with lines lw 1.2 lc rgb '#888888' notitle",
                script);
    for (int k = 0; k < 2 * SERIES; k++)
        (void)fprintf(
            script,
            ", 'ttft-parity.dat' index %d using 1:3:4:5 with yerrorbars pt -1 lw 1.2 lc %d "
            "notitle",
            k, all_series[k / 2].color);
    parity_points(script, 3, false);
    (void)fputs("\nunset multiplot\n", script);
}
