/* Requests that are made as they are served.
 *
 * They are made in the order of their arrival, a window of them at a time, so memory goes by the
 * window and by what is in the system. Where requests go to replicas in turn (round robin) or by
 * a hash of their session or prefix, no replica knows of another: they are dealt out in parts of a fixed size, each a cluster of its own
 * with its own events, pass times and sums. All parts play a window, on as many threads as there
 * are, and then the next one. What a part does depends on its requests alone, and parts are added
 * up in their order, so the bytes are the same for any number of threads.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/clock.h"
#include "sim/base/parallel.h"
#include "sim/serve/cluster.h"

enum {
    WINDOW = 1 << 16, /* requests */
    MOST_PARTS = 64,
    SPANS = 2 /* of a made-up request: what its group shares, and its own blocks */
};

typedef struct made_request {
    rc_req request;
    rc_span spans[SPANS];
    uint64_t number;
} made_request;

typedef struct part {
    rc_serve *spec; /* the scenario, with this part's replicas */
    cluster *c;
    rc_serve_result *out;
    uint32_t first, count; /* replicas */
    made_request *at;      /* of the window */
    size_t n, room;
    uint64_t came;
} part;

typedef struct parts {
    const rc_serve *spec;
    const rc_serve_options *options;
    rc_synthetic made_from;
    run_load load;
    uint32_t replicas; /* of the pool that is in parts; 0: one part */
    part at[MOST_PARTS];
    int count;
    rc_progress progress;
} parts;

/* ---- what will come ------------------------------------------------------------------- */

static rc_status measure(parts *p, rc_error *err) {
    rc_synthetic_stream *x = NULL;
    const rc_trace *t = NULL;
    rc_status st = rc_synthetic_open(&p->made_from, &x, err);
    while (st == RC_OK && (st = rc_synthetic_next(x, &t, err)) == RC_OK && t->count > 0) {
        int64_t input = t->at[0].input, seen = input + t->at[0].output - 1;
        p->load.requests++;
        p->load.longest_input = input > p->load.longest_input ? input : p->load.longest_input;
        p->load.longest = seen > p->load.longest ? seen : p->load.longest;
        p->load.block = t->block;
    }
    rc_synthetic_close(x);
    return st;
}

/* ---- parts ---------------------------------------------------------------------------- */

static int part_count(const rc_serve *s, const rc_serve_options *o) {
    bool in_turn = s->routing == RC_ROUTE_ROUND_ROBIN || s->routing == RC_ROUTE_HASH;
    bool apart = in_turn && s->pool_count == 1 && s->fault_count == 0 && !o->series && !o->spans;
    int n = apart ? s->pools[0].replicas / RC_SERVE_PART : 1;
    return n < 1 ? 1 : n < MOST_PARTS ? n : MOST_PARTS;
}

static uint32_t first_of(const parts *p, int i) {
    return (uint32_t)((uint64_t)p->replicas * (uint64_t)i / (uint64_t)p->count);
}

static rc_status open_part(parts *p, int i, rc_error *err) {
    part *x = &p->at[i];
    x->spec = malloc(sizeof *x->spec);
    x->c = calloc(1, sizeof *x->c);
    x->out = calloc(1, sizeof *x->out);
    if (!x->spec || !x->c || !x->out)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a run");
    *x->spec = *p->spec;
    *x->c = (cluster){
        .spec = x->spec, .load = p->load, .options = p->options, .out = x->out, .err = err};
    x->first = first_of(p, i);
    x->count = first_of(p, i + 1) - x->first;
    x->spec->pools[0].replicas = (int)x->count;
    RC_TRY(cluster_open(x->c, NULL, err));
    if (p->count > 1) {
        x->c->router.in_turn = p->replicas;
        x->c->router.first_turn = x->first;
    }
    return RC_OK;
}

static void close_parts(parts *p) {
    for (int i = 0; i < p->count; i++) {
        if (p->at[i].c)
            cluster_close(p->at[i].c);
        free(p->at[i].c);
        free(p->at[i].spec);
        free(p->at[i].out);
        free(p->at[i].at);
    }
}

/* ---- windows -------------------------------------------------------------------------- */

static part *part_of(parts *p, const rc_trace *t, uint64_t number) {
    int i = 0;
    if (p->count == 1)
        return &p->at[0];
    uint32_t turn =
        (uint32_t)(router_turn(p->spec->routing, t->at, t->spans, number) % p->replicas);
    i = (int)((uint64_t)turn * (uint64_t)p->count / p->replicas);
    while (turn < p->at[i].first)
        i--;
    while (turn >= p->at[i].first + p->at[i].count)
        i++;
    return &p->at[i];
}

static rc_status deal(parts *p, const rc_trace *t, uint64_t number, rc_error *err) {
    part *x = part_of(p, t, number);
    if (x->n == x->room) {
        size_t room = x->room ? 2 * x->room : 64;
        made_request *more = realloc(x->at, room * sizeof *more);
        if (!more)
            return rc_fail(err, RC_E_NOMEM, "out of memory for %zu requests", room);
        x->at = more;
        x->room = room;
    }
    made_request *m = &x->at[x->n++];
    m->request = t->at[0];
    m->request.span = 0;
    m->number = number;
    for (uint32_t k = 0; k < t->at[0].spans && k < SPANS; k++)
        m->spans[k] = t->spans[t->at[0].span + k];
    x->came++;
    return RC_OK;
}

static rc_status play_window(void *ctx, size_t i, rc_error *err) {
    part *x = &((parts *)ctx)->at[i];
    x->c->err = err;
    for (size_t k = 0; k < x->n && x->c->status == RC_OK; k++)
        cluster_arrival(x->c, &x->at[k].request, x->at[k].spans, x->at[k].number);
    x->n = 0;
    return x->c->status;
}

static rc_status play_rest(void *ctx, size_t i, rc_error *err) {
    part *x = &((parts *)ctx)->at[i];
    rc_progress silent = {0};
    x->c->err = err;
    x->c->load.requests = x->came;
    cluster_drain(x->c, &silent);
    return x->c->status;
}

static void show(parts *p) {
    uint64_t ended = 0;
    for (int i = 0; i < p->count; i++)
        ended += p->at[i].c->live.ended;
    rc_progress_step(&p->progress, ended);
}

static rc_status play_windows(parts *p, rc_error *err) {
    rc_synthetic_stream *x = NULL;
    RC_TRY(rc_synthetic_open(&p->made_from, &x, err));
    rc_status st = RC_OK;
    uint64_t number = 0;
    bool more = true;
    while (st == RC_OK && more) {
        for (int i = 0; i < WINDOW && st == RC_OK && more; i++) {
            const rc_trace *t = NULL;
            st = rc_synthetic_next(x, &t, err);
            more = st == RC_OK && t->count > 0;
            if (more)
                st = deal(p, t, number++, err);
        }
        if (st == RC_OK)
            st = rc_parallel((size_t)p->count, p->options->threads, play_window, p, err);
        show(p);
    }
    rc_synthetic_close(x);
    RC_TRY(st);
    return rc_parallel((size_t)p->count, p->options->threads, play_rest, p, err);
}

/* ---- the end -------------------------------------------------------------------------- */

/* All parts are told when the first request of all came and the last one ended. */
static void tell_times(parts *p) {
    rc_time first = RC_TIME_NEVER, last = 0;
    for (int i = 0; i < p->count; i++) {
        const cluster *c = p->at[i].c;
        if (c->router.first_arrival >= 0 && c->router.first_arrival < first)
            first = c->router.first_arrival;
        last = c->counts.last_end > last ? c->counts.last_end : last;
    }
    for (int i = 0; i < p->count; i++) {
        p->at[i].c->router.first_arrival = first;
        p->at[i].c->counts.last_end = last;
    }
}

/* Parts are of equal makespan, so what is per second adds up; what is per GPU is a mean. */
static void add_part(rc_serve_result *a, const rc_serve_result *b) {
    double gpus = a->pools[0].gpus, more = b->pools[0].gpus;
    rc_serve_result_add(a, b);
    a->hash += b->hash;
    a->goodput += b->goodput;
    a->little_l += b->little_l;
    a->little_lw += b->little_lw;
    a->mfu = (a->mfu * gpus + b->mfu * more) / (gpus + more);
    a->tokens_per_gpu_s = (a->tokens_per_gpu_s * gpus + b->tokens_per_gpu_s * more) / (gpus + more);
    a->pools[0].gpus += b->pools[0].gpus;
    a->pools[0].replicas += b->pools[0].replicas;
    double tokens = (double)(a->tokens_in + a->tokens_out);
    a->cost_per_mtoken = tokens > 0.0 ? a->cost / (tokens / 1e6) : 0.0;
}

static rc_status run(parts *p, rc_serve_result *out, rc_error *err) {
    RC_TRY(cluster_check_nodes(p->spec, err));
    RC_TRY(measure(p, err));
    rc_model_notes(&p->spec->model, &p->spec->layout, p->load.longest, &out->notes);
    p->count = part_count(p->spec, p->options);
    p->replicas = (uint32_t)p->spec->pools[0].replicas;
    for (int i = 0; i < p->count; i++)
        RC_TRY(open_part(p, i, err));
    RC_TRY(play_windows(p, err));
    tell_times(p);
    for (int i = 0; i < p->count; i++)
        RC_TRY(metrics_finish(p->at[i].c, err));
    const rc_notes notes = out->notes;
    *out = *p->at[0].out;
    out->notes = notes;
    for (int i = 1; i < p->count; i++)
        add_part(out, p->at[i].out);
    return RC_OK;
}

rc_status rc_serve_stream(const rc_serve *s, double rate, const rc_serve_options *o,
                          rc_serve_result *out, rc_error *err) {
    double start = rc_clock_s();
    assert(rc_serve_streams(s));
    assert(!o->player); /* parts run side by side */
    parts *p = calloc(1, sizeof *p);
    if (!p)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a run");
    memset(out, 0, sizeof *out);
    *p = (parts){.spec = s, .options = o};
    rc_serve_made_up(s, o->seed, rate, &p->made_from);
    rc_progress_begin(&p->progress, "serve", p->made_from.requests, o->quiet);
    rc_status st = run(p, out, err);
    rc_progress_end(&p->progress);
    out->wall_s = rc_clock_s() - start;
    close_parts(p);
    free(p);
    return st;
}
