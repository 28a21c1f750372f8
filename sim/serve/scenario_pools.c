/* Scenarios: pools of replicas, and faults. SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>
#include "sim/forward/forward.h"
#include "sim/serve/scenario_internal.h"

static const char *const roles[] = {"mixed", "prefill", "decode", NULL};

const char *rc_pool_role_name(rc_pool_role r) {
    return roles[r];
}

/* `variant` is a schedule, a rule, or `oracle`. */
static rc_status read_variant(const rc_node *map, rc_pool *p, rc_error *err) {
    const char *names[16] = {"oracle"};
    size_t n = 1, rules, all;
    int i;
    for (const char *const *r = rc_rule_names(); *r && n < 8; r++)
        names[n++] = *r;
    rules = n;
    for (const char *const *v = rc_schedule_names(); *v && n < 15; v++)
        names[n++] = *v;
    all = n;
    names[all] = NULL;
    p->by = RC_BY_NAME;
    (void)snprintf(p->variant, sizeof p->variant, "%s", p->cp > 1 ? "pass-kv" : "tp");
    if (!rc_doc_has(map, "variant"))
        return RC_OK;
    RC_TRY(rc_doc_choice(map, "variant", names, &i, err));
    if (i == 0) {
        p->by = RC_BY_ORACLE;
    } else if ((size_t)i < rules) {
        p->by = RC_BY_RULE;
        RC_TRY(rc_rule_named(names[i], &p->rule, err));
    } else if ((strcmp(names[i], "tp") == 0) != (p->cp == 1)) {
        return rc_node_fail(rc_node_get(map, "variant"), err, RC_E_INPUT,
                            "key 'variant': found '%s' with cp %d; tp is for cp 1, the others for "
                            "more",
                            names[i], p->cp);
    } else {
        (void)snprintf(p->variant, sizeof p->variant, "%s", names[i]);
    }
    return RC_OK;
}

static rc_status check_layout(const rc_node *map, const rc_serve *s, const rc_pool *p,
                              rc_error *err) {
    rc_layout l = s->layout;
    rc_error why = {0};
    l.tp = p->tp;
    l.cp = p->cp;
    if (rc_layout_check(&s->model, &l, &why) != RC_OK)
        return rc_node_fail(rc_node_get(map, "tp"), err, RC_E_INPUT, "%.700s", why.msg);
    if (p->tp * p->cp > s->machine.gpus_per_node && s->machine.nic_rate <= 0.0)
        return rc_node_fail(map, err, RC_E_INPUT,
                            "tp %d x cp %d needs %d GPUs, but machine '%s' is one node of %d with "
                            "no network",
                            p->tp, p->cp, p->tp * p->cp, s->machine.name, s->machine.gpus_per_node);
    return RC_OK;
}

static rc_status read_pool(const rc_node *map, const rc_serve *s, rc_pool *p, rc_error *err) {
    static const char *const keys[] = {"name",    "role",       "replicas", "tp", "cp",
                                       "variant", "dynamic_cp", "price",    NULL};
    int role = 0;
    int64_t replicas = 1, tp, cp = 1;
    if (rc_node_kind_of(map) != RC_NODE_MAP)
        return rc_node_fail(map, err, RC_E_INPUT, "key 'pools': expected a list of mappings");
    RC_TRY(rc_doc_known(map, keys, err));
    RC_TRY(rc_doc_label(map, "name", p->name, sizeof p->name, err));
    RC_TRY(rc_opt_choice(map, "role", roles, &role, err));
    RC_TRY(rc_opt_int(map, "replicas", 1, RC_SERVE_REPLICAS, &replicas, err));
    RC_TRY(rc_doc_int(map, "tp", 1, 1024, &tp, err));
    RC_TRY(rc_opt_int(map, "cp", 1, 1024, &cp, err));
    RC_TRY(rc_opt_bool(map, "dynamic_cp", &p->dynamic_cp, err));
    RC_TRY(rc_opt_quantity(map, "price", RC_DIM_RATIO, 0.0, 1e9, &p->price, err));
    p->role = (rc_pool_role)role;
    p->replicas = (int)replicas;
    p->tp = (int)tp;
    p->cp = (int)cp;
    RC_TRY(read_variant(map, p, err));
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

rc_status rc_serve_read_pools(const rc_node *root, rc_serve *s, rc_error *err) {
    const rc_node *list;
    RC_TRY(rc_doc_list(root, "pools", &list, err));
    size_t n = rc_node_count(list);
    if (n < 1 || n > RC_SERVE_POOLS)
        return rc_node_fail(list, err, RC_E_INPUT, "key 'pools': found %zu, expected 1 to %d", n,
                            RC_SERVE_POOLS);
    for (size_t i = 0; i < n; i++) {
        RC_TRY(read_pool(rc_node_at(list, i), s, &s->pools[i], err));
        for (size_t k = 0; k < i; k++)
            if (strcmp(s->pools[k].name, s->pools[i].name) == 0)
                return rc_node_fail(rc_node_at(list, i), err, RC_E_INPUT,
                                    "key 'name': two pools are called '%s'", s->pools[i].name);
        s->pool_count = (int)i + 1;
    }
    return check_roles(list, s, err);
}

/* ---- faults --------------------------------------------------------------------------- */

static rc_status pool_named(const rc_node *map, const rc_serve *s, int *out, rc_error *err) {
    const char *names[RC_SERVE_POOLS + 1] = {0};
    *out = 0;
    for (int i = 0; i < s->pool_count; i++)
        names[i] = s->pools[i].name;
    if (!rc_doc_has(map, "pool") && s->pool_count == 1)
        return RC_OK;
    return rc_doc_choice(map, "pool", names, out, err);
}

static rc_status read_time(const rc_node *map, const char *key, rc_time *out, rc_error *err) {
    double s;
    RC_TRY(rc_doc_quantity(map, key, RC_DIM_TIME, 0.0, RC_TRACE_MAX_DAYS * 86400.0, &s, err));
    *out = llround(s * RC_PS_PER_S);
    return RC_OK;
}

static rc_status read_fault(const rc_node *map, const rc_serve *s, rc_serve_fault *f,
                            rc_error *err) {
    static const char *const keys[] = {"kind", "pool", "replica", "rank",
                                       "at",   "back", "speed",   NULL};
    static const char *const kinds[] = {"node-lost", "slow-rank", "slow-link", NULL};
    int kind;
    int64_t replica = 0, rank = 0;
    if (rc_node_kind_of(map) != RC_NODE_MAP)
        return rc_node_fail(map, err, RC_E_INPUT, "key 'faults': expected a list of mappings");
    RC_TRY(rc_doc_known(map, keys, err));
    RC_TRY(rc_doc_choice(map, "kind", kinds, &kind, err));
    RC_TRY(pool_named(map, s, &f->pool, err));
    const rc_pool *p = &s->pools[f->pool];
    RC_TRY(rc_opt_int(map, "replica", 0, p->replicas - 1, &replica, err));
    RC_TRY(rc_opt_int(map, "rank", 0, p->cp - 1, &rank, err));
    RC_TRY(read_time(map, "at", &f->at, err));
    f->back = RC_TIME_NEVER;
    if (rc_doc_has(map, "back"))
        RC_TRY(read_time(map, "back", &f->back, err));
    if (f->back <= f->at)
        return rc_node_fail(rc_node_get(map, "back"), err, RC_E_INPUT,
                            "key 'back': expected a time after 'at'");
    f->kind = (rc_serve_fault_kind)kind;
    f->replica = (int)replica;
    f->rank = (int)rank;
    if (f->kind != RC_NODE_LOST)
        RC_TRY(rc_doc_quantity(map, "speed", RC_DIM_RATIO, 0.01, 1.0, &f->speed, err));
    return RC_OK;
}

rc_status rc_serve_read_faults(const rc_node *root, rc_serve *s, rc_error *err) {
    const rc_node *list;
    if (!rc_doc_has(root, "faults"))
        return RC_OK;
    RC_TRY(rc_doc_list(root, "faults", &list, err));
    size_t n = rc_node_count(list);
    if (n > RC_SERVE_FAULTS)
        return rc_node_fail(list, err, RC_E_INPUT, "key 'faults': found %zu, expected at most %d",
                            n, RC_SERVE_FAULTS);
    for (size_t i = 0; i < n; i++)
        RC_TRY(read_fault(rc_node_at(list, i), s, &s->faults[i], err));
    s->fault_count = (int)n;
    return RC_OK;
}
