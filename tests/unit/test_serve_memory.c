/* A run of a server with each of its allocations failing in turn: it says that there is no memory, or is as
 * if nothing had been. It never says that requests do not fit, or were not cached, for want of memory.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/serve.h"
#include "tests/support/starve.h"

#ifdef STARVE_OFF
static void test_starved(void **state) {
    (void)state;
    skip(); /* a sanitizer's allocator is not to be replaced */
}
#else
/* Sessions whose turns find their history again, in a cache that is too small for all. */
static const char scenario[] = SERVE_HEAD
    "pools: [{name: p, tp: 1}]\n"
    "scheduler: {policy: chunked, admission: chunk, budget: 512, fuse: 4, max_batch: 16}\n"
    "kv: {tokens: 16384, block: 16, policy: lru}\nseed: 5\n"
    "synthetic: {requests: 60, rate: 4, input: {kind: lognormal, median: 300, sigma: 0.8, hi: "
    "2000}, "
    "output: {kind: lognormal, median: 30, sigma: 1, hi: 200}, turns: {kind: uniform, lo: 1, hi: "
    "4}}\n"
    "costs: {prefill: 2ms, prefill_token: 50us, decode: 4ms, decode_sequence: 300us, decode_key: "
    "200ns}\nslo: {ttft: 1000s, ttit: 1000s}\n";

typedef struct job {
    rc_serve *serve;
    rc_trace *trace;
    rc_serve_result *result;
    bool until_missed;
    rc_status status;
} job;

static void play(void *x) {
    job *j = x;
    rc_error err = {0};
    const rc_serve_options o = {.seed = 5, .quiet = true, .until_missed = j->until_missed};
    j->status = rc_serve_run(j->serve, j->trace, &o, j->result, &err);
}

/* With `until_missed`, what a starved cache refuses is no miss either. */
static void starve_all(bool until_missed) {
    rc_error err = {0};
    job j = {.serve = malloc(sizeof *j.serve),
             .result = malloc(sizeof *j.result),
             .until_missed = until_missed};
    long refused = 0;
    assert_true(j.serve && j.result);
    assert_int_equal(serve_parse(scenario, j.serve, &err), RC_OK);
    assert_int_equal(rc_serve_workload(j.serve, 5, 0.0, &j.trace, &err), RC_OK);
    starve_at(-1, play, &j);
    assert_int_equal(j.status, RC_OK);
    assert_true(j.result->kv_hit_tokens > 0 && !j.result->missed);
    const uint64_t hash = j.result->hash, hits = j.result->kv_hit_tokens;
    const long calls = starve.calls;
    for (long n = 0; n < calls; n++) {
        starve_at(n, play, &j);
        refused += j.status == RC_E_NOMEM;
        assert_true(j.status == RC_E_NOMEM || (j.status == RC_OK && j.result->hash == hash &&
                                               j.result->kv_hit_tokens == hits));
        assert_int_equal(starve.live, 0);
    }
    assert_true(refused > calls / 2);
    rc_trace_free(j.trace);
    free(j.serve);
    free(j.result);
}

static void test_starved(void **state) {
    (void)state;
    starve_all(false);
    starve_all(true);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_starved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
