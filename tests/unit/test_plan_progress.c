/* What is told of a plan's progress: as many trials as may come, at most, and no more in all where every one of them does.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/plan/plan_internal.h"

static size_t told[64]; /* trials in all, as they were announced in turn */
static int tellings;

static bool told_begin(plan_counted *c, const rc_plan *p, rc_plan_sim sim, void *ctx, size_t most) {
    told[tellings++] = most;
    return plan_count_begin(c, p, sim, ctx, most);
}

static void told_most(plan_counted *c, size_t more) {
    plan_count_most(c, more);
    assert_true(tellings < 64);
    told[tellings++] = c->progress.total;
}

#define plan_count_begin told_begin
#define plan_count_most told_most
#include "sim/plan/plan_flips.c"

enum { RESULTS = 20 };
static rc_plan plan;
static rc_plan_result all[RESULTS];
static int trials;
static bool best_holds;

/* The best, of one replica more than the others have, holds or does not; nothing else does. */
static rc_status played(void *ctx, const rc_plan_trial *t, rc_plan_outcome *out, rc_error *err) {
    (void)ctx, (void)err;
    trials++;
    const bool holds = best_holds && t->option.prefill == 99;
    *out = (rc_plan_outcome){.fits = true, .value = {holds ? 1.0 : 3.0}, .done = 10};
    return RC_OK;
}

/* The best costs 50; ten others are cheaper, and nine dearer ones hold as things are. */
static void ask(bool holds) {
    rc_plan_answer a = {.all = all, .all_count = RESULTS, .best = 0};
    plan = (rc_plan){.offer_count = 1,
                     .objective_count = 1,
                     .objectives = {{.limit = 2.0, .share = 0.95, .to = INT64_MAX}},
                     .growth = 1.0,
                     .threads = 1,
                     .quiet = true};
    for (int i = 0; i < RESULTS; i++)
        all[i] =
            (rc_plan_result){.option = {.tp = 8, .cp = 1, .prefill = (int16_t)(i == 0 ? 99 : i)},
                             .outcome = {.fits = true},
                             .price = i == 0    ? 50.0
                                      : i <= 10 ? 40.0 - i
                                                : 50.0 + i,
                             .margin = i <= 10 && i > 0 ? -0.1 : 0.1};
    trials = tellings = 0;
    best_holds = holds;
    assert_int_equal(rc_plan_find_flips(&plan, played, NULL, &a, NULL), RC_OK);
    assert_int_equal(a.flip_count, ASSUMPTIONS);
    assert_int_equal(tellings, 1 + ASSUMPTIONS);
}

/* One trial of the best and eight of dearer ones for each assumption, where the best does not hold: all that were announced. Where
 * it holds three cheaper ones are tried, and what is left is announced with each assumption. */
static void test_flips(void **state) {
    (void)state;
    ask(false);
    assert_int_equal(trials, ASSUMPTIONS * 9);
    for (int i = 0; i < tellings; i++)
        assert_int_equal(told[i], ASSUMPTIONS * 9);
    ask(true);
    assert_int_equal(trials, ASSUMPTIONS * 4);
    for (int i = 0; i < tellings; i++)
        assert_int_equal(told[i], ASSUMPTIONS * 9 - i * 5);
}

/* Cheaper ones by the wider margin, dearer ones by price and then by the wider margin. */
static void test_orders(void **state) {
    (void)state;
    const rc_plan_result a = {.price = 1.0, .margin = 0.1}, b = {.price = 2.0, .margin = 0.1},
                         c = {.price = 2.0, .margin = 0.3};
    const rc_plan_result *const p = &a, *const q = &b, *const r = &c;
    assert_true(by_margin(&q, &r) > 0 && by_margin(&r, &q) < 0 && by_margin(&p, &q) == 0);
    assert_true(by_rent(&p, &r) < 0 && by_rent(&r, &p) > 0 && by_rent(&q, &r) > 0 &&
                by_rent(&r, &q) < 0 && by_rent(&q, &q) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_flips), cmocka_unit_test(test_orders)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
