/* Planning: the cheapest cluster that serves a workload within its objectives.
 *
 * A plan file offers machines with prices and spans a space of layouts, pools, schedulers and
 * replicas. Every configuration of that space is considered; most are cut without a simulation, by
 * memory and by lower bounds on latency and work from single forward passes. Those that remain are
 * ordered by price and by an estimate of their tails, and simulated with the whole workload until
 * the cheapest that holds is known, or the simulations are spent. What was cut, and by what, is
 * counted.
 *
 * The search asks a function for the outcome of a trial (rc_plan_sim), so that it can be tested
 * without a simulator; the one that plays the trace is rc_plan_simulate.
 *
 * A run is a pure function of the file and its seeds: trials go to threads in rounds of a fixed
 * size, whatever the number of cores.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_PLAN_PLAN_H
#define RC_PLAN_PLAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/serve/serve.h"

enum {
    RC_PLAN_OFFERS = 16,
    RC_PLAN_LIST = 128, /* values of one key of the space */
    RC_PLAN_OBJECTIVES = RC_SERVE_OBJECTIVES,
    RC_PLAN_RESOURCES = 4, /* matrix rate, HBM rate, network rate, memory */
    RC_PLAN_SEEDS = 64,    /* other seeds that a plan is tried with, at most */
    RC_PLAN_OPTIONS = 1 << 21
};

typedef struct rc_plan_offer {
    rc_machine machine;
    char file[256]; /* as the plan names it: a name, or a path */
    double price;   /* per GPU-hour */
    int gpus;       /* on offer */
} rc_plan_offer;

typedef struct rc_plan_ints {
    int64_t v[RC_PLAN_LIST];
    int n;
} rc_plan_ints;

typedef struct rc_plan_space {
    rc_plan_ints dcp, dp, ep; /* of the pool that decodes, of it, of both; ep -1: all its GPUs */
    const rc_schedule *cut;   /* with dcp above 1 */
    double expert_skew;
    rc_mla mla;
    rc_plan_ints pp;
    rc_rest_layers pp_rest;
    rc_plan_ints tp, cp, decode_cp, dynamic, split, chunked, budget, max_batch, kv, replicas;
    rc_pick picks[RC_PLAN_LIST]; /* who picks the schedule of prefills */
    int pick_count;
} rc_plan_space;

/* One configuration. */
typedef struct rc_plan_option {
    int16_t offer, tp, cp, decode_cp; /* decode_cp: of the decode pool, when split */
    int16_t prefill, decode;          /* replicas; mixed: all in `prefill`, none in `decode` */
    int8_t pick, kv;                  /* of space.picks; an rc_dtype */
    bool dynamic, chunked;
    int32_t budget, max_batch;
    int16_t dcp, dp; /* of the pool that decodes: rc_layout's; 0 and 1: none */
    int32_t ep;      /* of both pools; -1: all GPUs of a stage */
    int16_t pp;      /* stages of a replica; 0 and 1: it is not cut so */
    int16_t none;    /* 0, where the compiler would leave a gap */
} rc_plan_option;
_Static_assert(sizeof(rc_plan_option) == 36, "equal options are equal bytes: nothing lies between");

/* The workload in short (plan_load.c): requests that are alike in new and cached tokens. */
typedef struct rc_plan_class {
    int64_t t, p; /* least of its requests */
    double count;
    uint64_t asked[RC_PLAN_OBJECTIVES]; /* requests that each objective speaks of */
} rc_plan_class;

/* What an objective asks of any cluster. */
typedef struct rc_plan_least {
    uint64_t asked; /* requests that it speaks of */
    int64_t input;  /* of TTIT: the share of them have inputs within it */
    double tokens;  /* of TTFT: new ones of those that must keep it, were they the shortest */
    double window;  /* s in which all of them arrive; below 0: not known */
} rc_plan_least;

typedef struct rc_plan_load {
    rc_plan_class *classes, *least; /* as expected; with as much cached as can be. Owned */
    size_t class_count, least_count;
    rc_plan_least objectives[RC_PLAN_OBJECTIVES];
    double requests, input, output; /* sums, tokens */
    double cached;                  /* sum of P with a cache that forgets nothing */
    double context;                 /* mean keys that a decoded token sees */
    int64_t longest, longest_input; /* tokens: of KV that a request fills, and of its prompt */
    double span;                    /* s of arrivals; 0: not known */
} rc_plan_load;

/* What a trial asks beside its option. */
typedef struct rc_plan_trial {
    rc_plan_option option;
    uint64_t seed;
    double growth;                       /* of the rate; 1: as the file says */
    double matrix, hbm, network, memory; /* what-if: that much of the machine's; 1 */
    double ring_step;                    /* s: the engine's; below 0: the machine's own */
    double lost_at;                      /* s from the start: a replica is gone; 0: none */
    bool
        verdict; /* only whether it holds is asked: the outcome of one that does not may say no more */
} rc_plan_trial;

typedef struct rc_plan_outcome {
    bool fits;                           /* false: the rest is not set */
    double value[RC_PLAN_OBJECTIVES];    /* s: of each objective (rc_objective_value) */
    double ttft_p50, ttft_p95, ttft_p99; /* s */
    double ttit_p50, ttit_p95, gap_p95;  /* of requests' mean gaps; of gaps between tokens */
    double queue_p95, service_p95;       /* s; arrival to start, start to end */
    double done, rejected, lost;         /* requests */
    double busy_prefill, busy_decode;    /* share of time: mixed pools have it in both */
    double hit;                          /* share of input tokens found in caches */
    double preempted;
    double makespan, midway; /* s: of the run; when half of the requests had come */
    double gpu_hours;
    double tokens_per_gpu_s;
    double rests[RC_BASIS_COUNT]; /* share of the GPUs' busy time by what its costs rest on */
} rc_plan_outcome;

/* Called from several threads. RC_E_NOFIT is not an error but an outcome that does not fit. */
typedef rc_status (*rc_plan_sim)(void *ctx, const rc_plan_trial *trial, rc_plan_outcome *out,
                                 rc_error *err);

typedef struct rc_plan {
    const rc_serve *serve; /* what every trial starts from; borrowed */
    char name[96], description[256];
    rc_model model;
    rc_layout dtypes; /* tp and cp are the option's */
    rc_plan_offer offers[RC_PLAN_OFFERS];
    int offer_count;
    rc_objective objectives[RC_PLAN_OBJECTIVES];
    int objective_count;
    rc_plan_space space;
    double growth;       /* the plan is made for so many times the rate */
    int64_t simulations; /* of the search, at most */
    int check_seeds;     /* other seeds that the chosen plan is tried with */
    bool
        own_arrivals; /* the trace's: other seeds draw it anew by pieces of time (rc_trace_resample) */
    double met;       /* share of them that must meet all objectives, else the next is chosen */
    uint64_t seed;
    int threads; /* 0: one a core */
    bool quiet;
} rc_plan;

/* Groups with requests of their own, in all replicas that take prompts, or that decode. */
int rc_plan_groups(const rc_plan_option *o, bool decode);
int rc_plan_stages(const rc_plan_option *o); /* of a replica; 1: it is not cut into stages */
double rc_plan_price(const rc_plan *p, const rc_plan_option *o); /* per hour */
int rc_plan_gpus(const rc_plan_option *o);
/* Who picks the schedule of the option's prefills on `cp` ranks; the name, on its own. */
rc_pick rc_plan_pick(const rc_plan *p, const rc_plan_option *o, int cp);
const char *rc_plan_pick_name(const rc_plan *p, const rc_plan_option *o);
/* "4 x (CP2 x TP8, oracle)", "2 prefill + 3 decode ..." */
const char *rc_plan_option_text(const rc_plan *p, const rc_plan_option *o, char *buf, size_t size);
/* Smallest limit / value - 1 over the objectives: at least 0 when all are met. At most
 * RC_PLAN_UNFINISHED when a request was rejected or lost, RC_PLAN_NO_FIT when nothing fits. */
#define RC_PLAN_UNFINISHED (-0.5) /* its value would be twice the limit: a clear miss */
#define RC_PLAN_NO_FIT (-1.0)     /* its value would be infinite */
double rc_plan_margin(const rc_plan *p, const rc_plan_outcome *o, int *tightest);

/* ---- bounds (plan_bounds.c, plan_estimate.c) ------------------------------------------------- */
typedef enum rc_plan_cut {
    RC_CUT_NONE,
    RC_CUT_LAYOUT,  /* does not divide the model, needs a network, is over the offer, or its
                       schedule takes no chunked passes */
    RC_CUT_KV,      /* nothing of attention over KV in that type was measured for the offer */
    RC_CUT_MEMORY,  /* weights, or the longest request, do not fit */
    RC_CUT_PREFILL, /* prompts alone take longer than TTFT allows */
    RC_CUT_DECODE,  /* a lone decode step takes longer than TTIT allows */
    RC_CUT_WORK,    /* more prompts arrive than can be computed */
    RC_CUT_COUNT
} rc_plan_cut;
const char *rc_plan_cut_name(rc_plan_cut c);

typedef struct rc_plan_bound {
    rc_plan_cut cut;
    double value[RC_PLAN_OBJECTIVES]; /* s: no objective's value is less; NAN: not looked at */
    double load;                      /* share of time that the busiest pool is expected to work */
    double floor; /* worst of value / limit over the objectives, without any waiting */
    double rho;   /* share of time that the pool works which prompts wait for */
    double servers, mean, square; /* its replicas; s and s^2 of a prompt */
    double prompt, limit; /* s: the quantile of prompts and the limit of the tightest TTFT; 0 */
} rc_plan_bound;

typedef struct rc_plan_bounds rc_plan_bounds; /* forward passes of each layout, remembered */
rc_status rc_plan_bounds_create(const rc_plan *p, const rc_plan_load *load,
                                const rc_costs *const *costs, rc_plan_bounds **out, rc_error *err);
void rc_plan_bounds_free(rc_plan_bounds *b);
/* Worst of value / limit over the objectives, as estimated, were the load `scale` times the
 * bound's. Above 1 it is not expected to hold. */
double rc_plan_estimate(const rc_plan_bound *b, double scale);
/* Not for several threads. */
rc_status rc_plan_bound_of(rc_plan_bounds *b, const rc_plan_option *o, rc_plan_bound *out,
                           rc_error *err);

/* ---- search (plan_search.c) ---------------------------------------------------------------- */
enum { RC_PLAN_FRONT = 32, RC_PLAN_RUNNERS = 5, RC_PLAN_KINDS = 4, RC_PLAN_FLIPS = 16 };
/* 0 mixed, 1 disaggregated pools; + 2 with dynamic CP. */
int rc_plan_kind(const rc_plan_option *o);
const char *rc_plan_kind_name(int kind);

typedef struct rc_plan_result { /* a simulated option */
    rc_plan_option option;
    rc_plan_outcome outcome;
    double price, margin;
    int tightest; /* objective */
    bool fragile; /* holds, but not for enough of the other seeds */
} rc_plan_result;

/* One assumption changed, and the cheapest of the simulated configurations that then holds. */
typedef struct rc_plan_flip {
    const char *assumption;
    double margin; /* of the plan's best */
    bool found;    /* something holds: */
    rc_plan_result then;
} rc_plan_flip;

typedef struct rc_plan_answer {
    int64_t considered, cut[RC_CUT_COUNT], excluded, simulated; /* excluded: by what a simulation
                                                                   of a larger one showed */
    int64_t hopeful;                                            /* of `open`: expected to hold */
    int64_t open; /* neither cut, excluded nor simulated, and cheaper than the best */
    double least[RC_PLAN_OBJECTIVES]; /* s: of the bounds, over the space; INFINITY: none fits */
    rc_plan_result *all;              /* every simulated option, in order; owned */
    size_t all_count;
    int best; /* index into all; -1: none holds */
    int runners[RC_PLAN_RUNNERS], runner_count;
    int kind_best[RC_PLAN_KINDS];          /* the cheapest that holds of each kind; -1: none */
    int front[RC_PLAN_FRONT], front_count; /* cost against p95 TTFT, of what holds */
    /* about the best */
    double seeds_met; /* share of check_seeds that met every objective */
    double seeds_lo[RC_PLAN_OBJECTIVES], seeds_hi[RC_PLAN_OBJECTIVES];
    int seeds;
    double slack[RC_PLAN_RESOURCES]; /* margin gained by 25 % more of each */
    double growth, growth_limit;     /* holds up to so many times the rate; tried up to */
    rc_plan_outcome lost;            /* with one replica lost */
    double lost_margin;
    bool has_lost, has_next;
    rc_plan_result next; /* with one replica more */
    double next_growth;
    rc_plan_flip flips[RC_PLAN_FLIPS]; /* of rc_plan_find_flips */
    int flip_count;
    double wall_s;
    rc_notes notes; /* about the model and the longest request */
} rc_plan_answer;

rc_status rc_plan_search(const rc_plan *p, rc_plan_bounds *bounds, rc_plan_sim sim, void *ctx,
                         rc_plan_answer *out, rc_error *err);
void rc_plan_answer_free(rc_plan_answer *a);
/* plan_flips.c: fills what a best rests on, some 30 to 60 simulations. */
rc_status rc_plan_find_flips(const rc_plan *p, rc_plan_sim sim, void *ctx, rc_plan_answer *a,
                             rc_error *err);

#endif
