#include "loopdev.h"

#include "twindock/platform/drive.h"
#include "twindock/platform/udev.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

static struct td_identity id;
static uint8_t ata[512];

/* An ATA string: padded with blanks, the bytes of each word swapped. */
static void put_ata(size_t word, size_t words, const char *text) {
    size_t len = strlen(text);
    for (size_t i = 0; i < 2 * words; i++)
        ata[2 * word + (i ^ 1)] = i < len ? (uint8_t)text[i] : ' ';
}

static void put_word(size_t word, unsigned value) {
    ata[2 * word] = (uint8_t)value;
    ata[2 * word + 1] = (uint8_t)(value >> 8);
}

static void seal(void) {
    uint8_t sum = 0;
    ata[510] = 0xa5;
    ata[511] = 0;
    for (size_t i = 0; i < sizeof ata; i++)
        sum = (uint8_t)(sum + ata[i]);
    ata[511] = (uint8_t)-sum;
}

static void put_drive(void) {
    memset(ata, 0, sizeof ata);
    put_word(0, 0x0040);
    put_ata(10, 10, "     WD-WCC4N0123456");
    put_ata(27, 20, "WDC WD40EFRX-68WT0N0");
    put_word(87, 0x4100);
    put_word(108, 0x5001);
    put_word(109, 0x4ee2);
    put_word(110, 0x0b3f);
    put_word(111, 0xc1d4);
    seal();
}

static int parse_ata(void) {
    return td_drive_parse_ata(ata, sizeof ata, &id);
}

static void ata_drive(void **state) {
    (void)state;
    put_drive();
    assert_int_equal(parse_ata(), 0);
    assert_int_equal(id.source, TD_IDENTITY_ATA);
    assert_string_equal(id.serial, "WD-WCC4N0123456");
    assert_string_equal(id.wwn, "0x50014ee20b3fc1d4");
    assert_string_equal(id.model, "WDC WD40EFRX-68WT0N0");
}

static void ata_blanks_are_folded(void **state) {
    (void)state;
    put_drive();
    put_ata(10, 10, "  AB   CD  ");
    put_ata(27, 20, " ST4000DM000   x ");
    seal();
    assert_int_equal(parse_ata(), 0);
    assert_string_equal(id.serial, "AB CD");
    assert_string_equal(id.model, "ST4000DM000 x");
    /* Twenty characters without a blank have room. */
    put_ata(10, 10, "S2H7J9BC1234567890AB");
    seal();
    assert_int_equal(parse_ata(), 0);
    assert_string_equal(id.serial, "S2H7J9BC1234567890AB");
}

static void ata_without_wwn_or_serial(void **state) {
    (void)state;
    put_drive();
    put_word(87, 0x0100); /* the word is not valid */
    seal();
    assert_int_equal(parse_ata(), 0);
    assert_string_equal(id.wwn, "");
    put_word(87, 0x4000); /* valid, and no WWN */
    seal();
    assert_int_equal(parse_ata(), 0);
    assert_string_equal(id.wwn, "");

    put_drive();
    put_ata(10, 10, "");
    seal();
    assert_int_equal(parse_ata(), 0);
    assert_string_equal(id.serial, "");
    assert_string_equal(id.wwn, "0x50014ee20b3fc1d4");
    put_word(87, 0);
    seal();
    assert_int_equal(parse_ata(), -EINVAL); /* neither */
    assert_string_equal(id.model, "");
}

static void ata_wwns_that_are_none(void **state) {
    (void)state;
    put_drive();
    for (size_t word = 108; word < 112; word++)
        put_word(word, 0);
    seal();
    assert_int_equal(parse_ata(), 0);
    assert_string_equal(id.wwn, "");
    put_word(108, 0x5000);
    seal();
    assert_int_equal(parse_ata(), 0);
    assert_string_equal(id.wwn, "");
    for (size_t word = 108; word < 112; word++)
        put_word(word, 0xffff);
    seal();
    assert_int_equal(parse_ata(), 0);
    assert_string_equal(id.wwn, "");
}

static void ata_damage(void **state) {
    (void)state;
    memset(ata, 0, sizeof ata);
    assert_int_equal(parse_ata(), -EINVAL);
    memset(ata, 0xff, sizeof ata);
    assert_int_equal(parse_ata(), -EINVAL);
    memset(ata, ' ', sizeof ata);
    assert_int_equal(parse_ata(), -EINVAL);
    put_drive();
    assert_int_equal(td_drive_parse_ata(ata, 511, &id), -EINVAL);
    assert_int_equal(td_drive_parse_ata(ata, 0, &id), -EINVAL);
    for (size_t at = 0; at < sizeof ata; at++) { /* the checksum sees each byte */
        ata[at] ^= 0x01;
        if (at != 510)
            assert_int_equal(parse_ata(), -EINVAL);
        ata[at] ^= 0x01;
    }
    put_word(0, 0x8580); /* ATAPI */
    seal();
    assert_int_equal(parse_ata(), -EINVAL);
    put_drive();
    put_ata(27, 20, "WDC\x80");
    seal();
    assert_int_equal(parse_ata(), -EINVAL);
    put_drive();
    put_ata(10, 10, "AB\x01");
    put_word(87, 0);
    seal();
    assert_int_equal(parse_ata(), -EINVAL);
    /* Without the signature there is no checksum to be wrong. */
    put_drive();
    put_word(255, 0);
    assert_int_equal(parse_ata(), 0);
}

static void serials_that_are_none(void **state) {
    (void)state;
    static const char *const none[] = {
        "",
        " ",
        "0",
        "-",
        "0000000000",
        "000000000000000000000",
        "FFFFFFFF",
        "123456789012",
        "0123456789ABCDEF",
        "0123456789abcdef",
        "ABCDEF0123456789",
        "12345678",
        "ABCDEFGHIJKL",
        "000000000001",
        "00000000000000000000A",
        "to be filled by o.e.m.",
        "DeadBeef",
        "....",
        "None",
        "000 000",
        "a\tb",
        "\xff\xff\xff",
        "caf\xc3\xa9",
        "a serial that is so long that it cannot be kept whole, and so is not kept at all",
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_int_equal(td_drive_parse_serial(none[i], &id), -EINVAL);
        assert_string_equal(id.serial, "");
    }
    static const char *const some[] = {"WD-WCC4N0",     "A",     "7",  "0000001", "1000000000",
                                       "1234567890121", "12345", "S1", "00A0",    "000000000010"};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        assert_int_equal(td_drive_parse_serial(some[i], &id), 0);
        assert_string_equal(id.serial, some[i]);
    }
    assert_int_equal(td_drive_parse_serial("  two  words \nand more", &id), 0);
    assert_string_equal(id.serial, "two words");
}

static void names_in_sysfs(void **state) {
    (void)state;
    assert_int_equal(td_drive_parse_wwid("naa.5000C500A1B2C3D4\n", &id), 0);
    assert_string_equal(id.wwn, "0x5000c500a1b2c3d4");
    assert_int_equal(td_drive_parse_wwid("eui.0025385b71b00e2f", &id), 0);
    assert_string_equal(id.wwn, "0x0025385b71b00e2f");
    assert_int_equal(td_drive_parse_wwid("0x600508b1001c0123456789abcdef0123", &id), 0);
    assert_string_equal(id.wwn, "0x600508b1001c0123456789abcdef0123");
    static const char *const none[] = {
        "",
        "t10.ATA     WDC",
        "nvme.8086-50",
        "naa.",
        "naa.5000c500a1b2c3d",
        "naa.5000c500a1b2c3dg",
        "0x0000000000000000",
        "0x5000000000000000",
        "eui.ffffffffffffffff",
        "5000c500a1b2c3d4",
        "naa.5000c500a1b2c3d4ff",
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(td_drive_parse_wwid(none[i], &id), -EINVAL);
}

static void paths_with_a_bridge(void **state) {
    (void)state;
    static const char usb[] =
        "../../devices/pci0000:00/0000:00:14.0/usb3/3-1/3-1:1.0/host6/target6:0:0/6:0:0:1/block/sdc";
    static const char firewire[] =
        "../../devices/pci0000:00/0000:05:00.0/fw1/fw1.0/host8/target8:0:0/8:0:0:0/block/sdd";
    static const char sata[] = "../../devices/pci0000:00/0000:00:1f.2/ata2/host1/target1:0:0/1:0:0:0/block/sdb";
    static const char sas[] =
        "../../devices/pci0000:00/0000:02:00.0/host0/port-0:0/usbish/fwd/end_device-0:0/block/sda";
    assert_true(td_drive_path_is_bridged(usb));
    assert_true(td_drive_path_is_bridged(firewire));
    assert_false(td_drive_path_is_bridged(sata));
    assert_false(td_drive_path_is_bridged(sas));
}

static void vpd_serial(void **state) {
    (void)state;
    const uint8_t page[] = "\x00\x80\x00\x0c   SN-12  34";
    assert_int_equal(td_drive_parse_vpd80(page, 16, &id), 0);
    assert_int_equal(id.source, TD_IDENTITY_SCSI);
    assert_string_equal(id.serial, "SN-12 34");
    for (size_t len = 0; len < 16; len++) /* cut short: a part of a serial is none */
        assert_int_equal(td_drive_parse_vpd80(page, len, &id), -EINVAL);
    const uint8_t other_page[] = "\x00\x83\x00\x0cSERIAL123456";
    assert_int_equal(td_drive_parse_vpd80(other_page, 16, &id), -EINVAL);
    const uint8_t no_unit[] = "\x7f\x80\x00\x0cSERIAL123456";
    assert_int_equal(td_drive_parse_vpd80(no_unit, 16, &id), -EINVAL);
    const uint8_t padded[] = "\x00\x80\x00\x0cSERIAL12\x00\x00\x00\x00";
    assert_int_equal(td_drive_parse_vpd80(padded, 16, &id), 0);
    assert_string_equal(id.serial, "SERIAL12");
    const uint8_t placeholder[] = "\x00\x80\x00\x0c"
                                  "123456789012";
    assert_int_equal(td_drive_parse_vpd80(placeholder, 16, &id), -EINVAL);
    uint8_t nothing[252] = {0};
    assert_int_equal(td_drive_parse_vpd80(nothing, sizeof nothing, &id), -EINVAL);
}

/* The page from a list of designators. */
static int parse_designators(const uint8_t *list, size_t len, size_t cut) {
    uint8_t page[256] = {0x00, 0x83, 0x00, (uint8_t)len};
    memcpy(page + 4, list, len);
    /* In memory of exactly its size, so that a step beyond is seen. */
    uint8_t *exact = malloc(4 + len - cut);
    assert_non_null(exact);
    memcpy(exact, page, 4 + len - cut);
    int rc = td_drive_parse_vpd83(exact, 4 + len - cut, &id);
    free(exact);
    return rc;
}

#define T10 0x02, 0x01, 0x00, 0x08, 'A', 'T', 'A', ' ', ' ', ' ', ' ', ' '
#define EUI 0x01, 0x02, 0x00, 0x08, 0x00, 0x25, 0x38, 0x5b, 0x71, 0xb0, 0x0e, 0x2f
#define NAA3 0x01, 0x03, 0x00, 0x08, 0x30, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07
#define NAA5 0x01, 0x03, 0x00, 0x08, 0x50, 0x00, 0xc5, 0x00, 0xa1, 0xb2, 0xc3, 0xd4
#define NAA5_PORT 0x61, 0x93, 0x00, 0x08, 0x50, 0x00, 0xc5, 0x00, 0xa1, 0xb2, 0xc3, 0xd6
#define NAA5_EMPTY 0x01, 0x03, 0x00, 0x08, 0x50, 0, 0, 0, 0, 0, 0, 0
#define NAA6 0x01, 0x03, 0x00, 0x10, 0x60, 5, 8, 0xb1, 0, 0x1c, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 0x23

static void vpd_names(void **state) {
    (void)state;
    const uint8_t usual[] = {T10, NAA5_PORT, EUI, NAA3, NAA5, NAA5_EMPTY};
    assert_int_equal(parse_designators(usual, sizeof usual, 0), 0);
    assert_int_equal(id.source, TD_IDENTITY_SCSI);
    assert_string_equal(id.wwn, "0x5000c500a1b2c3d4");
    assert_string_equal(id.serial, "");
    const uint8_t weak[] = {T10, NAA3, EUI};
    assert_int_equal(parse_designators(weak, sizeof weak, 0), 0);
    assert_string_equal(id.wwn, "0x0025385b71b00e2f");
    const uint8_t local[] = {NAA3}; /* made up by whoever sits in between */
    assert_int_equal(parse_designators(local, sizeof local, 0), -EINVAL);
    const uint8_t extended[] = {NAA6};
    assert_int_equal(parse_designators(extended, sizeof extended, 0), 0);
    assert_string_equal(id.wwn, "0x600508b1001c0123456789abcdef0123");
    const uint8_t none[] = {T10, NAA5_PORT, NAA5_EMPTY};
    assert_int_equal(parse_designators(none, sizeof none, 0), -EINVAL);
    assert_int_equal(parse_designators(none, 0, 0), -EINVAL);
}

static void vpd_names_damaged(void **state) {
    (void)state;
    const uint8_t list[] = {T10, NAA5};
    for (size_t cut = 1; cut <= sizeof list; cut++)
        assert_int_equal(parse_designators(list, sizeof list, cut), -EINVAL);
    const uint8_t too_long[] = {NAA5, 0x01, 0x03, 0x00, 0xff, 0x60, 1, 2, 3};
    assert_int_equal(parse_designators(too_long, sizeof too_long, 0), 0); /* what came before it counts */
    assert_string_equal(id.wwn, "0x5000c500a1b2c3d4");
    const uint8_t empty[] = {0x01, 0x03, 0x00, 0x00, 0x01, 0x03, 0x00, 0x01, 0x50, 0x01};
    assert_int_equal(parse_designators(empty, sizeof empty, 0), -EINVAL);
    for (size_t len = 0; len < 4; len++)
        assert_int_equal(td_drive_parse_vpd83((const uint8_t *)"\x00\x83\x00", len, &id), -EINVAL);
}

static void a_loop_device_says_nothing(void **state) {
    (void)state;
    if (geteuid() != 0)
        skip();
    struct loopdev loop;
    struct td_blockdev disk;
    struct td_error err = {0};
    loopdev_create(&loop, 1 << 20);
    loopdev_attach(&loop, false);
    int rc = td_blockdev_from_node(loop.node, &disk, &err);
    if (rc == 0)
        rc = td_drive_identify(&disk, &id, &err);
    struct td_udev_properties properties;
    int udev_rc = td_udev_properties(disk.number, &properties, &err);
    loopdev_destroy(&loop);
    assert_int_equal(rc, 0);
    assert_int_equal(id.source, TD_IDENTITY_NONE);
    assert_string_equal(id.serial, "");
    assert_string_equal(id.wwn, "");
    assert_int_equal(udev_rc, 0);
    assert_string_equal(properties.serial, "");
    assert_string_equal(properties.id_path, "");
    assert_int_equal(err.code, 0);
}

static void a_drive_that_is_gone(void **state) {
    (void)state;
    struct td_blockdev disk = {.node = "/dev/no-such-device", .disk_number = makedev(240, 77)};
    assert_int_equal(td_drive_identify(&disk, &id, NULL), -ENXIO);
    assert_int_equal(id.source, TD_IDENTITY_NONE);
}

static void nothing_at_an_unknown_path(void **state) {
    (void)state;
    struct td_blockdev disk;
    struct td_error err = {0};
    assert_int_equal(td_udev_find_path("pci-0000:99:99.9-usb-0:3:1.0-scsi-0:0:0:0", &disk, &err), -ENOENT);
    assert_int_equal(td_udev_find_path("*", &disk, &err), -ENOENT); /* no pattern */
    assert_int_equal(td_udev_find_path("", &disk, &err), -ENOENT);
    assert_int_equal(err.code, 0);
    struct td_udev_properties properties;
    assert_int_equal(td_udev_properties(makedev(240, 77), &properties, &err), 0);
    assert_string_equal(properties.model, "");
    if (access("/run/udev/control", F_OK) != 0)
        assert_int_equal(td_udev_settle(60000), 0); /* at once, where no udevd runs */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ata_drive),
        cmocka_unit_test(ata_blanks_are_folded),
        cmocka_unit_test(ata_without_wwn_or_serial),
        cmocka_unit_test(ata_wwns_that_are_none),
        cmocka_unit_test(ata_damage),
        cmocka_unit_test(serials_that_are_none),
        cmocka_unit_test(names_in_sysfs),
        cmocka_unit_test(paths_with_a_bridge),
        cmocka_unit_test(vpd_serial),
        cmocka_unit_test(vpd_names),
        cmocka_unit_test(vpd_names_damaged),
        cmocka_unit_test(a_loop_device_says_nothing),
        cmocka_unit_test(a_drive_that_is_gone),
        cmocka_unit_test(nothing_at_an_unknown_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
