/* A model on the GPUs of one run, and one pass over it: prompts, pieces of prompts and sequences that
 * decode together, keys and values in pages that the attention kernels find through a table.
 *
 * Layers are those of `ringcast-calib ring` (ring_layers.h), bf16, heads of 128, sharded over the
 * TP group. Before them tokens become states by a table of random rows; behind them come the last norm
 * and the output head for the last token of each sequence, but no sampling. Passes that only decode run as CUDA graphs of a few batch
 * sizes, rows past the batch being empty; all others are launched op by op, products over a
 * multiple of 16 rows up to 256 and of RC_SERVE_ROWS beyond.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_SERVE_SERVED_MODEL_H
#define RC_CALIB_SERVE_SERVED_MODEL_H
#include "calib/ring/ring_layers.h"
#include "kernels/deal_plan.h"

enum {
    RC_SERVE_ROWS = 64,
    RC_SERVE_EMBEDDED = 8192, /* rows of the table of states */
    RC_SERVE_SIZES = 64,      /* batch sizes with a graph, at most */
    RC_SERVE_BUCKETS = 24     /* powers of two of the longest context */
};

typedef struct rc_serve_shape {
    rc_ring_case layer;            /* heads, width, FFN of one GPU, layers; cp 1 */
    int64_t most_tokens;           /* of a pass */
    int64_t most_sequences;        /* of a pass, of either kind */
    int64_t longest;               /* tokens of a sequence with its reply */
    int64_t vocab;                 /* rows of the output head on one GPU */
    int64_t pages;                 /* of the KV pool, RC_KV_PAGE tokens each */
    int64_t sizes[RC_SERVE_SIZES]; /* rising: batches that have a graph */
    int size_count;
} rc_serve_shape;

/* One sequence of a pass: t tokens behind p; pages[i] holds its tokens RC_KV_PAGE * i and on. */
typedef struct rc_serve_sequence {
    int64_t t, p;
    const int32_t *pages;
    const uint64_t *tokens; /* [t] */
    bool decodes;
} rc_serve_sequence;

/* What the kernels read, in one piece of memory here and there. */
typedef struct rc_serve_inputs {
    int32_t *tokens, *positions, *slots; /* [most_tokens + RC_SERVE_ROWS] */
    int32_t *last;                       /* [most_sequences] rows of last tokens */
    int32_t *pieces;                     /* [room][4] keys of those that decode, as dealt */
    int32_t *first;                      /* [most_sequences] first piece of each */
    int32_t *decode_pages;               /* [most_sequences][pages of the longest] */
    int32_t *prompt_pages;               /* likewise, one list behind the other */
} rc_serve_inputs;

typedef struct rc_served_model {
    rc_serve_shape shape;
    rc_ring_ranks *ranks;
    rc_ring_layers
        memory;     /* owns the allocations; of its state only buffers and weights are used */
    int64_t stride; /* pages of the longest sequence */
    void *embedded, *k[RC_RING_MAX_LAYERS], *v[RC_RING_MAX_LAYERS];
    void *rows, *rows_host;                   /* last tokens' states, on the GPU and here */
    void *head_norm, *head, *head_x, *logits; /* of the output head */
    void *k_flat, *v_flat;                    /* of the reference */
    void *decode_space;
    int32_t *lens, *order; /* [most_sequences] keys of those that decode; scratch. On the host */
    size_t attention_bytes, decode_bytes, input_bytes;
    void *input_memory, *input_host;
    rc_serve_inputs host, device;
    cudaGraphExec_t graphs[RC_SERVE_SIZES][RC_SERVE_BUCKETS];
    double captured_s; /* in the latest pass: of capturing a graph, which is no part of it */
} rc_served_model;

rc_status rc_served_model_open(rc_served_model *e, rc_ring_ranks *ranks, const rc_serve_shape *s,
                               uint64_t seed, rc_error *err);
void rc_served_model_close(rc_served_model *e); /* safe on a zeroed one */

typedef struct rc_serve_times {
    double launched; /* rc_now() at the first launch */
    double done;     /* and when the last tokens' states were on the host */
} rc_serve_times;
/* Run a pass: those that decode first, then prompts. */
rc_status rc_served_model_pass(rc_served_model *e, const rc_serve_sequence *s, size_t n,
                               rc_serve_times *out, rc_error *err);
/* serve_check.c: the last state of one sequence of n tokens by another way: one prompt as a whole,
 * keys and values one behind the other. ||pass - reference|| / ||reference|| of row `row` of the
 * latest pass. n is at most most_tokens. */
rc_status rc_served_model_check(rc_served_model *e, const uint64_t *tokens, int64_t n, size_t row,
                                double *error, rc_error *err);

/* Rows of the products of a pass of so many tokens that is launched op by op. */
static inline int64_t rc_serve_product_rows(int64_t tokens) {
    const int64_t to = tokens <= 256 ? 16 : RC_SERVE_ROWS;
    return (tokens + to - 1) / to * to;
}
/* Pieces that a launch over so many sequences that decode, of at most so many keys, has room for. */
int64_t rc_serve_room(const rc_served_model *e, int64_t sequences, int64_t longest);
/* Rows that the output head runs over for n sequences: those of a graph, or a multiple of
 * RC_SERVE_ROWS. */
int64_t rc_serve_head_rows(const rc_served_model *e, int64_t n);
/* The last norm and the output head over the first `n` states of e->rows, which stay as they are. */
rc_status rc_serve_head(rc_served_model *e, int64_t n, rc_error *err);
/* Of the pass, for serve_check.c: what every layer does but attention. */
typedef rc_status (*rc_serve_attend)(rc_served_model *e, int layer, const void *ctx, rc_error *err);
rc_status rc_serve_layers(rc_served_model *e, int64_t rows, int64_t padded, rc_serve_attend attend,
                          const void *ctx, rc_error *err);

#endif
