/* ringcast report: results of the other commands as one page.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include "sim/base/file.h"
#include "sim/cli/flags.h"
#include "sim/page/page.h"

enum { MOST_PATHS = 64 };

typedef struct report_flags {
    const char *paths[MOST_PATHS];
    size_t count;
    const char *out, *title;
    bool overwrite, quiet;
} report_flags;

static rc_status parse(int argc, char **argv, report_flags *f, bool *helped, rc_error *err) {
    const rc_flag flags[] = {
        {"--out", RC_FLAG_TEXT, &f->out, "FILE.html", "the page (default report.html)"},
        {"--title", RC_FLAG_TEXT, &f->title, "TEXT", "its title"},
        {"--overwrite", RC_FLAG_BOOL, &f->overwrite, NULL, "replace an existing page"},
        {"--quiet", RC_FLAG_BOOL, &f->quiet, NULL, "no list of the sections"},
    };
    f->out = "report.html";
    RC_TRY(rc_flags_parse(
        argc, argv, flags, sizeof flags / sizeof flags[0],
        "usage: ringcast report PATH... [flags]\n"
        "  PATH: what paper, forward, choose, tune, serve, plan, sweep or validate wrote with "
        "--json,\n"
        "        a timeline (forward --trace), a grid.csv of tune, or a folder with such files",
        f->paths, MOST_PATHS, &f->count, helped, err));
    if (!*helped && f->count == 0)
        return rc_fail(err, RC_E_USAGE, "report needs a file or a folder");
    return RC_OK;
}

static rc_status make(const report_flags *f, rc_page *p, rc_error *err) {
    for (size_t i = 0; i < f->count; i++)
        RC_TRY(rc_page_add(p, f->paths[i], err));
    RC_TRY(rc_page_save(p, f->title, f->out, f->overwrite, err));
    for (size_t i = 0; i < rc_page_sections(p) && !f->quiet; i++)
        (void)printf("section %zu: %s\n", i + 1, rc_page_title(p, i));
    if (!f->quiet)
        (void)printf("# wrote %s\n", f->out);
    return RC_OK;
}

rc_status rc_cmd_report(int argc, char **argv, rc_error *err) {
    report_flags f = {0};
    rc_page *p = NULL;
    bool helped;
    RC_TRY(parse(argc, argv, &f, &helped, err));
    if (helped)
        return RC_OK;
    RC_TRY(rc_output_check(f.out, f.overwrite, err));
    RC_TRY(rc_page_create(&p, err));
    rc_status st = make(&f, p, err);
    rc_page_destroy(p);
    return st;
}
