/* From a program of three layers to a replay: the layers must be alike, wait for nothing further
 * back than the layer before, and share links in all-to-alls only. Whatever is not so makes
 * `works` false, which is no error: the engine runs such a program.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include "sim/forward/replay.h"

enum { LAYERS = 3 };

typedef struct compiler {
    rc_replay *r;
    const rc_program *p;
    uint32_t body, head; /* tasks of a layer, of the head */
    size_t *first;       /* [tasks + 1]: what task i waits for is before[first[i]..first[i+1]) */
    uint32_t *before;    /* its stream's predecessor first */
    uint32_t *last;      /* [gpus][lanes]: scratch */
    uint32_t *live_of;   /* [body]: live slot of a task, 0 when none */
    size_t pred_room, run_room;
} compiler;

static const rc_shape *shape_of(const rc_program *p, uint32_t task) {
    return &p->shapes[p->tasks[task].shape];
}

/* ---- what each task waits for --------------------------------------------------------------- */

/* Into first[] how many, or into before[] which, as first[i] + what is there already. */
static void each_wait(compiler *c, size_t *at, uint32_t *into) {
    const rc_program *p = c->p;
    memset(c->last, 0xff, (size_t)p->gpus * RC_LANE_COUNT * sizeof *c->last);
    for (uint32_t i = 0; i < p->task_count; i++) {
        const rc_task *t = &p->tasks[i];
        if (t->lane >= RC_LANE_COUNT)
            continue;
        uint32_t *last = &c->last[t->gpu * RC_LANE_COUNT + t->lane];
        if (*last != UINT32_MAX && into)
            into[at[i]] = *last;
        at[i] += *last != UINT32_MAX;
        *last = i;
    }
    for (size_t d = 0; d < p->dep_count; d++) {
        uint32_t i = p->deps[d].task;
        if (into)
            into[at[i]] = p->deps[d].before;
        at[i]++;
    }
}

static bool list_waits(compiler *c) {
    const rc_program *p = c->p;
    size_t n = p->task_count, *at = calloc(n + 1, sizeof *at);
    c->first = calloc(n + 1, sizeof *c->first);
    c->before = calloc(n + p->dep_count + 1, sizeof *c->before);
    c->last = malloc((size_t)p->gpus * RC_LANE_COUNT * sizeof *c->last);
    if (at && c->first && c->before && c->last) {
        each_wait(c, at, NULL);
        for (size_t i = 0; i < n; i++)
            c->first[i + 1] = c->first[i] + at[i];
        memcpy(at, c->first, n * sizeof *at);
        each_wait(c, at, c->before);
    }
    free(at);
    return at && c->first && c->before && c->last;
}

/* ---- are the layers alike? ------------------------------------------------------------------ */

static bool same_task(const rc_program *p, uint32_t a, uint32_t b) {
    const rc_task *x = &p->tasks[a], *y = &p->tasks[b];
    return x->gpu == y->gpu && x->peer == y->peer && x->lane == y->lane &&
           shape_of(p, a)->kind == shape_of(p, b)->kind;
}

/* Task i of the first layer, of the second and of the third wait for the same things, save that the
 * first has no layer before it. */
static bool same_waits(const compiler *c, uint32_t i) {
    const size_t *f = c->first;
    uint32_t n = c->body, a = i, b = i + n, third = i + 2 * n;
    size_t of_first = f[a], of_third = f[third];
    for (size_t k = f[b]; k < f[b + 1]; k++) {
        uint32_t w = c->before[k];
        if (w >= 2 * n || of_third >= f[third + 1] || c->before[of_third++] != w + n)
            return false;
        if (w >= n && (of_first >= f[a + 1] || c->before[of_first++] != w - n))
            return false;
    }
    return of_first == f[a + 1] && of_third == f[third + 1];
}

/* Everything in the last layer leads into the head: its end is the end of the pass. */
static bool leads_to_head(const compiler *c) {
    const rc_program *p = c->p;
    bool *waited = calloc(p->task_count + 1, sizeof *waited), all = waited != NULL;
    for (size_t i = (size_t)2 * c->body; all && i < p->task_count; i++)
        for (size_t k = c->first[i]; k < c->first[i + 1]; k++)
            waited[c->before[k]] = true;
    for (size_t i = (size_t)2 * c->body; all && i < (size_t)3 * c->body; i++)
        all = waited[i];
    free(waited);
    return all;
}

static bool layers_alike(compiler *c) {
    const rc_program *p = c->p;
    uint32_t count[LAYERS + 1] = {0};
    for (uint32_t i = 0; i < p->task_count; i++) {
        uint16_t layer = p->tasks[i].layer;
        if (layer > LAYERS || (i > 0 && layer < p->tasks[i - 1].layer))
            return false;
        count[layer]++;
    }
    c->body = count[0];
    c->head = count[LAYERS];
    if (count[1] != c->body || count[2] != c->body || c->body == 0 || c->head == 0 ||
        c->r->one.task_count != (size_t)c->body + c->head)
        return false;
    for (uint32_t i = 0; i < c->body; i++)
        if (!same_task(p, i, i + c->body) || !same_task(p, i, i + 2 * c->body) || !same_waits(c, i))
            return false;
    for (size_t k = c->first[(size_t)3 * c->body]; k < c->first[p->task_count]; k++)
        if (c->before[k] < 2 * c->body)
            return false;
    return leads_to_head(c);
}

/* Messages on streams: links out are used from one stream, links in by one stream's messages, so no
 * two are ever on one link at a time. */
static bool links_have_one_stream(compiler *c) {
    const rc_program *p = c->p;
    uint32_t *out = c->last, *in = c->last + p->gpus;
    memset(c->last, 0xff, (size_t)p->gpus * RC_LANE_COUNT * sizeof *c->last);
    for (uint32_t i = 0; i < c->body; i++) {
        const rc_task *t = &p->tasks[i];
        if (shape_of(p, i)->kind != RC_T_MESSAGE || t->lane == RC_LANE_NONE)
            continue;
        uint32_t stream = t->gpu * RC_LANE_COUNT + t->lane;
        if ((out[t->gpu] != UINT32_MAX && out[t->gpu] != stream) ||
            (in[t->peer] != UINT32_MAX && in[t->peer] != stream))
            return false;
        out[t->gpu] = in[t->peer] = stream;
    }
    return true;
}

/* ---- what a layer leaves to the next -------------------------------------------------------- */

static void mark_live(compiler *c, uint32_t task) {
    rc_replay *r = c->r;
    if (c->live_of[task])
        return;
    r->live_from[r->live] = task;
    c->live_of[task] = ++r->live;
}

static void find_live(compiler *c) {
    const size_t *f = c->first;
    uint32_t n = c->body;
    for (size_t k = f[n]; k < f[(size_t)2 * n]; k++)
        if (c->before[k] < n)
            mark_live(c, c->before[k]);
    for (size_t k = f[(size_t)3 * n]; k < f[c->p->task_count]; k++)
        if (c->before[k] < 3 * n)
            mark_live(c, c->before[k] - 2 * n);
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* Task `i` of `one`, as it stands in the program: in its second layer, or in the head. */
static uint32_t in_program(const compiler *c, uint32_t i) {
    return i < c->body ? i + c->body : i + 2 * c->body;
}

static uint32_t slot_of(const rc_replay *r, uint32_t i) {
    return 1 + r->live + i;
}

/* The slot in which task `i` of `one` finds what it waits for; 0 when that comes only later. */
static uint32_t slot_before(const compiler *c, uint32_t i, uint32_t before) {
    uint32_t n = c->body;
    if (i < n)
        return before >= n ? slot_of(c->r, before - n) : c->live_of[before];
    return before >= 3 * n ? slot_of(c->r, before - 2 * n) : c->live_of[before - 2 * n];
}

static bool add_pred(compiler *c, uint32_t slot) {
    rc_replay *r = c->r;
    if (r->pred_count == c->pred_room) {
        size_t room = c->pred_room ? 2 * c->pred_room : 256;
        uint32_t *preds = realloc(r->preds, room * sizeof *preds);
        if (!preds)
            return false;
        r->preds = preds;
        c->pred_room = room;
    }
    r->preds[r->pred_count++] = slot;
    return true;
}

/* One more step of this form behind the others. */
static bool add_step(compiler *c, rc_step_kind kind, uint32_t preds, uint32_t task, bool watched) {
    rc_replay *r = c->r;
    rc_step_run *last = r->runs && r->run_count > r->head_run ? &r->runs[r->run_count - 1] : NULL;
    if (last && last->kind == kind && last->preds == preds && last->watched == watched &&
        kind != RC_STEP_EXCHANGE) {
        last->steps++;
        return true;
    }
    if (r->run_count == c->run_room) {
        size_t room = c->run_room ? 2 * c->run_room : 64;
        rc_step_run *runs = realloc(r->runs, room * sizeof *runs);
        if (!runs)
            return false;
        r->runs = runs;
        c->run_room = room;
    }
    if (!r->runs)
        return false;
    size_t here = r->pred_count - preds - (kind == RC_STEP_LAUNCHED);
    r->runs[r->run_count++] = (rc_step_run){.kind = kind,
                                            .preds = preds,
                                            .steps = 1,
                                            .pred = (uint32_t)here,
                                            .slot = slot_of(r, task),
                                            .task = task,
                                            .watched = watched};
    return true;
}

/* Adds what task i waits for, but for `launch`. Everything must come before the step. */
static bool add_waits(compiler *c, uint32_t i, uint32_t launch, uint32_t *count) {
    uint32_t t = in_program(c, i);
    for (size_t k = c->first[t]; k < c->first[t + 1]; k++) {
        if (c->before[k] == launch)
            continue;
        uint32_t slot = slot_before(c, i, c->before[k]);
        if (slot >= slot_of(c->r, i) || !add_pred(c, slot))
            return false;
        ++*count;
    }
    return true;
}

static bool is_launched(const compiler *c, uint32_t i) {
    uint32_t t = in_program(c, i), tasks = (uint32_t)c->r->one.task_count;
    if (i + 1 >= tasks || shape_of(c->p, t + 1)->kind != RC_T_LAUNCH ||
        c->p->tasks[t + 1].gpu != c->p->tasks[t].gpu)
        return false;
    for (size_t k = c->first[t]; k < c->first[t + 1]; k++)
        if (c->before[k] == t + 1)
            return true;
    return false;
}

/* A task and its launch, which waits for the host's last op alone. */
static bool add_launched(compiler *c, uint32_t i) {
    uint32_t t = in_program(c, i), count = 0;
    size_t k = c->first[t + 1], waits = c->first[t + 2] - k;
    if (waits > 1 || !add_pred(c, waits ? slot_before(c, i + 1, c->before[k]) : 0))
        return false;
    bool watched = c->r->exchanges && shape_of(c->p, t)->kind == RC_T_MESSAGE;
    return add_waits(c, i, t + 1, &count) && add_step(c, RC_STEP_LAUNCHED, count, i, watched);
}

static bool waits_for_both(const compiler *c, uint32_t t, uint32_t a, uint32_t b) {
    size_t k = c->first[t];
    if (a == UINT32_MAX || b == UINT32_MAX || c->first[t + 1] - k != 2)
        return false;
    return (c->before[k] == a && c->before[k + 1] == b) ||
           (c->before[k] == b && c->before[k + 1] == a);
}

/* The flows from task i on: one from each GPU to each other, opened by a mark of either end, closed
 * by the marks behind them, which wait for these flows only. */
static bool add_exchange(compiler *c, uint32_t i) {
    const rc_program *p = c->p;
    uint32_t n = p->gpus, flows = n * (n - 1), t0 = in_program(c, i), *open = c->last;
    if (n < 2 || i + flows + n > c->body)
        return false;
    memset(open, 0xff, n * sizeof *open);
    for (uint32_t f = 0; f < flows; f++) /* the first mark of a flow is its sender's */
        open[p->tasks[t0 + f].gpu] = c->before[c->first[t0 + f]];
    for (uint32_t f = 0; f < flows; f++) {
        const rc_task *t = &p->tasks[t0 + f];
        uint32_t gpu = f / (n - 1), peer = (gpu + 1 + f % (n - 1)) % n;
        if (t->gpu != gpu || t->peer != peer || t->lane != RC_LANE_NONE ||
            shape_of(p, t0 + f)->kind != RC_T_MESSAGE ||
            !waits_for_both(c, t0 + f, open[t->gpu], open[t->peer]))
            return false;
    }
    for (uint32_t g = 0; g < n; g++) {
        uint32_t t = t0 + flows + g;
        size_t k = c->first[t], end = c->first[t + 1];
        if (p->tasks[t].gpu != g || p->tasks[t].lane != RC_LANE_NONE ||
            shape_of(p, t)->kind != RC_T_MARK || end - k != (size_t)2 * (n - 1))
            return false;
        for (; k < end; k++) {
            uint32_t f = c->before[k];
            if (f < t0 || f >= t0 + flows || (p->tasks[f].gpu != g && p->tasks[f].peer != g))
                return false;
        }
    }
    for (uint32_t g = 0; g < n; g++) {
        uint32_t slot = slot_before(c, i, open[g]);
        if (open[g] < c->body || slot >= slot_of(c->r, i) || !add_pred(c, slot))
            return false;
    }
    return add_step(c, RC_STEP_EXCHANGE, n, i, false);
}

static bool is_loose_message(const compiler *c, uint32_t i) {
    uint32_t t = in_program(c, i);
    return c->p->tasks[t].lane == RC_LANE_NONE && shape_of(c->p, t)->kind == RC_T_MESSAGE;
}

static bool add_steps(compiler *c) {
    rc_replay *r = c->r;
    uint32_t all = c->body + c->head, n = c->p->gpus;
    for (uint32_t i = 0; i < c->body; i++)
        r->exchanges = r->exchanges || is_loose_message(c, i);
    for (uint32_t i = 0; i < all;) {
        uint32_t count = 0;
        if (i == c->body)
            r->head_run = r->run_count;
        if (is_loose_message(c, i)) {
            if (i >= c->body || !add_exchange(c, i))
                return false;
            i += n * (n - 1) + n;
        } else if (is_launched(c, i)) {
            if (!add_launched(c, i))
                return false;
            i += 2;
        } else {
            bool watched = r->exchanges && shape_of(c->p, in_program(c, i))->kind == RC_T_MESSAGE;
            if (!add_waits(c, i, UINT32_MAX, &count) ||
                !add_step(c, RC_STEP_PLAIN, count, i, watched))
                return false;
            i++;
        }
    }
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static bool reserve(compiler *c) {
    rc_replay *r = c->r;
    uint32_t gpus = c->p->gpus, tasks = c->body + c->head;
    r->gpus = gpus;
    r->body = c->body;
    r->head = c->head;
    r->live_from = calloc(c->body + 1, sizeof *r->live_from);
    c->live_of = calloc(c->body + 1, sizeof *c->live_of);
    r->value = calloc((size_t)1 + c->body + tasks, sizeof *r->value);
    r->before = calloc((size_t)1 + c->body + tasks, sizeof *r->before);
    r->gain = calloc((size_t)1 + c->body + tasks, sizeof *r->gain);
    r->duration = calloc(tasks, sizeof *r->duration);
    r->transfer = calloc(tasks, sizeof *r->transfer);
    r->busy = calloc(4 * (size_t)gpus, sizeof *r->busy); /* links out and in, then scratch */
    return r->live_from && c->live_of && r->value && r->before && r->gain && r->duration &&
           r->transfer && r->busy;
}

static rc_status compile(compiler *c, rc_error *err) {
    if (!list_waits(c))
        return rc_fail(err, RC_E_NOMEM, "out of memory while compiling a schedule");
    if (c->p->gpus_per_rank != 1 || !layers_alike(c) || !links_have_one_stream(c))
        return RC_OK;
    if (!reserve(c))
        return rc_fail(err, RC_E_NOMEM, "out of memory while compiling a schedule");
    find_live(c);
    c->r->works = add_steps(c);
    return RC_OK;
}

rc_status rc_replay_compile(rc_replay *r, const rc_program *three, rc_error *err) {
    compiler c = {.r = r, .p = three};
    rc_status st = compile(&c, err);
    free(c.first);
    free(c.before);
    free(c.last);
    free(c.live_of);
    return st;
}

void rc_replay_free(rc_replay *r) {
    rc_program_free(&r->one);
    free(r->live_from);
    free(r->preds);
    free(r->runs);
    free(r->value);
    free(r->before);
    free(r->gain);
    free(r->duration);
    free(r->transfer);
    free(r->busy);
    free(r->history);
    *r = (rc_replay){0};
}
