/* The table of a machine's numbers, shared by the reader and by rc_machine_field. Not for other
 * rooms. SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_MACHINE_FIELDS_H
#define RC_MACHINE_FIELDS_H
#include <stddef.h>
#include "sim/base/quantity.h"
#include "sim/machine/machine.h"

typedef struct rc_machine_number {
    const char *key;     /* its name everywhere: rc_machine_field, fitted entries, what-ifs */
    const char *section; /* where the file has it, "gpu" ... */
    const char *yaml;    /* its key in that section */
    size_t offset;       /* of the double in rc_machine */
    rc_dim dim;
    const char *unit; /* base unit, as a fitted entry names it */
    double lo, hi;    /* accepted range, base units */
} rc_machine_number;

const rc_machine_number *rc_machine_numbers(size_t *count);
const rc_machine_number *rc_machine_number_find(const char *key);
/* Bit of a key in rc_machine.derived and rc_machine.held; 0 for an unknown key. */
unsigned rc_machine_bit(const char *key);

/* derive.c: the ratios in m->derived from the published rates here and of the base, and the links
 * as the file has them. After everything in the file was read. */
void rc_machine_derive(rc_machine *m);
/* Why setting `key` of `m` could change no result, and what to set instead; NULL when it can. */
const char *rc_machine_inert(const rc_machine *m, const char *key);

#endif
