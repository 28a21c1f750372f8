/* Rows of CSV: Azure, Vidur, BurstGPT and TraceLab. Columns are found by name, in any order; others
 * are ignored.
 *
 * TraceLab: a round gives P (`prefix_len`) and T (`input_len`). Blocks are made up to match: a
 * round keeps the first P tokens of its session's last round, reply included, and what follows is
 * new; what a first round has cached is a prefix that all sessions share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>
#include "sim/trace/reader.h"

/* One field at *p; *p moves to the comma or the end. Quotes are dropped, blanks around kept out. */
static bool field(rc_reader *r, const char **p, rc_slice *out) {
    const char *from = *p, *to;
    if (from < r->end && *from == '"') {
        to = ++from;
        while (to < r->end && *to != '"')
            to++;
        if (to == r->end)
            return rc_bad(r, RC_FAULT_SYNTAX, *p, "an open quote");
        *p = to + 1;
        if (*p < r->end && **p != ',')
            return rc_bad(r, RC_FAULT_SYNTAX, *p, "text after a closing quote");
    } else {
        const char *comma = from < r->end ? memchr(from, ',', (size_t)(r->end - from)) : NULL;
        *p = to = comma ? comma : r->end;
    }
    while (from < to && *from == ' ')
        from++;
    while (to > from && to[-1] == ' ')
        to--;
    *out = (rc_slice){from, (size_t)(to - from)};
    return true;
}

bool rc_csv_split(rc_reader *r) {
    const char *p = r->row;
    r->fields = 0;
    for (;;) {
        if (r->fields == RC_CSV_FIELDS)
            return rc_bad(r, RC_FAULT_SYNTAX, p, "more than %d fields", RC_CSV_FIELDS);
        if (!field(r, &p, &r->field[r->fields++]))
            return false;
        if (p >= r->end)
            break;
        p++; /* ',' */
    }
    if (r->header > 0 && r->fields != r->header)
        return rc_bad(r, r->fields < r->header ? RC_FAULT_MISSING : RC_FAULT_SYNTAX, r->row,
                      "%d fields, the header has %d", r->fields, r->header);
    return true;
}

bool rc_csv_roles(rc_reader *r, const rc_csv_role *roles, int count) {
    assert(count <= RC_CSV_ROLES);
    for (int k = 0; k < count; k++) {
        r->role[k] = -1;
        for (int i = 0; i < r->fields; i++) {
            if (strlen(roles[k].name) != r->field[i].n ||
                memcmp(roles[k].name, r->field[i].p, r->field[i].n) != 0)
                continue;
            if (r->role[k] >= 0)
                return rc_bad(r, RC_FAULT_SYNTAX, r->field[i].p, "column '%s' is there twice",
                              roles[k].name);
            r->role[k] = i;
        }
        if (r->role[k] < 0 && roles[k].needed)
            return rc_bad(r, RC_FAULT_MISSING, NULL, "no column '%s'; found %.*s", roles[k].name,
                          r->end - r->row > 120 ? 120 : (int)(r->end - r->row), r->row);
    }
    return true;
}

rc_slice rc_csv_field(const rc_reader *r, int role) {
    assert(role >= 0 && role < RC_CSV_ROLES);
    assert(r->role[role] < r->fields);
    return r->role[role] < 0 ? (rc_slice){NULL, 0} : r->field[r->role[role]];
}

static bool tokens(rc_reader *r, int input, int output, const char *input_name,
                   const char *output_name, rc_req *q) {
    return rc_read_tokens(r, rc_csv_field(r, input), input_name, false, RC_TRACE_MAX_INPUT,
                          &q->input) &&
           rc_read_output(r, rc_csv_field(r, output), output_name, &q->output);
}

static bool add_timed(rc_reader *r, rc_req *q, rc_stamp t, const char *at) {
    if (!rc_reader_arrival(r, t, at, &q->arrival))
        return false;
    rc_reader_arrived(r, t);
    return q->output == 0 ? rc_reader_drop(r) : rc_reader_add(r, q);
}

const rc_csv_role rc_roles_azure[] = {
    {"TIMESTAMP", true}, {"ContextTokens", true}, {"GeneratedTokens", true}, {NULL, false}};

bool rc_row_azure(rc_reader *r) {
    rc_req q = rc_blank_request();
    rc_stamp t;
    return rc_csv_split(r) && rc_read_date(r, rc_csv_field(r, 0), &t) &&
           tokens(r, 1, 2, "ContextTokens", "GeneratedTokens", &q) &&
           add_timed(r, &q, t, rc_csv_field(r, 0).p);
}

const rc_csv_role rc_roles_vidur[] = {{"arrived_at", false},
                                      {"num_prefill_tokens", true},
                                      {"num_decode_tokens", true},
                                      {NULL, false}};

/* Vidur publishes traces of lengths, too, and replays them at a rate. */
bool rc_row_vidur(rc_reader *r) {
    rc_req q = rc_blank_request();
    rc_stamp t = {0, 0};
    bool timed = r->role[0] >= 0;
    if (!rc_csv_split(r) || !rc_reader_timing(r, timed, "arrived_at", NULL) ||
        (timed && !rc_read_arrival(r, rc_csv_field(r, 0), "arrived_at", &t)) ||
        !tokens(r, 1, 2, "num_prefill_tokens", "num_decode_tokens", &q))
        return false;
    if (timed)
        return add_timed(r, &q, t, rc_csv_field(r, 0).p);
    return q.output == 0 ? rc_reader_drop(r) : rc_reader_add(r, &q);
}

const rc_csv_role rc_roles_burstgpt[] = {{"Timestamp", true},
                                         {"Request tokens", true},
                                         {"Response tokens", true},
                                         {"Session ID", false},
                                         {NULL, false}};

/* Rows of 0 tokens are failures that the trace records: dropped and counted, not refused. */
bool rc_row_burstgpt(rc_reader *r) {
    rc_req q = rc_blank_request();
    rc_stamp t;
    if (!rc_csv_split(r) || !rc_read_arrival(r, rc_csv_field(r, 0), "Timestamp", &t) ||
        !rc_read_tokens(r, rc_csv_field(r, 1), "Request tokens", true, RC_TRACE_MAX_INPUT,
                        &q.input) ||
        !rc_read_tokens(r, rc_csv_field(r, 2), "Response tokens", true, RC_TRACE_MAX_OUTPUT,
                        &q.output) ||
        !rc_reader_arrival(r, t, rc_csv_field(r, 0).p, &q.arrival))
        return false;
    if (q.input > 0 && q.output == 0 && r->opt.zero_output == RC_ZERO_ONE) {
        q.output = 1;
        r->t->raised++;
    }
    if (q.input == 0 || q.output == 0)
        return rc_reader_drop(r);
    rc_slice id = rc_csv_field(r, 3);
    if (!rc_no_name(id) && (q.session = rc_reader_session(r, id)) == RC_NO_SESSION)
        return false;
    return add_timed(r, &q, t, rc_csv_field(r, 0).p);
}

/* ---------------------------------------------------------------- TraceLab ---------------- */
enum { L_SESSION, L_ARRIVAL, L_ROUND, L_PREFIX, L_INPUT, L_OUTPUT, L_WAIT };
const rc_csv_role rc_roles_tracelab[] = {{"session_id", true},         {"arrival_time", true},
                                         {"round_idx", true},          {"prefix_len", true},
                                         {"input_len", true},          {"output_len", true},
                                         {"tool_wait_after_ms", true}, {NULL, false}};

typedef struct lab_row {
    rc_stamp at;
    int64_t round;
    uint32_t prefix, fresh;
    rc_time wait;
} lab_row;

static bool lab_fields(rc_reader *r, rc_req *q, lab_row *row) {
    if (!rc_csv_split(r))
        return false;
    rc_slice wait = rc_csv_field(r, L_WAIT);
    if (rc_csv_field(r, L_SESSION).n == 0)
        return rc_bad(r, RC_FAULT_MISSING, rc_csv_field(r, L_SESSION).p, "session_id is missing");
    row->wait = 0;
    if (!rc_read_arrival(r, rc_csv_field(r, L_ARRIVAL), "arrival_time", &row->at) ||
        !rc_read_whole(r, rc_csv_field(r, L_ROUND), "round_idx", 0, 1000000000, &row->round) ||
        !rc_read_tokens(r, rc_csv_field(r, L_PREFIX), "prefix_len", true, RC_TRACE_MAX_INPUT,
                        &row->prefix) ||
        !rc_read_tokens(r, rc_csv_field(r, L_INPUT), "input_len", false, RC_TRACE_MAX_INPUT,
                        &row->fresh) ||
        !rc_read_output(r, rc_csv_field(r, L_OUTPUT), "output_len", &q->output) ||
        (wait.n > 0 && !rc_read_duration(r, wait, "tool_wait_after_ms", 1000, &row->wait)))
        return false;
    q->input = row->prefix + row->fresh; /* both at most 1e8 */
    q->prefix = (int32_t)row->prefix;
    if (q->input > RC_TRACE_MAX_INPUT)
        return rc_bad(r, RC_FAULT_ABSURD, rc_csv_field(r, L_INPUT).p,
                      "prefix_len and input_len make %lu tokens, at most %d",
                      (unsigned long)q->input, RC_TRACE_MAX_INPUT);
    return true;
}

/* The prefix that first rounds share, at least `blocks` long. */
static bool lab_common(rc_reader *r, uint32_t blocks) {
    if (r->common_blocks >= blocks)
        return true;
    uint32_t more = blocks - r->common_blocks;
    if (!rc_reader_room(r, &r->common, &r->common_room, r->commons + 1, sizeof *r->common))
        return false;
    if (more > RC_FRESH_BLOCK - 1 - r->fresh)
        return rc_bad(r, RC_FAULT_ABSURD, NULL, "more than 2147483647 different blocks");
    r->common[r->commons++] = (rc_span){RC_FRESH_BLOCK + r->fresh, more};
    r->fresh += more;
    r->common_blocks = blocks;
    return true;
}

static bool lab_blocks(rc_reader *r, rc_req *q, uint32_t last) {
    uint32_t block = r->opt.block, keep = (uint32_t)q->prefix / block;
    uint32_t full = rc_full_blocks(r, q);
    return (last != RC_NO_REQUEST || lab_common(r, keep)) &&
           rc_reader_chain(r, q, last, keep, full);
}

bool rc_row_tracelab(rc_reader *r) {
    rc_req q = rc_blank_request();
    lab_row row;
    if (!lab_fields(r, &q, &row))
        return false;
    q.session = rc_reader_session(r, rc_csv_field(r, L_SESSION));
    if (q.session == RC_NO_SESSION)
        return false;
    const rc_session *s = &r->session[q.session];
    const char *at = rc_csv_field(r, L_ARRIVAL).p;
    bool ordered = s->turns == 0 ? row.round <= 1 : row.round == s->round + 1;
    if (!ordered)
        return rc_bad(r, RC_FAULT_IDS, rc_csv_field(r, L_ROUND).p,
                      "rounds out of order: %lld where %lld is expected", (long long)row.round,
                      (long long)(s->turns == 0 ? 0 : s->round + 1));
    if (s->turns > 0 && rc_stamp_before(row.at, s->time))
        return rc_bad(r, RC_FAULT_BACKWARDS, at, "time goes backwards in its session");
    rc_stamp base = r->based ? r->base : row.at;
    rc_time arrival;
    if (!rc_reader_since(r, base, row.at, at, &arrival) || !lab_blocks(r, &q, s->last))
        return false;
    if (s->turns > 0) {
        q.after = s->last;
        q.think = s->wait;
    } else {
        q.arrival = arrival;
    }
    r->base = base;
    r->based = true;
    rc_session *mine = &r->session[q.session];
    mine->round = row.round;
    mine->time = row.at;
    mine->wait = row.wait;
    return rc_reader_add(r, &q);
}
