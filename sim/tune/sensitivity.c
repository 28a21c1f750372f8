/* How the tie of pass-KV and pass-Q moves: one thing at a time, at one length and degree.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/base/parallel.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/layout.h"
#include "sim/schedule/totals.h"
#include "sim/tune/tune_internal.h"

static const double bandwidth[] = {0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0};
static const double compute[] = {0.25, 0.5, 1.0, 2.0, 4.0};
static const int kv_heads[] = {8, 16, 32, 64, 128};
#define UNBOUNDED 1e15 /* bytes: whether it fits is not the question here */
enum { LEAST_T = 16 }; /* tokens: where the search for the tie begins */
enum {
    BANDWIDTHS = sizeof bandwidth / sizeof bandwidth[0],
    COMPUTES = sizeof compute / sizeof compute[0],
    GROUPS = sizeof kv_heads / sizeof kv_heads[0]
};

/* One question: its machine and model differ from the run's in one thing. */
typedef struct question {
    rc_machine machine;
    rc_model model;
    rc_layout layout;
    int n;
    double peak; /* FLOP/s of attention, as the rules see it */
} question;

static rc_tune_variation *ask(rc_tune *t, question *q, const char *what, double x) {
    assert(t->variations < RC_TUNE_VARIATIONS);
    rc_tune_variation *s = &t->variation[t->variations];
    q[t->variations] = (question){t->s.machine, t->s.model, t->s.layout, t->s.sensitivity_cp,
                                  t->s.machine.bf16_rate};
    q[t->variations++].machine.memory = UNBOUNDED;
    *s = (rc_tune_variation){.what = what, .x = x, .t = NAN, .algorithm_1 = NAN};
    return s;
}

static void ask_machine(rc_tune *t, question *q) {
    for (int i = 0; i < BANDWIDTHS; i++) {
        double rate = bandwidth[i] * t->s.machine.peer_rate;
        rc_tune_variation *s = ask(t, q, "bandwidth", rate);
        rc_machine *m = &q[t->variations - 1].machine;
        m->peer_rate = rate;
        m->nic_rate *= bandwidth[i];
        m->nic_line_rate *= bandwidth[i];
        (void)snprintf(s->label, sizeof s->label, "%.3g GB/s a connection", rate / 1e9);
    }
    for (int i = 0; i < COMPUTES; i++) {
        rc_tune_variation *s = ask(t, q, "attention rate", compute[i]);
        rc_machine *m = &q[t->variations - 1].machine;
        m->attention_ratio *= compute[i];
        m->bf16_rate *= fmax(compute[i], 1.0); /* attention beats no peak; GEMMs stay as they are */
        m->fp8_rate *= fmax(compute[i], 1.0);
        q[t->variations - 1].peak *= compute[i];
        (void)snprintf(s->label, sizeof s->label, "%.3g times the attention rate", compute[i]);
    }
    for (int d = 0; d < t->s.degrees; d++) {
        if (t->s.degree[d] < 2)
            continue;
        rc_tune_variation *s = ask(t, q, "ranks", t->s.degree[d]);
        q[t->variations - 1].n = t->s.degree[d];
        (void)snprintf(s->label, sizeof s->label, "N = %d", t->s.degree[d]);
    }
}

static rc_status ask_model(rc_tune *t, question *q, rc_error *err) {
    const int heads = rc_model_typical(&t->s.model)->heads;
    for (int i = 0; i < GROUPS; i++) {
        if (kv_heads[i] > heads || heads % kv_heads[i] != 0)
            continue;
        rc_tune_variation *s = ask(t, q, "KV heads", kv_heads[i]);
        rc_model *m = &q[t->variations - 1].model;
        for (int k = 0; k < m->kinds; k++)
            m->kind[k].kv_heads = kv_heads[i];
        (void)snprintf(s->label, sizeof s->label, "N_KV = %d of N_H = %d", kv_heads[i], heads);
    }
    for (int i = 0; i < 2; i++) {
        rc_tune_variation *s = ask(t, q, "FFN weights", i ? 1.0 : 2.0);
        q[t->variations - 1].layout.ffn_weights = i ? RC_FP8 : RC_BF16;
        (void)snprintf(s->label, sizeof s->label, "FFN weights in %s", i ? "fp8" : "bf16");
    }
    for (int i = 0; i < t->s.sensitivity_models; i++) {
        rc_tune_variation *s = ask(t, q, "model", i);
        RC_TRY(rc_model_open(t->s.sensitivity_model[i], &q[t->variations - 1].model, err));
        if (q[t->variations - 1].model.quant.method[0])
            rc_model_dtypes(&q[t->variations - 1].model, &q[t->variations - 1].layout);
        (void)snprintf(s->label, sizeof s->label, "%s", q[t->variations - 1].model.name);
    }
    return RC_OK;
}

/* T from which on Algorithm 1 picks pass-KV at this length: the first of its two tests to hold. */
static double algorithm_1(const question *q, double length) {
    const rc_layer_kind *l = rc_model_typical(&q->model);
    rc_choose_input in = {.t = 1.0,
                          .p = length - 1.0,
                          .n = q->n,
                          .heads = l->heads,
                          .kv_heads = l->kv_heads,
                          .e = rc_dtype_bytes(q->layout.kv),
                          .c = q->peak,
                          .bw = q->machine.peer_rate};
    return fmin(rc_equation_2(&in).right, length * rc_equation_1(&in).right);
}

typedef struct context {
    rc_tune *t;
    const question *q;
} context;

static rc_status answer(void *ctx, size_t item, rc_error *err) {
    const context *c = ctx;
    const question *q = &c->q[item];
    rc_tune_variation *s = &c->t->variation[item];
    rc_costs *view = NULL;
    rc_tune_timer timer;
    s->algorithm_1 = algorithm_1(q, (double)c->t->s.sensitivity_total);
    RC_TRY(rc_costs_view(c->t->costs, &q->machine, &view, err));
    rc_status st = rc_tune_timer_open(&q->model, view, &q->layout, 1, &timer, err);
    if (st == RC_OK)
        st = rc_tune_cross(&timer, q->n, c->t->s.sensitivity_total, LEAST_T,
                           c->t->s.sensitivity_total, &s->t, &s->side, err);
    rc_tune_timer_close(&timer);
    rc_costs_close(view);
    return st;
}

rc_status rc_tune_sensitivity(rc_tune *t, rc_error *err) {
    question q[RC_TUNE_VARIATIONS];
    if (t->s.sensitivity_total == 0)
        return RC_OK;
    assert(t->s.sensitivity_cp >= 2 && t->s.sensitivity_total > LEAST_T);
    assert(t->s.sensitivity_models <= RC_TUNE_MODELS);
    ask_machine(t, q);
    RC_TRY(ask_model(t, q, err));
    context c = {t, q};
    return rc_parallel((size_t)t->variations, t->threads, answer, &c, err);
}
