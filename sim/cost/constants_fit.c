/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/constants_fit.h"

#include <assert.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <string.h>

#include "sim/cost/series.h"

static double weight_of(double error) {
    return 1.0 / hypot(error, 0.05);
}

/* Half the curvature and half the slope of the sum of errors at theta; the sum itself. */
static double around(const rc_constants_fit *f, const double *theta, const double *start, double *a,
                     double *g) {
    const double step = 1e-4;
    size_t m = f->constants;
    double c[RC_FIT_CONSTANTS], moved[RC_FIT_CONSTANTS][RC_FIT_CONSTANTS], sum = 0.0;
    f->plan(f->of, theta, c);
    for (size_t k = 0; k < m; k++) {
        double t[RC_FIT_CONSTANTS];
        memcpy(t, theta, sizeof t);
        t[k] += step;
        f->plan(f->of, t, moved[k]);
    }
    memset(a, 0, m * m * sizeof *a);
    memset(g, 0, m * sizeof *g);
    for (size_t i = 0; i < f->n; i++) {
        double e = f->off(f->of, i, c), w = weight_of(e), d[RC_FIT_CONSTANTS];
        sum += 2.0 / w;
        for (size_t k = 0; k < m; k++) {
            d[k] = (e - f->off(f->of, i, moved[k])) / step;
            g[k] += w * d[k] * e;
            for (size_t l = 0; l <= k; l++)
                a[k * m + l] += w * d[k] * d[l];
        }
    }
    for (size_t k = 0; k < m; k++) {
        double back = f->ridge[k] * (start[k] - theta[k]);
        sum += back * (start[k] - theta[k]);
        a[k * m + k] += f->ridge[k];
        g[k] += back;
        for (size_t l = 0; l < k; l++)
            a[l * m + k] = a[k * m + l];
    }
    return sum;
}

/* One damped step; false when the equations are singular, which a ridge of every constant excludes
 * but for numbers out of range. */
static bool step_from(size_t m, const double *a, const double *g, double damping, double *d) {
    double copy[RC_FIT_CONSTANTS * RC_FIT_CONSTANTS];
    memcpy(copy, a, m * m * sizeof *copy);
    memcpy(d, g, m * sizeof *d);
    for (size_t k = 0; k < m; k++)
        copy[k * m + k] *= 1.0 + damping;
    gsl_matrix_view matrix = gsl_matrix_view_array(copy, m, m);
    gsl_vector_view vector = gsl_vector_view_array(d, m);
    return gsl_linalg_cholesky_decomp1(&matrix.matrix) == GSL_SUCCESS &&
           gsl_linalg_cholesky_svx(&matrix.matrix, &vector.vector) == GSL_SUCCESS;
}

void rc_fit_constants(const rc_constants_fit *f, double theta[RC_FIT_CONSTANTS]) {
    enum { STEPS = 12 };
    double start[RC_FIT_CONSTANTS], best[RC_FIT_CONSTANTS];
    double a[RC_FIT_CONSTANTS * RC_FIT_CONSTANTS], g[RC_FIT_CONSTANTS], d[RC_FIT_CONSTANTS];
    double least = INFINITY, damping = 1e-3;
    assert(f != NULL && theta != NULL);
    assert(f->constants >= 1 && f->constants <= RC_FIT_CONSTANTS);
    memcpy(start, theta, sizeof start);
    memcpy(best, start, sizeof best);
    for (int i = 0; i < STEPS; i++) {
        double now = around(f, theta, start, a, g);
        if (now < least) {
            bool settled = least - now < 1e-4 * now;
            least = now;
            damping *= 0.25;
            memcpy(best, theta, sizeof best);
            if (settled)
                break;
        } else {
            damping *= 32.0;
            (void)around(f, best, start, a, g);
        }
        if (!step_from(f->constants, a, g, damping, d))
            break;
        for (size_t k = 0; k < f->constants; k++)
            theta[k] = best[k] + rc_most(rc_least(d[k], 1.0), -1.0);
    }
    memcpy(theta, best, sizeof best);
}
