/* The guess that orders a search: waiting against queues of which the wait is known, and what it is made of against sums by hand,
 * with steps that take what the test says.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#define plan_step_time stated_step_time
#include "sim/plan/plan_estimate.c"

static double fixed, slope; /* s of a step, and more of a sequence in it */
static uint32_t asked[16];  /* sequences of the steps that were asked for, in turn, */
static int64_t keys[16];    /* and the keys of the longest */
static int steps;

rc_status stated_step_time(plan_passes *x, const rc_plan_option *o, uint32_t decodes,
                           int64_t context, int64_t longest, double *out, rc_error *err) {
    (void)x, (void)o, (void)err;
    assert_true(steps < 16 && context == (int64_t)decodes * longest);
    asked[steps] = decodes;
    keys[steps++] = longest;
    *out = fixed + slope * decodes;
    return RC_OK;
}

static void near(double got, double want) {
    if (!(fabs(got - want) <= 1e-12 * fabs(want)))
        fail_msg("%.12g, by hand %.12g", got, want);
}

/* One server with exponential service waits rho / (1 - rho) times the mean of it, one with constant service half as long, and no
 * server waits at no load. Of c servers Sakasegawa's power stands for rho. */
static void test_wait(void **state) {
    (void)state;
    static const double rhos[] = {0.1, 0.5, 0.9};
    for (int i = 0; i < 3; i++) {
        const double rho = rhos[i], m = 0.4;
        near(mean_wait(1.0, rho, m, 2.0 * m * m), m * rho / (1.0 - rho));
        near(mean_wait(1.0, rho, m, m * m), m * rho / (1.0 - rho) / 2.0);
        near(mean_wait(7.0, rho, m, 2.0 * m * m), m * pow(rho, 3.0) / (7.0 * (1.0 - rho)));
        near(mean_wait(1.0, rho, m, 5.0 * m * m), 2.5 * m * rho / (1.0 - rho));
    }
    assert_true(mean_wait(3.0, 0.0, 1.0, 2.0) == 0.0);
    assert_true(mean_wait(1.0, 1.0, 1.0, 2.0) == INFINITY &&
                isfinite(mean_wait(1.0, 0.999, 1.0, 2.0)));
    near(mean_wait(1.0, 0.5, 1.0, 0.5), 0.5); /* a square below the mean's, by rounding: constant */
}

/* Three times the mean wait behind the prompt, over its limit; beyond a load of 1 ten times that load. */
static void test_value(void **state) {
    (void)state;
    const rc_plan_bound b = {.rho = 0.5,
                             .servers = 1.0,
                             .mean = 0.4,
                             .square = 0.32,
                             .prompt = 0.6,
                             .limit = 2.0,
                             .floor = 0.3};
    near(rc_plan_estimate(&b, 1.0), (0.6 + 3.0 * 0.4) / 2.0);
    near(rc_plan_estimate(&b, 0.0), 0.3);
    near(rc_plan_estimate(&b, 1.5), (0.6 + 3.0 * 0.4 * 3.0) / 2.0);
    near(rc_plan_estimate(&b, 2.0), 10.0);
    near(rc_plan_estimate(&b, 3.0), 15.0);
    rc_plan_bound high = b;
    high.floor = 20.0; /* what there is without any waiting is the least */
    near(rc_plan_estimate(&high, 1.0), 20.0);
    near(rc_plan_estimate(&high, 3.0), 20.0);
    high.limit = 0.0; /* no limit on a TTFT */
    near(rc_plan_estimate(&high, 1.0), 20.0);
}

/* A value over its limit has no unit: all times a thousandth of what they were, the guess is the same. */
static void test_no_unit(void **state) {
    (void)state;
    const rc_plan_bound b = {.rho = 0.5,
                             .servers = 3.0,
                             .mean = 0.4,
                             .square = 0.4,
                             .prompt = 0.6,
                             .limit = 2.0,
                             .floor = 0.3};
    const double want = rc_plan_estimate(&b, 1.0);
    assert_true(want > 0.31);
    for (double by = 1e-3; by < 1e4; by *= 10.0) {
        rc_plan_bound x = b;
        x.mean *= by;
        x.square *= by * by;
        x.prompt *= by;
        x.limit *= by;
        near(rc_plan_estimate(&x, 1.0), want);
    }
}

static rc_plan_bound expected(const rc_plan *p, const rc_plan_load *w, const plan_layout *l,
                              const rc_plan_option *o, double tokens) {
    rc_plan_bound out = {0};
    steps = 0;
    assert_int_equal(plan_expect(p, w, NULL, l, o, tokens, &out, NULL), RC_OK);
    return out;
}

static const rc_plan plain = {.objective_count = 3,
                              .objectives = {{.limit = 0.5, .to = INT64_MAX},
                                             {.limit = 0.01, .to = INT64_MAX, .ttit = true},
                                             {.limit = 2.0, .to = INT64_MAX}}};
static const rc_plan_load load = {.requests = 100, .output = 1000, .context = 1000, .span = 10};
static const plan_layout prompts = {
    .expected = {0.2, 0.0, 0.9}, .count = 100, .work = 4.0, .square = 0.3};

/* Prompts take 4 s of 10 on two replicas. Steps of 2 ms: the best batch has 16 sequences, so that 1,000 tokens take 62.5 of them; one
 * sequence is there at a time. Where prompts are computed beside steps, these have four fifths of the time. */
static void test_load(void **state) {
    (void)state;
    fixed = 2e-3, slope = 0.0;
    rc_plan_option o = {.tp = 8, .cp = 1, .prefill = 2, .max_batch = 16};
    rc_plan_bound b = expected(&plain, &load, &prompts, &o, 1e9);
    const double decode = 1000 * 2e-3 / 16 / 10 / 2;
    near(b.rho, 0.2 + decode);
    near(b.load, 0.2 + decode);
    near(b.servers, 2.0);
    near(b.mean, 0.04);
    near(b.square, 0.003);
    near(b.prompt, 0.9); /* 0.9 of 2 is more than 0.2 of 0.5 */
    near(b.limit, 2.0);
    near(b.floor, 0.45); /* more than 2.5 ms of 10 */
    assert_true(asked[0] == 16 && asked[1] == 1 && keys[0] == 1000);
    for (int i = 2; i < steps; i++)
        assert_int_equal(asked[i], 1);
    assert_int_equal(steps, 2 + 6);
    o.chunked = true; /* beside one another: the longer of the two */
    b = expected(&plain, &load, &prompts, &o, 1e9);
    near(b.load, 0.2);
    near(b.rho, 0.2 + decode);
    o.chunked = false;
    o.decode = 5;
    o.decode_cp = 1;
    b = expected(&plain, &load, &prompts, &o, 1e9);
    near(b.load, 0.2);
    near(b.rho, 0.2);
    near(b.floor, 0.45);
    plan_layout few = prompts;
    few.work = 0.01;       /* the pool that decodes, of five, is the busier one */
    few.expected[2] = 0.8; /* of 2 s, as much as 0.2 of 0.5: the first of both is the tightest */
    b = expected(&plain, &load, &few, &o, 1e9);
    near(b.load, 1000 * 2e-3 / 16 / 10 / 5);
    near(b.servers, 2.0);
    near(b.rho, 0.01 / 10 / 2);
    near(b.limit, 0.5);
    near(b.prompt, 0.2);
    fixed = 0.02; /* apart: a step's time alone */
    near(expected(&plain, &load, &prompts, &o, 1e9).floor, 2.0);
    o.decode = 0;
    near(expected(&plain, &load, &prompts, &o, 1e9).floor, 2.0 / 0.8);
    o.prefill = 1;
    near(expected(&plain, &load, &prompts, &o, 1e9).floor, 2.0 / 0.6);
    plan_layout busy = prompts;
    busy.work = 11.0; /* no time is left: as if a fiftieth were */
    near(expected(&plain, &load, &busy, &o, 1e9).floor, 2.0 / 0.02);
    rc_plan_load closed = load;
    closed.span = 0.0; /* arrivals that wait for replies: no load is known */
    b = expected(&plain, &closed, &busy, &o, 1e9);
    assert_true(b.load == 0.0 && b.rho == 0.0);
    near(b.floor, 2.0);
    assert_int_equal(steps, 2);
    o.pp = 4; /* each stage has a fourth of the prompts' work, and a fourth of the sequences */
    o.max_batch = 64;
    b = expected(&plain, &load, &prompts, &o, 1e9);
    near(b.mean, 0.01);
    near(b.square, 0.3 / 16 / 100);
    near(b.rho, 0.4 / 4 + 1000 * 0.02 / 64 / 10);
    assert_int_equal(asked[0], 16);
}

/* As many sequences as there are tokens of KV for, in the best batch; requests; a power of two. Contexts go by sixteenths of a
 * decade. */
static void test_batches(void **state) {
    (void)state;
    static const struct {
        int32_t max_batch;
        double tokens, context;
        uint32_t sequences;
        int64_t keys;
    } t[] = {{16, 1e9, 1000, 16, 1000}, {17, 1e9, 1000, 16, 1000}, {31, 1e9, 1000, 16, 1000},
             {32, 1e9, 1000, 32, 1000}, {64, 9999, 1000, 8, 1000}, {64, 8000, 1000, 8, 1000},
             {64, 7999, 1000, 4, 1000}, {64, 500, 1000, 1, 1000},  {999, 1e9, 1000, 64, 1000},
             {4, 1e9, 1, 4, 1},         {4, 1e9, 0, 4, 1},         {4, 3, 0.5, 2, 1},
             {4, 1e9, 1154, 4, 1000},   {4, 1e9, 1155, 4, 1154},   {4, 1e9, 999, 4, 865},
             {64, 4.9, 1.2, 4, 1},      {4, 1e9, 2.1, 4, 2},       {4, 1e9, 1.9, 4, 1}};
    fixed = 1e-3, slope = 0.0;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_plan_load w = load;
        w.context = t[i].context;
        const rc_plan_option o = {.tp = 8, .cp = 1, .prefill = 1, .max_batch = t[i].max_batch};
        (void)expected(&plain, &w, &prompts, &o, t[i].tokens);
        if (asked[0] != t[i].sequences || keys[0] != t[i].keys)
            fail_msg("%d of %g tokens: %u sequences of %lld keys", t[i].max_batch, t[i].tokens,
                     asked[0], (long long)keys[0]);
    }
    const rc_plan_option o = {.tp = 8, .cp = 1, .prefill = 1, .max_batch = 1 << 20};
    rc_plan_load many = load;
    many.requests = 1e9;
    (void)expected(&plain, &many, &prompts, &o, 1e12);
    assert_int_equal(asked[0], BATCHES);
}

/* A step of 1 ms and 1 ms more a sequence, 2,000 tokens a second: of n sequences 2 (1 + n) are there, more and more, up to the most. */
static void test_fixed_point(void **state) {
    (void)state;
    fixed = 1e-3, slope = 1e-3;
    rc_plan_load w = load;
    w.output = 20000;
    const rc_plan_option o = {.tp = 8, .cp = 1, .prefill = 1, .max_batch = 16};
    (void)expected(&plain, &w, &prompts, &o, 1e9);
    static const uint32_t want[] = {16, 1, 4, 8, 16, 16, 16, 16};
    assert_int_equal(steps, 8);
    for (int i = 0; i < 8; i++)
        assert_int_equal(asked[i], want[i]);
}

static void test_layouts(void **state) {
    (void)state;
    const rc_plan_option base = {.tp = 8, .cp = 2, .prefill = 3, .max_batch = 16, .decode = 1};
    const plan_layout l = {.key = base};
    rc_plan_option same[6], other[10];
    for (int i = 0; i < 10; i++)
        other[i] = base;
    for (int i = 0; i < 6; i++)
        same[i] = base;
    same[1].prefill = 9;
    same[2].decode = 7;
    same[3].max_batch = 64;
    same[4].budget = 4096;
    same[5].chunked = true;
    other[0].offer = 1;
    other[1].tp = 4;
    other[2].cp = 1;
    other[3].pick = 1;
    other[4].dcp = 2;
    other[5].dp = 2;
    other[6].ep = 8;
    other[7].decode = 0;
    other[8].dynamic = true;
    other[9].kv = 1;
    const plan_layout mixed = {.key = other[7]};
    assert_true(plan_layout_is(&mixed, &other[7]));
    for (int i = 0; i < 6; i++)
        assert_true(plan_layout_is(&l, &same[i]));
    for (int i = 0; i < 10; i++)
        assert_false(plan_layout_is(&l, &other[i]));
}

static void test_sums(void **state) {
    (void)state;
    plan_layout l = {.count = 1.0, .work = 2.0, .square = 5.0};
    plan_layout_add(&l, &(rc_plan_class){.count = 4.0}, 0.5);
    assert_true(l.count == 5.0 && l.work == 4.0 && l.square == 6.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait),        cmocka_unit_test(test_value),
        cmocka_unit_test(test_load),        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_fixed_point), cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_sums),        cmocka_unit_test(test_no_unit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
