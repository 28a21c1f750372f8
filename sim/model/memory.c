/* Bytes on one GPU: does a layout fit?
 *
 * Weights      q and o sharded TP ways; k and v by whole heads, max(1, N_KV/TP) of them; gate, up
 *              and down sharded; embedding and LM head sharded over the vocabulary, bf16 but for an
 *              LM head that the checkpoint quantises; norms and biases, bf16. Quantised weights
 *              carry the scales and zero points that the checkpoint states; where it states none,
 *              the usual ones (usual_scale): fp8 an fp32 scale a row of outputs, int4 a 16-bit
 *              scale for 128 elements.
 * KV           tokens of all sequences, new and cached, over the CP ranks rounded up; all layers.
 * Activations  the largest live set within a layer for t = ceil(tokens_new / CP) tokens, see
 *              live_set(). The residual stream is whole (t x D) on every GPU of the TP group.
 * Runtime      2 GB, a fixed allowance. Of it the CUDA context and what the driver holds are
 * measured: a calibration finds 84.4 GB free of an H100's 81,559 MiB and 149.4 of an H200's 143,771
 *              (heads of results/calibration), so 1.1 and 1.4 GB. The rest is for NCCL channels,
 *              cuBLAS workspaces and graphs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/model/model.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const double RUNTIME = 2e9;

/* The widths one GPU holds. */
typedef struct shard {
    double q, kv, ffn, vocab;
} shard;

static shard shard_of(const rc_model *m, const rc_layout *l) {
    int kv_heads = m->kv_heads >= l->tp ? m->kv_heads / l->tp : 1;
    shard s = {.q = (double)m->heads / l->tp * m->head_dim,
               .kv = (double)kv_heads * m->head_dim,
               .ffn = ceil((double)m->ffn / l->tp),
               .vocab = ceil((double)m->vocab / l->tp)};
    return s;
}

/* rows x columns of weights with what each tile carries besides. */
static double matrix(double rows, double columns, rc_dtype d, const rc_scale *s) {
    double bytes = rows * columns * rc_dtype_bytes(d);
    double high = s->rows > 0 ? (double)s->rows : rows;
    double wide = s->columns > 0 ? (double)s->columns : columns;
    if (s->bytes > 0.0)
        bytes += ceil(rows / high) * ceil(columns / wide) * s->bytes;
    return bytes;
}

/* Scales where no checkpoint states them. */
static rc_scale usual_scale(rc_dtype d) {
    static const rc_scale scales[RC_DTYPES] = {
        [RC_FP8] = {1, 0, 4.0},    [RC_INT4] = {1, 128, 2.0}, [RC_FP8_BLOCK] = {128, 128, 4.0},
        [RC_INT8] = {1, 0, 4.0},   [RC_W8A16] = {1, 0, 2.0},  [RC_W4A8] = {1, 128, 2.0},
        [RC_MXFP4] = {1, 32, 1.0}, [RC_NVFP4] = {1, 16, 1.0}};
    return scales[d];
}

/* One projection of all layers: as the checkpoint has it where `d` is the type that it gives this
 * part of a layer, else in `d` throughout. */
static double projection(const rc_model *m, rc_proj p, rc_dtype d, double rows, double columns) {
    const rc_quant *q = &m->quant;
    rc_scale none = {0, 0, 0.0}, usual = usual_scale(d);
    bool stated = q->method[0] != '\0' && d == (p < RC_GATE ? q->attn : q->ffn);
    if (!stated)
        return m->layers * matrix(rows, columns, d, &usual);
    int n = q->proj[p].layers;
    assert(0 <= n && n <= m->layers);
    return n * matrix(rows, columns, q->proj[p].dtype, &q->proj[p].scale) +
           (m->layers - n) * matrix(rows, columns, RC_BF16, &none);
}

static double weights_of(const rc_model *m, rc_dtype attn, rc_dtype ffn, const shard *s) {
    double d = (double)m->hidden;
    const struct {
        rc_proj p;
        rc_dtype dtype;
        double rows, columns;
    } parts[RC_PROJS] = {{RC_Q, attn, s->q, d},     {RC_K, attn, s->kv, d},
                         {RC_V, attn, s->kv, d},    {RC_O, attn, d, s->q},
                         {RC_GATE, ffn, s->ffn, d}, {RC_UP, ffn, s->ffn, d},
                         {RC_DOWN, ffn, d, s->ffn}};
    double bytes = 0.0;
    for (int i = 0; i < RC_PROJS; i++)
        bytes += projection(m, parts[i].p, parts[i].dtype, parts[i].rows, parts[i].columns);
    double small = 2.0 * d;
    if (m->qk_norm == RC_QK_NORM_HEAD)
        small += 2.0 * m->head_dim;
    if (m->qk_norm == RC_QK_NORM_FULL)
        small += s->q + s->kv;
    if (m->attention_bias)
        small += s->q + 2.0 * s->kv;
    if (m->output_bias)
        small += d;
    if (m->ffn_bias)
        small += 2.0 * s->ffn + d;
    double embed = 2.0 * (s->vocab * d + d);
    double head =
        m->tied_embeddings ? 0.0 : matrix(s->vocab, d, m->quant.head, &m->quant.head_scale);
    return bytes + m->layers * 2.0 * small + embed + head;
}

double rc_model_weight_bytes(const rc_model *m, rc_dtype attn, rc_dtype ffn) {
    const rc_layout whole = {.tp = 1, .cp = 1};
    shard s = shard_of(m, &whole);
    return weights_of(m, attn, ffn, &s);
}

/* The largest live set of one layer, t tokens: the residual stream and, in turn,
 *   QKV   the normed input and q, k, v
 *   attn  q, k, v and the output
 *   O     the attention output and the projection
 *   FFN   the (quantised) input, gate and up
 *   SwiGLU gate and up, and the (quantised) product
 *   down  the product and the projection */
static double live_set(const rc_model *m, const rc_layout *l, const shard *s, double t) {
    double a = rc_dtype_bytes(l->act), x = rc_dtype_math(l->ffn_weights) == RC_FP8 ? 1.0 : a;
    double residual = (double)m->hidden * a, qkv = (s->q + 2.0 * s->kv) * a;
    double stage[] = {
        (double)m->hidden * a + qkv,      qkv + s->q * a,
        s->q * a + (double)m->hidden * a, (double)m->hidden * x + 2.0 * s->ffn * a,
        2.0 * s->ffn * a + s->ffn * x,    s->ffn * x + (double)m->hidden * a,
    };
    double most = 0.0;
    for (size_t i = 0; i < sizeof stage / sizeof stage[0]; i++)
        most = fmax(most, stage[i]);
    return t * (residual + most);
}

rc_status rc_layout_check(const rc_model *m, const rc_layout *l, rc_error *err) {
    if (l->tp < 1 || l->cp < 1)
        return rc_fail(err, RC_E_INPUT, "tp is %d and cp is %d; both must be at least 1", l->tp,
                       l->cp);
    if (m->heads % l->tp != 0)
        return rc_fail(err, RC_E_INPUT, "tp is %d, which does not divide the %d query heads of %s",
                       l->tp, m->heads, m->name);
    if (m->kv_heads % l->tp != 0 && l->tp % m->kv_heads != 0)
        return rc_fail(err, RC_E_INPUT,
                       "tp is %d, which neither divides nor is a multiple of the %d KV heads of %s",
                       l->tp, m->kv_heads, m->name);
    return RC_OK;
}

double rc_model_kv_token(const rc_model *m, const rc_layout *l) {
    shard s = shard_of(m, l);
    return m->layers * 2.0 * s.kv * rc_dtype_bytes(l->kv);
}

rc_status rc_model_memory(const rc_model *m, const rc_layout *l, int64_t tokens_new,
                          int64_t tokens_cached, double capacity, rc_memory *out, rc_error *err) {
    RC_TRY(rc_layout_check(m, l, err));
    if (tokens_new < 0 || tokens_cached < 0)
        return rc_fail(err, RC_E_INPUT, "%lld new and %lld cached tokens; neither may be negative",
                       (long long)tokens_new, (long long)tokens_cached);
    shard s = shard_of(m, l);
    double held = ceil(((double)tokens_new + (double)tokens_cached) / l->cp);
    rc_memory mem = {.capacity = capacity, .runtime = RUNTIME};
    mem.weights = weights_of(m, l->attn_weights, l->ffn_weights, &s);
    mem.kv = held * rc_model_kv_token(m, l);
    mem.activations = live_set(m, l, &s, ceil((double)tokens_new / l->cp));
    mem.total = mem.weights + mem.kv + mem.activations + mem.runtime;
    *out = mem;
    return RC_OK;
}

rc_status rc_memory_check(const rc_memory *mem, const rc_model *m, const rc_layout *l,
                          rc_error *err) {
    if (mem->total <= mem->capacity)
        return RC_OK;
    return rc_fail(err, RC_E_NOFIT,
                   "%s does not fit on tp %d x cp %d: weights %.1f + KV cache %.1f + activations "
                   "%.1f + buffers %.1f + runtime %.1f = %.1f GB a GPU, of which memory_fraction "
                   "leaves %.1f GB",
                   m->name, l->tp, l->cp, mem->weights / 1e9, mem->kv / 1e9, mem->activations / 1e9,
                   mem->buffers / 1e9, mem->runtime / 1e9, mem->total / 1e9, mem->capacity / 1e9);
}
