/* What must hold for every trace, whoever made it: for tests, properties and fuzz targets.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_TRACE_SOUND_H
#define RC_TESTS_SUPPORT_TRACE_SOUND_H
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "sim/trace/trace.h"

/* Every request with an `after` is once in the list of that request's children, in order. */
static const char *trace_links_wrong(const rc_trace *t) {
    size_t linked = 0, waiting = 0;
    for (size_t i = 0; i < t->count; i++) {
        uint32_t before = 0;
        waiting += t->at[i].after != RC_NO_REQUEST;
        for (uint32_t k = t->at[i].child; k != RC_NO_REQUEST; k = t->at[k].sibling) {
            if (k >= t->count || t->at[k].after != i || (before > 0 && k < before))
                return "children";
            before = k;
            linked++;
        }
    }
    return linked == waiting ? NULL : "a request that nobody leads to";
}

static const char *trace_request_wrong(const rc_trace *t, size_t i, uint8_t *seen) {
    const rc_req *q = &t->at[i];
    uint64_t named = 0;
    if (q->input < 1 || q->input > RC_TRACE_MAX_INPUT || q->output < 1 ||
        q->output > RC_TRACE_MAX_OUTPUT)
        return "tokens";
    if (q->after != RC_NO_REQUEST && (q->after >= i || t->at[q->after].session != q->session))
        return "after";
    if (q->after != RC_NO_REQUEST && q->arrival != RC_NO_ARRIVAL)
        return "an arrival and an after";
    if (q->arrival != RC_NO_ARRIVAL && q->arrival < 0)
        return "an arrival below zero";
    if (q->think < 0 || (q->after == RC_NO_REQUEST && q->think != 0))
        return "think";
    if (q->session != RC_NO_SESSION && q->session >= t->sessions)
        return "session";
    if (q->prefix >= 0 && (uint32_t)q->prefix >= q->input)
        return "prefix";
    if ((size_t)q->span + q->spans > t->span_count)
        return "spans";
    for (uint32_t s = 0; s < q->spans; s++) {
        const rc_span *x = &t->spans[q->span + s];
        if (x->count == 0 || x->first >= t->blocks || x->count > t->blocks - x->first)
            return "a span";
        memset(seen + x->first, 1, x->count);
        named += x->count;
    }
    if (named != q->named ||
        (named > 0 &&
         (t->block == 0 || named > ((uint64_t)q->input + q->output - 1) / t->block + 1)))
        return "named";
    return NULL;
}

/* NULL, or what is wrong. `dense`: every block is of some request. */
static inline const char *trace_wrong(const rc_trace *t, bool dense) {
    uint8_t *seen = calloc((size_t)t->blocks + 1, 1);
    const char *wrong = seen ? trace_links_wrong(t) : "memory";
    bool closed = false;
    for (size_t i = 0; i < t->count && !wrong; i++) {
        wrong = trace_request_wrong(t, i, seen);
        closed |= t->at[i].after != RC_NO_REQUEST || t->at[i].arrival == RC_NO_ARRIVAL;
    }
    if (!wrong && closed != t->closed_loop)
        wrong = "closed_loop";
    for (uint32_t b = 0; b < t->blocks && dense && !wrong; b++)
        wrong = seen[b] ? NULL : "a block of no request";
    free(seen);
    return wrong;
}

/* The same requests, blocks and times? */
static inline bool trace_equal(const rc_trace *a, const rc_trace *b) {
    if (a->count != b->count || a->span_count != b->span_count || a->blocks != b->blocks ||
        a->sessions != b->sessions || a->closed_loop != b->closed_loop || a->block != b->block)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const rc_req *x = &a->at[i], *y = &b->at[i];
        if (x->arrival != y->arrival || x->think != y->think || x->after != y->after ||
            x->child != y->child || x->sibling != y->sibling || x->session != y->session ||
            x->turn != y->turn || x->input != y->input || x->output != y->output ||
            x->prefix != y->prefix || x->span != y->span || x->spans != y->spans ||
            x->named != y->named)
            return false;
    }
    for (size_t i = 0; i < a->span_count; i++)
        if (a->spans[i].first != b->spans[i].first || a->spans[i].count != b->spans[i].count)
            return false;
    return true;
}

#endif
