/* The command line of ringcast-calib.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/catalog.c"
#include "calib/gpu_needs.c"
#include "kernels/capability.c"
#include "calib/calib_options.c"
#include "calib/point_lists.c"
#undef COUNT
#include "calib/point_lists_gemm.c"
#undef COUNT
#undef KI
#include "calib/point_lists_experts.c"
#include "calib/point_lists_node.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PARSE(...)                                                                                 \
    rc_calib_options_parse((int)(sizeof((char *[]){"x", __VA_ARGS__}) / sizeof(char *)),           \
                           (char *[]){"x", __VA_ARGS__}, &o, &err)

static void test_defaults(void **state) {
    (void)state;
    rc_calib_options o;
    rc_error err = {0};
    assert_int_equal(PARSE("run", "--suite", "all", "--out", "a.csv"), RC_OK);
    assert_true(o.burst && o.sustained && isinf(o.budget_s) && o.seed == 1 && o.gpus == 0);
    assert_false(o.quick || o.force || o.resume || o.quiet);
    assert_null(o.machine);
    assert_string_equal(o.out, "a.csv");
}

static void test_everything(void **state) {
    (void)state;
    rc_calib_options o;
    rc_error err = {0};
    assert_int_equal(PARSE("run", "--suite=gemm,host", "--out=a.db", "--state", "burst", "--quick",
                           "--budget", "90 s", "--seed", "7", "--commit", "abc", "--force",
                           "--gpus=2", "--machine", "lab", "--quiet"),
                     RC_OK);
    assert_true(o.burst && !o.sustained && o.quick && o.force && o.quiet);
    assert_true(o.budget_s == 90 && o.seed == 7 && o.gpus == 2);
    assert_string_equal(o.machine, "lab");
    assert_string_equal(o.commit, "abc");
    assert_int_equal(PARSE("run", "--all", "--out", "a.db", "--verbose", "--transport", "rdma"),
                     RC_OK);
    assert_int_equal(o.suites, (1u << RC_SUITE_COUNT) - 1);
    assert_true(o.verbose);
    assert_string_equal(o.transport, "rdma");
}

static void refused(rc_status st, const rc_error *err, const char *file, const char *word) {
    assert_int_equal(st, RC_E_USAGE);
    assert_int_equal(rc_exit_code(st), 2);
    assert_string_equal(err->file, file);
    assert_non_null(strstr(err->msg, word));
}

static void test_refusals(void **state) {
    (void)state;
    rc_calib_options o;
    rc_error err = {0};
    refused(PARSE("run", "--out", "a.csv"), &err, "--suite", "missing");
    refused(PARSE("run", "--suite", "all"), &err, "--out", "missing");
    refused(PARSE("run", "--suite", "atention", "--out", "a.csv"), &err, "--suite", "attention");
    refused(PARSE("run", "--out", "a.txt"), &err, "--out", ".csv or .db");
    refused(PARSE("run", "--out", ".csv"), &err, "--out", ".csv or .db");
    refused(PARSE("run", "--out", ".db"), &err, "--out", ".csv or .db");
    refused(PARSE("run", "--state", "brust"), &err, "--state", "burst");
    refused(PARSE("run", "--budget", "soon"), &err, "--budget", "soon");
    refused(PARSE("run", "--budget", "0"), &err, "--budget", "86400");
    refused(PARSE("run", "--gpus", "0"), &err, "--gpus", "0");
    refused(PARSE("run", "--seed", "1.5"), &err, "--seed", "1.5");
    refused(PARSE("run", "--machine", "a b"), &err, "--machine", "a b");
    refused(PARSE("run", "--out"), &err, "--out", "needs a value");
    refused(PARSE("run", "--quik"), &err, "--quik", "--quick");
    refused(PARSE("rum"), &err, "rum", "run");
    refused(PARSE("list", "--quick"), &err, "--quick", "no options");
    refused(PARSE("run", "--suite", "all", "--out", "a.csv", "--force", "--resume"), &err,
            "--resume", "--force");
    refused(PARSE("run", "--points", "p.csv", "--out", "a.csv", "--quick"), &err, "--quick",
            "--points");
    refused(PARSE("run", "--points=", "--out", "a.csv"), &err, "--points", "name");
    refused(PARSE("run", "--points", "p.csv"), &err, "--out", "missing");
}

static void test_points(void **state) {
    (void)state;
    rc_calib_options o;
    rc_error err = {0};
    assert_int_equal(PARSE("run", "--points", "p.csv", "--points=q.csv", "--out", "a.csv"), RC_OK);
    assert_int_equal(o.point_files, 2);
    assert_string_equal(o.points[1], "q.csv");
    assert_int_equal(o.suites, 0);
    assert_null(o.listed);
    char *many[2 * RC_POINT_FILES + 4] = {"x", "run"};
    for (int i = 0; i <= RC_POINT_FILES; i++) {
        many[2 + 2 * i] = "--points";
        many[3 + 2 * i] = "p.csv";
    }
    refused(rc_calib_options_parse(2 * RC_POINT_FILES + 4, many, &o, &err), &err, "--points",
            "at most");
}

static void test_commands(void **state) {
    (void)state;
    rc_calib_options o;
    rc_error err = {0};
    assert_int_equal(PARSE("list"), RC_OK);
    assert_int_equal(o.command, RC_CALIB_LIST);
    assert_int_equal(PARSE("--version"), RC_OK);
    assert_int_equal(o.command, RC_CALIB_VERSION);
    assert_int_equal(PARSE("run", "--bad", "--help"), RC_OK);
    assert_int_equal(o.command, RC_CALIB_HELP);
    char *none[] = {"x"};
    assert_int_equal(rc_calib_options_parse(1, none, &o, &err), RC_E_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_everything),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_points),
        cmocka_unit_test(test_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
