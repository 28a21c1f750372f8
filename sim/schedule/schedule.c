/* The table of schedules, and the loop over layers.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include "sim/schedule/builder.h"

typedef struct schedule_entry {
    const char *name;
    void (*prefill)(rc_builder *b);
    void (*decode)(rc_builder *b); /* NULL: not a decode schedule */
    bool ring;                     /* takes N > 1 */
} schedule_entry;

static const schedule_entry schedules[] = {
    {"pass-kv", rc_attention_pass_kv, NULL, true},
    {"pass-q", rc_attention_pass_q, rc_attention_pass_q, true},
    {"all-gather-kv", rc_attention_all_gather, NULL, true},
    {"tp", rc_attention_local, rc_attention_local_decode, false},
};
enum { SCHEDULES = sizeof schedules / sizeof schedules[0] };

const char *const *rc_schedule_names(void) {
    static const char *const names[] = {"pass-kv", "pass-q", "all-gather-kv", "tp", NULL};
    return names;
}

const char *rc_part_name(rc_part p) {
    static const char *const names[RC_P_COUNT] = {
        "norm",    "qkv",        "rotary",     "attention",  "merge",
        "out",     "all-reduce", "gate-up",    "swiglu",     "down",
        "lm-head", "send-recv",  "all-to-all", "all-gather", "host"};
    return p < RC_P_COUNT ? names[p] : "?";
}

bool rc_part_is_comm(rc_part p) {
    return p == RC_P_ALL_REDUCE || p == RC_P_SENDRECV || p == RC_P_ALL2ALL || p == RC_P_ALL_GATHER;
}

static rc_status find(const char *name, rc_phase phase, const schedule_entry **out, rc_error *err) {
    for (int i = 0; i < SCHEDULES; i++) {
        if (strcmp(schedules[i].name, name) != 0)
            continue;
        if (phase == RC_DECODE && !schedules[i].decode)
            return rc_fail(err, RC_E_INPUT,
                           "variant '%s' is a prefill schedule; decode takes pass-q or tp", name);
        *out = &schedules[i];
        return RC_OK;
    }
    const char *near = rc_nearest(name, rc_schedule_names());
    return rc_fail(err, RC_E_INPUT,
                   "unknown variant '%s'%s%s%s; expected pass-kv, pass-q, all-gather-kv or tp",
                   name, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

static rc_status check(const schedule_entry *e, const rc_request *rq, rc_error *err) {
    RC_TRY(rc_layout_check(rq->model, &rq->layout, err));
    if (!e->ring && rq->layout.cp != 1)
        return rc_fail(err, RC_E_INPUT, "variant 'tp' takes cp 1, found cp %d", rq->layout.cp);
    if (rq->seq_count == 0)
        return rc_fail(err, RC_E_INPUT, "a forward pass needs at least one sequence");
    for (size_t i = 0; i < rq->seq_count; i++) {
        if (rq->seqs[i].t < 1 || rq->seqs[i].p < 0)
            return rc_fail(err, RC_E_INPUT, "sequence %zu: T must be at least 1 and P at least 0",
                           i);
        if (rq->phase == RC_DECODE && rq->seqs[i].t != 1)
            return rc_fail(err, RC_E_INPUT,
                           "sequence %zu: a decode step adds one token, found T = %lld", i,
                           (long long)rq->seqs[i].t);
        if (rq->phase == RC_PREFILL && rq->seqs[i].t < rq->layout.cp)
            return rc_fail(err, RC_E_INPUT,
                           "sequence %zu: T = %lld new tokens cannot be cut over cp %d ranks", i,
                           (long long)rq->seqs[i].t, rq->layout.cp);
    }
    return RC_OK;
}

static void emit_layers(const schedule_entry *e, rc_builder *b) {
    int layers = b->rq->layers > 0 ? b->rq->layers : b->rq->model->layers;
    b->p->layers = layers;
    for (int l = 0; l < layers && !b->p->failed; l++) {
        b->layer = (uint16_t)l;
        rc_layer_before(b);
        (b->rq->phase == RC_DECODE ? e->decode : e->prefill)(b);
        rc_layer_after(b);
    }
    b->layer = (uint16_t)layers;
    if (b->rq->head)
        rc_layer_head(b);
}

rc_status rc_schedule_build(const char *variant, const rc_request *rq, rc_program *out,
                            rc_error *err) {
    const schedule_entry *e = NULL;
    memset(out, 0, sizeof *out);
    RC_TRY(find(variant, rq->phase, &e, err));
    RC_TRY(check(e, rq, err));
    const rc_model *m = rq->model;
    rc_builder b = {.p = out, .rq = rq, .n = rq->layout.cp};
    b.g = rq->unfold_tp ? (uint32_t)rq->layout.tp : 1;
    b.hq = m->heads / rq->layout.tp;
    b.hkv = m->kv_heads >= rq->layout.tp ? m->kv_heads / rq->layout.tp : 1;
    out->gpus_per_rank = b.g;
    out->gpus = b.g * (uint32_t)b.n;
    out->head_dim = m->head_dim;
    size_t scratch = out->gpus * (size_t)(RC_LANE_COUNT + 3);
    b.last = malloc(scratch * sizeof *b.last);
    bool have = b.last != NULL;
    if (have) {
        memset(b.last, 0xff, scratch * sizeof *b.last);
        b.mark = b.last + (size_t)out->gpus * RC_LANE_COUNT;
        b.msg = b.mark + out->gpus;
        b.att = b.msg + out->gpus;
        emit_layers(e, &b);
        free(b.last);
    }
    if (!have || out->failed) {
        rc_program_free(out);
        return rc_fail(err, RC_E_NOMEM, "out of memory while building the schedule");
    }
    return RC_OK;
}
