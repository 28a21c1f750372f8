/* Internal to the report room: what the writers share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_REPORT_PAPER_OUTPUT_H
#define RC_REPORT_PAPER_OUTPUT_H
#include "sim/report/paper_internal.h"

/* "fitted", "predicted", "input", with ", duplicate" where it is one. */
const char *rc_paper_verdict(const rc_paper_row *r);
/* One table, or all of them (NULL), as CSV. */
rc_status rc_paper_table_csv(const rc_paper *p, const char *table, FILE *f, rc_error *err);
/* The document of summary.json; NULL when out of memory. Freed with rc_json_destroy. */
rc_status rc_paper_document(const rc_paper *p, rc_json **out, rc_error *err);

#endif
