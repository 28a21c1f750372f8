/* The evaluator: a pass as arithmetic over a template (sim/schedule/template.h).
 *
 * A pass without shared links and interference is a longest-path problem: a task ends when the last
 * of what it waits for has ended, plus its duration. Layers of one kind are alike, so a section of
 * the template is compiled once, into pieces in an order in which everything waited for comes
 * first; a pass is its sections evaluated one after the other, in the order of the model's layers.
 * Between two of them stands the state: what rc_left lists, for each GPU, and, where there are
 * all-to-alls, until when links are in use.
 *
 * All times are int64 picoseconds, as in the engine, and durations are rounded as the engine rounds
 * them, so the result is the engine's to the tick.
 *
 * The one place where schedules share links is the all-to-all. Its flows form a complete digraph
 * over the ranks with one message size, for which max-min fair sharing has a short exact form
 * (exchange.c). Whatever does not fit (other flows on those links at the time, links of different
 * rates, ranks of one exchange inside and between nodes) makes the replay say so, and the engine
 * runs.
 *
 * What repeats. A repetition of the order's pattern maps the state to the next; adding a constant
 * to all of the state adds it to the outcome. So once the state equals that of p repetitions before
 * plus a constant, the next p do so again, and so on: the rest is arithmetic. Ranks that drift
 * apart, and a host that runs ahead of its GPU, gain a constant each, and not the same: drift.c
 * says for how many repetitions that goes on.
 *
 * A breakdown evaluates every layer, keeps the states, and then goes back from the last layer to
 * the first: each is evaluated once more from its state, and the critical path is followed through
 * it (path.c).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_REPLAY_H
#define RC_FORWARD_REPLAY_H
#include "sim/forward/internal.h"
#include "sim/forward/record.h"

typedef enum rc_piece_kind {
    RC_PIECE_TASKS,      /* each: the latest of what it waits for, plus its duration */
    RC_PIECE_RENDEZVOUS, /* one collective over several GPUs: all of its tasks end together */
    RC_PIECE_BLOCK
} rc_piece_kind;

/* Consecutive steps of an evaluation. */
typedef struct rc_piece {
    rc_piece_kind kind;
    uint32_t count; /* of tasks; BLOCK: 1 */
    uint32_t waits; /* TASKS: of each of them; RENDEZVOUS: of all together */
    uint32_t task;  /* into replay->order: the tasks; BLOCK: its number */
    uint32_t wait;  /* into replay->waits: task numbers */
} rc_piece;

/* Everything of a ring or gather that does not change from layer to layer. */
typedef struct rc_ring {
    const rc_block *block;
    int n;
    bool eager;   /* tasks are launched one by one */
    bool serial;  /* messages ride on the compute lane */
    bool hosted;  /* the host's work opens each step */
    bool attends; /* a ring; else a gather */
    bool decodes; /* a decode follows each attention */
    bool waits;   /* a message waits for the attention of its step on its sender */
    rc_time host, launch;
    rc_time *message;                      /* [n]: of the sender */
    const uint16_t *cells;                 /* [n][n]: shape of the attention by step and GPU */
    const rc_time *cost;                   /* by shape, */
    const rc_time *slowed;                 /* and on the slow rank; */
    const rc_time *beside, *beside_slowed; /* the same where a message goes beside it */
    int slow;                              /* that rank, or -1 */
} rc_ring;

/* Arrays of n + 2: GPU g stands at 1 + g, before the first the last and behind the last the
 * first. */
/* What the attention of a step takes, by shape: in general, or on the slow rank. */
static inline const rc_time *rc_ring_costs(const rc_ring *k, int step, bool slow) {
    if (step < k->n - 1)
        return slow ? k->beside_slowed : k->beside;
    return slow ? k->slowed : k->cost;
}

typedef struct rc_ring_state {
    rc_time *host, *compute, *comm, *att, *msg, *next;
    rc_time *row;                           /* durations of one step */
    rc_time first_attention, first_message; /* of GPU 0: when they began */
} rc_ring_state;

/* Ends by [step][GPU], for whoever follows a path through a ring. */
typedef struct rc_ring_trace {
    rc_time *host, *message, *attention;
    rc_time *decode; /* the same as `attention` where no decode follows it */
} rc_ring_trace;

/* An all-to-all among n ranks whose flows all have this size and these rates. */
typedef struct rc_exchange {
    int n;
    rc_time latency;
    double bytes, peer_rate, link_rate;
} rc_exchange;

/* Flows that begin together end together: a class. */
typedef struct rc_flow_class {
    double remaining, rate; /* bytes; bytes/s */
    rc_time last, end;      /* when `remaining` was true; when they end */
} rc_flow_class;

typedef struct rc_exchange_state {
    rc_time *open;          /* [n] */
    rc_time close;          /* of all ranks: each has a message for the last one that opened */
    int *by;                /* [n]: ranks by when they open */
    int *class_of;          /* [n], by rank: of the flows between it and those that opened sooner */
    rc_flow_class *classes; /* [n] */
    const rc_time **sorted; /* [n]: scratch */
} rc_exchange_state;

/* When the exchange closes, from when each rank opens. False when rounding has put the ends of
 * flows in another order than their beginnings: the closed form does not hold. */
bool rc_exchange_ends(const rc_exchange *x, rc_exchange_state *s);

/* A time that changes from one repetition to the next: at + t * gain after t of them. */
typedef struct rc_line {
    rc_time at, gain;
} rc_line;

typedef struct rc_replay {
    /* ---- what is compiled, for all passes of one key ---- */
    rc_schedule_key key;
    rc_program one; /* the template, refilled for every pass */
    bool works;     /* false: not of the kind that can be evaluated */
    bool exchanges; /* there are all-to-alls */
    uint32_t gpus;
    size_t width; /* of a state: gpus x RC_LEFT_COUNT and, with exchanges, links out and in */
    rc_piece *pieces;
    size_t piece_count;
    size_t *section_piece; /* [sections + 1]: where the pieces of a section begin */
    uint32_t *order;       /* tasks in the order of the pieces */
    uint32_t *waits;       /* what they wait for, likewise */
    uint32_t *first_wait;  /* [tasks + 1]: what a task waits for, by task: into task_wait */
    uint32_t *task_wait;
    uint32_t *piece_of;  /* [tasks]: the piece of a task of a rendezvous, else UINT32_MAX */
    uint32_t *own;       /* tasks of GPU 0 that are no ports, by section: */
    size_t *section_own; /* [sections + 1] */

    /* ---- what the tasks of the pass at hand take ---- */
    const rc_shape_cost *prices; /* by shape; the caller's */
    rc_time *cost, *slowed; /* by shape: in general, and on the slow rank; room for cost_room */
    rc_time *beside, *beside_slowed; /* the same in a ring step with a message */
    size_t cost_room;
    rc_time *duration;     /* by task */
    rc_ring *rings;        /* by block; n is 0 for exchanges */
    rc_exchange *exchange; /* by block; n is 0 for rings */

    /* ---- what the section that was evaluated last has come to ---- */
    rc_time *state; /* [width]: what it left */
    rc_time *busy;  /* in it: until when links out and in are used; NULL without exchanges */
    rc_time *value; /* by task: its end */
    rc_time *first; /* [blocks][2]: when GPU 0 began its first attention and message of a ring */
    rc_exchange_state *exchanged; /* by block */
    rc_ring_trace *traces;        /* by block, while `tracing` */
    bool tracing;

    /* ---- what repeats ---- */
    rc_time *opens;      /* [blocks][gpus]: when ranks opened exchanges, of a repetition */
    rc_time *history;    /* rows of `width`: states after repetitions of a pattern */
    uint64_t *digest;    /* of each row */
    size_t history_room; /* rows */
    rc_line *line;       /* by task, then of a state: while a leap is looked for; else NULL */

    /* ---- scratch ---- */
    rc_ring_state ring;
    rc_time *ring_scratch; /* what `ring` points into */
    rc_line *ring_line;
} rc_replay;

/* compile.c. The template stands in r->one; RC_E_NOMEM, else r->works says whether it can be
 * evaluated. */
rc_status rc_replay_compile(rc_replay *r, rc_error *err);
void rc_replay_free(rc_replay *r);

/* ring_steps.c: the ring of `s`, which is replaced by what it leaves. trace: NULL or filled. */
void rc_ring_run(const rc_ring *k, rc_ring_state *s, const rc_ring_trace *trace);
/* ring_drift.c: the same for lines; [5][n] in the order of rc_left. Lowers *most to the repetitions
 * for which it holds. scratch: [7 (n + 2)]. */
void rc_ring_drift(const rc_ring *k, rc_line *lines, rc_line *scratch, rc_time *most);

/* durations.c: what the tasks of the pass take, from prices by shape that stay where they are until
 * it is evaluated. False when the engine must run: times could go out of range, or links of one
 * exchange differ. */
bool rc_replay_price(rc_replay *r, const rc_spec *spec, const rc_shape_cost *prices);

/* replay_run.c: the pass in ticks; false when it must be left to the engine. record: NULL or what
 * its repetitions began with. The head is what was evaluated last. */
bool rc_replay_run(rc_replay *r, const rc_model *m, rc_record *record, rc_time *ticks,
                   int *evaluated);
/* ---- replay.c ---- */
void rc_replay_rewind(rc_replay *r); /* state: the beginning of the pass */
/* One layer of the kind `section`, or the head behind them, on r->state; false as above. */
bool rc_replay_section(rc_replay *r, size_t section);
/* The latest end of the pass, once the head is evaluated. */
rc_time rc_replay_end(const rc_replay *r);
/* Room for so many rows of history, whose content is lost; false when out of memory. */
bool rc_replay_reserve(rc_replay *r, size_t rows);
rc_time *rc_replay_row(const rc_replay *r, int row);

/* drift.c: one repetition of a pattern from r->state, `before` which the state of the repetition
 * before began, and as many further ones, at most `most`, as go on alike: how many these are. 0,
 * and nothing is done, when they do not. */
rc_time rc_replay_leap(rc_replay *r, const rc_layer_run *run, const rc_time *before, rc_time most);

/* account.c: room to trace rings; false when out of memory. */
bool rc_replay_trace(rc_replay *r);
void rc_replay_trace_free(rc_replay *r);
/* What GPU 0 has to do in one layer of `section`, whatever the order: ticks by part, and by what
 * they rest on; waiting inside an all-to-all is left to rc_replay_exchanges. */
typedef struct rc_own_work {
    rc_time part[RC_P_COUNT], basis[RC_BASIS_COUNT];
    rc_load load; /* 0 without a power model */
} rc_own_work;
void rc_replay_work(const rc_replay *r, const rc_what_if *w, size_t section, rc_time times,
                    rc_own_work *out);
/* Adds the ticks in which GPU 0 sends in the exchanges of the section that was evaluated last, by
 * what they rest on; how many these are in all. */
rc_time rc_replay_exchanges(const rc_replay *r, size_t section, rc_time basis[RC_BASIS_COUNT]);
/* The ring of the section that was evaluated last; false when there is no attention in it. */
bool rc_replay_ring(const rc_replay *r, size_t section, rc_ring_times *out);

#endif
