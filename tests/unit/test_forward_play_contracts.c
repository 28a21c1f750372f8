/* What laying out and playing a pass assume of their callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#define PROGRAMS_FAKE_COSTS
#include "tests/support/programs.h"

#include "sim/forward/internal.h"

static fake_pass f;

static int setup(void **state) {
    (void)state;
    memset(&f, 0, sizeof f);
    prop_case c = {.state = 1, .size = 8};
    do
        fake_draw(&c, "pass-kv", 6, 12, &f);
    while (f.spec.layout.cp == 1);
    return 0;
}

static void test_size(void **state) {
    (void)state;
    rc_program p;
    bool all;
    trips("repeats >= 0", rc_build_repeats(&f.spec, -1, &p, &all, NULL));
    trips("z->tasks >= 0 && z->deps >= 0", rc_engine_bytes(&(rc_program_size){.tasks = -1}));
}

static void test_playing(void **state) {
    (void)state;
    rc_program p = {0}, two;
    rc_run run;
    bool all;
    rc_forward out;
    rc_spec unfolded = f.spec;
    unfolded.unfold = true;
    trips("!spec->unfold", (void)rc_fold_play(&unfolded, &out, &all, NULL));
    const rc_task none = {0};
    run = (rc_run){.spec = &f.spec, .program = &p};
    trips("took >= 0", (void)rc_run_basis(&run, &none, -1));
    rc_shape shape = {.kind = RC_T_MARK};
    rc_time covered = 0;
    double basis[RC_BASIS_COUNT] = {0};
    p.shapes = &shape;
    trips("times >= 1",
          rc_run_add_work(&run, &none, (rc_task_span){0, 1}, 0, &covered, basis, &out));
    trips("program->task_count > 0", rc_run_program(&f.spec, &f.costs, &p, NULL, &run, NULL));
    assert_int_equal(rc_build_repeats(&f.spec, 2, &two, &all, NULL), RC_OK);
    /* the second layer, whose messages wait for the first, is not in the template behind it */
    uint16_t stands[] = {0, 1, 2}, repetition[] = {0, 1, 2}, template[] = {0, 2, 3};
    rc_repeats wrong = {two.layers, stands, repetition, template};
    assert_false(rc_repeats_fit(&wrong, &two));
    trips("back == 0 || back == 1",
          rc_run_layers(&f.spec, &f.costs, &two, &wrong, NULL, true, &run, NULL));
    assert_int_equal(rc_run_program(&f.spec, &f.costs, &two, NULL, &run, NULL), RC_OK);
    trips("task < r->program->task_count", rc_run_span(&run, (uint32_t)two.task_count, 0));
    run.repeats = &wrong;
    trips("!r->repeats || (layer >= 0 && layer <= r->repeats->layers)",
          rc_run_span(&run, 0, two.layers + 1));
    rc_run_free(&run);
    rc_program_free(&two);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_size, setup),
                                       cmocka_unit_test_setup(test_playing, setup)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
