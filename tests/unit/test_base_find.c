/* Where a file is that a scenario names: beside it, in the current folder, in the data folder; the
 * first that is there.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "sim/base/find.h"

static char root[] = "/tmp/ringcast-find-XXXXXX";

static void put(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* root/{here,own,share/scenarios/machines}; the current folder is root/here. */
static int set_up(void **state) {
    static const char *const folders[] = {"here", "own", "share", "share/scenarios",
                                          "share/scenarios/machines"};
    (void)state;
    if (!mkdtemp(root) || chdir(root) != 0)
        return -1;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (mkdir(folders[i], 0700) != 0)
            return -1;
    put("share/scenarios/machines/h100.yaml", "machine: h100\n");
    put("share/scenarios/machines/gtt.yaml", "machine: gtt\n");
    return chdir("here") != 0 || setenv("RINGCAST_SHARE", "../share", 1) != 0 ? -1 : 0;
}

static int tear_down(void **state) {
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", root);
    return chdir("/") != 0 || system(command) != 0 ? -1 : 0;
}

static void expect(const char *beside, const char *name, const char *want) {
    char out[1024];
    rc_error e = {0};
    if (rc_find_file(beside, "scenarios/machines", name, ".yaml", out, sizeof out, &e) != RC_OK)
        fail_msg("%s: %s", name, e.msg);
    assert_string_equal(out, want);
}

static void one_rule(void **state) {
    static const char scenario[] = "../own/s.yaml";
    (void)state;
    put(scenario, "scenario: s\n");
    expect(scenario, "h100", "../share/scenarios/machines/h100.yaml");
    put("h100.yaml", "machine: h100\n");
    expect(scenario, "h100", "h100.yaml");
    put("../own/h100.yaml", "machine: h100\n");
    expect(scenario, "h100", "../own/h100.yaml");
    expect(scenario, "h100.yaml", "../own/h100.yaml");
    expect(scenario, "./h100.yaml", "../own/./h100.yaml");
    expect(NULL, "h100", "h100.yaml"); /* named by a flag */
    expect("s.yaml", "h100", "h100.yaml");
    expect(scenario, "/nowhere/x.yaml", "/nowhere/x.yaml");
    put("../own/gtt.yaml", "tune: gtt\nmachine: gtt\n"); /* a scenario is no machine */
    expect(scenario, "gtt", "../share/scenarios/machines/gtt.yaml");
    expect("../own/gtt.yaml", "gtt", "../share/scenarios/machines/gtt.yaml");
    assert_int_equal(mkdir("../own/b200.yaml", 0700), 0); /* nor is a folder */
    put("../share/scenarios/machines/b200.yaml", "machine: b200\n");
    expect(scenario, "b200", "../share/scenarios/machines/b200.yaml");
}

static void not_there(void **state) {
    char out[1024];
    rc_error e = {0};
    (void)state;
    assert_int_equal(
        rc_find_file("../own/s.yaml", "scenarios/machines", "gtx", ".yaml", out, sizeof out, &e),
        RC_E_IO);
    assert_non_null(strstr(e.msg, "no 'gtx.yaml' beside the scenario, in the current folder or in "
                                  "scenarios/machines "));
    assert_int_equal(
        rc_find_file(NULL, "scenarios/machines", "something", ".yaml", out, sizeof out, &e),
        RC_E_IO);
    assert_non_null(strstr(e.msg, "no 'something.yaml' in the current folder or in "
                                  "scenarios/machines (there are b200, gtt, h100)"));
    static const char *const whole[] = {"some.yaml", "sub/some",
                                        "sub/some.yaml"}; /* are files, whole */
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        char words[64];
        (void)snprintf(words, sizeof words, "no '%s' in the current folder", whole[i]);
        assert_int_equal(
            rc_find_file(NULL, "scenarios/machines", whole[i], ".yaml", out, sizeof out, &e),
            RC_E_IO);
        assert_non_null(strstr(e.msg, words));
    }
}

/* A scenario is looked for where its name says, then below the data folder. */
static void scenarios(void **state) {
    char buf[1024];
    (void)state;
    put("../share/scenarios/x.yaml", "scenario: x\n");
    assert_string_equal(rc_scenario_path("scenarios/x.yaml", buf, sizeof buf),
                        "../share/scenarios/x.yaml");
    assert_string_equal(rc_scenario_path("./scenarios/x.yaml", buf, sizeof buf),
                        "../share/./scenarios/x.yaml");
    assert_string_equal(rc_scenario_path("scenarios/y.yaml", buf, sizeof buf), "scenarios/y.yaml");
    assert_string_equal(rc_scenario_path("/scenarios/x.yaml", buf, sizeof buf),
                        "/scenarios/x.yaml");
    put("x.yaml", "scenario: x\n");
    assert_string_equal(rc_scenario_path("x.yaml", buf, sizeof buf), "x.yaml");
    assert_string_equal(rc_scenario_path("scenarios/x.yaml", buf, 8),
                        "scenarios/x.yaml"); /* no room for the path */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_rule), cmocka_unit_test(not_there),
                                       cmocka_unit_test(scenarios)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
