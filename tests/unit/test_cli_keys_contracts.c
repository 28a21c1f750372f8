/* What `ringcast keys` assumes of the rows it shows (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/cli/examples.c"
#include "sim/cli/flags.c"
#include "sim/cli/form.c"
#include "sim/cli/cmd_keys.c"

static void test_rows(void **state) {
    (void)state;
    const rc_key odd = {.changes = "time", .direction = 2};
    char text[32];
    rc_error err = {0};
    trips("k->direction >= -1 && k->direction <= 1", (void)changes_of(&odd, text, sizeof text));
    trips("k != NULL || count == 0", print_markdown(NULL, 1));
    trips("k != NULL || count == 0", (void)print_keys(NULL, 1, RC_FORM_TEXT, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
