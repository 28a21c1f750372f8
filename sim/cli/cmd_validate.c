/* ringcast validate: predictions against runs on real GPUs, and how they were drawn.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "sim/base/file.h"
#include "sim/base/quantity.h"
#include "sim/base/table.h"
#include "sim/cli/flags.h"
#include "sim/cli/validate_serving.h"
#include "sim/base/find.h"
#include "sim/plot/gnuplot.h"
#include "sim/validate/explain_spans.h"
#include "sim/validate/learn_errors.h"
#include "sim/validate/validate.h"

typedef struct validate_flags {
    const char *json, *plot, *out, *max_median, *max_p95, *explain, *transport, *longest, *prefix;
    const char *learn, *model_errors, *trace;
    rc_many results, store, seen, unseen, ranks, without, serving;
    int64_t draw, draws, seed;
    bool csv, cross, by_part, overwrite;
} validate_flags;

static rc_status limit(const char *flag, const char *text, double *out, rc_error *err) {
    if (!text)
        return RC_OK;
    if (rc_quantity_parse(text, RC_DIM_RATIO, out, NULL) == RC_OK && *out >= 0) {
        *out *= 100.0;
        return RC_OK;
    }
    return rc_fail_file(err, RC_E_USAGE, flag, "\"%s\": expected a share, as in 3%%", text);
}

static rc_status cross(const validate_flags *f, const char *from, const char *to, rc_error *err) {
    rc_cross c;
    double median = 5.0;
    RC_TRY(limit("--max-median", f->max_median, &median, err));
    RC_TRY(rc_cross_predict(f->store.count ? f->store.values[0] : NULL, from, to, &c, err));
    static const rc_column columns[] = {
        {"op", "op", "", RC_LEFT},
        {"n", "rows", "", RC_RIGHT},
        {"median_abs_error_pct", "median", "%", RC_RIGHT},
        {"p95_abs_error_pct", "95th", "%", RC_RIGHT},
        {"bias_pct", "signed", "%", RC_RIGHT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(t, "rows measured on %s, predicted from rows of %s by ratios of published rates",
                  to, from);
    for (size_t i = 0; i <= c.ops; i++) {
        const rc_cross_op *o = i < c.ops ? &c.op[i] : &c.all;
        rc_table_text(t, o->op);
        rc_table_int(t, (int64_t)o->n);
        rc_table_real(t, o->median_pct, 2);
        rc_table_real(t, o->p95_pct, 2);
        rc_table_real(t, o->bias_pct, 2);
    }
    RC_TRY(rc_table_finish(t, f->csv, stdout, err));
    if (c.all.median_pct > median)
        return rc_fail(err, RC_E_CHECK, "median error is %.2f %%, over %.2f %%", c.all.median_pct,
                       median);
    return RC_OK;
}

/* The lists of this tree, where none of a kind is named. */
static rc_status default_lists(validate_flags *f, char path[2][1280], rc_error *err) {
    static const char *const names[] = {"seen", "unseen"};
    rc_many *const lists[] = {&f->seen, &f->unseen};
    for (int i = 0; i < 2; i++) {
        if (lists[i]->count > 0)
            continue;
        RC_TRY(rc_share_path("scenarios/validation", names[i], ".csv", path[i], 1280, err));
        lists[i]->values[lists[i]->count++] = path[i];
    }
    return RC_OK;
}

/* --json -: JSON takes the place of the text. */
static bool to_terminal(const validate_flags *f) {
    return f->json && strcmp(f->json, "-") == 0;
}

static rc_status check_outputs(const validate_flags *f, rc_error *err) {
    static const char *const names[] = {"validation", NULL};
    RC_TRY(rc_output_check(to_terminal(f) ? NULL : f->json, f->overwrite, err));
    return f->plot ? rc_plot_check(names, f->plot, f->overwrite, err) : RC_OK;
}

static rc_status say_plot(const rc_runs *r, const validate_flags *f, rc_error *err) {
    bool drawn = false;
    if (!f->plot)
        return RC_OK;
    RC_TRY(rc_runs_plot(r, f->plot, f->overwrite, &drawn, err));
    if (f->csv || to_terminal(f))
        return RC_OK;
    printf(drawn ? "# wrote %s/validation.png and .svg\n"
                 : "# no picture in %s: gnuplot is not there\n",
           f->plot);
    return RC_OK;
}

static rc_status read_runs(const validate_flags *f, rc_runs *r, rc_error *err) {
    char path[RC_PATH_SIZE];
    if (f->results.count == 0)
        return rc_runs_read(r, rc_scenario_path("results/validation", path, sizeof path), err);
    for (size_t i = 0; i < f->results.count; i++)
        RC_TRY(rc_runs_read(r, f->results.values[i], err));
    return RC_OK;
}

static rc_status predict(const validate_flags *f, int draws, rc_spans *spans, rc_runs *r,
                         rc_error *err) {
    rc_predict_options o = {.spans = spans,
                            .like = f->explain,
                            .stores = f->store.values,
                            .store_count = f->store.count,
                            .draws = draws,
                            .alone = f->explain || f->by_part};
    rc_model_errors errors = {.n = 0};
    if (f->model_errors && strcmp(f->model_errors, "none") != 0)
        RC_TRY(rc_model_errors_read(f->model_errors, &errors, err));
    if (f->model_errors || f->learn) /* what is learnt is what costs know nothing of */
        o.errors = &errors;
    for (size_t i = 0; i < f->without.count; i++)
        RC_TRY(rc_mechanism_find(f->without.values[i], &o.without, err));
    return rc_runs_predict(r, &o, err);
}

static rc_status judged(const validate_flags *f, rc_runs *r, rc_error *err) {
    RC_TRY(read_runs(f, r, err));
    RC_TRY(
        rc_runs_assign(r, f->seen.values, f->seen.count, f->unseen.values, f->unseen.count, err));
    RC_TRY(predict(f, (int)f->draws, NULL, r, err));
    return rc_runs_fit_baselines(r, err);
}

static rc_status replay(const validate_flags *given, rc_error *err) {
    validate_flags own = *given, *f = &own; /* its lists may come to point into `path` */
    rc_runs runs = {0};
    rc_limits limits = {3.0, 8.0};
    char path[2][1280];
    RC_TRY(limit("--max-median", f->max_median, &limits.median_pct, err));
    RC_TRY(limit("--max-p95", f->max_p95, &limits.p95_pct, err));
    RC_TRY(check_outputs(f, err));
    RC_TRY(default_lists(f, path, err));
    rc_status st = judged(f, &runs, err);
    if (st == RC_OK && f->csv)
        st = rc_runs_csv(&runs, stdout, err);
    else if (st == RC_OK && !to_terminal(f))
        st = rc_runs_print(&runs, stdout, err);
    if (st == RC_OK && f->json)
        st = rc_runs_json(&runs, f->json, f->overwrite, err);
    if (st == RC_OK)
        st = say_plot(&runs, f, err);
    if (st == RC_OK)
        st = rc_runs_check(&runs, &limits, err);
    rc_runs_free(&runs);
    return st;
}

/* The error of the model, from the seen runs. */
static rc_status learn(const validate_flags *given, rc_error *err) {
    validate_flags own = *given, *f = &own;
    rc_runs runs = {0};
    rc_learnt learnt;
    char path[2][1280];
    if (f->draws < 1 || f->without.count > 0)
        return rc_fail(err, RC_E_USAGE, "--learn needs --draws, and the whole model");
    RC_TRY(rc_output_check(f->learn, f->overwrite, err));
    RC_TRY(default_lists(f, path, err));
    rc_status st = judged(f, &runs, err);
    if (st == RC_OK)
        st = rc_runs_learn_errors(&runs, &learnt, err);
    if (st == RC_OK)
        st = rc_learnt_write(&learnt, f->learn, f->overwrite, err);
    if (st == RC_OK)
        st = rc_learnt_print(&learnt, stdout, err);
    rc_runs_free(&runs);
    return st;
}

static rc_status open_timeline(const validate_flags *f, rc_spans **out, rc_error *err) {
    rc_span_args head = {.size = 0};
    if (!f->explain || strcmp(f->explain, "all") == 0 || f->by_part)
        return rc_fail(err, RC_E_USAGE, "--trace is of the runs of --explain CASE");
    rc_args_text(&head, "kind", "validate");
    rc_args_text(&head, "runs", f->explain);
    return rc_spans_open(f->trace, f->overwrite, &head, out, err);
}

/* Lists are not asked for: whoever wants to know why takes any run there is. */
static rc_status explain(const validate_flags *f, rc_error *err) {
    rc_runs runs = {0};
    rc_spans *spans = NULL;
    const char *pattern = f->explain && strcmp(f->explain, "all") != 0 ? f->explain : "*";
    bool parts = f->by_part || (f->explain && strcmp(f->explain, "all") == 0);
    if (f->trace)
        RC_TRY(open_timeline(f, &spans, err));
    rc_status st = read_runs(f, &runs, err);
    if (st == RC_OK)
        st = predict(f, 0, spans, &runs, err);
    if (st == RC_OK && spans)
        rc_runs_part_spans(&runs, pattern, spans);
    if (st == RC_OK)
        st = parts ? rc_runs_explain_parts(&runs, pattern, stdout, err)
                   : rc_runs_explain(&runs, pattern, stdout, err);
    rc_runs_free(&runs);
    return rc_spans_close(spans, st, err);
}

static rc_status draw(const validate_flags *f, rc_error *err) {
    int ranks[RC_MAX_MANY] = {1, 2};
    double longest = 40e-3;
    if (!f->out)
        return rc_fail(err, RC_E_USAGE, "--draw needs --out FILE.csv");
    if (f->longest && rc_quantity_parse(f->longest, RC_DIM_TIME, &longest, NULL) != RC_OK)
        return rc_fail_file(err, RC_E_USAGE, "--longest", "\"%s\": expected a time, as in 15ms",
                            f->longest);
    for (size_t i = 0; i < f->ranks.count; i++) {
        int64_t n = 0;
        rc_error why;
        if (rc_quantity_int(f->ranks.values[i], 1, 64, &n, &why) != RC_OK)
            return rc_fail_file(err, RC_E_USAGE, "--ranks", "%.700s", why.msg);
        ranks[i] = (int)n;
    }
    const rc_draw d = {.cases = (int)f->draw,
                       .ranks = ranks,
                       .count = f->ranks.count ? f->ranks.count : 2,
                       .transport = f->transport ? f->transport : "nvlink",
                       .seed = (uint64_t)f->seed,
                       .longest = longest,
                       .prefix = f->prefix ? f->prefix : "d"};
    return rc_draw_cases(&d, f->out, f->overwrite, err);
}

/* What is asked of rings alone: runs of a server have none of it. */
static bool asks_of_rings(const validate_flags *f) {
    return f->results.count + f->seen.count + f->unseen.count + f->without.count + f->ranks.count >
               0 ||
           f->learn || f->model_errors || f->trace || f->max_median || f->max_p95 || f->out ||
           f->by_part || f->cross || f->draw != 0;
}

static rc_status serving(const validate_flags *f, rc_error *err) {
    if (asks_of_rings(f) || f->store.count > 1)
        return rc_fail(err, RC_E_USAGE,
                       "--serving goes with one --store, --csv, --json, --plot, --explain and "
                       "--overwrite alone");
    const rc_validate_serving o = {.folders = &f->serving,
                                   .store = f->store.count ? f->store.values[0] : NULL,
                                   .json = f->json,
                                   .plot = f->plot,
                                   .explain = f->explain,
                                   .csv = f->csv,
                                   .overwrite = f->overwrite};
    if (f->explain && (f->json || f->plot))
        return rc_fail(err, RC_E_USAGE, "--serving with --explain goes without --json and --plot");
    return rc_validate_serving_run(&o, err);
}

rc_status rc_cmd_validate(int argc, char **argv, rc_error *err) {
    validate_flags f = {.seed = 1, .draws = 100};
    const rc_flag flags[] = {
        {"--results", RC_FLAG_MANY, &f.results, "DIR",
         "runs of one host (default: results/validation)"},
        {"--serving", RC_FLAG_MANY, &f.serving, "DIR",
         "a run of a real server (ringcast-calib serve) beside its forecast instead"},
        {"--seen", RC_FLAG_MANY, &f.seen, "FILE.csv",
         "cases that were looked at (default: scenarios/validation/seen.csv)"},
        {"--unseen", RC_FLAG_MANY, &f.unseen, "FILE.csv",
         "cases that were not (default: scenarios/validation/unseen.csv)"},
        {"--store", RC_FLAG_MANY, &f.store, "FILE.db",
         "a calibration store (default: the embedded one); several: one for each --results"},
        {"--draws", RC_FLAG_INT, RC_WHOLE(&f.draws, 0, 10000), "N",
         "draws for p5 and p95 of each forecast (default 100)"},
        {"--without", RC_FLAG_MANY, &f.without, "MECHANISM",
         "contention, clocks, links, waves: forecast without this mechanism of the model"},
        {"--learn", RC_FLAG_TEXT, &f.learn, "FILE.csv",
         "learn the error of the model from the seen runs: a table for calibration.model_errors"},
        {"--model-errors", RC_FLAG_TEXT, &f.model_errors, "FILE.csv",
         "such a table in place of the machine's own; none: without"},
        {"--json", RC_FLAG_TEXT, &f.json, "FILE",
         "all figures as JSON; -: to the terminal, in place of the text"},
        {"--csv", RC_FLAG_BOOL, &f.csv, NULL,
         "a row a run, an op of --cross or a figure of --serving, as CSV"},
        {"--plot", RC_FLAG_TEXT, &f.plot, "DIR",
         "a scatter plot, PNG and SVG; with --serving: distributions of each run"},
        {"--max-median", RC_FLAG_TEXT, &f.max_median, "PCT",
         "fail over this median error of the unseen set (default 3%; --cross 5%)"},
        {"--max-p95", RC_FLAG_TEXT, &f.max_p95, "PCT",
         "and over this 95th percentile (default 8%)"},
        {"--explain", RC_FLAG_TEXT, &f.explain, "CASE",
         "parts of the runs of this name (* and ? allowed) beside those of the forecast; all: as "
         "--by-part; with --serving: passes by kind and size, and the worst of them"},
        {"--trace", RC_FLAG_TEXT, &f.trace, "FILE.json[.gz]",
         "with --explain: those parts and the forecasts as a timeline for ui.perfetto.dev"},
        {"--by-part", RC_FLAG_BOOL, &f.by_part, NULL,
         "errors by part, transport and kind, of all runs or those of --explain"},
        {"--draw", RC_FLAG_INT, RC_WHOLE(&f.draw, 1, 999), "N",
         "draw N cases at random into --out instead"},
        {"--ranks", RC_FLAG_MANY, &f.ranks, "N", "draw: for so many GPUs (default 1 and 2)"},
        {"--transport", RC_FLAG_TEXT, &f.transport, "NAME",
         "draw: nvlink, shm or socket, over which they will run (default nvlink)"},
        {"--longest", RC_FLAG_TEXT, &f.longest, "TIME",
         "draw: passes take about so long at the most (default 40ms)"},
        {"--prefix", RC_FLAG_TEXT, &f.prefix, "TEXT",
         "draw: names of the cases begin so (default d); another list needs another"},
        {"--seed", RC_FLAG_INT, RC_WHOLE(&f.seed, 0, RC_MOST_SEED), "N", "draw: seed (default 1)"},
        {"--out", RC_FLAG_TEXT, &f.out, "FILE.csv", "draw: the file of cases"},
        {"--cross", RC_FLAG_BOOL, &f.cross, NULL,
         "FROM TO: rows of machine TO predicted from those of FROM"},
        {"--overwrite", RC_FLAG_BOOL, &f.overwrite, NULL, "replace existing outputs"},
    };
    const char *args[2];
    size_t count;
    bool helped;
    RC_TRY(rc_flags_parse(
        argc, argv, flags, sizeof flags / sizeof flags[0],
        "usage: ringcast validate [flags]\n"
        "       ringcast validate --explain CASE|all [--by-part] [--trace FILE.json]\n"
        "       ringcast validate --learn FILE.csv [--results DIR --store FILE.db ...]\n"
        "       ringcast validate --serving DIR [--serving DIR ...] [--explain RUN|all]\n"
        "       ringcast validate --cross FROM TO\n"
        "       ringcast validate --draw N --out FILE.csv [--ranks N] [--transport NAME] "
        "[--seed N] [--longest TIME] [--prefix TEXT]",
        args, 2, &count, &helped, err));
    if (helped)
        return RC_OK;
    if (f.csv && to_terminal(&f))
        return rc_fail(err, RC_E_USAGE, "--json - and --csv exclude each other");
    if (f.csv && (f.learn || f.explain || f.by_part || f.draw != 0))
        return rc_fail(err, RC_E_USAGE,
                       "--csv goes without --learn, --explain, --by-part and --draw");
    if (f.cross)
        return count == 2 ? cross(&f, args[0], args[1], err)
                          : rc_fail(err, RC_E_USAGE, "--cross needs two machines: FROM TO");
    if (count > 0)
        return rc_fail(err, RC_E_USAGE, "unexpected argument '%s'", args[0]);
    if (f.serving.count > 0)
        return serving(&f, err);
    if (f.trace && !f.explain)
        return rc_fail(err, RC_E_USAGE, "--trace is of the runs of --explain CASE");
    if (f.learn)
        return learn(&f, err);
    if (f.explain || f.by_part)
        return explain(&f, err);
    if (f.draw != 0)
        return draw(&f, err);
    return replay(&f, err);
}
