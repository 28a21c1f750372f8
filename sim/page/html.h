/* HTML, block by block. Everything that these functions are given is text and is escaped, but for
 * the names of classes and figures, which are constants of the source.
 *
 * Tables are sorted and figures drawn by the scripts of the page (page.js and those beside it):
 * a number has its value in `data-v`, a figure its data as JSON in a script element that no browser
 * runs. Without scripts sentences and tables are all there.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_PAGE_HTML_H
#define RC_PAGE_HTML_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

void html_text(FILE *f, const char *s);

/* <p class="kind">...</p>; what the format makes is escaped as a whole. */
void html_say(FILE *f, const char *kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void html_heading(FILE *f, const char *text); /* of a part of a section */

typedef struct html_column {
    const char *name;
    bool number;
} html_column;
/* A table that sorts. Rows: html_row, then a cell for each column. */
void html_table(FILE *f, const char *caption, const html_column *columns, size_t count);
#define HTML_TABLE(f, caption, columns)                                                            \
    html_table(f, caption, columns, sizeof(columns) / sizeof(columns)[0])
void html_row(FILE *f, bool marked); /* marked: the one that the section is about */
void html_cell(FILE *f, const char *text);
void html_cell_real(FILE *f, double v, int digits); /* not finite: an empty cell */
void html_cell_bar(FILE *f, double share);          /* 0 to 1, as a bar with its per cent */
void html_table_end(FILE *f);

/* Parts of a whole, as one bar with a legend: an object of numbers, or of what `of` of each. */
void html_stack(FILE *f, const char *caption, const json_t *parts);
/* A figure that scripts draw, by its kind: "plot", "ring", "map". Takes over `data`, which may be
 * NULL (out of memory): then there is no figure. */
void html_figure(FILE *f, const char *kind, const char *caption, json_t *data);

/* ---- data of a plot ---- */
typedef struct html_axis {
    const char *name;
    bool log;
} html_axis;
json_t *plot_data(const html_axis *x, const html_axis *y); /* NULL when out of memory */
/* A series, drawn as a line or as points; borrowed from the plot. NULL plots are ignored, as are
 * points that are not finite, or not positive on an axis that is logarithmic. */
json_t *plot_series(json_t *plot, const char *name, bool line);
void plot_point(json_t *plot, json_t *series, double x, double y, const char *label);
/* Also a straight line that is no series: y = x ("diagonal") or y = v. */
void plot_diagonal(json_t *plot);
void plot_level(json_t *plot, double v, const char *name);

#endif
