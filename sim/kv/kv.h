/* The prefix cache of one serving engine (one replica): blocks of KV in GPU memory, and, when asked
 * for, behind it in host memory.
 *
 * It counts blocks, not bytes: capacity and what a block weighs are the caller's (model, dtype, CP
 * and TP layout). A block is `block` tokens of the whole sequence; under context parallelism its
 * tokens lie over all ranks (see rc_kv_balance), so a cache of a CP group is one cache.
 *
 * Life of a request
 *     rc_kv_lookup   what is cached now; changes nothing (routing asks every replica)
 *     rc_kv_admit    pins what is cached, takes blocks for all other input tokens; all or nothing
 *     rc_kv_filled   so many leading tokens are computed: their blocks can be hit from now on
 *     rc_kv_grow     one more token, or several: takes blocks as needed
 *     rc_kv_release  unpins; private blocks and blocks never filled are free, the others stay
 *                    cached, the tail of the prefix first in line for eviction
 * A block that two running requests compute at the same time is held once; the second computes it
 * again (it is not a hit before it is filled).
 *
 * Blocks with a name may reach beyond the input (rc_req.named): they are the reply's, taken by
 * rc_kv_grow, and can be hit by the session's next turn once rc_kv_filled says so.
 *
 * Room for blocks is allocated as the cache fills for the first time, none after. Every operation
 * is O(1) a block. Deterministic.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_KV_KV_H
#define RC_KV_KV_H
#include <stdbool.h>
#include <stdint.h>
#include "sim/base/error.h"
#include "sim/trace/trace.h"

typedef enum rc_kv_policy {
    RC_KV_LRU,     /* unpinned blocks, least recently used first */
    RC_KV_NONE,    /* nothing cached is ever given up: a request that does not fit waits */
    RC_KV_SESSION, /* blocks of ended sessions first, then whole idle sessions, the longest idle
                      first: a session is cached as a whole or not at all */
    RC_KV_OFF      /* no prefix caching: released blocks are free at once */
} rc_kv_policy;
const char *const *rc_kv_policy_names(void); /* "lru", "none", "session", "off", NULL */

typedef struct rc_kv_config {
    uint32_t block;    /* tokens of a block, >= 1; that of the trace when it has blocks */
    uint32_t capacity; /* blocks in GPU memory, >= 1 */
    uint32_t host;     /* blocks in host memory; 0: no second tier */
    uint32_t requests; /* leases at the same time, >= 1 */
    uint32_t sessions; /* of the trace (RC_KV_SESSION); 0: none */
    rc_kv_policy policy;
} rc_kv_config;

typedef struct rc_kv rc_kv;
typedef uint32_t rc_kv_lease;
#define RC_KV_NO_LEASE UINT32_MAX

typedef struct rc_kv_match {
    uint32_t tokens; /* P: leading tokens cached in either tier, at most input - 1 */
    uint32_t fetch;  /* of these, tokens in host memory: to be moved over before use */
    uint32_t blocks; /* leading blocks cached */
} rc_kv_match;

typedef struct rc_kv_stats {          /* since creation */
    uint64_t lookups;                 /* admissions */
    uint64_t hit_tokens, miss_tokens; /* of admitted requests: P and T */
    uint64_t fetched_tokens;          /* of the hits, from host memory */
    uint64_t evicted_blocks;          /* from GPU memory */
    uint64_t spilled_blocks;          /* of these, moved to host memory */
    uint64_t host_evicted_blocks;     /* dropped from host memory */
    uint64_t refused;                 /* admissions and growths for which there was no room */
    uint32_t peak_used;               /* blocks pinned at the same time, at most */
} rc_kv_stats;

rc_status rc_kv_create(const rc_kv_config *c, rc_kv **out, rc_error *err);
void rc_kv_destroy(rc_kv *kv); /* NULL is fine */

rc_kv_match rc_kv_lookup(const rc_kv *kv, const rc_trace *t, const rc_req *r);
/* False when there is no room now (or no lease left): then nothing has changed. `tokens` is what
 * must have a place at once: the input, or more to reserve output, at least the input. */
bool rc_kv_admit(rc_kv *kv, const rc_trace *t, const rc_req *r, uint64_t tokens, rc_kv_lease *lease,
                 rc_kv_match *match);
/* The first `tokens` tokens of the request are computed (P counts as computed at admission). */
void rc_kv_filled(rc_kv *kv, rc_kv_lease lease, uint64_t tokens);
/* Room for `tokens` tokens in all (input and generated). False: no room, nothing has changed. */
bool rc_kv_grow(rc_kv *kv, rc_kv_lease lease, uint64_t tokens);
/* `last`: the request was the last of its session (RC_KV_SESSION). */
void rc_kv_release(rc_kv *kv, rc_kv_lease lease, bool last);
/* Everything is lost, host memory too when `host` (a node failed). Leases must be released. */
void rc_kv_clear(rc_kv *kv, bool host);

uint32_t rc_kv_free_blocks(const rc_kv *kv);   /* neither pinned nor cached */
uint32_t rc_kv_pinned_blocks(const rc_kv *kv); /* held by leases, private ones too */
uint32_t rc_kv_cached_blocks(const rc_kv *kv); /* in GPU memory, filled, not pinned */
uint32_t rc_kv_host_blocks(const rc_kv *kv);   /* in host memory */
const rc_kv_stats *rc_kv_statistics(const rc_kv *kv);
/* RC_E_INTERNAL, naming what, when the counts and lists do not agree. O(capacity): for tests. */
rc_status rc_kv_verify(const rc_kv *kv, rc_error *err);

/* Blocks that fit: `bytes` of free memory on the fullest GPU of a CP rank, `token_bytes` of one
 * token's K and V on that GPU (its KV heads, all its layers, in the cache's dtype), over `ranks` CP
 * ranks. 0 when not one fits; at most UINT32_MAX / 4. */
uint32_t rc_kv_capacity(double bytes, double token_bytes, int ranks, uint32_t block);

/* ---------------------------------------------------------------- balance over CP ranks --- */
/* Tokens of one sequence on each rank: prefill by the 2N chunks of sim/schedule/shard.h, decode
 * round robin with the offset advancing by one each step (paper, sections 3.5.1 and 3.6). */
enum { RC_KV_MAX_RANKS = 1024 };
typedef struct rc_kv_balance {
    int ranks;
    uint64_t tokens[RC_KV_MAX_RANKS];
    uint64_t steps; /* decode steps so far: the offset */
} rc_kv_balance;
void rc_kv_balance_init(rc_kv_balance *b, int ranks); /* 1 .. RC_KV_MAX_RANKS */
void rc_kv_balance_prefill(rc_kv_balance *b, int64_t tokens);
/* One step of decode for the sequence at place `slot` of its batch. */
void rc_kv_balance_decode(rc_kv_balance *b, uint32_t slot);
uint64_t rc_kv_balance_most(const rc_kv_balance *b);
uint64_t rc_kv_balance_least(const rc_kv_balance *b);

#endif
