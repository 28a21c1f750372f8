/* A model on the GPUs of one run, and one pass over it: prompts, pieces of prompts and sequences that
 * decode together, keys and values in pages that the attention kernels find through a table.
 *
 * Layers are those of `ringcast-calib ring` (ring_layers.h), bf16, heads of 128, sharded over the
 * TP group; tokens of a sequence lie in stripes on the CP ranks (serve_stripes.h). Before the layers
 * tokens become states by a table of random rows; behind them come the last norm and the output head
 * for the last token of each sequence, but no sampling. Passes that only decode run as CUDA graphs of a
 * few batch sizes, rows past the batch being empty; all others are launched op by op, products over a
 * multiple of 16 rows up to 256 and of RC_SERVE_ROWS beyond.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_SERVE_SERVED_MODEL_H
#define RC_CALIB_SERVE_SERVED_MODEL_H
#include "calib/ring/ring_layers.h"
#include "calib/serve/serve_plan.h"

/* What travels in a ring between CP ranks when a pass computes prompts: their keys and values, or their
 * queries. Sequences that decode always send their queries. */
typedef enum rc_serve_ring { RC_SERVE_PASS_KV, RC_SERVE_PASS_Q } rc_serve_ring;

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
    void *message;                            /* keys of prompts here, out of their pages */
    void *decode_space;
    rc_serve_scratch scratch; /* on the host */
    rc_serve_seat *seats; /* [most_sequences] of the latest pass, in the order of its sequences */
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
/* Run a pass of n sequences; `ring`: of its prompts, on several CP ranks. All ranks of the run call it
 * with the same sequences. */
rc_status rc_served_model_pass(rc_served_model *e, const rc_serve_sequence *s, size_t n,
                               rc_serve_ring ring, rc_serve_times *out, rc_error *err);
/* serve_check.c: the last state of one sequence of n tokens by another way: one prompt as a whole,
 * keys and values one behind the other. ||pass - reference|| / ||reference|| at seats[i] of the
 * latest pass; 0 on ranks where that is not. n is at most rc_serve_planned. */
rc_status rc_served_model_check(rc_served_model *e, const uint64_t *tokens, int64_t n, size_t i,
                                double *error, rc_error *err);

/* Rows that the output head runs over for n sequences: those of a graph, or a multiple of
 * RC_SERVE_ROWS. */
int64_t rc_serve_head_rows(const rc_served_model *e, int64_t n);
/* The last norm and the output head over the first `n` states of e->rows, which stay as they are. */
rc_status rc_serve_head(rc_served_model *e, int64_t n, rc_error *err);
/* Of the pass, for serve_check.c: what every layer does but attention. */
typedef rc_status (*rc_serve_attend)(rc_served_model *e, int layer, const void *ctx, rc_error *err);
rc_status rc_serve_layers(rc_served_model *e, int64_t rows, int64_t padded, rc_serve_attend attend,
                          const void *ctx, rc_error *err);

/* serve_attend.c: attention of a pass in one layer, from packed QKV to s->o; ctx is an rc_serve_pass_call. */
typedef struct rc_serve_pass_call {
    const rc_serve_plan *plan;
    rc_serve_ring ring;
} rc_serve_pass_call;
rc_status rc_serve_attend_pass(rc_served_model *e, int layer, const void *ctx, rc_error *err);
/* Buffers of the ring, where there are several CP ranks. */
rc_status rc_serve_attend_open(rc_served_model *e, rc_error *err);

#endif
