/* Documents: YAML (and JSON, which libyaml reads as flow YAML) as a tree whose every node knows its
 * line and column, and readers that turn a wrong key, type, unit or range into one clear error.
 *
 * Ownership: the tree lives until rc_doc_close; strings returned point into it.
 * Reading pattern:
 *     rc_doc_known(node, keys, err)              refuses unknown and duplicate keys
 *     rc_doc_quantity(node, "hbm_rate", RC_DIM_BANDWIDTH, lo, hi, &v, err)   required
 *     if (rc_doc_has(node, "x")) ...                                         optional
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_DOC_H
#define RC_BASE_DOC_H
#include <stdbool.h>
#include <stddef.h>
#include "sim/base/error.h"
#include "sim/base/quantity.h"

typedef struct rc_doc rc_doc;
typedef struct rc_node rc_node;

typedef enum rc_node_kind { RC_NODE_SCALAR, RC_NODE_LIST, RC_NODE_MAP } rc_node_kind;

/* Open a file, or parse `size` bytes of text under the name `name`. The root must be a mapping.
 * Duplicate keys are refused here. Aliases, tags and multiple documents are refused. */
rc_status rc_doc_open(const char *path, rc_doc **out, rc_error *err);
rc_status rc_doc_parse(const char *name, const char *text, size_t size, rc_doc **out,
                       rc_error *err);
/* The same for JSON that another program wrote. A key that stands twice is no error: its last value
 * counts, as for Python's json module. *twice names one such key, in the document's memory, or is
 * NULL. */
rc_status rc_doc_parse_json(const char *name, const char *text, size_t size, rc_doc **out,
                            const char **twice, rc_error *err);
void rc_doc_close(rc_doc *d); /* NULL is fine */
const rc_node *rc_doc_root(const rc_doc *d);
const char *rc_doc_name(const rc_doc *d);
/* Override before reading: `path` is dotted ("parallel.cp"; an item of a list by its
 * number, "pools.0.tp" or "pools[0].tp"), `value` plain YAML text. Creates
 * missing mappings. Errors name the flag "--set". Scalars set this way report
 * the place "--set path=value". */
rc_status rc_doc_set(rc_doc *d, const char *path, const char *value, rc_error *err);
/* The same with a value that is text, whatever YAML would make of it. */
rc_status rc_doc_set_text(rc_doc *d, const char *path, const char *text, rc_error *err);
/* The same where the reader knows the path by another name: errors say "--set `shown`=value". */
rc_status rc_doc_set_as(rc_doc *d, const char *shown, const char *path, const char *value,
                        rc_error *err);
/* Take a key out of a map of the tree, for a reader that does not know it. Returns its value, which
 * lives as long as the document; NULL when there is no such path. */
const rc_node *rc_doc_take(rc_doc *d, const char *path);

rc_node_kind rc_node_kind_of(const rc_node *n);
const rc_node *rc_node_get(const rc_node *map, const char *key); /* NULL when absent */
bool rc_node_quoted(const rc_node *n);                           /* scalar written with quotes */
bool rc_node_is_null(const rc_node *n);                          /* plain ~, null or empty scalar */
const char *rc_node_text(const rc_node *scalar);                 /* "" for a non-scalar */
size_t rc_node_count(const rc_node *n);                          /* list items or map entries */
const rc_node *rc_node_at(const rc_node *list, size_t i);
const char *rc_node_key(const rc_node *map, size_t i);
const rc_node *rc_node_value(const rc_node *map, size_t i);

/* The name of the document that the node is of; for one that a flag made, too. */
const char *rc_node_document(const rc_node *n);
/* "file:line:col: ..." at a node. */
rc_status rc_node_fail(const rc_node *n, rc_error *err, rc_status st, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
#if defined(__clang_analyzer__) || defined(__cppcheck__) /* see error.h */
#define rc_node_fail(n, err, st, ...) ((void)(rc_node_fail)(n, err, st, __VA_ARGS__), (st))
#endif

/* The same at the key of entry `i` of a map, for a key that should not stand there. */
rc_status rc_node_key_fail(const rc_node *map, size_t i, rc_error *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
#if defined(__clang_analyzer__) || defined(__cppcheck__)
#define rc_node_key_fail(map, i, err, ...)                                                         \
    ((void)(rc_node_key_fail)(map, i, err, __VA_ARGS__), RC_E_INPUT)
#endif

/* All keys of the map must be in `keys` (NULL-terminated); the error names the nearest. */
rc_status rc_doc_known(const rc_node *map, const char *const *keys, rc_error *err);
/* The place of a node as keys: "parallel.cp", "seq[2].T", "" for the root. Returns buf. */
const char *rc_node_path(const rc_node *n, char *buf, size_t size);

/* Required readers: missing key, wrong kind, wrong unit, out of [lo, hi] are each an error that
 * names the key, what stands there and what was expected. Text is one line: control characters are
 * refused here, for every file, because names travel into tables, scripts and file names. */
rc_status rc_doc_map(const rc_node *map, const char *key, const rc_node **out, rc_error *err);
rc_status rc_doc_list(const rc_node *map, const char *key, const rc_node **out, rc_error *err);
rc_status rc_doc_string(const rc_node *map, const char *key, const char **out, rc_error *err);
/* A name: rc_doc_string's text copied to `out`, refused when empty or of `size` bytes and more. */
rc_status rc_doc_label(const rc_node *map, const char *key, char *out, size_t size, rc_error *err);
/* A description: line breaks become spaces, what is over `size` - 1 bytes is left out. */
rc_status rc_doc_prose(const rc_node *map, const char *key, char *out, size_t size, rc_error *err);
rc_status rc_doc_bool(const rc_node *map, const char *key, bool *out, rc_error *err);
rc_status rc_doc_int(const rc_node *map, const char *key, int64_t lo, int64_t hi, int64_t *out,
                     rc_error *err);
rc_status rc_doc_quantity(const rc_node *map, const char *key, rc_dim dim, double lo, double hi,
                          double *out, rc_error *err);
/* One of `names` (NULL-terminated): *out is its index. */
rc_status rc_doc_choice(const rc_node *map, const char *key, const char *const *names, int *out,
                        rc_error *err);
/* The same checks on a node in hand, for items of a list; `key` is the name used in errors. */
rc_status rc_node_string(const rc_node *n, const char *key, const char **out, rc_error *err);
rc_status rc_node_label(const rc_node *n, const char *key, char *out, size_t size, rc_error *err);
rc_status rc_node_int(const rc_node *n, const char *key, int64_t lo, int64_t hi, int64_t *out,
                      rc_error *err);
rc_status rc_node_quantity(const rc_node *n, const char *key, rc_dim dim, double lo, double hi,
                           double *out, rc_error *err);
bool rc_doc_has(const rc_node *map, const char *key);

#endif
