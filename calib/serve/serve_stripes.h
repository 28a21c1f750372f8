/* How the tokens of a sequence lie on N context-parallel (CP) ranks of a server: position x is
 * computed, and its key and value are kept, on rank x mod N.
 *
 * With such stripes every rank has as much to do as any other, to within a token, in a prompt, in each
 * ring step and when keys are read back, whatever piece of a prompt a pass computes. A rank's keys
 * lie densely, position x in place x div N of its list, so that a page of RC_KV_PAGE keys on each rank
 * stands for RC_KV_PAGE * N positions and one list of pages holds for all ranks. From one query of a
 * rank to its next, each rank's visible keys grow by exactly one: what queries of one rank see of the
 * keys of another is a single bottom-right causal call.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_SERVE_SERVE_STRIPES_H
#define RC_CALIB_SERVE_SERVE_STRIPES_H
#include "sim/schedule/shard.h"

/* Positions below `end` that are on `rank` of n. */
static inline int64_t rc_stripe_count(int64_t end, int n, int rank) {
    return rc_shard_cached(end, n, rank);
}

/* The most that any rank of n has of t positions in a row: rows that all make room for. */
static inline int64_t rc_stripe_most(int64_t t, int n) {
    return rc_ceil_div(t, n);
}

/* The first position at or behind `from` that is on `rank`. */
static inline int64_t rc_stripe_first(int64_t from, int n, int rank) {
    return rc_stripe_count(from, n, rank) * n + rank;
}

/* Queries of rank `of` among the positions [p, p + t), over keys of rank `at`: k_len of them from the
 * first on, bottom-right causal. With q_len 0 nothing is asked; with k_len 0 nothing is seen. */
typedef struct rc_stripe_call {
    int64_t q_len, k_len;
} rc_stripe_call;
static inline rc_stripe_call rc_stripe_call_of(int64_t p, int64_t t, int n, int of, int at) {
    const int64_t q = rc_stripe_count(p + t, n, of) - rc_stripe_count(p, n, of);
    const int64_t first = rc_stripe_first(p, n, of);
    if (q == 0)
        return (rc_stripe_call){0, 0};
    return (rc_stripe_call){q, rc_stripe_count(first + 1, n, at) + q - 1};
}

#endif
