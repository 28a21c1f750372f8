/* What machines assume of their callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/machine/fields.h"

static void test_machines(void **state) {
    (void)state;
    rc_error err = {0};
    rc_machine m = {.memory = 80e9, .memory_fraction = 1.5}, out;
    trips("sets != NULL || set_count == 0",
          (void)rc_machine_parse_set("x.yaml", "", 0, NULL, 1, &out, &err));
    trips("sets != NULL || set_count == 0",
          (void)rc_machine_load_set("x.yaml", NULL, 1, &out, &err));
    trips("m->memory_fraction >= 0.0 && m->memory_fraction <= 1.0", (void)rc_machine_usable(&m));
    trips("strlen(m->stand_in) > 0", (void)rc_machine_on_stand_in(&m));
    volatile rc_source beyond = RC_SOURCES;
    trips("s < RC_SOURCES", (void)rc_source_name(beyond));
    trips("node > 0 && tp > 0 && cp > 0", (void)rc_machine_nodes(&m, 8, 0));
}

static void test_numbers(void **state) {
    (void)state;
    rc_machine m = {.fitted_count = 1};
    const rc_machine_number text = {"gpu", "gpu.name", 0};
    trips("k != NULL && k->kind == RC_KEY_NUMBER", (void)rc_machine_number_key(&text));
    trips("rc_machine_number_find(key) != NULL", (void)rc_machine_overridden(&m, "no such number"));
    trips("rc_machine_number_find(key) != NULL", (void)rc_machine_inert(&m, "no such number"));
    trips("values != NULL || m->fitted_count == 0", rc_machine_set_fitted(&m, NULL));
    m.fitted_count = RC_MAX_FITTED + 1;
    trips("m->fitted_count >= 0 && m->fitted_count <= RC_MAX_FITTED",
          rc_machine_set_fitted(&m, NULL));
}

static void test_model_errors(void **state) {
    (void)state;
    rc_error err;
    const rc_model_errors none = {.n = 0};
    const rc_model_error e = {.share = 0.1};
    double p5 = 0.0, p95 = 1.0;
    volatile int kind = RC_PASS_KINDS;
    trips("k < RC_PASS_KINDS", (void)rc_pass_kind_name((rc_pass_kind)kind));
    trips("path != NULL && out != NULL", rc_model_errors_read("x.csv", NULL, &err));
    trips("e != NULL && transport != NULL", (void)rc_model_error_find(&none, NULL, RC_PASS_DECODE));
    trips("e != NULL && layer > 0.0", (void)rc_model_error_half(&e, p5));
    trips("half >= 0.0 && *p5 > 0.0 && *p95 > 0.0", rc_model_error_widen(0.1, 1.0, &p5, &p95));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machines),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_model_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
