/* The lists of points: no duplicates, shapes of the models as published, importance first.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/catalog.c"
#include "calib/gpu_needs.c"
#include "kernels/capability.c"
#include "calib/point_lists.c"
#undef COUNT
#include "calib/point_lists_gemm.c"
#undef COUNT
#undef KI
#include "calib/point_lists_experts.c"
#include "calib/point_lists_node.c"

#include "sim/cost/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static rc_points make(rc_suite_id id, int ranks) {
    rc_points p = {0};
    rc_error err = {0};
    assert_int_equal(rc_suite_info_of(id)->points(&p, ranks, &err), RC_OK);
    return p;
}

static const rc_point *find(const rc_points *p, const char *op, const char *dtype, int64_t a,
                            int64_t b, int64_t c, int64_t d) {
    for (size_t i = 0; i < p->n; i++) {
        const rc_point *x = &p->v[i];
        if (!strcmp(x->op, op) && !strcmp(x->dtype, dtype) && x->a == a && x->b == b && x->c == c &&
            x->d == d)
            return x;
    }
    return NULL;
}

/* Heads of other sizes than 128 are those of models: 64, 256, and 192 with values of 128; of latents 576 numbers
 * are a key and the first 512 of them its value. */
static void test_heads(void **state) {
    (void)state;
    rc_points heads = make(RC_SUITE_HEADS, 1), mla = make(RC_SUITE_MLA, 1);
    size_t of[3] = {0}, steps = 0, prompts = 0;
    for (size_t i = 0; i < heads.n; i++) {
        const rc_point *p = &heads.v[i];
        assert_true(p->head_k == 64 || p->head_k == 192 || p->head_k == 256);
        assert_int_equal(p->head_v, p->head_k == 192 ? 128 : p->head_k);
        of[p->head_k == 64 ? 0 : p->head_k == 192 ? 1 : 2]++;
    }
    assert_true(of[0] == of[1] && of[1] == of[2] && of[0] > 0);
    for (size_t i = 0; i < mla.n; i++) {
        const rc_point *p = &mla.v[i];
        bool step = !strcmp(p->op, "mla_decode");
        assert_true(p->head_k == (step ? 576 : 192) && p->head_v == (step ? 512 : 128));
        assert_true(step ? p->d == 0 : p->d >= 1 && p->b >= p->a);
        *(step ? &steps : &prompts) += 1;
    }
    assert_true(steps > 0 && prompts > 0);
    rc_points_free(&heads);
    rc_points_free(&mla);
}

static void test_no_duplicates(void **state) {
    (void)state;
    for (int id = 0; id < RC_SUITE_COUNT; id++) {
        rc_points p = make((rc_suite_id)id, 8);
        assert_true(p.n > 0);
        for (size_t i = 0; i < p.n; i++)
            for (size_t j = 0; j < i; j++)
                assert_false(p.v[i].a == p.v[j].a && p.v[i].b == p.v[j].b && p.v[i].c == p.v[j].c &&
                             p.v[i].d == p.v[j].d && p.v[i].value == p.v[j].value &&
                             p.v[i].head_k == p.v[j].head_k && p.v[i].head_v == p.v[j].head_v &&
                             p.v[i].experts == p.v[j].experts && p.v[i].top_k == p.v[j].top_k &&
                             same_word(p.v[i].cond, p.v[j].cond) && !strcmp(p.v[i].op, p.v[j].op) &&
                             !strcmp(p.v[i].variant, p.v[j].variant) &&
                             !strcmp(p.v[i].dtype, p.v[j].dtype));
        rc_points_free(&p);
    }
}

/* What is measured are ops that the simulator knows, in the columns where it looks for their
 * sizes. */
static void test_ops_of_the_table(void **state) {
    (void)state;
    for (int id = 0; id < RC_SUITE_COUNT; id++) {
        rc_points p = make((rc_suite_id)id, 8);
        for (size_t i = 0; i < p.n; i++) {
            assert_true(rc_op_has_rows(p.v[i].op));
            const rc_op_info *op = rc_op_info_of(rc_op_named(p.v[i].op));
            const int64_t column[RC_COLUMNS] = {p.v[i].a, p.v[i].b, p.v[i].c, p.v[i].d};
            for (int k = 0; k < RC_COLUMNS; k++) {
                if (op->column[k] == RC_AXIS_NONE)
                    assert_int_equal(column[k], 0);
                else if (op->along != RC_AXIS_NONE)
                    assert_true(column[k] > 0);
            }
        }
        rc_points_free(&p);
    }
}

static void test_axes_are_set(void **state) {
    (void)state;
    for (int id = 0; id < RC_SUITE_COUNT; id++) {
        rc_points p = make((rc_suite_id)id, 8);
        size_t quick_n = 0;
        for (size_t i = 0; i < p.n; i++) {
            const rc_point *x = &p.v[i];
            bool alone = id == RC_SUITE_INTERFERENCE; /* no message beside it: a = 0 */
            assert_true(x->op && x->variant && x->dtype && (x->a > 0 || alone) && x->b >= 0);
            quick_n += x->quick;
        }
        assert_true(quick_n > 0 && (quick_n < p.n || id == RC_SUITE_HOST || id == RC_SUITE_GAP));
        rc_points_free(&p);
    }
}

static void test_add_merges_flags(void **state) {
    (void)state;
    rc_points p = {0};
    rc_point x = {.op = "copy", .variant = "", .dtype = "", .a = 4, .quick = true};
    assert_int_equal(rc_points_add(&p, &x, NULL), RC_OK);
    x.quick = false;
    x.sustained = true;
    assert_int_equal(rc_points_add(&p, &x, NULL), RC_OK);
    assert_int_equal(p.n, 1);
    assert_true(p.v[0].quick && p.v[0].sustained);
    rc_points_free(&p);
}

/* Llama 3 405B on TP8: the paper's main configuration. */
static void test_gemm_main_shapes(void **state) {
    (void)state;
    rc_points p = make(RC_SUITE_GEMM, 8);
    static const int64_t nk[][2] = {{2304, 16384}, {16384, 2048}, {13312, 16384}, {16384, 6656}};
    for (int i = 0; i < 4; i++) {
        const rc_point *x = find(&p, "gemm", i < 2 ? "bf16" : "fp8", 8192, nk[i][0], nk[i][1], 0);
        assert_non_null(x);
        assert_true(x->sustained && x->quick);
        assert_true(x - p.v < 4 * 25); /* they come first */
        assert_non_null(find(&p, "gemm", i < 2 ? "fp8" : "bf16", 8192, nk[i][0], nk[i][1], 0));
        assert_non_null(find(&p, "gemm", i < 2 ? "bf16" : "fp8", 131072, nk[i][0], nk[i][1], 0));
    }
    assert_non_null(find(&p, "gemm", "bf16", 1, 16032, 16384, 0)); /* lm_head, 128256 / 8 */
    assert_null(find(&p, "gemm", "bf16", 16, 16032, 16384, 0));    /* last tokens only */
    assert_non_null(find(&p, "gemm", "bf16", 1, 512, 16384, 0));   /* TP64: 2 + 2 heads */
    assert_non_null(find(&p, "gemm", "bf16", 128, 1280, 8192, 0)); /* 70B on TP8: 8 + 2 heads */
    assert_non_null(find(&p, "gemm", "fp8", 128, 7168, 8192, 0));
    rc_points_free(&p);
}

static void test_gemm_dims_and_times(void **state) {
    (void)state;
    rc_points p = make(RC_SUITE_GEMM, 8);
    for (size_t i = 0; i < p.n; i++) {
        const rc_point *x = &p.v[i];
        assert_int_equal(x->b % 16, 0); /* what fp8 asks for */
        assert_int_equal(x->c % 16, 0);
        double s = 2.0 * (double)x->a * (double)x->b * (double)x->c /
                   (strcmp(x->dtype, "fp8") ? 650e12 : 1250e12);
        assert_true(s <= 0.060 || x->a == 131072);
        assert_true(s < 0.150);
    }
    rc_points_free(&p);
}

static void test_attention_grid(void **state) {
    (void)state;
    rc_points p = make(RC_SUITE_ATTENTION, 8);
    assert_non_null(find(&p, "attention", "bf16", 12800, 128000, 16, 1));
    assert_non_null(find(&p, "attention", "bf16", 6400, 1024000, 16, 1));
    assert_null(find(&p, "attention", "bf16", 12800, 1024000, 16, 1));
    assert_non_null(find(&p, "attention", "bf16", 131072, 131072, 16, 1));
    const rc_point *x = find(&p, "attention", "bf16", 1600, 129600, 16, 1); /* behind a prefix */
    assert_non_null(x);
    assert_string_equal(x->variant, "causal");
    for (size_t i = 0; i < p.n; i++) {
        assert_true(p.v[i].a <= p.v[i].b || !strcmp(p.v[i].variant, "full"));
        assert_int_equal(p.v[i].c % p.v[i].d, 0);
        assert_true(p.v[i].c / p.v[i].d <= 16);
    }
    rc_points_free(&p);
}

/* What an unquantised 70B (TP 1 to 8) and 405B (TP4) run: a curve for each shape comes before the
 * rows in between, and all of it before what only other layouts need. */
static void test_gemm_unquantised(void **state) {
    (void)state;
    rc_points p = make(RC_SUITE_GEMM, 1);
    static const int64_t nk[][2] = {{10240, 8192}, {8192, 8192}, {57344, 8192},  {8192, 28672},
                                    {5120, 8192},  {8192, 4096}, {28672, 8192},  {8192, 14336},
                                    {2560, 8192},  {8192, 2048}, {14336, 8192},  {8192, 7168},
                                    {7168, 8192},  {8192, 3584}, {26624, 16384}, {16384, 13312}};
    const rc_point *other = find(&p, "gemm", "fp8", 1024, 8192, 28672, 0);
    assert_non_null(other);
    for (size_t i = 0; i < sizeof nk / sizeof nk[0]; i++) {
        const rc_point *first = find(&p, "gemm", "bf16", 1024, nk[i][0], nk[i][1], 0);
        const rc_point *then = find(&p, "gemm", "bf16", 1536, nk[i][0], nk[i][1], 0);
        assert_true(first && then && first < then && then < other);
    }
    rc_points_free(&p);
}

static size_t count(const rc_points *p, const char *cond) {
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->v[i].cond && !strcmp(p->v[i].cond, cond);
    return n;
}

static void test_conditions_asked_for(void **state) {
    (void)state;
    static const struct {
        rc_suite_id id;
        const char *cond;
        size_t n;
    } want[] = {{RC_SUITE_ATTENTION, "seqs", 21}, {RC_SUITE_DECODE, "rest", 5},
                {RC_SUITE_DECODE, "paged", 6},    {RC_SUITE_SMS, "sms", 60},
                {RC_SUITE_CLOCK, "duty", 25},     {RC_SUITE_CLOCK, "fresh", 12},
                {RC_SUITE_CLOCK, "hot", 10}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        rc_points p = make(want[i].id, 1);
        assert_int_equal(count(&p, want[i].cond), want[i].n);
        for (size_t k = 0; k < p.n; k++)
            assert_true(!p.v[k].cond || (p.v[k].value > 0) == (strcmp(p.v[k].cond, "paged") != 0));
        rc_points_free(&p);
    }
}

/* Both ends of every curve before what lies between them: a cut leaves nothing to extrapolate. */
static void test_merge_ends_first(void **state) {
    (void)state;
    rc_points p = make(RC_SUITE_MERGE, 1);
    assert_int_equal(p.n, 64);
    for (size_t i = 0; i < 8; i++)
        assert_true(p.v[i].a == 524288 || p.v[i].a == 16);
    rc_points_free(&p);
}

/* Where the point stands in the list; SIZE_MAX when it is not there. */
static size_t place(const rc_points *p, const char *op, int64_t a, int64_t b, int64_t ctas) {
    for (size_t i = 0; i < p->n; i++)
        if (!strcmp(p->v[i].op, op) && p->v[i].a == a && p->v[i].b == b && p->v[i].value == ctas &&
            (p->v[i].cond != NULL) == (ctas > 0))
            return i;
    return SIZE_MAX;
}

static void test_net_sizes(void **state) {
    (void)state;
    rc_points one = make(RC_SUITE_NET, 1), four = make(RC_SUITE_NET, 4),
              six = make(RC_SUITE_NET, 6);
    assert_int_equal(one.n, 0);
    for (size_t i = 0; i < four.n; i++) {
        const rc_point *x = &four.v[i];
        bool parts = strcmp(x->op, "send_recv") && strcmp(x->op, "all_reduce");
        assert_true((x->b == 4 || x->b == 2) && x->c == 1);
        bool ours = rc_point_reads_peers(x);
        assert_true(
            !x->cond || (!strcmp(x->cond, "ctas") && x->value > 0 && x->b == 4) ||
            (x->value == 0 && (ours || !strcmp(x->cond, "apart") || !strcmp(x->cond, "cold"))));
        assert_true(!ours || (!strcmp(x->op, "all_reduce") && x->a <= 8 << 20 && x->a % 16 == 0));
        if (parts)
            assert_int_equal(x->a % (16 * x->b), 0);
    }
    assert_true(place(&six, "send_recv", 1048576, 6, 0) < place(&six, "send_recv", 1048576, 4, 0));
    assert_true(place(&six, "send_recv", 1048576, 2, 0) < SIZE_MAX);
    assert_true(place(&six, "send_recv", 1048576, 3, 0) == SIZE_MAX);
    rc_points_free(&one);
    rc_points_free(&four);
    rc_points_free(&six);
}

/* A cut budget keeps what matters: what pins a curve down, of the ops that rings use. */
static void test_net_worth(void **state) {
    (void)state;
    rc_points p = make(RC_SUITE_NET, 4);
    const int64_t mi = 1048576;
    assert_int_equal(place(&p, "send_recv", 16 * mi, 4, 0), 0);
    assert_int_equal(place(&p, "send_recv", mi, 4, 0), 1);
    assert_int_equal(place(&p, "send_recv", 256 * mi, 4, 0), 2);
    assert_true(place(&p, "all_to_all", 4 * mi, 4, 0) < place(&p, "send_recv", 16 * mi, 2, 0));
    assert_true(place(&p, "all_to_all", 4 * mi, 2, 0) < place(&p, "send_recv", 16 * mi, 4, 8));
    assert_true(place(&p, "all_reduce", 16 * mi, 4, 32) < place(&p, "send_recv", 64 * mi, 4, 0));
    assert_true(place(&p, "reduce_scatter", mi, 2, 0) < place(&p, "send_recv", 256, 4, 0));
    rc_points_free(&p);
}

/* Layers of experts: as many rows as the GPU's share of the pairs, each shape at every number of tokens, and
 * every product by streams beside the one launch that it is held against. */
static void test_experts(void **state) {
    (void)state;
    rc_points p = make(RC_SUITE_EXPERTS, 1);
    size_t wholes = 0, streams = 0, beside = 0;
    for (size_t i = 0; i < p.n; i++) {
        const rc_point *x = &p.v[i];
        assert_true(x->experts >= 1 && x->top_k >= 1);
        if (!strcmp(x->op, "moe_ffn")) {
            wholes++;
            assert_true(x->a >= 1 && x->a <= x->d * x->top_k);
        }
        streams += x->cond != NULL;
        for (size_t k = 0; x->cond && k < p.n; k++)
            beside += !p.v[k].cond && !strcmp(p.v[k].op, x->op) &&
                      !strcmp(p.v[k].dtype, x->dtype) && p.v[k].a == x->a && p.v[k].b == x->b &&
                      p.v[k].c == x->c && p.v[k].experts == x->experts;
    }
    assert_in_range(wholes, 22 * 8, 22 * 9); /* a token may have no row here */
    assert_int_equal(streams, 32);
    assert_int_equal(beside, streams);
    rc_points_free(&p);
}

/* Scales of blocks are of models that are stored so, on eight GPUs. DeepSeek-V3: queries and latents 1536 + 512 + 64,
 * an eighth of 128 heads of 192, of 128 heads of 128 back, a shared expert of 2048. Qwen3-235B: 8 of 64 heads and one
 * key and value head of 128. All of W's inputs are whole blocks; no product goes by streams. */
static void test_blocks(void **state) {
    (void)state;
    rc_points gemm = make(RC_SUITE_GEMM, 1), experts = make(RC_SUITE_EXPERTS, 1);
    static const int64_t nk[][2] = {{1536 + 512 + 64, 7168}, {128 * 192 / 8, 1536},
                                    {7168, 128 * 128 / 8},   {2 * 2048 / 8, 7168},
                                    {7168, 2048 / 8},        {(64 / 8 + 2) * 128, 4096},
                                    {4096, 64 / 8 * 128}};
    for (size_t i = 0; i < sizeof nk / sizeof nk[0]; i++)
        for (int64_t m = 1; m <= 8192; m *= 8192)
            assert_non_null(find(&gemm, "gemm", "fp8-block", m, nk[i][0], nk[i][1], 0));
    for (size_t i = 0; i < gemm.n; i++)
        assert_true(strcmp(gemm.v[i].dtype, "fp8-block") != 0 || gemm.v[i].c % 128 == 0);
    assert_non_null(find(&experts, "moe_ffn", "fp8-block", 1024, 7168, 2048, 1024));
    assert_non_null(find(&experts, "moe_ffn", "fp8-block", 1024, 4096, 1536, 1024));
    assert_non_null(find(&experts, "grouped_gemm", "fp8-block", 256, 4096, 7168, 0));
    for (size_t i = 0; i < experts.n; i++)
        assert_false(experts.v[i].cond && !strcmp(experts.v[i].dtype, "fp8-block"));
    rc_points_free(&gemm);
    rc_points_free(&experts);
}

static void test_interference_pairs(void **state) {
    (void)state;
    rc_points p = make(RC_SUITE_INTERFERENCE, 4);
    size_t alone = 0, beside = 0;
    for (size_t i = 0; i < p.n; i++) {
        const rc_point *x = &p.v[i];
        bool plus = strchr(x->variant, '+') != NULL;
        assert_int_equal(x->c, 4);
        assert_true(x->a > 0 || !plus);
        alone += !plus;
        beside += plus;
        assert_true(!plus || alone >= 3); /* the base comes before what is held against it */
    }
    assert_true(alone > 0 && beside > 0 && p.n <= 64);
    rc_points_free(&p);
}

static void test_variants(void **state) {
    (void)state;
    char out[48];
    rc_point x = {.op = "attention", .variant = "full", .cond = "sms", .value = 124};
    rc_point_variant(&x, NULL, out, sizeof out);
    assert_string_equal(out, "full@sms124");
    rc_point_variant(&x, "tensorwise", out, sizeof out);
    assert_string_equal(out, "tensorwise@sms124");
    x.cond = "shm", x.value = 0;
    rc_point_variant(&x, NULL, out, sizeof out);
    assert_string_equal(out, "full@shm");
    x.cond = NULL;
    rc_point_variant(&x, NULL, out, sizeof out);
    assert_string_equal(out, "full");
}

static void test_conditions_are_points_apart(void **state) {
    (void)state;
    rc_points p = {0};
    rc_point x = {.op = "gemm", .variant = "", .dtype = "bf16", .a = 1, .b = 2, .c = 3};
    assert_int_equal(rc_points_add(&p, &x, NULL), RC_OK);
    x.cond = "sms", x.value = 124;
    assert_int_equal(rc_points_add(&p, &x, NULL), RC_OK);
    x.value = 116;
    assert_int_equal(rc_points_add(&p, &x, NULL), RC_OK);
    assert_int_equal(p.n, 3);
    rc_points_free(&p);
}

static void test_suites_parse(void **state) {
    (void)state;
    unsigned set = 0;
    rc_error err = {0};
    assert_int_equal(rc_suites_parse("all", &set, &err), RC_OK);
    assert_int_equal(set, (1u << RC_SUITE_COUNT) - 1);
    assert_int_equal(rc_suites_parse("gemm,net", &set, &err), RC_OK);
    assert_int_equal(set, 1u << RC_SUITE_GEMM | 1u << RC_SUITE_NET);
    assert_int_equal(rc_suites_parse("gem", &set, &err), RC_E_USAGE);
    assert_non_null(strstr(err.msg, "\"gemm\""));
    assert_int_equal(rc_suites_parse("gemm,", &set, &err), RC_E_USAGE);
    assert_int_equal(rc_suites_parse("", &set, &err), RC_E_USAGE);
}

static void test_machine_names(void **state) {
    (void)state;
    static const char *const known[][2] = {
        {"NVIDIA H200", "h200-sxm"},
        {"NVIDIA H100 80GB HBM3", "h100-sxm"},
        {"NVIDIA H100 PCIe", "h100-pcie"},
        {"NVIDIA H200 NVL", "h200-nvl"},
        {"NVIDIA GH200 480GB", "gh200-sxm"},
        {"NVIDIA A100-SXM4-80GB", "a100-sxm"},
        {"NVIDIA L40S", "l40s"},
        {"NVIDIA H20", "h20"},
        {"NVIDIA B300 SXM6 AC", "b300"},
        {"NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada-generation"},
        {"Tesla T4", "tesla-t4"},
    };
    char out[48];
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        rc_machine_name(known[i][0], out, sizeof out);
        assert_string_equal(out, known[i][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_no_duplicates),
        cmocka_unit_test(test_ops_of_the_table),
        cmocka_unit_test(test_axes_are_set),
        cmocka_unit_test(test_add_merges_flags),
        cmocka_unit_test(test_gemm_main_shapes),
        cmocka_unit_test(test_gemm_dims_and_times),
        cmocka_unit_test(test_attention_grid),
        cmocka_unit_test(test_gemm_unquantised),
        cmocka_unit_test(test_conditions_asked_for),
        cmocka_unit_test(test_merge_ends_first),
        cmocka_unit_test(test_net_sizes),
        cmocka_unit_test(test_net_worth),
        cmocka_unit_test(test_experts),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_interference_pairs),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_conditions_are_points_apart),
        cmocka_unit_test(test_suites_parse),
        cmocka_unit_test(test_machine_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
