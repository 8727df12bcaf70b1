#include "twindock/run/inbox.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int td_inbox_init(struct td_inbox *inbox) {
    pthread_condattr_t attributes;
    *inbox = (struct td_inbox){0};
    inbox->tail = &inbox->head;
    pthread_mutex_init(&inbox->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&inbox->filled, &attributes);
    pthread_condattr_destroy(&attributes);
    return 0;
}

void td_message_free(struct td_message *message) {
    if (message == NULL)
        return;
    free(message->path);
    free(message->from);
    free(message->text);
    free(message->left_out);
    free(message->off_time);
    td_kept_items_free(message->items);
    free(message);
}

void td_inbox_free(struct td_inbox *inbox) {
    while (inbox->head != NULL) {
        struct td_message *next = inbox->head->next;
        td_message_free(inbox->head);
        inbox->head = next;
    }
    pthread_cond_destroy(&inbox->filled);
    pthread_mutex_destroy(&inbox->lock);
}

/* Reports must not get lost: without memory for a few hundred bytes there is no way to go on. */
static void *must(void *memory) {
    if (memory == NULL)
        abort();
    return memory;
}

static void put(struct td_inbox *inbox, struct td_message *message) {
    pthread_mutex_lock(&inbox->lock);
    if (inbox->head == NULL) /* else whoever takes is awake, and goes on until nothing is left */
        pthread_cond_signal(&inbox->filled);
    *inbox->tail = message;
    inbox->tail = &message->next;
    pthread_mutex_unlock(&inbox->lock);
}

void td_inbox_put_op(void *inbox, const struct td_op_done *done) {
    struct td_message *message = must(calloc(1, sizeof *message));
    message->op = *done;
    message->op.path = message->path = must(strdup(done->path));
    message->text = done->text != NULL ? must(strdup(done->text)) : NULL;
    message->op.text = message->text;
    message->left_out = done->left_out != NULL ? must(strdup(done->left_out)) : NULL;
    message->op.left_out = message->left_out;
    message->off_time = done->off_time != NULL ? must(strdup(done->off_time)) : NULL;
    message->op.off_time = message->off_time;
    message->op.from = message->from = done->from != NULL ? must(strdup(done->from)) : NULL;
    for (const struct td_kept_item *item = done->items; item != NULL; item = item->next) {
        struct td_kept_item *copy = td_kept_item_new(&item->version);
        copy->next = message->items;
        message->items = copy;
    }
    message->op.items = message->items;
    put(inbox, message);
}

void td_inbox_put_read(void *inbox, const struct td_read_done *done) {
    struct td_message *message = must(calloc(1, sizeof *message));
    message->is_read = true;
    message->read = *done;
    message->read.path = message->path = must(strdup(done->path));
    put(inbox, message);
}

struct td_message *td_inbox_take(struct td_inbox *inbox, int wait_ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    until.tv_sec += wait_ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&inbox->lock);
    while (inbox->head == NULL && wait_ms > 0)
        if (pthread_cond_timedwait(&inbox->filled, &inbox->lock, &until) != 0)
            break;
    struct td_message *message = inbox->head;
    if (message != NULL) {
        inbox->head = message->next;
        if (inbox->head == NULL)
            inbox->tail = &inbox->head;
        message->next = NULL;
    }
    pthread_mutex_unlock(&inbox->lock);
    return message;
}
