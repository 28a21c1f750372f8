/* Outputs appear whole or not at all, and nothing is overwritten unasked.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sim/base/file.h"
#include "sim/base/json.h"

static char dir[64], path[128], text_of[1400];

static int enter(void **state) {
    (void)state;
    memcpy(dir, "/tmp/rc_test_file_XXXXXX", 25);
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(path, sizeof path, "%s/out.txt", dir);
    return 0;
}

static int leave(void **state) {
    (void)state;
    char cmd[128];
    (void)snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    return system(cmd);
}

static size_t files_in_dir(void) {
    size_t n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void expect_content(const char *expected) {
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(rc_file_read(path, &text, &size, NULL), RC_OK);
    assert_int_equal(size, strlen(expected));
    assert_string_equal(text, expected);
    free(text);
}

static void write_out(const char *text, bool overwrite) {
    rc_outfile o;
    assert_int_equal(rc_outfile_open(&o, path, overwrite, NULL), RC_OK);
    assert_true(fputs(text, o.f) >= 0);
    assert_int_equal(rc_outfile_commit(&o, NULL), RC_OK);
    assert_null(o.f);
    rc_outfile_abort(&o); /* safe after commit */
}

static void commit_makes_the_file_appear(void **state) {
    (void)state;
    rc_outfile o;
    assert_int_equal(rc_outfile_open(&o, path, false, NULL), RC_OK);
    assert_true(fputs("one\n", o.f) >= 0);
    assert_int_equal(access(path, F_OK), -1); /* not before */
    assert_int_equal(rc_outfile_commit(&o, NULL), RC_OK);
    expect_content("one\n");
    assert_int_equal(files_in_dir(), 1);
}

static void abort_leaves_nothing(void **state) {
    (void)state;
    rc_outfile o;
    assert_int_equal(rc_outfile_open(&o, path, false, NULL), RC_OK);
    assert_true(fputs("half", o.f) >= 0);
    rc_outfile_abort(&o);
    rc_outfile_abort(&o);
    assert_int_equal(files_in_dir(), 0);
}

static void an_existing_file_is_refused_unless_asked(void **state) {
    (void)state;
    write_out("one\n", false);
    rc_outfile o;
    rc_error e;
    char expected[300];
    (void)snprintf(expected, sizeof expected,
                   "%s: already exists and is not overwritten (--overwrite replaces it)", path);
    assert_int_equal(rc_outfile_open(&o, path, false, &e), RC_E_IO);
    assert_string_equal(rc_error_text(&e, text_of, sizeof text_of), expected);
    write_out("two\n", true);
    expect_content("two\n");
    assert_int_equal(files_in_dir(), 1);
}

static void a_file_that_appears_meanwhile_is_not_replaced(void **state) {
    (void)state;
    rc_outfile o;
    rc_error e;
    assert_int_equal(rc_outfile_open(&o, path, false, NULL), RC_OK);
    assert_true(fputs("late\n", o.f) >= 0);
    FILE *other = fopen(path, "w");
    assert_non_null(other);
    assert_true(fputs("first\n", other) >= 0);
    assert_int_equal(fclose(other), 0);
    assert_int_equal(rc_outfile_commit(&o, &e), RC_E_IO);
    expect_content("first\n");
    assert_int_equal(files_in_dir(), 1);
}

static void what_is_not_a_regular_file_is_refused(void **state) {
    (void)state;
    rc_outfile o;
    rc_error e;
    assert_int_equal(rc_outfile_open(&o, "/dev/null", true, &e), RC_E_IO);
    assert_string_equal(rc_error_text(&e, text_of, sizeof text_of),
                        "/dev/null: cannot write: not a regular file");
    assert_int_equal(rc_outfile_open(&o, dir, true, &e), RC_E_IO);
    assert_int_equal(rc_outfile_open(&o, "", true, &e), RC_E_IO);
    assert_int_equal(rc_outfile_open(&o, "no/such/folder/x", true, &e), RC_E_IO);
    assert_string_equal(rc_error_text(&e, text_of, sizeof text_of),
                        "no/such/folder/x: cannot write: No such file or directory");
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(rc_file_read("/dev/null", &text, &size, NULL), RC_OK);
    assert_int_equal(size, 0);
    assert_string_equal(text, "");
    free(text);
}

/* Nobody knows the size of a pipe beforehand, so the room for it grows from 4 KiB: around each doubling all of it comes
 * back, with the end of a string behind it. */
static void a_pipe_is_read_to_its_end(void **state) {
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 16383, 16384, 20000};
    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        char *sent = malloc(sizes[k] + 1), *text = NULL;
        int ends[2];
        assert_non_null(sent);
        assert_int_equal(pipe(ends), 0);
        for (size_t i = 0; i < sizes[k]; i++)
            sent[i] = (char)('a' + i % 23);
        assert_int_equal(write(ends[1], sent, sizes[k]), sizes[k]); /* a pipe holds 64 KiB */
        assert_int_equal(close(ends[1]), 0);
        (void)snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
        size_t size = 1;
        assert_int_equal(rc_file_read(path, &text, &size, NULL), RC_OK);
        assert_int_equal(size, sizes[k]);
        assert_memory_equal(text, sent, sizes[k]);
        assert_int_equal(text[size], '\0');
        assert_int_equal(close(ends[0]), 0);
        free(text);
        free(sent);
    }
}

static void a_full_disk_is_seen_at_commit(void **state) {
    (void)state;
    assert_int_equal(access("/dev/full", W_OK), 0); /* every Linux has it */
    rc_outfile o;
    rc_error e;
    assert_int_equal(rc_outfile_open(&o, path, false, NULL), RC_OK);
    assert_non_null(freopen("/dev/full", "w", o.f));
    assert_true(fputs("lost", o.f) >= 0);
    assert_int_equal(rc_outfile_commit(&o, &e), RC_E_IO);
    assert_non_null(strstr(e.msg, "No space left on device"));
    assert_int_equal(files_in_dir(), 0);
}

static void folders_are_made_with_their_parents(void **state) {
    (void)state;
    char deep[200];
    rc_error e;
    (void)snprintf(deep, sizeof deep, "%s/a/b//c/", dir);
    assert_int_equal(rc_make_dirs(deep, NULL), RC_OK);
    assert_int_equal(rc_make_dirs(deep, NULL), RC_OK); /* again is fine */
    struct stat st;
    assert_int_equal(stat(deep, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    write_out("x", false);
    assert_int_equal(rc_make_dirs(path, &e), RC_E_IO);
    assert_string_equal(e.msg, "exists and is not a folder");
    assert_int_equal(rc_make_dirs("", &e), RC_E_IO);
}

static void json_is_ordered_and_rounded(void **state) {
    (void)state;
    rc_json *j = rc_json_create();
    json_t *root = rc_json_root(j);
    rc_json_real(j, root, "z", 1.0 / 3.0);
    rc_json_real(j, root, "a", 3.35e12);
    rc_json_real(j, root, "nan", NAN);
    rc_json_real(j, root, "inf", -INFINITY);
    rc_json_real(j, root, "zero", -0.0);
    rc_json_int(j, root, "i", INT64_MAX);
    rc_json_bool(j, root, "yes", true);
    rc_json_null(j, root, "none");
    json_t *list = rc_json_list(j, root, "list");
    rc_json_text(j, list, NULL, "\xC2\xB5s \"q\"");
    rc_json_text(j, list, NULL, "bad \xFF");
    rc_json_text(j, list, NULL, NULL);
    rc_json_textf(j, rc_json_object(j, list, NULL), "cp", "CP%d", 4);
    rc_json_int(j, NULL, "lost", 1); /* no parent: ignored */
    assert_int_equal(rc_json_save(j, path, false, NULL), RC_OK);
    assert_int_equal(rc_json_save(j, path, false, NULL), RC_E_IO);
    rc_json_destroy(j);
    expect_content(
        "{\n  \"z\": 0.3333333333,\n  \"a\": 3.35e12,\n  \"nan\": null,\n"
        "  \"inf\": null,\n  \"zero\": 0.0,\n  \"i\": 9223372036854775807,\n"
        "  \"yes\": true,\n  \"none\": null,\n  \"list\": [\n    \"\xC2\xB5s \\\"q\\\"\",\n"
        "    \"bad ?\",\n    null,\n    {\n      \"cp\": \"CP4\"\n    }\n  ]\n}\n");
    j = rc_json_create_list();
    assert_true(json_is_array(rc_json_root(j)));
    rc_json_destroy(j);
    rc_json_destroy(NULL);
    assert_int_equal(rc_json_write(NULL, stdout, NULL), RC_E_NOMEM);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commit_makes_the_file_appear, enter, leave),
        cmocka_unit_test_setup_teardown(abort_leaves_nothing, enter, leave),
        cmocka_unit_test_setup_teardown(an_existing_file_is_refused_unless_asked, enter, leave),
        cmocka_unit_test_setup_teardown(a_file_that_appears_meanwhile_is_not_replaced, enter,
                                        leave),
        cmocka_unit_test_setup_teardown(what_is_not_a_regular_file_is_refused, enter, leave),
        cmocka_unit_test(a_pipe_is_read_to_its_end),
        cmocka_unit_test_setup_teardown(a_full_disk_is_seen_at_commit, enter, leave),
        cmocka_unit_test_setup_teardown(folders_are_made_with_their_parents, enter, leave),
        cmocka_unit_test_setup_teardown(json_is_ordered_and_rounded, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
