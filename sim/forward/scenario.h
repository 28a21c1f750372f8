/* Scenarios: one forward pass as a YAML file. Keys, units and defaults are in docs/scenarios.md.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_SCENARIO_H
#define RC_FORWARD_SCENARIO_H
#include "sim/base/doc.h"
#include "sim/forward/fewer.h"
#include "sim/forward/forward.h"
#include "sim/forward/speculate.h"
#include "sim/forward/staged.h"
#include "sim/keys/keys.h"

typedef struct rc_scenario {
    char name[96], description[256];
    rc_model model;
    rc_machine machine;
    rc_layout layout;
    const rc_schedule *schedule;
    rc_phase phase;
    rc_sequence *seqs; /* owned; those of the busiest group first, */
    size_t seq_count;
    size_t own; /* so many of them (rc_spread_sequences) */
    rc_elsewhere elsewhere;
    double elsewhere_flops;
    rc_staging staging;
    bool eager, serial_ring;
    rc_ring_share ring_share;
    rc_what_if what_if;
    rc_history history;
    rc_speculation speculation;
} rc_scenario;

/* Read a scenario, its model and its machine. `sets` are "key=value" texts applied in order:
 * "tokens.new=64K" overrides the file, "machine.nic_rate=100Gb/s" the machine it names. */
rc_status rc_scenario_load(const char *path, const char *const *sets, size_t set_count,
                           rc_scenario *out, rc_error *err);
/* The same on a document in memory (tests, fuzzing). */
rc_status rc_scenario_read(rc_doc *doc, const char *const *sets, size_t set_count, rc_scenario *out,
                           rc_error *err);
void rc_scenario_free(rc_scenario *s);
/* A spec over the scenario; borrows from it. */
rc_spec rc_scenario_spec(const rc_scenario *s, const rc_costs *costs);

/* What scenarios of other commands share. Writes `sets` into the document, but for those that begin
 * with "machine.". */
rc_status rc_scenario_set(rc_doc *doc, const char *const *sets, size_t set_count, rc_error *err);
/* The keys `model` and `machine`, and what they name, the machine as `sets` change it. */
rc_status rc_scenario_parts(const rc_section *root, const char *const *sets, size_t set_count,
                            rc_model *model, rc_machine *machine, rc_error *err);
/* The path of the file that the key `key` names (rc_find_named). */
rc_status rc_scenario_named(const rc_section *s, const char *key, const char *folder,
                            const char *ext, char *path, size_t size, rc_error *err);
/* The keys that say how a model is cut over GPUs, of a section that has all of them: what they state
 * replaces what *l holds, but for its dtypes. Whether a schedule and a model take it is not asked. */
rc_status rc_scenario_cut(const rc_section *s, rc_layout *l, rc_error *err);
/* Its keys `pp` and `pp_rest`. RC_E_INPUT for more stages than layers. */
rc_status rc_scenario_stages(const rc_section *s, const rc_model *m, rc_stages *out, rc_error *err);
/* The section `dtypes`: what it states replaces what *l holds (rc_model_dtypes). */
rc_status rc_scenario_dtypes(const rc_section *root, rc_layout *l, rc_error *err);

#endif
