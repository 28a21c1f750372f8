/* Internal to the forward room: one program on one engine under one set of costs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_INTERNAL_H
#define RC_FORWARD_INTERNAL_H
#include "sim/engine/engine.h"
#include "sim/forward/call_memo.h"
#include "sim/forward/forward.h"

typedef enum rc_family { /* costs that err together */
                         RC_F_GEMM,
                         RC_F_ATTENTION,
                         RC_F_ELEMENTWISE,
                         RC_F_ALL_REDUCE,
                         RC_F_NETWORK,
                         RC_F_HOST,
                         RC_F_COUNT
} rc_family;
rc_family rc_family_of(const rc_shape *s);
/* One draw of all costs. What a calibration is off, costs of a family share; what is off for not
 * being a row (rc_cost.own) each size has for itself. */
typedef struct rc_draw {
    double family[RC_F_COUNT]; /* standard normal numbers */
    uint64_t own;              /* from which each size takes one of its own */
} rc_draw;

typedef struct rc_shape_cost {
    rc_time duration; /* of the op; of the latency for a message */
    rc_time alone;    /* as `duration`, of a message that meets nothing */
    rc_time beside;   /* of attention in a ring step whose message it meets; else as `duration` */
    double peer_rate; /* message: most bytes/s of one flow */
    double link_rate; /* message: of the link */
    double spread;
    rc_basis basis;
    /* Where costs have a power model: */
    double boost;      /* s, of the op at the boost clock */
    double boost_rate; /* peer_rate there */
    double bound;      /* share of it that follows the clock */
    rc_call_load load; /* what it draws */
} rc_shape_cost;

/* How a program of few layers stands for a pass of many. It is cut between layers into templates of
 * the engine, and the pass is a sequence of repetitions of them; the head, layer `layers` of the
 * pass, is a template, too. */
typedef struct rc_repeats {
    int layers;           /* of the pass */
    uint16_t *stands;     /* [layers + 1]: which layer of the program stands for each */
    uint16_t *repetition; /* [layers + 1]: the repetition that it is in, from 0 */
    uint16_t *template;   /* [layers of the program + 1]: the template that it is in, from 0 */
} rc_repeats;

typedef struct rc_run {
    const rc_spec *spec;
    const rc_program *program;
    rc_shape_cost *costs; /* [program->shape_count]; owned */
    double link_rate[2];  /* of a GPU: inside its node, between nodes; 0: no message takes it */
    const rc_repeats *repeats; /* NULL: the program is played once, as it stands */
    rc_sim *sim;               /* its ops are the tasks; owned */
    unsigned accounts;         /* of the critical path, and which belongs to what, counted from 1 */
    uint8_t account[RC_P_COUNT][RC_BASIS_COUNT];
} rc_run;

/* What a shape of `p` costs; memo: of calls priced with these costs before, or NULL. */
rc_status rc_shape_price(const rc_costs *costs, rc_call_memo *memo, const rc_program *p,
                         const rc_shape *s, rc_shape_cost *out, rc_error *err);
/* What the same op takes at another pace, wherever it runs alone. */
rc_status rc_shape_at_pace(rc_pace pace, rc_shape_cost *out, rc_error *err);
/* The same under a draw; NULL: none. */
rc_status rc_shape_draw(const rc_costs *costs, const rc_program *p, const rc_shape *s,
                        const rc_draw *z, rc_shape_cost *out, rc_error *err);

/* contention.c: how the chip is shared in the rings of a pass. */
typedef struct rc_contention {
    bool meets; /* attention and messages take something from each other, and it is known what */
    bool waits; /* the message of a step waits for attention to leave it its SMs */
    bool gives_way;
    bool mixed; /* decode is launched behind the attention of prompts */
    int sms;    /* that attention takes beside a message */
    int lost;   /* SMs of these that the message needs */
} rc_contention;
rc_contention rc_contention_of(const rc_spec *spec);
/* Turns prices of the shapes of `p`, as each takes alone, into what they take where they meet. */
void rc_contend(const rc_spec *spec, const rc_costs *costs, const rc_program *p,
                rc_shape_cost *prices);

/* spaced_launches.c: adds what each call of a pass that is launched op by op takes longer on the GPU than
 * in a graph; prices of a pass in a graph stay. Once for prices that are fresh or at a new clock,
 * after rc_contend. */
void rc_space_launches(const rc_spec *spec, const rc_costs *costs, const rc_program *p,
                       rc_shape_cost *prices);

rc_status rc_forward_check(const rc_spec *spec, rc_memory *memory, rc_error *err);

/* What the time of a task rests on: its shape's basis, or RC_STATED on a slow rank or link. */
rc_basis rc_task_basis(const rc_what_if *w, const rc_task *t, uint32_t gpus_per_rank,
                       const rc_shape *s, rc_basis of_shape);
/* Whether it counts as work of its GPU: all but launches, which run beside it. */
static inline bool rc_task_works(const rc_shape *s) {
    return s->kind != RC_T_LAUNCH;
}

/* lay_out.c: play a program on the engine as it stands, with all results kept. z: NULL: no
 * draw. */
rc_status rc_run_program(const rc_spec *spec, const rc_costs *costs, const rc_program *program,
                         const rc_draw *z, rc_run *out, rc_error *err);
/* Play a program for the pass that it stands for. A repetition of the pass must follow the one
 * before it as templates follow each other in the program, and tasks wait for nothing further back
 * than the template before (rc_repeats_fit). Kept are the results of GPU 0, or of all. `repeats`
 * must outlive *out; NULL: as the program stands. */
rc_status rc_run_layers(const rc_spec *spec, const rc_costs *costs, const rc_program *program,
                        const rc_repeats *repeats, const rc_draw *z, bool keep_all, rc_run *out,
                        rc_error *err);
bool rc_repeats_fit(const rc_repeats *r, const rc_program *p);
void rc_run_free(rc_run *r);
/* When a task of the program ran in layer `layer` of the pass, which its own layer stands for. */
typedef struct rc_task_span {
    rc_time start, end;
} rc_task_span;
rc_task_span rc_run_span(const rc_run *r, uint32_t task, int layer);

/* forward.c: the pass laid out in full, layer by layer, and every GPU when it is unfolded, and played
 * at the clock of the pass. The caller frees both; `spec` must outlive *run. clock: NULL, or the
 * pass's. */
rc_status rc_forward_lay_out(const rc_spec *spec, rc_program *program, rc_run *run, rc_clock *clock,
                             rc_error *err);

/* size.c: how large a pass may be. */

/* The most memory that the ops of one pass may take, in bytes: what a machine of 8 GB can spare. It
 * holds some 30 million ops that are laid out: two layers of 4,900 GPUs in a ring, launched op by
 * op. A sweep may take as much on each of its threads. */
#define RC_PASS_BYTES (INT64_C(4) << 30)
/* Of the engine, for the program and its run. */
int64_t rc_engine_bytes(const rc_program_size *z);
/* rc_schedule_build for the engine; RC_E_SIZE, before anything is laid out, when that would take
 * more than RC_PASS_BYTES. */
rc_status rc_build_program(const rc_spec *spec, const rc_request *rq, rc_program *out,
                           rc_error *err);
/* The program with at most so many repeats of the pattern of each run of layers, to be played for
 * all of them: RC_E_SIZE as above. *keep_all: the results of all ops may be kept. */
rc_status rc_build_repeats(const rc_spec *spec, int repeats, rc_program *out, bool *keep_all,
                           rc_error *err);
/* Of a pass that is evaluated, with its breakdown. RC_E_SIZE as above. */
rc_status rc_replay_room(const rc_spec *spec, int64_t *bytes, rc_error *err);
rc_request rc_spec_request(const rc_spec *spec, int repeats);

/* play.c: all layers of a pass as events, and all GPUs when it is unfolded. *out is zero before;
 * its intervals and rates are left as they are. */
rc_status rc_play(const rc_spec *spec, rc_forward *out, rc_error *err);

/* How a program of a few layers goes on. */
typedef struct rc_fold {
    int layers;     /* of the model */
    int simulated;  /* in the program */
    rc_time period; /* one more layer; 0 when nothing is folded */
    rc_time end;    /* of the whole pass, folded layers included */
} rc_fold;
/* *steady: the last layers took the same time on every GPU, so *out holds; else it goes on by the last
 * one all the same. */
rc_status rc_fold_of(const rc_run *r, rc_fold *out, bool *steady, rc_error *err);

/* The pass by events: a few layers for all where they repeat, else every layer, and every GPU when it
 * is unfolded. *out is zero before; intervals and rates are left as they are. */
rc_status rc_pass_events(const rc_spec *spec, rc_forward *out, rc_error *err);

/* fold.c: the pass as events as well, but of its layers, all of one kind, only so many as show that
 * each takes the same. *done is false, and *out as it was, when a few do not show it or cannot be
 * laid out; what is in *out else is what rc_play says, but for events, layers simulated and trace
 * hash. */
rc_status rc_fold_play(const rc_spec *spec, rc_forward *out, bool *done, rc_error *err);

/* own_work.c: what a task rests on that took `took` ps. */
rc_basis rc_run_basis(const rc_run *r, const rc_task *t, rc_time took);
/* Adds what a task of GPU 0 did at `at`, `times` >= 1 times, to out->busy and to basis[]. Messages of
 * one all-to-all leave together and their union is counted: *covered is how far it reaches, 0 before
 * the first task. */
void rc_run_add_work(const rc_run *r, const rc_task *t, rc_task_span at, int times,
                     rc_time *covered, double *basis, rc_forward *out);
/* Communication exposed and hidden, from the critical path and the work of GPU 0. */
void rc_forward_hidden(rc_forward *out);
/* ring_times.c: of GPU 0 in the last layer. */
void rc_ring_of(const rc_run *r, rc_ring_times *out);
/* p5 and p95 of *out, whose nominal times are there already. replay: of this pass, or NULL where
 * the engine must play it; its prices are drawn ones afterwards. */
struct rc_replay;
rc_status rc_draw_intervals(const rc_spec *spec, struct rc_replay *replay, rc_forward *out,
                            rc_error *err);
/* What draws know nothing of: half of p5 to p95, of the logarithm of the time, by which forecasts of
 * such passes have been off (sim/machine/model_errors.h). 0: its machine has no table of them, or
 * nobody has looked, as between nodes. */
double rc_pass_model_error(const rc_spec *spec, double time);

#endif
