/* Links shared max-min fairly by flows of two links each: a sender's and a receiver's.
 *
 * Flows from one sender to one receiver run at one rate, so they are kept together, in a bundle. A
 * link that is full has a level, the rate of the flows that it alone holds back; a flow runs at the
 * least of its cap and the levels of its two links. When a flow comes or goes the levels of its
 * links are found again, and from there those of links whose flows see another limit; rates of all
 * others stay, and so do levels of links whose flows change by less than 0.01 % of the link. All flows
 * that one link, or one cap, holds back move the same in the same time: that is one number for all of
 * them, and the next to end is at the top of a heap. So an event costs a few operations for each
 * bundle of the links whose levels change, and nothing for flows under way.
 *
 * Time is ps, sizes are bytes, rates bytes/s.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SERVE_FAIR_LINKS_H
#define RC_SERVE_FAIR_LINKS_H
#include <stdbool.h>
#include <stdint.h>
#include "sim/base/error.h"
#include "sim/engine/engine.h"

typedef struct fair_links fair_links;
typedef struct fair_flow {
    uint32_t from, to; /* links: different ones */
    double cap;        /* rate of this flow at most, > 0; the same for all from one to another */
    double bytes;
    rc_time starts; /* takes its share at once, and moves bytes from then on */
    uint32_t arg;   /* the caller's, no two alike */
} fair_flow;

/* `rate`: of each of the `count` links, > 0. */
rc_status fair_links_create(const double *rate, uint32_t count, fair_links **out, rc_error *err);
void fair_links_destroy(fair_links *n); /* NULL is fine */
rc_status fair_links_add(fair_links *n, const fair_flow *f, rc_time now, rc_error *err);
/* False: no such flow is under way. */
bool fair_links_drop(fair_links *n, uint32_t arg, rc_time now);
rc_time fair_links_next(const fair_links *n); /* when the next flow ends; RC_TIME_NEVER: none */
/* `now` is that time: the flow has ended; its arg. */
uint32_t fair_links_take(fair_links *n, rc_time now);
/* Rate of a flow that is under way. */
double fair_links_rate(const fair_links *n, uint32_t from, uint32_t to);

#endif
