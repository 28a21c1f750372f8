/* ringcast-calib: times real kernels and NCCL transfers on the GPUs at hand, and stores what it
 * measured in the table that the simulator reads. See docs/calibration.md.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/catalog.h"
#include "calib/calib_options.h"
#include "calib/ring/ring_command.h"
#include "calib/serve/serve_command.h"
#include "calib/calibrate.h"
#include "sim/base/process.h"

#include <stdio.h>
#include <string.h>

static rc_status dispatch(const rc_calib_options *o, rc_error *err) {
    switch (o->command) {
    case RC_CALIB_HELP:
        rc_calib_usage(stdout);
        return RC_OK;
    case RC_CALIB_VERSION:
        printf("ringcast-calib %s\n", RC_CALIB_VERSION_TEXT);
        return RC_OK;
    case RC_CALIB_LIST:
        return rc_suites_print(stdout, err);
    case RC_CALIB_RUN:
        return rc_calib_run(o, err);
    }
    return rc_fail(err, RC_E_INTERNAL, "no such command");
}

int main(int argc, char **argv) {
    rc_calib_options o;
    rc_error err = {0};
    rc_process_begin();
    const char *command = argc > 1 ? argv[1] : "";
    rc_status st;
    if (!strcmp(command, "ring")) {
        st = rc_ring_main(argc - 1, argv + 1, &err);
    } else if (!strcmp(command, "serve")) {
        st = rc_serve_main(argc - 1, argv + 1, &err);
    } else {
        st = rc_calib_options_parse(argc, argv, &o, &err);
        if (st == RC_OK)
            st = dispatch(&o, &err);
    }
    return rc_process_end("ringcast-calib", st, &err);
}
