/* A run from its first arrival to its last end. What must always hold is in metrics.c, conserve().
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/clock.h"
#include "sim/base/progress.h"
#include "sim/schedule/layout.h"
#include "sim/serve/cluster.h"

enum { EVENTS_A_LOOK = 4096 }; /* between two looks at the progress line */
#define STEP_DRAWS                                                                                 \
    UINT64_C(0x5EEDFACE) /* other draws than those of the arrivals by the same seed */
#define LAST ((rc_time)(RC_TRACE_MAX_DAYS * 86400.0 * RC_PS_PER_S))

void cluster_fail(cluster *c, rc_status st) {
    assert(st != RC_OK);
    if (c->status == RC_OK)
        c->status = st;
}

rc_event cluster_at(cluster *c, rc_time at, rc_event_fn fn, uint64_t arg) {
    assert(fn != NULL);
    if (at < rc_eventq_now(c->q) || at > LAST) {
        cluster_fail(c, rc_fail(c->err, RC_E_INPUT,
                                "the run goes beyond %d days: the load is far above capacity",
                                RC_TRACE_MAX_DAYS));
        return 0;
    }
    rc_event e = rc_eventq_at(c->q, at, fn, c, arg);
    if (!e)
        cluster_fail(c, rc_fail(c->err, RC_E_NOMEM, "out of memory for events"));
    return e;
}

/* ---- set-up and take-down ------------------------------------------------------------- */

void cluster_close(cluster *c) {
    rc_eventq_destroy(c->q);
    spans_destroy(c);
    if (c->replicas)
        for (uint32_t i = 0; i < c->replica_count; i++)
            replica_destroy(&c->replicas[i]);
    free(c->mb);
    for (int i = 0; i < c->pool_count; i++)
        pool_destroy(&c->pools[i]);
    network_destroy(c);
    free(c->replicas);
    requests_destroy(c);
    scratch_destroy(c);
    router_destroy(c);
    work_destroy(c);
}

static size_t microbatches_of(const rc_serve *s) {
    size_t n = 0;
    for (int i = 0; i < s->pool_count; i++)
        n += (size_t)s->pools[i].replicas * (size_t)rc_pool_groups(&s->pools[i]) *
             (size_t)rc_pool_stages(&s->pools[i]);
    return n;
}

static void take_microbatches(cluster *c, uint32_t at, const rc_pool *p) {
    replica *r = &c->replicas[at];
    r->mb = &c->mb[c->mb_count];
    r->stages = (uint32_t)rc_pool_stages(p);
    c->mb_count += r->stages;
    for (uint32_t i = 0; i < r->stages; i++)
        r->mb[i].home = r;
}

static rc_status create_replicas(cluster *c, rc_error *err) {
    uint32_t at = 0;
    for (int i = 0; i < c->spec->pool_count; i++)
        c->replica_count +=
            (uint32_t)(c->spec->pools[i].replicas * rc_pool_groups(&c->spec->pools[i]));
    c->replicas = calloc(c->replica_count, sizeof *c->replicas);
    c->mb = c->replicas ? calloc(microbatches_of(c->spec), sizeof *c->mb) : NULL;
    if (!c->mb)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %u replicas", c->replica_count);
    for (int i = 0; i < c->spec->pool_count; i++) {
        pool *p = &c->pools[i];
        c->pool_count = i + 1;
        RC_TRY(pool_create(c, i, at, err));
        for (uint32_t k = 0; k < p->count; k++, at++) {
            c->replicas[at].pool = (uint32_t)i;
            c->replicas[at].index = k;
            take_microbatches(c, at, p->spec);
            RC_TRY(replica_create(c, &c->replicas[at], err));
        }
    }
    return RC_OK;
}

/* A machine with a network may be a cluster of so many nodes; one without stands for any number of
 * nodes that know nothing of each other. */
rc_status cluster_check_nodes(const rc_serve *s, rc_error *err) {
    const rc_machine *m = &s->machine;
    int nodes = 0;
    for (int i = 0; i < s->pool_count; i++)
        nodes += rc_machine_nodes(
            m, s->pools[i].tp, rc_pool_gpus(&s->pools[i]) / s->pools[i].tp * s->pools[i].replicas);
    if (m->nic_rate <= 0.0 || m->max_nodes == 0 || nodes <= m->max_nodes)
        return RC_OK;
    return rc_fail(err, RC_E_INPUT,
                   "the pools take %d nodes: machine '%s' has at most %d (max_nodes)", nodes,
                   m->name, m->max_nodes);
}

static rc_status create(cluster *c, const rc_trace *whole, rc_error *err) {
    const rc_serve *s = c->spec;
    if (c->load.requests == 0)
        return rc_fail(err, RC_E_INPUT, "no requests to serve");
    RC_TRY(cluster_check_nodes(s, err));
    c->block = c->load.block > 0 ? c->load.block : s->kv_block;
    c->q = rc_eventq_create(0);
    if (!c->q)
        return rc_fail(err, RC_E_NOMEM, "out of memory for events");
    RC_TRY(requests_create(c, whole, err));
    RC_TRY(scratch_create(c, err));
    rc_rng_seed(&c->rng, c->options->seed ^ STEP_DRAWS);
    RC_TRY(create_replicas(c, err));
    limiter_create(c);
    RC_TRY(router_create(c, err));
    RC_TRY(spans_create(c, err));
    return network_create(c, err);
}

/* ---- the run --------------------------------------------------------------------------
 *
 * What happens at stated times comes before whatever else happens then: faults first, then
 * arrivals in the order of the trace. */

/* Nothing has failed, and what is to come is still asked for. */
static bool goes_on(const cluster *c) {
    return c->status == RC_OK && !c->out->missed;
}

static void events_before(cluster *c, rc_time at) {
    while (goes_on(c) && rc_eventq_next(c->q) < at)
        (void)rc_eventq_step(c->q);
}

static void come_to(cluster *c, rc_time at) {
    while (goes_on(c) && faults_next(c) <= at) {
        events_before(c, faults_next(c));
        if (goes_on(c))
            faults_fire(c);
    }
    events_before(c, at);
}

void cluster_arrival(cluster *c, const rc_req *rq, const rc_span *spans, uint64_t number) {
    assert(rq->arrival >= c->now);
    come_to(c, rq->arrival);
    if (!goes_on(c))
        return;
    c->now = rq->arrival;
    c->live.stated++;
    router_arrive(c, rq, spans, number, rq->arrival);
}

/* After the last request that comes at a stated time: until all have ended. */
void cluster_drain(cluster *c, rc_progress *p) {
    while (goes_on(c) && c->live.ended < c->load.requests) {
        rc_time fault = faults_next(c);
        for (int i = 0; i < EVENTS_A_LOOK && goes_on(c) && rc_eventq_next(c->q) < fault; i++)
            (void)rc_eventq_step(c->q);
        rc_progress_step(p, c->live.ended);
        if (!goes_on(c) || c->live.ended == c->load.requests || rc_eventq_next(c->q) < fault)
            continue;
        c->now = rc_eventq_now(c->q) > c->now ? rc_eventq_now(c->q) : c->now;
        /* No event is left: whoever is held waits for a replica that never comes back. */
        if (fault != RC_TIME_NEVER)
            faults_fire(c);
        else if (!router_lose_held(c, c->now))
            return;
    }
}

typedef struct stated { /* a request with a stated arrival */
    rc_time at;
    uint32_t number;
} stated;

static int by_time(const void *a, const void *b) {
    const stated *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->number < y->number ? -1 : 1; /* no two are one */
}

static bool ascending(const rc_trace *t, size_t *count) {
    rc_time last = RC_NO_ARRIVAL;
    bool yes = true;
    *count = 0;
    for (size_t j = 0; j < t->count; j++) {
        if (t->at[j].arrival == RC_NO_ARRIVAL)
            continue;
        yes = yes && t->at[j].arrival >= last;
        last = t->at[j].arrival;
        ++*count;
    }
    return yes;
}

static void arrive_all(cluster *c, const rc_trace *t, const stated *order, size_t count,
                       rc_progress *p) {
    for (size_t i = 0; i < (order ? count : t->count) && goes_on(c); i++) {
        size_t j = order ? order[i].number : i;
        if (t->at[j].arrival == RC_NO_ARRIVAL)
            continue;
        cluster_arrival(c, &t->at[j], t->spans, j);
        rc_progress_step(p, c->live.ended);
    }
}

static rc_status play(cluster *c, const rc_trace *t, rc_error *err) {
    rc_progress p;
    size_t count = 0, n = 0;
    stated *order = NULL;
    if (!ascending(t, &count)) {
        order = malloc(count * sizeof *order);
        if (!order)
            return rc_fail(err, RC_E_NOMEM, "out of memory for %zu arrivals", count);
        for (size_t j = 0; j < t->count; j++)
            if (t->at[j].arrival != RC_NO_ARRIVAL)
                order[n++] = (stated){t->at[j].arrival, (uint32_t)j};
        qsort(order, count, sizeof *order, by_time);
    }
    rc_progress_begin(&p, "serve", c->load.requests, c->options->quiet);
    arrive_all(c, t, order, count, &p);
    cluster_drain(c, &p);
    rc_progress_end(&p);
    free(order);
    return c->status;
}

static run_load load_of(const rc_trace *t) {
    run_load l = {.requests = t->count, .block = t->block, .sessions = t->sessions};
    for (size_t i = 0; i < t->count; i++) {
        int64_t input = t->at[i].input, seen = input + t->at[i].output - 1;
        l.longest_input = input > l.longest_input ? input : l.longest_input;
        l.longest = seen > l.longest ? seen : l.longest;
    }
    return l;
}

rc_status cluster_open(cluster *c, const rc_trace *whole, rc_error *err) {
    RC_TRY(create(c, whole, err));
    RC_TRY(work_create(c, err));
    metrics_init(c);
    return faults_begin(c, err);
}

static rc_status run(cluster *c, const rc_trace *t, rc_error *err) {
    RC_TRY(player_check(c, err));
    RC_TRY(cluster_open(c, t, err));
    if (c->options->until_missed)
        objectives_allow(c, t);
    RC_TRY(play(c, t, err));
    return metrics_finish(c, err);
}

rc_status rc_serve_run(const rc_serve *s, const rc_trace *trace, const rc_serve_options *o,
                       rc_serve_result *out, rc_error *err) {
    rc_error local = {0};
    assert(s->pool_count >= 1 && s->pool_count <= RC_SERVE_POOLS);
    assert(s->fuse >= 1 && s->max_batch >= 1);
    assert(s->linear.on || o->costs != NULL);
    double start = rc_clock_s();
    cluster *c = calloc(1, sizeof *c);
    if (!c)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a run");
    memset(out, 0, sizeof *out);
    *c = (cluster){
        .spec = s, .load = load_of(trace), .options = o, .out = out, .err = err ? err : &local};
    rc_model_notes(&s->model, &s->layout, c->load.longest, &out->notes);
    rc_status st = run(c, trace, err);
    out->wall_s = rc_clock_s() - start;
    cluster_close(c);
    free(c);
    return st;
}
