/* Fuzz target: request traces, plain and compressed, refused and skipped. What is accepted holds
 * together: links, spans, ids and bounds. SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <stdlib.h>
#include "tests/support/trace_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
        if (trace_fault(t))
            abort();
        rc_trace_stats stats;
        if (t->blocks < 1u << 24 && rc_trace_statistics(t, NULL, &stats, &e) != RC_OK)
            abort();
        rc_trace_free(t);
    }
    return 0;
}
