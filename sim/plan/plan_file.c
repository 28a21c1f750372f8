/* Reading plan files.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/plan/plan_file.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "sim/forward/scenario.h"

/* ---- lists of the space ---------------------------------------------------------------------- */

/* {from, to}: every whole number between. */
static rc_status read_between(const rc_node *n, int64_t lo, int64_t hi, rc_plan_ints *out,
                              rc_error *err) {
    static const char *const known[] = {"from", "to", NULL};
    int64_t from, to;
    assert(out->n == 0);
    assert(lo <= hi);
    RC_TRY(rc_doc_known(n, known, err));
    RC_TRY(rc_doc_int(n, "from", lo, hi, &from, err));
    int64_t most = from + RC_PLAN_LIST - 1 < hi ? from + RC_PLAN_LIST - 1 : hi;
    RC_TRY(rc_doc_int(n, "to", from, most, &to, err));
    for (int64_t v = from; v <= to; v++)
        out->v[out->n++] = v;
    return RC_OK;
}

/* One number, a list, or {from, to}. */
static rc_status read_ints(const rc_section *s, const char *key, rc_plan_ints *out, rc_error *err) {
    const rc_node *node = rc_section_node(s, key);
    char path[64];
    size_t n;
    (void)snprintf(path, sizeof path, "space.%s", key);
    const rc_key *k = rc_key_find(RC_KEYS_PLAN, path);
    int64_t lo = (int64_t)k->lo, hi = (int64_t)k->hi;
    out->n = 0;
    if (node && rc_node_kind_of(node) == RC_NODE_MAP)
        return read_between(node, lo, hi, out, err);
    RC_TRY(rc_section_item_count(s, key, 1, RC_PLAN_LIST, &n, err));
    for (size_t i = 0; i < n; i++)
        RC_TRY(rc_section_whole_item(s, key, i, lo, hi, &out->v[out->n++], err));
    return RC_OK;
}

/* Names, as their index. */
static rc_status read_choices(const rc_section *s, const char *key, rc_plan_ints *out,
                              rc_error *err) {
    size_t n;
    out->n = 0;
    RC_TRY(rc_section_item_count(s, key, 1, RC_PLAN_LIST, &n, err));
    for (size_t i = 0; i < n; i++) {
        int found = 0;
        RC_TRY(rc_section_choice_item(s, key, i, &found, err));
        out->v[out->n++] = found;
    }
    return RC_OK;
}

static rc_status read_variants(const rc_section *s, rc_plan_space *out, rc_error *err) {
    rc_plan_ints found;
    const rc_key *k = rc_key_find(RC_KEYS_PLAN, "space.variant");
    RC_TRY(read_choices(s, "variant", &found, err));
    out->pick_count = found.n;
    for (int i = 0; i < found.n; i++) {
        char name[32];
        RC_TRY(rc_pick_named(rc_key_choice_name(k, (int)found.v[i], name, sizeof name),
                             &out->picks[i], err));
    }
    return RC_OK;
}

static rc_status read_groups(const rc_section *s, rc_plan_space *out, rc_error *err) {
    const rc_key *k = rc_key_find(RC_KEYS_PLAN, "space.dcp_variant");
    char name[32];
    int cut = 0, mla = 0, rest = 0;
    RC_TRY(read_ints(s, "dcp", &out->dcp, err));
    RC_TRY(read_ints(s, "dp_attention", &out->dp, err));
    RC_TRY(read_ints(s, "ep", &out->ep, err));
    RC_TRY(read_ints(s, "pp", &out->pp, err));
    RC_TRY(rc_section_choice(s, "pp_rest", &rest, err));
    RC_TRY(rc_section_choice(s, "dcp_variant", &cut, err));
    RC_TRY(rc_section_number(s, "expert_skew", &out->expert_skew, err));
    RC_TRY(rc_section_choice(s, "mla", &mla, err));
    for (int i = 0; i < out->ep.n; i++)
        out->ep.v[i] = out->ep.v[i] == 0 ? -1 : out->ep.v[i];
    out->cut = rc_schedule_named(rc_key_choice_name(k, cut, name, sizeof name));
    out->mla = (rc_mla)mla;
    out->pp_rest = (rc_rest_layers)rest;
    return RC_OK;
}

static rc_status read_space(const rc_section *s, rc_plan_space *out, rc_error *err) {
    static const rc_dtype dtypes[] = {RC_BF16, RC_FP8, RC_INT4};
    if (!rc_section_has(s, "tp"))
        return rc_node_fail(s->map, err, RC_E_INPUT, "missing key 'tp' in 'space'");
    RC_TRY(read_ints(s, "tp", &out->tp, err));
    RC_TRY(read_ints(s, "cp", &out->cp, err));
    RC_TRY(read_ints(s, "decode_cp", &out->decode_cp, err));
    RC_TRY(read_groups(s, out, err));
    RC_TRY(read_ints(s, "budget", &out->budget, err));
    RC_TRY(read_ints(s, "max_batch", &out->max_batch, err));
    RC_TRY(read_ints(s, "replicas", &out->replicas, err));
    RC_TRY(read_choices(s, "dynamic_cp", &out->dynamic, err));
    RC_TRY(read_choices(s, "pools", &out->split, err));
    RC_TRY(read_choices(s, "scheduler", &out->chunked, err));
    RC_TRY(read_choices(s, "kv", &out->kv, err));
    for (int i = 0; i < out->kv.n; i++)
        out->kv.v[i] = dtypes[out->kv.v[i]];
    return read_variants(s, out, err);
}

/* ---- offers ---------------------------------------------------------------------------------- */

static rc_status read_offer(const rc_section *s, const char *const *sets, size_t set_count,
                            rc_plan_offer *o, rc_error *err) {
    char path[1024];
    int64_t gpus;
    RC_TRY(rc_section_text(s, "machine", o->file, sizeof o->file, err));
    RC_TRY(rc_section_number(s, "price", &o->price, err));
    RC_TRY(rc_section_whole(s, "gpus", &gpus, err));
    o->gpus = (int)gpus;
    RC_TRY(rc_scenario_named(s, "machine", "scenarios/machines", ".yaml", path, sizeof path, err));
    return rc_machine_load_set(path, sets, set_count, &o->machine, err);
}

static rc_status read_entries(const rc_section *root, const char *const *sets, size_t set_count,
                              rc_plan *p, rc_error *err) {
    size_t n;
    rc_section s;
    RC_TRY(rc_section_entries(root, "offers", 1, RC_PLAN_OFFERS, &n, err));
    for (size_t i = 0; i < n; i++) {
        RC_TRY(rc_section_entry(root, "offers", i, &s, err));
        RC_TRY(read_offer(&s, sets, set_count, &p->offers[i], err));
    }
    p->offer_count = (int)n;
    return RC_OK;
}

static rc_status read_search(const rc_section *root, rc_plan *p, rc_error *err) {
    rc_section s;
    int64_t seeds;
    RC_TRY(rc_section_enter(root, "search", &s, err));
    RC_TRY(rc_section_whole(&s, "simulations", &p->simulations, err));
    RC_TRY(rc_section_whole(&s, "seeds", &seeds, err));
    RC_TRY(rc_section_number(&s, "met", &p->met, err));
    RC_TRY(rc_section_number(&s, "growth", &p->growth, err));
    p->check_seeds = (int)seeds;
    return RC_OK;
}

/* ---- as a scenario of serve ----------------------------------------------------------------- */

static rc_status set_number(rc_doc *doc, const char *key, double v, const char *unit,
                            rc_error *err) {
    char text[40];
    (void)snprintf(text, sizeof text, "%.17g%s", v, unit);
    return rc_doc_set(doc, key, text, err);
}

/* kv.memory speaks of every machine on offer. */
static rc_status resolve_memory(rc_plan_file *f, rc_error *err) {
    const rc_node *kv = rc_node_get(rc_doc_root(f->doc), "kv");
    if (kv == NULL || !rc_doc_has(kv, "memory"))
        return RC_OK;
    for (int i = 0; i < f->plan.offer_count; i++) {
        rc_machine *m = &f->plan.offers[i].machine;
        if (rc_machine_overridden(m, "memory_fraction") &&
            m->memory_fraction != f->serve.machine.memory_fraction)
            return rc_node_fail(rc_node_get(kv, "memory"), err, RC_E_INPUT,
                                "key 'memory': %.4g here and %.4g in machine.memory_fraction; "
                                "state it once",
                                f->serve.machine.memory_fraction, m->memory_fraction);
        m->memory_fraction = f->serve.machine.memory_fraction;
    }
    return RC_OK;
}

/* The types of KV to consider are those of the space, or the one that the scenario states. */
static rc_status resolve_kv(rc_doc *doc, const rc_section *space, rc_plan *p, rc_error *err) {
    const rc_node *root = rc_doc_root(doc), *dtypes = rc_node_get(root, "dtypes");
    const rc_node *kv = rc_node_get(root, "kv");
    bool stated =
        (dtypes != NULL && rc_doc_has(dtypes, "kv")) || (kv != NULL && rc_doc_has(kv, "dtype"));
    rc_plan_ints *of = &p->space.kv;
    if (!rc_section_has(space, "kv"))
        *of = (rc_plan_ints){.v = {p->dtypes.kv}, .n = 1};
    else if (stated && (of->n != 1 || of->v[0] != (int64_t)p->dtypes.kv))
        return rc_node_fail(rc_section_node(space, "kv"), err, RC_E_INPUT,
                            "key 'kv': the scenario states KV in %s besides; state it once",
                            rc_dtype_name(p->dtypes.kv));
    return RC_OK;
}

/* What `serve` needs and a plan leaves open; every trial replaces it. */
static rc_status complete(rc_doc *doc, const rc_plan *p, rc_error *err) {
    char pools[96];
    assert(p->offer_count >= 1);
    assert(p->space.tp.n >= 1 && p->space.cp.n >= 1);
    (void)snprintf(pools, sizeof pools, "[{name: all, tp: %lld, cp: %lld}]",
                   (long long)p->space.tp.v[0], (long long)p->space.cp.v[0]);
    RC_TRY(rc_doc_set_text(doc, "serve", p->name, err));
    RC_TRY(rc_doc_set_text(doc, "machine", p->offers[0].file, err));
    RC_TRY(rc_doc_set(doc, "pools", pools, err));
    return set_number(doc, "price", p->offers[0].price, "", err);
}

static rc_status check_keys(const rc_node *root, rc_error *err) {
    static const char *const found[] = {"machine", "pools", "price", "serve", NULL};
    for (int i = 0; found[i]; i++)
        if (rc_doc_has(root, found[i]))
            return rc_node_fail(rc_node_get(root, found[i]), err, RC_E_INPUT,
                                "key '%s': a plan finds that itself, from 'offers' and 'space'",
                                found[i]);
    if (!rc_doc_has(root, "slo"))
        return rc_node_fail(root, err, RC_E_INPUT, "missing key 'slo' at the top level");
    return RC_OK;
}

/* The keys of a plan, which then leave the document: the rest is a scenario of `serve`. */
static rc_status read_own(rc_doc *doc, const char *const *sets, size_t set_count, rc_plan *p,
                          rc_section *space, rc_error *err) {
    static const char *const own[] = {"plan", "offers", "space", "search", NULL};
    const rc_section root = {.file = RC_KEYS_PLAN, .map = rc_doc_root(doc)};
    RC_TRY(check_keys(root.map, err));
    RC_TRY(rc_section_text(&root, "plan", p->name, sizeof p->name, err));
    RC_TRY(rc_section_enter(&root, "space", space, err));
    RC_TRY(read_space(space, &p->space, err));
    RC_TRY(read_entries(&root, sets, set_count, p, err));
    RC_TRY(read_search(&root, p, err));
    for (int i = 0; own[i]; i++)
        (void)rc_doc_take(doc, own[i]);
    return RC_OK;
}

static rc_status read_parts(const char *const *sets, size_t set_count, rc_plan_file *f,
                            rc_error *err) {
    rc_plan *p = &f->plan;
    rc_section space;
    RC_TRY(rc_scenario_set(f->doc, sets, set_count, err));
    RC_TRY(read_own(f->doc, sets, set_count, p, &space, err));
    RC_TRY(complete(f->doc, p, err));
    RC_TRY(rc_serve_read(f->doc, NULL, 0, &f->serve, err));
    (void)snprintf(p->description, sizeof p->description, "%s", f->serve.description);
    p->model = f->serve.model;
    p->dtypes = f->serve.layout;
    p->serve = &f->serve;
    bool trace = f->serve.trace[0] != '\0' && !f->serve.draw;
    p->own_arrivals = trace && f->serve.clients == 0;
    if (trace && f->serve.clients > 0)
        p->check_seeds = 0; /* the same requests in the same order, whatever the seed */
    p->objective_count = f->serve.objective_count;
    memcpy(p->objectives, f->serve.objectives, sizeof p->objectives);
    RC_TRY(resolve_kv(f->doc, &space, p, err));
    RC_TRY(resolve_memory(f, err));
    p->seed = f->serve.seed;
    return RC_OK;
}

rc_status rc_plan_read(rc_doc *doc, const char *const *sets, size_t set_count, rc_plan_file *out,
                       rc_error *err) {
    assert(doc != NULL);
    memset(out, 0, sizeof *out);
    out->doc = doc;
    rc_status st = read_parts(sets, set_count, out, err);
    if (st != RC_OK)
        rc_plan_close(out);
    return st;
}

rc_status rc_plan_open(const char *path, const char *const *sets, size_t set_count,
                       rc_plan_file *out, rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_open(path, &doc, err));
    return rc_plan_read(doc, sets, set_count, out, err);
}

void rc_plan_close(rc_plan_file *f) {
    rc_doc_close(f->doc);
    f->doc = NULL;
}
