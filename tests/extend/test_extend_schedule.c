/* A schedule added as docs/extending.md says, one file and one line: head_split.c stands in the
 * table of this program, and passes are built, counted and run by it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#define PROGRAMS_FAKE_COSTS
#include "sim/schedule/pass_memory.h"
#include "tests/support/programs.h"

static const rc_sequence whole = {128000, 0}, cached = {3200, 124800};

/* One layer on a GPU of CP4 x TP8, bf16. */
static rc_counts counts_of(int kv_heads, rc_phase phase, const rc_sequence *seqs, size_t count) {
    rc_model m = programs_model(1, 128, kv_heads, 128, 16384, 53248);
    const rc_request rq = {.model = &m,
                           .schedule = rc_schedule_named("head-split"),
                           .layout = {.tp = 8, .cp = 4},
                           .nodes_per_rank = 1,
                           .phase = phase,
                           .seqs = seqs,
                           .seq_count = count};
    rc_program p;
    rc_error err = {0};
    if (rc_schedule_build(&rq, &p, &err) != RC_OK)
        fail_msg("%s", err.msg);
    rc_counts n = rc_program_counts(&p, 3);
    rc_program_free(&p);
    return n;
}

/* 16 query heads on a GPU, of which a rank attends with 4 to all tokens. A rank sends its 32,000
 * tokens of 16 heads of queries, and of outputs; each is 16 x 128 x 2 bytes. */
static void test_counts(void **state) {
    (void)state;
    const double queries = 32000.0 * 4096, reduced = 2 * 32000.0 * 16384 * 2;
    rc_counts n = counts_of(8, RC_PREFILL, &whole, 1);
    assert_int_equal(n.entries, 128000LL * 128001 / 2);
    assert_true(n.attention_flops == 4.0 * 128 * 4 * (128000.0 * 128001 / 2));
    assert_int_equal(n.attention_launches, 1);
    assert_int_equal(n.messages, 0);
    assert_int_equal(n.collectives, 5);
    /* one KV head: those of all four ranks are gathered */
    assert_true(n.collective_bytes == 2 * queries + 4 * 32000.0 * 512 + reduced);
    n = counts_of(32, RC_PREFILL, &whole, 1); /* four KV heads: a rank keeps one */
    assert_true(n.collective_bytes == 2 * queries + 32000.0 * 4 * 512 + reduced);
    n = counts_of(16, RC_PREFILL, &whole, 1); /* two: gathered, and two ranks keep the same */
    assert_true(n.collective_bytes == 2 * queries + 4 * 32000.0 * 2 * 512 + reduced);
    assert_true(n.attention_flops == 4.0 * 128 * 4 * (128000.0 * 128001 / 2));
}

/* Cached keys are seen and do not travel. */
static void test_cached(void **state) {
    (void)state;
    rc_counts n = counts_of(8, RC_PREFILL, &cached, 1);
    assert_int_equal(n.entries, 3200LL * 124800 + 3200LL * 3201 / 2);
    assert_true(n.collective_bytes == 2 * 800.0 * 4096 + 4 * 800.0 * 512 + 2 * 800.0 * 16384 * 2);
}

/* Six sequences are padded to eight, two a rank. Every rank attends with 4 heads to the contexts of
 * all eight, and sends two tokens of 16 heads of queries and of outputs, and of its KV head. */
static void test_decode(void **state) {
    (void)state;
    const rc_sequence six[] = {{1, 9999}, {1, 9999}, {1, 9999}, {1, 9999}, {1, 9999}, {1, 9999}};
    rc_counts n = counts_of(8, RC_DECODE, six, 6);
    assert_int_equal(n.entries, 8 * 10000);
    assert_true(n.attention_flops == 4.0 * 128 * 4 * 8 * 10000);
    assert_int_equal(n.attention_launches, 1);
    assert_true(n.collective_bytes == 2 * 2.0 * 4096 + 4 * 2.0 * 512 + 2 * 2.0 * 16384 * 2);
}

/* Ranks hold different KV heads, or the same where there are too few. */
static void test_memory(void **state) {
    (void)state;
    static const int kv_heads[] = {8, 16, 32, 64}, ranks[] = {1, 2, 4, 4};
    const rc_layout l = {.tp = 8, .cp = 4};
    const rc_kv_passes passes = {.longest = 1001}; /* 1,001 new tokens behind as many */
    const rc_schedule *split = rc_schedule_named("head-split");
    for (int i = 0; i < 4; i++) {
        rc_model m = programs_model(2, 128, kv_heads[i], 128, 16384, 53248);
        rc_memory mem;
        rc_kv_room room;
        double token = 2 * (kv_heads[i] / 8) * 512.0;
        assert_int_equal(rc_pass_kv_room(split, &m, &l, &passes, 80e9, &mem, &room, NULL), RC_OK);
        assert_true(mem.kv == ceil(2002.0 / ranks[i]) * token);
        assert_true(room.token == token && room.ranks == ranks[i]);
    }
}

/* A pass of the schedule, on any layout that it can cut. */
static void draw(prop_case *c, fake_pass *f) {
    do
        fake_draw(c, "head-split", 16, 24, f);
    while (rc_schedule_fits(f->spec.schedule, &f->x.model, &f->spec.layout, NULL) != RC_OK);
}

static bool every_path_agrees(prop_case *c) {
    fake_pass f;
    rc_forward folded, all;
    rc_forward_timing fast;
    rc_error err = {0};
    draw(c, &f);
    rc_status st = rc_forward_run(&f.spec, &folded, &err);
    f.spec.unfold = true;
    if (st == RC_OK)
        st = rc_forward_run(&f.spec, &all, &err);
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    if (st == RC_OK)
        st = ctx ? rc_forward_time(ctx, &f.spec, &fast, &err) : RC_E_NOMEM;
    rc_forward_ctx_destroy(ctx);
    PROP_CHECK(c, st == RC_OK, "%.300s", err.msg);
    PROP_CHECK(c, folded.ticks == all.ticks && fast.ticks == all.ticks,
               "N %d TP %d: %ld folded, %ld fast, %ld unfolded", f.spec.layout.cp, f.spec.layout.tp,
               (long)folded.ticks, (long)fast.ticks, (long)all.ticks);
    return true;
}

/* The size of a program is that of the program. */
static bool size_is_told(prop_case *c) {
    fake_pass f;
    rc_program p;
    rc_program_size z;
    draw(c, &f);
    f.x.rq.eager = f.spec.eager;
    PROP_CHECK(c, rc_schedule_size(&f.x.rq, &z, NULL) == RC_OK, "no size");
    PROP_CHECK(c, rc_schedule_build(&f.x.rq, &p, NULL) == RC_OK, "no program");
    bool same = z.tasks == (int64_t)p.task_count && z.deps == (int64_t)p.dep_count &&
                z.messages == 0 && z.loose == 0;
    rc_program_free(&p);
    PROP_CHECK(c, same, "N %d: %ld tasks, %ld dependencies told", f.spec.layout.cp, (long)z.tasks,
               (long)z.deps);
    return true;
}

static void test_every_path_agrees(void **state) {
    (void)state;
    assert_true(prop_run("every_path_agrees", every_path_agrees, 40));
}

static void test_size(void **state) {
    (void)state;
    assert_true(prop_run("size_is_told", size_is_told, 40));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_cached),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_every_path_agrees),
        cmocka_unit_test(test_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
