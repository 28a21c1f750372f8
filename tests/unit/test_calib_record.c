/* Rows: the columns are those of schema.h, and what is written reads back.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/cost_row.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static rc_record example(void) {
    rc_record r;
    memset(&r, 0, sizeof r);
    rc_record_set(r.machine, sizeof r.machine, "h200-sxm");
    rc_record_set(r.gpu, sizeof r.gpu, "NVIDIA H200");
    rc_record_set(r.state, sizeof r.state, "burst");
    rc_record_set(r.op, sizeof r.op, "gemm");
    rc_record_set(r.dtype, sizeof r.dtype, "fp8");
    r.a = 8192;
    r.b = 13312;
    r.c = 16384;
    r.p10_s = 0.00231561234567;
    r.p50_s = 0.00231861234567;
    r.p90_s = 0.00232761234567;
    r.samples = 7;
    r.sm_mhz = r.power_w = (double)NAN;
    r.temp_c = 56;
    rc_record_set(r.date, sizeof r.date, "2025-01-31T12:00:00Z");
    rc_record_set(r.driver, sizeof r.driver, "580.159.04");
    rc_record_set(r.cuda, sizeof r.cuda, "13.0");
    rc_record_set(r.kernel, sizeof r.kernel, "cublasLt-13.1.0");
    rc_record_set(r.commit, sizeof r.commit, "abc123");
    rc_record_set(r.source, sizeof r.source, "published: A, B \"quoted\"");
    return r;
}

/* `n` copies of a row as CSV text; the caller frees *text. */
static void written(const rc_record *r, int n, char **text, size_t *size) {
    FILE *f = open_memstream(text, size);
    assert_non_null(f);
    fputs("# a comment\n", f);
    assert_int_equal(rc_record_write_header(f, NULL), RC_OK);
    for (int i = 0; i < n; i++)
        assert_int_equal(rc_record_write(f, r, NULL), RC_OK);
    fclose(f);
}

static void test_columns(void **state) {
    (void)state;
    static const char *const names[] = {RC_STORE_COLUMNS};
    assert_int_equal(sizeof names / sizeof names[0], RC_STORE_NCOLUMNS);
    for (int i = 0; i < RC_STORE_NCOLUMNS; i++)
        assert_string_equal(rc_record_columns()[i].name, names[i]);
}

static void test_round_trip(void **state) {
    (void)state;
    rc_record r = example(), *got = NULL;
    rc_error err = {0};
    size_t size = 0, n = 0;
    char *text = NULL;
    written(&r, 3, &text, &size);
    assert_int_equal(rc_records_parse("x.csv", text, size, &got, &n, &err), RC_OK);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        assert_true(rc_record_same_point(&got[i], &r));
        assert_string_equal(got[i].source, r.source);
        assert_string_equal(got[i].date, r.date);
        assert_string_equal(got[i].nccl, "");
        assert_true(fabs(got[i].p50_s / r.p50_s - 1) < 1e-8);
        assert_int_equal(got[i].samples, 7);
        assert_true(isnan(got[i].sm_mhz) && isnan(got[i].power_w));
        assert_true(got[i].temp_c == 56);
    }
    free(got);
    free(text);
}

static void test_same_point(void **state) {
    (void)state;
    rc_record x = example(), y = example();
    y.p50_s *= 2;
    rc_record_set(y.date, sizeof y.date, "2026-01-01T00:00:00Z");
    assert_true(rc_record_same_point(&x, &y));
    y.d = 1;
    assert_false(rc_record_same_point(&x, &y));
    y = example();
    rc_record_set(y.state, sizeof y.state, "sustained");
    assert_false(rc_record_same_point(&x, &y));
}

static void test_bad_rows(void **state) {
    (void)state;
    rc_record r = example(), *got = NULL;
    rc_error err = {0};
    size_t size = 0, n = 0;
    char *text = NULL;
    written(&r, 1, &text, &size);
    char *at = strstr(text, "13312");
    assert_non_null(at);
    memcpy(at, "13x12", 5);
    assert_int_not_equal(rc_records_parse("x.csv", text, size, &got, &n, &err), RC_OK);
    assert_int_equal(err.line, 3);
    assert_null(got);
    memcpy(at, "13312", 5);
    at = strstr(text, "machine");
    memcpy(at, "machina", 7);
    assert_int_not_equal(rc_records_parse("x.csv", text, size, &got, &n, &err), RC_OK);
    assert_non_null(strstr(err.msg, "machine"));
    free(text);
}

/* A text as long as its column is read; a longer one is refused, and it is said how long it may be. */
static void test_long_texts(void **state) {
    (void)state;
    const rc_column *column = rc_record_columns();
    int seen = 0;
    for (int i = 0; i < RC_STORE_NCOLUMNS; i++) {
        if (column[i].kind != RC_COLUMN_TEXT)
            continue;
        for (size_t n = column[i].size - 1; n <= column[i].size; n++) {
            rc_record r = example(), *got = NULL;
            rc_error err = {0};
            size_t size = 0, count = 0;
            char *text = NULL, want[64], longer[4096], value[300];
            char *field = (char *)&r + column[i].offset;
            memset(field, 'q', column[i].size - 1); /* a mark that nothing else has */
            field[column[i].size - 1] = '\0';
            written(&r, 1, &text, &size);
            (void)snprintf(value, sizeof value, "%s", field);
            char *at = strstr(text, value);
            assert_non_null(at);
            (void)snprintf(longer, sizeof longer, "%.*s%s%s", (int)(at - text), text,
                           n == column[i].size ? "q" : "", at);
            const rc_status st =
                rc_records_parse("x.csv", longer, strlen(longer), &got, &count, &err);
            assert_int_equal(st, n == column[i].size ? RC_E_INPUT : RC_OK);
            (void)snprintf(want, sizeof want, "longer than %zu characters: \"qqq",
                           column[i].size - 1);
            if (st != RC_OK && !strstr(err.msg, want))
                fail_msg("%s: %s", column[i].name, err.msg);
            free(got);
            free(text);
            seen++;
        }
    }
    assert_true(seen > 10);
}

/* Every number at the ends of what its column takes; a quantity that is left out is none. */
static void test_numbers_at_their_ends(void **state) {
    static const struct {
        const char *text;
        bool whole, real; /* taken by a column of whole numbers, of quantities */
    } of[] = {{"0", true, true},
              {"4611686018427387903", true, false},
              {"4611686018427387904", false, false},
              {"1e18", true, true},
              {"1.01e18", true, false},
              {"-1", false, false},
              {"0.5", false, true},
              {"", false, true},
              {"x", false, false}};
    const rc_column *column = rc_record_columns();
    (void)state;
    for (int i = 0; i < RC_STORE_NCOLUMNS; i++)
        for (size_t k = 0; k < sizeof of / sizeof of[0] && column[i].kind != RC_COLUMN_TEXT; k++) {
            char text[2048] = "";
            rc_record *got = NULL;
            rc_error err = {0};
            size_t n = 0;
            for (int c = 0; c < RC_STORE_NCOLUMNS; c++)
                (void)strcat(strcat(text, c ? "," : ""), column[c].name);
            (void)strcat(text, "\n");
            for (int c = 0; c < RC_STORE_NCOLUMNS; c++)
                (void)strcat(strcat(text, c ? "," : ""), c == i ? of[k].text
                                                         : column[c].kind == RC_COLUMN_TEXT ? "t"
                                                                                            : "1");
            (void)strcat(text, "\n");
            const bool real = column[i].kind != RC_COLUMN_INT;
            rc_status st = rc_records_parse("x.csv", text, strlen(text), &got, &n, &err);
            if ((st == RC_OK) != (real ? of[k].real : of[k].whole))
                fail_msg("%s: '%s': %s", column[i].name, of[k].text, err.msg);
            if (st == RC_OK && of[k].text[0] == '\0')
                assert_true(
                    isnan(*(const double *)(const void *)((const char *)got + column[i].offset)));
            free(got);
        }
}

/* Two rows are of one point where all that a point is alike is alike: times, dates and who measured it on what do not matter. */
static void test_what_a_point_is(void **state) {
    static const char *const point[] = {"machine", "state",  "op",     "variant", "dtype",
                                        "a",       "b",      "c",      "d",       "source",
                                        "head_k",  "head_v", "window", "experts", "top_k"};
    const rc_column *column = rc_record_columns();
    (void)state;
    for (int i = 0; i < RC_STORE_NCOLUMNS; i++) {
        rc_record a = example(), b = example();
        char *field = (char *)&b + column[i].offset;
        bool is = false;
        if (column[i].kind == RC_COLUMN_TEXT)
            rc_record_set(field, column[i].size, "another");
        else if (column[i].kind == RC_COLUMN_INT)
            *(int64_t *)(void *)field = 12345;
        else
            *(double *)(void *)field = 12345;
        for (size_t k = 0; k < sizeof point / sizeof point[0]; k++)
            is = is || strcmp(point[k], column[i].name) == 0;
        if (rc_record_same_point(&a, &b) == is)
            fail_msg("%s", column[i].name);
    }
}

/* A file of schema 1 holds the same points: its heads are of 128 elements. */
static void test_columns_of_schema_1(void **state) {
    (void)state;
    static const char text[] =
        "machine,gpu,state,op,variant,dtype,a,b,c,d,p10_s,p50_s,p90_s,samples,sm_mhz,power_w,temp_"
        "c,"
        "date,driver,cuda,nccl,kernel,commit,source\n"
        "m,g,burst,decode,,bf16,4,4096,16,1,1e-5,1e-5,1e-5,9,,,,d,r,c,n,k,x,measured\n"
        "m,g,burst,gemm,,bf16,4,4096,16,0,1e-5,1e-5,1e-5,9,,,,d,r,c,n,k,x,measured\n";
    rc_record *old = NULL, *new = NULL;
    size_t n = 0, size = 0;
    char *again = NULL;
    assert_int_equal(rc_records_parse("x.csv", text, sizeof text - 1, &old, &n, NULL), RC_OK);
    assert_int_equal(n, 2);
    assert_true(old[0].head_k == 128 && old[0].head_v == 128 && old[0].window == 0);
    assert_true(old[1].head_k == 0 && old[1].experts == 0);
    written(&old[0], 1, &again, &size);
    assert_non_null(strstr(again, ",measured,128,128,0,0,0\n"));
    assert_int_equal(rc_records_parse("y.csv", again, size, &new, &n, NULL), RC_OK);
    assert_true(rc_record_same_point(&old[0], &new[0]));
    new[0].head_v = 64;
    assert_false(rc_record_same_point(&old[0], &new[0]));
    free(old);
    free(new);
    free(again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_same_point),
        cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_columns_of_schema_1),
        cmocka_unit_test(test_numbers_at_their_ends),
        cmocka_unit_test(test_what_a_point_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
