/* Workloads: traces reshaped, and traces made up.
 *
 * Every function is a pure function of its input and seed. Those that reshape change the trace in
 * place; on failure it is unchanged.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TRACE_WORKLOAD_H
#define RC_TRACE_WORKLOAD_H
#include "sim/trace/trace.h"

/* ---------------------------------------------------------------- reshaping --------------- */
/* `scale` > 1: more load. Arrival times are divided by it; think times stay. */
rc_status rc_trace_scale_rate(rc_trace *t, double scale, rc_error *err);
/* Arrivals on a coarse clock (Mooncake: 3,000 ms) are spread uniformly in [a, a + step), then
 * sorted. step = 0: the step is found as the smallest gap between different arrivals. */
rc_status rc_trace_spread(rc_trace *t, rc_time step, uint64_t seed, rc_error *err);
/* Requests in the order of arrival (stable); those without arrival keep their place behind. */
rc_status rc_trace_sort_arrivals(rc_trace *t, rc_error *err);
/* Keep the first n requests; with n above count the trace is repeated, each copy behind the last
 * with fresh block ids and sessions (a copy starts one mean gap after the last arrival of the one
 * before). Sessions are kept whole but for the last, which is cut. */
rc_status rc_trace_resize(rc_trace *t, size_t n, rc_error *err);

typedef enum rc_arrivals { RC_ARRIVE_POISSON, RC_ARRIVE_GAMMA, RC_ARRIVE_EVEN } rc_arrivals;
typedef struct rc_arrival_process {
    rc_arrivals kind;
    double rate; /* per second, > 0 */
    double cv;   /* gamma: coefficient of variation of the gaps, > 0; 1 is Poisson */
} rc_arrival_process;
rc_status rc_arrivals_check(const rc_arrival_process *p, rc_error *err); /* rate and cv */
/* One gap between arrivals, s; of a process that rc_arrivals_check let pass. */
double rc_arrival_gap(const rc_arrival_process *p, rc_rng *r);
/* Sessions of a closed-loop trace start by the process: the first request of each session, in the
 * order of the file or, with `shuffle`, in a random order, gets an arrival. Other requests without
 * `after` in the session keep their distance to it. */
rc_status rc_trace_start_sessions(rc_trace *t, const rc_arrival_process *p, bool shuffle,
                                  uint64_t seed, rc_error *err);
/* New arrivals for every request of an open-loop trace, in the order of the array. */
rc_status rc_trace_redraw_arrivals(rc_trace *t, const rc_arrival_process *p, uint64_t seed,
                                   rc_error *err);

/* The trace drawn anew from itself by pieces of time (sim/trace/resample.c): a block bootstrap. Sessions stay
 * whole, requests and tokens are as many in expectation; sorted by arrival. Of a trace whose requests, or the
 * first ones of its sessions, have arrivals. */
enum { RC_TRACE_PIECES = 32 };
rc_status rc_trace_resample(rc_trace *t, uint64_t seed, rc_error *err);

/* `clients` >= 1 of them, in place of arrival times: each sends a request of an open-loop trace at the
 * start, and behind each answer the next of the array that nobody has sent. Which that will be only the run knows: the
 * links say the one that is `clients` places later, as if all took equally long. They share no
 * history that the requests do not share already. */
rc_status rc_trace_clients(rc_trace *t, uint32_t clients, rc_error *err);

/* ---------------------------------------------------------------- synthetic --------------- */
typedef enum rc_length_kind {
    RC_LENGTH_CONSTANT,    /* mean */
    RC_LENGTH_UNIFORM,     /* lo .. hi */
    RC_LENGTH_LOGNORMAL,   /* median, sigma of the logarithm */
    RC_LENGTH_EXPONENTIAL, /* mean */
    RC_LENGTH_EMPIRICAL    /* values drawn with replacement */
} rc_length_kind;
typedef struct rc_length { /* tokens; every draw is rounded and clamped to [lo, hi] */
    rc_length_kind kind;
    double mean;            /* constant, exponential: mean; lognormal: median */
    double sigma;           /* lognormal */
    uint32_t lo, hi;        /* hi = 0: the cap of the trace */
    const uint32_t *values; /* empirical; borrowed */
    size_t value_count;
} rc_length;

typedef struct rc_synthetic {
    size_t requests;             /* or sessions, when they have turns */
    rc_arrival_process arrivals; /* of the same */
    rc_length input, output;     /* new input of a turn; reply */
    uint32_t block;              /* tokens, >= 1 */
    uint32_t shared_prefix;      /* tokens of a prefix that all of a group share; 0: none */
    uint32_t groups;             /* number of such prefixes, >= 1 when shared_prefix > 0 */
    rc_length turns;             /* of a session; constant 1 (mean = 1): no sessions */
    double think_s;              /* mean, exponential */
    uint64_t seed;
} rc_synthetic;
/* A turn's input is the session's whole past (inputs and replies) and its new tokens. */
rc_status rc_trace_synthesise(const rc_synthetic *s, rc_trace **out, rc_error *err);

/* The same requests, a session at a time and in the order of their arrival, in the memory of one. */
typedef struct rc_synthetic_stream rc_synthetic_stream;
rc_status rc_synthetic_open(const rc_synthetic *s, rc_synthetic_stream **out, rc_error *err);
/* The turns of the next session, linked by `after` alone; none when all have been told. Blocks are
 * numbered as in the whole trace. *out is the stream's, and good until the next call. */
rc_status rc_synthetic_next(rc_synthetic_stream *x, const rc_trace **out, rc_error *err);
void rc_synthetic_close(rc_synthetic_stream *x); /* NULL is fine */

#endif
