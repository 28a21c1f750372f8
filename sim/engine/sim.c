/* Building a program of ops: streams, links, domains, dependencies, rendezvous groups; and what is
 * reserved and checked before a run. Nothing here is on a run's path.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/engine/sim_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more element; NULL when out of memory or of 32-bit indices. */
static void *push(rc_vec *v, size_t element) {
    if (v->n == v->room) {
        size_t room = v->room == 0 ? 16 : 2 * v->room;
        void *at = room < RC_NONE ? realloc(v->at, room * element) : NULL;
        if (at == NULL)
            return NULL;
        v->at = at;
        v->room = room;
    }
    void *e = (char *)v->at + v->n++ * element;
    memset(e, 0, element);
    return e;
}

rc_sim *rc_sim_create(void) {
    rc_sim *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    for (unsigned on = 0; on < RC_CLASSES; on++)
        for (unsigned by = 0; by < RC_CLASSES; by++)
            s->factor[on][by] = 1.0;
    s->csr_edges = SIZE_MAX;
    s->overflow = RC_NONE;
    return s;
}

void rc_sim_destroy(rc_sim *s) {
    if (s == NULL)
        return;
    rc_vec *vecs[] = {&s->plan,    &s->edges,   &s->hops,  &s->links,
                      &s->domains, &s->streams, &s->groups};
    for (size_t i = 0; i < sizeof vecs / sizeof vecs[0]; i++)
        free(vecs[i]->at);
    free(s->group_slots);
    free(s->state);
    free(s->peers);
    free(s->edge_to);
    free(s->dirty_domains);
    free(s->dirty_links);
    free(s->part_links);
    free(s->part_flows);
    free(s->part_rates);
    rc_eventq_destroy(s->q);
    free(s);
}

/* A program that lacks a stream, a link or an op must not run: RC_NONE as a stream means "no
 * stream", so what was to be on it would lose its order in silence. */
static rc_id starved(rc_sim *s) {
    s->fault = "memory ran out while the program was built";
    s->starved = true;
    return RC_NONE;
}

rc_id rc_sim_domain(rc_sim *s) {
    rc_domain *d = push(&s->domains, sizeof *d);
    if (d == NULL)
        return starved(s);
    d->speed = 1.0;
    d->first = RC_NONE;
    return (rc_id)(s->domains.n - 1);
}

rc_id rc_sim_stream(rc_sim *s, rc_id domain) {
    if (domain != RC_NONE && domain >= s->domains.n) {
        s->fault = "a stream's domain does not exist";
        return RC_NONE;
    }
    rc_stream *t = push(&s->streams, sizeof *t);
    if (t == NULL)
        return starved(s);
    *t = (rc_stream){domain, RC_NONE};
    return (rc_id)(s->streams.n - 1);
}

rc_id rc_sim_link(rc_sim *s, double bytes_per_s) {
    if (!(bytes_per_s > 0) || isinf(bytes_per_s)) {
        s->fault = "a link's capacity is not a positive number";
        return RC_NONE;
    }
    rc_link *l = push(&s->links, sizeof *l);
    if (l == NULL)
        return starved(s);
    l->capacity = bytes_per_s;
    l->first = RC_NONE;
    return (rc_id)(s->links.n - 1);
}

void rc_sim_interfere(rc_sim *s, unsigned on, unsigned by, double factor) {
    if (on >= RC_CLASSES || by >= RC_CLASSES || !(factor > 0) || isinf(factor)) {
        s->fault = "an interference class is above 15 or its factor is not a positive number";
        return;
    }
    if (on == 0 || by == 0)
        return; /* class 0 disturbs nothing and is not disturbed */
    s->factor[on][by] = factor;
    s->disturbs = 0;
    for (unsigned o = 1; o < RC_CLASSES; o++) {
        s->disturbed_by[o] = 0;
        for (unsigned b = 1; b < RC_CLASSES; b++)
            if (s->factor[o][b] != 1.0)
                s->disturbed_by[o] |= 1u << b;
        s->disturbs |= s->disturbed_by[o];
    }
}

void rc_sim_domain_speed(rc_sim *s, rc_id domain, double speed) {
    if (domain >= s->domains.n || !(speed > 0) || isinf(speed))
        s->fault = "a domain's speed is not a positive number, or there is no such domain";
    else
        RC_DOMAINS(s)[domain].speed = speed;
}

static size_t group_hash(rc_id id) {
    return (size_t)((uint64_t)id * 0x9e3779b97f4a7c15u >> 32);
}

/* Twice the room in the table of groups; false when out of memory. */
static bool widen_groups(rc_sim *s) {
    size_t room = s->group_room == 0 ? 32 : 2 * s->group_room;
    uint32_t *slots = malloc(room * sizeof *slots);
    if (slots == NULL)
        return false;
    memset(slots, 0xff, room * sizeof *slots); /* RC_NONE everywhere */
    for (size_t g = 0; g < s->groups.n; g++) {
        size_t i = group_hash(RC_GROUPS(s)[g].id) & (room - 1);
        while (slots[i] != RC_NONE)
            i = (i + 1) & (room - 1);
        slots[i] = (uint32_t)g;
    }
    free(s->group_slots);
    s->group_slots = slots;
    s->group_room = room;
    return true;
}

/* Index of the group the caller calls `id`, a new one if need be; RC_NONE when out of memory. */
static uint32_t find_group(rc_sim *s, rc_id id, uint32_t size) {
    if (2 * (s->groups.n + 1) > s->group_room && !widen_groups(s))
        return RC_NONE;
    size_t i = group_hash(id) & (s->group_room - 1);
    for (; s->group_slots[i] != RC_NONE; i = (i + 1) & (s->group_room - 1))
        if (RC_GROUPS(s)[s->group_slots[i]].id == id)
            return s->group_slots[i];
    rc_group *g = push(&s->groups, sizeof *g);
    if (g == NULL)
        return RC_NONE;
    *g = (rc_group){.id = id, .size = size, .first = RC_NONE, .last = RC_NONE};
    return s->group_slots[i] = (uint32_t)(s->groups.n - 1);
}

static const char *fault_of(const rc_sim *s, const rc_op_desc *d) {
    if ((unsigned)d->kind > RC_OP_RENDEZVOUS)
        return "an op has an unknown kind";
    if (d->stream != RC_NONE && d->stream >= s->streams.n)
        return "an op's stream does not exist";
    if (d->klass >= RC_CLASSES)
        return "an op's interference class is above 15";
    if (d->duration < 0)
        return "an op's duration is negative";
    if (d->kind == RC_OP_RENDEZVOUS && d->group_size == 0)
        return "a rendezvous has group size 0";
    if (d->kind != RC_OP_FLOW)
        return NULL;
    if (!(d->bytes >= 0) || isinf(d->bytes) || !(d->max_rate >= 0) || isinf(d->max_rate))
        return "a flow's bytes or rate cap is negative or not a number";
    if (d->path_len > 0 && d->path == NULL)
        return "a flow's path is missing";
    for (uint32_t i = 0; i < d->path_len; i++)
        if (d->path[i] >= s->links.n)
            return "a flow's path crosses a link that does not exist";
    return NULL;
}

/* The kind's own part of an op: hops of a flow, group of a rendezvous. */
static bool fill_kind(rc_sim *s, rc_id op, const rc_op_desc *d) {
    rc_op_plan *p = &RC_PLAN(s)[op];
    p->path = RC_NONE;
    p->group = RC_NONE;
    if (d->kind == RC_OP_FLOW) {
        p->bytes = d->bytes;
        p->max_rate = d->max_rate;
        p->path = (uint32_t)s->hops.n;
        p->path_len = d->path_len;
        for (uint32_t i = 0; i < d->path_len; i++) {
            rc_hop *h = push(&s->hops, sizeof *h);
            if (h == NULL)
                return false;
            *h = (rc_hop){d->path[i], op, RC_NONE, RC_NONE};
        }
        s->flows++;
    } else if (d->kind == RC_OP_RENDEZVOUS) {
        p->group = find_group(s, d->group, d->group_size);
        if (p->group == RC_NONE)
            return false;
        rc_group *g = &RC_GROUPS(s)[p->group];
        if (g->size != d->group_size)
            s->fault = "ops of one rendezvous disagree on its size";
        if (g->last == RC_NONE)
            g->first = op;
        else
            RC_PLAN(s)[g->last].path = op;
        g->last = op;
        g->members++;
    }
    return true;
}

rc_id rc_sim_op(rc_sim *s, const rc_op_desc *d) {
    const char *fault = fault_of(s, d);
    if (fault != NULL) {
        s->fault = fault;
        return RC_NONE;
    }
    rc_op_plan *p = push(&s->plan, sizeof *p);
    if (p == NULL)
        return starved(s);
    rc_id op = (rc_id)(s->plan.n - 1);
    p->duration = d->duration;
    p->kind = (uint8_t)d->kind;
    p->klass = (uint8_t)d->klass;
    p->tag = d->tag;
    p->next = RC_NONE;
    p->domain = RC_NONE;
    if (!fill_kind(s, op, d)) {
        s->plan.n--;
        return starved(s);
    }
    if (d->stream == RC_NONE) {
        s->streamless++;
        return op;
    }
    rc_stream *t = &RC_STREAMS(s)[d->stream];
    p->domain = t->domain;
    if (t->last != RC_NONE) {
        RC_PLAN(s)[t->last].next = op;
        p->waits++;
    }
    t->last = op;
    return op;
}

rc_status rc_sim_after(rc_sim *s, rc_id op, rc_id before, rc_error *err) {
    if (op >= s->plan.n || before >= s->plan.n)
        return rc_fail(err, RC_E_INTERNAL, "dependency of op %u on op %u: there are %zu ops", op,
                       before, s->plan.n);
    rc_edge *e = push(&s->edges, sizeof *e);
    if (e == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu dependencies", s->edges.n + 1);
    *e = (rc_edge){before, op};
    RC_PLAN(s)[op].waits++;
    return RC_OK;
}

void rc_sim_set_duration(rc_sim *s, rc_id op, rc_time duration) {
    if (op >= s->plan.n || duration < 0)
        s->fault = "a new duration is negative, or there is no such op";
    else
        RC_PLAN(s)[op].duration = duration;
}

/* Lay the dependencies out by the op they wait for, each op's in the order they were added. */
static void lay_out_edges(rc_sim *s) {
    rc_op_plan *plan = RC_PLAN(s);
    const rc_edge *edges = RC_EDGES(s);
    for (size_t i = 0; i < s->plan.n; i++)
        plan[i].edge_end = 0;
    for (size_t e = 0; e < s->edges.n; e++)
        plan[edges[e].from].edge_end++;
    uint32_t at = 0;
    for (size_t i = 0; i < s->plan.n; i++) {
        uint32_t count = plan[i].edge_end;
        plan[i].edge = plan[i].edge_end = at;
        at += count;
    }
    for (size_t e = 0; e < s->edges.n; e++)
        s->edge_to[plan[edges[e].from].edge_end++] = edges[e].to;
    s->csr_edges = s->edges.n;
}

/* Make *p hold `n` elements, forgetting what it held; false when out of memory. */
static bool fit(void *p, size_t n, size_t element) {
    void *old, *fresh = malloc((n > 0 ? n : 1) * element);
    if (fresh == NULL)
        return false;
    memcpy(&old, p, sizeof old);
    free(old);
    memcpy(p, &fresh, sizeof fresh);
    /* cppcheck-suppress memleak ; *p holds it */
    return true;
}

static bool reserve(rc_sim *s) {
    size_t ops = s->plan.n, links = s->links.n, domains = s->domains.n;
    if (ops > s->room_ops || s->state == NULL) {
        if (!fit(&s->state, ops, sizeof *s->state) || !fit(&s->peers, ops, sizeof *s->peers))
            return false;
        s->room_ops = ops;
        s->csr_edges = SIZE_MAX;
    }
    if (s->csr_edges != s->edges.n && !fit(&s->edge_to, s->edges.n, sizeof *s->edge_to))
        return false;
    if (!fit(&s->dirty_domains, domains, sizeof *s->dirty_domains) ||
        !fit(&s->dirty_links, links, sizeof *s->dirty_links) ||
        !fit(&s->part_links, links, sizeof *s->part_links) ||
        !fit(&s->part_flows, s->flows, sizeof *s->part_flows) ||
        !fit(&s->part_rates, s->flows, sizeof *s->part_rates))
        return false;
    /* An op has at most one event pending, and a stream runs one op at a time. */
    size_t pending = s->streams.n + s->streamless;
    if (s->q == NULL)
        s->q = rc_eventq_create(pending < ops ? pending : ops);
    return s->q != NULL && rc_eventq_reserve_(s->q, pending < ops ? pending : ops);
}

int64_t rc_sim_bytes(const rc_sim_size *z) {
    const int64_t op = sizeof(rc_op_plan) + sizeof(rc_op_state) + sizeof(rc_peers);
    const int64_t edge = sizeof(rc_edge) + sizeof(rc_id);
    const int64_t flow = sizeof(rc_id) + sizeof(double);
    return op * z->ops + edge * z->edges + flow * z->flows + (int64_t)sizeof(rc_hop) * z->hops +
           (int64_t)rc_eventq_bytes_per_event() * z->streamless;
}

static void set_to_beginning(rc_sim *s) {
    const rc_op_plan *plan = RC_PLAN(s);
    for (size_t i = 0; i < s->plan.n; i++)
        s->state[i] = (rc_op_state){.ready = RC_TIME_NEVER,
                                    .start = RC_TIME_NEVER,
                                    .end = RC_TIME_NEVER,
                                    .cause = RC_NONE,
                                    .waiting = plan[i].waits};
    for (size_t i = 0; i < s->groups.n; i++)
        RC_GROUPS(s)[i].came = 0;
    for (size_t i = 0; i < s->links.n; i++) {
        rc_link *l = &RC_LINKS(s)[i];
        *l = (rc_link){.capacity = l->capacity, .first = RC_NONE};
    }
    for (size_t i = 0; i < s->domains.n; i++) {
        rc_domain *d = &RC_DOMAINS(s)[i];
        *d = (rc_domain){.speed = d->speed, .first = RC_NONE};
    }
    rc_eventq_reset_(s->q);
    s->n_dirty_domains = s->n_dirty_links = s->ended = 0;
    s->part = 0;
    s->end = 0;
    s->overflow = RC_NONE;
    s->n_run = s->plan.n;
}

rc_status rc_sim_prepare_(rc_sim *s, rc_error *err) {
    if (s->ran)
        return rc_fail(err, RC_E_INTERNAL, "the simulation has run: rewind it first");
    if (s->fault != NULL)
        return rc_fail(err, s->starved ? RC_E_NOMEM : RC_E_INTERNAL, "bad program: %s", s->fault);
    for (size_t i = 0; i < s->groups.n; i++) {
        const rc_group *g = &RC_GROUPS(s)[i];
        if (g->members != g->size)
            return rc_fail(err, RC_E_INTERNAL,
                           "rendezvous %u: %u ops were added, its size is %u (first op %u, tag %u)",
                           g->id, g->members, g->size, g->first, RC_PLAN(s)[g->first].tag);
    }
    if (!reserve(s))
        return rc_fail(err, RC_E_NOMEM, "out of memory for a simulation of %zu ops", s->plan.n);
    if (s->csr_edges != s->edges.n)
        lay_out_edges(s);
    set_to_beginning(s);
    return RC_OK;
}

void rc_sim_rewind(rc_sim *s) {
    s->ran = false;
}
