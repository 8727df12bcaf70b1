/* The JSON that others build on: fields may be added, never renamed. */
#include "twindock/report/document.h"

#include "twindock/report/fields.h"

#include <string.h>

/* --- check ------------------------------------------------------------------------------------------- */

static struct td_json *slot_json(const struct td_check_slot *slot) {
    struct td_json *object = td_json_object();
    td_json_bool(object, "present", slot->present);
    td_field_text(object, "device", slot->device);
    td_field_letter(object, "member", slot->member);
    td_field_text(object, "serial", slot->serial);
    td_field_text(object, "identity", slot->identity);
    if (slot->present && slot->generation >= 0)
        td_json_int(object, "generation", slot->generation);
    else
        td_json_null(object, "generation");
    td_field_text(object, "description", slot->description);
    return object;
}

static struct td_json *dock_json(struct td_check *check) {
    struct td_json *object = td_json_object();
    td_json_text(object, "name", check->dock);
    td_json_text(object, "mode", check->mode);
    td_json_text(object, "verdict", td_verdict_name(check->verdict));
    td_field_text(object, "advice", check->advice);
    td_field_text(object, "collection", check->collection);
    td_field_text(object, "pair", check->uuid);
    struct td_json *slots = td_json_set(object, "slots", td_json_object());
    td_json_set(slots, "source", slot_json(&check->slots[0]));
    td_json_set(slots, "destination", slot_json(&check->slots[1]));
    if (check->full_json != NULL)
        td_json_set(object, "full", check->full_json);
    check->full_json = NULL;
    return object;
}

struct td_json *td_check_json(struct td_check *checks, size_t count) {
    struct td_json *root = td_json_object();
    struct td_json *docks = td_json_set(root, "docks", td_json_array());
    for (size_t i = 0; i < count; i++)
        td_json_append(docks, dock_json(&checks[i]));
    return root;
}

/* --- run, verify, sync ------------------------------------------------------------------------------- */

static void add_head(struct td_json *object, const struct td_run *run) {
    bool in_a_ledger = run->id != 0 && strcmp(run->command, "sync") != 0; /* sync's is gone when it ends */
    if (in_a_ledger)
        td_json_int(object, "run", run->id);
    else
        td_json_null(object, "run");
    td_field_text(object, "collection", run->collection);
    td_field_text(object, "pair", run->uuid);
    td_field_text(object, "dock", run->dock);
    td_field_text(object, "host", run->host);
    td_json_text(object, "command", run->command);
    td_field_time(object, "started", run->started);
    td_field_time(object, "ended", run->ended);
    td_json_bool(object, "after_interrupted", run->after_interrupted);
    td_json_text(object, "verdict", strcmp(run->command, "sync") == 0 ? NULL : td_verdict_name(run->verdict));
    td_json_text(object, "result", td_result_names[run->result]);
    td_json_int(object, "exit", run->exit);
    td_field_text(object, "reason", run->reason);
    td_field_text(object, "advice", run->result == TD_RESULT_REFUSED ? run->reason : NULL);
}

static void add_counts(struct td_json *object, const struct td_counts *counts) {
    td_field_count(object, "files", counts->files);
    td_field_count(object, "bytes", counts->bytes);
    td_field_count(object, "copied", counts->copied);
    td_field_count(object, "copied_bytes", counts->copied_bytes);
    td_field_count(object, "renamed", counts->renamed);
    td_field_count(object, "deleted", counts->deleted);
    td_field_count(object, "updated", counts->updated);
    td_field_count(object, "proven", counts->proven);
    td_field_count(object, "proven_bytes", counts->proven_bytes);
    td_field_count(object, "left", counts->left);
    td_field_count(object, "given_up", counts->given_up);
    td_field_count(object, "given_up_bytes", counts->given_up_bytes);
}

static struct td_json *incident_json(const struct td_incident *incident) {
    struct td_json *object = td_json_object();
    td_json_path(object, "path", incident->path);
    td_field_letter(object, "member", incident->member);
    td_json_text(object, "cause", td_cause_names[incident->cause]);
    if (incident->detail != NULL)
        td_json_text(object, "detail", incident->detail);
    return object;
}

static void add_incidents(struct td_json *object, const struct td_report *report, enum td_incident_kind kind) {
    struct td_json *array = td_json_set(object, td_incident_names[kind], td_json_array());
    for (size_t i = 0; i < report->incident_count; i++)
        if (report->incidents[i].kind == kind)
            td_json_append(array, incident_json(&report->incidents[i]));
}

static void add_member(struct td_json *members, const char *letter, const char *state) {
    struct td_json *member = td_json_set(members, letter, td_json_object());
    td_field_text(member, "state", state);
}

struct td_json *td_report_json(const struct td_report *report) {
    struct td_json *object = td_json_object();
    add_head(object, report->run);
    add_counts(object, &report->run->counts);
    for (int kind = TD_INCIDENT_HELD; kind <= TD_INCIDENT_NOTED; kind++)
        add_incidents(object, report, (enum td_incident_kind)kind);
    struct td_json *members = td_json_set(object, "members", td_json_object());
    add_member(members, "A", report->run->state[TD_A]);
    add_member(members, "B", report->run->state[TD_B]);
    td_field_text(object, "safe", report->safe);
    return object;
}
