/* Several blocks of a trace taken as one, for an engine that keeps keys in larger blocks than the trace names.
 *
 * An id says all tokens up to and including its block, so the last id of a group of blocks says the group. Groups
 * that are not whole have no name.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sim/trace/trace.h"

#define UNSEEN UINT32_MAX

typedef struct grouping {
    const rc_trace *t;
    uint32_t each;
    uint32_t *name; /* [blocks] of the group that a block ends; UNSEEN: none has met it yet */
    uint32_t names;
    rc_span *spans;
    size_t span_count;
} grouping;

static void put(grouping *g, rc_req *q, uint32_t block) {
    if (g->name[block] == UNSEEN)
        g->name[block] = g->names++;
    const uint32_t name = g->name[block];
    rc_span *last = q->spans > 0 ? &g->spans[g->span_count - 1] : NULL;
    q->named++;
    if (last && last->first + last->count == name) {
        last->count++;
        return;
    }
    g->spans[g->span_count++] = (rc_span){name, 1};
    q->spans++;
}

/* The blocks of *was that end a group. */
static void regroup(grouping *g, const rc_req *was, rc_req *q) {
    uint32_t at = 0;
    q->span = (uint32_t)g->span_count;
    q->spans = q->named = 0;
    for (uint32_t s = 0; s < was->spans; s++) {
        const rc_span *x = &g->t->spans[was->span + s];
        for (uint32_t i = 0; i < x->count; i++)
            if (++at % g->each == 0)
                put(g, q, x->first + i);
    }
}

/* There are never more runs than groups. */
static size_t groups_of(const rc_trace *t, uint32_t each) {
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++)
        n += t->at[i].named / each;
    return n;
}

rc_status rc_trace_together(rc_trace *t, uint32_t each, rc_error *err) {
    grouping g = {.t = t, .each = each};
    assert(each >= 1);
    if (t->block == 0 || each == 1)
        return RC_OK;
    if (t->block > RC_TRACE_MAX_INPUT / each)
        return rc_fail(err, RC_E_INPUT, "blocks of %u tokens: %u of them together are too many",
                       t->block, each);
    g.name = malloc(((size_t)t->blocks + 1) * sizeof *g.name);
    g.spans = malloc((groups_of(t, each) + 1) * sizeof *g.spans);
    if (!g.name || !g.spans) {
        free(g.name);
        free(g.spans);
        return rc_fail(err, RC_E_NOMEM, "out of memory for blocks taken together");
    }
    memset(g.name, 0xff, ((size_t)t->blocks + 1) * sizeof *g.name);
    for (size_t i = 0; i < t->count; i++) {
        const rc_req was = t->at[i];
        regroup(&g, &was, &t->at[i]);
    }
    free(g.name);
    free(t->spans);
    t->spans = g.spans;
    t->span_count = g.span_count;
    t->block *= each;
    t->blocks = g.names;
    return RC_OK;
}
