/* What a SQLite journal beside a database may do, before SQLite is let at it.
 *
 * A database that was left in the middle of a write is mended on its next opening from FILE-journal. A journal of a write
 * over several databases names one more file, which SQLite deletes once it is done. None of ours does: whoever hands
 * over a database with such a journal has made it elsewhere, or by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_JOURNAL_H
#define RC_BASE_JOURNAL_H
#include "sim/base/error.h"

/* RC_E_SCHEMA when the journal of `database` names another file. No journal is fine. */
rc_status rc_journal_check(const char *database, rc_error *err);

#endif
