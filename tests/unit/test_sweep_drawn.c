/* What a sweep's picture says to gnuplot, by hand: both axes at the ends of what they show, panels, colours and the legend.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sim/sweep/sweep_plot.c"

static rc_sweep sweep; /* too large for a stack, as the picture is */
static picture p;
static char text[4096];

static void begin(const double (*points)[2], size_t count) {
    rc_error err = {0};
    free(p.points);
    p = (picture){.s = &sweep, .name = "x", .panel_count = 1, .line_count = 1};
    sweep.plot = (sweep_plot){.x = "new", .y = "time", .key = "left top"};
    for (size_t i = 0; i < count; i++)
        assert_int_equal(add_point(&p, points[i][0], points[i][1], &err), RC_OK);
}

static const char *drawn(void (*draw_it)(const picture *p, FILE *f)) {
    FILE *f = tmpfile();
    assert_non_null(f);
    draw_it(&p, f);
    rewind(f);
    const size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    assert_int_equal(fclose(f), 0);
    return text;
}

static void says(const char *words) {
    if (strstr(text, words) == NULL)
        fail_msg("no \"%s\" in: %s", words, text);
}

/* A twentieth is left free above the highest point, and below the lowest where that is below 0; else the axis begins at 0.
 * A logarithmic one has room of 15 % on both sides, where there are values above 0 and more than one. */
static void test_heights(void **state) {
    (void)state;
    static const struct {
        double y[2];
        bool log;
        const char *range;
    } t[] = {{{0.5, 2.0}, false, "set format y '%g'\nset yrange [0:2.1]\n"},
             {{0.0, 0.5}, false, "set yrange [0:0.525]\n"},
             {{0.0, 0.0}, false, "set yrange [0:1]\n"},
             {{-0.5, 0.5}, false, "set yrange [-0.525:0.525]\n"},
             {{-4.0, 3.0}, false, "set yrange [-4.2:3.15]\n"},
             {{-4.0, -1.0}, false, "set yrange [-4.2:1]\n"},
             {{0.5, 2.0}, true, "set logscale y\nset yrange [0.434783:2.3]\n"},
             {{0.0, 2.0}, true, "set yrange [0:2.1]\n"},
             {{-1.0, 2.0}, true, "set yrange [-1.05:2.1]\n"},
             {{0.5, 0.5}, true, "set yrange [0:0.525]\n"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const double points[2][2] = {{1.0, t[i].y[1]}, {2.0, t[i].y[0]}};
        begin(points, 2);
        sweep.plot.logy = t[i].log;
        (void)drawn(draw_axes);
        says(t[i].range);
    }
}

static void test_widths(void **state) {
    (void)state;
    static const double two[2][2] = {{4000.0, 1.0}, {1000.0, 2.0}}, one[1][2] = {{8000.0, 1.0}},
                        nothing[2][2] = {{0.0, 1.0}, {2.0, 1.0}};
    begin(two, 2);
    sweep.plot.logx = true;
    assert_string_equal(drawn(draw_x), "set logscale x\nset xrange [925.926:4320]\n"
                                       "set xtics ('1K' 1000, '2K' 2000)\n"
                                       "set xtics ('4K' 4000, '1K' 1000)\n");
    sweep.plot.logx = false;
    assert_string_equal(drawn(draw_x), "set format x '%.0s%c'\nset xtics ('4K' 4000, '1K' 1000)\n");
    begin(one, 1);
    sweep.plot.logx = true; /* of one place there is no scale */
    assert_string_equal(drawn(draw_x), "set format x '%.0s%c'\nset xtics ('8K' 8000)\n");
    begin(nothing, 2);
    sweep.plot.logx = true; /* nor of 0 */
    assert_string_equal(drawn(draw_x), "set format x '%.0s%c'\nset xtics ('0' 0, '2' 2)\n");
}

/* Each place is named while there are ten of them; more are left to gnuplot. */
static void test_many_places(void **state) {
    (void)state;
    double points[MAX_TICS + 1][2];
    for (int i = 0; i <= MAX_TICS; i++)
        points[i][0] = i, points[i][1] = 1.0;
    begin((const double(*)[2])points, MAX_TICS);
    (void)drawn(draw_x);
    says("'0' 0, '1' 1");
    says("'9' 9)\n");
    begin((const double(*)[2])points, MAX_TICS + 1);
    assert_string_equal(drawn(draw_x), "set format x '%.0s%c'\n");
}

static void test_labels(void **state) {
    (void)state;
    static const double one[1][2] = {{1.0, 1.0}};
    begin(one, 1);
    (void)drawn(draw_axes);
    says("set xlabel \"new\"\nset ylabel \"time\"\n");
    sweep.plot.xlabel = "tokens", sweep.plot.ylabel = "seconds";
    (void)drawn(draw_axes);
    says("set xlabel \"tokens\"\nset ylabel \"seconds\"\n");
}

/* Up to three panels side by side, four as a square, more in rows of three. */
static void test_panels(void **state) {
    (void)state;
    static const int grid[][2] = {{1, 1}, {1, 2}, {1, 3}, {2, 2}, {2, 3},
                                  {2, 3}, {3, 3}, {3, 3}, {3, 3}};
    for (int n = 1; n <= MAX_PANELS; n++) {
        p.panel_count = n;
        assert_int_equal(rows_of(&p), grid[n - 1][0]);
        assert_int_equal(columns_of(&p), grid[n - 1][1]);
    }
}

/* A series has one colour in every panel, series have colours in the order in which they come first. */
static void test_colours(void **state) {
    (void)state;
    static const char *const labels[] = {"b", "a", "b", "c", "a", "c"};
    static const int types[] = {1, 2, 1, 3, 2, 3};
    begin(NULL, 0);
    p.line_count = 6;
    for (int i = 0; i < 6; i++)
        (void)snprintf(p.lines[i].label, sizeof p.lines[i].label, "%s", labels[i]);
    for (int i = 0; i < 6; i++)
        assert_int_equal(line_type(&p, i), types[i]);
    assert_string_equal(drawn(put_legend), ""); /* without series there is none */
    sweep.plot.series = "cp";
    assert_string_equal(drawn(put_legend),
                        "NaN with linespoints lt 1 dt 1 pt 7 ps 0.9 title \"b\", "
                        "NaN with linespoints lt 2 dt 2 pt 5 ps 0.9 title \"a\", "
                        "NaN with linespoints lt 3 dt 1 pt 9 ps 0.9 title \"c\", ");
}

/* The seventh line has the first one's shape again. */
static void seventh(const picture *of, FILE *f) {
    (void)of;
    put_style(f, 6);
    put_style(f, 7);
}

static void test_shapes(void **state) {
    (void)state;
    assert_string_equal(drawn(seventh),
                        " with linespoints lt 6 dt 2 pt 15 ps 0.9  with linespoints lt 7 dt 1 pt 7 "
                        "ps 0.9 ");
}

/* A sample of 70 pixels and 11 a character, of 1500: at least 15 %, at most 30 %. */
static void test_legend(void **state) {
    (void)state;
    static const struct {
        int characters;
        double width;
    } t[] = {{5, 0.15}, {20, 290.0 / 1500.0}, {30, 400.0 / 1500.0}, {35, 0.3}};
    begin(NULL, 0);
    sweep.plot.series = "cp";
    p.line_count = 3;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        for (int k = 0; k < 3; k++)
            (void)snprintf(p.lines[k].label, sizeof p.lines[k].label, "%.*s",
                           k == 1 ? t[i].characters : 2, "abcdefghijklmnopqrstuvwxyzabcdefghijkl");
        if (fabs(legend_width(&p) - t[i].width) > 1e-12)
            fail_msg("%d characters take %g", t[i].characters, legend_width(&p));
    }
    sweep.plot.series = NULL; /* nothing to tell apart */
    assert_true(legend_width(&p) == 0.15);
    free(p.points);
    p.points = NULL;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heights),     cmocka_unit_test(test_widths),
        cmocka_unit_test(test_many_places), cmocka_unit_test(test_labels),
        cmocka_unit_test(test_panels),      cmocka_unit_test(test_colours),
        cmocka_unit_test(test_shapes),      cmocka_unit_test(test_legend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
