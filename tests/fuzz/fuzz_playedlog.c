/* Fuzz target: passes of a real server (`ringcast validate --serving`). What is accepted takes time, of which the
 * host has no more than all.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/serve/played_log.h"
#include "tests/support/fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rc_played_log log;
    rc_error e = {0};
    const rc_status st = rc_played_log_parse("fuzz.csv", (const char *)data, size, &log, &e);
    fuzz_check_error(st, &e);
    if (st != RC_OK)
        return 0;
    for (size_t i = 0; i < log.count; i++) {
        const rc_played_row *x = &log.at[i];
        if (x->took < 1 || x->host < 0 || x->host > x->took || x->prompts < 0 ||
            x->prompt_tokens < 0 || x->decodes < 0 || x->context < 0)
            abort();
    }
    rc_played_log_free(&log);
    return 0;
}
