/* Where the time of an evaluated pass went: forward once, with a record of what each repetition
 * began with, then back through all of them. A repetition in which every task waited for the same
 * as in one that has been gone through, and that the path enters at the same task, adds the same.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include "sim/cost/basis.h"
#include "sim/forward/evaluator.h"
#include "sim/forward/path.h"

/* What one repetition adds, from where the path enters it. */
typedef struct visit {
    int like;
    uint32_t enters, leaves; /* tasks */
    rc_time critical[RC_P_COUNT], basis[RC_BASIS_COUNT];
    rc_own_work sent;
} visit;

enum { VISITS = 32 };

typedef struct back {
    rc_replay *r;
    const rc_spec *spec;
    rc_path path;
    rc_path_node at;
    rc_own_work work; /* of the exchanges */
    rc_ring_times ring;
    bool have_ring;
    rc_time *states;      /* [RC_PATTERN][width]: within a repetition */
    visit visits[VISITS]; /* the last ones */
    int visited;
} back;

static void plus(rc_time *sum, const rc_time *x, int n, rc_time sign) {
    for (int i = 0; i < n; i++)
        sum[i] += sign * x[i];
}

/* Adds what is known of a repetition like this one, entered at the same task. */
static bool revisit(back *b, int like, int length) {
    for (int i = 0; i < VISITS && i < b->visited; i++) {
        const visit *v = &b->visits[i];
        if (v->like != like || v->enters != b->at.task)
            continue;
        plus(b->path.part, v->critical, RC_P_COUNT, 1);
        plus(b->path.basis, v->basis, RC_BASIS_COUNT, 1);
        plus(b->work.part, v->sent.part, RC_P_COUNT, 1);
        plus(b->work.basis, v->sent.basis, RC_BASIS_COUNT, 1);
        b->path.layer -= length;
        b->at.task = v->leaves;
        return true;
    }
    return false;
}

/* Back through the layers of a pattern, whose states are there: the path through each, what GPU 0
 * sends in its exchanges and, of the last layer that has attention, the times of the ring. */
static bool follow_layers(back *b, const rc_layer_run *run, int last) {
    rc_replay *r = b->r;
    for (int i = run->length - 1; i >= 0; i--) {
        memcpy(r->state, b->states + (size_t)i * r->width, r->width * sizeof *r->state);
        if (!rc_replay_section(r, run->kind[i]))
            return false;
        if (b->path.layer == last - (run->length - 1 - i)) {
            b->at.end = r->value[b->at.task];
            rc_path_follow(&b->path, &b->at);
        }
        b->work.part[RC_P_ALL2ALL] += rc_replay_exchanges(r, run->kind[i], b->work.basis);
        if (!b->have_ring)
            b->have_ring = rc_replay_ring(r, run->kind[i], &b->ring);
    }
    return true;
}

static bool evaluate_pattern(back *b, const rc_layer_run *run, const rc_record *record, int rep) {
    rc_replay *r = b->r;
    rc_record_begin(record, rep, r->state);
    for (int i = 0; i < run->length; i++) {
        memcpy(b->states + (size_t)i * r->width, r->state, r->width * sizeof *r->state);
        if (i < run->length - 1 && !rc_replay_section(r, run->kind[i]))
            return false;
    }
    return true;
}

static bool visit_repetition(back *b, const rc_layer_run *run, const rc_record *record, int rep) {
    visit *v = &b->visits[b->visited % VISITS];
    int like = record->reps[rep].like, last = b->path.layer;
    if (last >= 0 && revisit(b, like, run->length))
        return true;
    *v = (visit){.like = -1, .enters = b->at.task};
    plus(v->critical, b->path.part, RC_P_COUNT, -1);
    plus(v->basis, b->path.basis, RC_BASIS_COUNT, -1);
    plus(v->sent.part, b->work.part, RC_P_COUNT, -1);
    plus(v->sent.basis, b->work.basis, RC_BASIS_COUNT, -1);
    if (!evaluate_pattern(b, run, record, rep) || !follow_layers(b, run, last))
        return false;
    plus(v->critical, b->path.part, RC_P_COUNT, 1);
    plus(v->basis, b->path.basis, RC_BASIS_COUNT, 1);
    plus(v->sent.part, b->work.part, RC_P_COUNT, 1);
    plus(v->sent.basis, b->work.basis, RC_BASIS_COUNT, 1);
    v->leaves = b->at.task;
    v->like = b->path.layer >= 0 ? like : -1; /* the beginning of the pass is like nothing else */
    b->visited++;
    return true;
}

static bool follow_back(back *b, const rc_record *record) {
    const rc_model *m = b->spec->model;
    int rep = record->count;
    rc_path_begin(&b->path, &b->at);
    rc_path_follow(&b->path, &b->at);
    for (int i = rc_model_runs(m) - 1; i >= 0; i--) {
        const rc_layer_run run = rc_model_run(m, i);
        for (int t = 0; t < run.times; t++)
            if (!visit_repetition(b, &run, record, --rep))
                return false;
    }
    return true; /* and rep is 0: the record is of this model */
}

static void count_ops(const rc_replay *r, const rc_model *m, rc_forward *out) {
    size_t head = r->one.layers_of->section_count - 1;
    rc_counts layers = {0}, all = {0};
    for (size_t s = 0; s < head; s++) {
        size_t times = (size_t)rc_model_layers_of(m, (int)s);
        layers = rc_template_counts(&r->one, s);
        all.gemm_flops += (double)times * layers.gemm_flops;
        all.attention_flops += (double)times * layers.attention_flops;
        out->ops += times * (size_t)rc_template_tasks(&r->one, s);
    }
    out->ops += (size_t)rc_template_tasks(&r->one, head);
    out->gemm_flops = all.gemm_flops + rc_template_counts(&r->one, head).gemm_flops;
    out->attention_flops = all.attention_flops;
}

static void describe(const rc_path *path, const rc_own_work *work, rc_forward *out) {
    double critical[RC_BASIS_COUNT], busy[RC_BASIS_COUNT];
    for (int i = 0; i < RC_P_COUNT; i++) {
        out->critical[i] = (double)path->part[i] / RC_PS_PER_S;
        out->busy[i] = (double)work->part[i] / RC_PS_PER_S;
    }
    for (int i = 0; i < RC_BASIS_COUNT; i++) {
        critical[i] = (double)path->basis[i];
        busy[i] = (double)work->basis[i];
    }
    out->load = work->load;
    rc_basis_share(critical, out->basis);
    rc_basis_share(busy, out->busy_basis);
    rc_forward_hidden(out);
}

static rc_status break_down(back *b, rc_record *record, rc_forward *out, bool *done,
                            rc_error *err) {
    rc_replay *r = b->r;
    const rc_model *m = b->spec->model;
    size_t head = r->one.layers_of->section_count - 1;
    rc_time end = 0;
    int evaluated = 0;
    b->states = malloc(RC_PATTERN * r->width * sizeof *b->states);
    if (!b->states || !rc_replay_trace(r))
        return rc_fail(err, RC_E_NOMEM, "out of memory for the breakdown of a pass");
    if (!rc_replay_run(r, m, record, &end, &evaluated))
        return RC_OK;
    if (record->failed)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the breakdown of a pass");
    r->tracing = true;
    *done = follow_back(b, record);
    r->tracing = false;
    if (!*done)
        return RC_OK;
    for (size_t s = 0; s <= head; s++)
        rc_replay_work(r, &b->spec->what_if, s, s < head ? rc_model_layers_of(m, (int)s) : 1,
                       &b->work);
    out->ticks = end;
    out->time = (double)end / RC_PS_PER_S;
    out->ring = b->ring;
    out->gpus = r->gpus;
    out->layers_simulated = evaluated;
    describe(&b->path, &b->work, out);
    count_ops(r, m, out);
    return RC_OK;
}

rc_status rc_breakdown_replay(rc_replay *r, const rc_spec *spec, rc_forward *out, bool *done,
                              rc_error *err) {
    back b = {
        .r = r, .spec = spec, .path = {.r = r, .model = spec->model, .what_if = &spec->what_if}};
    rc_record record = {.width = r->width};
    *done = false;
    rc_status st = break_down(&b, &record, out, done, err);
    free(b.states);
    rc_record_free(&record);
    return st;
}
