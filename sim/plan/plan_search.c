/* The search for the cheapest configuration that holds.
 *
 * Rounds of ROUND trials, each round chosen from what is known so far, so that the answer does not
 * depend on the number of threads:
 *   1. While nothing holds: the cheapest that the (corrected) estimate trusts, one a family.
 *   2. Once something holds: what is cheaper, best estimate first, until all of it is simulated or
 *      excluded, hopeless, or half of the simulations are spent; then a quarter of the simulations
 *      for the cheaper ones that were hopeless or excluded, for both are guesses; then what is
 *      equally priced, for a better margin.
 *   3. The cheapest of each kind of pools (mixed, disaggregated, with dynamic CP), for comparison.
 *   4. What is left of the simulations goes to dearer ones that promise the least TTFT for their
 *      price: the front of cost against p95 TTFT, and the runners-up.
 * A configuration that holds by luck is no plan: the best is tried with other seeds, and when too
 * few of them meet the objectives it counts as a failure and the search goes on.
 * A failure excludes the members of its family with no more replicas anywhere. An outcome corrects
 * what is expected of its relatives (same offer, layout, pools and scheduler): the load by the
 * share of time that replicas were seen to work, the tail by the ratio that it shows.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/parallel.h"
#include "sim/plan/plan_internal.h"

enum {
    ROUND = 4, /* trials */
    COHORTS = 512,
    KIND_SHARE = 8,  /* each kind of pools gets this part of the simulations */
    DOUBT_SHARE = 4, /* cheaper ones that are not expected to hold get this part */
    RUNNERS_AMONG = 4096
};
#define HOPELESS 4.0    /* value over limit that is expected: not worth a simulation */
#define OVERLOADED 0.97 /* share of time at work; above it, the load cannot be told */
#define HIDDEN_LOAD 1.1 /* the load of an overloaded cohort over the most that was seen of it */
#define LEAST_LOAD 1e-6 /* a load of 0 divides nothing */
#define FARTHEST 1e3    /* value over limit that is learnt from: further off tells no more */
#define UNTRUSTED 1e12  /* ranks what the estimate does not trust behind every price */
#define SAME_PRICE 1e-9 /* relative: prices of equal sums in another order */
#define FRONT_TTFT 0.5  /* weight of a halved TTFT against a doubled price in the front */

typedef struct candidate {
    rc_plan_option option;
    rc_plan_bound bound;
    double price;
    int cohort; /* index of the cohort whose outcomes correct it */
    bool simulated, excluded;
} candidate;

/* Candidates that are alike in offer, layout, pools and scheduler: the outcome of one corrects
 * what is expected of the others. */
typedef struct cohort {
    int16_t offer, tp, cp, decode_cp, dcp, dp, pp;
    int32_t ep;
    bool split, chunked;
    double scale, full; /* sum over `seen` of busy over load; the most seen of it when overloaded */
    double log_ratio;   /* sum over `seen` of log(shown / estimated) */
    int seen;           /* outcomes that were not overloaded */
} cohort;

typedef struct search {
    const rc_plan *p;
    rc_plan_sim sim;
    void *ctx;
    candidate *at;
    size_t count;
    cohort cohorts[COHORTS], all; /* all: over every cohort, for those without an outcome */
    int cohort_count;
    rc_plan_answer *out;
    double best_price; /* INFINITY: none holds */
    int kind;          /* that a stage looks at */
    bool doubting;     /* a stage looks at what was excluded, too */
    int64_t doubts;    /* simulations left for what is not expected to hold */
    plan_counted *counted;
} search;

/* ---- trials ---------------------------------------------------------------------------------- */

typedef struct batch {
    rc_plan_sim sim;
    void *ctx;
    const rc_plan_trial *trials;
    rc_plan_outcome *outcomes;
} batch;

rc_status plan_run_trial(rc_plan_sim sim, void *ctx, const rc_plan_trial *t, rc_plan_outcome *out,
                         rc_error *err) {
    rc_error why = {0};
    memset(out, 0, sizeof *out);
    rc_status st = sim(ctx, t, out, &why);
    out->fits = st == RC_OK;
    if (st == RC_E_NOFIT)
        return RC_OK;
    if (st != RC_OK && err)
        *err = why;
    return st;
}

static rc_status run_one(void *ctx, size_t i, rc_error *err) {
    batch *b = ctx;
    return plan_run_trial(b->sim, b->ctx, &b->trials[i], &b->outcomes[i], err);
}

rc_status plan_run_trials(const rc_plan *p, rc_plan_sim sim, void *ctx, const rc_plan_trial *trials,
                          rc_plan_outcome *outcomes, size_t count, rc_error *err) {
    assert(sim != NULL);
    batch b = {sim, ctx, trials, outcomes};
    return rc_parallel(count, p->threads, run_one, &b, err);
}

rc_plan_trial plan_trial(const rc_plan *p, const rc_plan_option *o) {
    return (rc_plan_trial){.option = *o,
                           .seed = p->seed,
                           .growth = p->growth,
                           .matrix = 1.0,
                           .hbm = 1.0,
                           .network = 1.0,
                           .memory = 1.0,
                           .ring_step = -1.0};
}

/* ---- candidates ------------------------------------------------------------------------------ */

static int cohort_of(search *s, const rc_plan_option *o) {
    const cohort k = {.offer = o->offer,
                      .tp = o->tp,
                      .cp = o->cp,
                      .decode_cp = o->decode_cp,
                      .dcp = o->dcp,
                      .dp = o->dp,
                      .pp = o->pp,
                      .ep = o->ep,
                      .split = o->decode > 0,
                      .chunked = o->chunked};
    for (int i = 0; i < s->cohort_count; i++) {
        const cohort *h = &s->cohorts[i];
        if (h->offer == k.offer && h->tp == k.tp && h->cp == k.cp && h->decode_cp == k.decode_cp &&
            h->dcp == k.dcp && h->dp == k.dp && h->pp == k.pp && h->ep == k.ep &&
            h->split == k.split && h->chunked == k.chunked)
            return i;
    }
    if (s->cohort_count == COHORTS)
        return 0;
    s->cohorts[s->cohort_count] = k;
    return s->cohort_count++;
}

static int by_price(const void *x, const void *y) {
    const candidate *a = x, *b = y;
    const int price = (a->price > b->price) - (a->price < b->price);
    const int floor = (a->bound.floor > b->bound.floor) - (a->bound.floor < b->bound.floor);
    return price ? price : floor ? floor : memcmp(&a->option, &b->option, sizeof a->option);
}

static rc_status find_candidates(search *s, rc_plan_bounds *bounds, rc_error *err) {
    rc_plan_option *options = NULL;
    size_t n = 0;
    RC_TRY(plan_options(s->p, &options, &n, err));
    for (int g = 0; g < s->p->objective_count; g++)
        s->out->least[g] = INFINITY; /* fmin passes over what was not looked at */
    s->at = calloc(n, sizeof *s->at);
    rc_status st = s->at ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for a plan");
    for (size_t i = 0; i < n && st == RC_OK; i++) {
        rc_plan_bound b;
        st = rc_plan_bound_of(bounds, &options[i], &b, err);
        s->out->cut[b.cut]++;
        for (int g = 0; g < s->p->objective_count && st == RC_OK; g++)
            s->out->least[g] = fmin(s->out->least[g], b.value[g]);
        if (st != RC_OK || b.cut != RC_CUT_NONE)
            continue;
        candidate *c = &s->at[s->count++];
        *c = (candidate){.option = options[i],
                         .price = rc_plan_price(s->p, &options[i]),
                         .bound = b,
                         .cohort = cohort_of(s, &options[i])};
    }
    s->out->considered = (int64_t)n;
    free(options);
    if (st == RC_OK)
        qsort(s->at, s->count, sizeof *s->at, by_price);
    return st;
}

static double scale_of(const search *s, const candidate *c) {
    const cohort *k = &s->cohorts[c->cohort];
    if (k->seen == 0 && k->full <= 0.0)
        k = &s->all;
    if (k->seen > 0)
        return k->scale / k->seen;
    return fmax(1.0, HIDDEN_LOAD * k->full);
}

static double corrected(const search *s, const candidate *c) {
    const cohort *k = &s->cohorts[c->cohort];
    if (k->seen == 0)
        k = &s->all;
    double e = rc_plan_estimate(&c->bound, scale_of(s, c));
    return k->seen > 0 ? e * exp(k->log_ratio / k->seen) : e;
}

/* ---- what a trial shows ---------------------------------------------------------------------- */

static void exclude_smaller(search *s, const candidate *failed) {
    const rc_plan_option *f = &failed->option;
    for (size_t i = 0; i < s->count; i++) {
        candidate *c = &s->at[i];
        if (!c->simulated && !c->excluded && c->option.prefill <= f->prefill &&
            c->option.decode <= f->decode && plan_same_family(&c->option, f))
            c->excluded = true;
    }
}

static void learn_from(cohort *k, const candidate *c, const rc_plan_outcome *o, double margin) {
    double busy = o->busy_prefill, load = fmax(c->bound.rho, LEAST_LOAD), scale = busy / load;
    if (busy > OVERLOADED) {
        k->full = fmax(k->full, scale);
        return;
    }
    double shown = fmin(fmax(1.0 / (1.0 + margin), 1.0 / FARTHEST), FARTHEST);
    k->log_ratio += log(shown / fmax(rc_plan_estimate(&c->bound, scale), 1.0 / FARTHEST));
    k->scale += scale;
    k->seen++;
}

static bool before(const rc_plan_result *x, const rc_plan_result *y) {
    return x->price < y->price || (!(x->price > y->price) && x->margin > y->margin);
}

static void find_best(search *s) {
    rc_plan_answer *a = s->out;
    a->best = -1;
    for (size_t i = 0; i < a->all_count; i++) {
        const rc_plan_result *r = &a->all[i];
        if (r->margin >= 0.0 && !r->fragile && (a->best < 0 || before(r, &a->all[a->best])))
            a->best = (int)i;
    }
    s->best_price = a->best >= 0 ? a->all[a->best].price : INFINITY;
    for (int k = 0; k < RC_PLAN_KINDS; k++)
        a->kind_best[k] = -1;
    for (size_t i = 0; i < a->all_count; i++) {
        const rc_plan_result *r = &a->all[i];
        int *best = &a->kind_best[rc_plan_kind(&r->option)];
        if (r->margin >= 0.0 && !r->fragile && (*best < 0 || before(r, &a->all[*best])))
            *best = (int)i;
    }
}

static rc_status keep(search *s, candidate *c, const rc_plan_outcome *o, rc_error *err) {
    assert(!c->simulated);
    rc_plan_answer *a = s->out;
    rc_plan_result *grown = realloc(a->all, (a->all_count + 1) * sizeof *grown);
    if (!grown)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the results of a plan");
    a->all = grown;
    rc_plan_result *r = &grown[a->all_count];
    *r = (rc_plan_result){.option = c->option, .outcome = *o, .price = c->price};
    r->margin = rc_plan_margin(s->p, o, &r->tightest);
    c->simulated = true;
    if (o->fits) {
        learn_from(&s->cohorts[c->cohort], c, o, r->margin);
        learn_from(&s->all, c, o, r->margin);
    }
    if (r->margin < 0.0)
        exclude_smaller(s, c);
    a->all_count++;
    a->simulated++;
    find_best(s);
    return RC_OK;
}

static rc_status run_round(search *s, candidate *const *chosen, int n, rc_error *err) {
    assert(n >= 1 && n <= ROUND);
    rc_plan_trial trials[ROUND];
    rc_plan_outcome outcomes[ROUND];
    for (int i = 0; i < n; i++)
        trials[i] = plan_trial(s->p, &chosen[i]->option);
    RC_TRY(plan_run_trials(s->p, s->sim, s->ctx, trials, outcomes, (size_t)n, err));
    for (int i = 0; i < n; i++)
        RC_TRY(keep(s, chosen[i], &outcomes[i], err));
    return RC_OK;
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* How much a stage wants a candidate: the lowest first, INFINITY not at all. */
typedef double (*score)(const search *s, const candidate *c);

/* While nothing holds: the price, as long as the estimate trusts it; else the estimate. */
static double score_first(const search *s, const candidate *c) {
    double e = corrected(s, c);
    return e <= 1.0 ? c->price : UNTRUSTED * e;
}

/* What is cheaper than the best, unless it is expected to miss by far. */
static double score_cheaper(const search *s, const candidate *c) {
    double e = c->price < s->best_price * (1.0 - SAME_PRICE) ? corrected(s, c) : INFINITY;
    return e <= HOPELESS ? e : INFINITY;
}

static double score_margin(const search *s, const candidate *c) {
    bool equal = c->price >= s->best_price * (1.0 - SAME_PRICE) &&
                 c->price <= s->best_price * (1.0 + SAME_PRICE);
    return equal ? corrected(s, c) : INFINITY;
}

/* What is cheaper than the best and not expected to hold: the estimate knows a mean load and no
 * bursts, and a smaller one of a family may hold by its caches. What a larger one's failure spoke
 * against comes last. */
static double score_doubted(const search *s, const candidate *c) {
    if (c->price >= s->best_price * (1.0 - SAME_PRICE))
        return INFINITY;
    return corrected(s, c) * (c->excluded ? UNTRUSTED : 1.0);
}

/* Dearer ones, near in price first, that promise less than the best shows. */
static double score_front(const search *s, const candidate *c) {
    double shown = s->out->best >= 0 ? 1.0 / (1.0 + s->out->all[s->out->best].margin) : 1.0;
    double e = corrected(s, c);
    if (c->price <= s->best_price || e >= shown)
        return INFINITY;
    return log(c->price / s->best_price) + FRONT_TTFT * log(e);
}

/* The cheapest of one kind of pools, for the comparison. */
static double score_kind(const search *s, const candidate *c) {
    int best = s->out->kind_best[s->kind];
    if (rc_plan_kind(&c->option) != s->kind ||
        (best >= 0 && c->price >= s->out->all[best].price * (1.0 - SAME_PRICE)))
        return INFINITY;
    double e = corrected(s, c);
    return e <= 1.0 ? c->price : e <= HOPELESS || best < 0 ? UNTRUSTED * e : INFINITY;
}

static bool relative_chosen(candidate *const *chosen, int n, const candidate *c) {
    for (int i = 0; i < n; i++)
        if (chosen[i]->cohort == c->cohort && chosen[i]->option.prefill == c->option.prefill &&
            chosen[i]->option.decode == c->option.decode)
            return true;
    return false;
}

/* The most wanted. No two of a round are of one cohort with the same replicas, for the second would
 * show little. */
static int choose_round(search *s, score w, int most, candidate **chosen) {
    int n = 0;
    assert(most >= 1 && most <= ROUND);
    while (n < most) {
        candidate *best = NULL;
        double least = INFINITY;
        for (size_t i = 0; i < s->count; i++) {
            candidate *c = &s->at[i];
            if (c->simulated || (c->excluded && !s->doubting))
                continue;
            double v = w(s, c);
            if (v < least && !relative_chosen(chosen, n, c)) {
                least = v;
                best = c;
            }
        }
        if (!best)
            break;
        chosen[n++] = best;
    }
    return n;
}

static rc_status run_stage(search *s, score w, int64_t until, bool stop_at_best, rc_error *err) {
    while (s->out->simulated < until && !(stop_at_best && s->out->best >= 0)) {
        candidate *chosen[ROUND];
        int64_t rest = until - s->out->simulated;
        int n = choose_round(s, w, rest < ROUND ? (int)rest : ROUND, chosen);
        if (n == 0)
            return RC_OK;
        RC_TRY(run_round(s, chosen, n, err));
    }
    return RC_OK;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void count_open(search *s) {
    for (size_t i = 0; i < s->count; i++) {
        const candidate *c = &s->at[i];
        s->out->excluded += c->excluded && !c->simulated;
        bool open = !c->excluded && !c->simulated && c->price < s->best_price * (1.0 - SAME_PRICE);
        s->out->open += open;
        s->out->hopeful += open && corrected(s, c) <= 1.0;
    }
}

/* Those that hold, next after the best by price and margin, each family once. */
static void find_runners(rc_plan_answer *a) {
    bool used[RUNNERS_AMONG] = {false};
    while (a->runner_count < RC_PLAN_RUNNERS) {
        int next = -1;
        for (size_t i = 0; i < a->all_count && i < RUNNERS_AMONG; i++) {
            const rc_plan_result *r = &a->all[i];
            if ((int)i != a->best && !used[i] && r->margin >= 0.0 &&
                (next < 0 || before(r, &a->all[next])))
                next = (int)i;
        }
        if (next < 0)
            return;
        used[next] = true;
        a->runners[a->runner_count++] = next;
    }
}

static int by_cost(const void *x, const void *y) {
    const rc_plan_result *const *a = x, *const *b = y;
    const int price = ((*a)->price > (*b)->price) - ((*a)->price < (*b)->price);
    const double p = (*a)->outcome.ttft_p95, q = (*b)->outcome.ttft_p95;
    return price ? price : (p > q) - (p < q);
}

static rc_status find_front(rc_plan_answer *a, rc_error *err) {
    const rc_plan_result **order = malloc((a->all_count + 1) * sizeof *order);
    double least = INFINITY;
    size_t n = 0;
    if (!order)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the results of a plan");
    for (size_t i = 0; i < a->all_count; i++)
        if (a->all[i].margin >= 0.0 && !a->all[i].fragile)
            order[n++] = &a->all[i];
    qsort(order, n, sizeof *order, by_cost);
    for (size_t i = 0; i < n && a->front_count < RC_PLAN_FRONT; i++) {
        if (order[i]->outcome.ttft_p95 >= least)
            continue;
        least = order[i]->outcome.ttft_p95;
        a->front[a->front_count++] = (int)(order[i] - a->all);
    }
    free(order);
    return RC_OK;
}

/* Of which `simulated` are done: of the search, of one round of other seeds and about the best. */
static size_t trials_to_come(const rc_plan *p, int64_t simulated) {
    return (size_t)(p->simulations - simulated) + (size_t)p->check_seeds + plan_examine_most();
}

/* Try the best with other seeds. *out: it holds for enough of them; else it counts as a failure
 * like others. */
static rc_status confirm_best(search *s, bool *out, rc_error *err) {
    rc_plan_answer *a = s->out;
    rc_plan_result *r = &a->all[a->best];
    plan_count_most(s->counted, trials_to_come(s->p, a->simulated));
    /* What is said of seeds is said of the last that was confirmed. */
    RC_TRY(plan_try_seeds(s->p, s->sim, s->ctx, &r->option, out, a, err));
    if (*out)
        return RC_OK;
    r->fragile = true;
    const candidate failed = {.option = r->option};
    exclude_smaller(s, &failed);
    find_best(s);
    return RC_OK;
}

static int64_t least_of(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static rc_status run_doubts(search *s, rc_error *err) {
    int64_t before = s->out->simulated;
    s->doubting = true;
    rc_status st =
        run_stage(s, score_doubted, least_of(before + s->doubts, s->p->simulations), false, err);
    s->doubting = false;
    s->doubts -= s->out->simulated - before;
    return st;
}

/* Stages 1 and 2, until what they find is confirmed or nothing is left to find. */
static rc_status find_confirmed(search *s, int64_t most, int *confirmed, rc_error *err) {
    while (true) {
        RC_TRY(run_stage(s, score_first, most, true, err));
        if (s->out->best < 0)
            RC_TRY(run_doubts(s, err));
        if (s->out->best < 0 || s->out->best == *confirmed)
            return RC_OK;
        RC_TRY(run_stage(s, score_cheaper, most, false, err));
        RC_TRY(run_doubts(s, err));
        RC_TRY(run_stage(s, score_margin, least_of(s->out->simulated + ROUND, most), false, err));
        int best = s->out->best;
        bool well;
        RC_TRY(confirm_best(s, &well, err));
        if (well)
            *confirmed = best;
    }
}

static rc_status run_search(search *s, rc_plan_bounds *bounds, rc_error *err) {
    int64_t all = s->p->simulations, most = (all + 1) / 2;
    int confirmed = -1;
    bool more;
    s->doubts = all / DOUBT_SHARE;
    RC_TRY(find_candidates(s, bounds, err));
    /* The later stages may meet something better by chance, which must then stand as well; in the
     * second round all of the simulations may look for what the first half did not find. */
    do {
        RC_TRY(find_confirmed(s, most, &confirmed, err));
        for (s->kind = 0; s->out->best >= 0 && s->kind < RC_PLAN_KINDS; s->kind++)
            RC_TRY(run_stage(s, score_kind, least_of(s->out->simulated + all / KIND_SHARE, all),
                             false, err));
        if (s->out->best >= 0)
            RC_TRY(run_stage(s, score_front, all, false, err));
        if (most == all) { /* what is left over may prove a guess wrong */
            s->doubts = all;
            RC_TRY(run_doubts(s, err));
        }
        more = s->out->best != confirmed || most < all;
        most = all;
    } while (more);
    count_open(s);
    find_runners(s->out);
    return find_front(s->out, err);
}

rc_status rc_plan_search(const rc_plan *p, rc_plan_bounds *bounds, rc_plan_sim sim, void *ctx,
                         rc_plan_answer *out, rc_error *err) {
    assert(bounds != NULL);
    assert(p->simulations >= 1);
    search *s = calloc(1, sizeof *s);
    *out = (rc_plan_answer){.best = -1, .kind_best = {-1, -1, -1, -1}};
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a plan");
    plan_counted counted;
    rc_status st = rc_fail(err, RC_E_NOMEM, "out of memory for a plan");
    if (plan_count_begin(&counted, p, sim, ctx, trials_to_come(p, 0))) {
        *s = (search){.p = p,
                      .sim = plan_counted_sim,
                      .ctx = &counted,
                      .out = out,
                      .counted = &counted,
                      .best_price = INFINITY};
        st = run_search(s, bounds, err);
        plan_count_most(&counted, plan_examine_most());
        if (st == RC_OK && out->best >= 0)
            st = plan_examine(p, plan_counted_sim, &counted, out, err);
        plan_count_end(&counted);
    }
    free(s->at);
    free(s);
    if (st != RC_OK)
        rc_plan_answer_free(out);
    return st;
}

void rc_plan_answer_free(rc_plan_answer *a) {
    free(a->all);
    a->all = NULL;
    a->all_count = 0;
}
