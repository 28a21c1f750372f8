/* Evaluating sections of a template.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/replay.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static inline rc_time later(rc_time a, rc_time b) {
    return a > b ? a : b;
}

/* ---- tasks ---------------------------------------------------------------------------------- */

static inline void tasks(const rc_replay *r, const rc_piece *x, uint32_t waits) {
    const uint32_t *wait = r->waits + x->wait, *task = r->order + x->task;
    rc_time *value = r->value;
    const rc_time *duration = r->duration;
    for (uint32_t i = 0; i < x->count; i++, wait += waits) {
        rc_time t = 0;
        for (uint32_t k = 0; k < waits; k++)
            t = later(t, value[wait[k]]);
        value[task[i]] = t + duration[task[i]];
    }
}

/* The compiler unrolls the loops over so many waits. */
static void task_piece(const rc_replay *r, const rc_piece *x) {
    switch (x->waits) {
    case 1:
        tasks(r, x, 1);
        break;
    case 2:
        tasks(r, x, 2);
        break;
    case 3:
        tasks(r, x, 3);
        break;
    default:
        tasks(r, x, x->waits);
    }
}

/* All begin when the last has nothing more to wait for, and take as long as the longest. */
static void rendezvous(const rc_replay *r, const rc_piece *x) {
    rc_time start = 0, longest = 0;
    for (uint32_t k = 0; k < x->waits; k++)
        start = later(start, r->value[r->waits[x->wait + k]]);
    for (uint32_t i = 0; i < x->count; i++)
        longest = later(longest, r->duration[r->order[x->task + i]]);
    for (uint32_t i = 0; i < x->count; i++)
        r->value[r->order[x->task + i]] = start + longest;
}

/* ---- blocks --------------------------------------------------------------------------------- */

static void fetch(const rc_replay *r, const uint32_t *ids, rc_time *x) {
    for (uint32_t g = 0; g < r->gpus; g++)
        x[1 + g] = r->value[ids[g]];
}

static void store(const rc_replay *r, const uint32_t *ids, const rc_time *x) {
    for (uint32_t g = 0; g < r->gpus; g++)
        r->value[ids[g]] = x[1 + g];
}

/* Messages begin when their sender's compute lane is ready, or later: then an exchange before them
 * must have left the links. */
static bool links_free(const rc_replay *r, const rc_time *compute) {
    uint32_t n = r->gpus;
    const rc_time *out = r->busy, *in = r->busy + n;
    for (uint32_t g = 0; g < n; g++)
        if (compute[1 + g] < out[g] || compute[1 + g] < in[(g + 1) % n])
            return false;
    return true;
}

static void occupy_links(const rc_replay *r, const rc_time *msg) {
    uint32_t n = r->gpus;
    for (uint32_t g = 0; g < n; g++)
        r->busy[g] = r->busy[n + (g + 1) % n] = msg[1 + g];
}

static bool ring(rc_replay *r, uint32_t b) {
    const rc_template *t = r->one.layers_of;
    const uint32_t *in = t->ids + t->blocks[b].in, *out = t->ids + t->blocks[b].out;
    rc_ring_state *s = &r->ring;
    uint32_t n = r->gpus;
    fetch(r, in + RC_LEFT_HOST * n, s->host);
    fetch(r, in + RC_LEFT_COMPUTE * n, s->compute);
    fetch(r, in + RC_LEFT_COMM * n, s->comm);
    fetch(r, in + RC_LEFT_MESSAGE * n, s->msg);
    fetch(r, in + RC_LEFT_ATTENTION * n, s->att);
    if (r->exchanges && !links_free(r, s->compute))
        return false;
    rc_ring_run(&r->rings[b], s, r->tracing ? &r->traces[b] : NULL);
    r->first[2 * b] = s->first_attention;
    r->first[2 * b + 1] = s->first_message;
    store(r, out + RC_LEFT_HOST * n, s->host);
    store(r, out + RC_LEFT_COMPUTE * n, s->compute);
    store(r, out + RC_LEFT_COMM * n, s->comm);
    store(r, out + RC_LEFT_MESSAGE * n, s->msg);
    store(r, out + RC_LEFT_ATTENTION * n, s->att);
    if (r->exchanges)
        occupy_links(r, s->msg);
    return true;
}

static bool exchange(rc_replay *r, uint32_t b) {
    const rc_template *t = r->one.layers_of;
    const uint32_t *in = t->ids + t->blocks[b].in, *out = t->ids + t->blocks[b].out;
    const rc_exchange *x = &r->exchange[b];
    rc_exchange_state *s = &r->exchanged[b];
    uint32_t n = r->gpus;
    for (uint32_t g = 0; g < n; g++) {
        s->open[g] = r->value[in[g]];
        if (s->open[g] + x->latency < later(r->busy[g], r->busy[n + g]))
            return false;
    }
    if (!rc_exchange_ends(x, s))
        return false;
    for (uint32_t g = 0; g < n; g++)
        r->value[out[g]] = r->busy[g] = r->busy[n + g] = s->close;
    return true;
}

bool rc_replay_section(rc_replay *r, size_t section) {
    const rc_template *t = r->one.layers_of;
    assert(r->works && section < t->section_count);
    const rc_template_section *s = &t->sections[section];
    size_t ports = (size_t)RC_LEFT_COUNT * r->gpus;
    memcpy(r->value + s->first, r->state, ports * sizeof *r->state);
    for (size_t i = r->section_piece[section]; i < r->section_piece[section + 1]; i++) {
        const rc_piece *x = &r->pieces[i];
        if (x->kind == RC_PIECE_TASKS)
            task_piece(r, x);
        else if (x->kind == RC_PIECE_RENDEZVOUS)
            rendezvous(r, x);
        else if (!(r->rings[x->task].n ? ring(r, x->task) : exchange(r, x->task)))
            return false;
    }
    for (size_t k = 0; k < ports; k++)
        r->state[k] = r->value[t->ids[s->left + k]];
    return true;
}

/* ---- states --------------------------------------------------------------------------------- */

void rc_replay_rewind(rc_replay *r) {
    memset(r->state, 0, r->width * sizeof *r->state);
}

rc_time rc_replay_end(const rc_replay *r) {
    const rc_template *t = r->one.layers_of;
    const rc_template_section *head = &t->sections[t->section_count - 1];
    rc_time end = 0;
    for (uint32_t i = head->first; i < head->end; i++)
        end = later(end, r->value[i]);
    return end;
}

bool rc_replay_reserve(rc_replay *r, size_t rows) {
    assert(rows > 0 && r->width > 0);
    if (rows <= r->history_room)
        return true;
    free(r->history);
    free(r->digest);
    r->history = malloc(rows * r->width * sizeof *r->history);
    r->digest = malloc(rows * sizeof *r->digest);
    r->history_room = r->history && r->digest ? rows : 0;
    return r->history_room > 0;
}

rc_time *rc_replay_row(const rc_replay *r, int row) {
    assert(row >= 0 && (size_t)row < r->history_room);
    return r->history + (size_t)row * r->width;
}
