/* Sessions whose turns keep a part of what went before.
 *
 * A turn of the trace holds all that its session has said so far, or as much of it as its blocks share with the
 * turn before. With a share of it kept, turns get shorter, and each is the history of the next: of H tokens that
 * the turn before really had, prompt and reply, the share is kept, rounded up; what the turn adds itself stays.
 *
 * Kept as keys: the kept tokens are the first ones of what the turn before has in the cache, whole blocks of them
 * as far as these have a name; the rest gets names of its own. Kept as text: nothing of a later turn has a name.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/trace/trace.h"

typedef struct keeper {
    const rc_kept_history *how;
    rc_trace *t;
    rc_req *now;       /* [count]: the requests as they become */
    uint32_t *last;    /* [sessions]: its latest request so far */
    uint32_t *removed; /* [count]: tokens that its prompt is shorter by */
    bool *summed;      /* [count]: its summary is in its reply */
    rc_span *spans;
    size_t span_count, span_room;
} keeper;

static rc_status no_memory(rc_error *err) {
    return rc_fail(err, RC_E_NOMEM, "out of memory for the history of sessions");
}

/* ---- runs of blocks -------------------------------------------------------------------------- */

/* Leading blocks that two requests of the trace have in common. */
static uint64_t common_blocks(const rc_trace *t, const rc_req *a, const rc_req *b) {
    uint64_t common = 0;
    uint32_t i = 0, k = 0, at_a = 0, at_b = 0;
    while (i < a->spans && k < b->spans) {
        const rc_span x = t->spans[a->span + i], y = t->spans[b->span + k];
        if (x.first + at_a != y.first + at_b)
            break;
        const uint32_t left_a = x.count - at_a, left_b = y.count - at_b;
        const uint32_t n = left_a < left_b ? left_a : left_b;
        common += n;
        at_a += n;
        at_b += n;
        i += at_a == x.count;
        at_a = at_a == x.count ? 0 : at_a;
        k += at_b == y.count;
        at_b = at_b == y.count ? 0 : at_b;
    }
    return common;
}

static rc_status push(keeper *k, rc_req *q, rc_span x, rc_error *err) {
    if (x.count == 0)
        return RC_OK;
    if (k->span_count == k->span_room) {
        const size_t room = 2 * k->span_room;
        rc_span *more = realloc(k->spans, room * sizeof *more);
        if (!more)
            return no_memory(err);
        k->spans = more;
        k->span_room = room;
    }
    k->spans[k->span_count++] = x;
    q->spans++;
    q->named += x.count;
    return RC_OK;
}

/* The first `blocks` of request `from`, as it has become, to *q. */
static rc_status push_first(keeper *k, rc_req *q, const rc_req *from, uint64_t blocks,
                            rc_error *err) {
    for (uint32_t i = 0; i < from->spans && blocks > 0; i++) {
        rc_span x = k->spans[from->span + i];
        x.count = x.count < blocks ? x.count : (uint32_t)blocks;
        blocks -= x.count;
        RC_TRY(push(k, q, x, err));
    }
    return RC_OK;
}

/* ---- one request ----------------------------------------------------------------------------- */

static uint32_t turn_before(const keeper *k, uint32_t i) {
    const rc_req *q = &k->t->at[i];
    if (q->after != RC_NO_REQUEST)
        return q->after;
    return q->session == RC_NO_SESSION ? RC_NO_REQUEST : k->last[q->session];
}

/* Tokens of the trace's turn that went before it. */
static uint64_t history_of(const rc_trace *t, const rc_req *before, const rc_req *q) {
    const uint64_t all = (uint64_t)before->input + before->output, most = q->input - 1;
    const uint64_t shared = common_blocks(t, before, q) * t->block;
    const bool whole = before->spans == 0 || shared + t->block > before->input;
    const uint64_t past = whole ? all : shared;
    return past <= most ? past : before->spans > 0 ? (shared < most ? shared : most) : 0;
}

/* Blocks of a request that are full when its reply is there. */
static uint64_t full_blocks(const rc_trace *t, const rc_req *q) {
    const uint64_t computed = (uint64_t)q->input + q->output - 1;
    return (uint64_t)q->named * t->block <= computed ? q->named : q->input / t->block;
}

static rc_status name_blocks(keeper *k, uint32_t i, uint32_t b, uint64_t kept, rc_error *err) {
    rc_trace *t = k->t;
    rc_req *q = &k->now[i];
    const rc_req *before = &k->now[b];
    q->span = (uint32_t)k->span_count;
    q->spans = q->named = 0;
    if (k->how->anew || t->block == 0)
        return RC_OK;
    uint64_t found = kept / t->block, most = full_blocks(t, before);
    found = found < most ? found : most;
    const uint64_t all = ((uint64_t)q->input + q->output - 1) / t->block;
    const uint64_t own = all > found ? all - found : 0;
    if (t->blocks + own > UINT32_MAX / 2)
        return rc_fail(err, RC_E_INPUT, "too many blocks");
    RC_TRY(push_first(k, q, before, found, err));
    RC_TRY(push(k, q, (rc_span){t->blocks, (uint32_t)own}, err));
    t->blocks += (uint32_t)own;
    return RC_OK;
}

/* A request that begins its session, or has no history, keeps its blocks. */
static rc_status keep_as_is(keeper *k, uint32_t i, rc_error *err) {
    const rc_req *from = &k->t->at[i];
    rc_req *q = &k->now[i];
    q->span = (uint32_t)k->span_count;
    q->spans = q->named = 0;
    for (uint32_t s = 0; s < from->spans; s++)
        RC_TRY(push(k, q, k->t->spans[from->span + s], err));
    return RC_OK;
}

static rc_status add_summary(keeper *k, uint32_t i, rc_error *err) {
    rc_req *q = &k->now[i];
    if (k->summed[i])
        return RC_OK;
    k->summed[i] = true;
    if ((uint64_t)q->output + k->how->summary > RC_TRACE_MAX_OUTPUT)
        return rc_fail(err, RC_E_INPUT, "a reply of %u tokens and a summary of %u are too long",
                       q->output, k->how->summary);
    q->output += k->how->summary;
    return RC_OK;
}

static rc_status shorten(keeper *k, uint32_t i, rc_error *err) {
    const rc_trace *t = k->t;
    const rc_req *from = &t->at[i];
    const uint32_t b = turn_before(k, i);
    rc_req *q = &k->now[i];
    *q = *from;
    if (b != RC_NO_REQUEST && b >= i)
        return rc_fail(err, RC_E_INPUT, "a turn stands before the one that it follows");
    const uint64_t past = b == RC_NO_REQUEST ? 0 : history_of(t, &t->at[b], from);
    if (past == 0)
        return keep_as_is(k, i, err);
    const uint64_t had = past > k->removed[b] ? past - k->removed[b] : 0;
    const uint64_t kept = (uint64_t)ceil(k->how->share * (double)had);
    k->removed[i] = (uint32_t)(past - kept);
    q->input = from->input - k->removed[i];
    q->prefix = -1;
    RC_TRY(name_blocks(k, i, b, kept, err));
    return add_summary(k, b, err);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static rc_status shorten_all(keeper *k, rc_error *err) {
    rc_trace *t = k->t;
    for (uint32_t s = 0; s < t->sessions; s++)
        k->last[s] = RC_NO_REQUEST;
    for (uint32_t i = 0; i < t->count; i++) {
        RC_TRY(shorten(k, i, err));
        if (t->at[i].session != RC_NO_SESSION)
            k->last[t->at[i].session] = i;
    }
    memcpy(t->at, k->now, t->count * sizeof *t->at);
    free(t->spans);
    t->spans = k->spans;
    t->span_count = k->span_count;
    k->spans = NULL;
    return RC_OK;
}

rc_status rc_trace_keep_history(rc_trace *t, const rc_kept_history *how, rc_error *err) {
    if (t->sessions == 0)
        return rc_fail(err, RC_E_INPUT,
                       "`history` is of later turns, and the trace has no sessions");
    rc_req *now = calloc(t->count, sizeof *now);
    uint32_t *last = calloc(t->sessions, sizeof *last);
    uint32_t *removed = calloc(t->count, sizeof *removed);
    bool *summed = calloc(t->count, sizeof *summed);
    keeper k = {.how = how,
                .t = t,
                .now = now,
                .last = last,
                .removed = removed,
                .summed = summed,
                .span_room = t->span_count + 1};
    k.spans = calloc(k.span_room, sizeof *k.spans);
    const bool room = now && last && removed && summed && k.spans;
    rc_status st = room ? shorten_all(&k, err) : no_memory(err);
    free(now);
    free(last);
    free(removed);
    free(summed);
    free(k.spans);
    return st;
}
