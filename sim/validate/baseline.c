/* Roofline and alpha-beta.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/validate/baseline.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/schedule/shard.h"

#define ALPHA_S (8.4e-6 + 3.4e-6) /* NCCL's base latency and one NVLink hop; see baseline.h */
#define PCIE_RATE 64e9            /* bytes/s a direction, PCIe 5.0 x16 */

typedef struct work {
    double flops, bytes; /* of HBM */
} work;

static work attention_work(const rc_program *p, const rc_shape *s) {
    work w = {0, 0};
    double row = s->key_size + s->value_size;
    for (uint32_t i = 0; i < s->calls; i++) {
        const rc_call *c = &p->calls[s->first_call + i];
        w.flops += 2.0 * row * s->hq * (double)rc_call_entries(c);
        w.bytes += row * (2.0 * (double)c->tq * s->hq + 2.0 * (double)c->tk * s->hkv);
    }
    return w;
}

/* Bytes of an elementwise op, by width w and tokens t: as calib/suites/suite_elementwise.c counts
 * them.
 */
static double elementwise_bytes(const rc_shape *s) {
    double cells = (double)s->a * (double)s->b;
    if (s->part == RC_P_ROTARY)
        return 512.0 * (double)s->a * (s->hq + 2.0 * s->hkv);
    return strncmp(s->op, "rmsnorm", 7) == 0 ? 8.0 * cells : 6.0 * cells;
}

static work work_of(const rc_program *p, const rc_shape *s) {
    double m = (double)s->a, n = (double)s->b, k = (double)s->c;
    double row = s->key_size + s->value_size, out = s->value_size;
    switch (s->kind) {
    case RC_T_GEMM:
        return (work){2.0 * m * n * k, 2.0 * (m * k + n * k + m * n)};
    case RC_T_ATTENTION:
        return attention_work(p, s);
    case RC_T_DECODE:
        return (work){2.0 * row * s->hq * m * n, 2.0 * row * s->hkv * m * n};
    case RC_T_MERGE:
        return (work){0, m * (n * (2.0 * out + 4.0) + 2.0 * out)};
    case RC_T_ELEMENTWISE:
        return (work){0, elementwise_bytes(s)};
    default:
        return (work){0, 0};
    }
}

/* Bytes that a GPU sends in a message or in a collective over a ring: an all-reduce goes round
 * twice. */
static double sent(const rc_shape *s) {
    if (s->kind != RC_T_COLLECTIVE)
        return s->kind == RC_T_MESSAGE ? s->bytes : 0.0;
    double rounds = strcmp(s->op, "all_reduce") == 0 ? 2.0 : 1.0;
    return rounds * s->bytes * (s->ranks - 1) / s->ranks;
}

static double nominal(const rc_machine *m, const char *transport) {
    if (strcmp(transport, "rdma") == 0 || strcmp(transport, "tcp") == 0)
        return m->nic_rate;
    return strcmp(transport, "nvlink") == 0 ? m->nvlink_rate : PCIE_RATE;
}

/* A ring step: what its message and its attention take. Flushed when the step changes. */
typedef struct step {
    int layer, number;
    double message, attention;
} step;

static double flush(step *s, int layer, int number) {
    double t = fmax(s->message, s->attention);
    *s = (step){layer, number, 0, 0};
    return t;
}

void rc_baselines(const rc_program *p, const rc_machine *m, const char *transport, double *roofline,
                  double *alpha_beta) {
    assert(m->bf16_rate > 0.0 && m->hbm_rate > 0.0);
    double flops = 0, bytes = 0, moved = 0, rate = nominal(m, transport), chain = 0;
    step now = {0, 0, 0, 0}; /* nothing is in it yet, so a flush adds nothing */
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_task *t = &p->tasks[i];
        const rc_shape *s = &p->shapes[t->shape];
        if (t->gpu != 0 || s->part == RC_P_LM_HEAD)
            continue;
        work w = work_of(p, s);
        double out = sent(s), alone = fmax(w.flops / m->bf16_rate, w.bytes / m->hbm_rate);
        flops += w.flops, bytes += w.bytes, moved += out;
        if (t->layer != now.layer || t->step != now.number)
            chain += flush(&now, t->layer, t->step);
        if (s->part == RC_P_SENDRECV)
            now.message += ALPHA_S + out / rate;
        else if (s->part == RC_P_ATTENTION)
            now.attention += alone;
        else
            chain += alone + (out > 0 ? ALPHA_S + out / rate : 0.0);
    }
    *roofline = fmax(fmax(flops / m->bf16_rate, bytes / m->hbm_rate), moved / rate);
    *alpha_beta = chain + flush(&now, 0, 0);
}
