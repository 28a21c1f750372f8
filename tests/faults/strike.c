/* strike MICROSECONDS SIGNAL COMMAND...: start the command in a process group of its own, send it
 * the signal after so many microseconds, and print how it ended: "exit N" or "signal N". SIGNAL 0
 * sends none. With GROUP=1 in the environment the whole group is struck, as a terminal does.
 *
 * A shell cannot tell a process that died of a signal from one that returned 128 + n, and starts
 * background jobs with SIGINT ignored.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 4)
        return 2;
    long us = atol(argv[1]);
    int number = atoi(argv[2]), status = 0;
    pid_t child = fork();
    if (child < 0)
        return 3;
    if (child == 0) {
        (void)setpgid(0, 0);
        (void)signal(SIGINT, SIG_DFL);
        (void)execvp(argv[3], argv + 3);
        _exit(127);
    }
    (void)setpgid(child, child);
    struct timespec wait = {us / 1000000, us % 1000000 * 1000};
    if (number != 0) {
        (void)nanosleep(&wait, NULL);
        (void)kill(getenv("GROUP") ? -child : child,
                   number); /* a child not reaped keeps its number */
    }
    if (waitpid(child, &status, 0) != child)
        return 3;
    if (WIFSIGNALED(status))
        printf("\nsignal %d\n", WTERMSIG(status)); /* the command may have stopped within a line */
    else
        printf("\nexit %d\n", WEXITSTATUS(status));
    return 0;
}
