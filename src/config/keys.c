#include "keys.h"

#include "value.h"

#include "twindock/config/config.h"

#include <string.h>

static const char *const mail_on[] = {"failure", "change", "always", NULL};
static const char *const modes[] = {"individual", "mirror", NULL};
static const char *const slots[] = {"strict", "any", NULL};
static const char *const single[] = {"refuse", "allow", NULL};
static const char *const eject[] = {"standby", "power-off", "no", NULL};
static const char *const no_yes[] = {"no", "yes", NULL};
static const char *const files[] = {"normal", "large", "small", NULL};

_Static_assert(TD_MAIL_FAILURE == 0 && TD_MAIL_CHANGE == 1 && TD_MAIL_ALWAYS == 2, "mail_on is indexed by the enum");
_Static_assert(TD_MODE_INDIVIDUAL == 0 && TD_MODE_MIRROR == 1, "modes is indexed by the enum");
_Static_assert(TD_EJECT_STANDBY == 0 && TD_EJECT_POWER_OFF == 1 && TD_EJECT_NO == 2, "eject is indexed by the enum");

#define GLOBAL(type, name, fallback, choices, meaning)                                                                 \
    { SECTION_TWINDOCK, type, #name, fallback, choices, offsetof(struct td_config, name), meaning }
#define DOCK(type, name, field, fallback, choices, meaning)                                                            \
    { SECTION_DOCK, type, name, fallback, choices, offsetof(struct td_dock_config, field), meaning }
#define COLLECTION(type, name, field, fallback, choices, meaning)                                                      \
    { SECTION_COLLECTION, type, name, fallback, choices, offsetof(struct td_collection_config, field), meaning }

/* clang-format off */
const struct config_key config_keys[] = {
    GLOBAL(TYPE_PATH, ledger, "/var/lib/twindock/twindock.db", NULL, "the database of pairs, runs and proofs"),
    GLOBAL(TYPE_RECIPIENT, mail_to, "root", NULL, "who gets mail; empty: nobody"),
    GLOBAL(TYPE_CHOICE, mail_on, "failure", mail_on,
           "which runs are told: failure (also refusals and overdue pairs), change (also when the state became good again), always"),
    GLOBAL(TYPE_PATH, sendmail, "/usr/sbin/sendmail", NULL, "the program that takes mail"),
    GLOBAL(TYPE_CLOCK, finish_by, "", NULL, "begin no work that would not end by this local time; empty: no limit"),

    DOCK(TYPE_CHOICE, "mode", mode, "individual", modes,
         "individual: both disks are seen; mirror: the dock mirrors and shows the source alone"),
    DOCK(TYPE_SLOT, "source", source, NULL, NULL, "source slot: udev's ID_PATH or a device node; required"),
    DOCK(TYPE_SLOT, "destination", destination, NULL, NULL,
         "destination slot; required with mode = individual, forbidden with mode = mirror"),
    DOCK(TYPE_FLAG, "slots", slots_any, "strict", slots,
         "strict: member A in the source slot, B in the destination; any: either way round"),
    DOCK(TYPE_FLAG, "single", single_allow, "refuse", single, "whether one member alone may be brought up to date"),
    DOCK(TYPE_DURATION, "settle", settle, "30s", NULL, "how long to wait for the second disk"),
    DOCK(TYPE_CHOICE, "eject", eject, "standby", eject, "what happens to the drives after a run"),

    COLLECTION(TYPE_PATH, "source", source, NULL, NULL, "the directory to back up; required"),
    COLLECTION(TYPE_PATH, "source_mount", source_mount, NULL, NULL, "refuse unless this is a mount point"),
    COLLECTION(TYPE_UUID, "source_uuid", source_uuid, NULL, NULL,
               "refuse unless the source is on the filesystem of this UUID"),
    COLLECTION(TYPE_WAIT, "source_wait", source_wait, "", NULL,
               "how long to wait for a source that is absent; by default 5m, and not at all when run by hand"),
    COLLECTION(TYPE_TARGET, "target", target, NULL, NULL,
               "the directory on a member; . is its root; the collection's name by default"),
    COLLECTION(TYPE_PATTERNS, "exclude", exclude, NULL, NULL,
               "a pattern as in gitignore(5) of what not to back up; may be repeated, the last match wins"),
    COLLECTION(TYPE_FLAG, "one_filesystem", one_filesystem, "yes", no_yes,
               "yes: leave out what is mounted below the source; a backup that it hides is kept"),
    COLLECTION(TYPE_PERIOD, "overdue", overdue, "21d", NULL, "a last backup older than this is flagged and mailed"),
    COLLECTION(TYPE_PERIOD, "prove_within", prove_within, "30d", NULL, "a file not proven for this long is flagged"),
    COLLECTION(TYPE_COUNT, "prove_every", prove_every, "4", NULL,
               "mirrored pairs: runs after which the unseen member must have been proven"),
    COLLECTION(TYPE_DURATION, "keep_history", keep_history, "90d", NULL,
               "how long replaced and deleted files are kept"),
    COLLECTION(TYPE_PERCENT, "history_reserve", history_reserve, "5%", NULL,
               "history gives way when less than this share of a member is free, besides room for its own lists"),
    COLLECTION(TYPE_PERCENT, "max_delete", max_delete, "10%", NULL,
               "refuse to delete more than this share of the files or bytes; 100% is no brake"),
    COLLECTION(TYPE_PERCENT, "max_change", max_change, "40%", NULL,
               "refuse to change more than this share of the files or bytes; 100% is no brake"),
    COLLECTION(TYPE_CHOICE, "files", files, "normal", files,
               "large: new members get few inodes, for music or films; small: many, for mail or sources"),
};
/* clang-format on */
const size_t config_key_count = sizeof config_keys / sizeof *config_keys;

_Static_assert(sizeof config_keys / sizeof *config_keys <= CONFIG_KEYS_MAX, "CONFIG_KEYS_MAX is too small");

const char *config_section_form(enum key_section section) {
    static const char *const forms[SECTION_KINDS] = {"[twindock]", "[dock NAME]", "[collection NAME]"};
    return forms[section];
}

const char *config_section_word(enum key_section section) {
    static const char *const words[SECTION_KINDS] = {"twindock", "dock", "collection"};
    return words[section];
}

const struct config_key *config_key_find(enum key_section section, const char *name) {
    for (size_t i = 0; i < config_key_count; i++) {
        if (config_keys[i].section == section && strcmp(config_keys[i].name, name) == 0)
            return &config_keys[i];
    }
    return NULL;
}

void config_key_list(enum key_section section, struct td_buf *out) {
    const char *comma = "";
    for (size_t i = 0; i < config_key_count; i++) {
        if (config_keys[i].section != section)
            continue;
        td_buf_printf(out, "%s%s", comma, config_keys[i].name);
        comma = ", ";
    }
}

void td_config_describe(struct td_buf *out) {
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        td_buf_printf(out, "%s\t%s\t%s\t%s\t", config_section_form(key->section), key->name,
                      key->fallback ? key->fallback : "", key->meaning);
        config_value_expected(key, out);
        td_buf_putc(out, '\n');
    }
}
