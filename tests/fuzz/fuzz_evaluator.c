/* Fuzz target: the evaluator against the event engine. The first byte says which family of passes, the second how large,
 * the rest is the pass: model, layout, sequences, costs. Both take the same ticks.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/fast_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct {
        const char *name;
        prop_fn check;
    } families[] = {
        {"fast_is_simulated", fast_is_simulated},
        {"even_ranks_are_replayed", even_ranks_are_replayed},
        {"fast_with_what_ifs", fast_with_what_ifs},
        {"fast_with_a_close_host", fast_with_a_close_host},
        {"fast_with_uneven_exchanges", fast_with_uneven_exchanges},
        {"fast_where_messages_meet", fast_where_messages_meet},
        {"fast_on_many_ranks", fast_on_many_ranks},
    };
    if (size < 2)
        return 0;
    ctx = rc_forward_ctx_create();
    if (ctx) {
        const size_t k = data[0] % (sizeof families / sizeof *families);
        prop_fuzz(families[k].name, families[k].check, data + 2, size - 2, 1U + data[1] % 24U);
    }
    rc_forward_ctx_destroy(ctx);
    return 0;
}
