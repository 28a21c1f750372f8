/* Serving: a request trace played against a cluster, and what its users would feel.
 *
 * Requests arrive (open loop) or follow one another in sessions (closed loop), are routed to a
 * replica, wait, are admitted when their KV fits, are prefilled and decoded by iteration-level
 * continuous batching, and end exactly once: done, rejected or lost. Each iteration is one forward
 * pass of the model over the sequences it holds; how long it takes comes from a pass source
 * (sim/serve/passes.h): the forward room's simulation, or constants for tests of the queueing.
 *
 * A run is a pure function of the scenario, its seed and rate. It shares nothing with other runs,
 * so replications run on threads.
 *
 * Time is int64_t picoseconds, tokens are counts, sizes are bytes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SERVE_SERVE_H
#define RC_SERVE_SERVE_H
#include <stdbool.h>
#include <stdint.h>
#include "sim/base/doc.h"
#include "sim/base/error.h"
#include "sim/choose/pick.h"
#include "sim/cost/cost.h"
#include "sim/forward/speculate.h"
#include "sim/kv/kv.h"
#include "sim/machine/machine.h"
#include "sim/model/model.h"
#include "sim/schedule/pass_memory.h"
#include "sim/stat/stat.h"
#include "sim/timeline/span_file.h"
#include "sim/trace/trace.h"
#include "sim/trace/workload.h"

/* ---------------------------------------------------------------- scenario ---------------- */
enum {
    RC_SERVE_POOLS = 8,
    RC_SERVE_FAULTS = 64,
    RC_SERVE_STEPS = 16,
    RC_SERVE_STAGES = 64, /* of a replica */
    RC_SERVE_REPLICAS = 1024,
    RC_SERVE_OBJECTIVES = 8,
    RC_SERVE_GRAPHS = 64 /* sizes of CUDA graphs of decode */
};

typedef enum rc_pool_role { RC_POOL_MIXED, RC_POOL_PREFILL, RC_POOL_DECODE } rc_pool_role;
const char *rc_pool_role_name(rc_pool_role r);

typedef struct rc_pool {
    char name[32];
    rc_pool_role role;
    int replicas;
    int tp, cp; /* GPUs of a TP group; CP ranks; a replica has rc_pool_gpus */
    int dcp;    /* this and what follows: as rc_layout has them */
    int ulysses, ep, dp;
    rc_stages stages; /* of tp x cp GPUs each; 0 and 1: the replica is not cut so */
    bool ffn_over_cp;
    double expert_skew;
    rc_expert_way expert_transfer;
    rc_mla mla;
    rc_pick pick;    /* the schedule of a prefill */
    bool dynamic_cp; /* the fastest of 1, 2, 4, ... cp ranks for each prefill */
    double price;    /* per GPU-hour; 0: the scenario's */
} rc_pool;

typedef enum rc_sched {
    RC_SCHED_PREFILL_FIRST, /* passes of prompts, whole, before passes that decode */
    RC_SCHED_CHUNKED,       /* all that decode and pieces of prompts, within the budget */
    RC_SCHED_INFLIGHT /* the same with prompts whole, as TensorRT-LLM without chunked context */
} rc_sched;
typedef enum rc_admission {                  /* the KV that a request has when it is let in */
                            RC_ADMIT_PROMPT, /* of its prompt and one token */
                            RC_ADMIT_CHUNK,  /* of the piece that the pass computes (vLLM V1) */
                            RC_ADMIT_REPLY /* of its prompt and whole reply (TensorRT-LLM, GUARANTEED_NO_EVICT) */
} rc_admission;
typedef enum rc_preempt { RC_PREEMPT_RECOMPUTE, RC_PREEMPT_SWAP } rc_preempt;
typedef enum rc_routing {                       /* to which replica a request goes */
                          RC_ROUTE_LOAD,        /* with the fewest requests */
                          RC_ROUTE_PREFIX,      /* with the fewest tokens to compute before it */
                          RC_ROUTE_ROUND_ROBIN, /* one after the other */
                          RC_ROUTE_HASH /* that the hash of its session or its first block names */
} rc_routing;
typedef enum rc_pattern {                           /* which keys a query sees */
                          RC_PATTERN_FULL,          /* all before it */
                          RC_PATTERN_WINDOW,        /* the last `window` */
                          RC_PATTERN_WINDOW_GLOBAL, /* those and the first `global` */
                          RC_PATTERN_TOP_K          /* any `window` of them */
} rc_pattern;

typedef enum rc_serve_fault_kind {
    RC_NODE_LOST, /* the replica is away from `at` to `back` and forgets its KV */
    RC_SLOW_RANK, /* CP rank `rank` runs at `speed` */
    RC_SLOW_LINK  /* CP rank `rank` sends at `speed` of its rate */
} rc_serve_fault_kind;
typedef struct rc_serve_fault {
    rc_serve_fault_kind kind;
    int pool, replica, rank;
    rc_time at, back; /* RC_TIME_NEVER: not again */
    double speed;
} rc_serve_fault;

/* A limit, and the share of the requests it speaks of that must keep it: those with an input in
 * [from, to). TTIT is a request's mean gap between tokens, so that a request of one token has none
 * and no limit on TTIT speaks of it. A request that is rejected or lost keeps nothing. */
typedef struct rc_objective {
    bool ttit;           /* else TTFT */
    double limit, share; /* s; 0 < share <= 1 */
    int64_t from, to;    /* tokens; 0, INT64_MAX: all */
} rc_objective;

typedef struct rc_linear_costs { /* seconds; a pass costs the sum. For tests of the queueing. */
    bool on;
    double prefill, prefill_token, prefill_pair; /* a pass; a new token; a score entry */
    double decode, decode_sequence, decode_key;  /* a pass; a sequence; a cached token */
    double draft;                                /* all drafts of a pass that decodes */
} rc_linear_costs;

typedef struct rc_serve {
    char name[96], description[256];
    rc_model model;
    rc_machine machine;
    rc_layout layout; /* dtypes, of the KV cache too; tp and cp are the pools' */
    rc_pool pools[RC_SERVE_POOLS];
    int pool_count;
    /* scheduler */
    rc_sched sched;
    int64_t budget;      /* tokens of a pass; 0: none (prefill-first) */
    int64_t max_batch;   /* requests that a replica works on at a time */
    int64_t fuse;        /* prefills of one pass, at most */
    int64_t max_waiting; /* of a replica; more are rejected; 0: no limit */
    rc_preempt preempt;
    rc_admission admission;
    /* A sequence decodes on the CP rank that keeps its next token, the position modulo the ranks; else sequences
     * are dealt out evenly. */
    bool decode_by_position;
    int64_t graphs[RC_SERVE_GRAPHS]; /* rising: a batch that decodes alone runs as the next size */
    int graph_count;                 /* 0: a graph of every size */
    bool overlap; /* the next pass is formed while one runs: a sequence that ends runs on in it */
    double step_host;          /* s of the host for a pass; beside it when they overlap */
    double step_host_sequence; /* s more for each sequence in it */
    rc_routing routing;
    /* KV cache */
    rc_kv_policy kv_policy;
    uint32_t kv_block;  /* tokens, for traces without blocks of their own */
    uint64_t kv_tokens; /* capacity of a replica; 0: from the memory model */
    bool kv_by_layer;   /* KV leaves a prefill pool layer by layer, while the pass goes on */
    bool kv_whole_hits; /* only whole blocks are found again */
    bool kv_of_free;    /* memory_fraction is of what weights, largest pass and runtime leave */
    double host_memory; /* bytes a GPU; 0: no second tier */
    double host_rate;   /* bytes/s a GPU, to and from host memory */
    /* arrivals */
    char trace[768]; /* path; "" for synthetic */
    rc_trace_options trace_options;
    rc_synthetic synthetic;
    double rate_scale;
    bool spread, shuffle;
    uint32_t together; /* blocks of the trace that are taken as one */
    bool resample; /* the trace is drawn anew by pieces of time, by the seed (rc_trace_resample) */
    uint64_t requests; /* cut or repeat the trace to so many; 0: as it is */
    int64_t clients;   /* in place of arrival times: each sends when it has its answer; 0: none */
    bool draw;         /* arrivals (sessions when closed loop) by `process` */
    bool shaped;       /* the process of new arrivals is stated, whether or not their rate is */
    rc_arrival_process process;
    /* what-ifs */
    rc_kept_history history;            /* share 1, without more: all of it */
    double step_tokens[RC_SERVE_STEPS]; /* cumulative probability of 1, 2, ... tokens a step */
    int step_kinds;                     /* 0: one token a step */
    double step_cost;                   /* time of such a step over a plain one */
    int drafts;         /* that a step verifies; 0: what a step takes and makes is stated */
    rc_drafter drafter; /* with drafts */
    rc_pattern pattern;
    int64_t window, global;
    rc_serve_fault faults[RC_SERVE_FAULTS];
    int fault_count;
    bool lose; /* requests on a lost node are lost, not tried again */
    /* ends */
    rc_objective objectives[RC_SERVE_OBJECTIVES];
    int objective_count;
    double price; /* per GPU-hour; 0: none */
    uint64_t seed;
    rc_linear_costs linear;
} rc_serve;

int rc_pool_gpus(const rc_pool *p);   /* of a replica, */
int rc_pool_groups(const rc_pool *p); /* which are so many groups with requests of their own, */
int rc_pool_stages(const rc_pool *p); /* and the layers of which are so many stages */
enum { RC_STAGES_TEXT = 24 };
const char *rc_pool_stages_text(const rc_pool *p, char buf[RC_STAGES_TEXT]); /* " x pp 4", "" */
/* How a pass of the pool is cut on `cp` of its ranks, and the scenario's dtypes. */
rc_layout rc_pool_layout(const rc_serve *s, const rc_pool *p, int cp);
/* The same of a pass by `schedule`. */
rc_layout rc_pool_cut(const rc_serve *s, const rc_pool *p, int cp, const rc_schedule *schedule);
/* Whether steps with the scenario's drafts are modelled for such a pool; says why not. */
rc_status rc_pool_takes_drafts(const rc_serve *s, const rc_pool *p, rc_error *err);
/* What a replica of the pool has left for KV beside weights, the activations and buffers of its
 * largest pass, and the runtime; `longest`: tokens of the longest prompt. */
rc_status rc_pool_room(const rc_serve *s, const rc_pool *p, int64_t longest, rc_memory *memory,
                       rc_kv_room *out, rc_error *err);

/* Read a scenario, its model and machine. `sets` as in sim/forward/scenario.h. The trace is read by
 * rc_serve_workload. Errors name file, line, column and key. Nothing is owned. */
rc_status rc_serve_load(const char *path, const char *const *sets, size_t set_count, rc_serve *out,
                        rc_error *err);
rc_status rc_serve_read(rc_doc *doc, const char *const *sets, size_t set_count, rc_serve *out,
                        rc_error *err);
/* Tokens of the largest pass that a replica of this role forms, prompts being of up to `longest`
 * tokens: what memory must be kept free for beside KV. */
int64_t rc_serve_largest(const rc_serve *s, rc_pool_role role, int64_t longest);
/* The requests of one run: the trace read (or made up), cut, scaled, given arrivals. `rate` > 0
 * replaces the rate of the process (sessions or requests per second). Caller frees with
 * rc_trace_free. */
rc_status rc_serve_workload(const rc_serve *s, uint64_t seed, double rate, rc_trace **out,
                            rc_error *err);

/* What the scenario's synthetic requests are made from. */
void rc_serve_made_up(const rc_serve *s, uint64_t seed, double rate, rc_synthetic *out);

/* ---------------------------------------------------------------- results ----------------- */
typedef enum rc_outcome { RC_PENDING, RC_DONE, RC_REJECTED, RC_LOST } rc_outcome;
const char *rc_outcome_name(rc_outcome o); /* "pending", "done", "rejected", "lost" */

/* Why a request was rejected: the queue of its replica was full (max_waiting), or no replica's KV
 * cache holds it even when empty. */
typedef enum rc_refusal { RC_NOT_REFUSED, RC_QUEUE_FULL, RC_TOO_LARGE } rc_refusal;
const char *rc_refusal_name(rc_refusal r); /* "", "queue_full", "too_large" */

typedef struct rc_served { /* one request, in the order of the trace; times in ps, -1: never */
    rc_time arrived, started, first, end;
    uint32_t input, output; /* tokens asked for */
    uint32_t cached;        /* P when first admitted */
    uint32_t generated;     /* tokens that reached the user */
    uint32_t session, turn;
    uint32_t replica; /* that ended it (decode), RC_NO_REPLICA */
    uint16_t preempted, retried;
    uint8_t outcome; /* rc_outcome */
    uint8_t refusal; /* rc_refusal, of one that was rejected */
} rc_served;
#define RC_NO_REPLICA UINT32_MAX

typedef struct rc_pool_result {
    char name[32];
    int replicas, gpus; /* gpus of all replicas */
    uint64_t kv_tokens; /* capacity of a replica */
    uint64_t prefill_passes, decode_passes, mixed_passes;
    uint64_t prefill_tokens, decode_tokens;
    int groups;          /* of a replica, with requests of their own */
    double busy_s, up_s; /* s in passes, s up: summed over groups */
    double work_s; /* s that its requests need at the least (sim/serve/pool_work.c); with `work` */
    double kv_held_s; /* blocks that requests held, over time: block * s */
    double kv_room_s; /* blocks that there were, likewise */
    double kv_peak;   /* largest share of its KV that requests of one group held as a pass began */
    double rests[RC_BASIS_COUNT];           /* GPU-seconds in passes, by what their costs rest on */
    double flops;                           /* of the model, all passes */
    double batch_mean;                      /* sequences that decode, over decode passes */
    uint64_t by_schedule[RC_SCHEDULES_MAX]; /* passes with prefill, in the order of the table */
    uint64_t smaller_cp;                    /* of them, on fewer ranks than there are */
} rc_pool_result;

typedef struct rc_pass_stats {
    uint64_t exact, reused, interpolated; /* passes: simulated, met before, between others */
    uint64_t simulated;                   /* by the source, nodes and checks of cells included */
    uint64_t cells;
} rc_pass_stats;

/* What the requests that an objective speaks of showed. */
typedef struct rc_objective_result {
    uint64_t asked, kept; /* requests: all of them; those that kept the limit */
    rc_hist served;       /* ps: TTFT or TTIT of those that are done */
} rc_objective_result;

/* Over time. */
typedef struct rc_serve_series {
    rc_timeline waiting, running, kv_used; /* requests, requests, share of blocks pinned */
    rc_timeline hit, input;                /* prompt tokens admitted so far: cached, all */
} rc_serve_series;

typedef struct rc_serve_result {
    uint64_t requests, done, rejected, lost;
    uint64_t admitted;              /* let in at least once */
    uint64_t queue_full, too_large; /* the rejected, by rc_refusal */
    uint64_t preempted, retried;
    rc_time makespan;                           /* first arrival to last end */
    rc_hist ttft, ttit, e2e;                    /* ps; TTIT: a request's mean gap between tokens */
    rc_hist gap;                                /* ps; between two tokens of a request */
    rc_hist queue, service;                     /* ps; arrival to start, start to end */
    rc_hist batch, pass_tokens;                 /* of passes: sequences, tokens */
    rc_hist input, output;                      /* tokens, done requests */
    uint64_t tokens_in, tokens_out;             /* of done requests */
    uint64_t kv_hit_tokens, kv_miss_tokens;     /* of first admissions */
    uint64_t recomputed_tokens, fetched_tokens; /* after preemption or loss; from host memory */
    uint64_t moved_tokens;                      /* between pools */
    rc_notes notes;                             /* about the model, its dtypes and its context */
    rc_objective_result objectives[RC_SERVE_OBJECTIVES];
    int objective_count;
    uint64_t within_slo; /* done, and within every limit that speaks of it */
    double goodput;      /* of those, per second of makespan */
    double mfu, tokens_per_gpu_s, cost_per_mtoken, gpu_hours, cost;
    double little_l, little_lw; /* mean in system; rate x mean sojourn */
    rc_pool_result pools[RC_SERVE_POOLS];
    int pool_count;
    rc_pass_stats passes;
    uint64_t events;
    double max_pass_error; /* with `compare`: |memoised / simulated - 1|, at most */
    /* With `until_missed`: an objective is sure to be missed, whatever is still to come, or a request was
     * rejected or lost. The run ended there, and nothing but counts up to then is set. */
    bool missed;
    double wall_s;
    uint64_t hash; /* sum over the requests of FNV-1a over number, outcome and times */
} rc_serve_result;

/* Simulated pass times that runs share (sim/serve/pass_store.h): of scenarios with one model, whose
 * machines of one name and numbers have one book of costs. A run with a store gives the same bytes
 * as one without. */
typedef struct rc_pass_store rc_pass_store;
rc_status rc_pass_store_create(rc_pass_store **out, rc_error *err);
void rc_pass_store_destroy(rc_pass_store *s); /* NULL is fine */

/* ---- passes that somebody else times ---- */
/* One sequence of a pass: t new tokens behind p that have their KV. */
typedef struct rc_played_sequence {
    uint64_t request; /* number in the trace */
    int64_t t, p;
    bool decodes; /* one token of a reply; else a prompt or a piece of one */
} rc_played_sequence;

typedef struct rc_played_pass {
    const rc_played_sequence *at; /* prompts first, then what decodes */
    size_t count;
    rc_time start;   /* of the run's clock */
    const rc_kv *kv; /* of the replica: rc_kv_has says which blocks may be forgotten */
    /* What its prompts, or its decode step, run by; NULL: what would be fastest, which a price would have to
     * say (variant oracle, dynamic_cp). */
    const rc_schedule *schedule;
    /* What the cost model says of it, where the player asks for that (rc_pass_player.modelled), else
     * 0: the time on the GPU, and the host's (scheduler.step) that comes on top. */
    rc_time model_gpu, model_host;
} rc_played_pass;

/* Asked for the time of each pass in place of the cost model: a real server launches the pass and
 * measures it, a replay reads what was measured. `release`: the request gave back its KV (it ended,
 * or was preempted); may be NULL. For one replica, without groups, speculation, faults or passes
 * formed ahead (rc_pass_player_takes). */
typedef struct rc_pass_player {
    void *ctx; /* borrowed */
    rc_status (*pass)(void *ctx, const rc_played_pass *pass, rc_time *took, rc_error *err);
    void (*release)(void *ctx, uint64_t request);
    bool modelled; /* passes come with the cost model's times, which takes time of its own */
} rc_pass_player;
/* RC_E_INPUT: the scenario needs more than a player is told. */
rc_status rc_pass_player_takes(const rc_serve *s, rc_error *err);

typedef struct rc_serve_options {
    const rc_costs *costs; /* of the scenario's machine; shared, not changed */
    uint64_t seed;
    bool exact;   /* every pass simulated, none interpolated */
    bool compare; /* every pass both ways; the run goes on with the memoised time */
    bool quiet;   /* no progress line */
    bool work;    /* what the requests need of each pool at the least, too */
    bool
        idle_left_out; /* GPUs never rest: passes follow each other as those of ringcast-calib serve do */
    bool until_missed;    /* of rc_serve_run: end as soon as rc_serve_result.missed is sure */
    rc_served *rows;      /* [requests], or NULL */
    int threads;          /* of rc_serve_stream; 0: one a core */
    rc_pass_store *store; /* or NULL */
    const rc_pass_player *player; /* times the passes (rc_serve_run alone), or NULL */
    rc_serve_series *series;      /* or NULL */
    rc_spans *spans;              /* gets the timeline of the run (serve_spans.c), or NULL */
} rc_serve_options;

/* Of `asked` requests, how many must keep the limit. */
uint64_t rc_objective_rank(const rc_objective *g, uint64_t asked);
/* Whether enough of the requests kept the limit; true where it speaks of none. */
bool rc_objective_met(const rc_objective *g, const rc_objective_result *r);
/* s: what the share of the requests keeps, at best; at most the limit when the objective is met and
 * more when it is not; INFINITY when too few were served, 0 where it speaks of none. */
double rc_objective_value(const rc_objective *g, const rc_objective_result *r);
/* "TTFT p95 <= 5 s, inputs of 1000 to 2000" */
enum { RC_OBJECTIVE_TEXT = 128 };
const char *rc_objective_text(const rc_objective *g, char buf[RC_OBJECTIVE_TEXT]);

/* Requests, tokens, passes, histograms and costs of `from` are added to `into`, whose pools are the
 * same; times, rates and the hash are left to the caller. */
void rc_serve_result_add(rc_serve_result *into, const rc_serve_result *from);

/* Of a pool, by its number, all shares of 1. NAN: it was never up, had no KV, or was not asked. */
double rc_pool_computes(const rc_serve_result *r, int pool); /* of its time: a pass runs */
double rc_pool_work(const rc_serve_result *r, int pool); /* of its time: its requests' least work */
double rc_pool_kv_mean(const rc_serve_result *r, int pool); /* of its KV, held by requests */
/* Requests per second of the whole run, alike in lengths, hits and routing, at which rc_pool_work
 * would be 1: the pool cannot take more. NAN as above; INFINITY when it had nothing to do. */
double rc_pool_most_load(const rc_serve_result *r, int pool);

/* Shares of the time that GPUs were busy by what its costs rest on, all pools. */
void rc_serve_rests(const rc_serve_result *r, double share[RC_BASIS_COUNT]);

/* Whether requests can be made while they are served: made up, of one turn each. */
bool rc_serve_streams(const rc_serve *s);
/* Play the requests of such a scenario (`rate` as in rc_serve_workload) in the memory of those in
 * the system. Replicas that are routed to in turn or by a hash, without faults or a series over time, are played
 * in parts, on threads: a part is RC_SERVE_PART of them with pass times of its own, so the result
 * is the same for any number of threads. */
enum { RC_SERVE_PART = 32 };
rc_status rc_serve_stream(const rc_serve *s, double rate, const rc_serve_options *o,
                          rc_serve_result *out, rc_error *err);
/* Play `trace`, which is not changed. */
rc_status rc_serve_run(const rc_serve *s, const rc_trace *trace, const rc_serve_options *o,
                       rc_serve_result *out, rc_error *err);

#endif
