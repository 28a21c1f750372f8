/* The parts of a pass: as a run was profiled, and as the forecast has them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/engine/engine.h"
#include "sim/validate/validate.h"

void rc_over_ranks_add(rc_over_ranks *o, double seconds) {
    o->least = o->n == 0 ? seconds : fmin(o->least, seconds);
    o->most = o->n == 0 ? seconds : fmax(o->most, seconds);
    o->sum += seconds;
    o->n++;
}

double rc_over_ranks_value(const rc_over_ranks *o, bool communication) {
    if (o->n == 0)
        return NAN;
    return communication ? o->least : o->sum / o->n;
}

/* `part` is `head` and the number of a ring step. */
static bool step_of(const char *part, const char *head, int *step) {
    size_t n = strlen(head);
    char *end = NULL;
    if (strncmp(part, head, n) != 0 || part[n] < '0' || part[n] > '9')
        return false;
    long v = strtol(part + n, &end, 10);
    *step = (int)v;
    return *end == '\0' && v < RC_RUN_STEPS;
}

bool rc_run_part_find(rc_run_parts *p, const char *part, rc_over_ranks **out) {
    int step = 0;
    *out = NULL;
    if (step_of(part, "attention-alone-", &step))
        *out = &p->attention_alone[step];
    else if (step_of(part, "send-recv-alone-", &step))
        *out = &p->message_alone[step];
    for (int i = 0; i < RC_P_COUNT && !*out; i++)
        if (strcmp(part, rc_part_name((rc_part)i)) == 0)
            *out = &p->part[i];
    return *out != NULL;
}

/* ---- of a simulated pass --------------------------------------------------------------------- */

typedef struct one_gpu {
    double part[RC_P_COUNT], attention[RC_RUN_STEPS], message[RC_RUN_STEPS];
    bool in_part[RC_P_COUNT], in_attention[RC_RUN_STEPS], in_message[RC_RUN_STEPS];
    rc_time opened, closed; /* the exchange of the layer under way, one NCCL call on the GPU */
    int layer;
} one_gpu;

static void close_exchange(one_gpu *g) {
    if (g->layer >= 0)
        g->part[RC_P_ALL2ALL] += (double)(g->closed - g->opened) / RC_PS_PER_S;
    g->layer = -1;
}

/* An exchange is many messages at once: what counts is from its first to its last. */
static void add_exchange(one_gpu *g, int layer, rc_time start, rc_time end) {
    if (g->layer != layer) {
        close_exchange(g);
        g->layer = layer, g->opened = start, g->closed = end;
        g->in_part[RC_P_ALL2ALL] = true;
        return;
    }
    g->opened = start < g->opened ? start : g->opened;
    g->closed = end > g->closed ? end : g->closed;
}

static void add_task(one_gpu *g, const rc_task *t, rc_part part, double seconds) {
    g->part[part] += seconds;
    g->in_part[part] = true;
    if (t->step >= RC_RUN_STEPS)
        return;
    if (part == RC_P_ATTENTION)
        g->attention[t->step] += seconds, g->in_attention[t->step] = true;
    if (part == RC_P_SENDRECV)
        g->message[t->step] += seconds, g->in_message[t->step] = true;
}

static void add_gpu(rc_run_parts *p, const one_gpu *g, bool ring) {
    for (int i = 0; i < RC_P_COUNT; i++)
        if (g->in_part[i])
            rc_over_ranks_add(&p->part[i], g->part[i]);
    for (int j = 0; j < RC_RUN_STEPS && ring; j++) {
        if (g->in_attention[j])
            rc_over_ranks_add(&p->attention_alone[j], g->attention[j]);
        if (g->in_message[j])
            rc_over_ranks_add(&p->message_alone[j], g->message[j]);
    }
}

void rc_run_parts_simulated(rc_run_parts *p, const rc_program *program, const rc_sim *sim) {
    assert(program->layers_of == NULL); /* a template has no tasks of its own */
    for (uint32_t gpu = 0; gpu < program->gpus; gpu++) {
        one_gpu g = {.layer = -1};
        for (size_t i = 0; i < program->task_count; i++) {
            const rc_task *t = &program->tasks[i];
            rc_part part = program->shapes[t->shape].part;
            rc_time start = rc_sim_op_start(sim, (rc_id)i), end = rc_sim_op_end(sim, (rc_id)i);
            if (t->gpu != gpu || t->layer >= program->layers) /* a run ends with its layers */
                continue;
            if (gpu == 0 && program->shapes[t->shape].kind != RC_T_MARK)
                p->calls[part]++;
            if (part == RC_P_ALL2ALL)
                add_exchange(&g, t->layer, start, end);
            else
                add_task(&g, t, part, (double)(end - start) / RC_PS_PER_S);
        }
        close_exchange(&g);
        add_gpu(p, &g, g.in_part[RC_P_SENDRECV]);
    }
}
