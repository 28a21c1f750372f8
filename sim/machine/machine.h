/* Machines: GPUs, nodes, links and host, from scenarios/machines/NAME.yaml. A machine file states
 * the part's published rates, which machine's calibration its costs rest on, by which physical
 * ratios they are carried over (or leaves these to follow from both parts' published rates), and at
 * most eight fitted parameters, each with unit, meaning, fitted rows, interval.
 *
 * Why a file and not a table in C: a planner's cluster is not ours, and every number that a
 * forecast rests on must be one that a reader can look up, doubt and change. So each number is
 * either stated (published, or said by the machine's owner) or fitted, and a fitted one carries its
 * evidence. A fitted entry replaces the stated value of the same key; the stated value stays in the
 * file for comparison. Keys, units and defaults: docs/scenarios.md.
 *
 * The data is one flat struct, copied freely; nothing in it is allocated. Numbers that a what-if or
 * a fit may turn are reached by name (rc_machine_field); where each lies is in fields.c, its
 * dimension, range and meaning in the table of keys (sim/keys).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_MACHINE_MACHINE_H
#define RC_MACHINE_MACHINE_H
#include <stdbool.h>
#include <stdint.h>
#include "sim/base/error.h"
#include "sim/keys/keys.h"
#include "sim/machine/model_errors.h"

#define RC_MAX_FITTED 8

/* Ops whose rows a machine may take from another source than its base (calibration.costs). */
typedef enum rc_source {
    RC_SOURCE_GEMM,
    RC_SOURCE_ATTENTION,
    RC_SOURCE_DECODE,
    RC_SOURCE_MERGE,
    RC_SOURCE_ELEMENTWISE, /* norms, additions, activations, rotary, quantisation */
    RC_SOURCES
} rc_source;
const char *rc_source_name(rc_source s); /* its key: "gemm" */

/* How the input of an fp8 product becomes fp8: by the norm before it, by a kernel behind the norm, or
 * by a kernel that all-reduces, norms and quantises, as far as the engine's own all-reduce goes. */
typedef enum rc_quantise { RC_QUANTISE_FUSED, RC_QUANTISE_APART, RC_QUANTISE_REDUCED } rc_quantise;

/* One number that was fitted, or NULL-named when a value is stated instead. */
typedef struct rc_fitted {
    char name[48];     /* the parameter's key, e.g. "gemm_ratio" */
    char meaning[256]; /* physical meaning */
    char unit[24];
    char rows[512];       /* ids of the rows it was fitted on, comma separated */
    double stated;        /* what the file says without the fit, or what follows from peaks */
    double value, lo, hi; /* base units; lo..hi is the 90 % interval */
    bool of_engine;       /* stands in the profile of the engine, not in the machine's file */
} rc_fitted;

/* Rates and latency of the links of one GPU. */
typedef struct rc_machine_links {
    double nvlink_rate, nic_line_rate, peer_rate; /* bytes/s */
    double hop_latency;                           /* s */
} rc_machine_links;

typedef struct rc_machine {
    char name[64];
    char description[256];
    /* gpu: */
    char gpu[64];
    double memory;          /* bytes of HBM that the driver reports */
    double memory_fraction; /* of it that one process may take; see rc_machine_usable */
    double hbm_rate;        /* bytes/s, published peak */
    double bf16_rate;       /* FLOP/s dense, published peak */
    double fp8_rate;
    int sms;
    double power;      /* W, board limit */
    double file_power; /* the same as the file has it, before overrides; 0 reads as "the same" */
    /* node: */
    int gpus_per_node;
    double nvlink_rate;       /* bytes/s per GPU and direction, published */
    bool nvls;                /* in-switch reductions used for all-reduce */
    char intra_transport[16]; /* "nvlink", "shm", "socket" */
    int ring_ctas;            /* CTAs that NCCL may take between CP ranks; 0: as it chooses */
    /* network: between nodes, per GPU */
    char inter_transport[16]; /* "rdma", "tcp", "" for a single node */
    double nic_rate;          /* bytes/s, nominal, per GPU and direction; 0 for a single node */
    double nic_line_rate;     /* bytes/s, best achieved with several peers (published) */
    double peer_rate;         /* bytes/s, achieved by one connection (one peer) */
    double hop_latency;       /* s, one NCCL step between nodes, small message, in a CUDA graph */
    char all_reduce[8];       /* its algorithm between nodes: "ring", "tree", "auto" (or ""): the
                                 faster one */
    int max_nodes;            /* of the cluster; 0: any number */
    /* host: eager launches (see docs/method.md, "The host") */
    double launch; /* s per launched kernel */
    double
        eager_gap; /* s on the GPU that each kernel launched by itself takes more than in a graph;
                         0: by the rows of `gap`, and none without such rows */
    /* engine: what serves there, where it differs from the kernels that were measured; often a
     * profile of scenarios/engines, which several machines share (docs/method.md, "The engine") */
    char engine[64];         /* name of the profile; "": none */
    double ring_step;        /* s of host work at a ring step, after it synchronised */
    double ring_step_cached; /* s more where there are cached keys */
    bool whole_tiles;        /* prefill attention does not split its tiles along the keys */
    bool ring_stripes;       /* a rank of a ring has every N-th token of a prompt, not two chunks */
    bool ring_copies;        /* keys that a ring sends are copied out of their pages first */
    bool ring_gives_way;  /* attention beside a message takes all SMs that no message has; else */
    int ring_sms;         /* those that it takes; 0: all but some (rc_ring_share of sim/forward) */
    rc_quantise quantise; /* how the inputs of fp8 products become fp8 */
    bool own_all_reduce;  /* rows of all-reduces called "custom" answer where there are some */
    double
        own_limit[3]; /* bytes up to which the engine's own all-reduce goes, among 2, 4 and 8 GPUs
                            (fewer: as 2, between: as the next) */
    double process_memory; /* bytes that its process holds beyond what every process does */
    double fp8_matrix;     /* rate of fp8 products over those of the base where the matrix units
                                bind; 0 reads as 1, as for the next */
    double fp8_stream;     /* the same where reading the weights binds */
    /* calibration: which measured machine the costs rest on, and the ratios that carry them over */
    char base[64];              /* machine column of the store */
    char collectives[64];       /* machine column of collectives inside a node; default: base */
    char costs[RC_SOURCES][64]; /* machine columns of single ops' rows; "": the base's */
    char stand_in[64];          /* machine column whose rows of attention and of products by blocks
                                   answer for types that the base has none of, carried over by
                                   peaks; "": none */
    double stand_in_bf16_rate, stand_in_fp8_rate, stand_in_hbm_rate; /* published, of that part */
    char state[16]; /* "burst", "sustained" or "power_limited" */
    double
        power_window; /* s over which the limiter of the board averages power; 0: each pass by itself */
    bool from_rest;        /* power_limited: passes begin on a chip that was idle; no key sets it */
    double base_bf16_rate; /* FLOP/s, published peaks of the base: which of matrix and HBM binds
                              there */
    double base_fp8_rate;
    double base_hbm_rate;    /* bytes/s */
    double base_nvlink_rate; /* bytes/s, of the machine named by `collectives` */
    double gemm_ratio;       /* matrix rate here / there (compute-bound GEMM) */
    double attention_ratio;  /* the same for attention */
    double hbm_ratio;        /* HBM rate here / there (memory-bound ops) */
    double nvlink_ratio;     /* NVLink rate here / where the rows of collectives were measured */
    double ratio_spread;     /* relative 90 % half-width of the transfer itself (0 for the base) */
    /* Ratio in fp8 over gemm_ratio and attention_ratio, which are of bf16: other than 1 only where
     * ratios follow from published peaks. 0 reads as 1. */
    double gemm_fp8, attention_fp8;
    /* The links as the file has them, so that rows measured on this very machine can be carried
     * over to what an override makes of them. 0 reads as "the same as now". */
    rc_machine_links file;
    unsigned derived; /* bit i: number i of rc_machine_fields follows from published rates */
    unsigned held;    /* bit i: number i was set by an override, and follows no other number */
    rc_model_errors
        errors; /* of whole passes, beyond what costs say of themselves; n 0: no table */
    /* inputs: ids of published rows whose figures this file states directly; never compared with */
    char inputs[512];
    /* fitted: */
    int fitted_count;
    rc_fitted fitted[RC_MAX_FITTED];
    unsigned without; /* rc_mechanism bits; no key sets them */
} rc_machine;

/* Mechanisms of the model that `ringcast validate --without` leaves out, so that it shows what each
 * is worth. */
typedef enum rc_mechanism {
    RC_CONTENTION = 1, /* what attention and messages take from each other in a ring */
    RC_CLOCKS = 2,     /* the clock that power leaves a pass; else a sustained one for all */
    RC_LINKS = 4, /* links by rows of as many ranks, CTAs and calls as a pass has; else messages
                          of two ranks, one after another, for all but all-reduces */
    RC_WAVES = 8  /* costs between rows and of other shapes follow the kernel's plan of tiles */
} rc_mechanism;

/* Whether costs of both rest on the same rows in the same clock state. */
bool rc_machine_same_rows(const rc_machine *x, const rc_machine *y);
/* The machine as it would rest on the rows of its stand-in alone; it must name one. */
rc_machine rc_machine_on_stand_in(const rc_machine *m);
/* Whether some op's rows are of another source than the base. */
bool rc_machine_has_sources(const rc_machine *m);

/* Bytes of a GPU that weights, KV cache, activations, buffers and the runtime may take together;
 * what is kept back is for whatever else lives there and for what no model of memory sees, as
 * engines keep it back (vLLM: gpu_memory_utilization). A fraction of 0, of a machine that no file
 * describes, is all of it. */
double rc_machine_usable(const rc_machine *m);

/* Bytes of a message up to which the engine's own all-reduce among that many GPUs goes; 0: none. */
double rc_machine_own_limit(const rc_machine *m, int gpus);

/* Nodes that `cp` ranks of `tp` GPUs each take: a rank spans whole nodes, or several whole ranks
 * share one. */
int rc_machine_nodes(const rc_machine *m, int tp, int cp);

/* Rates of the base that the file leaves out are read from the base's own machine file, which is
 * looked for beside this one and then in scenarios/machines of the data folder. rc_machine_parse,
 * which has no file, looks in the data folder only. */
rc_status rc_machine_load(const char *path, rc_machine *out, rc_error *err);
rc_status rc_machine_parse(const char *name, const char *text, unsigned long size, rc_machine *out,
                           rc_error *err);
/* The same with "machine.KEY=VALUE" texts applied in order; texts that do not begin with "machine."
 * are passed over. KEY is a key of the file ("network.nic_rate"), its end where that is unique
 * ("nic_rate", "transfer.gemm"), or the name of a number ("gemm_ratio"). What is changed meets the
 * checks that the file meets; a changed number moves others as rc_machine_override says. */
rc_status rc_machine_load_set(const char *path, const char *const *sets, size_t set_count,
                              rc_machine *out, rc_error *err);
rc_status rc_machine_parse_set(const char *name, const char *text, unsigned long size,
                               const char *const *sets, size_t set_count, rc_machine *out,
                               rc_error *err);
/* What if this number were `value`? Numbers that follow from it move in proportion, unless an
 * override has set them as well, before or after:
 *     nic_rate     nic_line_rate and peer_rate
 *     bf16_rate    gemm_ratio and attention_ratio in bf16
 *     fp8_rate     the same in fp8
 *     hbm_rate     hbm_ratio
 *     nvlink_rate  nvlink_ratio
 * and, where the file leaves a ratio to follow from published peaks, the base's peak in its
 * denominator. A fitted number that is set, or that moves, keeps no interval of its own or takes it
 * along. RC_E_INPUT for an unknown key, and for a number that could change no result: the sentence
 * says what to set instead. */
rc_status rc_machine_override(rc_machine *m, const char *key, double value, rc_error *err);
/* Was the number set by rc_machine_override? */
bool rc_machine_overridden(const rc_machine *m, const char *key);
/* Give the fitted numbers these values, in the order of m->fitted, for a fit or a draw; what
 * follows from them and is neither fitted nor held moves with them. Intervals stay. */
void rc_machine_set_fitted(rc_machine *m, const double *values);
/* After overrides: RC_E_INPUT when one connection would get more than the line, or the line more
 * than its nominal rate. */
rc_status rc_machine_check(const rc_machine *m, rc_error *err);
/* Pointer to a number by its key ("gemm_ratio", "ring_step", "nic_rate", ...); NULL when there is
 * none. Writing through it moves nothing else. */
double *rc_machine_field(rc_machine *m, const char *key);
/* NULL-terminated names that rc_machine_field takes. */
const char *const *rc_machine_fields(void);
/* What the table of keys says of a field; NULL when there is no such field. */
const rc_key *rc_machine_field_key(const char *key);

#endif
