/* The progress line of a calibration, by a clock and a terminal of the test's: what is drawn, when, and what is left of it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static double clock_s;
static int clock_of_test(clockid_t which, struct timespec *out) {
    assert_int_equal(which, CLOCK_MONOTONIC);
    out->tv_sec = (time_t)clock_s;
    out->tv_nsec = (long)(1e9 * (clock_s - (double)(time_t)clock_s));
    return 0;
}
static int on_terminal;
static int is_terminal(int fd) {
    return fd == STDERR_FILENO && on_terminal;
}
#define clock_gettime clock_of_test
#define isatty is_terminal
#include "calib/run_progress.c"
#undef clock_gettime
#undef isatty

static FILE *caught;
static int kept;

static void catch_stderr(void) {
    caught = tmpfile();
    kept = dup(STDERR_FILENO);
    assert_true(caught && kept >= 0);
    (void)fflush(stderr);
    assert_true(dup2(fileno(caught), STDERR_FILENO) >= 0);
}

static const char *drawn(void) {
    static char text[512];
    (void)fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
    rewind(caught);
    size_t n = fread(text, 1, sizeof text - 1, caught);
    text[n] = '\0';
    (void)fclose(caught);
    return text;
}

/* After `elapsed` seconds with so many usual seconds of suites behind, in a suite that usually takes 40 s. */
static const char *line(double total, double past, double share, double elapsed) {
    rc_run_progress b;
    on_terminal = 1;
    clock_s = 1000.0;
    rc_run_progress_begin(&b, total, false);
    rc_run_progress_suite_done(&b, past);
    clock_s = 1000.0 + elapsed;
    catch_stderr();
    rc_run_progress_step(&b, "gemm", 40.0, share);
    return drawn();
}

#define START "\r\033[K["

static void test_lines(void **state) {
    (void)state;
    /* half of 200 s are past: at this machine's pace, of 125 s, as much again */
    assert_string_equal(line(200, 80, 0.5, 125),
                        START "###############...............]  50 %  gemm, about 2:05 left");
    assert_string_equal(line(200, 0, 0, 1),
                        START "..............................]   0 %  gemm, about 3:20 left");
    /* until more than 2 s of usual time are past, the usual time is all that is known */
    assert_string_equal(line(200, 0, 0.05, 30),
                        START "..............................]   1 %  gemm, about 3:18 left");
    assert_string_equal(line(200, 0, 0.1, 8),
                        START "..............................]   2 %  gemm, about 6:32 left");
    assert_string_equal(line(200, 160, 1, 100),
                        START "##############################] 100 %  gemm, about 0:00 left");
    assert_string_equal(line(200, 260, 1, 100), /* over its time: all cells, and no more of them */
                        START "##############################] 150 %  gemm, about 0:00 left");
    assert_string_equal(line(200, 153.5, 1, 193.5),
                        START "#############################.]  97 %  gemm, about 0:06 left");
    assert_string_equal(line(0, 0, 0.5, 1), /* nothing is known of its time */
                        START "..............................]   0 %  gemm, about 0:00 left");
    assert_string_equal(line(3800, 0, 0, 1),
                        START "..............................]   0 %  gemm, about 63:20 left");
}

/* Ten times a second at most; wiped once, and only where there is something. */
static void test_when(void **state) {
    rc_run_progress b;
    (void)state;
    on_terminal = 1;
    clock_s = 1000.0;
    rc_run_progress_begin(&b, 100, false);
    catch_stderr();
    rc_run_progress_clear(&b);
    assert_string_equal(drawn(), "");
    catch_stderr();
    rc_run_progress_step(&b, "a", 10, 0);
    clock_s = 1000.0625;
    rc_run_progress_step(&b, "b", 10, 0);
    clock_s = 1000.125;
    rc_run_progress_step(&b, "c", 10, 0);
    rc_run_progress_clear(&b);
    rc_run_progress_clear(&b);
    assert_string_equal(drawn(),
                        START "..............................]   0 %  a, about 1:40 left" START
                              "..............................]   0 %  c, about 1:40 left"
                              "\r\033[K");
}

static void test_nowhere(void **state) {
    rc_run_progress b;
    (void)state;
    for (int quiet = 0; quiet < 2; quiet++) {
        on_terminal = quiet;
        clock_s = 1000.0;
        rc_run_progress_begin(&b, 100, quiet);
        clock_s = 1010.0;
        catch_stderr();
        rc_run_progress_step(&b, "a", 10, 0.5);
        rc_run_progress_clear(&b);
        assert_string_equal(drawn(), "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_when),
                                       cmocka_unit_test(test_nowhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
