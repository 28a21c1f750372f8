/* Random numbers against what their authors publish: splitmix64 from 0, xoshiro256** from the state 1, 2, 3, 4; and what is made
 * of them by its moments.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include "sim/engine/engine.h"

enum { DRAWS = 40000 };
static rc_rng r;

static void published(void **state) {
    (void)state;
    static const uint64_t seeded[] = {UINT64_C(0xe220a8397b1dcdaf), UINT64_C(0x6e789e6aa1b965f4),
                                      UINT64_C(0x06c45d188009454f), UINT64_C(0xf88bb8a8724c81ec)};
    static const uint64_t drawn[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240),
                                     UINT64_C(1216172134540287360)};
    rc_rng_seed(&r, 0);
    for (int i = 0; i < 4; i++)
        assert_true(r.s[i] == seeded[i]);
    r = (rc_rng){{1, 2, 3, 4}};
    for (int i = 0; i < 5; i++)
        assert_true(rc_rng_u64(&r) == drawn[i]);
    r = (rc_rng){{1, 2, 3, 4}};
    for (int i = 0; i < 4; i++) /* the upper 53 bits */
        assert_true(rc_rng_uniform(&r) == (double)(drawn[i] / 2048) / 9007199254740992.0);
}

/* Of 3 x 2^62 numbers a third lies below 2^62; were 64 bits merely cut to them, it would be a half. */
static void every_number_is_as_likely(void **state) {
    (void)state;
    const uint64_t n = 3 * (UINT64_C(1) << 62);
    int low = 0, of_seven[7] = {0};
    rc_rng_seed(&r, 1);
    for (int i = 0; i < DRAWS; i++) {
        const uint64_t x = rc_rng_below(&r, n);
        assert_true(x < n);
        low += x < n / 3;
        of_seven[rc_rng_below(&r, 7)]++;
    }
    assert_true(abs(low - DRAWS / 3) < 500); /* sigma 94 */
    for (int i = 0; i < 7; i++)
        assert_true(abs(of_seven[i] - DRAWS / 7) < 350); /* sigma 70 */
    for (int i = 0; i < 10; i++)
        assert_true(rc_rng_below(&r, 1) == 0);
}

/* Mean, variance, and the share within what half and 68.27 % of all lie in. */
static void moments(void **state) {
    (void)state;
    double sum[2] = {0.0, 0.0}, squares[2] = {0.0, 0.0}, cubes = 0.0;
    int within[2] = {0, 0};
    rc_rng_seed(&r, 2);
    for (int i = 0; i < DRAWS; i++) {
        const double e = rc_rng_exponential(&r, 4.0), z = rc_rng_normal(&r);
        assert_true(e >= 0.0);
        sum[0] += e, squares[0] += e * e, within[0] += e < 4.0 * log(2.0);
        sum[1] += z, squares[1] += z * z, within[1] += fabs(z) < 1.0, cubes += z * z * z;
    }
    assert_true(fabs(sum[0] / DRAWS - 4.0) < 0.1 && fabs(squares[0] / DRAWS - 32.0) < 2.0);
    assert_true(abs(within[0] - DRAWS / 2) < 500);
    assert_true(fabs(sum[1] / DRAWS) < 0.025 && fabs(squares[1] / DRAWS - 1.0) < 0.035);
    assert_true(fabs(cubes / DRAWS) < 0.1);
    assert_true(fabs((double)within[1] / DRAWS - 0.6827) < 0.012);
    assert_true(rc_rng_exponential(&r, 0.0) == 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published),
        cmocka_unit_test(every_number_is_as_likely),
        cmocka_unit_test(moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
