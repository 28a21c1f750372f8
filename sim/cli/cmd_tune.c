/* ringcast tune: which variant and how many CP ranks, for a machine and a model.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include "sim/base/json.h"
#include "sim/base/parallel.h"
#include "sim/base/find.h"
#include "sim/base/file.h"
#include "sim/cli/flags.h"
#include "sim/cli/form.h"
#include "sim/cli/wanted_report.h"
#include "sim/model/notes.h"
#include "sim/schedule/layout.h"
#include "sim/tune/tune.h"

typedef struct tune_flags {
    const char *file, *out, *store, *measured, *wanted;
    rc_many sets;
    int64_t threads;
    bool json, csv, overwrite, no_plots, quiet;
    rc_form form;
} tune_flags;

static rc_status parse(int argc, char **argv, tune_flags *f, bool *helped, rc_error *err) {
    const rc_flag flags[] = {
        {"--out", RC_FLAG_TEXT, &f->out, "DIR",
         "summary.json, select.json, ringcast_select.h, grid.csv and plots"},
        {"--overwrite", RC_FLAG_BOOL, &f->overwrite, NULL, "replace what is in the folder"},
        {"--no-plots", RC_FLAG_BOOL, &f->no_plots, NULL, "no pictures"},
        {"--json", RC_FLAG_BOOL, &f->json, NULL, "the summary as JSON to the terminal"},
        {"--csv", RC_FLAG_BOOL, &f->csv, NULL, "the scores of the rules as CSV to the terminal"},
        {"--set", RC_FLAG_MANY, &f->sets, "KEY=VALUE",
         "override a key (new.points=32, machine.nic_rate=100Gb/s); see `ringcast keys tune`"},
        {"--measured", RC_FLAG_TEXT, &f->measured, "FILE.csv",
         "score the rules on these times, too (T, P, pass_kv_ms, pass_q_ms, cp)"},
        {"--store", RC_FLAG_TEXT, &f->store, "FILE.db",
         "costs from this calibration store, not the embedded one"},
        RC_WANTED_FLAG(&f->wanted),
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
    return rc_form_of(f->json, f->csv, &f->form, err);
}

static void say_notes(const rc_tune_scenario *s) {
    rc_notes notes;
    rc_model_notes(&s->model, &s->layout, (int64_t)s->total.to, &notes);
    rc_notes_print(&notes, stderr);
}

/* ---- --wanted ------------------------------------------------------------------------------- */

enum { WANTED_CELLS = 8, WANTED_BATCH = 64 };

/* Cells evenly spread over the grid, on the largest degree, by both rings: what the rule is fitted
 * on. */
static rc_status report_wanted(const tune_flags *f, const rc_tune *t, rc_error *err) {
    rc_sequence seqs[WANTED_CELLS][WANTED_BATCH];
    rc_spec passes[2 * WANTED_CELLS];
    rc_layout layout = t->s.layout;
    int cp = 1;
    size_t n = 0;
    for (int i = 0; i < t->s.degrees; i++)
        cp = t->s.degree[i] > cp ? t->s.degree[i] : cp;
    for (size_t i = 0; i < WANTED_CELLS; i++) {
        const rc_tune_cell *c = &t->cells[(2 * i + 1) * t->count / (2 * WANTED_CELLS)];
        size_t batch = (size_t)t->s.batch[c->batch];
        if (c->t < cp || batch > WANTED_BATCH)
            continue;
        for (size_t k = 0; k < batch; k++)
            seqs[i][k] = (rc_sequence){c->t, c->p};
        for (int v = RC_TUNE_KV; v <= RC_TUNE_Q; v++) {
            rc_alternative a = {
                .cp = cp, .ep = layout.ep, .schedule = rc_schedule_on(rc_tune_schedule(v), cp)};
            rc_forward_timing time;
            rc_spec pass = rc_alternative_spec(&t->s.model, t->costs, &layout, &a, seqs[i], batch);
            rc_forward_ctx *ctx = rc_forward_ctx_create();
            rc_status st = ctx ? rc_forward_time(ctx, &pass, &time, NULL) : RC_E_NOMEM;
            rc_forward_ctx_destroy(ctx);
            if (st == RC_OK)
                passes[n++] = pass;
        }
    }
    if (n == 0)
        return rc_fail(err, RC_E_INPUT, "--wanted: no cell fits on %d ranks", cp);
    return rc_wanted_report(passes, n, f->wanted, f->form == RC_FORM_TEXT && !f->quiet, err);
}

static rc_status run(const tune_flags *f, const rc_tune_scenario *s, rc_tune *t, rc_error *err) {
    RC_TRY(rc_tune_run(s, f->store, f->measured, (int)f->threads, t, err));
    say_notes(s);
    if (f->form == RC_FORM_JSON)
        RC_TRY(rc_form_document(rc_tune_document(t), "tune-1", err));
    else if (f->form == RC_FORM_CSV)
        RC_TRY(rc_tune_csv(t, stdout, err));
    else if (!f->quiet)
        RC_TRY(rc_tune_print(t, stdout, err));
    if (!f->out)
        return RC_OK;
    FILE *log = f->form == RC_FORM_TEXT ? stdout : stderr;
    RC_TRY(rc_tune_write(t, f->out, !f->no_plots, f->overwrite, log, err));
    if (!f->quiet)
        (void)fprintf(log, "# written: %s\n", f->out);
    return RC_OK;
}

rc_status rc_cmd_tune(int argc, char **argv, rc_error *err) {
    tune_flags f = {0};
    char path[RC_PATH_SIZE];
    bool helped = false;
    RC_TRY(parse(argc, argv, &f, &helped, err));
    if (helped)
        return RC_OK;
    RC_TRY(rc_output_check(f.wanted, false, err));
    if (f.out)
        RC_TRY(rc_tune_may_write(f.out, !f.no_plots, f.overwrite, err));
    rc_tune_scenario *s = calloc(1, sizeof *s);
    rc_tune *t = calloc(1, sizeof *t);
    rc_status st = s && t ? rc_tune_scenario_load(rc_scenario_path(f.file, path, sizeof path),
                                                  f.sets.values, f.sets.count, s, err)
                          : rc_fail(err, RC_E_NOMEM, "out of memory for a tuning run");
    if (st == RC_OK) {
        st = run(&f, s, t, err);
        if (st == RC_OK && f.wanted)
            st = report_wanted(&f, t, err);
        rc_tune_free(t);
    }
    free(s);
    free(t);
    return st;
}
