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

static void destroy(cluster *c) {
    rc_eventq_destroy(c->q);
    if (c->replicas)
        for (uint32_t i = 0; i < c->replica_count; i++)
            replica_destroy(&c->replicas[i]);
    for (int i = 0; i < c->pool_count; i++)
        pool_destroy(&c->pools[i]);
    network_destroy(c);
    free(c->replicas);
    free(c->jobs);
    scratch_destroy(c);
    router_destroy(c);
    if (c->rows != c->options->rows)
        free(c->rows);
}

static void first_state(cluster *c) {
    for (size_t j = 0; j < c->trace->count; j++) {
        const rc_req *rq = &c->trace->at[j];
        c->rows[j] = (rc_served){.arrived = -1,
                                 .started = -1,
                                 .first = -1,
                                 .end = -1,
                                 .input = rq->input,
                                 .output = rq->output,
                                 .session = rq->session,
                                 .turn = rq->turn,
                                 .replica = RC_NO_REPLICA};
        c->jobs[j] = (job){
            .link = {NONE, NONE},
            .decode = {.place = NONE, .due = NONE, .due_next = NONE, .due_prev = NONE},
            .kv = {.home = NONE,
                   .source = NONE,
                   .lease = RC_KV_NO_LEASE,
                   .source_lease = RC_KV_NO_LEASE},
        };
    }
}

static rc_status create_replicas(cluster *c, rc_error *err) {
    uint32_t at = 0;
    for (int i = 0; i < c->spec->pool_count; i++)
        c->replica_count += (uint32_t)c->spec->pools[i].replicas;
    c->replicas = calloc(c->replica_count, sizeof *c->replicas);
    if (!c->replicas)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %u replicas", c->replica_count);
    for (int i = 0; i < c->spec->pool_count; i++) {
        pool *p = &c->pools[i];
        c->pool_count = i + 1;
        RC_TRY(pool_create(c, i, at, err));
        for (uint32_t k = 0; k < p->count; k++, at++) {
            c->replicas[at].pool = (uint32_t)i;
            c->replicas[at].index = k;
            RC_TRY(replica_create(c, &c->replicas[at], err));
        }
    }
    return RC_OK;
}

/* A machine with a network may be a cluster of so many nodes; one without stands for any number of
 * nodes that know nothing of each other. */
static rc_status check_nodes(const rc_serve *s, rc_error *err) {
    const rc_machine *m = &s->machine;
    int nodes = 0;
    for (int i = 0; i < s->pool_count; i++)
        nodes += rc_machine_nodes(m, s->pools[i].tp, s->pools[i].cp * s->pools[i].replicas);
    if (m->nic_rate <= 0.0 || m->max_nodes == 0 || nodes <= m->max_nodes)
        return RC_OK;
    return rc_fail(err, RC_E_INPUT,
                   "the pools take %d nodes: machine '%s' has at most %d (max_nodes)", nodes,
                   m->name, m->max_nodes);
}

static rc_status create(cluster *c, rc_error *err) {
    const rc_serve *s = c->spec;
    size_t n = c->trace->count;
    if (n == 0)
        return rc_fail(err, RC_E_INPUT, "no requests to serve");
    RC_TRY(check_nodes(s, err));
    c->block = c->trace->block > 0 ? c->trace->block : s->kv_block;
    c->rows = c->options->rows ? c->options->rows : calloc(n, sizeof *c->rows);
    c->jobs = calloc(n, sizeof *c->jobs);
    c->q = rc_eventq_create(n);
    if (!c->rows || !c->jobs || !c->q)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu requests", n);
    RC_TRY(scratch_create(c, err));
    first_state(c);
    rc_rng_seed(&c->rng, c->options->seed ^ STEP_DRAWS);
    RC_TRY(create_replicas(c, err));
    RC_TRY(router_create(c, err));
    return network_create(c, err);
}

/* ---- the run -------------------------------------------------------------------------- */

static void play(cluster *c) {
    rc_progress p;
    bool more = true;
    rc_progress_begin(&p, "serve", c->trace->count, c->options->quiet);
    while (c->status == RC_OK && more) {
        for (int i = 0; i < EVENTS_A_LOOK && more && c->status == RC_OK; i++)
            more = c->router.ended < c->trace->count && rc_eventq_step(c->q);
        /* No event is left: whoever is held waits for a replica that never comes back. */
        if (!more && c->router.ended < c->trace->count)
            more = router_lose_held(c, rc_eventq_now(c->q));
        rc_progress_step(&p, c->router.ended);
    }
    rc_progress_end(&p);
}

static rc_status run(cluster *c, rc_error *err) {
    RC_TRY(create(c, err));
    metrics_init(c);
    RC_TRY(faults_begin(c, err));
    router_begin(c);
    play(c);
    RC_TRY(c->status);
    return metrics_finish(c, err);
}

static void take_notes(const rc_serve *s, const rc_trace *trace, rc_notes *out) {
    int64_t longest = 0;
    for (size_t i = 0; i < trace->count; i++)
        if (trace->at[i].input + trace->at[i].output > longest)
            longest = trace->at[i].input + trace->at[i].output;
    rc_model_notes(&s->model, &s->layout, longest, out);
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
    take_notes(s, trace, &out->notes);
    *c = (cluster){.spec = s, .trace = trace, .options = o, .out = out, .err = err ? err : &local};
    rc_status st = run(c, err);
    out->wall_s = rc_clock_s() - start;
    destroy(c);
    free(c);
    return st;
}
