/* Fuzz target: files of runs on real GPUs (`ringcast validate`). What is accepted has times and a schedule.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/validate/validate.h"
#include "tests/support/fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rc_runs r = {0};
    rc_error e = {0};
    rc_status st = rc_runs_parse(&r, "fuzz.csv", (const char *)data, size, &e);
    fuzz_check_error(st, &e);
    for (size_t i = 0; st == RC_OK && i < r.n; i++) {
        const rc_measured_run *v = &r.v[i];
        if (!v->schedule || !(v->measured > 0.0) || v->cp < 1 || v->tp < 1 || v->t < 1 ||
            v->p < 0 || v->layers < 1)
            abort();
    }
    rc_runs_free(&r);
    return 0;
}
