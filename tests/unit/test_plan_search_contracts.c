/* What the search for a plan and the questions about it assume (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/plan/plan_flips.c"
#include "sim/plan/plan_search.c"
#include "tests/support/trips.h"

static rc_error err;

static rc_status fits(void *ctx, const rc_plan_trial *t, rc_plan_outcome *out, rc_error *e) {
    (void)ctx;
    (void)t;
    (void)out;
    (void)e;
    return RC_OK;
}

static void test_search(void **state) {
    (void)state;
    const rc_plan none = {.simulations = 0};
    rc_plan_answer answer = {.best = -1};
    rc_plan_trial trial = {0};
    rc_plan_outcome outcome = {0};
    search s = {.p = &none, .sim = fits, .out = &answer};
    candidate tried = {.simulated = true}, *chosen[1] = {&tried};
    trips("bounds != NULL", (void)rc_plan_search(&none, NULL, fits, NULL, &answer, &err));
    trips("p->simulations >= 1",
          (void)rc_plan_search(&none, (rc_plan_bounds *)&s, fits, NULL, &answer, &err));
    trips("sim != NULL", (void)plan_run_trials(&none, NULL, NULL, &trial, &outcome, 1, &err));
    trips("sim != NULL", (void)plan_run_verdicts(&none, NULL, NULL, &trial, &outcome, 1, 0, &err));
    trips("n >= 1 && n <= ROUND", (void)run_round(&s, chosen, 0, &err));
    trips("most >= 1 && most <= ROUND", (void)choose_round(&s, score_first, 0, chosen));
    trips("!c->simulated", (void)keep(&s, &tried, &outcome, &err));
}

static void test_questions(void **state) {
    (void)state;
    const rc_plan_option o = {.prefill = 1};
    const rc_plan many = {.check_seeds = RC_PLAN_SEEDS + 1};
    rc_plan_answer answer = {.best = -1};
    bool holds;
    trips("a->best >= 0 && (size_t)a->best < a->all_count",
          (void)plan_examine(&many, fits, NULL, &answer, &err));
    trips("a->best >= 0 && (size_t)a->best < a->all_count",
          (void)rc_plan_find_flips(&many, fits, NULL, &answer, &err));
    trips("n >= 0 && n <= RC_PLAN_SEEDS",
          (void)plan_try_seeds(&many, fits, NULL, &o, &holds, &answer, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
