/* What tuning assumes of its callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/tune/tune_plots.h"

static rc_error err;
static rc_tune t; /* cleared by setup: a run of which nothing has been done */

static int setup(void **state) {
    (void)state;
    memset(&t, 0, sizeof t);
    return 0;
}

static void test_run(void **state) {
    (void)state;
    static rc_tune out;
    rc_tune_scenario s = {.degrees = 0};
    trips("s->degrees >= 1 && s->degrees <= RC_SELECT_DEGREES",
          (void)rc_tune_run(&s, NULL, NULL, 1, &out, &err));
    s.degrees = 1;
    trips("s->batches >= 1 && s->batches <= RC_SELECT_BATCHES",
          (void)rc_tune_run(&s, NULL, NULL, 1, &out, &err));
    s.batches = 1;
    trips("s->prices >= 1 && s->prices <= RC_SELECT_PRICES",
          (void)rc_tune_run(&s, NULL, NULL, 1, &out, &err));
}

static void test_times(void **state) {
    (void)state;
    rc_tune_timer timer = {.room = 1};
    rc_tune_axis axis = {1, 10, 4};
    double time;
    trips("variant >= 0 && variant < RC_TUNE_VARIANTS", (void)rc_tune_schedule(RC_TUNE_VARIANTS));
    trips("max_batch >= 1", (void)rc_tune_timer_open(NULL, NULL, &t.s.layout, 0, &timer, &err));
    trips("batch >= 1 && (size_t)batch <= c->room",
          (void)rc_tune_timer_time(&timer, 1, RC_TUNE_KV, 1, 0, 2, &time, &err));
    trips("n >= 1 && p >= 0",
          (void)rc_tune_timer_time(&timer, 1, RC_TUNE_KV, 1, -1, 1, &time, &err));
    trips("a->points >= 2 && i >= 0 && i < a->points", (void)rc_tune_axis_at(&axis, 4));
    axis.to = axis.from;
    trips("0 < a->from && a->from < a->to", (void)rc_tune_axis_at(&axis, 0));
    trips("cell < t->count && degree >= 0 && degree < t->s.degrees",
          (void)rc_tune_time_at(&t, 0, 0, 0));
    t.count = 1;
    t.s.degrees = 1;
    trips("variant >= 0 && variant < RC_TUNE_VARIANTS",
          (void)rc_tune_time_at(&t, 0, 0, RC_TUNE_VARIANTS));
}

static void test_grid(void **state) {
    (void)state;
    static rc_tune_cell cell;
    t.cells = &cell;
    trips("t->cells == NULL && t->time == NULL", (void)rc_tune_grid(&t, &err));
    trips("cell < t->count", (void)rc_tune_plot_shown(&t, 0));
    t.count = 1;
    t.s.fresh = (rc_tune_axis){1, 10, 4};
    trips("v >= a->from && v <= a->to", (void)rc_tune_plot_shown(&t, 0));
    const rc_tune_axis point = {1, 1, 1};
    trips("a->points > 1 && a->from < a->to", (void)rc_tune_plot_tile(&point));
    const rc_tune_plane empty = {1.0, 1.0, 1.0, 2.0, false};
    trips("p->x0 < p->x1 && p->y0 < p->y1", rc_tune_plot_frontier(&t, "none", &empty, 2, stdout));
}

static void test_rules(void **state) {
    (void)state;
    const rc_tune_rule table = {.origin = RC_TUNE_TABLE};
    double one = 0.0;
    trips("fresh > 0.0 && cached >= 0.0", (void)rc_tune_decide(&t, &table, 0.0, 0.0, 1, 2));
    trips("batch >= 1 && n >= 1", (void)rc_tune_decide(&t, &table, 1.0, 0.0, 0, 2));
    trips("hits <= n", (void)rc_tune_score_of(&one, &one, 1, 2));
    trips("draws >= 0", (void)rc_tune_expectation_of(&one, -1, 1, 0.0));
    trips("comparisons != NULL || count == 0", (void)rc_tune_refit(&t, NULL, 1, &err));
    t.s.bootstrap = -1;
    trips("t->s.bootstrap >= 0 && t->s.bootstrap <= MAX_DRAWS",
          (void)rc_tune_refit(&t, NULL, 0, &err));
}

/* The list of rules is made once: a second time it would not fit. */
static void test_list(void **state) {
    (void)state;
    rc_model *m = &t.s.model;
    rc_machine *machine = &t.s.machine;
    const char *share = getenv("RC_SOURCE_DIR");
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/scenarios/machines/gtt.yaml", share ? share : ".");
    assert_int_equal(rc_machine_load(path, machine, &err), RC_OK);
    (void)snprintf(path, sizeof path, "%s/models/llama-3.1-405b.json", share ? share : ".");
    assert_int_equal(rc_model_load(path, m, &err), RC_OK);
    assert_int_equal(rc_costs_open(NULL, machine, &t.costs, &err), RC_OK);
    t.s.layout.tp = 8;
    trips("t->s.degrees >= 1", (void)rc_tune_rates(&t));
    t.s.degrees = 1;
    t.s.degree[0] = 2;
    assert_int_equal(rc_tune_list_rules(&t, &err), RC_OK);
    trips("t->rules < RC_TUNE_RULES", (void)rc_tune_list_rules(&t, &err));
    rc_costs_close(t.costs);
}

static void test_tables(void **state) {
    (void)state;
    trips("t->s.knots >= 3 && t->s.knots <= RC_SELECT_KNOTS", (void)rc_tune_fit_table(&t, &err));
    t.s.knots = 3;
    t.s.bootstrap = -1;
    trips("t->s.bootstrap >= 0 && t->s.bootstrap <= MAX_BOOTSTRAP",
          (void)rc_tune_fit_table(&t, &err));
    trips("s->knots >= 1 && s->degrees >= 1 && s->batches >= 1 && s->prices >= 1",
          rc_tune_header(&t, stderr));
    t.rules = RC_TUNE_RULES + 1;
    trips("t->rules <= RC_TUNE_RULES && t->policies <= RC_TUNE_POLICIES",
          (void)rc_tune_document(&t));
}

static void test_frontiers(void **state) {
    (void)state;
    const double length[] = {2.0, 1.0};
    double star[2];
    rc_frontier f = {.length = length, .t = star, .lo = 1.0, .hi = 1.0};
    trips("points != NULL || count == 0", (void)rc_frontier_fit(NULL, 1, &f, &err));
    trips("f->knots >= 1 && f->knots <= RC_SELECT_KNOTS", (void)rc_frontier_fit(NULL, 0, &f, &err));
    f.knots = 2;
    trips("rising(f->length, f->knots)", (void)rc_frontier_fit(NULL, 0, &f, &err));
    f.knots = 1;
    trips("0.0 < f->lo && f->lo < f->hi", (void)rc_frontier_fit(NULL, 0, &f, &err));
}

static void test_crossings(void **state) {
    (void)state;
    rc_tune_timer timer = {0};
    double at;
    int side;
    trips("n >= 2", (void)rc_tune_cross(&timer, 1, 100, 1, 100, &at, &side, &err));
    trips("1 <= lo && lo < hi && lo < length",
          (void)rc_tune_cross(&timer, 2, 10, 16, 100, &at, &side, &err));
}

static void test_policies(void **state) {
    (void)state;
    rc_tune_requests r = {.rows = 1};
    trips("out->rows == 0", (void)rc_tune_serve(&t, &r, &err));
    t.s.prices = RC_SELECT_PRICES + 1;
    trips("t->s.prices <= RC_SELECT_PRICES", (void)rc_tune_policies(&t, &err));
    t.s.request_files = RC_TUNE_TRACES + 1;
    trips("t->s.request_files >= 0 && t->s.request_files <= RC_TUNE_TRACES",
          (void)rc_tune_requests_all(&t, &err));
}

static void test_sensitivity(void **state) {
    (void)state;
    static rc_tune_measured row;
    t.measured = &row;
    trips("t->measured == NULL", (void)rc_tune_measured_read(&t, "x.csv", 4, &err));
    t.s.sensitivity_total = 1000;
    trips("t->s.sensitivity_cp >= 2 && t->s.sensitivity_total > LEAST_T",
          (void)rc_tune_sensitivity(&t, &err));
    t.s.sensitivity_cp = 4;
    t.s.sensitivity_models = RC_TUNE_MODELS + 1;
    trips("t->s.sensitivity_models <= RC_TUNE_MODELS", (void)rc_tune_sensitivity(&t, &err));
    t.s.sensitivity_models = 0;
    t.variations = RC_TUNE_VARIATIONS;
    trips("t->variations < RC_TUNE_VARIATIONS", (void)rc_tune_sensitivity(&t, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_run, setup),
        cmocka_unit_test_setup(test_times, setup),
        cmocka_unit_test_setup(test_grid, setup),
        cmocka_unit_test_setup(test_rules, setup),
        cmocka_unit_test_setup(test_list, setup),
        cmocka_unit_test_setup(test_tables, setup),
        cmocka_unit_test_setup(test_frontiers, setup),
        cmocka_unit_test_setup(test_crossings, setup),
        cmocka_unit_test_setup(test_policies, setup),
        cmocka_unit_test_setup(test_sensitivity, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
