/* The event queue's slow paths (memory, refilling the run, stale keys) and its out-of-line
 * interface. The fast paths are in eventq_inline.h, the design in engine.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1 /* madvise */
#endif
#include "sim/engine/eventq_inline.h"
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#define HUGE_PAGE ((size_t)2 << 20)
#define MAX_SLOTS ((size_t)1 << 27)
#define DIGITS (1u << RC_DIGIT)
#define CHUNK_KEYS (RC_CHUNK - 1)
#define RUN_ENOUGH 16u /* refill: stop gathering buckets at this many keys */
#define BUCKET_CHUNKS                                                                              \
    3u /* a bucket of at most this many chunks is sorted, a longer one dealt out */
#define EMPTY UINT64_MAX /* q->limit while far is empty: everything belongs to the run */

/* ------------------------------------------------------------------ memory ---------------- */

/* Aligned memory; large blocks on huge pages, for the nodes are visited at random. */
static void *aligned(size_t bytes) {
    size_t unit = bytes >= HUGE_PAGE ? HUGE_PAGE : 64, whole = (bytes + unit - 1) / unit * unit;
    void *p = aligned_alloc(unit, whole);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (p != NULL && unit == HUGE_PAGE)
        (void)madvise(p, whole, MADV_HUGEPAGE);
#endif
    return p;
}

/* Chunks that hold `keys` keys however they are spread: all but one chunk of a bucket is full, and
 * rebase() has old and new buckets at once. Two more are for chunk 0 and the one being emptied. */
static size_t chunks_for(size_t keys) {
    size_t partial = (size_t)2 * RC_LEVELS * DIGITS;
    return keys / CHUNK_KEYS + (keys < partial ? keys : partial) + 2;
}

bool rc_eventq_reserve_(rc_eventq *q, size_t events) {
    if (events <= q->slots)
        return true;
    if (events > MAX_SLOTS)
        return false;
    size_t max_stale = events / 2, chunks = chunks_for(events + max_stale + 1);
    rc_eventq_node *nodes = aligned(events * sizeof *nodes);
    rc_eventq_key *cells = aligned(chunks * RC_CHUNK * sizeof *cells);
    if (nodes == NULL || cells == NULL) {
        free(nodes);
        free(cells);
        return false;
    }
    if (q->used > 0)
        memcpy(nodes, q->nodes, q->used * sizeof *nodes);
    if (q->cells != NULL)
        memcpy(cells, q->cells, (size_t)q->used_chunks * RC_CHUNK * sizeof *cells);
    free(q->nodes);
    free(q->cells);
    q->nodes = nodes;
    q->cells = cells;
    q->slots = (uint32_t)events;
    q->max_stale = (uint32_t)max_stale;
    q->chunks = (uint32_t)chunks;
    return true;
}

/* A new last chunk for a bucket that is empty or whose last chunk is full; the cell for its key. */
static uint32_t new_chunk(rc_eventq *q, rc_eventq_bucket *b) {
    uint32_t c = q->free_chunk;
    if (c != 0)
        q->free_chunk = (uint32_t)q->cells[(size_t)c * RC_CHUNK].time;
    else
        c = q->used_chunks++;
    assert(c < q->chunks);
    if (b->at == 0) {
        size_t index = (size_t)(b - &q->buckets[0][0]), level = index / DIGITS;
        b->first = c;
        q->digits[level] |= (uint64_t)1 << index % DIGITS;
        q->levels |= 1u << level;
    } else {
        q->cells[b->at - RC_CHUNK].time = c;
    }
    return c * RC_CHUNK + 1;
}

static void append(rc_eventq *q, rc_eventq_bucket *b, rc_eventq_key key) {
    uint32_t at = RC_LIKELY(b->at % RC_CHUNK != 0) ? b->at : new_chunk(q, b);
    rc_eventq_store_(&q->cells[at], key);
    b->at = at + 1;
}

static void put_far(rc_eventq *q, rc_eventq_key key) {
    append(q, rc_eventq_bucket_(q, key.time), key);
}

static void free_chunk(rc_eventq *q, uint32_t c) {
    q->cells[(size_t)c * RC_CHUNK].time = q->free_chunk;
    q->free_chunk = c;
}

/* ------------------------------------------------------------------ walking buckets ------- */

/* A bucket's keys in order; chunks are freed as they are left behind. */
typedef struct walk {
    uint32_t at, last; /* next cell; one past the last */
} walk;

static unsigned lowest_bit(uint64_t x) {
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(x);
#else
    unsigned i = 0;
    while (!(x >> i & 1))
        i++;
    return i;
#endif
}

/* Take the bucket out of far. */
static walk detach(rc_eventq *q, unsigned level, unsigned digit) {
    rc_eventq_bucket *b = &q->buckets[level][digit];
    walk w = {b->first * RC_CHUNK + 1, b->at};
    b->at = 0;
    q->digits[level] &= ~((uint64_t)1 << digit);
    if (q->digits[level] == 0)
        q->levels &= ~(1u << level);
    return w;
}

static bool next_key(rc_eventq *q, walk *w, rc_eventq_key *key) {
    *key = q->cells[w->at++];
    if (w->at == w->last) {
        free_chunk(q, (w->at - 1) / RC_CHUNK);
        w->last = 0;
    } else if (w->at % RC_CHUNK == 0) {
        uint32_t c = w->at / RC_CHUNK - 1;
        w->at = (uint32_t)q->cells[(size_t)c * RC_CHUNK].time * RC_CHUNK + 1;
        free_chunk(q, c);
    }
    return w->last != 0;
}

static bool is_short(const rc_eventq *q, const rc_eventq_bucket *b) {
    uint32_t c = b->first, last = (b->at - 1) / RC_CHUNK;
    for (uint32_t i = 1; c != last; i++) {
        if (i == BUCKET_CHUNKS)
            return false;
        c = (uint32_t)q->cells[(size_t)c * RC_CHUNK].time;
    }
    return true;
}

/* ------------------------------------------------------------------ refilling the run ----- */

/* Append the bucket to the run and sort it in; equal times keep their order. */
static void load(rc_eventq *q, unsigned level, unsigned digit) {
    walk w = detach(q, level, digit);
    rc_eventq_key key;
    bool more;
    do {
        more = next_key(q, &w, &key);
        RC_PREFETCH(&q->nodes[RC_KEY_SLOT(key)]);
        rc_eventq_key *at = q->tail++;
        for (; key.time < at[-1].time; at--)
            at[0] = at[-1];
        rc_eventq_store_(at, key);
    } while (more);
}

/* A long bucket of one picosecond cannot be dealt out further: take its first chunk. What is
 * scheduled for this picosecond from now on belongs behind the rest of it, in far. */
static void load_first_chunk(rc_eventq *q, rc_eventq_bucket *b, uint64_t time) {
    uint32_t c = b->first;
    const rc_eventq_key *cell = &q->cells[(size_t)c * RC_CHUNK];
    memcpy(q->head, cell + 1, CHUNK_KEYS * sizeof *cell);
    q->tail = q->head + CHUNK_KEYS;
    for (const rc_eventq_key *k = q->head; k < q->tail; k++)
        RC_PREFETCH(&q->nodes[RC_KEY_SLOT(*k)]);
    b->first = (uint32_t)cell->time;
    free_chunk(q, c);
    q->limit = time;
}

/* The earliest time of a bucket, given that all keys there agree with base above its level. */
static uint64_t beginning(const rc_eventq *q, unsigned level, unsigned digit) {
    unsigned above = RC_DIGIT * (level + 1);
    uint64_t high = above < 64 ? q->base >> above << above : 0;
    return high | (uint64_t)digit << (RC_DIGIT * level);
}

static void start_run(rc_eventq *q) {
    q->head = q->tail = q->run + 1;
    q->stop = q->head + RC_RUN_MAX;
}

bool rc_eventq_refill_(rc_eventq *q) {
    start_run(q);
    for (;;) {
        if (q->levels == 0) {
            q->limit = EMPTY;
            return q->tail > q->head;
        }
        unsigned level = lowest_bit(q->levels), digit = lowest_bit(q->digits[level]);
        rc_eventq_bucket *b = &q->buckets[level][digit];
        if (q->tail > q->head && (q->tail - q->head >= RUN_ENOUGH || !is_short(q, b)))
            return true;
        uint64_t from = beginning(q, level, digit);
        if (is_short(q, b)) {
            if (q->tail == q->head)
                q->base = from;
            load(q, level, digit);
            q->limit = from + ((uint64_t)1 << (RC_DIGIT * level));
            continue;
        }
        q->base = from;
        if (level == 0) {
            load_first_chunk(q, b, from);
            return true;
        }
        walk w = detach(q, level, digit);
        rc_eventq_key key;
        bool more;
        do {
            more = next_key(q, &w, &key);
            put_far(q, key);
        } while (more);
    }
}

/* ------------------------------------------------------------------ the run overflows ----- */

/* Deal far out anew with base now; `n` keys of the run go before all others of their time. This is
 * rare: it takes a look ahead, which moves base past now, then a run filled up before base. */
static void rebase(rc_eventq *q, const rc_eventq_key *first, size_t n) {
    rc_eventq_bucket old[RC_LEVELS][DIGITS];
    uint64_t digits[RC_LEVELS];
    memcpy(old, q->buckets, sizeof old);
    memcpy(digits, q->digits, sizeof digits);
    memset(q->buckets, 0, sizeof q->buckets);
    memset(q->digits, 0, sizeof q->digits);
    q->levels = 0;
    q->base = (uint64_t)q->now;
    for (size_t i = 0; i < n; i++)
        put_far(q, first[i]);
    for (unsigned level = 0; level < RC_LEVELS; level++) {
        for (; digits[level] != 0; digits[level] &= digits[level] - 1) {
            const rc_eventq_bucket *b = &old[level][lowest_bit(digits[level])];
            walk w = {b->first * RC_CHUNK + 1, b->at};
            rc_eventq_key key;
            bool more;
            do {
                more = next_key(q, &w, &key);
                put_far(q, key);
            } while (more);
        }
    }
}

/* Send the later part of the run to far, cut where time changes. */
static void spill(rc_eventq *q) {
    rc_eventq_key *cut = q->head + RC_RUN_MAX / 4;
    while (cut > q->head && cut[-1].time == cut->time)
        cut--;
    uint64_t from = cut->time, last = q->tail[-1].time, limit = q->limit;
    size_t n = (size_t)(q->tail - cut);
    q->tail = cut;
    q->limit = from;
    if (q->levels == 0)
        q->base = (uint64_t)q->now;
    /* Far cannot take what is before base, nor put keys before others of their time. */
    if (from < q->base || last >= limit) {
        rebase(q, cut, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        put_far(q, cut[i]);
}

/* tail is at stop: make room for a key, or lower limit. */
static void run_full(rc_eventq *q) {
    if (q->tail - q->head == RC_RUN_MAX)
        spill(q);
    if (q->head + RC_RUN_MAX > q->run + RC_RUN_ROOM) {
        size_t n = (size_t)(q->tail - q->head);
        memmove(q->run + 1, q->head, n * sizeof q->run[0]);
        q->head = q->run + 1;
        q->tail = q->head + n;
    }
    q->stop = q->head + RC_RUN_MAX;
}

RC_NOINLINE void rc_eventq_put_(rc_eventq *q, rc_eventq_key key) {
    if (key.time < q->limit && q->tail == q->stop)
        run_full(q);
    if (key.time < q->limit)
        rc_eventq_put_run_(q, key);
    else
        put_far(q, key);
}

RC_NOINLINE rc_event rc_eventq_at_slow_(rc_eventq *q, rc_time at, rc_event_fn fn, void *ctx,
                                        uint64_t arg) {
    uint32_t slot;
    if (q->spare != RC_NO_ID) {
        slot = (uint32_t)q->spare;
        q->spare = RC_NO_ID;
    } else if (q->free_slot != RC_NO_SLOT) {
        slot = q->free_slot;
        q->free_slot = (uint32_t)q->nodes[slot].arg;
        q->unused--;
    } else {
        if (q->used == q->slots && !rc_eventq_reserve_(q, (size_t)q->slots * 2))
            return 0;
        slot = q->used++;
        q->nodes[slot] = (rc_eventq_node){.gen = 1};
    }
    rc_eventq_node *node = &q->nodes[slot];
    node->fn = fn;
    node->ctx = ctx;
    node->arg = arg;
    rc_event h = (uint64_t)node->gen << 32 | slot;
    rc_eventq_put_(q, (rc_eventq_key){(uint64_t)at, (uint64_t)node->stamp << 32 | slot});
    return h;
}

/* ------------------------------------------------------------------ stale keys ------------ */

RC_NOINLINE void rc_eventq_purge_(rc_eventq *q) {
    rc_eventq_key *kept = q->head;
    for (const rc_eventq_key *k = q->head; k < q->tail; k++)
        if (rc_eventq_is_live_(q, *k))
            *kept++ = *k;
    q->tail = kept;
    q->stale = 0;
    for (unsigned level = 0; level < RC_LEVELS; level++) {
        for (uint64_t left = q->digits[level]; left != 0; left &= left - 1) {
            unsigned digit = lowest_bit(left);
            walk w = detach(q, level, digit);
            rc_eventq_bucket *b = &q->buckets[level][digit];
            rc_eventq_key key;
            bool more;
            do {
                more = next_key(q, &w, &key);
                if (rc_eventq_is_live_(q, key))
                    append(q, b, key);
            } while (more);
        }
    }
}

/* ------------------------------------------------------------------ the interface --------- */

rc_eventq *rc_eventq_create(size_t capacity_hint) {
    rc_eventq *q = aligned(sizeof *q);
    if (q == NULL)
        return NULL;
    memset(q, 0, sizeof *q);
    q->free_slot = RC_NO_SLOT;
    q->spare = RC_NO_ID;
    q->used_chunks = 1;
    start_run(q);
    q->limit = EMPTY;
    if (!rc_eventq_reserve_(q, capacity_hint < 16 ? 16 : capacity_hint)) {
        free(q);
        return NULL;
    }
    return q;
}

void rc_eventq_destroy(rc_eventq *q) {
    if (q == NULL)
        return;
    free(q->nodes);
    free(q->cells);
    free(q);
}

rc_event rc_eventq_at(rc_eventq *q, rc_time at, rc_event_fn fn, void *ctx, uint64_t arg) {
    assert(q != NULL && fn != NULL);
    return rc_eventq_at_inline(q, at, fn, ctx, arg);
}

bool rc_eventq_cancel(rc_eventq *q, rc_event h) {
    return rc_eventq_cancel_inline(q, h);
}

bool rc_eventq_move(rc_eventq *q, rc_event h, rc_time at) {
    return rc_eventq_move_inline(q, h, at);
}

bool rc_eventq_pending(const rc_eventq *q, rc_event h) {
    return rc_eventq_pending_inline(q, h);
}

/* Counted by the nodes, so that firing and scheduling need not count. */
size_t rc_eventq_size(const rc_eventq *q) {
    return q->used - q->unused - (q->spare != RC_NO_ID);
}

rc_time rc_eventq_now(const rc_eventq *q) {
    return q->now;
}

uint64_t rc_eventq_fired(const rc_eventq *q) {
    return q->fired;
}

/* A node, and room for a key and half a stale one in chunks of which one cell in 16 is a header:
 * 57.6, rounded up. What a queue reserves besides does not grow with the events: 11 KiB for the run
 * and the buckets, and up to 1408 partial chunks, 352 KiB (a small queue: one chunk a key). Below
 * some 60 000 events that fixed part takes the sum above 64 bytes an event. */
size_t rc_eventq_bytes_per_event(void) {
    size_t halves = 3 * sizeof(rc_eventq_key) * RC_CHUNK;
    return sizeof(rc_eventq_node) + (halves + 2 * CHUNK_KEYS - 1) / (2 * CHUNK_KEYS);
}

bool rc_eventq_step(rc_eventq *q) {
    return rc_eventq_step_inline(q);
}

rc_time rc_eventq_next(rc_eventq *q) {
    return rc_eventq_next_inline(q);
}

uint64_t rc_eventq_run(rc_eventq *q, rc_time until) {
    assert(q != NULL);
    uint64_t before = q->fired;
    while (rc_eventq_next_inline(q) <= until && rc_eventq_step_inline(q))
        ;
    return q->fired - before;
}
