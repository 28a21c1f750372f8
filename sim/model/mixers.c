/* How a layer mixes tokens: attention with its heads and window, latents, a selection of keys, or a
 * state.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/model/reading.h"

static bool of_type(const rc_config *c, const char *model_type) {
    return strcmp(c->family->model_type, model_type) == 0;
}

static rc_status small(const rc_config *c, const rc_node *map, const char *key, int64_t otherwise,
                       int *out) {
    int64_t v = otherwise;
    if (rc_config_given(map, key) != NULL)
        RC_TRY(rc_doc_int(map, key, 0, 1 << 24, &v, c->err));
    *out = (int)v;
    return RC_OK;
}

static rc_status number(const rc_config *c, const char *key, int64_t otherwise, int *out) {
    return small(c, c->decoder, key, otherwise, out);
}

/* ---- latents and selections ------------------------------------------------------------------ */

static rc_status read_latents(const rc_config *c, rc_layer_kind *l) {
    int nope = 0;
    rc_latent *x = &l->latent;
    l->mixer = RC_MIX_LATENT;
    RC_TRY(number(c, "kv_lora_rank", 0, &x->kv_rank));
    RC_TRY(number(c, "q_lora_rank", 0, &x->q_rank));
    RC_TRY(number(c, "qk_rope_head_dim", 0, &x->rope));
    RC_TRY(number(c, "qk_nope_head_dim", 0, &nope));
    RC_TRY(number(c, "v_head_dim", nope, &l->value_dim));
    if (nope < 1 || l->value_dim < 1)
        return rc_node_fail(c->decoder, c->err, RC_E_INPUT,
                            "latent attention ('kv_lora_rank') without 'qk_nope_head_dim' and "
                            "'v_head_dim'");
    l->head_dim = nope + x->rope;
    l->kv_heads = l->heads;
    return rc_config_bool(c, "mla_use_output_gate", false, &l->output_gate);
}

static rc_status read_indexer(const rc_config *c, int i, rc_layer_kind *l) {
    const char *type = rc_config_item(c, "indexer_types", i);
    rc_selection *s = &l->selection;
    RC_TRY(number(c, "index_topk", 0, &s->top_k));
    if (s->top_k == 0)
        return RC_OK;
    s->ratio = 1;
    if (type != NULL && strcmp(type, "shared") == 0)
        return RC_OK;
    RC_TRY(number(c, "index_n_heads", 0, &s->heads));
    return number(c, "index_head_dim", 0, &s->dim);
}

/* DeepSeek-V4: one key a token, which is its value, too; behind a window one for every `ratio` tokens
 * is kept, of which an indexer selects where they are many. */
static rc_status read_compressed(const rc_config *c, int i, rc_layer_kind *l) {
    enum { MANY = 4 }; /* tokens to a compressed key where they are selected from */
    const long ratio = strtol(rc_config_item(c, "compress_ratios", i), NULL, 10);
    int window = 0;
    l->values_are_keys = l->kept_once = true;
    RC_TRY(number(c, "q_lora_rank", 0, &l->latent.q_rank));
    RC_TRY(number(c, "o_lora_rank", 0, &l->latent.o_rank));
    RC_TRY(number(c, "o_groups", 0, &l->latent.o_groups));
    RC_TRY(number(c, "sliding_window", 0, &window));
    l->window = window;
    l->sinks = true;
    if (ratio < 1 || ratio > 1 << 20)
        return RC_OK;
    if (ratio <= MANY)
        RC_TRY(read_indexer(c, i, l));
    l->selection.ratio = (int)ratio;
    return RC_OK;
}

/* ---- states ---------------------------------------------------------------------------------- */

/* Gated delta rule (Qwen3-Next and later). */
static rc_status read_delta(const rc_config *c, rc_layer_kind *l) {
    rc_state_dims *s = &l->state;
    l->mixer = RC_MIX_STATE;
    RC_TRY(number(c, "linear_num_value_heads", 0, &s->heads));
    RC_TRY(number(c, "linear_num_key_heads", s->heads, &s->key_heads));
    RC_TRY(number(c, "linear_key_head_dim", 128, &s->key_dim));
    RC_TRY(number(c, "linear_value_head_dim", s->key_dim, &s->value_dim));
    RC_TRY(number(c, "linear_conv_kernel_dim", 4, &s->conv));
    s->extra = 2 * s->heads;
    return RC_OK;
}

/* Kimi delta attention: a decay for every element of a key, through two small matrices. */
static rc_status read_kda(const rc_config *c, const rc_node *map, rc_layer_kind *l) {
    rc_state_dims *s = &l->state;
    l->mixer = RC_MIX_STATE;
    RC_TRY(small(c, map, "num_heads", 0, &s->heads));
    RC_TRY(small(c, map, "head_dim", 128, &s->key_dim));
    RC_TRY(small(c, map, "short_conv_kernel_size", 4, &s->conv));
    s->key_heads = s->heads;
    s->value_dim = s->low_rank = s->key_dim;
    s->extra = s->heads;
    return RC_OK;
}

static rc_status read_mamba(const rc_config *c, rc_layer_kind *l) {
    rc_state_dims *s = &l->state;
    l->mixer = RC_MIX_STATE;
    RC_TRY(number(c, "mamba_num_heads", 0, &s->heads));
    RC_TRY(number(c, "n_groups", 1, &s->key_heads));
    RC_TRY(number(c, "ssm_state_size", 128, &s->key_dim));
    RC_TRY(number(c, "mamba_head_dim", 64, &s->value_dim));
    RC_TRY(number(c, "conv_kernel", 4, &s->conv));
    s->extra = s->heads;
    return RC_OK;
}

static void forget_attention(rc_layer_kind *l) {
    l->heads = l->kv_heads = 0;
    l->head_dim = l->value_dim = 0;
    l->qk_norm = RC_QK_NORM_NONE;
    l->attention_bias = l->output_bias = false;
}

static rc_status check_state(const rc_config *c, rc_layer_kind *l) {
    const rc_state_dims *s = &l->state;
    forget_attention(l);
    if (s->heads < 1 || s->key_heads < 1 || s->key_dim < 1 || s->value_dim < 1)
        return rc_node_fail(c->decoder, c->err, RC_E_INPUT,
                            "a layer with a state without the numbers of its heads");
    return RC_OK;
}

/* ---- attention ------------------------------------------------------------------------------- */

static rc_status window(const rc_config *c, const char *key, rc_layer_kind *l) {
    RC_TRY(rc_config_int(c, key, 1, (int64_t)1 << 40, 0, &l->window));
    if (l->window >= c->m->context)
        l->window = 0;
    return RC_OK;
}

/* Layers with a window that have heads of their own. */
static rc_status read_swa(const rc_config *c, rc_layer_kind *l) {
    RC_TRY(number(c, "swa_num_attention_heads", l->heads, &l->heads));
    RC_TRY(number(c, "swa_num_key_value_heads", l->kv_heads, &l->kv_heads));
    RC_TRY(number(c, "swa_head_dim", l->head_dim, &l->head_dim));
    RC_TRY(number(c, "swa_v_head_dim", l->value_dim, &l->value_dim));
    RC_TRY(rc_config_bool(c, "add_swa_attention_sink_bias", false, &l->sinks));
    return window(c, "sliding_window", l);
}

/* Gemma 4: layers that see all tokens have fewer and larger heads. */
static rc_status read_global(const rc_config *c, rc_layer_kind *l) {
    RC_TRY(number(c, "num_global_key_value_heads", l->kv_heads, &l->kv_heads));
    RC_TRY(number(c, "global_head_dim", l->head_dim, &l->head_dim));
    l->value_dim = l->head_dim;
    return rc_config_bool(c, "attention_k_eq_v", false, &l->values_are_keys);
}

static rc_status read_chunks(const rc_config *c, rc_layer_kind *l) {
    static const char note[] =
        "attention in chunks of %lld tokens is taken as a window of as many: a query sees half of "
        "that on average";
    RC_TRY(window(c, "attention_chunk_size", l));
    if (l->window > 0 && c->m->notes.count < RC_NOTES) {
        char text[RC_NOTE_TEXT];
        (void)snprintf(text, sizeof text, note, (long long)l->window);
        for (int i = 0; i < c->m->notes.count; i++)
            if (strcmp(c->m->notes.text[i], text) == 0)
                return RC_OK;
        rc_note(&c->m->notes, "%s", text);
    }
    return RC_OK;
}

/* A window for all layers, where no list says of which. */
static rc_status read_window(const rc_config *c, int i, rc_layer_kind *l) {
    bool on = true;
    int64_t from = 0;
    const rc_node *n = rc_config_given(c->decoder, "sliding_window");
    RC_TRY(rc_config_bool(c, "use_sliding_window", true, &on));
    if (rc_config_given(c->decoder, "use_sliding_window") != NULL)
        RC_TRY(rc_config_int(c, "max_window_layers", 0, INT64_MAX, 0, &from));
    if (of_type(c, "llama4_text") && (i + 1) % 4 != 0)
        return read_chunks(c, l);
    return n != NULL && on && i >= from && !of_type(c, "llama4_text")
               ? window(c, "sliding_window", l)
               : RC_OK;
}

static rc_status read_typed(const rc_config *c, int i, const char *type, rc_layer_kind *l) {
    if (strcmp(type, "linear_attention") == 0)
        return read_delta(c, l);
    if (strcmp(type, "sliding_attention") == 0)
        return window(c, "sliding_window", l);
    if (strcmp(type, "chunked_attention") == 0)
        return read_chunks(c, l);
    if (strcmp(type, "full_attention") == 0 || strcmp(type, "attention") == 0)
        return of_type(c, "gemma4_text") ? read_global(c, l) : RC_OK;
    if (strcmp(type, "deepseek_sparse_attention") == 0)
        return RC_OK; /* its numbers are those of all layers */
    const rc_node *list = rc_config_given(c->decoder, "layer_types");
    return rc_node_fail(rc_node_at(list, (size_t)i), c->err, RC_E_UNMODELLED,
                        "%s with '%.60s' layers is not modelled", c->family->architecture, type);
}

static rc_status read_block(const rc_config *c, const rc_node *block, rc_layer_kind *l) {
    const rc_node *at = NULL;
    bool none = false;
    int group = 0;
    RC_TRY(rc_doc_map(block, "attention", &at, c->err));
    if (rc_config_given(at, "no_op") != NULL)
        RC_TRY(rc_doc_bool(at, "no_op", &none, c->err));
    if (none) {
        l->mixer = RC_MIX_NONE;
        l->more_norms--;
        forget_attention(l);
        return RC_OK;
    }
    RC_TRY(small(c, at, "n_heads_in_group", 1, &group));
    if (group < 1 || l->heads % group != 0)
        return rc_node_fail(at, c->err, RC_E_INPUT,
                            "'n_heads_in_group' is %d, which does not divide the %d query heads",
                            group, l->heads);
    l->kv_heads = l->heads / group;
    return RC_OK;
}

static rc_status read_letter(const rc_config *c, const rc_node *letters, int i, rc_layer_kind *l) {
    const char *text = rc_node_text(letters);
    if (strlen(text) != (size_t)c->m->layers || strspn(text, "M*E-") != strlen(text))
        return rc_node_fail(letters, c->err, RC_E_INPUT,
                            "key 'hybrid_override_pattern': expected %d letters of M, *, E and -",
                            c->m->layers);
    if (text[i] == '*')
        return RC_OK;
    if (text[i] == 'M')
        return read_mamba(c, l);
    l->mixer = RC_MIX_NONE;
    forget_attention(l);
    return RC_OK;
}

static bool lists(const rc_node *map, const char *key, int value) {
    const rc_node *list = rc_config_given(map, key);
    for (size_t i = 0; list != NULL && i < rc_node_count(list); i++)
        if (strtol(rc_node_text(rc_node_at(list, i)), NULL, 10) == value)
            return true;
    return false;
}

static rc_status read_any(const rc_config *c, int i, rc_layer_kind *l) {
    const rc_node *blocks = rc_config_given(c->decoder, "block_configs");
    const rc_node *letters = rc_config_given(c->decoder, "hybrid_override_pattern");
    const rc_node *linear = rc_config_given(c->decoder, "linear_attn_config");
    const char *type = rc_config_item(c, "layer_types", i);
    const char *pattern = rc_config_item(c, "hybrid_layer_pattern", i);
    if (blocks != NULL)
        return read_block(c, rc_node_at(blocks, (size_t)i), l);
    if (letters != NULL)
        return read_letter(c, letters, i, l);
    if (rc_config_item(c, "compress_ratios", i) != NULL)
        return read_compressed(c, i, l);
    if (linear != NULL && lists(linear, "kda_layers", i + 1))
        return read_kda(c, linear, l);
    RC_TRY(number(c, "v_head_dim", l->value_dim, &l->value_dim));
    if (type != NULL)
        RC_TRY(read_typed(c, i, type, l));
    else if (pattern != NULL && strcmp(pattern, "0") != 0)
        RC_TRY(read_swa(c, l));
    else if (pattern == NULL)
        RC_TRY(read_window(c, i, l));
    if (l->mixer == RC_MIX_ATTENTION && rc_config_given(c->decoder, "kv_lora_rank") != NULL) {
        RC_TRY(read_latents(c, l));
        RC_TRY(read_indexer(c, i, l));
    }
    if (l->mixer == RC_MIX_ATTENTION)
        RC_TRY(rc_config_bool(c, "attn_output_gate", false, &l->output_gate));
    l->sinks = l->sinks || of_type(c, "gpt_oss");
    return RC_OK;
}

rc_status rc_config_mixer(const rc_config *c, int i, rc_layer_kind *l) {
    RC_TRY(read_any(c, i, l));
    if (l->mixer == RC_MIX_STATE)
        return check_state(c, l);
    if (l->mixer == RC_MIX_ATTENTION && (l->heads < 1 || l->kv_heads < 1 || l->head_dim < 1 ||
                                         l->value_dim < 1 || l->heads % l->kv_heads != 0))
        return rc_node_fail(c->decoder, c->err, RC_E_INPUT,
                            "layer %d: %d KV heads do not divide its %d query heads", i,
                            l->kv_heads, l->heads);
    return RC_OK;
}
