/* Bytes on one GPU of a pass.
 *
 * Weights      those of all layers as their forms cut them (mixer_attention.c: q and o sharded TP ways,
 *              k and v by whole heads, gate, up and down sharded), embedding and LM head
 *              (totals.c). Where each GPU projects the queries of all heads that it attends with,
 *              q, k and v are cut tp / dcp ways; where the FFN is cut over the GPUs of all ranks, so
 *              is its part.
 * KV           tokens of all sequences, new and cached, over the CP ranks rounded up, or over as
 *              many of them as the schedule cuts the KV over, and over the GPUs of a TP group that
 *              hold different tokens (dcp), which hold the heads of a TP group of tp / dcp; all
 *              layers. Of a layer with a window no more than it, of one with a state that (kept.h),
 *              both for each sequence and rank.
 * Activations  the largest live set within any layer, for ceil(tokens_new / CP) tokens, as its form
 *              says. The residual stream is whole (tokens x D) on every GPU of the TP group.
 * Buffers      what the schedule keeps besides, for the layer that needs most, since every layer
 *              uses the buffers of the layer before it again. 0 on one rank. Beside them, of prompts
 *              over a KV cache in int4, keys and values of one layer that are unpacked.
 * Runtime      2 GB, a fixed allowance. Of it the CUDA context and what the driver holds are
 *              measured: a calibration finds 84.4 GB free of an H100's 81,559 MiB and 149.4 of an
 *              H200's 143,771 (heads of results/calibration), so 1.1 and 1.4 GB. The rest is for
 *              NCCL channels, cuBLAS workspaces and graphs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/pass_memory.h"

#include <assert.h>
#include <math.h>

#include "sim/schedule/kept.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/totals.h"

static const double RUNTIME = 2e9;

/* Messages that are packed, and one of them unpacked: a ring has two. */
static double packed_buffers(const rc_schedule *s, const rc_layout *l, const rc_buffer_terms *t) {
    rc_buffer_terms none = *t;
    const double all = s->buffers(t);
    if (!s->packs || l->ring_wire == RC_BF16)
        return all;
    none.q_token = none.kv_token = 0.0;
    const double messages = all - s->buffers(&none);
    const double packed = fmin(rc_packed_element(l->ring_wire) / rc_kv_element(l->kv), 1.0);
    return all + messages * (packed < 1.0 ? packed + 0.5 - 1.0 : 0.0);
}

/* Of a layer of kind `k`. */
static double buffers_of(const rc_schedule *s, const rc_layer_kind *k, const rc_layout *l,
                         double fresh, double cached) {
    const rc_layer_form *form = rc_layer_form_of(k);
    const rc_heads h = form->heads(k, l->tp);
    const double act = rc_dtype_bytes(l->act);
    if (h.query == 0 || (l->cp == 1 && rc_layout_dcp(l) == 1) || !s->buffers)
        return 0.0;
    const rc_buffer_terms t = {.cp = l->cp,
                               .dcp = rc_layout_dcp(l),
                               .ulysses = rc_layout_ulysses(l),
                               .fresh = fresh,
                               .cached = cached,
                               .q_token = (double)h.query * h.key_size * act,
                               .kv_token = form->kv_bytes(k, l->tp, l->kv),
                               .kv_heads = h.kv,
                               .partial_token =
                                   h.query * (h.value_size * act + rc_dtype_bytes(RC_FP32))};
    return packed_buffers(s, l, &t);
}

/* What a KV cache in int4 is unpacked into for one launch, in bf16: what is cached on one rank, or what
 * a rank holds in a step of a ring, or all of what schedules gather. */
static double workspace_of(const rc_schedule *s, const rc_layer_kind *k, const rc_layout *l,
                           double fresh, double cached) {
    const double token = rc_layer_form_of(k)->kv_bytes(k, rc_layout_kv_tp(l), RC_BF16);
    if (l->kv != RC_INT4)
        return 0.0;
    if (l->cp == 1)
        return cached * token;
    return (s->packs ? 1.0 : l->cp) * (cached + fresh) * token;
}

/* Ranks over which the KV of a sequence is cut, in a layer of kind `k`. */
static int kv_ranks(const rc_schedule *s, const rc_layer_kind *k, const rc_layout *l) {
    const rc_heads h = rc_layer_form_of(k)->heads(k, l->tp);
    int ranks = s->kv_ranks && h.kv > 0 ? s->kv_ranks(h.kv, l) : l->cp;
    assert(ranks >= 1 && ranks <= l->cp);
    return ranks;
}

/* Keys of an indexer of one token are on every GPU that holds a share of the sequence: bytes beside those
 * that count as the token's own. */
static double index_copies(const rc_layer_kind *k, const rc_layout *l) {
    return (rc_layout_dcp(l) - 1) * rc_layer_index_bytes(k);
}

static double kv_of(const rc_schedule *s, const rc_model *m, const rc_layout *l, double tokens,
                    double sequences) {
    double bytes = 0.0;
    for (int i = 0; i < m->kinds; i++) {
        const rc_layer_kind *k = &m->kind[i];
        const double holders = (double)kv_ranks(s, k, l) * rc_layout_dcp(l);
        bytes += rc_model_layers_of(m, i) *
                 (rc_layer_kept(k, rc_layout_kv_tp(l), l->kv, ceil(tokens / holders), sequences) +
                  ceil(tokens / holders) * index_copies(k, l));
    }
    return bytes;
}

static double weights_of(const rc_schedule *s, const rc_model *m, const rc_layout *l) {
    double bytes = rc_model_weight_bytes_of(m, l);
    if (s->whole_queries && rc_layout_dcp(l) > 1)
        bytes += rc_model_matrix_bytes_gpu(m, RC_Q, RC_O, rc_layout_kv_tp(l), l->attn_weights,
                                           l->ffn_weights) -
                 rc_model_matrix_bytes_gpu(m, RC_Q, RC_O, l->tp, l->attn_weights, l->ffn_weights);
    if (l->ffn_over_cp)
        bytes += rc_model_matrix_bytes_gpu(m, RC_GATE, RC_ROUTER, rc_layout_gpus(l),
                                           l->attn_weights, l->ffn_weights) -
                 rc_model_matrix_bytes_gpu(m, RC_GATE, RC_ROUTER, l->tp, l->attn_weights,
                                           l->ffn_weights);
    return bytes;
}

rc_status rc_pass_memory(const rc_schedule *s, const rc_model *m, const rc_layout *l,
                         int64_t tokens_new, int64_t tokens_cached, int64_t sequences,
                         double capacity, rc_memory *out, rc_error *err) {
    assert(s != NULL);
    RC_TRY(rc_layout_check(m, l, err));
    if (tokens_new < 0 || tokens_cached < 0)
        return rc_fail(err, RC_E_INPUT, "%lld new and %lld cached tokens; neither may be negative",
                       (long long)tokens_new, (long long)tokens_cached);
    double fresh = ceil((double)tokens_new / l->cp), cached = ceil((double)tokens_cached / l->cp);
    rc_memory mem = {.capacity = capacity, .runtime = RUNTIME};
    mem.weights = weights_of(s, m, l);
    mem.kv = kv_of(s, m, l, (double)tokens_new + (double)tokens_cached, (double)sequences);
    for (int i = 0; i < m->kinds; i++) {
        const rc_layer_kind *k = &m->kind[i];
        mem.activations = fmax(mem.activations, fresh * rc_layer_form_of(k)->live_bytes(m, k, l));
        double buffers = buffers_of(s, k, l, fresh, cached);
        if (tokens_new > sequences) /* prompts */
            buffers += workspace_of(s, k, l, fresh, cached);
        mem.buffers = fmax(mem.buffers, buffers);
    }
    if (l->ffn_over_cp) /* all ranks' rows, and the partial sums of as many */
        mem.buffers +=
            2.0 * l->cp * rc_layout_dp(l) * fresh * (double)m->hidden * rc_dtype_bytes(l->act);
    mem.total = mem.weights + mem.kv + mem.activations + mem.buffers + mem.runtime;
    *out = mem;
    return RC_OK;
}

static int64_t largest_of(const rc_kv_passes *p) {
    assert(p->longest >= 0 && p->chunk >= 0 && p->decodes >= 0);
    if (p->decodes > 0)
        return p->decodes;
    if (p->largest > 0)
        return p->largest;
    return p->chunk > 0 && p->chunk < p->longest ? p->chunk : p->longest;
}

rc_status rc_pass_kv_room(const rc_schedule *s, const rc_model *m, const rc_layout *l,
                          const rc_kv_passes *passes, double capacity, rc_memory *memory,
                          rc_kv_room *out, rc_error *err) {
    const int64_t largest = largest_of(passes);
    const int64_t sequences = passes->decodes > 0 ? passes->decodes : 1;
    RC_TRY(rc_pass_memory(s, m, l, largest, passes->longest, sequences, capacity, memory, err));
    *out =
        (rc_kv_room){.largest = largest,
                     .bytes = capacity - (memory->total - memory->kv) -
                              (double)sequences * rc_model_fixed_gpu(m, rc_layout_kv_tp(l), l->kv),
                     .token = rc_model_growth_gpu(m, rc_layout_kv_tp(l), l->kv),
                     .ranks = l->cp};
    if (out->token <= 0.0)
        return rc_fail(err, RC_E_UNMODELLED,
                       "no layer of %s keeps keys and values: how many tokens a GPU holds is not "
                       "bounded by memory, which is not modelled",
                       m->name);
    for (int i = 0; i < m->kinds; i++) {
        int ranks = kv_ranks(s, &m->kind[i], l);
        out->token += rc_model_layers_of(m, i) * index_copies(&m->kind[i], l);
        out->ranks = ranks < out->ranks ? ranks : out->ranks;
    }
    out->ranks *= rc_layout_dcp(l);
    out->tokens = out->bytes > 0.0 ? floor(out->bytes / out->token) * out->ranks : 0.0;
    return RC_OK;
}

rc_status rc_memory_check(const rc_memory *mem, const rc_model *m, const rc_layout *l,
                          rc_error *err) {
    if (mem->total <= mem->capacity)
        return RC_OK;
    return rc_fail(err, RC_E_NOFIT,
                   "%s does not fit on tp %d x cp %d: weights %.1f + KV cache %.1f + activations "
                   "%.1f + buffers %.1f + runtime %.1f = %.1f GB a GPU, of which memory_fraction "
                   "leaves %.1f GB",
                   m->name, l->tp, l->cp, mem->weights / 1e9, mem->kv / 1e9, mem->activations / 1e9,
                   mem->buffers / 1e9, mem->runtime / 1e9, mem->total / 1e9, mem->capacity / 1e9);
}
