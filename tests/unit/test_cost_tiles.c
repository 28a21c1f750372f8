/* The items of an attention launch, and when they leave SMs free: by hand, and against a list
 * schedule that goes item by item.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "sim/cost/tiles.h"
#include "tests/support/prop.h"

/* Doubles that agree but for rounding. */
#define NEAR(a, b) assert_true(fabs((a) - (b)) <= 1e-9 * (1.0 + fabs(b)))
#define BEGIN 1.5 /* blocks that an item takes to begin */

static rc_tiles plan(int64_t tq, int64_t tk, bool causal, int sms) {
    const rc_tile_call call = {tq, tk, causal};
    rc_tiles t;
    rc_tiles_plan(&call, 1, 16, 1, sms, &t); /* 8 tokens a tile */
    return t;
}

static int64_t items_of(const rc_tiles *t) {
    int64_t n = 0;
    for (int i = 0; i < t->classes; i++)
        n += t->items[i];
    return n;
}

/* 132 tiles of 250 blocks. */
static void test_one_round(void **state) {
    (void)state;
    rc_tiles t = plan(1056, 32000, false, 132);
    double left;
    assert_int_equal(items_of(&t), 132);
    NEAR(rc_tiles_time(&t, 132, 0, 0.0, 1, &left), 250 + BEGIN);
    NEAR(left, 250 + BEGIN); /* not one SM before the end */
    NEAR(rc_tiles_time(&t, 130, 0, 0.0, 1, NULL), 2 * (250 + BEGIN));
    t = plan(1056, 32000, false, 66);
    NEAR(rc_tiles_time(&t, 66, 0, 0.0, 1, NULL), 2 * (250 + BEGIN));
}

/* 130 tiles leave two SMs free from the beginning. */
static void test_spare_sms(void **state) {
    (void)state;
    rc_tiles t = plan(1040, 32000, false, 132);
    double left;
    (void)rc_tiles_time(&t, 132, 0, 0.0, 2, &left);
    NEAR(left, 0.0);
    (void)rc_tiles_time(&t, 132, 0, 0.0, 3, &left);
    NEAR(left, 250 + BEGIN);
}

/* A message that holds two SMs: their items come as a second round, when the others are done, or
 * when the message is. */
static void test_held_sms(void **state) {
    (void)state;
    rc_tiles t = plan(1056, 32000, false, 132);
    NEAR(rc_tiles_time(&t, 132, 2, 1e9, 1, NULL), 2 * (250 + BEGIN));
    NEAR(rc_tiles_time(&t, 132, 2, 100.0, 1, NULL), 350 + BEGIN);
    NEAR(rc_tiles_time(&t, 132, 2, 0.0, 1, NULL), 250 + BEGIN);
}

/* 198 tiles: 132 whole, and 66 in two pieces each, which is the least that fills the chip. */
static void test_split_rest(void **state) {
    (void)state;
    rc_tiles t = plan(1584, 32000, false, 132);
    assert_int_equal(items_of(&t), 132 + 2 * 66);
    NEAR(rc_tiles_time(&t, 132, 0, 0.0, 1, NULL), 250 + 125 + 2 * BEGIN);
}

/* Item by item. */
static double by_hand(const rc_tiles *t, int sms, int held, double until, int most, double *left) {
    double at[64], end = 0.0;
    for (int i = 0; i < sms; i++)
        at[i] = i < held ? until : 0.0;
    for (int c = 0; c < t->classes; c++)
        for (int64_t n = t->items[c]; n > 0; n--) {
            int first = 0;
            for (int i = 1; i < sms; i++)
                first = at[i] < at[first] ? i : first;
            at[first] += t->blocks[c];
            end = fmax(end, at[first]);
        }
    for (int k = 0; k < most; k++) { /* the most-th soonest */
        int first = 0;
        for (int i = 1; i < sms; i++)
            first = at[i] < at[first] ? i : first;
        *left = at[first];
        at[first] = INFINITY;
    }
    return end;
}

static bool schedule_is_item_by_item(prop_case *c) {
    rc_tile_call calls[RC_TILE_CALLS];
    rc_tiles t;
    int n = (int)prop_range(c, 1, RC_TILE_CALLS), hkv = (int)prop_range(c, 1, 3);
    int sms = (int)prop_range(c, 2, 64), held = (int)prop_range(c, 0, sms - 1);
    int most = (int)prop_range(c, 1, sms);
    double until = 400.0 * prop_unit(c), left, expected;
    for (int i = 0; i < n; i++)
        calls[i] = (rc_tile_call){prop_range(c, 1, 64 * (int64_t)c->size),
                                  prop_range(c, 1, 900 * (int64_t)c->size), prop_one_in(c, 2)};
    rc_tiles_plan(calls, n, hkv * (int)prop_range(c, 1, 16), hkv, sms, &t);
    double end = by_hand(&t, sms, held, until, most, &expected);
    double got = rc_tiles_time(&t, sms, held, until, most, &left);
    PROP_CHECK(c, fabs(got - end) <= 1e-6 * end, "%g, item by item %g", got, end);
    PROP_CHECK(c, fabs(left - expected) <= 1e-6 * (end + until), "left %g, item by item %g", left,
               expected);
    return true;
}

static void test_schedule_is_item_by_item(void **state) {
    (void)state;
    assert_true(prop_run("schedule_is_item_by_item", schedule_is_item_by_item, 12));
}

/* The longest sequence that there may be is planned at once. */
static void test_longest(void **state) {
    (void)state;
    const int64_t tokens = INT64_C(1) << 31;
    rc_tiles t = plan(tokens, tokens, true, 132);
    double mean = (double)tokens / 256.0, tiles = (double)tokens / 8.0 / 132.0;
    double got = rc_tiles_time(&t, 132, 0, 0.0, 1, NULL);
    assert_true(fabs(got / (mean * tiles) - 1.0) < 1e-3);
    double fewer = rc_tiles_time(&t, 132, 2, 1e6, 1, NULL);
    assert_true(fewer >= got && fewer < got * 1.0001);
}

/* Every tile's blocks are worked on once, whatever is split. */
static void test_all_blocks(void **state) {
    (void)state;
    for (int64_t tq = 8; tq < 20000; tq += 1240) {
        rc_tiles t = plan(tq, 32000, false, 132);
        double blocks = 0.0;
        for (int i = 0; i < t.classes; i++)
            blocks += (double)t.items[i] * (t.blocks[i] - BEGIN);
        NEAR(blocks, (double)(tq / 8) * 250.0);
    }
}

/* CTAs of decode-5 on 132 SMs, bf16 heads of 128. */
static void test_decode_leaves_sms(void **state) {
    (void)state;
    const int64_t row = 256;
    rc_tile_decode d = {.batch = 64, .keys = 512, .row = row, .hq = 8, .hkv = 1}; /* 64 CTAs */
    NEAR(rc_tiles_decode_left(&d, 132, 132, 68), 0.0);
    NEAR(rc_tiles_decode_left(&d, 132, 132, 69), 1.0);
    d.batch = 4, d.keys = 1725; /* 88 pieces, whose 32 rows wait on the other SMs */
    NEAR(rc_tiles_decode_left(&d, 132, 132, 12), 0.0);
    NEAR(rc_tiles_decode_left(&d, 132, 132, 13), 1.0);
    d.batch = 42, d.keys = 42032, d.hkv = 4; /* 168: 96 have an SM alone */
    NEAR(rc_tiles_decode_left(&d, 132, 132, 1), 132.0 / 168.0);
    d.batch = 43, d.keys = 2576, d.hkv = 8; /* 264 at once, then 80 */
    NEAR(rc_tiles_decode_left(&d, 132, 132, 24), 264.0 / 344.0);
    d.batch = 115, d.hkv = 4; /* then 196 */
    NEAR(rc_tiles_decode_left(&d, 132, 132, 24), (264.0 + 132.0) / 460.0);
    d.batch = 66; /* 264: all end together */
    NEAR(rc_tiles_decode_left(&d, 132, 132, 24), 1.0);
    NEAR(rc_tiles_decode_left(&d, 124, 132, 8), 0.0); /* kept free */
    NEAR(rc_tiles_decode_left(&d, 124, 132, 9), 248.0 / 264.0);
}

/* Pages: 107 CTAs leave a cluster its 25 SMs, 108 do not; a piece of up to 256 keys is a CTA for each KV head. */
static void test_decode_of_pages(void **state) {
    (void)state;
    assert_false(rc_tiles_decode_fills(0, 1, 132));
    assert_false(rc_tiles_decode_fills(107 * 256, 1, 132));
    assert_true(rc_tiles_decode_fills(107 * 256 + 1, 1, 132));
    assert_false(rc_tiles_decode_fills(13 * 256, 8, 132)); /* 104 */
    assert_true(rc_tiles_decode_fills(13 * 256 + 1, 8, 132));
    assert_true(rc_tiles_decode_fills(1, 8, 25)); /* a chip that has no more SMs */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_leaves_sms),
        cmocka_unit_test(test_decode_of_pages),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_one_round),
        cmocka_unit_test(test_spare_sms),
        cmocka_unit_test(test_held_sms),
        cmocka_unit_test(test_split_rest),
        cmocka_unit_test(test_all_blocks),
        cmocka_unit_test(test_schedule_is_item_by_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
