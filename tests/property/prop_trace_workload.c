/* Traces made up and reshaped, one operation behind the other: what comes out holds together, and
 * each operation keeps what it must.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>
#include "sim/trace/workload.h"
#include "tests/support/prop.h"
#include "tests/support/trace_check.h"

static rc_length some_length(prop_case *c, double mean) {
    static const uint32_t values[] = {1, 7, 300};
    rc_length l = {.kind = (rc_length_kind)prop_below(c, 5),
                   .mean = mean,
                   .sigma = 1.5,
                   .lo = (uint32_t)prop_range(c, 0, 5),
                   .hi = (uint32_t)prop_range(c, 6, 9000),
                   .values = values,
                   .value_count = 3};
    return l;
}

static rc_synthetic some_workload(prop_case *c) {
    rc_synthetic s = {.requests = c->size,
                      .arrivals = {(rc_arrivals)prop_below(c, 3), 0.5 + prop_unit(c), 2.0},
                      .input = some_length(c, 900.0),
                      .output = some_length(c, 90.0),
                      .block = (uint32_t)prop_range(c, 1, 64),
                      .turns = {.kind = RC_LENGTH_CONSTANT, .mean = 1.0},
                      .think_s = 5.0,
                      .seed = prop_u64(c)};
    if (prop_one_in(c, 2)) {
        s.shared_prefix = (uint32_t)prop_range(c, 1, 2000);
        s.groups = (uint32_t)prop_range(c, 1, 4);
    }
    if (prop_one_in(c, 2))
        s.turns = (rc_length){.kind = RC_LENGTH_UNIFORM, .lo = 1, .hi = 6};
    return s;
}

static uint64_t tokens(const rc_trace *t) {
    uint64_t n = 0;
    for (size_t i = 0; i < t->count; i++)
        n += t->at[i].input + t->at[i].output;
    return n;
}

static bool reshape(prop_case *c, rc_trace *t) {
    uint64_t before = tokens(t);
    size_t count = t->count, n = (size_t)prop_range(c, 1, 3 * (int64_t)count);
    const rc_arrival_process p = {RC_ARRIVE_GAMMA, 2.0, 0.7};
    uint64_t seed = prop_u64(c);
    bool same = true;
    rc_status st;
    switch (prop_below(c, 6)) {
    case 0:
        st = rc_trace_scale_rate(t, 0.5 + 3.0 * prop_unit(c), NULL);
        break;
    case 1:
        st = rc_trace_spread(t, (rc_time)prop_below(c, 3000000000000), seed, NULL);
        break;
    case 2:
        st = rc_trace_start_sessions(t, &p, prop_one_in(c, 2), seed, NULL);
        break;
    case 3:
        st = rc_trace_sort_arrivals(t, NULL);
        break;
    case 4:
        st = rc_trace_resize(t, n, NULL);
        PROP_CHECK(c, t->count == n, "%zu requests, asked for %zu", t->count, n);
        same = false;
        break;
    default:
        st = t->closed_loop ? RC_OK : rc_trace_redraw_arrivals(t, &p, seed, NULL);
        break;
    }
    PROP_CHECK(c, st == RC_OK, "refused");
    PROP_CHECK(c, !same || (t->count == count && tokens(t) == before), "requests were lost");
    const char *fault = trace_fault(t);
    PROP_CHECK(c, fault == NULL, "%s", fault ? fault : "");
    return true;
}

static bool holds_together(prop_case *c) {
    rc_synthetic s = some_workload(c);
    rc_trace *t = NULL;
    PROP_CHECK(c, rc_trace_synthesise(&s, &t, NULL) == RC_OK, "refused");
    size_t made = s.turns.kind == RC_LENGTH_UNIFORM ? t->sessions : t->count;
    PROP_CHECK(c, made == s.requests, "%zu of %zu requests or sessions", made, s.requests);
    const char *fault = trace_fault(t);
    PROP_CHECK(c, fault == NULL, "%s", fault ? fault : "");
    bool good = true;
    for (int i = 0; i < 6 && good; i++)
        good = reshape(c, t);
    rc_trace_free(t);
    return good;
}

static bool same_requests(const rc_trace *a, const rc_trace *b) {
    for (size_t i = 0; i < a->count; i++) {
        const rc_req *x = &a->at[i], *y = &b->at[i];
        if (x->arrival != y->arrival || x->think != y->think || x->after != y->after ||
            x->child != y->child || x->session != y->session || x->turn != y->turn ||
            x->input != y->input || x->output != y->output || x->span != y->span ||
            x->spans != y->spans || x->named != y->named)
            return false;
    }
    return true;
}

static bool same_seed(prop_case *c) {
    rc_synthetic s = some_workload(c);
    rc_trace *a = NULL, *b = NULL;
    PROP_CHECK(c, rc_trace_synthesise(&s, &a, NULL) == RC_OK, "refused");
    PROP_CHECK(c, rc_trace_synthesise(&s, &b, NULL) == RC_OK, "refused");
    PROP_CHECK(c, rc_trace_spread(a, 5, s.seed, NULL) == RC_OK, "refused");
    PROP_CHECK(c, rc_trace_spread(b, 5, s.seed, NULL) == RC_OK, "refused");
    PROP_CHECK(c, a->count == b->count && same_requests(a, b), "requests differ");
    PROP_CHECK(c,
               a->span_count == b->span_count &&
                   (a->span_count == 0 ||
                    memcmp(a->spans, b->spans, a->span_count * sizeof *a->spans) == 0),
               "blocks differ");
    rc_trace_free(a);
    rc_trace_free(b);
    return true;
}

/* Copies of a trace share no block: repeating it k times repeats its hits k times. */
static bool copies_are_fresh(prop_case *c) {
    rc_synthetic s = some_workload(c);
    rc_trace *t = NULL;
    rc_trace_stats one, many;
    size_t copies = (size_t)prop_range(c, 2, 5);
    PROP_CHECK(c, rc_trace_synthesise(&s, &t, NULL) == RC_OK, "refused");
    PROP_CHECK(c, rc_trace_statistics(t, NULL, &one, NULL) == RC_OK, "statistics");
    PROP_CHECK(c, rc_trace_resize(t, copies * t->count, NULL) == RC_OK, "refused");
    PROP_CHECK(c, rc_trace_statistics(t, NULL, &many, NULL) == RC_OK, "statistics");
    PROP_CHECK(c, many.cached == copies * one.cached && many.input == copies * one.input,
               "%llu cached of %llu, once %llu", (unsigned long long)many.cached,
               (unsigned long long)many.input, (unsigned long long)one.cached);
    PROP_CHECK(c, many.sessions == copies * one.sessions, "sessions");
    rc_trace_free(t);
    return true;
}

static void run(void **state, const char *name, prop_fn fn) {
    (void)state;
    assert_true(prop_run(name, fn, 60));
}

static void test_holds(void **state) {
    run(state, "holds_together", holds_together);
}

static void test_bytes(void **state) {
    run(state, "same_seed", same_seed);
}

static void test_copies(void **state) {
    run(state, "copies_are_fresh", copies_are_fresh);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_holds), cmocka_unit_test(test_bytes),
                                       cmocka_unit_test(test_copies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
