/* Decode attention against fp64, bf16 and e4m3: random batches with lengths from none to all,
 * groups of 1 to 16, forced and chosen splits, contexts to a million keys. Outputs, scratch and
 * keys past each length are NaN beforehand (but for e4m3's values in a block begun). bf16 in pages, too,
 * that lie in random order among pages of NaN.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gpu_support.h"
#include "kernels/deal_plan.h"

enum { SAMPLE = 96, MAX_BATCH = 256 };

typedef struct Case {
    rc_decode_args a;
    int32_t lens[MAX_BATCH];
    int64_t spare; /* pages of no sequence; 0: the keys are not in pages */
    int64_t room;  /* of pieces, with pages; 0: as rc_decode_room has it */
    float *q, *k, *v;
    int64_t rows[SAMPLE]; /* sequence * hq + head */
    double o[SAMPLE * D], lse[SAMPLE];
} Case;

static void reference_row(void *context, int64_t i) {
    Case *c = context;
    const rc_decode_args *a = &c->a;
    int64_t sequence = c->rows[i] / a->hq, head = c->rows[i] % a->hq,
            at = sequence * a->max_len * a->hkv * D;
    if (rc_attn_reference_rows(c->q + sequence * a->hq * D, c->k + at, c->v + at, c->o + i * D,
                               c->lse + i, &head, 1, 1, c->lens[sequence], a->hq, a->hkv, 0,
                               (double)a->scale))
        c->lse[i] = (double)NAN;
}

static uint16_t *run_once(rc_decode_args *a, float **lse) {
    int64_t rows = (int64_t)a->batch * a->hq;
    size_t scratch = rc_decode_workspace(a);
    a->o = device_poison((size_t)(rows + GUARD_ROWS) * D * 2);
    a->lse = device_poison((size_t)(rows + GUARD_ROWS) * 4);
    a->workspace = scratch ? device_poison(scratch + GUARD_ROWS) : NULL;
    CUDA_OK(rc_decode_forward(a, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    uint16_t *o = host_copy(a->o, (size_t)rows * D * 2);
    *lse = host_copy(a->lse, (size_t)rows * 4);
    assert_true(still_poison((char *)a->o + rows * D * 2, GUARD_ROWS * D * 2));
    assert_true(still_poison(a->lse + rows, GUARD_ROWS * 4));
    if (scratch)
        assert_true(still_poison((char *)a->workspace + scratch, GUARD_ROWS));
    CUDA_OK(cudaFree(a->o));
    CUDA_OK(cudaFree(a->lse));
    CUDA_OK(cudaFree(a->workspace));
    return o;
}

/* Fills the cache, then poisons each sequence past its length. */
static void *device_cache(const Case *c, uint64_t seed) {
    const rc_decode_args *a = &c->a;
    int64_t row = a->hkv * D * 2;
    char *p = device_normal((int64_t)a->batch * a->max_len * a->hkv * D, seed, 1);
    for (int b = 0; b < a->batch; b++)
        CUDA_OK(cudaMemset(p + (b * a->max_len + c->lens[b]) * row, 0xff,
                           (size_t)((a->max_len - c->lens[b]) * row)));
    return p;
}

/* The caches in e4m3, one sequence after the other; floats as [batch][max_len][hkv][D]. */
static void quantise_caches(Case *c, void **k, void **v) {
    rc_decode_args *a = &c->a;
    int64_t row = a->hkv * D, slots = a->max_len * row,
            blocks = (a->max_len + 127) / 128 * 128 * row;
    char *k8 = device_poison((size_t)(a->batch * slots + GUARD_ROWS * row));
    char *v8 = device_poison((size_t)(a->batch * blocks + GUARD_ROWS * row));
    c->k = calloc((size_t)(a->batch * slots), sizeof(float));
    c->v = calloc((size_t)(a->batch * slots), sizeof(float));
    assert_true(c->k && c->v);
    for (int b = 0; b < a->batch; b++) {
        int64_t len = c->lens[b], begun = (len + 127) / 128 * 128 * row;
        CUDA_OK(cudaMemset(v8 + b * blocks, 0, (size_t)begun));
        CUDA_OK(rc_kv_fp8((char *)*k + 2 * b * slots, (char *)*v + 2 * b * slots, k8 + b * slots,
                          v8 + b * blocks, len, 0, a->hkv, a->k_scale, a->v_scale, NULL));
        CUDA_OK(cudaDeviceSynchronize());
        float *keys = host_bytes(k8 + b * slots, len * row, a->k_scale);
        float *values = host_values(v8 + b * blocks, len, a->hkv, a->v_scale);
        memcpy(c->k + b * slots, keys, (size_t)(len * row) * sizeof(float));
        memcpy(c->v + b * slots, values, (size_t)(len * row) * sizeof(float));
        free(keys), free(values);
    }
    CUDA_OK(cudaFree(*k));
    CUDA_OK(cudaFree(*v));
    *k = k8;
    *v = v8;
}

static void make_inputs(Case *c, uint64_t seed, void **q, void **k, void **v) {
    rc_decode_args *a = &c->a;
    int64_t rows = (int64_t)a->batch * a->hq, cache = (int64_t)a->batch * a->max_len * a->hkv * D;
    *q = device_normal(rows * D, seed, 1);
    *k = device_cache(c, seed + 1);
    *v = device_cache(c, seed + 2);
    if (a->dtype == RC_KERNEL_E4M3) {
        quantise_rows(q, a->batch, a->hq, a->q_scale);
        quantise_caches(c, k, v);
        c->q = host_bytes(*q, rows * D, a->q_scale);
    } else {
        c->q = host_floats(*q, rows * D);
        c->k = host_floats(*k, cache);
        c->v = host_floats(*v, cache);
    }
    a->q = *q;
    a->k = *k;
    a->v = *v;
}

/* Moves the caches into pages in random order. The spare ones and the ends of last pages stay NaN, and
 * so does the table lead nowhere behind a sequence's last page. */
static int32_t *into_pages(Case *c, uint64_t *random, void **k, void **v) {
    rc_decode_args *a = &c->a;
    size_t row = (size_t)a->hkv * D * 2;
    int64_t stride = pages_of(a->max_len) + uniform(random, 0, 2), pages = c->spare, used = 0;
    for (int b = 0; b < a->batch; b++)
        pages += pages_of(c->lens[b]);
    char *pools[] = {device_poison((size_t)pages * RC_KV_PAGE * row),
                     device_poison((size_t)pages * RC_KV_PAGE * row)};
    int32_t *order = shuffled(random, pages), *table = calloc((size_t)(a->batch * stride), 4);
    assert_non_null(table);
    for (int64_t i = 0; i < a->batch * stride; i++)
        table[i] = NO_PAGE;
    for (int b = 0; b < a->batch; b++) {
        size_t from = (size_t)(b * a->max_len) * row;
        memcpy(table + b * stride, order + used, (size_t)pages_of(c->lens[b]) * 4);
        fill_pages(pools[0], order + used, (char *)*k + from, c->lens[b], row);
        fill_pages(pools[1], order + used, (char *)*v + from, c->lens[b], row);
        used += pages_of(c->lens[b]);
    }
    int32_t *device = device_copy(table, (size_t)(a->batch * stride) * 4);
    free(order), free(table);
    CUDA_OK(cudaFree(*k));
    CUDA_OK(cudaFree(*v));
    a->k = *k = pools[0];
    a->v = *v = pools[1];
    a->table_stride = stride;
    return device;
}

/* What is dealt, on the device. Lengths are left out: with pages nobody may look at them. */
static void *deal_pages(Case *c) {
    rc_decode_args *a = &c->a;
    int64_t room = c->room ? c->room : rc_decode_room(a->batch, a->max_len, a->hkv, 132);
    rc_decode_piece *pieces = calloc((size_t)room + MAX_BATCH, sizeof *pieces);
    int32_t *first = (int32_t *)(void *)(pieces + room), order[MAX_BATCH];
    assert_non_null(pieces);
    rc_decode_deal(c->lens, a->batch, room, pieces, first, order);
    size_t bytes = (size_t)room * sizeof *pieces, all = bytes + (size_t)a->batch * 4;
    char *device = device_copy(pieces, all);
    free(pieces);
    a->pieces = (const rc_decode_piece *)(const void *)device;
    a->first = (const int32_t *)(const void *)(device + bytes);
    a->room = room;
    a->lens = NULL;
    return device;
}

static void check_case(Case *c, uint64_t *random, Worst *worst) {
    rc_decode_args *a = &c->a;
    int64_t rows = (int64_t)a->batch * a->hq;
    void *q, *k, *v, *lens = device_poison(sizeof c->lens);
    float *lse, *again_lse, row[D];
    make_inputs(c, next_random(random), &q, &k, &v);
    int32_t *table = c->spare ? into_pages(c, random, &k, &v) : NULL;
    a->table = table;
    CUDA_OK(cudaMemcpy(lens, c->lens, (size_t)a->batch * 4, cudaMemcpyHostToDevice));
    a->lens = lens;
    void *dealt = c->spare ? deal_pages(c) : NULL;
    uint16_t *o = run_once(a, &lse), *again = run_once(a, &again_lse);
    assert_memory_equal(o, again, (size_t)rows * D * 2);
    assert_memory_equal(lse, again_lse, (size_t)rows * 4);
    for (int64_t i = 0; i < rows * D; i++)
        assert_false((o[i] & 0x7f80) == 0x7f80);
    int64_t n = rows < SAMPLE ? rows : SAMPLE;
    for (int64_t i = 0; i < n; i++)
        c->rows[i] = rows == n ? i : uniform(random, 0, rows - 1);
    parallel(n, reference_row, c);
    Sums sums = {0, 0};
    double worst_lse = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int d = 0; d < D; d++)
            row[d] = from_bf16(o[c->rows[i] * D + d]);
        add_row(&sums, row, c->o + i * D, D);
        worst_lse = fmax(worst_lse, lse_error(lse[c->rows[i]], c->lse[i]));
    }
    double error = relative(sums);
    Bounds most = bounds_of(a->dtype, spread_of(1, (double)a->scale));
    if (!(error <= most.error) || !(worst_lse <= most.lse)) {
        printf("batch %d max_len %lld hq %d hkv %d scale %g splits %d dtype %d spare pages %lld: "
               "error %.2e lse %.2e\n",
               a->batch, (long long)a->max_len, a->hq, a->hkv, (double)a->scale, a->splits,
               a->dtype, (long long)c->spare, error, worst_lse);
        fail();
    }
    worst->shapes++;
    worst->error = fmax(worst->error, error);
    worst->lse = fmax(worst->lse, worst_lse);
    free(c->q), free(c->k), free(c->v), free(o), free(again), free(lse), free(again_lse);
    CUDA_OK(cudaFree(q));
    CUDA_OK(cudaFree(k));
    CUDA_OK(cudaFree(v));
    CUDA_OK(cudaFree(lens));
    CUDA_OK(cudaFree(table));
    CUDA_OK(cudaFree(dealt));
}

static void random_case(Case *c, uint64_t *random, int dtype) {
    static const float scales[] = {1, 0.5f, 0.03f};
    rc_decode_args *a = &c->a;
    memset(a, 0, sizeof *a);
    a->dtype = dtype;
    a->q_scale = scales[uniform(random, 0, 2)];
    a->k_scale = scales[uniform(random, 0, 2)];
    a->v_scale = scales[uniform(random, 0, 2)];
    a->batch = (int)any_size(random, 1, MAX_BATCH);
    a->max_len = any_size(random, 1, 20000);
    a->hkv = (int)uniform(random, 1, 8);
    while (a->hkv > 1 && a->batch * a->max_len * a->hkv > 60000)
        a->hkv--;
    while (a->batch > 1 && a->batch * a->max_len > 60000)
        a->batch /= 2;
    a->hq = a->hkv * (int)uniform(random, 1, 16);
    static const float softmax[] = {0, 0, 0, 0.05f, 0.3f};
    a->scale = softmax[uniform(random, 0, 4)];
    if (uniform(random, 0, 2) == 0)
        a->splits = (int)any_size(random, 1, 300);
    if (uniform(random, 0, 3) == 0)
        a->sms = (int)uniform(random, 1, 140);
    for (int b = 0; b < a->batch; b++) {
        int64_t kind = uniform(random, 0, 5);
        c->lens[b] = (int32_t)(kind == 0  ? 0
                               : kind < 3 ? a->max_len
                                          : uniform(random, 0, a->max_len));
    }
}

static void test_random(void **state) {
    (void)state;
    static const char *const names[] = {"decode bf16, random", "decode e4m3, random"};
    int dtypes = gpu_multiplies_e4m3("decode") ? 2 : 1;
    for (int dtype = 0; dtype < dtypes; dtype++) {
        uint64_t seed = setting("RC_GPU_TEST_SEED", 4), random = seed;
        Worst worst = {0, 0, 0};
        int cases = random_cases(510);
        Case *c = calloc(1, sizeof *c);
        assert_non_null(c);
        for (int i = 0; i < cases; i++) {
            random_case(c, &random, dtype);
            check_case(c, &random, &worst);
        }
        free(c);
        report(names[dtype], &worst, seed);
    }
}

/* Lengths around the ends of pages among the others; the last case's pool is so large that byte offsets
 * go beyond 2^32. */
static void test_paged(void **state) {
    (void)state;
    enum { FAR_PAGES = 20000 };
    uint64_t seed = setting("RC_GPU_TEST_SEED", 14), random = seed;
    Worst worst = {0, 0, 0};
    int cases = random_cases(400);
    Case *c = calloc(1, sizeof *c);
    assert_non_null(c);
    for (int i = 0; i < cases; i++) {
        bool far = i == cases - 1 && !getenv("RC_GPU_TEST_CASES");
        random_case(c, &random, RC_KERNEL_BF16);
        if (far)
            c->a.hkv = 8, c->a.hq = 16, c->a.batch = 4, c->a.max_len = 3000;
        for (int b = 0; b < c->a.batch; b++) {
            int32_t edge = page_edge(&random);
            if (edge <= c->a.max_len && (far || uniform(&random, 0, 1)))
                c->lens[b] = far ? 3000 - edge : edge;
        }
        c->room = i % 4 == 0 ? c->a.batch : i % 4 == 1 ? c->a.batch + uniform(&random, 1, 300) : 0;
        c->spare = far ? FAR_PAGES : any_size(&random, 1, 40);
        check_case(c, &random, &worst);
    }
    free(c);
    report("decode bf16, in pages", &worst, seed);
}

static void test_large(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 5), random = seed;
    Worst worst = {0, 0, 0};
    static const int64_t lengths[] = {131072, 1 << 20};
    Case *c = calloc(1, sizeof *c);
    assert_non_null(c);
    int count = random_cases(40) / 10;
    for (int i = 0; i < 4 && i < count; i++) {
        c->a = (rc_decode_args){.batch = 1,
                                .max_len = lengths[i / 2],
                                .hq = 16,
                                .hkv = 1,
                                .dtype = gpu_multiplies_e4m3("decode") ? i % 2 : RC_KERNEL_BF16,
                                .q_scale = 1,
                                .k_scale = 1,
                                .v_scale = 1};
        c->lens[0] = (int32_t)lengths[i / 2];
        check_case(c, &random, &worst);
    }
    free(c);
    report("decode, large", &worst, seed);
}

/* Byte offsets beyond 2^32: the second of two sequences of a million keys and eight heads. */
static void test_far(void **state) {
    (void)state;
    enum { KEYS = 1 << 20, HEADS = 8, GROUP = 2 };
    if (getenv("RC_GPU_TEST_CASES"))
        return; /* takes a sanitizer too long */
    rc_decode_args a = {.batch = 2, .max_len = KEYS, .hq = HEADS * GROUP, .hkv = HEADS};
    static const int32_t lens[] = {KEYS, KEYS - 77};
    int64_t nk = 2 * (int64_t)KEYS * HEADS * D, nq = 2 * (int64_t)a.hq * D;
    void *q = device_normal(nq, 5, 1), *k = device_normal(nk, 6, 1), *v = device_normal(nk, 7, 1);
    void *device_lens = device_poison(sizeof lens);
    CUDA_OK(cudaMemcpy(device_lens, lens, sizeof lens, cudaMemcpyHostToDevice));
    a.q = q, a.k = k, a.v = v, a.lens = device_lens;
    float *lse = NULL, *hq = host_floats(q, nq), row[D];
    uint16_t *o = run_once(&a, &lse);
    for (int i = 0; i < 4; i++) {
        int seq = i / 2, head = i % 2 * (HEADS - 1);
        float *hk = host_head(k, (int64_t)seq * KEYS, lens[seq], HEADS, head);
        float *hv = host_head(v, (int64_t)seq * KEYS, lens[seq], HEADS, head);
        for (int r = 0; r < GROUP; r++) {
            int64_t at = (int64_t)seq * a.hq + head * GROUP + r, zero = 0;
            double want[D], want_lse;
            Sums sums = {0, 0};
            assert_int_equal(rc_attn_reference_rows(hq + at * D, hk, hv, want, &want_lse, &zero, 1,
                                                    1, lens[seq], 1, 1, 0, 0),
                             0);
            for (int d = 0; d < D; d++)
                row[d] = from_bf16(o[at * D + d]);
            add_row(&sums, row, want, D);
            assert_true(lse_error(lse[at], want_lse) < 1e-3);
            assert_true(relative(sums) < 6e-3);
        }
        free(hk), free(hv);
    }
    free(o), free(lse), free(hq);
    void *all[] = {q, k, v, device_lens};
    for (int i = 0; i < 4; i++)
        CUDA_OK(cudaFree(all[i]));
    printf("decode, far: offsets to %.1f GB\n", 2e-9 * (double)nk);
}

/* Launches that share a workspace, one right behind the other. */
static void test_shared_workspace(void **state) {
    (void)state;
    enum { LEN = 30000, TIMES = 200 };
    uint64_t random = 8;
    Case *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->a = (rc_decode_args){.batch = 1, .max_len = LEN, .hq = 16, .hkv = 1};
    c->lens[0] = LEN;
    void *q, *k, *v, *lens = device_poison(4), *o[2];
    make_inputs(c, next_random(&random), &q, &k, &v);
    CUDA_OK(cudaMemcpy(lens, c->lens, 4, cudaMemcpyHostToDevice));
    c->a.splits = 132;
    size_t scratch = rc_decode_workspace(&c->a);
    void *workspace = device_poison(scratch);
    c->a.lens = lens;
    c->a.workspace = workspace;
    for (int i = 0; i < 2; i++)
        o[i] = device_poison(16 * D * 2);
    for (int i = 0; i < TIMES; i++) {
        rc_decode_args a = c->a;
        a.o = o[i > 0];
        a.splits = i % 3 ? (int)uniform(&random, 2, 132) : 0;
        if (i == TIMES - 1)
            a.splits = 0;
        CUDA_OK(rc_decode_forward(&a, NULL));
    }
    CUDA_OK(cudaDeviceSynchronize());
    uint16_t *first = host_copy(o[0], 16 * D * 2), *last = host_copy(o[1], 16 * D * 2);
    assert_memory_equal(first, last, 16 * D * 2);
    free(first), free(last), free(c->q), free(c->k), free(c->v), free(c);
    void *all[] = {q, k, v, lens, workspace, o[0], o[1]};
    for (int i = 0; i < 7; i++)
        CUDA_OK(cudaFree(all[i]));
}

/* Code without e4m3 products refuses them before anything is launched, and says which GPU would not.
 */
static void test_refusal(void **state) {
    (void)state;
    rc_decode_args a = {.batch = 1, .max_len = 64, .hq = 1, .hkv = 1, .dtype = RC_KERNEL_E4M3};
    char text[32];
    if (gpu_multiplies_e4m3("decode"))
        return;
    assert_int_equal(rc_decode_forward(&a, NULL), RC_KERNEL_ECAPABILITY);
    assert_int_equal((int)cudaDeviceSynchronize(), 0);
    assert_int_equal((int)cudaGetLastError(), 0);
    printf("decode e4m3 refused: it needs code for compute capability %s\n",
           rc_capability_text(rc_capability_of("decode", true), text, sizeof text));
}

/* Pages hold bf16 of heads of 128 alone, and every sequence's part of the table leads to all its keys. */
static void test_paged_refusals(void **state) {
    (void)state;
    int32_t table[2] = {0, 1};
    const rc_decode_args good = {.batch = 1,
                                 .max_len = 256,
                                 .hq = 2,
                                 .hkv = 1,
                                 .table = table,
                                 .table_stride = 2,
                                 .pieces = (const rc_decode_piece *)(const void *)table,
                                 .first = table,
                                 .room = 1};
    rc_decode_args a = good;
    a.table_stride = 1;
    assert_int_equal(rc_decode_forward(&a, NULL), RC_KERNEL_EINVAL);
    a = good, a.pieces = NULL;
    assert_int_equal(rc_decode_forward(&a, NULL), RC_KERNEL_EINVAL);
    a = good, a.first = NULL;
    assert_int_equal(rc_decode_forward(&a, NULL), RC_KERNEL_EINVAL);
    a = good, a.room = 0;
    assert_int_equal(rc_decode_forward(&a, NULL), RC_KERNEL_EINVAL);
    a = good, a.room = 2; /* pieces that are to be put together, and no workspace */
    assert_int_equal(rc_decode_forward(&a, NULL), RC_KERNEL_EINVAL);
    a = good, a.dtype = RC_KERNEL_E4M3;
    assert_int_equal(rc_decode_forward(&a, NULL), RC_KERNEL_EINVAL);
    static const int heads[] = {64, 192, 256};
    for (int i = 0; i < 3; i++) {
        a = good, a.head_k = heads[i];
        assert_int_equal(rc_decode_forward(&a, NULL), RC_KERNEL_EINVAL);
    }
}

int main(void) {
    bool all = true;
    need_gpu("test_gpu_decode", "decode");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random),
                                       cmocka_unit_test(test_large),
                                       cmocka_unit_test(test_far),
                                       cmocka_unit_test(test_paged),
                                       cmocka_unit_test(test_paged_refusals),
                                       cmocka_unit_test(test_shared_workspace),
                                       cmocka_unit_test(test_refusal)};
    printf("kernel %s\n", rc_kernel_version("decode"));
#ifndef RC_OLDEST_PTX
    all = gpu_multiplies_e4m3("decode");
    if (!all)
        printf("SKIPPED: decode of e4m3, which this GPU does not multiply\n");
#endif
    return ended(cmocka_run_group_tests(tests, NULL, NULL), all);
}
