/* Scenarios: where requests come from, and the requests of one run.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <float.h>
#include <math.h>
#include <string.h>
#include "sim/forward/scenario.h"
#include "sim/serve/scenario_internal.h"
#include "sim/trace/options.h"

static rc_status read_process(const rc_node *map, rc_arrival_process *p, rc_error *err) {
    int kind = 0;
    p->cv = 1.0;
    RC_TRY(rc_opt_choice(map, "process", rc_arrivals_names(), &kind, err));
    p->kind = (rc_arrivals)kind;
    RC_TRY(rc_doc_quantity(map, "rate", RC_DIM_RATIO, DBL_MIN, 1e9, &p->rate, err));
    return rc_opt_quantity(map, "cv", RC_DIM_RATIO, 0.01, 100.0, &p->cv, err);
}

static rc_status read_length(const rc_node *root, const char *key, double mean, rc_length *l,
                             rc_error *err) {
    static const char *const keys[] = {"kind", "mean", "median", "sigma", "lo", "hi", NULL};
    const char *names[5] = {0};
    const rc_node *map;
    int kind = 0;
    int64_t lo = 1, hi = RC_TRACE_MAX_INPUT;
    for (int i = 0; i <= RC_LENGTH_EXPONENTIAL; i++)
        names[i] = rc_length_names()[i];
    *l = (rc_length){.kind = RC_LENGTH_CONSTANT, .mean = mean, .lo = 1};
    RC_TRY(rc_opt_map(root, key, keys, &map, err));
    if (!map)
        return RC_OK;
    RC_TRY(rc_doc_choice(map, "kind", names, &kind, err));
    l->kind = (rc_length_kind)kind;
    RC_TRY(rc_opt_int(map, "lo", 1, RC_TRACE_MAX_INPUT, &lo, err));
    RC_TRY(rc_opt_int(map, "hi", lo, RC_TRACE_MAX_INPUT, &hi, err));
    l->lo = (uint32_t)lo;
    l->hi = (uint32_t)hi;
    if (l->kind == RC_LENGTH_LOGNORMAL) {
        RC_TRY(rc_doc_quantity(map, "median", RC_DIM_COUNT, 1.0, 1e8, &l->mean, err));
        return rc_doc_quantity(map, "sigma", RC_DIM_RATIO, 0.0, 10.0, &l->sigma, err);
    }
    if (l->kind != RC_LENGTH_UNIFORM)
        RC_TRY(rc_doc_quantity(map, "mean", RC_DIM_COUNT, 1.0, 1e8, &l->mean, err));
    return RC_OK;
}

static rc_status read_synthetic(const rc_node *root, rc_serve *s, rc_error *err) {
    static const char *const keys[] = {"requests", "process",       "rate",   "cv",
                                       "input",    "output",        "turns",  "think",
                                       "block",    "shared_prefix", "groups", NULL};
    const rc_node *map;
    int64_t requests, block = 16, shared = 0, groups = 1;
    rc_synthetic *y = &s->synthetic;
    RC_TRY(rc_opt_map(root, "synthetic", keys, &map, err));
    RC_TRY(rc_doc_int(map, "requests", 1, RC_TRACE_MAX_ROWS, &requests, err));
    RC_TRY(read_process(map, &y->arrivals, err));
    RC_TRY(read_length(map, "input", 1024.0, &y->input, err));
    RC_TRY(read_length(map, "output", 128.0, &y->output, err));
    RC_TRY(read_length(map, "turns", 1.0, &y->turns, err));
    RC_TRY(rc_opt_quantity(map, "think", RC_DIM_TIME, 0.0, 1e6, &y->think_s, err));
    RC_TRY(rc_opt_int(map, "block", 1, 1 << 20, &block, err));
    RC_TRY(rc_opt_int(map, "shared_prefix", 0, RC_TRACE_MAX_INPUT, &shared, err));
    RC_TRY(rc_opt_int(map, "groups", 1, 1 << 20, &groups, err));
    y->requests = (size_t)requests;
    y->block = (uint32_t)block;
    y->shared_prefix = (uint32_t)shared;
    y->groups = (uint32_t)groups;
    return RC_OK;
}

/* A name is looked up in scenarios/traces/, a path is taken as it is. */
static rc_status find_trace(const rc_node *map, rc_serve *s, rc_error *err) {
    const char *name, *dot;
    char stem[256];
    rc_error why = {0};
    RC_TRY(rc_doc_string(map, "trace", &name, err));
    if (strchr(name, '/')) {
        (void)snprintf(s->trace, sizeof s->trace, "%s", name);
        return RC_OK;
    }
    dot = strrchr(name, '.');
    (void)snprintf(stem, sizeof stem, "%.*s", dot ? (int)(dot - name) : 200, name);
    rc_status st =
        rc_share_path("scenarios/traces", stem, dot ? dot : "", s->trace, sizeof s->trace, &why);
    return st == RC_OK
               ? RC_OK
               : rc_node_fail(rc_node_get(map, "trace"), err, st, "key 'trace': %.700s", why.msg);
}

rc_status rc_serve_read_arrivals(const rc_node *root, rc_serve *s, rc_error *err) {
    static const char *const keys[] = {
        "trace",   "format",      "on_bad_row", "any_ids",  "time_unit",  "sort",
        "columns", "zero_output", "block",      "requests", "rate_scale", "spread",
        "process", "rate",        "cv",         "shuffle",  NULL};
    const rc_node *map;
    int64_t requests = 0;
    s->rate_scale = 1.0;
    if (rc_doc_has(root, "synthetic") == rc_doc_has(root, "arrivals"))
        return rc_node_fail(root, err, RC_E_INPUT,
                            "expected one of the keys 'arrivals' (a trace) and 'synthetic'");
    if (rc_doc_has(root, "synthetic"))
        return read_synthetic(root, s, err);
    RC_TRY(rc_opt_map(root, "arrivals", keys, &map, err));
    RC_TRY(find_trace(map, s, err));
    RC_TRY(rc_trace_options_read(map, &s->trace_options, err));
    RC_TRY(rc_opt_quantity(map, "rate_scale", RC_DIM_RATIO, 1e-6, 1e6, &s->rate_scale, err));
    RC_TRY(rc_opt_int(map, "requests", 1, RC_TRACE_MAX_ROWS, &requests, err));
    RC_TRY(rc_opt_bool(map, "spread", &s->spread, err));
    RC_TRY(rc_opt_bool(map, "shuffle", &s->shuffle, err));
    s->requests = (uint64_t)requests;
    s->draw = rc_doc_has(map, "rate");
    return s->draw ? read_process(map, &s->process, err) : RC_OK;
}

/* ---- the requests of a run ------------------------------------------------------------ */

static rc_status reshape(const rc_serve *s, uint64_t seed, double rate, rc_trace *t,
                         rc_error *err) {
    rc_arrival_process p = s->process;
    if (s->requests > 0 && s->requests != t->count)
        RC_TRY(rc_trace_resize(t, s->requests, err));
    if (s->spread)
        RC_TRY(rc_trace_spread(t, 0, seed, err));
    if (rate > 0.0 && !s->draw)
        p = (rc_arrival_process){RC_ARRIVE_POISSON, rate, 1.0};
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

rc_status rc_serve_workload(const rc_serve *s, uint64_t seed, double rate, rc_trace **out,
                            rc_error *err) {
    if (s->trace[0] == '\0') {
        rc_synthetic y = s->synthetic;
        y.seed = seed;
        if (rate > 0.0)
            y.arrivals.rate = rate;
        return rc_trace_synthesise(&y, out, err);
    }
    rc_trace_options options = s->trace_options;
    options.limit = s->requests;
    options.redrawn = s->draw || rate > 0.0;
    RC_TRY(rc_trace_read(s->trace, &options, out, err));
    rc_status st = reshape(s, seed, rate, *out, err);
    if (st != RC_OK) {
        rc_trace_free(*out);
        *out = NULL;
    }
    return st;
}
