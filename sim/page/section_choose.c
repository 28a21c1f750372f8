/* Which variant and how many ranks.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>
#include "sim/page/html.h"
#include "sim/page/json_values.h"
#include "sim/page/sections.h"

static void alternatives(FILE *f, const json_t *root) {
    static const html_column columns[] = {{"variant", false},    {"CP", true},
                                          {"TTFT, ms", true},    {"over the fastest, %", true},
                                          {"GPU seconds", true}, {"what to know", false}};
    const json_t *fastest = json_object_get(root, "fastest"), *o;
    size_t i;
    HTML_TABLE(f, "Every way to run the request", columns);
    json_array_foreach(json_object_get(root, "alternatives"), i, o) {
        bool is = json_equal(json_object_get(o, "cp"), json_object_get(fastest, "cp")) &&
                  json_equal(json_object_get(o, "variant"), json_object_get(fastest, "variant"));
        html_row(f, is);
        html_cell(f, value_text(o, "variant"));
        html_cell_real(f, value_real(o, "cp"), 0);
        html_cell_real(f, value_real(o, "ttft_ms"), 3);
        html_cell_real(f, value_real(o, "over_fastest_pct"), 2);
        html_cell_real(f, value_real(o, "gpu_s"), 2);
        html_cell(f, value_text(o, "note"));
    }
    html_table_end(f);
}

static void times(FILE *f, const json_t *root) {
    const html_axis x = {"CP ranks", true}, y = {"TTFT, ms", true};
    json_t *plot = plot_data(&x, &y), *names = json_object();
    const json_t *o;
    size_t i;
    json_array_foreach(json_object_get(root, "alternatives"), i, o) {
        const char *name = value_text(o, "variant");
        json_t *s = json_object_get(names, name);
        if (!s && (s = plot_series(plot, name, true)) != NULL)
            (void)json_object_set(names, name, s);
        plot_point(plot, s, value_real(o, "cp"), value_real(o, "ttft_ms"), NULL);
    }
    json_decref(names);
    html_figure(f, "plot", "Time by variant and ranks", plot);
}

static void rules(FILE *f, const json_t *root) {
    static const html_column columns[] = {{"rule", false}, {"rates", false}, {"test", false},
                                          {"left", false}, {"right", false}, {"holds", false},
                                          {"picks", false}};
    const json_t *o;
    size_t i;
    if (json_array_size(json_object_get(root, "tests")) == 0)
        return;
    HTML_TABLE(f, "What the paper's rules say", columns);
    json_array_foreach(json_object_get(root, "tests"), i, o) {
        html_row(f, false);
        html_cell(f, value_text(o, "rule"));
        html_cell(f, value_text(o, "rates"));
        html_cell(f, value_text(o, "test"));
        html_cell(f, value_text(o, "left"));
        html_cell(f, value_text(o, "right"));
        html_cell(f, value_text(o, "holds"));
        html_cell(f, value_text(o, "picks"));
    }
    html_table_end(f);
}

/* Where the answer is "none", there is one rank, which is then the fastest, or no ring can be run. */
static void say_answer(FILE *f, const json_t *root, const json_t *fastest) {
    const char *answer = value_text(root, "answer");
    const bool none = strcmp(answer, "none") == 0;
    char time[TIME_TEXT];
    (void)time_text(1e-3 * value_real(fastest, "ttft_ms"), time);
    if (none && !value_true(fastest, "is_answer"))
        html_say(f, "answer", "Neither ring can be run.");
    else if (none)
        html_say(f, "answer", "One rank has no ring: a TTFT of %s.", time);
    else if (!value_true(fastest, "is_answer"))
        html_say(f, "answer", "Use %s.", answer);
    else
        html_say(f, "answer", "Use %s on %g ranks: a TTFT of %s.", answer,
                 value_real(fastest, "cp"), time);
}

void section_choose(FILE *f, const json_t *root) {
    char time[TIME_TEXT];
    const json_t *fastest = json_object_get(root, "fastest");
    say_answer(f, root, fastest);
    if (isfinite(value_real(root, "margin_pct")))
        html_say(f, "sure", "Between pass-KV and pass-Q lie %.2f %% (%s), by rule '%s'.",
                 value_real(root, "margin_pct"),
                 time_text(1e-3 * value_real(root, "margin_ms"), time), value_text(root, "rule"));
    if (fastest && !value_true(fastest, "is_answer"))
        html_say(f, "sure", "The fastest that is as well known is %s on %g ranks: %s.",
                 value_text(fastest, "variant"), value_real(fastest, "cp"),
                 time_text(1e-3 * value_real(fastest, "ttft_ms"), time));
    say_basis(f, root);
    say_notes(f, root);
    times(f, root);
    alternatives(f, root);
    rules(f, root);
}
