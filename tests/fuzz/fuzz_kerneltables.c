/* Fuzz target: import of tables of kernels, as tables of each op. What is accepted are rows that a
 * store takes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const ops[] = {"mla_prefill", "mla_absorbed", "mla_decode", "mla_bmm",
                                      "moe_ffn",     "ep_dispatch",  "ep_combine", "dsa_index",
                                      "dsa_topk",    "dsa_attention"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        const rc_import how = {.machine = "lab", .op = ops[i], .ranks = 8};
        (void)fuzz_import_as(RC_IMPORT_KERNELS, &how, data, size);
    }
    return 0;
}
