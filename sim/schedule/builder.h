/* Building blocks that the schedules share: emitting tasks, and the parts of a layer around
 * attention. Internal to the schedule room.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_BUILDER_H
#define RC_SCHEDULE_BUILDER_H
#include <assert.h>

#include "sim/schedule/absorbs.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/schedule.h"

#define RC_TASK_NONE UINT32_MAX

enum { RC_RANK_CLASSES = 16 };

/* Shapes of attention by the classes of the ranks that own its queries and its keys: ranks of one
 * class have chunks and cached tokens of the same sizes. */
typedef struct rc_pairs {
    const uint8_t *class_of; /* [ranks], in the program's scratch; NULL: too many classes */
    uint32_t decode;         /* the shape of the decode, which is that of every rank */
    bool apart; /* a schedule has chosen the calls of a rank by itself: pairs do not hold */
    uint32_t shape[3][RC_RANK_CLASSES][RC_RANK_CLASSES]; /* s < q, s == q, s > q */
} rc_pairs;

struct rc_builder {
    rc_program *p;
    const rc_request *rq;
    int n;                     /* CP ranks */
    uint32_t g;                /* simulated GPUs per rank */
    const rc_layer_kind *kind; /* of the layer that is emitted */
    const rc_layer_form *form; /* its form, and what attention sees of it: */
    int hq, hkv;               /* heads on one GPU; both 0: no attention */
    int key_size, value_size;  /* size of a head */
    bool latent;               /* it is attention on latents, */
    bool absorbed;             /* in which prompts absorb what makes keys and values */
    rc_heads one;              /* what attention of a decode step sees */
    int64_t window;            /* keys that a query sees at most; 0: all */
    size_t decodes;            /* sequences that decode */
    size_t prompts_end;        /* those from here on decode */
    bool cached;               /* some sequence that prefills has cached tokens */
    uint16_t layer, step;
    bool refill;                     /* the tasks are there: only their shapes are new */
    uint32_t at;                     /* the next task */
    uint32_t recent[RC_P_COUNT + 1]; /* the last shape of each part, then of launches */
    uint32_t *last; /* [gpus][RC_LANE_COUNT]: last task on each lane, or RC_TASK_NONE */
    uint32_t *mark; /* [gpus]: the message of this step, the end of an exchange, the collective */
    uint32_t *msg;  /* [gpus]: the message this GPU sent in the step before */
    uint32_t *att;  /* [gpus]: the attention this GPU ran in the step before */
    /* Of a template: */
    bool noting;              /* tasks are not emitted: only their shapes are noted, */
    uint32_t noted[4], notes; /* launches left out */
    size_t block;             /* the next one, on refilling */
    uint32_t own_at;          /* the first task of the GPU that rc_own_first or rc_own_next gave */
    rc_pairs pairs;
};

/* ---- emitting ---- */
rc_shape rc_shape_of(rc_task_kind kind, rc_part part);
uint32_t rc_emit(rc_builder *b, uint32_t gpu, rc_lane lane, const rc_shape *s);
/* Launches by the host, where it launches op by op, of the kernels that the next task of the GPU has
 * beside its last one. */
void rc_emit_launches(rc_builder *b, uint32_t gpu, int count);
void rc_emit_dep(rc_builder *b, uint32_t task, uint32_t before);
/* Adds a call to *s, whose calls are the last of the program; before *s is emitted. */
void rc_add_call(rc_builder *b, rc_shape *s, const rc_call *call);
uint32_t rc_emit_message(rc_builder *b, uint32_t gpu, uint32_t peer, rc_lane lane, rc_part part,
                         double bytes);
/* One fused attention launch over the calls of all sequences that prefill: queries of rank q over
 * keys of rank s; and a launch for those that decode. The last of the two. */
uint32_t rc_emit_attention(rc_builder *b, uint32_t gpu, int q, int s);
/* The same with calls of the schedule's own, and with as many heads as it leaves to one GPU.
 * `calls_of` writes those of one sequence to out; how many. */
enum { RC_CALLS = 4 };
typedef int (*rc_calls_fn)(const rc_builder *b, int rank, const rc_sequence *s,
                           rc_call out[RC_CALLS]);
uint32_t rc_emit_attention_of(rc_builder *b, uint32_t gpu, int hq, int hkv, rc_calls_fn calls_of);
/* Calls of a rank that holds all keys before the ends of its two chunks: those of one chunk over the
 * `cached` keys and the new ones before its end, 1 or 0, and those of both (an rc_calls_fn). */
int rc_chunk_call(const rc_builder *b, int chunk, const rc_sequence *s, int64_t cached,
                  rc_call *out);
int rc_both_chunks(const rc_builder *b, int rank, const rc_sequence *s, rc_call out[RC_CALLS]);
/* Split-KV attention of one step of a decode, over all sequences that decode. */
uint32_t rc_emit_decode(rc_builder *b, uint32_t gpu);
/* The same with as many heads and tokens as the schedule leaves to one GPU, over one of `shares`
 * that it cuts each context into. */
uint32_t rc_emit_decode_of(rc_builder *b, uint32_t gpu, int hq, int hkv, int64_t batch, int shares);
/* N ring steps. `attend` emits the attention of the GPU of rank `here` in the step in which it
 * holds what started on rank `from`; in every step but the last a message of the schedule goes
 * beside it to the next rank. */
typedef uint32_t (*rc_attend_fn)(rc_builder *b, uint32_t gpu, int here, int from);
void rc_emit_ring(rc_builder *b, rc_attend_fn attend);
/* The same in rings of every `stride`-th rank: steps as many as each has ranks, beside which no host
 * work is. */
void rc_emit_rings(rc_builder *b, int stride, rc_attend_fn attend);
/* One launch with so many heads: queries of part q over keys of part s of sequences that are cut over
 * `parts`, as over as many ranks. */
uint32_t rc_emit_attention_between(rc_builder *b, uint32_t gpu, int q, int s, int parts, int hq,
                                   int hkv);
/* N - 1 messages of the schedule from each GPU to the next rank, one after the other: then every
 * rank has what all ranks had. What is gathered is kept until the next gather begins. The last are
 * left in b->msg. */
void rc_emit_gather(rc_builder *b);
/* Host work that sizes messages, where the schedule has it then (rc_schedule.host): waits for all
 * the GPU's earlier compute and communication. */
void rc_emit_ring_step(rc_builder *b, uint32_t gpu, rc_host_sync when);

/* ---- latents, windows and selections (apart.c, latent.c) ---- */
int64_t rc_absorbed_tokens(const rc_builder *b,
                           int rank); /* of a rank, whose queries are absorbed */
/* Whether attention of the layer at hand is not the schedule's: it selects keys, or it has a window
 * and prompts are cut over ranks. rc_emit_apart emits it then. */
bool rc_attends_apart(const rc_builder *b);
void rc_emit_apart(rc_builder *b);
/* Of chosen latents that lie on `shares` GPUs: scores of all keys and the choice, which every GPU makes, and
 * attention of `heads` heads to the share of the chosen ones that this GPU has; of prompts, then of steps
 * that decode. */
void rc_emit_selected_share(rc_builder *b, uint32_t gpu, int heads, int shares);

/* ---- packed keys and messages (packed.c) ---- */
bool rc_packs(const rc_builder *b); /* messages of prompts between ranks are packed, */
bool rc_packs_keys(
    const rc_builder *b); /* which gains something for keys and values, for queries */
bool rc_packs_queries(const rc_builder *b);
/* Bytes of one token of a prompt on the way between ranks: of its keys and values, its queries, its
 * partial output without log-sum-exps. */
double rc_sent_kv_bytes(const rc_builder *b);
double rc_sent_q_bytes(const rc_builder *b);
double rc_sent_output_bytes(const rc_builder *b);
int64_t rc_kv_elements(const rc_builder *b); /* of the keys and values of one token on one GPU */
/* packing.c: a pass over tokens x elements that packs them into a type, on every GPU or on one; one that unpacks
 * them. */
void rc_emit_packing(rc_builder *b, rc_dtype to, int64_t tokens, int64_t elements);
void rc_emit_packed(rc_builder *b, uint32_t gpu, rc_dtype to, int64_t tokens, int64_t elements);
void rc_emit_unpacking(rc_builder *b, uint32_t gpu, rc_dtype from, int64_t tokens,
                       int64_t elements);
/* The launch of shape *s unpacks so many keys first, where they are kept packed; or keys or queries
 * that have been received, which the way may have packed as well. */
void rc_unpack_kept(const rc_builder *b, rc_shape *s, int64_t keys);
void rc_unpack_received(const rc_builder *b, rc_shape *s, int64_t keys, int64_t queries);

/* ---- collectives (group.c) ---- */
/* GPUs that communicate: `size` of them, `stride` apart, counted rank by rank. */
typedef struct rc_group {
    int size, stride;
} rc_group;
rc_group rc_group_tp(const rc_builder *b); /* the TP group of a rank */
/* The GPUs of a TP group that hold different tokens of the KV cache: neighbours. */
rc_group rc_group_dcp(const rc_builder *b);
/* The GPUs of one place in their TP groups, of all ranks. */
rc_group rc_group_cp(const rc_builder *b);
/* The same of the ranks of all groups of sequences (rc_layout.dp). */
rc_group rc_group_all_ranks(const rc_builder *b);
/* Nodes over which the group of GPU number `place` is spread. */
int rc_group_nodes(const rc_builder *b, rc_group g, int place);
/* Bytes of a collective that a GPU of `rank` joins, as calib/schema.h counts them; alike for all
 * members of a group. */
typedef double (*rc_bytes_fn)(const rc_builder *b, int rank);
/* One collective in every group like `g`. op: "all_reduce", "all_gather", "reduce_scatter" or
 * "all_to_all". It starts when all its members have come to it, and takes each the same time. On
 * lane COMM it waits for what its GPU computed before; what follows on COMPUTE must wait for
 * b->mark[gpu], which this call leaves. */
void rc_emit_collective(rc_builder *b, rc_group g, rc_lane lane, rc_part part, const char *op,
                        rc_bytes_fn bytes);
/* The same; of the bytes, `second` go to each peer as a message of their own. NULL: none. */
void rc_emit_collective_of_two(rc_builder *b, rc_group g, rc_lane lane, rc_part part,
                               const char *op, rc_bytes_fn bytes, rc_bytes_fn second);

/* Sizes of an op beside those that all tasks have (rc_shape). */
typedef struct rc_op_sizes {
    int64_t a, b, c, d;
    int key_size, value_size, experts, top_k;
    double element; /* rc_emit_expert_transfer: bytes */
} rc_op_sizes;
/* Tokens to their experts, or results back, in every group like `g`: at->a tokens of a GPU, at->b
 * elements each. On lane COMPUTE. */
void rc_emit_expert_transfer(rc_builder *b, rc_group g, const char *op, const rc_op_sizes *at);

/* ---- templates (template.c) ---- */
bool rc_template_begin(rc_builder *b); /* false when out of memory */
void rc_section_open(rc_builder *b);
void rc_section_close(rc_builder *b);
/* One block in place of the tasks that rc_emit_ring, rc_emit_gather or rc_emit_exchange emits. */
void rc_block_ring(rc_builder *b, double bytes, rc_attend_fn attend);
void rc_block_gather(rc_builder *b, double bytes);
void rc_block_exchange(rc_builder *b, double bytes_per_peer);
/* Finds the classes of the ranks; class_of: [ranks]. */
void rc_pair_classes(rc_builder *b, uint8_t *class_of);
/* A loop over GPUs whose tasks depend on the work of their rank alone, and on no other GPU:
 *     for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu))
 * When a template is refilled, ranks of one class take the shapes of the first of them. */
uint32_t rc_own_first(rc_builder *b);
uint32_t rc_own_next(rc_builder *b, uint32_t gpu);
/* Where the shape of the attention of queries of rank q over keys of rank s is kept, or
 * RC_TASK_NONE stands; NULL where it must be worked out. */
uint32_t *rc_pair_shape(rc_builder *b, int q, int s);
uint32_t rc_emit_port(rc_builder *b, uint32_t gpu, rc_lane lane, const rc_shape *s);
void rc_note_shape(rc_builder *b, uint32_t shape);
/* The number of a shape in the program. */
uint32_t rc_shape_number(rc_builder *b, const rc_shape *s);

/* ---- building (schedule.c) ---- */
/* rc_schedule_build without rc_schedule_check. */
rc_status rc_schedule_lay_out(const rc_request *rq, rc_program *out, rc_error *err);

/* ---- places (places.c) ---- */
int rc_rank_of(const rc_builder *b, uint32_t gpu);
uint32_t rc_next_gpu(const rc_builder *b, uint32_t gpu, int ranks_ahead); /* same TP index */
/* The node of GPU number `place`. Ranks share a node, or have nodes of their own. */
int rc_place_node(const rc_request *rq, int place);
int rc_node_of(const rc_builder *b, uint32_t gpu); /* the node of a simulated GPU */
/* Groups of `size` GPUs each that a node holds, of those that take part in the pass. */
int rc_groups_abreast(const rc_builder *b, int size);
bool rc_one_node(const rc_request *rq); /* all ranks share one */
static inline bool rc_decodes(const rc_builder *b, size_t seq) {
    assert(seq < b->rq->seq_count);
    return b->rq->phase == RC_DECODE || (b->rq->phase == RC_MIXED && b->rq->seqs[seq].t == 1);
}
bool rc_prefills(const rc_builder *b); /* some sequence does */

/* ---- a layer ---- */
int64_t rc_decode_tokens(const rc_builder *b);         /* of a rank: padded to a multiple of N */
int64_t rc_rank_tokens(const rc_builder *b, int rank); /* tokens of the linear parts */
int64_t rc_prompt_tokens(const rc_builder *b);         /* rc_step_tokens of those that prefill */
int64_t rc_step_tokens(const rc_builder *b);           /* sum of ceil(T/N): padded, one rank */
int64_t rc_kv_message_tokens(const rc_builder *b);     /* sum of max_i(P_i) + ceil(T/N) */
double rc_q_token_bytes(const rc_builder *b);          /* queries of one token on one GPU */
double rc_kv_token_bytes(const rc_builder *b);         /* K and V of one token on one GPU */
/* A product of m x k activations with n x k weights of type w. */
void rc_emit_gemm(rc_builder *b, uint32_t gpu, rc_part part, rc_dtype w, int64_t m, int64_t n,
                  int64_t k);
/* A pass over tokens x width elements. */
void rc_emit_elementwise(rc_builder *b, uint32_t gpu, rc_part part, const char *op, int64_t tokens,
                         int64_t width);
/* A kernel that reads `bytes` and writes as many: packs, reorders or scales what it reads. */
void rc_emit_copy(rc_builder *b, uint32_t gpu, rc_part part, double bytes);
/* Rotation of queries and keys of these heads, and values or latents to the cache. */
void rc_emit_rotary(rc_builder *b, uint32_t gpu, int64_t tokens, rc_heads h);
/* An op by its name in the table of costs; at->a at least 1. */
void rc_emit_op(rc_builder *b, uint32_t gpu, rc_part part, const char *op, rc_dtype d,
                const rc_op_sizes *at);
/* A norm of the residual stream before a product with weights of type `next`. */
void rc_emit_norm(rc_builder *b, uint32_t gpu, rc_dtype next, int64_t tokens);
/* What quantises the input of a product with weights in `next`, where that has a scale for each block: a kernel of
 * its own, for no other kernel that was measured does it. */
void rc_emit_blocks(rc_builder *b, uint32_t gpu, rc_part part, rc_dtype next, int64_t tokens,
                    int64_t width);
/* The op of a gated activation in front of a product with weights in `next`, which it quantises for. */
const char *rc_swiglu_for(rc_dtype next);
/* The same at the beginning of a layer. With rc_request.plain_first_norm that of the first layer is
 * one of half the width. */
void rc_emit_input_norm(rc_builder *b, uint32_t gpu, rc_dtype next, int64_t tokens);
/* One all-reduce of the residual stream in every rank's TP group; nothing where tp is 1. Groups of
 * different ranks are different rendezvous. */
void rc_emit_all_reduce(rc_builder *b);
/* On every GPU: O over `width` columns of one GPU, and an all-reduce. */
void rc_emit_out(rc_builder *b, int64_t width);
/* On every GPU: a norm and a gated FFN of `width` columns of all GPUs of a TP group together, and
 * an all-reduce. */
void rc_emit_ffn(rc_builder *b, int64_t width);
void rc_emit_head(rc_builder *b); /* final norm and LM head */
void rc_emit_merge(rc_builder *b, uint32_t gpu, int64_t tokens, int parts);
/* Return every foreign partial output and its LSE to its owner, with `tokens` query tokens a rank,
 * those of a step or those that decode; the merge that follows on COMPUTE waits for it. Where all
 * ranks share a node it is one all-to-all, else two, outputs then LSE. */
void rc_emit_all2all(rc_builder *b, int64_t tokens);
void rc_emit_return(rc_builder *b, int64_t tokens); /* these and the merge */

#endif
