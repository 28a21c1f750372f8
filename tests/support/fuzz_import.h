/* What every import must keep to, whatever it is given: an error with words, or rows that a store
 * takes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TEST_FUZZ_IMPORT_H
#define RC_TEST_FUZZ_IMPORT_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "sim/cost/import.h"

static inline void fuzz_check_row(const rc_row *r) {
    if (!(r->p10 > 0.0 && r->p10 <= r->p50 && r->p50 <= r->p90) || r->a < 1 || r->b < 0 ||
        r->c < 0 || r->d < 0 || r->op[0] == '\0' || strncmp(r->source, "published: ", 11) != 0)
        abort();
}

static inline int fuzz_import_as(rc_import_format f, const rc_import *how, const uint8_t *data,
                                 size_t size) {
    rc_rows *rows = NULL, *all = NULL;
    rc_import_format found;
    rc_import_count n;
    rc_error e = {0};
    if (rc_rows_create(&rows, &e) != RC_OK)
        abort();
    (void)rc_import_detect("fuzz", (const char *)data, size, &found, &e);
    e = (rc_error){0};
    rc_status st = rc_import_parse(f, "fuzz", (const char *)data, size, how, rows, &n, &e);
    if (st != RC_OK && (e.msg[0] == '\0' || e.status != st))
        abort();
    if (st == RC_OK && n.rows != rc_rows_count(rows))
        abort();
    for (size_t i = 0; i < rc_rows_count(rows); i++)
        fuzz_check_row(rc_rows_at(rows, i));
    if (rc_rows_merge(&rows, 1, &all, &e) != RC_OK || rc_rows_count(all) != rc_rows_count(rows))
        abort(); /* no point twice */
    rc_rows_free(all);
    rc_rows_free(rows);
    return 0;
}

static inline int fuzz_import(rc_import_format f, const uint8_t *data, size_t size) {
    const rc_import how = {.machine = "lab", .op = f == RC_IMPORT_NCCL_TESTS ? "all_reduce" : NULL};
    return fuzz_import_as(f, &how, data, size);
}
#endif
