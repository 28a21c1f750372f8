/* The end of a command whose answer is there and whose file cannot be put in place: somebody has made one of that
 * name meanwhile. It is said, behind what the command itself has to say, and decides the exit code.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
// after those above
#include <cmocka.h>
#include "sim/base/file.h"
#include "sim/base/outputs.h"
#include "sim/base/process.h"

static char dir[] = "/tmp/test-process-XXXXXX", file[64], words[64];

/* In the child: a command that leaves a file and ends with `st`. */
static int command(rc_status st, bool taken) {
    rc_error err = {0}, own = {0};
    rc_outfile o;
    rc_outputs_begin();
    if (rc_outfile_open(&o, file, false, &err) != RC_OK)
        return 90;
    (void)fputs("answer\n", o.f);
    if (rc_outfile_commit(&o, &err) != RC_OK)
        return 91;
    FILE *other = taken ? fopen(file, "w") : NULL;
    if (other != NULL)
        (void)fclose(other);
    if (st != RC_OK)
        st = rc_fail(&own, st, "a check failed");
    return rc_process_end("command", st, &own);
}

/* The exit code; what was said is in `said`. */
static int ended(rc_status st, bool taken, char *said, size_t size) {
    int status = 0;
    (void)remove(file);
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen(words, "w", stderr) || !freopen("/dev/null", "w", stdout))
            exit(92);
        exit(command(st, taken));
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    FILE *f = fopen(words, "r");
    assert_non_null(f);
    said[fread(said, 1, size - 1, f)] = '\0';
    assert_int_equal(fclose(f), 0);
    return WEXITSTATUS(status);
}

static void test_taken(void **state) {
    (void)state;
    char said[512];
    assert_int_equal(ended(RC_OK, false, said, sizeof said), 0);
    assert_string_equal(said, "");
    assert_int_equal(ended(RC_OK, true, said, sizeof said), 2);
    assert_non_null(strstr(said, "command: "));
    assert_non_null(strstr(said, file));
    assert_int_equal(ended(RC_E_CHECK, false, said, sizeof said), 1);
    assert_string_equal(said, "command: a check failed\n");
    assert_int_equal(ended(RC_E_CHECK, true, said, sizeof said), 2);
    assert_memory_equal(said, "command: a check failed\ncommand: ", 33);
    assert_non_null(strstr(said, file));
}

static int setup(void **state) {
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(file, sizeof file, "%s/answer", dir);
    (void)snprintf(words, sizeof words, "%s/words", dir);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    (void)remove(file);
    (void)remove(words);
    return rmdir(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_taken)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
