/* Load-balanced sharding: examples worked out by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "sim/schedule/shard.h"
#include "tests/support/shard_entries.h"

/* T = 5, N = 2: chunks of 2, 1, 1, 1 tokens. Rank 0 owns positions 0 1 | 4, rank 1 owns 2 | 3. */
static void test_chunks_of_five(void **state) {
    (void)state;
    static const int64_t length[] = {2, 1, 1, 1}, start[] = {0, 2, 3, 4};
    for (int c = 0; c < 4; c++) {
        assert_int_equal(rc_shard_chunk(5, 2, c), length[c]);
        assert_int_equal(rc_shard_chunk_start(5, 2, c), start[c]);
    }
    assert_int_equal(rc_shard_first(5, 2, 0), 2);
    assert_int_equal(rc_shard_second(5, 2, 0), 1);
    assert_int_equal(rc_shard_tokens(5, 2, 0), 3);
    assert_int_equal(rc_shard_tokens(5, 2, 1), 2);
}

/* With P = 3 rank 0 holds two cached tokens and rank 1 one.
 *   0 over 0: 3 queries x 2 cached + 1 + 2 + 3            = 12
 *   0 over 1: 3 x 1 cached; position 4 sees 2 and 3       =  5
 *   1 over 0: 2 x 2 cached; 2 and 3 each see 0 and 1      =  8
 *   1 over 1: 2 x 1 cached + 1 + 2                        =  5    together 30 = 5*3 + 5*6/2 */
static void test_entries_of_five_after_three(void **state) {
    (void)state;
    static const int64_t entries[2][2] = {{12, 5}, {8, 5}};
    assert_int_equal(rc_shard_cached(3, 2, 0), 2);
    assert_int_equal(rc_shard_cached(3, 2, 1), 1);
    for (int q = 0; q < 2; q++)
        for (int s = 0; s < 2; s++)
            assert_int_equal(shard_entries(5, 3, 2, q, s), entries[q][s]);
}

static void test_calls_of_five_after_three(void **state) {
    (void)state;
    rc_call c[2];
    assert_int_equal(rc_shard_calls(5, 3, 2, 0, 0, c), 1);
    assert_true(c[0].tq == 3 && c[0].tk == 5 && c[0].causal);
    assert_int_equal(rc_shard_calls(5, 3, 2, 1, 0, c), 1); /* both queries over 2 cached and 0 1 */
    assert_true(c[0].tq == 2 && c[0].tk == 4 && !c[0].causal);
    assert_int_equal(rc_shard_calls(5, 3, 2, 0, 1, c),
                     2); /* 0 1 over 1 cached; 4 over it and 2 3 */
    assert_true(c[0].tq == 2 && c[0].tk == 1 && !c[0].causal);
    assert_true(c[1].tq == 1 && c[1].tk == 3 && !c[1].causal);
}

/* Nothing cached: the first chunk sees nothing of a later rank, and there is one call, not two. */
static void test_first_chunk_without_cache_makes_no_call(void **state) {
    (void)state;
    rc_call c[2];
    assert_int_equal(rc_shard_calls(8, 0, 2, 0, 1, c), 1);
    assert_true(c[0].tq == 2 && c[0].tk == 4 && !c[0].causal);
    /* T = N: every rank has one token, all in first chunks: rank 0 sees nothing of rank 1 */
    assert_int_equal(rc_shard_calls(2, 0, 2, 0, 1, c), 0);
    assert_int_equal(shard_entries(2, 0, 2, 0, 1), 0);
}

static void test_one_rank_has_everything(void **state) {
    (void)state;
    rc_call c[2];
    assert_int_equal(rc_shard_tokens(7, 1, 0), 7);
    assert_int_equal(rc_shard_cached(4, 1, 0), 4);
    assert_int_equal(rc_shard_calls(7, 4, 1, 0, 0, c), 1);
    assert_true(c[0].tq == 7 && c[0].tk == 11 && c[0].causal);
    assert_int_equal(shard_entries(7, 4, 1, 0, 0), 7 * 4 + 28);
}

/* The paper's 128,000 tokens over four nodes: chunks of 16,000; 2c^2 entries in every later step.
 */
static void test_the_papers_shape(void **state) {
    (void)state;
    const int64_t c = 16000;
    for (int q = 0; q < 4; q++) {
        assert_int_equal(rc_shard_tokens(128000, 4, q), 2 * c);
        for (int s = 0; s < 4; s++)
            assert_int_equal(shard_entries(128000, 0, 4, q, s),
                             s == q ? c * (2 * c + 1) : 2 * c * c);
    }
}

static void test_entries_of_calls(void **state) {
    (void)state;
    assert_int_equal(rc_call_entries(&(rc_call){3, 5, 0}), 15);
    assert_int_equal(rc_call_entries(&(rc_call){3, 5, 1}), 3 + 4 + 5);
    assert_int_equal(rc_call_entries(&(rc_call){5, 3, 1}),
                     1 + 2 + 3); /* the first two rows see none */
    assert_int_equal(rc_call_entries(&(rc_call){4, 4, 1}), 10);
    assert_int_equal(rc_call_entries(&(rc_call){0, 4, 1}), 0);
    assert_int_equal(rc_call_entries(&(rc_call){4, 0, 1}), 0);
}

static void test_ceil_div(void **state) {
    (void)state;
    assert_int_equal(rc_ceil_div(0, 3), 0);
    assert_int_equal(rc_ceil_div(1, 3), 1);
    assert_int_equal(rc_ceil_div(3, 3), 1);
    assert_int_equal(rc_ceil_div(4, 3), 2);
}

/* The most tokens a pass may have: no product of queries and keys overflows. The sanitizer builds
 * would stop here. */
static void test_largest(void **state) {
    (void)state;
    const int64_t most = RC_TOKENS_MAX,
                  halves[][2] = {{most, 0}, {most / 2, most / 2}, {1, most - 1}};
    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++) {
        int64_t t = halves[i][0], p = halves[i][1], sum = 0;
        assert_true(shard_entries(t, p, 1, 0, 0) == t * p + t * (t - 1) / 2 + t);
        for (int s = 0; s < 3; s++)
            sum += shard_entries(t, p, 3, 1, s);
        assert_true(sum >= 0 && sum <= t * p + t * (t - 1) / 2 + t);
    }
    const rc_call full = {most, most, 0}, causal = {most, most, 1};
    assert_true(rc_call_entries(&full) == INT64_C(1) << 62);
    assert_true(rc_call_entries(&causal) == (INT64_C(1) << 61) + (INT64_C(1) << 30));
}

/* Eight tokens after three over two ranks: cached tokens 2 and 1, new ones 4 each. The k-th query of rank
 * 0 sees k new keys of rank 0 and, one behind, k - 1 of rank 1; the k-th of rank 1 sees k of both. */
static void test_stripes_by_hand(void **state) {
    (void)state;
    rc_call c;
    assert_int_equal(rc_stripe_calls(8, 3, 2, 0, 0, &c), 1);
    assert_true(c.tq == 4 && c.tk == 2 + 4 && c.causal);
    assert_int_equal(rc_stripe_calls(8, 3, 2, 0, 1, &c), 1);
    assert_true(c.tq == 4 && c.tk == 1 + 3 && c.causal);
    assert_int_equal(rc_stripe_calls(8, 3, 2, 1, 0, &c), 1);
    assert_true(c.tq == 4 && c.tk == 2 + 4 && c.causal);
    assert_int_equal(rc_stripe_calls(8, 3, 2, 1, 1, &c), 1);
    assert_true(c.tq == 4 && c.tk == 1 + 4 && c.causal);
    assert_int_equal(rc_stripe_calls(1, 0, 2, 0, 1, &c), 0); /* the first token sees itself alone */
    assert_int_equal(rc_stripe_calls(1, 0, 2, 1, 0, &c), 0); /* rank 1 has none */
}

/* All ranks' calls see every entry of the causal mask once, and all ranks and steps see as many, to within a key a
 * query. */
static void test_stripes_see_all_once(void **state) {
    (void)state;
    for (int n = 1; n <= 8; n++)
        for (int64_t rounds = 1; rounds < 6; rounds++)
            for (int64_t p = 0; p < 20; p++) {
                const int64_t t = 2 * n * rounds;
                int64_t sum = 0;
                for (int q = 0; q < n; q++)
                    for (int s = 0; s < n; s++) {
                        rc_call c;
                        int64_t seen = 0;
                        if (rc_stripe_calls(t, p, n, q, s, &c) > 0)
                            seen = rc_call_entries(&c);
                        assert_true(llabs(seen * n * n - t * p - t * (t + 1) / 2) <= 2 * t * n * n);
                        sum += seen;
                    }
                assert_int_equal(sum, t * p + t * (t + 1) / 2);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stripes_by_hand),
        cmocka_unit_test(test_stripes_see_all_once),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_chunks_of_five),
        cmocka_unit_test(test_entries_of_five_after_three),
        cmocka_unit_test(test_calls_of_five_after_three),
        cmocka_unit_test(test_first_chunk_without_cache_makes_no_call),
        cmocka_unit_test(test_one_rank_has_everything),
        cmocka_unit_test(test_the_papers_shape),
        cmocka_unit_test(test_entries_of_calls),
        cmocka_unit_test(test_ceil_div),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
