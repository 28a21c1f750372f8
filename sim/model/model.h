/* Transformer shapes, from a Hugging Face config.json: what a layer multiplies, holds and moves.
 * Dense decoder models with MHA, GQA or MQA and a gated FFN. Anything else (MoE, MLA, SSM, encoder-
 * decoder, ungated FFN, interleaved attention patterns) is refused by name with RC_E_UNMODELLED.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_MODEL_MODEL_H
#define RC_MODEL_MODEL_H
#include <stdbool.h>
#include <stdint.h>
#include "sim/base/error.h"

typedef enum rc_dtype { RC_BF16, RC_FP8, RC_INT4, RC_FP32 } rc_dtype;
const char *rc_dtype_name(rc_dtype d); /* "bf16" ... */
double rc_dtype_bytes(rc_dtype d);     /* 2, 1, 0.5, 4 */

typedef struct rc_model {
    char name[96];         /* file stem, "llama-3.1-405b" */
    char architecture[96]; /* "LlamaForCausalLM" */
    int layers;
    int64_t hidden; /* D */
    int64_t ffn;    /* FFN inner width */
    int64_t vocab;
    int heads, kv_heads, head_dim; /* N_H, N_KV, D_H */
    bool tied_embeddings, attention_bias, qk_norm;
    bool output_bias; /* attention_bias reaches the O projection, too */
    int64_t max_positions;
    double rope_theta;
} rc_model;

/* Read and check a config.json. Missing keys get Hugging Face's own defaults only where
 * transformers defines one for that architecture (num_key_value_heads = num_attention_heads,
 * head_dim = hidden/heads, tie_word_embeddings); every other missing key is an error. */
rc_status rc_model_load(const char *path, rc_model *out, rc_error *err);
rc_status rc_model_parse(const char *name, const char *text, unsigned long size, rc_model *out,
                         rc_error *err);

double rc_model_params(const rc_model *m);      /* W, embeddings included */
double rc_model_attn_params(const rc_model *m); /* QKV + O, all layers */
double rc_model_ffn_params(const rc_model *m);  /* gate, up, down, all layers */
/* Bytes of K and V per token, all layers, all KV heads. */
double rc_model_kv_bytes(const rc_model *m, rc_dtype kv);
/* FLOPs of a prefill of T new tokens after P cached: GEMMs 2*T*(attn+ffn), without the LM head
 * (which sees one token a sequence); attention 4*N_H*D_H*score entries, T*P + T*(T+1)/2 a layer.
 * Whole model, all GPUs. */
double rc_model_gemm_flops(const rc_model *m, int64_t t);
double rc_model_attention_flops(const rc_model *m, int64_t t, int64_t p);

/* ---- memory of one GPU --------------------------------------------------------------- */
typedef struct rc_layout { /* how the model is cut */
    int tp, cp;            /* N_TP GPUs of a TP group (all its nodes), N ranks */
    rc_dtype attn_weights, ffn_weights, act, kv;
} rc_layout;

typedef struct rc_memory { /* bytes on the fullest GPU */
    double weights;        /* sharded over TP; embeddings too; norms replicated */
    double kv;             /* (P+T) rounded up over CP, max(1, N_KV/TP) heads */
    double activations;    /* the largest live set of one layer */
    double buffers;        /* ring: 2 message buffers; partial outputs and LSE */
    double reserve;        /* CUDA context, NCCL channels, graphs (fixed) */
    double total, capacity;
} rc_memory;
typedef enum rc_phase {
    RC_PREFILL,
    RC_DECODE, /* one new token a sequence */
    RC_MIXED   /* prefill chunks, and decode steps (every sequence with T = 1) beside them */
} rc_phase;
/* `tokens_new`, `tokens_cached` are sums over the batch. Message and partial-output buffers as the
 * schedule named by `variant` ("pass-kv", "pass-q", "all-gather-kv", "tp") needs them. */
rc_status rc_model_memory(const rc_model *m, const rc_layout *l, const char *variant,
                          int64_t tokens_new, int64_t tokens_cached, double capacity,
                          rc_memory *out, rc_error *err);
/* RC_E_NOFIT with the whole sum shown when total > capacity. */
rc_status rc_memory_check(const rc_memory *mem, const rc_model *m, const rc_layout *l,
                          rc_error *err);
/* tp must divide heads; kv_heads % tp == 0 or tp % kv_heads == 0; RC_E_INPUT names both. */
rc_status rc_layout_check(const rc_model *m, const rc_layout *l, rc_error *err);

#endif
