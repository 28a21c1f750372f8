/* Any text as a scenario: read, or refused with a message. Models and machines are the project's
 * own.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <stdlib.h>

#include "sim/forward/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rc_doc *doc = NULL;
    rc_error err = {0};
    if (rc_doc_parse("fuzz.yaml", (const char *)data, size, &doc, &err) != RC_OK)
        return 0;
    rc_scenario s;
    rc_status st = rc_scenario_read(doc, NULL, 0, &s, &err);
    if (st == RC_OK) {
        if (s.seq_count == 0 || s.layout.tp < 1 || s.layout.cp < 1)
            abort();
        rc_scenario_free(&s);
    } else if (err.msg[0] == '\0') {
        abort();
    }
    rc_doc_close(doc);
    return 0;
}
