/* Evaluating a compiled layer again and again, until it repeats.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/replay.h"
#include <stdlib.h>
#include <string.h>

typedef struct state { /* of an evaluation */
    rc_replay *r;
    const rc_shape_cost *costs;
    size_t width; /* of a row of the history: live values, then links' busy times */
    int rows;     /* of the history: layers one after another, the last of them just evaluated */
} state;

static inline rc_time later(rc_time a, rc_time b) {
    return a > b ? a : b;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static inline void plain(const rc_replay *r, const rc_step_run *run, uint32_t preds) {
    const uint32_t *p = r->preds + run->pred;
    const rc_time *d = r->duration + run->task;
    rc_time *v = r->value, *out = v + run->slot;
    for (uint32_t i = 0; i < run->steps; i++, p += preds) {
        rc_time t = 0;
        for (uint32_t k = 0; k < preds; k++)
            t = later(t, v[p[k]]);
        out[i] = t + d[i];
    }
}

static inline void launched(const rc_replay *r, const rc_step_run *run, uint32_t preds) {
    const uint32_t *p = r->preds + run->pred;
    const rc_time *d = r->duration + run->task;
    rc_time *v = r->value, *out = v + run->slot;
    for (uint32_t i = 0; i < run->steps; i++, p += preds + 1) {
        rc_time host = v[p[0]] + d[2 * i + 1], t = host;
        for (uint32_t k = 1; k <= preds; k++)
            t = later(t, v[p[k]]);
        out[2 * i] = t + d[2 * i];
        out[2 * i + 1] = host;
    }
}

/* The compiler unrolls the loops over so many predecessors. */
static void plain_steps(const rc_replay *r, const rc_step_run *run) {
    switch (run->preds) {
    case 1:
        plain(r, run, 1);
        break;
    case 2:
        plain(r, run, 2);
        break;
    case 3:
        plain(r, run, 3);
        break;
    default:
        plain(r, run, run->preds);
    }
}

static void launched_steps(const rc_replay *r, const rc_step_run *run) {
    switch (run->preds) {
    case 1:
        launched(r, run, 1);
        break;
    case 2:
        launched(r, run, 2);
        break;
    case 4:
        launched(r, run, 4);
        break;
    default:
        launched(r, run, run->preds);
    }
}

/* The links of lone messages must be free when they come, or an exchange still shares them. */
static bool links_free(const rc_replay *r, const rc_step_run *run) {
    uint32_t stride = run->kind == RC_STEP_LAUNCHED ? 2 : 1;
    for (uint32_t i = 0; i < run->steps; i++) {
        uint32_t task = run->task + i * stride;
        rc_time end = r->value[run->slot + i * stride], join = end - r->transfer[task];
        rc_time *out = &r->busy[r->one.tasks[task].gpu];
        rc_time *in = &r->busy[r->gpus + r->one.tasks[task].peer];
        if (join < *out || join < *in)
            return false;
        *out = *in = end;
    }
    return true;
}

static bool exchange(const state *s, const rc_step_run *run) {
    const rc_replay *r = s->r;
    uint32_t n = r->gpus;
    const rc_shape_cost *cost = &s->costs[r->one.tasks[run->task].shape];
    rc_exchange x = {.n = (int)n,
                     .latency = cost->duration,
                     .bytes = r->one.shapes[r->one.tasks[run->task].shape].bytes,
                     .peer_rate = cost->peer_rate,
                     .link_rate = cost->link_rate};
    rc_time *open = r->busy + (size_t)2 * n, *close = open + n;
    for (uint32_t g = 0; g < n; g++) {
        open[g] = r->value[r->preds[run->pred + g]];
        if (open[g] + x.latency < later(r->busy[g], r->busy[n + g]))
            return false;
    }
    if (!rc_exchange_ends(&x, open, close))
        return false;
    uint32_t marks = n * (n - 1);
    for (uint32_t g = 0; g < n; g++) {
        r->value[run->slot + marks + g] = close[g] + r->duration[run->task + marks + g];
        r->busy[g] = r->busy[n + g] = close[g];
    }
    return true;
}

static bool evaluate(const state *s, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        const rc_step_run *run = &s->r->runs[i];
        if (run->kind == RC_STEP_PLAIN)
            plain_steps(s->r, run);
        else if (run->kind == RC_STEP_LAUNCHED)
            launched_steps(s->r, run);
        else if (!exchange(s, run))
            return false;
        if (run->watched && !links_free(s->r, run))
            return false;
    }
    return true;
}

/* ---- from layer to layer -------------------------------------------------------------------- */

static rc_time *row(const state *s, int index) {
    return s->r->history + (size_t)index * s->width;
}

/* What the next layer finds, kept as one more row. */
static void hand_on(state *s) {
    rc_replay *r = s->r;
    rc_time *out = row(s, s->rows++);
    const rc_time *ends = r->value + 1 + r->live;
    for (uint32_t i = 0; i < r->live; i++)
        out[i] = ends[r->live_from[i]];
    memcpy(r->value + 1, out, r->live * sizeof *out);
    if (r->exchanges)
        memcpy(out + r->live, r->busy, (size_t)2 * r->gpus * sizeof *out);
}

/* Two rows differ by a constant. */
static bool alike(const state *s, int before, int after) {
    const rc_time *a = row(s, before), *b = row(s, after);
    rc_time gain = b[0] - a[0];
    for (size_t i = 1; i < s->width; i++)
        if (b[i] - a[i] != gain)
            return false;
    return true;
}

/* The number of layers after which the last one repeats; 0: not yet. */
static int period(const state *s) {
    for (int p = 1; p < s->rows; p++)
        if (alike(s, s->rows - 1 - p, s->rows - 1))
            return p;
    return 0;
}

/* What is left after `rest` more layers, which repeat every `p`. */
static void repeat(const state *s, int p, int rest) {
    rc_replay *r = s->r;
    int whole = rest / p + (rest % p != 0), last = s->rows - 1;
    const rc_time *from = row(s, last - (whole * p - rest));
    const rc_time *now = row(s, last), *then = row(s, last - p);
    for (uint32_t i = 0; i < r->live; i++)
        r->value[1 + i] = from[i] + whole * (now[i] - then[i]);
}

/* Every value that is handed on gained as much in the last layer as in the one before. */
static bool drifts(const state *s) {
    if (s->rows < 3 || s->r->exchanges)
        return false;
    const rc_time *a = row(s, s->rows - 3), *b = row(s, s->rows - 2), *c = row(s, s->rows - 1);
    for (size_t i = 0; i < s->width; i++)
        if (c[i] - b[i] != b[i] - a[i])
            return false;
    return true;
}

/* The layer as it was evaluated, with what it found. */
static void remember(const state *s) {
    rc_replay *r = s->r;
    memcpy(r->before, r->value, (1 + (size_t)r->live + r->body) * sizeof *r->value);
    memcpy(r->before + 1, row(s, s->rows - 2), r->live * sizeof *r->value);
}

/* Leap over at most `most` layers from the one just evaluated; how many. */
static int leap(state *s, int most) {
    rc_replay *r = s->r;
    int layers = (int)rc_replay_leap(r, r->before, r->gain, most);
    const rc_time *gain = r->gain + 1 + r->live;
    if (layers < 1)
        return 0;
    s->rows = 0;
    hand_on(s);
    for (uint32_t i = 0; i < r->live; i++)
        r->value[1 + i] += layers * gain[r->live_from[i]];
    memcpy(row(s, 0), r->value + 1, r->live * sizeof *r->value);
    return layers;
}

static bool reserve(rc_replay *r, int layers, size_t width) {
    size_t want = (size_t)layers * width;
    if (want <= r->history_room)
        return true;
    free(r->history);
    r->history = malloc(want * sizeof *r->history);
    r->history_room = r->history ? want : 0;
    return r->history != NULL;
}

/* All layers; what the head finds is left in its slots. */
static bool evaluate_layers(state *s, int layers, int *evaluated) {
    bool watching = false;
    *evaluated = 0;
    for (int layer = 0;; layer++) {
        if (!evaluate(s, 0, s->r->head_run))
            return false;
        ++*evaluated;
        int leapt = watching ? leap(s, layers - 1 - layer) : 0;
        layer += leapt;
        if (leapt == 0)
            hand_on(s);
        if (layer == layers - 1)
            return true;
        int p = period(s);
        if (p > 0) {
            repeat(s, p, layers - 1 - layer);
            return true;
        }
        watching = drifts(s);
        if (watching)
            remember(s);
    }
}

bool rc_replay_run(rc_replay *r, int layers, const rc_shape_cost *costs, rc_time *ticks,
                   int *evaluated) {
    state s = {.r = r, .costs = costs, .width = r->live + (r->exchanges ? 2 * r->gpus : 0)};
    if (!reserve(r, layers, s.width))
        return false;
    memset(r->value, 0, (1 + (size_t)r->live) * sizeof *r->value);
    memset(r->busy, 0, (size_t)2 * r->gpus * sizeof *r->busy);
    if (!evaluate_layers(&s, layers, evaluated) || !evaluate(&s, r->head_run, r->run_count))
        return false;
    *ticks = 0;
    for (uint32_t i = 0; i < r->head; i++)
        *ticks = later(*ticks, r->value[1 + r->live + r->body + i]);
    return true;
}
