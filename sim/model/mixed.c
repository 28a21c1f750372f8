/* Layers that are not alike, or not dense: each layer of the file is read by itself, layers with the
 * same numbers are one kind, and the order of the kinds is taken from them.
 *
 * What a key means is the same in all architectures that have it (ffns.c, mixers.c); the few
 * things that an architecture does without saying so are asked of its name there.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/model/reading.h"

/* Lists that say something of each layer say it of all. */
static rc_status check_lists(const rc_config *c) {
    static const char *const lists[] = {
        "layer_types",   "mlp_layer_types", "hybrid_layer_pattern", "moe_layer_freq",
        "indexer_types", "block_configs",   "compress_ratios",      NULL};
    for (int i = 0; lists[i] != NULL; i++) {
        const rc_node *n = rc_config_given(c->decoder, lists[i]);
        if (n == NULL || rc_node_kind_of(n) != RC_NODE_LIST)
            continue;
        if (rc_node_count(n) < (size_t)c->m->layers)
            return rc_node_fail(n, c->err, RC_E_INPUT,
                                "key '%s' lists %zu layers, 'num_hidden_layers' says %d", lists[i],
                                rc_node_count(n), c->m->layers);
    }
    return RC_OK;
}

static bool same_latents(const rc_latent *a, const rc_latent *b) {
    return a->q_rank == b->q_rank && a->kv_rank == b->kv_rank && a->rope == b->rope &&
           a->o_rank == b->o_rank && a->o_groups == b->o_groups;
}

static bool same_selection(const rc_selection *a, const rc_selection *b) {
    return a->heads == b->heads && a->dim == b->dim && a->top_k == b->top_k && a->ratio == b->ratio;
}

static bool same_state(const rc_state_dims *a, const rc_state_dims *b) {
    return a->heads == b->heads && a->key_heads == b->key_heads && a->key_dim == b->key_dim &&
           a->value_dim == b->value_dim && a->conv == b->conv && a->extra == b->extra &&
           a->low_rank == b->low_rank;
}

static bool same_experts(const rc_experts *a, const rc_experts *b) {
    return a->count == b->count && a->top_k == b->top_k && a->width == b->width &&
           a->gated == b->gated && a->bias == b->bias && a->shared == b->shared &&
           a->latent == b->latent && a->shared_gate == b->shared_gate &&
           a->router_bias == b->router_bias;
}

/* How weights are stored is not read yet. */
static bool same_kind(const rc_layer_kind *a, const rc_layer_kind *b) {
    return strcmp(a->form, b->form) == 0 && a->heads == b->heads && a->kv_heads == b->kv_heads &&
           a->head_dim == b->head_dim && a->value_dim == b->value_dim && a->ffn == b->ffn &&
           a->mixer == b->mixer && a->after == b->after && a->window == b->window &&
           a->sinks == b->sinks && a->output_gate == b->output_gate &&
           a->kept_once == b->kept_once && a->values_are_keys == b->values_are_keys &&
           a->more_norms == b->more_norms && a->attention_bias == b->attention_bias &&
           a->output_bias == b->output_bias && a->ffn_bias == b->ffn_bias &&
           a->qk_norm == b->qk_norm && same_latents(&a->latent, &b->latent) &&
           same_selection(&a->selection, &b->selection) && same_state(&a->state, &b->state) &&
           same_experts(&a->experts, &b->experts);
}

/* The number of the kind that `l` is, added where it is new; RC_KINDS where there is no room. */
static int kind_number(rc_model *m, const rc_layer_kind *l) {
    for (int k = 0; k < m->kinds; k++)
        if (same_kind(&m->kind[k], l))
            return k;
    if (m->kinds == RC_KINDS)
        return RC_KINDS;
    m->kind[m->kinds] = *l;
    return m->kinds++;
}

static rc_status read_layers(const rc_config *c, uint8_t *kind_of) {
    rc_model *m = c->m;
    const rc_layer_kind common = m->kind[0];
    m->kinds = 0;
    for (int i = 0; i < m->layers; i++) {
        rc_layer_kind l = common;
        RC_TRY(rc_config_mixer(c, i, &l));
        RC_TRY(rc_config_ffn(c, i, &l));
        bool dense = l.mixer == RC_MIX_ATTENTION && l.after == RC_FFN_GATED && l.window == 0 &&
                     !l.sinks && !l.output_gate && !l.values_are_keys && l.more_norms == 0;
        memset(l.form, 0, sizeof l.form);
        memcpy(l.form, dense ? "dense" : "mixed", 6);
        int k = kind_number(m, &l);
        if (k == RC_KINDS)
            return rc_node_fail(c->decoder, c->err, RC_E_UNMODELLED,
                                "layers of more than %d kinds are not modelled", RC_KINDS);
        kind_of[i] = (uint8_t)k;
    }
    if (!rc_model_set_order(m, kind_of, m->layers))
        return rc_node_fail(c->decoder, c->err, RC_E_UNMODELLED,
                            "the order of the layers repeats itself too little: it takes more than "
                            "%d patterns of at most %d layers",
                            RC_RUNS, RC_PATTERN);
    return RC_OK;
}

rc_status rc_config_whole(const rc_config *c) {
    static const char *const counts[] = {"n_routed_experts", "num_local_experts", "num_experts",
                                         NULL};
    static const char *const dense[] = {"qwen3_5_text", "nemotron_h", "nemotron-nas", NULL};
    static const char *const ordered[] = {"nemotron_h", "nemotron-nas", "kimi_linear", NULL};
    static const char *const orders[] = {"hybrid_override_pattern", "block_configs",
                                         "linear_attn_config", NULL};
    int64_t experts = 0;
    bool needs = true, order = true;
    if (!c->family->mixed)
        return RC_OK;
    RC_TRY(rc_config_first(c, counts, 0, 1 << 16, 0, &experts));
    for (int i = 0; dense[i] != NULL; i++)
        needs = needs && strcmp(c->family->model_type, dense[i]) != 0;
    if (needs && experts < 2)
        return rc_node_fail(c->named, c->err, RC_E_UNMODELLED,
                            "%s without experts ('num_experts' or its like) is not modelled",
                            c->family->architecture);
    for (int i = 0; ordered[i] != NULL; i++)
        order = order && strcmp(c->family->model_type, ordered[i]) != 0;
    for (int i = 0; orders[i] != NULL; i++)
        order = order || rc_config_given(c->decoder, orders[i]) != NULL;
    return order ? RC_OK
                 : rc_node_fail(c->named, c->err, RC_E_UNMODELLED,
                                "%s without the order of its layers is not modelled",
                                c->family->architecture);
}

rc_status rc_config_mixed(const rc_config *c) {
    int64_t streams = 0;
    assert(c->family->mixed && c->m->kinds == 1 && c->m->layers >= 1);
    RC_TRY(check_lists(c));
    RC_TRY(rc_config_int(c, "hc_mult", 0, 64, 0, &streams));
    c->m->streams = (int)streams;
    if (streams > 1)
        rc_note(&c->m->notes,
                "%lld residual streams (key 'hc_mult'): what mixes them is not counted",
                (long long)streams);
    uint8_t *kind_of = malloc((size_t)c->m->layers);
    if (kind_of == NULL)
        return rc_fail(c->err, RC_E_NOMEM, "out of memory for the order of %d layers",
                       c->m->layers);
    rc_status st = read_layers(c, kind_of);
    free(kind_of);
    return st;
}
