/* A prefix cache of blocks that lie far apart, so that hundreds of pages and runs come and go, and places of the table of pages
 * are shared: it holds what a list of blocks says that is searched from end to end.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/kv_check.h"
#include "tests/support/prop.h"

enum { BLOCK = 4, BLOCKS = 1 << 15, OPEN = 12, LONGEST = 70, MOST = 900 };

typedef struct named { /* what the list knows of a block */
    int pins;
    bool filled;
} named;

typedef struct world {
    rc_kv *kv;
    rc_trace trace;
    rc_span spans[OPEN];
    rc_req at[OPEN];
    rc_kv_lease lease[OPEN];
    bool open[OPEN];
    named all[BLOCKS];
    uint32_t idle[MOST]; /* in the order in which they are given up */
    uint32_t idle_count, pinned, capacity;
} world;

static world w;

static bool is_idle(uint32_t id) {
    for (uint32_t i = 0; i < w.idle_count; i++)
        if (w.idle[i] == id)
            return true;
    return false;
}

static bool is_there(uint32_t id) {
    return w.all[id].pins > 0 || is_idle(id);
}

static void take_from_idle(uint32_t at) {
    w.idle_count--;
    (void)memmove(&w.idle[at], &w.idle[at + 1], (w.idle_count - at) * sizeof w.idle[0]);
}

/* Blocks of one span: those that are there are kept, the oldest idle ones make way for the others. */
static bool admitted(rc_span s) {
    uint32_t absent = 0, own = 0;
    for (uint32_t i = s.first; i < s.first + s.count; i++) {
        absent += !is_there(i);
        own += w.all[i].pins == 0 && is_there(i);
    }
    if (absent > w.capacity - w.pinned - own)
        return false;
    for (uint32_t i = 0; i < w.idle_count;)
        if (w.idle[i] - s.first < s.count) {
            w.all[w.idle[i]].pins = -1; /* idle until now */
            take_from_idle(i);
        } else {
            i++;
        }
    w.pinned += own;
    while (w.capacity - w.pinned - w.idle_count < absent)
        take_from_idle(0);
    for (uint32_t i = s.first; i < s.first + s.count; i++) {
        named *x = &w.all[i];
        if (x->pins == 0)
            *x = (named){.filled = false};
        w.pinned += x->pins == 0;
        x->pins = x->pins < 0 ? 1 : x->pins + 1;
    }
    return true;
}

static void let_go(rc_span s) {
    for (uint32_t i = s.first + s.count; i-- > s.first;) {
        if (--w.all[i].pins > 0)
            continue;
        w.pinned--;
        if (w.all[i].filled)
            w.idle[w.idle_count++] = i;
    }
}

static uint32_t matched(rc_span s) {
    uint32_t n = 0;
    while (n < s.count && is_there(s.first + n) && w.all[s.first + n].filled)
        n++;
    return n;
}

static bool draw_admit(prop_case *c, int k) {
    rc_span *s = &w.spans[k];
    rc_req *r = &w.at[k];
    s->count = (uint32_t)prop_range(c, 1, prop_one_in(c, 8) ? LONGEST : 3);
    /* beside another's, or anywhere */
    s->first = prop_one_in(c, 3) ? w.spans[prop_below(c, OPEN)].first + (uint32_t)prop_below(c, 3)
                                 : (uint32_t)prop_below(c, BLOCKS);
    s->first = s->first < BLOCKS - LONGEST ? s->first : BLOCKS - LONGEST;
    *r = (rc_req){.span = (uint32_t)k,
                  .spans = 1,
                  .named = s->count,
                  .session = RC_NO_SESSION,
                  .input = s->count * BLOCK,
                  .output = 1,
                  .prefix = -1};
    const uint32_t blocks = matched(*s), tokens = blocks * BLOCK;
    rc_kv_match match;
    const bool got = rc_kv_admit(w.kv, &w.trace, r, r->input, &w.lease[k], &match);
    PROP_CHECK(c, match.tokens == (tokens < r->input ? tokens : r->input - 1), "%u of %u tokens",
               match.tokens, tokens);
    w.open[k] = admitted(*s);
    PROP_CHECK(c, got == w.open[k], "admitted %d, the list %d", got, w.open[k]);
    return true;
}

static bool agree(prop_case *c, int k) {
    rc_error err = {0};
    PROP_CHECK(c, kv_verify(w.kv, &err) == RC_OK, "%.300s", err.msg);
    PROP_CHECK(c, w.kv->cached == w.idle_count && w.kv->pinned == w.pinned, "%u cached, %u pinned",
               w.kv->cached, w.kv->pinned);
    for (uint32_t i = 0; i < w.spans[k].count; i++)
        PROP_CHECK(c, rc_kv_has(w.kv, w.spans[k].first + i) == is_there(w.spans[k].first + i),
                   "block %u", w.spans[k].first + i);
    for (int i = 0; i < 8; i++) {
        uint32_t id = w.idle_count > 0 && i < 4 ? w.idle[prop_below(c, w.idle_count)]
                                                : (uint32_t)prop_below(c, BLOCKS);
        PROP_CHECK(c, rc_kv_has(w.kv, id) == is_there(id), "block %u", id);
    }
    return true;
}

static bool step(prop_case *c) {
    const int k = (int)prop_below(c, OPEN);
    if (!w.open[k])
        return draw_admit(c, k) && agree(c, k);
    const uint32_t upto =
        prop_one_in(c, 3) ? (uint32_t)prop_below(c, w.spans[k].count + 1) : w.spans[k].count;
    rc_kv_filled(w.kv, w.lease[k], (uint64_t)upto * BLOCK);
    for (uint32_t i = 0; i < upto; i++)
        w.all[w.spans[k].first + i].filled = true;
    rc_kv_release(w.kv, w.lease[k], false);
    let_go(w.spans[k]);
    w.open[k] = false;
    return agree(c, k);
}

static bool far_apart(prop_case *c) {
    rc_error err = {0};
    (void)memset(&w, 0, sizeof w);
    w.capacity = (uint32_t)prop_range(c, LONGEST, MOST);
    const rc_kv_config k = {
        .block = BLOCK, .capacity = w.capacity, .requests = OPEN, .policy = RC_KV_LRU};
    w.trace = (rc_trace){.at = w.at,
                         .count = OPEN,
                         .block = BLOCK,
                         .blocks = BLOCKS,
                         .spans = w.spans,
                         .span_count = OPEN};
    PROP_CHECK(c, rc_kv_create(&k, &w.kv, &err) == RC_OK, "%s", err.msg);
    bool good = true;
    for (unsigned i = 0; i < 20 * c->size && good; i++)
        good = step(c);
    rc_kv_destroy(w.kv);
    return good;
}

static void test_far_apart(void **state) {
    (void)state;
    assert_true(prop_run("far_apart", far_apart, 60));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_far_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
