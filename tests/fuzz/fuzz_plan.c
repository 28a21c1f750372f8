/* Any text as a plan: read, or refused with a message. Models and machines are the project's own.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <stdlib.h>

#include "sim/plan/plan_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static rc_plan_file file;
    rc_doc *doc = NULL;
    rc_error err = {0};
    if (rc_doc_parse("fuzz.yaml", (const char *)data, size, &doc, &err) != RC_OK)
        return 0;
    if (rc_plan_read(doc, NULL, 0, &file, &err) == RC_OK) {
        if (file.plan.offer_count < 1 || file.plan.objective_count < 1 || file.plan.space.tp.n < 1)
            abort();
        rc_plan_close(&file);
    } else if (err.msg[0] == '\0') {
        abort();
    }
    return 0;
}
