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

/* Every value at its ends: taken there, and refused beyond them in words that say them. */
static void test_ends(void **state) {
    static const char name48[] = "123456789012345678901234567890123456789012345678";
    static const struct {
        const char *flag, *value, *says; /* NULL: taken */
    } of[] = {
        {"--budget", "1", NULL},
        {"--budget", "0.999", "expected 1 s to 86400 s"},
        {"--budget", "86400", NULL},
        {"--budget", "86400.5", "expected 1 s to 86400 s"},
        {"--seed", "0", NULL},
        {"--seed", "4611686018427387903", NULL},
        {"--seed", "4611686018427387904", "expected a whole number from 0 to 4611686018427387903"},
        {"--seed", "-1", "expected a whole number from 0 to"},
        {"--gpus", "1", NULL},
        {"--gpus", "64", NULL},
        {"--gpus", "65", "expected a whole number from 1 to 64"},
        {"--gpus", "0", "expected a whole number from 1 to 64"},
        {"--gpu", "0", NULL},
        {"--gpu", "63", NULL},
        {"--gpu", "64", "expected a whole number from 0 to 63"},
        {"--machine", name48 + 1, NULL},
        {"--machine", name48, "expected 1 to 47 characters without blanks, commas or quotes"},
        {"--machine", "", "expected 1 to 47 characters"},
        {"--machine", "a,b", "expected 1 to 47 characters"},
        {"--machine", "a\"b", "expected 1 to 47 characters"},
        {"--machine", "a\nb", "expected 1 to 47 characters"},
        {"--commit", name48 + 1, NULL},
        {"--commit", name48, "expected 1 to 47 characters"},
        {"--transport", name48 + 25, NULL},
        {"--transport", name48 + 24, "expected 1 to 23 characters"},
        {"--child", name48 + 33, NULL},
        {"--child", name48 + 32, "expected 1 to 15 characters"},
        {"--have", "a", NULL},
        {"--have", "", "expected a file's name"},
        {"--out", "a.db", NULL},
        {"--out", "a.csv", NULL},
        {"--out", "a.csv.db", NULL},
        {"--out", "acsv", "expected a name ending in .csv or .db"},
        {"--out", "a.dbs", "expected a name ending in .csv or .db"},
        {"--state", "both", NULL},
        {"--state", "hot", "expected burst, sustained or both"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        rc_calib_options o;
        rc_error err = {0};
        rc_status st = PARSE("run", "--all", "--out", "x.csv", (char *)(uintptr_t)of[i].flag,
                             (char *)(uintptr_t)of[i].value);
        if (!of[i].says && st != RC_OK)
            fail_msg("%s %s: %s", of[i].flag, of[i].value, err.msg);
        if (of[i].says &&
            (st != RC_E_USAGE || !strstr(err.msg, of[i].says) || strcmp(err.file, of[i].flag) != 0))
            fail_msg("%s %s: %s: %s", of[i].flag, of[i].value, err.file, err.msg);
    }
}

/* What each value and each switch sets, and nothing else. */
static void test_what_is_set(void **state) {
    rc_calib_options o;
    rc_error err = {0};
    (void)state;
    assert_int_equal(PARSE("run", "--all", "--out", "x.csv"), RC_OK);
    assert_true(o.burst && o.sustained && o.gpu == -1 && o.gpus == 0 && !o.have && !o.child &&
                !o.commit && !o.transport);
    assert_int_equal(PARSE("run", "--all", "--out", "x.csv", "--state=sustained", "--gpu=3",
                           "--have", "h.csv", "--child=gpu", "--overwrite"),
                     RC_OK);
    assert_true(!o.burst && o.sustained && o.gpu == 3 && o.force && !o.resume && !o.quick &&
                !o.verbose && !o.quiet);
    assert_string_equal(o.have, "h.csv");
    assert_string_equal(o.child, "gpu");
    assert_int_equal(PARSE("run", "--all", "--out", "x.csv", "--resume"), RC_OK);
    assert_true(o.resume && !o.force);
    assert_int_equal(PARSE("run", "--all", "--out", "x.csv", "--quick"), RC_OK);
    assert_true(o.quick && !o.quiet);
    assert_int_equal(PARSE("run", "--all", "--out", "x.csv", "--quiet"), RC_OK);
    assert_true(!o.quick && o.quiet);
    assert_int_equal(PARSE("run", "--points=p", "--suite=gemm", "--out", "x.csv"), RC_OK);
    assert_true(o.point_files == 1 && o.suites == 1u << RC_SUITE_GEMM);
    assert_int_equal(PARSE("list", "-h"), RC_OK);
    assert_int_equal(o.command, RC_CALIB_HELP);
    refused(PARSE("run", "--suites", "all"), &err, "--suites",
            "unknown option; did you mean --suite?");
    refused(PARSE("run", "--zzzzzzzz"), &err, "--zzzzzzzz", "unknown option (see --help)");
    refused(PARSE("zzzzzzzz"), &err, "zzzzzzzz", "unknown command (see --help)");
    refused(PARSE("run", "list"), &err, "list", "unknown command");
    refused(PARSE("--run"), &err, "--run", "unknown option");
    char *most[2 * RC_POINT_FILES + 4] = {"x", "run", "--out", "x.csv"};
    for (int i = 0; i < RC_POINT_FILES; i++) {
        most[4 + 2 * i] = "--points";
        most[5 + 2 * i] = "p.csv";
    }
    assert_int_equal(rc_calib_options_parse(2 * RC_POINT_FILES + 4, most, &o, &err), RC_OK);
    assert_int_equal(o.point_files, RC_POINT_FILES);
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
        cmocka_unit_test(test_defaults),    cmocka_unit_test(test_everything),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_points),
        cmocka_unit_test(test_commands),    cmocka_unit_test(test_ends),
        cmocka_unit_test(test_what_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
