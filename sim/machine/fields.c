/* Where each number of a machine lies.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/machine/fields.h"

#include <assert.h>
#include <string.h>

/* X(name of the member and everywhere else, key in the file) */
#define NUMBERS(X)                                                                                 \
    X(memory, "gpu.memory")                                                                        \
    X(memory_fraction, "gpu.memory_fraction")                                                      \
    X(hbm_rate, "gpu.hbm_rate")                                                                    \
    X(bf16_rate, "gpu.bf16_rate")                                                                  \
    X(fp8_rate, "gpu.fp8_rate")                                                                    \
    X(power, "gpu.power")                                                                          \
    X(nvlink_rate, "node.nvlink_rate")                                                             \
    X(nic_rate, "network.nic_rate")                                                                \
    X(nic_line_rate, "network.nic_line_rate")                                                      \
    X(peer_rate, "network.peer_rate")                                                              \
    X(hop_latency, "network.hop_latency")                                                          \
    X(launch, "host.launch")                                                                       \
    X(eager_gap, "host.eager_gap")                                                                 \
    X(power_window, "calibration.power_window")                                                    \
    X(ring_step, "engine.ring_step")                                                               \
    X(ring_step_cached, "engine.ring_step_cached")                                                 \
    X(fp8_matrix, "engine.fp8_matrix")                                                             \
    X(fp8_stream, "engine.fp8_stream")                                                             \
    X(process_memory, "engine.process_memory")                                                     \
    X(gemm_ratio, "calibration.transfer.gemm")                                                     \
    X(attention_ratio, "calibration.transfer.attention")                                           \
    X(hbm_ratio, "calibration.transfer.hbm")                                                       \
    X(nvlink_ratio, "calibration.transfer.nvlink")                                                 \
    X(ratio_spread, "calibration.transfer.spread")                                                 \
    X(base_bf16_rate, "calibration.base_rates.bf16")                                               \
    X(base_fp8_rate, "calibration.base_rates.fp8")                                                 \
    X(base_hbm_rate, "calibration.base_rates.hbm")                                                 \
    X(base_nvlink_rate, "calibration.base_rates.nvlink")

#define ROW(member, path) {#member, path, offsetof(rc_machine, member)},
static const rc_machine_number numbers[] = {NUMBERS(ROW)};
enum { COUNT = sizeof numbers / sizeof numbers[0] };

#define NAME(member, path) #member,
static const char *const names[COUNT + 1] = {NUMBERS(NAME) NULL};

const rc_machine_number *rc_machine_numbers(size_t *count) {
    *count = COUNT;
    return numbers;
}

const rc_machine_number *rc_machine_number_find(const char *name) {
    for (size_t i = 0; i < COUNT; i++) {
        if (strcmp(numbers[i].name, name) == 0)
            return &numbers[i];
    }
    return NULL;
}

const rc_key *rc_machine_number_key(const rc_machine_number *n) {
    const rc_key *k = rc_key_find(RC_KEYS_MACHINE, n->path);
    assert(k != NULL && k->kind == RC_KEY_NUMBER);
    return k;
}

const char *rc_machine_number_unit(const rc_machine_number *n) {
    return rc_dim_unit(rc_machine_number_key(n)->dim);
}

unsigned rc_machine_bit(const char *name) {
    const rc_machine_number *n = rc_machine_number_find(name);
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

const rc_key *rc_machine_field_key(const char *key) {
    const rc_machine_number *n = rc_machine_number_find(key);
    return n != NULL ? rc_machine_number_key(n) : NULL;
}
