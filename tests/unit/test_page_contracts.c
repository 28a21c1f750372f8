/* What pages assume of their callers.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/page/page.h"
#include "tests/support/trips.h"

static rc_error err;

static void test_page(void **state) {
    (void)state;
    rc_page *p = NULL;
    assert_int_equal(rc_page_create(&p, &err), RC_OK);
    trips("i < p->count", rc_page_title(p, 0));
    trips("p != NULL && path != NULL", rc_page_add(p, NULL, &err));
    trips("p != NULL && name != NULL && text != NULL", rc_page_add_text(p, NULL, "", 0, &err));
    trips("p != NULL && f != NULL", rc_page_write(p, NULL, NULL));
    rc_page_destroy(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
