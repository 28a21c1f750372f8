/* Arena: many small objects with one lifetime. Freed as a whole; never individually.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_ARENA_H
#define RC_BASE_ARENA_H
#include <stdarg.h>
#include <stddef.h>

typedef struct rc_arena rc_arena;

rc_arena *rc_arena_create(void);                   /* NULL when out of memory */
void rc_arena_destroy(rc_arena *a);                /* NULL is fine */
void *rc_arena_alloc(rc_arena *a, size_t bytes);   /* zeroed, 16-byte aligned; NULL on failure */
char *rc_arena_strdup(rc_arena *a, const char *s); /* NULL when s is NULL or on failure */
char *rc_arena_printf(rc_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *rc_arena_vprintf(rc_arena *a, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

#endif
