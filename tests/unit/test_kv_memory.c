/* A prefix cache with each allocation failing once, and then with all failing from there on: it says that memory ran out, or
 * answers as if nothing had been, and nothing is left held.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/kv/kv.h"
#include "tests/support/starve.h"

#ifdef STARVE_OFF
static void test_starved(void **state) {
    (void)state;
    skip(); /* a sanitizer's allocator is not to be replaced */
}
#else
enum { BLOCK = 4, REQUESTS = 300, ASKED = 70, PLACES = 9000, OPEN = 4 };

typedef struct job {
    rc_kv_policy policy;
    uint32_t capacity, host;
    bool created, starved;
    uint64_t sum; /* of all answers */
} job;

static rc_span spans[REQUESTS];
static rc_req requests[REQUESTS];
static const rc_trace trace = {.at = requests,
                               .count = REQUESTS,
                               .block = BLOCK,
                               .blocks = PLACES + ASKED,
                               .spans = spans,
                               .span_count = REQUESTS,
                               .sessions = REQUESTS};

/* Requests of blocks in a row, which begin anywhere: rows overlap, so that what is held falls into more and more pieces. */
static void ask(void) {
    for (uint32_t i = 0; i < REQUESTS; i++) {
        spans[i] = (rc_span){i * 5417 % PLACES, ASKED};
        requests[i] = (rc_req){.input = ASKED * BLOCK,
                               .output = 50,
                               .span = i,
                               .spans = 1,
                               .named = ASKED,
                               .session = i,
                               .prefix = -1};
    }
}

static void serve(rc_kv *kv, uint32_t i, rc_kv_lease *held, uint64_t *sum) {
    rc_kv_match m = {0};
    rc_kv_lease *own = &held[i % OPEN];
    if (*own != RC_KV_NO_LEASE)
        rc_kv_release(kv, *own, true);
    *own = RC_KV_NO_LEASE;
    const bool in = rc_kv_admit(kv, &trace, &requests[i], ASKED * BLOCK / 2, own, &m);
    if (in) {
        *sum = 31 * *sum + rc_kv_grow(kv, *own, ASKED * BLOCK + 50);
        rc_kv_filled(kv, *own, ASKED * BLOCK);
    } else {
        *own = RC_KV_NO_LEASE;
    }
    *sum = 31 * *sum + in + m.tokens + 7 * m.fetch + 3 * (uint64_t)m.blocks;
    *sum = 31 * *sum + rc_kv_pinned_blocks(kv) + rc_kv_has(kv, i * 5417 % PLACES);
}

static void play(void *x) {
    job *j = x;
    rc_kv *kv = NULL;
    rc_kv_lease held[OPEN];
    const rc_kv_config c = {.block = BLOCK,
                            .capacity = j->capacity,
                            .host = j->host,
                            .requests = OPEN,
                            .sessions = REQUESTS,
                            .policy = j->policy};
    j->starved = false;
    j->sum = 0;
    j->created = rc_kv_create(&c, &kv, NULL) == RC_OK;
    for (uint32_t i = 0; i < OPEN; i++)
        held[i] = RC_KV_NO_LEASE;
    for (uint32_t i = 0; j->created && i < REQUESTS; i++)
        serve(kv, i, held, &j->sum);
    for (uint32_t i = 0; i < OPEN; i++)
        if (held[i] != RC_KV_NO_LEASE)
            rc_kv_release(kv, held[i], true);
    if (j->created) {
        j->starved = rc_kv_starved(kv);
        j->sum = 31 * j->sum + rc_kv_pinned_blocks(kv);
    }
    rc_kv_destroy(kv);
}

static void starve_cache(rc_kv_policy policy, uint32_t capacity, uint32_t host) {
    job j = {.policy = policy, .capacity = capacity, .host = host};
    starve_at(-1, play, &j);
    const uint64_t sum = j.sum;
    const long calls = starve.calls;
    assert_true(j.created && !j.starved && starve.live == 0);
    for (long n = 0; n < calls; n++)
        for (int for_good = 0; for_good < 2; for_good++) {
            (for_good ? starve_from : starve_at)(n, play, &j);
            if (j.created && !j.starved && j.sum != sum)
                fail_msg("call %ld of %ld%s is not told", n, calls, for_good ? " and on" : "");
            if (for_good && j.created && !j.starved)
                fail_msg("call %ld of %ld and all behind it are not told", n, calls);
            assert_int_equal(starve.live, 0);
        }
}

static void test_starved(void **state) {
    (void)state;
    ask();
    starve_cache(RC_KV_LRU, 20000, 0);
    starve_cache(RC_KV_LRU, 500, 700);
    starve_cache(RC_KV_SESSION, 900, 0);
    starve_cache(RC_KV_OFF, 900, 0);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_starved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
