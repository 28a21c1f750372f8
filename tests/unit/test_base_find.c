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

/* A file with a key at the beginning of a line that only scenarios have is none of what they name, wherever the line stands. */
static void every_kind_of_scenario(void **state) {
    static const char *const texts[][2] = {
        {"scenario: s\n", "no"},
        {"# words\nserve: s\n", "no"},
        {"machine: x\ntune: s\n", "no"},
        {"a: 1\nb: 2\nplan: s", "no"},
        {"sweep:\n", "no"},
        {" sweep: s\n", "k.yaml"},
        {"a: sweep:\n", "k.yaml"},
        {"sweeps: 1\n", "k.yaml"},
        {"", "k.yaml"},
    };
    (void)state;
    put("../share/scenarios/machines/k.yaml", "machine: k\n");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put("k.yaml", texts[i][0]);
        expect(NULL, "k", texts[i][1][0] == 'k' ? "k.yaml" : "../share/scenarios/machines/k.yaml");
    }
    assert_int_equal(unlink("k.yaml"), 0);
    assert_int_equal(unlink("../share/scenarios/machines/k.yaml"), 0);
}

/* ---- what is said of a name that is not there ------------------------------------------------ */

static void hint(const char *folder, const char *name, const char *ext, bool list,
                 const char *want) {
    char out[1024];
    rc_share_hint(folder, name, ext, list, out, sizeof out);
    assert_string_equal(out, want);
}

/* Letters and digits are what names differ by: the same ones in other clothes are offered, then those that begin with it, up to
 * three, then one with a slip in the letters. Another number is another model. */
static void near_names(void **state) {
    static const char *const names[] = {"llama-3.1-8b", "llama-3.1-70b", "llama-4", "llama-5",
                                        "qwen2.5-7b",   "qwen2.5-72b",   "h100x4"};
    static const char *const asked[][2] = {
        {"llama-3.1-8b", "'llama-3.1-8b'"},
        {"LLAMA 3.1 8B", "'llama-3.1-8b'"},
        {"org/Meta-Llama-3.1-8B-Instruct.json", "'llama-3.1-8b'"},
        {"meta-llama-3.1-8b-hf", "'llama-3.1-8b'"},
        {"llama-3.1-8b-instruct-hf", NULL}, /* one such end, the longer word first */
        {"llama-3.1-8b-hf-instruct", "'llama-3.1-8b'"},
        {"llama-3", "'llama-3.1-70b' or 'llama-3.1-8b'"},
        {"llama", "'llama-3.1-70b' or 'llama-3.1-8b' or 'llama-4'"},
        {"qwe", "'qwen2.5-72b' or 'qwen2.5-7b'"},
        {"qw", NULL}, /* two letters are too few to begin with */
        {"h-1-0-0", "'h100x4'"},
        {"lama-4", "'llama-4'"},
        {"llama-6", NULL},
        {"x/lama-4", NULL}, /* a path has no slips */
        {"instruct", NULL},
        {"hf", NULL},
    };
    char path[64];
    (void)state;
    assert_int_equal(mkdir("near", 0700), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "near/%s.json", names[i]);
        put(path, "");
    }
    put("near/.json", "");
    put("near/.llama.json", "");
    put("near/README.md", "");
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        char want[128] = "";
        if (asked[i][1])
            (void)snprintf(want, sizeof want, " (did you mean %s?)", asked[i][1]);
        hint("near", asked[i][0], ".json", false, want);
    }
    hint("near", "zzz", ".json", true,
         " (there are h100x4, llama-3.1-70b, llama-3.1-8b, llama-4, llama-5, qwen2.5-72b, "
         "qwen2.5-7b)");
    hint("near", "llama-4", ".json", true, " (did you mean 'llama-4'?)");
    hint("near", "zzz", "", true,
         " (there are README.md, h100x4.json, llama-3.1-70b.json, llama-3.1-8b.json, llama-4.json, "
         "llama-5.json, qwen2.5-72b.json, qwen2.5-7b.json)");
    hint("nowhere", "zzz", ".json", true, "");
}

/* Of many names two dozen are listed; names as long as there is room for are names, longer ones are not. */
static void many_names(void **state) {
    char path[RC_NAME_SIZE + 32], want[1024] = " (there are ";
    (void)state;
    assert_int_equal(mkdir("many", 0700), 0);
    for (int i = 0; i < 25; i++) {
        (void)snprintf(path, sizeof path, "many/n%02d.x", i);
        put(path, "");
        (void)snprintf(want + strlen(want), sizeof want - strlen(want), "%sn%02d", i ? ", " : "",
                       i);
        if (i == 23) {
            char all[1024];
            (void)snprintf(all, sizeof all, "%s)", want);
            hint("many", "zzz", ".x", true, all);
            (void)snprintf(all, sizeof all, "%s, ...)", want);
            memcpy(want, all, sizeof all);
            i++;
            put("many/n24.x", "");
        }
    }
    hint("many", "zzz", ".x", true, want);
    rc_names *l = malloc(sizeof *l);
    assert_non_null(l);
    for (int longer = 0; longer < 2; longer++) {
        char name[RC_NAME_SIZE + 8];
        memset(name, 'a' + longer, sizeof name);
        (void)snprintf(name + RC_NAME_SIZE - 1 + longer, 8, ".y");
        (void)snprintf(path, sizeof path, "many/%s", name);
        put(path, "");
    }
    rc_share_names("many", ".y", l);
    assert_int_equal(l->count, 1);
    assert_int_equal(strlen(l->name[0]), RC_NAME_SIZE - 1);
    assert_true(l->name[0][0] == 'a');
    for (int i = 0; i < RC_NAMES + 1; i++) {
        (void)snprintf(path, sizeof path, "many/z%d.z", i);
        put(path, "");
    }
    rc_share_names("many", ".z", l);
    assert_int_equal(l->count, RC_NAMES);
    rc_share_names("nowhere", ".z", l);
    assert_int_equal(l->count, 0);
    free(l);
}

/* What a flag names: a file by its path or its end, else a name of the data folder. */
static void share_paths(void **state) {
    char out[256];
    rc_error e = {0};
    (void)state;
    put("../share/scenarios/machines/lab.yaml", "machine: lab\n");
    put("own.yaml", "");
    assert_int_equal(rc_share_path("scenarios/machines", "lab", ".yaml", out, sizeof out, &e),
                     RC_OK);
    assert_string_equal(out, "../share/scenarios/machines/lab.yaml");
    assert_int_equal(rc_share_path("scenarios/machines", "own.yaml", ".yaml", out, sizeof out, &e),
                     RC_OK);
    assert_string_equal(out, "own.yaml");
    assert_int_equal(rc_share_path("scenarios/machines", "lab.yaml", ".yaml", out, sizeof out, &e),
                     RC_E_IO);
    assert_string_equal(e.msg, "no file lab.yaml (did you mean 'lab'?)");
    assert_int_equal(rc_share_path("scenarios/machines", "x/lab", ".yaml", out, sizeof out, &e),
                     RC_E_IO);
    assert_string_equal(e.msg, "no file x/lab (did you mean 'lab'?)");
    assert_int_equal(rc_share_path("scenarios/machines", "x/none", ".yaml", out, sizeof out, &e),
                     RC_OK); /* whoever opens it says what is wrong */
    assert_int_equal(rc_share_path("scenarios/machines", "labs", ".yaml", out, sizeof out, &e),
                     RC_E_IO);
    assert_string_equal(e.msg, "no scenarios/machines/labs.yaml (did you mean 'lab'?)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_rule),   cmocka_unit_test(not_there),
        cmocka_unit_test(scenarios),  cmocka_unit_test(every_kind_of_scenario),
        cmocka_unit_test(near_names), cmocka_unit_test(many_names),
        cmocka_unit_test(share_paths)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
