/* The insides of a prefix cache, for tests: what it counts, and whether its counts and lists agree.
 * A test that includes this has the cache's source in it and does not link the room's.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_KV_CHECK_H
#define RC_TESTS_SUPPORT_KV_CHECK_H
#include "sim/kv/kv.c"

/* RC_E_INTERNAL, naming what, when the counts and lists do not agree. O(capacity). */
static inline rc_status kv_verify(const rc_kv *kv, rc_error *err) {
    uint64_t pinned = 0, cached = 0, host = 0;
    for (uint32_t i = 0; i < kv->c.requests; i++)
        pinned += kv->leases[i].open ? kv->leases[i].private_blocks : 0;
    for (uint32_t i = 0; i < kv->page_count; i++) {
        uint32_t used = 0;
        for (uint32_t k = 0; kv->pages[i].used > 0 && k < PAGE; k++)
            used += kv->slots[PAGE * i + k].there;
        if (used != kv->pages[i].used || (used > 0 && find_page(kv, kv->pages[i].number) != i))
            return rc_fail(err, RC_E_INTERNAL, "KV cache: page %u cannot be found",
                           kv->pages[i].number);
    }
    for (uint32_t i = 0; i < PAGE * kv->page_count; i++) {
        const slot *x = &kv->slots[i];
        const uint32_t id = PAGE * kv->pages[i / PAGE].number + i % PAGE;
        if (kv->pages[i / PAGE].used == 0 || !x->there)
            continue;
        pinned += x->pins > 0;
        host += x->list == LIST_HOST;
        cached += x->list != NONE && x->list != LIST_HOST;
        if ((x->pins > 0) != (x->list == NONE) || x->host != (x->list == LIST_HOST))
            return rc_fail(err, RC_E_INTERNAL, "KV cache: block %u is in the wrong list", id);
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
