/* Fuzz target: machine files. What is accepted has every rate that a division needs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "sim/machine/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rc_machine m;
    rc_error e = {0};
    rc_status st = rc_machine_parse("fuzz.yaml", (const char *)data, size, &m, &e);
    if (st != RC_OK) {
        if (e.msg[0] == '\0' || e.status != st)
            abort();
        return 0;
    }
    for (const char *const *name = rc_machine_fields(); *name != NULL; name++) {
        double v = *rc_machine_field(&m, *name);
        if (!isfinite(v) || v < 0.0)
            abort();
    }
    if (!(m.gemm_ratio > 0.0 && m.hbm_ratio > 0.0 && m.base_hbm_rate > 0.0 &&
          m.gpus_per_node > 0) ||
        (m.nic_rate > 0.0 && !(m.peer_rate > 0.0)) || m.fitted_count > RC_MAX_FITTED)
        abort();
    return 0;
}
