/* Evaluation: jobs on threads, then each row's quantity from its finished jobs.
 *
 * All jobs draw from the same seed, so their p5 and p95 come from the same draws of the machine. A
 * job that does not fit in memory, or asks for something unmodelled, leaves its rows without a
 * prediction and says why; any other failure ends the run.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/report/paper_internal.h"
#include "sim/base/clock.h"
#include "sim/base/parallel.h"
#include "sim/base/quantile.h"
#include "sim/schedule/totals.h"

enum { STANDALONE_TOKENS = 8000 };             /* of the paper's attention kernel alone: "8K" */
enum { TIPPING_LO = 256, TIPPING_HI = 64000 }; /* T between which the tie is looked for */

/* ---- jobs ----------------------------------------------------------------------------------- */

typedef struct job_run {
    rc_paper *p;
    const rc_costs *const *costs;
    const bool *wanted;
    bool draws;
} job_run;

static rc_status forward(const rc_paper *p, const rc_costs *costs, const rc_job *j, int draws,
                         double *drawn, rc_forward *out, rc_error *err) {
    rc_sequence *seqs = malloc((size_t)j->batch * sizeof *seqs);
    if (!seqs)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a batch of %d", j->batch);
    for (int i = 0; i < j->batch; i++)
        seqs[i] = (rc_sequence){j->t, j->p};
    rc_spec spec = {.model = &p->model,
                    .costs = costs,
                    .layout = {.tp = j->tp,
                               .cp = j->cp,
                               .attn_weights = RC_BF16,
                               .ffn_weights = RC_FP8,
                               .act = RC_BF16,
                               .kv = RC_BF16},
                    .phase = j->phase,
                    .schedule = j->schedule,
                    .seqs = seqs,
                    .seq_count = (size_t)j->batch,
                    .eager = j->phase == RC_PREFILL,
                    .serial_ring = j->phase == RC_DECODE,
                    .draws = draws,
                    .drawn = drawn,
                    .seed = p->options.seed,
                    .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
    rc_status st = rc_forward_run(&spec, out, err);
    free(seqs);
    return st;
}

static rc_status run_job(void *ctx, size_t item, rc_error *err) {
    job_run *r = ctx;
    rc_job *j = &r->p->jobs[item];
    if (r->wanted && !r->wanted[item])
        return RC_OK;
    rc_error why = {0};
    int draws = r->draws && j->draws ? r->p->options.draws : 0;
    double *drawn = draws > 0 && r->p->drawn ? r->p->drawn + item * (size_t)draws : NULL;
    j->status = forward(r->p, r->costs[j->machine], j, draws, drawn, &j->result, &why);
    (void)snprintf(j->why, sizeof j->why, "%.150s", why.msg);
    if (j->status == RC_OK || j->status == RC_E_NOFIT || j->status == RC_E_UNMODELLED)
        return RC_OK;
    if (err)
        *err = why;
    return j->status;
}

rc_status rc_paper_run_jobs(rc_paper *p, const rc_costs *const costs[RC_PAPER_MACHINES],
                            const bool *wanted, bool draws, rc_error *err) {
    assert(costs != NULL && p->options.draws >= 0);
    job_run r = {p, costs, wanted, draws};
    return rc_parallel(p->job_count, p->options.threads, run_job, &r, err);
}

/* ---- quantities ----------------------------------------------------------------------------- */

double rc_paper_gemm_flops(const rc_model *m, double t) {
    assert(t >= 0.0);
    return 2.0 * rc_model_params(m) * t;
}

double rc_paper_attention_flops(const rc_model *m, double t) {
    assert(t >= 0.0);
    return rc_model_entry_flops(m, 0.5 * t * t);
}

static double flop_rate(const rc_paper *p, const rc_job *j) {
    double t = (double)j->t;
    double flops = rc_paper_gemm_flops(&p->model, t) + rc_paper_attention_flops(&p->model, t);
    return flops / ((double)j->tp * j->cp) / j->result.time;
}

static rc_status attention_rate(const rc_paper *p, const rc_costs *costs, double *out,
                                rc_error *err) {
    const rc_layer_kind *l = rc_model_typical(&p->model);
    int hq = l->heads / l->kv_heads;
    double t = STANDALONE_TOKENS;
    rc_cost cost;
    RC_TRY(rc_cost_attention(costs, RC_BF16, 1, STANDALONE_TOKENS, STANDALONE_TOKENS,
                             (rc_heads){hq, 1, l->head_dim, l->value_dim}, &cost, err));
    *out = 2.0 * (l->head_dim + l->value_dim) * 0.5 * t * t * hq / cost.p50;
    return RC_OK;
}

/* pass-KV less pass-Q, seconds, at T new tokens of 128000. */
static rc_status advantage(const rc_paper *p, const rc_costs *costs, int64_t t, double *out,
                           rc_error *err) {
    double s[2];
    for (int v = 0; v < 2; v++) {
        rc_forward f;
        rc_job j = rc_job_prefill(RC_PAPER_GTT, 8, 4, rc_choice_schedule((rc_choice)v), t,
                                  RC_PAPER_TOTAL - t);
        RC_TRY(forward(p, costs, &j, 0, NULL, &f, err));
        s[v] = f.time;
    }
    *out = s[0] - s[1];
    return RC_OK;
}

/* Bisection to the token; NaN when one variant wins at both ends. */
static rc_status bisect(const rc_paper *p, const rc_costs *costs, double *out, rc_error *err) {
    int64_t lo = TIPPING_LO, hi = TIPPING_HI;
    double at_lo, at_hi, at;
    *out = NAN;
    RC_TRY(advantage(p, costs, lo, &at_lo, err));
    RC_TRY(advantage(p, costs, hi, &at_hi, err));
    if ((at_lo > 0.0) == (at_hi > 0.0))
        return RC_OK;
    while (hi - lo > 1) {
        int64_t mid = lo + (hi - lo) / 2;
        RC_TRY(advantage(p, costs, mid, &at, err));
        if ((at > 0.0) == (at_lo > 0.0))
            lo = mid;
        else
            hi = mid;
    }
    *out = (double)hi;
    return RC_OK;
}

/* NaN when the configuration has no result at all. */
static rc_status tipping_point(const rc_paper *p, const rc_costs *costs, double *out,
                               rc_error *err) {
    rc_error why = {0};
    rc_status st = bisect(p, costs, out, &why);
    if (st == RC_OK)
        return RC_OK;
    *out = NAN;
    if (st == RC_E_NOFIT || st == RC_E_UNMODELLED)
        return RC_OK;
    if (err)
        *err = why;
    return st;
}

static double ring_value(const rc_ring_times *r, rc_quantity q) {
    switch (q) {
    case RC_Q_ATTN_OP:
        return r->attn_op;
    case RC_Q_ATTN_RING:
        return r->attn_ring;
    case RC_Q_SENDRECV:
        return r->sendrecv;
    case RC_Q_SENDRECV_RING:
        return r->sendrecv_ring;
    case RC_Q_ALL2ALL:
        return r->all2all;
    default:
        return r->whole;
    }
}

static bool is_ring(rc_quantity q) {
    return q >= RC_Q_ATTN_OP && q <= RC_Q_WHOLE;
}

static bool all_jobs_done(const rc_paper *p, const rc_plan *plan) {
    for (int i = 0; i < RC_PLAN_JOBS; i++)
        if (plan->job[i] != RC_JOB_NONE && p->jobs[plan->job[i]].status != RC_OK)
            return false;
    return true;
}

static double gap(double a, double b) {
    return fabs(a - b) / fmin(a, b);
}

rc_status rc_paper_value(const rc_paper *p, const rc_costs *const costs[RC_PAPER_MACHINES],
                         size_t row, double *out, rc_error *err) {
    assert(row < p->count);
    const rc_plan *plan = &p->plans[row];
    const rc_job *j[RC_PLAN_JOBS];
    double v = NAN, rate = NAN;
    rc_machine m;
    *out = NAN;
    if (!all_jobs_done(p, plan))
        return RC_OK;
    for (int i = 0; i < RC_PLAN_JOBS; i++)
        j[i] = plan->job[i] == RC_JOB_NONE ? NULL : &p->jobs[plan->job[i]];
    switch (plan->quantity) {
    case RC_Q_NONE:
        break;
    case RC_Q_TIME:
        v = j[0]->result.time;
        break;
    case RC_Q_RATIO:
        v = j[0]->result.time / j[1]->result.time;
        break;
    case RC_Q_GAP:
        v = gap(j[0]->result.time, j[1]->result.time);
        break;
    case RC_Q_SCALING:
        v = j[0]->result.time / j[1]->result.time * (j[3]->result.time / j[2]->result.time);
        break;
    case RC_Q_FLOP_RATE:
        v = flop_rate(p, j[0]);
        break;
    case RC_Q_EFFICIENCY:
        RC_TRY(attention_rate(p, costs[plan->machine], &rate, err));
        v = flop_rate(p, j[0]) / rate;
        break;
    case RC_Q_MFU:
        v = flop_rate(p, j[0]) / rc_costs_machine(costs[plan->machine])->bf16_rate;
        break;
    case RC_Q_ATTENTION:
        RC_TRY(attention_rate(p, costs[plan->machine], &v, err));
        break;
    case RC_Q_TIPPING:
        RC_TRY(tipping_point(p, costs[plan->machine], &v, err));
        break;
    case RC_Q_FIELD:
        m = *rc_costs_machine(costs[plan->machine]);
        v = *rc_machine_field(&m, plan->field);
        break;
    case RC_Q_CONSTANT:
        v = plan->constant;
        break;
    default:
        v = ring_value(&j[0]->result.ring, plan->quantity);
        break;
    }
    *out = v * plan->scale;
    return RC_OK;
}

double rc_paper_time(const rc_paper *p, int job) {
    assert(job == RC_JOB_NONE || (job >= 0 && (size_t)job < p->job_count));
    return job == RC_JOB_NONE || p->jobs[job].status != RC_OK ? NAN : p->jobs[job].result.time;
}

static bool has_draws(const rc_paper *p, int job) {
    return job != RC_JOB_NONE && p->jobs[job].status == RC_OK && p->jobs[job].draws;
}

void rc_paper_ratio_interval(const rc_paper *p, int over, int under, double *p5, double *p95) {
    assert(p5 != NULL && p95 != NULL);
    size_t n = (size_t)p->options.draws;
    double *ratio = p->drawn && n > 0 ? calloc(n, sizeof *ratio) : NULL;
    *p5 = *p95 = NAN;
    if (ratio && has_draws(p, over) && has_draws(p, under)) {
        for (size_t i = 0; i < n; i++)
            ratio[i] = p->drawn[(size_t)over * n + i] / p->drawn[(size_t)under * n + i];
        rc_sort(ratio, n);
        *p5 = rc_quantile(ratio, n, 0.05);
        *p95 = rc_quantile(ratio, n, 0.95);
    }
    free(ratio);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void set_interval(const rc_paper *p, size_t i) {
    const rc_plan *plan = &p->plans[i];
    rc_paper_row *row = &p->rows[i];
    if (plan->job[0] == RC_JOB_NONE || !isfinite(row->predicted))
        return;
    const rc_job *j = &p->jobs[plan->job[0]];
    if (!j->draws || p->options.draws < 1)
        return;
    if (plan->quantity == RC_Q_TIME) {
        row->p5 = j->result.p5 * plan->scale;
        row->p95 = j->result.p95 * plan->scale;
    } else if (plan->quantity == RC_Q_FLOP_RATE || plan->quantity == RC_Q_MFU) {
        row->p5 = row->predicted * j->result.time / j->result.p95; /* monotone: quantiles swap */
        row->p95 = row->predicted * j->result.time / j->result.p5;
    } else if (is_ring(plan->quantity)) {
        row->p5 = ring_value(&j->result.ring_p5, plan->quantity) * plan->scale;
        row->p95 = ring_value(&j->result.ring_p95, plan->quantity) * plan->scale;
    }
}

static void note_why(const rc_paper *p, size_t i) {
    const rc_plan *plan = &p->plans[i];
    rc_paper_row *row = &p->rows[i];
    for (int k = 0; k < RC_PLAN_JOBS; k++)
        if (plan->job[k] != RC_JOB_NONE && p->jobs[plan->job[k]].status != RC_OK)
            (void)snprintf(row->note, sizeof row->note, "%s", p->jobs[plan->job[k]].why);
    if (plan->quantity == RC_Q_TIPPING && isnan(row->predicted))
        (void)snprintf(row->note, sizeof row->note, "no tie between T = %d and %d", TIPPING_LO,
                       TIPPING_HI);
}

typedef struct row_run {
    rc_paper *p;
    const rc_costs *const *costs;
} row_run;

static rc_status value_row(void *ctx, size_t i, rc_error *err) {
    row_run *r = ctx;
    rc_paper *p = r->p;
    rc_paper_row *row = &p->rows[i];
    const rc_plan *plan = &p->plans[i];
    RC_TRY(rc_paper_value(p, r->costs, i, &row->predicted, err));
    set_interval(p, i);
    note_why(p, i);
    if (plan->job_1024 != RC_JOB_NONE && p->jobs[plan->job_1024].status == RC_OK)
        row->predicted_1024 = p->jobs[plan->job_1024].result.time * plan->scale;
    if (row->role != RC_ROLE_BOUND && row->paper != 0.0)
        row->error_pct = 100.0 * (row->predicted / row->paper - 1.0);
    return RC_OK;
}

static rc_status evaluate(rc_paper *p, const rc_costs *const costs[RC_PAPER_MACHINES], bool draws,
                          rc_error *err) {
    RC_TRY(rc_paper_run_jobs(p, costs, NULL, draws, err));
    row_run r = {p, costs};
    RC_TRY(rc_parallel(p->count, p->options.threads, value_row, &r, err));
    RC_TRY(rc_paper_widen(p->rows, p->count, p->repeats, err));
    rc_paper_summarise(p->rows, p->count, &p->summary);
    return RC_OK;
}

rc_status rc_paper_evaluate(rc_paper *p, rc_error *err) {
    assert(p->rows != NULL || p->count == 0);
    const rc_costs *costs[RC_PAPER_MACHINES];
    double start = rc_clock_s();
    for (int m = 0; m < RC_PAPER_MACHINES; m++)
        costs[m] = p->costs[m];
    if (p->options.figures && p->options.draws > 0 && !p->drawn)
        p->drawn = calloc(p->job_count * (size_t)p->options.draws, sizeof *p->drawn);
    if (p->options.figures && p->options.draws > 0 && !p->drawn)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the draws of the figures");
    RC_TRY(evaluate(p, costs, true, err));
    p->summary.fitted_parameters = p->machine[RC_PAPER_GTT].fitted_count;
    p->summary.choices = p->options.unfitted ? 0 : rc_paper_choices();
    p->summary.wall_s = rc_clock_s() - start;
    return RC_OK;
}

rc_status rc_paper_evaluate_as(rc_paper *p, const rc_machine *gtt, rc_error *err) {
    assert(gtt != NULL);
    rc_machine roomy = *gtt;
    rc_costs *view = NULL, *roomy_view = NULL;
    roomy.memory = p->machine[RC_PAPER_ROOMY].memory;
    for (size_t i = 0; i < p->count; i++)
        p->rows[i].p5 = p->rows[i].p95 = NAN;
    RC_TRY(rc_costs_view(p->costs[RC_PAPER_GTT], gtt, &view, err));
    rc_status st = rc_costs_view(p->costs[RC_PAPER_GTT], &roomy, &roomy_view, err);
    if (st == RC_OK) {
        const rc_costs *costs[RC_PAPER_MACHINES] = {view, p->costs[RC_PAPER_GTI], roomy_view};
        st = evaluate(p, costs, false, err);
        rc_costs_close(roomy_view);
    }
    rc_costs_close(view);
    return st;
}
