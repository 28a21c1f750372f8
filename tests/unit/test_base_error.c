/* The error context, "did you mean", and the arena.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <string.h>
#include "sim/base/arena.h"
#include "sim/base/error.h"

static void error_text_shows_as_much_place_as_is_known(void **state) {
    (void)state;
    rc_error e;
    char buf[1200];
    assert_int_equal(rc_fail_at(&e, RC_E_INPUT, "a.yaml", 3, 5, "bad %d", 7), RC_E_INPUT);
    assert_int_equal(e.status, RC_E_INPUT);
    assert_string_equal(rc_error_text(&e, buf, sizeof buf), "a.yaml:3:5: bad 7");
    rc_fail_at(&e, RC_E_INPUT, "a.yaml", 3, 0, "bad");
    assert_string_equal(rc_error_text(&e, buf, sizeof buf), "a.yaml:3: bad");
    rc_fail_at(&e, RC_E_IO, "a.yaml", 0, 0, "gone");
    assert_string_equal(rc_error_text(&e, buf, sizeof buf), "a.yaml: gone");
    e.line = e.col = 7; /* whatever it held */
    assert_int_equal(rc_fail_file(&e, RC_E_IO, "a.yaml", "gone %s", "again"), RC_E_IO);
    assert_true(e.status == RC_E_IO && e.line == 0 && e.col == 0);
    assert_string_equal(rc_error_text(&e, buf, sizeof buf), "a.yaml: gone again");
    rc_fail_file(&e, RC_E_IO, NULL, "gone");
    assert_string_equal(rc_error_text(&e, buf, sizeof buf), "gone");
    e.line = e.col = 7;
    rc_fail(&e, RC_E_IO, "gone");
    assert_true(e.line == 0 && e.col == 0);
    rc_fail_at(&e, RC_E_IO, NULL, 3, 5, "gone");
    assert_string_equal(rc_error_text(&e, buf, sizeof buf), "gone");
    rc_fail(&e, RC_E_USAGE, "no such command");
    assert_string_equal(rc_error_text(&e, buf, sizeof buf), "no such command");
    assert_string_equal(rc_error_text(NULL, buf, sizeof buf), "");
}

static void error_context_is_optional_and_cut_to_size(void **state) {
    (void)state;
    assert_int_equal(rc_fail(NULL, RC_E_NOMEM, "x"), RC_E_NOMEM);
    assert_int_equal(rc_fail_at(NULL, RC_E_NOMEM, "f", 1, 1, "x"), RC_E_NOMEM);
    assert_int_equal(rc_fail_file(NULL, RC_E_NOMEM, "f", "x"), RC_E_NOMEM);
    rc_error e;
    char path[600], buf[8];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    rc_fail_at(&e, RC_E_IO, path, 0, 0, "%s", path);
    assert_int_equal(strlen(e.file), sizeof e.file - 1);
    rc_fail(&e, RC_E_IO, "0123456789");
    assert_string_equal(rc_error_text(&e, buf, sizeof buf), "0123456");
}

static void exit_codes_follow_the_manual(void **state) {
    (void)state;
    assert_int_equal(rc_exit_code(RC_OK), 0);
    assert_int_equal(rc_exit_code(RC_E_CHECK), 1);
    for (int st = RC_E_USAGE; st <= RC_E_UNMODELLED; st++)
        assert_int_equal(rc_exit_code((rc_status)st), 2);
    assert_int_equal(rc_exit_code(RC_E_NOMEM), 3);
    assert_int_equal(rc_exit_code(RC_E_INTERNAL), 3);
}

static void nearest_name_is_found_within_the_limit(void **state) {
    (void)state;
    const char *const names[] = {"hbm_rate", "hbm_size", "variant", "cp", "tp", NULL};
    assert_string_equal(rc_nearest("hmb_rate", names), "hbm_rate");
    assert_string_equal(rc_nearest("variants", names), "variant");
    assert_string_equal(rc_nearest("hbmsize", names), "hbm_size");
    assert_string_equal(rc_nearest("pt", names), "tp"); /* a swap costs one, a replacement too */
    assert_string_equal(rc_nearest("tp", names), "tp");
    assert_null(rc_nearest("bandwidth", names));
    assert_null(rc_nearest("xy", names)); /* nothing in common */
    assert_null(rc_nearest("", names));
    assert_null(rc_nearest("x", (const char *const[]){NULL}));
    /* A third of the letters may differ, and two of a short word. */
    static const struct {
        const char *word, *name;
        bool near;
    } edges[] = {{"abcd", "abXY", true},
                 {"abcd", "aXYZ", false},
                 {"abcdefgh", "abcdefXY", true},
                 {"abcdefgh", "abcdeXYZ", false},
                 {"abcdefghi", "abcdefXYZ", true},
                 {"abcdefghi", "abcdeWXYZ", false},
                 {"abcdefghijk", "abcdefghXYZ", true},
                 {"abcdefghijk", "abcdefgWXYZ", false},
                 {"abcdefghijkl", "abcdefghWXYZ", true},
                 {"abcdefghijkl", "abcdefgVWXYZ", false}};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        const char *found = rc_nearest(edges[i].word, (const char *const[]){edges[i].name, NULL});
        assert_true(edges[i].near ? found == edges[i].name : found == NULL);
    }
    char longest[300];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_null(rc_nearest(longest, names));
}

static void arena_gives_zeroed_aligned_memory(void **state) {
    (void)state;
    rc_arena *a = rc_arena_create();
    assert_non_null(a);
    for (size_t n = 0; n < 3000; n += 7) {
        unsigned char *p = rc_arena_alloc(a, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(p[i], 0);
            p[i] = 0xA5; /* a later object that overlapped would not be zero */
        }
    }
    assert_non_null(rc_arena_alloc(a, 5u << 20)); /* larger than any block */
    assert_null(rc_arena_alloc(a, SIZE_MAX));
    assert_string_equal(rc_arena_strdup(a, "text"), "text");
    assert_null(rc_arena_strdup(a, NULL));
    assert_string_equal(rc_arena_printf(a, "%s=%d", "cp", 4), "cp=4");
    rc_arena_destroy(a);
    rc_arena_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_text_shows_as_much_place_as_is_known),
        cmocka_unit_test(error_context_is_optional_and_cut_to_size),
        cmocka_unit_test(exit_codes_follow_the_manual),
        cmocka_unit_test(nearest_name_is_found_within_the_limit),
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
