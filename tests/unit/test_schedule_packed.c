/* Keys that are kept in int4 and messages that are packed, worked out by hand for one layer of Llama
 * 3.1 405B under TP8 (16 query heads and 1 KV head of 128 on a GPU): a key and a value are 256
 * elements, 512 bytes in bf16, 264 on the way in fp8 (256 and two scales of 4) and 136 in int4 (128 and
 * two scales and zero points of 4).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/schedule/pass_memory.h"
#include "sim/schedule/totals.h"
#include "tests/support/programs.h"

static const rc_layout cp4 = {.tp = 8, .cp = 4};

static rc_program build_of(const char *variant, rc_layout l, rc_phase phase,
                           const rc_sequence *seqs, size_t count, bool in_pages) {
    rc_model m = programs_model(126, 128, 8, 128, 16384, 53248);
    const rc_request rq = {.model = &m,
                           .schedule = rc_schedule_named(variant),
                           .layout = l,
                           .nodes_per_rank = l.tp / 8,
                           .phase = phase,
                           .seqs = seqs,
                           .seq_count = count,
                           .stripes = in_pages,
                           .copies_pages = in_pages,
                           .repeats = 1};
    rc_program p;
    rc_error err = {0};
    assert_int_equal(rc_schedule_build(&rq, &p, &err), RC_OK);
    return p;
}

static rc_program build(const char *variant, rc_layout l, rc_phase phase, const rc_sequence *seqs,
                        size_t count) {
    return build_of(variant, l, phase, seqs, count, false);
}

/* Of GPU 0: elements that attention unpacks, and passes over tokens x elements of an op. */
typedef struct seen {
    int64_t fp8, int4, packed, unpacked;
    int packs, unpacks;
    rc_dtype attention;
} seen;

static seen look(const rc_program *p) {
    seen s = {0};
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_shape *x = programs_shape(p, i);
        if (p->tasks[i].gpu != 0)
            continue;
        if (x->kind == RC_T_ATTENTION) {
            s.fp8 += x->unpack_fp8;
            s.int4 += x->unpack_int4;
            s.attention = x->dtype;
        }
        if (x->part != RC_P_QUANTISE)
            continue;
        const bool back = strncmp(x->op, "de", 2) == 0;
        s.packs += !back;
        s.unpacks += back;
        *(back ? &s.unpacked : &s.packed) += x->a * x->b;
    }
    return s;
}

/* 128,000 new tokens over CP4: 32,000 a rank. Rank 0 has the first and the last chunk of 16,000: it
 * attends to all 32,000 keys of each of three other ranks. */
static void test_keys_in_int4(void **state) {
    (void)state;
    rc_layout l = cp4;
    l.kv = RC_INT4;
    rc_program p = build("pass-kv", l, RC_PREFILL, &(rc_sequence){128000, 0}, 1);
    seen s = look(&p);
    assert_true(rc_program_counts(&p, 0).sent_bytes == 3 * 32000 * 136.0);
    assert_int_equal(s.int4, 3 * 32000 * 256);
    assert_int_equal(s.fp8, 0);
    assert_int_equal(s.packs + s.unpacks, 0); /* the cache is in int4 already */
    assert_int_equal(s.attention, RC_BF16);
    rc_program_free(&p);
}

/* Cached keys of its own are unpacked, new ones are there; pass-Q unpacks own cached keys once. */
static void test_cached_keys_in_int4(void **state) {
    (void)state;
    const rc_sequence turn = {4000, 80000};
    rc_layout l = cp4, alone = {.tp = 8, .cp = 1, .kv = RC_INT4};
    l.kv = RC_INT4;
    rc_program p = build("tp", alone, RC_PREFILL, &turn, 1);
    assert_int_equal(look(&p).int4, 80000 * 256);
    rc_program_free(&p);
    p = build("pass-q", l, RC_PREFILL, &turn, 1);
    assert_int_equal(look(&p).int4, 20000 * 256);
    assert_true(rc_program_counts(&p, 0).sent_bytes ==
                3 * 1000 * 4096.0 + 3 * 1000 * (4096.0 + 64.0)); /* queries and outputs are bf16 */
    rc_program_free(&p);
    p = build("pass-kv", l, RC_PREFILL, &turn, 1);
    assert_int_equal(look(&p).int4, (20000 + 3 * 21000) * 256);
    rc_program_free(&p);
    p = build("pcp", l, RC_PREFILL, &turn, 1);
    /* Two launches, over what is before the end of chunk 0 and of chunk 7, less 1,000 of its own. */
    assert_int_equal(look(&p).int4, (80500 - 1000 + 84000 - 1000) * 256);
    rc_program_free(&p);
}

/* One pass packs 32,000 tokens; three messages of others are unpacked; what is handed on stays. */
static void test_ring_messages(void **state) {
    (void)state;
    rc_layout l = cp4;
    l.ring_wire = RC_FP8;
    rc_program p = build("pass-kv", l, RC_PREFILL, &(rc_sequence){128000, 0}, 1);
    seen s = look(&p);
    assert_true(rc_program_counts(&p, 0).sent_bytes == 3 * 32000 * 264.0);
    assert_int_equal(s.packs, 1);
    assert_int_equal(s.packed, 32000 * 256);
    assert_int_equal(s.fp8, 3 * 32000 * 256);
    rc_program_free(&p);
    l.ring_wire = RC_INT4;
    p = build("pass-kv", l, RC_PREFILL, &(rc_sequence){128000, 0}, 1);
    assert_true(rc_program_counts(&p, 0).sent_bytes == 3 * 32000 * 136.0);
    assert_int_equal(look(&p).int4, 3 * 32000 * 256);
    rc_program_free(&p);
    l.kv = RC_FP8; /* keys that are narrow already gain nothing from a type as wide */
    l.ring_wire = RC_FP8;
    p = build("pass-kv", l, RC_PREFILL, &(rc_sequence){128000, 0}, 1);
    assert_true(rc_program_counts(&p, 0).sent_bytes == 3 * 32000 * 256.0);
    assert_int_equal(look(&p).packs, 0);
    rc_program_free(&p);
}

/* Queries of 2,048 elements a token, then outputs as wide: both packed, both unpacked; log-sum-exps
 * (64 bytes a token) as they are. */
static void test_queries_and_outputs(void **state) {
    (void)state;
    rc_layout l = cp4;
    l.ring_wire = RC_FP8;
    rc_program p = build("pass-q", l, RC_PREFILL, &(rc_sequence){128000, 0}, 1);
    seen s = look(&p);
    const double query = 2048 * (1.0 + 4.0 / 128.0);
    assert_true(rc_program_counts(&p, 0).sent_bytes ==
                3 * 32000 * query + 3 * 32000 * (query + 64.0));
    assert_int_equal(s.packs, 2);
    assert_int_equal(s.packed, 4LL * 32000 * 2048);
    assert_int_equal(s.unpacks, 1);
    assert_int_equal(s.unpacked, 3LL * 32000 * 2048);
    assert_int_equal(s.fp8, 3LL * 32000 * 2048);
    rc_program_free(&p);
    const rc_sequence steps[4] = {{1, 100}, {1, 100}, {1, 100}, {1, 100}};
    p = build("pass-q", l, RC_DECODE, steps, 4); /* decode steps pack nothing */
    s = look(&p);
    assert_int_equal(s.packs + s.unpacks, 0);
    assert_true(rc_program_counts(&p, 0).sent_bytes == 3 * 4096.0 + 3 * (4096.0 + 64.0));
    rc_program_free(&p);
}

/* TP16 on two nodes, 1,000 tokens: the residual stream is 32,768,000 bytes, an eighth of it 4,096,000;
 * in int4 that is 1,088,000. */
static void test_transfers_between_nodes(void **state) {
    (void)state;
    rc_layout l = {.tp = 16, .cp = 1, .tp_wire = RC_INT4};
    const rc_sequence turn = {1000, 0};
    rc_program p = build("tp", l, RC_PREFILL, &turn, 1);
    double bytes[4] = {0};
    int n = 0, nodes[4] = {0}, ranks[4] = {0};
    for (size_t i = 0; i < p.task_count && n < 4; i++) {
        const rc_shape *x = programs_shape(&p, i);
        if (x->kind != RC_T_COLLECTIVE)
            continue;
        bytes[n] = x->bytes;
        nodes[n] = x->nodes;
        ranks[n++] = x->ranks;
    }
    assert_int_equal(n, 4); /* of the first all-reduce: scatter, all-to-all, gather, gather */
    assert_true(bytes[0] == 32768000.0 && bytes[3] == 32768000.0);
    assert_true(bytes[1] == 1088000.0 && bytes[2] == 1088000.0);
    assert_true(nodes[0] == 1 && nodes[1] == 2 && nodes[2] == 2 && nodes[3] == 1);
    assert_true(ranks[0] == 8 && ranks[1] == 2 && ranks[2] == 2 && ranks[3] == 8);
    seen s = look(&p); /* of both: 125 tokens, then 63 of the sum */
    assert_int_equal(s.packed, 2 * (125 + 63) * 16384);
    assert_int_equal(s.unpacked, 2 * (125 + 125) * 16384);
    rc_program_free(&p);
    l.tp = 8;
    p = build("tp", l, RC_PREFILL, &turn, 1); /* inside a node nothing is slow */
    assert_int_equal(look(&p).packs, 0);
    rc_program_free(&p);
}

/* A token in the cache: 126 layers x 256 elements x 17/32 bytes on a GPU of TP8. Unpacked beside it:
 * 32,000 tokens of one layer. */
static void test_memory(void **state) {
    (void)state;
    rc_model m = programs_model(126, 128, 8, 128, 16384, 53248);
    rc_layout l = cp4;
    rc_memory wide, narrow;
    rc_error err = {0};
    const rc_schedule *s = rc_schedule_named("pass-kv");
    l.kv = RC_INT4;
    assert_true(rc_model_kv_bytes_gpu(&m, 8, RC_INT4) == 126 * 136.0);
    assert_int_equal(rc_pass_memory(s, &m, &cp4, 128000, 0, 1, 1e12, &wide, &err), RC_OK);
    assert_int_equal(rc_pass_memory(s, &m, &l, 128000, 0, 1, 1e12, &narrow, &err), RC_OK);
    assert_true(narrow.kv == 32000 * 126 * 136.0);
    /* two messages in int4 in place of bf16, and one unpacked */
    assert_true(narrow.buffers == wide.buffers - 2 * 32000 * (512.0 - 136.0) + 32000 * 512.0);
    l.kv = RC_BF16;
    l.ring_wire = RC_INT4;
    assert_int_equal(rc_pass_memory(s, &m, &l, 128000, 0, 1, 1e12, &narrow, &err), RC_OK);
    assert_true(narrow.kv == wide.kv);
    assert_true(narrow.buffers == wide.buffers - 2 * 32000 * (512.0 - 136.0) + 32000 * 512.0);
    const rc_memory before = wide;
    l = (rc_layout){.tp = 8, .cp = 1, .kv = RC_INT4};
    s = rc_schedule_named("tp");
    assert_int_equal(rc_pass_memory(s, &m, &l, 1, 80000, 1, 1e12, &wide, &err), RC_OK);
    assert_true(wide.buffers == 0.0); /* a decode step unpacks as it reads */
    assert_int_equal(rc_pass_memory(s, &m, &l, 2, 80000, 1, 1e12, &wide, &err), RC_OK);
    assert_true(wide.buffers == 80000 * 512.0);
    assert_true(before.total > 0.0);
}

/* Bytes that GPU 0 copies (each is read and written), and queries and keys of its ring steps' attention. */
typedef struct copied {
    int copies, calls;
    double bytes;
    int64_t queries, keys;
    bool causal;
} copied;

static copied look_copied(const rc_program *p) {
    copied c = {.causal = true};
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_shape *x = programs_shape(p, i);
        if (p->tasks[i].gpu != 0)
            continue;
        if (x->op && strcmp(x->op, "copy") == 0) {
            c.copies++;
            c.bytes += x->bytes;
        }
        for (uint32_t k = 0; x->kind == RC_T_ATTENTION && k < x->calls; k++) {
            const rc_call *call = &p->calls[x->first_call + k];
            c.calls++;
            c.queries += call->tq;
            c.keys += call->tk;
            c.causal = c.causal && call->causal;
        }
    }
    return c;
}

/* 4,000 new tokens behind 80,000 over CP4, in stripes and pages: a message has 21,000 keys of 256 bytes and
 * as many values, each copied once. In each of four steps 1,000 queries see 20,000 cached keys, and of new
 * ones 1,000 (rank 0's own) or, of later stripes, one less. */
static void test_pages_copied(void **state) {
    (void)state;
    const rc_sequence turn = {4000, 80000};
    rc_program p = build_of("pass-kv", cp4, RC_PREFILL, &turn, 1, true);
    copied c = look_copied(&p);
    assert_int_equal(c.copies, 2);
    assert_true(c.bytes == 2 * 2 * 21000 * 256.0);
    assert_int_equal(c.calls, 4);
    assert_int_equal(c.queries, 4 * 1000);
    assert_int_equal(c.keys, 4 * 21000 - 3);
    assert_true(c.causal);
    rc_program_free(&p);
    p = build_of("pass-q", cp4, RC_PREFILL, &turn, 1, true);
    c = look_copied(&p);
    assert_int_equal(c.copies, 0); /* queries lie in rows as they are sent */
    assert_int_equal(c.calls, 4);
    rc_program_free(&p);
    p = build("pass-kv", cp4, RC_PREFILL, &turn, 1);
    c = look_copied(&p);
    assert_int_equal(c.copies, 0);
    assert_false(c.causal);
    rc_program_free(&p);
    p = build_of("pass-q", cp4, RC_DECODE, &(rc_sequence){1, 80000}, 1, true);
    assert_int_equal(look_copied(&p).copies, 0);
    rc_program_free(&p);
}

static void test_refusals(void **state) {
    (void)state;
    rc_model m = programs_model(126, 128, 8, 128, 16384, 53248);
    rc_layout l = cp4;
    rc_error err = {0};
    l.ring_wire = RC_FP8;
    assert_int_equal(rc_schedule_fits(rc_schedule_named("pcp"), &m, &l, &err), RC_E_UNMODELLED);
    assert_non_null(strstr(err.msg, "messages in fp8 are modelled between the ranks of a ring"));
    assert_int_equal(rc_schedule_fits(rc_schedule_named("pass-q"), &m, &l, &err), RC_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys_in_int4),
                                       cmocka_unit_test(test_cached_keys_in_int4),
                                       cmocka_unit_test(test_ring_messages),
                                       cmocka_unit_test(test_queries_and_outputs),
                                       cmocka_unit_test(test_transfers_between_nodes),
                                       cmocka_unit_test(test_memory),
                                       cmocka_unit_test(test_pages_copied),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
