/* The folder of a server's run, made up: the cost model's times times a factor for each kind of pass.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_SERVING_RUN_H
#define RC_TESTS_SUPPORT_SERVING_RUN_H
#include <math.h>
#include "sim/beside/server_runs.h"
#include "tests/support/serve.h"

/* A host of 2 ms a pass, and costs that are linear. */
#define SERVING_RUN                                                                                \
    "serve: made-up\nmodel: llama-3.1-8b\nmachine: h100-sxm\npools: [{name: p, tp: 1}]\n"          \
    "scheduler: {policy: chunked, admission: chunk, budget: 512, fuse: 4, max_batch: 8, "          \
    "step: 2ms}\n"                                                                                 \
    "kv: {tokens: 8192, block: 16}\nseed: 3\n"                                                     \
    "synthetic: {requests: 60, rate: 8, input: {kind: lognormal, median: 300, sigma: 0.8, hi: "    \
    "2000}, output: {kind: lognormal, median: 20, sigma: 1, hi: 100}}\n"                           \
    "costs: {prefill: 2ms, prefill_token: 50us, decode: 4ms, decode_sequence: 300us, "             \
    "decode_key: 200ns}\n"

typedef struct serving_player {
    double factor[RC_BESIDE_KINDS], host; /* s */
    rc_played_log log;
} serving_player;

SERVE_UNUSED static rc_status serving_pass(void *ctx, const rc_played_pass *pass, rc_time *took,
                                           rc_error *err) {
    serving_player *p = ctx;
    rc_played_row row = rc_played_row_of(pass);
    row.host = llround(p->host * RC_PS_PER_S);
    row.took = row.host + llround(p->factor[rc_beside_kind_of(&row)] * (double)pass->model_gpu);
    *took = row.took;
    return rc_played_log_add(&p->log, &row, err);
}

/* The log of a run of `text` on such a server; the caller frees p->log. */
SERVE_UNUSED static rc_status serving_play(const char *text, serving_player *p, rc_error *err) {
    const rc_pass_player player = {.ctx = p, .pass = serving_pass, .modelled = true};
    rc_serve *s = malloc(sizeof *s);
    rc_serve_result *r = malloc(sizeof *r);
    rc_status st = s && r ? serve_parse(text, s, err) : rc_fail(err, RC_E_NOMEM, "out of memory");
    if (st == RC_OK) {
        const rc_serve_options o = {.seed = s->seed, .player = &player};
        st = serve_text(text, o, r, NULL, err);
    }
    free(s);
    free(r);
    return st;
}

SERVE_UNUSED static bool serving_text(const char *dir, const char *name, const char *text) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (!f)
        return false;
    (void)fputs(text, f);
    return fclose(f) == 0;
}

SERVE_UNUSED static rc_status serving_log(const char *dir, const rc_played_log *log,
                                          rc_error *err) {
    static const char *const about[] = {"passes of a server that is made up"};
    char path[512];
    (void)snprintf(path, sizeof path, "%s/passes.csv", dir);
    return rc_played_log_write(log, about, 1, path, true, err);
}

#endif
