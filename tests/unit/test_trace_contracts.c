/* What the readers of traces, and what is done with a trace, assume of their callers
 * (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/trace/lines.h"
#include "sim/trace/links.h"
#include "sim/trace/reader.h"
#include "sim/trace/workload.h"
#include "tests/support/trips.h"

static rc_error err;
static rc_trace trace;
static rc_reader reader;

/* A reader with an empty trace and this row in hand. */
static rc_reader *at_row(const char *row) {
    trace = (rc_trace){0};
    reader = (rc_reader){.t = &trace, .err = &err, .row = row, .end = row + strlen(row)};
    return &reader;
}

static rc_slice slice(const char *text) {
    return (rc_slice){text, strlen(text)};
}

static void test_lines(void **state) {
    (void)state;
    rc_lines *in = NULL;
    trips("path != NULL", (void)rc_lines_open(NULL, &in, &err));
    trips("data != NULL || size == 0", (void)rc_lines_memory("m", NULL, 1, &in, &err));
}

static void test_faults(void **state) {
    (void)state;
    rc_reader *r = at_row("x");
    trips("(unsigned)f < RC_FAULTS", (void)rc_fault_name(RC_FAULTS));
    trips("(unsigned)fault < RC_FAULTS", (void)rc_bad(r, RC_FAULTS, NULL, "nothing"));
    trips("unit <= RC_UNIT_NS", (void)rc_units_per_second((rc_time_unit)(RC_UNIT_NS + 1)));
    trips("bytes > 0", (void)rc_reader_room(r, &r->raw, &r->raw_room, 1, 0));
}

static void test_requests(void **state) {
    (void)state;
    rc_reader *r = at_row("x");
    rc_req empty = rc_blank_request(), q = empty, stranger, early, loose;
    q.input = q.output = 1;
    stranger = early = loose = q;
    stranger.session = 0;
    early.after = 0;
    loose.spans = 1;
    trips("q->input >= 1 && q->output >= 1", (void)rc_reader_add(r, &empty));
    trips("q->session == RC_NO_SESSION || q->session < t->sessions",
          (void)rc_reader_add(r, &stranger));
    trips("q->after == RC_NO_REQUEST || q->after < t->count", (void)rc_reader_add(r, &early));
    trips("q->spans == 0 || q->span + q->spans == t->span_count", (void)rc_reader_add(r, &loose));
    trips("common || last < r->t->count", (void)rc_reader_chain(r, &q, 0, 0, 0));
    trips("r->opt.block >= 1", (void)rc_blocks_check(r, 1, NULL));
    trips("r->chain_ids", (void)rc_blocks_chain(r));
    trips("r->local_ids", (void)rc_sessions_finish(r));
    trips("map != NULL", (void)rc_own_columns(r, NULL, &err));
}

static void test_numbers(void **state) {
    (void)state;
    rc_reader *r = at_row("1");
    int64_t whole;
    uint32_t tokens;
    rc_stamp stamp;
    trips("lo <= hi", (void)rc_read_whole(r, slice("1"), "n", 2, 1, &whole));
    trips("cap <= UINT32_MAX", (void)rc_read_tokens(r, slice("1"), "n", true, INT64_MAX, &tokens));
    trips("per_s > 0 && PS % per_s == 0", (void)rc_read_stamp(r, slice("1"), "t", 0, &stamp));
}

static void test_csv(void **state) {
    (void)state;
    rc_reader *r = at_row("a,b");
    static const rc_csv_role roles[RC_CSV_ROLES + 1] = {{"a", true}};
    trips("count <= RC_CSV_ROLES", (void)rc_csv_roles(r, roles, RC_CSV_ROLES + 1));
    trips("role >= 0 && role < RC_CSV_ROLES", (void)rc_csv_field(r, RC_CSV_ROLES));
    r->role[0] = 2;
    r->fields = 2;
    trips("r->role[role] < r->fields", (void)rc_csv_field(r, 0));
}

static void test_json(void **state) {
    (void)state;
    static const char text[] = "{\"a\": [1]}";
    rc_reader *r = at_row(text);
    const char *past = r->end + 1;
    char keys[40];
    bool more;
    rc_value v;
    const rc_member m = {"a", {0}};
    trips("known != NULL || count == 0", (void)rc_json_members(r, slice(text), NULL, 1));
    trips("size > 0", rc_json_keys(r, keys, 0));
    trips("*p <= end", (void)rc_json_value(r, &past, r->end, &v));
    trips("*p <= end", (void)rc_json_item(r, &past, r->end, &v, &more));
    trips("path[0] != '\\0'", (void)rc_json_path(r, slice(text), "", &v));
    trips("object.n > 0", (void)rc_json_path(r, slice(""), "a", &v));
    trips("list.n > 0", (void)rc_json_ids(r, slice("")));
    trips("list.n > 0", (void)rc_json_ranges(r, slice("")));
    trips("kind == RC_VALUE_NUMBER || kind == RC_VALUE_TEXT || kind == RC_VALUE_NESTED",
          (void)rc_json_need(r, &m, RC_VALUE_NULL));
    r->end = r->row;
    trips("r->row < r->end", rc_json_keys(r, keys, sizeof keys));
}

static void test_links(void **state) {
    (void)state;
    rc_req at[] = {rc_blank_request()};
    rc_span spans[] = {{0, 4}};
    const uint32_t first = 0, second = 1;
    rc_trace t = {.at = at, .count = 1, .spans = spans, .span_count = 1, .blocks = 3};
    rc_trace_stats stats;
    trips("from[i] < t->count", (void)rc_trace_keep(&t, &second, 1, &err));
    trips("r->input >= 1", (void)rc_trace_statistics(&t, NULL, &stats, &err));
    at[0].input = at[0].output = 1;
    at[0].after = 1;
    trips("q->after < t->count", rc_trace_link(&t));
    at[0].after = RC_NO_REQUEST;
    at[0].spans = 1;
    trips("(uint64_t)span->first + span->count <= t->blocks",
          (void)rc_trace_statistics(&t, NULL, &stats, &err));
    rc_req *own = malloc(sizeof *own); /* rc_trace_keep takes the array for its own */
    own[0] = at[0];
    t.at = own;
    trips("(uint64_t)x->first + x->count <= t->blocks", (void)rc_trace_keep(&t, &first, 1, &err));
    own[0].session = 0;
    trips("t->at[i].session < t->sessions", (void)rc_trace_keep(&t, &first, 1, &err));
    free(own);
}

static void test_arrivals(void **state) {
    (void)state;
    rc_rng rng;
    rc_rng_seed(&rng, 1);
    const rc_arrival_process still = {RC_ARRIVE_POISSON, 0.0, 1.0};
    const rc_arrival_process even = {RC_ARRIVE_GAMMA, 1.0, 0.0};
    trips("p->rate > 0.0", (void)rc_arrival_gap(&still, &rng));
    trips("cv > 0.0", (void)rc_arrival_gap(&even, &rng));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),    cmocka_unit_test(test_faults),
        cmocka_unit_test(test_requests), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_csv),      cmocka_unit_test(test_json),
        cmocka_unit_test(test_links),    cmocka_unit_test(test_arrivals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
