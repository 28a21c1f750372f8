/* One pass as a timeline. The pass is laid out in full and played on the engine, and every op becomes
 * a span; an op that takes no time by definition (a mark) becomes none.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/pass_spans.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/forward/internal.h"

/* Numbers of threads: they are shown in this order. */
enum { T_HOST = 1, T_COMPUTE, T_COLLECTIVE, T_SEND = 10, T_RECEIVE = 100000 };

typedef struct picture {
    const rc_spec *spec;
    const rc_pass_place *at;
    rc_spans *out;
    rc_program program;
    rc_run run;
    rc_clock clock;
    rc_span_args *shapes; /* [shapes]: what is said of every task of one */
    bool *critical;       /* [tasks] */
    uint32_t *messages;   /* [message_count]: tasks */
    size_t message_count;
    uint32_t *lanes[2]; /* [tasks]: of a message's send and of its receive */
    uint32_t *used[2];  /* [gpus]: lanes of each */
    uint8_t *threads;   /* [gpus]: a bit each thread that is no lane */
} picture;

static rc_time start_of(const picture *x, uint32_t task) {
    return rc_sim_op_start(x->run.sim, task);
}

static rc_time end_of(const picture *x, uint32_t task) {
    return rc_sim_op_end(x->run.sim, task);
}

static const rc_shape *shape_of(const picture *x, uint32_t task) {
    return &x->program.shapes[x->program.tasks[task].shape];
}

/* ---- what is said of a task ----------------------------------------------------------------- */

static void describe_shape(picture *x, uint32_t shape, rc_span_args *a) {
    const rc_shape *s = &x->program.shapes[shape];
    rc_counts counts = {.gemm_flops = 0.0};
    int64_t t = 0, p = 0;
    for (size_t i = 0; i < x->spec->seq_count; i++) {
        t += x->spec->seqs[i].t;
        p += x->spec->seqs[i].p;
    }
    rc_counts_add(&x->program, shape, 1.0, &counts);
    rc_args_int(a, "T", t);
    rc_args_int(a, "P", p);
    if (counts.gemm_flops + counts.attention_flops > 0.0)
        rc_args_real(a, "flops", counts.gemm_flops + counts.attention_flops);
    if (s->bytes > 0.0)
        rc_args_real(a, "bytes", s->bytes);
    if (s->op != NULL)
        rc_args_text(a, "op", s->op);
}

/* Back from the op that ended last over what each waited for. */
static void mark_critical(picture *x) {
    rc_id last = 0;
    for (uint32_t i = 1; i < x->program.task_count; i++)
        if (end_of(x, i) > end_of(x, last))
            last = i;
    for (rc_id i = last; i != RC_NONE; i = rc_sim_op_cause(x->run.sim, i))
        x->critical[i] = true;
}

/* ---- messages side by side ------------------------------------------------------------------ */

typedef struct message {
    uint32_t gpu, task;
    rc_time start, end;
} message;

static int by_start(const void *a, const void *b) {
    const message *x = a, *y = b;
    if (x->gpu != y->gpu)
        return x->gpu < y->gpu ? -1 : 1;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->task > y->task) - (x->task < y->task);
}

/* Messages of a GPU that overlap go to lanes side by side, each to the first that is free. */
static rc_status deal_lanes(picture *x, int side, message *m, rc_error *err) {
    rc_time *until = calloc(x->message_count + 1, sizeof *until);
    if (!until)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a timeline");
    for (size_t i = 0; i < x->message_count; i++) {
        const rc_task *t = &x->program.tasks[x->messages[i]];
        m[i] = (message){side == 0 ? t->gpu : t->peer, x->messages[i], start_of(x, x->messages[i]),
                         end_of(x, x->messages[i])};
    }
    if (x->message_count > 0)
        qsort(m, x->message_count, sizeof *m, by_start);
    for (size_t i = 0; i < x->message_count; i++) {
        uint32_t lane = 0, *used = &x->used[side][m[i].gpu];
        while (lane < *used && until[lane] > m[i].start)
            lane++;
        *used = lane == *used ? lane + 1 : *used;
        until[lane] = m[i].end;
        x->lanes[side][m[i].task] = lane;
        if (i + 1 < x->message_count && m[i + 1].gpu != m[i].gpu)
            memset(until, 0, *used * sizeof *until);
    }
    free(until);
    return RC_OK;
}

static rc_track track_of(const picture *x, uint32_t task, int side) {
    const rc_task *t = &x->program.tasks[task];
    uint32_t gpu = side == 0 ? t->gpu : t->peer, thread = T_COMPUTE;
    if (shape_of(x, task)->kind == RC_T_MESSAGE)
        thread = (side == 0 ? T_SEND : T_RECEIVE) + x->lanes[side][task];
    else if (t->lane == RC_LANE_HOST)
        thread = T_HOST;
    else if (t->lane == RC_LANE_COMM)
        thread = T_COLLECTIVE;
    return (rc_track){x->at->process + gpu, thread};
}

/* ---- names ---------------------------------------------------------------------------------- */

static void name_gpu(const picture *x, uint32_t gpu) {
    char name[96];
    uint32_t each = x->program.gpus_per_rank, rank = gpu / each;
    int tp = x->spec->layout.tp;
    if (each > 1)
        (void)snprintf(name, sizeof name, "%sGPU %u (rank %u)", x->at->named, gpu, rank);
    else if (tp > 1)
        (void)snprintf(name, sizeof name, "%srank %u (each of its %d GPUs)", x->at->named, rank,
                       tp);
    else
        (void)snprintf(name, sizeof name, "%sGPU %u", x->at->named, gpu);
    rc_spans_process(x->out, x->at->process + gpu, name);
}

static void name_lanes(const picture *x, uint32_t gpu, int side) {
    for (uint32_t lane = 0; lane < x->used[side][gpu]; lane++) {
        char name[32];
        const char *what = side == 0 ? "send" : "receive";
        (void)snprintf(name, sizeof name, lane == 0 ? "%s" : "%s %u", what, lane + 1);
        uint32_t thread = (side == 0 ? T_SEND : T_RECEIVE) + lane;
        rc_spans_thread(x->out, (rc_track){x->at->process + gpu, thread}, name);
    }
}

static void name_all(const picture *x) {
    static const char *const names[] = {
        [T_HOST] = "host", [T_COMPUTE] = "compute", [T_COLLECTIVE] = "collectives"};
    for (uint32_t gpu = 0; gpu < x->program.gpus; gpu++) {
        name_gpu(x, gpu);
        for (uint32_t t = T_HOST; t <= T_COLLECTIVE; t++)
            if (x->threads[gpu] >> t & 1)
                rc_spans_thread(x->out, (rc_track){x->at->process + gpu, t}, names[t]);
        name_lanes(x, gpu, 0);
        name_lanes(x, gpu, 1);
    }
}

/* ---- spans ---------------------------------------------------------------------------------- */

static const char *category(const picture *x, uint32_t task) {
    const rc_shape *s = shape_of(x, task);
    if (s->kind == RC_T_MESSAGE)
        return "message";
    if (s->kind == RC_T_COLLECTIVE)
        return "collective";
    return x->program.tasks[task].lane == RC_LANE_HOST ? "host" : "compute";
}

/* The host's work of a ring step beside its launches, which a breakdown has as one part. */
static const char *name_of(const rc_shape *s) {
    return s->kind == RC_T_LAUNCH      ? "launch"
           : s->kind == RC_T_RING_STEP ? "ring step"
                                       : rc_part_name(s->part);
}

static void add_span(const picture *x, uint32_t task, uint64_t *flows) {
    const rc_task *t = &x->program.tasks[task];
    const rc_shape *s = shape_of(x, task);
    rc_time start = start_of(x, task), end = end_of(x, task);
    rc_span_args a;
    a.size = x->shapes[t->shape].size;
    memcpy(a.text, x->shapes[t->shape].text, a.size);
    rc_args_int(&a, "layer", t->layer);
    if (s->kind == RC_T_MESSAGE || s->part == RC_P_ATTENTION || s->part == RC_P_HOST)
        rc_args_int(&a, "step", t->step);
    rc_args_text(&a, "rests_on", rc_basis_name(rc_run_basis(&x->run, t, end - start)));
    if (x->critical[task])
        rc_args_int(&a, "critical", 1);
    start += x->at->start;
    end += x->at->start;
    const rc_track own = track_of(x, task, 0);
    const char *name = name_of(s);
    rc_spans_span(x->out, own, name, category(x, task), start, end, &a);
    if (s->kind != RC_T_MESSAGE)
        return;
    const rc_track peer = track_of(x, task, 1);
    rc_span_args b = {.size = 0};
    rc_args_int(&b, "from", t->gpu);
    rc_args_real(&b, "bytes", s->bytes);
    rc_args_int(&b, "layer", t->layer);
    rc_args_int(&b, "step", t->step);
    rc_spans_span(x->out, peer, "receive", "message", start, end, &b);
    rc_spans_flow(x->out, x->at->flow + (*flows)++, name, own, start, peer, end);
}

/* ---- counters ------------------------------------------------------------------------------- */

typedef struct change {
    rc_time at;
    uint32_t gpu, order;
    int more;  /* messages under way */
    double by; /* bytes/s */
} change;

static int by_time(const void *a, const void *b) {
    const change *x = a, *y = b;
    if (x->gpu != y->gpu)
        return x->gpu < y->gpu ? -1 : 1;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* Load of a link: the mean rate of each message while it is under way, summed. */
static void count_link(const picture *x, int side, change *c) {
    size_t n = 0;
    for (size_t i = 0; i < x->message_count; i++) {
        uint32_t task = x->messages[i];
        const rc_task *t = &x->program.tasks[task];
        rc_time start = start_of(x, task), end = end_of(x, task);
        uint32_t gpu = side == 0 ? t->gpu : t->peer;
        if (end <= start)
            continue;
        double rate = shape_of(x, task)->bytes * RC_PS_PER_S / (double)(end - start);
        c[n] = (change){start, gpu, (uint32_t)n, 1, rate};
        c[n + 1] = (change){end, gpu, (uint32_t)n + 1, -1, -rate};
        n += 2;
    }
    if (n > 0)
        qsort(c, n, sizeof *c, by_time);
    double load = 0.0;
    int under_way = 0;
    for (size_t i = 0; i < n; i++) {
        under_way += c[i].more;
        load = under_way == 0 ? 0.0 : load + c[i].by; /* what rounding leaves of it goes */
        if (i + 1 < n && c[i + 1].gpu == c[i].gpu && c[i + 1].at == c[i].at)
            continue;
        rc_spans_counter(x->out, x->at->process + c[i].gpu,
                         side == 0 ? "link out, GB/s" : "link in, GB/s", x->at->start + c[i].at,
                         load / 1e9);
    }
}

static int sms_of(const picture *x, const rc_contention *c, uint32_t task, int all) {
    bool beside = shape_of(x, task)->part == RC_P_ATTENTION &&
                  x->program.tasks[task].step + 1 < rc_layout_ring(&x->spec->layout);
    return c->meets && beside ? c->sms : all;
}

/* SMs that the ops of the compute stream may take: attention beside a message leaves some. */
static rc_status count_sms(const picture *x, rc_error *err) {
    const int all = rc_costs_machine(x->spec->costs)->sms;
    const rc_contention c = rc_contention_of(x->spec);
    uint32_t gpus = x->program.gpus;
    rc_time *until = calloc(gpus, sizeof *until);
    int *held = calloc(gpus, sizeof *held);
    if (until && held)
        for (uint32_t i = 0; i < x->program.task_count && all > 0; i++) {
            const rc_track at = track_of(x, i, 0);
            uint32_t gpu = x->program.tasks[i].gpu;
            rc_time start = start_of(x, i), end = end_of(x, i);
            if (at.thread != T_COMPUTE || end == start)
                continue;
            int sms = sms_of(x, &c, i, all);
            if (held[gpu] > 0 && start > until[gpu])
                rc_spans_counter(x->out, at.process, "SMs", x->at->start + until[gpu], 0.0);
            if (held[gpu] != sms || start > until[gpu])
                rc_spans_counter(x->out, at.process, "SMs", x->at->start + start, sms);
            held[gpu] = sms;
            until[gpu] = end;
        }
    for (uint32_t gpu = 0; until && held && gpu < gpus; gpu++)
        if (held[gpu] > 0)
            rc_spans_counter(x->out, x->at->process + gpu, "SMs", x->at->start + until[gpu], 0.0);
    bool have = until && held;
    free(until);
    free(held);
    return have ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for a timeline");
}

static void count_clock(const picture *x) {
    for (uint32_t gpu = 0; gpu < x->program.gpus && x->clock.mhz > 0.0; gpu++) {
        const char *name = "SM clock, MHz";
        rc_spans_counter(x->out, x->at->process + gpu, name, x->at->start, x->clock.mhz);
        /* a counter that is told once has no width in a viewer */
        rc_spans_counter(x->out, x->at->process + gpu, name, x->at->start + rc_sim_end(x->run.sim),
                         x->clock.mhz);
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

static rc_status reserve(picture *x, rc_error *err) {
    size_t n = x->program.task_count + 1;
    x->shapes = calloc(x->program.shape_count + 1, sizeof *x->shapes);
    x->critical = calloc(n, sizeof *x->critical);
    x->messages = calloc(n, sizeof *x->messages);
    x->threads = calloc(x->program.gpus + (size_t)1, sizeof *x->threads);
    bool have = x->shapes && x->critical && x->messages && x->threads;
    for (int side = 0; side < 2; side++) {
        x->lanes[side] = calloc(n, sizeof *x->lanes[side]);
        x->used[side] = calloc(x->program.gpus + (size_t)1, sizeof *x->used[side]);
        have = have && x->lanes[side] && x->used[side];
    }
    return have ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for a timeline");
}

static void release(picture *x) {
    rc_run_free(&x->run);
    rc_program_free(&x->program);
    free(x->shapes);
    free(x->critical);
    free(x->messages);
    free(x->threads);
    for (int side = 0; side < 2; side++) {
        free(x->lanes[side]);
        free(x->used[side]);
    }
}

static void list_tasks(picture *x) {
    for (uint32_t i = 0; i < x->program.task_count; i++) {
        if (shape_of(x, i)->kind == RC_T_MESSAGE)
            x->messages[x->message_count++] = i;
        else
            x->threads[x->program.tasks[i].gpu] |= (uint8_t)(1U << track_of(x, i, 0).thread);
    }
    for (uint32_t i = 0; i < x->program.shape_count; i++)
        describe_shape(x, i, &x->shapes[i]);
    mark_critical(x);
}

static rc_status draw(picture *x, uint64_t *flows, rc_error *err) {
    size_t room = (x->message_count + 1) * 2;
    message *m = malloc(room * sizeof *m);
    change *c = malloc(room * sizeof *c);
    rc_status st = m && c ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for a timeline");
    for (int side = 0; side < 2 && st == RC_OK; side++)
        st = deal_lanes(x, side, m, err);
    if (st == RC_OK) {
        name_all(x);
        for (uint32_t i = 0; i < x->program.task_count; i++)
            if (shape_of(x, i)->kind != RC_T_MARK)
                add_span(x, i, flows);
        count_link(x, 0, c);
        count_link(x, 1, c);
        count_clock(x);
        st = count_sms(x, err);
    }
    free(m);
    free(c);
    return st;
}

rc_status rc_pass_spans(const rc_spec *spec, const rc_pass_place *at, rc_spans *out, rc_time *end,
                        uint64_t *flows, rc_error *err) {
    assert(at->start >= 0 && at->named != NULL);
    picture x = {.spec = spec, .at = at, .out = out};
    uint64_t count = 0;
    RC_TRY(rc_forward_lay_out(spec, &x.program, &x.run, &x.clock, err));
    rc_status st = reserve(&x, err);
    if (st == RC_OK) {
        list_tasks(&x);
        st = draw(&x, &count, err);
    }
    if (end != NULL)
        *end = at->start + rc_sim_end(x.run.sim);
    if (flows != NULL)
        *flows = count;
    release(&x);
    return st;
}

void rc_pass_head(const rc_spec *spec, rc_span_args *head) {
    static const char *const phases[] = {
        [RC_PREFILL] = "prefill", [RC_DECODE] = "decode", [RC_MIXED] = "mixed"};
    rc_args_text(head, "model", spec->model->name);
    rc_args_text(head, "machine", rc_costs_machine(spec->costs)->name);
    rc_args_text(head, "variant", spec->schedule->name);
    rc_args_text(head, "phase", phases[spec->phase]);
    rc_args_int(head, "tp", spec->layout.tp);
    rc_args_int(head, "cp", spec->layout.cp);
    rc_args_int(head, "layers", spec->model->layers);
    rc_args_int(head, "sequences", (int64_t)spec->seq_count);
    if (spec->seq_count > 0) {
        rc_args_int(head, "T", spec->seqs[0].t);
        rc_args_int(head, "P", spec->seqs[0].p);
    }
}
