/* Signals are taken by a thread of their own with sigwait(3): it can wait for a lock and free
 * memory, which a handler may not, and no system call of the program is interrupted. Threads that
 * are started later inherit the blocked signals; forked children unblock them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/process.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sim/base/outputs.h"
#include "sim/base/style.h"

static pthread_mutex_t words_lock = PTHREAD_MUTEX_INITIALIZER;
static char last_program[32], last_words[1024];

void rc_process_last_words(const char *program, const char *text) {
    assert(program != NULL);
    (void)pthread_mutex_lock(&words_lock);
    (void)snprintf(last_program, sizeof last_program, "%s", program);
    (void)snprintf(last_words, sizeof last_words, "%s", text ? text : "");
    (void)pthread_mutex_unlock(&words_lock);
}

static const char *name_of(int number) {
    return number == SIGINT ? "SIGINT" : number == SIGTERM ? "SIGTERM" : "SIGHUP";
}

/* The signals that end a command in an orderly way. */
static const int handled[] = {SIGINT, SIGTERM, SIGHUP};
enum { HANDLED = sizeof handled / sizeof handled[0] };
static sigset_t set;       /* those of them that were not ignored when the program started */
static atomic_bool ending; /* one of them came */

static void *wait_for_signal(void *unused) {
    int number = 0;
    (void)unused;
    if (sigwait(&set, &number) != 0)
        return NULL;
    atomic_store(&ending, true);
    rc_outputs_give_up();
    (void)pthread_mutex_lock(&words_lock); /* for good: nobody has anything to add */
    if (last_words[0] != '\0')
        (void)fprintf(stderr, "%s: ended by %s: %s\n", last_program, name_of(number), last_words);
    (void)signal(number, SIG_DFL);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    (void)raise(number); /* this thread first; the process ends by its default action */
    return NULL;
}

/* A forked child has no such thread: signals end it as they would by default. What is under way
 * is its parent's. */
static void in_child(void) {
    rc_outputs_forget();
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void handle_signals(void) {
    pthread_t thread;
    int count = 0;
    (void)sigemptyset(&set);
    for (int i = 0; i < HANDLED; i++) {
        struct sigaction now;
        if (sigaction(handled[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN) {
            (void)sigaddset(&set, handled[i]); /* nohup and `&` in scripts ignore some */
            count++;
        }
    }
    (void)pthread_atfork(rc_outputs_lock, rc_outputs_unlock, in_child);
    if (count == 0 || pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return;
    if (pthread_create(&thread, NULL, wait_for_signal, NULL) != 0)
        (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    else
        (void)pthread_detach(thread);
}

/* A closed stream's number would go to the next file opened, and its text into that file. Opened
 * the wrong way round, every use of it fails. */
static void occupy_standard_streams(void) {
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
            (void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

/* What rc_exit_code says of RC_E_INTERNAL, which a handler of signals may not ask. */
enum { OUR_FAULT = 3 };

/* An assert has said what is wrong: a mistake of ours has its exit code. */
static void broken_contract(int number) {
    (void)number;
    _exit(OUR_FAULT);
}

void rc_process_begin(void) {
    occupy_standard_streams();
    (void)signal(SIGABRT, broken_contract);
    (void)signal(SIGPIPE, SIG_IGN);
    handle_signals();
}

/* 0, or the errno of the standard output. */
static int close_output(void) {
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) != 0 || failed)
        return errno ? errno : EIO;
    errno = 0;
    if (fclose(stdout) != 0 && errno != EBADF) /* EBADF: it was closed, and nothing was written */
        return errno ? errno : EIO;
    return 0;
}

static void say(const char *program, const rc_error *err) {
    char text[1200];
    if (err->msg[0] != '\0') /* without words: another rank of the job has said it */
        (void)fprintf(stderr, "%s%s:%s %s\n", rc_style_on(stderr, RC_STYLE_FAULT), program,
                      rc_style_on(stderr, RC_STYLE_END), rc_error_text(err, text, sizeof text));
}

/* Whether one of these signals has been taken, or waits to be. */
static bool signal_came(void) {
    sigset_t pending;
    if (atomic_load(&ending))
        return true;
    (void)sigpending(&pending);
    for (int i = 0; i < HANDLED; i++)
        if (sigismember(&set, handled[i]) == 1 && sigismember(&pending, handled[i]) == 1)
            return true;
    return false;
}

/* A signal to a whole process group ends the children that draw as well, and their failure may be
 * seen here before the signal is: then the signal is what ended the command. */
static void leave_to_signal(void) {
    if (!signal_came())
        return;
    for (;;)
        (void)pause();
}

int rc_process_end(const char *program, rc_status st, const rc_error *err) {
    assert(program != NULL && (st == RC_OK || err != NULL));
    rc_error own = {0};
    if (st != RC_OK)
        leave_to_signal();
    bool done = st == RC_OK || st == RC_E_CHECK;
    int code = close_output();
    if (code != 0 && (done || st == RC_E_IO)) {
        /* A command that saw the failure itself has said so in its words: one line is enough. */
        st = rc_fail(&own, RC_E_INTERNAL, "cannot write the standard output: %s", strerror(code));
        err = &own;
        done = false;
    }
    rc_status placed = rc_outputs_end(done, &own);
    if (done && placed != RC_OK) {
        if (st != RC_OK)
            say(program, err);
        st = placed;
        err = &own;
    }
    if (st != RC_OK)
        say(program, err);
    return rc_exit_code(st);
}
