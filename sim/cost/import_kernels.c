/* Tables of single kernels of mixtures of experts, latent and sparse attention, as
 * results/published/raw holds them: one CSV file an op, a row a call. What a table is of the caller
 * says (--op), for two tables of one form are of different kernels; of transfers between experts also
 * on how many GPUs (--ranks). The columns, beside the time (`latency_ms`; of transfers `dispatch_us`
 * and `combine_us`):
 *
 *   mla_prefill, mla_absorbed   kv_dtype num_heads batch isl cached
 *   mla_decode                  kv_dtype num_heads batch isl cached   cached: keys before this token
 *   mla_bmm                     op dtype num_heads tokens             op: mla_gen_pre, mla_gen_post
 *   moe_ffn                     dtype hidden inter topk experts moe_tp moe_ep load tokens
 *   ep_dispatch, ep_combine     hidden experts topk tokens_per_rank; dispatch_sms and combine_sms of
 *                               normal kernels, none of low-latency ones
 *   dsa_index, dsa_topk         batch isl cached, and score_mode of dsa_topk
 *   dsa_attention               batch isl cached
 *
 * The tables leave out what all their rows have in common: heads of 192 and 128 elements where latent
 * attention is materialised, of 576 and 512 where it is absorbed, products of 128 with 512; of
 * selections the shapes of GLM-5: 32 index heads of 128, 2,048 keys kept, 64 heads. A load of experts
 * other than `balanced`, and kernels on other numbers of SMs than the usual 24, become rows with a
 * condition, by which nothing is priced. A row whose time is over DISTURBED times that of a call with
 * as much or more work in every size was disturbed when it was measured, and is left out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/csv.h"
#include "sim/cost/import_formats.h"

static const double DISTURBED = 1.15;

/* What all rows of the tables have in common. */
enum { USUAL_SMS = 24, INDEX_HEADS = 32, INDEX_DIM = 128, KEPT = 2048, SPARSE_HEADS = 64 };
enum { NOPE = 128, LATENT = 512, ABSORBED = 576, MATERIALISED = 192 };

/* A row that may yet turn out to be disturbed, with room for a variant of its own. */
typedef struct candidate {
    rc_row row;
    char variant[48];
    bool disturbed;
} candidate;

typedef struct table {
    rc_importer *m;
    const rc_csv *csv;
    const char *op;
    candidate *rows;
    size_t at, count;
    rc_error *err;
} table;

static rc_status whole(const table *t, const char *column, int64_t least, int64_t *out) {
    size_t at;
    RC_TRY(rc_csv_column(t->csv, column, &at, t->err));
    return rc_csv_int(t->csv, t->at, at, least, INT64_C(1) << 30, out, t->err);
}

static rc_status word(const table *t, const char *column, const char **out) {
    size_t at;
    RC_TRY(rc_csv_column(t->csv, column, &at, t->err));
    *out = rc_csv_text(t->csv, t->at, at);
    return RC_OK;
}

static rc_status took(const table *t, const char *column, double unit, rc_row *x) {
    size_t at;
    double v = 0.0;
    RC_TRY(rc_csv_column(t->csv, column, &at, t->err));
    RC_TRY(rc_csv_quantity(t->csv, t->at, at, RC_DIM_COUNT, 0, 1e9, &v, t->err));
    x->p10 = x->p50 = x->p90 = unit * v;
    return RC_OK;
}

/* Products in fp8 with a scale a block are the fp8 of serving; those with one scale a tensor are
 * other kernels. NULL: a type that is not read. */
static const char *type_of(const char *name, bool blocks) {
    if (strcmp(name, "bfloat16") == 0)
        return "bf16";
    return strcmp(name, blocks ? "fp8_block" : "fp8") == 0 ? "fp8" : NULL;
}

/* A variant of its own stands in the candidate that comes next. */
static void keep(table *t, const rc_row *x) {
    t->rows[t->count++].row = *x;
}

/* ---- the tables ------------------------------------------------------------------------------ */

static rc_status latent(table *t, rc_row *x) {
    const bool decode = strcmp(t->op, "mla_decode") == 0;
    const bool made = strcmp(t->op, "mla_prefill") == 0;
    int64_t batch, isl, cached, heads;
    const char *type;
    RC_TRY(word(t, "kv_dtype", &type));
    RC_TRY(whole(t, "num_heads", 1, &heads));
    RC_TRY(whole(t, "batch", 1, &batch));
    RC_TRY(whole(t, "isl", 1, &isl));
    RC_TRY(whole(t, "cached", 0, &cached));
    RC_TRY(took(t, "latency_ms", 1e-3, x));
    x->dtype = type_of(type, false);
    x->a = decode ? batch : isl;
    x->b = isl + cached;
    x->c = heads;
    x->d = decode ? 0 : batch;
    x->head_k = made ? MATERIALISED : ABSORBED;
    x->head_v = made ? NOPE : LATENT;
    if (x->dtype == NULL || (decode && isl != 1))
        rc_import_skip(t->m, "latent attention in another type, or of several tokens");
    else
        keep(t, x);
    return RC_OK;
}

static rc_status absorb(table *t, rc_row *x) {
    const char *which, *type;
    RC_TRY(word(t, "op", &which));
    RC_TRY(word(t, "dtype", &type));
    RC_TRY(whole(t, "tokens", 1, &x->a));
    RC_TRY(whole(t, "num_heads", 1, &x->d));
    RC_TRY(took(t, "latency_ms", 1e-3, x));
    bool pre = strcmp(which, "mla_gen_pre") == 0;
    x->dtype = type_of(type, false);
    x->b = pre ? LATENT : NOPE;
    x->c = pre ? NOPE : LATENT;
    if (x->dtype == NULL || (!pre && strcmp(which, "mla_gen_post") != 0))
        rc_import_skip(t->m, "another product than those of latent attention, or another type");
    else
        keep(t, x);
    return RC_OK;
}

static rc_status experts(table *t, rc_row *x) {
    int64_t tokens, top_k, tp, ep, count, inner;
    const char *load, *type;
    RC_TRY(word(t, "dtype", &type));
    RC_TRY(word(t, "load", &load));
    RC_TRY(whole(t, "hidden", 1, &x->b));
    RC_TRY(whole(t, "inter", 1, &inner));
    RC_TRY(whole(t, "topk", 1, &top_k));
    RC_TRY(whole(t, "experts", 1, &count));
    RC_TRY(whole(t, "moe_tp", 1, &tp));
    RC_TRY(whole(t, "moe_ep", 1, &ep));
    RC_TRY(whole(t, "tokens", 1, &tokens));
    RC_TRY(took(t, "latency_ms", 1e-3, x));
    x->dtype = type_of(type, true);
    if (x->dtype == NULL || top_k > count || inner % tp != 0 || count % ep != 0 ||
        tokens * top_k % ep != 0) {
        rc_import_skip(t->m, "experts in another type, or not dealt evenly to the GPUs");
        return RC_OK;
    }
    x->a = tokens * top_k / ep;
    x->c = inner / tp;
    x->d = tokens;
    x->experts = count / ep;
    x->top_k = top_k;
    if (strcmp(load, "balanced") != 0) {
        candidate *c = &t->rows[t->count];
        (void)snprintf(c->variant, sizeof c->variant, "@%.40s", load);
        x->variant = c->variant;
    }
    keep(t, x);
    return RC_OK;
}

static rc_status transfer(table *t, rc_row *x) {
    const bool out = strcmp(t->op, "ep_dispatch") == 0;
    candidate *c = &t->rows[t->count];
    int64_t sms = USUAL_SMS;
    size_t at;
    bool normal = rc_csv_find(t->csv, "dispatch_sms", &at);
    if (normal)
        RC_TRY(whole(t, out ? "dispatch_sms" : "combine_sms", 1, &sms));
    RC_TRY(whole(t, "hidden", 1, &x->b));
    RC_TRY(whole(t, "experts", 1, &x->experts));
    RC_TRY(whole(t, "topk", 1, &x->top_k));
    RC_TRY(whole(t, "tokens_per_rank", 1, &x->a));
    RC_TRY(took(t, out ? "dispatch_us" : "combine_us", 1e-6, x));
    x->c = t->m->how->ranks;
    x->d = t->m->how->nodes > 0 ? t->m->how->nodes : 1;
    x->dtype = out ? "fp8" : "bf16";
    (void)snprintf(c->variant, sizeof c->variant, normal ? "normal" : "low_latency");
    if (sms != USUAL_SMS)
        (void)snprintf(c->variant, sizeof c->variant, "normal@sms%lld", (long long)sms);
    x->variant = c->variant;
    if (x->top_k > x->experts)
        rc_import_skip(t->m, "more experts a token than there are");
    else
        keep(t, x);
    return RC_OK;
}

static rc_status selection(table *t, rc_row *x) {
    int64_t batch, isl, cached;
    const bool attends = strcmp(t->op, "dsa_attention") == 0;
    const bool scores = strcmp(t->op, "dsa_index") == 0;
    const char *mode = "flat";
    size_t at;
    if (rc_csv_find(t->csv, "score_mode", &at))
        RC_TRY(word(t, "score_mode", &mode));
    RC_TRY(whole(t, "batch", 1, &batch));
    RC_TRY(whole(t, "isl", 1, &isl));
    RC_TRY(whole(t, "cached", 0, &cached));
    RC_TRY(took(t, "latency_ms", 1e-3, x));
    x->dtype = scores ? "fp8" : attends ? "bf16" : "";
    x->a = attends ? isl * batch : isl;
    x->b = attends ? KEPT : isl + cached;
    x->c = attends ? SPARSE_HEADS : scores ? INDEX_HEADS : KEPT;
    x->d = attends ? 0 : batch;
    if (scores || attends)
        x->head_k = scores ? INDEX_DIM : ABSORBED;
    x->head_v = attends ? LATENT : 0;
    if (strcmp(mode, "flat") != 0 || x->p50 <= 0.0 || (attends && isl + cached < KEPT))
        rc_import_skip(t->m,
                       "a selection of other scores, of no time, or from fewer keys than kept");
    else
        keep(t, x);
    return RC_OK;
}

static const struct {
    const char *op;
    rc_status (*row)(table *t, rc_row *x);
    unsigned grows; /* bits of a, b, c, d: sizes with which work grows */
} tables[] = {{"mla_prefill", latent, 15}, {"mla_absorbed", latent, 15},
              {"mla_decode", latent, 7},   {"mla_bmm", absorb, 9},
              {"moe_ffn", experts, 9},     {"ep_dispatch", transfer, 1},
              {"ep_combine", transfer, 1}, {"dsa_index", selection, 11},
              {"dsa_topk", selection, 11}, {"dsa_attention", selection, 1}};
enum { TABLES = sizeof tables / sizeof tables[0] };

/* ---- disturbed rows -------------------------------------------------------------------------- */

static int64_t size_of(const rc_row *x, int i) {
    const int64_t v[] = {x->a, x->b, x->c, x->d};
    return v[i];
}

/* Whether y is a call of the same kind with as much or more work in every size. */
static bool more_work(const rc_row *x, const rc_row *y, unsigned grows) {
    for (int i = 0; i < 4; i++) {
        int64_t a = size_of(x, i), b = size_of(y, i);
        if ((grows & (1U << i)) != 0 ? b < a : b != a)
            return false;
    }
    return rc_row_sizes_order(x, y) == 0 && strcmp(x->dtype, y->dtype) == 0 &&
           strcmp(x->variant, y->variant) == 0;
}

static void find_disturbed(table *t, unsigned grows) {
    for (size_t i = 0; i < t->count; i++)
        for (size_t j = 0; j < t->count && !t->rows[i].disturbed; j++)
            t->rows[i].disturbed = t->rows[i].row.p50 > DISTURBED * t->rows[j].row.p50 &&
                                   more_work(&t->rows[i].row, &t->rows[j].row, grows);
}

static rc_status add_all(table *t, unsigned grows) {
    find_disturbed(t, grows);
    for (size_t i = 0; i < t->count; i++) {
        if (t->rows[i].disturbed)
            rc_import_skip(t->m, "longer than a call with more work: disturbed");
        else
            RC_TRY(rc_import_add(t->m, &t->rows[i].row, t->err));
    }
    return RC_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static rc_status which(const rc_importer *m, size_t *out, rc_error *err) {
    const char *names[TABLES + 1] = {NULL};
    for (*out = 0; *out < TABLES; ++*out) {
        names[*out] = tables[*out].op;
        if (m->how->op != NULL && strcmp(m->how->op, tables[*out].op) == 0)
            break;
    }
    if (*out == TABLES) {
        const char *near = m->how->op != NULL ? rc_nearest(m->how->op, names) : NULL;
        return rc_fail_at(err, RC_E_USAGE, "--op", 0, 0,
                          "is needed to read %s: mla_prefill, mla_absorbed, mla_decode, mla_bmm, "
                          "moe_ffn, ep_dispatch, ep_combine, dsa_index, dsa_topk or dsa_attention"
                          "%s%s%s",
                          m->name, near ? "; did you mean " : "", near ? near : "",
                          near ? "?" : "");
    }
    if (tables[*out].row == transfer && m->how->ranks < 2)
        return rc_fail_at(err, RC_E_USAGE, "--ranks", 0, 0,
                          "is needed to read %s: how many GPUs the experts were on", m->name);
    return RC_OK;
}

rc_status rc_import_kernels(rc_importer *m, const char *text, size_t size, rc_error *err) {
    size_t k;
    rc_csv *csv = NULL;
    RC_TRY(which(m, &k, err));
    RC_TRY(rc_csv_parse(m->name, text, size, &csv, err));
    table t = {.m = m, .csv = csv, .op = tables[k].op, .err = err};
    t.rows = calloc(rc_csv_rows(csv) + 1, sizeof *t.rows);
    rc_status st = t.rows != NULL ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for a table");
    for (t.at = 0; t.at < rc_csv_rows(csv) && st == RC_OK; t.at++) {
        rc_row x = rc_import_row(m);
        x.op = t.op;
        st = tables[k].row(&t, &x);
    }
    if (st == RC_OK)
        st = add_all(&t, tables[k].grows);
    free(t.rows);
    rc_csv_close(csv);
    return st;
}
