/* Another part whose rows stand in for a type that the base has no rows of.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/builtin.h"
#include "sim/cost/costs.h"

bool rc_costs_on_stand_in(const rc_costs *c, rc_costs *there) {
    if (c->m.stand_in[0] == '\0')
        return false;
    const rc_book *book = rc_builtin_book(c->m.stand_in, c->m.state);
    if (book == NULL)
        return false;
    *there = *c;
    if (c->pace.power == NULL && c->book->power.known) /* the clock is the asking part's */
        there->pace.power = &c->book->power;
    there->m = rc_machine_on_stand_in(&c->m);
    there->book = book;
    return true;
}
