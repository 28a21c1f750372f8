/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_spans.h"
#include "calib/ring/ring_timing.h"
#include "sim/base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { T_COMPUTE = 1, T_COMM, FIELDS = 5 };
/* Of a span, as every rank tells it to rank 0. */
enum { F_PART, F_STEP, F_LAYER, F_START, F_STOP };

static bool on_comm(int part) {
    return part >= RC_RING_SENDRECV;
}

/* Seconds from the first event of the pass on this rank. */
static rc_status elapsed(const rc_ring_layers *b, cudaEvent_t to, double *out, rc_error *err) {
    float ms = 0;
    RC_CUDA(cudaEventElapsedTime(&ms, b->spans[0].start, to));
    *out = 1e-3 * (double)ms;
    return RC_OK;
}

/* A layer has two norms and begins with the first. */
static rc_status own_span(const rc_ring_layers *b, size_t i, int *norms, double *field,
                          rc_error *err) {
    const rc_ring_span *s = &b->spans[i];
    *norms += s->part == RC_RING_NORM;
    field[F_PART] = s->part;
    field[F_STEP] = s->step;
    field[F_LAYER] = (*norms - 1) / 2;
    RC_TRY(elapsed(b, s->start, &field[F_START], err));
    return elapsed(b, s->stop, &field[F_STOP], err);
}

/* ---- on rank 0 ------------------------------------------------------------------------------- */

typedef struct sheet {
    const rc_ring_layers *b;
    rc_spans *out;
    int64_t until[RC_GROUP_MAX][T_COMM + 1]; /* ps: the end of the last span of each thread */
} sheet;

static void name_ranks(const rc_ring_layers *b, rc_spans *out) {
    for (int r = 0; r < b->ranks->procs->size; r++) {
        char name[48];
        (void)snprintf(name, sizeof name, "GPU %d, measured", r);
        rc_spans_process(out, (uint32_t)r, name);
        rc_spans_thread(out, (rc_track){(uint32_t)r, T_COMPUTE}, "compute");
        rc_spans_thread(out, (rc_track){(uint32_t)r, T_COMM}, "communication");
    }
}

static const char *category(int part) {
    return part == RC_RING_SENDRECV                      ? "message"
           : on_comm(part) || part == RC_RING_ALL_REDUCE ? "collective"
                                                         : "compute";
}

/* Where a message of the ring goes: ranks of one TP index follow one another by `tp`. */
static int receiver(const rc_ring_layers *b, int rank) {
    int tp = b->ranks->tp, size = b->ranks->cp * tp;
    return (rank + tp) % size;
}

static void put_span(sheet *s, int rank, const double *field) {
    const int part = (int)field[F_PART];
    const rc_track at = {(uint32_t)rank, on_comm(part) ? T_COMM : T_COMPUTE};
    int64_t *until = &s->until[rank][at.thread];
    int64_t start = llround(1e12 * field[F_START]), stop = llround(1e12 * field[F_STOP]);
    rc_span_args a = {.size = 0};
    start = start > *until ? start : *until; /* events are read to half a microsecond */
    stop = stop > start ? stop : start;
    *until = stop;
    rc_args_int(&a, "layer", (int64_t)field[F_LAYER]);
    if (part == RC_RING_ATTENTION || part == RC_RING_SENDRECV)
        rc_args_int(&a, "step", (int64_t)field[F_STEP]);
    if (part == RC_RING_SENDRECV)
        rc_args_int(&a, "to", receiver(s->b, rank));
    rc_spans_span(s->out, at, rc_ring_part_name((rc_ring_part)part), category(part), start, stop,
                  &a);
}

/* ---- all ranks ------------------------------------------------------------------------------- */

/* Span number i of every rank; those that a rank has no more are NAN. */
static rc_status gather_span(const rc_ring_layers *b, const double *own, double (*all)[FIELDS],
                             rc_error *err) {
    double one[RC_GROUP_MAX];
    for (int k = 0; k < FIELDS; k++) {
        RC_TRY(rc_group_gather(b->ranks->procs, own[k], one, err));
        for (int r = 0; r < b->ranks->procs->size; r++)
            all[r][k] = one[r];
    }
    return RC_OK;
}

static rc_status gather_spans(const rc_ring_layers *b, sheet *s, double (*all)[FIELDS],
                              rc_error *err) {
    double most = (double)b->span_count;
    int norms = 0;
    RC_TRY(rc_group_max(b->ranks->procs, &most, err));
    for (size_t i = 0; i < (size_t)most; i++) {
        double own[FIELDS] = {(double)NAN, 0, 0, 0, 0};
        rc_status st = i < b->span_count ? own_span(b, i, &norms, own, err) : RC_OK;
        RC_TRY(rc_group_agree(b->ranks->procs, st, err));
        RC_TRY(gather_span(b, own, all, err));
        for (int r = 0; s->out && r < b->ranks->procs->size; r++)
            if (isfinite(all[r][F_PART]))
                put_span(s, r, all[r]);
    }
    return RC_OK;
}

rc_status rc_ring_spans(const rc_ring_layers *b, rc_spans *out, rc_error *err) {
    sheet *s = calloc(1, sizeof *s);
    double(*all)[FIELDS] = calloc((size_t)b->ranks->procs->size, sizeof *all);
    rc_status st = s && all ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for a timeline");
    st = rc_group_agree(b->ranks->procs, st, err);
    if (st == RC_OK) {
        s->b = b;
        s->out = out;
        if (out)
            name_ranks(b, out);
        st = gather_spans(b, s, all, err);
    }
    free(s);
    free(all);
    return st;
}

/* ---- a file ---------------------------------------------------------------------------------- */

static rc_status open_file(const rc_ring_layers *b, const char *folder, const char *machine,
                           double seconds, rc_spans **out, rc_error *err) {
    const rc_ring_case *c = &b->c;
    char path[RC_PATH_SIZE];
    rc_span_args head = {.size = 0};
    rc_args_text(&head, "kind", "ring");
    rc_args_text(&head, "scenario", c->name);
    rc_args_text(&head, "machine", machine);
    rc_args_text(&head, "variant", rc_ring_schedule_name(c->schedule));
    rc_args_text(&head, "phase", rc_ring_is_decode(c) ? "decode" : "prefill");
    rc_args_int(&head, "tp", c->tp);
    rc_args_int(&head, "cp", c->cp);
    rc_args_int(&head, "layers", c->layers);
    rc_args_int(&head, "sequences", c->batch);
    rc_args_int(&head, "T", c->t);
    rc_args_int(&head, "P", c->p);
    rc_args_int(&head, "time_ps", llround(1e12 * seconds));
    RC_TRY(rc_make_dirs(folder, err));
    RC_TRY(rc_path_in(path, folder, err, "%s.json", c->name));
    return rc_spans_open(path, true, &head, out, err);
}

rc_status rc_ring_trace(rc_ring_layers *b, const char *folder, const char *machine, double seconds,
                        rc_error *err) {
    rc_spans *out = NULL;
    const rc_group *g = b->ranks->procs;
    rc_status st = g->rank == 0 ? open_file(b, folder, machine, seconds, &out, err) : RC_OK;
    st = rc_group_agree(g, st, err);
    if (st == RC_OK)
        st = rc_group_agree(g, rc_ring_profile_once(b, err), err);
    if (st == RC_OK)
        st = rc_ring_spans(b, out, err);
    return rc_spans_close(out, st, err);
}
