/* ringcast plan: the cheapest cluster that serves a workload within its objectives.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/clock.h"
#include "sim/base/find.h"
#include "sim/base/file.h"
#include "sim/base/parallel.h"
#include "sim/cli/flags.h"
#include "sim/cli/form.h"
#include "sim/cli/plan_question.h"
#include "sim/cli/wanted_report.h"
#include "sim/model/notes.h"
#include "sim/plan/plan_file.h"
#include "sim/schedule/layout.h"

typedef struct plan_flags {
    const char *file, *store, *plot, *out, *wanted;
    rc_many sets;
    rc_plan_question asked; /* where there is no file */
    int64_t threads, simulations;
    bool json, csv, overwrite, quiet, flips;
    rc_form form;
} plan_flags;

static rc_status parse(int argc, char **argv, plan_flags *f, bool *helped, rc_error *err) {
    const rc_flag flags[] = {
        {"--model", RC_FLAG_TEXT, &f->asked.model, "NAME", "without a file: a model"},
        {"--trace", RC_FLAG_TEXT, &f->asked.trace, "FILE", "without a file: the requests"},
        {"--gpus", RC_FLAG_MANY, &f->asked.gpus, "M:N@PRICE",
         "without a file: N GPUs of a machine that can be had, and the price of a GPU-hour "
         "(h100-sxm:64@2.0)"},
        {"--ttft", RC_FLAG_TEXT, &f->asked.ttft, "TIME",
         "without a file: limit of the 95th "
         "percentile of TTFT (5s)"},
        {"--ttit", RC_FLAG_TEXT, &f->asked.ttit, "TIME", "without a file: the same of TTIT (50ms)"},
        {"--requests", RC_FLAG_INT, RC_WHOLE(&f->asked.requests, 1, 100000000), "N",
         "without a file: of the trace, cut or repeated (default: all)"},
        {"--rate", RC_FLAG_TEXT, &f->asked.rate, "R",
         "without a file: requests or sessions per second (default: the trace's own times)"},
        {"--save", RC_FLAG_TEXT, &f->asked.save, "FILE.yaml",
         "without a file: write the plan file that these flags stand for"},
        {"--out", RC_FLAG_TEXT, &f->out, "FILE.yaml", "the chosen plan as a scenario of `serve`"},
        {"--plot", RC_FLAG_TEXT, &f->plot, "DIR", "draw price and p95 TTFT as DIR/plan-NAME.png"},
        {"--overwrite", RC_FLAG_BOOL, &f->overwrite, NULL, "replace existing files"},
        {"--set", RC_FLAG_MANY, &f->sets, "KEY=VALUE",
         "override a key (search.growth=2, machine.peer_rate=20GB/s); see `ringcast keys plan`"},
        {"--store", RC_FLAG_TEXT, &f->store, "FILE.db",
         "costs from this calibration store, not the embedded one"},
        RC_WANTED_FLAG(&f->wanted),
        {"--simulations", RC_FLAG_INT, RC_WHOLE(&f->simulations, 1, 100000), "N",
         "of the search, at most"},
        {"--flips", RC_FLAG_BOOL, &f->flips, NULL,
         "change what the plan rests on, one assumption at a time: what holds then?"},
        {"--threads", RC_FLAG_INT, RC_WHOLE(&f->threads, 1, RC_PARALLEL_MAX), "N",
         "default: one a core"},
        {"--json", RC_FLAG_BOOL, &f->json, NULL, "everything, as JSON"},
        {"--csv", RC_FLAG_BOOL, &f->csv, NULL, "the best, the runners-up and the front, as CSV"},
        {"--quiet", RC_FLAG_BOOL, &f->quiet, NULL, "no progress"},
    };
    const char *args[1];
    size_t count;
    RC_TRY(rc_flags_parse(argc, argv, flags, sizeof flags / sizeof flags[0],
                          "usage: ringcast plan PLAN.yaml [flags]\n"
                          "       ringcast plan --model M --trace T --gpus MACHINE:N@PRICE --ttft "
                          "TIME --ttit TIME [flags]",
                          args, 1, &count, helped, err));
    if (*helped)
        return RC_OK;
    bool asked = rc_plan_is_asked(&f->asked);
    if (count > 0 && asked)
        return rc_fail(err, RC_E_USAGE,
                       "--model, --trace, --gpus, --ttft, --ttit, --requests, --rate and --save go "
                       "without a plan file");
    if (count == 0 && !asked)
        return rc_fail(err, RC_E_USAGE,
                       "plan needs a plan file, or flags that say as much (--help)");
    f->file = count > 0 ? args[0] : NULL;
    return rc_form_of(f->json, f->csv, &f->form, err);
}

/* A scenario names its machine's file and has no place for changes to it: what --out writes would
 * be served on another machine than the plan was made for. */
static rc_status check_out(const plan_flags *f, rc_error *err) {
    for (size_t i = 0; f->out && i < f->sets.count; i++)
        if (strncmp(f->sets.values[i], "machine.", strlen("machine.")) == 0)
            return rc_fail(err, RC_E_USAGE,
                           "--out with --set %.200s: a scenario of `serve` has no place for a "
                           "change to its machine; write the change into a machine file and name "
                           "that in 'offers', or leave out --out",
                           f->sets.values[i]);
    RC_TRY(rc_output_check(f->wanted, false, err));
    return rc_output_check(f->out, f->overwrite, err);
}

/* The mean prompt of the workload on the chosen cluster, and as many sequences at a time as its
 * tokens took. */
static rc_status report_wanted(const rc_plan_file *file, const plan_flags *f,
                               const rc_plan_player *player, const rc_plan_result *best,
                               rc_error *err) {
    const rc_plan_load *load = rc_plan_player_load(player);
    const rc_plan_option *o = &best->option;
    const rc_plan_outcome *out = &best->outcome;
    double input = load->input / load->requests, hit = out->hit;
    double decoders = rc_plan_groups(o, true);
    double at_once = out->makespan > 0.0
                         ? load->output * out->ttit_p50 / out->makespan / decoders
                         : 0.0; /* tokens that are under way on a replica, by Little's law */
    rc_pick pick = rc_plan_pick(&file->plan, o, o->cp);
    rc_served_passes x = {.model = &file->plan.model,
                          .costs = rc_plan_player_costs(player)[o->offer],
                          .prefill = file->plan.dtypes,
                          .decode = file->plan.dtypes,
                          .schedule = pick.schedule,
                          .fresh = input * (1.0 - hit),
                          .cached = input * hit,
                          .batch = fmin(fmax(round(at_once), 1.0), (double)o->max_batch),
                          .context = load->context};
    x.prefill.kv = x.decode.kv = (rc_dtype)o->kv;
    x.prefill.tp = x.decode.tp = o->tp;
    x.prefill.cp = o->cp;
    x.decode.cp = o->decode > 0 ? o->decode_cp : o->cp;
    return rc_wanted_served(&x, f->wanted, f->form == RC_FORM_TEXT, err);
}

static rc_status show(rc_plan_file *file, const plan_flags *f, const rc_plan_answer *a,
                      rc_error *err) {
    bool drawn = false;
    RC_TRY(f->form == RC_FORM_JSON  ? rc_plan_json(file, a, err)
           : f->form == RC_FORM_CSV ? rc_plan_csv(file, a, err)
                                    : rc_plan_print(file, a, err));
    if (f->plot)
        RC_TRY(rc_plan_plot(file, a, f->plot, f->overwrite, &drawn, err));
    if (f->plot && !drawn && f->form == RC_FORM_TEXT)
        printf("# not drawn: gnuplot is not installed, or nothing fits\n");
    if (f->out && a->best >= 0)
        RC_TRY(rc_plan_save_scenario(file, a, f->out, f->overwrite, err));
    return a->best >= 0
               ? RC_OK
               : rc_fail(err, RC_E_CHECK, "plan '%s': no configuration holds", file->plan.name);
}

/* Where the plan chooses among several types of KV, none of them was asked for. */
static void take_notes(const rc_plan_file *file, const rc_plan_load *load, rc_plan_answer *a) {
    rc_layout l = file->plan.dtypes;
    const rc_plan_ints *kv = &file->plan.space.kv;
    l.kv = kv->n == 1 ? (rc_dtype)kv->v[0] : file->plan.model.quant.kv;
    rc_model_notes(&file->plan.model, &l, load->longest, &a->notes);
    rc_notes_print(&a->notes, stderr);
}

static rc_status run(rc_plan_file *file, const plan_flags *f, rc_error *err) {
    rc_plan_player *player = NULL;
    rc_plan_bounds *bounds = NULL;
    rc_plan_answer answer = {0};
    double start = rc_clock_s();
    rc_status st = check_out(f, err);
    if (st == RC_OK && f->plot)
        st = rc_plan_plot_check(file, f->plot, f->overwrite, err);
    if (st == RC_OK)
        st = rc_plan_player_create(file, f->store, &player, err);
    if (st == RC_OK)
        st = rc_plan_bounds_create(&file->plan, rc_plan_player_load(player),
                                   rc_plan_player_costs(player), &bounds, err);
    if (st == RC_OK)
        st = rc_plan_search(&file->plan, bounds, rc_plan_simulate, player, &answer, err);
    if (st == RC_OK && f->flips && answer.best >= 0)
        st = rc_plan_find_flips(&file->plan, rc_plan_simulate, player, &answer, err);
    answer.wall_s = rc_clock_s() - start;
    if (st == RC_OK) {
        take_notes(file, rc_plan_player_load(player), &answer);
        st = show(file, f, &answer, err);
        if (st == RC_OK && f->wanted)
            st = report_wanted(file, f, player, &answer.all[answer.best], err);
    }
    rc_plan_answer_free(&answer);
    rc_plan_bounds_free(bounds);
    rc_plan_player_free(player);
    return st;
}

static rc_status open_file(const plan_flags *f, rc_plan_file *out, rc_error *err) {
    char path[RC_PATH_SIZE];
    rc_doc *doc = NULL;
    if (f->file)
        return rc_plan_open(rc_scenario_path(f->file, path, sizeof path), f->sets.values,
                            f->sets.count, out, err);
    RC_TRY(rc_plan_question_doc(&f->asked, f->overwrite, &doc, err));
    return rc_plan_read(doc, f->sets.values, f->sets.count, out, err);
}

rc_status rc_cmd_plan(int argc, char **argv, rc_error *err) {
    plan_flags f = {0};
    bool helped;
    RC_TRY(parse(argc, argv, &f, &helped, err));
    if (helped)
        return RC_OK;
    rc_plan_file *file = calloc(1, sizeof *file);
    if (!file)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a plan");
    rc_status st = open_file(&f, file, err);
    if (st == RC_OK) {
        file->plan.threads = (int)f.threads;
        file->plan.quiet = f.quiet;
        if (f.simulations > 0)
            file->plan.simulations = f.simulations;
        st = run(file, &f, err);
        rc_plan_close(file);
    }
    free(file);
    return st;
}
