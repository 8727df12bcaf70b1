/* Loaded before the program under test: drives behind loop devices. SAYS has, by semicolons, what each is to say:
 * "MAJOR:MINOR ata SERIAL" answers IDENTIFY DEVICE, "... vpd SERIAL" INQUIRY page 0x80 alone; with "usb-" before the
 * kind the disk sits behind a USB bridge as sysfs tells it. All others have nothing to say. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <scsi/sg.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct drive {
    bool usb, ata;
    char serial[32];
};

static bool find_drive(unsigned major_number, unsigned minor_number, struct drive *out) {
    char name[32], says[512], *rest = NULL;
    const char *all = getenv("SAYS");
    snprintf(name, sizeof name, "%u:%u ", major_number, minor_number);
    snprintf(says, sizeof says, "%s", all != NULL ? all : "");
    for (char *at = strtok_r(says, ";", &rest); at != NULL; at = strtok_r(NULL, ";", &rest)) {
        if (strncmp(at, name, strlen(name)) != 0)
            continue;
        at += strlen(name);
        out->usb = strncmp(at, "usb-", 4) == 0;
        at += out->usb ? 4 : 0;
        out->ata = strncmp(at, "ata ", 4) == 0;
        snprintf(out->serial, sizeof out->serial, "%s", at + 4);
        return true;
    }
    return false;
}

static void put_swapped(uint8_t *reply, size_t at, size_t len, const char *text) {
    for (size_t i = 0; i < len; i++)
        reply[at + (i ^ 1)] = i < strlen(text) ? (uint8_t)text[i] : ' ';
}

static int answer(int fd, sg_io_hdr_t *io) {
    struct stat st;
    struct drive drive;
    bool found = fstat(fd, &st) == 0 && find_drive(major(st.st_rdev), minor(st.st_rdev), &drive);
    bool identify = io->cmdp[0] == 0x85 && io->cmdp[14] == 0xec, page80 = io->cmdp[0] == 0x12 && io->cmdp[2] == 0x80;
    if (!found || !(drive.ata ? identify : page80)) {
        errno = EINVAL;
        return -1;
    }
    uint8_t *reply = io->dxferp;
    size_t len = strlen(drive.serial);
    memset(reply, 0, io->dxfer_len);
    io->status = 0;
    io->resid = 0;
    if (identify) {
        put_swapped(reply, 20, 20, drive.serial);
        put_swapped(reply, 54, 40, "TEST DRIVE");
        return 0;
    }
    reply[1] = 0x80;
    reply[3] = (uint8_t)len;
    memcpy(reply + 4, drive.serial, len);
    io->resid = (int)(io->dxfer_len - 4 - len);
    return 0;
}

int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    static int (*real)(int, unsigned long, ...);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "ioctl");
    return request == SG_IO ? answer(fd, argument) : real(fd, request, argument);
}

ssize_t readlink(const char *path, char *out, size_t size) {
    static ssize_t (*real)(const char *, char *, size_t);
    unsigned numbers[2];
    struct drive drive;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "readlink");
    if (sscanf(path, "/sys/dev/block/%u:%u", &numbers[0], &numbers[1]) != 2 ||
        !find_drive(numbers[0], numbers[1], &drive) || !drive.usb)
        return real(path, out, size);
    static const char target[] = "../../devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/host2/block/sdb";
    size_t len = sizeof target - 1 < size ? sizeof target - 1 : size;
    memcpy(out, target, len);
    return (ssize_t)len;
}
