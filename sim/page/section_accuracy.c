/* Forecasts beside what was measured: the paper's figures, and runs on GPUs at hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "sim/page/html.h"
#include "sim/page/json_values.h"
#include "sim/page/sections.h"

/* ---- the paper -------------------------------------------------------------------------- */

static bool is_metric(const json_t *row, const char *metric) {
    return strcmp(value_text(row, "metric"), metric) == 0;
}

/* Of a time, in ms. */
static double time_of(const json_t *row, const char *key) {
    return (strcmp(value_text(row, "unit"), "s") == 0 ? 1e3 : 1.0) * value_real(row, key);
}

static void row_label(const json_t *row, char *buf, size_t size) {
    (void)snprintf(buf, size, "Table %s, %s %s, %s", value_text(row, "table"),
                   value_text(row, "config"), value_text(row, "variant"),
                   value_text(row, "context"));
}

static void parity(FILE *f, const json_t *rows) {
    const html_axis x = {"paper, ms", true}, y = {"predicted, ms", true};
    json_t *plot = plot_data(&x, &y);
    json_t *series[] = {plot_series(plot, "predicted", false), plot_series(plot, "fitted", false)};
    const json_t *o;
    size_t i;
    char label[160];
    plot_diagonal(plot);
    json_array_foreach(rows, i, o) {
        if (!is_metric(o, "ttft"))
            continue;
        row_label(o, label, sizeof label);
        plot_point(plot, series[value_true(o, "fitted")], time_of(o, "paper"),
                   time_of(o, "predicted"), label);
    }
    html_figure(f, "plot", "TTFT, predicted against printed", plot);
}

static void errors(FILE *f, const json_t *rows) {
    const html_axis x = {"paper, ms", true}, y = {"error, %", false};
    json_t *plot = plot_data(&x, &y);
    json_t *series[] = {plot_series(plot, "predicted", false), plot_series(plot, "fitted", false)};
    const json_t *o;
    size_t i;
    char label[160];
    plot_level(plot, 0.0, "");
    json_array_foreach(rows, i, o) {
        if (!is_metric(o, "ttft") && !is_metric(o, "ttit"))
            continue;
        row_label(o, label, sizeof label);
        plot_point(plot, series[value_true(o, "fitted")], time_of(o, "paper"),
                   value_real(o, "error_pct"), label);
    }
    html_figure(f, "plot", "Error of each time", plot);
}

static void paper_rows(FILE *f, const json_t *rows) {
    static const html_column columns[] = {
        {"table", false},  {"config", false}, {"variant", false}, {"context", false},
        {"metric", false}, {"unit", false},   {"paper", true},    {"predicted", true},
        {"p5", true},      {"p95", true},     {"error, %", true}, {"is", false}};
    const json_t *o;
    size_t i;
    HTML_TABLE(f, "Every figure of the paper", columns);
    json_array_foreach(rows, i, o) {
        html_row(f, false);
        html_cell(f, value_text(o, "table"));
        html_cell(f, value_text(o, "config"));
        html_cell(f, value_text(o, "variant"));
        html_cell(f, value_text(o, "context"));
        html_cell(f, value_text(o, "metric"));
        html_cell(f, value_text(o, "unit"));
        html_cell_real(f, value_real(o, "paper"), 3);
        html_cell_real(f, value_real(o, "predicted"), 3);
        html_cell_real(f, value_real(o, "p5"), 3);
        html_cell_real(f, value_real(o, "p95"), 3);
        html_cell_real(f, value_real(o, "error_pct"), 1);
        html_cell(f, value_true(o, "fitted") ? "fitted" : "predicted");
    }
    html_table_end(f);
}

static void fitted(FILE *f, const json_t *list) {
    static const html_column columns[] = {{"machine", false},
                                          {"parameter", false},
                                          {"value", true},
                                          {"unit", false},
                                          {"meaning", false}};
    const json_t *o;
    size_t i;
    HTML_TABLE(f, "What was fitted", columns);
    json_array_foreach(list, i, o) {
        html_row(f, false);
        html_cell(f, value_text(o, "machine"));
        html_cell(f, value_text(o, "name"));
        (void)fprintf(f, "<td class=\"n\" data-v=\"%.9g\">%.4g", value_real(o, "value"),
                      value_real(o, "value"));
        html_cell(f, value_text(o, "unit"));
        html_cell(f, value_text(o, "meaning"));
    }
    html_table_end(f);
}

void section_paper(FILE *f, const json_t *root) {
    const json_t *s = json_object_get(root, "summary"), *rows = json_object_get(root, "rows");
    html_say(f, "answer",
             "Times to first token that nothing was fitted to are off by %.1f %% on "
             "average, over %g rows.",
             value_real(s, "ttft_mape_predicted"), value_real(s, "ttft_rows_predicted"));
    html_say(f, "sure",
             "At worst by %.1f %%. %g of %g rows lie within p5 to p95, which should hold nine of "
             "ten; the faster variant is right in %g of %g.",
             value_real(s, "ttft_max_predicted"), value_real(s, "rows_within_p5_p95"),
             value_real(s, "rows_with_interval"), value_real(s, "winners_right"),
             value_real(s, "winners_total"));
    html_say(f, "sure", "It rests on %g fitted parameters and %g choices made by looking at rows.",
             value_real(s, "fitted_parameters"), value_real(s, "choices"));
    parity(f, rows);
    errors(f, rows);
    paper_rows(f, rows);
    fitted(f, json_object_get(root, "fitted"));
}

/* ---- runs on GPUs ----------------------------------------------------------------------- */

static double error_of(const json_t *c) {
    return 100.0 * (value_real(c, "simulation") / value_real(c, "measured_s") - 1.0);
}

static void case_plot(FILE *f, const json_t *cases) {
    const html_axis x = {"measured, ms", true}, y = {"error, %", false};
    json_t *plot = plot_data(&x, &y);
    json_t *series[] = {plot_series(plot, "unseen", false), plot_series(plot, "seen", false)};
    const json_t *o;
    size_t i;
    plot_level(plot, 0.0, "");
    json_array_foreach(cases, i, o) {
        plot_point(plot, series[strcmp(value_text(o, "set"), "seen") == 0],
                   1e3 * value_real(o, "measured_s"), error_of(o), value_text(o, "case"));
    }
    html_figure(f, "plot", "Error of each forecast", plot);
}

static void case_rows(FILE *f, const json_t *cases) {
    static const html_column columns[] = {{"case", false},          {"machine", false},
                                          {"set", false},           {"measured, ms", true},
                                          {"forecast, ms", true},   {"error, %", true},
                                          {"within p5..p95", false}};
    const json_t *o;
    size_t i;
    HTML_TABLE(f, "Every run", columns);
    json_array_foreach(cases, i, o) {
        double measured = value_real(o, "measured_s"), p5 = value_real(o, "p5");
        bool inside = measured >= p5 && measured <= value_real(o, "p95");
        html_row(f, false);
        html_cell(f, value_text(o, "case"));
        html_cell(f, value_text(o, "machine"));
        html_cell(f, value_text(o, "set"));
        html_cell_real(f, 1e3 * measured, 4);
        html_cell_real(f, 1e3 * value_real(o, "simulation"), 4);
        html_cell_real(f, error_of(o), 2);
        html_cell(f, !isfinite(p5) ? "" : inside ? "yes" : "no");
    }
    html_table_end(f);
}

static void methods(FILE *f, const json_t *root) {
    static const html_column columns[] = {{"by", false},
                                          {"set", false},
                                          {"runs", true},
                                          {"median error, %", true},
                                          {"95th percentile, %", true},
                                          {"signed mean, %", true}};
    static const char *const sets[] = {"unseen", "seen"};
    static const char *const names[] = {"simulation", "roofline", "alpha_beta"};
    HTML_TABLE(f, "The simulation beside simpler formulas", columns);
    for (size_t m = 0; m < 3; m++)
        for (size_t i = 0; i < 2; i++) {
            const json_t *of = m == 0
                                   ? json_object_get(root, "sets")
                                   : json_object_get(json_object_get(root, "baselines"), names[m]);
            const json_t *s = json_object_get(of, sets[i]);
            html_row(f, m == 0 && i == 0);
            html_cell(f, names[m]);
            html_cell(f, sets[i]);
            html_cell_real(f, value_real(s, "n"), 0);
            html_cell_real(f, value_real(s, "median_abs_error_pct"), 2);
            html_cell_real(f, value_real(s, "p95_abs_error_pct"), 2);
            html_cell_real(f, value_real(s, "mean_error_pct"), 2);
        }
    html_table_end(f);
}

void section_validate(FILE *f, const json_t *root) {
    const json_t *s = json_object_get(json_object_get(root, "sets"), "unseen");
    html_say(f, "answer", "Half of the forecasts of runs that nobody looked at are within %.1f %%.",
             value_real(s, "median_abs_error_pct"));
    html_say(f, "sure",
             "19 of 20 are within %.1f %%; %g of %g runs lie between p5 and p95, which "
             "should hold nine of ten.",
             value_real(s, "p95_abs_error_pct"), value_real(s, "inside"), value_real(s, "drawn"));
    case_plot(f, json_object_get(root, "cases"));
    methods(f, root);
    case_rows(f, json_object_get(root, "cases"));
}
