/* Building a program: domains, streams, links, templates of ops, what they wait for, and the order
 * in which templates are played. Nothing here is on a run's path.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/engine/sim_internal.h"
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

/* A program that lacks a stream, a link or an op must not run: RC_NONE as a stream means "no
 * stream", so what was to be on it would lose its order in silence. */
static rc_id starved(rc_sim *s) {
    s->fault = "memory ran out while the program was built";
    s->starved = true;
    return RC_NONE;
}

rc_sim *rc_sim_create(void) {
    rc_sim *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    for (unsigned on = 0; on < RC_CLASSES; on++)
        for (unsigned by = 0; by < RC_CLASSES; by++)
            s->factor[on][by] = 1.0;
    s->accounts = 1;
    s->overflow = s->overtaken = s->last = s->last_track = RC_NONE;
    if (rc_sim_template(s) == RC_NONE) {
        rc_sim_destroy(s);
        return NULL;
    }
    return s;
}

void rc_sim_destroy(rc_sim *s) {
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->templates.n; i++)
        free(RC_LISTS(s)[i].start);
    rc_vec *vecs[] = {&s->ops,   &s->flows,  &s->paths, &s->edges,   &s->templates,
                      &s->order, &s->groups, &s->links, &s->domains, &s->streams};
    for (size_t i = 0; i < sizeof vecs / sizeof vecs[0]; i++)
        free(vecs[i]->at);
    free(s->group_slots);
    free(s->plan);
    free(s->waits);
    free(s->members);
    free(s->repetitions);
    free(s->kept_at);
    free(s->tracks);
    free(s->booked);
    free(s->hops);
    free(s->batches);
    free(s->results);
    free(s->dirty_domains);
    free(s->dirty_links);
    free(s->part_links);
    free(s->part_flows);
    free(s->part_rates);
    rc_eventq_destroy(s->q);
    free(s);
}

rc_id rc_sim_domain(rc_sim *s) {
    assert(s != NULL && !s->ran);
    rc_domain *d = push(&s->domains, sizeof *d);
    if (d == NULL)
        return starved(s);
    d->speed = 1.0;
    d->first = RC_NONE;
    return (rc_id)(s->domains.n - 1);
}

rc_id rc_sim_stream(rc_sim *s, rc_id domain) {
    assert(!s->ran);
    if (domain != RC_NONE && domain >= s->domains.n) {
        s->fault = "a stream's domain does not exist";
        return RC_NONE;
    }
    rc_id *of = push(&s->streams, sizeof *of);
    if (of == NULL)
        return starved(s);
    *of = domain;
    return (rc_id)(s->streams.n - 1);
}

rc_id rc_sim_link(rc_sim *s, double bytes_per_s) {
    assert(!s->ran);
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
    assert(!s->ran);
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
    assert(!s->ran);
    if (domain >= s->domains.n || !(speed > 0) || isinf(speed))
        s->fault = "a domain's speed is not a positive number, or there is no such domain";
    else
        RC_DOMAINS(s)[domain].speed = speed;
}

/* ---- templates and their order -------------------------------------------------------------- */

rc_id rc_sim_template(rc_sim *s) {
    assert(!s->ran);
    rc_op_list *t = push(&s->templates, sizeof *t);
    if (t == NULL)
        return starved(s);
    t->first = t->end = (rc_id)s->ops.n;
    return (rc_id)(s->templates.n - 1);
}

void rc_sim_play(rc_sim *s, rc_id template, uint32_t times) {
    assert(times >= 1 && !s->ran);
    if (template >= s->templates.n) {
        s->fault = "a template that is to be played does not exist";
        return;
    }
    rc_part_of_order *p = push(&s->order, sizeof *p);
    if (p == NULL)
        (void)starved(s);
    else
        *p = (rc_part_of_order){template, times};
}

void rc_sim_keep_all(rc_sim *s) {
    assert(!s->ran);
    s->keep_all = true;
}

/* ---- ops ------------------------------------------------------------------------------------ */

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
    *g = (rc_group){.id = id, .size = size, .first = (rc_id)s->ops.n};
    g->template = (rc_id)(s->templates.n - 1);
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

/* What a flow takes when it is alone, in ps. */
static double alone(const rc_sim *s, const rc_op_desc *d) {
    double rate = d->max_rate > 0 ? d->max_rate : INFINITY;
    for (uint32_t i = 0; i < d->path_len; i++)
        rate = fmin(rate, RC_LINKS(s)[d->path[i]].capacity);
    return (double)d->duration + (d->bytes > 0 ? rc_flow_ps(d->bytes, rate) : 0);
}

/* Index of the op's flow; RC_NONE when out of memory. */
static uint32_t add_flow(rc_sim *s, const rc_op_desc *d) {
    rc_flow *f = push(&s->flows, sizeof *f);
    if (f == NULL)
        return RC_NONE;
    *f = (rc_flow){.bytes = d->bytes,
                   .max_rate = d->max_rate,
                   .alone = alone(s, d),
                   .path = (uint32_t)s->paths.n,
                   .path_len = d->path_len};
    for (uint32_t i = 0; i < d->path_len; i++) {
        rc_id *link = push(&s->paths, sizeof *link);
        if (link == NULL)
            return RC_NONE;
        *link = d->path[i];
    }
    return (uint32_t)(s->flows.n - 1);
}

/* Index of the op's group; RC_NONE when out of memory. */
static uint32_t join_group(rc_sim *s, const rc_op_desc *d) {
    uint32_t index = find_group(s, d->group, d->group_size);
    if (index == RC_NONE)
        return RC_NONE;
    rc_group *g = &RC_GROUPS(s)[index];
    if (g->size != d->group_size)
        s->fault = "ops of one rendezvous disagree on its size";
    if (g->template != s->templates.n - 1)
        s->fault = "ops of one rendezvous are of two templates";
    g->members++;
    return index;
}

rc_id rc_sim_op(rc_sim *s, const rc_op_desc *d) {
    assert(d != NULL && !s->ran);
    const char *fault = fault_of(s, d);
    if (fault != NULL) {
        s->fault = fault;
        return RC_NONE;
    }
    uint32_t more = RC_NONE;
    if (d->kind == RC_OP_FLOW)
        more = add_flow(s, d);
    else if (d->kind == RC_OP_RENDEZVOUS)
        more = join_group(s, d);
    bool needs = d->kind == RC_OP_FLOW || d->kind == RC_OP_RENDEZVOUS;
    rc_op *op = needs && more == RC_NONE ? NULL : push(&s->ops, sizeof *op);
    if (op == NULL)
        return starved(s);
    rc_op_list *t = &RC_LISTS(s)[s->templates.n - 1];
    *op = (rc_op){.duration = d->duration,
                  .stream = d->stream,
                  .more = more,
                  .template = (rc_id)(s->templates.n - 1),
                  .kind = (uint8_t)d->kind,
                  .klass = (uint8_t)d->klass,
                  .account = d->account,
                  .account_slowed = d->account_slowed,
                  .keep = d->keep};
    t->loose += d->stream == RC_NONE;
    t->end = (rc_id)s->ops.n;
    unsigned highest = d->account > d->account_slowed ? d->account : d->account_slowed;
    s->accounts = highest >= s->accounts ? highest + 1 : s->accounts;
    return t->end - 1;
}

static rc_status add_edge(rc_sim *s, rc_id op, rc_id before, bool previous, rc_error *err) {
    assert(!s->ran);
    if (op >= s->ops.n || before >= s->ops.n)
        return rc_fail(err, RC_E_INTERNAL, "dependency of op %u on op %u: there are %zu ops", op,
                       before, s->ops.n);
    if (!previous && RC_OPS(s)[op].template != RC_OPS(s)[before].template)
        return rc_fail(err, RC_E_INTERNAL, "op %u waits for op %u of another template", op, before);
    rc_edge *e = push(&s->edges, sizeof *e);
    if (e == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu dependencies", s->edges.n + 1);
    *e = (rc_edge){op, before, previous};
    return RC_OK;
}

rc_status rc_sim_after(rc_sim *s, rc_id op, rc_id before, rc_error *err) {
    return add_edge(s, op, before, false, err);
}

rc_status rc_sim_after_previous(rc_sim *s, rc_id op, rc_id before, rc_error *err) {
    return add_edge(s, op, before, true, err);
}
