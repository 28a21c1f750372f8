/* Arena: a list of blocks, bumped from the newest.
 *
 * Parsed documents, tables and models are built once, read often and dropped together; an arena
 * makes the drop one walk over a handful of blocks and removes every ownership question in between.
 * Blocks double from 4 KiB to 1 MiB so that a scenario file costs one malloc and a large trace few;
 * a request larger than the next block gets a block of its own.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/arena.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 16, FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

typedef struct block {
    struct block *next;
    size_t size, used; /* of data */
    _Alignas(ALIGN) unsigned char data[];
} block;

struct rc_arena {
    block *head;
    size_t next_size;
};

rc_arena *rc_arena_create(void) {
    rc_arena *a = calloc(1, sizeof *a);
    if (a)
        a->next_size = FIRST_BLOCK;
    return a;
}

void rc_arena_destroy(rc_arena *a) {
    if (!a)
        return;
    block *b = a->head;
    while (b) {
        block *next = b->next;
        free(b);
        b = next;
    }
    free(a);
}

/* A block of at least `bytes`; NULL when out of memory. calloc zeroes it, and nothing is reused. */
static block *add_block(rc_arena *a, size_t bytes) {
    size_t size = a->next_size;
    if (size < bytes)
        size = bytes;
    block *b = calloc(1, sizeof *b + size);
    if (!b)
        return NULL;
    b->size = size;
    if (a->head && bytes > a->next_size) {
        b->next = a->head->next; /* its own block: keep bumping from the head */
        a->head->next = b;
        return b;
    }
    b->next = a->head;
    a->head = b;
    if (a->next_size < LARGEST_BLOCK)
        a->next_size *= 2;
    return b;
}

void *rc_arena_alloc(rc_arena *a, size_t bytes) {
    if (!a || bytes > SIZE_MAX / 2)
        return NULL;
    size_t need = (bytes + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
    if (need == 0)
        need = ALIGN; /* distinct addresses for empty objects */
    block *b = a->head;
    if (!b || b->size - b->used < need)
        b = add_block(a, need);
    if (!b)
        return NULL;
    void *p = b->data + b->used;
    b->used += need;
    return p;
}

char *rc_arena_strdup(rc_arena *a, const char *s) {
    if (!s)
        return NULL;
    size_t n = strlen(s) + 1;
    char *p = rc_arena_alloc(a, n);
    if (p)
        memcpy(p, s, n);
    return p;
}

char *rc_arena_vprintf(rc_arena *a, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *p = n < 0 ? NULL : rc_arena_alloc(a, (size_t)n + 1);
    if (p)
        (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

char *rc_arena_printf(rc_arena *a, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    char *p = rc_arena_vprintf(a, fmt, ap);
    va_end(ap);
    return p;
}
