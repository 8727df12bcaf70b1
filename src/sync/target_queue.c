/* What travels to a target's thread, and the queue that bounds how much of it waits there. */
#include "target_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A few hundred bytes that are not to be had leave nothing sensible to do. */
static void *td_must(void *memory) {
    if (!memory)
        abort();
    return memory;
}

struct td_piece *td_piece_new(void *data, size_t len) {
    struct td_piece *piece = malloc(sizeof(*piece));
    if (!piece) {
        free(data);
        return NULL;
    }
    atomic_init(&piece->refs, 1);
    piece->len = len;
    piece->data = data;
    return piece;
}

struct td_piece *td_piece_ref(struct td_piece *piece) {
    atomic_fetch_add_explicit(&piece->refs, 1, memory_order_relaxed);
    return piece;
}

void td_piece_drop(struct td_piece *piece) {
    if (!piece || atomic_fetch_sub_explicit(&piece->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(piece->data);
    free(piece);
}

static char *td_copy_text(const char *text) {
    return text ? td_must(strdup(text)) : NULL;
}

struct td_task *td_task_new(const struct td_op *op, int root) {
    struct td_task *task = td_must(calloc(1, sizeof(*task)));
    task->op = *op;
    task->op.path = td_copy_text(op->path);
    task->op.from = td_copy_text(op->from);
    if (op->entry) {
        task->entry = *op->entry;
        task->entry.path = task->op.path;
        task->entry.target = op->action == TD_ACT_SPECIAL ? td_copy_text(op->entry->target) : NULL;
        task->op.entry = &task->entry;
    }
    task->root = root;
    task->fd = -1;
    return task;
}

/* The texts of an operation are const to everybody but their owner. */
static void td_free_text(const char *text) {
    union {
        const char *text;
        void *memory;
    } owned = {.text = text};
    free(owned.memory);
}

void td_task_free(struct td_task *task) {
    if (!task)
        return;
    if (task->fd >= 0)
        close(task->fd);
    td_free_text(task->op.path);
    td_free_text(task->op.from);
    td_free_text(task->entry.target);
    free(task->text);
    free(task->left_out);
    free(task->off_time);
    free(task->delta);
    td_kept_items_free(task->items);
    free(task);
}

void td_task_fail(struct td_task *task, int errnum, const char *text) {
    if (task->error != 0)
        return;
    task->error = errnum;
    task->text = td_copy_text(text);
}

void td_task_push(struct td_task_list *list, struct td_task *task) {
    task->next = NULL;
    if (!list->head)
        list->tail = &list->head;
    *list->tail = task;
    list->tail = &task->next;
    list->count++;
}

struct td_task *td_task_pop(struct td_task_list *list) {
    struct td_task *task = list->head;
    if (!task)
        return NULL;
    list->head = task->next;
    list->count--;
    task->next = NULL;
    return task;
}

struct td_packet *td_packet_new(enum td_packet_kind kind) {
    struct td_packet *packet = td_must(calloc(1, sizeof(*packet)));
    packet->kind = kind;
    return packet;
}

void td_packet_free(struct td_packet *packet) {
    if (!packet)
        return;
    td_task_free(packet->task);
    td_piece_drop(packet->piece);
    free(packet->read);
    free(packet);
}

static size_t td_packet_cost(const struct td_packet *packet) {
    size_t cost = sizeof(*packet);
    if (packet->piece)
        cost += packet->piece->len;
    if (packet->task)
        cost += sizeof(*packet->task) + strlen(packet->task->op.path);
    return cost;
}

void td_queue_push(struct td_target *target, struct td_packet *packet) {
    packet->cost = td_packet_cost(packet);
    pthread_mutex_lock(&target->lock);
    /* A member that has ended takes everything at once: it only has to be reported. One packet is always let in. */
    while (target->first && target->queued + packet->cost > target->options.queue_bytes &&
           target->state == TD_TARGET_OK)
        pthread_cond_wait(&target->moved, &target->lock);
    bool wanted = packet->kind != TD_PACKET_DATA || target->state == TD_TARGET_OK;
    if (wanted) {
        if (!target->first)
            target->last = &target->first;
        *target->last = packet;
        target->last = &packet->next;
        target->queued += packet->cost;
        pthread_cond_signal(&target->wake);
    }
    pthread_mutex_unlock(&target->lock);
    if (!wanted)
        td_packet_free(packet);
}

struct td_packet *td_queue_pop(struct td_target *target) {
    pthread_mutex_lock(&target->lock);
    while (!target->first && !target->ending)
        pthread_cond_wait(&target->wake, &target->lock);
    struct td_packet *packet = atomic_load(&target->cancel) ? NULL : target->first;
    if (packet) {
        target->first = packet->next;
        packet->next = NULL;
        target->queued -= packet->cost;
        pthread_cond_broadcast(&target->moved);
    }
    pthread_mutex_unlock(&target->lock);
    return packet;
}
