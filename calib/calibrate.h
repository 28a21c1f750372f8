/* A whole run: suites in order, burst first, then sustained on a heated chip.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_CALIBRATE_H
#define RC_CALIB_CALIBRATE_H
#include "calib/calib_options.h"

/* RC_E_CHECK when nothing could be measured. */
rc_status rc_calib_run(const rc_calib_options *o, rc_error *err);

#endif
