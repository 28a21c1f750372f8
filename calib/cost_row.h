/* One measured row and its text form (a line of CSV). The columns are those of calib/schema.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_COST_ROW_H
#define RC_CALIB_COST_ROW_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "calib/schema.h"
#include "sim/base/error.h"

typedef struct rc_record {
    char machine[48], gpu[64];
    char state[12]; /* burst | sustained */
    char op[24], variant[48], dtype[12];
    int64_t a, b, c, d; /* axes, see schema.h */
    double p10_s, p50_s, p90_s;
    int64_t samples;
    double sm_mhz, power_w, temp_c; /* NAN when unknown: an empty CSV field, NULL in SQL */
    char date[24];                  /* 2025-01-31T12:00:00Z */
    char driver[32], cuda[24], nccl[24];
    char kernel[48], commit[48], source[128];
    int64_t head_k, head_v, window, experts, top_k; /* see schema.h; 0 where the op has none */
} rc_record;

typedef enum rc_column_kind { RC_COLUMN_TEXT, RC_COLUMN_INT, RC_COLUMN_REAL } rc_column_kind;

/* Where a column lives in rc_record. The table has RC_STORE_NCOLUMNS entries in RC_STORE_COLUMNS
 * order. */
typedef struct rc_column {
    const char *name;
    rc_column_kind kind;
    size_t offset, size;
} rc_column;
const rc_column *rc_record_columns(void);

/* The header line, and one row, each with its newline. RC_E_IO when the stream fails. */
rc_status rc_record_write_header(FILE *f, rc_error *err);
rc_status rc_record_write(FILE *f, const rc_record *r, rc_error *err);
/* The head sizes of an op that has heads, where they are 0: those that the kernels here work
 * with. */
void rc_record_set_heads(rc_record *r);
/* Every row of a CSV text, malloc'ed (the caller frees *rows; NULL when there are none). `name` is
 * the file's name in errors. All columns of schema 1 must be there, those that schema 2 adds may
 * be; in any order, and no other. */
rc_status rc_records_parse(const char *name, const char *text, size_t size, rc_record **rows,
                           size_t *n, rc_error *err);
/* Two rows are of the same point: machine, state, op, variant, dtype, a..d, the sizes with columns
 * of their own, source. */
bool rc_record_same_point(const rc_record *x, const rc_record *y);
/* Copy into a fixed field, cutting what does not fit. */
void rc_record_set(char *field, size_t size, const char *value);

#endif
