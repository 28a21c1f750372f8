/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/journal.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The last bytes of a journal that ends with the name of a super-journal (SQLite's pager.c, writeSuperJournal). */
static const unsigned char MAGIC[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};

rc_status rc_journal_check(const char *database, rc_error *err) {
    char path[4200];
    unsigned char end[sizeof MAGIC];
    int n = snprintf(path, sizeof path, "%s-journal", database);
    if (n < 0 || (size_t)n >= sizeof path)
        return rc_fail_file(err, RC_E_IO, database, "the path is too long");
    FILE *f = fopen(path, "rb");
    if (!f)
        return RC_OK;
    const bool named = fseek(f, -(long)sizeof end, SEEK_END) == 0 &&
                       fread(end, 1, sizeof end, f) == sizeof end &&
                       memcmp(end, MAGIC, sizeof end) == 0;
    (void)fclose(f);
    return named ? rc_fail_file(err, RC_E_SCHEMA, path,
                                "names another file, which opening the database could delete; this "
                                "program writes no such journal")
                 : RC_OK;
}
