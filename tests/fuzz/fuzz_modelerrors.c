/* Fuzz target: tables of the errors of forecasts, which a machine file names. What is accepted widens an interval.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include "sim/machine/model_errors.h"
#include "tests/support/fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[128];
    rc_model_errors all;
    rc_error e = {0};
    if (!fuzz_file(path, "modelerrors", data, size))
        return 0;
    rc_status st = rc_model_errors_read(path, &all, &e);
    fuzz_check_error(st, &e);
    for (int i = 0; st == RC_OK && i < all.n; i++) {
        const rc_model_error *one = &all.of[i];
        double half = rc_model_error_half(one, 1e-3), p5 = 0.9, p95 = 1.2;
        if (rc_model_error_find(&all, one->transport, one->kind) != one || !(half >= 0.0) ||
            isnan(half))
            abort();
        rc_model_error_widen(half, 1.0, &p5, &p95);
        if (!(p5 <= 0.9 + 1e-12) || !(p95 >= 1.2 - 1e-12))
            abort();
    }
    (void)unlink(path);
    return 0;
}
