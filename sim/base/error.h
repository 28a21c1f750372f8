/* Results and the error context.
 *
 * Every function that can fail returns an rc_status and takes a trailing `rc_error *err`. On
 * failure the callee fills *err once (the innermost place that knows the file, line and key) and
 * every caller hands the status up with RC_TRY. `err` may be NULL: then only the status is
 * reported. Nothing in the library prints or exits; main() turns a status into an exit code with
 * rc_exit_code().
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_ERROR_H
#define RC_BASE_ERROR_H

typedef enum rc_status {
    RC_OK = 0,
    RC_E_USAGE,      /* bad flag or argument                                  -> exit 2 */
    RC_E_INPUT,      /* a file's content is wrong (syntax, key, type, range)  -> exit 2 */
    RC_E_IO,         /* missing file, unwritable output                       -> exit 2 */
    RC_E_SCHEMA,     /* database truncated, foreign or of a newer schema      -> exit 2 */
    RC_E_NOFIT,      /* configuration does not fit in GPU memory              -> exit 2 */
    RC_E_SIZE,       /* the simulation would take too much host memory        -> exit 2 */
    RC_E_UNMODELLED, /* a real thing we do not model (MoE, MLA, ...)        -> exit 2 */
    RC_E_CHECK,      /* a check fell short                                    -> exit 1 */
    RC_E_NOMEM,      /* host memory exhausted                                 -> exit 3 */
    RC_E_INTERNAL    /* our fault                                             -> exit 3 */
} rc_status;

typedef struct rc_error {
    rc_status status;
    int line, col;  /* 1-based; 0 when unknown */
    char file[256]; /* path as the user gave it, or the flag ("--set"); "" when none */
    char msg[768];  /* what stands there, what was expected, the nearest valid name */
} rc_error;

/* Fill *err (if non-NULL) and return `st`. */
rc_status rc_fail(rc_error *err, rc_status st, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same of a file as a whole, or of a flag. `file` may be NULL. */
rc_status rc_fail_file(rc_error *err, rc_status st, const char *file, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with a place in it. */
rc_status rc_fail_at(rc_error *err, rc_status st, const char *file, int line, int col,
                     const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* Static analysers see one file at a time and would think that a failure can be RC_OK. */
#if defined(__clang_analyzer__) || defined(__cppcheck__)
#define rc_fail(err, st, ...) ((void)(rc_fail)(err, st, __VA_ARGS__), (st))
#define rc_fail_file(err, st, ...) ((void)(rc_fail_file)(err, st, __VA_ARGS__), (st))
#define rc_fail_at(err, st, ...) ((void)(rc_fail_at)(err, st, __VA_ARGS__), (st))
#endif
/* "file:line:col: msg", "file: msg" or "msg", NUL-terminated into buf. Returns buf. */
const char *rc_error_text(const rc_error *err, char *buf, unsigned long size);
/* 0 ok, 1 check fell short, 2 bad usage or input, 3 our fault. */
int rc_exit_code(rc_status st);

/* The candidate nearest to `word` by edit distance, or NULL when none is near enough
 * (distance > max(2, len/3)). `names` ends with NULL. */
const char *rc_nearest(const char *word, const char *const *names);

#define RC_TRY(expr)                                                                               \
    do {                                                                                           \
        rc_status rc_try_status_ = (expr);                                                         \
        if (rc_try_status_ != RC_OK)                                                               \
            return rc_try_status_;                                                                 \
    } while (0)

#endif
