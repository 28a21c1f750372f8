/* What a rule loses when costs are not what they were estimated to be.
 *
 * At the point estimates the regret of a fitted rule is the error of the fit. On a real machine every cost is
 * off by something, the frontier lies elsewhere, and a rule that was fitted to the last token picks the
 * slower ring now and then. How much that costs is an expectation over draws of the costs, as forward
 * draws them for p5 and p95 (sim/forward/draws.c): the fitted parameters within their intervals, a
 * factor for each family of ops, and each size by itself where it is no row.
 *
 * All use the same draws (common random numbers): in draw i both rings of every comparison run under the costs
 * of draw i, the oracle is the faster of the two under these costs, and the rule, which knows the estimates
 * only, picks what it always picks. What both rings share so cancels. Forecasts also err in what no draw
 * knows of, the model itself; that is left out here, for nobody has measured how far it is common to both.
 *
 * A draw of a pass takes 30 us, so a sample of the comparisons is drawn, the same for all rules. What is taken from it
 * is how much more a rule loses than at the estimates; what it loses there is known of all comparisons, and is
 * added (the regret at the estimates is the control variate). Without it the few comparisons that cost much, in the
 * sample or not, would decide.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/parallel.h"
#include "sim/base/quantile.h"
#include "sim/engine/engine.h"
#include "sim/tune/tune_internal.h"

enum { SLICES = 32 }; /* a constant, so that sums do not depend on the number of threads */
#define SAMPLE_SEED UINT64_C(0xE79EC7ED) /* other draws than those of the halves */

void rc_tune_add_regret(const double *kv, const double *q, int draws, rc_choice pick, double *sum) {
    for (int i = 0; i < draws; i++) {
        double own = pick == RC_CHOOSE_PASS_KV ? kv[i] : q[i];
        sum[i] += 100.0 * (own / fmin(kv[i], q[i]) - 1.0);
    }
}

rc_tune_expectation rc_tune_expectation_of(double *sum, int draws, size_t points, double fit) {
    rc_tune_expectation e = {.mean_pct = NAN, .p95_pct = NAN, .points = points};
    assert(draws >= 0);
    if (draws == 0 || points == 0)
        return e;
    e.mean_pct = 0.0;
    for (int i = 0; i < draws; i++) {
        sum[i] = fit + sum[i] / (double)points;
        e.mean_pct += sum[i] / draws;
    }
    rc_sort(sum, (size_t)draws);
    e.p95_pct = rc_nearest_rank(sum, (size_t)draws, 0.95);
    return e;
}

/* ---- draws of passes -------------------------------------------------------------------------- */

typedef struct work {
    const rc_tune *t;
    const rc_tune_comparison *at;
    const size_t *sample;
    size_t points;
    rc_tune_drawn drawn;
    double *sums; /* [SLICES][rules][draws] */
} work;

rc_status rc_tune_draw_times(const rc_tune *t, rc_forward_ctx *ctx, const rc_tune_comparison *d,
                             double *const out[2], rc_error *err) {
    rc_sequence *seqs = calloc((size_t)d->batch, sizeof *seqs);
    rc_status st = seqs ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for a pass");
    for (int i = 0; i < d->batch && seqs; i++)
        seqs[i] = (rc_sequence){llround(d->t), llround(d->p)};
    for (int v = RC_TUNE_KV; v <= RC_TUNE_Q && st == RC_OK; v++) {
        rc_forward f;
        rc_spec spec = {.model = &t->s.model,
                        .costs = t->costs,
                        .layout = t->s.layout,
                        .phase = RC_PREFILL,
                        .schedule = rc_schedule_on(rc_tune_schedule(v), d->n),
                        .seqs = seqs,
                        .seq_count = (size_t)d->batch,
                        .eager = true,
                        .draws = t->s.draws,
                        .drawn = out[v],
                        .seed = t->s.seed,
                        .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
        spec.layout.cp = d->n;
        st = rc_forward_run_with(ctx, &spec, &f, err);
    }
    free(seqs);
    return st;
}

/* How much more the pick loses in each draw than at the estimates. */
static void add_more(const rc_tune_comparison *d, double *const out[2], int draws, rc_choice pick,
                     double *sum) {
    double estimated = 0.0;
    rc_tune_add_regret(&d->kv, &d->q, 1, pick, &estimated);
    rc_tune_add_regret(out[RC_TUNE_KV], out[RC_TUNE_Q], draws, pick, sum);
    for (int i = 0; i < draws; i++)
        sum[i] -= estimated;
}

static rc_status slice(void *ctx, size_t item, rc_error *err) {
    const work *w = ctx;
    const rc_tune *t = w->t;
    const size_t draws = (size_t)t->s.draws;
    double *times = malloc(2 * draws * sizeof *times);
    double *const out[] = {times, times + draws};
    rc_forward_ctx *passes = rc_forward_ctx_create();
    rc_status st =
        times && passes ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for %zu draws", draws);
    for (size_t i = item; i < w->points && st == RC_OK; i += SLICES) {
        const rc_tune_comparison *d = &w->at[w->sample[i]];
        st = w->drawn(t, passes, d, out, err);
        for (int r = 0; r < t->rules && st == RC_OK; r++)
            add_more(d, out, t->s.draws, rc_tune_decide(t, &t->rule[r], d->t, d->p, d->batch, d->n),
                     &w->sums[(item * (size_t)t->rules + (size_t)r) * draws]);
    }
    rc_forward_ctx_destroy(passes);
    free(times);
    return st;
}

/* ---- the sample ------------------------------------------------------------------------------- */

/* Comparisons that no fit has seen, RC_TUNE_DRAWN of them at random or all there are; returns how many. */
static size_t take_sample(const rc_tune *t, const rc_tune_comparison *at, size_t count,
                          size_t *sample) {
    size_t n = 0;
    rc_rng rng;
    for (size_t i = 0; i < count; i++)
        if (!at[i].train)
            sample[n++] = i;
    rc_rng_seed(&rng, t->s.seed ^ SAMPLE_SEED);
    for (size_t i = 0; i < n && i < RC_TUNE_DRAWN; i++) {
        size_t k = i + (size_t)rc_rng_below(&rng, n - i), swap = sample[i];
        sample[i] = sample[k];
        sample[k] = swap;
    }
    return n < RC_TUNE_DRAWN ? n : RC_TUNE_DRAWN;
}

static void keep(rc_tune *t, const work *w) {
    const size_t draws = (size_t)t->s.draws, all = (size_t)t->rules * draws;
    for (size_t s = 1; s < SLICES; s++)
        for (size_t i = 0; i < all; i++)
            w->sums[i] += w->sums[s * all + i];
    for (int r = 0; r < t->rules; r++)
        t->rule[r].expected =
            rc_tune_expectation_of(&w->sums[(size_t)r * draws], t->s.draws, w->points,
                                   t->rule[r].score[RC_TUNE_TEST].mean_pct);
}

rc_status rc_tune_expect(rc_tune *t, const rc_tune_comparison *comparisons, size_t count,
                         rc_tune_drawn drawn, rc_error *err) {
    for (int r = 0; r < t->rules; r++)
        t->rule[r].expected = (rc_tune_expectation){.mean_pct = NAN, .p95_pct = NAN};
    if (t->s.draws == 0)
        return RC_OK;
    size_t *sample = calloc(count + 1, sizeof *sample);
    work w = {.t = t, .at = comparisons, .sample = sample, .drawn = drawn};
    w.sums = calloc((size_t)SLICES * (size_t)t->rules * (size_t)t->s.draws, sizeof *w.sums);
    rc_status st = sample && w.sums
                       ? RC_OK
                       : rc_fail(err, RC_E_NOMEM, "out of memory for %d draws", t->s.draws);
    if (st == RC_OK) {
        w.points = take_sample(t, comparisons, count, sample);
        st = rc_parallel(SLICES, t->threads, slice, &w, err);
    }
    if (st == RC_OK)
        keep(t, &w);
    free(sample);
    free(w.sums);
    return st;
}
