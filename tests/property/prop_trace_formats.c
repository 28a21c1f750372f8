/* The same requests written in other units, in another order, under other names or as another
 * document are the same trace.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "sim/trace/trace.h"
#include "tests/support/prop.h"
#include "tests/support/trace_check.h"

enum { MOST = 40 };

typedef struct wanted { /* nanoseconds, different from each other */
    int64_t ns[MOST];
    int input[MOST], output[MOST];
    size_t n;
} wanted;

static wanted some_requests(prop_case *c) {
    wanted w = {.n = c->size < MOST ? c->size : MOST};
    int64_t at = prop_range(c, 0, 5000);
    for (size_t i = 0; i < w.n; i++) {
        w.ns[i] = at;
        w.input[i] = (int)prop_range(c, 1, 9000);
        w.output[i] = (int)prop_range(c, 1, 900);
        at += 1 + prop_range(c, 0, INT64_C(90000000000));
    }
    return w;
}

/* As a decimal number of units of 10^digits ns, all digits kept. */
static void stamp(char *out, size_t size, int64_t ns, int digits) {
    int64_t unit = 1;
    for (int i = 0; i < digits; i++)
        unit *= 10;
    if (digits == 0)
        (void)snprintf(out, size, "%lld", (long long)ns);
    else
        (void)snprintf(out, size, "%lld.%0*lld", (long long)(ns / unit), digits,
                       (long long)(ns % unit));
}

typedef struct text {
    char at[MOST * 160 + 200];
    size_t n;
} text;

__attribute__((format(printf, 2, 3))) static void add(text *t, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->at + t->n, sizeof t->at - t->n, fmt, args);
    va_end(args);
    t->n += n > 0 ? (size_t)n : 0;
}

/* Is the trace these requests, in the order of arrival? */
static bool same(prop_case *c, const wanted *w, const text *file, const rc_trace_options *o) {
    rc_trace *t = NULL;
    rc_error e = {0};
    rc_status st = rc_trace_parse("t", file->at, file->n, o, &t, &e);
    PROP_CHECK(c, st == RC_OK, "%d:%d %s\n%.200s", e.line, e.col, e.msg, file->at);
    PROP_CHECK(c, trace_fault(t) == NULL, "%s", trace_fault(t));
    PROP_CHECK(c, t->count == w->n, "%zu requests of %zu", t->count, w->n);
    for (size_t i = 0; i < w->n; i++) {
        const rc_req *q = &t->at[i];
        PROP_CHECK(c, q->arrival == 1000 * (w->ns[i] - w->ns[0]), "arrival of %zu: %lld ps", i,
                   (long long)q->arrival);
        PROP_CHECK(c, q->input == (uint32_t)w->input[i] && q->output == (uint32_t)w->output[i],
                   "tokens of %zu", i);
    }
    rc_trace_free(t);
    return true;
}

static bool units_agree(prop_case *c) {
    static const int digits[] = {9, 6, 3, 0}; /* s, ms, us, ns */
    wanted w = some_requests(c);
    for (int u = 0; u < 4; u++) {
        static text json, csv, own;
        char s[40];
        json.n = csv.n = own.n = 0;
        add(&csv, "arrived_at,num_prefill_tokens,num_decode_tokens\n");
        add(&own, "in,when,out\n");
        for (size_t i = 0; i < w.n; i++) {
            stamp(s, sizeof s, w.ns[i], digits[u]);
            add(&json, "{\"timestamp\": %s, \"input_length\": %d, \"output_length\": %d}\n", s,
                w.input[i], w.output[i]);
            add(&csv, "%s,%d,%d\n", s, w.input[i], w.output[i]);
            add(&own, "%d,%s,%d\n", w.input[i], s, w.output[i]);
        }
        rc_trace_options o = {.unit = (rc_time_unit)(RC_UNIT_S + u)};
        if (!same(c, &w, &json, &o) || !same(c, &w, &csv, &o))
            return false;
        strcpy(o.columns, "arrival=when,input=in,output=out");
        if (!same(c, &w, &own, &o))
            return false;
    }
    return true;
}

static bool order_does_not_matter(prop_case *c) {
    wanted w = some_requests(c);
    size_t place[MOST] = {0};
    static text json, list, lines;
    char s[40];
    for (size_t i = 0; i < w.n; i++)
        place[i] = i;
    for (size_t i = w.n; i > 1; i--) {
        size_t k = prop_below(c, i), swap = place[i - 1];
        place[i - 1] = place[k];
        place[k] = swap;
    }
    json.n = list.n = lines.n = 0;
    add(&list, "[");
    for (size_t i = 0; i < w.n; i++) {
        size_t k = place[i];
        stamp(s, sizeof s, w.ns[k], 9);
        add(&json, "{\"timestamp\": %s, \"input_length\": %d, \"output_length\": %d}\n", s,
            w.input[k], w.output[k]);
        add(&list,
            "%s{\"start_time\": %s, \"info\": {\"input_tokens\": %d, \"output_tokens\": %d}}",
            i ? ",\n" : "\n", s, w.input[k], w.output[k]);
        add(&lines, "{\n\"timestamp\": %s,\n\"input_length\": %d,\n\"output_length\": %d\n}\n", s,
            w.input[k], w.output[k]);
    }
    add(&list, "\n]\n");
    const rc_trace_options guide = {.format = RC_TRACE_GUIDELLM};
    const rc_trace_options sorted = {.unit = RC_UNIT_S, .sort = true};
    return same(c, &w, &json, &guide) && same(c, &w, &json, &sorted) && same(c, &w, &list, NULL) &&
           same(c, &w, &lines, &guide);
}

static void test_units(void **state) {
    (void)state;
    assert_true(prop_run("units_agree", units_agree, MOST));
}

static void test_order(void **state) {
    (void)state;
    assert_true(prop_run("order_does_not_matter", order_does_not_matter, MOST));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_units), cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
