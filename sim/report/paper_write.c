/* Files of a result folder. Each appears whole; none replaces another unasked.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <sys/stat.h>
#include "sim/base/file.h"
#include "sim/report/paper_output.h"

static void table_path(const char *dir, const char *table, char *out, size_t size) {
    bool number = table[0] >= '0' && table[0] <= '9';
    (void)snprintf(out, size, "%.900s/%s%s.csv", dir, number ? "table" : "", table);
}

static rc_status refuse_existing(const char *path, rc_error *err) {
    struct stat st;
    if (stat(path, &st) != 0)
        return RC_OK;
    return rc_fail_at(err, RC_E_IO, path, 0, 0,
                      "already exists and is not overwritten (--overwrite replaces it)");
}

rc_status rc_paper_may_write(const char *dir, bool plots, rc_error *err) {
    static const char *const ends[] = {"png", "svg"};
    char path[1024];
    for (size_t i = 0; rc_paper_table_names[i]; i++) {
        table_path(dir, rc_paper_table_names[i], path, sizeof path);
        RC_TRY(refuse_existing(path, err));
    }
    (void)snprintf(path, sizeof path, "%.900s/summary.json", dir);
    RC_TRY(refuse_existing(path, err));
    for (size_t i = 0; plots && rc_paper_plot_names[i]; i++) {
        for (size_t e = 0; e < 2; e++) {
            (void)snprintf(path, sizeof path, "%.900s/plots/%s.%s", dir, rc_paper_plot_names[i],
                           ends[e]);
            RC_TRY(refuse_existing(path, err));
        }
    }
    return RC_OK;
}

static rc_status write_table(const rc_paper *p, const char *dir, const char *table, bool overwrite,
                             rc_error *err) {
    char path[1024];
    rc_outfile o;
    table_path(dir, table, path, sizeof path);
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    rc_status st = rc_paper_table_csv(p, table, o.f, err);
    if (st == RC_OK)
        return rc_outfile_commit(&o, err);
    rc_outfile_abort(&o);
    return st;
}

static rc_status write_summary(const rc_paper *p, const char *dir, bool overwrite, rc_error *err) {
    char path[1024];
    rc_json *j = NULL;
    (void)snprintf(path, sizeof path, "%.900s/summary.json", dir);
    RC_TRY(rc_paper_document(p, &j, err));
    rc_status st = rc_json_save(j, path, overwrite, err);
    rc_json_destroy(j);
    return st;
}

rc_status rc_paper_write(const rc_paper *p, const char *dir, bool plots, bool overwrite, FILE *log,
                         rc_error *err) {
    if (strlen(dir) > 900)
        return rc_fail(err, RC_E_IO, "the name of the output folder is longer than 900 bytes");
    RC_TRY(rc_make_dirs(dir, err));
    for (size_t i = 0; rc_paper_table_names[i]; i++)
        RC_TRY(write_table(p, dir, rc_paper_table_names[i], overwrite, err));
    RC_TRY(write_summary(p, dir, overwrite, err));
    return plots ? rc_paper_write_plots(p, dir, overwrite, log, err) : RC_OK;
}
