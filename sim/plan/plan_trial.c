/* Trials over the real workload, and the workload in short.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include "sim/base/quantile.h"
#include "sim/plan/plan_file.h"
#include "sim/plan/plan_internal.h"

struct rc_plan_player {
    const rc_plan_file *f;
    rc_costs *costs[RC_PLAN_OFFERS];
    rc_costs *books[RC_PLAN_OFFERS];
    int book_count;
    rc_trace *trace; /* of the plan's own seed and growth; shared */
    rc_plan_load load;
    rc_pass_store *store; /* simulated passes, of all trials */
};

/* ---- what a trial plays ---------------------------------------------------------------------- */

static void scale_machine(rc_machine *m, const rc_plan_trial *t) {
    assert(t->matrix > 0.0 && t->hbm > 0.0 && t->network > 0.0 && t->memory > 0.0);
    m->bf16_rate *= t->matrix;
    m->fp8_rate *= t->matrix;
    m->gemm_ratio *= t->matrix;
    m->attention_ratio *= t->matrix;
    m->hbm_ratio *= t->hbm;
    m->nic_rate *= t->network;
    m->nic_line_rate *= t->network;
    m->peer_rate *= t->network;
    m->memory *= t->memory;
    if (t->ring_step >= 0.0)
        m->ring_step = t->ring_step;
}

void plan_schedule(const rc_plan_option *o, rc_serve *s) {
    s->sched = o->chunked ? RC_SCHED_CHUNKED : RC_SCHED_PREFILL_FIRST;
    if (o->chunked)
        s->budget = o->budget;
    s->max_batch = o->max_batch;
    s->layout.kv = (rc_dtype)o->kv;
}

/* So many times the load: the rate, or in a closed loop the clients. */
static void grow(rc_serve *s, double growth) {
    if (s->clients > 0) {
        const int64_t clients = llround((double)s->clients * growth);
        s->clients = clients > 1 ? clients : 1;
        return;
    }
    s->rate_scale *= growth;
    s->synthetic.arrivals.rate *= growth;
}

void rc_plan_serve(const rc_plan_file *f, const rc_plan_trial *t, rc_serve *out) {
    const rc_plan *p = &f->plan;
    const rc_plan_option *o = &t->option;
    assert(o->offer >= 0 && o->offer < p->offer_count);
    assert(t->growth > 0.0);
    *out = f->serve;
    out->machine = p->offers[o->offer].machine;
    out->price = p->offers[o->offer].price;
    plan_schedule(o, out);
    out->seed = t->seed;
    out->resample = out->resample || (p->own_arrivals && t->seed != p->seed);
    grow(out, t->growth);
    scale_machine(&out->machine, t);
    rc_pool pools[2];
    out->pool_count = plan_pools(p, o, pools);
    memcpy(out->pools, pools, sizeof pools);
}

/* ---- outcomes -------------------------------------------------------------------------------- */

static double quantile(const rc_hist *h, double q) {
    double v = rc_hist_quantile(h, q);
    return isfinite(v) ? v / RC_PS_PER_S : 0.0;
}

static void busy_of(const rc_serve_result *r, rc_plan_outcome *out) {
    for (int i = 0; i < r->pool_count; i++) {
        const rc_pool_result *p = &r->pools[i];
        double share = p->up_s > 0.0 ? p->busy_s / p->up_s : 0.0;
        if (i == 0)
            out->busy_prefill = share;
        out->busy_decode = share; /* the last pool; the only one when mixed */
    }
}

static void summarise_run(const rc_plan *p, const rc_serve_result *r, const rc_served *rows,
                          size_t count, double *work, rc_plan_outcome *out) {
    for (int i = 0; i < p->objective_count; i++)
        out->value[i] = rc_objective_value(&p->objectives[i], &r->objectives[i]);
    size_t came = 0;
    for (size_t i = 0; i < count; i++)
        if (rows[i].arrived >= 0)
            work[came++] = (double)rows[i].arrived / RC_PS_PER_S;
    rc_sort(work, came);
    out->midway = came > 0 ? work[came / 2] : 0.0;
    double tokens = (double)(r->kv_hit_tokens + r->kv_miss_tokens);
    out->ttft_p50 = quantile(&r->ttft, 0.5);
    out->ttft_p95 = quantile(&r->ttft, 0.95);
    out->ttft_p99 = quantile(&r->ttft, 0.99);
    out->ttit_p50 = quantile(&r->ttit, 0.5);
    out->ttit_p95 = quantile(&r->ttit, 0.95);
    out->gap_p95 = quantile(&r->gap, 0.95);
    out->queue_p95 = quantile(&r->queue, 0.95);
    out->service_p95 = quantile(&r->service, 0.95);
    out->done = (double)r->done;
    out->rejected = (double)r->rejected;
    out->lost = (double)r->lost;
    out->hit = tokens > 0.0 ? (double)r->kv_hit_tokens / tokens : 0.0;
    out->preempted = (double)r->preempted;
    out->makespan = (double)r->makespan / RC_PS_PER_S;
    out->gpu_hours = r->gpu_hours;
    out->tokens_per_gpu_s = r->tokens_per_gpu_s;
    busy_of(r, out);
    rc_serve_rests(r, out->rests);
}

/* Of a run that ended when it was sure to miss. */
static void summarise_miss(const rc_plan *p, rc_plan_outcome *out) {
    for (int i = 0; i < p->objective_count; i++)
        out->value[i] = INFINITY;
}

static rc_status play(const rc_plan_player *pl, const rc_serve *s, const rc_trace *trace,
                      const rc_costs *costs, bool verdict, rc_plan_outcome *out, rc_error *err) {
    rc_serve_result *r = calloc(1, sizeof *r);
    rc_served *rows = calloc(trace->count, sizeof *rows);
    double *work = malloc(trace->count * sizeof *work);
    const rc_serve_options options = {.costs = costs,
                                      .seed = s->seed,
                                      .quiet = true,
                                      .until_missed = verdict,
                                      .rows = rows,
                                      .store = pl->store};
    rc_status st = r && rows && work ? rc_serve_run(s, trace, &options, r, err)
                                     : rc_fail(err, RC_E_NOMEM, "out of memory for a trial");
    if (st == RC_OK && r->missed)
        summarise_miss(&pl->f->plan, out);
    else if (st == RC_OK)
        summarise_run(&pl->f->plan, r, rows, trace->count, work, out);
    free(r);
    free(rows);
    free(work);
    return st;
}

rc_status rc_plan_simulate(void *player, const rc_plan_trial *t, rc_plan_outcome *out,
                           rc_error *err) {
    const rc_plan_player *pl = player;
    const rc_plan *p = &pl->f->plan;
    rc_costs *costs = NULL;
    rc_trace *own = NULL;
    rc_serve *s = malloc(sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a trial");
    rc_plan_serve(pl->f, t, s);
    rc_status st = RC_OK;
    bool shared = t->seed == p->seed && !(t->growth < p->growth) && !(t->growth > p->growth);
    if (st == RC_OK && !shared)
        st = rc_serve_workload(s, t->seed, 0.0, &own, err);
    if (st == RC_OK && t->lost_at > 0.0) {
        s->faults[0] = (rc_serve_fault){
            .kind = RC_NODE_LOST, .at = llround(t->lost_at * RC_PS_PER_S), .back = RC_TIME_NEVER};
        s->fault_count = 1;
    }
    if (st == RC_OK)
        st = rc_costs_view(pl->costs[t->option.offer], &s->machine, &costs, err);
    if (st == RC_OK)
        st = play(pl, s, own ? own : pl->trace, costs, t->verdict, out, err);
    rc_costs_close(costs);
    rc_trace_free(own);
    free(s);
    return st;
}

/* ---- setting up ------------------------------------------------------------------------------ */

static rc_status open_costs(rc_plan_player *pl, const char *store, rc_error *err) {
    const rc_plan *p = &pl->f->plan;
    for (int i = 0; i < p->offer_count; i++) {
        const rc_machine *m = &p->offers[i].machine;
        rc_costs *book = NULL;
        for (int k = 0; k < pl->book_count && !book; k++)
            if (rc_machine_same_rows(rc_costs_machine(pl->books[k]), m))
                book = pl->books[k];
        if (!book) {
            RC_TRY(rc_costs_open(store, m, &book, err));
            pl->books[pl->book_count++] = book;
        }
        RC_TRY(rc_costs_view(book, m, &pl->costs[i], err));
    }
    return RC_OK;
}

rc_status rc_plan_player_create(const rc_plan_file *f, const char *store, rc_plan_player **out,
                                rc_error *err) {
    rc_plan_player *pl = calloc(1, sizeof *pl);
    rc_serve *s = malloc(sizeof *s);
    *out = NULL;
    if (!pl || !s) {
        free(pl);
        free(s);
        return rc_fail(err, RC_E_NOMEM, "out of memory for a plan");
    }
    pl->f = f;
    *s = f->serve;
    grow(s, f->plan.growth);
    rc_status st = rc_pass_store_create(&pl->store, err);
    if (st == RC_OK)
        st = open_costs(pl, store, err);
    if (st == RC_OK)
        st = rc_serve_workload(s, f->plan.seed, 0.0, &pl->trace, err);
    if (st == RC_OK)
        st = plan_load(&f->plan, pl->trace, &pl->load, err);
    free(s);
    if (st == RC_OK)
        *out = pl;
    else
        rc_plan_player_free(pl);
    return st;
}

void rc_plan_player_free(rc_plan_player *p) {
    if (!p)
        return;
    for (int i = 0; i < RC_PLAN_OFFERS; i++) {
        rc_costs_close(p->costs[i]);
    }
    for (int i = 0; i < p->book_count; i++)
        rc_costs_close(p->books[i]);
    rc_trace_free(p->trace);
    rc_pass_store_destroy(p->store);
    plan_load_free(&p->load);
    free(p);
}

const rc_plan_load *rc_plan_player_load(const rc_plan_player *p) {
    return &p->load;
}

const rc_costs *const *rc_plan_player_costs(const rc_plan_player *p) {
    return (const rc_costs *const *)p->costs;
}
