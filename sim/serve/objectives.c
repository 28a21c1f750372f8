/* Objectives: whom each speaks of, who keeps it, and whether enough do.
 *
 * Who keeps a limit is counted exactly. What a share of the requests keeps at best is read from a
 * histogram, which is 0.4 % off at most, and then put on the side of the limit where the count says
 * it lies: nobody is told that an objective holds by a value that breaks it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include "sim/serve/cluster.h"
#include "sim/serve/serve_scenario.h"

/* ---- a scenario's ----------------------------------------------------------------------------- */

static rc_status add(const rc_section *s, const char *key, rc_serve *out, rc_error *err) {
    if (!rc_section_has(s, key))
        return RC_OK;
    if (out->objective_count == RC_SERVE_OBJECTIVES)
        return rc_node_fail(s->map, err, RC_E_INPUT, "key 'slo': more than %d objectives",
                            RC_SERVE_OBJECTIVES);
    rc_objective *g = &out->objectives[out->objective_count++];
    *g = (rc_objective){.ttit = key[2] == 'i', .to = INT64_MAX};
    RC_TRY(rc_section_number(s, key, &g->limit, err));
    RC_TRY(rc_section_number(s, "share", &g->share, err));
    RC_TRY(rc_section_whole(s, "from", &g->from, err));
    RC_TRY(rc_section_whole(s, "to", &g->to, err));
    if (g->to <= g->from)
        return rc_node_fail(rc_section_node(s, "to"), err, RC_E_INPUT,
                            "key 'to': found %lld, expected more than 'from' (%lld)",
                            (long long)g->to, (long long)g->from);
    return RC_OK;
}

static rc_status add_entry(const rc_section *s, rc_serve *out, rc_error *err) {
    if (!rc_section_has(s, "ttft") && !rc_section_has(s, "ttit"))
        return rc_node_fail(s->map, err, RC_E_INPUT,
                            "key 'slo': each entry limits 'ttft', 'ttit' or both");
    RC_TRY(add(s, "ttft", out, err));
    return add(s, "ttit", out, err);
}

/* A list of entries; a map stands for a list of one. */
rc_status rc_serve_read_slo(const rc_section *root, rc_serve *out, rc_error *err) {
    const rc_node *n = rc_section_node(root, "slo");
    rc_section s;
    size_t count;
    if (n && rc_node_kind_of(n) == RC_NODE_MAP) {
        RC_TRY(rc_section_at(root->file, "slo[]", n, &s, err));
        return add_entry(&s, out, err);
    }
    RC_TRY(rc_section_entries(root, "slo", 1, RC_SERVE_OBJECTIVES, &count, err));
    for (size_t i = 0; i < count; i++) {
        RC_TRY(rc_section_entry(root, "slo", i, &s, err));
        RC_TRY(add_entry(&s, out, err));
    }
    return RC_OK;
}

const char *rc_objective_text(const rc_objective *g, char buf[RC_OBJECTIVE_TEXT]) {
    char inputs[64] = "";
    if (g->to < INT64_MAX)
        (void)snprintf(inputs, sizeof inputs, ", inputs of %lld to %lld", (long long)g->from,
                       (long long)g->to);
    else if (g->from > 0)
        (void)snprintf(inputs, sizeof inputs, ", inputs of %lld and more", (long long)g->from);
    (void)snprintf(buf, RC_OBJECTIVE_TEXT, "%s p%g <= %g s%s", g->ttit ? "TTIT" : "TTFT",
                   100.0 * g->share, g->limit, inputs);
    return buf;
}

/* ---- what requests show ----------------------------------------------------------------------- */

static bool speaks_of(const rc_objective *g, uint32_t input, uint32_t output) {
    return input >= g->from && input < g->to && !(g->ttit && output <= 1);
}

/* Returns whether the request keeps the limit. */
static bool count_one(const rc_objective *g, const rc_served *row, rc_objective_result *out) {
    out->asked++;
    if (row->outcome != RC_DONE)
        return false;
    double ps = g->ttit ? (double)(row->end - row->first) / (row->generated - 1)
                        : (double)(row->first - row->arrived);
    bool kept = ps / RC_PS_PER_S <= g->limit;
    out->kept += kept;
    rc_hist_add(&out->served, llround(ps));
    return kept;
}

bool objectives_count(const rc_serve *s, const rc_served *row, rc_serve_result *out) {
    bool all = row->outcome == RC_DONE;
    assert(row->outcome != RC_PENDING);
    assert(out->objective_count == s->objective_count);
    for (int i = 0; i < s->objective_count; i++)
        if (speaks_of(&s->objectives[i], row->input, row->output))
            all = count_one(&s->objectives[i], row, &out->objectives[i]) && all;
    return all;
}

#define WHOLE_SLACK 1e-12 /* relative: 0.95 of 400 requests are 380 */

uint64_t rc_objective_rank(const rc_objective *g, uint64_t asked) {
    assert(g->share > 0.0 && g->share <= 1.0);
    return (uint64_t)ceil(g->share * (double)asked * (1.0 - WHOLE_SLACK));
}

void objectives_allow(cluster *c, const rc_trace *t) {
    for (int i = 0; i < c->spec->objective_count; i++) {
        const rc_objective *g = &c->spec->objectives[i];
        uint64_t asked = 0;
        for (size_t j = 0; j < t->count; j++)
            asked += speaks_of(g, t->at[j].input, t->at[j].output);
        c->may_miss[i] = asked - rc_objective_rank(g, asked);
    }
}

bool objectives_missed(const cluster *c) {
    const rc_serve_result *o = c->out;
    bool missed = o->rejected + o->lost > 0;
    for (int i = 0; i < o->objective_count; i++)
        missed = missed || o->objectives[i].asked - o->objectives[i].kept > c->may_miss[i];
    return missed;
}

bool rc_objective_met(const rc_objective *g, const rc_objective_result *r) {
    assert(r->kept <= r->asked);
    return r->kept >= rc_objective_rank(g, r->asked);
}

double rc_objective_value(const rc_objective *g, const rc_objective_result *r) {
    uint64_t rank = rc_objective_rank(g, r->asked);
    if (r->asked == 0)
        return 0.0;
    if (rank > r->served.count)
        return INFINITY;
    double q = ((double)rank - 0.5) / (double)r->served.count;
    double v = rc_hist_quantile(&r->served, q) / RC_PS_PER_S;
    return rc_objective_met(g, r) ? fmin(v, g->limit) : fmax(v, nextafter(g->limit, INFINITY));
}
