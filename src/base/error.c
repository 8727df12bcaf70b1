#include "twindock/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifdef __clang_analyzer__ /* see the end of the header */
#undef td_fail
#undef td_fail_text
#undef td_wrap
#endif

#define SEPARATOR ": "
#define ELLIPSIS "..."

/* A caller that fails must never report success by accident: 0 becomes EIO, a negative errno is turned round. */
static int sane(int errnum) {
    if (errnum < 0)
        errnum = -errnum;
    return errnum > 0 ? errnum : EIO;
}

static const char *words(int errnum) {
    const char *text = strerrordesc_np(errnum);
    return text ? text : "Unknown error";
}

/*
 * err->text = head ": " tail. When that is too long both are cut: the head at its end, the tail at its beginning, as
 * the reason stands at the very end and must survive a file name of many kilobytes. `tail` may be err->text itself.
 */
static void join(struct td_error *err, const char *head, const char *tail) {
    const size_t room = TD_ERROR_TEXT - 1 - strlen(SEPARATOR);
    char kept[TD_ERROR_TEXT];
    size_t head_len = strlen(head), tail_len = strlen(tail);
    const char *head_mark = "", *tail_mark = "";

    if (tail_len > room / 2 && head_len + tail_len > room) {
        size_t wanted = head_len < room / 2 ? room - head_len : room / 2;
        wanted -= strlen(ELLIPSIS);
        if (wanted < tail_len) {
            tail += tail_len - wanted;
            tail_mark = ELLIPSIS;
            tail_len = wanted;
        }
    }
    size_t used = tail_len + strlen(tail_mark);
    if (head_len + used > room) {
        head_mark = ELLIPSIS;
        head_len = room - used - strlen(ELLIPSIS);
    }
    snprintf(kept, sizeof(kept), "%.*s%s" SEPARATOR "%s%.*s", (int)head_len, head, head_mark, tail_mark, (int)tail_len,
             tail);
    memcpy(err->text, kept, sizeof(kept));
}

int td_fail(struct td_error *err, int errnum, const char *format, ...) {
    errnum = sane(errnum);
    if (err) {
        char head[TD_ERROR_TEXT];
        va_list args;
        va_start(args, format);
        vsnprintf(head, sizeof(head), format, args);
        va_end(args);
        err->code = errnum;
        join(err, head, words(errnum));
    }
    return -errnum;
}

int td_fail_text(struct td_error *err, int errnum, const char *format, ...) {
    errnum = sane(errnum);
    if (err) {
        char text[TD_ERROR_TEXT]; /* apart, as an argument may be err->text */
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        err->code = errnum;
        memcpy(err->text, text, strlen(text) + 1);
    }
    return -errnum;
}

int td_wrap(struct td_error *err, int rc, const char *format, ...) {
    if (!err || rc >= 0)
        return rc;
    char head[TD_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(head, sizeof(head), format, args);
    va_end(args);
    if (err->code == 0)
        err->code = -rc;
    join(err, head, err->text[0] ? err->text : words(-rc));
    return rc;
}
