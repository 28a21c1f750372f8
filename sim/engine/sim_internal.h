/* What sim.c (building), prepare.c (laying out), execute.c (running), flow.c (sharing links) and
 * outcome.c (results) know of a simulation.
 *
 * Built, a program is what the caller said: ops in the order of their handles, what they wait for
 * as a list of edges. rc_sim_prepare_ lays it out for the run:
 *
 *   track     Where ops run one after another: each stream is a track, and each op without a stream
 *             has a track of its own, which it shares with the op at the same place in other
 *             templates. All state of a run is in the tracks, so memory does not grow with the
 *             repetitions.
 *   plan      The ops of a template, track by track, in the order in which they run there.
 *   moment    A place on a track: repetition << 32 | place among the template's ops on the track.
 *             Moments of a track grow with time. A track's `progress` is the moment of its next op,
 *             so that an op waits for a moment m of another track until progress > m.
 *
 * An op that must wait looks at what it waits for in turn. It queues at the first track that has
 * not come so far, sorted by the moment it needs; when that track has passed it, it looks on.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_ENGINE_SIM_INTERNAL_H
#define RC_ENGINE_SIM_INTERNAL_H
#include "sim/engine/eventq_inline.h"
#include "sim/engine/ticks.h"

#define RC_CLASSES 16u

/* An array that grows; `n` elements used. */
typedef struct rc_vec {
    void *at;
    size_t n, room;
} rc_vec;

/* ---- built ---------------------------------------------------------------------------------- */

typedef struct rc_op { /* by handle */
    rc_time duration;
    rc_id stream;
    uint32_t more; /* FLOW: its index in flows; RENDEZVOUS: in groups; else RC_NONE */
    rc_id template;
    uint8_t kind, klass, account, account_slowed;
    bool keep;
} rc_op;

typedef struct rc_flow { /* what a FLOW states besides */
    double bytes, max_rate;
    double alone;            /* ps that it takes when no other flow and no interference is there */
    uint32_t path, path_len; /* links: paths[path .. path + path_len) */
} rc_flow;

typedef struct rc_edge {
    rc_id op, before;
    bool previous; /* `before` in the repetition before op's */
} rc_edge;

typedef struct rc_op_list {
    rc_id first, end; /* its ops, by handle */
    uint32_t loose;   /* of them without a stream */
    uint32_t times;   /* how often it is played, in all */
    uint32_t kept;    /* of its ops, once laid out */
    uint32_t *start;  /* [tracks + 1]: its ops on track t are plan[start[t] .. start[t + 1]) */
} rc_op_list;

typedef struct rc_part_of_order {
    rc_id template;
    uint32_t times;
} rc_part_of_order;

typedef struct rc_group {
    rc_id id;
    uint32_t size;    /* as the caller said */
    uint32_t members; /* ops added */
    uint32_t member; /* laid out: their tracks, in the order of their handles, are members[member ..
                         member + members) */
    rc_id first;     /* op */
    rc_id template;
    uint32_t came; /* run: how many are there */
} rc_group;

/* ---- laid out ------------------------------------------------------------------------------- */

typedef struct rc_plan { /* an op, in the order of the tracks */
    rc_time duration;
    uint32_t more;      /* as of rc_op */
    uint32_t waits;     /* what it waits for: waits[waits .. the next op's waits) */
    uint32_t number;    /* place in its template */
    uint8_t kind_class; /* kind << 4 | class */
    uint8_t account, account_slowed;
    bool keep;
} rc_plan;

#define RC_KIND(p) ((rc_op_kind)((p)->kind_class >> 4))
#define RC_CLASS(p) ((p)->kind_class & 15u)

/* The ops of a large template are in no cache when a track comes to them. It comes to the next one
 * only after many others have had their turn, which is time enough to fetch it: so far ahead. */
#define RC_AHEAD 4u

typedef struct rc_wait {
    uint32_t track;
    uint32_t place; /* on the track in its repetition; the highest bit: in the repetition before */
} rc_wait;
#define RC_PREVIOUS 0x80000000u

typedef struct rc_repetition {
    rc_id template;
    rc_id number;  /* of its first op */
    uint32_t kept; /* results before its own */
} rc_repetition;

/* ---- running -------------------------------------------------------------------------------- */

typedef enum rc_state {
    RC_WAITING, /* for other tracks */
    RC_MEETING, /* has come to a rendezvous that others have not come to */
    RC_LATENCY, /* a FLOW whose bytes do not move yet */
    RC_RUNNING,
    RC_DONE /* no op is left */
} rc_state;

typedef struct rc_track {
    /* What others look at. */
    uint64_t progress;      /* moment of its next op, which may be running */
    rc_time ended;          /* time at which its latest op ended; -1: none has */
    uint64_t since, latest; /* moments of the first and the last op that ended at that time */
    rc_id number;           /* of the last op that ended */
    rc_id first_waiter, last_waiter; /* tracks that wait for this one, by the moment they need */
    rc_id domain;
    /* Its op at hand. */
    _Alignas(64) rc_time start;
    uint32_t at, end; /* the op, and the end of this repetition's, in plan */
    uint32_t repetition;
    uint32_t wait; /* what it waits for next, in waits */
    uint64_t need; /* the moment that it waits for, of the track in whose list it is */
    rc_id next_waiter;
    rc_id cause, cause_track;
    uint32_t batch;   /* of events; RC_NONE: none is pending */
    rc_id next, prev; /* in the batch */
    uint8_t state;    /* rc_state */
    uint8_t side;     /* which of its two rows of accounts holds those of its last op */
    bool turn;        /* the op at hand counts on the other row */
    bool nominal;     /* its domain, if it has one, runs at speed 1 */
    /* Of WORK that is disturbed and FLOW that moves bytes. */
    _Alignas(64) double remaining; /* WORK: ps at rate 1; FLOW: bytes; as of `last` */
    double rate;                   /* WORK: 1 is nominal; FLOW: bytes/s; 0: not yet given one */
    rc_time last;
    rc_id peer_next, peer_prev; /* in the list of its domain */
    uint32_t hop, hops;         /* its places in hops; how many its op at hand takes */
    uint32_t part;              /* the component that its flow was last collected into */
    rc_time ready;              /* RENDEZVOUS: when it came */
} rc_track;

/* One crossing of a link by a flow; lists of the flows now on a link run through these. */
typedef struct rc_hop {
    rc_id link, flow;    /* flow: its track */
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
    rc_id first;                  /* tracks with WORK and moving FLOW ops that others may disturb */
    bool dirty;
} rc_domain;

/* Events of one time that were scheduled one after another, as one event of the queue. */
typedef struct rc_batch {
    rc_time at; /* -1: not in use */
    rc_event event;
    rc_id first, last; /* tracks; when not in use, first is the next that is not */
} rc_batch;

#define RC_RECENT 1024u /* batches that can be found by their time; a power of two */

typedef struct rc_result {
    rc_time start, end;
    rc_id cause;
} rc_result;

struct rc_sim {
    /* Built. */
    rc_vec ops, flows, paths, edges, templates, order, groups, links, domains, streams;
    uint32_t *group_slots; /* open-addressing table: group id -> index, RC_NONE when free */
    size_t group_room;     /* a power of two, or 0 */
    double factor[RC_CLASSES][RC_CLASSES]; /* [on][by] */
    uint32_t disturbed_by[RC_CLASSES];     /* bit `by` set when factor[on][by] != 1 */
    uint32_t disturbs;                     /* classes that disturb some class */
    const char *fault; /* what was wrong with an op added, NULL when all were right */
    bool starved;      /* the fault is that memory ran out */
    bool keep_all;
    unsigned accounts; /* the highest one stated, and 1; 1: none is */

    /* Laid out. */
    uint32_t n_tracks, n_streams, n_repetitions;
    rc_plan *plan;
    rc_wait *waits;
    rc_id *members;
    rc_repetition *repetitions;
    uint32_t
        *kept_at; /* by handle: place among the kept ones of its template; NULL: all are kept */
    uint64_t n_ops, n_kept;
    bool causes; /* somebody will ask for causes */

    /* Running. */
    rc_track *tracks;
    rc_time *booked; /* [tracks][2][accounts]: critical path up to an op, by account */
    rc_hop *hops;
    rc_batch *batches;
    uint32_t free_batch;
    uint32_t recent[RC_RECENT];
    rc_result *results;
    rc_id *dirty_domains, *dirty_links, *part_links, *part_flows;
    double *part_rates;
    rc_eventq *q;
    size_t n_dirty_domains, n_dirty_links;
    uint32_t part; /* number of the component collected last */
    uint64_t ended, events, order_hash;
    rc_time end;
    rc_id last, last_track; /* number of the op that ended last, and its track */
    rc_id overflow; /* number of an op whose end lies beyond the range of time, RC_NONE when none */
    rc_id overtaken; /* number of an op without a stream that came too soon, RC_NONE when none */
    bool ran;
};

#define RC_OPS(s) ((rc_op *)(s)->ops.at)
#define RC_FLOWS(s) ((rc_flow *)(s)->flows.at)
#define RC_PATHS(s) ((rc_id *)(s)->paths.at)
#define RC_EDGES(s) ((rc_edge *)(s)->edges.at)
#define RC_LISTS(s) ((rc_op_list *)(s)->templates.at)
#define RC_ORDER(s) ((rc_part_of_order *)(s)->order.at)
#define RC_GROUPS(s) ((rc_group *)(s)->groups.at)
#define RC_LINKS(s) ((rc_link *)(s)->links.at)
#define RC_DOMAINS(s) ((rc_domain *)(s)->domains.at)
#define RC_STREAMS(s) ((rc_id *)(s)->streams.at) /* the domain of each */

static inline uint64_t rc_moment(uint32_t repetition, uint32_t place) {
    return (uint64_t)repetition << 32 | place;
}

/* The number of the op of a track that stands at this moment. */
static inline rc_id rc_sim_number_at_(const rc_sim *s, rc_id track, uint64_t moment) {
    const rc_repetition *r = &s->repetitions[moment >> 32];
    return r->number + s->plan[RC_LISTS(s)[r->template].start[track] + (uint32_t)moment].number;
}

static inline const rc_flow *rc_flow_of(const rc_sim *s, const rc_track *t) {
    return &RC_FLOWS(s)[s->plan[t->at].more];
}

/* prepare.c: check the program, lay it out, reserve all memory that a run needs. */
rc_status rc_sim_prepare_(rc_sim *s, rc_error *err);

/* outcome.c: which ops hold one another up, when a run stands still. */
rc_status rc_sim_report_stuck_(rc_sim *s, rc_error *err);

/* flow.c: the bytes of a track's flow begin to move; have moved; give new rates where flows came or
 * left. */
void rc_flow_join_(rc_sim *s, rc_id track, rc_time now);
void rc_flow_leave_(rc_sim *s, rc_id track);
void rc_flow_disturb_(rc_sim *s, rc_id track); /* what disturbs it has changed: share anew */
/* What a track's flow may have of its links from now on, bytes/s. */
typedef void (*rc_set_share)(rc_sim *s, rc_id track, double share, rc_time now);
void rc_flow_share_(rc_sim *s, rc_set_share set, rc_time now);

#endif
