/* What a run gave, for people and for programs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SERVE_SERVE_REPORT_H
#define RC_SERVE_SERVE_REPORT_H
#include "sim/base/json.h"
#include "sim/serve/serve.h"

rc_status rc_serve_print(const rc_serve *s, const rc_serve_result *r, bool stats, FILE *f,
                         rc_error *err);
/* The latencies alone. */
rc_status rc_serve_csv(const rc_serve_result *r, FILE *f, rc_error *err);
/* Keys at the top: requests, done, rejected, lost, wall_s, ttft_ms, ttit_ms, token_gap_ms, e2e_ms
 * (each p50, p90, p95, p99), kv_hit_tokens, goodput, slo, and more. `wall_s` is the only one that differs from run to
 * run. */
void rc_serve_json(const rc_serve *s, const rc_serve_result *r, rc_json *j, json_t *root);
/* Prometheus text, with vLLM's metric names where it has one. */
rc_status rc_serve_prometheus(const rc_serve *s, const rc_serve_result *r, const char *path,
                              bool overwrite, rc_error *err);
/* The run as InferenceX keeps its results (SemiAnalysisAI/InferenceX, utils/process_result.py): flat
 * JSON, times in s. `conc` is the mean number of requests in the system. */
rc_status rc_serve_inferencex(const rc_serve *s, const rc_serve_result *r, const char *path,
                              bool overwrite, rc_error *err);
/* A row a request: SQLite (table `requests`) when the name ends in .db or .sqlite, else CSV. */
rc_status rc_serve_rows(const rc_served *rows, size_t count, const char *path, bool overwrite,
                        rc_error *err);
/* Share of prompt tokens admitted in interval i that were cached (smoothed over two); NAN. */
double rc_serve_hit_rate_at(const rc_serve_series *s, int i);
/* Waiting, running, KV in use and hit rate over time, as CSV. */
rc_status rc_serve_series_csv(const rc_serve_series *s, const char *path, bool overwrite,
                              rc_error *err);
/* Histograms as CSV: metric, low, high, count. */
rc_status rc_serve_histograms(const rc_serve_result *r, const char *path, bool overwrite,
                              rc_error *err);
/* latency and time, .png and .svg, of a run: distributions and series. *drawn is false without
 * gnuplot. */
extern const char *const rc_serve_plot_names[]; /* NULL-terminated file stems */
rc_status rc_serve_plots(const rc_serve *s, const rc_serve_result *r, const rc_serve_series *series,
                         const char *dir, bool overwrite, bool *drawn, rc_error *err);

/* ---- the same scenario at several rates ---------------------------------------------- */
enum { RC_CURVE_POINTS = 64, RC_CURVE_LINES = 6 };
typedef struct rc_curve_point {
    double rate; /* sessions or requests per second */
    rc_serve_result *result;
} rc_curve_point;
typedef struct rc_curve {
    const rc_serve *serve;
    rc_curve_point points[RC_CURVE_POINTS];
    int count;
    double
        knee; /* per second: where the SLO is no longer met; 0: met at no rate, INFINITY: at all */
    int breaks; /* the objective that gives way there, of serve->objectives */
} rc_curve;
/* "a..b" (geometric, `n` points) or "a,b,c". RC_E_USAGE names the text. */
rc_status rc_curve_rates(const char *text, int n, double *out, int *count, rc_error *err);
/* Fill `curves` (serve is set) at all rates, on threads. Free with rc_curve_free. */
rc_status rc_curve_run(rc_curve *curves, int curve_count, const double *rates, int rate_count,
                       const rc_costs *const *costs, uint64_t seed, int threads, rc_error *err);
void rc_curve_free(rc_curve *c);
/* The points; `csv`: nothing else. */
rc_status rc_curve_print(const rc_curve *curves, int count, bool csv, FILE *f, rc_error *err);
void rc_curve_json(const rc_curve *curves, int count, rc_json *j, json_t *root);
extern const char *const rc_curve_plot_names[]; /* NULL-terminated file stems */
rc_status rc_curve_plot(const rc_curve *curves, int count, const char *dir, bool overwrite,
                        bool *drawn, rc_error *err);

/* ---- the same scenario with several seeds -------------------------------------------- */
typedef struct rc_replications {
    int count;
    rc_serve_result *runs; /* [count]; owned */
    rc_serve_result *all;  /* histograms and counts merged; rates are means */
} rc_replications;
/* Seeds seed, seed + 1, ...; on threads. */
rc_status rc_replicate(const rc_serve *s, const rc_costs *costs, double rate, int count,
                       uint64_t seed, int threads, bool exact, rc_replications *out, rc_error *err);
void rc_replications_free(rc_replications *r);
/* Mean over the runs and half-width of its 95 % interval (Student). */
void rc_replications_spread(const rc_replications *r, double (*of)(const rc_serve_result *),
                            double *mean, double *half);

#endif
