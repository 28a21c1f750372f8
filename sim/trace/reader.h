/* What the readers of the formats share. Private to the room.
 *
 * A reader turns one line into one request, in two steps: parse everything into an rc_row (nothing
 * of the trace changes), then rc_reader_add. Whatever is wrong is said with rc_bad, which remembers
 * reason, column and words; read.c decides whether that ends the reading.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TRACE_READER_H
#define RC_TRACE_READER_H
#include <stdbool.h>
#include "sim/trace/ids.h"
#include "sim/trace/trace.h"

typedef struct rc_slice {
    const char *p;
    size_t n;
} rc_slice;

typedef struct rc_stamp { /* a moment; epochs do not fit into int64_t picoseconds */
    int64_t s, ps;
} rc_stamp;

enum { RC_CSV_FIELDS = 64, RC_CSV_ROLES = 8 };

#define RC_FRESH_BLOCK 0x80000000u /* while reading: ids that the file does not name */

typedef struct rc_session { /* by index */
    uint32_t last;          /* its last request, RC_NO_REQUEST when none */
    uint32_t turns;
    uint32_t blocks; /* sessions: local ids seen so far, highest + 1 */
    int64_t round;   /* TraceLab: round_idx of the last */
    rc_stamp time;   /* of the last row */
    rc_time wait;    /* TraceLab: tool wait after the last */
} rc_session;

typedef struct rc_context { /* sessions: one chain of requests in a session */
    uint32_t last;
    rc_stamp start; /* of the last row */
    rc_time api;    /* how long it took; 0 when the file does not say */
} rc_context;

typedef struct rc_reader {
    rc_trace_options opt;
    rc_trace *t;
    size_t at_room, span_room;
    rc_error *err;
    const char *name;
    rc_status status; /* not RC_OK: give up, *err is filled */
    uint64_t line;
    const char *row, *end; /* the line in hand */
    /* what is wrong with it */
    rc_fault fault;
    int col;
    char why[200];
    /* times */
    bool based;
    rc_stamp base, last;
    /* CSV */
    rc_slice field[RC_CSV_FIELDS];
    int fields, header;
    int role[RC_CSV_ROLES]; /* column of each role, -1 when absent */
    /* block ids as in the row, before they are numbered */
    rc_raw_span *raw;
    size_t raws, raw_room;
    rc_ids ids;
    rc_names sessions, contexts;
    rc_session *session;
    size_t session_room;
    rc_context *context;
    size_t context_room;
    uint32_t context_count;
    char *key; /* scratch: session and context as one name */
    size_t key_room;
    uint32_t fresh;  /* TraceLab, AIPerf: blocks that the file does not name, so far */
    rc_span *common; /* TraceLab: the prefix that first rounds share */
    size_t commons, common_room;
    uint32_t common_blocks;
} rc_reader;

/* False, always. `at` is a place in the row, or NULL. */
bool rc_bad(rc_reader *r, rc_fault fault, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
bool rc_reader_no_memory(rc_reader *r);
#if defined(__clang_analyzer__) || defined(__cppcheck__) /* see error.h */
#define rc_bad(r, ...) ((void)(rc_bad)(r, __VA_ARGS__), false)
#define rc_reader_no_memory(r) ((void)(rc_reader_no_memory)(r), false)
#endif
/* Room for one more element; false and status set when memory is out. */
bool rc_reader_room(rc_reader *r, void *array_pointer, size_t *room, size_t need, size_t bytes);

/* Numbers. `what` names the field in what is said. */
bool rc_read_whole(rc_reader *r, rc_slice s, const char *what, int64_t lo, int64_t hi,
                   int64_t *out);
/* Tokens: from 1, or from 0 with `zero`, to the cap. */
bool rc_read_tokens(rc_reader *r, rc_slice s, const char *what, bool zero, int64_t cap,
                    uint32_t *out);
/* A decimal number of seconds (per_s = 1) or milliseconds (1000), >= 0. */
bool rc_read_stamp(rc_reader *r, rc_slice s, const char *what, int per_s, rc_stamp *out);
bool rc_read_duration(rc_reader *r, rc_slice s, const char *what, int per_s, rc_time *out);
/* YYYY-MM-DD HH:MM:SS[.fraction][Z|+HH:MM]. */
bool rc_read_date(rc_reader *r, rc_slice s, rc_stamp *out);

/* Picoseconds from the first row to `s`; refuses what is too far. */
bool rc_reader_since(rc_reader *r, rc_stamp from, rc_stamp s, const char *at, rc_time *out);
/* The arrival of a row of an open-loop file: not before the row above. Does not remember `s`. */
bool rc_reader_arrival(rc_reader *r, rc_stamp s, const char *at, rc_time *out);
void rc_reader_arrived(rc_reader *r, rc_stamp s); /* does */

/* The session called `name`, new when it is not known; its index, or RC_NO_SESSION on failure. */
uint32_t rc_reader_session(rc_reader *r, rc_slice name);
/* Append the request; its spans, the trace's last q->spans, are there already. */
bool rc_reader_add(rc_reader *r, rc_req *q);
/* The rows of r->raw as spans of `q`: numbered by r->ids, or as they are (session-local). */
bool rc_reader_number(rc_reader *r, rc_req *q, bool as_is);
/* Spans of `q` when the file tells tokens, not blocks: the first `keep` blocks of request `last`
 * (RC_NO_REQUEST: of r->common), then fresh ones up to `blocks`. */
bool rc_reader_chain(rc_reader *r, rc_req *q, uint32_t last, uint32_t keep, uint32_t blocks);

/* ---- JSON lines (json_line.c): strict, no tree ------------------------------------------ */
typedef struct rc_cursor {
    const char *p, *end;
    rc_reader *r;
} rc_cursor;
typedef enum rc_value_kind {
    RC_VALUE_NONE,
    RC_VALUE_NULL,
    RC_VALUE_NUMBER,
    RC_VALUE_TEXT,  /* between its quotes, escapes as they stand */
    RC_VALUE_OTHER, /* true, false */
    RC_VALUE_NESTED /* a list or an object, whole */
} rc_value_kind;
typedef struct rc_value {
    rc_value_kind kind;
    rc_slice text;
} rc_value;
typedef struct rc_member { /* a key that a format knows */
    const char *name;
    rc_value value; /* filled; RC_VALUE_NONE when absent */
} rc_member;
/* The whole line as one object: members in `known` are filled, others are checked and skipped. A
 * known key twice is refused. */
bool rc_json_line(rc_reader *r, rc_member *known, size_t count);
/* A number that must be there. */
bool rc_json_need(rc_reader *r, const rc_member *m, rc_value_kind kind);
/* Into r->raw: [1, 2, 3] and [[first, count], ...]. */
bool rc_json_ids(rc_reader *r, rc_slice list);
bool rc_json_ranges(rc_reader *r, rc_slice list);

/* ---- CSV -------------------------------------------------------------------------------- */
bool rc_csv_split(rc_reader *r); /* the line in hand into r->field */
/* The columns of a format, by role; false when a needed one is absent. */
typedef struct rc_csv_role {
    const char *name;
    bool needed;
} rc_csv_role;
bool rc_csv_roles(rc_reader *r, const rc_csv_role *roles, int count);
rc_slice rc_csv_field(const rc_reader *r, int role); /* empty when absent */

/* ---- formats: one line each ------------------------------------------------------------- */
bool rc_row_mooncake(rc_reader *r);
bool rc_row_sessions(rc_reader *r);
bool rc_row_azure(rc_reader *r);
bool rc_row_vidur(rc_reader *r);
bool rc_row_burstgpt(rc_reader *r);
bool rc_row_tracelab(rc_reader *r);
extern const rc_csv_role rc_roles_azure[], rc_roles_vidur[], rc_roles_burstgpt[],
    rc_roles_tracelab[]; /* end with a NULL name */
bool rc_sessions_finish(rc_reader *r);

#endif
