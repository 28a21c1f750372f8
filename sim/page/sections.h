/* The sections of a page, one file each. Internal to the page room.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_PAGE_SECTIONS_H
#define RC_PAGE_SECTIONS_H
#include <jansson.h>
#include <stdio.h>

/* The answer first, then how sure, then the rest. `root` is the document. */
void section_forward(FILE *f, const json_t *root);
void section_choose(FILE *f, const json_t *root);
void section_serve(FILE *f, const json_t *root);
void section_rates(FILE *f, const json_t *root);
void section_plan(FILE *f, const json_t *root);
void section_paper(FILE *f, const json_t *root);
void section_validate(FILE *f, const json_t *root);
void section_sweep(FILE *f, const json_t *root);
void section_tune(FILE *f, const json_t *root, const json_t *grid); /* grid: NULL, or its rows */
void section_grid(FILE *f, const json_t *root, const json_t *grid); /* a grid alone */

/* section_ring.c: of a timeline of a forward pass only the layer in its middle is shown.
 * ring_of: that layer, a document of its own; NULL where there is none. */
json_t *ring_of(const json_t *trace);
void section_rings(FILE *f, const json_t *const *rings, size_t count);

/* How sure: what a result rests on, and the notes and cautions that it comes with. */
void say_basis(FILE *f, const json_t *root);
void say_notes(FILE *f, const json_t *root);

/* section_tune.c: the map of the faster variant. */
json_t *map_of(const json_t *tune, const json_t *grid);

#endif
