/* Memory that runs out at any one call: the engine, the cost book, the evaluator, a scenario, a plan's
 * workload in short and the prefix cache either do what they do with enough of it, or say that there is none, and keep nothing.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/starve.h"

#ifdef STARVE_OFF
static void test_off(void **state) {
    (void)state;
    skip();
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_off)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
#include <stdio.h>
#include <string.h>
#include "sim/engine/engine.h"
#include "sim/forward/scenario.h"
#include "sim/kv/kv.h"
#include "sim/plan/plan_internal.h"
#include "tests/support/cost_store.h"

typedef struct result {
    rc_status st;
    rc_error err;
    double value; /* of what was worked out; 0 when nothing was */
    const char *path;
} result;

/* Each call fails once; of more than `most` calls some `most` do, evenly. A failure may keep `kept` blocks. */
static void all_calls(const char *name, void (*work)(void *), const char *path, long most,
                      long kept) {
    result right = {.path = path};
    work(&right); /* what is made once and kept is made now */
    right = (result){.path = path};
    starve_at(-1, work, &right);
    if (right.st != RC_OK)
        fail_msg("%s: %s", name, right.err.msg);
    if (starve.live != 0)
        fail_msg("%s keeps %ld blocks", name, (long)starve.live);
    const long calls = starve.calls, step = calls > most ? calls / most : 1;
    long starved = 0;
    assert_true(calls > 0);
    for (long n = 0; n < calls; n += step) {
        result r = {.path = path};
        starve_at(n, work, &r);
        const bool same = r.st == RC_OK && r.value == right.value;
        if (!same && (r.st != RC_E_NOMEM || r.err.msg[0] == '\0'))
            fail_msg("%s, call %ld of %ld: status %d, %g for %g, '%s'", name, n, calls, (int)r.st,
                     r.value, right.value, r.err.msg);
        if (starve.live < 0 || starve.live > kept)
            fail_msg("%s, call %ld of %ld: %ld blocks kept", name, n, calls, (long)starve.live);
        starved += r.st == RC_E_NOMEM;
    }
    assert_true(starved > 0);
    print_message("%s: %ld calls, %ld tried, %ld were needed\n", name, calls,
                  (calls + step - 1) / step, starved);
}

/* All calls fail from each one on: who asks again must end, and keeps nothing. */
static void all_from_there_on(const char *name, void (*work)(void *)) {
    result right = {.path = NULL};
    starve_at(-1, work, &right);
    const long calls = starve.calls;
    for (long n = 0; n < calls; n++) {
        result r = {.path = NULL};
        starve_from(n, work, &r);
        if (r.st != RC_E_NOMEM && !(r.st == RC_OK && r.value == right.value))
            fail_msg("%s, from call %ld of %ld on: status %d, '%s'", name, n, calls, (int)r.st,
                     r.err.msg);
        if (starve.live != 0)
            fail_msg("%s, from call %ld of %ld on: %ld blocks kept", name, n, calls,
                     (long)starve.live);
    }
}

/* Two streams, a flow that waits for both, a link, events enough for the queue to grow. */
static void engine(void *x) {
    result *r = x;
    rc_sim *s = rc_sim_create();
    r->st = RC_E_NOMEM;
    (void)snprintf(r->err.msg, sizeof r->err.msg, "no simulation");
    if (s == NULL)
        return;
    rc_id one = rc_sim_stream(s, rc_sim_domain(s)), other = rc_sim_stream(s, rc_sim_domain(s));
    rc_id link = rc_sim_link(s, 1e9);
    for (int i = 0; i < 100; i++) {
        rc_op_desc d = {.kind = RC_OP_FIXED,
                        .stream = i % 2 ? one : other,
                        .duration = 100 + i,
                        .group = RC_NONE};
        (void)rc_sim_op(s, &d);
    }
    rc_op_desc f = {.kind = RC_OP_FLOW,
                    .stream = one,
                    .bytes = 1000,
                    .path = &link,
                    .path_len = 1,
                    .group = RC_NONE};
    (void)rc_sim_op(s, &f);
    r->st = rc_sim_run(s, &r->err);
    r->value = r->st == RC_OK ? (double)rc_sim_end(s) : 0.0;
    rc_sim_destroy(s);
}

static void book(void *x) {
    result *r = x;
    const rc_machine m = syn_machine();
    rc_costs *c = NULL;
    rc_cost out = {.p50 = 0.0};
    r->st = rc_costs_open(r->path, &m, &c, &r->err);
    if (r->st == RC_OK)
        r->st = rc_cost_attention(c, RC_BF16, 1, 1000, 50000, SYN_HEADS(16, 1), &out, &r->err);
    r->value = out.p50;
    if (r->st == RC_OK)
        r->st = rc_cost_gemm(c, RC_BF16, 777, 2304, 16384, &out, &r->err);
    r->value += out.p50;
    rc_costs_close(c);
}

static void forward(void *x) {
    result *r = x;
    static rc_scenario s;
    rc_costs *c = NULL;
    rc_forward out = {.time = 0.0};
    r->st = rc_scenario_load(r->path, NULL, 0, &s, &r->err);
    if (r->st == RC_OK)
        r->st = rc_costs_open(NULL, &s.machine, &c, &r->err);
    rc_spec spec = {0};
    if (r->st == RC_OK) {
        spec = rc_scenario_spec(&s, c);
        r->st = rc_forward_run(&spec, &out, &r->err);
    }
    r->value = out.time;
    rc_costs_close(c);
    rc_scenario_free(&s);
    memset(&s, 0, sizeof s);
}

/* A workload of 300 requests of which each leaves blocks to the next, in short. */
static void load(void *x) {
    enum { REQUESTS = 300 };
    static rc_req all[REQUESTS];
    static rc_span spans[REQUESTS];
    static rc_plan p;
    result *r = x;
    rc_plan_load w = {0};
    p.objective_count = 1;
    p.objectives[0] = (rc_objective){.limit = 1.0, .share = 0.9, .to = INT64_MAX};
    for (uint32_t i = 0; i < REQUESTS; i++) {
        spans[i] = (rc_span){3 * i, 6};
        all[i] = (rc_req){.arrival = (rc_time)i,
                          .input = 500 + i,
                          .output = 4,
                          .after = RC_NO_REQUEST,
                          .child = RC_NO_REQUEST,
                          .sibling = RC_NO_REQUEST,
                          .session = RC_NO_SESSION,
                          .prefix = -1,
                          .span = i,
                          .spans = 1,
                          .named = 6};
    }
    const rc_trace t = {.at = all,
                        .count = REQUESTS,
                        .block = 16,
                        .blocks = 3 * REQUESTS + 6,
                        .spans = spans,
                        .span_count = REQUESTS};
    r->st = plan_load(&p, &t, &w, &r->err);
    r->value = r->st == RC_OK ? w.cached + (double)w.least_count : 0.0;
    plan_load_free(&w);
}

/* A prefix cache of blocks that lie far apart, twenty requests at a time. What it says once it has found no memory does not count. */
static void cache(void *x) {
    enum { REQUESTS = 500, OPEN = 20 };
    static rc_req all[REQUESTS];
    static rc_span spans[REQUESTS];
    result *r = x;
    rc_kv *kv = NULL;
    const rc_kv_config c = {.block = 4, .capacity = 1000, .requests = OPEN, .policy = RC_KV_LRU};
    const rc_trace t = {.at = all,
                        .count = REQUESTS,
                        .block = 4,
                        .blocks = 64 * REQUESTS,
                        .spans = spans,
                        .span_count = REQUESTS};
    rc_kv_lease lease[OPEN];
    bool open[OPEN] = {false};
    r->st = rc_kv_create(&c, &kv, &r->err);
    for (uint32_t i = 0; i < REQUESTS && r->st == RC_OK; i++) {
        rc_kv_match match;
        spans[i] = (rc_span){64 * i, 2};
        all[i] = (rc_req){.input = 8,
                          .output = 1,
                          .span = i,
                          .spans = 1,
                          .named = 2,
                          .session = RC_NO_SESSION,
                          .prefix = -1};
        if (open[i % OPEN]) {
            rc_kv_filled(kv, lease[i % OPEN], 8);
            rc_kv_release(kv, lease[i % OPEN], false);
        }
        open[i % OPEN] = rc_kv_admit(kv, &t, &all[i], 8, &lease[i % OPEN], &match);
        r->value += open[i % OPEN];
        if (rc_kv_starved(kv))
            r->st = rc_fail(&r->err, RC_E_NOMEM, "out of memory for what is known of blocks");
    }
    rc_kv_destroy(kv);
}

static void test_engine(void **state) {
    (void)state;
    all_calls("engine", engine, NULL, 1000, 0);
    all_from_there_on("engine", engine);
}

static void test_book(void **state) {
    (void)state;
    char path[512];
    assert_true(syn_write(syn_path(path, sizeof path, "test_forward_memory"), 0.0));
    /* gsl_matrix_alloc (GSL 2.7) loses the matrix's head when there is no memory for its numbers. */
    all_calls("book", book, path, 40, 1);
    (void)unlink(path);
}

static void test_forward(void **state) {
    (void)state;
    char path[512];
    const char *root = getenv("RC_SOURCE_DIR");
    (void)snprintf(path, sizeof path, "%s/scenarios/paper/cp4-128k.yaml", root ? root : ".");
    all_calls("forward", forward, path, 300, 0);
}

static void test_load(void **state) {
    (void)state;
    all_calls("load", load, NULL, 1000, 0);
    all_from_there_on("load", load);
}

static void test_cache(void **state) {
    (void)state;
    all_calls("cache", cache, NULL, 1000, 0);
    all_from_there_on("cache", cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load), cmocka_unit_test(test_cache),   cmocka_unit_test(test_engine),
        cmocka_unit_test(test_book), cmocka_unit_test(test_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
