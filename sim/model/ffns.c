/* What follows the mixer of a layer: an FFN, a mixture of experts, or nothing.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "sim/model/reading.h"

static bool of_type(const rc_config *c, const char *model_type) {
    return strcmp(c->family->model_type, model_type) == 0;
}

static bool in_list(const rc_node *list, int value) {
    for (size_t i = 0; list != NULL && i < rc_node_count(list); i++)
        if (strtol(rc_node_text(rc_node_at(list, i)), NULL, 10) == value)
            return true;
    return false;
}

/* Whether layer i is one of those with experts, where the model has experts. */
static rc_status has_experts(const rc_config *c, int i, bool *out) {
    const char *type = rc_config_item(c, "mlp_layer_types", i);
    const char *listed = rc_config_item(c, "moe_layer_freq", i);
    const rc_node *freq = rc_config_given(c->decoder, "moe_layer_freq");
    int64_t first = 0, every = 1, step = 1, interleaved = 1;
    RC_TRY(rc_config_int(c, "first_k_dense_replace", 0, c->m->layers, 0, &first));
    RC_TRY(rc_config_int(c, "decoder_sparse_step", 1, 10000, 1, &step));
    RC_TRY(rc_config_int(c, "interleave_moe_layer_step", 1, 10000, 1, &interleaved));
    if (freq != NULL && rc_node_kind_of(freq) != RC_NODE_LIST)
        RC_TRY(rc_config_int(c, "moe_layer_freq", 1, 10000, 1, &every));
    *out = i >= first && i % every == 0 && (i + 1) % step == 0 && (i + 1) % interleaved == 0 &&
           !in_list(rc_config_given(c->decoder, "mlp_only_layers"), i);
    if (type != NULL)
        *out = strcmp(type, "dense") != 0;
    if (listed != NULL)
        *out = strcmp(listed, "0") != 0;
    return RC_OK;
}

/* The width that every token passes beside its experts: shared experts, each as wide as a routed one,
 * or of a width of their own. */
static rc_status read_shared(const rc_config *c, rc_layer_kind *l) {
    static const char *const counts[] = {"n_shared_experts", "num_shared_experts", NULL};
    static const char *const widths[] = {"shared_expert_intermediate_size",
                                         "moe_shared_expert_intermediate_size",
                                         "shared_intermediate_size", NULL};
    int64_t count = 0, width = 0;
    RC_TRY(rc_config_first(c, counts, 0, 1024, 0, &count));
    RC_TRY(rc_config_first(c, widths, 0, 1 << 26, 0, &width));
    l->experts.shared = width > 0 ? width : count * l->experts.width;
    l->experts.shared_gate =
        width > 0 && rc_config_given(c->decoder, "shared_expert_intermediate_size") != NULL;
    if (of_type(c, "llama4_text"))
        l->experts.shared = l->experts.width;
    if (of_type(c, "gemma4_text")) /* its dense FFN stands beside the experts */
        l->experts.shared = l->ffn;
    return RC_OK;
}

static rc_status read_experts(const rc_config *c, int64_t count, rc_layer_kind *l) {
    static const char *const chosen[] = {"num_experts_per_tok", "num_experts_per_token",
                                         "experts_per_token", "top_k_experts", NULL};
    int64_t top_k = 0, latent = 0;
    rc_experts *x = &l->experts;
    x->count = (int)count;
    x->gated = true;
    RC_TRY(rc_config_first(c, chosen, 1, count, 0, &top_k));
    if (top_k == 0)
        return rc_node_fail(c->decoder, c->err, RC_E_INPUT,
                            "missing key 'num_experts_per_tok': how many of %lld experts a token "
                            "goes to",
                            (long long)count);
    x->top_k = (int)top_k;
    RC_TRY(rc_config_int(c, "moe_intermediate_size", 1, 1 << 26, l->ffn, &x->width));
    RC_TRY(rc_config_int(c, "routed_expert_hidden_size", 0, 1 << 24, 0, &latent));
    x->latent = latent == c->m->hidden ? 0 : latent;
    x->bias = x->router_bias = of_type(c, "gpt_oss");
    l->after = RC_FFN_EXPERTS;
    return read_shared(c, l);
}

/* NVIDIA's search gives every layer a width, as a multiple of the model's: two thirds of it, rounded
 * up to 256 (modeling_decilm.py of those models). */
static rc_status read_block(const rc_config *c, const rc_node *block, rc_layer_kind *l) {
    const rc_node *ffn = NULL;
    double mult = 0.0;
    bool none = false;
    RC_TRY(rc_doc_map(block, "ffn", &ffn, c->err));
    if (rc_config_given(ffn, "no_op") != NULL)
        RC_TRY(rc_doc_bool(ffn, "no_op", &none, c->err));
    if (none) {
        l->after = RC_FFN_NONE;
        l->ffn = 0;
        l->more_norms--;
        return RC_OK;
    }
    RC_TRY(rc_doc_quantity(ffn, "ffn_mult", RC_DIM_COUNT, 1e-3, 1e3, &mult, c->err));
    int64_t width = (int64_t)(2.0 * mult * (double)c->m->hidden / 3.0);
    l->ffn = (width + 255) / 256 * 256;
    return RC_OK;
}

/* Nemotron-H: a letter a layer, each of which mixes or is an FFN. */
static rc_status read_letter(const rc_config *c, char letter, int64_t experts, rc_layer_kind *l) {
    l->more_norms--;
    if (letter == 'M' || letter == '*') {
        l->after = RC_FFN_NONE;
        l->ffn = 0;
        return RC_OK;
    }
    if (letter == '-' || experts < 2) {
        l->after = RC_FFN_PLAIN;
        return RC_OK;
    }
    RC_TRY(read_experts(c, experts, l));
    l->experts.gated = false;
    l->ffn = 0;
    return RC_OK;
}

rc_status rc_config_ffn(const rc_config *c, int i, rc_layer_kind *l) {
    static const char *const counts[] = {"n_routed_experts", "num_local_experts", "num_experts",
                                         NULL};
    const rc_node *blocks = rc_config_given(c->decoder, "block_configs");
    const rc_node *letters = rc_config_given(c->decoder, "hybrid_override_pattern");
    int64_t experts = 0;
    bool routed = false;
    RC_TRY(rc_config_first(c, counts, 0, 1 << 16, 0, &experts));
    if (blocks != NULL)
        return read_block(c, rc_node_at(blocks, (size_t)i), l);
    if (letters != NULL)
        return read_letter(c, rc_node_text(letters)[i], experts, l);
    if (of_type(c, "gemma4_text"))
        l->more_norms +=
            experts > 1 ? 5 : 2; /* behind as well as before both halves, and experts */
    if (experts > 1)
        RC_TRY(has_experts(c, i, &routed));
    if (routed) {
        RC_TRY(read_experts(c, experts, l));
        l->ffn = 0;
        return RC_OK;
    }
    return rc_config_int(c, "intermediate_size_mlp", 1, 1 << 26, l->ffn, &l->ffn);
}
