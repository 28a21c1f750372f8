/* CSV (RFC 4180): a strict reader whose errors name line and column, and the quoting of a writer.
 *
 * Reader: the first record is the header, and columns are found by name. Every row has as many
 * fields as the header. LF and CRLF end a line; quoted fields may hold commas, quotes ("") and line
 * ends. Lines that start with `#` above the header are comments; empty lines are skipped; a UTF-8
 * byte order mark is skipped. Refused: an open quote, text after a closing quote, a quote inside an
 * unquoted field, a lone CR, NUL, an empty or repeated column name.
 * Strings returned live until rc_csv_close.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_CSV_H
#define RC_BASE_CSV_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "sim/base/error.h"
#include "sim/base/quantity.h"

typedef struct rc_csv rc_csv;

rc_status rc_csv_open(const char *path, rc_csv **out, rc_error *err);
rc_status rc_csv_parse(const char *name, const char *text, size_t size, rc_csv **out,
                       rc_error *err);
void rc_csv_close(rc_csv *c); /* NULL is fine */

size_t rc_csv_rows(const rc_csv *c); /* without the header */
size_t rc_csv_columns(const rc_csv *c);
const char *rc_csv_name(const rc_csv *c, size_t col);
/* Index of a column; the error of the first names the file, the second is false when absent. */
rc_status rc_csv_column(const rc_csv *c, const char *name, size_t *col, rc_error *err);
bool rc_csv_find(const rc_csv *c, const char *name, size_t *col);
/* All columns must be in `names` (NULL-terminated); the error names the nearest. */
rc_status rc_csv_known(const rc_csv *c, const char *const *names, rc_error *err);

const char *rc_csv_text(const rc_csv *c, size_t row, size_t col); /* "" when out of range */
int rc_csv_line(const rc_csv *c, size_t row); /* 1-based line of the row's first field */
rc_status rc_csv_int(const rc_csv *c, size_t row, size_t col, int64_t lo, int64_t hi, int64_t *out,
                     rc_error *err);
rc_status rc_csv_quantity(const rc_csv *c, size_t row, size_t col, rc_dim dim, double lo, double hi,
                          double *out, rc_error *err);
/* "file:line:col: column 'T': ..." at a cell. */
rc_status rc_csv_fail(const rc_csv *c, size_t row, size_t col, rc_error *err, rc_status st,
                      const char *fmt, ...) __attribute__((format(printf, 6, 7)));
#if defined(__clang_analyzer__) || defined(__cppcheck__) /* see error.h */
#define rc_csv_fail(c, row, col, err, st, ...)                                                     \
    ((void)(rc_csv_fail)(c, row, col, err, st, __VA_ARGS__), (st))
#endif

/* Writer: one field, quoted when it must be. Errors show in ferror(f). */
void rc_csv_put(FILE *f, const char *field);

#endif
