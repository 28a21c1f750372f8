/* One layer of a program as arithmetic: what the engine does with ops that share no link at a time.
 *
 * A pass without shared links and interference is a longest-path problem: an op ends when the last
 * of what it waits for has ended, plus its duration. Layers are alike, so one is compiled: steps in
 * an order in which everything waited for comes first, each with the slots of its predecessors.
 * Slots hold times: slot 0 the beginning, then `live` values that the layer before left behind,
 * then one for each task of the layer and of the head. Evaluating a layer is a loop over runs of
 * like steps.
 *
 * All times are int64 picoseconds, as in the engine, and the durations are rounded as the engine
 * rounds them, so the result is the engine's to the tick.
 *
 * The one place where schedules share links is the all-to-all. Its flows form a complete digraph
 * over the ranks with one message size, for which max-min fair sharing has a short exact form
 * (exchange.c). Whatever does not fit (other flows on those links at the time, links of different
 * rates, ranks of one exchange inside and between nodes) makes the replay say so, and the engine
 * runs.
 *
 * What repeats. The layer maps the live values to the next; adding a constant to all of them adds
 * it to the outcome. So once the live values equal those of p layers before plus a constant, the
 * next p layers do so again, and so on: the rest is arithmetic. Ranks that drift apart, and a host
 * that runs ahead of its GPU, gain a constant each, and not the same: drift.c says for how many
 * layers that goes on.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_REPLAY_H
#define RC_FORWARD_REPLAY_H
#include "sim/forward/internal.h"

typedef enum rc_step_kind {
    RC_STEP_PLAIN,    /* max of its predecessors + duration */
    RC_STEP_LAUNCHED, /* first its launch: two slots, the task's and the launch's */
    RC_STEP_EXCHANGE  /* all flows and closing marks of one all-to-all */
} rc_step_kind;

/* Consecutive steps of one kind with as many predecessors each. */
typedef struct rc_step_run {
    rc_step_kind kind;
    uint32_t preds; /* of a step; LAUNCHED: besides the launch before it */
    uint32_t steps;
    uint32_t pred; /* into replay->preds: LAUNCHED: the host's slot, then the others;
                      EXCHANGE: the opening marks by GPU */
    uint32_t slot; /* of the first step */
    uint32_t task; /* the first step's, in replay->one */
    bool watched;  /* messages, in a program with exchanges: are their links free? */
} rc_step_run;

typedef struct rc_replay {
    rc_schedule_key key;
    rc_program one;            /* one layer and the head: refilled for every pass */
    bool works;                /* false: not of the kind that can be replayed */
    uint32_t gpus, body, head; /* tasks of a layer, of the head */
    uint32_t live;             /* slots: 1 + live + body + head */
    uint32_t *live_from;       /* [live]: the task whose end the next layer finds there */
    uint32_t *preds;
    size_t pred_count;
    rc_step_run *runs;
    size_t run_count, head_run; /* runs of the head: [head_run, run_count) */
    bool exchanges;
    rc_time *value;    /* by slot */
    rc_time *before;   /* by slot: the layer before */
    rc_time *gain;     /* by slot: from that one to the last */
    rc_time *duration; /* [body + head], by task */
    rc_time *transfer; /* [body + head]: of a message, what of its duration it is on its links */
    rc_time *busy;     /* [2 gpus]: until when links out and in are used, with exchanges; and
                        * [2 gpus] of scratch */
    rc_time *history;  /* [layers][state] */
    size_t history_room;
} rc_replay;

/* An all-to-all among n ranks whose flows all have this size and these rates. */
typedef struct rc_exchange {
    int n;
    rc_time latency;
    double bytes, peer_rate, link_rate;
} rc_exchange;
/* From when each rank opens to when each closes. False when a flow ends before the last one has
 * begun: the closed form does not hold. */
bool rc_exchange_ends(const rc_exchange *x, const rc_time *open, rc_time *close);

/* Compile `one` of r (its key is set, it is built) from a program of three layers. */
rc_status rc_replay_compile(rc_replay *r, const rc_program *three, rc_error *err);
void rc_replay_free(rc_replay *r);
/* For how many layers, at most `most`, each slot of the layer in r->value goes on to gain what it
 * gained since the layer `before`; gains by slot into *gain. 0 when they do not repeat. */
rc_time rc_replay_leap(const rc_replay *r, const rc_time *before, rc_time *gain, rc_time most);
/* The pass in ticks, from durations that are in place; false when it must be left to the engine.
 * costs: by shape of r->one. */
bool rc_replay_run(rc_replay *r, int layers, const rc_shape_cost *costs, rc_time *ticks,
                   int *evaluated);

#endif
