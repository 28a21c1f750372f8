/* Replicas of several stages: by hand, against a forward pass with stages, at the limits, and what is refused.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "sim/forward/staged.h"
#include "sim/serve/serve_report.h"
#include "tests/support/serve_rows.h"

#define MS ((rc_time)1000000000)
#define HALF (MS / 2)

static rc_serve_result result, other;

static rc_served *run(const char *text, const char *rows) {
    return serve_rows(text, rows, (rc_serve_options){.seed = 1, .work = true}, &result);
}

/* ---- by hand: Llama 3.1 8B has 32 layers ------------------------------------------------------ */

/* Two stages of half of a pass each, a budget of 100. At 0 there is A alone: 100 of its tokens (stages 0 - 50,
 * 50 - 100) and behind them the last 50 (50 - 75, 100 - 125), which are two passes, so B waits until the first is
 * through: 80 tokens (100 - 140, 140 - 180). A's first token is there at 125; a step of 11 (140 - 145.5, behind B,
 * 180 - 185.5). B's first at 180, and its step (180 - 185.5, 185.5 - 191) ends it. A's last step follows at 185.5
 * (185.5 - 191, 191 - 196.5). Stage 0 computes 180 + 3 x 5.5 of the 196.5, and so does the other one. */
static void test_two_stages(void **state) {
    (void)state;
    rc_served *r = run(SERVE_HEAD "pools: [{name: one, tp: 4, pp: 2}]\n"
                                  "scheduler: {policy: chunked, budget: 100}\n"
                                  "kv: {tokens: 10000}\n"
                                  "costs: {prefill_token: 1ms, decode: 10ms, decode_sequence: "
                                  "1ms}\n",
                       "0,150,3\n0,80,2\n");
    assert_int_equal(r[0].first, 125 * MS);
    assert_int_equal(r[1].first, 180 * MS);
    assert_int_equal(r[1].end, 191 * MS);
    assert_int_equal(r[0].end, 393 * HALF);
    assert_true(fabs(rc_pool_computes(&result, 0) - (115.0 + 16.5) / 196.5) < 1e-9);
    assert_int_equal(result.pools[0].gpus, 8);
    free(r);
}

/* A step that is stated to take half as long again does so in each stage: of 10 ms and a sequence's 2, 18 in two stages of 9, and
 * the prompt of 50 takes what it took. Stages are busy for the prompts and for all steps, to the picosecond. */
static void test_stretched_steps(void **state) {
    (void)state;
    static const char *const text = SERVE_HEAD
        "pools: [{name: one, tp: 4, pp: %d}]\nscheduler: {policy: chunked, budget: 100}\n"
        "kv: {tokens: 10000}\nspeculative: {tokens: [1], step_cost: 1.5}\n"
        "costs: {prefill_token: 1ms, decode: 10ms, decode_sequence: 2ms}\n";
    for (int stages = 1; stages <= 4; stages *= 2) {
        char all[512];
        (void)snprintf(all, sizeof all, text, stages);
        rc_served *r = run(all, "0,50,6\n");
        assert_int_equal(r[0].first, 50 * MS);
        assert_int_equal(r[0].end, (50 + 5 * 18) * MS);
        assert_int_equal(llround(result.pools[0].busy_s * stages * RC_PS_PER_S),
                         (50 + 5 * 18) * MS);
        free(r);
    }
}

/* The host forms one pass after the other, 10 ms each, while earlier ones are in the stages: A's prompt of 4
 * tokens is there at 10 (10 - 12, 12 - 14); B's, formed behind it, at 20 (20 - 22, 22 - 24). */
static void test_host_goes_before(void **state) {
    (void)state;
    rc_served *r = run(SERVE_HEAD "pools: [{name: one, tp: 4, pp: 2}]\n"
                                  "scheduler: {policy: chunked, budget: 100, step: 10ms}\n"
                                  "kv: {tokens: 10000}\ncosts: {prefill_token: 1ms}\n",
                       "0,4,1\n0,4,1\n");
    assert_int_equal(r[0].end, 14 * MS);
    assert_int_equal(r[1].end, 24 * MS);
    free(r);
}

/* 32 layers in three stages are 11, 11 and 10: a step of 32 ms is 32 for a lone sequence. Three of them, each in a
 * pass of its own, take as long as the slowest stage takes for three: 33, and the last one waits for the first
 * two to begin with. */
static void test_slowest_stage(void **state) {
    (void)state;
    const char *text = SERVE_HEAD "pools: [{name: one, tp: 2, pp: 3}]\nkv: {tokens: 100000}\n"
                                  "scheduler: {policy: chunked}\ncosts: {decode: 32ms}\n";
    rc_served *r = run(text, "0,1,1001\n");
    assert_int_equal(r[0].end - r[0].first, 32000 * MS);
    free(r);
    r = run(text, "0,1,1001\n0,1,1001\n0,1,1001\n");
    for (int i = 0; i < 3; i++) {
        assert_true(r[i].end - r[i].first >= 32000 * MS);
        assert_true(r[i].end - r[i].first <= 33022 * MS + 100);
    }
    const double steps = (double)result.tokens_out - 3.0;
    const double rate = steps / ((double)result.makespan / RC_PS_PER_S);
    assert_true(rate < 1.0 / 0.011 && rate > 0.999 / 0.011);
    assert_true(rc_pool_computes(&result, 0) > 0.999 && rc_pool_computes(&result, 0) <= 1.0);
    free(r);
}

/* With prompts first a replica takes B's prompt up while A's is in the second stage; A's step waits for C's. */
static void test_prefill_first(void **state) {
    (void)state;
    rc_served *r =
        run(SERVE_HEAD "pools: [{name: one, tp: 4, pp: 2}]\n"
                       "scheduler: {policy: prefill-first, fuse: 1}\n"
                       "kv: {tokens: 10000}\ncosts: {prefill_token: 1ms, decode: 10ms}\n",
            "0,100,2\n0,100,1\n0,100,1\n");
    assert_int_equal(r[0].first, 100 * MS); /* 0 - 50, 50 - 100 */
    assert_int_equal(r[1].first, 150 * MS); /* 50 - 100, 100 - 150 */
    assert_int_equal(r[2].first, 200 * MS); /* 100 - 150, 150 - 200, in the place of A's */
    assert_int_equal(r[0].end, 210 * MS);   /* 200 - 205, 205 - 210 */
    free(r);
}

/* A node is lost at 60, with A in stage 1 and B in stage 0; both are computed again from 70 on. */
static void test_lost(void **state) {
    (void)state;
    rc_served *r = run(SERVE_HEAD "pools: [{name: one, tp: 4, pp: 2}]\n"
                                  "scheduler: {policy: prefill-first, fuse: 1}\n"
                                  "kv: {tokens: 10000}\ncosts: {prefill_token: 1ms}\n"
                                  "faults: [{kind: node-lost, at: 60ms, back: 70ms}]\n",
                       "0,100,1\n0,100,1\n");
    assert_int_equal(r[0].end, 170 * MS);
    assert_int_equal(r[1].end, 220 * MS);
    assert_int_equal(r[0].retried, 1);
    assert_int_equal(r[1].retried, 1);
    /* stage 0: 50 + 10 and twice 50, of 210 ms up */
    assert_true(fabs(rc_pool_computes(&result, 0) - 160.0 / 210.0) < 1e-9);
    free(r);
}

/* Four blocks of 16: A's 30 and B's 30 take them all, in a pass each. The third of their steps needs a block
 * more; the first to ask, A in its own pass, finds B's under way and nobody else to push out but itself. */
static void test_in_flight_is_no_victim(void **state) {
    (void)state;
    rc_served *r = run(SERVE_HEAD "pools: [{name: one, tp: 4, pp: 2}]\n"
                                  "scheduler: {policy: prefill-first, fuse: 1}\n"
                                  "kv: {tokens: 64, block: 16}\n"
                                  "costs: {prefill_token: 1ms, decode: 10ms}\n",
                       "0,30,30\n0,30,30\n");
    assert_int_equal(result.done, 2);
    assert_int_equal(r[0].preempted, 1);
    assert_int_equal(r[1].preempted, 0);
    free(r);
}

/* Six blocks of 16. A's 47 tokens (0 - 23.5, 23.5 - 47) and, behind it, half of B's 94 (23.5 - 47, 47 - 70.5) take three
 * each. At 47 B's rest finds no room beside A's step (47 - 52, 70.5 - 75.5); it is under way itself, and A came before
 * it, so that neither gives way. At 70.5 B is there alone and does. At 75.5 A takes a fourth block, and the two left are
 * not enough to begin B anew. A's steps take 10; the eighth token, at 135.5, leaves room for B: 47 tokens (135.5 - 159,
 * 159 - 182.5) and 47 (159 - 182.5, 182.5 - 206). */
static void test_nobody_gives_way_to_a_later_one(void **state) {
    (void)state;
    rc_served *r =
        run(SERVE_HEAD "pools: [{name: one, tp: 4, pp: 2}]\n"
                       "scheduler: {policy: chunked, budget: 47, admission: chunk}\n"
                       "kv: {tokens: 96, block: 16}\ncosts: {prefill_token: 1ms, decode: 10ms}\n",
            "0,47,8\n0,94,1\n");
    assert_int_equal(r[0].first, 47 * MS);
    assert_int_equal(r[0].end, 271 * HALF);
    assert_int_equal(r[1].end, 206 * MS);
    assert_int_equal(r[0].preempted, 0);
    assert_int_equal(r[1].preempted, 1);
    free(r);
}

/* Six blocks of 16. A (0 - 7, 7 - 14) and its step (22 - 27, 37 - 42) are a pass of their own, B (7 - 22, 22 - 37)
 * and, with its first step, D (37 - 47, 47 - 57) are another. C's 60 tokens wait for four blocks, which B leaves
 * when its fourth token is there, at 77. Two passes could take them up then; the one that has just ended does, beside
 * D's step: 70 ms, 77 - 112, 112 - 147. */
static void test_ended_pass_goes_first(void **state) {
    (void)state;
    rc_served *r =
        run(SERVE_HEAD "pools: [{name: one, tp: 4, pp: 2}]\nscheduler: {policy: chunked}\n"
                       "kv: {tokens: 96, block: 16}\ncosts: {prefill_token: 1ms, decode: 10ms}\n",
            "0,14,2\n0,30,4\n0.015,10,4\n0.016,60,1\n");
    assert_int_equal(r[0].end, 42 * MS);
    assert_int_equal(r[1].end, 77 * MS);
    assert_int_equal(r[2].end, 147 * MS);
    assert_int_equal(r[3].end, 147 * MS);
    free(r);
}

/* s that the KV of a prompt of 100,000 takes from a pool cut so to one of eight GPUs, with a step of 10 ms. */
static double moved(const char *cut) {
    char text[512];
    (void)snprintf(text, sizeof text,
                   SERVE_HEAD
                   "pools: [{name: p, role: prefill, %s}, {name: d, role: decode, tp: 8}]\n"
                   "kv: {tokens: 1000000}\ncosts: {prefill_token: 10us, decode: 10ms}\n",
                   cut);
    rc_served *r = run(text, "0,100000,2\n");
    const double s = (double)(r[0].end - r[0].first) / RC_PS_PER_S - 0.01 - 17e-6;
    free(r);
    return s;
}

/* Each stage sends the KV of its own layers: two of 16 layers and four GPUs as fast as eight GPUs that have all. Of
 * three the first has 11 of 32 layers and two GPUs, and takes as long as 64 / 11 GPUs would for all. */
static void test_moves(void **state) {
    (void)state;
    const double eight = moved("tp: 8");
    assert_true(fabs(moved("tp: 4, pp: 2") / eight - 1.0) < 1e-6);
    assert_true(fabs(moved("tp: 2, pp: 3") / eight - 8.0 * 11.0 / 64.0) < 1e-6);
}

/* ---- against a forward pass -------------------------------------------------------------------- */

#define REAL_ON(machine, pool, budget)                                                             \
    "serve: test\nmodel: llama-3.1-8b\nmachine: " machine "\npools: [{name: one, " pool "}]\n"     \
    "scheduler: {policy: chunked, budget: " budget "}\n"
#define REAL(pool, budget) REAL_ON("h100-sxm", pool, budget)

typedef struct timed {
    rc_model model;
    rc_costs *costs;
    rc_machine machine;
    rc_layout layout;
} timed;

static void open_timed(timed *t, const char *text) {
    rc_error err = {0};
    rc_serve *s = malloc(sizeof *s);
    assert_non_null(s);
    char all[1024];
    (void)snprintf(all, sizeof all, "%ssynthetic: {requests: 1, rate: 1}\n", text);
    assert_int_equal(serve_parse(all, s, &err), RC_OK);
    t->model = s->model;
    t->machine = s->machine;
    t->layout = rc_pool_layout(s, &s->pools[0], s->pools[0].cp);
    assert_int_equal(rc_costs_open(NULL, &t->machine, &t->costs, &err), RC_OK);
    free(s);
}

static rc_spec spec_of(const timed *t, rc_phase phase, const rc_sequence *one) {
    return (rc_spec){.model = &t->model,
                     .costs = t->costs,
                     .layout = t->layout,
                     .phase = phase,
                     .schedule = rc_schedule_usual(phase, t->layout.cp),
                     .seqs = one,
                     .seq_count = 1,
                     .eager = phase == RC_PREFILL,
                     .serial_ring = phase == RC_DECODE,
                     .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
}

static rc_time forward(const timed *t, rc_phase phase, rc_sequence one, const rc_staging *how) {
    rc_error err = {0};
    rc_forward_timing out;
    const rc_spec spec = spec_of(t, phase, &one);
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    assert_non_null(ctx);
    if (rc_staged_time(ctx, &spec, how, &out, &err) != RC_OK)
        fail_msg("%s", err.msg);
    rc_forward_ctx_destroy(ctx);
    return out.ticks;
}

/* A prompt in no more chunks than stages takes as long as a forward pass with stages, to the tick, and so does
 * a step of a lone sequence. */
static void test_lone_request(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int stages;
        int64_t chunk, prompt;
    } cases[] = {{REAL("tp: 2, pp: 2", "2048"), 2, 2048, 4096},
                 {REAL("tp: 2, pp: 2", "8192"), 2, 8192, 5000},
                 {REAL("tp: 1, pp: 3", "1024"), 3, 1024, 3000},
                 {REAL("tp: 1, pp: 8", "512"), 8, 512, 4000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        timed t;
        char rows[64];
        const rc_staging how = {cases[i].chunk, cases[i].stages, RC_REST_INNER};
        const rc_staging step = {0, cases[i].stages, RC_REST_INNER};
        (void)snprintf(rows, sizeof rows, "0,%lld,2\n", (long long)cases[i].prompt);
        rc_served *r = run(cases[i].text, rows);
        open_timed(&t, cases[i].text);
        assert_int_equal(r[0].first,
                         forward(&t, RC_PREFILL, (rc_sequence){cases[i].prompt, 0}, &how));
        assert_int_equal(r[0].end - r[0].first,
                         forward(&t, RC_DECODE, (rc_sequence){1, cases[i].prompt}, &step));
        rc_costs_close(t.costs);
        free(r);
    }
}

enum { STAGES = 2, CHUNKS = 16, CHUNK = 256 };
typedef struct pieces {
    rc_time work[STAGES][CHUNKS], send[CHUNKS];
} pieces;

static rc_status take_piece(void *ctx, const rc_piece_time *x, rc_error *err) {
    pieces *p = ctx;
    (void)err;
    p->work[x->stage][x->chunk] = x->end - x->start;
    if (x->stage == 0)
        p->send[x->chunk] = x->comes - x->leaves;
    return RC_OK;
}

/* Two passes at most are under way, so the third chunk waits until the first is through, while a forward pass
 * begins with it as soon as the first stage is free: chunks of two stages on two nodes, between which a send takes
 * longer than the LM head, by a recurrence of their own from the times of a forward pass's pieces. */
static void test_no_more_passes_than_stages(void **state) {
    (void)state;
    static const char text[] = REAL_ON("gtt", "tp: 8, pp: 2", "256");
    const rc_sequence prompt = {CHUNKS * CHUNK, 0};
    const rc_staging how = {CHUNK, STAGES, RC_REST_INNER};
    rc_error err = {0};
    pieces p;
    timed t;
    rc_time end[CHUNKS], first = 0, link = 0, second = 0;
    open_timed(&t, text);
    const rc_spec spec = spec_of(&t, RC_PREFILL, &prompt);
    assert_int_equal(rc_staged_each(&spec, &how, take_piece, &p, &err), RC_OK);
    for (int i = 0; i < CHUNKS; i++) {
        const rc_time formed = i < STAGES ? 0 : end[i - STAGES];
        first = (first > formed ? first : formed) + p.work[0][i];
        link = (link > first ? link : first) + p.send[i];
        second = (second > link ? second : link) + p.work[1][i];
        end[i] = second;
    }
    rc_served *r = run(text, "0,4096,1\n");
    assert_int_equal(r[0].first, end[CHUNKS - 1]);
    assert_true(r[0].first > forward(&t, RC_PREFILL, prompt, &how));
    assert_true((double)r[0].first < 1.1 * (double)forward(&t, RC_PREFILL, prompt, &how));
    rc_costs_close(t.costs);
    free(r);
}

/* Half of the GPUs of two stages at half speed: the step is half as long again, but for what is sent. */
static void test_slow_stage(void **state) {
    (void)state;
    static const char plain[] = REAL("tp: 2, pp: 2", "8192");
    rc_served *r = run(plain, "0,4000,100\n");
    const double fast = (double)(r[0].end - r[0].first);
    free(r);
    for (int rank = 0; rank < 2; rank++) {
        char text[512];
        (void)snprintf(text, sizeof text,
                       "%sfaults: [{kind: slow-rank, rank: %d, at: 0s, speed: 0.5}]\n", plain,
                       rank);
        r = run(text, "0,4000,100\n");
        const double slow = (double)(r[0].end - r[0].first) / fast;
        assert_true(slow > 1.4 && slow < 1.6);
        free(r);
    }
}

/* ---- memory -------------------------------------------------------------------------------------- */

/* The stage with the least room for KV decides: by hand from each stage as a model of its own. */
static void test_room(void **state) {
    (void)state;
    rc_error err = {0};
    static rc_serve s;
    rc_memory memory;
    rc_kv_room room, whole;
    double least = INFINITY;
    assert_int_equal(serve_parse("serve: test\nmodel: llama-3.1-70b\nmachine: h100-sxm\n"
                                 "pools: [{name: one, tp: 2, pp: 3}]\n"
                                 "synthetic: {requests: 1, rate: 1}\n",
                                 &s, &err),
                     RC_OK);
    const rc_layout l = rc_pool_layout(&s, &s.pools[0], 1);
    const rc_kv_passes passes = {.longest = 1000,
                                 .largest = rc_serve_largest(&s, RC_POOL_MIXED, 1000)};
    for (int i = 0; i < 3; i++) {
        rc_model *m = malloc(sizeof *m);
        assert_non_null(m);
        assert_int_equal(rc_model_stage(&s.model, &s.pools[0].stages, i, m, &err), RC_OK);
        assert_int_equal(rc_pass_kv_room(s.pools[0].pick.schedule, m, &l, &passes,
                                         rc_machine_usable(&s.machine), &memory, &room, &err),
                         RC_OK);
        least = fmin(least, room.tokens);
        free(m);
    }
    assert_int_equal(rc_pool_room(&s, &s.pools[0], 1000, &memory, &room, &err), RC_OK);
    assert_true(room.tokens == least);
    s.pools[0].stages.count = 1;
    s.pools[0].tp = 4; /* weights of two GPUs do not fit one stage */
    assert_int_equal(rc_pool_room(&s, &s.pools[0], 1000, &memory, &whole, &err), RC_OK);
    assert_true(room.tokens > whole.tokens); /* six GPUs have more left than four */
}

/* ---- refusals, and one stage ------------------------------------------------------------------- */

static void refuses(const char *pool, const char *more, const char *why) {
    char text[1024];
    rc_error err = {0};
    static rc_serve s;
    (void)snprintf(text, sizeof text,
                   "%spools: [{name: one, %s}]\n%ssynthetic: {requests: 1, rate: "
                   "1}\n",
                   SERVE_HEAD, pool, more);
    assert_int_not_equal(serve_parse(text, &s, &err), RC_OK);
    if (!strstr(err.msg, why))
        fail_msg("%s", err.msg);
}

static void test_refused(void **state) {
    (void)state;
    refuses("tp: 1, pp: 33", "", "pp is 33, and llama-3.1-8b has 32 layers");
    refuses("tp: 1, pp: 65", "", "from 1 to 64");
    refuses("tp: 1, pp: 2, dp_attention: 2", "",
            "stages together with dp_attention are not modelled");
    refuses("tp: 1, cp: 2, pp: 2, dynamic_cp: true", "",
            "stages together with dynamic_cp are not modelled");
    refuses("tp: 1, pp: 2", "faults: [{kind: slow-link, at: 1s, speed: 0.5}]\n",
            "a slow link of a replica with stages (pp) is not modelled");
}

static void test_one_stage(void **state) {
    (void)state;
    const char *rows = "0,500,40\n0.01,900,30\n0.02,100,50\n";
    rc_served *r = run(REAL("tp: 1", "256"), rows);
    free(r);
    other = result;
    r = run(REAL("tp: 1, pp: 1, pp_rest: last", "256"), rows);
    assert_true(result.hash == other.hash && result.makespan == other.makespan);
    free(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_stages),
        cmocka_unit_test(test_stretched_steps),
        cmocka_unit_test(test_host_goes_before),
        cmocka_unit_test(test_slowest_stage),
        cmocka_unit_test(test_prefill_first),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_in_flight_is_no_victim),
        cmocka_unit_test(test_nobody_gives_way_to_a_later_one),
        cmocka_unit_test(test_ended_pass_goes_first),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_lone_request),
        cmocka_unit_test(test_no_more_passes_than_stages),
        cmocka_unit_test(test_slow_stage),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_one_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
