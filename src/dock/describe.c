#include "words.h"

#include "twindock/base/clock.h"
#include "twindock/base/escape.h"

#include <inttypes.h>
#include <string.h>

const char *td_words_serial(const struct td_words *w, const struct td_pair *pair, int member) {
    const struct td_identity *enrolled = &pair->members[member].identity;
    bool shared = td_drive_alike(&pair->members[0].identity, &pair->members[1].identity);
    for (int s = 0; s < TD_SLOTS; s++) {
        const struct td_match_result *match = &w->judgement->slots[s];
        const struct td_identity *told = &w->seen->slots[s].identity;
        if (match->bridged && match->match == TD_MATCH_MEMBER && match->pair == pair && match->member == member &&
            enrolled->source == TD_IDENTITY_BRIDGE && told->source != TD_IDENTITY_BRIDGE && told->serial[0] != '\0')
            return told->serial; /* now the drive itself speaks */
    }
    if (!shared && td_drive_speaks(enrolled) && enrolled->serial[0] != '\0')
        return enrolled->serial;
    for (int s = 0; s < TD_SLOTS && !w->judgement->alike; s++) {
        const struct td_match_result *match = &w->judgement->slots[s];
        if (match->match == TD_MATCH_MEMBER && match->pair == pair && match->member == member &&
            td_drive_speaks(&w->seen->slots[s].identity))
            return w->seen->slots[s].identity.serial;
    }
    return "";
}

void td_words_member(const struct td_words *w, const struct td_pair *pair, int member, bool whose, bool capital) {
    td_buf_printf(w->out, "%s %c", capital ? "Member" : "member", "AB"[member]);
    if (whose) {
        td_buf_puts(w->out, " of ");
        td_escape_text(w->out, pair->collection);
    }
    const char *serial = td_words_serial(w, pair, member);
    if (serial[0] != '\0') {
        td_buf_puts(w->out, " (");
        td_escape_text(w->out, serial);
        td_buf_putc(w->out, ')');
    }
}

void td_words_member_in(const struct td_words *w, int slot, bool whose, bool capital) {
    const struct td_match_result *match = &w->judgement->slots[slot];
    td_words_member(w, match->pair, match->member, whose, capital);
}

void td_words_disk(const struct td_words *w, int slot) {
    const struct td_slot *disk = &w->seen->slots[slot];
    const char *serial = w->judgement->alike ? "" : disk->identity.serial;
    uint64_t bytes = disk->at.size != 0 ? disk->at.size : disk->disk.size;
    if (bytes == 0 && serial[0] == '\0')
        return;
    const char *between = " (";
    if (bytes != 0) {
        char size[TD_SIZE_MAX];
        td_format_size(size, bytes);
        td_buf_printf(w->out, "%s%s", between, size);
        between = ", ";
    }
    if (serial[0] != '\0') {
        td_buf_printf(w->out, "%sserial ", between);
        td_escape_text(w->out, serial);
    }
    td_buf_putc(w->out, ')');
}

void td_words_replace(const struct td_words *w, const struct td_pair *pair, int member) {
    td_buf_puts(w->out, "`twindock enroll ");
    td_escape_text(w->out, pair->collection);
    td_buf_printf(w->out, " --replace %c`", "AB"[member]);
}

bool td_words_retired(const struct td_pair *pair, int member) {
    return pair->members[member].letter == 0;
}

/* A dock that combined two disks into one leaves this on the first of them. */
void td_words_cut_off(const struct td_words *w, int slot) {
    const struct td_slot *disk = &w->seen->slots[slot];
    const struct td_ext4 *super = &disk->super;
    if (!disk->super_read || disk->fs.device.size == 0 || super->block_size == 0 ||
        super->blocks <= disk->fs.device.size / super->block_size)
        return;
    td_buf_puts(w->out, " Its filesystem is larger than the disk: it looks like one half of two disks that a dock had "
                        "combined into one.");
}

bool td_words_busy(const struct td_words *w, int slot) {
    const struct td_slot *disk = &w->seen->slots[slot];
    return disk->super_read && disk->card_state == TD_CARD_UNREAD && disk->problem[0] != '\0';
}

void td_words_sizes(const struct td_words *w, uint64_t first, const char *between, uint64_t second) {
    char a[TD_SIZE_MAX], b[TD_SIZE_MAX];
    td_format_size(a, first);
    td_format_size(b, second);
    if (strcmp(a, b) != 0)
        td_buf_printf(w->out, "%s%s%s", a, between, b);
    else
        td_buf_printf(w->out, "%" PRIu64 " bytes%s%" PRIu64 " bytes", first, between, second);
}

/* "an ext4", "a vfat": by how the name is spoken. */
static const char *article(const char *name) {
    if (strncmp(name, "ntfs", 4) == 0 || strncmp(name, "hfs", 3) == 0 || strncmp(name, "LVM", 3) == 0)
        return "an";
    return strchr("aeiox", name[0]) != NULL ? "an" : "a";
}

/* A disk that belongs to no enrolled pair. */
static void describe_foreign(const struct td_words *w, int slot) {
    const struct td_slot *disk = &w->seen->slots[slot];
    const struct td_filesystem *fs = &disk->fs;
    if (disk->problem[0] != '\0' && fs->type[0] == '\0')
        td_buf_puts(w->out, "a disk that cannot be read");
    else if (fs->ambivalent)
        td_buf_puts(w->out, "a disk with the marks of several filesystems");
    else if (fs->type[0] == '\0')
        td_buf_printf(w->out, "a %s without a known filesystem%s",
                      fs->partition_table                       ? "partitioned disk"
                      : disk->at.number != disk->at.disk_number ? "partition"
                                                                : "disk",
                      disk->blank || fs->partition_table ? "" : " but with data on it");
    else {
        td_buf_printf(w->out, "%s ", article(fs->type));
        td_escape_text(w->out, fs->type);
        td_buf_puts(w->out, " disk");
    }
    if (fs->label[0] != '\0') {
        td_buf_puts(w->out, " labelled \"");
        td_escape_text(w->out, fs->label);
        td_buf_putc(w->out, '"');
    }
    td_words_disk(w, slot);
}

void td_describe_owner(const struct td_observation *seen, const struct td_judgement *judgement, int slot,
                       struct td_buf *out) {
    const struct td_words w = {out, seen, judgement};
    td_words_member(&w, judgement->owner[slot].pair, judgement->owner[slot].member, true, false);
}

void td_describe_slot(const struct td_observation *seen, const struct td_judgement *judgement, int slot,
                      struct td_buf *out) {
    const struct td_words w = {out, seen, judgement};
    const struct td_match_result *match = &judgement->slots[slot];
    if (!seen->slots[slot].present) {
        td_buf_puts(out, "no disk");
    } else if (match->match == TD_MATCH_NONE) {
        describe_foreign(&w, slot);
    } else if (match->match == TD_MATCH_PAIR) {
        td_buf_puts(out, "a disk with the UUID of ");
        td_escape_text(out, match->pair->collection);
        td_buf_puts(out, td_words_busy(&w, slot)                       ? ", in use"
                         : seen->slots[slot].card_state == TD_CARD_BAD ? " whose card cannot be read"
                                                                       : " that is neither of its members");
        td_words_disk(&w, slot);
    } else {
        const char *serial = td_words_serial(&w, match->pair, match->member);
        td_buf_printf(out, "member %c of ", "AB"[match->member]);
        td_escape_text(out, match->pair->collection);
        if (serial[0] != '\0') {
            td_buf_puts(out, " (serial ");
            td_escape_text(out, serial);
            td_buf_putc(out, ')');
        }
    }
}
