/* What is asked about a plan that was chosen, of a simulator that is a formula: each answer by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "sim/plan/plan_internal.h"

/* The value is half of the limit on as many replicas as were chosen; it rises with traffic, over replicas, and falls with each
 * resource by a power of its own. */
typedef struct formula {
    double at_growth_1; /* value */
    int replicas;       /* prefill + decode that this is of */
    double lost;        /* times as much where a replica is lost */
    uint64_t bad[8];    /* seeds of which the value is three times as much */
    int bad_count;
    double lost_at; /* s */
    uint64_t seeds[64];
    int seed_count;
} formula;

static rc_status played(void *ctx, const rc_plan_trial *t, rc_plan_outcome *out, rc_error *err) {
    formula *f = ctx;
    (void)err;
    double v = f->at_growth_1 * t->growth * f->replicas /
               (t->option.prefill + 2.0 * t->option.decode) / t->matrix / pow(t->hbm, 2.0) /
               pow(t->network, 3.0) / pow(t->memory, 4.0);
    if (t->lost_at > 0.0) {
        v *= f->lost;
        f->lost_at = t->lost_at;
    }
    for (int i = 0; i < f->bad_count; i++)
        v *= f->bad[i] == t->seed ? 3.0 : 1.0;
    f->seeds[f->seed_count < 64 ? f->seed_count++ : 63] = t->seed;
    *out = (rc_plan_outcome){.fits = true, .value = {v}, .done = 1000, .midway = 77};
    return RC_OK;
}

static rc_plan plan;
static rc_plan_result all[1];

static rc_plan_answer chosen(formula *f, int prefill, int decode, int gpus) {
    memset(&plan, 0, sizeof plan);
    plan.offer_count = 1;
    plan.offers[0].price = 2.0;
    plan.offers[0].gpus = (int)gpus;
    plan.objective_count = 1;
    plan.objectives[0] = (rc_objective){.limit = 2.0, .share = 0.95, .to = INT64_MAX};
    plan.growth = 1.0;
    plan.threads = 1;
    plan.seed = 40;
    plan.quiet = true;
    all[0] = (rc_plan_result){.option = {.tp = 8,
                                         .cp = 1,
                                         .decode_cp = 1,
                                         .prefill = (int16_t)prefill,
                                         .decode = (int16_t)decode}};
    f->replicas = prefill + 2 * decode;
    rc_plan_trial t = plan_trial(&plan, &all[0].option);
    assert_int_equal(played(f, &t, &all[0].outcome, NULL), RC_OK);
    all[0].margin = rc_plan_margin(&plan, &all[0].outcome, &all[0].tightest);
    return (rc_plan_answer){.best = 0, .all = all, .all_count = 1};
}

static void near(double got, double want) {
    if (!(fabs(got - want) <= 1e-12 * fabs(want)))
        fail_msg("%.12g, by hand %.12g", got, want);
}

/* A quarter more of a resource, of which the value goes with the power 1, 2, 3 or 4. */
static void test_resources(void **state) {
    (void)state;
    formula f = {.at_growth_1 = 1.0, .lost = 1.0};
    rc_plan_answer a = chosen(&f, 4, 0, 64);
    near(all[0].margin, 1.0);
    assert_int_equal(plan_examine(&plan, played, &f, &a, NULL), RC_OK);
    for (int i = 0; i < 4; i++)
        near(a.slack[i], 2.0 * pow(1.25, i + 1) - 2.0);
}

/* Traffic may grow as long as the limit holds, up to four times; it is found to 4^(1/100), from below. Of a plan for half as much
 * again all of that is on top. */
static void test_growth(void **state) {
    (void)state;
    static const double most[] = {1.0, 1.1, 1.5, 2.0, 3.0, 3.9, 4.0, 7.0};
    for (size_t i = 0; i < sizeof most / sizeof most[0]; i++)
        for (int half = 0; half < 2; half++) {
            formula f = {.at_growth_1 = 2.0 / most[i] * (1.0 - 1e-12), .lost = 1.0};
            rc_plan_answer a = chosen(&f, 4, 0, 32); /* no GPU is left for one more */
            plan.growth = half ? 1.5 : 1.0;
            f.at_growth_1 /= plan.growth;
            assert_int_equal(plan_examine(&plan, played, &f, &a, NULL), RC_OK);
            assert_true(a.growth_limit == 4.0 && !a.has_next);
            /* the first that misses ends a round of four: three rounds, or one of which all hold. Beside them are four of resources
             * and one with a replica lost. */
            if (i == 0)
                assert_int_equal(f.seed_count, 1 + 4 + 1 + 3);
            if (most[i] >= 4.0)
                assert_int_equal(f.seed_count, 1 + 4 + 1 + 4);
            if (i ==
                2) /* from sqrt(2), which holds, a fifth of the way to 2 does not, and four fifths of that do */
                near(a.growth, pow(2.0, 0.5 + 0.5 * 0.2 * 0.8));
            if (!(a.growth <= fmin(most[i], 4.0) * (1.0 + 1e-9) &&
                  a.growth * pow(4.0, 0.01) >= fmin(most[i], 4.0)))
                fail_msg("%g times as much, of %g", a.growth, most[i]);
        }
}

/* A replica is lost when half of the requests have come; the only one is not lost. */
static void test_lost(void **state) {
    (void)state;
    formula f = {.at_growth_1 = 1.0, .lost = 4.0};
    rc_plan_answer a = chosen(&f, 2, 0, 16);
    assert_int_equal(plan_examine(&plan, played, &f, &a, NULL), RC_OK);
    assert_true(a.has_lost && f.lost_at == 77.0);
    near(a.lost_margin, -0.5);
    near(a.lost.value[0], 4.0);
    f.lost_at = 0.0;
    a = chosen(&f, 1, 0, 16);
    assert_int_equal(plan_examine(&plan, played, &f, &a, NULL), RC_OK);
    assert_true(!a.has_lost && f.lost_at == 0.0);
}

/* One replica more, of the pool where it adds more, as far as there are GPUs. A replica that decodes counts twice here. */
static void test_next(void **state) {
    (void)state;
    formula f = {.at_growth_1 = 1.0, .lost = 1.0};
    rc_plan_answer a = chosen(&f, 4, 0, 40);
    assert_int_equal(plan_examine(&plan, played, &f, &a, NULL), RC_OK);
    assert_true(a.has_next && a.next.option.prefill == 5 && a.next.option.decode == 0);
    near(a.next.margin, 1.5);
    near(a.next.price, 80.0);
    assert_true(a.next_growth > 2.4 && a.next_growth <= 2.5);
    a = chosen(&f, 2, 2, 40);
    assert_int_equal(plan_examine(&plan, played, &f, &a, NULL), RC_OK);
    assert_true(a.has_next && a.next.option.prefill == 2 && a.next.option.decode == 3);
    near(a.next.margin, 2.0 * 8 / 6 - 1.0);
    f.at_growth_1 = 0.0; /* where both add as much it is one that takes prompts */
    a = chosen(&f, 2, 2, 40);
    assert_int_equal(plan_examine(&plan, played, &f, &a, NULL), RC_OK);
    assert_true(a.has_next && a.next.option.prefill == 3 && a.next.option.decode == 2);
    a = chosen(&f, 2, 2, 39);
    assert_int_equal(plan_examine(&plan, played, &f, &a, NULL), RC_OK);
    assert_false(a.has_next);
}

/* Ten other seeds, from the one behind the plan's on, of which one may miss where nine tenths must hold. */
static void test_seeds(void **state) {
    (void)state;
    static const struct {
        int seeds, bad;
        double met;
        bool holds;
    } t[] = {{10, 0, 0.9, true}, {10, 1, 0.9, true},  {10, 2, 0.9, false}, {10, 1, 0.91, false},
             {4, 1, 0.75, true}, {4, 2, 0.75, false}, {4, 0, 1.0, true},   {4, 1, 1.0, false},
             {3, 2, 0.3, true},  {0, 0, 0.9, true},   {1, 0, 0.9, true},   {1, 1, 0.9, false},
             {1, 0, 1.0, true},  {1, 1, 0.01, false}, {2, 1, 0.5, true},   {10, 3, 0.7, true},
             {10, 4, 0.7, false}};
    for (size_t k = 0; k < 2 * sizeof t / sizeof t[0]; k++) {
        const size_t i = k / 2, first = k % 2; /* the first of the seeds holds, or misses */
        formula f = {.at_growth_1 = 1.0, .lost = 1.0};
        rc_plan_answer a = chosen(&f, 4, 0, 64);
        bool holds = !t[i].holds;
        if (t[i].bad == t[i].seeds && first == 0)
            continue;
        plan.check_seeds = t[i].seeds;
        plan.met = t[i].met;
        f.seed_count = 0;
        f.bad_count = t[i].bad;
        for (int b = 0; b < t[i].bad; b++)
            f.bad[b] = 42 - first + (uint64_t)b;
        assert_int_equal(plan_try_seeds(&plan, played, &f, &all[0].option, &holds, &a, NULL),
                         RC_OK);
        if (holds != t[i].holds)
            fail_msg("%d of %d seeds miss", t[i].bad, t[i].seeds);
        for (int b = 0; b < f.seed_count; b++)
            assert_true(f.seeds[b] >= 41 && f.seeds[b] <= 40 + (uint64_t)t[i].seeds);
        if (!holds)
            continue;
        assert_int_equal(a.seeds, t[i].seeds);
        if (t[i].seeds == 0) {
            assert_true(a.seeds_met == 0.0);
            continue;
        }
        near(a.seeds_met, (double)(t[i].seeds - t[i].bad) / t[i].seeds);
        near(a.seeds_lo[0], 1.0);
        near(a.seeds_hi[0], t[i].bad > 0 ? 3.0 : 1.0);
    }
}

/* Of trials of which none holds no more are begun once more than three have missed; those that were not played do not fit, whatever
 * stood there before. Each that is played is asked for its verdict alone. */
static int verdicts;

static rc_status misses(void *ctx, const rc_plan_trial *t, rc_plan_outcome *out, rc_error *err) {
    (void)ctx, (void)err;
    assert_true(t->verdict);
    verdicts++;
    *out = (rc_plan_outcome){.value = {t->growth > 1.0 ? 2.0 : 2.5}};
    return RC_OK;
}

static void test_verdicts(void **state) {
    (void)state;
    formula f = {.at_growth_1 = 1.0, .lost = 1.0};
    (void)chosen(&f, 4, 0, 64);
    for (size_t held = 0; held < 3; held++)
        for (size_t most = 0; most < 5; most++) {
            rc_plan_trial t[8];
            rc_plan_outcome o[8];
            for (size_t i = 0; i < 8; i++) {
                t[i] = plan_trial(&plan, &all[0].option);
                t[i].growth = i < held ? 1.5 : 1.0; /* the limit is just kept */
                o[i] = (rc_plan_outcome){.fits = true, .value = {1.0}};
            }
            verdicts = 0;
            assert_int_equal(plan_run_verdicts(&plan, misses, NULL, t, o, 8, most, NULL), RC_OK);
            assert_int_equal(verdicts, held + most + 1);
            for (size_t i = 0; i < 8; i++)
                assert_true(o[i].fits == (i < held + most + 1) &&
                            o[i].value[0] == (i < held    ? 2.0
                                              : o[i].fits ? 2.5
                                                          : 0.0));
            assert_false(t[0].verdict);
        }
}

/* Trials that an examination may take: resources, growth of two plans, a replica lost, one more of either pool. */
static void test_most(void **state) {
    (void)state;
    assert_int_equal(plan_examine_most(), 4 + 2 * 12 + 1 + 2);
}

/* ---- what flips a plan --------------------------------------------------------------------------- */

enum { SEEN = 64 };
typedef struct seen {
    rc_plan_trial at[SEEN];
    int count;
} seen;

static rc_status look(void *ctx, const rc_plan_trial *t, rc_plan_outcome *out, rc_error *err) {
    seen *s = ctx;
    (void)err;
    s->at[s->count < SEEN - 1 ? s->count++ : SEEN - 1] = *t;
    *out = (rc_plan_outcome){.fits = true, .value = {1.0}, .done = 1000};
    return RC_OK;
}

/* Each assumption changes one thing of the trial that its name tells, and nothing else. */
static void test_assumptions(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double growth, matrix, hbm, network, memory, ring_step;
    } want[] = {{"engine.ring_step 0", 1, 1, 1, 1, 1, 0.0},
                {"engine.ring_step 0.6 ms", 1, 1, 1, 1, 1, 0.6e-3},
                {"matrix rate -10 %", 1, 0.9, 1, 1, 1, -1},
                {"matrix rate +10 %", 1, 1.1, 1, 1, 1, -1},
                {"HBM rate -10 %", 1, 1, 0.9, 1, 1, -1},
                {"HBM rate +10 %", 1, 1, 1.1, 1, 1, -1},
                {"network rate -25 %", 1, 1, 1, 0.75, 1, -1},
                {"memory -5 %", 1, 1, 1, 1, 0.95, -1},
                {"traffic +10 %", 1.1, 1, 1, 1, 1, -1},
                {"traffic -10 %", 0.9, 1, 1, 1, 1, -1}};
    formula f = {.at_growth_1 = 1.0, .lost = 1.0};
    rc_plan_answer a = chosen(&f, 4, 0, 64);
    static seen s;
    plan.growth = 2.0;
    assert_int_equal(rc_plan_find_flips(&plan, look, &s, &a, NULL), RC_OK);
    const int n = (int)(sizeof want / sizeof want[0]);
    assert_true(a.flip_count == n && s.count == n); /* there is no other plan to try */
    for (int i = 0; i < n; i++) {
        const rc_plan_trial *t = &s.at[i];
        assert_string_equal(a.flips[i].assumption, want[i].name);
        near(t->growth, 2.0 * want[i].growth);
        assert_true(t->matrix == want[i].matrix && t->hbm == want[i].hbm &&
                    t->network == want[i].network && t->memory == want[i].memory && !t->verdict &&
                    t->seed == 40);
        assert_true(want[i].ring_step < 0.0 ? t->ring_step < 0.0
                                            : t->ring_step == want[i].ring_step);
        near(a.flips[i].margin, 1.0);
        assert_true(a.flips[i].found && a.flips[i].then.option.prefill == 4);
    }
}

/* What each configuration takes in the world as it is assumed; the chosen one is the first. */
typedef struct world {
    double value[16];
    int asked[16], count;
} world;

static rc_status of_world(void *ctx, const rc_plan_trial *t, rc_plan_outcome *out, rc_error *err) {
    world *w = ctx;
    (void)err;
    assert_true(w->count < 1000);
    assert_true(t->verdict ==
                (t->option.prefill != 15)); /* of others only whether they hold is asked */
    w->asked[w->count % 16] = t->option.prefill;
    w->count++;
    *out = (rc_plan_outcome){.fits = true, .value = {w->value[t->option.prefill]}, .done = 1000};
    return RC_OK;
}

/* Where the chosen one holds the cheaper ones are tried, nearest to holding first, three at most: the cheapest of them that holds
 * is named. Where it does not, dearer ones that held are, by price, until one does; eight at most. */
static void test_order(void **state) {
    (void)state;
    static rc_plan_result r[14];
    formula f = {.at_growth_1 = 1.0, .lost = 1.0};
    rc_plan_answer a = chosen(&f, 4, 0, 64);
    static world w;
    enum { FIRST = 10 }; /* assumptions */
    for (int i = 0; i < 14;
         i++) { /* the chosen one, four cheaper ones that do not hold, nine dearer ones */
        r[i] = (rc_plan_result){.option = all[0].option,
                                .price = i == 0  ? 64.0
                                         : i < 5 ? 64.0 - i
                                                 : 100.0 - i};
        r[i].option.prefill = (int16_t)i;
        r[i].margin = i == 0 ? 1.0 : i < 5 ? -0.1 * (6 - i) : 0.5;
        w.value[i] = 1.0;
    }
    r[5].margin = -0.5; /* a dearer one that never held */
    r[0].option.prefill = 15;
    w.value[15] = 1.0;
    a.all = r;
    a.all_count = 14;
    w.count = 0;
    assert_int_equal(rc_plan_find_flips(&plan, of_world, &w, &a, NULL), RC_OK);
    assert_int_equal(w.count, FIRST * 4); /* the chosen one and three cheaper ones */
    for (int i = 0; i < FIRST; i++)
        assert_true(a.flips[i].found &&
                    a.flips[i].then.price == 60.0); /* the fourth of them: nearest and cheapest */
    assert_true(w.asked[(w.count - 4) % 16] == 15 && w.asked[(w.count - 3) % 16] == 4 &&
                w.asked[(w.count - 2) % 16] == 3 && w.asked[(w.count - 1) % 16] == 2);
    w.value[4] = 9.0; /* does not hold: then the one behind it */
    assert_int_equal(rc_plan_find_flips(&plan, of_world, &w, &a, NULL), RC_OK);
    assert_true(a.flips[0].then.price == 61.0);
    w.value[15] = 2.0; /* the chosen one holds just so: still cheaper ones are asked */
    w.count = 0;
    assert_int_equal(rc_plan_find_flips(&plan, of_world, &w, &a, NULL), RC_OK);
    assert_true(w.count == FIRST * 4 && a.flips[0].found && a.flips[0].margin == 0.0 &&
                a.flips[0].then.price == 61.0);
    w.value[15] =
        9.0; /* the chosen one does not hold any more: prices 87 to 94, and 95 that never held */
    w.count = 0;
    assert_int_equal(rc_plan_find_flips(&plan, of_world, &w, &a, NULL), RC_OK);
    assert_true(w.count == FIRST * 2 && a.flips[0].found && a.flips[0].then.price == 87.0);
    near(a.flips[0].margin, 2.0 / 9.0 - 1.0);
    for (int i = 6; i < 14; i++)
        w.value[i] = 9.0;
    w.count = 0;
    assert_int_equal(rc_plan_find_flips(&plan, of_world, &w, &a, NULL), RC_OK);
    assert_true(w.count == FIRST * 9 && !a.flips[0].found);
    w.value[6] = 2.0; /* the last of the eight holds just so */
    assert_int_equal(rc_plan_find_flips(&plan, of_world, &w, &a, NULL), RC_OK);
    assert_true(a.flips[0].found && a.flips[0].then.price == 94.0 && a.flips[0].then.margin == 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resources),   cmocka_unit_test(test_growth),
        cmocka_unit_test(test_lost),        cmocka_unit_test(test_next),
        cmocka_unit_test(test_seeds),       cmocka_unit_test(test_most),
        cmocka_unit_test(test_assumptions), cmocka_unit_test(test_order),
        cmocka_unit_test(test_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
