/* libringcast: forecasts of LLM inference on GPU clusters, from measured costs.
 *
 *     ringcast_model *model;
 *     ringcast_machine *machine;
 *     ringcast_pass pass;
 *     ringcast_forecast f = {.size = sizeof f};
 *     ringcast_error err;
 *     ringcast_pass_init(&pass);
 *     pass.tp = 8;
 *     pass.new_tokens = 32000;
 *     if (ringcast_model_load("llama-3.1-70b", &model, &err) != RINGCAST_OK ||
 *         ringcast_machine_load("h100-sxm", NULL, 0, &machine, &err) != RINGCAST_OK ||
 *         ringcast_forward(model, machine, &pass, &f, &err) != RINGCAST_OK)
 *         fprintf(stderr, "%s\n", err.text);
 *
 * Units: seconds, bytes, tokens, FLOP/s; a name says so where it is something else.
 * Ownership: what a _load gives is the caller's, and goes back by its _free; strings that are
 * returned live as long as their handle; nothing that is passed in is kept.
 * Threads: handles are not changed by use, so all functions may be called from any thread with the
 * same ones; a handle must not be freed while another thread uses it.
 * Errors: functions that can fail return a status and, unless `err` is NULL, fill *err; results are
 * then left as they were. Nothing is printed, and nothing ends the process but a fault of the library
 * itself (an assertion, abort(3)).
 * Structures begin with their size, so that programs go on running with a later library of the same
 * major version: it may add members at the end.
 *
 * Models and machines are looked for in the current folder, then in the data folder
 * (ringcast_share_folder).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RINGCAST_RINGCAST_H
#define RINGCAST_RINGCAST_H
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define RINGCAST_API __attribute__((visibility("default")))
#else
#define RINGCAST_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the library ----------------------------------------------------------------------------- */

RINGCAST_API const char *ringcast_version(void); /* "0.1.0" */
/* Where models, machines and traces are that came with the library: $RINGCAST_SHARE, else
 * share/ringcast beside the folder that the library was installed to. */
RINGCAST_API const char *ringcast_share_folder(void);

typedef enum ringcast_status {
    RINGCAST_OK = 0,
    RINGCAST_E_INPUT,      /* an argument or the content of a file is wrong */
    RINGCAST_E_IO,         /* a file that is not there or cannot be read */
    RINGCAST_E_NOFIT,      /* it does not fit into the memory of the GPUs */
    RINGCAST_E_SIZE,       /* the simulation would take too much memory of the host */
    RINGCAST_E_UNMODELLED, /* a real thing that the library does not model */
    RINGCAST_E_NOMEM,      /* out of memory */
    RINGCAST_E_INTERNAL    /* a fault of the library */
} ringcast_status;

typedef struct ringcast_error {
    ringcast_status status;
    char text[1276]; /* one line: the place, what was found, what was expected */
} ringcast_error;

/* ---- models ---------------------------------------------------------------------------------- */

typedef struct ringcast_model ringcast_model;

/* `name`: one of `ringcast models`, or the path of a Hugging Face config.json. */
RINGCAST_API ringcast_status ringcast_model_load(const char *name, ringcast_model **out,
                                                 ringcast_error *err);
RINGCAST_API void ringcast_model_free(ringcast_model *m); /* NULL is fine */
RINGCAST_API const char *ringcast_model_name(const ringcast_model *m);
RINGCAST_API double ringcast_model_parameters(const ringcast_model *m);
RINGCAST_API double ringcast_model_active_parameters(const ringcast_model *m); /* for a token */
/* Of all GPUs together, in the types that the checkpoint states. */
RINGCAST_API double ringcast_model_weight_bytes(const ringcast_model *m);
RINGCAST_API double ringcast_model_kv_bytes(const ringcast_model *m); /* of a token */
RINGCAST_API int64_t ringcast_model_context(const ringcast_model *m); /* tokens it is meant for */

/* ---- machines -------------------------------------------------------------------------------- */

typedef struct ringcast_machine ringcast_machine;

/* `name`: one of `ringcast machines`, or the path of a machine file. `sets`: `count` texts
 * "KEY=VALUE" that change it, as `--set machine.KEY=VALUE` does ("nic_rate=100Gb/s"). */
RINGCAST_API ringcast_status ringcast_machine_load(const char *name, const char *const *sets,
                                                   size_t count, ringcast_machine **out,
                                                   ringcast_error *err);
RINGCAST_API void ringcast_machine_free(ringcast_machine *m); /* NULL is fine */
RINGCAST_API const char *ringcast_machine_name(const ringcast_machine *m);
RINGCAST_API const char *ringcast_machine_gpu(const ringcast_machine *m);
RINGCAST_API int ringcast_machine_gpus_per_node(const ringcast_machine *m);
RINGCAST_API double ringcast_machine_memory_bytes(const ringcast_machine *m); /* of a GPU */

/* ---- one forward pass ------------------------------------------------------------------------ */

typedef struct ringcast_pass {
    size_t size;           /* of this structure: ringcast_pass_init sets it, and the defaults */
    int decode;            /* 0: a prefill (default); 1: a decode step */
    int tp, cp;            /* GPUs of a tensor-parallel group (8), context-parallel ranks (1) */
    const char *variant;   /* schedule of `ringcast keys schedules`; NULL: the usual one */
    int64_t new_tokens;    /* of each sequence: T; in a decode step 1 (default 1) */
    int64_t cached_tokens; /* of each sequence: P, in a decode step its context (default 0) */
    int sequences;         /* of these sizes, in one pass (default 1) */
    const char *attention_weights, *ffn_weights,
        *kv;       /* "bf16", "fp8", ...; NULL: the checkpoint's */
    int draws;     /* behind p5 and p95 (default 0: both are the time) */
    uint64_t seed; /* of the draws (default 1) */
} ringcast_pass;

RINGCAST_API void ringcast_pass_init(ringcast_pass *pass);

enum { RINGCAST_BASES = 6 }; /* measured, transferred, published, extrapolated, modelled, stated */
RINGCAST_API const char *ringcast_basis_name(int i); /* NULL from RINGCAST_BASES on */

typedef struct ringcast_forecast {
    size_t size;              /* of this structure: the caller sets it */
    double time, p5, p95;     /* s */
    double mfu, flop_rate;    /* share of the bf16 peak; FLOP/s of one GPU */
    double exposed, hidden;   /* s of communication that the pass waits for, and that it does not */
    double memory, memory_of; /* bytes of one GPU: used; what a process may use */
    double basis[RINGCAST_BASES]; /* shares of the critical path by what its costs rest on */
} ringcast_forecast;

RINGCAST_API ringcast_status ringcast_forward(const ringcast_model *model,
                                              const ringcast_machine *machine,
                                              const ringcast_pass *pass, ringcast_forecast *out,
                                              ringcast_error *err);

/* ---- which variant --------------------------------------------------------------------------- */

enum { RINGCAST_NAME = 32 };
typedef struct ringcast_choice {
    size_t size;              /* of this structure: the caller sets it */
    char ring[RINGCAST_NAME]; /* the faster of pass-kv and pass-q on all ranks; "" for one rank */
    double ring_time;         /* s; NaN when neither can be run */
    char fastest[RINGCAST_NAME]; /* of every schedule and fewer ranks as well; "" when none runs */
    int fastest_cp;              /* its ranks */
    double fastest_time;         /* s */
} ringcast_choice;

/* For a prefill on up to pass->cp ranks. `variant`, `decode` and draws of the pass do not count. */
RINGCAST_API ringcast_status ringcast_choose(const ringcast_model *model,
                                             const ringcast_machine *machine,
                                             const ringcast_pass *pass, ringcast_choice *out,
                                             ringcast_error *err);

/* ---- serving --------------------------------------------------------------------------------- */

typedef struct ringcast_latency { /* s, of done requests */
    double mean, p50, p90, p95, p99;
} ringcast_latency;

typedef struct ringcast_served {
    size_t size; /* of this structure: the caller sets it */
    uint64_t requests, done, rejected, lost;
    double makespan;             /* s, first arrival to last end */
    ringcast_latency ttft, ttit; /* TTIT: a request's mean gap between tokens */
    double goodput;              /* requests/s within all objectives; 0 without objectives */
    uint64_t within_slo;         /* requests */
    double mfu, gpu_hours, cost; /* cost: in the money of the scenario's price; 0 without one */
} ringcast_served;

/* Plays a scenario of `ringcast serve`. `sets`: `count` texts "KEY=VALUE" as --set takes them. */
RINGCAST_API ringcast_status ringcast_serve(const char *scenario, const char *const *sets,
                                            size_t count, ringcast_served *out,
                                            ringcast_error *err);

#ifdef __cplusplus
}
#endif

#endif
