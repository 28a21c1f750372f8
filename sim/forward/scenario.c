/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/forward/scenario.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/find.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/layout.h"

enum { MAX_SEQS = 65536 };

/* ---- the document --------------------------------------------------------------------- */

static rc_status read_dtype(const rc_section *s, const char *key, rc_dtype *out, rc_error *err) {
    int i = -1;
    RC_TRY(rc_section_choice(s, key, &i, err));
    if (i >= 0)
        *out = rc_dtype_stated(i);
    return RC_OK;
}

rc_status rc_scenario_dtypes(const rc_section *root, rc_layout *l, rc_error *err) {
    rc_section s;
    RC_TRY(rc_section_enter(root, "dtypes", &s, err));
    RC_TRY(read_dtype(&s, "attention_weights", &l->attn_weights, err));
    RC_TRY(read_dtype(&s, "ffn_weights", &l->ffn_weights, err));
    RC_TRY(read_dtype(&s, "activations", &l->act, err));
    RC_TRY(read_dtype(&s, "kv", &l->kv, err));
    RC_TRY(read_dtype(&s, "ring_messages", &l->ring_wire, err));
    return read_dtype(&s, "tp_transfers", &l->tp_wire, err);
}

rc_status rc_scenario_cut(const rc_section *s, rc_layout *out, rc_error *err) {
    int64_t tp, cp, dcp, ulysses, dp, ep;
    int world = 0, mla = 0, transfer = 0;
    RC_TRY(rc_section_whole(s, "tp", &tp, err));
    RC_TRY(rc_section_whole(s, "cp", &cp, err));
    RC_TRY(rc_section_whole(s, "dcp", &dcp, err));
    RC_TRY(rc_section_whole(s, "ulysses", &ulysses, err));
    RC_TRY(rc_section_whole(s, "dp_attention", &dp, err));
    RC_TRY(rc_section_choice(s, "world", &world, err));
    RC_TRY(rc_section_whole(s, "ep", &ep, err));
    RC_TRY(rc_section_number(s, "expert_skew", &out->expert_skew, err));
    RC_TRY(rc_section_choice(s, "expert_transfer", &transfer, err));
    RC_TRY(rc_section_choice(s, "mla", &mla, err));
    if (world == 1 && tp % (cp * dp) != 0)
        return rc_node_fail(rc_section_node(s, cp > 1 ? "cp" : "dp_attention"), err, RC_E_INPUT,
                            "with world tp the %lld ranks are parts of a TP group of %lld GPUs: %s "
                            "divides tp",
                            (long long)(cp * dp), (long long)tp,
                            dp > 1 ? "cp x dp_attention" : "cp");
    out->ffn_over_cp = world == 1;
    out->dp = (int)dp;
    out->tp = (int)(world == 1 ? tp / (cp * dp) : tp);
    out->cp = (int)cp;
    out->dcp = (int)dcp;
    out->ulysses = (int)ulysses;
    out->ep = (int)(ep > 0 ? ep : rc_layout_gpus(out));
    out->expert_transfer = (rc_expert_way)transfer;
    out->mla = (rc_mla)mla;
    return RC_OK;
}

rc_status rc_scenario_stages(const rc_section *s, const rc_model *m, rc_stages *out,
                             rc_error *err) {
    int rest = 0;
    int64_t stages;
    RC_TRY(rc_section_whole(s, "pp", &stages, err));
    RC_TRY(rc_section_choice(s, "pp_rest", &rest, err));
    *out = (rc_stages){(int)stages, (rc_rest_layers)rest};
    return stages <= m->layers ? RC_OK
                               : rc_node_fail(rc_section_node(s, "pp"), err, RC_E_INPUT,
                                              "pp is %lld, and %s has %d layers", (long long)stages,
                                              m->name, m->layers);
}

static rc_status read_parallel(const rc_section *root, rc_scenario *out, rc_error *err) {
    rc_section s;
    int variant, chosen = 0;
    rc_stages stages;
    RC_TRY(rc_section_enter(root, "parallel", &s, err));
    RC_TRY(rc_scenario_cut(&s, &out->layout, err));
    RC_TRY(rc_scenario_stages(&s, &out->model, &stages, err));
    RC_TRY(rc_section_choice(&s, "chosen_keys", &chosen, err));
    out->layout.zigzag = chosen == 1;
    RC_TRY(rc_section_choice(&s, "variant", &variant, err));
    out->staging.stages = stages.count;
    out->staging.rest = stages.rest;
    out->schedule = rc_schedule_at(variant);
    rc_status st = rc_schedule_fits(out->schedule, &out->model, &out->layout, err);
    if (st != RC_OK && err) {
        char text[sizeof err->msg];
        snprintf(text, sizeof text, "%s", err->msg);
        return rc_node_fail(rc_section_node(&s, "tp"), err, st, "%.700s", text);
    }
    return st;
}

static rc_status read_tokens(const rc_section *s, rc_phase phase, rc_sequence *out, rc_error *err) {
    const char *needed = phase == RC_DECODE ? "cached" : "new";
    char path[256];
    *out = (rc_sequence){1, 0};
    if (!rc_section_has(s, needed))
        return rc_node_fail(s->map, err, RC_E_INPUT, "missing key '%s' in '%s'", needed,
                            rc_node_path(s->map, path, sizeof path));
    RC_TRY(phase == RC_DECODE ? rc_section_whole_in(s, "new", 1, 1, &out->t, err)
                              : rc_section_whole(s, "new", &out->t, err));
    return rc_section_whole(s, "cached", &out->p, err);
}

static rc_status give_sequences(rc_scenario *out, size_t count, rc_error *err) {
    out->seq_count = count;
    out->seqs = calloc(count, sizeof *out->seqs);
    return out->seqs ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for %zu sequences", count);
}

/* A list of {new, cached}. */
static rc_status read_list(const rc_section *root, rc_scenario *out, rc_error *err) {
    size_t count;
    if (rc_section_has(root, "tokens") || rc_section_has(root, "batch"))
        return rc_node_fail(rc_section_node(root, "sequences"), err, RC_E_INPUT,
                            "key 'sequences' stands beside 'tokens' or 'batch'; give one or the "
                            "other");
    RC_TRY(rc_section_entries(root, "sequences", 1, MAX_SEQS, &count, err));
    RC_TRY(give_sequences(out, count, err));
    for (size_t i = 0; i < count; i++) {
        rc_section s;
        RC_TRY(rc_section_entry(root, "sequences", i, &s, err));
        RC_TRY(read_tokens(&s, out->phase, &out->seqs[i], err));
    }
    return RC_OK;
}

/* Either `tokens` and `batch` (equal sequences), or `sequences`. */
static rc_status read_sequences(const rc_section *root, rc_scenario *out, rc_error *err) {
    rc_section s;
    rc_sequence one;
    int64_t batch;
    if (rc_section_has(root, "sequences"))
        return read_list(root, out, err);
    if (!rc_section_has(root, "tokens"))
        return rc_node_fail(root->map, err, RC_E_INPUT, "missing key 'tokens' at the top level");
    RC_TRY(rc_section_enter(root, "tokens", &s, err));
    RC_TRY(rc_section_whole(root, "batch", &batch, err));
    RC_TRY(read_tokens(&s, out->phase, &one, err));
    RC_TRY(give_sequences(out, (size_t)batch, err));
    for (size_t i = 0; i < out->seq_count; i++)
        out->seqs[i] = one;
    return RC_OK;
}

/* A rank and what is slow about it: both or neither. */
static rc_status read_slow(const rc_section *s, const char *rank, const char *speed, int cp,
                           int *out_rank, double *out_speed, rc_error *err) {
    int64_t v = -1;
    if (rc_section_has(s, rank) != rc_section_has(s, speed))
        return rc_node_fail(s->map, err, RC_E_INPUT, "key '%s' needs the key '%s' beside it",
                            rc_section_has(s, rank) ? rank : speed,
                            rc_section_has(s, rank) ? speed : rank);
    RC_TRY(rc_section_whole_in(s, rank, 0, cp - 1, &v, err));
    *out_rank = (int)v;
    return rc_section_number(s, speed, out_speed, err);
}

static rc_status read_what_if(const rc_section *root, const rc_layout *l, rc_what_if *w,
                              rc_error *err) {
    rc_section s;
    *w = (rc_what_if){.slow_rank = -1, .slow_link_rank = -1};
    RC_TRY(rc_section_enter(root, "what_if", &s, err));
    if (!s.map)
        return RC_OK;
    RC_TRY(read_slow(&s, "slow_rank", "slow_speed", l->cp, &w->slow_rank, &w->slow_speed, err));
    RC_TRY(read_slow(&s, "slow_link_rank", "slow_link", l->cp, &w->slow_link_rank, &w->slow_link,
                     err));
    RC_TRY(rc_section_number(&s, "overlap_compute", &w->overlap_compute, err));
    return rc_section_number(&s, "overlap_comm", &w->overlap_comm, err);
}

rc_status rc_scenario_named(const rc_section *s, const char *key, const char *folder,
                            const char *ext, char *path, size_t size, rc_error *err) {
    const char *name = "";
    RC_TRY(rc_section_name(s, key, &name, err));
    return rc_find_named(rc_section_node(s, key), key, folder, ext, path, size, err);
}

rc_status rc_scenario_parts(const rc_section *root, const char *const *sets, size_t set_count,
                            rc_model *model, rc_machine *machine, rc_error *err) {
    char path[1024];
    RC_TRY(rc_scenario_named(root, "model", "models", ".json", path, sizeof path, err));
    RC_TRY(rc_model_open(path, model, err));
    RC_TRY(
        rc_scenario_named(root, "machine", "scenarios/machines", ".yaml", path, sizeof path, err));
    return rc_machine_load_set(path, sets, set_count, machine, err);
}

static rc_status read_share(const rc_section *root, rc_ring_share *out, rc_error *err) {
    int64_t sms = 0;
    RC_TRY(rc_section_whole(root, "ring_sms", &sms, err));
    out->gives_way = sms == 0 && rc_section_has(root, "ring_sms");
    out->sms = (int)sms;
    return RC_OK;
}

static rc_status read_ways(const rc_section *root, rc_scenario *out, rc_error *err) {
    static const rc_phase phase_of[] = {RC_PREFILL, RC_DECODE, RC_MIXED};
    int phase;
    RC_TRY(rc_section_choice(root, "phase", &phase, err));
    out->phase = phase_of[phase];
    int host = out->phase == RC_DECODE, ring = out->phase == RC_DECODE;
    RC_TRY(rc_section_choice(root, "host", &host, err));
    RC_TRY(rc_section_choice(root, "ring", &ring, err));
    out->eager = host == 0;
    out->serial_ring = ring == 1;
    RC_TRY(rc_section_whole(root, "chunk", &out->staging.chunk, err));
    if (out->staging.chunk > 0 && out->phase != RC_PREFILL)
        return rc_node_fail(rc_section_node(root, "chunk"), err, RC_E_INPUT,
                            "key 'chunk': chunks are of prompts, phase prefill");
    return read_share(root, &out->ring_share, err);
}

static rc_status read_speculation(const rc_section *root, rc_scenario *out, rc_error *err) {
    rc_section s;
    int64_t drafts = 0;
    RC_TRY(rc_section_enter(root, "speculative", &s, err));
    if (!s.map)
        return RC_OK;
    RC_TRY(rc_section_whole(&s, "drafts", &drafts, err));
    RC_TRY(rc_section_number(&s, "acceptance", &out->speculation.acceptance, err));
    out->speculation.drafts = (int)drafts;
    if (out->phase != RC_DECODE || out->model.nextn == 0)
        return rc_node_fail(rc_section_node(&s, "drafts"), err, RC_E_INPUT,
                            "key 'drafts': drafts are of decode steps of a model with layers that "
                            "predict further tokens, of which %s has %d",
                            out->model.name, out->model.nextn);
    return RC_OK;
}

static rc_status read_document(const rc_node *top, const char *const *sets, size_t set_count,
                               rc_scenario *out, rc_error *err) {
    rc_section root;
    RC_TRY(rc_section_root(RC_KEYS_FORWARD, top, &root, err));
    RC_TRY(rc_section_text(&root, "scenario", out->name, sizeof out->name, err));
    RC_TRY(rc_section_prose(&root, "description", out->description, sizeof out->description, err));
    RC_TRY(rc_scenario_parts(&root, sets, set_count, &out->model, &out->machine, err));
    RC_TRY(read_ways(&root, out, err));
    RC_TRY(rc_scenario_attention(&root, &out->model, err));
    rc_model_dtypes(&out->model, &out->layout);
    RC_TRY(rc_scenario_dtypes(&root, &out->layout, err));
    RC_TRY(read_parallel(&root, out, err));
    RC_TRY(read_sequences(&root, out, err));
    RC_TRY(rc_scenario_history(&root, &out->history, err));
    for (size_t i = 0; i < out->seq_count; i++)
        out->seqs[i] = rc_history_left(&out->history, out->seqs[i]);
    RC_TRY(read_speculation(&root, out, err));
    RC_TRY(rc_spread_sequences(&out->model, rc_layout_dp(&out->layout), out->seqs, out->seq_count,
                               &out->own, &out->elsewhere, &out->elsewhere_flops, err));
    return read_what_if(&root, &out->layout, &out->what_if, err);
}

rc_status rc_scenario_set(rc_doc *doc, const char *const *sets, size_t set_count, rc_error *err) {
    char key[256];
    for (size_t i = 0; i < set_count; i++) {
        const char *eq = strchr(sets[i], '=');
        if (!eq || eq == sets[i] || (size_t)(eq - sets[i]) >= sizeof key)
            return rc_fail_at(err, RC_E_USAGE, "--set", 0, 0, "found '%.200s', expected key=value",
                              sets[i]);
        snprintf(key, sizeof key, "%.*s", (int)(eq - sets[i]), sets[i]);
        if (strncmp(key, "machine.", 8) != 0)
            RC_TRY(rc_doc_set(doc, key, eq + 1, err));
    }
    return RC_OK;
}

rc_status rc_scenario_read(rc_doc *doc, const char *const *sets, size_t set_count, rc_scenario *out,
                           rc_error *err) {
    memset(out, 0, sizeof *out);
    RC_TRY(rc_scenario_set(doc, sets, set_count, err));
    rc_status st = read_document(rc_doc_root(doc), sets, set_count, out, err);
    if (st != RC_OK)
        rc_scenario_free(out);
    return st;
}

rc_status rc_scenario_load(const char *path, const char *const *sets, size_t set_count,
                           rc_scenario *out, rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_open(path, &doc, err));
    rc_status st = rc_scenario_read(doc, sets, set_count, out, err);
    rc_doc_close(doc);
    return st;
}

void rc_scenario_free(rc_scenario *s) {
    if (!s)
        return;
    free(s->seqs);
    s->seqs = NULL;
    s->seq_count = 0;
}

rc_spec rc_scenario_spec(const rc_scenario *s, const rc_costs *costs) {
    assert(s->schedule != NULL && costs != NULL);
    return (rc_spec){.model = &s->model,
                     .costs = costs,
                     .layout = s->layout,
                     .phase = s->phase,
                     .schedule = s->schedule,
                     .seqs = s->seqs,
                     .seq_count = s->own,
                     .elsewhere = s->elsewhere,
                     .elsewhere_flops = s->elsewhere_flops,
                     .eager = s->eager,
                     .serial_ring = s->serial_ring,
                     .ring_share = s->ring_share,
                     .what_if = s->what_if};
}
