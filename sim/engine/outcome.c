/* What came out of a run: results by number, hashes, and who held up whom when it stood still.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/engine/sim_internal.h"
#include <stdio.h>

/* ---- by number ------------------------------------------------------------------------------ */

size_t rc_sim_op_count(const rc_sim *s) {
    return s->n_ops;
}

rc_id rc_sim_number(const rc_sim *s, rc_id op, uint32_t repetition) {
    assert(s->ran && op < s->ops.n);
    assert(repetition < s->n_repetitions);
    const rc_repetition *r = &s->repetitions[repetition];
    rc_id template = RC_OPS(s)[op].template;
    if (r->template != template)
        return RC_NONE;
    return r->number + (op - RC_LISTS(s)[template].first);
}

/* The repetition that the op with this number is of. */
static const rc_repetition *repetition_of(const rc_sim *s, rc_id number) {
    uint32_t low = 0, high = s->n_repetitions; /* low's first number is not above `number` */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (s->repetitions[middle].number <= number)
            low = middle;
        else
            high = middle;
    }
    return &s->repetitions[low];
}

static rc_result result(const rc_sim *s, rc_id number) {
    const rc_result never = {RC_TIME_NEVER, RC_TIME_NEVER, RC_NONE};
    if (s->results == NULL || number >= s->n_ops)
        return never;
    if (s->keep_all)
        return s->results[number];
    const rc_repetition *r = repetition_of(s, number);
    uint32_t at = s->kept_at[RC_LISTS(s)[r->template].first + (number - r->number)];
    return at == RC_NONE ? never : s->results[r->kept + at];
}

rc_time rc_sim_op_start(const rc_sim *s, rc_id number) {
    return result(s, number).start;
}

rc_time rc_sim_op_end(const rc_sim *s, rc_id number) {
    return result(s, number).end;
}

rc_id rc_sim_op_cause(const rc_sim *s, rc_id number) {
    return result(s, number).cause;
}

/* ---- of the whole --------------------------------------------------------------------------- */

rc_time rc_sim_end(const rc_sim *s) {
    return s->end;
}

uint64_t rc_sim_events(const rc_sim *s) {
    return s->events;
}

rc_time rc_sim_critical(const rc_sim *s, unsigned account) {
    assert(account < RC_ACCOUNTS);
    if (account >= s->accounts || s->last_track == RC_NONE)
        return 0;
    if (s->booked == NULL)
        return s->end;
    const rc_track *t = &s->tracks[s->last_track];
    return s->booked[((size_t)2 * s->last_track + t->side) * s->accounts + account];
}

/* The eight bytes of x, lowest first. Bytes above the highest that is not zero are so many
 * multiplications by the prime: one, by its power. */
static uint64_t fnv1a(uint64_t hash, uint64_t x) {
    static const uint64_t power[9] = {1,
                                      0x100000001b3u,
                                      0x366000002e329u,
                                      0x8a97b0004e7feabu,
                                      0x9ffaac085635bc91u,
                                      0xcaee32a7d4f6a63u,
                                      0xdc966432edf1c639u,
                                      0xc5527b8a51d3d2dbu,
                                      0x1efac7090aef4a21u};
    unsigned left = 8;
    for (; x != 0; x >>= 8, left--)
        hash = (hash ^ (x & 0xff)) * power[1];
    return hash * power[left];
}

uint64_t rc_sim_trace_hash(const rc_sim *s) {
    assert(s->ran);
    uint64_t hash = 0xcbf29ce484222325u;
    for (rc_id op = 0; op < s->n_ops; op++) {
        rc_result r = result(s, op);
        hash = fnv1a(hash, op);
        hash = fnv1a(hash, (uint64_t)r.start);
        hash = fnv1a(hash, (uint64_t)r.end);
    }
    return hash;
}

uint64_t rc_sim_order_hash(const rc_sim *s) {
    assert(s->ran);
    return s->order_hash;
}

/* ---- a run that stood still ----------------------------------------------------------------- */

/* A place on a track that holds up another, or is held up. */
typedef struct stuck {
    rc_id track;
    uint64_t moment;
} stuck;

/* The first member of the rendezvous that has not come. */
static stuck missing(const rc_sim *s, const rc_track *t) {
    uint32_t group = s->plan[t->at].more;
    const rc_group *g = &RC_GROUPS(s)[group];
    const uint32_t *start = RC_LISTS(s)[g->template].start;
    for (uint32_t i = 0; i < g->size; i++) {
        rc_id id = s->members[g->member + i];
        const rc_track *m = &s->tracks[id];
        if (m->state == RC_MEETING && s->plan[m->at].more == group)
            continue;
        uint32_t at = start[id];
        while (at + 1 < start[id + 1] &&
               (RC_KIND(&s->plan[at]) != RC_OP_RENDEZVOUS || s->plan[at].more != group))
            at++;
        return (stuck){id, rc_moment(t->repetition, at - start[id])};
    }
    return (stuck){RC_NONE, 0};
}

/* What the op there waits for: the one at hand on its track, if that is not itself. */
static stuck holder(const rc_sim *s, stuck op) {
    const rc_track *t = &s->tracks[op.track];
    if (op.moment != t->progress)
        return (stuck){op.track, t->progress};
    if (t->state == RC_MEETING)
        return missing(s, t);
    return (stuck){s->waits[t->wait].track, t->need};
}

/* Say which ops hold one another up: from the first stuck op, go to what it waits for until a track
 * comes twice. */
rc_status rc_sim_report_stuck_(rc_sim *s, rc_error *err) {
    stuck at = {RC_NONE, 0};
    rc_id first = RC_NONE;
    for (rc_id id = 0; id < s->n_tracks; id++) {
        rc_track *t = &s->tracks[id];
        t->part = 0; /* of no use any more: marks the tracks that were come by */
        if (t->state == RC_DONE)
            continue;
        rc_id number = rc_sim_number_at_(s, id, t->progress);
        if (number < first) {
            first = number;
            at = (stuck){id, t->progress};
        }
    }
    while (s->tracks[at.track].part == 0) {
        s->tracks[at.track].part = at.moment == s->tracks[at.track].progress;
        at = holder(s, at);
    }
    at.moment = s->tracks[at.track].progress;
    char text[400];
    int used = 0;
    stuck from = at;
    for (int i = 0; i < 8; i++) {
        int n = snprintf(text + used, sizeof text - (size_t)used, "op %u waits for ",
                         rc_sim_number_at_(s, at.track, at.moment));
        if (n < 0 || (size_t)used + (size_t)n >= sizeof text)
            break;
        used += n;
        at = holder(s, at);
        if (at.track == from.track && at.moment == from.moment)
            break;
    }
    text[used] = '\0';
    bool round = at.track == from.track && at.moment == from.moment;
    return rc_fail(err, RC_E_INTERNAL, "%llu of %llu ops never ran, held up by a cycle: %s%s %u",
                   (unsigned long long)(s->n_ops - s->ended), (unsigned long long)s->n_ops, text,
                   round ? "op" : "... op", rc_sim_number_at_(s, at.track, at.moment));
}
