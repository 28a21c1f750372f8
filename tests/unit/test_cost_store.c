/* The store: CSV in, database out, database in; and every way a file can be wrong.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "tests/support/cost_store.h"

#define HEADER                                                                                     \
    "machine,gpu,state,op,variant,dtype,a,b,c,d,p10_s,p50_s,p90_s,samples,sm_mhz,power_w,temp_c,"  \
    "date,driver,cuda,nccl,kernel,commit,source\n"
#define ROW "m,g,burst,copy,,,1024,0,0,0,1e-6,2e-6,3e-6,5,,,,d,r,c,n,k,x,measured\n"

static rc_status parse(const char *text, rc_rows **out, rc_error *err) {
    return rc_store_parse_csv("t.csv", text, strlen(text), out, err);
}

static void refuses(const char *text, const char *want) {
    char got[1200];
    rc_rows *r = NULL;
    rc_error err = {0};
    rc_status st = parse(text, &r, &err);
    if (st == RC_OK)
        rc_rows_free(r);
    assert_int_equal(st, RC_E_INPUT);
    assert_string_equal(rc_error_text(&err, got, sizeof got), want);
}

static void test_csv_is_read(void **state) {
    (void)state;
    rc_rows *r = NULL;
    assert_int_equal(
        parse("# a comment\n" HEADER ROW
              "m,g,sustained,gemm,,fp8,1,2,3,0,1us,2us,3us,5,1700,650.5,60,d,r,c,n,k,x,"
              "\"published: who, what\"\n",
              &r, NULL),
        RC_OK);
    assert_int_equal(rc_rows_count(r), 2);
    const rc_row *x = rc_rows_at(r, 1);
    assert_string_equal(x->op, "gemm");
    assert_string_equal(x->source, "published: who, what");
    assert_true(x->c == 3 && fabs(x->p50 / 2e-6 - 1.0) < 1e-12 && x->power_w == 650.5);
    assert_true(isnan(rc_rows_at(r, 0)->sm_mhz));
    assert_null(rc_rows_at(r, 2));
    rc_rows_free(r);
}

static void test_csv_errors(void **state) {
    (void)state;
    refuses(HEADER "m,g,warm,copy,,,1,0,0,0,1e-6,2e-6,3e-6,5,,,,d,r,c,n,k,x,measured\n",
            "t.csv:2:5: column 'state': found 'warm', expected burst or sustained");
    refuses(HEADER "m,g,burst,coppy,,,1,0,0,0,1e-6,2e-6,3e-6,5,,,,d,r,c,n,k,x,measured\n",
            "t.csv:2:11: column 'op': unknown op 'coppy' (did you mean 'copy'?)");
    refuses(HEADER ",g,burst,copy,,,1,0,0,0,1e-6,2e-6,3e-6,5,,,,d,r,c,n,k,x,measured\n",
            "t.csv:2:1: column 'machine': found '', expected a name");
    refuses(HEADER "m,g,burst,copy,,,1,0,0,0,3e-6,2e-6,3e-6,5,,,,d,r,c,n,k,x,measured\n",
            "t.csv:2:26: column 'p10_s': found '3e-6', expected no more than p50_s");
    refuses(HEADER "m,g,burst,copy,,,1,0,0,0,1e-6,2e-6,1e-6,5,,,,d,r,c,n,k,x,measured\n",
            "t.csv:2:36: column 'p90_s': found '1e-6', expected no less than p50_s");
    refuses(HEADER "m,g,burst,copy,,,1,0,0,0,1e-6,2e-6,3e-6,5,,,,d,r,c,n,k,x,guessed\n",
            "t.csv:2:58: column 'source': found 'guessed', expected measured, 'published: ...' or "
            "'modelled: ...'");
    refuses("machine,gpu\nm,g\n", "t.csv:1:1: missing column 'state'");
}

static void test_round_trip(void **state) {
    (void)state;
    char path[512], again[512];
    rc_rows *rows = NULL, *one = NULL;
    assert_true(syn_write(syn_path(path, sizeof path, "store_a"), 0.01));
    assert_int_equal(rc_store_rows(path, NULL, &rows, NULL), RC_OK);
    assert_true(rc_rows_count(rows) > 300);
    (void)unlink(syn_path(again, sizeof again, "store_b"));
    assert_int_equal(rc_store_write(again, &rows, 1, NULL), RC_OK);
    char *x = NULL, *y = NULL;
    size_t nx = 0, ny = 0;
    FILE *f = fopen(path, "rb"), *g = fopen(again, "rb");
    assert_true(f != NULL && g != NULL);
    x = malloc(4u << 20), y = malloc(4u << 20);
    nx = fread(x, 1, 4u << 20, f), ny = fread(y, 1, 4u << 20, g);
    assert_true(nx == ny && nx > 0 && memcmp(x, y, nx) == 0); /* the same rows, the same bytes */
    (void)fclose(f), (void)fclose(g);
    free(x), free(y);
    assert_int_equal(rc_store_rows(path, "nobody", &one, NULL), RC_OK);
    assert_int_equal(rc_rows_count(one), 0);
    rc_rows_free(one);
    rc_rows_free(rows);
    rc_error err;
    assert_int_equal(rc_store_write(path, &rows, 0, &err), RC_E_IO);
    assert_string_equal(err.msg, "exists already; it is not overwritten");
    (void)unlink(path), (void)unlink(again);
}

static void test_two_measurements(void **state) {
    (void)state;
    char path[512];
    rc_rows *sets[2] = {NULL, NULL};
    rc_error err;
    assert_int_equal(parse(HEADER ROW, &sets[0], NULL), RC_OK);
    assert_int_equal(
        parse(HEADER "m,g,burst,copy,,,1024,0,0,0,1e-6,2.5e-6,3e-6,5,,,,e,r,c,n,k,y,measured\n",
              &sets[1], NULL),
        RC_OK);
    (void)unlink(syn_path(path, sizeof path, "store_two"));
    assert_int_equal(rc_store_write(path, sets, 2, &err), RC_E_INPUT);
    assert_string_equal(
        err.msg, "two measurements of the same point (machine m, burst, op copy, variant '', "
                 "dtype '', a=1024 b=0 c=0 d=0, source 'measured'): 2e-06 s (d, commit x) and "
                 "2.5e-06 s (e, commit y)");
    assert_int_not_equal(access(path, F_OK), 0); /* nothing half-written */
    rc_rows_free(sets[1]);
    sets[1] = sets[0]; /* the very same rows are one */
    assert_int_equal(rc_store_write(path, sets, 2, NULL), RC_OK);
    rc_rows_free(sets[0]);
    (void)unlink(path);
}

static void no_store(const char *path, rc_status want, const char *text) {
    rc_rows *r = NULL;
    rc_error err = {0};
    assert_int_equal(rc_store_rows(path, NULL, &r, &err), want);
    assert_string_equal(err.msg, text);
    assert_string_equal(err.file, path);
}

static void sql(const char *path, const char *text) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
}

static void write_text(const char *path, const char *text) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    (void)fclose(f);
}

static void test_wrong_databases(void **state) {
    (void)state;
    char path[512];
    (void)syn_path(path, sizeof path, "store_wrong");
    no_store("/nowhere/s.db", RC_E_IO,
             "cannot open the calibration store: no such file, or not readable");
    write_text(path, "machine,gpu\nthis is a CSV and not a database, and long enough to be read as "
                     "one: a header of SQLite has a hundred bytes.\n");
    no_store(path, RC_E_SCHEMA, "not a SQLite database; expected a calibration store");
    (void)unlink(path);
    sql(path, "CREATE TABLE t(x); PRAGMA application_id=7");
    no_store(path, RC_E_SCHEMA,
             "not a calibration store: application id 0x00000007, expected 0x52435354");
    assert_true(syn_write(path, 0.0));
    sql(path, "PRAGMA user_version=2");
    no_store(path, RC_E_SCHEMA,
             "calibration store of schema version 2; this program reads version 1");
    assert_true(syn_write(path, 0.0));
    sql(path, "DROP TABLE cost");
    no_store(path, RC_E_SCHEMA, "truncated or damaged calibration store (no such table: cost)");
    assert_true(syn_write(path, 0.0));
    sql(path, "UPDATE cost SET p10_s = 1e9 WHERE op = 'copy' AND a = 131072");
    no_store(
        path, RC_E_SCHEMA,
        "damaged calibration store: op copy a=131072 b=0 of machine h200-sxm has no valid times");
    (void)unlink(path);
}

/* Cut anywhere a store is refused as damaged, never read in part. */
static void test_truncated(void **state) {
    (void)state;
    char path[512];
    rc_rows *r = NULL;
    rc_error err;
    for (off_t keep = 100; keep < 60000; keep += 7777) {
        assert_true(syn_write(syn_path(path, sizeof path, "store_cut"), 0.0));
        assert_int_equal(truncate(path, keep), 0);
        assert_int_equal(rc_store_rows(path, NULL, &r, &err), RC_E_SCHEMA);
        if (strstr(err.msg, "truncated or damaged") == NULL && strstr(err.msg, "not a") == NULL)
            fail_msg("%s", err.msg);
    }
    (void)unlink(path);
}

static void test_embedded(void **state) {
    (void)state;
    rc_rows *r = NULL;
    size_t size = 0;
    assert_non_null(rc_store_embedded(&size));
    assert_true(size > 100000);
    assert_int_equal(rc_store_rows(NULL, "dgx-h100", &r, NULL), RC_OK);
    assert_int_equal(rc_rows_count(r), 270);
    assert_string_equal(rc_rows_at(r, 0)->source, "published: microsoft/vidur, DGX-H100");
    rc_rows_free(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv_is_read),     cmocka_unit_test(test_csv_errors),
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_two_measurements),
        cmocka_unit_test(test_wrong_databases), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_embedded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
