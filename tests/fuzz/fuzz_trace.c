/* Fuzz target: request traces, plain and compressed, refused, skipped, sorted
 * and by named columns. What is accepted holds
 * together: links, spans, ids and bounds.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/support/trace_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int k = 0; k < 4; k++) {
        rc_trace_options o = {.on_bad_row = k % 2 ? RC_BAD_ROW_SKIP : RC_BAD_ROW_REFUSE,
                              .sort = k == 2,
                              .zero_output = k == 2 ? RC_ZERO_ONE : RC_ZERO_FORMAT,
                              .redrawn = k == 1,
                              .limit = 10000};
        if (k == 3)
            snprintf(o.columns, sizeof o.columns, "arrival=a,input=b,output=c,session=d");
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
