/* Choosing between ring pass-KV and ring pass-Q: the published rules as pure functions.
 *
 * A rule takes one prefill of T new tokens after P cached ones on N CP ranks and names a variant;
 * it also reports the left and the right side of every test it made, so that a user sees by how
 * much it was decided. Nothing here simulates: the oracle compares two times that the caller has.
 *
 * Units, and the reading that reproduces the published counts: T and P in tokens; N_H and N_KV are
 * the whole model's heads; C in FLOP/s and BW in bytes/s are those of ONE GPU, the one that stands
 * for its KV head in a CP group (a rank of TP8 nodes has eight of each; the factor cancels).
 * Logarithms are natural. Times right on the 14 rows of the paper's Table 4, with N = 4, e = 2,
 * N_H = 128, N_KV = 8, C = 800e12:
 *                                Algorithm 1   Algorithm 5   empirical rule
 *     BW = 26e9 (achieved)                14            13                4
 *     BW = 50e9 (nominal)                 12            11                4
 * tests/unit/test_choose_rules.c holds these counts.
 *
 * Source: arXiv 2411.01783v3, equations 1 to 3, Algorithms 1 and 5, appendix D.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CHOOSE_CHOOSE_H
#define RC_CHOOSE_CHOOSE_H
#include <stdbool.h>
#include "sim/base/error.h"
#include "sim/schedule/schedule.h"

typedef enum rc_choice { RC_CHOOSE_PASS_KV, RC_CHOOSE_PASS_Q, RC_CHOICES } rc_choice;
const rc_schedule *rc_choice_schedule(rc_choice c);
const char *rc_choice_name(rc_choice c); /* of its schedule: "pass-kv", "pass-q" */

typedef struct rc_choose_input {
    double t, p;         /* tokens: new, cached */
    int n;               /* CP ranks */
    int heads, kv_heads; /* N_H, N_KV of the whole model */
    double e;            /* bytes per element of Q, K and V */
    double c, bw;        /* FLOP/s and bytes/s of one GPU */
    /* Of attention on latents (MLA), on one GPU and for one token: what pass-KV sends, what pass-Q
     * sends and what comes back of it, in bytes; FLOPs of one query and key. All 0: by heads. */
    double kv_bytes, q_bytes, out_bytes, pair_flops;
} rc_choose_input;

/* The input of a prefill of the kind of layer that most layers with attention are of. Of latents, in
 * the form that the layout and the least work have it in (rc_absorbs):
 *   absorbed      q is kv_rank + rope wide, an output kv_rank
 *   materialised  q is nope + rope wide, an output v; every rank of pass-KV makes keys and values of all
 *                 latents, so that a latent counts BW/C bytes more for each FLOP of that
 * A latent is (kv_rank + rope) e bytes, whole on every GPU of a TP group: 1,152 of DeepSeek-V3 in bf16. */
rc_choose_input rc_choose_input_of(const rc_model *m, const rc_layout *layout, int n, double t,
                                   double p, double c, double bw);

/* RC_E_INPUT names the member: t > 0, p >= 0, n >= 1, heads >= kv_heads >= 1, e, c and bw > 0. */
rc_status rc_choose_check(const rc_choose_input *in, rc_error *err);

/* One comparison. `holds` says what `says` says. */
typedef struct rc_choose_test {
    const char *name, *says; /* static */
    double left, right;
    bool holds;
} rc_choose_test;

/* The input of these is taken as checked. */
double rc_miss_rate(const rc_choose_input *in);          /* T / (T+P) */
rc_choose_test rc_equation_1(const rc_choose_input *in); /* Q is no larger than KV */
rc_choose_test rc_equation_2(const rc_choose_input *in); /* pass-KV hides; T, tokens */
rc_choose_test rc_equation_3(const rc_choose_input *in); /* pass-Q's ring hides; T+P, tokens */

/* gather-Q or gather-KV for latents that are cached: T (q + out) <= P kv holds where the queries of all new
 * tokens and their outputs take less than the latents of all cached ones, and the keys and values
 * that every rank would make of these. The input is of latents. */
rc_choose_test rc_gathers_latents(const rc_choose_input *in);

typedef enum rc_rule_kind {
    RC_RULE_ALGORITHM_1, /* pass-KV if equation 2 holds, or T/(T+P) >= 2 N_KV/N_H */
    RC_RULE_ALGORITHM_5, /* the second test less 4 T BW / (N C e): the all-to-all of pass-Q */
    RC_RULE_EMPIRICAL,   /* pass-KV if alpha ln T + beta ln(T/(T+P)) + gamma > 0 */
    RC_RULE_COUNT
} rc_rule_kind;

typedef struct rc_rule {
    rc_rule_kind kind;
    double alpha, beta, gamma; /* the empirical rule's; ignored by the others */
} rc_rule;

/* "algorithm-1", "algorithm-5", "empirical" (with the paper's coefficients). RC_E_INPUT with the
 * nearest name. */
rc_status rc_rule_named(const char *name, rc_rule *out, rc_error *err);
const char *rc_rule_name(rc_rule_kind k);
const char *const *rc_rule_names(void); /* NULL-terminated */

enum { RC_CHOOSE_TESTS = 2 };
typedef struct rc_decision {
    rc_choice choice;
    int tests;
    rc_choose_test test[RC_CHOOSE_TESTS]; /* all that the rule looks at, in its order */
} rc_decision;

rc_status rc_choose(const rc_rule *rule, const rc_choose_input *in, rc_decision *out,
                    rc_error *err);

/* The miss rate from which on the rule picks pass-KV at in->t (in->p is ignored): 0 when it
 * always does, above 1 when it never does. NaN for an empirical rule with beta <= 0, which has no
 * such side. */
double rc_rule_frontier(const rc_rule *rule, const rc_choose_input *in);

/* The faster of two times; pass-KV on a tie, as in the paper's rules. */
rc_choice rc_choose_oracle(double pass_kv, double pass_q);

#endif
