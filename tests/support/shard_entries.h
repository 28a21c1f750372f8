/* Score entries counted from the definition of a causal mask over chunks, apart from the calls in
 * which the simulator packs them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_SHARD_ENTRIES_H
#define RC_TESTS_SUPPORT_SHARD_ENTRIES_H
#include "sim/schedule/shard.h"

/* Entries, per head, of the queries of rank q over the keys (cached and new) of rank s, of n ranks;
 * t new tokens behind p cached ones, together at most RC_TOKENS_MAX. */
__attribute__((unused)) static int64_t shard_entries(int64_t t, int64_t p, int n, int q, int s) {
    int64_t entries = rc_shard_tokens(t, n, q) * rc_shard_cached(p, n, s);
    const int qc[2] = {q, 2 * n - 1 - q}, sc[2] = {s, 2 * n - 1 - s};
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            int64_t a = rc_shard_chunk(t, n, qc[i]), b = rc_shard_chunk(t, n, sc[j]);
            if (sc[j] < qc[i])
                entries += a * b;
            else if (sc[j] == qc[i])
                entries += a * (a + 1) / 2;
        }
    }
    return entries;
}

#endif
