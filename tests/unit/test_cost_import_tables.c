/* Tables of others, row by row: what a row becomes, every size and time of it by hand, and which rows are left out, at the first number
 * that is too small and at the last that is not.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/cost/import.h"

static const rc_import lab = {.machine = "lab"};

static rc_status read_with(const rc_import *how, rc_import_format f, const char *header,
                           const char *rows, rc_rows **out, rc_import_count *n, rc_error *err) {
    char text[4096];
    (void)snprintf(text, sizeof text, "%s\n%s\n", header, rows);
    assert_int_equal(rc_rows_create(out, NULL), RC_OK);
    return rc_import_parse(f, "t.csv", text, strlen(text), how, *out, n, err);
}

/* A row in words: op, variant, dtype; a to d; sizes of heads and window; experts; times in microseconds. */
static void in_words(const rc_row *x, char *out, size_t size) {
    (void)snprintf(
        out, size,
        "%s '%s' %s %lld %lld %lld %lld heads %lld %lld %lld experts %lld %lld us %.6g %.6g %.6g",
        x->op, x->variant, x->dtype, (long long)x->a, (long long)x->b, (long long)x->c,
        (long long)x->d, (long long)x->head_k, (long long)x->head_v, (long long)x->window,
        (long long)x->experts, (long long)x->top_k, 1e6 * x->p10, 1e6 * x->p50, 1e6 * x->p90);
}

typedef struct one {
    const char *row, *becomes; /* NULL: left out */
} one;

static void become(const rc_import *how, rc_import_format f, const char *header, const one *of,
                   size_t count) {
    for (size_t i = 0; i < count; i++) {
        rc_rows *rows = NULL;
        rc_import_count n = {0};
        rc_error err = {0};
        char got[512] = "left out";
        if (read_with(how, f, header, of[i].row, &rows, &n, &err) != RC_OK)
            fail_msg("%s: %s", of[i].row, err.msg);
        if (rc_rows_count(rows) > 0)
            in_words(rc_rows_at(rows, 0), got, sizeof got);
        if (strcmp(got, of[i].becomes ? of[i].becomes : "left out") != 0 ||
            n.rows != (of[i].becomes ? 1 : 0) || n.skipped != (of[i].becomes ? 0 : 1))
            fail_msg("%s:\n  %s, by hand\n  %s", of[i].row, got, of[i].becomes);
        rc_rows_free(rows);
    }
}

static void refused(const rc_import *how, rc_import_format f, const char *header, const char *row,
                    const char *says) {
    rc_rows *rows = NULL;
    rc_import_count n = {0};
    rc_error err = {0};
    char got[1200];
    assert_int_not_equal(read_with(how, f, header, row, &rows, &n, &err), RC_OK);
    if (!strstr(rc_error_text(&err, got, sizeof got), says))
        fail_msg("%s: %s", row, got);
    rc_rows_free(rows);
}

#define BECOME(how, format, header, of) become(how, format, header, of, sizeof(of) / sizeof(of)[0])

/* ---- AIConfigurator ------------------------------------------------------------------------------ */

static void test_products(void **state) {
    (void)state;
    static const one of[] = {
        {"bfloat16,7,8,9,0.5", "gemm '' bf16 7 8 9 0 heads 0 0 0 experts 0 0 us 500 500 500"},
        {"bf16,1,1,1,0.001", "gemm '' bf16 1 1 1 0 heads 0 0 0 experts 0 0 us 1 1 1"},
        {"float16,7,8,9,0.5", "gemm '' fp16 7 8 9 0 heads 0 0 0 experts 0 0 us 500 500 500"},
        {"fp16,7,8,9,0.5", "gemm '' fp16 7 8 9 0 heads 0 0 0 experts 0 0 us 500 500 500"},
        {"fp8,7,8,9,0.5", "gemm '' fp8 7 8 9 0 heads 0 0 0 experts 0 0 us 500 500 500"},
        {"nvfp4,7,8,9,0.5", NULL},
        {"bf16,0,8,9,0.5", NULL},
        {"bf16,7,0,9,0.5", NULL},
        {"bf16,7,8,0,0.5", NULL}};
    static const char header[] = "gemm_dtype,m,n,k,latency";
    BECOME(&lab, RC_IMPORT_AICONFIGURATOR, header, of);
    refused(&lab, RC_IMPORT_AICONFIGURATOR, header, "bf16,-1,8,9,0.5",
            "t.csv:2:6: column 'm': found '-1', expected a whole number from 0 to 281474976710656");
    refused(&lab, RC_IMPORT_AICONFIGURATOR, header, "bf16,1,8,9,1000000001", "column 'latency'");
}

#define CONTEXT                                                                                    \
    "op_name,batch_size,isl,num_heads,num_key_value_heads,head_dim,step,window_size,kv_cache_"     \
    "dtype,attn_dtype,latency"

static void test_attention(void **state) {
    (void)state;
    static const one of[] = {
        {"context_attention,1,4096,32,8,128,0,0,bfloat16,bfloat16,2",
         "attention 'causal' bf16 4096 4096 32 8 heads 128 128 0 experts 0 0 us 2000 2000 2000"},
        {"context_attention,1,1,1,1,1,0,0,fp8,fp8,2",
         "attention 'causal' fp8 1 1 1 1 heads 1 1 0 experts 0 0 us 2000 2000 2000"},
        /* behind a prefix, in a window, as many key heads as query heads */
        {"context_attention,1,4096,32,0,64,1000,512,bf16,bf16,2",
         "attention 'causal' bf16 4096 5096 32 32 heads 64 64 512 experts 0 0 us 2000 2000 2000"},
        {"context_attention,1,4096,32,8,128,-1,-1,bf16,bf16,2",
         "attention 'causal' bf16 4096 4096 32 8 heads 128 128 0 experts 0 0 us 2000 2000 2000"},
        {"context_attention,1,4096,32,8,128,,,bf16,bf16,2",
         "attention 'causal' bf16 4096 4096 32 8 heads 128 128 0 experts 0 0 us 2000 2000 2000"},
        {"generation_attention,8,1,32,8,128,8191,0,bf16,bf16,2",
         "decode '' bf16 8 8192 32 8 heads 128 128 0 experts 0 0 us 2000 2000 2000"},
        {"generation_attention,1,1,32,8,128,0,0,bf16,bf16,2",
         "decode '' bf16 1 1 32 8 heads 128 128 0 experts 0 0 us 2000 2000 2000"},
        {"context_attention,2,4096,32,8,128,0,0,bf16,bf16,2", NULL},
        {"context_attention,0,4096,32,8,128,0,0,bf16,bf16,2", NULL},
        {"context_attention,1,0,32,8,128,0,0,bf16,bf16,2", NULL},
        {"context_attention,1,4096,0,8,128,0,0,bf16,bf16,2", NULL},
        {"context_attention,1,4096,32,8,0,0,0,bf16,bf16,2", NULL},
        {"generation_attention,0,1,32,8,128,8191,0,bf16,bf16,2", NULL},
        {"context_attention,1,4096,32,8,128,0,0,fp8,bf16,2", NULL},
        {"context_attention,1,4096,32,8,128,0,0,int8,bf16,2", NULL},
        {"context_attention,1,4096,32,8,128,0,0,bf16,int8,2", NULL}};
    BECOME(&lab, RC_IMPORT_AICONFIGURATOR, CONTEXT, of);
    refused(&lab, RC_IMPORT_AICONFIGURATOR, CONTEXT,
            "context_attention,1,4096,32,8,128,-2,0,bf16,bf16,2", "column 'step'");
    /* versions without these columns compute in bf16 on what has no prefix */
    static const one old[] = {
        {"context_attention,1,4096,32,8,128,bf16,2",
         "attention 'causal' bf16 4096 4096 32 8 heads 128 128 0 experts 0 0 us 2000 2000 2000"},
        {"context_attention,1,4096,32,8,128,fp8,2", NULL}};
    BECOME(&lab, RC_IMPORT_AICONFIGURATOR,
           "op_name,batch_size,isl,num_heads,num_key_value_heads,head_dim,kv_cache_dtype,latency",
           old);
}

static void test_collectives(void **state) {
    (void)state;
#define TOOK " 8 1 0 heads 0 0 0 experts 0 0 us 12 12 12"
    static const one of[] = {
        {"all_reduce,half,8,1024,0.012", "all_reduce 'nvlink' fp16 2048" TOOK},
        {"all_gather,half,8,1024,0.012", "all_gather 'nvlink' fp16 2048" TOOK},
        {"reduce_scatter,half,8,1024,0.012", "reduce_scatter 'nvlink' fp16 2048" TOOK},
        {"alltoall,int8,8,1024,0.012", "all_to_all 'nvlink' int8 1024" TOOK},
        {"sendrecv,int8,8,1,0.012", "send_recv 'nvlink' int8 1" TOOK},
        {"sendrecv,int8,2,1,0.012",
         "send_recv 'nvlink' int8 1 2 1 0 heads 0 0 0 experts 0 0 us 12 12 12"},
        {"broadcast,half,8,1024,0.012", NULL},
        {"all_reduce,float,8,1024,0.012", NULL},
        {"all_reduce,half,1,1024,0.012", NULL},
        {"all_reduce,half,8,0,0.012", NULL}};
    static const char header[] = "op_name,nccl_dtype,num_gpus,message_size,latency";
    BECOME(&lab, RC_IMPORT_AICONFIGURATOR, header, of);
    static const rc_import far = {.machine = "lab", .transport = "rdma"};
    static const one by[] = {{"all_reduce,half,8,1024,0.012", "all_reduce 'rdma' fp16 2048" TOOK}};
    BECOME(&far, RC_IMPORT_AICONFIGURATOR, header, by);
    static const one own[] = {
        {"half,8,1024,0.012,trtllm", "all_reduce 'custom' fp16 2048" TOOK},
        {"float16,8,1024,0.012,trtllm", "all_reduce 'custom' fp16 2048" TOOK},
        {"bfloat16,8,1024,0.012,sglang_eager", "all_reduce 'custom-eager' bf16 2048" TOOK},
        {"bfloat16,2,1,0.012,x",
         "all_reduce 'custom' bf16 2 2 1 0 heads 0 0 0 experts 0 0 us 12 12 12"},
        {"float,8,1024,0.012,x", NULL},
        {"half,1,1024,0.012,x", NULL},
        {"half,8,0,0.012,x", NULL}};
    BECOME(&lab, RC_IMPORT_AICONFIGURATOR,
           "allreduce_dtype,num_gpus,message_size,latency,kernel_source", own);
    refused(&lab, RC_IMPORT_AICONFIGURATOR, "a,b,latency", "1,2,3",
            "t.csv:1: is none of gemm_perf, context_attention_perf, generation_attention_perf, "
            "nccl_perf and "
            "custom_allreduce_perf; found the columns a, b, latency");
}

/* ---- Vidur ----------------------------------------------------------------------------------------- */

static void test_network(void **state) {
    (void)state;
    static const char header[] =
        "collective,num_workers,size,devices_per_node,time_stats.all_reduce.min,"
        "time_stats.all_reduce.median,time_stats.all_reduce.max,"
        "time_stats.send_recv.min,time_stats.send_recv.median,"
        "time_stats.send_recv.max";
#define SHOWN "0 heads 0 0 0 experts 0 0 us "
    static const one of[] = {{"all_reduce,8,2048,8,0.01,0.02,0.03,,,",
                              "all_reduce 'nvlink' bytes 2048 8 1 " SHOWN "10 20 30"},
                             {"all_reduce,9,2048,8,0.01,0.02,0.03,,,",
                              "all_reduce 'rdma' bytes 2048 9 2 " SHOWN "10 20 30"},
                             {"all_reduce,16.0,1,8,0.01,0.02,0.03,,,",
                              "all_reduce 'rdma' bytes 1 16 2 " SHOWN "10 20 30"},
                             {"send_recv,2,2048,1,,,,0.04,0.05,0.06",
                              "send_recv 'rdma' bytes 2048 2 2 " SHOWN "40 50 60"},
                             {"all_reduce,8,2048,8,0.01,,0.03,,,", NULL}, /* a time is missing */
                             {"send_recv,8,2048,8,0.01,0.02,0.03,,,", NULL},
                             {"reduce,8,2048,8,0.01,0.02,0.03,,,", NULL},
                             {"all_reduce,1,2048,8,0.01,0.02,0.03,,,", NULL},
                             {"all_reduce,8,0,8,0.01,0.02,0.03,,,", NULL},
                             {"all_reduce,8,2048,0,0.01,0.02,0.03,,,", NULL}};
    BECOME(&lab, RC_IMPORT_VIDUR, header, of);
    static const rc_import near = {.machine = "lab", .transport = "pcie"};
    static const one by[] = {{"all_reduce,16,2048,8,0.01,0.02,0.03,,,",
                              "all_reduce 'pcie' bytes 2048 16 2 " SHOWN "10 20 30"}};
    BECOME(&near, RC_IMPORT_VIDUR, header, by);
    refused(&lab, RC_IMPORT_VIDUR, header, "all_reduce,8.5,2048,8,0.01,0.02,0.03,,,",
            "column 'num_workers': expected a whole number");
    refused(&lab, RC_IMPORT_VIDUR, "x,time_stats.y.min", "1,2",
            "t.csv:1: is none of mlp, attention, all_reduce and send_recv");
}

#define TIMES(name) "time_stats." name ".min,time_stats." name ".median,time_stats." name ".max"

/* Of width 1024 with 16 heads of 64 and 4 for keys and values over two GPUs: 8 + 2 x 2 heads in, 8 out; 3000 wide inside. */
static void test_layers(void **state) {
    (void)state;
    static const char shape[] =
        "num_tokens,num_tensor_parallel_workers,n_embd,n_expanded_embd,n_head,"
        "n_kv_head,use_gated_mlp,";
    static const struct {
        const char *product;
        one of[9];
        size_t count;
    } t[] = {
        {"attn_pre_proj",
         {{"5,2,1024,3000,16,4,True,1,2,3", "gemm '' fp16 5 768 1024 " SHOWN "1000 2000 3000"},
          {"5,8,1024,3000,16,4,True,1,2,3", "gemm '' fp16 5 256 1024 " SHOWN "1000 2000 3000"},
          {"1,16,1024,3000,16,4,True,1,2,3", "gemm '' fp16 1 192 1024 " SHOWN "1000 2000 3000"}},
         3},
        {"attn_post_proj",
         {{"5,2,1024,3000,16,4,True,1,2,3", "gemm '' fp16 5 1024 512 " SHOWN "1000 2000 3000"}},
         1},
        {"mlp_up_proj",
         {{"5,2,1024,3000,16,4,True,1,2,3", "gemm '' fp16 5 3000 1024 " SHOWN "1000 2000 3000"},
          {"5,2,1024,3000,16,4,False,1,2,3", "gemm '' fp16 5 1500 1024 " SHOWN "1000 2000 3000"}},
         2},
        {"mlp_down_proj",
         {{"5,2,1024,3000,16,4,True,1,2,3", "gemm '' fp16 5 1024 1500 " SHOWN "1000 2000 3000"}},
         1},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        for (size_t k = 0; k < t[i].count; k++) {
            rc_rows *rows = NULL;
            rc_import_count n = {0};
            char header[512], got[512];
            (void)snprintf(header, sizeof header,
                           "%stime_stats.%s.min,time_stats.%s.median,time_stats.%s.max", shape,
                           t[i].product, t[i].product, t[i].product);
            assert_int_equal(
                read_with(&lab, RC_IMPORT_VIDUR, header, t[i].of[k].row, &rows, &n, NULL), RC_OK);
            assert_true(n.rows == 1 && n.skipped == 3); /* the other products have no time here */
            in_words(rc_rows_at(rows, 0), got, sizeof got);
            assert_string_equal(got, t[i].of[k].becomes);
            rc_rows_free(rows);
        }
    static const one none[] = {{"0,2,1024,3000,16,4,True,1,2,3", NULL},
                               {"5,0,1024,3000,16,4,True,1,2,3", NULL},
                               {"5,32,1024,3000,16,4,True,1,2,3", NULL},
                               {"5,2,1025,3000,16,4,True,1,2,3", NULL}};
    char header[512];
    (void)snprintf(header, sizeof header, "%s" TIMES("attn_pre_proj"), shape);
    BECOME(&lab, RC_IMPORT_VIDUR, header, none);
    static const one small[] = {
        {"1,2,1024,1,16,4,False,1,2,3", NULL}}; /* half an inner column: no product */
    rc_rows *rows = NULL;
    rc_import_count n = {0};
    (void)snprintf(header, sizeof header, "%s" TIMES("mlp_down_proj"), shape);
    assert_int_equal(read_with(&lab, RC_IMPORT_VIDUR, header, small[0].row, &rows, &n, NULL),
                     RC_OK);
    assert_true(n.rows == 0 && n.skipped == 4);
    rc_rows_free(rows);
}

static void test_their_attention(void **state) {
    (void)state;
    static const char header[] =
        "is_prefill,batch_size,prefill_chunk_size,kv_cache_size,n_q_head,n_kv_head,"
        "n_embd,num_tensor_parallel_workers," TIMES("attn_prefill") "," TIMES("attn_decode");
#define HEADS " heads 64 64 0 experts 0 0 us "
    static const one of[] = {
        {"True,1,512,1000,16,4,1024,2,1,2,3,4,5,6",
         "attention 'causal' fp16 512 1512 8 2" HEADS "1000 2000 3000"},
        {"True,1,1,0,16,4,1024,8,1,2,3,4,5,6",
         "attention 'causal' fp16 1 1 2 1" HEADS "1000 2000 3000"},
        {"False,7,0,1000,16,4,1024,2,1,2,3,4,5,6",
         "decode '' fp16 7 1000 8 2" HEADS "4000 5000 6000"},
        {"False,1,0,1,16,4,1024,16,1,2,3,4,5,6", "decode '' fp16 1 1 1 1" HEADS "4000 5000 6000"},
        {"True,1,512,0,16,4,16,2,1,2,3,4,5,6",
         "attention 'causal' fp16 512 512 8 2 heads 1 1 0 experts 0 0 us 1000 2000 3000"},
        {"True,2,512,1000,16,4,1024,2,1,2,3,4,5,6", NULL},
        {"True,1,0,1000,16,4,1024,2,1,2,3,4,5,6", NULL},
        {"False,0,0,1000,16,4,1024,2,1,2,3,4,5,6", NULL},
        {"False,7,0,0,16,4,1024,2,1,2,3,4,5,6", NULL},
        {"True,1,512,1000,16,4,1024,0,1,2,3,4,5,6", NULL},
        {"True,1,512,1000,16,4,1024,17,1,2,3,4,5,6", NULL},
        {"True,1,512,1000,16,4,1025,2,1,2,3,4,5,6", NULL},
        {"True,1,512,1000,16,4,15,2,1,2,3,4,5,6", NULL},
        {"True,1,512,1000,16,4,1024,2,,2,3,4,5,6", NULL},
        {"False,7,0,1000,16,4,1024,2,1,2,3,4,5,", NULL}};
    BECOME(&lab, RC_IMPORT_VIDUR, header, of);
    /* their index column has no name */
    char named[512];
    (void)snprintf(named, sizeof named, ",%s", header);
    static const one indexed[] = {{"17,True,1,512,1000,16,4,1024,2,1,2,3,4,5,6",
                                   "attention 'causal' fp16 512 1512 8 2" HEADS "1000 2000 3000"}};
    BECOME(&lab, RC_IMPORT_VIDUR, named, indexed);
}

/* ---- tables of kernels ---------------------------------------------------------------------------- */

static rc_import as(const char *op) {
    return (rc_import){.machine = "lab", .op = op};
}

static void test_latents(void **state) {
    (void)state;
    static const char header[] = "kv_dtype,num_heads,batch,isl,cached,latency_ms";
    const rc_import made = as("mla_prefill"), absorbed = as("mla_absorbed"),
                    step = as("mla_decode");
    static const one of_made[] = {
        {"bfloat16,16,2,512,1000,0.5",
         "mla_prefill '' bf16 512 1512 16 2 heads 192 128 0 experts 0 0 us 500 500 500"},
        {"fp8,1,1,1,0,0.5",
         "mla_prefill '' fp8 1 1 1 1 heads 192 128 0 experts 0 0 us 500 500 500"},
        {"fp8_block,16,2,512,1000,0.5", NULL}};
    BECOME(&made, RC_IMPORT_KERNELS, header, of_made);
    static const one of_absorbed[] = {
        {"bfloat16,16,2,512,1000,0.5",
         "mla_absorbed '' bf16 512 1512 16 2 heads 576 512 0 experts 0 0 us 500 500 500"}};
    BECOME(&absorbed, RC_IMPORT_KERNELS, header, of_absorbed);
    static const one of_step[] = {
        {"bfloat16,16,2,1,1000,0.5",
         "mla_decode '' bf16 2 1001 16 0 heads 576 512 0 experts 0 0 us 500 500 500"},
        {"bfloat16,16,2,2,1000,0.5", NULL}};
    BECOME(&step, RC_IMPORT_KERNELS, header, of_step);
    static const char *const small[] = {"bfloat16,0,1,1,0,1", "bfloat16,1,0,1,0,1",
                                        "bfloat16,1,1,0,0,1", "bfloat16,1,1,1,-1,1",
                                        "bfloat16,1073741825,1,1,0,1"};
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
        refused(&made, RC_IMPORT_KERNELS, header, small[i], "expected a whole number from");
    const rc_import bmm = as("mla_bmm");
    static const one of_bmm[] = {
        {"mla_gen_pre,bfloat16,5,16,0.5",
         "mla_bmm '' bf16 5 512 128 16 heads 0 0 0 experts 0 0 us 500 500 500"},
        {"mla_gen_post,fp8,1,1,0.5",
         "mla_bmm '' fp8 1 128 512 1 heads 0 0 0 experts 0 0 us 500 500 500"},
        {"mla_other,bfloat16,5,16,0.5", NULL},
        {"mla_gen_pre,int8,5,16,0.5", NULL}};
    BECOME(&bmm, RC_IMPORT_KERNELS, "op,dtype,tokens,num_heads,latency_ms", of_bmm);
}

static void test_experts(void **state) {
    (void)state;
    static const char header[] =
        "dtype,load,hidden,inter,topk,experts,moe_tp,moe_ep,tokens,latency_ms";
    const rc_import ffn = as("moe_ffn");
    static const one of[] = {
        {"fp8_block,balanced,7168,2048,8,256,2,4,100,0.5",
         "moe_ffn '' fp8 200 7168 1024 100 heads 0 0 0 experts 64 8 us 500 500 500"},
        {"bfloat16,power_law,7168,2048,8,8,1,1,1,0.5",
         "moe_ffn '@power_law' bf16 8 7168 2048 1 heads 0 0 0 experts 8 8 us 500 500 500"},
        {"fp8,balanced,7168,2048,8,256,2,4,100,0.5", NULL}, /* a scale for a whole tensor */
        {"bfloat16,balanced,7168,2048,9,8,1,1,1,0.5", NULL},
        {"bfloat16,balanced,7168,2047,8,256,2,4,100,0.5", NULL},
        {"bfloat16,balanced,7168,2048,8,254,2,4,100,0.5", NULL},
        {"bfloat16,balanced,7168,2048,1,256,2,4,101,0.5", NULL}};
    BECOME(&ffn, RC_IMPORT_KERNELS, header, of);
    const rc_import out = {.machine = "lab", .op = "ep_dispatch", .ranks = 8};
    const rc_import back = {.machine = "lab", .op = "ep_combine", .ranks = 16, .nodes = 2};
    static const char usual[] =
        "dispatch_sms,combine_sms,hidden,experts,topk,tokens_per_rank,dispatch_us,combine_us";
    static const one of_out[] = {
        {"24,20,7168,256,8,128,50,70",
         "ep_dispatch 'normal' fp8 128 7168 8 1 heads 0 0 0 experts 256 8 us 50 50 50"},
        {"20,24,7168,8,8,1,50,70",
         "ep_dispatch 'normal@sms20' fp8 1 7168 8 1 heads 0 0 0 experts 8 8 us 50 50 50"},
        {"24,24,7168,8,9,128,50,70", NULL}};
    BECOME(&out, RC_IMPORT_KERNELS, usual, of_out);
    static const one of_back[] = {
        {"24,20,7168,256,8,128,50,70",
         "ep_combine 'normal@sms20' bf16 128 7168 16 2 heads 0 0 0 experts 256 8 us 70 70 70"}};
    BECOME(&back, RC_IMPORT_KERNELS, usual, of_back);
    static const one low[] = {
        {"7168,256,8,128,50,70",
         "ep_dispatch 'low_latency' fp8 128 7168 8 1 heads 0 0 0 experts 256 8 us 50 50 50"}};
    BECOME(&out, RC_IMPORT_KERNELS, "hidden,experts,topk,tokens_per_rank,dispatch_us,combine_us",
           low);
    const rc_import lonely = {.machine = "lab", .op = "ep_dispatch", .ranks = 1};
    refused(&lonely, RC_IMPORT_KERNELS, usual, "24,20,7168,256,8,128,50,70",
            "--ranks: is needed to read t.csv");
    const rc_import pair = {.machine = "lab", .op = "ep_dispatch", .ranks = 2};
    static const one of_two[] = {
        {"24,20,7168,256,8,128,50,70",
         "ep_dispatch 'normal' fp8 128 7168 2 1 heads 0 0 0 experts 256 8 us 50 50 50"}};
    BECOME(&pair, RC_IMPORT_KERNELS, usual, of_two);
}

static void test_selections(void **state) {
    (void)state;
    static const char header[] = "score_mode,batch,isl,cached,latency_ms";
    const rc_import scores = as("dsa_index"), top = as("dsa_topk"), attends = as("dsa_attention");
    static const one of_scores[] = {
        {"flat,2,512,4000,0.5",
         "dsa_index '' fp8 512 4512 32 2 heads 128 0 0 experts 0 0 us 500 500 500"},
        {"flat,2,512,0,0.5",
         "dsa_index '' fp8 512 512 32 2 heads 128 0 0 experts 0 0 us 500 500 500"},
        {"sharp,2,512,4000,0.5", NULL},
        {"flat,2,512,4000,0", NULL}};
    BECOME(&scores, RC_IMPORT_KERNELS, header, of_scores);
    static const one of_top[] = {
        {"flat,2,512,4000,0.5",
         "dsa_topk ''  512 4512 2048 2 heads 0 0 0 experts 0 0 us 500 500 500"}};
    BECOME(&top, RC_IMPORT_KERNELS, header, of_top);
    static const one of_attends[] = {
        {"flat,2,512,4000,0.5",
         "dsa_attention '' bf16 1024 2048 64 0 heads 576 512 0 experts 0 0 us 500 500 500"},
        {"flat,1,48,2000,0.5",
         "dsa_attention '' bf16 48 2048 64 0 heads 576 512 0 experts 0 0 us 500 500 500"},
        {"flat,1,47,2000,0.5", NULL}};
    BECOME(&attends, RC_IMPORT_KERNELS, header, of_attends);
    static const one plain[] = {
        {"1,512,4000,0.5",
         "dsa_index '' fp8 512 4512 32 1 heads 128 0 0 experts 0 0 us 500 500 500"}};
    BECOME(&scores, RC_IMPORT_KERNELS, "batch,isl,cached,latency_ms", plain);
}

/* A call that took more than 1.15 times as long as one with as much work or more was disturbed. Which sizes are work is told for
 * each table: of a step the sequences, keys and heads. */
static void test_disturbed(void **state) {
    (void)state;
    static const char header[] = "kv_dtype,num_heads,batch,isl,cached,latency_ms";
    static const struct {
        const char *rows;
        size_t kept;
    } t[] = {
        {"bfloat16,16,2,1,1000,1.16\nbfloat16,16,4,1,1000,1.0", 1},
        {"bfloat16,16,2,1,1000,1.15\nbfloat16,16,4,1,1000,1.0", 2},
        {"bfloat16,16,4,1,1000,1.16\nbfloat16,16,2,1,1000,1.0", 2}, /* more work may take longer */
        {"bfloat16,16,2,1,1000,1.16\nbfloat16,16,2,1,2000,1.0", 1},
        {"bfloat16,16,2,1,1000,1.16\nbfloat16,32,2,1,1000,1.0", 1},
        {"bfloat16,32,2,1,1000,1.16\nbfloat16,16,9,1,9000,1.0", 2},
        {"bfloat16,16,2,1,1000,1.16\nfp8,16,4,1,1000,1.0", 2}, /* another kind of call */
    };
    const rc_import step = as("mla_decode");
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_rows *rows = NULL;
        rc_import_count n = {0};
        assert_int_equal(read_with(&step, RC_IMPORT_KERNELS, header, t[i].rows, &rows, &n, NULL),
                         RC_OK);
        if (rc_rows_count(rows) != t[i].kept || n.skipped != 2 - t[i].kept)
            fail_msg("%s: %zu rows", t[i].rows, rc_rows_count(rows));
        if (t[i].kept == 1)
            assert_true(rc_rows_at(rows, 0)->p50 == 1e-3);
        rc_rows_free(rows);
    }
}

/* ---- what the caller says --------------------------------------------------------------------------- */

static void test_said(void **state) {
    (void)state;
    static const char header[] = "gemm_dtype,m,n,k,latency,device,kernel_source";
    rc_rows *rows = NULL;
    rc_import_count n = {0};
    assert_int_equal(read_with(&lab, RC_IMPORT_AICONFIGURATOR, header,
                               "bf16,1,2,3,1,NVIDIA X,cublas", &rows, &n, NULL),
                     RC_OK);
    const rc_row *x = rc_rows_at(rows, 0);
    assert_string_equal(x->machine, "lab");
    assert_string_equal(x->gpu, "NVIDIA X");
    assert_string_equal(x->kernel, "cublas");
    assert_string_equal(x->source, "published: aiconfigurator");
    rc_rows_free(rows);
    const rc_import said = {.machine = "lab", .gpu = "H900", .source = "me"};
    assert_int_equal(read_with(&said, RC_IMPORT_AICONFIGURATOR, header, "bf16,1,2,3,1,NVIDIA X,",
                               &rows, &n, NULL),
                     RC_OK);
    x = rc_rows_at(rows, 0);
    assert_string_equal(x->gpu, "H900");
    assert_string_equal(x->source, "published: me");
    rc_rows_free(rows);
    static const struct {
        size_t longest;
        const char *flag;
    } texts[] = {
        {47, "--machine"}, {63, "--gpu"}, {100, "--source"}, {23, "--transport"}, {23, "--op"}};
    for (int i = 0; i < 5; i++)
        for (size_t length = 0; length <= texts[i].longest + 1; length += texts[i].longest - 1) {
            for (size_t more = 0; more < 3; more++) {
                char word[128] = "";
                const size_t size = length + more;
                rc_error err = {0};
                rc_import how = lab;
                if (size > texts[i].longest + 1)
                    continue;
                (void)memset(word, 'x', size);
                const char **to[] = {&how.machine, &how.gpu, &how.source, &how.transport, &how.op};
                *to[i] = word;
                const bool fits = size >= 1 && size <= texts[i].longest;
                assert_int_equal(read_with(&how, RC_IMPORT_AICONFIGURATOR,
                                           "gemm_dtype,m,n,k,latency", "bf16,1,2,3,1", &rows, &n,
                                           &err),
                                 fits ? RC_OK : RC_E_USAGE);
                if (!fits)
                    assert_string_equal(err.file, texts[i].flag);
                rc_rows_free(rows);
            }
        }
    static const char *const not_plain[] = {"a,b", "a\"b", "a\nb", "a\rb"};
    for (size_t i = 0; i < 4; i++) {
        const rc_import how = {.machine = not_plain[i]};
        refused(&how, RC_IMPORT_AICONFIGURATOR, header, "", "expected 1 to 47 characters");
    }
    static const struct {
        int ranks, nodes;
        const char *says;
    } counts[] = {{-1, 0, "--ranks: expected 1 to 1048576"},
                  {(1 << 20) + 1, 0, "--ranks: expected 1 to 1048576"},
                  {0, -1, "--nodes: expected 1 to 1048576"},
                  {0, (1 << 20) + 1, "--nodes: expected 1 to 1048576"}};
    for (size_t i = 0; i < 4; i++) {
        const rc_import how = {
            .machine = "lab", .ranks = counts[i].ranks, .nodes = counts[i].nodes};
        refused(&how, RC_IMPORT_AICONFIGURATOR, header, "", counts[i].says);
    }
    const rc_import most = {.machine = "lab", .ranks = 1 << 20, .nodes = 1 << 20};
    assert_int_equal(
        read_with(&most, RC_IMPORT_AICONFIGURATOR, header, "bf16,1,2,3,1,a,b", &rows, &n, NULL),
        RC_OK);
    rc_rows_free(rows);
}

/* Every table of AIConfigurator says on which GPU and by which kernel, in the same columns. */
static void test_provenance(void **state) {
    (void)state;
    static const char *const tables[][2] = {
        {"gemm_dtype,m,n,k,latency", "bf16,1,2,3,1"},
        {CONTEXT, "context_attention,1,4096,32,8,128,0,0,bf16,bf16,2"},
        {CONTEXT, "generation_attention,8,1,32,8,128,8191,0,bf16,bf16,2"},
        {"op_name,nccl_dtype,num_gpus,message_size,latency", "all_reduce,half,8,1024,0.012"},
        {"allreduce_dtype,num_gpus,message_size,latency", "half,8,1024,0.012"}};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        char header[256], row[256];
        rc_rows *rows = NULL;
        rc_import_count n = {0};
        (void)snprintf(header, sizeof header, "%s,device,kernel_source", tables[i][0]);
        (void)snprintf(row, sizeof row, "%s,NVIDIA X,theirs", tables[i][1]);
        assert_int_equal(read_with(&lab, RC_IMPORT_AICONFIGURATOR, header, row, &rows, &n, NULL),
                         RC_OK);
        assert_string_equal(rc_rows_at(rows, 0)->gpu, "NVIDIA X");
        assert_string_equal(rc_rows_at(rows, 0)->kernel, "theirs");
        assert_string_equal(rc_rows_at(rows, 0)->state, "burst");
        assert_true(isnan(rc_rows_at(rows, 0)->power_w) && isnan(rc_rows_at(rows, 0)->sm_mhz));
        rc_rows_free(rows);
        (void)snprintf(row, sizeof row, "%s,,", tables[i][1]);
        assert_int_equal(read_with(&lab, RC_IMPORT_AICONFIGURATOR, header, row, &rows, &n, NULL),
                         RC_OK);
        assert_string_equal(rc_rows_at(rows, 0)->gpu, "unknown");
        assert_string_equal(rc_rows_at(rows, 0)->kernel, "aiconfigurator");
        rc_rows_free(rows);
    }
}

/* NCCL says its version in one number: 22803 is 2.28.3. Numbers that say none are not told. */
static void test_version(void **state) {
    (void)state;
    static const struct {
        long long number;
        const char *told;
    } of[] = {{22803, "2.28.3"},  {21900, "2.19.0"}, {10001, "1.0.1"},  {999999, "99.99.99"},
              {10000, "unknown"}, {0, "unknown"},    {2708, "unknown"}, {1000000, "unknown"}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        char text[1024];
        rc_rows *rows = NULL;
        rc_import_count n = {0};
        rc_error err = {0};
        (void)snprintf(
            text, sizeof text,
            "{\"args\":[\"./"
            "all_reduce_perf\"],\"nccl_version\":%lld,\"config\":{\"devices\":[{\"rank\":0,"
            "\"hostname\":\"a\"},{\"rank\":1,\"hostname\":\"a\"}]},\"results\":[{\"size\":1024,"
            "\"type\":"
            "\"half\",\"out_of_place\":{\"time\":30.0,\"nwrong\":0}}]}",
            of[i].number);
        assert_int_equal(rc_rows_create(&rows, NULL), RC_OK);
        if (rc_import_parse(RC_IMPORT_NCCL_TESTS, "t.json", text, strlen(text), &lab, rows, &n,
                            &err) != RC_OK)
            fail_msg("%s", err.msg);
        assert_int_equal(rc_rows_count(rows), 1);
        assert_string_equal(rc_rows_at(rows, 0)->nccl, of[i].told);
        rc_rows_free(rows);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),    cmocka_unit_test(test_attention),
        cmocka_unit_test(test_collectives), cmocka_unit_test(test_network),
        cmocka_unit_test(test_layers),      cmocka_unit_test(test_their_attention),
        cmocka_unit_test(test_latents),     cmocka_unit_test(test_experts),
        cmocka_unit_test(test_selections),  cmocka_unit_test(test_disturbed),
        cmocka_unit_test(test_said),        cmocka_unit_test(test_version),
        cmocka_unit_test(test_provenance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
