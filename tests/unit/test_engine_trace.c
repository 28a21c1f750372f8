/* One fixed program whose trace is pinned: the order of events and every rounding are the same on
 * every compiler and optimisation level. A change of this number is a change of results.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/engine/engine.h"

enum { GPUS = 8, STEPS = 200 };

/* A made-up ring: compute, a transfer to the neighbour through shared links, a collective now and
 * then; odd numbers everywhere, so that rounding shows. */
static rc_sim *ring(void) {
    rc_sim *s = rc_sim_create();
    rc_rng rng;
    rc_rng_seed(&rng, 42);
    rc_id compute[GPUS], copy[GPUS], tx[GPUS], last[GPUS], spine = rc_sim_link(s, 123.4e9);
    for (unsigned g = 0; g < GPUS; g++) {
        rc_id d = rc_sim_domain(s);
        rc_sim_domain_speed(s, d, 1.0 - 0.013 * g);
        compute[g] = rc_sim_stream(s, d);
        copy[g] = rc_sim_stream(s, d);
        tx[g] = rc_sim_link(s, 26.1e9);
    }
    rc_sim_interfere(s, 1, 2, 0.87);
    rc_sim_interfere(s, 1, 3, 0.61);
    for (unsigned i = 0; i < STEPS; i++) {
        for (unsigned g = 0; g < GPUS; g++) {
            rc_id path[3] = {tx[g], spine, tx[(g + 1) % GPUS]};
            rc_id work = rc_sim_op(
                s, &(rc_op_desc){.kind = RC_OP_WORK,
                                 .stream = compute[g],
                                 .klass = 1,
                                 .duration = 600000000 + (rc_time)rc_rng_below(&rng, 1000000)});
            rc_id send = rc_sim_op(s, &(rc_op_desc){.kind = RC_OP_FLOW,
                                                    .stream = copy[g],
                                                    .klass = 2,
                                                    .duration = 7000001,
                                                    .bytes = 16.4e6 / 3,
                                                    .path = path,
                                                    .path_len = 3,
                                                    .max_rate = i % 7 == 0 ? 11.3e9 : 0});
            if (i > 0)
                (void)rc_sim_after(s, work, last[(g + GPUS - 1) % GPUS], NULL);
            last[g] = send;
        }
        for (unsigned g = 0; i % 5 == 4 && g < GPUS; g++)
            (void)rc_sim_op(s, &(rc_op_desc){.kind = RC_OP_RENDEZVOUS,
                                             .stream = compute[g],
                                             .klass = 3,
                                             .duration = 30000000 + g,
                                             .group = i,
                                             .group_size = GPUS});
    }
    return s;
}

static void test_pinned(void **state) {
    (void)state;
    rc_sim *s = ring();
    rc_sim_keep_all(s);
    assert_int_equal(rc_sim_run(s, NULL), RC_OK);
    print_message("trace hash 0x%016llx, %llu events, end %lld ps\n",
                  (unsigned long long)rc_sim_trace_hash(s), (unsigned long long)rc_sim_events(s),
                  (long long)rc_sim_end(s));
    assert_true(rc_sim_trace_hash(s) == 0xeb3e5927698f6298u);
    rc_sim_destroy(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pinned)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
