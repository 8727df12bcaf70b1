/* A disk that is to be formatted: what must hold before, for `format` and `enroll --replace` alike. */
#include "twindock/base/cleanup.h"
#include "twindock/dock/card.h"
#include "twindock/platform/ext4.h"
#include "twindock/platform/mount.h"
#include "twindock/platform/write_protection.h"
#include "twindock/run/enrolling.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int td_enrolling_may_format(const struct td_docking *docking, int slot, bool erase, struct td_error *err) {
    const struct td_slot *seen = &docking->seen.slots[slot];
    TD_AUTOBUF struct td_buf what = {0};
    td_describe_slot(&docking->seen, &docking->judgement, slot, &what);
    td_write_protect_recover(&seen->at);
    if ((!seen->blank || seen->problem[0] != '\0') && !erase)
        td_fail_text(err, EINVAL,
                     "The %s slot holds %s. It is not empty; if everything on it may be lost, say --erase.",
                     td_slot_names[slot], td_buf_text(&what));
    else if (td_blockdev_wait_free(seen->at.node, 0, NULL) != 0)
        td_fail_text(err, EBUSY, "%s in the %s slot is in use (mounted, or held by another program); free it first.",
                     seen->at.node, td_slot_names[slot]);
    else if (td_blockdev_is_protected(seen->at.node) > 0)
        td_fail_text(err, EROFS, "The disk in the %s slot (%s) is write-protected. Nothing was written.",
                     td_slot_names[slot], seen->at.node);
    else
        return 0;
    return TD_EXIT_REFUSED;
}

/* A drive whose filesystem cannot be found may have lost no more than its first block. */
static void fail_drive(const struct td_docking *docking, int slot, struct td_error *err) {
    const struct td_drive_owner *owner = &docking->judgement.owner[slot];
    TD_AUTOBUF struct td_buf whose = {0};
    td_describe_owner(&docking->seen, &docking->judgement, slot, &whose);
    if (owner->certain)
        td_fail_text(err, EINVAL,
                     "The drive of the disk in the %s slot is that of %s, which is enrolled, though its filesystem is "
                     "not found. It is not formatted: look first whether it can be mended (`e2fsck -n -b 32768 %s` "
                     "changes nothing). If that member is really to be given up, say `twindock retire %s %c` first.",
                     td_slot_names[slot], td_buf_text(&whose), docking->seen.slots[slot].at.node,
                     owner->pair->collection, "AB"[owner->member]);
    else
        td_fail_text(err, EINVAL,
                     "By the serial that the dock reports, the disk in the %s slot is %s, which is enrolled, though "
                     "its filesystem is not found. If that is the dock's own serial, and everything on the disk may "
                     "be lost, say --erase.",
                     td_slot_names[slot], td_buf_text(&whose));
}

int td_enrolling_check_drive(const struct td_docking *docking, int slot, const struct td_pair *pair, int replaced,
                             bool erase, struct td_error *err) {
    const struct td_drive_owner *owner = &docking->judgement.owner[slot];
    if (owner->pair == NULL)
        return 0;
    bool its_own = owner->pair == pair && owner->member == replaced;
    if ((its_own && !owner->certain) || ((its_own || !owner->certain) && erase))
        return 0;
    if (its_own)
        td_fail_text(err, EINVAL,
                     "The disk in the %s slot is the very one that is to be replaced: its drive is that of member %c "
                     "of %s. Find out first why its filesystem is not found (`e2fsck -n -b 32768 %s` changes "
                     "nothing). If it is sound, and everything on it may be lost, say --erase.",
                     td_slot_names[slot], "AB"[replaced], pair -> collection, docking -> seen.slots[slot].at.node);
    else
        fail_drive(docking, slot, err);
    return TD_EXIT_REFUSED;
}

int td_enrolling_card(const struct td_docking *docking, int slot, struct td_card *card) {
    const struct td_slot *seen = &docking->seen.slots[slot];
    if (!seen->super_read)
        return 0;
    struct td_write_protection hold;
    int root = td_mount_read_only(&seen->fs.device, &hold, NULL);
    if (root < 0)
        return 0;
    int rc = td_card_read(root, card, NULL);
    close(root);
    td_write_protect_end(&hold);
    return rc == 0;
}

int td_enrolling_fail_one_disk(const struct td_docking *docking, struct td_error *err) {
    return td_fail_text(
        err, ENOTUNIQ,
        "Both slots of dock %s lead to one disk: %s shows what was written to %s. Nothing was enrolled; "
        "correct the slots in the configuration (`twindock slots` learns them)",
        docking->dock->name, docking->seen.slots[TD_SLOT_DESTINATION].at.node,
        docking->seen.slots[TD_SLOT_SOURCE].at.node);
}

/* A lost ledger must not end in an empty disk. Whoever means it takes the filesystem away by hand first. */
int td_enrolling_refuse_card(const struct td_docking *docking, int slot, const struct td_card *card,
                             struct td_error *err) {
    td_fail_text(err, EEXIST,
                 "The %s slot holds member %c of %s, a backup made by twindock on %s. It is not formatted: `twindock "
                 "enroll %s` takes the pair into this machine's ledger. If it is really to be given up, wipe it "
                 "first (wipefs -a %s), and say --erase.",
                 td_slot_names[slot], card->member, card->collection, card->host, card->collection,
                 docking->seen.slots[slot].fs.device.node);
    return TD_EXIT_REFUSED;
}

/* Since it was looked at, somebody was asked a question, and may have changed the disk meanwhile. */
static int check_still(const struct td_slot *slot, struct td_error *err) {
    TD_AUTOCLOSE int fd = open(slot->at.node, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return td_fail(err, errno, "cannot open %s", slot->at.node);
    return td_blockdev_check_open(fd, &slot->at, err);
}

/* A slot given as a partition means exactly that one: what else is on the disk is not touched. */
int td_enrolling_make(const struct td_docking *docking, int slot, const struct td_collection_config *collection,
                      const char *uuid, int member, struct td_error *err) {
    char label[17];
    const struct td_slot *seen = &docking->seen.slots[slot];
    int rc = check_still(seen, err);
    if (rc < 0)
        return td_wrap(err, rc, "the disk in the %s slot is not formatted", td_slot_names[slot]);
    if (member < 0)
        snprintf(label, sizeof label, "%.16s", collection->name);
    else
        snprintf(label, sizeof label, "%.14s-%c", collection->name, "AB"[member]);
    const struct td_ext4_format format = {.uuid = uuid, .label = label, .files = collection->files};
    return td_ext4_make(seen->at.node, &format, err);
}
