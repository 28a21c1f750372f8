/* A strict reader of timelines (sim/timeline/span_file.h): what Perfetto would drop or mend, it fails
 * the test for. It shares no code with the writer: jansson parses, zlib unpacks.
 *
 *   spans_of(path)   the document, of a plain file or a compressed one; the test frees it
 *   spans_check(..)  every event is whole; spans of a thread nest; every flow has one start and one end,
 *                    each where a span of its thread begins, and none arrives before it left; every
 *                    begun phase ends; processes and threads that are used have one name each
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_SPAN_CHECK_H
#define RC_TESTS_SUPPORT_SPAN_CHECK_H
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef struct span_row {
    int64_t process, thread, start, end; /* ns */
    size_t place;                        /* in the file */
} span_row;

typedef struct span_totals {
    size_t spans, flows, counters, phases, names;
    int64_t end; /* of the last span, ns */
} span_totals;

static inline char *span_text(const char *path, size_t *size) {
    gzFile f = gzopen(path, "rb");
    size_t room = 1 << 20, n = 0;
    char *text = malloc(room);
    assert_non_null(f);
    for (int got; text && (got = gzread(f, text + n, (unsigned)(room - n))) > 0;) {
        n += (size_t)got;
        if (n == room)
            text = realloc(text, room *= 2);
    }
    assert_non_null(text);
    assert_int_equal(gzclose(f), Z_OK);
    *size = n;
    return text;
}

static inline json_t *spans_of(const char *path) {
    size_t size;
    json_error_t why;
    char *text = span_text(path, &size);
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        fail_msg("%s:%d: %s", path, why.line, why.text);
    free(text);
    return root;
}

static inline int64_t span_ns(const json_t *e, const char *key) {
    const json_t *v = json_object_get(e, key);
    assert_true(json_is_number(v));
    double us = json_number_value(v);
    assert_true(us >= 0.0 && us < 1e13);
    assert_true(fabs(us * 1000.0 - nearbyint(us * 1000.0)) < 1e-2);
    return llround(us * 1000.0);
}

static inline const char *span_string(const json_t *e, const char *key) {
    const char *s = json_string_value(json_object_get(e, key));
    assert_non_null(s);
    return s;
}

static inline int64_t span_int(const json_t *e, const char *key) {
    assert_true(json_is_integer(json_object_get(e, key)));
    return json_integer_value(json_object_get(e, key));
}

static inline int span_order(const void *a, const void *b) {
    const span_row *x = a, *y = b;
    const int64_t u[] = {x->process, x->thread, x->start, -x->end, (int64_t)x->place};
    const int64_t v[] = {y->process, y->thread, y->start, -y->end, (int64_t)y->place};
    for (int i = 0; i < 5; i++)
        if (u[i] != v[i])
            return u[i] < v[i] ? -1 : 1;
    return 0;
}

/* Sorted by thread and time: a span that begins inside another one ends inside it. */
static inline void spans_nest(const span_row *r, size_t n) {
    size_t *open = calloc(n + 1, sizeof *open), depth = 0;
    assert_non_null(open);
    for (size_t i = 0; i < n; i++) {
        bool other = i == 0 || r[i].process != r[i - 1].process || r[i].thread != r[i - 1].thread;
        depth = other ? 0 : depth;
        while (depth > 0 && r[open[depth - 1]].end <= r[i].start)
            depth--;
        if (depth > 0 && r[i].end > r[open[depth - 1]].end)
            fail_msg("spans of process %d, thread %d overlap at %lld ns", (int)r[i].process,
                     (int)r[i].thread, (long long)r[i].start);
        open[depth++] = i;
    }
    free(open);
}

static inline bool span_begins(const span_row *r, size_t n, int64_t process, int64_t thread,
                               int64_t at) {
    size_t lo = 0, hi = n;
    const span_row key = {process, thread, at, INT64_MAX, 0};
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (span_order(&r[mid], &key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && r[lo].process == process && r[lo].thread == thread && r[lo].start == at;
}

/* A span of that thread ends at `end`, ns, or a nanosecond before; one without length may be the span. */
static inline bool span_ends(const span_row *r, size_t n, int64_t process, int64_t thread,
                             int64_t end) {
    for (size_t i = 0; i < n; i++)
        if (r[i].process == process && r[i].thread == thread && r[i].start < end &&
            (r[i].end == end || r[i].end + 1 == end))
            return true;
    return false;
}

/* Flows by id: where each left, taken out when it comes. An arrow leaves where a span begins and comes in the
 * last nanosecond of one. */
static inline void flow_check(const json_t *e, json_t *open, const span_row *r, size_t n) {
    char id[32];
    int64_t at = span_ns(e, "ts");
    bool leaves = strcmp(span_string(e, "ph"), "s") == 0;
    snprintf(id, sizeof id, "%lld", (long long)span_int(e, "id"));
    json_t *left = json_object_get(open, id);
    if (leaves) {
        assert_true(span_begins(r, n, span_int(e, "pid"), span_int(e, "tid"), at));
        assert_null(left);
        json_object_set_new(open, id, json_integer(at));
        return;
    }
    assert_non_null(left);
    assert_true(json_integer_value(left) <= at);
    assert_true(span_ends(r, n, span_int(e, "pid"), span_int(e, "tid"), at + 1));
    assert_string_equal(span_string(e, "bp"), "e");
    json_object_set_new(open, id, json_false()); /* and never again */
}

static inline void phase_check(const json_t *e, json_t *open) {
    char key[600];
    int64_t at = span_ns(e, "ts");
    snprintf(key, sizeof key, "%s %lld", span_string(e, "cat"), (long long)span_int(e, "id"));
    json_t *stack = json_object_get(open, key);
    if (!stack)
        json_object_set_new(open, key, stack = json_array());
    if (strcmp(span_string(e, "ph"), "b") == 0) {
        json_array_append_new(stack, json_pack("[s, I]", span_string(e, "name"), (json_int_t)at));
        return;
    }
    assert_true(json_array_size(stack) > 0);
    json_t *top = json_array_get(stack, json_array_size(stack) - 1);
    assert_string_equal(json_string_value(json_array_get(top, 0)), span_string(e, "name"));
    assert_true(json_integer_value(json_array_get(top, 1)) <= at);
    json_array_remove(stack, json_array_size(stack) - 1);
}

/* A duration is a tenth of a nanosecond short, so that a span ends by the start of the next one in floating point, too, and
 * also where a viewer counts from a later start. Beyond four days a start has no tenths of a nanosecond. */
static inline int64_t span_dur(const json_t *e) {
    enum { DAYS = 4 };
    const double first = 430572.538; /* any */
    double ts = json_number_value(json_object_get(e, "ts"));
    double us = json_number_value(json_object_get(e, "dur"));
    int64_t ns = (int64_t)nearbyint(us * 1000.0), end = span_ns(e, "ts") + ns;
    assert_true(us >= 0.0 && (ns == 0 || fabs((double)ns - 0.1 - us * 1000.0) < 0.05));
    if (ts < DAYS * 86400e6 && ns > 0) {
        assert_true(ts + us < (double)end / 1e3);
        assert_true(ts - first + us < (double)end / 1e3 - first);
    }
    return ns;
}

static inline span_row span_read(const json_t *e, size_t place) {
    span_row r = {span_int(e, "pid"), span_int(e, "tid"), span_ns(e, "ts"), 0, place};
    int64_t dur = span_dur(e);
    r.end = r.start + dur;
    int64_t exact = span_int(json_object_get(e, "args"), "ps");
    assert_true(exact >= 0 && llabs(exact / 1000 - dur) <= 1);
    (void)span_string(e, "name");
    (void)span_string(e, "cat");
    return r;
}

static inline void name_check(const json_t *e, json_t *names) {
    char key[64];
    const json_t *name = json_object_get(json_object_get(e, "args"), "name");
    if (!name)
        return;
    snprintf(key, sizeof key, "%s %lld %lld", span_string(e, "name"), (long long)span_int(e, "pid"),
             (long long)span_int(e, "tid"));
    assert_true(json_is_string(name));
    json_t *before = json_object_get(names, key);
    assert_true(!before || json_equal(before, (json_t *)(uintptr_t)name));
    json_object_set(names, key, (json_t *)(uintptr_t)name);
}

static inline void used_check(const span_row *r, size_t n, json_t *names) {
    char key[64];
    for (size_t i = 0; i < n; i++) {
        snprintf(key, sizeof key, "process_name %lld 0", (long long)r[i].process);
        assert_non_null(json_object_get(names, key));
        snprintf(key, sizeof key, "thread_name %lld %lld", (long long)r[i].process,
                 (long long)r[i].thread);
        assert_non_null(json_object_get(names, key));
    }
}

static inline span_totals spans_check(const json_t *root) {
    const json_t *events = json_object_get(root, "traceEvents"), *e, *open_phase;
    size_t n = json_array_size(events), count = 0, i;
    span_row *rows = calloc(n + 1, sizeof *rows);
    json_t *names = json_object(), *flows = json_object(), *phases = json_object();
    span_totals x = {0};
    const char *key;
    assert_true(json_is_array(events) && rows != NULL);
    assert_true(json_is_object(json_object_get(root, "ringcast")));
    json_array_foreach(events, i, e) {
        if (strcmp(span_string(e, "ph"), "X") == 0)
            rows[count++] = span_read(e, i);
    }
    qsort(rows, count, sizeof *rows, span_order);
    spans_nest(rows, count);
    for (size_t k = 0; k < count; k++)
        x.end = rows[k].end > x.end ? rows[k].end : x.end;
    json_array_foreach(events, i, e) {
        switch (span_string(e, "ph")[0]) {
        case 'X':
            x.spans++;
            break;
        case 's':
        case 'f':
            flow_check(e, flows, rows, count);
            x.flows += span_string(e, "ph")[0] == 's';
            break;
        case 'C':
            (void)span_ns(e, "ts");
            assert_true(json_number_value(json_object_get(json_object_get(e, "args"), "value")) >=
                        0.0);
            x.counters++;
            break;
        case 'b':
        case 'e':
            phase_check(e, phases);
            x.phases += span_string(e, "ph")[0] == 'b';
            break;
        case 'M':
            name_check(e, names);
            x.names++;
            break;
        default:
            fail_msg("an event of phase %s", span_string(e, "ph"));
        }
    }
    used_check(rows, count, names);
    void *it;
    for (it = json_object_iter(flows); it; it = json_object_iter_next(flows, it))
        assert_true(json_is_false(json_object_iter_value(it)));
    json_object_foreach(phases, key, open_phase) {
        assert_int_equal(json_array_size(open_phase), 0);
    }
    json_decref(names);
    json_decref(flows);
    json_decref(phases);
    free(rows);
    return x;
}

/* Sums of the exact durations of spans, by name. process: -1: of all; critical: only those. The caller
 * frees it. */
static inline json_t *spans_sums(const json_t *root, int64_t process, bool critical) {
    json_t *sums = json_object();
    const json_t *e;
    size_t i;
    json_array_foreach(json_object_get(root, "traceEvents"), i, e) {
        const json_t *args = json_object_get(e, "args");
        if (span_string(e, "ph")[0] != 'X' || (process >= 0 && span_int(e, "pid") != process) ||
            (critical && !json_object_get(args, "critical")))
            continue;
        const char *name = span_string(e, "name");
        json_int_t before = json_integer_value(json_object_get(sums, name));
        json_object_set_new(sums, name, json_integer(before + span_int(args, "ps")));
    }
    return sums;
}

static inline int64_t spans_sum(const json_t *root, int64_t process, const char *name) {
    json_t *sums = spans_sums(root, process, false);
    int64_t sum = json_integer_value(json_object_get(sums, name));
    json_decref(sums);
    return sum;
}

#endif
