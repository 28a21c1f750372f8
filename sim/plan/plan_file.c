/* Reading plan files. SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/plan/plan_file.h"
#include <float.h>
#include <string.h>
#include "sim/forward/scenario.h"

/* ---- lists of the space ---------------------------------------------------------------------- */

/* One number, a list, or {from, to}: every whole number between. */
static rc_status read_ints(const rc_node *map, const char *key, int64_t lo, int64_t hi,
                           rc_plan_ints *out, rc_error *err) {
    const rc_node *n = rc_node_get(map, key);
    if (!n)
        return RC_OK;
    out->n = 0;
    if (rc_node_kind_of(n) == RC_NODE_MAP) {
        static const char *const known[] = {"from", "to", NULL};
        int64_t from, to;
        RC_TRY(rc_doc_known(n, known, err));
        RC_TRY(rc_doc_int(n, "from", lo, hi, &from, err));
        RC_TRY(rc_doc_int(n, "to", from,
                          from + RC_PLAN_LIST - 1 < hi ? from + RC_PLAN_LIST - 1 : hi, &to, err));
        for (int64_t v = from; v <= to; v++)
            out->v[out->n++] = v;
        return RC_OK;
    }
    bool list = rc_node_kind_of(n) == RC_NODE_LIST;
    size_t count = list ? rc_node_count(n) : 1;
    if (count < 1 || count > RC_PLAN_LIST)
        return rc_node_fail(n, err, RC_E_INPUT, "key '%s': found %zu values, expected 1 to %d", key,
                            count, RC_PLAN_LIST);
    for (size_t i = 0; i < count; i++)
        RC_TRY(rc_node_int(list ? rc_node_at(n, i) : n, key, lo, hi, &out->v[out->n++], err));
    return RC_OK;
}

/* Names, as their index. */
static rc_status read_choices(const rc_node *map, const char *key, const char *const *names,
                              rc_plan_ints *out, rc_error *err) {
    const rc_node *n = rc_node_get(map, key);
    if (!n)
        return RC_OK;
    bool list = rc_node_kind_of(n) == RC_NODE_LIST;
    size_t count = list ? rc_node_count(n) : 1;
    if (count < 1 || count > RC_PLAN_LIST)
        return rc_node_fail(n, err, RC_E_INPUT, "key '%s': found %zu values, expected 1 to %d", key,
                            count, RC_PLAN_LIST);
    out->n = 0;
    for (size_t i = 0; i < count; i++) {
        const rc_node *at = list ? rc_node_at(n, i) : n;
        int64_t found = -1;
        for (int k = 0; names[k]; k++)
            if (strcmp(rc_node_text(at), names[k]) == 0)
                found = k;
        const char *near = rc_nearest(rc_node_text(at), names);
        if (found < 0)
            return rc_node_fail(at, err, RC_E_INPUT, "key '%s': found '%.80s', expected %s%s%s%s",
                                key, rc_node_text(at), names[0], near ? " (did you mean '" : "",
                                near ? near : " or another", near ? "'?)" : "");
        out->v[out->n++] = found;
    }
    return RC_OK;
}

static rc_status read_variants(const rc_node *map, rc_plan_space *s, rc_error *err) {
    const char *names[16] = {"oracle"};
    size_t n = 1;
    rc_plan_ints found = {.n = 0};
    for (const char *const *v = rc_rule_names(); *v && n < 10; v++)
        names[n++] = *v;
    names[n++] = "pass-kv";
    names[n++] = "pass-q";
    names[n++] = "all-gather-kv";
    names[n] = NULL;
    RC_TRY(read_choices(map, "variant", names, &found, err));
    s->variant_count = found.n > 0 ? found.n : 1;
    for (int i = 0; i < s->variant_count; i++)
        (void)snprintf(s->variants[i], sizeof s->variants[i], "%s",
                       names[found.n > 0 ? found.v[i] : 0]);
    return RC_OK;
}

static rc_status read_space(const rc_node *map, rc_plan_space *s, rc_error *err) {
    static const char *const known[] = {"tp",         "cp",    "decode_cp", "variant",
                                        "dynamic_cp", "pools", "scheduler", "budget",
                                        "max_batch",  "kv",    "replicas",  NULL};
    static const char *const bools[] = {"false", "true", NULL};
    static const char *const pools[] = {"mixed", "disaggregated", NULL};
    static const char *const scheds[] = {"prefill-first", "chunked", NULL};
    static const char *const kvs[] = {"bf16", "fp8", "int4", NULL};
    static const rc_dtype dtypes[] = {RC_BF16, RC_FP8, RC_INT4};
    const rc_plan_ints one = {.v = {1}, .n = 1}, none = {.v = {0}, .n = 1};
    s->cp = s->decode_cp = s->replicas = one;
    s->dynamic = s->split = s->chunked = s->kv = none;
    s->budget = (rc_plan_ints){.v = {8192}, .n = 1};
    s->max_batch = (rc_plan_ints){.v = {256}, .n = 1};
    RC_TRY(rc_doc_known(map, known, err));
    if (!rc_doc_has(map, "tp"))
        return rc_node_fail(map, err, RC_E_INPUT, "missing key 'tp' in 'space'");
    RC_TRY(read_ints(map, "tp", 1, 1024, &s->tp, err));
    RC_TRY(read_ints(map, "cp", 1, 1024, &s->cp, err));
    RC_TRY(read_ints(map, "decode_cp", 1, 1024, &s->decode_cp, err));
    RC_TRY(read_ints(map, "budget", 1, INT64_C(1) << 30, &s->budget, err));
    RC_TRY(read_ints(map, "max_batch", 1, 16384, &s->max_batch, err));
    RC_TRY(read_ints(map, "replicas", 1, RC_SERVE_REPLICAS, &s->replicas, err));
    RC_TRY(read_choices(map, "dynamic_cp", bools, &s->dynamic, err));
    RC_TRY(read_choices(map, "pools", pools, &s->split, err));
    RC_TRY(read_choices(map, "scheduler", scheds, &s->chunked, err));
    RC_TRY(read_choices(map, "kv", kvs, &s->kv, err));
    for (int i = 0; i < s->kv.n; i++) {
        s->kv.v[i] = dtypes[s->kv.v[i]];
        if (s->kv.v[i] == RC_INT4)
            return rc_node_fail(rc_node_get(map, "kv"), err, RC_E_UNMODELLED,
                                "key 'kv': KV in int4 is not modelled: attention was measured over "
                                "bf16 and fp8 keys and values");
    }
    return read_variants(map, s, err);
}

/* ---- offers and objectives ------------------------------------------------------------------- */

static rc_status read_offer(const rc_node *map, rc_plan_offer *o, rc_error *err) {
    static const char *const known[] = {"machine", "price", "gpus", NULL};
    const char *name;
    char path[1024];
    int64_t gpus;
    if (rc_node_kind_of(map) != RC_NODE_MAP)
        return rc_node_fail(map, err, RC_E_INPUT, "key 'offers': expected a list of mappings");
    RC_TRY(rc_doc_known(map, known, err));
    RC_TRY(rc_doc_string(map, "machine", &name, err));
    RC_TRY(rc_doc_quantity(map, "price", RC_DIM_RATIO, DBL_MIN, 1e6, &o->price, err));
    RC_TRY(rc_doc_int(map, "gpus", 1, 1 << 20, &gpus, err));
    o->gpus = (int)gpus;
    o->file = name;
    rc_error why = {0};
    rc_status st = rc_share_path("scenarios/machines", name, ".yaml", path, sizeof path, &why);
    if (st != RC_OK)
        return rc_node_fail(rc_node_get(map, "machine"), err, st, "key 'machine': %.700s", why.msg);
    return rc_machine_load(path, &o->machine, err);
}

static rc_status read_objective(const rc_node *map, rc_plan_objective *o, rc_error *err) {
    static const char *const known[] = {"ttft", "ttit", "share", "from", "to", NULL};
    if (rc_node_kind_of(map) != RC_NODE_MAP)
        return rc_node_fail(map, err, RC_E_INPUT, "key 'slo': expected a list of mappings");
    RC_TRY(rc_doc_known(map, known, err));
    if (rc_doc_has(map, "ttft") == rc_doc_has(map, "ttit"))
        return rc_node_fail(map, err, RC_E_INPUT,
                            "key 'slo': each entry limits one of 'ttft' and 'ttit'");
    *o = (rc_plan_objective){.ttit = rc_doc_has(map, "ttit"), .share = 0.95, .to = INT64_MAX};
    RC_TRY(
        rc_doc_quantity(map, o->ttit ? "ttit" : "ttft", RC_DIM_TIME, DBL_MIN, 1e9, &o->limit, err));
    if (rc_doc_has(map, "share"))
        RC_TRY(rc_doc_quantity(map, "share", RC_DIM_RATIO, 0.01, 1.0, &o->share, err));
    if (rc_doc_has(map, "from"))
        RC_TRY(rc_doc_int(map, "from", 0, INT64_C(1) << 40, &o->from, err));
    if (rc_doc_has(map, "to"))
        RC_TRY(rc_doc_int(map, "to", o->from + 1, INT64_C(1) << 40, &o->to, err));
    return RC_OK;
}

static rc_status read_entries(rc_doc *doc, rc_plan *p, rc_error *err) {
    const rc_node *offers = rc_doc_take(doc, "offers"), *slo = rc_doc_take(doc, "slo");
    const rc_node *root = rc_doc_root(doc);
    if (!offers || !slo)
        return rc_node_fail(root, err, RC_E_INPUT, "missing key '%s' at the top level",
                            offers ? "slo" : "offers");
    size_t n = rc_node_count(offers), m = rc_node_count(slo);
    if (rc_node_kind_of(offers) != RC_NODE_LIST || n < 1 || n > RC_PLAN_OFFERS)
        return rc_node_fail(offers, err, RC_E_INPUT, "key 'offers': expected a list of 1 to %d",
                            RC_PLAN_OFFERS);
    if (rc_node_kind_of(slo) != RC_NODE_LIST || m < 1 || m > RC_PLAN_OBJECTIVES)
        return rc_node_fail(slo, err, RC_E_INPUT, "key 'slo': expected a list of 1 to %d",
                            RC_PLAN_OBJECTIVES);
    for (size_t i = 0; i < n; i++)
        RC_TRY(read_offer(rc_node_at(offers, i), &p->offers[i], err));
    for (size_t i = 0; i < m; i++)
        RC_TRY(read_objective(rc_node_at(slo, i), &p->objectives[i], err));
    p->offer_count = (int)n;
    p->objective_count = (int)m;
    return RC_OK;
}

static rc_status read_search(rc_doc *doc, rc_plan *p, rc_error *err) {
    static const char *const known[] = {"simulations", "seeds", "met", "growth", NULL};
    const rc_node *map = rc_doc_take(doc, "search");
    int64_t seeds = 10;
    p->simulations = 40;
    p->growth = 1.0;
    p->met = 0.9;
    if (map) {
        RC_TRY(rc_doc_known(map, known, err));
        if (rc_doc_has(map, "simulations"))
            RC_TRY(rc_doc_int(map, "simulations", 1, 100000, &p->simulations, err));
        if (rc_doc_has(map, "seeds"))
            RC_TRY(rc_doc_int(map, "seeds", 0, 64, &seeds, err));
        if (rc_doc_has(map, "met"))
            RC_TRY(rc_doc_quantity(map, "met", RC_DIM_RATIO, 0.0, 1.0, &p->met, err));
        if (rc_doc_has(map, "growth"))
            RC_TRY(rc_doc_quantity(map, "growth", RC_DIM_RATIO, 0.001, 1000.0, &p->growth, err));
    }
    p->check_seeds = (int)seeds;
    return RC_OK;
}

/* ---- as a scenario of serve ---------------------------------------------------------------------
 */

static rc_status set_number(rc_doc *doc, const char *key, double v, rc_error *err) {
    char text[40];
    (void)snprintf(text, sizeof text, "%.10g", v);
    return rc_doc_set(doc, key, text, err);
}

/* What `serve` needs and a plan leaves open; every trial replaces it. */
/* The types of KV to consider are those of the space, or the one that the scenario states. */
static rc_status settle_kv(rc_doc *doc, const rc_node *space, rc_plan *p, rc_error *err) {
    const rc_node *root = rc_doc_root(doc), *dtypes = rc_node_get(root, "dtypes");
    const rc_node *kv = rc_node_get(root, "kv");
    bool stated =
        (dtypes != NULL && rc_doc_has(dtypes, "kv")) || (kv != NULL && rc_doc_has(kv, "dtype"));
    rc_plan_ints *of = &p->space.kv;
    if (!rc_doc_has(space, "kv"))
        *of = (rc_plan_ints){.v = {p->dtypes.kv}, .n = 1};
    else if (stated && (of->n != 1 || of->v[0] != (int64_t)p->dtypes.kv))
        return rc_node_fail(rc_node_get(space, "kv"), err, RC_E_INPUT,
                            "key 'kv': the scenario states KV in %s besides; state it once",
                            rc_dtype_name(p->dtypes.kv));
    return RC_OK;
}

static rc_status complete(rc_doc *doc, const rc_plan *p, rc_error *err) {
    char pools[96];
    (void)snprintf(pools, sizeof pools, "[{name: all, tp: %lld, cp: %lld}]",
                   (long long)p->space.tp.v[0], (long long)p->space.cp.v[0]);
    RC_TRY(rc_doc_set_text(doc, "serve", p->name, err));
    RC_TRY(rc_doc_set_text(doc, "machine", p->offers[0].file, err));
    RC_TRY(rc_doc_set(doc, "pools", pools, err));
    RC_TRY(set_number(doc, "price", p->offers[0].price, err));
    for (int i = p->objective_count; i-- > 0;)
        RC_TRY(set_number(doc, p->objectives[i].ttit ? "slo.ttit" : "slo.ttft",
                          p->objectives[i].limit, err));
    return RC_OK;
}

static rc_status read_parts(const char *const *sets, size_t set_count, rc_plan_file *f,
                            rc_error *err) {
    rc_plan *p = &f->plan;
    RC_TRY(rc_scenario_set(f->doc, sets, set_count, err));
    const rc_node *name = rc_doc_take(f->doc, "plan"), *space = rc_doc_take(f->doc, "space");
    const rc_node *root = rc_doc_root(f->doc);
    static const char *const own[] = {"machine", "pools", "price", "serve", NULL};
    if (!name || !space)
        return rc_node_fail(root, err, RC_E_INPUT, "missing key '%s' at the top level",
                            name ? "space" : "plan");
    for (int i = 0; own[i]; i++)
        if (rc_doc_has(root, own[i]))
            return rc_node_fail(rc_node_get(root, own[i]), err, RC_E_INPUT,
                                "key '%s': a plan finds that itself, from 'offers' and 'space'",
                                own[i]);
    RC_TRY(rc_node_label(name, "plan", p->name, sizeof p->name, err));
    RC_TRY(read_space(space, &p->space, err));
    RC_TRY(read_entries(f->doc, p, err));
    RC_TRY(read_search(f->doc, p, err));
    for (int i = 0; i < p->offer_count; i++)
        RC_TRY(rc_scenario_set_machine(&p->offers[i].machine, sets, set_count, err));
    RC_TRY(complete(f->doc, p, err));
    RC_TRY(rc_serve_read(f->doc, NULL, 0, &f->serve, err));
    (void)snprintf(p->description, sizeof p->description, "%s", f->serve.description);
    p->model = f->serve.model;
    p->dtypes = f->serve.layout;
    RC_TRY(settle_kv(f->doc, space, p, err));
    p->kv_memory = f->serve.kv_memory;
    p->seed = f->serve.seed;
    return RC_OK;
}

rc_status rc_plan_read(rc_doc *doc, const char *const *sets, size_t set_count, rc_plan_file *out,
                       rc_error *err) {
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
