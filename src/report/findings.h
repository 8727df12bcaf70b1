/* What a run found, counted and put into words: for the sentence at its end and for the subject of a mail. Pure. */
#ifndef TWINDOCK_REPORT_FINDINGS_H
#define TWINDOCK_REPORT_FINDINGS_H

#include "twindock/base/buf.h"
#include "twindock/report/document.h"

#include <stdbool.h>

/* A member lacks this file altogether: nothing was unreadable there. */
bool td_finding_is_gone(const struct td_incident *incident);

/* Append a sentence for each sort of finding, the gravest first, and then what to do about them. Nothing without
 * findings. */
void td_findings_say(const struct td_report *report, struct td_buf *out);
/* Append what was made right without being a fault of a disk: copies that somebody had altered. */
void td_findings_say_altered(const struct td_report *report, struct td_buf *out);
/* Append what is wrong on the members and was left so, for a subject: "1 file is missing on member B", or when there is
 * nothing else that they have no room. False: nothing. */
bool td_findings_name_unrepaired(const struct td_report *report, struct td_buf *out);
/* Append what was wrong on the members, of which all was repaired. */
void td_findings_name_repaired(const struct td_report *report, struct td_buf *out);
/* Append what could not be backed up for another reason. */
void td_findings_name_unreadable(const struct td_report *report, struct td_buf *out);

#endif
