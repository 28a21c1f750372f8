/* The prefix cache against a brute-force model: an array of blocks with the time each was last let
 * go, searched from end to end. Random requests over shared prefixes, in one run of blocks or two,
 * with names for the input only or for a part of the reply, are admitted, filled, grown and
 * released in random order; after every call both must say the same. Used by a property and by a fuzz target.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_KV_MODEL_H
#define RC_TESTS_SUPPORT_KV_MODEL_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "tests/support/kv_check.h"
#include "tests/support/prop.h"

enum { BLOCKS = 64, BLOCK = 4, OPEN = 6, LONGEST = 12, SESSIONS = 3, ENDED = -1 };

typedef struct model {
    int pins[BLOCKS];
    bool here[BLOCKS], filled[BLOCKS], host[BLOCKS];
    long when[BLOCKS];                  /* in cache order: the smallest goes first */
    int of[BLOCKS];                     /* session that keeps an idle block, or ENDED */
    long since[SESSIONS];               /* when the session's first idle block came */
    int private_blocks, capacity, room; /* room: of host memory */
    long clock;
    rc_kv_policy policy;
} model;

static int model_used(const model *m) {
    int n = m->private_blocks;
    for (int i = 0; i < BLOCKS; i++)
        n += m->here[i];
    return n;
}

static bool model_is_idle(const model *m, int i) {
    return m->here[i] && m->pins[i] == 0;
}

static int model_oldest_in_host(const model *m) {
    int best = -1;
    for (int i = 0; i < BLOCKS; i++)
        if (m->host[i] && (best < 0 || m->when[i] < m->when[best]))
            best = i;
    return best;
}

/* Of the idle blocks of a session, or of ended ones; -1: it has none. */
static int model_oldest(const model *m, int of) {
    int best = -1;
    for (int i = 0; i < BLOCKS; i++)
        if (model_is_idle(m, i) && m->of[i] == of && (best < 0 || m->when[i] < m->when[best]))
            best = i;
    return best;
}

static void model_evict(model *m, int i) {
    int held = 0;
    m->here[i] = false;
    for (int k = 0; k < BLOCKS; k++)
        held += m->host[k];
    if (m->room == 0) {
        m->filled[i] = false;
        return;
    }
    if (held == m->room) {
        int gone = model_oldest_in_host(m);
        m->host[gone] = m->filled[gone] = false;
    }
    m->host[i] = true;
    m->when[i] = ++m->clock;
}

/* A block of ended sessions; when there is none, all of the session that is idle longest. */
static void model_make_way(model *m) {
    int ended = model_oldest(m, ENDED), longest = -1;
    if (ended >= 0) {
        model_evict(m, ended);
        return;
    }
    for (int k = 0; k < SESSIONS; k++)
        if (model_oldest(m, k) >= 0 && (longest < 0 || m->since[k] < m->since[longest]))
            longest = k;
    for (int i = model_oldest(m, longest); i >= 0; i = model_oldest(m, longest))
        model_evict(m, i);
}

static int model_idle(const model *m) {
    int n = 0;
    for (int i = 0; i < BLOCKS; i++)
        n += model_is_idle(m, i);
    return n;
}

static int model_matched(const model *m, const uint32_t *id, int count) {
    int n = 0;
    while (n < count && (m->here[id[n]] || m->host[id[n]]) && m->filled[id[n]])
        n++;
    return n;
}

/* Blocks id[from..upto) and private ones; of the match come those below `match`. */
static bool model_take(model *m, const uint32_t *id, int from, int upto, int private_blocks,
                       int match) {
    int need = private_blocks, own = 0;
    bool from_host[LONGEST] = {false};
    for (int i = from; i < upto; i++) {
        need += !m->here[id[i]];
        own += m->here[id[i]] && m->pins[id[i]] == 0;
    }
    int free = m->capacity - model_used(m),
        spare = m->policy == RC_KV_NONE ? 0 : model_idle(m) - own;
    if (need > free + spare)
        return false;
    for (int i = from; i < upto; i++) {
        m->pins[id[i]] += m->here[id[i]];
        from_host[i] = m->host[id[i]];
        m->host[id[i]] = false;
    }
    while (m->capacity - model_used(m) < need)
        model_make_way(m);
    for (int i = from; i < upto; i++) {
        if (m->here[id[i]])
            continue;
        m->here[id[i]] = true;
        m->filled[id[i]] = i < match && from_host[i];
        m->pins[id[i]] = 1;
    }
    m->private_blocks += private_blocks;
    return true;
}

static void model_release(model *m, const uint32_t *id, int count, int private_blocks, int to) {
    for (int i = count; i-- > 0;) {
        if (--m->pins[id[i]] > 0)
            continue;
        if (m->policy == RC_KV_OFF)
            m->filled[id[i]] = false;
        m->here[id[i]] = false;
        if (m->filled[id[i]] && to != ENDED && model_oldest(m, to) < 0)
            m->since[to] = ++m->clock;
        m->here[id[i]] = m->filled[id[i]];
        m->of[id[i]] = to;
        m->when[id[i]] = ++m->clock;
    }
    m->private_blocks -= private_blocks;
}

/* A node is lost while nobody holds anything. */
static void model_clear(model *m, bool host) {
    for (int i = 0; i < BLOCKS; i++) {
        m->filled[i] = m->filled[i] && m->host[i] && !host;
        m->here[i] = false;
        m->host[i] = m->host[i] && !host;
    }
}

typedef struct open_one {
    bool open;
    rc_req *request; /* of the trace */
    rc_kv_lease lease;
    uint32_t id[LONGEST];
    int held, private_blocks, tokens; /* held: blocks with a name */
} open_one;

typedef struct world {
    model m;
    rc_kv *kv;
    rc_trace trace;
    rc_span spans[2 * OPEN];
    rc_req at[OPEN];
    open_one all[OPEN];
    uint64_t held; /* as the cache counts it for its owner */
    bool whole_hits;
} world;

static bool agree(prop_case *c, const world *w) {
    rc_error err = {0};
    int host = 0;
    for (int i = 0; i < BLOCKS; i++)
        host += w->m.host[i];
    PROP_CHECK(c, kv_verify(w->kv, &err) == RC_OK, "%.300s", err.msg);
    PROP_CHECK(c, w->kv->cached == (uint32_t)model_idle(&w->m), "%u cached, the model %d",
               w->kv->cached, model_idle(&w->m));
    PROP_CHECK(c, rc_kv_pinned_blocks(w->kv) == (uint32_t)(model_used(&w->m) - model_idle(&w->m)),
               "pinned");
    PROP_CHECK(c, w->held == rc_kv_pinned_blocks(w->kv), "%lu held", (unsigned long)w->held);
    PROP_CHECK(c, w->kv->host == (uint32_t)host, "host");
    return true;
}

static int least(int a, int b) {
    return a < b ? a : b;
}

static int blocks_of(int tokens) {
    return (tokens + BLOCK - 1) / BLOCK;
}

/* Prefixes of four families, so that requests share; half of them leave their family on the way. */
static int draw_blocks(prop_case *c, world *w, int k) {
    int count = (int)prop_range(c, 1, LONGEST), leave = (int)prop_range(c, 1, 2 * LONGEST);
    uint32_t family = (uint32_t)prop_below(c, 4), other = (family + 1) % 4;
    uint32_t first = (uint32_t)least(leave, count);
    open_one *o = &w->all[k];
    w->spans[2 * k] = (rc_span){16 * family, first};
    w->spans[2 * k + 1] = (rc_span){16 * other + first, (uint32_t)count - first};
    for (int i = 0; i < count; i++)
        o->id[i] = 16 * (i < (int)first ? family : other) + (uint32_t)i;
    o->request = &w->at[k];
    *o->request = (rc_req){.span = 2 * (uint32_t)k,
                           .spans = count > (int)first ? 2 : 1,
                           .named = (uint32_t)count,
                           .session = (uint32_t)prop_below(c, SESSIONS + 1),
                           .output = 9,
                           .prefix = -1};
    if (o->request->session == SESSIONS)
        o->request->session = RC_NO_SESSION;
    return count;
}

/* P: whole blocks, or what the trace says as soon as all of its whole blocks are there; one token is left to compute, and
 * where only whole blocks are hits the block that it is in. */
static int model_tokens(const world *w, const rc_req *r, int blocks) {
    int tokens = blocks * BLOCK;
    if (r->prefix >= 0 && blocks > 0 && blocks >= r->prefix / BLOCK)
        tokens = r->prefix;
    tokens = least(tokens, (int)r->input - 1);
    return w->whole_hits ? tokens / BLOCK * BLOCK : tokens;
}

static int model_fetch(const model *m, const uint32_t *id, int blocks, int tokens) {
    int fetch = 0;
    for (int i = 0; i < blocks; i++)
        fetch += m->host[id[i]] ? BLOCK : 0;
    return least(fetch, tokens);
}

static bool draw_admit(prop_case *c, world *w, int k) {
    open_one *o = &w->all[k];
    int count = draw_blocks(c, w, k), extra = (int)prop_range(c, 0, 9);
    int input = (int)prop_range(c, 1, count * BLOCK);
    rc_kv_match got;
    o->request->input = (uint32_t)input;
    if (prop_one_in(c, 4))
        o->request->prefix = (int32_t)prop_range(c, 0, input);
    int blocks = model_matched(&w->m, o->id, least(count, blocks_of(input)));
    blocks = w->m.policy == RC_KV_OFF ? 0 : blocks;
    int match = model_tokens(w, o->request, blocks);
    int fetch = model_fetch(&w->m, o->id, blocks, match);
    o->tokens = input + extra;
    o->held = least(count, blocks_of(o->tokens));
    o->private_blocks = blocks_of(o->tokens) - o->held;
    rc_kv_match seen = rc_kv_lookup(w->kv, &w->trace, o->request);
    PROP_CHECK(c, seen.tokens == (uint32_t)match, "%u tokens, the model %d", seen.tokens, match);
    PROP_CHECK(c, seen.fetch == (uint32_t)fetch, "%u to fetch, the model %d", seen.fetch, fetch);
    o->open = rc_kv_admit(w->kv, &w->trace, o->request, (uint64_t)o->tokens, &o->lease, &got);
    bool expected = model_take(&w->m, o->id, 0, o->held, o->private_blocks, blocks);
    PROP_CHECK(c, o->open == expected, "admitted %d, the model %d", o->open, expected);
    PROP_CHECK(c, !o->open || got.tokens == seen.tokens, "another match");
    return true;
}

static void draw_fill(prop_case *c, world *w, open_one *o) {
    int tokens = (int)prop_range(c, 0, o->tokens), input = (int)o->request->input;
    int upto = tokens / BLOCK;
    if (tokens >= input && upto < blocks_of(input))
        upto = blocks_of(input); /* the partial last block of the input */
    rc_kv_filled(w->kv, o->lease, (uint64_t)tokens);
    for (int i = 0; i < least(upto, o->held); i++)
        w->m.filled[o->id[i]] = true;
}

static bool draw_grow(prop_case *c, world *w, open_one *o) {
    int tokens = o->tokens + (int)prop_range(c, 1, 3 * BLOCK), all = blocks_of(tokens);
    int upto = least((int)o->request->named, all);
    upto = upto > o->held ? upto : o->held;
    int rest = all - upto > o->private_blocks ? all - upto - o->private_blocks : 0;
    bool grown = rc_kv_grow(w->kv, o->lease, (uint64_t)tokens);
    bool expected =
        (rest == 0 && upto == o->held) || model_take(&w->m, o->id, o->held, upto, rest, upto);
    PROP_CHECK(c, grown == expected, "grown %d, the model %d", grown, expected);
    if (grown) {
        o->tokens = tokens;
        o->held = upto;
        o->private_blocks += rest;
    }
    return true;
}

static bool draw_release(prop_case *c, world *w, open_one *o) {
    const bool last = prop_one_in(c, 2), mine = o->request->session != RC_NO_SESSION;
    const bool kept = w->m.policy == RC_KV_SESSION && !last && mine;
    rc_kv_release(w->kv, o->lease, last);
    model_release(&w->m, o->id, o->held, o->private_blocks,
                  kept ? (int)o->request->session : ENDED);
    o->open = false;
    for (int i = 0; i < OPEN; i++)
        if (w->all[i].open)
            return true;
    if (prop_one_in(c, 4)) {
        const bool host = prop_one_in(c, 2);
        rc_kv_clear(w->kv, host);
        model_clear(&w->m, host);
    }
    return true;
}

static bool draw_step(prop_case *c, world *w) {
    int k = (int)prop_below(c, OPEN);
    open_one *o = &w->all[k];
    bool good = true;
    if (!o->open)
        return draw_admit(c, w, k) && agree(c, w);
    switch (prop_below(c, 3)) {
    case 0:
        draw_fill(c, w, o);
        break;
    case 1:
        good = draw_grow(c, w, o);
        break;
    default:
        good = draw_release(c, w, o);
        break;
    }
    return good && agree(c, w);
}

static bool like_the_model(prop_case *c) {
    world w = {0};
    rc_error err = {0};
    static const rc_kv_policy policies[] = {RC_KV_LRU, RC_KV_SESSION, RC_KV_NONE, RC_KV_OFF};
    rc_kv_config k = {.block = BLOCK,
                      .requests = OPEN,
                      .sessions = SESSIONS,
                      .policy = policies[prop_below(c, 4)],
                      .whole_hits = prop_one_in(c, 3),
                      .held = &w.held};
    w.whole_hits = k.whole_hits;
    k.capacity = (uint32_t)prop_range(c, 4, 40);
    k.host = prop_below(c, 2) ? (uint32_t)prop_range(c, 1, 20) : 0;
    w.m.capacity = (int)k.capacity;
    w.m.room = (int)k.host;
    w.m.policy = k.policy;
    w.trace = (rc_trace){.at = w.at,
                         .count = OPEN,
                         .block = BLOCK,
                         .blocks = BLOCKS,
                         .spans = w.spans,
                         .span_count = 2 * OPEN};
    PROP_CHECK(c, rc_kv_create(&k, &w.kv, &err) == RC_OK, "%s", err.msg);
    bool good = true;
    for (unsigned i = 0; i < 8 * c->size && good; i++)
        good = draw_step(c, &w);
    rc_kv_destroy(w.kv);
    return good;
}

#endif
