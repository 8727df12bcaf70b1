/* Stopping drives: the bytes that are sent, what answers mean, whose power may be cut, and devices that know none of
 * it. */
#include "loopdev.h"

#include "twindock/base/buf.h"
#include "twindock/platform/drive_power.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_cdb(enum td_power_command command, size_t length, const uint8_t expected[TD_CDB_MAX]) {
    uint8_t cdb[TD_CDB_MAX];
    memset(cdb, 0xee, sizeof cdb);
    assert_int_equal(td_power_cdb(command, cdb), length);
    assert_memory_equal(cdb, expected, sizeof cdb);
}

static void commands(void **state) {
    (void)state;
    assert_cdb(TD_POWER_SYNC, 10, (const uint8_t[16]){0x35});
    assert_cdb(TD_POWER_STOP, 6, (const uint8_t[16]){0x1b});
    assert_cdb(TD_POWER_START, 6, (const uint8_t[16]){0x1b, 0, 0, 0, 1});
    assert_cdb(TD_POWER_READY, 6, (const uint8_t[16]){0});
    assert_cdb(TD_POWER_ATA_STANDBY_16, 16, (const uint8_t[16]){0x85, 0x06, [14] = 0xe0});
    assert_cdb(TD_POWER_ATA_STANDBY_12, 12, (const uint8_t[16]){0xa1, 0x06, [9] = 0xe0});
}

static void answers(void **state) {
    (void)state;
    static const struct {
        uint8_t sense[18];
        size_t len;
        enum td_sense expected;
    } rows[] = {
        {{0}, 0, TD_SENSE_FAILED},
        {{0x70, 0, 0}, 3, TD_SENSE_FAILED},
        {{0x70, 0, 0, [12] = 0, 0}, 18, TD_SENSE_NONE},
        {{0x70, 0, 1, [12] = 0, 0x1d}, 18, TD_SENSE_NONE}, /* ATA registers came back */
        {{0x70, 0, 5, [12] = 0x20}, 18, TD_SENSE_UNKNOWN},
        {{0xf0, 0, 5, [12] = 0x24}, 18, TD_SENSE_UNKNOWN}, /* with the VALID bit */
        {{0x71, 0, 2, [12] = 0x04, 0x02}, 18, TD_SENSE_STOPPED},
        {{0x70, 0, 2, [12] = 0x04, 0x01}, 18, TD_SENSE_FAILED}, /* becoming ready */
        {{0x70, 0, 2, [12] = 0x3a}, 18, TD_SENSE_GONE},
        {{0x70, 0, 4, [12] = 0x44}, 18, TD_SENSE_FAILED}, /* hardware error */
        {{0x70, 0, 5, [12] = 0x20}, 13, TD_SENSE_FAILED}, /* cut short */
        {{0x72, 0x05, 0x20, 0}, 8, TD_SENSE_UNKNOWN},
        {{0x72, 0x02, 0x04, 0x02}, 8, TD_SENSE_STOPPED},
        {{0x73, 0x01, 0, 0x1d}, 4, TD_SENSE_NONE},
        {{0x72, 0x06, 0x29, 0}, 8, TD_SENSE_FAILED}, /* somebody reset the bus */
        {{0x00, 0x05, 0x20, 0}, 8, TD_SENSE_FAILED}, /* no format that we know */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (td_sense_parse(rows[i].sense, rows[i].len) != rows[i].expected)
            fail_msg("row %zu", i);
}

/* --- sysfs --------------------------------------------------------------------------------------------- */

static char top[] = "/tmp/twindock-power-XXXXXX";

static void make(const char *path, bool directory) {
    TD_AUTOBUF struct td_buf full = {0};
    td_buf_printf(&full, "%s/%s", top, path);
    for (char *at = full.data + strlen(top) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(full.data, 0700);
        *at = '/';
    }
    if (directory)
        assert_true(mkdir(full.data, 0700) == 0 || errno == EEXIST);
    else
        close(open(full.data, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

/* A disk in the tree, and its link in block/. */
static void make_disk(const char *name, const char *device) {
    TD_AUTOBUF struct td_buf path = {0}, target = {0}, link = {0};
    td_buf_printf(&path, "%s/block/%s", device, name);
    make(path.data, true);
    td_buf_printf(&link, "%s/block/%s", top, name);
    td_buf_printf(&target, "../%s", path.data);
    make("block", true);
    assert_int_equal(symlink(target.data, link.data), 0);
}

#define USB "devices/pci0/usb1/1-3"

static int set_up(void **state) {
    (void)state;
    if (mkdtemp(top) == NULL)
        return -1;
    make("devices/pci0/usb1/idVendor", false); /* the root hub */
    make(USB "/idVendor", false);
    make(USB "/remove", false);
    make_disk("sda", USB "/1-3:1.0/host4/target4:0:0/4:0:0:0");
    make_disk("sdb", USB "/1-3:1.0/host4/target4:0:0/4:0:0:1");
    make_disk("sdc", "devices/pci0/usb1/1-33/host5/target5:0:0/5:0:0:0"); /* its name begins like the other's */
    make_disk("sdd", "devices/pci0/ata1/host0/target0:0:0/0:0:0:0");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    must_run("rm", "-rf", top, NULL);
    return 0;
}

static void whose_power(void **state) {
    (void)state;
    char path[PATH_MAX], usb[PATH_MAX], expected[PATH_MAX];
    snprintf(expected, sizeof expected, "%s/" USB, top);
    snprintf(path, sizeof path, "%s/" USB "/1-3:1.0/host4/target4:0:0/4:0:0:1/block/sdb", top);
    assert_true(td_power_usb_device(top, path, usb, sizeof usb));
    assert_string_equal(usb, expected);
    assert_int_equal(td_power_count_disks(top, usb), 2);
    assert_false(td_power_usb_device(top, path, usb, 20)); /* no room */
    snprintf(path, sizeof path, "%s/devices/pci0/ata1/host0/target0:0:0/0:0:0:0/block/sdd", top);
    assert_false(td_power_usb_device(top, path, usb, sizeof usb));
    assert_false(td_power_usb_device(top, "/elsewhere/block/sdx", usb, sizeof usb));
}

/* --- real devices that have no motor ------------------------------------------------------------------- */

static void a_loop_device_has_nothing_to_stop(void **state) {
    (void)state;
    struct td_blockdev disk;
    struct td_error err = {0};
    struct loopdev loop = {0};
    if (geteuid() != 0)
        skip();
    loopdev_create(&loop, 1 << 20);
    loopdev_attach(&loop, false);
    assert_int_equal(td_blockdev_from_node(loop.node, &disk, NULL), 0);
    assert_int_equal(td_drive_flush(&disk, &err), 0);
    assert_int_equal(td_drive_standby(&disk, &err), -EOPNOTSUPP);
    const struct td_blockdev *disks[] = {&disk};
    assert_int_equal(td_drives_power_off(disks, 1, &err), -EOPNOTSUPP);
    assert_int_equal(err.code, 0);
    td_drive_wake(&disk);
    loopdev_destroy(&loop);
    snprintf(disk.node, sizeof disk.node, "%s/gone", top);
    assert_int_equal(td_drive_flush(&disk, &err), -ENOENT);
    assert_int_equal(td_drive_standby(&disk, &err), -ENOENT);
    assert_int_not_equal(err.text[0], '\0');
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands),
        cmocka_unit_test(answers),
        cmocka_unit_test(whose_power),
        cmocka_unit_test(a_loop_device_has_nothing_to_stop),
    };
    return cmocka_run_group_tests_name("drive power", tests, set_up, tear_down);
}
