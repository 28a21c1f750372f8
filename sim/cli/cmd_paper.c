/* ringcast paper: every table and stated point of arXiv 2411.01783v3, predicted against printed.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "sim/base/parallel.h"
#include "sim/cli/flags.h"
#include "sim/report/paper.h"

#ifndef RC_VERSION
#define RC_VERSION "0.0.0"
#endif

typedef struct paper_flags {
    const char *out, *store, *data, *real, *leave_out;
    rc_many sets;
    int64_t draws, seed, threads;
    bool json, csv, fit, worth, unfitted, overwrite, no_plots, quiet, stats;
} paper_flags;

static rc_status parse(int argc, char **argv, paper_flags *f, bool *helped, rc_error *err) {
    const rc_flag flags[] = {
        {"--out", RC_FLAG_TEXT, &f->out, "DIR",
         "tables, summary.json and plots (default results/paper)"},
        {"--overwrite", RC_FLAG_BOOL, &f->overwrite, NULL, "replace what is in the folder"},
        {"--no-plots", RC_FLAG_BOOL, &f->no_plots, NULL, "tables and summary only"},
        {"--json", RC_FLAG_BOOL, &f->json, NULL,
         "summary.json to the terminal; files only with --out"},
        {"--csv", RC_FLAG_BOOL, &f->csv, NULL,
         "all rows as CSV to the terminal; files only with --out"},
        {"--fit", RC_FLAG_BOOL, &f->fit, NULL,
         "refit the machine's parameters and print them; no files"},
        {"--worth", RC_FLAG_BOOL, &f->worth, NULL,
         "errors with each fitted number and choice at its neutral value; no files"},
        {"--unfitted", RC_FLAG_BOOL, &f->unfitted, NULL, "all of them at their neutral values"},
        {"--leave-out", RC_FLAG_TEXT, &f->leave_out, "TABLE",
         "refit without the rows of 4, 5, 6, 7, 8, points or each (all), and predict those; no "
         "files"},
        {"--real", RC_FLAG_TEXT, &f->real, "DIR",
         "Table 4's ratios beside runs of ringcast-calib ring; a picture only with --out"},
        {"--set", RC_FLAG_MANY, &f->sets, "KEY=VALUE",
         "what if (machine.nic_rate=100Gb/s), on GTT; see `ringcast keys machine`"},
        {"--draws", RC_FLAG_INT, RC_WHOLE(&f->draws, 0, RC_MOST_DRAWS), "N",
         "draws behind p5 and p95 (default 32)"},
        {"--seed", RC_FLAG_INT, RC_WHOLE(&f->seed, 0, RC_MOST_SEED), "N",
         "seed of the draws (default 1)"},
        {"--store", RC_FLAG_TEXT, &f->store, "FILE.db",
         "costs from this calibration store, not the embedded one"},
        {"--data", RC_FLAG_TEXT, &f->data, "DIR", "the paper's figures from this folder"},
        {"--threads", RC_FLAG_INT, RC_WHOLE(&f->threads, 1, RC_PARALLEL_MAX), "N",
         "threads (default: one a core)"},
        {"--stats", RC_FLAG_BOOL, &f->stats, NULL, "wall time and number of forward passes"},
        {"--quiet", RC_FLAG_BOOL, &f->quiet, NULL, "the summary alone"},
    };
    const char *args[1];
    size_t count;
    f->draws = 32;
    f->seed = 1;
    RC_TRY(rc_flags_parse(argc, argv, flags, sizeof flags / sizeof flags[0],
                          "usage: ringcast paper [flags]", args, 0, &count, helped, err));
    if (f->json && f->csv)
        return rc_fail(err, RC_E_USAGE, "--json and --csv exclude each other");
    if (f->leave_out && (f->json || f->fit || f->real || f->out))
        return rc_fail(err, RC_E_USAGE, "--leave-out excludes --json, --fit, --real and --out");
    if (f->worth && (f->json || f->fit || f->real || f->out || f->leave_out || f->unfitted))
        return rc_fail(err, RC_E_USAGE, "--worth goes with --csv, --set, --store and --data alone");
    if (f->unfitted && (f->fit || f->leave_out))
        return rc_fail(err, RC_E_USAGE, "--unfitted excludes --fit and --leave-out");
    if (f->real && (f->json || f->csv || f->fit))
        return rc_fail(err, RC_E_USAGE, "--real excludes --json, --csv and --fit");
    return RC_OK;
}

/* Where files go, or NULL for none. A folder that was named is refused when it has the files
 * already; the default one is then left as it is, aloud. */
static rc_status choose_folder(const paper_flags *f, const char **dir, bool *kept, rc_error *err) {
    *kept = false;
    *dir = f->out;
    if (f->real)
        return f->out ? rc_paper_real_may_write(f->out, f->overwrite, err) : RC_OK;
    if (f->fit || f->leave_out || f->worth || (!f->out && (f->json || f->csv || f->unfitted)))
        *dir = NULL;
    else if (!f->out)
        *dir = "results/paper";
    if (!*dir)
        return RC_OK;
    rc_status st = rc_paper_may_write(*dir, !f->no_plots, f->overwrite, err);
    if (st == RC_OK || f->out || f->overwrite || access("results/paper/summary.json", F_OK) != 0)
        return st;
    *kept = true;
    *dir = NULL;
    return RC_OK;
}

static rc_status show(const rc_paper *p, const paper_flags *f, rc_error *err) {
    if (f->json)
        return rc_paper_json(p, stdout, err);
    if (f->csv)
        return rc_paper_csv(p, stdout, err);
    return rc_paper_print(p, f->quiet, f->stats, stdout, err);
}

static rc_status run(rc_paper *p, const paper_flags *f, const char *dir, bool kept, rc_error *err) {
    if (f->fit)
        return rc_paper_fit(p, stdout, err);
    FILE *log = f->json || f->csv ? stderr : stdout;
    RC_TRY(rc_paper_evaluate(p, err));
    if (f->worth)
        return rc_paper_worth(p, f->csv, stdout, err);
    if (f->leave_out)
        return rc_paper_leave_out(p, f->leave_out, f->csv, stdout, err);
    if (f->real)
        return rc_paper_real(p, f->real, f->no_plots ? NULL : dir, f->overwrite, stdout, err);
    RC_TRY(show(p, f, err));
    if (kept)
        (void)fputs(
            "# results/paper is there already and was left as it is (--overwrite replaces it)\n",
            log);
    if (!dir)
        return RC_OK;
    RC_TRY(rc_paper_write(p, dir, !f->no_plots, f->overwrite, log, err));
    if (!f->quiet)
        (void)fprintf(log, "# written: %s\n", dir);
    return RC_OK;
}

rc_status rc_cmd_paper(int argc, char **argv, rc_error *err) {
    paper_flags f = {0};
    const char *dir = NULL;
    bool helped = false, kept = false;
    rc_paper *p = NULL;
    RC_TRY(parse(argc, argv, &f, &helped, err));
    if (helped)
        return RC_OK;
    RC_TRY(choose_folder(&f, &dir, &kept, err));
    rc_paper_options o = {.store = f.store,
                          .data = f.data,
                          .sets = f.sets.values,
                          .set_count = f.sets.count,
                          .unfitted = f.unfitted,
                          .draws = f.leave_out || f.worth ? 0 : (int)f.draws,
                          .seed = (uint64_t)f.seed,
                          .threads = (int)f.threads,
                          .figures = dir && !f.no_plots && !f.real,
                          .version = RC_VERSION};
    RC_TRY(rc_paper_open(&o, &p, err));
    rc_status st = run(p, &f, dir, kept, err);
    rc_paper_close(p);
    return st;
}
