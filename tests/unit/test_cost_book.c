/* The books that are compiled in are those that the rows make, to the bit; their curves are GSL's.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gsl/gsl_interp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/cost/build.h"
#include "sim/cost/builtin.h"
#include "sim/cost/class_errors.h"

static rc_rows *rows;

static int setup(void **state) {
    (void)state;
    return rc_store_rows(NULL, NULL, &rows, NULL) == RC_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    rc_rows_free(rows);
    return 0;
}

static uint64_t bits(double v) {
    uint64_t b;
    memcpy(&b, &v, sizeof b);
    return b;
}

static void same_series(const rc_series *a, const rc_series *b) {
    assert_int_equal(bits(a->across), bits(b->across));
    assert_int_equal(bits(a->power), bits(b->power));
    assert_int_equal(bits(a->unit), bits(b->unit));
    assert_int_equal(a->curved, b->curved);
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        const rc_knot *x = &a->knot[i], *y = &b->knot[i];
        assert_int_equal(bits(x->x), bits(y->x));
        assert_int_equal(bits(x->y), bits(y->y));
        assert_int_equal(bits(x->slope), bits(y->slope));
        assert_int_equal(bits(x->square), bits(y->square));
        assert_int_equal(bits(x->cube), bits(y->cube));
        assert_int_equal(bits(x->rest), bits(y->rest));
        assert_int_equal(bits(x->spread), bits(y->spread));
        assert_int_equal(x->basis, y->basis);
    }
}

static void same_field(const rc_field *a, const rc_field *b) {
    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->kind.decode, b->kind.decode);
    assert_int_equal(bits(a->kind.element), bits(b->kind.element));
    assert_int_equal(a->kind.head_k, b->kind.head_k);
    assert_int_equal(a->kind.head_v, b->kind.head_v);
    assert_int_equal(a->kind.window, b->kind.window);
    assert_int_equal(a->version, b->version);
    assert_int_equal(bits(a->longest), bits(b->longest));
    assert_int_equal(bits(a->noise), bits(b->noise));
    assert_memory_equal(a->constants, b->constants, sizeof a->constants);
    assert_memory_equal(a->scale, b->scale, sizeof a->scale);
    assert_int_equal(a->n, b->n);
    for (int k = 0; k < RC_FIELD_AXES; k++)
        assert_memory_equal(a->at[k], b->at[k], a->n * sizeof *a->at[k]);
    assert_memory_equal(a->weight, b->weight, a->n * sizeof *a->weight);
}

static void same_surface(const rc_surface *a, const rc_surface *b) {
    assert_int_equal(a->op, b->op);
    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->basis, b->basis);
    assert_string_equal(a->variant, b->variant);
    assert_int_equal(a->ranks, b->ranks);
    assert_int_equal(a->head_k, b->head_k);
    assert_int_equal(a->head_v, b->head_v);
    assert_int_equal(a->n, b->n);
    assert_int_equal(bits(a->error), bits(b->error));
    assert_memory_equal(a->constants, b->constants, sizeof a->constants);
    for (int k = 0; k < RC_CALL_AXES; k++)
        assert_memory_equal(a->at[k], b->at[k], a->n * sizeof(double));
    assert_memory_equal(a->rest, b->rest, a->n * sizeof(double));
}

static void same_book(const rc_book *a, const rc_book *b) {
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->first, b->first, sizeof a->first);
    assert_memory_equal(a->products, b->products, sizeof a->products);
    assert_int_equal(a->gaps.known, b->gaps.known);
    assert_memory_equal(a->gaps.eager, b->gaps.eager, sizeof a->gaps.eager);
    for (size_t i = 0; i < a->count; i++) {
        const rc_grid *x = &a->grids[i], *y = &b->grids[i];
        assert_int_equal(x->op, y->op);
        assert_int_equal(x->dtype, y->dtype);
        assert_string_equal(x->machine, y->machine);
        assert_string_equal(x->gpu, y->gpu);
        assert_string_equal(x->variant, y->variant);
        assert_memory_equal(&x->fixed, &y->fixed, sizeof x->fixed);
        assert_memory_equal(x->logs, y->logs, sizeof x->logs);
        assert_int_equal(x->curves.n, y->curves.n);
        assert_memory_equal(x->curves.apart, y->curves.apart, sizeof x->curves.apart);
        for (size_t s = 0; s < x->curves.n; s++)
            same_series(&x->curves.series[s], &y->curves.series[s]);
    }
    assert_int_equal(a->field_count, b->field_count);
    for (size_t i = 0; i < a->field_count; i++)
        same_field(&a->fields[i], &b->fields[i]);
    assert_int_equal(a->surface_count, b->surface_count);
    for (size_t i = 0; i < a->surface_count; i++)
        same_surface(&a->surfaces[i], &b->surfaces[i]);
}

/* Every book is built anew; learning how far off its answers are takes most of the time, so one of
 * them, drawn by the number of rows, learns. Under sanitizers (RC_SHORT) one book is enough: its
 * surfaces alone take many seconds. */
static void test_builtin_books_are_the_rows(void **state) {
    (void)state;
    assert_true(rc_builtin_count > 0);
    size_t n = getenv("RC_SHORT") ? 1 : rc_builtin_count;
    const size_t learns = (rc_rows_count(rows) * 2654435761u >> 8) % n;
    for (size_t i = 0; i < n; i++) {
        const rc_book *b = &rc_builtin_books[i];
        rc_built_book *built = NULL;
        assert_ptr_equal(rc_builtin_book(b->base, b->state), b);
        assert_int_equal(rc_book_build(rows, b->base, b->state, &built, NULL), RC_OK);
        assert_true(b->count > 100);
        if (i == learns) {
            assert_int_equal(rc_book_learn(built, rows, RC_LEARN_WELL, NULL), RC_OK);
            assert_memory_equal(&b->errors, &rc_built_book_of(built)->errors, sizeof b->errors);
        }
        same_book(b, rc_built_book_of(built));
        rc_built_book_free(built);
    }
}

/* Every machine of the tree finds its book; one of another state has it built, and it answers. */
static void test_which_books_there_are(void **state) {
    (void)state;
    static const char *const names[] = {"a100-sxm", "b200-sxm", "b300",     "gb200-nvl72",
                                        "gti",      "gtt",      "h100-sxm", "h20",
                                        "h200-sxm", "h200x2",   "l40s",     NULL};
    const char *root = getenv("RC_SOURCE_DIR");
    rc_machine m;
    for (int i = 0; names[i] != NULL; i++) {
        char path[1200];
        (void)snprintf(path, sizeof path, "%s/scenarios/machines/%s.yaml", root ? root : ".",
                       names[i]);
        assert_int_equal(rc_machine_load(path, &m, NULL), RC_OK);
        assert_non_null(rc_builtin_book(m.base, m.state));
    }
    (void)snprintf(m.state, sizeof m.state, "burst");
    assert_null(rc_builtin_book(m.base, m.state));
    rc_costs *c = NULL;
    rc_cost out;
    assert_int_equal(rc_costs_open(NULL, &m, &c, NULL), RC_OK);
    assert_int_equal(rc_cost_gemm(c, RC_BF16, 4096, 16384, 2048, &out, NULL), RC_OK);
    assert_true(out.p50 > 1e-4 && out.p50 < 1e-3);
    rc_costs_close(c);
}

static double seconds_to_open(const char *store, const rc_machine *m) {
    struct timespec from, to;
    rc_costs *c = NULL;
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    assert_int_equal(rc_costs_open(store, m, &c, NULL), RC_OK);
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    rc_costs_close(c);
    return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

/* A book that is built in is found, not made: a microsecond where reading and building take tens of
 * thousands. */
static void test_opening_reads_no_rows(void **state) {
    (void)state;
    rc_machine m = {.base = "h100-sxm", .state = "sustained"};
    double found = INFINITY, made = INFINITY;
    for (int i = 0; i < 5; i++)
        found = fmin(found, seconds_to_open(NULL, &m));
    (void)snprintf(m.state, sizeof m.state, "burst");
    for (int i = 0; i < 2; i++)
        made = fmin(made, seconds_to_open(NULL, &m));
    assert_true(made > 200.0 * found);
}

/* Between two points a curve is what gsl_interp_eval gives, to the bit. */
static void as_gsl(const rc_series *s) {
    double *x = malloc(s->n * sizeof *x), *y = malloc(s->n * sizeof *y);
    gsl_interp *curve = gsl_interp_alloc(gsl_interp_steffen, s->n);
    assert_true(x != NULL && y != NULL && curve != NULL);
    for (size_t i = 0; i < s->n; i++) {
        x[i] = s->knot[i].x;
        y[i] = s->knot[i].y;
    }
    assert_int_equal(gsl_interp_init(curve, x, y, s->n), 0);
    for (size_t i = 0; i + 1 < s->n; i++)
        for (int k = 1; k < 8; k++) {
            double at = x[i] + (x[i + 1] - x[i]) * k / 8.0;
            rc_probe p;
            rc_series_at(s, at, &p);
            assert_int_equal(bits(p.y), bits(gsl_interp_eval(curve, x, y, at, NULL)));
        }
    gsl_interp_free(curve);
    free(x);
    free(y);
}

static void test_curves_are_steffens(void **state) {
    (void)state;
    size_t curves = 0;
    for (size_t b = 0; b < rc_builtin_count; b++)
        for (size_t i = 0; i < rc_builtin_books[b].count; i++) {
            const rc_grid *g = &rc_builtin_books[b].grids[i];
            for (size_t s = 0; s < g->curves.n; s++)
                if (g->curves.series[s].curved) {
                    as_gsl(&g->curves.series[s]);
                    curves++;
                }
        }
    assert_true(curves > 200);
}

/* Where a grid says that its curves stand apart, two of them answer for all, to the bit. */
static void same_as_all(const rc_curves *c, size_t *apart) {
    rc_curves all = *c;
    memset(all.apart, 0, sizeof all.apart);
    for (int i = -40; i < 700; i++)
        for (int k = 0; k < 7; k++) {
            rc_probe fast, whole;
            double x = (i + 0.37) / 22.0, u = k / 6.0;
            u = (1.0 - u) * (c->series[0].across - 1.0) + u * (c->series[c->n - 1].across + 1.0);
            rc_grid_at(c, u, x, &fast);
            rc_grid_at(&all, u, x, &whole);
            assert_int_equal(bits(fast.y), bits(whole.y));
            assert_int_equal(bits(fast.spread), bits(whole.spread));
            assert_int_equal(fast.basis, whole.basis);
        }
    for (size_t i = 0; i < RC_CELL_WORDS; i++)
        *apart += c->apart[i] != 0;
}

static void test_grids_of_two_and_of_all(void **state) {
    (void)state;
    size_t grids = 0, apart = 0;
    for (size_t b = 0; b < rc_builtin_count; b++)
        for (size_t i = 0; i < rc_builtin_books[b].count; i++) {
            const rc_grid *g = &rc_builtin_books[b].grids[i];
            if (rc_op_info_of(g->op)->across == RC_AXIS_NONE || g->op == RC_COST_PREFIX)
                continue;
            same_as_all(&g->curves, &apart);
            grids++;
        }
    assert_true(grids > 10 && apart > grids);
}

/* Grids stand in the order that look-ups search by, and a search finds each. */
static void test_grids_are_found(void **state) {
    (void)state;
    for (size_t b = 0; b < rc_builtin_count; b++) {
        const rc_book *book = &rc_builtin_books[b];
        for (size_t i = 0; i < book->count; i++) {
            const rc_grid *g = &book->grids[i];
            if (rc_op_info_of(g->op)->bound != RC_BOUND_LINK)
                assert_ptr_equal(rc_book_find(book, g->op, g->dtype, &g->fixed), g);
            for (size_t s = 1; s < g->curves.n; s++)
                assert_true(g->curves.series[s - 1].across < g->curves.series[s].across);
        }
        rc_axes none = {{[RC_AXIS_OUTPUTS] = 7, [RC_AXIS_INPUTS] = 7}};
        assert_null(rc_book_find(book, RC_COST_GEMM, RC_BF16, &none));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builtin_books_are_the_rows),
        cmocka_unit_test(test_which_books_there_are),
        cmocka_unit_test(test_opening_reads_no_rows),
        cmocka_unit_test(test_curves_are_steffens),
        cmocka_unit_test(test_grids_of_two_and_of_all),
        cmocka_unit_test(test_grids_are_found),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
