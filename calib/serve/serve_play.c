/* The scheduler's passes on the GPUs: pages, tokens, times, checks.
 *
 * All processes of a run have the same scheduler on the same trace. Rank 0's time of each pass
 * is everybody's, so that they never part and none has to be told what to compute.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/serve/serve_command.h"
#include "kernels/kernels.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ------------------------------------------------------------------------------------ */

/* What the GPUs do for the first time takes long, as connections between them and code that is loaded: prompts of every
 * power of two of tokens, and a decode step behind the last, before the run's time begins. They leave keys in
 * the first pages, which whoever gets these writes before anybody reads them. */
static rc_status warm_up(rc_serve_play *p, rc_error *err) {
    rc_serve_sequence s = {.pages = p->prepared.page_lists, .tokens = p->prepared.tokens};
    const rc_serve_shape *x = &p->engine.shape;
    int64_t most = x->most_tokens < x->longest ? x->most_tokens : x->longest;
    rc_serve_times times;
    const int64_t room = x->pages * rc_serve_page(x);
    most = most < room ? most : room;
    for (int64_t i = 0; i < p->engine.stride && i < x->pages; i++)
        p->prepared.page_lists[i] = (int32_t)i;
    for (int64_t t = 1; s.t < most; t *= 2) {
        s.t = t < most ? t : most;
        for (int ring = RC_SERVE_PASS_KV; ring <= RC_SERVE_PASS_Q && (ring == 0 || x->layer.cp > 1);
             ring++)
            RC_TRY(rc_served_model_pass(&p->engine, &s, 1, (rc_serve_ring)ring, &times, err));
    }
    s = (rc_serve_sequence){
        .t = 1, .p = most - 1, .pages = s.pages, .tokens = s.tokens, .decodes = true};
    return rc_served_model_pass(&p->engine, &s, 1, RC_SERVE_PASS_Q, &times, err);
}

rc_status rc_serve_play_open(rc_serve_play *p, const rc_serve *s, const rc_trace *t,
                             rc_error *err) {
    const rc_serve_shape *x = &p->engine.shape;
    RC_TRY(rc_serve_prepare_open(&p->prepared, s, t, x, err));
    p->checked = calloc((size_t)x->most_tokens + 1, sizeof *p->checked);
    if (!p->checked)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a run");
    return warm_up(p, err);
}

void rc_serve_play_close(rc_serve_play *p) {
    rc_served_model_close(&p->engine);
    rc_serve_prepare_close(&p->prepared);
    rc_played_log_free(&p->log);
    free(p->checked);
    memset(p, 0, sizeof *p);
}

/* ---- a pass ---------------------------------------------------------------------------------- */

static rc_status check_one(rc_serve_play *p, const rc_played_pass *pass, size_t i, rc_error *err) {
    const rc_played_sequence *s = &pass->at[i];
    const int64_t n = s->p + s->t;
    double error = NAN;
    for (int64_t k = 0; k < n; k++)
        p->checked[k] = rc_serve_token(&p->prepared.pages, s->request, k);
    RC_TRY(rc_served_model_check(&p->engine, p->checked, n, i, &error, err));
    /* Ranks have it to say one after the other, and none goes on before all have. */
    error = isnan(error) ? INFINITY : error;
    RC_TRY(rc_group_max(p->procs, &error, err));
    p->checks_done++;
    p->worst = error > p->worst ? error : p->worst;
    return error < RC_SERVE_CHECK_LIMIT
               ? RC_OK
               : rc_fail(err, RC_E_CHECK,
                         "pass %zu, request %llu, %s of %lld tokens behind %lld: off by %.3g",
                         p->log.count, (unsigned long long)s->request,
                         s->decodes ? "decode" : "prompt", (long long)s->t, (long long)s->p, error);
}

/* The first prompt and the last that decodes, where a reference has room for them. */
static rc_status check(rc_serve_play *p, const rc_played_pass *pass, rc_error *err) {
    bool of_kind[2] = {false, false};
    for (size_t n = 0; n < pass->count; n++) {
        const size_t i = pass->at[0].decodes ? pass->count - 1 - n : n;
        const rc_played_sequence *s = &pass->at[i];
        if (of_kind[s->decodes] || s->p + s->t > rc_serve_planned(&p->engine.shape))
            continue;
        of_kind[s->decodes] = true;
        RC_TRY(check_one(p, pass, i, err));
    }
    return RC_OK;
}

/* Which passes are checked: every one at first, then ever fewer, so that late ones are among them. */
static bool is_checked(const rc_serve_play *p) {
    const size_t n = p->log.count;
    return p->checks_done < p->checks && (n < 8 || n % 61 == 7);
}

static void wait_for(rc_serve_play *p, rc_time start) {
    if (!p->real_time)
        return;
    const double at = (double)start / RC_PS_PER_S;
    if (p->began == 0.0)
        p->began = rc_now() - at;
    const double nap = p->began + at - rc_now();
    if (nap > 0.0)
        rc_nap(nap);
}

static rc_serve_ring ring_of(const rc_played_pass *pass) {
    return pass->schedule && strcmp(pass->schedule->name, "pass-q") == 0 ? RC_SERVE_PASS_Q
                                                                         : RC_SERVE_PASS_KV;
}

rc_status rc_serve_play_pass(void *ctx, const rc_played_pass *pass, rc_time *took, rc_error *err) {
    rc_serve_play *p = ctx;
    rc_played_row row = rc_played_row_of(pass);
    rc_serve_times times;
    wait_for(p, pass->start);
    /* Behind a pass that has just ended, the scheduler's time since then belongs to this one. */
    const double from = p->log.count > 0 && pass->start == p->ended ? p->returned : rc_now();
    RC_TRY(rc_serve_prepare(&p->prepared, pass, err));
    RC_TRY(rc_served_model_pass(&p->engine, p->prepared.sequences, pass->count, ring_of(pass),
                                &times, err));
    row.took = llround((times.done - from - p->engine.captured_s) * RC_PS_PER_S);
    row.host = llround((times.launched - from - p->engine.captured_s) * RC_PS_PER_S);
    RC_TRY(rc_group_share(p->procs, &row.took, sizeof row.took, err));
    if (p->log.count % 64 == 0) {
        const rc_health h = rc_nvml_read(p->gpu->nvml);
        row.sm_mhz = h.sm_mhz;
        row.power_w = h.power_w;
    }
    if (is_checked(p))
        RC_TRY(check(p, pass, err));
    RC_TRY(rc_played_log_add(&p->log, &row, err));
    *took = row.took;
    p->ended = pass->start + row.took;
    p->returned = rc_now();
    return RC_OK;
}

void rc_serve_play_release(void *ctx, uint64_t request) {
    rc_serve_play *p = ctx;
    rc_serve_pages_release(&p->prepared.pages, request);
}
