/* What the files of a sweep assume of one another (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/sweep/database.h"
#include "sim/sweep/dispatch.h"
#include "tests/support/trips.h"

#define SWEEP                                                                                      \
    "scenario: s\nmodel: llama-3.1-405b\nmachine: h200-sxm\nphase: prefill\n"                      \
    "parallel: {tp: 8, cp: 2, variant: pass-kv}\ntokens: {new: [4K, 8K], cached: 0}\n"

static rc_error err;

static rc_sweep *two_points(void) {
    rc_doc *doc = NULL;
    rc_sweep *s = NULL;
    assert_int_equal(rc_doc_parse("s.yaml", SWEEP, strlen(SWEEP), &doc, &err), RC_OK);
    assert_int_equal(rc_sweep_read(doc, NULL, 0, NULL, &s, &err), RC_OK);
    rc_doc_close(doc);
    return s;
}

static void test_reading(void **state) {
    (void)state;
    rc_sweep *s = NULL;
    rc_doc *doc = NULL;
    assert_int_equal(rc_doc_parse("s.yaml", SWEEP, strlen(SWEEP), &doc, &err), RC_OK);
    trips("doc != NULL", (void)rc_sweep_read(NULL, NULL, 0, NULL, &s, &err));
    trips("sets != NULL || set_count == 0", (void)rc_sweep_read(doc, NULL, 1, NULL, &s, &err));
    trips("bytes != NULL || size == 0", (void)sweep_hash(0, NULL, 1));
    trips("count <= SWEEP_AXES", (void)sweep_axis_find(NULL, SWEEP_AXES + 1, SWEEP_TP));
    rc_doc_close(doc);
}

static void test_points(void **state) {
    (void)state;
    rc_sweep *s = two_points(), empty = {.max_batch = 0};
    sweep_cursor c;
    trips("s->max_batch >= 1", (void)sweep_cursor_init(&c, &empty, &err));
    empty.max_batch = 1;
    trips("s->axis_count >= 1", (void)sweep_cursor_init(&c, &empty, &err));
    assert_int_equal(sweep_cursor_init(&c, s, &err), RC_OK);
    trips("point >= 0 && point < s->points", (void)sweep_cursor_at(&c, 2, &err));
    s->model_count = 0;
    s->axes[0].key.id = SWEEP_MODEL;
    trips("v.i >= 0 && (size_t)v.i < c->s->model_count", (void)sweep_cursor_at(&c, 0, &err));
    s->axes[0].key.id = SWEEP_NEW;
    s->model_count = 1;
    size_t costs = s->cost_count;
    s->cost_count = 0;
    trips("machine * s->combos + combo < s->cost_count", (void)sweep_cursor_at(&c, 0, &err));
    s->cost_count = costs;
    s->base.seq_count = 0; /* an empty batch */
    trips("c->batch >= 1 && c->batch <= c->s->max_batch", (void)sweep_cursor_at(&c, 0, &err));
    s->base.seq_count = 1;
    sweep_cursor_free(&c);
    rc_sweep_free(s);
}

static void test_pending(void **state) {
    (void)state;
    sweep_points p;
    int64_t first;
    trips("count >= 1", (void)sweep_points_init(&p, 0, NULL, &err));
    unsigned char taken[1] = {0};
    p = (sweep_points){.count = 4, .left = 4, .taken = taken};
    trips("workers >= 1", (void)sweep_points_next(&p, 0, &first));
    p.left = 0; /* though none is taken */
    trips("n <= p->left", (void)sweep_points_next(&p, 1, &first));
    p.next = -1;
    trips("i >= 0 && i < p->count", (void)sweep_points_next(&p, 1, &first));
}

static void test_database(void **state) {
    (void)state;
    rc_sweep *s = two_points();
    const rc_sweep_options opt = {.out = "/nonexistent/s.db"}, nowhere = {.out = NULL};
    rc_sweep_report report;
    sweep_db d = {0};
    char path[SWEEP_PATH];
    const int none[] = {-1};
    const rc_ranks alone = {.size = 1}, nobody = {.rank = 1, .size = 1};
    const sweep_job idle = {.s = s};
    trips("d->db != NULL", (void)sweep_db_error(&d, &err));
    trips("path[0] != '\\0'", (void)sweep_db_open(&d, "", &err));
    trips("first >= 0", (void)sweep_db_new_file(opt.out, "shard", -1, path, &err));
    trips("s <= RC_SWEEP_REFUSED",
          (void)sweep_status_name((rc_sweep_status)(RC_SWEEP_REFUSED + 1)));
    trips("count >= 1", (void)sweep_merge(s, &opt, none, 0, &report, &err));
    trips("number >= 0", (void)sweep_merge(s, &opt, none, 1, &report, &err));
    trips("opt->out != NULL", (void)rc_sweep_run(s, &alone, &nowhere, &report, &err));
    trips("ranks->rank >= 0 && ranks->rank < ranks->size",
          (void)rc_sweep_run(s, &nobody, &opt, &report, &err));
    trips("j->next != NULL", (void)sweep_work(&idle, NULL, NULL, &err));
    rc_sweep_free(s);
}

/* Rows that go into a database in memory. */
static void test_rows(void **state) {
    (void)state;
    rc_sweep *s = two_points();
    sweep_cursor c;
    sweep_db d = {0};
    sqlite3_stmt *q = NULL;
    const rc_sweep_row row = {0};
    assert_int_equal(sweep_cursor_init(&c, s, &err), RC_OK);
    assert_int_equal(sweep_cursor_at(&c, 0, &err), RC_OK);
    assert_int_equal(sqlite3_open(":memory:", &d.db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(d.db, "SELECT ?1", -1, &q, NULL), SQLITE_OK);
    trips("sqlite3_bind_parameter_count(q) == sweep_columns_count(c->s)",
          sweep_columns_bind(q, &c, &row));
    (void)sqlite3_finalize(q);
    s->text = NULL;
    trips("value != NULL", (void)sweep_db_create(&d, s, &err));
    (void)sqlite3_close(d.db);
    sweep_cursor_free(&c);
    rc_sweep_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading), cmocka_unit_test(test_points),
        cmocka_unit_test(test_pending), cmocka_unit_test(test_database),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
