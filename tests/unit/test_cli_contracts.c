/* What the parts of the program that several commands use assume (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/cli/commands.c"
#include "sim/cli/examples.c"
#include "sim/cli/flags.c"
#include "sim/cli/form.c"
#include "sim/cli/plan_question.c"
#include "sim/cli/cmd_calibration.c"
#include "sim/cli/cmd_calibration_import.c"
#include "sim/cli/cmd_calibration_leave_out.c"
#include "sim/cli/machine_json.c"

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
    trips("argc >= 1 && argv != NULL",
          (void)rc_flags_parse(0, NULL, range, 1, "", args, 1, &count, &helped, &err));
    trips("usage != NULL && helped != NULL",
          (void)rc_flags_parse(2, argv, range, 1, NULL, args, 1, &count, &helped, &err));
    trips("count <= RC_MAX_FLAGS", (void)rc_flags_parse(2, argv, range, RC_MAX_FLAGS + 1, "", args,
                                                        1, &count, &helped, &err));
    trips("args != NULL || max_args == 0",
          (void)rc_flags_parse(2, argv, range, 1, "", NULL, 1, &count, &helped, &err));
    trips("whole->lo <= whole->hi",
          (void)rc_flags_parse(2, argv, range, 1, "", args, 1, &count, &helped, &err));
    trips("f->kind == RC_FLAG_MANY",
          (void)rc_flags_parse(2, argv, kind, 1, "", args, 1, &count, &helped, &err));
    trips("flags[k].value != NULL",
          (void)rc_flags_parse(2, argv, unnamed, 1, "", args, 1, &count, &helped, &err));
}

static void test_forms(void **state) {
    (void)state;
    const char *volatile no_text = NULL;
    char *volatile no_room = NULL;
    rc_error err = {0};
    trips("schema != NULL", (void)rc_form_json(no_text));
    trips("buf != NULL && size > 0", (void)rc_words_of("a|b", 3, no_room, 0));
    trips("out != NULL",
          (void)rc_plan_question_doc(&(const rc_plan_question){0}, false, NULL, &err));
}

static void test_calibration(void **state) {
    (void)state;
    rc_error err = {0};
    const calibration_flags none = {.out = NULL};
    const char *volatile no_text = NULL;
    trips("n <= MAX_FILES + RC_MAX_MANY && name != NULL",
          (void)rename_all(NULL, MAX_FILES + RC_MAX_MANY + 1, "h100", &err));
    trips("f->out != NULL", (void)write_sets(NULL, 0, &none, &err));
    trips("verb != NULL", (void)check_output(&none, no_text, &err));
    trips("path != NULL", (void)rc_calibration_put_csv(NULL, no_text, false, &err));
    trips("files != NULL || count == 0",
          (void)rc_cmd_calibration_import(NULL, 1, NULL, NULL, "x.csv", false, &err));
    trips("how != NULL",
          (void)rc_cmd_calibration_import(NULL, 0, NULL, NULL, "x.csv", false, &err));
    trips("f != NULL && (files != NULL || count == 0)",
          (void)rc_cmd_calibration_leave_out(NULL, 1, &(const rc_leave_out_flags){0}, &err));
    trips("i >= 0 && i < SIZES", (void)size_of(&(const rc_row){0}, SIZES));
}

static void test_machine(void **state) {
    (void)state;
    const rc_machine m = {.fitted_count = RC_MAX_FITTED + 1};
    trips("m->fitted_count >= 0 && m->fitted_count <= RC_MAX_FITTED",
          rc_machine_json(NULL, NULL, &m));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_calibration),
        cmocka_unit_test(test_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
