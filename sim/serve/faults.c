/* What goes wrong when: a node lost and back, a slow rank, a degraded link. One lost node takes its
 * whole replica with it, for a pass needs all its ranks; its KV is gone. Requests that it held, and
 * those whose KV was on its way from or to it, are tried again elsewhere or lost.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include "sim/serve/cluster.h"

/* Its first group. */
static replica *replica_of(cluster *c, const rc_serve_fault *f) {
    const pool *p = &c->pools[f->pool];
    assert(f->replica >= 0 && f->replica < p->spec->replicas);
    return &c->replicas[p->first + (uint32_t)(f->replica * rc_pool_groups(p->spec))];
}

/* The group that has the rank of a slow one. */
static replica *slow_of(cluster *c, const rc_serve_fault *f) {
    const rc_pool *p = c->pools[f->pool].spec;
    return replica_of(c, f) + f->rank / p->cp % rc_pool_groups(p);
}

/* Out of whatever list or transfer the job is in, and its KV released. */
static void withdraw(cluster *c, uint32_t j, rc_time now) {
    job *b = &c->jobs[j];
    bool counted = b->state != JOB_HELD; /* by its replica */
    if (b->state == JOB_HELD)
        router_drop_held(c, j);
    else if (b->state == JOB_RUNNING)
        decode_leave(c, j);
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

/* `groups` from `lost` on are. */
static bool concerns(const job *b, uint32_t lost, uint32_t groups) {
    if (b->state == JOB_AWAY || b->state == JOB_ENDED)
        return false;
    return b->kv.source - lost < groups || (b->state != JOB_HELD && b->kv.home - lost < groups);
}

static int by_number(const void *a, const void *b) {
    const heap_item *x = a, *y = b;
    return (x->step > y->step) - (x->step < y->step);
}

/* All out first, in the order of their numbers: routing must see no rest. */
static void withdraw_all(cluster *c, uint32_t lost, uint32_t groups, job_list *out, rc_time now) {
    heap_item *at = malloc((c->live.used + 1) * sizeof *at);
    uint32_t n = 0;
    if (!at) {
        cluster_fail(c, rc_fail(c->err, RC_E_NOMEM, "out of memory for a lost node"));
        return;
    }
    for (uint32_t j = 0; j < c->live.used; j++)
        if (concerns(&c->jobs[j], lost, groups))
            at[n++] = (heap_item){.step = c->jobs[j].number, .job = j};
    qsort(at, n, sizeof *at, by_number);
    for (uint32_t i = 0; i < n; i++) {
        withdraw(c, at[i].job, now);
        list_push(c, out, at[i].job);
    }
    free(at);
}

static void go_down(cluster *c, replica *r, rc_time now) {
    assert(r->health.up);
    r->health.up = false;
    r->health.up_time += now - r->health.up_since;
    replica_abort(c, r, now);
}

static void lose(cluster *c, replica *r, rc_time now) {
    const uint32_t lost = (uint32_t)(r - c->replicas), groups = groups_of(c, r);
    job_list all;
    for (uint32_t g = 0; g < groups; g++)
        go_down(c, r + g, now);
    list_init(&all);
    withdraw_all(c, lost, groups, &all, now);
    if (c->status != RC_OK)
        return;
    for (uint32_t g = 0; g < groups; g++) {
        rc_kv_clear(r[g].kv, true);
        host_reset(r + g, now);
    }
    while (all.head != NONE) {
        uint32_t j = all.head;
        list_remove(c, &all, j);
        try_again(c, j, now);
    }
}

static void begins(cluster *c, int i, rc_time now) {
    const rc_serve_fault *f = &c->spec->faults[i];
    replica *r = replica_of(c, f);
    if (f->kind != RC_NODE_LOST)
        slow_of(c, f)->health.condition = c->fault_condition[i];
    else if (r->health.down++ == 0)
        lose(c, r, now);
}

static void is_over(cluster *c, int i, rc_time now) {
    const rc_serve_fault *f = &c->spec->faults[i];
    replica *r = replica_of(c, f);
    if (f->kind != RC_NODE_LOST) {
        slow_of(c, f)->health.condition = 0;
        return;
    }
    assert(r->health.down > 0);
    if (--r->health.down == 0) {
        for (uint32_t g = 0; g < groups_of(c, r); g++) {
            r[g].health.up = true;
            r[g].health.up_since = now;
        }
        route_held(c, now);
    }
}

/* ---- when ----------------------------------------------------------------------------- */

/* Behind all that are due at that time. */
static void add_time(cluster *c, rc_time at, int fault, bool over) {
    int i = c->fault_count++;
    assert(i < FAULT_TIMES);
    for (; i > 0 && c->fault_times[i - 1].at > at; i--)
        c->fault_times[i] = c->fault_times[i - 1];
    c->fault_times[i] = (fault_time){at, fault, over};
}

rc_time faults_next(const cluster *c) {
    return c->fault_next < c->fault_count ? c->fault_times[c->fault_next].at : RC_TIME_NEVER;
}

void faults_fire(cluster *c) {
    assert(c->fault_next < c->fault_count);
    const fault_time t = c->fault_times[c->fault_next++];
    c->now = t.at;
    for (uint32_t i = 0; i < c->replica_count; i++)
        replica_disturb(c, &c->replicas[i], t.at);
    if (t.over)
        is_over(c, t.fault, t.at);
    else
        begins(c, t.fault, t.at);
}

static rc_status add_condition(cluster *c, int i, rc_error *err) {
    const rc_serve_fault *f = &c->spec->faults[i];
    pool *p = &c->pools[f->pool];
    const int cp = p->spec->cp, stages = rc_pool_stages(p->spec);
    rc_what_if w = {.slow_rank = -1, .slow_link_rank = -1};
    if (f->kind == RC_SLOW_RANK) {
        w.slow_rank = f->rank % cp;
        w.slow_speed = f->speed;
    } else {
        w.slow_link_rank = f->rank % cp;
        w.slow_link = f->speed;
    }
    const int stage = stages > 1 ? f->rank / cp : 0;
    return pool_condition(c, p, &w, stage, &c->fault_condition[i], err);
}

rc_status faults_begin(cluster *c, rc_error *err) {
    for (int i = 0; i < c->spec->fault_count; i++) {
        const rc_serve_fault *f = &c->spec->faults[i];
        if (f->kind != RC_NODE_LOST && !c->spec->linear.on)
            RC_TRY(add_condition(c, i, err));
        add_time(c, f->at, i, false);
        if (f->back != RC_TIME_NEVER)
            add_time(c, f->back, i, true);
    }
    return RC_OK;
}
