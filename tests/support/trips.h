/* Contracts that are broken on purpose. The simulator asserts what a function assumes of its caller
 * (`assert`, live in every build); each of these asserts must be seen to catch the call it is there
 * to catch:
 *
 *     static void test_negative_size(void **state) {
 *         (void)state;
 *         rc_arena *a = rc_arena_new();
 *         trips("size > 0", rc_arena_alloc(a, 0));
 *         rc_arena_free(a);
 *     }
 *
 * trips(EXPRESSION, STATEMENTS) runs the statements in a child process, which must end by SIGABRT
 * with the message of an assert whose expression is spelt exactly EXPRESSION; otherwise the cmocka
 * test fails and shows what the child wrote. The test's own process goes on as if nothing had been
 * called.
 *
 * How to add one:
 * 1. write `assert(...)` in the function that assumes it. Asserts are for mistakes of a caller
 * within this project. What a user typed or a file says is refused by rc_fail, never asserted. An
 * assert has no side effects, for a build with -DRC_ASSERTS=OFF leaves it out.
 * 2. write its trip in tests/unit/test_<room>_contracts.c (or test_<room>_<topic>_contracts.c). A
 * static function is reached through the public one that calls it, or by including the .c file in
 * the test.
 * 3. run `ctest -R test_contracts`: it runs the tests of that name and then
 * tests/unit/test_contracts.sh, which names every assert of sim/ that no test has tripped.
 *
 * An assert that no test can trip, since the lines before it make it true, is a remark: write it as
 * a comment.
 *
 * Under ctest each message is also written to trips/<program> in the build folder, where
 * test_contracts.sh reads the file and the line of the assert.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_TRIPS_H
#define RC_TESTS_SUPPORT_TRIPS_H
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define trips(expression, ...)                                                                     \
    do {                                                                                           \
        trips_child trips_child_ = trips_fork();                                                   \
        if (trips_child_.pid == 0) {                                                               \
            __VA_ARGS__;                                                                           \
            _exit(0);                                                                              \
        }                                                                                          \
        trips_caught(&trips_child_, expression, #__VA_ARGS__, __FILE__, __LINE__);                 \
    } while (0)

typedef struct trips_child {
    pid_t pid;  /* 0 in the child */
    int output; /* what the child writes to its standard error, to be read by the parent */
} trips_child;

static inline trips_child trips_fork(void) {
    int ends[2];
    fflush(NULL); /* or the child would write the parent's buffers once more */
    if (pipe(ends) != 0) {
        fail_msg("pipe: %s", strerror(errno));
    }
    trips_child c = {.pid = fork(), .output = ends[0]};
#ifdef NDEBUG
    if (c.pid == 0)
        _exit(0);
#endif
    if (c.pid < 0) {
        fail_msg("fork: %s", strerror(errno));
    }
    if (c.pid == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
    }
    close(ends[1]);
    return c;
}

/* Appends the message to this program's file in the build folder; the program's first one begins
 * the file. */
static inline void trips_record(const char *message) {
    static bool begun;
    const char *build = getenv("RC_BINARY_DIR");
    if (build == NULL) {
        return;
    }
    /* The message starts with the program's name. */
    char path[4096];
    snprintf(path, sizeof path, "%s/trips", build);
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        fail_msg("%s: %s", path, strerror(errno));
    }
    snprintf(path, sizeof path, "%s/trips/%.*s", build, (int)strcspn(message, ":"), message);
    FILE *f = fopen(path, begun ? "a" : "w");
    if (f == NULL) {
        fail_msg("%s: %s", path, strerror(errno));
        return; /* never reached: cmocka jumps out of fail_msg, which the compiler does not know */
    }
    begun = true;
    fputs(message, f);
    if (fclose(f) != 0) {
        fail_msg("%s: %s", path, strerror(errno));
    }
}

/* Ends the current test as failed, at the line of the test, unless the child was stopped by this
 * assert. */
static inline void trips_caught(const trips_child *c, const char *expression, const char *statement,
                                const char *file, int line) {
    char message[4096], wanted[2048];
    size_t length = 0;
    for (ssize_t n; length < sizeof message - 1;) {
        n = read(c->output, message + length, sizeof message - 1 - length);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        length += (size_t)n;
    }
    message[length] = '\0';
    close(c->output);
    int status = 0;
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) {
    }
    snprintf(wanted, sizeof wanted, ": Assertion `%s' failed.\n", expression);
#ifdef NDEBUG
    return; /* without asserts (the coverage build) there is nothing to trip */
#endif
    bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    if (!aborted || strstr(message, wanted) == NULL) {
        print_error("%s was not caught by assert(%s): wait status %d%s%s\n", statement, expression,
                    status, length > 0 ? ", " : "", message);
        _fail(file, line);
    }
    trips_record(message);
}
#endif
