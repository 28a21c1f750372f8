/* The parameters that a refit finds, as a machine file has them, word for word.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "sim/report/paper_fit.c"

static const char *printed(const rc_refit *f) {
    static char *text = NULL;
    size_t size = 0;
    free(text);
    text = NULL;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(print_fit(f, out, NULL), RC_OK);
    (void)fclose(out);
    return text;
}

/* Numbers of the engine go into the engine's file, those of the machine into the machine's; each list has a head of its own. */
static void test_words(void **state) {
    (void)state;
    static rc_refit f = {.machine = {.name = "mine", .engine = "paper", .fitted_count = 3},
                         .rows = 17,
                         .rms = 0.01234,
                         .evaluations = 56};
    f.machine.fitted[0] = (rc_fitted){.name = "ring_step",
                                      .meaning = "host: work",
                                      .unit = "s",
                                      .rows = "a, b",
                                      .value = 0.00057,
                                      .lo = 0.0005,
                                      .hi = 0.00061239,
                                      .of_engine = true};
    f.machine.fitted[1] = (rc_fitted){.name = "fp8_stream",
                                      .meaning = "rate",
                                      .unit = "1",
                                      .rows = "c",
                                      .value = 0.85,
                                      .lo = 0.8,
                                      .hi = 0.9,
                                      .of_engine = true};
    f.machine.fitted[2] = (rc_fitted){.name = "gemm_ratio",
                                      .meaning = "rate",
                                      .unit = "1",
                                      .rows = "a,b,c",
                                      .value = 0.72,
                                      .lo = 0.7,
                                      .hi = 0.74};
    assert_string_equal(
        printed(&f),
        "# 3 parameters on 17 rows: root mean square error 1.23 %, 56 evaluations\n"
        "# value and 90 % interval (Gauss-Newton covariance, Student's t)\n"
        "# scenarios/engines/paper.yaml\nfitted:\n"
        "  - name: ring_step\n    meaning: \"host: work\"\n    unit: \"s\"\n    rows: [\"a\", "
        "\"b\"]\n"
        "    value: 0.00057\n    interval: [0.0005, 0.0006124]\n"
        "  - name: fp8_stream\n    meaning: \"rate\"\n    unit: \"1\"\n    rows: [\"c\"]\n"
        "    value: 0.85\n    interval: [0.8, 0.9]\n"
        "# scenarios/machines/mine.yaml\nfitted:\n"
        "  - name: gemm_ratio\n    meaning: \"rate\"\n    unit: \"1\"\n    rows: [\"a\", \"b\", "
        "\"c\"]\n"
        "    value: 0.72\n    interval: [0.7, 0.74]\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
