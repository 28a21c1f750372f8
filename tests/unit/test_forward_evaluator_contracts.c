/* What evaluating a pass assumes of its callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#define PROGRAMS_FAKE_COSTS
#include "tests/support/programs.h"

#include "sim/forward/pass_clock.h"
#include "sim/forward/path.h"
#include "sim/forward/pricing.h"
#include "sim/forward/scenario.h"

static fake_pass f;
static rc_forward_ctx *ctx;
static rc_replay *r;
static rc_error err;

static int setup(void **state) {
    (void)state;
    memset(&f, 0, sizeof f);
    prop_case c = {.state = 1, .size = 8};
    do
        fake_draw(&c, "pass-q", 6, 12, &f);
    while (f.spec.layout.cp == 1 || f.spec.phase != RC_PREFILL ||
           f.costs.machine.gpus_per_node > 1); /* of nodes of their own: with exchanges */
    ctx = rc_forward_ctx_create();
    return ctx == NULL || rc_evaluator_prepare(ctx, &f.spec, &r, &err) != RC_OK || r == NULL;
}

static int teardown(void **state) {
    (void)state;
    rc_forward_ctx_destroy(ctx);
    return 0;
}

static void test_staged(void **state) {
    (void)state;
    const rc_staging none = {.chunk = -1};
    const rc_time work = 1;
    rc_chunks c;
    rc_forward_timing t;
    int first;
    trips("stages >= 1 && chunks >= 1", (void)rc_pipeline_end(&work, &work, 0, 1, NULL));
    rc_stage_clock clock = {0, 0};
    rc_time end;
    trips("stages >= 1 && step >= 1", (void)rc_pipeline_pass(&clock, 0, 0, &work, &work, 1, &end));
    trips("chunk >= 1", (void)rc_chunks_of(&f.spec, 0, &c, &err));
    trips("how->chunk >= 0 && how->stages >= 0",
          (void)rc_staged_time(ctx, &f.spec, &none, &t, &err));
    trips("stages >= 1 && stage >= 0 && stage < stages",
          (void)rc_model_stage_layers(f.spec.model, &(rc_stages){.count = 2}, 2, &first));
}

static void test_spread(void **state) {
    (void)state;
    rc_elsewhere rest;
    size_t own;
    double flops;
    trips("groups >= 1 && count >= 1",
          (void)rc_spread_sequences(f.spec.model, 0, NULL, 1, &own, &rest, &flops, &err));
}

static void test_passes(void **state) {
    (void)state;
    rc_forward out;
    rc_forward_timing timing;
    rc_memory memory;
    rc_program p;
    rc_spec few = f.spec, none = f.spec, bare = f.spec;
    few.draws = -1;
    none.seqs = NULL;
    bare.schedule = NULL;
    trips("ctx != NULL && spec != NULL && out != NULL", rc_forward_run(NULL, &out, &err));
    trips("spec->draws >= 0", rc_forward_run(&few, &out, &err));
    trips("spec != NULL && program != NULL && sim != NULL",
          rc_forward_trace(&f.spec, &p, NULL, NULL, &err));
    trips("ctx != NULL && spec != NULL && out != NULL",
          rc_forward_time(NULL, &f.spec, &timing, &err));
    trips("ctx != NULL && spec != NULL && out != NULL",
          rc_evaluator_prepare(NULL, &f.spec, &r, &err));
    trips("ctx != NULL", rc_forward_ctx_forget(NULL));
    trips("spec->model != NULL && spec->costs != NULL && spec->schedule != NULL",
          rc_forward_check(&bare, &memory, &err));
    trips("spec->seqs != NULL || spec->seq_count == 0", rc_forward_check(&none, &memory, &err));
    f.spec.layout.cp = 0;
    int64_t bytes;
    trips("spec->layout.cp >= 1", rc_replay_room(&f.spec, &bytes, &err));
    rc_scenario s = {.schedule = NULL};
    trips("s->schedule != NULL && costs != NULL", (void)rc_scenario_spec(&s, &f.costs));
}

static void test_what_ifs(void **state) {
    (void)state;
    trips("m != NULL && s != NULL && cp >= 1",
          (void)rc_forward_caution(&f.costs.machine, NULL, 2, RC_PREFILL));
    trips("m != NULL && s != NULL && cp >= 1",
          (void)rc_forward_assumption(&f.costs.machine, NULL, 2, RC_PREFILL));
    trips("w != NULL && from != NULL && to != NULL && out != NULL",
          (void)rc_what_if_carry(&f.spec.what_if, &f.spec.layout, &f.spec.layout, NULL));
}

static void test_prices(void **state) {
    (void)state;
    rc_shape_cost cost;
    const rc_shape_cost *all;
    rc_shape s = {.kind = RC_T_ATTENTION, .calls = 1, .first_call = 1u << 30};
    trips("costs != NULL && p != NULL && s != NULL",
          rc_shape_price(&f.costs, NULL, &r->one, NULL, &cost, &err));
    trips("s->first_call + (size_t)s->calls <= p->call_count",
          rc_shape_price(&f.costs, NULL, &r->one, &s, &cost, &err));
    const rc_latent_call unnamed = {.op = NULL};
    rc_cost latent;
    trips("c != NULL && call != NULL && call->op != NULL && out != NULL",
          rc_call_memo_cost(NULL, &f.costs, &unnamed, &latent, &err));
    trips("m != NULL && spec != NULL && p != NULL",
          rc_pricing_all(NULL, &f.spec, &r->one, &all, &err));
    trips("spec != NULL && p != NULL && prices != NULL",
          rc_contend(&f.spec, &f.costs, &r->one, NULL));
    trips("spec != NULL && p != NULL && prices != NULL",
          rc_space_launches(&f.spec, &f.costs, &r->one, NULL));
    rc_program many = r->one;
    many.shape_count = (size_t)1 << 40;
    const rc_pace stopped = {0.0, NULL};
    rc_pricing *m = rc_pricing_create();
    trips("p->shape_count <= m->price_room",
          rc_pricing_at_pace(m, &f.spec, &many, (rc_pace){1.0, NULL}, &err));
    rc_pricing_destroy(m);
    trips("pace.clock > 0.0 && pace.clock <= 1.0", rc_shape_at_pace(stopped, &cost, &err));
    trips("prices != NULL", (void)rc_replay_price(r, &f.spec, NULL));
    r->works = false;
    trips("r->works", (void)rc_replay_price(r, &f.spec, r->prices));
    r->works = true;
}

static void test_clocks(void **state) {
    (void)state;
    rc_load load = {.memory = 0};
    rc_clock clock;
    rc_costs *slower = NULL;
    rc_spec at_clock = f.spec;
    const rc_pace half = {0.5, &f.costs.power};
    rc_pace pace;
    bool done;
    trips("power != NULL && ticks >= 0", (void)rc_clock_solve(&f.spec, &load, 1, &clock));
    trips("ctx != NULL && r != NULL", rc_evaluator_at_pace(ctx, &f.spec, NULL, half, &done, &err));
    f.costs.power.known = true;
    assert_int_equal(rc_costs_at_pace(&f.costs, half, &slower, &err), RC_OK);
    at_clock.costs = slower;
    trips("rc_costs_root(spec->costs) == spec->costs",
          rc_clock_of_pass(ctx, &at_clock, &clock, &pace, &err));
    rc_costs_close(slower);
    f.costs.power.known = false;
}

static void test_a_few_layers(void **state) {
    (void)state;
    rc_program two;
    rc_run run;
    rc_fold fold;
    bool steady;
    rc_request rq = rc_spec_request(&f.spec, 2);
    assert_int_equal(rc_build_program(&f.spec, &rq, &two, &err), RC_OK);
    assert_int_equal(rc_run_program(&f.spec, &f.costs, &two, NULL, &run, &err), RC_OK);
    trips("p->layers >= 3", rc_fold_of(&run, &fold, &steady, &err));
    rc_run_free(&run);
    rc_program_free(&two);
}

static void test_compiling(void **state) {
    (void)state;
    rc_replay x = {0};
    trips("r->one.layers_of != NULL && r->one.gpus_per_rank == 1", rc_replay_compile(&x, &err));
    x.one = r->one;
    x.one.groups = 0;
    for (size_t i = 0; i < x.one.task_count; i++)
        x.one.shapes[x.one.tasks[i].shape].kind = RC_T_COLLECTIVE;
    trips("g < p->groups", rc_replay_compile(&x, &err));
}

static void test_evaluating(void **state) {
    (void)state;
    rc_time ticks, most = -1, basis[RC_BASIS_COUNT] = {0};
    rc_own_work work;
    rc_ring_times times;
    rc_model odd = f.x.model;
    int layers;
    odd.kinds++;
    trips("r->works && section < t->section_count", (void)rc_replay_section(r, 9));
    trips("rows > 0 && r->width > 0", (void)rc_replay_reserve(r, 0));
    trips("row >= 0 && (size_t)row < r->history_room", (void)rc_replay_row(r, -1));
    trips("(size_t)m->kinds + 1 == r->one.layers_of->section_count",
          (void)rc_replay_run(r, &odd, NULL, &ticks, &layers));
    trips("section < t->section_count && times >= 0",
          rc_replay_work(r, &f.spec.what_if, 0, -1, &work));
    trips("section < t->section_count && basis != NULL", (void)rc_replay_exchanges(r, 9, basis));
    trips("section < t->section_count", (void)rc_replay_ring(r, 9, &times));
    const rc_layer_run run = {.length = 1, .times = 2};
    assert_true(r->exchanges);
    trips("!r->exchanges", (void)rc_replay_leap(r, &run, r->state, 1));
    r->exchanges = false;
    trips("most >= 0", (void)rc_replay_leap(r, &run, r->state, -1));
    r->exchanges = true;
    rc_ring none = {.n = 1}, two = {.n = 2};
    trips("k->n > 1", rc_ring_run(&none, &r->ring, NULL));
    const rc_ring both = {.n = 2, .waits = true, .serial = true};
    trips("!(k->waits && k->serial)", rc_ring_run(&both, &r->ring, NULL));
    trips("k->n > 1", rc_ring_drift(&none, NULL, NULL, &ticks));
    trips("*most >= 0", rc_ring_drift(&two, NULL, NULL, &most));
    trips("x->n > 1 && x->link_rate > 0.0",
          (void)rc_exchange_ends(&(rc_exchange){.n = 2}, &r->exchanged[0]));
}

static void test_paths(void **state) {
    (void)state;
    const rc_path p = {.r = r, .model = &f.x.model, .what_if = &f.spec.what_if};
    const rc_path_node node = {.op = RC_RING_NONE};
    trips("layer >= 0 && layer <= p->model->layers", (void)rc_path_section_of(&p, -1));
    trips("node->op != RC_RING_NONE", (void)rc_ring_path_shape(&p, &node));
}

static void test_records(void **state) {
    (void)state;
    const rc_time one = 1;
    rc_time state_of[1];
    rc_record empty = {.width = 0}, record = {.width = 1};
    trips("r->width > 0", (void)rc_record_evaluated(&empty, &one));
    assert_int_equal(rc_record_evaluated(&record, &one), 0);
    trips("rep == r->count - 1 && r->reps[rep].times == 0 && more >= 1",
          rc_record_leap(&record, 0, &one, &one, 0));
    trips("period >= 1 && period <= r->count", rc_record_repeat(&record, &one, &one, 2, 1));
    trips("!r->failed && rep >= 0 && rep < r->count", rc_record_begin(&record, 1, state_of));
    rc_record_free(&record);
}

static void test_counts(void **state) {
    (void)state;
    trips("!p->layers_of", (void)rc_program_counts(&r->one, 0));
    trips("p->layers_of && section < p->layers_of->section_count",
          (void)rc_template_counts(&r->one, 9));
    trips("p->layers_of && section < p->layers_of->section_count",
          (void)rc_template_tasks(&r->one, 9));
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(passes),    TEST(what_ifs),   TEST(prices), TEST(a_few_layers),
        TEST(compiling), TEST(evaluating), TEST(paths),  TEST(records),
        TEST(counts),    TEST(clocks),     TEST(spread), TEST(staged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
