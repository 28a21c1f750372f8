/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/dcp.h"

#include <assert.h>

rc_status rc_dcp_check(const char *name, bool replicas, const rc_model *m, const rc_layout *l,
                       rc_error *err) {
    const int d = rc_layout_dcp(l);
    if (l->tp % d != 0)
        return rc_fail(err, RC_E_INPUT, "dcp is %d, which does not divide tp %d", d, l->tp);
    for (int k = 0; k < m->kinds; k++) {
        const rc_layer_form *form = rc_layer_form_of(&m->kind[k]);
        const int kv = m->kind[k].mixer == RC_MIX_LATENT ? 1 : form->heads(&m->kind[k], 1).kv;
        int own = rc_layout_kv_tp(l);
        if (kv == 0 || d == 1)
            continue;
        if (replicas && own % kv != 0)
            return rc_fail(err, RC_E_INPUT,
                           "variant '%s' cuts a sequence over GPUs that would hold the same KV "
                           "heads: with %d of them on tp %d, dcp is at most %d; found dcp %d",
                           name, kv, l->tp, l->tp > kv ? l->tp / kv : 1, d);
        if (!replicas && own % kv != 0 && kv % own != 0)
            return rc_fail(err, RC_E_INPUT,
                           "variant '%s' leaves %d of %d GPUs to cut %d KV heads over: neither "
                           "divides the other",
                           name, own, l->tp, kv);
    }
    return RC_OK;
}

int rc_schedule_most_dcp(const rc_model *m, int tp) {
    int most = tp;
    assert(tp >= 1);
    for (int k = 0; k < m->kinds; k++) {
        rc_heads h = rc_layer_form_of(&m->kind[k])->heads(&m->kind[k], 1);
        if (m->kind[k].selection.ratio > 0 && !rc_selects_latents(&m->kind[k]))
            return 1;
        if (m->kind[k].mixer == RC_MIX_LATENT)
            h.kv = 1;
        int same = h.kv > 0 && tp % h.kv == 0 ? tp / h.kv : 1;
        if (h.query > 0 && same < most)
            most = same;
    }
    return most;
}

static bool selects(const rc_builder *b) {
    return b->kind->selection.ratio > 0;
}

/* Prompts attend to latents that are gathered: to those that they find, all of them. */
static bool gathers_latents(const rc_builder *b) {
    return b->latent && b->cached && !selects(b);
}

/* Rows of prompts behind cached tokens. */
static int64_t cached_rows(const rc_builder *b) {
    int64_t rows = 0;
    for (size_t i = 0; b->cached && i < b->rq->seq_count; i++)
        if (!rc_decodes(b, i) && b->rq->seqs[i].p > 0)
            rows += b->rq->seqs[i].t;
    return rows;
}

int64_t rc_dcp_rows(const rc_builder *b) {
    if (selects(b))
        return rc_step_tokens(b);
    return rc_decode_tokens(b) + (b->latent ? 0 : cached_rows(b));
}

int rc_dcp_heads(const rc_builder *b) {
    return b->hq * rc_layout_dcp(&b->rq->layout);
}

/* Queries that travel are absorbed where attention is on latents. */
double rc_dcp_partials(const rc_builder *b, double extra) {
    const int size = b->latent ? b->one.value_size : b->value_size;
    return (double)rc_dcp_rows(b) * rc_dcp_heads(b) *
           (size * rc_dtype_bytes(b->rq->layout.act) + extra);
}

static double gathered_queries(const rc_builder *b, int rank) {
    (void)rank;
    const double latent =
        (double)b->one.query * b->one.key_size * rc_dtype_bytes(b->rq->layout.act);
    return (double)rc_dcp_rows(b) * (b->latent ? latent : rc_q_token_bytes(b)) *
           rc_layout_dcp(&b->rq->layout);
}

void rc_dcp_gather_queries(rc_builder *b) {
    rc_emit_collective(b, rc_group_dcp(b), RC_LANE_COMPUTE, RC_P_ALL_GATHER, "all_gather",
                       gathered_queries);
}

/* All queries of a prompt over this GPU's share of its cached tokens. */
static int cached_call(const rc_builder *b, int rank, const rc_sequence *s, rc_call out[RC_CALLS]) {
    (void)rank;
    out[0] = (rc_call){s->t, rc_ceil_div(s->p, rc_layout_dcp(&b->rq->layout)), 0};
    return s->p > 0;
}

static int new_call(const rc_builder *b, int rank, const rc_sequence *s, rc_call out[RC_CALLS]) {
    (void)b, (void)rank;
    out[0] = (rc_call){s->t, s->t, 1};
    return 1;
}

/* KV heads on one GPU of the cache. */
static int kv_heads(const rc_builder *b) {
    return b->latent ? 1 : b->form->heads(b->kind, rc_layout_kv_tp(&b->rq->layout)).kv;
}

void rc_dcp_attend(rc_builder *b) {
    const int hq = rc_dcp_heads(b), hkv = kv_heads(b), d = rc_layout_dcp(&b->rq->layout);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        if (selects(b)) {
            rc_emit_selected_share(b, gpu, hq, d);
            continue;
        }
        if (b->cached && !b->latent)
            (void)rc_emit_attention_of(b, gpu, hq, hkv, cached_call);
        if (b->decodes > 0)
            (void)rc_emit_decode_of(b, gpu, hq, hkv, rc_decode_tokens(b), d);
    }
}

/* ---- latents that prompts find ------------------------------------------------------------------ */

static double found_latents(const rc_builder *b, int rank) {
    double tokens = 0.0;
    (void)rank;
    for (size_t i = 0; i < b->rq->seq_count; i++)
        tokens += rc_decodes(b, i) ? 0.0 : (double)b->rq->seqs[i].p;
    return tokens * rc_kv_token_bytes(b);
}

static int found_call(const rc_builder *b, int rank, const rc_sequence *s, rc_call out[RC_CALLS]) {
    (void)b, (void)rank;
    out[0] = (rc_call){s->t, s->p, 0};
    return s->p > 0;
}

/* All latents come to every GPU, are put in order, and its own heads attend to them. */
static void attend_to_found(rc_builder *b) {
    rc_emit_collective(b, rc_group_dcp(b), RC_LANE_COMPUTE, RC_P_ALL_GATHER, "all_gather",
                       found_latents);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        rc_emit_copy(b, gpu, RC_P_ALL_GATHER, found_latents(b, 0));
        (void)rc_emit_attention_of(b, gpu, b->hq, b->hkv, found_call);
    }
}

/* New tokens of prompts, with the heads of one GPU; their outputs and those over the cache become
 * one. */
static void attend_to_new(rc_builder *b) {
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        (void)rc_emit_attention_of(b, gpu, b->hq, b->hkv, new_call);
        if (b->cached)
            rc_emit_merge(b, gpu, cached_rows(b), 2);
    }
}

void rc_dcp_layer(rc_builder *b, void (*back)(rc_builder *b)) {
    if (rc_layout_dcp(&b->rq->layout) == 1) {
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
            (void)rc_emit_attention(b, gpu, 0, 0);
        return;
    }
    if (gathers_latents(b))
        attend_to_found(b);
    if (rc_dcp_rows(b) > 0) {
        if (!b->rq->schedule->whole_queries)
            rc_dcp_gather_queries(b);
        rc_dcp_attend(b);
        back(b);
    }
    if (rc_prefills(b) && !selects(b))
        attend_to_new(b);
}

double rc_dcp_buffers(const rc_buffer_terms *t) {
    return t->dcp * t->fresh * (t->q_token + 2.0 * t->partial_token);
}
