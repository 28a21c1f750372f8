/* The tables of keys by the kind of file.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/keys/tables.h"

const rc_key *const rc_key_tables[RC_KEYS_FILES] = {
    [RC_KEYS_MACHINE] = rc_keys_machine, [RC_KEYS_FORWARD] = rc_keys_forward,
    [RC_KEYS_SWEEP] = rc_keys_sweep,     [RC_KEYS_TUNE] = rc_keys_tune,
    [RC_KEYS_SERVE] = rc_keys_serve,     [RC_KEYS_PLAN] = rc_keys_plan,
};
