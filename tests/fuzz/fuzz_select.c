/* Any text as a tuned rule: read and then asked, or refused with a message.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "sim/choose/select.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const rc_select_table *s) {
    static const double lengths[] = {1.0, 64.0, 4096.0, 1e6, 1e15};
    for (int i = 0; i < 5; i++) {
        double star = rc_select_threshold(s, lengths[i], 1.0 + i, 1 + 3 * i);
        if (!isfinite(star) || star < 0.0)
            abort();
        for (int w = 0; w < s->prices; w++) {
            int n = rc_select_degree(s, w, lengths[i], 0.0, 1.0, 1, 1 + 3 * i);
            if (n != s->degree[0] && n > 1 + 3 * i)
                abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rc_select_table s;
    rc_error err = {0};
    if (rc_select_parse("fuzz.json", (const char *)data, size, &s, &err) == RC_OK)
        ask(&s);
    else if (err.msg[0] == '\0')
        abort();
    return 0;
}
