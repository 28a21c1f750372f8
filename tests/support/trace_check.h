/* Does a trace hold together? Links, spans, ids, bounds. Shared by the fuzz target and the property
 * tests.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_TRACE_CHECK_H
#define RC_TESTS_SUPPORT_TRACE_CHECK_H
#include "sim/trace/trace.h"

static const char *request_fault(const rc_trace *t, size_t i) {
    const rc_req *q = &t->at[i];
    uint64_t named = 0;
    if (q->input == 0 || q->input > RC_TRACE_MAX_INPUT || q->output == 0 ||
        q->output > RC_TRACE_MAX_OUTPUT)
        return "tokens out of bounds";
    if ((size_t)q->span + q->spans > t->span_count)
        return "spans out of bounds";
    for (uint32_t s = 0; s < q->spans; s++) {
        const rc_span *span = &t->spans[q->span + s];
        named += span->count;
        if (span->count == 0 || (uint64_t)span->first + span->count > t->blocks)
            return "block ids out of bounds";
    }
    if (named != q->named)
        return "named is not the sum of its spans";
    if (named > 0 && (named - 1) * t->block >= (uint64_t)q->input + q->output)
        return "more blocks than tokens";
    if (q->arrival != RC_NO_ARRIVAL && (q->arrival < 0 || q->after != RC_NO_REQUEST))
        return "an arrival before 0, or of a turn that waits for another";
    if (q->after == RC_NO_REQUEST ? q->think != 0 : q->think < 0 || q->after >= i)
        return "a think time without a turn before, or below 0";
    if (q->session != RC_NO_SESSION && q->session >= t->sessions)
        return "session out of bounds";
    if (q->prefix >= 0 && (uint32_t)q->prefix >= q->input)
        return "a prefix of the whole input";
    return NULL;
}

/* What is wrong with it, or NULL. */
static const char *trace_fault(const rc_trace *t) {
    size_t waiting = 0, listed = 0;
    if (t->count == 0)
        return "empty";
    for (size_t i = 0; i < t->count; i++) {
        const char *fault = request_fault(t, i);
        if (fault)
            return fault;
        waiting += t->at[i].after != RC_NO_REQUEST;
        uint32_t before = 0;
        for (uint32_t k = t->at[i].child; k != RC_NO_REQUEST; k = t->at[k].sibling, listed++) {
            if (k >= t->count || k <= before || t->at[k].after != i)
                return "a list of turns is wrong";
            before = k;
        }
    }
    return waiting == listed ? NULL : "a turn is in no list";
}

#endif
