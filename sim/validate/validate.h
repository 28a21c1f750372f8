/* Predictions held against runs on real GPUs.
 *
 * Runs are the CSV files that `ringcast-calib ring` writes (results/validation/). Each case is
 * predicted from the primitive suites alone: the same engine, schedules and costs as any forecast,
 * over a machine that is the one it ran on. No number of a run reaches a prediction. Cases that
 * were looked at while the model was being built (seen) and cases drawn at random afterwards
 * (unseen) are named by two lists and kept apart in every figure.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_VALIDATE_VALIDATE_H
#define RC_VALIDATE_VALIDATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "sim/base/error.h"
#include "sim/base/json.h"
#include "sim/machine/model_errors.h"
#include "sim/schedule/schedule.h"

typedef enum rc_run_set { RC_SET_SEEN, RC_SET_UNSEEN, RC_SET_COUNT } rc_run_set;
const char *rc_run_set_name(rc_run_set s);

/* How a time was come by. */
typedef enum rc_method { RC_BY_SIMULATION, RC_BY_ROOFLINE, RC_BY_ALPHA_BETA, RC_METHODS } rc_method;
const char *rc_method_name(rc_method m);

/* ---- parts of a pass ------------------------------------------------------------------------- */

/* One figure of all ranks of a run, s. n 0: nobody has it. */
typedef struct rc_over_ranks {
    int n;
    double sum, least, most;
} rc_over_ranks;
void rc_over_ranks_add(rc_over_ranks *o, double seconds);

enum { RC_RUN_STEPS = 64 }; /* ring steps of a run at the most: ranks of a ring */

/* What the parts of one pass take, over all of its layers. Of a run they are what
 * `ringcast-calib ring` writes, means of three passes that were launched op by op with events
 * around each part; so a part of a few microseconds holds the launch as well. Of a forecast they
 * are the ops of the simulated pass. */
typedef struct rc_run_parts {
    rc_over_ranks part[RC_P_COUNT];
    rc_over_ranks attention_alone[RC_RUN_STEPS]; /* of ring step J, without messages */
    rc_over_ranks message_alone[RC_RUN_STEPS];   /* the message of ring step J, without attention */
    int calls[RC_P_COUNT];                       /* forecast: ops of GPU 0 */
} rc_run_parts;
/* Whether `part` is one of a run's parts, "norm" or "send-recv-alone-2"; then its figure. */
bool rc_run_part_find(rc_run_parts *p, const char *part, rc_over_ranks **out);
/* What stands for a part on all ranks: the mean of them; of communication, in which a rank waits
 * for the others, the least. NAN when nobody has it. */
double rc_over_ranks_value(const rc_over_ranks *o, bool communication);
struct rc_sim;
/* Adds the ops of a simulated pass, by part. */
void rc_run_parts_simulated(rc_run_parts *p, const rc_program *program, const struct rc_sim *sim);

typedef struct rc_measured_run { /* one case on one transport */
    char name[64], transport[24], machine[48];
    const rc_schedule *schedule;
    bool decode; /* steps of a decode, else a prefill */
    int cp, tp, hq, hkv, layers;
    int64_t t, p, batch, width, ffn; /* heads and ffn: on one GPU */
    bool graph;
    int sms, ctas;
    double measured, p10, p90; /* s; the slowest rank of a pass */
    double time[RC_METHODS];   /* predicted, s; NAN where it could not be, and `why` says so */
    double p5, p95;            /* of the simulated time; NAN: nobody drew */
    double transferred;        /* share of the simulated path that rests on another part's rows */
    double sm_mhz;             /* clock while it ran; NAN: not known */
    double forecast_mhz;       /* clock that the forecast rests on; NAN: it has none */
    rc_run_parts *parts;       /* [2]: as measured, as forecast; owned. NULL: nobody asked */
    rc_run_set set;
    int folder; /* that it was read from: runs of one host */
    char why[256];
} rc_measured_run;

enum { RC_RUN_FOLDERS = 64 };
typedef struct rc_runs {
    rc_measured_run *v;
    size_t n, room;
    int folders;                     /* read so far */
    char folder[RC_RUN_FOLDERS][48]; /* the last part of each one's path */
    double scale[RC_METHODS];        /* that a baseline's times were multiplied by; 0: by nothing */
} rc_runs;

void rc_runs_free(rc_runs *r);
/* One sequence of a case with t new and p cached tokens, as a forecast must say it: a ring writes
 * the key of a decoded token, but does not attend to it. */
rc_sequence rc_run_sequence(bool decode, int64_t t, int64_t p);
/* Add the whole-pass rows of a results file. */
rc_status rc_runs_parse(rc_runs *r, const char *name, const char *text, size_t size, rc_error *err);
/* Add all *.csv of a folder, in the order of their names. */
rc_status rc_runs_read(rc_runs *r, const char *folder, rc_error *err);
/* A list of cases says which set they are in: a CSV file with a column `case`. A run that is in
 * neither list, or in both, is RC_E_INPUT. */
rc_status rc_runs_assign(rc_runs *r, const char *const *seen, size_t seen_count,
                         const char *const *unseen, size_t unseen_count, rc_error *err);
typedef struct rc_predict_options {
    const char *const *stores; /* of each folder of runs, in their order; one: of all; none: the
                                  built-in rows */
    size_t store_count;
    int draws;                     /* for p5 and p95; 0: none */
    unsigned without;              /* rc_mechanism bits */
    const rc_model_errors *errors; /* that intervals are widened by; NULL: the machine's own */
    bool alone; /* parts of ring steps without each other, too: another pass for each run */
    struct rc_spans
        *spans; /* gets the timelines of forecasts of runs whose name is like, or NULL */
    const char *like;
} rc_predict_options;
/* The mechanism of the model that `name` ("waves") is, added to *bits; RC_E_USAGE names them all
 * when it is none. */
rc_status rc_mechanism_find(const char *name, unsigned *bits, rc_error *err);
/* Fill time[], p5 and p95 of every run. A case that cannot be predicted (no rows) keeps NAN and its
 * reason; that is not an error here. RC_E_USAGE when there are neither 0, 1 nor as many stores as
 * folders. */
rc_status rc_runs_predict(rc_runs *r, const rc_predict_options *o, rc_error *err);
/* Multiply each baseline by the one constant that is best for the seen runs, the median of measured
 * over predicted, so that data-sheet rates that nobody reaches do not speak against it. Where no
 * run is seen: the constant of all runs, which flatters it. */
rc_status rc_runs_fit_baselines(rc_runs *r, rc_error *err);

/* ---- how good ------------------------------------------------------------------------------ */
typedef struct rc_accuracy {
    size_t n;                   /* cases with a prediction */
    double median_pct, p95_pct; /* of |predicted / measured - 1| */
    double mean_pct;            /* mean of the signed error */
    int winners_right, winners_total;
    int inside, drawn; /* runs between p5 and p95, of those that have them */
} rc_accuracy;
/* Pass-KV and pass-Q of one shape whose measured times differ by more than 3 %: is the faster one
 * predicted faster? `set` < 0: both; `transport`, `regime` NULL: all. Regimes: prefill, decode, tp.
 */
rc_accuracy rc_runs_accuracy(const rc_runs *r, rc_method m, int set, const char *transport,
                             const char *regime);
const char *rc_run_regime(const rc_measured_run *x);
rc_pass_kind rc_run_kind(const rc_measured_run *x);
enum { RC_RUN_REGIMES = 3, RC_RUN_TRANSPORTS = 8 };
extern const char *const rc_run_regimes[RC_RUN_REGIMES];
/* Transports that occur, in the order in which they do; RC_RUN_TRANSPORTS at the most. */
size_t rc_runs_transports(const rc_runs *r, const char **out);
/* Whether it is a prefill by this schedule. */
bool rc_run_is(const rc_measured_run *x, const rc_schedule *s);

/* Where pass-KV and pass-Q change places, by new tokens. */
typedef struct rc_crossover {
    const rc_measured_run *first; /* any run of the series */
    double measured, predicted;   /* new tokens; NAN when they do not cross */
    double known; /* how well the measured one is known, of it: where the medians of the runs may be
                     off by as much as is allowed, the lines may meet so far away */
    bool apart;   /* measured times of all T are further apart than that: they do not cross */
} rc_crossover;
/* Whether the runs tell, whatever is predicted, where they cross, to 10 %, or that they do not. */
bool rc_crossover_resolved(const rc_crossover *c);
/* Whether both cross, within 10 % of each other, or neither does. */
bool rc_crossover_right(const rc_crossover *c);
/* At most `room` series that have both schedules at two or more T; returns how many. */
size_t rc_runs_crossovers(const rc_runs *r, rc_crossover *out, size_t room);

typedef struct rc_limits { /* per cent, of the unseen set when there is one, else of all */
    double median_pct, p95_pct;
} rc_limits;
rc_status rc_runs_print(const rc_runs *r, FILE *f, rc_error *err);
rc_status rc_runs_csv(const rc_runs *r, FILE *f, rc_error *err); /* a row a run */
/* `path` "-": to the standard output. */
rc_status rc_runs_json(const rc_runs *r, const char *path, bool overwrite, rc_error *err);
/* DIR/validation.{png,svg}; *drawn false without gnuplot. */
rc_status rc_runs_plot(const rc_runs *r, const char *dir, bool overwrite, bool *drawn,
                       rc_error *err);
/* RC_E_CHECK, naming what fell short, when a limit is not kept. */
rc_status rc_runs_check(const rc_runs *r, const rc_limits *l, rc_error *err);

/* ---- why ------------------------------------------------------------------------------------- */
/* Each run whose name `pattern` (fnmatch) takes: its parts beside those of the forecast, in the
 * order of a layer, the first that they part at, and the clocks. RC_E_INPUT when no run has such a
 * name. */
rc_status rc_runs_explain(const rc_runs *r, const char *pattern, FILE *f, rc_error *err);
/* Forecast over run by part, transport and regime, over the runs that `pattern` takes. */
rc_status rc_runs_explain_parts(const rc_runs *r, const char *pattern, FILE *f, rc_error *err);

/* ---- drawing cases ------------------------------------------------------------------------- */
typedef struct rc_draw {
    int cases;             /* for each number of GPUs; one more where the last shape is a pair */
    const int *ranks;      /* numbers of GPUs: 1, 2, 4, 8 */
    size_t count;          /* of them */
    const char *transport; /* "nvlink", "shm", "socket": bounds the sizes, and is in the names */
    uint64_t seed;         /* the same one gives the same file */
    double longest;        /* s that a pass takes at the most, about: 1e-3 to 1 */
    const char *prefix;    /* of the names, 1 to 8 small letters: lists that are judged together
                              need other ones */
} rc_draw;
/* A case file of `ringcast-calib ring`; random_cases.c says what is drawn. Cases of one
 * communicator stand together, pass-KV before the pass-Q of its shape. */
rc_status rc_draw_cases(const rc_draw *d, const char *path, bool overwrite, rc_error *err);

/* ---- from one part to another ---------------------------------------------------------------- */
typedef struct rc_cross_op {
    char op[24];
    size_t n;
    double median_pct, p95_pct, bias_pct;
} rc_cross_op;
enum { RC_CROSS_OPS = 24 };
typedef struct rc_cross {
    rc_cross_op op[RC_CROSS_OPS];
    size_t ops;
    rc_cross_op all;
} rc_cross;
/* Measured rows of machine `to`, predicted from rows of machine `from` by the ratios of both parts'
 * published rates (scenarios/machines/FROM.yaml, TO.yaml). */
rc_status rc_cross_predict(const char *store, const char *from, const char *to, rc_cross *out,
                           rc_error *err);

#endif
