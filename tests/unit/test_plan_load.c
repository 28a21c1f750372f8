/* What a plan knows of a workload, worked out by hand for four requests.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "sim/plan/plan_internal.h"

#define SECOND INT64_C(1000000000000)

static void near(double got, double want) {
    if (!(fabs(got / want - 1.0) < 1e-12))
        fail_msg("%.12g, by hand %.12g", got, want);
}

static rc_req request(rc_time arrival, uint32_t input, uint32_t output) {
    return (rc_req){.arrival = arrival,
                    .input = input,
                    .output = output,
                    .after = RC_NO_REQUEST,
                    .child = RC_NO_REQUEST,
                    .sibling = RC_NO_REQUEST,
                    .session = RC_NO_SESSION,
                    .prefix = -1};
}

/* A token sees half of its reply on top of the prompt: (10 * 105 + 30 * 215 + 1 * 1000.5 + 20 * 60) / 61 keys. The longest
 * request fills 1,000 tokens, for its last token is not computed on. Three seconds of arrivals. */
static void test_sums(void **state) {
    rc_req all[] = {request(0, 100, 10), request(SECOND, 200, 30), request(2 * SECOND, 1000, 1),
                    request(3 * SECOND, 50, 20)};
    const rc_trace t = {.at = all, .count = 4, .block = 16};
    static rc_plan p;
    rc_plan_load w;
    rc_error err = {0};
    (void)state;
    if (plan_load(&p, &t, &w, &err) != RC_OK)
        fail_msg("%s", err.msg);
    near(w.requests, 4.0);
    near(w.input, 1350.0);
    near(w.output, 61.0);
    assert_true(w.cached == 0.0);
    near(w.context, (10 * 105.0 + 30 * 215.0 + 1000.5 + 20 * 60.0) / 61.0);
    assert_int_equal(w.longest, 1000);
    assert_int_equal(w.longest_input, 1000);
    near(w.span, 3.0);
    double count = 0.0;
    for (size_t i = 0; i < w.class_count; i++)
        count += w.classes[i].count;
    near(count, 4.0);
    free(w.classes);
    free(w.least);
}

/* One class for prompts alike, with the least of their tokens; two for a prompt twice as long, or with another part cached. */
static void test_classes(void **state) {
    enum { PROMPTS = 6 };
    static const uint32_t of[PROMPTS][2] = {{1000, 0},    {1010, 0},   {2000, 0}, {2000, 1000},
                                            {5000, 4000}, {4100, 4100}}; /* in all, cached */
    rc_req all[2 * PROMPTS];
    rc_span spans[2 * PROMPTS];
    static rc_plan p;
    (void)state;
    for (uint32_t i = 0; i < PROMPTS; i++) { /* one that leaves what is cached, then the prompt */
        all[2 * i] = request(2 * i * SECOND, of[i][1] > 0 ? of[i][1] : 1, 1);
        all[2 * i + 1] = request((2 * i + 1) * SECOND, of[i][0], 1);
        for (uint32_t k = 0; k < 2 && of[i][1] > 0; k++) {
            spans[2 * i + k] = (rc_span){1000 * i, of[i][k == 0 ? 1 : 0] / 100};
            all[2 * i + k].span = 2 * i + k;
            all[2 * i + k].spans = 1;
            all[2 * i + k].named = spans[2 * i + k].count;
        }
    }
    const rc_trace t = {.at = all,
                        .count = 2 * PROMPTS,
                        .block = 100,
                        .blocks = 1000 * PROMPTS,
                        .spans = spans,
                        .span_count = 2 * PROMPTS};
    rc_plan_load w;
    rc_error err = {0};
    if (plan_load(&p, &t, &w, &err) != RC_OK)
        fail_msg("%s", err.msg);
    double count = 0.0, alike = 0.0;
    bool longer = false, cached = false, most = false, all_but_one = false;
    for (size_t i = 0; i < w.class_count; i++) {
        const rc_plan_class *c = &w.classes[i];
        count += c->count;
        alike += c->t == 1000 && c->p == 0 ? c->count : 0.0;
        longer = longer || (c->t == 2000 && c->p == 0 && c->count == 1.0);
        cached = cached || (c->t == 1000 && c->p == 1000 && c->count == 1.0);
        most = most || (c->t == 1000 && c->p == 4000 && c->count == 1.0);
        all_but_one = all_but_one || (c->t == 1 && c->p == 4099 && c->count == 1.0);
    }
    near(count, 2.0 * PROMPTS);
    near(alike, 3.0); /* both of a thousand, and the one that leaves a thousand */
    assert_true(longer && cached && most && all_but_one);
    free(w.classes);
    free(w.least);
}

/* The whole part of the logarithm of x > 0 to the base 2. */
static int octave(uint64_t x) {
    int n = -1;
    for (; x > 0; x >>= 1)
        n++;
    return n;
}

/* Prompts are alike within half an octave of new tokens, which is an octave of their square, and an octave of one more than what
 * is cached. Every request is in one class, whose numbers are the least of its requests'; no two classes are alike. */
static void test_alike(void **state) {
    (void)state;
    enum { PAIRS = 300 };
    static const int64_t fresh[] = {1, 2, 3, 4, 1023, 1024, 1448, 1449, 2048, 5, 90, 91};
    static const int64_t found[] = {0, 1, 2, 3, 6, 7, 1022, 1023, 1024, 2047, 30, 31};
    static rc_req all[2 * PAIRS];
    static rc_span spans[PAIRS];
    static int64_t n[2 * PAIRS], cached[2 * PAIRS];
    uint32_t blocks = 0, x = 1;
    for (uint32_t i = 0; i < PAIRS; i++) { /* one that leaves what the other finds */
        x = x * 1103515245U + 12345U;
        const int64_t t = i < 144 ? fresh[i / 12] : 1 + (x >> 8) % 5000;
        const int64_t p = i < 144 ? found[i % 12] : (x >> 20) % 3000;
        spans[i] = (rc_span){blocks, (uint32_t)p};
        blocks += (uint32_t)p;
        all[2 * i] = request(2 * i * SECOND, p > 0 ? (uint32_t)p : 1, 1);
        all[2 * i + 1] = request((2 * i + 1) * SECOND, (uint32_t)(t + p), 1);
        for (uint32_t k = 0; k < 2 && p > 0; k++) {
            all[2 * i + k].span = i;
            all[2 * i + k].spans = 1;
            all[2 * i + k].named = (uint32_t)p;
        }
        n[2 * i] = p > 0 ? p : 1;
        n[2 * i + 1] = t;
        cached[2 * i] = 0;
        cached[2 * i + 1] = p;
    }
    const rc_trace t = {.at = all,
                        .count = 2 * PAIRS,
                        .block = 1,
                        .blocks = blocks,
                        .spans = spans,
                        .span_count = PAIRS};
    static rc_plan p;
    rc_plan_load w;
    rc_error err = {0};
    p.objective_count = 0;
    p.objectives[0] = (rc_objective){.share = 1.0, .to = INT64_MAX}; /* no objective: asks nobody */
    if (plan_load(&p, &t, &w, &err) != RC_OK)
        fail_msg("%s", err.msg);
    double count = 0.0;
    for (size_t i = 0; i < w.class_count; i++) {
        const rc_plan_class *c = &w.classes[i];
        int64_t t_least = INT64_MAX, p_least = INT64_MAX, of = 0;
        for (size_t k = 0; k < 2 * PAIRS; k++)
            if (octave((uint64_t)(n[k] * n[k])) == octave((uint64_t)(c->t * c->t)) &&
                octave((uint64_t)cached[k] + 1) == octave((uint64_t)c->p + 1)) {
                of++;
                t_least = n[k] < t_least ? n[k] : t_least;
                p_least = cached[k] < p_least ? cached[k] : p_least;
            }
        assert_true(c->asked[0] == 0);
        if (c->count != (double)of || c->t != t_least || c->p != p_least)
            fail_msg("%g of %lld and %lld; by hand %lld of %lld and %lld", c->count,
                     (long long)c->t, (long long)c->p, (long long)of, (long long)t_least,
                     (long long)p_least);
        count += c->count;
    }
    near(count, 2.0 * PAIRS);
    plan_load_free(&w);
}

/* Of whom an objective speaks: inputs from one number on, below another; of gaps between tokens only replies of two or more. */
static void test_asked(void **state) {
    (void)state;
    static const uint32_t of[][2] = {
        {99, 5}, {100, 1}, {100, 2}, {199, 3}, {200, 4}}; /* input, output */
    rc_req all[5];
    for (size_t i = 0; i < 5; i++)
        all[i] = request((rc_time)i * SECOND, of[i][0], of[i][1]);
    static rc_plan p;
    p.objective_count = 3;
    p.objectives[0] = (rc_objective){.limit = 1.0, .share = 0.9, .to = INT64_MAX};
    p.objectives[1] = (rc_objective){.limit = 1.0, .share = 0.9, .from = 100, .to = 200};
    p.objectives[2] =
        (rc_objective){.limit = 1.0, .share = 0.9, .from = 100, .to = 200, .ttit = true};
    const rc_trace t = {.at = all, .count = 5, .block = 16};
    rc_plan_load w;
    rc_error err = {0};
    if (plan_load(&p, &t, &w, &err) != RC_OK)
        fail_msg("%s", err.msg);
    uint64_t asked[3] = {0, 0, 0};
    for (size_t i = 0; i < w.class_count; i++)
        for (int g = 0; g < 3; g++)
            asked[g] += w.classes[i].asked[g];
    assert_true(asked[0] == 5 && asked[1] == 3 && asked[2] == 2);
    free(w.classes);
    free(w.least);
    p.objective_count = 0;
}

/* ---- what an objective asks of any cluster ------------------------------------------------------ */

static rc_plan_least least_of(const rc_objective *g, const rc_trace *t) {
    static rc_plan p;
    rc_plan_load w;
    rc_error err = {0};
    p.objective_count = 1;
    p.objectives[0] = *g;
    if (plan_load(&p, t, &w, &err) != RC_OK)
        fail_msg("%s", err.msg);
    const rc_plan_least out = w.objectives[0];
    plan_load_free(&w);
    return out;
}

/* Of three requests of 100 tokens and more two must keep a share of a half: the shorter ones, of 150 and 200, over the two
 * seconds from the first of the three to the last of them. The others do not count, nor does a reply of one token between
 * tokens. */
static void test_least(void **state) {
    (void)state;
    rc_req all[] = {request(0, 10, 5), request(SECOND, 200, 5), request(2 * SECOND, 300, 1),
                    request(3 * SECOND, 150, 5), request(9 * SECOND, 99, 5)};
    rc_trace t = {.at = all, .count = 5, .block = 16};
    rc_objective g = {.limit = 1.0, .share = 0.5, .from = 100, .to = INT64_MAX};
    rc_plan_least x = least_of(&g, &t);
    assert_true(x.asked == 3 && x.tokens == 350.0 && x.window == 2.0 && x.input == 200);
    g.share = 1.0;
    x = least_of(&g, &t);
    assert_true(x.asked == 3 && x.tokens == 650.0 && x.window == 2.0 && x.input == 300);
    rc_req together[] = {request(0, 200, 1), request(0, 300, 1)};
    const rc_trace at_once = {.at = together, .count = 2, .block = 16};
    assert_true(least_of(&g, &at_once).window == 0.0); /* all at the beginning: no time at all */
    together[0].arrival = together[1].arrival = 7 * SECOND;
    assert_true(least_of(&g, &at_once).window == 0.0);
    g.ttit = true; /* of those with two tokens and more; no tokens are computed for it */
    x = least_of(&g, &t);
    assert_true(x.asked == 2 && x.tokens == 0.0 && x.input == 200);
    g.share = 0.4;
    assert_true(least_of(&g, &t).input == 150);
    g.ttit = false;
    g.from = 301;
    x = least_of(&g, &t);
    assert_true(x.asked == 0 && x.tokens == 0.0 && x.window == -1.0);
    g.from = 0;
    t.closed_loop = true; /* arrivals wait for replies: no window */
    x = least_of(&g, &t);
    assert_true(x.asked == 5 && x.tokens == 109.0 && x.window == -1.0);
}

/* New tokens of request `i` at the least, were the limits on TTFT these: it is asked for alone, by its length. */
static double new_tokens(const rc_trace *t, size_t i, double limit, double longer) {
    static rc_plan p;
    rc_plan_load w;
    rc_error err = {0};
    p.objective_count = 3;
    p.objectives[0] = (rc_objective){
        .limit = limit, .share = 1.0, .from = t->at[i].input, .to = t->at[i].input + 1};
    p.objectives[1] = (rc_objective){.limit = longer, .share = 1.0, .to = INT64_MAX};
    p.objectives[2] = (rc_objective){.limit = 1e5, .share = 1.0, .to = INT64_MAX, .ttit = true};
    p.objectives[3] =
        (rc_objective){.limit = 1e5, .share = 1.0, .to = INT64_MAX}; /* no objective */
    if (plan_load(&p, t, &w, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(w.objectives[0].asked, 1);
    const double out = w.objectives[0].tokens;
    plan_load_free(&w);
    return out;
}

/* Blocks of 100 tokens. The later of two requests finds what the earlier one left; the earlier one what the later one left,
 * unless that comes more than the longest limit on a TTFT behind it: had it waited so long, it would be too late. */
static void test_left_by_others(void **state) {
    (void)state;
    rc_span spans[] = {{0, 1}, {1, 3}, {0, 3}}; /* four blocks in two pieces, three in one */
    rc_req all[] = {request(SECOND, 1000, 1), request(3 * SECOND, 2000, 1)};
    all[0].span = 0, all[0].spans = 2, all[0].named = 4;
    all[1].span = 2, all[1].spans = 1, all[1].named = 3;
    const rc_trace t = {
        .at = all, .count = 2, .block = 100, .blocks = 4, .spans = spans, .span_count = 3};
    near(new_tokens(&t, 1, 1.0, 1.0), 1700.0);
    near(new_tokens(&t, 0, 1.0, 1.0), 1000.0);
    near(new_tokens(&t, 0, 1.999999999999, 1.0), 1000.0);
    near(new_tokens(&t, 0, 2.0, 1.0), 700.0);
    near(new_tokens(&t, 0, 1.0, 2.0), 700.0); /* it may be late for one of two limits */
    all[1].arrival = INT64_C(1000000) * SECOND;
    near(new_tokens(&t, 0, 999998.0, 1.0), 1000.0);
    near(new_tokens(&t, 0, 1e6, 1.0), 700.0); /* no limit at all */
    all[0].input = 300; /* a request that is cached from end to end computes its last token */
    near(new_tokens(&t, 0, 1e6, 1.0), 1.0);
}

/* Three requests of the same six blocks, of which two are turns of a session. The first turn finds nothing of what the second
 * leaves, the second what the first left; the third request, of no session, comes late and finds all. Turns that do not follow
 * one another are requests like others: the first may be served after the second. */
static void test_left_by_turns(void **state) {
    (void)state;
    rc_span spans[] = {{0, 6}};
    rc_req all[] = {request(0, 1000, 1), request(RC_NO_ARRIVAL, 2000, 1),
                    request(90 * SECOND, 3000, 1)};
    all[0].session = all[1].session = 0;
    all[0].child = 1;
    all[1].after = 0;
    all[1].think = 5 * SECOND;
    all[1].turn = 1;
    for (uint32_t i = 0; i < 3; i++) {
        all[i].spans = 1;
        all[i].named = spans[0].count;
    }
    const rc_trace t = {.at = all,
                        .count = 3,
                        .block = 100,
                        .blocks = 6,
                        .spans = spans,
                        .span_count = 1,
                        .sessions = 1,
                        .closed_loop = true};
    near(new_tokens(&t, 0, 10.0, 1.0), 1000.0); /* the other request is too late for it */
    near(new_tokens(&t, 1, 10.0, 1.0), 1400.0);
    near(new_tokens(&t, 2, 10.0, 1.0), 2400.0);
    near(new_tokens(&t, 0, 90.0, 1.0), 400.0);
    /* the third request as the session's third turn: the second still finds what the first left, were there no others */
    all[2].session = 0, all[2].after = 1, all[2].turn = 2, all[1].child = 2;
    near(new_tokens(&t, 0, 10.0, 1.0), 1000.0);
    near(new_tokens(&t, 1, 10.0, 1.0), 1400.0);
    near(new_tokens(&t, 2, 10.0, 1.0), 2400.0);
    all[2] = request(90 * SECOND, 3000, 1);
    all[2].spans = 1, all[2].named = spans[0].count, all[1].child = RC_NO_REQUEST;
    all[1].turn = 2; /* no chain, and the second, five seconds behind, may have been first */
    near(new_tokens(&t, 0, 4.0, 1.0), 1000.0);
    near(new_tokens(&t, 0, 5.0, 1.0), 400.0);
    all[0].turn = 1; /* nor is what does not begin with the first turn */
    near(new_tokens(&t, 0, 5.0, 1.0), 400.0);
    all[0].turn = 0, all[1].turn = 1;
    near(new_tokens(&t, 0, 5.0, 1.0), 1000.0);
}

/* ---- the whole ------------------------------------------------------------------------------------- */

/* Of a closed loop the session with the longest pauses goes on for 3 + 4 s after the last session has begun, at 2 s. Without
 * arrivals nothing is known. */
static void test_span(void **state) {
    (void)state;
    rc_req all[] = {request(0, 100, 10), request(RC_NO_ARRIVAL, 100, 10),
                    request(RC_NO_ARRIVAL, 100, 10), request(2 * SECOND, 100, 10),
                    request(RC_NO_ARRIVAL, 100, 10)};
    static const rc_time think[] = {0, 3 * SECOND, 4 * SECOND, 0, 6 * SECOND};
    for (uint32_t i = 0; i < 5; i++) {
        all[i].think = think[i];
        all[i].after = all[i].arrival == RC_NO_ARRIVAL ? i - 1 : RC_NO_REQUEST;
        all[i].session = i < 3 ? 0 : 1;
        all[i].turn = i < 3 ? i : i - 3;
    }
    rc_trace t = {.at = all, .count = 5, .block = 16, .sessions = 2, .closed_loop = true};
    static rc_plan p;
    rc_plan_load w;
    p.objective_count = 0;
    assert_int_equal(plan_load(&p, &t, &w, NULL), RC_OK);
    near(w.span, 9.0);
    plan_load_free(&w);
    t.count = 3; /* one session: no time between arrivals */
    t.sessions = 1;
    assert_int_equal(plan_load(&p, &t, &w, NULL), RC_OK);
    assert_true(w.span == 0.0);
    plan_load_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),          cmocka_unit_test(test_classes),
        cmocka_unit_test(test_alike),         cmocka_unit_test(test_asked),
        cmocka_unit_test(test_least),         cmocka_unit_test(test_left_by_others),
        cmocka_unit_test(test_left_by_turns), cmocka_unit_test(test_span)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
