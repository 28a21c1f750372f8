/* Progress on a terminal: what it says, how often, that nothing of it stays, and that a clock that steps does no harm.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700 /* posix_openpt */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sim/base/progress.h"

static int terminal = -1, own = -1; /* the end that a person would read; standard error as it was */

static void on_terminal(void) {
    terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
        skip();
    int end = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    assert_true(end >= 0);
    assert_true(fcntl(terminal, F_SETFL, O_NONBLOCK) == 0);
    own = dup(STDERR_FILENO);
    assert_true(dup2(end, STDERR_FILENO) >= 0);
    (void)close(end);
}

static void off_terminal(void) {
    (void)fflush(stderr);
    (void)dup2(own, STDERR_FILENO);
    (void)close(own);
}

/* What has been written since the last call. */
static const char *seen(void) {
    static char text[1024];
    (void)fflush(stderr);
    ssize_t n = read(terminal, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void test_words(void **state) {
    rc_progress p;
    (void)state;
    on_terminal();
    rc_progress_begin(&p, "points", 100, false);
    rc_progress_step(&p, 5); /* nothing in the first second */
    const bool early = seen()[0] != '\0';
    p.start -= 10.0; /* ten seconds ago, and nothing shown for as long */
    p.shown -= 10.0;
    rc_progress_step(&p, 25);
    char first[256], again[256], last[256];
    (void)snprintf(first, sizeof first, "%s", seen());
    rc_progress_step(&p, 26); /* within a tenth of a second */
    (void)snprintf(again, sizeof again, "%s", seen());
    rc_progress_end(&p);
    (void)snprintf(last, sizeof last, "%s", seen());
    off_terminal();
    assert_false(early);
    assert_string_equal(first, "\r\033[Kpoints: 25 of 100, 2.50/s, 10 s, about 30 s left");
    assert_string_equal(again, "");
    assert_string_equal(last, "\r\033[K");
}

static void test_no_total(void **state) {
    rc_progress p;
    (void)state;
    on_terminal();
    rc_progress_begin(&p, "simulations", 0, false);
    p.start -= 4.0;
    p.shown -= 4.0;
    rc_progress_step(&p, 7);
    char text[256];
    (void)snprintf(text, sizeof text, "%s", seen());
    rc_progress_end(&p);
    off_terminal();
    assert_string_equal(text, "\r\033[Ksimulations: 7, 4 s");
}

/* A clock set back: nothing is drawn until it has caught up, and no time is negative. Set ahead: one line, and on. */
static void test_clock_steps(void **state) {
    rc_progress p;
    (void)state;
    on_terminal();
    rc_progress_begin(&p, "points", 10, false);
    p.start += 3600.0;
    p.shown += 3600.0;
    rc_progress_step(&p, 1);
    char back[256], ahead[256];
    (void)snprintf(back, sizeof back, "%s", seen());
    p.start -= 7200.0;
    p.shown -= 7200.0;
    rc_progress_step(&p, 5);
    (void)snprintf(ahead, sizeof ahead, "%s", seen());
    rc_progress_end(&p);
    off_terminal();
    assert_string_equal(back, "");
    assert_string_equal(ahead, "\r\033[Kpoints: 5 of 10, 0.00/s, 3600 s, about 3600 s left");
}

static void test_quiet(void **state) {
    rc_progress p;
    (void)state;
    on_terminal();
    rc_progress_begin(&p, "points", 10, true);
    p.start -= 10.0;
    p.shown -= 10.0;
    rc_progress_step(&p, 5);
    rc_progress_end(&p);
    char text[256];
    (void)snprintf(text, sizeof text, "%s", seen());
    off_terminal();
    assert_string_equal(text, "");
    rc_progress_begin(&p, "points", 10, false); /* no terminal, no line */
    assert_true(!p.enabled || isatty(STDERR_FILENO));
    rc_progress_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_no_total),
        cmocka_unit_test(test_clock_steps),
        cmocka_unit_test(test_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
