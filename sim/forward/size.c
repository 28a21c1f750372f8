/* How large a pass may be: told from the size of its program before any of it is laid out.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include "sim/forward/replay.h"

#define MILLION 1e6
#define GIB 0x1p30

/* Every message crosses the sender's link and the receiver's. */
enum { HOPS = 2 };
/* The most ops of a pass on the engine of which all results are kept: the trace hash is over them. */
enum { KEPT_MOST = 1 << 22 };
/* Pairs of a part and what its cost rests on; a pass has fewer. */
enum { ACCOUNTS = 32 };

static int64_t program_bytes(const rc_program_size *z) {
    return (int64_t)sizeof(rc_task) * z->tasks + (int64_t)sizeof(rc_dep) * z->deps;
}

int64_t rc_engine_bytes(const rc_program_size *z) {
    const rc_sim_size sim = {.ops = z->tasks,
                             .edges = z->deps,
                             .flows = z->messages,
                             .hops = HOPS * z->messages,
                             .streamless = z->loose,
                             .kept = z->tasks};
    return program_bytes(z) + rc_sim_bytes(&sim);
}

/* What rc_replay_compile reserves: for each task of the three layers where its waits begin, twice,
 * and whether something waits for it; for each wait its task; and for each task of the one layer
 * the members of rc_replay by slot and by task, and its waits again. */
static int64_t replay_bytes(const rc_program_size *one, const rc_program_size *three) {
    const int64_t of_three = 2 * sizeof(size_t) + sizeof(bool);
    const int64_t of_one = (2 * 3 + 2) * sizeof(rc_time) + 2 * sizeof(uint32_t);
    const int64_t wait = sizeof(uint32_t);
    return program_bytes(one) + program_bytes(three) + of_three * three->tasks +
           of_one * one->tasks + wait * (three->tasks + three->deps + one->tasks + one->deps);
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

rc_status rc_replay_room(const rc_spec *spec, const rc_request *rq, int64_t *bytes, rc_error *err) {
    rc_program_size one, three;
    rc_request more = *rq;
    more.repeats = 3;
    RC_TRY(rc_schedule_size(rq, &one, err));
    RC_TRY(rc_schedule_size(&more, &three, err));
    *bytes = replay_bytes(&one, &three);
    if (*bytes <= RC_PASS_BYTES)
        return RC_OK;
    return refuse(spec, one.tasks + three.tasks, *bytes,
                  rc_request_layers(rq) + rc_request_layers(&more), "", err);
}

/* Whether the pass can be evaluated from one layer, as sweeps do: it takes less. */
static const char *advice(const rc_spec *spec) {
    rc_request rq = rc_spec_request(spec, 1);
    int64_t bytes;
    rq.unfold_tp = false;
    if (spec->unfold)
        return ", or leave out --unfold";
    return rc_replay_room(spec, &rq, &bytes, NULL) == RC_OK
               ? "; `ringcast sweep` gives the time alone of passes of this size where one layer "
                 "tells of all"
               : "";
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
