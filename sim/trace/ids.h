/* Names and numbers of a file, numbered afresh. Private to the room.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TRACE_IDS_H
#define RC_TRACE_IDS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rc_raw_span { /* first .. first+count-1, as in the file */
    uint64_t first;
    uint32_t count;
} rc_raw_span;

/* Block ids to 0, 1, 2, ... by first appearance. While a file does the same (from 0 or from
 * wherever it starts) nothing is stored but the next number; at the first gap or step back a hash
 * table takes over. */
typedef struct rc_ids {
    bool begun, hashed;
    uint64_t base, most; /* first id; highest id so far */
    uint32_t count;      /* ids so far */
    uint64_t *key;       /* open addressing; value UINT32_MAX: free */
    uint32_t *value;
    size_t mask;
    struct rc_hole {
        uint64_t from, to; /* ids that rows left out may have introduced */
    } * hole;
    size_t holes, hole_room;
    bool gap_open; /* a row was left out since the last new id */
} rc_ids;

uint64_t rc_ids_mix(uint64_t z); /* a hash without collisions: it can be inverted */
typedef enum rc_ids_answer { RC_IDS_OK, RC_IDS_FULL, RC_IDS_NO_MEMORY } rc_ids_answer;
void rc_ids_free(rc_ids *ids);
/* Is the run in order: no id in it both new and below one seen before? Changes nothing. `most` is
 * the highest so far of the row; *bad the offending id. */
bool rc_ids_ordered(const rc_ids *ids, const rc_raw_span *run, uint64_t *most, bool *any,
                    uint64_t *bad);
rc_ids_answer rc_ids_number(rc_ids *ids, uint64_t id, uint32_t *out);
void rc_ids_left_out(rc_ids *ids); /* a row was skipped */

/* Names to 0, 1, 2, ... by first appearance. Copied. */
typedef struct rc_names {
    char *text; /* all names, one behind the other */
    size_t used, room;
    size_t *from; /* by index, and where the last one ends */
    uint32_t count;
    size_t from_room;
    uint32_t *slot; /* open addressing: index + 1; 0: free */
    size_t mask;
} rc_names;
void rc_names_free(rc_names *n);
uint32_t rc_names_find(const rc_names *n, const char *p, size_t size); /* UINT32_MAX: not there */
/* Its index, new or not; UINT32_MAX when memory is out. */
uint32_t rc_names_put(rc_names *n, const char *p, size_t size);

#endif
