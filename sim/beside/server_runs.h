/* A real server beside the forecast of it.
 *
 * `ringcast-calib serve` plays a serving scenario on GPUs with the scheduler of the simulator and
 * writes what each pass took (sim/serve/played_log.h). Scheduling is deterministic, so the same
 * scenario played again with those times gives what the server's users felt, request by request;
 * and every pass must be composed as it was, or somebody's rules have changed. Beside that stands
 * the forecast, from primitive costs alone, and two runs between them that tell where it errs:
 * one with the host's time as it was measured, one with the GPU's mean time of each kind of pass
 * as well. What the last still lacks is the order of things: who waits for whom.
 * A last run of each has what the other seen runs on such a machine taught of the host and of each
 * kind of pass, never its own measurements.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BESIDE_SERVER_RUNS_H
#define RC_BESIDE_SERVER_RUNS_H
#include <stdbool.h>
#include <stdio.h>
#include "sim/plot/gnuplot.h"
#include "sim/serve/played_log.h"
#include "sim/validate/validate.h"

typedef enum rc_beside_kind {
    RC_BESIDE_PROMPTS, /* pieces of prompts alone */
    RC_BESIDE_MIXED,   /* those and sequences that decode */
    RC_BESIDE_DECODES, /* sequences that decode alone */
    RC_BESIDE_KINDS
} rc_beside_kind;
const char *rc_beside_kind_name(rc_beside_kind k);
rc_beside_kind rc_beside_kind_of(const rc_played_row *row);

typedef enum rc_beside_way { /* whose times a run has */
                             RC_BESIDE_MEASURED,
                             RC_BESIDE_FORECAST, /* the cost model's */
                             RC_BESIDE_HOST_MEAN, /* the same with the mean host time that was measured */
                             RC_BESIDE_GPU_MEAN, /* the same, and the GPU's of each kind scaled to the sum that was measured */
                             RC_BESIDE_TAUGHT, /* the cost model's, by what other runs that are seen taught */
                             RC_BESIDE_WAYS
} rc_beside_way;

typedef struct rc_beside_times { /* s, rising; owned */
    double *at;
    size_t count;
} rc_beside_times;

typedef struct rc_beside_play { /* what users would feel */
    rc_beside_times ttft, gap;  /* gap: mean between two tokens, of replies of more than one */
    double tokens_per_s;        /* of replies, over the makespan */
    uint64_t hit_tokens;        /* of prompts, found cached when first admitted */
    uint64_t done, requests;
} rc_beside_play;

typedef struct rc_beside_cost { /* ps, what the model says of a pass */
    rc_time gpu, host;
} rc_beside_cost;

typedef struct rc_beside_run {
    char name[96];     /* last part of the folder's path */
    char scenario[96]; /* the scenario's name */
    char machine[96];
    rc_run_set set;
    rc_played_log log;
    rc_beside_cost *costs; /* [log.count] */
    double host_mean;      /* s a pass, measured */
    double host_stated;    /* the same, as the scenario states it */
    rc_beside_play play[RC_BESIDE_WAYS];
} rc_beside_run;

/* Read DIR/scenario.yaml and DIR/passes.csv and play all ways. `store`: a calibration store, NULL
 * for the embedded one. RC_E_CHECK names the first pass that is composed otherwise than it was;
 * RC_E_INPUT: the file has fewer or more passes than the run. The caller frees *out, also after a
 * failure. */
rc_status rc_beside_read(const char *dir, const char *store, rc_beside_run *out, rc_error *err);
/* Play RC_BESIDE_TAUGHT of all runs that were read, from dirs[i]; without other seen runs on its
 * machine a run has no such play (its values are NAN). */
rc_status rc_beside_teach(rc_beside_run *runs, size_t count, const char *const *dirs,
                          const char *store, rc_error *err);
void rc_beside_free(rc_beside_run *r);

/* The name that a folder's run has: the last part of its path. */
rc_status rc_beside_name(const char *dir, char out[96], rc_error *err);

/* ---- beside_figures.c ---- */
typedef enum rc_beside_metric {
    RC_BESIDE_TTFT_P50,
    RC_BESIDE_TTFT_P95,
    RC_BESIDE_GAP_P50,
    RC_BESIDE_GAP_P95,
    RC_BESIDE_THROUGHPUT,
    RC_BESIDE_METRICS
} rc_beside_metric;
/* "ttft_p50", "TTFT p50", "ms"; a value is in that unit, NAN where nobody has it. */
const char *rc_beside_metric_key(rc_beside_metric m);
const char *rc_beside_metric_name(rc_beside_metric m);
const char *rc_beside_metric_unit(rc_beside_metric m);
double rc_beside_value(const rc_beside_run *r, rc_beside_way way, rc_beside_metric m);
/* %, of that way's value over the measured one. */
double rc_beside_error(const rc_beside_run *r, rc_beside_way way, rc_beside_metric m);

typedef struct rc_beside_spread { /* errors of the GPU's time of passes, % */
    size_t passes;
    double measured_s, model_s; /* sums */
    double bias, median, p95;   /* of the sums; of |error| over passes */
} rc_beside_spread;
/* Of the passes that `takes` takes; NULL takes all. RC_E_NOMEM. */
typedef bool (*rc_beside_taker)(const rc_played_row *row, const void *ctx);
rc_status rc_beside_spread_of(const rc_beside_run *r, rc_beside_taker takes, const void *ctx,
                              rc_beside_spread *out, rc_error *err);
rc_status rc_beside_kind_spread(const rc_beside_run *r, rc_beside_kind k, rc_beside_spread *out,
                                rc_error *err);
/* ps: measured, without the host's. */
rc_time rc_beside_gpu_time(const rc_played_row *row);

typedef struct rc_beside_summary { /* of |error| in % over runs of a set */
    size_t runs;
    double mean, most;
} rc_beside_summary;
/* `set` < 0: of all. */
rc_beside_summary rc_beside_summarise(const rc_beside_run *runs, size_t count, int set,
                                      rc_beside_way way, rc_beside_metric m);

/* ---- beside_print.c, beside_explain.c, beside_json.c, beside_plot.c ---- */
rc_status rc_beside_print(const rc_beside_run *runs, size_t count, FILE *f, rc_error *err);
/* A row a run and metric. */
rc_status rc_beside_csv(const rc_beside_run *runs, size_t count, FILE *f, rc_error *err);
/* Passes of a run by kind, tokens and batch, and those that are furthest off. */
rc_status rc_beside_explain(const rc_beside_run *r, FILE *f, rc_error *err);
/* `path` "-": to the standard output. */
rc_status rc_beside_json(const rc_beside_run *runs, size_t count, const char *path, bool overwrite,
                         rc_error *err);
/* "serving-NAME", of its picture. */
void rc_beside_stem(const char *run, char out[RC_PLOT_STEM]);
rc_status rc_beside_plot(const rc_beside_run *r, const char *dir, bool overwrite, bool *drawn,
                         rc_error *err);

#endif
