/* A context in steady state allocates nothing: passes of structures and sizes seen before, and of
 * sizes never seen. The sources that a replay runs through are compiled into this test with a
 * counting allocator in front of the real one.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

static unsigned long allocations;

static void *counted(void *p) {
    allocations++;
    return p;
}

#define PROGRAMS_FAKE_COSTS
#include "tests/support/programs.h"
#define malloc(n) counted((malloc)(n))
#define calloc(n, m) counted((calloc)(n, m))
#define realloc(p, n) counted((realloc)(p, n))
#include "sim/forward/time.c"
#include "sim/forward/replay.c"
#include "sim/forward/replay_run.c"
#define mix mix_of_a_shape
#include "sim/schedule/program.c"
#undef mix

enum { PASSES = 300 };

static void test_steady_state_allocates_nothing(void **unused) {
    (void)unused;
    static fake_pass passes[PASSES];
    prop_case c = {.state = 7, .size = 12};
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    rc_forward_timing out, again;
    unsigned long replayed = 0;
    assert_non_null(ctx);
    for (int round = 0; round < 2; round++) {
        unsigned long before = allocations;
        for (int i = 0; i < PASSES; i++) {
            fake_pass *f = &passes[i];
            if (round == 0) {
                fake_draw(&c, NULL, 24, 40, f);
                f->spec.costs = &passes[0].costs;
            } else { /* smaller than any before, so that the sizes are new */
                for (size_t s = 0; s < f->spec.seq_count; s++)
                    f->x.seqs[s].t -= f->x.seqs[s].t > f->spec.layout.cp;
            }
            assert_int_equal(rc_forward_time(ctx, &f->spec, &out, NULL), RC_OK);
            replayed += out.path == RC_PATH_REPLAY;
            if (round == 0)
                continue;
            unsigned long now = allocations;
            assert_int_equal(rc_forward_time(ctx, &f->spec, &again, NULL), RC_OK);
            assert_int_equal(again.ticks, out.ticks);
            if (out.path == RC_PATH_REPLAY)
                assert_int_equal(allocations, now);
            else
                before += allocations - now;
        }
        if (round == 0)
            assert_true(allocations > before + PASSES); /* the count does count */
    }
    assert_true(replayed > PASSES);
    rc_forward_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steady_state_allocates_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
