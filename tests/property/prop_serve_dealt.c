/* Sequences of very different lengths that decode over several ranks. A rank meets each of the groups that the
 * ranks were dealt in one of its ring steps, so the pass takes what passes would take in the mean that have one
 * group's lengths on every rank. One shape stands for all steps: how near that is, on random batches, and that a
 * long context costs one step and not all of them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/serve/passes.h"
#include "tests/support/prop.h"
#include "tests/support/serve.h"

enum { MOST = 128 };
static rc_serve serve;

typedef struct setup {
    rc_costs *costs;
    rc_pass_forward *source;
    int64_t contexts[MOST];
    int cp;
    uint32_t batch;
} setup;

static rc_status open_with(setup *s, rc_error *err) {
    const rc_what_if none = {.slow_rank = -1, .slow_link_rank = -1};
    const rc_schedule *schedule = rc_schedule_decoding(rc_schedule_named("pass-q"), s->cp);
    const rc_layout cut = rc_pool_cut(&serve, &serve.pools[0], s->cp, schedule);
    RC_TRY(rc_costs_open(NULL, &serve.machine, &s->costs, err));
    return rc_pass_forward_create(&serve, s->costs, &cut, schedule, NULL, &none, &s->source, err);
}

static void shut(setup *s) {
    rc_pass_forward_destroy(s->source);
    rc_costs_close(s->costs);
}

static rc_status time_of(const setup *s, const int64_t *contexts, double *time, rc_error *err) {
    rc_pass_cost cost = {0};
    rc_pass pass = {.decodes = s->batch, .contexts = contexts};
    for (uint32_t i = 0; i < s->batch; i++)
        pass.context += contexts[i];
    RC_TRY(rc_pass_forward_time(s->source, &pass, &cost, err));
    *time = (double)cost.time;
    return RC_OK;
}

/* The mean over the groups of a pass that has the group's lengths on every rank. */
static rc_status by_groups(const setup *s, double *mean, rc_error *err) {
    int64_t same[MOST];
    *mean = 0.0;
    for (int g = 0; g < s->cp; g++) {
        double time;
        for (uint32_t i = 0; i < s->batch; i++)
            same[i] = s->contexts[i - i % (uint32_t)s->cp + (uint32_t)g];
        RC_TRY(time_of(s, same, &time, err));
        *mean += time / s->cp;
    }
    return RC_OK;
}

static rc_status draw(prop_case *c, setup *s, rc_error *err) {
    static const char *const models[] = {"llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b"};
    char text[512];
    const double spread = 0.1 + 1.9 * (double)prop_below(c, 1000) / 1000.0;
    s->cp = 2 << prop_below(c, 3);
    s->batch = (uint32_t)(s->cp * prop_range(c, 1, MOST / 16));
    (void)snprintf(text, sizeof text,
                   "serve: dealt\nmodel: %s\nmachine: h100-sxm\ndtypes: {ffn_weights: fp8}\n"
                   "pools: [{name: a, tp: 8, cp: %d}]\nsynthetic: {requests: 1, rate: 1}\n",
                   models[prop_below(c, 3)], s->cp);
    for (uint32_t i = 0; i < s->batch; i++) {
        const double u = (double)(1 + prop_below(c, 1 << 20)) / ((1 << 20) + 1);
        const double far = spread * log(u / (1.0 - u)); /* logistic: long tails */
        s->contexts[i] = llround(fmin(fmax(9000.0 * exp(far), 100.0), 1e6));
    }
    return serve_parse(text, &serve, err);
}

static double worst;

static bool groups_add_up(prop_case *c) {
    static setup s;
    rc_error err = {0};
    double dealt = 0.0, mean = 1.0;
    s = (setup){0};
    rc_status st = draw(c, &s, &err);
    if (st == RC_OK)
        st = open_with(&s, &err);
    if (st == RC_OK)
        st = time_of(&s, s.contexts, &dealt, &err);
    if (st == RC_OK)
        st = by_groups(&s, &mean, &err);
    shut(&s);
    PROP_CHECK(c, st == RC_OK, "%s", err.msg);
    worst = fmax(worst, fabs(dealt / mean - 1.0));
    PROP_CHECK(c, fabs(dealt / mean - 1.0) < 0.05, "%u sequences over %d ranks: %.2f %% off",
               s.batch, s.cp, 100.0 * (dealt / mean - 1.0));
    return true;
}

static void test_groups(void **state) {
    (void)state;
    assert_true(prop_run("groups_add_up", groups_add_up, 1));
    print_message("one shape for all steps: off by %.2f %% of a pass at most\n", 100.0 * worst);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_groups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
