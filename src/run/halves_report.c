/* What is said of two halves that were compared. */
#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/dock/card.h"
#include "twindock/report/fields.h"
#include "twindock/report/text.h"
#include "twindock/run/halves.h"

#include <inttypes.h>
#include <string.h>

static size_t count_word(const struct td_halves *halves, int slot, enum td_half_word word) {
    size_t n = 0;
    for (size_t i = 0; i < halves->files; i++)
        n += halves->file[i].word[slot] == word;
    return n;
}

/* Is everything that could be judged right in this slot, and something wrong in the other? */
static bool is_the_good_one(const struct td_halves *halves, int slot) {
    return count_word(halves, slot, TD_HALF_RIGHT) > 0 && count_word(halves, slot, TD_HALF_WRONG) == 0 &&
           count_word(halves, 1 - slot, TD_HALF_WRONG) > 0;
}

static void say_same(const struct td_halves *halves, const char *collection, struct td_buf *out) {
    td_buf_printf(out, "The two halves of %s are the same: ", collection);
    td_text_size(out, halves->compared);
    if (halves->every_block)
        td_buf_puts(out, ", every block, were read from both and compared.");
    else
        td_buf_puts(out, ", all that is in use on either, were read from both and compared.");
}

static void say_unreadable(const struct td_halves *halves, const char letter[2], struct td_buf *out) {
    for (int slot = 0; slot < TD_SLOTS; slot++) {
        if (halves->unreadable[slot] == 0)
            continue;
        td_text_next(out);
        td_text_size(out, halves->unreadable[slot]);
        td_buf_printf(out, " of member %c cannot be read, the first at byte %" PRIu64 ".", letter[slot],
                      halves->first_unreadable[slot]);
    }
}

static bool is_judged(const struct td_half_file *file) {
    return file->word[0] != TD_HALF_UNKNOWN || file->word[1] != TD_HALF_UNKNOWN;
}

static bool is_ours(const struct td_half_file *file) {
    size_t len = strlen(TD_DIR);
    return strcmp(file->path, ".") == 0 ||
           (strncmp(file->path, TD_DIR, len) == 0 && (file->path[len] == '/' || file->path[len] == '\0'));
}

/* The file to name where there is room for one: it tells most when the ledger knows it, and least when it is ours. */
static const struct td_half_file *telling(const struct td_halves *halves) {
    for (size_t i = 0; i < halves->files; i++)
        if (is_judged(&halves->file[i]))
            return &halves->file[i];
    for (size_t i = 0; i < halves->files; i++)
        if (!is_ours(&halves->file[i]))
            return &halves->file[i];
    return &halves->file[0];
}

static void say_path(const struct td_half_file *file, struct td_buf *out) {
    if (strcmp(file->path, ".") == 0)
        td_buf_puts(out, "the disk's root");
    else
        td_escape_text(out, file->path);
}

static void say_where(const struct td_halves *halves, const char *collection, struct td_buf *out) {
    td_buf_printf(out, "The two halves of %s differ in ", collection);
    td_text_size(out, halves->different);
    td_buf_printf(out, " of the ");
    td_text_size(out, halves->compared);
    td_buf_printf(out, " compared, first at byte %" PRIu64, halves->place[0].start);
    if (halves->files == 0) {
        td_buf_puts(out, ", in what the filesystem keeps for itself.");
        return;
    }
    td_buf_puts(out, "; in ");
    td_text_count(out, halves->files + halves->more_files, "file or folder: ", "files and folders, among them ");
    say_path(telling(halves), out);
    td_buf_putc(out, '.');
}

static void say_what_to_do(const struct td_halves *halves, const char letter[2], struct td_buf *out) {
    for (int slot = 0; slot < TD_SLOTS; slot++) {
        if (!is_the_good_one(halves, slot))
            continue;
        td_buf_printf(
            out,
            " By their checksums member %c has what was backed up and member %c has not: copy %c over %c with "
            "the dock's own copy function, and compare again.",
            letter[slot], letter[1 - slot], letter[slot], letter[1 - slot]);
        return;
    }
    if (count_word(halves, 0, TD_HALF_WRONG) > 0 && count_word(halves, 1, TD_HALF_WRONG) > 0)
        td_buf_puts(out, " Neither of them has all that was backed up: keep both as they are, and begin a new pair.");
    else
        td_buf_puts(out, " Which of them is right their files do not tell. Copy the one that you trust over the other "
                         "with the dock's own copy function, and compare again.");
}

void td_halves_sentence(const struct td_halves *halves, const char *collection, const char letter[2],
                        struct td_buf *out) {
    if (halves->lost >= 0) {
        td_buf_printf(
            out, "Member %c does not answer any more. Look at the disk, its cable and its power, and compare again.",
            letter[halves->lost]);
        return;
    }
    if (td_halves_same(halves)) {
        say_same(halves, collection, out);
        return;
    }
    if (halves->different > 0) {
        say_where(halves, collection, out);
        say_what_to_do(halves, letter, out);
    }
    say_unreadable(halves, letter, out);
}

static const char *const words[] = {"unknown", "right", "wrong"};

void td_halves_list(const struct td_halves *halves, const char letter[2], struct td_buf *out) {
    if (halves->whole[0] != '\0')
        td_buf_printf(out, "Every block was compared, used or not: %s.\n", halves->whole);
    for (size_t i = 0; i < halves->files; i++) {
        const struct td_half_file *file = &halves->file[i];
        td_buf_puts(out, "differs: ");
        say_path(file, out);
        td_buf_printf(out, ", at byte %" PRIu64 " of the disk", file->offset);
        for (int slot = 0; slot < TD_SLOTS; slot++)
            if (file->word[slot] != TD_HALF_UNKNOWN)
                td_buf_printf(out, ", %s on %c", words[file->word[slot]], letter[slot]);
        td_buf_putc(out, '\n');
    }
    if (halves->more_files > 0)
        td_buf_printf(out, "... and %" PRIu64 " more\n", halves->more_files);
    for (size_t i = 0; i < halves->places && i < 10 && halves->files == 0; i++)
        td_buf_printf(out, "differs: %" PRIu64 " bytes at byte %" PRIu64 " of the disk\n", halves->place[i].length,
                      halves->place[i].start);
}

struct td_json *td_halves_json(const struct td_halves *halves, const char letter[2]) {
    struct td_json *json = td_json_object();
    td_json_bool(json, "equal", td_halves_same(halves));
    td_json_bool(json, "every_block", halves->every_block);
    td_field_text(json, "why_every_block", halves->whole);
    td_field_count(json, "size", halves->size);
    td_field_count(json, "compared", halves->compared);
    td_field_count(json, "different", halves->different);
    td_json_int(json, "seconds", halves->seconds);
    struct td_json *unreadable = td_json_set(json, "unreadable", td_json_object());
    for (int slot = 0; slot < TD_SLOTS; slot++) {
        const char key[2] = {letter[slot], '\0'};
        td_field_count(unreadable, key, halves->unreadable[slot]);
    }
    struct td_json *places = td_json_set(json, "places", td_json_array());
    for (size_t i = 0; i < halves->places; i++) {
        struct td_json *place = td_json_append(places, td_json_object());
        td_field_count(place, "offset", halves->place[i].start);
        td_field_count(place, "length", halves->place[i].length);
    }
    struct td_json *files = td_json_set(json, "files", td_json_array());
    for (size_t i = 0; i < halves->files; i++) {
        struct td_json *file = td_json_append(files, td_json_object());
        td_json_path(file, "path", halves->file[i].path);
        td_field_count(file, "offset", halves->file[i].offset);
        for (int slot = 0; slot < TD_SLOTS; slot++) {
            const char key[2] = {letter[slot], '\0'};
            td_json_text(file, key, words[halves->file[i].word[slot]]);
        }
    }
    return json;
}
