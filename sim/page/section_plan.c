/* A plan: the cheapest cluster that holds, and those beside it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include "sim/page/html.h"
#include "sim/page/json_values.h"
#include "sim/page/sections.h"

static void put_plan(FILE *f, const json_t *o, bool marked, const char *why) {
    if (!json_is_object(o))
        return;
    html_row(f, marked);
    html_cell(f, value_text(o, "plan"));
    html_cell(f, why);
    html_cell_real(f, value_real(o, "gpus"), 0);
    html_cell_real(f, value_real(o, "price_per_hour"), 2);
    html_cell_real(f, 100.0 * value_real(o, "margin"), 1);
    html_cell_real(f, value_real(o, "ttft_p95_s"), 3);
    html_cell_real(f, value_real(o, "ttit_p95_s"), 4);
    html_cell_bar(f, value_real(o, "busy_prefill"));
}

static void plans(FILE *f, const json_t *root) {
    static const html_column columns[] = {{"plan", false},       {"is", false},
                                          {"GPUs", true},        {"price an hour", true},
                                          {"margin, %", true},   {"TTFT p95, s", true},
                                          {"TTIT p95, s", true}, {"busy with prompts", true}};
    const json_t *o;
    const char *kind;
    size_t i;
    HTML_TABLE(f, "The plan and what stands beside it", columns);
    put_plan(f, json_object_get(root, "best"), true, "the cheapest that holds");
    json_object_foreach(json_object_get(root, "best_of_kind"), kind, o) {
        put_plan(f, o, false, kind);
    }
    json_array_foreach(json_object_get(root, "runners_up"), i, o) {
        put_plan(f, o, false, value_true(o, "fragile") ? "next, fragile" : "next");
    }
    html_table_end(f);
}

static void front(FILE *f, const json_t *root) {
    const html_axis x = {"price an hour", false}, y = {"TTFT p95, s", false};
    json_t *plot = plot_data(&x, &y), *all = plot_series(plot, "cheapest for its latency", true);
    json_t *best = plot_series(plot, "the plan", false);
    const json_t *o;
    size_t i;
    json_array_foreach(json_object_get(root, "pareto"), i, o) {
        plot_point(plot, all, value_real(o, "price_per_hour"), value_real(o, "ttft_p95_s"),
                   value_text(o, "plan"));
    }
    const json_t *chosen = json_object_get(root, "best");
    plot_point(plot, best, value_real(chosen, "price_per_hour"), value_real(chosen, "ttft_p95_s"),
               value_text(chosen, "plan"));
    json_array_foreach(json_object_get(chosen, "objectives"), i, o) {
        if (strncmp(value_text(o, "objective"), "TTFT", 4) == 0)
            plot_level(plot, value_real(o, "limit_s"), value_text(o, "objective"));
    }
    html_figure(f, "plot", "Price against latency", plot);
}

static void flips(FILE *f, const json_t *root) {
    static const html_column columns[] = {{"if", false},
                                          {"this plan's margin, %", true},
                                          {"then the cheapest is", false},
                                          {"an hour", true}};
    const json_t *o;
    size_t i;
    if (json_array_size(json_object_get(root, "flips")) == 0)
        return;
    HTML_TABLE(f, "What would change the answer", columns);
    json_array_foreach(json_object_get(root, "flips"), i, o) {
        const json_t *then = json_object_get(o, "then");
        html_row(f, false);
        html_cell(f, value_text(o, "assumption"));
        html_cell_real(f, 100.0 * value_real(o, "margin"), 1);
        html_cell(f, json_is_object(then) ? value_text(then, "plan") : "none that holds");
        html_cell_real(f, value_real(then, "price_per_hour"), 2);
    }
    html_table_end(f);
}

void section_plan(FILE *f, const json_t *root) {
    const json_t *best = json_object_get(root, "best"),
                 *seeds = json_object_get(root, "other_seeds");
    if (json_is_object(best))
        html_say(f, "answer", "Rent %s: %g GPUs, %.2f an hour.", value_text(best, "plan"),
                 value_real(best, "gpus"), value_real(best, "price_per_hour"));
    else
        html_say(f, "answer", "No configuration holds all objectives.");
    if (json_is_object(best))
        html_say(f, "sure",
                 "It keeps its objectives with %.1f %% to spare, and with %.0f %% of %g other "
                 "seeds; %s binds.",
                 100.0 * value_real(best, "margin"), 100.0 * value_real(seeds, "met"),
                 value_real(seeds, "seeds"), value_text(root, "binding"));
    html_say(f, "about", "%s. %g configurations were considered, %g simulated.",
             value_text(root, "description"), value_real(root, "considered"),
             value_real(root, "simulated"));
    say_basis(f, best);
    say_notes(f, root);
    front(f, root);
    plans(f, root);
    flips(f, root);
}
