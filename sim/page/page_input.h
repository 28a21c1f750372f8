/* What a page is made of: documents, each of a kind that has a section. Internal to the page room.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_PAGE_PAGE_INPUT_H
#define RC_PAGE_PAGE_INPUT_H
#include <jansson.h>
#include "sim/base/error.h"

/* Finds out what `root` is of, by its keys, and its title. NULL: of nothing that a page shows. */
const char *input_kind(const json_t *root);
void input_title(const char *kind, const json_t *root, char *buf, size_t size);

/* A file as text, unpacked where it is packed by gzip. The caller frees it. RC_E_IO; RC_E_SIZE
 * beyond what a page can be made of. */
rc_status input_read(const char *path, char **text, size_t *size, rc_error *err);
/* JSON, or the grid of a tuned rule as CSV: {"columns": {name: index}, "rows": [[text]]}. The caller
 * owns it. */
rc_status input_parse(const char *name, const char *text, size_t size, json_t **out, rc_error *err);

#endif
