/* The discrete-event engine: integer time, streams, flows, rates, rendezvous. Nothing about LLMs.
 *
 * Two layers, usable apart:
 *   rc_eventq  pending events in the order (time, when scheduled): a sorted run over radix buckets.
 *   rc_sim     a program of ops on in-order streams, run on an rc_eventq.
 *
 * Time is int64_t picoseconds. Order is total: events at the same time fire in the order they were
 * scheduled; so the same program gives the same trace on every compiler and optimisation level
 * (rc_sim_trace_hash and rc_sim_order_hash pin it). All arithmetic that decides times is integer,
 * or double with a fixed evaluation order and a single rounding to picoseconds (llround, half away
 * from zero).
 *
 * Everything is reached through handles; there is no global state, and two simulations may run on
 * two threads. What was measured about the queue and about programs is in docs/performance.md.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_ENGINE_ENGINE_H
#define RC_ENGINE_ENGINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/base/error.h"

typedef int64_t rc_time; /* picoseconds */
#define RC_PS_PER_S 1000000000000.0
#define RC_TIME_NEVER INT64_MAX

/* ---------------------------------------------------------------- pending events ----------
 *
 * A queue owns its events and nothing that they point to. Its clock starts at 0 and is the time of
 * the event that fired last. An event handler may schedule, cancel, move and step; its own event is
 * no longer pending. */
typedef struct rc_eventq rc_eventq;
typedef uint64_t
    rc_event; /* names one event for good, also when its memory is used again; 0: none */
/* What happens when the event fires: with the arguments of rc_eventq_at, at its time. */
typedef void (*rc_event_fn)(void *ctx, uint64_t arg, rc_time now);

/* Room for so many pending events at once; it grows when there are more. NULL when out of memory.
 * The caller destroys it. */
rc_eventq *rc_eventq_create(size_t capacity_hint);
void rc_eventq_destroy(rc_eventq *q); /* NULL is fine; what is pending is dropped */
/* Schedule fn(ctx, arg, at), behind all that is scheduled for that time. `at` must not be before
 * the clock. Returns 0 only when memory is exhausted, which can happen only while the number of
 * pending events exceeds every earlier number and the capacity hint. */
rc_event rc_eventq_at(rc_eventq *q, rc_time at, rc_event_fn fn, void *ctx, uint64_t arg);
/* Take an event back: true when it was pending. An event that has fired or was cancelled is
 * harmless. */
bool rc_eventq_cancel(rc_eventq *q, rc_event h);
/* Move a pending event to another time, not before the clock; it goes behind all others of that
 * time, also of its own. False when it was not pending. */
bool rc_eventq_move(rc_eventq *q, rc_event h, rc_time at);
bool rc_eventq_pending(const rc_eventq *q, rc_event h);
size_t rc_eventq_size(const rc_eventq *q);    /* events pending */
rc_time rc_eventq_now(const rc_eventq *q);    /* the clock, ps */
uint64_t rc_eventq_fired(const rc_eventq *q); /* events fired so far */
size_t rc_eventq_bytes_per_event(void);       /* memory of one at scale; at most 64 */
/* Fire the next event; false when none is left. */
bool rc_eventq_step(rc_eventq *q);
/* Time of the next event, without firing it; RC_TIME_NEVER when none is pending. */
rc_time rc_eventq_next(rc_eventq *q);
/* Fire all events up to and at `until`; how many. */
uint64_t rc_eventq_run(rc_eventq *q, rc_time until);

/* ---------------------------------------------------------------- random numbers ----------
 *
 * xoshiro256**, seeded by splitmix64: the same seed gives the same numbers. */
typedef struct rc_rng {
    uint64_t s[4];
} rc_rng;
void rc_rng_seed(rc_rng *r, uint64_t seed);        /* any seed, 0 as well */
uint64_t rc_rng_u64(rc_rng *r);                    /* any of the 2^64 */
double rc_rng_uniform(rc_rng *r);                  /* [0, 1) */
uint64_t rc_rng_below(rc_rng *r, uint64_t n);      /* 0 .. n - 1, each as likely; n >= 1 */
double rc_rng_exponential(rc_rng *r, double mean); /* mean >= 0 */
double rc_rng_normal(rc_rng *r);                   /* mean 0, standard deviation 1 */

/* ---------------------------------------------------------------- programs of ops ----------
 *
 * A program is made of templates: lists of ops with the order among them. It plays its templates
 * in a stated order, each as often as stated; one playing of a template is a repetition. A program
 * of which nobody states any order plays what was added once. A layer of a model is one template,
 * and 126 layers are one template played 126 times: memory goes by the template, not by the ops
 * that are run.
 *
 * Number of an op: its place in the program as if all repetitions were written out one after
 * another, from 0. In a program that plays one template once that is the handle which rc_sim_op
 * returned.
 *
 * How it is used: create; domains, streams, links; ops and what they wait for, template by
 * template; the order; rc_sim_run; results; destroy. A simulation runs once.
 *
 * Errors: functions that return a handle return RC_NONE when memory ran out or an argument was
 * wrong, and rc_sim_run then refuses to run and says what was wrong, so callers need not check
 * every handle. Indices and counts are 32-bit: a program has fewer than 2^32 - 1 ops, written
 * out. */
typedef struct rc_sim rc_sim;
typedef uint32_t rc_id; /* index of a domain, stream, link, template, op, ... */
#define RC_NONE UINT32_MAX

rc_sim *rc_sim_create(void);    /* an empty program; NULL when out of memory */
void rc_sim_destroy(rc_sim *s); /* NULL is fine */

/* A domain is what ops disturb one another in: one GPU. */
rc_id rc_sim_domain(rc_sim *s);
/* A stream runs its ops one after another, in the order they were added, repetition by repetition.
 * It belongs to a domain, or to none (RC_NONE). */
rc_id rc_sim_stream(rc_sim *s, rc_id domain);
/* A link: capacity in bytes per second (> 0), shared max-min fairly by the flows that cross it. */
rc_id rc_sim_link(rc_sim *s, double bytes_per_s);
/* Interference: while at least one op of class `by` runs in a domain, ops of class `on` in the same
 * domain advance at `factor` (0 < factor) of their rate; factors of several present classes
 * multiply. Classes are 0..15; class 0 disturbs nothing and is not disturbed. Default factor 1. Ops
 * of every kind disturb; disturbed are WORK ops, and the bytes of a FLOW that crosses links, in the
 * domain of its stream: it moves at `factor` of its fair share and never at more than the share;
 * what it leaves of a link goes to no other flow. An op does not disturb itself: a class that
 * disturbs its own kind needs two running ops. */
void rc_sim_interfere(rc_sim *s, unsigned on, unsigned by, double factor);
/* A domain's own speed (1 = nominal; > 0): a slow GPU. Applies to WORK ops of the domain. */
void rc_sim_domain_speed(rc_sim *s, rc_id domain, double speed);

typedef enum rc_op_kind {
    RC_OP_WORK,      /* `duration` of work at rate 1, stretched by interference and domain speed */
    RC_OP_FIXED,     /* `duration`, not stretched (host time, latencies)                        */
    RC_OP_FLOW,      /* `duration` of latency, then `bytes` over `path` at the max-min fair rate,
                        times what interference leaves of it */
    RC_OP_RENDEZVOUS /* waits until all `group_size` ops of `group` have come to the head of their
                        streams, then all take the longest `duration` among them and end together */
} rc_op_kind;

enum { RC_ACCOUNTS = 256 };

typedef struct rc_op_desc {
    rc_op_kind kind;
    rc_id stream;      /* in-order; RC_NONE: no stream, ruled by what it waits for alone */
    unsigned klass;    /* interference class, 0..15 */
    rc_time duration;  /* ps, >= 0 */
    double bytes;      /* FLOW: >= 0 */
    const rc_id *path; /* FLOW: links crossed (copied) */
    uint32_t path_len; /* 0: no link limits it, bytes take no time (but for max_rate) */
    double max_rate;   /* FLOW: bytes/s cap of this flow; 0 = none */
    rc_id group;       /* RENDEZVOUS: any id chosen by the caller, unique per collective call of the
                          program; all its ops are of one template */
    uint32_t group_size;
    uint8_t account;        /* where its time on the critical path is booked (rc_sim_critical) */
    uint8_t account_slowed; /* the same, when it took over a picosecond longer than alone at nominal
                               speed */
    bool keep;              /* keep its start, end and cause, in every repetition */
} rc_op_desc;

/* Begin a template: ops added from now on belong to it. Its handle. Ops that are added before the
 * first call belong to template 0, which is always there. */
rc_id rc_sim_template(rc_sim *s);
/* Play a template `times` (>= 1) times, after what was to be played so far. Templates that are
 * never played are left out. */
void rc_sim_play(rc_sim *s, rc_id template, uint32_t times);

/* Add an op at the end of its stream in the template begun last. *d is copied. An op without a
 * stream may wait for others only; the program is refused by rc_sim_run when such an op could begin
 * before its own repetition before has ended. */
rc_id rc_sim_op(rc_sim *s, const rc_op_desc *d);
/* `op` may not start before `before`, of the same template, has ended in the same repetition.
 * before < op in order of creation is NOT required, but a cycle is reported by rc_sim_run. */
rc_status rc_sim_after(rc_sim *s, rc_id op, rc_id before, rc_error *err);
/* `op` may not start before `before` has ended in the repetition that is played just before op's.
 * In the first repetition of the program there is none, and nothing is waited for. `before` may be
 * of any template: what is meant is the op that stands as far from the end of its stream in the
 * template that was played before. It must be the same place in all templates that are played
 * before op's; rc_sim_run refuses the program otherwise. */
rc_status rc_sim_after_previous(rc_sim *s, rc_id op, rc_id before, rc_error *err);
/* Keep start, end and cause of all ops, 24 bytes each: what rc_sim_trace_hash needs. */
void rc_sim_keep_all(rc_sim *s);

/* Run to the end. No allocation after the first event fires. RC_E_NOMEM; RC_E_INPUT when an op
 * would end beyond the range of time, 106 days; RC_E_INTERNAL for a bad program, with the cycle of
 * ops that wait for each other if there is one. */
rc_status rc_sim_run(rc_sim *s, rc_error *err);

/* What a program of this size takes in memory, in bytes, built and run; the streams, links and
 * groups, of which there are few, are left out. */
typedef struct rc_sim_size {
    int64_t ops, edges, flows;
    int64_t hops;       /* links crossed, over all flows */
    int64_t streamless; /* the most ops without a stream of one template */
    int64_t kept;       /* results */
    int64_t accounts;   /* used; 0 when no op states any */
} rc_sim_size;
int64_t rc_sim_bytes(const rc_sim_size *z);

/* ---- results, after rc_sim_run ---- */
rc_time rc_sim_end(const rc_sim *s);     /* end of the last op */
size_t rc_sim_op_count(const rc_sim *s); /* ops run, written out */
uint64_t rc_sim_events(const rc_sim *s); /* ends of ops and of latencies; a rendezvous ends once */
/* The number of `op` in repetition `repetition` of the program; RC_NONE when another template is
 * played in it. */
rc_id rc_sim_number(const rc_sim *s, rc_id op, uint32_t repetition);
/* Of the op with a number: when it began to advance, and ended. RC_TIME_NEVER when it did not, or
 * when that was not kept. */
rc_time rc_sim_op_start(const rc_sim *s, rc_id number);
rc_time rc_sim_op_end(const rc_sim *s, rc_id number);
/* The number of the op whose end let it start (dependency, stream predecessor or last to the
 * rendezvous); RC_NONE for the first, and when it was not kept. Walking it back from the last op
 * gives the critical path. Ties: the lowest number. All ops of a rendezvous have the cause of the
 * last to come, so a cause's end is always the op's start. */
rc_id rc_sim_op_cause(const rc_sim *s, rc_id number);
/* How much of the critical path of the op that ended last (the lowest number of equals) is booked
 * on `account`, ps. All accounts together are rc_sim_end. */
rc_time rc_sim_critical(const rc_sim *s, unsigned account);
/* FNV-1a over (number, start, end) of all ops in the order of their numbers, each as 8 bytes,
 * lowest first. Of ops that were not kept, RC_TIME_NEVER is what it sees. */
uint64_t rc_sim_trace_hash(const rc_sim *s);
/* A hash over (number, start, end) of all ops in the order in which they ended: the order of events
 * itself. It needs no results kept. */
uint64_t rc_sim_order_hash(const rc_sim *s);

#endif
