/* A scenario of serving.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include "library/lib_internal.h"
#include "sim/base/find.h"
#include "sim/serve/serve.h"

enum { PATH_LENGTH = 1024 };
#define PS 1e12 /* in a second */

static ringcast_latency latency_of(const rc_hist *h) {
    return (ringcast_latency){rc_hist_mean(h) / PS, rc_hist_quantile(h, 0.5) / PS,
                              rc_hist_quantile(h, 0.9) / PS, rc_hist_quantile(h, 0.95) / PS,
                              rc_hist_quantile(h, 0.99) / PS};
}

static rc_status play(const rc_serve *s, const rc_costs *costs, rc_serve_result *r, rc_error *err) {
    const rc_serve_options how = {.costs = costs, .seed = s->seed, .quiet = true, .threads = 1};
    rc_trace *trace = NULL;
    if (rc_serve_streams(s))
        return rc_serve_stream(s, 0.0, &how, r, err);
    RC_TRY(rc_serve_workload(s, how.seed, 0.0, &trace, err));
    rc_status st = rc_serve_run(s, trace, &how, r, err);
    rc_trace_free(trace);
    return st;
}

static rc_status serve(const char *scenario, const char *const *sets, size_t count,
                       rc_serve_result *r, rc_error *err) {
    char path[PATH_LENGTH];
    rc_costs *costs = NULL;
    rc_serve *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a scenario");
    rc_status st =
        rc_serve_load(rc_scenario_path(scenario, path, sizeof path), sets, count, s, err);
    if (st == RC_OK)
        st = rc_costs_open(NULL, &s->machine, &costs, err);
    if (st == RC_OK)
        st = play(s, costs, r, err);
    rc_costs_close(costs);
    free(s);
    return st;
}

ringcast_status ringcast_serve(const char *scenario, const char *const *sets, size_t count,
                               ringcast_served *out, ringcast_error *err) {
    rc_error why = {0};
    if (!scenario || !out || (count > 0 && !sets))
        return lib_bad(err, "ringcast_serve: NULL");
    rc_serve_result *r = calloc(1, sizeof *r);
    rc_status st = r ? serve(scenario, sets, count, r, &why)
                     : rc_fail(&why, RC_E_NOMEM, "out of memory for the results");
    if (st != RC_OK) {
        free(r);
        return lib_end(st, &why, err);
    }
    const ringcast_served own = {.requests = r->requests,
                                 .done = r->done,
                                 .rejected = r->rejected,
                                 .lost = r->lost,
                                 .makespan = (double)r->makespan / PS,
                                 .ttft = latency_of(&r->ttft),
                                 .ttit = latency_of(&r->ttit),
                                 .goodput = r->objective_count > 0 ? r->goodput : 0.0,
                                 .within_slo = r->objective_count > 0 ? r->within_slo : 0,
                                 .mfu = r->mfu,
                                 .gpu_hours = r->gpu_hours,
                                 .cost = r->cost};
    free(r);
    return lib_give(out, out->size, &own, sizeof own, err);
}
