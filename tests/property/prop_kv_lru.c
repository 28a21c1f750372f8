/* The prefix cache against a brute-force model: an array of blocks with the time each was last let
 * go, searched from end to end. Random requests over shared prefixes are admitted, filled, grown
 * and released in random order; after every call both must say the same. SPDX-License-Identifier:
 * GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "sim/kv/kv.h"
#include "tests/support/prop.h"

enum { BLOCKS = 64, BLOCK = 4, OPEN = 6, LONGEST = 12 };

typedef struct model {
    int pins[BLOCKS];
    bool here[BLOCKS], filled[BLOCKS], host[BLOCKS];
    long when[BLOCKS];                  /* in cache order: the smallest goes first */
    int private_blocks, capacity, room; /* room: of host memory */
    long clock;
} model;

static int used(const model *m) {
    int n = m->private_blocks;
    for (int i = 0; i < BLOCKS; i++)
        n += m->here[i];
    return n;
}

static int oldest(const model *m, bool host) {
    int best = -1;
    for (int i = 0; i < BLOCKS; i++)
        if ((host ? m->host[i] : m->here[i] && m->pins[i] == 0) &&
            (best < 0 || m->when[i] < m->when[best]))
            best = i;
    return best;
}

static void evict(model *m) {
    int i = oldest(m, false), held = 0;
    m->here[i] = false;
    for (int k = 0; k < BLOCKS; k++)
        held += m->host[k];
    if (m->room == 0) {
        m->filled[i] = false;
        return;
    }
    if (held == m->room) {
        int gone = oldest(m, true);
        m->host[gone] = m->filled[gone] = false;
    }
    m->host[i] = true;
    m->when[i] = ++m->clock;
}

static int idle(const model *m) {
    int n = 0;
    for (int i = 0; i < BLOCKS; i++)
        n += m->here[i] && m->pins[i] == 0;
    return n;
}

static int matched(const model *m, const uint32_t *id, int count) {
    int n = 0;
    while (n < count && (m->here[id[n]] || m->host[id[n]]) && m->filled[id[n]])
        n++;
    return n;
}

static bool model_admit(model *m, const uint32_t *id, int count, int private_blocks) {
    int need = private_blocks, own = 0, match = matched(m, id, count);
    bool from_host[LONGEST] = {false};
    for (int i = 0; i < count; i++) {
        need += !m->here[id[i]];
        own += m->here[id[i]] && m->pins[id[i]] == 0;
    }
    if (need > m->capacity - used(m) + idle(m) - own)
        return false;
    for (int i = 0; i < count; i++) {
        m->pins[id[i]] += m->here[id[i]];
        from_host[i] = m->host[id[i]];
        m->host[id[i]] = false;
    }
    while (m->capacity - used(m) < need)
        evict(m);
    for (int i = 0; i < count; i++) {
        if (m->here[id[i]])
            continue;
        m->here[id[i]] = true;
        m->filled[id[i]] = from_host[i] && i < match;
        m->pins[id[i]] = 1;
    }
    m->private_blocks += private_blocks;
    return true;
}

static bool model_grow(model *m, int need) {
    if (need > m->capacity - used(m) + idle(m))
        return false;
    while (m->capacity - used(m) < need)
        evict(m);
    m->private_blocks += need;
    return true;
}

static void model_release(model *m, const uint32_t *id, int count, int private_blocks) {
    for (int i = count; i-- > 0;) {
        if (--m->pins[id[i]] > 0)
            continue;
        m->here[id[i]] = m->filled[id[i]];
        m->when[id[i]] = ++m->clock;
    }
    m->private_blocks -= private_blocks;
}

typedef struct open_one {
    bool open;
    rc_req request;
    rc_kv_lease lease;
    uint32_t id[LONGEST];
    int private_blocks, tokens;
} open_one;

typedef struct world {
    model m;
    rc_kv *kv;
    rc_trace trace;
    rc_span spans[OPEN];
    open_one all[OPEN];
} world;

static bool agree(prop_case *c, const world *w) {
    rc_error err = {0};
    int host = 0;
    for (int i = 0; i < BLOCKS; i++)
        host += w->m.host[i];
    PROP_CHECK(c, rc_kv_verify(w->kv, &err) == RC_OK, "%.300s", err.msg);
    PROP_CHECK(c, rc_kv_cached_blocks(w->kv) == (uint32_t)idle(&w->m), "%u cached, the model %d",
               rc_kv_cached_blocks(w->kv), idle(&w->m));
    PROP_CHECK(c, rc_kv_pinned_blocks(w->kv) == (uint32_t)(used(&w->m) - idle(&w->m)), "pinned");
    PROP_CHECK(c, rc_kv_host_blocks(w->kv) == (uint32_t)host, "host");
    return true;
}

/* A run of blocks: prefixes of four families, so that requests share. */
static bool admit(prop_case *c, world *w, int k) {
    open_one *o = &w->all[k];
    int count = (int)prop_range(c, 1, LONGEST), extra = (int)prop_range(c, 0, 9);
    uint32_t first = 16 * (uint32_t)prop_below(c, 4);
    rc_kv_match got;
    w->spans[k] = (rc_span){first, (uint32_t)count};
    o->request = (rc_req){.input = (uint32_t)(count * BLOCK),
                          .output = 9,
                          .span = (uint32_t)k,
                          .spans = 1,
                          .named = (uint32_t)count,
                          .session = RC_NO_SESSION};
    for (int i = 0; i < count; i++)
        o->id[i] = first + (uint32_t)i;
    int match = matched(&w->m, o->id, count) * BLOCK;
    match = match < count * BLOCK ? match : count * BLOCK - 1;
    o->tokens = count * BLOCK + extra;
    o->private_blocks = (extra + BLOCK - 1) / BLOCK;
    rc_kv_match seen = rc_kv_lookup(w->kv, &w->trace, &o->request);
    PROP_CHECK(c, seen.tokens == (uint32_t)match, "%u tokens, the model %d", seen.tokens, match);
    o->open = rc_kv_admit(w->kv, &w->trace, &o->request, (uint64_t)o->tokens, &o->lease, &got);
    bool expected = model_admit(&w->m, o->id, count, o->private_blocks);
    PROP_CHECK(c, o->open == expected, "admitted %d, the model %d", o->open, expected);
    PROP_CHECK(c, !o->open || got.tokens == seen.tokens, "another match");
    return true;
}

static bool step(prop_case *c, world *w) {
    int k = (int)prop_below(c, OPEN);
    open_one *o = &w->all[k];
    int count = (int)o->request.named;
    if (!o->open)
        return admit(c, w, k) && agree(c, w);
    switch (prop_below(c, 3)) {
    case 0: {
        int upto = (int)prop_range(c, 0, count * BLOCK);
        rc_kv_filled(w->kv, o->lease, (uint64_t)upto);
        for (int i = 0; i < upto / BLOCK; i++)
            w->m.filled[o->id[i]] = true;
        break;
    }
    case 1: {
        int more = (int)prop_range(c, 1, 3 * BLOCK), have = count + o->private_blocks;
        int need = (o->tokens + more + BLOCK - 1) / BLOCK - have;
        bool grown = rc_kv_grow(w->kv, o->lease, (uint64_t)(o->tokens + more));
        bool expected = need <= 0 || model_grow(&w->m, need);
        PROP_CHECK(c, grown == expected, "grown %d, the model %d", grown, expected);
        if (grown) {
            o->tokens += more;
            o->private_blocks += need > 0 ? need : 0;
        }
        break;
    }
    default:
        rc_kv_release(w->kv, o->lease, false);
        model_release(&w->m, o->id, count, o->private_blocks);
        o->open = false;
        break;
    }
    return agree(c, w);
}

static bool like_the_model(prop_case *c) {
    world w = {0};
    rc_error err = {0};
    rc_kv_config k = {.block = BLOCK, .requests = OPEN, .policy = RC_KV_LRU};
    k.capacity = (uint32_t)prop_range(c, 4, 40);
    k.host = prop_below(c, 2) ? (uint32_t)prop_range(c, 1, 20) : 0;
    w.m.capacity = (int)k.capacity;
    w.m.room = (int)k.host;
    w.trace = (rc_trace){.block = BLOCK, .blocks = BLOCKS, .spans = w.spans, .span_count = OPEN};
    PROP_CHECK(c, rc_kv_create(&k, &w.kv, &err) == RC_OK, "%s", err.msg);
    bool good = true;
    for (unsigned i = 0; i < 4 * c->size && good; i++)
        good = step(c, &w);
    rc_kv_destroy(w.kv);
    return good;
}

/* Over turns of any lengths no rank holds more than two tokens a turn over another. */
static bool balanced(prop_case *c) {
    rc_kv_balance b;
    uint64_t all = 0, sum = 0;
    int turns = (int)prop_range(c, 1, 8);
    rc_kv_balance_init(&b, (int)prop_range(c, 1, 16));
    for (int i = 0; i < turns; i++) {
        int64_t prompt = prop_range(c, 1, 5000), reply = prop_range(c, 0, 400);
        rc_kv_balance_prefill(&b, prompt);
        for (int64_t k = 0; k < reply; k++)
            rc_kv_balance_decode(&b, 3);
        all += (uint64_t)(prompt + reply);
    }
    for (int i = 0; i < b.ranks; i++)
        sum += b.tokens[i];
    PROP_CHECK(c, sum == all, "tokens");
    PROP_CHECK(c, rc_kv_balance_most(&b) - rc_kv_balance_least(&b) <= 2 * (uint64_t)turns + 1,
               "%lu and %lu over %d ranks after %d turns", (unsigned long)rc_kv_balance_most(&b),
               (unsigned long)rc_kv_balance_least(&b), b.ranks, turns);
    return true;
}

static void test_model(void **state) {
    (void)state;
    assert_true(prop_run("like_the_model", like_the_model, 60));
}

static void test_balance(void **state) {
    (void)state;
    assert_true(prop_run("balanced", balanced, 20));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model),
                                       cmocka_unit_test(test_balance)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
