/* From a replica's queue to having KV there. A request is admitted when there is room for its
 * prompt and one token more, for the piece that the pass being formed computes, or for its whole reply
 * (rc_admission); what its prompt shares with the cache is not computed again. First come, first
 * served: a request that does not fit holds up those behind it. One that was preempted comes back by
 * the same rule, with its tokens so far as prompt: no engine knows how long its reply will be. It
 * makes a token each time, for it is let in with room for its next step, or waits for room for the rest of
 * its prompt (decode_make_room), so that two that push each other out come to an end.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "sim/serve/cluster.h"

void enqueue(cluster *c, replica *r, uint32_t j, bool front) {
    job *b = &c->jobs[j];
    assert(b->kv.lease == RC_KV_NO_LEASE);
    b->state = JOB_WAITING;
    b->kv.home = (uint32_t)(r - c->replicas);
    b->kv.queued = b->kv.swapped || b->kv.source != NONE ? 0 : b->goal;
    r->queue.tokens += b->kv.queued;
    if (front)
        list_push_front(c, &r->queue.waiting, j);
    else
        list_push(c, &r->queue.waiting, j);
    metrics_waiting(c, +1);
}

static void take_from_queue(cluster *c, replica *r, uint32_t j) {
    assert(c->jobs[j].state == JOB_WAITING);
    list_remove(c, &r->queue.waiting, j);
    metrics_waiting(c, -1);
}

void admit_progress(cluster *c, uint32_t j, uint32_t tokens) {
    job *b = &c->jobs[j];
    replica *r = home_of(c, j);
    uint32_t done = tokens < b->kv.queued ? tokens : b->kv.queued;
    assert(done <= r->queue.tokens);
    b->kv.queued -= done;
    r->queue.tokens -= done;
}

static void join_active(cluster *c, replica *r, uint32_t j) {
    c->jobs[j].state = JOB_ACTIVE;
    list_push(c, &r->queue.active, j);
}

void admit_leave_active(cluster *c, uint32_t j) {
    assert(c->jobs[j].state == JOB_ACTIVE);
    list_remove(c, &home_of(c, j)->queue.active, j);
    c->jobs[j].state = JOB_AWAY;
}

static void give_back(replica *r, rc_kv_lease lease, bool last) {
    rc_kv_release(r->kv, lease, last);
    r->queue.releases++;
}

void job_release(cluster *c, uint32_t j) {
    job *b = &c->jobs[j];
    const rc_req *rq = &c->trace->at[j];
    bool last = rq->child == RC_NO_REQUEST;
    if (b->kv.lease != RC_KV_NO_LEASE) {
        player_release(c, j);
        give_back(home_of(c, j), b->kv.lease, last);
    }
    if (b->kv.source != NONE && b->kv.source_lease != RC_KV_NO_LEASE)
        give_back(&c->replicas[b->kv.source], b->kv.source_lease, last);
    b->kv.lease = b->kv.source_lease = RC_KV_NO_LEASE;
    b->kv.source = NONE;
}

void admit_hand_over(cluster *c, uint32_t j) {
    job *b = &c->jobs[j];
    assert(b->kv.source == NONE);
    b->kv.source = b->kv.home;
    b->kv.source_lease = b->kv.lease;
    b->kv.lease = RC_KV_NO_LEASE;
}

void admit_preempted(cluster *c, uint32_t j, bool swap, uint32_t goal, rc_time now) {
    job *b = &c->jobs[j];
    if (swap)
        (void)host_transfer(c, home_of(c, j), goal, now);
    job_release(c, j);
    b->kv.swapped = swap;
    b->filled = 0;
    b->goal = goal;
}

/* Tokens that the pass being formed leaves a request, behind those that are cached. */
static uint64_t first_piece(const cluster *c, const replica *r, uint32_t j) {
    const uint64_t cached = rc_kv_lookup(r->kv, c->trace, &c->trace->at[j]).tokens;
    const uint64_t rest = (uint64_t)c->jobs[j].goal + 1 - cached, room = (uint64_t)r->forming.room;
    return cached + (rest <= room ? rest : room);
}

/* Tokens of a request that is admitted with all of its prompt, or with its KV from elsewhere: one that
 * decodes at once has room for its whole next step (tokens of a draft may all be accepted), so that it
 * cannot be preempted for want of it before it has made a token. */
static uint64_t room_to_go_on(const cluster *c, uint32_t j) {
    const job *b = &c->jobs[j];
    const rc_req *rq = &c->trace->at[j];
    const uint64_t most = (uint64_t)rq->input + rq->output;
    const bool decodes = b->kv.swapped || b->kv.source != NONE;
    const uint64_t step = decodes && c->spec->step_kinds > 1 ? (uint64_t)c->spec->step_kinds : 1;
    const uint64_t room = b->goal + step;
    return room < most ? room : most;
}

/* False: no room now. A request that finds an empty cache too small is rejected (*gone). */
static bool try_admit(cluster *c, replica *r, uint32_t j, rc_kv_match *m, bool *gone, rc_time now) {
    job *b = &c->jobs[j];
    const rc_req *rq = &c->trace->at[j];
    *gone = false;
    if (replica_running(r) + r->mb->batch.ended_count + r->queue.late_count +
            r->queue.active.count + r->queue.in_flight >=
        (uint64_t)c->spec->max_batch)
        return false;
    if (r->queue.refused == b->number && r->queue.refused_at == r->queue.releases)
        return false;
    uint64_t room = room_to_go_on(c, j);
    if (c->spec->admission == RC_ADMIT_REPLY)
        room = (uint64_t)rq->input + rq->output;
    else if (c->spec->admission == RC_ADMIT_CHUNK && !b->kv.swapped && b->kv.source == NONE)
        room = first_piece(c, r, j);
    if (!rc_kv_admit(r->kv, c->trace, rq, room, &b->kv.lease, m)) {
        b->kv.lease = RC_KV_NO_LEASE;
        r->queue.refused = b->number;
        r->queue.refused_at = r->queue.releases;
        *gone = rc_kv_pinned_blocks(r->kv) == 0;
        if (*gone) {
            take_from_queue(c, r, j);
            r->queue.tokens -= b->kv.queued;
            router_leave(r);
            job_release(c, j);
            c->rows[j].refusal = RC_TOO_LARGE;
            job_end(c, j, RC_REJECTED, now);
        }
        return false;
    }
    take_from_queue(c, r, j);
    return true;
}

static void fetched(void *ctx, uint64_t arg, rc_time now) {
    cluster *c = ctx;
    c->jobs[arg].kv.event = 0;
    admit_arrived(c, (uint32_t)arg, now);
}

static void fetch(cluster *c, replica *r, uint32_t j, job_state state, uint64_t tokens,
                  rc_time now) {
    c->jobs[j].state = (uint8_t)state;
    c->jobs[j].kv.event = cluster_at(c, host_transfer(c, r, tokens, now), fetched, j);
    r->queue.in_flight++;
}

/* Of the tokens that are to move, those whose KV has not gone to the other pool when the prompt is done:
 * with transfers by layer only the last pass can leave some, what its time has no room for at the rate
 * of one flow, and the last layer's in any case. */
static uint64_t left_to_move(const cluster *c, const job *b, uint64_t tokens) {
    if (!c->spec->kv_by_layer)
        return tokens;
    const pool *from = &c->pools[c->replicas[b->kv.source].pool];
    const pool *to = &c->pools[c->replicas[b->kv.home].pool];
    const double layers = (double)c->spec->model.layers;
    const double gpus = fmin(pool_kv_gpus(c, from), pool_kv_gpus(c, to));
    const double rate = gpus * c->spec->machine.peer_rate / from->token_bytes;
    const double tail = fmin((double)tokens, (double)b->kv.tail);
    const double sent = rate * (double)b->kv.tail_took / RC_PS_PER_S * (layers - 1.0) / layers;
    return (uint64_t)ceil(fmax(fmax(tail / layers, tail - sent), 1.0));
}

/* Jobs that need no pass here: swapped out before, or prefilled in another pool. */
void admit_ready(cluster *c, replica *r, rc_time now) {
    while (r->queue.waiting.head != NONE) {
        uint32_t j = r->queue.waiting.head;
        job *b = &c->jobs[j];
        rc_kv_match m;
        bool gone;
        if (!b->kv.swapped && b->kv.source == NONE)
            return;
        if (!try_admit(c, r, j, &m, &gone, now)) {
            if (!gone)
                return;
            continue;
        }
        if (b->kv.swapped) {
            fetch(c, r, j, JOB_MOVING, b->goal - m.tokens + m.fetch, now);
        } else {
            b->state = JOB_MOVING;
            r->queue.in_flight++;
            metrics_moved(c, b->goal - m.tokens);
            transfer_begin(c, j, b->kv.source, b->kv.home, left_to_move(c, b, b->goal - m.tokens),
                           now);
        }
    }
}

static uint32_t admit_next(cluster *c, replica *r, rc_time now) {
    while (r->queue.waiting.head != NONE) {
        uint32_t j = r->queue.waiting.head;
        job *b = &c->jobs[j];
        rc_kv_match m;
        bool gone;
        if (b->kv.swapped || b->kv.source != NONE)
            return NONE;
        if (!try_admit(c, r, j, &m, &gone, now)) {
            if (!gone)
                return NONE;
            continue;
        }
        b->filled = m.tokens;
        metrics_admitted(c, j, &m, now);
        admit_progress(c, j, m.tokens);
        if (m.fetch > 0) {
            fetch(c, r, j, JOB_FETCHING, m.fetch, now);
            continue;
        }
        join_active(c, r, j);
        return j;
    }
    return NONE;
}

uint32_t admit_prompt(cluster *c, replica *r, uint32_t after, rc_time now) {
    uint32_t j = after == NONE ? r->queue.active.head : c->jobs[after].link.next;
    return j != NONE || r->forming.gave_way ? j : admit_next(c, r, now);
}

/* One whose pass is yet to be formed; NULL. */
static microbatch *free_batch(replica *r) {
    for (uint32_t i = 0; i < r->stages; i++)
        if (!r->mb[i].pass.busy)
            return &r->mb[i];
    return NULL;
}

static void moved(cluster *c, uint32_t j, rc_time now) {
    job *b = &c->jobs[j];
    replica *r = home_of(c, j);
    b->filled = b->goal;
    b->kv.swapped = false;
    rc_kv_filled(r->kv, b->kv.lease, b->filled);
    if (b->kv.source != NONE) {
        replica *from = &c->replicas[b->kv.source];
        give_back(from, b->kv.source_lease, c->trace->at[j].child == RC_NO_REQUEST);
        b->kv.source = NONE;
        b->kv.source_lease = RC_KV_NO_LEASE;
        replica_kick(c, from, now);
    }
    microbatch *free = free_batch(r);
    if (free) {
        decode_join(c, free, j);
    } else { /* not into a pass under way */
        b->state = JOB_LATE;
        assert(r->queue.late_count < (uint64_t)c->spec->max_batch);
        r->queue.late[r->queue.late_count++] = j;
    }
}

void admit_arrived(cluster *c, uint32_t j, rc_time now) {
    replica *r = home_of(c, j);
    assert(r->queue.in_flight > 0);
    assert(c->jobs[j].state == JOB_FETCHING || c->jobs[j].state == JOB_MOVING);
    r->queue.in_flight--;
    if (c->jobs[j].state == JOB_FETCHING)
        join_active(c, r, j);
    else
        moved(c, j, now);
    replica_kick(c, r, now);
}

void admit_join_late(cluster *c, microbatch *m) {
    replica *r = m->home;
    for (uint32_t i = 0; i < r->queue.late_count; i++)
        decode_join(c, m, r->queue.late[i]);
    r->queue.late_count = 0;
}

/* ---- taken away ----------------------------------------------------------------------- */

static void drop_late(replica *r, uint32_t j) {
    for (uint32_t i = 0; i < r->queue.late_count; i++) {
        if (r->queue.late[i] != j)
            continue;
        r->queue.late[i] = r->queue.late[--r->queue.late_count];
        return;
    }
}

static void cancel_arrival(cluster *c, uint32_t j, rc_time now) {
    job *b = &c->jobs[j];
    home_of(c, j)->queue.in_flight--;
    if (b->kv.event)
        (void)rc_eventq_cancel(c->q, b->kv.event);
    else
        transfer_drop(c, j, now);
    b->kv.event = 0;
}

void admit_withdraw(cluster *c, uint32_t j, rc_time now) {
    job *b = &c->jobs[j];
    replica *r = home_of(c, j);
    assert(b->state == JOB_WAITING || b->state == JOB_ACTIVE || b->state == JOB_FETCHING ||
           b->state == JOB_MOVING || b->state == JOB_LATE);
    if (b->state == JOB_ACTIVE || b->state == JOB_FETCHING)
        metrics_discarded(c, b->filled);
    if (b->state == JOB_WAITING)
        take_from_queue(c, r, j);
    else if (b->state == JOB_ACTIVE)
        admit_leave_active(c, j);
    else if (b->state == JOB_LATE)
        drop_late(r, j);
    else
        cancel_arrival(c, j, now);
    admit_progress(c, j, b->kv.queued);
}

/* ---- life ----------------------------------------------------------------------------- */

rc_status admission_create(replica *r, size_t most, rc_error *err) {
    r->queue = (admission){.refused = NO_NUMBER};
    list_init(&r->queue.waiting);
    list_init(&r->queue.active);
    r->queue.late = calloc(most, sizeof *r->queue.late);
    return r->queue.late ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for a replica");
}

void admission_destroy(replica *r) {
    free(r->queue.late);
}
