/* Building surfaces from rows.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_SURFACE_FIT_H
#define RC_COST_SURFACE_FIT_H
#include "sim/base/arena.h"
#include "sim/cost/store.h"
#include "sim/cost/surface.h"

/* The surfaces of a base machine's rows, one for each op, type, variant, head sizes and ranks, measured
 * and published rows apart. Rows of the clock state asked for come first where a point was measured in
 * both; what others published has no state. Surfaces and their arrays lie in the arena; nothing of
 * `rows` is kept but names. */
rc_status rc_surfaces_of(const rc_rows *rows, const char *base, const char *state, rc_arena *arena,
                         rc_surface **out, size_t *count, rc_error *err);

#endif
