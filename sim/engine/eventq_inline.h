/* The event queue's insides, for callers whose inner loop is the queue (execute.c, the benchmark).
 *
 * docs/performance.md tells why it is built like this; here is how. Keys (time, node) live in two
 * tiers:
 *
 *   run   the nearest events, sorted, at most RC_RUN_MAX: run[head .. tail). All are earlier than
 *         `limit`; what is scheduled before `limit` is inserted here, from the back.
 *   far   the others, unsorted, in buckets. Times are numbers in base 64; with `base` a time no
 * later than any key in far, a key belongs to the level of the highest digit in which it differs
 *         from base, and there to the bucket of its own digit. A bucket is a chain of chunks of 15
 *         keys, in the order in which they came.
 *
 * When the run is empty the earliest bucket is taken: a short one, with its short neighbours, is
 * sorted into the run; a long one moves base to the bucket's beginning and is dealt out to the
 * levels below. Keys only move down, so a key moves at most 11 times, in practice two or three.
 *
 * Order is total without comparing sequence numbers. Keys of equal time are always in one place,
 * the run or one bucket, in the order they were scheduled, and every move keeps that order. Hence
 * no sequence number can wrap.
 *
 * Cancelling and moving leave a stale key behind, told by its stamp, which is dropped when it comes
 * to the front, or when there are too many.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_ENGINE_EVENTQ_INLINE_H
#define RC_ENGINE_EVENTQ_INLINE_H
#include <assert.h>
#include "sim/engine/engine.h"

#if defined(__GNUC__)
#define RC_LIKELY(x) __builtin_expect(!!(x), 1)
#define RC_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define RC_PREFETCH(p) __builtin_prefetch(p, 1)
#define RC_INLINE static inline __attribute__((always_inline, unused))
#define RC_NOINLINE __attribute__((noinline))
#else
#define RC_LIKELY(x) (x)
#define RC_UNLIKELY(x) (x)
#define RC_PREFETCH(p) ((void)(p))
#define RC_INLINE static inline
#define RC_NOINLINE
#endif

#define RC_NO_SLOT UINT32_MAX
#define RC_NO_ID UINT64_MAX
#define RC_RUN_MAX 64u /* keys in the run; one more and the later ones go to far */
#define RC_RUN_ROOM                                                                                \
    256u              /* cells of the run, so that it is moved to their front only now and then */
#define RC_DIGIT 6u   /* bits */
#define RC_LEVELS 11u /* 11 * 6 bits hold any time */
#define RC_CHUNK 16u  /* cells of a chunk: a header (.time is the next chunk) and 15 keys */

typedef struct rc_eventq_key {
    uint64_t time; /* picoseconds; never negative, so unsigned order is time order */
    uint64_t id;   /* stamp << 32 | slot: its node, and the node's stamp unless the key is stale */
} rc_eventq_key;

#define RC_KEY_SLOT(key) ((uint32_t)(key).id)
#define RC_KEY_STAMP(key) ((uint32_t)((key).id >> 32))

typedef struct rc_eventq_node {
    rc_event_fn fn;
    void *ctx;
    uint64_t arg;   /* free nodes: the next free slot */
    uint32_t gen;   /* 1 .. UINT32_MAX, in handles; bumped when the event fires or is cancelled */
    uint32_t stamp; /* bumped when the event is moved or cancelled: its key is then stale */
} rc_eventq_node;

typedef struct rc_eventq_bucket {
    uint32_t first; /* its first chunk */
    uint32_t at;    /* cell for the next key; 0: empty bucket; a multiple of RC_CHUNK: chunk full */
} rc_eventq_bucket;

struct rc_eventq {
    uint64_t limit;             /* keys from here on belong to far; UINT64_MAX while far is empty */
    rc_eventq_key *head, *tail; /* of the run */
    rc_eventq_key *stop; /* tail may grow so far without looking: head + RC_RUN_MAX, a while ago */
    uint32_t free_slot;  /* head of the list of free nodes, RC_NO_SLOT when empty */
    uint64_t spare;      /* id of the node that fired last and was not used again, or RC_NO_ID */
    rc_eventq_node *nodes;
    rc_time now;
    uint64_t fired;
    uint64_t base;
    uint32_t levels;      /* bit set: the level has keys */
    rc_eventq_key *cells; /* chunks; chunk 0 is never used */
    uint32_t free_chunk;  /* head of the list of free chunks, 0 when empty */
    uint32_t used_chunks; /* chunks ever handed out, chunk 0 included */
    uint32_t chunks;      /* room in cells */
    uint32_t used, slots; /* nodes ever handed out; room in nodes */
    uint32_t unused;      /* of those handed out, how many are in the list or retired */
    uint32_t stale;       /* stale keys in run and far: at most max_stale */
    uint32_t max_stale;
    uint64_t digits[RC_LEVELS]; /* bit set: the bucket has keys */
    rc_eventq_bucket buckets[RC_LEVELS][1u << RC_DIGIT];
    /* The key before the head has fired or is zeroed: no time still to come is before it. run[0] is
     * always zero; a run that starts afresh starts at 1. */
    _Alignas(64) rc_eventq_key run[RC_RUN_ROOM];
};

/* Slow paths, in eventq.c. */
bool rc_eventq_reserve_(rc_eventq *q, size_t events);
rc_event rc_eventq_at_slow_(rc_eventq *q, rc_time at, rc_event_fn fn, void *ctx, uint64_t arg);
void rc_eventq_put_(rc_eventq *q, rc_eventq_key key); /* into run or far */
bool rc_eventq_refill_(rc_eventq *q); /* fill the empty run from far; false when far is empty */
void rc_eventq_purge_(rc_eventq *q);  /* drop all stale keys */

/* *to = key, as one 16-byte store: a processor that soon copies the key with a 16-byte load cannot
 * forward it from two 8-byte stores, and waits. */
RC_INLINE void rc_eventq_store_(rc_eventq_key *to, rc_eventq_key key) {
#if defined(__GNUC__)
    typedef uint64_t two __attribute__((vector_size(16), may_alias));
    *(two *)(void *)to = (two){key.time, key.id};
#else
    *to = key;
#endif
}

RC_INLINE bool rc_eventq_is_live_(const rc_eventq *q, rc_eventq_key key) {
    return q->nodes[RC_KEY_SLOT(key)].stamp == RC_KEY_STAMP(key);
}

RC_INLINE unsigned rc_eventq_level_(uint64_t difference) {
#if defined(__GNUC__)
    return (63u - (unsigned)__builtin_clzll(difference | 1)) / RC_DIGIT;
#else
    unsigned level = 0;
    while (difference >>= RC_DIGIT)
        level++;
    return level;
#endif
}

/* The bucket of far for this time. */
RC_INLINE rc_eventq_bucket *rc_eventq_bucket_(rc_eventq *q, uint64_t time) {
    unsigned level = rc_eventq_level_(time ^ q->base);
    return &q->buckets[level][time >> (RC_DIGIT * level) & 63u];
}

/* Insert a key before `limit` into the run, from the back: new events are mostly late, and one of
 * equal time stays behind those that came before it. No bounds test: what is before the head is no
 * later than now (see `run`). */
RC_INLINE void rc_eventq_put_run_(rc_eventq *q, rc_eventq_key key) {
    rc_eventq_key *at = q->tail++;
    for (; key.time < at[-1].time; at--)
        at[0] = at[-1];
    *at = key;
}

/* Bring the earliest live event to run[head]; false when there is none. */
RC_INLINE bool rc_eventq_settle_(rc_eventq *q) {
    for (;;) {
        if (RC_UNLIKELY(q->head == q->tail) && !rc_eventq_refill_(q))
            return false;
        if (RC_LIKELY(q->stale == 0) || rc_eventq_is_live_(q, *q->head))
            return true;
        q->stale--;
        (q->head++)->time = 0;
    }
}

/* Time of the next event, RC_TIME_NEVER when none is pending. */
RC_INLINE rc_time rc_eventq_next_inline(rc_eventq *q) {
    return rc_eventq_settle_(q) ? (rc_time)q->head->time : RC_TIME_NEVER;
}

/* Schedule on the node that fired last: its key, unlike its handle, can be used again as it was.
 * Everything rarer is one call that does the whole of it, so that a handler that schedules last
 * needs no stack frame. */
RC_INLINE rc_event rc_eventq_at_inline(rc_eventq *q, rc_time at, rc_event_fn fn, void *ctx,
                                       uint64_t arg) {
    assert(at >= q->now);
    rc_eventq_key key = {(uint64_t)at, q->spare};
    uint32_t cell = 0;
    rc_eventq_bucket *b = NULL;
    if (key.id == RC_NO_ID)
        return rc_eventq_at_slow_(q, at, fn, ctx, arg);
    if (key.time < q->limit) {
        if (RC_UNLIKELY(q->tail == q->stop))
            return rc_eventq_at_slow_(q, at, fn, ctx, arg);
    } else {
        b = rc_eventq_bucket_(q, key.time);
        cell = b->at;
        if (RC_UNLIKELY(cell % RC_CHUNK == 0))
            return rc_eventq_at_slow_(q, at, fn, ctx, arg);
    }
    rc_eventq_node *node = &q->nodes[RC_KEY_SLOT(key)];
    q->spare = RC_NO_ID;
    node->fn = fn;
    node->ctx = ctx;
    node->arg = arg;
    if (b == NULL) {
        rc_eventq_put_run_(q, key);
    } else {
        rc_eventq_store_(&q->cells[cell], key);
        b->at = cell + 1;
    }
    return (uint64_t)node->gen << 32 | RC_KEY_SLOT(key);
}

RC_INLINE void rc_eventq_free_slot_(rc_eventq *q, uint32_t slot) {
    q->nodes[slot].arg = q->free_slot;
    q->free_slot = slot;
    q->unused++;
}

RC_INLINE bool rc_eventq_pending_inline(const rc_eventq *q, rc_event h) {
    uint32_t slot = (uint32_t)h;
    return slot < q->used && h >> 32 != 0 && q->nodes[slot].gen == (uint32_t)(h >> 32);
}

/* The key of a pending event becomes stale. Before a stamp comes round, the stale keys that could
 * carry it are dropped. */
RC_INLINE void rc_eventq_leave_key_(rc_eventq *q, rc_eventq_node *node) {
    if (RC_UNLIKELY(node->stamp == UINT32_MAX || q->stale == q->max_stale))
        rc_eventq_purge_(q);
    node->stamp++;
    q->stale++;
}

/* The event has fired or was cancelled: its handles become stale. A node whose generations are used
 * up is retired for good, so that no handle ever comes back to life (32 bytes lost per 4 * 10^9
 * events). False then. */
RC_INLINE bool rc_eventq_outdate_(rc_eventq *q, rc_eventq_node *node) {
    if (RC_LIKELY(++node->gen != 0))
        return true;
    q->unused++;
    return false;
}

RC_INLINE bool rc_eventq_cancel_inline(rc_eventq *q, rc_event h) {
    if (!rc_eventq_pending_inline(q, h))
        return false;
    rc_eventq_node *node = &q->nodes[(uint32_t)h];
    rc_eventq_leave_key_(q, node);
    if (rc_eventq_outdate_(q, node))
        rc_eventq_free_slot_(q, (uint32_t)h);
    return true;
}

RC_INLINE bool rc_eventq_move_inline(rc_eventq *q, rc_event h, rc_time at) {
    assert(at >= q->now);
    if (!rc_eventq_pending_inline(q, h))
        return false;
    rc_eventq_node *node = &q->nodes[(uint32_t)h];
    rc_eventq_leave_key_(q, node);
    rc_eventq_put_(q, (rc_eventq_key){(uint64_t)at, (uint64_t)node->stamp << 32 | (uint32_t)h});
    return true;
}

/* Fire the event at run[head] (rc_eventq_settle_ returned true). */
RC_INLINE void rc_eventq_fire_(rc_eventq *q) {
    rc_eventq_key key = *q->head++;
    rc_eventq_node *node = &q->nodes[RC_KEY_SLOT(key)];
    rc_event_fn fn = node->fn;
    void *ctx = node->ctx;
    uint64_t arg = node->arg;
    q->now = (rc_time)key.time;
    q->fired++;
    if (RC_LIKELY(rc_eventq_outdate_(q, node))) {
        if (q->spare != RC_NO_ID)
            rc_eventq_free_slot_(q, (uint32_t)q->spare);
        q->spare = key.id;
    }
    fn(ctx, arg, (rc_time)key.time);
}

RC_INLINE bool rc_eventq_step_inline(rc_eventq *q) {
    if (!rc_eventq_settle_(q))
        return false;
    rc_eventq_fire_(q);
    return true;
}

#endif
