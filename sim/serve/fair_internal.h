/* The state of fairly shared links. Internal to fair_*.c.
 *
 *   fair_links.c   flows come, end and are dropped
 *   fair_levels.c  the levels of links, from which rates follow
 *   fair_holders.c  flows in time: what they have moved and when the next one ends
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SERVE_FAIR_INTERNAL_H
#define RC_SERVE_FAIR_INTERNAL_H
#include "sim/serve/fair_links.h"

#define FAIR_NONE UINT32_MAX
#define FAIR_SAME 1e-12 /* relative: rates that differ by rounding are one */
enum { FAIR_FIRST_ROOM = 16 };

typedef struct fair_moving { /* a flow */
    uint32_t arg, next;      /* next: of those of its bundle that have not started, of free ones */
    double bytes;
    double mark; /* what a flow of the bundle has moved when this one ends, once it has started */
    rc_time starts;
    uint64_t order;
    uint32_t bundle;
} fair_moving;

/* The flows from one sender to one receiver. What each of them has moved is what those of its holder have
 * moved, less `offset`. */
typedef struct fair_bundle {
    uint32_t end[2], at[2]; /* links: sender's, receiver's; the bundle's member there */
    uint32_t count;         /* flows */
    uint32_t cap, holder;   /* holders: its cap; what holds it back */
    double offset;
    uint32_t *heap, begun, room; /* flows that have started, by mark */
    uint32_t starting;           /* flows that have not: a list */
    double key;                  /* what those of its holder have moved when its first flow ends */
    uint32_t place;              /* in the heap of its holder */
    uint32_t early_next, early_prev;
} fair_bundle;

/* A bundle as one of its two links sees it. */
typedef struct fair_member {
    double limit; /* rate of each flow at most, but for this link: its cap or the other's level */
    double cap;
    double flows;          /* a whole number */
    uint32_t other, there; /* the other link, and the bundle's member there */
    uint32_t bundle;
    bool held; /* this link is its holder */
} fair_member;

typedef struct fair_link {
    double rate, level; /* level: INFINITY when it holds nobody back */
    double asked;       /* sum of the limits of its flows */
    double drift;       /* changes of what its flows take, since its level was found */
    fair_member *at;
    uint32_t count, room;
    bool waits, changed;
} fair_link;

/* What holds flows back, and so sets their rate: a link, by its level, or a cap. All of its flows run at one
 * rate, so what each has moved is one number for all. */
typedef struct fair_holder {
    double rate;
    double moved; /* by each flow until `last` */
    rc_time last;
    rc_time due;                 /* when the first of its flows ends, */
    uint32_t end[2];             /* and the links of that one: orders those of one time */
    uint32_t *heap, count, room; /* bundles, by key */
    uint32_t early;              /* list of those with flows that have not started */
    uint32_t place;              /* in the heap of holders */
    bool stale;                  /* `due` is to be found */
} fair_holder;

struct fair_links {
    fair_link *links;
    uint32_t link_count;
    fair_holder *holders; /* of link i: i; of caps: behind them */
    uint32_t holder_count;
    uint32_t *due; /* heap of all holders, by due */
    fair_moving *flows;
    uint32_t flow_room, flow_used, free_flow;
    fair_bundle *bundles;
    uint32_t bundle_room, bundle_used, free_bundle;
    uint32_t *ask; /* links whose level is to be found: a ring of link_count */
    uint32_t ask_first, ask_count;
    uint32_t *changed; /* links with another level, each once */
    uint32_t changed_count;
    uint32_t *stale; /* holders whose due is to be found, each once */
    uint32_t stale_count;
    uint64_t order;
};

/* ---- fair_levels.c ---- */
void fair_ask(fair_links *n, uint32_t link); /* its flows are other ones than before */
void fair_find_levels(fair_links *n);        /* of links asked; leaves n->changed */

/* ---- fair_holders.c ---- */
/* What its flows have moved until `now`; flows that have started begin. Goes before a change of its rate or
 * its bundles. */
void fair_advance(fair_links *n, uint32_t holder, rc_time now);
void fair_stale(fair_links *n, uint32_t holder); /* its rate, bundles or flows are other ones */
void fair_find_dues(fair_links *n);              /* of all such, which have been advanced */
/* Into and out of the bundles of a holder that was advanced; `moved`: by each flow of the bundle. */
void fair_enter(fair_links *n, uint32_t bundle, uint32_t holder, double moved);
double fair_exit(fair_links *n, uint32_t bundle); /* gives `moved` */
/* A flow in its bundle, whose holder was advanced. */
void fair_start(fair_links *n, uint32_t bundle, uint32_t flow);
bool fair_stop(fair_links *n, uint32_t bundle, uint32_t flow); /* false: it is not there */

#endif
