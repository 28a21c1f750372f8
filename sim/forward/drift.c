/* How long repetitions go on as they do.
 *
 * Ranks with unequal shares drift: each gains its own constant a layer, for what holds the faster
 * ones back is many layers away. While that is so, every time is a line: its value in this
 * repetition plus a whole number of gains. A pattern is evaluated once on lines, from the state and
 * what each part of it gained in the repetition before. Each wait for several lines says for how
 * long the one that is latest stays so; the least of these is how far to go in one leap, if what
 * the pattern leaves has gained what it found had.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sim/forward/line.h"

static inline void few_waits(const rc_replay *r, const rc_piece *x, uint32_t waits,
                             rc_time *least) {
    const uint32_t *wait = r->waits + x->wait, *task = r->order + x->task;
    rc_line *line = r->line;
    rc_time most = *least;
    for (uint32_t i = 0; i < x->count; i++, wait += waits) {
        rc_line w[3];
        for (uint32_t k = 0; k < waits; k++)
            w[k] = line[wait[k]];
        line[task[i]] = rc_line_plus(rc_line_latest(w, waits, &most), r->duration[task[i]]);
    }
    *least = most;
}

static void many_waits(const rc_replay *r, const rc_piece *x, rc_time *most) {
    const uint32_t *wait = r->waits + x->wait;
    enum { FEW = 8 };
    rc_line w[FEW];
    for (uint32_t i = 0; i<x->count && * most> 0; i++, wait += x->waits) {
        uint32_t task = r->order[x->task + i];
        rc_line latest = {0, 0};
        for (uint32_t k = 0; k < x->waits; k++) {
            w[k % FEW] = r->line[wait[k]];
            if (k % FEW == FEW - 1 || k + 1 == x->waits) {
                rc_line part = rc_line_latest(w, k % FEW + 1, most);
                const rc_line both[] = {part, latest};
                latest = k < FEW ? part : rc_line_latest(both, 2, most);
            }
        }
        r->line[task] = rc_line_plus(latest, r->duration[task]);
    }
}

static void tasks(const rc_replay *r, const rc_piece *x, rc_time *most) {
    switch (x->waits) {
    case 1:
        few_waits(r, x, 1, most);
        break;
    case 2:
        few_waits(r, x, 2, most);
        break;
    case 3:
        few_waits(r, x, 3, most);
        break;
    default:
        many_waits(r, x, most);
    }
}

static void rendezvous(const rc_replay *r, const rc_piece *x, rc_time *most) {
    rc_line start = {0, 0};
    rc_time longest = 0;
    for (uint32_t k = 0; k < x->waits; k++) {
        const rc_line both[] = {r->line[r->waits[x->wait + k]], start};
        start = k == 0 ? both[0] : rc_line_latest(both, 2, most);
    }
    for (uint32_t i = 0; i < x->count; i++) {
        rc_time takes = r->duration[r->order[x->task + i]];
        longest = takes > longest ? takes : longest;
    }
    for (uint32_t i = 0; i < x->count; i++)
        r->line[r->order[x->task + i]] = rc_line_plus(start, longest);
}

static void ring(const rc_replay *r, uint32_t b, rc_time *most) {
    const rc_template *t = r->one.layers_of;
    const uint32_t *in = t->ids + t->blocks[b].in, *out = t->ids + t->blocks[b].out;
    size_t n = (size_t)RC_LEFT_COUNT * r->gpus;
    rc_line *lines = r->ring_line;
    for (size_t i = 0; i < n; i++)
        lines[i] = r->line[in[i]];
    rc_ring_drift(&r->rings[b], lines, lines + n, most);
    for (size_t i = 0; i < n; i++)
        r->line[out[i]] = lines[i];
}

static void pieces(const rc_replay *r, size_t section, rc_time *most) {
    for (size_t i = r->section_piece[section]; i < r->section_piece[section + 1] && *most > 0;
         i++) {
        const rc_piece *x = &r->pieces[i];
        if (x->kind == RC_PIECE_TASKS)
            tasks(r, x, most);
        else if (x->kind == RC_PIECE_RENDEZVOUS)
            rendezvous(r, x, most);
        else
            ring(r, x->task, most);
    }
}

/* Lines in place of times in the state: what a section leaves into what the next one finds. */
static void hand_on(const rc_replay *r, size_t section, rc_line *state) {
    const rc_template *t = r->one.layers_of;
    const rc_template_section *s = &t->sections[section];
    for (size_t k = 0; k < r->width; k++)
        state[k] = r->line[t->ids[s->left + k]];
}

rc_time rc_replay_leap(rc_replay *r, const rc_layer_run *run, const rc_time *before, rc_time most) {
    const rc_template *t = r->one.layers_of;
    assert(!r->exchanges);
    assert(most >= 0);
    if (!r->line) {
        r->line = calloc(r->one.task_count + r->width, sizeof *r->line);
        if (!r->line)
            return 0;
    }
    rc_line *state = r->line + r->one.task_count;
    for (size_t k = 0; k < r->width; k++)
        state[k] = (rc_line){r->state[k], r->state[k] - before[k]};
    for (int i = 0; i < run->length && most > 0; i++) {
        memcpy(r->line + t->sections[run->kind[i]].first, state, r->width * sizeof *state);
        pieces(r, run->kind[i], &most);
        hand_on(r, run->kind[i], state);
    }
    for (size_t k = 0; k < r->width; k++)
        if (state[k].gain != r->state[k] - before[k] || state[k].at - r->state[k] != state[k].gain)
            return 0;
    for (size_t k = 0; k < r->width && most > 0; k++)
        r->state[k] = state[k].at + most * state[k].gain;
    return most;
}
