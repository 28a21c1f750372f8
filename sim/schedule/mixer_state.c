/* A mixer with a state (linear attention by the gated delta rule, KDA, Mamba 2), behind a norm of the
 * residual stream and before an all-reduce over the TP group.
 *
 * One product makes queries, keys, values, their gate and what decays the state; a short convolution
 * runs over queries, keys and values; then each token updates its sequence's state and reads from it.
 * Heads are cut over the TP group. Over CP ranks a sequence is cut into two chunks a rank: each is
 * worked through from an empty state, all ranks gather the states and decays of all chunks, and what
 * came before a chunk is added to its outputs, which is as much work again as reading from a state.
 * Sequences that decode keep their state on the rank that has them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/half.h"

typedef struct widths {
    int64_t keys, values, extra; /* of one GPU */
    int heads;
} widths;

static widths widths_of(const rc_layer_kind *l, int tp) {
    const rc_state_dims *s = &l->state;
    int64_t key_heads = rc_ceil_div(s->key_heads, tp), heads = rc_ceil_div(s->heads, tp);
    return (widths){.keys = key_heads * s->key_dim,
                    .values = heads * s->value_dim,
                    .extra = rc_ceil_div(s->extra, tp),
                    .heads = (int)heads};
}

static int64_t inputs(const widths *w) {
    return 2 * w->keys + 2 * w->values + w->extra;
}

static int matrices(const rc_model *m, const rc_layer_kind *l, int tp, rc_matrix *out) {
    const widths w = widths_of(l, tp);
    const double d = (double)m->hidden, low = l->state.low_rank;
    int n = 0;
    out[n++] = (rc_matrix){.proj = RC_STATE_IN, .rows = (double)inputs(&w), .columns = d};
    if (low > 0.0) {
        out[n++] = (rc_matrix){.proj = RC_STATE_IN, .rows = low, .columns = d};
        out[n++] = (rc_matrix){.proj = RC_STATE_IN, .rows = (double)w.keys, .columns = low};
    }
    out[n++] = (rc_matrix){.proj = RC_STATE_OUT, .rows = d, .columns = (double)w.values};
    return n;
}

/* The convolution, two numbers a head (how fast it decays, and a bias of that), and a norm of the
 * output. */
static double vectors(const rc_model *m, const rc_layer_kind *l, int tp) {
    const widths w = widths_of(l, tp);
    (void)m;
    return (double)l->state.conv * (double)(2 * w.keys + w.values) + 2.0 * w.heads +
           l->state.value_dim;
}

static double live_bytes(const rc_model *m, const rc_layer_kind *l, const rc_layout *cut) {
    const widths w = widths_of(l, cut->tp);
    const double a = rc_dtype_bytes(cut->act), d = (double)m->hidden;
    const double made = (double)inputs(&w), mixed = (double)(2 * w.keys + w.values);
    const double stage[] = {a * (d + made), a * (made + mixed + (double)w.values),
                            a * ((double)w.values + d)};
    return rc_largest(stage, sizeof stage / sizeof stage[0]);
}

static double gathered(const rc_builder *b, int rank) {
    const widths w = widths_of(b->kind, b->rq->layout.tp);
    const double chunks = 2.0 * b->n * (double)(b->rq->seq_count - b->decodes);
    (void)rank;
    return chunks * (double)w.heads * b->kind->state.key_dim * b->kind->state.value_dim *
           rc_dtype_bytes(RC_FP32);
}

static void update(rc_builder *b, uint32_t gpu, const widths *w, int64_t tokens,
                   int64_t sequences) {
    const rc_op_sizes at = {.a = tokens,
                            .b = sequences,
                            .c = w->heads,
                            .key_size = b->kind->state.key_dim,
                            .value_size = b->kind->state.value_dim};
    rc_emit_op(b, gpu, RC_P_STATE, "linear_attention", RC_BF16, &at);
}

/* New tokens of a rank that prefill, and how many chunks they are. */
static void prefill(rc_builder *b, const widths *w) {
    const int64_t chunks = (int64_t)(b->rq->seq_count - b->decodes) * (b->n > 1 ? 2 : 1);
    const int64_t decodes = rc_decode_tokens(b);
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu))
        update(b, gpu, w, rc_rank_tokens(b, rc_rank_of(b, gpu)) - decodes, chunks);
    if (b->n == 1)
        return;
    rc_emit_collective(b, rc_group_cp(b), RC_LANE_COMM, RC_P_ALL_GATHER, "all_gather", gathered);
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu)) {
        uint32_t first = b->at;
        uint32_t have = b->mark[gpu];
        update(b, gpu, w, rc_rank_tokens(b, rc_rank_of(b, gpu)) - decodes, chunks);
        rc_emit_dep(b, first, have);
    }
}

static void before(rc_builder *b) {
    const rc_layout *l = &b->rq->layout;
    const rc_state_dims *s = &b->kind->state;
    const widths w = widths_of(b->kind, l->tp);
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu)) {
        int64_t t = rc_rank_tokens(b, rc_rank_of(b, gpu));
        rc_emit_input_norm(b, gpu, l->attn_weights, t);
        rc_emit_gemm(b, gpu, RC_P_QKV, l->attn_weights, t, inputs(&w) + s->low_rank,
                     b->rq->model->hidden);
        if (s->low_rank > 0)
            rc_emit_gemm(b, gpu, RC_P_QKV, l->attn_weights, t, w.keys, s->low_rank);
        if (s->conv > 0) /* reads and writes each element, as an addition of two would nearly */
            rc_emit_elementwise(b, gpu, RC_P_STATE, "residual_add", t, 2 * w.keys + w.values);
    }
    if (rc_prefills(b))
        prefill(b, &w);
    for (uint32_t gpu = 0; gpu < b->p->gpus && b->decodes > 0; gpu++)
        update(b, gpu, &w, rc_decode_tokens(b), rc_decode_tokens(b));
}

static void after(rc_builder *b) {
    const widths w = widths_of(b->kind, b->rq->layout.tp);
    /* the gated norm of the output */
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu))
        rc_emit_elementwise(b, gpu, RC_P_STATE, "swiglu", rc_rank_tokens(b, rc_rank_of(b, gpu)),
                            w.values);
    rc_emit_out(b, w.values);
}

const rc_half rc_mixer_state = {.matrices = matrices,
                                .vectors = vectors,
                                .live_bytes = live_bytes,
                                .before = before,
                                .after = after};
