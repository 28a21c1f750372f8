/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/plot/gnuplot.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sim/base/file.h"

enum { MAX_PLOTS = 32, PATH_SIZE = 1024, NOT_FOUND = 127 };

/* Blue, vermilion, green, purple, orange, sky: told apart by every kind of colour vision (Okabe,
 * Ito). */
static const char preamble[] = "set encoding utf8\n"
                               "set linetype 1 lc rgb '#0072B2' lw 2.5 pt 7 ps 1.1\n"
                               "set linetype 2 lc rgb '#D55E00' lw 2.5 pt 7 ps 1.1\n"
                               "set linetype 3 lc rgb '#009E73' lw 2.5 pt 7 ps 1.1\n"
                               "set linetype 4 lc rgb '#CC79A7' lw 2.5 pt 7 ps 1.1\n"
                               "set linetype 5 lc rgb '#E69F00' lw 2.5 pt 7 ps 1.1\n"
                               "set linetype 6 lc rgb '#56B4E9' lw 2.5 pt 7 ps 1.1\n"
                               "set border 3 lw 1.2 lc rgb '#555555'\n"
                               "set grid back lt 1 lc rgb '#e3e3e3' lw 1 dt solid\n"
                               "set tics nomirror out textcolor rgb '#333333'\n"
                               "set title font ',17' offset 0,0.6\n"
                               "set key reverse Left samplen 2 spacing 1.3\n"
                               "set datafile missing '-'\n";

static void temp_path(char *out, const char *dir, const char *name, const char *end) {
    (void)snprintf(out, PATH_SIZE, "%.800s/%.100s.%s", dir, name, end);
}

static rc_status write_script(const rc_plot *plot, const void *ctx, const char *dir,
                              rc_error *err) {
    static const char *const ends[3] = {"gp", "body", "dat"};
    char path[PATH_SIZE];
    FILE *f[3] = {0};
    bool bad = false;
    for (int i = 0; i < 3; i++) {
        temp_path(path, dir, plot->name, ends[i]);
        f[i] = fopen(path, "w");
        bad = bad || !f[i];
    }
    if (!bad) {
        (void)fprintf(f[0], "%s", preamble);
        (void)fprintf(f[0],
                      "set terminal pngcairo size %d,%d font 'Sans,14' background '#ffffff'\n",
                      plot->width, plot->height);
        (void)fprintf(f[0], "set output '%s.png'\nload '%s.body'\nset output\n", plot->name,
                      plot->name);
        (void)fprintf(f[0], "reset\n%s", preamble);
        (void)fprintf(f[0], "set terminal svg size %d,%d font 'Sans,14' background '#ffffff'\n",
                      plot->width, plot->height);
        (void)fprintf(f[0], "set output '%s.svg'\nload '%s.body'\nset output\n", plot->name,
                      plot->name);
        plot->draw(ctx, f[1], f[2]);
    }
    for (int i = 0; i < 3; i++) {
        bad = (f[i] && ferror(f[i]) != 0) || bad;
        bad = (f[i] && fclose(f[i]) != 0) || bad;
    }
    return bad ? rc_fail_at(err, RC_E_IO, dir, 0, 0, "cannot write a plot script") : RC_OK;
}

/* In the child: never returns. */
static void exec_gnuplot(const char *dir, const char *name) {
    char script[160], log[160];
    (void)snprintf(script, sizeof script, "%.100s.gp", name);
    (void)snprintf(log, sizeof log, "%.100s.log", name);
    if (chdir(dir) != 0)
        _exit(1);
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int null = open("/dev/null", O_RDONLY);
    if (fd < 0 || null < 0 || dup2(null, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        _exit(1);
    (void)execlp("gnuplot", "gnuplot", script, (char *)NULL);
    _exit(errno == ENOENT ? NOT_FOUND : 1);
}

static rc_status read_complaint(const char *dir, const char *name, rc_error *err) {
    char path[PATH_SIZE], *text = NULL;
    size_t size = 0;
    temp_path(path, dir, name, "log");
    if (rc_file_read(path, &text, &size, NULL) != RC_OK)
        return rc_fail(err, RC_E_INTERNAL, "gnuplot failed on plot '%s'", name);
    rc_status st = rc_fail(err, RC_E_INTERNAL, "gnuplot failed on plot '%s': %.400s", name, text);
    free(text);
    return st;
}

/* One gnuplot a plot, all at once; every child is waited for. */
static rc_status run_all(const rc_plot *plots, size_t count, const char *dir, bool *found,
                         rc_error *err) {
    pid_t child[MAX_PLOTS];
    rc_status st = RC_OK;
    size_t started = 0;
    (void)fflush(NULL);
    while (started < count) {
        child[started] = fork();
        if (child[started] == 0)
            exec_gnuplot(dir, plots[started].name);
        if (child[started] < 0) {
            st = rc_fail(err, RC_E_IO, "cannot start gnuplot: %s", strerror(errno));
            break;
        }
        started++;
    }
    *found = true;
    for (size_t i = 0; i < started; i++) {
        int status = 0;
        while (waitpid(child[i], &status, 0) < 0 && errno == EINTR)
            ;
        if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND)
            *found = false;
        else if ((!WIFEXITED(status) || WEXITSTATUS(status) != 0) && st == RC_OK)
            st = read_complaint(dir, plots[i].name, err);
    }
    return st;
}

static rc_status move_picture(const char *from_dir, const char *to_dir, const char *name,
                              const char *end, bool overwrite, rc_error *err) {
    char from[PATH_SIZE], to[PATH_SIZE], *bytes = NULL;
    size_t size = 0;
    rc_outfile o;
    temp_path(from, from_dir, name, end);
    temp_path(to, to_dir, name, end);
    RC_TRY(rc_file_read(from, &bytes, &size, err));
    rc_status st = rc_outfile_open(&o, to, overwrite, err);
    if (st == RC_OK) {
        (void)fwrite(bytes, 1, size, o.f);
        st = rc_outfile_commit(&o, err);
    }
    free(bytes);
    return st;
}

static void remove_temp(const rc_plot *plots, size_t count, const char *dir) {
    static const char *const ends[] = {"gp", "body", "dat", "log", "png", "svg"};
    char path[PATH_SIZE];
    for (size_t i = 0; i < count; i++) {
        for (size_t e = 0; e < sizeof ends / sizeof ends[0]; e++) {
            temp_path(path, dir, plots[i].name, ends[e]);
            (void)unlink(path);
        }
    }
    (void)rmdir(dir);
}

static rc_status draw_in(const rc_plot *plots, size_t count, const void *ctx, const char *temp,
                         const char *dir, bool overwrite, bool *drawn, rc_error *err) {
    for (size_t i = 0; i < count; i++)
        RC_TRY(write_script(&plots[i], ctx, temp, err));
    RC_TRY(run_all(plots, count, temp, drawn, err));
    if (!*drawn)
        return RC_OK;
    RC_TRY(rc_make_dirs(dir, err));
    for (size_t i = 0; i < count; i++) {
        RC_TRY(move_picture(temp, dir, plots[i].name, "png", overwrite, err));
        RC_TRY(move_picture(temp, dir, plots[i].name, "svg", overwrite, err));
    }
    return RC_OK;
}

rc_status rc_gnuplot(const rc_plot *plots, size_t count, const void *ctx, const char *dir,
                     bool overwrite, bool *drawn, rc_error *err) {
    const char *base = getenv("TMPDIR");
    char temp[PATH_SIZE];
    *drawn = false;
    if (count > MAX_PLOTS)
        return rc_fail(err, RC_E_INTERNAL, "%zu plots, at most %d", count, MAX_PLOTS);
    (void)snprintf(temp, sizeof temp, "%.700s/ringcast-plots-XXXXXX",
                   base && *base ? base : "/tmp");
    if (!mkdtemp(temp))
        return rc_fail_at(err, RC_E_IO, temp, 0, 0, "cannot create a temporary folder: %s",
                          strerror(errno));
    rc_status st = draw_in(plots, count, ctx, temp, dir, overwrite, drawn, err);
    remove_temp(plots, count, temp);
    return st;
}
