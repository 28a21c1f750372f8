/* What each number of a configuration may be, as it is said where a file has another; numbers at both ends are taken. And what a
 * layer is told to be without what it does not have, in every file of the field.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include "tests/support/model_file.h"

/* Files of small models, each with room for a key more. */
#define NUMBERS                                                                                    \
    "hidden_size: 512, intermediate_size: 1024, num_attention_heads: 8, num_hidden_layers: 4, "    \
    "vocab_size: 1000, "
#define DENSE "{architectures: [LlamaForCausalLM], " NUMBERS
#define MISTRAL "{architectures: [MistralForCausalLM], " NUMBERS
#define QWEN3 "{architectures: [Qwen3ForCausalLM], num_key_value_heads: 8, " NUMBERS
#define EXPERTS "num_experts_per_tok: 2, "
#define MIXTRAL "{architectures: [MixtralForCausalLM], " NUMBERS EXPERTS
#define QWEN_MOE                                                                                   \
    "{architectures: [Qwen3MoeForCausalLM], num_experts: 8, num_key_value_heads: 8, " NUMBERS      \
        EXPERTS
#define LLAMA4                                                                                     \
    "{architectures: [Llama4ForCausalLM], num_local_experts: 8, interleave_moe_layer_step: "       \
    "2, " NUMBERS EXPERTS
#define DEEPSEEK                                                                                   \
    "{architectures: [DeepseekV3ForCausalLM], n_routed_experts: 8, num_key_value_heads: 8, "       \
    "kv_lora_rank: 64, "                                                                           \
    "qk_rope_head_dim: 32, qk_nope_head_dim: 64, v_head_dim: 64, " NUMBERS EXPERTS
#define FP8 DENSE "quantization_config: {quant_method: fp8, "
#define AWQ DENSE "quantization_config: {quant_method: awq, "
#define GPTQ DENSE "quantization_config: {quant_method: gptq, bits: 4, "
#define MODELOPT DENSE "quantization_config: {quant_method: modelopt, quant_algo: NVFP4, "
#define GROUPS                                                                                     \
    DENSE "quantization_config: {quant_method: compressed-tensors, config_groups: {a: {targets: "  \
          "[Linear], weights: {"
#define KINDS DENSE "layer_order: [{kinds: [a], times: 4}], layer_kinds: {a: {"

typedef struct range {
    const char *base,
        *key; /* the file up to its last key, and the key, which may stand there, too */
    int64_t lo, hi;
    const char *rest;   /* behind the value */
    const char *end[2]; /* what else the file has where the value is the least, and the most */
} range;

static const range ranges[] = {
    {DENSE, "num_attention_heads", 1, 4096, "}", {"", ", head_dim: 8"}},
    {DENSE, "num_key_value_heads", 1, 4096, "}", {"", ", num_attention_heads: 4096, head_dim: 8"}},
    {DENSE, "head_dim", 1, 4096, "}", {"", ""}},
    {DENSE, "num_hidden_layers", 1, 10000, "}", {"", ""}},
    {DENSE, "hidden_size", 1, 1 << 24, "}", {", head_dim: 8", ""}},
    {DENSE, "intermediate_size", 1, 1 << 26, "}", {"", ""}},
    {DENSE, "vocab_size", 1, 1 << 26, "}", {"", ""}},
    {DENSE, "max_position_embeddings", 1, INT64_C(1) << 40, "}", {"", ""}},
    {DENSE, "num_nextn_predict_layers", 0, 1000, "}", {"", ""}},
    {DENSE, "mtp_num_hidden_layers", 0, 1000, "}", {"", ""}},
    {DENSE, "num_mtp_modules", 0, 1000, "}", {"", ""}},
    {MISTRAL, "sliding_window", -1, INT64_C(1) << 40, "}", {"", ""}},
    {QWEN3, "max_window_layers", 0, INT64_MAX, "}", {"", ", use_sliding_window: true"}},
    {MIXTRAL, "num_local_experts", 0, 1 << 16, "}", {", num_local_experts: 2", ""}},
    {QWEN_MOE, "num_experts_per_tok", 1, 8, "}", {"", ""}},
    {QWEN_MOE, "moe_intermediate_size", 1, 1 << 26, "}", {"", ""}},
    {QWEN_MOE, "decoder_sparse_step", 1, 10000, "}", {"", ""}},
    {QWEN_MOE, "shared_expert_intermediate_size", 0, 1 << 26, "}", {"", ""}},
    {QWEN_MOE, "routed_expert_hidden_size", 0, 1 << 24, "}", {"", ""}},
    {LLAMA4, "interleave_moe_layer_step", 1, 10000, "}", {"", ""}},
    {LLAMA4, "intermediate_size_mlp", 1, 1 << 26, "}", {"", ""}},
    {DEEPSEEK, "first_k_dense_replace", 0, 4, "}", {"", ""}},
    {DEEPSEEK, "moe_layer_freq", 1, 10000, "}", {"", ""}},
    {DEEPSEEK, "n_shared_experts", 0, 1024, "}", {"", ""}},
    {DEEPSEEK, "hc_mult", 0, 64, "}", {"", ""}},
    {DEEPSEEK, "kv_lora_rank", 0, 1 << 24, "}", {"", ""}},
    {FP8, "weight_block_size", 1, 1 << 20, ", 128]}}", {"", ""}},
    {AWQ, "w_bit", 1, 16, "}}", {NULL, NULL}},
    {AWQ, "bits", 1, 16, "}}", {NULL, NULL}},
    {AWQ, "q_group_size", -1, 1 << 20, "}}", {"", ""}},
    {AWQ, "group_size", -1, 1 << 20, "}}", {"", ""}},
    {GPTQ, "bits", 1, 16, "}}", {NULL, NULL}},
    {GPTQ, "group_size", -1, 1 << 20, "}}", {"", ""}},
    {MODELOPT, "group_size", 1, 1 << 20, "}}", {"", ""}},
    {GROUPS, "num_bits", 1, 16, "}}}}}", {NULL, ""}},
    {GROUPS, "group_size", -1, 1 << 20, "}}}}}", {"", ""}},
    {KINDS, "num_attention_heads", 1, 4096, "}}}", {", num_key_value_heads: 1", ""}},
    {KINDS, "num_key_value_heads", 1, 4096, "}}}", {"", ", num_attention_heads: 4096"}},
    {KINDS, "head_dim", 1, 4096, "}}}", {"", ""}},
    {KINDS, "v_head_dim", 1, 4096, "}}}", {"", ""}},
    {KINDS, "intermediate_size", 1, 1 << 26, "}}}", {"", ""}},
};

/* The file with this value for the key, instead of the one that it has in the base. */
static rc_status with(const range *r, long long value, const char *more, rc_model *m,
                      rc_error *err) {
    char base[1024], text[2048], key[80];
    (void)snprintf(key, sizeof key, " %s: ", r->key);
    (void)snprintf(base, sizeof base, "%s", r->base);
    char *at = strstr(base, key);
    if (strcmp(r->rest, "}") == 0 && at && strchr(at, ',')) { /* once only */
        const char *behind = strchr(at, ',') + 1;
        (void)memmove(at, behind, strlen(behind) + 1);
    }
    const bool list = strcmp(r->key, "weight_block_size") == 0;
    (void)snprintf(text, sizeof text, "%s%s: %s%lld%s%s", base, r->key, list ? "[" : "", value,
                   list ? "" : more, r->rest);
    return model_text(text, m, err);
}

static void test_ranges(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        const range *r = &ranges[i];
        rc_model m;
        char says[160];
        rc_error err = {0};
        if (r->hi == INT64_MAX)
            (void)snprintf(says, sizeof says,
                           "key '%s': found '-7', expected a whole number of at least %lld", r->key,
                           (long long)r->lo);
        else
            (void)snprintf(says, sizeof says,
                           "key '%s': found '-7', expected a whole number from %lld to %lld",
                           r->key, (long long)r->lo, (long long)r->hi);
        if (with(r, -7, "", &m, &err) == RC_OK || strcmp(err.msg, says) != 0)
            fail_msg("%s-7: %s", r->base, err.msg);
        for (int end = 0; end < 2; end++) {
            err = (rc_error){0};
            if (r->end[end] && with(r, end ? r->hi : r->lo, r->end[end], &m, &err) != RC_OK)
                fail_msg("%s of %lld: %s", r->key, (long long)(end ? r->hi : r->lo), err.msg);
        }
    }
}

/* ---- layers ------------------------------------------------------------------------------------- */

static bool has_no_attention(const rc_layer_kind *l) {
    return l->heads == 0 && l->kv_heads == 0 && l->head_dim == 0 && l->value_dim == 0 &&
           l->qk_norm == RC_QK_NORM_NONE && !l->attention_bias && !l->output_bias;
}

static void look_at(const char *name, const rc_model *m) {
    int layers = 0;
    for (int k = 0; k < m->kinds; k++) {
        const rc_layer_kind *l = &m->kind[k];
        layers += rc_model_layers_of(m, k);
        const bool attends = l->mixer == RC_MIX_ATTENTION || l->mixer == RC_MIX_LATENT;
        if (attends ? l->heads < 1 || l->kv_heads < 1 || l->head_dim < 1 || l->value_dim < 1 ||
                          l->heads % l->kv_heads != 0
                    : !has_no_attention(l))
            fail_msg("%s: kind %d", name, k);
        if (l->mixer == RC_MIX_STATE ? l->state.heads < 1 : l->state.heads != 0)
            fail_msg("%s: the state of kind %d", name, k);
        if (l->after == RC_FFN_EXPERTS ? l->experts.top_k < 1 || l->ffn != 0
                                       : l->experts.count != 0)
            fail_msg("%s: the experts of kind %d", name, k);
        if ((l->after == RC_FFN_NONE) != (l->ffn == 0 && l->after != RC_FFN_EXPERTS))
            fail_msg("%s: the FFN of kind %d", name, k);
    }
    if (layers != m->layers)
        fail_msg("%s: %d layers of %d are of a kind", name, layers, m->layers);
}

static void test_layers(void **state) {
    (void)state;
    static const char *const folders[] = {"models", "tests/data/models"};
    const char *root = getenv("RC_SOURCE_DIR");
    int seen = 0;
    for (size_t f = 0; f < 2; f++) {
        char path[1024];
        (void)snprintf(path, sizeof path, "%s/%s", root ? root : ".", folders[f]);
        DIR *d = opendir(path);
        assert_non_null(d);
        for (struct dirent *e = readdir(d); e; e = readdir(d)) {
            char file[2048];
            rc_model m;
            rc_error err = {0};
            if (!strstr(e->d_name, ".json") || strstr(e->d_name, "quant_config"))
                continue;
            (void)snprintf(file, sizeof file, "%s/%s", path, e->d_name);
            if (rc_model_load(file, &m, &err) != RC_OK)
                fail_msg("%s: %s", e->d_name, err.msg);
            look_at(e->d_name, &m);
            seen++;
        }
        (void)closedir(d);
    }
    assert_true(seen > 50);
}

/* Layers that a search left out whole or in part, and letters that say which half a layer is. */
static void test_left_out(void **state) {
    (void)state;
    rc_model m;
    rc_error err = {0};
#define BLOCK(attention, ffn) "{attention: {" attention "}, ffn: {" ffn "}}"
    if (model_text("{architectures: [DeciLMForCausalLM], attention_bias: true, " NUMBERS
                   "block_configs: [" BLOCK("n_heads_in_group: 4", "ffn_mult: 1.5") ", " BLOCK(
                       "no_op: true",
                       "ffn_mult: 0.75") ", " BLOCK("n_heads_in_group: 2",
                                                    "no_op: true") ", " BLOCK("no_op: true",
                                                                              "no_op: true") "]}",
                   &m, &err) != RC_OK)
        fail_msg("%s", err.msg);
    look_at("blocks", &m);
    assert_int_equal(m.kinds, 4);
    const rc_layer_kind *l = m.kind;
    assert_true(l[0].mixer == RC_MIX_ATTENTION && l[0].kv_heads == 2 && l[0].ffn == 512);
    assert_true(l[1].mixer == RC_MIX_NONE && l[1].ffn == 256 && l[1].after == RC_FFN_GATED);
    assert_true(l[2].mixer == RC_MIX_ATTENTION && l[2].kv_heads == 4 && l[2].after == RC_FFN_NONE);
    assert_true(l[3].mixer == RC_MIX_NONE && l[3].after == RC_FFN_NONE);
    assert_int_equal(l[1].more_norms, l[0].more_norms - 1);
    assert_int_equal(l[2].more_norms, l[0].more_norms - 1);
    assert_int_equal(l[3].more_norms, l[0].more_norms - 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ranges), cmocka_unit_test(test_layers),
                                       cmocka_unit_test(test_left_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
