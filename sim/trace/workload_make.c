/* Clients of several classes made into requests. The client whose next arrival is earliest stands first in a
 * heap, by number where two come at once, so that a file gives the same requests however many clients it has.
 *
 * A client's clock of arrivals runs while it is active: a gap that reaches the end of a window goes on at the
 * begin of the next one.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/trace/workload_make.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/trace/links.h"
#include "sim/trace/workload.h"

/* ---- parts ------------------------------------------------------------------------------------ */

static rc_status more(void *at, size_t count, size_t size, rc_error *err) {
    void **p = at;
    void *grown = realloc(*p, count * size);
    if (!grown)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a workload");
    *p = grown;
    return RC_OK;
}

rc_status rc_workload_classes(rc_workload *l, size_t count, rc_workload_class **out,
                              rc_error *err) {
    RC_TRY(more(&l->class_at, l->classes + count, sizeof *l->class_at, err));
    *out = l->class_at + l->classes;
    for (size_t i = 0; i < count; i++)
        (*out)[i] = (rc_workload_class){.group = -1};
    l->classes += count;
    return RC_OK;
}

rc_status rc_workload_clients(rc_workload *l, size_t count, rc_workload_client **out,
                              rc_error *err) {
    if (count > RC_WORKLOAD_CLIENTS - l->clients)
        return rc_fail(err, RC_E_INPUT, "more than %d clients", RC_WORKLOAD_CLIENTS);
    RC_TRY(more(&l->client, l->clients + count, sizeof *l->client, err));
    *out = l->client + l->clients;
    for (size_t i = 0; i < count; i++)
        (*out)[i] = (rc_workload_client){.arrivals = INT64_MAX};
    l->clients += count;
    return RC_OK;
}

uint32_t rc_workload_shared(const rc_workload *l) {
    const rc_workload_group *last = l->groups > 0 ? &l->group[l->groups - 1] : NULL;
    return last ? last->first_block + (uint32_t)(last->tokens / RC_WORKLOAD_BLOCK) : 0;
}

rc_status rc_workload_groups(rc_workload *l, size_t count, int64_t tokens, int64_t *out,
                             rc_error *err) {
    const uint32_t blocks = rc_workload_shared(l), each = (uint32_t)(tokens / RC_WORKLOAD_BLOCK);
    assert(tokens >= 0);
    if ((double)blocks + (double)count * each > UINT32_MAX / 4)
        return rc_fail(err, RC_E_INPUT, "prefixes of more than 2^30 blocks");
    RC_TRY(more(&l->group, l->groups + count, sizeof *l->group, err));
    *out = (int64_t)l->groups;
    for (size_t i = 0; i < count; i++)
        l->group[l->groups + i] =
            (rc_workload_group){.tokens = tokens, .first_block = blocks + (uint32_t)i * each};
    l->groups += count;
    return RC_OK;
}

rc_status rc_workload_group_of(rc_workload *l, const char *name, int64_t tokens, int64_t *out,
                               rc_error *err) {
    assert(strlen(name) < sizeof l->group->name);
    for (size_t i = 0; i < l->groups; i++) {
        *out = (int64_t)i;
        if (strcmp(l->group[i].name, name) == 0)
            return RC_OK;
    }
    RC_TRY(rc_workload_groups(l, 1, tokens, out, err));
    memcpy(l->group[*out].name, name, strlen(name) + 1);
    return RC_OK;
}

void rc_workload_free(rc_workload *l) {
    for (size_t i = 0; i < l->classes; i++) {
        rc_spec_length_free(&l->class_at[i].input);
        rc_spec_length_free(&l->class_at[i].output);
        free(l->class_at[i].window);
    }
    free(l->class_at);
    free(l->client);
    free(l->group);
    *l = (rc_workload){0};
}

/* ---- sessions --------------------------------------------------------------------------------- */

static rc_status room_for(rc_trace *t, size_t *room, size_t count, rc_error *err) {
    if (t->count + count <= *room)
        return RC_OK;
    size_t now = t->count + count + t->count / 2 + 1024;
    RC_TRY(more(&t->at, now, sizeof *t->at, err));
    RC_TRY(more(&t->spans, 2 * now, sizeof *t->spans, err)); /* a group's, and the session's own */
    *room = now;
    return RC_OK;
}

static void name_blocks(rc_trace *t, rc_req *q, uint32_t first, uint32_t count) {
    if (count == 0)
        return;
    t->spans[t->span_count++] = (rc_span){first, count};
    q->spans++;
    q->named += count;
}

rc_status rc_workload_add(rc_trace *t, size_t *room, uint64_t most, const rc_workload_rounds *x,
                          rc_error *err) {
    const uint32_t own = t->blocks;
    const uint32_t shared = x->group ? (uint32_t)(x->group->tokens / RC_WORKLOAD_BLOCK) : 0;
    uint64_t past = x->group ? (uint64_t)x->group->tokens : 0;
    const bool session = x->rounds > 0;
    for (int64_t k = 0; k < (session ? x->rounds : 1) && t->count < most; k++) {
        uint32_t input, output, i = (uint32_t)t->count;
        RC_TRY(room_for(t, room, 1, err));
        x->draw(x->of, &input, &output);
        rc_req q = {.arrival = k == 0 ? x->arrival : RC_NO_ARRIVAL,
                    .think = k == 0 ? 0 : x->think,
                    .after = k == 0 ? RC_NO_REQUEST : i - 1,
                    .child = RC_NO_REQUEST,
                    .sibling = RC_NO_REQUEST,
                    .session = session ? t->sessions : RC_NO_SESSION,
                    .turn = (uint32_t)k,
                    .prefix = -1,
                    .output = output,
                    .span = (uint32_t)t->span_count};
        if (past + input > RC_TRACE_MAX_INPUT)
            return rc_fail(err, RC_E_INPUT, "a prompt of more than %d tokens", RC_TRACE_MAX_INPUT);
        q.input = (uint32_t)(past + input);
        if (shared > 0)
            name_blocks(t, &q, x->group->first_block, shared);
        if (x->history) { /* the last token of a reply is never computed */
            const uint32_t all = (uint32_t)(((uint64_t)q.input + output - 1) / RC_WORKLOAD_BLOCK);
            name_blocks(t, &q, own, all - shared);
            t->blocks = own + (all - shared);
            past = (uint64_t)q.input + output;
        }
        if (t->blocks > UINT32_MAX / 2)
            return rc_fail(err, RC_E_INPUT, "too many blocks");
        t->at[t->count++] = q;
    }
    t->sessions += session;
    return RC_OK;
}

/* ---- arrivals --------------------------------------------------------------------------------- */

static double draw_gap(const rc_workload_class *k, double rate, rc_rng *rng) {
    static const rc_arrivals kinds[] = {RC_ARRIVE_POISSON, RC_ARRIVE_GAMMA, RC_ARRIVE_POISSON,
                                        RC_ARRIVE_EVEN};
    const rc_arrival_process p = {kinds[k->process], rate, k->cv};
    if (k->process != RC_WORKLOAD_WEIBULL)
        return rc_arrival_gap(&p, rng);
    return k->scale / rate * pow(-log(1.0 - rc_rng_uniform(rng)), 1.0 / k->shape);
}

/* The next arrival of c: a gap of active time later. */
static void step(const rc_workload *l, rc_workload_client *c) {
    const rc_workload_class *k = &l->class_at[c->of];
    if (c->arrivals == 0) {
        c->next = INFINITY;
        return;
    }
    if (c->arrivals != INT64_MAX)
        c->arrivals--;
    double gap = c->stretch * draw_gap(k, c->rate, &c->rng);
    while (c->window < k->windows && gap >= k->window[c->window].to - c->next) {
        gap -= k->window[c->window].to - c->next;
        c->window++;
        c->next = c->window < k->windows ? k->window[c->window].from : INFINITY;
    }
    c->next += gap;
}

/* Gaps of which all together are to take a stated time are drawn twice: once for their sum. */
static void begin(const rc_workload *l, size_t i) {
    rc_workload_client *c = &l->client[i];
    const rc_workload_class *k = &l->class_at[c->of];
    rc_rng_seed(&c->rng, (uint64_t)l->seed + UINT64_C(0x9E3779B97F4A7C15) * (i + 1));
    c->stretch = 1.0;
    c->window = 0;
    c->next = k->windows > 0 ? k->window[0].from : 0.0;
    if (c->over > 0.0) {
        rc_rng rng = c->rng;
        double sum = 0.0;
        for (int64_t n = 0; n < c->arrivals; n++)
            sum += draw_gap(k, c->rate, &rng);
        c->stretch = c->over / sum;
    }
    step(l, c);
}

/* ---- the heap --------------------------------------------------------------------------------- */

static bool before(const rc_workload *l, uint32_t a, uint32_t b) {
    const double x = l->client[a].next, y = l->client[b].next;
    return x < y || (x == y && a < b);
}

static void sink(const rc_workload *l, uint32_t *heap, size_t at) {
    const uint32_t it = heap[at];
    for (size_t below; (below = 2 * at + 1) < l->clients; at = below) {
        if (below + 1 < l->clients && before(l, heap[below + 1], heap[below]))
            below++;
        if (!before(l, heap[below], it))
            break;
        heap[at] = heap[below];
    }
    heap[at] = it;
}

/* ---- all -------------------------------------------------------------------------------------- */

static rc_status too_many(double expected, rc_error *err) {
    return rc_fail(err, RC_E_INPUT,
                   "the workload is about %.4g requests; expected at most %d: a nearer horizon, or "
                   "num_requests",
                   expected, RC_TRACE_MAX_ROWS);
}

/* Seconds of the class's active time before the horizon. */
static double active(const rc_workload *l, const rc_workload_class *k) {
    const double end = l->horizon > 0.0 ? l->horizon : INFINITY;
    double sum = k->windows > 0 ? 0.0 : end;
    for (size_t i = 0; i < k->windows; i++)
        sum += fmax(fmin(k->window[i].to, end) - k->window[i].from, 0.0);
    return sum;
}

static double requests_of(const rc_workload *l, const rc_workload_client *c) {
    const rc_workload_class *k = &l->class_at[c->of];
    const double rounds = (double)(c->rounds > 0 ? c->rounds : k->rounds);
    return fmax(rounds, 1.0) * fmin(c->rate * active(l, k), (double)c->arrivals);
}

static void draw_round(void *of, uint32_t *input, uint32_t *output) {
    const rc_workload *l = ((void **)of)[0];
    rc_workload_client *c = ((void **)of)[1];
    const rc_workload_class *k = &l->class_at[c->of];
    *input = rc_spec_length_draw(&k->input, &c->rng, 0.5 * RC_TRACE_MAX_INPUT);
    *output = rc_spec_length_draw(&k->output, &c->rng, RC_TRACE_MAX_OUTPUT);
}

static rc_status add_arrival(rc_workload *l, rc_workload_client *c, uint64_t most, rc_trace *t,
                             size_t *room, rc_error *err) {
    const rc_workload_class *k = &l->class_at[c->of];
    void *of[] = {l, c};
    const rc_workload_rounds x = {.arrival = llround(c->next * RC_PS_PER_S),
                                  .think = llround(k->think * RC_PS_PER_S),
                                  .rounds = c->rounds > 0 ? c->rounds : k->rounds,
                                  .history = k->history,
                                  .group = k->group >= 0 ? &l->group[k->group] : NULL,
                                  .draw = draw_round,
                                  .of = of};
    return rc_workload_add(t, room, most, &x, err);
}

static rc_status make(rc_workload *l, uint32_t *heap, uint64_t limit, rc_trace *t, rc_error *err) {
    size_t room = 0;
    const uint64_t said = l->requests > 0 ? (uint64_t)l->requests : UINT64_MAX;
    const uint64_t most = limit > 0 && limit < said ? limit : said;
    double expected = 0.0;
    for (size_t i = 0; i < l->clients; i++)
        expected += requests_of(l, &l->client[i]);
    expected = fmin(expected, (double)most);
    if (expected > RC_TRACE_MAX_ROWS)
        return too_many(expected, err);
    for (size_t i = 0; i < l->clients; i++) {
        begin(l, i);
        heap[i] = (uint32_t)i;
    }
    for (size_t i = l->clients; i-- > 0;)
        sink(l, heap, i);
    while (t->count < most) {
        rc_workload_client *c = &l->client[heap[0]];
        if (isinf(c->next) || (l->horizon > 0.0 && c->next >= l->horizon))
            break;
        if (c->next > RC_WORKLOAD_LONGEST)
            return rc_fail(err, RC_E_INPUT, "the workload would last more than %d days",
                           RC_TRACE_MAX_DAYS);
        if (t->count >= RC_TRACE_MAX_ROWS)
            return too_many(expected, err);
        RC_TRY(add_arrival(l, c, most, t, &room, err));
        step(l, c);
        sink(l, heap, 0);
    }
    return RC_OK;
}

rc_status rc_workload_make(rc_workload *l, uint64_t limit, rc_trace *t, rc_error *err) {
    assert(l->clients > 0 && t->count == 0);
    uint32_t *heap = malloc(l->clients * sizeof *heap);
    if (!heap)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a workload");
    t->blocks = rc_workload_shared(l);
    rc_status st = make(l, heap, limit, t, err);
    free(heap);
    RC_TRY(st);
    t->block = t->blocks > 0 ? RC_WORKLOAD_BLOCK : 0;
    t->rows = t->count;
    rc_trace_link(t);
    return t->count > 0 ? RC_OK : rc_fail(err, RC_E_INPUT, "no request comes before the horizon");
}
