/* Request traces: what users asked of a serving system, in memory, in one form for all formats.
 *
 * A trace is a flat array of requests in the order of the file (after rc_trace_sort_arrivals: of
 * arrival) and one shared array of block runs. Prefix identity is by block: the input of a request
 * is cut into blocks of `block` tokens, equal ids mean equal tokens up to and including that block.
 * Ids are kept dense, [0, blocks), numbered by first appearance, so 32 bits do whatever the file
 * had (session-local numbers, 64-bit hashes).
 *
 * Open loop: `arrival` is set. Closed loop: a request comes `think` after the end of request
 * `after`; the first of a session has neither until rc_trace_start_sessions gives it an arrival.
 *     for (r = done->child; r != RC_NO_REQUEST; r = at[r].sibling) schedule(now + at[r].think, r);
 *
 * Time is int64_t picoseconds since the first row of the trace, at most RC_TRACE_MAX_DAYS.
 *
 * Source of the formats: scenarios/traces/README.md.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TRACE_TRACE_H
#define RC_TRACE_TRACE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/base/error.h"
#include "sim/engine/engine.h"

#define RC_NO_REQUEST UINT32_MAX
#define RC_NO_SESSION UINT32_MAX
#define RC_NO_ARRIVAL INT64_MIN

/* Caps: what lies above is a broken row, not a request (count: RC_FAULT_ABSURD). */
#define RC_TRACE_MAX_INPUT 100000000 /* tokens */
#define RC_TRACE_MAX_OUTPUT 10000000 /* tokens */
#define RC_TRACE_MAX_DAYS 100        /* int64_t picoseconds hold 106 */
#define RC_TRACE_MAX_ROWS 100000000
#define RC_TRACE_MAX_DOCUMENT (512u << 20) /* bytes of JSON that is not one object a line */
#define RC_TRACE_MAX_LINE (16u << 20)      /* bytes; longer lines are never held in memory */

typedef struct rc_span { /* blocks first .. first+count-1 */
    uint32_t first, count;
} rc_span;

typedef struct rc_req {
    rc_time arrival;         /* ps, or RC_NO_ARRIVAL: given by `after`, or not given yet */
    rc_time think;           /* ps from the end of `after` to this request; 0 when after is none */
    uint32_t after;          /* the request it waits for, or RC_NO_REQUEST */
    uint32_t child, sibling; /* first request that waits for this one; next with the same after */
    uint32_t session;        /* index, or RC_NO_SESSION */
    uint32_t turn;           /* 0, 1, ... within its session, in the order of the file */
    uint32_t input, output;  /* tokens, >= 1 */
    int32_t prefix;          /* P as the file gives it (TraceLab), else -1 */
    uint32_t span, spans;    /* rc_trace.spans[span .. span+spans-1], in the order of the input */
    uint32_t named; /* blocks in those spans: of the input, of which the last may be partial;
                       where the file tells how turns follow (AIPerf, TraceLab), full blocks of
                       input and reply. Other tokens have no identity */
} rc_req;

typedef enum rc_fault {                    /* why a row was refused */
                        RC_FAULT_SYNTAX,   /* not a row of this format */
                        RC_FAULT_MISSING,  /* a field is missing or empty */
                        RC_FAULT_NEGATIVE, /* below zero */
                        RC_FAULT_ZERO, /* zero where a request cannot be: input or output tokens */
                        RC_FAULT_ABSURD, /* above the caps, not a whole number, blocks that do not fit the input */
                        RC_FAULT_BACKWARDS, /* a time before that of the row above */
                        RC_FAULT_IDS, /* block ids or turns out of order, or a block twice in one request */
                        RC_FAULT_LONG, /* a line over RC_TRACE_MAX_LINE */
                        RC_FAULT_CUT, /* the compressed file ends early or is corrupt from here on */
                        RC_FAULTS
} rc_fault;
const char *rc_fault_name(rc_fault f); /* "syntax", "missing", ... */

typedef enum rc_trace_format {
    RC_TRACE_AUTO,
    RC_TRACE_MOONCAKE, /* JSONL; also AIPerf's and Dynamo's mooncake_trace */
    RC_TRACE_AZURE,
    RC_TRACE_VIDUR,
    RC_TRACE_BURSTGPT,
    RC_TRACE_SESSIONS, /* JSONL with hash_ranges */
    RC_TRACE_TRACELAB,
    RC_TRACE_GUIDELLM, /* Mooncake's keys, seconds, rows in any order */
    RC_TRACE_BAILIAN,
    RC_TRACE_WEKA,          /* JSON sessions with nested requests */
    RC_TRACE_LLMSERVINGSIM, /* JSONL: requests, or sessions with sub_requests */
    RC_TRACE_SPLITWISE,     /* CSV of splitwise-sim */
    RC_TRACE_VLLM,          /* JSON result of vLLM's and SGLang's serving benchmarks */
    RC_TRACE_INFERENCE_PERF,
    RC_TRACE_AIPERF_RECORDS,  /* profile_export.jsonl */
    RC_TRACE_GUIDELLM_REPORT, /* benchmarks.json */
    RC_TRACE_BLIS,            /* CSV of inference-sim, trace version 2 and 3 */
    RC_TRACE_BLIS_SPEC, /* its workload specification, YAML: made into requests (workload_spec.c) */
    RC_TRACE_GUIDELLM_SYNTHETIC, /* what GuideLLM's synthetic text is made from (guidellm_synthetic.c) */
    RC_TRACE_COLUMNS             /* columns or keys named by the caller */
} rc_trace_format;
/* NULL-terminated, in the order of the enum: "auto", "mooncake", "azure", ... */
const char *const *rc_trace_format_names(void);

typedef enum rc_bad_row { RC_BAD_ROW_REFUSE, RC_BAD_ROW_SKIP } rc_bad_row;
const char *const *rc_bad_row_names(void); /* "refuse", "skip", NULL */

/* What the numbers of arrival times count. Auto: what the format says; a file whose format does
 * not say it is refused until the caller does. */
typedef enum rc_time_unit {
    RC_UNIT_AUTO,
    RC_UNIT_S,
    RC_UNIT_MS,
    RC_UNIT_US,
    RC_UNIT_NS
} rc_time_unit;
const char *const *rc_time_unit_names(void); /* "auto", "s", "ms", "us", "ns", NULL */

/* A reply of 0 tokens: as the format has it (refused; BurstGPT: dropped; sessions: one token), read
 * as the one token that a prefill gives, or dropped and counted. */
typedef enum rc_zero_output { RC_ZERO_FORMAT, RC_ZERO_ONE, RC_ZERO_DROP } rc_zero_output;
const char *const *rc_zero_output_names(void); /* "format", "one", "drop", NULL */

typedef struct rc_trace_options { /* all zero: the defaults */
    rc_trace_format format;
    rc_bad_row on_bad_row;
    uint32_t block; /* tokens of a block; 0: the format's own (512; sessions and TraceLab 64,
                       Bailian 16) */
    uint64_t limit; /* rows to read at most; 0: all */
    bool any_ids;   /* Mooncake: block ids need not be numbered by first appearance */
    bool sort;      /* rows may come in any order of arrival; they are sorted */
    bool redrawn;   /* arrivals will be drawn anew: their unit does not matter */
    rc_time_unit unit;
    rc_zero_output zero_output;
    char columns[256]; /* "arrival=A,input=B,output=C,session=D" for RC_TRACE_COLUMNS: columns of a
                          CSV file or keys of JSON objects (a.b: a key of a nested one). arrival
                          and session may be left out. "": none */
} rc_trace_options;

typedef struct rc_trace {
    rc_req *at;
    size_t count;
    rc_span *spans;
    size_t span_count;
    uint32_t block;    /* tokens; 0 when no request has blocks */
    uint32_t blocks;   /* distinct ids */
    uint32_t sessions; /* 0 when open loop without sessions */
    bool closed_loop;  /* some request has an `after` */
    bool timeless;     /* lengths only: no request has an arrival, nor comes after another */
    rc_trace_format format;
    rc_time_unit unit;          /* in which arrivals stood; RC_UNIT_AUTO: as dates, or not at all */
    uint64_t rows;              /* rows read, good or not, header not counted */
    uint64_t dropped;           /* rows of zero tokens that the format or the caller drops */
    uint64_t faults[RC_FAULTS]; /* rows refused, by reason; not zero only with skip */
    uint64_t derived;           /* think times that the file leaves out, taken from `t` */
    uint64_t raised;            /* replies of 0 tokens read as the one that prefill gives */
    uint32_t first_fault_line;  /* 0 when none */
    char first_fault[256];      /* what was wrong there */
} rc_trace;

/* Read a file: plain, .xz or .gz by its first bytes, not its name. The format is found from the
 * first line unless options say; JSON may also be one document (a list of rows, an object over
 * several lines, or several of them one behind the other). Errors name file, line and column:
 * RC_E_INPUT for rows, RC_E_IO for a file that cannot be opened. A trace without one good row is
 * refused, whatever the policy. `options` may be NULL. Caller frees *out with rc_trace_free. */
rc_status rc_trace_read(const char *path, const rc_trace_options *options, rc_trace **out,
                        rc_error *err);
/* The same from memory (plain or compressed) under the name `name`. */
rc_status rc_trace_parse(const char *name, const void *text, size_t size,
                         const rc_trace_options *options, rc_trace **out, rc_error *err);
void rc_trace_free(rc_trace *t);              /* NULL is fine */
uint64_t rc_trace_refused(const rc_trace *t); /* sum of faults */

/* Each `each` blocks are one from here on, at least 1: for an engine that keeps keys in larger blocks than the
 * trace names. What is shared shrinks to whole ones. RC_E_INPUT: such a block is longer than a prompt may be.
 * After a failure the trace is as it was. */
rc_status rc_trace_together(rc_trace *t, uint32_t each, rc_error *err);

/* Later turns of sessions keep `share` of what went before them, in [0, 1] and rounded up: as keys that stay in the
 * cache, or, `anew`, as text that is computed again. Whoever has a turn behind it makes a summary of `summary`
 * tokens at the end of its reply. RC_E_INPUT: there are no sessions. After a failure the trace is of no use. */
typedef struct rc_kept_history {
    double share;
    bool anew;
    uint32_t summary;
} rc_kept_history;
rc_status rc_trace_keep_history(rc_trace *t, const rc_kept_history *how, rc_error *err);

/* What a cache that forgets nothing gives: P and T of every request, in the order of the array. */
typedef struct rc_trace_stats {
    size_t requests;
    uint32_t sessions;
    uint64_t input, output, cached; /* tokens, sums; cached = sum of P */
    double span_s;                  /* last arrival minus first; 0 when closed loop */
    uint32_t input_p50, input_p90, input_p99, input_max;
    uint32_t output_p50, output_p90, output_p99, output_max;
    double miss_p50, miss_p90; /* T/(T+P) */
    double miss_sum;           /* sum of T / sum of input */
    double at_most_5pct;       /* share of requests with T/(T+P) <= 5 % */
} rc_trace_stats;
/* Quantiles lie at place q * (n - 1) of the sorted values, linearly between the two nearest; of
 * tokens, the whole part. `prefix`, when not NULL, receives P of each request (count entries). */
rc_status rc_trace_statistics(const rc_trace *t, uint32_t *prefix, rc_trace_stats *out,
                              rc_error *err);

#endif
