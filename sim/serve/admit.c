/* From a replica's queue to having KV there. A request is admitted when there is room for its
 * prompt and one token more; what its prompt shares with the cache is not computed again. First
 * come, first served: a request that does not fit holds up those behind it. One that was preempted
 * comes back only when there is room for its whole reply, too: else two could push each other out
 * for ever. SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/serve/cluster.h"

void enqueue(cluster *c, replica *r, uint32_t j, bool front) {
    job *b = &c->jobs[j];
    b->state = JOB_WAITING;
    b->home = (uint32_t)(r - c->replicas);
    b->queued = b->swapped || b->source != NONE ? 0 : b->goal;
    r->queued += b->queued;
    if (front)
        list_push_front(c, &r->waiting, j);
    else
        list_push(c, &r->waiting, j);
    c->waiting++;
}

static void take_from_queue(cluster *c, replica *r, uint32_t j) {
    list_remove(c, &r->waiting, j);
    c->waiting--;
}

static void give_back(replica *r, rc_kv_lease lease, bool last) {
    rc_kv_release(r->kv, lease, last);
    r->releases++;
}

void job_release(cluster *c, uint32_t j, rc_time now) {
    job *b = &c->jobs[j];
    const rc_req *rq = &c->trace->at[j];
    bool last = rq->child == RC_NO_REQUEST;
    (void)now;
    if (b->lease != RC_KV_NO_LEASE)
        give_back(home_of(c, j), b->lease, last);
    if (b->source != NONE && b->source_lease != RC_KV_NO_LEASE)
        give_back(&c->replicas[b->source], b->source_lease, last);
    b->lease = b->source_lease = RC_KV_NO_LEASE;
    b->source = NONE;
}

/* False: no room now. A request that finds an empty cache too small is rejected (*gone). */
static bool try_admit(cluster *c, replica *r, uint32_t j, rc_kv_match *m, bool *gone, rc_time now) {
    job *b = &c->jobs[j];
    const rc_req *rq = &c->trace->at[j];
    *gone = false;
    if (r->running_count + r->late_count + r->active.count + r->in_flight >=
        (uint64_t)c->spec->max_batch)
        return false;
    if (r->refused == j && r->refused_at == r->releases)
        return false;
    uint64_t room = (uint64_t)b->goal + 1;
    if (c->rows[j].preempted > 0)
        room = (uint64_t)rq->input + rq->output;
    if (!rc_kv_admit(r->kv, c->trace, rq, room, &b->lease, m)) {
        b->lease = RC_KV_NO_LEASE;
        r->refused = j;
        r->refused_at = r->releases;
        *gone = rc_kv_pinned_blocks(r->kv) == 0;
        if (*gone) {
            take_from_queue(c, r, j);
            r->queued -= b->queued;
            replica_leave(c, r, j);
            job_release(c, j, now);
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
    c->jobs[arg].event = 0;
    admit_arrived(c, (uint32_t)arg, now);
}

static void fetch(cluster *c, replica *r, uint32_t j, job_state state, uint64_t tokens,
                  rc_time now) {
    c->jobs[j].state = (uint8_t)state;
    c->jobs[j].event = cluster_at(c, host_transfer(c, r, tokens, now), fetched, j);
    r->in_flight++;
}

/* Jobs that need no pass here: swapped out before, or prefilled in another pool. */
void admit_ready(cluster *c, replica *r, rc_time now) {
    while (r->waiting.head != NONE) {
        uint32_t j = r->waiting.head;
        job *b = &c->jobs[j];
        rc_kv_match m;
        bool gone;
        if (!b->swapped && b->source == NONE)
            return;
        if (!try_admit(c, r, j, &m, &gone, now)) {
            if (!gone)
                return;
            continue;
        }
        if (b->swapped) {
            fetch(c, r, j, JOB_MOVING, b->goal - m.tokens + m.fetch, now);
        } else {
            b->state = JOB_MOVING;
            r->in_flight++;
            c->out->moved_tokens += b->goal - m.tokens;
            transfer_begin(c, j, b->source, b->home, b->goal - m.tokens, now);
        }
    }
}

static uint32_t admit_next(cluster *c, replica *r, rc_time now) {
    while (r->waiting.head != NONE) {
        uint32_t j = r->waiting.head;
        job *b = &c->jobs[j];
        rc_kv_match m;
        bool gone;
        if (b->swapped || b->source != NONE)
            return NONE;
        if (!try_admit(c, r, j, &m, &gone, now)) {
            if (!gone)
                return NONE;
            continue;
        }
        b->filled = m.tokens;
        c->hits += m.tokens;
        metrics_admitted(c, j, &m, now);
        r->queued -= m.tokens < b->queued ? m.tokens : b->queued;
        b->queued -= m.tokens < b->queued ? m.tokens : b->queued;
        if (m.fetch > 0) {
            fetch(c, r, j, JOB_FETCHING, m.fetch, now);
            continue;
        }
        b->state = JOB_ACTIVE;
        list_push(c, &r->active, j);
        return j;
    }
    return NONE;
}

uint32_t admit_prompt(cluster *c, replica *r, uint32_t after, rc_time now) {
    uint32_t j = after == NONE ? r->active.head : c->jobs[after].next;
    return j != NONE ? j : admit_next(c, r, now);
}

static void moved(cluster *c, uint32_t j, rc_time now) {
    job *b = &c->jobs[j];
    replica *r = home_of(c, j);
    b->filled = b->goal;
    b->swapped = false;
    rc_kv_filled(r->kv, b->lease, b->filled);
    if (b->source != NONE) {
        replica *from = &c->replicas[b->source];
        give_back(from, b->source_lease, c->trace->at[j].child == RC_NO_REQUEST);
        b->source = NONE;
        b->source_lease = RC_KV_NO_LEASE;
        replica_kick(c, from, now);
    }
    if (!r->busy) {
        decode_join(c, r, j, now);
    } else { /* not into the pass under way */
        b->state = JOB_LATE;
        r->late[r->late_count++] = j;
    }
}

void admit_arrived(cluster *c, uint32_t j, rc_time now) {
    replica *r = home_of(c, j);
    r->in_flight--;
    if (c->jobs[j].state == JOB_FETCHING) {
        c->jobs[j].state = JOB_ACTIVE;
        list_push(c, &r->active, j);
    } else {
        moved(c, j, now);
    }
    replica_kick(c, r, now);
}
