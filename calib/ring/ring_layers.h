/* A stack of Llama-shaped layers on all ranks of a run: weights, buffers, and one pass over them.
 *
 * A layer is residual + RMSNorm, QKV, rotary and cache write, attention by the case's schedule,
 * merge, O, all-reduce, residual + RMSNorm, gate and up, SwiGLU, down, all-reduce; all in bf16.
 * Of a sequence of t new tokens after p cached ones, rank i of N holds the token chunks i and
 * 2N-1-i of 2N, and p/N cached tokens (docs/method.md).
 *
 * Everything random is made from a seed and a place (token chunk, cp index, tp index, layer), so
 * that one GPU can make the whole again: a run is checked against that (ring_check.c).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_RING_RING_LAYERS_H
#define RC_CALIB_RING_RING_LAYERS_H
#include "calib/ring/ring_ranks.h"

enum { RC_RING_MAX_LAYERS = 256 };
#define RC_RING_THETA 5e5f
#define RC_RING_EPS 1e-5f

/* Parts of a pass that are timed one by one. The last three run on the comm stream. */
typedef enum rc_ring_part {
    RC_RING_NORM,
    RC_RING_QKV,
    RC_RING_ROTARY,
    RC_RING_ATTENTION,
    RC_RING_MERGE,
    RC_RING_OUT,
    RC_RING_ALL_REDUCE,
    RC_RING_GATE_UP,
    RC_RING_SWIGLU,
    RC_RING_DOWN,
    RC_RING_SENDRECV,
    RC_RING_ALL2ALL,
    RC_RING_GATHER,
    RC_RING_PARTS
} rc_ring_part;
const char *rc_ring_part_name(rc_ring_part p);

/* Weights of one layer on one GPU: [rows][columns], row major. */
typedef struct rc_ring_weights {
    void *norm1, *norm2; /* [D] */
    void *qkv;           /* [(hq + 2 hkv) 128][D] */
    void *out;           /* [D][hq 128] */
    void *gate_up;       /* [2 F][D] */
    void *down;          /* [D][F] */
} rc_ring_weights;

typedef struct rc_ring_state {             /* one local rank */
    rc_ring_weights w[RC_RING_MAX_LAYERS]; /* shared by virtual ranks of one tp index */
    void *kv[RC_RING_MAX_LAYERS];          /* K rows, then V rows; see kv_rows */
    void *h, *x, *qkv, *q, *o, *y, *gate_up, *act;
    void *ring[RC_RING_BUFFERS];     /* what arrives in a ring */
    void *part_o[RC_RING_MAX_RANKS]; /* partial outputs: of ring step j, or for rank j's queries */
    void *back_o[RC_RING_MAX_RANKS]; /* pass-Q: what the others found for this rank's queries */
    float *part_lse[RC_RING_MAX_RANKS], *back_lse[RC_RING_MAX_RANKS];
    void *all_kv;    /* all-gather: K of the whole sequence, then V */
    void *workspace; /* of attention */
    void *tickets;   /* of attention */
    int32_t *lens;   /* decode: contexts */
} rc_ring_state;

/* Which half of a pass is run: all of it, only the compute (each rank as if the messages had
 * arrived already), or only the messages. The last two give what a ring step's attention and its
 * message take by themselves. */
typedef enum rc_ring_mode { RC_RING_WHOLE, RC_RING_COMPUTE, RC_RING_MESSAGES } rc_ring_mode;

typedef struct rc_ring_span { /* one timed part of a profiled pass, on one local rank */
    int rank, step;           /* step: of a ring, 0 outside one */
    rc_ring_part part;
    cudaEvent_t start, stop;
} rc_ring_span;

typedef struct rc_ring_layers {
    rc_ring_ranks *ranks;
    rc_ring_case c;
    uint64_t seed;
    int64_t t, chunk, cached, kv_rows; /* of a rank: tokens, tokens of a chunk, cached, both */
    rc_ring_state s[RC_RING_MAX_RANKS];
    void **owned; /* every device allocation */
    size_t owned_count, owned_room;
    double bytes;
    int layers; /* of the pass: c.layers, or 1 for the check */
    rc_ring_span *spans;
    size_t span_count, span_room;
    bool profiling;
    rc_ring_mode mode;
    int step; /* of the ring that is being enqueued */
} rc_ring_layers;

/* Memory, weights, inputs; plans of the products. RC_E_UNMODELLED when it does not fit. */
rc_status rc_ring_layers_open(rc_ring_layers *b, rc_ring_ranks *ranks, const rc_ring_case *c,
                              uint64_t seed, rc_error *err);
void rc_ring_layers_close(rc_ring_layers *b);
/* The hidden state anew: the inputs of the first layer. */
rc_status rc_ring_layers_reset(rc_ring_layers *b, rc_error *err);
/* Enqueue one pass over b->layers layers for all local ranks. Capturable. */
rc_status rc_ring_pass(rc_ring_layers *b, rc_error *err);

/* Device memory that lives as long as the layers. */
rc_status rc_ring_layers_alloc(rc_ring_layers *b, void **p, size_t bytes, rc_error *err);
/* Buffers of a pass of `rows` tokens, and the workspace and tickets of attention; K and V are not
 * among them. */
rc_status rc_ring_state_open(rc_ring_layers *b, rc_ring_state *s, const rc_ring_case *c,
                             size_t rows, size_t workspace_bytes, rc_error *err);
/* A partial output to begin with: O = 0, LSE = -inf. Rows that no key reaches stay so. rows: a token and head each. */
rc_status rc_ring_empty_part(void *o, size_t o_bytes, float *lse, size_t rows, rc_error *err);
/* Weights of layer `layer`, tp shard `tp`, made in place; the caller's memory is one block of
 * rc_ring_weights_bytes. */
size_t rc_ring_weights_bytes(const rc_ring_case *c);
rc_status rc_ring_weights_make(const rc_ring_case *c, uint64_t seed, int layer, int tp, void *block,
                               rc_ring_weights *w, cudaStream_t stream, rc_error *err);
/* Hidden states of token chunk `chunk` (prefill: of 2N; decode: cp index), n tokens. */
rc_status rc_ring_inputs_make(const rc_ring_case *c, uint64_t seed, int chunk, void *h, int64_t n,
                              cudaStream_t stream, rc_error *err);
/* Cached K or V (which = 0, 1) of a cp and tp index: `rows` rows of all hkv heads. */
rc_status rc_ring_cache_make(const rc_ring_case *c, uint64_t seed, int layer, int cp, int tp,
                             int which, void *p, int64_t rows, cudaStream_t stream, rc_error *err);

/* Attention of a layer on all local ranks, ring and merge included (ring_attention.c). */
rc_status rc_ring_attend(rc_ring_layers *b, int layer, rc_error *err);
rc_status rc_ring_attend_decode(rc_ring_layers *b, int layer, rc_error *err);
/* ring_check.c: the pass that has just run (one layer, drained) against one GPU that does the whole
 * sequence and every shard by itself: ||run - reference|| / ||reference||, the worst of this
 * process's ranks, of the attention output and of the hidden state after the layer. */
typedef struct rc_ring_errors {
    double attention, hidden;
} rc_ring_errors;
rc_status rc_ring_compare(rc_ring_layers *b, rc_ring_errors *worst, rc_error *err);
/* A part of local rank i, on its compute or comm stream, begins and ends (profiled passes only). */
rc_status rc_ring_part_begin(rc_ring_layers *b, int i, rc_ring_part part, rc_error *err);
rc_status rc_ring_part_end(rc_ring_layers *b, int i, rc_error *err);

static inline size_t rc_kv_row(const rc_ring_case *c) { /* bytes of one token's K */
    return (size_t)c->hkv * RC_RING_HEAD * 2;
}
static inline size_t rc_q_row(const rc_ring_case *c) {
    return (size_t)c->hq * RC_RING_HEAD * 2;
}
static inline void *rc_at(void *p, size_t bytes) {
    return (unsigned char *)p + bytes;
}
#endif
