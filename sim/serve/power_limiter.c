/* The limiter of a board's power, over passes.
 *
 * A limiter holds a mean of power over some time under what the board may draw: one that fades with
 * rc_machine.power_window (s). A pass that would draw more at the boost clock runs there until that mean has
 * risen to the limit, and then at the clock that holds it there, which is the one that the pass has by itself
 * (sim/forward/pass_clock.h). A pass that draws less lets the mean fall again. So a prompt behind steps that
 * read memory, or behind a pause, is faster than one of many prompts in a row.
 *
 * With W the power of a pass at the boost clock, L the limit and m the mean, the mean goes as
 * W + (m - W) exp(-t / window), and is at L after window x log((W - m) / (W - L)).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include "sim/engine/ticks.h"
#include "sim/serve/cluster.h"

void limiter_create(cluster *c) {
    const rc_costs *costs = c->options->costs;
    const rc_power *power = costs && !c->spec->linear.on ? rc_costs_power(costs) : NULL;
    c->limiter.window = 0.0;
    if (!power || !(rc_costs_machine(costs)->power_window > 0.0))
        return;
    c->limiter.window = rc_costs_machine(costs)->power_window;
    c->limiter.idle = power->idle;
    c->limiter.limit = rc_costs_power_limit(costs, power);
    for (uint32_t i = 0; i < c->replica_count; i++)
        c->replicas[i].power.mean = power->idle;
}

/* The mean after t seconds of `watts`. */
static double faded(const power_limiter *x, double mean, double watts, double t) {
    return watts + (mean - watts) * exp(-t / x->window);
}

/* Seconds at `watts`, over the limit, until the mean is at the limit. */
static double until_limit(const power_limiter *x, double mean, double watts) {
    return mean < x->limit ? x->window * log((watts - mean) / (watts - x->limit)) : 0.0;
}

static void rest(const power_limiter *x, bool rests, rc_time now, recent_power *p) {
    if (rests && now > p->until)
        p->mean = faded(x, p->mean, x->idle, (double)(now - p->until) / RC_PS_PER_S);
}

/* A pass that draws too much for lasting load; `saved` ps: by which it is shorter at the boost clock than at its own. */
static void run_hot(const power_limiter *x, double saved, recent_power *p, rc_pass_cost *cost) {
    const double fast = ((double)cost->time - saved) / RC_PS_PER_S, watts = (double)cost->wanted;
    const double first = watts > x->limit ? until_limit(x, p->mean, watts) : INFINITY;
    if (first >= fast) {
        p->mean = faded(x, p->mean, watts, fast);
        cost->time -= llround(saved);
        return;
    }
    p->mean = x->limit;
    cost->time -= llround(saved * (first / fast));
}

void limiter_pass(const cluster *c, rc_time now, recent_power *p, rc_pass_cost *cost) {
    const power_limiter *x = &c->limiter;
    assert(cost->time > 0 && cost->saved >= 0 && cost->saved < cost->time);
    if (!(x->window > 0.0) || !(cost->wanted > 0.0F))
        return;
    rest(x, !c->options->idle_left_out, now, p);
    if (cost->saved > 0)
        run_hot(x, (double)cost->saved, p, cost);
    else
        p->mean = faded(x, p->mean, (double)cost->wanted, (double)cost->time / RC_PS_PER_S);
    p->until = rc_ticks_add(now, cost->time);
}
