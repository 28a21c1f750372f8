/* `ringcast paper`: every table and stated point of arXiv 2411.01783v3, predicted and compared.
 *
 * The order of things is the guarantee: the data files give each row its configuration, the
 * simulator predicts it, and only then is the paper's value subtracted. A prediction never sees a
 * value. What a machine file was fitted on it says itself, row by row, and such rows are kept apart
 * as `fitted`.
 *
 * Row ids, by which a machine file names the rows a parameter was fitted on:
 *   t4:kv:T  t4:q:T                       Table 4, T new tokens (t4:kv:3200)
 *   t5:kv:T:METRIC  t5:q:T:METRIC         Table 5; sendrecv, attn, all2all (pass-Q only)
 *   t6:CONFIG:CONTEXT:METRIC              Table 6; tp8, cp2; 8K, 32K, 128K; ttft, ttit
 *   t7:CONFIG:METRIC                      Table 7; cp1, cp2, tp16, cp4, tp32; ttft, ttit
 *   t7:tp16_over_cp2  t7:tp32_over_cp4    ratios of Table 7's own TTFTs
 *   t8:CONTEXT:BATCH:CONFIG:METRIC        Table 8; tp8, cp2, cp4; attn_op, attn_ring, sendrecv,
 *                                         all2all, whole (zeros of the table have no row)
 *   pt:ID                                 points.csv (pt:ttft_cp8_128k)
 *
 * Fitted means: the row is named by a parameter, or it is the same simulated quantity as one that
 * is, or it is computed from one (ratios, MFU), or it is an input of the machine file. Two rows
 * that print the same measurement twice are evaluated twice and counted once: the later is a
 * duplicate.
 *
 * K is 1000 and M 10^6 everywhere; the summary shows the error that K = 1024 would give beside it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_REPORT_PAPER_H
#define RC_REPORT_PAPER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "sim/base/error.h"
#include "sim/base/json.h"
#include "sim/machine/machine.h"
#include "sim/schedule/schedule.h"

typedef enum rc_paper_role {
    RC_ROLE_COMPARED, /* a measured figure: fitted or predicted                           */
    RC_ROLE_APPROX,   /* stated as "about" or "roughly"                                   */
    RC_ROLE_BOUND,    /* stated as "below": no error is computed                          */
    RC_ROLE_INPUT     /* what the machine file or the rules start from; counts as fitted  */
} rc_paper_role;
const char *rc_paper_role_name(rc_paper_role r);

typedef struct rc_paper_row {
    char id[40], table[12]; /* "4" .. "8", "points" */
    char config[24], context[12];
    int64_t p, t;                /* tokens; -1 where they have no meaning */
    const rc_schedule *schedule; /* NULL: the row is about none */
    char metric[24], unit[12];
    double paper, predicted; /* NaN: not stated, not predicted */
    double p5, p95;   /* of what the paper would print (paper_scatter.c); NaN: none is computed */
    double error_pct; /* 100 (predicted / paper - 1) */
    bool fitted;
    /* not part of the printed row: */
    rc_paper_role role;
    bool scored;           /* TTFT and TTIT rows that the summary runs over */
    int duplicate_of;      /* index of the row that holds the same measurement; -1: none */
    double predicted_1024; /* the same row with K = 1024; NaN where the paper says what K is */
    char note[160];
} rc_paper_row;

/* How many printed figures lie in their p5..p95, and how wide these are. */
typedef struct rc_paper_coverage {
    int rows, covered;
    double width; /* mean of ln(p95 / p5) */
    double
        asked; /* what 90 % would take: 3.29 times the root mean square of ln(predicted / paper) */
} rc_paper_coverage;

typedef struct rc_paper_summary {
    double ttft_mape_predicted, ttft_max_predicted, ttft_mape_all; /* percent */
    double ttft_mape_fitted;
    double ttit_mape_predicted, ttit_mape_all;
    double table5_mape, table8_whole_mape, table8_mape;
    double k1024_ttft_mape_predicted, k1024_ttft_mape_all;
    int ttft_rows_predicted, ttft_rows_all, ttit_rows_predicted, ttit_rows_all;
    int winners_right, winners_total; /* Table 4, rows whose gap exceeds 1.5 % */
    int winners_right_all, winners_total_all;
    int covered, with_interval; /* scored rows whose paper value lies in p5..p95 */
    rc_paper_coverage cover_ttft, cover_ttit,
        cover_table8;      /* predicted TTFT rows; all of the others */
    int fitted_parameters; /* numbers ... */
    int choices;           /* ... and keys chosen by looking at rows */
    double wall_s; /* shown by --stats; no file holds it, so that the same inputs give the same
                      bytes */
} rc_paper_summary;

/* The arithmetic of the summary over any rows; leaves fitted_parameters, choices and wall_s alone. */
void rc_paper_summarise(const rc_paper_row *rows, size_t count, rc_paper_summary *out);

typedef struct rc_paper_options {
    const char *store;       /* calibration database; NULL: the embedded one */
    const char *data;        /* folder of the data files; NULL: scenarios/paper/data of the share */
    const char *const *sets; /* "machine.key=value", applied to the GTT machine */
    size_t set_count;
    bool unfitted; /* both machines with neutral values in place of all that was fitted or chosen */
    int draws;     /* behind p5 and p95 */
    uint64_t seed;
    int threads;         /* 0: one per core */
    bool figures;        /* also what the plots need */
    const char *version; /* of the program; borrowed */
} rc_paper_options;

typedef struct rc_paper rc_paper;
/* Read model, machines, costs and data; nothing is predicted yet. A row id in a machine file that
 * does not exist is RC_E_INPUT. Freed with rc_paper_close (NULL is fine). */
rc_status rc_paper_open(const rc_paper_options *o, rc_paper **out, rc_error *err);
void rc_paper_close(rc_paper *p);
rc_status rc_paper_evaluate(rc_paper *p, rc_error *err);

/* After rc_paper_evaluate. `brief`: the summary alone; `stats`: with the wall time. */
rc_status rc_paper_print(const rc_paper *p, bool brief, bool stats, FILE *f, rc_error *err);
rc_status rc_paper_csv(const rc_paper *p, FILE *f, rc_error *err);
rc_status rc_paper_json(const rc_paper *p, FILE *f, rc_error *err);
/* To be asked before the work: RC_E_IO when one of the outputs is there already and may not be
 * replaced, or cannot be written. Creates the folder. */
rc_status rc_paper_may_write(const char *dir, bool plots, bool overwrite, rc_error *err);
/* table4.csv .. table8.csv, points.csv, summary.json and, when asked, plots/. `log` hears what was
 * left out (no gnuplot); it may be NULL. */
rc_status rc_paper_write(const rc_paper *p, const char *dir, bool plots, bool overwrite, FILE *log,
                         rc_error *err);

/* Table 4's ratio of pass-Q to pass-KV beside that of runs of `ringcast-calib ring`, the *.csv of
 * folder `runs`: a table, where each crosses 1, and in folder `dir` (NULL: no picture) table4.png
 * and .svg. A run that is no row of Table 4 is RC_E_INPUT. After rc_paper_evaluate; whether the
 * picture may be written is asked before. */
rc_status rc_paper_real_may_write(const char *dir, bool overwrite, rc_error *err);
rc_status rc_paper_real(const rc_paper *p, const char *runs, const char *dir, bool overwrite,
                        FILE *f, rc_error *err);

/* Refit the GTT machine's fitted parameters to the rows they name, and print the `fitted:` section.
 */
rc_status rc_paper_fit(rc_paper *p, FILE *f, rc_error *err);

/* What each fitted number, and each choice made by looking at rows, is worth: errors with it at its
 * neutral value. After rc_paper_evaluate, whose results are gone then. */
rc_status rc_paper_worth(rc_paper *p, bool csv, FILE *f, rc_error *err);

/* Fit again without the rows of table `which` ("4" .. "8", "points"; "all": of each in turn), and
 * print the parameters, the left-out rows as predicted so, and their errors; `csv`: the rows alone.
 * After rc_paper_evaluate. RC_E_USAGE for another name. */
rc_status rc_paper_leave_out(rc_paper *p, const char *which, bool csv, FILE *f, rc_error *err);

#endif
