/* Models as rows of a table: a line each.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CLI_MODEL_ROWS_H
#define RC_CLI_MODEL_ROWS_H
#include "sim/base/table.h"
#include "sim/model/model.h"

rc_table *rc_model_rows(void);
void rc_model_row(rc_table *t, const rc_model *m);

#endif
