/* Files of a result folder. Each appears whole; none replaces another unasked.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/base/file.h"
#include "sim/plot/gnuplot.h"
#include "sim/report/paper_output.h"

static rc_status table_path(const char *dir, const char *table, char *out, rc_error *err) {
    bool number = table[0] >= '0' && table[0] <= '9';
    return rc_path_in(out, dir, err, "%s%s.csv", number ? "table" : "", table);
}

rc_status rc_paper_may_write(const char *dir, bool plots, bool overwrite, rc_error *err) {
    static const char *const summary[] = {"summary.json", NULL};
    char path[RC_PATH_SIZE];
    RC_TRY(rc_outputs_check(dir, summary, overwrite, err));
    for (size_t i = 0; rc_paper_table_names[i]; i++) {
        RC_TRY(table_path(dir, rc_paper_table_names[i], path, err));
        RC_TRY(rc_output_check(path, overwrite, err));
    }
    if (!plots)
        return RC_OK;
    RC_TRY(rc_path_in(path, dir, err, "plots"));
    return rc_plot_check(rc_paper_plot_names, path, overwrite, err);
}

static rc_status write_table(const rc_paper *p, const char *dir, const char *table, bool overwrite,
                             rc_error *err) {
    char path[RC_PATH_SIZE];
    rc_outfile o;
    RC_TRY(table_path(dir, table, path, err));
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    return rc_outfile_end(&o, rc_paper_table_csv(p, table, o.f, err), err);
}

static rc_status write_summary(const rc_paper *p, const char *dir, bool overwrite, rc_error *err) {
    char path[RC_PATH_SIZE];
    rc_json *j = NULL;
    RC_TRY(rc_path_in(path, dir, err, "summary.json"));
    RC_TRY(rc_paper_document(p, &j, err));
    return rc_json_finish_as(j, path, overwrite, err);
}

rc_status rc_paper_write(const rc_paper *p, const char *dir, bool plots, bool overwrite, FILE *log,
                         rc_error *err) {
    assert(dir != NULL);
    RC_TRY(rc_make_dirs(dir, err));
    for (size_t i = 0; rc_paper_table_names[i]; i++)
        RC_TRY(write_table(p, dir, rc_paper_table_names[i], overwrite, err));
    RC_TRY(write_summary(p, dir, overwrite, err));
    return plots ? rc_paper_write_plots(p, dir, overwrite, log, err) : RC_OK;
}
