/* Timelines as Chrome trace JSON, the format that PyTorch's profiler writes: https://ui.perfetto.dev
 * and chrome://tracing open the files.
 *
 * A file has processes (one a GPU or a replica), each with threads (compute, send, receive, host).
 * A span is work of one thread; the spans of a thread must nest, which whoever writes them sees to.
 * A flow is an arrow from one span to another, a counter is a number that changes over time, and a
 * phase is an interval that belongs to no thread, such as the life of a request.
 *
 * Times are given in picoseconds from the beginning of the run and written in microseconds with
 * three decimals. Readers round start and duration to nanoseconds each for itself, so that spans
 * which touch could overlap by one; so both ends of a span are rounded down to a nanosecond here,
 * and the duration is their difference. The exact picoseconds stand in its argument `ps`.
 *
 * Failures are sticky: what writes reports nothing, rc_spans_close says what went wrong. The same
 * calls give the same bytes. A handle belongs to one thread at a time.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TIMELINE_SPAN_FILE_H
#define RC_TIMELINE_SPAN_FILE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/base/error.h"

typedef struct rc_spans rc_spans;

typedef struct rc_track { /* a thread of a process; both numbers are the writer's choice */
    uint32_t process, thread;
} rc_track;

/* Arguments of one event, as text that is ready to be written. Room for what a span has: what does
 * not fit is left out whole. */
enum { RC_SPAN_ARGS = 480 };
typedef struct rc_span_args {
    size_t size;
    char text[RC_SPAN_ARGS]; /* `"key":value,"key":value`; not ended by NUL */
} rc_span_args;
void rc_args_int(rc_span_args *a, const char *key, int64_t v);
void rc_args_real(rc_span_args *a, const char *key, double v); /* 6 digits; not finite: left out */
void rc_args_text(rc_span_args *a, const char *key, const char *v);

/* Creates the file, compressed where `path` ends in ".gz". An existing one is refused unless
 * `overwrite`. `head` says what the timeline is of; it is written as the member "ringcast". The
 * caller ends it by rc_spans_close. */
rc_status rc_spans_open(const char *path, bool overwrite, const rc_span_args *head, rc_spans **out,
                        rc_error *err);
/* Finishes the file where `written` is RC_OK, removes it otherwise, and frees the handle. Returns
 * the first failure, `written` before the file's own. NULL is fine: `written` comes back. */
rc_status rc_spans_close(rc_spans *s, rc_status written, rc_error *err);

/* Names and order of processes and threads. Any text: it is quoted and repaired to UTF-8. */
void rc_spans_process(rc_spans *s, uint32_t process, const char *name);
void rc_spans_thread(rc_spans *s, rc_track at, const char *name);

/* Work of a thread from `start` to `end`, 0 <= start <= end, ps. `category` may be used to filter.
 * args: NULL, or what is said of it beside its duration. */
void rc_spans_span(rc_spans *s, rc_track at, const char *name, const char *category, int64_t start,
                   int64_t end, const rc_span_args *args);
/* An arrow from the span of `from` that begins at `left` to that of `to` that ends at `came`, left <= came.
 * `id` is another one for every flow of the file. */
void rc_spans_flow(rc_spans *s, uint64_t id, const char *name, rc_track from, int64_t left,
                   rc_track to, int64_t came);
/* The value that counter `name` of a process has from `at` on. */
void rc_spans_counter(rc_spans *s, uint32_t process, const char *name, int64_t at, double value);
/* An interval of the thing number `id` of `category`: those of one id may follow one another or
 * nest. */
void rc_spans_phase(rc_spans *s, uint32_t process, const char *category, uint64_t id,
                    const char *name, int64_t start, int64_t end, const rc_span_args *args);

#endif
