/* How a model is cut over GPUs, and in which types it is stored.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_LAYOUT_H
#define RC_SCHEDULE_LAYOUT_H
#include <stddef.h>
#include "sim/model/model.h"

/* The forms of attention on latents (mixer_latent.c). */
typedef enum rc_mla {
    RC_MLA_LEAST_WORK, /* for each layer and pass the one with fewer FLOPs */
    RC_MLA_MATERIALISED,
    RC_MLA_ABSORBED
} rc_mla;

/* How tokens come to experts that are dealt to more GPUs than a TP group has (ffn_experts.c). */
typedef enum rc_expert_way {
    RC_EXPERTS_ALL_TO_ALL, /* each to the GPUs of its experts (dispatch, combine) */
    RC_EXPERTS_GATHER      /* all to all GPUs of the group (all-gather, reduce-scatter) */
} rc_expert_way;

typedef struct rc_layout {
    int tp, cp;  /* N_TP GPUs of a TP group (all its nodes), N ranks */
    int dcp;     /* GPUs of a TP group over which the tokens of the KV cache are cut (decode context
                   parallelism); 0 and 1: none */
    int ulysses; /* neighbouring ranks that swap tokens for heads, where others form rings (usp); 0
                    and 1: none */
    int dp; /* groups of tp x cp GPUs, each with sequences of its own, whose experts may lie over
                    the GPUs of all (attention data parallelism); 0 and 1: one */
    bool ffn_over_cp; /* the weights of the FFN are cut over all tp x cp x dp GPUs; else every rank
                         holds them all */
    rc_dtype attn_weights, ffn_weights, act, kv;
    rc_dtype ring_wire; /* what keys, values, queries and outputs of prompts are packed into for the
                           messages of a ring; bf16: they travel as they are */
    rc_dtype tp_wire;   /* the same of what a TP group reduces between nodes */
    int ep; /* GPUs, side by side, over which experts are dealt; 0 and 1: they are not */
    rc_expert_way expert_transfer;
    double expert_skew; /* how unevenly experts are chosen (routing.h); 0: evenly */
    bool zigzag; /* of layers that choose keys: a rank has two chunks of a prompt, as elsewhere;
                           else tokens in turn (round-robin) */
    rc_mla mla;  /* how prompts attend to latents; decode steps absorb them */
} rc_layout;

/* GPUs of a TP group among which a token's keys and values lie on one: at least 1, even where `dcp`
 * says nothing. And the degree by which the heads of the cache are cut: with d of them over the
 * tokens, the other tp / d. */
int rc_layout_dcp(const rc_layout *l);
int rc_layout_kv_tp(const rc_layout *l);
static inline int rc_layout_dp(const rc_layout *l) {
    return l->dp > 1 ? l->dp : 1;
}
/* GPUs over which the LM head is cut: those of a TP group, or of all groups where the FFN is. */
int rc_layout_head_ways(const rc_layout *l);
/* GPUs of all groups. */
int rc_layout_gpus(const rc_layout *l);
static inline int rc_layout_ep(const rc_layout *l) {
    return l->ep > 1 ? l->ep : 1;
}
/* Whether tokens are sent to the GPUs of their experts one by one. */
static inline bool rc_layout_dispatches(const rc_layout *l) {
    return rc_layout_ep(l) > l->tp && l->expert_transfer == RC_EXPERTS_ALL_TO_ALL;
}

/* The same of `ulysses`; and the ranks of one of its rings. */
int rc_layout_ulysses(const rc_layout *l);
int rc_layout_ring(const rc_layout *l);
/* What a layout has beside tp and cp, in words: ", dcp 2, EP8"; "" where it has nothing. Returns
 * buf. */
const char *rc_layout_more(const rc_layout *l, char *buf, size_t size);
/* The dtypes that the checkpoint states, bf16 where it states none; tp and cp are left alone. */
void rc_model_dtypes(const rc_model *m, rc_layout *l);
/* Whether the messages of a ring carry keys and values, or queries, in fewer bytes than there are. */
bool rc_layout_packs_keys(const rc_layout *l);
bool rc_layout_packs_queries(const rc_layout *l);
/* The type of queries: attention over keys in fp8 takes them in fp8, too. */
rc_dtype rc_layout_query_type(const rc_layout *l);
/* KV in bf16, fp8 or int4, and activations in bf16: RC_E_UNMODELLED names others. */
rc_status rc_layout_check_types(const rc_layout *l, rc_error *err);
/* The notes of the file, and what `l` and the longest sequence (0: not known) give reason to say:
 * dtypes that disagree with the checkpoint's, types without measured rows, a sequence beyond the
 * context. */
void rc_model_notes(const rc_model *m, const rc_layout *l, int64_t longest, rc_notes *out);

#endif
