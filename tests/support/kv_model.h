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

enum { BLOCKS = 64, BLOCK = 4, OPEN = 6, LONGEST = 12 };

typedef struct model {
    int pins[BLOCKS];
    bool here[BLOCKS], filled[BLOCKS], host[BLOCKS];
    long when[BLOCKS];                  /* in cache order: the smallest goes first */
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

static int model_oldest(const model *m, bool host) {
    int best = -1;
    for (int i = 0; i < BLOCKS; i++)
        if ((host ? m->host[i] : m->here[i] && m->pins[i] == 0) &&
            (best < 0 || m->when[i] < m->when[best]))
            best = i;
    return best;
}

static void model_evict(model *m) {
    int i = model_oldest(m, false), held = 0;
    m->here[i] = false;
    for (int k = 0; k < BLOCKS; k++)
        held += m->host[k];
    if (m->room == 0) {
        m->filled[i] = false;
        return;
    }
    if (held == m->room) {
        int gone = model_oldest(m, true);
        m->host[gone] = m->filled[gone] = false;
    }
    m->host[i] = true;
    m->when[i] = ++m->clock;
}

static int model_idle(const model *m) {
    int n = 0;
    for (int i = 0; i < BLOCKS; i++)
        n += m->here[i] && m->pins[i] == 0;
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
        model_evict(m);
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

static void model_release(model *m, const uint32_t *id, int count, int private_blocks) {
    for (int i = count; i-- > 0;) {
        if (--m->pins[id[i]] > 0)
            continue;
        if (m->policy == RC_KV_OFF)
            m->filled[id[i]] = false;
        m->here[id[i]] = m->filled[id[i]];
        m->when[id[i]] = ++m->clock;
    }
    m->private_blocks -= private_blocks;
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
                           .session = RC_NO_SESSION,
                           .output = 9,
                           .prefix = -1};
    return count;
}

static bool draw_admit(prop_case *c, world *w, int k) {
    open_one *o = &w->all[k];
    int count = draw_blocks(c, w, k), extra = (int)prop_range(c, 0, 9);
    int input = (int)prop_range(c, 1, count * BLOCK);
    rc_kv_match got;
    o->request->input = (uint32_t)input;
    int blocks = model_matched(&w->m, o->id, least(count, blocks_of(input)));
    blocks = w->m.policy == RC_KV_OFF ? 0 : blocks;
    int match = least(blocks * BLOCK, input - 1);
    o->tokens = input + extra;
    o->held = least(count, blocks_of(o->tokens));
    o->private_blocks = blocks_of(o->tokens) - o->held;
    rc_kv_match seen = rc_kv_lookup(w->kv, &w->trace, o->request);
    PROP_CHECK(c, seen.tokens == (uint32_t)match, "%u tokens, the model %d", seen.tokens, match);
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
        rc_kv_release(w->kv, o->lease, false);
        model_release(&w->m, o->id, o->held, o->private_blocks);
        o->open = false;
        break;
    }
    return good && agree(c, w);
}

static bool like_the_model(prop_case *c) {
    world w = {0};
    rc_error err = {0};
    static const rc_kv_policy policies[] = {RC_KV_LRU, RC_KV_LRU, RC_KV_NONE, RC_KV_OFF};
    rc_kv_config k = {.block = BLOCK, .requests = OPEN, .policy = policies[prop_below(c, 4)]};
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
