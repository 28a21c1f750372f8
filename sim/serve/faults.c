/* What goes wrong when: a node lost and back, a slow rank, a degraded link. One lost node takes its
 * whole replica with it, for a pass needs all its ranks; its KV is gone. Requests that it held, and
 * those whose KV was on its way from or to it, are tried again elsewhere or lost.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/serve/cluster.h"

static replica *replica_of(cluster *c, const rc_serve_fault *f) {
    return &c->replicas[c->pools[f->pool].first + (uint32_t)f->replica];
}

/* Out of whatever list or transfer the job is in, and its KV released. */
static void withdraw(cluster *c, uint32_t j, rc_time now) {
    job *b = &c->jobs[j];
    replica *r = home_of(c, j);
    switch ((job_state)b->state) {
    case JOB_HELD: /* prefilled, no decode replica up */
        list_remove(c, &c->held_decode, j);
        break;
    case JOB_WAITING:
        list_remove(c, &r->waiting, j);
        c->waiting--;
        break;
    case JOB_ACTIVE:
        list_remove(c, &r->active, j);
        break;
    case JOB_FETCHING:
    case JOB_MOVING:
        r->in_flight--;
        if (b->event)
            (void)rc_eventq_cancel(c->q, b->event);
        else
            transfer_drop(c, j, now);
        b->event = 0;
        break;
    case JOB_RUNNING:
        decode_leave(c, r, j);
        break;
    default: /* JOB_LATE: the list of its replica is emptied by the caller */
        break;
    }
    if (b->state == JOB_ACTIVE || b->state == JOB_FETCHING)
        c->discarded += b->filled;
    if (b->state != JOB_HELD) {
        r->queued -= b->queued;
        replica_leave(c, r, j);
    }
    b->queued = 0;
    job_release(c, j, now);
    b->state = JOB_AWAY;
}

static void try_again(cluster *c, uint32_t j, rc_time now) {
    job *b = &c->jobs[j];
    b->swapped = false;
    b->filled = 0;
    b->goal = c->trace->at[j].input + c->rows[j].generated;
    if (c->spec->lose) {
        job_end(c, j, RC_LOST, now);
        return;
    }
    c->rows[j].retried++;
    c->out->retried++;
    route(c, j, now);
}

static bool concerns(const job *b, uint32_t lost) {
    if (b->state == JOB_AWAY || b->state == JOB_ENDED)
        return false;
    return b->source == lost || (b->state != JOB_HELD && b->home == lost);
}

static void drop_late(replica *r, uint32_t j) {
    for (uint32_t i = 0; i < r->late_count; i++) {
        if (r->late[i] != j)
            continue;
        r->late[i] = r->late[--r->late_count];
        return;
    }
}

static void lose(cluster *c, replica *r, rc_time now) {
    uint32_t lost = (uint32_t)(r - c->replicas), first = NONE, last = NONE;
    r->up = false;
    r->up_time += now - r->up_since;
    if (r->busy) {
        (void)rc_eventq_cancel(c->q, r->event);
        r->busy_time += now - r->pass_start;
    }
    r->busy = r->decodes = false;
    r->chunk_count = 0;
    for (uint32_t j = 0; j < c->trace->count; j++) { /* all out first: routing must see no rest */
        if (!concerns(&c->jobs[j], lost))
            continue;
        if (c->jobs[j].state == JOB_LATE)
            drop_late(home_of(c, j), j);
        withdraw(c, j, now);
        *(last == NONE ? &first : &c->jobs[last].next) = j;
        c->jobs[j].next = NONE;
        last = j;
    }
    rc_kv_clear(r->kv, true);
    r->host_free = now;
    for (uint32_t j = first, next; j != NONE; j = next) {
        next = c->jobs[j].next;
        c->jobs[j].next = NONE;
        try_again(c, j, now);
    }
}

static void begins(void *ctx, uint64_t arg, rc_time now) {
    cluster *c = ctx;
    const rc_serve_fault *f = &c->spec->faults[arg];
    replica *r = replica_of(c, f);
    if (f->kind != RC_NODE_LOST)
        r->condition = c->fault_condition[arg];
    else if (r->down++ == 0)
        lose(c, r, now);
}

static void is_over(void *ctx, uint64_t arg, rc_time now) {
    cluster *c = ctx;
    const rc_serve_fault *f = &c->spec->faults[arg];
    replica *r = replica_of(c, f);
    if (f->kind != RC_NODE_LOST) {
        r->condition = 0;
    } else if (--r->down == 0) {
        r->up = true;
        r->up_since = now;
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
