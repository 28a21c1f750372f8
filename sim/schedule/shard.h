/* Load-balanced sharding (paper section 3.5.1, Fig. 1-2): the T new tokens of a sequence are cut
 * into 2N chunks and rank i owns chunks i and 2N-1-i, so that under a causal mask every rank has
 * the same work in every ring step. Cached tokens are spread evenly. When 2N does not divide T the
 * first T mod 2N chunks are one token longer.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_SHARD_H
#define RC_SCHEDULE_SHARD_H
#include <stdint.h>

/* New and cached tokens of a pass, all its sequences together, are at most this many: then queries
 * times keys, the largest product that a pass needs, stays within 2^62. */
#define RC_TOKENS_MAX (INT64_C(1) << 31)

int64_t rc_ceil_div(int64_t a, int64_t b);
/* Tokens in chunk c of 2N, and the position of its first token. */
int64_t rc_shard_chunk(int64_t t, int n, int c);
int64_t rc_shard_chunk_start(int64_t t, int n, int c);
/* New tokens that `rank` owns: its first chunk, its second, both. */
int64_t rc_shard_first(int64_t t, int n, int rank);
int64_t rc_shard_second(int64_t t, int n, int rank);
int64_t rc_shard_tokens(int64_t t, int n, int rank);
/* Cached tokens that `rank` holds: floor(P/N), one more on the first P mod N ranks. */
int64_t rc_shard_cached(int64_t p, int n, int rank);

/* The attention calls by which the queries of rank q see the keys of rank s: at most two, each one
 * rectangle or one bottom-right causal call; together they hold every entry of the causal mask once.
 *   s == q  one causal call: own tokens over own cached + own tokens
 *   s <  q  one full call: all own tokens over the cached keys and the first chunk of s
 *   s >  q  own first chunk over the cached keys of s (when there are any), own second chunk over
 * the cached keys and both chunks of s */
typedef struct rc_call {
    int64_t tq, tk;
    int causal;
} rc_call;
int rc_shard_calls(int64_t t, int64_t p, int n, int q, int s, rc_call out[2]);
/* The same where rank i has the tokens i, i + N, i + 2N, ... of each sequence: from one query of a rank to
 * its next, every rank's visible keys grow by one, so there is one causal call, or none. Counted with
 * as many tokens on each rank as in chunks, of which it differs by one at most. */
int rc_stripe_calls(int64_t t, int64_t p, int n, int q, int s, rc_call out[1]);
/* Score entries of one call; its tq and tk are each at most RC_TOKENS_MAX. */
int64_t rc_call_entries(const rc_call *c);
/* The same where a query sees at most `window` keys, the last; 0: all. */
int64_t rc_call_entries_within(const rc_call *c, int64_t window);

#endif
