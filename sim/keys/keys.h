/* The keys of every file that people write: machines, scenarios of forward passes, sweeps, tuning,
 * serving and plans.
 *
 * One table of a file's keys (table_*.c) is the only place that says what a key is called, which
 * values it takes, what it stands for when it is left out, what it means and what a larger value
 * does. From it come the readers below, the checks of `--set`, `ringcast keys` and the tables of
 * docs/. tests/unit/test_keys_act.c turns every key of the tables and sees the output change, in
 * the stated direction where there is one.
 *
 * A path names a key from the top of its file with dots; "[]" stands for every item of a list:
 * "parallel.tp", "pools[].replicas".
 *
 * Reading pattern:
 *     rc_section s;
 *     RC_TRY(rc_section_root(RC_KEYS_SERVE, rc_doc_root(doc), &s, err));       unknown keys refused
 *     RC_TRY(rc_section_enter(&s, "scheduler", &t, err));
 *     RC_TRY(rc_section_whole(&t, "budget", &budget, err));       checked against the table's range
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_KEYS_KEYS_H
#define RC_KEYS_KEYS_H
#include "sim/base/doc.h"

typedef enum rc_key_file {
    RC_KEYS_MACHINE,
    RC_KEYS_FORWARD,
    RC_KEYS_SWEEP, /* what a sweep adds to the keys of a forward pass */
    RC_KEYS_TUNE,
    RC_KEYS_SERVE,
    RC_KEYS_PLAN, /* what a plan adds to the keys of serving */
    RC_KEYS_FILES
} rc_key_file;

typedef enum rc_key_kind {
    RC_KEY_SECTION, /* a map of keys */
    RC_KEY_ENTRIES, /* a list of maps */
    RC_KEY_TEXT,
    RC_KEY_NAME, /* of a file: a model, a machine, a trace ... */
    RC_KEY_SWITCH,
    RC_KEY_CHOICE,
    RC_KEY_WHOLE,
    RC_KEY_NUMBER
} rc_key_kind;

typedef struct rc_key {
    const char *path;
    rc_key_kind kind;
    bool many;         /* the value is a list of them */
    rc_dim dim;        /* numbers */
    double lo, hi;     /* numbers: the range taken, base units. DBL_MIN: above zero */
    const char *names; /* choices, separated by blanks; "" otherwise */
    const char *unit;  /* what is counted, where no dimension says it: "tokens"; "" otherwise */
    /* What stands for a key that is left out. "=8192": that value, as the file would have it; other
     * text: said in words, and the reader decides; NULL: the key is required. */
    const char *otherwise;
    const char *changes; /* the result that the key moves: "time", "cost" ... */
    int direction;       /* of that result when the value grows: +1 up, -1 down, 0 no order */
    const char *meaning;
    /* Choices that follow those of `names`, from another room's table: the i-th, NULL past the
     * last. NULL where there are none. */
    const char *(*more)(int i);
} rc_key;

/* "machine", "forward", "sweep", "tune", "serve", "plan". */
const char *rc_keys_file_name(rc_key_file f);
/* The keys of a file in the order in which docs/ list them. */
const rc_key *rc_keys_of(rc_key_file f, size_t *count);
/* NULL when the file has no such key. Numbers of items count as "[]": "pools[0].tp". */
const rc_key *rc_key_find(rc_key_file f, const char *path);
/* What a value may be, in words: "count", "bandwidth", "mixed, prefill, decode". Returns buf. */
const char *rc_key_values(const rc_key *k, char *buf, size_t size);
/* "1GB to 10TB", "above 0"; "" when any value of the kind will do. Returns buf. */
const char *rc_key_range(const rc_key *k, char *buf, size_t size);
/* Name `i` of a choice; NULL when there are fewer. Returns buf. */
const char *rc_key_choice_name(const rc_key *k, int i, char *buf, size_t size);

/* A map of a document and the path of its keys. */
typedef struct rc_section {
    rc_key_file file;
    char path[64]; /* "" at the top */
    const rc_node *map;
} rc_section;

/* The top of a file; the map `path` of one (an item of "pools" has the path "pools[]"). Refuses
 * keys that the table does not have, and says where a misplaced one belongs. */
rc_status rc_section_root(rc_key_file f, const rc_node *root, rc_section *out, rc_error *err);
rc_status rc_section_at(rc_key_file f, const char *path, const rc_node *map, rc_section *out,
                        rc_error *err);
/* A section inside; one that is left out, where it may be, has a map without keys. */
rc_status rc_section_enter(const rc_section *s, const char *key, rc_section *out, rc_error *err);
/* Items of a list of maps: their count (0 when it may be and is left out; `most` at most), and one
 * of them. */
rc_status rc_section_entries(const rc_section *s, const char *key, size_t least, size_t most,
                             size_t *count, rc_error *err);
rc_status rc_section_entry(const rc_section *s, const char *key, size_t i, rc_section *out,
                           rc_error *err);
bool rc_section_has(const rc_section *s, const char *key);
const rc_node *rc_section_node(const rc_section *s, const char *key); /* NULL when left out */

/* Values: required keys must be there. A key that is left out gives the value the table states for
 * it; where the table only says it in words, *out stays as it is. */
rc_status rc_section_whole(const rc_section *s, const char *key, int64_t *out, rc_error *err);
rc_status rc_section_number(const rc_section *s, const char *key, double *out, rc_error *err);
rc_status rc_section_switch(const rc_section *s, const char *key, bool *out, rc_error *err);
/* The index among the names of the table. */
rc_status rc_section_choice(const rc_section *s, const char *key, int *out, rc_error *err);
/* A label (rc_doc_label), a description (rc_doc_prose), and a name of a file, which points into the
 * document. */
rc_status rc_section_text(const rc_section *s, const char *key, char *out, size_t size,
                          rc_error *err);
rc_status rc_section_prose(const rc_section *s, const char *key, char *out, size_t size,
                           rc_error *err);
rc_status rc_section_name(const rc_section *s, const char *key, const char **out, rc_error *err);
/* A whole number inside a range that another key narrows. */
rc_status rc_section_whole_in(const rc_section *s, const char *key, int64_t lo, int64_t hi,
                              int64_t *out, rc_error *err);
/* Item `i` of a list, or the value itself where one stands for a list of one. */
rc_status rc_section_item_count(const rc_section *s, const char *key, size_t least, size_t most,
                                size_t *count, rc_error *err);
rc_status rc_section_whole_item(const rc_section *s, const char *key, size_t i, int64_t lo,
                                int64_t hi, int64_t *out, rc_error *err);
rc_status rc_section_number_item(const rc_section *s, const char *key, size_t i, double *out,
                                 rc_error *err);
rc_status rc_section_choice_item(const rc_section *s, const char *key, size_t i, int *out,
                                 rc_error *err);

/* One value by its key, for overrides and axes that are not in a document. */
rc_status rc_key_number(const rc_key *k, const char *text, double *out, rc_error *err);

#endif
