/* How far apart the paper's own repeats lie, and intervals of what it would print.
 *
 * A forecast's p5..p95 is about what a pass takes. The paper prints what a pass took on one occasion,
 * and some of its passes it prints twice: those pairs say how much one occasion differs from another,
 * whatever anyone forecasts. So the interval that a printed figure is held against is that of the
 * forecast with that scatter on top, both in logarithms.
 *
 * Two figures are a repeat when they are of one kind and configuration and their forecasts are the
 * same to 0.5 %: the same pass printed by two tables, or messages of the same size. Two that agree to
 * the digit are one measurement, printed twice, and say nothing. The interval of a figure takes
 * nothing from pairs that it is one of: it knows nothing of what it will be held against.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/report/paper_internal.h"

#define SAME 0.005
#define Z_90 1.6448536269514722 /* half-width of p5..p95 in standard deviations of a normal */

rc_paper_kind rc_paper_kind_of(const rc_paper_row *r) {
    if (strcmp(r->unit, "us") == 0)
        return RC_PAPER_PART;
    if (strcmp(r->metric, "ttft") == 0)
        return RC_PAPER_TTFT;
    return strcmp(r->metric, "ttit") == 0 ? RC_PAPER_TTIT : RC_PAPER_KINDS;
}

static bool is_repeat(const rc_paper_row *a, const rc_paper_row *b) {
    return strcmp(a->metric, b->metric) == 0 && strcmp(a->config, b->config) == 0 &&
           strcmp(a->unit, b->unit) == 0 && a->schedule == b->schedule && a->paper != b->paper &&
           fabs(log(a->predicted / b->predicted)) <= SAME;
}

static bool counts(const rc_paper_row *r) {
    return r->duplicate_of < 0 && r->role != RC_ROLE_APPROX && r->role != RC_ROLE_BOUND &&
           r->paper > 0.0 && r->predicted > 0.0;
}

typedef struct scatter {
    double squares; /* of ln(one / other) over two: each of the two is off by its own */
    int pairs;
} scatter;

static void add_pair(scatter *s, double squares) {
    s->squares += squares;
    s->pairs++;
}

/* `all` by kind, `own` by row: the pairs that the row is one of. */
static void find_pairs(const rc_paper_row *rows, size_t count, scatter all[RC_PAPER_KINDS],
                       scatter *own) {
    for (size_t i = 0; i < count; i++) {
        rc_paper_kind kind = rc_paper_kind_of(&rows[i]);
        if (kind == RC_PAPER_KINDS || !counts(&rows[i]))
            continue;
        for (size_t k = 0; k < i; k++) {
            if (rc_paper_kind_of(&rows[k]) != kind || !counts(&rows[k]) ||
                !is_repeat(&rows[i], &rows[k]))
                continue;
            double apart = log(rows[i].paper / rows[k].paper), squares = 0.5 * apart * apart;
            add_pair(&all[kind], squares);
            add_pair(&own[i], squares);
            add_pair(&own[k], squares);
        }
    }
}

static double sigma(double squares, int pairs) {
    return pairs > 0 ? sqrt(fmax(squares, 0.0) / pairs) : 0.0;
}

static void widen(rc_paper_row *r, double by) {
    if (!(r->p5 > 0.0) || !(r->p95 > 0.0))
        return;
    r->p5 = r->predicted * exp(-hypot(log(r->predicted / r->p5), Z_90 * by));
    r->p95 = r->predicted * exp(hypot(log(r->p95 / r->predicted), Z_90 * by));
}

rc_status rc_paper_widen(rc_paper_row *rows, size_t count, rc_paper_repeats out[RC_PAPER_KINDS],
                         rc_error *err) {
    assert(rows != NULL || count == 0);
    scatter all[RC_PAPER_KINDS] = {{0}}, *own = calloc(count + 1, sizeof *own);
    if (!own)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    find_pairs(rows, count, all, own);
    for (int k = 0; k < RC_PAPER_KINDS; k++)
        out[k] = (rc_paper_repeats){sigma(all[k].squares, all[k].pairs), all[k].pairs};
    for (size_t i = 0; i < count; i++) {
        rc_paper_kind k = rc_paper_kind_of(&rows[i]);
        int first = rows[i].duplicate_of;
        const scatter *mine = &own[first >= 0 ? (size_t)first : i];
        if (k != RC_PAPER_KINDS)
            widen(&rows[i], sigma(all[k].squares - mine->squares, all[k].pairs - mine->pairs));
    }
    free(own);
    return RC_OK;
}
