/* Tuning: which variant and how many CP ranks, for this machine and this model.
 *
 * The simulator gives the time of every way to run every cell of a grid (new tokens, length, batch)
 * on every CP degree: that is the oracle. Each published rule is scored against it, its
 * coefficients are refitted, and thresholds T*(T+P) are fitted for each degree and batch: the tuned
 * rule (sim/choose/select.h), a table small enough for a header.
 *
 * Half of the cells, drawn by the seed, are for fitting ("train"); every figure is given for the
 * other half ("test"), too. Regret is the time of what the rule picks over the time of the faster
 * of pass-KV and pass-Q, less one. Cells of which a variant does not fit into memory are left out
 * of the variant's score and counted.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TUNE_TUNE_H
#define RC_TUNE_TUNE_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "sim/trace/trace.h"
#include "sim/base/doc.h"
#include "sim/choose/alternatives.h"
#include "sim/choose/select.h"
#include "sim/forward/forward.h"

enum { RC_TUNE_KV, RC_TUNE_Q, RC_TUNE_GATHER, RC_TUNE_VARIANTS };
/* The schedule behind each: the two that the rules choose between, then the first of the others
 * that prefills on several ranks. */
const rc_schedule *rc_tune_schedule(int variant);
enum { RC_TUNE_RULES = 16, RC_TUNE_MODELS = 6, RC_TUNE_TRACES = 4, RC_TUNE_POLICIES = 10 };
enum { RC_TUNE_CROSSINGS = 24, RC_TUNE_VARIATIONS = 40, RC_TUNE_MEASURED = 4096 };

typedef struct rc_tune_axis { /* log-spaced whole numbers, both ends included */
    int64_t from, to;
    int points;
} rc_tune_axis;

typedef struct rc_tune_scenario {
    char name[64], description[256];
    rc_model model;
    rc_machine machine;
    rc_layout layout; /* cp is not used */
    int degree[RC_SELECT_DEGREES], degrees;
    int batch[RC_SELECT_BATCHES], batches;
    double price[RC_SELECT_PRICES];
    int prices;
    rc_tune_axis fresh, total; /* T; T + P */
    int knots, bootstrap;
    int draws; /* of the costs, for the expected regret; 0: none */
    uint64_t seed;
    char measured[512]; /* "" or a file of measured times */
    int measured_cp;
    int64_t sensitivity_total; /* 0: no sensitivity */
    int sensitivity_cp;
    char sensitivity_model[RC_TUNE_MODELS][512]; /* paths */
    int sensitivity_models;
    char request_file[RC_TUNE_TRACES][512];
    int request_files;
    int64_t request_limit;            /* 0: all; else so many, evenly spaced */
    rc_trace_options request_options; /* of those that are traces */
} rc_tune_scenario;

/* Keys: docs/scenarios.md. `sets` as of rc_scenario_load. */
rc_status rc_tune_scenario_load(const char *path, const char *const *sets, size_t set_count,
                                rc_tune_scenario *out, rc_error *err);
rc_status rc_tune_scenario_read(rc_doc *doc, const char *const *sets, size_t set_count,
                                rc_tune_scenario *out, rc_error *err);

typedef struct rc_tune_cell {
    int64_t t, p; /* of each of `batch` equal sequences */
    int batch;    /* index into the scenario's list */
    bool train;
} rc_tune_cell;

typedef struct rc_tune_score { /* of one rule on one half, were all costs as estimated */
    size_t points;
    double hit_rate; /* picks the faster one */
    double mean_pct, p95_pct, worst_pct;
    double mean_ms, p95_ms, worst_ms;
} rc_tune_score;

/* Of one rule over draws of the costs, %: the mean over the comparisons that no fit has seen, as a sample of
 * `points` shows it, in the mean of the draws, and what it is at most in 95 of 100 draws. NaN: not
 * asked for. */
enum { RC_TUNE_DRAWN = 512 }; /* comparisons of the sample, at most */
typedef struct rc_tune_expectation {
    double mean_pct, p95_pct;
    size_t points;
} rc_tune_expectation;

enum { RC_TUNE_TEST, RC_TUNE_TRAIN, RC_TUNE_SPLITS };

typedef enum rc_tune_origin { RC_TUNE_PUBLISHED, RC_TUNE_REFIT, RC_TUNE_TABLE } rc_tune_origin;

/* Which BW a rule takes: its own, or that of the links between the ranks at hand. */
typedef enum rc_tune_bw { RC_TUNE_BW_OWN, RC_TUNE_BW_STATED, RC_TUNE_BW_ACHIEVED } rc_tune_bw;

typedef struct rc_tune_rule {
    char name[48];
    rc_tune_origin origin;
    rc_rule rule; /* not of the table */
    double c,
        bw; /* FLOP/s and bytes/s of one GPU; 0 where the rule takes none. Of a published rule at
                     the largest degree */
    rc_tune_bw of;          /* a published rule's at the others */
    double low[3], high[3]; /* refit: 90 % by bootstrap, of bw or of alpha, beta, gamma */
    rc_tune_score score[RC_TUNE_SPLITS];
    rc_tune_expectation expected;
    int table_hits, table_rows;     /* on the measured times */
    double table_mean, table_worst; /* regret there, % */
} rc_tune_rule;

typedef struct rc_tune_measured {
    double t, p, pass_kv, pass_q; /* tokens; s */
    int n;
} rc_tune_measured;

typedef struct rc_tune_policy { /* degree and variant together, at one price */
    char name[48];
    double regret_pct, p95_pct, worst_pct; /* of time * ranks^price, over the oracle's */
    double latency, gpu_seconds;           /* geometric means over the oracle's of latency */
    size_t points;
} rc_tune_policy;

typedef struct rc_tune_served { /* a policy over all requests of a file, without queueing */
    const char *policy;         /* static */
    double price;               /* NaN where it plays no part */
    double gpu_seconds;         /* sum of time x GPUs */
    double mean, p50, p95;      /* s, of the time of one request */
    double cp_share, q_share;   /* of the requests: on more than one rank; by pass-Q */
} rc_tune_served;

typedef struct rc_tune_requests {
    char name[96];
    size_t requests, dropped; /* dropped: fit on no degree */
    size_t outside;           /* left out: the tuned rule does not cover them */
    double q_share;           /* where pass-Q is faster, were all run on the largest degree */
    rc_tune_served row[RC_SELECT_PRICES * RC_TUNE_POLICIES];
    int rows;
} rc_tune_requests;

typedef struct rc_tune_crossing {
    double length, t; /* t: NaN when there is none */
    int side;         /* 0: a crossing; else the variant that wins everywhere, +1 pass-KV, -1 */
} rc_tune_crossing;

typedef struct rc_tune_variation {
    const char *what; /* static: "bandwidth", "ranks", ... */
    char label[96];
    double x, t, algorithm_1; /* T* by the simulator and by Algorithm 1; NaN: none */
    int side;
} rc_tune_variation;

typedef struct rc_tune {
    rc_tune_scenario s;
    rc_costs *costs;
    rc_tune_cell *cells;
    size_t count;
    double *time; /* s: [cell][degree][variant], NaN where it does not fit; see rc_tune_time_at */
    size_t passes;
    double rests[RC_BASIS_COUNT]; /* share of the passes' time by what its costs rest on */
    rc_select_table table;
    double table_low[RC_SELECT_DEGREES][RC_SELECT_KNOTS]; /* batch[0], 90 % by bootstrap */
    double table_high[RC_SELECT_DEGREES][RC_SELECT_KNOTS];
    rc_choose_rates rates[RC_SELECT_DEGREES]; /* at each degree */
    rc_tune_rule rule[RC_TUNE_RULES];
    int rules;
    rc_tune_policy policy[RC_SELECT_PRICES][RC_TUNE_POLICIES];
    int policies;
    rc_tune_crossing crossing[RC_SELECT_DEGREES][RC_TUNE_CROSSINGS];
    rc_tune_variation variation[RC_TUNE_VARIATIONS];
    int variations;
    rc_tune_measured *measured;
    size_t measured_count;
    size_t not_fitting; /* cell x degree (above 1) where pass-KV or pass-Q does not fit */
    size_t lines;       /* of cells along T at one length, batch and degree above 1 */
    size_t ambiguous; /* of these, where the winner changes more than once: no threshold is right */
    rc_tune_requests requests[RC_TUNE_TRACES];
    int request_files;
    int variants;                     /* evaluated: 3 with all-gather, 2 without */
    double gather_share, gather_gain; /* all-gather fastest of three: share; mean gain there */
    int threads;
} rc_tune;

/* Everything. The caller frees with rc_tune_free, also on failure. */
rc_status rc_tune_run(const rc_tune_scenario *s, const char *store, const char *measured,
                      int threads, rc_tune *out, rc_error *err);
void rc_tune_free(rc_tune *t);

double rc_tune_time_at(const rc_tune *t, size_t cell, int degree, int variant);
/* What a rule of this run picks. */
rc_choice rc_tune_decide(const rc_tune *t, const rc_tune_rule *r, double fresh, double cached,
                         int batch, int n);

/* ---- writing ---------------------------------------------------------------------------- */

rc_status rc_tune_print(const rc_tune *t, FILE *f, rc_error *err);
rc_status rc_tune_csv(const rc_tune *t, FILE *f, rc_error *err); /* the scores of the rules */
rc_json *rc_tune_document(const rc_tune *t); /* NULL when out of memory: rc_json_finish says so */
/* ringcast_select.h */
void rc_tune_header(const rc_tune *t, FILE *f);
/* DIR: summary.json, select.json, ringcast_select.h, grid.csv, plots. */
rc_status rc_tune_write(const rc_tune *t, const char *dir, bool plots, bool overwrite, FILE *log,
                        rc_error *err);
/* To be asked before the work: RC_E_IO when one of them is there already and may not be replaced,
 * or cannot be written. Creates the folder. */
rc_status rc_tune_may_write(const char *dir, bool plots, bool overwrite, rc_error *err);

#endif
