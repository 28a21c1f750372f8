/* Where the tokens of one sequence lie over CP ranks: the chunks of prefill, as
 * sim/schedule/shard.h cuts them, and decode dealt round robin with an offset that advances.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include "sim/kv/kv.h"

void rc_kv_balance_init(rc_kv_balance *b, int ranks) {
    memset(b, 0, sizeof *b);
    b->ranks = ranks < 1 ? 1 : ranks > RC_KV_MAX_RANKS ? RC_KV_MAX_RANKS : ranks;
}

/* Chunk c of 2N; the first T mod 2N are one longer; rank i has chunks i and 2N - 1 - i. */
static int64_t chunk(int64_t t, int n, int c) {
    int64_t chunks = 2 * (int64_t)n;
    return t / chunks + (c < t % chunks);
}

void rc_kv_balance_prefill(rc_kv_balance *b, int64_t tokens) {
    for (int i = 0; i < b->ranks; i++)
        b->tokens[i] +=
            (uint64_t)(chunk(tokens, b->ranks, i) + chunk(tokens, b->ranks, 2 * b->ranks - 1 - i));
}

void rc_kv_balance_decode(rc_kv_balance *b, uint32_t slot) {
    b->tokens[(slot + b->steps++) % (uint64_t)b->ranks]++;
}

uint64_t rc_kv_balance_most(const rc_kv_balance *b) {
    uint64_t most = 0;
    for (int i = 0; i < b->ranks; i++)
        most = b->tokens[i] > most ? b->tokens[i] : most;
    return most;
}

uint64_t rc_kv_balance_least(const rc_kv_balance *b) {
    uint64_t least = b->tokens[0];
    for (int i = 1; i < b->ranks; i++)
        least = b->tokens[i] < least ? b->tokens[i] : least;
    return least;
}
