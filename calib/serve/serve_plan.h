/* A pass of a server as its kernels read it: which tokens are in which rows of this rank, where their
 * keys go, and where every rank's queries find keys. Plain C on the host, without a GPU.
 *
 * Rows of a rank: first those of sequences that decode, as many on every rank (rows beyond a rank's
 * own are empty: no key, no page), then a range for each prompt, as long on every rank (a rank with a
 * token less has one empty row). So messages of rows are of one size, and a rank knows the rows of all
 * others. Which positions are whose: serve_stripes.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_SERVE_SERVE_PLAN_H
#define RC_CALIB_SERVE_SERVE_PLAN_H
#include "calib/ring/ring_case.h"
#include "kernels/deal_plan.h"
#include "kernels/kernels.h"

enum {
    RC_SERVE_ROWS = 64,
    RC_SERVE_EMBEDDED = 8192, /* rows of the table of states */
    RC_SERVE_SIZES = 64,      /* batch sizes with a graph, at most */
    RC_SERVE_BUCKETS = 24     /* powers of two of the longest context */
};

typedef struct rc_serve_shape {
    rc_ring_case layer;            /* heads, width, FFN of one GPU, layers; cp ranks */
    int64_t most_tokens;           /* of a pass */
    int64_t most_sequences;        /* of a pass, of either kind */
    int64_t most_prompts;          /* of a pass, at most RC_ATTN_MAX_SEQS */
    int64_t longest;               /* tokens of a sequence with its reply */
    int64_t vocab;                 /* rows of the output head on one GPU */
    int64_t pages;                 /* of the KV pool of a rank, RC_KV_PAGE tokens each */
    int64_t sizes[RC_SERVE_SIZES]; /* rising: batches that have a graph */
    int size_count;
    int sms; /* of the GPU */
} rc_serve_shape;

/* Positions that a page of a list stands for, on all ranks together. */
static inline int64_t rc_serve_page(const rc_serve_shape *s) {
    return (int64_t)RC_KV_PAGE * s->layer.cp;
}
/* Pages of the longest sequence. */
static inline int64_t rc_serve_stride(const rc_serve_shape *s) {
    return (s->longest + rc_serve_page(s) - 1) / rc_serve_page(s);
}
/* Keys of a rank that all prompts of a pass can have together. */
static inline int64_t rc_serve_most_packed(const rc_serve_shape *s) {
    return s->most_prompts * rc_serve_stride(s) * RC_KV_PAGE;
}
/* Rows of a rank in a pass, at most. */
static inline int64_t rc_serve_most_rows(const rc_serve_shape *s) {
    return s->most_tokens + s->most_sequences + RC_SERVE_ROWS;
}
/* Rows of a rank that products have plans for. */
static inline int64_t rc_serve_planned(const rc_serve_shape *s) {
    const int ranks = s->layer.cp;
    return ranks == 1 ? s->most_tokens : (s->most_tokens + ranks - 1) / ranks + s->most_sequences;
}
/* Rows of the products of a pass of so many rows that is launched op by op. */
static inline int64_t rc_serve_product_rows(int64_t rows) {
    const int64_t to = rows <= 256 ? 16 : RC_SERVE_ROWS;
    return (rows + to - 1) / to * to;
}
/* Pieces that a launch over so many sequences that decode, of at most so many keys, has room for. */
static inline int64_t rc_serve_room(const rc_serve_shape *s, int64_t sequences, int64_t longest) {
    return rc_decode_room(sequences, longest, s->layer.hkv, s->sms);
}

/* One sequence of a pass: t tokens behind p; pages[i] holds positions rc_serve_page() * i and on. */
typedef struct rc_serve_sequence {
    int64_t t, p;
    const int32_t *pages;
    const uint64_t *tokens; /* [t] */
    bool decodes;
} rc_serve_sequence;

/* What the kernels read, in one piece of memory here and there. */
typedef struct rc_serve_inputs {
    int32_t *tokens, *positions, *slots; /* [rows] */
    int32_t *last;                       /* [most_sequences] rows of last tokens */
    int32_t *pieces;       /* [ranks][room][4] keys here of each rank's sequences, as dealt */
    int32_t *first;        /* [ranks][dealt] first piece of each */
    int32_t *decode_pages; /* [ranks][dealt][stride] */
    int32_t *prompt_pages; /* one list behind the other */
    int32_t *packed;       /* [packed] slots of the prompts' keys here, as a message has them */
} rc_serve_inputs;
/* Both copies of the inputs have the same order, so that one transfer brings all. Bytes; `at` NULL:
 * nothing is placed. */
size_t rc_serve_inputs_place(const rc_serve_shape *s, int32_t *at, rc_serve_inputs *in);

typedef struct rc_serve_seat { /* where the last token of a sequence is */
    int rank;
    int64_t row; /* of the states that the rank hands to the output head */
} rc_serve_seat;

typedef struct rc_serve_prompt {
    int64_t t, p;
    int64_t row;    /* the first one */
    int64_t listed; /* place of its pages in prompt_pages */
    int64_t packed; /* row of its keys in a message */
} rc_serve_prompt;

typedef struct rc_serve_plan {
    int64_t decodes;      /* sequences that decode, on all ranks */
    int64_t dealt;        /* rows of a rank for them */
    int64_t rows, padded; /* of a rank; of its products */
    int64_t longest;      /* keys of a rank that one of those which decode sees, rounded up */
    int64_t room;         /* pieces of the keys of one rank's sequences */
    int size, bucket;     /* of the graph; size -1: none */
    int prompts;
    int64_t listed, packed; /* pages; keys of a rank in a message, padded */
    rc_serve_prompt prompt[RC_ATTN_MAX_SEQS];
} rc_serve_plan;

/* Scratch of a plan: lens and order [most_sequences]. */
typedef struct rc_serve_scratch {
    int32_t *lens, *order;
} rc_serve_scratch;
/* Fills `in` for `rank`, and seats[n]. The same plan comes out on every rank. RC_E_INPUT, RC_E_INTERNAL:
 * more than the shape has room for. */
rc_status rc_serve_plan_make(const rc_serve_shape *shape, int rank, const rc_serve_sequence *s,
                             size_t n, const rc_serve_scratch *scratch, rc_serve_inputs *in,
                             rc_serve_seat *seats, rc_serve_plan *out, rc_error *err);

/* Queries of rank `of` over keys of rank `at`, for one launch of attention over all prompts, without
 * those of which nothing is asked. */
typedef struct rc_serve_calls {
    int n;
    int32_t q_start[RC_ATTN_MAX_SEQS], q_len[RC_ATTN_MAX_SEQS];
    int32_t k_start[RC_ATTN_MAX_SEQS], k_len[RC_ATTN_MAX_SEQS];
} rc_serve_calls;
/* `paged`: keys are found through prompt_pages; else in a message. */
void rc_serve_calls_of(const rc_serve_plan *x, int ranks, int of, int at, bool paged,
                       rc_serve_calls *out);

#endif
