/* Where data of an installed program are looked for: beside the folder that holds the code, up to three folders up.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/share.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

static char root[] = "share-XXXXXX";

static void folder(const char *name, bool make) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    assert_int_equal(make ? mkdir(path, 0777) : rmdir(path), 0);
}

/* Found at NAME below the prefix, "" for: nowhere. */
static void lies(const char *file, const char *name) {
    char path[128], want[128] = "";
    (void)snprintf(path, sizeof path, "%s/%s", root, file);
    if (name[0] != '\0')
        (void)snprintf(want, sizeof want, "%s/%s/../share/ringcast", root, name);
    (void)snprintf(installed, sizeof installed, "left from before");
    assert_int_equal(beside(path), name[0] != '\0');
    assert_string_equal(installed, want);
}

static void test_beside(void **state) {
    static const char *const all[] = {"bin", "lib", "lib64", "opt", "share", "share/ringcast"};
    (void)state;
    assert_non_null(mkdtemp(root));
    for (int i = 0; i < 6; i++)
        folder(all[i], true);
    lies("bin/ringcast", "bin");
    lies("lib/libringcast.so", "lib");
    lies("lib64/libringcast.so.0", "lib64");
    lies("opt/ringcast", "");
    lies("library/ringcast", "");
    lies("ringcast", "");
    /* the folder of the code is looked for by name, so what is below need not be there */
    lies("lib/a/libringcast.so", "lib");
    lies("lib/a/b/libringcast.so", "lib");
    lies("lib/a/b/c/libringcast.so", "");
    folder("share/ringcast", false);
    lies("bin/ringcast", "");
    /* of a relative path too short to go up three folders nothing is left behind either */
    assert_false(beside("bin/ringcast"));
    assert_string_equal(installed, "");
    for (int i = 4; i >= 0; i--)
        folder(all[i], false);
    assert_int_equal(rmdir(root), 0);
}

/* The user's word comes first; a program that is not installed has the data that it was built with. */
static void test_folder(void **state) {
    (void)state;
    assert_int_equal(setenv("RINGCAST_SHARE", "/elsewhere", 1), 0);
    assert_string_equal(rc_share_folder(), "/elsewhere");
    assert_int_equal(setenv("RINGCAST_SHARE", "", 1), 0);
    assert_string_equal(rc_share_folder(), RC_SHARE_DIR);
    assert_int_equal(unsetenv("RINGCAST_SHARE"), 0);
    assert_string_equal(rc_share_folder(), RC_SHARE_DIR);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
