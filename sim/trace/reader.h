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

enum { RC_CSV_FIELDS = 64, RC_CSV_ROLES = 8 }; /* of a line; of a format */

/* Columns that the caller, or a format that is nothing but a choice of columns, names. */
typedef enum rc_own_role {
    RC_OWN_ARRIVAL,
    RC_OWN_INPUT,
    RC_OWN_OUTPUT,
    RC_OWN_SESSION,
    RC_OWN_ROLES
} rc_own_role;
typedef enum rc_timing { RC_TIMING_OPEN, RC_TIMED, RC_LENGTHS } rc_timing;

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
    bool (*parse_row)(struct rc_reader *r); /* of the format; NULL until it is found */
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
    int per_s;                  /* arrival numbers a second; 0: the file must say it */
    bool unit_told;             /* the format or a row says what they count */
    bool fractions;             /* some arrival was not a whole number */
    rc_timing timing;           /* of rows that are no turns: all have an arrival, or none */
    bool sort;                  /* rows may come in any order */
    bool local_ids;             /* blocks are numbered by session */
    bool chain_ids;             /* an id names the tokens of its block alone, not those before it */
    char own[RC_OWN_ROLES][64]; /* names; "": no such column */
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

/* A request with nothing in it. */
static inline rc_req rc_blank_request(void) {
    return (rc_req){
        .arrival = RC_NO_ARRIVAL, .after = RC_NO_REQUEST, .session = RC_NO_SESSION, .prefix = -1};
}
static inline bool rc_stamp_before(rc_stamp a, rc_stamp b) {
    return a.s < b.s || (a.s == b.s && a.ps < b.ps);
}
/* Full blocks of a turn's input and reply; the last token of a reply is never computed. */
static inline uint32_t rc_full_blocks(const rc_reader *r, const rc_req *q) {
    return (uint32_t)(((uint64_t)q->input + q->output - 1) / r->opt.block);
}
int rc_units_per_second(rc_time_unit unit); /* 0 for RC_UNIT_AUTO */

/* Say what is wrong with the row in hand. False, always. `at` is a place in the row, or NULL. */
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
/* Tokens of a reply. A reply of 0 goes by the options: refused, 1 (counted), or 0 when the row is
 * to be dropped. */
bool rc_read_output(rc_reader *r, rc_slice s, const char *what, uint32_t *out);
bool rc_reader_drop(rc_reader *r); /* counts the row in hand as dropped; true */
/* A decimal number >= 0 of which `per_s` > 0 make a second (1, 1000, 1000000, 1000000000). */
bool rc_read_stamp(rc_reader *r, rc_slice s, const char *what, int per_s, rc_stamp *out);
/* The arrival of a row as a number, in the unit of the reader. While that is open, an epoch shows
 * it: no other unit puts so large a number near our time. */
bool rc_read_arrival(rc_reader *r, rc_slice s, const char *what, rc_stamp *out);
/* A row that is no turn has an arrival, or has none: as the rows above. */
bool rc_reader_timing(rc_reader *r, bool timed, const char *what, const char *at);
bool rc_read_duration(rc_reader *r, rc_slice s, const char *what, int per_s, rc_time *out);
/* YYYY-MM-DD HH:MM:SS[.fraction][Z|+HH:MM]. */
bool rc_is_date(rc_slice s);
bool rc_read_date(rc_reader *r, rc_slice s, rc_stamp *out);

/* Picoseconds from the first row to `s`; refuses what is too far. */
bool rc_reader_since(rc_reader *r, rc_stamp from, rc_stamp s, const char *at, rc_time *out);
/* The arrival of a row of an open-loop file: not before the row above. Does not remember `s`. */
bool rc_reader_arrival(rc_reader *r, rc_stamp s, const char *at, rc_time *out);
void rc_reader_arrived(rc_reader *r, rc_stamp s); /* does */

bool rc_no_name(rc_slice name); /* empty, or how tables write nothing: nan, null, none */
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
static inline bool rc_member_absent(const rc_member *m) { /* not there, or null */
    return m->value.kind == RC_VALUE_NONE || m->value.kind == RC_VALUE_NULL;
}
/* The whole line as one object: members in `known` are filled, others are checked and skipped. A
 * known key twice is refused. */
bool rc_json_line(rc_reader *r, rc_member *known, size_t count);
void rc_json_keys(rc_reader *r, char *out, size_t size); /* of the line, for an error */
/* The same of an object in hand. */
bool rc_json_members(rc_reader *r, rc_slice object, rc_member *known, size_t count);
/* One value at *p, which moves behind it and the blanks that follow. */
bool rc_json_value(rc_reader *r, const char **p, const char *end, rc_value *out);
/* Items of a list, one after the other: *p starts at the list's first character and moves; *more is
 * false behind the last. */
bool rc_json_item(rc_reader *r, const char **p, const char *end, rc_value *out, bool *more);
/* The value at "a.b.c" in an object; RC_VALUE_NONE when a key on the way is absent. */
bool rc_json_path(rc_reader *r, rc_slice object, const char *path, rc_value *out);
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

/* ---- the format ------------------------------------------------------------------------- */
/* By the line in hand and the options; a header is read away (*used). */
rc_status rc_format_detect(rc_reader *r, bool *used);
/* At the end: refused when nothing said what arrivals count. */
rc_status rc_format_check_unit(rc_reader *r);

/* ---- formats: one line each ------------------------------------------------------------- */
bool rc_row_mooncake(rc_reader *r);
bool rc_row_sessions(rc_reader *r);
bool rc_row_azure(rc_reader *r);
bool rc_row_vidur(rc_reader *r);
bool rc_row_burstgpt(rc_reader *r);
bool rc_row_tracelab(rc_reader *r);
bool rc_row_weka(rc_reader *r);            /* one session */
bool rc_row_llmservingsim(rc_reader *r);   /* one request, or one session */
bool rc_row_vllm(rc_reader *r);            /* one result */
bool rc_row_guidellm_report(rc_reader *r); /* one report */
bool rc_row_blis(rc_reader *r);
bool rc_row_own(rc_reader *r); /* columns by r->own, CSV or JSON */
/* r->own by "arrival=A,input=B,...". Errors name the option. */
rc_status rc_own_columns(rc_reader *r, const char *map, rc_error *err);
rc_time_unit rc_unit_by_name(const char *column); /* "arrival_ms": ms; RC_UNIT_AUTO when silent */
extern const rc_csv_role rc_roles_azure[], rc_roles_vidur[], rc_roles_burstgpt[],
    rc_roles_tracelab[], rc_roles_blis[]; /* end with a NULL name */
bool rc_sessions_finish(rc_reader *r);
/* A request of a session whose blocks are in r->raw: `ctx` names its chain in the session. */
typedef struct rc_session_request {
    rc_slice session, ctx;
    uint32_t input, output;
    rc_stamp t;
    rc_time api, think;
    bool thinks;    /* `think` is given */
    const char *at; /* where it stands, for errors */
} rc_session_request;
bool rc_session_add(rc_reader *r, const rc_session_request *q);
/* Each id of r->raw becomes one that stands for all ids before it in the row, too. */
bool rc_blocks_chain(rc_reader *r);
/* Do the blocks in r->raw fit an input of so many tokens, none twice? */
bool rc_blocks_check(rc_reader *r, uint32_t input, const char *at);

#endif
