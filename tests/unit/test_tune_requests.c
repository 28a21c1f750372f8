/* Requests in place of a grid: which rows of a table and which requests of a trace are taken, and what a file is.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>
#include "sim/tune/requests.c"

static char path[64];

static void written(const char *text) {
    (void)strcpy(path, "/tmp/test-tune-requests-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

/* The cells of what is written, at most `limit`. */
static rc_status read_text(const char *text, int64_t limit, rc_tune *view, rc_error *err) {
    static rc_tune t;
    t = (rc_tune){.s = {.degrees = 2, .request_limit = limit}};
    *view = t;
    *err = (rc_error){0};
    written(text);
    rc_status st = read_file(&t, path, view, err);
    (void)unlink(path);
    return st;
}

static void freed(rc_tune *view) {
    free(view->cells);
    free(view->time);
}

/* Of ten rows as many as the limit says, evenly from the first on; without one, or with one that is larger, all. */
static void test_limits(void **state) {
    (void)state;
    static const struct {
        int64_t limit;
        size_t count;
        int64_t t[10];
    } of[] = {{0, 10, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
              {10, 10, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
              {11, 10, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
              {9, 9, {1, 2, 3, 4, 5, 6, 7, 8, 9}},
              {5, 5, {1, 3, 5, 7, 9}},
              {3, 3, {1, 4, 7}},
              {1, 1, {1}}};
    static rc_tune view;
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        rc_error err;
        if (read_text("P,x,T\n0,a,1\n10,a,2\n20,a,3\n30,a,4\n40,a,5\n50,a,6\n60,a,7\n70,a,8\n80,a,"
                      "9\n90,a,10\n",
                      of[i].limit, &view, &err) != RC_OK)
            fail_msg("%s", err.msg);
        assert_int_equal(view.count, of[i].count);
        for (size_t k = 0; k < view.count; k++)
            assert_true(view.cells[k].t == of[i].t[k] && view.cells[k].p == 10 * (of[i].t[k] - 1));
        freed(&view);
    }
}

/* Requests of a trace: what a cache that forgets nothing would hold of the second is its prefix. */
static void test_trace(void **state) {
    (void)state;
    static const char trace[] =
        "{\"timestamp\": 0, \"input_length\": 1024, \"output_length\": 5, \"hash_ids\": [0, 1]}\n"
        "{\"timestamp\": 9, \"input_length\": 2000, \"output_length\": 5, \"hash_ids\": [0, 1, 2, "
        "3]}\n"
        "{\"timestamp\": 9, \"input_length\": 700, \"output_length\": 5, \"hash_ids\": [4, 5]}\n";
    static rc_tune view;
    rc_error err;
    if (read_text(trace, 0, &view, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(view.count, 3);
    assert_true(view.cells[0].t == 1024 && view.cells[0].p == 0);
    assert_true(view.cells[1].t == 976 && view.cells[1].p == 1024);
    assert_true(view.cells[2].t == 700 && view.cells[2].p == 0);
    freed(&view);
    assert_int_equal(read_text(trace, 1, &view, &err), RC_OK);
    assert_true(view.count == 1 && view.cells[0].t == 1024);
    freed(&view);
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } of[] = {
        {"T,P\n0,5\n", "column 'T': found '0', expected a whole number from 1 to 100000000"},
        {"T,P\n5,-1\n", "column 'P': found '-1', expected a whole number from 0 to 100000000"},
        {"T,P\n100000001,0\n", "column 'T': found '100000001'"},
        {"T,P\n5,100000001\n", "column 'P': found '100000001'"}};
    static rc_tune view;
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        rc_error err;
        assert_int_equal(read_text(of[i].text, 0, &view, &err), RC_E_INPUT);
        if (!strstr(err.msg, of[i].says))
            fail_msg("%s", err.msg);
        freed(&view);
    }
    rc_error err;
    assert_int_equal(read_text("T,P\n100000000,100000000\n1,0\n", 0, &view, &err), RC_OK);
    assert_true(view.count == 2 && view.cells[0].t == 100000000 && view.cells[1].p == 0);
    freed(&view);
}

static void test_tables(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool table;
    } of[] = {{"T,P\n", true},         {"P,T\n", true},
              {"a,P,b,T,c\r\n", true}, {"# T and P\n# more\nT,P\n", true},
              {"T,T\n", false},        {"P,P\n", false},
              {"T\n", false},          {"t,p\n", false},
              {"TP\n", false},         {"", false},
              {"# T,P\n", false},      {"{\"T\": 1, \"P\": 2}\n", false}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        written(of[i].text);
        const bool is = is_table(path);
        (void)unlink(path);
        if (is != of[i].table)
            fail_msg("'%s' is %s table", of[i].text, is ? "a" : "no");
    }
    assert_false(is_table("/nowhere/at/all"));
}

static void test_file_names(void **state) {
    (void)state;
    static const char *const of[][2] = {
        {"a/b.csv", "b"}, {"b.csv", "b"}, {"/x/b.c.jsonl", "b.c"}, {"b", "b"}, {"a.b/c", "c"}};
    char name[64];
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        name_of(of[i][0], name, sizeof name);
        assert_string_equal(name, of[i][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits), cmocka_unit_test(test_trace), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_tables), cmocka_unit_test(test_file_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
