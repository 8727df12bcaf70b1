/*
 * systemd's journal, spoken to directly: datagrams in its native protocol (systemd.io, "Native Journal Protocol") to a
 * socket in AF_UNIX. So a line has fields beside its words, and `journalctl -o json` or TWINDOCK_COLLECTION=M finds
 * them.
 */
#ifndef TWINDOCK_PLATFORM_JOURNAL_H
#define TWINDOCK_PLATFORM_JOURNAL_H

#include "twindock/base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define TD_JOURNAL_SOCKET "/run/systemd/journal/socket"

enum { TD_JOURNAL_WARNING = 4, TD_JOURNAL_INFO = 6 }; /* PRIORITY: syslog(3)'s levels */

struct td_journal_field {
    const char *name; /* upper-case letters, digits and '_', not at the beginning */
    const char *value;
};

/* Does `fd` lead to the journal? `stream` is the value of JOURNAL_STREAM (systemd.exec(5): "dev:inode"), or NULL. */
bool td_journal_has(int fd, const char *stream);

/* A socket that sends to `path`, or a negative errno: nobody listens there. It never blocks. */
int td_journal_open(const char *path);

/* One entry: 0 or a negative errno (-EAGAIN, the journal does not keep up; -EMSGSIZE). */
int td_journal_send(int socket, const struct td_journal_field *fields, size_t count);

/* The bytes of one entry; pure. A value with a line end in it is sent with its length before it, so that nothing in it
 * becomes a field of its own. */
void td_journal_encode(const struct td_journal_field *fields, size_t count, struct td_buf *out);

#endif
