/* The calibration store as bytes of this program. The assembler includes the file RC_EMBED_DB,
 * which the build makes from results/ (embed_main.c): no text form in between, and the build sees
 * the dependency.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/store.h"

__asm__(".section .rodata\n"
        ".balign 16\n"
        ".type rc_embedded_db, @object\n"
        "rc_embedded_db:\n"
        ".incbin \"" RC_EMBED_DB "\"\n"
        ".type rc_embedded_end, @object\n"
        "rc_embedded_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const unsigned char rc_embedded_db[], rc_embedded_end[];

const unsigned char *rc_store_embedded(size_t *size) {
    *size = (size_t)((uintptr_t)rc_embedded_end - (uintptr_t)rc_embedded_db);
    return rc_embedded_db;
}
