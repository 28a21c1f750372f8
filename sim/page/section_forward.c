/* One forward pass, and what any result rests on.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <math.h>
#include <string.h>
#include "sim/page/html.h"
#include "sim/page/json_values.h"
#include "sim/page/sections.h"

/* The page reads results by their keys alone, of any version; these are what it knows of them. */
static const char *words_of(const char *basis) {
    static const char *const words[][2] = {
        {"transferred", "carried over from another GPU or clock"},
        {"published", "published by others"},
        {"stated", "stated in a file"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(basis, words[i][0]) == 0)
            return words[i][1];
    return basis;
}

void say_basis(FILE *f, const json_t *root) {
    const json_t *from = json_object_get(root, "cost_sources"), *share;
    json_t *parts = json_object();
    const char *basis;
    json_object_foreach((json_t *)(uintptr_t)from, basis, share) {
        (void)json_object_set(parts, words_of(basis), (json_t *)(uintptr_t)share);
    }
    html_stack(f, "Where the costs come from", parts);
    json_decref(parts);
}

void say_notes(FILE *f, const json_t *root) {
    const json_t *notes = json_object_get(root, "notes"), *note;
    size_t i;
    if (value_text(root, "caution")[0])
        html_say(f, "note", "It %s.", value_text(root, "caution"));
    if (value_text(root, "assumption")[0])
        html_say(f, "note", "Assumed: %s.", value_text(root, "assumption"));
    json_array_foreach(notes, i, note) {
        if (json_is_string(note))
            html_say(f, "note", "%s.", json_string_value(note));
    }
}

/* "TTFT" and its key, by the phase that the result is of. */
typedef struct metric {
    const char *key, *name, *what;
} metric;

static metric metric_of(const json_t *root) {
    static const metric all[] = {{"ttft_ms", "TTFT", "The prompt"},
                                 {"ttit_ms", "TTIT", "A decode step"},
                                 {"step_ms", "Step", "A mixed step"}};
    for (size_t i = 1; i < sizeof all / sizeof all[0]; i++)
        if (json_object_get(root, all[i].key))
            return all[i];
    return all[0];
}

static void say_answer(FILE *f, const json_t *root, metric m) {
    char time[TIME_TEXT], lo[TIME_TEXT], hi[TIME_TEXT];
    double p5 = value_real(root, "p5"), p95 = value_real(root, "p95");
    html_say(f, "answer", "%s takes %s (%s) with CP%g x TP%g and %s on %s.", m.what,
             time_text(1e-3 * value_real(root, m.key), time), m.name, value_real(root, "cp"),
             value_real(root, "tp"), value_text(root, "variant"), value_text(root, "machine"));
    if (isfinite(p5) && isfinite(p95))
        html_say(f, "sure", "Nine of ten draws of all uncertain costs lie between %s and %s.",
                 time_text(1e-3 * p5, lo), time_text(1e-3 * p95, hi));
    if (value_text(root, "description")[0])
        html_say(f, "about", "%s. Model: %s.", value_text(root, "description"),
                 value_text(root, "model"));
}

/* The fastest that carries no caution, where it beats the pass itself. */
static void say_faster(FILE *f, const json_t *root, metric m) {
    const json_t *o, *best = NULL;
    double least = value_real(root, m.key), own = least;
    size_t i;
    json_array_foreach(json_object_get(root, "alternatives"), i, o) {
        if (value_real(o, m.key) < least && !value_text(o, "caution")[0]) {
            best = o;
            least = value_real(o, m.key);
        }
    }
    if (best)
        html_say(f, "sure",
                 "Of the alternatives that are as well known, CP%g x TP%g %s is %.1f %% faster.",
                 value_real(best, "cp"), value_real(best, "tp"), value_text(best, "variant"),
                 100.0 * (1.0 - least / own));
    else if (json_array_size(json_object_get(root, "alternatives")) > 0)
        html_say(f, "sure", "No alternative that is as well known is faster.");
}

static void breakdown(FILE *f, const json_t *root, metric m) {
    static const html_column columns[] = {
        {"part", false}, {"critical, ms", true}, {"share", true}, {"busy, ms", true}};
    const json_t *parts = json_object_get(root, "breakdown"), *p;
    const char *name;
    double whole = value_real(root, m.key);
    HTML_TABLE(f, "Where the time goes: on the critical path, and on GPU 0 in all", columns);
    json_object_foreach((json_t *)(uintptr_t)parts, name, p) {
        html_row(f, false);
        html_cell(f, name);
        html_cell_real(f, value_real(p, "critical_ms"), 3);
        html_cell_bar(f, value_real(p, "critical_ms") / whole);
        html_cell_real(f, value_real(p, "busy_ms"), 3);
    }
    html_table_end(f);
}

static void alternatives(FILE *f, const json_t *root, metric m) {
    static const html_column columns[] = {
        {"variant", false},        {"CP", true},           {"TP", true}, {"time, ms", true},
        {"against this, %", true}, {"what to know", false}};
    const json_t *o;
    size_t i;
    double own = value_real(root, m.key);
    if (json_array_size(json_object_get(root, "alternatives")) == 0)
        return;
    HTML_TABLE(f, "The same tokens run otherwise", columns);
    html_row(f, true);
    html_cell(f, value_text(root, "variant"));
    html_cell_real(f, value_real(root, "cp"), 0);
    html_cell_real(f, value_real(root, "tp"), 0);
    html_cell_real(f, own, 3);
    html_cell_real(f, 0.0, 1);
    html_cell(f, "this one");
    json_array_foreach(json_object_get(root, "alternatives"), i, o) {
        const char *not = value_text(o, "not_possible");
        html_row(f, false);
        html_cell(f, value_text(o, "variant"));
        html_cell_real(f, value_real(o, "cp"), 0);
        html_cell_real(f, value_real(o, "tp"), 0);
        html_cell_real(f, value_real(o, m.key), 3);
        html_cell_real(f, 100.0 * (value_real(o, m.key) / own - 1.0), 1);
        html_cell(f, not [0] ? not : value_text(o, "caution"));
    }
    html_table_end(f);
}

static json_t *memory_parts(const json_t *memory) {
    static const char *const names[] = {"weights", "kv", "activations", "buffers", "runtime"};
    json_t *parts = json_object();
    double total = value_real(memory, "total"), capacity = value_real(memory, "capacity");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (isfinite(value_real(memory, names[i])))
            (void)json_object_set_new(parts, names[i], json_real(value_real(memory, names[i])));
    if (capacity > total)
        (void)json_object_set_new(parts, "free", json_real(capacity - total));
    return parts;
}

void section_forward(FILE *f, const json_t *root) {
    const metric m = metric_of(root);
    const json_t *memory = json_object_get(root, "memory_bytes");
    say_answer(f, root, m);
    say_faster(f, root, m);
    say_basis(f, root);
    say_notes(f, root);
    html_say(f, "about", "Communication: %.3f ms exposed, %.3f ms hidden. MFU %.1f %%.",
             value_real(root, "exposed_comm_ms"), value_real(root, "hidden_comm_ms"),
             100.0 * value_real(root, "mfu"));
    breakdown(f, root, m);
    if (json_is_object(memory)) {
        json_t *parts = memory_parts(memory);
        char caption[128];
        (void)snprintf(caption, sizeof caption, "Memory of a GPU: %.1f of %.1f GB",
                       value_real(memory, "total") / 1e9, value_real(memory, "capacity") / 1e9);
        html_stack(f, caption, parts);
        json_decref(parts);
    }
    alternatives(f, root, m);
}
