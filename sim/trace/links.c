/* Who waits for whom, and a trace cut down to some of its requests.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/trace/links.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

void rc_trace_link(rc_trace *t) {
    t->closed_loop = false;
    for (size_t i = 0; i < t->count; i++) {
        rc_req *q = &t->at[i];
        q->child = q->sibling = RC_NO_REQUEST;
        t->closed_loop |= q->after != RC_NO_REQUEST ||
                          (q->arrival == RC_NO_ARRIVAL && q->session != RC_NO_SESSION);
    }
    for (size_t i = t->count; i-- > 0;) {
        rc_req *q = &t->at[i];
        if (q->after == RC_NO_REQUEST)
            continue;
        assert(q->after < t->count);
        q->sibling = t->at[q->after].child;
        t->at[q->after].child = (uint32_t)i;
    }
}

/* Number what is in use (not 0) 0, 1, 2, ... in its order and everything else UINT32_MAX;
 * returns how many are in use. */
static uint32_t rank(uint32_t *use, uint32_t count) {
    uint32_t next = 0;
    for (uint32_t i = 0; i < count; i++)
        use[i] = use[i] ? next++ : UINT32_MAX;
    return next;
}

static void renumber_sessions(rc_trace *t, uint32_t *use) {
    for (size_t i = 0; i < t->count; i++)
        if (t->at[i].session != RC_NO_SESSION) {
            assert(t->at[i].session < t->sessions);
            use[t->at[i].session] = 1;
        }
    t->sessions = rank(use, t->sessions);
    for (size_t i = 0; i < t->count; i++)
        if (t->at[i].session != RC_NO_SESSION)
            t->at[i].session = use[t->at[i].session];
}

/* The ids of a run are all in use, so it stays a run. Spans are packed, too. */
static void renumber_blocks(rc_trace *t, uint32_t *use, rc_span *spans) {
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++)
        for (uint32_t s = 0; s < t->at[i].spans; s++) {
            const rc_span *x = &t->spans[t->at[i].span + s];
            assert((uint64_t)x->first + x->count <= t->blocks);
            memset(use + x->first, 0xFF, x->count * sizeof *use);
        }
    t->blocks = rank(use, t->blocks);
    for (size_t i = 0; i < t->count; i++) {
        rc_req *q = &t->at[i];
        for (uint32_t s = 0; s < q->spans; s++) {
            const rc_span *x = &t->spans[q->span + s];
            spans[n + s] = (rc_span){use[x->first], x->count};
        }
        q->span = (uint32_t)n;
        n += q->spans;
    }
    free(t->spans);
    t->spans = spans;
    t->span_count = n;
}

rc_status rc_trace_keep(rc_trace *t, const uint32_t *from, size_t count, rc_error *err) {
    rc_req *at = malloc((count + 1) * sizeof *at);
    uint32_t *to = malloc((t->count + 1) * sizeof *to);
    uint32_t *sessions = calloc((size_t)t->sessions + 1, sizeof *sessions);
    uint32_t *blocks = calloc((size_t)t->blocks + 1, sizeof *blocks);
    size_t span_count = 0;
    for (size_t i = 0; i < count; i++) {
        assert(from[i] < t->count);
        span_count += t->at[from[i]].spans;
    }
    rc_span *spans = malloc((span_count + 1) * sizeof *spans);
    bool room = at && to && sessions && blocks && spans;
    if (room) {
        memset(to, 0xFF, t->count * sizeof *to);
        for (size_t i = 0; i < count; i++)
            to[from[i]] = (uint32_t)i;
        for (size_t i = 0; i < count; i++) {
            at[i] = t->at[from[i]];
            at[i].after = at[i].after == RC_NO_REQUEST ? RC_NO_REQUEST : to[at[i].after];
        }
        free(t->at);
        t->at = at;
        t->count = count;
        renumber_sessions(t, sessions);
        renumber_blocks(t, blocks, spans);
        rc_trace_link(t);
    } else {
        free(at);
        free(spans);
    }
    free(to);
    free(sessions);
    free(blocks);
    return room ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for the trace");
}
