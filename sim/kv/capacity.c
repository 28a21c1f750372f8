/* How many blocks a cache has.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>

#include "sim/kv/kv.h"

uint32_t rc_kv_capacity(double bytes, double token_bytes, int ranks, uint32_t block) {
    assert(ranks >= 1);
    assert(block >= 1);
    if (!(bytes > 0.0) || !(token_bytes > 0.0))
        return 0;
    double blocks = floor(floor(bytes / token_bytes) * ranks / block);
    return blocks < RC_KV_MOST_BLOCKS ? (uint32_t)blocks : RC_KV_MOST_BLOCKS;
}
