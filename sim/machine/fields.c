/* Every number of a machine: name, place in the file, unit and the range that makes sense.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/machine/fields.h"

#include <float.h>
#include <string.h>

#include "sim/machine/machine.h"

#define AT(f) offsetof(rc_machine, f)
#define RATIO_LO 0.01
#define RATIO_HI 100.0

static const rc_machine_number numbers[] = {
    {"memory", "gpu", "memory", AT(memory), RC_DIM_BYTES, "B", 1e9, 1e13},
    {"hbm_rate", "gpu", "hbm_rate", AT(hbm_rate), RC_DIM_BANDWIDTH, "B/s", 1e9, 1e15},
    {"bf16_rate", "gpu", "bf16_rate", AT(bf16_rate), RC_DIM_FLOPS, "FLOP/s", 1e9, 1e18},
    {"fp8_rate", "gpu", "fp8_rate", AT(fp8_rate), RC_DIM_FLOPS, "FLOP/s", 1e9, 1e18},
    {"power", "gpu", "power", AT(power), RC_DIM_POWER, "W", 1.0, 1e5},
    {"nvlink_rate", "node", "nvlink_rate", AT(nvlink_rate), RC_DIM_BANDWIDTH, "B/s", 1e6, 1e14},
    {"nic_rate", "network", "nic_rate", AT(nic_rate), RC_DIM_BANDWIDTH, "B/s", 1e6, 1e14},
    {"nic_line_rate", "network", "nic_line_rate", AT(nic_line_rate), RC_DIM_BANDWIDTH, "B/s", 1e6,
     1e14},
    {"peer_rate", "network", "peer_rate", AT(peer_rate), RC_DIM_BANDWIDTH, "B/s", 1e6, 1e14},
    {"hop_latency", "network", "hop_latency", AT(hop_latency), RC_DIM_TIME, "s", 0.0, 1.0},
    {"launch", "host", "launch", AT(launch), RC_DIM_TIME, "s", 0.0, 1.0},
    {"ring_step", "host", "ring_step", AT(ring_step), RC_DIM_TIME, "s", 0.0, 1.0},
    {"gemm_ratio", "calibration.transfer", "gemm", AT(gemm_ratio), RC_DIM_RATIO, "1", RATIO_LO,
     RATIO_HI},
    {"attention_ratio", "calibration.transfer", "attention", AT(attention_ratio), RC_DIM_RATIO, "1",
     RATIO_LO, RATIO_HI},
    {"hbm_ratio", "calibration.transfer", "hbm", AT(hbm_ratio), RC_DIM_RATIO, "1", RATIO_LO,
     RATIO_HI},
    {"nvlink_ratio", "calibration.transfer", "nvlink", AT(nvlink_ratio), RC_DIM_RATIO, "1",
     RATIO_LO, RATIO_HI},
    {"ratio_spread", "calibration.transfer", "spread", AT(ratio_spread), RC_DIM_RATIO, "1", 0.0,
     1.0},
    {"base_bf16_rate", "calibration.base_rates", "bf16", AT(base_bf16_rate), RC_DIM_FLOPS, "FLOP/s",
     1e9, 1e18},
    {"base_fp8_rate", "calibration.base_rates", "fp8", AT(base_fp8_rate), RC_DIM_FLOPS, "FLOP/s",
     1e9, 1e18},
    {"base_hbm_rate", "calibration.base_rates", "hbm", AT(base_hbm_rate), RC_DIM_BANDWIDTH, "B/s",
     1e9, 1e15},
    {"base_nvlink_rate", "calibration.base_rates", "nvlink", AT(base_nvlink_rate), RC_DIM_BANDWIDTH,
     "B/s", 1e6, 1e14},
};
enum { COUNT = sizeof numbers / sizeof numbers[0] };

/* The same order as `numbers`; tests/unit/test_machine_read.c holds the two together. */
static const char *const names[COUNT + 1] = {"memory",
                                             "hbm_rate",
                                             "bf16_rate",
                                             "fp8_rate",
                                             "power",
                                             "nvlink_rate",
                                             "nic_rate",
                                             "nic_line_rate",
                                             "peer_rate",
                                             "hop_latency",
                                             "launch",
                                             "ring_step",
                                             "gemm_ratio",
                                             "attention_ratio",
                                             "hbm_ratio",
                                             "nvlink_ratio",
                                             "ratio_spread",
                                             "base_bf16_rate",
                                             "base_fp8_rate",
                                             "base_hbm_rate",
                                             "base_nvlink_rate",
                                             NULL};

const rc_machine_number *rc_machine_numbers(size_t *count) {
    *count = COUNT;
    return numbers;
}

const rc_machine_number *rc_machine_number_find(const char *key) {
    for (size_t i = 0; i < COUNT; i++) {
        if (strcmp(numbers[i].key, key) == 0)
            return &numbers[i];
    }
    return NULL;
}

unsigned rc_machine_bit(const char *key) {
    const rc_machine_number *n = rc_machine_number_find(key);
    _Static_assert(COUNT <= 32, "a bit for each number");
    return n != NULL ? 1u << (n - numbers) : 0u;
}

const char *const *rc_machine_fields(void) {
    return names;
}

double *rc_machine_field(rc_machine *m, const char *key) {
    const rc_machine_number *n = rc_machine_number_find(key);
    return n != NULL ? (double *)(void *)((char *)m + n->offset) : NULL;
}

const char *rc_machine_field_unit(const char *key) {
    const rc_machine_number *n = rc_machine_number_find(key);
    return n != NULL ? n->unit : NULL;
}
