#include "twindock/dock/observe.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/clock.h"
#include "twindock/dock/card.h"
#include "twindock/dock/verdict.h"
#include "twindock/platform/drive.h"
#include "twindock/platform/drive_power.h"
#include "twindock/platform/mount.h"
#include "twindock/platform/udev.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TRIES 3             /* to find a dock in which nothing changes while it is looked at */
#define FREE_WITHIN_MS 1000 /* after the card was read */
#define UDEV_WITHIN_S 5     /* for events that are still queued when we begin */
#define NS_PER_S INT64_C(1000000000)

const char *const td_slot_names[TD_SLOTS] = {"source", "destination"};

/* What a slot's path leads to at one moment: a disk with a medium, or the partition that the configuration names. */
struct place {
    bool occupied;
    struct td_blockdev at;
};

struct enrolled {
    const struct td_pair *pairs;
    size_t count;
};

static bool is_absence(int rc) {
    return rc == -ENOENT || rc == -ENXIO || rc == -ENODEV || rc == -ENOMEDIUM;
}

static int find_place(const char *path, struct place *out, struct td_error *err) {
    *out = (struct place){0};
    if (path == NULL)
        return 0;
    struct td_error why = {0};
    int rc = path[0] == '/' ? td_blockdev_from_node(path, &out->at, &why) : td_udev_find_path(path, &out->at, &why);
    if (is_absence(rc))
        return 0;
    if (rc < 0 && err != NULL)
        *err = why;
    out->occupied = rc == 0 && out->at.size > 0;
    return rc;
}

static int find_places(const struct td_dock_config *dock, struct place out[TD_SLOTS], struct td_error *err) {
    const char *const paths[TD_SLOTS] = {dock->source, dock->mode == TD_MODE_MIRROR ? NULL : dock->destination};
    for (int s = 0; s < TD_SLOTS; s++) {
        int rc = find_place(paths[s], &out[s], err);
        if (rc < 0)
            return td_wrap(err, rc, "cannot look into the %s slot of dock %s", td_slot_names[s], dock->name);
    }
    return 0;
}

/* The same medium in the same place: the kernel gives every new medium a sequence number of its own. */
static bool same_place(const struct place *a, const struct place *b) {
    if (!a->occupied || !b->occupied)
        return a->occupied == b->occupied;
    return a->at.number == b->at.number && a->at.diskseq == b->at.diskseq && a->at.size == b->at.size;
}

static bool same_places(const struct place a[TD_SLOTS], const struct place b[TD_SLOTS]) {
    return same_place(&a[0], &b[0]) && same_place(&a[1], &b[1]);
}

static void note_problem(struct td_slot *slot, const struct td_error *err) {
    size_t len = strnlen(err->text, sizeof(slot->problem) - 1);
    memcpy(slot->problem, err->text, len);
    slot->problem[len] = '\0';
}

static bool is_enrolled(const void *ctx, const char *uuid) {
    const struct enrolled *enrolled = ctx;
    return td_pair_find(enrolled->pairs, enrolled->count, uuid) != NULL;
}

/* The disk in a slot and who it says it is. A drive that cannot be asked is taken as one that says nothing. */
static void look_at_disk(const struct place *place, struct td_slot *slot) {
    struct td_error err = {0};
    if (!place->occupied)
        return;
    slot->present = true;
    slot->disk = slot->at = place->at;
    if (place->at.number != place->at.disk_number &&
        td_blockdev_from_number(place->at.disk_number, &slot->disk, &err) < 0)
        note_problem(slot, &err);
    td_drive_wake(&slot->disk);
    if (td_drive_identify(&slot->disk, &slot->identity, NULL) < 0)
        slot->identity = (struct td_identity){0};
    (void)td_drive_confirm(&slot->disk, &slot->identity);
}

/* A slot given as a partition means exactly that partition. */
static void look_at_filesystem(const struct place *place, const struct enrolled *enrolled, struct td_slot *slot) {
    struct td_error err = {0};
    if (!slot->present)
        return;
    bool whole = place->at.number == place->at.disk_number;
    int rc = whole ? td_blkid_find(&slot->disk, is_enrolled, enrolled, &slot->fs, &err)
                   : td_blkid_probe(&place->at, &slot->fs, &err);
    if (rc < 0) {
        slot->fs = (struct td_filesystem){0};
        slot->present = rc != -ENOMEDIUM;
        note_problem(slot, &err);
        return;
    }
    if (strcmp(slot->fs.type, "ext4") != 0)
        return;
    rc = td_ext4_read(slot->fs.device.node, &slot->super, &err);
    slot->super_read = rc == 0;
    if (rc < 0)
        note_problem(slot, &err);
}

/* Only what is blank may be formatted just so. A read error counts as something. */
static void look_for_anything(struct td_slot *slot) {
    struct td_error err = {0};
    if (!slot->present || slot->problem[0] != '\0' || slot->fs.type[0] != '\0' || slot->fs.ambivalent ||
        slot->fs.partition_table)
        return;
    int blank = td_blockdev_is_blank(&slot->at, &err);
    slot->blank = blank > 0;
    if (blank < 0)
        note_problem(slot, &err);
}

/* May this disk be mounted, read-only, to look for its card? Only with an enrolled UUID on a sound-looking ext4, on a
 * drive that is an enrolled one as far as it can be told. */
static bool may_mount(const struct td_slot *slot, const struct enrolled *enrolled, bool alike) {
    if (!slot->present || !slot->super_read || slot->fs.ambivalent)
        return false;
    const struct td_pair *pair = td_pair_find(enrolled->pairs, enrolled->count, slot->fs.uuid);
    return pair != NULL && (alike || !td_drive_stranger(&slot->identity, pair));
}

/* The halves of a mirrored pair are never written one by one: the first run in a dock that mirrors writes their card.
 * Until then the mark of the superblock stands for it. */
static bool card_is_due(const struct enrolled *enrolled, struct td_slot *slot) {
    const struct td_pair *pair = td_pair_find(enrolled->pairs, enrolled->count, slot->fs.uuid);
    if (pair == NULL || pair->layout != TD_LAYOUT_MIRRORED || pair->members[0].letter == 0 ||
        slot->super.mark[0] == '\0' || strcmp(pair->members[0].token, slot->super.mark) != 0)
        return false;
    slot->card = (struct td_card){.member = pair->members[0].letter, .layout = pair->layout};
    memcpy(slot->card.pair, pair->uuid, sizeof(slot->card.pair));
    memcpy(slot->card.collection, pair->collection, sizeof(slot->card.collection));
    memcpy(slot->card.token, pair->members[0].token, sizeof(slot->card.token));
    return true;
}

static void look_at_card(const struct enrolled *enrolled, struct td_slot *slot) {
    struct td_error err = {0};
    struct td_write_protection hold;
    int root = td_mount_read_only(&slot->fs.device, &hold, &err);
    if (root < 0) {
        slot->card_state = root == -EBUSY ? TD_CARD_UNREAD : TD_CARD_BAD;
        note_problem(slot, &err);
        return;
    }
    int rc = td_card_read(root, &slot->card, &err);
    close(root);
    td_blockdev_wait_free(slot->fs.device.node, FREE_WITHIN_MS, NULL);
    td_write_protect_end(&hold);
    slot->card_state = rc == 0 ? TD_CARD_READ : rc == -ENOENT ? TD_CARD_ABSENT : TD_CARD_BAD;
    if (slot->card_state == TD_CARD_ABSENT && card_is_due(enrolled, slot))
        slot->card_state = TD_CARD_DUE;
    if (slot->card_state == TD_CARD_BAD)
        note_problem(slot, &err);
}

static void look(const struct place places[TD_SLOTS], const struct enrolled *enrolled, struct td_observation *out) {
    struct td_slot *slots = out->slots;
    memset(slots, 0, sizeof(out->slots));
    for (int s = 0; s < TD_SLOTS; s++)
        look_at_disk(&places[s], &slots[s]);
    bool both = slots[0].present && slots[1].present;
    out->one_device = both && slots[0].disk.disk_number == slots[1].disk.disk_number;
    for (int s = 0; s < TD_SLOTS; s++) {
        look_at_filesystem(&places[s], enrolled, &slots[s]);
        look_for_anything(&slots[s]);
    }

    /* One serial for both bays is the bridge's: then it must not keep us from reading the cards, which tell them apart.
     */
    bool alike = both && td_drive_alike(&slots[0].identity, &slots[1].identity);
    for (int s = 0; s < TD_SLOTS && !out->one_device; s++) {
        if (may_mount(&slots[s], enrolled, alike))
            look_at_card(enrolled, &slots[s]);
    }
    /* And once more: what calls itself something else each time it is asked is a bridge with a will of its own. */
    for (int s = 0; s < TD_SLOTS; s++) {
        if (slots[s].present)
            (void)td_drive_confirm(&slots[s].disk, &slots[s].identity);
    }
}

/* Nothing of what was seen can be believed: the disks are there, and no more is known of them. */
static void distrust(struct td_observation *out) {
    for (int s = 0; s < TD_SLOTS; s++) {
        struct td_slot *slot = &out->slots[s];
        const struct td_slot unknown = {.present = slot->present, .disk = slot->disk, .at = slot->at};
        *slot = unknown;
        snprintf(slot->problem, sizeof(slot->problem), "the disks keep changing while they are looked at");
    }
}

int td_observe(const struct td_dock_config *dock, const struct td_pair *pairs, size_t pair_count,
               struct td_observation *out, struct td_error *err) {
    const struct enrolled enrolled = {pairs, pair_count};
    struct place before[TD_SLOTS], after[TD_SLOTS];
    *out = (struct td_observation){.mode = dock->mode};
    memcpy(out->dock, dock->name, sizeof(out->dock));
    int rc = find_places(dock, before, err);
    for (int i = 0; i < TRIES && rc == 0; i++) {
        look(before, &enrolled, out);
        rc = find_places(dock, after, err);
        if (rc == 0 && same_places(before, after))
            return 0;
        memcpy(before, after, sizeof(before));
    }
    if (rc == 0)
        distrust(out);
    return rc;
}

static bool all_occupied(const struct td_dock_config *dock, const struct place places[TD_SLOTS]) {
    return places[0].occupied && (dock->mode == TD_MODE_MIRROR || places[1].occupied);
}

static int settle_places(const struct td_dock_config *dock, struct td_error *err) {
    struct place before[TD_SLOTS], now[TD_SLOTS];
    int64_t deadline = td_boot_ns() + dock->settle * NS_PER_S;
    int rc = find_places(dock, before, err);
    while (rc == 0 && td_boot_ns() < deadline) {
        if (nanosleep(&(struct timespec){.tv_sec = 1}, NULL) < 0)
            return td_fail(err, errno, "interrupted while waiting for the disks in dock %s", dock->name);
        rc = find_places(dock, now, err);
        if (rc == 0 && all_occupied(dock, now) && same_places(before, now))
            break;
        memcpy(before, now, sizeof(before));
    }
    return rc;
}

int td_observe_settled(const struct td_dock_config *dock, const struct td_pair *pairs, size_t pair_count,
                       struct td_observation *out, struct td_error *err) {
    if (dock->settle > 0) {
        /* A queue that does not empty in time is no reason not to look. */
        (void)td_udev_settle((int)(dock->settle < UDEV_WITHIN_S ? dock->settle : UDEV_WITHIN_S) * 1000);
        int rc = settle_places(dock, err);
        if (rc < 0)
            return rc;
    }
    return td_observe(dock, pairs, pair_count, out, err);
}

/* FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/): to tell media apart, no more. */
static uint64_t mix(uint64_t hash, uint64_t value) {
    for (int i = 0; i < 8; i++)
        hash = (hash ^ (uint8_t)(value >> (8 * i))) * UINT64_C(0x100000001b3);
    return hash;
}

int td_dock_glance(const struct td_dock_config *dock, struct td_dock_glance *out) {
    struct place places[TD_SLOTS];
    *out = (struct td_dock_glance){0};
    int rc = find_places(dock, places, NULL);
    if (rc < 0)
        return rc;
    out->full = all_occupied(dock, places);
    for (int s = 0; s < TD_SLOTS; s++) {
        const struct td_blockdev *at = &places[s].at;
        if (!places[s].occupied)
            continue;
        uint64_t medium = mix(mix(mix(UINT64_C(0xcbf29ce484222325), at->number), at->diskseq), at->size);
        out->medium[s] = medium != 0 ? medium : 1;
        memcpy(out->node[s], at->node, sizeof out->node[s]);
    }
    return 0;
}

bool td_dock_has_node(const struct td_dock_config *dock, const char *node) {
    struct td_blockdev device;
    struct place places[TD_SLOTS];
    if (td_blockdev_from_node(node, &device, NULL) < 0 || find_places(dock, places, NULL) < 0)
        return false;
    for (int s = 0; s < TD_SLOTS; s++) {
        if (places[s].at.disk_number != 0 && places[s].at.disk_number == device.disk_number)
            return true;
    }
    return false;
}
