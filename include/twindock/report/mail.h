/* The mail that is sent when something is wrong. Pure. RFC 5322 headers, RFC 2047 where a subject is not ASCII. */
#ifndef TWINDOCK_REPORT_MAIL_H
#define TWINDOCK_REPORT_MAIL_H

#include "twindock/base/buf.h"
#include "twindock/report/document.h"

#include <stddef.h>

#define TD_MAIL_INCIDENTS 50 /* flagged files listed at most */

struct td_mail {
    const char *to, *host;
    int64_t when;
    const struct td_report *report; /* NULL: a mail about overdue pairs or a test */
    const char *subject;            /* used when report is NULL; else made from it */
    const char *body;               /* the same */
    const char *info;               /* the --info table */
};
/* The whole message: To, Subject ("twindock on HOST: M refused: the disks are in each other's slots"), Date, MIME
 * headers (text/plain, UTF-8, 8bit), Auto-Submitted: auto-generated; body in short lines that read well on a phone.
 * Nothing from a label, serial or file name can start a line or a header. `subject_out` (may be NULL) gets the subject.
 */
void td_mail_compose(const struct td_mail *mail, struct td_buf *out, struct td_buf *subject_out);

#endif
