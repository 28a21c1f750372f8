/* Cached pieces that begin in the middle of a prompt's blocks, end in it, and lie over pages; hits in whole blocks: counted
 * by hand, for one cache.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/kv_check.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { BLOCK = 4 };
static rc_error err;

typedef struct world {
    rc_kv *kv;
    rc_span spans[8];
    rc_req r[8];
    rc_trace t;
} world;

static void begin(world *w, uint32_t capacity, bool whole) {
    *w = (world){.t = {.block = BLOCK, .blocks = 1000}};
    w->t.at = w->r;
    w->t.spans = w->spans;
    const rc_kv_config c = {
        .block = BLOCK, .capacity = capacity, .requests = 4, .whole_hits = whole};
    assert_int_equal(rc_kv_create(&c, &w->kv, &err), RC_OK);
}

/* A request for blocks from `first` on, of so many tokens. */
static const rc_req *ask(world *w, uint32_t first, uint32_t tokens) {
    const uint32_t i = (uint32_t)w->t.count++, blocks = (tokens + BLOCK - 1) / BLOCK;
    assert_true(i < 8);
    w->spans[i] = (rc_span){first, blocks};
    w->t.span_count = i + 1;
    w->r[i] = (rc_req){.input = tokens,
                       .output = 1,
                       .span = i,
                       .spans = 1,
                       .named = blocks,
                       .session = RC_NO_SESSION,
                       .prefix = -1};
    return &w->r[i];
}

static rc_kv_lease admit(world *w, const rc_req *r, uint32_t tokens_cached, uint32_t pinned) {
    rc_kv_lease held = RC_KV_NO_LEASE;
    rc_kv_match m = {0};
    assert_true(rc_kv_admit(w->kv, &w->t, r, r->input, &held, &m));
    assert_int_equal(m.tokens, tokens_cached);
    assert_int_equal(rc_kv_pinned_blocks(w->kv), pinned);
    assert_int_equal(kv_verify(w->kv, &err), RC_OK);
    return held;
}

static void serve(world *w, const rc_req *r, uint32_t tokens_cached) {
    rc_kv_lease held = admit(w, r, tokens_cached, r->named);
    rc_kv_filled(w->kv, held, r->input);
    rc_kv_release(w->kv, held, true);
    assert_int_equal(rc_kv_pinned_blocks(w->kv), 0);
    assert_int_equal(kv_verify(w->kv, &err), RC_OK);
}

/* Blocks 5 to 9 are there, then a prompt asks for 0 to 9, or for 3 to 7: what is there behind a gap is no hit, and is not
 * taken twice. */
static void behind_a_gap(uint32_t from) {
    world w;
    begin(&w, 10, false);
    serve(&w, ask(&w, from + 5, 20), 0);
    serve(&w, ask(&w, from, 40), 0);
    for (uint32_t b = from; b < from + 10; b++)
        assert_true(rc_kv_has(w.kv, b));
    assert_int_equal(rc_kv_lookup(w.kv, &w.t, ask(&w, from, 40)).tokens, 39);
    assert_int_equal(rc_kv_lookup(w.kv, &w.t, ask(&w, from + 3, 20)).tokens, 19);
    assert_int_equal(rc_kv_lookup(w.kv, &w.t, ask(&w, from + 8, 20)).tokens,
                     8); /* two blocks, then none */
    rc_kv_destroy(w.kv);
}

static void test_gaps(void **state) {
    (void)state;
    behind_a_gap(0);
    behind_a_gap(PAGE - 2); /* over the end of a page, in what is absent and in what is there */
    behind_a_gap(PAGE - 5);
    behind_a_gap(PAGE - 7);
    behind_a_gap(3 * PAGE);
}

/* While a request holds 2 to 5, another one for 0 to 7 holds the same and four more. */
static void test_held_in_the_middle(void **state) {
    (void)state;
    world w;
    begin(&w, 8, false);
    rc_kv_lease inner = admit(&w, ask(&w, 2, 16), 0, 4);
    rc_kv_lease outer = admit(&w, ask(&w, 0, 32), 0, 8);
    rc_kv_filled(w.kv, outer, 32);
    rc_kv_release(w.kv, outer, true);
    assert_int_equal(rc_kv_pinned_blocks(w.kv), 4); /* those of the other one */
    assert_int_equal(rc_kv_lookup(w.kv, &w.t, ask(&w, 0, 32)).tokens, 31);
    rc_kv_release(w.kv, inner, true);
    assert_int_equal(rc_kv_pinned_blocks(w.kv), 0);
    assert_int_equal(kv_verify(w.kv, &err), RC_OK);
    rc_kv_destroy(w.kv);
}

/* Of 12 tokens that are all cached the last is computed again, or its block; of 11 the partial block is one, or none. */
static void test_whole_hits(void **state) {
    (void)state;
    static const struct {
        uint32_t asked, tokens, whole;
    } of[] = {{12, 11, 8}, {11, 10, 8}, {13, 12, 12}, {8, 7, 4}, {4, 3, 0}, {3, 2, 0}, {1, 0, 0}};
    for (int whole = 0; whole < 2; whole++) {
        for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
            world w;
            begin(&w, 16, whole != 0);
            serve(&w, ask(&w, 0, 12), 0);
            const rc_kv_match m = rc_kv_lookup(w.kv, &w.t, ask(&w, 0, of[i].asked));
            assert_int_equal(m.tokens, whole ? of[i].whole : of[i].tokens);
            assert_int_equal(m.fetch, 0);
            rc_kv_destroy(w.kv);
        }
    }
}

/* A trace that tells itself how many tokens were cached is believed where the blocks up to there are. */
static void test_told_prefix(void **state) {
    (void)state;
    static const struct {
        int32_t prefix;
        uint32_t cached, tokens; /* tokens served before */
    } of[] = {{-1, 12, 12}, {6, 12, 6}, {6, 4, 6},  {6, 0, 0},
              {9, 4, 4},    {9, 8, 9},  {0, 12, 0}, {40, 12, 12}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        world w;
        begin(&w, 16, false);
        if (of[i].cached > 0)
            serve(&w, ask(&w, 0, of[i].cached), 0);
        rc_req r = *ask(&w, 0, 20);
        r.prefix = of[i].prefix;
        const uint32_t found = rc_kv_lookup(w.kv, &w.t, &r).tokens;
        if (found != of[i].tokens)
            fail_msg("a prefix of %d behind %u tokens: %u, not %u", of[i].prefix, of[i].cached,
                     found, of[i].tokens);
        rc_kv_destroy(w.kv);
    }
}

/* Whole tokens of each rank, and of all of them together whole blocks; no more than may be counted. */
static void test_capacity(void **state) {
    (void)state;
    static const struct {
        double bytes, token;
        int ranks;
        uint32_t block, blocks;
    } of[] = {{1000.0, 10.0, 1, 16, 6},
              {1000.0, 10.0, 2, 16, 12},
              {1009.0, 10.0, 4, 16, 25},
              {1000.0, 10.0, 1, 1, 100},
              {160.0, 10.0, 1, 16, 1},
              {159.0, 10.0, 1, 16, 0},
              {159.0, 10.0, 2, 16, 1},
              {9.0, 10.0, 100, 1, 0},
              {0.0, 10.0, 1, 16, 0},
              {-1.0, 10.0, 1, 16, 0},
              {1000.0, 0.0, 1, 16, 0},
              {1000.0, -1.0, 1, 16, 0},
              {1.0, 0.5, 1, 1, 2},
              {1e30, 1.0, 1, 1, RC_KV_MOST_BLOCKS},
              {(double)RC_KV_MOST_BLOCKS - 1.0, 1.0, 1, 1, RC_KV_MOST_BLOCKS - 1}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        const uint32_t got = rc_kv_capacity(of[i].bytes, of[i].token, of[i].ranks, of[i].block);
        if (got != of[i].blocks)
            fail_msg("%g bytes of %g on %d: %u blocks, not %u", of[i].bytes, of[i].token,
                     of[i].ranks, got, of[i].blocks);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaps),       cmocka_unit_test(test_held_in_the_middle),
        cmocka_unit_test(test_whole_hits), cmocka_unit_test(test_told_prefix),
        cmocka_unit_test(test_capacity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
