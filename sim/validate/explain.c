/* Why a forecast is off: the parts of a run beside those of its forecast.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/quantile.h"
#include "sim/base/table.h"
#include "sim/validate/explain_lines.h"

/* Medians that count are known to 2 %, and a part that moves the pass by less than half a per cent
 * is no place to look at. */
#define MATTERS 0.005

static bool taken(const rc_measured_run *x, const char *pattern) {
    return fnmatch(pattern, x->name, 0) == 0;
}

/* ---- one run, line by line ------------------------------------------------------------------- */

/* Whether the forecast leaves what is known of the measured part, by so much that it matters. */
static bool apart(const rc_part_line *l, double whole) {
    double off = fabs(l->forecast - l->measured);
    double known = RC_KNOWN * fmax(l->measured, 0.0);
    bool outside = l->forecast < l->least - known || l->forecast > l->most + known;
    return isfinite(off) && outside && off > MATTERS * whole && !l->waits;
}

static double error_pct(double forecast, double measured) {
    return measured > 0.0 ? 100.0 * (forecast / measured - 1.0) : NAN;
}

static void explain_line(rc_table *t, const rc_part_line *l, double whole) {
    rc_table_text(t, l->name);
    rc_table_real(t, 1e6 * l->measured, 1);
    rc_table_real(t, 1e6 * l->least, 1);
    rc_table_real(t, 1e6 * l->most, 1);
    rc_table_real(t, 1e6 * l->forecast, 1);
    rc_table_real(t, error_pct(l->forecast, l->measured), 1);
    rc_table_real(t, 100.0 * (l->forecast - l->measured) / whole, 2);
    if (l->spans > 0)
        rc_table_int(t, l->spans);
    else
        rc_table_missing(t);
    rc_table_text(t, apart(l, whole) ? "apart" : "");
}

static rc_status explain_lines(const rc_measured_run *x, const rc_part_line *l, size_t n, FILE *f,
                               rc_error *err) {
    static const rc_column columns[] = {
        {"part", "part", "", RC_LEFT},
        {"measured_us", "measured", "us", RC_RIGHT},
        {"least_us", "least", "us", RC_RIGHT},
        {"most_us", "most", "us", RC_RIGHT},
        {"forecast_us", "forecast", "us", RC_RIGHT},
        {"error_pct", "error", "%", RC_RIGHT},
        {"of_whole_pct", "of whole", "%", RC_RIGHT},
        {"spans", "spans", "", RC_RIGHT},
        {"note", "note", "", RC_LEFT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(t, "%s over %s on %s", x->name, x->transport, x->machine);
    for (size_t i = 0; i < n; i++)
        explain_line(t, &l[i], x->measured);
    rc_part_line whole = {
        .name = "whole", .measured = x->measured, .forecast = x->time[RC_BY_SIMULATION]};
    whole.least = x->p10, whole.most = x->p90;
    explain_line(t, &whole, x->measured);
    return rc_table_finish(t, false, f, err);
}

static void say_apart(FILE *f, const char *where, const rc_part_line *l) {
    double pct = error_pct(l->forecast, l->measured);
    if (isfinite(pct))
        (void)fprintf(f, "%s at %s (%+.1f %%)", where, l->name, pct);
    else
        (void)fprintf(f, "%s at %s (%+.1f us)", where, l->name, 1e6 * (l->forecast - l->measured));
}

static void explain_end(const rc_measured_run *x, const rc_part_line *l, size_t n, FILE *f) {
    const rc_part_line *first = NULL, *largest = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!apart(&l[i], x->measured))
            continue;
        first = first ? first : &l[i];
        if (!largest ||
            fabs(l[i].forecast - l[i].measured) > fabs(largest->forecast - largest->measured))
            largest = &l[i];
    }
    if (isfinite(x->sm_mhz))
        (void)fprintf(f, "# clock: measured %.0f MHz", x->sm_mhz);
    else
        (void)fputs("# clock: measured not known", f);
    if (isfinite(x->forecast_mhz))
        (void)fprintf(f, ", forecast %.0f MHz\n", x->forecast_mhz);
    else
        (void)fputs(", forecast without one\n", f);
    if (first) {
        say_apart(f, "# they part first", first);
        say_apart(f, ", most", largest);
        (void)fputc('\n', f);
    } else {
        (void)fputs("# no part is further off than is known of it\n", f);
    }
}

rc_status rc_runs_explain(const rc_runs *r, const char *pattern, FILE *f, rc_error *err) {
    assert(pattern != NULL && f != NULL);
    rc_part_line l[RC_PART_LINES];
    size_t told = 0;
    (void)fputs(
        "# mean of the ranks; of communication the least, for a rank waits in it for the others\n",
        f);
    for (size_t i = 0; i < r->n; i++) {
        const rc_measured_run *x = &r->v[i];
        if (!taken(x, pattern))
            continue;
        if (told++)
            (void)fputc('\n', f);
        size_t n = rc_part_lines(x, l);
        RC_TRY(explain_lines(x, l, n, f, err));
        explain_end(x, l, n, f);
        if (x->why[0])
            (void)fprintf(f, "# no forecast: %s\n", x->why);
    }
    if (told == 0)
        return rc_fail(err, RC_E_INPUT, "no run has a name like \"%s\"", pattern);
    return RC_OK;
}

/* ---- many runs, part by part ----------------------------------------------------------------- */

/* What is told of one part in all runs of a transport and a regime. */
typedef struct group {
    size_t n;
    double *off, *signs, *share, *moves, *span; /* of the runs that have it, room for all */
} group;

static const char *const lumps[] = {"attention-alone-0", "attention-alone-1+", "send-recv-alone-0",
                                    "send-recv-alone-1+"};
enum { LUMPS = 4, KINDS = RC_P_COUNT + LUMPS + 2 };
/* Kinds: parts, steps alone, the whole, and last the clock, whose figures are MHz. */
enum { CLOCK = KINDS - 1, WHOLE = KINDS - 2 };

static const char *kind_name(int k) {
    if (k < RC_P_COUNT)
        return rc_part_name((rc_part)k);
    if (k == CLOCK)
        return "clock";
    return k < RC_P_COUNT + LUMPS ? lumps[k - RC_P_COUNT] : "whole";
}

/* Of kind k: seconds measured and forecast, and its spans. False: the run lacks it. */
static bool figure(const rc_measured_run *x, int k, double *measured, double *forecast,
                   int *spans) {
    const rc_run_parts *p = x->parts;
    *measured = *forecast = 0, *spans = 0;
    if (k == WHOLE) {
        *measured = x->measured, *forecast = x->time[RC_BY_SIMULATION];
    } else if (k == CLOCK) {
        *measured = x->sm_mhz, *forecast = x->forecast_mhz;
    } else if (k < RC_P_COUNT) {
        bool comm = rc_part_is_comm((rc_part)k);
        *measured = rc_over_ranks_value(&p[0].part[k], comm);
        *forecast = rc_over_ranks_value(&p[1].part[k], comm);
        *spans = rc_part_spans(x, k);
    } else {
        int lump = k - RC_P_COUNT;
        bool message = lump >= 2, later = lump % 2 == 1;
        for (int j = later ? 1 : 0; j < (later ? RC_RUN_STEPS : 1); j++) {
            const rc_over_ranks *m = message ? &p[0].message_alone[j] : &p[0].attention_alone[j];
            const rc_over_ranks *s = message ? &p[1].message_alone[j] : &p[1].attention_alone[j];
            if (m->n == 0 || s->n == 0)
                continue;
            *measured += rc_over_ranks_value(m, message);
            *forecast += rc_over_ranks_value(s, message);
            *spans += x->layers;
        }
    }
    *measured = rc_without_events(*measured, *spans);
    return isfinite(*measured) && isfinite(*forecast) && *measured > 0;
}

static void add_to_group(group *g, const rc_measured_run *x, int k) {
    double measured, forecast;
    int spans;
    if (!figure(x, k, &measured, &forecast, &spans))
        return;
    g->signs[g->n] = error_pct(forecast, measured);
    g->off[g->n] = fabs(g->signs[g->n]);
    g->share[g->n] = k == CLOCK ? NAN : 100.0 * measured / x->measured;
    g->moves[g->n] = k == CLOCK ? NAN : 100.0 * (forecast - measured) / x->measured;
    g->span[g->n] = spans > 0 ? 1e6 * measured / spans : NAN;
    g->n++;
}

static double mean(const double *v, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return sum / (double)n;
}

static double middle(double *v, size_t n, double q) {
    if (!isfinite(v[0]))
        return NAN;
    rc_sort(v, n);
    return rc_quantile(v, n, q);
}

static void group_row(rc_table *t, group *g, const char *transport, const char *regime, int k) {
    if (g->n == 0)
        return;
    rc_table_text(t, transport);
    rc_table_text(t, regime);
    rc_table_text(t, kind_name(k));
    rc_table_int(t, (int64_t)g->n);
    rc_table_real(t, mean(g->signs, g->n), 2);
    rc_table_real(t, mean(g->moves, g->n), 2);
    rc_table_real(t, middle(g->off, g->n, 0.5), 2);
    rc_table_real(t, middle(g->off, g->n, 0.95), 2);
    rc_table_real(t, middle(g->share, g->n, 0.5), 1);
    rc_table_real(t, middle(g->span, g->n, 0.5), 1);
}

static void class_rows(const rc_runs *r, const char *pattern, const char *transport,
                       const char *regime, rc_table *t, double *room) {
    for (int k = 0; k < KINDS; k++) {
        group g = {0, room, room + r->n, room + 2 * r->n, room + 3 * r->n, room + 4 * r->n};
        for (size_t i = 0; i < r->n; i++) {
            const rc_measured_run *x = &r->v[i];
            if (taken(x, pattern) && strcmp(x->transport, transport) == 0 &&
                strcmp(rc_run_regime(x), regime) == 0)
                add_to_group(&g, x, k);
        }
        group_row(t, &g, transport, regime, k);
    }
}

rc_status rc_runs_explain_parts(const rc_runs *r, const char *pattern, FILE *f, rc_error *err) {
    assert(pattern != NULL && f != NULL);
    static const rc_column columns[] = {
        {"transport", "transport", "", RC_LEFT}, {"kind", "kind", "", RC_LEFT},
        {"part", "part", "", RC_LEFT},           {"runs", "runs", "", RC_RIGHT},
        {"signed_pct", "signed", "%", RC_RIGHT}, {"of_whole_pct", "of whole", "%", RC_RIGHT},
        {"median_pct", "median", "%", RC_RIGHT}, {"p95_pct", "95th", "%", RC_RIGHT},
        {"share_pct", "share", "%", RC_RIGHT},   {"span_us", "a span", "us", RC_RIGHT},
    };
    const char *transports[RC_RUN_TRANSPORTS];
    size_t n = rc_runs_transports(r, transports);
    double *room = calloc(5 * r->n + 1, sizeof *room);
    if (!room)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(
        t,
        "forecast over run by part; `of whole`: by how much of the pass the part is off; %.1f "
        "us a span taken off for events",
        1e6 * RC_RUN_EVENTS);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < RC_RUN_REGIMES; k++)
            class_rows(r, pattern, transports[i], rc_run_regimes[k], t, room);
    free(room);
    return rc_table_finish(t, false, f, err);
}
