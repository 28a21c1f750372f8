/* The summary: plain arithmetic over rows, so that it can be checked on rows made by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/report/paper_internal.h"
#include "sim/schedule/totals.h"

typedef struct mean {
    double sum, max;
    int n;
} mean;

static void add(mean *m, double error_pct) {
    if (!isfinite(error_pct))
        return;
    m->sum += fabs(error_pct);
    m->max = fmax(m->max, fabs(error_pct));
    m->n++;
}

static double mean_of(const mean *m) {
    return m->n ? m->sum / m->n : NAN;
}

static double max_of(const mean *m) {
    return m->n ? m->max : NAN;
}

static bool is(const char *a, const char *b) {
    return strcmp(a, b) == 0;
}

/* The other variant of a Table 4 row, or NULL. */
static const rc_paper_row *partner(const rc_paper_row *rows, size_t count, const rc_paper_row *kv) {
    for (size_t i = 0; i < count; i++)
        if (is(rows[i].table, "4") && rows[i].schedule == &rc_schedule_pass_q &&
            rows[i].t == kv->t && rows[i].p == kv->p)
            return &rows[i];
    return NULL;
}

static void count_winners(const rc_paper_row *rows, size_t count, rc_paper_summary *s) {
    for (size_t i = 0; i < count; i++) {
        const rc_paper_row *kv = &rows[i], *q;
        if (!is(kv->table, "4") || kv->schedule != &rc_schedule_pass_kv ||
            !(q = partner(rows, count, kv)))
            continue;
        bool known = isfinite(kv->predicted) && isfinite(q->predicted);
        bool right = known && rc_choose_oracle(kv->predicted, q->predicted) ==
                                  rc_choose_oracle(kv->paper, q->paper);
        bool clear = fabs(kv->paper - q->paper) > RC_PAPER_TIE * fmin(kv->paper, q->paper);
        s->winners_total_all++;
        s->winners_right_all += right;
        s->winners_total += clear;
        s->winners_right += clear && right;
    }
}

static void count_covered(const rc_paper_row *r, rc_paper_summary *s) {
    if (!isfinite(r->p5) || !isfinite(r->p95))
        return;
    s->with_interval++;
    s->covered += r->paper >= r->p5 && r->paper <= r->p95;
}

#define WIDTH_90 3.2897072539029444 /* p5 to p95 of a normal, in standard deviations */

/* `asked` holds squares until all rows are in. */
static void cover(const rc_paper_row *r, rc_paper_coverage *c) {
    if (!(r->p5 > 0.0) || !(r->p95 > 0.0))
        return;
    double off = log(r->predicted / r->paper);
    c->rows++;
    c->covered += r->paper >= r->p5 && r->paper <= r->p95;
    c->width += log(r->p95 / r->p5);
    c->asked += off * off;
}

static void cover_end(rc_paper_coverage *c) {
    c->width = c->rows > 0 ? c->width / c->rows : NAN;
    c->asked = c->rows > 0 ? WIDTH_90 * sqrt(c->asked / c->rows) : NAN;
}

/* Error at K = 1024; where K is settled, the row as it is. */
static double error_1024(const rc_paper_row *r) {
    return isfinite(r->predicted_1024) ? 100.0 * (r->predicted_1024 / r->paper - 1.0)
                                       : r->error_pct;
}

typedef struct means {
    mean ttft[2], ttit[2], k1024[2]; /* [fitted] */
    mean table5, table8, whole8;
} means;

static void add_row(means *m, const rc_paper_row *r, rc_paper_summary *s) {
    if (is(r->table, "8") && is(r->metric, "whole_us"))
        add(&m->whole8, r->error_pct); /* the column as printed, repeated or not */
    if (r->duplicate_of >= 0)
        return;
    if (is(r->table, "5"))
        add(&m->table5, r->error_pct);
    if (is(r->table, "8")) {
        add(&m->table8, r->error_pct);
        cover(r, &s->cover_table8);
    }
    if (!r->scored)
        return;
    count_covered(r, s);
    if (is(r->metric, "ttft")) {
        add(&m->ttft[r->fitted], r->error_pct);
        add(&m->k1024[r->fitted], error_1024(r));
        if (!r->fitted)
            cover(r, &s->cover_ttft);
    } else {
        cover(r, &s->cover_ttit);
        add(&m->ttit[r->fitted], r->error_pct);
    }
}

static mean both(const mean m[2]) {
    return (mean){m[0].sum + m[1].sum, fmax(m[0].max, m[1].max), m[0].n + m[1].n};
}

void rc_paper_summarise(const rc_paper_row *rows, size_t count, rc_paper_summary *out) {
    assert(rows != NULL || count == 0);
    rc_paper_summary s = {.fitted_parameters = out->fitted_parameters,
                          .choices = out->choices,
                          .wall_s = out->wall_s};
    means m = {0};
    for (size_t i = 0; i < count; i++)
        add_row(&m, &rows[i], &s);
    count_winners(rows, count, &s);
    cover_end(&s.cover_ttft);
    cover_end(&s.cover_ttit);
    cover_end(&s.cover_table8);
    mean ttft = both(m.ttft), ttit = both(m.ttit), k1024 = both(m.k1024);
    s.ttft_mape_predicted = mean_of(&m.ttft[0]);
    s.ttft_max_predicted = max_of(&m.ttft[0]);
    s.ttft_mape_fitted = mean_of(&m.ttft[1]);
    s.ttft_mape_all = mean_of(&ttft);
    s.ttit_mape_predicted = mean_of(&m.ttit[0]);
    s.ttit_mape_all = mean_of(&ttit);
    s.table5_mape = mean_of(&m.table5);
    s.table8_mape = mean_of(&m.table8);
    s.table8_whole_mape = mean_of(&m.whole8);
    s.k1024_ttft_mape_predicted = mean_of(&m.k1024[0]);
    s.k1024_ttft_mape_all = mean_of(&k1024);
    s.ttft_rows_predicted = m.ttft[0].n;
    s.ttft_rows_all = ttft.n;
    s.ttit_rows_predicted = m.ttit[0].n;
    s.ttit_rows_all = ttit.n;
    *out = s;
}

/* ---- the published rules on Table 4 ------------------------------------------------------- */

rc_choose_input rc_paper_choose_input(const rc_paper *p, double t, double cached, double bw) {
    assert(t > 0.0 && cached >= 0.0 && bw > 0.0);
    return (rc_choose_input){.t = t,
                             .p = cached,
                             .n = 4,
                             .heads = rc_model_typical(&p->model)->heads,
                             .kv_heads = rc_model_typical(&p->model)->kv_heads,
                             .e = 2.0,
                             .c = p->machine[RC_PAPER_GTT].bf16_rate,
                             .bw = bw};
}

static rc_status score_rule(const rc_paper *p, const rc_rule *rule, rc_rule_score *s,
                            rc_error *err) {
    for (size_t i = 0; i < p->count; i++) {
        const rc_paper_row *kv = &p->rows[i], *q;
        rc_decision d;
        if (!is(kv->table, "4") || kv->schedule != &rc_schedule_pass_kv ||
            !(q = partner(p->rows, p->count, kv)))
            continue;
        rc_choose_input in = rc_paper_choose_input(p, (double)kv->t, (double)kv->p, s->bw);
        RC_TRY(rc_choose(rule, &in, &d, err));
        s->rows++;
        s->right += d.choice == rc_choose_oracle(kv->paper, q->paper);
    }
    return RC_OK;
}

rc_status rc_paper_rule_scores(const rc_paper *p, rc_rule_score out[RC_RULE_SCORES],
                               rc_error *err) {
    static const rc_rule_kind kinds[RC_RULE_SCORES] = {RC_RULE_ALGORITHM_1, RC_RULE_ALGORITHM_1,
                                                       RC_RULE_ALGORITHM_5, RC_RULE_ALGORITHM_5,
                                                       RC_RULE_EMPIRICAL};
    const rc_machine *m = &p->machine[RC_PAPER_GTT];
    for (int i = 0; i < RC_RULE_SCORES; i++) {
        rc_rule rule;
        out[i] = (rc_rule_score){rc_rule_name(kinds[i]), m->bf16_rate,
                                 i % 2 ? m->nic_rate : m->peer_rate, 0, 0};
        RC_TRY(rc_rule_named(out[i].rule, &rule, err));
        RC_TRY(score_rule(p, &rule, &out[i], err));
    }
    return RC_OK;
}
