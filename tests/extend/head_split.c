/* Head-split attention (Ulysses): before attention an all-to-all gives every rank all tokens of a
 * part of the heads, after it another gives every rank all heads of its tokens again. KV heads that
 * are fewer than the ranks are gathered instead, and several ranks hold the same ones.
 *
 * This schedule is not part of Ringcast. It shows what adding one takes (docs/extending.md), and
 * tests/extend/test_extend_program.sh builds it into the program.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/builder.h"

/* Ranks that hold different KV heads. */
static int apart_of(int kv_heads, int cp) {
    return kv_heads < cp ? kv_heads : cp;
}

static int kv_ranks(int kv_heads, const rc_layout *l) {
    return apart_of(kv_heads, l->cp);
}

static rc_status check(const rc_model *m, const rc_layout *l, rc_error *err) {
    for (int k = 0; k < m->kinds; k++) {
        const rc_heads h = rc_layer_form_of(&m->kind[k])->heads(&m->kind[k], l->tp);
        int cp = l->cp, apart = h.kv > 0 ? apart_of(h.kv, cp) : 1;
        if (h.query % cp != 0 || cp % apart != 0 || h.kv % apart != 0)
            return rc_fail(err, RC_E_INPUT,
                           "head-split cuts the heads of a GPU, %d and %d of KV, over the ranks: "
                           "cp %d does not divide them",
                           h.query, h.kv, cp);
    }
    return RC_OK;
}

static double query_bytes(const rc_builder *b, int rank) {
    (void)rank;
    return (double)rc_step_tokens(b) * rc_q_token_bytes(b);
}

/* New keys and values: those that are cached lie where they are needed. */
static double kv_bytes(const rc_builder *b, int rank) {
    (void)rank;
    return (double)rc_step_tokens(b) * rc_kv_token_bytes(b);
}

static double gathered_kv_bytes(const rc_builder *b, int rank) {
    return b->n * kv_bytes(b, rank);
}

static double output_bytes(const rc_builder *b, int rank) {
    (void)rank;
    return (double)rc_step_tokens(b) * b->hq * b->value_size * rc_dtype_bytes(b->rq->layout.act);
}

static int calls_of(const rc_builder *b, int rank, const rc_sequence *s, rc_call out[RC_CALLS]) {
    (void)b, (void)rank;
    out[0] = (rc_call){s->t, s->p + s->t, 1};
    return 1;
}

static void exchange(rc_builder *b, rc_bytes_fn bytes) {
    rc_emit_collective(b, rc_group_cp(b), RC_LANE_COMPUTE, RC_P_ALL2ALL, "all_to_all", bytes);
}

static void head_split(rc_builder *b) {
    int apart = apart_of(b->hkv, b->n);
    if (b->n > 1) {
        exchange(b, query_bytes);
        if (apart == b->n)
            exchange(b, kv_bytes);
        else
            rc_emit_collective(b, rc_group_cp(b), RC_LANE_COMPUTE, RC_P_ALL_GATHER, "all_gather",
                               gathered_kv_bytes);
    }
    int hq = (int)rc_ceil_div(b->hq, b->n), hkv = b->hkv / apart;
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        if (rc_prefills(b))
            (void)rc_emit_attention_of(b, gpu, hq, hkv, calls_of);
        else
            (void)rc_emit_decode_of(b, gpu, hq, hkv, b->n * rc_decode_tokens(b), 1);
    if (b->n > 1)
        exchange(b, output_bytes);
}

/* Queries and outputs, both sent and received; new keys and values, sent, and received: a part of
 * the heads of all ranks, or all of them where they are gathered. */
static double buffers(const rc_buffer_terms *t) {
    double kv = t->fresh * t->kv_token;
    return 4.0 * t->fresh * t->q_token + kv + (t->kv_heads < t->cp ? t->cp * kv : kv);
}

const rc_schedule rc_schedule_head_split = {
    .name = "head-split",
    .summary = "every rank attends with a part of the heads to all tokens",
    .phases = RC_PHASE_BIT(RC_PREFILL) | RC_PHASE_BIT(RC_DECODE),
    .many_ranks = true,
    .groups = RC_OVER_CP,
    .check = check,
    .attention = head_split,
    .buffers = buffers,
    .kv_ranks = kv_ranks,
};
