/* The readers of the formats, each in the file of its name: the rows of a text go to the importer.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_IMPORT_FORMATS_H
#define RC_COST_IMPORT_FORMATS_H
#include "sim/cost/import_rows.h"

rc_status rc_import_nccl_tests(rc_importer *m, const char *text, size_t size, rc_error *err);
rc_status rc_import_nccl_json(rc_importer *m, const char *text, size_t size, rc_error *err);
rc_status rc_import_aiconfigurator(rc_importer *m, const char *text, size_t size, rc_error *err);
rc_status rc_import_kernels(rc_importer *m, const char *text, size_t size, rc_error *err);
rc_status rc_import_vidur(rc_importer *m, const char *text, size_t size, rc_error *err);

#endif
