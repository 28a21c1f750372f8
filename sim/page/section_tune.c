/* A tuned rule, and the map of the faster variant.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "sim/page/html.h"
#include "sim/page/json_values.h"
#include "sim/page/sections.h"

/* ---- the map ---------------------------------------------------------------------------- */

/* A list of `o` under the number `cp`, made where there is none. */
static json_t *list_of(json_t *o, double cp) {
    char key[32];
    (void)snprintf(key, sizeof key, "%g", cp);
    json_t *list = json_object_get(o, key);
    if (!list && json_object_set_new(o, key, json_array()) == 0)
        list = json_object_get(o, key);
    return list;
}

static void add_frontier(json_t *o, const json_t *tune) {
    const json_t *k;
    size_t i;
    json_array_foreach(json_object_get(tune, "thresholds"), i, k) {
        double at[] = {value_real(k, "length"), value_real(k, "t_star"), value_real(k, "low"),
                       value_real(k, "high")};
        if (!isfinite(value_real(k, "cp")) || !(at[0] > 0.0) || !(at[1] > 0.0))
            continue;
        for (int v = 2; v < 4; v++)
            at[v] = isfinite(at[v]) ? at[v] : at[1];
        (void)json_array_append_new(list_of(o, value_real(k, "cp")),
                                    json_pack("[f, f, f, f]", at[0], at[1], at[2], at[3]));
    }
}

static double number_in(const json_t *row, const json_t *columns, const char *name) {
    const char *s = json_string_value(json_array_get(row, (size_t)value_real(columns, name)));
    char *end;
    double v = s ? strtod(s, &end) : (double)NAN;
    return s && *s && !*end ? v : (double)NAN;
}

/* Cells of one sequence on several ranks: [T, P, ms of pass-KV, ms of pass-Q]. */
static void add_cells(json_t *o, const json_t *grid) {
    const json_t *columns = json_object_get(grid, "columns"), *row;
    size_t i;
    json_array_foreach(json_object_get(grid, "rows"), i, row) {
        double cp = number_in(row, columns, "cp"), t = number_in(row, columns, "T");
        double p = number_in(row, columns, "P"), kv = number_in(row, columns, "pass_kv_ms");
        double q = number_in(row, columns, "pass_q_ms");
        if (number_in(row, columns, "batch") == 1.0 && cp >= 2.0 && t > 0.0 && p >= 0.0 &&
            kv > 0.0 && q > 0.0)
            (void)json_array_append_new(list_of(o, cp), json_pack("[f, f, f, f]", t, p, kv, q));
    }
}

json_t *map_of(const json_t *tune, const json_t *grid) {
    json_t *map = json_pack("{s:{}, s:{}}", "frontier", "cells");
    if (!map)
        return NULL;
    add_frontier(json_object_get(map, "frontier"), tune);
    if (grid)
        add_cells(json_object_get(map, "cells"), grid);
    if (json_object_size(json_object_get(map, "frontier")) +
            json_object_size(json_object_get(map, "cells")) ==
        0) {
        json_decref(map);
        return NULL;
    }
    return map;
}

static void show_map(FILE *f, const json_t *tune, const json_t *grid) {
    html_figure(f, "map",
                "Pass-KV or pass-Q, by new tokens and length: point at a request, or type it in",
                map_of(tune, grid));
}

/* ---- the rule --------------------------------------------------------------------------- */

static const json_t *rule_named(const json_t *root, const char *name) {
    const json_t *o;
    size_t i;
    json_array_foreach(json_object_get(root, "rules"), i, o) {
        if (strcmp(value_text(o, "name"), name) == 0 && strcmp(value_text(o, "split"), "test") == 0)
            return o;
    }
    return NULL;
}

static void rules(FILE *f, const json_t *root) {
    static const html_column columns[] = {{"rule", false},
                                          {"half", false},
                                          {"right", true},
                                          {"fit error, mean, %", true},
                                          {"95th percentile, %", true},
                                          {"worst, %", true},
                                          {"expected regret, %", true},
                                          {"95 % of draws below, %", true}};
    const json_t *o;
    size_t i;
    HTML_TABLE(
        f, "Rules on comparisons that they were not fitted on (test), and on the others (train)",
        columns);
    json_array_foreach(json_object_get(root, "rules"), i, o) {
        html_row(f, strcmp(value_text(o, "name"), "tuned") == 0);
        html_cell(f, value_text(o, "name"));
        html_cell(f, value_text(o, "split"));
        html_cell_bar(f, value_real(o, "hit_rate"));
        html_cell_real(f, value_real(o, "fit_error_mean_pct"), 3);
        html_cell_real(f, value_real(o, "fit_error_p95_pct"), 2);
        html_cell_real(f, value_real(o, "fit_error_worst_pct"), 2);
        html_cell_real(f, value_real(o, "expected_regret_pct"), 3);
        html_cell_real(f, value_real(o, "expected_regret_p95_pct"), 3);
    }
    html_table_end(f);
}

static void degrees(FILE *f, const json_t *root) {
    static const html_column columns[] = {{"requests", false},       {"policy", false},
                                          {"price of a rank", true}, {"GPU seconds", true},
                                          {"TTFT mean, ms", true},   {"TTFT p95, ms", true}};
    const json_t *r, *o;
    size_t i, k;
    if (json_array_size(json_object_get(root, "requests")) == 0)
        return;
    HTML_TABLE(f, "How many ranks, on real requests", columns);
    json_array_foreach(json_object_get(root, "requests"), i, r) {
        json_array_foreach(json_object_get(r, "policies"), k, o) {
            html_row(f, strcmp(value_text(o, "policy"), "tuned") == 0);
            html_cell(f, value_text(r, "file"));
            html_cell(f, value_text(o, "policy"));
            html_cell_real(f, value_real(o, "price"), 2);
            html_cell_real(f, value_real(o, "gpu_seconds"), 0);
            html_cell_real(f, value_real(o, "ttft_mean_ms"), 1);
            html_cell_real(f, value_real(o, "ttft_p95_ms"), 1);
        }
    }
    html_table_end(f);
}

void section_tune(FILE *f, const json_t *root, const json_t *grid) {
    const json_t *tuned = rule_named(root, "tuned");
    if (tuned)
        html_say(f, "answer",
                 "The tuned rule is expected to cost %.2g %% of the time over always knowing the "
                 "faster variant, and picks it in %.1f %% of the cells.",
                 value_real(tuned, "expected_regret_pct"), 100.0 * value_real(tuned, "hit_rate"));
    else
        html_say(f, "answer", "%g lines of equal length show where the variants change places.",
                 value_real(root, "lines"));
    if (tuned)
        html_say(
            f, "sure",
            "At worst it is %.1f %% slower by the forecast itself, on %g comparisons that it was "
            "not fitted on.",
            value_real(tuned, "fit_error_worst_pct"), value_real(tuned, "points"));
    html_say(f, "about", "%s.", value_text(root, "description"));
    say_basis(f, root);
    say_notes(f, root);
    show_map(f, root, grid);
    rules(f, root);
    degrees(f, root);
}

/* ---- a grid alone ----------------------------------------------------------------------- */

void section_grid(FILE *f, const json_t *root, const json_t *grid) {
    (void)root;
    html_say(f, "answer", "%zu cells, simulated one by one.",
             json_array_size(json_object_get(grid, "rows")));
    show_map(f, NULL, grid);
}
