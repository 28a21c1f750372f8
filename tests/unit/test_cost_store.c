/* The store: CSV in, database out, database in; and every way a file can be wrong.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "sim/cost/store_tools.h"
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
    sql(path, "PRAGMA user_version=3");
    no_store(path, RC_E_SCHEMA,
             "calibration store of schema version 3; this program reads versions 1 to 2");
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

/* What another program may write past the constraints of the store's schema: each of these alone is refused. */
static void test_insane_rows(void **state) {
    (void)state;
    static const char *const wrong[] = {"p10_s = 0",
                                        "p10_s = -1e-9",
                                        "p10_s = 2 * p50_s",
                                        "p90_s = p50_s / 2",
                                        "p10_s = -9e999",
                                        "p90_s = 9e999",
                                        "p50_s = 9e999, p90_s = 9e999",
                                        "a = -1",
                                        "b = -1",
                                        "c = -1",
                                        "d = -1",
                                        "head_k = -1",
                                        "head_v = -1",
                                        "window = -1",
                                        "experts = -1",
                                        "top_k = -1"};
    static const char *const right[] = {"p10_s = p50_s, p90_s = p50_s", "p10_s = 1e-300"};
    char path[512], change[256];
    (void)syn_path(path, sizeof path, "store_insane");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        rc_rows *rows = NULL;
        rc_error err = {0};
        assert_true(syn_write(path, 0.0));
        (void)snprintf(change, sizeof change,
                       "PRAGMA ignore_check_constraints = 1; UPDATE cost SET %s WHERE rowid = 7",
                       wrong[i]);
        sql(path, change);
        if (rc_store_rows(path, NULL, &rows, &err) != RC_E_SCHEMA)
            fail_msg("%s: %s", wrong[i], err.msg);
        assert_non_null(strstr(err.msg, "has no valid times"));
    }
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        rc_rows *rows = NULL;
        assert_true(syn_write(path, 0.0));
        (void)snprintf(change, sizeof change, "UPDATE cost SET %s WHERE rowid = 7", right[i]);
        sql(path, change);
        assert_int_equal(rc_store_rows(path, NULL, &rows, NULL), RC_OK);
        rc_rows_free(rows);
    }
    (void)unlink(path);
}

/* Another program writes to it: in use, which is no damage, and said at once. */
static void test_locked(void **state) {
    (void)state;
    char path[512];
    sqlite3 *other = NULL;
    rc_rows *rows = NULL;
    rc_error err = {0};
    assert_true(syn_write(syn_path(path, sizeof path, "test_cost_store_locked"), 0.0));
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(rc_store_rows(path, NULL, &rows, &err), RC_E_IO);
    assert_string_equal(err.msg, "in use: another program holds a lock on this calibration store");
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(rc_store_rows(path, NULL, &rows, &err), RC_OK);
    rc_rows_free(rows);
    (void)sqlite3_close(other);
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

#define HEADER_2                                                                                   \
    "machine,gpu,state,op,variant,dtype,a,b,c,d,p10_s,p50_s,p90_s,samples,sm_mhz,power_w,temp_c,"  \
    "date,driver,cuda,nccl,kernel,commit,source,head_k,head_v,window,experts,top_k\n"
#define TIMES "1e-6,2e-6,3e-6,5,,,,d,r,c,n,k,x,measured,"

static void test_sizes(void **state) {
    (void)state;
    rc_rows *r = NULL;
    assert_int_equal(parse(HEADER_2
                           "m,g,burst,attention,causal,fp8,1024,4096,16,1," TIMES "192,128,4096,,\n"
                           "m,g,burst,grouped_gemm,,fp8,4096,2048,7168,0," TIMES "0,0,0,32,8\n"
                           "m,g,burst,decode,,bf16,4,1024,16,1," TIMES ",,,,\n"
                           "m,g,burst,merge,,bf16,1024,4,0,0," TIMES "0,64,0,0,0\n"
                           "m,g,burst,copy,,,1024,0,0,0," TIMES "0,0,0,0,0\n",
                           &r, NULL),
                     RC_OK);
    const rc_row *x = rc_rows_at(r, 0);
    assert_true(x->head_k == 192 && x->head_v == 128 && x->window == 4096 && x->experts == 0);
    x = rc_rows_at(r, 1);
    assert_true(x->head_k == 0 && x->window == 0 && x->experts == 32 && x->top_k == 8);
    x = rc_rows_at(r, 2); /* not said: 128 */
    assert_true(x->head_k == 128 && x->head_v == 128);
    x = rc_rows_at(r, 3); /* a merge sees values alone */
    assert_true(x->head_k == 0 && x->head_v == 64);
    assert_true(rc_rows_at(r, 4)->head_k == 0);
    rc_rows_free(r);
    refuses(HEADER_2 "m,g,burst,gemm,,fp8,1,2,3,0," TIMES "128,0,0,0,0\n",
            "t.csv:2:70: column 'head_k': found '128', expected 0: op gemm has no such size");
    refuses(HEADER_2 "m,g,burst,merge,,bf16,1,2,0,0," TIMES "0,0,512,0,0\n",
            "t.csv:2:76: column 'window': found '512', expected 0: op merge has no such size");
    refuses(HEADER_2 "m,g,burst,ep_dispatch,normal,fp8,1,2048,8,1," TIMES "0,0,0,8,9\n",
            "the row of machine 'm', op 'ep_dispatch' has ranks 8, experts 8 and top_k 9, expected "
            "ranks of 1 or more and a top_k from 1 to the experts, 65536 at most");
    refuses(HEADER_2 "m,g,burst,ep_combine,normal,bf16,1,2048,0,1," TIMES "0,0,0,8,8\n",
            "the row of machine 'm', op 'ep_combine' has ranks 0, experts 8 and top_k 8, expected "
            "ranks of 1 or more and a top_k from 1 to the experts, 65536 at most");
}

static void same_rows(const rc_rows *a, const rc_rows *b) {
    assert_int_equal(rc_rows_count(a), rc_rows_count(b));
    for (size_t i = 0; i < rc_rows_count(a); i++) {
        const rc_row *x = rc_rows_at(a, i), *y = rc_rows_at(b, i);
        assert_string_equal(x->op, y->op);
        assert_true(x->a == y->a && x->b == y->b && x->c == y->c && x->d == y->d);
        assert_int_equal(rc_row_sizes_order(x, y), 0);
        assert_true(x->p10 == y->p10 && x->p50 == y->p50 && x->p90 == y->p90);
    }
}

/* A store that schema 1 wrote, and the CSV that it was written from. */
static void test_schema_1(void **state) {
    (void)state;
    const char *root = getenv("RC_SOURCE_DIR");
    char db[1024], csv[1024];
    rc_rows *stored = NULL, *read = NULL;
    (void)snprintf(db, sizeof db, "%s/tests/data/stores/schema-1.db", root ? root : ".");
    (void)snprintf(csv, sizeof csv, "%s/tests/data/stores/schema-1.csv", root ? root : ".");
    assert_int_equal(rc_store_rows(db, NULL, &stored, NULL), RC_OK);
    assert_int_equal(rc_store_read_csv(csv, &read, NULL), RC_OK);
    assert_int_equal(rc_rows_count(stored), 7);
    same_rows(stored, read);
    for (size_t i = 0; i < rc_rows_count(stored); i++) {
        const rc_row *x = rc_rows_at(stored, i);
        bool keys = strcmp(x->op, "attention") == 0 || strcmp(x->op, "decode") == 0 ||
                    strcmp(x->op, "rotary_kv") == 0;
        assert_int_equal(x->head_k, keys ? 128 : 0);
        assert_int_equal(x->head_v, keys || strcmp(x->op, "merge") == 0 ? 128 : 0);
    }
    rc_rows_free(stored);
    rc_rows_free(read);
}

/* A store and a CSV keep the sizes; a CSV has their columns only where a row needs them. */
static void test_sizes_are_kept(void **state) {
    (void)state;
    char path[512], *text = NULL;
    size_t size = 0;
    rc_rows *r = NULL, *back = NULL;
    FILE *f = open_memstream(&text, &size);
    assert_int_equal(parse(HEADER_2
                           "m,g,burst,attention,full,bf16,1024,4096,16,1," TIMES "192,128,512,,\n"
                           "m,g,burst,grouped_gemm,,fp8,4096,2048,7168,0," TIMES "0,0,0,32,8\n",
                           &r, NULL),
                     RC_OK);
    (void)unlink(syn_path(path, sizeof path, "store_sizes"));
    assert_int_equal(rc_store_write(path, &r, 1, NULL), RC_OK);
    assert_int_equal(rc_store_rows(path, NULL, &back, NULL), RC_OK);
    same_rows(r, back);
    rc_rows_free(back);
    (void)unlink(path);
    assert_int_equal(rc_rows_write_csv(r, f, NULL), RC_OK);
    (void)fclose(f);
    assert_int_equal(parse(text, &back, NULL), RC_OK);
    same_rows(r, back);
    rc_rows_free(back);
    rc_rows_free(r);
    free(text);
    text = NULL;
    f = open_memstream(&text, &size);
    assert_int_equal(parse(HEADER ROW, &r, NULL), RC_OK);
    assert_int_equal(rc_rows_write_csv(r, f, NULL), RC_OK);
    (void)fclose(f);
    assert_memory_equal(text, HEADER, strlen(HEADER));
    rc_rows_free(r);
    free(text);
}

static void add_copy(rc_rows *rows, const char *state, int64_t bytes, double t) {
    syn_store s = {.rows = rows, .noise = 0.0, .seed = 1};
    syn_add(&s, "m", state, "copy", "", "", bytes, 0, 0, 0, t, "measured");
    assert_false(s.failed);
}

/* Three sizes in both, of times 1.1, 1 and 0.5: the middle one is as long, the middle difference is 10 %, and between it
 * and 50 % lies the 95th percentile, nine tenths of the way. One size is only in the first, two only in the second; other
 * states are lines of their own. */
static void test_diff(void **state) {
    (void)state;
    rc_rows *a, *b;
    rc_diff *d = NULL;
    size_t n = 0;
    rc_error err = {0};
    assert_int_equal(rc_rows_create(&a, &err), RC_OK);
    assert_int_equal(rc_rows_create(&b, &err), RC_OK);
    add_copy(a, "burst", 1024, 1e-6);
    add_copy(b, "burst", 1024, 1.1e-6);
    add_copy(a, "burst", 2048, 2e-6);
    add_copy(b, "burst", 2048, 2e-6);
    add_copy(a, "burst", 4096, 4e-6);
    add_copy(b, "burst", 4096, 2e-6);
    add_copy(a, "burst", 8192, 1e-6);
    add_copy(b, "burst", 16384, 1e-6);
    add_copy(b, "burst", 32768, 1e-6);
    add_copy(a, "sustained", 1024, 1e-6);
    add_copy(b, "sustained", 2048, 1e-6);
    assert_int_equal(rc_rows_diff(a, b, &d, &n, &err), RC_OK);
    assert_int_equal(n, 2);
    assert_string_equal(d[0].op, "copy");
    assert_string_equal(d[0].state, "burst");
    assert_null(d[0].transport);
    assert_int_equal(d[0].both, 3);
    assert_int_equal(d[0].only_a, 1);
    assert_int_equal(d[0].only_b, 2);
    assert_true(fabs(d[0].median_ratio - 1.0) < 1e-12);
    assert_true(fabs(d[0].median_pct - 10.0) < 1e-9);
    assert_true(fabs(d[0].p95_pct - 46.0) < 1e-9);
    assert_string_equal(d[1].state, "sustained");
    assert_true(d[1].both == 0 && d[1].only_a == 1 && d[1].only_b == 1 && isnan(d[1].median_ratio));
    free(d);
    rc_rows_free(a);
    rc_rows_free(b);
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
        cmocka_unit_test(test_wrong_databases), cmocka_unit_test(test_insane_rows),
        cmocka_unit_test(test_locked),          cmocka_unit_test(test_diff),
        cmocka_unit_test(test_truncated),       cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_schema_1),        cmocka_unit_test(test_sizes_are_kept),
        cmocka_unit_test(test_embedded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
