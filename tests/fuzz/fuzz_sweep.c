/* Any text as a sweep: read, or refused with a message; every point of it can be written over the
 * scenario. Models, machines and costs are the project's own.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <stdlib.h>

#include "sim/sweep/sweep_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void visit(const rc_sweep *s) {
    sweep_cursor c;
    rc_error err = {0};
    if (sweep_cursor_init(&c, s, &err) != RC_OK)
        abort();
    int64_t n = s->points < 200 ? s->points : 200;
    for (int64_t i = 0; i < n; i++) {
        rc_status st = sweep_cursor_at(&c, i, &err);
        if (st != RC_OK && st != RC_E_INPUT)
            abort();
        if (!c.costs || !c.model || c.seq_count == 0 || c.seqs[0].t < 1 || c.layout.cp < 1)
            abort();
    }
    sweep_cursor_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rc_doc *doc = NULL;
    rc_error err = {0};
    if (rc_doc_parse("fuzz.yaml", (const char *)data, size, &doc, &err) != RC_OK)
        return 0;
    rc_sweep *s = NULL;
    rc_status st = rc_sweep_read(doc, NULL, 0, NULL, &s, &err);
    if (st == RC_OK)
        visit(s);
    else if (err.msg[0] == '\0')
        abort();
    rc_sweep_free(s);
    rc_doc_close(doc);
    return 0;
}
