/* The state of a run. Internal to the serve room.
 *
 * Who does what
 *   cluster_run.c  sets up, plays the events, takes down, holds the conservation laws
 *   router.c     which replica a request goes to; arrivals and the next turn of sessions
 *   replica.c    the loop of one replica: form a pass, time it, apply it
 *   admit.c      from waiting to having its KV: prefill, transfer or swap-in
 *   decode_batch.c the sequences that decode: growth, preemption, who is done
 *   transfer.c   KV between pools and from host memory
 *   faults.c     nodes lost and back, slow ranks and links
 *   layouts.c    the pass sources of a pool, and which of them a prefill takes
 *   metrics.c    what is counted as it happens, and the sums at the end
 *
 * Why a decode step costs O(1) and not O(batch): every running sequence gets one token a step, so a
 * sequence that joined at step k with n tokens to go ends at step k + n (a heap), and needs its
 * next block at a step known when it joins (a ring of lists, one for each step modulo the block).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SERVE_CLUSTER_H
#define RC_SERVE_CLUSTER_H
#include "sim/engine/engine.h"
#include "sim/serve/passes.h"
#include "sim/serve/serve.h"

#define NONE UINT32_MAX

typedef enum job_state {
    JOB_AWAY,     /* not arrived, or between turns */
    JOB_HELD,     /* arrived, no replica up */
    JOB_WAITING,  /* in a replica's queue */
    JOB_FETCHING, /* admitted; KV on its way from host memory */
    JOB_ACTIVE,   /* admitted; prompt not wholly computed */
    JOB_MOVING,   /* admitted; KV on its way from the prefill pool */
    JOB_LATE,     /* KV has arrived; decodes from the next pass on */
    JOB_RUNNING,  /* decodes */
    JOB_ENDED
} job_state;

typedef struct job {       /* one request; its answers are in rc_served */
    rc_time last;          /* end of the last token's pass */
    uint64_t joined;       /* the replica's step at which it began to decode */
    uint32_t base;         /* tokens generated when it joined */
    uint32_t filled, goal; /* prompt tokens with KV; needed before it decodes */
    uint32_t home, source; /* replica; prefill replica that still holds its KV, or NONE */
    rc_kv_lease lease, source_lease;
    uint32_t next, prev;         /* in a list of jobs */
    uint32_t due_next, due_prev; /* in the ring of blocks due */
    uint32_t due;                /* its place there, NONE when in none */
    uint32_t place;              /* in the replica's running array */
    uint32_t chunk;              /* tokens in the pass under way */
    uint32_t queued;             /* prompt tokens counted in the replica's load */
    rc_event event;              /* fetch under way; 0 none */
    uint8_t state;
    bool swapped, admitted_once;
} job;

typedef struct job_list {
    uint32_t head, tail, count;
} job_list;

typedef struct heap_item {
    uint64_t step;
    uint32_t job;
} heap_item;

typedef struct layout { /* one way to run a prefill: ranks and variant, and its memo */
    int cp;
    const rc_schedule *schedule;
    rc_pass_forward *source;
    rc_passes *passes;
} layout;

enum { MAX_LAYOUTS = 16, MAX_CONDITIONS = 8 };
typedef struct condition { /* layouts under one what-if: none, or a slow rank or link */
    rc_what_if what_if;
    layout prefill[MAX_LAYOUTS];
    int count;
    layout decode;
} condition;

typedef struct replica {
    uint32_t pool, index; /* in the pool */
    bool up, busy;
    uint32_t down; /* faults that keep it down */
    rc_kv *kv;
    uint64_t releases; /* of KV so far: without one, what did not fit still does not */
    uint64_t refused_at;
    uint32_t refused; /* the job that did not fit then, NONE */
    int condition;    /* index into the pool's */
    int layout;       /* of the last prefill, in the condition */
    job_list waiting, active;
    uint32_t in_flight; /* fetching or moving here */
    uint32_t *running;  /* jobs that decode */
    uint32_t running_count;
    uint64_t step;          /* decode passes so far */
    int64_t context;        /* sum over running of the keys that the next token sees, less one */
    uint32_t growing;       /* of them, how many grow by one a step */
    heap_item *ends, *caps; /* when running jobs end; when their context stops growing */
    uint32_t end_count, cap_count;
    uint32_t *due;   /* [block] heads: jobs that need a block at step % block */
    uint32_t *fresh; /* joined since the last decode pass */
    uint32_t fresh_count;
    rc_time last_step; /* end of the last decode pass */
    uint32_t *late;    /* to join when the pass under way has ended */
    uint32_t late_count;
    uint32_t *chunk; /* jobs in the pass under way */
    uint32_t chunk_count;
    bool decodes; /* the pass under way decodes */
    rc_time pass_start;
    rc_event event;    /* its end */
    uint32_t load;     /* requests here and not ended */
    uint64_t queued;   /* prompt tokens not yet computed */
    rc_time host_free; /* host link busy until then */
    rc_time up_since, up_time, busy_time;
} replica;

typedef struct pool {
    const rc_pool *spec;
    uint32_t first, count; /* replicas */
    condition conditions[MAX_CONDITIONS];
    int condition_count;
    uint32_t capacity;  /* KV blocks of a replica */
    double token_bytes; /* of one token's KV, whole model */
    rc_pool_result out;
    uint64_t batch_sum;
} pool;

typedef struct flow { /* KV under way between two replicas */
    uint32_t job, from, to;
    double bytes, rate; /* bytes left */
    double cap;         /* bytes/s of this flow at most */
    rc_time starts;     /* when the latency has passed */
    bool open, stops;   /* used by the sharing */
} flow;

typedef struct network {
    flow *flows;
    uint32_t count, room;
    double *left;    /* [2 * replicas] bytes/s not given away, scratch */
    uint32_t *users; /* [2 * replicas] open flows, scratch */
    rc_time last;
    rc_event event;
} network;

typedef struct cluster {
    const rc_serve *spec;
    const rc_trace *trace;
    const rc_serve_options *options;
    rc_serve_result *out;
    rc_eventq *q;
    rc_served *rows;
    job *jobs;
    replica *replicas;
    uint32_t replica_count;
    pool pools[RC_SERVE_POOLS];
    int pool_count;
    uint32_t *entry, entry_count;   /* replicas that prefill */
    uint32_t *decode, decode_count; /* of decode pools; 0: mixed only */
    job_list held, held_decode;     /* no replica is up */
    network net;
    uint32_t block; /* tokens */
    uint32_t most_parts;
    rc_sequence *parts; /* of the pass being formed */
    int64_t *contexts;
    rc_rng rng; /* tokens a step */
    int fault_condition[RC_SERVE_FAULTS];
    uint32_t ended;
    uint32_t in_system, waiting, running;
    long double area; /* of in_system over time, request * ps */
    rc_time area_at, first_arrival, last_end;
    uint64_t emitted;            /* tokens that passes made */
    uint64_t computed, hits;     /* prompt tokens: by passes, found in caches at admissions */
    uint64_t prompts, discarded; /* of these, in prompts completed; given up half done */
    rc_status status;            /* the first failure in an event */
    rc_error *err;
} cluster;

/* ---- lists (job_lists.c) ---- */
void list_init(job_list *l);
void list_push(cluster *c, job_list *l, uint32_t j);
void list_push_front(cluster *c, job_list *l, uint32_t j);
void list_remove(cluster *c, job_list *l, uint32_t j);
void heap_push(heap_item *h, uint32_t *count, heap_item item);
heap_item heap_pop(heap_item *h, uint32_t *count);
void heap_drop(heap_item *h, uint32_t *count, uint32_t j); /* if it is there */

/* ---- events ---- */
/* Remember the first failure; the run stops. */
void cluster_fail(cluster *c, rc_status st);
rc_event cluster_at(cluster *c, rc_time at, rc_event_fn fn, uint64_t arg);

/* ---- router.c ---- */
rc_status router_create(cluster *c, rc_error *err);
void router_begin(cluster *c); /* first arrivals */
void route(cluster *c, uint32_t j, rc_time now);
void route_decode(cluster *c, uint32_t j, rc_time now);
void route_held(cluster *c, rc_time now); /* a replica came up */
/* The request ends, once; its session's next turn is scheduled. KV is already released. */
void job_end(cluster *c, uint32_t j, rc_outcome outcome, rc_time now);

/* ---- replica.c ---- */
rc_status replica_create(cluster *c, replica *r, rc_error *err);
void replica_destroy(replica *r);
void replica_kick(cluster *c, replica *r, rc_time now); /* something may have become possible */
void replica_leave(cluster *c, replica *r, uint32_t j); /* no longer counted there */
void enqueue(cluster *c, replica *r, uint32_t j, bool front); /* to its waiting list */

/* ---- admit.c ---- */
/* Admit waiting jobs that need no pass here: swapped, or prefilled elsewhere. */
void admit_ready(cluster *c, replica *r, rc_time now);
/* The next job with prompt to compute: active, or newly admitted; NONE. `after`: the one before. */
uint32_t admit_prompt(cluster *c, replica *r, uint32_t after, rc_time now);
/* KV has arrived (from host or another pool): go on. */
void admit_arrived(cluster *c, uint32_t j, rc_time now);
void job_release(cluster *c, uint32_t j, rc_time now); /* all KV it holds anywhere */

/* ---- decode_batch.c ---- */
void decode_grow(cluster *c, replica *r, rc_time now); /* blocks for the next step; may preempt */
void decode_join(cluster *c, replica *r, uint32_t j, rc_time now);
void decode_leave(cluster *c, replica *r, uint32_t j); /* ended, preempted, lost */
void decode_step(cluster *c, replica *r, rc_time now); /* the pass has ended */
uint32_t job_generated(const cluster *c, uint32_t j);
int64_t context_seen(const rc_serve *s, int64_t keys); /* under the attention pattern */

/* ---- transfer.c ---- */
rc_status network_create(cluster *c, rc_error *err);
void network_destroy(cluster *c);
void transfer_begin(cluster *c, uint32_t j, uint32_t from, uint32_t to, uint64_t tokens,
                    rc_time now);
void transfer_drop(cluster *c, uint32_t j, rc_time now); /* if one is under way */
/* Tokens over the host link of a replica, one after the other; when they are through. */
rc_time host_transfer(cluster *c, replica *r, uint64_t tokens, rc_time now);

/* ---- faults.c ---- */
rc_status faults_begin(cluster *c, rc_error *err);

/* ---- layouts.c ---- */
rc_status pool_create(cluster *c, int index, rc_error *err);
void pool_destroy(pool *p);
/* The condition of a what-if, built on first use. */
rc_status pool_condition(cluster *c, pool *p, const rc_what_if *w, int *out, rc_error *err);
rc_status pool_pass_time(cluster *c, replica *r, const rc_pass *pass, rc_pass_cost *out,
                         rc_error *err);
void pool_pass_stats(const pool *p, rc_pass_stats *sum);

/* ---- metrics.c ---- */
void metrics_init(cluster *c);
void metrics_system(cluster *c, int change, rc_time now); /* requests in the system */
void metrics_state(cluster *c, rc_time now);              /* waiting, running, KV */
void metrics_admitted(cluster *c, uint32_t j, const rc_kv_match *m, rc_time now);
void metrics_first(cluster *c, uint32_t j, rc_time now);   /* token */
void metrics_gap(cluster *c, rc_time gap, uint64_t times); /* between tokens */
void metrics_pass(cluster *c, replica *r, const rc_pass *pass, const rc_pass_cost *cost);
void metrics_end(cluster *c, uint32_t j);
rc_status metrics_finish(cluster *c, rc_error *err);

static inline replica *home_of(cluster *c, uint32_t j) {
    return &c->replicas[c->jobs[j].home];
}
static inline pool *pool_of(cluster *c, const replica *r) {
    return &c->pools[r->pool];
}

#endif
