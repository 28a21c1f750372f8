/* A pass that is played from a program of few layers is the program of all its layers, played as it
 * stands: the same trace, the same events in the same order, the same critical path.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#define PROGRAMS_FAKE_COSTS
#include <math.h>
#include "tests/support/programs.h"

#include "sim/forward/internal.h"

static void draw_what_if(prop_case *c, fake_pass *f) {
    rc_what_if *w = &f->spec.what_if;
    if (prop_one_in(c, 2)) {
        w->slow_rank = (int)prop_below(c, (uint64_t)f->spec.layout.cp);
        w->slow_speed = 0.25 + prop_unit(c);
    }
    if (prop_one_in(c, 3)) {
        w->slow_link_rank = (int)prop_below(c, (uint64_t)f->spec.layout.cp);
        w->slow_link = 0.1 + prop_unit(c);
    }
    if (prop_one_in(c, 2))
        w->overlap_compute = 0.5 + 0.5 * prop_unit(c);
    if (prop_one_in(c, 3))
        w->overlap_comm = 0.5 + 0.5 * prop_unit(c);
}

/* By part, walked back along the causes from the op that ended last. */
static void walk(const rc_run *r, double *critical) {
    const rc_sim *sim = r->sim;
    rc_id at = 0;
    while (rc_sim_op_end(sim, at) != rc_sim_end(sim))
        at++;
    while (at != RC_NONE) {
        rc_id cause = rc_sim_op_cause(sim, at);
        rc_time from = cause == RC_NONE ? 0 : rc_sim_op_end(sim, cause);
        const rc_task *t = &r->program->tasks[at];
        critical[r->program->shapes[t->shape].part] +=
            (double)(rc_sim_op_end(sim, at) - from) / RC_PS_PER_S;
        at = cause;
    }
}

static bool same(prop_case *c, const rc_run *r, const rc_forward *out) {
    double critical[RC_P_COUNT] = {0};
    PROP_CHECK(c, rc_sim_end(r->sim) == out->ticks, "it ends apart");
    PROP_CHECK(c, rc_sim_op_count(r->sim) == out->ops, "%zu ops", out->ops);
    PROP_CHECK(c, rc_sim_events(r->sim) == out->events, "not as many events");
    PROP_CHECK(c, rc_sim_trace_hash(r->sim) == out->trace_hash, "another trace");
    walk(r, critical);
    for (int p = 0; p < RC_P_COUNT; p++)
        PROP_CHECK(c, fabs(critical[p] - out->critical[p]) <= 1e-9 * out->time,
                   "%s: %.17g of the critical path, %.17g walked", rc_part_name((rc_part)p),
                   out->critical[p], critical[p]);
    return true;
}

static bool played_is_written_out(prop_case *c) {
    fake_pass f;
    rc_forward out = {0};
    rc_program p;
    rc_run run;
    rc_error err = {0};
    fake_draw(c, NULL, 12, 20, &f);
    f.spec.unfold = prop_one_in(c, 2);
    draw_what_if(c, &f);
    PROP_CHECK(c, rc_play(&f.spec, &out, &err) == RC_OK, "%.300s", err.msg);
    rc_request rq = rc_spec_request(&f.spec, 0);
    PROP_CHECK(c, rc_build_program(&f.spec, &rq, &p, &err) == RC_OK, "%.300s", err.msg);
    PROP_CHECK(c, rc_run_program(&f.spec, &f.costs, &p, NULL, &run, &err) == RC_OK, "%.300s",
               err.msg);
    if (!same(c, &run, &out))
        return false;
    rc_run_free(&run);
    rc_program_free(&p);
    return true;
}

static void test_played(void **state) {
    (void)state;
    assert_true(prop_run("played_is_written_out", played_is_written_out, 60));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_played)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
