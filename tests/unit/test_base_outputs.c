/* A set of files: all of it appears, or none; what was there before comes back; leftovers of
 * processes that are gone are swept, others are not.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
// after those above
#include <cmocka.h>
#include "sim/base/file.h"

static char dir[] = "/tmp/test-outputs-XXXXXX";

static char *in(const char *name) {
    static char path[8][256];
    static int next;
    char *out = path[next++ % 8];
    snprintf(out, 256, "%s/%s", dir, name);
    return out;
}

static rc_status put(const char *name, const char *text, bool overwrite, rc_error *err) {
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, in(name), overwrite, err));
    fputs(text, o.f);
    return rc_outfile_commit(&o, err);
}

/* NULL when it is not there. Two at a time. */
static const char *text_of(const char *name) {
    static char kept[2][64];
    static int next;
    char *text = NULL, *out = kept[next++ % 2];
    size_t size;
    if (rc_file_read(in(name), &text, &size, NULL) != RC_OK)
        return NULL;
    snprintf(out, sizeof kept[0], "%s", text);
    free(text);
    return out;
}

static int files(void) {
    char cmd[300], line[16] = "";
    snprintf(cmd, sizeof cmd, "find %s -mindepth 1 | wc -l", dir);
    FILE *f = popen(cmd, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    pclose(f);
    return atoi(line);
}

static int clean(void **state) {
    char cmd[300];
    (void)state;
    rc_outputs_end(false, NULL);
    snprintf(cmd, sizeof cmd, "rm -rf %s && mkdir %s", dir, dir);
    return system(cmd);
}

static int begin(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int end(void **state) {
    (void)clean(state);
    return rmdir(dir);
}

static void together(void **state) {
    (void)state;
    rc_outputs_begin();
    assert_int_equal(put("a", "1", false, NULL), RC_OK);
    assert_int_equal(put("b", "2", false, NULL), RC_OK);
    assert_null(text_of("a"));
    assert_int_equal(rc_outputs_end(true, NULL), RC_OK);
    assert_string_equal(text_of("a"), "1");
    assert_string_equal(text_of("b"), "2");
    assert_int_equal(files(), 2);
}

/* Sixteen, for which there is room, and more, of which some are given up: the last, the first, one in the middle. */
static void many_of_which_some_are_given_up(void **state) {
    (void)state;
    for (int count = 15; count <= 17; count++) {
        rc_outfile open[17];
        char name[8];
        rc_outputs_begin();
        for (int i = 0; i < count; i++) {
            (void)snprintf(name, sizeof name, "f%d", i);
            assert_int_equal(rc_outfile_open(&open[i], in(name), true, NULL), RC_OK);
            fprintf(open[i].f, "%d", i);
        }
        const int given_up[] = {count - 1, 0, 7};
        for (int k = 0; k < 3; k++)
            rc_outfile_abort(&open[given_up[k]]);
        for (int i = 1; i < count - 1; i++)
            if (i != 7)
                assert_int_equal(rc_outfile_commit(&open[i], NULL), RC_OK);
        assert_int_equal(rc_outputs_end(true, NULL), RC_OK);
        assert_int_equal(files(), count - 3);
        for (int i = 0; i < count; i++) {
            char want[8];
            (void)snprintf(name, sizeof name, "f%d", i);
            (void)snprintf(want, sizeof want, "%d", i);
            const char *text = text_of(name);
            if (i == 0 || i == 7 || i == count - 1)
                assert_null(text);
            else
                assert_string_equal(text, want);
            (void)unlink(in(name));
        }
    }
}

static void or_not_at_all(void **state) {
    rc_outfile open;
    (void)state;
    rc_outputs_begin();
    assert_int_equal(rc_make_dirs(in("new/inner"), NULL), RC_OK);
    assert_int_equal(put("new/inner/a", "1", false, NULL), RC_OK);
    assert_int_equal(rc_outfile_open(&open, in("b"), false, NULL), RC_OK);
    fclose(open.f); /* a command that failed in the middle of it */
    assert_int_equal(rc_outputs_end(false, NULL), RC_OK);
    assert_int_equal(files(), 0); /* the folders as well */
}

/* The second of three cannot be renamed: a folder has taken its place. */
static void a_late_failure_is_taken_back(void **state) {
    rc_error err = {0};
    (void)state;
    assert_int_equal(put("a", "old", false, NULL), RC_OK);
    rc_outputs_begin();
    assert_int_equal(put("a", "new", true, NULL), RC_OK);
    assert_int_equal(put("fresh", "new", true, NULL), RC_OK);
    assert_int_equal(put("b", "new", true, NULL), RC_OK);
    assert_int_equal(put("c", "new", true, NULL), RC_OK);
    assert_int_equal(mkdir(in("b"), 0777), 0);
    assert_int_equal(rc_outputs_end(true, &err), RC_E_IO);
    assert_non_null(strstr(err.file, "/b"));
    assert_string_equal(text_of("a"), "old");
    assert_null(text_of("fresh"));
    assert_null(text_of("c"));
    assert_int_equal(files(), 2); /* a and the folder b */
}

static void nothing_is_replaced_unasked(void **state) {
    rc_error err = {0};
    (void)state;
    rc_outputs_begin();
    assert_int_equal(put("a", "mine", false, NULL), RC_OK);
    FILE *other = fopen(in("a"), "w"); /* appears after the first look */
    fputs("theirs", other);
    fclose(other);
    assert_int_equal(rc_outputs_end(true, &err), RC_E_IO);
    assert_non_null(strstr(err.msg, "already exists"));
    assert_string_equal(text_of("a"), "theirs");
    assert_int_equal(files(), 1);
}

static void one_name_once(void **state) {
    rc_error err = {0};
    (void)state;
    rc_outputs_begin();
    assert_int_equal(put("a", "1", true, NULL), RC_OK);
    assert_int_equal(put("a", "2", true, &err), RC_E_USAGE);
    assert_non_null(strstr(err.msg, "two outputs"));
}

/* What was refused leaves nothing behind, and the first of a name is what counts. */
static void refused_leave_nothing(void **state) {
    rc_error err = {0};
    rc_outfile o;
    (void)state;
    assert_int_equal(rc_outfile_open(&o, in("a"), false, &err), RC_OK);
    fputs("mine", o.f);
    FILE *other =
        fopen(in("a"), "w"); /* no command collects: each output takes its place at once */
    fputs("theirs", other);
    fclose(other);
    assert_int_equal(rc_outfile_commit(&o, &err), RC_E_IO);
    assert_non_null(strstr(err.msg, "already exists"));
    assert_string_equal(text_of("a"), "theirs");
    assert_int_equal(files(), 1);
    rc_outputs_begin();
    assert_int_equal(put("b", "1", true, NULL), RC_OK);
    assert_int_equal(put("b", "2", true, &err), RC_E_USAGE);
    assert_int_equal(files(), 2); /* a, and what is to be b */
    assert_int_equal(rc_outputs_end(true, &err), RC_OK);
    assert_string_equal(text_of("b"), "1");
    assert_int_equal(files(), 2);
}

/* More outputs than there is room for at first, some of which replace others. */
static void many(void **state) {
    enum { MANY = 70 };
    char name[16];
    (void)state;
    for (int i = 0; i < MANY; i += 7) {
        snprintf(name, sizeof name, "f%d", i);
        assert_int_equal(put(name, "old", false, NULL), RC_OK);
    }
    rc_outputs_begin();
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "f%d", i);
        assert_int_equal(put(name, name, true, NULL), RC_OK);
    }
    assert_int_equal(rc_outputs_end(true, NULL), RC_OK);
    assert_int_equal(files(), MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "f%d", i);
        assert_string_equal(text_of(name), name);
    }
}

static void names(void **state) {
    static char path[RC_PATH_SIZE + 1];
    char temp[RC_TEMP_SIZE], want[64];
    rc_error err = {0};
    (void)state;
    assert_int_equal(rc_temp_file("", temp, NULL, &err), RC_E_IO);
    assert_string_equal(err.msg, "the name of the output file is empty");
    memset(path, 'x', RC_PATH_SIZE);
    assert_int_equal(rc_temp_file(path, temp, NULL, &err), RC_E_IO);
    snprintf(want, sizeof want, "the path is longer than %d bytes", RC_PATH_SIZE - 1);
    assert_string_equal(err.msg, want);
    path[RC_PATH_SIZE - 1] =
        '\0'; /* as long as may be: the name stands for a file of this folder */
    assert_int_equal(rc_temp_file(path, temp, NULL, &err), RC_OK);
    assert_int_equal(access(temp, F_OK), 0);
    rc_temp_remove(temp);
    assert_int_equal(access(temp, F_OK), -1);
}

/* ---- children ------------------------------------------------------------------------------- */

static pid_t sleeper(void) {
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static void *begin_late(void *child) {
    (void)nanosleep(&(struct timespec){0, 20000000}, NULL);
    *(pid_t *)child = sleeper();
    rc_outputs_child_began(*(pid_t *)child);
    return NULL;
}

/* With a file under way: a child that has ended, one that could not be started, and one whose number comes late. */
static int give_up(int tell) {
    char temp[RC_TEMP_SIZE];
    pthread_t thread;
    pid_t late = 0;
    int bad = rc_temp_file(in("half"), temp, NULL, NULL) != RC_OK;
    rc_outputs_child_begins();
    pid_t ended = sleeper();
    rc_outputs_child_began(ended);
    rc_outputs_child_ended(ended);
    bad |= write(tell, &ended, sizeof ended) != sizeof ended;
    rc_outputs_child_begins();
    rc_outputs_child_began(-1);
    rc_outputs_child_begins();
    bad |= pthread_create(&thread, NULL, begin_late, &late) != 0;
    rc_outputs_give_up();
    return bad || late <= 0 || kill(late, 0) == 0;
}

/* A command that is given up ends its children, also one whose number is not known yet; not one that has ended, whose number may
 * be another's by then. One that could not be started is not waited for. */
static void children(void **state) {
    pid_t spared = 0;
    int tell[2], status = 0;
    (void)state;
    assert_int_equal(pipe(tell), 0);
    pid_t command = fork();
    if (command == 0)
        _exit(give_up(tell[1]));
    assert_int_equal(read(tell[0], &spared, sizeof spared), sizeof spared);
    assert_int_equal(waitpid(command, &status, 0), command);
    assert_int_equal(status, 0);
    assert_int_equal(files(), 0);
    assert_int_equal(kill(spared, SIGKILL), 0); /* it was there still */
    close(tell[0]);
    close(tell[1]);
}

/* Outputs that end take with them the child that still runs, not the one that has ended, however often it was told of. */
static void children_one_by_one(void **state) {
    enum { TURNS = 200 }; /* more than are known at a time */
    rc_error err = {0};
    (void)state;
    rc_outputs_begin();
    const pid_t ended = sleeper(), running = sleeper();
    assert_true(ended > 0 && running > 0);
    for (int i = 0; i < TURNS; i++) {
        rc_outputs_child_begins();
        rc_outputs_child_began(ended);
        rc_outputs_child_ended(ended);
    }
    rc_outputs_child_begins();
    rc_outputs_child_began(running);
    const rc_status st = rc_outputs_end(false, &err);
    const bool spared = kill(ended, SIGKILL) == 0, gone = kill(running, SIGKILL) != 0;
    if (spared)
        (void)waitpid(ended, NULL, 0);
    if (!gone)
        (void)waitpid(running, NULL, 0);
    assert_int_equal(st, RC_OK);
    assert_true(spared && gone);
}

static void checked_before(void **state) {
    static const char *const names[] = {"x", "y", NULL};
    rc_error err = {0};
    (void)state;
    assert_int_equal(rc_output_check(NULL, false, &err), RC_OK);
    assert_int_equal(rc_outputs_check(in("d"), names, false, &err), RC_OK);
    assert_int_equal(files(), 1);
    assert_int_equal(put("d/y", "1", false, NULL), RC_OK);
    assert_int_equal(rc_outputs_check(in("d"), names, false, &err), RC_E_IO);
    assert_int_equal(rc_outputs_check(in("d"), names, true, &err), RC_OK);
    assert_int_equal(rc_output_check(in("none/x"), false, &err), RC_E_IO);
    assert_int_equal(rc_output_check(dir, true, &err), RC_E_IO);
}

/* A process that is gone, one that lives, another host, and a name that is none. */
static void leftovers(void **state) {
    char host[64] = "", mine[128], alive[128];
    pid_t gone = fork();
    (void)state;
    if (gone == 0)
        _exit(0);
    assert_int_equal(waitpid(gone, NULL, 0), gone);
    assert_int_equal(gethostname(host, sizeof host - 1), 0);
    for (char *c = host; *c; c++)
        *c = (*c >= '0' && *c <= '9') || ((*c | 32) >= 'a' && (*c | 32) <= 'z') || *c == '-' ? *c
                                                                                             : '_';
    snprintf(mine, sizeof mine, ".ringcast-tmp.%s.%ld.1", host, (long)gone);
    snprintf(alive, sizeof alive, ".ringcast-tmp.%s.%ld.1", host, (long)getppid());
    const char *const names[] = {mine, alive, ".ringcast-tmp.elsewhere.1.1", ".ringcast-tmp.x"};
    for (int i = 0; i < 4; i++)
        fclose(fopen(in(names[i]), "w"));
    snprintf(mine, sizeof mine, ".ringcast-tmp.%s.%ld.2", host, (long)gone);
    assert_int_equal(mkdir(in(mine), 0777), 0);
    strcat(mine, "/plot.dat");
    fclose(fopen(in(mine), "w"));
    assert_int_equal(rc_output_check(in("a"), false, NULL), RC_OK);
    assert_int_equal(files(), 3); /* all but the two of the process that is gone */
}

int main(void) {
#define TEST(f) cmocka_unit_test_teardown(f, clean)
    const struct CMUnitTest tests[] = {
        TEST(together),
        TEST(many_of_which_some_are_given_up),
        TEST(or_not_at_all),
        TEST(a_late_failure_is_taken_back),
        TEST(one_name_once),
        TEST(checked_before),
        TEST(nothing_is_replaced_unasked),
        TEST(leftovers),
        TEST(refused_leave_nothing),
        TEST(many),
        TEST(names),
        TEST(children),
        TEST(children_one_by_one),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
