/* Rows by a choice of columns: the caller's (--columns), and formats that are nothing else. A
 * column is one of a CSV file, found by its name in the header, or a key of a JSON object; "a.b" is
 * the key b of the object at a.
 *
 * The unit of arrivals is told by the caller, by the format, or by the name of the column
 * ("arrival_ms", "time_ns", "start_s"); a date needs none.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "sim/trace/reader.h"

static const char *const roles[RC_OWN_ROLES] = {"arrival", "input", "output", "session"};

static rc_status bad_map(rc_reader *r, const char *map, rc_error *err) {
    return rc_fail_file(err, RC_E_USAGE, "columns",
                        "found '%.200s' for %s, expected arrival=NAME,input=NAME,output=NAME,"
                        "session=NAME (arrival and session may be left out)",
                        map, r->name);
}

rc_status rc_own_columns(rc_reader *r, const char *map, rc_error *err) {
    assert(map != NULL);
    memset(r->own, 0, sizeof r->own);
    for (const char *p = map; *p;) {
        size_t n = strcspn(p, ","), name = strcspn(p, "=,");
        int k = 0;
        while (k < RC_OWN_ROLES && (strlen(roles[k]) != name || memcmp(roles[k], p, name) != 0))
            k++;
        if (k == RC_OWN_ROLES || name + 1 >= n || n - name > sizeof r->own[0] || r->own[k][0])
            return bad_map(r, map, err);
        snprintf(r->own[k], sizeof r->own[k], "%.*s", (int)(n - name - 1), p + name + 1);
        p += n + (p[n] == ',');
    }
    if (!r->own[RC_OWN_INPUT][0] || !r->own[RC_OWN_OUTPUT][0])
        return bad_map(r, map, err);
    return RC_OK;
}

rc_time_unit rc_unit_by_name(const char *column) {
    static const struct {
        const char *end;
        rc_time_unit unit;
    } ends[] = {{"_ns", RC_UNIT_NS},  {"_us", RC_UNIT_US},     {"_ms", RC_UNIT_MS},
                {"_s", RC_UNIT_S},    {"_seconds", RC_UNIT_S}, {"_sec", RC_UNIT_S},
                {"(ms)", RC_UNIT_MS}, {"(s)", RC_UNIT_S},      {"(us)", RC_UNIT_US},
                {"(ns)", RC_UNIT_NS}};
    size_t n = strlen(column);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t k = strlen(ends[i].end);
        if (n > k && strcmp(column + n - k, ends[i].end) == 0)
            return ends[i].unit;
    }
    return RC_UNIT_AUTO;
}

/* The cells of the row in hand by role; an empty slice where there is none. */
static bool csv_cells(rc_reader *r, rc_slice *cell) {
    if (!rc_csv_split(r))
        return false;
    for (int k = 0; k < RC_OWN_ROLES; k++)
        cell[k] = rc_csv_field(r, k);
    return true;
}

static bool json_cells(rc_reader *r, rc_slice *cell) {
    rc_slice row = {r->row, (size_t)(r->end - r->row)};
    while (row.n > 0 && (*row.p == ' ' || *row.p == '\t'))
        row.p++, row.n--;
    for (int k = 0; k < RC_OWN_ROLES; k++) {
        rc_value v = {RC_VALUE_NONE, {NULL, 0}};
        if (r->own[k][0] && !rc_json_path(r, row, r->own[k], &v))
            return false;
        if (v.kind == RC_VALUE_NESTED)
            return rc_bad(r, RC_FAULT_SYNTAX, v.text.p, "'%s' is not a number", r->own[k]);
        bool there = v.kind == RC_VALUE_NUMBER || v.kind == RC_VALUE_TEXT;
        cell[k] = there ? v.text : (rc_slice){v.text.p, 0};
    }
    return true;
}

static bool own_time(rc_reader *r, rc_slice s, rc_stamp *t) {
    if (!rc_is_date(s))
        return rc_read_arrival(r, s, r->own[RC_OWN_ARRIVAL], t);
    if (r->opt.unit != RC_UNIT_AUTO)
        return rc_bad(r, RC_FAULT_SYNTAX, s.p, "a date, but --time-unit is given");
    r->unit_told = true;
    r->per_s = 0; /* none: it is a date */
    return rc_read_date(r, s, t);
}

bool rc_row_own(rc_reader *r) {
    rc_slice cell[RC_OWN_ROLES];
    rc_req q = rc_blank_request();
    rc_stamp t = {0, 0};
    if (!(r->header > 0 ? csv_cells(r, cell) : json_cells(r, cell)))
        return false;
    rc_slice time = cell[RC_OWN_ARRIVAL], session = cell[RC_OWN_SESSION];
    bool timed = time.n > 0;
    if (!rc_reader_timing(r, timed, r->own[RC_OWN_ARRIVAL], time.p) ||
        (timed && !own_time(r, time, &t)) ||
        !rc_read_tokens(r, cell[RC_OWN_INPUT], r->own[RC_OWN_INPUT], false, RC_TRACE_MAX_INPUT,
                        &q.input) ||
        !rc_read_output(r, cell[RC_OWN_OUTPUT], r->own[RC_OWN_OUTPUT], &q.output) ||
        (timed && !rc_reader_arrival(r, t, time.p, &q.arrival)))
        return false;
    if (timed)
        rc_reader_arrived(r, t);
    if (q.output == 0)
        return rc_reader_drop(r);
    if (!rc_no_name(session) && (q.session = rc_reader_session(r, session)) == RC_NO_SESSION)
        return false;
    return rc_reader_add(r, &q);
}
