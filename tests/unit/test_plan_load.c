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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sums), cmocka_unit_test(test_classes),
                                       cmocka_unit_test(test_asked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
