/* Fuzz target: serving scenarios. What is accepted can be run as far as its numbers go.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include "sim/serve/serve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rc_doc *doc = NULL;
    rc_error e = {0};
    rc_status st = rc_doc_parse("fuzz.yaml", (const char *)data, size, &doc, &e);
    if (st != RC_OK)
        return 0;
    rc_serve *s = malloc(sizeof *s);
    if (!s)
        abort();
    st = rc_serve_read(doc, NULL, 0, s, &e);
    if (st != RC_OK && (e.msg[0] == '\0' || e.status != st))
        abort();
    if (st == RC_OK) {
        if (s->pool_count < 1 || s->max_batch < 1 || s->fuse < 1 || s->kv_block < 1 ||
            !(s->machine.memory_fraction > 0.0) || !(s->rate_scale > 0.0 || s->trace[0] == '\0'))
            abort();
        for (int i = 0; i < s->fault_count; i++)
            if (s->faults[i].pool >= s->pool_count || s->faults[i].back <= s->faults[i].at ||
                s->faults[i].replica >= s->pools[s->faults[i].pool].replicas)
                abort();
    }
    free(s);
    rc_doc_close(doc);
    return 0;
}
