/* One step of a 64-bit hash, for tables and for seeds that follow from sizes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_MIX_H
#define RC_BASE_MIX_H
#include <stdint.h>

/* The hash of what `h` is of and of `v` behind it. */
static inline uint64_t rc_mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15); /* 2^64 over the golden ratio */
    return h ^ (h >> 32);
}

#endif
