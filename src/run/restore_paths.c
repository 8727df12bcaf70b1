/* The paths that were asked for, without those that lie in another one: nothing is brought back twice. */
#include "restore_private.h"

#include "twindock/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct asked {
    char *path; /* in the collection */
    size_t index;
};

static int stop_at_first(void *ctx, const struct td_state *state) {
    (void)ctx;
    (void)state;
    return 1;
}

static int exists(struct td_restoring *restoring, const char *path) {
    return td_ledger_tree(restoring->ledger, restoring->pair->id, restoring->run, path, stop_at_first, NULL,
                          restoring->err);
}

/* What was typed may be read in two ways; as it stands it counts when there is something of that name. *path is
 * malloc'ed; NULL: there is nothing either way. */
static int resolve(struct td_restoring *restoring, const char *typed, char **path) {
    TD_AUTOFREE char *plain = td_restore_plain_path(restoring->collection, typed);
    const char *found = typed;
    if (plain == NULL)
        return td_fail(restoring->err, ENOMEM, "restoring");
    int rc = *typed == '/' ? 0 : exists(restoring, typed);
    if (rc == 0) {
        found = plain;
        rc = exists(restoring, plain);
    }
    if (rc <= 0)
        return rc;
    *path = strdup(found);
    return *path != NULL ? 0 : td_fail(restoring->err, ENOMEM, "restoring");
}

/* In the order of their bytes, but what lies in a directory right behind it. */
static int by_path(const void *left, const void *right) {
    const struct asked *a = left, *b = right;
    const unsigned char *x = (const unsigned char *)a->path, *y = (const unsigned char *)b->path;
    for (; *x != '\0' && *x == *y; x++)
        y++;
    int one = *x == '/' ? 1 : *x == '\0' ? 0 : *x + 1, other = *y == '/' ? 1 : *y == '\0' ? 0 : *y + 1;
    if (one != other)
        return one < other ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

static bool lies_in(const char *path, const char *top) {
    size_t len = strlen(top);
    return len == 0 || (strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

int td_restore_outermost(struct td_restoring *restoring, bool *wanted) {
    const struct td_restore_request *request = restoring->request;
    struct asked *asked = calloc(request->path_count + 1, sizeof *asked);
    const char *top = NULL;
    size_t count = 0;
    int rc = asked != NULL ? 0 : td_fail(restoring->err, ENOMEM, "restoring");
    for (size_t i = 0; i < request->path_count && rc == 0; i++) {
        rc = resolve(restoring, request->paths[i], &asked[count].path);
        asked[count].index = i;
        wanted[i] = true; /* what there is nothing of is to be told */
        count += rc == 0 && asked[count].path != NULL;
    }
    if (count > 0)
        qsort(asked, count, sizeof *asked, by_path);
    for (size_t i = 0; i < count; i++) {
        wanted[asked[i].index] = top == NULL || !lies_in(asked[i].path, top);
        if (wanted[asked[i].index])
            top = asked[i].path;
    }
    for (size_t i = 0; i < count; i++)
        free(asked[i].path);
    free(asked);
    return rc;
}
