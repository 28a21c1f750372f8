/* What a page is made of: how much is read, what is told of a file that cannot be, what a document is and is called.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "sim/page/page_input.h"

static char path[64];

static int make(void **state) {
    (void)state;
    (void)strcpy(path, "/tmp/test-page-input-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int away(void **state) {
    (void)state;
    (void)unlink(path);
    return 0;
}

/* So many MiB of blanks, packed, and the bytes `more` behind them. */
static void packed(int mib, const char *more) {
    static char blanks[1 << 20];
    memset(blanks, ' ', sizeof blanks);
    gzFile f = gzopen(path, "wb1");
    assert_non_null(f);
    for (int i = 0; i < mib; i++)
        assert_int_equal(gzwrite(f, blanks, sizeof blanks), sizeof blanks);
    assert_true(gzputs(f, more) >= 0);
    assert_int_equal(gzclose(f), Z_OK);
}

static void refused(const char *name, rc_status want, const char *says) {
    char *text = NULL, got[400], told[1200];
    size_t size = 0;
    rc_error err = {0};
    assert_int_equal(input_read(name, &text, &size, &err), want);
    (void)snprintf(got, sizeof got, "%s: %s", name, says);
    assert_string_equal(rc_error_text(&err, told, sizeof told), got);
}

/* As it is or packed, up to 63 MiB and what is read with them. */
static void test_read(void **state) {
    (void)state;
    static const int mib[] = {0, 1, 2, 3, 63};
    for (size_t i = 0; i < sizeof mib / sizeof mib[0]; i++) {
        char *text = NULL;
        size_t size = 0;
        rc_error err = {0};
        packed(mib[i], mib[i] == 63 ? "" : "{}");
        if (input_read(path, &text, &size, &err) != RC_OK)
            fail_msg("%d MiB: %s", mib[i], err.msg);
        assert_int_equal(size, ((size_t)mib[i] << 20) + (mib[i] == 63 ? 0 : 2));
        assert_true(mib[i] == 63 || memcmp(text + size - 2, "{}", 2) == 0);
        free(text);
    }
    packed(63, "{}");
    refused(path, RC_E_SIZE, "more than 64 MB are too much for a page");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs("{\"a\": 1}", f);
    (void)fclose(f);
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(input_read(path, &text, &size, NULL), RC_OK);
    assert_true(size == 8 && memcmp(text, "{\"a\": 1}", 8) == 0);
    free(text);
}

static void test_unreadable(void **state) {
    (void)state;
    refused("/nowhere/a.json", RC_E_IO, "No such file or directory");
    refused("/tmp", RC_E_IO, "cannot be read");
    packed(2, "{}");
    assert_int_equal(truncate(path, 500), 0);
    refused(path, RC_E_INPUT, "is cut short");
}

static void test_kinds(void **state) {
    (void)state;
    static const struct {
        const char *json, *kind, *title;
    } t[] = {
        {"{\"traceEvents\": [], \"ringcast\": 1}", "timeline", "timeline: passes side by side"},
        {"{\"traceEvents\": []}", NULL, NULL},
        {"{\"columns\": {}, \"rows\": []}", "grid", "grid"},
        {"{\"rows\": [], \"summary\": {}}", "paper", "paper"},
        {"{\"tune\": \"gtt\", \"rules\": []}", "tune", "tune: gtt"},
        {"{\"answer\": 1, \"alternatives\": []}", "choose", "choose"},
        {"{\"breakdown\": {}, \"variant\": \"a\", \"scenario\": \"cp4\"}", "forward",
         "forward: cp4"},
        {"{\"curves\": []}", "rates", "rates"},
        {"{\"serve\": \"s\", \"ttft_ms\": {}}", "serve", "serve: s"},
        {"{\"plan\": \"p\", \"considered\": 1}", "plan", "plan: p"},
        {"{\"sets\": [], \"cases\": []}", "validate", "validate"},
        {"{\"sweep\": \"s\", \"points\": 2}", "sweep", "sweep: s"},
        {"{}", NULL, NULL},
        {"[1]", NULL, NULL}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        json_t *root = NULL;
        char title[160];
        assert_int_equal(input_parse("a.json", t[i].json, strlen(t[i].json), &root, NULL), RC_OK);
        const char *kind = input_kind(root);
        if (t[i].kind) {
            assert_string_equal(kind, t[i].kind);
            input_title(kind, root, title, sizeof title);
            assert_string_equal(title, t[i].title);
        } else {
            assert_null(kind);
        }
        json_decref(root);
    }
}

static void test_parsed(void **state) {
    (void)state;
    static const char grid[] =
        "x,T,P,batch,cp,pass_kv_ms,pass_q_ms\na,1,2,3,4,5,6\nb,7,8,9,10,11,12\n";
    json_t *root = NULL;
    rc_error err = {0};
    char told[1200];
    assert_int_equal(input_parse("g.csv", grid, strlen(grid), &root, &err), RC_OK);
    const json_t *columns = json_object_get(root, "columns"), *rows = json_object_get(root, "rows");
    assert_true(json_object_size(columns) == 7 &&
                json_integer_value(json_object_get(columns, "x")) == 0 &&
                json_integer_value(json_object_get(columns, "pass_q_ms")) == 6);
    assert_true(json_array_size(rows) == 2 && json_array_size(json_array_get(rows, 1)) == 7);
    assert_string_equal(json_string_value(json_array_get(json_array_get(rows, 1), 6)), "12");
    assert_string_equal(json_string_value(json_array_get(json_array_get(rows, 0), 0)), "a");
    json_decref(root);
    static const struct {
        const char *text, *says;
    } t[] = {{"T,P,batch,cp,pass_kv_ms\n1,2,3,4,5\n",
              "g.csv:1:1: missing column 'pass_q_ms' (found 'pass_kv_ms')"},
             {"{\"a\": 1,\n \"a\": 2}", "g.csv:2:4: duplicate object key near '\"a\"'"},
             {"", "g.csv:1: '[' or '{' expected near end of file"},
             {" x", "g.csv:1:2: '[' or '{' expected near 'x'"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        err = (rc_error){0};
        assert_int_equal(input_parse("g.csv", t[i].text, strlen(t[i].text), &root, &err),
                         RC_E_INPUT);
        assert_null(root);
        assert_string_equal(rc_error_text(&err, told, sizeof told), t[i].says);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read),
                                       cmocka_unit_test(test_unreadable),
                                       cmocka_unit_test(test_kinds), cmocka_unit_test(test_parsed)};
    return cmocka_run_group_tests(tests, make, away);
}
