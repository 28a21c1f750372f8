/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/shard.h"
#include <assert.h>

int64_t rc_ceil_div(int64_t a, int64_t b) {
    assert(a >= 0 && b >= 1);
    return a / b + (a % b != 0);
}

int64_t rc_shard_chunk(int64_t t, int n, int c) {
    int64_t chunks = 2 * (int64_t)n;
    assert(t >= 0 && c >= 0 && c < chunks);
    return t / chunks + (c < t % chunks);
}

int64_t rc_shard_chunk_start(int64_t t, int n, int c) {
    int64_t chunks = 2 * (int64_t)n;
    int64_t longer = t % chunks;
    return (t / chunks) * c + (c < longer ? c : longer);
}

int64_t rc_shard_first(int64_t t, int n, int rank) {
    return rc_shard_chunk(t, n, rank);
}

int64_t rc_shard_second(int64_t t, int n, int rank) {
    return rc_shard_chunk(t, n, 2 * n - 1 - rank);
}

int64_t rc_shard_tokens(int64_t t, int n, int rank) {
    return rc_shard_first(t, n, rank) + rc_shard_second(t, n, rank);
}

int64_t rc_shard_cached(int64_t p, int n, int rank) {
    assert(p >= 0 && rank >= 0 && rank < n);
    return p / n + (rank < p % n);
}

int rc_stripe_calls(int64_t t, int64_t p, int n, int q, int s, rc_call out[1]) {
    const int64_t own = rc_shard_tokens(t, n, q);
    *out = (rc_call){own, rc_shard_cached(p, n, s) + own - (s > q), 1};
    return own > 0 && out->tk > 0;
}

int64_t rc_call_entries(const rc_call *c) {
    assert(c->tq >= 0 && c->tq <= RC_TOKENS_MAX && c->tk >= 0 && c->tk <= RC_TOKENS_MAX);
    if (!c->causal)
        return c->tq * c->tk;
    int64_t seen = c->tq < c->tk ? c->tq : c->tk; /* rows that see at least one key */
    return seen * c->tk - seen * (seen - 1) / 2;
}

/* Queries see 1 more key than the one before until they see `window`; the first sees tk - tq + 1. */
int64_t rc_call_entries_within(const rc_call *c, int64_t window) {
    const int64_t all = rc_call_entries(c), tq = c->tq < c->tk ? c->tq : c->tk;
    assert(window >= 0);
    if (window == 0 || window >= c->tk)
        return all;
    if (!c->causal)
        return c->tq * window;
    const int64_t rising = c->tk - tq + 1 < window ? window - (c->tk - tq + 1) : 0;
    const int64_t rise = rising < tq ? rising : tq; /* queries that see fewer */
    return (tq - rise) * window + rise * (c->tk - tq + 1) + rise * (rise - 1) / 2;
}

int rc_shard_calls(int64_t t, int64_t p, int n, int q, int s, rc_call out[2]) {
    int64_t cached = rc_shard_cached(p, n, s);
    int64_t own = rc_shard_tokens(t, n, q);
    int count = 0;
    if (s == q) {
        out[count++] = (rc_call){own, cached + own, 1};
    } else if (s < q) {
        out[count++] = (rc_call){own, cached + rc_shard_first(t, n, s), 0};
    } else {
        if (cached > 0 && rc_shard_first(t, n, q) > 0)
            out[count++] = (rc_call){rc_shard_first(t, n, q), cached, 0};
        out[count++] = (rc_call){rc_shard_second(t, n, q), cached + rc_shard_tokens(t, n, s), 0};
    }
    int kept = 0;
    for (int i = 0; i < count; i++)
        if (out[i].tq > 0 && out[i].tk > 0)
            out[kept++] = out[i];
    return kept;
}
