/* Files that appear whole or not at all.
 *
 * A result that is half there is worse than none: a plot is drawn from it, a resumed sweep trusts
 * it. Every output is therefore written beside its final name and renamed after fsync, so a reader
 * sees the old file or the new one. Refusing to overwrite is decided twice: at open, so that no
 * work is wasted, and again at commit with link(2), which fails where rename(2) would replace a
 * file that appeared meanwhile. Only regular files are ever replaced; a device or a folder is
 * refused.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static rc_status refuse(rc_error *err, const char *path, const char *what) {
    return rc_fail_at(err, RC_E_IO, path, 0, 0, "%s: %s", what, strerror(errno));
}

static rc_status exists(rc_error *err, const char *path) {
    return rc_fail_at(err, RC_E_IO, path, 0, 0,
                      "already exists and is not overwritten (--overwrite replaces it)");
}

rc_status rc_outfile_open(rc_outfile *o, const char *path, bool overwrite, rc_error *err) {
    memset(o, 0, sizeof *o);
    size_t length = strlen(path);
    if (length == 0)
        return rc_fail(err, RC_E_IO, "the name of the output file is empty");
    if (length >= sizeof o->path)
        return rc_fail_at(err, RC_E_IO, path, 0, 0, "the path is longer than %zu bytes",
                          sizeof o->path - 1);
    struct stat st;
    if (stat(path, &st) == 0) {
        if (!S_ISREG(st.st_mode))
            return rc_fail_at(err, RC_E_IO, path, 0, 0, "cannot write: not a regular file");
        if (!overwrite)
            return exists(err, path);
    }
    char tmp[sizeof o->tmp];
    (void)snprintf(tmp, sizeof tmp, "%s.tmp.%ld", path, (long)getpid());
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return refuse(err, path, "cannot write");
    o->f = fdopen(fd, "w");
    if (!o->f) {
        rc_status st_open = refuse(err, path, "cannot write");
        (void)close(fd);
        (void)unlink(tmp);
        return st_open;
    }
    o->overwrite = overwrite;
    memcpy(o->path, path, length + 1);
    memcpy(o->tmp, tmp, sizeof tmp);
    return RC_OK;
}

/* The rename itself is only durable once the folder is; a failure here loses nothing we promised.
 */
static void sync_folder(const char *path) {
    char dir[sizeof((rc_outfile *)0)->path];
    (void)snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (!slash)
        (void)snprintf(dir, sizeof dir, ".");
    else if (slash == dir)
        slash[1] = '\0';
    else
        *slash = '\0';
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

/* 0, or -1 with errno. */
static int move_into_place(const rc_outfile *o) {
    if (o->overwrite)
        return rename(o->tmp, o->path);
    if (link(o->tmp, o->path) == 0)
        return unlink(o->tmp);
    if (errno == EEXIST)
        return -1;
    return rename(o->tmp, o->path); /* a file system without hard links */
}

rc_status rc_outfile_commit(rc_outfile *o, rc_error *err) {
    if (!o->f)
        return rc_fail(err, RC_E_INTERNAL, "commit of an output file that is not open");
    errno = 0;
    bool bad = ferror(o->f) != 0;
    bad = fflush(o->f) != 0 || bad;
    bad = bad || fsync(fileno(o->f)) != 0;
    int code = errno;
    if (fclose(o->f) != 0 && !bad) {
        bad = true;
        code = errno;
    }
    o->f = NULL;
    if (!bad && move_into_place(o) != 0) {
        bad = true;
        code = errno;
    }
    if (bad) {
        (void)unlink(o->tmp);
        if (code == EEXIST)
            return exists(err, o->path);
        errno = code ? code : EIO;
        return refuse(err, o->path, "cannot write");
    }
    sync_folder(o->path);
    o->tmp[0] = '\0';
    return RC_OK;
}

void rc_outfile_abort(rc_outfile *o) {
    if (!o || !o->f)
        return;
    (void)fclose(o->f);
    (void)unlink(o->tmp);
    o->f = NULL;
    o->tmp[0] = '\0';
}

/* Everything from `fd`, which may be a pipe: its size is only a first guess. */
static rc_status read_all(int fd, size_t guess, const char *path, char **text, size_t *size,
                          rc_error *err) {
    size_t room = guess < 4096 ? 4096 : guess + 1, used = 0;
    char *buf = malloc(room + 1);
    while (buf) {
        ssize_t n = read(fd, buf + used, room - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            free(buf);
            return refuse(err, path, "cannot read");
        }
        if (n == 0)
            break;
        used += (size_t)n;
        if (used < room)
            continue;
        room *= 2;
        char *larger = realloc(buf, room + 1);
        if (!larger)
            free(buf);
        buf = larger;
    }
    if (!buf)
        return rc_fail_at(err, RC_E_NOMEM, path, 0, 0, "out of memory while reading");
    buf[used] = '\0';
    *text = buf;
    *size = used;
    return RC_OK;
}

rc_status rc_file_read(const char *path, char **text, size_t *size, rc_error *err) {
    *text = NULL;
    *size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return refuse(err, path, "cannot open");
    struct stat st;
    if (fstat(fd, &st) != 0) {
        rc_status bad = refuse(err, path, "cannot open");
        (void)close(fd);
        return bad;
    }
    rc_status rc = RC_OK;
    if (S_ISDIR(st.st_mode))
        rc = rc_fail_at(err, RC_E_IO, path, 0, 0, "cannot read: is a folder, not a file");
    else
        rc = read_all(fd, st.st_size > 0 ? (size_t)st.st_size : 0, path, text, size, err);
    (void)close(fd);
    return rc;
}

rc_status rc_make_dirs(const char *path, rc_error *err) {
    char buf[sizeof((rc_outfile *)0)->path];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof buf)
        return rc_fail_at(err, RC_E_IO, path, 0, 0, "cannot create a folder of this name");
    memcpy(buf, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (buf[i] != '/' && buf[i] != '\0')
            continue;
        char kept = buf[i];
        buf[i] = '\0';
        if (mkdir(buf, 0777) != 0 && errno != EEXIST)
            return refuse(err, buf, "cannot create the folder");
        buf[i] = kept;
    }
    struct stat st;
    if (stat(path, &st) != 0)
        return refuse(err, path, "cannot create the folder");
    if (!S_ISDIR(st.st_mode))
        return rc_fail_at(err, RC_E_IO, path, 0, 0, "exists and is not a folder");
    return RC_OK;
}
