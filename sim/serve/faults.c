/* What goes wrong when: a node lost and back, a slow rank, a degraded link. One lost node takes its
 * whole replica with it, for a pass needs all its ranks; its KV is gone. Requests that it held, and
 * those whose KV was on its way from or to it, are tried again elsewhere or lost.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/serve/cluster.h"

static replica *replica_of(cluster *c, const rc_serve_fault *f) {
    assert(f->replica >= 0 && (uint32_t)f->replica < c->pools[f->pool].count);
    return &c->replicas[c->pools[f->pool].first + (uint32_t)f->replica];
}

/* Out of whatever list or transfer the job is in, and its KV released. */
static void withdraw(cluster *c, uint32_t j, rc_time now) {
    job *b = &c->jobs[j];
    bool counted = b->state != JOB_HELD; /* by its replica */
    if (b->state == JOB_HELD)
        router_drop_held(c, j);
    else if (b->state == JOB_RUNNING)
        decode_leave(c, home_of(c, j), j);
    else
        admit_withdraw(c, j, now);
    if (counted)
        router_leave(home_of(c, j));
    job_release(c, j);
    b->state = JOB_AWAY;
}

static void try_again(cluster *c, uint32_t j, rc_time now) {
    job *b = &c->jobs[j];
    b->kv.swapped = false;
    b->filled = 0;
    b->goal = c->trace->at[j].input + c->rows[j].generated;
    if (c->spec->lose) {
        job_end(c, j, RC_LOST, now);
        return;
    }
    c->rows[j].retried++;
    metrics_retried(c);
    route(c, j, now);
}

static bool concerns(const job *b, uint32_t lost) {
    if (b->state == JOB_AWAY || b->state == JOB_ENDED)
        return false;
    return b->kv.source == lost || (b->state != JOB_HELD && b->kv.home == lost);
}

static void lose(cluster *c, replica *r, rc_time now) {
    uint32_t lost = (uint32_t)(r - c->replicas);
    job_list all;
    assert(r->health.up);
    r->health.up = false;
    r->health.up_time += now - r->health.up_since;
    replica_abort(c, r, now);
    list_init(&all);
    for (uint32_t j = 0; j < c->trace->count; j++) { /* all out first: routing must see no rest */
        if (!concerns(&c->jobs[j], lost))
            continue;
        withdraw(c, j, now);
        list_push(c, &all, j);
    }
    rc_kv_clear(r->kv, true);
    host_reset(r, now);
    while (all.head != NONE) {
        uint32_t j = all.head;
        list_remove(c, &all, j);
        try_again(c, j, now);
    }
}

static void begins(void *ctx, uint64_t arg, rc_time now) {
    cluster *c = ctx;
    const rc_serve_fault *f = &c->spec->faults[arg];
    replica *r = replica_of(c, f);
    if (f->kind != RC_NODE_LOST)
        r->health.condition = c->fault_condition[arg];
    else if (r->health.down++ == 0)
        lose(c, r, now);
}

static void is_over(void *ctx, uint64_t arg, rc_time now) {
    cluster *c = ctx;
    const rc_serve_fault *f = &c->spec->faults[arg];
    replica *r = replica_of(c, f);
    if (f->kind != RC_NODE_LOST) {
        r->health.condition = 0;
        return;
    }
    assert(r->health.down > 0);
    if (--r->health.down == 0) {
        r->health.up = true;
        r->health.up_since = now;
        route_held(c, now);
    }
}

rc_status faults_begin(cluster *c, rc_error *err) {
    for (int i = 0; i < c->spec->fault_count; i++) {
        const rc_serve_fault *f = &c->spec->faults[i];
        if (f->kind != RC_NODE_LOST && !c->spec->linear.on) {
            rc_what_if w = {.slow_rank = -1, .slow_link_rank = -1};
            if (f->kind == RC_SLOW_RANK) {
                w.slow_rank = f->rank;
                w.slow_speed = f->speed;
            } else {
                w.slow_link_rank = f->rank;
                w.slow_link = f->speed;
            }
            RC_TRY(pool_condition(c, &c->pools[f->pool], &w, &c->fault_condition[i], err));
        }
        (void)cluster_at(c, f->at, begins, (uint64_t)i);
        if (f->back != RC_TIME_NEVER)
            (void)cluster_at(c, f->back, is_over, (uint64_t)i);
    }
    return RC_OK;
}
