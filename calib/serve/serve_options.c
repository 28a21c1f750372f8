/* The command line of `ringcast-calib serve`.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/serve/serve_command.h"
#include "sim/base/quantity.h"

#include <stdio.h>
#include <string.h>

void rc_serve_command_usage(void) {
    fputs("usage: ringcast-calib serve --scenario FILE.yaml [--out DIR] [options]\n"
          "Plays a serving scenario on the GPUs at hand: the scheduler of `ringcast serve`, every\n"
          "pass launched and timed, a sample of them checked against one prompt without pages.\n"
          "The scenario has one pool of one replica (tp x cp GPUs), policy chunked, a budget, "
          "kv.tokens\n"
          "and graphs up to max_batch. `ringcast validate --serving DIR` forecasts the same.\n"
          "  --scenario FILE   a serving scenario (docs/scenarios.md)\n"
          "  --out DIR         scenario.yaml, passes.csv and requests.csv\n"
          "  --checks N        sequences checked, at most (default 24)\n"
          "  --real-time       wait for arrivals; else idle time is left out\n"
          "  --commit HASH     source revision that the files name\n"
          "  --force, --help\n"
          "Exit: 0 done, 1 a check failed, 2 bad usage or input, 3 our fault.\n",
          stdout);
}

static rc_status take(rc_serve_command *o, const char *flag, const char *v, rc_error *err) {
    if (!strcmp(flag, "--scenario"))
        o->scenario = v;
    else if (!strcmp(flag, "--out"))
        o->out = v;
    else if (!strcmp(flag, "--commit"))
        o->commit = v;
    else if (!strcmp(flag, "--checks"))
        return rc_quantity_int(v, 0, 1000000, &o->checks, err);
    else
        return rc_fail_file(err, RC_E_USAGE, flag, "no such option of serve");
    return RC_OK;
}

rc_status rc_serve_command_parse(int argc, char **argv, rc_serve_command *o, rc_error *err) {
    *o = (rc_serve_command){.checks = 24};
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help"))
            o->help = true;
        else if (!strcmp(argv[i], "--force"))
            o->force = true;
        else if (!strcmp(argv[i], "--real-time"))
            o->real_time = true;
        else if (i + 1 == argc)
            return rc_fail_file(err, RC_E_USAGE, argv[i], "an option with a value is expected");
        else {
            RC_TRY(take(o, argv[i], argv[i + 1], err));
            i++;
        }
    }
    if (!o->help && !o->scenario)
        return rc_fail(err, RC_E_USAGE, "serve needs --scenario FILE.yaml");
    return RC_OK;
}
