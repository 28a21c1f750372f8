/* Where a rule changes its mind, as lines: marching squares over the plane of the picture.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include "sim/tune/tune_plots.h"

enum { SQUARES = 120, HALVINGS = 10, CORNERS = 4 };

typedef struct corner {
    double x, y;
    int pick; /* -1: outside of what the rule is asked about */
} corner;

typedef struct asker {
    const rc_tune *t;
    const rc_tune_rule *rule;
    const rc_tune_plane *plane;
    int ranks;
} asker;

static corner ask(const asker *a, double x, double y) {
    double length = a->plane->miss ? x / y : y;
    corner c = {x, y, -1};
    if (length >= x)
        c.pick = (int)rc_tune_decide(a->t, a->rule, x, length - x, 1, a->ranks);
    return c;
}

/* The place between two corners of different picks, on axes that are logarithmic. */
static corner between(const asker *a, corner from, corner to) {
    for (int i = 0; i < HALVINGS; i++) {
        corner middle = ask(a, sqrt(from.x * to.x), sqrt(from.y * to.y));
        if (middle.pick == from.pick)
            from = middle;
        else
            to = middle;
    }
    return from;
}

/* The line through one square: from the first of its edges with a change to the second. */
static void put_square(const asker *a, const corner c[CORNERS], FILE *data) {
    corner ends[CORNERS];
    int found = 0;
    for (int i = 0; i < CORNERS; i++) {
        const corner *next = &c[(i + 1) % CORNERS];
        if (c[i].pick >= 0 && next->pick >= 0 && c[i].pick != next->pick)
            ends[found++] = between(a, c[i], *next);
    }
    const double percent = a->plane->miss ? 100.0 : 1.0;
    for (int i = 0; i + 1 < found; i += 2)
        (void)fprintf(data, "%.6g %.6g\n%.6g %.6g\n\n", ends[i].x, percent * ends[i].y,
                      ends[i + 1].x, percent * ends[i + 1].y);
}

void rc_tune_plot_frontier(const rc_tune *t, const char *name, const rc_tune_plane *p, int ranks,
                           FILE *data) {
    int found = rc_tune_plot_rule(t, name);
    assert(p->x0 < p->x1 && p->y0 < p->y1);
    (void)fputs("1 -\n\n", data);
    for (int i = 0; found >= 0 && i < SQUARES; i++)
        for (int k = 0; k < SQUARES; k++) {
            const asker a = {t, &t->rule[found], p, ranks};
            const double x[] = {rc_plot_spaced(p->x0, p->x1, i, SQUARES + 1),
                                rc_plot_spaced(p->x0, p->x1, i + 1, SQUARES + 1)};
            const double y[] = {rc_plot_spaced(p->y0, p->y1, k, SQUARES + 1),
                                rc_plot_spaced(p->y0, p->y1, k + 1, SQUARES + 1)};
            const corner c[CORNERS] = {ask(&a, x[0], y[0]), ask(&a, x[1], y[0]),
                                       ask(&a, x[1], y[1]), ask(&a, x[0], y[1])};
            put_square(&a, c, data);
        }
    rc_plot_next(data);
}
