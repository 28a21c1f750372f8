/* Numbers for block ids and for names, by hash tables with open addressing.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/trace/ids.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

uint64_t rc_ids_mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void rc_ids_free(rc_ids *ids) {
    free(ids->key);
    free(ids->value);
    free(ids->hole);
    memset(ids, 0, sizeof *ids);
}

static size_t slot_of(const rc_ids *ids, uint64_t id) {
    assert(ids->key != NULL);
    size_t i = rc_ids_mix(id) & ids->mask;
    while (ids->value[i] != UINT32_MAX && ids->key[i] != id)
        i = (i + 1) & ids->mask;
    return i;
}

static bool known(const rc_ids *ids, uint64_t id) {
    if (!ids->begun)
        return false;
    if (!ids->hashed)
        return id >= ids->base && id - ids->base < ids->count;
    return ids->value[slot_of(ids, id)] != UINT32_MAX;
}

static bool in_hole(const rc_ids *ids, uint64_t id) {
    size_t lo = 0, hi = ids->holes;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (ids->hole[mid].to < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < ids->holes && ids->hole[lo].from <= id;
}

bool rc_ids_ordered(const rc_ids *ids, const rc_raw_span *run, uint64_t *most, bool *any,
                    uint64_t *bad) {
    for (uint32_t i = 0; i < run->count; i++) {
        uint64_t id = run->first + i;
        if (*any && id <= *most && !known(ids, id) && !in_hole(ids, id)) {
            *bad = id;
            return false;
        }
        if (!*any || id > *most)
            *most = id;
        *any = true;
    }
    return true;
}

static bool grow(rc_ids *ids) {
    size_t size = ids->key ? 2 * (ids->mask + 1) : 1024;
    while (size < (size_t)2 * (ids->count + 1))
        size *= 2;
    uint64_t *old_key = ids->key;
    uint32_t *old_value = ids->value;
    size_t old = old_key ? ids->mask + 1 : 0;
    uint64_t *key = malloc(size * sizeof *key);
    uint32_t *value = malloc(size * sizeof *value);
    if (!key || !value) {
        free(key);
        free(value);
        return false;
    }
    memset(value, 0xFF, size * sizeof *value);
    ids->key = key;
    ids->value = value;
    ids->mask = size - 1;
    for (size_t i = 0; i < old; i++) {
        if (old_value[i] == UINT32_MAX)
            continue;
        size_t at = slot_of(ids, old_key[i]);
        key[at] = old_key[i];
        value[at] = old_value[i];
    }
    free(old_key);
    free(old_value);
    return true;
}

/* From counting to hashing: all ids so far are base, base + 1, ... */
static bool start_hashing(rc_ids *ids) {
    if (!grow(ids))
        return false;
    for (uint32_t i = 0; i < ids->count; i++) {
        size_t at = slot_of(ids, ids->base + i);
        ids->key[at] = ids->base + i;
        ids->value[at] = i;
    }
    ids->hashed = true;
    return true;
}

static bool note_hole(rc_ids *ids, uint64_t from, uint64_t to) {
    assert(from <= to);
    assert(ids->holes == 0 || ids->hole[ids->holes - 1].to < from); /* for the search by halves */
    if (ids->holes == ids->hole_room) {
        size_t room = ids->hole_room ? 2 * ids->hole_room : 64;
        struct rc_hole *p = realloc(ids->hole, room * sizeof *p);
        if (!p)
            return false;
        ids->hole = p;
        ids->hole_room = room;
    }
    ids->hole[ids->holes++] = (struct rc_hole){from, to};
    return true;
}

static bool first(rc_ids *ids, uint64_t id) {
    ids->begun = true;
    ids->base = ids->most = id;
    bool hole = ids->gap_open && id > 0; /* rows before this one had ids, too */
    ids->gap_open = false;
    return !hole || note_hole(ids, 0, id - 1);
}

/* `at` is the free slot where the search for the new id ended. */
static rc_ids_answer insert(rc_ids *ids, uint64_t id, size_t at) {
    assert(ids->value[at] == UINT32_MAX);
    if (ids->count >= UINT32_MAX / 2)
        return RC_IDS_FULL;
    if (id > ids->most) {
        if (ids->gap_open && id > ids->most + 1 && !note_hole(ids, ids->most + 1, id - 1))
            return RC_IDS_NO_MEMORY;
        ids->gap_open = false;
        ids->most = id;
    }
    if (2 * ((size_t)ids->count + 1) > ids->mask + 1) {
        if (!grow(ids))
            return RC_IDS_NO_MEMORY;
        at = slot_of(ids, id);
    }
    ids->key[at] = id;
    ids->value[at] = ids->count++;
    return RC_IDS_OK;
}

rc_ids_answer rc_ids_number(rc_ids *ids, uint64_t id, uint32_t *out) {
    if (!ids->begun && !first(ids, id))
        return RC_IDS_NO_MEMORY;
    if (!ids->hashed) {
        uint64_t place = id - ids->base; /* wraps below the base: then it is large */
        if (place == ids->count && place < UINT32_MAX / 2) {
            ids->gap_open = false;
            ids->most = id;
            ids->count++;
        }
        if (place < ids->count) {
            *out = (uint32_t)place;
            return RC_IDS_OK;
        }
        if (!start_hashing(ids))
            return RC_IDS_NO_MEMORY;
    }
    size_t at = slot_of(ids, id);
    if (ids->value[at] == UINT32_MAX) {
        rc_ids_answer a = insert(ids, id, at);
        if (a != RC_IDS_OK)
            return a;
        at = slot_of(ids, id);
    }
    *out = ids->value[at];
    return RC_IDS_OK;
}

void rc_ids_left_out(rc_ids *ids) {
    ids->gap_open = true;
}

/* ---------------------------------------------------------------- names ------------------- */
void rc_names_free(rc_names *n) {
    free(n->text);
    free(n->from);
    free(n->slot);
    memset(n, 0, sizeof *n);
}

static size_t name_slot(const rc_names *n, const char *p, size_t size) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
    size_t at = rc_ids_mix(h) & n->mask;
    for (; n->slot[at] != 0; at = (at + 1) & n->mask) {
        size_t k = n->slot[at] - 1, from = n->from[k];
        if (n->from[k + 1] - from == size && (size == 0 || memcmp(n->text + from, p, size) == 0))
            break;
    }
    return at;
}

uint32_t rc_names_find(const rc_names *n, const char *p, size_t size) {
    if (n->count == 0)
        return UINT32_MAX;
    return n->slot[name_slot(n, p, size)] - 1; /* free: 0 - 1 */
}

static bool names_grow(rc_names *n) {
    size_t size = n->slot ? 2 * (n->mask + 1) : 256;
    uint32_t *slot = calloc(size, sizeof *slot);
    if (!slot)
        return false;
    free(n->slot);
    n->slot = slot;
    n->mask = size - 1;
    for (uint32_t k = 0; k < n->count; k++)
        n->slot[name_slot(n, n->text + n->from[k], n->from[k + 1] - n->from[k])] = k + 1;
    return true;
}

static bool names_room(rc_names *n, size_t size) {
    if (n->used + size > n->room) {
        size_t room = 2 * (n->used + size) + 256;
        char *p = realloc(n->text, room);
        if (!p)
            return false;
        n->text = p;
        n->room = room;
    }
    if ((size_t)n->count + 2 > n->from_room) {
        size_t room = 2 * ((size_t)n->count + 2) + 64;
        size_t *p = realloc(n->from, room * sizeof *p);
        if (!p)
            return false;
        if (n->count == 0)
            p[0] = 0;
        n->from = p;
        n->from_room = room;
    }
    return true;
}

uint32_t rc_names_put(rc_names *n, const char *p, size_t size) {
    assert(p != NULL || size == 0);
    uint32_t k = rc_names_find(n, p, size);
    if (k != UINT32_MAX)
        return k;
    if (!names_room(n, size) || n->count >= UINT32_MAX - 2)
        return UINT32_MAX;
    if ((!n->slot || 2 * ((size_t)n->count + 1) > n->mask + 1) && !names_grow(n))
        return UINT32_MAX;
    size_t at = name_slot(n, p, size);
    if (size > 0)
        memcpy(n->text + n->used, p, size);
    n->used += size;
    n->from[n->count + 1] = n->used;
    n->slot[at] = ++n->count;
    return n->count - 1;
}
