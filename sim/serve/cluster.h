/* The state of a run. Internal to the serve room.
 *
 * Each struct below is written by one file, which its comment names; the other files read it and
 * ask for a change by calling a function of that file. Three things are written by several: `state`
 * of a job, its prompt (filled, goal), and its row of the answers (rc_served), as the request moves
 * from file to file.
 *
 * Who does what
 *   cluster_run.c   sets up, plays the events, takes down
 *   cluster_parts.c plays requests as they are made, replicas that know nothing of each other apart
 *   live_requests.c the requests in the system: a slot each, from arrival to end
 *   router.c        which replica a request goes to; arrivals, ends and the next turn of sessions
 *   replica.c       the loop of one replica: form a pass, time it, apply it
 *   pass_stages.c   when a pass is through the stages of a replica
 *   admit.c         from waiting to having its KV: prefill, transfer or swap-in
 *   decode_batch.c  the sequences that decode: growth, preemption, who is done
 *   decode_stride.c passes that only decode, several at once
 *   transfer.c      KV between pools and from host memory (fair_links.c shares the network)
 *   faults.c        nodes lost and back, slow ranks and links; what is due when
 *   layouts.c       the pass sources of a pool, and which of them a prefill takes
 *   pass_player.c   passes that somebody else times
 *   pool_work.c     what the requests need of a pool at the least
 *   metrics.c       what is counted as it happens, the sums at the end, the conservation laws
 *   serve_spans.c   the timeline of the run, where one is wanted
 *   job_lists.c     lists of jobs, heaps of steps
 *
 * Why a decode step costs O(1) and not O(batch): every running sequence gets one token a step. So a
 * sequence that joined at step k with n tokens to go ends at step k + n (a heap), and it is known
 * when it joins at which step it needs its next block (a ring of lists, one for each step modulo
 * the block).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SERVE_CLUSTER_H
#define RC_SERVE_CLUSTER_H
#include "sim/base/progress.h"
#include "sim/engine/engine.h"
#include "sim/forward/staged.h"
#include "sim/serve/passes.h"
#include "sim/serve/serve.h"

#define NONE UINT32_MAX
#define NO_NUMBER UINT64_MAX

/* A sum of times, exact in whatever order they come: ps in two 64-bit halves. */
typedef unsigned __int128 time_sum;

typedef enum job_state {
    JOB_AWAY,     /* not arrived, between turns, or between two files */
    JOB_HELD,     /* arrived, no replica up */
    JOB_WAITING,  /* in a replica's queue */
    JOB_FETCHING, /* admitted; KV on its way from host memory */
    JOB_ACTIVE,   /* admitted; prompt not wholly computed */
    JOB_MOVING,   /* admitted; KV on its way from the prefill pool, or swapped in */
    JOB_LATE,     /* KV has arrived; decodes from the next pass on */
    JOB_RUNNING,  /* decodes */
    JOB_ENDED
} job_state;

/* ---- one request; its answers are in rc_served ---- */

typedef struct job_link { /* job_lists.c: its place in a list of jobs */
    uint32_t next, prev;
} job_link;

typedef struct job_decode { /* decode_batch.c */
    uint64_t joined;        /* the batch's step at which it began to decode */
    uint32_t batch;         /* its microbatch, while it runs */
    uint32_t base;          /* tokens generated when it joined */
    uint32_t place;         /* in the batch's array of running jobs */
    uint32_t due;           /* its list in the ring of blocks due, NONE when in none */
    uint32_t due_next, due_prev;
} job_decode;

typedef struct job_kv { /* admit.c: where its KV is */
    uint32_t home;      /* replica */
    uint32_t source;    /* prefill replica that still holds its KV, or NONE */
    rc_kv_lease lease, source_lease;
    uint32_t tail; /* tokens of the last pass of its prompt, and how long that took */
    rc_time tail_took;
    uint32_t queued; /* prompt tokens counted in its replica's queue.tokens */
    rc_event event;  /* end of a transfer from host memory under way; 0: none */
    bool swapped;    /* preempted, with its KV in host memory */
} job_kv;

typedef struct job {
    uint64_t number; /* live_requests.c: of the request, in the order of the trace */
    job_link link;
    job_decode decode;
    job_kv kv;
    uint32_t filled, goal; /* prompt tokens with KV; needed before it decodes */
    uint32_t chunk;        /* replica.c: its tokens in passes being formed or under way, else 0 */
    rc_time last;          /* end of the last token's pass */
    bool admitted_once;    /* metrics.c */
    uint8_t state;         /* job_state */
} job;

typedef struct job_list { /* job_lists.c */
    uint32_t head, tail, count;
} job_list;

typedef struct heap_item { /* job_lists.c */
    uint64_t step;
    uint32_t job, number; /* of equal steps the lowest number is first */
} heap_item;

/* ---- one pool ---- */

typedef struct timed_stage { /* layouts.c: the passes of one stage */
    rc_linear_part linear;   /* the source where costs are stated; else */
    rc_pass_forward *source;
    rc_passes *passes; /* NULL, and no source, where */
    int alike;         /* an earlier stage takes as long; else the stage itself */
} timed_stage;

typedef struct layout { /* layouts.c: one way to run a prefill: ranks and schedule, and its memos */
    int cp;
    const rc_schedule *schedule;
    timed_stage *stage; /* [stages] */
    int stages;
} layout;

/* Layouts of a prefill: CP degrees 1, 2, 4, ... 1024 and one that is no power of two, each with at
 * most the schedules of a pick. */
enum { MAX_LAYOUTS = 32, MAX_CONDITIONS = 8 };
typedef struct condition { /* layouts.c: layouts under one what-if: none, or a slow rank or link */
    rc_what_if what_if;
    int stage; /* to which it happens */
    layout prefill[MAX_LAYOUTS];
    int count;
    layout decode;
} condition;

typedef struct pool_sums { /* metrics.c */
    rc_pool_result out;
    uint64_t batch; /* sequences that decode, over passes */
    double keys;    /* that they see, likewise */
} pool_sums;

typedef struct pool_kv { /* metrics.c */
    uint64_t held;       /* blocks that leases hold, of all replicas (sim/kv counts) */
    uint64_t counted;    /* of them, those since `at` */
    rc_time at;
    time_sum area; /* over time, block * ps */
} pool_kv;

/* Prompts alike in new and cached tokens. */
typedef struct prompt_class { /* pool_work.c */
    uint64_t count;
    double tokens, pairs; /* sums: new ones; queries and the keys that they see */
} prompt_class;

typedef struct pool_work { /* pool_work.c; NULL: not asked for */
    prompt_class *classes;
} pool_work;

/* What sequences that decode can have in common. */
typedef struct work_sharing { /* pool_work.c */
    uint64_t *blocks;         /* a bit a block of the trace: several sessions have it */
    double tokens, steps;     /* sums over requests: tokens of such blocks times steps; steps */
} work_sharing;

typedef struct pool { /* layouts.c, but for its sums */
    const rc_pool *spec;
    uint32_t first, count; /* replicas */
    condition conditions[MAX_CONDITIONS];
    int condition_count;
    int64_t largest;    /* tokens of a pass that memory has been kept free for */
    uint32_t capacity;  /* KV blocks of a replica */
    double token_bytes; /* of one token's KV, whole model */
    pool_sums sums;
    pool_kv kv;
    pool_work work;
} pool;

/* ---- one replica ---- */

typedef struct replica_health { /* faults.c */
    bool up;
    uint32_t down; /* faults that keep it down */
    int condition; /* index into the pool's */
    rc_time up_since, up_time;
} replica_health;

typedef struct admission { /* admit.c: requests here that do not decode yet */
    job_list waiting;      /* for KV */
    job_list active;       /* with KV; prompt not wholly computed */
    uint32_t in_flight;    /* fetching or moving here */
    uint32_t *late;        /* [max batch]: to decode when the pass under way has ended */
    uint32_t late_count;
    uint64_t tokens;   /* prompt tokens not yet computed, of all these */
    uint64_t releases; /* of KV so far: without one, what did not fit still does not */
    uint64_t refused_at;
    uint64_t refused; /* number of the job that did not fit then, NO_NUMBER */
} admission;

#define NOT_KNOWN INT64_MIN
typedef struct decode_batch { /* decode_batch.c: requests that decode together */
    uint32_t *running;        /* [max batch] */
    uint32_t count;
    uint64_t step;     /* decode passes so far */
    rc_time last_step; /* end of the last one */
    int64_t context;   /* sum over running of the keys that the next token sees, less one */
    uint32_t growing;  /* of them, how many grow by one a step */
    int64_t
        ahead; /* the most keys that one of them sees, in the mean over the ranks that they are dealt to, less
                      `step`: it stays as it is from step to step; NOT_KNOWN */
    heap_item *ends, *caps; /* [max batch]: when jobs end; when their context stops growing */
    uint32_t end_count, cap_count;
    uint32_t *due;   /* [block] heads: jobs that need a block at step % block */
    uint32_t *fresh; /* [max batch]: joined since the last decode pass */
    uint32_t fresh_count;
    uint32_t ended_count;  /* sequences that ended in the last pass and run on in the next one */
    int64_t ended_context; /* sum of the keys that they see there, less one */
} decode_batch;

/* power_limiter.c: of a replica's GPUs, all alike. */
typedef struct recent_power {
    double mean;   /* W, that the limiter has seen */
    rc_time until; /* then */
} recent_power;
typedef struct power_limiter {
    double window;      /* s; 0: each pass runs at the clock of its own mean */
    double idle, limit; /* W */
} power_limiter;

/* Passes of the running batch that follow the one under way and are known to follow: their times. */
enum { STRIDE_MOST = 16 };     /* passes, with the one under way */
typedef struct decode_stride { /* decode_stride.c */
    uint32_t count, done;      /* of `cost`: all; those of passes that have begun */
    rc_time at;                /* end of the pass under way */
    int64_t context;           /* of that pass */
    rc_pass_cost cost[STRIDE_MOST - 1];
    recent_power power[STRIDE_MOST - 1]; /* behind each of them */
} decode_stride;

typedef struct prompt_piece { /* of a prompt that a pass computes, or all of it */
    uint32_t job, tokens;
} prompt_piece;

typedef struct stage_span { /* when a pass is in a stage */
    rc_time start, end;
} stage_span;

/* Of groups in lockstep the first one has the event of the end. */
typedef struct running_pass { /* replica.c */
    bool busy;                /* a pass is under way; of all groups in lockstep or of none */
    bool decodes;             /* it decodes the batch */
    prompt_piece *prompts;    /* [fuse] */
    uint32_t prompt_count;
    rc_time start;
    rc_event end;     /* 0: none is under way */
    stage_span *span; /* [stages], pass_stages.c; NULL with one stage */
} running_pass;

/* What one pass of a replica at a time is made of. A replica of several stages has as many, each under way in
 * another stage; a sequence decodes in the one in which its prompt was done. */
typedef struct microbatch {
    struct replica *home; /* cluster_run.c */
    decode_batch batch;
    running_pass pass;
    decode_stride stride;
} microbatch;

typedef struct forming_pass { /* replica.c: of the pass that is being formed */
    bool gave_way; /* somebody was preempted for it: nobody new is let in; decode_batch.c */
    int64_t room;  /* tokens that it may still take of a prompt */
} forming_pass;

typedef struct replica_stages { /* pass_stages.c */
    rc_stage_clock *clock;      /* [stages] */
    rc_time *busy;              /* [stages]: of all passes that have ended */
    rc_time formed;             /* of several stages: the host has formed all earlier passes */
} replica_stages;

/* A replica, or one of its groups with requests and KV of their own (rc_pool.dp), which stand side by side
 * and whose passes begin and end together. */
typedef struct replica {
    uint32_t pool, index; /* in the pool; cluster_run.c */
    rc_kv *kv;            /* admit.c takes and gives back, decode_batch.c grows */
    replica_health health;
    admission queue;
    microbatch *mb;  /* [stages], of the cluster's; cluster_run.c */
    uint32_t stages; /* likewise */
    forming_pass forming;
    replica_stages stage;
    recent_power power;
    uint32_t load;     /* router.c: requests here and not ended */
    int layout;        /* layouts.c: of the last prefill, in the condition */
    rc_time host_free; /* transfer.c: the host link is busy until then */
} replica;

/* ---- the cluster ---- */

typedef struct network {      /* transfer.c */
    struct fair_links *links; /* of replica i: i out, replica_count + i in */
    rc_event event;           /* when the next flow ends */
} network;

typedef struct router_state {       /* router.c */
    uint32_t *entry, entry_count;   /* replicas that prefill */
    uint32_t *decode, decode_count; /* of decode pools; 0: mixed only */
    job_list held, held_decode;     /* no replica is up */
    uint64_t sent; /* of a closed loop of clients: the next request that one of them sends */
    uint64_t in_turn, first_turn; /* of a part of the replicas: all that take turns, those before */
    rc_time first_arrival;
} router_state;

typedef struct pass_scratch {      /* replica.c: of the pass being formed */
    rc_sequence *parts;            /* [groups][fuse] */
    int64_t *contexts;             /* [groups][max batch] */
    rc_pass *of_group;             /* [groups] */
    rc_time work[RC_SERVE_STAGES]; /* layouts.c: of the pass timed last, in each stage */
    rc_played_sequence *played;    /* [fuse + max batch]; NULL without a player */
} pass_scratch;

typedef struct run_load { /* cluster_run.c: what is known of the requests before they come */
    uint64_t requests;
    int64_t longest_input;    /* tokens of a prompt */
    int64_t longest;          /* tokens that the model sees: prompt, and reply but for its last */
    uint32_t block, sessions; /* of the trace */
} run_load;

typedef struct live_requests { /* live_requests.c */
    rc_trace trace;            /* at[slot]; spans of requests that come one by one: two a slot */
    const rc_trace *whole;     /* where they come from when that is in memory, or NULL */
    uint32_t room, used;       /* slots there are; those that have been in use */
    uint32_t free;             /* a list through job.link.next */
    uint64_t stated, ended;    /* requests that came at a stated time; those that have ended */
} live_requests;

enum { FAULT_TIMES = 2 * RC_SERVE_FAULTS };
typedef struct fault_time { /* faults.c */
    rc_time at;
    int fault;
    bool over;
} fault_time;

typedef struct run_counts { /* metrics.c */
    uint32_t in_system, waiting, running;
    time_sum area;    /* of in_system over time, request * ps */
    time_sum sojourn; /* of all requests, ps */
    rc_time area_at, last_end;
    uint64_t generated;            /* tokens that users got */
    uint64_t short_replies;        /* requests that are done, and not wholly */
    uint64_t emitted;              /* tokens that passes made */
    uint64_t in_strides;           /* ends of passes without an event of their own */
    uint64_t computed, hits;       /* prompt tokens: by passes, found in caches at admissions */
    uint64_t prompts, discarded;   /* of these, in prompts completed; given up half done */
    double capacity;               /* KV blocks of all replicas */
    double token_flops, key_flops; /* of the model: a token's products; a decoded token's key */
} run_counts;

typedef struct cluster {
    /* cluster_run.c: the inputs, and what is allocated before the first event */
    const rc_serve *spec;
    const rc_serve_options *options;
    run_load load;
    rc_eventq *q;
    rc_time now; /* of the last event, fault or arrival */
    /* live_requests.c: the requests in the system; a slot is an index into these three */
    const rc_trace *trace; /* live.trace */
    rc_served *rows;
    job *jobs;
    live_requests live;
    replica *replicas; /* [replica_count] */
    uint32_t replica_count;
    microbatch *mb; /* [mb_count], replica by replica */
    uint32_t mb_count;
    pool pools[RC_SERVE_POOLS];
    int pool_count;
    uint32_t block; /* tokens */
    /* cluster_run.c: the first failure in an event */
    rc_status status;
    rc_error *err;
    uint64_t may_miss[RC_SERVE_OBJECTIVES]; /* objectives.c, with `until_missed`: requests */
    router_state router;
    pass_scratch scratch;
    rc_rng rng; /* decode_batch.c: tokens a step */
    network net;
    int fault_condition[RC_SERVE_FAULTS]; /* faults.c, with those below: what is due, in order */
    fault_time fault_times[FAULT_TIMES];
    int fault_count, fault_next;
    run_counts counts;
    work_sharing sharing;
    power_limiter limiter;
    rc_serve_result *out;      /* metrics.c */
    struct serve_spans *spans; /* serve_spans.c; NULL: nobody wants a timeline */
} cluster;

/* ---- power_limiter.c ---- */
void limiter_create(cluster *c); /* with the replicas, none of which has done anything */
/* What a pass that begins now takes, for what ran before it; and `p` behind it. */
void limiter_pass(const cluster *c, rc_time now, recent_power *p, rc_pass_cost *cost);

/* ---- pass_player.c ---- */
/* The time of the pass that has just been formed, from options->player. */
rc_status player_time(cluster *c, microbatch *m, const rc_pass *formed, rc_time now, rc_time *took);
void player_release(const cluster *c, uint32_t j); /* nothing without a player */
rc_status player_check(const cluster *c, rc_error *err);

/* ---- cluster_run.c ---- */
/* Remember the first failure; the run stops. */
/* A run, taken apart: for one that is played in parts. `whole` is NULL when requests come one by
 * one, by cluster_arrival, in the order of their times; without it load.requests is what will have
 * come when cluster_drain is called. */
rc_status cluster_check_nodes(const rc_serve *s, rc_error *err); /* not more than there are */
rc_status cluster_open(cluster *c, const rc_trace *whole, rc_error *err);
void cluster_arrival(cluster *c, const rc_req *rq, const rc_span *spans, uint64_t number);
void cluster_drain(cluster *c, rc_progress *p);
void cluster_close(cluster *c);
void cluster_fail(cluster *c, rc_status st);
rc_event cluster_at(cluster *c, rc_time at, rc_event_fn fn, uint64_t arg);

/* ---- live_requests.c ---- */
rc_status requests_create(cluster *c, const rc_trace *whole, rc_error *err);
void requests_destroy(cluster *c);
/* A slot for a request that arrives, which may move all slots: whoever calls holds no pointer into
 * them. NONE, and the run has failed, when memory is out. */
uint32_t requests_take(cluster *c, const rc_req *rq, const rc_span *spans, uint64_t number);
/* The request has ended and its row is told; its slot holds still until the next one is taken. */
void requests_give(cluster *c, uint32_t j);

/* ---- job_lists.c ---- */
void list_init(job_list *l);
void list_push(cluster *c, job_list *l, uint32_t j);
void list_push_front(cluster *c, job_list *l, uint32_t j);
void list_remove(cluster *c, job_list *l, uint32_t j); /* it is in that list */
void heap_push(heap_item *h, uint32_t *count, heap_item item);
heap_item heap_pop(heap_item *h, uint32_t *count);         /* not of an empty heap */
void heap_drop(heap_item *h, uint32_t *count, uint32_t j); /* if it is there */

/* ---- router.c ---- */
/* Of round-robin and hash: the replica is this modulo how many there are. `spans`: of the trace. */
uint64_t router_turn(rc_routing routing, const rc_req *rq, const rc_span *spans, uint64_t number);
rc_status router_create(cluster *c, rc_error *err);
void router_destroy(cluster *c);
/* A request of no session that came before, or of whole->at. */
void router_arrive(cluster *c, const rc_req *rq, const rc_span *spans, uint64_t number,
                   rc_time now);
void route(cluster *c, uint32_t j, rc_time now);
void route_decode(cluster *c, uint32_t j, rc_time now);
void route_held(cluster *c, rc_time now);       /* a replica came up */
bool router_lose_held(cluster *c, rc_time now); /* none will come up; false: nobody is held */
void router_drop_held(cluster *c, uint32_t j);  /* prefilled, and no decode replica was up */
void router_leave(replica *r);                  /* a request is no longer counted there */
/* The request ends, once; its session's next turn is scheduled. KV is already released. */
void job_end(cluster *c, uint32_t j, rc_outcome outcome, rc_time now);

/* ---- replica.c ---- */
rc_status replica_create(cluster *c, replica *r, rc_error *err);
void replica_destroy(replica *r);
rc_status scratch_create(cluster *c, rc_error *err);
void scratch_destroy(cluster *c);
void replica_kick(cluster *c, replica *r, rc_time now); /* something may have become possible */
/* Goes before a change from outside: passes after the one under way are not settled any more. */
void replica_disturb(cluster *c, replica *r, rc_time now);
void replica_abort(cluster *c, replica *r, rc_time now); /* the pass under way, if there is one */
/* The groups that run in lockstep with r: how many, and the first. */
static inline uint32_t groups_of(const cluster *c, const replica *r) {
    return (uint32_t)rc_pool_groups(c->pools[r->pool].spec);
}
static inline replica *first_group(cluster *c, const replica *r) {
    const pool *p = &c->pools[r->pool];
    return &c->replicas[p->first + r->index / groups_of(c, r) * groups_of(c, r)];
}

/* ---- admit.c ---- */
rc_status admission_create(replica *r, size_t most, rc_error *err);
void admission_destroy(replica *r);
void enqueue(cluster *c, replica *r, uint32_t j, bool front); /* to its waiting list */
/* Admit waiting jobs that need no pass here: swapped, or prefilled elsewhere. */
void admit_ready(cluster *c, replica *r, rc_time now);
/* The next job with prompt to compute: active, or newly admitted; NONE. `after`: the one before. */
uint32_t admit_prompt(cluster *c, replica *r, uint32_t after, rc_time now);
/* KV has arrived (from host or another pool): go on. */
void admit_arrived(cluster *c, uint32_t j, rc_time now);
/* Tokens of the job's prompt are no longer to be computed here: `tokens` of those counted, at most.
 */
void admit_progress(cluster *c, uint32_t j, uint32_t tokens);
/* Its prompt is whole, or it is taken away: out of the active list. */
void admit_leave_active(cluster *c, uint32_t j);
/* The job is preempted: its KV goes, to host memory when `swap`, and its prompt has `goal` tokens
 * when it comes back. */
void admit_preempted(cluster *c, uint32_t j, bool swap, uint32_t goal, rc_time now);
/* Take a job that is not running from wherever it stands in its replica; its KV stays. */
void admit_withdraw(cluster *c, uint32_t j, rc_time now);
/* Its KV stays with the prefill replica until the decode replica has it. */
void admit_hand_over(cluster *c, uint32_t j);
/* Those whose KV arrived during the pass that has ended join the batch. */
void admit_join_late(cluster *c, microbatch *m);
void job_release(cluster *c, uint32_t j); /* all KV it holds anywhere */

/* ---- decode_batch.c ---- */
rc_status batch_create(cluster *c, decode_batch *b, size_t most, rc_error *err);
void batch_destroy(decode_batch *b);
void decode_grow(cluster *c, microbatch *m,
                 rc_time now); /* blocks for the next step; may preempt */
/* Blocks for `tokens` tokens of a job of the pass being formed; may preempt others that are not in
 * it. False: the job itself was preempted, or waits for those whose KV cannot be taken now. */
bool decode_make_room(cluster *c, microbatch *m, uint32_t j, uint64_t tokens, rc_time now);
void decode_join(cluster *c, microbatch *m, uint32_t j);
void decode_leave(cluster *c, uint32_t j); /* ended, preempted, lost */
void decode_runs_on(cluster *c, microbatch *m,
                    uint32_t j);                          /* it ended: once more under `overlap` */
void decode_step(cluster *c, microbatch *m, rc_time now); /* the pass has ended */
/* Fills what a pass says of the sequences that decode: number, keys, the longest, rows. */
void decode_pass(const cluster *c, microbatch *m, rc_pass *pass);
uint32_t replica_running(const replica *r); /* sequences that decode here */
uint32_t job_generated(const cluster *c, uint32_t j);
int64_t context_seen(const rc_serve *s, int64_t keys); /* under the attention pattern */

/* ---- decode_stride.c ---- */
/* When the last of the passes ends that are known now: `pass`, which has just been formed and ends at `end`,
 * and what is bound to follow it. */
rc_time stride_plan(cluster *c, microbatch *m, const rc_pass *pass, rc_time end);
void stride_end(cluster *c, microbatch *m); /* it has come: all of them but the last have ended */
/* Goes before whatever changes the replica from outside. `pass_ends`: the event of its pass. */
void stride_cut(cluster *c, microbatch *m, rc_time now, rc_event_fn pass_ends);

/* ---- pass_stages.c ---- */
rc_status stages_create(replica *r, rc_error *err);
void stages_destroy(replica *r);
/* The pass that has just been formed goes on its way, of several stages by c->scratch; when it is through. */
rc_time stages_enter(cluster *c, microbatch *m, const rc_pass *pass, const rc_pass_cost *cost,
                     rc_time now);
void stages_left(microbatch *m, rc_time now); /* it is through, or is given up */
void stages_reset(replica *r, rc_time now);   /* nothing is under way */
double stages_busy(const replica *r); /* s that passes were in the stage that had most of them */

/* ---- transfer.c ---- */
rc_status network_create(cluster *c, rc_error *err);
void network_destroy(cluster *c);
void transfer_begin(cluster *c, uint32_t j, uint32_t from, uint32_t to, uint64_t tokens,
                    rc_time now);
void transfer_drop(cluster *c, uint32_t j, rc_time now); /* if one is under way */
/* Tokens over the host link of a replica, one after the other; when they are through. */
rc_time host_transfer(cluster *c, replica *r, uint64_t tokens, rc_time now);
void host_reset(replica *r, rc_time now); /* what was under way is lost */

/* ---- faults.c ---- */
rc_status faults_begin(cluster *c, rc_error *err);
rc_time faults_next(const cluster *c); /* RC_TIME_NEVER: none is left */
void faults_fire(cluster *c);          /* the next one */

/* ---- layouts.c ---- */
rc_status pool_create(cluster *c, int index, uint32_t first, rc_error *err);
void pool_destroy(pool *p);
/* GPUs of a group that have as much KV as those of the stage that has most of it would need. */
double pool_kv_gpus(const cluster *c, const pool *p);
/* Ranks that sequences which decode are dealt to, each seeing its own in turn; 1: all see all. */
uint32_t pool_dealt(const cluster *c, const pool *p);
/* The condition of a what-if that happens to one stage, built on first use. */
rc_status pool_condition(cluster *c, pool *p, const rc_what_if *w, int stage, int *out,
                         rc_error *err);
/* Of pool_pass_time: what the host takes to form the pass, as the scenario states it. */
rc_time pool_host_time(const rc_serve *s, const rc_pass *pass);
/* As rc_played_pass.schedule. */
rc_status pool_pass_schedule(const cluster *c, const pool *p, const rc_pass *pass,
                             const rc_schedule **out, rc_error *err);
/* The sum over the stages, where there are several; c->scratch has the times of each. */
rc_status pool_pass_time(cluster *c, replica *r, const rc_pass *pass, rc_pass_cost *out,
                         rc_error *err);
/* What it takes from each stage to the next, but the last. */
rc_status pool_send_times(cluster *c, const pool *p, const rc_pass *pass, rc_time *send,
                          rc_error *err);
void pool_pass_stats(const pool *p, rc_pass_stats *sum);

/* ---- objectives.c ---- */
/* Counts a request that has ended. True: it is done and keeps every limit that speaks of it. */
bool objectives_count(const rc_serve *s, const rc_served *row, rc_serve_result *out);
/* How many of the requests of `t` may break each objective before it is missed. */
void objectives_allow(cluster *c, const rc_trace *t);
/* Whether an objective is missed by those that have ended, whatever the others do. */
bool objectives_missed(const cluster *c);

/* ---- pool_work.c ---- */
rc_status work_create(cluster *c, rc_error *err); /* nothing, when it was not asked for */
void work_destroy(cluster *c);
/* A request is let in for the first time, with so many tokens cached. */
void work_prompt(cluster *c, uint32_t j, uint32_t cached);
/* s that one group of the pool would take over what it was told, at the least. */
rc_status work_least(cluster *c, pool *p, double *seconds, rc_error *err);

/* ---- metrics.c ---- */
void metrics_init(cluster *c);
void metrics_system(cluster *c, int change, rc_time now); /* requests in the system */
void metrics_waiting(cluster *c, int change);
void metrics_running(cluster *c, int change);
void metrics_state(cluster *c, rc_time now); /* waiting, running, KV */
void metrics_admitted(cluster *c, uint32_t j, const rc_kv_match *m, rc_time now);
void metrics_first(cluster *c, uint32_t j, rc_time now);   /* token */
void metrics_gap(cluster *c, rc_time gap, uint64_t times); /* between tokens */
void metrics_emitted(cluster *c, uint64_t tokens);
void metrics_computed(cluster *c, uint64_t tokens);  /* of prompts */
void metrics_prompt(cluster *c, uint64_t tokens);    /* one is completed */
void metrics_discarded(cluster *c, uint64_t tokens); /* one is given up half done */
void metrics_moved(cluster *c, uint64_t tokens);     /* KV to another pool */
void metrics_preempted(cluster *c);
void metrics_retried(cluster *c);
void metrics_compared(cluster *c, rc_time memoised, rc_time simulated);
void metrics_pass(cluster *c, replica *r, const rc_pass *pass, const rc_pass_cost *cost);
/* The same for `n` passes of one batch that decodes, whose contexts grow by `growth` together. */
void metrics_decodes(cluster *c, replica *r, const rc_pass *first, int64_t growth,
                     const rc_pass_cost *cost, uint32_t n);
void metrics_end(cluster *c, uint32_t j);
rc_status metrics_finish(cluster *c, rc_error *err);

/* ---- serve_spans.c; without a timeline all of them do nothing ---- */
rc_status spans_create(cluster *c, rc_error *err);
void spans_destroy(cluster *c);
void spans_pass_begins(cluster *c, const microbatch *m, const rc_pass *pass,
                       const rc_pass_cost *cost, rc_time now);
void spans_pass_ends(cluster *c, const microbatch *m, rc_time now); /* or is given up */
void spans_counts(cluster *c, const replica *r, rc_time now); /* queue, batch and KV of a replica */
void spans_request(cluster *c, uint32_t j);                   /* which has ended */
void spans_move_begins(cluster *c, uint32_t j, uint32_t from, uint32_t to, double bytes,
                       rc_time now);
void spans_move_ends(cluster *c, uint32_t j, bool arrived, rc_time now);

static inline replica *home_of(cluster *c, uint32_t j) {
    return &c->replicas[c->jobs[j].kv.home];
}
static inline pool *pool_of(cluster *c, const replica *r) {
    return &c->pools[r->pool];
}

#endif
