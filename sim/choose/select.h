/* A tuned rule: thresholds on T, as a small table.
 *
 * `ringcast tune` finds, for one machine and model, the number of new tokens T* from which on one
 * way beats another, at several lengths T + P. Two questions are answered by such thresholds:
 *   which variant  on N CP ranks, pass-KV from T* on, pass-Q below;
 *   which degree   from one degree of the list to the next: more ranks from T* on.
 * Between the lengths, batches and degrees of the table T* is interpolated by straight lines.
 * Beyond the ends of the table, on another machine and for another model nothing is known. The
 * look-ups do not check that: they take T* at the nearest end. Call rc_select_covers first.
 * No logarithm is taken, so the same numbers give the same answer in C, in C++ and in any other
 * language with IEEE doubles. The header that `ringcast tune` writes contains the same code;
 * tests/unit/test_tune_header.sh checks that both give the same answers.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CHOOSE_SELECT_H
#define RC_CHOOSE_SELECT_H
#include "sim/base/json.h"
#include "sim/choose/choose.h"
#include "sim/model/model.h"

enum { RC_SELECT_KNOTS = 24, RC_SELECT_DEGREES = 8, RC_SELECT_BATCHES = 6, RC_SELECT_PRICES = 4 };

typedef struct rc_select_table {
    char name[96], machine[64], model[96];
    int tp;
    rc_dtype attn_weights, ffn_weights, kv;
    double fresh_from, fresh_to; /* T of one sequence, both ends included */
    int knots, degrees, batches, prices;
    double length[RC_SELECT_KNOTS]; /* T + P, rising */
    int degree[RC_SELECT_DEGREES];  /* CP ranks, rising; 1 is no CP */
    int batch[RC_SELECT_BATCHES];   /* equal sequences, rising */
    /* How much a rank costs: degrees are compared by time * ranks^price. 0: time alone. */
    double price[RC_SELECT_PRICES];
    /* T* of the variant at degree[i] (unused at degree 1), tokens of one sequence. */
    double variant[RC_SELECT_DEGREES][RC_SELECT_BATCHES][RC_SELECT_KNOTS];
    /* T* from which on degree[i+1] is better than all up to degree[i]. */
    double more[RC_SELECT_PRICES][RC_SELECT_DEGREES][RC_SELECT_BATCHES][RC_SELECT_KNOTS];
} rc_select_table;

/* Read what rc_select_json wrote. Errors name file, line and column. */
rc_status rc_select_load(const char *path, rc_select_table *out, rc_error *err);
rc_status rc_select_parse(const char *name, const char *text, size_t size, rc_select_table *out,
                          rc_error *err);
/* The table's own keys into `parent`; numbers to 10 digits, so round the table first. */
void rc_select_json(const rc_select_table *s, rc_json *j, json_t *parent);
/* Every threshold to 6 digits, which text and JSON then carry exactly. */
void rc_select_round(rc_select_table *s);

/* One decision that somebody wants from a table. */
typedef struct rc_select_query {
    const char *machine, *model;
    rc_dtype attn_weights, ffn_weights, kv;
    int tp, n; /* GPUs of a rank; CP ranks at hand */
    double t, p, batch;
} rc_select_query;
/* The table was tuned for this: its machine, model, types and TP, a degree, T, T + P and batch
 * within its ends. RC_E_INPUT says what is not, and what the table covers. `from`: where the table
 * stands, for the message; NULL: its name. */
rc_status rc_select_covers(const rc_select_table *s, const rc_select_query *q, const char *from,
                           rc_error *err);

/* T* of the variant, tokens of one sequence, at this length T + P, on n ranks. */
double rc_select_threshold(const rc_select_table *s, double length, double batch, int n);
/* On one rank the two variants are the same, and the answer is pass-KV. */
rc_choice rc_select_variant(const rc_select_table *s, double t, double p, double batch, int n);
/* The degree by price[price], at least `least` (what fits into memory; 1 when that is not known)
 * and at most `ranks`, of the table's degrees; its first when there is none between. */
int rc_select_degree(const rc_select_table *s, int price, double t, double p, double batch,
                     int least, int ranks);

#endif
