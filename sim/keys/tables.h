/* The tables behind keys.h, one a file, and the short forms in which their rows are written. Not
 * for other rooms.
 *
 * A row reads: what a value is, path, range, unit, what stands for it when left out, what it
 * changes (UP: a larger value makes that larger, DOWN: smaller, NONE: no order), what it means.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_KEYS_TABLES_H
#define RC_KEYS_TABLES_H
#include <float.h>
#include "sim/keys/keys.h"

#define UP 1
#define DOWN (-1)
#define NONE 0
#define NEEDED NULL

#define ROW(path, kind, many, dim, lo, hi, names, unit, otherwise, changes, way, meaning)          \
    { path, kind, many, dim, lo, hi, names, unit, otherwise, changes, way, meaning, NULL }
/* A choice among `names` and then those that `more` lists (rc_key.more). */
#define CHOICE_OF(path, many, names, more, otherwise, changes, meaning)                            \
    {                                                                                              \
        path, RC_KEY_CHOICE, many, RC_DIM_COUNT, 0, 0, names, "", otherwise, changes, NONE,        \
            meaning, more                                                                          \
    }
#define SECTION(path, otherwise, meaning)                                                          \
    ROW(path, RC_KEY_SECTION, false, RC_DIM_COUNT, 0, 0, "", "", otherwise, "", NONE, meaning)
#define ENTRIES(path, otherwise, meaning)                                                          \
    ROW(path, RC_KEY_ENTRIES, false, RC_DIM_COUNT, 0, 0, "", "", otherwise, "", NONE, meaning)
#define TEXT(path, otherwise, changes, meaning)                                                    \
    ROW(path, RC_KEY_TEXT, false, RC_DIM_COUNT, 0, 0, "", "", otherwise, changes, NONE, meaning)
#define NAME(path, otherwise, changes, meaning)                                                    \
    ROW(path, RC_KEY_NAME, false, RC_DIM_COUNT, 0, 0, "", "", otherwise, changes, NONE, meaning)
#define NAMES(path, otherwise, changes, meaning)                                                   \
    ROW(path, RC_KEY_NAME, true, RC_DIM_COUNT, 0, 0, "", "", otherwise, changes, NONE, meaning)
#define SWITCH(path, otherwise, changes, meaning)                                                  \
    ROW(path, RC_KEY_SWITCH, false, RC_DIM_COUNT, 0, 0, "", "", otherwise, changes, NONE, meaning)
#define CHOICE(path, names, otherwise, changes, meaning)                                           \
    ROW(path, RC_KEY_CHOICE, false, RC_DIM_COUNT, 0, 0, names, "", otherwise, changes, NONE,       \
        meaning)
#define CHOICES(path, names, otherwise, changes, meaning)                                          \
    ROW(path, RC_KEY_CHOICE, true, RC_DIM_COUNT, 0, 0, names, "", otherwise, changes, NONE, meaning)
#define WHOLE(path, lo, hi, unit, otherwise, changes, way, meaning)                                \
    ROW(path, RC_KEY_WHOLE, false, RC_DIM_COUNT, lo, hi, "", unit, otherwise, changes, way, meaning)
#define WHOLES(path, lo, hi, unit, otherwise, changes, way, meaning)                               \
    ROW(path, RC_KEY_WHOLE, true, RC_DIM_COUNT, lo, hi, "", unit, otherwise, changes, way, meaning)
#define NUMBER(path, dim, lo, hi, unit, otherwise, changes, way, meaning)                          \
    ROW(path, RC_KEY_NUMBER, false, RC_DIM_##dim, lo, hi, "", unit, otherwise, changes, way,       \
        meaning)
#define NUMBERS(path, dim, lo, hi, unit, otherwise, changes, way, meaning)                         \
    ROW(path, RC_KEY_NUMBER, true, RC_DIM_##dim, lo, hi, "", unit, otherwise, changes, way, meaning)
#define END ROW(NULL, RC_KEY_SECTION, false, RC_DIM_COUNT, 0, 0, "", "", NULL, "", NONE, "")

/* Tokens of one pass: sim/schedule/shard.h says why no more. tests/unit/test_keys_table.c holds the
 * two together. */
#define TOKENS 2147483648.0

/* By rc_key_file; each ends with a row without path. */
extern const rc_key *const rc_key_tables[RC_KEYS_FILES];
extern const rc_key rc_keys_machine[], rc_keys_forward[], rc_keys_sweep[], rc_keys_tune[],
    rc_keys_serve[], rc_keys_plan[];

#endif
