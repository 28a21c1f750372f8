/* The writer of timelines. Events are put together by hand in a buffer: printf would take ten times
 * as long, and a run that is served has millions of them (tests/bench/bench_spans.c).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/timeline/span_file.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "sim/base/file.h"

enum {
    BUFFER = 1 << 16,
    PACKED = 1 << 15,
    DIGITS = 20, /* of a 64-bit number */
    NAME = 240,  /* bytes of a name that are written at most */
    EVENT = 2048 /* bytes of an event at most: fixed text, numbers, two names, arguments */
};
_Static_assert(EVENT > 2 * NAME + RC_SPAN_ARGS + 256, "an event fits");

struct rc_spans {
    rc_outfile file;
    bool packed;
    z_stream pack;
    bool begun; /* an event has been written: the next one has a comma before it */
    bool failed;
    size_t size;
    char buffer[BUFFER];
    unsigned char out[PACKED];
};

/* ---- bytes ------------------------------------------------------------------------------ */

static void pack_buffer(rc_spans *s, int flush) {
    s->pack.next_in = (unsigned char *)s->buffer;
    s->pack.avail_in = (unsigned)s->size;
    do {
        s->pack.next_out = s->out;
        s->pack.avail_out = PACKED;
        if (deflate(&s->pack, flush) == Z_STREAM_ERROR) {
            s->failed = true;
            return;
        }
        size_t n = PACKED - s->pack.avail_out;
        s->failed = s->failed || fwrite(s->out, 1, n, s->file.f) != n;
    } while (s->pack.avail_out == 0 && !s->failed);
}

static void empty_buffer(rc_spans *s, int flush) {
    if (s->packed)
        pack_buffer(s, flush);
    else if (fwrite(s->buffer, 1, s->size, s->file.f) != s->size)
        s->failed = true;
    s->size = 0;
}

/* Room for one event; where it is to be written. */
static char *reserve(rc_spans *s) {
    if (s->size + EVENT > BUFFER)
        empty_buffer(s, Z_NO_FLUSH);
    return s->buffer + s->size;
}

static void done(rc_spans *s, const char *end) {
    s->size = (size_t)(end - s->buffer);
}

#define PUT(p, literal) (memcpy(p, literal, sizeof(literal) - 1), (p) + sizeof(literal) - 1)

/* Two digits at a time, from the back. */
static char *put_whole(char *p, uint64_t v) {
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char digits[DIGITS + 1], *d = digits + sizeof digits;
    while (v >= 100) {
        d -= 2;
        memcpy(d, pairs + 2 * (v % 100), 2);
        v /= 100;
    }
    d -= 2;
    memcpy(d, pairs + 2 * v, 2);
    d += v < 10;
    size_t n = (size_t)(digits + sizeof digits - d);
    memcpy(p, d, n);
    return p + n;
}

static char *put_int(char *p, int64_t v) {
    if (v < 0)
        *p++ = '-';
    return put_whole(p, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* Nanoseconds as microseconds with three decimals. */
static char *put_time(char *p, uint64_t ns) {
    unsigned rest = (unsigned)(ns % 1000);
    p = put_whole(p, ns / 1000);
    *p++ = '.';
    *p++ = (char)('0' + rest / 100);
    *p++ = (char)('0' + rest / 10 % 10);
    *p++ = (char)('0' + rest % 10);
    return p;
}

/* A length in ns as put_time, but a tenth of a nanosecond short. Viewers move starts and add lengths in floating point, and
 * a span that so came to end behind the start of the next one would be taken for one that holds it. */
static char *put_length(char *p, uint64_t ns) {
    if (ns == 0)
        return put_time(p, 0);
    p = put_time(p, ns - 1);
    *p++ = '9';
    return p;
}

/* Bytes of the UTF-8 character that begins at `s`, which ends by NUL; 0: there is none. */
static size_t character(const unsigned char *s) {
    size_t n = s[0] < 0x80                   ? 1
               : s[0] >= 0xC2 && s[0] < 0xE0 ? 2
               : s[0] >= 0xE0 && s[0] < 0xF0 ? 3
               : s[0] >= 0xF0 && s[0] < 0xF5 ? 4
                                             : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if (n == 3 && ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] >= 0xA0)))
        return 0;
    if (n == 4 && ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] >= 0x90)))
        return 0;
    return n;
}

/* A character that stands for itself: ASCII but for controls, quotes and backslashes. */
static bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

/* In quotes, at most `room` bytes; the text is cut between characters where it is longer. */
static char *put_text(char *p, const char *text, size_t room) {
    const unsigned char *s = (const unsigned char *)text;
    char *last = p + room - 8; /* the longest escape, and the quote */
    *p++ = '"';
    for (; is_plain(*s) && p < last; s++)
        *p++ = (char)*s;
    for (; *s && p < last; s++) {
        size_t n;
        if (*s == '"' || *s == '\\') {
            *p++ = '\\';
            *p++ = (char)*s;
        } else if (*s < 0x20 || *s == 0x7F) {
            p += sprintf(p, "\\u%04x", *s);
        } else if (*s < 0x80) {
            *p++ = (char)*s;
        } else if ((n = character(s)) == 0) {
            *p++ = '?';
        } else {
            for (size_t i = 0; i < n; i++)
                *p++ = (char)s[i];
            s += n - 1;
        }
    }
    *p++ = '"';
    return p;
}

/* ---- arguments -------------------------------------------------------------------------- */

/* `"key":` behind what is there, or NULL where `value` bytes more do not fit. */
static char *begin_arg(rc_span_args *a, const char *key, size_t value) {
    size_t n = strlen(key);
    if (a->size + n + value + 4 > RC_SPAN_ARGS)
        return NULL;
    char *p = a->text + a->size;
    if (a->size > 0)
        *p++ = ',';
    *p++ = '"';
    while (*key)
        *p++ = *key++;
    return PUT(p, "\":");
}

static void end_arg(rc_span_args *a, const char *p) {
    a->size = (size_t)(p - a->text);
}

void rc_args_int(rc_span_args *a, const char *key, int64_t v) {
    char *p = begin_arg(a, key, DIGITS + 1);
    if (p)
        end_arg(a, put_int(p, v));
}

static char *put_real(char *p, double v) {
    return p + snprintf(p, 24, "%.6g", v == 0.0 ? 0.0 : v);
}

void rc_args_real(rc_span_args *a, const char *key, double v) {
    char *p = isfinite(v) ? begin_arg(a, key, 24) : NULL;
    if (p)
        end_arg(a, put_real(p, v));
}

void rc_args_text(rc_span_args *a, const char *key, const char *v) {
    size_t left = RC_SPAN_ARGS - a->size, fixed = strlen(key) + 4;
    char *p = begin_arg(a, key, 16);
    if (p)
        end_arg(a, put_text(p, v, left - fixed < NAME ? left - fixed : NAME));
}

/* ---- the file --------------------------------------------------------------------------- */

static rc_status begin_packing(rc_spans *s, rc_error *err) {
    /* 15 bits of window, and 16 more for the head of gzip, whose time zlib leaves 0 */
    if (deflateInit2(&s->pack, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a compressed timeline");
    s->packed = true;
    return RC_OK;
}

static bool is_packed(const char *path) {
    size_t n = strlen(path);
    return n > 3 && strcmp(path + n - 3, ".gz") == 0;
}

rc_status rc_spans_open(const char *path, bool overwrite, const rc_span_args *head, rc_spans **out,
                        rc_error *err) {
    assert(head != NULL);
    rc_spans *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a timeline");
    rc_status st = rc_outfile_open(&s->file, path, overwrite, err);
    if (st == RC_OK && is_packed(path)) {
        st = begin_packing(s, err);
        if (st != RC_OK)
            rc_outfile_abort(&s->file);
    }
    if (st != RC_OK) {
        free(s);
        return st;
    }
    char *p = PUT(s->buffer, "{\"displayTimeUnit\":\"ns\",\"ringcast\":{");
    memcpy(p, head->text, head->size);
    done(s, PUT(p + head->size, "},\n\"traceEvents\":["));
    *out = s;
    return RC_OK;
}

rc_status rc_spans_close(rc_spans *s, rc_status written, rc_error *err) {
    if (!s)
        return written;
    if (written == RC_OK) {
        done(s, PUT(reserve(s), "\n]}\n"));
        empty_buffer(s, Z_FINISH);
    }
    if (s->packed)
        (void)deflateEnd(&s->pack);
    if (written == RC_OK && s->failed)
        written = rc_fail_file(err, RC_E_IO, s->file.path, "cannot be written");
    rc_status st = rc_outfile_end(&s->file, written, err);
    free(s);
    return st;
}

/* ---- events ----------------------------------------------------------------------------- */

static char *begin_event(rc_spans *s, char phase) {
    char *p = reserve(s);
    p = s->begun ? PUT(p, ",\n{\"ph\":\"") : PUT(p, "\n{\"ph\":\"");
    s->begun = true;
    *p++ = phase;
    return PUT(p, "\",\"pid\":");
}

static char *put_track(char *p, rc_track at) {
    p = put_whole(p, at.process);
    p = PUT(p, ",\"tid\":");
    return put_whole(p, at.thread);
}

static void name_event(rc_spans *s, rc_track at, const char *what, const char *name) {
    char *p = put_track(begin_event(s, 'M'), at);
    p = PUT(p, ",\"name\":");
    p = put_text(p, what, NAME);
    p = PUT(p, ",\"args\":{\"name\":");
    p = put_text(p, name, NAME);
    done(s, PUT(p, "}}"));
}

static void order_event(rc_spans *s, rc_track at, const char *what, uint32_t order) {
    char *p = put_track(begin_event(s, 'M'), at);
    p = PUT(p, ",\"name\":");
    p = put_text(p, what, NAME);
    p = PUT(p, ",\"args\":{\"sort_index\":");
    p = put_whole(p, order);
    done(s, PUT(p, "}}"));
}

void rc_spans_process(rc_spans *s, uint32_t process, const char *name) {
    name_event(s, (rc_track){process, 0}, "process_name", name);
    order_event(s, (rc_track){process, 0}, "process_sort_index", process);
}

void rc_spans_thread(rc_spans *s, rc_track at, const char *name) {
    name_event(s, at, "thread_name", name);
    order_event(s, at, "thread_sort_index", at.thread);
}

static char *put_args(char *p, const rc_span_args *args, bool more) {
    if (!args || args->size == 0)
        return p;
    if (more)
        *p++ = ',';
    memcpy(p, args->text, args->size);
    return p + args->size;
}

void rc_spans_span(rc_spans *s, rc_track at, const char *name, const char *category, int64_t start,
                   int64_t end, const rc_span_args *args) {
    assert(start >= 0 && start <= end);
    uint64_t from = (uint64_t)start / 1000, to = (uint64_t)end / 1000;
    char *p = put_track(begin_event(s, 'X'), at);
    p = PUT(p, ",\"ts\":");
    p = put_time(p, from);
    p = PUT(p, ",\"dur\":");
    p = put_length(p, to - from);
    p = PUT(p, ",\"name\":");
    p = put_text(p, name, NAME);
    p = PUT(p, ",\"cat\":");
    p = put_text(p, category, NAME);
    p = PUT(p, ",\"args\":{\"ps\":");
    p = put_whole(p, (uint64_t)(end - start));
    p = put_args(p, args, true);
    done(s, PUT(p, "}}"));
}

static void flow_end(rc_spans *s, char phase, uint64_t id, const char *name, rc_track at,
                     int64_t time) {
    char *p = put_track(begin_event(s, phase), at);
    p = PUT(p, ",\"ts\":");
    p = put_time(p, (uint64_t)time / 1000);
    p = PUT(p, ",\"id\":");
    p = put_whole(p, id);
    p = PUT(p, ",\"cat\":\"flow\",\"name\":");
    p = put_text(p, name, NAME);
    p = phase == 'f' ? PUT(p, ",\"bp\":\"e\"}") : PUT(p, "}");
    done(s, p);
}

void rc_spans_flow(rc_spans *s, uint64_t id, const char *name, rc_track from, int64_t left,
                   rc_track to, int64_t came) {
    assert(left >= 0 && left <= came);
    flow_end(s, 's', id, name, from, left);
    /* in the last nanosecond of the span, for a viewer looks for the one around it */
    flow_end(s, 'f', id, name, to, came - left >= 1000 ? came - 1000 : left);
}

void rc_spans_counter(rc_spans *s, uint32_t process, const char *name, int64_t at, double value) {
    assert(at >= 0);
    if (!isfinite(value))
        return;
    char *p = put_track(begin_event(s, 'C'), (rc_track){process, 0});
    p = PUT(p, ",\"ts\":");
    p = put_time(p, (uint64_t)at / 1000);
    p = PUT(p, ",\"name\":");
    p = put_text(p, name, NAME);
    p = PUT(p, ",\"args\":{\"value\":");
    /* most counters count */
    bool whole = value >= 0.0 && value < 1e15 && value == floor(value);
    p = whole ? put_whole(p, (uint64_t)value) : put_real(p, value);
    done(s, PUT(p, "}}"));
}

static void phase_end(rc_spans *s, char phase, uint32_t process, const char *category, uint64_t id,
                      const char *name, int64_t at, const rc_span_args *args) {
    char *p = put_track(begin_event(s, phase), (rc_track){process, 0});
    p = PUT(p, ",\"ts\":");
    p = put_time(p, (uint64_t)at / 1000);
    p = PUT(p, ",\"id\":");
    p = put_whole(p, id);
    p = PUT(p, ",\"cat\":");
    p = put_text(p, category, NAME);
    p = PUT(p, ",\"name\":");
    p = put_text(p, name, NAME);
    if (args && args->size > 0) {
        p = PUT(p, ",\"args\":{");
        p = put_args(p, args, false);
        p = PUT(p, "}");
    }
    done(s, PUT(p, "}"));
}

void rc_spans_phase(rc_spans *s, uint32_t process, const char *category, uint64_t id,
                    const char *name, int64_t start, int64_t end, const rc_span_args *args) {
    assert(start >= 0 && start <= end);
    phase_end(s, 'b', process, category, id, name, start, args);
    phase_end(s, 'e', process, category, id, name, end, NULL);
}
