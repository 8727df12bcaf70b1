/*
 * Errors that carry their context.
 *
 * A function that can fail returns 0 (or a count) on success and a negative errno on failure, and
 * fills the caller's struct td_error where the failure happened: what was being done, to what, why.
 * Callers on the way up may put their own context in front with td_wrap(). The text is printed once,
 * by the command line; no lower layer prints. `err` may be NULL everywhere: then only the code counts.
 *
 * The text may hold raw file name bytes; whoever prints it escapes it (base/escape.h).
 */
#ifndef TWINDOCK_BASE_ERROR_H
#define TWINDOCK_BASE_ERROR_H

#define TD_ERROR_TEXT 1024 /* bytes, NUL included; longer texts are cut */

struct td_error {
    int code;                 /* positive errno, 0 while nothing has failed */
    char text[TD_ERROR_TEXT]; /* one sentence without a final full stop or newline */
};

/* Fill `err` with the formatted text and ": <strerror(errnum)>". Returns -errnum. errnum > 0. */
int td_fail(struct td_error *err, int errnum, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same without the system's words, for faults that errno does not describe. Returns -errnum. */
int td_fail_text(struct td_error *err, int errnum, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Put "<formatted>: " in front of the text already in `err`. Returns rc unchanged. */
int td_wrap(struct td_error *err, int rc, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What the static analyser cannot see from here: td_fail() never returns 0, and td_wrap() returns its `rc`. */
#ifdef __clang_analyzer__
static inline int td_failed_(int rc) {
    if (rc >= 0)
        __builtin_unreachable();
    return rc;
}
#define td_fail(...) td_failed_(td_fail(__VA_ARGS__))
#define td_fail_text(...) td_failed_(td_fail_text(__VA_ARGS__))
#define td_wrap(err, rc, ...)                                                                                          \
    __extension__({                                                                                                    \
        int rc_ = (rc);                                                                                                \
        td_wrap((err), rc_, __VA_ARGS__);                                                                              \
        rc_;                                                                                                           \
    })
#endif

#endif
