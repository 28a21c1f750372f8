/* What a checkpoint says about its quantisation.
 *
 * Every tool writes a map of its own shape. Each reader here turns one into the same three things:
 * how the weights are stored (rc_scheme), which modules are left as they were, and the type of the
 * KV cache. A tool or a type that is not read is refused by name, never passed over: the difference
 * is a factor of two or four in memory.
 *
 * Sources: the configuration classes in transformers (src/transformers/utils/
 * quantization_config.py), compressed-tensors (quantization/quant_args.py) and NVIDIA ModelOpt
 * (modelopt/torch/export), for which keys exist; sizes of scales as those tools store them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/model/quantisation.h"

/* Weights alone, in groups of `group` inputs (0: a row) with a 16-bit scale; with a zero point of
 * as many bits as a weight when `zero`. */
static rc_status add_integers(rc_quant_reading *r, const rc_node *at, int64_t bits, int64_t group,
                              bool zero) {
    char what[48];
    if (bits != 4 && bits != 8) {
        (void)snprintf(what, sizeof what, "%lld-bit weights", (long long)bits);
        return rc_quant_refuse(r, at, what);
    }
    double zeros = zero ? (double)bits / 8.0 : 0.0;
    rc_quant_add(r, bits == 4 ? RC_INT4 : RC_W8A16, 1, group > 0 ? group : 0, 2.0 + zeros);
    return RC_OK;
}

/* ---- the tools ----------------------------------------------------------------------- */

static rc_status read_fp8(rc_quant_reading *r) {
    const rc_node *block = rc_config_given(r->map, "weight_block_size");
    int64_t rows = 0, columns = 0;
    RC_TRY(rc_quant_leave_out(r, r->map, "modules_to_not_convert"));
    RC_TRY(rc_quant_leave_out(r, r->map, "ignored_layers"));
    if (block == NULL) {
        rc_quant_add(r, RC_FP8, 0, 0, 4.0);
        return RC_OK;
    }
    if (rc_node_count(block) != 2)
        return rc_node_fail(block, r->err, RC_E_INPUT,
                            "key 'weight_block_size': expected two numbers");
    RC_TRY(rc_node_int(rc_node_at(block, 0), "weight_block_size", 1, 1 << 20, &rows, r->err));
    RC_TRY(rc_node_int(rc_node_at(block, 1), "weight_block_size", 1, 1 << 20, &columns, r->err));
    rc_quant_add(r, RC_FP8_BLOCK, rows, columns, 4.0);
    return RC_OK;
}

static rc_status read_fbgemm(rc_quant_reading *r) {
    rc_quant_add(r, RC_FP8, 1, 0, 4.0);
    return rc_quant_leave_out(r, r->map, "modules_to_not_convert");
}

static rc_status read_awq(rc_quant_reading *r) {
    int64_t bits = 4, group = 128;
    RC_TRY(rc_quant_int(r, r->map, "w_bit", 1, 16, 4, &bits));
    RC_TRY(rc_quant_int(r, r->map, "bits", 1, 16, bits, &bits));
    RC_TRY(rc_quant_int(r, r->map, "q_group_size", -1, 1 << 20, 128, &group));
    RC_TRY(rc_quant_int(r, r->map, "group_size", -1, 1 << 20, group, &group));
    RC_TRY(rc_quant_leave_out(r, r->map, "modules_to_not_convert"));
    bool zero =
        rc_config_given(r->map, "zero_point") == NULL || rc_quant_true(r->map, "zero_point");
    return add_integers(r, rc_node_get(r->map, "bits"), bits, group, zero);
}

/* GPTQ and AutoRound store zero points even where they are all alike. */
static rc_status read_gptq(rc_quant_reading *r) {
    int64_t bits = 4, group = 128;
    RC_TRY(rc_quant_int(r, r->map, "bits", 1, 16, 4, &bits));
    RC_TRY(rc_quant_int(r, r->map, "group_size", -1, 1 << 20, 128, &group));
    static const char *const others[] = {"dynamic", "extra_config", "modules_in_block_to_quantize",
                                         NULL};
    for (int i = 0; others[i] != NULL; i++) {
        const rc_node *n = rc_config_given(r->map, others[i]);
        if (n != NULL && rc_node_count(n) > 0)
            return rc_quant_refuse(r, n, others[i]);
    }
    r->head = rc_quant_true(r->map, "lm_head");
    RC_TRY(rc_quant_leave_out(r, r->map, "modules_to_not_convert"));
    return add_integers(r, rc_node_get(r->map, "bits"), bits, group, true);
}

/* 4 bits: one scale for 64 weights, in fp32, or, quantised once more, in 8 bits with an fp32 scale
 * for 256 of them. 8 bits: weights and activations, but for outliers. */
static rc_status read_bitsandbytes(rc_quant_reading *r) {
    bool four = rc_quant_true(r->map, "load_in_4bit") || rc_quant_true(r->map, "_load_in_4bit");
    bool eight = rc_quant_true(r->map, "load_in_8bit") || rc_quant_true(r->map, "_load_in_8bit");
    bool twice = rc_quant_true(r->map, "bnb_4bit_use_double_quant");
    RC_TRY(rc_quant_leave_out(r, r->map, "llm_int8_skip_modules"));
    if (four)
        rc_quant_add(r, RC_INT4, 1, 64, twice ? 1.0 + 4.0 / 256.0 : 4.0);
    else if (eight)
        rc_quant_add(r, RC_INT8, 1, 0, 4.0);
    else
        return rc_quant_refuse(r, NULL, "a map with neither load_in_4bit nor load_in_8bit");
    return RC_OK;
}

static rc_status read_mxfp4(rc_quant_reading *r) {
    rc_quant_add(r, RC_MXFP4, 1, 32, 1.0);
    return rc_quant_leave_out(r, r->map, "modules_to_not_convert");
}

static rc_status read_eetq(rc_quant_reading *r) {
    rc_quant_add(r, RC_W8A16, 1, 0, 2.0);
    return rc_quant_leave_out(r, r->map, "modules_to_not_convert");
}

/* ---- together ------------------------------------------------------------------------ */

static const struct {
    const char *method;
    rc_status (*read)(rc_quant_reading *r);
} tools[] = {
    {"fp8", read_fp8},
    {"fbgemm_fp8", read_fbgemm},
    {"awq", read_awq},
    {"gptq", read_gptq},
    {"auto-round", read_gptq},
    {"auto_round", read_gptq},
    {"intel/auto-round", read_gptq},
    {"bitsandbytes", read_bitsandbytes},
    {"mxfp4", read_mxfp4},
    {"eetq", read_eetq},
    {"compressed-tensors", rc_quant_compressed},
    {"compressed_tensors", rc_quant_compressed},
    {"modelopt", rc_quant_modelopt},
    {"modelopt_fp4", rc_quant_modelopt},
    {"modelopt_fp8", rc_quant_modelopt},
};
enum { TOOLS = sizeof tools / sizeof tools[0] };

static rc_status unknown_tool(const rc_quant_reading *r, const rc_node *at) {
    char list[256] = "";
    for (int i = 0; i < TOOLS; i++) {
        size_t n = strlen(list);
        (void)snprintf(list + n, sizeof list - n, "%s%s", i > 0 ? ", " : "", tools[i].method);
    }
    return rc_node_fail(at, r->err, RC_E_UNMODELLED,
                        "weights quantised by '%.60s' are not modelled; read are %s. Without this "
                        "map, and with `dtypes` in the scenario, other types can be tried",
                        r->m->quant.method, list);
}

/* The scheme of one projection of one layer; NULL: it is not quantised. */
static const rc_scheme *scheme_in(const rc_quant_reading *r, int layer, int p) {
    for (int i = 0; i < 2; i++)
        if (r->left[i] != NULL && rc_modules_name(r->left[i], layer, p))
            return NULL;
    for (int i = 0; i < r->groups; i++)
        if (r->group[i].of == NULL || rc_modules_name(r->group[i].of, layer, p))
            return r->group[i].scheme.dtype == RC_BF16 ? NULL : &r->group[i].scheme;
    return NULL;
}

/* The type of most elements of projections [from, to), over all layers. */
static rc_dtype most_of(const rc_model *m, int from, int to) {
    double sum[RC_DTYPES] = {0.0};
    int best = RC_BF16;
    for (int k = 0; k < m->kinds; k++) {
        const rc_layer_kind *l = &m->kind[k];
        for (int p = from; p < to; p++) {
            double each = rc_projection_elements(m, l, (rc_proj)p);
            sum[l->stored[p].dtype] += each * l->stored[p].layers;
            sum[RC_BF16] += each * (rc_model_layers_of(m, k) - l->stored[p].layers);
        }
    }
    for (int d = 0; d < RC_DTYPES; d++)
        if (sum[d] > sum[best])
            best = d;
    return (rc_dtype)best;
}

static rc_status spread(const rc_quant_reading *r) {
    rc_quant *q = &r->m->quant;
    for (int p = 0; p < RC_PROJS; p++) {
        for (int layer = 0; layer < r->m->layers; layer++) {
            const rc_scheme *s = scheme_in(r, layer, p);
            rc_layer_kind *l = &r->m->kind[rc_model_kind_of(r->m, layer)];
            if (s == NULL || p == RC_ROUTER)
                continue;
            if (l->stored[p].layers > 0 && l->stored[p].dtype != s->dtype)
                return rc_quant_refuse(r, NULL, "one projection in several types, layer by layer,");
            l->stored[p].dtype = s->dtype;
            l->stored[p].scale = s->scale;
            l->stored[p].layers++;
        }
    }
    const rc_scheme *head = r->head && !r->m->tied_embeddings ? scheme_in(r, 0, RC_PROJS) : NULL;
    if (head != NULL) {
        q->head = head->dtype;
        q->head_scale = head->scale;
    }
    q->attn = most_of(r->m, RC_Q, RC_GATE);
    q->ffn = most_of(r->m, RC_GATE, RC_PROJS);
    return RC_OK;
}

/* Lists are compared with every projection of every layer. */
static rc_status check_size(const rc_quant_reading *r) {
    size_t items = rc_modules_count(r->left[0]) + rc_modules_count(r->left[1]);
    for (int i = 0; i < r->groups; i++)
        items += rc_modules_count(r->group[i].of);
    if (items * (size_t)r->m->layers > 1000000)
        return rc_quant_refuse(r, NULL, "a list of modules of this length");
    return RC_OK;
}

static void close_reading(rc_quant_reading *r) {
    for (int i = 0; i < 2; i++)
        rc_modules_close(r->left[i]);
    for (int i = 0; i < r->groups; i++)
        rc_modules_close(r->group[i].of);
}

static rc_status run(rc_quant_reading *r, rc_status (*read)(rc_quant_reading *r)) {
    assert(r->m->layers >= 1 && r->m->kinds >= 1 && r->m->hidden >= 1);
    rc_status st = read(r);
    if (st == RC_OK)
        st = check_size(r);
    if (st == RC_OK)
        st = spread(r);
    close_reading(r);
    return st;
}

rc_status rc_quant_read(const rc_node *config, rc_model *m, rc_error *err) {
    rc_quant_reading r = {.m = m, .err = err, .map = config};
    rc_quant *q = &m->quant;
    if (rc_node_kind_of(config) != RC_NODE_MAP)
        return rc_node_fail(config, err, RC_E_INPUT, "key 'quantization_config': expected a map");
    const rc_node *at = rc_config_given(config, "quant_method");
    const char *method = at != NULL                                         ? rc_node_text(at)
                         : rc_config_given(config, "quant_algo") != NULL    ? "modelopt"
                         : rc_config_given(config, "config_groups") != NULL ? "compressed-tensors"
                                                                            : "";
    (void)snprintf(q->method, sizeof q->method, "%s", method);
    if (method[0] == '\0' && rc_node_count(config) == 0)
        return RC_OK;
    if (method[0] == '\0')
        return rc_node_fail(config, err, RC_E_UNMODELLED,
                            "the weights are quantised, but no key 'quant_method' says by what");
    for (int i = 0; i < TOOLS; i++)
        if (strcmp(method, tools[i].method) == 0)
            return run(&r, tools[i].read);
    return unknown_tool(&r, at != NULL ? at : config);
}

rc_status rc_quant_read_modelopt(const rc_node *root, rc_model *m, rc_error *err) {
    rc_quant_reading r = {.m = m, .err = err, .map = root};
    (void)snprintf(m->quant.method, sizeof m->quant.method, "modelopt");
    if (rc_config_given(root, "quantization") == NULL)
        return rc_node_fail(root, err, RC_E_INPUT, "missing key 'quantization'");
    return run(&r, rc_quant_modelopt);
}
