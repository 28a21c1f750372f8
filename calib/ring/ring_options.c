/* The command line of `ringcast-calib ring`, and the cases of a run that names none.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_command.h"
#include "sim/base/quantity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rc_ring_usage(void) {
    fputs(
        "usage: ringcast-calib ring --cases FILE.csv --out FILE.csv [options]\n"
        "       ringcast-calib ring --virtual N [--cases FILE.csv]\n"
        "Runs ring attention, all-gather, tensor parallel and decode schedules over real layers on "
        "the\n"
        "GPUs at hand (one process a GPU: forked here, or under mpirun), checks every result "
        "against a\n"
        "single GPU, and times whole passes and their parts.\n"
        "  --cases FILE      cases (docs/validation.md); default: a few of every schedule\n"
        "  --out FILE.csv    the rows, in the form of results/validation/\n"
        "  --virtual N       N ranks on one GPU, device copies between them: checks, no times\n"
        "  --check-only      real GPUs, checks, no times\n"
        "  --transport NAME  nvlink (default), shm or socket: what NCCL is made to take; none of "
        "the\n"
        "                    three (rdma, tcp): its environment is left alone, the rows say NAME\n"
        "  --trace DIR       a timeline of each case, DIR/CASE.json, for ui.perfetto.dev\n"
        "  --only NAME       cases whose name begins so\n"
        "  --machine NAME    machine name of the rows; default from the GPU's name\n"
        "  --commit HASH     source revision that the rows name\n"
        "  --seed N          of inputs, weights and caches (default 1)\n"
        "  --budget TIME     no case is begun after this long\n"
        "  --force, --resume, --help\n"
        "Exit: 0 done, 1 a check failed or nothing ran, 2 bad usage or input, 3 our fault.\n",
        stdout);
}

static rc_status number(const char *flag, const char *v, int64_t lo, int64_t hi, int64_t *out,
                        rc_error *err) {
    rc_status st = rc_quantity_int(v, lo, hi, out, err);
    if (st == RC_OK)
        return RC_OK;
    if (err)
        snprintf(err->file, sizeof err->file, "%s", flag);
    return RC_E_USAGE;
}

static rc_status take(rc_ring_options *o, const char *flag, const char *v, rc_error *err) {
    const struct {
        const char *name;
        const char **to;
    } texts[] = {{"--cases", &o->cases},     {"--out", &o->out},
                 {"--machine", &o->machine}, {"--transport", &o->transport},
                 {"--commit", &o->commit},   {"--only", &o->only},
                 {"--trace", &o->trace}};
    int64_t n = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!strcmp(flag, texts[i].name)) {
            bool word =
                texts[i].to != &o->cases && texts[i].to != &o->out && texts[i].to != &o->trace;
            if (!*v || (word && (strlen(v) > 47 || strpbrk(v, " ,\"\t\r\n"))))
                return rc_fail_file(err, RC_E_USAGE, flag, "\"%.80s\": expected a name", v);
            *texts[i].to = v;
            return RC_OK;
        }
    if (!strcmp(flag, "--virtual")) {
        RC_TRY(number(flag, v, 1, RC_RING_MAX_RANKS, &n, err));
        o->virtual_ranks = (int)n;
        return RC_OK;
    }
    if (!strcmp(flag, "--seed")) {
        RC_TRY(number(flag, v, 0, INT64_MAX / 2, &n, err));
        o->seed = (uint64_t)n;
        return RC_OK;
    }
    rc_status st = rc_quantity_parse(v, RC_DIM_TIME, &o->budget_s, err);
    if (st != RC_OK && err)
        snprintf(err->file, sizeof err->file, "%s", flag);
    return st == RC_OK ? RC_OK : RC_E_USAGE;
}

static rc_status check(const rc_ring_options *o, rc_error *err) {
    size_t n = o->out ? strlen(o->out) : 0;
    if (!o->out && !o->virtual_ranks && !o->check_only)
        return rc_fail_file(err, RC_E_USAGE, "--out", "is missing: FILE.csv");
    if (o->out && (n < 5 || strcmp(o->out + n - 4, ".csv") != 0))
        return rc_fail_file(err, RC_E_USAGE, "--out", "\"%s\": expected a name ending in .csv",
                            o->out);
    if (o->out && (o->virtual_ranks > 1 || o->check_only))
        return rc_fail_file(err, RC_E_USAGE, "--out", "a run that only checks has no rows");
    if (o->trace && (o->virtual_ranks > 1 || o->check_only))
        return rc_fail_file(err, RC_E_USAGE, "--trace", "a run that only checks has no timeline");
    if (o->force && o->resume)
        return rc_fail_file(err, RC_E_USAGE, "--resume", "contradicts --force");
    return RC_OK;
}

rc_status rc_ring_options_parse(int argc, char **argv, rc_ring_options *o, rc_error *err) {
    static const char *const flags[] = {"--cases",     "--out",    "--virtual", "--check-only",
                                        "--transport", "--only",   "--machine", "--commit",
                                        "--seed",      "--budget", "--trace",   "--force",
                                        "--resume",    "--help",   NULL};
    *o = (rc_ring_options){.seed = 1, .budget_s = (double)INFINITY};
    for (int i = 1; i < argc; i++) {
        const char *w = argv[i];
        int known = 0;
        while (flags[known] && strcmp(flags[known], w) != 0)
            known++;
        if (!flags[known]) {
            const char *near = rc_nearest(w, flags);
            return rc_fail_file(err, RC_E_USAGE, w, "unknown option%s%s%s",
                                near ? "; did you mean " : "", near ? near : "",
                                near ? "?" : " (see ringcast-calib ring --help)");
        }
        if (!strcmp(w, "--check-only"))
            o->check_only = true;
        else if (!strcmp(w, "--force"))
            o->force = true;
        else if (!strcmp(w, "--resume"))
            o->resume = true;
        else if (!strcmp(w, "--help"))
            o->help = true;
        else if (i + 1 >= argc)
            return rc_fail_file(err, RC_E_USAGE, w, "needs a value");
        else
            RC_TRY(take(o, w, argv[++i], err));
    }
    return o->help ? RC_OK : check(o, err);
}

/* ---- cases ----------------------------------------------------------------------------------- */

typedef struct shape {
    int64_t t, p, batch;
    int hq, hkv;
} shape;

/* Every way to cut `ranks` GPUs that a schedule allows, at three shapes, launched both ways. */
rc_status rc_ring_cases_builtin(int ranks, rc_ring_case **out, size_t *n, rc_error *err) {
    static const shape prefill[] = {
        {4096, 0, 1, 16, 1}, {512, 8192, 1, 8, 1}, {2048, 2048, 1, 8, 2}};
    static const shape decode[] = {{1, 8192, 64, 16, 1}, {1, 4096, 64, 8, 1}, {1, 2048, 64, 8, 2}};
    rc_ring_case *all = calloc((size_t)ranks * RC_RING_SCHEDULES * 3, sizeof *all);
    size_t count = 0;
    if (!all)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    for (int s = 0; s < RC_RING_SCHEDULES; s++)
        for (int tp = 1; tp <= ranks; tp++) {
            bool tensor = s == RC_RING_TP || s == RC_RING_DECODE_TP;
            int cp = ranks / tp;
            if (ranks % tp || (tensor && cp != 1) || (!tensor && ranks > 1 && cp == 1))
                continue;
            for (int k = 0; k < 3; k++) {
                const shape *z = s >= RC_RING_DECODE_PASS_Q ? &decode[k] : &prefill[k];
                rc_ring_case c = {.schedule = (rc_ring_schedule)s, .cp = cp, .tp = tp};
                c.t = z->t == 1 ? 1 : z->t * cp; /* whole chunks for any number of ranks */
                c.p = z->p / cp * cp;
                c.batch = z->batch == 1 ? 1 : z->batch / cp * cp;
                c.hq = z->hq, c.hkv = z->hkv;
                c.width = 4096, c.ffn = 1792, c.layers = 2, c.graph = k == 1;
                snprintf(c.name, sizeof c.name, "%s-cp%d-tp%d-%d",
                         rc_ring_schedule_name(c.schedule), cp, tp, k);
                all[count++] = c;
            }
        }
    *out = all;
    *n = count;
    return RC_OK;
}
