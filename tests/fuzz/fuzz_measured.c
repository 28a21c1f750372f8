/* Fuzz target: tables of measured times of both variants, for `ringcast tune --measured`. What is accepted are times.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include "sim/tune/tune_internal.h"
#include "tests/support/fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[128];
    rc_error e = {0};
    rc_tune *t = calloc(1, sizeof *t);
    if (t && fuzz_file(path, "measured", data, size)) {
        rc_status st = rc_tune_measured_read(t, path, 4, &e);
        fuzz_check_error(st, &e);
        if (st == RC_OK && t->measured_count == 0)
            abort();
        for (size_t i = 0; st == RC_OK && i < t->measured_count; i++) {
            const rc_tune_measured *m = &t->measured[i];
            if (!(m->pass_kv > 0.0) || !(m->pass_q > 0.0) || !(m->t >= 1.0) || !(m->p >= 0.0) ||
                m->n < 2)
                abort();
        }
        (void)unlink(path);
    }
    if (t)
        free(t->measured);
    free(t);
    return 0;
}
