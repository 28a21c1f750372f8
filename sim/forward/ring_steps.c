/* The N steps of a ring, or the N - 1 of a gather, on all GPUs at once: N x N times from the
 * durations by step and GPU, and no list of what each waits for.
 *
 * What a step does on a GPU is said by rc_emit_ring and rc_emit_gather; here is the same as
 * arithmetic. `compute`, `comm` and `host` are the ends of the last tasks on its lanes, `att` and
 * `msg` the attention it ran and the message it sent in the step before.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>
#include "sim/forward/replay.h"

static inline rc_time later(rc_time a, rc_time b) {
    return a > b ? a : b;
}

/* Before the first GPU stands the last, behind the last the first. */
static inline void close_ring(rc_time *x, int n) {
    x[0] = x[n];
    x[n + 1] = x[1];
}

/* The host waits for the GPU's earlier work, works, and launches the graph of the step where tasks
 * are not launched one by one. */
static void host_work(const rc_ring *k, const rc_ring_state *s) {
    rc_time *host = s->host;
    const rc_time *compute = s->compute, *comm = s->comm;
    rc_time work = k->host + (k->eager ? 0 : k->launch);
    for (int g = 1; g <= k->n; g++)
        host[g] = later(later(host[g], compute[g]), comm[g]) + work;
}

/* In the first step a GPU sends its own, when the compute lane has it; later it hands on what the
 * GPU before it sent. `reuses`: no sooner than the receiver has attended to, and sent on, what
 * stands in the buffer. */
static void send_on(const rc_ring *k, const rc_ring_state *s, int step, bool reuses) {
    rc_time *host = s->host, *lane = k->serial ? s->compute : s->comm, *next = s->next;
    const rc_time *att = s->att, *msg = s->msg, *ready = step == 0 ? s->compute : s->msg - 1;
    const rc_time *message = k->message - 1;
    rc_time launch = k->eager ? k->launch : 0;
    for (int g = 1; g <= k->n; g++) {
        rc_time launched = host[g] + launch;
        rc_time t = later(later(lane[g], launched), ready[g]);
        if (reuses)
            t = later(later(t, att[g + 1]), msg[g + 1]);
        host[g] = launched;
        next[g] = lane[g] = t + message[g];
    }
}

/* The message is launched before the attention of its step, and waits for its end. */
static void launch_ahead(const rc_ring *k, const rc_ring_state *s) {
    if (k->eager)
        for (int g = 1; g <= k->n; g++)
            s->host[g] += k->launch;
}

/* The attention of the step, which was launched later, has ended, decode's too; so the launch of the message has. */
static void send_behind(const rc_ring *k, const rc_ring_state *s, int step) {
    rc_time *lane = s->comm, *next = s->next;
    const rc_time *att = s->att, *msg = s->msg, *compute = s->compute;
    const rc_time *ready = step == 0 ? s->compute : s->msg - 1, *message = k->message - 1;
    for (int g = 1; g <= k->n; g++) {
        rc_time t = later(later(lane[g], compute[g]), ready[g]);
        t = later(later(t, att[g + 1]), msg[g + 1]);
        next[g] = lane[g] = t + message[g];
    }
}

static void durations_of(const rc_ring *k, const rc_ring_state *s, int step) {
    const uint16_t *cell = k->cells + (size_t)step * (size_t)k->n;
    const rc_time *cost = rc_ring_costs(k, step, false);
    rc_time *row = s->row;
    for (int g = 0; g < k->n; g++)
        row[1 + g] = cost[cell[g]];
    if (k->slow >= 0)
        row[1 + k->slow] = rc_ring_costs(k, step, true)[cell[k->slow]];
}

/* Own queries or keys in the first step, later what the GPU before has sent. */
static void attend(const rc_ring *k, const rc_ring_state *s, int step) {
    rc_time *host = s->host, *compute = s->compute;
    const rc_time *row = s->row, *arrived = step == 0 ? s->compute : s->msg - 1;
    rc_time launch = k->eager ? k->launch : 0;
    durations_of(k, s, step);
    for (int g = 1; g <= k->n; g++) {
        rc_time launched = host[g] + launch;
        host[g] = launched;
        compute[g] = later(later(compute[g], launched), arrived[g]) + row[g];
    }
}

static void decode(const rc_ring *k, const rc_ring_state *s) {
    rc_time *host = s->host, *compute = s->compute, launch = k->eager ? k->launch : 0;
    for (int g = 1; g <= k->n; g++) {
        rc_time takes = g - 1 == k->slow ? k->slowed[k->block->decode] : k->cost[k->block->decode];
        host[g] += launch;
        compute[g] = later(compute[g], host[g]) + takes;
    }
}

static void keep(rc_time *trace, int step, const rc_time *x, int n) {
    memcpy(trace + (size_t)step * (size_t)n, x + 1, (size_t)n * sizeof *trace);
}

static void turn(const rc_ring *k, rc_ring_state *s, int step) {
    rc_time *old = s->msg;
    if (step == k->n - 1)
        return;
    s->msg = s->next;
    s->next = old;
    close_ring(s->msg, k->n);
}

static void gather(const rc_ring *k, rc_ring_state *s, const rc_ring_trace *trace) {
    for (int j = 0; j < k->n - 1; j++) {
        send_on(k, s, j, j == 0);
        if (trace)
            keep(trace->message, j, s->next, k->n);
        turn(k, s, j);
    }
}

/* Messages of a step, and its attention, one after the other as they are launched. */
static void ring_step(const rc_ring *k, rc_ring_state *s, int step, const rc_ring_trace *trace) {
    bool sends = step < k->n - 1;
    if (sends && k->waits)
        launch_ahead(k, s);
    else if (sends)
        send_on(k, s, step, true);
    attend(k, s, step);
    if (step == 0)
        s->first_attention = s->compute[1] - s->row[1];
    if (trace)
        keep(trace->attention, step, s->compute, k->n);
    if (k->decodes) {
        decode(k, s);
        if (trace)
            keep(trace->decode, step, s->compute, k->n);
    }
    if (sends && k->waits)
        send_behind(k, s, step);
    if (step == 0)
        s->first_message = s->next[1] - k->message[0];
    if (trace && sends)
        keep(trace->message, step, s->next, k->n);
}

void rc_ring_run(const rc_ring *k, rc_ring_state *s, const rc_ring_trace *trace) {
    assert(k->n > 1);
    assert(!(k->waits && k->serial));
    close_ring(s->att, k->n);
    close_ring(s->msg, k->n);
    if (!k->attends) {
        gather(k, s, trace);
        return;
    }
    for (int j = 0; j < k->n; j++) {
        if (k->hosted)
            host_work(k, s);
        if (trace)
            keep(trace->host, j, s->host, k->n);
        ring_step(k, s, j, trace);
        memcpy(s->att + 1, s->compute + 1, (size_t)k->n * sizeof *s->att);
        close_ring(s->att, k->n);
        turn(k, s, j);
    }
}
