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
    uint64_t marks = 0, blocks = 0;
    for (uint32_t i = 0; i < kv->page_count; i++) {
        uint32_t used = 0;
        for (uint32_t k = 0; kv->pages[i].used > 0 && k < PAGE; k++)
            used += kv->pages[i].run[k] != NONE;
        if (used != kv->pages[i].used || (used > 0 && find_page(kv, kv->pages[i].number) != i))
            return rc_fail(err, RC_E_INTERNAL, "KV cache: page %u cannot be found",
                           kv->pages[i].number);
        marks += used;
    }
    for (uint32_t i = 0; i < kv->run_count; i++) {
        const run *x = &kv->runs[i];
        for (uint32_t k = 0; k < x->count; k++)
            if (run_of(kv, x->first + k) != i)
                return rc_fail(err, RC_E_INTERNAL, "KV cache: block %u is of another run",
                               x->first + k);
        if (x->count == 0)
            continue;
        blocks += x->count;
        pinned += x->pins > 0 ? x->count : 0;
        host += x->list == LIST_HOST ? x->count : 0;
        cached += x->list != NONE && x->list != LIST_HOST ? x->count : 0;
        if ((x->pins > 0) != (x->list == NONE) || x->host != (x->list == LIST_HOST))
            return rc_fail(err, RC_E_INTERNAL, "KV cache: block %u is in the wrong list", x->first);
    }
    if (marks != blocks)
        return rc_fail(err, RC_E_INTERNAL, "KV cache: %llu blocks of runs, %llu in pages",
                       (unsigned long long)blocks, (unsigned long long)marks);
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
