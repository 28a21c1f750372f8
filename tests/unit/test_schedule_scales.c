/* What weights are stored in: numbers, and what each tile of them carries besides, whole tiles at the edges.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/schedule/totals.c"

static void is(const char *what, double got, double want) {
    if (got != want)
        fail_msg("%s: %.9g, by hand %.9g", what, got, want);
}

/* 130 x 257 weights, which are two tiles of 128 high and three wide, 9 groups of 32 and 17 of 16 a row. */
static void test_usual_scales(void **state) {
    (void)state;
    static const struct {
        const char *name;
        rc_dtype type;
        double each, scales;
    } t[] = {{"bf16", RC_BF16, 2.0, 0.0},
             {"fp8, a scale a row", RC_FP8, 1.0, 130 * 4.0},
             {"int4, two bytes for 128", RC_INT4, 0.5, 130 * 3 * 2.0},
             {"fp8 by blocks", RC_FP8_BLOCK, 1.0, 2 * 3 * 4.0},
             {"int8", RC_INT8, 1.0, 130 * 4.0},
             {"w8a16", RC_W8A16, 1.0, 130 * 2.0},
             {"w4a8", RC_W4A8, 0.5, 130 * 3 * 2.0},
             {"mxfp4, a byte for 32", RC_MXFP4, 0.5, 130 * 9 * 1.0},
             {"nvfp4, a byte for 16", RC_NVFP4, 0.5, 130 * 17 * 1.0}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const rc_scale s = usual_scale(t[i].type);
        is(t[i].name, matrix_bytes(130, 257, t[i].type, &s), 130 * 257 * t[i].each + t[i].scales);
    }
}

/* Scales that a checkpoint states: of a column, of the whole matrix, of tiles that fit and that do not. */
static void test_stated_scales(void **state) {
    (void)state;
    static const struct {
        rc_scale s;
        double scales;
    } t[] = {{{0, 1, 4.0}, 256 * 4.0},      {{0, 0, 4.0}, 4.0},           {{1, 1, 0.0}, 0.0},
             {{64, 64, 2.0}, 2 * 4 * 2.0},  {{65, 64, 2.0}, 2 * 4 * 2.0}, {{129, 257, 2.0}, 2.0},
             {{127, 255, 2.0}, 2 * 2 * 2.0}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        is("stated", matrix_bytes(128, 256, RC_FP8, &t[i].s), 128 * 256 + t[i].scales);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_usual_scales),
                                       cmocka_unit_test(test_stated_scales)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
