/* Any text as a tuning scenario: read, or refused with a message. Models and machines are the
 * project's own.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <stdlib.h>

#include "sim/tune/tune.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rc_doc *doc = NULL;
    rc_error err = {0};
    if (rc_doc_parse("fuzz.yaml", (const char *)data, size, &doc, &err) != RC_OK)
        return 0;
    rc_tune_scenario s;
    rc_status st = rc_tune_scenario_read(doc, NULL, 0, &s, &err);
    if (st == RC_OK && (s.degrees < 1 || s.batches < 1 || s.knots < 2 || s.fresh.points < 2))
        abort();
    if (st != RC_OK && err.msg[0] == '\0')
        abort();
    rc_doc_close(doc);
    return 0;
}
