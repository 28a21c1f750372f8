/* What the steps of reading axes and of naming columns assume of one another
 * (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/sweep/axes.c"
#include "sim/sweep/columns.c"
#include "sim/sweep/database_shard.c"
#include "tests/support/trips.h"

static rc_error err;

static void test_values(void **state) {
    (void)state;
    rc_arena *a = rc_arena_create();
    const sweep_key name = {.path = "model", .kind = SWEEP_NAME};
    sweep_value v;
    char text[64];
    sweep_axis x = {.key = {.kind = SWEEP_REAL}, .from = 1.0, .to = 2.0}, none = {.key = name};
    trips("k->kind == SWEEP_CHOICE", (void)read_value(NULL, &name, &v, &err));
    trips("points >= 1", (void)fill_range(a, &x, 0, 0.0, &err));
    x.to = 1.0;
    trips("x->to > x->from", (void)fill_range(a, &x, 2, 0.0, &err));
    trips("x->count > 0 || x->key.kind == SWEEP_INT || x->key.kind == SWEEP_REAL",
          (void)stand_in(&none, text, sizeof text));
    rc_arena_destroy(a);
}

static void test_keys(void **state) {
    (void)state;
    rc_doc *doc = NULL;
    char path[2 * PATH];
    memset(path, 'x', sizeof path);
    memcpy(path + PATH, ".y", 3);
    assert_int_equal(rc_doc_parse("s.yaml", "a: 1\n", 5, &doc, &err), RC_OK);
    trips("dot - path < PATH", (void)at_path(doc, path));
    trips("i < KEYS", (void)key_at(KEYS));
    for (size_t i = 0; i < KEYS; i++)
        assert_non_null(key_at(i).rule);
    rc_doc_close(doc);
}

static void test_columns(void **state) {
    (void)state;
    static rc_sweep s;
    const sweep_axis fixed = {.key = {.id = SWEEP_TP, .path = "parallel.tp"}};
    trips("own_column(x)", (void)column_name(&fixed));
    s.full = true;
    s.axis_count = SWEEP_AXES;
    for (size_t i = 0; i < SWEEP_AXES; i++)
        s.axes[i].key.id = SWEEP_SLOW_RANK;
    assert_true(sweep_columns_count(&s) <= MAX_COLUMNS); /* the widest table there can be */
    sweep_shard d = {.number = 0};
    const sweep_cursor c = {.s = &s};
    const rc_sweep_row row = {.point = 0}; /* of a sweep without points */
    trips("row->point >= 0 && row->point < c->s->points",
          (void)sweep_shard_put(&d, &c, &row, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
