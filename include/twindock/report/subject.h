/* What a mail's subject says of a run. Pure. */
#ifndef TWINDOCK_REPORT_SUBJECT_H
#define TWINDOCK_REPORT_SUBJECT_H

#include "twindock/base/buf.h"
#include "twindock/report/document.h"

/* "M refused: the disks are in each other's slots", "M: member B was lost". One line, escaped. */
void td_subject_of_run(const struct td_report *report, struct td_buf *out);

#endif
