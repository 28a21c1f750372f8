/* The order of a tuning run.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <gsl/gsl_errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/tune/tune_internal.h"

/* Where along T, at one length, the winner changes more than once, no threshold can be right. */
static void count_ambiguous(rc_tune *t) {
    for (int d = 0; d < t->s.degrees; d++) {
        int changes = 0, last = 0;
        for (size_t i = 0; i < t->count && t->s.degree[d] > 1; i++) {
            const rc_tune_cell *c = &t->cells[i];
            double kv = rc_tune_time_at(t, i, d, RC_TUNE_KV);
            double q = rc_tune_time_at(t, i, d, RC_TUNE_Q);
            bool next = i == 0 || c->batch != t->cells[i - 1].batch ||
                        c->t + c->p != t->cells[i - 1].t + t->cells[i - 1].p;
            if (next) {
                t->lines++;
                t->ambiguous += changes > 1;
                changes = last = 0;
            }
            if (!isfinite(kv) || !isfinite(q)) {
                t->not_fitting++;
                continue;
            }
            int side = kv <= q ? 1 : -1;
            changes += last != 0 && side != last;
            last = side;
        }
        t->ambiguous += changes > 1;
    }
}

static void compare_all_gather(rc_tune *t) {
    size_t n = 0, wins = 0;
    double gain = 0.0;
    for (size_t i = 0; i < t->count; i++) {
        for (int d = 0; d < t->s.degrees; d++) {
            double kv = rc_tune_time_at(t, i, d, RC_TUNE_KV);
            double q = rc_tune_time_at(t, i, d, RC_TUNE_Q);
            double g = rc_tune_time_at(t, i, d, RC_TUNE_GATHER);
            if (t->s.degree[d] == 1 || !isfinite(kv) || !isfinite(q) || !isfinite(g))
                continue;
            n++;
            wins += g < fmin(kv, q);
            gain += g < fmin(kv, q) ? 1.0 - g / fmin(kv, q) : 0.0;
        }
    }
    t->gather_share = n ? (double)wins / (double)n : 0.0;
    t->gather_gain = wins ? gain / (double)wins : 0.0;
}

static rc_status fit_and_score(rc_tune *t, rc_error *err) {
    rc_tune_comparison *comparisons = NULL;
    size_t count = 0;
    RC_TRY(rc_tune_list_rules(t, err));
    RC_TRY(rc_tune_fit_table(t, err));
    rc_status st = rc_tune_comparisons(t, &comparisons, &count, err);
    if (st == RC_OK)
        st = rc_tune_refit(t, comparisons, count, err);
    if (st == RC_OK)
        st = rc_tune_score_rules(t, comparisons, count, err);
    if (st == RC_OK)
        st = rc_tune_expect(t, comparisons, count, rc_tune_draw_times, err);
    free(comparisons);
    return st;
}

static rc_status steps(rc_tune *t, const char *measured, rc_error *err) {
    const char *path = measured ? measured : t->s.measured;
    if (path[0])
        RC_TRY(rc_tune_measured_read(t, path, t->s.measured_cp, err));
    RC_TRY(rc_tune_grid(t, err));
    RC_TRY(rc_tune_evaluate(t, err));
    count_ambiguous(t);
    compare_all_gather(t);
    RC_TRY(fit_and_score(t, err));
    RC_TRY(rc_tune_policies(t, err));
    if (t->measured_count > 0)
        RC_TRY(rc_tune_score_measured(t, err));
    RC_TRY(rc_tune_requests_all(t, err));
    RC_TRY(rc_tune_crossings(t, err));
    return rc_tune_sensitivity(t, err);
}

rc_status rc_tune_run(const rc_tune_scenario *s, const char *store, const char *measured,
                      int threads, rc_tune *out, rc_error *err) {
    assert(s->degrees >= 1 && s->degrees <= RC_SELECT_DEGREES);
    assert(s->batches >= 1 && s->batches <= RC_SELECT_BATCHES);
    assert(s->prices >= 1 && s->prices <= RC_SELECT_PRICES);
    memset(out, 0, sizeof *out);
    out->s = *s;
    out->threads = threads;
    out->variants = RC_TUNE_VARIANTS;
    RC_TRY(rc_costs_open(store, &out->s.machine, &out->costs, err));
    gsl_error_handler_t *old = gsl_set_error_handler_off();
    rc_status st = steps(out, measured, err);
    (void)gsl_set_error_handler(old);
    return st;
}

void rc_tune_free(rc_tune *t) {
    rc_costs_close(t->costs);
    free(t->cells);
    free(t->time);
    free(t->measured);
    memset(t, 0, sizeof *t);
}
