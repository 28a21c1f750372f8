/* Fuzz target: calibration CSVs. What is accepted can be merged with itself and looked up in.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cost/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rc_rows *rows = NULL, *all = NULL;
    rc_error e = {0};
    rc_status st = rc_store_parse_csv("fuzz.csv", (const char *)data, size, &rows, &e);
    if (st != RC_OK) {
        if (e.msg[0] == '\0' || e.status != st)
            abort();
        return 0;
    }
    for (size_t i = 0; i < rc_rows_count(rows); i++) {
        const rc_row *r = rc_rows_at(rows, i);
        if (!(r->p10 > 0.0 && r->p10 <= r->p50 && r->p50 <= r->p90) || r->a < 0 || r->op[0] == '\0')
            abort();
    }
    rc_rows *twice[2] = {rows, rows};
    st = rc_rows_merge(twice, 2, &all, &e);
    if (st == RC_OK && rc_rows_count(all) > rc_rows_count(rows))
        abort();
    if (st == RC_OK)
        rc_rows_free(all);
    rc_rows_free(rows);
    return 0;
}
