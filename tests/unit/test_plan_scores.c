/* How the search for a plan ranks what it has not simulated, and what it makes of what it has: every rule on candidates whose
 * estimate is stated, with its bounds.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/plan/plan_search.c"

static rc_plan plan;
static rc_plan_answer answer;
static rc_plan_result results[32];
static candidate at[16];
static search s;

/* Nothing is known but what each candidate promises: value over limit, as `floor`. */
static int fresh(void **state) {
    (void)state;
    memset(results, 0, sizeof results);
    memset(at, 0, sizeof at);
    plan = (rc_plan){.simulations = 10};
    answer = (rc_plan_answer){.best = -1, .kind_best = {-1, -1, -1, -1}, .all = results};
    s = (search){.p = &plan, .out = &answer, .at = at, .best_price = INFINITY};
    return 0;
}

static candidate promises(double price, double value) {
    return (candidate){.price = price, .bound = {.floor = value}};
}

static rc_plan_result *result(double price, double margin) {
    rc_plan_result *r = &results[answer.all_count++];
    *r = (rc_plan_result){.price = price, .margin = margin};
    return r;
}

/* ---- scores ---------------------------------------------------------------------------------- */

static void test_first(void **state) {
    (void)state;
    candidate c = promises(7.0, 1.0);
    assert_true(score_first(&s, &c) == 7.0);
    c = promises(7.0, 1.5); /* behind every price, by what it promises */
    assert_true(score_first(&s, &c) == 1.5e12);
}

static void test_cheaper(void **state) {
    (void)state;
    s.best_price = 10.0;
    static const struct {
        double price, value, score;
    } of[] = {{9.0, 0.5, 0.5},
              {9.0, 4.0, 4.0},
              {9.0, 4.001, INFINITY},
              {10.0, 0.5, INFINITY},
              {11.0, 0.5, INFINITY},
              {10.0 - 2e-8, 0.5, 0.5}, /* no equal sum in another order any more */
              {10.0 * (1.0 - 1e-9), 0.5, INFINITY},
              {10.0 - 5e-9, 0.5, INFINITY}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        candidate c = promises(of[i].price, of[i].value);
        assert_true(score_cheaper(&s, &c) == of[i].score);
    }
}

static void test_margin(void **state) {
    (void)state;
    s.best_price = 10.0;
    static const struct {
        double price, score;
    } of[] = {{10.0, 0.5},
              {10.0 - 5e-9, 0.5},
              {10.0 + 5e-9, 0.5},
              {10.0 * (1.0 - 1e-9), 0.5},
              {10.0 * (1.0 + 1e-9), 0.5},
              {10.0 - 2e-8, INFINITY},
              {10.0 + 2e-8, INFINITY}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        candidate c = promises(of[i].price, 0.5);
        assert_true(score_margin(&s, &c) == of[i].score);
    }
}

static void test_doubted(void **state) {
    (void)state;
    s.best_price = 10.0;
    candidate c = promises(9.0, 40.0); /* however little it promises */
    assert_true(score_doubted(&s, &c) == 40.0);
    c.excluded = true; /* behind all others */
    assert_true(score_doubted(&s, &c) == 40e12);
    c = promises(10.0, 0.5);
    assert_true(score_doubted(&s, &c) == INFINITY);
    c = promises(10.0 - 5e-9, 0.5);
    assert_true(score_doubted(&s, &c) == INFINITY);
    c = promises(10.0 * (1.0 - 1e-9), 0.5);
    assert_true(score_doubted(&s, &c) == INFINITY);
    c = promises(10.0 - 2e-8, 0.5);
    assert_true(score_doubted(&s, &c) == 0.5);
}

/* Twice the price for a quarter of the value: log 2 + 0.5 log 0.25 = 0. */
static void test_front(void **state) {
    (void)state;
    candidate c = promises(20.0, 0.25);
    s.best_price = 10.0;
    result(10.0, 0.25); /* shows 1 / 1.25 = 0.8 of the limit */
    answer.best = 0;
    assert_true(fabs(score_front(&s, &c)) < 1e-12);
    c = promises(20.0, 0.79);
    assert_true(fabs(score_front(&s, &c) - (log(2.0) + 0.5 * log(0.79))) < 1e-12);
    c = promises(20.0, 0.8);
    assert_true(score_front(&s, &c) == INFINITY); /* no less than the best shows */
    c = promises(10.0, 0.25);
    assert_true(score_front(&s, &c) == INFINITY); /* no dearer */
    answer.best = -1;                             /* then against the limit itself */
    c = promises(20.0, 0.99);
    assert_true(isfinite(score_front(&s, &c)));
    c = promises(20.0, 1.0);
    assert_true(score_front(&s, &c) == INFINITY);
}

static void test_kinds(void **state) {
    (void)state;
    candidate mixed = promises(9.0, 0.5), apart = promises(9.0, 0.5);
    apart.option.decode = 1;
    assert_true(score_kind(&s, &mixed) == 9.0 && score_kind(&s, &apart) == INFINITY);
    s.kind = 1;
    assert_true(score_kind(&s, &mixed) == INFINITY && score_kind(&s, &apart) == 9.0);
    apart.bound.floor = 1.0;
    assert_true(score_kind(&s, &apart) == 9.0);
    apart.bound.floor = 9.0; /* of a kind of which none holds whatever may be */
    assert_true(score_kind(&s, &apart) == 9e12);
    result(10.0, 0.1);
    answer.kind_best[1] = 0; /* one holds: a cheaper one, that is not without hope */
    assert_true(score_kind(&s, &apart) == INFINITY);
    apart.bound.floor = 4.0;
    assert_true(score_kind(&s, &apart) == 4e12);
    apart.bound.floor = 0.5;
    apart.price = 10.0;
    assert_true(score_kind(&s, &apart) == INFINITY);
    apart.price = 10.0 * (1.0 - 1e-9);
    assert_true(score_kind(&s, &apart) == INFINITY);
    apart.price = 10.0 - 2e-8;
    assert_true(score_kind(&s, &apart) == apart.price);
}

/* ---- what is learnt -------------------------------------------------------------------------- */

/* Busy for 0.6 of the time where 0.3 was expected, and at twice the value that is estimated for that load. */
static void test_learns(void **state) {
    (void)state;
    cohort k = {.seen = 0};
    candidate c = {.bound = {.rho = 0.3, .floor = 0.25}};
    rc_plan_outcome o = {.fits = true, .busy_prefill = 0.6};
    learn_from(&k, &c, &o, 1.0); /* a margin of 1: half of the limit */
    assert_true(k.seen == 1 && fabs(k.scale - 2.0) < 1e-12 &&
                fabs(k.log_ratio - log(2.0)) < 1e-12 && k.full == 0.0);
    s.cohorts[0] = k;
    assert_true(fabs(scale_of(&s, &c) - 2.0) < 1e-12 && fabs(corrected(&s, &c) - 0.5) < 1e-12);
    o.busy_prefill = 0.97; /* still not overloaded */
    learn_from(&k, &c, &o, 1.0);
    assert_int_equal(k.seen, 2);
    o.busy_prefill = 0.98; /* the load cannot be told: at least so much */
    learn_from(&k, &c, &o, -0.5);
    assert_true(k.seen == 2 && fabs(k.full - 0.98 / 0.3) < 1e-12);
    o.busy_prefill = 0.975;
    learn_from(&k, &c, &o, -0.5);
    assert_true(fabs(k.full - 0.98 / 0.3) < 1e-12); /* the most that was seen */
    cohort far = {.seen = 0};
    o.busy_prefill = 0.3;
    learn_from(&far, &c, &o,
               -1.0); /* a value beyond all measure counts as a thousand times the limit */
    assert_true(fabs(far.log_ratio - log(1e3 / 0.25)) < 1e-9);
    far.log_ratio =
        0.0; /* nor does a value next to nothing, or a promise of nothing, count as less than a thousandth */
    learn_from(&far, &c, &o, 1e9);
    assert_true(fabs(far.log_ratio - log(1e-3 / 0.25)) < 1e-9);
    far.log_ratio = 0.0;
    c.bound.floor = 1e-6;
    learn_from(&far, &c, &o, 1.0);
    assert_true(fabs(far.log_ratio - log(0.5 / 1e-3)) < 1e-9);
    cohort idle = {.seen = 0};
    c.bound.rho = 0.0; /* no load was expected, and some was seen: a millionth is */
    o.busy_prefill = 1e-3;
    learn_from(&idle, &c, &o, 1.0);
    assert_true(fabs(idle.scale - 1e3) < 1e-9);
}

/* Without an outcome of its own a cohort goes by all; one that was only overloaded by a tenth more than it showed. */
static void test_by_others(void **state) {
    (void)state;
    candidate c = {.bound = {.rho = 0.1, .floor = 0.25}, .cohort = 0};
    assert_true(scale_of(&s, &c) == 1.0 && corrected(&s, &c) == 0.25);
    s.all = (cohort){.seen = 2, .scale = 3.0, .log_ratio = 2.0 * log(3.0)};
    assert_true(fabs(scale_of(&s, &c) - 1.5) < 1e-12 && fabs(corrected(&s, &c) - 0.75) < 1e-12);
    s.cohorts[0].full = 4.0;
    assert_true(fabs(scale_of(&s, &c) - 4.4) < 1e-12);
    s.cohorts[0].full = 0.5;
    assert_true(scale_of(&s, &c) == 1.0); /* never less than expected */
    s.cohorts[0] = (cohort){.seen = 1, .scale = 2.0};
    assert_true(scale_of(&s, &c) == 2.0 && corrected(&s, &c) == 0.25);
}

static void test_cohorts(void **state) {
    (void)state;
    const rc_plan_option base = {.tp = 8, .cp = 2, .prefill = 3, .max_batch = 16};
    assert_int_equal(cohort_of(&s, &base), 0);
    rc_plan_option o = base;
    o.prefill = 5;
    o.max_batch = 64;
    assert_int_equal(cohort_of(&s, &o), 0); /* replicas and batches are of one */
    rc_plan_option other[10];
    for (int i = 0; i < 10; i++)
        other[i] = base;
    other[0].offer = 1;
    other[1].tp = 4;
    other[2].cp = 1;
    other[3].decode_cp = 2;
    other[4].dcp = 2;
    other[5].dp = 2;
    other[6].ep = 8;
    other[7].decode = 1;
    other[8].chunked = 1;
    other[9].pp = 2;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 10; i++)
            assert_int_equal(cohort_of(&s, &other[i]), 1 + i);
    for (int i = s.cohort_count; i < COHORTS; i++) {
        o.tp = (int16_t)(100 + i);
        assert_int_equal(cohort_of(&s, &o), i);
    }
    o.tp = 1; /* no room: with the first */
    assert_int_equal(cohort_of(&s, &o), 0);
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* The lowest scores, none twice, none simulated or excluded, no two of one cohort with as many replicas. */
static void test_round(void **state) {
    (void)state;
    candidate *chosen[ROUND];
    static const double price[] = {5.0, 3.0, 4.0, 1.0, 2.0, 6.0, 0.5};
    s.count = 7;
    for (int i = 0; i < 7; i++) {
        at[i] = promises(price[i], 0.5);
        at[i].cohort = i < 2 ? 0 : i;
        at[i].option.prefill = 1;
    }
    at[3].simulated = true;
    at[4].excluded = true;
    at[6].bound.floor = 2.0; /* is not trusted: last of all */
    assert_int_equal(choose_round(&s, score_first, 4, chosen), 4);
    assert_true(chosen[0] == &at[1] && chosen[1] == &at[2] && chosen[2] == &at[5] &&
                chosen[3] == &at[6]);
    s.doubting = true; /* then what was excluded, too */
    assert_int_equal(choose_round(&s, score_first, 2, chosen), 2);
    assert_true(chosen[0] == &at[4] && chosen[1] == &at[1]);
    at[0].option.decode = 1; /* other replicas of that cohort show something else */
    s.doubting = false;
    assert_int_equal(choose_round(&s, score_first, 3, chosen), 3);
    assert_true(chosen[0] == &at[1] && chosen[1] == &at[2] && chosen[2] == &at[0]);
    s.count = 0;
    assert_int_equal(choose_round(&s, score_first, 3, chosen), 0);
}

static void test_smaller_ones(void **state) {
    (void)state;
    s.count = 6;
    for (int i = 0; i < 6; i++) {
        at[i] = promises(1.0, 0.5);
        at[i].option = (rc_plan_option){.tp = 8, .cp = 1, .prefill = 3, .decode = 2};
    }
    candidate failed = at[0];
    at[1].option.prefill = 4; /* more */
    at[2].option.decode = 3;
    at[3].option.prefill = 2; /* less of one, as much of the other */
    at[4].option.tp = 4;      /* of another family */
    at[5].simulated = true;
    exclude_smaller(&s, &failed);
    static const bool out[] = {true, false, false, true, false, false};
    for (int i = 0; i < 6; i++)
        assert_true(at[i].excluded == out[i]);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void test_best_and_runners(void **state) {
    (void)state;
    result(5.0, -0.1);
    result(9.0, 0.2);
    result(8.0, 0.1)->fragile = true;
    result(9.0, 0.3);                    /* as dear, with more to spare */
    result(9.5, 0.0)->option.decode = 1; /* holds just so, of another kind */
    result(12.0, 0.9)->option.decode = 1;
    result(20.0, 0.4);
    find_best(&s);
    assert_true(answer.best == 3 && s.best_price == 9.0);
    assert_true(answer.kind_best[0] == 3 && answer.kind_best[1] == 4 && answer.kind_best[2] == -1 &&
                answer.kind_best[3] == -1);
    find_runners(&answer); /* by price, fragile ones too */
    assert_int_equal(answer.runner_count, 5);
    static const int next[] = {2, 1, 4, 5, 6};
    assert_memory_equal(answer.runners, next, sizeof next);
    answer.all_count = 1;
    find_best(&s);
    assert_true(answer.best == -1 && s.best_price == INFINITY && answer.kind_best[0] == -1);
    results[0].margin = 0.0; /* holds just so; no dearer one takes its place */
    answer.all_count = 2;
    find_best(&s);
    assert_true(answer.best == 0 && s.best_price == 5.0 && answer.kind_best[0] == 0);
}

/* The cheaper one, of equals the one with more to spare; a trial that does not fit is no error, and any other is told. */
static void test_before(void **state) {
    (void)state;
    const rc_plan_result a = {.price = 1.0, .margin = 0.1}, b = {.price = 2.0, .margin = 0.2},
                         c = {.price = 2.0, .margin = 0.3};
    assert_true(before(&a, &b) && !before(&b, &a) && before(&c, &b) && !before(&b, &c) &&
                !before(&b, &b));
}

static rc_status says_why(void *ctx, const rc_plan_trial *t, rc_plan_outcome *out, rc_error *err) {
    (void)t;
    out->done = 5.0;
    const rc_status st = *(const rc_status *)ctx;
    return st == RC_OK ? RC_OK : rc_fail(err, st, "this is why");
}

static void test_trial(void **state) {
    (void)state;
    static const struct {
        rc_status says, is;
        bool fits;
        const char *why;
    } t[] = {{RC_OK, RC_OK, true, ""},
             {RC_E_NOFIT, RC_OK, false, ""},
             {RC_E_INPUT, RC_E_INPUT, false, "this is why"}};
    for (int i = 0; i < 6; i++) {
        rc_status st = t[i / 2].says;
        rc_plan_outcome out = {.fits = true, .lost = 3.0};
        const rc_plan_trial trial = {.growth = 1.0};
        rc_error err = {0};
        assert_int_equal(plan_run_trial(says_why, &st, &trial, &out, i % 2 ? NULL : &err),
                         t[i / 2].is);
        assert_true(out.fits == t[i / 2].fits && out.done == 5.0 && out.lost == 0.0);
        assert_string_equal(err.msg, i % 2 ? "" : t[i / 2].why);
    }
}

/* The first that was simulated may be next, too; of more than five five are shown. */
static void test_runners(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++)
        result(20.0 - i, i == 5 ? -0.1 : 0.1);
    answer.best = 7;
    find_runners(&answer);
    assert_int_equal(answer.runner_count, 5);
    static const int next[] = {6, 4, 3, 2, 1};
    assert_memory_equal(answer.runners, next, sizeof next);
    answer.runner_count = 0;
    answer.all_count = 2;
    answer.best = 1;
    find_runners(&answer);
    assert_true(answer.runner_count == 1 && answer.runners[0] == 0);
    answer.runner_count = 0;
    answer.best = 0;
    results[1].margin = 0.0; /* holds just so */
    find_runners(&answer);
    assert_true(answer.runner_count == 1 && answer.runners[0] == 1);
}

/* Each dearer one of the front is faster than all before it. */
static void test_pareto(void **state) {
    (void)state;
    static const struct {
        double price, ttft, margin;
        bool fragile;
    } of[] = {{12.0, 0.9, 0.1, false}, {10.0, 1.0, 0.1, false},  {11.0, 1.0, 0.1, false},
              {10.0, 1.2, 0.1, false}, {13.0, 0.5, -0.1, false}, {13.0, 0.6, 0.1, true},
              {14.0, 0.7, 0.0, false}, {15.0, 0.8, 0.1, false}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        rc_plan_result *r = result(of[i].price, of[i].margin);
        r->outcome.ttft_p95 = of[i].ttft;
        r->fragile = of[i].fragile;
    }
    assert_int_equal(find_front(&answer, NULL), RC_OK);
    assert_int_equal(answer.front_count, 3);
    static const int front[] = {1, 0, 6};
    assert_memory_equal(answer.front, front, sizeof front);
}

static void test_left_open(void **state) {
    (void)state;
    s.best_price = 10.0;
    s.count = 8;
    at[7] = promises(10.0 * (1.0 - 1e-9), 0.5); /* an equal sum in another order */
    at[0] = promises(9.0, 0.5);                 /* open, and expected to hold */
    at[1] = promises(9.0, 1.0);                 /* just so */
    at[2] = promises(9.0, 1.01);                /* open */
    at[3] = promises(10.0, 0.5);                /* no cheaper */
    at[4] = promises(9.0, 0.5);
    at[4].excluded = true;
    at[5] = promises(9.0, 0.5);
    at[5].simulated = true;
    at[6] = promises(9.0, 0.5);
    at[6].excluded = at[6].simulated = true;
    count_open(&s);
    assert_int_equal(answer.open, 3);
    assert_int_equal(answer.hopeful, 2);
    assert_int_equal(answer.excluded, 1);
}

/* By price, of equals by what is promised. */
static void test_order(void **state) {
    (void)state;
    const candidate a = promises(1.0, 0.5), b = promises(2.0, 0.1), c = promises(2.0, 0.2);
    candidate d = c;
    d.option.prefill = 1;
    assert_true(by_price(&a, &b) < 0 && by_price(&b, &a) > 0 && by_price(&b, &c) < 0 &&
                by_price(&c, &b) > 0);
    assert_true(by_price(&c, &c) == 0 && by_price(&c, &d) != 0);
    const rc_plan_result x = {.price = 1.0, .outcome = {.ttft_p95 = 9.0}},
                         y = {.price = 2.0, .outcome = {.ttft_p95 = 1.0}},
                         z = {.price = 2.0, .outcome = {.ttft_p95 = 1.5}};
    const rc_plan_result *const p = &x, *const q = &y, *const r = &z;
    assert_true(by_cost(&p, &q) < 0 && by_cost(&q, &p) > 0 && by_cost(&q, &r) < 0 &&
                by_cost(&r, &q) > 0 && by_cost(&r, &r) == 0);
    assert_true(by_price(&c, &d) == -by_price(&d, &c) ||
                (by_price(&c, &d) < 0) == (by_price(&d, &c) > 0));
}

int main(void) {
#define T(f) cmocka_unit_test_setup(f, fresh)
    const struct CMUnitTest tests[] = {
        T(test_first),   T(test_cheaper), T(test_margin),       T(test_doubted),
        T(test_front),   T(test_kinds),   T(test_learns),       T(test_by_others),
        T(test_cohorts), T(test_round),   T(test_smaller_ones), T(test_best_and_runners),
        T(test_runners), T(test_pareto),  T(test_left_open),    T(test_order),
        T(test_before),  T(test_trial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
