/* How a fit ends: settled, at a kink, without having settled, or where a point failed; the minimiser is stated.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_multifit_nlinear.h>
#include <string.h>

static int begins, ends; /* what the minimiser says */
static size_t most;      /* steps that it was allowed */

static int stated_init(const gsl_vector *x, gsl_multifit_nlinear_fdf *fdf,
                       gsl_multifit_nlinear_workspace *w) {
    (void)fdf;
    gsl_vector_memcpy(w->x, x);
    gsl_vector_set(w->x, 0, 7.0);
    return begins;
}

static int stated_driver(size_t steps) {
    most = steps;
    return ends;
}

#define gsl_multifit_nlinear_init stated_init
#define gsl_multifit_nlinear_driver(steps, xtol, gtol, ftol, call, args, info, w)                  \
    (*(info) = 0, stated_driver(steps))
#include "sim/report/paper_refit.c"

static void test_ends(void **state) {
    (void)state;
    static const struct {
        int begins, ends;
        rc_status point, status;
        const char *says;
    } t[] = {
        {GSL_SUCCESS, GSL_SUCCESS, RC_OK, RC_OK, ""},
        {GSL_SUCCESS, GSL_ENOPROG, RC_OK, RC_OK, ""},
        {GSL_SUCCESS, GSL_EMAXITER, RC_OK, RC_E_INPUT, "the fit has not settled after 60 steps"},
        {GSL_SUCCESS, GSL_EFAILED, RC_E_INPUT, RC_E_INPUT, "a point"},
        {GSL_EFAILED, GSL_SUCCESS, RC_E_NOMEM, RC_E_NOMEM, "a point"},
        {GSL_SUCCESS, GSL_EMAXITER, RC_E_NOMEM, RC_E_NOMEM, "a point"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        for (int told = 0; told < 2; told++) {
            static fit f;
            rc_error err = {0};
            gsl_vector *theta = gsl_vector_calloc(1);
            assert_non_null(theta);
            f = (fit){.params = 1, .row_count = 3, .status = t[i].point};
            if (t[i].point != RC_OK)
                (void)rc_fail(&f.error, t[i].point, "a point");
            begins = t[i].begins, ends = t[i].ends;
            most = 0;
            assert_int_equal(minimise(&f, theta, told ? &err : NULL), t[i].status);
            assert_string_equal(err.msg, told ? t[i].says : "");
            assert_int_equal(most, t[i].begins == GSL_SUCCESS ? 60 : 0);
            assert_true(gsl_vector_get(theta, 0) == 7.0);
            gsl_vector_free(theta);
        }
}

/* A row takes part once, with the jobs that it has. */
static void test_rows(void **state) {
    (void)state;
    static rc_plan plans[3] = {{.job = {0, RC_JOB_NONE, 2, RC_JOB_NONE}},
                               {.job = {RC_JOB_NONE, RC_JOB_NONE, RC_JOB_NONE, RC_JOB_NONE}},
                               {.job = {4, 4, RC_JOB_NONE, 5}}};
    static rc_paper p = {.plans = plans, .count = 3};
    size_t rows[6] = {0};
    bool wanted[6] = {false};
    fit f = {.p = &p, .rows = rows, .wanted = wanted};
    static const size_t taken[] = {2, 2, 0, 2, 0, 1, 1, 2}, want[] = {1, 1, 2, 2, 2, 3, 3, 3};
    for (int i = 0; i < 8; i++) {
        take_row(&f, taken[i]);
        assert_int_equal(f.row_count, want[i]);
    }
    assert_true(rows[0] == 2 && rows[1] == 0 && rows[2] == 1);
    static const bool jobs[] = {true, false, true, false, true, true};
    for (int i = 0; i < 6; i++)
        assert_int_equal(wanted[i], jobs[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ends), cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
