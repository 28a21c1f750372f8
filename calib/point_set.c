/* Points that a file asks for.
 *
 * The words of a point (op, variant, type, condition) are looked up in the suites' own lists, so a
 * point that is taken is one that its suite knows how to launch, and its strings are those of the
 * lists. Transports are the one kind of word that the lists leave open.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/point_set.h"
#include "calib/schema.h"
#include "sim/base/csv.h"
#include "sim/base/file.h"
#include "sim/cost/ops.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What a point is, in the order of `point_columns` below. */
enum { OP, VARIANT, DTYPE, A, B, C, D, HEAD_K, HEAD_V, WINDOW, EXPERTS, TOP_K, FIELDS };

static const char *const point_columns[FIELDS] = {RC_POINT_COLUMNS};
/* Columns that may stand beside them: of a calibration row, and of `ringcast ... --wanted`. */
static const char *const known[] = {RC_STORE_COLUMNS, RC_WANTED_COLUMNS, NULL};

#define WORD_MAX 48 /* characters of an op, a variant or a type */
#define SIZE_MAX_2_31 ((int64_t)INT32_MAX)
#define BYTES_MAX ((int64_t)1 << 42)
#define POINT_S 0.3 /* one point of a suite that has no list of its own in that state */

static const char *const transports[] = {"nvlink", "shm", "socket", "rdma", "tcp", NULL};

typedef struct reader {
    const rc_csv *csv;
    size_t at[FIELDS];
    bool has[FIELDS];
    rc_points lists[RC_SUITE_COUNT]; /* the suites' own: which words there are */
} reader;

/* ---- words ----------------------------------------------------------------------------------- */

static rc_status cell_fail(const reader *r, size_t row, int column, rc_error *err,
                           const char *text) {
    return rc_csv_fail(r->csv, row, r->has[column] ? r->at[column] : r->at[OP], err, RC_E_INPUT,
                       "%s", text);
}

static const char *word(const reader *r, size_t row, int column) {
    return r->has[column] ? rc_csv_text(r->csv, row, r->at[column]) : "";
}

static rc_status size_of(const reader *r, size_t row, int column, int64_t hi, int64_t *out,
                         rc_error *err) {
    *out = 0;
    if (!r->has[column] || !*rc_csv_text(r->csv, row, r->at[column]))
        return RC_OK;
    return rc_csv_int(r->csv, row, r->at[column], 0, hi, out, err);
}

/* "full@sms124": base "full", condition "sms", value 124. */
typedef struct said {
    char base[WORD_MAX], cond[WORD_MAX];
    int64_t value;
} said;

static bool split_variant(const char *text, said *out) {
    size_t base = strcspn(text, "@"), cond = 0;
    *out = (said){.value = 0};
    if (strlen(text) >= WORD_MAX)
        return false;
    memcpy(out->base, text, base);
    if (!text[base])
        return true;
    const char *rest = text + base + 1;
    cond = strcspn(rest, "0123456789");
    memcpy(out->cond, rest, cond);
    size_t digits = strlen(rest + cond);
    if (cond == 0 || digits > 9 || strspn(rest + cond, "0123456789") != digits)
        return false;
    out->value = digits ? strtoll(rest + cond, NULL, 10) : 0;
    return digits == 0 || out->value > 0;
}

static const char *transport_named(const char *name) {
    for (int i = 0; transports[i]; i++)
        if (!strcmp(transports[i], name))
            return transports[i];
    return NULL;
}

/* Whether the words are those of a point `x` of suite `id`, but for the number of a condition. What a
 * suite measures without a type is measured so whatever type a forecast computes in. */
static bool same_words(int id, const rc_point *x, const said *s, const char *dtype) {
    const char *cond = id == RC_SUITE_INTERFERENCE ? "" : s->cond;
    bool open = id == RC_SUITE_NET && (!*s->base || transport_named(s->base));
    return (!*x->dtype || !strcmp(x->dtype, dtype)) && (open || !strcmp(x->variant, s->base)) &&
           !strcmp(x->cond ? x->cond : "", cond);
}

/* Sizes of heads as lists have them: 0 stands for 128. */
typedef struct heads {
    int64_t k, v;
} heads;

static rc_status read_heads(const reader *r, size_t row, heads *out, rc_error *err) {
    RC_TRY(size_of(r, row, HEAD_K, SIZE_MAX_2_31, &out->k, err));
    RC_TRY(size_of(r, row, HEAD_V, SIZE_MAX_2_31, &out->v, err));
    bool usual =
        (out->k == 0 || out->k == RC_HEAD_DEFAULT) && (out->v == 0 || out->v == RC_HEAD_DEFAULT);
    if (usual)
        *out = (heads){0, 0};
    return RC_OK;
}

/* The point of a suite's list with these words, and heads of these sizes unless `of` is NULL, and its suite;
 * NULL when there is none. */
static const rc_point *find_words(const reader *r, const char *op, const said *s, const char *dtype,
                                  const heads *of, int *id) {
    for (*id = 0; *id < RC_SUITE_COUNT; (*id)++)
        for (size_t i = 0; i < r->lists[*id].n; i++) {
            const rc_point *x = &r->lists[*id].v[i];
            if (!strcmp(x->op, op) && same_words(*id, x, s, dtype) &&
                (!of || (x->head_k == of->k && x->head_v == of->v)))
                return x;
        }
    return NULL;
}

static rc_status no_op(const reader *r, size_t row, const char *op, rc_error *err) {
    enum { MOST = 64 };
    const char *names[MOST + 1] = {NULL};
    size_t n = 0;
    for (int id = 0; id < RC_SUITE_COUNT; id++)
        for (size_t i = 0; i < r->lists[id].n && n < MOST; i++) {
            const rc_point *x = &r->lists[id].v[i];
            if (n == 0 || strcmp(names[n - 1], x->op) != 0)
                names[n++] = x->op;
        }
    const char *near = rc_nearest(op, names);
    return rc_csv_fail(r->csv, row, r->at[OP], err, RC_E_INPUT,
                       "no suite measures an op \"%.40s\"%s%s%s", op,
                       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static rc_status no_words(const reader *r, size_t row, const char *op, rc_error *err) {
    char list[400] = "";
    size_t at = 0;
    for (int id = 0; id < RC_SUITE_COUNT; id++) {
        const rc_point *before = NULL;
        for (size_t i = 0; i < r->lists[id].n; i++) {
            const rc_point *x = &r->lists[id].v[i];
            char one[96];
            if (strcmp(x->op, op) != 0)
                continue;
            if (before && !strcmp(before->variant, x->variant) &&
                !strcmp(before->dtype, x->dtype) &&
                !strcmp(before->cond ? before->cond : "", x->cond ? x->cond : ""))
                continue;
            before = x;
            snprintf(one, sizeof one, "\"%s%s%s%s\" of type \"%s\"", x->variant, x->cond ? "@" : "",
                     x->cond ? x->cond : "", x->cond && x->value ? "N" : "", x->dtype);
            if (!strstr(list, one) && at + strlen(one) + 2 < sizeof list)
                at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", at ? ", " : "", one);
        }
    }
    return rc_csv_fail(r->csv, row, r->at[OP], err, RC_E_INPUT,
                       "no suite measures %s of variant \"%.40s\" and type \"%.20s\"; measured "
                       "are %s",
                       op, word(r, row, VARIANT), word(r, row, DTYPE), list);
}

static rc_status no_heads(const reader *r, size_t row, const char *op, const heads *of,
                          rc_error *err) {
    char text[160];
    snprintf(text, sizeof text,
             "head_k is %lld and head_v %lld: the kernels here measure no such %s",
             (long long)of->k, (long long)of->v, op);
    return cell_fail(r, row, r->has[HEAD_K] ? HEAD_K : HEAD_V, err, text);
}

static rc_status read_words(const reader *r, size_t row, rc_point *p, int *id, rc_error *err) {
    const char *op = word(r, row, OP), *dtype = word(r, row, DTYPE);
    said s;
    heads of;
    bool there = false;
    for (*id = 0; *id < RC_SUITE_COUNT && !there; (*id)++)
        for (size_t i = 0; i < r->lists[*id].n && !there; i++)
            there = !strcmp(r->lists[*id].v[i].op, op);
    if (!there)
        return no_op(r, row, op, err);
    RC_TRY(read_heads(r, row, &of, err));
    if (!split_variant(word(r, row, VARIANT), &s) || !find_words(r, op, &s, dtype, NULL, id))
        return no_words(r, row, op, err);
    const rc_point *x = find_words(r, op, &s, dtype, &of, id);
    if (!x)
        return no_heads(r, row, op, &of, err);
    *p = (rc_point){.op = x->op,
                    .variant = x->variant,
                    .dtype = x->dtype,
                    .cond = x->cond,
                    .value = s.value,
                    .head_k = x->head_k,
                    .head_v = x->head_v,
                    .quick = true};
    if (*id == RC_SUITE_NET && *s.base)
        p->variant = transport_named(s.base);
    if (*id == RC_SUITE_INTERFERENCE && *s.cond) {
        p->cond = transport_named(s.cond);
        if (!p->cond || s.value)
            return no_words(r, row, op, err);
    } else if ((x->value > 0) != (s.value > 0)) {
        return cell_fail(r, row, VARIANT, err,
                         x->value ? "the condition needs a number: @sms124"
                                  : "the condition takes no number");
    }
    return RC_OK;
}

/* ---- sizes ----------------------------------------------------------------------------------- */

/* What the op has no use for is 0; what it has is at least 1, unless 0 says something. */
static rc_status check_size(const reader *r, size_t row, int column, rc_axis axis, int64_t value,
                            rc_error *err) {
    char text[160];
    bool may_be_zero = axis == RC_AXIS_NONE || axis == RC_AXIS_NODES || axis == RC_AXIS_SMS ||
                       axis == RC_AXIS_CTAS || axis == RC_AXIS_ENTERING;
    const char *op = word(r, row, OP);
    if (axis == RC_AXIS_NONE && value != 0)
        snprintf(text, sizeof text, "%.30s has no size in column %s: expected 0, found %lld", op,
                 point_columns[column], (long long)value);
    else if (!may_be_zero && value < 1)
        snprintf(text, sizeof text, "%.30s needs a size in column %s (%s)", op,
                 point_columns[column], rc_axis_name(axis));
    else
        return RC_OK;
    return cell_fail(r, row, column, err, text);
}

/* The kernels here work without a window. */
static rc_status check_window(const reader *r, size_t row, const rc_op_info *info, rc_error *err) {
    int64_t window;
    char text[160];
    RC_TRY(size_of(r, row, WINDOW, SIZE_MAX_2_31, &window, err));
    if (window == 0)
        return RC_OK;
    snprintf(text, sizeof text, "window is %lld: the kernels here measure %s without one",
             (long long)window, info->name);
    return cell_fail(r, row, WINDOW, err, text);
}

/* Of ops of experts: those on this GPU, and how many a token goes to, which the product of one does not
 * say. */
static rc_status read_experts(const reader *r, size_t row, const rc_op_info *info, rc_point *p,
                              rc_error *err) {
    int64_t *const to[] = {&p->experts, &p->top_k};
    static const rc_axis axes[] = {RC_AXIS_EXPERTS, RC_AXIS_TOP_K};
    for (int i = 0; i < 2; i++) {
        bool has = rc_op_has_axis(info, axes[i]);
        bool may_be_zero =
            axes[i] == RC_AXIS_TOP_K && info->bound == RC_BOUND_GEMM && info->rule == RC_PRICE_SAME;
        RC_TRY(size_of(r, row, EXPERTS + i, SIZE_MAX_2_31, to[i], err));
        if (!has || !may_be_zero)
            RC_TRY(check_size(r, row, EXPERTS + i, has ? axes[i] : RC_AXIS_NONE, *to[i], err));
    }
    return RC_OK;
}

static rc_status check_heads(const reader *r, size_t row, const rc_op_info *info, const rc_point *p,
                             rc_error *err) {
    if (rc_op_has_axis(info, RC_AXIS_KV_HEADS) && info->bound == RC_BOUND_ATTENTION &&
        p->c % p->d != 0)
        return cell_fail(r, row, C, err, "query heads are a multiple of KV heads");
    if (p->cond && !strcmp(p->cond, "rest") && p->value > p->b)
        return cell_fail(r, row, VARIANT, err,
                         "the other sequences are longer than the longest (column b)");
    return RC_OK;
}

static rc_status read_sizes(const reader *r, size_t row, int id, rc_point *p, rc_error *err) {
    const rc_op_info *info = rc_op_info_of(rc_op_named(p->op));
    int64_t *const to[RC_COLUMNS] = {&p->a, &p->b, &p->c, &p->d};
    for (int i = 0; i < RC_COLUMNS; i++) {
        rc_axis axis = info->column[i];
        RC_TRY(
            size_of(r, row, A + i, axis == RC_AXIS_BYTES ? BYTES_MAX : SIZE_MAX_2_31, to[i], err));
        if (id != RC_SUITE_INTERFERENCE || axis == RC_AXIS_NONE || axis == RC_AXIS_RANKS)
            RC_TRY(check_size(r, row, A + i, axis, *to[i], err));
    }
    RC_TRY(check_window(r, row, info, err));
    RC_TRY(read_experts(r, row, info, p, err));
    return check_heads(r, row, info, p, err);
}

/* ---- suites ---------------------------------------------------------------------------------- */

/* Calls whose kernels and sizes are fixed: launches of the host and what lies between kernels. */
static bool has_fixed_sizes(const rc_point *p) {
    return rc_op_info_of(rc_op_named(p->op))->column[0] == RC_AXIS_CALLS;
}

/* Only graphs come in other sizes than those of the list. */
static rc_status check_calls(const reader *r, size_t row, int id, const rc_point *p,
                             rc_error *err) {
    const rc_points *list = &r->lists[id];
    if (!strcmp(p->op, "graph_launch") && p->a <= 16384)
        return RC_OK;
    for (size_t i = 0; i < list->n; i++)
        if (!strcmp(list->v[i].op, p->op) && !strcmp(list->v[i].variant, p->variant) &&
            list->v[i].a == p->a)
            return RC_OK;
    return cell_fail(r, row, A, err, "this is not measured for so many calls");
}

/* A buffer that is cut into one part a rank: as the suite's own list rounds it. */
static void round_bytes(rc_point *p) {
    bool whole = !strcmp(p->op, "send_recv");
    int64_t unit = whole ? 1 : !strcmp(p->op, "all_reduce") ? 16 : 16 * p->b;
    p->a = p->a < unit ? unit : p->a / unit * unit;
}

static rc_status add_point(const reader *r, size_t row, rc_point_set *out, rc_error *err) {
    rc_point p = {0};
    int id = 0;
    RC_TRY(read_words(r, row, &p, &id, err));
    RC_TRY(read_sizes(r, row, id, &p, err));
    if (has_fixed_sizes(&p))
        RC_TRY(check_calls(r, row, id, &p, err));
    if (id == RC_SUITE_NET) {
        round_bytes(&p);
        p.c = p.c > 0 ? p.c : 1;
    }
    p.sustained = !has_fixed_sizes(&p) && id != RC_SUITE_NET && id != RC_SUITE_INTERFERENCE;
    return rc_points_add(&out->of[id], &p, err);
}

static size_t hot_points(const rc_points *p) {
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->v[i].sustained;
    return n;
}

/* By what the suite's own list takes a point, where it has points in that state. */
static void estimate(const rc_points *lists, rc_point_set *s) {
    for (int id = 0; id < RC_SUITE_COUNT; id++) {
        const rc_suite_info *info = rc_suite_info_of((rc_suite_id)id);
        size_t all = lists[id].n, all_hot = hot_points(&lists[id]);
        double cold_s = all ? info->burst_s / (double)all : 0;
        double hot_s = all_hot ? info->sustained_s / (double)all_hot : 0;
        bool clocked = id == RC_SUITE_CLOCK;
        s->usual_s[id][0] = clocked ? 0 : (double)s->of[id].n * (cold_s > 0 ? cold_s : POINT_S);
        s->usual_s[id][1] = (double)hot_points(&s->of[id]) * (hot_s > 0 ? hot_s : 2 * POINT_S);
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

static rc_status read_rows(reader *r, rc_point_set *out, rc_error *err) {
    RC_TRY(rc_csv_known(r->csv, known, err));
    RC_TRY(rc_csv_column(r->csv, point_columns[OP], &r->at[OP], err));
    for (int i = 0; i < FIELDS; i++)
        r->has[i] = rc_csv_find(r->csv, point_columns[i], &r->at[i]);
    size_t rows = rc_csv_rows(r->csv);
    if (rows > RC_POINT_SET_MAX)
        return rc_csv_fail(r->csv, RC_POINT_SET_MAX, r->at[OP], err, RC_E_INPUT,
                           "%zu points: at most %d are taken from a file", rows, RC_POINT_SET_MAX);
    for (int id = 0; id < RC_SUITE_COUNT; id++) {
        const rc_suite_info *info = rc_suite_info_of((rc_suite_id)id);
        RC_TRY(info->points(&r->lists[id], 8, err));
        if (id == RC_SUITE_INTERFERENCE)
            RC_TRY(info->points(&r->lists[id], 1, err));
    }
    for (size_t i = 0; i < rows; i++)
        RC_TRY(add_point(r, i, out, err));
    estimate(r->lists, out);
    return RC_OK;
}

rc_status rc_point_set_parse(const char *name, const char *text, size_t size, rc_point_set *out,
                             rc_error *err) {
    assert(name != NULL && (text != NULL || size == 0) && out != NULL);
    rc_csv *csv = NULL;
    *out = (rc_point_set){0};
    RC_TRY(rc_csv_parse(name, text, size, &csv, err));
    reader r = {.csv = csv};
    rc_status st = read_rows(&r, out, err);
    for (int id = 0; id < RC_SUITE_COUNT; id++)
        rc_points_free(&r.lists[id]);
    rc_csv_close(csv);
    if (st != RC_OK)
        rc_point_set_free(out);
    return st;
}

static rc_status read_file(const char *path, rc_point_set *out, rc_error *err) {
    char *text = NULL;
    size_t size = 0;
    RC_TRY(rc_file_read(path, &text, &size, err));
    rc_status st = rc_point_set_parse(path, text, size, out, err);
    free(text);
    return st;
}

/* The i-th points of all sets; false when there are none. */
static bool add_turn(const rc_point_set *sets, size_t n, size_t i, int id, rc_point_set *out,
                     rc_status *st, rc_error *err) {
    bool some = false;
    for (size_t k = 0; k < n && *st == RC_OK; k++) {
        if (i >= sets[k].of[id].n)
            continue;
        some = true;
        *st = rc_points_add(&out->of[id], &sets[k].of[id].v[i], err);
    }
    return some && *st == RC_OK;
}

rc_status rc_point_set_read(const char *const *paths, size_t n, rc_point_set *out, rc_error *err) {
    assert(paths != NULL && n >= 1 && out != NULL);
    *out = (rc_point_set){0};
    rc_point_set *sets = calloc(n, sizeof *sets);
    rc_status st = sets ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for %zu files", n);
    for (size_t k = 0; k < n && st == RC_OK; k++)
        st = read_file(paths[k], &sets[k], err);
    for (int id = 0; id < RC_SUITE_COUNT && st == RC_OK; id++) {
        size_t i = 0;
        while (add_turn(sets, n, i, id, out, &st, err))
            i++;
        double many = 0;
        for (size_t k = 0; k < n && sets; k++) {
            many += (double)sets[k].of[id].n;
            out->usual_s[id][0] += sets[k].usual_s[id][0];
            out->usual_s[id][1] += sets[k].usual_s[id][1];
        }
        for (int hot_too = 0; hot_too < 2 && many > 0; hot_too++)
            out->usual_s[id][hot_too] *= (double)out->of[id].n / many;
    }
    for (size_t k = 0; k < n && sets; k++)
        rc_point_set_free(&sets[k]);
    free(sets);
    if (st != RC_OK)
        rc_point_set_free(out);
    return st;
}

void rc_point_set_free(rc_point_set *s) {
    for (int id = 0; id < RC_SUITE_COUNT; id++)
        rc_points_free(&s->of[id]);
    memset(s, 0, sizeof *s);
}

/* ---- what they come to ----------------------------------------------------------------------- */

double rc_usual_s(const rc_calib_options *o, int id, bool sustained) {
    const rc_suite_info *s = rc_suite_info_of((rc_suite_id)id);
    if (!(o->suites & 1u << id) || !(sustained ? o->sustained : o->burst))
        return 0;
    if (o->listed)
        return o->listed->usual_s[id][sustained];
    return sustained ? s->sustained_s : s->burst_s;
}

bool rc_is_transport(const char *name) {
    return transport_named(name) != NULL;
}

double rc_point_bytes(const rc_point *p) {
    rc_axes at = {{0}};
    rc_work work = {0, 0};
    const rc_op_info *info = rc_op_info_of(rc_op_named(p->op));
    const int64_t size[RC_COLUMNS] = {p->a, p->b, p->c, p->d};
    if (!info->work)
        return 0;
    for (int i = 0; i < RC_COLUMNS; i++)
        at.at[info->column[i]] = size[i];
    at.at[RC_AXIS_NONE] = 0;
    at.at[RC_AXIS_HEAD_K] = p->head_k ? p->head_k : RC_HEAD_DEFAULT;
    at.at[RC_AXIS_HEAD_V] = p->head_v ? p->head_v : RC_HEAD_DEFAULT;
    at.at[RC_AXIS_EXPERTS] = p->experts;
    at.at[RC_AXIS_TOP_K] = p->top_k;
    info->work(info, &at, !strcmp(p->dtype, "fp8") ? 1 : 2, &work);
    return p->cond && !strcmp(p->cond, "seqs") ? (double)p->value * work.bytes : work.bytes;
}
