/* All memory of a run is reserved before its first event fires, and a queue in steady state
 * allocates nothing. The engine's sources are compiled into this test with a counting allocator in
 * front of the real one, and a look at the count when the preparation of a run is over.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _DEFAULT_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "sim/engine/sim_internal.h"

static unsigned long allocations, when_prepared;

static void *counted(void *p) {
    allocations++;
    return p;
}

static rc_status watched_prepare(rc_sim *s, rc_error *err) {
    rc_status st = rc_sim_prepare_(s, err);
    when_prepared = allocations;
    return st;
}

#define malloc(n) counted((malloc)(n))
#define calloc(n, m) counted((calloc)(n, m))
#define realloc(p, n) counted((realloc)(p, n))
#define aligned_alloc(a, n) counted((aligned_alloc)(a, n))
#include "sim/engine/eventq.c"
#include "sim/engine/flow.c"
#define rc_sim_prepare_ watched_prepare
#include "sim/engine/execute.c"
#undef rc_sim_prepare_
#include "sim/engine/outcome.c"
#include "sim/engine/prepare.c"
#include "sim/engine/sim.c"

static rc_op_desc random_op(rc_rng *rng, rc_id streams, const rc_id *path) {
    rc_op_desc d = {.kind = (rc_op_kind)rc_rng_below(rng, 3),
                    .stream =
                        rc_rng_below(rng, 10) == 0 ? RC_NONE : (rc_id)rc_rng_below(rng, streams),
                    .klass = (unsigned)rc_rng_below(rng, 4),
                    .duration = (rc_time)rc_rng_below(rng, 1000)};
    if (d.kind == RC_OP_FLOW) {
        d.bytes = (double)rc_rng_below(rng, 100000);
        d.path = path;
        d.path_len = 2;
    }
    return d;
}

/* Streams, loose ops, flows, interference, dependencies, a rendezvous of all streams now and then.
 */
static void build(rc_sim *s, rc_rng *rng, unsigned ops) {
    enum { DOMAINS = 8, STREAMS = 24, LINKS = 6 };
    for (unsigned i = 0; i < DOMAINS; i++)
        (void)rc_sim_domain(s);
    for (unsigned i = 0; i < STREAMS; i++)
        (void)rc_sim_stream(s, i % DOMAINS);
    for (unsigned i = 0; i < LINKS; i++)
        (void)rc_sim_link(s, 1e11);
    rc_sim_interfere(s, 1, 2, 0.7);
    rc_sim_interfere(s, 1, 3, 0.9);
    rc_sim_interfere(s, 2, 2, 0.5);
    for (unsigned i = 0; i < ops; i++) {
        rc_id path[2] = {(rc_id)rc_rng_below(rng, LINKS), (rc_id)rc_rng_below(rng, LINKS)};
        rc_op_desc d = random_op(rng, STREAMS, path);
        rc_id op = rc_sim_op(s, &d);
        assert_true(op != RC_NONE);
        if (op > 0 && rc_rng_below(rng, 2) == 0)
            assert_int_equal(rc_sim_after(s, op, (rc_id)rc_rng_below(rng, op), NULL), RC_OK);
        for (unsigned t = 0; i % 500 == 0 && t < STREAMS; t++)
            (void)rc_sim_op(s, &(rc_op_desc){.kind = RC_OP_RENDEZVOUS,
                                             .stream = t,
                                             .duration = 5,
                                             .group = i,
                                             .group_size = STREAMS});
    }
}

static void test_run_allocates_nothing(void **state) {
    (void)state;
    rc_rng rng;
    rc_rng_seed(&rng, 3);
    rc_error err;
    for (int round = 0; round < 5; round++) {
        rc_sim *s = rc_sim_create();
        build(s, &rng, 5000);
        unsigned long before = allocations;
        assert_int_equal(rc_sim_run(s, &err), RC_OK);
        assert_true(when_prepared > before); /* the count does count */
        assert_int_equal(allocations, when_prepared);
        rc_sim_destroy(s);
    }
}

static void again(void *ctx, uint64_t arg, rc_time now) {
    rc_rng *rng = ((void **)ctx)[1];
    (void)rc_eventq_at(((void **)ctx)[0], now + (rc_time)rc_rng_below(rng, 1000000), again, ctx,
                       arg);
}

static void test_steady_state_allocates_nothing(void **state) {
    (void)state;
    rc_rng rng;
    rc_rng_seed(&rng, 4);
    rc_eventq *q = rc_eventq_create(1);
    void *ctx[2] = {q, &rng};
    rc_event h[1000];
    for (uint64_t i = 0; i < 2000; i++)
        (void)rc_eventq_at(q, (rc_time)i, again, ctx, i);
    for (uint64_t i = 0; i < 1000; i++)
        h[i] = rc_eventq_at(q, RC_TIME_NEVER, again, ctx, i);
    unsigned long before = allocations;
    for (int i = 0; i < 1000000; i++) {
        assert_true(rc_eventq_step(q));
        assert_true(rc_eventq_move(q, h[i % 1000], RC_TIME_NEVER - i));
    }
    assert_int_equal(rc_eventq_size(q), 3000);
    assert_int_equal(allocations, before);
    rc_eventq_destroy(q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_allocates_nothing),
        cmocka_unit_test(test_steady_state_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
