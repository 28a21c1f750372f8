/* Where the data folder is: the environment first, then the folder of the build.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/share.h"

#include <stdlib.h>

#ifndef RC_SHARE_DIR
#define RC_SHARE_DIR "."
#endif

const char *rc_share_folder(void) {
    const char *share = getenv("RINGCAST_SHARE");
    return share != NULL && share[0] != '\0' ? share : RC_SHARE_DIR;
}
