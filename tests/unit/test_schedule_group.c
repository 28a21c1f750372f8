/* Collectives over groups of GPUs: who is in which, on how many nodes, with how many bytes, and
 * that its members meet. Groups are worked out by hand for 4 ranks of TP2 and for larger layouts.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/schedule/builder.h"
#include "tests/support/programs.h"

/* A schedule of this test alone: one collective of `group` and one attention in each layer. */
static rc_group group;
static rc_lane lane;

static double bytes_of_rank(const rc_builder *b, int rank) {
    return 1000.0 * (double)rc_rank_tokens(b, rank);
}

static void attention(rc_builder *b) {
    rc_emit_collective(b, group, lane, RC_P_ALL_GATHER, "all_gather", bytes_of_rank);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        uint32_t id = rc_emit_attention(b, gpu, 0, 0);
        rc_emit_dep(b, id, b->mark[gpu]);
    }
}

static const rc_schedule own = {.name = "of-this-test",
                                .phases = RC_PHASE_BIT(RC_PREFILL),
                                .many_ranks = true,
                                .groups = RC_OVER_CP,
                                .attention = attention};

static rc_model model;
static rc_sequence sequence;
static rc_request rq;
static rc_program program;

static int setup(void **state) {
    (void)state;
    model = programs_model(1, 8, 4, 16, 64, 128);
    sequence = (rc_sequence){100, 0};
    lane = RC_LANE_COMPUTE;
    rq = (rc_request){.model = &model,
                      .schedule = &own,
                      .layout = {.tp = 2, .cp = 4},
                      .nodes_per_rank = 1,
                      .seqs = &sequence,
                      .seq_count = 1,
                      .unfold_tp = true};
    return 0;
}

static int teardown(void **state) {
    (void)state;
    rc_program_free(&program);
    return 0;
}

static void build(rc_group g) {
    rc_error err = {0};
    group = g;
    rc_program_free(&program);
    if (rc_schedule_build(&rq, &program, &err) != RC_OK)
        fail_msg("%s", err.msg);
}

/* The gather of a GPU. */
static const rc_task *gather_of(uint32_t gpu) {
    for (size_t i = 0; i < program.task_count; i++)
        if (program.tasks[i].gpu == gpu && programs_shape(&program, i)->part == RC_P_ALL_GATHER)
            return &program.tasks[i];
    fail_msg("no gather on GPU %u", gpu);
    return NULL;
}

static const rc_shape *shape_of(uint32_t gpu) {
    return &program.shapes[gather_of(gpu)->shape];
}

/* Groups as a text, one digit a GPU: "0101" are GPUs 0 and 2, and 1 and 3. */
static void groups_are(const char *expected) {
    char got[64] = "";
    assert_int_equal(program.gpus, strlen(expected));
    for (uint32_t gpu = 0; gpu < program.gpus; gpu++)
        got[gpu] = (char)('0' + (int)gather_of(gpu)->group);
    assert_string_equal(got, expected);
}

static void sizes_are(int ranks, int members, int nodes) {
    for (uint32_t gpu = 0; gpu < program.gpus; gpu++) {
        assert_int_equal(shape_of(gpu)->ranks, ranks);
        assert_int_equal(shape_of(gpu)->members, members);
        assert_int_equal(shape_of(gpu)->nodes, nodes);
        assert_string_equal(shape_of(gpu)->op, "all_gather");
    }
}

static void test_every_gpu(void **state) {
    (void)state;
    build((rc_group){2, 1}); /* TP */
    groups_are("00112233");
    sizes_are(2, 2, 1);
    build((rc_group){4, 2}); /* CP */
    groups_are("01010101");
    sizes_are(4, 4, 4);
    build((rc_group){2, 2}); /* pairs of ranks */
    groups_are("01012323");
    sizes_are(2, 2, 2);
    build((rc_group){4, 1}); /* whole ranks, as experts are spread */
    groups_are("00001111");
    sizes_are(4, 4, 2);
    build((rc_group){8, 1});
    groups_are("00000000");
    sizes_are(8, 8, 4);
    build((rc_group){1, 1});
    groups_are("01234567");
    sizes_are(1, 1, 1);
}

static void test_one_gpu_for_a_tp_group(void **state) {
    (void)state;
    rq.unfold_tp = false;
    build((rc_group){2, 1});
    groups_are("0123");
    sizes_are(2, 1, 1);
    build((rc_group){4, 2});
    groups_are("0000");
    sizes_are(4, 4, 4);
    build((rc_group){2, 2});
    groups_are("0011");
    sizes_are(2, 2, 2);
    build((rc_group){4, 1});
    groups_are("0011");
    sizes_are(4, 2, 2);
    rq.layout.tp = 4;
    build((rc_group){2, 1}); /* half a TP group */
    groups_are("0123");
    sizes_are(2, 1, 1);
    build((rc_group){2, 2}); /* every other GPU of one */
    groups_are("0123");
    sizes_are(2, 1, 1);
}

/* The next collectives are other meetings. */
static void test_numbers_go_on(void **state) {
    (void)state;
    rq.layout.tp = 1;
    model.layers = 2;
    build((rc_group){2, 1});
    uint32_t highest = 0;
    for (size_t i = 0; i < program.task_count; i++)
        if (program.tasks[i].layer == 1 && programs_shape(&program, i)->kind == RC_T_COLLECTIVE) {
            assert_int_equal(program.tasks[i].group, 2 + program.tasks[i].gpu / 2);
            highest = program.tasks[i].group;
        }
    assert_int_equal(highest, 3);
    assert_int_equal(program.groups, 4);
}

static void test_nodes(void **state) {
    (void)state;
    rq.ranks_per_node = 4; /* TP2 on nodes of eight */
    build((rc_group){4, 2});
    sizes_are(4, 4, 1);
    rq.ranks_per_node = 2;
    build((rc_group){4, 2});
    sizes_are(4, 4, 2);
    build((rc_group){2, 2});
    sizes_are(2, 2, 1);
    rq.ranks_per_node = 0; /* TP8 over two nodes of four */
    rq.nodes_per_rank = 2;
    rq.layout.tp = 8;
    build((rc_group){8, 1});
    sizes_are(8, 8, 2);
    build((rc_group){4, 1});
    sizes_are(4, 4, 1);
    build((rc_group){4, 8}); /* CP: each member has a node of its own */
    sizes_are(4, 4, 4);
}

/* TP12 over two nodes of six, in groups of four: the second one reaches over both, and one GPU stands for all of them. */
static void test_the_widest_of_several_groups(void **state) {
    (void)state;
    model = programs_model(1, 24, 12, 16, 64, 144);
    rq.layout = (rc_layout){.tp = 12, .cp = 1};
    rq.nodes_per_rank = 2;
    build((rc_group){4, 1});
    for (uint32_t gpu = 0; gpu < 12; gpu++)
        assert_int_equal(shape_of(gpu)->nodes, gpu / 4 == 1 ? 2 : 1);
    rq.unfold_tp = false;
    build((rc_group){4, 1});
    sizes_are(4, 1, 2);
    build((rc_group){2, 1}); /* pairs all lie inside */
    sizes_are(2, 1, 1);
    build((rc_group){12, 1});
    sizes_are(12, 1, 2);
}

/* 100 tokens over 4 ranks: chunks of 13 and 12, rank 0 has one of each, so do all. */
static void test_bytes(void **state) {
    (void)state;
    rq.layout.tp = 1;
    build((rc_group){4, 1});
    for (uint32_t gpu = 0; gpu < 4; gpu++) {
        rc_counts c = rc_program_counts(&program, gpu);
        assert_true(shape_of(gpu)->bytes == 25000.0);
        assert_true(c.collective_bytes == 25000.0);
        assert_int_equal(c.collectives, 1);
        assert_true(c.sent_bytes == 0.0);
    }
}

static rc_time ticks(void *ctx, const rc_program *p, size_t i) {
    (void)ctx;
    const rc_shape *s = programs_shape(p, i);
    if (s->kind == RC_T_COLLECTIVE)
        return 500;
    return s->part == RC_P_QKV ? 100 * (rc_time)(1 + p->tasks[i].gpu) : 0;
}

/* The QKV product of GPU k takes 100 (k + 1) ticks: a group begins when its last member has done,
 * and the attention of each follows. */
static void test_members_meet(void **state) {
    (void)state;
    static const rc_lane lanes[] = {RC_LANE_COMPUTE, RC_LANE_COMM};
    static const rc_time ends[] = {900, 900, 900, 900, 1300, 1300, 1300, 1300};
    for (int l = 0; l < 2; l++) {
        lane = lanes[l];
        build((rc_group){4, 1});
        rc_sim *sim = programs_play(&program, ticks, NULL, false);
        assert_non_null(sim);
        for (size_t i = 0; i < program.task_count; i++) {
            rc_part part = programs_shape(&program, i)->part;
            if (part == RC_P_ALL_GATHER || part == RC_P_ATTENTION)
                assert_int_equal(rc_sim_op_end(sim, (rc_id)i), ends[program.tasks[i].gpu]);
        }
        rc_sim_destroy(sim);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_gpu, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_gpu_for_a_tp_group, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_widest_of_several_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_members_meet, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
