/* What validation assumes of its callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/validate/learn_errors.h"
#include "sim/validate/baseline.h"
#include "sim/validate/launches.h"

static rc_error err;

static void test_runs(void **state) {
    (void)state;
    const rc_measured_run run = {.layers = 1};
    const rc_predict_options once = {.draws = 0};
    rc_runs none = {0}, lost = {.n = 1};
    trips("(unsigned)s < RC_SET_COUNT", (void)rc_run_set_name(RC_SET_COUNT));
    trips("(unsigned)m < RC_METHODS", (void)rc_method_name(RC_METHODS));
    trips("s != NULL", (void)rc_run_is(&run, NULL));
    trips("seen != NULL || seen_count == 0", (void)rc_runs_assign(&none, NULL, 1, NULL, 0, &err));
    trips("unseen != NULL || unseen_count == 0",
          (void)rc_runs_assign(&none, NULL, 0, NULL, 1, &err));
    trips("r->v != NULL || r->n == 0", (void)rc_runs_predict(&lost, &once, &err));
    trips("o != NULL && o->draws >= 0", (void)rc_runs_predict(&none, NULL, &err));
}

static void test_accuracy(void **state) {
    (void)state;
    const rc_runs none = {0};
    const rc_limits below = {-1.0, 8.0};
    FILE *volatile nowhere = NULL;
    trips("(unsigned)m < RC_METHODS && set < (int)RC_SET_COUNT",
          (void)rc_runs_accuracy(&none, RC_METHODS, -1, NULL, NULL));
    trips("out != NULL || room == 0", (void)rc_runs_crossovers(&none, NULL, 1));
    trips("l->median_pct >= 0.0 && l->p95_pct >= 0.0", (void)rc_runs_check(&none, &below, &err));
    trips("f != NULL", (void)rc_runs_print(&none, nowhere, &err));
}

static void test_others(void **state) {
    (void)state;
    const rc_program program = {0};
    const rc_machine none = {0};
    const char *volatile no_name = NULL;
    double roofline, alpha_beta;
    rc_cross cross;
    trips("m->bf16_rate > 0.0 && m->hbm_rate > 0.0",
          rc_baselines(&program, &none, "nvlink", &roofline, &alpha_beta));
    trips("from != NULL && to != NULL",
          (void)rc_cross_predict(NULL, no_name, "h200-sxm", &cross, &err));
    const rc_draw nothing = {.cases = 1};
    trips("d->ranks != NULL && d->count > 0 && d->transport != NULL && d->prefix != NULL",
          (void)rc_draw_cases(&nothing, "x.csv", false, &err));
}

static void test_learn(void **state) {
    (void)state;
    const rc_runs none = {0};
    const rc_learnt nothing = {.n = 0};
    trips("r != NULL && out != NULL", rc_runs_learn_errors(&none, NULL, &err));
    trips("l != NULL && path != NULL", rc_learnt_write(&nothing, NULL, false, &err));
    trips("l != NULL && f != NULL", rc_learnt_print(&nothing, NULL, &err));
}

static void test_explain(void **state) {
    (void)state;
    const rc_runs none = {0};
    rc_run_parts parts = {.calls = {0}};
    rc_template of_layers;
    const rc_program template = {.layers_of = &of_layers};
    FILE *volatile nowhere = NULL;
    trips("program->layers_of == NULL", rc_run_parts_simulated(&parts, &template, NULL));
    trips("rows != NULL && p->layers_of == NULL", (void)rc_mean_launch(NULL, "m", &template, 1.0));
    trips("pattern != NULL && f != NULL", (void)rc_runs_explain(&none, "*", nowhere, &err));
    trips("pattern != NULL && f != NULL", (void)rc_runs_explain_parts(&none, "*", nowhere, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),    cmocka_unit_test(test_accuracy),
        cmocka_unit_test(test_others),  cmocka_unit_test(test_learn),
        cmocka_unit_test(test_explain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
