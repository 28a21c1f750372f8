/* Fuzz target: the prefix cache. The input is the sequence of calls and of what they ask for; after each the cache
 * says what a naive one says. The first byte says how many calls there are, 8 to 128.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/kv_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 0)
        prop_fuzz("like_the_model", like_the_model, data + 1, size - 1, 1U + data[0] % 16U);
    return 0;
}
