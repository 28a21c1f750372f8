/* Reading a Hugging Face config.json.
 *
 * A publisher's file carries dozens of keys that say nothing about shape (token ids, dropout,
 * library versions), so unknown keys are passed over. What must never be passed over is a key that
 * changes what a layer computes: experts, latent KV, state spaces, sliding windows, another
 * activation. Those are looked for in every file, whatever architecture it names, and refused with
 * the reason.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/model/model.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

#include "sim/base/doc.h"
#include "sim/base/file.h"
#include "sim/base/quote.h"

/* An architecture we model and the defaults transformers gives it. */
typedef struct family {
    const char *name;
    bool kv_default;      /* num_key_value_heads may be missing: all query heads */
    int head_dim_default; /* 0: hidden / heads */
    bool bias_always;     /* biases on q, k and v whatever the file says */
    bool bias_key;        /* attention_bias is a key of this architecture: q, k, v and o */
    bool qk_norm;         /* RMS norms on the heads of q and k */
    int window_default;   /* sliding_window when missing; 0: none */
    bool window_switch;   /* sliding_window counts only when use_sliding_window is true */
} family;

static const family families[] = {
    {"LlamaForCausalLM", true, 0, false, true, false, 0, false},
    {"MistralForCausalLM", false, 0, false, false, false, 4096, false},
    {"Qwen2ForCausalLM", false, 0, true, false, false, 0, true},
    {"Qwen3ForCausalLM", false, 128, false, true, true, 0, true},
};
enum { FAMILIES = sizeof families / sizeof families[0] };

/* Architectures we know and do not model. */
static const struct {
    const char *name, *why;
} refused[] = {
    {"MixtralForCausalLM", "a mixture of experts: FFN work depends on routing"},
    {"Qwen2MoeForCausalLM", "a mixture of experts: FFN work depends on routing"},
    {"Qwen3MoeForCausalLM", "a mixture of experts: FFN work depends on routing"},
    {"Llama4ForConditionalGeneration", "a mixture of experts with interleaved chunked attention"},
    {"Llama4ForCausalLM", "a mixture of experts with interleaved chunked attention"},
    {"GptOssForCausalLM", "a mixture of experts with interleaved sliding-window attention"},
    {"DeepseekV2ForCausalLM", "multi-head latent attention (MLA) and a mixture of experts"},
    {"DeepseekV3ForCausalLM", "multi-head latent attention (MLA) and a mixture of experts"},
    {"DeepseekV32ForCausalLM", "multi-head latent attention (MLA) and a mixture of experts"},
    {"Gemma2ForCausalLM", "interleaved sliding-window attention"},
    {"Gemma3ForCausalLM", "interleaved sliding-window attention"},
    {"Gemma3ForConditionalGeneration", "interleaved sliding-window attention"},
    {"MambaForCausalLM", "a state-space model (SSM): it has no attention"},
    {"Mamba2ForCausalLM", "a state-space model (SSM): it has no attention"},
    {"JambaForCausalLM", "state-space (SSM) layers and a mixture of experts"},
    {"T5ForConditionalGeneration", "an encoder-decoder"},
    {"BartForConditionalGeneration", "an encoder-decoder"},
    {"GPT2LMHeadModel", "an ungated FFN"},
    {"GPTNeoXForCausalLM", "an ungated FFN"},
    {"OPTForCausalLM", "an ungated FFN"},
    {"BloomForCausalLM", "an ungated FFN"},
    {"FalconForCausalLM", "an ungated FFN"},
    {"PhiForCausalLM", "an ungated FFN"},
};
enum { REFUSED = sizeof refused / sizeof refused[0] };

/* A key present with a value other than null. */
static const rc_node *given(const rc_node *root, const char *key) {
    const rc_node *n = rc_node_get(root, key);
    return n != NULL && !rc_node_is_null(n) ? n : NULL;
}

static rc_status bool_or(const rc_node *root, const char *key, bool otherwise, bool *out,
                         rc_error *err) {
    *out = otherwise;
    return given(root, key) != NULL ? rc_doc_bool(root, key, out, err) : RC_OK;
}

static rc_status int_or(const rc_node *root, const char *key, int64_t lo, int64_t hi,
                        int64_t otherwise, int64_t *out, rc_error *err) {
    *out = otherwise;
    return given(root, key) != NULL ? rc_doc_int(root, key, lo, hi, out, err) : RC_OK;
}

static rc_status unknown_architecture(const rc_node *at, const char *word, rc_error *err) {
    const char *names[FAMILIES + 1] = {NULL};
    for (int i = 0; i < FAMILIES; i++)
        names[i] = families[i].name;
    const char *near = rc_nearest(word, names);
    if (near != NULL)
        return rc_node_fail(at, err, RC_E_UNMODELLED,
                            "architecture '%s' is not modelled; did you mean '%s'?", word, near);
    return rc_node_fail(at, err, RC_E_UNMODELLED,
                        "architecture '%s' is not modelled; modelled are %s, %s, %s and %s", word,
                        names[0], names[1], names[2], names[3]);
}

static rc_status find_family(const rc_node *root, rc_model *m, const family **out, rc_error *err) {
    const rc_node *list = NULL;
    RC_TRY(rc_doc_list(root, "architectures", &list, err));
    if (rc_node_count(list) != 1)
        return rc_node_fail(list, err, RC_E_INPUT,
                            "key 'architectures' lists %zu names; expected one",
                            rc_node_count(list));
    const rc_node *at = rc_node_at(list, 0);
    const char *word = rc_node_text(at);
    (void)snprintf(m->architecture, sizeof m->architecture, "%s", word);
    for (int i = 0; i < FAMILIES; i++) {
        if (strcmp(word, families[i].name) == 0) {
            *out = &families[i];
            return RC_OK;
        }
    }
    for (int i = 0; i < REFUSED; i++) {
        if (strcmp(word, refused[i].name) == 0)
            return rc_node_fail(at, err, RC_E_UNMODELLED, "architecture '%s' is not modelled: %s",
                                word, refused[i].why);
    }
    return unknown_architecture(at, word, err);
}

/* Keys that change what a layer computes, whatever the architecture is called. */
static rc_status refuse_keys(const rc_node *root, const char *architecture, rc_error *err) {
    static const struct {
        const char *key, *why;
        bool flag; /* refused when true, else when anything but null and 0 */
    } keys[] = {
        {"num_local_experts", "a mixture of experts", false},
        {"num_experts", "a mixture of experts", false},
        {"n_routed_experts", "a mixture of experts", false},
        {"kv_lora_rank", "multi-head latent attention (MLA)", false},
        {"state_size", "state-space (SSM) layers", false},
        {"ssm_cfg", "state-space (SSM) layers", false},
        {"is_encoder_decoder", "an encoder-decoder", true},
        {"dual_chunk_attention_config", "dual-chunk attention", false},
        {"mlp_bias", "biases in the FFN", true},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const rc_node *n = given(root, keys[i].key);
        if (n == NULL)
            continue;
        bool on = true;
        if (keys[i].flag)
            RC_TRY(rc_doc_bool(root, keys[i].key, &on, err));
        else if (rc_node_kind_of(n) == RC_NODE_SCALAR)
            on = strcmp(rc_node_text(n), "0") != 0;
        if (on)
            return rc_node_fail(n, err, RC_E_UNMODELLED, "%s with key '%s' is not modelled: %s",
                                architecture, keys[i].key, keys[i].why);
    }
    return RC_OK;
}

static rc_status check_activation(const rc_node *root, const char *architecture, rc_error *err) {
    const char *act = "";
    RC_TRY(rc_doc_string(root, "hidden_act", &act, err));
    if (strcmp(act, "silu") == 0)
        return RC_OK;
    return rc_node_fail(rc_node_get(root, "hidden_act"), err, RC_E_UNMODELLED,
                        "%s with hidden_act '%s' is not modelled: only 'silu' (gated, SwiGLU) is",
                        architecture, act);
}

/* Every layer must see all earlier tokens. */
static rc_status check_pattern(const rc_node *root, const family *f, rc_error *err) {
    const rc_node *types = given(root, "layer_types");
    for (size_t i = 0; types != NULL && i < rc_node_count(types); i++) {
        const rc_node *t = rc_node_at(types, i);
        if (t != NULL && strcmp(rc_node_text(t), "full_attention") != 0)
            return rc_node_fail(t, err, RC_E_UNMODELLED,
                                "%s with '%s' layers is not modelled: only full attention is",
                                f->name, rc_node_text(t));
    }
    bool on = !f->window_switch;
    if (f->window_switch)
        RC_TRY(bool_or(root, "use_sliding_window", false, &on, err));
    const rc_node *n = rc_node_get(root, "sliding_window");
    if (!on || (n == NULL && f->window_default == 0) || (n != NULL && rc_node_is_null(n)))
        return RC_OK;
    if (n == NULL)
        return rc_node_fail(root, err, RC_E_UNMODELLED,
                            "%s without key 'sliding_window' has a window of %d tokens, which is "
                            "not modelled; write null for full attention",
                            f->name, f->window_default);
    if (f->window_default == 0 && !f->window_switch)
        return RC_OK; /* this architecture does not read the key */
    return rc_node_fail(n, err, RC_E_UNMODELLED,
                        "%s with a sliding window of %s tokens is not modelled: only full "
                        "attention is",
                        f->name, rc_node_text(n));
}

static rc_status read_heads(const rc_node *root, const family *f, rc_model *m, rc_error *err) {
    int64_t heads = 0, kv = 0, dim = 0;
    RC_TRY(rc_doc_int(root, "num_attention_heads", 1, 4096, &heads, err));
    const rc_node *n = rc_node_get(root, "num_key_value_heads");
    if (n == NULL && !f->kv_default)
        RC_TRY(rc_doc_int(root, "num_key_value_heads", 1, 4096, &kv, err));
    RC_TRY(int_or(root, "num_key_value_heads", 1, 4096, heads, &kv, err));
    if (heads % kv != 0)
        return rc_node_fail(n, err, RC_E_INPUT,
                            "key 'num_key_value_heads' is %lld, which does not divide the %lld "
                            "query heads ('num_attention_heads')",
                            (long long)kv, (long long)heads);
    int64_t otherwise = f->head_dim_default > 0 ? f->head_dim_default : m->hidden / heads;
    if (given(root, "head_dim") == NULL && f->head_dim_default == 0 && m->hidden % heads != 0)
        return rc_node_fail(rc_node_get(root, "num_attention_heads"), err, RC_E_INPUT,
                            "%lld heads do not divide 'hidden_size' (%lld); write 'head_dim'",
                            (long long)heads, (long long)m->hidden);
    RC_TRY(int_or(root, "head_dim", 1, 4096, otherwise, &dim, err));
    m->heads = (int)heads;
    m->kv_heads = (int)kv;
    m->head_dim = (int)dim;
    return RC_OK;
}

/* transformers 5 moved rope_theta into rope_parameters. */
static rc_status read_rope(const rc_node *root, rc_model *m, rc_error *err) {
    const rc_node *at = root;
    const rc_node *moved = given(root, "rope_parameters");
    if (rc_node_get(root, "rope_theta") == NULL && moved != NULL &&
        rc_node_kind_of(moved) == RC_NODE_MAP)
        at = moved;
    return rc_doc_quantity(at, "rope_theta", RC_DIM_COUNT, 1.0, 1e15, &m->rope_theta, err);
}

static rc_status read_config(const rc_node *root, rc_model *m, rc_error *err) {
    const family *f = NULL;
    int64_t layers = 0;
    RC_TRY(find_family(root, m, &f, err));
    RC_TRY(refuse_keys(root, f->name, err));
    RC_TRY(check_activation(root, f->name, err));
    RC_TRY(check_pattern(root, f, err));
    RC_TRY(rc_doc_int(root, "num_hidden_layers", 1, 10000, &layers, err));
    RC_TRY(rc_doc_int(root, "hidden_size", 1, 1 << 24, &m->hidden, err));
    RC_TRY(rc_doc_int(root, "intermediate_size", 1, 1 << 26, &m->ffn, err));
    RC_TRY(rc_doc_int(root, "vocab_size", 1, 1 << 26, &m->vocab, err));
    RC_TRY(
        rc_doc_int(root, "max_position_embeddings", 1, (int64_t)1 << 40, &m->max_positions, err));
    m->layers = (int)layers;
    RC_TRY(read_heads(root, f, m, err));
    RC_TRY(read_rope(root, m, err));
    RC_TRY(bool_or(root, "tie_word_embeddings", false, &m->tied_embeddings, err));
    m->qk_norm = f->qk_norm;
    m->attention_bias = f->bias_always;
    if (f->bias_key)
        RC_TRY(bool_or(root, "attention_bias", false, &m->attention_bias, err));
    m->output_bias = f->bias_key && m->attention_bias;
    return RC_OK;
}

/* "a/b/llama-3.1-8b.json" -> "llama-3.1-8b". */
/* The model's name: the file's, without its end. */
static rc_status stem(const char *path, char *out, size_t size, rc_error *err) {
    const char *slash = strrchr(path, '/');
    const char *from = slash != NULL ? slash + 1 : path;
    size_t n = strlen(from);
    if (n > 5 && strcmp(from + n - 5, ".json") == 0)
        n -= 5;
    if (n >= size)
        return rc_fail_at(err, RC_E_INPUT, path, 0, 0,
                          "the file's name, which names the model, is longer than %zu bytes",
                          size - 1);
    memcpy(out, from, n);
    out[n] = '\0';
    if (rc_text_has_control(out))
        return rc_fail_at(err, RC_E_INPUT, path, 0, 0,
                          "the file's name, which names the model, is not plain text");
    return RC_OK;
}

static rc_status finish(const char *name, rc_doc *doc, rc_model *out, rc_error *err) {
    rc_model m = {0};
    rc_status st = stem(name, m.name, sizeof m.name, err);
    if (st == RC_OK)
        st = read_config(rc_doc_root(doc), &m, err);
    rc_doc_close(doc);
    if (st == RC_OK)
        *out = m;
    return st;
}

rc_status rc_model_parse(const char *name, const char *text, unsigned long size, rc_model *out,
                         rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_parse(name, text, size, &doc, err));
    return finish(name, doc, out, err);
}

rc_status rc_model_load(const char *path, rc_model *out, rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_open(path, &doc, err));
    return finish(path, doc, out, err);
}
