/* ringcast serve: a request trace against a cluster.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/find.h"
#include "sim/base/file.h"
#include "sim/base/parallel.h"
#include "sim/choose/launch.h"
#include "sim/cli/flags.h"
#include "sim/cli/form.h"
#include "sim/cli/wanted_report.h"
#include "sim/model/notes.h"
#include "sim/plot/gnuplot.h"
#include "sim/serve/serve_report.h"

enum { MAX_SCENARIOS = RC_CURVE_LINES };

typedef struct serve_flags {
    const char *files[MAX_SCENARIOS];
    size_t file_count;
    const char *store, *out, *rates, *rate, *requests, *prometheus, *inferencex, *wanted, *launch;
    const char *trace;
    rc_many sets;
    int64_t seed, replications, points, threads;
    bool json, csv, stats, exact, compare, quiet, overwrite;
    rc_form form;
} serve_flags;

static rc_status parse(int argc, char **argv, serve_flags *f, bool *helped, rc_error *err) {
    const rc_flag flags[] = {
        {"--set", RC_FLAG_MANY, &f->sets, "KEY=VALUE",
         "override a key (arrivals.requests=1000, machine.nic_rate=100Gb/s); see `ringcast keys "
         "serve`"},
        RC_WANTED_FLAG(&f->wanted),
        {"--store", RC_FLAG_TEXT, &f->store, "FILE.db",
         "costs from this calibration store, not the embedded one"},
        {"--seed", RC_FLAG_INT, RC_WHOLE(&f->seed, 0, RC_MOST_SEED), "N",
         "seed of the run (default: the scenario's)"},
        {"--rate", RC_FLAG_TEXT, &f->rate, "R", "sessions or requests per second"},
        {"--rates", RC_FLAG_TEXT, &f->rates, "A..B",
         "a curve: all scenarios at each rate (or a,b,c), with the knee"},
        {"--points", RC_FLAG_INT, RC_WHOLE(&f->points, 2, RC_CURVE_POINTS), "N",
         "points of --rates A..B (default 12)"},
        {"--replications", RC_FLAG_INT, RC_WHOLE(&f->replications, 1, 1000), "K",
         "runs with seeds N, N+1, ..."},
        {"--threads", RC_FLAG_INT, RC_WHOLE(&f->threads, 1, RC_PARALLEL_MAX), "N",
         "for curves, replications and replicas routed to in turn (default: cores)"},
        {"--exact", RC_FLAG_BOOL, &f->exact, NULL, "simulate every pass, interpolate none"},
        {"--compare", RC_FLAG_BOOL, &f->compare, NULL,
         "time every pass both ways and show the largest difference"},
        {"--requests", RC_FLAG_TEXT, &f->requests, "FILE",
         "a row a request: SQLite (.db, .sqlite) or CSV"},
        {"--prometheus", RC_FLAG_TEXT, &f->prometheus, "FILE", "metrics under vLLM's names"},
        {"--inferencex", RC_FLAG_TEXT, &f->inferencex, "FILE",
         "the run as InferenceX has its results: flat JSON"},
        {"--trace", RC_FLAG_TEXT, &f->trace, "FILE.json[.gz]",
         "passes, transfers and requests as a timeline for ui.perfetto.dev"},
        {"--launch", RC_FLAG_TEXT, &f->launch, "ENGINE",
         "the command lines of vllm or sglang, one a pool, and nothing else"},
        {"--out", RC_FLAG_TEXT, &f->out, "DIR", "plots, series.csv, histograms.csv, result.json"},
        {"--overwrite", RC_FLAG_BOOL, &f->overwrite, NULL, "replace files that exist"},
        {"--json", RC_FLAG_BOOL, &f->json, NULL, "everything, as JSON"},
        {"--csv", RC_FLAG_BOOL, &f->csv, NULL, "the latencies, or the points of --rates, as CSV"},
        {"--stats", RC_FLAG_BOOL, &f->stats, NULL, "Little's law, passes, events, wall time"},
        {"--quiet", RC_FLAG_BOOL, &f->quiet, NULL, "no progress line"},
    };
    f->seed = -1;
    f->replications = 1;
    f->points = 12;
    RC_TRY(rc_flags_parse(argc, argv, flags, sizeof flags / sizeof flags[0],
                          "usage: ringcast serve SCENARIO.yaml [MORE.yaml] [flags]", f->files,
                          MAX_SCENARIOS, &f->file_count, helped, err));
    if (*helped)
        return RC_OK;
    RC_TRY(rc_form_of(f->json, f->csv, &f->form, err));
    if (f->file_count == 0)
        return rc_fail(err, RC_E_USAGE, "serve needs a scenario file");
    if (f->file_count > 1 && !f->rates)
        return rc_fail(err, RC_E_USAGE, "several scenarios go with --rates only");
    if (f->rates &&
        (f->rate || f->replications != 1 || f->requests || f->prometheus || f->inferencex))
        return rc_fail(err, RC_E_USAGE,
                       "--rates goes without --rate, --replications, --requests, --prometheus, "
                       "--inferencex");
    if (f->trace && (f->rates || f->replications > 1))
        return rc_fail(err, RC_E_USAGE, "--trace is of one run: leave out --rates, --replications");
    if (f->replications > 1 && (f->requests || f->compare || f->out || f->inferencex))
        return rc_fail(err, RC_E_USAGE,
                       "--replications goes without --requests, --out, --compare and --inferencex");
    return RC_OK;
}

/* ---- files ---------------------------------------------------------------------------- */

static const char *const run_files[] = {"result.json", "series.csv", "histograms.csv", NULL};
static const char *const curve_files[] = {"rates.json", NULL};

/* Before anything is simulated: may all outputs be written? */
static rc_status check_outputs(const serve_flags *f, rc_error *err) {
    RC_TRY(rc_output_check(f->requests, f->overwrite, err));
    RC_TRY(rc_output_check(f->prometheus, f->overwrite, err));
    RC_TRY(rc_output_check(f->inferencex, f->overwrite, err));
    RC_TRY(rc_output_check(f->wanted, false, err));
    RC_TRY(rc_output_check(f->trace, f->overwrite, err));
    if (f->wanted && (f->rates || f->replications > 1 || f->file_count > 1))
        return rc_fail(err, RC_E_USAGE,
                       "--wanted is of one run: leave out --rates, "
                       "--replications and other scenarios");
    if (!f->out)
        return RC_OK;
    RC_TRY(rc_outputs_check(f->out, f->rates ? curve_files : run_files, f->overwrite, err));
    return rc_plot_check(f->rates ? rc_curve_plot_names : rc_serve_plot_names, f->out, f->overwrite,
                         err);
}

/* ---- one run -------------------------------------------------------------------------- */

typedef struct one_run {
    rc_serve *serve;
    rc_trace *trace; /* NULL: requests are made as they come */
    size_t count;    /* requests */
    rc_served *rows;
    rc_serve_series *series;
    rc_serve_result *result;
} one_run;

static rc_status save_json(const rc_serve *s, const rc_serve_result *r, const char *path,
                           bool overwrite, rc_error *err) {
    rc_json *j = rc_json_create();
    rc_serve_json(s, r, j, rc_json_root(j));
    return rc_json_finish_as(j, path, overwrite, err);
}

static rc_status write_files(const one_run *o, const serve_flags *f, rc_error *err) {
    char path[RC_PATH_SIZE];
    bool drawn = true;
    if (f->requests)
        RC_TRY(rc_serve_rows(o->rows, o->count, f->requests, f->overwrite, err));
    if (f->prometheus)
        RC_TRY(rc_serve_prometheus(o->serve, o->result, f->prometheus, f->overwrite, err));
    if (f->inferencex)
        RC_TRY(rc_serve_inferencex(o->serve, o->result, f->inferencex, f->overwrite, err));
    if (!f->out)
        return RC_OK;
    RC_TRY(rc_path_in(path, f->out, err, "%s", run_files[0]));
    RC_TRY(save_json(o->serve, o->result, path, f->overwrite, err));
    RC_TRY(rc_path_in(path, f->out, err, "%s", run_files[1]));
    RC_TRY(rc_serve_series_csv(o->series, path, f->overwrite, err));
    RC_TRY(rc_path_in(path, f->out, err, "%s", run_files[2]));
    RC_TRY(rc_serve_histograms(o->result, path, f->overwrite, err));
    RC_TRY(rc_serve_plots(o->serve, o->result, o->series, f->out, f->overwrite, &drawn, err));
    if (!drawn)
        (void)fprintf(stderr, "gnuplot not found: no plots\n");
    return RC_OK;
}

static rc_status show(const rc_serve *s, const rc_serve_result *r, const serve_flags *f,
                      rc_error *err) {
    rc_notes_print(&r->notes, stderr);
    if (f->form == RC_FORM_CSV)
        return rc_serve_csv(r, stdout, err);
    if (f->form == RC_FORM_TEXT)
        return rc_serve_print(s, r, f->stats || f->compare, stdout, err);
    rc_json *j = rc_form_json("serve-1");
    rc_serve_json(s, r, j, rc_json_root(j));
    return rc_json_finish(j, stdout, err);
}

/* A run that served nobody is no answer. */
static rc_status check_served(const rc_serve *s, const rc_serve_result *r, rc_error *err) {
    if (r->done > 0 || r->requests == 0)
        return RC_OK;
    return rc_fail(err, RC_E_CHECK,
                   "serve '%s': none of %llu requests was served: %llu larger than a replica's KV "
                   "cache, %llu rejected by a full queue, %llu lost",
                   s->name, (unsigned long long)r->requests, (unsigned long long)r->too_large,
                   (unsigned long long)r->queue_full, (unsigned long long)r->lost);
}

/* The mean prompt on the first pool that prefills, and the median batch on the first that decodes,
 * half-way through its answers. */
static rc_status report_wanted(const rc_serve *s, const rc_serve_result *r, const serve_flags *f,
                               const rc_costs *costs, rc_error *err) {
    const rc_pool *prefill = &s->pools[0], *decode = &s->pools[0];
    for (int i = s->pool_count - 1; i >= 0; i--) {
        prefill = s->pools[i].role != RC_POOL_DECODE ? &s->pools[i] : prefill;
        decode = s->pools[i].role != RC_POOL_PREFILL ? &s->pools[i] : decode;
    }
    double tokens = (double)r->kv_hit_tokens + (double)r->kv_miss_tokens;
    double hit = tokens > 0.0 ? (double)r->kv_hit_tokens / tokens : 0.0;
    double input = rc_hist_mean(&r->input), output = rc_hist_mean(&r->output);
    rc_served_passes x = {.model = &s->model,
                          .costs = costs,
                          .prefill = s->layout,
                          .decode = s->layout,
                          .schedule = prefill->pick.schedule,
                          .fresh = input * (1.0 - hit),
                          .cached = input * hit,
                          .batch = output > 1.0 ? rc_hist_quantile(&r->batch, 0.5) : 0.0,
                          .context = input + 0.5 * output};
    x.prefill.tp = prefill->tp;
    x.prefill.cp = prefill->cp;
    x.decode.tp = decode->tp;
    x.decode.cp = decode->cp;
    return rc_wanted_served(&x, f->wanted, f->form == RC_FORM_TEXT, err);
}

static uint64_t seed_of(const serve_flags *f, const rc_serve *s) {
    return f->seed >= 0 ? (uint64_t)f->seed : s->seed;
}

static rc_status open_timeline(const rc_serve *s, const serve_flags *f, size_t requests,
                               rc_spans **out, rc_error *err) {
    rc_span_args head = {.size = 0};
    rc_args_text(&head, "kind", "serve");
    rc_args_text(&head, "scenario", s->name);
    rc_args_text(&head, "model", s->model.name);
    rc_args_text(&head, "machine", s->machine.name);
    rc_args_int(&head, "requests", (int64_t)requests);
    return rc_spans_open(f->trace, f->overwrite, &head, out, err);
}

static rc_status play(one_run *o, const serve_flags *f, const rc_costs *costs, double rate,
                      rc_error *err) {
    rc_serve_options options = {.costs = costs,
                                .seed = seed_of(f, o->serve),
                                .exact = f->exact,
                                .compare = f->compare,
                                .work = true,
                                .quiet = f->quiet};
    bool stream = rc_serve_streams(o->serve);
    if (!stream)
        RC_TRY(rc_serve_workload(o->serve, options.seed, rate, &o->trace, err));
    o->count = stream ? o->serve->synthetic.requests : o->trace->count;
    o->result = malloc(sizeof *o->result);
    o->rows = f->requests ? calloc(o->count, sizeof *o->rows) : NULL;
    o->series = f->out ? malloc(sizeof *o->series) : NULL;
    if (!o->result || (f->requests && !o->rows) || (f->out && !o->series))
        return rc_fail(err, RC_E_NOMEM, "out of memory for the results");
    options.rows = o->rows;
    options.series = o->series;
    options.threads = (int)f->threads;
    if (f->trace)
        RC_TRY(open_timeline(o->serve, f, o->count, &options.spans, err));
    rc_status st = stream ? rc_serve_stream(o->serve, rate, &options, o->result, err)
                          : rc_serve_run(o->serve, o->trace, &options, o->result, err);
    RC_TRY(rc_spans_close(options.spans, st, err));
    RC_TRY(write_files(o, f, err));
    RC_TRY(show(o->serve, o->result, f, err));
    RC_TRY(check_served(o->serve, o->result, err));
    return f->wanted ? report_wanted(o->serve, o->result, f, costs, err) : RC_OK;
}

/* ---- several seeds -------------------------------------------------------------------- */

static double p50_ttft(const rc_serve_result *r) {
    return rc_hist_quantile(&r->ttft, 0.5) / 1e9;
}

static double p95_ttft(const rc_serve_result *r) {
    return rc_hist_quantile(&r->ttft, 0.95) / 1e9;
}

static double p95_ttit(const rc_serve_result *r) {
    return rc_hist_quantile(&r->ttit, 0.95) / 1e9;
}

static double goodput(const rc_serve_result *r) {
    return r->goodput;
}

static void print_spread(const rc_replications *r) {
    static const struct {
        const char *name;
        double (*of)(const rc_serve_result *);
    } all[] = {{"TTFT p50, ms", p50_ttft},
               {"TTFT p95, ms", p95_ttft},
               {"TTIT p95, ms", p95_ttit},
               {"goodput, 1/s", goodput}};
    (void)printf("# %d replications: mean and 95 %% interval\n", r->count);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        double mean, half;
        rc_replications_spread(r, all[i].of, &mean, &half);
        (void)printf("%s %.4f +- %.4f\n", all[i].name, mean, half);
    }
}

static rc_status replicate(const rc_serve *s, const serve_flags *f, const rc_costs *costs,
                           double rate, rc_error *err) {
    rc_replications r;
    RC_TRY(rc_replicate(s, costs, rate, (int)f->replications, seed_of(f, s), (int)f->threads,
                        f->exact, &r, err));
    rc_status st = show(s, r.all, f, err);
    if (st == RC_OK && f->form == RC_FORM_TEXT)
        print_spread(&r);
    if (st == RC_OK && f->prometheus)
        st = rc_serve_prometheus(s, r.all, f->prometheus, f->overwrite, err);
    if (st == RC_OK)
        st = check_served(s, r.all, err);
    rc_replications_free(&r);
    return st;
}

static rc_status rate_of(const serve_flags *f, double *out, rc_error *err) {
    int count;
    *out = 0.0;
    if (!f->rate)
        return RC_OK;
    double rates[RC_CURVE_POINTS];
    rc_status st = rc_curve_rates(f->rate, 1, rates, &count, err);
    if (st != RC_OK || count != 1)
        return rc_fail_file(err, RC_E_USAGE, "--rate", "found '%s', expected a rate above 0",
                            f->rate);
    *out = rates[0];
    return RC_OK;
}

static rc_status single(const serve_flags *f, rc_serve *s, const rc_costs *costs, rc_error *err) {
    one_run o = {.serve = s};
    double rate;
    RC_TRY(rate_of(f, &rate, err));
    if (f->replications > 1)
        return replicate(s, f, costs, rate, err);
    rc_status st = play(&o, f, costs, rate, err);
    rc_trace_free(o.trace);
    free(o.rows);
    free(o.series);
    free(o.result);
    return st;
}

/* ---- a curve -------------------------------------------------------------------------- */

static rc_status print_curves(const serve_flags *f, const rc_curve *curves, int count,
                              rc_error *err) {
    if (f->form != RC_FORM_JSON)
        return rc_curve_print(curves, count, f->form == RC_FORM_CSV, stdout, err);
    rc_json *j = rc_form_json("serve-rates-1");
    rc_curve_json(curves, count, j, rc_json_root(j));
    return rc_json_finish(j, stdout, err);
}

static rc_status show_curves(const serve_flags *f, const rc_curve *curves, int count,
                             rc_error *err) {
    for (int i = 0; i < count; i++)
        if (curves[i].count > 0)
            rc_notes_print(&curves[i].points[0].result->notes, stderr);
    rc_status st = print_curves(f, curves, count, err);
    rc_json *j = rc_json_create();
    rc_curve_json(curves, count, j, rc_json_root(j));
    if (st == RC_OK && f->out) {
        char path[RC_PATH_SIZE];
        bool drawn = true;
        st = rc_path_in(path, f->out, err, "%s", curve_files[0]);
        if (st == RC_OK)
            st = rc_json_save(j, path, f->overwrite, err);
        if (st == RC_OK)
            st = rc_curve_plot(curves, count, f->out, f->overwrite, &drawn, err);
        if (!drawn)
            (void)fprintf(stderr, "gnuplot not found: no plots\n");
    }
    rc_json_destroy(j);
    return st;
}

static rc_status curve(const serve_flags *f, rc_serve *serves, rc_costs *const *costs,
                       rc_error *err) {
    double rates[RC_CURVE_POINTS];
    int rate_count, count = (int)f->file_count;
    const rc_costs *views[MAX_SCENARIOS];
    rc_curve *curves = calloc(f->file_count, sizeof *curves);
    if (!curves)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a curve");
    rc_status st = rc_curve_rates(f->rates, (int)f->points, rates, &rate_count, err);
    for (int i = 0; i < count; i++) {
        curves[i].serve = &serves[i];
        views[i] = costs[i];
    }
    if (st == RC_OK)
        st = rc_curve_run(curves, count, rates, rate_count, views, seed_of(f, &serves[0]),
                          (int)f->threads, err);
    if (st == RC_OK)
        st = show_curves(f, curves, count, err);
    for (int i = 0; i < count; i++)
        rc_curve_free(&curves[i]);
    free(curves);
    return st;
}

/* ---- command lines of engines ------------------------------------------------------------ */

/* A pool decodes by the schedule that it prefills by, or has the cache cut over its TP group. */
static rc_status print_launches(const serve_flags *f, const rc_serve *s, rc_error *err) {
    rc_launcher engine;
    RC_TRY(rc_launcher_named(f->launch, &engine, err));
    if (s->drafts > 0)
        return rc_fail(err, RC_E_INPUT,
                       "speculative.drafts: no command line is written for steps with drafts");
    for (int i = 0; i < s->pool_count; i++) {
        const rc_pool *p = &s->pools[i];
        const rc_layout l = rc_pool_layout(s, p, p->cp);
        char line[RC_LAUNCH_LINE];
        const rc_launch x = {.model = &s->model,
                             .layout = &l,
                             .schedule = p->pick.schedule,
                             .stages = rc_pool_stages(p),
                             .rest = p->stages.rest,
                             .gpus_per_node = s->machine.gpus_per_node,
                             .chunk = s->sched == RC_SCHED_CHUNKED ? s->budget : 0};
        if (p->pick.by != RC_BY_NAME)
            return rc_fail(err, RC_E_INPUT,
                           "pool '%s': %s chooses the schedule request by request, which %s does "
                           "not",
                           p->name, rc_pick_name(&p->pick), rc_launcher_name(engine));
        RC_TRY(rc_launch_line(engine, &x, line, err));
        (void)printf("# %s: %d of\n%s\n", p->name, p->replicas, line);
    }
    return RC_OK;
}

/* ---- the command ---------------------------------------------------------------------- */

static rc_status with_files(const serve_flags *f, rc_serve *serves, rc_costs **costs,
                            rc_error *err) {
    char path[RC_PATH_SIZE];
    for (size_t i = 0; i < f->file_count; i++) {
        RC_TRY(rc_serve_load(rc_scenario_path(f->files[i], path, sizeof path), f->sets.values,
                             f->sets.count, &serves[i], err));
        if (f->launch) {
            RC_TRY(print_launches(f, &serves[i], err));
            continue;
        }
        if (f->compare && serves[i].linear.on)
            return rc_fail(err, RC_E_USAGE, "--compare: '%s' has costs of its own", f->files[i]);
        RC_TRY(rc_costs_open(f->store, &serves[i].machine, &costs[i], err));
    }
    if (f->launch)
        return RC_OK;
    return f->rates ? curve(f, serves, costs, err) : single(f, &serves[0], costs[0], err);
}

rc_status rc_cmd_serve(int argc, char **argv, rc_error *err) {
    serve_flags f = {0};
    rc_costs *costs[MAX_SCENARIOS] = {0};
    bool helped;
    RC_TRY(parse(argc, argv, &f, &helped, err));
    if (helped)
        return RC_OK;
    RC_TRY(check_outputs(&f, err));
    rc_serve *serves = calloc(f.file_count, sizeof *serves);
    rc_status st = serves ? with_files(&f, serves, costs, err)
                          : rc_fail(err, RC_E_NOMEM, "out of memory for scenarios");
    for (size_t i = 0; i < f.file_count; i++)
        rc_costs_close(costs[i]);
    free(serves);
    return st;
}
