/* The picture of a run beside its forecast, by hand: each panel's axis spans what both series of it hold.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "sim/beside/beside_plot.c"

static char script_text[4096], data_text[1024];

static void read_back(FILE *f, char *text, size_t size) {
    rewind(f);
    const size_t n = fread(text, 1, size - 1, f);
    text[n] = '\0';
    assert_int_equal(fclose(f), 0);
}

static void drawn(const picture *p) {
    FILE *script = tmpfile(), *data = tmpfile();
    assert_true(script != NULL && data != NULL);
    draw(p, script, data);
    read_back(script, script_text, sizeof script_text);
    read_back(data, data_text, sizeof data_text);
}

static void says(const char *words) {
    if (strstr(script_text, words) == NULL)
        fail_msg("no \"%s\" in: %s", words, script_text);
}

/* The shortest time over 1.4, the longest times 1.2, of the left panel and of the right one; a series may hold either end. */
static void test_axes(void **state) {
    (void)state;
    static double short_ones[] = {0.028, 0.05}, long_ones[] = {0.07, 0.5};
    static const char *const range[] = {"set logscale x\nset xrange [20:600]\n",
                                        "set logscale x\nset xrange [0.02:0.6]\n"};
    static double less[] = {0.028e-3, 0.05e-3}, more[] = {0.07e-3, 0.5e-3};
    for (int turn = 0; turn < 4; turn++) {
        rc_beside_run run = {.name = "x"};
        picture p = {.run = &run, .stem = "serving-x"};
        const int lower = turn % 2 ? RC_BESIDE_MEASURED : RC_BESIDE_FORECAST;
        const int upper = turn % 2 ? RC_BESIDE_FORECAST : RC_BESIDE_MEASURED;
        run.play[lower].ttft = (rc_beside_times){turn < 2 ? short_ones : less, 2};
        run.play[upper].ttft = (rc_beside_times){turn < 2 ? long_ones : more, 2};
        run.play[lower].gap = (rc_beside_times){turn < 2 ? less : short_ones, 2};
        run.play[upper].gap = (rc_beside_times){turn < 2 ? more : long_ones, 2};
        drawn(&p);
        const char *left = strstr(script_text, range[turn < 2 ? 0 : 1]);
        const char *right = strstr(script_text, range[turn < 2 ? 1 : 0]);
        if (left == NULL || right == NULL || right < left)
            fail_msg("turn %d: %s", turn, script_text);
        says("'serving-x.dat' index 0 using 1:2");
        says("'' index 1 using 1:2");
        says("'serving-x.dat' index 2 using 1:2");
        says("'' index 3 using 1:2");
    }
}

/* Steps of a half and a whole; times of nothing have no place on the axis but count; what nobody has is still a series. */
static void test_steps(void **state) {
    (void)state;
    static double two[] = {0.1, 0.2}, four[] = {0.0, 0.001, 0.002, 0.01};
    rc_beside_run run = {.name = "x"};
    const picture p = {.run = &run, .stem = "serving-x"};
    run.play[RC_BESIDE_MEASURED].ttft = (rc_beside_times){two, 2};
    run.play[RC_BESIDE_FORECAST].gap = (rc_beside_times){four, 4};
    drawn(&p);
    assert_string_equal(data_text, "1 -\n100 50\n200 100\n\n\n1 -\n\n\n1 -\n\n\n"
                                   "1 -\n1 50\n2 75\n10 100\n\n\n");
    says("set xrange [71.4286:240]\n");
    says("set xrange [0.714286:12]\n");
    run.play[RC_BESIDE_MEASURED].ttft.count = 0; /* no times at all: some axis */
    drawn(&p);
    says("set xrange [0.714286:12]\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_axes),
        cmocka_unit_test(test_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
