/* A served trace, and curves over rates.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include "sim/page/html.h"
#include "sim/page/json_values.h"
#include "sim/page/sections.h"

static void objectives(FILE *f, const json_t *root) {
    static const html_column columns[] = {{"objective", false}, {"met", false},
                                          {"value, s", true},   {"limit, s", true},
                                          {"kept by", true},    {"of", true}};
    const json_t *o;
    size_t i;
    if (json_array_size(json_object_get(root, "slo")) == 0)
        return;
    HTML_TABLE(f, "Objectives", columns);
    json_array_foreach(json_object_get(root, "slo"), i, o) {
        html_row(f, false);
        html_cell(f, value_text(o, "objective"));
        html_cell(f, value_true(o, "met") ? "yes" : "no");
        html_cell_real(f, value_real(o, "value_s"), 4);
        html_cell_real(f, value_real(o, "limit_s"), 4);
        html_cell_real(f, value_real(o, "kept"), 0);
        html_cell_real(f, value_real(o, "asked"), 0);
    }
    html_table_end(f);
}

static const struct {
    const char *key, *name;
} metrics[] = {{"ttft_ms", "TTFT"},
               {"ttit_ms", "TTIT, mean of a request"},
               {"token_gap_ms", "gap between tokens"},
               {"e2e_ms", "end to end"},
               {"queue_ms", "queueing"},
               {"service_ms", "service"}};
enum { METRICS = sizeof metrics / sizeof metrics[0] };

static void latencies(FILE *f, const json_t *root) {
    static const html_column columns[] = {{"latency, ms", false}, {"mean", true}, {"p50", true},
                                          {"p90", true},          {"p95", true},  {"p99", true}};
    static const char *const keys[] = {"mean", "p50", "p90", "p95", "p99"};
    HTML_TABLE(f, "What users feel", columns);
    for (size_t i = 0; i < METRICS; i++) {
        html_row(f, false);
        html_cell(f, metrics[i].name);
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
            html_cell_real(f, value_below(root, metrics[i].key, keys[k]), 2);
    }
    html_table_end(f);
}

static void quantiles(FILE *f, const json_t *root) {
    static const struct {
        const char *key;
        double at;
    } points[] = {{"p50", 50.0}, {"p90", 90.0}, {"p95", 95.0}, {"p99", 99.0}};
    const html_axis x = {"requests, %", false}, y = {"at most, ms", true};
    json_t *plot = plot_data(&x, &y);
    for (size_t i = 0; i < 4; i++) {
        json_t *s = plot_series(plot, metrics[i].name, true);
        for (size_t k = 0; k < sizeof points / sizeof points[0]; k++)
            plot_point(plot, s, points[k].at, value_below(root, metrics[i].key, points[k].key),
                       NULL);
    }
    html_figure(f, "plot", "Quantiles of latencies", plot);
}

static void pools(FILE *f, const json_t *root) {
    static const html_column columns[] = {
        {"pool", false},          {"GPUs", true},         {"replicas", true},
        {"computes", true},       {"work", true},         {"most load, 1/s", true},
        {"prefill passes", true}, {"mixed passes", true}, {"decode passes", true},
        {"decode batch", true},   {"KV held, most", true}};
    const json_t *o;
    size_t i;
    HTML_TABLE(f, "Pools", columns);
    json_array_foreach(json_object_get(root, "pools"), i, o) {
        html_row(f, false);
        html_cell(f, value_text(o, "name"));
        html_cell_real(f, value_real(o, "gpus"), 0);
        html_cell_real(f, value_real(o, "replicas"), 0);
        html_cell_bar(f, value_real(o, "computes"));
        html_cell_bar(f, value_real(o, "work"));
        html_cell_real(f, value_real(o, "most_load"), 3);
        html_cell_real(f, value_real(o, "prefill_passes"), 0);
        html_cell_real(f, value_real(o, "mixed_passes"), 0);
        html_cell_real(f, value_real(o, "decode_passes"), 0);
        html_cell_real(f, value_real(o, "decode_batch"), 2);
        html_cell_bar(f, value_real(o, "kv_held_peak"));
    }
    html_table_end(f);
}

void section_serve(FILE *f, const json_t *root) {
    char ttft[TIME_TEXT], ttit[TIME_TEXT];
    double within = value_real(root, "within_slo");
    if (json_array_size(json_object_get(root, "slo")) > 0)
        html_say(f, "answer", "%.2f %% of the requests stay within all objectives, %.4g a second.",
                 100.0 * within, value_real(root, "goodput"));
    else
        html_say(f, "answer", "%g of %g requests are done.", value_real(root, "done"),
                 value_real(root, "requests"));
    html_say(f, "sure", "TTFT is at most %s and TTIT at most %s for 95 %% of them.",
             time_text(1e-3 * value_below(root, "ttft_ms", "p95"), ttft),
             time_text(1e-3 * value_below(root, "ttit_ms", "p95"), ttit));
    html_say(f, "about",
             "%s. %g requests: %g done, %g rejected, %g lost; %.1f %% of prompt tokens "
             "were cached.",
             value_text(root, "description"), value_real(root, "requests"),
             value_real(root, "done"), value_real(root, "rejected"), value_real(root, "lost"),
             100.0 * value_real(root, "kv_hit_rate"));
    say_basis(f, root);
    say_notes(f, root);
    objectives(f, root);
    latencies(f, root);
    quantiles(f, root);
    pools(f, root);
}

/* ---- curves ----------------------------------------------------------------------------- */

static void curve_plot(FILE *f, const json_t *root, const char *caption, const char *y_name,
                       bool log, const char *key, const char *below, double times) {
    const html_axis x = {"sessions or requests a second", true}, y = {y_name, log};
    json_t *plot = plot_data(&x, &y);
    const json_t *c, *p;
    size_t i, k;
    json_array_foreach(json_object_get(root, "curves"), i, c) {
        json_t *s = plot_series(plot, value_text(c, "serve"), true);
        json_array_foreach(json_object_get(c, "points"), k, p) {
            double v = below ? value_below(p, key, below) : value_real(p, key);
            plot_point(plot, s, value_real(p, "rate"), times * v, NULL);
        }
    }
    html_figure(f, "plot", caption, plot);
}

static void curve_rows(FILE *f, const json_t *root) {
    static const html_column columns[] = {{"scenario", false},    {"rate, 1/s", true},
                                          {"within SLO", true},   {"TTFT p95, ms", true},
                                          {"TTIT p95, ms", true}, {"goodput, 1/s", true}};
    const json_t *c, *p;
    size_t i, k;
    HTML_TABLE(f, "Every point", columns);
    json_array_foreach(json_object_get(root, "curves"), i, c) {
        json_array_foreach(json_object_get(c, "points"), k, p) {
            html_row(f, false);
            html_cell(f, value_text(c, "serve"));
            html_cell_real(f, value_real(p, "rate"), 5);
            html_cell_bar(f, value_real(p, "within_slo"));
            html_cell_real(f, value_below(p, "ttft_ms", "p95"), 1);
            html_cell_real(f, value_below(p, "ttit_ms", "p95"), 2);
            html_cell_real(f, value_real(p, "goodput"), 5);
        }
    }
    html_table_end(f);
}

void section_rates(FILE *f, const json_t *root) {
    const json_t *c;
    size_t i;
    json_array_foreach(json_object_get(root, "curves"), i, c) {
        double knee = value_real(c, "knee");
        const char *name = value_text(c, "serve"), *is = value_text(c, "knee_is");
        if (isfinite(knee))
            html_say(f, "answer", "%s keeps its objectives up to %.4g a second.", name, knee);
        else
            html_say(f, "answer", "%s keeps its objectives at %s.", name,
                     is[0] == 'a' ? "every rate that was tried" : "no rate that was tried");
    }
    c = json_array_get(json_object_get(root, "curves"), 0);
    c = json_array_get(json_object_get(c, "points"), 0);
    say_basis(f, c);
    say_notes(f, c);
    curve_plot(f, root, "TTFT, 95th percentile", "ms", true, "ttft_ms", "p95", 1.0);
    curve_plot(f, root, "TTIT, 95th percentile", "ms", true, "ttit_ms", "p95", 1.0);
    curve_plot(f, root, "Requests within all objectives", "%", false, "within_slo", NULL, 100.0);
    curve_rows(f, root);
}
