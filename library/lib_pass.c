/* One forward pass, and the choice between ways to run it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "library/lib_internal.h"
#include "sim/choose/alternatives.h"
#include "sim/choose/choose.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/layout.h"

enum { MOST_SEQUENCES = 65536, MOST_DRAWS = 4096, MOST_GPUS = 4096 };
#define MOST_TOKENS INT64_C(2147483648)

_Static_assert((int)RINGCAST_BASES == (int)RC_BASIS_COUNT, "a basis more: the structure grows");

const char *ringcast_basis_name(int i) {
    return i >= 0 && i < RINGCAST_BASES ? rc_basis_name((rc_basis)i) : NULL;
}

/* ---- the pass -------------------------------------------------------------------------------- */

void ringcast_pass_init(ringcast_pass *pass) {
    *pass = (ringcast_pass){
        .size = sizeof *pass, .tp = 8, .cp = 1, .new_tokens = 1, .sequences = 1, .seed = 1};
}

static ringcast_status check(const ringcast_pass *p, ringcast_error *err) {
    if (p->tp < 1 || p->tp > MOST_GPUS || p->cp < 1 || p->cp > MOST_GPUS)
        return lib_bad(err, "tp %d, cp %d: expected 1 to %d", p->tp, p->cp, MOST_GPUS);
    if (p->new_tokens < 1 || p->new_tokens > MOST_TOKENS || p->cached_tokens < 0 ||
        p->cached_tokens > MOST_TOKENS)
        return lib_bad(err, "new_tokens %lld, cached_tokens %lld: expected 1 and 0 to 2Gi",
                       (long long)p->new_tokens, (long long)p->cached_tokens);
    if (p->decode && p->new_tokens != 1)
        return lib_bad(err, "new_tokens %lld: a decode step has 1", (long long)p->new_tokens);
    if (p->sequences < 1 || p->sequences > MOST_SEQUENCES)
        return lib_bad(err, "sequences %d: expected 1 to %d", p->sequences, MOST_SEQUENCES);
    if (p->draws < 0 || p->draws > MOST_DRAWS)
        return lib_bad(err, "draws %d: expected 0 to %d", p->draws, MOST_DRAWS);
    return RINGCAST_OK;
}

ringcast_status lib_pass(const ringcast_pass *given, ringcast_pass *out, ringcast_error *err) {
    ringcast_pass_init(out);
    if (given->size <= sizeof(size_t))
        return lib_bad(err, "the pass says that it has %zu bytes: call ringcast_pass_init",
                       given->size);
    memcpy(out, given, given->size < sizeof *out ? given->size : sizeof *out);
    return check(out, err);
}

static rc_status named_type(const char *what, const char *name, rc_dtype *out, rc_error *err) {
    if (!name)
        return RC_OK;
    for (int i = 0; i < RC_DTYPES_STATED; i++)
        if (strcmp(name, rc_dtype_name(rc_dtype_stated(i))) == 0) {
            *out = rc_dtype_stated(i);
            return RC_OK;
        }
    return rc_fail(err, RC_E_INPUT, "%s: no type '%.60s'", what, name);
}

rc_status lib_layout(const rc_model *m, const ringcast_pass *p, rc_layout *out, rc_error *err) {
    *out = (rc_layout){.tp = p->tp, .cp = p->cp, .dcp = 1, .ulysses = 1, .dp = 1, .ep = 1};
    rc_model_dtypes(m, out);
    RC_TRY(named_type("attention_weights", p->attention_weights, &out->attn_weights, err));
    RC_TRY(named_type("ffn_weights", p->ffn_weights, &out->ffn_weights, err));
    RC_TRY(named_type("kv", p->kv, &out->kv, err));
    return rc_layout_check_types(out, err);
}

static rc_status schedule_of(const rc_model *m, const ringcast_pass *p, const rc_layout *l,
                             const rc_schedule **out, rc_error *err) {
    rc_phase phase = p->decode ? RC_DECODE : RC_PREFILL;
    *out = p->variant ? rc_schedule_named(p->variant) : rc_schedule_usual(phase, p->cp);
    if (!*out)
        return rc_fail(err, RC_E_INPUT, "variant: no schedule '%.60s'",
                       p->variant ? p->variant : "");
    if (!rc_schedule_takes(*out, phase, p->cp))
        return rc_fail(err, RC_E_INPUT, "variant: '%s' runs no %s on %d ranks", (*out)->name,
                       p->decode ? "decode step" : "prefill", p->cp);
    return rc_schedule_fits(*out, m, l, err);
}

/* Equal sequences; the caller frees. */
static rc_status sequences_of(const ringcast_pass *p, rc_sequence **out, rc_error *err) {
    size_t n = (size_t)p->sequences;
    *out = calloc(n, sizeof **out);
    if (!*out)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu sequences", n);
    for (size_t i = 0; i < n; i++)
        (*out)[i] = (rc_sequence){p->new_tokens, p->cached_tokens};
    return RC_OK;
}

static rc_status run(const ringcast_model *model, const ringcast_machine *machine,
                     const ringcast_pass *p, rc_forward *out, rc_error *err) {
    rc_sequence *seqs;
    rc_spec spec = {.model = &model->own,
                    .costs = machine->costs,
                    .phase = p->decode ? RC_DECODE : RC_PREFILL,
                    .seq_count = (size_t)p->sequences,
                    .eager = !p->decode,
                    .serial_ring = p->decode != 0,
                    .draws = p->draws,
                    .seed = p->seed,
                    .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
    RC_TRY(lib_layout(&model->own, p, &spec.layout, err));
    RC_TRY(schedule_of(&model->own, p, &spec.layout, &spec.schedule, err));
    RC_TRY(sequences_of(p, &seqs, err));
    spec.seqs = seqs;
    rc_status st = rc_forward_run(&spec, out, err);
    free(seqs);
    return st;
}

ringcast_status ringcast_forward(const ringcast_model *model, const ringcast_machine *machine,
                                 const ringcast_pass *pass, ringcast_forecast *out,
                                 ringcast_error *err) {
    rc_error why = {0};
    rc_forward r;
    ringcast_pass p;
    if (!model || !machine || !pass || !out)
        return lib_bad(err, "ringcast_forward: NULL");
    ringcast_status own = lib_pass(pass, &p, err);
    if (own != RINGCAST_OK)
        return own;
    rc_status st = run(model, machine, &p, &r, &why);
    if (st != RC_OK)
        return lib_end(st, &why, err);
    ringcast_forecast f = {.time = r.time,
                           .p5 = r.p5,
                           .p95 = r.p95,
                           .mfu = r.mfu,
                           .flop_rate = r.flop_rate,
                           .exposed = r.exposed_comm,
                           .hidden = r.hidden_comm,
                           .memory = r.memory.total,
                           .memory_of = r.memory.capacity};
    memcpy(f.basis, r.basis, sizeof f.basis);
    return lib_give(out, out->size, &f, sizeof f, err);
}

/* ---- the choice ------------------------------------------------------------------------------ */

static void name_choice(const rc_alternative *all, int count, int cp, ringcast_choice *out) {
    *out = (ringcast_choice){.ring_time = NAN, .fastest_time = NAN};
    for (int c = 0; c < RC_CHOICES && cp > 1; c++) {
        const rc_schedule *s = rc_choice_schedule((rc_choice)c);
        int i = rc_alternative_find(all, count, cp, s);
        if (i < 0 || all[i].status != RC_OK ||
            (out->ring[0] != '\0' && all[i].time >= out->ring_time))
            continue;
        out->ring_time = all[i].time;
        (void)snprintf(out->ring, sizeof out->ring, "%s", s->name);
    }
    int best = rc_alternative_best(all, count);
    if (best < 0)
        return;
    out->fastest_cp = all[best].cp;
    out->fastest_time = all[best].time;
    (void)snprintf(out->fastest, sizeof out->fastest, "%s", all[best].schedule->name);
}

ringcast_status ringcast_choose(const ringcast_model *model, const ringcast_machine *machine,
                                const ringcast_pass *pass, ringcast_choice *out,
                                ringcast_error *err) {
    rc_error why = {0};
    rc_layout layout;
    ringcast_pass p;
    ringcast_choice c;
    int count = 0;
    if (!model || !machine || !pass || !out)
        return lib_bad(err, "ringcast_choose: NULL");
    ringcast_status own = lib_pass(pass, &p, err);
    if (own != RINGCAST_OK)
        return own;
    rc_alternative *all = calloc(RC_ALTERNATIVES, sizeof *all);
    rc_status st = all ? RC_OK : rc_fail(&why, RC_E_NOMEM, "out of memory for the alternatives");
    if (st == RC_OK)
        st = lib_layout(&model->own, &p, &layout, &why);
    if (st == RC_OK)
        st = rc_layout_check(&model->own, &layout, &why);
    if (st == RC_OK)
        st = rc_choose_alternatives(&model->own, machine->costs, &layout, p.cp, p.new_tokens,
                                    p.cached_tokens, p.sequences, all, &count, &why);
    if (st == RC_OK)
        name_choice(all, count, p.cp, &c);
    free(all);
    return st == RC_OK ? lib_give(out, out->size, &c, sizeof c, err) : lib_end(st, &why, err);
}
