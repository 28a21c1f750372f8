/* ringcast forward: one prefill or decode step of a scenario.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/clock.h"
#include "sim/base/find.h"
#include "sim/base/file.h"
#include "sim/base/json.h"
#include "sim/base/style.h"
#include "sim/base/table.h"
#include "sim/choose/launch.h"
#include "sim/cli/flags.h"
#include "sim/cli/form.h"
#include "sim/cli/forward_timeline.h"
#include "sim/cli/machine_json.h"
#include "sim/cli/op_sources.h"
#include "sim/cli/wanted_report.h"
#include "sim/cost/basis.h"
#include "sim/forward/scenario.h"
#include "sim/model/notes.h"
#include "sim/schedule/layout.h"

enum { MAX_ALTERNATIVES = 2 * RC_SCHEDULES_MAX + 3 };

typedef struct forward_flags {
    const char *file, *store, *wanted, *launch, *trace;
    rc_many sets;
    int64_t draws, seed;
    bool json, csv, stats, quiet, unfold, overwrite;
} forward_flags;

typedef struct alternative {
    const rc_schedule *schedule;
    rc_layout layout;
    rc_status status;
    double time;
    char why[512];
} alternative;

typedef struct answer {
    rc_scenario scenario;
    rc_forward result;
    alternative others[MAX_ALTERNATIVES];
    int other_count;
    double wall;
    rc_notes notes;
    rc_op_sources sources;
    rc_speculated speculated; /* where the scenario speculates */
} answer;

static rc_status parse(int argc, char **argv, forward_flags *f, bool *helped, rc_error *err) {
    const rc_flag flags[] = {
        {"--set", RC_FLAG_MANY, &f->sets, "KEY=VALUE",
         "override a key (tokens.new=64K, machine.nic_rate=100Gb/s); see `ringcast keys forward`"},
        {"--store", RC_FLAG_TEXT, &f->store, "FILE.db",
         "costs from this calibration store, not the embedded one"},
        RC_WANTED_FLAG(&f->wanted),
        {"--draws", RC_FLAG_INT, RC_WHOLE(&f->draws, 0, RC_MOST_DRAWS), "N",
         "draws behind p5 and p95 (default 200)"},
        {"--seed", RC_FLAG_INT, RC_WHOLE(&f->seed, 0, RC_MOST_SEED), "N",
         "seed of the draws (default 1)"},
        {"--json", RC_FLAG_BOOL, &f->json, NULL, "everything, as JSON"},
        {"--csv", RC_FLAG_BOOL, &f->csv, NULL, "the breakdown, as CSV"},
        {"--unfold", RC_FLAG_BOOL, &f->unfold, NULL,
         "simulate every GPU and every layer; none stands for others"},
        {"--trace", RC_FLAG_TEXT, &f->trace, "FILE.json[.gz]",
         "every op as a timeline for ui.perfetto.dev; with --unfold of every GPU"},
        {"--overwrite", RC_FLAG_BOOL, &f->overwrite, NULL, "replace an existing timeline"},
        {"--stats", RC_FLAG_BOOL, &f->stats, NULL,
         "the same in full (--unfold) beside it, which must agree; events and wall time of both"},
        {"--quiet", RC_FLAG_BOOL, &f->quiet, NULL, "the time alone"},
        {"--launch", RC_FLAG_TEXT, &f->launch, "ENGINE",
         "the command line of vllm or sglang for this layout and schedule, and nothing else"},
    };
    const char *args[1];
    size_t count;
    f->draws = 200;
    f->seed = 1;
    RC_TRY(rc_flags_parse(argc, argv, flags, sizeof flags / sizeof flags[0],
                          "usage: ringcast forward SCENARIO.yaml [flags]", args, 1, &count, helped,
                          err));
    if (*helped)
        return RC_OK;
    if (count == 0)
        return rc_fail(err, RC_E_USAGE, "forward needs a scenario file");
    f->file = args[0];
    rc_form form;
    return rc_form_of(f->json, f->csv, &form, err);
}

/* ---- what the other variants would have taken ---------------------------------------- */

static alternative *add(answer *a, const rc_schedule *s, const rc_layout *l) {
    assert(s != NULL && l->tp >= 1 && l->cp >= 1);
    assert(a->other_count < MAX_ALTERNATIVES);
    alternative *o = &a->others[a->other_count++];
    *o = (alternative){.schedule = s, .layout = *l};
    return o;
}

static void add_other(answer *a, const rc_schedule *s, int tp, int cp, int dcp) {
    const rc_layout *own = &a->scenario.layout;
    if (s == a->scenario.schedule && tp == own->tp && cp == own->cp && dcp == rc_layout_dcp(own))
        return;
    rc_layout l = *own;
    l.tp = tp;
    l.cp = cp;
    l.dcp = dcp;
    l.ulysses = 1;
    alternative *o = add(a, s, &l);
    if (!rc_schedule_suit(s, &a->scenario.model, a->scenario.machine.gpus_per_node / tp,
                          &o->layout))
        a->other_count--; /* no groups of ranks that it could have */
}

/* Where experts are dealt: the same GPUs with sequences over groups of them, or over none. */
static void add_groups(answer *a) {
    const rc_layout *own = &a->scenario.layout;
    rc_layout l = *own;
    if (rc_layout_ep(own) == 1 || own->cp > 1 || own->ffn_over_cp || rc_layout_dcp(own) > 1)
        return;
    l.tp = rc_layout_dp(own) > 1 ? rc_layout_gpus(own) : 1;
    l.dp = rc_layout_dp(own) > 1 ? 1 : own->tp;
    if (l.tp != own->tp)
        (void)add(a, rc_schedule_usual(a->scenario.phase, 1), &l);
}

/* Of one TP group, those that cut sequences over the GPUs that hold the same KV heads, or over as
 * many as the scenario says. They are for steps that read a cache. */
static void add_cut_group(answer *a, int tp) {
    int own = rc_layout_dcp(&a->scenario.layout);
    if (own == 1 && a->scenario.phase != RC_DECODE)
        return;
    int dcp = own > 1 ? own : rc_schedule_most_dcp(&a->scenario.model, tp);
    for (int i = 0; dcp > 1 && rc_schedule_at(i); i++)
        if ((rc_schedule_at(i)->groups & RC_OVER_TP) != 0 &&
            rc_schedule_takes(rc_schedule_at(i), a->scenario.phase, 1))
            add_other(a, rc_schedule_at(i), tp, 1, dcp);
}

/* The sequences of the scenario, dealt to the groups of another layout; *kept is the caller's. */
static rc_status deal_again(const answer *a, const rc_layout *l, rc_spec *spec, rc_sequence **kept,
                            rc_error *err) {
    const rc_scenario *s = &a->scenario;
    *kept = NULL;
    if (rc_layout_dp(l) == rc_layout_dp(&s->layout))
        return RC_OK;
    *kept = malloc(s->seq_count * sizeof **kept);
    if (!*kept)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu sequences", s->seq_count);
    memcpy(*kept, s->seqs, s->seq_count * sizeof **kept);
    spec->seqs = *kept;
    return rc_spread_sequences(&s->model, rc_layout_dp(l), *kept, s->seq_count, &spec->seq_count,
                               &spec->elsewhere, &spec->elsewhere_flops, err);
}

static void run_other(const answer *a, const rc_costs *costs, rc_forward_ctx *ctx, alternative *o) {
    rc_spec spec = rc_scenario_spec(&a->scenario, costs);
    rc_forward_timing f = {0};
    rc_error why = {0};
    rc_sequence *kept;
    const char *not_offered =
        rc_what_if_carry(&spec.what_if, &a->scenario.layout, &o->layout, &spec.what_if);
    if (not_offered) {
        o->status = RC_E_INPUT;
        snprintf(o->why, sizeof o->why, "%s", not_offered);
        return;
    }
    spec.schedule = o->schedule;
    spec.layout = o->layout;
    o->status = deal_again(a, &o->layout, &spec, &kept, &why);
    if (o->status == RC_OK)
        o->status = rc_staged_time(ctx, &spec, &a->scenario.staging, &f, &why);
    free(kept);
    o->time = f.time;
    snprintf(o->why, sizeof o->why, "%.500s", why.msg);
}

static rc_status run_others(answer *a, const rc_costs *costs, rc_error *err) {
    int tp = a->scenario.layout.tp, cp = a->scenario.layout.cp;
    const rc_schedule *alone = rc_schedule_usual(a->scenario.phase, 1);
    for (int i = 0; cp > 1 && rc_schedule_at(i); i++)
        if (rc_schedule_takes(rc_schedule_at(i), a->scenario.phase, cp))
            add_other(a, rc_schedule_at(i), tp, cp, 1);
    if (cp > 1)
        add_other(a, alone, tp, 1, 1);
    add_other(a, alone, tp * cp, 1, 1);
    add_cut_group(a, tp * cp);
    add_groups(a);
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    if (!ctx)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the alternatives");
    rc_status st = RC_OK;
    for (int i = 0; i < a->other_count && st == RC_OK; i++) {
        run_other(a, costs, ctx, &a->others[i]);
        if (a->others[i].status == RC_E_NOMEM) /* which says nothing of the alternative */
            st = rc_fail(err, RC_E_NOMEM, "%s", a->others[i].why);
    }
    rc_forward_ctx_destroy(ctx);
    return st;
}

/* The pass of `spec` in the chunks and stages of the scenario. */
static rc_status run(const rc_spec *spec, const answer *a, rc_forward *out, rc_error *err) {
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    if (!ctx)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a forward pass");
    rc_status st = rc_staged_run(ctx, spec, &a->scenario.staging, out, err);
    rc_forward_ctx_destroy(ctx);
    return st;
}

/* ---- text ----------------------------------------------------------------------------- */

static const char *metric(const answer *a) {
    static const char *const names[] = {
        [RC_PREFILL] = "TTFT", [RC_DECODE] = "TTIT", [RC_MIXED] = "STEP"};
    assert((unsigned)a->scenario.phase <= RC_MIXED);
    return names[a->scenario.phase];
}

static const char *json_metric(const rc_scenario *s) {
    static const char *const keys[] = {
        [RC_PREFILL] = "ttft_ms", [RC_DECODE] = "ttit_ms", [RC_MIXED] = "step_ms"};
    assert((unsigned)s->phase <= RC_MIXED);
    return keys[s->phase];
}

static rc_table *breakdown_table(const answer *a) {
    const rc_forward *r = &a->result;
    static const rc_column columns[] = {
        {"part", "part", "", RC_LEFT},
        {"critical_ms", "critical", "ms", RC_RIGHT},
        {"share_pct", "share", "%", RC_RIGHT},
        {"busy_ms", "busy", "ms", RC_RIGHT},
    };
    assert(r->time >= 0.0);
    rc_table *t = RC_TABLE_WITH(columns);
    for (int p = 0; p < RC_P_COUNT; p++) {
        if (r->busy[p] <= 0.0 && r->critical[p] <= 0.0)
            continue;
        rc_table_text(t, rc_part_name((rc_part)p));
        rc_table_real(t, 1e3 * r->critical[p], 3);
        rc_table_real(t, 100.0 * r->critical[p] / r->time, 1);
        rc_table_real(t, 1e3 * r->busy[p], 3);
    }
    return t;
}

static const char *caution_of(const answer *a, const rc_schedule *schedule, int cp) {
    return rc_forward_caution(&a->scenario.machine, schedule, cp, a->scenario.phase);
}

/* The fastest of the alternatives that carry no caution, if it beats what was asked for; else NULL. */
static const alternative *faster(const answer *a) {
    const alternative *best = NULL;
    for (int i = 0; i < a->other_count; i++) {
        const alternative *o = &a->others[i];
        if (o->status == RC_OK && caution_of(a, o->schedule, o->layout.cp) == NULL &&
            o->time < (best ? best->time : a->result.time))
            best = o;
    }
    return best;
}

/* The time, then in one line what was asked for and what is fastest. */
static void print_answer(const answer *a) {
    const rc_forward *r = &a->result;
    const alternative *best = faster(a);
    const rc_layout *own = &a->scenario.layout;
    printf("%s%s_ms %.3f  (p5 %.3f, p95 %.3f)%s\n", rc_style_on(stdout, RC_STYLE_ANSWER), metric(a),
           1e3 * r->time, 1e3 * r->p5, 1e3 * r->p95, rc_style_on(stdout, RC_STYLE_END));
    printf("asked for: CP%d x TP%d %s", own->cp, own->tp, a->scenario.schedule->name);
    if (best)
        printf("; fastest of the alternatives: CP%d x TP%d %s, %.3f ms (%+.1f %%)\n",
               best->layout.cp, best->layout.tp, best->schedule->name, 1e3 * best->time,
               100.0 * (best->time / r->time - 1.0));
    else
        printf("; no alternative without a remark below is faster\n");
}

static void print_head(const answer *a) {
    const rc_scenario *s = &a->scenario;
    const rc_forward *r = &a->result;
    char cut[96];
    printf("# scenario %s: %s on %s, CP%d x TP%d%s, %s, %s\n", s->name, s->model.name,
           s->machine.name, s->layout.cp, s->layout.tp, rc_layout_more(&s->layout, cut, sizeof cut),
           s->schedule->name, s->eager ? "kernels launched one by one" : "CUDA graph");
    printf("# %zu sequence%s %lld new tokens after %lld cached ones (T, P)", s->seq_count,
           s->seq_count > 1 ? "s, the first of" : " of", (long long)s->seqs[0].t,
           (long long)s->seqs[0].p);
    if (rc_layout_dp(&s->layout) > 1)
        printf("; %zu of them in the busiest of %d groups", s->own, s->layout.dp);
    printf("\n");
    if (rc_stages_of(&s->staging) > 1 || s->staging.chunk > 0)
        printf("# %d stage%s%s\n", rc_stages_of(&s->staging),
               rc_stages_of(&s->staging) > 1 ? "s" : "",
               s->staging.chunk > 0 ? ", prompts in chunks" : "");
    const char *assumed = rc_forward_assumption(&s->machine, s->schedule, s->layout.cp, s->phase);
    if (assumed)
        printf("# %s\n", assumed);
    printf("FLOP rate %.1f TFLOP/s per GPU, MFU %.1f %% of %.0f TFLOP/s\n", r->flop_rate / 1e12,
           100.0 * r->mfu, s->machine.bf16_rate / 1e12);
    printf("communication: exposed %.3f ms, hidden %.3f ms\n", 1e3 * r->exposed_comm,
           1e3 * r->hidden_comm);
    if (r->shares)
        printf("attention and messages on one chip: %.3f ms longer\n", 1e3 * r->shared);
}

/* Only in the state that asks for a power model; without rows for one, what stands in for it. */
static void print_clock(const answer *a) {
    const rc_clock *c = &a->result.clock;
    if (strcmp(a->scenario.machine.state, RC_POWER_LIMITED) != 0)
        return;
    if (!(c->mhz > 0.0))
        printf("clock: no rows of power and clock of '%s': sustained costs\n",
               a->scenario.machine.base);
    else
        printf("clock: %.0f of %.0f MHz, mean power %.0f of %.0f W\n", c->mhz, c->boost_mhz,
               c->watts, c->limit);
}

static void print_memory(const rc_memory *m, const rc_machine *machine) {
    printf("memory per GPU: %.2f GB of %.2f GB (weights %.2f, KV %.2f, activations %.2f, buffers "
           "%.2f, runtime %.2f); memory_fraction %.4g of %.2f GB\n",
           m->total / 1e9, m->capacity / 1e9, m->weights / 1e9, m->kv / 1e9, m->activations / 1e9,
           m->buffers / 1e9, m->runtime / 1e9, machine->memory_fraction, machine->memory / 1e9);
}

static void print_basis(const answer *a) {
    char text[RC_BASIS_TEXT];
    const char *caution = caution_of(a, a->scenario.schedule, a->scenario.layout.cp);
    printf("costs on the critical path: %s\n", rc_basis_text(a->result.basis, text, sizeof text));
    if (caution)
        printf("caution: %s\n", caution);
}

static void print_other(const answer *a, const alternative *o) {
    const char *caution = caution_of(a, o->schedule, o->layout.cp);
    char cut[40] = "";
    if (rc_layout_dcp(&o->layout) > 1)
        (void)snprintf(cut, sizeof cut, "dcp %d ", o->layout.dcp);
    else if (rc_layout_ulysses(&o->layout) > 1)
        (void)snprintf(cut, sizeof cut, "ulysses %d ", o->layout.ulysses);
    else if (rc_layout_dp(&o->layout) > 1)
        (void)snprintf(cut, sizeof cut, "DP-attention %d ", o->layout.dp);
    printf("alternative CP%d x TP%d %-14s %s", o->layout.cp, o->layout.tp, o->schedule->name, cut);
    if (o->status != RC_OK)
        printf("not possible: %s\n", o->why);
    else
        printf("%.3f ms (%+.1f %%)%s%s\n", 1e3 * o->time, 100.0 * (o->time / a->result.time - 1.0),
               caution ? ": " : "", caution ? caution : "");
}

static void print_others(const answer *a) {
    for (int i = 0; i < a->other_count; i++)
        print_other(a, &a->others[i]);
}

static void print_speculation(const answer *a) {
    const rc_speculation *how = &a->scenario.speculation;
    const rc_speculated *s = &a->speculated;
    if (how->drafts == 0)
        return;
    printf("speculative: %d drafts of %.3f ms and a pass of %.3f ms make %.3f tokens at acceptance "
           "%g: TTIT %.3f ms (%+.1f %%)\n",
           how->drafts, 1e3 * s->draft, 1e3 * s->verify, s->tokens, how->acceptance, 1e3 * s->ttit,
           100.0 * (s->ttit / a->result.time - 1.0));
    printf("layers that draft, on a GPU: weights %.2f GB, KV %.2f GB\n", s->weights / 1e9,
           s->kv / 1e9);
}

static void json_speculation(rc_json *j, json_t *root, const answer *a) {
    const rc_speculated *s = &a->speculated;
    if (a->scenario.speculation.drafts == 0)
        return;
    json_t *o = rc_json_object(j, root, "speculative");
    rc_json_int(j, o, "drafts", a->scenario.speculation.drafts);
    rc_json_real(j, o, "acceptance", a->scenario.speculation.acceptance);
    rc_json_real(j, o, "draft_ms", 1e3 * s->draft);
    rc_json_real(j, o, "verify_ms", 1e3 * s->verify);
    rc_json_real(j, o, "tokens_a_step", s->tokens);
    rc_json_real(j, o, "ttit_ms", 1e3 * s->ttit);
    rc_json_real(j, o, "draft_weight_bytes", s->weights);
    rc_json_real(j, o, "draft_kv_bytes", s->kv);
}

static rc_status print_text(const answer *a, rc_error *err) {
    rc_table *t = breakdown_table(a);
    print_answer(a);
    print_head(a);
    rc_status st = rc_table_print(t, stdout, err);
    rc_table_destroy(t);
    print_clock(a);
    print_speculation(a);
    print_memory(&a->result.memory, &a->scenario.machine);
    print_basis(a);
    if (st == RC_OK)
        st = rc_op_sources_print(&a->sources, &a->scenario.machine, err);
    print_others(a);
    return st;
}

/* ---- JSON ----------------------------------------------------------------------------- */

static void json_memory(rc_json *j, json_t *root, const rc_memory *m) {
    json_t *o = rc_json_object(j, root, "memory_bytes");
    rc_json_real(j, o, "weights", m->weights);
    rc_json_real(j, o, "kv", m->kv);
    rc_json_real(j, o, "activations", m->activations);
    rc_json_real(j, o, "buffers", m->buffers);
    rc_json_real(j, o, "runtime", m->runtime);
    rc_json_real(j, o, "total", m->total);
    rc_json_real(j, o, "capacity", m->capacity);
}

static void json_clock(rc_json *j, json_t *root, const rc_clock *c) {
    if (!(c->mhz > 0.0))
        return;
    json_t *o = rc_json_object(j, root, "clock");
    rc_json_real(j, o, "mhz", c->mhz);
    rc_json_real(j, o, "boost_mhz", c->boost_mhz);
    rc_json_real(j, o, "mean_power_w", c->watts);
    rc_json_real(j, o, "power_limit_w", c->limit);
}

static void json_caution(rc_json *j, json_t *o, const answer *a, const rc_schedule *schedule,
                         int cp) {
    const char *caution = caution_of(a, schedule, cp);
    if (caution)
        rc_json_text(j, o, "caution", caution);
}

static void json_others(rc_json *j, json_t *root, const answer *a) {
    json_t *list = rc_json_list(j, root, "alternatives");
    for (int i = 0; i < a->other_count; i++) {
        const alternative *o = &a->others[i];
        json_t *e = rc_json_object(j, list, NULL);
        rc_json_text(j, e, "variant", o->schedule->name);
        rc_json_int(j, e, "tp", o->layout.tp);
        rc_json_int(j, e, "cp", o->layout.cp);
        if (rc_layout_dcp(&o->layout) > 1)
            rc_json_int(j, e, "dcp", o->layout.dcp);
        if (rc_layout_ulysses(&o->layout) > 1)
            rc_json_int(j, e, "ulysses", o->layout.ulysses);
        if (rc_layout_dp(&o->layout) > 1)
            rc_json_int(j, e, "dp_attention", o->layout.dp);
        if (o->status == RC_OK)
            rc_json_real(j, e, json_metric(&a->scenario), 1e3 * o->time);
        else
            rc_json_text(j, e, "not_possible", o->why);
        json_caution(j, e, a, o->schedule, o->layout.cp);
    }
}

static rc_json *answer_json(const answer *a) {
    const rc_scenario *s = &a->scenario;
    const rc_forward *r = &a->result;
    rc_json *j = rc_form_json("forward-1");
    json_t *root = rc_json_root(j);
    rc_json_text(j, root, "scenario", s->name);
    rc_json_text(j, root, "model", s->model.name);
    rc_json_text(j, root, "machine", s->machine.name);
    rc_json_text(j, root, "description", s->description);
    rc_machine_json(j, root, &s->machine);
    rc_json_text(j, root, "variant", s->schedule->name);
    rc_json_int(j, root, "tp", s->layout.tp);
    rc_json_int(j, root, "cp", s->layout.cp);
    if (rc_layout_dcp(&s->layout) > 1)
        rc_json_int(j, root, "dcp", s->layout.dcp);
    if (rc_layout_ulysses(&s->layout) > 1)
        rc_json_int(j, root, "ulysses", s->layout.ulysses);
    if (s->layout.ffn_over_cp)
        rc_json_int(j, root, "ffn_tp", rc_layout_gpus(&s->layout));
    if (rc_stages_of(&s->staging) > 1)
        rc_json_int(j, root, "pp", s->staging.stages);
    if (s->staging.chunk > 0)
        rc_json_int(j, root, "chunk", s->staging.chunk);
    if (rc_layout_ep(&s->layout) > 1)
        rc_json_int(j, root, "ep", s->layout.ep);
    if (rc_layout_dp(&s->layout) > 1) {
        rc_json_int(j, root, "dp_attention", s->layout.dp);
        rc_json_int(j, root, "sequences_of_busiest_group", (int64_t)s->own);
    }
    rc_json_real(j, root, json_metric(s), 1e3 * r->time);
    rc_json_real(j, root, "p5", 1e3 * r->p5);
    rc_json_real(j, root, "p95", 1e3 * r->p95);
    json_t *b = rc_json_object(j, root, "breakdown");
    for (int p = 0; p < RC_P_COUNT; p++) {
        if (r->busy[p] <= 0.0 && r->critical[p] <= 0.0)
            continue;
        json_t *e = rc_json_object(j, b, rc_part_name((rc_part)p));
        rc_json_real(j, e, "critical_ms", 1e3 * r->critical[p]);
        rc_json_real(j, e, "busy_ms", 1e3 * r->busy[p]);
    }
    rc_json_real(j, root, "exposed_comm_ms", 1e3 * r->exposed_comm);
    rc_json_real(j, root, "hidden_comm_ms", 1e3 * r->hidden_comm);
    if (r->shares)
        rc_json_real(j, root, "shared_chip_ms", 1e3 * r->shared);
    rc_json_real(j, root, "flop_rate", r->flop_rate);
    rc_json_real(j, root, "mfu", r->mfu);
    json_clock(j, root, &r->clock);
    json_speculation(j, root, a);
    json_memory(j, root, &r->memory);
    rc_basis_json(j, root, r->basis);
    rc_op_sources_json(j, root, &a->sources, &s->machine);
    json_caution(j, root, a, s->schedule, s->layout.cp);
    const char *assumed = rc_forward_assumption(&s->machine, s->schedule, s->layout.cp, s->phase);
    if (assumed)
        rc_json_text(j, root, "assumption", assumed);
    json_others(j, root, a);
    rc_notes_json(j, root, &a->notes);
    return j;
}

/* ---- --stats -------------------------------------------------------------------------- */

static rc_status print_stats(const answer *a, const rc_costs *costs, rc_error *err) {
    rc_forward all;
    rc_spec spec = rc_scenario_spec(&a->scenario, costs);
    const char *how = a->result.events > 0 ? "played" : "evaluated";
    spec.unfold = true;
    double start = rc_clock_s();
    RC_TRY(run(&spec, a, &all, err));
    double wall = rc_clock_s() - start;
    printf("# simulation\n");
    if (a->result.events > 0)
        printf("played:    %u GPUs, %d of %d layers, all of %zu ops, %llu events, %.2f ms wall\n",
               a->result.gpus, a->result.layers_simulated, a->scenario.model.layers, a->result.ops,
               (unsigned long long)a->result.events, 1e3 * a->wall);
    else
        printf("evaluated: %u GPUs, %d of %d layers, all of %zu ops, %.2f ms wall\n",
               a->result.gpus, a->result.layers_simulated, a->scenario.model.layers, a->result.ops,
               1e3 * a->wall);
    printf("in full:   %u GPUs, %d layers, %zu ops, %llu events, %.2f ms wall, %.2f M events/s "
           "(schedule, costs and engine together)\n",
           all.gpus, all.layers_simulated, all.ops, (unsigned long long)all.events, 1e3 * wall,
           (double)all.events / wall / 1e6);
    printf("hash of all events %016llx, %lld ps, %s %s\n", (unsigned long long)all.trace_hash,
           (long long)all.ticks, how,
           all.ticks == a->result.ticks ? "the same to the picosecond" : "DIFFERS");
    if (all.ticks != a->result.ticks)
        return rc_fail(err, RC_E_CHECK, "%s %lld ps and in full %lld ps differ", how,
                       (long long)a->result.ticks, (long long)all.ticks);
    return RC_OK;
}

static rc_status show(const answer *a, const forward_flags *f, const rc_costs *costs,
                      rc_error *err) {
    if (f->json)
        return rc_json_finish(answer_json(a), stdout, err);
    if (f->csv)
        return rc_table_finish(breakdown_table(a), true, stdout, err);
    if (f->quiet)
        printf("%.3f\n", 1e3 * a->result.time);
    else
        RC_TRY(print_text(a, err));
    return f->stats ? print_stats(a, costs, err) : RC_OK;
}

static void take_notes(answer *a, const rc_costs *costs) {
    const rc_scenario *s = &a->scenario;
    int64_t longest = 0;
    for (size_t i = 0; i < s->seq_count; i++)
        if (s->seqs[i].t + s->seqs[i].p > longest)
            longest = s->seqs[i].t + s->seqs[i].p;
    rc_model_notes(&s->model, &s->layout, longest, &a->notes);
    const bool blocks =
        s->layout.attn_weights == RC_FP8_BLOCK || s->layout.ffn_weights == RC_FP8_BLOCK;
    if (blocks && !rc_cost_has_products(costs, RC_FP8_BLOCK))
        rc_note(&a->notes,
                "weights in %s have not been measured on %s, nor on a part that stands in for it: "
                "their products are modelled by rows of %s",
                rc_dtype_name(RC_FP8_BLOCK), s->machine.name,
                rc_dtype_name(rc_dtype_math(RC_FP8_BLOCK)));
    rc_notes_print(&a->notes, stderr);
}

static rc_status speculate(answer *a, const rc_spec *spec, rc_error *err) {
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    if (!ctx)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a forward pass");
    rc_status st = rc_speculate(ctx, spec, &a->scenario.speculation, &a->speculated, err);
    rc_forward_ctx_destroy(ctx);
    return st;
}

static rc_status evaluate(answer *a, const forward_flags *f, const rc_costs *costs, rc_error *err) {
    rc_spec spec = rc_scenario_spec(&a->scenario, costs);
    spec.unfold = f->unfold;
    take_notes(a, costs); /* first: they may say why the pass is refused */
    if (f->stats) {
        double start = rc_clock_s();
        RC_TRY(run(&spec, a, &a->result, err));
        a->wall = rc_clock_s() - start;
    }
    spec.draws = f->quiet ? 0 : (int)f->draws;
    spec.seed = (uint64_t)f->seed;
    RC_TRY(run(&spec, a, &a->result, err));
    if (a->scenario.speculation.drafts > 0)
        RC_TRY(speculate(a, &spec, err));
    if (!f->quiet && !f->csv)
        RC_TRY(run_others(a, costs, err));
    if (!f->quiet && !f->csv)
        RC_TRY(rc_op_sources_of(&spec, &a->sources, err));
    if (f->trace)
        RC_TRY(rc_forward_timeline(&spec, &a->scenario, &a->result, f->trace, f->overwrite, err));
    RC_TRY(show(a, f, costs, err));
    return f->wanted ? rc_wanted_report(&spec, 1, f->wanted, !f->json && !f->csv && !f->quiet, err)
                     : RC_OK;
}

/* The scenario's own cut, whether its pass fits or not. */
static rc_status print_launch(const forward_flags *f, const rc_scenario *s, rc_error *err) {
    rc_launcher engine;
    char line[RC_LAUNCH_LINE];
    const rc_launch x = {.model = &s->model,
                         .layout = &s->layout,
                         .schedule = s->schedule,
                         .stages = rc_stages_of(&s->staging),
                         .rest = s->staging.rest,
                         .gpus_per_node = s->machine.gpus_per_node,
                         .chunk = s->staging.chunk};
    RC_TRY(rc_launcher_named(f->launch, &engine, err));
    RC_TRY(rc_launch_line(engine, &x, line, err));
    (void)printf("%s\n", line);
    return RC_OK;
}

rc_status rc_cmd_forward(int argc, char **argv, rc_error *err) {
    forward_flags f = {0};
    answer a = {0};
    rc_costs *costs = NULL;
    char path[RC_PATH_SIZE];
    bool helped;
    RC_TRY(parse(argc, argv, &f, &helped, err));
    if (helped)
        return RC_OK;
    RC_TRY(rc_output_check(f.wanted, false, err));
    RC_TRY(rc_output_check(f.trace, f.overwrite, err));
    RC_TRY(rc_scenario_load(rc_scenario_path(f.file, path, sizeof path), f.sets.values,
                            f.sets.count, &a.scenario, err));
    rc_status st = f.launch ? print_launch(&f, &a.scenario, err)
                            : rc_costs_open(f.store, &a.scenario.machine, &costs, err);
    if (st == RC_OK && !f.launch)
        st = evaluate(&a, &f, costs, err);
    rc_costs_close(costs);
    rc_scenario_free(&a.scenario);
    return st;
}
