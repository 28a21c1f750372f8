/* What attention and a message that runs beside it take from each other, from rows.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_BESIDE_H
#define RC_COST_BESIDE_H
#include <stdbool.h>
#include "sim/cost/store.h"
#include "sim/machine/machine.h"

typedef struct rc_beside {
    bool known; /* there are such rows of the machine; else nothing below holds */
    /* Time of attention over the length of its list schedule (tiles.h), both over those on all SMs,
     * is this power of it: less than 1, for the fewer SMs work, the higher the clock. From rows
     * @smsN of attention; 1 without them. */
    double sms;
    /* Time of a message beside attention that leaves it its SMs, over its time alone. From rows of
     * transfer_beside over the machine's transport inside a node; 1 without them. */
    double message;
    /* Seconds that attention of a ring step takes more behind a message than behind its like, whose
     * end its own beginning overlaps; and that of decode. Of rows of `gap`: x|send_recv over x, less
     * norm|send_recv over norm, which is what the message and the two streams take. 0 without
     * them. */
    double attention_behind, decode_behind;
    /* Seconds that attention takes more behind the clearing of its counters, the clearing included:
     * attention+clear over attention. 0 without such rows. */
    double clear;
} rc_beside;

/* Of the rows of the machine's base. */
rc_beside rc_beside_of(const rc_rows *rows, const rc_machine *m);

#endif
