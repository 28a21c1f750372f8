/* The picture of a sweep: lines over one column, one a series, one panel a value of another column.
 * The expressions of the file's `plot` section are SQL over the columns of table `point`; of
 * several rows of one place the best one counts (`best`: least or most), so that a sweep over
 * variants shows what a good choice reaches.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include "sim/sweep/sweep_internal.h"
#include "sim/plot/gnuplot.h"
#include "sim/plot/plot_axes.h"

enum {
    MAX_LINES = 24,
    MAX_PANELS = 9,
    MAX_TICS = 10,
    LABEL = 80,
    PANEL_HEIGHT = 480, /* pixels, as what follows */
    PANELS_WIDTH = 1500,
    LEGEND_SAMPLE =
        70, /* of a legend beside several panels: a sample with its margins, a character */
    LEGEND_CHARACTER = 11
};
static const double LEAST_LEGEND = 0.15, MOST_LEGEND = 0.3; /* shares of the width */

typedef struct plot_line {
    int panel;
    char label[LABEL];
    size_t first, count; /* of points */
} plot_line;

typedef struct picture {
    const rc_sweep *s;
    char name[RC_PLOT_STEM];
    char panels[MAX_PANELS][LABEL];
    int panel_count;
    plot_line lines[MAX_LINES * MAX_PANELS];
    int line_count;
    struct {
        double x, y;
    } * points;
    size_t point_count, point_room;
} picture;

/* ---- rows ---------------------------------------------------------------------------------- */

static rc_status add_point(picture *p, double x, double y, rc_error *err) {
    assert(p->line_count > 0);
    if (p->point_count == p->point_room) {
        size_t room = p->point_room ? 2 * p->point_room : 256;
        void *grown = realloc(p->points, room * sizeof p->points[0]);
        if (!grown)
            return rc_fail(err, RC_E_NOMEM, "out of memory for a plot");
        p->points = grown;
        p->point_room = room;
    }
    p->points[p->point_count].x = x;
    p->points[p->point_count].y = y;
    p->point_count++;
    p->lines[p->line_count - 1].count++;
    return RC_OK;
}

/* A number without the noise of its last digits, or a text; K and M where tokens are round. */
static void label_of(sqlite3_stmt *q, int column, char *out) {
    if (sqlite3_column_type(q, column) == SQLITE_TEXT)
        (void)snprintf(out, LABEL, "%.70s", (const char *)sqlite3_column_text(q, column));
    else
        (void)snprintf(out, LABEL, "%.6g", sqlite3_column_double(q, column));
}

static rc_status add_row(picture *p, sqlite3_stmt *q, rc_error *err) {
    char panel[LABEL] = "", series[LABEL] = "";
    if (p->s->plot.panel)
        label_of(q, 0, panel);
    if (p->s->plot.series)
        label_of(q, 1, series);
    bool new_panel = p->panel_count == 0 || strcmp(p->panels[p->panel_count - 1], panel) != 0;
    if (new_panel && p->panel_count == MAX_PANELS)
        return rc_fail(err, RC_E_INPUT, "plot: more than %d panels", MAX_PANELS);
    if (new_panel)
        memcpy(p->panels[p->panel_count++], panel, LABEL);
    plot_line *last = p->line_count > 0 ? &p->lines[p->line_count - 1] : NULL;
    if (new_panel || !last || strcmp(last->label, series) != 0) {
        if (p->line_count == MAX_LINES * MAX_PANELS)
            return rc_fail(err, RC_E_INPUT, "plot: more than %d lines", p->line_count);
        last = &p->lines[p->line_count++];
        *last = (plot_line){.panel = p->panel_count - 1, .first = p->point_count};
        memcpy(last->label, series, LABEL);
    }
    return add_point(p, sqlite3_column_double(q, 2), sqlite3_column_double(q, 3), err);
}

/* A file says what is drawn in SQL. It may read columns of the sweep and call functions, and nothing else: no other
 * statement, no other table, no file. */
static int may_only_read(void *unused, int action, const char *a, const char *b,
                         const char *database, const char *trigger) {
    (void)unused, (void)database, (void)trigger;
    if (action == SQLITE_READ)
        return a && strcmp(a, "point") == 0 ? SQLITE_OK : SQLITE_DENY;
    if (action == SQLITE_FUNCTION)
        return b && strcmp(b, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    return action == SQLITE_SELECT ? SQLITE_OK : SQLITE_DENY;
}

enum { MOST_TEXT = 1 << 20 }; /* bytes of a text that an expression makes */

static rc_status select_rows(picture *p, sqlite3 *db, rc_error *err) {
    (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, MOST_TEXT);
    (void)sqlite3_set_authorizer(db, may_only_read, NULL);
    const sweep_plot *d = &p->s->plot;
    sqlite3_stmt *q = NULL;
    char *text = sqlite3_mprintf(
        "SELECT a, b, c, %s(d) FROM (SELECT point, (%s) AS a, (%s) AS b, (%s) AS c, (%s) AS d FROM "
        "point WHERE status = 'ok' AND (%s)) GROUP BY a, b, c ORDER BY min(min(point)) OVER "
        "(PARTITION BY a), min(min(point)) OVER (PARTITION BY b), c",
        d->most ? "max" : "min", d->panel ? d->panel : "1", d->series ? d->series : "1", d->x, d->y,
        d->where ? d->where : "1");
    if (!text)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a plot");
    int code = sqlite3_prepare_v2(db, text, -1, &q, NULL);
    sqlite3_free(text);
    if (code != SQLITE_OK)
        return rc_fail(err, RC_E_INPUT,
                       "plot: %s (x, y, series, panel and where are SQL over the "
                       "columns of a sweep)",
                       sqlite3_errmsg(db));
    rc_status st = RC_OK;
    while (st == RC_OK && (code = sqlite3_step(q)) == SQLITE_ROW)
        st = add_row(p, q, err);
    if (st == RC_OK && code != SQLITE_DONE)
        st = rc_fail(err, RC_E_IO, "plot: %s", sqlite3_errmsg(db));
    if (st == RC_OK && p->point_count == 0)
        st = rc_fail(err, RC_E_INPUT, "plot: no row to draw");
    (void)sqlite3_finalize(q);
    return st;
}

/* ---- drawing ------------------------------------------------------------------------------- */

/* Each value of x, when they are few: ranks and rates are seldom decades. */
static size_t distinct_x(const picture *p, double *x) {
    size_t n = 0;
    for (size_t i = 0; i < p->point_count; i++) {
        size_t k = 0;
        while (k < n && x[k] != p->points[i].x)
            k++;
        if (k == MAX_TICS && k == n)
            return 0;
        if (k == n)
            x[n++] = p->points[i].x;
    }
    return n;
}

typedef struct range {
    double lo, hi;
} range;

static range range_of(const picture *p, bool y) {
    range r = {INFINITY, -INFINITY};
    for (size_t i = 0; i < p->point_count; i++) {
        const double at = y ? p->points[i].y : p->points[i].x;
        r.lo = fmin(r.lo, at);
        r.hi = fmax(r.hi, at);
    }
    return r;
}

static void draw_x(const picture *p, FILE *f) {
    double x[MAX_TICS];
    const range r = range_of(p, false);
    const size_t n = distinct_x(p, x);
    if (p->s->plot.logx && r.lo > 0.0 && r.lo < r.hi)
        rc_plot_log_axis(f, 'x', r.lo / 1.08, r.hi * 1.08);
    else
        (void)fputs("set format x '%.0s%c'\n", f);
    for (size_t i = 0; i < n; i++) {
        char label[32];
        rc_plot_tic(x[i], label, sizeof label);
        (void)fprintf(f, "%s'%.12s' %.10g", i ? ", " : "set xtics (", label, x[i]);
    }
    (void)fputs(n > 0 ? ")\n" : "", f);
}

/* One scale in all panels: what looks higher is higher. */
static void draw_axes(const picture *p, FILE *f) {
    const sweep_plot *d = &p->s->plot;
    const range r = range_of(p, true);
    draw_x(p, f);
    if (d->logy && r.lo > 0.0 && r.lo < r.hi)
        rc_plot_log_axis(f, 'y', r.lo / 1.15, r.hi * 1.15);
    else
        (void)fprintf(f, "set format y '%%g'\nset yrange [%.6g:%.6g]\n",
                      r.lo < 0.0 ? r.lo * 1.05 : 0.0, r.hi > 0.0 ? r.hi * 1.05 : 1.0);
    (void)fputs("set xlabel ", f);
    rc_plot_text(f, "%s", d->xlabel ? d->xlabel : d->x);
    (void)fputs("\nset ylabel ", f);
    rc_plot_text(f, "%s", d->ylabel ? d->ylabel : d->y);
    (void)fputs("\n", f);
}

/* One colour a series in all panels. */
static int line_type(const picture *p, int i) {
    assert(i >= 0 && i < p->line_count);
    int type = 1;
    for (int k = 0; k < i; k++) {
        bool seen = false;
        for (int j = 0; j < k && !seen; j++)
            seen = strcmp(p->lines[j].label, p->lines[k].label) == 0;
        if (strcmp(p->lines[k].label, p->lines[i].label) == 0)
            return type;
        type += !seen;
    }
    return type;
}

/* Lines that lie on each other are told apart by dashes and by the shape of their points. */
static void put_style(FILE *f, int type) {
    static const int shape[] = {7, 5, 9, 13, 11, 15};
    (void)fprintf(f, " with linespoints lt %d dt %d pt %d ps 0.9 ", type, type % 2 ? 1 : 2,
                  shape[(type - 1) % (int)(sizeof shape / sizeof shape[0])]);
}

static void put_title(const picture *p, int line, FILE *f) {
    if (!p->s->plot.series) {
        (void)fputs("notitle", f);
        return;
    }
    (void)fputs("title ", f);
    rc_plot_text(f, "%s", p->lines[line].label);
}

/* Beside several panels: every series, once. */
static void put_legend(const picture *p, FILE *f) {
    int most = 0;
    for (int i = 0; i < p->line_count && p->s->plot.series; i++) {
        const int type = line_type(p, i);
        if (type <= most)
            continue;
        most = type;
        (void)fputs("NaN", f);
        put_style(f, type);
        put_title(p, i, f);
        (void)fputs(", ", f);
    }
}

static void draw_panel(const picture *p, int panel, bool alone, FILE *f) {
    const char *separator = "";
    if (!alone && p->s->plot.panel) {
        (void)fputs("set title ", f);
        rc_plot_text(f, "%s", p->panels[panel]);
        (void)fputs("\n", f);
    }
    (void)fputs("plot ", f);
    if (!alone && panel == 0)
        put_legend(p, f);
    for (int i = 0; i < p->line_count; i++) {
        if (p->lines[i].panel != panel)
            continue;
        (void)fprintf(f, "%s'%s.dat' index %d using 1:2", separator, p->name, i);
        put_style(f, line_type(p, i));
        if (alone)
            put_title(p, i, f);
        else
            (void)fputs("notitle", f);
        separator = ", ";
    }
    (void)fputs(alone ? "\n" : "\nunset label\nset key off\n", f);
}

/* Rows and columns of the panels. */
static int columns_of(const picture *p) {
    if (p->panel_count > 4)
        return 3;
    return p->panel_count > 3 ? 2 : p->panel_count;
}

static int rows_of(const picture *p) {
    return (p->panel_count + columns_of(p) - 1) / columns_of(p);
}

/* Share of the picture's width that a legend beside the panels takes: by its longest label. */
static double legend_width(const picture *p) {
    size_t longest = 0;
    for (int i = 0; i < p->line_count && p->s->plot.series; i++) {
        size_t n = strlen(p->lines[i].label);
        longest = n > longest ? n : longest;
    }
    double width = (LEGEND_SAMPLE + LEGEND_CHARACTER * (double)longest) / PANELS_WIDTH;
    return fmin(fmax(width, LEAST_LEGEND), MOST_LEGEND);
}

/* A title above the panels, and the legend beside them. Heights are shares of the picture, whose rows
 * of panels are PANEL_HEIGHT high. */
static void begin_panels(const picture *p, const char *title, FILE *f) {
    const double height = PANEL_HEIGHT * rows_of(p), top = 1.0 - 85.0 / height;
    const double right = 1.0 - legend_width(p);
    (void)fputs("set label 1 ", f);
    rc_plot_text(f, "%s", title);
    (void)fprintf(f,
                  " at screen 0.5, screen %.4g center font ',18'\n"
                  "set key at screen %.4g, screen %.4g left top samplen 2.5\n"
                  "set title font ',14' offset 0,-0.4\n"
                  "set multiplot layout %d,%d margins 0.065,%.4g,%.4g,%.4g spacing 0.065,%.4g\n",
                  1.0 - 25.0 / height, right + 0.012, top, rows_of(p), columns_of(p), right,
                  80.0 / height, top, 125.0 / height);
}

static void draw(const void *ctx, FILE *script, FILE *data) {
    const picture *p = ctx;
    const char *title = p->s->plot.title ? p->s->plot.title : p->s->name;
    for (int i = 0; i < p->line_count; i++) {
        for (size_t k = 0; k < p->lines[i].count; k++)
            (void)fprintf(data, "%.10g %.8g\n", p->points[p->lines[i].first + k].x,
                          p->points[p->lines[i].first + k].y);
        rc_plot_next(data);
    }
    (void)fputs("set linetype 7 lc rgb '#999999' lw 2.5 pt 7 ps 1.1\n"
                "set linetype 8 lc rgb '#000000' lw 2.5 pt 7 ps 1.1\n",
                script);
    draw_axes(p, script);
    (void)fprintf(script, "set key %s\n", p->s->plot.key);
    const bool alone = p->panel_count == 1;
    if (alone) {
        (void)fputs("set title ", script);
        if (p->s->plot.panel)
            rc_plot_text(script, "%s: %s", title, p->panels[0]);
        else
            rc_plot_text(script, "%s", title);
        (void)fputs("\n", script);
    } else {
        begin_panels(p, title, script);
    }
    for (int i = 0; i < p->panel_count; i++)
        draw_panel(p, i, alone, script);
    if (!alone)
        (void)fputs("unset multiplot\n", script);
}

rc_status rc_sweep_plot_check(const rc_sweep *s, const char *dir, bool overwrite, rc_error *err) {
    char stem[RC_PLOT_STEM];
    if (!s->has_plot)
        return rc_fail(err, RC_E_INPUT, "sweep '%s' has no section 'plot' to draw by", s->name);
    rc_plot_stem(s->name, stem);
    const char *const stems[] = {stem, NULL};
    return rc_plot_check(stems, dir, overwrite, err);
}

rc_status rc_sweep_plot(const rc_sweep *s, const char *database, const char *dir, bool overwrite,
                        bool *drawn, rc_error *err) {
    sqlite3 *db = NULL;
    *drawn = false;
    if (!s->has_plot)
        return rc_fail(err, RC_E_INPUT, "sweep '%s' has no section 'plot' to draw by", s->name);
    picture *p = calloc(1, sizeof *p);
    if (!p)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a plot");
    p->s = s;
    rc_plot_stem(s->name, p->name);
    rc_status st = RC_OK;
    if (sqlite3_open_v2(database, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        st = rc_fail_file(err, RC_E_IO, database, "cannot open: %s", sqlite3_errmsg(db));
    if (st == RC_OK)
        st = select_rows(p, db, err);
    (void)sqlite3_close(db);
    if (st == RC_OK) {
        const rc_plot plot = {.name = p->name,
                              .width = p->panel_count > 1 ? PANELS_WIDTH : 1000,
                              .height = p->panel_count > 1 ? PANEL_HEIGHT * rows_of(p) : 620,
                              .draw = draw};
        st = rc_gnuplot(&plot, 1, p, dir, overwrite, drawn, err);
    }
    free(p->points);
    free(p);
    return st;
}
