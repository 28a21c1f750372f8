/* Transformer shapes, from a Hugging Face config.json: the numbers of every kind of layer that a
 * model has, and in which order its layers come.
 *
 * Layers of one kind are alike: they have the same form (what they compute: "dense" is attention
 * and a gated FFN one after the other) and the same numbers. The order is a list of runs; a run is
 * a pattern of kinds that is repeated. Three layers of kind 0 before fifty-eight of kind 1 are the
 * runs (0) x 3 and (1) x 58; five layers of kind 0 and one of kind 1 in turn are the one run
 * (0 0 0 0 0 1) x 10. What a layer of a form multiplies, holds and emits is said by its form
 * (sim/schedule/layer.h), what a whole model does by the sums over its kinds
 * (sim/schedule/totals.h).
 *
 * Read are decoder models whose layers mix tokens by attention with grouped queries (over all
 * earlier tokens or a window of them), by attention on latents (MLA, with a selection of keys or
 * without), or by a state (gated delta rule, Mamba 2), before a gated FFN, one without a gate, a
 * mixture of experts, or nothing. What an architecture computes otherwise is refused with the reason
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
    RC_INT4,      /* weights, and keys and values that are kept; multiplied in bf16 */
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
/* Bytes of an element of the KV cache with what scales it: int4 has a scale and a zero point of two
 * bytes each for 128 elements, those of one head of a token; bf16 and fp8 have none. */
double rc_kv_element(rc_dtype d);
/* Bytes of an element of activations that are packed for a message: 128 elements share a scale of
 * four bytes (fp8), or a scale and a zero point of two each (int4). */
double rc_packed_element(rc_dtype d);
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

/* The projections of a layer. Those before RC_GATE are stored in the type of attention, the others
 * in that of the FFN; the router in bf16. */
typedef enum rc_proj {
    RC_Q,
    RC_K,
    RC_V,
    RC_O,
    RC_Q_DOWN,   /* of latent attention: to the queries' latents */
    RC_KV_DOWN,  /* to the latents of keys and values, and the rotary key */
    RC_KV_UP,    /* from latents to keys and values of all heads */
    RC_INDEX,    /* of an indexer */
    RC_STATE_IN, /* of a mixer with a state: everything that is projected from its input */
    RC_STATE_OUT,
    RC_GATE,
    RC_UP,
    RC_DOWN,
    RC_ROUTER,
    RC_SHARED, /* of the shared experts: gate, up and down */
    RC_EXPERT, /* of the routed experts, likewise */
    RC_PROJS
} rc_proj;

/* What a checkpoint's quantization_config says of the whole model; how the weights of one kind of
 * layer are stored is said by rc_layer_kind.stored. */
typedef struct rc_quant {
    char method[64];    /* "fp8", "awq" ...; "" for a checkpoint that is not quantised */
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

/* How a layer mixes tokens, and what follows; a form reads what it has of them. */
typedef enum rc_mixer {
    RC_MIX_ATTENTION, /* grouped queries */
    RC_MIX_LATENT,    /* MLA */
    RC_MIX_STATE, /* a state: linear attention (gated delta rule, KDA), a state space (Mamba 2) */
    RC_MIX_NONE
} rc_mixer;
typedef enum rc_ffn {
    RC_FFN_GATED,
    RC_FFN_PLAIN, /* up and down alone */
    RC_FFN_EXPERTS,
    RC_FFN_NONE
} rc_ffn;

/* Latents of attention. The rotary part of a head is counted in head_dim. */
typedef struct rc_latent {
    int q_rank;           /* 0: queries have none */
    int kv_rank;          /* of keys and values; with `rope` the elements that a token leaves */
    int rope;             /* elements of a rotary key, which all heads share */
    int o_rank, o_groups; /* the output goes through so many groups of latents; 0: it does not */
} rc_latent;

/* A selection of keys: every query attends to `top_k` keys, of one for every `ratio` tokens, and to
 * a window besides where the kind has one. Of 0 heads and a top_k: what a layer before selected. Of
 * a ratio alone: all compressed keys. */
typedef struct rc_selection {
    int heads, dim; /* of the indexer */
    int top_k;
    int ratio; /* 0: no selection */
} rc_selection;

/* A state that each token updates, of heads x key_dim x value_dim fp32 numbers a sequence. */
typedef struct rc_state_dims {
    int heads;     /* of values */
    int key_heads; /* of keys (of a state space: groups) */
    int key_dim, value_dim;
    int conv;     /* taps of a convolution before; 0: none */
    int extra;    /* outputs of the input projection beside queries, keys, values and their gate */
    int low_rank; /* KDA: inner width of a product of two matrices that makes the decay; 0: none */
} rc_state_dims;

typedef struct rc_experts {
    int count; /* routed experts */
    int top_k; /* of a token */
    int64_t width;
    bool gated; /* gate, up and down; else up and down */
    bool bias;
    int64_t shared;   /* width of what every token passes beside them; 0: nothing */
    int64_t latent;   /* experts see tokens of this width; 0: the residual stream's */
    bool shared_gate; /* a number a token scales the shared part */
    bool router_bias;
} rc_experts;

/* One kind of layer: the numbers of every layer of this kind. */
typedef struct rc_layer_kind {
    char form[24];       /* what such a layer computes: a name of sim/schedule/layer_forms.c */
    int heads, kv_heads; /* N_H, N_KV; a form without attention does not look at them */
    int head_dim;        /* D_H of queries and keys */
    int value_dim;       /* D_H of values */
    int64_t ffn;         /* FFN inner width */
    rc_mixer mixer;
    rc_ffn after;         /* what follows the mixer */
    int64_t window;       /* last keys that a query sees at most; 0: all */
    int64_t global;       /* first keys that it sees besides, where it has a window */
    bool keeps_all;       /* keys that no query will see are kept all the same */
    bool sinks;           /* one learnt score a query head */
    bool output_gate;     /* queries come with a gate on the output of attention */
    bool values_are_keys; /* no projection of values */
    bool kept_once;       /* what a token leaves is its key and its value at once */
    rc_latent latent;
    rc_selection selection;
    rc_state_dims state;
    rc_experts experts;
    int more_norms;      /* norms of the residual stream's width beyond two; below 0: fewer */
    bool attention_bias; /* biases of q, k and v */
    bool output_bias;    /* a bias of o */
    bool ffn_bias;       /* biases of gate, up and down */
    rc_qk_norm qk_norm;
    struct {            /* how a quantised checkpoint stores the weights of this kind */
        rc_dtype dtype; /* RC_BF16: left as it was */
        rc_scale scale;
        int layers; /* so many layers of this kind are quantised, the others are bf16 */
    } stored[RC_PROJS];
} rc_layer_kind;

/* Attention heads on one GPU, and the elements of one: of queries and keys, of values and outputs.
 * Of 0 heads: no attention. */
typedef struct rc_heads {
    int query, kv;
    int key_size, value_size;
} rc_heads;

/* Limits of an order: kinds of a model, kinds of a pattern, runs of a model. */
enum { RC_KINDS = 8, RC_PATTERN = 16, RC_RUNS = 32 };

/* kind[0], kind[1] ... kind[length - 1], and all of that `times` times. */
typedef struct rc_layer_run {
    int length; /* layers of the pattern, 1 to RC_PATTERN */
    int times;  /* at least 1 */
    uint8_t kind[RC_PATTERN];
} rc_layer_run;

typedef struct rc_model {
    char name[96];         /* file stem, "llama-3.1-405b" */
    char architecture[96]; /* "LlamaForCausalLM" */
    int64_t hidden;        /* D */
    int64_t vocab;
    bool tied_embeddings;
    int64_t max_positions; /* max_position_embeddings */
    int64_t context;       /* the longest sequence the model is meant for, RoPE scaling included */
    double rope_theta;
    int streams; /* residual streams; 0 and 1: one */
    int nextn;   /* layers that predict further tokens, which nothing but speculation counts */
    int layers;  /* of all kinds together */
    int kinds;   /* at least 1 */
    rc_layer_kind kind[RC_KINDS];
    int runs; /* 0: every layer is of kind 0. Else the layers of all runs are `layers` together */
    rc_layer_run run[RC_RUNS];
    rc_quant quant;
    rc_notes notes;                       /* about the file */
    bool without_embedding, without_head; /* a stage of a pipeline (rc_model_stage) */
} rc_model;

/* Keys that a query sees at most where it has a window; 0: all. */
static inline int64_t rc_kind_seen(const rc_layer_kind *l) {
    return l->window > 0 ? l->window + l->global : 0;
}

/* ---- what-ifs on attention (fewer_keys.c) ---------------------------------------------- */

/* Fewer keys for every layer whose queries see all: a window and the first keys of the sequence, or
 * keys that an indexer chooses. */
typedef struct rc_fewer_keys {
    int64_t window, global;     /* 0: no window */
    int64_t top_k;              /* 0: no choice */
    int index_heads, index_dim; /* of what chooses; in fp8, whole on every GPU of a TP group */
    bool keeps_all;             /* of a window: the cache stays whole */
} rc_fewer_keys;
/* RC_E_INPUT where the model has no such layer. */
rc_status rc_model_see_fewer(rc_model *m, const rc_fewer_keys *how, rc_error *err);

/* Elements of projection p in all of a layer of this kind, whatever its form; 0: it has none. */
double rc_projection_elements(const rc_model *m, const rc_layer_kind *l, rc_proj p);

/* ---- the order of the layers --------------------------------------------------------- */

/* The runs of the model, at least one, and the i-th of them: what is to be used in place of
 * m->runs and m->run, which may be empty. */
int rc_model_runs(const rc_model *m);
rc_layer_run rc_model_run(const rc_model *m, int i);
/* The kind of layer `layer`, counted from 0; how many layers are of `kind`. */
int rc_model_kind_of(const rc_model *m, int layer);
int rc_model_layers_of(const rc_model *m, int kind);
/* Every layer is the same: one run of a pattern of one kind. */
bool rc_model_uniform(const rc_model *m);
/* Take the order from the kind of each layer: m->layers, m->runs and m->run, with patterns that
 * repeat found. False, and *m is left alone, where that takes more than RC_RUNS runs. */
bool rc_model_set_order(rc_model *m, const uint8_t *kind_of, int layers);
/* Stages of a pipeline, and which of them have one more of the layers that are left over when all have as
 * many: those before the last one, or the last ones. */
typedef enum rc_rest_layers { RC_REST_INNER, RC_REST_LAST } rc_rest_layers;
typedef struct rc_stages {
    int count;
    rc_rest_layers rest;
} rc_stages;
/* Layers of stage `stage`, counted from 0; the first of them in *first. And the stage as a model of its own.
 * RC_E_INPUT with fewer layers than stages. */
int rc_model_stage_layers(const rc_model *m, const rc_stages *of, int stage, int *first);
rc_status rc_model_stage(const rc_model *m, const rc_stages *of, int stage, rc_model *out,
                         rc_error *err);
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

#endif
