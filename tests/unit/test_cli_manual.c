/* Text of manual pages as groff takes it: what would be a request, what can be copied, and characters beyond ASCII.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "sim/cli/manual.c"

/* What whole pages are made of is asked by no text. */
rc_status rc_command_spec_of(const rc_command *c, rc_command_spec *out, rc_error *err) {
    (void)c, (void)out;
    return rc_fail(err, RC_E_INTERNAL, "no pages here");
}

int rc_command_key_files(const char *command, rc_key_file out[RC_COMMAND_KEY_FILES]) {
    (void)command, (void)out;
    return 0;
}

const rc_example *rc_examples_of(const char *command) {
    (void)command;
    return NULL;
}

rc_status rc_flags_parse(int argc, char **argv, const rc_flag *flags, size_t count,
                         const char *usage, const char **args, size_t max_args, size_t *arg_count,
                         bool *helped, rc_error *err) {
    (void)argc, (void)argv, (void)flags, (void)count, (void)usage;
    for (size_t i = 0; i < max_args; i++)
        args[i] = NULL;
    *arg_count = 0;
    *helped = false;
    return rc_fail(err, RC_E_INTERNAL, "no pages here");
}

static void test_texts(void **state) {
    (void)state;
    static const struct {
        const char *text, *written;
    } t[] = {{"plain", "plain"},
             {".so x", "\\&.so x"},
             {"'x", "\\&'x"},
             {"a.b'c", "a.b'c"},
             {"--flag", "\\-\\-flag"},
             {"a\\b", "a\\eb"},
             {"`x`", "\\(oqx\\(oq"},
             {"a\n   b\nc", "a\n.br\nb\n.br\nc"},
             {"\x7F", "\x7F"},
             {"\xC3\xA9t\xC3\xA9", "\\[u00E9]t\\[u00E9]"}, /* of two bytes */
             {"1 \xE2\x82\xAC!", "1 \\[u20AC]!"},          /* of three */
             {"\xE0\xA4\x85", "\\[u0905]"},                /* the first of them */
             {"\xDF\xBF", "\\[u07FF]"},                    /* the last of two */
             {"\xEF\xBF\xBDx", "\\[uFFFD]x"},              /* the last of three */
             {"\xF0\x9D\x84\x9E.", "\\[u1D11E]."},         /* of four */
             {"\xF0\x90\x80\x80", "\\[u10000]"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char got[128] = "";
        FILE *f = fmemopen(got, sizeof got, "w");
        assert_non_null(f);
        text(f, t[i].text);
        assert_int_equal(fclose(f), 0);
        assert_string_equal(got, t[i].written);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
