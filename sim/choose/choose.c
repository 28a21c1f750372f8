/* The equations and the three rules.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/choose/choose.h"
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/schedule/absorbs.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/totals.h"

/* arXiv 2411.01783v3, appendix D. */
static const rc_rule rules[RC_RULE_COUNT] = {
    [RC_RULE_ALGORITHM_1] = {.kind = RC_RULE_ALGORITHM_1},
    [RC_RULE_ALGORITHM_5] = {.kind = RC_RULE_ALGORITHM_5},
    [RC_RULE_EMPIRICAL] = {RC_RULE_EMPIRICAL, -1.059, 1.145, 12.112},
};

const rc_schedule *rc_choice_schedule(rc_choice c) {
    assert((unsigned)c < RC_CHOICES);
    return c == RC_CHOOSE_PASS_KV ? &rc_schedule_pass_kv : &rc_schedule_pass_q;
}

const char *rc_choice_name(rc_choice c) {
    return rc_choice_schedule(c)->name;
}

static bool positive(double v) {
    return isfinite(v) && v > 0.0;
}

rc_status rc_choose_check(const rc_choose_input *in, rc_error *err) {
    if (!positive(in->t))
        return rc_fail(err, RC_E_INPUT, "T is %g, expected at least one new token", in->t);
    if (!isfinite(in->p) || in->p < 0.0)
        return rc_fail(err, RC_E_INPUT, "P is %g, expected 0 or more cached tokens", in->p);
    if (in->n < 1)
        return rc_fail(err, RC_E_INPUT, "N is %d, expected at least 1 CP rank", in->n);
    if (in->kv_heads < 1 || in->heads < in->kv_heads)
        return rc_fail(err, RC_E_INPUT, "N_H is %d and N_KV %d, expected N_H >= N_KV >= 1",
                       in->heads, in->kv_heads);
    if (!positive(in->e))
        return rc_fail(err, RC_E_INPUT, "e is %g, expected bytes per element above 0", in->e);
    if (!positive(in->c))
        return rc_fail(err, RC_E_INPUT, "C is %g, expected FLOP/s above 0", in->c);
    if (!positive(in->bw))
        return rc_fail(err, RC_E_INPUT, "BW is %g, expected bytes/s above 0", in->bw);
    if (in->kv_bytes != 0.0 && !(positive(in->kv_bytes) && positive(in->q_bytes) &&
                                 positive(in->out_bytes) && positive(in->pair_flops)))
        return rc_fail(err, RC_E_INPUT,
                       "latents of %g bytes, queries of %g, outputs of %g and %g FLOPs a pair; all "
                       "must be above 0",
                       in->kv_bytes, in->q_bytes, in->out_bytes, in->pair_flops);
    return RC_OK;
}

/* Of one GPU, whose TP group has the heads cut and the latents whole. */
static void of_latents(const rc_layer_kind *l, const rc_layout *layout, bool absorbed,
                       rc_choose_input *in) {
    const double heads = (double)l->heads / layout->tp, rank = l->latent.kv_rank;
    const double rope = l->latent.rope, nope = (double)l->head_dim - rope, v = l->value_dim;
    const double q = absorbed ? rank + rope : nope + rope, out = absorbed ? rank : v;
    const double act = rc_dtype_bytes(layout->act), make = 2.0 * rank * heads * (nope + v);
    in->kv_bytes = (rank + rope) * rc_dtype_bytes(layout->kv);
    if (!absorbed)
        in->kv_bytes += make * in->bw / in->c;
    in->q_bytes = heads * q * act;
    in->out_bytes = heads * out * act;
    in->pair_flops = 2.0 * heads * (q + out);
}

rc_choose_input rc_choose_input_of(const rc_model *m, const rc_layout *layout, int n, double t,
                                   double p, double c, double bw) {
    const rc_layer_kind *l = rc_model_typical(m);
    rc_choose_input in = {.t = t,
                          .p = p,
                          .n = n,
                          .heads = l->heads,
                          .kv_heads = l->kv_heads,
                          .e = rc_dtype_bytes(layout->kv),
                          .c = c,
                          .bw = bw};
    if (l->mixer != RC_MIX_LATENT || rc_choose_check(&in, NULL) != RC_OK)
        return in;
    const rc_sequence s = {llround(t), llround(p)};
    rc_request rq = {
        .model = m, .layout = *layout, .phase = RC_PREFILL, .seqs = &s, .seq_count = 1};
    rq.layout.cp = n;
    of_latents(l, layout, rc_absorbs(&rq, l), &in);
    return in;
}

double rc_miss_rate(const rc_choose_input *in) {
    assert(in->t > 0.0 && in->p >= 0.0);
    return in->t / (in->t + in->p);
}

/* KV over Q in bytes: 2 N_KV / N_H. */
static double kv_over_q(const rc_choose_input *in) {
    return in->kv_bytes > 0.0 ? in->kv_bytes / in->q_bytes : 2.0 * in->kv_heads / in->heads;
}

/* Whether it holds is left to say. */
static rc_choose_test compared(const char *name, const char *says, double left, double right) {
    return (rc_choose_test){.name = name, .says = says, .left = left, .right = right};
}

rc_choose_test rc_equation_1(const rc_choose_input *in) {
    rc_choose_test t = compared("equation 1", "T/(T+P) <= 2 N_KV/N_H: Q is no larger than KV",
                                rc_miss_rate(in), kv_over_q(in));
    t.holds = t.left <= t.right;
    return t;
}

rc_choose_test rc_equation_2(const rc_choose_input *in) {
    rc_choose_test t =
        compared("equation 2", "T >= N C N_KV e / (2 N_H BW): pass-KV hides under attention", in->t,
                 in->n * in->c * in->kv_heads * in->e / (2.0 * in->heads * in->bw));
    if (in->kv_bytes > 0.0) {
        t.says = "T >= N C kv / (f BW): pass-KV hides under attention";
        t.right = in->n * in->c * in->kv_bytes / (in->pair_flops * in->bw);
    }
    t.holds = t.left >= t.right;
    return t;
}

rc_choose_test rc_equation_3(const rc_choose_input *in) {
    rc_choose_test t = compared("equation 3", "T+P >= N e C / (4 BW): the ring of pass-Q hides",
                                in->t + in->p, in->n * in->e * in->c / (4.0 * in->bw));
    if (in->kv_bytes > 0.0) {
        t.says = "T+P >= N C q / (f BW): the ring of pass-Q hides";
        t.right = in->n * in->c * in->q_bytes / (in->pair_flops * in->bw);
    }
    t.holds = t.left >= t.right;
    return t;
}

rc_choose_test rc_gathers_latents(const rc_choose_input *in) {
    assert(in->kv_bytes > 0.0);
    rc_choose_test t = compared("queries < cached", "T (q + out) < P kv",
                                in->t * (in->q_bytes + in->out_bytes), in->p * in->kv_bytes);
    t.holds = t.left < t.right;
    return t;
}

const char *const *rc_rule_names(void) {
    static const char *const names[RC_RULE_COUNT + 1] = {"algorithm-1", "algorithm-5", "empirical",
                                                         NULL};
    return names;
}

const char *rc_rule_name(rc_rule_kind k) {
    assert((unsigned)k < RC_RULE_COUNT);
    return rc_rule_names()[k];
}

rc_status rc_rule_named(const char *name, rc_rule *out, rc_error *err) {
    for (int i = 0; i < RC_RULE_COUNT; i++) {
        if (strcmp(name, rc_rule_names()[i]) == 0) {
            *out = rules[i];
            return RC_OK;
        }
    }
    const char *near = rc_nearest(name, rc_rule_names());
    return rc_fail(err, RC_E_INPUT,
                   "unknown rule '%s'%s%s%s; expected algorithm-1, algorithm-5 or empirical", name,
                   near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

/* The miss rate from which on pass-KV is picked. Algorithm 5 weighs what pass-KV leaves exposed against
 * the all-to-all of outputs, which are as large as queries but of latents: kv/out - T f BW/(N C out),
 * 4 T BW/(N C e) of it for each output. */
static double least_miss_rate(const rc_rule *rule, const rc_choose_input *in) {
    if (rule->kind != RC_RULE_ALGORITHM_5)
        return kv_over_q(in);
    if (in->kv_bytes > 0.0)
        return (in->kv_bytes - in->t * in->pair_flops * in->bw / (in->n * in->c)) / in->out_bytes;
    return kv_over_q(in) - 4.0 * in->t * in->bw / (in->n * in->c * in->e);
}

static rc_choose_test miss_rate_test(const rc_rule *rule, const rc_choose_input *in) {
    const bool latents = in->kv_bytes > 0.0;
    rc_choose_test t = compared("miss rate", latents ? "T/(T+P) >= kv/q" : "T/(T+P) >= 2 N_KV/N_H",
                                rc_miss_rate(in), least_miss_rate(rule, in));
    if (rule->kind == RC_RULE_ALGORITHM_5)
        t.says = latents ? "T/(T+P) >= kv/out - T f BW/(N C out)"
                         : "T/(T+P) >= 2 N_KV/N_H - 4 T BW/(N C e)";
    t.holds = t.left >= t.right;
    return t;
}

static rc_choose_test empirical_test(const rc_rule *rule, const rc_choose_input *in) {
    rc_choose_test t =
        compared("empirical", "alpha ln T + beta ln(T/(T+P)) + gamma > 0",
                 rule->alpha * log(in->t) + rule->beta * log(rc_miss_rate(in)) + rule->gamma, 0.0);
    t.holds = t.left > t.right;
    return t;
}

rc_status rc_choose(const rc_rule *rule, const rc_choose_input *in, rc_decision *out,
                    rc_error *err) {
    memset(out, 0, sizeof *out);
    RC_TRY(rc_choose_check(in, err));
    bool pass_kv = false;
    if (rule->kind == RC_RULE_EMPIRICAL) {
        out->test[out->tests++] = empirical_test(rule, in);
    } else {
        out->test[out->tests++] = rc_equation_2(in);
        out->test[out->tests++] = miss_rate_test(rule, in);
    }
    for (int i = 0; i < out->tests; i++)
        pass_kv = pass_kv || out->test[i].holds;
    out->choice = pass_kv ? RC_CHOOSE_PASS_KV : RC_CHOOSE_PASS_Q;
    return RC_OK;
}

double rc_rule_frontier(const rc_rule *rule, const rc_choose_input *in) {
    assert(in->t > 0.0 && in->n >= 1 && in->c > 0.0 && in->bw > 0.0);
    if (rule->kind == RC_RULE_EMPIRICAL) {
        if (!(rule->beta > 0.0))
            return NAN;
        return exp(-(rule->alpha * log(in->t) + rule->gamma) / rule->beta);
    }
    if (rc_equation_2(in).holds)
        return 0.0;
    const double right = least_miss_rate(rule, in);
    return right > 0.0 ? right : 0.0;
}

rc_choice rc_choose_oracle(double pass_kv, double pass_q) {
    assert(!isnan(pass_kv) && !isnan(pass_q));
    return pass_kv <= pass_q ? RC_CHOOSE_PASS_KV : RC_CHOOSE_PASS_Q;
}
