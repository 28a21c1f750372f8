/* The prefix cache of one serving engine (one replica): blocks of KV in GPU memory and, when asked
 * for, in host memory as a second tier.
 *
 * It counts blocks, not bytes: the caller knows the capacity and the bytes of a block (model, dtype,
 * CP and TP layout). A block is `block` tokens of the whole sequence. Under context parallelism its
 * tokens lie spread over all ranks, so a CP group has one cache.
 *
 * Life of a request
 *     rc_kv_lookup   says what is cached at the moment; changes nothing (routing asks every replica)
 *     rc_kv_admit    gives a lease: pins what is cached and takes blocks for all other input
 *                    tokens, or changes nothing
 *     rc_kv_filled   that many leading tokens are computed: their blocks can be hit from then on
 *     rc_kv_grow     one more token, or several: takes blocks as needed
 *     rc_kv_release  ends the lease: private blocks and blocks never filled become free, the others
 *                    stay cached, the tail of the prefix first in line for eviction
 * A block that two running requests compute at the same time is held once; the second computes it
 * again (it is not a hit before it is filled).
 *
 * Blocks with a name may reach beyond the input (rc_req.named): they are the reply's, taken by
 * rc_kv_grow, and can be hit by the session's next turn once rc_kv_filled says so.
 *
 * Memory is allocated while the cache fills for the first time and not after. Every operation is
 * O(1) a block and deterministic. A pinned block is one that a lease holds; a private block is one
 * without an identity (generated tokens, prompts that the trace does not name).
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

/* Blocks of one cache, at most: sums of a few counts of blocks and the size of the hash table stay
 * within 32 bits. */
#define RC_KV_MOST_BLOCKS (UINT32_MAX / 4)

typedef struct rc_kv_config {
    uint32_t block;    /* tokens of a block, >= 1; that of the trace when it has blocks */
    uint32_t capacity; /* blocks in GPU memory, 1 .. RC_KV_MOST_BLOCKS */
    uint32_t host;     /* blocks in host memory; 0: no second tier */
    uint32_t requests; /* leases at the same time, >= 1 */
    uint32_t sessions; /* of the trace (RC_KV_SESSION); 0: none */
    rc_kv_policy policy;
    bool
        whole_hits; /* only whole blocks are hits: of a prompt that is cached wholly the last block is
                        computed again (vLLM), not its last token (SGLang) */
    uint64_t *held; /* NULL, or the pinned blocks of several caches, summed; the caller's */
} rc_kv_config;

typedef struct rc_kv rc_kv;
typedef uint32_t rc_kv_lease;
#define RC_KV_NO_LEASE UINT32_MAX

typedef struct rc_kv_match {
    uint32_t tokens; /* P: leading tokens cached in either tier, at most input - 1 */
    uint32_t fetch;  /* of these, tokens in host memory: to be moved over before use */
    uint32_t blocks; /* leading blocks cached */
} rc_kv_match;

rc_status rc_kv_create(const rc_kv_config *c, rc_kv **out, rc_error *err);
void rc_kv_destroy(rc_kv *kv); /* NULL is fine */

rc_kv_match rc_kv_lookup(const rc_kv *kv, const rc_trace *t, const rc_req *r);
/* `r` is one of t->at, an array that may be moved by its owner while the lease is open.
 * False when there is no room now (or no lease left): then nothing has changed. `tokens` is what
 * must have a place at once: the input, more to reserve output, or less where the rest grows
 * (rc_kv_grow) before it is computed. What is cached has one in any case. */
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

/* Whether a block with this identity is held or cached in GPU memory. */
bool rc_kv_has(const rc_kv *kv, uint32_t block);
/* Whether memory for what is known of blocks has run out since the cache was made. From then on what it
 * refuses might have fitted, and what it does not find might have been there: nothing it says counts. */
bool rc_kv_starved(const rc_kv *kv);
uint32_t rc_kv_pinned_blocks(const rc_kv *kv); /* held by leases, private ones too */

/* Blocks that fit: `bytes` of free memory on the fullest GPU of a CP rank, `token_bytes` of one
 * token's K and V on that GPU (its KV heads, all its layers, in the cache's dtype), over `ranks` >= 1
 * CP ranks. 0 when not one fits; at most
 * RC_KV_MOST_BLOCKS. */
uint32_t rc_kv_capacity(double bytes, double token_bytes, int ranks, uint32_t block);

#endif
