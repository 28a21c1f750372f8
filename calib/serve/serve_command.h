/* ringcast-calib serve: a serving scenario played on real GPUs, for `ringcast validate --serving`.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_SERVE_SERVE_COMMAND_H
#define RC_CALIB_SERVE_SERVE_COMMAND_H
#include <stdbool.h>
#include <stdint.h>
#include "calib/gpu.h"
#include "calib/serve/served_model.h"
#include "calib/serve/serve_prepare.h"
#include "sim/serve/played_log.h"

typedef struct rc_serve_command {
    const char *scenario, *out, *commit;
    int64_t checks; /* passes that are checked, at most */
    bool real_time; /* the GPU waits for arrivals; else idle time is left out */
    bool force, help;
} rc_serve_command;

rc_status rc_serve_command_parse(int argc, char **argv, rc_serve_command *o, rc_error *err);
void rc_serve_command_usage(void);
/* argv[0] is "serve". */
rc_status rc_serve_main(int argc, char **argv, rc_error *err);

/* ---- serve_play.c: the scheduler's passes on the GPUs ---- */
typedef struct rc_serve_play {
    const rc_group *procs;
    rc_gpu *gpu;
    rc_served_model engine;
    rc_serve_prepared prepared;
    rc_played_log log;
    uint64_t *checked; /* [tokens of a pass] of a reference */
    int64_t checks, checks_done;
    double worst;    /* of all checks */
    double returned; /* rc_now() when the latest pass was handed back */
    double began;    /* rc_now() at the run's time 0, in real time; 0: not yet */
    bool real_time;
    rc_time ended; /* of the latest pass, by the run's clock */
} rc_serve_play;

/* A check is passed when the states differ by less: bf16 through some tens of layers, against
 * sqrt(2) where something else was read. */
#define RC_SERVE_CHECK_LIMIT 0.05

rc_status rc_serve_play_open(rc_serve_play *p, const rc_serve *s, const rc_trace *t, rc_error *err);
void rc_serve_play_close(rc_serve_play *p); /* safe on a zeroed one; the engine is closed too */
/* rc_pass_player of a rc_serve_play. */
rc_status rc_serve_play_pass(void *ctx, const rc_played_pass *pass, rc_time *took, rc_error *err);
void rc_serve_play_release(void *ctx, uint64_t request);

#endif
