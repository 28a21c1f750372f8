/* Vidur's tables, told apart by their columns: network (all_reduce, send_recv) and compute (mlp,
 * attention). Times are milliseconds: median, with minimum and maximum, which stand in the columns
 * p10 and p90. Compute ran in fp16. Network sizes are bytes; nodes are num_workers over
 * devices_per_node.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/csv.h"
#include "sim/cost/import_formats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct table {
    rc_importer *m;
    const rc_csv *csv;
    size_t row;
    rc_error *err;
} table;

/* Some tables write whole numbers as 3.0. */
static rc_status whole(const table *t, const char *column, int64_t *out) {
    size_t at;
    double v = 0;
    RC_TRY(rc_csv_column(t->csv, column, &at, t->err));
    RC_TRY(rc_csv_quantity(t->csv, t->row, at, RC_DIM_COUNT, 0, 1e15, &v, t->err));
    *out = (int64_t)v;
    if ((double)*out != v)
        return rc_csv_fail(t->csv, t->row, at, t->err, RC_E_INPUT, "expected a whole number");
    return RC_OK;
}

/* time_stats.NAME.{min,median,max}; *there is false when the columns or the cells are missing. */
static rc_status times(const table *t, const char *name, rc_row *x, bool *there) {
    static const char *const of[] = {"min", "median", "max"};
    double *const to[] = {&x->p10, &x->p50, &x->p90};
    *there = true;
    for (int i = 0; i < 3; i++) {
        char column[96];
        size_t at;
        double ms = 0;
        snprintf(column, sizeof column, "time_stats.%.60s.%s", name, of[i]);
        if (!rc_csv_find(t->csv, column, &at) || rc_csv_text(t->csv, t->row, at)[0] == '\0') {
            *there = false;
            return RC_OK;
        }
        RC_TRY(rc_csv_quantity(t->csv, t->row, at, RC_DIM_COUNT, 0, 1e9, &ms, t->err));
        *to[i] = 1e-3 * ms;
    }
    return RC_OK;
}

static rc_status network(const table *t) {
    rc_row x = rc_import_row(t->m);
    int64_t each;
    size_t at;
    bool there;
    RC_TRY(rc_csv_column(t->csv, "collective", &at, t->err));
    const char *name = rc_csv_text(t->csv, t->row, at);
    RC_TRY(whole(t, "num_workers", &x.b));
    RC_TRY(whole(t, "size", &x.a));
    RC_TRY(whole(t, "devices_per_node", &each));
    RC_TRY(times(t, name, &x, &there));
    x.op = strcmp(name, "all_reduce") == 0   ? "all_reduce"
           : strcmp(name, "send_recv") == 0  ? "send_recv"
           : strcmp(name, "all_gather") == 0 ? "all_gather"
                                             : "";
    if (!there || x.op[0] == '\0' || each < 1 || x.b < 2 || x.a < 1) {
        rc_import_skip(t->m, "a collective that is not known here, or one without its time");
        return RC_OK;
    }
    x.c = (x.b + each - 1) / each;
    x.variant = t->m->how->transport ? t->m->how->transport : x.c > 1 ? "rdma" : "nvlink";
    x.dtype = "bytes";
    x.nccl = "unknown";
    return rc_import_add(t->m, &x, t->err);
}

typedef struct sizes {
    int64_t tokens, tp, d, f, heads, kv;
} sizes;

static rc_status product(const table *t, const char *name, const sizes *z, int64_t n, int64_t k) {
    rc_row x = rc_import_row(t->m);
    bool there;
    RC_TRY(times(t, name, &x, &there));
    if (!there || n < 1 || k < 1) {
        rc_import_skip(t->m, "a product without its time or size");
        return RC_OK;
    }
    x.op = "gemm", x.dtype = "fp16";
    x.a = z->tokens, x.b = n, x.c = k;
    return rc_import_add(t->m, &x, t->err);
}

static rc_status mlp(const table *t) {
    sizes z;
    size_t at;
    RC_TRY(whole(t, "num_tokens", &z.tokens));
    RC_TRY(whole(t, "num_tensor_parallel_workers", &z.tp));
    RC_TRY(whole(t, "n_embd", &z.d));
    RC_TRY(whole(t, "n_expanded_embd", &z.f));
    RC_TRY(whole(t, "n_head", &z.heads));
    RC_TRY(whole(t, "n_kv_head", &z.kv));
    if (z.tokens < 1 || z.tp < 1 || z.heads < z.tp || z.d % z.heads) {
        rc_import_skip(t->m, "a layer whose heads do not divide its width or its GPUs");
        return RC_OK;
    }
    bool gated = rc_csv_find(t->csv, "use_gated_mlp", &at) &&
                 strcmp(rc_csv_text(t->csv, t->row, at), "True") == 0;
    int64_t dim = z.d / z.heads, kv = z.kv / z.tp > 0 ? z.kv / z.tp : 1;
    RC_TRY(product(t, "attn_pre_proj", &z, (z.heads / z.tp + 2 * kv) * dim, z.d));
    RC_TRY(product(t, "attn_post_proj", &z, z.d, z.heads / z.tp * dim));
    RC_TRY(product(t, "mlp_up_proj", &z, (gated ? 2 : 1) * z.f / z.tp, z.d));
    return product(t, "mlp_down_proj", &z, z.d, z.f / z.tp);
}

static rc_status attention(const table *t) {
    rc_row x = rc_import_row(t->m);
    int64_t batch, chunk, cached, heads, kv, tp, d;
    size_t at;
    bool there;
    RC_TRY(rc_csv_column(t->csv, "is_prefill", &at, t->err));
    bool prefill = strcmp(rc_csv_text(t->csv, t->row, at), "True") == 0;
    RC_TRY(whole(t, "batch_size", &batch));
    RC_TRY(whole(t, "prefill_chunk_size", &chunk));
    RC_TRY(whole(t, "kv_cache_size", &cached));
    RC_TRY(whole(t, "n_q_head", &heads));
    RC_TRY(whole(t, "n_kv_head", &kv));
    RC_TRY(whole(t, "n_embd", &d));
    RC_TRY(whole(t, "num_tensor_parallel_workers", &tp));
    RC_TRY(times(t, prefill ? "attn_prefill" : "attn_decode", &x, &there));
    if (!there || tp < 1 || heads < tp || d < heads || d % heads != 0 ||
        (prefill && (batch != 1 || chunk < 1)) || (!prefill && (batch < 1 || cached < 1))) {
        rc_import_skip(t->m,
                       "attention of several sequences, of heads that do not divide its width, or "
                       "without its time");
        return RC_OK;
    }
    x.op = prefill ? "attention" : "decode";
    x.variant = prefill ? "causal" : "";
    x.dtype = "fp16";
    x.a = prefill ? chunk : batch;
    x.b = prefill ? chunk + cached : cached;
    x.c = heads / tp;
    x.d = kv / tp > 0 ? kv / tp : 1;
    x.head_k = x.head_v = d / heads;
    return rc_import_add(t->m, &x, t->err);
}

static rc_status one_row(const table *t) {
    size_t at;
    if (rc_csv_find(t->csv, "collective", &at))
        return network(t);
    if (rc_csv_find(t->csv, "num_tokens", &at))
        return mlp(t);
    if (rc_csv_find(t->csv, "is_prefill", &at))
        return attention(t);
    return rc_fail_at(t->err, RC_E_INPUT, t->m->name, 1, 0,
                      "is none of mlp, attention, all_reduce and send_recv");
}

/* Their index column has no name, which no table here may have. */
static rc_status parse(rc_importer *m, const char *text, size_t size, rc_csv **out, rc_error *err) {
    static const char index[] = "index";
    if (size == 0 || text[0] != ',')
        return rc_csv_parse(m->name, text, size, out, err);
    char *named = malloc(size + sizeof index);
    if (!named)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu bytes", size);
    memcpy(named, index, sizeof index - 1);
    memcpy(named + sizeof index - 1, text, size);
    rc_status st = rc_csv_parse(m->name, named, size + sizeof index - 1, out, err);
    free(named);
    return st;
}

rc_status rc_import_vidur(rc_importer *m, const char *text, size_t size, rc_error *err) {
    rc_csv *csv = NULL;
    RC_TRY(parse(m, text, size, &csv, err));
    rc_status st = RC_OK;
    for (size_t i = 0; i < rc_csv_rows(csv) && st == RC_OK; i++) {
        table t = {m, csv, i, err};
        st = one_row(&t);
    }
    rc_csv_close(csv);
    return st;
}
