/* Fuzz target: request traces, plain and compressed, refused and skipped. What is accepted holds
 * together: links, spans, ids and bounds. SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <stdlib.h>
#include "sim/trace/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const rc_trace *t) {
    if (t->count == 0)
        abort();
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *r = &t->at[i];
        uint64_t named = 0;
        if (r->input == 0 || r->output == 0 || (size_t)r->span + r->spans > t->span_count)
            abort();
        for (uint32_t s = 0; s < r->spans; s++) {
            const rc_span *span = &t->spans[r->span + s];
            named += span->count;
            if (span->count == 0 || (uint64_t)span->first + span->count > t->blocks)
                abort();
        }
        if (named != r->named || (r->after != RC_NO_REQUEST && r->after >= i) ||
            (r->child != RC_NO_REQUEST && (r->child >= t->count || t->at[r->child].after != i)) ||
            (r->session != RC_NO_SESSION && r->session >= t->sessions))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int skip = 0; skip < 2; skip++) {
        const rc_trace_options o = {.on_bad_row = skip ? RC_BAD_ROW_SKIP : RC_BAD_ROW_REFUSE,
                                    .limit = 10000};
        rc_trace *t = NULL;
        rc_error e = {0};
        rc_status st = rc_trace_parse("fuzz", data, size, &o, &t, &e);
        if (st != RC_OK) {
            if (e.msg[0] == '\0' || e.status != st)
                abort();
            continue;
        }
        check(t);
        rc_trace_stats stats;
        if (t->blocks < 1u << 24 && rc_trace_statistics(t, NULL, &stats, &e) != RC_OK)
            abort();
        rc_trace_free(t);
    }
    return 0;
}
