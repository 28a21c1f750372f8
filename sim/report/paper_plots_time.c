/* Figures 6 to 8: TTFT over context length and over nodes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>
#include "sim/report/paper_plots.h"

void rc_plot_line(FILE *data, double x, const rc_paper *p, int job) {
    double y = rc_paper_time(p, job);
    bool band = isfinite(y) && p->jobs[job].draws && p->options.draws > 0;
    if (!isfinite(y))
        (void)fprintf(data, "%.10g - - -\n", x);
    else
        (void)fprintf(data, "%.10g %.6g %.6g %.6g\n", x, y, band ? p->jobs[job].result.p5 : y,
                      band ? p->jobs[job].result.p95 : y);
}

void rc_plot_band(FILE *script, const char *name, int index, int lo, int color) {
    (void)fprintf(
        script,
        "'%s.dat' index %d using 1:%d:%d with filledcurves lc %d fs transparent solid 0.18 "
        "noborder notitle, ",
        name, index, lo, lo + 1, color);
}

void rc_plot_band_key(FILE *script) {
    (void)fputs(", NaN with boxes lc rgb '#777777' fs transparent solid 0.25 noborder title "
                "'p5 to p95 of the forecast'",
                script);
}

/* The job of row i where it is a TTFT that the paper prints, on `tp` x `cp` of the RDMA cluster;
 * else NULL. The full prefill of Table 4 is left out: Table 7 repeats it. */
static const rc_job *printed_ttft(const rc_paper *p, size_t i, int tp, int cp) {
    const rc_paper_row *r = &p->rows[i];
    if (strcmp(r->metric, "ttft") != 0 || r->role != RC_ROLE_COMPARED || r->duplicate_of >= 0 ||
        strcmp(r->table, "4") == 0)
        return NULL;
    const rc_job *j = &p->jobs[p->plans[i].job[0]];
    return j->tp == tp && j->cp == cp ? j : NULL;
}

static double printed_seconds(const rc_paper *p, size_t i) {
    return p->rows[i].paper / p->plans[i].scale;
}

/* As (T, seconds). Always at least one line, so that the index exists. */
static void printed_points(const rc_paper *p, int tp, int cp, FILE *data) {
    (void)fputs("1 -\n", data);
    for (size_t i = 0; i < p->count; i++) {
        const rc_job *j = printed_ttft(p, i, tp, cp);
        if (j)
            (void)fprintf(data, "%lld %.6g\n", (long long)j->t, printed_seconds(p, i));
    }
}

static void context_axes(FILE *f, const char *title) {
    (void)fprintf(f, "set title \"%s\"\n", title);
    (void)fputs(
        "set logscale xy\nset xlabel 'context length, tokens'\nset ylabel 'TTFT, s'\n"
        "set xrange [1700:150000]\n"
        "set xtics ('2K' 2000, '4K' 4000, '8K' 8000, '16K' 16000, '32K' 32000, '64K' 64000, "
        "'128K' 128000)\n"
        "set ytics ('0.1' 0.1, '0.2' 0.2, '0.5' 0.5, '1' 1, '2' 2, '5' 5, '10' 10, '20' 20, "
        "'50' 50, '100' 100)\nset yrange [0.2:70]\n"
        "set key below maxrows 3\n",
        f);
}

/* Index 2n: predicted over contexts; 2n+1: printed. */
static void context_data(const rc_paper *p, const int *jobs, int cps, bool printed, FILE *data) {
    for (int n = 0; n < cps; n++) {
        for (int c = 0; c < RC_FIG_CONTEXTS; c++)
            rc_plot_line(data, (double)rc_fig_contexts[c], p, jobs[n * RC_FIG_CONTEXTS + c]);
        rc_plot_next(data);
        if (printed)
            printed_points(p, 8, rc_fig_nodes[n], data);
        else
            (void)fputs("1 -\n", data);
        rc_plot_next(data);
    }
}

static void context_plot(const char *name, int cps, bool printed, FILE *f) {
    (void)fputs("plot ", f);
    for (int n = 0; n < cps; n++)
        rc_plot_band(f, name, 2 * n, 3, n + 1);
    for (int n = 0; n < cps; n++)
        (void)fprintf(
            f,
            "%s'%s.dat' index %d using 1:2 with linespoints lt %d title 'CP%d (%d node%s)', "
            "'%s.dat' index %d using 1:2 with points lt %d pt 4 ps 2.6 lw 2 notitle",
            n ? ", " : "", name, 2 * n, n + 1, rc_fig_nodes[n], rc_fig_nodes[n], n ? "s" : "", name,
            2 * n + 1, n + 1);
    if (printed)
        (void)fputs(
            ", NaN with points pt 4 ps 2.6 lw 2 lc rgb '#555555' title 'printed in the paper'", f);
    rc_plot_band_key(f);
    (void)fputs("\n", f);
}

void rc_plot_fig6a(const void *paper, FILE *script, FILE *data) {
    const rc_paper *p = paper;
    context_data(p, &p->figures.fig6a[0][0], RC_FIG6A_CPS, true, data);
    context_axes(script, "Figure 6a: full prefill of Llama 3 405B, ring pass-KV, on Grand Teton "
                         "Training\\n{/*0.8 (GTT: "
                         "nodes of 8 H100, 400 Gb/s RDMA a GPU)}");
    context_plot("fig6a", RC_FIG6A_CPS, true, script);
}

void rc_plot_fig6b(const void *paper, FILE *script, FILE *data) {
    const rc_paper *p = paper;
    context_data(p, &p->figures.fig6b[0][0], RC_FIG6B_CPS, false, data);
    context_axes(script, "Figure 6b: full prefill of Llama 3 405B, ring pass-KV, on Grand Teton "
                         "Inference\\n{/*0.8 (GTI: "
                         "nodes of 8 H100, 100 Gb/s TCP a GPU; the paper draws this figure and "
                         "prints no number of it)}");
    context_plot("fig6b", RC_FIG6B_CPS, false, script);
}

/* ---- Figure 7 -------------------------------------------------------------------------------- */

static void printed_node(const rc_paper *p, int tp, int cp, int nodes, double one, FILE *data) {
    for (size_t i = 0; i < p->count; i++) {
        const rc_job *j = printed_ttft(p, i, tp, cp);
        double s = printed_seconds(p, i);
        if (j && j->t == RC_PAPER_TOTAL)
            (void)fprintf(data, "%d %.6g %.6g\n", nodes, s, one / s);
    }
}

static double printed_one_node(const rc_paper *p) {
    int row = rc_paper_find(p, "t6:tp8:128K:ttft");
    return row < 0 ? NAN : p->rows[row].paper / p->plans[row].scale;
}

/* The text's TP64 over CP8, as a TTFT. */
static double text_tp64(const rc_paper *p) {
    int ratio = rc_paper_find(p, "pt:tp64_over_cp8"), cp8 = rc_paper_find(p, "pt:ttft_cp8_128k");
    return ratio < 0 || cp8 < 0 ? NAN
                                : p->rows[ratio].paper * p->rows[cp8].paper / p->plans[cp8].scale;
}

/* Index 0, 1: CP and TP predicted (nodes, s, p5, p95, scaling, its p5, p95); 2, 3: printed (nodes, s,
 * scaling); 4: TP on eight nodes, from a ratio of the text. */
static void fig7_data(const rc_paper *p, FILE *data) {
    for (int tp = 0; tp < 2; tp++) {
        const int *jobs = tp ? p->figures.fig7_tp : p->figures.fig7_cp;
        for (int n = 0; n < RC_FIG7_NODES; n++) {
            double s = rc_paper_time(p, jobs[n]), lo, hi;
            rc_paper_ratio_interval(p, jobs[0], jobs[n], &lo, &hi);
            double scaling = rc_paper_time(p, jobs[0]) / s;
            if (isfinite(s))
                (void)fprintf(data, "%d %.6g %.6g %.6g %.6g %.6g %.6g\n", rc_fig_nodes[n], s,
                              p->jobs[jobs[n]].result.p5, p->jobs[jobs[n]].result.p95, scaling,
                              isfinite(lo) ? lo : scaling, isfinite(hi) ? hi : scaling);
            else
                (void)fprintf(data, "%d - - - - - -\n", rc_fig_nodes[n]);
        }
        rc_plot_next(data);
    }
    double one = printed_one_node(p), tp64 = text_tp64(p);
    for (int tp = 0; tp < 2; tp++) {
        (void)fputs("1 - -\n", data);
        for (int n = 0; n < RC_FIG7_NODES; n++)
            printed_node(p, tp ? 8 * rc_fig_nodes[n] : 8, tp ? 1 : rc_fig_nodes[n], rc_fig_nodes[n],
                         one, data);
        rc_plot_next(data);
    }
    (void)fputs("1 - -\n", data);
    if (isfinite(tp64))
        (void)fprintf(data, "8 %.6g %.6g\n", tp64, one / tp64);
}

/* `column` of the forecast, its band in the two after it; `printed` of what the paper prints. */
static void fig7_panel(FILE *f, int column, int printed) {
    for (int tp = 0; tp < 2; tp++)
        rc_plot_band(f, "fig7", tp, column + 1, tp + 1);
    for (int tp = 0; tp < 2; tp++)
        (void)fprintf(f,
                      "'fig7.dat' index %d using 1:%d with linespoints lt %d title '%s', "
                      "'fig7.dat' index %d using 1:%d with points lt %d pt 4 ps 2.6 lw 2 notitle, ",
                      tp, column, tp + 1,
                      tp ? "tensor parallel over nodes" : "context parallel of TP8 nodes", tp + 2,
                      printed, tp + 1);
    (void)fprintf(f,
                  "'fig7.dat' index 4 using 1:%d with points lt 2 pt 12 ps 2.6 lw 2 title 'TP64: "
                  "\"2.0\" x CP8, in the text'",
                  printed);
}

void rc_plot_fig7(const void *paper, FILE *script, FILE *data) {
    fig7_data(paper, data);
    (void)fputs(
        "set multiplot layout 1,2 margins 0.07,0.98,0.25,0.84 spacing 0.09 title "
        "\"Figure 7: full prefill of 128K tokens on Grand Teton Training\\n{/*0.8 (GTT: nodes of 8 "
        "H100, 400 Gb/s RDMA a GPU)}\" font ',17'\n"
        "set logscale xy\nset xrange [0.85:9.5]\nset xtics (1, 2, 4, 8)\nset xlabel 'nodes of 8 "
        "GPUs'\n"
        "set title 'TTFT' font ',14' offset 0,0\nset ylabel 'TTFT, s' offset 1,0\nset yrange "
        "[4:60]\nset ytics (5, 10, 20, 50)\n"
        "set key at screen 0.98, screen 0.145 right top maxrows 2 width 1 font ',12'\nplot ",
        script);
    fig7_panel(script, 2, 2);
    (void)fputs(", NaN with points pt 4 ps 2.6 lw 2 lc rgb '#555555' title 'printed in the paper'",
                script);
    rc_plot_band_key(script);
    (void)fputs("\nset title 'Scaling ratio: TTFT on one node over TTFT on N'\nset ylabel 'scaling "
                "ratio' offset 1,0\n"
                "set yrange [0.85:9.5]\nset ytics (1, 2, 4, 8)\nunset key\n"
                "set label 1 'ideal' at 5.4, 6.2 rotate by 45 center textcolor rgb '#888888'\n"
                "plot x with lines dt 2 lw 1.5 lc rgb '#888888' notitle, ",
                script);
    fig7_panel(script, 5, 3);
    (void)fputs("\nunset multiplot\n", script);
}

/* ---- Figure 8 -------------------------------------------------------------------------------- */

void rc_plot_fig8(const void *paper, FILE *script, FILE *data) {
    const rc_paper *p = paper;
    for (int n = 0; n < 2; n++) {
        for (int c = 0; c < RC_FIG8_CONTEXTS; c++)
            rc_plot_line(data, (double)rc_fig8_contexts[c], p, p->figures.fig8[n][c]);
        rc_plot_next(data);
        printed_points(p, 8, n ? 16 : 8, data);
        rc_plot_next(data);
    }
    (void)fputs(
        "set title \"Figure 8: full prefill of up to 1M tokens, ring pass-KV, on Grand Teton "
        "Training\\n"
        "{/*0.8 Llama 3 405B (GTT: nodes of 8 H100, 400 Gb/s RDMA a GPU)}\"\n"
        "set logscale xy\nset xlabel 'context length, tokens'\nset ylabel 'TTFT, s'\n"
        "set xrange [110000:1200000]\n"
        "set xtics ('128K' 128000, '256K' 256000, '512K' 512000, '1M' 1000000)\n"
        "set ytics (2, 5, 10, 20, 50, 100, 200)\nset yrange [2.5:250]\nset key below maxrows 2\n",
        script);
    (void)fputs("plot ", script);
    rc_plot_band(script, "fig8", 0, 3, 1);
    rc_plot_band(script, "fig8", 2, 3, 2);
    (void)fputs(
        "'fig8.dat' index 0 using 1:2 with linespoints lt 1 title 'CP8 (8 nodes, 64 GPUs)', "
        "'fig8.dat' index 1 using 1:2 with points lt 1 pt 4 ps 2.6 lw 2 notitle, "
        "'fig8.dat' index 2 using 1:2 with linespoints lt 2 title 'CP16 (16 nodes, 128 GPUs)', "
        "'fig8.dat' index 3 using 1:2 with points lt 2 pt 4 ps 2.6 lw 2 notitle, "
        "NaN with points pt 4 ps 2.6 lw 2 lc rgb '#555555' title 'printed in the paper'",
        script);
    rc_plot_band_key(script);
    (void)fputc('\n', script);
}
