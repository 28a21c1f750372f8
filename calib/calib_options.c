/* The command line of ringcast-calib: one table of flags, one strict parser of numbers.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/calib_options.h"
#include "calib/catalog.h"
#include "sim/base/quantity.h"

#include <math.h>
#include <string.h>

typedef rc_status (*setter)(rc_calib_options *o, const char *value, rc_error *err);

void rc_calib_usage(FILE *f) {
    fputs(
        "usage: ringcast-calib list\n"
        "       ringcast-calib run --suite NAME[,NAME...]|--all --out FILE.csv|FILE.db [options]\n"
        "       ringcast-calib run --points FILE.csv --out FILE.csv|FILE.db [options]\n"
        "       ringcast-calib ring --help\n"
        "Times real kernels and NCCL transfers on the GPUs at hand and stores what was measured.\n"
        "  --suite NAMES     which suites (see `list`), or all\n"
        "  --all             every suite\n"
        "  --points FILE.csv measure the points of this file (`ringcast forward --wanted` writes "
        "one);\n"
        "                    may be given several times; with --suite, those of these suites\n"
        "  --out FILE        a CSV file, or an SQLite database when the name ends in .db\n"
        "  --machine NAME    machine name of the rows; default from the GPU's name (h200-sxm)\n"
        "  --state STATE     burst (cool chip, short), sustained (heated chip) or both (default)\n"
        "  --quick           a thin subset of the points\n"
        "  --budget TIME     stop adding points after this long (240, \"240 s\"); least important "
        "go\n"
        "  --gpus N          GPUs to use; default all. Suites of one GPU are spread over them\n"
        "  --gpu K           with --gpus 1: which one (default 0)\n"
        "  --have FILE.csv   leave out what this file holds already (and write only what is new)\n"
        "  --seed N          seed of the random inputs (default 1)\n"
        "  --commit HASH     source revision that the rows name\n"
        "  --force           replace an existing output\n"
        "  --resume          go on where FILE.part of an interrupted run ends\n"
        "  --quiet           no progress line\n"
        "  --verbose         a line for each row, once it is saved\n"
        "  --transport NAME  under mpirun: what the rows call the network (rdma, tcp, nvlink)\n"
        "  --help, --version\n"
        "Exit: 0 done, 1 nothing could be measured, 2 bad usage or input, 3 our fault.\n",
        f);
}

static rc_status set_suite(rc_calib_options *o, const char *v, rc_error *err) {
    return rc_suites_parse(v, &o->suites, err);
}

static rc_status set_out(rc_calib_options *o, const char *v, rc_error *err) {
    size_t n = strlen(v);
    if (!((n > 4 && !strcmp(v + n - 4, ".csv")) || (n > 3 && !strcmp(v + n - 3, ".db"))))
        return rc_fail_file(err, RC_E_USAGE, "--out",
                            "\"%s\": expected a name ending in .csv or .db", v);
    o->out = v;
    return RC_OK;
}

static rc_status set_word(const char **field, const char *flag, const char *v, size_t max,
                          rc_error *err) {
    if (!*v || strlen(v) > max || strpbrk(v, " \t\r\n,\""))
        return rc_fail_file(err, RC_E_USAGE, flag,
                            "\"%s\": expected 1 to %zu characters without blanks, commas or quotes",
                            v, max);
    *field = v;
    return RC_OK;
}

static rc_status set_machine(rc_calib_options *o, const char *v, rc_error *err) {
    return set_word(&o->machine, "--machine", v, 47, err);
}

static rc_status set_commit(rc_calib_options *o, const char *v, rc_error *err) {
    return set_word(&o->commit, "--commit", v, 47, err);
}

static rc_status set_state(rc_calib_options *o, const char *v, rc_error *err) {
    static const char *const names[] = {"burst", "sustained", "both", NULL};
    bool both = !strcmp(v, "both");
    o->burst = both || !strcmp(v, "burst");
    o->sustained = both || !strcmp(v, "sustained");
    if (o->burst || o->sustained)
        return RC_OK;
    const char *near = rc_nearest(v, names);
    return rc_fail_file(err, RC_E_USAGE, "--state",
                        "\"%s\": expected burst, sustained or both%s%s%s", v,
                        near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* Name the flag in an error that the number parser made. */
static rc_status at_flag(rc_status st, const char *flag, rc_error *err) {
    if (st != RC_OK && err) {
        err->status = RC_E_USAGE;
        snprintf(err->file, sizeof err->file, "%s", flag);
    }
    return st == RC_OK ? RC_OK : RC_E_USAGE;
}

static rc_status set_budget(rc_calib_options *o, const char *v, rc_error *err) {
    RC_TRY(at_flag(rc_quantity_parse(v, RC_DIM_TIME, &o->budget_s, err), "--budget", err));
    if (o->budget_s < 1 || o->budget_s > 86400)
        return rc_fail_file(err, RC_E_USAGE, "--budget", "\"%s\": expected 1 s to 86400 s", v);
    return RC_OK;
}

static rc_status set_seed(rc_calib_options *o, const char *v, rc_error *err) {
    int64_t n = 0;
    RC_TRY(at_flag(rc_quantity_int(v, 0, INT64_MAX / 2, &n, err), "--seed", err));
    o->seed = (uint64_t)n;
    return RC_OK;
}

static rc_status set_gpus(rc_calib_options *o, const char *v, rc_error *err) {
    int64_t n = 0;
    RC_TRY(at_flag(rc_quantity_int(v, 1, 64, &n, err), "--gpus", err));
    o->gpus = (int)n;
    return RC_OK;
}

static rc_status set_transport(rc_calib_options *o, const char *v, rc_error *err) {
    return set_word(&o->transport, "--transport", v, 23, err);
}

static rc_status set_child(rc_calib_options *o, const char *v, rc_error *err) {
    return set_word(&o->child, "--child", v, 15, err);
}

static rc_status set_gpu(rc_calib_options *o, const char *v, rc_error *err) {
    int64_t n = 0;
    RC_TRY(at_flag(rc_quantity_int(v, 0, 63, &n, err), "--gpu", err));
    o->gpu = (int)n;
    return RC_OK;
}

static rc_status set_have(rc_calib_options *o, const char *v, rc_error *err) {
    if (!*v)
        return rc_fail_file(err, RC_E_USAGE, "--have", "expected a file's name");
    o->have = v;
    return RC_OK;
}

static rc_status add_points(rc_calib_options *o, const char *v, rc_error *err) {
    if (!*v)
        return rc_fail_file(err, RC_E_USAGE, "--points", "expected a file's name");
    if (o->point_files == RC_POINT_FILES)
        return rc_fail_file(err, RC_E_USAGE, "--points", "at most %d files", RC_POINT_FILES);
    o->points[o->point_files++] = v;
    return RC_OK;
}

static const struct {
    const char *name;
    setter set;
} valued[] = {{"--suite", set_suite},         {"--out", set_out},       {"--machine", set_machine},
              {"--state", set_state},         {"--budget", set_budget}, {"--gpus", set_gpus},
              {"--seed", set_seed},           {"--commit", set_commit}, {"--child", set_child},
              {"--transport", set_transport}, {"--gpu", set_gpu},       {"--have", set_have},
              {"--points", add_points}};
#define NVALUED (sizeof valued / sizeof valued[0])

static rc_status unknown(const char *word, bool flag, rc_error *err) {
    static const char *const flags[] = {
        "--suite", "--out",     "--machine",   "--state",  "--quick", "--budget", "--gpus",
        "--seed",  "--commit",  "--force",     "--resume", "--quiet", "--help",   "--version",
        "--all",   "--verbose", "--transport", "--gpu",    "--have",  "--points", NULL};
    static const char *const commands[] = {"list", "run", "ring", NULL};
    const char *near = rc_nearest(word, flag ? flags : commands);
    return rc_fail_file(err, RC_E_USAGE, word, "unknown %s%s%s%s", flag ? "option" : "command",
                        near ? "; did you mean " : "", near ? near : "",
                        near ? "?" : " (see --help)");
}

/* A flag without a value. False when it is none of them. */
static bool set_switch(rc_calib_options *o, const char *word) {
    const struct {
        const char *name;
        bool *field;
    } plain[] = {{"--quick", &o->quick},   {"--force", &o->force},     {"--overwrite", &o->force},
                 {"--resume", &o->resume}, {"--verbose", &o->verbose}, {"--quiet", &o->quiet}};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (!strcmp(word, plain[i].name)) {
            *plain[i].field = true;
            return true;
        }
    return false;
}

/* One word at argv[*i]; "--flag value" and "--flag=value" both do. */
static rc_status take(rc_calib_options *o, int argc, char **argv, int *i, rc_error *err) {
    const char *word = argv[*i];
    if (!strcmp(word, "--all"))
        return set_suite(o, "all", err);
    if (set_switch(o, word))
        return RC_OK;
    for (size_t k = 0; k < NVALUED; k++) {
        size_t n = strlen(valued[k].name);
        if (strncmp(word, valued[k].name, n) != 0 || (word[n] && word[n] != '='))
            continue;
        if (word[n] == '=')
            return valued[k].set(o, word + n + 1, err);
        if (*i + 1 >= argc)
            return rc_fail_file(err, RC_E_USAGE, valued[k].name, "needs a value");
        return valued[k].set(o, argv[++*i], err);
    }
    return unknown(word, word[0] == '-', err);
}

rc_status rc_calib_options_parse(int argc, char **argv, rc_calib_options *o, rc_error *err) {
    *o = (rc_calib_options){
        .burst = true, .sustained = true, .budget_s = (double)INFINITY, .seed = 1, .gpu = -1};
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return RC_OK;
    if (argc < 2)
        return rc_fail(err, RC_E_USAGE, "a command is missing: list, run or ring (see --help)");
    if (!strcmp(argv[1], "--version")) {
        o->command = RC_CALIB_VERSION;
        return RC_OK;
    }
    if (!strcmp(argv[1], "list"))
        o->command = RC_CALIB_LIST;
    else if (!strcmp(argv[1], "run"))
        o->command = RC_CALIB_RUN;
    else
        return unknown(argv[1], argv[1][0] == '-', err);
    for (int i = 2; i < argc; i++)
        RC_TRY(take(o, argc, argv, &i, err));
    if (o->command == RC_CALIB_LIST && argc > 2)
        return rc_fail_file(err, RC_E_USAGE, argv[2], "list takes no options");
    if (o->command == RC_CALIB_RUN && !o->suites && !o->point_files)
        return rc_fail_file(err, RC_E_USAGE, "--suite",
                            "is missing: name suites, or all, or a file of --points");
    if (o->quick && o->point_files)
        return rc_fail_file(err, RC_E_USAGE, "--quick",
                            "contradicts --points, which says what to measure");
    if (o->command == RC_CALIB_RUN && !o->out)
        return rc_fail_file(err, RC_E_USAGE, "--out", "is missing: FILE.csv or FILE.db");
    if (o->force && o->resume)
        return rc_fail_file(err, RC_E_USAGE, "--resume", "contradicts --force");
    return RC_OK;
}
