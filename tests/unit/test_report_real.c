/* Runs beside the paper's Table 4, of rows and runs made here: which rows and runs are taken, which runs are of one series, where a
 * ratio crosses 1, and what is printed and drawn of it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "sim/report/paper_real.c"

static void near(double got, double want) {
    if (!(fabs(got - want) <= 1e-12 * fabs(want)))
        fail_msg("%.12g, by hand %.12g", got, want);
}

static rc_paper_row row(const char *table, const char *metric, int64_t t, bool kv, double paper,
                        double predicted) {
    rc_paper_row r = {.t = t,
                      .paper = paper,
                      .predicted = predicted,
                      .schedule = kv ? &rc_schedule_pass_kv : &rc_schedule_pass_q};
    (void)snprintf(r.table, sizeof r.table, "%s", table);
    (void)snprintf(r.metric, sizeof r.metric, "%s", metric);
    return r;
}

static rc_measured_run run_of(const char *transport, bool kv, int64_t t, double s) {
    rc_measured_run r = {.schedule = kv ? &rc_schedule_pass_kv : &rc_schedule_pass_q,
                         .cp = 4,
                         .tp = 1,
                         .hq = 16,
                         .hkv = 1,
                         .layers = 1,
                         .t = t,
                         .p = RC_PAPER_TOTAL - t,
                         .batch = 1,
                         .width = 16384,
                         .ffn = 6656,
                         .measured = s};
    (void)snprintf(r.name, sizeof r.name, "c");
    (void)snprintf(r.transport, sizeof r.transport, "%s", transport);
    (void)snprintf(r.machine, sizeof r.machine, "h200-sxm");
    return r;
}

/* Times of Table 4 alone, by T, whatever their order in the file. */
static void test_rows(void **state) {
    (void)state;
    rc_paper_row rows[] = {
        row("4", "ttft", 6400, true, 2.0, 4.0),  row("4", "ttft", 1280, false, 3.0, 5.0),
        row("5", "ttft", 1, true, 9.0, 9.0),     row("4", "mfu", 2, true, 9.0, 9.0),
        row("4", "ttft", 6400, false, 1.0, 3.0), row("4", "ttft", 3200, true, 7.0, 8.0),
        row("4", "ttft", 1280, true, 6.0, 2.0)};
    const rc_paper p = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
    static real x;
    x = (real){.points = 0};
    assert_int_equal(from_paper(&p, &x, NULL), RC_OK);
    assert_true(x.points == 3 && x.t[0] == 1280 && x.t[1] == 3200 && x.t[2] == 6400 &&
                x.count == 2);
    near(ratio(&x.s[PAPER], 0), 0.5);
    near(ratio(&x.s[FORECAST], 0), 2.5);
    near(ratio(&x.s[PAPER], 2), 0.5);
    near(ratio(&x.s[FORECAST], 2), 0.75);
    assert_true(isnan(ratio(&x.s[PAPER], 1)) && x.s[PAPER].kv[1] == 7.0 &&
                x.s[FORECAST].kv[1] == 8.0);
    rc_paper_row many[MOST_POINTS + 1];
    for (int i = 0; i <= MOST_POINTS; i++)
        many[i] = row("4", "ttft", 1 + i, true, 1.0, 1.0);
    x = (real){.points = 0};
    assert_int_equal(from_paper(&(rc_paper){.rows = many, .count = MOST_POINTS}, &x, NULL), RC_OK);
    x = (real){.points = 0};
    assert_int_equal(from_paper(&(rc_paper){.rows = many, .count = MOST_POINTS + 1}, &x, NULL),
                     RC_E_INPUT);
}

static real three(void) {
    real x = {.t = {100, 1000, 10000, 100000}, .points = 4};
    (void)open_series(&x, NULL);
    (void)open_series(&x, NULL);
    return x;
}

/* Half way between logarithms where the ratio falls from 1.5 to 0.5; exactly 1 is not below it; what is missing is passed over. */
static void test_crossings(void **state) {
    (void)state;
    static const struct {
        double ratio[4], first;
        int times;
    } t[] = {{{1.5, 0.5, 0.4, 0.3}, 316.22776601683796, 1},
             {{0.5, 1.5, 0.5, 1.5}, 316.22776601683796, 3},
             {{1.25, 0.5, 0.4, 0.3}, 215.44346900318842, 1},
             {{2.0, 1.5, 1.25, 0.75}, 31622.776601683796, 1},
             {{1.5, NAN, 0.5, NAN}, 1000.0, 1},
             {{1.5, 1.0, 1.5, 1.0}, NAN, 0},
             {{0.5, 1.0, 1.5, 2.0}, 1000.0, 1},
             {{NAN, NAN, NAN, NAN}, NAN, 0},
             {{0.5, 0.5, 0.5, 0.5}, NAN, 0}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        static real x;
        int times = -1;
        x = three();
        for (int k = 0; k < 4; k++) {
            x.s[0].kv[k] = 2.0;
            x.s[0].q[k] = 2.0 * t[i].ratio[k];
        }
        const double first = crossing(&x, &x.s[0], &times);
        assert_int_equal(times, t[i].times);
        if (isnan(t[i].first))
            assert_true(isnan(first));
        else
            near(first, t[i].first);
    }
}

/* Runs that differ in anything but their times and T are of series of their own; ten of these there may be. */
static void test_series(void **state) {
    (void)state;
    static real x;
    const rc_measured_run base = run_of("shm", true, 1000, 2.0);
    rc_measured_run other[11];
    for (int i = 0; i < 11; i++)
        other[i] = base;
    (void)strcpy(other[0].transport, "nvlink");
    (void)strcpy(other[1].machine, "h100-sxm");
    other[2].sms = 124;
    other[3].ctas = 4;
    other[4].graph = true;
    other[5].cp = 2;
    other[6].tp = 2;
    other[7].hq = 8;
    other[8].hkv = 2;
    other[9].width = 1;
    other[10].layers = 2;
    for (int i = 0; i < 11; i++) {
        x = three();
        assert_int_equal(from_run(&x, &base, NULL), RC_OK);
        assert_int_equal(from_run(&x, &other[i], NULL), RC_OK);
        if (x.count != 4)
            fail_msg("run %d is alike", i);
    }
    rc_measured_run ffn = base;
    ffn.ffn = 1;
    assert_false(alike(&base, &ffn));
    x = three();
    rc_measured_run q = run_of("shm", false, 1000, 3.0), later = run_of("shm", false, 10000, 4.0);
    assert_int_equal(from_run(&x, &base, NULL), RC_OK);
    assert_int_equal(from_run(&x, &q, NULL), RC_OK);
    assert_int_equal(from_run(&x, &later, NULL), RC_OK);
    assert_true(x.count == 3 && x.s[2].q[2] == 4.0);
    near(ratio(&x.s[2], 1), 1.5);
    for (int i = 0; i < 11; i++) { /* one is there already */
        rc_error err = {0};
        assert_int_equal(from_run(&x, &other[i], &err), i < 9 ? RC_OK : RC_E_INPUT);
        if (i >= 9)
            assert_string_equal(err.msg, "more than 10 kinds of runs");
    }
}

static void test_no_rows(void **state) {
    (void)state;
    static real x;
    rc_measured_run bad[5];
    for (int i = 0; i < 5; i++)
        bad[i] = run_of("shm", true, 1000, 1.0);
    bad[0].t = 1001; /* no T of the table */
    bad[1].p += 1;
    bad[2].batch = 2;
    bad[3].schedule = rc_schedule_named("all-gather-kv");
    bad[4].decode = true;
    for (int i = 0; i < 5; i++) {
        rc_error err = {0};
        x = three();
        assert_int_equal(from_run(&x, &bad[i], &err), RC_E_INPUT);
        assert_non_null(strstr(err.msg, "case \"c\" is no row of Table 4"));
    }
}

static char *text_of(rc_status (*print)(const real *x, FILE *f, rc_error *err), const real *x) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    assert_int_equal(print(x, f, NULL), RC_OK);
    (void)fclose(f);
    return text;
}

static void holds(const char *text, const char *line) {
    if (!strstr(text, line))
        fail_msg("no '%s' in\n%s", line, text);
}

/* Two rows of 1,280 and 12,800 tokens, 1 and 10 % of 128,000, in paper, forecast and a run on 124 SMs with 4 CTAs. */
static void test_printed(void **state) {
    (void)state;
    static real x;
    x = (real){.t = {1280, 12800}, .points = 2};
    (void)open_series(&x, NULL);
    (void)open_series(&x, NULL);
    rc_measured_run r = run_of("shm", true, 1280, 2.0), s = run_of("socket", true, 1280, 2.0),
                    *runs[] = {&r, &s};
    r.sms = 124;
    r.ctas = 4;
    s.layers = 2;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(from_run(&x, runs[i], NULL), RC_OK);
        rc_measured_run q = *runs[i];
        q.schedule = &rc_schedule_pass_q;
        q.measured = 1.0;
        assert_int_equal(from_run(&x, &q, NULL), RC_OK);
    }
    x.s[0].kv[0] = x.s[0].kv[1] = 1.0;
    x.s[0].q[0] = 0.75;
    x.s[0].q[1] = 1.25;
    char *text = text_of(print_ratios, &x);
    holds(text, "T of 128000 tokens new, CP4");
    holds(text, "shm@sms124@ctas4");
    holds(text, "  1280      1.0  0.750         -             0.500   0.500");
    holds(text, " 12800     10.0  1.250         -                 -       -");
    free(text);
    text = text_of(print_crossings, &x);
    holds(text, "printed: 405B, CP4 x TP8, 32 H100");
    holds(text, "simulated: the same");
    holds(
        text,
        "run: 1 layer, 16 query heads on 1, CP4, h200-sxm, bf16, attention on fewer SMs than all");
    holds(text, "run: 2 layers, 16 query heads on 1, CP4, h200-sxm, bf16, attention on all SMs");
    holds(text, "4048          1  printed"); /* half way up: 1280 x sqrt 10 */
    free(text);
    char words[80];
    static const char *const titles[] = {"paper, Table 4", "forecast of the paper",
                                         "run, host memory, 124 SMs, 4 CTAs",
                                         "run, sockets, all SMs"};
    for (size_t k = 0; k < 4; k++) {
        title(&x, k, words, sizeof words);
        assert_string_equal(words, titles[k]);
    }
    char *script = NULL, *data = NULL;
    size_t n = 0, m = 0;
    FILE *f = open_memstream(&script, &n), *g = open_memstream(&data, &m);
    draw(&x, f, g);
    (void)fclose(f), (void)fclose(g);
    assert_string_equal(data, "1280 0.75\n12800 1.25\n\n\n\n\n1280 0.5\n\n\n1280 0.5\n\n\n");
    holds(script,
          "index 0 using 1:2 with linespoints lt 1 lw 4 pt 4 ps 1.3 title \"paper, Table 4\"");
    holds(script, "index 1 using 1:2 with linespoints lt 2 lw 4 pt 5 ");
    holds(script, "index 2 using 1:2 with linespoints lt 3 lw 2 pt 6 ");
    holds(script, "set title 'Table 4 in the paper, forecast and run'\nset yrange [0.18:10]\n");
    holds(strstr(script, "unset key"), "index 3 using 1:2 with linespoints lt 4 lw 2 pt 7 ");
    free(script), free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows), cmocka_unit_test(test_crossings),
        cmocka_unit_test(test_series), cmocka_unit_test(test_no_rows),
        cmocka_unit_test(test_printed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
