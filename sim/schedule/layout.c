/* The types of a layout, and what they and the length of a sequence give reason to say.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/layout.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>

int rc_layout_gpus(const rc_layout *l) {
    return l->tp * l->cp * rc_layout_dp(l);
}

int rc_layout_head_ways(const rc_layout *l) {
    return l->ffn_over_cp && rc_layout_dp(l) > 1 ? rc_layout_gpus(l) : l->tp;
}

int rc_layout_dcp(const rc_layout *l) {
    return l->dcp > 1 ? l->dcp : 1;
}

int rc_layout_kv_tp(const rc_layout *l) {
    return l->tp / rc_layout_dcp(l);
}

int rc_layout_ulysses(const rc_layout *l) {
    return l->ulysses > 1 ? l->ulysses : 1;
}

int rc_layout_ring(const rc_layout *l) {
    return l->cp / rc_layout_ulysses(l);
}

const char *rc_layout_more(const rc_layout *l, char *buf, size_t size) {
    const struct {
        const char *words;
        int n;
    } parts[] = {{", dcp %d", rc_layout_dcp(l)},
                 {", ulysses %d", rc_layout_ulysses(l)},
                 {", FFN over %d GPUs", l->ffn_over_cp ? rc_layout_gpus(l) : 1},
                 {", EP%d", rc_layout_ep(l)},
                 {", DP-attention %d", rc_layout_dp(l)}};
    size_t used = 0;
    buf[0] = '\0';
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].n == 1 || used >= size)
            continue;
        int w = snprintf(buf + used, size - used, parts[i].words, parts[i].n);
        used += w > 0 ? (size_t)w : 0;
    }
    return buf;
}

void rc_model_dtypes(const rc_model *m, rc_layout *l) {
    l->attn_weights = m->quant.attn;
    l->ffn_weights = m->quant.ffn;
    l->act = RC_BF16;
    l->kv = m->quant.kv;
}

rc_dtype rc_layout_query_type(const rc_layout *l) {
    return l->kv == RC_FP8 ? RC_FP8 : l->act;
}

bool rc_layout_packs_keys(const rc_layout *l) {
    return l->ring_wire != RC_BF16 && rc_packed_element(l->ring_wire) < rc_kv_element(l->kv);
}

bool rc_layout_packs_queries(const rc_layout *l) {
    return l->ring_wire != RC_BF16 &&
           rc_packed_element(l->ring_wire) < rc_dtype_bytes(rc_layout_query_type(l));
}

rc_status rc_layout_check_types(const rc_layout *l, rc_error *err) {
    const bool kv = l->kv == RC_BF16 || l->kv == RC_FP8 || l->kv == RC_INT4;
    if (kv && l->act == RC_BF16)
        return RC_OK;
    return rc_fail(
        err, RC_E_UNMODELLED,
        "kv and activation dtype: attention was measured with kv in bf16 and fp8, of int4 "
        "it is modelled, and activations are in bf16; found kv %s, activations %s",
        rc_dtype_name(l->kv), rc_dtype_name(l->act));
}

/* Projections that are not of the type of their part of the layer, in some layers or in all. */
static int exceptions(const rc_model *m, int *all) {
    int n = 0;
    *all = 0;
    for (int i = 0; i < m->kinds * RC_PROJS; i++) {
        const int k = i / RC_PROJS, p = i % RC_PROJS, layers = rc_model_layers_of(m, k);
        const rc_layer_kind *l = &m->kind[k];
        if (p == RC_ROUTER || rc_projection_elements(m, l, (rc_proj)p) <= 0.0)
            continue;
        *all += layers;
        rc_dtype want = p < RC_GATE ? m->quant.attn : m->quant.ffn;
        int same = l->stored[p].dtype == want ? l->stored[p].layers : 0;
        if (want == RC_BF16)
            same += layers - l->stored[p].layers;
        n += layers - same;
    }
    return n;
}

static void note_quantisation(const rc_model *m, rc_notes *out) {
    const rc_quant *q = &m->quant;
    if (q->method[0] == '\0')
        return;
    rc_note(out,
            "the checkpoint of %s is quantised by %s: weights of attention %s, of the FFN %s, LM "
            "head %s, KV cache %s; these hold where the scenario states no dtypes",
            m->name, q->method, rc_dtype_name(q->attn), rc_dtype_name(q->ffn),
            rc_dtype_name(q->head), rc_dtype_name(q->kv));
    int all, n = exceptions(m, &all);
    if (n > 0)
        rc_note(out,
                "%d of the %d projections of %s are stored in another type than most of their part "
                "of a layer: memory counts each as it is, times take all as the most",
                n, all, m->name);
}

static void note_disagreement(const rc_model *m, const rc_layout *l, rc_notes *out) {
    const rc_quant *q = &m->quant;
    const struct {
        const char *what;
        rc_dtype own, used;
    } pairs[] = {{"weights of attention", q->attn, l->attn_weights},
                 {"weights of the FFN", q->ffn, l->ffn_weights},
                 {"the KV cache", q->kv, l->kv}};
    for (size_t i = 0; q->method[0] != '\0' && i < sizeof pairs / sizeof pairs[0]; i++)
        if (pairs[i].own != pairs[i].used)
            rc_note(out, "%s: the answer is for %s, as asked, though the checkpoint says %s",
                    pairs[i].what, rc_dtype_name(pairs[i].used), rc_dtype_name(pairs[i].own));
}

/* Times of these rest on rows of the type that they are multiplied in. Of fp8-block some machines have rows: who
 * has the costs of one says whether it does. */
static void note_modelled(const rc_layout *l, rc_notes *out) {
    const rc_dtype used[] = {l->attn_weights, l->ffn_weights};
    for (int i = 0; i < 2; i++) {
        if (used[i] == RC_BF16 || used[i] == RC_FP8 || used[i] == RC_FP8_BLOCK ||
            (i == 1 && used[1] == used[0]))
            continue;
        rc_note(out,
                "weights in %s have not been measured: their products are modelled by rows of %s "
                "and the bytes of the weights",
                rc_dtype_name(used[i]), rc_dtype_name(rc_dtype_math(used[i])));
    }
    if (l->kv == RC_INT4)
        rc_note(out,
                "a KV cache in int4 has not been measured: attention over it is modelled by rows "
                "of bf16, the bytes that are read and what unpacking takes");
}

void rc_model_notes(const rc_model *m, const rc_layout *l, int64_t longest, rc_notes *out) {
    assert(longest >= 0 && m->kinds >= 1);
    *out = m->notes;
    note_quantisation(m, out);
    note_disagreement(m, l, out);
    note_modelled(l, out);
    if (longest > m->context)
        rc_note(out,
                "a sequence of %lld tokens is beyond the %lld that %s is meant for%s: the times "
                "hold, the model's answers may not",
                (long long)longest, (long long)m->context, m->name,
                m->context > m->max_positions ? " (max_position_embeddings with RoPE scaling)"
                                              : " (max_position_embeddings)");
}
