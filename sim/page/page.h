/* Results of Ringcast as one HTML page that needs nothing else: no network, no other file.
 *
 * An input is what a command wrote with --json or --trace, or a grid of `ringcast tune`; what it is
 * of is found by its content. Each input becomes a section: the answer in one sentence, how sure it
 * is and what it rests on, then figures and tables. Timelines of forward passes are shown together,
 * as rings beside each other, and so are a tuned rule and its grid, as one map.
 *
 * Whatever stands in an input is text: it is escaped here, and never becomes markup or script.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_PAGE_PAGE_H
#define RC_PAGE_PAGE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "sim/base/error.h"

typedef struct rc_page rc_page;

rc_status rc_page_create(rc_page **out, rc_error *err);
void rc_page_destroy(rc_page *p); /* NULL is fine */

/* Add a file: JSON, also compressed by gzip, or CSV. A folder stands for those of its files that a
 * page can show (summary.json, result.json, rates.json, grid.csv). RC_E_INPUT when nothing can be
 * made of it. */
rc_status rc_page_add(rc_page *p, const char *path, rc_error *err);
/* The same with the text at hand; `name` is what errors call it. */
rc_status rc_page_add_text(rc_page *p, const char *name, const char *text, size_t size,
                           rc_error *err);

size_t rc_page_sections(const rc_page *p);
/* "forward: cp4-128k"; lives until the page is destroyed. */
const char *rc_page_title(const rc_page *p, size_t i);

/* The page; `title` NULL: made of its sections. Failures of the stream are left to its owner. */
void rc_page_write(const rc_page *p, const char *title, FILE *f);
rc_status rc_page_save(const rc_page *p, const char *title, const char *path, bool overwrite,
                       rc_error *err);

#endif
