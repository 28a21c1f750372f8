/* What a pass of chunks and stages says beside its time: sums over its pieces, each run by itself, and over those that it waits
 * for. Costs are whole ticks of the test's own, so that only the pieces decide.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#define PROGRAMS_FAKE_COSTS
#include "tests/support/programs.h"

#include "sim/forward/staged.h"

static void near(const char *what, double got, double want) {
    if (!(fabs(got - want) <= 1e-9 * fmax(fabs(want), 1e-12)))
        fail_msg("%s: %.15g, by hand %.15g", what, got, want);
}

enum { MOST = 128 };

/* All pieces, in the order of stages, and what each is when it is run by itself. */
typedef struct gathered {
    rc_forward_ctx *ctx;
    rc_piece_time at[MOST];
    rc_forward one[MOST];
    int n, chunks;
    double flops;
} gathered;

static rc_status gather(void *arg, const rc_piece_time *piece, rc_error *err) {
    gathered *g = arg;
    assert_true(g->n < MOST);
    g->at[g->n] = *piece;
    g->chunks = piece->chunk + 1;
    return rc_forward_run_with(g->ctx, piece->spec, &g->one[g->n++], err);
}

/* A pass of 8 layers over `stages` of TP2 on nodes of `node` GPUs. */
static void make(fake_pass *f, int64_t tokens, int node) {
    fake_one_prompt(8, 16, 2, 1, tokens, f);
    f->spec.schedule = rc_schedule_named("tp");
    f->spec.eager = false;
    f->costs.machine.gpus_per_node = node;
    f->costs.machine.nic_rate = 1e9;
    f->costs.latency = 4000;
    f->costs.link_rate = 1e15;
    f->costs.peer_rate = 2.56e14; /* a row of half a token is a tick */
}

/* Sums that no piece is left out of, and on the path those that end where the next begins. */
static void check(fake_pass *f, const rc_staging *how) {
    static gathered g;
    rc_forward whole;
    rc_error err = {0};
    memset(&g, 0, sizeof g);
    g.ctx = rc_forward_ctx_create();
    assert_non_null(g.ctx);
    if (rc_staged_each(&f->spec, how, gather, &g, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(rc_staged_run(g.ctx, &f->spec, how, &whole, &err), RC_OK);
    double critical = 0.0, basis = 0.0, busy_basis = 0.0, hidden = 0.0, flops = 0.0, scores = 0.0;
    double path = 0.0, sent = 0.0, load[RC_P_COUNT] = {0};
    size_t ops = 0;
    int layers = 0;
    for (int i = 0; i < g.n; i++) {
        for (int p = 0; p < RC_P_COUNT; p++)
            load[p] += g.one[i].busy[p];
        sent += (double)(g.at[i].comes - g.at[i].leaves) / RC_PS_PER_S;
        hidden += g.one[i].hidden_comm;
        flops += g.one[i].gemm_flops;
        scores += g.one[i].attention_flops;
        ops += g.one[i].ops;
        layers += g.one[i].layers_simulated;
        assert_int_equal(g.at[i].end - g.at[i].start, g.one[i].ticks);
        assert_true(g.at[i].leaves >= g.at[i].end && g.at[i].comes >= g.at[i].leaves);
    }
    load[RC_P_SENDRECV] += sent;
    for (int p = 0; p < RC_P_COUNT; p++) {
        near("busy", whole.busy[p], load[p]);
        critical += whole.critical[p];
    }
    for (int b = 0; b < RC_BASIS_COUNT; b++) {
        basis += whole.basis[b];
        busy_basis += whole.busy_basis[b];
    }
    near("the critical path", critical, whole.time);
    near("shares of the path", basis, 1.0);
    near("shares of the work", busy_basis, 1.0);
    near("hidden", whole.hidden_comm, hidden);
    near("FLOPs", whole.gemm_flops, flops);
    near("FLOPs of attention", whole.attention_flops, scores);
    assert_int_equal(whole.ops, ops);
    assert_int_equal(whole.layers_simulated, layers);
    assert_int_equal(whole.ticks, g.at[g.n - 1].end);
    /* without a spread every quantile is the time */
    near("p5", whole.p5, whole.time);
    near("p95", whole.p95, whole.time);
    /* what is communicated is on the path or beside it */
    for (int p = 0; p < RC_P_COUNT; p++)
        path += p == RC_P_SENDRECV || p == RC_P_ALL_REDUCE || p == RC_P_ALL_GATHER ||
                        p == RC_P_ALL2ALL || p == RC_P_REDUCE_SCATTER
                    ? whole.critical[p]
                    : 0.0;
    near("exposed", whole.exposed_comm, path);
    double model = 0.0;
    for (size_t i = 0; i < f->spec.seq_count; i++)
        model += rc_forward_flops(f->spec.model, f->spec.seqs[i]);
    near("FLOP rate", whole.flop_rate,
         (model + f->spec.elsewhere_flops) / (2.0 * rc_stages_of(how)) / whole.time);
    near("MFU", whole.mfu, whole.flop_rate / f->costs.machine.bf16_rate);
    rc_forward_ctx_destroy(g.ctx);
}

/* Links from ones that nobody waits for to ones that all wait for, of which several messages go behind each other without a pause. */
static void test_sums(void **state) {
    (void)state;
    static const struct {
        int stages;
        int64_t chunk;
        int64_t latency;
    } t[] = {{1, 64, 0},      {2, 0, 4000},      {2, 64, 4000},        {4, 100, 4000},
             {4, 100, 0},     {3, 64, 4000000},  {3, 100, 40000000},   {8, 512, 400},
             {2, 60, 700000}, {4, 60, 20000000}, {4, 1000, 400000000}, {2, 17, 2000000}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        fake_pass f;
        make(&f, 600, 8);
        f.costs.latency = t[i].latency;
        f.spec.elsewhere_flops = 1e6 * (double)i;
        check(&f, &(rc_staging){.stages = t[i].stages, .chunk = t[i].chunk});
    }
}

/* The link is so slow that all of four chunks wait on it: the first piece, four messages, the last piece. */
static void test_behind_a_link(void **state) {
    (void)state;
    fake_pass f;
    rc_forward whole;
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    static gathered g;
    make(&f, 400, 8);
    f.costs.latency = 4000000000;
    f.costs.basis = RC_PUBLISHED;
    memset(&g, 0, sizeof g);
    g.ctx = ctx;
    const rc_staging how = {.stages = 2, .chunk = 100};
    assert_int_equal(rc_staged_each(&f.spec, &how, gather, &g, NULL), RC_OK);
    assert_int_equal(rc_staged_run(ctx, &f.spec, &how, &whole, NULL), RC_OK);
    const double send = (double)(g.at[0].comes - g.at[0].leaves) / RC_PS_PER_S;
    near("time", whole.time, g.one[0].time + 4.0 * send + g.one[7].time);
    near("sent on the path", whole.critical[RC_P_SENDRECV], 4.0 * send);
    assert_int_equal(g.at[1].leaves, g.at[0].comes);
    assert_int_equal(g.at[4].comes, g.at[4].end); /* the last stage sends nothing */
    near("published", whole.basis[RC_PUBLISHED], 1.0);
    rc_forward_ctx_destroy(ctx);
}

/* Two tensors of 100 rows of 256 elements of 2 bytes: to the GPU of the other stage half of each, then all of it gathered in the
 * TP group. */
static void test_send(void **state) {
    (void)state;
    fake_pass f;
    rc_cost out;
    make(&f, 100, 8);
    f.costs.peer_rate = 5e9;
    f.costs.link_rate = 4e9;
    f.costs.spread = 0.25;
    f.costs.fixed[FAKE_COLLECTIVE] = 1000;
    f.costs.slope[FAKE_COLLECTIVE] = 3;
    assert_int_equal(rc_stage_send(&f.costs, &f.spec.layout, 256, 100.0, false, &out, NULL), RC_OK);
    const double gather = (1000.0 + 3.0 * (51200 / 64 * 1 + 2)) / 1e12;
    near("send", out.p50, 2.0 * (4000e-12 + 25600.0 / 4e9) + 2.0 * gather);
    near("spread", out.spread, 0.25);
    f.costs.peer_rate = 3e9; /* the flow, not the link */
    f.spec.layout.tp = 1;
    assert_int_equal(rc_stage_send(&f.costs, &f.spec.layout, 256, 100.0, true, &out, NULL), RC_OK);
    near("send of one GPU", out.p50, 2.0 * (4000e-12 + 51200.0 / 3e9));
    /* a group over two nodes */
    f.spec.layout.tp = 9;
    f.costs.slope[FAKE_COLLECTIVE] = 0;
    assert_int_equal(rc_stage_send(&f.costs, &f.spec.layout, 256, 100.0, false, &out, NULL), RC_OK);
    near("send of nine", out.p50, 2.0 * (4000e-12 + 51200.0 / 9 / 3e9) + 2.0 * 1000e-12);
}

/* Spreads of messages, as quantiles of a lognormal: 1.645 standard deviations either way, where their pieces have none. */
static void test_spread_of_messages(void **state) {
    (void)state;
    fake_pass f;
    rc_forward whole;
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    make(&f, 100, 8);
    f.costs.spread = 0.3;
    f.costs.latency = 5000000;
    const rc_staging how = {.stages = 3};
    assert_int_equal(rc_staged_run(ctx, &f.spec, &how, &whole, NULL), RC_OK);
    const double sent = whole.critical[RC_P_SENDRECV];
    assert_true(sent > 0.0);
    near("p5", whole.p5, whole.time - sent * (1.0 - exp(-1.645 * 0.3)));
    near("p95", whole.p95, whole.time + sent * (exp(1.645 * 0.3) - 1.0));
    rc_forward_ctx_destroy(ctx);
}

/* Of 33 chunks every third is drawn, the others are as wide as it is: all pieces have costs of one spread, so that the pass is as
 * wide as one of them. */
static void test_pieces_that_are_not_drawn(void **state) {
    (void)state;
    fake_pass f;
    rc_forward whole, one;
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    make(&f, 33 * 20, 8);
    f.costs.spread = 0.2;
    f.costs.per_key = 0;
    f.costs.slope[FAKE_ATTENTION] = 0; /* all chunks take as long */
    f.spec.draws = 64;
    f.spec.seed = 3;
    const rc_staging how = {.chunk = 20};
    assert_int_equal(rc_staged_run(ctx, &f.spec, &how, &whole, NULL), RC_OK);
    f.x.seqs[0].t = 20;
    assert_int_equal(rc_forward_run_with(ctx, &f.spec, &one, NULL), RC_OK);
    assert_true(one.p5 < 0.95 * one.time && one.p95 > 1.05 * one.time);
    near("time", whole.time, 33.0 * one.time);
    assert_true(fabs(whole.p5 / (33.0 * one.p5) - 1.0) < 0.02);
    assert_true(fabs(whole.p95 / (33.0 * one.p95) - 1.0) < 0.02);
    rc_forward_ctx_destroy(ctx);
}

/* A stage and the next one are on one node or not: of TP2 on nodes of eight each fourth sends to another node; stages of as many
 * GPUs as a node all do, and so do those that lie across. */
static void test_far(void **state) {
    (void)state;
    rc_machine m = {.gpus_per_node = 8};
    const rc_layout pairs = {.tp = 2, .cp = 1}, nodes = {.tp = 8, .cp = 1},
                    six = {.tp = 3, .cp = 2};
    for (int stage = 0; stage < 12; stage++) {
        assert_int_equal(rc_stage_sends_far(&m, &pairs, stage), stage % 4 == 3);
        assert_true(rc_stage_sends_far(&m, &nodes, stage));
        assert_true(rc_stage_sends_far(&m, &six, stage));
    }
    const rc_sequence seqs[] = {{10, 5}, {11, 0}, {1, 7}};
    const rc_layout four = {.tp = 1, .cp = 4};
    near("rows", rc_stage_rows(&four, seqs, 3), 3.0 + 3.0 + 1.0);
    near("rows of one rank", rc_stage_rows(&pairs, seqs, 3), 22.0);
}

/* As many nodes as the machine has, and one more; one node without a network; as many pieces as there may be, and one more. */
static void test_bounds(void **state) {
    (void)state;
    fake_pass f;
    rc_forward_timing t;
    rc_error err;
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    make(&f, 20, 4);
    f.costs.machine.max_nodes = 2;
    assert_int_equal(rc_staged_time(ctx, &f.spec, &(rc_staging){.stages = 4}, &t, &err), RC_OK);
    assert_int_equal(rc_staged_time(ctx, &f.spec, &(rc_staging){.stages = 5}, &t, &err),
                     RC_E_INPUT);
    assert_string_equal(err.msg, "5 stages take 3 nodes: machine 'fake' has at most 2 (max_nodes)");
    f.costs.machine.max_nodes = 0;
    f.costs.machine.nic_rate = 0.0;
    assert_int_equal(rc_staged_time(ctx, &f.spec, &(rc_staging){.stages = 2}, &t, &err), RC_OK);
    assert_int_equal(rc_staged_time(ctx, &f.spec, &(rc_staging){.stages = 3}, &t, &err),
                     RC_E_INPUT);
    assert_string_equal(err.msg,
                        "3 stages of 2 GPUs, but machine 'fake' is one node of 4 with no network");
    f.x.seqs[0].t = (1 << 14) + 1;
    assert_int_equal(rc_staged_time(ctx, &f.spec, &(rc_staging){.chunk = 1}, &t, &err), RC_E_SIZE);
    assert_string_equal(err.msg, "16385 chunks in 1 stages are more than 16384 passes");
    rc_forward_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_behind_a_link),
        cmocka_unit_test(test_send),
        cmocka_unit_test(test_spread_of_messages),
        cmocka_unit_test(test_pieces_that_are_not_drawn),
        cmocka_unit_test(test_far),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
