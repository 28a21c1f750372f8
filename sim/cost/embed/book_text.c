/* A book as C source. Numbers are written in base 16, which the compiler reads back to the bit, so
 * that the layout of the structs, their alignment and the byte order are the compiler's business
 * and no reader of a format of ours is needed.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/embed/book_text.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* Names of machines, GPUs and transports hold no control characters: rows with any are refused. */
static void put_text(FILE *f, const char *name, const char *text) {
    (void)fprintf(f, ".%s = \"", name);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\' || *text == '?')
            (void)fputc('\\', f);
        (void)fputc(*text, f);
    }
    (void)fputs("\", ", f);
}

static void put_knots(FILE *f, const rc_book *b, size_t book) {
    (void)fprintf(f, "static const rc_knot knots_%zu[] = {\n", book);
    for (size_t i = 0; i < b->count; i++)
        for (size_t s = 0; s < b->grids[i].curves.n; s++)
            for (size_t k = 0; k < b->grids[i].curves.series[s].n; k++) {
                const rc_knot *p = &b->grids[i].curves.series[s].knot[k];
                (void)fprintf(f, "    {%a, %a, %a, %a, %a, %a, %a, (rc_basis)%d},\n", p->x, p->y,
                              p->slope, p->square, p->cube, p->rest, p->spread, (int)p->basis);
            }
    (void)fputs("};\n\n", f);
}

static void put_series(FILE *f, const rc_book *b, size_t book) {
    size_t at = 0;
    (void)fprintf(f, "static const rc_series series_%zu[] = {\n", book);
    for (size_t i = 0; i < b->count; i++)
        for (size_t s = 0; s < b->grids[i].curves.n; s++) {
            const rc_series *c = &b->grids[i].curves.series[s];
            (void)fprintf(
                f,
                "    {.across = %a, .power = %a, .unit = %a, .curved = %d, .n = %zu, .knot = "
                "knots_%zu + %zu},\n",
                c->across, c->power, c->unit, (int)c->curved, c->n, book, at);
            at += c->n;
        }
    (void)fputs("};\n\n", f);
}

static void put_grids(FILE *f, const rc_book *b, size_t book) {
    size_t at = 0;
    (void)fprintf(f, "static const rc_grid grids_%zu[] = {\n", book);
    for (size_t i = 0; i < b->count; i++) {
        const rc_grid *g = &b->grids[i];
        (void)fprintf(f, "    {.op = %u, .dtype = (rc_dtype)%d, ", g->op, (int)g->dtype);
        put_text(f, "machine", g->machine);
        put_text(f, "gpu", g->gpu);
        put_text(f, "variant", g->variant);
        (void)fputs("\n     .fixed = {{", f);
        for (int axis = 0; axis < RC_AXIS_COUNT; axis++)
            (void)fprintf(f, "%s%" PRId64, axis > 0 ? ", " : "", g->fixed.at[axis]);
        (void)fprintf(f, "}},\n     .logs = {%a, %a},", g->logs[0], g->logs[1]);
        (void)fprintf(f, "\n     .curves = {.series = series_%zu + %zu, .n = %zu, .apart = {", book,
                      at, g->curves.n);
        for (size_t w = 0; w < RC_CELL_WORDS; w++)
            (void)fprintf(f, "%s0x%" PRIx64, w > 0 ? ", " : "", g->curves.apart[w]);
        (void)fputs("}}},\n", f);
        at += g->curves.n;
    }
    (void)fputs("};\n\n", f);
}

static void put_power(FILE *f, const rc_power *p) {
    if (!p->known)
        return;
    (void)fprintf(f,
                  "\n     .power = {.known = true, .boost = %a, .idle = %a, .limit = %a, "
                  ".from_rest = %a, .byte = %a, .rows = %d, .law = {",
                  p->boost, p->idle, p->limit, p->from_rest, p->byte, p->rows);
    for (int c = 0; c < RC_POWER_CLASSES; c++)
        (void)fprintf(f, "{%a, %a, %a, %a, %a}, ", p->law[c].flop, p->law[c].slows, p->law[c].saves,
                      p->law[c].alone, p->law[c].byte);
    (void)fputs("}},", f);
}

static void put_numbers(FILE *f, const double *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        (void)fprintf(f, "%s%a,%s", i % 6 == 0 ? "    " : " ", v[i], i % 6 == 5 ? "\n" : "");
    if (n % 6 != 0)
        (void)fputc('\n', f);
}

/* All numbers of a field's rows lie in one array: the axes one after another, then the weights. */
static void put_field_rows(FILE *f, const rc_book *b, size_t book) {
    for (size_t i = 0; i < b->field_count; i++) {
        const rc_field *field = &b->fields[i];
        (void)fprintf(f, "static const double field_%zu_%zu[] = {\n", book, i);
        for (int k = 0; k < RC_FIELD_AXES; k++)
            put_numbers(f, field->at[k], field->n);
        put_numbers(f, field->weight, field->n);
        (void)fputs("};\n\n", f);
    }
}

static void put_fields(FILE *f, const rc_book *b, size_t book) {
    put_field_rows(f, b, book);
    (void)fprintf(f, "static const rc_field fields_%zu[] = {\n", book);
    for (size_t i = 0; i < b->field_count; i++) {
        const rc_field *field = &b->fields[i];
        const rc_plan_kind *kind = &field->kind;
        (void)fprintf(f,
                      "    {.dtype = (rc_dtype)%d, .kind = {.decode = %d, .element = %a, .head_k = "
                      "%" PRId64 ", .head_v = %" PRId64 ", .window = %" PRId64
                      "},\n     .version = %d, .longest = %a, .noise = %a, .n = %zu,\n",
                      (int)field->dtype, (int)kind->decode, kind->element, kind->head_k,
                      kind->head_v, kind->window, field->version, field->longest, field->noise,
                      field->n);
        (void)fputs("     .constants = {\n", f);
        put_numbers(f, field->constants, RC_PLAN_CONSTANTS);
        (void)fputs("     },\n     .scale = {\n", f);
        put_numbers(f, field->scale, RC_FIELD_AXES);
        (void)fputs("     },\n     .at = {", f);
        for (int k = 0; k < RC_FIELD_AXES; k++)
            (void)fprintf(f, "field_%zu_%zu + %zu, ", book, i, (size_t)k * field->n);
        (void)fprintf(f, "},\n     .weight = field_%zu_%zu + %zu},\n", book, i,
                      RC_FIELD_AXES * field->n);
    }
    (void)fputs("    {.n = 0}};\n\n", f);
}

static void put_gaps(FILE *f, const rc_launch_gaps *g) {
    if (!g->known)
        return;
    (void)fputs(".gaps = {.known = true, .eager = {", f);
    for (int k = 0; k < RC_LAUNCHED_KINDS; k++)
        (void)fprintf(f, "%s%a", k > 0 ? ", " : "", g->eager[k]);
    (void)fputs("}},\n     ", f);
}

/* ---- surfaces: books of one base have the same rows, which are written once ------------------ */

static bool same_numbers(const double *x, const double *y, size_t n) {
    return memcmp(x, y, n * sizeof *x) == 0;
}

static bool same_rows(const rc_surface *x, const rc_surface *y) {
    bool same = x->n == y->n && same_numbers(x->rest, y->rest, x->n);
    for (int k = 0; k < RC_CALL_AXES && same; k++)
        same = same_numbers(x->at[k], y->at[k], x->n);
    return same;
}

/* The first of books [0, *book] with these rows, and its surface. */
static void first_with(const rc_book *const *books, const rc_surface *s, size_t *book,
                       size_t *surface) {
    for (size_t b = 0; b < *book; b++)
        for (size_t i = 0; i < books[b]->surface_count; i++)
            if (same_rows(&books[b]->surfaces[i], s)) {
                *book = b;
                *surface = i;
                return;
            }
}

static void put_surface_rows(FILE *f, const rc_book *const *books, size_t book) {
    for (size_t i = 0; i < books[book]->surface_count; i++) {
        const rc_surface *s = &books[book]->surfaces[i];
        size_t first = book, same = i;
        first_with(books, s, &first, &same);
        if (first != book)
            continue;
        (void)fprintf(f, "static const double surface_%zu_%zu[] = {\n", book, i);
        for (int k = 0; k < RC_CALL_AXES; k++)
            put_numbers(f, s->at[k], s->n);
        put_numbers(f, s->rest, s->n);
        (void)fputs("};\n\n", f);
    }
}

static void put_surface(FILE *f, const rc_surface *s, size_t book, size_t i) {
    (void)fprintf(f, "    {.op = %u, .dtype = (rc_dtype)%d, .basis = (rc_basis)%d, ", s->op,
                  (int)s->dtype, (int)s->basis);
    put_text(f, "variant", s->variant);
    (void)fprintf(f,
                  "\n     .error = %a, .ranks = %" PRId64 ", .head_k = %" PRId64
                  ", .head_v = %" PRId64 ", .n = %zu, .constants = {\n",
                  s->error, s->ranks, s->head_k, s->head_v, s->n);
    put_numbers(f, s->constants, RC_CALL_CONSTANTS);
    (void)fputs("     }, .at = {", f);
    for (int k = 0; k < RC_CALL_AXES; k++)
        (void)fprintf(f, "surface_%zu_%zu + %zu, ", book, i, (size_t)k * s->n);
    (void)fprintf(f, "},\n     .rest = surface_%zu_%zu + %zu},\n", book, i, RC_CALL_AXES * s->n);
}

static void put_surfaces(FILE *f, const rc_book *const *books, size_t book) {
    put_surface_rows(f, books, book);
    (void)fprintf(f, "static const rc_surface surfaces_%zu[] = {\n", book);
    for (size_t i = 0; i < books[book]->surface_count; i++) {
        size_t first = book, same = i;
        first_with(books, &books[book]->surfaces[i], &first, &same);
        put_surface(f, &books[book]->surfaces[i], first, same);
    }
    (void)fputs("    {.n = 0}};\n\n", f);
}

static void put_book(FILE *f, const rc_book *b, size_t book) {
    const int of_op = RC_ERROR_CLASSES * RC_HOW_COUNT;
    (void)fputs("    {", f);
    put_text(f, "base", b->base);
    put_text(f, "state", b->state);
    put_power(f, &b->power);
    (void)fprintf(f, "\n     .grids = grids_%zu, .count = %zu,\n     .first = {", book, b->count);
    for (size_t i = 0; i <= RC_OPS_MAX; i++)
        (void)fprintf(f, "%s%zu", i > 0 ? ", " : "", b->first[i]);
    (void)fputs("},\n     .products = {", f);
    for (int i = 0; i < RC_PRODUCT_TYPES; i++)
        (void)fprintf(f, "%s{%a, %a, %a}", i > 0 ? ", " : "", b->products[i].flops,
                      b->products[i].bytes, b->products[i].sms);
    (void)fputs("},\n     ", f);
    put_gaps(f, &b->gaps);
    (void)fputs(".errors = {{", f);
    for (int i = 0; i < RC_OPS_MAX * of_op; i++)
        (void)fprintf(f, "%s%a%s", i % RC_HOW_COUNT == 0 ? (i % of_op == 0 ? "{{" : ", {") : ", ",
                      (&b->errors.spread[0][0][0])[i],
                      i % RC_HOW_COUNT < RC_HOW_COUNT - 1 ? ""
                      : i % of_op < of_op - 1             ? "}"
                                                          : "}},\n      ");
    (void)fprintf(f,
                  "}},\n     .fields = fields_%zu, .field_count = %zu, .surfaces = surfaces_%zu, "
                  ".surface_count = %zu},\n",
                  book, b->field_count, book, b->surface_count);
}

rc_status rc_book_write_text(FILE *f, const rc_book *const *books, size_t n, rc_error *err) {
    assert(f != NULL && (books != NULL || n == 0));
    (void)fputs("/* Made by rc_embed from the rows of results/. Not to be edited. */\n"
                "#include \"sim/cost/builtin.h\"\n\n",
                f);
    for (size_t i = 0; i < n; i++) {
        put_knots(f, books[i], i);
        put_series(f, books[i], i);
        put_grids(f, books[i], i);
        put_fields(f, books[i], i);
        put_surfaces(f, books, i);
    }
    (void)fputs("const rc_book rc_builtin_books[] = {\n", f);
    for (size_t i = 0; i < n; i++)
        put_book(f, books[i], i);
    (void)fprintf(f, "};\nconst size_t rc_builtin_count = %zu;\n", n);
    return ferror(f) ? rc_fail(err, RC_E_IO, "cannot write the built-in books") : RC_OK;
}
