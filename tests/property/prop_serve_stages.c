/* Random replicas of several stages under random load: every request ends once and every token is accounted for
 * (rc_serve_run checks that itself and fails), the same seed gives the same answers, and
 *   - a sequence is in one pass at a time: between two of its tokens lies at least a whole pass that decodes
 *   - a stage computes one pass at a time: the busiest is at it for no more than all of the time, and what the
 *     requests need of it at the least is no more than that
 *   - a prompt is in no stage sooner than its chunks can be: its first token comes no sooner than all of its work
 *     over the number of stages.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/prop.h"
#include "tests/support/serve.h"

#define STEP 10.5e-3 /* s: of a pass that decodes one sequence */
#define TOKEN 100e-6 /* s: of a token of a prompt */

typedef struct draw {
    int stages, replicas, apart, policy, admission, swap, fuse, budget, batch, kv, input, output;
    int requests, faults, spec, turns, last, host, tier, share;
    double rate;
} draw;

static draw drawn(prop_case *c) {
    draw d = {.stages = (int)prop_range(c, 1, 6),
              .replicas = (int)prop_range(c, 1, 2),
              .apart = prop_below(c, 3) == 0,
              .policy = (int)prop_below(c, 3),
              .admission = (int)prop_below(c, 3),
              .swap = (int)prop_below(c, 2),
              .fuse = (int)prop_range(c, 1, 4),
              .budget = (int)prop_range(c, 64, 4096),
              .batch = (int)prop_range(c, 1, 24),
              .kv = (int)prop_range(c, 3000, 20000),
              .input = (int)prop_range(c, 10, 1500),
              .output = (int)prop_range(c, 1, 300),
              .requests = 5 + 4 * (int)c->size,
              .faults = prop_below(c, 4) == 0,
              .spec = prop_below(c, 4) == 0,
              .turns = (int)prop_range(c, 1, 3),
              .last = (int)prop_below(c, 2),
              .host = prop_below(c, 3) == 0,
              .tier = prop_below(c, 3) == 0,
              .share = (int)prop_below(c, 5)};
    d.rate = exp((double)prop_range(c, -200, 400) / 100.0);
    return d;
}

static void text_of(const draw *d, char *out, size_t size) {
    static const char *const schedulers[] = {"prefill-first", "chunked", "inflight"};
    static const char *const admissions[] = {"prompt", "chunk", "reply"};
    static const char *const histories[] = {
        "", "history: {share: 0.5}\n", "history: {share: 0.3, summary: 40}\n",
        "history: {share: 0.7, kept: new, summary: 9}\n", "history: {share: 0}\n"};
    char pools[320], cut[64];
    (void)snprintf(cut, sizeof cut, "tp: 1, pp: %d, pp_rest: %s, replicas: %d", d->stages,
                   d->last ? "last" : "inner", d->replicas);
    if (d->apart)
        (void)snprintf(pools, sizeof pools,
                       "[{name: p, role: prefill, %s}, {name: d, role: decode, %s}]", cut, cut);
    else
        (void)snprintf(pools, sizeof pools, "[{name: p, %s}]", cut);
    (void)snprintf(
        out, size,
        SERVE_HEAD "pools: %s\nscheduler: {policy: %s, fuse: %d, budget: %d, max_batch: %d, "
                   "preemption: %s, admission: %s%s}\nkv: {tokens: %d%s}\n"
                   "synthetic: {requests: %d, rate: %.6f, block: 16, think: 0.5s, "
                   "turns: {kind: constant, mean: %d}, "
                   "input: {kind: exponential, mean: %d, hi: 2000}, "
                   "output: {kind: exponential, mean: %d, hi: 400}}\n%s%s%s"
                   "costs: {prefill_token: 100us, decode: 10ms, decode_sequence: 500us, "
                   "decode_key: 10ns}\n",
        pools, schedulers[d->policy], d->fuse, d->budget, d->batch, d->swap ? "swap" : "recompute",
        admissions[d->admission], d->host ? ", step: 1ms" : "", d->kv,
        d->tier ? ", host_memory: 1MB, host_rate: 10MB/s" : "", d->requests, d->rate, d->turns,
        d->input, d->output,
        d->faults ? "faults: [{kind: node-lost, pool: p, at: 3s, back: 9s}]\n" : "",
        d->spec ? "speculative: {tokens: [0.3, 0.4, 0.3], step_cost: 1.2}\n" : "",
        d->turns > 1 ? histories[d->share] : "");
}

static rc_serve_result first, second; /* too large for the stack of a deep run */

static bool request_holds(prop_case *c, const draw *d, const rc_served *r) {
    const double each = d->spec ? STEP * 1.2 / 3.0 : STEP;
    const double gaps = (double)(r->end - r->first) / RC_PS_PER_S;
    const double wait = (double)(r->first - r->arrived) / RC_PS_PER_S;
    const double work = TOKEN * ((double)r->input - r->cached) / d->stages;
    PROP_CHECK(c, gaps >= (r->generated - 1.0) * each * (1.0 - 1e-9) - (d->spec ? STEP : 0.0),
               "%u tokens within %g s", r->generated, gaps);
    PROP_CHECK(c, wait >= work * (1.0 - 1e-9), "first token after %g s, %g s of work in a stage",
               wait, work);
    return true;
}

static bool holds(prop_case *c) {
    char text[2048];
    rc_error err = {0};
    rc_served *rows = NULL;
    const draw d = drawn(c);
    const rc_serve_options o = {.seed = c->seed & 0xffff, .work = true};
    bool good = true;
    text_of(&d, text, sizeof text);
    rc_status st = serve_text(text, o, &first, &rows, &err);
    for (uint64_t i = 0; st == RC_OK && good && i < first.requests; i++)
        good = rows[i].outcome != RC_DONE || request_holds(c, &d, &rows[i]);
    free(rows);
    PROP_CHECK(c, st == RC_OK, "%.400s\n%.700s", err.msg, text);
    if (!good || serve_text(text, o, &second, NULL, &err) != RC_OK)
        return false;
    PROP_CHECK(c, first.hash == second.hash, "two runs differ");
    PROP_CHECK(c, first.done + first.rejected + first.lost == first.requests, "requests");
    for (int i = 0; i < first.pool_count; i++) {
        const double computes = rc_pool_computes(&first, i), work = rc_pool_work(&first, i);
        PROP_CHECK(c, computes >= 0.0 && computes <= 1.0 + 1e-9, "computes %g", computes);
        PROP_CHECK(c, d.faults || work <= computes * (1.0 + 1e-6), "work %.12g of its time, %.12g",
                   work, computes);
    }
    return true;
}

static void test_holds(void **state) {
    (void)state;
    assert_true(prop_run("serve_stages", holds, 20));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_holds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
