/* What workload specifications of other tools come down to, and how it is made into requests: clients of
 * several classes, each with its own stream of arrivals, of single requests or of sessions. Private to the
 * room.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TRACE_WORKLOAD_MAKE_H
#define RC_TRACE_WORKLOAD_MAKE_H
#include "sim/trace/trace.h"
#include "sim/trace/workload_lengths.h"

enum {
    RC_WORKLOAD_BLOCK = 16,       /* tokens of a block that requests share */
    RC_WORKLOAD_CLIENTS = 100000, /* at most */
    RC_WORKLOAD_ROUNDS = 1 << 20  /* of a session, at most */
};
#define RC_WORKLOAD_LONGEST ((double)RC_TRACE_MAX_DAYS * 86400.0) /* s */

typedef enum rc_workload_process {
    RC_WORKLOAD_POISSON,
    RC_WORKLOAD_GAMMA,
    RC_WORKLOAD_WEIBULL,
    RC_WORKLOAD_EVEN
} rc_workload_process;

typedef struct rc_workload_window { /* [from, to), s */
    double from, to;
} rc_workload_window;

typedef struct rc_workload_group { /* tokens that its clients' inputs begin with */
    char name[64];                 /* "": none */
    int64_t tokens;
    uint32_t first_block; /* whole blocks of them are shared */
} rc_workload_group;

typedef struct rc_workload_class { /* what its clients have in common */
    rc_workload_process process;
    double cv, shape, scale;      /* shape and scale: of Weibull gaps with a mean of 1 */
    double fraction;              /* of the load, all its clients together; */
    double rate;                  /* so many arrivals a second while active */
    rc_spec_length input, output; /* owned */
    rc_workload_window *window; /* when they are active, in order and apart; owned; none: always */
    size_t windows;
    int64_t group;  /* of rc_workload.group, -1: none */
    int64_t rounds; /* of a session; 0: single requests */
    double think;   /* s, from a reply to the next round */
    bool history;   /* a round's input begins with all rounds before it */
} rc_workload_class;

typedef struct rc_workload_client {
    size_t of;        /* class */
    double rate;      /* arrivals a second while active */
    int64_t arrivals; /* at most; INT64_MAX: without end */
    int64_t rounds;   /* of its sessions, where not the class's; 0: the class's */
    double
        over; /* s: the gaps are stretched so that all arrivals take this long; 0: they are not */
    double next; /* s; INFINITY: no more */
    double stretch;
    size_t window;
    rc_rng rng;
} rc_workload_client;

typedef struct rc_workload {
    double horizon; /* s, 0: none. No session begins later; one that has begun is told to its end */
    int64_t requests, seed; /* requests 0: as many as come */
    rc_workload_class *class_at;
    size_t classes;
    rc_workload_client *client;
    size_t clients;
    rc_workload_group *group;
    size_t groups;
} rc_workload;

/* Each makes room for `count` more, zeroed but for what is stated above as "none", and gives the first. */
rc_status rc_workload_classes(rc_workload *l, size_t count, rc_workload_class **out, rc_error *err);
rc_status rc_workload_clients(rc_workload *l, size_t count, rc_workload_client **out,
                              rc_error *err);
/* `count` groups more, of `tokens` tokens each; *out is the first one's number. */
rc_status rc_workload_groups(rc_workload *l, size_t count, int64_t tokens, int64_t *out,
                             rc_error *err);
/* The group of that name, a new one of `tokens` tokens when there is none yet. */
rc_status rc_workload_group_of(rc_workload *l, const char *name, int64_t tokens, int64_t *out,
                               rc_error *err);
/* Blocks that groups share, all of them. */
uint32_t rc_workload_shared(const rc_workload *l);
void rc_workload_free(rc_workload *l);

/* Requests in the order in which their sessions arrive, at most `limit` (0: no limit), into `out`, which is
 * empty. A session's rounds follow one another: a round comes `think` behind the reply before it. */
rc_status rc_workload_make(rc_workload *l, uint64_t limit, rc_trace *out, rc_error *err);

/* ---- one session -------------------------------------------------------------------------- */

typedef struct rc_workload_rounds {
    rc_time arrival, think; /* ps; arrival may be RC_NO_ARRIVAL */
    int64_t rounds;         /* 0: one request of no session */
    bool history;
    const rc_workload_group *group; /* NULL: none */
    /* Tokens of the next round: new input, and reply. */
    void (*draw)(void *of, uint32_t *input, uint32_t *output);
    void *of;
} rc_workload_rounds;
/* Appends its rounds to *t, of at most `most` requests in all. *room: requests that t has room for. */
rc_status rc_workload_add(rc_trace *t, size_t *room, uint64_t most, const rc_workload_rounds *x,
                          rc_error *err);

#endif
