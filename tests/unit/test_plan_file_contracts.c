/* What reading a plan, playing its trials and writing its answer assume (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/plan/plan_file.c"
#include "sim/plan/plan_load.c"
#include "sim/plan/plan_plot.c"
#include "sim/plan/plan_trial.c"
#include "sim/plan/plan_write.c"
#include "tests/support/trips.h"

static rc_error err;
static rc_plan_file file;

static void test_reading(void **state) {
    (void)state;
    rc_plan_ints some = {.n = 1}, none = {.n = 0};
    rc_plan_file out;
    trips("out->n == 0", (void)read_between(NULL, 1, 2, &some, &err));
    trips("lo <= hi", (void)read_between(NULL, 2, 1, &none, &err));
    trips("doc != NULL", (void)rc_plan_read(NULL, NULL, 0, &out, &err));
    trips("p->offer_count >= 1", (void)complete(NULL, &file.plan, &err));
    file.plan.offer_count = 1;
    trips("p->space.tp.n >= 1 && p->space.cp.n >= 1", (void)complete(NULL, &file.plan, &err));
}

static void test_trials(void **state) {
    (void)state;
    static rc_serve s;
    rc_plan_trial t = {.option = {.prefill = 1, .offer = 1}, .growth = 1.0};
    file.plan.offer_count = 1;
    trips("o->offer >= 0 && o->offer < p->offer_count", rc_plan_serve(&file, &t, &s));
    t.option.offer = 0;
    t.growth = 0.0;
    trips("t->growth > 0.0", rc_plan_serve(&file, &t, &s));
    t.growth = 1.0; /* but nothing of the machine */
    trips("t->matrix > 0.0 && t->hbm > 0.0 && t->network > 0.0 && t->memory > 0.0",
          rc_plan_serve(&file, &t, &s));
}

static void test_load(void **state) {
    (void)state;
    const rc_trace empty = {0};
    rc_plan_class *classes;
    size_t count;
    uint32_t prefix = 0;
    trips("t->count >= 1", (void)classify(&file.plan, &empty, &prefix, &classes, &count, &err));
}

static void test_writing(void **state) {
    (void)state;
    const rc_plan_answer none = {.best = -1};
    const rc_plan_result out_of_memory = {.outcome = {.fits = false}};
    trips("path != NULL", (void)rc_plan_save_scenario(&file, &none, NULL, false, &err));
    trips("a->best >= 0 && (size_t)a->best < a->all_count", print_about(&file, &none));
    trips("a->best >= 0 && (size_t)a->best < a->all_count",
          (void)print_objectives(&file, &none, &err));
    trips("r->outcome.fits", point(stdout, &out_of_memory));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_trials),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
