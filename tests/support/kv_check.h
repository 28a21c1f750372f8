/* The insides of a prefix cache, for tests: what it counts, and whether its counts and lists agree.
 * A test that includes this has the cache's source in it and does not link the room's.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_KV_CHECK_H
#define RC_TESTS_SUPPORT_KV_CHECK_H
#include "sim/kv/kv.c"

/* RC_E_INTERNAL, naming what, when the counts and lists do not agree. O(capacity). */
static inline rc_status kv_verify(const rc_kv *kv, rc_error *err) {
    uint64_t pinned = 0, cached = 0, host = 0;
    for (uint32_t i = 0; i < kv->lease_count; i++)
        pinned += kv->leases[i].open ? kv->leases[i].private_blocks : 0;
    for (uint32_t i = 0; kv->table && i <= kv->mask; i++) {
        if (!kv->table[i])
            continue;
        const slot *x = &kv->slots[kv->table[i] - 1];
        if (find(kv, x->id) != kv->table[i] - 1)
            return rc_fail(err, RC_E_INTERNAL, "KV cache: block %u cannot be found", x->id);
        pinned += x->pins > 0;
        host += x->list == LIST_HOST;
        cached += x->list != NONE && x->list != LIST_HOST;
        if ((x->pins > 0) != (x->list == NONE) || x->host != (x->list == LIST_HOST))
            return rc_fail(err, RC_E_INTERNAL, "KV cache: block %u is in the wrong list", x->id);
    }
    if (pinned != kv->pinned || cached != kv->cached || host != kv->host ||
        pinned + cached > kv->c.capacity || host > kv->c.host)
        return rc_fail(err, RC_E_INTERNAL,
                       "KV cache: %llu pinned, %llu cached, %llu host blocks, "
                       "counted %u, %u, %u of %u and %u",
                       (unsigned long long)pinned, (unsigned long long)cached,
                       (unsigned long long)host, kv->pinned, kv->cached, kv->host, kv->c.capacity,
                       kv->c.host);
    return RC_OK;
}

#endif
