/* What-ifs that other layouts must keep, clusters of a bounded size, graphs that cannot remove a
 * synchronisation, and a pass so long that its sum over all GPUs passes 2^61 ps over the GPUs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/find.h"
#include "sim/choose/alternatives.h"
#include "sim/forward/scenario.h"

static rc_model model;
static rc_machine machine;
static rc_costs *costs;
static rc_layout layout = {.tp = 8, .cp = 4, .ffn_weights = RC_FP8};

static int setup(void **state) {
    (void)state;
    char path[1024];
    if (rc_share_path("models", "llama-3.1-405b", ".json", path, sizeof path, NULL) != RC_OK ||
        rc_model_load(path, &model, NULL) != RC_OK ||
        rc_share_path("scenarios/machines", "gtt", ".yaml", path, sizeof path, NULL) != RC_OK ||
        rc_machine_load(path, &machine, NULL) != RC_OK)
        return -1;
    return rc_costs_open(NULL, &machine, &costs, NULL) == RC_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    rc_costs_close(costs);
    return 0;
}

static rc_spec spec_of(const rc_sequence *s, int tp, int cp, const char *variant) {
    rc_spec spec = {.model = &model,
                    .costs = costs,
                    .layout = layout,
                    .phase = RC_PREFILL,
                    .schedule = rc_schedule_named(variant),
                    .seqs = s,
                    .seq_count = 1,
                    .eager = true,
                    .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
    spec.layout.tp = tp;
    spec.layout.cp = cp;
    return spec;
}

static double time_of(const rc_spec *spec) {
    rc_forward f;
    rc_error err = {0};
    if (rc_forward_run(spec, &f, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return f.time;
}

/* ---- another layout of slow hardware --------------------------------------------------------- */

static void same_layout_keeps_all(void **state) {
    (void)state;
    rc_what_if out, w = {.slow_rank = 3, .slow_speed = 0.5, .slow_link_rank = 2, .slow_link = 0.1};
    assert_null(rc_what_if_carry(&w, &layout, &layout, &out));
    assert_int_equal(out.slow_rank, 3);
    assert_int_equal(out.slow_link_rank, 2);
}

/* TP32 of the same GPUs waits for the slow eight at every all-reduce: all of it but the all-reduces
 * takes twice as long. */
static void one_group_waits_for_the_slow(void **state) {
    (void)state;
    rc_sequence s = {128000, 0};
    rc_spec spec = spec_of(&s, 32, 1, "tp");
    rc_forward healthy, slow;
    const rc_what_if w = {.slow_rank = 3, .slow_speed = 0.5, .slow_link_rank = -1};
    assert_int_equal(rc_forward_run(&spec, &healthy, NULL), RC_OK);
    assert_null(rc_what_if_carry(&w, &layout, &spec.layout, &spec.what_if));
    assert_int_equal(rc_forward_run(&spec, &slow, NULL), RC_OK);
    double compute = healthy.time - healthy.exposed_comm;
    assert_true(slow.time > healthy.time + 0.99 * compute);
    assert_true(slow.time < healthy.time + 1.01 * compute);
}

static void not_offered(void **state) {
    (void)state;
    const rc_layout one = {.tp = 8, .cp = 1, .ffn_weights = RC_FP8};
    const rc_layout all = {.tp = 32, .cp = 1, .ffn_weights = RC_FP8};
    const rc_what_if rank = {.slow_rank = 3, .slow_speed = 0.5, .slow_link_rank = -1};
    const rc_what_if link = {.slow_rank = -1, .slow_link_rank = 0, .slow_link = 0.1};
    const rc_what_if none = {.slow_rank = 3, .slow_speed = 1.0, .slow_link_rank = -1};
    rc_what_if out;
    assert_non_null(rc_what_if_carry(&rank, &layout, &one, &out));
    assert_non_null(rc_what_if_carry(&link, &layout, &one, &out));
    assert_non_null(rc_what_if_carry(&link, &layout, &all, &out));
    assert_null(rc_what_if_carry(&none, &layout, &one, &out)); /* at full speed nothing is slow */
}

/* ---- clusters of so many nodes --------------------------------------------------------------- */

static void nodes_of_ranks(void **state) {
    (void)state;
    assert_int_equal(rc_machine_nodes(&machine, 8, 4), 4);
    assert_int_equal(rc_machine_nodes(&machine, 32, 1), 4);
    assert_int_equal(rc_machine_nodes(&machine, 16, 3), 6);
    assert_int_equal(rc_machine_nodes(&machine, 2, 8), 2); /* four ranks share a node */
    assert_int_equal(rc_machine_nodes(&machine, 4, 3), 2);
    assert_int_equal(rc_machine_nodes(&machine, 1, 1), 1);
}

static rc_status time_on(int nodes, int tp, int cp, rc_error *err) {
    rc_machine small = machine;
    rc_costs *view = NULL;
    rc_sequence s = {128000, 0};
    rc_forward_timing out;
    rc_spec spec = spec_of(&s, tp, cp, cp > 1 ? "pass-kv" : "tp");
    small.max_nodes = nodes;
    assert_int_equal(rc_costs_view(costs, &small, &view, err), RC_OK);
    spec.costs = view;
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    rc_status st = rc_forward_time(ctx, &spec, &out, err);
    rc_forward_ctx_destroy(ctx);
    rc_costs_close(view);
    return st;
}

static void max_nodes_binds_cp_and_tp(void **state) {
    (void)state;
    rc_error err = {0};
    assert_int_equal(time_on(2, 8, 16, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "takes 16 nodes"));
    assert_non_null(strstr(err.msg, "at most 2"));
    assert_int_equal(time_on(2, 32, 1, &err), RC_E_INPUT);
    assert_int_equal(time_on(2, 8, 2, &err), RC_OK);
    assert_int_equal(time_on(0, 8, 16, &err), RC_OK); /* any number */
}

static void alternatives_stay_within(void **state) {
    (void)state;
    rc_machine small = machine;
    rc_costs *view = NULL;
    rc_alternative a[RC_ALTERNATIVES];
    rc_error err = {0};
    int count = 0;
    small.max_nodes = 2;
    assert_int_equal(rc_costs_view(costs, &small, &view, &err), RC_OK);
    assert_int_equal(rc_choose_alternatives(&model, view, &layout, 4, 8192, 0, 1, a, &count, &err),
                     RC_E_INPUT);
    assert_non_null(strstr(err.msg, "at most 2"));
    assert_int_equal(rc_choose_alternatives(&model, view, &layout, 2, 8192, 0, 1, a, &count, &err),
                     RC_OK);
    rc_costs_close(view);
}

/* ---- graphs ---------------------------------------------------------------------------------- */

/* With 3,200 new tokens the host's work at 4 ring steps of 126 layers, over 1.1 ms each, is most
 * of the pass. A graph saves launches and nothing else. */
static void a_graph_keeps_the_synchronisation(void **state) {
    (void)state;
    rc_sequence s = {3200, 124800};
    rc_spec spec = spec_of(&s, 8, 4, "pass-q");
    double eager = time_of(&spec), work = 4 * 126 * (machine.ring_step + machine.ring_step_cached);
    spec.eager = false;
    double graph = time_of(&spec);
    assert_true(graph > work && graph <= eager);
    assert_true(graph > 0.98 * eager);
    spec.unfold = true;
    assert_true(time_of(&spec) == graph);
}

/* ---- the longest pass that the fast path adds up --------------------------------------------- */

static void cp128_at_4096k_is_replayed(void **state) {
    (void)state;
    rc_sequence s = {4096000, 0};
    rc_spec spec = spec_of(&s, 8, 128, "pass-kv");
    rc_forward_timing whole, quarter;
    rc_error err = {0};
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    if (rc_forward_time(ctx, &spec, &whole, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(whole.path, RC_PATH_REPLAY);
    s.t /= 4;
    assert_int_equal(rc_forward_time(ctx, &spec, &quarter, &err), RC_OK);
    /* four times the tokens: between four and sixteen times the work */
    assert_true(whole.time > 4.0 * quarter.time && whole.time < 16.0 * quarter.time);
    rc_forward_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_layout_keeps_all),
        cmocka_unit_test(one_group_waits_for_the_slow),
        cmocka_unit_test(not_offered),
        cmocka_unit_test(nodes_of_ranks),
        cmocka_unit_test(max_nodes_binds_cp_and_tp),
        cmocka_unit_test(alternatives_stay_within),
        cmocka_unit_test(a_graph_keeps_the_synchronisation),
        cmocka_unit_test(cp128_at_4096k_is_replayed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
