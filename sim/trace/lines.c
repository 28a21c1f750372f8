/* Lines of plain, .xz and .gz files. The first bytes tell the kind, so a renamed file is read as
 * what it is. Both libraries decode straight into the line buffer. A file of several streams
 * (cat a.gz b.gz) is read as one.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/trace/lines.h"
#include <assert.h>
#include <errno.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "sim/trace/trace.h"

enum { INPUT = 1 << 16, FIRST_BUFFER = 1 << 18 };
#define XZ_MEMORY (512u << 20) /* what `xz -9` needs is 65 MiB */

typedef enum kind { PLAIN, XZ, GZ } kind;

struct rc_lines {
    char *name;
    FILE *file;                /* NULL: from memory */
    const unsigned char *data; /* memory: what is left */
    size_t left;
    unsigned char input[INPUT]; /* bytes of the file, not decoded yet */
    const unsigned char *next;
    size_t avail;
    bool no_more; /* the file has ended */
    kind kind;
    lzma_stream xz;
    z_stream gz;
    bool gz_between;                   /* between two members of a .gz */
    char *buffer;                      /* decoded: [from, to) of `room` */
    size_t from, to, room, seen;       /* seen: no line end in [from, seen) */
    bool done, cut, skipping, starved; /* starved: a decoder had no memory */
    const char *why;
};

void rc_lines_close(rc_lines *l) {
    if (!l)
        return;
    if (l->kind == XZ)
        lzma_end(&l->xz);
    if (l->kind == GZ)
        (void)inflateEnd(&l->gz);
    if (l->file)
        (void)fclose(l->file);
    free(l->name);
    free(l->buffer);
    free(l);
}

const char *rc_lines_why(const rc_lines *l) {
    return l->why ? l->why : "";
}

static void cut(rc_lines *l, const char *why) {
    l->cut = l->done = true;
    l->why = why;
}

/* Read more bytes of the file into `input` once it is used up. */
static rc_status refill(rc_lines *l, rc_error *err) {
    if (l->avail > 0 || l->no_more)
        return RC_OK;
    if (!l->file) {
        l->next = l->data;
        l->avail = l->left;
        l->left = 0;
    } else {
        l->next = l->input;
        l->avail = fread(l->input, 1, INPUT, l->file);
        if (l->avail < INPUT && ferror(l->file))
            return rc_fail_file(err, RC_E_IO, l->name, "cannot read: %s", strerror(errno));
    }
    l->no_more = l->avail == 0;
    return RC_OK;
}

static rc_status begin(rc_lines *l, rc_error *err) {
    static const unsigned char xz[6] = {0xFD, '7', 'z', 'X', 'Z', 0}, gz[2] = {0x1F, 0x8B};
    RC_TRY(refill(l, err));
    if (l->avail >= sizeof xz && memcmp(l->next, xz, sizeof xz) == 0) {
        l->xz = (lzma_stream)LZMA_STREAM_INIT;
        if (lzma_stream_decoder(&l->xz, XZ_MEMORY, LZMA_CONCATENATED) != LZMA_OK)
            return rc_fail(err, RC_E_NOMEM, "out of memory for the xz decoder");
        l->kind = XZ;
    } else if (l->avail >= sizeof gz && memcmp(l->next, gz, sizeof gz) == 0) {
        if (inflateInit2(&l->gz, 16 + MAX_WBITS) != Z_OK)
            return rc_fail(err, RC_E_NOMEM, "out of memory for the gz decoder");
        l->kind = GZ;
    }
    return RC_OK;
}

static rc_status create(const char *name, rc_lines **out, rc_error *err) {
    rc_lines *l = calloc(1, sizeof *l);
    if (!l || !(l->name = strdup(name)) || !(l->buffer = malloc(FIRST_BUFFER))) {
        rc_lines_close(l);
        return rc_fail_file(err, RC_E_NOMEM, name, "out of memory while reading");
    }
    l->room = FIRST_BUFFER;
    *out = l;
    return RC_OK;
}

static rc_status began(rc_lines *l, rc_lines **out, rc_error *err) {
    rc_status st = begin(l, err);
    if (st != RC_OK) {
        rc_lines_close(l);
        return st;
    }
    *out = l;
    return RC_OK;
}

rc_status rc_lines_open(const char *path, rc_lines **out, rc_error *err) {
    rc_lines *l = NULL;
    assert(path != NULL);
    RC_TRY(create(path, &l, err));
    l->file = fopen(path, "rb");
    if (!l->file) {
        const int code = errno;
        rc_lines_close(l);
        return rc_fail_file(err, code == ENOMEM ? RC_E_NOMEM : RC_E_IO, path, "cannot open: %s",
                            strerror(code));
    }
    (void)setvbuf(l->file, NULL, _IONBF, 0);
    return began(l, out, err);
}

rc_status rc_lines_memory(const char *name, const void *data, size_t size, rc_lines **out,
                          rc_error *err) {
    rc_lines *l = NULL;
    assert(data != NULL || size == 0);
    RC_TRY(create(name, &l, err));
    l->data = data;
    l->left = size;
    return began(l, out, err);
}

static void decode_plain(rc_lines *l) {
    size_t n = l->room - l->to < l->avail ? l->room - l->to : l->avail;
    if (n > 0)
        memcpy(l->buffer + l->to, l->next, n);
    l->to += n;
    l->next += n;
    l->avail -= n;
    l->done = l->no_more;
}

static void decode_xz(rc_lines *l) {
    l->xz.next_in = l->next;
    l->xz.avail_in = l->avail;
    l->xz.next_out = (unsigned char *)l->buffer + l->to;
    l->xz.avail_out = l->room - l->to;
    lzma_ret r = lzma_code(&l->xz, l->no_more ? LZMA_FINISH : LZMA_RUN);
    l->to = l->room - l->xz.avail_out;
    l->next = l->xz.next_in;
    l->avail = l->xz.avail_in;
    l->starved = r == LZMA_MEM_ERROR;
    if (r == LZMA_STREAM_END)
        l->done = true;
    else if (r == LZMA_BUF_ERROR)
        cut(l, "the xz data end early");
    else if (r == LZMA_MEMLIMIT_ERROR)
        cut(l, "the xz data ask for more than 512 MiB of memory");
    else if (r != LZMA_OK)
        cut(l, "the xz data are corrupt");
}

static void decode_gz(rc_lines *l) {
    if (l->gz_between && l->avail == 0) {
        l->done = l->no_more;
        return;
    }
    if (l->avail == 0) {
        cut(l, "the gz data end early");
        return;
    }
    if (l->gz_between)
        (void)inflateReset(&l->gz);
    size_t room = l->room - l->to;
    l->gz.next_in = (unsigned char *)(uintptr_t)l->next;
    l->gz.avail_in = (uInt)(l->avail < INPUT ? l->avail : INPUT);
    uInt given = l->gz.avail_in;
    l->gz.next_out = (unsigned char *)l->buffer + l->to;
    l->gz.avail_out = (uInt)room;
    int r = inflate(&l->gz, Z_NO_FLUSH);
    l->to += room - l->gz.avail_out;
    l->next += given - l->gz.avail_in;
    l->avail -= given - l->gz.avail_in;
    l->gz_between = r == Z_STREAM_END;
    l->starved = r == Z_MEM_ERROR;
    if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
        cut(l, "the gz data are corrupt");
}

/* At least one more decoded byte behind `to`, unless the data are done. */
static rc_status more(rc_lines *l, rc_error *err) {
    size_t before = l->to;
    while (l->to == before && !l->done) {
        RC_TRY(refill(l, err));
        if (l->kind == PLAIN)
            decode_plain(l);
        else if (l->kind == XZ)
            decode_xz(l);
        else
            decode_gz(l);
        if (l->starved)
            return rc_fail_file(err, RC_E_NOMEM, l->name, "out of memory while reading");
    }
    return RC_OK;
}

/* Room behind `to`: by moving the line to the front, else by doubling. False: the line is long. */
static rc_status make_room(rc_lines *l, bool *fits, rc_error *err) {
    *fits = true;
    if (l->from > 0 && l->to == l->room) {
        memmove(l->buffer, l->buffer + l->from, l->to - l->from);
        l->to -= l->from;
        l->seen -= l->from;
        l->from = 0;
    }
    if (l->to < l->room)
        return RC_OK;
    *fits = l->room < RC_TRACE_MAX_LINE;
    if (!*fits)
        return RC_OK;
    size_t room = l->room > 0 ? 2 * l->room : FIRST_BUFFER;
    char *p = realloc(l->buffer, room);
    if (!p)
        return rc_fail_file(err, RC_E_NOMEM, l->name, "out of memory while reading");
    l->buffer = p;
    l->room = room;
    return RC_OK;
}

/* The next line end at or behind `seen`: NULL at the end of the data, or when the line is long. */
static rc_status find_end(rc_lines *l, char **at, bool *fits, rc_error *err) {
    *fits = true;
    for (;;) {
        *at = l->to > l->seen ? memchr(l->buffer + l->seen, '\n', l->to - l->seen) : NULL;
        if (*at || l->done)
            return RC_OK;
        l->seen = l->to;
        if (l->skipping)
            l->from = l->seen = l->to = 0;
        RC_TRY(make_room(l, fits, err));
        if (!*fits)
            return RC_OK;
        RC_TRY(more(l, err));
    }
}

static void take(rc_lines *l, char *end, const char **line, size_t *size) {
    *line = l->buffer + l->from;
    *size = (size_t)(end - *line);
    if (*size > 0 && (*line)[*size - 1] == '\r')
        --*size;
}

rc_status rc_lines_next(rc_lines *l, rc_line_state *state, const char **line, size_t *size,
                        rc_error *err) {
    char *at;
    bool fits;
    *line = NULL;
    *size = 0;
    if (l->skipping) { /* the rest of a long line */
        RC_TRY(find_end(l, &at, &fits, err));
        l->from = l->seen = at ? (size_t)(at - l->buffer) + 1 : l->to;
        l->skipping = false;
    }
    RC_TRY(find_end(l, &at, &fits, err));
    if (!fits) {
        l->skipping = true;
        *state = RC_LINE_LONG;
    } else if (at) {
        take(l, at, line, size);
        l->from = l->seen = (size_t)(at - l->buffer) + 1;
        *state = RC_LINE_OK;
    } else if (l->cut) { /* what came before is not a whole line */
        l->from = l->seen = l->to;
        *state = RC_LINE_CUT;
    } else if (l->from < l->to) {
        take(l, l->buffer + l->to, line, size);
        l->from = l->seen = l->to;
        *state = RC_LINE_OK;
    } else {
        *state = RC_LINE_END;
    }
    return RC_OK;
}
