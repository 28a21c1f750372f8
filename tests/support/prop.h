/* A small property-testing harness, header only.
 *
 * A property is a function of a case: it draws what it needs from the case's random numbers, builds
 * something of about `c->size` elements, and returns true when the property holds. PROP_CHECK fails
 * the case and says why:
 *
 *     static bool sum_is_commutative(prop_case *c)
 *     {
 *         for (unsigned i = 0; i < c->size; i++) {
 *             int64_t a = prop_range(c, -9, 9), b = prop_range(c, -9, 9);
 *             PROP_CHECK(c, a + b == b + a, "%ld and %ld at step %u", (long)a, (long)b, i);
 *         }
 *         return true;
 *     }
 *     static void test_sum(void **state)
 *     {
 *         (void)state;
 *         assert_true(prop_run("sum_is_commutative", sum_is_commutative, 50));
 *     }
 *
 * prop_run tries PROP_CASES cases (default 200, with RC_SHORT 80) whose size grows from 1 to max_size. When one fails
 * it looks for a smaller failing case: ever smaller sizes, each with the failing seed and 64
 * others, and prints the smallest with the line that runs that case alone:
 *
 *     PROP_ONLY=sum_is_commutative PROP_SEED=0x1234 PROP_SIZE=3 <program>
 *
 * Environment: PROP_CASES the number of cases; PROP_SEED with PROP_SIZE runs one case; PROP_SEED
 * alone moves the default seed; PROP_ONLY skips properties of another name. Without these every run
 * draws the same cases. A property must free what it allocates on the way out of PROP_CHECK, too,
 * if it is to be clean under a leak checker while failing; most need not care.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_PROP_H
#define RC_TESTS_SUPPORT_PROP_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
#define PROP_UNUSED __attribute__((unused))
#else
#define PROP_UNUSED
#endif

typedef struct prop_case {
    uint64_t seed;  /* what the random numbers of this case started from */
    uint64_t state; /* splitmix64 */
    unsigned size;  /* about how big the case should be, >= 1 */
    const uint8_t
        *bytes; /* a fuzzer's input: the first random numbers, two bytes each; else NULL */
    size_t left;
    char why[1280]; /* filled by PROP_CHECK */
} prop_case;

typedef bool (*prop_fn)(prop_case *c);

/* Fail the case with a printf-style reason when `cond` is false. */
#define PROP_CHECK(c, cond, ...)                                                                   \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            int prop_n_ =                                                                          \
                snprintf((c)->why, sizeof(c)->why, "%s:%d: %s: ", __FILE__, __LINE__, #cond);      \
            if (prop_n_ >= 0 && (size_t)prop_n_ < sizeof(c)->why)                                  \
                (void)snprintf((c)->why + prop_n_, sizeof(c)->why - (size_t)prop_n_, __VA_ARGS__); \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

PROP_UNUSED static uint64_t prop_u64(prop_case *c) {
    if (c->left >=
        2) { /* in the low bits, of which prop_below makes use, and in the high ones of prop_unit */
        uint64_t two = c->bytes[0] | (uint64_t)c->bytes[1] << 8;
        c->bytes += 2;
        c->left -= 2;
        return two | two << 48;
    }
    uint64_t z = (c->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in 0 .. n-1 (n >= 1); the bias of the modulo does not matter here. */
PROP_UNUSED static uint64_t prop_below(prop_case *c, uint64_t n) {
    return prop_u64(c) % n;
}

/* Uniform in lo .. hi, both included. */
PROP_UNUSED static int64_t prop_range(prop_case *c, int64_t lo, int64_t hi) {
    return lo + (int64_t)prop_below(c, (uint64_t)(hi - lo) + 1);
}

/* Uniform in [0, 1). */
PROP_UNUSED static double prop_unit(prop_case *c) {
    return (double)(prop_u64(c) >> 11) * 0x1p-53;
}

/* True in one case of `n`. */
PROP_UNUSED static bool prop_one_in(prop_case *c, uint64_t n) {
    return prop_below(c, n) == 0;
}

static bool prop_one(prop_fn fn, uint64_t seed, unsigned size, prop_case *c) {
    memset(c, 0, sizeof *c);
    c->seed = c->state = seed;
    c->size = size;
    return fn(c);
}

static unsigned long long prop_env(const char *name, unsigned long long otherwise, bool *given) {
    const char *text = getenv(name);
    if (given)
        *given = text != NULL && text[0] != '\0';
    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 0) : otherwise;
}

/* Make the failing case in *worst as small as we can find. */
static void prop_shrink(prop_fn fn, prop_case *worst) {
    bool smaller = true;
    while (smaller && worst->size > 1) {
        smaller = false;
        unsigned tries[3] = {worst->size / 2, worst->size * 3 / 4, worst->size - 1};
        for (unsigned t = 0; t < 3 && !smaller; t++) {
            for (uint64_t other = 0; other < 65 && tries[t] >= 1 && !smaller; other++) {
                prop_case c;
                smaller = !prop_one(fn, worst->seed + other * 0x632be59bd9b4e019u, tries[t], &c);
                if (smaller)
                    *worst = c;
            }
        }
    }
}

/* A case of a fuzz target: what the property draws is the input, and behind its end what a seed gives. Aborts, and says
 * why, when the property does not hold. */
PROP_UNUSED static void prop_fuzz(const char *name, prop_fn fn, const uint8_t *bytes, size_t count,
                                  unsigned size) {
    prop_case c = {.size = size, .bytes = bytes, .left = count};
    if (fn(&c))
        return;
    (void)fprintf(stderr, "property %s failed: %s\n", name, c.why[0] ? c.why : "returned false");
    abort();
}

/* True when the property held in every case. */
PROP_UNUSED static bool prop_run(const char *name, prop_fn fn, unsigned max_size) {
    bool has_seed, has_size;
    uint64_t seed = prop_env("PROP_SEED", 20241104u, &has_seed);
    unsigned size = (unsigned)prop_env("PROP_SIZE", max_size, &has_size);
    unsigned long long cases = prop_env("PROP_CASES", getenv("RC_SHORT") ? 80 : 200, NULL);
    const char *only = getenv("PROP_ONLY");
    if (only != NULL && only[0] != '\0' && strcmp(only, name) != 0)
        return true;
    bool single = has_seed && has_size;
    if (single)
        cases = 1;
    for (unsigned long long i = 0; i < cases; i++) {
        prop_case c;
        unsigned now = has_size ? size : (unsigned)(1 + i * max_size / cases);
        if (prop_one(fn, single ? seed : seed + i * 0xd1342543de82ef95u, now, &c))
            continue;
        if (!single)
            prop_shrink(fn, &c);
        (void)fprintf(stderr,
                      "property %s failed in case %llu of %llu: %s\n"
                      "  rerun: PROP_ONLY=%s PROP_SEED=0x%llx PROP_SIZE=%u\n",
                      name, i + 1, cases, c.why[0] ? c.why : "returned false", name,
                      (unsigned long long)c.seed, c.size);
        return false;
    }
    return true;
}

#endif
