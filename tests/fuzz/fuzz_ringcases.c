/* Fuzz target: lists of cases for `ringcast-calib ring`. What is accepted passes the check that a run makes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_case.c"
#include "tests/support/fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rc_ring_case *cases = NULL;
    size_t n = 0;
    rc_error e = {0};
    rc_status st = rc_ring_cases_parse("fuzz.csv", (const char *)data, size, &cases, &n, &e);
    fuzz_check_error(st, &e);
    for (size_t i = 0; st == RC_OK && i < n; i++)
        if (rc_ring_case_check(&cases[i], &e) != RC_OK ||
            cases[i].cp * cases[i].tp > RC_RING_MAX_RANKS)
            abort();
    free(cases);
    return 0;
}
