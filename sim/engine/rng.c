/* Random numbers: xoshiro256** (Blackman and Vigna, 2018), seeded by splitmix64. The same seed
 * gives the same numbers everywhere, but for rc_rng_exponential and rc_rng_normal, which rest on
 * the C library's logarithm and may differ in the last place from one library to another.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/engine/engine.h"
#include <math.h>

static uint64_t rotl(uint64_t x, int k) {
    return x << k | x >> (64 - k);
}

void rc_rng_seed(rc_rng *r, uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        r->s[i] = z ^ (z >> 31);
    }
}

uint64_t rc_rng_u64(rc_rng *r) {
    uint64_t *s = r->s;
    uint64_t out = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return out;
}

/* The upper 53 bits over 2^53: every value is a multiple of 2^-53. */
double rc_rng_uniform(rc_rng *r) {
    return (double)(rc_rng_u64(r) >> 11) * 0x1p-53;
}

/* Draw again below the largest multiple of n that fits, so that each residue is as likely. */
uint64_t rc_rng_below(rc_rng *r, uint64_t n) {
    assert(n >= 1);
    uint64_t reject = (0 - n) % n, x;
    do
        x = rc_rng_u64(r);
    while (x < reject);
    return x % n;
}

double rc_rng_exponential(rc_rng *r, double mean) {
    assert(mean >= 0);
    return -mean * log(1.0 - rc_rng_uniform(r));
}

/* Marsaglia's polar method; the second number of the pair is thrown away to keep no state. */
double rc_rng_normal(rc_rng *r) {
    double x, y, s;
    do {
        x = 2.0 * rc_rng_uniform(r) - 1.0;
        y = 2.0 * rc_rng_uniform(r) - 1.0;
        s = x * x + y * y;
    } while (s >= 1.0 || s == 0.0);
    return x * sqrt(-2.0 * log(s) / s);
}
