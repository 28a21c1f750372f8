/* Bytes on one GPU of a pass: does a layout fit?
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_PASS_MEMORY_H
#define RC_SCHEDULE_PASS_MEMORY_H
#include "sim/schedule/schedule.h"

typedef struct rc_memory { /* bytes on the fullest GPU */
    double weights;        /* sharded over TP; embeddings too; norms replicated */
    double kv;             /* (P+T) rounded up over CP, max(1, N_KV/TP) heads, or latents; states */
    double activations;    /* the largest live set of any layer */
    double buffers;        /* of the schedule: messages, partial outputs */
    double runtime;        /* CUDA context, NCCL channels, workspaces, graphs (fixed) */
    double total, capacity; /* capacity: what these may take together */
} rc_memory;
/* The passes that run beside a KV cache: what decides the largest of them. */
typedef struct rc_kv_passes {
    int64_t longest; /* tokens of the longest prompt, which a pass may find in the cache */
    int64_t chunk;   /* a pass takes up at most so many new tokens of prompts; 0: whole prompts */
    int64_t
        largest; /* new tokens of the largest pass where the caller knows it; 0: by the others */
    int64_t decodes; /* sequences of a decode step where prompts are never taken up; 0: they are */
} rc_kv_passes;
/* What a GPU has left for KV beside everything else. */
typedef struct rc_kv_room {
    int64_t largest; /* new tokens of the largest pass */
    double bytes;    /* below 0 when the rest does not fit */
    double token;    /* bytes that one token of one sequence takes on a GPU that holds it */
    int ranks;     /* that hold different tokens: all CP ranks, or fewer where some hold the same */
    double tokens; /* that all ranks hold together; 0 when the rest does not fit */
} rc_kv_room;

/* `tokens_new`, `tokens_cached` are sums over the batch of `sequences`, whose number counts where layers
 * have windows or states; `capacity` is what a GPU has for all. */
rc_status rc_pass_memory(const rc_schedule *s, const rc_model *m, const rc_layout *l,
                         int64_t tokens_new, int64_t tokens_cached, int64_t sequences,
                         double capacity, rc_memory *out, rc_error *err);
/* The room for KV while the largest of such passes runs. RC_E_UNMODELLED for a model that keeps
 * none. */
rc_status rc_pass_kv_room(const rc_schedule *s, const rc_model *m, const rc_layout *l,
                          const rc_kv_passes *passes, double capacity, rc_memory *memory,
                          rc_kv_room *out, rc_error *err);
/* RC_E_NOFIT with the whole sum shown when total > capacity. */
rc_status rc_memory_check(const rc_memory *mem, const rc_model *m, const rc_layout *l,
                          rc_error *err);

#endif
