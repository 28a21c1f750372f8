/* ringcast: the program. Finds the command, turns its status into an exit code; nothing else exits.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include "sim/base/outputs.h"
#include "sim/base/process.h"
#include "sim/base/style.h"
#include "sim/cli/commands.h"

#ifndef RC_VERSION
#define RC_VERSION "0.0.0"
#endif

static rc_status completion(int argc, char **argv, rc_error *err);
static rc_status manual(int argc, char **argv, rc_error *err);

static const rc_command commands[] = {
    {"forward", rc_cmd_forward,
     "one prefill or decode step of a scenario: time, breakdown, memory"},
    {"serve", rc_cmd_serve, "play a request trace against a cluster: latency, goodput, cost"},
    {"trace", rc_cmd_trace, "what a request trace holds"},
    {"paper", rc_cmd_paper, "reproduce the tables and figures of arXiv 2411.01783v3"},
    {"validate", rc_cmd_validate, "predictions against runs on real GPUs"},
    {"choose", rc_cmd_choose, "which variant and how many CP ranks for one request, and why"},
    {"tune", rc_cmd_tune,
     "fit the choice of variant and CP degree to a machine and a model; export it"},
    {"sweep", rc_cmd_sweep,
     "a forward pass at every point of a grid or sample, into SQLite; also under mpirun"},
    {"plan", rc_cmd_plan, "the cheapest cluster that serves a workload within its objectives"},
    {"report", rc_cmd_report, "what the other commands wrote, as one page for a browser"},
    {"model", rc_cmd_model, "what a model's config.json says: parameters, bytes, dtypes, context"},
    {"models", rc_cmd_models, "the models that come with the program, and their sizes"},
    {"machines", rc_cmd_machines, "the machines that come with the program, and their sizes"},
    {"init", rc_cmd_init, "a scenario file of one's own to begin with, every key explained"},
    {"keys", rc_cmd_keys, "what the files of each kind may say, and --set may change"},
    {"calibration", rc_cmd_calibration,
     "measured costs: list, show, compare and build stores of them"},
    {"completion", completion, "a script that completes commands, flags and keys in a shell"},
    {"manual", manual, NULL},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static rc_status completion(int argc, char **argv, rc_error *err) {
    return rc_completion(&(rc_commands){commands, COMMANDS}, argc, argv, err);
}

static rc_status manual(int argc, char **argv, rc_error *err) {
    return rc_manual(&(rc_commands){commands, COMMANDS}, argc, argv, err);
}

static void usage(FILE *f) {
    fprintf(f,
            "ringcast %s: latency of long-context LLM inference, forecast from measured costs\n\n",
            RC_VERSION);
    fprintf(f, "usage: ringcast COMMAND [ARGUMENTS]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        if (commands[i].help)
            fprintf(f, "  %s%-12s%s %s\n", rc_style_on(f, RC_STYLE_ANSWER), commands[i].name,
                    rc_style_on(f, RC_STYLE_END), commands[i].help);
    fprintf(
        f, "\n`ringcast help COMMAND` lists the flags of a command and shows examples.\n"
           "Models, machines and scenarios that are not in the current folder are those that came\n"
           "with the program, or those of the folder that $RINGCAST_SHARE names.\n");
}

static rc_status dispatch(int argc, char **argv, rc_error *err) {
    const char *names[COMMANDS + 1] = {0};
    for (int i = 0; i < COMMANDS; i++) {
        names[i] = commands[i].name;
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1, err);
    }
    const char *near = rc_nearest(argv[1], names);
    return rc_fail(err, RC_E_USAGE, "unknown command '%s'%s%s%s", argv[1],
                   near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

static rc_status run(int argc, char **argv, rc_error *err) {
    if (argc < 2) {
        usage(stderr);
        return RC_E_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 && argc == 3) {
        char help[] = "--help", *own[] = {argv[0], argv[2], help, NULL};
        return dispatch(3, own, err);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return RC_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("ringcast %s\n", RC_VERSION);
        return RC_OK;
    }
    return dispatch(argc, argv, err);
}

int main(int argc, char **argv) {
    rc_error err = {0};
    rc_process_begin();
    rc_outputs_begin();
    rc_status st = run(argc, argv, &err);
    return rc_process_end("ringcast", st, &err);
}
