/* What a configuration cannot beat, from single forward passes, and a guess at what it will reach.
 *
 * Bounds (a configuration that breaks one is not simulated):
 *   KV dtype attention over such a cache was never measured for the machine's base
 *   memory   weights, the working set of the largest pass and the KV of the longest request fit
 *   prefill  TTFT is at least the prompt's own prefill, on a free replica, with every cached token
 *            found; the fastest variant that the configuration may take counts
 *   decode   TTIT is at least a step of one sequence, at the context that 95 % of tokens exceed
 *   work     tokens arrive at a rate that the replicas can do: prompts at the best rate per token
 *            seen at any length, decode in the largest batches that KV and the limit allow; what
 *            two kinds of work may share (one pass of both) is counted once
 * The estimate orders what is left: a queue with as many servers as replicas (Allen and Cunneen's
 * formula) in front of the same times. It cuts nothing.
 *
 * Times are remembered by layout: a space of 10,000 configurations has some tens of layouts.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/forward/forward.h"
#include "sim/plan/plan_internal.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/pass_memory.h"
#include "sim/schedule/totals.h"

enum {
    LAYOUTS = 1024,
    STEPS = 4096, /* decode steps remembered */
    BATCH_MAX = 1 << 14,
    RATES = 3,
    STEPS_PER_DECADE = 16, /* contexts: a step costs at most 15 % more than at the one below */
    FIXED_POINT_ROUNDS = 6 /* of batch and step time, each of which follows from the other */
};
/* Prompts by which the best rate a token is found: it rises with the length until attention, whose
 * work grows with the square, outweighs the products. */
static const int64_t rate_tokens[RATES] = {2048, 8192, 32768};
#define UNLIMITED 1e15 /* bytes: memory is checked here, not by the passes */
/* The tail that objectives limit unless a plan says otherwise: p95. */
#define TAIL 0.05
#define TAIL_OVER_MEAN 3.0 /* -ln(TAIL): p95 over the mean of an exponential wait */
#define OVERLOADED 10.0    /* value over limit that is expected of a queue at a load of 1 */
/* With evenly spaced requests the wait of the p95 one has grown for 95 % of the span. The share is
 * less, so that a configuration is not cut for a load that the last requests bring. */
#define BACKLOG_SHARE 0.9

typedef struct prefills {                /* of one layout */
    rc_plan_option key;                  /* offer, tp, cp, pick, dynamic, kv */
    double *time;                        /* [class_count], s */
    double token;                        /* s a token, at the best length */
    double quantile[RC_PLAN_OBJECTIVES]; /* s, of the prompts that a TTFT objective speaks of */
    double work, mean, square;           /* s: sum over requests; of one, and its mean square */
} prefills;

typedef struct step { /* of a decode pass */
    int16_t offer, tp, cp, kv;
    int32_t batch;
    int64_t context;
    double time;
    const rc_schedule *schedule;
} step;

struct rc_plan_bounds {
    const rc_plan *p;
    const rc_plan_load *load;
    rc_costs *costs[RC_PLAN_OFFERS]; /* with memory without end: memory is checked here */
    rc_forward_ctx *ctx;
    rc_sequence *seqs; /* [BATCH_MAX] */
    prefills layouts[LAYOUTS];
    int layout_count;
    step *steps;
    int step_count;
};

const char *rc_plan_cut_name(rc_plan_cut c) {
    static const char *const names[] = {"none",    "layout", "KV dtype", "memory",
                                        "prefill", "decode", "work"};
    assert((unsigned)c < RC_CUT_COUNT);
    return names[c];
}

rc_status rc_plan_bounds_create(const rc_plan *p, const rc_plan_load *load,
                                const rc_costs *const *costs, rc_plan_bounds **out, rc_error *err) {
    assert(p->offer_count >= 1 && p->offer_count <= RC_PLAN_OFFERS);
    assert(load->class_count >= 1);
    rc_plan_bounds *b = calloc(1, sizeof *b);
    *out = NULL;
    if (!b)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the bounds of a plan");
    b->p = p;
    b->load = load;
    b->ctx = rc_forward_ctx_create();
    b->seqs = malloc(BATCH_MAX * sizeof *b->seqs);
    b->steps = malloc(STEPS * sizeof *b->steps);
    rc_status st = b->ctx && b->seqs && b->steps
                       ? RC_OK
                       : rc_fail(err, RC_E_NOMEM, "out of memory for the bounds of a plan");
    for (int i = 0; i < p->offer_count && st == RC_OK; i++) {
        rc_machine roomy = p->offers[i].machine;
        roomy.memory = UNLIMITED;
        st = rc_costs_view(costs[i], &roomy, &b->costs[i], err);
    }
    if (st == RC_OK)
        *out = b;
    else
        rc_plan_bounds_free(b);
    return st;
}

void rc_plan_bounds_free(rc_plan_bounds *b) {
    if (!b)
        return;
    for (int i = 0; i < b->layout_count; i++)
        free(b->layouts[i].time);
    for (int i = 0; i < RC_PLAN_OFFERS; i++)
        rc_costs_close(b->costs[i]);
    rc_forward_ctx_destroy(b->ctx);
    free(b->seqs);
    free(b->steps);
    free(b);
}

/* ---- single passes --------------------------------------------------------------------------- */

/* On `cp` ranks, which may be fewer than the option's. */
static rc_status pass(rc_plan_bounds *b, const rc_plan_option *o, int cp,
                      const rc_schedule *schedule, bool decode, int batch, rc_sequence seq,
                      double *out, rc_error *err) {
    assert(batch >= 1 && batch <= BATCH_MAX);
    rc_forward_timing f;
    rc_spec spec = {.model = &b->p->model,
                    .costs = b->costs[o->offer],
                    .layout = b->p->dtypes,
                    .phase = decode ? RC_DECODE : RC_PREFILL,
                    .schedule = schedule,
                    .seqs = b->seqs,
                    .seq_count = (size_t)batch,
                    .eager = !decode,
                    .serial_ring = decode,
                    .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
    spec.layout.tp = o->tp;
    spec.layout.cp = cp;
    spec.layout.kv = (rc_dtype)o->kv;
    if (!decode && seq.t < cp)
        seq.t = cp;
    for (int i = 0; i < batch; i++)
        b->seqs[i] = seq;
    RC_TRY(rc_forward_time(b->ctx, &spec, &f, err));
    *out = f.time;
    return RC_OK;
}

/* Seconds of one prompt by the fastest schedule that the option may take. */
static rc_status prompt_time(rc_plan_bounds *b, const rc_plan_option *o, rc_sequence seq,
                             double *out, rc_error *err) {
    rc_layout cut = b->p->dtypes;
    cut.tp = o->tp;
    *out = INFINITY;
    for (cut.cp = o->cp; cut.cp >= 1; cut.cp /= 2) {
        const int cp = cut.cp;
        rc_pick pick = rc_plan_pick(b->p, o, cp);
        const rc_schedule *s;
        for (int i = 0; (s = rc_pick_candidate(&pick, i)) != NULL; i++) {
            double t;
            if (cp < o->cp && rc_schedule_fits(s, &b->p->model, &cut, NULL) != RC_OK)
                continue; /* fewer ranks are a choice */
            RC_TRY(pass(b, o, cp, s, false, 1, seq, &t, err));
            *out = fmin(*out, t);
        }
        if (!o->dynamic)
            return RC_OK;
    }
    return RC_OK;
}

static int by_time(const void *x, const void *y) {
    const double *a = x, *b = y;
    return (a[0] > b[0]) - (a[0] < b[0]);
}

/* The share-quantile of the prefill times of the requests that the objective speaks of. */
static rc_status prompt_quantile(const rc_plan_bounds *b, const prefills *l, const rc_objective *g,
                                 double *out, rc_error *err) {
    assert(g->share > 0.0 && g->share <= 1.0);
    const rc_plan_load *w = b->load;
    double(*at)[2] = malloc(w->class_count * sizeof *at), all = 0.0, seen = 0.0;
    size_t n = 0;
    if (!at)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the bounds of a plan");
    for (size_t i = 0; i < w->class_count; i++) {
        if (w->classes[i].input < (double)g->from || w->classes[i].input >= (double)g->to)
            continue;
        at[n][0] = l->time[i];
        at[n++][1] = w->classes[i].count;
        all += w->classes[i].count;
    }
    qsort(at, n, sizeof *at, by_time);
    *out = 0.0;
    for (size_t i = 0; i < n && seen < g->share * all; i++) {
        seen += at[i][1];
        *out = at[i][0];
    }
    free(at);
    return RC_OK;
}

static rc_status fill_layout(rc_plan_bounds *b, prefills *l, rc_error *err) {
    const rc_plan_load *w = b->load;
    double n = 0.0, t;
    l->token = INFINITY;
    for (int i = 0; i < RATES; i++) {
        RC_TRY(prompt_time(b, &l->key, (rc_sequence){rate_tokens[i], 0}, &t, err));
        l->token = fmin(l->token, t / (double)rate_tokens[i]);
    }
    for (size_t i = 0; i < w->class_count; i++) {
        const rc_plan_class *c = &w->classes[i];
        RC_TRY(prompt_time(b, &l->key, (rc_sequence){c->t, c->p}, &l->time[i], err));
        n += c->count;
        l->work += c->count * fmin(l->time[i], (double)c->t * l->token);
        l->mean += c->count * l->time[i];
        l->square += c->count * l->time[i] * l->time[i];
    }
    l->mean /= n;
    l->square /= n;
    for (int i = 0; i < b->p->objective_count; i++)
        RC_TRY(prompt_quantile(b, l, &b->p->objectives[i], &l->quantile[i], err));
    return RC_OK;
}

static rc_status layout_of(rc_plan_bounds *b, const rc_plan_option *o, const prefills **out,
                           rc_error *err) {
    for (int i = 0; i < b->layout_count; i++) {
        const rc_plan_option *k = &b->layouts[i].key;
        *out = &b->layouts[i];
        if (k->offer == o->offer && k->tp == o->tp && k->cp == o->cp && k->pick == o->pick &&
            k->dynamic == o->dynamic && k->kv == o->kv)
            return RC_OK;
    }
    if (b->layout_count == LAYOUTS)
        return rc_fail(err, RC_E_INPUT, "plan '%s': more than %d layouts", b->p->name, LAYOUTS);
    prefills *l = &b->layouts[b->layout_count];
    *l = (prefills){.key = *o};
    l->time = calloc(b->load->class_count, sizeof *l->time);
    if (!l->time)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the bounds of a plan");
    b->layout_count++;
    *out = l;
    return fill_layout(b, l, err);
}

/* A decode step. Batches are rounded down to a power of two and contexts to one of
 * STEPS_PER_DECADE, which keeps the time a lower bound. */
static rc_status step_time(rc_plan_bounds *b, const rc_plan_option *o, int cp, double batch,
                           double context, double *out, rc_error *err) {
    int n = 1;
    while (2 * n <= BATCH_MAX && 2.0 * n <= batch)
        n *= 2;
    int64_t keys =
        context > 1.0
            ? (int64_t)pow(10.0, floor(STEPS_PER_DECADE * log10(context)) / STEPS_PER_DECADE)
            : 1;
    const rc_pick pick = rc_plan_pick(b->p, o, cp);
    const rc_schedule *decoding = rc_schedule_decoding(pick.schedule, cp);
    for (int i = 0; i < b->step_count; i++) {
        const step *s = &b->steps[i];
        if (s->offer == o->offer && s->tp == o->tp && s->cp == cp && s->kv == o->kv &&
            s->schedule == decoding && s->batch == n && s->context == keys) {
            *out = s->time;
            return RC_OK;
        }
    }
    RC_TRY(pass(b, o, cp, decoding, true, n, (rc_sequence){1, keys}, out, err));
    if (b->step_count < STEPS)
        b->steps[b->step_count++] =
            (step){o->offer, o->tp, (int16_t)cp, o->kv, n, keys, *out, decoding};
    return RC_OK;
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Tokens of KV that one replica holds, as the serve room counts them; 0: the model does not fit. */
static rc_status kv_tokens(const rc_plan_bounds *b, const rc_plan_option *o, int cp, bool decodes,
                           double *out, rc_error *err) {
    const rc_plan *p = b->p;
    rc_layout l = p->dtypes;
    rc_memory mem;
    rc_kv_room room;
    const rc_kv_passes passes = {.longest = b->load->longest_input,
                                 .chunk = o->chunked ? o->budget : 0,
                                 .decodes = decodes ? o->max_batch : 0};
    rc_pick pick = rc_plan_pick(p, o, cp);
    l.tp = o->tp;
    l.cp = cp;
    l.kv = (rc_dtype)o->kv;
    RC_TRY(rc_pass_kv_room(pick.schedule, &p->model, &l, &passes,
                           rc_machine_usable(&p->offers[o->offer].machine), &mem, &room, err));
    *out = room.tokens;
    return RC_OK;
}

/* ---- layout ---------------------------------------------------------------------------------- */

static bool layout_possible(const rc_plan *p, const rc_plan_option *o) {
    const rc_machine *m = &p->offers[o->offer].machine;
    rc_layout l = p->dtypes;
    l.tp = o->tp;
    l.cp = o->cp;
    const rc_pick pick = rc_plan_pick(p, o, o->cp);
    if (rc_schedule_fits(pick.schedule, &p->model, &l, NULL) != RC_OK)
        return false;
    if (o->chunked && !rc_schedule_takes(pick.schedule, RC_MIXED, o->cp))
        return false; /* chunked passes decode beside prompts */
    bool whole =
        o->tp <= m->gpus_per_node ? m->gpus_per_node % o->tp == 0 : o->tp % m->gpus_per_node == 0;
    bool alone = m->nic_rate <= 0.0;
    int most = o->tp * (o->cp > o->decode_cp ? o->cp : o->decode_cp);
    return whole && !(alone && (o->decode > 0 || most > m->gpus_per_node));
}

/* Whether a step over KV in the option's type has a cost on its offer; any other type than bf16 may
 * lack rows. */
static bool kv_measured(const rc_plan_bounds *b, const rc_plan_option *o) {
    const rc_layer_kind *l = rc_model_typical(&b->p->model);
    rc_cost ignored;
    return o->kv == RC_BF16 ||
           rc_cost_decode(b->costs[o->offer], (rc_dtype)o->kv, 1, 1024,
                          rc_layer_form_of(l)->heads(l, 1), &ignored, NULL) == RC_OK;
}

/* ---- latency and work ------------------------------------------------------------------------ */

/* Mean wait, s, of a queue with c servers and a load of rho a server; a service takes `mean` s
 * and its mean square is `square`. */
static double mean_wait(double c, double rho, double mean, double square) {
    assert(c >= 1.0);
    assert(mean > 0.0);
    if (rho >= 1.0)
        return INFINITY;
    double cv2 = fmax(0.0, square / (mean * mean) - 1.0);
    return mean * pow(rho, sqrt(2.0 * (c + 1.0)) - 1.0) / (c * (1.0 - rho)) * (1.0 + cv2) / 2.0;
}

typedef struct decode_view {
    double work;      /* s, all tokens, at the best batch */
    double lone, run; /* s: a step of one sequence; a step as the load makes it */
} decode_view;

/* Decode as the load makes it. How many sequences decode at once follows from the time of a
 * step, and that time from their number. */
static rc_status view_decode(rc_plan_bounds *b, const rc_plan_option *o, double tokens,
                             decode_view *out, rc_error *err) {
    const rc_plan_load *w = b->load;
    bool split = o->decode > 0;
    int cp = split ? o->decode_cp : o->cp, replicas = split ? o->decode : o->prefill;
    double most = fmin(fmin((double)o->max_batch, tokens / fmax(w->context, 1.0)), w->requests);
    double best, running = 1.0;
    most = fmax(most, 1.0);
    RC_TRY(step_time(b, o, cp, most, w->context, &best, err));
    RC_TRY(step_time(b, o, cp, 1.0, (double)w->least_context, &out->lone, err));
    out->work = w->output * best / most;
    out->run = out->lone;
    for (int i = 0; i < FIXED_POINT_ROUNDS && w->span > 0.0; i++) {
        running = fmin(most, fmax(1.0, b->p->growth * w->output / (w->span * replicas) * out->run));
        RC_TRY(step_time(b, o, cp, running, w->context, &out->run, err));
    }
    return RC_OK;
}

/* The gap between two tokens at the 95th percentile: where prompts come between more than TAIL
 * of the steps, it holds one of their passes. */
static double gap(const rc_plan_bounds *b, const rc_plan_option *o, const prefills *l,
                  const decode_view *d) {
    const rc_plan_load *w = b->load;
    if (o->decode > 0 || w->span <= 0.0)
        return d->run;
    double rate = b->p->growth / (w->span * o->prefill); /* of this replica */
    double chunk = o->chunked ? fmin((double)o->budget * l->token, l->mean) : l->mean;
    double passes = o->chunked ? l->work / fmax(chunk, 1e-9) : w->requests;
    return rate * passes * d->run > TAIL ? d->run + chunk : d->run;
}

double rc_plan_estimate(const rc_plan_bound *b, double scale) {
    assert(scale >= 0.0);
    double rho = b->rho * scale;
    if (rho >= 1.0)
        return fmax(b->floor, OVERLOADED * rho);
    if (b->limit <= 0.0)
        return b->floor;
    double wait = TAIL_OVER_MEAN * mean_wait(b->servers, rho, b->mean, b->square);
    return fmax(b->floor, (b->prompt + wait) / b->limit);
}

static void put_floor(const rc_plan *p, const prefills *l, double ttit, rc_plan_bound *out) {
    for (int i = 0; i < p->objective_count; i++) {
        const rc_objective *g = &p->objectives[i];
        double share = (g->ttit ? ttit : l->quantile[i]) / g->limit;
        out->floor = fmax(out->floor, share);
        if (g->ttit || (out->limit > 0.0 && share <= out->prompt / out->limit))
            continue;
        out->prompt = l->quantile[i];
        out->limit = g->limit;
    }
}

static rc_plan_cut latency_cut(const rc_plan *p, const prefills *l, const decode_view *d) {
    for (int i = 0; i < p->objective_count; i++) {
        const rc_objective *g = &p->objectives[i];
        if (!g->ttit && l->quantile[i] > g->limit)
            return RC_CUT_PREFILL;
        if (g->ttit && d->lone > g->limit)
            return RC_CUT_DECODE;
    }
    return RC_CUT_NONE;
}

/* The share of the span by which a backlog may grow without breaking the tightest TTFT. */
static double patience(const rc_plan *p, double span) {
    assert(span > 0.0);
    double least = INFINITY;
    for (int i = 0; i < p->objective_count; i++)
        if (!p->objectives[i].ttit)
            least = fmin(least, p->objectives[i].limit);
    return isfinite(least) ? least / (BACKLOG_SHARE * span) : 0.0;
}

static rc_status judge(rc_plan_bounds *b, const rc_plan_option *o, double tokens,
                       rc_plan_bound *out, rc_error *err) {
    const rc_plan *p = b->p;
    const prefills *l = NULL;
    decode_view d;
    double span = b->load->span;
    RC_TRY(layout_of(b, o, &l, err));
    RC_TRY(view_decode(b, o, tokens, &d, err));
    for (int i = p->objective_count; i-- > 0;)
        if (!p->objectives[i].ttit)
            out->ttft = l->quantile[i];
    out->ttit = d.lone;
    out->cut = latency_cut(p, l, &d);
    if (span > 0.0) {
        double n = p->growth / span, prefill = n * l->work / o->prefill;
        double decode = n * d.work / (o->decode > 0 ? o->decode : o->prefill);
        bool apart = o->decode > 0;
        out->load = apart || o->chunked ? fmax(prefill, decode) : prefill + decode;
        if (out->cut == RC_CUT_NONE && out->load > 1.0 + patience(p, span))
            out->cut = RC_CUT_WORK;
        out->rho = apart ? prefill : prefill + decode;
    }
    out->servers = o->prefill;
    out->mean = l->mean;
    out->square = l->square;
    put_floor(p, l, gap(b, o, l, &d), out);
    return RC_OK;
}

rc_status rc_plan_bound_of(rc_plan_bounds *b, const rc_plan_option *o, rc_plan_bound *out,
                           rc_error *err) {
    double tokens = 0.0, prompts = 0.0;
    bool split = o->decode > 0;
    assert(o->offer >= 0 && o->offer < b->p->offer_count);
    *out = (rc_plan_bound){0};
    if (!layout_possible(b->p, o)) {
        out->cut = RC_CUT_LAYOUT;
        return RC_OK;
    }
    if (!kv_measured(b, o)) {
        out->cut = RC_CUT_KV;
        return RC_OK;
    }
    RC_TRY(kv_tokens(b, o, split ? o->decode_cp : o->cp, split, &tokens, err));
    RC_TRY(kv_tokens(b, o, o->cp, false, &prompts, err));
    if (tokens < (double)b->load->longest || prompts < (double)b->load->longest_input) {
        out->cut = RC_CUT_MEMORY;
        return RC_OK;
    }
    return judge(b, o, tokens, out, err);
}
