/* A TP group of equal GPUs is one GPU: a pass of one GPU a rank takes as many ticks as one with
 * every GPU of every rank, whatever the costs, the host, slow ranks and links, and overlap.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#define PROGRAMS_FAKE_COSTS
#include "tests/support/programs.h"

static bool pass(prop_case *c, const rc_spec *spec, bool unfold, rc_forward *out) {
    rc_spec s = *spec;
    rc_error err = {0};
    s.unfold = unfold;
    PROP_CHECK(c, rc_forward_run(&s, out, &err) == RC_OK, "%s: %.300s", s.schedule->name, err.msg);
    return true;
}

static bool compare(prop_case *c, const fake_pass *f) {
    rc_forward folded, all;
    const rc_spec *s = &f->spec;
    if (!pass(c, s, false, &folded) || !pass(c, s, true, &all))
        return false;
    PROP_CHECK(c, folded.ticks == all.ticks,
               "%s N %d tp %d eager %d layers %d (%d simulated): %ld folded, %ld unfolded",
               s->schedule->name, s->layout.cp, s->layout.tp, s->eager, s->model->layers,
               folded.layers_simulated, (long)folded.ticks, (long)all.ticks);
    PROP_CHECK(c, all.layers_simulated == s->model->layers, "%d layers", all.layers_simulated);
    PROP_CHECK(c, all.gpus == (uint32_t)(s->layout.tp * s->layout.cp), "%u GPUs", all.gpus);
    PROP_CHECK(c, folded.gpus == (uint32_t)s->layout.cp, "%u GPUs folded", folded.gpus);
    return true;
}

static bool folded_is_unfolded(prop_case *c) {
    fake_pass f;
    fake_draw(c, NULL, 16, 24, &f);
    return compare(c, &f);
}

/* One GPU whose host takes a little less than it does for a layer, so that it gets ahead slowly:
 * layers shorten for a while, and the head, whose norm has one row and is short, may wait for its
 * launches when the layers no longer do. */
static bool folded_with_a_close_host(prop_case *c) {
    fake_pass f;
    fake_draw(c, "tp", 24, 40, &f);
    int64_t launch = prop_range(c, 200, 1000), spare = prop_range(c, 0, 100);
    rc_model *m = &f.x.model;
    f.spec.eager = true;
    f.spec.layout.tp = 1;
    f.spec.seq_count = 1;
    m->kind[0].heads = m->kind[0].kv_heads = 1;
    memset(f.costs.slope, 0, sizeof f.costs.slope);
    f.costs.machine.launch = (double)launch / RC_PS_PER_S;
    f.costs.fixed[FAKE_ELEMENTWISE] = 0;
    f.costs.slope[FAKE_ELEMENTWISE] = 1;
    f.costs.fixed[FAKE_GEMM] = prop_range(c, 0, 2 * launch);
    /* nine launches: four GEMMs, two norms, rotary, SwiGLU, and an attention that takes what is
     * left */
    int64_t t = f.x.seqs[0].t;
    int64_t others = 4 * f.costs.fixed[FAKE_GEMM] + 2 * (t * m->hidden / 64) + t * 1001 / 64 +
                     t * m->kind[0].ffn / 64;
    f.costs.fixed[FAKE_ATTENTION] = 9 * launch + spare - others;
    return f.costs.fixed[FAKE_ATTENTION] < 0 || compare(c, &f);
}

/* Ranks and links that differ: the ring settles in some layers, or is simulated whole. */
static bool folded_with_unequal_ranks(prop_case *c) {
    fake_pass f;
    fake_draw(c,
              prop_one_in(c, 3)   ? "pass-q"
              : prop_one_in(c, 2) ? "pass-kv"
                                  : "all-gather-kv",
              12, 24, &f);
    rc_what_if *w = &f.spec.what_if;
    if (prop_one_in(c, 2)) {
        w->slow_rank = (int)prop_below(c, (uint64_t)f.spec.layout.cp);
        w->slow_speed = 0.125 * (double)prop_range(c, 1, 12);
    }
    if (prop_one_in(c, 2)) {
        w->slow_link_rank = (int)prop_below(c, (uint64_t)f.spec.layout.cp);
        w->slow_link = 0.1 + prop_unit(c);
    }
    if (prop_one_in(c, 2))
        w->overlap_compute = 0.5 + 0.5 * prop_unit(c);
    if (prop_one_in(c, 4))
        w->overlap_comm = 0.5 + 0.5 * prop_unit(c);
    return compare(c, &f);
}

static void test_alike(void **state) {
    (void)state;
    assert_true(prop_run("folded_is_unfolded", folded_is_unfolded, 24));
}

static void test_close_host(void **state) {
    (void)state;
    assert_true(prop_run("folded_with_a_close_host", folded_with_a_close_host, 24));
}

static void test_unequal(void **state) {
    (void)state;
    assert_true(prop_run("folded_with_unequal_ranks", folded_with_unequal_ranks, 24));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alike),
        cmocka_unit_test(test_close_host),
        cmocka_unit_test(test_unequal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
