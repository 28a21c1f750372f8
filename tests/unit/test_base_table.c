/* Tables in their three forms, and CSV in both directions.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/csv.h"
#include "sim/base/table.h"

static char text_of[1200];

#define EXPECT_ERROR(call, st, text)                                                               \
    do {                                                                                           \
        rc_error e = {0};                                                                          \
        assert_int_equal((call), (st));                                                            \
        assert_string_equal(rc_error_text(&e, text_of, sizeof text_of), (text));                   \
    } while (0)

static rc_table *sample(void) {
    rc_table *t = rc_table_create();
    rc_table_note(t, "TTFT of %s", "CP4");
    rc_table_column(t, "config", "config", "", RC_LEFT);
    rc_table_column(t, "ttft_us", "TTFT", "\xC2\xB5s", RC_RIGHT);
    rc_table_column(t, "n", "nodes", "", RC_RIGHT);
    rc_table_text(t, "CP4, \"ring\"");
    rc_table_real(t, 11462.04321, 1);
    rc_table_int(t, 4);
    rc_table_textf(t, "TP%d", 8);
    rc_table_real(t, -0.01, 1);
    rc_table_missing(t);
    return t;
}

static char *written(rc_status (*write)(const rc_table *, FILE *, rc_error *), const rc_table *t) {
    char *buf = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&buf, &size);
    assert_non_null(f);
    assert_int_equal(write(t, f, NULL), RC_OK);
    assert_int_equal(fclose(f), 0);
    return buf;
}

static void text_form_marks_what_is_not_data(void **state) {
    (void)state;
    rc_table *t = sample();
    char *s = written(rc_table_print, t);
    assert_string_equal(s, "# TTFT of CP4\n"
                           "# config          TTFT  nodes\n"
                           "# -                 \xC2\xB5s      -\n"
                           "  CP4, \"ring\"  11462.0      4\n"
                           "  TP8              0.0      -\n"
                        /* -0.01 rounds to 0.0, without a sign */);
    free(s);
    rc_table_destroy(t);
    rc_table_destroy(NULL);
}

static void csv_form_quotes_and_keeps_digits(void **state) {
    (void)state;
    rc_table *t = sample();
    char *s = written(rc_table_csv, t);
    assert_string_equal(s, "config,ttft_us,n\n\"CP4, \"\"ring\"\"\",11462.04321,4\nTP8,-0.01,\n");
    rc_csv *c = NULL;
    assert_int_equal(rc_csv_parse("t", s, strlen(s), &c, NULL), RC_OK);
    assert_string_equal(rc_csv_text(c, 0, 0), "CP4, \"ring\"");
    assert_string_equal(rc_csv_text(c, 1, 2), "");
    rc_csv_close(c);
    free(s);
    rc_table_destroy(t);
}

static void json_form_is_a_list_of_objects(void **state) {
    (void)state;
    rc_table *t = sample();
    rc_json *j = rc_json_create();
    assert_int_equal(rc_table_json(t, j, rc_json_root(j), "rows", NULL), RC_OK);
    char *s = json_dumps(rc_json_root(j), JSON_COMPACT | JSON_REAL_PRECISION(10));
    assert_string_equal(s, "{\"rows\":[{\"config\":\"CP4, \\\"ring\\\"\",\"ttft_us\":11462.04321,"
                           "\"n\":4},{\"config\":\"TP8\",\"ttft_us\":-0.01,\"n\":null}]}");
    free(s);
    rc_json_destroy(j);
    rc_table_destroy(t);
}

static void failures_are_said_by_the_writers(void **state) {
    (void)state;
    EXPECT_ERROR(rc_table_print(NULL, stdout, &e), RC_E_NOMEM,
                 "out of memory while building a table");
    FILE *full = fopen("/dev/full", "w");
    if (full) {
        rc_table *t = sample();
        setbuf(full, NULL);
        EXPECT_ERROR(rc_table_print(t, full, &e), RC_E_IO, "cannot write the table");
        rc_table_destroy(t);
        fclose(full);
    }
}

static rc_csv *csv(const char *text) {
    rc_csv *c = NULL;
    rc_error e = {0};
    if (rc_csv_parse("p.csv", text, strlen(text), &c, &e) != RC_OK)
        fail_msg("%s", rc_error_text(&e, text_of, sizeof text_of));
    return c;
}

static void csv_is_read_by_name(void **state) {
    (void)state;
    rc_csv *c = csv("\xEF\xBB\xBF# Table 4, \"ms\"\r\n#\n\nP,T,note\r\n126720,1280,\"a, \"\"b\"\"\n"
                    "c\"\r\n\n0, 1,\n");
    size_t t = 9, note = 9, none = 9;
    int64_t v = 0;
    assert_int_equal(rc_csv_rows(c), 2);
    assert_int_equal(rc_csv_columns(c), 3);
    assert_string_equal(rc_csv_name(c, 1), "T");
    assert_string_equal(rc_csv_name(c, 3), "");
    assert_int_equal(rc_csv_column(c, "T", &t, NULL), RC_OK);
    assert_int_equal(t, 1);
    assert_true(rc_csv_find(c, "note", &note));
    assert_false(rc_csv_find(c, "none", &none));
    assert_int_equal(rc_csv_int(c, 0, t, 0, 1 << 20, &v, NULL), RC_OK);
    assert_true(v == 1280);
    assert_string_equal(rc_csv_text(c, 0, note), "a, \"b\"\nc");
    assert_string_equal(rc_csv_text(c, 1, t), " 1"); /* blanks are data */
    assert_string_equal(rc_csv_text(c, 1, note), "");
    assert_string_equal(rc_csv_text(c, 2, 0), "");
    assert_int_equal(rc_csv_line(c, 0), 5);
    assert_int_equal(rc_csv_line(c, 1), 8);
    assert_int_equal(rc_csv_line(c, 2), 0);
    rc_csv_close(c);
    rc_csv_close(NULL);
    c = csv("a\n1"); /* no line end at the end of the file */
    assert_int_equal(rc_csv_rows(c), 1);
    rc_csv_close(c);
    c = csv("a,b\n,\n\"\",\n");
    assert_int_equal(rc_csv_rows(c), 2);
    rc_csv_close(c);
}

static void refused(const char *text, size_t size, const char *expected) {
    rc_csv *c = (rc_csv *)text_of;
    rc_error e = {0};
    assert_int_equal(rc_csv_parse("p.csv", text, size, &c, &e), RC_E_INPUT);
    assert_null(c);
    assert_string_equal(rc_error_text(&e, text_of, sizeof text_of), expected);
}

static void csv_errors_name_the_place(void **state) {
    (void)state;
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"", "p.csv:1:1: the file has no header, expected a line of column names"},
        {"# only\n\n", "p.csv:3:1: the file has no header, expected a line of column names"},
        {"a,b\n1,2\n1,2,3\n", "p.csv:3:1: found 3 fields, expected 2 as in the header on line 1"},
        {"#\na,b\n1\n", "p.csv:3:1: found 1 fields, expected 2 as in the header on line 2"},
        {"a,b\n1,\"x\n\n", "p.csv:2:3: a quoted field is not closed"},
        {"a,b\n1,\"x\"y\n",
         "p.csv:2:6: text after a closing quote, expected a comma or the end of the line"},
        {"a,b\n\xC2\xB5,x\"y\n", "p.csv:2:4: a quote inside an unquoted field"},
        {"a,b\r1,2\n", "p.csv:1:4: a carriage return without a line feed"},
        {"a,b\n1,2\r", "p.csv:2:4: a carriage return without a line feed"},
        {"a,,b\n", "p.csv:1:3: the name of column 2 is empty"},
        {"a,b,a\n", "p.csv:1:5: column 'a' appears twice, first as column 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refused(rows[i].text, strlen(rows[i].text), rows[i].error);
    refused("a\n1\0", 4, "p.csv:2:2: a NUL character");
    char wide[3000];
    memset(wide, ',', sizeof wide);
    refused(wide, sizeof wide, "p.csv:1:1: more than 1024 columns");
}

static void csv_readers_say_what_was_expected(void **state) {
    (void)state;
    rc_csv *c = csv("context,rate\n128K,3 XB/s\n");
    size_t col = 0;
    int64_t i = 0;
    double v = 0;
    const char *const known[] = {"context", "rates", NULL}, *const other[] = {"context", NULL};
    EXPECT_ERROR(rc_csv_column(c, "contxt", &col, &e), RC_E_INPUT,
                 "p.csv:1:1: missing column 'contxt' (found 'context')");
    EXPECT_ERROR(rc_csv_column(c, "variant", &col, &e), RC_E_INPUT,
                 "p.csv:1:1: missing column 'variant'");
    EXPECT_ERROR(rc_csv_known(c, known, &e), RC_E_INPUT,
                 "p.csv:1:9: unknown column 'rate' (did you mean 'rates'?)");
    EXPECT_ERROR(rc_csv_known(c, other, &e), RC_E_INPUT, "p.csv:1:9: unknown column 'rate'");
    EXPECT_ERROR(rc_csv_int(c, 0, 0, 1, 1000, &i, &e), RC_E_INPUT,
                 "p.csv:2:1: column 'context': found '128K', expected a whole number from 1 to "
                 "1000");
    EXPECT_ERROR(rc_csv_quantity(c, 0, 1, RC_DIM_BANDWIDTH, 0, 1, &v, &e), RC_E_INPUT,
                 "p.csv:2:6: column 'rate': found '3 XB/s', expected a bandwidth such as 2.4TB/s");
    EXPECT_ERROR(rc_csv_quantity(c, 0, 0, RC_DIM_COUNT, 0, 1, &v, &e), RC_E_INPUT,
                 "p.csv:2:1: column 'context': found '128K', expected a count from 0 to 1");
    EXPECT_ERROR(rc_csv_fail(c, 0, 1, &e, RC_E_UNMODELLED, "no %s", "NIC"), RC_E_UNMODELLED,
                 "p.csv:2:6: column 'rate': no NIC");
    assert_int_equal(rc_csv_quantity(c, 0, 0, RC_DIM_COUNT, 0, 1e6, &v, NULL), RC_OK);
    assert_true(v == 128000);
    rc_csv_close(c);
    EXPECT_ERROR(rc_csv_open("no/such.csv", &c, &e), RC_E_IO,
                 "no/such.csv: cannot open: No such file or directory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_form_marks_what_is_not_data),
        cmocka_unit_test(csv_form_quotes_and_keeps_digits),
        cmocka_unit_test(json_form_is_a_list_of_objects),
        cmocka_unit_test(failures_are_said_by_the_writers),
        cmocka_unit_test(csv_is_read_by_name),
        cmocka_unit_test(csv_errors_name_the_place),
        cmocka_unit_test(csv_readers_say_what_was_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
