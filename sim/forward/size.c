/* How large a pass may be: told from the size of its program before any of it is laid out.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include "sim/forward/replay.h"

#define MILLION 1e6
#define GIB 0x1p30

/* Every message crosses the sender's link and the receiver's. */
enum { HOPS = 2 };
/* The most ops of a pass on the engine of which all results are kept: the trace hash is over
 * them. */
enum { KEPT_MOST = 1 << 22 };
/* Pairs of a part and what its cost rests on; a pass has fewer. */
enum { ACCOUNTS = 32 };

static int64_t program_bytes(const rc_program_size *z) {
    return (int64_t)sizeof(rc_task) * z->tasks + (int64_t)sizeof(rc_dep) * z->deps;
}

int64_t rc_engine_bytes(const rc_program_size *z) {
    assert(z->tasks >= 0 && z->deps >= 0);
    const rc_sim_size sim = {.ops = z->tasks,
                             .edges = z->deps,
                             .flows = z->messages,
                             .hops = HOPS * z->messages,
                             .streamless = z->loose,
                             .kept = z->tasks};
    return program_bytes(z) + rc_sim_bytes(&sim);
}

static rc_status refuse(const rc_spec *spec, int64_t ops, int64_t bytes, int layers,
                        const char *advice, rc_error *err) {
    return rc_fail(err, RC_E_SIZE,
                   "cp %d x tp %d%s, %s: %d layers are %.1f million ops, which would take %.1f GiB "
                   "of memory, and a pass may take %.1f GiB; take fewer ranks or layers%s",
                   spec->layout.cp, spec->layout.tp,
                   spec->unfold ? ", every GPU of a TP group simulated" : "", spec->schedule->name,
                   layers, (double)ops / MILLION, (double)bytes / GIB, (double)RC_PASS_BYTES / GIB,
                   advice);
}

/* A replay keeps 16 bits and, for a breakdown, four times of each step of a ring on each GPU; some
 * hundred bytes of each other task, of which a GPU has a few dozen in a layer of a kind; and what
 * each layer leaves on each GPU. */
rc_status rc_replay_room(const rc_spec *spec, int64_t *bytes, rc_error *err) {
    assert(spec->layout.cp >= 1);
    enum { TASKS = 40, TASK_BYTES = 128 };
    const int64_t cell = sizeof(uint16_t) + 4 * sizeof(rc_time);
    const int64_t left = (RC_LEFT_COUNT + 2) * sizeof(rc_time);
    int64_t n = spec->layout.cp, sections = spec->model->kinds + 1;
    *bytes = n * n * cell + n * (sections * TASKS * TASK_BYTES + left * spec->model->layers);
    if (*bytes <= RC_PASS_BYTES)
        return RC_OK;
    rc_program_size z = {0};
    rc_request rq = rc_spec_request(spec, 0);
    rq.unfold_tp = false;
    RC_TRY(rc_schedule_size(&rq, &z, err));
    return refuse(spec, z.tasks, *bytes, spec->model->layers, "", err);
}

/* A pass that is evaluated takes less than one that is played on the engine. */
static const char *advice(const rc_spec *spec) {
    int64_t bytes;
    bool evaluated = spec->unfold && rc_replay_room(spec, &bytes, NULL) == RC_OK;
    return evaluated ? ", or leave out --unfold" : "";
}

rc_status rc_build_program(const rc_spec *spec, const rc_request *rq, rc_program *out,
                           rc_error *err) {
    rc_program_size z;
    RC_TRY(rc_schedule_size(rq, &z, err));
    int64_t bytes = rc_engine_bytes(&z);
    if (bytes > RC_PASS_BYTES)
        return refuse(spec, z.tasks, bytes, rc_request_layers(rq), advice(spec), err);
    return rc_schedule_build(rq, out, err);
}

rc_status rc_build_repeats(const rc_spec *spec, int repeats, rc_program *out, bool *keep_all,
                           rc_error *err) {
    assert(repeats >= 0);
    rc_program_size z, all;
    rc_request rq = rc_spec_request(spec, 0);
    RC_TRY(rc_schedule_size(&rq, &all, err));
    rq.repeats = repeats;
    RC_TRY(rc_schedule_size(&rq, &z, err));
    int64_t gpus = (int64_t)spec->layout.cp * (spec->unfold ? spec->layout.tp : 1);
    *keep_all = all.tasks <= KEPT_MOST;
    const rc_sim_size sim = {.ops = z.tasks,
                             .edges = z.deps,
                             .flows = z.messages,
                             .hops = HOPS * z.messages,
                             .streamless = z.loose,
                             .kept = *keep_all ? all.tasks : all.tasks / gpus,
                             .accounts = ACCOUNTS};
    int64_t bytes = program_bytes(&z) + rc_sim_bytes(&sim);
    if (bytes > RC_PASS_BYTES)
        return refuse(spec, all.tasks, bytes, spec->model->layers, advice(spec), err);
    return rc_schedule_build(&rq, out, err);
}
