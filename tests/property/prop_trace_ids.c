/* Block ids and names against arrays of all that came before: numbers by first appearance, whether a run is in order, and what
 * rows that were left out may have introduced.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "sim/trace/ids.h"
#include "tests/support/prop.h"

enum { IDS = 6000 };

typedef struct seen {
    uint32_t number[IDS]; /* plus 1; 0: not there */
    bool hole[IDS];       /* a row that was left out may have introduced it */
    uint32_t count;
    uint64_t most;
    bool gap;
} seen;

static uint32_t number_of(seen *s, uint64_t id) {
    if (s->number[id] > 0)
        return s->number[id] - 1;
    if (s->count == 0 || id > s->most) {
        for (uint64_t i = s->count == 0 ? 0 : s->most + 1; s->gap && i < id; i++)
            s->hole[i] = true;
        s->gap = false;
        s->most = id;
    }
    s->number[id] = ++s->count;
    return s->count - 1;
}

static bool in_order(const seen *s, const rc_raw_span *run, uint64_t *most, bool *any,
                     uint64_t *bad) {
    for (uint64_t id = run->first; id < run->first + run->count; id++) {
        if (*any && id <= *most && s->number[id] == 0 && !s->hole[id]) {
            *bad = id;
            return false;
        }
        *most = *any && *most > id ? *most : id;
        *any = true;
    }
    return true;
}

/* Mostly the next id or one that was there, at times a step ahead or back. */
static uint64_t drawn_id(prop_case *c, const seen *s) {
    const uint64_t top = s->count == 0 ? prop_below(c, 50) : s->most;
    const uint64_t kind = prop_below(c, 10);
    const uint64_t id = kind < 6   ? top + 1
                        : kind < 7 ? top + 1 + prop_below(c, 20)
                                   : prop_below(c, top + 1);
    return id < IDS - 64 ? id : IDS - 65;
}

static bool ids_are_the_array(prop_case *c) {
    seen *s = calloc(1, sizeof *s);
    rc_ids ids = {0};
    bool good = s != NULL;
    uint64_t most = 0, bad = 0, want_bad = 0;
    bool any = false;
    const int rows = 20 * (1 + (int)c->size);
    for (int i = 0; i < rows && good; i++) {
        const rc_raw_span run = {drawn_id(c, s), 1 + (uint32_t)prop_below(c, 40)};
        if (prop_one_in(c, 15)) {
            rc_ids_left_out(&ids);
            s->gap = true;
            continue;
        }
        uint64_t want_most = most = s->most;
        bool want_any = any = s->count > 0;
        const bool ordered = rc_ids_ordered(&ids, &run, &most, &any, &bad);
        good = ordered == in_order(s, &run, &want_most, &want_any, &want_bad) &&
               most == want_most && any == want_any && (ordered || bad == want_bad);
        for (uint32_t k = 0; k < run.count && good; k++) {
            uint32_t number = 0;
            good = rc_ids_number(&ids, run.first + k, &number) == RC_IDS_OK &&
                   number == number_of(s, run.first + k) && ids.count == s->count &&
                   ids.most == s->most;
        }
    }
    free(s);
    rc_ids_free(&ids);
    PROP_CHECK(c, good, "other numbers, or another order");
    return true;
}

static bool names_are_the_array(prop_case *c) {
    enum { NAMES = 700, LONG = 24 };
    static char kept[NAMES][LONG];
    static size_t size[NAMES];
    rc_names n = {0};
    uint32_t count = 0;
    bool good = true;
    for (int round = 0; round < 2 && good;
         round++) { /* the second one in a table that was emptied */
        count = 0;
        for (unsigned i = 0; i < 20 * (1 + c->size) && good && count < NAMES; i++) {
            char name[LONG] = "";
            size_t length = prop_below(c, 6) * prop_below(c, 4);
            uint32_t want = 0;
            for (size_t k = 0; k < length; k++)
                name[k] = (char)('a' + prop_below(c, 3));
            while (want < count && (size[want] != length || memcmp(kept[want], name, length) != 0))
                want++;
            good = rc_names_find(&n, name, length) == (want < count ? want : UINT32_MAX) &&
                   rc_names_put(&n, name, length) == want &&
                   rc_names_find(&n, name, length) == want;
            if (want == count) {
                memcpy(kept[count], name, length);
                size[count++] = length;
            }
        }
        good = good && n.count == count;
        rc_names_free(&n);
        good = good && n.count == 0 && n.text == NULL && n.slot == NULL && n.from == NULL;
    }
    PROP_CHECK(c, good, "other numbers of %u names", count);
    return true;
}

static void test_ids(void **state) {
    (void)state;
    assert_true(prop_run("ids_are_the_array", ids_are_the_array, 120));
}

static void test_names(void **state) {
    (void)state;
    assert_true(prop_run("names_are_the_array", names_are_the_array, 60));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ids), cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
