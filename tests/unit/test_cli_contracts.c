/* What the flags of a command must be like (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/cli/flags.c"

static void test_flags(void **state) {
    (void)state;
    char command[] = "command", flag[] = "--n=1", *argv[] = {command, flag, NULL};
    int64_t n;
    bool helped;
    size_t count;
    rc_error err = {0};
    const char *args[1];
    const rc_flag range[] = {{"--n", RC_FLAG_INT, RC_WHOLE(&n, 2, 1), "N", ""}};
    const rc_flag kind[] = {{"--n", (rc_flag_kind)(RC_FLAG_MANY + 1), &n, "N", ""}};
    const rc_flag unnamed[] = {{"--n", RC_FLAG_TEXT, &n, NULL, ""}};
    trips("count <= MAX_FLAGS",
          (void)rc_flags_parse(2, argv, range, MAX_FLAGS + 1, "", args, 1, &count, &helped, &err));
    trips("args != NULL || max_args == 0",
          (void)rc_flags_parse(2, argv, range, 1, "", NULL, 1, &count, &helped, &err));
    trips("whole->lo <= whole->hi",
          (void)rc_flags_parse(2, argv, range, 1, "", args, 1, &count, &helped, &err));
    trips("f->kind == RC_FLAG_MANY",
          (void)rc_flags_parse(2, argv, kind, 1, "", args, 1, &count, &helped, &err));
    trips("flags[k].value != NULL",
          (void)rc_flags_parse(2, argv, unnamed, 1, "", args, 1, &count, &helped, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_flags)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
