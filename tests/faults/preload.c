/* Faults of the system under a whole program, by LD_PRELOAD:
 *   RC_STARVE=N         the N-th allocation of the process fails, 0 the first; RC_STARVE_COUNT=FILE: how many there were
 *   RC_CLOCK_STEPS=S    every few calls clocks step: CLOCK_REALTIME by an hour, ahead or back, CLOCK_MONOTONIC ahead by a
 *                       minute (it may not go back); S seeds when
 * tests/faults/starve.sh and tests/faults/clock.sh use it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* RTLD_NEXT */
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);                 /* NOLINT(bugprone-reserved-identifier) */
extern void *__libc_calloc(size_t count, size_t size);   /* NOLINT(bugprone-reserved-identifier) */
extern void *__libc_realloc(void *p, size_t size);       /* NOLINT(bugprone-reserved-identifier) */
extern void *__libc_memalign(size_t align, size_t size); /* NOLINT(bugprone-reserved-identifier) */

static _Atomic long calls, failing = -1;

__attribute__((constructor)) static void begin(void) {
    const char *n = getenv("RC_STARVE");
    calls = 0;
    failing = n ? atol(n) : -1;
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("RC_STARVE_COUNT");
    char text[24];
    size_t n = sizeof text;
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    if (fd < 0)
        return;
    text[--n] = '\n';
    for (long left = calls; n > 0 && (left > 0 || n == sizeof text - 1); left /= 10)
        text[--n] = (char)('0' + left % 10);
    if (write(fd, text + n, sizeof text - n) < 0)
        _exit(99);
    (void)close(fd);
}

static bool starved(void) {
    if (calls++ != failing)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size) {
    return starved() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return starved() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size) {
    return starved() ? NULL : __libc_realloc(p, size);
}

void *aligned_alloc(size_t align, size_t size) {
    return starved() ? NULL : __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size) {
    if (starved())
        return ENOMEM;
    *out = __libc_memalign(align, size);
    return *out ? 0 : ENOMEM;
}

static _Atomic uint64_t asked;
static _Atomic int64_t real_off, monotonic_off;

int clock_gettime(clockid_t clock, struct timespec *out) {
    static int (*next)(clockid_t, struct timespec *);
    if (!next)
        *(void **)(void *)&next = dlsym(RTLD_NEXT, "clock_gettime");
    int code = next(clock, out);
    const char *seed = getenv("RC_CLOCK_STEPS");
    if (code != 0 || !seed)
        return code;
    uint64_t z = (++asked + (uint64_t)atoll(seed)) * UINT64_C(0x9E3779B97F4A7C15);
    z ^= z >> 29;
    if (z % 3 == 0)
        real_off += z & 64 ? 3600 : -3600;
    if (z % 5 == 0)
        monotonic_off += 60;
    out->tv_sec += clock == CLOCK_REALTIME    ? real_off
                   : clock == CLOCK_MONOTONIC ? monotonic_off
                                              : 0;
    return code;
}

time_t time(time_t *out) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
