/* gnuplot: absent, present, and refusing a script.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sim/plot/gnuplot.h"
#include "sim/report/paper_internal.h"

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/test-gnuplot-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    static const char *const files[] = {"plots/line.png", "plots/line.svg", "plots", ""};
    char path[256];
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        if (unlink(path) != 0)
            (void)rmdir(path);
    }
    return 0;
}

static void draw_line(const void *ctx, FILE *script, FILE *data) {
    (void)ctx;
    fputs("1 2\n2 3\n", data);
    fputs("plot 'line.dat' using 1:2 with lines title 'a line'\n", script);
}

static void draw_nonsense(const void *ctx, FILE *script, FILE *data) {
    (void)ctx;
    (void)data;
    fputs("plot nonsense(\n", script);
}

static const rc_plot line = {"line", 300, 200, draw_line};
static const rc_plot nonsense = {"nonsense", 300, 200, draw_nonsense};

static bool exists(const char *name) {
    char path[256];
    struct stat st;
    snprintf(path, sizeof path, "%s/plots/%s", folder, name);
    return stat(path, &st) == 0 && st.st_size > 100;
}

static rc_status draw(const rc_plot *plot, bool overwrite, bool *drawn, rc_error *err) {
    char path[256];
    snprintf(path, sizeof path, "%s/plots", folder);
    return rc_gnuplot(plot, 1, NULL, path, overwrite, drawn, err);
}

static void without_gnuplot_it_says_so(void **state) {
    char *kept = strdup(getenv("PATH") ? getenv("PATH") : "");
    rc_error err = {0};
    bool drawn = true;
    (void)state;
    setenv("PATH", folder, 1);
    rc_status st = draw(&line, false, &drawn, &err);
    setenv("PATH", kept, 1);
    free(kept);
    assert_int_equal(st, RC_OK);
    assert_false(drawn);
    assert_false(exists("line.png"));
}

static bool skipped;

static void with_gnuplot(void **state) {
    rc_error err = {0};
    bool drawn = false;
    (void)state;
    assert_int_equal(draw(&line, false, &drawn, &err), RC_OK);
    if (!drawn) {
        print_message("SKIPPED: no gnuplot (Debian: gnuplot-nox)\n");
        skipped = true;
        skip();
    }
    assert_true(exists("line.png") && exists("line.svg"));
    assert_int_equal(draw(&line, false, &drawn, &err), RC_E_IO);
    assert_non_null(strstr(err.msg, "already exists"));
    assert_int_equal(draw(&line, true, &drawn, &err), RC_OK);
    assert_int_equal(draw(&nonsense, true, &drawn, &err), RC_E_INTERNAL);
    assert_non_null(strstr(err.msg, "gnuplot failed on plot 'nonsense'"));
    assert_false(exists("nonsense.png"));
}

static void plots_have_names(void **state) {
    size_t n = 0;
    (void)state;
    for (; rc_paper_plot_names[n]; n++)
        for (size_t k = 0; k < n; k++)
            assert_string_not_equal(rc_paper_plot_names[n], rc_paper_plot_names[k]);
    assert_int_equal(n, 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_gnuplot_it_says_so),
        cmocka_unit_test(with_gnuplot),
        cmocka_unit_test(plots_have_names),
    };
    int failed = cmocka_run_group_tests(tests, make_folder, remove_folder);
    return failed > 0 ? 1 : skipped ? 77 : 0;
}
