/* Into how many shares a decode launch cuts each sequence: plain C without state, shared by the
 * kernel's host side, which launches by it, and by the simulator, whose costs rest on it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_KERNELS_DECODE_PLAN_H
#define RC_KERNELS_DECODE_PLAN_H
#include <math.h>
#include <stdint.h>

enum {
    RC_DECODE_VERSION = 5, /* of the rule of today's kernel: decode-5 */
    RC_DECODE_WARPS = 4,
    RC_DECODE_CTAS = 2,     /* of an SM */
    RC_DECODE_CHUNK = 4096, /* bytes of a chunk of K, or of V, that a warp streams */
    RC_DECODE_MAX_SPLITS = 512
};

/* Seconds a byte that a CTA alone streams, and bytes/s of the memory, as the rule has them. */
#define RC_DECODE_ALONE (8.8e-9 / 512.0)
#define RC_DECODE_MEMORY 4.2e12

/* Microseconds of s splits that all run at once, fitted to an H200; then the fixed part, larger with
 * a second kernel. What a split adds is fitted to an H100 and was three times as much up to
 * decode-4. units: sequences times KV heads; bytes: K and V of the longest. */
static inline double rc_decode_split_cost(int64_t units, double bytes, int s, int version) {
    double alone = bytes / s * (1e6 * RC_DECODE_ALONE);
    double memory = (double)units * bytes / (1e-6 * RC_DECODE_MEMORY);
    double alone4 = alone * alone * alone * alone, memory4 = memory * memory * memory * memory;
    double stream = sqrt(sqrt(alone4 + memory4)); /* a soft maximum */
    double split = version >= 5 ? 0.0045 : 0.015, piece = version >= 5 ? 0.002 : 0.004;
    return stream + (s > 1 ? 6.3 + split * s + piece * (double)units * s : 4.0);
}

/* More CTAs than SMs never paid, so a batch that fills the SMs is not split. Between two thirds of
 * the SMs and all of them is worse than either: the CTAs of the call behind come while this one
 * ends, some at once on idle SMs and the others only when an SM is free (H100, 128K keys,
 * microseconds: 88 splits 29.5, 110 30.6, 132 29.1); the rule is so from decode-5 on.
 * row: bytes of a key, and of a value, of one head. */
static inline int rc_decode_choose_splits(int64_t units, int64_t len, int64_t row, int64_t sms,
                                          int version) {
    int best = 1, most = (int)(sms / units);
    int64_t keys = RC_DECODE_CHUNK / row;
    double bytes = 2.0 * (double)row * (double)len;
    double least = rc_decode_split_cost(units, bytes, 1, version);
    for (int s = 2; s <= most && len >= (int64_t)RC_DECODE_WARPS * keys * s; s++) {
        if (version >= 5 && 3 * s > 2 * most && s < most)
            continue;
        double cost = rc_decode_split_cost(units, bytes, s, version);
        if (cost < least) {
            best = s;
            least = cost;
        }
    }
    return best < RC_DECODE_MAX_SPLITS ? best : RC_DECODE_MAX_SPLITS;
}

#endif
