/* ringcast calibration import: tables and logs of other tools as rows, each with its source.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/file.h"
#include "sim/cli/calibration_import.h"
#include "sim/cost/store_tools.h"

static rc_status format_of(const char *asked, const char *name, const char *text, size_t size,
                           rc_import_format *out, rc_error *err) {
    const char *const *names = rc_import_names();
    if (!asked)
        return rc_import_detect(name, text, size, out, err);
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], asked) == 0) {
            *out = (rc_import_format)i;
            return RC_OK;
        }
    const char *near = rc_nearest(asked, names);
    return rc_fail_file(
        err, RC_E_USAGE, "--format",
        "\"%.40s\": expected nccl-tests, aiconfigurator, vidur or kernel-tables%s%s%s", asked,
        near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static rc_status one_file(const char *path, const char *format, const rc_import *how, rc_rows *rows,
                          rc_error *err) {
    char *text = NULL;
    size_t size = 0;
    rc_import_format f = RC_IMPORT_FORMATS;
    rc_import_count n = {0};
    RC_TRY(rc_file_read(path, &text, &size, err));
    rc_status st = format_of(format, path, text, size, &f, err);
    if (st == RC_OK)
        st = rc_import_parse(f, path, text, size, how, rows, &n, err);
    free(text);
    RC_TRY(st);
    printf("# %s (%s): %zu rows", path, rc_import_names()[f], n.rows);
    if (n.doubled)
        printf(", %zu there already", n.doubled);
    if (n.skipped)
        printf(", %zu left out (first: %s)", n.skipped, n.why);
    printf("\n");
    return RC_OK;
}

rc_status rc_calibration_put_csv(const rc_rows *rows, const char *path, bool overwrite,
                                 rc_error *err) {
    assert(path != NULL);
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    return rc_outfile_end(&o, rc_rows_write_csv(rows, o.f, err), err);
}

static rc_status put(const rc_rows *rows, const char *out, bool overwrite, rc_error *err) {
    size_t n = strlen(out);
    if (n > 3 && strcmp(out + n - 3, ".db") == 0) {
        rc_rows *const one[] = {(rc_rows *)(uintptr_t)rows};
        return rc_store_write(out, one, 1, err);
    }
    return rc_calibration_put_csv(rows, out, overwrite, err);
}

/* Rows of links and no others cannot serve a machine: they go beside the rows that came with the
 * program. */
static void print_next(const char *out, const char *machine) {
    printf(
        "# next: ringcast calibration export --out own.csv\n"
        "#       ringcast calibration merge own.csv %s --apart --out with-%s.db\n"
        "#       ringcast forward SCENARIO.yaml --store with-%s.db (serve, plan, choose, tune and "
        "sweep take it, too)\n"
        "# a machine file uses the rows by `calibration: {base: %s}` (compute) or "
        "`{collectives: %s}` (links)\n",
        out, machine, machine, machine, machine);
}

rc_status rc_cmd_calibration_import(const char *const *files, size_t count, const char *format,
                                    const rc_import *how, const char *out, bool overwrite,
                                    rc_error *err) {
    assert(files != NULL || count == 0);
    assert(how != NULL);
    rc_rows *rows = NULL;
    if (!out || count == 0)
        return rc_fail(err, RC_E_USAGE,
                       "calibration import needs files, --machine NAME and --out FILE.csv|FILE.db");
    RC_TRY(rc_rows_create(&rows, err));
    rc_status st = RC_OK;
    for (size_t i = 0; i < count && st == RC_OK; i++)
        st = one_file(files[i], format, how, rows, err);
    if (st == RC_OK && rc_rows_count(rows) == 0)
        st = rc_fail(err, RC_E_INPUT, "no row could be imported: nothing is written");
    if (st == RC_OK)
        st = put(rows, out, overwrite, err);
    rc_rows_free(rows);
    if (st == RC_OK)
        print_next(out, how->machine);
    return st;
}
