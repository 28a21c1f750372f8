/* The passes of a real server, one a row: when each began and how long it took, and a digest of what
 * it computed. Written by `ringcast-calib serve`, read by `ringcast validate --serving`.
 *
 * A folder holds one run: scenario.yaml, which the server was given and the forecast reads again;
 * passes.csv (below); requests.csv, a row a request as `ringcast serve --requests` writes it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SERVE_PLAYED_LOG_H
#define RC_SERVE_PLAYED_LOG_H
#include <stddef.h>

#include "sim/serve/serve.h"

typedef struct rc_played_row {
    rc_time start,
        took;        /* ps; start by the run's clock, took from there to the tokens on the host */
    rc_time host;    /* ps, of took: the scheduler and what is prepared before the first launch */
    int64_t prompts; /* prompts, or pieces of them */
    int64_t prompt_tokens, decodes, context; /* context: keys that those which decode have cached */
    uint64_t digest;                         /* rc_played_digest */
    double sm_mhz, power_w;                  /* NAN: unknown */
} rc_played_row;

typedef struct rc_played_log {
    rc_played_row *at;
    size_t count, room;
} rc_played_log;

/* A row of a pass without times: its counts and its digest, a hash over who computes what. */
rc_played_row rc_played_row_of(const rc_played_pass *pass);
rc_status rc_played_log_add(rc_played_log *log, const rc_played_row *row, rc_error *err);
void rc_played_log_free(rc_played_log *log);

/* `about`: lines of provenance, each written behind "# ". */
rc_status rc_played_log_write(const rc_played_log *log, const char *const *about, size_t lines,
                              const char *path, bool overwrite, rc_error *err);
/* The caller frees *out. RC_E_INPUT names file, line and column. */
rc_status rc_played_log_read(const char *path, rc_played_log *out, rc_error *err);
rc_status rc_played_log_parse(const char *name, const char *text, size_t size, rc_played_log *out,
                              rc_error *err);

#endif
