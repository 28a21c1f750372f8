/* points.csv: figures that the paper states outside its tables. Each id has one line here that says
 * what is computed for it; an id without a line is an error, so that no point is passed over in
 * silence.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>
#include "sim/base/csv.h"
#include "sim/report/paper_internal.h"

enum { MILLION = 1000000, TP = 8, TIPPING_T = 6400 };

enum ranks { NO_RANKS, ONE_RANK, RING };

typedef struct point_line {
    const char *id, *metric;
    enum ranks ranks; /* that the figure is about */
    rc_quantity quantity;
    double scale; /* base unit to the unit of the file */
    rc_paper_role role;
    const char *field; /* FIELD */
    int machine;
    const char *note;
} point_line;

static const point_line lines[] = {
    {"ttft_cp8_128k", "ttft", RING, RC_Q_TIME, 1, RC_ROLE_COMPARED, NULL, RC_PAPER_GTT, ""},
    {"ttft_cp16_128k", "ttft", RING, RC_Q_TIME, 1, RC_ROLE_COMPARED, NULL, RC_PAPER_GTT, ""},
    {"ttft_cp16_1m", "ttft", RING, RC_Q_TIME, 1, RC_ROLE_COMPARED, NULL, RC_PAPER_GTT, ""},
    {"ttft_tp8_128k_intro", "ttft", ONE_RANK, RC_Q_TIME, 1, RC_ROLE_APPROX, NULL, RC_PAPER_GTT,
     "Table 6 measures 42.01 s"},
    {"ttft_tp8_1m_intro", "ttft", ONE_RANK, RC_Q_TIME, 1, RC_ROLE_APPROX, NULL, RC_PAPER_ROOMY,
     "does not fit in 96 GB a GPU: predicted as if it did"},
    {"tp16_over_cp2", "ttft_ratio", NO_RANKS, RC_Q_RATIO, 1, RC_ROLE_APPROX, NULL, RC_PAPER_GTT,
     "the text; its own Table 7 gives 1.42"},
    {"tp64_over_cp8", "ttft_ratio", NO_RANKS, RC_Q_RATIO, 1, RC_ROLE_APPROX, NULL, RC_PAPER_GTT,
     ""},
    {"gti_bw", "peer_rate", NO_RANKS, RC_Q_FIELD, 1e-9, RC_ROLE_INPUT, "peer_rate", RC_PAPER_GTI,
     ""},
    {"gti_scaling", "scaling_cp1_cp4", RING, RC_Q_SCALING, 1, RC_ROLE_APPROX, NULL, RC_PAPER_GTI,
     "GTI over GTT; the paper says alike, taken as 1"},
    {"tipping_T", "tipping_T", NO_RANKS, RC_Q_TIPPING, 1, RC_ROLE_COMPARED, NULL, RC_PAPER_GTT, ""},
    {"tipping_gap", "gap", NO_RANKS, RC_Q_GAP, 100, RC_ROLE_BOUND, NULL, RC_PAPER_GTT,
     "stated as below"},
    {"fa3_8k", "attention_rate", NO_RANKS, RC_Q_ATTENTION, 1e-12, RC_ROLE_INPUT, NULL, RC_PAPER_GTT,
     "16 query heads and 1 KV head"},
    {"achieved_1m", "flop_rate", RING, RC_Q_FLOP_RATE, 1e-12, RC_ROLE_COMPARED, NULL, RC_PAPER_GTT,
     "appendix A"},
    {"par_eff_1m", "efficiency", RING, RC_Q_EFFICIENCY, 100, RC_ROLE_COMPARED, NULL, RC_PAPER_GTT,
     "over the standalone attention rate"},
    {"mfu_1m", "mfu", RING, RC_Q_MFU, 100, RC_ROLE_COMPARED, NULL, RC_PAPER_GTT,
     "over the bf16 peak"},
    {"h_alpha", "coefficient", NO_RANKS, RC_Q_CONSTANT, 1, RC_ROLE_INPUT, NULL, RC_PAPER_GTT, ""},
    {"h_beta", "coefficient", NO_RANKS, RC_Q_CONSTANT, 1, RC_ROLE_INPUT, NULL, RC_PAPER_GTT, ""},
    {"h_gamma", "coefficient", NO_RANKS, RC_Q_CONSTANT, 1, RC_ROLE_INPUT, NULL, RC_PAPER_GTT, ""},
    {"gtt_peak", "bf16_rate", NO_RANKS, RC_Q_FIELD, 1e-12, RC_ROLE_INPUT, "bf16_rate", RC_PAPER_GTT,
     ""},
    {"gtt_hbm", "hbm_rate", NO_RANKS, RC_Q_FIELD, 1e-12, RC_ROLE_INPUT, "hbm_rate", RC_PAPER_GTT,
     ""},
    {"gtt_net", "nic_rate", NO_RANKS, RC_Q_FIELD, 8e-9, RC_ROLE_INPUT, "nic_rate", RC_PAPER_GTT,
     ""},
    {"gti_net", "nic_rate", NO_RANKS, RC_Q_FIELD, 8e-9, RC_ROLE_INPUT, "nic_rate", RC_PAPER_GTI,
     ""},
    {"decode_splits", "kv_splits", NO_RANKS, RC_Q_NONE, 1, RC_ROLE_INPUT, NULL, RC_PAPER_GTT,
     "of the paper's kernel; the measured kernel chooses its own"},
};
enum { LINES = sizeof lines / sizeof lines[0] };

static int job(rc_paper *p, rc_job want, bool draws) {
    want.draws = draws;
    return rc_paper_job(p, &want);
}

static int full(rc_paper *p, int machine, int tp, int cp, int64_t t) {
    return job(p, rc_job_prefill(machine, tp, cp, &rc_schedule_pass_kv, t, 0),
               machine != RC_PAPER_GTI);
}

static void plan_jobs(rc_paper *p, const point_line *l, const char *config, int64_t tokens,
                      rc_plan *plan) {
    int tp = TP, cp = 1;
    char id[16];
    bool known = rc_paper_config(config, &tp, &cp, id, sizeof id, NULL) == RC_OK;
    switch (l->quantity) {
    case RC_Q_TIME:
    case RC_Q_FLOP_RATE:
    case RC_Q_EFFICIENCY:
    case RC_Q_MFU:
        plan->job[0] = full(p, l->machine, tp, cp, tokens);
        if (known && l->role == RC_ROLE_COMPARED && l->quantity == RC_Q_TIME && tokens < MILLION)
            plan->job_1024 = job(
                p,
                rc_job_prefill(l->machine, tp, cp, &rc_schedule_pass_kv, tokens * 1024 / 1000, 0),
                false);
        break;
    case RC_Q_RATIO:
        cp = strcmp(l->id, "tp16_over_cp2") == 0 ? 2 : 8;
        plan->job[0] = full(p, l->machine, TP * cp, 1, tokens);
        plan->job[1] = full(p, l->machine, TP, cp, tokens);
        break;
    case RC_Q_SCALING:
        plan->job[0] = full(p, RC_PAPER_GTI, TP, 1, RC_PAPER_TOTAL);
        plan->job[1] = full(p, RC_PAPER_GTI, TP, 4, RC_PAPER_TOTAL);
        plan->job[2] = full(p, RC_PAPER_GTT, TP, 1, RC_PAPER_TOTAL);
        plan->job[3] = full(p, RC_PAPER_GTT, TP, 4, RC_PAPER_TOTAL);
        break;
    case RC_Q_GAP:
        for (int i = 0; i < 2; i++)
            plan->job[i] = job(p,
                               rc_job_prefill(RC_PAPER_GTT, TP, 4, rc_choice_schedule((rc_choice)i),
                                              TIPPING_T, RC_PAPER_TOTAL - TIPPING_T),
                               true);
        break;
    default:
        break;
    }
}

static double constant_of(const char *id) {
    rc_rule rule;
    if (rc_rule_named("empirical", &rule, NULL) != RC_OK)
        return NAN;
    return strcmp(id, "h_alpha") == 0  ? rule.alpha
           : strcmp(id, "h_beta") == 0 ? rule.beta
                                       : rule.gamma;
}

static const point_line *line_of(const char *id) {
    for (int i = 0; i < LINES; i++)
        if (strcmp(lines[i].id, id) == 0)
            return &lines[i];
    return NULL;
}

static const char *nearest_id(const char *id) {
    const char *names[LINES + 1] = {0};
    for (int i = 0; i < LINES; i++)
        names[i] = lines[i].id;
    return rc_nearest(id, names);
}

typedef struct columns {
    size_t id, config, context, value, unit;
} columns;

static rc_status find_columns(const rc_csv *csv, columns *c, rc_error *err) {
    RC_TRY(rc_csv_column(csv, "id", &c->id, err));
    RC_TRY(rc_csv_column(csv, "config", &c->config, err));
    RC_TRY(rc_csv_column(csv, "context", &c->context, err));
    RC_TRY(rc_csv_column(csv, "value", &c->value, err));
    return rc_csv_column(csv, "unit", &c->unit, err);
}

static void describe(const point_line *l, const rc_csv *csv, size_t i, const columns *c,
                     rc_paper_row *row) {
    const char *unit = rc_csv_text(csv, i, c->unit);
    (void)snprintf(row->id, sizeof row->id, "pt:%s", l->id);
    (void)snprintf(row->table, sizeof row->table, "points");
    (void)snprintf(row->config, sizeof row->config, "%s", rc_csv_text(csv, i, c->config));
    (void)snprintf(row->context, sizeof row->context, "%s", rc_csv_text(csv, i, c->context));
    if (l->ranks != NO_RANKS)
        row->schedule = rc_schedule_on(&rc_schedule_pass_kv, (int)l->ranks);
    (void)snprintf(row->metric, sizeof row->metric, "%s", l->metric);
    (void)snprintf(row->unit, sizeof row->unit, "%s", unit[0] ? unit : "ratio");
    (void)snprintf(row->note, sizeof row->note, "%s", l->note);
    row->role = l->role;
    row->scored = l->quantity == RC_Q_TIME && l->role == RC_ROLE_COMPARED;
    if (l->quantity == RC_Q_CONSTANT || l->quantity == RC_Q_NONE)
        (void)snprintf(row->unit, sizeof row->unit, "%s", unit[0] ? unit : "-");
}

static rc_status read_point(rc_paper *p, const rc_csv *csv, size_t i, const columns *c,
                            rc_error *err) {
    const char *id = rc_csv_text(csv, i, c->id);
    const point_line *l = line_of(id);
    if (!l) {
        const char *near = nearest_id(id);
        return rc_csv_fail(csv, i, c->id, err, RC_E_INPUT,
                           "nothing is computed for point '%s'%s%s%s", id,
                           near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    }
    int64_t tokens;
    if (rc_quantity_int(rc_csv_text(csv, i, c->context), 1, INT64_C(1) << 40, &tokens, NULL) !=
        RC_OK)
        tokens = 0; /* it speaks of no number of tokens */
    double paper = l->quantity == RC_Q_SCALING ? 1.0 : NAN;
    if (rc_csv_text(csv, i, c->value)[0])
        RC_TRY(rc_csv_quantity(csv, i, c->value, RC_DIM_COUNT, -1e15, 1e15, &paper, err));
    rc_plan *plan;
    rc_paper_row *row = rc_paper_add(p, &plan);
    if (!row)
        return RC_OK; /* p->failed is set */
    describe(l, csv, i, c, row);
    row->paper = paper;
    if (tokens > 0 && l->role != RC_ROLE_INPUT && l->quantity != RC_Q_TIPPING) {
        row->t = l->quantity == RC_Q_GAP ? TIPPING_T : tokens;
        row->p = l->quantity == RC_Q_GAP ? RC_PAPER_TOTAL - TIPPING_T : 0;
    }
    plan->quantity = l->quantity;
    plan->scale = l->scale;
    plan->field = l->field;
    plan->machine = l->machine;
    if (l->quantity == RC_Q_CONSTANT)
        plan->constant = constant_of(id);
    plan_jobs(p, l, row->config, tokens > 0 ? tokens : RC_PAPER_TOTAL, plan);
    return RC_OK;
}

rc_status rc_paper_read_points(rc_paper *p, rc_error *err) {
    char path[1024];
    rc_csv *csv = NULL;
    columns c;
    RC_TRY(rc_paper_data_path(p, "points", path, sizeof path, err));
    RC_TRY(rc_csv_open(path, &csv, err));
    rc_status st = find_columns(csv, &c, err);
    for (size_t i = 0; i < rc_csv_rows(csv) && st == RC_OK; i++)
        st = read_point(p, csv, i, &c, err);
    rc_csv_close(csv);
    return st;
}
