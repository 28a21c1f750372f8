/* AIConfigurator's tables, told apart by their columns. Latencies are milliseconds; `message_size`
 * counts elements (results/published/README.md says how that was found out). In the attention
 * tables `isl` is the number of new tokens (1 in generation) and `step` what is cached.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/csv.h"
#include "sim/cost/import_formats.h"

#include <stdio.h>
#include <string.h>

typedef struct table {
    rc_importer *m;
    const rc_csv *csv;
    size_t row;
    rc_error *err;
} table;

static rc_status whole(const table *t, const char *column, int64_t *out) {
    size_t at;
    RC_TRY(rc_csv_column(t->csv, column, &at, t->err));
    return rc_csv_int(t->csv, t->row, at, 0, INT64_C(1) << 48, out, t->err);
}

/* A column that not every version has. */
static rc_status whole_or(const table *t, const char *column, int64_t otherwise, int64_t *out) {
    size_t at;
    *out = otherwise;
    if (!rc_csv_find(t->csv, column, &at) || rc_csv_text(t->csv, t->row, at)[0] == '\0')
        return RC_OK;
    return rc_csv_int(t->csv, t->row, at, -1, INT64_C(1) << 48, out, t->err);
}

static rc_status word(const table *t, const char *column, const char **out) {
    size_t at;
    RC_TRY(rc_csv_column(t->csv, column, &at, t->err));
    *out = rc_csv_text(t->csv, t->row, at);
    return RC_OK;
}

static rc_status latency(const table *t, rc_row *x) {
    size_t at;
    double ms = 0;
    RC_TRY(rc_csv_column(t->csv, "latency", &at, t->err));
    RC_TRY(rc_csv_quantity(t->csv, t->row, at, RC_DIM_COUNT, 0, 1e9, &ms, t->err));
    x->p10 = x->p50 = x->p90 = 1e-3 * ms;
    return RC_OK;
}

/* Their name of a number format as ours, or NULL. */
static const char *dtype(const char *name) {
    if (strcmp(name, "bfloat16") == 0 || strcmp(name, "bf16") == 0)
        return "bf16";
    if (strcmp(name, "float16") == 0 || strcmp(name, "fp16") == 0)
        return "fp16";
    return strcmp(name, "fp8") == 0 ? "fp8" : NULL;
}

static void provenance(const table *t, rc_row *x) {
    size_t at;
    if (!t->m->how->gpu && rc_csv_find(t->csv, "device", &at) && rc_csv_text(t->csv, t->row, at)[0])
        x->gpu = rc_csv_text(t->csv, t->row, at);
    if (rc_csv_find(t->csv, "kernel_source", &at) && rc_csv_text(t->csv, t->row, at)[0])
        x->kernel = rc_csv_text(t->csv, t->row, at);
}

static rc_status gemm(const table *t) {
    rc_row x = rc_import_row(t->m);
    const char *name;
    RC_TRY(word(t, "gemm_dtype", &name));
    RC_TRY(whole(t, "m", &x.a));
    RC_TRY(whole(t, "n", &x.b));
    RC_TRY(whole(t, "k", &x.c));
    RC_TRY(latency(t, &x));
    provenance(t, &x);
    x.op = "gemm";
    x.dtype = dtype(name);
    if (!x.dtype || x.a < 1 || x.b < 1 || x.c < 1) {
        rc_import_skip(t->m, "a product in another number format, or of no size");
        return RC_OK;
    }
    return rc_import_add(t->m, &x, t->err);
}

static rc_status attention(const table *t, bool decode) {
    rc_row x = rc_import_row(t->m);
    int64_t batch, isl, heads, kv, dim, step, window;
    const char *kv_name, *name = "bfloat16";
    size_t at;
    RC_TRY(whole(t, "batch_size", &batch));
    RC_TRY(whole(t, "isl", &isl));
    RC_TRY(whole(t, "num_heads", &heads));
    RC_TRY(whole(t, "num_key_value_heads", &kv));
    RC_TRY(whole(t, "head_dim", &dim));
    RC_TRY(whole_or(t, "step", 0, &step));
    RC_TRY(whole_or(t, "window_size", 0, &window));
    RC_TRY(word(t, "kv_cache_dtype", &kv_name));
    if (rc_csv_find(t->csv, "attn_dtype", &at))
        name = rc_csv_text(t->csv, t->row, at);
    RC_TRY(latency(t, &x));
    provenance(t, &x);
    x.op = decode ? "decode" : "attention";
    x.variant = decode ? "" : "causal";
    x.dtype = dtype(name);
    x.a = decode ? batch : isl;
    x.b = isl + (step > 0 ? step : 0);
    x.c = heads;
    x.d = kv > 0 ? kv : heads; /* their 0: as many as query heads */
    x.head_k = x.head_v = dim;
    x.window = window > 0 ? window : 0;
    if (!x.dtype || !dtype(kv_name) || strcmp(x.dtype, dtype(kv_name)) != 0 || dim < 1 ||
        heads < 1 || x.a < 1 || (!decode && batch != 1)) {
        rc_import_skip(t->m, "attention of several sequences, or in mixed or other number formats");
        return RC_OK;
    }
    return rc_import_add(t->m, &x, t->err);
}

static rc_status nccl(const table *t) {
    static const char *const ops[][2] = {{"all_reduce", "all_reduce"},
                                         {"all_gather", "all_gather"},
                                         {"reduce_scatter", "reduce_scatter"},
                                         {"alltoall", "all_to_all"},
                                         {"sendrecv", "send_recv"}};
    rc_row x = rc_import_row(t->m);
    const char *name, *type;
    int64_t elements;
    RC_TRY(word(t, "op_name", &name));
    RC_TRY(word(t, "nccl_dtype", &type));
    RC_TRY(whole(t, "num_gpus", &x.b));
    RC_TRY(whole(t, "message_size", &elements));
    RC_TRY(latency(t, &x));
    provenance(t, &x);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (strcmp(name, ops[i][0]) == 0)
            x.op = ops[i][1];
    int64_t size = strcmp(type, "half") == 0 ? 2 : strcmp(type, "int8") == 0 ? 1 : 0;
    x.dtype = size == 2 ? "fp16" : "int8";
    x.variant = t->m->how->transport ? t->m->how->transport : "nvlink";
    x.a = elements * size;
    x.c = 1;
    x.nccl = "unknown";
    if (x.op[0] == '\0' || x.a < 1 || x.b < 2) {
        rc_import_skip(t->m, "a collective, number format or group that is not known here");
        return RC_OK;
    }
    return rc_import_add(t->m, &x, t->err);
}

/* The all-reduce that engines use for small messages (one kernel over peer memory instead of NCCL),
 * under the variant `custom`, which no machine asks for by itself; calls outside a CUDA graph are
 * `custom-eager`. Elements again: the collector fills a tensor of so many. */
static rc_status custom_all_reduce(const table *t) {
    rc_row x = rc_import_row(t->m);
    const char *type, *kernel = "";
    int64_t elements;
    size_t at;
    RC_TRY(word(t, "allreduce_dtype", &type));
    RC_TRY(whole(t, "num_gpus", &x.b));
    RC_TRY(whole(t, "message_size", &elements));
    RC_TRY(latency(t, &x));
    provenance(t, &x);
    if (rc_csv_find(t->csv, "kernel_source", &at))
        kernel = rc_csv_text(t->csv, t->row, at);
    bool half = strcmp(type, "half") == 0 || strcmp(type, "float16") == 0;
    x.op = "all_reduce";
    x.variant = strstr(kernel, "eager") ? "custom-eager" : "custom";
    x.dtype = half ? "fp16" : "bf16";
    x.a = 2 * elements;
    x.c = 1;
    if ((!half && strcmp(type, "bfloat16") != 0) || elements < 1 || x.b < 2) {
        rc_import_skip(t->m, "an all-reduce in another number format than 16 bits, or of one GPU");
        return RC_OK;
    }
    return rc_import_add(t->m, &x, t->err);
}

static rc_status not_read(const table *t) {
    char found[320] = "";
    for (size_t i = 0, n = 0; i < rc_csv_columns(t->csv) && n + 48 < sizeof found; i++)
        n += (size_t)snprintf(found + n, sizeof found - n, "%s%.40s", i ? ", " : "",
                              rc_csv_name(t->csv, i));
    return rc_fail_at(t->err, RC_E_INPUT, t->m->name, 1, 0,
                      "is none of gemm_perf, context_attention_perf, generation_attention_perf, "
                      "nccl_perf and custom_allreduce_perf; found the columns %s",
                      found);
}

static rc_status one_row(const table *t) {
    size_t at;
    if (rc_csv_find(t->csv, "gemm_dtype", &at))
        return gemm(t);
    if (rc_csv_find(t->csv, "nccl_dtype", &at))
        return nccl(t);
    if (rc_csv_find(t->csv, "allreduce_dtype", &at))
        return custom_all_reduce(t);
    if (!rc_csv_find(t->csv, "num_key_value_heads", &at))
        return not_read(t);
    const char *name;
    RC_TRY(word(t, "op_name", &name));
    return attention(t, strstr(name, "generation") != NULL);
}

rc_status rc_import_aiconfigurator(rc_importer *m, const char *text, size_t size, rc_error *err) {
    rc_csv *csv = NULL;
    RC_TRY(rc_csv_parse(m->name, text, size, &csv, err));
    rc_status st = RC_OK;
    for (size_t i = 0; i < rc_csv_rows(csv) && st == RC_OK; i++) {
        table t = {m, csv, i, err};
        st = one_row(&t);
    }
    rc_csv_close(csv);
    return st;
}
