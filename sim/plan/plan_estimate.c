/* A guess at what a configuration will reach, which orders the search and cuts nothing: a queue with
 * as many servers as replicas (Allen and Cunneen's formula) in front of the times of single passes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/plan/plan_estimate.h"
#include <assert.h>
#include <math.h>

enum {
    STEPS_PER_DECADE = 16, /* contexts of the steps that are asked for */
    FIXED_POINT_ROUNDS = 6 /* of batch and step time, each of which follows from the other */
};
#define TAIL_OVER_MEAN 3.0 /* -ln(0.05): p95 over the mean of an exponential wait */
#define OVERLOADED 10.0    /* value over limit that is expected of a queue at a load of 1 */
#define LEAST_FREE 0.02    /* share of time that prompts leave for steps, at least */

bool plan_layout_is(const plan_layout *l, const rc_plan_option *o) {
    const rc_plan_option *k = &l->key;
    return k->offer == o->offer && k->tp == o->tp && k->cp == o->cp && k->pick == o->pick &&
           k->dcp == o->dcp && k->dp == o->dp && k->ep == o->ep &&
           (k->decode > 0) == (o->decode > 0) && k->dynamic == o->dynamic && k->kv == o->kv;
}

void plan_layout_add(plan_layout *l, const rc_plan_class *c, double time) {
    assert(time > 0.0);
    l->count += c->count;
    l->work += c->count * time;
    l->square += c->count * time * time;
}

/* Mean wait, s, of a queue with c servers and a load of rho a server, at most 1; a service takes `mean` s
 * and its mean square is `square`. */
static double mean_wait(double c, double rho, double mean, double square) {
    assert(c >= 1.0);
    assert(mean > 0.0);
    double cv2 = fmax(0.0, square / (mean * mean) - 1.0);
    return mean * pow(rho, sqrt(2.0 * (c + 1.0)) - 1.0) / (c * (1.0 - rho)) * (1.0 + cv2) / 2.0;
}

typedef struct decode_view {
    double work; /* s, all tokens, at the best batch */
    double run;  /* s: a step as the load makes it */
} decode_view;

/* A step over the mean of the keys. Batches are rounded down to a power of two and contexts to one
 * of STEPS_PER_DECADE, so that few are asked for. */
static rc_status step_time(plan_passes *x, const rc_plan_option *o, double batch, double context,
                           double *out, rc_error *err) {
    uint32_t n = 1;
    while (2 * n <= BATCHES && 2.0 * n <= batch)
        n *= 2;
    double place = floor(STEPS_PER_DECADE * log10(context));
    int64_t keys = (int64_t)pow(10.0, place / STEPS_PER_DECADE);
    keys = keys > 1 ? keys : 1;
    return plan_step_time(x, o, n, (int64_t)n * keys, keys, out, err);
}

/* How many sequences decode at once follows from the time of a step, and that time from their
 * number. */
static rc_status view_decode(const rc_plan_load *w, plan_passes *x, const rc_plan_option *o,
                             double tokens, decode_view *out, rc_error *err) {
    int replicas = rc_plan_groups(o, true);
    double most = fmin(fmin((double)o->max_batch, tokens / fmax(w->context, 1.0)), w->requests);
    double best, running = 1.0;
    most = fmax(most, 1.0);
    const double stages = rc_plan_stages(o); /* in each of which is a part of them */
    RC_TRY(step_time(x, o, most / stages, w->context, &best, err));
    RC_TRY(step_time(x, o, running, w->context, &out->run, err));
    out->work = w->output * best / most;
    for (int i = 0; i < FIXED_POINT_ROUNDS && w->span > 0.0; i++) {
        running = fmin(most, fmax(1.0, w->output / (w->span * replicas) * out->run));
        RC_TRY(step_time(x, o, running / stages, w->context, &out->run, err));
    }
    return RC_OK;
}

double rc_plan_estimate(const rc_plan_bound *b, double scale) {
    assert(scale >= 0.0);
    double rho = b->rho * scale;
    if (rho >= 1.0)
        return fmax(b->floor, OVERLOADED * rho);
    if (b->limit <= 0.0)
        return b->floor;
    double wait = TAIL_OVER_MEAN * mean_wait(b->servers, rho, b->mean, b->square);
    return fmax(b->floor, (b->prompt + wait) / b->limit);
}

/* The worst of value over limit without any waiting, and the TTFT that is the tightest. */
static void put_floor(const rc_plan *p, const plan_layout *l, double ttit, rc_plan_bound *out) {
    for (int i = 0; i < p->objective_count; i++) {
        const rc_objective *g = &p->objectives[i];
        double share = (g->ttit ? ttit : l->expected[i]) / g->limit;
        out->floor = fmax(out->floor, share);
        if (g->ttit || (out->limit > 0.0 && share <= out->prompt / out->limit))
            continue;
        out->prompt = l->expected[i];
        out->limit = g->limit;
    }
}

rc_status plan_expect(const rc_plan *p, const rc_plan_load *w, plan_passes *x, const plan_layout *l,
                      const rc_plan_option *o, double tokens, rc_plan_bound *out, rc_error *err) {
    decode_view d;
    const double stages =
        rc_plan_stages(o); /* passes of prompts follow one another by a stage's time */
    bool apart = o->decode > 0;
    double prompts = 0.0;
    RC_TRY(view_decode(w, x, o, tokens, &d, err));
    if (w->span > 0.0) {
        double decode = d.work / w->span / rc_plan_groups(o, true);
        prompts = l->work / stages / w->span / rc_plan_groups(o, false);
        out->load = apart || o->chunked ? fmax(prompts, decode) : prompts + decode;
        out->rho = apart ? prompts : prompts + decode;
    }
    out->servers = rc_plan_groups(o, false);
    out->mean = l->work / stages / l->count;
    out->square = l->square / (stages * stages) / l->count;
    /* Where prompts are computed beside them, steps have what time those leave. */
    double ttit = apart ? d.run : d.run / fmax(1.0 - prompts, LEAST_FREE);
    put_floor(p, l, ttit, out);
    return RC_OK;
}
