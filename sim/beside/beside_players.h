/* Players that answer for a server: with what it took, or with the cost model's times set right.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BESIDE_BESIDE_PLAYERS_H
#define RC_BESIDE_BESIDE_PLAYERS_H
#include "sim/beside/server_runs.h"

typedef struct rc_replayer { /* rc_pass_player's ctx */
    const rc_played_log *log;
    const char *path;      /* of the log, for errors */
    size_t next;           /* the pass that is asked for next */
    rc_beside_cost *costs; /* [log->count]: what the model says of each */
} rc_replayer;
/* Hands out what pass after pass took, after a look at whether it is the same pass. */
rc_status rc_replayer_pass(void *ctx, const rc_played_pass *pass, rc_time *took, rc_error *err);
/* After the run: all passes have been asked for. */
rc_status rc_replayer_end(const rc_replayer *r, rc_error *err);

typedef struct rc_retimer { /* rc_pass_player's ctx */
    rc_time host;
    double scale[RC_BESIDE_KINDS]; /* of the model's time on the GPU */
} rc_retimer;
rc_status rc_retimer_pass(void *ctx, const rc_played_pass *pass, rc_time *took, rc_error *err);

#endif
