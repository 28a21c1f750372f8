/* Tables 4 to 8: one row of the report for each figure of the data files.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>
#include "sim/base/csv.h"
#include "sim/report/paper_internal.h"

enum { TP = 8 };
#define MAX_TOKENS ((int64_t)1 << 40)

typedef struct reader {
    rc_paper *p;
    const rc_csv *csv;
    rc_error *err;
} reader;

static rc_status cell_text(const reader *r, size_t row, const char *column, const char **out) {
    size_t col;
    RC_TRY(rc_csv_column(r->csv, column, &col, r->err));
    *out = rc_csv_text(r->csv, row, col);
    return RC_OK;
}

/* NaN for an empty cell. */
static rc_status cell_value(const reader *r, size_t row, const char *column, double *out) {
    size_t col;
    *out = NAN;
    RC_TRY(rc_csv_column(r->csv, column, &col, r->err));
    if (rc_csv_text(r->csv, row, col)[0] == '\0')
        return RC_OK;
    return rc_csv_quantity(r->csv, row, col, RC_DIM_COUNT, 0.0, 1e15, out, r->err);
}

static rc_status cell_int(const reader *r, size_t row, const char *column, int64_t *out) {
    size_t col;
    RC_TRY(rc_csv_column(r->csv, column, &col, r->err));
    return rc_csv_int(r->csv, row, col, 0, MAX_TOKENS, out, r->err);
}

static rc_status cell_batch(const reader *r, size_t row, int *out) {
    size_t col;
    int64_t batch;
    RC_TRY(rc_csv_column(r->csv, "batch", &col, r->err));
    RC_TRY(rc_csv_int(r->csv, row, col, 1, RC_PAPER_MAX_BATCH, &batch, r->err));
    *out = (int)batch;
    return RC_OK;
}

static rc_status cell_config(const reader *r, size_t row, const char **text, int *tp, int *cp,
                             char *id, size_t size) {
    size_t col;
    RC_TRY(rc_csv_column(r->csv, "config", &col, r->err));
    *text = rc_csv_text(r->csv, row, col);
    if (rc_paper_config(*text, tp, cp, id, size, NULL) != RC_OK)
        return rc_csv_fail(r->csv, row, col, r->err, RC_E_INPUT,
                           "found configuration '%s', expected CP4+TP8 or TP16", *text);
    return RC_OK;
}

/* A row of `table` about `job`; NULL when out of memory. */
static rc_paper_row *add(rc_paper *p, const char *table, const char *config, const char *context,
                         rc_job job, const char *metric, const char *unit, double paper,
                         double scale, rc_quantity q) {
    rc_plan *plan;
    rc_paper_row *row = rc_paper_add(p, &plan);
    if (!row)
        return NULL;
    job.draws = true;
    (void)snprintf(row->table, sizeof row->table, "%s", table);
    (void)snprintf(row->config, sizeof row->config, "%s", config);
    (void)snprintf(row->context, sizeof row->context, "%s", context);
    row->schedule = job.schedule;
    (void)snprintf(row->metric, sizeof row->metric, "%s", metric);
    (void)snprintf(row->unit, sizeof row->unit, "%s", unit);
    row->paper = paper;
    row->p = job.p;
    row->t = job.t;
    plan->quantity = q;
    plan->scale = scale;
    plan->job[0] = rc_paper_job(p, &job);
    return row;
}

/* The same job with every token count read at 1024 a K. */
static void plan_1024(rc_paper *p, rc_job job) {
    job.t = job.phase == RC_PREFILL ? job.t * 1024 / 1000 : job.t;
    job.p = job.p * 1024 / 1000;
    job.draws = false;
    int index = rc_paper_job(p, &job);
    p->plans[p->count - 1].job_1024 = index;
}

static void add_time(rc_paper *p, const char *table, const char *config, const char *context,
                     rc_job job, double ms, const char *id) {
    rc_paper_row *row = add(p, table, config, context, job,
                            job.phase == RC_PREFILL ? "ttft" : "ttit", "ms", ms, 1e3, RC_Q_TIME);
    if (!row)
        return;
    row->scored = true;
    (void)snprintf(row->id, sizeof row->id, "%s", id);
    if (strcmp(table, "4") != 0 && job.phase == RC_PREFILL)
        plan_1024(p, job);
}

/* ---- Table 4 ------------------------------------------------------------------------------ */

static rc_status read_row4(const reader *r, size_t i) {
    int64_t cached, t;
    double kv, q;
    char id[40];
    RC_TRY(cell_int(r, i, "P", &cached));
    RC_TRY(cell_int(r, i, "T", &t));
    RC_TRY(cell_value(r, i, "pass_kv_ms", &kv));
    RC_TRY(cell_value(r, i, "pass_q_ms", &q));
    (void)snprintf(id, sizeof id, "t4:kv:%lld", (long long)t);
    add_time(r->p, "4", "CP4+TP8", "128K",
             rc_job_prefill(RC_PAPER_GTT, TP, 4, &rc_schedule_pass_kv, t, cached), kv, id);
    (void)snprintf(id, sizeof id, "t4:q:%lld", (long long)t);
    add_time(r->p, "4", "CP4+TP8", "128K",
             rc_job_prefill(RC_PAPER_GTT, TP, 4, &rc_schedule_pass_q, t, cached), q, id);
    return RC_OK;
}

/* ---- Table 5 ------------------------------------------------------------------------------ */

static rc_status read_row5(const reader *r, size_t i) {
    static const struct {
        const char *column, *id;
        rc_quantity q;
    } cells[] = {{"sendrecv_us", "sendrecv", RC_Q_SENDRECV},
                 {"attn_us", "attn", RC_Q_ATTN_OP},
                 {"all2all_us", "all2all", RC_Q_ALL2ALL}};
    int64_t t;
    const char *variant;
    RC_TRY(cell_int(r, i, "T", &t));
    RC_TRY(cell_text(r, i, "variant", &variant));
    bool kv = strcmp(variant, "pass-KV") == 0;
    const rc_schedule *schedule = rc_choice_schedule(kv ? RC_CHOOSE_PASS_KV : RC_CHOOSE_PASS_Q);
    rc_job job = rc_job_prefill(RC_PAPER_GTT, TP, 4, schedule, t, RC_PAPER_TOTAL - t);
    for (size_t c = 0; c < sizeof cells / sizeof cells[0]; c++) {
        double paper;
        RC_TRY(cell_value(r, i, cells[c].column, &paper));
        if (!(paper > 0.0))
            continue;
        rc_job j = job; /* the paper prints one attention figure for both variants */
        if (cells[c].q == RC_Q_ATTN_OP)
            j.schedule = &rc_schedule_pass_kv;
        rc_paper_row *row =
            add(r->p, "5", "CP4+TP8", "128K", j, cells[c].column, "us", paper, 1e6, cells[c].q);
        if (row)
            row->schedule = schedule;
        if (row)
            (void)snprintf(row->id, sizeof row->id, "t5:%s:%lld:%s", kv ? "kv" : "q", (long long)t,
                           cells[c].id);
    }
    return RC_OK;
}

/* ---- Table 6 ------------------------------------------------------------------------------ */

static rc_status read_row6(const reader *r, size_t i) {
    static const struct {
        const char *column, *config, *id;
        int cp;
        rc_phase phase;
    } cells[] = {{"tp8_ttft_ms", "TP8", "tp8", 1, RC_PREFILL},
                 {"tp8_ttit_ms", "TP8", "tp8", 1, RC_DECODE},
                 {"cp2_ttft_ms", "CP2+TP8", "cp2", 2, RC_PREFILL},
                 {"cp2_ttit_ms", "CP2+TP8", "cp2", 2, RC_DECODE}};
    const char *context;
    int64_t tokens;
    RC_TRY(cell_text(r, i, "context", &context));
    RC_TRY(cell_int(r, i, "context", &tokens));
    for (size_t c = 0; c < sizeof cells / sizeof cells[0]; c++) {
        double ms;
        char id[40];
        rc_job job =
            cells[c].phase == RC_PREFILL
                ? rc_job_prefill(RC_PAPER_GTT, TP, cells[c].cp, &rc_schedule_pass_kv, tokens, 0)
                : rc_job_decode(RC_PAPER_GTT, TP, cells[c].cp, tokens, 1);
        RC_TRY(cell_value(r, i, cells[c].column, &ms));
        (void)snprintf(id, sizeof id, "t6:%s:%.12s:%s", cells[c].id, context,
                       cells[c].phase == RC_PREFILL ? "ttft" : "ttit");
        add_time(r->p, "6", cells[c].config, context, job, ms, id);
    }
    return RC_OK;
}

/* ---- Table 7 ------------------------------------------------------------------------------ */

static rc_status read_row7(const reader *r, size_t i) {
    const char *config;
    char id[16], full[40];
    int tp, cp;
    double ttft, ttit;
    RC_TRY(cell_config(r, i, &config, &tp, &cp, id, sizeof id));
    RC_TRY(cell_value(r, i, "ttft_ms", &ttft));
    RC_TRY(cell_value(r, i, "ttit_ms", &ttit));
    (void)snprintf(full, sizeof full, "t7:%s:ttft", id);
    add_time(r->p, "7", config, "128K",
             rc_job_prefill(RC_PAPER_GTT, tp, cp, &rc_schedule_pass_kv, RC_PAPER_TOTAL, 0), ttft,
             full);
    (void)snprintf(full, sizeof full, "t7:%s:ttit", id);
    add_time(r->p, "7", config, "128K", rc_job_decode(RC_PAPER_GTT, tp, cp, RC_PAPER_TOTAL, 1),
             ttit, full);
    return RC_OK;
}

/* One TTFT of Table 7 over another. */
static void add_ratio7(rc_paper *p, const char *id, const char *config, const char *top,
                       const char *bottom) {
    int a = rc_paper_find(p, top), b = rc_paper_find(p, bottom);
    rc_plan *plan;
    if (a < 0 || b < 0)
        return;
    double ratio = p->rows[a].paper / p->rows[b].paper;
    rc_paper_row *row = rc_paper_add(p, &plan);
    if (!row)
        return;
    (void)snprintf(row->id, sizeof row->id, "%s", id);
    (void)snprintf(row->table, sizeof row->table, "7");
    (void)snprintf(row->config, sizeof row->config, "%s", config);
    (void)snprintf(row->context, sizeof row->context, "128K");
    (void)snprintf(row->metric, sizeof row->metric, "ttft_ratio");
    (void)snprintf(row->unit, sizeof row->unit, "ratio");
    (void)snprintf(row->note, sizeof row->note, "computed from the table's own rows");
    row->p = 0;
    row->t = RC_PAPER_TOTAL;
    row->paper = ratio;
    plan->quantity = RC_Q_RATIO;
    plan->job[0] = p->plans[a].job[0];
    plan->job[1] = p->plans[b].job[0];
}

/* ---- Table 8 ------------------------------------------------------------------------------ */

static rc_status read_row8(const reader *r, size_t i) {
    static const struct {
        const char *column, *metric, *id;
        rc_quantity q;
    } cells[] = {{"attn_op_us", "attn_op_us", "attn_op", RC_Q_ATTN_OP},
                 {"attn_ring_us", "attn_ring_us", "attn_ring", RC_Q_ATTN_RING},
                 {"sendrecv_us", "sendrecv_us", "sendrecv", RC_Q_SENDRECV_RING},
                 {"all2all_us", "all2all_us", "all2all", RC_Q_ALL2ALL},
                 {"whole_pass_q_us", "whole_us", "whole", RC_Q_WHOLE}};
    const char *config, *context;
    char id[16];
    int tp, cp, batch;
    int64_t tokens;
    RC_TRY(cell_config(r, i, &config, &tp, &cp, id, sizeof id));
    RC_TRY(cell_text(r, i, "context", &context));
    RC_TRY(cell_int(r, i, "context", &tokens));
    RC_TRY(cell_batch(r, i, &batch));
    rc_job job = rc_job_decode(RC_PAPER_GTT, tp, cp, tokens, batch);
    for (size_t c = 0; c < sizeof cells / sizeof cells[0]; c++) {
        double paper;
        RC_TRY(cell_value(r, i, cells[c].column, &paper));
        if (!(paper > 0.0))
            continue;
        /* On one rank the ring is one launch: three columns print one measurement. */
        rc_quantity q = cp == 1 ? RC_Q_ATTN_OP : cells[c].q;
        rc_paper_row *row =
            add(r->p, "8", config, context, job, cells[c].metric, "us", paper, 1e6, q);
        if (!row)
            continue;
        (void)snprintf(row->id, sizeof row->id, "t8:%.8s:%d:%s:%s", context, batch, id,
                       cells[c].id);
        (void)snprintf(row->note, sizeof row->note, "batch %d", batch);
    }
    return RC_OK;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static rc_status read_table(rc_paper *p, const char *name,
                            rc_status (*read_row)(const reader *, size_t), rc_error *err) {
    char path[1024];
    rc_csv *csv = NULL;
    RC_TRY(rc_paper_data_path(p, name, path, sizeof path, err));
    RC_TRY(rc_csv_open(path, &csv, err));
    reader r = {p, csv, err};
    rc_status st = RC_OK;
    for (size_t i = 0; i < rc_csv_rows(csv) && st == RC_OK; i++)
        st = read_row(&r, i);
    rc_csv_close(csv);
    return st;
}

rc_status rc_paper_read_tables(rc_paper *p, rc_error *err) {
    RC_TRY(read_table(p, "table4_ttft_passkv_passq", read_row4, err));
    RC_TRY(read_table(p, "table5_ring_breakdown", read_row5, err));
    RC_TRY(read_table(p, "table6_tp8_cp2", read_row6, err));
    RC_TRY(read_table(p, "table7_parallelism", read_row7, err));
    add_ratio7(p, "t7:tp16_over_cp2", "TP16 / CP2", "t7:tp16:ttft", "t7:cp2:ttft");
    add_ratio7(p, "t7:tp32_over_cp4", "TP32 / CP4", "t7:tp32:ttft", "t7:cp4:ttft");
    return read_table(p, "table8_decode_attention", read_row8, err);
}
