/* Which GPUs the kernels run on: a fact of their instructions, known without a GPU.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernels/capability.h"

#include <stdio.h>
#include <string.h>

rc_capability_range rc_capability_of(const char *family, bool fp8) {
    static const char *const hopper[] = {"attention", "grouped", "mla", "fp8-block"};
    bool wgmma = false;
    for (size_t i = 0; i < sizeof hopper / sizeof hopper[0]; i++)
        wgmma = wgmma || !strcmp(family, hopper[i]);
    if (wgmma)
        return (rc_capability_range){90, 90};
    if (fp8 && (!strcmp(family, "decode") || !strcmp(family, "gemm")))
        return (rc_capability_range){89, 0};
    return (rc_capability_range){RC_CAPABILITY_LEAST, 0};
}

bool rc_capability_in(rc_capability_range r, int capability) {
    return capability >= r.least && (r.most == 0 || capability <= r.most);
}

const char *rc_capability_text(rc_capability_range r, char *out, size_t size) {
    int n = snprintf(out, size, "%d.%d", r.least / 10, r.least % 10);
    if (n < 0 || (size_t)n >= size)
        return out;
    if (r.most == 0)
        snprintf(out + n, size - (size_t)n, "+");
    else if (r.most == r.least)
        snprintf(out + n, size - (size_t)n, " only");
    else
        snprintf(out + n, size - (size_t)n, " to %d.%d", r.most / 10, r.most % 10);
    return out;
}
