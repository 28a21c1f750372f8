/* Shares of a time by what its costs rest on, as every command shows them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_BASIS_H
#define RC_COST_BASIS_H
#include <stddef.h>
#include "sim/base/json.h"
#include "sim/cost/cost.h"

enum { RC_BASIS_TEXT = 192 }; /* characters that rc_basis_text needs at most */

/* amount: of any unit, by basis; share: of 1, all 0 when there is nothing. May be the same array.
 */
void rc_basis_share(const double amount[RC_BASIS_COUNT], double share[RC_BASIS_COUNT]);
/* As people read it, where rc_basis_name is the key that files have. */
const char *rc_basis_words(rc_basis b);
/* "measured 87.7 %, modelled 12.3 %", what rounds to 0.0 % left out. Returns buf. */
const char *rc_basis_text(const double share[RC_BASIS_COUNT], char *buf, size_t size);
/* The object `cost_sources` of `parent`: every basis with its share. */
void rc_basis_json(rc_json *j, json_t *parent, const double share[RC_BASIS_COUNT]);

#endif
