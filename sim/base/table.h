/* Tables: one set of rows, shown as fixed-width text for people, as CSV or as JSON.
 *
 * Text has two leading characters on every line: `# ` where it is not data (notes, a row of names,
 * a row of units), two spaces where it is. CSV and JSON use the column's key, numbers with 10
 * significant digits, and leave missing cells empty or null ("-" in text).
 * Failure is sticky: the calls that fill never report; those that write say RC_E_NOMEM.
 * A NULL table is one that there was no memory for; only the writers mind.
 *     static const rc_column columns[] = {
 *         {"context", "context", "tokens", RC_RIGHT},
 *         {"ttft_ms", "TTFT", "ms", RC_RIGHT},
 *     };
 *     rc_table *t = RC_TABLE_WITH(columns);
 *     rc_table_int(t, 128000);
 *     rc_table_real(t, 11462.0, 1);
 *     return rc_table_finish(t, false, stdout, err);
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_TABLE_H
#define RC_BASE_TABLE_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "sim/base/error.h"
#include "sim/base/json.h"

typedef struct rc_table rc_table;
typedef enum rc_align { RC_LEFT, RC_RIGHT } rc_align;

rc_table *rc_table_create(void);    /* NULL when out of memory */
void rc_table_destroy(rc_table *t); /* NULL is fine */
/* All columns come before the first cell. `key` heads CSV and JSON, `name` and `unit` the text;
 * `unit` may be "". All are copied. */
typedef struct rc_column {
    const char *key, *name, *unit;
    rc_align align;
} rc_column;
rc_table *rc_table_with(const rc_column *columns, size_t count); /* NULL when out of memory */
#define RC_TABLE_WITH(columns) rc_table_with(columns, sizeof(columns) / sizeof((columns)[0]))
/* One column more, for those whose names are made at run time. */
void rc_table_column(rc_table *t, const char *key, const char *name, const char *unit,
                     rc_align align);
/* A `# ` line above the table, in text only. */
void rc_table_note(rc_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Cells, left to right; a row begins by itself when the last is full. */
void rc_table_text(rc_table *t, const char *s); /* NULL is a missing cell */
void rc_table_textf(rc_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rc_table_int(rc_table *t, int64_t v);
void rc_table_real(rc_table *t, double v, int decimals); /* not finite: a missing cell */
void rc_table_missing(rc_table *t);

/* Writers, once the last row is full. A failed write is RC_E_IO. */
rc_status rc_table_print(const rc_table *t, FILE *f, rc_error *err);
rc_status rc_table_csv(const rc_table *t, FILE *f, rc_error *err);
/* As text, or as CSV, and the table is destroyed. */
rc_status rc_table_finish(rc_table *t, bool csv, FILE *f, rc_error *err);
/* A list of objects under `key` of `parent` (see json.h). */
rc_status rc_table_json(const rc_table *t, rc_json *j, json_t *parent, const char *key,
                        rc_error *err);

#endif
