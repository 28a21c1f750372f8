/* Stores beside one another.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/store_tools.h"

#include <assert.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calib/schema.h"
#include "sim/base/csv.h"
#include "sim/cost/ops.h"

rc_status rc_rows_open(const char *path, rc_rows **out, rc_error *err) {
    size_t n = strlen(path);
    if (n > 4 && strcmp(path + n - 4, ".csv") == 0)
        return rc_store_read_csv(path, out, err);
    return rc_store_rows(path, NULL, out, err);
}

/* ---- CSV ------------------------------------------------------------------------------------ */

static void put_text(FILE *f, const char *s, bool first) {
    if (!first)
        (void)fputc(',', f);
    rc_csv_put(f, s);
}

static void put_real(FILE *f, double v) {
    (void)fputc(',', f);
    if (!isnan(v))
        (void)fprintf(f, "%.9g", v);
}

/* Whether a row says more than schema 1 can: heads of 128 are its default. */
static bool has_sizes(const rc_row *r) {
    bool heads = (r->head_k != 0 && r->head_k != RC_HEAD_DEFAULT) ||
                 (r->head_v != 0 && r->head_v != RC_HEAD_DEFAULT);
    return heads || r->window != 0 || r->experts != 0 || r->top_k != 0;
}

static void put_row(const rc_row *r, bool sizes, FILE *f) {
    const char *const first[] = {r->machine, r->gpu, r->state, r->op, r->variant, r->dtype};
    const char *const last[] = {r->date,   r->driver, r->cuda,  r->nccl,
                                r->kernel, r->commit, r->source};
    const int64_t axes[] = {r->a, r->b, r->c, r->d};
    const double seconds[] = {r->p10, r->p50, r->p90},
                 readings[] = {r->sm_mhz, r->power_w, r->temp_c};
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
        put_text(f, first[i], i == 0);
    for (size_t i = 0; i < 4; i++)
        (void)fprintf(f, ",%" PRId64, axes[i]);
    for (size_t i = 0; i < 3; i++)
        put_real(f, seconds[i]);
    (void)fprintf(f, ",%" PRId64, r->samples);
    for (size_t i = 0; i < 3; i++)
        put_real(f, readings[i]);
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++)
        put_text(f, last[i], false);
    const int64_t own[] = {r->head_k, r->head_v, r->window, r->experts, r->top_k};
    for (size_t i = 0; sizes && i < sizeof own / sizeof own[0]; i++)
        (void)fprintf(f, ",%" PRId64, own[i]);
    (void)fputc('\n', f);
}

rc_status rc_rows_write_csv(const rc_rows *rows, FILE *f, rc_error *err) {
    assert(rows != NULL && f != NULL);
    static const char *const names[] = {RC_STORE_COLUMNS};
    bool sizes = false;
    for (size_t i = 0; i < rc_rows_count(rows) && !sizes; i++)
        sizes = has_sizes(rc_rows_at(rows, i));
    for (size_t i = 0; i < (sizes ? RC_STORE_NCOLUMNS : RC_STORE_NCOLUMNS_1); i++)
        put_text(f, names[i], i == 0);
    (void)fputc('\n', f);
    for (size_t i = 0; i < rc_rows_count(rows); i++)
        put_row(rc_rows_at(rows, i), sizes, f);
    return ferror(f) ? rc_fail(err, RC_E_IO, "cannot write the rows") : RC_OK;
}

/* ---- machines -------------------------------------------------------------------------------- */

static bool measured(const rc_row *r) {
    return strcmp(r->source, "measured") == 0;
}

rc_status rc_rows_same_machine(rc_rows *const *sets, const char *const *files, size_t n,
                               rc_error *err) {
    const rc_row *first = NULL, *gpu = NULL;
    size_t first_set = 0, gpu_set = 0;
    for (size_t s = 0; s < n; s++)
        for (size_t i = 0; i < rc_rows_count(sets[s]); i++) {
            const rc_row *r = rc_rows_at(sets[s], i);
            if (first == NULL)
                first = r, first_set = s;
            if (strcmp(first->machine, r->machine) != 0)
                return rc_fail(
                    err, RC_E_INPUT,
                    "%.200s holds rows of machine '%s' (%s) and %.200s of '%s' (%s): not "
                    "the same machine; --as NAME makes them one, --apart keeps both names",
                    files[first_set], first->machine, first->gpu, files[s], r->machine, r->gpu);
            if (!measured(r))
                continue;
            if (gpu == NULL)
                gpu = r, gpu_set = s;
            if (strcmp(gpu->gpu, r->gpu) != 0)
                return rc_fail(
                    err, RC_E_INPUT,
                    "machine '%s' was measured on %s in %.200s and on %s in %.200s: not the "
                    "same machine; --as NAME makes them one all the same",
                    r->machine, gpu->gpu, files[gpu_set], r->gpu, files[s]);
        }
    return RC_OK;
}

rc_status rc_rows_rename(const rc_rows *rows, const char *machine, rc_rows **out, rc_error *err) {
    assert(rows != NULL && machine != NULL && machine[0] != '\0');
    rc_rows *all = NULL;
    RC_TRY(rc_rows_create(&all, err));
    rc_status st = RC_OK;
    for (size_t i = 0; i < rc_rows_count(rows) && st == RC_OK; i++) {
        rc_row r = *rc_rows_at(rows, i);
        r.machine = machine;
        st = rc_rows_add(all, &r, err);
    }
    if (st != RC_OK) {
        rc_rows_free(all);
        return st;
    }
    *out = all;
    return RC_OK;
}

static rc_status add_of_card(rc_rows *all, const rc_row *row, int card, rc_error *err) {
    char variant[64];
    rc_row r = *row;
    const char *at = strchr(r.variant, '@');
    bool clock = at != NULL && (strncmp(at, "@duty", 5) == 0 || strncmp(at, "@fresh", 6) == 0 ||
                                strncmp(at, "@hot", 4) == 0);
    if (!clock || strchr(at, '#') != NULL || strlen(r.variant) > 48)
        return rc_fail(err, RC_E_INPUT,
                       "a row of %s \"%.40s\" is no row of the clock of a card, which are those of "
                       "the suite clock alone (@dutyN, @freshN, @hotN)",
                       r.op, r.variant);
    (void)snprintf(variant, sizeof variant, "%s#%d", r.variant, card);
    r.variant = variant;
    return rc_rows_add(all, &r, err);
}

rc_status rc_rows_of_card(const rc_rows *rows, int card, rc_rows **out, rc_error *err) {
    assert(rows != NULL && card >= 0 && out != NULL);
    rc_rows *all = NULL;
    RC_TRY(rc_rows_create(&all, err));
    rc_status st = RC_OK;
    for (size_t i = 0; i < rc_rows_count(rows) && st == RC_OK; i++)
        st = add_of_card(all, rc_rows_at(rows, i), card, err);
    if (st != RC_OK) {
        rc_rows_free(all);
        return st;
    }
    *out = all;
    return RC_OK;
}

/* ---- diff ------------------------------------------------------------------------------------ */

static int by_int(int64_t x, int64_t y) {
    return (x > y) - (x < y);
}

static bool is_transfer(const rc_row *r) {
    static const char *const ops[] = {"send_recv", "all_reduce", "all_gather", "reduce_scatter",
                                      "all_to_all"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (strcmp(r->op, ops[i]) == 0)
            return true;
    return false;
}

/* A transfer is counted in bytes, so what they are of does not make it another point. */
static int by_point(const rc_row *x, const rc_row *y) {
    int o = strcmp(x->op, y->op);
    o = o ? o : strcmp(x->state, y->state);
    o = o ? o : strcmp(x->variant, y->variant);
    o = o || is_transfer(x) ? o : strcmp(x->dtype, y->dtype);
    o = o ? o : by_int(x->c, y->c);
    o = o ? o : by_int(x->d, y->d);
    o = o ? o : rc_row_sizes_order(x, y);
    o = o ? o : by_int(x->b, y->b);
    return o ? o : by_int(x->a, y->a);
}

/* Points that are the same but for the dtype in its order: the first of them meets the other's. */
static int by_row(const void *a, const void *b) {
    const rc_row *x = *(const rc_row *const *)a, *y = *(const rc_row *const *)b;
    int o = by_point(x, y);
    return o ? o : strcmp(x->dtype, y->dtype);
}

/* A line of the result: an op in a state, of transfers one transport. */
static bool same_line(const rc_diff *d, const rc_row *r) {
    return strcmp(d->op, r->op) == 0 && strcmp(d->state, r->state) == 0 &&
           (d->transport == NULL || strcmp(d->transport, r->variant) == 0);
}

/* Linear between order statistics; sorts in place. */
static double quantile(double *x, size_t n, double q) {
    if (n == 0)
        return NAN;
    gsl_sort(x, 1, n);
    return gsl_stats_quantile_from_sorted_data(x, 1, n, q);
}

typedef struct sorted {
    const rc_row **v;
    size_t n;
} sorted;

static rc_status sort(const rc_rows *rows, sorted *s, rc_error *err) {
    s->n = rc_rows_count(rows);
    s->v = malloc((s->n + 1) * sizeof *s->v);
    if (s->v == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu rows", s->n);
    for (size_t i = 0; i < s->n; i++)
        s->v[i] = rc_rows_at(rows, i);
    qsort(s->v, s->n, sizeof *s->v, by_row);
    return RC_OK;
}

static void finish(rc_diff *d, double *ratio) {
    d->median_ratio = quantile(ratio, d->both, 0.5);
    for (size_t i = 0; i < d->both; i++)
        ratio[i] = 100.0 * fabs(ratio[i] - 1.0);
    d->median_pct = quantile(ratio, d->both, 0.5);
    d->p95_pct = quantile(ratio, d->both, 0.95);
}

/* Both lists in one walk; `ratio` has room for the shorter, `out` for every row. */
static size_t walk(const sorted *a, const sorted *b, double *ratio, rc_diff *out) {
    size_t i = 0, k = 0, n = 0;
    while (i < a->n || k < b->n) {
        int o = i == a->n ? 1 : k == b->n ? -1 : by_point(a->v[i], b->v[k]);
        const rc_row *r = o <= 0 ? a->v[i] : b->v[k];
        if (n == 0 || !same_line(&out[n - 1], r)) {
            if (n > 0)
                finish(&out[n - 1], ratio);
            out[n++] = (rc_diff){
                .op = r->op, .state = r->state, .transport = is_transfer(r) ? r->variant : NULL};
        }
        rc_diff *d = &out[n - 1];
        if (o == 0)
            ratio[d->both++] = b->v[k]->p50 / a->v[i]->p50;
        d->only_a += o < 0;
        d->only_b += o > 0;
        i += o <= 0;
        k += o >= 0;
    }
    if (n > 0)
        finish(&out[n - 1], ratio);
    return n;
}

rc_status rc_rows_diff(const rc_rows *a, const rc_rows *b, rc_diff **out, size_t *n,
                       rc_error *err) {
    sorted x = {NULL, 0}, y = {NULL, 0};
    assert(a != NULL && b != NULL && out != NULL && n != NULL);
    rc_status st = sort(a, &x, err);
    if (st == RC_OK)
        st = sort(b, &y, err);
    double *ratio = malloc((x.n + y.n + 1) * sizeof *ratio);
    rc_diff *d = malloc((x.n + y.n + 1) * sizeof *d);
    if (st == RC_OK && (ratio == NULL || d == NULL))
        st = rc_fail(err, RC_E_NOMEM, "out of memory for the comparison");
    if (st == RC_OK) {
        *n = walk(&x, &y, ratio, d);
        *out = d;
        d = NULL;
    }
    free(d);
    free(ratio);
    free(x.v);
    free(y.v);
    return st;
}
