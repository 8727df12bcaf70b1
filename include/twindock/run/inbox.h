/* Reports from worker threads to the one thread that owns the ledger: a queue with a lock. */
#ifndef TWINDOCK_RUN_INBOX_H
#define TWINDOCK_RUN_INBOX_H

#include "twindock/base/error.h"
#include "twindock/sync/reader.h"
#include "twindock/sync/target.h"

#include <pthread.h>
#include <stdbool.h>

struct td_message {
    struct td_message *next;
    bool is_read;             /* else an operation was done */
    struct td_read_done read; /* path points to `path` below */
    struct td_op_done op;
    char *path, *from, *text, *left_out, *off_time;
    struct td_kept_item *items;
};

struct td_inbox {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct td_message *head, **tail;
};

int td_inbox_init(struct td_inbox *inbox);
void td_inbox_free(struct td_inbox *inbox);
/* From any thread; copies what it is given. `inbox` is a struct td_inbox: the type is that of the workers' callbacks.
 */
void td_inbox_put_op(void *inbox, const struct td_op_done *done);
void td_inbox_put_read(void *inbox, const struct td_read_done *done);
/* The oldest message, waiting up to wait_ms for one; NULL: none. Free with td_message_free. */
struct td_message *td_inbox_take(struct td_inbox *inbox, int wait_ms);
void td_message_free(struct td_message *message);

#endif
