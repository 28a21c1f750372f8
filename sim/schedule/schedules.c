/* The table of schedules: the one place that lists them. A new schedule is its own file, which
 * defines `const rc_schedule rc_schedule_NAME`, and one line here (docs/extending.md).
 *
 * The order is that in which alternatives are listed, and the first that serves a purpose is the
 * usual one for it (rc_schedule_usual).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "sim/schedule/layer.h"
#include "sim/schedule/schedule.h"
#include "sim/schedule/totals.h"

#define SCHEDULES(X)                                                                               \
    X(pass_kv)                                                                                     \
    X(pass_q)                                                                                      \
    X(all_gather_kv)                                                                               \
    X(pcp)                                                                                         \
    X(ulysses)                                                                                     \
    X(usp)                                                                                         \
    X(gather_q)                                                                                    \
    X(gather_kv)                                                                                   \
    X(tensor)                                                                                      \
    X(dcp_ag_rs)                                                                                   \
    X(dcp_a2a)                                                                                     \
    X(helix)

#define DECLARE(name) extern const rc_schedule rc_schedule_##name;
#define ADDRESS(name) &rc_schedule_##name,
SCHEDULES(DECLARE)
static const rc_schedule *const table[] = {SCHEDULES(ADDRESS)};

enum { COUNT = sizeof table / sizeof table[0] };
static_assert((int)COUNT <= (int)RC_SCHEDULES_MAX,
              "RC_SCHEDULES_MAX is how many the table may hold");

const rc_schedule *rc_schedule_at(int i) {
    assert(i >= 0);
    return i < COUNT ? table[i] : NULL;
}

const char *rc_schedule_name_at(int i) {
    const rc_schedule *s = rc_schedule_at(i);
    return s ? s->name : NULL;
}

const rc_schedule *rc_schedule_many_at(int i) {
    assert(i >= 0);
    for (int k = 0; k < COUNT; k++)
        if (table[k]->many_ranks && rc_schedule_takes(table[k], RC_PREFILL, 2) && i-- == 0)
            return table[k];
    return NULL;
}

int rc_schedule_index(const rc_schedule *s) {
    int i = 0;
    while (i < COUNT && table[i] != s)
        i++;
    assert(i < COUNT); /* every rc_schedule * is one of the table's */
    return i;
}

bool rc_schedule_takes(const rc_schedule *s, rc_phase phase, int cp) {
    assert(s && cp >= 1);
    return (s->phases & RC_PHASE_BIT(phase)) != 0 && (cp == 1 || s->many_ranks);
}

const rc_schedule *rc_schedule_named(const char *name) {
    assert(name);
    for (int i = 0; i < COUNT; i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}

const rc_schedule *rc_schedule_usual(rc_phase phase, int cp) {
    for (int i = 0; i < COUNT; i++)
        if (rc_schedule_takes(table[i], phase, cp) && table[i]->many_ranks == (cp > 1))
            return table[i];
    return NULL;
}

const rc_schedule *rc_schedule_decoding(const rc_schedule *s, int cp) {
    assert(s && cp >= 1);
    bool own = s->kv_ranks != NULL || (s->groups & RC_OVER_TP) != 0;
    return own && rc_schedule_takes(s, RC_DECODE, cp) ? s : rc_schedule_usual(RC_DECODE, cp);
}

const rc_schedule *rc_schedule_on(const rc_schedule *s, int cp) {
    assert(s && cp >= 1);
    bool takes = cp > 1 || (s->groups & RC_OVER_TP) != 0;
    return takes ? s : rc_schedule_usual(RC_PREFILL, 1);
}

const rc_schedule *rc_schedule_gather(bool queries) {
    return queries ? &rc_schedule_gather_q : &rc_schedule_gather_kv;
}

rc_gathered rc_schedule_gathered(const rc_model *m, const rc_layout *l, double t, double p) {
    const rc_layer_kind *k = rc_model_typical(m);
    const rc_layer_form *form = rc_layer_form_of(k);
    const rc_heads h = form->heads(k, 1);
    rc_gathered g = {.queries = t * h.query * (h.key_size + h.value_size) * rc_dtype_bytes(l->act),
                     .cached = p * form->kv_bytes(k, 1, l->kv)};
    g.picks = rc_schedule_gather(g.queries < g.cached);
    return g;
}

const char *rc_schedule_list(unsigned phases, char *buf, size_t size) {
    int all = 0, n = 0;
    size_t used = 0;
    assert(size > 0);
    buf[0] = '\0';
    for (int i = 0; i < COUNT; i++)
        all += (table[i]->phases & phases) == phases;
    for (int i = 0; i < COUNT && used < size; i++) {
        if ((table[i]->phases & phases) != phases)
            continue;
        int w = snprintf(buf + used, size - used, "%s%s",
                         n == 0         ? ""
                         : n == all - 1 ? " or "
                                        : ", ",
                         table[i]->name);
        used += w > 0 ? (size_t)w : 0;
        n++;
    }
    return buf;
}

rc_status rc_schedule_find(const char *name, const rc_schedule **out, rc_error *err) {
    const char *names[COUNT + 1] = {NULL};
    char all[256];
    *out = rc_schedule_named(name);
    if (*out)
        return RC_OK;
    for (int i = 0; i < COUNT; i++)
        names[i] = table[i]->name;
    const char *near = rc_nearest(name, names);
    return rc_fail(err, RC_E_INPUT, "unknown variant '%.80s'%s%s%s; expected %s", name,
                   near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "",
                   rc_schedule_list(0, all, sizeof all));
}
