/* How attention and decode calls are cut over 132 SMs, and what a plan takes, counted by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/cost/tile_plan.c"

static void near(const char *what, double got, double want) {
    if (!(fabs(got - want) <= 1e-9 * fmax(1.0, fabs(want))))
        fail_msg("%s: %.12g, by hand %.12g", what, got, want);
}

static const rc_plan_kind usual = {.element = 2.0, .head_k = 128, .head_v = 64};

static void holds(const rc_plan_kind *kind, const rc_plan_call *call, const rc_tile_plan *want) {
    rc_tile_plan p;
    rc_plan_of(kind, call, &p);
    near("path", p.path, want->path);
    near("items", p.items, want->items);
    near("average", p.average, want->average);
    near("pieces", p.pieces, want->pieces);
    near("splits", p.splits, want->splits);
    near("bytes", p.bytes, want->bytes);
    assert_int_equal(p.split, want->split);
    assert_int_equal(p.decode, want->decode);
}

/* Without a mask. A tile has 16 tokens of 8 heads: 64 tiles of 16 blocks, cut in two, are 128 pieces of 8. As many tiles as SMs are
 * not cut, and of one more only that one, in 16. */
static void test_full(void **state) {
    (void)state;
    rc_plan_call c = {.tq = 1024, .tk = 2048, .sequences = 1, .longest = 2048, .hq = 8, .hkv = 1};
    rc_tile_plan want = {.path = 8.0,
                         .items = 1.0,
                         .average = 64.0 * 16.0 / 132.0,
                         .pieces = 128.0,
                         .splits = 2.0,
                         .bytes = 2.0 * (8192.0 * 128 + 2048.0 * 192) + 2.0 * 8192 * 64,
                         .split = true};
    holds(&usual, &c, &want);
    c.tq = 132 * 16;
    want = (rc_tile_plan){.path = 16.0,
                          .items = 1.0,
                          .average = 16.0,
                          .splits = 1.0,
                          .bytes = 2.0 * (16896.0 * 128 + 2048.0 * 192) + 2.0 * 16896 * 64};
    holds(&usual, &c, &want);
    c.tq++;
    want = (rc_tile_plan){.path = 17.0,
                          .items = 2.0,
                          .average = 133.0 * 16.0 / 132.0,
                          .pieces = 16.0,
                          .splits = 16.0,
                          .bytes = 2.0 * (16904.0 * 128 + 2048.0 * 192) + 2.0 * 16904 * 64,
                          .split = true};
    holds(&usual, &c, &want);
    /* two sequences of two KV heads, of 66 tiles each: two waves of 132 */
    c = (rc_plan_call){.tq = 66 * 32, .tk = 300, .sequences = 2, .longest = 300, .hq = 8, .hkv = 2};
    want = (rc_tile_plan){.path = 6.0,
                          .items = 2.0,
                          .average = 6.0,
                          .splits = 1.0,
                          .bytes = 2.0 * (33792.0 * 128 + 1200.0 * 192) + 2.0 * 33792 * 64};
    holds(&usual, &c, &want);
}

/* Another kernel: a tile is 128 tokens of one query head, and none is cut. */
static void test_whole_tiles(void **state) {
    (void)state;
    const rc_plan_call c = {
        .tq = 1024, .tk = 2048, .sequences = 1, .longest = 2048, .hq = 8, .hkv = 1, .whole = true};
    const rc_tile_plan want = {.path = 16.0,
                               .items = 1.0,
                               .average = 64.0 * 16.0 / 132.0,
                               .splits = 1.0,
                               .bytes = 2.0 * (8192.0 * 128 + 2048.0 * 192) + 2.0 * 8192 * 64};
    holds(&usual, &c, &want);
}

/* A window of 300 keys: 16 tokens see 316 of them at most, 3 blocks; a window as long as all keys sees all. */
static void test_window(void **state) {
    (void)state;
    rc_plan_kind kind = usual;
    const rc_plan_call c = {
        .tq = 132 * 16, .tk = 2048, .sequences = 1, .longest = 2048, .hq = 8, .hkv = 1};
    const double bytes = 2.0 * (16896.0 * 128 + 2048.0 * 192) + 2.0 * 16896 * 64;
    kind.window = 300;
    holds(
        &kind, &c,
        &(rc_tile_plan){.path = 3.0, .items = 1.0, .average = 3.0, .splits = 1.0, .bytes = bytes});
    kind.window = 368; /* 384 of them: no block more */
    holds(
        &kind, &c,
        &(rc_tile_plan){.path = 3.0, .items = 1.0, .average = 3.0, .splits = 1.0, .bytes = bytes});
    kind.window = 369;
    holds(
        &kind, &c,
        &(rc_tile_plan){.path = 4.0, .items = 1.0, .average = 4.0, .splits = 1.0, .bytes = bytes});
    kind.window = 2048;
    holds(&kind, &c,
          &(rc_tile_plan){
              .path = 16.0, .items = 1.0, .average = 16.0, .splits = 1.0, .bytes = bytes});
}

/* A prompt of one head in n tiles of 128 tokens, of which the k-th sees k blocks. */
static rc_plan_call prompt(int64_t n) {
    return (rc_plan_call){.tq = 128 * n,
                          .tk = 128 * n,
                          .sequences = 1,
                          .longest = 128 * n,
                          .hq = 1,
                          .hkv = 1,
                          .causal = true};
}

/* 16 tiles are cut in 8 pieces each, the longest of 2 blocks. 264 tiles are two rounds, in which the heaviest goes with the lightest:
 * 265 blocks. Of 14 and of 16 rounds, the first six of which are taken as even, the sums are the same as by counting: */
static void test_causal(void **state) {
    (void)state;
    static const struct {
        int64_t n;
        double path, items, pieces, splits;
    } t[] = {{16, 2.0, 1.0, 128.0, 8.0},
             {132, 132.0, 1.0, 0.0, 1.0},
             {264, 265.0, 2.0, 0.0, 1.0},
             {14 * 132, 12943.0, 14.0, 0.0, 1.0},
             {16 * 132, 16904.0, 16.0, 0.0, 1.0}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const rc_plan_call c = prompt(t[i].n);
        const double tokens = 128.0 * (double)t[i].n, n = (double)t[i].n;
        holds(&usual, &c,
              &(rc_tile_plan){.path = t[i].path,
                              .items = t[i].items,
                              .average = 0.5 * n * (n + 1.0) / 132.0,
                              .pieces = t[i].pieces,
                              .splits = t[i].splits,
                              .bytes = 2.0 * (tokens * 128 + tokens * 192) + 2.0 * tokens * 64,
                              .split = t[i].splits > 1.0});
    }
}

/* What waves are worth: the same work with no rest. */
static void test_smooth(void **state) {
    (void)state;
    rc_plan_kind kind = usual;
    kind.smooth = true;
    const rc_plan_call c = prompt(16);
    holds(&kind, &c,
          &(rc_tile_plan){.path = 136.0 / 132.0,
                          .items = 16.0 / 132.0,
                          .average = 136.0 / 132.0,
                          .splits = 8.0,
                          .bytes = 2.0 * 2048 * 320 + 2.0 * 2048 * 64});
}

/* 600 units are three waves of 264 CTAs: that of the longest, and two of the mean. 384 bytes a key. */
static void test_decode(void **state) {
    (void)state;
    rc_plan_kind kind = usual;
    const rc_plan_call c = {.tq = 1,
                            .tk = 1000,
                            .sequences = 300,
                            .longest = 4000,
                            .hq = 8,
                            .hkv = 2,
                            .version = RC_DECODE_VERSION};
    kind.decode = true;
    rc_tile_plan want = {.path = 384.0 * (4000.0 + 2.0 * 1000.0),
                         .pieces = 600.0,
                         .splits = 1.0,
                         .bytes = 600.0 * 1000.0 * 384.0,
                         .decode = true};
    holds(&kind, &c, &want);
    kind.smooth = true;
    want.path = 384.0 * (4000.0 + (600.0 / 264.0 - 1.0) * 1000.0);
    holds(&kind, &c, &want);
    rc_plan_call few = c; /* of less than a wave each has one */
    few.sequences = 100;
    want = (rc_tile_plan){.path = 384.0 * 4000.0,
                          .pieces = 200.0,
                          .splits = 1.0,
                          .bytes = 200.0 * 1000.0 * 384.0,
                          .decode = true};
    holds(&kind, &few, &want);
}

/* Each part of a time by itself, in microseconds; one that is alone is what a smooth maximum gives. */
static void test_time(void **state) {
    (void)state;
    const double c[RC_PLAN_CONSTANTS] = {2e-6, 3e6, 5e-6, 7e-6, 11e-6, 13e-6, 17e-6, 0.0};
    static const struct {
        rc_tile_plan p;
        double us;
    } t[] = {{{.path = 2.0, .items = 3.0}, 2.0 + 22.0 + 39.0},
             {{.average = 2.0}, 2.0 + 34.0},
             {{.bytes = 12.0}, 2.0 + 4.0},
             {{.bytes = 12.0, .pieces = 9.0, .splits = 4.0}, 2.0 + 4.0},
             {{.bytes = 12.0, .pieces = 9.0, .splits = 4.0, .split = true}, 2.0 + 4.0 + 5.0 + 63.0},
             {{.bytes = 12.0, .decode = true}, 2.0 + 4.0},
             {{.path = 2.0, .decode = true}, 2.0 + 22.0},
             {{.path = 2.0, .pieces = 9.0, .splits = 4.0, .decode = true, .split = true},
              2.0 + 22.0 + 5.0 + 52.0 + 63.0}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        near("time", 1e6 * exp(rc_plan_time(&t[i].p, c, 1.0)), t[i].us);
    /* the clock falls from 30 ms on, up to the longest call that was measured, and not in decode */
    const double drifts[RC_PLAN_CONSTANTS] = {60e-3, 1.0, 0, 0, 0, 0, 0, 0.5};
    rc_tile_plan p = {.bytes = 0.0};
    near("drift", rc_plan_time(&p, drifts, 1.0), log(60e-3) + 0.5 * log(3.0));
    near("longest", rc_plan_time(&p, drifts, 30e-3), log(60e-3) + 0.5 * log(2.0));
    p.decode = true;
    near("decode", rc_plan_time(&p, drifts, 1.0), log(60e-3));
}

/* Fits begin with as many constants as a kind has, over 0 but the drift's, in proportion to a head; fp8 is done in about half. */
static void test_start(void **state) {
    (void)state;
    double wide[RC_PLAN_CONSTANTS], narrow[RC_PLAN_CONSTANTS], twice[RC_PLAN_CONSTANTS];
    rc_plan_kind kind = {.element = 2.0, .head_k = 128, .head_v = 128};
    assert_int_equal(rc_plan_start(&kind, wide), RC_PLAN_CONSTANTS);
    kind.element = 1.0;
    assert_int_equal(rc_plan_start(&kind, narrow), RC_PLAN_CONSTANTS);
    kind = (rc_plan_kind){.element = 2.0, .head_k = 256, .head_v = 256};
    assert_int_equal(rc_plan_start(&kind, twice), RC_PLAN_CONSTANTS);
    for (int i = 0; i < RC_PLAN_CONSTANTS; i++) {
        assert_true(wide[i] > 0.0);
        const double grows = i == BLOCK || i == SPREAD ? 2.0 : 1.0;
        near("size", twice[i], grows * wide[i]);
        assert_true(grows == 2.0 ? narrow[i] < 0.6 * wide[i] && narrow[i] > 0.4 * wide[i]
                                 : narrow[i] == wide[i]);
    }
    kind.decode = true;
    assert_int_equal(rc_plan_start(&kind, wide), 6);
    for (int i = 0; i < RC_PLAN_CONSTANTS; i++)
        assert_int_equal(wide[i] > 0.0, i < 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full),   cmocka_unit_test(test_whole_tiles),
        cmocka_unit_test(test_window), cmocka_unit_test(test_causal),
        cmocka_unit_test(test_smooth), cmocka_unit_test(test_decode),
        cmocka_unit_test(test_time),   cmocka_unit_test(test_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
