/* What sim.c (building), execute.c (running) and flow.c (sharing links) know of a simulation.
 *
 * A program is kept as a plan (what the caller said, 64 bytes an op, untouched by a run) and a
 * state (64 bytes an op, set afresh by every run), so that a replica costs no building. Everything
 * that a run needs is an array sized before the first event fires.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_ENGINE_SIM_INTERNAL_H
#define RC_ENGINE_SIM_INTERNAL_H
#include "sim/engine/eventq_inline.h"

#define RC_CLASSES 16u

/* An array that grows; `n` elements used. */
typedef struct rc_vec {
    void *at;
    size_t n, room;
} rc_vec;

typedef struct rc_op_plan {
    rc_time duration;
    double bytes, max_rate;
    uint32_t path; /* FLOW: its first hop; RENDEZVOUS: next op of the group, RC_NONE at its end */
    uint32_t path_len;
    rc_id domain;            /* RC_NONE without a stream */
    rc_id next;              /* next op on the stream */
    uint32_t group;          /* RENDEZVOUS: index into groups */
    uint32_t waits;          /* dependencies and the stream predecessor */
    uint32_t edge, edge_end; /* ops that depend on it: edge_to[edge .. edge_end) */
    uint32_t tag;
    uint8_t kind, klass;
} rc_op_plan;

typedef struct rc_op_state {
    rc_time ready, start, end; /* RC_TIME_NEVER until it happens */
    double remaining;          /* WORK: ps at rate 1; FLOW: bytes; as of `last` */
    double rate;               /* WORK: 1 is nominal; FLOW: bytes/s; 0: not yet given one */
    rc_time last;
    rc_event event; /* its end, 0 while none is scheduled */
    rc_id cause;
    uint32_t waiting; /* of `waits`, how many have not ended; then, of a FLOW that moves bytes, the
                         component it was last collected into */
} rc_op_state;

/* One crossing of a link by a flow; lists of the flows now on a link run through these. */
typedef struct rc_hop {
    rc_id link, flow;
    uint32_t next, prev; /* among the active hops of the link; RC_NONE at the ends */
} rc_hop;

typedef struct rc_link {
    double capacity;   /* bytes/s */
    double residual;   /* filling: what frozen flows leave */
    double share;      /* filling: residual over open hops */
    uint32_t first;    /* active hops */
    uint32_t active;   /* how many */
    uint32_t open;     /* filling: active hops of flows without a rate yet */
    uint32_t freezing; /* filling: of these, how many get this round's rate */
    uint32_t seen;     /* component it was last collected into */
    bool dirty;
} rc_link;

typedef struct rc_domain {
    double speed;
    uint32_t running[RC_CLASSES]; /* ops running now, by class */
    rc_id first;                  /* running WORK and moving FLOW ops that others may disturb */
    bool dirty;
} rc_domain;

typedef struct rc_stream {
    rc_id domain, last;
} rc_stream;

typedef struct rc_group {
    rc_id id;
    uint32_t size;     /* as the caller said */
    uint32_t members;  /* ops added */
    uint32_t came;     /* run: how many are ready */
    rc_id first, last; /* ops, in order of creation */
} rc_group;

typedef struct rc_edge {
    rc_id from, to;
} rc_edge;

typedef struct rc_peers { /* of a running disturbed op in its domain's list */
    rc_id next, prev;
} rc_peers;

struct rc_sim {
    rc_vec plan, edges, hops, links, domains, streams, groups;
    uint32_t *group_slots; /* open-addressing table: group id -> index, RC_NONE when free */
    size_t group_room;     /* a power of two, or 0 */
    double factor[RC_CLASSES][RC_CLASSES]; /* [on][by] */
    uint32_t disturbed_by[RC_CLASSES];     /* bit `by` set when factor[on][by] != 1 */
    uint32_t disturbs;                     /* classes that disturb some class */
    const char *fault;        /* what was wrong with an op added, NULL when all were right */
    bool starved;             /* the fault is that memory ran out */
    size_t streamless, flows; /* ops without a stream; ops of kind FLOW */

    /* Run time: sized by rc_sim_prepare_. */
    rc_op_state *state;
    rc_peers *peers;
    rc_id *edge_to;
    rc_id *dirty_domains, *dirty_links, *part_links, *part_flows;
    double *part_rates;
    size_t room_ops;
    size_t csr_edges; /* edges laid out in edge_to, SIZE_MAX when none are */
    rc_eventq *q;
    size_t n_dirty_domains, n_dirty_links;
    uint32_t part; /* number of the component collected last */
    size_t n_run;  /* ops of the last run */
    size_t ended;
    rc_time end;
    rc_id overflow; /* op whose end lies beyond the range of time, RC_NONE when none */
    bool ran;
};

#define RC_PLAN(s) ((rc_op_plan *)(s)->plan.at)
#define RC_HOPS(s) ((rc_hop *)(s)->hops.at)
#define RC_LINKS(s) ((rc_link *)(s)->links.at)
#define RC_DOMAINS(s) ((rc_domain *)(s)->domains.at)
#define RC_STREAMS(s) ((rc_stream *)(s)->streams.at)
#define RC_GROUPS(s) ((rc_group *)(s)->groups.at)
#define RC_EDGES(s) ((rc_edge *)(s)->edges.at)

/* sim.c: check the program, reserve all memory a run needs and set the state to the beginning. */
rc_status rc_sim_prepare_(rc_sim *s, rc_error *err);

/* execute.c: let the op end `ps` picoseconds (a double, rounded once) from now. */
void rc_sim_end_in_(rc_sim *s, rc_id op, double ps, rc_time now);
/* execute.c: `rate` times the factors of the classes that now disturb the op. */
double rc_sim_disturbed_(const rc_sim *s, rc_id op, double rate);

/* flow.c: a flow's bytes begin to move; have moved; give new rates where flows came or left. */
void rc_flow_join_(rc_sim *s, rc_id op, rc_time now);
void rc_flow_leave_(rc_sim *s, rc_id op);
void rc_flow_disturb_(rc_sim *s, rc_id op); /* what disturbs it has changed: share its links anew */
void rc_flow_share_(rc_sim *s, rc_time now);

#endif
