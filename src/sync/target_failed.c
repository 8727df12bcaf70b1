/* The paths whose new content did not come to be, as a hash set: a member may refuse a million files. */
#include "target_private.h"

#include <stdlib.h>
#include <string.h>

#define TD_FAILED_LEAST 64 /* buckets; a power of two */

static uint64_t td_failed_hash(const char *path) {
    uint64_t hash = 14695981039346656037ULL; /* FNV-1a */
    for (; *path; path++)
        hash = (hash ^ (unsigned char)*path) * 1099511628211ULL;
    return hash;
}

/* Where the path is, or would be: NULL there. */
static struct td_failed **td_failed_find(const struct td_failed_set *set, uint64_t hash, const char *path) {
    struct td_failed **at = &set->bucket[hash & (set->size - 1)];
    while (*at && ((*at)->hash != hash || strcmp((*at)->path, path) != 0))
        at = &(*at)->next;
    return at;
}

/* Without the memory to grow it only becomes slower, once it has begun. */
static void td_failed_grow(struct td_failed_set *set) {
    size_t size = set->size ? 2 * set->size : TD_FAILED_LEAST;
    struct td_failed **bucket = calloc(size, sizeof(struct td_failed *));
    if (!bucket && !set->bucket)
        abort();
    if (!bucket)
        return;
    for (size_t i = 0; i < set->size; i++)
        for (struct td_failed *failed = set->bucket[i], *next; failed; failed = next) {
            struct td_failed **at = &bucket[failed->hash & (size - 1)];
            next = failed->next;
            failed->next = *at;
            *at = failed;
        }
    free(set->bucket);
    set->bucket = bucket;
    set->size = size;
}

bool td_failed_has(const struct td_target *target, const char *path) {
    const struct td_failed_set *set = &target->failed;
    return set->count > 0 && *td_failed_find(set, td_failed_hash(path), path) != NULL;
}

void td_failed_note(struct td_target *target, const char *path) {
    struct td_failed_set *set = &target->failed;
    if (td_failed_has(target, path))
        return;
    if (set->count >= set->size)
        td_failed_grow(set);
    size_t len = strlen(path) + 1;
    struct td_failed *failed = malloc(sizeof(*failed) + len);
    if (!failed)
        abort();
    memcpy(failed->path, path, len);
    failed->hash = td_failed_hash(path);
    struct td_failed **at = &set->bucket[failed->hash & (set->size - 1)];
    failed->next = *at;
    *at = failed;
    set->count++;
}

void td_failed_forget(struct td_target *target, const char *path) {
    struct td_failed_set *set = &target->failed;
    if (set->count == 0)
        return;
    struct td_failed **at = td_failed_find(set, td_failed_hash(path), path), *failed = *at;
    if (!failed)
        return;
    *at = failed->next;
    set->count--;
    free(failed);
}

void td_failed_clear(struct td_target *target) {
    struct td_failed_set *set = &target->failed;
    for (size_t i = 0; i < set->size; i++)
        for (struct td_failed *failed = set->bucket[i], *next; failed; failed = next) {
            next = failed->next;
            free(failed);
        }
    free(set->bucket);
    *set = (struct td_failed_set){0};
}
