/* What schedules, and the pieces that they are made of, assume of their callers
 * (tests/support/trips.h). Forms of layers: test_schedule_layers_contracts.c.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/schedule/pass_memory.h"
#include "sim/schedule/program_size.c" /* for what it assumes within */

static rc_error err;
static rc_model model;
static rc_sequence sequence = {100, 0};
static rc_program program;
static rc_request rq;
static rc_builder b;

static void silent(rc_builder *unused) {
    (void)unused;
}

static int eight_ranks(int kv_heads, const rc_layout *l) {
    (void)kv_heads, (void)l;
    return 8;
}

/* Not of the table. */
static const rc_schedule own = {.name = "own",
                                .phases = RC_PHASE_BIT(RC_PREFILL),
                                .many_ranks = true,
                                .attention = silent,
                                .kv_ranks = eight_ranks};

static const rc_schedule over_cp = {.name = "over-cp", .groups = RC_OVER_CP};

static int setup(void **state) {
    (void)state;
    model = (rc_model){.hidden = 64, .vocab = 100, .layers = 1, .kinds = 1, .runs = 1};
    model.kind[0] = (rc_layer_kind){
        .form = "dense", .heads = 8, .kv_heads = 4, .head_dim = 16, .value_dim = 16, .ffn = 64};
    model.run[0] = (rc_layer_run){.length = 1, .times = 1};
    program = (rc_program){.gpus = 2, .gpus_per_rank = 1};
    rq = (rc_request){.model = &model,
                      .schedule = &own,
                      .layout = {.tp = 1, .cp = 2},
                      .nodes_per_rank = 1,
                      .seqs = &sequence,
                      .seq_count = 1};
    b = (rc_builder){.p = &program, .rq = &rq, .n = 2, .g = 1, .hq = 8, .hkv = 4, .prompts_end = 1};
    return 0;
}

static void test_table(void **state) {
    (void)state;
    char text[8];
    trips("i >= 0", (void)rc_schedule_at(-1));
    trips("i >= 0", (void)rc_schedule_many_at(-1));
    trips("i < COUNT", (void)rc_schedule_index(&own));
    trips("s && cp >= 1", (void)rc_schedule_takes(&own, RC_PREFILL, 0));
    trips("s && cp >= 1", (void)rc_schedule_on(NULL, 2));
    trips("s && cp >= 1", (void)rc_schedule_decoding(&own, 0));
    trips("s && cp >= 1", (void)rc_schedule_dealt(&own, 0));
    trips("tp >= 1", (void)rc_schedule_most_dcp(&model, 0));
    trips("name", (void)rc_schedule_named(NULL));
    trips("size > 0", (void)rc_schedule_list(0, text, 0));
}

static void test_requests(void **state) {
    (void)state;
    const rc_request nothing = {0};
    trips("p < RC_P_COUNT", (void)rc_part_name(RC_P_COUNT));
    trips("rq->schedule && rq->model", (void)rc_schedule_check(&nothing, &err));
    trips("s && m && l", (void)rc_schedule_fits(&own, NULL, &rq.layout, &err));
    trips("s && m && l", (void)rc_schedule_suit(&own, NULL, 8, &rq.layout));
}

static void test_memory(void **state) {
    (void)state;
    rc_memory out;
    trips("s != NULL", (void)rc_pass_memory(NULL, &model, &rq.layout, 1, 1, 1, 1.0, &out, &err));
    trips("ranks >= 1 && ranks <= l->cp",
          (void)rc_pass_memory(&own, &model, &rq.layout, 1, 1, 1, 1.0, &out, &err));
}

/* A layer more than the runs of the program have. */
static void test_size(void **state) {
    (void)state;
    int64_t weight[MOST_LAYERS + 1];
    program.layers = 1;
    trips("at == p->layers && at < MOST_LAYERS + 1", weigh_layers(&rq, &program, weight));
}

static double less_than_nothing(const rc_builder *unused, int rank) {
    (void)unused, (void)rank;
    return -1.0;
}

static void test_collectives(void **state) {
    (void)state;
    const rc_group three = {3, 1}, both = {2, 1};
    uint32_t last[2 * RC_LANE_COUNT], mark[2];
    b.last = last;
    b.mark = mark;
    trips(
        "g.size >= 1 && g.stride >= 1 && rc_layout_gpus(&b->rq->layout) % (g.size * g.stride) == 0",
        rc_emit_collective(&b, three, RC_LANE_COMPUTE, RC_P_ALL2ALL, "all_to_all", NULL));
    trips("g.size * g.stride <= b->rq->layout.tp || rc_layout_dp(&b->rq->layout) > 1 || "
          "(b->rq->schedule->groups & RC_OVER_CP) != 0",
          rc_emit_collective(&b, both, RC_LANE_COMPUTE, RC_P_ALL2ALL, "all_to_all", NULL));
    rq.schedule = &over_cp;
    trips("lane == RC_LANE_COMPUTE || lane == RC_LANE_COMM",
          rc_emit_collective(&b, both, RC_LANE_HOST, RC_P_ALL2ALL, "all_to_all", NULL));
    trips("shape.bytes >= 0.0", rc_emit_collective(&b, both, RC_LANE_COMPUTE, RC_P_ALL2ALL,
                                                   "all_to_all", less_than_nothing));
}

static int too_many(const rc_builder *unused, int rank, const rc_sequence *s,
                    rc_call out[RC_CALLS]) {
    (void)unused, (void)rank, (void)s, (void)out;
    return RC_CALLS + 1;
}

static void test_attention(void **state) {
    (void)state;
    trips("b->rq->schedule->message != NULL", rc_emit_ring(&b, NULL));
    const rc_schedule *none = rq.schedule;
    rq.schedule = rc_schedule_named("pass-kv");
    rq.serial_ring = rq.messages_wait = true;
    trips("!(b->rq->messages_wait && b->rq->serial_ring)", rc_emit_ring(&b, NULL));
    rq.serial_ring = rq.messages_wait = false;
    trips("stride >= 1 && b->n % stride == 0", rc_emit_rings(&b, 3, NULL));
    trips("hq >= 1 && hkv >= 1 && parts >= 1",
          (void)rc_emit_attention_between(&b, 0, 0, 0, 0, 1, 1));
    rq.schedule = none;
    trips("hq >= 1 && hkv >= 1", (void)rc_emit_attention_of(&b, 0, 0, 1, too_many));
    trips("hq >= 1 && hkv >= 1 && batch >= 1 && shares >= 1",
          (void)rc_emit_decode_of(&b, 0, 8, 4, 0, 1));
    trips("count >= 0 && count <= RC_CALLS", (void)rc_emit_attention_of(&b, 0, 8, 4, too_many));
}

static void test_templates(void **state) {
    (void)state;
    static rc_template none;
    const rc_shape mark = rc_shape_of(RC_T_MARK, RC_P_ALL2ALL);
    trips("b->rq->as_template && b->g == 1", (void)rc_template_begin(&b));
    trips("t != NULL", rc_section_open(&b));
    trips("s->kind == RC_T_PORT", (void)rc_emit_port(&b, 0, RC_LANE_NONE, &mark));
    b.notes = sizeof b.noted / sizeof b.noted[0];
    trips("b->notes < sizeof b->noted / sizeof b->noted[0]", rc_note_shape(&b, 0));
    program.layers_of = &none;
    b.refill = true;
    trips("b->block < t->block_count && t->blocks[b->block].kind == kind",
          rc_block_ring(&b, 1.0, NULL));
    b.n = 1;
    trips("b->n > 1", rc_block_ring(&b, 1.0, NULL));
    trips("b->n > 1", rc_block_gather(&b, 1.0));
    trips("b->n > 1", rc_block_exchange(&b, 1.0));
    static const uint8_t one_class[2];
    b = (rc_builder){.p = &program, .rq = &rq, .n = 2, .g = 1, .refill = true, .at = 1};
    b.pairs.class_of = one_class;
    trips("b->at + count <= b->p->task_count", (void)rc_own_next(&b, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_table, setup),
        cmocka_unit_test_setup(test_requests, setup),
        cmocka_unit_test_setup(test_memory, setup),
        cmocka_unit_test_setup(test_size, setup),
        cmocka_unit_test_setup(test_collectives, setup),
        cmocka_unit_test_setup(test_attention, setup),
        cmocka_unit_test_setup(test_templates, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
