#include "twindock/platform/journal.h"

#include "twindock/base/cleanup.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

bool td_journal_has(int fd, const char *stream) {
    unsigned long long device, inode;
    struct stat st;
    if (stream == NULL || sscanf(stream, "%llu:%llu", &device, &inode) != 2 || fstat(fd, &st) != 0)
        return false;
    return st.st_dev == device && st.st_ino == inode;
}

int td_journal_open(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, len);
    TD_AUTOCLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return -errno;
    return td_take_fd(&fd);
}

static void add_length(struct td_buf *out, uint64_t len) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(len >> (8 * i));
    td_buf_add(out, bytes, sizeof bytes);
}

void td_journal_encode(const struct td_journal_field *fields, size_t count, struct td_buf *out) {
    for (size_t i = 0; i < count; i++) {
        const char *value = fields[i].value != NULL ? fields[i].value : "";
        td_buf_puts(out, fields[i].name);
        if (strchr(value, '\n') == NULL) {
            td_buf_putc(out, '=');
        } else {
            td_buf_putc(out, '\n');
            add_length(out, strlen(value));
        }
        td_buf_puts(out, value);
        td_buf_putc(out, '\n');
    }
}

int td_journal_send(int socket, const struct td_journal_field *fields, size_t count) {
    TD_AUTOBUF struct td_buf entry = {0};
    td_journal_encode(fields, count, &entry);
    ssize_t sent = send(socket, td_buf_text(&entry), entry.len, MSG_NOSIGNAL);
    return sent < 0 ? -errno : 0;
}
