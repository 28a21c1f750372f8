/* What a server took, pass by pass, and whether the simulator composes the same passes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/beside/beside_players.h"

#include <inttypes.h>
#include <math.h>

static bool is_same(const rc_played_row *a, const rc_played_row *b) {
    return a->start == b->start && a->prompts == b->prompts &&
           a->prompt_tokens == b->prompt_tokens && a->decodes == b->decodes &&
           a->context == b->context && a->digest == b->digest;
}

/* Which of the things that say what a pass is differs first: a reader looks there. */
static const char *differs(const rc_played_row *a, const rc_played_row *b) {
    if (a->start != b->start)
        return "it starts at another time";
    if (a->prompts != b->prompts || a->prompt_tokens != b->prompt_tokens ||
        a->decodes != b->decodes || a->context != b->context)
        return "its counts differ";
    return "its counts are alike and its requests are not (digest)";
}

static rc_status parts(const rc_replayer *r, const rc_played_row *was, const rc_played_row *is,
                       rc_error *err) {
    return rc_fail_file(err, RC_E_CHECK, r->path,
                        "pass %zu of %zu parts from the run: %s; measured: at %.9f s, %" PRId64
                        " prompts of %" PRId64 " tokens, %" PRId64 " decodes over %" PRId64
                        " keys; simulated: at %.9f s, %" PRId64 " prompts of %" PRId64
                        " tokens, %" PRId64 " decodes over %" PRId64 " keys",
                        r->next + 1, r->log->count, differs(was, is),
                        (double)was->start / RC_PS_PER_S, was->prompts, was->prompt_tokens,
                        was->decodes, was->context, (double)is->start / RC_PS_PER_S, is->prompts,
                        is->prompt_tokens, is->decodes, is->context);
}

rc_status rc_replayer_pass(void *ctx, const rc_played_pass *pass, rc_time *took, rc_error *err) {
    rc_replayer *r = ctx;
    const rc_played_row is = rc_played_row_of(pass);
    if (r->next == r->log->count)
        return rc_fail_file(err, RC_E_INPUT, r->path,
                            "it ends after %zu passes, and the run needs more: the file is cut, or "
                            "is of another scenario",
                            r->log->count);
    const rc_played_row *was = &r->log->at[r->next];
    if (!is_same(was, &is))
        return parts(r, was, &is, err);
    r->costs[r->next] = (rc_beside_cost){pass->model_gpu, pass->model_host};
    r->next++;
    *took = was->took;
    return RC_OK;
}

rc_status rc_replayer_end(const rc_replayer *r, rc_error *err) {
    if (r->next == r->log->count)
        return RC_OK;
    return rc_fail_file(err, RC_E_INPUT, r->path,
                        "it has %zu passes, and the run is over after %zu: the file is of another "
                        "scenario",
                        r->log->count, r->next);
}

rc_status rc_retimer_pass(void *ctx, const rc_played_pass *pass, rc_time *took, rc_error *err) {
    const rc_retimer *r = ctx;
    const rc_played_row row = rc_played_row_of(pass);
    const rc_time gpu = llround(r->scale[rc_beside_kind_of(&row)] * (double)pass->model_gpu);
    (void)err;
    *took = gpu + r->host > 0 ? gpu + r->host : 1;
    return RC_OK;
}
