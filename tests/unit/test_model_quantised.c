/* Quantised checkpoints: what each tool's map means in types and bytes, and what an answer says.
 *
 * The shape is Llama 3.1 70B's throughout: 12,079,595,520 weights of attention and 56,371,445,760
 * of the FFN in 80 layers, an embedding and an LM head of 1,050,673,152 each and 1,318,912 of
 * norms.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "tests/support/model_file.h"
#include "sim/schedule/layout.h"
#include "sim/schedule/totals.h"

#define SHAPE                                                                                      \
    "\"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": 8192, "                           \
    "\"intermediate_size\": 28672, \"num_attention_heads\": 64, \"num_hidden_layers\": 80, "       \
    "\"num_key_value_heads\": 8, \"vocab_size\": 128256, \"max_position_embeddings\": 131072"

static const double ATTENTION = 12079595520.0, FFN = 56371445760.0, TABLE = 1050673152.0,
                    NORMS = 1318912.0, LAYERS = 80.0;
/* rows of outputs of a layer: q, k, v and o; gate, up and down */
static const double ATTENTION_ROWS = 8192 + 1024 + 1024 + 8192, FFN_ROWS = 2 * 28672 + 8192;

/* Not quantised: embedding, LM head, norms. */
static double rest(void) {
    return 2.0 * (2.0 * TABLE + NORMS);
}

static rc_status read(const char *map, rc_model *m, rc_error *err) {
    char text[2048];
    (void)snprintf(text, sizeof text, "{" SHAPE ", \"quantization_config\": %s}", map);
    return model_text(text, m, err);
}

static double bytes(const rc_model *m) {
    return rc_model_weight_bytes(m, m->quant.attn, m->quant.ffn);
}

/* All projections in one type with `each` bytes a weight and `row` bytes a row of outputs. */
static double uniform(double each, double row) {
    return (ATTENTION + FFN) * each + LAYERS * (ATTENTION_ROWS + FFN_ROWS) * row + rest();
}

static void test_tools(void **state) {
    (void)state;
    const double tiles = (ATTENTION + FFN) / (128.0 * 128.0);
    const struct {
        const char *map;
        rc_dtype dtype, kv;
        double bytes;
    } t[] = {
        {"{\"quant_method\": \"fp8\", \"activation_scheme\": \"static\"}", RC_FP8, RC_BF16,
         uniform(1.0, 0.0) + LAYERS * 7.0 * 4.0}, /* a scale a matrix */
        {"{\"quant_method\": \"fp8\", \"activation_scheme\": \"dynamic\", \"weight_block_size\": "
         "[128, 128]}",
         RC_FP8_BLOCK, RC_BF16, uniform(1.0, 0.0) + tiles * 4.0},
        {"{\"quant_method\": \"fbgemm_fp8\", \"activation_scale_ub\": 1200.0}", RC_FP8, RC_BF16,
         uniform(1.0, 4.0)},
        {"{\"quant_method\": \"modelopt\", \"quant_algo\": \"FP8\", \"kv_cache_scheme\": "
         "{\"num_bits\": 8, \"type\": \"float\"}}",
         RC_FP8, RC_FP8, uniform(1.0, 0.0) + LAYERS * 7.0 * 4.0},
        {"{\"quant_method\": \"modelopt\", \"quantization\": {\"quant_algo\": \"NVFP4\", "
         "\"kv_cache_quant_algo\": \"FP8\", \"group_size\": 16, \"exclude_modules\": "
         "[\"lm_head\"]}}",
         RC_NVFP4, RC_FP8, uniform(0.5 + 1.0 / 16.0, 0.0)},
        {"{\"quant_algo\": \"W4A8_AWQ\", \"kv_cache_quant_algo\": null}", RC_W4A8, RC_BF16,
         uniform(0.5 + 2.0 / 128.0, 0.0)},
        {"{\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": 128, \"zero_point\": true, "
         "\"version\": \"gemm\"}",
         RC_INT4, RC_BF16, uniform(0.5 + 2.5 / 128.0, 0.0)},
        {"{\"quant_method\": \"awq\", \"w_bit\": 4, \"q_group_size\": 64, \"zero_point\": false}",
         RC_INT4, RC_BF16, uniform(0.5 + 2.0 / 64.0, 0.0)},
        {"{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 128, \"desc_act\": false, "
         "\"sym\": true}",
         RC_INT4, RC_BF16, uniform(0.5 + 2.5 / 128.0, 0.0)},
        {"{\"quant_method\": \"gptq\", \"bits\": 8, \"group_size\": -1}", RC_W8A16, RC_BF16,
         uniform(1.0, 3.0)},
        {"{\"quant_method\": \"bitsandbytes\", \"load_in_4bit\": true, \"bnb_4bit_quant_type\": "
         "\"nf4\"}",
         RC_INT4, RC_BF16, uniform(0.5 + 4.0 / 64.0, 0.0)},
        {"{\"quant_method\": \"bitsandbytes\", \"load_in_4bit\": true, "
         "\"bnb_4bit_use_double_quant\": true}",
         RC_INT4, RC_BF16, uniform(0.5 + (1.0 + 4.0 / 256.0) / 64.0, 0.0)},
        {"{\"quant_method\": \"bitsandbytes\", \"load_in_8bit\": true}", RC_INT8, RC_BF16,
         uniform(1.0, 4.0)},
        {"{\"quant_method\": \"eetq\"}", RC_W8A16, RC_BF16, uniform(1.0, 2.0)},
        {"{\"quant_method\": \"mxfp4\", \"modules_to_not_convert\": [\"lm_head\"]}", RC_MXFP4,
         RC_BF16, uniform(0.5 + 1.0 / 32.0, 0.0)},
        {"{\"quant_method\": \"compressed-tensors\", \"format\": \"float-quantized\", \"ignore\": "
         "[\"lm_head\"], \"config_groups\": {\"group_0\": {\"targets\": [\"Linear\"], \"weights\": "
         "{\"num_bits\": 8, \"type\": \"float\", \"strategy\": \"channel\", \"symmetric\": true}, "
         "\"input_activations\": {\"num_bits\": 8, \"type\": \"float\", \"dynamic\": true}}}}",
         RC_FP8, RC_BF16, uniform(1.0, 4.0)},
        {"{\"quant_method\": \"compressed-tensors\", \"format\": \"pack-quantized\", \"ignore\": "
         "[\"re:.*lm_head\"], \"kv_cache_scheme\": {\"num_bits\": 8, \"type\": \"float\"}, "
         "\"config_groups\": {\"group_0\": {\"targets\": [\"Linear\"], \"weights\": "
         "{\"num_bits\": 4, \"type\": \"int\", \"strategy\": \"group\", \"group_size\": 128, "
         "\"symmetric\": true}, \"input_activations\": null}}}",
         RC_INT4, RC_FP8, uniform(0.5 + 2.0 / 128.0, 0.0)},
        {"{\"quant_method\": \"compressed-tensors\", \"format\": \"int-quantized\", \"ignore\": "
         "[\"lm_head\"], \"config_groups\": {\"group_0\": {\"targets\": [\"Linear\"], \"weights\": "
         "{\"num_bits\": 8, \"type\": \"int\", \"strategy\": \"channel\", \"symmetric\": true}, "
         "\"input_activations\": {\"num_bits\": 8, \"type\": \"int\"}}}}",
         RC_INT8, RC_BF16, uniform(1.0, 2.0)},
        {"{\"quant_method\": \"compressed-tensors\", \"format\": \"nvfp4-pack-quantized\", "
         "\"ignore\": [\"lm_head\"], \"config_groups\": {\"group_0\": {\"targets\": [\"Linear\"], "
         "\"weights\": {\"num_bits\": 4, \"type\": \"float\", \"strategy\": \"tensor_group\", "
         "\"group_size\": 16}, \"input_activations\": {\"num_bits\": 4, \"type\": \"float\"}}}}",
         RC_NVFP4, RC_BF16, uniform(0.5 + 1.0 / 16.0, 0.0)},
        {"{\"quant_method\": \"compressed-tensors\", \"format\": \"float-quantized\", \"ignore\": "
         "[\"lm_head\"], \"config_groups\": {\"group_0\": {\"targets\": [\"Linear\"], \"weights\": "
         "{\"num_bits\": 8, \"type\": \"float\", \"strategy\": \"block\", \"block_structure\": "
         "[128, 128]}, \"input_activations\": {\"num_bits\": 8, \"type\": \"float\"}}}}",
         RC_FP8_BLOCK, RC_BF16, uniform(1.0, 0.0) + tiles * 4.0},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_model m;
        rc_error err = {0};
        if (read(t[i].map, &m, &err) != RC_OK)
            fail_msg("%s: %s", t[i].map, err.msg);
        assert_int_equal(m.quant.attn, t[i].dtype);
        assert_int_equal(m.quant.ffn, t[i].dtype);
        assert_int_equal(m.quant.kv, t[i].kv);
        assert_int_equal(m.quant.head, RC_BF16);
        if (fabs(bytes(&m) - t[i].bytes) > 1.0)
            fail_msg("%s: %.0f bytes, expected %.0f", t[i].map, bytes(&m), t[i].bytes);
        rc_layout l;
        rc_model_dtypes(&m, &l);
        assert_int_equal(l.attn_weights, t[i].dtype);
        assert_int_equal(l.ffn_weights, t[i].dtype);
        assert_int_equal(l.kv, t[i].kv);
    }
}

/* Every algorithm that ModelOpt names: the type, and of how many rows and columns a scale of how many bytes is. A group size that a
 * file states stands for the usual one, where scales are of groups of a row. */
static void test_algorithms(void **state) {
    (void)state;
    static const struct {
        const char *name;
        rc_dtype dtype;
        int64_t rows, columns;
        double bytes;
    } t[] = {{"FP8", RC_FP8, 0, 0, 4.0},
             {"FP8_PER_CHANNEL_PER_TOKEN", RC_FP8, 1, 0, 4.0},
             {"FP8_PB_WO", RC_FP8_BLOCK, 128, 128, 4.0},
             {"FP8_PB_REAL", RC_FP8_BLOCK, 128, 128, 4.0},
             {"MXFP8", RC_FP8_BLOCK, 1, 32, 1.0},
             {"NVFP4", RC_NVFP4, 1, 16, 1.0},
             {"NVFP4_AWQ", RC_NVFP4, 1, 16, 1.0},
             {"NVFP4_SVDQUANT", RC_NVFP4, 1, 16, 1.0},
             {"W4A16_NVFP4", RC_NVFP4, 1, 16, 1.0},
             {"MXFP4", RC_MXFP4, 1, 32, 1.0},
             {"W4A8_NVFP4_FP8", RC_W4A8, 1, 16, 1.0},
             {"W4A8_MXFP4_FP8", RC_W4A8, 1, 32, 1.0},
             {"W4A16_AWQ", RC_INT4, 1, 128, 2.0},
             {"INT4_AWQ", RC_INT4, 1, 128, 2.0},
             {"W4A16", RC_INT4, 1, 128, 2.0},
             {"W4A8_AWQ", RC_W4A8, 1, 128, 2.0},
             {"INT8_SQ", RC_INT8, 1, 0, 4.0},
             {"W8A8_SQ_PER_CHANNEL", RC_INT8, 1, 0, 4.0},
             {"W8A16", RC_W8A16, 1, 0, 2.0},
             {"INT8_WO", RC_W8A16, 1, 0, 2.0}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        for (int grouped = 0; grouped < 2; grouped++) {
            char map[256];
            rc_model m;
            rc_error err = {0};
            (void)snprintf(map, sizeof map,
                           "{\"quant_method\": \"modelopt\", \"quant_algo\": \"%s\"%s}", t[i].name,
                           grouped ? ", \"group_size\": 64" : "");
            if (read(map, &m, &err) != RC_OK)
                fail_msg("%s: %s", t[i].name, err.msg);
            const rc_scale *s = &m.kind[0].stored[RC_UP].scale;
            const int64_t columns =
                grouped && t[i].rows == 1 && t[i].columns > 0 ? 64 : t[i].columns;
            if (m.kind[0].stored[RC_UP].dtype != t[i].dtype || s->rows != t[i].rows ||
                s->columns != columns || s->bytes != t[i].bytes)
                fail_msg("%s: %lld x %lld of %g bytes", t[i].name, (long long)s->rows,
                         (long long)s->columns, s->bytes);
        }
}

/* The files of the field: sizes that a user can look up. */
static void test_files(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double gigabytes, kv_bytes;
        const char *words;
    } t[] = {
        {"quant_awq", 39.77, 327680, "quantised by awq: weights of attention int4"},
        {"quant_gptq", 39.77, 327680, "quantised by gptq: weights of attention int4"},
        {"quant_fp8", 72.67, 327680, "quantised by fp8: weights of attention fp8-block"},
        {"quant_modelopt_kv8", 72.66, 163840, "KV cache fp8"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_model m;
        rc_notes notes;
        rc_layout l = {.tp = 1, .cp = 1};
        assert_int_equal(model_file("configs", t[i].name, &m, NULL), RC_OK);
        assert_true(fabs(bytes(&m) / 1e9 - t[i].gigabytes) < 0.01);
        assert_true(rc_model_kv_bytes(&m, m.quant.kv) == t[i].kv_bytes);
        rc_model_dtypes(&m, &l);
        rc_model_notes(&m, &l, 0, &notes);
        assert_true(model_says(&notes, t[i].words));
    }
}

/* modelopt's own file beside a configuration that says nothing. */
static void test_beside(void **state) {
    (void)state;
    rc_model m;
    assert_int_equal(model_file("models", "llama-3.1-70b-fp8", &m, NULL), RC_OK);
    assert_string_equal(m.quant.method, "modelopt");
    assert_true(m.quant.attn == RC_FP8 && m.quant.ffn == RC_FP8 && m.quant.kv == RC_FP8);
    assert_true(bytes(&m) == uniform(1.0, 0.0) + LAYERS * 7.0 * 4.0);
    assert_int_equal(model_file("models", "llama-3.1-70b", &m, NULL), RC_OK);
    assert_string_equal(m.quant.method, "");
    rc_error err = {0};
    static const char plain[] = "{" SHAPE "}", bad[] = "{\"producer\": {}}";
    assert_int_equal(rc_model_parse_quantised("t.json", plain, strlen(plain), "q.json", bad,
                                              strlen(bad), &m, &err),
                     RC_E_INPUT);
    assert_string_equal(err.file, "q.json");
}

/* Llama 3.1 405B in fp8 as Meta published it keeps attention and the outer layers in bf16. */
static void test_lists(void **state) {
    (void)state;
    static const struct {
        const char *list;
        rc_dtype attn, ffn;
        double left; /* weights that stay in bf16, of attention and FFN */
    } t[] = {
        {"[\"lm_head\"]", RC_FP8, RC_FP8, 0.0},
        {"[\"proj\", \"attn\", \"model.layers.8.ml\"]", RC_FP8, RC_FP8, 0.0}, /* whole parts */
        {"[\"model.layers.0.mlp.down_proj\"]", RC_FP8, RC_FP8, 8192.0 * 28672},
        {"[\"model.layers.0.mlp\", \"model.layers.79.mlp\"]", RC_FP8, RC_FP8,
         2.0 * 3 * 8192 * 28672},
        {"[\"self_attn\"]", RC_BF16, RC_FP8, 12079595520.0},
        {"[\"model.layers.*.self_attn\"]", RC_BF16, RC_FP8, 12079595520.0},
        {"[\"model.layers.1.self_attn*\"]", RC_FP8, RC_FP8, 12079595520.0 / 80},
        {"[\"re:.*self_attn.*\"]", RC_BF16, RC_FP8, 12079595520.0},
        {"[\"re:.*mlp\\\\.(gate|up|gate_up|down)_proj.*\"]", RC_FP8, RC_BF16, 56371445760.0},
        {"[\"re:model\\\\.layers\\\\.\\\\d\\\\.mlp.*\"]", RC_FP8, RC_FP8, 10.0 * 3 * 8192 * 28672},
        {"[\"model.language_model.layers.3.mlp.gate_proj\"]", RC_FP8, RC_FP8, 8192.0 * 28672},
        {"[\"model.layers.5.mlp.gate_up_proj\"]", RC_FP8, RC_FP8, 2.0 * 8192 * 28672},
        {"[\"gate\", \"vision_tower\", \"layers.7\"]", RC_FP8, RC_FP8,
         (12079595520.0 + 56371445760.0) / 80},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char map[512];
        rc_model m;
        rc_error err = {0};
        (void)snprintf(map, sizeof map,
                       "{\"quant_method\": \"fp8\", \"modules_to_not_convert\": %s}", t[i].list);
        if (read(map, &m, &err) != RC_OK)
            fail_msg("%s: %s", t[i].list, err.msg);
        double all = uniform(1.0, 0.0), got = bytes(&m), scales = LAYERS * 7.0 * 4.0;
        if (m.quant.attn != t[i].attn || m.quant.ffn != t[i].ffn ||
            fabs(got - (all + t[i].left)) > scales)
            fail_msg("%s: %s and %s, %.0f bytes, expected %.0f", t[i].list,
                     rc_dtype_name(m.quant.attn), rc_dtype_name(m.quant.ffn), got, all + t[i].left);
    }
}

/* A list of its own for each group: attention in fp8, the FFN in NVFP4. */
static void test_groups(void **state) {
    (void)state;
    rc_model m;
    rc_error err = {0};
    rc_status st = read(
        "{\"quant_method\": \"compressed-tensors\", \"format\": \"mixed-precision\", \"ignore\": "
        "[\"lm_head\"], \"config_groups\": {\"group_0\": {\"targets\": [\"re:.*self_attn.*\"], "
        "\"weights\": {\"num_bits\": 8, \"type\": \"float\", \"strategy\": \"channel\"}, "
        "\"input_activations\": {\"num_bits\": 8, \"type\": \"float\"}}, \"group_1\": "
        "{\"targets\": [\"re:.*mlp.*\"], \"weights\": {\"num_bits\": 4, \"type\": \"float\", "
        "\"strategy\": \"tensor_group\", \"group_size\": 16}, \"input_activations\": "
        "{\"num_bits\": 4, \"type\": \"float\"}}}}",
        &m, &err);
    if (st != RC_OK)
        fail_msg("%s", err.msg);
    assert_true(m.quant.attn == RC_FP8 && m.quant.ffn == RC_NVFP4);
    assert_true(bytes(&m) ==
                ATTENTION + LAYERS * ATTENTION_ROWS * 4.0 + FFN * (0.5 + 1.0 / 16.0) + rest());
}

/* An LM head that no list leaves out. */
static void test_head(void **state) {
    (void)state;
    rc_model m;
    assert_int_equal(read("{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 128, "
                          "\"lm_head\": true}",
                          &m, NULL),
                     RC_OK);
    assert_int_equal(m.quant.head, RC_INT4);
    assert_true(bytes(&m) ==
                (ATTENTION + FFN + TABLE) * (0.5 + 2.5 / 128.0) + 2.0 * (TABLE + NORMS));
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *map, *words;
    } t[] = {
        {"{\"quant_method\": \"aqlm\", \"nbits_per_codebook\": 16}", "weights quantised by 'aqlm'"},
        {"{\"quant_method\": \"neverheard\"}", "weights quantised by 'neverheard'"},
        {"{\"bits\": 4}", "no key 'quant_method' says by what"},
        {"{\"quant_method\": \"gptq\", \"bits\": 3}", "3-bit weights"},
        {"{\"quant_method\": \"gptq\", \"bits\": 4, \"dynamic\": {\"-:.*mlp.*\": {}}}", "dynamic"},
        {"{\"quant_method\": \"modelopt\", \"quant_algo\": \"MIXED_PRECISION\"}",
         "MIXED_PRECISION"},
        {"{\"quant_method\": \"modelopt\", \"quant_algo\": \"FP8\", \"kv_cache_quant_algo\": "
         "\"FP2\"}",
         "kv_cache_quant_algo"},
        {"{\"quant_method\": \"bitsandbytes\"}", "neither load_in_4bit nor load_in_8bit"},
        {"{\"quant_method\": \"fp8\", \"modules_to_not_convert\": [\"re:(?!x).*\"]}",
         "is not understood"},
        {"{\"quant_method\": \"compressed-tensors\", \"sparsity_config\": {\"format\": "
         "\"sparse-24-bitmask\"}}",
         "a sparse format"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_model m;
        rc_error err = {0};
        if (read(t[i].map, &m, &err) != RC_E_UNMODELLED || strstr(err.msg, t[i].words) == NULL)
            fail_msg("%s: %s", t[i].map, err.msg);
    }
    rc_model m;
    rc_error err = {0};
    assert_int_equal(read("[1]", &m, &err), RC_E_INPUT);
}

/* A scenario's dtypes hold, and the answer says that the file has others. */
static void test_overridden(void **state) {
    (void)state;
    rc_model m;
    rc_notes notes;
    rc_layout l = {.tp = 1, .cp = 1};
    assert_int_equal(model_file("configs", "quant_awq", &m, NULL), RC_OK);
    rc_model_notes(&m, &l, 0, &notes); /* all bf16 */
    assert_true(model_says(&notes, "weights of attention: the answer is for bf16, as asked, though "
                                   "the checkpoint says int4"));
    assert_true(model_says(&notes, "weights of the FFN: the answer is for bf16, as asked"));
    assert_true(rc_model_weight_bytes(&m, RC_BF16, RC_BF16) == 2.0 * rc_model_params(&m));
    rc_model_dtypes(&m, &l);
    rc_model_notes(&m, &l, 0, &notes);
    assert_false(model_says(&notes, "as asked"));
    assert_true(model_says(&notes, "weights in int4 have not been measured"));
}

/* A sequence longer than the model's context is said aloud, with RoPE scaling counted. */
static void test_context(void **state) {
    (void)state;
    static const struct {
        const char *rope;
        int64_t context;
    } t[] = {
        {"\"rope_scaling\": null", 131072},
        {"\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, "
         "\"original_max_position_embeddings\": 8192}",
         131072},
        {"\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0, "
         "\"original_max_position_embeddings\": 131072}",
         524288},
        {"\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0, "
         "\"original_max_position_embeddings\": 32768}",
         131072},
        {"\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}", 262144},
        {"\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.0}", 262144},
        {"\"rope_scaling\": {\"type\": \"longrope\", \"long_factor\": [1.0]}", 131072},
        {"\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 8.0, "
         "\"original_max_position_embeddings\": 131072, \"rope_theta\": 10000.0}",
         1048576},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char text[1024];
        rc_model m;
        rc_notes notes;
        rc_layout l = {.tp = 1, .cp = 1};
        (void)snprintf(text, sizeof text, "{" SHAPE ", %s}", t[i].rope);
        assert_int_equal(model_text(text, &m, NULL), RC_OK);
        if (m.context != t[i].context)
            fail_msg("%s: context %lld", t[i].rope, (long long)m.context);
        rc_model_notes(&m, &l, m.context, &notes);
        assert_int_equal(notes.count, 0);
        rc_model_notes(&m, &l, m.context + 1, &notes);
        assert_true(model_says(&notes, "is beyond the"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tools),      cmocka_unit_test(test_algorithms),
        cmocka_unit_test(test_files),      cmocka_unit_test(test_beside),
        cmocka_unit_test(test_lists),      cmocka_unit_test(test_groups),
        cmocka_unit_test(test_head),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_overridden), cmocka_unit_test(test_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
