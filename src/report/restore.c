/*
 * RESTORE.txt. Whoever reads it may know nothing of twindock, has a rescue system and perhaps a bad day. Plain
 * ASCII, 72 columns, and every command can be typed as it stands but for the name of the device.
 */
#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/report/document.h"
#include "twindock/report/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 72
#define LAST_CHANGE "Last change"

static void paragraph(struct td_buf *out, const char *text) {
    td_text_wrap(out, text, WIDTH, "");
    td_buf_putc(out, '\n');
}

static void heading(struct td_buf *out, const char *text) {
    td_buf_puts(out, text);
    td_buf_putc(out, '\n');
    for (size_t i = strlen(text); i > 0; i--)
        td_buf_putc(out, '-');
    td_buf_puts(out, "\n\n");
}

static void command(struct td_buf *out, const char *text) {
    td_buf_printf(out, "    %s\n\n", text);
}

/* Bytes as printable ASCII on one line. */
static void ascii(struct td_buf *out, const char *text) {
    TD_AUTOBUF struct td_buf escaped = {0};
    td_text_prose(&escaped, text);
    for (size_t i = 0; i < escaped.len; i++) {
        unsigned char c = (unsigned char)escaped.data[i];
        if (c < 0x80)
            td_buf_putc(out, (char)c);
        else
            td_buf_printf(out, "\\x%02x", c);
    }
}

static bool at_root(const struct td_restore_facts *facts) {
    return strcmp(facts->target, ".") == 0;
}

/* The collection's directory on the mounted disk, with a slash at its end. */
static void collection_dir(const struct td_restore_facts *facts, struct td_buf *out) {
    TD_AUTOBUF struct td_buf path = {0};
    td_buf_puts(&path, "/mnt/");
    if (!at_root(facts))
        td_buf_printf(&path, "%s/", facts->target);
    td_text_shell(out, td_buf_text(&path));
}

static void fact(struct td_buf *out, const char *name, const char *value) {
    td_buf_printf(out, "    %-14s", name);
    ascii(out, value);
    td_buf_putc(out, '\n');
}

static void say_what(const struct td_restore_facts *facts, struct td_buf *out) {
    TD_AUTOBUF struct td_buf half = {0};
    char date[TD_DATE_MAX] = "none yet", member[2] = {facts->member, '\0'};
    if (facts->last_change != 0)
        td_format_date(date, facts->last_change);
    td_buf_puts(out, "HOW TO GET THE FILES BACK FROM THIS DISK\n========================================\n\n");
    paragraph(out, "This disk is a backup. It holds ordinary files on an ordinary ext4 filesystem. No special program "
                   "is needed to get them back: any Linux rescue system with mount, rsync and sha256sum will do.");
    fact(out, "Collection", facts->collection);
    fact(out, "Copied from", facts->source);
    fact(out, "On the host", facts->host);
    fact(out, "This disk is", member);
    fact(out, "UUID", facts->uuid);
    fact(out, LAST_CHANGE, date);
    td_buf_putc(out, '\n');
    paragraph(out, "The date of .twindock/card.json is that of the last run, which found everything as it was or has "
                   "changed it.");
    if (facts->mirrored)
        td_buf_printf(&half,
                      "This is one half of a mirrored pair. The dock wrote both disks, so both say %c, and both carry "
                      "the SAME filesystem UUID.",
                      facts->member);
    else
        td_buf_puts(&half, "It is one of two twins, A and B. Each holds everything; one of them is enough. Both carry "
                           "the SAME filesystem UUID.");
    td_buf_puts(&half, " Never mount them by UUID or label: attach one at a time, or mount by the name of the device.");
    if (facts->mirrored)
        td_buf_puts(&half, " One is enough if step 2 finds nothing damaged; if it does, try the other.");
    paragraph(out, td_buf_text(&half));
}

static void say_mount(struct td_buf *out) {
    heading(out, "1. Mount it, read-only");
    paragraph(out, "Become root. Find the disk by its UUID (above), size and serial number; below it is called "
                   "/dev/sdX. If the filesystem lies on a partition, it is /dev/sdX1 or the like.");
    command(out, "lsblk -o NAME,SIZE,FSTYPE,LABEL,UUID,SERIAL");
    command(out, "mount -o ro /dev/sdX /mnt");
    paragraph(out, "If the disk is failing, or nothing at all may be written to it:");
    command(out, "mount -o ro,noload /dev/sdX /mnt");
    paragraph(out, "Then a journal left by a power cut is not replayed either, and files written last may be missing.");
}

static void say_check(struct td_buf *out) {
    heading(out, "2. Check it (optional; reads the whole disk)");
    command(out, "cd /mnt && sha256sum -c --quiet .twindock/SHA256SUMS");
    paragraph(out, "It prints the files that are damaged and nothing else. Silence means that every file is as it was. "
                   "A damaged file can be taken from the other disk.");
    paragraph(out,
              "Files whose path is 4096 bytes or longer cannot be opened by name by any program. Their sums are in "
              ".twindock/SHA256SUMS.long, in the same form. To reach such a file, go down with `cd` in several "
              "steps.");
}

static void say_copy(const struct td_restore_facts *facts, struct td_buf *out) {
    TD_AUTOBUF struct td_buf line = {0};
    heading(out, "3. Copy everything back");
    td_buf_puts(&line, "rsync -aHAXS --numeric-ids");
    if (at_root(facts))
        td_buf_puts(&line, " --exclude=/.twindock --exclude=/lost+found");
    td_buf_putc(&line, ' ');
    collection_dir(facts, &line);
    td_buf_puts(&line, " /where/");
    command(out, td_buf_text(&line));
    paragraph(out, "Put the directory that shall receive the files for /where/. The slash at the end of each path "
                   "matters. This keeps times, owners, modes, hard links, ACLs, extended attributes and holes. Single "
                   "files can be copied with `cp -a`. rsync leaves out paths of 4096 bytes and longer (see 2) and says "
                   "so.");
}

/* With the names of this very disk, where they fit on a line. */
static void say_delta(const struct td_restore_facts *facts, struct td_buf *out) {
    TD_AUTOBUF struct td_buf dir = {0}, patch = {0}, base = {0};
    const char *name = facts->delta != NULL ? strrchr(facts->delta, '/') : NULL;
    char delta[24] = "DELTA";
    td_buf_puts(&dir, "cd /mnt/.twindock/history/");
    td_buf_puts(&base, "BASE");
    if (name != NULL && strlen(name) > 12) {
        td_buf_clear(&base);
        collection_dir(facts, &base);
        td_text_shell(&base, facts->delta_base);
    }
    if (name == NULL || base.len > 34 || name - facts->delta > 40) {
        td_buf_clear(&base);
        td_buf_puts(&base, "BASE");
        td_buf_puts(&dir, "RUN/.deltas");
    } else {
        td_buf_add(&dir, facts->delta, (size_t)(name - facts->delta));
        const char *base_of = strchr(name, '-'); /* of equal files each may have become another */
        snprintf(delta, sizeof delta, "%.8s*%.9s*", name + 1, base_of != NULL ? base_of : "");
    }
    command(out, td_buf_text(&dir));
    td_buf_printf(&patch, "rdiff patch %s %s /tmp/old", base.data, delta);
    command(out, td_buf_text(&patch));
    command(out, "sha256sum /tmp/old");
    td_buf_clear(&patch);
    td_buf_printf(&patch, "cp --attributes-only --preserve=all %s /tmp/old", delta);
    command(out, td_buf_text(&patch));
}

static void say_history(const struct td_restore_facts *facts, struct td_buf *out) {
    heading(out, "4. Older versions and deleted files");
    paragraph(out,
              "What a backup replaced or deleted is kept for a while. RUN is the run that put it away: its number and "
              "the time, in UTC, at which it began. PATH is the file's path in the collection.");
    command(out, "/mnt/.twindock/history/RUN/PATH");
    command(out, "/mnt/.twindock/history/RUN.index");
    paragraph(out, "RUN.index is a text that lists what lies in RUN, a line for each version, its fields separated by "
                   "tabs; the first line names them. (A line that begins with a backslash has \\n, \\r, \\t and \\\\ "
                   "for newline, carriage return, tab and backslash in names.) To find every version of a file:");
    command(out, "grep -F NAME /mnt/.twindock/history/*.index");
    paragraph(out,
              "A version of kind \"whole\" lies there as it was, with its times and owners: copy it with `cp -a`. Of "
              "kind \"delta\", only the difference lies there. rdiff (of the package rdiff) makes the file from it "
              "and from the file that has the SHA-256 in the field \"base\". That is mostly the next newer version: "
              "look for it in .twindock/SHA256SUMS, then in the second field of all RUN.index; if it is a delta "
              "itself, make that first. For example:");
    say_delta(facts, out);
    paragraph(out,
              "sha256sum must print the second field of the version's line, with which the delta's name begins. The "
              "last command gives the file its old owner, mode, times and attributes. To check all that lies in "
              "the history:");
    command(out, "cd /mnt/.twindock/history && sha256sum -c --quiet SHA256SUMS");
}

static void say_rest(const struct td_restore_facts *facts, struct td_buf *out) {
    heading(out, "What else is on this disk");
    td_buf_puts(out, "    ");
    if (at_root(facts)) {
        td_buf_puts(out, "everything outside .twindock/\n"
                         "                            the collection, as it was\n");
    } else {
        ascii(out, facts->target);
        td_buf_puts(out, "/\n                            the collection, as it was\n");
    }
    td_buf_puts(out, "    .twindock/card.json     which disk of which pair this is\n"
                     "    .twindock/SHA256SUMS    checksums of all files\n"
                     "    .twindock/history/      replaced and deleted files\n"
                     "    .twindock/quarantine/   damaged bytes that were found and replaced;\n"
                     "                            not good copies\n"
                     "    .twindock/staging/      unfinished copies of a run that was cut off;\n"
                     "                            of no use\n"
                     "    .twindock/ledger.db     every file with size, times and SHA-256, and\n"
                     "                            when it was last read back (an SQLite\n"
                     "                            database). Copy it elsewhere, then:\n"
                     "                            sqlite3 ledger.db\n");
    if (facts->other_ledger)
        td_buf_puts(out, "    .twindock/ledger-*.db   the same of a ledger that was in use before: what\n"
                         "                            the history was until then\n");
    td_buf_putc(out, '\n');
    paragraph(out, "When you are done: cd / && umount /mnt");
    paragraph(out, "Do not write to this disk if it is to stay a backup.");
}

void td_restore_text(const struct td_restore_facts *facts, struct td_buf *out) {
    TD_AUTOBUF struct td_buf text = {0};
    say_what(facts, &text);
    say_mount(&text);
    say_check(&text);
    say_copy(facts, &text);
    say_history(facts, &text);
    say_rest(facts, &text);
    td_buf_add(out, td_buf_text(&text), text.len - 1); /* without the last empty line */
}

/* Where the line with the date begins; the end of the text where it is missing. */
static const char *find_date(const char *text) {
    const char *line = strstr(text, "\n    " LAST_CHANGE);
    return line != NULL ? line + 1 : text + strlen(text);
}

bool td_restore_same(const char *a, const char *b) {
    const char *x = find_date(a), *y = find_date(b);
    if (x - a != y - b || memcmp(a, b, (size_t)(x - a)) != 0)
        return false;
    return strcmp(x + strcspn(x, "\n"), y + strcspn(y, "\n")) == 0;
}
