/* ringcast choose: one request, every alternative, every rule.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/json.h"
#include "sim/base/quantity.h"
#include "sim/base/style.h"
#include "sim/base/table.h"
#include "sim/choose/alternatives.h"
#include "sim/choose/launch.h"
#include "sim/choose/select.h"
#include "sim/base/file.h"
#include "sim/cli/flags.h"
#include "sim/cli/form.h"
#include "sim/cli/wanted_report.h"
#include "sim/cost/basis.h"
#include "sim/base/find.h"
#include "sim/forward/scenario.h"
#include "sim/model/notes.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/layout.h"
#include "sim/schedule/totals.h"

enum { MAX_TP = 4096, MAX_BATCH = 4096, RATES = 3 };
#define MAX_TOKENS 100000000

typedef struct choose_flags {
    const char *t, *p, *model, *machine, *rule, *ffn, *store, *wanted, *launch;
    rc_many sets;
    int64_t cp, tp, dcp, dp, ep, batch;
    bool json, csv;
    rc_form form;
} choose_flags;

typedef struct rates {
    const char *name;
    double c, bw;
} rates;

typedef struct question {
    int64_t t, p;
    int batch;
    rc_model model;
    rc_machine machine;
    rc_layout layout;
    rates rate[RATES];
    rc_alternative other[RC_ALTERNATIVES];
    int others;
    bool by_table, by_rule; /* how the answer is found; else by the simulator */
    rc_select_table table;
    rc_rule rule;
    rc_choice answer;
    rc_notes notes;
    rc_launcher launcher;       /* whose command line is asked for, */
    const rc_alternative *ship; /* of this alternative; NULL: of none */
    char line[RC_LAUNCH_LINE];
} question;

static rc_status parse(int argc, char **argv, choose_flags *f, bool *helped, rc_error *err) {
    const rc_flag flags[] = {
        {"--T", RC_FLAG_TEXT, &f->t, "TOKENS", "new tokens"},
        {"--P", RC_FLAG_TEXT, &f->p, "TOKENS", "cached tokens (default 0)"},
        {"--batch", RC_FLAG_INT, RC_WHOLE(&f->batch, 1, MAX_BATCH), "N",
         "equal sequences (default 1)"},
        {"--machine", RC_FLAG_TEXT, &f->machine, "NAME", "a machine, or its file"},
        {"--model", RC_FLAG_TEXT, &f->model, "NAME", "a model, or its config.json"},
        {"--cp", RC_FLAG_INT, RC_WHOLE(&f->cp, 1, RC_ALTERNATIVES_CP), "N", "CP ranks at hand"},
        {"--tp", RC_FLAG_INT, RC_WHOLE(&f->tp, 1, MAX_TP), "N", "GPUs of a rank (default 8)"},
        {"--dcp", RC_FLAG_INT, RC_WHOLE(&f->dcp, 1, MAX_TP), "N",
         "also one TP group with each sequence over N of its GPUs (default 1: not)"},
        {"--dp-attention", RC_FLAG_INT, RC_WHOLE(&f->dp, 1, MAX_TP), "N",
         "also N TP groups with sequences of their own (default 1: not)"},
        {"--ep", RC_FLAG_INT, RC_WHOLE(&f->ep, 0, 1 << 20), "N",
         "GPUs that experts are dealt to; 0: all of each alternative (default 1)"},
        {"--ffn-weights", RC_FLAG_TEXT, &f->ffn, "DTYPE",
         "fp8 or bf16 (default: the checkpoint's, fp8 if it is not quantised)"},
        {"--rule", RC_FLAG_TEXT, &f->rule, "NAME|FILE",
         "who answers: oracle (the simulator, default), algorithm-1, algorithm-5, empirical, or a "
         "tuned rule's select.json"},
        {"--set", RC_FLAG_MANY, &f->sets, "KEY=VALUE",
         "what if (machine.nic_rate=100Gb/s); see `ringcast keys machine`"},
        {"--store", RC_FLAG_TEXT, &f->store, "FILE.db",
         "costs from this calibration store, not the embedded one"},
        RC_WANTED_FLAG(&f->wanted),
        {"--launch", RC_FLAG_TEXT, &f->launch, "ENGINE",
         "the command line of the fastest alternative that vllm or sglang ships"},
        {"--json", RC_FLAG_BOOL, &f->json, NULL, "everything, as JSON"},
        {"--csv", RC_FLAG_BOOL, &f->csv, NULL, "the alternatives, as CSV"},
    };
    const char *args[1];
    size_t count;
    /* dcp and dp: 0 is 1, one group without cuts */
    *f = (choose_flags){.p = "0", .rule = "oracle", .tp = 8, .ep = 1, .batch = 1};
    RC_TRY(rc_flags_parse(argc, argv, flags, sizeof flags / sizeof flags[0],
                          "usage: ringcast choose --T N --P N --machine M --model M --cp N [flags]",
                          args, 0, &count, helped, err));
    if (*helped)
        return RC_OK;
    if (!f->t || !f->machine || !f->model || f->cp == 0)
        return rc_fail(err, RC_E_USAGE, "choose needs --T, --machine, --model and --cp");
    RC_TRY(rc_form_of(f->json, f->csv, &f->form, err));
    return rc_output_check(f->wanted, false, err);
}

/* ---- reading the question ------------------------------------------------------------------- */

static rc_status flag_error(rc_error *err, const char *flag) {
    rc_error why = err ? *err : (rc_error){0};
    return rc_fail_file(err, RC_E_USAGE, flag, "%.700s", why.msg);
}

static rc_status read_tokens(const char *flag, const char *text, int64_t lo, int64_t *out,
                             rc_error *err) {
    return rc_quantity_int(text, lo, MAX_TOKENS, out, err) == RC_OK ? RC_OK : flag_error(err, flag);
}

static rc_status read_layout(const choose_flags *f, question *q, rc_error *err) {
    assert(f->cp >= 1 && f->tp >= 1 && f->batch >= 1);
    bool fp8 = f->ffn ? strcmp(f->ffn, "fp8") == 0 : q->model.quant.method[0] == '\0';
    if (f->ffn && !fp8 && strcmp(f->ffn, "bf16") != 0)
        return rc_fail_file(err, RC_E_USAGE, "--ffn-weights", "found '%s', expected fp8 or bf16",
                            f->ffn);
    q->layout = (rc_layout){.tp = (int)f->tp, .cp = (int)f->cp};
    rc_model_dtypes(&q->model, &q->layout);
    if (f->ffn || fp8)
        q->layout.ffn_weights = fp8 ? RC_FP8 : RC_BF16;
    q->batch = (int)f->batch;
    q->layout.ep = (int)(f->ep > 0 ? f->ep : rc_layout_gpus(&q->layout));
    RC_TRY(rc_layout_check(&q->model, &q->layout, err));
    q->layout.dcp = (int)f->dcp;
    q->layout.dp = (int)f->dp;
    if (f->ep == 0)
        q->layout.ep = q->layout.tp * (q->layout.cp > q->layout.dp ? q->layout.cp : q->layout.dp);
    return RC_OK;
}

/* A tuned rule knows nothing outside what it was tuned for. */
static rc_status check_table(const choose_flags *f, const question *q, rc_error *err) {
    const rc_select_query query = {.machine = q->machine.name,
                                   .model = q->model.name,
                                   .attn_weights = q->layout.attn_weights,
                                   .ffn_weights = q->layout.ffn_weights,
                                   .kv = q->layout.kv,
                                   .tp = q->layout.tp,
                                   .n = q->layout.cp,
                                   .t = (double)q->t,
                                   .p = (double)q->p,
                                   .batch = q->batch};
    RC_TRY(rc_select_covers(&q->table, &query, f->rule, err));
    if (f->sets.count == 0)
        return RC_OK;
    return rc_fail(err, RC_E_INPUT,
                   "%s was tuned for machine '%s' as its file has it; found --set %s", f->rule,
                   q->table.machine, f->sets.values[0]);
}

static rc_status read_rule(const choose_flags *f, question *q, rc_error *err) {
    size_t n = strlen(f->rule);
    if (strcmp(f->rule, "oracle") == 0)
        return RC_OK;
    if (n > 5 && strcmp(f->rule + n - 5, ".json") == 0) {
        q->by_table = true;
        RC_TRY(rc_select_load(f->rule, &q->table, err));
        return check_table(f, q, err);
    }
    q->by_rule = true;
    return rc_rule_named(f->rule, &q->rule, err) == RC_OK ? RC_OK : flag_error(err, "--rule");
}

static rc_status read_question(const choose_flags *f, question *q, rc_error *err) {
    char path[1024];
    assert(f->t != NULL && f->p != NULL && f->model != NULL && f->machine != NULL);
    RC_TRY(read_tokens("--T", f->t, 1, &q->t, err));
    RC_TRY(read_tokens("--P", f->p, 0, &q->p, err));
    if (rc_find_file(NULL, "models", f->model, ".json", path, sizeof path, err) != RC_OK)
        return flag_error(err, "--model");
    RC_TRY(rc_model_open(path, &q->model, err));
    if (rc_find_file(NULL, "scenarios/machines", f->machine, ".yaml", path, sizeof path, err) !=
        RC_OK)
        return flag_error(err, "--machine");
    for (size_t i = 0; i < f->sets.count; i++)
        if (strncmp(f->sets.values[i], "machine.", 8) != 0)
            return rc_fail_file(err, RC_E_USAGE, "--set",
                                "found '%.200s', expected machine.KEY=VALUE", f->sets.values[i]);
    RC_TRY(rc_machine_load_set(path, f->sets.values, f->sets.count, &q->machine, err));
    RC_TRY(read_layout(f, q, err));
    return read_rule(f, q, err);
}

/* ---- answering ------------------------------------------------------------------------------ */

static rc_choose_input input_of(const question *q, const rates *r) {
    return rc_choose_input_of(&q->model, &q->layout, q->layout.cp, (double)q->t, (double)q->p, r->c,
                              r->bw);
}

static double time_of(const question *q, rc_choice c) {
    assert((unsigned)c < RC_CHOICES);
    int i = rc_alternative_find(q->other, q->others, q->layout.cp, rc_choice_schedule(c));
    return i >= 0 ? q->other[i].time : NAN;
}

/* A rule answers with achieved rates. */
static rc_status decide(question *q, rc_error *err) {
    double kv = time_of(q, RC_CHOOSE_PASS_KV), pass_q = time_of(q, RC_CHOOSE_PASS_Q);
    rc_decision d = {.choice = RC_CHOOSE_PASS_KV};
    rc_choose_input in = input_of(q, &q->rate[RATES - 1]);
    if (q->by_table)
        d.choice = rc_select_variant(&q->table, (double)q->t, (double)q->p, q->batch, q->layout.cp);
    else if (q->by_rule)
        RC_TRY(rc_choose(&q->rule, &in, &d, err));
    else if (!isfinite(kv) || pass_q < kv)
        d.choice = isfinite(pass_q) ? RC_CHOOSE_PASS_Q : RC_CHOOSE_PASS_KV;
    q->answer = d.choice;
    return RC_OK;
}

static rc_status answer(const choose_flags *f, question *q, rc_error *err) {
    rc_costs *costs = NULL;
    rc_choose_rates r;
    RC_TRY(rc_costs_open(f->store, &q->machine, &costs, err));
    rc_status st = rc_choose_alternatives(&q->model, costs, &q->layout, q->layout.cp, q->t, q->p,
                                          q->batch, q->other, &q->others, err);
    if (st == RC_OK)
        st = rc_choose_rates_of(costs, &q->model, q->layout.tp, q->layout.cp, &r, err);
    rc_costs_close(costs);
    RC_TRY(st);
    /* Where the machine states no rate of its links, that which they achieve stands in for it. */
    q->rate[0] = (rates){"nominal", r.c, r.bw > 0.0 ? r.bw : r.achieved_bw};
    q->rate[1] = (rates){"achieved BW", r.c, r.achieved_bw};
    q->rate[2] = (rates){"achieved", r.achieved_c, r.achieved_bw};
    return decide(q, err);
}

/* ---- text ----------------------------------------------------------------------------------- */

/* The alternative that the answer names; NULL when it cannot be run. */
static const rc_alternative *answered(const question *q) {
    const rc_schedule *s = rc_schedule_on(rc_choice_schedule(q->answer), q->layout.cp);
    int i = rc_alternative_find(q->other, q->others, q->layout.cp, s);
    return i >= 0 && q->other[i].status == RC_OK ? &q->other[i] : NULL;
}

/* Why the fastest alternative is not the answer; NULL when it is. */
static const char *why_not(const question *q, const rc_alternative *best) {
    if (best == answered(q))
        return NULL;
    if (!answered(q))
        return "no ring of all CP ranks at hand can be run as the answer has it";
    if (best->cp != q->layout.cp)
        return "the answer is for all CP ranks at hand";
    if (best->schedule == rc_choice_schedule((rc_choice)(1 - (int)q->answer)))
        return "the rule picks the slower ring here";
    return "the answer is one of the two rings, pass-kv and pass-q";
}

static void print_basis(const char *whose, const rc_alternative *a) {
    char text[RC_BASIS_TEXT];
    if (a)
        printf("costs      %s%s of its critical path\n", whose,
               rc_basis_text(a->basis, text, sizeof text));
}

/* Its schedule, and how it is cut besides; `alone` stands for one TP group that is not. */
static const char *alternative_text(const question *q, const rc_alternative *a, const char *alone,
                                    char *buf, size_t size) {
    char more[96];
    const rc_layout l = {.tp = q->layout.tp, .cp = a->cp, .dcp = a->dcp, .dp = a->dp, .ep = a->ep};
    const bool bare = a->cp == 1 && rc_layout_dcp(&l) == 1 && rc_layout_dp(&l) == 1;
    (void)snprintf(buf, size, "%s%s", bare ? alone : a->schedule->name,
                   rc_layout_more(&l, more, sizeof more));
    return buf;
}

/* Alternatives with a note leave open what nobody has measured, and are never called the fastest. */
static bool noted_is_faster(const question *q, const rc_alternative *own) {
    for (int i = 0; i < q->others; i++)
        if (q->other[i].status == RC_OK && q->other[i].time < own->time)
            return true;
    return false;
}

/* What is fastest, and why it is not what was asked for: the end of the answer's line. */
static void print_fastest(const question *q, const rc_alternative *best) {
    const rc_alternative *own = answered(q);
    char words[128];
    if (own)
        printf("%s %.3f ms", q->layout.cp > 1 ? ":" : ", and so", 1e3 * own->time);
    if (!best)
        return;
    if (best == own) {
        printf(", the fastest%s", noted_is_faster(q, own) ? " without a note below" : "");
        return;
    }
    printf("; fastest CP%d %s, %.3f ms", best->cp,
           alternative_text(q, best, best->schedule->name, words, sizeof words), 1e3 * best->time);
    if (own)
        printf(" (%+.2f %%)", 100.0 * (best->time / own->time - 1.0));
    if (q->layout.cp > 1)
        printf(": %s", why_not(q, best));
}

static void print_head(const question *q) {
    printf("# T %lld new and P %lld cached tokens (miss rate %.4g %%), batch %d: %s on %s, CP%d x "
           "TP%d, FFN weights %s\n",
           (long long)q->t, (long long)q->p, 100.0 * (double)q->t / (double)(q->t + q->p), q->batch,
           q->model.name, q->machine.name, q->layout.cp, q->layout.tp,
           rc_dtype_name(q->layout.ffn_weights));
    const char *assumed =
        rc_forward_assumption(&q->machine, rc_choice_schedule(q->answer), q->layout.cp, RC_PREFILL);
    if (assumed)
        printf("# %s\n", assumed);
}

/* Why there is no ring to name; NULL where there is one. A rule names one whether it can be run or not. */
static const char *no_answer(const question *q) {
    if (q->layout.cp == 1)
        return "one rank, there is no ring";
    if (q->by_rule || q->by_table || isfinite(time_of(q, RC_CHOOSE_PASS_KV)) ||
        isfinite(time_of(q, RC_CHOOSE_PASS_Q)))
        return NULL;
    return "neither ring can be run";
}

static void print_answer(const question *q, const choose_flags *f) {
    double own = time_of(q, q->answer), other = time_of(q, (rc_choice)(1 - (int)q->answer));
    int at = rc_alternative_best(q->other, q->others);
    const rc_alternative *best = at >= 0 ? &q->other[at] : NULL;
    printf("%s", rc_style_on(stdout, RC_STYLE_ANSWER));
    if (no_answer(q))
        printf("answer     none: %s", no_answer(q));
    else
        printf("answer     %s, by %s%s", rc_choice_name(q->answer),
               strcmp(f->rule, "oracle") == 0 ? "the simulator" : f->rule,
               q->by_rule ? " with achieved C and BW" : "");
    print_fastest(q, best);
    printf("%s\n", rc_style_on(stdout, RC_STYLE_END));
    if (q->layout.cp > 1 && isfinite(own) && isfinite(other))
        printf("margin     %+.3f ms, %+.2f %% to %s (predicted)\n", 1e3 * (other - own),
               100.0 * (other / own - 1.0), rc_choice_name((rc_choice)(1 - (int)q->answer)));
    else if (q->layout.cp > 1)
        printf("margin     not known: %s be run\n", isfinite(own)     ? "the other cannot"
                                                    : isfinite(other) ? "it cannot"
                                                                      : "neither can");
    print_basis("", answered(q));
    if (best != answered(q))
        print_basis("the fastest: ", best);
    if (q->ship)
        printf("launch     %s (CP%d %s, %.3f ms)\n", q->line, q->ship->cp, q->ship->schedule->name,
               1e3 * q->ship->time);
    if (q->by_table)
        printf(
            "degree     CP%d of at most %d by the tuned rule, time alone\n",
            rc_select_degree(&q->table, 0, (double)q->t, (double)q->p, q->batch, 1, q->layout.cp),
            q->layout.cp);
    print_head(q);
}

/* The fastest alternative that the engine ships, with its line. */
static rc_status find_launch(const choose_flags *f, question *q, rc_error *err) {
    rc_error why = {0}, first = {0};
    const rc_sequence request = {q->t, q->p};
    for (int i = 0; i < q->others; i++) {
        const rc_alternative *a = &q->other[i];
        char line[RC_LAUNCH_LINE];
        const rc_layout l = rc_alternative_spec(&q->model, NULL, &q->layout, a, &request, 1).layout;
        const rc_launch x = {.model = &q->model,
                             .layout = &l,
                             .schedule = a->schedule,
                             .gpus_per_node = q->machine.gpus_per_node,
                             .longest = q->t + q->p};
        if (a->status != RC_OK || (q->ship && a->time >= q->ship->time))
            continue;
        if (rc_launch_line(q->launcher, &x, line, &why) == RC_OK) {
            q->ship = a;
            memcpy(q->line, line, sizeof line);
        } else if (first.msg[0] == '\0') {
            first = why;
        }
    }
    if (q->ship)
        return RC_OK;
    return rc_fail_file(err, RC_E_INPUT, "--launch", "%s: %.600s", f->launch,
                        first.msg[0] ? first.msg : "none of the alternatives can be run");
}

static rc_table *alternatives_table(const question *q) {
    static const rc_column columns[] = {
        {"cp", "CP", "ranks", RC_RIGHT},
        {"variant", "variant", "-", RC_LEFT},
        {"ttft_ms", "TTFT", "ms", RC_RIGHT},
        {"over_fastest_pct", "over fastest", "%", RC_RIGHT},
        {"gpu_s", "GPU time", "GPU-s", RC_RIGHT},
        {"note", "note", "", RC_LEFT},
    };
    assert(q->others >= 0 && q->others <= RC_ALTERNATIVES);
    rc_table *t = RC_TABLE_WITH(columns);
    int best = rc_alternative_best(q->other, q->others);
    double base = best >= 0 ? q->other[best].time : NAN;
    rc_table_note(t, "what each alternative would take (predicted)");
    for (int i = 0; i < q->others; i++) {
        const rc_alternative *a = &q->other[i];
        char words[128];
        rc_table_int(t, a->cp);
        rc_table_text(t, alternative_text(q, a, "none", words, sizeof words));
        rc_table_real(t, 1e3 * a->time, 3);
        rc_table_real(t, 100.0 * (a->time / base - 1.0), 2);
        rc_table_real(t, a->time * a->cp * q->layout.tp * (a->dp > 1 ? a->dp : 1), 3);
        rc_table_text(t, a->status == RC_OK ? (a->caution ? "ring_step not measured for it" : NULL)
                         : a->status == RC_E_NOFIT ? "does not fit into memory"
                         : a->status == RC_E_SIZE  ? "too many ops to simulate"
                                                   : a->why);
    }
    return t;
}

static void add_tests(rc_table *t, const rates *r, const char *rule, const rc_choose_test *test,
                      int tests, const char *picks) {
    for (int i = 0; i < tests; i++) {
        rc_table_text(t, rule);
        rc_table_text(t, r->name);
        rc_table_text(t, test[i].name);
        rc_table_textf(t, "%.7g", test[i].left);
        rc_table_textf(t, "%.7g", test[i].right);
        rc_table_text(t, test[i].holds ? "yes" : "no");
        rc_table_text(t, picks);
    }
}

static rc_status add_rules(const question *q, rc_table *t, const rates *r, rc_error *err) {
    rc_choose_input in = input_of(q, r);
    const rc_choose_test equations[] = {rc_equation_1(&in), rc_equation_2(&in), rc_equation_3(&in)};
    add_tests(t, r, "equations", equations, 3, NULL);
    for (int k = 0; rc_rule_names()[k]; k++) {
        rc_rule rule;
        rc_decision d;
        RC_TRY(rc_rule_named(rc_rule_names()[k], &rule, err));
        RC_TRY(rc_choose(&rule, &in, &d, err));
        add_tests(t, r, rc_rule_names()[k], d.test, d.tests, rc_choice_name(d.choice));
    }
    return RC_OK;
}

/* tpu-inference's estimates by heads; of latents by the form of attention, at the rate between ranks. */
static void add_gathers(const question *q, rc_table *t) {
    const bool one_node = rc_layout_gpus(&q->layout) <= q->machine.gpus_per_node;
    const rates near = {"nominal", q->machine.bf16_rate,
                        one_node ? q->machine.nvlink_rate : q->rate[0].bw};
    const rc_choose_input in = input_of(q, &near);
    if (in.kv_bytes > 0.0) {
        const rc_choose_test test = rc_gathers_latents(&in);
        add_tests(t, &near, "gathers", &test, 1, rc_schedule_gather(test.holds)->name);
        return;
    }
    const rc_gathered g = rc_schedule_gathered(&q->model, &q->layout, (double)q->t, (double)q->p);
    const rc_choose_test test = {"queries < cached", "", g.queries, g.cached, g.queries < g.cached};
    add_tests(t, &(rates){NULL, 0.0, 0.0}, "gathers", &test, 1, g.picks->name);
}

static rc_status rules_table(const question *q, rc_table **out, rc_error *err) {
    static const rc_column columns[] = {
        {"rule", "rule", "-", RC_LEFT},   {"rates", "C and BW", "-", RC_LEFT},
        {"test", "test", "-", RC_LEFT},   {"left", "left", "", RC_RIGHT},
        {"right", "right", "", RC_RIGHT}, {"holds", "holds", "-", RC_LEFT},
        {"picks", "picks", "-", RC_LEFT},
    };
    rc_table *t = *out = RC_TABLE_WITH(columns);
    for (int i = 0; i < RATES; i++)
        rc_table_note(t, "%-11s C %.1f TFLOP/s, BW %.2f GB/s", q->rate[i].name, q->rate[i].c / 1e12,
                      q->rate[i].bw / 1e9);
    for (int i = 0; i < RATES; i++)
        RC_TRY(add_rules(q, t, &q->rate[i], err));
    add_gathers(q, t);
    if (q->by_table) {
        double star = rc_select_threshold(&q->table, (double)(q->t + q->p), q->batch, q->layout.cp);
        rc_choose_test test = {"T >= T*", "", (double)q->t, star, (double)q->t >= star};
        rates none = {NULL, 0.0, 0.0};
        add_tests(t, &none, "tuned", &test, 1, rc_choice_name(q->answer));
    }
    return RC_OK;
}

static void json_fastest(const question *q, rc_json *j, json_t *root) {
    int i = rc_alternative_best(q->other, q->others);
    if (i < 0)
        return;
    const rc_alternative *best = &q->other[i];
    json_t *o = rc_json_object(j, root, "fastest");
    rc_json_int(j, o, "cp", best->cp);
    rc_json_text(j, o, "variant", best->schedule->name);
    rc_json_real(j, o, "ttft_ms", 1e3 * best->time);
    rc_json_bool(j, o, "is_answer", best == answered(q));
    if (why_not(q, best))
        rc_json_text(j, o, "why_not_answer", why_not(q, best));
    rc_basis_json(j, o, best->basis);
}

static rc_status print_json(const question *q, const choose_flags *f, const rc_table *others,
                            const rc_table *rules, rc_error *err) {
    rc_json *j = rc_form_json("choose-1");
    json_t *root = rc_json_root(j);
    double own = time_of(q, q->answer), other = time_of(q, (rc_choice)(1 - (int)q->answer));
    rc_json_text(j, root, "answer", no_answer(q) ? "none" : rc_choice_name(q->answer));
    rc_json_text(j, root, "rule", f->rule);
    rc_json_real(j, root, "margin_ms", q->layout.cp == 1 ? NAN : 1e3 * (other - own));
    rc_json_real(j, root, "margin_pct", q->layout.cp == 1 ? NAN : 100.0 * (other / own - 1.0));
    if (q->by_table)
        rc_json_int(
            j, root, "degree",
            rc_select_degree(&q->table, 0, (double)q->t, (double)q->p, q->batch, 1, q->layout.cp));
    if (answered(q))
        rc_basis_json(j, root, answered(q)->basis);
    json_fastest(q, j, root);
    if (q->ship) {
        json_t *o = rc_json_object(j, root, "launch");
        rc_json_text(j, o, "engine", rc_launcher_name(q->launcher));
        rc_json_int(j, o, "cp", q->ship->cp);
        rc_json_text(j, o, "variant", q->ship->schedule->name);
        rc_json_real(j, o, "ttft_ms", 1e3 * q->ship->time);
        rc_json_text(j, o, "command", q->line);
    }
    json_t *list = rc_json_list(j, root, "rates");
    for (int i = 0; i < RATES; i++) {
        json_t *o = rc_json_object(j, list, NULL);
        rc_json_text(j, o, "name", q->rate[i].name);
        rc_json_real(j, o, "C", q->rate[i].c);
        rc_json_real(j, o, "BW", q->rate[i].bw);
    }
    rc_notes_json(j, root, &q->notes);
    rc_status st = rc_table_json(others, j, root, "alternatives", err);
    if (st == RC_OK)
        st = rc_table_json(rules, j, root, "tests", err);
    if (st == RC_OK)
        return rc_json_finish(j, stdout, err);
    rc_json_destroy(j);
    return st;
}

static rc_status show(const question *q, const choose_flags *f, rc_error *err) {
    rc_table *others = alternatives_table(q), *rules = NULL;
    rc_status st = rules_table(q, &rules, err);
    if (st == RC_OK && f->form == RC_FORM_JSON) {
        st = print_json(q, f, others, rules, err);
    } else if (st == RC_OK && f->form == RC_FORM_CSV) {
        st = rc_table_csv(others, stdout, err);
    } else if (st == RC_OK) {
        print_answer(q, f);
        st = rc_table_print(others, stdout, err);
        if (st == RC_OK)
            st = rc_table_print(rules, stdout, err);
    }
    rc_table_destroy(others);
    rc_table_destroy(rules);
    return st;
}

/* ---- --wanted ------------------------------------------------------------------------------- */

/* An answer is the smaller of two times, and what it is compared with is the fastest of all: the
 * passes of both rings and of that one. */
static rc_status report_wanted(const question *q, const choose_flags *f, rc_error *err) {
    enum { PASSES = RC_CHOICES + 1 };
    rc_spec passes[PASSES];
    size_t n = 0;
    int at[PASSES] = {rc_alternative_find(q->other, q->others, q->layout.cp,
                                          rc_choice_schedule(RC_CHOOSE_PASS_KV)),
                      rc_alternative_find(q->other, q->others, q->layout.cp,
                                          rc_choice_schedule(RC_CHOOSE_PASS_Q)),
                      rc_alternative_best(q->other, q->others)};
    if (at[2] < 0)
        return rc_fail(err, RC_E_INPUT, "--wanted: none of the alternatives can be run");
    rc_costs *costs = NULL;
    rc_sequence *seqs = calloc((size_t)q->batch, sizeof *seqs);
    if (!seqs)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %d sequences", q->batch);
    for (int i = 0; i < q->batch; i++)
        seqs[i] = (rc_sequence){q->t, q->p};
    rc_status st = rc_costs_open(f->store, &q->machine, &costs, err);
    for (int i = 0; i < PASSES && st == RC_OK; i++)
        if (at[i] >= 0 && q->other[at[i]].status == RC_OK &&
            (i < 2 || (at[2] != at[0] && at[2] != at[1])))
            passes[n++] = rc_alternative_spec(&q->model, costs, &q->layout, &q->other[at[i]], seqs,
                                              (size_t)q->batch);
    if (st == RC_OK)
        st = rc_wanted_report(passes, n, f->wanted, f->form == RC_FORM_TEXT, err);
    rc_costs_close(costs);
    free(seqs);
    return st;
}

rc_status rc_cmd_choose(int argc, char **argv, rc_error *err) {
    choose_flags f;
    bool helped = false;
    RC_TRY(parse(argc, argv, &f, &helped, err));
    if (helped)
        return RC_OK;
    question *q = calloc(1, sizeof *q);
    if (!q)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the question");
    rc_status st = read_question(&f, q, err);
    if (st == RC_OK && f.launch && rc_launcher_named(f.launch, &q->launcher, err) != RC_OK)
        st = flag_error(err, "--launch");
    if (st == RC_OK)
        st = answer(&f, q, err);
    if (st == RC_OK && f.launch)
        st = find_launch(&f, q, err);
    if (st == RC_OK) {
        rc_model_notes(&q->model, &q->layout, q->t + q->p, &q->notes);
        rc_notes_print(&q->notes, stderr);
        st = show(q, &f, err);
        if (st == RC_OK && f.wanted)
            st = report_wanted(q, &f, err);
    }
    free(q);
    return st;
}
