/* Fuzz target: CSV. What is accepted is written again and must be read back cell for cell.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_last(FILE *f, const char *cell, size_t columns) {
    if (columns == 1 && cell[0] == '\0')
        (void)fputs("\"\"", f);
    else
        rc_csv_put(f, cell);
    (void)fputc('\n', f);
}

static char *rewritten(const rc_csv *c, size_t *size) {
    char *text = NULL;
    FILE *f = open_memstream(&text, size);
    if (!f)
        return NULL;
    const size_t columns = rc_csv_columns(c);
    for (size_t row = 0; row <= rc_csv_rows(c); row++) {
        for (size_t col = 0; col < columns; col++) {
            const char *cell = row ? rc_csv_text(c, row - 1, col) : rc_csv_name(c, col);
            if (col + 1 == columns) {
                put_last(f, cell, columns);
            } else {
                rc_csv_put(f, cell);
                (void)fputc(',', f);
            }
        }
    }
    (void)fclose(f);
    return text;
}

static void same(const rc_csv *a, const rc_csv *b) {
    if (rc_csv_rows(a) != rc_csv_rows(b) || rc_csv_columns(a) != rc_csv_columns(b))
        abort();
    for (size_t row = 0; row < rc_csv_rows(a); row++)
        for (size_t col = 0; col < rc_csv_columns(a); col++)
            if (strcmp(rc_csv_text(a, row, col), rc_csv_text(b, row, col)) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rc_csv *a = NULL, *b = NULL;
    rc_error e = {0};
    if (rc_csv_parse("fuzz", (const char *)data, size, &a, &e) != RC_OK) {
        if (e.msg[0] == '\0' || e.line < 1)
            abort();
        return 0;
    }
    size_t again_size = 0;
    char *again = rewritten(a, &again_size);
    if (again) {
        if (rc_csv_parse("again", again, again_size, &b, &e) != RC_OK)
            abort();
        same(a, b);
    }
    rc_csv_close(a);
    rc_csv_close(b);
    free(again);
    return 0;
}
