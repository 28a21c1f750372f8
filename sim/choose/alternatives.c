/* Every CP degree and every schedule for one prefill, simulated one after the other.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/choose/alternatives.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/schedule/layer.h"
#include "sim/schedule/totals.h"

/* Tokens of an attention whose rate no longer grows with its size. */
enum { LARGE = 32768 };
/* Bytes of a message of which the same holds. */
#define LARGE_MESSAGE (256.0 * 1024 * 1024)

static rc_status simulate(const rc_spec *spec, rc_alternative *out, rc_error *err) {
    rc_forward f;
    rc_error why = {0};
    if (spec->seqs[0].t < out->cp) {
        out->status = RC_E_INPUT;
        out->time = NAN;
        (void)snprintf(out->why, sizeof out->why, "fewer new tokens than ranks");
        return RC_OK;
    }
    out->status = rc_schedule_fits(out->schedule, spec->model, &spec->layout, &why);
    if (out->status != RC_OK) {
        out->time = NAN;
        (void)snprintf(out->why, sizeof out->why, "%.250s", why.msg);
        return RC_OK;
    }
    out->status = rc_forward_run(spec, &f, &why);
    out->time = out->status == RC_OK ? f.time : NAN;
    memcpy(out->basis, f.basis, sizeof out->basis);
    out->caution =
        rc_forward_caution(rc_costs_machine(spec->costs), out->schedule, out->cp, spec->phase);
    (void)snprintf(out->why, sizeof out->why, "%.250s", why.msg);
    if (out->status == RC_OK || out->status == RC_E_NOFIT || out->status == RC_E_SIZE)
        return RC_OK;
    if (err)
        *err = why;
    return out->status;
}

rc_spec rc_alternative_spec(const rc_model *m, const rc_costs *costs, const rc_layout *layout,
                            const rc_alternative *a, const rc_sequence *seqs, size_t seq_count) {
    rc_spec spec = {.model = m,
                    .costs = costs,
                    .layout = *layout,
                    .phase = RC_PREFILL,
                    .schedule = a->schedule,
                    .seqs = seqs,
                    .seq_count = seq_count,
                    .eager = true,
                    .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
    spec.layout.cp = a->cp;
    spec.layout.ulysses = a->ulysses;
    spec.layout.dcp = a->dcp;
    spec.layout.dp = a->dp;
    spec.layout.ep = a->ep;
    if (a->dp > 1) { /* equal sequences */
        spec.seq_count = (seq_count + (size_t)a->dp - 1) / (size_t)a->dp;
        const double one =
            rc_model_gemm_flops(m, seqs[0].t) + rc_model_attention_flops(m, seqs[0].t, seqs[0].p);
        const int64_t others = (int64_t)(seq_count - spec.seq_count);
        spec.elsewhere = (rc_elsewhere){others * seqs[0].t, others};
        spec.elsewhere_flops = (double)others * one;
    }
    return spec;
}

/* One of two levels only where the ranks can be cut into groups, of a node each at most. */
static void add(const rc_model *m, const rc_costs *costs, const rc_layout *layout,
                const rc_schedule *s, int cp, rc_alternative *out, int *count) {
    rc_layout l = *layout;
    l.cp = cp;
    l.ulysses = 1;
    const int gpus = rc_layout_gpus(&l);
    l.ep = l.ep < gpus ? l.ep : gpus;
    if (rc_schedule_suit(s, m, rc_costs_machine(costs)->gpus_per_node / l.tp, &l))
        out[(*count)++] = (rc_alternative){
            .cp = cp, .ulysses = l.ulysses, .dcp = l.dcp, .dp = l.dp, .ep = l.ep, .schedule = s};
}

/* What one TP group, or several with sequences of their own, can do besides. */
static void add_groups(const rc_model *m, const rc_costs *costs, const rc_layout *layout,
                       rc_alternative *out, int *count) {
    rc_layout cut = *layout, groups = *layout;
    cut.dp = groups.dcp = 1;
    for (int i = 0; rc_layout_dcp(layout) > 1 && rc_schedule_at(i); i++)
        if ((rc_schedule_at(i)->groups & RC_OVER_TP) != 0 &&
            rc_schedule_takes(rc_schedule_at(i), RC_PREFILL, 1))
            add(m, costs, &cut, rc_schedule_at(i), 1, out, count);
    if (rc_layout_dp(layout) > 1)
        add(m, costs, &groups, rc_schedule_usual(RC_PREFILL, 1), 1, out, count);
}

static int next_lower(int cp) {
    int n = 1;
    while (2 * n < cp)
        n *= 2;
    return n;
}

rc_status rc_choose_alternatives(const rc_model *m, const rc_costs *costs, const rc_layout *layout,
                                 int cp, int64_t t, int64_t p, int batch, rc_alternative *out,
                                 int *count, rc_error *err) {
    assert(cp >= 1 && cp <= RC_ALTERNATIVES_CP);
    assert(batch >= 1 && t >= 1 && p >= 0);
    rc_sequence *seqs = calloc((size_t)batch, sizeof *seqs);
    if (!seqs)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %d sequences", batch);
    for (int i = 0; i < batch; i++)
        seqs[i] = (rc_sequence){t, p};
    rc_layout plain = *layout;
    plain.dcp = plain.dp = 1;
    *count = 0;
    for (int n = cp; n > 1; n = next_lower(n))
        for (int i = 0; rc_schedule_at(i); i++)
            if (rc_schedule_takes(rc_schedule_at(i), RC_PREFILL, n))
                add(m, costs, &plain, rc_schedule_at(i), n, out, count);
    add(m, costs, &plain, rc_schedule_usual(RC_PREFILL, 1), 1, out, count);
    add_groups(m, costs, layout, out, count);
    rc_status st = RC_OK;
    for (int i = 0; i < *count && st == RC_OK; i++) {
        rc_spec spec = rc_alternative_spec(m, costs, layout, &out[i], seqs, (size_t)batch);
        st = simulate(&spec, &out[i], err);
    }
    free(seqs);
    return st;
}

int rc_alternative_best(const rc_alternative *a, int count) {
    int best = -1;
    for (int i = 0; i < count; i++)
        if (a[i].status == RC_OK && a[i].caution == NULL && (best < 0 || a[i].time < a[best].time))
            best = i;
    return best;
}

int rc_alternative_find(const rc_alternative *a, int count, int cp, const rc_schedule *s) {
    for (int i = 0; i < count; i++)
        if (a[i].cp == cp && a[i].schedule == s)
            return i;
    return -1;
}

rc_status rc_choose_link_rates(const rc_costs *costs, int tp, int n, rc_choose_rates *out,
                               rc_error *err) {
    assert(tp >= 1 && n >= 1);
    const rc_machine *m = rc_costs_machine(costs);
    const int ranks = n > 1 ? n : 2; /* one alone: as if there were another */
    const rc_transfer x = {.bytes = LARGE_MESSAGE, .ranks = ranks, .nodes = 1};
    rc_p2p link;
    if ((int64_t)tp * ranks > m->gpus_per_node && m->peer_rate > 0.0) {
        out->bw = m->nic_rate;
        out->achieved_bw = m->peer_rate;
        return RC_OK;
    }
    RC_TRY(rc_cost_p2p(costs, &x, &link, err));
    out->bw = strcmp(m->intra_transport, "nvlink") == 0 ? m->nvlink_rate : 0.0;
    out->achieved_bw = link.peer_rate;
    return RC_OK;
}

rc_status rc_choose_rates_of(const rc_costs *costs, const rc_model *m, int tp, int n,
                             rc_choose_rates *out, rc_error *err) {
    assert(tp >= 1 && n >= 1);
    const rc_layer_kind *l = rc_model_typical(m);
    const rc_heads h = rc_layer_form_of(l)->heads(l, tp);
    rc_cost cost;
    *out = (rc_choose_rates){.c = rc_costs_machine(costs)->bf16_rate};
    RC_TRY(rc_cost_attention(costs, RC_BF16, 0, LARGE, LARGE, h, &cost, err));
    out->achieved_c =
        2.0 * (h.key_size + h.value_size) * h.query * LARGE * (double)LARGE / cost.p50;
    return rc_choose_link_rates(costs, tp, n, out, err);
}
