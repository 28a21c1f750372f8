/* ringcast calibration: what the costs rest on.
 *   list              one line per machine, op, variant and dtype of a store
 *   show              the rows of one machine and op
 *   build             CSV files into a store
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/table.h"
#include "sim/cli/flags.h"
#include "sim/cost/store.h"

enum { MAX_FILES = 256 };

typedef struct calibration_flags {
    const char *store, *machine, *op, *out;
    bool csv;
} calibration_flags;

static bool same_series(const rc_row *a, const rc_row *b) {
    return strcmp(a->machine, b->machine) == 0 && strcmp(a->op, b->op) == 0 &&
           strcmp(a->variant, b->variant) == 0 && strcmp(a->dtype, b->dtype) == 0 &&
           strcmp(a->state, b->state) == 0 && strcmp(a->source, b->source) == 0;
}

static rc_status emit(rc_table *t, bool csv, rc_error *err) {
    rc_status st = csv ? rc_table_csv(t, stdout, err) : rc_table_print(t, stdout, err);
    rc_table_destroy(t);
    return st;
}

static rc_status list(const rc_rows *rows, bool csv, rc_error *err) {
    static const char *const names[] = {"machine", "op",   "variant", "dtype", "state",
                                        "rows",    "date", "driver",  "source"};
    rc_table *t = rc_table_create();
    if (!t)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the list");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        rc_table_column(t, names[i], names[i], "", i == 5 ? RC_RIGHT : RC_LEFT);
    size_t n = rc_rows_count(rows);
    for (size_t i = 0, from = 0; i < n; i++) {
        const rc_row *r = rc_rows_at(rows, i);
        if (i + 1 < n && same_series(r, rc_rows_at(rows, i + 1)))
            continue;
        const char *const texts[] = {r->machine, r->op, r->variant, r->dtype, r->state};
        for (int k = 0; k < 5; k++)
            rc_table_text(t, texts[k][0] ? texts[k] : NULL);
        rc_table_int(t, (int64_t)(i + 1 - from));
        rc_table_text(t, r->date);
        rc_table_text(t, r->driver);
        rc_table_text(t, r->source);
        from = i + 1;
    }
    return emit(t, csv, err);
}

static rc_status show(const rc_rows *rows, const char *op, bool csv, rc_error *err) {
    static const char *const names[] = {"machine", "state",  "op",      "variant", "dtype",
                                        "a",       "b",      "c",       "d",       "p10_us",
                                        "p50_us",  "p90_us", "samples", "sm_mhz",  "source"};
    rc_table *t = rc_table_create();
    if (!t)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the rows");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        rc_table_column(t, names[i], names[i], "", i < 5 || i == 14 ? RC_LEFT : RC_RIGHT);
    for (size_t i = 0; i < rc_rows_count(rows); i++) {
        const rc_row *r = rc_rows_at(rows, i);
        if (op && strcmp(op, r->op) != 0)
            continue;
        const char *const texts[] = {r->machine, r->state, r->op, r->variant, r->dtype};
        const int64_t axes[] = {r->a, r->b, r->c, r->d};
        for (int k = 0; k < 5; k++)
            rc_table_text(t, texts[k][0] ? texts[k] : NULL);
        for (int k = 0; k < 4; k++)
            rc_table_int(t, axes[k]);
        rc_table_real(t, 1e6 * r->p10, 3);
        rc_table_real(t, 1e6 * r->p50, 3);
        rc_table_real(t, 1e6 * r->p90, 3);
        rc_table_int(t, r->samples);
        rc_table_real(t, r->sm_mhz, 0);
        rc_table_text(t, r->source);
    }
    return emit(t, csv, err);
}

static rc_status build(const char *const *files, size_t count, const char *out, rc_error *err) {
    rc_rows *sets[MAX_FILES] = {0};
    rc_status st = RC_OK;
    if (!out || count == 0)
        return rc_fail(err, RC_E_USAGE,
                       "calibration build needs --out FILE.db and at least one CSV");
    for (size_t i = 0; i < count && st == RC_OK; i++)
        st = rc_store_read_csv(files[i], &sets[i], err);
    size_t dropped = 0;
    if (st == RC_OK)
        st = rc_rows_supersede(sets, count, &dropped, err);
    if (dropped > 0)
        printf("# %zu rows superseded by later ones of the same GPU\n", dropped);
    if (st == RC_OK)
        st = rc_store_write(out, sets, count, err);
    for (size_t i = 0; i < count; i++)
        rc_rows_free(sets[i]);
    return st;
}

rc_status rc_cmd_calibration(int argc, char **argv, rc_error *err) {
    calibration_flags f = {0};
    const rc_flag flags[] = {
        {"--store", RC_FLAG_TEXT, &f.store, "FILE.db",
         "a calibration store (default: the embedded one)"},
        {"--machine", RC_FLAG_TEXT, &f.machine, "NAME", "rows of this machine only"},
        {"--op", RC_FLAG_TEXT, &f.op, "NAME", "show: rows of this op only"},
        {"--out", RC_FLAG_TEXT, &f.out, "FILE.db", "build: the store to write"},
        {"--csv", RC_FLAG_BOOL, &f.csv, NULL, "as CSV"},
    };
    static const char *const verbs[] = {"list", "show", "build", NULL};
    const char *args[MAX_FILES];
    size_t count;
    bool helped;
    RC_TRY(rc_flags_parse(argc, argv, flags, sizeof flags / sizeof flags[0],
                          "usage: ringcast calibration list|show|build [CSV...] [flags]", args,
                          MAX_FILES, &count, &helped, err));
    if (helped)
        return RC_OK;
    if (count == 0)
        return rc_fail(err, RC_E_USAGE, "calibration needs a verb: list, show or build");
    if (strcmp(args[0], "build") == 0)
        return build(args + 1, count - 1, f.out, err);
    bool is_list = strcmp(args[0], "list") == 0;
    if (!is_list && strcmp(args[0], "show") != 0) {
        const char *near = rc_nearest(args[0], verbs);
        return rc_fail(err, RC_E_USAGE, "unknown verb '%s'%s%s%s; expected list, show or build",
                       args[0], near ? " (did you mean '" : "", near ? near : "",
                       near ? "'?)" : "");
    }
    rc_rows *rows = NULL;
    RC_TRY(rc_store_rows(f.store, f.machine, &rows, err));
    rc_status st = is_list ? list(rows, f.csv, err) : show(rows, f.op, f.csv, err);
    rc_rows_free(rows);
    return st;
}
