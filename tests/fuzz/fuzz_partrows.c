/* Fuzz target: rows of an interrupted calibration, which `ringcast-calib run --resume` takes up. What is accepted is
 * written and read again as it was.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/cost_row.c"
#include "tests/support/fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read(const rc_record *r) {
    char *text = NULL;
    size_t size = 0, n = 0;
    rc_record *again = NULL;
    rc_error e = {0};
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return;
    rc_status st = rc_record_write_header(f, &e);
    if (st == RC_OK)
        st = rc_record_write(f, r, &e);
    if (fclose(f) != 0 || st != RC_OK)
        abort();
    if (rc_records_parse("again.csv", text, size, &again, &n, &e) != RC_OK || n != 1 ||
        strcmp(again->op, r->op) != 0 || strcmp(again->machine, r->machine) != 0 ||
        again->a != r->a || again->d != r->d)
        abort();
    free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rc_record *rows = NULL;
    size_t n = 0;
    rc_error e = {0};
    rc_status st = rc_records_parse("fuzz.csv", (const char *)data, size, &rows, &n, &e);
    fuzz_check_error(st, &e);
    for (size_t i = 0; st == RC_OK && i < n; i++)
        write_and_read(&rows[i]);
    free(rows);
    return 0;
}
