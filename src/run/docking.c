#include "twindock/run/docking.h"

#include "twindock/base/beneath.h"
#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/config/config.h"
#include "twindock/dock/card.h"
#include "twindock/platform/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FREE_WITHIN_MS 10000 /* a disk that is not free by then is held by somebody else */

void td_docking_init(struct td_docking *docking, const struct td_config *config, const struct td_dock_config *dock) {
    *docking =
        (struct td_docking){.config = config, .dock = dock, .lock = -1, .pair_lock = -1, .device_lock = {-1, -1}};
    for (int side = 0; side < TD_SIDES; side++)
        docking->mounted[side] = (struct td_mounted){-1, -1, -1, TD_UNPROTECTED};
}

/* Locks lie beside the ledger: whoever shares the ledger shares the locks. A descriptor, -EALREADY: another run has it.
 */
static int lock_file(const struct td_config *config, const char *kind, const char *name, const char *words,
                     struct td_error *err) {
    TD_AUTOFREE char *copy = strdup(config->ledger);
    TD_AUTOBUF struct td_buf path = {0};
    if (copy == NULL)
        return td_fail(err, ENOMEM, "locking %s %s", kind, name);
    const char *dir = dirname(copy);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return td_fail(err, errno, "cannot make the ledger's directory %s", dir);
    td_buf_printf(&path, "%s/%s-%s.lock", dir, kind, name);
    int fd = open(path.data, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return td_fail(err, errno, "cannot open the lock file %s", path.data);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    int error = errno;
    close(fd);
    if (error == EWOULDBLOCK)
        return td_fail_text(err, EALREADY, "%s is in use by another run of twindock; wait until it has ended", words);
    return td_fail(err, error, "cannot lock %s", path.data);
}

int td_docking_lock(struct td_docking *docking, struct td_error *err) {
    char words[TD_NAME_MAX + 8];
    snprintf(words, sizeof words, "dock %s", docking->dock->name);
    docking->lock = lock_file(docking->config, "dock", docking->dock->name, words, err);
    return docking->lock < 0 ? docking->lock : 0;
}

int td_docking_lock_pair(const struct td_config *config, const struct td_pair *pair, struct td_error *err) {
    char words[TD_NAME_MAX + 8];
    snprintf(words, sizeof words, "pair %s", pair->collection);
    return lock_file(config, "pair", pair->uuid, words, err);
}

static int lock_pair(struct td_docking *docking, struct td_error *err) {
    if (docking->pair_lock >= 0)
        close(docking->pair_lock);
    docking->pair_lock = -1;
    if (docking->judgement.pair == NULL)
        return 0;
    docking->pair_lock = td_docking_lock_pair(docking->config, docking->judgement.pair, err);
    return docking->pair_lock < 0 ? docking->pair_lock : 0;
}

struct td_policy td_docking_policy(const struct td_docking *docking, bool accept_ahead) {
    return (struct td_policy){
        .slots_any = docking->dock->slots_any,
        .single_allow = docking->dock->single_allow,
        .accept_ahead = accept_ahead,
        .prove_every = 4,
    };
}

static void release_devices(struct td_docking *docking) {
    for (int slot = 0; slot < TD_SLOTS; slot++) {
        if (docking->device_lock[slot] >= 0)
            close(docking->device_lock[slot]);
        docking->device_lock[slot] = -1;
    }
}

/* What is open under our lock: is it the disk that was looked at? Names and numbers may have passed to another one. */
static int check_locked(const struct td_docking *docking, int slot, struct td_error *err) {
    const struct td_slot *seen = &docking->seen.slots[slot];
    if (docking->device_lock[slot] < 0 || seen->disk.number != seen->disk.disk_number)
        return 0;
    return td_blockdev_check_open(docking->device_lock[slot], &seen->disk, err);
}

/* Keep udevd's probes and other programs that follow the convention away from the disks while we look and work. A disk
 * that another program has locked is judged as one that cannot be looked at. */
static int lock_devices(struct td_docking *docking, struct td_error *err) {
    for (int slot = 0; slot < TD_SLOTS; slot++) {
        struct td_slot *seen = &docking->seen.slots[slot];
        struct td_error error = {0};
        if (!seen->present || (slot == TD_SLOT_DESTINATION && docking->seen.one_device))
            continue;
        char node[TD_NODE_MAX + 8];
        snprintf(node, sizeof node, "/dev/%s", seen->disk.disk);
        int fd = td_blockdev_lock(node, &error);
        if (fd == -EBUSY) {
            seen->card_state = TD_CARD_UNREAD;
            snprintf(seen->problem, sizeof seen->problem, "%.*s", (int)sizeof seen->problem - 1, error.text);
        } else if (fd < 0) {
            *err = error;
            return fd;
        } else {
            docking->device_lock[slot] = fd;
            int still = check_locked(docking, slot, err);
            if (still < 0)
                return still;
        }
    }
    return 0;
}

static bool half_full(const struct td_observation *seen) {
    return seen->slots[TD_SLOT_SOURCE].present != seen->slots[TD_SLOT_DESTINATION].present;
}

/* Half a minute of silence looks like a program that hangs. */
static void tell_waiting(const struct td_dock_config *dock) {
    if (dock->settle > 0 && isatty(STDERR_FILENO))
        dprintf(STDERR_FILENO, "Waiting up to %lld s for the other disk of dock %s.\n", (long long)dock->settle,
                dock->name);
}

/* How often the halves of a mirrored pair must be proven is the collection's matter, known when the pair is. */
static void judge(struct td_docking *docking, const struct td_policy *policy) {
    docking->judgement = td_judge_dock(&docking->seen, docking->pairs, docking->pair_count, policy);
    const struct td_pair *pair = docking->judgement.pair;
    const struct td_collection_config *collection =
        pair != NULL ? td_config_collection(docking->config, pair->collection) : NULL;
    if (collection == NULL || collection->prove_every == policy->prove_every)
        return;
    struct td_policy own = *policy;
    own.prove_every = collection->prove_every;
    docking->judgement = td_judge_dock(&docking->seen, docking->pairs, docking->pair_count, &own);
}

static int look_and_lock(struct td_docking *docking, enum td_look look, struct td_error *err) {
    int rc = 0;
    release_devices(docking);
    if (look == TD_LOOK_SETTLED)
        rc = td_observe_settled(docking->dock, docking->pairs, docking->pair_count, &docking->seen, err);
    else
        rc = td_observe(docking->dock, docking->pairs, docking->pair_count, &docking->seen, err);
    if (rc == 0 && look == TD_LOOK_ONCE && docking->dock->mode == TD_MODE_INDIVIDUAL && half_full(&docking->seen)) {
        tell_waiting(docking->dock);
        rc = td_observe_settled(docking->dock, docking->pairs, docking->pair_count, &docking->seen, err);
    }
    return rc == 0 ? lock_devices(docking, err) : rc;
}

int td_docking_look(struct td_docking *docking, struct td_ledger *ledger, enum td_look look,
                    const struct td_policy *policy, struct td_error *err) {
    enum { TRIES = 3 }; /* a disk that is exchanged between the look and the lock is looked at anew */
    free(docking->pairs);
    docking->pairs = NULL;
    int rc = td_ledger_pairs(ledger, &docking->pairs, &docking->pair_count, err);
    if (rc != 0)
        return rc;
    rc = -ENXIO;
    for (int i = 0; i < TRIES && (rc == -ENXIO || rc == -ENOENT); i++)
        rc = look_and_lock(docking, look, err);
    if (rc != 0)
        return rc;
    judge(docking, policy);
    return lock_pair(docking, err);
}

const struct td_slot *td_docking_slot(const struct td_docking *docking, enum td_side side) {
    int slot = docking->judgement.slot_of[side == TD_A ? 0 : 1];
    return slot < 0 ? NULL : &docking->seen.slots[slot];
}

bool td_docking_hides(const struct td_docking *docking, enum td_side side) {
    const struct td_judgement *judgement = &docking->judgement;
    return docking->seen.mode == TD_MODE_MIRROR && judgement->pair != NULL &&
           judgement->pair->layout == TD_LAYOUT_MIRRORED && judgement->slot_of[0] != judgement->slot_of[1] &&
           judgement->slot_of[side - TD_A] < 0;
}

const char *td_docking_first_state(const struct td_docking *docking, enum td_side side) {
    if (td_docking_hides(docking, side))
        return "unseen";
    return docking->judgement.slot_of[side - TD_A] < 0 ? "absent" : "untouched";
}

bool td_docking_is_there(const struct td_docking *docking, enum td_side side) {
    const struct td_slot *slot = td_docking_slot(docking, side);
    struct td_blockdev now;
    return slot != NULL && td_blockdev_from_number(slot->fs.device.number, &now, NULL) == 0 &&
           now.diskseq == slot->fs.device.diskseq;
}

void td_docking_list_disks(const struct td_docking *docking, struct td_buf *out) {
    for (int side = TD_A; side <= TD_B; side++) {
        const struct td_slot *slot = td_docking_slot(docking, (enum td_side)side);
        if (slot != NULL)
            td_buf_printf(out, "%s%c %u:%u/%" PRIu64, out->len > 0 ? " " : "", side == TD_A ? 'A' : 'B',
                          major(slot->fs.device.number), minor(slot->fs.device.number), slot->fs.device.diskseq);
    }
}

bool td_docking_dirty(const struct td_slot *slot) {
    return slot != NULL && slot->super_read && (slot->super.needs_recovery || slot->super.orphans);
}

void td_docking_judge_protection(struct td_docking *docking) {
    struct td_judgement *judgement = &docking->judgement;
    for (int s = 0; s < TD_SLOTS && judgement->verdict == TD_OK; s++) {
        if (judgement->slots[s].match != TD_MATCH_MEMBER ||
            td_blockdev_is_protected(docking->seen.slots[s].fs.device.node) <= 0)
            continue;
        judgement->verdict = TD_UNCLEAN;
        judgement->slot = s;
        judgement->write_protected = true;
    }
}

/* --- mounting -------------------------------------------------------------------------------------------- */

/* Something else than a directory stands there; a symlink is not followed. */
static int fail_open(int rc, const char *name, struct td_error *err) {
    if (rc == -ENOTDIR || rc == -ELOOP)
        return td_fail_text(err, ENOTDIR, "%s on it is no directory, but %s", name,
                            rc == -ELOOP ? "a symlink" : "something else");
    return td_fail(err, -rc, "cannot open the directory %s", name);
}

static int make_directory(int root, const char *path, mode_t mode, struct td_error *err) {
    const char *name = path;
    int rc = td_make_parents(root, path);
    TD_AUTOCLOSE int parent = rc == 0 ? td_open_parent(root, path, &name) : rc;
    if (parent == -ENOTDIR || parent == -ELOOP)
        return fail_open(parent, path, err);
    if (parent < 0)
        return td_fail(err, -parent, "cannot make the directory %s", path);
    if (mkdirat(parent, name, mode) != 0 && errno != EEXIST)
        return td_fail(err, errno, "cannot make the directory %s", path);
    return 0;
}

static int open_inside(struct td_mounted *mounted, const char *target, bool read_only, struct td_error *err) {
    const char *below = strcmp(target, ".") == 0 ? "" : target;
    int rc = 0;
    if (!read_only && *below != '\0')
        rc = make_directory(mounted->root, below, 0755, err);
    if (rc == 0 && !read_only)
        rc = make_directory(mounted->root, TD_DIR, 0755, err);
    if (rc != 0)
        return rc;
    mounted->collection = td_open_beneath(mounted->root, below, O_RDONLY | O_DIRECTORY, 0);
    mounted->store = td_open_beneath(mounted->root, TD_DIR, O_RDONLY | O_DIRECTORY, 0);
    if (mounted->collection < 0 && (mounted->collection != -ENOENT || !read_only))
        return fail_open(mounted->collection, target, err);
    if (mounted->store < 0 && (mounted->store != -ENOENT || !read_only))
        return fail_open(mounted->store, TD_DIR, err);
    return 0;
}

/* Planning may have taken hours. Before a disk is written it must still be the one that was judged: the medium by its
 * sequence number, the filesystem by its UUID, the member by its card. */
int td_docking_same_medium(const struct td_docking *docking, enum td_side side, struct td_error *err) {
    const struct td_slot *slot = td_docking_slot(docking, side);
    struct td_blockdev now;
    struct td_ext4 super;
    int rc = check_locked(docking, docking->judgement.slot_of[side - TD_A], err);
    if (rc == 0)
        rc = td_blockdev_from_number(slot->fs.device.number, &now, err);
    if (rc == 0)
        rc = td_ext4_read(slot->fs.device.node, &super, err);
    if (rc != 0)
        return rc;
    if (now.diskseq != slot->fs.device.diskseq || now.size != slot->fs.device.size ||
        strcmp(super.uuid, slot->super.uuid) != 0)
        return td_fail_text(err, ENXIO, "%s is another disk than the one that was judged; nothing was written to it",
                            slot->fs.device.node);
    return 0;
}

static int same_card(const struct td_slot *slot, int root, struct td_error *err) {
    struct td_card card;
    int rc = td_card_read(root, &card, err);
    if (rc == -ENOENT && slot->card_state == TD_CARD_DUE)
        return 0;
    if (rc == 0 && strcmp(card.token, slot->card.token) == 0 && card.member == slot->card.member)
        return 0;
    return td_fail_text(err, ENXIO, "%s does not carry the card that was judged", slot->fs.device.node);
}

int td_docking_mount_side(struct td_docking *docking, enum td_side side, const char *target, bool read_only,
                          struct td_error *err) {
    const struct td_slot *slot = td_docking_slot(docking, side);
    struct td_mounted *mounted = &docking->mounted[side];
    if (slot == NULL)
        return 0;
    int rc = read_only ? 0 : td_docking_same_medium(docking, side, err);
    if (rc != 0)
        return rc;
    mounted->root = read_only ? td_mount_read_only(&slot->fs.device, &mounted->hold, err)
                              : td_mount_ext4(&slot->fs.device, false, err);
    if (mounted->root < 0)
        return mounted->root;
    rc = check_locked(docking, docking->judgement.slot_of[side - TD_A], err);
    if (rc == 0 && !read_only)
        rc = same_card(slot, mounted->root, err);
    if (rc == 0)
        rc = open_inside(mounted, target, read_only, err);
    return td_wrap(err, rc, "member %c on %s", side == TD_A ? 'A' : 'B', slot->fs.device.node);
}

bool td_docking_own_fault(int rc) {
    return rc == -ENOTDIR || rc == -EUCLEAN || rc == -EBADMSG || rc == -EIO;
}

int td_docking_mount(struct td_docking *docking, const char *target, bool read_only, struct td_error *err) {
    int rc = 0;
    for (int side = TD_A; side <= TD_B && rc == 0; side++)
        rc = td_docking_mount_side(docking, (enum td_side)side, target, read_only, err);
    return rc;
}

static void close_fd(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int td_docking_unmount(struct td_docking *docking, enum td_side side, struct td_error *err) {
    struct td_mounted *mounted = &docking->mounted[side];
    const struct td_slot *slot = td_docking_slot(docking, side);
    if (mounted->root < 0 || slot == NULL)
        return 0;
    int synced = syncfs(mounted->root) == 0 ? 0 : errno;
    close_fd(&mounted->collection);
    close_fd(&mounted->store);
    close_fd(&mounted->root);
    int rc = td_blockdev_wait_free(slot->fs.device.node, FREE_WITHIN_MS, err);
    td_write_protect_end(&mounted->hold);
    return synced == 0
               ? rc
               : td_fail(err, synced, "cannot sync member %c on %s", side == TD_A ? 'A' : 'B', slot->fs.device.node);
}

void td_docking_close(struct td_docking *docking) {
    for (int side = TD_A; side <= TD_B; side++)
        td_docking_unmount(docking, (enum td_side)side, NULL);
    release_devices(docking);
    close_fd(&docking->pair_lock);
    close_fd(&docking->lock);
    free(docking->pairs);
    docking->pairs = NULL;
}

/* --- what check says ------------------------------------------------------------------------------------- */

/* On what the recognition rests: behind a bridge that says the same of both bays it is the card, whatever the bridge
 * says. */
static const char *identity_word(const struct td_slot *slot, const struct td_match_result *match) {
    if (match->match == TD_MATCH_MEMBER && strcmp(match->rests_on, "card") == 0)
        return "card";
    return slot->identity.source != TD_IDENTITY_NONE ? td_identity_source_name(slot->identity.source) : "none";
}

static void fill_slot(const struct td_docking *docking, int index, struct td_check_slot *out) {
    const struct td_slot *slot = &docking->seen.slots[index];
    const struct td_match_result *match = &docking->judgement.slots[index];
    struct td_buf words = {0};
    *out = (struct td_check_slot){.present = slot->present, .generation = -1, .identity = "none"};
    if (!slot->present)
        return;
    const char *node = slot->fs.device.node[0] != '\0' ? slot->fs.device.node : slot->disk.node;
    snprintf(out->device, sizeof out->device, "%.*s", (int)sizeof out->device - 1, node);
    if (match->match == TD_MATCH_MEMBER)
        out->member = match->member == 0 ? 'A' : 'B';
    snprintf(out->serial, sizeof out->serial, "%s", slot->identity.serial);
    out->identity = identity_word(slot, match);
    if (slot->card_state == TD_CARD_READ)
        out->generation = slot->card.generation;
    td_describe_slot(&docking->seen, &docking->judgement, index, &words);
    out->description = td_buf_take(&words);
}

void td_docking_check(const struct td_docking *docking, struct td_check *out) {
    struct td_buf advice = {0};
    const struct td_judgement *judgement = &docking->judgement;
    *out = (struct td_check){.verdict = judgement->verdict};
    snprintf(out->dock, sizeof out->dock, "%s", docking->dock->name);
    out->mode = docking->dock->mode == TD_MODE_MIRROR ? "mirror" : "individual";
    if (judgement->pair != NULL) {
        snprintf(out->collection, sizeof out->collection, "%s", judgement->pair->collection);
        snprintf(out->uuid, sizeof out->uuid, "%s", judgement->pair->uuid);
    }
    td_advise(&docking->seen, judgement, &advice);
    out->advice = td_buf_take(&advice);
    for (int slot = 0; slot < TD_SLOTS; slot++)
        fill_slot(docking, slot, &out->slots[slot]);
}

void td_docking_check_free(struct td_check *check) {
    free(check->advice);
    free(check->full);
    td_json_free(check->full_json);
    for (int slot = 0; slot < TD_SLOTS; slot++)
        free(check->slots[slot].description);
    *check = (struct td_check){0};
}
