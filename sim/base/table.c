/* Tables: cells kept as values, formatted at the end.
 *
 * A command fills one table and the user picks the form, so the numbers people read and the numbers
 * scripts read are the same. Widths are counted in characters, not bytes: units such as µs
 * keep their column.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/table.h"
#include "sim/base/arena.h"
#include "sim/base/csv.h"
#include "sim/base/style.h"
#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 64 };

typedef enum cell_kind { CELL_MISSING, CELL_TEXT, CELL_INT, CELL_REAL } cell_kind;

typedef struct cell {
    cell_kind kind;
    const char *shown; /* as in the text form */
    int64_t i;
    double v;
} cell;

struct rc_table {
    rc_arena *arena;
    rc_column columns[COLUMNS_MAX];
    size_t column_count;
    const char **notes;
    size_t note_count, note_room;
    cell *cells;
    size_t cell_count, cell_room;
    bool out_of_memory; /* while it was filled */
};

rc_table *rc_table_create(void) {
    rc_table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->arena = rc_arena_create();
    if (!t->arena) {
        free(t);
        return NULL;
    }
    return t;
}

void rc_table_destroy(rc_table *t) {
    if (!t)
        return;
    rc_arena_destroy(t->arena);
    free((void *)t->notes);
    free(t->cells);
    free(t);
}

/* The table keeps its own copies; a copy that fails is seen by the writers. */
static const char *keep(rc_table *t, const char *s) {
    const char *copy = rc_arena_strdup(t->arena, s);
    if (!copy)
        t->out_of_memory = true;
    return copy ? copy : "";
}

void rc_table_column(rc_table *t, const char *key, const char *name, const char *unit,
                     rc_align align) {
    if (!t)
        return;
    assert(t->column_count < COLUMNS_MAX && t->cell_count == 0);
    t->columns[t->column_count++] = (rc_column){
        .key = keep(t, key), .name = keep(t, name), .unit = keep(t, unit), .align = align};
}

rc_table *rc_table_with(const rc_column *columns, size_t count) {
    rc_table *t = rc_table_create();
    for (size_t i = 0; i < count; i++)
        rc_table_column(t, columns[i].key, columns[i].name, columns[i].unit, columns[i].align);
    return t;
}

static char *format_in(rc_table *t, const char *fmt, va_list ap) {
    char *s = rc_arena_vprintf(t->arena, fmt, ap);
    if (!s)
        t->out_of_memory = true;
    return s;
}

void rc_table_note(rc_table *t, const char *fmt, ...) {
    if (!t)
        return;
    va_list ap;
    va_start(ap, fmt);
    char *s = format_in(t, fmt, ap);
    va_end(ap);
    if (!s)
        return;
    if (t->note_count == t->note_room) {
        size_t room = t->note_room ? t->note_room * 2 : 8;
        const char **notes = realloc((void *)t->notes, room * sizeof *notes);
        if (!notes) {
            t->out_of_memory = true;
            return;
        }
        t->notes = notes;
        t->note_room = room;
    }
    t->notes[t->note_count++] = s;
}

static void add(rc_table *t, cell c) {
    assert(t->column_count > 0);
    if (!c.shown) {
        t->out_of_memory = true;
        return;
    }
    if (t->cell_count == t->cell_room) {
        size_t room = t->cell_room ? t->cell_room * 2 : 64;
        cell *cells = realloc(t->cells, room * sizeof *cells);
        if (!cells) {
            t->out_of_memory = true;
            return;
        }
        t->cells = cells;
        t->cell_room = room;
    }
    t->cells[t->cell_count++] = c;
}

void rc_table_missing(rc_table *t) {
    if (t)
        add(t, (cell){.kind = CELL_MISSING, .shown = "-"});
}

void rc_table_text(rc_table *t, const char *s) {
    if (!s)
        rc_table_missing(t);
    else if (t)
        add(t, (cell){.kind = CELL_TEXT, .shown = keep(t, s)});
}

void rc_table_textf(rc_table *t, const char *fmt, ...) {
    if (!t)
        return;
    va_list ap;
    va_start(ap, fmt);
    char *s = format_in(t, fmt, ap);
    va_end(ap);
    if (s)
        add(t, (cell){.kind = CELL_TEXT, .shown = s});
}

void rc_table_int(rc_table *t, int64_t v) {
    if (t)
        add(t, (cell){.kind = CELL_INT,
                      .i = v,
                      .shown = rc_arena_printf(t->arena, "%lld", (long long)v)});
}

void rc_table_real(rc_table *t, double v, int decimals) {
    assert(decimals >= 0);
    if (!isfinite(v)) {
        rc_table_missing(t);
        return;
    }
    if (!t)
        return;
    char *s = rc_arena_printf(t->arena, "%.*f", decimals, v);
    if (s && s[0] == '-' && strspn(s + 1, "0.") == strlen(s + 1))
        s++; /* -0.0 is a rounding artefact, not a sign */
    add(t, (cell){.kind = CELL_REAL, .v = v == 0 ? 0.0 : v, .shown = s});
}

static rc_status check(const rc_table *t, rc_error *err) {
    if (!t || t->out_of_memory)
        return rc_fail(err, RC_E_NOMEM, "out of memory while building a table");
    assert(t->column_count > 0);
    assert(t->cell_count % t->column_count == 0); /* the last row is full */
    return RC_OK;
}

static rc_status written(FILE *f, rc_error *err) {
    return ferror(f) ? rc_fail(err, RC_E_IO, "cannot write the table") : RC_OK;
}

/* ---- text ------------------------------------------------------------------------------------ */

static size_t width(const char *s) {
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

/* One cell and its padding; no blanks after the last. */
static void put_cell(FILE *f, const char *s, size_t w, rc_align align, bool last) {
    size_t gap = w - width(s);
    if (align == RC_RIGHT)
        (void)fprintf(f, "%*s%s", (int)gap, "", s);
    else
        (void)fprintf(f, "%s%*s", s, last ? 0 : (int)gap, "");
    if (!last)
        (void)fputs("  ", f);
}

static const char *unit_of(const rc_column *c) {
    return c->unit[0] ? c->unit : "-";
}

rc_status rc_table_print(const rc_table *t, FILE *f, rc_error *err) {
    RC_TRY(check(t, err));
    size_t w[COLUMNS_MAX], n = t->column_count;
    for (size_t c = 0; c < n; c++) {
        size_t name = width(t->columns[c].name), unit = width(unit_of(&t->columns[c]));
        w[c] = name > unit ? name : unit;
    }
    for (size_t i = 0; i < t->cell_count; i++) {
        const size_t have = width(t->cells[i].shown), c = i % n;
        w[c] = have > w[c] ? have : w[c];
    }
    const char *aside = rc_style_on(f, RC_STYLE_ASIDE), *end = rc_style_on(f, RC_STYLE_END);
    for (size_t i = 0; i < t->note_count; i++)
        (void)fprintf(f, "%s# %s%s\n", aside, t->notes[i], end);
    (void)fprintf(f, "%s# ", aside);
    for (size_t c = 0; c < n; c++)
        put_cell(f, t->columns[c].name, w[c], t->columns[c].align, c + 1 == n);
    (void)fprintf(f, "%s\n%s# ", end, aside);
    for (size_t c = 0; c < n; c++)
        put_cell(f, unit_of(&t->columns[c]), w[c], t->columns[c].align, c + 1 == n);
    (void)fprintf(f, "%s\n", end);
    for (size_t i = 0; i < t->cell_count; i++) {
        size_t c = i % n;
        if (c == 0)
            (void)fputs("  ", f);
        put_cell(f, t->cells[i].shown, w[c], t->columns[c].align, c + 1 == n);
        if (c + 1 == n)
            (void)fputc('\n', f);
    }
    return written(f, err);
}

/* ---- CSV and JSON ---------------------------------------------------------------------------- */

static void csv_cell(FILE *f, const cell *c) {
    switch (c->kind) {
    case CELL_MISSING:
        break;
    case CELL_TEXT:
        rc_csv_put(f, c->shown);
        break;
    case CELL_INT:
        (void)fprintf(f, "%lld", (long long)c->i);
        break;
    case CELL_REAL:
        (void)fprintf(f, "%.10g", c->v);
        break;
    }
}

rc_status rc_table_csv(const rc_table *t, FILE *f, rc_error *err) {
    RC_TRY(check(t, err));
    size_t n = t->column_count;
    for (size_t c = 0; c < n; c++) {
        rc_csv_put(f, t->columns[c].key);
        (void)fputc(c + 1 == n ? '\n' : ',', f);
    }
    for (size_t i = 0; i < t->cell_count; i++) {
        if (n == 1 && t->cells[i].kind == CELL_MISSING)
            (void)fputs("\"\"", f); /* an empty line would be no row */
        csv_cell(f, &t->cells[i]);
        (void)fputc(i % n + 1 == n ? '\n' : ',', f);
    }
    return written(f, err);
}

rc_status rc_table_finish(rc_table *t, bool csv, FILE *f, rc_error *err) {
    rc_status st = csv ? rc_table_csv(t, f, err) : rc_table_print(t, f, err);
    rc_table_destroy(t);
    return st;
}

rc_status rc_table_json(const rc_table *t, rc_json *j, json_t *parent, const char *key,
                        rc_error *err) {
    RC_TRY(check(t, err));
    json_t *list = rc_json_list(j, parent, key);
    json_t *row = NULL;
    for (size_t i = 0; i < t->cell_count; i++) {
        size_t c = i % t->column_count;
        const cell *x = &t->cells[i];
        if (c == 0)
            row = rc_json_object(j, list, NULL);
        if (x->kind == CELL_INT)
            rc_json_int(j, row, t->columns[c].key, x->i);
        else if (x->kind == CELL_REAL)
            rc_json_real(j, row, t->columns[c].key, x->v);
        else
            rc_json_text(j, row, t->columns[c].key, x->kind == CELL_TEXT ? x->shown : NULL);
    }
    return RC_OK;
}
