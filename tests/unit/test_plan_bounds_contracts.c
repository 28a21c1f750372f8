/* What the bounds and the space of a plan assume of their callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/plan/plan_bounds.c"
#include "sim/plan/plan_estimate.c"
#include "sim/plan/plan_passes.c"
#include "sim/plan/plan_space.c"
#include "tests/support/trips.h"

static rc_plan plan;
static rc_plan_class request = {0};
static rc_error err;

static void test_space(void **state) {
    (void)state;
    const rc_plan_option none = {.prefill = 0}, stranger = {.prefill = 1, .offer = 1};
    const rc_plan_outcome outcome = {.fits = true};
    rc_plan_option *options;
    size_t count;
    int tightest;
    plan = (rc_plan){.offer_count = 1};
    trips("o->prefill >= 1", (void)rc_plan_gpus(&none));
    trips("o->offer >= 0 && o->offer < p->offer_count", (void)rc_plan_price(&plan, &stranger));
    trips("o->pick >= 0 && o->pick < p->space.pick_count", (void)rc_plan_pick(&plan, &none, 1));
    trips("kind >= 0 && kind < RC_PLAN_KINDS", (void)rc_plan_kind_name(RC_PLAN_KINDS));
    trips("p->objective_count >= 1", (void)rc_plan_margin(&plan, &outcome, &tightest));
    trips("p->offer_count >= 1 && p->space.replicas.n >= 1",
          (void)plan_options(&plan, &options, &count, &err));
}

static void test_bounds(void **state) {
    (void)state;
    rc_plan_bounds *out;
    const rc_plan_load empty = {0}, one = {.classes = &request,
                                           .class_count = 1,
                                           .least = &request,
                                           .least_count = 1};
    const rc_plan_option stranger = {.prefill = 1, .tp = 1, .offer = 1}, none = {.prefill = 0};
    rc_plan_bound bound = {0};
    rc_pool pools[2];
    plan = (rc_plan){.offer_count = 0};
    trips("(unsigned)c < RC_CUT_COUNT", (void)rc_plan_cut_name(RC_CUT_COUNT));
    trips("p->offer_count >= 1 && p->offer_count <= RC_PLAN_OFFERS",
          (void)rc_plan_bounds_create(&plan, &empty, NULL, &out, &err));
    plan.offer_count = 1;
    trips("load->class_count >= 1 && load->least_count >= 1",
          (void)rc_plan_bounds_create(&plan, &empty, NULL, &out, &err));
    trips("p->serve != NULL", (void)rc_plan_bounds_create(&plan, &one, NULL, &out, &err));
    rc_plan_bounds *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->p = &plan;
    b->load = &one;
    trips("o->offer >= 0 && o->offer < b->p->offer_count",
          (void)rc_plan_bound_of(b, &stranger, &bound, &err));
    free(b);
    trips("scale >= 0.0", (void)rc_plan_estimate(&bound, -1.0));
    trips("o->prefill >= 1", (void)plan_pools(&plan, &none, pools));
}

static void test_passes(void **state) {
    (void)state;
    plan_passes x = {.p = &plan};
    const rc_plan_option stranger = {.prefill = 1, .tp = 1, .offer = 1},
                         odd = {.prefill = 1, .tp = 1, .kv = DTYPES};
    const rc_serve *serve;
    double seconds;
    plan = (rc_plan){.offer_count = 1};
    trips("o->offer >= 0 && o->offer < x->p->offer_count",
          (void)plan_passes_serve(&x, &stranger, &serve, &err));
    trips("o->kv >= 0 && o->kv < DTYPES", (void)plan_passes_serve(&x, &odd, &serve, &err));
    trips("count >= 1", (void)plan_prompts_time(&x, &stranger, NULL, 0, &seconds, &err));
    trips("decodes >= 1", (void)plan_step_time(&x, &stranger, 0, 1, 1, &seconds, &err));
}

static void test_queues(void **state) {
    (void)state;
    plan_layout layout = {0};
    trips("c >= 1.0", (void)mean_wait(0.0, 0.5, 1.0, 1.0));
    trips("mean > 0.0", (void)mean_wait(1.0, 0.5, 0.0, 0.0));
    trips("time > 0.0", plan_layout_add(&layout, &request, 0.0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_space),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_queues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
