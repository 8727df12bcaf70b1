/* `slots`: which path is which slot of a dock. One disk goes in, then another, and what appears is written down. */
#include "twindock/base/buf.h"
#include "twindock/base/clock.h"
#include "twindock/base/escape.h"
#include "twindock/dock/observe.h"
#include "twindock/platform/drive.h"
#include "twindock/platform/json.h"
#include "twindock/platform/udev.h"
#include "twindock/report/text.h"
#include "twindock/run/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_EVERY_MS 250
#define STABLE_MS 2000 /* a bridge may bring its disks one after the other, or drop the first when the second comes */
#define NS_PER_MS INT64_C(1000000)

struct disks {
    struct td_udev_disk *list;
    size_t count;
};

struct learning {
    const struct td_app *app;
    const struct td_slots_request *request;
    struct disks now;
    struct td_udev_disk found[TD_SLOTS];
};

/* What to write into the configuration: the place, or the node where no place has a name. */
static const char *path_of(const struct td_udev_disk *disk) {
    return disk->id_path[0] != '\0' ? disk->id_path : disk->disk.node;
}

static bool same_disk(const struct td_udev_disk *a, const struct td_udev_disk *b) {
    return a->disk.number == b->disk.number && a->disk.diskseq == b->disk.diskseq &&
           strcmp(path_of(a), path_of(b)) == 0;
}

static bool has(const struct disks *disks, const struct td_udev_disk *disk) {
    for (size_t i = 0; i < disks->count; i++)
        if (same_disk(&disks->list[i], disk))
            return true;
    return false;
}

static bool same_disks(const struct disks *a, const struct disks *b) {
    for (size_t i = 0; i < a->count; i++)
        if (!has(b, &a->list[i]))
            return false;
    return a->count == b->count;
}

/* --- words ------------------------------------------------------------------------------------------------------ */

static void say(const struct learning *l, const char *text) {
    TD_AUTOBUF struct td_buf wrapped = {0};
    if (l->request->tell == NULL)
        return;
    td_text_wrap(&wrapped, text, 100, "");
    if (wrapped.len > 0 && wrapped.data[wrapped.len - 1] == '\n')
        wrapped.data[--wrapped.len] = '\0';
    l->request->tell(l->request->ctx, td_buf_text(&wrapped));
}

/* "/dev/sdb, 1.8T, WDC WD20EARS, serial WD-1" */
static void describe(const struct td_udev_disk *disk, struct td_buf *out) {
    char size[TD_SIZE_MAX];
    struct td_identity identity = {0};
    (void)td_drive_identify(&disk->disk, &identity, NULL); /* a drive that says nothing, or not to us, has a node */
    td_format_size(size, disk->disk.size);
    td_buf_printf(out, "%s, %s", disk->disk.node, size);
    if (identity.model[0] != '\0') {
        td_buf_puts(out, ", ");
        td_escape_text(out, identity.model);
    }
    if (identity.serial[0] != '\0') {
        td_buf_puts(out, ", serial ");
        td_escape_text(out, identity.serial);
    }
}

static void list(const struct learning *l, struct td_buf *out) {
    td_buf_puts(out, l->now.count == 0 ? "No disk is there now.\n" : "These disks are there now:\n");
    for (size_t i = 0; i < l->now.count; i++) {
        td_buf_puts(out, "  ");
        td_escape_text(out, path_of(&l->now.list[i]));
        td_buf_puts(out, "  (");
        describe(&l->now.list[i], out);
        td_buf_puts(out, ")\n");
    }
}

static void say_found(const struct learning *l, int slot) {
    TD_AUTOBUF struct td_buf text = {0};
    td_buf_printf(&text, "The %s slot is ", td_slot_names[slot]);
    td_escape_text(&text, path_of(&l->found[slot]));
    td_buf_puts(&text, " (");
    describe(&l->found[slot], &text);
    td_buf_puts(&text, ").");
    say(l, td_buf_text(&text));
}

/* --- waiting ----------------------------------------------------------------------------------------------------- */

static int look(struct disks *disks, struct td_error *err) {
    free(disks->list);
    *disks = (struct disks){0};
    return td_udev_disks(&disks->list, &disks->count, err);
}

/* Until the disks are others than in l->now, and have stayed so for a while. -EINTR: told to stop. */
static int wait_for_change(struct learning *l, struct disks *seen, struct td_error *err) {
    struct disks next = {0};
    int64_t since = td_boot_ns();
    int rc = look(seen, err);
    while (rc == 0) {
        bool stable = td_boot_ns() - since >= STABLE_MS * NS_PER_MS;
        if (stable && !same_disks(&l->now, seen))
            break;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_EVERY_MS * NS_PER_MS}, NULL);
        if (td_stop_asked(l->app->stop)) {
            rc = td_fail_text(err, EINTR, "stopped");
            break;
        }
        rc = look(&next, err);
        if (rc == 0 && !same_disks(seen, &next)) {
            struct disks old = *seen;
            *seen = next;
            next = old;
            since = td_boot_ns();
        }
    }
    free(next.list);
    return rc;
}

/* What is there and was not. The first slot is no news, for a bridge may let its disk go and take it up again; unless
 * that disk has never been away: then udev has one name for both. */
static size_t newcomers(const struct learning *l, const struct disks *seen, int slot, const struct td_udev_disk **last,
                        bool *again) {
    size_t count = 0;
    *again = false;
    for (size_t i = 0; i < seen->count; i++) {
        const struct td_udev_disk *disk = &seen->list[i];
        if (has(&l->now, disk))
            continue;
        if (slot > 0 && strcmp(path_of(disk), path_of(&l->found[0])) == 0 && !has(seen, &l->found[0])) {
            *again = true;
            continue;
        }
        *last = disk;
        count++;
    }
    return count;
}

static int learn(struct learning *l, int slot, struct td_error *err) {
    for (;;) {
        struct disks seen = {0};
        const struct td_udev_disk *last = NULL;
        bool again = false;
        int rc = wait_for_change(l, &seen, err);
        if (rc < 0) {
            free(seen.list);
            return rc;
        }
        size_t count = newcomers(l, &seen, slot, &last, &again);
        if (count == 1)
            l->found[slot] = *last;
        free(l->now.list);
        l->now = seen;
        if (count == 1)
            return 0;
        if (count > 1)
            say(l,
                "Several disks appeared at once, so there is no telling which is where. Take them out, and put in one "
                "at a time.");
        else if (again)
            say(l, "That is the first slot again. Put a disk into the other one.");
    }
}

/* --- the answer -------------------------------------------------------------------------------------------------- */

static struct td_json *disk_json(const struct td_udev_disk *disk) {
    struct td_json *object = td_json_object();
    struct td_identity identity = {0};
    (void)td_drive_identify(&disk->disk, &identity, NULL);
    td_json_text(object, "path", path_of(disk));
    td_json_text(object, "device", disk->disk.node);
    td_json_int(object, "size", (int64_t)disk->disk.size);
    td_json_text(object, "model", identity.model);
    td_json_text(object, "serial", identity.serial);
    return object;
}

static void print_json(const struct learning *l, struct td_buf *out) {
    struct td_json *root = td_json_object();
    for (int s = 0; s < TD_SLOTS; s++)
        if (l->found[s].disk.number != 0)
            td_json_text(root, td_slot_names[s], path_of(&l->found[s]));
        else
            td_json_null(root, td_slot_names[s]);
    struct td_json *disks = td_json_set(root, "disks", td_json_array());
    for (size_t i = 0; i < l->now.count; i++)
        td_json_append(disks, disk_json(&l->now.list[i]));
    td_json_print(root, out);
    td_json_free(root);
}

static void print_section(const struct learning *l, struct td_buf *out) {
    td_buf_printf(
        out,
        "; for /etc/twindock/twindock.conf; give the dock a name of your own, or paste the last two lines into "
        "its section\n[dock NAME]\nmode = individual\nsource = %s\ndestination = %s\n",
        path_of(&l->found[TD_SLOT_SOURCE]), path_of(&l->found[TD_SLOT_DESTINATION]));
}

static int learn_both(struct learning *l, struct td_error *err) {
    say(l, "Take all disks out of the dock. Then put one into the SOURCE slot, the one from which the dock would copy: "
           "member A's place. (Ctrl-C ends this.)");
    int rc = learn(l, TD_SLOT_SOURCE, err);
    if (rc < 0)
        return rc;
    say_found(l, TD_SLOT_SOURCE);
    say(l, "Leave it in, and put another disk into the DESTINATION slot, member B's place. If none appears, the dock "
           "mirrors "
           "or combines its disks: set it to show them one by one.");
    rc = learn(l, TD_SLOT_DESTINATION, err);
    if (rc == 0)
        say_found(l, TD_SLOT_DESTINATION);
    return rc;
}

/* A name that is shared, or none: then the slots are nodes, with what speaks against them. */
static void check_names(struct learning *l) {
    struct td_udev_disk *found = l->found;
    bool shared = found[0].id_path[0] != '\0' && strcmp(found[0].id_path, found[1].id_path) == 0;
    if (found[0].id_path[0] != '\0' && found[1].id_path[0] != '\0' && !shared)
        return;
    found[0].id_path[0] = found[1].id_path[0] = '\0';
    say(l,
        shared
            ? "udev has one name for both slots, so they can only be told by their device nodes, and these may change "
              "when disks are put in in another order."
            : "Where no udev runs, a slot is known by its device node, and that may change when the machine starts "
              "anew.");
}

static int learn_all(struct learning *l, struct td_error *err) {
    TD_AUTOBUF struct td_buf text = {0};
    list(l, &text);
    if (l->request->tell != NULL)
        l->request->tell(l->request->ctx, text.data);
    int rc = learn_both(l, err);
    if (rc == 0)
        check_names(l);
    return rc;
}

int td_command_slots(const struct td_app *app, const struct td_slots_request *request, struct td_buf *out,
                     struct td_error *err) {
    struct learning l = {.app = app, .request = request};
    int rc = look(&l.now, err);
    if (rc == 0 && !request->list)
        rc = learn_all(&l, err);
    if (rc == 0 && app->json)
        print_json(&l, out);
    else if (rc == 0 && request->list)
        list(&l, out);
    else if (rc == 0)
        print_section(&l, out);
    free(l.now.list);
    return rc;
}
