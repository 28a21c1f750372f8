/* Refitting the machine's parameters, for `ringcast paper --fit` and `--leave-out`.
 *
 * Parameters are positive and act as factors, so they are moved in log space, and a residual is
 * ln(predicted / paper) of a row that some parameter names; each row counts once however many
 * parameters name it. Rows that none names play no part. Levenberg and Marquardt's method (GSL)
 * finds the least sum of squares. Its derivatives are central differences: the forward time has
 * kinks (a maximum of two paths), and the differences reach over them. At the minimum the Jacobian
 * gives Gauss and Newton's covariance s^2 (J'J)^-1, with s^2 the residual variance over n - k
 * degrees of freedom, and from it, by Student's t, a 90 % interval in log space. A parameter whose
 * column of the Jacobian is next to nothing is not determined by its rows: that is an error, not a
 * wide interval.
 *
 * Where rows are left out, a parameter is fitted on those of its rows that are left. One that has
 * none left borrows: the fit then takes every compared time of the other tables that the parameter
 * moves. One that moves none of them is not fitted, and takes what the file states beside the fit.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>
#include <gsl/gsl_multifit_nlinear.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/report/paper_internal.h"

enum { MAX_ITERATIONS = 60 };
#define STEP_DONE 1e-5      /* of a parameter's logarithm, relative: less than the digits printed */
#define SLOPE_DONE 1e-9     /* of the sum of squares */
#define JACOBIAN_STEP 0.005 /* log space: above the rounding of times, below their kinks */
#define UNSEEN 1e-4         /* a column whose norm is below this is not determined */
#define MOVES 0.05 /* a time that a parameter moves: by 5 % of what the parameter moves, or more */
#define ONE_SIDE 0.95 /* Student's t at this leaves 90 % between both ends */
#define FAR_AWAY 1e3  /* residual at a point that the machine cannot be: the step is taken back */

typedef struct fit {
    rc_paper *p;
    rc_machine start;     /* what the parameters are changed in */
    const bool *left_out; /* per row; NULL: none */
    size_t *rows;         /* indices of the rows fitted on */
    size_t row_count;
    bool *wanted;                      /* per job */
    int params;                        /* those that are fitted ... */
    int of[RC_MAX_FITTED];             /* ... and which of start.fitted each is */
    rc_refit_rows from[RC_MAX_FITTED]; /* of start.fitted */
    int evaluations;
    rc_status status; /* the last failure inside the minimiser */
    rc_error error;
} fit;

/* ---- rows ------------------------------------------------------------------------------------ */

static bool takes_part(const fit *f, size_t row) {
    for (size_t i = 0; i < f->row_count; i++)
        if (f->rows[i] == row)
            return true;
    return false;
}

static void take_row(fit *f, size_t row) {
    const rc_plan *plan = &f->p->plans[row];
    if (takes_part(f, row))
        return;
    f->rows[f->row_count++] = row;
    for (int i = 0; i < RC_PLAN_JOBS; i++)
        if (plan->job[i] != RC_JOB_NONE)
            f->wanted[plan->job[i]] = true;
}

static bool is_of_machine(const rc_paper *p, size_t row) {
    const rc_plan *plan = &p->plans[row];
    bool usable =
        plan->quantity > RC_Q_NONE && plan->quantity < RC_Q_TIPPING && p->rows[row].paper > 0.0;
    for (int i = 0; i < RC_PLAN_JOBS; i++)
        usable = usable &&
                 (plan->job[i] == RC_JOB_NONE || p->jobs[plan->job[i]].machine == RC_PAPER_GTT);
    return usable;
}

static rc_status add_row(fit *f, int parameter, const char *id, rc_error *err) {
    const char *name = f->start.fitted[parameter].name;
    int row = rc_paper_find(f->p, id);
    if (row < 0)
        return rc_fail(err, RC_E_INPUT, "parameter '%s' names row '%s', which does not exist", name,
                       id);
    if (!is_of_machine(f->p, (size_t)row))
        return rc_fail(
            err, RC_E_INPUT,
            "parameter '%s' names row '%s': not a figure that this machine can be fitted on", name,
            id);
    if (f->left_out && f->left_out[row])
        return RC_OK;
    f->from[parameter] = RC_REFIT_OWN;
    take_row(f, (size_t)row);
    return RC_OK;
}

static rc_status own_rows(fit *f, rc_error *err) {
    for (int k = 0; k < f->start.fitted_count; k++) {
        const rc_fitted *par = &f->start.fitted[k];
        char list[sizeof par->rows], *save = NULL;
        f->from[k] = RC_REFIT_STATED;
        memcpy(list, par->rows, sizeof list);
        for (char *id = strtok_r(list, ", ", &save); id; id = strtok_r(NULL, ", ", &save))
            RC_TRY(add_row(f, k, id, err));
        if (!(par->value > 0.0))
            return rc_fail(err, RC_E_INPUT,
                           "parameter '%s' is %g: a fit in log space starts above 0", par->name,
                           par->value);
    }
    return RC_OK;
}

/* ---- residuals ------------------------------------------------------------------------------ */

/* NaN for a row without a prediction. */
static rc_status residuals_under(fit *f, const rc_costs *view, double *out, rc_error *err) {
    const rc_costs *costs[RC_PAPER_MACHINES] = {view, f->p->costs[RC_PAPER_GTI], view};
    RC_TRY(rc_paper_run_jobs(f->p, costs, f->wanted, false, err));
    for (size_t i = 0; i < f->row_count; i++) {
        double value;
        RC_TRY(rc_paper_value(f->p, costs, f->rows[i], &value, err));
        out[i] = value > 0.0 ? log(value / f->p->rows[f->rows[i]].paper) : NAN;
    }
    return RC_OK;
}

/* `values` of all of start.fitted. */
static rc_status residuals_with(fit *f, const double *values, double *out, rc_error *err) {
    rc_machine m = f->start;
    rc_costs *view = NULL;
    rc_machine_set_fitted(&m, values);
    RC_TRY(rc_costs_view(f->p->costs[RC_PAPER_GTT], &m, &view, err));
    rc_status st = residuals_under(f, view, out, err);
    rc_costs_close(view);
    f->evaluations++;
    return st;
}

static void values_at(const fit *f, const gsl_vector *theta, double *values) {
    for (int k = 0; k < f->start.fitted_count; k++)
        values[k] = f->start.fitted[k].stated;
    for (int k = 0; k < f->params; k++)
        values[f->of[k]] = exp(gsl_vector_get(theta, (size_t)k));
}

static rc_status residuals(fit *f, const gsl_vector *theta, double *out, rc_error *err) {
    double values[RC_MAX_FITTED];
    values_at(f, theta, values);
    RC_TRY(residuals_with(f, values, out, err));
    for (size_t i = 0; i < f->row_count; i++)
        if (!isfinite(out[i]))
            return rc_fail(err, RC_E_INPUT, "row '%s' has no prediction to fit",
                           f->p->rows[f->rows[i]].id);
    return RC_OK;
}

/* ---- rows that a parameter without any left borrows ------------------------------------------ */

static bool may_be_borrowed(const fit *f, size_t row) {
    const rc_plan *plan = &f->p->plans[row];
    const rc_paper_row *r = &f->p->rows[row];
    return !f->left_out[row] && r->role == RC_ROLE_COMPARED && r->duplicate_of < 0 &&
           plan->quantity >= RC_Q_TIME && plan->quantity <= RC_Q_WHOLE && is_of_machine(f->p, row);
}

/* Adds the rows of `all` that parameter k moves. lo and hi are scratch for all of them. */
static rc_status borrow(fit *f, fit *all, int k, double *lo, double *hi, rc_error *err) {
    double values[RC_MAX_FITTED];
    for (int i = 0; i < f->start.fitted_count; i++)
        values[i] = f->start.fitted[i].value;
    values[k] = f->start.fitted[k].value * exp(-JACOBIAN_STEP);
    RC_TRY(residuals_with(all, values, lo, err));
    values[k] = f->start.fitted[k].value * exp(JACOBIAN_STEP);
    RC_TRY(residuals_with(all, values, hi, err));
    for (size_t i = 0; i < all->row_count; i++) {
        if (!(fabs(hi[i] - lo[i]) >= MOVES * 2.0 * JACOBIAN_STEP))
            continue;
        take_row(f, all->rows[i]);
        f->from[k] = RC_REFIT_BORROWED;
    }
    return RC_OK;
}

static rc_status borrowed_rows(fit *f, fit *all, rc_error *err) {
    size_t n = f->p->count;
    double *lo = calloc(n + 1, sizeof *lo), *hi = calloc(n + 1, sizeof *hi);
    all->rows = calloc(n + 1, sizeof *all->rows);
    all->wanted = calloc(f->p->job_count + 1, sizeof *all->wanted);
    rc_status st = lo && hi && all->rows && all->wanted
                       ? RC_OK
                       : rc_fail(err, RC_E_NOMEM, "out of memory in the fit");
    for (size_t i = 0; i < n && st == RC_OK; i++)
        if (may_be_borrowed(f, i))
            take_row(all, i);
    for (int k = 0; k < f->start.fitted_count && st == RC_OK; k++)
        if (f->from[k] == RC_REFIT_STATED)
            st = borrow(f, all, k, lo, hi, err);
    free(lo);
    free(hi);
    free(all->rows);
    free(all->wanted);
    return st;
}

static rc_status collect_rows(fit *f, rc_error *err) {
    fit all = {.p = f->p, .start = f->start};
    bool lacking = false;
    RC_TRY(own_rows(f, err));
    for (int k = 0; k < f->start.fitted_count; k++)
        lacking = lacking || f->from[k] == RC_REFIT_STATED;
    if (lacking && f->left_out)
        RC_TRY(borrowed_rows(f, &all, err));
    f->evaluations += all.evaluations;
    for (int k = 0; k < f->start.fitted_count; k++)
        if (f->from[k] != RC_REFIT_STATED)
            f->of[f->params++] = k;
    if (f->row_count <= (size_t)f->params)
        return rc_fail(err, RC_E_INPUT, "%d parameters cannot be fitted on %zu rows", f->params,
                       f->row_count);
    return RC_OK;
}

/* ---- the minimum ----------------------------------------------------------------------------- */

static double sum_of_squares(const double *r, size_t n) {
    double s = 0.0;
    for (size_t i = 0; i < n; i++)
        s += r[i] * r[i];
    return s;
}

/* Where the machine cannot be what the step makes of it (faster than its own peak) the point is
 * made unattractive. */
static int residuals_for_gsl(const gsl_vector *theta, void *ctx, gsl_vector *out) {
    fit *f = ctx;
    if (residuals(f, theta, out->data, &f->error) != RC_OK)
        gsl_vector_set_all(out, FAR_AWAY);
    return GSL_SUCCESS;
}

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
                         f->start.fitted[f->of[k]].name);
    }
    gsl_vector_free(at);
    free(lo);
    free(hi);
    return st;
}

static int jacobian_for_gsl(const gsl_vector *theta, void *ctx, gsl_matrix *out) {
    fit *f = ctx;
    f->status = jacobian(f, theta, out, &f->error);
    return f->status == RC_OK ? GSL_SUCCESS : GSL_EFAILED;
}

static rc_status minimise(fit *f, gsl_vector *theta, rc_error *err) {
    gsl_multifit_nlinear_parameters how = gsl_multifit_nlinear_default_parameters();
    gsl_multifit_nlinear_fdf fn = {.f = residuals_for_gsl,
                                   .df = jacobian_for_gsl,
                                   .n = f->row_count,
                                   .p = (size_t)f->params,
                                   .params = f};
    gsl_multifit_nlinear_workspace *w =
        gsl_multifit_nlinear_alloc(gsl_multifit_nlinear_trust, &how, fn.n, fn.p);
    if (!w)
        return rc_fail(err, RC_E_NOMEM, "out of memory in the fit");
    int info, stop = gsl_multifit_nlinear_init(theta, &fn, w);
    if (stop == GSL_SUCCESS)
        stop = gsl_multifit_nlinear_driver(MAX_ITERATIONS, STEP_DONE, SLOPE_DONE, 0.0, NULL, NULL,
                                           &info, w);
    gsl_vector_memcpy(theta, gsl_multifit_nlinear_position(w));
    gsl_multifit_nlinear_free(w);
    if (f->status != RC_OK) {
        if (err)
            *err = f->error;
        return f->status;
    }
    if (stop == GSL_EMAXITER)
        return rc_fail(err, RC_E_INPUT, "the fit has not settled after %d steps", MAX_ITERATIONS);
    return RC_OK; /* GSL_ENOPROG: at a kink nothing near is better */
}

/* ---- intervals ------------------------------------------------------------------------------ */

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

/* What the fit found, into out->machine. */
static void settle(const fit *f, const gsl_vector *theta, const double *sigma, double dof,
                   rc_refit *out) {
    double values[RC_MAX_FITTED];
    values_at(f, theta, values);
    for (int i = 0; i < f->start.fitted_count; i++) {
        rc_fitted *found = &out->machine.fitted[i];
        found->value = found->lo = found->hi = values[i];
        out->from[i] = f->from[i];
    }
    for (int k = 0; k < f->params; k++) {
        rc_fitted *found = &out->machine.fitted[f->of[k]];
        double half = gsl_cdf_tdist_Pinv(ONE_SIDE, dof) * sigma[k];
        found->lo = found->value * exp(-half);
        found->hi = found->value * exp(half);
    }
    rc_machine_set_fitted(&out->machine, values);
}

static rc_status intervals(fit *f, const gsl_vector *theta, rc_refit *out, rc_error *err) {
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
    if (st == RC_OK)
        settle(f, theta, sigma, dof, out);
    out->rms = sqrt(squares / (double)f->row_count);
    if (jac)
        gsl_matrix_free(jac);
    free(r);
    return st;
}

static rc_status solve(fit *f, rc_refit *out, rc_error *err) {
    gsl_vector *theta = gsl_vector_alloc((size_t)f->params);
    if (!theta)
        return rc_fail(err, RC_E_NOMEM, "out of memory in the fit");
    for (int k = 0; k < f->params; k++)
        gsl_vector_set(theta, (size_t)k, log(f->start.fitted[f->of[k]].value));
    rc_status st = minimise(f, theta, err);
    if (st == RC_OK)
        st = intervals(f, theta, out, err);
    gsl_vector_free(theta);
    return st;
}

rc_status rc_paper_refit(rc_paper *p, const rc_machine *start, const bool *left_out, rc_refit *out,
                         rc_error *err) {
    assert(start != NULL && out != NULL);
    fit f = {.p = p, .start = *start, .left_out = left_out};
    *out = (rc_refit){.machine = f.start};
    if (f.start.fitted_count == 0)
        return rc_fail(
            err, RC_E_INPUT,
            "machine '%s' has no fitted parameters; list them under `fitted:` with the rows "
            "each is to be fitted on",
            f.start.name);
    gsl_error_handler_t *before = gsl_set_error_handler_off();
    f.rows = calloc(p->count + 1, sizeof *f.rows);
    f.wanted = calloc(p->job_count + 1, sizeof *f.wanted);
    rc_status st = f.rows && f.wanted ? collect_rows(&f, err)
                                      : rc_fail(err, RC_E_NOMEM, "out of memory in the fit");
    if (st == RC_OK)
        st = solve(&f, out, err);
    out->rows = f.row_count;
    out->evaluations = f.evaluations;
    free(f.rows);
    free(f.wanted);
    (void)gsl_set_error_handler(before);
    return st;
}
