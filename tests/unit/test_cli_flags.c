/* How flags and words are read from a command line, how a command's help and its words are made of its list, and rows as keys and
 * values. The sources are held here, for they are the program's and in no library.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>
#include "sim/cli/commands.c"
#include "sim/cli/examples.c"
#include "sim/cli/flags.c"
#include "sim/cli/form.c"

typedef struct given {
    bool yes;
    const char *text;
    int64_t whole;
    rc_many many;
    const char *args[2];
    size_t count;
    bool helped;
    rc_error err;
} given;

static rc_status parse(given *g, const char *const *words) {
    enum { MOST_WORDS = 2 * RC_MAX_MANY + 8 };
    char *argv[MOST_WORDS] = {(char *)(uintptr_t) "x"};
    int argc = 1;
    *g = (given){.whole = 5};
    const rc_flag flags[] = {{"--yes", RC_FLAG_BOOL, &g->yes, NULL, "says so"},
                             {"--text", RC_FLAG_TEXT, &g->text, "TEXT", "some text"},
                             {"--whole", RC_FLAG_INT, RC_WHOLE(&g->whole, 2, 9), "N", "a number"},
                             {"--many", RC_FLAG_MANY, &g->many, "A-VALUE-OF-SIZE", "many texts"}};
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    return rc_flags_parse(argc, argv, flags, sizeof flags / sizeof flags[0], "usage: ringcast x",
                          g->args, 2, &g->count, &g->helped, &g->err);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void refused(const char *const *words, const char *file, const char *says) {
    given g;
    assert_int_equal(parse(&g, words), RC_E_USAGE);
    assert_string_equal(g.err.msg, says);
    assert_string_equal(g.err.file, file);
}

static void test_values(void **state) {
    given g;
    (void)state;
    assert_int_equal(parse(&g, WORDS("a", "--text", "b", "--yes", "--whole=9", "c")), RC_OK);
    assert_true(g.yes && g.whole == 9 && g.count == 2 && !g.helped);
    assert_string_equal(g.text, "b");
    assert_string_equal(g.args[0], "a");
    assert_string_equal(g.args[1], "c");
    assert_int_equal(parse(&g, WORDS("--text=", "--whole", "2", "-")), RC_OK);
    assert_true(!g.yes && g.whole == 2 && g.count == 1);
    assert_string_equal(g.text, "");
    assert_string_equal(g.args[0], "-"); /* a dash alone is no flag */
    assert_int_equal(parse(&g, WORDS("--text=a=b", "--text", "--yes")), RC_OK);
    assert_string_equal(g.text, "--yes"); /* the last one counts, whatever it looks like */
    assert_false(g.yes);
    assert_int_equal(parse(&g, WORDS("--", "--yes", "--help")), RC_OK);
    assert_true(!g.yes && !g.helped && g.count == 2 && g.whole == 5);
    assert_string_equal(g.args[1], "--help");
    assert_int_equal(parse(&g, WORDS("--many=1", "--many", "2", "--many=3")), RC_OK);
    assert_int_equal(g.many.count, 3);
    assert_string_equal(g.many.values[0], "1");
    assert_string_equal(g.many.values[1], "2");
    assert_string_equal(g.many.values[2], "3");
}

static void test_refused(void **state) {
    (void)state;
    refused(WORDS("--whole=1"), "--whole", "found '1', expected a whole number from 2 to 9");
    refused(WORDS("--whole", "10"), "--whole", "found '10', expected a whole number from 2 to 9");
    refused(WORDS("--yes=no"), "", "--yes takes no value, found 'no'");
    refused(WORDS("--yes", "--text"), "", "--text needs a value (TEXT)");
    refused(WORDS("--whole"), "", "--whole needs a value (N)");
    refused(WORDS("--txt=3"), "", "unknown flag '--txt' (did you mean '--text'?)");
    refused(WORDS("--zzzzzzzz"), "", "unknown flag '--zzzzzzzz'; --help lists the flags");
    refused(WORDS("-x"), "", "unknown flag '-x'; --help lists the flags");
    refused(WORDS("a", "b", "c"), "", "unexpected argument 'c'");
    refused(WORDS("a", "b", "--", "--yes"), "", "unexpected argument '--yes'");
}

static void test_most(void **state) {
    const char *words[RC_MAX_MANY + 2] = {NULL};
    given g;
    (void)state;
    for (int i = 0; i < RC_MAX_MANY; i++)
        words[i] = "--many=v";
    assert_int_equal(parse(&g, words), RC_OK);
    assert_int_equal(g.many.count, RC_MAX_MANY);
    words[RC_MAX_MANY] = "--many=v";
    refused(words, "", "--many is given more than 64 times");
}

/* ---- help ------------------------------------------------------------------------------------ */

/* What goes to the standard output meanwhile. */
static const char *printed(const char *const *words, bool *helped) {
    static char text[4096];
    given g;
    FILE *f = tmpfile();
    int kept = dup(STDOUT_FILENO);
    assert_true(f && kept >= 0);
    (void)fflush(stdout);
    assert_true(dup2(fileno(f), STDOUT_FILENO) >= 0);
    rc_status st = parse(&g, words);
    (void)fflush(stdout);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    (void)close(kept);
    rewind(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    assert_int_equal(st, RC_OK);
    *helped = g.helped;
    return text;
}

static void test_help(void **state) {
    static const char *const asks[][2] = {{"--help", NULL}, {"-h", NULL}};
    bool helped = false;
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_string_equal(printed(asks[i], &helped), "usage: ringcast x\n"
                                                       "  --yes                  says so\n"
                                                       "  --text TEXT            some text\n"
                                                       "  --whole N              a number\n"
                                                       "  --many A-VALUE-OF-SIZE many texts\n");
        assert_true(helped);
    }
    /* what stands behind it is not looked at, what stands before it is */
    (void)printed(WORDS("--help", "--nonsense"), &helped);
    assert_true(helped);
    refused(WORDS("--nonsense", "--help"), "", "unknown flag '--nonsense'; --help lists the flags");
}

static rc_status with_flags(int argc, char **argv, rc_error *err) {
    given g;
    assert_int_equal(argc, 2);
    assert_string_equal(argv[1], "--help");
    (void)err;
    return parse(&g, WORDS("--help"));
}

/* A command hands out its list, and prints nothing of it. */
static void test_spec(void **state) {
    const rc_command c = {"x", with_flags, "does x"};
    rc_command_spec s;
    (void)state;
    assert_int_equal(rc_command_spec_of(&c, &s, NULL), RC_OK);
    assert_ptr_equal(s.command, &c);
    assert_string_equal(s.usage, "usage: ringcast x");
    assert_int_equal(s.count, 4);
    assert_string_equal(s.flags[0].name, "--yes");
    assert_string_equal(s.flags[3].help, "many texts");
    bool helped;
    assert_int_not_equal(strlen(printed(WORDS("--help"), &helped)), 0); /* and prints it again */
}

/* ---- words ----------------------------------------------------------------------------------- */

static void test_words(void **state) {
    static const struct {
        const char *text;
        size_t size;
        const char *want;
    } cases[] = {{"a|b", 4, "a b"}, {"a|b", 3, ""},  {"bash|zsh|fish", 14, "bash zsh fish"},
                 {"ab", 4, ""},     {"", 4, ""},     {"a|B", 4, ""},
                 {"A|b", 4, ""},    {"a|b.", 8, ""}, {".|b", 8, ""},
                 {"|", 2, " "},     {"|", 1, ""},    {"x-y|z", 8, "x-y z"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char buf[16] = "???????????????";
        assert_string_equal(rc_words_of(cases[i].text, strlen(cases[i].text), buf, cases[i].size),
                            cases[i].want);
        assert_true(buf[cases[i].size] == '?');
    }
    static const char *const usages[][2] = {
        {"usage: ringcast x a|b [flags]", "a b"},
        {"usage: ringcast x a|b\n more", "a b"},
        {"usage: ringcast x [flags] a|b", ""},
        {"usage: ringcast xx a|b", ""},
        {"usage: ringcast x", ""},
        {"usage: [mpirun -n K] ringcast x c|d e", "c d"},
    };
    for (size_t i = 0; i < sizeof usages / sizeof usages[0]; i++) {
        const rc_command c = {"x", NULL, NULL};
        const rc_command_spec s = {.command = &c, .usage = usages[i][0]};
        char buf[16];
        assert_string_equal(rc_command_words(&s, buf, sizeof buf), usages[i][1]);
    }
}

/* Commands that take changes to a machine take them beside those of their own file. */
static void test_key_files(void **state) {
    static const struct {
        const char *command;
        int count;
        rc_key_file files[3];
    } takes[] = {{"forward", 2, {RC_KEYS_FORWARD, RC_KEYS_MACHINE}},
                 {"sweep", 3, {RC_KEYS_FORWARD, RC_KEYS_SWEEP, RC_KEYS_MACHINE}},
                 {"tune", 2, {RC_KEYS_TUNE, RC_KEYS_MACHINE}},
                 {"serve", 2, {RC_KEYS_SERVE, RC_KEYS_MACHINE}},
                 {"plan", 3, {RC_KEYS_PLAN, RC_KEYS_SERVE, RC_KEYS_MACHINE}},
                 {"choose", 1, {RC_KEYS_MACHINE}},
                 {"paper", 1, {RC_KEYS_MACHINE}},
                 {"report", 0, {RC_KEYS_MACHINE}},
                 {"plans", 0, {RC_KEYS_MACHINE}}};
    (void)state;
    for (size_t i = 0; i < sizeof takes / sizeof takes[0]; i++) {
        rc_key_file files[RC_COMMAND_KEY_FILES];
        assert_int_equal(rc_command_key_files(takes[i].command, files), takes[i].count);
        for (int k = 0; k < takes[i].count; k++)
            assert_int_equal(files[k], takes[i].files[k]);
    }
}

static void test_forms(void **state) {
    rc_form form = RC_FORM_TEXT;
    rc_error err = {0};
    (void)state;
    assert_int_equal(rc_form_of(false, false, &form, &err), RC_OK);
    assert_int_equal(form, RC_FORM_TEXT);
    assert_int_equal(rc_form_of(true, false, &form, &err), RC_OK);
    assert_int_equal(form, RC_FORM_JSON);
    assert_int_equal(rc_form_of(false, true, &form, &err), RC_OK);
    assert_int_equal(form, RC_FORM_CSV);
    assert_int_equal(rc_form_of(true, true, &form, &err), RC_E_USAGE);
    assert_string_equal(err.msg, "--json and --csv exclude each other");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_most),      cmocka_unit_test(test_help),
        cmocka_unit_test(test_spec),      cmocka_unit_test(test_words),
        cmocka_unit_test(test_key_files), cmocka_unit_test(test_forms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
