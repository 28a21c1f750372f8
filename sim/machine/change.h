/* What-ifs on a machine: its file with some keys changed. Not for other rooms.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_MACHINE_CHANGE_H
#define RC_MACHINE_CHANGE_H
#include "sim/base/doc.h"
#include "sim/machine/machine.h"

/* Of the "machine.KEY=VALUE" texts in `sets`: write those that are not about a number into the
 * document, before it is read ... */
rc_status rc_machine_change_file(rc_doc *doc, const char *const *sets, size_t set_count,
                                 rc_error *err);
/* ... and give the machine that was read the numbers. */
rc_status rc_machine_change_numbers(rc_machine *m, const char *const *sets, size_t set_count,
                                    rc_error *err);

#endif
