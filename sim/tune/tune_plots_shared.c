/* What the pictures of a tuning run share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/tune/tune_plots.h"

enum { MAX_SHOWN = 40 }; /* points of an axis that are drawn */

int rc_tune_plot_rule(const rc_tune *t, const char *name) {
    for (int i = 0; i < t->rules; i++)
        if (strcmp(t->rule[i].name, name) == 0)
            return i;
    return -1;
}

static int step_of(const rc_tune_axis *a) {
    return (a->points + MAX_SHOWN - 1) / MAX_SHOWN;
}

double rc_tune_plot_tile(const rc_tune_axis *a) {
    assert(a->points > 1 && a->from < a->to);
    return pow((double)a->to / (double)a->from, 0.5 * step_of(a) / (a->points - 1));
}

static bool shown_on(const rc_tune_axis *a, int64_t v) {
    assert(v >= a->from && v <= a->to);
    int step = step_of(a);
    double at = log((double)v / (double)a->from) / log((double)a->to / (double)a->from);
    return llround(at * (a->points - 1)) % step == 0;
}

bool rc_tune_plot_shown(const rc_tune *t, size_t cell) {
    assert(cell < t->count);
    const rc_tune_cell *c = &t->cells[cell];
    return c->batch == 0 && shown_on(&t->s.fresh, c->t) && shown_on(&t->s.total, c->t + c->p);
}

void rc_tune_plot_title(const rc_tune *t, FILE *script, const char *title) {
    const rc_machine *m = &t->s.machine;
    (void)fputs("set label 98 ", script);
    rc_plot_text(script, "%s", title);
    (void)fputs(" at screen 0.5, screen 0.972 center font ',17'\nset label 99 ", script);
    rc_plot_text(script, "%s: %s", m->name, m->description);
    (void)fputs(" at screen 0.5, screen 0.937 center font ',12' textcolor rgb '#666666'\n", script);
}
