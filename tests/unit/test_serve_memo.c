/* The memo of pass times over a source whose times are known: what is simulated, what is taken for alike, when a cell is
 * built, trusted, audited and split, and what it answers in between.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "sim/serve/passes.h"

/* What the source was asked for last, and how it answers. */
typedef struct asked {
    uint64_t calls;
    int64_t t, p, b, m, more;
    double noise;     /* relative, drawn from the pass */
    int64_t spike_at; /* a T, or a mean context of steps, where times are longer, */
    double spike;     /* by so much of themselves */
    int64_t batch;    /* decodes that take as long as the next multiple of it; 0: each its own */
    bool
        limited; /* a tenth of the time is saved at the boost clock, at 500 W and 1 mW a mean key */
    float rests_sum; /* of the share that is measured */
    rc_passes *memo;
} asked;

static rc_error err;

/* A quadratic in each of its numbers, which cells of three nodes a dimension follow exactly. */
static double smooth(int64_t t, int64_t p, int64_t b, int64_t m, int64_t more) {
    const double x = (double)t, y = (double)p, u = (double)m, v = (double)more;
    return (1e9 + 1e5 * x + x * x) * (1.0 + 1e-5 * y + 1e-11 * y * y) +
           (1e8 * (double)b) * (1.0 + 1e-3 * u + 1e-8 * u * u) * (1.0 + 1e-4 * v + 1e-9 * v * v);
}

static rc_status source(void *ctx, const rc_pass *pass, rc_pass_cost *out, rc_error *e) {
    asked *a = ctx;
    (void)e;
    a->calls++;
    a->t = pass->prefills > 0 ? pass->prefill[0].t : 0;
    a->p = pass->prefills > 0 ? pass->prefill[0].p : 0;
    a->b = pass->decodes;
    a->m = a->b > 0 ? pass->context / a->b : 0;
    a->more = pass->longest > a->m ? pass->longest - a->m : 0;
    const int64_t batch = a->batch > 0 ? a->batch : 1;
    double time = smooth(a->t, a->p, (a->b + batch - 1) / batch * batch, a->m, a->more);
    const uint64_t drawn = ((uint64_t)(a->t + a->p + a->m + a->more) * 2654435761U) >> 7;
    time *= 1.0 + a->noise * (double)(drawn % 1000) / 1000.0;
    if (a->spike_at > 0 && (a->b > 0 ? a->m : a->t) == a->spike_at)
        time *= 1.0 + a->spike;
    const float measured = (float)(a->m % 2);
    a->rests_sum += measured;
    *out = (rc_pass_cost){.time = llround(time)};
    if (a->limited) {
        out->saved = llround(0.1 * time);
        out->wanted = (float)(500.0 + 1e-3 * (double)a->m);
    }
    out->rests[RC_MEASURED] = measured;
    out->rests[RC_MODELLED] = 1.0F - measured;
    return RC_OK;
}

static rc_pass_cost ask(asked *a, const rc_pass *pass) {
    rc_pass_cost cost;
    if (rc_passes_time(a->memo, pass, &cost, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return cost;
}

static const rc_pass_stats *stats(const asked *a) {
    return rc_passes_statistics(a->memo);
}

/* A memo that has simulated all that it simulates as it comes, in passes of two prompts, which are of no family. */
static void start(asked *a, int grain, int batch) {
    const rc_sequence two[2] = {{1, 0}, {1, 0}};
    const rc_pass pass = {.prefill = two, .prefills = 2};
    assert_int_equal(
        rc_passes_create(source, a, (rc_passes_like){grain, batch}, false, &a->memo, &err), RC_OK);
    for (int i = 0; i < RC_PASSES_EXACT; i++)
        (void)ask(a, &pass);
    assert_int_equal(a->calls, RC_PASSES_EXACT);
    assert_int_equal(stats(a)->exact, RC_PASSES_EXACT);
    a->calls = 0;
    a->rests_sum = 0.0F;
}

static rc_pass_cost ask_prompt(asked *a, int64_t t, int64_t p) {
    const rc_sequence chunk = {t, p};
    const rc_pass pass = {.prefill = &chunk, .prefills = 1};
    return ask(a, &pass);
}

static rc_pass_cost ask_steps(asked *a, rc_sequence chunk, uint32_t b, int64_t m, int64_t more) {
    const rc_pass pass = {.prefill = &chunk,
                          .prefills = chunk.t > 0,
                          .decodes = b,
                          .context = b * m,
                          .longest = m + more};
    return ask(a, &pass);
}

static void equal(rc_pass_cost found, double expected) {
    if (fabs((double)found.time - expected) > 1.0 + 1e-12 * expected)
        fail_msg("%lld ps, expected %.0f", (long long)found.time, expected);
}

/* ---- when a cell is built ------------------------------------------------------------------- */

enum { FRESH, SHORT, PROMPT, STEP, STEPS, BESIDE, SOLID, FAMILIES };

/* The i-th pass of a family, all of which lie in one cell: an octave of 1 + v / c, where c is 1 for T, 1024 for P and what
 * the longest context is above the mean, and 256 for the mean. */
static void ask_in(asked *a, int family, int i) {
    const int64_t t = 2100 + 2 * i, p = 1100 + 3 * i, m = 801 + 2 * i, more = 17 + 3 * (i % 300);
    rc_pass_cost cost;
    double expected;
    switch (family) {
    case FRESH:
        cost = ask_prompt(a, t, 0);
        expected = smooth(t, 0, 0, 0, 0);
        break;
    case SHORT:
        cost = ask_prompt(a, 200, p);
        expected = smooth(200, p, 0, 0, 0);
        break;
    case PROMPT:
        cost = ask_prompt(a, t, p);
        expected = smooth(t, p, 0, 0, 0);
        break;
    case STEP:
        cost = ask_steps(a, (rc_sequence){0, 0}, 1, m, 0);
        expected = smooth(0, 0, 1, m, 0);
        break;
    case STEPS:
        cost = ask_steps(a, (rc_sequence){0, 0}, 4, m, more);
        expected = smooth(0, 0, 4, m, more);
        break;
    case BESIDE:
        cost = ask_steps(a, (rc_sequence){500, 0}, 4, m, more);
        expected = smooth(500, 0, 4, m, more);
        break;
    default:
        cost = ask_steps(a, (rc_sequence){500, p}, 4, m, more);
        expected = smooth(500, p, 4, m, more);
    }
    equal(cost, expected);
}

/* Of one or two dimensions a cell is built for the fifth pass, of three for the 41st; that takes a simulation for each node,
 * three a dimension, and for each place where it is checked: 8, 12 or 14. After 16 answers a pass is simulated, after as
 * many times 16 of answers and audits the next. All answers are exact, for the nodes follow the source's polynomial. */
static void test_life_of_a_cell(void **state) {
    static const int dims[] = {1, 1, 2, 1, 2, 2, 3}, built[] = {0, 3 + 8, 9 + 12, 27 + 14};
    (void)state;
    for (int family = 0; family < FAMILIES; family++) {
        asked a = {0};
        const int first = dims[family] == 3 ? 40 : 4;
        int i = 0;
        start(&a, 2, 1);
        for (; i < first; i++)
            ask_in(&a, family, i);
        assert_int_equal(a.calls, first);
        assert_int_equal(stats(&a)->cells, 1);
        for (int k = 0; k < 16; k++, i++)
            ask_in(&a, family, i);
        assert_int_equal(stats(&a)->interpolated, 16);
        assert_int_equal(a.calls, first + built[dims[family]]);
        ask_in(&a, family, i++);
        assert_int_equal(stats(&a)->interpolated, 16);
        for (int k = 17; k < 256; k++, i++)
            ask_in(&a, family, i);
        assert_int_equal(stats(&a)->interpolated, 16 + 239);
        ask_in(&a, family, i);
        assert_int_equal(stats(&a)->interpolated, 16 + 239);
        assert_int_equal(stats(&a)->exact, RC_PASSES_EXACT + (uint64_t)first + 2);
        assert_int_equal(stats(&a)->simulated, RC_PASSES_EXACT + a.calls);
        assert_int_equal(stats(&a)->cells, 1);
        rc_passes_destroy(a.memo);
    }
}

/* The first 512 passes are simulated, and do not count as passes that a cell was asked for. */
static void test_first_passes(void **state) {
    asked a = {0};
    (void)state;
    assert_int_equal(rc_passes_create(source, &a, (rc_passes_like){2, 1}, false, &a.memo, &err),
                     RC_OK);
    for (int i = 0; i < RC_PASSES_EXACT + 4; i++)
        ask_in(&a, FRESH, i);
    assert_int_equal(stats(&a)->interpolated, 0);
    ask_in(&a, FRESH, RC_PASSES_EXACT + 4);
    assert_int_equal(stats(&a)->interpolated, 1);
    rc_passes_destroy(a.memo);
}

/* Its shares are the mean of its nodes', the first nine passes that it has simulated. */
static void test_rests(void **state) {
    asked a = {0};
    (void)state;
    start(&a, 2, 1);
    for (int i = 0; i < 4; i++)
        ask_in(&a, STEPS, i);
    assert_true(a.rests_sum == 4.0F); /* all of odd means */
    const rc_pass_cost cost = ask_steps(&a, (rc_sequence){0, 0}, 4, 1000, 5);
    /* nodes at 768, 1192 and 1792: 256 (2^x - 1) for x of 2, 2.5 and 3 */
    assert_true(fabsf(cost.rests[RC_MEASURED]) < 1e-6F);
    assert_true(fabsf(cost.rests[RC_MODELLED] - 1.0F) < 1e-6F);
    const rc_pass_cost higher[5] = {ask_steps(&a, (rc_sequence){0, 0}, 4, 2001, 5),
                                    ask_steps(&a, (rc_sequence){0, 0}, 4, 2003, 5),
                                    ask_steps(&a, (rc_sequence){0, 0}, 4, 2005, 5),
                                    ask_steps(&a, (rc_sequence){0, 0}, 4, 2007, 5),
                                    ask_steps(&a, (rc_sequence){0, 0}, 4, 2000, 5)};
    /* 1792, 2640.3 and 3840 */
    assert_true(fabsf(higher[3].rests[RC_MEASURED] - 1.0F) < 1e-6F);
    assert_true(fabsf(higher[4].rests[RC_MEASURED]) < 1e-6F);
    rc_passes_destroy(a.memo);
}

/* ---- what belongs to it --------------------------------------------------------------------- */

/* What a pass would save at the boost clock, and draw there, follows the pass as its time does. */
static void test_at_the_boost_clock(void **state) {
    (void)state;
    asked a = {.limited = true};
    start(&a, 2, 1);
    for (int i = 0; i < 4; i++)
        ask_in(&a, STEPS, i);
    const uint64_t calls = a.calls;
    const rc_pass_cost cost = ask_steps(&a, (rc_sequence){0, 0}, 4, 1100, 5);
    const uint64_t built = a.calls; /* nodes and checks; not this pass */
    assert_true(built > calls);
    for (int64_t m = 1100; m < 1110; m++) {
        const rc_pass_cost x = ask_steps(&a, (rc_sequence){0, 0}, 4, m, 5);
        assert_true(fabs((double)x.saved / (double)x.time - 0.1) < 1e-6);
        assert_true(fabs((double)x.wanted - (500.0 + 1e-3 * (double)m)) < 0.01);
    }
    assert_true(a.calls == built && cost.saved > 0);
    rc_passes_destroy(a.memo);
}

/* The cell of T from 2047 up to 4095, which is of the next one. */
static void test_ends_of_a_cell(void **state) {
    asked a = {0};
    (void)state;
    start(&a, 2, 1);
    for (int i = 0; i < 5; i++)
        ask_in(&a, FRESH, i);
    equal(ask_prompt(&a, 2047, 0), smooth(2047, 0, 0, 0, 0));
    equal(ask_prompt(&a, 4094, 0), smooth(4094, 0, 0, 0, 0));
    assert_int_equal(stats(&a)->interpolated, 3);
    (void)ask_prompt(&a, 2046, 0);
    (void)ask_prompt(&a, 4095, 0);
    assert_int_equal(stats(&a)->interpolated, 3);
    assert_int_equal(stats(&a)->cells, 3);
    rc_passes_destroy(a.memo);
}

/* Prompts below 256 grains have no cells of T: a thousand of one length are one simulation, of a thousand lengths as many. */
static void test_short_prompts(void **state) {
    asked a = {0};
    (void)state;
    start(&a, 4, 1);
    for (int i = 0; i < 50; i++)
        (void)ask_prompt(&a, 1023, 0);
    assert_int_equal(a.calls, 1);
    assert_int_equal(stats(&a)->reused, 49);
    assert_int_equal(stats(&a)->cells, 0);
    for (int i = 0; i < 50; i++)
        (void)ask_prompt(&a, 900 + i, 0);
    assert_int_equal(a.calls, 51);
    assert_int_equal(stats(&a)->cells, 0);
    (void)ask_prompt(&a, 1024, 0);
    assert_int_equal(stats(&a)->cells, 1);
    rc_passes_destroy(a.memo);
}

/* The T and the decodes that the nodes have of a chunk beside decodes, which are dealt to two ranks. */
static void nodes_have(int64_t t, uint32_t decodes, int64_t node_t, int64_t node_b) {
    asked a = {.batch = 2};
    start(&a, 4, 2);
    for (int i = 0; i < 5; i++)
        (void)ask_steps(&a, (rc_sequence){t, 0}, decodes, 801 + 2 * i, 17 + 3 * i);
    assert_int_equal(stats(&a)->interpolated, 1);
    if (a.t != node_t || a.b != node_b)
        fail_msg("T %lld beside %u: nodes of %lld beside %lld, expected %lld beside %lld",
                 (long long)t, decodes, (long long)a.t, (long long)a.b, (long long)node_t,
                 (long long)node_b);
    rc_passes_destroy(a.memo);
}

/* Two ranks take two chunks each of T tokens in four. An odd T counts as one more where the rank with one token more has as
 * many tiles as the other: of 128 rows, its tokens and half of the decodes, and of 64 queries of a chunk. Short of 1024
 * tokens T stays as it is. */
static void test_alike_chunks(void **state) {
    (void)state;
    nodes_have(2001, 3, 2002, 4);
    nodes_have(2002, 4, 2002, 4);
    /* rows of 2 x 300 tokens: the 640th is the last of a tile */
    nodes_have(1201, 78, 1202, 78); /* 639, 640 */
    nodes_have(1201, 77, 1202, 78);
    nodes_have(1201, 80, 1201, 80); /* 640, 641 */
    nodes_have(1201, 79, 1201, 80);
    nodes_have(1201, 82, 1202, 82); /* 641, 642 */
    /* chunks of 319, 320 and 321 queries and of one more */
    nodes_have(1277, 20, 1278, 20);
    nodes_have(1281, 20, 1281, 20);
    nodes_have(1285, 20, 1286, 20);
    /* short ones */
    nodes_have(1019, 4, 1019, 4);
    nodes_have(1021, 5, 1021, 6);
}

/* Every rank has all sequences that decode: one more is another cell, and T is its own. */
static void test_one_rank(void **state) {
    asked a = {0};
    (void)state;
    start(&a, 1, 1);
    for (int i = 0; i < 5; i++)
        (void)ask_steps(&a, (rc_sequence){2001, 0}, 3, 801 + 2 * i, 17 + 3 * i);
    assert_int_equal(stats(&a)->interpolated, 1);
    assert_int_equal(a.t, 2001);
    assert_int_equal(a.b, 3);
    (void)ask_steps(&a, (rc_sequence){2001, 0}, 4, 803, 17);
    (void)ask_steps(&a, (rc_sequence){2002, 0}, 3, 803, 17);
    assert_int_equal(stats(&a)->cells, 3);
    rc_passes_destroy(a.memo);
}

/* The mean is rounded up, and the longest is no shorter: 3 sequences of 2999 in all are three of 1000 at most. Steps are
 * simulated with the mean, chunks with decodes as they come. */
static void test_mean_context(void **state) {
    const rc_sequence chunk = {500, 0};
    rc_pass pass = {.decodes = 3, .context = 2999, .longest = 0};
    asked a = {0};
    (void)state;
    start(&a, 1, 1);
    (void)ask(&a, &pass);
    assert_int_equal(a.m, 1000);
    assert_int_equal(a.more, 0);
    pass.context = 3000;
    (void)ask(&a, &pass); /* the same */
    assert_int_equal(a.calls, 1);
    assert_int_equal(stats(&a)->reused, 1);
    pass.longest = 1001;
    (void)ask(&a, &pass);
    assert_int_equal(a.more, 1);
    pass = (rc_pass){.prefill = &chunk, .prefills = 1, .decodes = 3, .context = 2999};
    (void)ask(&a, &pass);
    assert_int_equal(a.m, 999);
    (void)ask(&a, &pass); /* no two of them are alike */
    assert_int_equal(a.calls, 4);
    rc_passes_destroy(a.memo);
}

/* ---- trust ---------------------------------------------------------------------------------- */

/* A pass that came before the cell was built is off by this much of its time: is the cell still trusted? */
static bool trusted_beside(double spike, int before) {
    asked a = {.spike_at = 801 + 2 * before, .spike = spike};
    start(&a, 2, 1);
    for (int i = 0; i < 4; i++) {
        if (i == before)
            (void)ask_steps(&a, (rc_sequence){0, 0}, 4, 801 + 2 * i, 17);
        else
            ask_in(&a, STEPS, i);
    }
    (void)ask_steps(&a, (rc_sequence){0, 0}, 4, 1001, 30);
    const bool trusted = stats(&a)->interpolated == 1;
    if (!trusted) { /* the next one in the same part of it builds that, whose sample is as it should be */
        assert_int_equal(stats(&a)->cells, 2);
        (void)ask_steps(&a, (rc_sequence){0, 0}, 4, 1003, 33);
        assert_int_equal(stats(&a)->interpolated, 1);
    }
    rc_passes_destroy(a.memo);
    return trusted;
}

static void test_trust(void **state) {
    (void)state;
    for (int before = 0; before < 4; before++) {
        assert_true(trusted_beside(0.0019, before));
        assert_true(trusted_beside(-0.0019, before));
        assert_false(trusted_beside(0.0021, before));
        assert_false(trusted_beside(-0.0021, before));
    }
}

/* The pass after 16 answers finds the cell off by more than the tolerance, or does not. */
static bool trusted_after_audit(double spike) {
    asked a = {.spike = spike};
    start(&a, 2, 1);
    for (int i = 0; i < 20; i++)
        ask_in(&a, FRESH, i);
    assert_int_equal(stats(&a)->interpolated, 16);
    a.spike_at = 3001;
    (void)ask_prompt(&a, 3001, 0);
    const uint64_t calls = a.calls;
    (void)ask_prompt(&a, 3005, 0);
    rc_passes_destroy(a.memo);
    return a.calls == calls;
}

static void test_audit(void **state) {
    (void)state;
    assert_true(trusted_after_audit(0.0019));
    assert_false(trusted_after_audit(0.0021));
    assert_false(trusted_after_audit(-0.0021));
}

/* Where no polynomial fits, an octave of T is split four times, into 1, 2, 4, 8 and 16 cells, and all is simulated. */
static void test_split_to_the_end(void **state) {
    asked a = {.noise = 0.5};
    (void)state;
    start(&a, 2, 1);
    for (int64_t t = 2047; t < 4095; t++) {
        const rc_pass_cost found = ask_prompt(&a, t, 0);
        const double least = smooth(t, 0, 0, 0, 0);
        assert_true((double)found.time >= least * (1 - 1e-9) && (double)found.time <= 1.5 * least);
    }
    assert_int_equal(stats(&a)->interpolated, 0);
    assert_int_equal(stats(&a)->cells, 31);
    rc_passes_destroy(a.memo);
}

/* A solid of three dimensions twice: 1 + 8 + 64 cells at most. */
static void test_split_solids(void **state) {
    asked a = {.noise = 0.5};
    (void)state;
    start(&a, 2, 1);
    for (int i = 0; i < 20000; i++)
        (void)ask_steps(&a, (rc_sequence){500, 1024 + i * 37 % 2048}, 4, 768 + i * 101 % 1024,
                        1 + i * 59 % 1023);
    assert_int_equal(stats(&a)->interpolated, 0);
    assert_int_equal(stats(&a)->cells, 73);
    rc_passes_destroy(a.memo);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_of_a_cell), cmocka_unit_test(test_first_passes),
        cmocka_unit_test(test_rests),          cmocka_unit_test(test_at_the_boost_clock),
        cmocka_unit_test(test_ends_of_a_cell), cmocka_unit_test(test_short_prompts),
        cmocka_unit_test(test_alike_chunks),   cmocka_unit_test(test_one_rank),
        cmocka_unit_test(test_mean_context),   cmocka_unit_test(test_trust),
        cmocka_unit_test(test_audit),          cmocka_unit_test(test_split_to_the_end),
        cmocka_unit_test(test_split_solids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
