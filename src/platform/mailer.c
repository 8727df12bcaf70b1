#include "twindock/platform/mailer.h"

#include "twindock/base/buf.h"
#include "twindock/platform/process.h"

#include <errno.h>
#include <string.h>

/* A recipient is one word that cannot be taken for an option or end a line. */
static int check_recipient(const char *recipient, struct td_error *err) {
    if (!*recipient)
        return td_fail_text(err, EINVAL, "sending mail: no recipient");
    if (*recipient == '-')
        return td_fail_text(err, EINVAL, "sending mail: recipient '%s' begins with '-'", recipient);
    for (const char *c = recipient; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return td_fail_text(err, EINVAL, "sending mail: recipient '%s' holds a blank or a control byte", recipient);
    }
    return 0;
}

/* The first line that the mailer printed, as the reason why. */
static int refused(const char *program, int status, struct td_buf *said, struct td_error *err) {
    const char *text = td_buf_text(said);
    int first = (int)strcspn(text, "\r\n");
    const char *how = status > 128 ? "ended by signal" : "exit status";
    int number = status > 128 ? status - 128 : status;
    if (first == 0)
        return td_fail_text(err, EIO, "sending mail: %s: %s %d", program, how, number);
    return td_fail_text(err, EIO, "sending mail: %s: %s %d: %.*s", program, how, number, first, text);
}

int td_mailer_send(const char *program, const char *recipient, const char *message, size_t len, int timeout_s,
                   struct td_error *err) {
    int rc = check_recipient(recipient, err);
    if (rc < 0)
        return rc;
    TD_AUTOBUF struct td_buf said = {0};
    const char *const argv[] = {program, "-i", "--", recipient, NULL};
    const struct td_process mailer = {
        .argv = argv, .input = message, .input_len = len, .output = &said, .timeout_s = timeout_s};
    rc = td_process_run(&mailer, err);
    if (rc < 0)
        return td_wrap(err, rc, "sending mail");
    return rc == 0 ? 0 : refused(program, rc, &said, err);
}
