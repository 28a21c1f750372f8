/* Passes made of passes: a prompt in chunks, layers in stages (staged.c).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_STAGED_H
#define RC_FORWARD_STAGED_H
#include "sim/engine/engine.h"
#include "sim/forward/forward.h"

/* How a pass is cut: into chunks of at most `chunk` new tokens, in the order of the sequences (0: it is
 * not), and its layers into `stages` (0 and 1: they are not), where they do not divide by `rest`. */
typedef struct rc_staging {
    int64_t chunk;
    int stages;
    rc_rest_layers rest;
} rc_staging;

static inline int rc_stages_of(const rc_staging *how) {
    return how->stages > 1 ? how->stages : 1;
}
/* rc_forward_run_with and rc_forward_time of a pass that is cut so; as it is where `how` says nothing.
 * Of rc_forward: parts, p5 and p95 are those of the pieces on the critical path and of the transfers
 * between them; memory is that of the piece that needs most, with the KV of all sequences as they are in the
 * end; `busy` and FLOPs are of GPU 0 of every stage
 * together. RC_E_INPUT for chunks of a pass that decodes. */
rc_status rc_staged_run(rc_forward_ctx *ctx, const rc_spec *spec, const rc_staging *how,
                        rc_forward *out, rc_error *err);
rc_status rc_staged_time(rc_forward_ctx *ctx, const rc_spec *spec, const rc_staging *how,
                         rc_forward_timing *out, rc_error *err);

/* ---- the pieces ---- */

/* A pass of one chunk through one stage, and how its hidden states go on from there. */
typedef struct rc_piece_time {
    const rc_spec *spec;
    int stage, chunk;
    rc_time start, end;    /* ps */
    rc_time leaves, comes; /* to the next stage; of the last one both are `end` */
} rc_piece_time;
/* Calls `each` for all pieces of a pass, stage by stage; it ends where that fails. */
typedef rc_status (*rc_piece_fn)(void *ctx, const rc_piece_time *piece, rc_error *err);
rc_status rc_staged_each(const rc_spec *spec, const rc_staging *how, rc_piece_fn each, void *arg,
                         rc_error *err);

/* ---- the pipeline ---- */

/* When a stage, and the link to the next one, is through with what it has been given so far. */
typedef struct rc_stage_clock {
    rc_time free, link;
} rc_stage_clock;
/* A pass that comes to the first stage at `comes`, behind all earlier ones; when it is through the last. A
 * stage takes passes in order, one at a time, and so does the link to the next one, on which nothing waits
 * but the pass that it carries. The times of stage s are work[s * step], send[s * step] and end[s * step],
 * what is sent behind the last one is not looked at; `clock` moves on. */
rc_time rc_pipeline_pass(rc_stage_clock *clock, int stages, rc_time comes, const rc_time *work,
                         const rc_time *send, int step, rc_time *end);
/* When the last of `chunks`, which are all there from the start, is through the last of `stages`.
 *   work[s][i]: of chunk i in stage s; send[s][i]: from there to the next one (not looked at of the last).
 * end[s][i], NULL or [stages * chunks]: when it is through. */
rc_time rc_pipeline_end(const rc_time *work, const rc_time *send, int stages, int chunks,
                        rc_time *end);
/* What it takes to send the hidden states of so many rows a rank to the next stage; `far`: on another node. */
rc_status rc_stage_send(const rc_costs *costs, const rc_layout *l, int64_t hidden, double rows,
                        bool far, rc_cost *out, rc_error *err);
/* Whether stage `stage` and the one behind it take GPUs of more nodes than one. */
bool rc_stage_sends_far(const rc_machine *m, const rc_layout *l, int stage);
double rc_stage_rows(const rc_layout *l, const rc_sequence *seqs, size_t count);

/* The chunks of a prefill: sequences of one pass each, one after the other. The caller frees *out, in
 * which chunk i has the sequences [first[i], first[i + 1]). */
typedef struct rc_chunks {
    rc_sequence *seqs; /* owned */
    size_t *first;     /* owned, count + 1 */
    int count;
} rc_chunks;
rc_status rc_chunks_of(const rc_spec *spec, int64_t chunk, rc_chunks *out, rc_error *err);
void rc_chunks_free(rc_chunks *c);

#endif
