/* What scenarios, rows, reports, curves and replications assume of their callers
 * (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/serve/inferencex.c"
#include "sim/serve/objectives.c"
#include "sim/serve/prometheus.c"
#include "sim/serve/rate_curve.c"
#include "sim/serve/request_rows.c"
#include "sim/serve/serve_arrivals.c"
#include "tests/support/trips.h"

static rc_error err;
static rc_serve spec;
static rc_serve_result result;

static void test_names(void **state) {
    (void)state;
    trips("(unsigned)r <= RC_TOO_LARGE", (void)rc_refusal_name((rc_refusal)(RC_TOO_LARGE + 1)));
    trips("(unsigned)o <= RC_LOST", (void)rc_outcome_name((rc_outcome)(RC_LOST + 1)));
    trips("(unsigned)r <= RC_POOL_DECODE",
          (void)rc_pool_role_name((rc_pool_role)(RC_POOL_DECODE + 1)));
}

static void test_scenario(void **state) {
    (void)state;
    rc_trace empty = {0};
    trips("doc != NULL", (void)rc_serve_read(NULL, NULL, 0, &spec, &err));
    trips("t->count >= 1", (void)reshape(&spec, 1, 0.0, &empty, &err));
}

static void test_rows(void **state) {
    (void)state;
    const rc_served pending = {.outcome = RC_PENDING};
    char label[2];
    const metric m = {.h = &result.ttft, .unit = 0.0, .bounds = gap_bounds};
    trips("r->outcome != RC_PENDING", (void)times_of(&pending));
    trips("rows != NULL || count == 0", (void)rc_serve_rows(NULL, 1, "r.csv", false, &err));
    trips("size > 2 * strlen(text)", (void)label_of("x", label, sizeof label, &err));
    trips("m->unit > 0.0", put_histogram(stdout, "m", &m));
}

static void test_reports(void **state) {
    (void)state;
    rc_json *j = rc_json_create();
    spec.pool_count = 0;
    trips("s->pool_count >= 1", (void)rc_serve_inferencex(&spec, &result, "r.json", false, &err));
    spec.pool_count = 1;
    trips("r->pool_count == s->pool_count",
          (void)rc_serve_print(&spec, &result, false, stdout, &err));
    trips("r->pool_count == s->pool_count", rc_serve_json(&spec, &result, j, rc_json_root(j)));
    rc_json_destroy(j);
}

static void test_objectives(void **state) {
    (void)state;
    const rc_objective none = {.share = 0.0}, all = {.share = 1.0};
    const rc_objective_result more = {.asked = 1, .kept = 2};
    const rc_served pending = {.outcome = RC_PENDING}, done = {.outcome = RC_DONE};
    static rc_serve two;
    two.objective_count = 2;
    trips("g->share > 0.0 && g->share <= 1.0", (void)rc_objective_rank(&none, 1));
    trips("r->kept <= r->asked", (void)rc_objective_met(&all, &more));
    trips("row->outcome != RC_PENDING", (void)objectives_count(&spec, &pending, &result));
    trips("out->objective_count == s->objective_count",
          (void)objectives_count(&two, &done, &result));
}

static void test_curves(void **state) {
    (void)state;
    double rates[RC_CURVE_POINTS];
    int count;
    rc_curve curve = {.serve = &spec};
    trips("text != NULL", (void)rc_curve_rates(NULL, 2, rates, &count, &err));
    trips("c->count >= 1", find_knee(&curve));
    trips("rate_count >= 1 && rate_count <= RC_CURVE_POINTS",
          (void)rc_curve_run(&curve, 1, rates, 0, NULL, 1, 1, &err));
    trips("curve_count >= 1 && curve_count <= RC_CURVE_LINES",
          (void)rc_curve_run(&curve, 0, rates, 1, NULL, 1, 1, &err));
}

static double nothing(const rc_serve_result *r) {
    (void)r;
    return 0.0;
}

static void test_replications(void **state) {
    (void)state;
    rc_replications none = {0};
    double mean, half;
    trips("count >= 1", (void)rc_replicate(&spec, NULL, 1.0, 0, 1, 1, false, &none, &err));
    trips("r->count >= 1", rc_replications_spread(&none, nothing, &mean, &half));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),        cmocka_unit_test(test_scenario),
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_reports),
        cmocka_unit_test(test_objectives),   cmocka_unit_test(test_curves),
        cmocka_unit_test(test_replications),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
