/* A layer of experts on one GPU: the choice of experts, moving rows, products of many matrices, and the
 * whole feed-forward of the chosen experts.
 *
 * moe_ffn is what an engine launches between the choice and the sum over GPUs: rows to their experts (in fp8
 * quantised there, one scale a row; in fp8-block one for each 128 elements), gate and up, SwiGLU, down, and the weighted sum of each token's rows.
 * The load is even: pairs of a token and an expert are dealt out in turn, and of the experts of all GPUs those
 * here get every P-th pair, so that rows of one token lie far apart. grouped_gemm is one of the products; under
 * the condition `streams` it is a product an expert by cuBLASLt (cublaslt_streams.h).
 *
 * moe_route of 256 experts is DeepSeek's (sigmoids; 8 of the 4 best of 8 groups), of 384 Kimi's (sigmoids, no
 * groups), else a softmax; weights sum to 1.
 *
 * Bytes (e: of an element of x and W, R rows, T tokens, k experts a token, E experts here):
 *     grouped_gemm     R K e + E N K e + 2 R N          FLOPs 2 R N K
 *     moe_ffn          rc_op_info.work of the op
 *     moe_route        T (4 E + 16 k)
 *     moe_permute      2 T d (1 + k); to fp8: T d (2 + k) + 4 T k
 *     moe_unpermute    2 T d (1 + k)
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/cublaslt_streams.h"
#include "calib/suite.h"
#include "kernels/experts.h"
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

typedef struct experts_suite {
    rc_buffer w16, w8, x, out; /* weights, tokens in bf16, all that is written */
    rc_buffer scales;          /* floats, of weights and of rows that are given in e4m3 */
    rc_buffer first, place, weight;
    rc_streams *lt;
} experts_suite;

/* A point ready to be launched. */
typedef struct call {
    experts_suite *suite;
    const rc_point *p;
    rc_sets sets;
    size_t x_stride;
    const unsigned char *w;
    int64_t tokens;
    int top_k;
    const int64_t *rows_of; /* streams: rows of each expert */
} call;

static bool is(const rc_point *p, const char *op) {
    return !strcmp(p->op, op);
}

/* e4m3 with a scale for each 128 elements of a row and each 128 x 128 of W. */
static bool is_blocks(const rc_point *p) {
    return !strcmp(p->dtype, "fp8-block");
}

static bool is_fp8(const rc_point *p) {
    return !strcmp(p->dtype, "fp8") || is_blocks(p);
}

static size_t element(const rc_point *p) {
    return is_fp8(p) ? 1 : 2;
}

static size_t blocks_of(size_t n) {
    return (n + RC_SCALE_BLOCK - 1) / RC_SCALE_BLOCK;
}

/* Bytes of the scales of rows of k elements. */
static size_t scale_bytes(const rc_point *p, size_t rows, size_t k) {
    return 4 * rows * (is_blocks(p) ? blocks_of(k) : 1);
}

/* Tokens that enter, and experts that each goes to, of the sizes of a point. */
static int64_t tokens_of(const rc_point *p) {
    if (!is(p, "moe_ffn"))
        return p->a;
    return p->d > 0 ? p->d : (p->a + p->top_k - 1) / p->top_k;
}

/* ---- sizes ----------------------------------------------------------------------------------- */

/* Bytes of the parts of a feed-forward, in order. */
typedef struct ffn_parts {
    size_t w_up, w_down;                                      /* read */
    size_t rows, row_scale, gate_up, act, act_scale, down, y; /* written */
} ffn_parts;

static ffn_parts ffn_of(const rc_point *p) {
    size_t r = (size_t)p->a, d = (size_t)p->b, f = (size_t)p->c, e = element(p);
    size_t n = (size_t)p->experts, t = (size_t)tokens_of(p);
    return (ffn_parts){
        rc_align(n * 2 * f * d * e),    rc_align(n * d * f * e), rc_align(r * d * e),
        rc_align(scale_bytes(p, r, d)), rc_align(4 * r * f),     rc_align(r * f * e),
        rc_align(scale_bytes(p, r, f)), rc_align(2 * r * d),     rc_align(2 * t * d)};
}

/* Weights, and outputs; tokens are apart (x_bytes). */
static rc_need need_of(const rc_point *p) {
    size_t a = (size_t)p->a, b = (size_t)p->b, c = (size_t)p->c, k = (size_t)p->top_k;
    if (is(p, "moe_ffn")) {
        ffn_parts f = ffn_of(p);
        return (rc_need){f.w_up + f.w_down,
                         f.rows + f.row_scale + f.gate_up + f.act + f.act_scale + f.down + f.y};
    }
    if (is(p, "grouped_gemm"))
        return (rc_need){rc_align((size_t)p->experts * b * c * element(p)) +
                             rc_align(a * c * element(p)),
                         rc_align(2 * a * b)};
    if (is(p, "moe_route"))
        return (rc_need){1024, rc_align(4 * a * k) * 3 + 8192 +
                                   rc_align(4 * (size_t)p->experts * (a / 64 + 2))};
    if (is(p, "moe_permute"))
        return (rc_need){1024,
                         rc_align(a * k * b * element(p)) + rc_align(scale_bytes(p, a * k, b))};
    return (rc_need){rc_align(2 * a * k * b), rc_align(2 * a * b)};
}

static size_t x_bytes(const rc_point *p) {
    if (is(p, "moe_route"))
        return rc_align(4 * (size_t)(p->a * p->experts));
    if (is(p, "moe_ffn") || is(p, "moe_permute"))
        return rc_align(2 * (size_t)(tokens_of(p) * p->b));
    return 0;
}

static rc_sets sets_of(const rc_gpu *g, const rc_point *p) {
    rc_need need = need_of(p);
    rc_sets s = rc_sets_for(g, (rc_need){need.in + x_bytes(p), need.out});
    s.in_stride = rc_align(need.in);
    return s;
}

/* ---- open and close -------------------------------------------------------------------------- */

static void experts_close(void *self) {
    experts_suite *s = self;
    if (!s)
        return;
    rc_streams_close(s->lt);
    rc_buffer *const all[] = {&s->w16,    &s->w8,    &s->x,     &s->out,
                              &s->scales, &s->first, &s->place, &s->weight};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        rc_buffer_free(all[i]);
    free(s);
}

static size_t larger(size_t x, size_t y) {
    return x > y ? x : y;
}

/* What the list's points need of each pool. */
typedef struct pool_bytes {
    size_t w16, w8, x, out, scales, pairs;
} pool_bytes;

static void add_point(const rc_gpu *g, const rc_point *p, pool_bytes *b) {
    rc_sets s = sets_of(g, p);
    size_t n = (size_t)s.n, *w = is_fp8(p) ? &b->w8 : &b->w16;
    rc_sets whole = s;
    whole.in_stride += x_bytes(p);
    if (!rc_sets_fit(g, &whole))
        return;
    *w = larger(*w, n * s.in_stride);
    b->x = larger(b->x, n * x_bytes(p));
    b->out = larger(b->out, n * s.out_stride);
    b->scales = larger(b->scales, 8 * (size_t)p->experts * larger((size_t)p->b, (size_t)p->c));
    b->scales = larger(b->scales, scale_bytes(p, (size_t)p->a, (size_t)p->c));
    b->pairs = larger(b->pairs, 4 * (size_t)(tokens_of(p) * (p->top_k > 0 ? p->top_k : 1)));
}

static rc_status fill_floats(const rc_buffer *p, float base, rc_error *err) {
    size_t n = p->bytes / sizeof(float);
    float *host = malloc(p->bytes);
    if (!host)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu bytes", p->bytes);
    for (size_t i = 0; i < n; i++)
        host[i] = base * (1.0f + (float)(i % 7) / 64.0f);
    cudaError_t e = cudaMemcpy(p->p, host, p->bytes, cudaMemcpyHostToDevice);
    free(host);
    return e == cudaSuccess ? RC_OK : rc_cuda_fail(err, e, "cudaMemcpy", __FILE__, __LINE__);
}

static rc_status fill_suite(rc_calib *c, experts_suite *s, const rc_points *points, rc_error *err) {
    const size_t row = 8192; /* e4m3 is filled by whole rows of it */
    pool_bytes b = {0, 0, 0, 0, 1024, 1024};
    for (size_t i = 0; i < points->n; i++)
        add_point(&c->gpu, &points->v[i], &b);
    RC_TRY(rc_buffer_reserve(&s->w16, b.w16, err));
    RC_TRY(rc_buffer_reserve(&s->w8, (b.w8 + row - 1) / row * row, err));
    RC_TRY(rc_buffer_reserve(&s->x, b.x, err));
    RC_TRY(rc_buffer_reserve(&s->out, b.out, err));
    RC_TRY(rc_buffer_reserve(&s->scales, b.scales, err));
    RC_TRY(rc_buffer_reserve(&s->first, sizeof(int32_t) * (RC_EXPERTS_MAX + 1), err));
    RC_TRY(rc_buffer_reserve(&s->place, b.pairs, err));
    RC_TRY(rc_buffer_reserve(&s->weight, b.pairs, err));
    RC_TRY(rc_buffer_fill_bf16(&c->gpu, &s->w16, c->opt->seed, err));
    RC_TRY(rc_buffer_fill_e4m3(&c->gpu, &s->w8, c->opt->seed + 1, err));
    RC_TRY(rc_buffer_fill_bf16(&c->gpu, &s->x, c->opt->seed + 2, err));
    RC_TRY(fill_floats(&s->scales, 0.01f, err));
    return fill_floats(&s->weight, 0.125f, err);
}

static rc_status experts_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    experts_suite *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_status st = fill_suite(c, s, points, err);
    if (st != RC_OK) {
        experts_close(s);
        return st;
    }
    *self = s;
    return RC_OK;
}

/* ---- the load -------------------------------------------------------------------------------- */

/* Rows of expert e of `experts` that `rows` pairs are dealt to in turn. */
static int64_t rows_of_expert(const rc_point *p, int64_t rows, int64_t e) {
    return rows / p->experts + (e < rows % p->experts);
}

static rc_status send_first(const experts_suite *s, const rc_point *p, int64_t rows, int32_t *first,
                            rc_error *err) {
    first[0] = 0;
    for (int64_t e = 0; e < p->experts; e++)
        first[e + 1] = first[e] + (int32_t)rows_of_expert(p, rows, e);
    RC_CUDA(cudaMemcpy(s->first.p, first, sizeof *first * (size_t)(p->experts + 1),
                       cudaMemcpyHostToDevice));
    return RC_OK;
}

/* Of tokens x top_k pairs, `rows` are for experts here, evenly among the others. */
static rc_status send_places(const call *k, const int32_t *first, int64_t rows, rc_error *err) {
    int64_t pairs = k->tokens * k->top_k, q = 0;
    int32_t *place = malloc((size_t)pairs * sizeof *place);
    if (!place)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %lld pairs", (long long)pairs);
    for (int64_t i = 0; i < pairs; i++) {
        bool here = (i + 1) * rows / pairs > i * rows / pairs;
        place[i] = here ? (int32_t)(first[q % k->p->experts] + q / k->p->experts) : -1;
        q += here;
    }
    cudaError_t e =
        cudaMemcpy(k->suite->place.p, place, (size_t)pairs * sizeof *place, cudaMemcpyHostToDevice);
    free(place);
    return e == cudaSuccess ? RC_OK : rc_cuda_fail(err, e, "cudaMemcpy", __FILE__, __LINE__);
}

/* ---- launches -------------------------------------------------------------------------------- */

static int kernel_type(const rc_point *p) {
    return is_blocks(p) ? RC_KERNEL_E4M3_BLOCKS : is_fp8(p) ? RC_KERNEL_E4M3 : RC_KERNEL_BF16;
}

/* Rows to their experts: as they are, or in the type of the point. */
static rc_status permute(const call *k, const void *x, void *out, float *scale, int64_t rows,
                         cudaStream_t stream, rc_error *err) {
    const int32_t *place = (const int32_t *)(const void *)k->suite->place.p;
    const rc_point *p = k->p;
    int code = is_blocks(p) ? rc_permute_blocks(x, place, out, scale, rows, k->tokens, k->top_k,
                                                p->b, stream)
                            : rc_permute(x, place, out, is_fp8(p) ? scale : NULL, k->tokens,
                                         k->top_k, p->b, stream);
    return rc_kernel_check(err, code, "rc_permute");
}

static rc_status activate(const rc_point *p, const void *gate_up, void *act, float *scale,
                          cudaStream_t stream, rc_error *err) {
    const int width = (int)p->c;
    int code = is_blocks(p) ? rc_swiglu_fp8_blocks(gate_up, act, scale, p->a, p->a, width, stream)
               : is_fp8(p)  ? rc_swiglu_fp8(gate_up, act, scale, p->a, width, stream)
                            : rc_swiglu(gate_up, act, p->a, width, stream);
    return rc_kernel_check(err, code, "rc_swiglu");
}

static int grouped(const call *k, const void *x, const void *x_scale, const void *w, void *y,
                   int64_t rows, int64_t n, int64_t d, cudaStream_t stream) {
    const rc_grouped_args a = {.x = x,
                               .w = w,
                               .y = y,
                               .first = (const int32_t *)(const void *)k->suite->first.p,
                               .x_scale = x_scale,
                               .w_scale = (const float *)(const void *)k->suite->scales.p,
                               .rows = rows,
                               .n = n,
                               .k = d,
                               .experts = (int)k->p->experts,
                               .dtype = kernel_type(k->p),
                               .scale_stride = rows};
    return rc_grouped_gemm(&a, stream);
}

static rc_status launch_grouped(void *self, int slot, cudaStream_t stream, rc_error *err) {
    call *k = self;
    const rc_point *p = k->p;
    const unsigned char *w = k->w + (size_t)slot * k->sets.in_stride;
    const unsigned char *x = w + rc_align((size_t)(p->experts * p->b * p->c) * element(p));
    void *y = k->suite->out.p + (size_t)slot * k->sets.out_stride;
    if (k->rows_of)
        return rc_streams_launch(k->suite->lt, k->rows_of, (int)p->experts, x, w, y, stream, err);
    return rc_kernel_check(err, grouped(k, x, k->suite->scales.p, w, y, p->a, p->b, p->c, stream),
                           "rc_grouped_gemm");
}

static rc_status launch_ffn(void *self, int slot, cudaStream_t stream, rc_error *err) {
    call *k = self;
    const rc_point *p = k->p;
    const ffn_parts f = ffn_of(p);
    const unsigned char *w = k->w + (size_t)slot * k->sets.in_stride;
    const unsigned char *x = k->suite->x.p + (size_t)slot * k->x_stride;
    unsigned char *rows = k->suite->out.p + (size_t)slot * k->sets.out_stride;
    unsigned char *row_scale = rows + f.rows, *gate_up = row_scale + f.row_scale;
    unsigned char *act = gate_up + f.gate_up, *act_scale = act + f.act;
    unsigned char *down = act_scale + f.act_scale, *y = down + f.down;
    const int32_t *place = (const int32_t *)(const void *)k->suite->place.p;
    float *rs = (float *)(void *)row_scale, *as = (float *)(void *)act_scale;
    RC_TRY(permute(k, x, rows, rs, p->a, stream, err));
    RC_TRY(rc_kernel_check(err, grouped(k, rows, rs, w, gate_up, p->a, 2 * p->c, p->b, stream),
                           "rc_grouped_gemm"));
    RC_TRY(activate(p, gate_up, act, as, stream, err));
    RC_TRY(rc_kernel_check(err, grouped(k, act, as, w + f.w_up, down, p->a, p->b, p->c, stream),
                           "rc_grouped_gemm"));
    return rc_kernel_check(err,
                           rc_unpermute(down, place,
                                        (const float *)(const void *)k->suite->weight.p, y,
                                        k->tokens, k->top_k, p->b, stream),
                           "rc_unpermute");
}

static rc_status launch_route(void *self, int slot, cudaStream_t stream, rc_error *err) {
    call *k = self;
    const rc_point *p = k->p;
    unsigned char *out = k->suite->out.p + (size_t)slot * k->sets.out_stride;
    const size_t part = rc_align(4 * (size_t)(p->a * p->top_k));
    const bool groups = p->experts == 256;
    const rc_route_args a = {
        .logits = (const float *)(const void *)(k->suite->x.p + (size_t)slot * k->x_stride),
        .chosen = (int32_t *)(void *)out,
        .weight = (float *)(void *)(out + part),
        .place = (int32_t *)(void *)(out + 2 * part),
        .first = (int32_t *)(void *)(out + 3 * part),
        .workspace = out + 3 * part + 4096,
        .tokens = p->a,
        .experts = (int)p->experts,
        .top_k = (int)p->top_k,
        .groups = groups ? 8 : 1,
        .kept = groups ? 4 : 1,
        .sigmoid = groups || p->experts == 384,
        .normalise = 1};
    return rc_kernel_check(err, rc_route(&a, stream), "rc_route");
}

static rc_status launch_permute(void *self, int slot, cudaStream_t stream, rc_error *err) {
    call *k = self;
    const rc_point *p = k->p;
    unsigned char *out = k->suite->out.p + (size_t)slot * k->sets.out_stride;
    float *scale = (float *)(void *)(out + rc_align((size_t)(p->a * p->top_k * p->b) * element(p)));
    return permute(k, k->suite->x.p + (size_t)slot * k->x_stride, out, scale, p->a * p->top_k,
                   stream, err);
}

static rc_status launch_unpermute(void *self, int slot, cudaStream_t stream, rc_error *err) {
    call *k = self;
    const rc_point *p = k->p;
    return rc_kernel_check(err,
                           rc_unpermute(k->w + (size_t)slot * k->sets.in_stride,
                                        (const int32_t *)(const void *)k->suite->place.p,
                                        (const float *)(const void *)k->suite->weight.p,
                                        k->suite->out.p + (size_t)slot * k->sets.out_stride, p->a,
                                        k->top_k, p->b, stream),
                           "rc_unpermute");
}

/* ---- a point --------------------------------------------------------------------------------- */

static bool takes(const rc_point *p) {
    return p->experts >= 1 && p->experts <= RC_EXPERTS_MAX && p->top_k >= 0 &&
           p->top_k <= RC_EXPERTS_TOP_K_MAX && (p->top_k > 0 || is(p, "grouped_gemm"));
}

/* One product an expert, on several streams. */
static rc_status prepare_streams(rc_calib *c, call *k, int64_t *rows_of, rc_error *err) {
    const rc_point *p = k->p;
    if (!k->suite->lt)
        RC_TRY(rc_streams_open(&k->suite->lt, err));
    for (int64_t e = 0; e < p->experts; e++)
        rows_of[e] = rows_of_expert(p, p->a, e);
    k->rows_of = rows_of;
    const rc_cublaslt_shape shape = {.n = p->b, .k = p->c, .type = rc_product_type_named(p->dtype)};
    const unsigned char *x = k->w + rc_align((size_t)(p->experts * p->b * p->c) * element(p));
    return rc_streams_prepare(k->suite->lt, &shape, (int)p->value, rows_of, (int)p->experts, x,
                              k->w, k->suite->out.p, c->gpu.stream, err);
}

static rc_status prepare_load(const call *k, rc_error *err) {
    int32_t first[RC_EXPERTS_MAX + 1];
    const rc_point *p = k->p;
    bool gemm = is(p, "grouped_gemm"), ffn = is(p, "moe_ffn");
    int64_t rows = gemm || ffn ? p->a : p->a * p->top_k;
    if (is(p, "moe_route"))
        return RC_OK;
    if (ffn && rows > k->tokens * k->top_k)
        return rc_fail(err, RC_E_UNMODELLED, "%lld rows of %lld tokens", (long long)rows,
                       (long long)k->tokens);
    RC_TRY(send_first(k->suite, p, rows, first, err));
    return gemm ? RC_OK : send_places(k, first, rows, err);
}

static const struct {
    const char *op, *family;
    rc_status (*launch)(void *self, int slot, cudaStream_t stream, rc_error *err);
} launches[] = {{"grouped_gemm", "grouped", launch_grouped},
                {"moe_ffn", "grouped", launch_ffn},
                {"moe_route", "experts", launch_route},
                {"moe_permute", "experts", launch_permute},
                {"moe_unpermute", "experts", launch_unpermute}};

static rc_status experts_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                                 rc_error *err) {
    int64_t rows_of[RC_EXPERTS_MAX];
    size_t i = 0;
    if (!takes(p))
        return rc_fail(err, RC_E_UNMODELLED,
                       "%lld experts, %lld a token: the kernels take 1 to %d, "
                       "and at most %d a token",
                       (long long)p->experts, (long long)p->top_k, RC_EXPERTS_MAX,
                       RC_EXPERTS_TOP_K_MAX);
    call k = {.suite = self, .p = p, .sets = sets_of(&c->gpu, p), .x_stride = x_bytes(p)};
    rc_sets whole = k.sets;
    whole.in_stride += k.x_stride;
    RC_TRY(rc_sets_check(&c->gpu, &whole, err));
    k.w = is_fp8(p) ? k.suite->w8.p : k.suite->w16.p;
    k.tokens = tokens_of(p);
    k.top_k = (int)p->top_k;
    RC_TRY(prepare_load(&k, err));
    if (p->cond && !strcmp(p->cond, "streams"))
        RC_TRY(prepare_streams(c, &k, rows_of, err));
    while (!is(p, launches[i].op))
        i++;
    rc_need need = need_of(p);
    rc_bench_op op = {launches[i].launch, &k, need.in + need.out + k.x_stride, k.sets.n};
    RC_TRY(rc_bench_run(&c->bench, &op, &m->r, err));
    if (k.rows_of)
        rc_cublaslt_version(m->kernel, sizeof m->kernel);
    else
        rc_record_set(m->kernel, sizeof m->kernel, rc_kernel_version(launches[i].family));
    return RC_OK;
}

const rc_suite rc_suite_experts = {experts_open, experts_measure, experts_close};
