/* ringcast forward --trace.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cli/forward_timeline.h"
#include "sim/forward/pass_spans.h"

rc_status rc_forward_timeline(const rc_spec *spec, const rc_scenario *s, const rc_forward *r,
                              const char *path, bool overwrite, rc_error *err) {
    rc_span_args head = {.size = 0};
    rc_spans *out = NULL;
    rc_time end = 0;
    rc_args_text(&head, "kind", "forward");
    rc_args_text(&head, "scenario", s->name);
    rc_pass_head(spec, &head);
    rc_args_int(&head, "time_ps", r->ticks);
    RC_TRY(rc_spans_open(path, overwrite, &head, &out, err));
    rc_status st = rc_staged_spans(spec, &s->staging, out, &end, err);
    if (st == RC_OK && end != r->ticks)
        st = rc_fail(err, RC_E_INTERNAL, "the timeline ends at %lld ps, the forecast at %lld ps",
                     (long long)end, (long long)r->ticks);
    return rc_spans_close(out, st, err);
}
