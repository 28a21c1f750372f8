/* CSV: measured tables, published tables and traces all arrive in this form.
 *
 * One pass over one buffer: fields are unescaped and terminated in place, so a cell is a pointer
 * and its place (16 bytes), and a trace of a million rows costs its text and its cells. Strictness
 * is the point: a row with a field too many is a shifted column, that is, a wrong number with no
 * error.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/csv.h"
#include "sim/base/file.h"
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 1024 };

typedef struct cell {
    char *text;
    int line, col;
} cell;

struct rc_csv {
    char *name, *text;
    size_t columns;
    cell *cells; /* the header, then the rows */
    size_t count, room;
};

typedef struct scanner {
    rc_csv *csv;
    char *p, *end;
    int line, col;
    rc_error *err;
} scanner;

void rc_csv_close(rc_csv *c) {
    if (!c)
        return;
    free(c->name);
    free(c->text);
    free(c->cells);
    free(c);
}

static rc_status refuse(const scanner *s, const char *what) {
    return rc_fail_at(s->err, RC_E_INPUT, s->csv->name, s->line, s->col, "%s", what);
}

static rc_status no_memory(const char *name, rc_error *err) {
    return rc_fail_file(err, RC_E_NOMEM, name, "out of memory while reading");
}

/* Step over one byte; columns count characters, so UTF-8 continuation bytes do not move them. */
static void step(scanner *s) {
    if (*s->p == '\n') {
        s->line++;
        s->col = 1;
    } else if (((unsigned char)*s->p & 0xC0) != 0x80) {
        s->col++;
    }
    s->p++;
}

static bool at(const scanner *s, char c) {
    return s->p < s->end && *s->p == c;
}

/* Take the end of a line, if one is here. */
static rc_status line_end(scanner *s, bool *ended) {
    *ended = s->p == s->end || *s->p == '\n' || *s->p == '\r';
    if (at(s, '\r')) {
        if (s->p + 1 == s->end || s->p[1] != '\n')
            return refuse(s, "a carriage return without a line feed");
        step(s);
    }
    if (at(s, '\n'))
        step(s);
    return RC_OK;
}

/* The rest of a field whose opening quote was taken; the unescaped text ends at *stop. */
static rc_status quoted(scanner *s, char **stop) {
    const int line = s->line, col = s->col - 1;
    char *w = s->p;
    for (;;) {
        if (s->p == s->end)
            return rc_fail_at(s->err, RC_E_INPUT, s->csv->name, line, col,
                              "a quoted field is not closed");
        if (*s->p == '"') {
            step(s);
            if (!at(s, '"'))
                break;
        }
        *w++ = *s->p;
        step(s);
    }
    *stop = w;
    if (s->p < s->end && *s->p != ',' && *s->p != '\n' && *s->p != '\r')
        return refuse(s, "text after a closing quote, expected a comma or the end of the line");
    return RC_OK;
}

static rc_status bare(scanner *s, char **stop) {
    while (s->p < s->end && *s->p != ',' && *s->p != '\n' && *s->p != '\r') {
        if (*s->p == '"')
            return refuse(s, "a quote inside an unquoted field");
        step(s);
    }
    *stop = s->p;
    return RC_OK;
}

static rc_status push(scanner *s, cell x) {
    rc_csv *c = s->csv;
    if (c->count == c->room) {
        size_t room = c->room ? c->room * 2 : 256;
        cell *cells = realloc(c->cells, room * sizeof *cells);
        if (!cells)
            return no_memory(c->name, s->err);
        c->cells = cells;
        c->room = room;
    }
    c->cells[c->count++] = x;
    return RC_OK;
}

/* One field and what ends it: a comma, or the end of the record. */
static rc_status field(scanner *s, bool *ended) {
    cell x = {.text = s->p, .line = s->line, .col = s->col};
    char *stop = NULL;
    if (at(s, '"')) {
        step(s);
        x.text = s->p;
        RC_TRY(quoted(s, &stop));
    } else {
        RC_TRY(bare(s, &stop));
    }
    RC_TRY(line_end(s, ended));
    if (!*ended)
        step(s); /* the comma */
    *stop = '\0';
    return push(s, x);
}

static rc_status record(scanner *s) {
    rc_csv *c = s->csv;
    const size_t before = c->count;
    const int line = s->line;
    bool ended = false;
    while (!ended) {
        RC_TRY(field(s, &ended));
        if (c->count - before > COLUMNS_MAX)
            return rc_fail_at(s->err, RC_E_INPUT, c->name, line, 1, "more than %d columns",
                              COLUMNS_MAX);
    }
    const size_t n = c->count - before;
    if (before == 0)
        c->columns = n;
    else if (n != c->columns)
        return rc_fail_at(s->err, RC_E_INPUT, c->name, line, 1,
                          "found %zu fields, expected %zu as in the header on line %d", n,
                          c->columns, c->cells[0].line);
    return RC_OK;
}

/* Empty lines anywhere, and comments above the header. */
static rc_status skip(scanner *s) {
    while (s->p < s->end) {
        if (*s->p == '#' && s->csv->count == 0) {
            while (s->p < s->end && *s->p != '\n')
                step(s);
        } else if (*s->p != '\n' && *s->p != '\r') {
            break;
        }
        bool ended = false;
        RC_TRY(line_end(s, &ended));
    }
    return RC_OK;
}

static rc_status check_header(const rc_csv *c, rc_error *err) {
    for (size_t i = 0; i < c->columns; i++) {
        const cell *x = &c->cells[i];
        if (x->text[0] == '\0')
            return rc_fail_at(err, RC_E_INPUT, c->name, x->line, x->col,
                              "the name of column %zu is empty", i + 1);
        for (size_t k = 0; k < i; k++)
            if (strcmp(c->cells[k].text, x->text) == 0)
                return rc_fail_at(err, RC_E_INPUT, c->name, x->line, x->col,
                                  "column '%.80s' appears twice, first as column %zu", x->text,
                                  k + 1);
    }
    return RC_OK;
}

static rc_status scan(rc_csv *c, size_t size, rc_error *err) {
    scanner s = {.csv = c, .p = c->text, .end = c->text + size, .line = 1, .col = 1, .err = err};
    if (size >= 3 && memcmp(s.p, "\xEF\xBB\xBF", 3) == 0)
        s.p += 3;
    const char *nul = memchr(s.p, '\0', (size_t)(s.end - s.p));
    if (nul) {
        while (s.p < nul)
            step(&s);
        return refuse(&s, "a NUL character");
    }
    RC_TRY(skip(&s));
    if (s.p == s.end)
        return refuse(&s, "the file has no header, expected a line of column names");
    RC_TRY(record(&s));
    RC_TRY(check_header(c, err));
    for (;;) {
        RC_TRY(skip(&s));
        if (s.p == s.end)
            return RC_OK;
        RC_TRY(record(&s));
    }
}

/* Takes `text`, which has room for a NUL after `size` bytes. */
static rc_status take(const char *name, char *text, size_t size, rc_csv **out, rc_error *err) {
    rc_csv *c = calloc(1, sizeof *c);
    if (!c) {
        free(text);
        return no_memory(name, err);
    }
    c->text = text;
    c->name = strdup(name);
    rc_status st = c->name ? scan(c, size, err) : no_memory(name, err);
    if (st != RC_OK) {
        rc_csv_close(c);
        return st;
    }
    *out = c;
    return RC_OK;
}

rc_status rc_csv_parse(const char *name, const char *text, size_t size, rc_csv **out,
                       rc_error *err) {
    assert(text != NULL || size == 0);
    *out = NULL;
    char *copy = calloc(size + 1, 1); /* ends in 0 */
    if (!copy)
        return no_memory(name, err);
    if (size)
        memcpy(copy, text, size);
    return take(name, copy, size, out, err);
}

rc_status rc_csv_open(const char *path, rc_csv **out, rc_error *err) {
    char *text = NULL;
    size_t size = 0;
    *out = NULL;
    RC_TRY(rc_file_read(path, &text, &size, err));
    return take(path, text, size, out, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

size_t rc_csv_rows(const rc_csv *c) {
    return c->count / c->columns - 1;
}

size_t rc_csv_columns(const rc_csv *c) {
    return c->columns;
}

const char *rc_csv_name(const rc_csv *c, size_t col) {
    return col < c->columns ? c->cells[col].text : "";
}

bool rc_csv_find(const rc_csv *c, const char *name, size_t *col) {
    for (size_t i = 0; i < c->columns; i++) {
        if (strcmp(c->cells[i].text, name) == 0) {
            *col = i;
            return true;
        }
    }
    return false;
}

rc_status rc_csv_column(const rc_csv *c, const char *name, size_t *col, rc_error *err) {
    if (rc_csv_find(c, name, col))
        return RC_OK;
    const char *names[COLUMNS_MAX + 1];
    for (size_t i = 0; i < c->columns; i++)
        names[i] = c->cells[i].text;
    names[c->columns] = NULL;
    const char *near = rc_nearest(name, names);
    if (near)
        return rc_fail_at(err, RC_E_INPUT, c->name, c->cells[0].line, 1,
                          "missing column '%s' (found '%.80s')", name, near);
    return rc_fail_at(err, RC_E_INPUT, c->name, c->cells[0].line, 1, "missing column '%s'", name);
}

rc_status rc_csv_known(const rc_csv *c, const char *const *names, rc_error *err) {
    assert(c != NULL && names != NULL);
    for (size_t i = 0; i < c->columns; i++) {
        const cell *x = &c->cells[i];
        bool known = false;
        for (size_t k = 0; names[k] && !known; k++)
            known = strcmp(names[k], x->text) == 0;
        if (known)
            continue;
        const char *near = rc_nearest(x->text, names);
        if (near)
            return rc_fail_at(err, RC_E_INPUT, c->name, x->line, x->col,
                              "unknown column '%.80s' (did you mean '%s'?)", x->text, near);
        return rc_fail_at(err, RC_E_INPUT, c->name, x->line, x->col, "unknown column '%.80s'",
                          x->text);
    }
    return RC_OK;
}

static const cell *cell_at(const rc_csv *c, size_t row, size_t col) {
    if (col >= c->columns || row >= rc_csv_rows(c))
        return NULL;
    return &c->cells[(row + 1) * c->columns + col];
}

const char *rc_csv_text(const rc_csv *c, size_t row, size_t col) {
    const cell *x = cell_at(c, row, col);
    return x ? x->text : "";
}

int rc_csv_line(const rc_csv *c, size_t row) {
    const cell *x = cell_at(c, row, 0);
    return x ? x->line : 0;
}

/* In brackets: not the macro for static analysers. */
rc_status(rc_csv_fail)(const rc_csv *c, size_t row, size_t col, rc_error *err, rc_status st,
                       const char *fmt, ...) {
    char msg[sizeof err->msg];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    const cell *x = cell_at(c, row, col);
    return rc_fail_at(err, st, c->name, x ? x->line : 0, x ? x->col : 0, "column '%.80s': %s",
                      rc_csv_name(c, col), msg);
}

rc_status rc_csv_int(const rc_csv *c, size_t row, size_t col, int64_t lo, int64_t hi, int64_t *out,
                     rc_error *err) {
    rc_error local;
    rc_status st = rc_quantity_int(rc_csv_text(c, row, col), lo, hi, out, &local);
    return st == RC_OK ? st : rc_csv_fail(c, row, col, err, st, "%s", local.msg);
}

rc_status rc_csv_quantity(const rc_csv *c, size_t row, size_t col, rc_dim dim, double lo, double hi,
                          double *out, rc_error *err) {
    rc_error local;
    double v = 0;
    const char *text = rc_csv_text(c, row, col);
    rc_status st = rc_quantity_parse(text, dim, &v, &local);
    if (st == RC_OK)
        st = rc_quantity_range(v, text, dim, lo, hi, &local);
    if (st != RC_OK)
        return rc_csv_fail(c, row, col, err, st, "%s", local.msg);
    *out = v;
    return RC_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

void rc_csv_put(FILE *f, const char *field) {
    assert(f != NULL && field != NULL);
    /* At the start of a file `#` would be a comment and a byte order mark would be dropped. */
    bool plain = strpbrk(field, ",\"\r\n") == NULL && field[0] != '#' &&
                 strncmp(field, "\xEF\xBB\xBF", 3) != 0;
    if (plain) {
        (void)fputs(field, f);
        return;
    }
    (void)fputc('"', f);
    for (; *field; field++) {
        if (*field == '"')
            (void)fputc('"', f);
        (void)fputc(*field, f);
    }
    (void)fputc('"', f);
}
