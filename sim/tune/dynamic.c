/* Dynamic context parallelism: policies that decide how many ranks a prefill gets, scored against
 * the best decision possible.
 *
 * A policy picks a degree and a variant for every cell of the test half. A pick that does not fit
 * into memory, or that has fewer new tokens than ranks, cannot be run. It is replaced by the other
 * variant on the same degree, else by the next larger degree that can be run, else by the next
 * smaller one. Cells that fit on no degree are left out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "sim/base/quantile.h"
#include "sim/tune/tune_internal.h"

#define USUAL_THRESHOLD 4096.0 /* tokens: where engines' users report that CP begins to pay */

typedef struct pick {
    int degree, variant;
} pick;

typedef pick (*policy_fn)(const rc_tune *t, size_t cell, int price);

static double time_of(const rc_tune *t, size_t cell, pick p) {
    return rc_tune_time_at(t, cell, p.degree, p.variant);
}

static pick faster_of(const rc_tune *t, size_t cell, int degree) {
    double kv = rc_tune_time_at(t, cell, degree, RC_TUNE_KV);
    double q = rc_tune_time_at(t, cell, degree, RC_TUNE_Q);
    return (pick){degree, isfinite(q) && !(q >= kv) ? RC_TUNE_Q : RC_TUNE_KV};
}

static double cost_of(const rc_tune *t, size_t cell, pick p, double price) {
    return time_of(t, cell, p) * pow(t->s.degree[p.degree], price);
}

static pick oracle(const rc_tune *t, size_t cell, int price) {
    double w = t->s.price[price];
    pick best = faster_of(t, cell, 0);
    for (int d = 1; d < t->s.degrees; d++) {
        pick p = faster_of(t, cell, d);
        double own = cost_of(t, cell, p, w), least = cost_of(t, cell, best, w);
        if (own < least || !isfinite(least))
            best = p;
    }
    return best;
}

static pick never(const rc_tune *t, size_t cell, int price) {
    (void)price;
    return faster_of(t, cell, 0);
}

static pick always(const rc_tune *t, size_t cell, int price) {
    (void)price;
    return faster_of(t, cell, t->s.degrees - 1);
}

static pick always_kv(const rc_tune *t, size_t cell, int price) {
    (void)cell;
    (void)price;
    return (pick){t->s.degrees - 1, RC_TUNE_KV};
}

static pick from_4k(const rc_tune *t, size_t cell, int price) {
    return (double)t->cells[cell].t < USUAL_THRESHOLD ? never(t, cell, price)
                                                      : always_kv(t, cell, price);
}

/* The smallest degree that some variant fits on. */
static int least_degree(const rc_tune *t, size_t cell) {
    int d = 0;
    while (d + 1 < t->s.degrees && !isfinite(time_of(t, cell, faster_of(t, cell, d))))
        d++;
    return t->s.degree[d];
}

static pick tuned(const rc_tune *t, size_t cell, int price) {
    const rc_tune_cell *c = &t->cells[cell];
    double fresh = (double)c->t, cached = (double)c->p, batch = t->s.batch[c->batch];
    int n = rc_select_degree(&t->table, price, fresh, cached, batch, least_degree(t, cell),
                             t->s.degree[t->s.degrees - 1]);
    rc_choice v = rc_select_variant(&t->table, fresh, cached, batch, n);
    return (pick){rc_tune_degree_index(t, n), v == RC_CHOOSE_PASS_KV ? RC_TUNE_KV : RC_TUNE_Q};
}

/* All-gather pass-KV allowed as well. */
static pick oracle_gather(const rc_tune *t, size_t cell, int price) {
    pick best = oracle(t, cell, price);
    for (int d = 0; d < t->s.degrees; d++) {
        pick p = {d, RC_TUNE_GATHER};
        if (cost_of(t, cell, p, t->s.price[price]) < cost_of(t, cell, best, t->s.price[price]))
            best = p;
    }
    return best;
}

static const struct {
    const char *name;
    policy_fn pick;
    bool priced, gather;
} policies[] = {
    {"never", never, false, false},
    {"always, pass-kv", always_kv, false, false},
    {"always, faster variant", always, false, false},
    {"from T = 4096, pass-kv", from_4k, false, false},
    {"tuned", tuned, true, false},
    {"oracle", oracle, true, false},
    {"oracle, all-gather too", oracle_gather, true, true},
};
enum { POLICIES = sizeof policies / sizeof policies[0] };
_Static_assert((int)POLICIES <= (int)RC_TUNE_POLICIES, "a run has room for each");

/* What is run instead when it cannot be: the other variant, more ranks, fewer ranks. */
static pick fitting(const rc_tune *t, size_t cell, pick p) {
    if (isfinite(time_of(t, cell, p)))
        return p;
    for (int d = p.degree; d < t->s.degrees; d++)
        if (isfinite(time_of(t, cell, faster_of(t, cell, d))))
            return faster_of(t, cell, d);
    for (int d = p.degree - 1; d >= 0; d--)
        if (isfinite(time_of(t, cell, faster_of(t, cell, d))))
            return faster_of(t, cell, d);
    return p;
}

static double least_gpu_seconds(const rc_tune *t, size_t cell) {
    double best = HUGE_VAL;
    for (int d = 0; d < t->s.degrees; d++) {
        double v = cost_of(t, cell, faster_of(t, cell, d), 1.0);
        if (isfinite(v))
            best = fmin(best, v);
    }
    return best;
}

static void score(const rc_tune *t, int price, int k, double *scratch, rc_tune_policy *out) {
    double w = t->s.price[price], latency = 0.0, gpu = 0.0;
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++) {
        pick best = oracle(t, i, price), fastest = oracle(t, i, 0);
        pick own = fitting(t, i, policies[k].pick(t, i, price));
        if (t->cells[i].train || !isfinite(time_of(t, i, best)) || !isfinite(time_of(t, i, own)))
            continue;
        scratch[n] = 100.0 * (cost_of(t, i, own, w) / cost_of(t, i, best, w) - 1.0);
        scratch[t->count + n++] = 0.0;
        latency += log(time_of(t, i, own) / time_of(t, i, fastest));
        gpu += log(cost_of(t, i, own, 1.0) / least_gpu_seconds(t, i));
    }
    rc_tune_score s = rc_tune_score_of(scratch, scratch + t->count, n, 0);
    *out = (rc_tune_policy){.regret_pct = s.mean_pct,
                            .p95_pct = s.p95_pct,
                            .worst_pct = s.worst_pct,
                            .latency = n ? exp(latency / (double)n) : NAN,
                            .gpu_seconds = n ? exp(gpu / (double)n) : NAN,
                            .points = n};
    (void)snprintf(out->name, sizeof out->name, "%s", policies[k].name);
}

rc_status rc_tune_policies(rc_tune *t, rc_error *err) {
    assert(t->s.prices <= RC_SELECT_PRICES);
    double *scratch = calloc(2 * t->count + 1, sizeof *scratch);
    if (!scratch)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu regrets", t->count);
    for (int w = 0; w < t->s.prices; w++)
        for (int k = 0; k < POLICIES; k++)
            score(t, w, k, scratch, &t->policy[w][k]);
    t->policies = POLICIES;
    free(scratch);
    return RC_OK;
}

/* ---- requests of a trace ------------------------------------------------------------------- */

static void serve_row(const rc_tune *t, int k, int price, double *scratch, rc_tune_served *out) {
    size_t n = 0, cp = 0, q = 0;
    *out = (rc_tune_served){.policy = policies[k].name,
                            .price = policies[k].priced ? t->s.price[price] : NAN};
    for (size_t i = 0; i < t->count; i++) {
        pick p = fitting(t, i, policies[k].pick(t, i, price));
        double time = time_of(t, i, p);
        if (!isfinite(time))
            continue;
        bool ring = t->s.degree[p.degree] > 1;
        scratch[n++] = time;
        out->mean += time;
        out->gpu_seconds += time * t->s.degree[p.degree] * t->s.layout.tp;
        cp += ring;
        q += ring && p.variant == RC_TUNE_Q;
    }
    if (n == 0)
        return;
    rc_sort(scratch, n);
    out->mean /= (double)n;
    out->p50 = rc_nearest_rank(scratch, n, 0.5);
    out->p95 = rc_nearest_rank(scratch, n, 0.95);
    out->cp_share = (double)cp / (double)n;
    out->q_share = (double)q / (double)n;
}

rc_status rc_tune_serve(const rc_tune *t, rc_tune_requests *out, rc_error *err) {
    assert(out->rows == 0);
    double *scratch = calloc(t->count + 1, sizeof *scratch);
    size_t q = 0;
    if (!scratch)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu requests", t->count);
    for (size_t i = 0; i < t->count; i++) {
        pick p = faster_of(t, i, t->s.degrees - 1);
        out->dropped += isfinite(time_of(t, i, oracle(t, i, 0))) ? 0 : 1;
        q += isfinite(time_of(t, i, p)) && p.variant == RC_TUNE_Q ? 1 : 0;
    }
    out->requests = t->count;
    out->q_share = (double)q / (double)(t->count ? t->count : 1);
    for (int k = 0; k < POLICIES; k++)
        for (int w = 0; w < (policies[k].priced ? t->s.prices : 1); w++)
            if (!policies[k].gather || t->variants == RC_TUNE_VARIANTS)
                serve_row(t, k, w, scratch, &out->row[out->rows++]);
    free(scratch);
    return RC_OK;
}
