/* Schedules: what a forward pass does, op by op, with no number of seconds in it.
 *
 * A schedule turns a request (model, layout, phase, sequences) into an rc_program: tasks on the
 * streams of the GPUs it simulates, the order among them, and what each one multiplies, reads or
 * sends. The forward room asks the cost room how long each distinct shape takes and lets the engine
 * say when.
 *
 * A task's size lives in a shape, and equal shapes are stored once: a 126-layer program over 32
 * GPUs has half a million tasks and about forty shapes, so costs are looked up forty times.
 *
 * Streams of a GPU: COMPUTE, COMM, HOST (in order each); messages of an all-to-all ride on none.
 * The host: in eager mode each GPU task is launched by a LAUNCH on its GPU's host stream, in issue
 * order, and starts no sooner than its launch ended; the host runs ahead until it synchronises.
 * Each ring step opens with a RING_STEP host task that waits for the GPU's earlier work (the
 * synchronisation), then works, then launches that step. In graph mode one launch, which is left
 * out, starts the whole pass and there are no host tasks; where ring steps synchronise all the same
 * (ring_host), the pass is cut into a graph for each step, and a RING_STEP is followed by the
 * LAUNCH of the next.
 *
 * A schedule is a value (rc_schedule below) in a file of its own; schedules.c lists them. Whoever
 * reads a name from a user finds the schedule once, there; everything after it holds the pointer
 * and asks the value, never the name.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_SCHEDULE_H
#define RC_SCHEDULE_SCHEDULE_H
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/base/error.h"
#include "sim/model/model.h"
#include "sim/schedule/layout.h"
#include "sim/schedule/shard.h"
#include "sim/schedule/template.h"

typedef enum rc_task_kind {
    RC_T_GEMM,        /* a=M b=N c=K, dtype                                                  */
    RC_T_ATTENTION,   /* calls[], hq, hkv, window, dtype: one fused launch over its calls. On
                         latents with op: mla_prefill, and a=keys b=N c=K of the product that makes
                         keys and values (0: they are there), or mla_absorbed               */
    RC_T_DECODE,      /* a=batch b=mean context c=longest, hq, hkv, dtype; op: mla_decode    */
    RC_T_MERGE,       /* a=rows b=parts                                                      */
    RC_T_ELEMENTWISE, /* op, a=tokens b=width (rotary_kv: hq, hkv, c=launches, 0: one) */
    RC_T_OP,   /* op, a, b, c, d as the op's rows have them in their columns (calib/schema.h),
                         key_size, value_size, experts, top_k, dtype                          */
    RC_T_COPY, /* a, b, c: bytes of pieces, each copied twice inside one GPU: of K, of V    */
    /* ep_dispatch, ep_combine: a=tokens b=width, experts, top_k, and bytes of one element */
    RC_T_COLLECTIVE, /* op, bytes, ranks, nodes, members: all members of task.group meet     */
    RC_T_MESSAGE,    /* bytes from this GPU to `peer`, in a ring of `ranks`; nodes: 1 inside a
                         node, 2 between two; a, b, c: bytes of the pieces that it is sent in, of K
                         and again of V (0, 0, 0: in one) */
    RC_T_MARK,       /* no time: begin and end of an all-to-all                             */
    RC_T_LAUNCH,     /* host: one kernel launch                                             */
    RC_T_RING_STEP,  /* host: work of one ring step; a = whether there are cached keys, 0 or 1 */
    RC_T_PORT        /* in a template: stands for a task of another section, or of a block */
} rc_task_kind;

typedef enum rc_part { /* what a task is for: the rows of a breakdown */
                       RC_P_NORM,
                       RC_P_QKV,
                       RC_P_ROTARY,
                       RC_P_ATTENTION,
                       RC_P_MERGE,
                       RC_P_OUT,
                       RC_P_ALL_REDUCE,
                       RC_P_GATE_UP,
                       RC_P_SWIGLU,
                       RC_P_DOWN,
                       RC_P_STATE,    /* of mixers with a state */
                       RC_P_INDEX,    /* selections of keys */
                       RC_P_EXPERTS,  /* routing and the routed experts */
                       RC_P_DISPATCH, /* tokens to their experts and back */
                       RC_P_QUANTISE, /* packing of messages, and unpacking that is not attention's */
                       RC_P_LM_HEAD,
                       RC_P_SENDRECV,
                       RC_P_ALL2ALL,
                       RC_P_ALL_GATHER,
                       RC_P_REDUCE_SCATTER,
                       RC_P_HOST,
                       RC_P_COUNT
} rc_part;
const char *rc_part_name(rc_part p);
bool rc_part_is_comm(rc_part p);

typedef enum rc_lane {
    RC_LANE_COMPUTE,
    RC_LANE_COMM,
    RC_LANE_HOST,
    RC_LANE_COUNT,
    RC_LANE_NONE
} rc_lane;

typedef struct rc_shape {
    rc_task_kind kind;
    rc_part part;
    rc_dtype dtype;
    const char *op;     /* static string; NULL when the kind has none */
    int64_t a, b, c, d; /* COLLECTIVE: a, of the bytes: those of a second message to each peer */
    int64_t window;     /* ATTENTION: keys that a query sees at most; 0: all */
    int experts, top_k;
    int hq, hkv;
    int key_size, value_size; /* ATTENTION, DECODE, MERGE, rotary_kv: size of a head */
    int ranks, nodes;         /* COLLECTIVE, MESSAGE: GPUs of the group; nodes */
    int members;              /* COLLECTIVE: simulated GPUs that meet */
    int abreast;              /* COLLECTIVE, MESSAGE: groups of the same node that do so at once */
    double bytes;
    int64_t unpack_fp8, unpack_int4; /* ATTENTION: elements of packed keys, values or queries that
                                        are unpacked for it first */
    bool stand_in; /* ATTENTION, DECODE: stands for sequences of other sizes, or for padding, by a
                      rule */
    uint32_t first_call, calls; /* into program->calls */
} rc_shape;

typedef struct rc_task {
    uint32_t shape;
    uint32_t gpu;   /* simulated GPU */
    uint32_t peer;  /* MESSAGE: the receiving GPU */
    uint32_t group; /* COLLECTIVE: rendezvous id */
    uint16_t layer; /* in a template its kind; what follows the layers: program->layers */
    uint16_t step;  /* ring step */
    uint8_t lane;
} rc_task;

typedef struct rc_dep {
    uint32_t task, before;
} rc_dep;

typedef struct rc_program {
    rc_task *tasks;
    size_t task_count, task_room;
    rc_dep *deps;
    size_t dep_count, dep_room;
    rc_shape *shapes;
    size_t shape_count, shape_room;
    rc_call *calls;
    size_t call_count, call_room;
    uint32_t *slots;
    size_t slot_count;      /* interning table */
    uint32_t *scratch;      /* of the builder */
    rc_template *layers_of; /* NULL in an ordinary program */
    uint32_t gpus;          /* simulated: cp x gpus_per_rank */
    uint32_t gpus_per_rank; /* 1 (TP group folded) or tp */
    uint32_t groups;
    int layers; /* emitted; those of the runs together, or one of each kind in a template */
    int runs;   /* 0 in a template */
    rc_layer_run run[RC_RUNS]; /* the kinds of the emitted layers (rc_model.kind) */
    bool failed;               /* out of memory while building */
} rc_program;

typedef struct rc_sequence {
    int64_t t, p;
} rc_sequence; /* decode: t = 1; in a mixed pass, those with t = 1 decode */

typedef enum rc_phase {
    RC_PREFILL,
    RC_DECODE, /* one new token a sequence */
    RC_MIXED   /* prefill chunks, and decode steps (every sequence with T = 1) beside them */
} rc_phase;

/* ---- schedules ------------------------------------------------------------------------------ */

typedef struct rc_builder rc_builder; /* builder.h */
typedef struct rc_request rc_request; /* below */

/* What the buffers of a schedule are reckoned from. One GPU and one layer: every layer uses the
 * buffers of the layer before it again. */
typedef struct rc_buffer_terms {
    int cp;               /* ranks; 1 only where dcp is more */
    int dcp;              /* GPUs of a TP group that hold different tokens of the cache */
    int ulysses;          /* ranks of a group */
    double fresh, cached; /* tokens of one rank, new and cached, rounded up over the ranks */
    double q_token;       /* bytes: the queries of one token */
    double kv_token;      /* bytes: keys and values of one token, */
    int kv_heads;         /* which are those of so many KV heads */
    double partial_token; /* bytes: one partial output of a token and its fp32 log-sum-exps */
} rc_buffer_terms;

/* Groups of GPUs: the ranks, and the GPUs of a rank; a part of either counts as it. */
enum { RC_OVER_CP = 1, RC_OVER_TP = 2 };

typedef enum rc_host_sync {
    RC_HOST_NEVER,    /* nothing: it runs ahead of the GPUs */
    RC_HOST_ONCE,     /* waits for them and prepares the messages once a layer */
    RC_HOST_EACH_STEP /* before every ring step */
} rc_host_sync;

/* Engines that ship a schedule. */
enum { RC_SHIPS_VLLM = 1, RC_SHIPS_SGLANG = 2 };

#define RC_PHASE_BIT(phase) (1U << (unsigned)(phase))

/* How the attention of a layer is spread over CP ranks, and all that the rest of the program has to
 * know of it. Compared by address. */
typedef struct rc_schedule {
    const char *name;    /* as scenarios have it: "pass-kv" */
    const char *summary; /* what travels and what stays, in one line */
    unsigned phases;     /* RC_PHASE_BIT of each phase that it can run */
    bool many_ranks;     /* takes more than one CP rank */
    unsigned groups;     /* RC_OVER_CP, RC_OVER_TP: over what its attention communicates */
    rc_host_sync host;   /* what the host does in a layer where it sizes messages */
    bool returns;        /* partial outputs go back to their owners behind the ring */
    bool packs;          /* its messages can be packed (rc_layout.ring_wire) */
    bool timed;          /* whole runs of it can be timed on GPUs (ringcast-calib, suite rings) */
    bool two_levels;     /* its ranks are groups of `ulysses` neighbours (rc_layout) */
    bool decodes_everywhere; /* every rank decodes all sequences, with a KV cache of its own */
    bool cached_apart;       /* cached tokens are attended to by tasks of their own */
    bool whole_queries;  /* a GPU projects the queries of all heads that it attends with, though its
                           TP group has them cut finer */
    bool ring_step_seen; /* times of this schedule are among those that the host work of a ring step
                            (ring_step of a machine) was inferred from */
    unsigned ships;      /* RC_SHIPS_... */
    const char
        *dcp_backend; /* what those engines call its way back (--dcp-comm-backend); NULL: they
                                do not cut the cache over a TP group by it */
    /* What it demands of a layout besides the number of ranks: RC_E_INPUT says what. NULL: nothing.
     * rc_schedule_fits asks it. */
    rc_status (*check)(const rc_model *m, const rc_layout *l, rc_error *err);
    /* Emits the attention of one layer, on every GPU. Also called for a few ranks that `check` has
     * not seen, to count tasks: what it emits may depend on the sizes, but not on whether they
     * divide. */
    void (*attention)(rc_builder *b);
    /* Bytes of one message to the next rank, in a ring or a gather. NULL: there are none. */
    double (*message)(const rc_builder *b);
    /* Sets a, b and c of the shape of such a message: the pieces that it is sent in. NULL: in one. */
    void (*pieces)(const rc_builder *b, rc_shape *s);
    /* Bytes kept on one GPU beside weights, KV and activations. NULL: none. Not asked for one
     * rank. */
    double (*buffers)(const rc_buffer_terms *t);
    /* Over how many of the ranks the KV of one sequence is cut, where a GPU has `kv_heads` KV heads
     * of a layer: the others hold the same again. NULL: over all of them. */
    int (*kv_ranks)(int kv_heads, const rc_layout *l);
} rc_schedule;

/* schedules.c. A pointer to a schedule is always one of the table's. */
enum { RC_SCHEDULES_MAX = 16 };
const rc_schedule *rc_schedule_at(int i); /* in the order of the table; NULL past its end */
const char *rc_schedule_name_at(int i);   /* likewise */
/* The i-th of those that prefill on several ranks; NULL past the last. */
const rc_schedule *rc_schedule_many_at(int i);
int rc_schedule_index(const rc_schedule *s); /* its place in the table */
/* NULL when there is none of this name. */
const rc_schedule *rc_schedule_named(const char *name);
/* RC_E_INPUT, with the names there are and the one that was meant, when there is none. */
rc_status rc_schedule_find(const char *name, const rc_schedule **out, rc_error *err);
/* Whether it can run this phase on `cp` ranks. */
bool rc_schedule_takes(const rc_schedule *s, rc_phase phase, int cp);
/* The schedule of a phase on `cp` ranks when nobody names one: on one rank the one that is for a
 * single rank, else the first of the table that can. */
const rc_schedule *rc_schedule_usual(rc_phase phase, int cp);
/* What decodes on `cp` ranks beside prompts that `s` prefills there: `s` itself where its cache lies
 * otherwise than evenly over the ranks, else the usual one. */
const rc_schedule *rc_schedule_decoding(const rc_schedule *s, int cp);
/* Of `cp` ranks, how many the sequences that decode are dealt to; 1: every rank has all of them. */
static inline int rc_schedule_dealt(const rc_schedule *s, int cp) {
    assert(s && cp >= 1);
    return s->decodes_everywhere ? 1 : cp;
}
/* What stands for `s` on `cp` ranks: itself, but on one rank the schedule for a single rank, unless it
 * cuts sequences over a TP group. */
const rc_schedule *rc_schedule_on(const rc_schedule *s, int cp);
/* Of the two schedules that gather for cached tokens of a striped cache, the one that sends less by
 * tpu-inference's static estimates for T new and P cached tokens: queries and outputs of all new ones,
 * or keys and values of all cached ones; both in bytes of one layer of the whole model. */
typedef struct rc_gathered {
    double queries, cached;
    const rc_schedule *picks;
} rc_gathered;
const rc_schedule *
rc_schedule_gather(bool queries); /* the one that gathers those, or what is cached */
rc_gathered rc_schedule_gathered(const rc_model *m, const rc_layout *l, double t, double p);
/* Over how many GPUs of a TP group of `tp` a sequence can be cut where GPUs that would hold the same
 * KV heads hold different tokens; 1 where none hold the same. */
int rc_schedule_most_dcp(const rc_model *m, int tp);
/* The layout that stands for `l` where a schedule is tried that nobody has asked for: as it is, but
 * for one of two levels with as many ranks in a group as its check allows, of at most `node` ranks
 * and less than all. False: there is none, or the schedule does not fit. */
bool rc_schedule_suit(const rc_schedule *s, const rc_model *m, int node, rc_layout *l);
/* Whether it can cut this model so: the layout is one (rc_layout_check), of one rank where it takes
 * but one, and what else it demands holds. RC_E_INPUT says what does not. */
rc_status rc_schedule_fits(const rc_schedule *s, const rc_model *m, const rc_layout *l,
                           rc_error *err);
/* "pass-kv, pass-q or tp": the names of those that can run all of `phases` (bits). Returns buf. */
const char *rc_schedule_list(unsigned phases, char *buf, size_t size);
/* The two that the rules of the paper (arXiv 2411.01783, Algorithms 1 and 5) choose between. */
extern const rc_schedule rc_schedule_pass_kv, rc_schedule_pass_q;

/* ---- programs ------------------------------------------------------------------------------- */

/* What the groups beside the busiest one are at in the same pass (rc_layout.dp). */
typedef struct rc_elsewhere {
    int64_t tokens;    /* new ones, those of steps that decode among them */
    int64_t sequences; /* each has a row of the LM head */
} rc_elsewhere;

struct rc_request {
    const rc_model *model;
    const rc_schedule *schedule;
    rc_layout layout;
    int nodes_per_rank; /* nodes that one TP group spans (tp / gpus_per_node, at least 1) */
    int ranks_per_node; /* CP ranks that share a node (gpus_per_node / tp); 0 and 1: none do */
    rc_phase phase;
    const rc_sequence *seqs; /* of the group that the others wait for */
    size_t seq_count;
    rc_elsewhere elsewhere;
    int repeats;      /* emit no run of layers with more repeats of its pattern than this; 0: all.
                         Of a model whose layers are all alike: the first so many layers */
    bool head;        /* emit final norm and LM head */
    bool unfold_tp;   /* every GPU of a TP group as events, else one stands for all */
    bool eager;       /* host launches; false: CUDA graph */
    bool ring_host;   /* ring steps synchronise the host */
    bool serial_ring; /* messages ride on the compute stream: nothing is overlapped */
    /* A ring's message waits for all attention of its step on the sender, of prompts and of decode, which leaves it
     * no SM; not where serial_ring. */
    bool messages_wait;
    bool stripes; /* in a ring a rank has every N-th token of a prompt; else two chunks (shard.h) */
    bool copies_pages;     /* keys and values that a ring sends are copied into one message first */
    bool rotary_by_chunk;  /* a rank has a launch for each of its two chunks of a prompt */
    double quantised_from; /* bytes of a rank's residual stream beyond which inputs of fp8 products
                              are normed in bf16 and quantised by a kernel of its own; 0: never,
                              below 0: always */
    bool plain_first_norm; /* the norm before the first layer adds nothing to the residual stream;
                              not in a template, whose layers of a kind are all alike */
    int verified;     /* a decode step makes so many tokens of every sequence at once: `seqs` has
                              it so many times; 0 and 1: one */
    bool stand_in;    /* `seqs` stand for sequences of other sizes, by a rule */
    bool as_template; /* a template (template.h) with one GPU a rank; `repeats` is not looked
                         at */
};

/* In a mixed pass the prefilled sequences travel as the schedule says and the decoded tokens as
 * queries; each ring step is one message, an attention launch and a decode launch. The caller frees
 * with rc_program_free. */
rc_status rc_schedule_build(const rc_request *rq, rc_program *out, rc_error *err);
/* Whether the schedule takes the phase and the sequences of the request, for a layout that it fits
 * (rc_schedule_fits). rc_schedule_build asks both first. */
rc_status rc_schedule_check(const rc_request *rq, rc_error *err);
/* What rc_schedule_build would lay out, known at once however large it is. */
typedef struct rc_program_size {
    int64_t tasks, deps;
    int64_t messages; /* of the tasks */
    int64_t loose;    /* tasks that ride on no stream */
} rc_program_size;
rc_status rc_schedule_size(const rc_request *rq, rc_program_size *out, rc_error *err);
/* Give `p`, built before for a request like `rq`, the sizes of the sequences of `rq`: the same
 * tasks in the same order, other shapes. Alike are requests of one rc_schedule_key. `rq` is one
 * that rc_schedule_build would take. Allocates nothing once the program's arrays have grown. */
rc_status rc_schedule_refill(const rc_request *rq, rc_program *p, rc_error *err);
/* Layers that a program of this request has. */
int rc_request_layers(const rc_request *rq);
/* What decides which tasks a program has. */
typedef struct rc_schedule_key {
    const rc_schedule *schedule;
    int tp, cp, dcp, ulysses, dp, nodes_per_rank, ranks_per_node;
    uint64_t order;         /* of which layers are emitted, and of their forms */
    bool prefills, decodes; /* there are such sequences */
    bool ffn_over_cp;
    bool keys_packed, queries_packed, tp_packed; /* for the way */
    bool zigzag;
    bool cached; /* and some that prefill behind cached tokens, where the schedule has
                               these apart */
    bool decode_phase, head, unfold_tp, eager, ring_host, serial_ring, messages_wait, as_template;
} rc_schedule_key;
rc_schedule_key rc_schedule_key_of(const rc_request *rq);
bool rc_schedule_key_equal(const rc_schedule_key *a, const rc_schedule_key *b);
void rc_program_free(rc_program *p);

/* What can be worked out by hand, summed over one GPU of CP rank `rank`. */
typedef struct rc_counts {
    double gemm_flops, attention_flops, sent_bytes, collective_bytes;
    int64_t entries; /* score entries per head */
    int messages, attention_launches, collectives;
} rc_counts;
rc_counts rc_program_counts(const rc_program *p, uint32_t gpu);
/* Adds what so many tasks of one shape come to. */
void rc_counts_add(const rc_program *p, uint32_t shape, double times, rc_counts *n);
/* Of a template: the counts of GPU 0 in one layer of a section, and the tasks of all GPUs that an
 * ordinary program would have there. */
rc_counts rc_template_counts(const rc_program *p, size_t section);
int64_t rc_template_tasks(const rc_program *p, size_t section);

#endif
