/* Fuzz target: import of aiconfigurator files. What is accepted are rows that a store takes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_import(RC_IMPORT_AICONFIGURATOR, data, size);
}
