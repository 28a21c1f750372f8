/* ringcast calibration: what the costs rest on.
 *   list              one line per machine, op, variant and dtype of a store
 *   show              the rows of one machine and op
 *   build             CSV files into a store
 *   diff              two stores or CSV files, op by op
 *   merge             several into one
 *   export            a store as CSV
 *   import            what other tools measured (cmd_calibration_import.c)
 *   leave-out         how far off costs are where there are no rows (cmd_calibration_leave_out.c)
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/table.h"
#include "sim/base/file.h"
#include "sim/cli/calibration_import.h"
#include "sim/cli/calibration_leave_out.h"
#include "sim/cli/flags.h"
#include "sim/cli/form.h"
#include "sim/cost/ops.h"
#include "sim/cost/store.h"
#include "sim/cost/store_tools.h"

enum { MAX_FILES = 256 };

typedef struct calibration_flags {
    const char *store, *machine, *op, *out, *as;
    const char *format, *gpu, *source, *transport, *by, *state;
    rc_many card;
    int64_t ranks, nodes;
    bool json, csv, apart, overwrite, each;
    rc_form form;
} calibration_flags;

static bool same_series(const rc_row *a, const rc_row *b) {
    return strcmp(a->machine, b->machine) == 0 && strcmp(a->op, b->op) == 0 &&
           strcmp(a->variant, b->variant) == 0 && strcmp(a->dtype, b->dtype) == 0 &&
           strcmp(a->state, b->state) == 0 && strcmp(a->source, b->source) == 0;
}

static rc_status list(const rc_rows *rows, rc_form form, rc_error *err) {
    static const rc_column columns[] = {
        {"machine", "machine", "", RC_LEFT}, {"op", "op", "", RC_LEFT},
        {"variant", "variant", "", RC_LEFT}, {"dtype", "dtype", "", RC_LEFT},
        {"state", "state", "", RC_LEFT},     {"rows", "rows", "", RC_RIGHT},
        {"date", "date", "", RC_LEFT},       {"driver", "driver", "", RC_LEFT},
        {"source", "source", "", RC_LEFT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
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
    return rc_form_table(t, form, "calibration-list-1", err);
}

/* Sizes that few rows have, or that nearly all have alike: shown where some row differs. */
static const struct {
    const char *name;
    int64_t usual; /* and 0: the op has no such size */
} sizes[] = {{"head_k", RC_HEAD_DEFAULT},
             {"head_v", RC_HEAD_DEFAULT},
             {"window", 0},
             {"experts", 0},
             {"top_k", 0}};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static int64_t size_of(const rc_row *r, int i) {
    const int64_t all[SIZES] = {r->head_k, r->head_v, r->window, r->experts, r->top_k};
    assert(i >= 0 && i < SIZES);
    return all[i];
}

static bool is_shown(const rc_row *r, const char *op) {
    return op == NULL || strcmp(op, r->op) == 0;
}

static bool differs(const rc_rows *rows, const char *op, int i) {
    for (size_t k = 0; k < rc_rows_count(rows); k++) {
        const rc_row *r = rc_rows_at(rows, k);
        if (is_shown(r, op) && size_of(r, i) != 0 && size_of(r, i) != sizes[i].usual)
            return true;
    }
    return false;
}

static rc_status show(const rc_rows *rows, const char *op, rc_form form, rc_error *err) {
    static const rc_column columns[] = {
        {"machine", "machine", "", RC_LEFT},
        {"state", "state", "", RC_LEFT},
        {"op", "op", "", RC_LEFT},
        {"variant", "variant", "", RC_LEFT},
        {"dtype", "dtype", "", RC_LEFT},
        {"a", "a", "", RC_RIGHT},
        {"b", "b", "", RC_RIGHT},
        {"c", "c", "", RC_RIGHT},
        {"d", "d", "", RC_RIGHT},
        {"p10_us", "p10_us", "", RC_RIGHT},
        {"p50_us", "p50_us", "", RC_RIGHT},
        {"p90_us", "p90_us", "", RC_RIGHT},
        {"samples", "samples", "", RC_RIGHT},
        {"sm_mhz", "sm_mhz", "", RC_RIGHT},
        {"source", "source", "", RC_LEFT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    bool shown[SIZES];
    for (int k = 0; k < SIZES; k++) {
        shown[k] = differs(rows, op, k);
        if (shown[k])
            rc_table_column(t, sizes[k].name, sizes[k].name, "", RC_RIGHT);
    }
    for (size_t i = 0; i < rc_rows_count(rows); i++) {
        const rc_row *r = rc_rows_at(rows, i);
        if (!is_shown(r, op))
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
        for (int k = 0; k < SIZES; k++)
            if (shown[k])
                rc_table_int(t, size_of(r, k));
    }
    return rc_form_table(t, form, "calibration-show-1", err);
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

static rc_status diff(const char *const *files, size_t count, rc_form form, rc_error *err) {
    rc_rows *sets[2] = {NULL, NULL};
    rc_diff *d = NULL;
    size_t n = 0;
    if (count != 2)
        return rc_fail(err, RC_E_USAGE, "calibration diff needs two stores or CSV files");
    rc_status st = rc_rows_open(files[0], &sets[0], err);
    if (st == RC_OK)
        st = rc_rows_open(files[1], &sets[1], err);
    if (st == RC_OK)
        st = rc_rows_diff(sets[0], sets[1], &d, &n, err);
    static const rc_column columns[] = {
        {"op", "op", "", RC_LEFT},
        {"state", "state", "", RC_LEFT},
        {"both", "both", "", RC_RIGHT},
        {"only_a", "only A", "", RC_RIGHT},
        {"only_b", "only B", "", RC_RIGHT},
        {"median_ratio", "B / A", "", RC_RIGHT},
        {"median_abs_pct", "median", "%", RC_RIGHT},
        {"p95_abs_pct", "95th", "%", RC_RIGHT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(t, "A %s, B %s", files[0], files[1]);
    for (size_t i = 0; i < n; i++) {
        rc_table_textf(t, d[i].transport ? "%s %s" : "%s", d[i].op, d[i].transport);
        rc_table_text(t, d[i].state);
        rc_table_int(t, (int64_t)d[i].both);
        rc_table_int(t, (int64_t)d[i].only_a);
        rc_table_int(t, (int64_t)d[i].only_b);
        rc_table_real(t, d[i].median_ratio, 4);
        rc_table_real(t, d[i].median_pct, 2);
        rc_table_real(t, d[i].p95_pct, 2);
    }
    if (st == RC_OK)
        st = rc_form_table(t, form, "calibration-diff-1", err);
    else
        rc_table_destroy(t);
    free(d);
    rc_rows_free(sets[0]);
    rc_rows_free(sets[1]);
    return st;
}

static bool ends_with(const char *s, const char *end) {
    size_t a = strlen(s), b = strlen(end);
    return a > b && strcmp(s + a - b, end) == 0;
}

/* Into a CSV file or a store, by the name. */
static rc_status write_sets(rc_rows *const *sets, size_t n, const calibration_flags *f,
                            rc_error *err) {
    rc_rows *all = NULL;
    assert(f->out != NULL);
    if (!ends_with(f->out, ".csv"))
        return rc_store_write(f->out, sets, n, err);
    RC_TRY(rc_rows_merge(sets, n, &all, err));
    rc_status st = rc_calibration_put_csv(all, f->out, f->overwrite, err);
    rc_rows_free(all);
    return st;
}

static rc_status rename_all(rc_rows **sets, size_t n, const char *name, rc_error *err) {
    assert(n <= MAX_FILES + RC_MAX_MANY && name != NULL);
    if (*name == '\0' || strlen(name) > 47 || strpbrk(name, " ,\"\t\r\n"))
        return rc_fail_file(err, RC_E_USAGE, "--as", "\"%.60s\": expected a machine name", name);
    for (size_t i = 0; i < n; i++) {
        rc_rows *renamed = NULL;
        RC_TRY(rc_rows_rename(sets[i], name, &renamed, err));
        rc_rows_free(sets[i]);
        sets[i] = renamed;
    }
    return RC_OK;
}

/* The rows of one card of a host. */
static rc_status open_card(const char *path, int card, rc_rows **out, rc_error *err) {
    rc_rows *rows = NULL;
    rc_error why = {0};
    RC_TRY(rc_rows_open(path, &rows, err));
    rc_status st = rc_rows_of_card(rows, card, out, &why);
    rc_rows_free(rows);
    return st == RC_OK ? RC_OK : rc_fail_file(err, st, path, "%s", why.msg);
}

static rc_status merge(const char *const *given, size_t count, const calibration_flags *f,
                       rc_error *err) {
    rc_rows *sets[MAX_FILES + RC_MAX_MANY] = {0};
    const char *files[MAX_FILES + RC_MAX_MANY];
    rc_status st = RC_OK;
    size_t dropped = 0;
    if (!f->out || count < 1)
        return rc_fail(err, RC_E_USAGE,
                       "calibration merge needs --out FILE and stores or CSV files");
    for (size_t i = 0; i < count && st == RC_OK; i++) {
        files[i] = given[i];
        st = rc_rows_open(files[i], &sets[i], err);
    }
    for (size_t i = 0; i < f->card.count && st == RC_OK; i++, count++) {
        files[count] = f->card.values[i];
        st = open_card(files[count], (int)i, &sets[count], err);
    }
    if (st == RC_OK && f->as)
        st = rename_all(sets, count, f->as, err);
    else if (st == RC_OK && !f->apart)
        st = rc_rows_same_machine(sets, files, count, err);
    if (st == RC_OK)
        st = rc_rows_supersede(sets, count, &dropped, err);
    if (dropped > 0)
        printf("# %zu rows superseded by later ones of the same GPU\n", dropped);
    if (st == RC_OK)
        st = write_sets(sets, count, f, err);
    for (size_t i = 0; i < count; i++)
        rc_rows_free(sets[i]);
    return st;
}

static rc_status export_rows(const char *const *files, size_t count, const calibration_flags *f,
                             rc_error *err) {
    rc_rows *rows = NULL;
    if (count > 1)
        return rc_fail(err, RC_E_USAGE, "calibration export takes one store");
    RC_TRY(rc_store_rows(count ? files[0] : f->store, f->machine, &rows, err));
    rc_status st = f->out ? rc_calibration_put_csv(rows, f->out, f->overwrite, err)
                          : rc_rows_write_csv(rows, stdout, err);
    rc_rows_free(rows);
    return st;
}

static rc_status from_store(const calibration_flags *f, bool is_list, rc_error *err) {
    rc_rows *rows = NULL;
    RC_TRY(rc_store_rows(f->store, f->machine, &rows, err));
    rc_status st = is_list ? list(rows, f->form, err) : show(rows, f->op, f->form, err);
    rc_rows_free(rows);
    return st;
}

/* Before anything is read. A store is never replaced, only a CSV file is. */
static rc_status check_output(const calibration_flags *f, const char *verb, rc_error *err) {
    assert(verb != NULL);
    if (!f->out)
        return RC_OK;
    bool build = strcmp(verb, "build") == 0, merge = strcmp(verb, "merge") == 0;
    bool import = strcmp(verb, "import") == 0, export = strcmp(verb, "export") == 0;
    if (build || (merge && !ends_with(f->out, ".csv")) || (import && ends_with(f->out, ".db")))
        return rc_store_may_write(f->out, err);
    return merge || import || export ? rc_output_check(f->out, f->overwrite, err) : RC_OK;
}

static rc_status dispatch(const calibration_flags *f, const char *const *args, size_t count,
                          rc_error *err) {
    static const char *const verbs[] = {"list",   "show",   "build",     "diff", "merge",
                                        "export", "import", "leave-out", NULL};
    const char *verb = args[0];
    args++, count--;
    RC_TRY(check_output(f, verb, err));
    if (strcmp(verb, "build") == 0)
        return build(args, count, f->out, err);
    if (strcmp(verb, "diff") == 0)
        return diff(args, count, f->form, err);
    if (strcmp(verb, "merge") == 0)
        return merge(args, count, f, err);
    if (strcmp(verb, "export") == 0)
        return export_rows(args, count, f, err);
    if (strcmp(verb, "import") == 0) {
        rc_import how = {f->machine, f->gpu, f->source, f->transport, f->op, f->ranks, f->nodes};
        return rc_cmd_calibration_import(args, count, f->format, &how, f->out, f->overwrite, err);
    }
    if (strcmp(verb, "leave-out") == 0) {
        rc_leave_out_flags how = {f->store, f->machine, f->op, f->by, f->state, f->each, f->form};
        return rc_cmd_calibration_leave_out(args, count, &how, err);
    }
    if (strcmp(verb, "list") == 0 || strcmp(verb, "show") == 0)
        return from_store(f, verb[0] == 'l', err);
    const char *near = rc_nearest(verb, verbs);
    return rc_fail(err, RC_E_USAGE,
                   "unknown verb '%s'%s%s%s; expected list, show, build, diff, merge, export, "
                   "import or leave-out",
                   verb, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

rc_status rc_cmd_calibration(int argc, char **argv, rc_error *err) {
    calibration_flags f = {0};
    const rc_flag flags[] = {
        {"--store", RC_FLAG_TEXT, &f.store, "FILE.db",
         "a calibration store (default: the embedded one)"},
        {"--machine", RC_FLAG_TEXT, &f.machine, "NAME",
         "rows of this machine only; import: the machine of the rows"},
        {"--op", RC_FLAG_TEXT, &f.op, "NAME",
         "show, leave-out: this op only; import: of kernel tables, of nccl-tests that do not say "
         "it"},
        {"--out", RC_FLAG_TEXT, &f.out, "FILE", "the store (.db) or CSV file to write"},
        {"--as", RC_FLAG_TEXT, &f.as, "NAME", "merge: all rows become this machine's"},
        {"--card", RC_FLAG_MANY, &f.card, "FILE.csv",
         "merge: the clock of one card of a host (suite clock), card 0 first; several: of each"},
        {"--apart", RC_FLAG_BOOL, &f.apart, NULL, "merge: different machines keep their names"},
        {"--format", RC_FLAG_TEXT, &f.format, "NAME",
         "import: nccl-tests, aiconfigurator, vidur or kernel-tables (default: by the content)"},
        {"--gpu", RC_FLAG_TEXT, &f.gpu, "TEXT", "import: the GPU, where the file does not say it"},
        {"--source", RC_FLAG_TEXT, &f.source, "TEXT",
         "import: who published it (default: the format's name)"},
        {"--transport", RC_FLAG_TEXT, &f.transport, "NAME",
         "import: of the links (default: nvlink inside a node, rdma between nodes)"},
        {"--ranks", RC_FLAG_INT, RC_WHOLE(&f.ranks, 1, 1 << 20), "N",
         "import: how many ranks took part, where nccl-tests do not list them all"},
        {"--nodes", RC_FLAG_INT, RC_WHOLE(&f.nodes, 1, 1 << 20), "N",
         "import: on how many nodes, likewise"},
        {"--by", RC_FLAG_TEXT, &f.by, "NAME",
         "leave-out: with a point goes nothing but itself (row), its line, its line but for the "
         "largest point (lone), its shape (heads, N and K, width), one clock state of it (state); "
         "nothing goes (nothing) (default: row)"},
        {"--state", RC_FLAG_TEXT, &f.state, "NAME",
         "leave-out: points of this clock state, burst or sustained (default: burst)"},
        {"--each", RC_FLAG_BOOL, &f.each, NULL, "leave-out: every point by itself"},
        {"--json", RC_FLAG_BOOL, &f.json, NULL, "list, show, diff, leave-out: as JSON"},
        {"--csv", RC_FLAG_BOOL, &f.csv, NULL, "the same: as CSV"},
        {"--overwrite", RC_FLAG_BOOL, &f.overwrite, NULL, "replace an existing CSV file"},
    };
    const char *args[MAX_FILES];
    size_t count;
    bool helped;
    RC_TRY(rc_flags_parse(
        argc, argv, flags, sizeof flags / sizeof flags[0],
        "usage: ringcast calibration list|show|build|diff|merge|export|import|leave-out [FILE...] "
        "[flags]",
        args, MAX_FILES, &count, &helped, err));
    if (helped)
        return RC_OK;
    RC_TRY(rc_form_of(f.json, f.csv, &f.form, err));
    if (count == 0)
        return rc_fail(err, RC_E_USAGE,
                       "calibration needs a verb: list, show, build, diff, merge, "
                       "export, import or leave-out");
    return dispatch(&f, args, count, err);
}
