/* Rings of forward passes beside each other, from their timelines.
 *
 * A pass is the same layer again and again, so the one in its middle is shown: what every GPU
 * computes in each moment, which messages are under way, and which of both the pass waits for.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "sim/page/html.h"
#include "sim/page/json_values.h"
#include "sim/page/sections.h"

enum { MOST_RANKS = 32, MOST_SPANS = 20000 };

/* Of a span: [rank, lane, start, duration (us), name, step, critical, peer]. */
enum { LANE_HOST, LANE_COMPUTE, LANE_COLLECTIVE, LANE_SEND };

static int lane_of(const json_t *e) {
    static const char *const names[] = {"host", "compute", "collective", "message"};
    for (int i = 0; i < 4; i++)
        if (strcmp(value_text(e, "cat"), names[i]) == 0)
            return i;
    return -1;
}

/* Who receives: the flow that begins where the span does says so. */
static json_t *peers_of(const json_t *events) {
    json_t *peers = json_object(), *froms = json_object();
    const json_t *e;
    size_t i;
    char key[96];
    json_array_foreach(events, i, e) {
        const char *ph = value_text(e, "ph");
        if (strcmp(ph, "s") != 0 && strcmp(ph, "f") != 0)
            continue;
        (void)snprintf(key, sizeof key, "%.0f", value_real(e, "id"));
        if (ph[0] == 's') {
            char from[96];
            (void)snprintf(from, sizeof from, "%.0f %.0f %.3f", value_real(e, "pid"),
                           value_real(e, "tid"), value_real(e, "ts"));
            (void)json_object_set_new(froms, key, json_string(from));
        } else if (json_object_get(froms, key)) {
            (void)json_object_set_new(peers, json_string_value(json_object_get(froms, key)),
                                      json_real(value_real(e, "pid")));
        }
    }
    json_decref(froms);
    return peers;
}

static bool in_layer(const json_t *e, double layer) {
    return strcmp(value_text(e, "ph"), "X") == 0 && value_below(e, "args", "layer") == layer &&
           lane_of(e) >= 0 && strcmp(value_text(e, "name"), "receive") != 0 &&
           value_real(e, "pid") < MOST_RANKS && value_real(e, "pid") >= 0.0 &&
           value_real(e, "ts") >= 0.0 && value_real(e, "dur") >= 0.0;
}

/* What the host did before the layer began is cut off. */
static json_t *span_of(const json_t *e, const json_t *peers, double first) {
    char key[96];
    double start = fmax(value_real(e, "ts"), first);
    double end = value_real(e, "ts") + value_real(e, "dur"), step = value_below(e, "args", "step");
    (void)snprintf(key, sizeof key, "%.0f %.0f %.3f", value_real(e, "pid"), value_real(e, "tid"),
                   value_real(e, "ts"));
    const json_t *peer = lane_of(e) == LANE_SEND ? json_object_get(peers, key) : NULL;
    if (!json_is_number(peer)) /* a measured message says itself where it goes */
        peer = json_object_get(json_object_get(e, "args"), "to");
    return json_pack("[f, i, f, f, s, f, i, f]", value_real(e, "pid"), lane_of(e), start - first,
                     fmax(end - start, 0.0), value_text(e, "name"), isfinite(step) ? step : -1.0,
                     (int)(value_below(e, "args", "critical") == 1.0),
                     peer ? json_number_value(peer) : -1.0);
}

static void add_spans(json_t *ring, const json_t *events, double layer, const json_t *peers) {
    const json_t *e;
    json_t *spans = json_object_get(ring, "spans");
    double first = (double)INFINITY, last = 0.0;
    size_t i;
    json_array_foreach(events, i, e) {
        if (!in_layer(e, layer) || lane_of(e) == LANE_HOST)
            continue;
        first = fmin(first, value_real(e, "ts"));
        last = fmax(last, value_real(e, "ts") + value_real(e, "dur"));
    }
    json_array_foreach(events, i, e) {
        if (in_layer(e, layer) && value_real(e, "ts") + value_real(e, "dur") > first &&
            json_array_size(spans) < MOST_SPANS)
            (void)json_array_append_new(spans, span_of(e, peers, first));
    }
    (void)json_object_set_new(ring, "length", json_real(last > first ? last - first : 0.0));
}

json_t *ring_of(const json_t *trace) {
    const json_t *head = json_object_get(trace, "ringcast");
    const json_t *events = json_object_get(trace, "traceEvents");
    double layers = value_real(head, "layers"),
           layer = isfinite(layers) ? floor(layers / 2.0) : 0.0;
    json_t *ring = json_pack("{s:O, s:f, s:[]}", "head", head, "layer", layer, "spans");
    json_t *peers = peers_of(events);
    if (ring)
        add_spans(ring, events, layer, peers);
    json_decref(peers);
    return ring;
}

/* ---- the figure ------------------------------------------------------------------------- */

typedef struct account { /* of one ring, us */
    double compute, host, exposed;
} account;

static account account_of(const json_t *ring) {
    account a = {0.0, 0.0, 0.0};
    const json_t *s;
    size_t i;
    json_array_foreach(json_object_get(ring, "spans"), i, s) {
        double took = json_number_value(json_array_get(s, 3));
        json_int_t lane = json_integer_value(json_array_get(s, 1));
        bool critical = json_integer_value(json_array_get(s, 6)) == 1;
        bool own = json_number_value(json_array_get(s, 0)) == 0.0;
        if (lane == LANE_COMPUTE)
            a.compute += own ? took : 0.0;
        else if (lane == LANE_HOST)
            a.host += own ? took : 0.0;
        else if (critical)
            a.exposed += took;
    }
    return a;
}

static const char *variant_of(const json_t *ring) {
    return value_text(json_object_get(ring, "head"), "variant");
}

static void ring_rows(FILE *f, const json_t *const *rings, size_t count) {
    static const html_column columns[] = {
        {"variant", false},    {"scenario", false},   {"CP", true},
        {"T", true},           {"P", true},           {"pass, ms", true},
        {"a layer, us", true}, {"compute, us", true}, {"critical communication, us", true},
        {"host, us", true}};
    HTML_TABLE(f,
               "The layer in the middle of each pass; compute and host are those of the first GPU",
               columns);
    for (size_t i = 0; i < count; i++) {
        const json_t *head = json_object_get(rings[i], "head");
        const account a = account_of(rings[i]);
        html_row(f, false);
        html_cell(f, value_text(head, "variant"));
        html_cell(f, value_text(head, "scenario"));
        html_cell_real(f, value_real(head, "cp"), 0);
        html_cell_real(f, value_real(head, "T"), 0);
        html_cell_real(f, value_real(head, "P"), 0);
        html_cell_real(f, value_real(head, "time_ps") / 1e9, 3);
        html_cell_real(f, value_real(rings[i], "length"), 1);
        html_cell_real(f, a.compute, 1);
        html_cell_real(f, a.exposed, 1);
        html_cell_real(f, a.host, 1);
    }
    html_table_end(f);
}

void section_rings(FILE *f, const json_t *const *rings, size_t count) {
    char time[TIME_TEXT];
    const json_t *best = rings[0];
    for (size_t i = 1; i < count; i++)
        if (value_real(json_object_get(rings[i], "head"), "time_ps") <
            value_real(json_object_get(best, "head"), "time_ps"))
            best = rings[i];
    double ps = value_real(json_object_get(best, "head"), "time_ps");
    if (count > 1)
        html_say(f, "answer", "Of these %zu passes %s is the fastest: %s.", count, variant_of(best),
                 time_text(ps / 1e12, time));
    else
        html_say(f, "answer", "The pass by %s takes %s.", variant_of(best),
                 time_text(ps / 1e12, time));
    html_say(f, "sure",
             "Communication is filled while its GPU computes nothing, an outline while compute "
             "hides it. Drag the handle through one layer.");
    json_t *data = json_pack("{s:[]}", "rings");
    for (size_t i = 0; data && i < count; i++)
        (void)json_array_append(json_object_get(data, "rings"), (json_t *)(uintptr_t)rings[i]);
    html_figure(f, "ring", "One layer, rank by rank", data);
    ring_rows(f, rings, count);
}
