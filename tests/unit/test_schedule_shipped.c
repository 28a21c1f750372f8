/* What the schedules that engines ship multiply and send, worked out by hand for one layer of Llama
 * 3.1 405B (128 heads of 128, 8 KV heads, D = 16384, FFN 53248): under TP8 one GPU has 16 query
 * heads and 1 KV head, so that queries of a token are 4096 bytes, keys and values 512, the residual
 * stream 32768. docs/schedules.md has the formulas.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "sim/schedule/pass_memory.h"
#include "sim/schedule/totals.h"
#include "tests/support/programs.h"

static const rc_layout cp4 = {.tp = 8, .cp = 4}; /* bf16 throughout */
static const rc_sequence whole = {128000, 0}, behind = {3200, 124800};

static rc_model llama(void) {
    rc_model m = programs_model(126, 128, 8, 128, 16384, 53248);
    m.vocab = 128256;
    return m;
}

static rc_program build(const char *variant, rc_layout l, rc_phase phase, const rc_sequence *seqs,
                        size_t count) {
    rc_model m = llama();
    rc_request rq = {.model = &m,
                     .schedule = rc_schedule_named(variant),
                     .layout = l,
                     .nodes_per_rank = l.tp / 8,
                     .ranks_per_node = l.tp < 8 ? 8 / l.tp : 1,
                     .phase = phase,
                     .seqs = seqs,
                     .seq_count = count,
                     .repeats = 1};
    rc_program p;
    rc_error err = {0};
    if (rc_schedule_build(&rq, &p, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return p;
}

/* Bytes of the collectives of one part on GPU 0, and how many. */
static double bytes_of(const rc_program *p, rc_part part, int *count) {
    double bytes = 0.0;
    *count = 0;
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_shape *s = programs_shape(p, i);
        if (p->tasks[i].gpu != 0 || s->part != part || s->kind != RC_T_COLLECTIVE)
            continue;
        bytes += s->bytes;
        ++*count;
    }
    return bytes;
}

static void expect(const rc_program *p, rc_part part, int count, double bytes) {
    int n;
    double got = bytes_of(p, part, &n);
    if (n != count || got != bytes)
        fail_msg("%s: %d of %.0f bytes, expected %d of %.0f", rc_part_name(part), n, got, count,
                 bytes);
}

/* Bytes that copies of one part read and write on GPU 0. */
static double copied(const rc_program *p, rc_part part) {
    double bytes = 0.0;
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_shape *s = programs_shape(p, i);
        if (p->tasks[i].gpu == 0 && s->part == part && s->op && strcmp(s->op, "copy") == 0)
            bytes += s->bytes;
    }
    return bytes;
}

/* 2 * tokens * (QKV 16384 x 2304 + O 2048 x 16384 + FFN 3 x 16384 x 6656) */
static double gemms(double tokens) {
    return 2.0 * tokens * 16384 * (2304 + 2048 + 3 * 6656);
}

/* ---- prefill context parallelism --------------------------------------------------------------- */

/* CP4: chunks of 16,000 tokens. The gathered whole has 128,000 x 512 bytes and is read and written
 * twice besides. Rank r has chunks r and 7 - r, which see what is before their ends: together 9
 * chunks less the halves above the diagonal. */
static void test_pcp(void **state) {
    (void)state;
    rc_program p = build("pcp", cp4, RC_PREFILL, &whole, 1);
    for (uint32_t g = 0; g < 4; g++) {
        rc_counts n = rc_program_counts(&p, g);
        assert_true(n.gemm_flops == gemms(32000));
        assert_int_equal(n.entries, 9LL * 16000 * 16000 - 2LL * 16000 * 15999 / 2);
        assert_int_equal(n.attention_launches, 2);
        assert_int_equal(n.messages, 0);
        assert_int_equal(n.collectives, 3);
    }
    expect(&p, RC_P_ALL_GATHER, 1, 128000.0 * 512);
    expect(&p, RC_P_ALL_REDUCE, 2, 2 * 32000.0 * 32768);
    assert_true(copied(&p, RC_P_ALL_GATHER) == 4 * 128000.0 * 512);
    rc_program_free(&p);
}

/* What is cached is on every rank: 3,200 new tokens travel, 400 a chunk, and see all cached ones. */
static void test_pcp_cached(void **state) {
    (void)state;
    rc_program p = build("pcp", cp4, RC_PREFILL, &behind, 1);
    rc_counts n = rc_program_counts(&p, 2);
    assert_int_equal(n.entries, 800LL * 124800 + 9LL * 400 * 400 - 400LL * 399);
    expect(&p, RC_P_ALL_GATHER, 1, 3200.0 * 512);
    rc_program_free(&p);
}

/* DCP2 within TP16: of two prompts the second has no prefix. A GPU attends to its half of the prefix for the first alone, and to
 * what is new for both. */
static void test_dcp_prefix_of_one(void **state) {
    (void)state;
    static const rc_sequence two[] = {{3200, 124801}, {500, 0}};
    static const rc_call want[2][2] = {{{3200, 62401, 0}}, {{3200, 3200, 1}, {500, 500, 1}}};
    rc_program p = build("dcp-ag-rs", (rc_layout){.tp = 16, .cp = 1, .dcp = 2}, RC_PREFILL, two, 2);
    uint32_t launches = 0;
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_shape *s = programs_shape(&p, i);
        if (p.tasks[i].gpu != 0 || p.tasks[i].layer != 0 || s->kind != RC_T_ATTENTION)
            continue;
        assert_true(launches < 2 && s->calls == launches + 1);
        for (uint32_t k = 0; k < s->calls; k++) {
            const rc_call *c = &p.calls[s->first_call + k], *w = &want[launches][k];
            assert_true(c->tq == w->tq && c->tk == w->tk && c->causal == w->causal);
        }
        launches++;
    }
    assert_int_equal(launches, 2);
    rc_program_free(&p);
}

/* Every rank decodes all five sequences over all of their contexts; beside a chunk of 64 its
 * linear parts have 16 + 5 rows. */
static void test_pcp_decode(void **state) {
    (void)state;
    static const rc_sequence seqs[] = {{64, 40}, {1, 9}, {1, 9}, {1, 9}, {1, 9}, {1, 9}};
    rc_program p = build("pcp", cp4, RC_DECODE, seqs + 1, 5);
    rc_counts n = rc_program_counts(&p, 3);
    assert_true(n.gemm_flops == gemms(5));
    assert_int_equal(n.entries, 5 * 10);
    assert_int_equal(n.collectives, 2);
    rc_program_free(&p);
    p = build("pcp", cp4, RC_MIXED, seqs, 6);
    n = rc_program_counts(&p, 1);
    assert_true(n.gemm_flops == gemms(16 + 5));
    assert_int_equal(n.entries, 16 * 40 + 9 * 64 - 8 * 7 + 5 * 10);
    assert_int_equal(n.attention_launches, 3);
    expect(&p, RC_P_ALL_GATHER, 1, 64.0 * 512);
    rc_program_free(&p);
}

/* One TP group of 8 that four ranks overlay: attention is cut over 2 GPUs, 64 heads and 4 of KV
 * each, the FFN over all 8. Every rank's rows of the residual stream go to all others and come back
 * as parts of sums, once each in a layer, and twice to the other GPU of the rank. */
static void test_pcp_over_a_tp_group(void **state) {
    (void)state;
    rc_layout l = {.tp = 2, .cp = 4, .ffn_over_cp = true};
    rc_program p = build("pcp", l, RC_PREFILL, &whole, 1);
    rc_counts n = rc_program_counts(&p, 0);
    assert_true(n.gemm_flops == 2.0 * 32000 * 16384 * ((64 + 8) * 128 + 64 * 128) +
                                    2.0 * 128000 * 16384 * 3 * 6656);
    expect(&p, RC_P_ALL_GATHER, 2, 128000.0 * 4 * 512 + 128000.0 * 32768);
    expect(&p, RC_P_REDUCE_SCATTER, 1, 128000.0 * 32768);
    expect(&p, RC_P_ALL_REDUCE, 2, 2 * 32000.0 * 32768);
    rc_program_free(&p);
    static const rc_sequence five[] = {{1, 9}, {1, 9}, {1, 9}, {1, 9}, {1, 9}};
    p = build("pcp", l, RC_DECODE, five, 5); /* rows are alike: nothing to gather */
    n = rc_program_counts(&p, 0);
    assert_true(n.gemm_flops ==
                2.0 * 5 * 16384 * ((64 + 8) * 128 + 64 * 128) + 2.0 * 5 * 16384 * 3 * 6656);
    expect(&p, RC_P_ALL_REDUCE, 2, 2 * 5.0 * 32768);
    expect(&p, RC_P_ALL_GATHER, 0, 0.0);
    rc_program_free(&p);
}

/* ---- decode context parallelism ---------------------------------------------------------------- */

/* TP16 on two nodes: 8 query heads a GPU, and each KV head on two GPUs, which hold 50 of 100 tokens
 * each. Queries of a token are 2048 bytes a GPU; six sequences. */
static const rc_layout tp16 = {.tp = 16, .cp = 1, .dcp = 2};
static const rc_sequence six[] = {{1, 99}, {1, 99}, {1, 99}, {1, 99}, {1, 99}, {1, 99}};

static double gemms16(double tokens) {
    return 2.0 * tokens * 16384 * (10 * 128 + 8 * 128 + 3 * 3328);
}

static void test_dcp_decode(void **state) {
    (void)state;
    static const char *const variants[] = {"dcp-ag-rs", "dcp-a2a"};
    for (int v = 0; v < 2; v++) {
        rc_program p = build(variants[v], tp16, RC_DECODE, six, 6);
        rc_counts n = rc_program_counts(&p, 0);
        assert_true(n.gemm_flops == gemms16(6));
        assert_int_equal(n.entries, 6 * 50);
        assert_true(n.attention_flops == 4.0 * 128 * 16 * 6 * 50); /* heads of both */
        double queries = 2 * 6.0 * 2048, partial = 6.0 * 16 * 128 * 2;
        if (v == 0) {
            expect(&p, RC_P_ALL_GATHER, 2, queries + 2 * 6.0 * 16 * 4);
            expect(&p, RC_P_REDUCE_SCATTER, 1, partial);
            assert_true(copied(&p, RC_P_MERGE) == 2 * partial);
        } else {
            expect(&p, RC_P_ALL_GATHER, 1, queries);
            expect(&p, RC_P_ALL2ALL, 1, partial + 6.0 * 16 * 4);
            assert_true(copied(&p, RC_P_MERGE) == 2 * (partial + 6.0 * 16 * 4));
        }
        expect(&p, RC_P_ALL_REDUCE, 2, 2 * 6.0 * 32768);
        rc_program_free(&p);
    }
}

/* A GPU projects its 16 heads' queries; nothing is gathered, and two numbers a head are sent. */
static void test_helix(void **state) {
    (void)state;
    rc_program p = build("helix", tp16, RC_DECODE, six, 6);
    rc_counts n = rc_program_counts(&p, 0);
    assert_true(n.gemm_flops == gemms16(6) + 2.0 * 6 * 16384 * 8 * 128);
    assert_int_equal(n.entries, 6 * 50);
    expect(&p, RC_P_ALL_GATHER, 0, 0.0);
    expect(&p, RC_P_ALL2ALL, 1, 6.0 * 16 * (128 * 2 + 8));
    rc_program_free(&p);
    /* KVP 4 x TPA 2 on eight GPUs: 64 heads and 4 of KV, of which O has 16 */
    rc_layout l = {.tp = 8, .cp = 1, .dcp = 4};
    p = build("helix", l, RC_DECODE, six, 6);
    n = rc_program_counts(&p, 0);
    assert_true(n.gemm_flops == gemms(6) + 2.0 * 6 * 16384 * (64 + 8 - 18) * 128);
    assert_int_equal(n.entries, 6 * 25);
    assert_true(n.attention_flops == 4.0 * 128 * 64 * 6 * 25);
    expect(&p, RC_P_ALL2ALL, 1, 6.0 * 64 * (128 * 2 + 8));
    rc_program_free(&p);
}

/* A further chunk passes over the prefix: queries of both GPUs over half of 4,000 tokens each, sent
 * as those of a decode; the chunk sees itself with the heads of one GPU. A first chunk sends
 * nothing. */
static void test_dcp_prefill(void **state) {
    (void)state;
    const rc_sequence chunks[] = {{1000, 4000}, {1000, 0}};
    rc_program p = build("dcp-a2a", tp16, RC_PREFILL, chunks, 1);
    rc_counts n = rc_program_counts(&p, 0);
    assert_true(n.gemm_flops == gemms16(1000));
    assert_true(n.attention_flops == 4.0 * 128 * (16 * 1000.0 * 2000 + 8 * 1000.0 * 1001 / 2));
    expect(&p, RC_P_ALL_GATHER, 1, 2 * 1000.0 * 2048);
    expect(&p, RC_P_ALL2ALL, 1, 1000.0 * 16 * (128 * 2 + 4));
    rc_program_free(&p);
    p = build("dcp-a2a", tp16, RC_PREFILL, chunks + 1, 1);
    rc_program tp = build("tp", (rc_layout){.tp = 16, .cp = 1}, RC_PREFILL, chunks + 1, 1);
    rc_counts alone = rc_program_counts(&tp, 0);
    n = rc_program_counts(&p, 0);
    assert_true(n.attention_flops == alone.attention_flops && n.entries == alone.entries);
    assert_true(n.collective_bytes == alone.collective_bytes && n.gemm_flops == alone.gemm_flops);
    assert_int_equal(n.collectives, alone.collectives);
    rc_program_free(&tp);
    rc_program_free(&p);
    p = build("dcp-ag-rs", tp16, RC_PREFILL, chunks, 2); /* only the one behind a prefix sends */
    expect(&p, RC_P_ALL_GATHER, 2, 2 * 1000.0 * 2048 + 2 * 1000.0 * 16 * 4);
    expect(&p, RC_P_REDUCE_SCATTER, 1, 1000.0 * 16 * 128 * 2);
    rc_program_free(&p);
}

/* ---- Ulysses ----------------------------------------------------------------------------------- */

/* CP4 of TP8: a rank sends its 32,000 tokens with 16 heads of queries and its KV head four times,
 * and attends with 4 heads to all tokens. Under TP2 a GPU has 4 KV heads, one a rank. */
static void test_ulysses(void **state) {
    (void)state;
    rc_program p = build("ulysses", cp4, RC_PREFILL, &whole, 1);
    rc_counts n = rc_program_counts(&p, 3);
    assert_true(n.gemm_flops == gemms(32000));
    assert_int_equal(n.entries, 128000LL * 128001 / 2);
    assert_true(n.attention_flops == 4.0 * 128 * 4 * (128000.0 * 128001 / 2));
    expect(&p, RC_P_ALL2ALL, 2, 32000.0 * (4096 + 4 * 512) + 32000.0 * 4096);
    rc_program_free(&p);
    p = build("ulysses", (rc_layout){.tp = 2, .cp = 4}, RC_PREFILL, &whole, 1);
    expect(&p, RC_P_ALL2ALL, 2, 32000.0 * (4 * 4096 + 4 * 512) + 32000.0 * 4 * 4096);
    rc_program_free(&p);
}

/* Six sequences are padded to eight, two a rank; cached tokens do not travel. */
static void test_ulysses_decode(void **state) {
    (void)state;
    rc_program p = build("ulysses", cp4, RC_DECODE, six, 6);
    rc_counts n = rc_program_counts(&p, 0);
    assert_true(n.gemm_flops == gemms(2));
    assert_int_equal(n.entries, 8 * 100);
    assert_true(n.attention_flops == 4.0 * 128 * 4 * 8 * 100);
    expect(&p, RC_P_ALL2ALL, 2, 2.0 * (4096 + 4 * 512) + 2.0 * 4096);
    rc_program_free(&p);
}

/* Two groups of two ranks under TP2, where a GPU has 64 query heads and 4 KV heads: half of them in
 * attention, over the 64,000 tokens of a group in each of two steps. One message has these tokens'
 * keys and values of two heads. */
static void test_usp(void **state) {
    (void)state;
    rc_layout l = {.tp = 2, .cp = 4, .ulysses = 2};
    rc_program p = build("usp", l, RC_PREFILL, &whole, 1);
    for (uint32_t g = 0; g < 4; g++) {
        rc_counts n = rc_program_counts(&p, g);
        assert_int_equal(n.entries, 32000LL * 64001 + 32000LL * 64000);
        assert_true(n.attention_flops == 4.0 * 128 * 32 * (double)n.entries);
        assert_int_equal(n.attention_launches, 2);
        assert_int_equal(n.messages, 1);
        assert_true(n.sent_bytes == 64000.0 * 2 * 512);
    }
    expect(&p, RC_P_ALL2ALL, 2, 32000.0 * (4 * 4096 + 4 * 512) + 32000.0 * 4 * 4096);
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_shape *s = programs_shape(&p, i);
        if (s->kind == RC_T_MESSAGE)
            assert_int_equal(p.tasks[i].peer, (p.tasks[i].gpu + 2) % 4);
        if (s->part == RC_P_MERGE)
            assert_true(s->a == 32000 * 64 && s->b == 2);
        if (s->part == RC_P_ALL2ALL)
            assert_int_equal(s->ranks, 2);
    }
    rc_program_free(&p);
    /* four groups of two under TP8: one KV head goes to both ranks, and travels whole */
    p = build("usp", (rc_layout){.tp = 8, .cp = 8, .ulysses = 2}, RC_PREFILL, &behind, 1);
    rc_counts n = rc_program_counts(&p, 5);
    assert_int_equal(n.messages, 3);
    assert_true(n.sent_bytes == 3 * (800.0 + 31200.0) * 512);
    expect(&p, RC_P_ALL2ALL, 2, 400.0 * (4096 + 2 * 512) + 400.0 * 4096);
    rc_program_free(&p);
}

/* ---- a striped cache --------------------------------------------------------------------------- */

/* 3,200 new tokens behind 124,800, of which each of four ranks has 31,200. New ones are as in `pcp`,
 * but see themselves alone, and a rank keeps a quarter of them. */
static void test_gathers(void **state) {
    (void)state;
    const int64_t fresh = 9LL * 400 * 400 - 400LL * 399;
    rc_program p = build("gather-q", cp4, RC_PREFILL, &behind, 1);
    rc_counts n = rc_program_counts(&p, 1);
    assert_int_equal(n.entries, 3200LL * 31200 + fresh);
    assert_int_equal(n.attention_launches, 3);
    expect(&p, RC_P_ALL_GATHER, 3, 3200.0 * 4096 + 4 * 3200.0 * 16 * 4 + 3200.0 * 512);
    expect(&p, RC_P_REDUCE_SCATTER, 1, 3200.0 * 4096);
    assert_true(copied(&p, RC_P_ALL_GATHER) == 2.5 * 3200 * 512);
    assert_true(copied(&p, RC_P_MERGE) == 2 * 3200.0 * 4096);
    rc_program_free(&p);
    p = build("gather-kv", cp4, RC_PREFILL, &behind, 1);
    n = rc_program_counts(&p, 1);
    assert_int_equal(n.entries, 800LL * 124800 + fresh);
    expect(&p, RC_P_ALL_GATHER, 2, 124800.0 * 512 + 3200.0 * 512);
    expect(&p, RC_P_REDUCE_SCATTER, 0, 0.0);
    rc_program_free(&p);
    static const char *const variants[] = {"gather-q", "gather-kv"};
    for (int v = 0; v < 2; v++) { /* nothing cached: one gather, no merge */
        p = build(variants[v], cp4, RC_PREFILL, &whole, 1);
        n = rc_program_counts(&p, 3);
        assert_int_equal(n.entries, 9LL * 16000 * 16000 - 16000LL * 15999);
        assert_int_equal(n.attention_launches, 2);
        expect(&p, RC_P_ALL_GATHER, 1, 128000.0 * 512);
        rc_program_free(&p);
    }
}

/* Queries and outputs of T tokens are 2 x 128 heads, keys and values of P 2 x 8: at P = 16 T they are as
 * large. */
static void test_which_gather(void **state) {
    (void)state;
    rc_model m = llama();
    rc_gathered g = rc_schedule_gathered(&m, &cp4, 1000, 16000);
    assert_true(g.queries == 1000.0 * 128 * 256 * 2 && g.cached == g.queries);
    assert_string_equal(g.picks->name, "gather-kv");
    assert_string_equal(rc_schedule_gathered(&m, &cp4, 1000, 16001).picks->name, "gather-q");
    assert_string_equal(rc_schedule_gathered(&m, &cp4, 1000, 0).picks->name, "gather-kv");
}

/* ---- memory ------------------------------------------------------------------------------------ */

typedef struct memory_case {
    const char *variant;
    rc_layout layout;
    double kv_token; /* bytes of one token in one layer on a GPU that holds it */
    int holders;     /* GPUs of which each holds another share of the tokens */
    double buffers;  /* for a layer: 1,000 new behind 3,000 cached tokens */
} memory_case;

/* 4,000 tokens. Queries and outputs of a token are as in the counts above. */
static void test_memory(void **state) {
    (void)state;
    const double q16 = 2048, out16 = 8 * (128 * 2 + 4);
    const memory_case cases[] = {
        {"pcp", cp4, 512, 1, 2 * 1000.0 * 512},
        {"ulysses", cp4, 512, 1, 2 * 250.0 * (2 * 4096 + 4 * 512)},
        {"ulysses", {.tp = 2, .cp = 4}, 4 * 512, 4, 2 * 250.0 * (8 * 4096 + 4 * 512)},
        {"usp",
         {.tp = 2, .cp = 4, .ulysses = 2},
         4 * 512,
         4,
         2 * 2 * 1000.0 * 2 * 512 + 2 * 250 * 64 * (128 * 2 + 4) +
             2 * 250.0 * (8 * 4096 + 4 * 512)},
        {"gather-q", cp4, 512, 4,
         2 * 1000.0 * 512 + 1000 * (4096 + 2 * out16) + 2 * 250 * 2 * out16},
        {"gather-kv", cp4, 512, 4, (2 * 1000.0 + 3000) * 512 + 2 * 250 * 2 * out16},
        {"dcp-ag-rs", tp16, 512, 2, 2 * 1000 * (q16 + 2 * out16)},
        {"dcp-a2a", tp16, 512, 2, 2 * 1000 * (q16 + 2 * out16)},
        {"helix", {.tp = 8, .cp = 1, .dcp = 4}, 4 * 512, 4, 4 * 1000 * 2 * (q16 + 2 * out16)},
        {"dcp-a2a", {.tp = 16, .cp = 1}, 512, 1, 0.0},
        {"pcp",
         {.tp = 2, .cp = 4, .ffn_over_cp = true},
         4 * 512,
         1,
         2 * 1000.0 * 4 * 512 + 2 * 1000.0 * 32768},
    };
    rc_model m = llama();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const memory_case *k = &cases[i];
        const rc_schedule *s = rc_schedule_named(k->variant);
        const rc_kv_passes passes = {.longest = 1000};
        rc_memory mem;
        rc_kv_room room;
        assert_int_equal(rc_pass_memory(s, &m, &k->layout, 1000, 3000, 1, 80e9, &mem, NULL), RC_OK);
        assert_true(mem.kv == 126 * ceil(4000.0 / k->holders) * k->kv_token);
        assert_true(mem.buffers == k->buffers);
        assert_int_equal(rc_pass_kv_room(s, &m, &k->layout, &passes, 1e12, &mem, &room, NULL),
                         RC_OK);
        assert_true(room.token == 126 * k->kv_token && room.ranks == k->holders);
    }
}

/* Helix on KVP 4 x TPA 2 has q, k and v of two GPUs' cut, 64 + 4 + 4 heads for 16 + 1 + 1; an FFN over
 * the GPUs of four ranks is a quarter of a rank's. */
static void test_weights(void **state) {
    (void)state;
    rc_model m = llama();
    const rc_layout tp8 = {.tp = 8, .cp = 1}, kvp = {.tp = 8, .cp = 1, .dcp = 4};
    const rc_layout own = {.tp = 2, .cp = 4}, over = {.tp = 2, .cp = 4, .ffn_over_cp = true};
    rc_memory a, b;
    assert_int_equal(rc_pass_memory(rc_schedule_named("tp"), &m, &tp8, 1, 1, 1, 1.0, &a, NULL),
                     RC_OK);
    assert_int_equal(rc_pass_memory(rc_schedule_named("helix"), &m, &kvp, 1, 1, 1, 1.0, &b, NULL),
                     RC_OK);
    assert_true(b.weights - a.weights == 126.0 * (72 - 18) * 128 * 16384 * 2);
    assert_int_equal(
        rc_pass_memory(rc_schedule_named("dcp-a2a"), &m, &tp16, 1, 1, 1, 1.0, &b, NULL), RC_OK);
    assert_int_equal(rc_pass_memory(rc_schedule_named("pcp"), &m, &own, 4, 4, 1, 1.0, &a, NULL),
                     RC_OK);
    assert_int_equal(rc_pass_memory(rc_schedule_named("pcp"), &m, &over, 4, 4, 1, 1.0, &b, NULL),
                     RC_OK);
    assert_true(a.weights - b.weights == 126.0 * 3 * 16384 * (53248 / 2 - 53248 / 8) * 2);
}

/* ---- who may ----------------------------------------------------------------------------------- */

static void refused(const char *variant, rc_layout l, const char *why) {
    rc_model m = llama();
    rc_error err = {0};
    assert_int_equal(rc_schedule_fits(rc_schedule_named(variant), &m, &l, &err), RC_E_INPUT);
    if (!strstr(err.msg, why))
        fail_msg("'%s' does not say '%s'", err.msg, why);
}

static void test_refused(void **state) {
    (void)state;
    rc_model m = llama();
    refused("pass-kv", (rc_layout){.tp = 16, .cp = 2, .dcp = 2}, "it takes dcp 1, found dcp 2");
    refused("dcp-a2a", (rc_layout){.tp = 16, .cp = 1, .dcp = 4}, "dcp is at most 2; found dcp 4");
    refused("dcp-ag-rs", (rc_layout){.tp = 8, .cp = 1, .dcp = 2}, "dcp is at most 1");
    refused("dcp-ag-rs", (rc_layout){.tp = 16, .cp = 1, .dcp = 3}, "does not divide tp 16");
    refused("dcp-ag-rs", (rc_layout){.tp = 16, .cp = 2, .dcp = 2}, "takes cp 1, found cp 2");
    refused("ulysses", (rc_layout){.tp = 8, .cp = 3}, "cp 3 does not divide them");
    refused("usp", (rc_layout){.tp = 2, .cp = 4}, "ulysses is at least 2");
    refused("usp", (rc_layout){.tp = 2, .cp = 4, .ulysses = 3}, "does not divide cp 4");
    refused("usp", (rc_layout){.tp = 8, .cp = 9, .ulysses = 3}, "ulysses 3 does not divide them");
    refused("pass-kv", (rc_layout){.tp = 2, .cp = 4, .ulysses = 2}, "it takes ulysses 1, found 2");
    rc_layout suits = {.tp = 2, .cp = 8};
    assert_true(rc_schedule_suit(rc_schedule_named("usp"), &m, 4, &suits) && suits.ulysses == 4);
    suits.cp = 2;
    assert_false(rc_schedule_suit(rc_schedule_named("usp"), &m, 4, &suits));
    m.kind[0].kv_heads = 6;
    m.kind[0].heads = 48;
    rc_error err = {0};
    assert_int_equal(rc_schedule_fits(rc_schedule_named("helix"), &m,
                                      &(rc_layout){.tp = 12, .cp = 1, .dcp = 3}, &err),
                     RC_E_INPUT);
    assert_non_null(strstr(err.msg, "leaves 4 of 12 GPUs to cut 6 KV heads over"));
    m = llama();
    assert_int_equal(rc_schedule_most_dcp(&m, 16), 2);
    assert_int_equal(rc_schedule_most_dcp(&m, 8), 1);
}

/* A cache that lies evenly over the ranks is decoded by the usual schedule, another by its own. */
static void test_who_decodes(void **state) {
    (void)state;
    static const char *const own[] = {"pcp", "ulysses"};
    const rc_schedule *usual = rc_schedule_usual(RC_DECODE, 4);
    assert_ptr_equal(rc_schedule_decoding(rc_schedule_named("all-gather-kv"), 4), usual);
    assert_ptr_equal(rc_schedule_decoding(rc_schedule_named("pass-kv"), 4), usual);
    for (int i = 0; i < 2; i++)
        assert_ptr_equal(rc_schedule_decoding(rc_schedule_named(own[i]), 4),
                         rc_schedule_named(own[i]));
    assert_ptr_equal(rc_schedule_decoding(rc_schedule_named("dcp-a2a"), 1),
                     rc_schedule_named("dcp-a2a"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pcp),
        cmocka_unit_test(test_pcp_cached),
        cmocka_unit_test(test_dcp_prefix_of_one),
        cmocka_unit_test(test_pcp_decode),
        cmocka_unit_test(test_pcp_over_a_tp_group),
        cmocka_unit_test(test_dcp_decode),
        cmocka_unit_test(test_helix),
        cmocka_unit_test(test_dcp_prefill),
        cmocka_unit_test(test_ulysses),
        cmocka_unit_test(test_ulysses_decode),
        cmocka_unit_test(test_usp),
        cmocka_unit_test(test_gathers),
        cmocka_unit_test(test_which_gather),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_who_decodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
