/* Internal to the report room: the plan behind the rows. A row is a quantity of one or more jobs; a
 * job is one forward pass; equal jobs are simulated once.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_REPORT_PAPER_INTERNAL_H
#define RC_REPORT_PAPER_INTERNAL_H
#include "sim/choose/choose.h"
#include "sim/forward/forward.h"
#include "sim/report/paper.h"

enum {
    RC_PAPER_GTT,
    RC_PAPER_GTI,
    RC_PAPER_ROOMY, /* GTT with memory for anything: the introduction's 1M on one node */
    RC_PAPER_MACHINES
};

enum { RC_PAPER_MAX_BATCH = 4096, RC_JOB_NONE = -1, RC_PAPER_TOTAL = 128000 };
/* Two variants nearer than this are a tie: the paper's own repeats differ by as much. */
#define RC_PAPER_TIE 0.015

typedef struct rc_job {
    int machine, tp, cp;
    const rc_schedule *schedule;
    rc_phase phase;
    int64_t t, p;
    int batch;
    bool draws;       /* wants p5 and p95 */
    rc_status status; /* RC_OK, or why there is no result (RC_E_NOFIT, RC_E_UNMODELLED) */
    char why[160];
    rc_forward result;
} rc_job;

typedef enum rc_quantity {
    RC_Q_NONE, /* nothing to predict */
    RC_Q_TIME,
    RC_Q_ATTN_OP,
    RC_Q_ATTN_RING,
    RC_Q_SENDRECV,
    RC_Q_SENDRECV_RING,
    RC_Q_ALL2ALL,
    RC_Q_WHOLE,
    RC_Q_RATIO,      /* job 0 / job 1 */
    RC_Q_GAP,        /* |job 0 - job 1| over the smaller */
    RC_Q_SCALING,    /* (job 0 / job 1) / (job 2 / job 3) */
    RC_Q_FLOP_RATE,  /* appendix A: FLOP/s per GPU of job 0 */
    RC_Q_EFFICIENCY, /* that over the standalone attention rate */
    RC_Q_MFU,        /* that over the machine's bf16 peak */
    RC_Q_ATTENTION,  /* FLOP/s of one standalone causal attention launch of 8K tokens */
    RC_Q_TIPPING,    /* T at which pass-KV and pass-Q tie, CP4, P + T = 128000 */
    RC_Q_FIELD,      /* a number of the machine file */
    RC_Q_CONSTANT
} rc_quantity;

enum { RC_PLAN_JOBS = 4 };
typedef struct rc_plan {
    rc_quantity quantity;
    int job[RC_PLAN_JOBS];
    int job_1024; /* with K = 1024; RC_JOB_NONE where the paper says what K is */
    int machine;
    const char *field; /* FIELD; static */
    double constant;
    double scale; /* base unit to the row's unit */
} rc_plan;

/* Jobs of the plots, -1 where there is none. */
enum {
    RC_FIG_CONTEXTS = 7,
    RC_FIG6A_CPS = 4,
    RC_FIG6B_CPS = 3,
    RC_FIG7_NODES = 4,
    RC_FIG8_CONTEXTS = 4,
    RC_FIG9_POINTS = 33,
    RC_FIG10_T = 20,
    RC_FIG10_M = 16
};
typedef struct rc_figures {
    int fig6a[RC_FIG6A_CPS][RC_FIG_CONTEXTS], fig6b[RC_FIG6B_CPS][RC_FIG_CONTEXTS];
    int fig7_cp[RC_FIG7_NODES], fig7_tp[RC_FIG7_NODES];
    int fig8[2][RC_FIG8_CONTEXTS];
    int fig9[RC_FIG9_POINTS][2];
    int fig10[RC_FIG10_T][RC_FIG10_M][2];
} rc_figures;
extern const int64_t rc_fig_contexts[RC_FIG_CONTEXTS];
extern const int64_t rc_fig8_contexts[RC_FIG8_CONTEXTS];
extern const int rc_fig_nodes[RC_FIG7_NODES]; /* 1, 2, 4, 8: also the CP sizes of Fig. 6 */
double rc_fig10_t(int i);
double rc_fig10_miss(int i);

/* What the paper's own repeats scatter by, by kind of figure: paper_scatter.c. */
typedef enum rc_paper_kind {
    RC_PAPER_TTFT,
    RC_PAPER_TTIT,
    RC_PAPER_PART,
    RC_PAPER_KINDS
} rc_paper_kind;
typedef struct rc_paper_repeats {
    double sigma; /* standard deviation of ln(printed) of one occasion; 0 without a pair */
    int pairs;
} rc_paper_repeats;
/* RC_PAPER_KINDS for a row that is of none: a ratio, a rate. Parts of a layer are in us. */
rc_paper_kind rc_paper_kind_of(const rc_paper_row *r);
/* p5 and p95 of forecasts become those of what would be printed; `out`: the scatter of all pairs. */
rc_status rc_paper_widen(rc_paper_row *rows, size_t count, rc_paper_repeats out[RC_PAPER_KINDS],
                         rc_error *err);

struct rc_paper {
    rc_paper_options options;
    rc_model model;
    rc_machine machine[RC_PAPER_MACHINES];
    rc_costs *costs[RC_PAPER_MACHINES];
    rc_paper_row *rows;
    rc_plan *plans; /* beside rows */
    size_t count, room;
    rc_job *jobs;
    size_t job_count, job_room;
    rc_figures figures;
    double *drawn; /* times of the draws, options.draws of each job; NULL: not kept. For figures */
    bool failed;   /* out of memory while planning */
    rc_paper_summary summary;
    rc_paper_repeats repeats[RC_PAPER_KINDS];
};

/* ---- planning: paper_open.c, paper_plan.c, paper_tables.c, paper_points.c, paper_figures.c -- */
/* Index of the job, added when it is new; RC_JOB_NONE when out of memory. */
int rc_paper_job(rc_paper *p, const rc_job *want);
/* `s` where there is more than one rank. */
rc_job rc_job_prefill(int machine, int tp, int cp, const rc_schedule *s, int64_t t, int64_t cached);
/* The name of the row's schedule; "" when it is about none. */
const char *rc_paper_variant(const rc_paper_row *r);
rc_job rc_job_decode(int machine, int tp, int cp, int64_t context, int batch);
/* A new row and its plan, to be filled; both NULL when out of memory. */
rc_paper_row *rc_paper_add(rc_paper *p, rc_plan **plan);
/* "CP4+TP8" -> 8, 4 and "cp4"; "TP16" -> 16, 1 and "tp16". */
rc_status rc_paper_config(const char *text, int *tp, int *cp, char *id, size_t size, rc_error *err);
rc_status rc_paper_read_tables(rc_paper *p, rc_error *err);
rc_status rc_paper_read_points(rc_paper *p, rc_error *err);
rc_status rc_paper_data_path(const rc_paper *p, const char *name, char *out, size_t size,
                             rc_error *err);
void rc_paper_plan_figures(rc_paper *p);
/* Duplicates and fitted rows, from the plans and the machine files; checks the ids named there. */
rc_status rc_paper_mark(rc_paper *p, rc_error *err);
int rc_paper_find(const rc_paper *p, const char *id); /* index of a row, or -1 */

/* ---- evaluation: paper_eval.c ---------------------------------------------------------------- */
/* Run the jobs that `wanted` marks (NULL: all) under `costs`; with draws as the jobs ask, or none.
 */
rc_status rc_paper_run_jobs(rc_paper *p, const rc_costs *const costs[RC_PAPER_MACHINES],
                            const bool *wanted, bool draws, rc_error *err);
/* The value of a row from finished jobs, in the row's unit; NaN when a job has no result. */
rc_status rc_paper_value(const rc_paper *p, const rc_costs *const costs[RC_PAPER_MACHINES],
                         size_t row, double *out, rc_error *err);
/* Seconds of a job; NaN for RC_JOB_NONE and when it has no result. */
double rc_paper_time(const rc_paper *p, int job);
/* Appendix A: GEMM 2 W T, attention 4 x 1/2 T^2 D x layers. */
double rc_paper_gemm_flops(const rc_model *m, double t);
double rc_paper_attention_flops(const rc_model *m, double t);

/* ---- the fit: paper_refit.c ------------------------------------------------------------------- */
typedef enum rc_refit_rows {
    RC_REFIT_OWN,      /* fitted on rows that the machine file names for it */
    RC_REFIT_BORROWED, /* none of them left: on all times of the rows left that it moves */
    RC_REFIT_STATED    /* it moves none of those: the value stated beside the fit */
} rc_refit_rows;
typedef struct rc_refit {
    rc_machine machine; /* GTT with the values found, and their 90 % intervals */
    rc_refit_rows from[RC_MAX_FITTED];
    double rms; /* residual, log space */
    size_t rows;
    int evaluations;
} rc_refit;
/* Fit the parameters of `start`, GTT as it is else, again to the rows that they name, but for those
 * that `left_out` marks (one flag a row; NULL: none is). Changes results of p's jobs and nothing else of it. */
rc_status rc_paper_refit(rc_paper *p, const rc_machine *start, const bool *left_out, rc_refit *out,
                         rc_error *err);

/* ---- what fitting is worth: paper_neutral.c, paper_worth.c ------------------------------------ */
/* A number that was fitted to the paper, or a key that was chosen by looking at its rows. */
typedef struct rc_paper_neutral {
    const char *key, *value; /* as `machine.KEY=VALUE` */
    const char *why;         /* what the neutral value is */
    bool of_engine;          /* in the profile that GTI shares */
    const char *table;       /* that a choice was made by; NULL: a number that was fitted */
} rc_paper_neutral;
size_t rc_paper_neutral_count(void);
const rc_paper_neutral *rc_paper_neutral_at(size_t i);
/* How many of them are choices. */
int rc_paper_choices(void);
/* The machine file of this name with the neutral values that `takes` takes, and then the first
 * `set_count` of the caller's own what-ifs, which may so take one of them back. */
typedef bool (*rc_paper_takes)(const rc_paper_neutral *n, const void *ctx);
rc_status rc_paper_load_neutral(const rc_paper *p, const char *name, rc_paper_takes takes,
                                const void *ctx, size_t set_count, rc_machine *out, rc_error *err);
/* The machine file of this name under these what-ifs. */
rc_status rc_paper_load(const char *name, const char *const *sets, size_t set_count,
                        rc_machine *out, rc_error *err);
/* rc_paper_evaluate without draws, with another GTT. */
rc_status rc_paper_evaluate_as(rc_paper *p, const rc_machine *gtt, rc_error *err);

/* How well a rule does on Table 4, at the machine's peak and rate. */
typedef struct rc_rule_score {
    const char *rule;
    double c, bw;
    int right, rows;
} rc_rule_score;
enum { RC_RULE_SCORES = 5 };
rc_status rc_paper_rule_scores(const rc_paper *p, rc_rule_score out[RC_RULE_SCORES], rc_error *err);
rc_choose_input rc_paper_choose_input(const rc_paper *p, double t, double cached, double bw);

/* ---- writing --------------------------------------------------------------------------------- */
rc_status rc_paper_write_plots(const rc_paper *p, const char *dir, bool overwrite, FILE *log,
                               rc_error *err);
/* p5 and p95 of the time of one job over that of another, draw by draw; NaN where they are not known. */
void rc_paper_ratio_interval(const rc_paper *p, int over, int under, double *p5, double *p95);
extern const char *const rc_paper_plot_names[]; /* NULL-terminated file stems */
enum { RC_PAPER_TABLES = 6 };
extern const char *const rc_paper_table_names[RC_PAPER_TABLES + 1]; /* "4" .. "points", NULL */
/* Decimals that show four figures of v or so. */
int rc_paper_decimals(double v);

#endif
