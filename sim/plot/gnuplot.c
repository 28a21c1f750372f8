/* Drawing: scripts and data into a temporary folder, one gnuplot for each picture, and finished
 * pictures moved to their places.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/plot/gnuplot.h"
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "sim/base/file.h"

enum { MAX_PLOTS = 32, PATH_SIZE = RC_TEMP_SIZE + RC_PLOT_STEM + 8, NOT_FOUND = 127 };

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

/* ---- names ----------------------------------------------------------------------------------- */

void rc_plot_stem(const char *name, char out[RC_PLOT_STEM]) {
    assert(name != NULL);
    size_t n = strlen(name), i;
    if (n >= RC_PLOT_STEM)
        n = RC_PLOT_STEM - 1;
    while (n > 0 && n < strlen(name) && ((unsigned char)name[n] & 0xc0) == 0x80)
        n--; /* not through the middle of a UTF-8 character */
    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)name[i];
        bool plain = isalnum(c) || c >= 0x80 || c == '_' || ((c == '.' || c == '-') && i > 0);
        out[i] = plain ? name[i] : '_';
    }
    out[i] = '\0';
}

/* In double quotes, with every character that could mean anything as an octal escape: so the script
 * holds no quote, backtick or macro of the text (a doubled single quote is not safe, gnuplot 5.4
 * takes it for an empty string where it stands first). The string is then read as "enhanced" text,
 * where a backslash takes the next character's meaning away. */
static void put_quoted(FILE *script, const char *s) {
    (void)fputc('"', script);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c == 0x7f)
            c = ' ';
        if (strchr("\\{}^_@&~", c))
            (void)fputs("\\134", script);
        if (isalnum(c) || c >= 0x80 || strchr(" .,:;+-*/()=<>%", c))
            (void)fputc(c, script);
        else
            (void)fprintf(script, "\\%03o", (unsigned)c);
    }
    (void)fputc('"', script);
}

void rc_plot_text(FILE *script, const char *fmt, ...) {
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (f) {
        va_list ap;
        va_start(ap, fmt);
        (void)vfprintf(f, fmt, ap);
        va_end(ap);
        (void)fclose(f);
    }
    put_quoted(script, text ? text : "");
    free(text);
}

void rc_plot_next(FILE *data) {
    (void)fputs("\n\n", data);
}

double rc_plot_spaced(double lo, double hi, int i, int n) {
    assert(lo > 0.0 && hi > 0.0);
    assert(n >= 2 && i >= 0 && i < n);
    return lo * pow(hi / lo, (double)i / (n - 1));
}

rc_status rc_plot_check(const char *const *stems, const char *dir, bool overwrite, rc_error *err) {
    char path[RC_PATH_SIZE];
    RC_TRY(rc_make_dirs(dir, err));
    for (; *stems; stems++) {
        RC_TRY(rc_path_in(path, dir, err, "%s.png", *stems));
        RC_TRY(rc_output_check(path, overwrite, err));
        RC_TRY(rc_path_in(path, dir, err, "%s.svg", *stems));
        RC_TRY(rc_output_check(path, overwrite, err));
    }
    return RC_OK;
}

/* ---- drawing --------------------------------------------------------------------------------- */

static void temp_path(char *out, const char *dir, const char *name, const char *end) {
    (void)snprintf(out, PATH_SIZE, "%s/%s.%s", dir, name,
                   end); /* PATH_SIZE is room for the longest */
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

/* In the child: never returns. The child ends with its parent. */
static void exec_gnuplot(const char *dir, const char *script, const char *log) {
    (void)signal(SIGPIPE, SIG_DFL);
#ifdef __linux__
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (chdir(dir) != 0)
        _exit(1);
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int null = open("/dev/null", O_RDONLY);
    if (fd < 0 || null < 0 || dup2(null, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        _exit(1);
    (void)execlp("gnuplot", "gnuplot", script, (char *)NULL);
    _exit(errno == ENOENT ? NOT_FOUND : 1);
}

static pid_t start_gnuplot(const char *dir, const char *name) {
    char script[RC_PLOT_STEM + 8], log[RC_PLOT_STEM + 8];
    (void)snprintf(script, sizeof script, "%s.gp", name);
    (void)snprintf(log, sizeof log, "%s.log", name);
    rc_outputs_child_begins();
    pid_t child = fork();
    if (child == 0)
        exec_gnuplot(dir, script, log);
    int code = errno;
    rc_outputs_child_began(child);
    errno = code;
    return child;
}

static rc_status read_complaint(const char *dir, const char *name, rc_error *err) {
    static const struct timespec moment = {0, 50000000};
    char path[PATH_SIZE], *text = NULL;
    (void)nanosleep(&moment, NULL); /* Ctrl-C ends gnuplot first: let it reach this process, too */
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
        child[started] = start_gnuplot(dir, plots[started].name);
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
        rc_outputs_child_ended(child[i]);
        if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND)
            *found = false;
        else if ((!WIFEXITED(status) || WEXITSTATUS(status) != 0) && st == RC_OK)
            st = read_complaint(dir, plots[i].name, err);
    }
    return st;
}

static rc_status move_picture(const char *from_dir, const char *to_dir, const char *name,
                              const char *end, bool overwrite, rc_error *err) {
    char from[PATH_SIZE], to[RC_PATH_SIZE];
    rc_outfile o;
    temp_path(from, from_dir, name, end);
    RC_TRY(rc_path_in(to, to_dir, err, "%s.%s", name, end));
    RC_TRY(rc_outfile_reserve(&o, to, overwrite, err));
    rc_status st = rc_temp_fill(o.tmp, from, err);
    if (st == RC_OK)
        return rc_outfile_commit(&o, err);
    rc_outfile_abort(&o);
    return st;
}

static rc_status draw_in(const rc_plot *plots, size_t count, const void *ctx, const char *temp,
                         const char *dir, bool overwrite, bool *drawn, rc_error *err) {
    for (size_t i = 0; i < count; i++)
        RC_TRY(write_script(&plots[i], ctx, temp, err));
    RC_TRY(run_all(plots, count, temp, drawn, err));
    for (size_t i = 0; i < count && *drawn; i++) {
        RC_TRY(move_picture(temp, dir, plots[i].name, "png", overwrite, err));
        RC_TRY(move_picture(temp, dir, plots[i].name, "svg", overwrite, err));
    }
    return RC_OK;
}

rc_status rc_gnuplot(const rc_plot *plots, size_t count, const void *ctx, const char *dir,
                     bool overwrite, bool *drawn, rc_error *err) {
    char temp[RC_TEMP_SIZE], beside[RC_PATH_SIZE], stem[RC_PLOT_STEM];
    assert(count <= MAX_PLOTS);
    *drawn = false;
    for (size_t i = 0; i < count; i++) {
        rc_plot_stem(plots[i].name, stem);
        assert(strcmp(stem, plots[i].name) == 0); /* the name stands in the script as it is */
    }
    RC_TRY(rc_make_dirs(dir, err));
    RC_TRY(rc_path_in(beside, dir, err, "plots"));
    RC_TRY(rc_temp_folder(beside, temp, err));
    rc_status st = draw_in(plots, count, ctx, temp, dir, overwrite, drawn, err);
    rc_temp_remove(temp);
    return st;
}
