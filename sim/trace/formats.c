/* One line of each format. What the fields mean: scenarios/traces/README.md.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include "sim/trace/reader.h"

static rc_req blank(void) {
    return (rc_req){.arrival = RC_NO_ARRIVAL,
                    .after = RC_NO_REQUEST,
                    .child = RC_NO_REQUEST,
                    .sibling = RC_NO_REQUEST,
                    .session = RC_NO_SESSION,
                    .prefix = -1};
}

static bool blocks_fit(rc_reader *r, const rc_req *q, const char *at) {
    uint64_t most = ((uint64_t)q->input + r->t->block - 1) / r->t->block, named = 0;
    for (size_t i = 0; i < r->raws; i++)
        named += r->raw[i].count;
    if (named <= most)
        return true;
    return rc_bad(r, RC_FAULT_ABSURD, at, "%llu blocks of %u tokens for an input of %u",
                  (unsigned long long)named, r->t->block, q->input);
}

/* Behind the session's last request, `think` later. */
static bool add_turn(rc_reader *r, rc_req *q, uint32_t k, rc_time think) {
    rc_session *s = &r->session[k];
    q->session = k;
    q->turn = s->turns;
    q->after = s->last;
    q->think = s->last == RC_NO_REQUEST ? 0 : think;
    if (!rc_reader_add(r, q))
        return false;
    uint32_t index = (uint32_t)(r->t->count - 1);
    if (s->last != RC_NO_REQUEST)
        r->t->at[s->last].child = index;
    s->last = index;
    s->turns++;
    r->t->closed_loop = true;
    return true;
}

/* ---- JSON lines ----------------------------------------------------------------------- */

bool rc_row_mooncake(rc_reader *r) {
    rc_member m[] = {{"timestamp", {0}}, {"input_length", {0}}, {"output_length", {0}},
                     {"hash_ids", {0}},  {"session_id", {0}},   {"delay", {0}}};
    rc_req q = blank();
    rc_stamp s = {0, 0};
    rc_time delay = 0;
    bool session = false;
    if (!rc_json_line(r, m, 6) || !rc_json_need(r, &m[1], RC_VALUE_NUMBER) ||
        !rc_json_need(r, &m[2], RC_VALUE_NUMBER))
        return false;
    if (!rc_read_tokens(r, m[1].value.text, "input_length", false, RC_TRACE_MAX_INPUT, &q.input) ||
        !rc_read_tokens(r, m[2].value.text, "output_length", false, RC_TRACE_MAX_OUTPUT, &q.output))
        return false;
    session = m[4].value.kind == RC_VALUE_TEXT || m[4].value.kind == RC_VALUE_NUMBER;
    if (m[5].value.kind == RC_VALUE_NUMBER &&
        !rc_read_duration(r, m[5].value.text, "delay", 1000, &delay))
        return false;
    bool timed = m[0].value.kind == RC_VALUE_NUMBER;
    if (!timed && !session)
        return rc_json_need(r, &m[0], RC_VALUE_NUMBER);
    if (timed && (!rc_read_stamp(r, m[0].value.text, "timestamp", 1000, &s) ||
                  !rc_reader_arrival(r, s, m[0].value.text.p, &q.arrival)))
        return false;
    r->raws = 0;
    if (m[3].value.kind == RC_VALUE_NESTED &&
        (!rc_json_ids(r, m[3].value.text) || !blocks_fit(r, &q, m[3].value.text.p) ||
         !rc_reader_number(r, &q, false)))
        return false;
    if (timed)
        rc_reader_arrived(r, s);
    if (!session)
        return rc_reader_add(r, &q);
    uint32_t k = rc_reader_session(r, m[4].value.text);
    if (k == RC_NO_SESSION)
        return false;
    if (r->session[k].last != RC_NO_REQUEST)
        q.arrival = RC_NO_ARRIVAL;
    return add_turn(r, &q, k, delay);
}

bool rc_row_sessions(rc_reader *r) {
    rc_member m[] = {{"id", {0}},  {"t", {0}},           {"in", {0}},
                     {"out", {0}}, {"hash_ranges", {0}}, {"think_time", {0}}};
    rc_req q = blank();
    rc_time think = 0;
    if (!rc_json_line(r, m, 6) || !rc_json_need(r, &m[0], RC_VALUE_TEXT) ||
        !rc_json_need(r, &m[2], RC_VALUE_NUMBER) || !rc_json_need(r, &m[3], RC_VALUE_NUMBER) ||
        !rc_json_need(r, &m[4], RC_VALUE_NESTED))
        return false;
    if (!rc_read_tokens(r, m[2].value.text, "in", false, RC_TRACE_MAX_INPUT, &q.input) ||
        !rc_read_tokens(r, m[3].value.text, "out", true, RC_TRACE_MAX_OUTPUT, &q.output))
        return false;
    if (m[5].value.kind == RC_VALUE_NUMBER &&
        !rc_read_duration(r, m[5].value.text, "think_time", 1, &think))
        return false;
    if (q.output == 0) { /* a reply without a token: a few rows have it */
        r->t->dropped++;
        return true;
    }
    if (!rc_json_ranges(r, m[4].value.text) || !blocks_fit(r, &q, m[4].value.text.p))
        return false;
    uint32_t k = rc_reader_session(r, m[0].value.text);
    if (k == RC_NO_SESSION || !rc_reader_number(r, &q, true))
        return false;
    for (size_t i = 0; i < r->raws; i++) {
        uint32_t most = (uint32_t)r->raw[i].first + r->raw[i].count;
        if (most > r->session[k].blocks)
            r->session[k].blocks = most;
    }
    return add_turn(r, &q, k, think);
}

bool rc_sessions_finish(rc_reader *r) {
    rc_trace *t = r->t;
    uint64_t next = 0;
    for (uint32_t k = 0; k < r->sessions.count; k++) {
        uint32_t mine = r->session[k].blocks;
        r->session[k].blocks = (uint32_t)next; /* from here on: its first */
        next += mine;
        if (next > UINT32_MAX / 2)
            return rc_bad(r, RC_FAULT_ABSURD, NULL, "more than %u blocks", UINT32_MAX / 2);
    }
    for (size_t i = 0; i < t->count; i++)
        for (uint32_t s = 0; s < t->at[i].spans; s++)
            t->spans[t->at[i].span + s].first += r->session[t->at[i].session].blocks;
    t->blocks = (uint32_t)next;
    return true;
}

/* ---- CSV ------------------------------------------------------------------------------ */

static bool add_timed(rc_reader *r, rc_req *q, rc_stamp s, const char *at) {
    if (!rc_reader_arrival(r, s, at, &q->arrival) || !rc_reader_add(r, q))
        return false;
    rc_reader_arrived(r, s);
    return true;
}

const rc_csv_role rc_roles_azure[] = {
    {"TIMESTAMP", true}, {"ContextTokens", true}, {"GeneratedTokens", true}, {NULL, false}};

bool rc_row_azure(rc_reader *r) {
    rc_req q = blank();
    rc_stamp s;
    rc_slice time = rc_csv_field(r, 0);
    return rc_read_date(r, time, &s) &&
           rc_read_tokens(r, rc_csv_field(r, 1), "ContextTokens", false, RC_TRACE_MAX_INPUT,
                          &q.input) &&
           rc_read_tokens(r, rc_csv_field(r, 2), "GeneratedTokens", false, RC_TRACE_MAX_OUTPUT,
                          &q.output) &&
           add_timed(r, &q, s, time.p);
}

const rc_csv_role rc_roles_vidur[] = {
    {"arrived_at", true}, {"num_prefill_tokens", true}, {"num_decode_tokens", true}, {NULL, false}};

bool rc_row_vidur(rc_reader *r) {
    rc_req q = blank();
    rc_stamp s;
    rc_slice time = rc_csv_field(r, 0);
    return rc_read_stamp(r, time, "arrived_at", 1, &s) &&
           rc_read_tokens(r, rc_csv_field(r, 1), "num_prefill_tokens", false, RC_TRACE_MAX_INPUT,
                          &q.input) &&
           rc_read_tokens(r, rc_csv_field(r, 2), "num_decode_tokens", false, RC_TRACE_MAX_OUTPUT,
                          &q.output) &&
           add_timed(r, &q, s, time.p);
}

const rc_csv_role rc_roles_burstgpt[] = {
    {"Timestamp", true}, {"Request tokens", true}, {"Response tokens", true}, {NULL, false}};

/* Rows without tokens are failed requests: dropped and counted. */
bool rc_row_burstgpt(rc_reader *r) {
    rc_req q = blank();
    rc_stamp s;
    rc_slice time = rc_csv_field(r, 0);
    if (!rc_read_stamp(r, time, "Timestamp", 1, &s) ||
        !rc_read_tokens(r, rc_csv_field(r, 1), "Request tokens", true, RC_TRACE_MAX_INPUT,
                        &q.input) ||
        !rc_read_tokens(r, rc_csv_field(r, 2), "Response tokens", true, RC_TRACE_MAX_OUTPUT,
                        &q.output))
        return false;
    if (q.input == 0 || q.output == 0) {
        r->t->dropped++;
        return true;
    }
    return add_timed(r, &q, s, time.p);
}

const rc_csv_role rc_roles_tracelab[] = {{"session_id", true},          {"arrival_time", false},
                                         {"prefix_len", true},          {"input_len", true},
                                         {"output_len", true},          {"round_idx", false},
                                         {"tool_wait_after_ms", false}, {NULL, false}};

/* P as the file gives it; blocks of a session's own that grow with its input: the first
 * prefix_len / block are those of the round before. */
bool rc_row_tracelab(rc_reader *r) {
    rc_req q = blank();
    rc_stamp s;
    rc_time wait = 0;
    uint32_t prefix, fresh;
    rc_slice time = rc_csv_field(r, 1), tool = rc_csv_field(r, 6);
    if (!rc_read_tokens(r, rc_csv_field(r, 2), "prefix_len", true, RC_TRACE_MAX_INPUT, &prefix) ||
        !rc_read_tokens(r, rc_csv_field(r, 3), "input_len", false, RC_TRACE_MAX_INPUT / 2,
                        &fresh) ||
        !rc_read_tokens(r, rc_csv_field(r, 4), "output_len", false, RC_TRACE_MAX_OUTPUT, &q.output))
        return false;
    if (rc_csv_field(r, 0).n == 0)
        return rc_bad(r, RC_FAULT_MISSING, r->row, "session_id is missing");
    if (tool.n > 0 && !rc_read_duration(r, tool, "tool_wait_after_ms", 1000, &wait))
        return false;
    q.input = prefix + fresh;
    q.prefix = (int32_t)prefix;
    uint32_t k = rc_reader_session(r, rc_csv_field(r, 0));
    if (k == RC_NO_SESSION)
        return false;
    rc_session *own = &r->session[k];
    if (time.n > 0 && own->last == RC_NO_REQUEST) {
        if (!rc_read_stamp(r, time, "arrival_time", 1000, &s) ||
            !rc_reader_arrival(r, s, time.p, &q.arrival))
            return false;
        rc_reader_arrived(r, s);
    }
    uint32_t keep = prefix / r->t->block, all = q.input / r->t->block;
    r->raws = 0;
    if (!rc_reader_room(r, &r->raw, &r->raw_room, 2, sizeof *r->raw))
        return false;
    keep = keep < own->chain ? keep : own->chain;
    if (keep > 0)
        r->raw[r->raws++] = (rc_raw_span){own->first_block, keep};
    if (all > keep) { /* new ids for what is new; a cut chain starts a new run */
        r->raw[r->raws++] = (rc_raw_span){own->blocks, all - keep};
        if (own->first_block + keep != own->blocks && keep == 0)
            own->first_block = own->blocks;
        own->chain = own->first_block + keep == own->blocks ? all : keep;
        own->blocks += all - keep;
    }
    rc_time after = own->wait;
    if (!rc_reader_number(r, &q, true) || !add_turn(r, &q, k, after))
        return false;
    r->session[k].wait = wait;
    return true;
}
