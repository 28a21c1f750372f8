/* From what the caller said to what a run needs: templates laid out track by track, what each op
 * waits for as moments of tracks, and all memory of the run.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/engine/sim_internal.h"
#include <stdlib.h>
#include <string.h>

/* Where the ops are put, by handle; needed only while the program is laid out. */
typedef struct layout {
    uint32_t *track, *place;
} layout;

/* n elements, not cleared; never NULL for want of elements. */
static void *room_for(size_t n, size_t element) {
    return malloc((n > 0 ? n : 1) * element);
}

/* ---- checks --------------------------------------------------------------------------------- */

static rc_status check_groups(const rc_sim *s, rc_error *err) {
    for (size_t i = 0; i < s->groups.n; i++) {
        const rc_group *g = &RC_GROUPS(s)[i];
        if (g->members != g->size)
            return rc_fail(err, RC_E_INTERNAL,
                           "rendezvous %u: %u ops were added, its size is %u (first op %u)", g->id,
                           g->members, g->size, g->first);
    }
    return RC_OK;
}

/* A program of which no order was stated plays its only template once. */
static rc_status state_order(rc_sim *s, rc_error *err) {
    if (s->order.n == 0 && s->templates.n > 1)
        return rc_fail(err, RC_E_INTERNAL, "bad program: no order of its %zu templates is stated",
                       s->templates.n);
    if (s->order.n == 0)
        rc_sim_play(s, 0, 1);
    uint64_t repetitions = 0;
    for (size_t i = 0; i < s->order.n; i++) {
        const rc_part_of_order *p = &RC_ORDER(s)[i];
        rc_op_list *t = &RC_LISTS(s)[p->template];
        repetitions += p->times;
        t->times += p->times;
        s->n_ops += (uint64_t)p->times * (t->end - t->first);
    }
    if (s->n_ops >= RC_NONE || repetitions >= RC_NONE)
        return rc_fail(err, RC_E_SIZE,
                       "a program of %llu ops in %llu repetitions: the engine "
                       "counts them in 32 bits",
                       (unsigned long long)s->n_ops, (unsigned long long)repetitions);
    s->n_repetitions = (uint32_t)repetitions;
    return RC_OK;
}

/* ---- templates ------------------------------------------------------------------------------ */

static void count_tracks(rc_sim *s) {
    uint32_t loose = 0;
    for (size_t i = 0; i < s->templates.n; i++)
        loose = RC_LISTS(s)[i].loose > loose ? RC_LISTS(s)[i].loose : loose;
    s->n_streams = (uint32_t)s->streams.n;
    s->n_tracks = s->n_streams + loose;
}

/* The tracks and places of a template's ops, and where its tracks begin in the plan. */
static void place_ops(rc_sim *s, rc_op_list *t, const layout *l) {
    const rc_op *ops = RC_OPS(s);
    uint32_t loose = s->n_streams, *count = t->start + 1;
    for (rc_id op = t->first; op < t->end; op++) {
        l->track[op] = ops[op].stream == RC_NONE ? loose++ : ops[op].stream;
        l->place[op] = count[l->track[op]]++;
    }
    t->start[0] = t->first;
    for (uint32_t i = 0; i < s->n_tracks; i++)
        t->start[i + 1] += t->start[i];
    for (rc_id id = t->first; id < t->end; id++) {
        const rc_op *op = &ops[id];
        s->plan[t->start[l->track[id]] + l->place[id]] =
            (rc_plan){.duration = op->duration,
                      .more = op->more,
                      .number = id - t->first,
                      .kind_class = (uint8_t)(op->kind << 4 | op->klass),
                      .account = op->account,
                      .account_slowed = op->account_slowed,
                      .keep = op->keep || s->keep_all};
        if (op->kind == RC_OP_RENDEZVOUS) {
            rc_group *g = &RC_GROUPS(s)[op->more];
            s->members[g->member + g->came++] = l->track[id];
        }
    }
}

static bool lay_out_templates(rc_sim *s, const layout *l) {
    uint32_t members = 0;
    for (size_t g = 0; g < s->groups.n; g++) {
        RC_GROUPS(s)[g].member = members;
        members += RC_GROUPS(s)[g].members;
    }
    s->members = room_for(members, sizeof *s->members);
    s->plan = room_for(s->ops.n + 1 + RC_AHEAD, sizeof *s->plan);
    if (s->members == NULL || s->plan == NULL)
        return false;
    for (size_t i = 0; i < s->templates.n; i++) {
        rc_op_list *t = &RC_LISTS(s)[i];
        t->start = calloc((size_t)s->n_tracks + 1, sizeof *t->start);
        if (t->start == NULL)
            return false;
        place_ops(s, t, l);
    }
    for (size_t g = 0; g < s->groups.n; g++)
        RC_GROUPS(s)[g].came = 0;
    return true;
}

/* ---- what ops wait for ---------------------------------------------------------------------- */

/* Where the op that stands `before` stands in the template `was`, counted from the end of its
 * stream, or of the ops without a stream. False when there is none. */
static bool counterpart(const rc_sim *s, const layout *l, rc_id before, rc_id was, rc_wait *out) {
    const rc_op_list *b = &RC_LISTS(s)[RC_OPS(s)[before].template];
    const rc_op_list *w = &RC_LISTS(s)[was];
    uint32_t track = l->track[before];
    if (track >= s->n_streams) {
        uint32_t from_end = b->loose - (track - s->n_streams);
        *out = (rc_wait){s->n_streams + w->loose - from_end, 0};
        return from_end <= w->loose;
    }
    uint32_t from_end = b->start[track + 1] - b->start[track] - l->place[before];
    uint32_t length = w->start[track + 1] - w->start[track];
    *out = (rc_wait){track, length - from_end};
    return from_end <= length;
}

/* The same in all templates that are played just before the op's own; false when they differ. */
static bool in_previous(const rc_sim *s, const layout *l, const rc_edge *e, rc_wait *out) {
    const rc_part_of_order *order = RC_ORDER(s);
    rc_id own = RC_OPS(s)[e->op].template;
    bool found = false;
    *out = (rc_wait){l->track[e->before], 0};
    for (size_t i = 0; i < s->order.n; i++) {
        if (order[i].template != own)
            continue;
        for (int again = 0; again < 2; again++) {
            if (again ? order[i].times < 2 : i == 0)
                continue;
            rc_wait w;
            if (!counterpart(s, l, e->before, again ? own : order[i - 1].template, &w) ||
                (found && (w.track != out->track || w.place != out->place)))
                return false;
            *out = w;
            found = true;
        }
    }
    return true;
}

static rc_status fill_waits(rc_sim *s, const layout *l, rc_error *err) {
    const rc_edge *edges = RC_EDGES(s);
    for (size_t i = 0; i <= s->ops.n; i++)
        s->plan[i].waits = 0;
    for (size_t i = 0; i < s->edges.n; i++) {
        const rc_op_list *t = &RC_LISTS(s)[RC_OPS(s)[edges[i].op].template];
        s->plan[t->start[l->track[edges[i].op]] + l->place[edges[i].op]].waits++;
    }
    uint32_t at = 0; /* each op's `waits` is where its next one goes; at the end, where they end */
    for (size_t i = 0; i <= s->ops.n; i++) {
        uint32_t count = s->plan[i].waits;
        s->plan[i].waits = at;
        at += count;
    }
    for (size_t i = 0; i < s->edges.n; i++) {
        const rc_edge *e = &edges[i];
        const rc_op_list *t = &RC_LISTS(s)[RC_OPS(s)[e->op].template];
        rc_wait w = {l->track[e->before], l->place[e->before]};
        if (e->previous && !in_previous(s, l, e, &w))
            return rc_fail(err, RC_E_INTERNAL,
                           "bad program: op %u waits for op %u of the repetition before, which is "
                           "not at one place in all templates played before",
                           e->op, e->before);
        w.place |= e->previous ? RC_PREVIOUS : 0;
        s->waits[s->plan[t->start[l->track[e->op]] + l->place[e->op]].waits++] = w;
    }
    for (size_t i = s->ops.n; i > 0; i--)
        s->plan[i].waits = s->plan[i - 1].waits;
    s->plan[0].waits = 0;
    return RC_OK;
}

/* ---- repetitions and results ---------------------------------------------------------------- */

static bool lay_out_kept(rc_sim *s) {
    if (s->keep_all) {
        s->n_kept = s->n_ops;
        return true;
    }
    s->kept_at = room_for(s->ops.n, sizeof *s->kept_at);
    if (s->kept_at == NULL)
        return false;
    for (size_t i = 0; i < s->templates.n; i++) {
        rc_op_list *t = &RC_LISTS(s)[i];
        for (rc_id op = t->first; op < t->end; op++)
            s->kept_at[op] = RC_OPS(s)[op].keep ? t->kept++ : RC_NONE;
        s->n_kept += (uint64_t)t->kept * t->times;
    }
    return true;
}

static bool lay_out_repetitions(rc_sim *s) {
    s->repetitions = room_for(s->n_repetitions, sizeof *s->repetitions);
    if (s->repetitions == NULL)
        return false;
    uint32_t at = 0, number = 0, kept = 0;
    for (size_t i = 0; i < s->order.n; i++) {
        const rc_part_of_order *p = &RC_ORDER(s)[i];
        const rc_op_list *t = &RC_LISTS(s)[p->template];
        for (uint32_t k = 0; k < p->times; k++) {
            s->repetitions[at++] = (rc_repetition){p->template, number, kept};
            number += t->end - t->first;
            kept += t->kept;
        }
    }
    return true;
}

/* ---- the run's own memory ------------------------------------------------------------------- */

/* The most links that a flow of this track crosses. */
static uint32_t longest_path(const rc_sim *s, uint32_t track) {
    uint32_t most = 0;
    for (size_t i = 0; i < s->templates.n; i++) {
        const uint32_t *start = RC_LISTS(s)[i].start + track;
        for (uint32_t at = start[0]; at < start[1]; at++) {
            const rc_plan *p = &s->plan[at];
            if (RC_KIND(p) == RC_OP_FLOW && RC_FLOWS(s)[p->more].path_len > most)
                most = RC_FLOWS(s)[p->more].path_len;
        }
    }
    return most;
}

static void begin_tracks(rc_sim *s, uint32_t *hops) {
    for (uint32_t i = 0; i < s->n_tracks; i++) {
        rc_track *t = &s->tracks[i];
        rc_id domain = i < s->n_streams ? RC_STREAMS(s)[i] : RC_NONE;
        *t = (rc_track){.ended = -1,
                        .number = RC_NONE,
                        .first_waiter = RC_NONE,
                        .last_waiter = RC_NONE,
                        .domain = domain,
                        .nominal = domain == RC_NONE || RC_DOMAINS(s)[domain].speed == 1.0,
                        .cause = RC_NONE,
                        .batch = RC_NONE,
                        .hop = *hops,
                        .state = RC_WAITING};
        *hops += longest_path(s, i);
    }
}

/* Batches that are not in use are in a list. Each track may have one, and the batch that fires is
 * in use until its last event has been dealt with. */
static void begin_batches(rc_sim *s) {
    for (uint32_t i = 0; i <= s->n_tracks; i++)
        s->batches[i] = (rc_batch){.at = -1, .first = i + 1};
    memset(s->recent, 0, sizeof s->recent);
    s->free_batch = 0;
}

static bool reserve_sharing(rc_sim *s) {
    size_t links = s->links.n, tracks = s->flows.n < s->n_tracks ? s->flows.n : s->n_tracks;
    s->dirty_domains = room_for(s->domains.n, sizeof *s->dirty_domains);
    s->dirty_links = room_for(links, sizeof *s->dirty_links);
    s->part_links = room_for(links, sizeof *s->part_links);
    s->part_flows = room_for(tracks, sizeof *s->part_flows);
    s->part_rates = room_for(tracks, sizeof *s->part_rates);
    return s->dirty_domains != NULL && s->dirty_links != NULL && s->part_links != NULL &&
           s->part_flows != NULL && s->part_rates != NULL;
}

static bool reserve(rc_sim *s) {
    uint32_t hops = 0;
    size_t whole = ((size_t)s->n_tracks + 1) * sizeof *s->tracks;
    s->tracks = aligned_alloc(_Alignof(rc_track), whole);
    s->batches = room_for((size_t)s->n_tracks + 1, sizeof *s->batches);
    s->results = room_for(s->n_kept, sizeof *s->results);
    s->q = rc_eventq_create(s->n_tracks);
    if (s->tracks == NULL || s->batches == NULL || s->results == NULL || s->q == NULL)
        return false;
    begin_tracks(s, &hops);
    begin_batches(s);
    for (uint64_t i = 0; i < s->n_kept; i++)
        s->results[i] = (rc_result){RC_TIME_NEVER, RC_TIME_NEVER, RC_NONE};
    s->hops = room_for(hops, sizeof *s->hops);
    if (s->accounts > 1)
        s->booked = calloc((size_t)s->n_tracks + 1, 2 * s->accounts * sizeof *s->booked);
    return s->hops != NULL && (s->accounts == 1 || s->booked != NULL) && reserve_sharing(s);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static rc_status lay_out(rc_sim *s, const layout *l, rc_error *err) {
    count_tracks(s);
    s->waits = room_for(s->edges.n + 2 * RC_AHEAD, sizeof *s->waits);
    bool have = s->waits != NULL && l->track != NULL && l->place != NULL &&
                lay_out_templates(s, l) && lay_out_kept(s) && lay_out_repetitions(s);
    if (have)
        RC_TRY(fill_waits(s, l, err));
    if (!have || !reserve(s))
        return rc_fail(err, RC_E_NOMEM, "out of memory for a simulation of %zu ops", s->ops.n);
    s->causes = s->n_kept > 0 || s->accounts > 1;
    return RC_OK;
}

rc_status rc_sim_prepare_(rc_sim *s, rc_error *err) {
    if (s->ran)
        return rc_fail(err, RC_E_INTERNAL, "the simulation has run: it runs once");
    if (s->fault == NULL)
        RC_TRY(state_order(s, err));
    s->ran = true;
    if (s->fault != NULL)
        return rc_fail(err, s->starved ? RC_E_NOMEM : RC_E_INTERNAL, "bad program: %s", s->fault);
    RC_TRY(check_groups(s, err));
    layout l = {room_for(s->ops.n, sizeof *l.track), room_for(s->ops.n, sizeof *l.place)};
    rc_status st = lay_out(s, &l, err);
    free(l.track);
    free(l.place);
    return st;
}

int64_t rc_sim_bytes(const rc_sim_size *z) {
    enum {
        OP = sizeof(rc_op) + sizeof(rc_plan) + 3 * sizeof(uint32_t),
        EDGE = sizeof(rc_edge) + sizeof(rc_wait),
        SHARING = 2 * sizeof(rc_hop) + sizeof(rc_id) + sizeof(double),
        TRACK = sizeof(rc_track) + sizeof(rc_batch) + SHARING
    };
    assert(z->ops >= 0 && z->edges >= 0 && z->streamless >= 0 && z->kept >= 0);
    int64_t track =
        TRACK + (int64_t)rc_eventq_bytes_per_event() + 2 * (int64_t)sizeof(rc_time) * z->accounts;
    return OP * z->ops + EDGE * z->edges + (int64_t)sizeof(rc_flow) * z->flows +
           (int64_t)sizeof(rc_id) * z->hops + track * z->streamless +
           (int64_t)sizeof(rc_result) * z->kept;
}
