/* What became of the points of a sweep.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/page/html.h"
#include "sim/page/json_values.h"
#include "sim/page/sections.h"

void section_sweep(FILE *f, const json_t *root) {
    html_say(f, "answer", "%g of %g points have a time.", value_real(root, "ok"),
             value_real(root, "points"));
    html_say(f, "sure", "%g do not fit in memory, %g were refused, %g were there before.",
             value_real(root, "nofit"), value_real(root, "refused"), value_real(root, "present"));
    html_say(f, "about", "The points are rows of the SQLite database %s.",
             value_text(root, "database"));
    say_basis(f, root);
    say_notes(f, root);
}
