/* The jobs behind the plots: sweeps that the paper's figures show, with draws where bands are drawn.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include "sim/plot/gnuplot.h"
#include "sim/report/paper_internal.h"

enum { TP = 8 };
#define MAX_CONTEXT 1.0e6

const int64_t rc_fig_contexts[RC_FIG_CONTEXTS] = {2000, 4000, 8000, 16000, 32000, 64000, 128000};
const int64_t rc_fig8_contexts[RC_FIG8_CONTEXTS] = {128000, 256000, 512000, 1000000};
const int rc_fig_nodes[RC_FIG7_NODES] = {1, 2, 4, 8};

static int job(rc_paper *p, int machine, int tp, int cp, const rc_schedule *s, int64_t t,
               int64_t cached, bool draws) {
    rc_job want = rc_job_prefill(machine, tp, cp, s, t, cached);
    want.draws = draws;
    return rc_paper_job(p, &want);
}

static void plan_contexts(rc_paper *p) {
    const rc_schedule *kv = &rc_schedule_pass_kv; /* rc_job_prefill: where there are ranks */
    rc_figures *f = &p->figures;
    for (int c = 0; c < RC_FIG_CONTEXTS; c++) {
        for (int n = 0; n < RC_FIG6A_CPS; n++)
            f->fig6a[n][c] =
                job(p, RC_PAPER_GTT, TP, rc_fig_nodes[n], kv, rc_fig_contexts[c], 0, true);
        for (int n = 0; n < RC_FIG6B_CPS; n++)
            f->fig6b[n][c] =
                job(p, RC_PAPER_GTI, TP, rc_fig_nodes[n], kv, rc_fig_contexts[c], 0, true);
    }
    for (int n = 0; n < RC_FIG7_NODES; n++) {
        f->fig7_cp[n] = job(p, RC_PAPER_GTT, TP, rc_fig_nodes[n], kv, RC_PAPER_TOTAL, 0, true);
        f->fig7_tp[n] = job(p, RC_PAPER_GTT, TP * rc_fig_nodes[n], 1, kv, RC_PAPER_TOTAL, 0, true);
    }
    for (int c = 0; c < RC_FIG8_CONTEXTS; c++)
        for (int n = 0; n < 2; n++)
            f->fig8[n][c] = job(p, RC_PAPER_GTT, TP, n ? 16 : 8, kv, rc_fig8_contexts[c], 0, true);
}

double rc_fig10_t(int i) {
    assert(i >= 0 && i < RC_FIG10_T);
    return round(rc_plot_spaced(400.0, 128000.0, i, RC_FIG10_T));
}

double rc_fig10_miss(int i) {
    assert(i >= 0 && i < RC_FIG10_M);
    return rc_plot_spaced(0.005, 1.0, i, RC_FIG10_M);
}

static void plan_partial(rc_paper *p) {
    static const rc_schedule *const both[2] = {&rc_schedule_pass_kv, &rc_schedule_pass_q};
    rc_figures *f = &p->figures;
    for (int v = 0; v < 2; v++) {
        for (int i = 0; i < RC_FIG9_POINTS; i++) {
            int64_t t = llround(RC_PAPER_TOTAL * rc_plot_spaced(0.006, 1.0, i, RC_FIG9_POINTS));
            f->fig9[i][v] = job(p, RC_PAPER_GTT, TP, 4, both[v], t, RC_PAPER_TOTAL - t, true);
        }
        for (int i = 0; i < RC_FIG10_T; i++) {
            for (int k = 0; k < RC_FIG10_M; k++) {
                double t = rc_fig10_t(i), total = t / rc_fig10_miss(k);
                f->fig10[i][k][v] = RC_JOB_NONE;
                if (total <= MAX_CONTEXT)
                    f->fig10[i][k][v] =
                        job(p, RC_PAPER_GTT, TP, 4, both[v], (int64_t)t, llround(total - t), false);
            }
        }
    }
}

void rc_paper_plan_figures(rc_paper *p) {
    plan_contexts(p);
    plan_partial(p);
}
