/* The requests in the system. Each has a slot from its arrival to its end: an index into the live
 * trace, the jobs and the rows, all of which grow with what is in the system at once and not with
 * what has come. A slot that is given back is the next to be taken.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include "sim/serve/cluster.h"

enum { FIRST_ROOM = 64, SPANS = 2 }; /* spans of a request that comes alone: at most */

rc_status requests_create(cluster *c, const rc_trace *whole, rc_error *err) {
    live_requests *l = &c->live;
    (void)err;
    *l = (live_requests){.whole = whole, .free = NONE};
    l->trace.block = c->load.block;
    l->trace.sessions = c->load.sessions;
    if (whole) {
        l->trace.spans = whole->spans;
        l->trace.span_count = whole->span_count;
    }
    c->trace = &l->trace;
    return RC_OK;
}

void requests_destroy(cluster *c) {
    free(c->live.trace.at);
    if (!c->live.whole)
        free(c->live.trace.spans);
    free(c->jobs);
    free(c->rows);
}

static bool more_room(cluster *c) {
    live_requests *l = &c->live;
    uint32_t room = l->room ? 2 * l->room : FIRST_ROOM;
    rc_req *at = realloc(l->trace.at, room * sizeof *at);
    if (!at)
        return false;
    l->trace.at = at;
    job *jobs = realloc(c->jobs, room * sizeof *jobs);
    if (!jobs)
        return false;
    c->jobs = jobs;
    rc_served *rows = realloc(c->rows, room * sizeof *rows);
    if (!rows)
        return false;
    c->rows = rows;
    if (!l->whole) {
        rc_span *spans = realloc(l->trace.spans, (size_t)SPANS * room * sizeof *spans);
        if (!spans)
            return false;
        l->trace.spans = spans;
        l->trace.span_count = (size_t)SPANS * room;
    }
    l->room = room;
    return true;
}

static void begin(cluster *c, uint32_t j, uint64_t number) {
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
        .number = number,
        .link = {NONE, NONE},
        .decode = {.place = NONE, .due = NONE, .due_next = NONE, .due_prev = NONE},
        .kv = {.home = NONE,
               .source = NONE,
               .lease = RC_KV_NO_LEASE,
               .source_lease = RC_KV_NO_LEASE},
    };
}

uint32_t requests_take(cluster *c, const rc_req *rq, const rc_span *spans, uint64_t number) {
    live_requests *l = &c->live;
    uint32_t j = l->free;
    if (j != NONE) {
        l->free = c->jobs[j].link.next;
    } else if (l->used < l->room || more_room(c)) {
        j = l->used++;
    } else {
        cluster_fail(
            c, rc_fail(c->err, RC_E_NOMEM, "out of memory for %u requests at a time", l->used));
        return NONE;
    }
    rc_req *q = &l->trace.at[j];
    *q = *rq;
    if (!l->whole) {
        assert(rq->spans <= SPANS);
        q->span = SPANS * j;
        for (uint32_t i = 0; i < rq->spans; i++)
            l->trace.spans[q->span + i] = spans[rq->span + i];
    }
    begin(c, j, number);
    return j;
}

void requests_give(cluster *c, uint32_t j) {
    live_requests *l = &c->live;
    assert(c->jobs[j].state == JOB_ENDED);
    if (c->options->rows)
        c->options->rows[c->jobs[j].number] = c->rows[j];
    c->jobs[j].link.next = l->free;
    l->free = j;
    l->ended++;
}
