/* Serving engines: what a profile of scenarios/engines says of serving.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SERVE_SERVE_ENGINE_H
#define RC_SERVE_SERVE_ENGINE_H
#include "sim/base/doc.h"

enum { RC_ENGINE_SETS = 256 }; /* overrides of a scenario, at most, where it names an engine */

/* Where the scenario names an `engine`: what its profile says under `serving` becomes values of the
 * scenario's keys that it leaves out, and `with` gets the overrides `sets` behind one that gives
 * the machine the profile. `text` holds that one. Otherwise `with` gets `sets` alone. */
rc_status rc_serve_engine(rc_doc *doc, const char *const *sets, size_t count, char text[160],
                          const char *with[RC_ENGINE_SETS], size_t *with_count, rc_error *err);

#endif
