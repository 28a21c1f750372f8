/* What benchmarks of serving leave behind: GuideLLM's report and the traces of BLIS (inference-sim).
 *
 * GuideLLM, benchmarks.json: `benchmarks`, each with `requests` {successful, errored, incomplete}, lists of requests
 * with `prompt_tokens`, `output_tokens` and `request_start_time` (s since the epoch; `start_time` in
 * older reports). The successful ones are read, the others dropped and counted. A report may hold several benchmarks (a
 * sweep); a trace is of one.
 *
 * BLIS, trace version 2 or 3: the CSV with `arrival_time_us`, `input_tokens`, `output_tokens`; a row of a
 * `prefix_group` has `prefix_length` tokens more in front, which its group shares, by blocks. Rows whose
 * `status` is not "ok" have failed: dropped and counted.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include "sim/trace/reader.h"

static bool end_reading(rc_reader *r) {
    if (r->status == RC_OK)
        r->status = rc_fail_at(r->err, RC_E_INPUT, r->name, (int)r->line, r->col, "%s", r->why);
    return false;
}

/* ---- GuideLLM --------------------------------------------------------------------------------- */

static bool guidellm_request(rc_reader *r, rc_slice text) {
    rc_member m[] = {{"prompt_tokens", {0}},
                     {"output_tokens", {0}},
                     {"request_start_time", {0}},
                     {"start_time", {0}}};
    rc_req q = rc_blank_request();
    rc_stamp t;
    if (!rc_json_members(r, text, m, 4))
        return false;
    rc_member *time = rc_member_absent(&m[2]) ? &m[3] : &m[2];
    bool timed = !rc_member_absent(time);
    if (!rc_json_need(r, &m[0], RC_VALUE_NUMBER) || !rc_json_need(r, &m[1], RC_VALUE_NUMBER) ||
        !rc_read_tokens(r, m[0].value.text, m[0].name, false, RC_TRACE_MAX_INPUT, &q.input) ||
        !rc_read_output(r, m[1].value.text, m[1].name, &q.output) ||
        !rc_reader_timing(r, timed, m[2].name, text.p) ||
        (timed && (!rc_read_arrival(r, time->value.text, time->name, &t) ||
                   !rc_reader_arrival(r, t, time->value.text.p, &q.arrival))))
        return false;
    if (timed)
        rc_reader_arrived(r, t);
    return q.output == 0 ? rc_reader_drop(r) : rc_reader_add(r, &q);
}

/* All items of a list: read as requests, or counted as dropped. */
static bool guidellm_list(rc_reader *r, const rc_member *list, bool read) {
    bool more = true;
    rc_value item;
    if (rc_member_absent(list))
        return true;
    const char *p = list->value.text.p, *end = p + list->value.text.n;
    if (list->value.kind != RC_VALUE_NESTED || *p != '[')
        return rc_bad(r, RC_FAULT_SYNTAX, p, "'%s' is no list", list->name);
    for (;;) {
        if (!rc_json_item(r, &p, end, &item, &more))
            return false;
        if (!more)
            return true;
        if (item.kind != RC_VALUE_NESTED || item.text.p[0] != '{')
            return rc_bad(r, RC_FAULT_SYNTAX, item.text.p, "a request is no object");
        r->t->rows++;
        if (!(read ? guidellm_request(r, item.text) : rc_reader_drop(r)))
            return false;
    }
}

static bool guidellm_benchmark(rc_reader *r, rc_slice text) {
    rc_member requests[] = {{"requests", {0}}};
    rc_member m[] = {{"successful", {0}}, {"errored", {0}}, {"incomplete", {0}}};
    if (!rc_json_members(r, text, requests, 1) || !rc_json_need(r, &requests[0], RC_VALUE_NESTED) ||
        !rc_json_members(r, requests[0].value.text, m, 3))
        return false;
    return guidellm_list(r, &m[0], true) && guidellm_list(r, &m[1], false) &&
           guidellm_list(r, &m[2], false);
}

static bool guidellm_report(rc_reader *r) {
    rc_member m[] = {{"benchmarks", {0}}};
    rc_value item;
    bool more = true;
    if (!rc_json_line(r, m, 1) || !rc_json_need(r, &m[0], RC_VALUE_NESTED))
        return false;
    const char *p = m[0].value.text.p, *end = p + m[0].value.text.n;
    if (*p != '[')
        return rc_bad(r, RC_FAULT_SYNTAX, p, "'benchmarks' is no list");
    r->t->rows--; /* the report is no row, its requests are */
    for (int n = 0;; n++) {
        if (!rc_json_item(r, &p, end, &item, &more))
            return false;
        if (!more)
            return true;
        if (n > 0 || r->t->count > 0)
            return rc_bad(r, RC_FAULT_SYNTAX, item.text.p,
                          "several benchmarks: a trace is of one (keep the one: jq '.benchmarks |= "
                          "[.[0]]')");
        if (item.kind != RC_VALUE_NESTED || item.text.p[0] != '{')
            return rc_bad(r, RC_FAULT_SYNTAX, item.text.p, "a benchmark is no object");
        if (!guidellm_benchmark(r, item.text))
            return false;
    }
}

bool rc_row_guidellm_report(rc_reader *r) {
    return guidellm_report(r) || end_reading(r);
}

/* ---- BLIS ------------------------------------------------------------------------------------- */

enum { ARRIVAL, INPUT, OUTPUT, GROUP, LENGTH, STATUS };
const rc_csv_role rc_roles_blis[] = {{"arrival_time_us", true},
                                     {"input_tokens", true},
                                     {"output_tokens", true},
                                     {"prefix_group", false},
                                     {"prefix_length", false},
                                     {"status", false},
                                     {NULL, false}};

/* The prefix of the row's group: more input, and blocks that the group shares. */
static bool add_prefix(rc_reader *r, rc_req *q) {
    rc_slice group = rc_csv_field(r, GROUP), length = rc_csv_field(r, LENGTH);
    int64_t n = 0;
    if (group.n == 0 || length.n == 0)
        return true;
    if (!rc_read_whole(r, length, "prefix_length", 0, RC_TRACE_MAX_INPUT - (int64_t)q->input, &n))
        return false;
    q->input += (uint32_t)n;
    uint32_t index = rc_names_put(&r->contexts, group.p, group.n);
    if (index == UINT32_MAX)
        return rc_reader_no_memory(r);
    if (!rc_reader_room(r, &r->raw, &r->raw_room, 1, sizeof *r->raw))
        return false;
    r->raw[0] = (rc_raw_span){(uint64_t)index << 32, (uint32_t)(n / r->opt.block)};
    r->raws = 1;
    return n < r->opt.block || rc_reader_number(r, q, false);
}

bool rc_row_blis(rc_reader *r) {
    rc_req q = rc_blank_request();
    rc_stamp t;
    if (!rc_csv_split(r))
        return false;
    rc_slice status = rc_csv_field(r, STATUS), at = rc_csv_field(r, ARRIVAL);
    if (status.n > 0 && (status.n != 2 || memcmp(status.p, "ok", 2) != 0))
        return rc_reader_drop(r);
    if (!rc_read_arrival(r, at, "arrival_time_us", &t) ||
        !rc_read_tokens(r, rc_csv_field(r, INPUT), "input_tokens", true, RC_TRACE_MAX_INPUT,
                        &q.input) ||
        !rc_read_output(r, rc_csv_field(r, OUTPUT), "output_tokens", &q.output) ||
        !rc_reader_arrival(r, t, at.p, &q.arrival) || !add_prefix(r, &q))
        return false;
    if (q.input == 0)
        return rc_bad(r, RC_FAULT_ZERO, rc_csv_field(r, INPUT).p, "an input of 0 tokens");
    rc_reader_arrived(r, t);
    if (q.output == 0) {
        r->t->span_count -= q.spans;
        return rc_reader_drop(r);
    }
    return rc_reader_add(r, &q);
}
