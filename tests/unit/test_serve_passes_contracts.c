/* What pass times and their memo assume of their callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/serve/launched.c"
#include "sim/serve/passes_cells.c"
#include "sim/serve/source.c"
#include "tests/support/trips.h"

static rc_error err;

static rc_status no_time(void *ctx, const rc_pass *pass, rc_pass_cost *out, rc_error *e) {
    (void)ctx;
    (void)pass;
    (void)e;
    *out = (rc_pass_cost){.time = 0};
    return RC_OK;
}

static void test_memo(void **state) {
    (void)state;
    rc_passes *p = NULL;
    const rc_passes_like one = {1, 1}, none = {0, 1};
    rc_linear_costs off = {.on = false};
    const rc_pass empty = {0}, step = {.decodes = 1, .context = 10};
    rc_pass_cost cost;
    trips("source != NULL", (void)rc_passes_create(NULL, NULL, one, true, &p, &err));
    trips("like.grain >= 1 && like.batch >= 1",
          (void)rc_passes_create(no_time, NULL, none, true, &p, &err));
    assert_int_equal(rc_passes_create(no_time, NULL, one, true, &p, &err), RC_OK);
    trips("pass->prefills > 0 || pass->decodes > 0", (void)rc_passes_time(p, &empty, &cost, &err));
    trips("out->time > 0", (void)rc_passes_time(p, &step, &cost, &err));
    const rc_pass two = {.prefills = 2};
    trips("!keep || (pass->prefills <= 1 && !pass->contexts)",
          (void)rc_passes_ask(p, &two, true, &cost, &err));
    trips("c->on", (void)rc_pass_linear(&off, &step, &cost, &err));
    rc_linear_part beyond = {.costs = &off, .from = 0, .to = 3, .layers = 2};
    trips("l->from >= 0 && l->to > l->from && l->to <= l->layers",
          (void)rc_pass_linear_part(&beyond, &step, &cost, &err));
    const rc_family_at nowhere = {.dims = 0};
    bool done;
    trips("f->dims >= 1 && f->dims <= RC_CELL_DIMS",
          (void)rc_cells_time(p, &nowhere, &done, &cost, &err));
    rc_passes_destroy(p);
}

static void test_cells(void **state) {
    (void)state;
    trips("(unsigned)kind < RC_CELL_KINDS && dim >= 0 && dim < RC_CELL_DIMS",
          (void)scale_of(RC_CELLS_DECODE, RC_CELL_DIMS));
    trips("dims >= 1 && dims <= RC_CELL_DIMS", (void)power3(RC_CELL_DIMS + 1));
}

static void test_source(void **state) {
    (void)state;
    static const rc_serve s;
    rc_pass_forward *out = NULL, f = {.serve = &s};
    const rc_what_if none = {.slow_rank = -1, .slow_link_rank = -1};
    size_t count = 0;
    const rc_layout no_ranks = {.tp = 1}, one = {.tp = 1, .cp = 1};
    const rc_pool pool = {.tp = 1, .cp = 2};
    trips("cp >= 1 && cp <= p->cp", (void)rc_pool_layout(&s, &pool, 3));
    trips("layout->tp >= 1 && cp >= 1",
          (void)rc_pass_forward_create(&s, NULL, &no_ranks, NULL, NULL, &none, &out, &err));
    trips("schedule != NULL",
          (void)rc_pass_forward_create(&s, NULL, &one, NULL, NULL, &none, &out, &err));
    trips("limit >= 1.0", (void)entries_under(1.0, 0.0, 0.0));
    trips("s.t >= 1 && s.p >= 0", (void)add_prompt(&f, &count, (rc_sequence){0, 0}, &err));
}

static void test_launched(void **state) {
    (void)state;
    static const rc_serve s;
    const rc_pass step = {.decodes = 1, .context = 10}, half = {.decodes = 1, .rows = 1};
    trips("ranks >= 1", (void)rc_pass_launched(&s, &step, 0, 1));
    trips("pass->rows == 0 || pass->heaviest.rows >= 1", (void)rc_pass_launched(&s, &half, 2, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memo),
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_launched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
