/* What the prefix cache assumes of its callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/kv_check.h"
#include "tests/support/trips.h"

enum { BLOCK = 4 };
static rc_span spans[] = {{0, 8}};
static rc_req request = {
    .input = 30, .output = 2, .spans = 1, .named = 8, .session = RC_NO_SESSION, .prefix = -1};
static rc_trace trace = {
    .at = &request, .count = 1, .block = BLOCK, .blocks = 8, .spans = spans, .span_count = 1};

static rc_kv *cache(rc_kv_config c) {
    rc_kv *kv = NULL;
    (void)rc_kv_create(&c, &kv, NULL);
    return kv;
}

static rc_kv *small(void) {
    return cache((rc_kv_config){.block = BLOCK, .capacity = 10, .requests = 2});
}

static rc_kv_lease admitted(rc_kv *kv) {
    rc_kv_lease held = RC_KV_NO_LEASE;
    rc_kv_match match;
    assert_true(rc_kv_admit(kv, &trace, &request, request.input, &held, &match));
    return held;
}

static void test_config(void **state) {
    (void)state;
    trips("c->block >= 1", cache((rc_kv_config){.capacity = 1, .requests = 1}));
    trips("c->capacity >= 1 && c->capacity <= RC_KV_MOST_BLOCKS",
          cache((rc_kv_config){.block = 1, .requests = 1}));
    trips("c->requests >= 1", cache((rc_kv_config){.block = 1, .capacity = 1}));
    trips("ranks >= 1", rc_kv_capacity(1e9, 1e3, 0, 16));
    trips("block >= 1", rc_kv_capacity(1e9, 1e3, 1, 0));
}

static void test_requests(void **state) {
    (void)state;
    rc_kv *kv = small();
    rc_req empty = request, foreign = request;
    rc_kv_lease held;
    rc_kv_match match;
    empty.input = 0;
    foreign.span = 1;
    trips("r->input >= 1", (void)rc_kv_lookup(kv, &trace, &empty));
    trips("(uint64_t)r->span + r->spans <= t->span_count",
          (void)rc_kv_lookup(kv, &trace, &foreign));
    trips("tokens >= 1", (void)rc_kv_admit(kv, &trace, &request, 0, &held, &match));
    rc_kv_destroy(kv);
}

static void test_leases(void **state) {
    (void)state;
    rc_kv *kv = small();
    rc_kv_lease held = admitted(kv);
    trips("at < kv->c.requests", rc_kv_release(kv, RC_KV_NO_LEASE, true));
    trips("kv->leases[at].open", (void)rc_kv_grow(kv, 1 - held, 31));
    trips("kv->pinned == 0", rc_kv_clear(kv, false));
    rc_kv_release(kv, held, true);
    trips("kv->leases[at].open", rc_kv_filled(kv, held, 4));
    rc_kv_destroy(kv);
}

/* Steps of the file that rest on one another. */
static void test_inside(void **state) {
    (void)state;
    rc_kv *kv = small();
    rc_kv_lease held = admitted(kv);
    rc_kv_filled(kv, held, request.input);
    trips("x->list < kv->list_count", list_remove(kv, 0)); /* pinned: in no list */
    rc_kv_release(kv, held, true);
    trips("kv->runs[r].list == NONE", list_push(kv, LIST_ENDED, 0)); /* cached: in a list */
    rc_kv_clear(kv, true);
    trips("l != NONE", evict(kv, 1)); /* nothing is cached */
    const uint32_t r = new_run(kv, 3, 2), other = new_run(kv, 6, 1);
    trips("keep >= 1 && keep < kv->runs[r].count", (void)split(kv, r, 2));
    trips("a->first + a->count == b->first", (void)join(kv, r, other));
    kv->free_run = NONE;
    kv->run_count = kv->run_room;
    trips("kv->free_run != NONE || kv->run_count < kv->run_room", (void)take_run(kv));
    kv->free_page = NONE;
    kv->page_count = kv->page_room;
    trips("kv->free_page != NONE || kv->page_count < kv->page_room", (void)new_page(kv, 99));
    rc_kv_destroy(kv);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_leases),
        cmocka_unit_test(test_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
