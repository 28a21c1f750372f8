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

/* ---- what is not modelled ----------------------------------------------------------------------- */

/* Each key that says of a model that it is of another kind, the kind in words, and the largest number that does not say so yet. `true`
 * says it as well, and so does a name that begins like a key that ends in x here. */
static void test_signs(void **state) {
    (void)state;
    static const struct {
        const char *key, *words;
        int above;
    } t[] = {
        {"num_local_experts", "a mixture of experts: FFN work depends on routing", 1},
        {"num_experts", "a mixture of experts: FFN work depends on routing", 1},
        {"n_routed_experts", "a mixture of experts: FFN work depends on routing", 0},
        {"moe_x", "a mixture of experts: FFN work depends on routing", 0},
        {"enable_moe_block", "a mixture of experts: FFN work depends on routing", 0},
        {"ffn_config.moe_num_experts", "a mixture of experts: FFN work depends on routing", 1},
        {"expert_layer_period", "a mixture of experts: FFN work depends on routing", 0},
        {"kv_lora_rank", "multi-head latent attention (MLA)", 0},
        {"qk_rope_head_dim", "multi-head latent attention (MLA)", 0},
        {"state_size", "state-space (SSM) or recurrent layers", 0},
        {"ssm_x", "state-space (SSM) or recurrent layers", 0},
        {"mamba_x", "state-space (SSM) or recurrent layers", 0},
        {"mamba2_x", "state-space (SSM) or recurrent layers", 0},
        {"layers_block_type", "state-space (SSM) or recurrent layers", 0},
        {"hybrid_override_pattern", "state-space (SSM) or recurrent layers", 0},
        {"attn_layer_indices", "state-space (SSM) or recurrent layers", 0},
        {"attn_layer_period", "state-space (SSM) or recurrent layers", 0},
        {"lru_width", "state-space (SSM) or recurrent layers", 0},
        {"rwkv_x", "state-space (SSM) or recurrent layers", 0},
        {"time_mix_x", "state-space (SSM) or recurrent layers", 0},
        {"conv_L_cache", "state-space (SSM) or recurrent layers", 0},
        {"linear_attn_config", "linear attention layers", 0},
        {"linear_num_key_heads", "linear attention layers", 0},
        {"linear_key_head_dim", "linear attention layers", 0},
        {"lightning_x", "linear attention layers", 0},
        {"kda_x", "linear attention layers", 0},
        {"full_attention_interval", "linear attention layers", 1},
        {"index_topk", "sparse attention", 0},
        {"index_n_heads", "sparse attention", 0},
        {"compress_ratios", "sparse attention", 0},
        {"nsa_x", "sparse attention", 0},
        {"sparse_x", "sparse attention", 0},
        {"blocksparse_x", "sparse attention", 0},
        {"attention_sink_size", "sparse attention", 0},
        {"dual_chunk_attention_config",
         "dual-chunk attention (delete the key to model full attention instead)", 0},
        {"attention_chunk_size", "layers that attend to a sliding window or chunk", 0},
        {"sliding_window_pattern", "layers that attend to a sliding window or chunk", 1},
        {"sliding_window_size", "layers that attend to a sliding window or chunk", 0},
        {"interleaved_sliding_window", "layers that attend to a sliding window or chunk", 0},
        {"hybrid_layer_pattern", "layers that attend to a sliding window or chunk", 0},
        {"swa_x", "layers that attend to a sliding window or chunk", 0},
        {"global_attn_every_n_layers", "layers that attend to a sliding window or chunk", 1},
        {"attention_types", "layers that attend to a sliding window or chunk", 0},
        {"local_attentionx", "layers that attend to a sliding window or chunk", 0},
        {"block_configs", "layers that differ in shape", 0},
        {"num_key_value_heads_per_layer", "layers that differ in shape", 0},
        {"num_query_heads", "layers that differ in shape", 0},
        {"ffn_multipliers", "layers that differ in shape", 0},
        {"layer_configs", "layers that differ in shape", 0},
        {"per_layer_config", "layers that differ in shape", 0},
        {"pruned_heads", "layers that differ in shape", 0},
        {"num_kv_shared_layers", "layers that share one KV cache", 0},
        {"use_cla", "layers that share one KV cache", 0},
        {"cla_share_factor", "layers that share one KV cache", 1},
        {"cross_attention_layers", "cross-attention", 0},
        {"add_cross_attention", "cross-attention", 0},
        {"is_encoder_decoder", "an encoder or encoder-decoder", 0},
        {"encoder_layers", "an encoder or encoder-decoder", 0},
        {"type_vocab_size", "an encoder or encoder-decoder", 0},
        {"parallel_attn", "attention and FFN side by side", 0},
        {"use_parallel_residual", "attention and FFN side by side", 0},
        {"n_inner", "an FFN without a gate", 0},
        {"alibi", "ALiBi biases on the scores", 0},
        {"use_alibi", "ALiBi biases on the scores", 0},
        {"attn_output_gate", "a gate on the attention output", 0},
        {"use_attention_gate", "a gate on the attention output", 0},
        {"hc_mult", "several residual streams (hyper-connections)", 1},
        {"hidden_size_per_layer_input", "embeddings of their own for every layer", 0},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const char *dot = strchr(t[i].key, '.');
        const int outer = dot ? (int)(dot - t[i].key) : 0;
        for (int more = 0; more < 3; more++) {
            char text[1024], value[16], words[256];
            rc_model m;
            rc_error err = {0};
            (void)snprintf(value, sizeof value, "%d", t[i].above + (more > 0 ? 1 : 0));
            (void)snprintf(text, sizeof text, DENSE "%.*s%s%s: %s%s}", outer, t[i].key,
                           dot ? ": {" : "", dot ? dot + 1 : t[i].key, more == 2 ? "true" : value,
                           dot ? "}" : "");
            (void)snprintf(words, sizeof words, "is not modelled: %s", t[i].words);
            rc_status st = model_text(text, &m, &err);
            if (st != (more > 0 ? RC_E_UNMODELLED : RC_OK) || (more > 0 && !strstr(err.msg, words)))
                fail_msg("%s of %s: %s", t[i].key, more == 2 ? "true" : value, err.msg);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ranges), cmocka_unit_test(test_signs),
                                       cmocka_unit_test(test_layers),
                                       cmocka_unit_test(test_left_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
