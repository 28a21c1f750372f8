/* What is asked about the plan that was chosen: does it hold for other seeds, what binds, how far
 * may traffic grow, what if a replica is lost, what does one more buy.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/plan/plan_internal.h"

enum { GROWTH_TRIES = 4, GROWTH_ROUNDS = 3 };
#define SAME_SHARE 1e-9 /* 9 of 10 seeds are 0.9 of them */
#define MORE 1.25       /* of a resource: the output calls it a quarter more */
#define GROWTH_MOST 4.0 /* times the traffic that is tried, at most */

/* Of `n` seeds, how many may miss. */
static int may_miss(const rc_plan *p, int n) {
    return (int)floor(n * (1.0 - p->met + SAME_SHARE));
}

static int count_missed(const rc_plan *p, const rc_plan_outcome *o, int n) {
    int missed = 0, tightest;
    for (int i = 0; i < n; i++)
        missed += rc_plan_margin(p, &o[i], &tightest) < 0.0;
    return missed;
}

/* Whole outcomes of the few that miss, too. */
static rc_status replay_missed(const rc_plan *p, rc_plan_sim sim, void *ctx,
                               const rc_plan_trial *trials, rc_plan_outcome *outcomes, int n,
                               rc_error *err) {
    rc_plan_trial again[RC_PLAN_SEEDS];
    rc_plan_outcome shown[RC_PLAN_SEEDS];
    int of[RC_PLAN_SEEDS], count = 0, tightest;
    for (int i = 0; i < n; i++)
        if (rc_plan_margin(p, &outcomes[i], &tightest) < 0.0) {
            of[count] = i;
            again[count++] = trials[i];
        }
    RC_TRY(plan_run_trials(p, sim, ctx, again, shown, (size_t)count, err));
    for (int k = 0; k < count; k++)
        outcomes[of[k]] = shown[k];
    return RC_OK;
}

static void spread_of(const rc_plan *p, const rc_plan_outcome *outcomes, int n, rc_plan_answer *a) {
    for (int g = 0; g < p->objective_count; g++) {
        a->seeds_lo[g] = INFINITY;
        a->seeds_hi[g] = -INFINITY;
        for (int i = 0; i < n; i++) {
            a->seeds_lo[g] = fmin(a->seeds_lo[g], outcomes[i].value[g]);
            a->seeds_hi[g] = fmax(a->seeds_hi[g], outcomes[i].value[g]);
        }
    }
}

rc_status plan_try_seeds(const rc_plan *p, rc_plan_sim sim, void *ctx, const rc_plan_option *o,
                         bool *holds, rc_plan_answer *a, rc_error *err) {
    rc_plan_trial trials[RC_PLAN_SEEDS] = {0};
    rc_plan_outcome outcomes[RC_PLAN_SEEDS];
    const int n = p->check_seeds, most = may_miss(p, n);
    assert(n >= 0 && n <= RC_PLAN_SEEDS);
    for (int i = 0; i < n; i++) {
        trials[i] = plan_trial(p, o);
        trials[i].seed = p->seed + 1 + (uint64_t)i;
    }
    RC_TRY(plan_run_verdicts(p, sim, ctx, trials, outcomes, (size_t)n, (size_t)most, err));
    const int missed = count_missed(p, outcomes, n);
    *holds = missed <= most;
    if (!*holds)
        return RC_OK;
    RC_TRY(replay_missed(p, sim, ctx, trials, outcomes, n, err));
    spread_of(p, outcomes, n, a);
    a->seeds = n;
    a->seeds_met = n > 0 ? (double)(n - missed) / n : 0.0;
    return RC_OK;
}

/* A quarter more of each resource; how far traffic may grow, for the best and for one replica more; a
 * replica lost; one more, of either pool. */
size_t plan_examine_most(void) {
    return RC_PLAN_RESOURCES + 2 * GROWTH_ROUNDS * GROWTH_TRIES + 1 + 2;
}

/* The margin that a quarter more of each resource would add. */
static rc_status try_resources(const rc_plan *p, rc_plan_sim sim, void *ctx,
                               const rc_plan_result *best, rc_plan_answer *a, rc_error *err) {
    rc_plan_trial t[RC_PLAN_RESOURCES];
    rc_plan_outcome o[RC_PLAN_RESOURCES];
    int tightest;
    for (int i = 0; i < RC_PLAN_RESOURCES; i++)
        t[i] = plan_trial(p, &best->option);
    t[0].matrix = t[1].hbm = t[2].network = t[3].memory = MORE;
    RC_TRY(plan_run_trials(p, sim, ctx, t, o, RC_PLAN_RESOURCES, err));
    for (int i = 0; i < RC_PLAN_RESOURCES; i++)
        a->slack[i] = rc_plan_margin(p, &o[i], &tightest) - best->margin;
    return RC_OK;
}

/* The largest growth that holds, by sections of four trials at a time; GROWTH_MOST at most. */
static rc_status find_growth(const rc_plan *p, rc_plan_sim sim, void *ctx, const rc_plan_option *o,
                             double *out, rc_error *err) {
    double lo = 1.0, hi = GROWTH_MOST;
    for (int round = 0; round < GROWTH_ROUNDS; round++) {
        rc_plan_trial t[GROWTH_TRIES];
        rc_plan_outcome r[GROWTH_TRIES];
        double g[GROWTH_TRIES];
        int held = 0, tightest;
        for (int i = 0; i < GROWTH_TRIES; i++) {
            double f = (i + 1.0) / (round == 0 ? GROWTH_TRIES : GROWTH_TRIES + 1);
            g[i] = lo * pow(hi / lo, f);
            t[i] = plan_trial(p, o);
            t[i].growth = p->growth * g[i];
        }
        RC_TRY(plan_run_verdicts(p, sim, ctx, t, r, GROWTH_TRIES, 0, err));
        while (held < GROWTH_TRIES && rc_plan_margin(p, &r[held], &tightest) >= 0.0)
            held++;
        double above = held < GROWTH_TRIES ? g[held] : hi;
        lo = held > 0 ? g[held - 1] : lo;
        hi = above;
        if (held == GROWTH_TRIES && round == 0)
            break;
    }
    *out = lo;
    return RC_OK;
}

static rc_status try_lost(const rc_plan *p, rc_plan_sim sim, void *ctx, const rc_plan_result *best,
                          rc_plan_answer *a, rc_error *err) {
    const rc_plan_option *o = &best->option;
    rc_plan_trial t = plan_trial(p, o);
    int tightest;
    a->has_lost = o->prefill > 1; /* alone: nothing is left when it is lost */
    if (!a->has_lost)
        return RC_OK;
    t.lost_at = best->outcome.midway;
    RC_TRY(plan_run_trials(p, sim, ctx, &t, &a->lost, 1, err));
    a->lost_margin = rc_plan_margin(p, &a->lost, &tightest);
    return RC_OK;
}

/* One replica more, of the pool where it adds more margin. */
static rc_status try_next(const rc_plan *p, rc_plan_sim sim, void *ctx, const rc_plan_result *best,
                          rc_plan_answer *a, rc_error *err) {
    rc_plan_trial t[2] = {plan_trial(p, &best->option), plan_trial(p, &best->option)};
    rc_plan_outcome r[2];
    size_t n = 0;
    t[n].option.prefill++;
    n += plan_on_offer(p, &t[n].option);
    if (best->option.decode > 0) {
        t[n].option = best->option;
        t[n].option.decode++;
        n += plan_on_offer(p, &t[n].option);
    }
    RC_TRY(plan_run_trials(p, sim, ctx, t, r, n, err));
    for (size_t i = 0; i < n; i++) {
        rc_plan_result x = {.option = t[i].option, .outcome = r[i]};
        x.price = rc_plan_price(p, &x.option);
        x.margin = rc_plan_margin(p, &r[i], &x.tightest);
        if (!a->has_next || x.margin > a->next.margin)
            a->next = x;
        a->has_next = true;
    }
    return a->has_next ? find_growth(p, sim, ctx, &a->next.option, &a->next_growth, err) : RC_OK;
}

rc_status plan_examine(const rc_plan *p, rc_plan_sim sim, void *ctx, rc_plan_answer *a,
                       rc_error *err) {
    assert(a->best >= 0 && (size_t)a->best < a->all_count);
    const rc_plan_result best = a->all[a->best];
    RC_TRY(try_resources(p, sim, ctx, &best, a, err));
    a->growth_limit = GROWTH_MOST;
    RC_TRY(find_growth(p, sim, ctx, &best.option, &a->growth, err));
    RC_TRY(try_lost(p, sim, ctx, &best, a, err));
    return try_next(p, sim, ctx, &best, a, err);
}
