/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/validate/explain_lines.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

double rc_without_events(double seconds, int spans) {
    return fmax(seconds - RC_RUN_EVENTS * spans, 0.0);
}

static void add_line(rc_part_line *out, size_t *n, const char *name, const rc_over_ranks *measured,
                     const rc_over_ranks *forecast, int spans, bool communication) {
    if (measured->n == 0 && forecast->n == 0)
        return;
    rc_part_line *l = &out[(*n)++];
    *l = (rc_part_line){.measured =
                            rc_without_events(rc_over_ranks_value(measured, communication), spans),
                        .least = measured->n ? rc_without_events(measured->least, spans) : NAN,
                        .most = measured->n ? rc_without_events(measured->most, spans) : NAN,
                        .forecast = rc_over_ranks_value(forecast, communication),
                        .spans = spans,
                        .communication = communication};
    if (measured->n == 0)
        l->measured = NAN;
    snprintf(l->name, sizeof l->name, "%s", name);
}

static void add_steps(const rc_measured_run *x, rc_part_line *out, size_t *n) {
    const rc_run_parts *p = x->parts;
    for (int j = 0; j < RC_RUN_STEPS; j++) {
        char name[40];
        snprintf(name, sizeof name, "attention-alone-%d", j);
        add_line(out, n, name, &p[0].attention_alone[j], &p[1].attention_alone[j], x->layers,
                 false);
        snprintf(name, sizeof name, "send-recv-alone-%d", j);
        add_line(out, n, name, &p[0].message_alone[j], &p[1].message_alone[j], x->layers, true);
    }
}

/* A part's op is a span; all messages of an exchange are one. */
int rc_part_spans(const rc_measured_run *x, int part) {
    return part == RC_P_ALL2ALL ? x->layers : x->parts[1].calls[part];
}

/* What ops that follow one another come to: what a pass would take without ring messages and
 * launches to wait for. */
static double sum_of(const rc_part_line *l, size_t n, bool forecast) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        if (!l[i].beside)
            sum += forecast ? l[i].forecast : l[i].measured;
    return sum;
}

/* What is left of the pass: messages and launches that nothing hides, and gaps. */
static void add_exposed(const rc_measured_run *x, rc_part_line *out, size_t *n) {
    double measured = x->measured - sum_of(out, *n, false);
    rc_part_line *l = &out[*n];
    *l = (rc_part_line){.name = "exposed",
                        .measured = measured,
                        .least = measured - RC_KNOWN * x->measured, /* the sum is known no better */
                        .most = measured + RC_KNOWN * x->measured,
                        .forecast = x->time[RC_BY_SIMULATION] - sum_of(out, *n, true)};
    *n += 1;
}

/* In the order of a layer. */
size_t rc_part_lines(const rc_measured_run *x, rc_part_line out[RC_PART_LINES]) {
    static const rc_part order[] = {RC_P_NORM,      RC_P_QKV,        RC_P_ROTARY,  RC_P_ALL_GATHER,
                                    RC_P_ATTENTION, RC_P_SENDRECV,   RC_P_MERGE,   RC_P_ALL2ALL,
                                    RC_P_OUT,       RC_P_ALL_REDUCE, RC_P_GATE_UP, RC_P_SWIGLU,
                                    RC_P_DOWN,      RC_P_HOST};
    const rc_run_parts *p = x->parts;
    size_t n = 0;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        rc_part k = order[i];
        if (k == RC_P_ATTENTION)
            add_steps(x, out, &n);
        add_line(out, &n, rc_part_name(k), &p[0].part[k], &p[1].part[k], rc_part_spans(x, (int)k),
                 rc_part_is_comm(k));
    }
    for (size_t i = 0; i < n; i++) {
        bool host = strcmp(out[i].name, rc_part_name(RC_P_HOST)) == 0;
        out[i].waits = host || strcmp(out[i].name, rc_part_name(RC_P_SENDRECV)) == 0;
        out[i].beside = out[i].waits || strstr(out[i].name, "-alone-") != NULL;
    }
    add_exposed(x, out, &n);
    return n;
}
