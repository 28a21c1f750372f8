/* Times of single passes of a configuration, by the sources that its trial would ask.
 *
 * A source is one layout and schedule on one offer; it is opened when it is first asked. Steps are
 * remembered, for thousands of configurations share some tens of layouts.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "sim/plan/plan_internal.h"
#include "sim/serve/passes.h"

enum { DTYPES = RC_DTYPES };

typedef struct source {
    rc_plan_option of; /* what its passes are cut by: offer, tp, cp, decode_cp, kv; which pool */
    bool decodes;
    int cp; /* of the pass */
    const rc_schedule *schedule;
    rc_pass_forward *forward;
} source;

typedef struct step {
    size_t source;
    uint32_t decodes;
    int64_t context, longest;
    double time;
} step;

struct plan_passes {
    const rc_plan *p;
    const rc_costs *const *costs;
    rc_serve *serves[RC_PLAN_OFFERS][DTYPES]; /* as a trial's, by the offer and the type of KV */
    source *sources;
    size_t source_count, source_room;
    step *steps;
    size_t step_count, step_room;
};

rc_status plan_passes_create(const rc_plan *p, const rc_costs *const *costs, plan_passes **out,
                             rc_error *err) {
    assert(p->serve != NULL);
    *out = calloc(1, sizeof **out);
    if (!*out)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the passes of a plan");
    (*out)->p = p;
    (*out)->costs = costs;
    return RC_OK;
}

void plan_passes_free(plan_passes *x) {
    if (!x)
        return;
    for (size_t i = 0; i < x->source_count; i++)
        rc_pass_forward_destroy(x->sources[i].forward);
    for (int i = 0; i < RC_PLAN_OFFERS; i++)
        for (int k = 0; k < DTYPES; k++)
            free(x->serves[i][k]);
    free(x->sources);
    free(x->steps);
    free(x);
}

rc_status plan_passes_serve(plan_passes *x, const rc_plan_option *o, const rc_serve **out,
                            rc_error *err) {
    assert(o->offer >= 0 && o->offer < x->p->offer_count);
    assert(o->kv >= 0 && o->kv < DTYPES);
    rc_serve **at = &x->serves[o->offer][o->kv];
    *out = NULL;
    if (!*at) {
        *at = malloc(sizeof **at);
        if (!*at)
            return rc_fail(err, RC_E_NOMEM, "out of memory for the passes of a plan");
        **at = *x->p->serve;
        (*at)->machine = x->p->offers[o->offer].machine;
    }
    (*at)->budget = x->p->serve->budget;
    plan_schedule(o, *at);
    *out = *at;
    return RC_OK;
}

/* ---- sources --------------------------------------------------------------------------------- */

static bool same_source(const source *a, const source *b) {
    const rc_plan_option *x = &a->of, *y = &b->of;
    return a->decodes == b->decodes && a->cp == b->cp && a->schedule == b->schedule &&
           x->offer == y->offer && x->tp == y->tp && x->cp == y->cp &&
           x->decode_cp == y->decode_cp && x->dcp == y->dcp && x->dp == y->dp && x->ep == y->ep &&
           (x->decode > 0) == (y->decode > 0) && x->kv == y->kv;
}

static rc_status add_source(plan_passes *x, const rc_pool *pool, source s, rc_error *err) {
    const rc_what_if none = {.slow_rank = -1, .slow_link_rank = -1};
    const rc_serve *serve;
    if (x->source_count == x->source_room) {
        size_t room = x->source_room ? 2 * x->source_room : 64;
        source *more = realloc(x->sources, room * sizeof *more);
        if (!more)
            return rc_fail(err, RC_E_NOMEM, "out of memory for the passes of a plan");
        x->sources = more;
        x->source_room = room;
    }
    RC_TRY(plan_passes_serve(x, &s.of, &serve, err));
    const rc_layout cut = rc_pool_cut(serve, pool, s.cp, s.schedule);
    RC_TRY(rc_pass_forward_create(serve, x->costs[s.of.offer], &cut, s.schedule, NULL, &none,
                                  &s.forward, err));
    x->sources[x->source_count++] = s;
    return RC_OK;
}

/* Its index, for sources move as they are added. */
static rc_status source_of(plan_passes *x, const rc_plan_option *o, const rc_pool *pool, int cp,
                           const rc_schedule *schedule, size_t *out, rc_error *err) {
    const source wanted = {
        .of = *o, .decodes = pool->role == RC_POOL_DECODE, .cp = cp, .schedule = schedule};
    for (*out = 0; *out < x->source_count; (*out)++)
        if (same_source(&x->sources[*out], &wanted))
            return RC_OK;
    return add_source(x, pool, wanted, err);
}

static rc_status pass_time(const plan_passes *x, size_t at, const rc_pass *pass, double *out,
                           rc_error *err) {
    rc_pass_cost cost;
    RC_TRY(rc_pass_forward_time(x->sources[at].forward, pass, &cost, err));
    *out = (double)(cost.time - cost.saved) / RC_PS_PER_S; /* what it takes at the least */
    return RC_OK;
}

static rc_status linear_time(const plan_passes *x, const rc_pass *pass, double *out,
                             rc_error *err) {
    rc_pass_cost cost;
    RC_TRY(rc_pass_linear((void *)(uintptr_t)&x->p->serve->linear, pass, &cost, err));
    *out = (double)cost.time / RC_PS_PER_S;
    return RC_OK;
}

/* ---- what is asked --------------------------------------------------------------------------- */

/* The fastest schedule on `cp` ranks that the pool may take. */
static rc_status prompts_on(plan_passes *x, const rc_plan_option *o, const rc_pool *pool, int cp,
                            const rc_pass *pass, double *least, rc_error *err) {
    const rc_pick pick = rc_pick_on(&pool->pick, cp);
    const rc_serve *serve;
    const rc_schedule *s;
    RC_TRY(plan_passes_serve(x, o, &serve, err));
    const rc_layout cut = rc_pool_layout(serve, pool, cp);
    for (int i = 0; (s = rc_pick_candidate(&pick, i)) != NULL; i++) {
        size_t at;
        double t;
        if (cp < pool->cp && rc_schedule_fits(s, &x->p->model, &cut, NULL) != RC_OK)
            continue; /* fewer ranks are a choice */
        RC_TRY(source_of(x, o, pool, cp, s, &at, err));
        RC_TRY(pass_time(x, at, pass, &t, err));
        *least = fmin(*least, t);
    }
    return RC_OK;
}

rc_status plan_prompts_time(plan_passes *x, const rc_plan_option *o, const rc_sequence *parts,
                            uint32_t count, double *out, rc_error *err) {
    const rc_pass pass = {.prefill = parts, .prefills = count};
    rc_pool pools[2];
    assert(count >= 1);
    if (x->p->serve->linear.on)
        return linear_time(x, &pass, out, err);
    *out = INFINITY;
    (void)plan_pools(x->p, o, pools);
    for (int cp = o->dynamic ? 1 : o->cp; cp < o->cp; cp *= 2)
        RC_TRY(prompts_on(x, o, &pools[0], cp, &pass, out, err));
    return prompts_on(x, o, &pools[0], o->cp, &pass, out, err);
}

static rc_status remember(plan_passes *x, step s, rc_error *err) {
    if (x->step_count == x->step_room) {
        size_t room = x->step_room ? 2 * x->step_room : 256;
        step *more = realloc(x->steps, room * sizeof *more);
        if (!more)
            return rc_fail(err, RC_E_NOMEM, "out of memory for the passes of a plan");
        x->steps = more;
        x->step_room = room;
    }
    x->steps[x->step_count++] = s;
    return RC_OK;
}

rc_status plan_step_time(plan_passes *x, const rc_plan_option *o, uint32_t decodes, int64_t context,
                         int64_t longest, double *out, rc_error *err) {
    const rc_pass pass = {.decodes = decodes, .context = context, .longest = longest};
    rc_pool pools[2];
    size_t at;
    assert(decodes >= 1);
    if (x->p->serve->linear.on)
        return linear_time(x, &pass, out, err);
    const rc_pool *pool = &pools[plan_pools(x->p, o, pools) - 1];
    RC_TRY(source_of(x, o, pool, pool->cp, rc_schedule_decoding(pool->pick.schedule, pool->cp), &at,
                     err));
    for (size_t i = 0; i < x->step_count; i++) {
        const step *s = &x->steps[i];
        if (s->source == at && s->decodes == decodes && s->context == context &&
            s->longest == longest) {
            *out = s->time;
            return RC_OK;
        }
    }
    RC_TRY(pass_time(x, at, &pass, out, err));
    return remember(x, (step){at, decodes, context, longest, *out}, err);
}
