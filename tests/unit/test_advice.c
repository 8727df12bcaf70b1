/* dock/verdict.h: the sentences, word by word, for every verdict. They are read in the evening, at the dock. */
#include "twindock/dock/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define UUID_M "18e61a61-6502-6510-8086-0065d1917f97"
#define UUID_T "c54d93c9-6502-6510-8086-7395b84d22d7"
#define SIZE UINT64_C(2000398934016) /* prints as 1.9T */

static struct td_pair pairs[2];
static struct td_observation seen;
static struct td_policy policy;

static void put(char *out, size_t size, const char *text) {
    snprintf(out, size, "%s", text);
}

#define PUT(field, text) put(field, sizeof(field), text)

static void enroll(struct td_pair *pair, const char *uuid, const char *name, const char *a, const char *b) {
    const char *const serials[2] = {a, b};
    *pair = (struct td_pair){.generation = 7, .intent = 7};
    PUT(pair->uuid, uuid);
    PUT(pair->collection, name);
    for (int i = 0; i < 2; i++) {
        struct td_member *member = &pair->members[i];
        *member = (struct td_member){.letter = "AB"[i], .size = SIZE, .generation = 7};
        snprintf(member->token, sizeof(member->token), "%s-%c", name, "AB"[i]);
        member->identity.source = serials[i] ? TD_IDENTITY_ATA : TD_IDENTITY_NONE;
        PUT(member->identity.serial, serials[i] ? serials[i] : "");
    }
}

static int setup(void **state) {
    (void)state;
    enroll(&pairs[0], UUID_M, "M", "WD-WCC4M7", "WD-WCC4N0");
    enroll(&pairs[1], UUID_T, "Tb", "ST-4TA", "ST-4TB");
    seen = (struct td_observation){.dock = "server"};
    policy = (struct td_policy){.prove_every = 4};
    return 0;
}

static struct td_slot *disk(int s, const char *type, const char *uuid, const char *label, const char *serial) {
    struct td_slot *slot = &seen.slots[s];
    *slot = (struct td_slot){.present = true, .disk = {.size = SIZE}, .card_state = TD_CARD_ABSENT};
    PUT(slot->disk.node, s == 0 ? "/dev/sdb" : "/dev/sdc");
    slot->fs.device = slot->disk;
    PUT(slot->fs.type, type);
    slot->blank = type[0] == '\0';
    PUT(slot->fs.uuid, uuid);
    PUT(slot->fs.label, label);
    slot->identity.source = serial ? TD_IDENTITY_ATA : TD_IDENTITY_NONE;
    PUT(slot->identity.serial, serial ? serial : "");
    return slot;
}

static struct td_slot *member(int s, int pair, int index) {
    const struct td_pair *of = &pairs[pair];
    struct td_slot *slot = disk(s, "ext4", of->uuid, "", NULL);
    slot->super_read = true;
    slot->super = (struct td_ext4){.compat = 0x3c, .incompat = 0x2c2, .ro_compat = 0x46b, .inode_size = 256};
    PUT(slot->super.uuid, of->uuid);
    slot->identity = of->members[index].identity;
    slot->card_state = TD_CARD_READ;
    slot->card.member = "AB"[index];
    slot->card.generation = 7;
    slot->card.layout = of->layout;
    PUT(slot->card.pair, of->uuid);
    PUT(slot->card.token, of->members[index].token);
    return slot;
}

static void both_members(void) {
    member(0, 0, 0);
    member(1, 0, 1);
}

static void forget_serials(void) {
    for (int i = 0; i < 2; i++)
        pairs[0].members[i].identity = (struct td_identity){0};
}

static void assert_advice(enum td_verdict verdict, const char *sentence) {
    TD_AUTOBUF struct td_buf text = {0};
    struct td_judgement j = td_judge_dock(&seen, pairs, 2, &policy);
    td_advise(&seen, &j, &text);
    assert_string_equal(td_verdict_name(j.verdict), td_verdict_name(verdict));
    assert_string_equal(td_buf_text(&text), sentence);
}

static void assert_slot(int s, const char *words) {
    TD_AUTOBUF struct td_buf text = {0};
    struct td_judgement j = td_judge_dock(&seen, pairs, 2, &policy);
    td_describe_slot(&seen, &j, s, &text);
    assert_string_equal(td_buf_text(&text), words);
}

static void test_empty(void **state) {
    (void)state;
    assert_advice(TD_EMPTY, "No disk is in dock server. Put in the two disks of one pair.");
    assert_slot(0, "no disk");
}

static void test_merged(void **state) {
    (void)state;
    both_members();
    seen.one_device = true;
    assert_advice(TD_DOCK_MERGED,
                  "Both slots of dock server lead to one disk, /dev/sdb (1.9T, serial WD-WCC4M7). Set the "
                  "dock to show its two disks one by one, or correct its two slots in the "
                  "configuration (`twindock slots` learns them).");
    setup(NULL);
    struct td_slot *slot = disk(0, "ext4", UUID_M, "", "DOCK-1");
    slot->disk.size = slot->fs.device.size = 2 * SIZE;
    assert_advice(TD_DOCK_MERGED,
                  "The only disk in dock server has the UUID of M but is of the wrong size: 3.7T instead "
                  "of 1.9T. Set the dock to show its two disks one by one (not combined); if it does, "
                  "this disk is a copy: take it out.");
    slot = member(0, 0, 0);
    slot->disk.size = slot->fs.device.size = SIZE - 512;
    assert_advice(TD_DOCK_MERGED,
                  "The only disk in dock server calls itself member A of M (WD-WCC4M7) but is of the "
                  "wrong size: 2000398933504 bytes instead of 2000398934016 bytes. It is a copy, or the "
                  "dock shows it wrongly: take it out.");
    both_members();
    seen.slots[1].disk.size = seen.slots[1].fs.device.size = 2 * SIZE;
    assert_advice(TD_DOCK_MERGED,
                  "The disk in the destination slot calls itself member B of M (WD-WCC4N0) but is of the "
                  "wrong size: 3.7T instead of 1.9T. It is a copy, or the dock shows it wrongly: take "
                  "it out.");
}

static void test_duplicate(void **state) {
    (void)state;
    member(0, 0, 0);
    member(1, 0, 0);
    assert_advice(TD_DUPLICATE_IDENTITY,
                  "Both disks say that they are member A of M (WD-WCC4M7). One of them is a copy: "
                  "take it out and put in member B (WD-WCC4N0), A in the source slot and B in the destination slot.");
    disk(0, "ext4", UUID_M, "", "LIAR");
    disk(1, "ext4", UUID_M, "", "LIAR");
    assert_advice(
        TD_DUPLICATE_IDENTITY,
        "Both disks have the UUID of M and report the same serial, and neither has a card that tells which it "
        "is. Take both out and put in member A (WD-WCC4M7) and member B (WD-WCC4N0), A in the "
        "source slot and B in the destination slot.");
    forget_serials();
    member(0, 0, 1);
    member(1, 0, 1);
    assert_advice(TD_DUPLICATE_IDENTITY,
                  "Both disks say that they are member B of M. One of them is a copy: take it out "
                  "and put in member A, A in the source slot and B in the destination slot.");
}

static void test_foreign(void **state) {
    (void)state;
    member(0, 0, 0);
    disk(1, "ntfs", "0C2F36B52F369F26", "Backup", "X1");
    assert_slot(1, "an ntfs disk labelled \"Backup\" (1.9T, serial X1)");
    assert_advice(TD_FOREIGN_DISK, "The disk in the destination slot belongs to no enrolled pair: it is an ntfs disk "
                                   "labelled \"Backup\" (1.9T, serial X1). Take it out and put in member B of M "
                                   "(WD-WCC4N0).");
    disk(0, "", "", "", NULL);
    disk(1, "vfat", "1234-5678", "", NULL)->disk.size = 0;
    assert_advice(
        TD_FOREIGN_DISK,
        "The disk in the source slot belongs to no enrolled pair: it is a disk without a known "
        "filesystem (1.9T). The disk in the destination slot belongs to no enrolled pair: it "
        "is a vfat disk. Put in the two disks of one pair. Two disks that hold a backup already are taken up with "
        "`twindock enroll COLLECTION`, two new ones become a pair with `twindock format COLLECTION`.");
    disk(1, "", "", "", NULL);
    assert_advice(TD_FOREIGN_DISK,
                  "The disk in the source slot belongs to no enrolled pair: it is a disk without a known "
                  "filesystem (1.9T). The disk in the destination slot belongs to no enrolled pair: it "
                  "is a disk without a known filesystem (1.9T). Put in the two disks of one pair, or make these two a "
                  "pair with `twindock format COLLECTION`.");
    seen.slots[1] = (struct td_slot){0};
    assert_advice(
        TD_FOREIGN_DISK,
        "The disk in the source slot belongs to no enrolled pair: it is a disk without a known "
        "filesystem (1.9T). Take it out and put in the two disks of one pair. Two disks that hold a backup already "
        "are taken up with `twindock enroll COLLECTION`, two new ones become a pair with `twindock format "
        "COLLECTION`.");
    seen.slots[0].blank = false;
    assert_slot(0, "a disk without a known filesystem but with data on it (1.9T)");
    seen.slots[0].fs.partition_table = true;
    assert_slot(0, "a partitioned disk without a known filesystem (1.9T)");
    seen.slots[0].fs.ambivalent = true;
    assert_slot(0, "a disk with the marks of several filesystems (1.9T)");
}

static void test_foreign_that_says_more(void **state) {
    (void)state;
    member(0, 0, 0);
    PUT(disk(1, "", "", "", "WD-WCC4N0")->problem, "cannot read /dev/sdc: Input/output error");
    assert_advice(
        TD_FOREIGN_DISK,
        "The disk in the destination slot belongs to no enrolled pair: it is a disk that cannot be read (1.9T, "
        "serial WD-WCC4N0): cannot read /dev/sdc: Input/output error. Its drive is that of member B of M "
        "(WD-WCC4N0), whose filesystem is gone or damaged. Take it out and find out why before you "
        "trust it again; a new disk takes its place with `twindock enroll M --replace B`.");
}

/* The superblock is lost, and the drive tells whose disk it is, whatever is beside it. */
static void test_foreign_of_a_known_drive(void **state) {
    (void)state;
    PUT(disk(0, "", "", "", "ST-4TA")->at.node, "/dev/sdb");
    seen.slots[0].blank = false;
    disk(1, "", "", "", "X1");
    const char *sentence =
        "The disk in the source slot belongs to no enrolled pair: it is a disk without a known filesystem but "
        "with data on it (1.9T, serial ST-4TA). Its drive is that of member A of Tb (ST-4TA), whose filesystem is gone "
        "or damaged. Do not "
        "format it: its files may still be there. `e2fsck -n -b 32768 /dev/sdb` shows it and changes nothing; without "
        "-n it mends. Take it out and find out why before you trust it again; a new disk takes its place with "
        "`twindock enroll Tb --replace A`. The disk in the destination slot belongs to no enrolled pair: it is a disk "
        "without a known filesystem (1.9T, serial X1). Put in the two disks of one pair.";
    assert_advice(TD_FOREIGN_DISK, sentence);
    seen.slots[0].disk.size -= 512; /* its name is enough */
    assert_advice(TD_FOREIGN_DISK, sentence);

    /* A dock may report a serial of its own, for every disk that is put into this slot. */
    seen.slots[0].disk.size += 512;
    seen.slots[0].identity.source = pairs[1].members[0].identity.source = TD_IDENTITY_BRIDGE;
    assert_advice(
        TD_FOREIGN_DISK,
        "The disk in the source slot belongs to no enrolled pair: it is a disk without a known filesystem but "
        "with data on it (1.9T, serial ST-4TA). By the serial that the dock reports its drive is that of member A of "
        "Tb (ST-4TA). Unless that "
        "is the dock's own serial, the filesystem of that member is gone or damaged. Do not format it: its files may "
        "still be there. `e2fsck -n -b 32768 /dev/sdb` shows it and changes nothing; without -n it mends. Take it out "
        "and find out why before you trust it again; a new disk takes its place with `twindock enroll Tb --replace A`. "
        "The disk in the destination slot belongs to no enrolled pair: it is a disk without a known filesystem (1.9T, "
        "serial X1). Put in the two disks of one pair.");
}

/* The ledger is lost: the one thing that must not be said is how to format. */
static void test_foreign_twins(void **state) {
    (void)state;
    disk(0, "ext4", "5b0b1b2e-0000-4000-8000-000000000001", "S-A", NULL);
    disk(1, "ext4", "5b0b1b2e-0000-4000-8000-000000000001", "S-B", NULL);
    assert_advice(TD_FOREIGN_DISK,
                  "These two disks are a pair that this machine's ledger does not know: an ext4 disk labelled "
                  "\"S-A\" (1.9T) in the source slot and an ext4 disk labelled \"S-B\" (1.9T) in the destination slot, "
                  "both with the UUID 5b0b1b2e-0000-4000-8000-000000000001. If they are the backup of a collection, "
                  "take them up with `twindock enroll COLLECTION`; do not format them.");
}

/* Who puts the missing disk where the wrong one was would have to come again: the disks would be swapped. */
static void test_exchange_beside_a_misplaced_member(void **state) {
    (void)state;
    disk(0, "", "", "", NULL);
    member(1, 0, 0);
    assert_advice(TD_FOREIGN_DISK,
                  "The disk in the source slot belongs to no enrolled pair: it is a disk without a known filesystem "
                  "(1.9T). Take it out, move member A of M (WD-WCC4M7) from the destination slot to the source slot, "
                  "and put member B (WD-WCC4N0) into the destination slot.");
    member(0, 0, 1);
    disk(1, "ext4", UUID_M, "M-A", "X1");
    assert_advice(TD_UNKNOWN_MEMBER,
                  "The disk in the destination slot (1.9T, serial X1) has the UUID of M but is neither of its members: "
                  "it has no card. Take it out, move member B of M (WD-WCC4N0) from the source slot to the destination "
                  "slot, and put member A (WD-WCC4M7) into the source slot.");
}

static void test_unknown(void **state) {
    (void)state;
    disk(0, "ext4", UUID_M, "M-A", "X1");
    member(1, 0, 1);
    assert_slot(0, "a disk with the UUID of M that is neither of its members (1.9T, serial X1)");
    assert_advice(TD_UNKNOWN_MEMBER,
                  "The disk in the source slot (1.9T, serial X1) has the UUID of M but is neither of "
                  "its members: it has no card. Take it out and put in member A of M (WD-WCC4M7).");
    struct td_slot *slot = member(0, 0, 0);
    PUT(slot->identity.serial, "X2");
    assert_advice(TD_UNKNOWN_MEMBER,
                  "The disk in the source slot (1.9T, serial X2) has the UUID of M but is neither of "
                  "its members: its card is a member's but its drive is another one, so it is a copy. "
                  "Take it out and put in member A of M (WD-WCC4M7).");
    slot = member(0, 0, 0);
    slot->card_state = TD_CARD_BAD;
    PUT(slot->problem, "the card is no JSON");
    assert_advice(TD_UNKNOWN_MEMBER,
                  "The disk in the source slot (1.9T, serial WD-WCC4M7) has the UUID of M but cannot be recognised as "
                  "one of its members: its card cannot be read (the card is no JSON). Take it out and put in member A "
                  "of M (WD-WCC4M7). If this is that disk, it is damaged: `e2fsck -f /dev/sdb` may mend it, or a new "
                  "disk takes its place with `twindock enroll M --replace A`.");
    assert_slot(0, "a disk with the UUID of M whose card cannot be read (1.9T, serial WD-WCC4M7)");
    slot->card_state = TD_CARD_UNREAD;
    PUT(slot->problem, "cannot mount /dev/sdb: /dev/sdb is in use by something else (mounted, perhaps)");
    assert_advice(TD_UNKNOWN_MEMBER, "The disk in the source slot (1.9T, serial WD-WCC4M7) has the UUID of M, but "
                                     "/dev/sdb is in use, mounted perhaps, so its card cannot be read. Unmount it and "
                                     "try again.");
    disk(0, "ext4", UUID_M, "", "X1");
    disk(1, "xfs", UUID_T, "", "X2");
    assert_advice(
        TD_UNKNOWN_MEMBER,
        "The disk in the source slot (1.9T, serial X1) has the UUID of M but is neither of its members: it has "
        "no card. Take it out and put in member A of M (WD-WCC4M7). The disk in the destination slot (1.9T, "
        "serial X2) has the UUID of Tb but is neither of its members: it does not hold ext4. Take it out and "
        "put in member B of Tb (ST-4TB).");
}

static void test_mixed(void **state) {
    (void)state;
    member(0, 0, 0);
    member(1, 1, 1);
    assert_advice(TD_MIXED_PAIRS,
                  "These are disks of two pairs: member A of M (WD-WCC4M7) is in the source slot and "
                  "member B of Tb (ST-4TB) in the destination slot. Take one of them out and put in "
                  "the other disk of the one that stays, A in the source slot and B in the destination slot. For M "
                  "that is member B (WD-WCC4N0), for Tb member A (ST-4TA).");
}

static void test_missing(void **state) {
    (void)state;
    member(0, 0, 0);
    assert_advice(TD_MISSING_MEMBER,
                  "Member A of M (WD-WCC4M7) is alone, in the source slot. Put member B (WD-WCC4N0) "
                  "into the destination slot. "
                  "If it is in already, the dock mirrors instead of showing both disks, or that disk has failed.");
    seen.slots[0] = (struct td_slot){0};
    member(1, 0, 0);
    assert_advice(TD_MISSING_MEMBER,
                  "Member A of M (WD-WCC4M7) is alone, in the destination slot. Move it to the source "
                  "slot and put member B (WD-WCC4N0) into the destination slot.");
    policy.slots_any = true;
    assert_advice(TD_MISSING_MEMBER, "Member A of M (WD-WCC4M7) is alone, in the destination slot. Put member B "
                                     "(WD-WCC4N0) into the source slot.");
}

/* One member is retired, and a new disk is to take its place. */
static void test_retired(void **state) {
    (void)state;
    member(0, 0, 0);
    pairs[0].members[1] = (struct td_member){0};
    assert_advice(TD_MISSING_MEMBER, "Member A of M (WD-WCC4M7) is alone, in the source slot, and member B is retired. "
                                     "Put a new disk into the destination slot and make it the new one with `twindock "
                                     "enroll M --replace B`.");
    disk(1, "", "", "", NULL);
    assert_advice(
        TD_FOREIGN_DISK,
        "The disk in the destination slot belongs to no enrolled pair: it is a disk without a known filesystem "
        "(1.9T). To make it member B of M, the old one being retired, use `twindock enroll M --replace B`.");
    disk(1, "ntfs", "0C2F36B52F369F26", "Backup", "X1");
    assert_advice(
        TD_FOREIGN_DISK,
        "The disk in the destination slot belongs to no enrolled pair: it is an ntfs disk labelled \"Backup\" "
        "(1.9T, serial X1). Take it out and put in a new disk: `twindock enroll M --replace B` makes it member "
        "B, the old one being retired.");
    seen.slots[0] = (struct td_slot){0};
    member(1, 0, 0);
    assert_advice(TD_MISSING_MEMBER,
                  "Member A of M (WD-WCC4M7) is alone, in the destination slot, and member B is "
                  "retired. Move it to the source slot, put a new disk into the destination slot and "
                  "make it the new one with `twindock enroll M --replace B`.");
}

/* A blank disk where a member belongs, beside the other one. */
static void test_newcomer(void **state) {
    (void)state;
    member(0, 0, 0);
    disk(1, "", "", "", NULL);
    assert_advice(
        TD_FOREIGN_DISK,
        "The disk in the destination slot belongs to no enrolled pair: it is a disk without a known filesystem "
        "(1.9T). Take it out and put in member B of M (WD-WCC4N0). If that one is gone for good, this disk "
        "takes its place with `twindock enroll M --replace B`.");
    seen.slots[1].blank = false;
    assert_advice(
        TD_FOREIGN_DISK,
        "The disk in the destination slot belongs to no enrolled pair: it is a disk without a known filesystem "
        "but with data on it (1.9T). Take it out and put in member B of M (WD-WCC4N0).");
    disk(0, "", "", "", NULL);
    disk(1, "", "", "", NULL)->blank = false;
    assert_advice(
        TD_FOREIGN_DISK,
        "The disk in the source slot belongs to no enrolled pair: it is a disk without a known filesystem "
        "(1.9T). The disk in the destination slot belongs to no enrolled pair: it is a disk without a known "
        "filesystem but with data on it (1.9T). Put in the two disks of one pair. Two disks that hold a backup "
        "already are taken up with `twindock enroll COLLECTION`, two new ones become a pair with `twindock "
        "format COLLECTION`.");
}

static void test_which_is_the_copy(void **state) {
    (void)state;
    member(0, 0, 0)->identity = (struct td_identity){0};
    member(1, 0, 0);
    assert_advice(TD_DUPLICATE_IDENTITY,
                  "Both disks say that they are member A of M (WD-WCC4M7). By its drive that is the one in the "
                  "destination slot, and the one in the source slot is a copy: take it out and put in member B "
                  "(WD-WCC4N0), A in the source slot and B in the destination slot.");
}

/* What a dock that combined two disks leaves on the first of them, when it shows it alone. */
static void test_half_of_a_combined_pair(void **state) {
    (void)state;
    struct td_slot *half = disk(0, "ext4", "5b0b1b2e-0000-4000-8000-000000000001", "", "X1");
    half->super_read = true;
    half->super.block_size = 4096;
    half->super.blocks = 2 * SIZE / 4096;
    assert_advice(
        TD_FOREIGN_DISK,
        "The disk in the source slot belongs to no enrolled pair: it is an ext4 disk (1.9T, serial X1). Its filesystem "
        "is larger than the disk: it looks like one half of two disks that a dock had combined into one. Take it out "
        "and put in the two disks of one pair. Two disks that hold a backup already are taken up with `twindock enroll "
        "COLLECTION`, two new ones become a pair with `twindock format COLLECTION`.");
}

static void test_swapped(void **state) {
    (void)state;
    member(0, 0, 1);
    member(1, 0, 0);
    assert_advice(TD_SWAPPED, "Member B of M (WD-WCC4N0) is in the source slot and member A (WD-WCC4M7) in the "
                              "destination slot. Swap the two disks.");
    assert_slot(0, "member B of M (serial WD-WCC4N0)");
    forget_serials();
    assert_advice(TD_SWAPPED, "Member B of M (WD-WCC4N0) is in the source slot and member A (WD-WCC4M7) in the "
                              "destination slot. Swap the two disks.");
    seen.slots[0].identity.source = seen.slots[1].identity.source = TD_IDENTITY_UDEV;
    assert_advice(TD_SWAPPED, "Member B of M is in the source slot and member A in the destination slot. Swap the two "
                              "disks.");
    assert_slot(0, "member B of M");
    seen.slots[1] = (struct td_slot){0};
    policy.single_allow = true;
    assert_advice(TD_SWAPPED, "Member B of M is in the source slot. Move it to the destination slot.");
}

static void test_wrong_layout(void **state) {
    (void)state;
    seen.mode = TD_MODE_MIRROR;
    member(0, 0, 0);
    assert_advice(TD_WRONG_LAYOUT,
                  "M is a pair of independent twins and dock server mirrors, which would destroy one of "
                  "them. Set the dock to show its two disks one by one, and "
                  "give it `mode = individual` and both slots in the configuration.");
    seen.mode = TD_MODE_INDIVIDUAL;
    pairs[0].layout = TD_LAYOUT_MIRRORED;
    both_members();
    assert_advice(TD_WRONG_LAYOUT,
                  "M is a mirrored pair, which only a mirroring dock may write, and dock server shows its "
                  "disks one by one. Set the dock to mirror (`mode = mirror`) to back up; as it is, the two can be "
                  "compared with `twindock check --full`.");
    pairs[0].layout = TD_LAYOUT_TWINS;
    both_members();
    seen.slots[1].card.layout = TD_LAYOUT_MIRRORED;
    assert_advice(TD_WRONG_LAYOUT,
                  "Something is wrong with member B of M (WD-WCC4N0) in the destination slot: its card "
                  "and the ledger name different layouts. Take both disks out and look into how they "
                  "were enrolled.");
}

static void test_mirror_mode(void **state) {
    (void)state;
    seen.mode = TD_MODE_MIRROR;
    pairs[0].layout = TD_LAYOUT_MIRRORED;
    member(0, 0, 0)->card.generation = 5;
    assert_advice(
        TD_STALE_SOURCE,
        "Member A of M (WD-WCC4M7) in the source slot missed earlier backups: it has "
        "generation 5, the ledger 7. Set the dock to show its two disks one by one (`mode = individual`) and compare "
        "them with `twindock check --full`.");
    seen.slots[0].card.generation = 7;
    pairs[0].members[1].generation = 3;
    assert_advice(
        TD_UNPROVEN_PAIR,
        "Member B of M (WD-WCC4N0) has not been read for 4 runs. Swap the two disks, or set "
        "the dock to show them one by one (`mode = individual`) and compare them with `twindock check --full`.");
    pairs[0].members[1].generation = 4;
    assert_advice(TD_OK, "Member A of M (WD-WCC4M7) is in the source slot of a mirroring dock.");
}

static void test_ahead(void **state) {
    (void)state;
    both_members();
    seen.slots[1].card.generation = 9;
    PUT(seen.slots[1].card.host, "old\nserver");
    assert_advice(
        TD_AHEAD_OF_LEDGER,
        "Member B of M (WD-WCC4N0) in the destination slot was written by a run that this ledger does not know, "
        "on old\\x0aserver (generation 9, the ledger has 7). If this machine is to take over, use `twindock run "
        "--accept-ahead`; if not, take the disks out.");
    seen.slots[0].card.generation = 8;
    assert_advice(TD_AHEAD_OF_LEDGER,
                  "Both disks of M were written by a run that this ledger does not know (generation "
                  "8, the ledger has 7). If this machine is to take over, use `twindock run "
                  "--accept-ahead`; if not, take the disks out.");
}

static void test_unclean(void **state) {
    (void)state;
    both_members();
    seen.slots[1].super.errors = true;
    assert_advice(TD_UNCLEAN,
                  "The filesystem of member B of M (WD-WCC4N0) in the destination slot is not sound: errors "
                  "are recorded in it. Repair it with `e2fsck -f /dev/sdc`, then try again.");
    seen.slots[0].super.incompat |= 0x10000;
    assert_advice(TD_UNCLEAN,
                  "The filesystem of member A of M (WD-WCC4M7) in the source slot has a feature that twindock "
                  "refuses: encrypt. Remove the feature with tune2fs, or put a new disk in the place of this one with "
                  "`twindock enroll M --replace A`. The "
                  "filesystem of member B of M (WD-WCC4N0) in the destination slot is not sound: errors are "
                  "recorded in it. Repair it with `e2fsck -f /dev/sdc`, then try again.");
}

/* The run finds these out after the judgement, and brings its own words. */
static void test_found_by_the_run(void **state) {
    (void)state;
    both_members();
    struct td_judgement j = td_judge_dock(&seen, pairs, 2, &policy);
    TD_AUTOBUF struct td_buf text = {0};
    j.verdict = TD_UNCLEAN;
    j.detail = "e2fsck -p ended with 4";
    td_advise(&seen, &j, &text);
    assert_string_equal(text.data, "e2fsck -p ended with 4. Repair it with `e2fsck -f`, then try again.");
    td_buf_clear(&text);
    j.slot = 0;
    td_advise(&seen, &j, &text);
    assert_string_equal(text.data,
                        "The filesystem of member A of M (WD-WCC4M7) in the source slot is not sound: e2fsck -p "
                        "ended with 4. Repair it with `e2fsck -f /dev/sdb`, then try again.");
    td_buf_clear(&text);
    j.slot = 1;
    j.write_protected = true;
    td_advise(&seen, &j, &text);
    assert_string_equal(text.data,
                        "Member B of M (WD-WCC4N0) in the destination slot is write-protected, so nothing can "
                        "be backed up to it. Take the protection off (a switch or jumper of the disk or the "
                        "dock), then try again.");
    td_buf_clear(&text);
    j.verdict = TD_SOURCE_MISSING;
    j.detail = "The source of M, /a\\x0ab, is empty.";
    td_advise(&seen, &j, &text);
    assert_string_equal(text.data, "The source of M, /a\\x0ab, is empty."); /* escaped once, where it was made */
    td_buf_clear(&text);
    j.verdict = TD_BRAKE;
    j.detail = NULL;
    td_advise(&seen, &j, &text);
    assert_string_equal(text.data, "Nothing was written: too much would be deleted or changed.");
}

static void test_ok(void **state) {
    (void)state;
    both_members();
    assert_advice(TD_OK, "Member A of M (WD-WCC4M7) is in the source slot and member B (WD-WCC4N0) in the destination "
                         "slot.");
    seen.slots[0] = (struct td_slot){0};
    policy.single_allow = true;
    assert_advice(TD_OK, "Member B of M (WD-WCC4N0) is in the destination slot, alone, as the configuration allows.");
}

/* A serial that both bays report, or that the ledger has for both members, stands on no label. */
static void test_no_serial_that_is_a_bridges(void **state) {
    (void)state;
    forget_serials();
    both_members();
    for (int s = 0; s < 2; s++) {
        seen.slots[s].identity.source = TD_IDENTITY_SCSI;
        PUT(seen.slots[s].identity.serial, "LIAR");
    }
    assert_advice(TD_OK, "Member A of M is in the source slot and member B in the destination slot.");
    for (int i = 0; i < 2; i++)
        pairs[0].members[i].identity = seen.slots[i].identity;
    seen.slots[0].identity = seen.slots[1].identity = (struct td_identity){0};
    assert_advice(TD_OK, "Member A of M is in the source slot and member B in the destination slot.");
    PUT(disk(0, "ext4", "0cfdeff4-6502-6510-8086-145408f4e658", "", "LIAR")->identity.serial, "LIAR");
    PUT(seen.slots[1].identity.serial, "LIAR");
    assert_slot(0, "an ext4 disk (1.9T)");
}

static void test_hostile_text(void **state) {
    (void)state;
    member(1, 0, 1);
    disk(0, "ext4", "0cfdeff4-6502-6510-8086-145408f4e658", "\x1b[2J\"\n\xff", "S\rN");
    assert_advice(TD_FOREIGN_DISK,
                  "The disk in the source slot belongs to no enrolled pair: it is an ext4 disk labelled "
                  "\"\\x1b[2J\"\\x0a\\xff\" (1.9T, serial S\\x0dN). Take it out and put in member A of M "
                  "(WD-WCC4M7).");
    PUT(pairs[0].members[0].identity.serial, "\xe2\x80\xae");
    assert_advice(TD_FOREIGN_DISK,
                  "The disk in the source slot belongs to no enrolled pair: it is an ext4 disk labelled "
                  "\"\\x1b[2J\"\\x0a\\xff\" (1.9T, serial S\\x0dN). Take it out and put in member A of M "
                  "(\\xe2\\x80\\xae).");
}

/* A dock that tells serials of its own. */
static void test_docks_that_invent(void **state) {
    (void)state;
    both_members();
    for (int s = 0; s < 2; s++) {
        seen.slots[s].identity.source = TD_IDENTITY_BRIDGE;
        PUT(seen.slots[s].identity.serial, s == 0 ? "DOCK-0" : "DOCK-1");
    }
    assert_slot(1, "member B of M (serial WD-WCC4N0)"); /* as on its label, whatever the dock says */
    assert_advice(TD_OK,
                  "Member A of M (WD-WCC4M7) is in the source slot and member B (WD-WCC4N0) in the destination "
                  "slot. The dock reports serials of its own for them, so their cards alone tell which they are, "
                  "and a copy would not be noticed: a dock that passes on ATA commands is safer.");
    PUT(seen.slots[1].identity.serial, "WD-WCC4N0");
    assert_advice(
        TD_UNKNOWN_MEMBER,
        "The disk in the source slot (1.9T, serial DOCK-0) has the UUID of M but is neither of its members: "
        "its card is a member's but the serial reported for it is not, so it seems to be a copy. Take it out and "
        "put in member A of M (WD-WCC4M7). If its label says that it is the right one, the dock reports a "
        "serial of its own: use one that passes on ATA commands.");
    seen.slots[1] = (struct td_slot){0};
    assert_advice(
        TD_DOCK_MERGED,
        "The only disk in dock server has the card of member A of M (WD-WCC4M7), but the dock reports another "
        "serial than its drive's (DOCK-0). If both disks are in, the dock mirrors or combines them: set it "
        "to show its two disks one by one. If not, put in member B (WD-WCC4N0) too, or use a dock that "
        "passes on ATA commands.");
    seen.mode = TD_MODE_MIRROR;
    assert_advice(TD_WRONG_LAYOUT,
                  "M is a pair of independent twins and dock server mirrors, which would destroy one of "
                  "them. Set the dock to show its two disks one by one, and give it "
                  "`mode = individual` and both slots in the configuration.");
}

static void test_a_dock_that_calls_itself_a_drive(void **state) {
    (void)state;
    PUT(pairs[0].members[0].identity.model, "WDC WD20EFRX");
    PUT(pairs[0].members[1].identity.model, "WDC WD20EFRX");
    PUT(disk(0, "ext4", UUID_M, "", "0JOCKEY1")->identity.model, "H/W \"RAID1\"\n");
    seen.slots[0].card_state = TD_CARD_UNREAD;
    assert_advice(
        TD_DOCK_MERGED,
        "The only disk in dock server has the UUID of M, but calls itself \"H/W \"RAID1\"\\x0a\" (1.9T, serial "
        "0JOCKEY1), which is neither of its drives. If both disks are in, the dock mirrors or combines them: "
        "set it to show its two disks one by one. If not, this disk is a copy: take it out.");
}

/* Enrolled in such a dock, and now the drives are heard. */
static void test_enrolled_where_a_dock_invents(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        pairs[0].members[i].identity.source = TD_IDENTITY_BRIDGE;
        PUT(pairs[0].members[i].identity.serial, i == 0 ? "DOCK-0" : "DOCK-1");
    }
    both_members();
    for (int s = 0; s < 2; s++) {
        seen.slots[s].identity.source = TD_IDENTITY_ATA;
        PUT(seen.slots[s].identity.serial, s == 0 ? "WD-WCC4M7" : "WD-WCC4N0");
    }
    assert_advice(TD_OK,
                  "Member A of M (WD-WCC4M7) is in the source slot and member B (WD-WCC4N0) in the destination "
                  "slot. They were enrolled in a dock that reported serials of its own; `twindock enroll M` enters "
                  "those of their drives.");
    seen.slots[1] = (struct td_slot){0};
    assert_advice(
        TD_UNKNOWN_MEMBER,
        "The disk in the source slot (1.9T, serial WD-WCC4M7) has the UUID of M but is neither of its members: "
        "its card is a member's but the serial reported for it is not, so it seems to be a copy. Take it out and "
        "put in member A of M (DOCK-0). If its label says that it is the right one, it was enrolled in a dock "
        "that reported a serial of its own: put in both disks and say `twindock enroll M`.");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_empty, setup),
        cmocka_unit_test_setup(test_merged, setup),
        cmocka_unit_test_setup(test_duplicate, setup),
        cmocka_unit_test_setup(test_foreign, setup),
        cmocka_unit_test_setup(test_foreign_that_says_more, setup),
        cmocka_unit_test_setup(test_foreign_of_a_known_drive, setup),
        cmocka_unit_test_setup(test_foreign_twins, setup),
        cmocka_unit_test_setup(test_exchange_beside_a_misplaced_member, setup),
        cmocka_unit_test_setup(test_unknown, setup),
        cmocka_unit_test_setup(test_mixed, setup),
        cmocka_unit_test_setup(test_missing, setup),
        cmocka_unit_test_setup(test_retired, setup),
        cmocka_unit_test_setup(test_newcomer, setup),
        cmocka_unit_test_setup(test_which_is_the_copy, setup),
        cmocka_unit_test_setup(test_half_of_a_combined_pair, setup),
        cmocka_unit_test_setup(test_swapped, setup),
        cmocka_unit_test_setup(test_wrong_layout, setup),
        cmocka_unit_test_setup(test_mirror_mode, setup),
        cmocka_unit_test_setup(test_ahead, setup),
        cmocka_unit_test_setup(test_unclean, setup),
        cmocka_unit_test_setup(test_found_by_the_run, setup),
        cmocka_unit_test_setup(test_ok, setup),
        cmocka_unit_test_setup(test_no_serial_that_is_a_bridges, setup),
        cmocka_unit_test_setup(test_docks_that_invent, setup),
        cmocka_unit_test_setup(test_a_dock_that_calls_itself_a_drive, setup),
        cmocka_unit_test_setup(test_enrolled_where_a_dock_invents, setup),
        cmocka_unit_test_setup(test_hostile_text, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
