/* An allocator that fails one call, in the place of the C library's: a test that includes this can try what happens
 * when memory runs out at each call of a piece of work, the libraries' calls included.
 *
 *     starve_at(n, work, x)   work(x) with its n-th allocation failing, 0 the first; negative: none.
 *                             Afterwards starve.calls says how many there were, starve.live how many blocks are
 *                             held more than before.
 *     starve_from(n, work, x) the same with all allocations failing from the n-th on: who tries again must end.
 *
 * Under AddressSanitizer, whose allocator is not to be replaced, STARVE_OFF is defined and nothing else.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_STARVE_H
#define RC_TESTS_SUPPORT_STARVE_H
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STARVE_OFF 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STARVE_OFF 1
#endif
#ifndef STARVE_OFF
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/* glibc's own, under the names by which it may be called from a replacement. */
extern void *__libc_malloc(size_t size);                 /* NOLINT(bugprone-reserved-identifier) */
extern void *__libc_calloc(size_t count, size_t size);   /* NOLINT(bugprone-reserved-identifier) */
extern void *__libc_realloc(void *p, size_t size);       /* NOLINT(bugprone-reserved-identifier) */
extern void *__libc_memalign(size_t align, size_t size); /* NOLINT(bugprone-reserved-identifier) */
extern void __libc_free(void *p);                        /* NOLINT(bugprone-reserved-identifier) */

static struct {
    _Atomic bool on, for_good;
    _Atomic long calls, fail, live;
} starve = {.fail = -1};

static bool starve_this(void) {
    if (!starve.on)
        return false;
    long n = starve.calls++;
    if (n != starve.fail && !(starve.for_good && starve.fail >= 0 && n > starve.fail))
        return false;
    errno = ENOMEM;
    return true;
}

static void *starve_count(void *p) {
    if (starve.on && p != NULL)
        starve.live++;
    return p;
}

/* Seen by libraries as well, in a build that hides what is not said to be. */
#pragma GCC visibility push(default)
void *malloc(size_t size) {
    return starve_this() ? NULL : starve_count(__libc_malloc(size));
}

void *calloc(size_t count, size_t size) {
    return starve_this() ? NULL : starve_count(__libc_calloc(count, size));
}

void *realloc(void *p, size_t size) {
    if (p == NULL)
        return malloc(size);
    if (starve.on && size <= malloc_usable_size(p))
        return p; /* its room is there already: the system has nothing to refuse */
    return starve_this() ? NULL : __libc_realloc(p, size);
}

void *aligned_alloc(size_t align, size_t size) {
    return starve_this() ? NULL : starve_count(__libc_memalign(align, size));
}

int posix_memalign(void **out, size_t align, size_t size) {
    void *p = aligned_alloc(align, size);
    if (p == NULL)
        return ENOMEM;
    *out = p;
    return 0;
}

void free(void *p) {
    if (starve.on && p != NULL)
        starve.live--;
    __libc_free(p);
}
#pragma GCC visibility pop

static inline void starve_at(long n, void (*work)(void *), void *x) {
    starve.calls = starve.live = 0;
    starve.fail = n;
    starve.on = true;
    work(x);
    starve.on = starve.for_good = false;
}

static inline void starve_from(long n, void (*work)(void *), void *x) {
    starve.for_good = true;
    starve_at(n, work, x);
}
#endif
#endif
