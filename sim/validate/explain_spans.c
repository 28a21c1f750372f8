/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/validate/explain_spans.h"
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "sim/forward/pass_spans.h"
#include "sim/validate/explain_lines.h"

enum { T_PASS = 1, T_PARTS, T_ATTENTION, T_MESSAGES, PROCESSES = 4096, OWN = 2 };

uint32_t rc_run_process(size_t i) {
    return (uint32_t)i * PROCESSES;
}

rc_status rc_run_forecast_spans(const rc_measured_run *x, size_t i, const rc_spec *spec,
                                rc_spans *out, rc_error *err) {
    char named[128];
    (void)snprintf(named, sizeof named, "forecast of %s over %s, ", x->name, x->transport);
    const rc_pass_place at = {
        .process = rc_run_process(i) + OWN, .flow = (uint64_t)i << 32U, .named = named};
    return rc_pass_spans(spec, &at, out, NULL, NULL, err);
}

/* ---- parts end to end ------------------------------------------------------------------- */

typedef struct sheet {
    rc_spans *out;
    uint32_t process;
    bool forecast;
    int64_t at[T_MESSAGES + 1]; /* ps: where each thread has come to, */
    int64_t step;               /* and where the attention of the ring step begins */
} sheet;

static int64_t ps_of(const sheet *s, const rc_part_line *l) {
    double seconds = s->forecast ? l->forecast : l->measured;
    return isfinite(seconds) && seconds > 0.0 && seconds < 1e6 ? llround(seconds * 1e12) : 0;
}

static void add_part(sheet *s, uint32_t thread, const rc_part_line *l, const char *category) {
    int64_t took = ps_of(s, l);
    rc_span_args a = {.size = 0};
    if (took == 0)
        return;
    if (!s->forecast) {
        rc_args_real(&a, "least_us", 1e6 * l->least);
        rc_args_real(&a, "most_us", 1e6 * l->most);
    }
    if (l->spans > 0)
        rc_args_int(&a, "spans", l->spans);
    rc_spans_span(s->out, (rc_track){s->process, thread}, l->name, category, s->at[thread],
                  s->at[thread] + took, &a);
    s->at[thread] += took;
}

/* Steps stand under the attention of the layer: a message where the attention that it goes beside
 * begins, or behind the message before it. */
static void add_step(sheet *s, const rc_part_line *l) {
    bool message = strncmp(l->name, "send-recv", 9) == 0;
    if (message) {
        s->at[T_MESSAGES] = s->at[T_MESSAGES] < s->step ? s->step : s->at[T_MESSAGES];
        add_part(s, T_MESSAGES, l, "message");
        return;
    }
    s->step = s->at[T_ATTENTION];
    add_part(s, T_ATTENTION, l, "compute");
}

static void add_lines(sheet *s, const rc_measured_run *x, const rc_part_line *l, size_t n) {
    const rc_part_line whole = {.name = "whole pass",
                                .measured = x->measured,
                                .least = x->p10,
                                .most = x->p90,
                                .forecast = x->time[RC_BY_SIMULATION]};
    add_part(s, T_PASS, &whole, "pass");
    bool stepped = false;
    for (size_t i = 0; i < n; i++) {
        bool alone = strstr(l[i].name, "-alone-") != NULL;
        if (alone && !stepped) { /* attention begins here */
            s->at[T_ATTENTION] = s->at[T_MESSAGES] = s->step = s->at[T_PARTS];
            stepped = true;
        }
        if (alone)
            add_step(s, &l[i]);
        else if (!l[i].waits)
            add_part(s, T_PARTS, &l[i], l[i].communication ? "message" : "compute");
    }
}

static void name_sheet(const sheet *s, const rc_measured_run *x) {
    static const char *const threads[] = {[T_PASS] = "whole pass",
                                          [T_PARTS] = "parts, end to end",
                                          [T_ATTENTION] = "attention alone",
                                          [T_MESSAGES] = "message alone"};
    char name[160];
    (void)snprintf(name, sizeof name, "%s: %s over %s",
                   s->forecast ? "forecast by part" : "measured", x->name, x->transport);
    rc_spans_process(s->out, s->process, name);
    for (uint32_t t = T_PASS; t <= T_MESSAGES; t++)
        rc_spans_thread(s->out, (rc_track){s->process, t}, threads[t]);
}

void rc_runs_part_spans(const rc_runs *r, const char *pattern, rc_spans *out) {
    rc_part_line l[RC_PART_LINES];
    for (size_t i = 0; i < r->n; i++) {
        const rc_measured_run *x = &r->v[i];
        if (fnmatch(pattern, x->name, 0) != 0 || !x->parts)
            continue;
        size_t n = rc_part_lines(x, l);
        for (int k = 0; k < OWN; k++) {
            sheet s = {.out = out, .process = rc_run_process(i) + (uint32_t)k, .forecast = k == 1};
            name_sheet(&s, x);
            add_lines(&s, x, l, n);
        }
    }
}
