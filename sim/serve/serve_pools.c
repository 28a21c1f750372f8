/* Scenarios: pools of replicas, and faults.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "sim/forward/forward.h"
#include "sim/forward/scenario.h"
#include "sim/schedule/layer.h"
#include "sim/serve/serve_scenario.h"

static const char *const roles[] = {"mixed", "prefill", "decode", NULL};

const char *rc_pool_role_name(rc_pool_role r) {
    assert((unsigned)r <= RC_POOL_DECODE);
    return roles[r];
}

/* `variant` is a schedule, a rule, or `oracle`. */
static rc_status read_variant(const rc_section *map, rc_pool *p, rc_error *err) {
    int i = 0;
    char name[32] = "";
    p->pick = rc_pick_schedule(rc_schedule_usual(RC_PREFILL, p->cp));
    if (!rc_section_has(map, "variant"))
        return RC_OK;
    RC_TRY(rc_section_choice(map, "variant", &i, err));
    (void)rc_key_choice_name(rc_key_find(map->file, "pools[].variant"), i, name, sizeof name);
    RC_TRY(rc_pick_named(name, &p->pick, err));
    if (p->pick.by == RC_BY_NAME && p->pick.schedule->many_ranks != (p->cp > 1))
        return rc_node_fail(rc_section_node(map, "variant"), err, RC_E_INPUT,
                            "key 'variant': found '%s' with cp %d; %s", name, p->cp,
                            p->cp > 1 ? "it is for cp 1" : "it is for more ranks than one");
    if (p->pick.by == RC_BY_NAME && p->role != RC_POOL_DECODE &&
        !rc_schedule_takes(p->pick.schedule, RC_PREFILL, p->cp))
        return rc_node_fail(rc_section_node(map, "variant"), err, RC_E_INPUT,
                            "key 'variant': '%s' is for decode alone, and pool '%s' takes prompts",
                            name, p->name);
    return RC_OK;
}

static rc_status read_coefficients(const rc_section *map, rc_pool *p, rc_error *err) {
    double x[3] = {0.0};
    size_t n = 0;
    if (!rc_section_has(map, "coefficients"))
        return RC_OK;
    if (p->pick.by != RC_BY_RULE || p->pick.rule.kind != RC_RULE_EMPIRICAL)
        return rc_node_fail(rc_section_node(map, "coefficients"), err, RC_E_INPUT,
                            "key 'coefficients': they are of variant 'empirical'");
    RC_TRY(rc_section_item_count(map, "coefficients", 3, 3, &n, err));
    for (size_t i = 0; i < n; i++)
        RC_TRY(rc_section_number_item(map, "coefficients", i, &x[i], err));
    p->pick.rule.alpha = x[0];
    p->pick.rule.beta = x[1];
    p->pick.rule.gamma = x[2];
    return RC_OK;
}

int rc_pool_groups(const rc_pool *p) {
    return p->dp > 1 ? p->dp : 1;
}

int rc_pool_stages(const rc_pool *p) {
    return p->stages.count > 1 ? p->stages.count : 1;
}

const char *rc_pool_stages_text(const rc_pool *p, char buf[RC_STAGES_TEXT]) {
    buf[0] = '\0';
    if (rc_pool_stages(p) > 1)
        (void)snprintf(buf, RC_STAGES_TEXT, " x pp %d", rc_pool_stages(p));
    return buf;
}

int rc_pool_gpus(const rc_pool *p) {
    return p->tp * p->cp * rc_pool_groups(p) * rc_pool_stages(p);
}

rc_layout rc_pool_layout(const rc_serve *s, const rc_pool *p, int cp) {
    rc_layout l = s->layout;
    assert(cp >= 1 && cp <= p->cp);
    l.tp = p->tp;
    l.cp = cp;
    l.dcp = p->dcp;
    l.dp = p->dp;
    l.ulysses = p->ulysses;
    l.ffn_over_cp = p->ffn_over_cp;
    l.ep = p->ep;
    l.expert_skew = p->expert_skew;
    l.expert_transfer = p->expert_transfer;
    l.mla = p->mla;
    return l;
}

rc_layout rc_pool_cut(const rc_serve *s, const rc_pool *p, int cp, const rc_schedule *schedule) {
    rc_layout l = rc_pool_layout(s, p, cp);
    if (!schedule->two_levels) /* what decodes beside prompts in groups of ranks has none */
        l.ulysses = 1;
    return l;
}

static void take_cut(const rc_layout *l, rc_pool *p) {
    p->tp = l->tp;
    p->cp = l->cp;
    p->dcp = l->dcp;
    p->dp = l->dp;
    p->ulysses = l->ulysses;
    p->ffn_over_cp = l->ffn_over_cp;
    p->ep = l->ep;
    p->expert_skew = l->expert_skew;
    p->expert_transfer = l->expert_transfer;
    p->mla = l->mla;
}

static rc_status check_layout(const rc_section *map, const rc_serve *s, const rc_pool *p,
                              rc_error *err) {
    const rc_layout l = rc_pool_layout(s, p, p->cp);
    rc_error why = {0};
    char stages[RC_STAGES_TEXT];
    if (p->dynamic_cp && (p->ffn_over_cp || p->ep > p->tp || p->ulysses > 1 || p->dp > 1))
        return rc_node_fail(rc_section_node(map, "dynamic_cp"), err, RC_E_INPUT,
                            "key 'dynamic_cp': passes on fewer ranks need a rank that holds all "
                            "weights: world tp-x-cp, ep up to tp, ulysses 1, dp_attention 1");
    if (rc_pool_stages(p) > 1 && (p->dynamic_cp || p->dp > 1))
        return rc_node_fail(rc_section_node(map, "pp"), err, RC_E_UNMODELLED,
                            "key 'pp': stages together with %s are not modelled",
                            p->dynamic_cp ? "dynamic_cp" : "dp_attention");
    if (rc_schedule_fits(p->pick.schedule, &s->model, &l, &why) != RC_OK)
        return rc_node_fail(rc_section_node(map, "tp"), err, RC_E_INPUT, "%.700s", why.msg);
    if (rc_pool_gpus(p) > s->machine.gpus_per_node && s->machine.nic_rate <= 0.0)
        return rc_node_fail(map->map, err, RC_E_INPUT,
                            "tp %d x cp %d%s needs %d GPUs, but machine '%s' is one node of %d "
                            "with no network",
                            p->tp, p->cp, rc_pool_stages_text(p, stages), rc_pool_gpus(p),
                            s->machine.name, s->machine.gpus_per_node);
    return RC_OK;
}

static rc_status read_pool(const rc_section *map, const rc_serve *s, rc_pool *p, rc_error *err) {
    int role;
    int64_t replicas;
    rc_layout cut = s->layout;
    p->price = s->price;
    RC_TRY(rc_section_text(map, "name", p->name, sizeof p->name, err));
    RC_TRY(rc_section_choice(map, "role", &role, err));
    RC_TRY(rc_section_whole(map, "replicas", &replicas, err));
    RC_TRY(rc_scenario_cut(map, &cut, err));
    RC_TRY(rc_scenario_stages(map, &s->model, &p->stages, err));
    RC_TRY(rc_section_switch(map, "dynamic_cp", &p->dynamic_cp, err));
    RC_TRY(rc_section_number(map, "price", &p->price, err));
    p->role = (rc_pool_role)role;
    p->replicas = (int)replicas;
    take_cut(&cut, p);
    RC_TRY(read_variant(map, p, err));
    RC_TRY(read_coefficients(map, p, err));
    return check_layout(map, s, p, err);
}

/* Mixed pools, or both prefill and decode pools. */
static rc_status check_roles(const rc_node *list, const rc_serve *s, rc_error *err) {
    int count[3] = {0, 0, 0};
    for (int i = 0; i < s->pool_count; i++)
        count[s->pools[i].role]++;
    bool mixed = count[RC_POOL_MIXED] > 0;
    bool split = count[RC_POOL_PREFILL] > 0 && count[RC_POOL_DECODE] > 0;
    bool part = count[RC_POOL_PREFILL] + count[RC_POOL_DECODE] > 0;
    if (mixed == part || (part && !split))
        return rc_node_fail(list, err, RC_E_INPUT,
                            "key 'pools': found %d mixed, %d prefill, %d decode; expected mixed "
                            "ones alone, or prefill and decode ones",
                            count[0], count[1], count[2]);
    if (split && s->machine.nic_rate <= 0.0)
        return rc_node_fail(list, err, RC_E_INPUT,
                            "key 'pools': KV moves between pools over the network, but machine "
                            "'%s' has none",
                            s->machine.name);
    return RC_OK;
}

rc_status rc_serve_read_pools(const rc_section *root, rc_serve *s, rc_error *err) {
    size_t n;
    RC_TRY(rc_section_entries(root, "pools", 1, RC_SERVE_POOLS, &n, err));
    for (size_t i = 0; i < n; i++) {
        rc_section map;
        RC_TRY(rc_section_entry(root, "pools", i, &map, err));
        RC_TRY(read_pool(&map, s, &s->pools[i], err));
        for (size_t k = 0; k < i; k++)
            if (strcmp(s->pools[k].name, s->pools[i].name) == 0)
                return rc_node_fail(map.map, err, RC_E_INPUT,
                                    "key 'name': two pools are called '%s'", s->pools[i].name);
        s->pool_count = (int)i + 1;
    }
    return check_roles(rc_section_node(root, "pools"), s, err);
}

/* ---- faults --------------------------------------------------------------------------- */

static rc_status pool_named(const rc_section *map, const rc_serve *s, int *out, rc_error *err) {
    const char *names[RC_SERVE_POOLS + 1] = {0};
    *out = 0;
    for (int i = 0; i < s->pool_count; i++)
        names[i] = s->pools[i].name;
    if (!rc_section_has(map, "pool") && s->pool_count == 1)
        return RC_OK;
    return rc_doc_choice(map->map, "pool", names, out, err);
}

static rc_status read_time(const rc_section *map, const char *key, rc_time *out, rc_error *err) {
    double s;
    if (!rc_section_has(map, key) && *out == RC_TIME_NEVER)
        return RC_OK;
    RC_TRY(rc_section_number(map, key, &s, err));
    *out = llround(s * RC_PS_PER_S);
    return RC_OK;
}

static rc_status read_fault(const rc_section *map, const rc_serve *s, rc_serve_fault *f,
                            rc_error *err) {
    int kind;
    int64_t replica, rank;
    RC_TRY(rc_section_choice(map, "kind", &kind, err));
    RC_TRY(pool_named(map, s, &f->pool, err));
    const rc_pool *p = &s->pools[f->pool];
    RC_TRY(rc_section_whole_in(map, "replica", 0, p->replicas - 1, &replica, err));
    const int ranks = p->cp * rc_pool_groups(p) * rc_pool_stages(p);
    RC_TRY(rc_section_whole_in(map, "rank", 0, ranks - 1, &rank, err));
    RC_TRY(read_time(map, "at", &f->at, err));
    f->back = RC_TIME_NEVER;
    RC_TRY(read_time(map, "back", &f->back, err));
    if (f->back <= f->at)
        return rc_node_fail(rc_section_node(map, "back"), err, RC_E_INPUT,
                            "key 'back': expected a time after 'at'");
    f->kind = (rc_serve_fault_kind)kind;
    f->replica = (int)replica;
    f->rank = (int)rank;
    if (f->kind == RC_SLOW_LINK && rc_pool_stages(p) > 1)
        return rc_node_fail(map->map, err, RC_E_UNMODELLED,
                            "a slow link of a replica with stages (pp) is not modelled");
    if (f->kind == RC_NODE_LOST)
        return RC_OK;
    if (!rc_section_has(map, "speed"))
        return rc_node_fail(map->map, err, RC_E_INPUT, "missing key 'speed' in 'faults'");
    return rc_section_number(map, "speed", &f->speed, err);
}

rc_status rc_serve_read_faults(const rc_section *root, rc_serve *s, rc_error *err) {
    size_t n;
    RC_TRY(rc_section_entries(root, "faults", 0, RC_SERVE_FAULTS, &n, err));
    for (size_t i = 0; i < n; i++) {
        rc_section map;
        RC_TRY(rc_section_entry(root, "faults", i, &map, err));
        RC_TRY(read_fault(&map, s, &s->faults[i], err));
    }
    s->fault_count = (int)n;
    return RC_OK;
}
