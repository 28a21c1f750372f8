/* A mixture of experts behind a norm of the residual stream.
 *
 * A product and a choice route each token to `top_k` of `count` experts; beside them every token may
 * pass a shared part. Experts are dealt to `ep` GPUs side by side (rc_layout.ep), each of which holds
 * count / ep of them:
 *   ep <= tp   The GPUs of a TP group have the same tokens. Each works on those that its experts are
 *              chosen for, over 1 / (tp / ep) of their width, and over 1 / tp of the shared part; the
 *              all-reduce that ends the layer adds all of it up.
 *   ep > tp    Each GPU of a TP group takes 1 / tp of the group's tokens, sends them to the GPUs of
 *              their experts (dispatch) and gets the results back (combine); the shared part is whole
 *              on every GPU and sees the same tokens. An all-gather over the TP group ends the layer.
 *              With RC_EXPERTS_GATHER instead, every GPU gets the tokens of all ep / tp ranks and works
 *              on those of its experts; a reduce-scatter over these ranks leaves each its own tokens,
 *              the shared part is cut over the TP group, and the all-reduce adds up what the group has.
 * The GPUs of a group wait for the one to which most rows go (routing.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "sim/schedule/half.h"
#include "sim/schedule/routing.h"

static double wide(const rc_model *m, const rc_layer_kind *l) {
    return l->experts.latent > 0 ? (double)l->experts.latent : (double)m->hidden;
}

static int matrices(const rc_model *m, const rc_layer_kind *l, int tp, rc_matrix *out) {
    const rc_experts *x = &l->experts;
    const double d = (double)m->hidden, parts = x->gated ? 3.0 : 2.0;
    int n = 0;
    out[n++] = (rc_matrix){.proj = RC_ROUTER, .rows = x->count, .columns = d};
    out[n++] = (rc_matrix){.proj = RC_EXPERT,
                           .rows = ceil((double)x->width / tp),
                           .columns = wide(m, l),
                           .copies = parts * x->count,
                           .used = parts * x->top_k};
    if (x->shared > 0)
        out[n++] = (rc_matrix){.proj = RC_SHARED,
                               .rows = ceil((double)x->shared / tp),
                               .columns = d,
                               .copies = parts,
                               .used = parts};
    if (x->latent > 0)
        out[n++] = (rc_matrix){
            .proj = RC_SHARED, .rows = (double)x->latent, .columns = d, .copies = 2.0, .used = 2.0};
    return n;
}

static double vectors(const rc_model *m, const rc_layer_kind *l, int tp) {
    const rc_experts *x = &l->experts;
    const double parts = x->gated ? 2.0 : 1.0, d = (double)m->hidden;
    double elements = x->shared_gate ? d : 0.0;
    if (x->router_bias)
        elements += x->count;
    if (x->bias)
        elements += x->count * (parts * ceil((double)x->width / tp) + wide(m, l));
    return elements;
}

/* The normed input; for each chosen expert of a token its gathered row, its inner width and its
 * result. Over `ep` GPUs a GPU has on average the rows of its own tokens. */
static double live_bytes(const rc_model *m, const rc_layer_kind *l, const rc_layout *cut) {
    const rc_experts *x = &l->experts;
    const int ep = rc_layout_ep(cut);
    const double a = rc_dtype_bytes(cut->act), d = (double)m->hidden, w = wide(m, l);
    const double inner = (double)rc_ceil_div(x->width, ep < cut->tp ? cut->tp / ep : 1);
    const double rows = (double)x->top_k / (ep < cut->tp ? ep : cut->tp);
    const double shared = 2.0 * (double)rc_ceil_div(x->shared, cut->tp);
    const bool gathers = ep > cut->tp && !rc_layout_dispatches(cut);
    const double whole = gathers ? 2.0 * d * ep / cut->tp : 0.0; /* what came, what goes back */
    const double stage[] = {a * (d + whole + rows * (w + 2.0 * inner)),
                            a * (d + whole + rows * (inner + w)), a * (d + shared)};
    return rc_largest(stage, sizeof stage / sizeof stage[0]);
}

/* How the experts of the layer are cut, and what one GPU works on. */
typedef struct cut {
    int ep;
    bool travels;     /* tokens are sent to the GPUs of their experts, */
    bool gathers;     /* or to all GPUs of the group */
    int64_t rows;     /* of the busiest GPU: pairs of a token and an expert on it */
    int64_t entering; /* tokens on a GPU as its experts begin; 0: not known, as they come to it */
    int64_t inner;    /* width of an expert on one GPU */
    int own;          /* experts of one GPU */
    int64_t wide;     /* elements of a row */
} cut;

/* Tokens of so many ranks side by side: those of the busiest group of sequences, and of the others as
 * they have on average. */
static double tokens_over(const rc_builder *b, int ranks) {
    const int others = b->n * (rc_layout_dp(&b->rq->layout) - 1), more = ranks - b->n;
    const double own = (double)rc_step_tokens(b) * (more > 0 ? b->n : ranks);
    return more > 0 ? own + (double)b->rq->elsewhere.tokens * more / others : own;
}

static cut cut_of(const rc_builder *b) {
    const rc_layout *l = &b->rq->layout;
    const rc_experts *x = &b->kind->experts;
    cut c = {.ep = rc_layout_ep(l), .own = x->count / rc_layout_ep(l)};
    c.travels = rc_layout_dispatches(l);
    c.gathers = c.ep > l->tp && !c.travels;
    c.inner = rc_ceil_div(x->width, c.ep > l->tp ? 1 : l->tp / c.ep);
    if (!x->gated) /* an op has three matrices of an expert; of two it is a third narrower */
        c.inner = rc_ceil_div(2 * c.inner, 3);
    c.wide = (int64_t)wide(b->rq->model, b->kind);
    const double tokens = tokens_over(b, c.ep > l->tp ? c.ep / l->tp : 1);
    const double share = rc_busiest_share(x->count, x->top_k, c.ep, l->expert_skew);
    c.rows = (int64_t)ceil(tokens * x->top_k * share);
    c.entering = c.travels ? 0 : (int64_t)tokens;
    return c;
}

static void shared_part(rc_builder *b, uint32_t gpu, const cut *c, int64_t t) {
    const rc_experts *x = &b->kind->experts;
    const rc_dtype w = b->rq->layout.ffn_weights;
    const int64_t own = rc_ceil_div(x->shared, c->travels ? 1 : b->rq->layout.tp);
    const int64_t d = b->rq->model->hidden, parts = x->gated ? 2 : 1;
    if (x->shared == 0)
        return;
    rc_emit_gemm(b, gpu, RC_P_GATE_UP, w, t, parts * own, d);
    rc_emit_elementwise(b, gpu, RC_P_SWIGLU, rc_swiglu_for(w), t, own);
    rc_emit_gemm(b, gpu, RC_P_DOWN, w, t, d, own);
}

/* Tokens that a GPU of `rank` routes: all of its rank's, or its share of them where they travel. */
static int64_t routed(const rc_builder *b, const cut *c, int rank) {
    const int64_t t = rc_rank_tokens(b, rank);
    return c->travels ? rc_ceil_div(t, b->rq->layout.tp) : t;
}

static void route(rc_builder *b, const cut *c) {
    const rc_experts *x = &b->kind->experts;
    const int64_t d = b->rq->model->hidden;
    const rc_dtype w = b->rq->layout.ffn_weights;
    /* moe_ffn quantises what it gathers: scales of blocks are made here for other products alone. */
    const bool others = x->shared > 0 || x->latent > 0;
    const rc_dtype normed = w == RC_FP8_BLOCK && !others ? RC_BF16 : w;
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu)) {
        const int64_t t = routed(b, c, rc_rank_of(b, gpu));
        const rc_op_sizes choice = {.a = t, .experts = x->count, .top_k = x->top_k};
        rc_emit_norm(b, gpu, normed, t);
        rc_emit_gemm(b, gpu, RC_P_EXPERTS, RC_BF16, t, x->count, d);
        rc_emit_op(b, gpu, RC_P_EXPERTS, "moe_route", RC_BF16, &choice);
        if (x->latent > 0)
            rc_emit_gemm(b, gpu, RC_P_EXPERTS, w, t, x->latent, d);
    }
}

/* What an engine launches for "moe_ffn": rows are gathered, multiplied, activated, multiplied again
 * and scattered. */
enum { KERNELS = 5 };

static void work(rc_builder *b, const cut *c) {
    const rc_experts *x = &b->kind->experts;
    const rc_op_sizes ffn = {.a = c->rows,
                             .b = c->wide,
                             .c = c->inner,
                             .d = c->entering,
                             .experts = c->own,
                             .top_k = x->top_k};
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu)) {
        rc_emit_launches(b, gpu, KERNELS - 1);
        rc_emit_op(b, gpu, RC_P_EXPERTS, "moe_ffn", b->rq->layout.ffn_weights, &ffn);
    }
}

static double gathered(const rc_builder *b, int rank) {
    return (double)rc_rank_tokens(b, rank) * (double)b->rq->model->hidden *
           rc_dtype_bytes(b->rq->layout.act);
}

/* The tokens of all ranks over which experts are dealt, and partial sums of as many. */
static double of_all_ranks(const rc_builder *b, int rank) {
    (void)rank;
    return tokens_over(b, rc_layout_ep(&b->rq->layout) / b->rq->layout.tp) *
           (double)b->rq->model->hidden * rc_dtype_bytes(b->rq->layout.act);
}

static void gather(rc_builder *b, const cut *c, const char *op) {
    const int tp = b->rq->layout.tp;
    if (c->gathers)
        rc_emit_collective(b, (rc_group){.size = c->ep / tp, .stride = tp}, RC_LANE_COMPUTE,
                           RC_P_DISPATCH, op, of_all_ranks);
}

static void transfer(rc_builder *b, const cut *c, const char *op, double element) {
    const rc_experts *x = &b->kind->experts;
    const rc_op_sizes at = {.a = routed(b, c, 0),
                            .b = c->wide,
                            .experts = x->count,
                            .top_k = x->top_k,
                            .element = element};
    if (c->travels)
        rc_emit_expert_transfer(b, (rc_group){.size = c->ep, .stride = 1}, op, &at);
}

static void after(rc_builder *b) {
    const cut c = cut_of(b);
    const rc_experts *x = &b->kind->experts;
    const rc_layout *l = &b->rq->layout;
    const double act = rc_dtype_bytes(l->act);
    route(b, &c);
    transfer(b, &c, "ep_dispatch", rc_dtype_math(l->ffn_weights) == RC_FP8 ? 1.0 : act);
    gather(b, &c, "all_gather");
    work(b, &c);
    gather(b, &c, "reduce_scatter");
    transfer(b, &c, "ep_combine", act);
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu)) {
        const int64_t t = routed(b, &c, rc_rank_of(b, gpu));
        if (x->latent > 0)
            rc_emit_gemm(b, gpu, RC_P_EXPERTS, l->ffn_weights, t, b->rq->model->hidden, x->latent);
        shared_part(b, gpu, &c, t);
    }
    if (!c.travels)
        rc_emit_all_reduce(b);
    else if (l->tp > 1)
        rc_emit_collective(b, rc_group_tp(b), RC_LANE_COMPUTE, RC_P_ALL_REDUCE, "all_gather",
                           gathered);
}

const rc_half rc_ffn_experts = {
    .matrices = matrices, .vectors = vectors, .live_bytes = live_bytes, .after = after};
