/* The numbers of a machine that fits, draws and what-ifs reach by name. What each means, its unit
 * and its range are the table of keys' (sim/keys/table_machine.c); here stands where it lies. Not
 * for other rooms.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_MACHINE_FIELDS_H
#define RC_MACHINE_FIELDS_H
#include <stddef.h>
#include "sim/keys/keys.h"
#include "sim/machine/machine.h"

typedef struct rc_machine_number {
    const char *name; /* everywhere but in the file: rc_machine_field, fitted entries, what-ifs */
    const char *path; /* its key in the file: "network.peer_rate" */
    size_t offset;    /* of the double in rc_machine */
} rc_machine_number;

const rc_machine_number *rc_machine_numbers(size_t *count);
/* By name; NULL when there is none. */
const rc_machine_number *rc_machine_number_find(const char *name);
const rc_key *rc_machine_number_key(const rc_machine_number *n);
/* "B/s", "s" ...; "1" for a ratio: what a fitted entry must name. */
const char *rc_machine_number_unit(const rc_machine_number *n);
/* Bit of a key in rc_machine.derived and rc_machine.held; 0 for an unknown key. */
unsigned rc_machine_bit(const char *name);

/* derive.c: the ratios in m->derived from the published rates here and of the base, and the links
 * as the file has them. After everything in the file was read. */
void rc_machine_derive(rc_machine *m);
/* Why setting `name` of `m` could change no result, and what to set instead; NULL when it can. */
const char *rc_machine_inert(const rc_machine *m, const char *name);

#endif
