/* Quantisation as compressed-tensors and NVIDIA ModelOpt write it: groups of modules with a scheme
 * each, or one algorithm by name.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "sim/model/quantisation.h"

/* ---- compressed-tensors -------------------------------------------------------------- */

static rc_status kv_scheme(const rc_quant_reading *r, const rc_node *scheme) {
    int64_t bits = 16;
    if (scheme == NULL)
        return RC_OK;
    if (rc_node_kind_of(scheme) != RC_NODE_MAP)
        return rc_quant_refuse(r, scheme, "a kv_cache_scheme that is no map");
    bool real = strcmp(rc_quant_text(scheme, "type", "float"), "float") == 0;
    RC_TRY(rc_quant_int(r, scheme, "num_bits", 1, 16, 16, &bits));
    if (bits == 16)
        return RC_OK;
    if (bits != 8 && bits != 4)
        return rc_quant_refuse(r, scheme, "a KV cache of that many bits");
    r->m->quant.kv = bits == 8 ? (real ? RC_FP8 : RC_INT8) : (real ? RC_NVFP4 : RC_INT4);
    return RC_OK;
}

/* Bits of the activations; 16 where they are not quantised. */
static rc_status activation_bits(const rc_quant_reading *r, const rc_node *group, int64_t *out) {
    const rc_node *a = rc_config_given(group, "input_activations");
    *out = 16;
    return a != NULL && rc_node_kind_of(a) == RC_NODE_MAP
               ? rc_quant_int(r, a, "num_bits", 1, 16, 16, out)
               : RC_OK;
}

static rc_status tile_of(const rc_quant_reading *r, const rc_node *w, rc_scale *out) {
    const char *strategy = rc_quant_text(w, "strategy", "");
    const rc_node *block = rc_config_given(w, "block_structure");
    int64_t group = 0;
    RC_TRY(rc_quant_int(r, w, "group_size", -1, 1 << 20, 0, &group));
    *out = (rc_scale){.rows = 1, .columns = group > 0 ? group : 0, .bytes = 2.0};
    if (strcmp(strategy, "block") == 0 && block != NULL && rc_node_count(block) == 2) {
        RC_TRY(
            rc_node_int(rc_node_at(block, 0), "block_structure", 1, 1 << 20, &out->rows, r->err));
        return rc_node_int(rc_node_at(block, 1), "block_structure", 1, 1 << 20, &out->columns,
                           r->err);
    }
    if (strcmp(strategy, "tensor") == 0)
        out->rows = out->columns = 0;
    return RC_OK;
}

static rc_status float_scheme(const rc_quant_reading *r, const rc_node *w, int64_t bits,
                              int64_t act, rc_scheme *s) {
    bool blocks = s->scale.rows > 1 || s->scale.columns > 0;
    if (bits == 8) {
        s->dtype = act > 8 ? RC_W8A16 : blocks ? RC_FP8_BLOCK : RC_FP8;
        s->scale.bytes = s->scale.rows == 1 && s->scale.columns == 32 ? 1.0 : 4.0; /* MXFP8 */
        return RC_OK;
    }
    if (bits != 4)
        return rc_quant_refuse(r, w, "floating-point weights of that many bits");
    s->scale.bytes = 1.0;
    if (s->scale.columns == 0)
        s->scale = (rc_scale){1, 16, 1.0};
    s->dtype = act == 8 ? RC_W4A8 : s->scale.columns == 16 ? RC_NVFP4 : RC_MXFP4;
    return RC_OK;
}

static rc_status scheme_of(const rc_quant_reading *r, const rc_node *group, rc_scheme *out) {
    const rc_node *w = rc_config_given(group, "weights");
    int64_t bits = 16, act = 16;
    *out = (rc_scheme){RC_BF16, {0, 0, 0.0}};
    if (w == NULL)
        return RC_OK;
    if (rc_node_kind_of(w) != RC_NODE_MAP)
        return rc_quant_refuse(r, w, "a group whose weights are no map");
    RC_TRY(rc_quant_int(r, w, "num_bits", 1, 16, 8, &bits));
    RC_TRY(activation_bits(r, group, &act));
    RC_TRY(tile_of(r, w, &out->scale));
    if (bits == 16)
        return RC_OK;
    if (strcmp(rc_quant_text(w, "type", "int"), "float") == 0)
        return float_scheme(r, w, bits, act, out);
    if (bits != 4 && bits != 8)
        return rc_quant_refuse(r, w, "integer weights of that many bits");
    if (rc_config_given(w, "symmetric") != NULL && !rc_quant_true(w, "symmetric"))
        out->scale.bytes += (double)bits / 8.0;
    out->dtype = bits == 8 ? (act == 8 ? RC_INT8 : RC_W8A16) : (act == 8 ? RC_W4A8 : RC_INT4);
    return act == 4 ? rc_quant_refuse(r, group, "integer activations of 4 bits") : RC_OK;
}

static rc_status read_groups(rc_quant_reading *r) {
    const rc_node *groups = NULL;
    RC_TRY(rc_doc_map(r->map, "config_groups", &groups, r->err));
    for (size_t i = 0; i < rc_node_count(groups); i++) {
        const rc_node *g = rc_node_value(groups, i);
        if (r->groups == RC_QUANT_GROUPS || rc_node_kind_of(g) != RC_NODE_MAP)
            return rc_quant_refuse(r, g, "more than 8 groups, or a group that is no map");
        RC_TRY(scheme_of(r, g, &r->group[r->groups].scheme));
        r->groups++;
        const rc_node *targets = rc_config_given(g, "targets");
        if (targets != NULL)
            RC_TRY(rc_modules_open(targets, &r->group[r->groups - 1].of, r->err));
    }
    return RC_OK;
}

rc_status rc_quant_compressed(rc_quant_reading *r) {
    const rc_node *sparse = rc_config_given(r->map, "sparsity_config");
    if (sparse != NULL && rc_node_kind_of(sparse) == RC_NODE_MAP &&
        strcmp(rc_quant_text(sparse, "format", "dense"), "dense") != 0)
        return rc_quant_refuse(r, sparse, "a sparse format");
    r->head = true;
    RC_TRY(rc_quant_leave_out(r, r->map, "ignore"));
    RC_TRY(kv_scheme(r, rc_config_given(r->map, "kv_cache_scheme")));
    return rc_config_given(r->map, "config_groups") != NULL ? read_groups(r) : RC_OK;
}

/* ---- modelopt ------------------------------------------------------------------------ */

/* Its names of algorithms. 0 columns in a group type: group_size of the file. */
static const struct {
    const char *algorithm;
    rc_dtype dtype;
    rc_scale scale;
} algorithms[] = {
    {"FP8", RC_FP8, {0, 0, 4.0}},
    {"FP8_PER_CHANNEL_PER_TOKEN", RC_FP8, {1, 0, 4.0}},
    {"FP8_PB_WO", RC_FP8_BLOCK, {128, 128, 4.0}},
    {"FP8_PB_REAL", RC_FP8_BLOCK, {128, 128, 4.0}},
    {"MXFP8", RC_FP8_BLOCK, {1, 32, 1.0}},
    {"NVFP4", RC_NVFP4, {1, 16, 1.0}},
    {"NVFP4_AWQ", RC_NVFP4, {1, 16, 1.0}},
    {"NVFP4_SVDQUANT", RC_NVFP4, {1, 16, 1.0}},
    {"W4A16_NVFP4", RC_NVFP4, {1, 16, 1.0}},
    {"MXFP4", RC_MXFP4, {1, 32, 1.0}},
    {"W4A8_NVFP4_FP8", RC_W4A8, {1, 16, 1.0}},
    {"W4A8_MXFP4_FP8", RC_W4A8, {1, 32, 1.0}},
    {"W4A16_AWQ", RC_INT4, {1, 128, 2.0}},
    {"INT4_AWQ", RC_INT4, {1, 128, 2.0}},
    {"W4A16", RC_INT4, {1, 128, 2.0}},
    {"W4A8_AWQ", RC_W4A8, {1, 128, 2.0}},
    {"INT8_SQ", RC_INT8, {1, 0, 4.0}},
    {"W8A8_SQ_PER_CHANNEL", RC_INT8, {1, 0, 4.0}},
    {"W8A16", RC_W8A16, {1, 0, 2.0}},
    {"INT8_WO", RC_W8A16, {1, 0, 2.0}},
};
enum { ALGORITHMS = sizeof algorithms / sizeof algorithms[0] };

static rc_status modelopt_kv(const rc_quant_reading *r) {
    const rc_node *at = rc_config_given(r->map, "kv_cache_quant_algo");
    if (at == NULL)
        return kv_scheme(r, rc_config_given(r->map, "kv_cache_scheme"));
    const char *t = rc_node_text(at);
    if (strcmp(t, "FP8") == 0 || strcmp(t, "fp8") == 0)
        r->m->quant.kv = RC_FP8;
    else if (strcmp(t, "INT8") == 0)
        r->m->quant.kv = RC_INT8;
    else if (strcmp(t, "NVFP4") == 0)
        r->m->quant.kv = RC_NVFP4;
    else if (t[0] != '\0' && strcmp(t, "none") != 0 && strcmp(t, "None") != 0)
        return rc_quant_refuse(r, at, "that kv_cache_quant_algo");
    return RC_OK;
}

rc_status rc_quant_modelopt(rc_quant_reading *r) {
    const rc_node *inner = rc_config_given(r->map, "quantization");
    if (inner != NULL && rc_node_kind_of(inner) == RC_NODE_MAP)
        r->map = inner;
    const rc_node *at = rc_config_given(r->map, "quant_algo");
    int64_t group = 0;
    RC_TRY(rc_quant_leave_out(r, r->map, "exclude_modules"));
    RC_TRY(rc_quant_leave_out(r, r->map, "ignore"));
    RC_TRY(modelopt_kv(r));
    RC_TRY(rc_quant_int(r, r->map, "group_size", 1, 1 << 20, 0, &group));
    if (at == NULL)
        return rc_config_given(r->map, "config_groups") != NULL ? read_groups(r) : RC_OK;
    for (int i = 0; i < ALGORITHMS; i++) {
        if (strcmp(rc_node_text(at), algorithms[i].algorithm) != 0)
            continue;
        rc_scale s = algorithms[i].scale;
        if (group > 0 && s.rows == 1 && s.columns > 0)
            s.columns = group;
        rc_quant_add(r, algorithms[i].dtype, s.rows, s.columns, s.bytes);
        return RC_OK;
    }
    return rc_quant_refuse(r, at, rc_node_text(at));
}
