#include "load.h"

#include "twindock/config/config.h"

#include <string.h>
#include <sys/stat.h>

int config_key_line(const struct config_section *section, const char *name) {
    const struct config_key *key = config_key_find(section->kind, name);
    int line = key ? section->key_lines[key - config_keys] : 0;
    return line ? line : section->line;
}

/* A slot's ID_PATH and udev's link to it are one place. */
static const char *place(const char *slot) {
    static const char links[] = "/dev/disk/by-path/";
    return strncmp(slot, links, sizeof links - 1) == 0 ? slot + sizeof links - 1 : slot;
}

static const char *slot_of(const struct td_dock_config *dock, const char *which) {
    return strcmp(which, "source") == 0 ? dock->source : dock->destination;
}

static const char *const slot_keys[] = {"source", "destination"};
#define SLOTS (sizeof slot_keys / sizeof *slot_keys)

/* The slot `which` of sections[at] must be nobody's before it, in the order of sections and of slot_keys. */
static int check_slot(struct config_loader *loader, size_t at, size_t which) {
    const struct config_section *section = &loader->sections[at];
    const struct td_dock_config *dock = config_section_owner(loader, section);
    const char *slot = slot_of(dock, slot_keys[which]);
    for (size_t i = 0; slot && i <= at; i++) {
        const struct config_section *other = &loader->sections[i];
        if (other->kind != SECTION_DOCK)
            continue;
        for (size_t j = 0; j < (i == at ? which : SLOTS); j++) {
            const char *taken = slot_of(config_section_owner(loader, other), slot_keys[j]);
            if (taken && strcmp(place(taken), place(slot)) == 0)
                return config_complain(loader, config_key_line(section, slot_keys[which]),
                                       "%s = '%.200s' in %s is the %s of %s on line %d already, expected a slot of its "
                                       "own",
                                       slot_keys[which], slot, section->title, slot_keys[j], other->title,
                                       config_key_line(other, slot_keys[j]));
        }
    }
    return 0;
}

static int check_dock(struct config_loader *loader, size_t at) {
    const struct config_section *section = &loader->sections[at];
    const struct td_dock_config *dock = config_section_owner(loader, section);
    if (!dock->source)
        return config_complain(loader, section->line, "%s without 'source', expected its source slot", section->title);
    if (dock->mode == TD_MODE_MIRROR && dock->destination)
        return config_complain(loader, config_key_line(section, "destination"),
                               "'destination' in %s, expected none with mode = mirror: that dock shows one disk",
                               section->title);
    if (dock->mode == TD_MODE_INDIVIDUAL && !dock->destination)
        return config_complain(loader, section->line,
                               "%s without 'destination', expected its destination slot, or mode = mirror",
                               section->title);
    int rc = 0;
    for (size_t which = 0; rc == 0 && which < SLOTS; which++)
        rc = check_slot(loader, at, which);
    return rc;
}

static int check_collection(struct config_loader *loader, const struct config_section *section) {
    const struct td_collection_config *collection = config_section_owner(loader, section);
    if (!collection->source)
        return config_complain(loader, section->line, "%s without 'source', expected the directory to back up",
                               section->title);
    return 0;
}

/* SQLite has no words for what is no file. */
static int check_ledger(struct config_loader *loader, const struct config_section *section) {
    const char *ledger = loader->config->ledger;
    struct stat st;
    if (stat(ledger, &st) != 0 || S_ISREG(st.st_mode))
        return 0;
    return config_complain(loader, section != NULL ? config_key_line(section, "ledger") : 1,
                           "ledger = '%.200s' is %s, expected the path of a file", ledger,
                           S_ISDIR(st.st_mode) ? "a directory" : "a special file");
}

static const struct config_section *first_section(const struct config_loader *loader, enum key_section kind) {
    for (size_t i = 0; i < loader->count; i++)
        if (loader->sections[i].kind == kind)
            return &loader->sections[i];
    return NULL;
}

int config_check(struct config_loader *loader) {
    int rc = check_ledger(loader, first_section(loader, SECTION_TWINDOCK));
    for (size_t i = 0; rc == 0 && i < loader->count; i++) {
        if (loader->sections[i].kind == SECTION_DOCK)
            rc = check_dock(loader, i);
        else if (loader->sections[i].kind == SECTION_COLLECTION)
            rc = check_collection(loader, &loader->sections[i]);
    }
    return rc;
}
