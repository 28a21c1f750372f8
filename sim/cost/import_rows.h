/* What the readers of all formats share: what the caller says of a file, what is counted, and the
 * row that they fill.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_IMPORT_ROWS_H
#define RC_COST_IMPORT_ROWS_H
#include "sim/cost/store.h"

typedef struct rc_import { /* what the caller says of the file; NULL where it does not */
    const char *machine;   /* required: 1 to 47 characters */
    const char *gpu;       /* NULL: what the file says, else "unknown" */
    const char *source;    /* without "published: "; NULL: the format's name */
    const char *transport; /* NULL: nvlink inside a node, rdma between nodes */
    const char *op;        /* of kernel-tables; of nccl-tests that do not name their collective */
    int64_t ranks, nodes;  /* of nccl-tests that do not list their ranks, of transfers between
                              experts; 0: not told */
} rc_import;

typedef struct rc_import_count {
    size_t rows, doubled, skipped;
    char why[160]; /* of the first that was skipped */
} rc_import_count;

typedef struct rc_importer {
    const char *name;
    const rc_import *how;
    rc_rows *rows;
    rc_import_count *count;
    char source[120];
    const char *format;
} rc_importer;
/* Everything but op, variant, dtype, axes and times is filled in from what is known. */
rc_row rc_import_row(const rc_importer *m);
/* Adds it, unless the point is there (counted). */
rc_status rc_import_add(rc_importer *m, const rc_row *row, rc_error *err);
void rc_import_skip(rc_importer *m, const char *why);

#endif
