/* What a configuration cannot beat, from single passes of its own trial. What breaks a bound is not
 * simulated, so each is a proof; the guess at what a configuration will reach, which only orders
 * what is left, is in plan_estimate.c.
 *
 * A plan holds when every request comes to its end and enough of them keep each limit.
 *
 *   KV dtype the machine's base has no rows of attention over such a cache: no pass can be timed
 *   memory   a request whose KV does not fit a replica of its own is rejected. It fills at least its
 *            input, where it is prefilled, and its input and reply but for the last token, where it
 *            decodes; the room is the serve room's own (rc_pool_room)
 *   prefill  TTFT is at least the passes that compute the prompt's own tokens: a pass does not get
 *            faster by holding more, and pieces of a prompt take no less than the whole. As much is
 *            cached as any other request could have left (plan_load.c), and the fastest schedule on
 *            as many ranks as the pool may take counts. The share of the requests within a time is
 *            counted by such bounds, among those that the objective speaks of
 *            A prompt in one pass goes through all stages of a pipeline; the chunks of one are at work in
 *            all of them at a time, so that together they take at least one stage's part of it
 *   decode   each gap of a request is at least a step over its own keys, at the best batch, or the
 *            part of it that one token of a speculative step takes; the share by inputs
 *   work     prompts are computed by so many replicas from the first arrival until a limit after the
 *            last. Those that must keep the limit, were they the ones with the fewest new tokens,
 *            at the best rate per token of any pass, need longer. A pipeline has as many passes under way
 *            as stages. Where arrivals wait for replies
 *            (closed loops) there is no such window and no cut
 *
 * What a pass costs rises with what it holds but for steps of kernels (waves of tiles, plans of a
 * library) and for cells of the memo of pass times: SLACK is taken off for both. How far real passes
 * fall has not been measured; tests/property/prop_plan_bounds.c plays configurations that are cut, at
 * linear costs.
 *
 * Times are remembered by layout: a space of 10,000 configurations has some tens of layouts.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/plan/plan_estimate.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/totals.h"
#include "sim/serve/passes.h"

enum { LAYOUTS = 1024, FULL_PASSES = 3, PROMPTS_OF_FULL = 256, LEAST_PROMPT = 128 };
#define SLACK 0.1

struct rc_plan_bounds {
    const rc_plan *p;
    const rc_plan_load *load;
    const rc_costs *const *costs;
    plan_passes *passes;
    plan_layout layouts[LAYOUTS];
    int layout_count;
};

const char *rc_plan_cut_name(rc_plan_cut c) {
    static const char *const names[] = {"none",    "layout", "KV dtype", "memory",
                                        "prefill", "decode", "work"};
    assert((unsigned)c < RC_CUT_COUNT);
    return names[c];
}

rc_status rc_plan_bounds_create(const rc_plan *p, const rc_plan_load *load,
                                const rc_costs *const *costs, rc_plan_bounds **out, rc_error *err) {
    assert(p->offer_count >= 1 && p->offer_count <= RC_PLAN_OFFERS);
    assert(load->class_count >= 1 && load->least_count >= 1);
    rc_plan_bounds *b = calloc(1, sizeof *b);
    *out = NULL;
    if (!b)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the bounds of a plan");
    b->p = p;
    b->load = load;
    b->costs = costs;
    rc_status st = plan_passes_create(p, costs, &b->passes, err);
    if (st == RC_OK)
        *out = b;
    else
        rc_plan_bounds_free(b);
    return st;
}

void rc_plan_bounds_free(rc_plan_bounds *b) {
    if (!b)
        return;
    plan_passes_free(b->passes);
    free(b);
}

/* ---- prompts --------------------------------------------------------------------------------- */

typedef struct timed { /* a class */
    double time;
    const rc_plan_class *of;
} timed;

static int by_time(const void *x, const void *y) {
    const timed *a = x, *b = y;
    return (a->time > b->time) - (a->time < b->time);
}

/* s: within it are the prefills of as many requests as the objective asks for. */
static double prompt_quantile(const rc_plan *p, int objective, const timed *at, size_t count) {
    uint64_t asked = 0, seen = 0;
    for (size_t i = 0; i < count; i++)
        asked += at[i].of->asked[objective];
    uint64_t rank = rc_objective_rank(&p->objectives[objective], asked);
    for (size_t i = 0; i < count; i++) {
        seen += at[i].of->asked[objective];
        if (seen >= rank && seen > 0)
            return at[i].time;
    }
    return 0.0;
}

/* Times of the classes and from them the quantiles of all objectives on TTFT. */
static rc_status time_classes(rc_plan_bounds *b, const rc_plan_option *o,
                              const rc_plan_class *classes, size_t count, plan_layout *sums,
                              double *quantile, rc_error *err) {
    timed *at = malloc(count * sizeof *at);
    rc_status st = at ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for the bounds of a plan");
    for (size_t i = 0; i < count && st == RC_OK; i++) {
        const rc_sequence seq = {classes[i].t, classes[i].p};
        at[i].of = &classes[i];
        st = plan_prompts_time(b->passes, o, &seq, 1, &at[i].time, err);
        if (sums && st == RC_OK)
            plan_layout_add(sums, &classes[i], at[i].time);
    }
    if (st == RC_OK)
        qsort(at, count, sizeof *at, by_time);
    for (int g = 0; g < b->p->objective_count && st == RC_OK; g++)
        quantile[g] = prompt_quantile(b->p, g, at, count);
    free(at);
    return st;
}

/* New tokens of the fullest pass that any configuration of the space may have: the layouts of some are
 * those of others, whose passes are cut by another budget. */
static int64_t fullest_pass(const rc_plan_bounds *b) {
    const rc_serve *s = b->p->serve;
    const rc_plan_ints *budgets = &b->p->space.budget;
    int64_t most = b->load->longest_input;
    const int64_t prompts = s->budget > 0 ? s->budget : s->fuse * most;
    most = most > prompts ? most : prompts;
    for (int i = 0; i < budgets->n; i++)
        most = most > budgets->v[i] ? most : budgets->v[i];
    return most;
}

/* Seconds a token in passes that are as full as a pass can be, of prompts so short that attention
 * takes next to nothing: no prompt is computed at a better rate. */
static rc_status best_rate(rc_plan_bounds *b, const rc_plan_option *o, double *out, rc_error *err) {
    rc_sequence parts[PROMPTS_OF_FULL];
    int64_t most = fullest_pass(b);
    *out = INFINITY;
    for (int i = 0; i < FULL_PASSES; i++, most /= 2) {
        int64_t each =
            most / PROMPTS_OF_FULL > LEAST_PROMPT ? most / PROMPTS_OF_FULL : LEAST_PROMPT;
        uint32_t n = (uint32_t)(most / each > 1 ? most / each : 1);
        double t;
        n = n < PROMPTS_OF_FULL ? n : PROMPTS_OF_FULL;
        for (uint32_t k = 0; k < n; k++)
            parts[k] = (rc_sequence){each, 0};
        RC_TRY(plan_prompts_time(b->passes, o, parts, n, &t, err));
        *out = fmin(*out, t / (double)(each * n));
    }
    return RC_OK;
}

static rc_status layout_of(rc_plan_bounds *b, const rc_plan_option *o, const plan_layout **out,
                           rc_error *err) {
    for (int i = 0; i < b->layout_count; i++) {
        *out = &b->layouts[i];
        if (plan_layout_is(&b->layouts[i], o))
            return RC_OK;
    }
    if (b->layout_count == LAYOUTS)
        return rc_fail(err, RC_E_INPUT, "plan '%s': more than %d layouts", b->p->name, LAYOUTS);
    plan_layout *l = &b->layouts[b->layout_count];
    *l = (plan_layout){.key = *o};
    RC_TRY(best_rate(b, o, &l->token, err));
    RC_TRY(time_classes(b, o, b->load->classes, b->load->class_count, l, l->expected, err));
    RC_TRY(time_classes(b, o, b->load->least, b->load->least_count, NULL, l->least, err));
    b->layout_count++;
    *out = l;
    return RC_OK;
}

/* ---- decode ---------------------------------------------------------------------------------- */

/* A step over the keys of one request, beside which others may run that have next to none. */
static rc_status least_step(rc_plan_bounds *b, const rc_plan_option *o, int64_t keys, double *out,
                            rc_error *err) {
    const rc_serve *s = b->p->serve;
    *out = INFINITY;
    if (keys >= context_limit(s))
        keys = context_limit(s) - 1;
    for (uint32_t n = 1; n <= (uint32_t)o->max_batch && n <= BATCHES; n *= 2) {
        double t;
        RC_TRY(plan_step_time(b->passes, o, n, keys, keys, &t, err));
        *out = fmin(*out, t);
    }
    if (s->step_kinds > 0)
        *out *= fmin(1.0, s->step_cost) / s->step_kinds;
    return RC_OK;
}

/* ---- cuts ------------------------------------------------------------------------------------ */

static bool pool_possible(const rc_plan *p, const rc_plan_option *o, const rc_pool *pool) {
    const rc_machine *m = &p->offers[o->offer].machine;
    const rc_layout l = rc_pool_layout(p->serve, pool, pool->cp);
    const int own = pool->tp * pool->cp, node = m->gpus_per_node;
    if (rc_schedule_fits(pool->pick.schedule, &p->model, &l, NULL) != RC_OK)
        return false;
    if (rc_pool_stages(pool) > p->model.layers)
        return false;
    if (p->serve->drafts > 0 && rc_pool_takes_drafts(p->serve, pool, NULL) != RC_OK)
        return false;
    if (o->chunked && !rc_schedule_takes(pool->pick.schedule, RC_MIXED, pool->cp))
        return false; /* chunked passes decode beside prompts */
    if (rc_pool_groups(pool) > 1 && node % own != 0 && own % node != 0)
        return false;
    bool whole = pool->tp <= node ? node % pool->tp == 0 : pool->tp % node == 0;
    return whole && !(m->nic_rate <= 0.0 && (o->decode > 0 || rc_pool_gpus(pool) > node));
}

static bool layout_possible(const rc_plan *p, const rc_plan_option *o) {
    rc_pool pools[2];
    bool possible = true;
    for (int i = plan_pools(p, o, pools); i-- > 0;)
        possible = possible && pool_possible(p, o, &pools[i]);
    return possible;
}

/* Whether a step over KV in the option's type has a cost on its offer; any other type than bf16 may
 * lack rows. */
static bool kv_measured(const rc_plan_bounds *b, const rc_plan_option *o) {
    const rc_layer_kind *l = rc_model_typical(&b->p->model);
    rc_cost ignored;
    return o->kv == RC_BF16 || b->p->serve->linear.on ||
           rc_cost_decode(b->costs[o->offer], (rc_dtype)o->kv, 1, 1024,
                          rc_layer_form_of(l)->heads(l, 1), &ignored, NULL) == RC_OK;
}

/* Tokens of KV that a replica of the pool holds. */
static rc_status room_of(rc_plan_bounds *b, const rc_plan_option *o, const rc_pool *pool,
                         double *out, rc_error *err) {
    const rc_serve *s;
    rc_memory memory;
    rc_kv_room room;
    RC_TRY(plan_passes_serve(b->passes, o, &s, err));
    *out = floor((double)s->kv_tokens / rc_pool_groups(pool));
    if (s->kv_tokens > 0)
        return RC_OK;
    RC_TRY(rc_pool_room(s, pool, b->load->longest_input, &memory, &room, err));
    *out = room.tokens;
    return RC_OK;
}

/* *tokens: of the pool that decodes. */
static rc_status memory_cut(rc_plan_bounds *b, const rc_plan_option *o, bool *cut, double *tokens,
                            rc_error *err) {
    rc_pool pools[2];
    double prompts;
    int n = plan_pools(b->p, o, pools);
    RC_TRY(room_of(b, o, &pools[n - 1], tokens, err));
    RC_TRY(room_of(b, o, &pools[0], &prompts, err));
    *cut = *tokens < (double)b->load->longest || prompts < (double)b->load->longest_input;
    return RC_OK;
}

static rc_status fill_values(rc_plan_bounds *b, const rc_plan_option *o, const plan_layout *l,
                             rc_plan_bound *out, rc_error *err) {
    for (int g = 0; g < b->p->objective_count; g++) {
        const rc_plan_least *least = &b->load->objectives[g];
        out->value[g] = 0.0;
        if (least->asked == 0)
            continue;
        if (b->p->objectives[g].ttit)
            RC_TRY(least_step(b, o, least->input, &out->value[g], err));
        else
            out->value[g] = l->least[g] / (o->chunked ? rc_plan_stages(o) : 1);
        out->value[g] *= 1.0 - SLACK;
    }
    return RC_OK;
}

static rc_plan_cut find_cut(const rc_plan_bounds *b, const rc_plan_option *o, const plan_layout *l,
                            const rc_plan_bound *bound) {
    for (int g = 0; g < b->p->objective_count; g++) {
        const rc_objective *of = &b->p->objectives[g];
        const rc_plan_least *least = &b->load->objectives[g];
        if (bound->value[g] > of->limit)
            return of->ttit ? RC_CUT_DECODE : RC_CUT_PREFILL;
        double work = (1.0 - SLACK) * least->tokens * l->token / rc_plan_stages(o);
        if (!of->ttit && least->window >= 0.0 &&
            work > rc_plan_groups(o, false) * (least->window + of->limit))
            return RC_CUT_WORK;
    }
    return RC_CUT_NONE;
}

rc_status rc_plan_bound_of(rc_plan_bounds *b, const rc_plan_option *o, rc_plan_bound *out,
                           rc_error *err) {
    double tokens;
    bool small;
    const plan_layout *l = NULL;
    assert(o->offer >= 0 && o->offer < b->p->offer_count);
    *out = (rc_plan_bound){0};
    for (int g = 0; g < b->p->objective_count; g++)
        out->value[g] = NAN;
    if (!layout_possible(b->p, o)) {
        out->cut = RC_CUT_LAYOUT;
        return RC_OK;
    }
    if (!kv_measured(b, o)) {
        out->cut = RC_CUT_KV;
        return RC_OK;
    }
    RC_TRY(memory_cut(b, o, &small, &tokens, err));
    if (small) {
        out->cut = RC_CUT_MEMORY;
        return RC_OK;
    }
    RC_TRY(layout_of(b, o, &l, err));
    RC_TRY(fill_values(b, o, l, out, err));
    out->cut = find_cut(b, o, l, out);
    return out->cut == RC_CUT_NONE ? plan_expect(b->p, b->load, b->passes, l, o, tokens, out, err)
                                   : RC_OK;
}
