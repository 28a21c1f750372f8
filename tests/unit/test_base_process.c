/* The end of a command whose answer is there and whose file cannot be put in place: somebody has made one of that
 * name meanwhile. It is said, behind what the command itself has to say, and decides the exit code. And of one that a
 * signal ends, whatever else fails by it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
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

/* ---- signals -------------------------------------------------------------------------------- */

static void wait_ms(long ms) {
    (void)nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void *child_began(void *unused) {
    wait_ms(150);
    rc_outputs_child_began(-1);
    return unused;
}

/* In the child: a command with a file under way is sent a signal, which waits for a child that is being started; meanwhile the
 * command fails, for the same signal has ended what it waited for. */
static int struck(int number, bool words_left) {
    pthread_t thread;
    rc_error err = {0};
    char temp[RC_TEMP_SIZE];
    rc_process_begin();
    if (words_left)
        rc_process_last_words("command", "3 of 7 points are kept");
    if (rc_temp_file(file, temp, NULL, &err) != RC_OK)
        return 90;
    rc_outputs_child_begins();
    if (pthread_create(&thread, NULL, child_began, NULL) != 0 || kill(getpid(), number) != 0)
        return 91;
    wait_ms(50);
    return rc_process_end("command", rc_fail(&err, RC_E_INTERNAL, "a picture failed"), &err);
}

/* How it ended; what was said is in `said`. */
static int strike(int number, bool words_left, bool ignored, char *said, size_t size) {
    int status = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen(words, "w", stderr) || setvbuf(stderr, NULL, _IONBF, 0) != 0 ||
            (ignored && signal(number, SIG_IGN) == SIG_ERR))
            exit(92);
        exit(struck(number, words_left));
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    FILE *f = fopen(words, "r");
    assert_non_null(f);
    said[fread(said, 1, size - 1, f)] = '\0';
    assert_int_equal(fclose(f), 0);
    return status;
}

static void test_signals(void **state) {
    (void)state;
    static const struct {
        int number;
        const char *words;
    } all[] = {{SIGINT, "command: ended by SIGINT: 3 of 7 points are kept\n"},
               {SIGTERM, "command: ended by SIGTERM: 3 of 7 points are kept\n"},
               {SIGHUP, "command: ended by SIGHUP: 3 of 7 points are kept\n"}};
    char said[512];
    for (size_t i = 0; i < 3; i++)
        for (int left = 0; left < 2; left++) {
            const int status = strike(all[i].number, left, false, said, sizeof said);
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == all[i].number);
            assert_string_equal(said, left ? all[i].words : "");
        }
    /* One that was ignored when the command began, as by nohup, does nothing: what failed is said. */
    const int status = strike(SIGHUP, true, true, said, sizeof said);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    assert_string_equal(said, "command: a picture failed\n");
    char command[128]; /* no temporary is left */
    (void)snprintf(command, sizeof command, "test -z \"$(find %s -name '.ringcast*')\"", dir);
    assert_int_equal(system(command), 0);
}

/* ---- standard streams ----------------------------------------------------------------------- */

/* In the child, which has closed some of its streams: where a file goes, and whether the streams closed can be used. */
static int without(unsigned closed) {
    for (int fd = 0; fd <= 2; fd++)
        if (closed >> fd & 1)
            (void)close(fd);
    rc_process_begin();
    const int fd = open("/dev/zero", O_RDONLY);
    if (fd <= 2)
        return 1;
    char c = 'x';
    for (int i = 0; i <= 2; i++)
        if ((closed >> i & 1) && (i == 0 ? read(i, &c, 1) : write(i, &c, 1)) != -1)
            return 2;
    return 0;
}

/* A file that a command opens never takes the number of a stream that was closed when it began; reading from such a stream, or
 * writing to it, fails. */
static void test_closed_streams(void **state) {
    (void)state;
    for (unsigned closed = 0; closed < 8; closed++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0)
            _exit(without(closed));
        assert_true(child > 0 && waitpid(child, &status, 0) == child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_taken), cmocka_unit_test(test_signals),
                                       cmocka_unit_test(test_closed_streams)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
