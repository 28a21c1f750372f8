/* Workload specifications of BLIS (inference-sim): a YAML file that says how requests are made, not when each
 * came. It is made into a trace when it is read, by the seed that stands in it, so that it is then a trace
 * like any other: the same file gives the same requests.
 *
 *   aggregate_rate   requests (or sessions) per second, over the clients by rate_fraction
 *   num_requests     how many; or horizon (us): until when; the earlier of the two
 *   seed             of all draws, 0 without it
 *   clients          arrival {process: poisson, gamma, weibull, constant; cv}; input_distribution and
 *                    output_distribution {type: gaussian, exponential, pareto_lognormal, constant, empirical;
 *                    params}; prefix_group and prefix_length, tokens before the input that a group shares;
 *                    lifecycle {windows: [{start_us, end_us}]}, when the client is active; reasoning
 *                    {multi_turn: {max_rounds, think_time_us, context_growth}}: each arrival begins a session
 *   cohorts          clients by the population, with those keys, who share the cohort's rate_fraction; diurnal,
 *                    spike and drain are windows (of the first day; 1; 11)
 *   inference_perf   stages and shared_prefix instead of all these (workload_perf.c)
 *
 * A client's rate is its part of aggregate_rate among those who are ever active together with it. Draws are of
 * the same distributions as BLIS's, not the same numbers; a client's clock of arrivals stands while it is not
 * active, and a session's next round comes think_time_us after the reply, whenever that is.
 *
 * What changes neither lengths nor arrivals (id, tenant_id, slo_class, model, streaming, network,
 * reason_ratio_distribution) is not looked at. What changes them and is not read is refused by its name:
 * multimodal, for the work of the encoders is not modelled, and servegen_data, which names other files.
 *
 * Source: docs/reference/workload-spec.md and sim/workload of inference-sim/inference-sim.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/trace/workload_spec.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/trace/workload_perf.h"

enum { CLASSES = 1024, WINDOWS = 1024, GROUP_TOKENS = 50, HOURS = 24, RAMP = 10 };
#define MOST_CV 10.4 /* of Weibull gaps, BLIS's own limit */
#define MOST_US ((int64_t)(RC_WORKLOAD_LONGEST * 1e6))
static const char *const process_names[] = {"poisson", "gamma", "weibull", "constant", NULL};

/* Keys that are there and change the load in ways that are not read. */
static rc_status refuse_others(const rc_node *map, const char *const *keys, rc_error *err) {
    for (; *keys; keys++) {
        const rc_node *n = rc_node_get(map, *keys);
        if (n && !rc_node_is_null(n))
            return rc_node_fail(n, err, RC_E_INPUT,
                                "key '%s': this part of BLIS's workloads is not read", *keys);
    }
    return RC_OK;
}

/* Weibull gaps with a mean of 1 and this coefficient of variation: 1 + cv^2 = G(1 + 2/k) / G(1 + 1/k)^2,
 * which falls with the shape k. */
static void fit_weibull(rc_workload_class *c) {
    double lo = 0.05, hi = 200.0;
    for (int i = 0; i < 200; i++) {
        c->shape = sqrt(lo * hi);
        double spread = expm1(lgamma(1.0 + 2.0 / c->shape) - 2.0 * lgamma(1.0 + 1.0 / c->shape));
        if (spread > c->cv * c->cv)
            lo = c->shape;
        else
            hi = c->shape;
    }
    c->scale = 1.0 / exp(lgamma(1.0 + 1.0 / c->shape));
}

static rc_status read_arrival(const rc_node *map, rc_workload_class *c, rc_error *err) {
    static const char *const keys[] = {"process", "cv", NULL};
    const rc_node *n;
    int process;
    RC_TRY(rc_doc_map(map, "arrival", &n, err));
    RC_TRY(rc_doc_known(n, keys, err));
    RC_TRY(rc_doc_choice(n, "process", process_names, &process, err));
    c->process = (rc_workload_process)process;
    c->cv = 1.0;
    if (c->process == RC_WORKLOAD_GAMMA || c->process == RC_WORKLOAD_WEIBULL)
        RC_TRY(rc_doc_quantity(n, "cv", RC_DIM_RATIO, 0.01,
                               c->process == RC_WORKLOAD_WEIBULL ? MOST_CV : 100.0, &c->cv, err));
    if (c->process == RC_WORKLOAD_WEIBULL)
        fit_weibull(c);
    return RC_OK;
}

/* ---- windows ---------------------------------------------------------------------------------- */

static rc_status read_us(const rc_node *map, const char *key, double *s, rc_error *err) {
    int64_t us = 0;
    RC_TRY(rc_doc_int(map, key, 0, MOST_US, &us, err));
    *s = (double)us * 1e-6;
    return RC_OK;
}

static rc_status window_room(rc_workload_class *c, size_t count, rc_error *err) {
    rc_workload_window *w = realloc(c->window, (c->windows + count) * sizeof *w);
    if (!w)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a workload");
    c->window = w;
    return RC_OK;
}

static rc_status read_lifecycle(const rc_node *map, rc_workload_class *c, rc_error *err) {
    static const char *const keys[] = {"windows", NULL}, *const edges[] = {"start_us", "end_us",
                                                                           NULL};
    const rc_node *n, *list;
    RC_TRY(rc_doc_map(map, "lifecycle", &n, err));
    RC_TRY(rc_doc_known(n, keys, err));
    RC_TRY(rc_doc_list(n, "windows", &list, err));
    const size_t count = rc_node_count(list);
    if (count == 0 || count > WINDOWS)
        return rc_node_fail(list, err, RC_E_INPUT, "%zu windows, expected 1 to %d", count, WINDOWS);
    RC_TRY(window_room(c, count, err));
    for (size_t i = 0; i < count; i++) {
        const rc_node *w = rc_node_at(list, i);
        rc_workload_window *out = &c->window[c->windows++];
        if (rc_node_kind_of(w) != RC_NODE_MAP)
            return rc_node_fail(w, err, RC_E_INPUT, "a window is no map");
        RC_TRY(rc_doc_known(w, edges, err));
        RC_TRY(read_us(w, "start_us", &out->from, err));
        RC_TRY(read_us(w, "end_us", &out->to, err));
        if (out->to <= out->from)
            return rc_node_fail(w, err, RC_E_INPUT, "a window that ends before it begins");
    }
    return RC_OK;
}

/* A full hour at the peak hour, the ratio's part of one twelve hours from it, a cosine between. */
static rc_status read_diurnal(const rc_node *map, rc_workload_class *c, rc_error *err) {
    static const char *const keys[] = {"peak_hour", "peak_to_trough_ratio", NULL};
    const rc_node *n;
    int64_t peak;
    double ratio;
    RC_TRY(rc_doc_map(map, "diurnal", &n, err));
    RC_TRY(rc_doc_known(n, keys, err));
    RC_TRY(rc_doc_int(n, "peak_hour", 0, HOURS - 1, &peak, err));
    RC_TRY(rc_doc_quantity(n, "peak_to_trough_ratio", RC_DIM_RATIO, 1.0, 1e6, &ratio, err));
    RC_TRY(window_room(c, HOURS, err));
    for (int h = 0; h < HOURS; h++) {
        const double day = 0.5 * (1.0 + cos(2.0 * acos(-1.0) * (double)(h - peak) / HOURS));
        c->window[c->windows++] = (rc_workload_window){
            3600.0 * h, 3600.0 * (h + day * (1.0 - 1.0 / ratio) + 1.0 / ratio)};
    }
    return RC_OK;
}

static rc_status read_spike(const rc_node *map, rc_workload_class *c, rc_error *err) {
    static const char *const keys[] = {"start_time_us", "duration_us", NULL};
    const rc_node *n;
    double start, lasts;
    RC_TRY(rc_doc_map(map, "spike", &n, err));
    RC_TRY(rc_doc_known(n, keys, err));
    RC_TRY(read_us(n, "start_time_us", &start, err));
    RC_TRY(read_us(n, "duration_us", &lasts, err));
    if (!(lasts > 0.0))
        return rc_node_fail(n, err, RC_E_INPUT, "a spike of no duration");
    RC_TRY(window_room(c, 1, err));
    c->window[c->windows++] = (rc_workload_window){start, start + lasts};
    return RC_OK;
}

/* All the time until the start, then of each tenth of the ramp a tenth less: 1, 0.9, ... 0.1. */
static rc_status read_drain(const rc_node *map, rc_workload_class *c, rc_error *err) {
    static const char *const keys[] = {"start_time_us", "ramp_duration_us", NULL};
    const rc_node *n;
    double start, ramp;
    RC_TRY(rc_doc_map(map, "drain", &n, err));
    RC_TRY(rc_doc_known(n, keys, err));
    RC_TRY(read_us(n, "start_time_us", &start, err));
    RC_TRY(read_us(n, "ramp_duration_us", &ramp, err));
    if (!(ramp > 0.0))
        return rc_node_fail(n, err, RC_E_INPUT, "a ramp of no duration");
    RC_TRY(window_room(c, RAMP + 1, err));
    if (start > 0.0)
        c->window[c->windows++] = (rc_workload_window){0.0, start};
    for (int i = 0; i < RAMP; i++) {
        const double from = start + ramp / RAMP * i;
        c->window[c->windows++] =
            (rc_workload_window){from, from + ramp / RAMP * (RAMP - i) / RAMP};
    }
    return RC_OK;
}

static int by_begin(const void *a, const void *b) {
    const rc_workload_window *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

/* In order, and those that touch or overlap as one. */
static void join_windows(rc_workload_class *c) {
    size_t kept = 0;
    if (c->windows > 0)
        qsort(c->window, c->windows, sizeof *c->window, by_begin);
    for (size_t i = 0; i < c->windows; i++) {
        if (kept > 0 && c->window[i].from <= c->window[kept - 1].to)
            c->window[kept - 1].to = fmax(c->window[kept - 1].to, c->window[i].to);
        else
            c->window[kept++] = c->window[i];
    }
    c->windows = kept;
}

static bool meet(const rc_workload_class *a, const rc_workload_class *b) {
    if (a->windows == 0 || b->windows == 0)
        return true;
    for (size_t i = 0, k = 0; i < a->windows && k < b->windows;) {
        if (a->window[i].from < b->window[k].to && b->window[k].from < a->window[i].to)
            return true;
        if (a->window[i].to < b->window[k].to)
            i++;
        else
            k++;
    }
    return false;
}

/* ---- clients and cohorts ---------------------------------------------------------------------- */

static rc_status read_reasoning(const rc_node *map, rc_workload_class *c, rc_error *err) {
    static const char *const keys[] = {"reason_ratio_distribution", "multi_turn", NULL};
    static const char *const turns[] = {"max_rounds", "think_time_us", "context_growth", NULL};
    static const char *const growth[] = {"", "accumulate", NULL};
    const rc_node *n, *m;
    int how = 0;
    RC_TRY(rc_doc_map(map, "reasoning", &n, err));
    RC_TRY(rc_doc_known(n, keys, err));
    if (!rc_doc_has(n, "multi_turn"))
        return RC_OK;
    RC_TRY(rc_doc_map(n, "multi_turn", &m, err));
    RC_TRY(rc_doc_known(m, turns, err));
    RC_TRY(rc_doc_int(m, "max_rounds", 1, RC_WORKLOAD_ROUNDS, &c->rounds, err));
    if (rc_doc_has(m, "think_time_us"))
        RC_TRY(read_us(m, "think_time_us", &c->think, err));
    if (rc_doc_has(m, "context_growth"))
        RC_TRY(rc_doc_choice(m, "context_growth", growth, &how, err));
    c->history = how == 1;
    return RC_OK;
}

static rc_status read_prefix(const rc_node *n, rc_workload *l, rc_workload_class *c,
                             rc_error *err) {
    char group[sizeof l->group->name];
    int64_t tokens = 0;
    if (rc_doc_has(n, "prefix_length"))
        RC_TRY(rc_doc_int(n, "prefix_length", 0, RC_TRACE_MAX_INPUT / 2, &tokens, err));
    if (!rc_doc_has(n, "prefix_group"))
        return RC_OK;
    RC_TRY(rc_doc_label(n, "prefix_group", group, sizeof group, err));
    return rc_workload_group_of(l, group, tokens > 0 ? tokens : GROUP_TOKENS, &c->group, err);
}

/* What a client and a cohort have in common. */
static rc_status read_class(const rc_node *n, rc_workload *l, rc_workload_class *c, rc_error *err) {
    static const char *const unread[] = {"multimodal", NULL};
    RC_TRY(refuse_others(n, unread, err));
    RC_TRY(rc_doc_quantity(n, "rate_fraction", RC_DIM_RATIO, 1e-9, 1e9, &c->fraction, err));
    RC_TRY(read_arrival(n, c, err));
    RC_TRY(rc_spec_length_read(n, "input_distribution", &c->input, err));
    RC_TRY(rc_spec_length_read(n, "output_distribution", &c->output, err));
    if (rc_doc_has(n, "reasoning"))
        RC_TRY(read_reasoning(n, c, err));
    return read_prefix(n, l, c, err);
}

#define COMMON_KEYS                                                                                \
    "id", "tenant_id", "slo_class", "model", "rate_fraction", "arrival", "streaming", "network",   \
        "prefix_group", "prefix_length", "reasoning", "multimodal", "input_distribution",          \
        "output_distribution"

static rc_status read_client(const rc_node *n, rc_workload *l, rc_workload_class *c,
                             int64_t *population, rc_error *err) {
    static const char *const keys[] = {COMMON_KEYS, "lifecycle", NULL};
    *population = 1;
    RC_TRY(rc_doc_known(n, keys, err));
    if (rc_doc_has(n, "lifecycle"))
        RC_TRY(read_lifecycle(n, c, err));
    return read_class(n, l, c, err);
}

static rc_status read_cohort(const rc_node *n, rc_workload *l, rc_workload_class *c,
                             int64_t *population, rc_error *err) {
    static const char *const keys[] = {COMMON_KEYS, "population", "diurnal",
                                       "spike",     "drain",      NULL};
    RC_TRY(rc_doc_known(n, keys, err));
    RC_TRY(rc_doc_int(n, "population", 1, RC_WORKLOAD_CLIENTS, population, err));
    if (rc_doc_has(n, "diurnal"))
        RC_TRY(read_diurnal(n, c, err));
    if (rc_doc_has(n, "spike"))
        RC_TRY(read_spike(n, c, err));
    if (rc_doc_has(n, "drain"))
        RC_TRY(read_drain(n, c, err));
    return read_class(n, l, c, err);
}

typedef rc_status entry_reader(const rc_node *n, rc_workload *l, rc_workload_class *c,
                               int64_t *population, rc_error *err);

static rc_status read_entries(const rc_node *root, const char *key, entry_reader *read,
                              rc_workload *l, rc_error *err) {
    const rc_node *list;
    rc_workload_class *class;
    rc_workload_client *client;
    const size_t before = l->classes;
    RC_TRY(rc_doc_list(root, key, &list, err));
    const size_t n = rc_node_count(list);
    if (n == 0 || n > CLASSES)
        return rc_node_fail(list, err, RC_E_INPUT, "%zu %s, expected 1 to %d", n, key, CLASSES);
    RC_TRY(rc_workload_classes(l, n, &class, err));
    for (size_t i = 0; i < n; i++) {
        const rc_node *entry = rc_node_at(list, i);
        int64_t population;
        if (rc_node_kind_of(entry) != RC_NODE_MAP)
            return rc_node_fail(entry, err, RC_E_INPUT, "one of the %s is no map", key);
        RC_TRY(read(entry, l, &class[i], &population, err));
        join_windows(&class[i]);
        RC_TRY(rc_workload_clients(l, (size_t)population, &client, err));
        for (int64_t k = 0; k < population; k++) {
            client[k].of = before + i;
            client[k].rate = 1.0 / (double)population; /* of the class's; set_rates has the rest */
        }
    }
    return RC_OK;
}

/* Of each class by its part among those that are ever active together with it, then of each client. */
static void set_rates(rc_workload *l, double rate) {
    for (size_t i = 0; i < l->classes; i++) {
        double together = 0.0;
        for (size_t k = 0; k < l->classes; k++)
            together += meet(&l->class_at[i], &l->class_at[k]) ? l->class_at[k].fraction : 0.0;
        l->class_at[i].rate = rate * (l->class_at[i].fraction / together);
    }
    for (size_t i = 0; i < l->clients; i++)
        l->client[i].rate *= l->class_at[l->client[i].of].rate;
}

static rc_status read_load(const rc_node *root, rc_workload *l, rc_error *err) {
    double rate;
    RC_TRY(rc_doc_quantity(root, "aggregate_rate", RC_DIM_RATIO, 1e-6, 1e9, &rate, err));
    if (rc_doc_has(root, "clients") || !rc_doc_has(root, "cohorts"))
        RC_TRY(read_entries(root, "clients", read_client, l, err));
    if (rc_doc_has(root, "cohorts"))
        RC_TRY(read_entries(root, "cohorts", read_cohort, l, err));
    set_rates(l, rate);
    return RC_OK;
}

/* ---- the file --------------------------------------------------------------------------------- */

static bool has_end(const rc_workload *l) {
    bool all = true;
    for (size_t i = 0; i < l->clients; i++)
        all &= l->client[i].arrivals != INT64_MAX || l->class_at[l->client[i].of].windows > 0;
    return l->requests > 0 || l->horizon > 0.0 || all;
}

static rc_status read_spec(const rc_node *root, rc_workload *l, rc_error *err) {
    static const char *const keys[] = {
        "version",       "seed",           "category", "aggregate_rate",
        "num_requests",  "horizon",        "clients",  "cohorts",
        "servegen_data", "inference_perf", NULL};
    static const char *const unread[] = {"servegen_data", NULL};
    RC_TRY(rc_doc_known(root, keys, err));
    RC_TRY(refuse_others(root, unread, err));
    if (rc_doc_has(root, "num_requests"))
        RC_TRY(rc_doc_int(root, "num_requests", 0, RC_TRACE_MAX_ROWS, &l->requests, err));
    if (rc_doc_has(root, "horizon"))
        RC_TRY(read_us(root, "horizon", &l->horizon, err));
    if (rc_doc_has(root, "seed"))
        RC_TRY(rc_doc_int(root, "seed", INT64_MIN, INT64_MAX, &l->seed, err));
    if (rc_doc_has(root, "inference_perf"))
        RC_TRY(rc_workload_perf_read(root, l, err));
    else
        RC_TRY(read_load(root, l, err));
    return has_end(l) ? RC_OK
                      : rc_node_fail(root, err, RC_E_INPUT,
                                     "neither num_requests nor horizon: requests without end");
}

rc_status rc_workload_spec_read(const char *name, const char *text, size_t size, uint64_t limit,
                                rc_trace *out, rc_error *err) {
    rc_doc *doc = NULL;
    rc_workload l = {0};
    RC_TRY(rc_doc_parse(name, text, size, &doc, err));
    rc_status st = read_spec(rc_doc_root(doc), &l, err);
    rc_doc_close(doc);
    if (st == RC_OK)
        st = rc_workload_make(&l, limit, out, err);
    rc_workload_free(&l);
    return st;
}
