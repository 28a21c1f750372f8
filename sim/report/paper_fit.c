/* Refitting the machine's parameters: `ringcast paper --fit`.
 *
 * Parameters are positive and act as factors, so they are moved in log space, and a residual is
 * ln(predicted / paper) of a row that some parameter names; each row counts once however many
 * parameters name it. Rows that none names play no part. Nelder and Mead's simplex (GSL nmsimplex2)
 * finds the least sum of squares: the forward time has kinks (a maximum of two paths), where
 * derivatives lie. At the minimum a Jacobian by central differences gives Gauss and Newton's
 * covariance s^2 (J'J)^-1, with s^2 the residual variance over n - k degrees of freedom, and from
 * it, by Student's t, a 90 % interval in log space. A parameter whose column of the Jacobian is
 * next to nothing is not determined by its rows: that is an error, not a wide interval.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>
#include <gsl/gsl_multimin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/quote.h"
#include "sim/report/paper_internal.h"

enum { MAX_ITERATIONS = 400 };
enum { ROUNDS = 2 };        /* the second starts a fresh simplex where the first has ended */
#define FIRST_STEP 0.1      /* of a simplex corner, log space: 10 % */
#define SIZE_DONE 1e-5      /* of the simplex, log space: less than the four digits printed */
#define JACOBIAN_STEP 0.005 /* log space: above the rounding of times, below their kinks */
#define UNSEEN 1e-4         /* a column whose norm is below this is not determined */
#define ONE_SIDE 0.95       /* Student's t at this leaves 90 % between both ends */

typedef struct fit {
    rc_paper *p;
    rc_machine start; /* what the parameters are changed in */
    size_t *rows;     /* indices of the rows fitted on */
    size_t row_count;
    bool *wanted; /* per job */
    int params;
    int evaluations;
    rc_status status; /* the first failure inside the minimiser */
    rc_error error;
} fit;

/* ---- rows ------------------------------------------------------------------------------------ */

static bool takes_part(const fit *f, size_t row) {
    for (size_t i = 0; i < f->row_count; i++)
        if (f->rows[i] == row)
            return true;
    return false;
}

static rc_status add_row(fit *f, const char *parameter, const char *id, rc_error *err) {
    int found = rc_paper_find(f->p, id);
    if (found < 0)
        return rc_fail(err, RC_E_INPUT, "parameter '%s' names row '%s', which does not exist",
                       parameter, id);
    size_t row = (size_t)found;
    const rc_plan *plan = &f->p->plans[row];
    bool usable =
        plan->quantity > RC_Q_NONE && plan->quantity < RC_Q_TIPPING && f->p->rows[row].paper > 0.0;
    for (int i = 0; i < RC_PLAN_JOBS; i++)
        usable = usable &&
                 (plan->job[i] == RC_JOB_NONE || f->p->jobs[plan->job[i]].machine == RC_PAPER_GTT);
    if (!usable)
        return rc_fail(
            err, RC_E_INPUT,
            "parameter '%s' names row '%s': not a figure that this machine can be fitted on",
            parameter, id);
    if (takes_part(f, row))
        return RC_OK;
    f->rows[f->row_count++] = row;
    for (int i = 0; i < RC_PLAN_JOBS; i++)
        if (plan->job[i] != RC_JOB_NONE)
            f->wanted[plan->job[i]] = true;
    return RC_OK;
}

static rc_status collect_rows(fit *f, rc_error *err) {
    for (int k = 0; k < f->params; k++) {
        const rc_fitted *par = &f->start.fitted[k];
        char list[sizeof par->rows], *save = NULL;
        memcpy(list, par->rows, sizeof list);
        for (char *id = strtok_r(list, ", ", &save); id; id = strtok_r(NULL, ", ", &save))
            RC_TRY(add_row(f, par->name, id, err));
        if (!(par->value > 0.0))
            return rc_fail(err, RC_E_INPUT,
                           "parameter '%s' is %g: a fit in log space starts above 0", par->name,
                           par->value);
    }
    if (f->row_count <= (size_t)f->params)
        return rc_fail(err, RC_E_INPUT, "%d parameters cannot be fitted on %zu rows", f->params,
                       f->row_count);
    return RC_OK;
}

/* ---- residuals ------------------------------------------------------------------------------ */

static rc_status residuals_under(fit *f, const rc_costs *view, double *out, rc_error *err) {
    const rc_costs *costs[RC_PAPER_MACHINES] = {view, f->p->costs[RC_PAPER_GTI], view};
    RC_TRY(rc_paper_run_jobs(f->p, costs, f->wanted, false, err));
    for (size_t i = 0; i < f->row_count; i++) {
        double value;
        RC_TRY(rc_paper_value(f->p, costs, f->rows[i], &value, err));
        if (!(value > 0.0))
            return rc_fail(err, RC_E_INPUT, "row '%s' has no prediction to fit",
                           f->p->rows[f->rows[i]].id);
        out[i] = log(value / f->p->rows[f->rows[i]].paper);
    }
    return RC_OK;
}

static rc_status residuals(fit *f, const gsl_vector *theta, double *out, rc_error *err) {
    rc_machine m = f->start;
    rc_costs *view = NULL;
    double values[RC_MAX_FITTED];
    for (int k = 0; k < f->params; k++)
        values[k] = exp(gsl_vector_get(theta, (size_t)k));
    rc_machine_set_fitted(&m, values);
    RC_TRY(rc_costs_view(f->p->costs[RC_PAPER_GTT], &m, &view, err));
    rc_status st = residuals_under(f, view, out, err);
    rc_costs_close(view);
    f->evaluations++;
    return st;
}

static double sum_of_squares(const double *r, size_t n) {
    double s = 0.0;
    for (size_t i = 0; i < n; i++)
        s += r[i] * r[i];
    return s;
}

/* A failure cannot be handed through GSL: it is kept, and the point made unattractive. */
static double objective(const gsl_vector *theta, void *ctx) {
    fit *f = ctx;
    double *r = calloc(f->row_count, sizeof *r), s = HUGE_VAL;
    rc_error err = {0};
    rc_status st =
        r ? residuals(f, theta, r, &err) : rc_fail(&err, RC_E_NOMEM, "out of memory in the fit");
    if (st == RC_OK)
        s = sum_of_squares(r, f->row_count);
    else if (f->status == RC_OK) {
        f->status = st;
        f->error = err;
    }
    free(r);
    return s;
}

static rc_status minimise(fit *f, gsl_vector *theta, rc_error *err) {
    size_t n = (size_t)f->params;
    gsl_multimin_function fn = {objective, n, f};
    gsl_vector *step = gsl_vector_alloc(n);
    gsl_multimin_fminimizer *s =
        gsl_multimin_fminimizer_alloc(gsl_multimin_fminimizer_nmsimplex2, n);
    int stop = !step || !s ? GSL_ENOMEM : GSL_SUCCESS;
    if (stop == GSL_SUCCESS) {
        gsl_vector_set_all(step, FIRST_STEP);
        stop = gsl_multimin_fminimizer_set(s, &fn, theta, step);
    }
    for (int i = 0; i < MAX_ITERATIONS && stop == GSL_SUCCESS && f->status == RC_OK; i++) {
        stop = gsl_multimin_fminimizer_iterate(s);
        if (gsl_multimin_fminimizer_size(s) < SIZE_DONE)
            break;
    }
    if (s && f->status == RC_OK)
        gsl_vector_memcpy(theta, gsl_multimin_fminimizer_x(s));
    if (s)
        gsl_multimin_fminimizer_free(s);
    gsl_vector_free(step);
    if (f->status != RC_OK && err)
        *err = f->error;
    if (f->status != RC_OK)
        return f->status;
    if (stop == GSL_ENOMEM)
        return rc_fail(err, RC_E_NOMEM, "out of memory in the fit");
    return RC_OK; /* GSL_ENOPROG: the simplex cannot shrink further, which is the minimum */
}

/* ---- intervals ------------------------------------------------------------------------------ */

static rc_status jacobian(fit *f, const gsl_vector *theta, gsl_matrix *jac, rc_error *err) {
    double *lo = calloc(f->row_count, sizeof *lo), *hi = calloc(f->row_count, sizeof *hi);
    gsl_vector *at = gsl_vector_alloc((size_t)f->params);
    rc_status st = lo && hi && at ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory in the fit");
    for (size_t k = 0; k < (size_t)f->params && st == RC_OK; k++) {
        gsl_vector_memcpy(at, theta);
        gsl_vector_set(at, k, gsl_vector_get(theta, k) - JACOBIAN_STEP);
        st = residuals(f, at, lo, err);
        gsl_vector_set(at, k, gsl_vector_get(theta, k) + JACOBIAN_STEP);
        if (st == RC_OK)
            st = residuals(f, at, hi, err);
        double norm = 0.0;
        for (size_t i = 0; i < f->row_count && st == RC_OK; i++) {
            double d = (hi[i] - lo[i]) / (2.0 * JACOBIAN_STEP);
            gsl_matrix_set(jac, i, k, d);
            norm = hypot(norm, d);
        }
        if (st == RC_OK && norm < UNSEEN)
            st = rc_fail(err, RC_E_INPUT, "parameter '%s' changes none of the rows it is fitted on",
                         f->start.fitted[k].name);
    }
    gsl_vector_free(at);
    free(lo);
    free(hi);
    return st;
}

/* Standard errors in log space: sqrt(s^2 (J'J)^-1). */
static rc_status standard_errors(const fit *f, const gsl_matrix *jac, double variance, double *out,
                                 rc_error *err) {
    size_t n = (size_t)f->params;
    gsl_matrix *jtj = gsl_matrix_calloc(n, n);
    if (!jtj)
        return rc_fail(err, RC_E_NOMEM, "out of memory in the fit");
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < n; b++) {
            double s = 0.0;
            for (size_t i = 0; i < f->row_count; i++)
                s += gsl_matrix_get(jac, i, a) * gsl_matrix_get(jac, i, b);
            gsl_matrix_set(jtj, a, b, s);
        }
    int bad = gsl_linalg_cholesky_decomp1(jtj);
    if (bad == GSL_SUCCESS)
        bad = gsl_linalg_cholesky_invert(jtj);
    for (size_t k = 0; k < n && bad == GSL_SUCCESS; k++)
        out[k] = sqrt(variance * gsl_matrix_get(jtj, k, k));
    gsl_matrix_free(jtj);
    return bad == GSL_SUCCESS
               ? RC_OK
               : rc_fail(err, RC_E_INPUT,
                         "the rows do not tell the parameters apart: their effects on the "
                         "rows are multiples of one another");
}

static rc_status intervals(fit *f, const gsl_vector *theta, rc_machine *out, double *rms,
                           rc_error *err) {
    double *r = calloc(f->row_count, sizeof *r), sigma[RC_MAX_FITTED];
    gsl_matrix *jac = gsl_matrix_alloc(f->row_count, (size_t)f->params);
    rc_status st =
        r && jac ? residuals(f, theta, r, err) : rc_fail(err, RC_E_NOMEM, "out of memory");
    double dof = (double)f->row_count - f->params;
    double squares = st == RC_OK ? sum_of_squares(r, f->row_count) : 0.0;
    if (st == RC_OK)
        st = jacobian(f, theta, jac, err);
    if (st == RC_OK)
        st = standard_errors(f, jac, squares / dof, sigma, err);
    for (int k = 0; k < f->params && st == RC_OK; k++) {
        double half = gsl_cdf_tdist_Pinv(ONE_SIDE, dof) * sigma[k],
               at = gsl_vector_get(theta, (size_t)k);
        out->fitted[k].value = exp(at);
        out->fitted[k].lo = exp(at - half);
        out->fitted[k].hi = exp(at + half);
    }
    *rms = sqrt(squares / (double)f->row_count);
    if (jac)
        gsl_matrix_free(jac);
    free(r);
    return st;
}

/* ---- output --------------------------------------------------------------------------------- */

static void print_rows(FILE *f, const char *rows) {
    char list[sizeof((rc_fitted *)0)->rows], *save = NULL;
    const char *gap = "";
    (void)snprintf(list, sizeof list, "%s", rows);
    (void)fputs("    rows: [", f);
    for (char *id = strtok_r(list, ", ", &save); id; id = strtok_r(NULL, ", ", &save), gap = ", ")
        (void)fprintf(f, "%s\"%s\"", gap, id);
    (void)fputs("]\n", f);
}

static rc_status print_fit(const fit *f, const rc_machine *m, double rms, FILE *out,
                           rc_error *err) {
    (void)fprintf(out,
                  "# %d parameters on %zu rows: root mean square error %.2f %%, %d evaluations\n",
                  f->params, f->row_count, 100.0 * rms, f->evaluations);
    (void)fputs("# value and 90 % interval (Gauss-Newton covariance, Student's t)\nfitted:\n", out);
    for (int k = 0; k < f->params; k++) {
        const rc_fitted *p = &m->fitted[k];
        (void)fprintf(out, "  - name: %s\n    meaning: ", p->name);
        rc_quote_yaml(out, p->meaning);
        (void)fputs("\n    unit: ", out);
        rc_quote_yaml(out, p->unit);
        (void)fputc('\n', out);
        print_rows(out, p->rows);
        (void)fprintf(out, "    value: %.4g\n    interval: [%.4g, %.4g]\n", p->value, p->lo, p->hi);
    }
    return ferror(out) ? rc_fail(err, RC_E_IO, "cannot write the fit") : RC_OK;
}

static rc_status run_fit(fit *f, FILE *out, rc_error *err) {
    rc_machine m = f->start;
    double rms = 0.0;
    gsl_vector *theta = gsl_vector_alloc((size_t)f->params);
    if (!theta)
        return rc_fail(err, RC_E_NOMEM, "out of memory in the fit");
    for (int k = 0; k < f->params; k++)
        gsl_vector_set(theta, (size_t)k, log(f->start.fitted[k].value));
    rc_status st = RC_OK;
    for (int round = 0; round < ROUNDS && st == RC_OK; round++)
        st = minimise(f, theta, err);
    if (st == RC_OK)
        st = intervals(f, theta, &m, &rms, err);
    gsl_vector_free(theta);
    return st == RC_OK ? print_fit(f, &m, rms, out, err) : st;
}

rc_status rc_paper_fit(rc_paper *p, FILE *out, rc_error *err) {
    assert(out != NULL);
    fit f = {.p = p, .start = p->machine[RC_PAPER_GTT]};
    f.params = f.start.fitted_count;
    if (f.params == 0)
        return rc_fail(
            err, RC_E_INPUT,
            "machine '%s' has no fitted parameters; list them under `fitted:` with the rows "
            "each is to be fitted on",
            f.start.name);
    gsl_error_handler_t *before = gsl_set_error_handler_off();
    f.rows = calloc(p->count, sizeof *f.rows);
    f.wanted = calloc(p->job_count ? p->job_count : 1, sizeof *f.wanted);
    rc_status st = f.rows && f.wanted ? collect_rows(&f, err)
                                      : rc_fail(err, RC_E_NOMEM, "out of memory in the fit");
    if (st == RC_OK)
        st = run_fit(&f, out, err);
    free(f.rows);
    free(f.wanted);
    (void)gsl_set_error_handler(before);
    return st;
}
