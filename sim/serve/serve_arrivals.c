/* Scenarios: where requests come from, and the requests of one run.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/forward/scenario.h"
#include "sim/serve/serve_scenario.h"
#include "sim/trace/trace_options.h"

static rc_status read_process(const rc_section *s, rc_arrival_process *p, rc_error *err) {
    int kind;
    RC_TRY(rc_section_choice(s, "process", &kind, err));
    p->kind = (rc_arrivals)kind;
    RC_TRY(rc_section_number(s, "rate", &p->rate, err));
    return rc_section_number(s, "cv", &p->cv, err);
}

static rc_status needed(const rc_section *s, const char *key, double *out, rc_error *err) {
    if (!rc_section_has(s, key))
        return rc_node_fail(s->map, err, RC_E_INPUT, "missing key '%s' in '%s'", key, s->path);
    return rc_section_number(s, key, out, err);
}

static rc_status read_length(const rc_section *root, const char *key, double mean, rc_length *l,
                             rc_error *err) {
    rc_section s;
    int kind = 0;
    int64_t lo, hi;
    *l = (rc_length){.kind = RC_LENGTH_CONSTANT, .mean = mean, .lo = 1};
    RC_TRY(rc_section_enter(root, key, &s, err));
    if (!s.map)
        return RC_OK;
    RC_TRY(rc_section_choice(&s, "kind", &kind, err));
    l->kind = (rc_length_kind)kind;
    RC_TRY(rc_section_whole(&s, "lo", &lo, err));
    RC_TRY(rc_section_whole(&s, "hi", &hi, err));
    if (hi < lo)
        return rc_node_fail(rc_section_node(&s, "hi"), err, RC_E_INPUT,
                            "key 'hi': found %lld, expected at least 'lo' (%lld)", (long long)hi,
                            (long long)lo);
    l->lo = (uint32_t)lo;
    l->hi = (uint32_t)hi;
    if (l->kind == RC_LENGTH_LOGNORMAL) {
        RC_TRY(needed(&s, "median", &l->mean, err));
        return needed(&s, "sigma", &l->sigma, err);
    }
    return l->kind == RC_LENGTH_UNIFORM ? RC_OK : needed(&s, "mean", &l->mean, err);
}

static rc_status read_synthetic(const rc_section *root, rc_serve *s, rc_error *err) {
    rc_section map;
    int64_t requests, block, shared, groups;
    rc_synthetic *y = &s->synthetic;
    RC_TRY(rc_section_enter(root, "synthetic", &map, err));
    RC_TRY(rc_section_whole(&map, "requests", &requests, err));
    y->arrivals.rate = 1.0; /* clients have none */
    if (s->clients == 0)
        RC_TRY(needed(&map, "rate", &y->arrivals.rate, err));
    RC_TRY(read_process(&map, &y->arrivals, err));
    RC_TRY(read_length(&map, "input", 1024.0, &y->input, err));
    RC_TRY(read_length(&map, "output", 128.0, &y->output, err));
    RC_TRY(read_length(&map, "turns", 1.0, &y->turns, err));
    RC_TRY(rc_section_number(&map, "think", &y->think_s, err));
    RC_TRY(rc_section_whole(&map, "block", &block, err));
    RC_TRY(rc_section_whole(&map, "shared_prefix", &shared, err));
    RC_TRY(rc_section_whole(&map, "groups", &groups, err));
    y->requests = (size_t)requests;
    y->block = (uint32_t)block;
    y->shared_prefix = (uint32_t)shared;
    y->groups = (uint32_t)groups;
    return RC_OK;
}

rc_status rc_serve_read_arrivals(const rc_section *root, rc_serve *s, rc_error *err) {
    rc_section map;
    int64_t requests = 0, together = 1;
    s->rate_scale = 1.0;
    RC_TRY(rc_section_whole(root, "concurrency", &s->clients, err));
    if (rc_section_has(root, "synthetic") == rc_section_has(root, "arrivals"))
        return rc_node_fail(root->map, err, RC_E_INPUT,
                            "expected one of the keys 'arrivals' (a trace) and 'synthetic'");
    if (rc_section_has(root, "synthetic"))
        return read_synthetic(root, s, err);
    RC_TRY(rc_section_enter(root, "arrivals", &map, err));
    RC_TRY(
        rc_scenario_named(&map, "trace", "scenarios/traces", "", s->trace, sizeof s->trace, err));
    RC_TRY(rc_trace_options_read(map.map, &s->trace_options, err));
    RC_TRY(rc_section_number(&map, "rate_scale", &s->rate_scale, err));
    RC_TRY(rc_section_whole(&map, "requests", &requests, err));
    RC_TRY(rc_section_switch(&map, "spread", &s->spread, err));
    RC_TRY(rc_section_switch(&map, "shuffle", &s->shuffle, err));
    RC_TRY(rc_section_switch(&map, "resample", &s->resample, err));
    RC_TRY(rc_section_whole(&map, "together", &together, err));
    s->requests = (uint64_t)requests;
    s->together = (uint32_t)together;
    s->draw = rc_section_has(&map, "rate");
    s->shaped = rc_section_has(&map, "process") || rc_section_has(&map, "cv");
    return read_process(&map, &s->process, err);
}

rc_status rc_serve_read_history(const rc_section *root, rc_serve *s, rc_error *err) {
    rc_section map;
    int kept = 0;
    int64_t summary = 0;
    s->history.share = 1.0;
    RC_TRY(rc_section_enter(root, "history", &map, err));
    if (!map.map)
        return RC_OK;
    RC_TRY(rc_section_number(&map, "share", &s->history.share, err));
    RC_TRY(rc_section_choice(&map, "kept", &kept, err));
    RC_TRY(rc_section_whole(&map, "summary", &summary, err));
    s->history.anew = kept == 1;
    s->history.summary = (uint32_t)summary;
    if (rc_serve_streams(s) || s->clients > 0)
        return rc_node_fail(map.map, err, RC_E_INPUT,
                            "key 'history': it is of later turns of sessions, and there are none");
    return RC_OK;
}

/* ---- the requests of a run ------------------------------------------------------------ */

static rc_status clients_of(const rc_serve *s, double rate, rc_trace *t, rc_error *err) {
    if (rate > 0.0 || s->draw || s->spread || s->rate_scale < 1.0 || s->rate_scale > 1.0)
        return rc_fail(
            err, RC_E_INPUT,
            "`concurrency` gives requests no arrival times: there is no rate to set, and "
            "nothing to spread or to scale");
    return rc_trace_clients(t, (uint32_t)s->clients, err);
}

static rc_status reshape(const rc_serve *s, uint64_t seed, double rate, rc_trace *t,
                         rc_error *err) {
    rc_arrival_process p = s->process;
    assert(t->count >= 1);
    if (s->requests > 0 && s->requests != t->count)
        RC_TRY(rc_trace_resize(t, s->requests, err));
    if (s->resample && (s->draw || rate > 0.0 || s->clients > 0))
        return rc_fail(
            err, RC_E_INPUT,
            "arrivals.resample draws the trace's own arrivals anew; these are drawn by a "
            "process, or not at all");
    if (s->spread)
        RC_TRY(rc_trace_spread(t, 0, seed, err));
    if (s->resample)
        RC_TRY(rc_trace_resample(t, seed, err));
    if (s->shaped && !s->draw && rate <= 0.0)
        return rc_fail(err, RC_E_INPUT,
                       "arrivals.process and arrivals.cv shape new arrivals, which need a rate: "
                       "arrivals.rate, or --rate");
    if (s->clients > 0)
        return clients_of(s, rate, t, err);
    if (rate > 0.0)
        p.rate = rate;
    if (s->draw || rate > 0.0)
        RC_TRY(t->sessions > 0 && t->closed_loop
                   ? rc_trace_start_sessions(t, &p, s->shuffle, seed, err)
                   : rc_trace_redraw_arrivals(t, &p, seed, err));
    else if (t->at[0].arrival == RC_NO_ARRIVAL && t->at[0].after == RC_NO_REQUEST)
        return rc_fail(err, RC_E_INPUT,
                       "the %s of '%s' have no arrival times; give arrivals.rate (%s per second), "
                       "and arrivals.process if they are not to be Poisson",
                       t->closed_loop ? "sessions" : "requests",
                       strrchr(s->trace, '/') ? strrchr(s->trace, '/') + 1 : s->trace,
                       t->closed_loop ? "sessions" : "requests");
    if (s->rate_scale < 1.0 || s->rate_scale > 1.0)
        RC_TRY(rc_trace_scale_rate(t, s->rate_scale, err));
    return RC_OK;
}

bool rc_serve_streams(const rc_serve *s) {
    const rc_length *turns = &s->synthetic.turns;
    return s->trace[0] == '\0' && s->clients == 0 && turns->kind == RC_LENGTH_CONSTANT &&
           turns->mean <= 1.0;
}

void rc_serve_made_up(const rc_serve *s, uint64_t seed, double rate, rc_synthetic *out) {
    *out = s->synthetic;
    out->seed = seed;
    if (rate > 0.0)
        out->arrivals.rate = rate;
}

static rc_status all_of_it(const rc_serve *s, uint64_t seed, double rate, rc_trace **out,
                           rc_error *err) {
    if (s->trace[0] == '\0') {
        rc_synthetic y;
        rc_serve_made_up(s, seed, rate, &y);
        RC_TRY(rc_trace_synthesise(&y, out, err));
        rc_status dealt = s->clients > 0 ? clients_of(s, rate, *out, err) : RC_OK;
        if (dealt != RC_OK) {
            rc_trace_free(*out);
            *out = NULL;
        }
        return dealt;
    }
    rc_trace_options options = s->trace_options;
    options.limit = s->requests;
    options.redrawn = s->draw || rate > 0.0 || s->clients > 0;
    RC_TRY(rc_trace_read(s->trace, &options, out, err));
    rc_status st = rc_trace_together(*out, s->together, err);
    if (st == RC_OK)
        st = reshape(s, seed, rate, *out, err);
    if (st != RC_OK) {
        rc_trace_free(*out);
        *out = NULL;
    }
    return st;
}

rc_status rc_serve_workload(const rc_serve *s, uint64_t seed, double rate, rc_trace **out,
                            rc_error *err) {
    const rc_kept_history *h = &s->history;
    RC_TRY(all_of_it(s, seed, rate, out, err));
    if (h->share >= 1.0 && !h->anew && h->summary == 0)
        return RC_OK;
    rc_status st = rc_trace_keep_history(*out, h, err);
    if (st != RC_OK) {
        rc_trace_free(*out);
        *out = NULL;
    }
    return st;
}
