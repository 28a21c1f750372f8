/* Stripes of a sequence over context-parallel ranks, against a causal mask that is written out.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "calib/serve/serve_stripes.h"
#include "sim/base/mix.h"

enum { MOST = 96 };

/* Ten positions on four ranks: 0 4 8, 1 5 9, 2 6, 3 7. */
static void test_by_hand(void **state) {
    (void)state;
    const int64_t counts[] = {3, 3, 2, 2}, firsts[] = {8, 5, 6, 7};
    for (int r = 0; r < 4; r++) {
        assert_int_equal(rc_stripe_count(10, 4, r), counts[r]);
        assert_int_equal(rc_stripe_first(5, 4, r), firsts[r]);
    }
    assert_int_equal(rc_stripe_most(10, 4), 3);
    assert_int_equal(rc_stripe_most(8, 4), 2);
    assert_int_equal(rc_stripe_most(0, 4), 0);
    /* Behind 5 positions rank 1 computes 5 and 9 of [5, 10). Position 9 sees 3 and 7 of rank 3, one more
     * than position 5 does. */
    rc_stripe_call c = rc_stripe_call_of(5, 5, 4, 1, 3);
    assert_int_equal(c.q_len, 2);
    assert_int_equal(c.k_len, 2);
    /* Position 0, on rank 0, sees nothing of rank 1; position 4 sees position 1. */
    c = rc_stripe_call_of(0, 5, 4, 0, 1);
    assert_int_equal(c.q_len, 2);
    assert_int_equal(c.k_len, 1);
    c = rc_stripe_call_of(0, 3, 4, 3, 0); /* rank 3 has none of three */
    assert_int_equal(c.q_len, 0);
    assert_int_equal(c.k_len, 0);
}

/* Every pair of a query and a key, as the calls of all pairs of ranks let it be seen. */
static void see(int64_t p, int64_t t, int n, unsigned char seen[MOST][MOST]) {
    memset(seen, 0, (size_t)MOST * MOST);
    for (int of = 0; of < n; of++)
        for (int at = 0; at < n; at++) {
            const rc_stripe_call c = rc_stripe_call_of(p, t, n, of, at);
            const int64_t first = rc_stripe_first(p, n, of);
            for (int64_t i = 0; i < c.q_len; i++)
                for (int64_t j = 0; j < c.k_len && j <= i + c.k_len - c.q_len; j++)
                    seen[first + i * n][at + j * n]++;
        }
}

static void test_every_pair_once(void **state) {
    (void)state;
    static unsigned char seen[MOST][MOST];
    for (uint64_t draw = 0; draw < 400; draw++) {
        const int n = (int)(1 + rc_mix(draw, 1) % 8);
        const int64_t p = (int64_t)(rc_mix(draw, 2) % (MOST / 2));
        const int64_t t = (int64_t)(1 + rc_mix(draw, 3) % (MOST / 2 - 1));
        see(p, t, n, seen);
        for (int64_t q = 0; q < MOST; q++)
            for (int64_t k = 0; k < MOST; k++)
                assert_int_equal(seen[q][k], q >= p && q < p + t && k <= q);
    }
}

/* Ranks have as much to do as each other, to within a token. */
static void test_balance(void **state) {
    (void)state;
    for (int n = 1; n <= 8; n++)
        for (int64_t p = 0; p < 20; p++)
            for (int64_t t = 0; t < 20; t++) {
                int64_t all = 0;
                for (int r = 0; r < n; r++) {
                    const int64_t own = rc_stripe_call_of(p, t, n, r, 0).q_len;
                    assert_true(own <= rc_stripe_most(t, n) && own >= t / n);
                    all += own;
                }
                assert_int_equal(all, t);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_by_hand),
                                       cmocka_unit_test(test_every_pair_once),
                                       cmocka_unit_test(test_balance)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
