/* Arrival processes: gaps drawn one by one.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include "sim/trace/workload.h"

rc_status rc_arrivals_check(const rc_arrival_process *p, rc_error *err) {
    if (!(p->rate > 0.0) || isinf(p->rate))
        return rc_fail(err, RC_E_INPUT, "a rate of %g a second, expected one above zero", p->rate);
    if (p->kind == RC_ARRIVE_GAMMA && (!(p->cv > 0.0) || isinf(p->cv)))
        return rc_fail(err, RC_E_INPUT, "a coefficient of variation of %g, expected one above zero",
                       p->cv);
    return RC_OK;
}

/* Marsaglia and Tsang, "A simple method for generating gamma variables", 2000; shape >= 1, scale
 * 1. */
static double gamma_draw(rc_rng *r, double shape) {
    double d = shape - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * d);
    for (;;) {
        double x = rc_rng_normal(r), v = 1.0 + c * x;
        if (v <= 0.0)
            continue;
        v = v * v * v;
        double u = 1.0 - rc_rng_uniform(r);
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

/* Mean 1. Below shape 1 (the same paper): a draw of shape + 1 times a power of a uniform number. */
static double gamma_gap(rc_rng *r, double cv) {
    assert(cv > 0.0);
    double shape = 1.0 / (cv * cv);
    if (shape >= 1.0)
        return gamma_draw(r, shape) / shape;
    double u = 1.0 - rc_rng_uniform(r);
    return gamma_draw(r, shape + 1.0) * pow(u, 1.0 / shape) / shape;
}

double rc_arrival_gap(const rc_arrival_process *p, rc_rng *r) {
    assert(p->rate > 0.0);
    double mean = 1.0 / p->rate;
    if (p->kind == RC_ARRIVE_EVEN)
        return mean;
    return p->kind == RC_ARRIVE_GAMMA ? gamma_gap(r, p->cv) * mean : rc_rng_exponential(r, mean);
}
