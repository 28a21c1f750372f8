/* Power and clock: what a load draws, and the clock that a limit leaves it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/power.h"

#include <assert.h>
#include <gsl/gsl_cdf.h>
#include <math.h>

const char RC_POWER_LIMITED[] = "power_limited";

static const double PS = 1e12, NJ = 1e9;
static const double LEAST_CLOCK =
    0.1; /* of the boost clock: no limiter has been seen below a half */

rc_power_class rc_power_class_of(rc_op op, rc_dtype d) {
    if (op == RC_COST_DECODE)
        return RC_POWER_DECODE;
    if (op == RC_COST_COPY)
        return RC_POWER_OTHER;
    switch (rc_op_info_of(op)->bound) {
    case RC_BOUND_GEMM:
        return d == RC_BF16 ? RC_POWER_GEMM : RC_POWER_GEMM_FP8;
    case RC_BOUND_ATTENTION:
        return RC_POWER_ATTENTION;
    case RC_BOUND_MEMORY:
        return RC_POWER_ELEMENTWISE;
    default:
        return RC_POWER_OTHER;
    }
}

double rc_power_slows(const rc_power *p, rc_power_class class, double bound, double x) {
    assert(x > 0.0 && x <= 1.0 && class < RC_POWER_CLASSES);
    return x < 1.0 && bound > 0.0 ? 1.0 + bound * (pow(x, -p->law[class].slows) - 1.0) : 1.0;
}

void rc_power_load(const rc_power *p, const rc_effort *e, double t, rc_call_load *out) {
    const rc_power_law *law = &p->law[e->class];
    const double core = law->flop * e->flops * NJ, byte = law->byte > 0.0 ? law->byte : p->byte;
    const bool follows = law->slows > 0.0;
    *out = (rc_call_load){.bound = follows ? llround(e->bound * t * PS) : 0,
                          .core = llround(core),
                          .core_bound = llround(core * e->bound),
                          .memory = llround(byte * e->bytes * NJ),
                          .class = e->class};
}

void rc_load_add(rc_load *sum, const rc_call_load *x, int64_t times) {
    assert(x->class < RC_POWER_CLASSES && times >= 0);
    sum->bound[x->class] += x->bound * times;
    sum->core[x->class] += x->core * times;
    sum->core_bound[x->class] += x->core_bound * times;
    sum->memory += x->memory * times;
}

/* Between cards, relative: products at work all the time take 1.19 to 1.28 of their burst on six
 * H200 (results/calibration/nodes), a standard deviation of 3.5 %, and time goes with the 0.44th
 * power of what the matrix units need. */
static const double CARDS_DIFFER = 0.08;

/* The largest of n normal numbers, by Blom's rule. */
double rc_power_thirstiest(int n) {
    assert(n >= 1);
    return 1.0 + CARDS_DIFFER * gsl_cdf_ugaussian_Pinv((n - 0.375) / (n + 0.25));
}

/* `of` in the proportion of two energies, which may both be 0 where no row tells of the class. */
static int64_t scaled(int64_t of, double to, double from) {
    return from > 0.0 ? llround((double)of * to / from) : of;
}

rc_load rc_power_load_of(const rc_power *card, const rc_load *load, const rc_power *told_by) {
    rc_load x = *load;
    for (int c = 0; c < RC_POWER_CLASSES; c++) {
        x.core[c] = scaled(load->core[c], card->law[c].flop, told_by->law[c].flop);
        x.core_bound[c] = scaled(load->core_bound[c], card->law[c].flop, told_by->law[c].flop);
    }
    x.memory = scaled(load->memory, card->byte, told_by->byte);
    return x;
}

double rc_power_longer(const rc_power *p, const rc_load *load, double x) {
    double longer = 0.0;
    assert(x > 0.0 && x <= 1.0);
    for (int c = 0; c < RC_POWER_CLASSES; c++)
        if (c != RC_POWER_LINK) /* most transfers run beside the compute and lengthen nothing */
            longer += (double)load->bound[c] / PS * (pow(x, -p->law[c].slows) - 1.0);
    return longer;
}

/* Mean power at x times the boost clock. What the chip waits for is taken to stay as it is. The time is
 * longer by rc_power_longer. */
static double watts(const rc_power *p, const rc_load *load, double t, double x) {
    double joules = (double)load->memory / NJ, longer = 0.0;
    for (int c = 0; c < RC_POWER_CLASSES; c++) {
        if (c == RC_POWER_LINK || (load->core[c] == 0 && load->bound[c] == 0))
            continue;
        double more = pow(x, -p->law[c].slows) - 1.0, power = pow(x, p->law[c].saves);
        joules += power * ((double)load->core[c] + (double)load->core_bound[c] * more) / NJ;
        longer += (double)load->bound[c] / PS * more;
    }
    return p->idle + joules / (t + longer);
}

/* Clocks at which a load is known to draw no more than the limit, and to draw more. */
typedef struct bracket {
    const rc_power *p;
    const rc_load *load;
    double t, limit, within, beyond;
} bracket;

/* Power beyond the limit at x, which narrows the bracket. */
static double excess(bracket *b, double x) {
    double w = watts(b->p, b->load, b->t, x) - b->limit;
    if (w > 0.0)
        b->beyond = x < b->beyond ? x : b->beyond;
    else
        b->within = x > b->within ? x : b->within;
    return w;
}

static double inside(double x) {
    return x > LEAST_CLOCK ? (x < 1.0 ? x : 1.0) : LEAST_CLOCK;
}

/* Narrows it to about `width`: power goes with the square of the clock or so, then secants. */
static void narrow(bracket *b, double at_boost, double width) {
    double x = 1.0, w = at_boost - b->limit;
    double next = inside(sqrt(fmax(b->limit - b->p->idle, 0.0) / (at_boost - b->p->idle)));
    for (int i = 0; i < 2; i++) {
        double there = excess(b, next);
        double step = there != w ? there * (next - x) / (there - w) : 0.0;
        x = next;
        w = there;
        next = inside(next - step);
    }
    (void)excess(b, inside(next - width));
    (void)excess(b, inside(next + width));
}

static bool draws_more(bracket *b, double x) {
    if (x >= b->beyond)
        return true;
    return x > b->within && excess(b, x) > 0.0;
}

/* In MHz the answer is whole: halving ends soon. Of its steps most are known from the bracket, for power
 * rises with the clock. */
rc_power_point rc_power_solve(const rc_power *p, const rc_load *load, double t, double limit) {
    assert(p->known && t >= 0.0);
    rc_power_point at = {1.0, p->idle};
    if (!(t > 0.0))
        return at;
    at.watts = watts(p, load, t, 1.0);
    if (at.watts <= limit)
        return at;
    double lo = LEAST_CLOCK, hi = 1.0;
    bracket b = {p, load, t, limit, LEAST_CLOCK, 1.0};
    narrow(&b, at.watts, 0.25 / p->boost);
    while ((hi - lo) * p->boost > 0.25) {
        double middle = 0.5 * (lo + hi);
        if (draws_more(&b, middle))
            hi = middle;
        else
            lo = middle;
    }
    at.clock = floor(lo * p->boost + 0.5) / p->boost;
    at.clock = at.clock < 1.0 ? at.clock : 1.0;
    at.watts = watts(p, load, t, at.clock);
    return at;
}
