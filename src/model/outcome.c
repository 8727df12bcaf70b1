#include "twindock/model/outcome.h"

const char *const td_incident_names[] = {
    [TD_INCIDENT_HELD] = "held",
    [TD_INCIDENT_REPAIRED] = "repaired",
    [TD_INCIDENT_UNREADABLE] = "unreadable",
    [TD_INCIDENT_NOTED] = "noted",
};

const char *const td_cause_names[TD_CAUSE_COUNT] = {
    [TD_CAUSE_NONE] = "none",
    [TD_CAUSE_SOURCE_ROT] = "source-rot",
    [TD_CAUSE_BACKUP_ROT] = "backup-rot",
    [TD_CAUSE_ALTERED] = "altered",
    [TD_CAUSE_EDITED_QUIETLY] = "edited-mtime-kept",
    [TD_CAUSE_UNPROVABLE] = "unprovable",
    [TD_CAUSE_READ_ERROR] = "read-error",
    [TD_CAUSE_CHANGING] = "changing",
    [TD_CAUSE_WRITE_ERROR] = "write-error",
    [TD_CAUSE_LOST] = "no-good-copy",
    [TD_CAUSE_ATTRIBUTES] = "attributes-not-kept",
    [TD_CAUSE_TIME] = "time-not-kept",
    [TD_CAUSE_LEFT_OUT] = "left-out",
    [TD_CAUSE_ACCEPTED] = "accepted",
    [TD_CAUSE_BRAKE] = "brake",
};

const char *const td_result_names[TD_RESULT_COUNT] = {
    [TD_RESULT_RUNNING] = "running", [TD_RESULT_DONE] = "done",     [TD_RESULT_DONE_UNPROVEN] = "done-unproven",
    [TD_RESULT_REFUSED] = "refused", [TD_RESULT_FAILED] = "failed", [TD_RESULT_INTERRUPTED] = "interrupted",
};
