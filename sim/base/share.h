/* The data folder: where models/, scenarios/ and results/ lie.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_SHARE_H
#define RC_BASE_SHARE_H

/* $RINGCAST_SHARE when it is set and not empty; else share/ringcast beside the bin or lib that this
 * code was loaded from, when it was installed; else the folder it was built from. The string is not
 * the caller's to free. */
const char *rc_share_folder(void);

#endif
