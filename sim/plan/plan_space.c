/* The configurations of a plan: every combination of the space, and what each costs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/plan/plan_internal.h"

int rc_plan_groups(const rc_plan_option *o, bool decode) {
    const int groups = o->dp ? o->dp : 1;
    if (o->decode > 0)
        return decode ? o->decode * groups : o->prefill;
    return o->prefill * groups;
}

int rc_plan_stages(const rc_plan_option *o) {
    return o->pp ? o->pp : 1;
}

int rc_plan_gpus(const rc_plan_option *o) {
    assert(o->prefill >= 1);
    return o->tp * rc_plan_stages(o) *
           (rc_plan_groups(o, false) * o->cp +
            (o->decode > 0 ? rc_plan_groups(o, true) * o->decode_cp : 0));
}

bool plan_on_offer(const rc_plan *p, const rc_plan_option *o) {
    const rc_plan_offer *offer = &p->offers[o->offer];
    const rc_machine *m = &offer->machine;
    int ranks = rc_plan_gpus(o) / o->tp;
    bool bounded = m->nic_rate > 0.0 && m->max_nodes > 0; /* all replicas are in one cluster */
    return rc_plan_gpus(o) <= offer->gpus &&
           !(bounded && rc_machine_nodes(m, o->tp, ranks) > m->max_nodes);
}

double rc_plan_price(const rc_plan *p, const rc_plan_option *o) {
    assert(o->offer >= 0 && o->offer < p->offer_count);
    return p->offers[o->offer].price * rc_plan_gpus(o);
}

rc_pick rc_plan_pick(const rc_plan *p, const rc_plan_option *o, int cp) {
    assert(o->pick >= 0 && o->pick < p->space.pick_count);
    return rc_pick_on(&p->space.picks[o->pick], cp);
}

static void put_cut(const rc_plan_space *s, const rc_plan_option *o, bool decodes, rc_pool *pool) {
    pool->dcp = decodes && pool->cp == 1 && o->dcp ? o->dcp : 1;
    pool->dp = decodes && o->dp ? o->dp : 1;
    pool->ep = o->ep < 0 ? rc_pool_gpus(pool) : o->ep ? o->ep : 1;
    pool->expert_skew = s->expert_skew;
    pool->mla = s->mla;
    pool->stages = (rc_stages){rc_plan_stages(o), s->pp_rest}; /* ep is of a stage */
    if (pool->dcp > 1)
        pool->pick = rc_pick_schedule(s->cut);
}

int plan_pools(const rc_plan *p, const rc_plan_option *o, rc_pool out[2]) {
    bool split = o->decode > 0;
    assert(o->prefill >= 1);
    memset(out, 0, 2 * sizeof *out);
    for (int i = 0; i < (split ? 2 : 1); i++) {
        rc_pool *pool = &out[i];
        (void)snprintf(pool->name, sizeof pool->name, "%s",
                       split ? (i == 0 ? "prefill" : "decode") : "all");
        pool->role = split ? (i == 0 ? RC_POOL_PREFILL : RC_POOL_DECODE) : RC_POOL_MIXED;
        pool->replicas = i == 0 ? o->prefill : o->decode;
        pool->tp = o->tp;
        pool->cp = i == 0 ? o->cp : o->decode_cp;
        pool->dynamic_cp = i == 0 && o->dynamic;
        pool->price = p->offers[o->offer].price;
        pool->pick = rc_plan_pick(p, o, pool->cp);
        put_cut(&p->space, o, !split || i == 1, pool);
    }
    return split ? 2 : 1;
}

const char *rc_plan_pick_name(const rc_plan *p, const rc_plan_option *o) {
    rc_pool pools[2];
    (void)plan_pools(p, o, pools);
    return rc_pick_name(&pools[0].pick);
}

const char *rc_plan_option_text(const rc_plan *p, const rc_plan_option *o, char *buf, size_t size) {
    char sched[48], variant[64], more[96], stages[16] = "";
    rc_pool pools[2];
    const int last = plan_pools(p, o, pools) - 1;
    const rc_layout l = {.tp = pools[last].tp,
                         .cp = pools[last].cp,
                         .dcp = pools[last].dcp,
                         .dp = pools[last].dp,
                         .ep = pools[last].ep};
    (void)rc_layout_more(&l, more, sizeof more);
    if (o->pp > 1)
        (void)snprintf(stages, sizeof stages, " x PP%d", o->pp);
    (void)snprintf(variant, sizeof variant, "%s%s", rc_plan_pick_name(p, o),
                   o->dynamic ? ", dynamic CP" : "");
    if (o->chunked)
        (void)snprintf(sched, sizeof sched, "chunks of %d", o->budget);
    else
        (void)snprintf(sched, sizeof sched, "prefill first");
    if (o->decode > 0)
        (void)snprintf(buf, size,
                       "%d prefill CP%d + %d decode CP%d x TP%d%s%s, %s, %s, batch %d, KV %s",
                       o->prefill, o->cp, o->decode, o->decode_cp, o->tp, stages, more, variant,
                       sched, o->max_batch, rc_dtype_name((rc_dtype)o->kv));
    else
        (void)snprintf(buf, size, "%d x CP%d x TP%d%s%s, %s, %s, batch %d, KV %s", o->prefill,
                       o->cp, o->tp, stages, more, variant, sched, o->max_batch,
                       rc_dtype_name((rc_dtype)o->kv));
    return buf;
}

#define UNTOUCHED 1e9 /* margin of an objective that no request of the run speaks of */

double rc_plan_margin(const rc_plan *p, const rc_plan_outcome *o, int *tightest) {
    double least = UNTOUCHED;
    assert(p->objective_count >= 1);
    *tightest = 0;
    if (!o->fits)
        return RC_PLAN_NO_FIT;
    for (int i = 0; i < p->objective_count; i++) {
        double v = o->value[i], m = v > 0.0 ? p->objectives[i].limit / v - 1.0 : UNTOUCHED;
        if (m < least) {
            least = m;
            *tightest = i;
        }
    }
    /* A request that never came to its end has met nothing. */
    if (o->rejected + o->lost > 0.0 && least > RC_PLAN_UNFINISHED)
        least = RC_PLAN_UNFINISHED;
    return least;
}

bool plan_same_family(const rc_plan_option *a, const rc_plan_option *b) {
    return a->offer == b->offer && a->tp == b->tp && a->cp == b->cp &&
           a->decode_cp == b->decode_cp && (a->decode > 0) == (b->decode > 0) && a->dcp == b->dcp &&
           a->dp == b->dp && a->ep == b->ep && a->pp == b->pp && a->pick == b->pick &&
           a->kv == b->kv && a->dynamic == b->dynamic && a->chunked == b->chunked &&
           a->budget == b->budget && a->max_batch == b->max_batch;
}

int rc_plan_kind(const rc_plan_option *o) {
    return (o->decode > 0 ? 1 : 0) + (o->dynamic ? 2 : 0);
}

const char *rc_plan_kind_name(int kind) {
    static const char *const names[RC_PLAN_KINDS] = {"mixed", "disaggregated", "mixed, dynamic CP",
                                                     "disaggregated, dynamic CP"};
    assert(kind >= 0 && kind < RC_PLAN_KINDS);
    return names[kind];
}

/* ---- enumeration --------------------------------------------------------------------------- */

typedef struct list {
    const rc_plan *p;
    rc_plan_option *at; /* NULL while counting */
    size_t count;
} list;

/* Sequences are cut over the GPUs of one TP group, and passes on fewer ranks need all weights there. What serving
 * does not model of stages is no configuration. */
static bool goes_together(const rc_plan_option *o) {
    const int cp = o->decode > 0 ? o->decode_cp : o->cp;
    const bool spread = o->dp > 1 || o->ep < 0 || o->ep > o->tp;
    const bool staged = o->pp > 1 && (o->dp > 1 || o->dynamic);
    return !(o->dcp > 1 && cp > 1) && !(o->dynamic && spread) && !staged;
}

static void add(list *l, const rc_plan_option *o) {
    if (!plan_on_offer(l->p, o) || !goes_together(o))
        return;
    if (l->at)
        l->at[l->count] = *o;
    l->count++;
}

static void with_replicas(list *l, rc_plan_option o, bool split) {
    const rc_plan_ints *r = &l->p->space.replicas;
    for (int i = 0; i < r->n; i++) {
        o.prefill = (int16_t)r->v[i];
        o.decode = 0;
        if (!split)
            add(l, &o);
        for (int k = 0; split && k < r->n; k++) {
            o.decode = (int16_t)r->v[k];
            add(l, &o);
        }
    }
}

static void with_pools(list *l, rc_plan_option o) {
    const rc_plan_space *s = &l->p->space;
    for (int i = 0; i < s->split.n; i++) {
        o.decode_cp = 0;
        if (s->split.v[i] == 0)
            with_replicas(l, o, false);
        for (int k = 0; s->split.v[i] != 0 && k < s->decode_cp.n; k++) {
            o.decode_cp = (int16_t)s->decode_cp.v[k];
            with_replicas(l, o, true);
        }
    }
}

/* A budget is only a chunked scheduler's. */
static void with_scheduler(list *l, rc_plan_option o) {
    const rc_plan_space *s = &l->p->space;
    for (int b = 0; b < s->max_batch.n; b++) {
        o.max_batch = (int32_t)s->max_batch.v[b];
        for (int c = 0; c < s->chunked.n; c++) {
            o.chunked = s->chunked.v[c] != 0;
            for (int k = 0; k < (o.chunked ? s->budget.n : 1); k++) {
                o.budget = o.chunked ? (int32_t)s->budget.v[k] : 0;
                with_pools(l, o);
            }
        }
    }
}

/* Variants and dynamic CP mean something on more than one rank only. */
static void with_variant(list *l, rc_plan_option o) {
    const rc_plan_space *s = &l->p->space;
    for (int k = 0; k < s->kv.n; k++) {
        o.kv = (int8_t)s->kv.v[k];
        for (int v = 0; v < (o.cp > 1 ? s->pick_count : 1); v++) {
            o.pick = (int8_t)v;
            for (int d = 0; d < (o.cp > 1 ? s->dynamic.n : 1); d++) {
                o.dynamic = o.cp > 1 && s->dynamic.v[d] != 0;
                with_scheduler(l, o);
            }
        }
    }
}

static void with_groups(list *l, rc_plan_option o) {
    const rc_plan_space *s = &l->p->space;
    for (int d = 0; d < s->dcp.n; d++)
        for (int g = 0; g < s->dp.n; g++)
            for (int e = 0; e < s->ep.n; e++) {
                o.dcp = (int16_t)s->dcp.v[d];
                o.dp = (int16_t)s->dp.v[g];
                o.ep = (int32_t)s->ep.v[e];
                with_variant(l, o);
            }
}

static void with_stages(list *l, rc_plan_option o) {
    const rc_plan_ints *pp = &l->p->space.pp;
    for (int i = 0; i < (pp->n ? pp->n : 1); i++) {
        o.pp = pp->n ? (int16_t)pp->v[i] : 1;
        with_groups(l, o);
    }
}

static void enumerate(list *l) {
    const rc_plan_space *s = &l->p->space;
    for (int m = 0; m < l->p->offer_count; m++)
        for (int t = 0; t < s->tp.n; t++)
            for (int c = 0; c < s->cp.n; c++) {
                rc_plan_option o = {
                    .offer = (int16_t)m, .tp = (int16_t)s->tp.v[t], .cp = (int16_t)s->cp.v[c]};
                with_stages(l, o);
            }
}

rc_status plan_options(const rc_plan *p, rc_plan_option **out, size_t *count, rc_error *err) {
    assert(p->offer_count >= 1 && p->space.replicas.n >= 1);
    list l = {.p = p};
    *out = NULL;
    *count = 0;
    enumerate(&l);
    if (l.count == 0)
        return rc_fail(err, RC_E_INPUT,
                       "plan '%s': no configuration of its space is within the "
                       "GPUs and nodes on offer",
                       p->name);
    if (l.count > RC_PLAN_OPTIONS)
        return rc_fail(err, RC_E_INPUT, "plan '%s': %zu configurations, at most %d", p->name,
                       l.count, RC_PLAN_OPTIONS);
    l.at = malloc(l.count * sizeof *l.at);
    if (!l.at)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu configurations", l.count);
    l.count = 0;
    enumerate(&l);
    *out = l.at;
    *count = l.count;
    return RC_OK;
}
