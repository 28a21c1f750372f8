/* Random clusters under random load: whatever is asked of them, every request ends once and every
 * token is accounted for (rc_serve_run checks that itself and fails), the same seed gives the same
 * answers, Little's law holds, and more capacity does not make goodput worse.
 *
 * The last is no theorem: scheduling has anomalies (Graham, 1969). With chunked prefill it held in
 * every scenario drawn. With prefill first it fails now and then, and that is no accident of
 * rounding: more KV lets more prompts in at once, each prompt admitted holds up every sequence that
 * decodes, and some of those miss their TTIT. How often is pinned.
 *
 * A run that may end as soon as it is sure to miss says so of just those that miss when they are played
 * to their end; others are the same to the bit.
 *
 * A pool's shares are shares, and its least work is no more than what it did; no crowd is served faster than
 * the load that the work allows.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/prop.h"
#include "tests/support/serve.h"

typedef struct draw {
    int replicas, apart, chunked, fuse, budget, batch, kv, input, output, requests, swap, prefix;
    int faults, lose, spec, window, policy, host, turns, admission;
    double rate;
} draw;

static draw drawn(prop_case *c) {
    draw d = {.replicas = (int)prop_range(c, 1, 3),
              .apart = prop_below(c, 3) == 0,
              .chunked = (int)prop_below(c, 2),
              .fuse = (int)prop_range(c, 1, 4),
              .budget = (int)prop_range(c, 256, 4096),
              .batch = (int)prop_range(c, 1, 24),
              .kv = (int)prop_range(c, 3000, 20000),
              .input = (int)prop_range(c, 10, 1500),
              .output = (int)prop_range(c, 1, 300),
              .requests = 5 + 4 * (int)c->size,
              .swap = (int)prop_below(c, 2),
              .prefix = (int)prop_below(c, 2),
              .faults = (int)prop_below(c, 3),
              .lose = (int)prop_below(c, 2),
              .spec = prop_below(c, 4) == 0,
              .window = prop_below(c, 4) == 0,
              .policy = (int)prop_below(c, 3),
              .host = prop_below(c, 3) == 0,
              .turns = (int)prop_range(c, 1, 4)};
    d.rate = exp((double)prop_range(c, -200, 300) / 100.0);
    return d;
}

static void text_of(const draw *d, char *out, size_t size) {
    static const char *const policies[] = {"lru", "off", "session"};
    static const char *const schedulers[] = {"prefill-first", "chunked", "inflight"};
    static const char *const admissions[] = {"prompt", "chunk", "reply"};
    char pools[256], faults[256] = "";
    if (d->apart)
        (void)snprintf(pools, sizeof pools,
                       "[{name: p, role: prefill, tp: 8, replicas: %d}, {name: d, role: decode, "
                       "tp: 8, replicas: %d}]",
                       d->replicas, d->replicas);
    else
        (void)snprintf(pools, sizeof pools, "[{name: p, tp: 8, replicas: %d}]", d->replicas);
    if (d->faults > 0)
        (void)snprintf(faults, sizeof faults,
                       "faults: [{kind: node-lost, pool: p, at: 3s, back: 9s}%s]\non_loss: %s\n",
                       d->faults > 1 && d->apart ? ", {kind: node-lost, pool: d, at: 5s, back: 6s}"
                                                 : "",
                       d->lose ? "lose" : "retry");
    (void)snprintf(
        out, size,
        SERVE_HEAD "pools: %s\nscheduler: {policy: %s, fuse: %d, budget: %d, max_batch: %d, "
                   "preemption: %s, admission: %s}\nrouting: %s\n"
                   "kv: {tokens: %d, policy: %s, host_memory: %s, host_rate: 10MB/s}\n"
                   "synthetic: {requests: %d, rate: %.6f, block: 16, shared_prefix: 64, groups: 3, "
                   "think: 0.5s, turns: {kind: constant, mean: %d}, "
                   "input: {kind: exponential, mean: %d, hi: 2000}, "
                   "output: {kind: exponential, mean: %d, hi: 400}}\n%s%s%s"
                   "slo: {ttft: 2s, ttit: 60ms}\n"
                   "costs: {prefill: 5ms, prefill_token: 100us, decode: 10ms, decode_sequence: "
                   "500us, decode_key: 10ns}\n",
        pools, schedulers[d->chunked], d->fuse, d->budget, d->batch, d->swap ? "swap" : "recompute",
        admissions[d->admission], d->prefix ? "prefix" : "load", d->kv, policies[d->policy],
        d->host ? "1MB" : "0", d->requests, d->rate, d->turns, d->input, d->output, faults,
        d->spec ? "speculative: {tokens: [0.3, 0.4, 0.3]}\n" : "",
        d->window ? "attention: {pattern: window, window: 300}\n" : "");
}

static bool go_with(prop_case *c, const draw *d, rc_serve_options o, rc_serve_result *out) {
    char text[2048];
    rc_error err = {0};
    text_of(d, text, sizeof text);
    rc_status st = serve_text(text, o, out, NULL, &err);
    PROP_CHECK(c, st == RC_OK, "%.400s\n%.700s", err.msg, text);
    return true;
}

static bool go(prop_case *c, const draw *d, uint64_t seed, rc_serve_result *out) {
    return go_with(c, d, (rc_serve_options){.seed = seed, .work = true}, out);
}

static rc_serve_result first, second; /* too large for the stack of a deep run */

static bool is_share(double x) {
    return x >= 0.0 && x <= 1.0 + 1e-9;
}

/* A node that is lost does some work twice, and some of it not to the end. */
static bool shares_hold(prop_case *c, const draw *d, const rc_serve_result *r) {
    for (int i = 0; i < r->pool_count; i++) {
        double computes = rc_pool_computes(r, i), work = rc_pool_work(r, i);
        PROP_CHECK(c, is_share(computes) && is_share(rc_pool_kv_mean(r, i)), "pool %d: %g, KV %g",
                   i, computes, rc_pool_kv_mean(r, i));
        PROP_CHECK(c, is_share(r->pools[i].kv_peak), "KV peak %g", r->pools[i].kv_peak);
        PROP_CHECK(c, d->faults > 0 || (work >= 0.0 && work <= computes * (1.0 + 1e-9)),
                   "pool %d: work %.12g of its time, passes %.12g", i, work, computes);
    }
    return true;
}

static bool accounted(prop_case *c) {
    draw d = drawn(c);
    d.chunked += d.chunked > 0 && prop_below(c, 2) == 0;
    d.admission = (int)prop_below(c, 3);
    if (!go(c, &d, c->seed & 0xffff, &first) || !go(c, &d, c->seed & 0xffff, &second))
        return false;
    PROP_CHECK(c, first.done + first.rejected + first.lost == first.requests, "requests");
    PROP_CHECK(c, first.hash == second.hash, "two runs differ");
    PROP_CHECK(c, fabs(first.little_l / first.little_lw - 1.0) < 1e-9, "L %.12g, lambda W %.12g",
               first.little_l, first.little_lw);
    PROP_CHECK(c, d.faults > 0 || first.lost == 0, "lost without a fault");
    return shares_hold(c, &d, &first);
}

static int held, ended_early;

static bool verdict(prop_case *c) {
    static rc_objective slo[2] = {{.limit = 2.0, .share = 0.95, .to = INT64_MAX},
                                  {.limit = 0.06, .share = 0.95, .to = INT64_MAX, .ttit = true}};
    draw d = drawn(c);
    bool met = true;
    const rc_serve_options o = {.seed = c->seed & 0xffff, .until_missed = true};
    if (!go(c, &d, o.seed, &first) || !go_with(c, &d, o, &second))
        return false;
    assert_int_equal(first.objective_count, 2);
    for (int i = 0; i < 2; i++)
        met = met && rc_objective_met(&slo[i], &first.objectives[i]);
    met = met && first.rejected + first.lost == 0;
    PROP_CHECK(c, second.missed == !met, "missed %d, met %d", second.missed, met);
    PROP_CHECK(c, !met || first.hash == second.hash, "two runs differ");
    held += met;
    ended_early += second.done + second.rejected + second.lost < first.requests;
    return true;
}

/* Without caches and with room for all, the same requests are the same work at any rate; when all come
 * at once they are not served faster than it allows. */
static bool work_is_kept(prop_case *c) {
    draw d = drawn(c);
    d.policy = 1;
    d.prefix = d.host = d.spec = d.faults = 0;
    d.turns = 1;
    d.kv = 100000;
    if (!go(c, &d, c->seed & 0xffff, &first))
        return false;
    d.rate = 1e6;
    if (!go(c, &d, c->seed & 0xffff, &second))
        return false;
    double rate = (double)second.done / ((double)second.makespan / RC_PS_PER_S);
    for (int i = 0; i < first.pool_count; i++) {
        double a = first.pools[i].work_s, b = second.pools[i].work_s;
        PROP_CHECK(c, fabs(a - b) <= 1e-6 * a, "work %.12g s, all at once %.12g s", a, b);
        PROP_CHECK(c, rate <= rc_pool_most_load(&first, i) * (1.0 + 1e-9), "%g/s of at most %g/s",
                   rate, rc_pool_most_load(&first, i));
    }
    return true;
}

static int fell, worst; /* scenarios; requests in one */

/* The same open-loop requests with twice the replicas or twice the KV: who meets the SLO. */
static bool twice(prop_case *c, bool replicas) {
    draw d = drawn(c);
    d.turns = 1; /* closed loops ask for more when they are served faster */
    d.faults = 0;
    d.spec = 0; /* tokens a step are drawn in the order of service */
    if (!go(c, &d, c->seed & 0xffff, &first))
        return false;
    if (replicas)
        d.replicas *= 2;
    else
        d.kv *= 2;
    if (!go(c, &d, c->seed & 0xffff, &second))
        return false;
    int less = (int)first.within_slo - (int)second.within_slo;
    fell += less > 0;
    worst = less > worst ? less : worst;
    return true;
}

static bool more_replicas(prop_case *c) {
    return twice(c, true);
}

static bool more_kv(prop_case *c) {
    return twice(c, false);
}

static void test_accounted(void **state) {
    (void)state;
    assert_true(prop_run("accounted", accounted, 60));
}

static void test_verdict(void **state) {
    (void)state;
    assert_true(prop_run("verdict", verdict, 60));
    print_message("verdict: %d held, %d ended early\n", held, ended_early);
    if (!getenv("PROP_CASES") && !getenv("PROP_SEED") && !getenv("PROP_ONLY") &&
        !getenv("RC_SHORT"))
        assert_true(held > 5 && ended_early > 10);
}

static void test_work(void **state) {
    (void)state;
    assert_true(prop_run("work_is_kept", work_is_kept, 25));
}

static void check_more(const char *name, prop_fn fn, int scenarios, int requests) {
    fell = worst = 0;
    assert_true(prop_run(name, fn, 60));
    print_message("%s: %d scenarios served fewer within the SLO, by %d requests at most\n", name,
                  fell, worst);
    if (getenv("PROP_CASES") || getenv("PROP_SEED") || getenv("PROP_ONLY") || getenv("RC_SHORT"))
        return; /* other cases than those pinned */
    assert_int_equal(fell, scenarios);
    assert_int_equal(worst, requests);
}

static void test_more(void **state) {
    (void)state;
    check_more("more_replicas", more_replicas, 0, 0);
    check_more("more_kv", more_kv, 2, 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_accounted),
                                       cmocka_unit_test(test_verdict), cmocka_unit_test(test_work),
                                       cmocka_unit_test(test_more)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
