/* What the table of keys and its readers assume of their callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/keys/keys.h"

static void test_files(void **state) {
    (void)state;
    size_t count;
    trips("(unsigned)f < RC_KEYS_FILES", rc_keys_file_name(RC_KEYS_FILES));
    trips("(unsigned)f < RC_KEYS_FILES", rc_keys_of(RC_KEYS_FILES, &count));
    char name[32];
    const rc_key *choice = rc_key_find(RC_KEYS_FORWARD, "parallel.variant");
    trips("i >= 0", (void)rc_key_choice_name(choice, -1, name, sizeof name));
}

/* A section of a file without any keys: what the readers are asked for is what matters here. */
static void test_readers(void **state) {
    (void)state;
    rc_section s = {.file = RC_KEYS_FORWARD};
    rc_error err = {0};
    int64_t whole;
    double number;
    int choice;
    bool on;
    size_t count;
    char path[80];
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    trips("k != NULL", rc_section_has(&s, "no such key"));
    trips("strlen(path) < sizeof out->path",
          (void)rc_section_at(RC_KEYS_FORWARD, path, NULL, &s, &err));
    trips("k->kind == RC_KEY_WHOLE", (void)rc_section_whole(&s, "model", &whole, &err));
    trips("k->kind == RC_KEY_NUMBER", (void)rc_section_number(&s, "model", &number, &err));
    trips("k->kind == RC_KEY_SWITCH", (void)rc_section_switch(&s, "model", &on, &err));
    trips("k->kind == RC_KEY_CHOICE", (void)rc_section_choice(&s, "model", &choice, &err));
    trips("least <= most && key_of(s, key)->kind == RC_KEY_ENTRIES",
          (void)rc_section_entries(&s, "model", 1, 2, &count, &err));
    trips("k->kind == RC_KEY_WHOLE && k->many",
          (void)rc_section_whole_item(&s, "model", 0, 1, 2, &whole, &err));
    trips("k->kind == RC_KEY_NUMBER && k->many",
          (void)rc_section_number_item(&s, "model", 0, &number, &err));
    trips("k->kind == RC_KEY_CHOICE && k->many",
          (void)rc_section_choice_item(&s, "model", 0, &choice, &err));
    trips("k->kind == RC_KEY_NUMBER",
          (void)rc_key_number(rc_key_find(RC_KEYS_FORWARD, "model"), "1", &number, &err));
    trips("k->many", (void)rc_section_item_count(&s, "model", 1, 2, &count, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
