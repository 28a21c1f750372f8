/* Transformer shapes, from a Hugging Face config.json: what a layer multiplies, holds and moves.
 * Dense decoder models with MHA, GQA or MQA and a gated FFN. Anything else (MoE, MLA, SSM, encoder-
 * decoder, ungated FFN, interleaved attention patterns) is refused with the reason
 * (RC_E_UNMODELLED).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_MODEL_MODEL_H
#define RC_MODEL_MODEL_H
#include <stdbool.h>
#include <stdint.h>
#include "sim/base/error.h"

/* How numbers are stored, and for weights also what multiplies them. Zero is bf16. */
typedef enum rc_dtype {
    RC_BF16,
    RC_FP8,       /* e4m3; weights with one scale a row or a tensor, activations in fp8 */
    RC_INT4,      /* weights alone; they are multiplied in bf16 */
    RC_FP32,      /* never of weights or activations */
    RC_FP8_BLOCK, /* fp8 weights and activations with a scale for each block */
    RC_INT8,      /* weights and activations in int8 */
    RC_W8A16,     /* 8-bit weights (int8 or fp8), multiplied in bf16 */
    RC_W4A8,      /* 4-bit weights, multiplied in fp8 */
    RC_MXFP4,     /* e2m1 in groups of 32, multiplied in bf16 */
    RC_NVFP4,     /* e2m1 in groups of 16, multiplied in bf16 */
    RC_DTYPES
} rc_dtype;
const char *rc_dtype_name(rc_dtype d); /* "bf16" ... */
double rc_dtype_bytes(rc_dtype d);     /* bytes an element, scales left out */
enum { RC_DTYPES_STATED = 9 };
/* The i-th of the RC_DTYPES_STATED types that a scenario may state: bf16, fp8 and int4, then, of
 * weights alone, fp8-block, int8, w8a16, w4a8, mxfp4 and nvfp4. */
rc_dtype rc_dtype_stated(int i);
rc_dtype rc_dtype_math(rc_dtype d); /* what weights of type d are multiplied in: bf16 or fp8 */

/* What a tile of a weight matrix carries beside its elements. A tile is rows x columns (outputs x
 * inputs); 0 stands for the whole extent. Zero of all members: nothing. */
typedef struct rc_scale {
    int64_t rows, columns;
    double bytes; /* scale and zero point of one tile */
} rc_scale;

/* The projections of a layer. */
typedef enum rc_proj { RC_Q, RC_K, RC_V, RC_O, RC_GATE, RC_UP, RC_DOWN, RC_PROJS } rc_proj;

/* What a checkpoint's quantization_config says. */
typedef struct rc_quant {
    char method[64]; /* "fp8", "awq" ...; "" for a checkpoint that is not quantised */
    struct {
        rc_dtype dtype; /* RC_BF16: left as it was */
        rc_scale scale;
        int layers; /* so many layers are quantised, the rest is bf16 */
    } proj[RC_PROJS];
    rc_dtype attn, ffn; /* the type of most of the weights of q, k, v, o and of gate, up, down */
    rc_dtype head;      /* of the LM head */
    rc_scale head_scale;
    rc_dtype kv; /* of the KV cache */
} rc_quant;

/* What a user should know about a file or an answer that is no error. */
enum { RC_NOTES = 12, RC_NOTE_TEXT = 320 };
typedef struct rc_notes {
    int count;
    char text[RC_NOTES][RC_NOTE_TEXT];
} rc_notes;
/* Notes beyond RC_NOTES are dropped. */
void rc_note(rc_notes *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

typedef enum rc_qk_norm {
    RC_QK_NORM_NONE,
    RC_QK_NORM_HEAD, /* one RMS norm of D_H weights for all heads of q, one for those of k */
    RC_QK_NORM_FULL  /* over all heads together: N_H x D_H and N_KV x D_H weights */
} rc_qk_norm;

typedef struct rc_model {
    char name[96];         /* file stem, "llama-3.1-405b" */
    char architecture[96]; /* "LlamaForCausalLM" */
    int layers;
    int64_t hidden; /* D */
    int64_t ffn;    /* FFN inner width */
    int64_t vocab;
    int heads, kv_heads, head_dim; /* N_H, N_KV, D_H */
    bool tied_embeddings;
    bool attention_bias; /* biases of q, k and v */
    bool output_bias;    /* a bias of o */
    bool ffn_bias;       /* biases of gate, up and down */
    rc_qk_norm qk_norm;
    int64_t max_positions; /* max_position_embeddings */
    int64_t context;       /* the longest sequence the model is meant for, RoPE scaling included */
    double rope_theta;
    rc_quant quant;
    rc_notes notes; /* about the file */
} rc_model;

/* Read and check a config.json and, where one lies beside it, modelopt's quantisation file
 * (STEM.hf_quant_config.json, else hf_quant_config.json). Of a multi-modal model the text decoder
 * is read. Missing keys get the transformers library's own defaults for the architecture; the shape
 * itself (hidden_size, num_hidden_layers ...) has defaults in a nested text_config alone, where the
 * library leaves out what equals its default. */
rc_status rc_model_load(const char *path, rc_model *out, rc_error *err);
/* The path of modelopt's file beside a configuration; false when there is none. */
bool rc_model_beside(const char *path, char *out, unsigned long size);
/* The same on text; `name` is used in errors and for the model's name. */
rc_status rc_model_parse(const char *name, const char *text, unsigned long size, rc_model *out,
                         rc_error *err);
/* The same with modelopt's file (NULL: none). */
rc_status rc_model_parse_quantised(const char *name, const char *text, unsigned long size,
                                   const char *quant_name, const char *quant,
                                   unsigned long quant_size, rc_model *out, rc_error *err);
/* The i-th architecture that is read; NULL beyond the last. */
const char *rc_model_architecture(int i);

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

/* Bytes of all weights on one GPU that holds the whole model, scales and zero points included. */
double rc_model_weight_bytes(const rc_model *m, rc_dtype attn, rc_dtype ffn);

/* ---- memory of one GPU --------------------------------------------------------------- */
typedef struct rc_layout { /* how the model is cut */
    int tp, cp;            /* N_TP GPUs of a TP group (all its nodes), N ranks */
    rc_dtype attn_weights, ffn_weights, act, kv;
} rc_layout;

/* The dtypes that the checkpoint states, bf16 where it states none; tp and cp are left alone. */
void rc_model_dtypes(const rc_model *m, rc_layout *l);
/* The notes of the file, and what `l` and the longest sequence (0: not known) give reason to say:
 * dtypes that disagree with the checkpoint's, types without measured rows, a sequence beyond the
 * context. */
void rc_model_notes(const rc_model *m, const rc_layout *l, int64_t longest, rc_notes *out);

typedef struct rc_memory {  /* bytes on the fullest GPU */
    double weights;         /* sharded over TP; embeddings too; norms replicated */
    double kv;              /* (P+T) rounded up over CP, max(1, N_KV/TP) heads */
    double activations;     /* the largest live set of one layer */
    double buffers;         /* of the schedule: messages, partial outputs */
    double runtime;         /* CUDA context, NCCL channels, workspaces, graphs (fixed) */
    double total, capacity; /* capacity: what these may take together */
} rc_memory;
/* What a GPU has left for KV beside everything else. */
typedef struct rc_kv_room {
    double bytes; /* below 0 when the rest does not fit */
    double token; /* bytes that one token of one sequence takes on a GPU that holds it */
} rc_kv_room;
typedef enum rc_phase {
    RC_PREFILL,
    RC_DECODE, /* one new token a sequence */
    RC_MIXED   /* prefill chunks, and decode steps (every sequence with T = 1) beside them */
} rc_phase;
/* Bytes that one token of one sequence takes on a GPU that holds it, all layers. */
double rc_model_kv_token(const rc_model *m, const rc_layout *l);
/* All but the buffers of a schedule, which are left at 0 (rc_pass_memory adds them). `tokens_new`,
 * `tokens_cached` are sums over the batch. */
rc_status rc_model_memory(const rc_model *m, const rc_layout *l, int64_t tokens_new,
                          int64_t tokens_cached, double capacity, rc_memory *out, rc_error *err);
/* RC_E_NOFIT with the whole sum shown when total > capacity. */
rc_status rc_memory_check(const rc_memory *mem, const rc_model *m, const rc_layout *l,
                          rc_error *err);
/* tp must divide heads; kv_heads % tp == 0 or tp % kv_heads == 0; RC_E_INPUT names both. */
rc_status rc_layout_check(const rc_model *m, const rc_layout *l, rc_error *err);

#endif
