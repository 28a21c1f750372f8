/* Figures 9 and 10: pass-KV against pass-Q.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>
#include "sim/base/share.h"
#include "sim/report/paper_plots.h"
#include "sim/validate/validate.h"

enum { FRONTIER_POINTS = 400 };
#define MISS_LO 0.005
#define T_LO 400.0
#define T_HI 128000.0

/* The pass-Q row of a Table 4 pass-KV row, or NULL. */
static const rc_paper_row *pass_q_of(const rc_paper *p, const rc_paper_row *kv) {
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->rows[i].table, "4") == 0 && p->rows[i].schedule == &rc_schedule_pass_q &&
            p->rows[i].t == kv->t)
            return &p->rows[i];
    return NULL;
}

static bool is_pass_kv_row(const rc_paper_row *r) {
    return strcmp(r->table, "4") == 0 && r->schedule == &rc_schedule_pass_kv;
}

/* Index 2 and 3: real rings of four GPUs over two transports, where the data folder has them. A run
 * is one layer of one ring group, so what can be set beside the paper is the ratio alone. */
static const struct {
    const char *transport, *title;
} rings[] = {{"nvlink", "run over NVLink"}, {"shm", "run over host memory"}};
enum { RINGS = sizeof rings / sizeof rings[0] };

static const rc_measured_run *run_of(const rc_runs *r, const char *transport, int64_t t,
                                     const rc_schedule *s) {
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->v[i].transport, transport) == 0 && r->v[i].t == t && r->v[i].sms > 0 &&
            rc_run_is(&r->v[i], s))
            return &r->v[i];
    return NULL;
}

static void ring_data(FILE *data) {
    char folder[1024];
    rc_runs runs = {0};
    (void)snprintf(folder, sizeof folder, "%s/results/paper/real", rc_share_folder());
    bool known = rc_runs_read(&runs, folder, NULL) == RC_OK;
    for (int k = 0; k < RINGS; k++) {
        (void)fputs("1 -\n", data);
        for (size_t i = 0; known && i < runs.n; i++) {
            const rc_measured_run *kv = &runs.v[i], *q;
            if (kv != run_of(&runs, rings[k].transport, kv->t, &rc_schedule_pass_kv))
                continue;
            q = run_of(&runs, rings[k].transport, kv->t, &rc_schedule_pass_q);
            if (q)
                (void)fprintf(data, "%.6g %.6g\n", 100.0 * (double)kv->t / RC_PAPER_TOTAL,
                              kv->measured / q->measured);
        }
        rc_plot_next(data);
    }
    rc_runs_free(&runs);
}

/* Index 0: forecast (miss rate, ratio, p5, p95); 1: printed. */
static void ratio_data(const rc_paper *p, FILE *data) {
    for (int i = 0; i < RC_FIG9_POINTS; i++) {
        int kv = p->figures.fig9[i][0], q = p->figures.fig9[i][1];
        double ratio = rc_paper_time(p, kv) / rc_paper_time(p, q), lo, hi;
        rc_paper_ratio_interval(p, kv, q, &lo, &hi);
        if (isfinite(ratio))
            (void)fprintf(data, "%.6g %.6g %.6g %.6g\n",
                          100.0 * (double)p->jobs[kv].t / RC_PAPER_TOTAL, ratio,
                          isfinite(lo) ? lo : ratio, isfinite(hi) ? hi : ratio);
    }
    rc_plot_next(data);
    for (size_t i = 0; i < p->count; i++) {
        const rc_paper_row *kv = &p->rows[i];
        const rc_paper_row *q = is_pass_kv_row(kv) ? pass_q_of(p, kv) : NULL;
        if (q)
            (void)fprintf(data, "%.6g %.6g\n", 100.0 * (double)kv->t / RC_PAPER_TOTAL,
                          kv->paper / q->paper);
    }
    rc_plot_next(data);
}

void rc_plot_fig9(const void *paper, FILE *script, FILE *data) {
    ratio_data(paper, data);
    ring_data(data);
    (void)fputs(
        "set title \"Figure 9: TTFT of ring pass-KV over ring pass-Q, CP4 of TP8 nodes, P + T = "
        "128,000\\n"
        "{/*0.8 runs: one of the eight ring groups, one layer, on four H200 of one host; what is "
        "above 1.3 is not shown}\"\n"
        "set logscale x\nset xrange [0.55:110]\nset xlabel 'miss rate T / (T + P), %'\n"
        "set xtics (0.6, 1, 2, 5, 10, 20, 50, 100)\n"
        "set ylabel 'TTFT of pass-KV / TTFT of pass-Q'\nset yrange [0.82:1.3]\n"
        "set key below maxrows 3 samplen 2\n"
        "set label 1 'above 1 pass-Q is the faster' at graph 0.98, first 1.013 right textcolor rgb "
        "'#555555'\nplot ",
        script);
    rc_plot_band(script, "fig9", 0, 3, 1);
    (void)fputs("1 with lines dt 2 lw 1.5 lc rgb '#888888' notitle, "
                "'fig9.dat' index 0 using 1:2 with lines lt 1 lw 3 title 'forecast', "
                "'fig9.dat' index 1 using 1:2 with points lt 2 pt 4 ps 2.2 lw 2 title "
                "'printed in the paper (Table 4)'",
                script);
    for (int k = 0; k < RINGS; k++)
        (void)fprintf(script,
                      ", 'fig9.dat' index %d using 1:2 with points lt %d lw 2 pt %d ps 1.7 "
                      "title '%s'",
                      2 + k, 3 + k, 8 + 2 * k, rings[k].title);
    rc_plot_band_key(script);
    (void)fputc('\n', script);
}

/* ---- Figure 10 ------------------------------------------------------------------------------- */

/* One index each: pass-KV clearly, pass-KV by less than 1.5 %, pass-Q by less, pass-Q clearly. */
static void grid_data(const rc_paper *p, FILE *data) {
    for (int side = 0; side < 4; side++) {
        (void)fputs("1 -\n", data);
        for (int i = 0; i < RC_FIG10_T; i++) {
            for (int k = 0; k < RC_FIG10_M; k++) {
                const int *job = p->figures.fig10[i][k];
                double kv = rc_paper_time(p, job[0]), q = rc_paper_time(p, job[1]);
                if (!isfinite(kv) || !isfinite(q))
                    continue;
                bool clear = fabs(kv - q) > RC_PAPER_TIE * fmin(kv, q);
                int own = rc_choose_oracle(kv, q) == RC_CHOOSE_PASS_KV ? (clear ? 0 : 1)
                                                                       : (clear ? 3 : 2);
                if (own == side)
                    (void)fprintf(data, "%.6g %.6g\n", rc_fig10_t(i), 100.0 * rc_fig10_miss(k));
            }
        }
        rc_plot_next(data);
    }
}

/* Index 4, 5, 6: frontiers of the rules; 7, 8: Table 4 where pass-KV, pass-Q is printed as faster.
 */
static void frontier_data(const rc_paper *p, FILE *data) {
    for (int k = 0; k < RC_RULE_COUNT; k++) {
        rc_rule rule;
        (void)fputs("1 -\n", data);
        for (int i = 0; i < FRONTIER_POINTS &&
                        rc_rule_named(rc_rule_name((rc_rule_kind)k), &rule, NULL) == RC_OK;
             i++) {
            double t = T_LO * pow(T_HI / T_LO, i / (FRONTIER_POINTS - 1.0));
            rc_choose_input in =
                rc_paper_choose_input(p, t, 0.0, p->machine[RC_PAPER_GTT].peer_rate);
            double miss = rc_rule_frontier(&rule, &in);
            (void)fprintf(data, "%.6g %.6g\n", t, 100.0 * fmax(miss, 0.1 * MISS_LO));
        }
        rc_plot_next(data);
    }
    for (int q = 0; q < 2; q++) {
        (void)fputs("1 -\n", data);
        for (size_t i = 0; i < p->count; i++) {
            const rc_paper_row *kv = &p->rows[i];
            const rc_paper_row *other = is_pass_kv_row(kv) ? pass_q_of(p, kv) : NULL;
            if (other &&
                (rc_choose_oracle(kv->paper, other->paper) == RC_CHOOSE_PASS_Q) == (q == 1))
                (void)fprintf(data, "%lld %.6g\n", (long long)kv->t,
                              100.0 * (double)kv->t / RC_PAPER_TOTAL);
        }
        rc_plot_next(data);
    }
}

/* Rows of Table 4 of whose faster variant forecast and paper say differently; *gap: by how much the
 * forecast does at most, in percent. */
static int disagreements(const rc_paper *p, double *gap) {
    int n = 0;
    *gap = 0.0;
    for (size_t i = 0; i < p->count; i++) {
        const rc_paper_row *kv = &p->rows[i];
        const rc_paper_row *q = is_pass_kv_row(kv) ? pass_q_of(p, kv) : NULL;
        if (!q ||
            rc_choose_oracle(kv->paper, q->paper) == rc_choose_oracle(kv->predicted, q->predicted))
            continue;
        n++;
        *gap = fmax(*gap, 100.0 * fabs(log(kv->predicted / q->predicted)));
    }
    return n;
}

void rc_plot_fig10(const void *paper, FILE *script, FILE *data) {
    const rc_paper *p = paper;
    double gap;
    grid_data(p, data);
    frontier_data(p, data);
    int other = disagreements(p, &gap);
    (void)fprintf(
        script,
        "set title \"Figure 10: the faster variant by forecast (squares) and by the rules, "
        "CP4 of TP8 nodes\\n"
        "{/*0.8 Grand Teton Training; of Table 4's 14 rows %d lie where the forecast says "
        "the other, by %.1f %% or less}\"\n",
        other, gap);
    (void)fputs("set logscale xy\nset xrange [360:142000]\nset yrange [0.44:115]\n"
                "set xlabel 'T, new tokens'\nset ylabel 'miss rate T / (T + P), %'\n"
                "set xtics ('500' 500, '1K' 1000, '2K' 2000, '5K' 5000, '10K' 10000, '20K' 20000, "
                "'50K' 50000, '100K' 100000)\nset ytics (0.5, 1, 2, 5, 10, 20, 50, 100)\n"
                "unset grid\nset rmargin at screen 0.775\nset key at screen 0.79, screen 0.9 left "
                "top samplen 1.5\n"
                "set label 1 \"not simulated:\\nT + P above 1M\" at 45000, 1.2 center textcolor "
                "rgb '#888888'\n",
                script);
    (void)fprintf(script,
                  "set label 2 \"the rules at\\nC = %.0f TFLOP/s,\\nBW = %.3g GB/s\" at screen "
                  "0.80, screen 0.42 "
                  "textcolor rgb '#555555'\n",
                  p->machine[RC_PAPER_GTT].bf16_rate / 1e12,
                  p->machine[RC_PAPER_GTT].peer_rate / 1e9);
    (void)fputs(
        "plot 'fig10.dat' index 0 using 1:2 with points pt 5 ps 2.9 lc rgb '#0072B2' title "
        "'pass-KV faster', "
        "'' index 1 using 1:2 with points pt 5 ps 2.9 lc rgb '#A6CEE8' title 'pass-KV, by < 1.5 "
        "%', "
        "'' index 2 using 1:2 with points pt 5 ps 2.9 lc rgb '#F6CBA5' title 'pass-Q, by < 1.5 %', "
        "'' index 3 using 1:2 with points pt 5 ps 2.9 lc rgb '#E69F00' title 'pass-Q faster', "
        "'' index 4 using 1:2 with lines lw 4 lc rgb '#000000' title 'Algorithm 1', "
        "'' index 5 using 1:2 with lines lw 4 dt 2 lc rgb '#009E73' title 'Algorithm 5', "
        "'' index 6 using 1:2 with lines lw 4 dt 4 lc rgb '#CC79A7' title 'empirical rule', "
        "'' index 7 using 1:2 with points pt 7 ps 1.5 lc rgb '#ffffff' notitle, "
        "'' index 7 using 1:2 with points pt 6 ps 1.5 lw 2 lc rgb '#000000' title 'paper: "
        "pass-KV', "
        "'' index 8 using 1:2 with points pt 9 ps 1.7 lc rgb '#ffffff' notitle, "
        "'' index 8 using 1:2 with points pt 8 ps 1.7 lw 2 lc rgb '#000000' title 'paper: "
        "pass-Q'\n",
        script);
}
