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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/model/internal.h"

enum { GROUPS = 8 };

/* What one map says. */
typedef struct reading {
    rc_model *m;
    rc_error *err;
    const rc_node *map;
    rc_modules *left[2]; /* modules that are not quantised: any that a list names */
    struct {
        rc_scheme scheme;
        rc_modules *of; /* NULL: every projection */
    } group[GROUPS];
    int groups;
    bool head; /* the LM head is quantised unless a list leaves it out */
} reading;

static const char *text_or(const rc_node *map, const char *key, const char *otherwise) {
    const rc_node *n = rc_config_given(map, key);
    return n != NULL && rc_node_kind_of(n) == RC_NODE_SCALAR ? rc_node_text(n) : otherwise;
}

static bool is_true(const rc_node *map, const char *key) {
    const char *t = text_or(map, key, "false");
    return strcmp(t, "true") == 0 || strcmp(t, "True") == 0;
}

static rc_status int_or(const reading *r, const rc_node *map, const char *key, int64_t lo,
                        int64_t hi, int64_t otherwise, int64_t *out) {
    *out = otherwise;
    return rc_config_given(map, key) != NULL ? rc_doc_int(map, key, lo, hi, out, r->err) : RC_OK;
}

static rc_status leave_out(reading *r, const rc_node *map, const char *key) {
    const rc_node *list = rc_config_given(map, key);
    if (list == NULL)
        return RC_OK;
    int i = r->left[0] != NULL;
    if (r->left[i] != NULL)
        return rc_node_fail(list, r->err, RC_E_INPUT,
                            "a third list of modules that are not quantised");
    return rc_modules_open(list, &r->left[i], r->err);
}

static void add_group(reading *r, rc_dtype d, int64_t rows, int64_t columns, double bytes) {
    r->group[r->groups].scheme = (rc_scheme){d, {rows, columns, bytes}};
    r->groups++;
}

static rc_status refuse(const reading *r, const rc_node *at, const char *what) {
    return rc_node_fail(at != NULL ? at : r->map, r->err, RC_E_UNMODELLED,
                        "weights quantised by %s: %.80s is not modelled. Without this map, and "
                        "with `dtypes` in the scenario, other types can be tried",
                        r->m->quant.method, what);
}

/* Weights alone, in groups of `group` inputs (0: a row) with a 16-bit scale; with a zero point of
 * as many bits as a weight when `zero`. */
static rc_status add_integers(reading *r, const rc_node *at, int64_t bits, int64_t group,
                              bool zero) {
    char what[48];
    if (bits != 4 && bits != 8) {
        (void)snprintf(what, sizeof what, "%lld-bit weights", (long long)bits);
        return refuse(r, at, what);
    }
    double zeros = zero ? (double)bits / 8.0 : 0.0;
    add_group(r, bits == 4 ? RC_INT4 : RC_W8A16, 1, group > 0 ? group : 0, 2.0 + zeros);
    return RC_OK;
}

/* ---- the tools ---------------------------------------------------------------------------------
 */

static rc_status read_fp8(reading *r) {
    const rc_node *block = rc_config_given(r->map, "weight_block_size");
    int64_t rows = 0, columns = 0;
    RC_TRY(leave_out(r, r->map, "modules_to_not_convert"));
    RC_TRY(leave_out(r, r->map, "ignored_layers"));
    if (block == NULL) {
        add_group(r, RC_FP8, 0, 0, 4.0);
        return RC_OK;
    }
    if (rc_node_count(block) != 2)
        return rc_node_fail(block, r->err, RC_E_INPUT,
                            "key 'weight_block_size': expected two numbers");
    RC_TRY(rc_node_int(rc_node_at(block, 0), "weight_block_size", 1, 1 << 20, &rows, r->err));
    RC_TRY(rc_node_int(rc_node_at(block, 1), "weight_block_size", 1, 1 << 20, &columns, r->err));
    add_group(r, RC_FP8_BLOCK, rows, columns, 4.0);
    return RC_OK;
}

static rc_status read_fbgemm(reading *r) {
    add_group(r, RC_FP8, 1, 0, 4.0);
    return leave_out(r, r->map, "modules_to_not_convert");
}

static rc_status read_awq(reading *r) {
    int64_t bits = 4, group = 128;
    RC_TRY(int_or(r, r->map, "w_bit", 1, 16, 4, &bits));
    RC_TRY(int_or(r, r->map, "bits", 1, 16, bits, &bits));
    RC_TRY(int_or(r, r->map, "q_group_size", -1, 1 << 20, 128, &group));
    RC_TRY(int_or(r, r->map, "group_size", -1, 1 << 20, group, &group));
    RC_TRY(leave_out(r, r->map, "modules_to_not_convert"));
    bool zero = rc_config_given(r->map, "zero_point") == NULL || is_true(r->map, "zero_point");
    return add_integers(r, rc_node_get(r->map, "bits"), bits, group, zero);
}

/* GPTQ and AutoRound store zero points even where they are all alike. */
static rc_status read_gptq(reading *r) {
    int64_t bits = 4, group = 128;
    RC_TRY(int_or(r, r->map, "bits", 1, 16, 4, &bits));
    RC_TRY(int_or(r, r->map, "group_size", -1, 1 << 20, 128, &group));
    static const char *const others[] = {"dynamic", "extra_config", "modules_in_block_to_quantize",
                                         NULL};
    for (int i = 0; others[i] != NULL; i++) {
        const rc_node *n = rc_config_given(r->map, others[i]);
        if (n != NULL && rc_node_count(n) > 0)
            return refuse(r, n, others[i]);
    }
    r->head = is_true(r->map, "lm_head");
    RC_TRY(leave_out(r, r->map, "modules_to_not_convert"));
    return add_integers(r, rc_node_get(r->map, "bits"), bits, group, true);
}

/* 4 bits: one scale for 64 weights, in fp32, or, quantised once more, in 8 bits with an fp32 scale
 * for 256 of them. 8 bits: weights and activations, but for outliers. */
static rc_status read_bitsandbytes(reading *r) {
    bool four = is_true(r->map, "load_in_4bit") || is_true(r->map, "_load_in_4bit");
    bool eight = is_true(r->map, "load_in_8bit") || is_true(r->map, "_load_in_8bit");
    bool twice = is_true(r->map, "bnb_4bit_use_double_quant");
    RC_TRY(leave_out(r, r->map, "llm_int8_skip_modules"));
    if (four)
        add_group(r, RC_INT4, 1, 64, twice ? 1.0 + 4.0 / 256.0 : 4.0);
    else if (eight)
        add_group(r, RC_INT8, 1, 0, 4.0);
    else
        return refuse(r, NULL, "a map with neither load_in_4bit nor load_in_8bit");
    return RC_OK;
}

static rc_status read_mxfp4(reading *r) {
    add_group(r, RC_MXFP4, 1, 32, 1.0);
    return leave_out(r, r->map, "modules_to_not_convert");
}

static rc_status read_eetq(reading *r) {
    add_group(r, RC_W8A16, 1, 0, 2.0);
    return leave_out(r, r->map, "modules_to_not_convert");
}

/* ---- compressed-tensors ------------------------------------------------------------------------
 */

static rc_status kv_scheme(const reading *r, const rc_node *scheme) {
    int64_t bits = 16;
    if (scheme == NULL)
        return RC_OK;
    if (rc_node_kind_of(scheme) != RC_NODE_MAP)
        return refuse(r, scheme, "a kv_cache_scheme that is no map");
    bool real = strcmp(text_or(scheme, "type", "float"), "float") == 0;
    RC_TRY(int_or(r, scheme, "num_bits", 1, 16, 16, &bits));
    if (bits == 16)
        return RC_OK;
    if (bits != 8 && bits != 4)
        return refuse(r, scheme, "a KV cache of that many bits");
    r->m->quant.kv = bits == 8 ? (real ? RC_FP8 : RC_INT8) : (real ? RC_NVFP4 : RC_INT4);
    return RC_OK;
}

/* Bits of the activations; 16 where they are not quantised. */
static rc_status activation_bits(const reading *r, const rc_node *group, int64_t *out) {
    const rc_node *a = rc_config_given(group, "input_activations");
    *out = 16;
    return a != NULL && rc_node_kind_of(a) == RC_NODE_MAP ? int_or(r, a, "num_bits", 1, 16, 16, out)
                                                          : RC_OK;
}

static rc_status tile_of(const reading *r, const rc_node *w, rc_scale *out) {
    const char *strategy = text_or(w, "strategy", "");
    const rc_node *block = rc_config_given(w, "block_structure");
    int64_t group = 0;
    RC_TRY(int_or(r, w, "group_size", -1, 1 << 20, 0, &group));
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

static rc_status float_scheme(const reading *r, const rc_node *w, int64_t bits, int64_t act,
                              rc_scheme *s) {
    bool blocks = s->scale.rows > 1 || s->scale.columns > 0;
    if (bits == 8) {
        s->dtype = act > 8 ? RC_W8A16 : blocks ? RC_FP8_BLOCK : RC_FP8;
        s->scale.bytes = s->scale.rows == 1 && s->scale.columns == 32 ? 1.0 : 4.0; /* MXFP8 */
        return RC_OK;
    }
    if (bits != 4)
        return refuse(r, w, "floating-point weights of that many bits");
    s->scale.bytes = 1.0;
    if (s->scale.columns == 0)
        s->scale = (rc_scale){1, 16, 1.0};
    s->dtype = act == 8 ? RC_W4A8 : s->scale.columns == 16 ? RC_NVFP4 : RC_MXFP4;
    return RC_OK;
}

static rc_status scheme_of(const reading *r, const rc_node *group, rc_scheme *out) {
    const rc_node *w = rc_config_given(group, "weights");
    int64_t bits = 16, act = 16;
    *out = (rc_scheme){RC_BF16, {0, 0, 0.0}};
    if (w == NULL)
        return RC_OK;
    if (rc_node_kind_of(w) != RC_NODE_MAP)
        return refuse(r, w, "a group whose weights are no map");
    RC_TRY(int_or(r, w, "num_bits", 1, 16, 8, &bits));
    RC_TRY(activation_bits(r, group, &act));
    RC_TRY(tile_of(r, w, &out->scale));
    if (bits == 16)
        return RC_OK;
    if (strcmp(text_or(w, "type", "int"), "float") == 0)
        return float_scheme(r, w, bits, act, out);
    if (bits != 4 && bits != 8)
        return refuse(r, w, "integer weights of that many bits");
    if (rc_config_given(w, "symmetric") != NULL && !is_true(w, "symmetric"))
        out->scale.bytes += (double)bits / 8.0;
    out->dtype = bits == 8 ? (act == 8 ? RC_INT8 : RC_W8A16) : (act == 8 ? RC_W4A8 : RC_INT4);
    return act == 4 ? refuse(r, group, "integer activations of 4 bits") : RC_OK;
}

static rc_status read_groups(reading *r) {
    const rc_node *groups = NULL;
    RC_TRY(rc_doc_map(r->map, "config_groups", &groups, r->err));
    for (size_t i = 0; i < rc_node_count(groups); i++) {
        const rc_node *g = rc_node_value(groups, i);
        if (r->groups == GROUPS || rc_node_kind_of(g) != RC_NODE_MAP)
            return refuse(r, g, "more than 8 groups, or a group that is no map");
        RC_TRY(scheme_of(r, g, &r->group[r->groups].scheme));
        r->groups++;
        const rc_node *targets = rc_config_given(g, "targets");
        if (targets != NULL)
            RC_TRY(rc_modules_open(targets, &r->group[r->groups - 1].of, r->err));
    }
    return RC_OK;
}

static rc_status read_compressed(reading *r) {
    const rc_node *sparse = rc_config_given(r->map, "sparsity_config");
    if (sparse != NULL && rc_node_kind_of(sparse) == RC_NODE_MAP &&
        strcmp(text_or(sparse, "format", "dense"), "dense") != 0)
        return refuse(r, sparse, "a sparse format");
    r->head = true;
    RC_TRY(leave_out(r, r->map, "ignore"));
    RC_TRY(kv_scheme(r, rc_config_given(r->map, "kv_cache_scheme")));
    return rc_config_given(r->map, "config_groups") != NULL ? read_groups(r) : RC_OK;
}

/* ---- modelopt ----------------------------------------------------------------------------------
 */

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

static rc_status modelopt_kv(const reading *r) {
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
        return refuse(r, at, "that kv_cache_quant_algo");
    return RC_OK;
}

static rc_status read_modelopt(reading *r) {
    const rc_node *inner = rc_config_given(r->map, "quantization");
    if (inner != NULL && rc_node_kind_of(inner) == RC_NODE_MAP)
        r->map = inner;
    const rc_node *at = rc_config_given(r->map, "quant_algo");
    int64_t group = 0;
    RC_TRY(leave_out(r, r->map, "exclude_modules"));
    RC_TRY(leave_out(r, r->map, "ignore"));
    RC_TRY(modelopt_kv(r));
    RC_TRY(int_or(r, r->map, "group_size", 1, 1 << 20, 0, &group));
    if (at == NULL)
        return rc_config_given(r->map, "config_groups") != NULL ? read_groups(r) : RC_OK;
    for (int i = 0; i < ALGORITHMS; i++) {
        if (strcmp(rc_node_text(at), algorithms[i].algorithm) != 0)
            continue;
        rc_scale s = algorithms[i].scale;
        if (group > 0 && s.rows == 1 && s.columns > 0)
            s.columns = group;
        add_group(r, algorithms[i].dtype, s.rows, s.columns, s.bytes);
        return RC_OK;
    }
    return refuse(r, at, rc_node_text(at));
}

/* ---- together ----------------------------------------------------------------------------------
 */

static const struct {
    const char *method;
    rc_status (*read)(reading *r);
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
    {"compressed-tensors", read_compressed},
    {"compressed_tensors", read_compressed},
    {"modelopt", read_modelopt},
    {"modelopt_fp4", read_modelopt},
    {"modelopt_fp8", read_modelopt},
};
enum { TOOLS = sizeof tools / sizeof tools[0] };

static rc_status unknown_tool(const reading *r, const rc_node *at) {
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
static const rc_scheme *scheme_in(const reading *r, int layer, int p) {
    for (int i = 0; i < 2; i++)
        if (r->left[i] != NULL && rc_modules_name(r->left[i], layer, p))
            return NULL;
    for (int i = 0; i < r->groups; i++)
        if (r->group[i].of == NULL || rc_modules_name(r->group[i].of, layer, p))
            return r->group[i].scheme.dtype == RC_BF16 ? NULL : &r->group[i].scheme;
    return NULL;
}

static double elements_of(const rc_model *m, int p) {
    double d = (double)m->hidden;
    if (p == RC_Q || p == RC_O)
        return d * m->heads * m->head_dim;
    return p == RC_K || p == RC_V ? d * m->kv_heads * m->head_dim : d * (double)m->ffn;
}

/* The type of most elements of projections [from, to). */
static rc_dtype most_of(const rc_model *m, int from, int to) {
    double sum[RC_DTYPES] = {0.0};
    int best = RC_BF16;
    for (int p = from; p < to; p++) {
        double each = elements_of(m, p);
        sum[m->quant.proj[p].dtype] += each * m->quant.proj[p].layers;
        sum[RC_BF16] += each * (m->layers - m->quant.proj[p].layers);
    }
    for (int d = 0; d < RC_DTYPES; d++)
        if (sum[d] > sum[best])
            best = d;
    return (rc_dtype)best;
}

static rc_status spread(const reading *r) {
    rc_quant *q = &r->m->quant;
    for (int p = 0; p < RC_PROJS; p++) {
        for (int layer = 0; layer < r->m->layers; layer++) {
            const rc_scheme *s = scheme_in(r, layer, p);
            if (s == NULL)
                continue;
            if (q->proj[p].layers > 0 && q->proj[p].dtype != s->dtype)
                return refuse(r, NULL, "one projection in several types, layer by layer,");
            q->proj[p].dtype = s->dtype;
            q->proj[p].scale = s->scale;
            q->proj[p].layers++;
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
static rc_status check_size(const reading *r) {
    size_t items = rc_modules_count(r->left[0]) + rc_modules_count(r->left[1]);
    for (int i = 0; i < r->groups; i++)
        items += rc_modules_count(r->group[i].of);
    if (items * (size_t)r->m->layers > 1000000)
        return refuse(r, NULL, "a list of modules of this length");
    return RC_OK;
}

static void close_reading(reading *r) {
    for (int i = 0; i < 2; i++)
        rc_modules_close(r->left[i]);
    for (int i = 0; i < r->groups; i++)
        rc_modules_close(r->group[i].of);
}

static rc_status run(reading *r, rc_status (*read)(reading *r)) {
    rc_status st = read(r);
    if (st == RC_OK)
        st = check_size(r);
    if (st == RC_OK)
        st = spread(r);
    close_reading(r);
    return st;
}

rc_status rc_quant_read(const rc_node *config, rc_model *m, rc_error *err) {
    reading r = {.m = m, .err = err, .map = config};
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
    reading r = {.m = m, .err = err, .map = root};
    (void)snprintf(m->quant.method, sizeof m->quant.method, "modelopt");
    if (rc_config_given(root, "quantization") == NULL)
        return rc_node_fail(root, err, RC_E_INPUT, "missing key 'quantization'");
    return run(&r, read_modelopt);
}
