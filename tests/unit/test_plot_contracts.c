/* What drawing assumes of its callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/plot/gnuplot.h"
#include "sim/plot/plot_axes.h"

static void test_plots(void **state) {
    (void)state;
    static const rc_plot quoted[] = {{"a'b", 100, 100, NULL}};
    const char *volatile no_name = NULL;
    char stem[RC_PLOT_STEM];
    bool drawn;
    rc_error err = {0};
    trips("count <= MAX_PLOTS", (void)rc_gnuplot(quoted, 33, NULL, ".", false, &drawn, &err));
    trips("strcmp(stem, plots[i].name) == 0",
          (void)rc_gnuplot(quoted, 1, NULL, ".", false, &drawn, &err));
    trips("lo > 0.0 && hi > 0.0", (void)rc_plot_spaced(0.0, 1.0, 0, 2));
    trips("n >= 2 && i >= 0 && i < n", (void)rc_plot_spaced(1.0, 2.0, 2, 2));
    trips("name != NULL", rc_plot_stem(no_name, stem));
    trips("axis == 'x' || axis == 'y'", rc_plot_log_axis(stdout, 'z', 1.0, 2.0));
    trips("lo > 0.0 && lo < hi", rc_plot_log_axis(stdout, 'x', 2.0, 1.0));
    trips("out != NULL && size > 0", rc_plot_tic(1.0, stem, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plots)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
