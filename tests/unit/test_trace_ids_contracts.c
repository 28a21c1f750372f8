/* What the tables of block ids and names assume of their callers, and their steps of one another
 * (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/trace/ids.c"
#include "tests/support/trips.h"

static void test_ids(void **state) {
    (void)state;
    rc_ids ids = {0};
    rc_names names = {0};
    trips("ids->key != NULL", (void)slot_of(&ids, 7));
    trips("from <= to", (void)note_hole(&ids, 2, 1));
    assert_true(note_hole(&ids, 4, 6));
    trips("ids->holes == 0 || ids->hole[ids->holes - 1].to < from", (void)note_hole(&ids, 6, 8));
    uint64_t key[] = {7, 0};
    uint32_t value[] = {0, UINT32_MAX};
    rc_ids hashed = {.key = key, .value = value, .mask = 1, .count = 1};
    trips("ids->value[at] == UINT32_MAX", (void)insert(&hashed, 7, 0));
    trips("p != NULL || size == 0", (void)rc_names_put(&names, NULL, 1));
    rc_ids_free(&ids);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
