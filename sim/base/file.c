/* Files that appear whole or not at all.
 *
 * A result that is half there is worse than none: a plot is drawn from it, a resumed sweep trusts
 * it. Every output is therefore written beside its final name and renamed after fsync, so a reader
 * sees the old file or the new one. Refusing to overwrite is decided twice: at open, so that no
 * work is wasted, and again when the file takes its name (outputs.c). Only regular files are ever
 * replaced; a device or a folder is refused.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/file.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static rc_status refuse(rc_error *err, const char *path, const char *what) {
    return rc_fail_file(err, errno == ENOMEM ? RC_E_NOMEM : RC_E_IO, path, "%s: %s", what,
                        strerror(errno));
}

static rc_status exists(rc_error *err, const char *path) {
    return rc_fail_file(err, RC_E_IO, path,
                        "already exists and is not overwritten (--overwrite replaces it)");
}

static rc_status may_write(const char *path, bool overwrite, rc_error *err) {
    struct stat st;
    if (stat(path, &st) != 0)
        return RC_OK;
    if (!S_ISREG(st.st_mode))
        return rc_fail_file(err, RC_E_IO, path, "cannot write: not a regular file");
    return overwrite ? RC_OK : exists(err, path);
}

/* `fd` as for rc_temp_file. */
static rc_status reserve(rc_outfile *o, const char *path, bool overwrite, int *fd, rc_error *err) {
    assert(o != NULL && path != NULL);
    memset(o, 0, sizeof *o);
    RC_TRY(may_write(path, overwrite, err));
    rc_status st = rc_temp_file(path, o->tmp, fd, err);
    if (st != RC_OK) {
        o->tmp[0] = '\0';
        return st;
    }
    memcpy(o->path, path, strlen(path) + 1);
    o->overwrite = overwrite;
    return RC_OK;
}

rc_status rc_outfile_reserve(rc_outfile *o, const char *path, bool overwrite, rc_error *err) {
    return reserve(o, path, overwrite, NULL, err);
}

/* By the number that created the file: opened by its name it would be made again after a signal
 * has removed it. */
rc_status rc_outfile_open(rc_outfile *o, const char *path, bool overwrite, rc_error *err) {
    int fd = -1;
    RC_TRY(reserve(o, path, overwrite, &fd, err));
    o->f = fdopen(fd, "w");
    if (o->f)
        return RC_OK;
    rc_status st = refuse(err, path, "cannot write");
    (void)close(fd);
    rc_outfile_abort(o);
    return st;
}

/* Everything onto the disk. 0, or an errno. */
static int finish(rc_outfile *o) {
    int code = 0, fd = o->f ? fileno(o->f) : open(o->tmp, O_RDONLY | O_CLOEXEC);
    errno = 0;
    if (o->f && (fflush(o->f) != 0 || ferror(o->f)))
        code = errno ? errno : EIO;
    if (fd < 0 || (code == 0 && fsync(fd) != 0))
        code = errno;
    if (!o->f && fd >= 0)
        (void)close(fd);
    if (o->f && fclose(o->f) != 0 && code == 0)
        code = errno;
    o->f = NULL;
    return code;
}

rc_status rc_outfile_commit(rc_outfile *o, rc_error *err) {
    assert(o->tmp[0] != '\0'); /* open, and neither committed nor given up */
    int code = finish(o);
    if (code != 0) {
        errno = code;
        rc_status st = refuse(err, o->path, "cannot write");
        rc_outfile_abort(o);
        return st;
    }
    rc_status st = rc_temp_place(o->tmp, o->path, o->overwrite, err);
    o->tmp[0] = '\0';
    return st;
}

void rc_outfile_abort(rc_outfile *o) {
    if (!o || o->tmp[0] == '\0')
        return;
    if (o->f)
        (void)fclose(o->f);
    rc_temp_remove(o->tmp);
    o->f = NULL;
    o->tmp[0] = '\0';
}

rc_status rc_outfile_end(rc_outfile *o, rc_status written, rc_error *err) {
    if (written == RC_OK)
        return rc_outfile_commit(o, err);
    rc_outfile_abort(o);
    return written;
}

rc_status rc_output_check(const char *path, bool overwrite, rc_error *err) {
    rc_outfile o;
    if (!path)
        return RC_OK;
    RC_TRY(rc_outfile_reserve(&o, path, overwrite, err));
    rc_outfile_abort(&o);
    return RC_OK;
}

rc_status rc_outputs_check(const char *dir, const char *const *names, bool overwrite,
                           rc_error *err) {
    assert(dir != NULL && names != NULL);
    char path[RC_PATH_SIZE];
    RC_TRY(rc_make_dirs(dir, err));
    for (; *names; names++) {
        RC_TRY(rc_path_in(path, dir, err, "%s", *names));
        RC_TRY(rc_output_check(path, overwrite, err));
    }
    return RC_OK;
}

rc_status rc_path_in(char out[RC_PATH_SIZE], const char *dir, rc_error *err, const char *name,
                     ...) {
    int n = snprintf(out, RC_PATH_SIZE, "%s/", dir), m = -1;
    if (n >= 0 && n < RC_PATH_SIZE) {
        va_list ap;
        va_start(ap, name);
        m = vsnprintf(out + n, RC_PATH_SIZE - (size_t)n, name, ap);
        va_end(ap);
    }
    if (m >= 0 && n + m < RC_PATH_SIZE)
        return RC_OK;
    return rc_fail_file(err, RC_E_IO, dir, "the path of a file in it is longer than %d bytes",
                        RC_PATH_SIZE - 1);
}

/* More than any file that is read whole; one that never ends must not take all memory. */
#define MOST_BYTES ((size_t)512 << 20)

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
        if (room > MOST_BYTES) {
            free(buf);
            return rc_fail_file(err, RC_E_IO, path, "cannot read: more than %zu MiB",
                                MOST_BYTES >> 20);
        }
        room *= 2;
        char *larger = realloc(buf, room + 1);
        if (!larger)
            free(buf);
        buf = larger;
    }
    if (!buf)
        return rc_fail_file(err, RC_E_NOMEM, path, "out of memory while reading");
    buf[used] = '\0';
    *text = buf;
    *size = used;
    return RC_OK;
}

rc_status rc_file_read(const char *path, char **text, size_t *size, rc_error *err) {
    assert(path != NULL && text != NULL && size != NULL);
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
        rc = rc_fail_file(err, RC_E_IO, path, "cannot read: is a folder, not a file");
    else
        rc = read_all(fd, st.st_size > 0 ? (size_t)st.st_size : 0, path, text, size, err);
    (void)close(fd);
    return rc;
}

rc_status rc_make_dirs(const char *path, rc_error *err) {
    char buf[sizeof((rc_outfile *)0)->path];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof buf)
        return rc_fail_file(err, RC_E_IO, path, "cannot create a folder of this name");
    memcpy(buf, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (buf[i] != '/' && buf[i] != '\0')
            continue;
        char kept = buf[i];
        buf[i] = '\0';
        if (rc_output_folder(buf) != 0 && errno != EEXIST)
            return refuse(err, buf, "cannot create the folder");
        buf[i] = kept;
    }
    struct stat st;
    if (stat(path, &st) != 0)
        return refuse(err, path, "cannot create the folder");
    if (!S_ISDIR(st.st_mode))
        return rc_fail_file(err, RC_E_IO, path, "exists and is not a folder");
    return RC_OK;
}
