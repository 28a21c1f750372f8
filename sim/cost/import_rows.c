/* Rows from files of others.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/import_rows.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

rc_row rc_import_row(const rc_importer *m) {
    return (rc_row){.machine = m->how->machine,
                    .gpu = m->how->gpu ? m->how->gpu : "unknown",
                    .state = "burst",
                    .op = "",
                    .variant = "",
                    .dtype = "",
                    .sm_mhz = NAN,
                    .power_w = NAN,
                    .temp_c = NAN,
                    .date = "unknown",
                    .driver = "unknown",
                    .cuda = "unknown",
                    .nccl = "",
                    .kernel = m->format,
                    .commit = "unknown",
                    .source = m->source};
}

static bool same_point(const rc_row *x, const rc_row *y) {
    return x->a == y->a && x->b == y->b && x->c == y->c && x->d == y->d &&
           rc_row_sizes_order(x, y) == 0 && strcmp(x->op, y->op) == 0 &&
           strcmp(x->variant, y->variant) == 0 && strcmp(x->dtype, y->dtype) == 0 &&
           strcmp(x->state, y->state) == 0 && strcmp(x->machine, y->machine) == 0 &&
           strcmp(x->source, y->source) == 0;
}

rc_status rc_import_add(rc_importer *m, const rc_row *row, rc_error *err) {
    assert(row->op[0] != '\0' && row->machine[0] != '\0');
    if (!(row->p10 > 0.0 && row->p10 <= row->p50 && row->p50 <= row->p90 && row->p90 < 1e6)) {
        rc_import_skip(m, "a time that is not above zero, or out of order");
        return RC_OK;
    }
    for (size_t i = rc_rows_count(m->rows); i-- > 0;)
        if (same_point(rc_rows_at(m->rows, i), row)) {
            m->count->doubled++;
            return RC_OK;
        }
    m->count->rows++;
    return rc_rows_add(m->rows, row, err);
}

void rc_import_skip(rc_importer *m, const char *why) {
    if (m->count->skipped++ == 0)
        snprintf(m->count->why, sizeof m->count->why, "%s", why);
}
