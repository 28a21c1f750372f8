/* A row of costs whose texts each need memory of their own, added with each allocation failing once, and with all failing
 * from there on: it is added whole or refused for want of memory.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "sim/cost/store.h"
#include "tests/support/starve.h"

#ifdef STARVE_OFF
static void test_starved(void **state) {
    (void)state;
    skip(); /* a sanitizer's allocator is not to be replaced */
}
#else
/* More than what strings are kept in together. */
enum { TEXTS = 13, LONG = 1 << 18 };
static char texts[TEXTS][LONG];

static void add(void *x) {
    rc_status *st = x;
    rc_rows *rows = NULL;
    const rc_row row = {.machine = texts[0],
                        .gpu = texts[1],
                        .state = texts[2],
                        .op = texts[3],
                        .variant = texts[4],
                        .dtype = texts[5],
                        .date = texts[6],
                        .driver = texts[7],
                        .cuda = texts[8],
                        .nccl = texts[9],
                        .kernel = texts[10],
                        .commit = texts[11],
                        .source = texts[12],
                        .a = 1,
                        .p50 = 1.0};
    *st = rc_rows_create(&rows, NULL);
    if (*st == RC_OK)
        *st = rc_rows_add(rows, &row, NULL);
    if (*st == RC_OK &&
        (rc_rows_count(rows) != 1 || strcmp(rc_rows_at(rows, 0)->op, texts[3]) != 0))
        *st = RC_E_INTERNAL;
    rc_rows_free(rows);
}

static void test_starved(void **state) {
    (void)state;
    rc_status st = RC_E_INTERNAL;
    for (int i = 0; i < TEXTS; i++)
        memset(texts[i], 'a' + i, LONG - 1);
    starve_at(-1, add, &st);
    assert_int_equal(st, RC_OK);
    const long calls = starve.calls;
    assert_true(calls >= TEXTS);
    for (long n = 0; n < 2 * calls; n++) {
        if (n < calls)
            starve_at(n, add, &st);
        else
            starve_from(n - calls, add, &st);
        assert_int_equal(st, RC_E_NOMEM);
        assert_int_equal(starve.live, 0);
    }
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_starved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
