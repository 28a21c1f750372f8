/* The discrete-event engine: integer time, streams, flows, rates, rendezvous. Nothing about LLMs.
 *
 * Two layers, usable apart:
 *   rc_eventq  pending events in the order (time, when scheduled): a sorted run over radix buckets.
 *   rc_sim     a program of ops on in-order streams, run on an rc_eventq.
 *
 * Time is int64_t picoseconds. Order is total: events at the same time fire in the order they were
 * scheduled; so the same program gives the same trace on every compiler and optimisation level
 * (rc_sim_trace_hash pins it). All arithmetic that decides times is integer, or double with a fixed
 * evaluation order and a single rounding to picoseconds (llround half away from zero).
 *
 * The event queue: layout
 *   A key is 16 bytes: time, and the slot and stamp of a node. A node is 32 bytes: what to call,
 *   with what, a generation (for handles) and a stamp (for keys). The nearest events, at most 64,
 *   are keys in one sorted array, the run. All others are keys in unsorted buckets: times are
 *   written in base 64, and a key's bucket is the highest digit in which it differs from a base
 *   time, and that digit's value: 11 levels of 64 buckets, with a bit per bucket. A bucket is a
 *   chain of 256-byte chunks. When the run is used up, the earliest bucket is sorted into it or,
 *   if it is long, dealt out to lower levels. Cancelling and moving do not search: they change
 *   the node's stamp, which makes its key stale; stale keys are dropped at the front, or all
 *   together when they pass half of the nodes. That bounds memory, whatever is cancelled: 32 +
 *   1.5 * 16 * 16/15 = 58 bytes an event, and up to 363 KiB a queue for partial chunks, buckets
 *   and the run, which is why a small queue takes more than 64 bytes an event. At most four events
 *   are kept apart from all this, in a sorted array that points to their nodes.
 *
 * The event queue: why so
 *   Time never goes back, so a queue need not be able to take any key at any place; that is what
 *   the radix heap (Ahuja, Mehlhorn, Orlin, Tarjan, 1990) lives on. Scheduling is an append to a
 *   bucket whose end is in cache, without a comparison. Every key is dealt out two or three
 *   times, to 64 streams of sequential writes. The sort is of a few dozen keys in first-level
 *   cache, and when it is done the nodes of those events are already on their way from memory. A
 *   heap instead meets a doubtful branch and, when large, a cache miss at every level. And as
 *   keys of equal time are always in one place in the order they came, order is total without a
 *   sequence number, so none can wrap. The worst case holds, too: a key moves down at most 11
 *   times, whatever the times are.
 *
 * The event queue: measured
 *   `bench_engine`, gcc 12 -O3, an EPYC core shared with other work, million events/s, the hold
 *   model with exponential increments; medians of three runs, which differ by about 10 %.
 *   pending                      100    1000   10 000   100 000   1 000 000
 *   this queue                    45      40       33        27          17
 *   plain binary heap             26      18       12         7           2
 *   4-ary heap, 16-byte keys      22      16       12         8           4
 *   The 4-ary heap was tried first; its row is one earlier run, in which the plain heap made 22,
 *   15, 11, 8 and 3. With two events pending (M/M/1) there is next to nothing to sort, and which
 *   of the two is next is a toss-up: what counts is how soon a mispredicted branch is found out.
 *   Hence the array at a fixed place and a plain comparison with its first: 56 million customers/s,
 *   two events each, against the plain heap's 45 with gcc, 58 against 47 with clang 14. Without the
 *   array it was 42 and 37; with conditional moves in place of the branch a prototype lost a
 *   quarter, for the doubt then falls on the call of the handler, which is known later.
 *
 * Programs: layout
 *   An op is 64 bytes of plan (what the caller said) and 64 of state (set afresh by every run),
 *   so a replica costs no building. Dependencies are laid out by the op waited for. An op has at
 *   most one event pending. What an instant changes in rates is noted and settled once before
 *   time advances: flows that come and leave together are shared out once, over the connected
 *   part of the network that they touch. 5 to 28 million ops/s on 8 to 1024
 *   made-up GPUs.
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

/* ---------------------------------------------------------------- pending events ---------- */
typedef struct rc_eventq rc_eventq;
typedef uint64_t rc_event; /* generation handle; 0 is never valid */
typedef void (*rc_event_fn)(void *ctx, uint64_t arg, rc_time now);

rc_eventq *rc_eventq_create(size_t capacity_hint); /* NULL when out of memory */
void rc_eventq_destroy(rc_eventq *q);              /* NULL is fine */
/* Schedule fn(ctx, arg, at). `at` must be >= now. Returns 0 only when memory is exhausted (which
 * can happen only while the number of pending events exceeds every earlier number and the capacity
 * hint). */
rc_event rc_eventq_at(rc_eventq *q, rc_time at, rc_event_fn fn, void *ctx, uint64_t arg);
/* Cancel: true when it was pending. A stale handle (fired, cancelled, slot reused) is harmless. */
bool rc_eventq_cancel(rc_eventq *q, rc_event h);
/* Move a pending event to another time (keeps the handle; goes behind others of its new time). */
bool rc_eventq_move(rc_eventq *q, rc_event h, rc_time at);
bool rc_eventq_pending(const rc_eventq *q, rc_event h);
size_t rc_eventq_size(const rc_eventq *q);
rc_time rc_eventq_now(const rc_eventq *q);
uint64_t rc_eventq_fired(const rc_eventq *q); /* events fired so far */
size_t rc_eventq_bytes_per_event(void);       /* key + node + room for stale keys; at most 64 */
/* Fire the next event; false when none is left. An event handler may schedule, cancel, move and
 * step; its own event is no longer pending. */
bool rc_eventq_step(rc_eventq *q);
uint64_t rc_eventq_run(rc_eventq *q, rc_time until); /* all up to and at `until`; events fired */

/* ---------------------------------------------------------------- random numbers ---------- */
typedef struct rc_rng {
    uint64_t s[4];
} rc_rng; /* xoshiro256** seeded by splitmix64 */
void rc_rng_seed(rc_rng *r, uint64_t seed);
uint64_t rc_rng_u64(rc_rng *r);
double rc_rng_uniform(rc_rng *r);             /* [0, 1) */
uint64_t rc_rng_below(rc_rng *r, uint64_t n); /* unbiased, n >= 1 */
double rc_rng_exponential(rc_rng *r, double mean);
double rc_rng_normal(rc_rng *r); /* standard normal */

/* ---------------------------------------------------------------- programs of ops ---------- */
typedef struct rc_sim rc_sim;
typedef uint32_t rc_id; /* index of a stream, link, op, ... */
#define RC_NONE UINT32_MAX

/* A domain is what ops disturb one another in: one GPU. Streams belong to a domain. */
rc_sim *rc_sim_create(void);
void rc_sim_destroy(rc_sim *s);
rc_id rc_sim_domain(rc_sim *s);
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
/* A domain's own speed (1 = nominal): a slow GPU. Applies to work ops of the domain. */
void rc_sim_domain_speed(rc_sim *s, rc_id domain, double speed);

typedef enum rc_op_kind {
    RC_OP_WORK,      /* `duration` of work at rate 1, stretched by interference and domain speed */
    RC_OP_FIXED,     /* `duration`, not stretched (host time, latencies)                        */
    RC_OP_FLOW,      /* `duration` of latency, then `bytes` over `path` at the max-min fair rate,
                        times what interference leaves of it */
    RC_OP_RENDEZVOUS /* waits until all `group_size` ops of `group` have come to the head of their
                        streams, then all take the longest `duration` among them and end together */
} rc_op_kind;

typedef struct rc_op_desc {
    rc_op_kind kind;
    rc_id stream;      /* in-order; RC_NONE: no stream, ruled by dependencies alone */
    unsigned klass;    /* interference class, 0..15 */
    rc_time duration;  /* >= 0 */
    double bytes;      /* FLOW: >= 0 */
    const rc_id *path; /* FLOW: links crossed (copied) */
    uint32_t path_len; /* 0: no link limits it, bytes take no time (but for max_rate) */
    double max_rate;   /* FLOW: bytes/s cap of this flow; 0 = none */
    rc_id group;       /* RENDEZVOUS: any id chosen by the caller, unique per collective call */
    uint32_t group_size;
    uint32_t tag; /* caller's; returned by rc_sim_op_tag */
} rc_op_desc;

/* Add an op at the end of its stream. Returns RC_NONE when out of memory, and for a bad op (unknown
 * stream or link, negative duration ...): then rc_sim_run says what was wrong. */
rc_id rc_sim_op(rc_sim *s, const rc_op_desc *d);
/* `op` may not start before `before` has ended. before < op in creation order is NOT required, but
 * a cycle is reported by rc_sim_run (RC_E_INTERNAL names the ops that never ran). */
rc_status rc_sim_after(rc_sim *s, rc_id op, rc_id before, rc_error *err);
/* Run to the end. No allocation after the first event fires. May be run again after rc_sim_rewind.
 */
rc_status rc_sim_run(rc_sim *s, rc_error *err);
void rc_sim_rewind(rc_sim *s);
/* Change an op's duration between rewind and run (jitter replicas reuse one program). */
void rc_sim_set_duration(rc_sim *s, rc_id op, rc_time duration);

/* What a program of this size takes in memory when it runs, in bytes; the streams, links and
 * groups, of which there are few, are left out. */
typedef struct rc_sim_size {
    int64_t ops, edges, flows;
    int64_t hops;       /* links crossed, over all flows */
    int64_t streamless; /* ops without a stream: all may be pending at once */
} rc_sim_size;
int64_t rc_sim_bytes(const rc_sim_size *z);

size_t rc_sim_op_count(const rc_sim *s);
uint32_t rc_sim_op_tag(const rc_sim *s, rc_id op);
rc_time rc_sim_op_start(const rc_sim *s, rc_id op); /* when it began to advance */
rc_time rc_sim_op_ready(const rc_sim *s, rc_id op); /* head of stream and dependencies met */
rc_time rc_sim_op_end(const rc_sim *s, rc_id op);
rc_time rc_sim_end(const rc_sim *s); /* end of the last op */
/* The op whose end let `op` start (dependency, stream predecessor or last to the rendezvous);
 * RC_NONE for the first. Walking it back from the last op gives the critical path. Ties: the lowest
 * id. All ops of a rendezvous have the cause of the last to come, so a cause's end is always the
 * op's start. */
rc_id rc_sim_op_cause(const rc_sim *s, rc_id op);
uint64_t rc_sim_events(const rc_sim *s); /* events fired in the last run */
/* FNV-1a over (op, start, end) of all ops, each as 8 bytes, lowest first: the pinned order. */
uint64_t rc_sim_trace_hash(const rc_sim *s);

#endif
