/* What a whole model holds and multiplies: sums over its layers, each by its form. The model must
 * have passed rc_layers_check.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_TOTALS_H
#define RC_SCHEDULE_TOTALS_H
#include "sim/model/model.h"
#include "sim/schedule/layout.h"

/* The kind that stands for the model in formulas made for models of one kind, such as the rules
 * that choose between pass-KV and pass-Q: of the kinds with attention the one that most layers are
 * of (of equals the first), or kind 0 where no layer has attention. */
const rc_layer_kind *rc_model_typical(const rc_model *m);

double rc_model_params(const rc_model *m);        /* W, embeddings included */
double rc_model_active_params(const rc_model *m); /* the same without experts that a token skips */
double rc_model_attn_params(const rc_model *m);   /* matrices of attention (QKV + O), all layers */
double rc_model_ffn_params(const rc_model *m); /* the other matrices (gate, up, down), all layers */
/* Bytes of K and V (or of latents) that a token leaves, all layers, all KV heads; keys of indexers are
 * left out. */
double rc_model_kv_bytes(const rc_model *m, rc_dtype kv);
/* The same on one GPU of a group of `tp`. */
double rc_model_kv_bytes_gpu(const rc_model *m, int tp, rc_dtype kv);
/* Of a long sequence on one GPU of a group of `tp`: bytes that each further token takes (kept.h), those
 * of windows that are full and of states, whatever the length; and of the former those of indexers. */
double rc_model_growth_gpu(const rc_model *m, int tp, rc_dtype kv);
double rc_model_fixed_gpu(const rc_model *m, int tp, rc_dtype kv);
double rc_model_index_bytes(const rc_model *m);
/* FLOPs of a prefill of T new tokens after P cached: GEMMs 2*T*(attn+ffn), without the LM head
 * (which sees one token a sequence); attention 2*N_H*(key + value head size)*score entries,
 * T*P + T*(T+1)/2 a layer, fewer where a layer has a window or selects keys, and scores of its
 * indexer; of experts those that a token goes to; latents in their materialised form, without what
 * makes keys and values of cached tokens again; no work on states. Whole model, all GPUs. */
double rc_model_gemm_flops(const rc_model *m, int64_t t);
double rc_model_attention_flops(const rc_model *m, int64_t t, int64_t p);
/* The attention of `entries` score entries in each layer that has attention. */
double rc_model_entry_flops(const rc_model *m, double entries);

/* Bytes of all weights on one GPU of a group of `tp`, scales and zero points included: embedding
 * and LM head are cut over the vocabulary, in bf16 but for an LM head that the checkpoint
 * quantises. Matrices are as the checkpoint has them where `attn` or `ffn` is the type that it
 * gives this part of a layer; else in that type, with its usual scales. */
double rc_model_weight_bytes_gpu(const rc_model *m, int tp, rc_dtype attn, rc_dtype ffn);
/* Of it the matrices of all layers whose projections are in [from, to). */
double rc_model_matrix_bytes_gpu(const rc_model *m, rc_proj from, rc_proj to, int tp, rc_dtype attn,
                                 rc_dtype ffn);
/* The same with the layout's types, and with its experts dealt to `ep` GPUs. */
double rc_model_weight_bytes_of(const rc_model *m, const rc_layout *cut);
/* The same on one GPU that holds the whole model. */
double rc_model_weight_bytes(const rc_model *m, rc_dtype attn, rc_dtype ffn);

#endif
