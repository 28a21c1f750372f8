/* Rows on their way to a file: whole or not at all, refused when there, taken up after a kill.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/cost_row.c"
#include "calib/row_file.c"
#include "calib/row_file_db.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HEAD "# head\n"

static char dir[64];

static const char *name(const char *leaf) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, leaf);
    return path;
}

static rc_record row(int64_t a) {
    rc_record r;
    memset(&r, 0, sizeof r);
    rc_record_set(r.machine, sizeof r.machine, "m");
    rc_record_set(r.state, sizeof r.state, "burst");
    rc_record_set(r.op, sizeof r.op, "copy");
    rc_record_set(r.source, sizeof r.source, "measured");
    r.a = a;
    r.p10_s = r.p50_s = r.p90_s = 1e-6 * (double)a;
    r.sm_mhz = r.power_w = r.temp_c = (double)NAN;
    return r;
}

static int make_dir(void **state) {
    (void)state;
    strcpy(dir, "/tmp/rc_row_file_XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state) {
    (void)state;
    static const char *const leaves[] = {"a.csv",     "a.csv.part",    "a.db",
                                         "a.db.part", "a.db.part-wal", "a.db.part-shm"};
    for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++)
        (void)remove(name(leaves[i]));
    return rmdir(dir);
}

/* A store is named by the end of its name; an end alone is a name. */
static void test_kind_by_name(void **state) {
    static const struct {
        const char *name;
        bool is_db;
    } of[] = {{".db", false}, {"x.db", true}, {"xdb", false}, {"x.db.csv", false}};
    char *was = getcwd(NULL, 0);
    (void)state;
    assert_true(was && chdir(dir) == 0);
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        rc_row_file s;
        rc_error err = {0};
        assert_int_equal(rc_row_file_open(&s, of[i].name, HEAD, true, false, &err), RC_OK);
        assert_int_equal(s.is_db, of[i].is_db);
        rc_row_file_close(&s);
        if (of[i].is_db)
            rc_row_file_db_remove(&s);
        (void)remove(s.part);
    }
    assert_int_equal(chdir(was), 0);
    free(was);
}

static void test_csv_appears_whole(void **state) {
    (void)state;
    rc_row_file s;
    rc_error err = {0};
    rc_record r = row(1), *got = NULL;
    char *text = NULL;
    size_t size = 0, n = 0;
    assert_int_equal(rc_row_file_open(&s, name("a.csv"), HEAD, false, false, &err), RC_OK);
    assert_int_equal(rc_row_file_add(&s, &r, &err), RC_OK);
    assert_true(rc_row_file_has(&s, &r));
    assert_int_equal(access(name("a.csv"), F_OK), -1);
    assert_int_equal(access(name("a.csv.part"), F_OK), 0);
    assert_int_equal(rc_row_file_finish(&s, &err), RC_OK);
    rc_row_file_close(&s);
    assert_int_equal(access(name("a.csv.part"), F_OK), -1);
    assert_int_equal(rc_file_read(name("a.csv"), &text, &size, &err), RC_OK);
    assert_memory_equal(text, HEAD, strlen(HEAD));
    assert_int_equal(rc_records_parse("a.csv", text, size, &got, &n, &err), RC_OK);
    assert_int_equal(n, 1);
    free(got);
    free(text);
    assert_int_equal(rc_row_file_open(&s, name("a.csv"), HEAD, false, false, &err), RC_E_IO);
    assert_non_null(strstr(err.msg, "--force"));
    rc_row_file_close(&s);
    assert_int_equal(rc_row_file_open(&s, name("a.csv"), HEAD, true, false, &err), RC_OK);
    rc_row_file_close(&s);
}

/* A run killed in the middle of a line: what was whole is kept, and only that. */
static void test_resume(void **state) {
    (void)state;
    rc_row_file s;
    rc_error err = {0};
    rc_record one = row(1), two = row(2), three = row(3);
    assert_int_equal(rc_row_file_open(&s, name("a.csv"), HEAD, false, false, &err), RC_OK);
    assert_int_equal(rc_row_file_add(&s, &one, &err), RC_OK);
    assert_int_equal(rc_row_file_add(&s, &two, &err), RC_OK);
    fputs("m,,burst,copy,,,3,0", s.f);
    rc_row_file_close(&s);
    assert_int_equal(rc_row_file_open(&s, name("a.csv"), HEAD, false, false, &err), RC_E_IO);
    assert_non_null(strstr(err.msg, "--resume"));
    rc_row_file_close(&s);
    assert_int_equal(rc_row_file_open(&s, name("a.csv"), HEAD, false, true, &err), RC_OK);
    assert_int_equal(s.resumed, 2);
    assert_true(rc_row_file_has(&s, &one) && rc_row_file_has(&s, &two) &&
                !rc_row_file_has(&s, &three));
    rc_row_file_close(&s);
}

static int count(sqlite3 *db, const char *sql) {
    sqlite3_stmt *q = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int v = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    return v;
}

static void test_db(void **state) {
    (void)state;
    rc_row_file s;
    rc_error err = {0};
    sqlite3 *db = NULL;
    assert_int_equal(rc_row_file_open(&s, name("a.db"), HEAD, false, false, &err), RC_OK);
    for (int64_t a = 1; a <= 5; a++) {
        rc_record r = row(a);
        assert_int_equal(rc_row_file_add(&s, &r, &err), RC_OK);
    }
    assert_int_equal(rc_row_file_finish(&s, &err), RC_OK);
    rc_row_file_close(&s);
    assert_int_equal(sqlite3_open(name("a.db"), &db), SQLITE_OK);
    assert_int_equal(
        count(db, "SELECT count(*) FROM cost WHERE sm_mhz IS NULL AND a * 1e-6 = p50_s"), 5);
    assert_int_equal(count(db, "PRAGMA application_id"), RC_STORE_APPLICATION_ID);
    assert_int_equal(count(db, "PRAGMA user_version"), RC_STORE_SCHEMA_VERSION);
    sqlite3_close(db);
}

/* Killed between two rows: the store is there without FILE.db, opens, and is gone on with. */
static void test_db_resume(void **state) {
    (void)state;
    rc_row_file s;
    rc_error err = {0};
    sqlite3 *db = NULL;
    rc_record one = row(1), two = row(2);
    assert_int_equal(rc_row_file_open(&s, name("a.db"), HEAD, false, false, &err), RC_OK);
    assert_int_equal(rc_row_file_add(&s, &one, &err), RC_OK);
    assert_int_equal(sqlite3_open_v2(name("a.db.part"), &db, SQLITE_OPEN_READONLY, NULL),
                     SQLITE_OK);
    assert_int_equal(count(db, "SELECT count(*) FROM cost"), 1);
    sqlite3_close(db);
    rc_row_file_close(&s);
    assert_int_equal(rc_row_file_open(&s, name("a.db"), HEAD, false, false, &err), RC_E_IO);
    assert_non_null(strstr(err.msg, "--resume"));
    rc_row_file_close(&s);
    assert_int_equal(rc_row_file_open(&s, name("a.db"), HEAD, false, true, &err), RC_OK);
    assert_int_equal(s.resumed, 1);
    assert_true(rc_row_file_has(&s, &one) && isnan(s.rows[0].sm_mhz));
    assert_int_equal(rc_row_file_add(&s, &two, &err), RC_OK);
    assert_int_equal(rc_row_file_finish(&s, &err), RC_OK);
    rc_row_file_close(&s);
    assert_int_equal(sqlite3_open(name("a.db"), &db), SQLITE_OK);
    assert_int_equal(count(db, "SELECT count(*) FROM cost"), 2);
    sqlite3_close(db);
    assert_int_equal(access(name("a.db.part"), F_OK), -1);
}

/* A row that the schema refuses, or one that is there already, is not saved and not kept. */
static void test_db_refused(void **state) {
    (void)state;
    rc_row_file s;
    rc_error err = {0};
    rc_record zero = row(0), one = row(1); /* p50_s must be over 0 */
    assert_int_equal(rc_row_file_open(&s, name("a.db"), HEAD, false, false, &err), RC_OK);
    assert_int_equal(rc_row_file_add(&s, &zero, &err), RC_E_IO);
    assert_false(rc_row_file_has(&s, &zero));
    assert_int_equal(rc_row_file_add(&s, &one, &err), RC_OK);
    assert_int_equal(rc_row_file_add(&s, &one, &err), RC_E_IO);
    assert_int_equal(s.n, 1);
    rc_row_file_close(&s);
    assert_int_equal(access(name("a.db"), F_OK), -1);
    assert_int_equal(access(name("a.db.part"), F_OK), 0);
}

/* FILE.part that is some other program's database is refused, not written to. */
static void test_db_foreign(void **state) {
    (void)state;
    rc_row_file s;
    rc_error err = {0};
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(name("a.db.part"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE other (x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(rc_row_file_open(&s, name("a.db"), HEAD, false, true, &err), RC_E_SCHEMA);
    rc_row_file_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kind_by_name, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(test_csv_appears_whole, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(test_resume, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(test_db, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(test_db_resume, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(test_db_refused, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(test_db_foreign, make_dir, drop_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
