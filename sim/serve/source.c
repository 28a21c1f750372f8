/* Pass times from the forward room.
 *
 * Prefill passes are launched by the host and overlap their ring, decode passes are CUDA graphs
 * with a serial ring, as `ringcast forward` has them by default; a pass with both is a mixed one,
 * launched by the host.
 *
 * The serve room checks memory itself (KV capacity comes from the memory model), so the forward
 * room's own check is told that there is plenty.
 *
 * Attention patterns change how many keys a query sees. A prompt is timed as one with as many score
 * entries: P is reduced, and where T alone would have too many, the prompt is cut into equal
 * sequences.
 *
 * A step with drafts verifies so many tokens more of every sequence, and what drafts passes over what the pass
 * holds, prompts too, for its own cache, and then over the sequences that decode for each further draft.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/serve/passes.h"

#define PLENTY 1e18 /* bytes */

struct rc_pass_forward {
    const rc_serve *serve;
    rc_model *own;                   /* of a stage; NULL: the serve's */
    rc_machine machine;              /* with plenty of memory */
    rc_costs *costs;                 /* a view */
    rc_forward_ctx *ctx, *draft_ctx; /* draft_ctx: NULL without drafts */
    rc_layout layout;
    const rc_schedule *schedule;
    rc_what_if what_if;
    rc_sequence *seqs;
    size_t room;
};

static rc_status take_stage(rc_pass_forward *f, const rc_pass_stage *stage, rc_error *err) {
    if (!stage || stage->of.count <= 1)
        return RC_OK;
    f->own = malloc(sizeof *f->own);
    return f->own ? rc_model_stage(&f->serve->model, &stage->of, stage->index, f->own, err)
                  : rc_fail(err, RC_E_NOMEM, "out of memory for pass times");
}

static rc_status take_costs(rc_pass_forward *f, const rc_costs *costs, rc_error *err) {
    f->ctx = rc_forward_ctx_create();
    f->draft_ctx = f->serve->drafts > 0 ? rc_forward_ctx_create() : NULL;
    return f->ctx && (f->draft_ctx || f->serve->drafts == 0)
               ? rc_costs_view(costs, &f->machine, &f->costs, err)
               : rc_fail(err, RC_E_NOMEM, "out of memory for pass times");
}

rc_status rc_pass_forward_create(const rc_serve *s, const rc_costs *costs, const rc_layout *layout,
                                 const rc_schedule *schedule, const rc_pass_stage *stage,
                                 const rc_what_if *what_if, rc_pass_forward **out, rc_error *err) {
    const int cp = layout->cp;
    assert(layout->tp >= 1 && cp >= 1);
    assert(schedule != NULL);
    rc_pass_forward *f = calloc(1, sizeof *f);
    if (!f)
        return rc_fail(err, RC_E_NOMEM, "out of memory for pass times");
    f->serve = s;
    f->machine = *rc_costs_machine(costs);
    f->machine.memory = PLENTY;
    f->layout = *layout;
    f->what_if = *what_if;
    if (f->what_if.slow_rank >= cp)
        f->what_if.slow_rank = -1;
    if (f->what_if.slow_link_rank >= cp || cp == 1)
        f->what_if.slow_link_rank = -1;
    f->schedule = schedule;
    rc_status st = take_costs(f, costs, err);
    if (st == RC_OK)
        st = take_stage(f, stage, err);
    if (st != RC_OK) {
        rc_pass_forward_destroy(f);
        return st;
    }
    *out = f;
    return RC_OK;
}

void rc_pass_forward_destroy(rc_pass_forward *f) {
    if (!f)
        return;
    rc_forward_ctx_destroy(f->ctx);
    rc_forward_ctx_destroy(f->draft_ctx);
    rc_costs_close(f->costs);
    free(f->own);
    free(f->seqs);
    free(f);
}

static rc_status add(rc_pass_forward *f, size_t *count, rc_sequence s, rc_error *err) {
    if (*count == f->room) {
        size_t room = f->room ? 2 * f->room : 64;
        rc_sequence *more = realloc(f->seqs, room * sizeof *more);
        if (!more)
            return rc_fail(err, RC_E_NOMEM, "out of memory for %zu sequences", room);
        f->seqs = more;
        f->room = room;
    }
    f->seqs[(*count)++] = s;
    return RC_OK;
}

/* Score entries of t queries after p tokens when each sees at most `limit` keys. */
static double entries_under(double t, double p, double limit) {
    assert(limit >= 1.0);
    double rising = fmin(fmax(limit - p, 0.0), t); /* queries that see all before them */
    return rising * p + 0.5 * rising * (rising + 1.0) + (t - rising) * limit;
}

/* One prompt, under the attention pattern. */
static rc_status add_prompt(rc_pass_forward *f, size_t *count, rc_sequence s, rc_error *err) {
    double limit = (double)context_limit(f->serve);
    assert(s.t >= 1 && s.p >= 0);
    if ((double)(s.t + s.p) <= limit)
        return add(f, count, s, err);
    double t = (double)s.t, entries = entries_under(t, (double)s.p, limit);
    int64_t pieces = 1;
    while (entries < 0.5 * t * (t / (double)pieces + 1.0) && s.t / (2 * pieces) >= f->layout.cp)
        pieces *= 2;
    for (int64_t i = 0; i < pieces; i++) {
        int64_t part = s.t / pieces + (i < s.t % pieces);
        double own = 0.5 * (double)part * ((double)part + 1.0);
        double rest = fmax(entries * (double)part / t - own, 0.0) / fmax((double)part, 1.0);
        RC_TRY(add(f, count, (rc_sequence){part, llround(rest)}, err));
    }
    return RC_OK;
}

/* Each so many times: the tokens that a step verifies. */
static rc_status add_decodes(rc_pass_forward *f, size_t *count, const rc_pass *pass, int rows,
                             rc_error *err) {
    int64_t each = pass->decodes ? (pass->context + pass->decodes - 1) / pass->decodes : 0;
    const int64_t longest = pass->longest > each ? pass->longest : each;
    const uint32_t dealt = (uint32_t)rc_schedule_dealt(f->schedule, f->layout.cp);
    const uint32_t many = dealt < pass->decodes ? dealt : pass->decodes; /* of the longest */
    const uint32_t rest = pass->decodes - many;
    if (rest > 0)
        each =
            (pass->context > many * longest ? pass->context - many * longest + rest - 1 : 0) / rest;
    for (uint32_t i = 0; i < pass->decodes; i++) {
        int64_t p = pass->contexts ? pass->contexts[i] : i < many ? longest : each;
        for (int row = 0; row < rows; row++)
            RC_TRY(add(f, count, (rc_sequence){1, p}, err));
    }
    return RC_OK;
}

/* Decodes by the mean of their contexts, prompts by as many score entries as a pattern leaves. */
static bool stands_for_others(const rc_pass_forward *f, const rc_pass *pass) {
    bool yes = pass->decodes > 1 && !pass->contexts;
    for (uint32_t i = 0; i < pass->prefills; i++)
        yes = yes || pass->prefill[i].t + pass->prefill[i].p > context_limit(f->serve);
    return yes;
}

/* Rows of the LM head: of each other group as many as of this one. */
static rc_elsewhere elsewhere_of(const rc_layout *l, const rc_pass *pass) {
    int64_t rows = (rc_layout_dp(l) - 1) * ((int64_t)pass->prefills + pass->decodes);
    return (rc_elsewhere){pass->elsewhere, rows < pass->elsewhere ? rows : pass->elsewhere};
}

static bool beyond_graphs(const rc_serve *s, uint32_t decodes) {
    return s->graph_count > 0 && decodes > s->graphs[s->graph_count - 1];
}

/* A pass with `rows` tokens of every sequence that decodes; good until the next one. */
static rc_status spec_of(rc_pass_forward *f, const rc_pass *pass, int rows, rc_spec *spec,
                         rc_error *err) {
    const bool prefill = pass->prefills > 0;
    *spec = (rc_spec){.model = f->own ? f->own : &f->serve->model,
                      .costs = f->costs,
                      .layout = f->layout,
                      .phase = !prefill            ? RC_DECODE
                               : pass->decodes > 0 ? RC_MIXED
                                                   : RC_PREFILL,
                      .schedule = f->schedule,
                      .eager = prefill || beyond_graphs(f->serve, pass->decodes),
                      .serial_ring = !prefill,
                      .verified = rows > 1 && pass->decodes > 0 ? rows : 0,
                      .what_if = f->what_if};
    for (uint32_t i = 0; i < pass->prefills; i++) {
        rc_sequence s = pass->prefill[i];
        s.t = s.t < f->layout.cp ? f->layout.cp : s.t; /* at least a token for every rank */
        RC_TRY(add_prompt(f, &spec->seq_count, s, err));
    }
    RC_TRY(add_decodes(f, &spec->seq_count, pass, rows, err));
    spec->elsewhere = elsewhere_of(&f->layout, pass);
    spec->stand_in = stands_for_others(f, pass);
    spec->seqs = f->seqs;
    return RC_OK;
}

/* `n` drafts behind such a pass, on top of what the pass costs so far. */
static rc_status add_drafts(rc_pass_forward *f, const rc_pass *pass, int n, rc_pass_cost *cost,
                            rc_error *err) {
    rc_spec spec;
    rc_forward_timing one;
    if (n == 0)
        return RC_OK;
    RC_TRY(spec_of(f, pass, 1, &spec, err));
    RC_TRY(rc_draft_time(f->draft_ctx, &spec, &f->serve->drafter, &one, err));
    const rc_time more = n * one.ticks;
    const double kept = (double)cost->time / (double)(cost->time + more);
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        cost->rests[b] = (float)(kept * (double)cost->rests[b] + (1.0 - kept) * one.busy_basis[b]);
    cost->time += more;
    return RC_OK;
}

rc_status rc_pass_forward_time(void *ctx, const rc_pass *pass, rc_pass_cost *out, rc_error *err) {
    rc_pass_forward *f = ctx;
    const int drafts = f->serve->drafts;
    rc_forward_timing result;
    rc_spec spec;
    *out = (rc_pass_cost){.time = 0};
    RC_TRY(spec_of(f, pass, drafts + 1, &spec, err));
    RC_TRY(rc_forward_time(f->ctx, &spec, &result, err));
    out->time = result.ticks;
    if (f->machine.power_window > 0.0) {
        out->saved = result.ticks - result.boost_ticks;
        out->wanted = (float)result.clock.wanted;
    }
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        out->rests[b] = (float)result.busy_basis[b];
    if (drafts == 0)
        return RC_OK;
    if (pass->prefills == 0)
        return add_drafts(f, pass, drafts, out, err);
    rc_pass steps = *pass;
    steps.prefills = 0;
    RC_TRY(add_drafts(f, pass, 1, out, err));
    return add_drafts(f, &steps, pass->decodes > 0 ? drafts - 1 : 0, out, err);
}
