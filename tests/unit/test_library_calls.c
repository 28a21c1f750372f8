/* libringcast: its numbers are those of the rooms, what is wrong is refused with words, and callers
 * of an older or a newer structure get along.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <ringcast/ringcast.h>
#include "sim/forward/scenario.h"
#include "sim/schedule/layer.h"

typedef struct both {
    ringcast_model *model;
    ringcast_machine *machine;
} both;

static int load(void **state) {
    static both b;
    const char *source = getenv("RC_SOURCE_DIR");
    if (source && setenv("RINGCAST_SHARE", source, 1) != 0)
        return -1;
    *state = &b;
    return ringcast_model_load("llama-3.1-405b", &b.model, NULL) == RINGCAST_OK &&
                   ringcast_machine_load("gtt", NULL, 0, &b.machine, NULL) == RINGCAST_OK
               ? 0
               : -1;
}

static int unload(void **state) {
    both *b = *state;
    ringcast_model_free(b->model);
    ringcast_machine_free(b->machine);
    return 0;
}

static ringcast_pass paper_pass(int cp) {
    ringcast_pass p;
    ringcast_pass_init(&p);
    p.cp = cp;
    p.new_tokens = 128000;
    p.ffn_weights = "fp8";
    return p;
}

/* The time of a scenario file, through the rooms. */
static double time_of(const char *scenario) {
    char path[1024];
    rc_scenario s;
    rc_costs *costs = NULL;
    rc_forward r;
    (void)snprintf(path, sizeof path, "%s/%s", ringcast_share_folder(), scenario);
    assert_int_equal(rc_scenario_load(path, NULL, 0, &s, NULL), RC_OK);
    assert_int_equal(rc_costs_open(NULL, &s.machine, &costs, NULL), RC_OK);
    rc_spec spec = rc_scenario_spec(&s, costs);
    assert_int_equal(rc_forward_run(&spec, &r, NULL), RC_OK);
    rc_costs_close(costs);
    rc_scenario_free(&s);
    return r.time;
}

static void test_same_numbers(void **state) {
    const both *b = *state;
    ringcast_forecast f = {.size = sizeof f};
    ringcast_pass p = paper_pass(4);
    double sum = 0.0;
    assert_int_equal(ringcast_forward(b->model, b->machine, &p, &f, NULL), RINGCAST_OK);
    assert_true(f.time == time_of("scenarios/paper/cp4-128k.yaml"));
    assert_true(f.p5 == f.time && f.p95 == f.time); /* no draws */
    for (int i = 0; i < RINGCAST_BASES; i++)
        sum += f.basis[i];
    assert_true(fabs(sum - 1.0) < 1e-9);
    assert_true(f.memory > 0.0 && f.memory < f.memory_of);

    p = paper_pass(1);
    p.decode = 1;
    p.new_tokens = 1;
    p.cached_tokens = 128000;
    assert_int_equal(ringcast_forward(b->model, b->machine, &p, &f, NULL), RINGCAST_OK);
    assert_true(f.time == time_of("scenarios/paper/tp8-128k-decode.yaml"));

    p = paper_pass(4);
    p.draws = 50;
    assert_int_equal(ringcast_forward(b->model, b->machine, &p, &f, NULL), RINGCAST_OK);
    assert_true(f.p5 < f.time && f.time < f.p95);
}

static void test_handles(void **state) {
    const both *b = *state;
    assert_string_equal(ringcast_model_name(b->model), "llama-3.1-405b");
    assert_true(fabs(ringcast_model_parameters(b->model) / 405.85e9 - 1.0) < 1e-4);
    assert_true(ringcast_model_active_parameters(b->model) == ringcast_model_parameters(b->model));
    assert_true(ringcast_model_weight_bytes(b->model) > 8.1e11);
    assert_true(ringcast_model_kv_bytes(b->model) == 2.0 * 2.0 * 126 * 8 * 128);
    assert_int_equal(ringcast_model_context(b->model), 131072);
    assert_string_equal(ringcast_machine_name(b->machine), "gtt");
    assert_int_equal(ringcast_machine_gpus_per_node(b->machine), 8);
    assert_true(ringcast_machine_memory_bytes(b->machine) > 96e9);
    assert_non_null(strstr(ringcast_machine_gpu(b->machine), "H100"));
    assert_string_equal(ringcast_basis_name(0), "measured");
    assert_null(ringcast_basis_name(RINGCAST_BASES));
}

static void test_changed_machine(void **state) {
    const both *b = *state;
    const char *const sets[] = {"ring_step=0", "ring_step_cached=0"};
    const char *const wrong[] = {"ring_stp=0"};
    ringcast_machine *other = NULL, *none = NULL;
    ringcast_error err;
    ringcast_forecast f = {.size = sizeof f}, g = {.size = sizeof g};
    ringcast_pass p = paper_pass(4);
    p.new_tokens = 4000;
    assert_int_equal(ringcast_machine_load("gtt", sets, 2, &other, NULL), RINGCAST_OK);
    assert_int_equal(ringcast_forward(b->model, b->machine, &p, &f, NULL), RINGCAST_OK);
    assert_int_equal(ringcast_forward(b->model, other, &p, &g, NULL), RINGCAST_OK);
    assert_true(g.time < 0.5 * f.time); /* host work of ring steps is most of a short prompt */
    ringcast_machine_free(other);
    assert_int_equal(ringcast_machine_load("gtt", wrong, 1, &none, &err), RINGCAST_E_INPUT);
    assert_null(none);
    assert_non_null(strstr(err.text, "ring_stp"));
}

static void test_refusals(void **state) {
    const both *b = *state;
    ringcast_model *none = NULL;
    ringcast_error err;
    ringcast_forecast f = {.size = sizeof f, .time = 7.0};
    ringcast_pass p = paper_pass(1);
    assert_int_equal(ringcast_model_load("llama3.1-405", &none, &err), RINGCAST_E_IO);
    assert_null(none);
    assert_non_null(strstr(err.text, "llama-3.1-405b")); /* what was meant */
    assert_int_equal(ringcast_model_load(NULL, &none, NULL), RINGCAST_E_INPUT);

    p.ffn_weights = "bf16"; /* 812 GB over 8 GPUs */
    assert_int_equal(ringcast_forward(b->model, b->machine, &p, &f, &err), RINGCAST_E_NOFIT);
    assert_int_equal(err.status, RINGCAST_E_NOFIT);
    assert_true(f.time == 7.0); /* left as it was */
    p.ffn_weights = "fp9";
    assert_int_equal(ringcast_forward(b->model, b->machine, &p, &f, &err), RINGCAST_E_INPUT);
    assert_non_null(strstr(err.text, "fp9"));
    p = paper_pass(2);
    p.variant = "ring-around";
    assert_int_equal(ringcast_forward(b->model, b->machine, &p, &f, &err), RINGCAST_E_INPUT);
    assert_non_null(strstr(err.text, "ring-around"));
    p.variant = NULL;
    p.tp = 0;
    assert_int_equal(ringcast_forward(b->model, b->machine, &p, &f, &err), RINGCAST_E_INPUT);
    p = paper_pass(2);
    p.new_tokens = 1; /* fewer than ranks */
    assert_int_equal(ringcast_forward(b->model, b->machine, &p, &f, &err), RINGCAST_E_INPUT);
    assert_int_equal(ringcast_forward(NULL, b->machine, &p, &f, NULL), RINGCAST_E_INPUT);
}

/* A caller that was compiled with fewer members, or with more. */
static void test_sizes(void **state) {
    const both *b = *state;
    struct {
        ringcast_forecast known;
        double more;
    } newer = {.known = {.size = sizeof newer}, .more = 3.0};
    ringcast_forecast older = {.size = offsetof(ringcast_forecast, mfu), .mfu = 9.0};
    ringcast_forecast forgotten = {0};
    ringcast_pass p = paper_pass(4), q = paper_pass(4);
    ringcast_error err;
    assert_int_equal(ringcast_forward(b->model, b->machine, &p, &newer.known, NULL), RINGCAST_OK);
    assert_true(newer.more == 3.0 && newer.known.size == sizeof newer);
    assert_int_equal(ringcast_forward(b->model, b->machine, &p, &older, NULL), RINGCAST_OK);
    assert_true(older.time == newer.known.time && older.mfu == 9.0);
    assert_int_equal(ringcast_forward(b->model, b->machine, &p, &forgotten, &err),
                     RINGCAST_E_INPUT);
    assert_non_null(strstr(err.text, "size"));
    q.size = offsetof(ringcast_pass, draws); /* knows neither draws nor seed: */
    q.draws = 1 << 30;                       /* what lies there is not looked at */
    assert_int_equal(ringcast_forward(b->model, b->machine, &q, &older, NULL), RINGCAST_OK);
    q.size = 0;
    assert_int_equal(ringcast_forward(b->model, b->machine, &q, &older, &err), RINGCAST_E_INPUT);
}

static void test_choice(void **state) {
    const both *b = *state;
    ringcast_choice c = {.size = sizeof c};
    ringcast_forecast f = {.size = sizeof f};
    ringcast_pass p = paper_pass(4);
    p.new_tokens = 4000;
    p.cached_tokens = 124000;
    assert_int_equal(ringcast_choose(b->model, b->machine, &p, &c, NULL), RINGCAST_OK);
    assert_string_equal(c.ring, "pass-q");
    p.variant = c.ring;
    assert_int_equal(ringcast_forward(b->model, b->machine, &p, &f, NULL), RINGCAST_OK);
    assert_true(f.time == c.ring_time);
    assert_true(c.fastest_time <= c.ring_time && c.fastest_cp >= 1 && c.fastest[0] != '\0');
    p = paper_pass(1);
    assert_int_equal(ringcast_choose(b->model, b->machine, &p, &c, NULL), RINGCAST_OK);
    assert_string_equal(c.ring, "");
    assert_true(isnan(c.ring_time) && c.fastest_cp == 1);
}

static void test_serving(void **state) {
    (void)state;
    const char *const sets[] = {"arrivals.requests=200"};
    ringcast_served r = {.size = sizeof r};
    ringcast_error err;
    assert_int_equal(ringcast_serve("scenarios/serve/mooncake.yaml", sets, 1, &r, NULL),
                     RINGCAST_OK);
    assert_int_equal(r.requests, 200);
    assert_int_equal(r.done + r.rejected + r.lost, 200);
    assert_true(r.ttft.p50 > 0.0 && r.ttft.p50 <= r.ttft.p95 && r.ttft.p95 <= r.ttft.p99);
    assert_true(r.within_slo <= r.done && r.goodput > 0.0 && r.cost > 0.0 && r.gpu_hours > 0.0);
    assert_int_equal(ringcast_serve("no-such.yaml", NULL, 0, &r, &err), RINGCAST_E_IO);
    assert_non_null(strstr(err.text, "no-such.yaml"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_numbers),    cmocka_unit_test(test_handles),
        cmocka_unit_test(test_changed_machine), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_sizes),           cmocka_unit_test(test_choice),
        cmocka_unit_test(test_serving),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
