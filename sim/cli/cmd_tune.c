/* ringcast tune: which variant and how many CP ranks, for a machine and a model.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include "sim/base/json.h"
#include "sim/base/parallel.h"
#include "sim/cli/flags.h"
#include "sim/model/notes.h"
#include "sim/schedule/layout.h"
#include "sim/tune/tune.h"

typedef struct tune_flags {
    const char *file, *out, *store, *measured;
    rc_many sets;
    int64_t threads;
    bool json, overwrite, no_plots, quiet;
} tune_flags;

static rc_status parse(int argc, char **argv, tune_flags *f, bool *helped, rc_error *err) {
    const rc_flag flags[] = {
        {"--out", RC_FLAG_TEXT, &f->out, "DIR",
         "summary.json, select.json, ringcast_select.h, grid.csv and plots"},
        {"--overwrite", RC_FLAG_BOOL, &f->overwrite, NULL, "replace what is in the folder"},
        {"--no-plots", RC_FLAG_BOOL, &f->no_plots, NULL, "no pictures"},
        {"--json", RC_FLAG_BOOL, &f->json, NULL, "the summary as JSON to the terminal"},
        {"--set", RC_FLAG_MANY, &f->sets, "KEY=VALUE",
         "override a key (new.points=32, machine.nic_rate=100Gb/s); see `ringcast keys tune`"},
        {"--measured", RC_FLAG_TEXT, &f->measured, "FILE.csv",
         "score the rules on these times, too (T, P, pass_kv_ms, pass_q_ms, cp)"},
        {"--store", RC_FLAG_TEXT, &f->store, "FILE.db",
         "costs from this calibration store, not the embedded one"},
        {"--threads", RC_FLAG_INT, RC_WHOLE(&f->threads, 1, RC_PARALLEL_MAX), "N",
         "threads (default: one a core)"},
        {"--quiet", RC_FLAG_BOOL, &f->quiet, NULL, "no tables"},
    };
    const char *args[1];
    size_t count;
    RC_TRY(rc_flags_parse(argc, argv, flags, sizeof flags / sizeof flags[0],
                          "usage: ringcast tune SCENARIO.yaml [flags]", args, 1, &count, helped,
                          err));
    if (*helped)
        return RC_OK;
    if (count == 0)
        return rc_fail(err, RC_E_USAGE, "tune needs a scenario file");
    f->file = args[0];
    return RC_OK;
}

static void say_notes(const rc_tune_scenario *s) {
    rc_notes notes;
    rc_model_notes(&s->model, &s->layout, (int64_t)s->total.to, &notes);
    rc_notes_print(&notes, stderr);
}

static rc_status run(const tune_flags *f, const rc_tune_scenario *s, rc_tune *t, rc_error *err) {
    RC_TRY(rc_tune_run(s, f->store, f->measured, (int)f->threads, t, err));
    say_notes(s);
    if (f->json)
        RC_TRY(rc_json_finish(rc_tune_document(t), stdout, err));
    else if (!f->quiet)
        RC_TRY(rc_tune_print(t, stdout, err));
    if (!f->out)
        return RC_OK;
    FILE *log = f->json ? stderr : stdout;
    RC_TRY(rc_tune_write(t, f->out, !f->no_plots, f->overwrite, log, err));
    if (!f->quiet)
        (void)fprintf(log, "# written: %s\n", f->out);
    return RC_OK;
}

rc_status rc_cmd_tune(int argc, char **argv, rc_error *err) {
    tune_flags f = {0};
    bool helped = false;
    RC_TRY(parse(argc, argv, &f, &helped, err));
    if (helped)
        return RC_OK;
    if (f.out)
        RC_TRY(rc_tune_may_write(f.out, !f.no_plots, f.overwrite, err));
    rc_tune_scenario *s = calloc(1, sizeof *s);
    rc_tune *t = calloc(1, sizeof *t);
    rc_status st = s && t ? rc_tune_scenario_load(f.file, f.sets.values, f.sets.count, s, err)
                          : rc_fail(err, RC_E_NOMEM, "out of memory for a tuning run");
    if (st == RC_OK) {
        st = run(&f, s, t, err);
        rc_tune_free(t);
    }
    free(s);
    free(t);
    return st;
}
