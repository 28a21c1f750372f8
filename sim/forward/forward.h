/* One forward pass: a schedule, over measured costs -> a time and where it went.
 *
 * A pass is evaluated: as the longest path through one layer of each kind, again and again until
 * what follows is known (replay.h). Where that cannot be done, since ops share links or disturb one
 * another in other ways, the engine plays all of its layers as events, and with `unfold` every GPU
 * of a TP group besides. Both take the same number of picoseconds: tests hold them equal to the
 * tick, and `ringcast forward --stats` does so for a scenario.
 *
 * Uncertainty: every draw gives each family of costs (GEMM, attention, elementwise, all-reduce,
 * network, host) a common factor drawn from the spread of the rows it rests on and of the transfer
 * to this machine, and each fitted parameter a value from its interval; p5 and p95 are quantiles
 * over the draws, and those of the time are widened by the error of the model that its machine
 * knows of (sim/machine/model_errors.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_FORWARD_H
#define RC_FORWARD_FORWARD_H
#include <stdbool.h>
#include <stdint.h>
#include "sim/base/error.h"
#include "sim/cost/cost.h"
#include "sim/machine/machine.h"
#include "sim/model/model.h"
#include "sim/schedule/pass_memory.h"
#include "sim/schedule/schedule.h"

typedef struct rc_what_if { /* 0 or NULL-valued members change nothing */
    int slow_rank;          /* CP rank whose GPUs run at `slow_speed`; -1: none */
    double slow_speed;
    int slow_link_rank; /* CP rank whose outgoing link has `slow_link` of its rate; -1 */
    double slow_link;
    double overlap_compute; /* rate of compute while a message is under way; 0 or 1: no effect */
    double overlap_comm;
} rc_what_if;

bool rc_what_if_slows_rank(const rc_what_if *w);
bool rc_what_if_slows_link(const rc_what_if *w);
/* What `w`, stated for layout `from`, means for another layout of the same GPUs. NULL when it means
 * something: it is in *out then. Else why it does not (static), so that nobody compares a pass on
 * slow hardware with one that leaves that hardware out. */
const char *rc_what_if_carry(const rc_what_if *w, const rc_layout *from, const rc_layout *to,
                             rc_what_if *out);

/* How attention and the messages of a ring share a chip, on machines whose rows tell what they take
 * from each other (docs/method.md, "What meets in a ring"). */
enum { RC_RING_FREE = 8 }; /* SMs that attention leaves to messages when nobody says how many */
typedef struct rc_ring_share {
    bool apart;     /* neither takes anything from the other */
    bool gives_way; /* attention takes all SMs that no message has; else it leaves some free: */
    int sms;        /* those that it takes beside a message; 0: all but RC_RING_FREE */
} rc_ring_share;

typedef struct rc_spec {
    const rc_model *model;
    const rc_costs *costs; /* holds the machine */
    rc_layout layout;
    rc_phase phase;
    const rc_schedule *schedule;
    const rc_sequence *seqs; /* of the group of sequences that the others wait for (layout.dp) */
    size_t seq_count;
    rc_elsewhere elsewhere; /* what the other groups are at; */
    double elsewhere_flops; /* and the model's FLOPs of it */
    bool eager;             /* launched op by op; else one CUDA graph */
    bool serial_ring;       /* ring messages and attention one after the other */
    rc_ring_share ring_share;
    bool unfold;           /* every GPU and every layer as events */
    bool rotary_by_chunk;  /* a launch for each of a rank's two chunks, as the rings that are run */
    bool plain_first_norm; /* where the pass is laid out in full: its first norm adds nothing to the
                              residual stream. In a long model nothing, in one layer a part */
    int verified;          /* rc_request.verified */
    bool stand_in; /* `seqs` stand for sequences of other sizes: their attention is modelled */
    int draws;     /* for p5 and p95; 0: none (p5 = p95 = time) */
    double
        *drawn; /* [draws], the caller's: the time of each draw, in their order; NULL: not kept */
    uint64_t seed;
    rc_what_if what_if;
} rc_spec;

/* FLOPs of the model for one sequence, by all GPUs. */
double rc_forward_flops(const rc_model *m, rc_sequence s);
/* Sequences over `groups` of GPUs with sequences of their own (rc_layout.dp): each goes, those with most
 * FLOPs first, to the group that has fewest so far. Those of the group with most, which the others wait
 * for, come first afterwards, as many as *own; the others are summed. Equal ones are not looked at one by
 * one. */
rc_status rc_spread_sequences(const rc_model *m, int groups, rc_sequence *seqs, size_t count,
                              size_t *own, rc_elsewhere *elsewhere, double *flops, rc_error *err);

typedef struct rc_ring_times { /* one layer, GPU 0, seconds: what Tables 5 and 8 print */
    double attn_op;       /* one attention launch of a ring step (mean of steps 1..N-1; N=1: it) */
    double attn_ring;     /* all attention launches of the layer */
    double sendrecv;      /* one SendRecv (mean) */
    double sendrecv_ring; /* all of them */
    double all2all;       /* begin of the first to end of the last exchange */
    double whole;         /* start of the ring to the end of the merge */
} rc_ring_times;

/* The clock that the pass runs at in the state power_limited. All 0 without a power model. */
typedef struct rc_clock {
    double mhz, boost_mhz;
    double watts, limit; /* mean power over the pass; what the board may draw */
    double wanted;       /* W, what it would draw at the boost clock */
} rc_clock;

typedef struct rc_forward {
    double time, p5, p95;               /* s */
    double critical[RC_P_COUNT];        /* s of the critical path, by part; sums to time */
    double busy[RC_P_COUNT];            /* s that GPU 0 spent in each part (overlaps counted) */
    double exposed_comm, hidden_comm;   /* s */
    bool shares;                        /* attention and messages take something from each other: */
    double shared;                      /* s that the pass takes longer for it */
    double gemm_flops, attention_flops; /* one GPU, as executed */
    double flop_rate, mfu;              /* whole model / GPUs / time; over the bf16 peak */
    double basis[RC_BASIS_COUNT];       /* share of the critical path by what its cost rests on */
    double busy_basis[RC_BASIS_COUNT];  /* share of GPU 0's work, launches left out, likewise */
    rc_memory memory;
    rc_clock clock;
    rc_load load; /* of GPU 0, at the boost clock */
    rc_ring_times ring, ring_p5, ring_p95;
    /* how it was found */
    size_t ops; /* of all layers, on the GPUs that are simulated */
    uint32_t gpus;
    int layers_simulated; /* evaluated one by one, or played as events */
    int64_t ticks;        /* the time in picoseconds, before rounding to double */
    uint64_t events;      /* of the engine; 0: the pass was evaluated, and there is no trace */
    uint64_t trace_hash;
} rc_forward;

/* What must be said of a pass beside its time (static): that it rests on host work which was only
 * seen with other schedules. NULL: nothing. */
const char *rc_forward_caution(const rc_machine *m, const rc_schedule *s, int cp, rc_phase phase);

/* What a time takes for granted where the machine's file says nothing of the engine's host work at
 * ring steps (static). NULL: nothing. */
const char *rc_forward_assumption(const rc_machine *m, const rc_schedule *s, int cp,
                                  rc_phase phase);

/* Checks layout and memory (RC_E_NOFIT shows the sum), then evaluates or plays the pass.
 * `spec->costs` is not changed. RC_E_SIZE: the ops of the pass would take more host memory than is
 * allowed for. */
rc_status rc_forward_run(const rc_spec *spec, rc_forward *out, rc_error *err);

/* ---- the time alone, at speed ------------------------------------------------------------ */

/* Scratch of rc_forward_time and rc_forward_run_with: the structures of the schedules seen so far
 * and the costs of the shapes seen so far. One per thread; any number of them may share one
 * rc_costs, which is only read. It holds on to no spec, model or sequence after a call. It notices
 * other costs by their address and machine; who closes costs and opens others in their place calls
 * rc_forward_ctx_forget between. */
typedef struct rc_forward_ctx rc_forward_ctx;
rc_forward_ctx *rc_forward_ctx_create(void);      /* NULL when out of memory */
void rc_forward_ctx_destroy(rc_forward_ctx *ctx); /* NULL is fine */
void rc_forward_ctx_forget(rc_forward_ctx *ctx);  /* costs; structures stay */

typedef enum rc_forward_path {
    RC_PATH_REPLAY, /* every layer evaluated, or as many as show what repeats */
    RC_PATH_ENGINE  /* played as events */
} rc_forward_path;

typedef struct rc_forward_timing {
    int64_t ticks;       /* ps: those of rc_forward_run */
    int64_t boost_ticks; /* ps: at the boost clock; `ticks` without a power model */
    double time;         /* s */
    rc_memory memory;
    rc_clock clock;
    rc_forward_path path;
    int layers; /* evaluated or simulated; the others were added arithmetically */
    double busy_basis[RC_BASIS_COUNT]; /* share of GPU 0's work by what its cost rests on */
} rc_forward_timing;

/* rc_forward_run with what a context keeps from pass to pass. */
rc_status rc_forward_run_with(rc_forward_ctx *ctx, const rc_spec *spec, rc_forward *out,
                              rc_error *err);

/* The time of a pass, without draws and breakdown: the same ticks as rc_forward_run (with `unfold`
 * or without), the same errors, RC_E_NOFIT with out->memory filled. draws, seed and unfold are not
 * looked at. */
rc_status rc_forward_time(rc_forward_ctx *ctx, const rc_spec *spec, rc_forward_timing *out,
                          rc_error *err);

/* The engine's program of all layers of `spec`, and of every GPU when it is unfolded: built, run and
 * handed over, for whoever wants each op. Caller frees both. clock: NULL, or the pass's. */
struct rc_sim;
rc_status rc_forward_trace(const rc_spec *spec, rc_program *program, struct rc_sim **sim,
                           rc_clock *clock, rc_error *err);

#endif
