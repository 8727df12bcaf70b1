#include "findings.h"

#include "tally.h"

#include "twindock/report/text.h"

#include <inttypes.h>
#include <string.h>

#define SHORT_PATH 30 /* bytes of a path that a sentence bears */

static bool is_command(const struct td_report *report, const char *name) {
    return strcmp(report->run->command, name) == 0;
}

static const char *number(const struct td_tally *found, const char *one, const char *many) {
    return found->count == 1 ? one : many;
}

/* " (M/photos/x.jpg)." when it is about one file alone. */
static void end_with_the_one(const struct td_report *report, const struct td_tally *found, struct td_buf *out) {
    if (found->count == 1 && found->path != NULL) {
        td_buf_puts(out, " (");
        td_text_path(out, report->run->collection, found->path);
        td_buf_putc(out, ')');
    }
    td_buf_putc(out, '.');
}

static void say_place(const struct td_tally *found, struct td_buf *out) {
    if (found->member != 0)
        td_buf_printf(out, " on member %c", found->member);
    else
        td_buf_puts(out, " on the disks");
}

static void say_no_copy(const struct td_report *report, const struct td_tally *found, struct td_buf *out) {
    if (found->count == 0)
        return;
    td_text_next(out);
    td_text_count(out, found->count, "file has no good copy left", "files have no good copy left");
    end_with_the_one(report, found, out);
}

static void say_held(const struct td_report *report, const struct td_tally *found, struct td_buf *out) {
    if (found->count == 0)
        return;
    td_text_next(out);
    td_text_count(out, found->count, "file in the source has rotted and was not copied; the disks keep the good copy",
                  "files in the source have rotted and were not copied; the disks keep the good copies");
    end_with_the_one(report, found, out);
}

/* The source has no versions: one that had rotted in the history came from the other member. And with a source that
 * could not be believed everywhere, so may have any copy. */
static bool all_from_source(const struct td_report *report) {
    const struct td_counts *counts = &report->run->counts;
    for (size_t i = 0; i < report->incident_count; i++) {
        const struct td_incident *incident = &report->incidents[i];
        if (incident->kind == TD_INCIDENT_REPAIRED && incident->cause == TD_CAUSE_BACKUP_ROT &&
            incident->detail != NULL)
            return false;
    }
    return !is_command(report, "verify") && counts->held == 0 && counts->unreadable == 0;
}

static void say_repaired(const struct td_report *report, const struct td_tally *found, struct td_buf *out) {
    if (found->count == 0)
        return;
    td_text_next(out);
    td_text_count(out, found->count, "file", "files");
    say_place(found, out);
    td_buf_printf(out, " had rotted and %s repaired", number(found, "was", "were"));
    if (all_from_source(report))
        td_buf_puts(out, " from the source");
    end_with_the_one(report, found, out);
}

/* A member that lacks the collection's own directory lacks all that is in it. */
static void say_refilled(const struct td_report *report, const struct td_tally *found, struct td_buf *out) {
    bool all = found->count == 1 && found->path != NULL && *found->path == '\0';
    if (found->count == 0)
        return;
    td_text_next(out);
    if (all)
        td_buf_printf(out, "All of %s was missing", report->run->collection);
    else
        td_text_count(out, found->count, "file was missing", "files were missing");
    say_place(found, out);
    td_buf_printf(out, " and %s copied again", number(found, "was", "were"));
    if (all)
        td_buf_putc(out, '.');
    else
        end_with_the_one(report, found, out);
}

struct wrong {
    enum td_sort sort;
    const char *one, *many;
};
static const struct wrong wrongs[] = {
    {SORT_ROTTEN, "has rotted", "have rotted"},
    {SORT_NO_READ, "could not be read", "could not be read"},
    {SORT_GONE, "is missing", "are missing"},
    {SORT_ALTERED, "was altered", "were altered"},
};
#define WRONGS (sizeof wrongs / sizeof *wrongs)

/* "2 files have rotted on member B" */
static void say_wrong(const struct wrong *wrong, const struct td_tally *found, struct td_buf *out) {
    td_text_count(out, found->count, "file ", "files ");
    td_buf_puts(out, number(found, wrong->one, wrong->many));
    say_place(found, out);
}

static void say_unrepaired(const struct td_report *report, const struct td_tally tally[SORTS], struct td_buf *out) {
    for (size_t i = 0; i < WRONGS; i++) {
        const struct td_tally *found = &tally[wrongs[i].sort];
        if (found->count == 0)
            continue;
        td_text_next(out);
        say_wrong(&wrongs[i], found, out);
        if (!is_command(report, "verify"))
            td_buf_printf(out, " and %s not repaired", number(found, "was", "were"));
        end_with_the_one(report, found, out);
    }
}

static void say_unreadable(const struct td_report *report, const struct td_tally *found, struct td_buf *out) {
    if (found->count == 0)
        return;
    td_text_next(out);
    td_text_count(out, found->count, "file could not be read or copied", "files could not be read or copied");
    end_with_the_one(report, found, out);
}

/* What hinders it on the disk stands in the list, and here where it is one. */
static void say_unwritten(const struct td_report *report, const struct td_tally *found, struct td_buf *out) {
    if (found->count == 0)
        return;
    td_text_next(out);
    td_text_count(out, found->count, "file", "files");
    td_buf_puts(out, " could not be written");
    say_place(found, out);
    end_with_the_one(report, found, out);
    if (found->count == 1 && found->detail != NULL) {
        td_buf_puts(out, " The reason: ");
        td_text_prose(out, found->detail);
        td_text_next(out);
    } else {
        td_buf_puts(out, " The reasons stand beside the names in the report. ");
    }
    td_buf_printf(out, "Put that right and run again; what was there of %s before is kept.",
                  number(found, "it", "them"));
}

static void say_hidden(const struct td_report *report, const struct td_tally *found, struct td_buf *out) {
    if (found->count == 0)
        return;
    td_text_next(out);
    td_text_count(out, found->count, "directory of the source is", "directories of the source are");
    td_buf_puts(out, " hidden by what is mounted there");
    end_with_the_one(report, found, out);
    td_buf_printf(out, " What was backed up from %s is kept. Unmount what hides %s and run again",
                  number(found, "it", "them"), number(found, "it", "them"));
    td_buf_puts(out, is_command(report, "sync")
                         ? "."
                         : "; or set `one_filesystem = no`, and what is mounted is backed up in its place.");
}

static void say_no_room(const struct td_report *report, const struct td_tally *found, struct td_buf *out) {
    if (found->count == 0)
        return;
    td_text_next(out);
    td_text_count(out, found->count, "file finds no room", "files find no room");
    say_place(found, out);
    end_with_the_one(report, found, out);
    td_buf_printf(out, " Make room in the collection, leave %s out with `exclude`, or take larger disks.",
                  number(found, "it", "them"));
}

static void say_bare(const struct td_report *report, const struct td_tally *found, struct td_buf *out) {
    if (found->count == 0)
        return;
    td_text_next(out);
    td_text_count(out, found->count, "file lacks extended attributes", "files lack extended attributes");
    say_place(found, out);
    td_buf_puts(out, ", where they do not fit");
    end_with_the_one(report, found, out);
    td_buf_printf(out,
                  " The contents are safe. Make the attributes smaller in the source or take them off, or leave %s out "
                  "with `exclude`.",
                  number(found, "it", "them"));
}

/* --- members ----------------------------------------------------------------------------------------- */

static bool has_state(const struct td_report *report, enum td_side side, const char *state) {
    return strcmp(report->run->state[side], state) == 0;
}

static bool any_is(const struct td_report *report, const char *state) {
    return has_state(report, TD_A, state) || has_state(report, TD_B, state);
}

static void say_member(const struct td_report *report, enum td_side side, struct td_buf *out) {
    enum td_side other = side == TD_A ? TD_B : TD_A;
    bool full = has_state(report, side, "full");
    if (!full && !has_state(report, side, "lost"))
        return;
    td_text_next(out);
    td_buf_printf(out, "Member %c %s", side == TD_A ? 'A' : 'B', full ? "is full" : "was lost");
    if (has_state(report, other, "ok"))
        td_buf_printf(out, "; member %c is complete", other == TD_A ? 'A' : 'B');
    td_buf_putc(out, '.');
}

/* --- what to do -------------------------------------------------------------------------------------- */

static uint64_t unrepaired(const struct td_tally tally[SORTS]) {
    uint64_t all = 0;
    for (size_t i = 0; i < WRONGS; i++)
        all += tally[wrongs[i].sort].count;
    return all;
}

static void advise_members(const struct td_report *report, struct td_buf *out) {
    if (any_is(report, "lost"))
        td_buf_puts(out, " Look at the disk, its cable and its power, and dock the pair again.");
    if (any_is(report, "full"))
        td_buf_puts(out, " Make room in the collection and run again.");
}

/* Each file's own commands stand below its name in the list; here, for --info too, what serves all of them, or the one
 * whose name breaks no sentence. */
static void advise_held(const struct td_report *report, const struct td_tally *held, struct td_buf *out) {
    TD_AUTOBUF struct td_buf path = {0};
    const char *collection = report->run->collection;
    if (held->count == 0)
        return;
    if (held->count == 1 && held->path != NULL)
        td_text_shell(&path, held->path);
    bool one = path.len > 0 && path.len <= SHORT_PATH && path.data[0] != '$' && path.data[0] != '-';
    td_buf_printf(
        out,
        " `twindock heal %s %s` puts %s back; if what the source holds is right, say `twindock accept %s %s`. "
        "Then run again.",
        collection, one ? path.data : ".", number(held, "the good copy", "all good copies"), collection,
        one ? path.data : "PATH");
}

static void advise_files(const struct td_report *report, const struct td_tally tally[SORTS], struct td_buf *out) {
    const struct td_tally *held = &tally[SORT_HELD], *unreadable = &tally[SORT_UNREADABLE];
    uint64_t wrong = unrepaired(tally);
    uint64_t left_out =
        unreadable->count + tally[SORT_UNWRITTEN].count + tally[SORT_NO_ROOM].count + tally[SORT_HIDDEN].count;
    if (tally[SORT_NO_COPY].count > 0)
        td_buf_puts(out, " An older version may be in .twindock/history on the disks.");
    advise_held(report, held, out);
    if (unreadable->count > 0)
        td_buf_printf(out, " What was copied of %s before is kept; run again when %s can be read.",
                      number(unreadable, "it", "them"), number(unreadable, "it", "they"));
    if (wrong > 0 && is_command(report, "verify"))
        td_buf_puts(out, " `twindock verify` repairs nothing; `twindock run` does.");
    else if (wrong > 0 && left_out == 0 && held->count == 0)
        td_buf_puts(out, " Run again.");
    bool all_well = wrong + held->count + left_out + tally[SORT_NO_COPY].count == 0;
    if (all_well && tally[SORT_REPAIRED].count > 0)
        td_buf_puts(out, " Nothing needs to be done now; a disk on which rot is found again is not to be relied on.");
    else if (all_well && tally[SORT_REFILLED].count > 0)
        td_buf_puts(out, " Nothing needs to be done now; a disk that loses files again is not to be relied on.");
}

/* --- all of it --------------------------------------------------------------------------------------- */

void td_findings_say(const struct td_report *report, struct td_buf *out) {
    struct td_tally tally[SORTS];
    TD_AUTOBUF struct td_buf said = {0};
    td_tally_count(report, tally);
    say_member(report, TD_A, &said);
    say_member(report, TD_B, &said);
    if (said.len > 0)
        advise_members(report, &said);
    say_no_copy(report, &tally[SORT_NO_COPY], &said);
    say_held(report, &tally[SORT_HELD], &said);
    say_repaired(report, &tally[SORT_REPAIRED], &said);
    say_refilled(report, &tally[SORT_REFILLED], &said);
    say_unrepaired(report, tally, &said);
    say_unreadable(report, &tally[SORT_UNREADABLE], &said);
    advise_files(report, tally, &said);
    say_unwritten(report, &tally[SORT_UNWRITTEN], &said);
    say_no_room(report, &tally[SORT_NO_ROOM], &said);
    say_hidden(report, &tally[SORT_HIDDEN], &said);
    say_bare(report, &tally[SORT_BARE], &said);
    td_buf_add(out, td_buf_text(&said), said.len);
}

void td_findings_say_altered(const struct td_report *report, struct td_buf *out) {
    struct td_tally tally[SORTS];
    td_tally_count(report, tally);
    const struct td_tally *found = &tally[SORT_PUT_RIGHT];
    if (found->count == 0)
        return;
    td_text_next(out);
    td_text_count(out, found->count, "copy", "copies");
    td_buf_printf(out, " on the disks had been altered and %s made right", number(found, "was", "were"));
    end_with_the_one(report, found, out);
}

bool td_findings_name_unrepaired(const struct td_report *report, struct td_buf *out) {
    struct td_tally tally[SORTS];
    td_tally_count(report, tally);
    for (size_t i = 0; i < WRONGS; i++) {
        const struct td_tally *found = &tally[wrongs[i].sort];
        if (found->count == 0)
            continue;
        if (wrongs[i].sort != SORT_ROTTEN) {
            say_wrong(&wrongs[i], found, out);
            return true;
        }
        td_buf_puts(out, "rot found");
        say_place(found, out);
        td_buf_puts(out, ", not repaired");
        return true;
    }
    uint64_t others = tally[SORT_UNREADABLE].count + tally[SORT_UNWRITTEN].count;
    if (tally[SORT_BARE].count > 0 && tally[SORT_NO_ROOM].count + others == 0) {
        td_text_count(out, tally[SORT_BARE].count, "file lacks extended attributes", "files lack extended attributes");
        say_place(&tally[SORT_BARE], out);
        return true;
    }
    bool alone = tally[SORT_NO_ROOM].count > 0 && others == 0;
    if (alone) {
        td_text_count(out, tally[SORT_NO_ROOM].count, "file finds no room", "files find no room");
        say_place(&tally[SORT_NO_ROOM], out);
    }
    return alone;
}

void td_findings_name_repaired(const struct td_report *report, struct td_buf *out) {
    struct td_tally tally[SORTS];
    td_tally_count(report, tally);
    const struct td_tally *refilled = &tally[SORT_REFILLED];
    if (tally[SORT_REPAIRED].count > 0 || refilled->count == 0) {
        td_buf_puts(out, "rot found and repaired");
        return;
    }
    td_buf_puts(out, number(refilled, "a file was missing", "files were missing"));
    say_place(refilled, out);
    td_buf_printf(out, " and %s copied again", number(refilled, "was", "were"));
}

void td_findings_name_unreadable(const struct td_report *report, struct td_buf *out) {
    struct td_tally tally[SORTS];
    td_tally_count(report, tally);
    uint64_t unreadable = tally[SORT_UNREADABLE].count, unwritten = tally[SORT_UNWRITTEN].count;
    if (unreadable == 0 && unwritten > 0) {
        td_text_count(out, unwritten, "file could not be written", "files could not be written");
        say_place(&tally[SORT_UNWRITTEN], out);
    } else if (unreadable == 0 && tally[SORT_HIDDEN].count > 0) {
        td_buf_puts(out, "something is mounted over its source");
    } else {
        td_text_count(out, unreadable + unwritten, "file", "files");
        td_buf_puts(out, " could not be read or copied");
    }
}
