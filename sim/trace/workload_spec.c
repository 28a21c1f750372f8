/* Workload specifications of BLIS (inference-sim): a YAML file that says how requests are made, not when each
 * came. It is made into a trace when it is read, by the seed that stands in it, so that it is then a trace
 * like any other: the same file gives the same requests.
 *
 *   aggregate_rate   requests per second, over the clients by rate_fraction (normalised to 1)
 *   num_requests     how many; or horizon (us): until when; the earlier of the two
 *   seed             of all draws, 0 without it
 *   clients          arrival {process: poisson, gamma, weibull, constant; cv}; input_distribution and
 *                    output_distribution {type: gaussian, exponential, pareto_lognormal, constant, empirical;
 *                    params}; prefix_group and prefix_length, tokens before the input that a group shares
 *
 * Requests of a client come by its own process; those of all clients are one trace. Draws are of the same
 * distributions as BLIS's, not the same numbers. What changes neither lengths nor arrivals (id, tenant_id,
 * slo_class, model, streaming, network) is not looked at. What changes them and is not read is refused by its
 * name: cohorts, lifecycle, multimodal, reasoning, servegen_data, inference_perf.
 *
 * Source: the schema in docs/reference/workload-spec.md of inference-sim/inference-sim.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/trace/workload_spec.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/doc.h"
#include "sim/trace/links.h"
#include "sim/trace/workload.h"

enum { CLIENTS = 1024, BLOCK = 16, GROUP_TOKENS = 50, BINS = 65536 };
#define LONGEST ((double)RC_TRACE_MAX_DAYS * 86400.0) /* s */
#define MOST_CV 10.4                                  /* of Weibull gaps, BLIS's own limit */

typedef enum length_type {
    GAUSSIAN,
    EXPONENTIAL,
    PARETO_LOGNORMAL,
    CONSTANT,
    EMPIRICAL
} length_type;
static const char *const length_names[] = {"gaussian", "exponential", "pareto_lognormal",
                                           "constant", "empirical",   NULL};
enum { PARAMS = 5 };
static const char *const length_params[][PARAMS + 1] = {
    {"mean", "std_dev", "min", "max", NULL},
    {"mean", NULL},
    {"alpha", "xm", "mu", "sigma", "mix_weight", NULL},
    {"value", NULL},
    {NULL}};

typedef struct length {
    length_type type;
    double param[PARAMS]; /* in the order of length_params */
    double *value,
        *up_to; /* empirical: tokens, and the probability of these and those before; owned */
    size_t values;
} length;

typedef enum gap_process { POISSON, GAMMA, WEIBULL, EVEN } gap_process;
static const char *const process_names[] = {"poisson", "gamma", "weibull", "constant", NULL};

typedef struct client {
    double fraction, rate, cv;
    gap_process process;
    double shape, scale; /* Weibull */
    length input, output;
    char group[64];
    int64_t prefix; /* tokens; of its group */
    uint32_t first_block;
    rc_rng rng;
    double next; /* s */
} client;

typedef struct spec {
    double rate, horizon; /* 1/s; s, 0: none */
    int64_t requests, seed;
    client *at;
    size_t count;
    uint32_t blocks;
} spec;

/* ---- reading ---------------------------------------------------------------------------------- */

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

static rc_status read_real(const rc_node *map, const char *key, double lo, double hi, double *out,
                           rc_error *err) {
    return rc_doc_quantity(map, key, RC_DIM_RATIO, lo, hi, out, err);
}

static int by_value(const void *a, const void *b) {
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Token counts as keys, probabilities as values; sorted, summed up and divided by the sum. */
static rc_status read_bins(const rc_node *params, length *out, rc_error *err) {
    size_t n = rc_node_count(params);
    if (n == 0 || n > BINS)
        return rc_node_fail(params, err, RC_E_INPUT, "%zu token counts, expected 1 to %d", n, BINS);
    double(*bin)[2] = calloc(n, sizeof *bin);
    out->value = calloc(n, sizeof *out->value);
    out->up_to = calloc(n, sizeof *out->up_to);
    rc_status st = bin && out->value && out->up_to
                       ? RC_OK
                       : rc_fail(err, RC_E_NOMEM, "out of memory for a workload");
    double sum = 0.0;
    for (size_t i = 0; i < n && st == RC_OK; i++) {
        char *end;
        bin[i][0] = strtod(rc_node_key(params, i), &end);
        if (*end != '\0' || !(bin[i][0] >= 1.0) || bin[i][0] > RC_TRACE_MAX_OUTPUT)
            st = rc_node_key_fail(params, i, err, "found '%.40s', expected a number of tokens",
                                  rc_node_key(params, i));
        else
            st = rc_node_quantity(rc_node_value(params, i), rc_node_key(params, i), RC_DIM_RATIO,
                                  0.0, 1e9, &bin[i][1], err);
        sum += bin[i][1];
    }
    if (st == RC_OK && !(sum > 0.0))
        st = rc_node_fail(params, err, RC_E_INPUT, "all probabilities are 0");
    if (st == RC_OK)
        qsort(bin, n, sizeof *bin, by_value);
    double before = 0.0;
    for (size_t i = 0; i < n && st == RC_OK; i++) {
        before += bin[i][1] / sum;
        out->value[i] = bin[i][0];
        out->up_to[i] = before;
    }
    out->values = n;
    free(bin);
    return st;
}

static rc_status read_length(const rc_node *map, const char *key, length *out, rc_error *err) {
    static const char *const keys[] = {"type", "params", "file", NULL};
    static const char *const unread[] = {"file", NULL};
    const rc_node *n, *params;
    int type;
    RC_TRY(rc_doc_map(map, key, &n, err));
    RC_TRY(rc_doc_known(n, keys, err));
    RC_TRY(refuse_others(n, unread, err));
    RC_TRY(rc_doc_choice(n, "type", length_names, &type, err));
    RC_TRY(rc_doc_map(n, "params", &params, err));
    out->type = (length_type)type;
    if (out->type == EMPIRICAL)
        return read_bins(params, out, err);
    RC_TRY(rc_doc_known(params, length_params[type], err));
    for (int i = 0; length_params[type][i]; i++) {
        const char *name = length_params[type][i];
        bool above = strcmp(name, "alpha") == 0, any = strcmp(name, "mu") == 0;
        bool share = strcmp(name, "mix_weight") == 0;
        RC_TRY(read_real(params, name,
                         any     ? -100.0
                         : above ? 1e-3
                                 : 0.0,
                         share ? 1.0 : 1e8, &out->param[i], err));
    }
    if (out->type == GAUSSIAN && out->param[2] > out->param[3])
        return rc_node_fail(params, err, RC_E_INPUT, "min is above max");
    return RC_OK;
}

/* Weibull gaps with a mean of 1 and this coefficient of variation: 1 + cv^2 = G(1 + 2/k) / G(1 + 1/k)^2,
 * which falls with the shape k. */
static void fit_weibull(client *c) {
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

static rc_status read_arrival(const rc_node *map, client *c, rc_error *err) {
    static const char *const keys[] = {"process", "cv", NULL};
    const rc_node *n;
    int process;
    RC_TRY(rc_doc_map(map, "arrival", &n, err));
    RC_TRY(rc_doc_known(n, keys, err));
    RC_TRY(rc_doc_choice(n, "process", process_names, &process, err));
    c->process = (gap_process)process;
    c->cv = 1.0;
    if (c->process == GAMMA || c->process == WEIBULL)
        RC_TRY(read_real(n, "cv", 0.01, c->process == WEIBULL ? MOST_CV : 100.0, &c->cv, err));
    if (c->process == WEIBULL)
        fit_weibull(c);
    return RC_OK;
}

static rc_status read_client(const rc_node *n, client *c, rc_error *err) {
    static const char *const keys[] = {"id",
                                       "tenant_id",
                                       "slo_class",
                                       "model",
                                       "rate_fraction",
                                       "arrival",
                                       "streaming",
                                       "network",
                                       "prefix_group",
                                       "prefix_length",
                                       "lifecycle",
                                       "reasoning",
                                       "multimodal",
                                       "input_distribution",
                                       "output_distribution",
                                       NULL};
    static const char *const unread[] = {"lifecycle", "reasoning", "multimodal", NULL};
    if (rc_node_kind_of(n) != RC_NODE_MAP)
        return rc_node_fail(n, err, RC_E_INPUT, "a client is no map");
    RC_TRY(rc_doc_known(n, keys, err));
    RC_TRY(refuse_others(n, unread, err));
    RC_TRY(read_real(n, "rate_fraction", 1e-9, 1e9, &c->fraction, err));
    RC_TRY(read_arrival(n, c, err));
    RC_TRY(read_length(n, "input_distribution", &c->input, err));
    RC_TRY(read_length(n, "output_distribution", &c->output, err));
    if (rc_doc_has(n, "prefix_group"))
        RC_TRY(rc_doc_label(n, "prefix_group", c->group, sizeof c->group, err));
    if (rc_doc_has(n, "prefix_length"))
        RC_TRY(rc_doc_int(n, "prefix_length", 0, RC_TRACE_MAX_INPUT / 2, &c->prefix, err));
    return RC_OK;
}

/* The first client of a group says how long its prefix is. Whole blocks of it are shared. */
static void join_groups(spec *s) {
    for (size_t i = 0; i < s->count; i++) {
        client *c = &s->at[i];
        size_t k = 0;
        while (k < i && strcmp(s->at[k].group, c->group) != 0)
            k++;
        if (c->group[0] == '\0') {
            c->prefix = 0;
        } else if (k < i) {
            c->prefix = s->at[k].prefix;
            c->first_block = s->at[k].first_block;
        } else {
            c->prefix = c->prefix > 0 ? c->prefix : GROUP_TOKENS;
            c->first_block = s->blocks;
            s->blocks += (uint32_t)(c->prefix / BLOCK);
        }
    }
}

static rc_status read_clients(const rc_node *root, spec *s, rc_error *err) {
    const rc_node *list;
    double all = 0.0;
    RC_TRY(rc_doc_list(root, "clients", &list, err));
    size_t n = rc_node_count(list);
    if (n == 0 || n > CLIENTS)
        return rc_node_fail(list, err, RC_E_INPUT, "%zu clients, expected 1 to %d", n, CLIENTS);
    s->at = calloc(n, sizeof *s->at);
    if (!s->at)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a workload");
    s->count = n;
    for (size_t i = 0; i < n; i++) {
        RC_TRY(read_client(rc_node_at(list, i), &s->at[i], err));
        all += s->at[i].fraction;
    }
    for (size_t i = 0; i < n; i++)
        s->at[i].rate = s->rate * (s->at[i].fraction / all);
    join_groups(s);
    return RC_OK;
}

static rc_status read_spec(const rc_node *root, spec *s, rc_error *err) {
    static const char *const keys[] = {
        "version",       "seed",           "category", "aggregate_rate",
        "num_requests",  "horizon",        "clients",  "cohorts",
        "servegen_data", "inference_perf", NULL};
    static const char *const unread[] = {"cohorts", "servegen_data", "inference_perf", NULL};
    int64_t horizon = 0;
    RC_TRY(rc_doc_known(root, keys, err));
    RC_TRY(refuse_others(root, unread, err));
    RC_TRY(read_real(root, "aggregate_rate", 1e-6, 1e9, &s->rate, err));
    if (rc_doc_has(root, "num_requests"))
        RC_TRY(rc_doc_int(root, "num_requests", 0, RC_TRACE_MAX_ROWS, &s->requests, err));
    if (rc_doc_has(root, "horizon"))
        RC_TRY(rc_doc_int(root, "horizon", 0, (int64_t)(LONGEST * 1e6), &horizon, err));
    if (rc_doc_has(root, "seed"))
        RC_TRY(rc_doc_int(root, "seed", INT64_MIN, INT64_MAX, &s->seed, err));
    s->horizon = (double)horizon * 1e-6;
    if (s->requests == 0 && horizon == 0)
        return rc_node_fail(root, err, RC_E_INPUT,
                            "neither num_requests nor horizon: requests without end");
    return read_clients(root, s, err);
}

/* ---- making requests -------------------------------------------------------------------------- */

static double draw_bin(const length *l, rc_rng *r) {
    double u = rc_rng_uniform(r);
    size_t lo = 0, hi = l->values - 1;
    while (lo < hi) { /* the first with more than u up to it */
        size_t k = lo + (hi - lo) / 2;
        if (l->up_to[k] > u)
            hi = k;
        else
            lo = k + 1;
    }
    return l->value[lo];
}

static double draw_tokens(const length *l, rc_rng *r) {
    const double *p = l->param;
    switch (l->type) {
    case GAUSSIAN:
        return fmin(fmax(p[0] + p[1] * rc_rng_normal(r), p[2]), p[3]);
    case EXPONENTIAL:
        return rc_rng_exponential(r, p[0]);
    case PARETO_LOGNORMAL:
        if (rc_rng_uniform(r) < p[4])
            return p[1] * pow(1.0 - rc_rng_uniform(r), -1.0 / p[0]);
        return exp(p[2] + p[3] * rc_rng_normal(r));
    case CONSTANT:
        return p[0];
    case EMPIRICAL:
        return draw_bin(l, r);
    }
    return 1.0;
}

static uint32_t tokens_of(const length *l, rc_rng *r, double most) {
    return (uint32_t)llround(fmin(fmax(draw_tokens(l, r), 1.0), most));
}

static double gap_of(client *c) {
    static const rc_arrivals kinds[] = {RC_ARRIVE_POISSON, RC_ARRIVE_GAMMA, RC_ARRIVE_POISSON,
                                        RC_ARRIVE_EVEN};
    const rc_arrival_process p = {kinds[c->process], c->rate, c->cv};
    if (c->process != WEIBULL)
        return rc_arrival_gap(&p, &c->rng);
    return c->scale / c->rate * pow(-log(1.0 - rc_rng_uniform(&c->rng)), 1.0 / c->shape);
}

static rc_status more_room(rc_trace *t, size_t *room, rc_error *err) {
    size_t now = *room ? 2 * *room : 1024;
    rc_req *at = realloc(t->at, now * sizeof *at);
    if (at)
        t->at = at;
    rc_span *spans = at ? realloc(t->spans, now * sizeof *spans) : NULL;
    if (!spans)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu requests", now);
    t->spans = spans;
    *room = now;
    return RC_OK;
}

static void add_request(rc_trace *t, client *c) {
    const uint32_t shared = (uint32_t)(c->prefix / BLOCK);
    rc_req q = {.arrival = llround(c->next * RC_PS_PER_S),
                .after = RC_NO_REQUEST,
                .child = RC_NO_REQUEST,
                .sibling = RC_NO_REQUEST,
                .session = RC_NO_SESSION,
                .prefix = -1,
                .span = (uint32_t)t->span_count};
    q.input = (uint32_t)c->prefix + tokens_of(&c->input, &c->rng, 0.5 * RC_TRACE_MAX_INPUT);
    q.output = tokens_of(&c->output, &c->rng, RC_TRACE_MAX_OUTPUT);
    if (shared > 0) {
        q.spans = 1;
        q.named = shared;
        t->spans[t->span_count++] = (rc_span){c->first_block, shared};
    }
    t->at[t->count++] = q;
}

static client *first_to_come(spec *s) {
    client *first = &s->at[0];
    for (size_t i = 1; i < s->count; i++)
        if (s->at[i].next < first->next)
            first = &s->at[i];
    return first;
}

static rc_status too_many(double expected, rc_error *err) {
    return rc_fail(err, RC_E_INPUT,
                   "the workload is about %.4g requests; expected at most %d: a nearer horizon, or "
                   "num_requests",
                   expected, RC_TRACE_MAX_ROWS);
}

/* `limit`: requests to make at most; 0: as many as the file says. */
static rc_status make_requests(spec *s, uint64_t limit, rc_trace *t, rc_error *err) {
    size_t room = 0;
    const uint64_t said = s->requests > 0 ? (uint64_t)s->requests : UINT64_MAX;
    const uint64_t most = limit > 0 && limit < said ? limit : said;
    const double expected = fmin((double)most, s->horizon > 0.0 ? s->rate * s->horizon : INFINITY);
    if (expected > RC_TRACE_MAX_ROWS)
        return too_many(expected, err);
    for (size_t i = 0; i < s->count; i++) {
        rc_rng_seed(&s->at[i].rng, (uint64_t)s->seed + UINT64_C(0x9E3779B97F4A7C15) * (i + 1));
        s->at[i].next = gap_of(&s->at[i]);
    }
    while (t->count < most) {
        client *c = first_to_come(s);
        if (s->horizon > 0.0 && c->next >= s->horizon)
            break;
        if (c->next > LONGEST)
            return rc_fail(err, RC_E_INPUT, "the workload would last more than %d days",
                           RC_TRACE_MAX_DAYS);
        if (t->count == RC_TRACE_MAX_ROWS)
            return too_many(expected, err);
        if (t->count == room)
            RC_TRY(more_room(t, &room, err));
        add_request(t, c);
        c->next += gap_of(c);
    }
    t->block = s->blocks > 0 ? BLOCK : 0;
    t->blocks = s->blocks;
    t->rows = t->count;
    rc_trace_link(t);
    return t->count > 0 ? RC_OK : rc_fail(err, RC_E_INPUT, "no request comes before the horizon");
}

rc_status rc_workload_spec_read(const char *name, const char *text, size_t size, uint64_t limit,
                                rc_trace *out, rc_error *err) {
    rc_doc *doc = NULL;
    spec s = {0};
    RC_TRY(rc_doc_parse(name, text, size, &doc, err));
    rc_status st = read_spec(rc_doc_root(doc), &s, err);
    rc_doc_close(doc);
    if (st == RC_OK)
        st = make_requests(&s, limit, out, err);
    for (size_t i = 0; s.at && i < s.count; i++) {
        length *both[] = {&s.at[i].input, &s.at[i].output};
        for (int k = 0; k < 2; k++) {
            free(both[k]->value);
            free(both[k]->up_to);
        }
    }
    free(s.at);
    return st;
}
