/* Internal to the tune room.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TUNE_TUNE_INTERNAL_H
#define RC_TUNE_TUNE_INTERNAL_H
#include "sim/tune/tune.h"

/* ---- times: grid_times.c ------------------------------------------------------------------- */

typedef struct rc_tune_timer { /* times forward passes; each thread has its own */
    const rc_model *model;
    const rc_costs *costs;
    rc_layout layout;
    rc_forward_ctx *ctx; /* owned */
    rc_sequence *seqs;   /* room for the largest batch; owned */
    size_t room;
    double rests[RC_BASIS_COUNT]; /* s of all passes timed so far, by what their costs rest on */
} rc_tune_timer;

rc_status rc_tune_timer_open(const rc_model *model, const rc_costs *costs, const rc_layout *layout,
                             int max_batch, rc_tune_timer *out, rc_error *err);
void rc_tune_timer_close(rc_tune_timer *c);
/* Seconds of a prefill; NaN where it does not fit into memory, or T is less than the ranks. */
rc_status rc_tune_timer_time(rc_tune_timer *c, int n, int variant, int64_t t, int64_t p, int batch,
                             double *out, rc_error *err);

/* What the tuned rule is asked; RC_E_INPUT says what it covers. */
rc_status rc_tune_covered(const rc_tune *t, double fresh, double cached, int batch, int n,
                          rc_error *err);

/* The cells, and all their times; t->rests of them. */
rc_status rc_tune_grid(rc_tune *t, rc_error *err);
rc_status rc_tune_evaluate(rc_tune *t, rc_error *err);
/* i-th of the axis. */
int64_t rc_tune_axis_at(const rc_tune_axis *a, int i);
int rc_tune_degree_index(const rc_tune *t, int n); /* -1: not of the list */

/* ---- frontiers: frontier.c --------------------------------------------------------------- */

typedef struct rc_fit_point {
    double t, length; /* tokens */
    double gain;      /* cost of the lower side over that of the upper, less one when above: the
                         relative cost of a mistake, positive where the upper side is right */
    double weight;    /* how often it counts; 1 unless resampled */
} rc_fit_point;

typedef struct rc_frontier {
    const double *length; /* [knots], borrowed */
    int knots;
    double lo, hi; /* T* is held inside */
    bool monotone; /* T* must not fall with the length */
    double *t;     /* [knots], the result; with `warm` also the start */
    bool warm;
} rc_frontier;

/* Thresholds of least mean regret: a logistic regression weighted by the cost of a mistake, then
 * the smoothed regret itself. GSL's error handler must be off (rc_tune_run sees to it). */
rc_status rc_frontier_fit(const rc_fit_point *points, size_t count, rc_frontier *f, rc_error *err);

/* ---- rules: rule_scores.c, refit.c -------------------------------------------------------- */

/* One comparison of pass-KV and pass-Q. */
typedef struct rc_tune_comparison {
    double t, p, kv, q; /* tokens; s */
    int n, batch, degree;
    bool train;
} rc_tune_comparison;

/* All cells and degrees where both fit. Caller frees *out. */
rc_status rc_tune_comparisons(const rc_tune *t, rc_tune_comparison **out, size_t *count,
                              rc_error *err);
/* At the largest degree. */
const rc_choose_rates *rc_tune_rates(const rc_tune *t);
rc_choose_input rc_tune_input(const rc_tune *t, double fresh, double cached, int n, double c,
                              double bw);
rc_status rc_tune_list_rules(rc_tune *t, rc_error *err);
rc_status rc_tune_refit(rc_tune *t, const rc_tune_comparison *comparisons, size_t count,
                        rc_error *err);
rc_status rc_tune_score_rules(rc_tune *t, const rc_tune_comparison *comparisons, size_t count,
                              rc_error *err);
/* Sorts `pct` and `ms`. */
rc_tune_score rc_tune_score_of(double *pct, double *ms, size_t n, size_t hits);

/* ---- regret under other costs: expected_regret.c ------------------------------------------- */

/* Adds the regret of the pick in each draw, %, to sum[draws]. */
void rc_tune_add_regret(const double *kv, const double *q, int draws, rc_choice pick, double *sum);
/* Of what each draw adds to `fit`, summed over so many points. Sorts `sum`. */
rc_tune_expectation rc_tune_expectation_of(double *sum, int draws, size_t points, double fit);
/* Times of both rings under each draw: out[RC_TUNE_KV] and out[RC_TUNE_Q], t->s.draws of each. Draw i is of the
 * same costs in every call. Called from several threads. */
typedef rc_status (*rc_tune_drawn)(const rc_tune *t, rc_forward_ctx *ctx,
                                   const rc_tune_comparison *d, double *const out[2],
                                   rc_error *err);
rc_status rc_tune_draw_times(const rc_tune *t, rc_forward_ctx *ctx, const rc_tune_comparison *d,
                             double *const out[2], rc_error *err); /* by the simulator */
/* Fills `expected` of all rules, which are scored. */
rc_status rc_tune_expect(rc_tune *t, const rc_tune_comparison *comparisons, size_t count,
                         rc_tune_drawn drawn, rc_error *err);

rc_status rc_tune_fit_table(rc_tune *t, rc_error *err); /* tuned_rule.c */

rc_status rc_tune_policies(rc_tune *t, rc_error *err); /* dynamic.c */
/* All policies over the cells of `t`, train or not; counts of *out but the first three are filled.
 */
rc_status rc_tune_serve(const rc_tune *t, rc_tune_requests *out, rc_error *err);
rc_status rc_tune_requests_all(rc_tune *t, rc_error *err); /* requests.c */
rc_status rc_tune_crossings(rc_tune *t, rc_error *err);    /* crossover.c */
rc_status rc_tune_sensitivity(rc_tune *t, rc_error *err);  /* sensitivity.c */
rc_status rc_tune_measured_read(rc_tune *t, const char *path, int cp, rc_error *err);
rc_status rc_tune_score_measured(rc_tune *t, rc_error *err); /* measured_times.c */
rc_status rc_tune_plots(const rc_tune *t, const char *dir, bool overwrite, FILE *log,
                        rc_error *err); /* tune_plots.c */

/* T* at one length, by Brent's method on the simulator; *side as rc_tune_crossing. */
rc_status rc_tune_cross(rc_tune_timer *c, int n, int64_t length, int64_t lo, int64_t hi,
                        double *out, int *side, rc_error *err);

#endif
