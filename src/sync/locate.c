#include "twindock/sync/locate.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/platform/extents.h"
#include "twindock/sync/walk.h"

#include <errno.h>
#include <fcntl.h>

struct locating {
    int root;
    const struct td_range *places;
    size_t count;
    int (*each)(void *ctx, const char *path, size_t place);
    void *ctx;
    size_t found; /* of the file being looked at; count: none */
};

/* The first place that ends behind the beginning of `where`, by halving; it is hit if it begins before its end. */
static int look_up(void *ctx, const struct td_range *where) {
    struct locating *locating = ctx;
    size_t low = 0, high = locating->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (locating->places[middle].start + locating->places[middle].length > where->start)
            high = middle;
        else
            low = middle + 1;
    }
    if (low < locating->found && locating->places[low].start < where->start + where->length)
        locating->found = low;
    return 0;
}

static int look_at(void *ctx, const struct td_entry *entry) {
    struct locating *locating = ctx;
    if (entry->error != 0 || !(S_ISREG(entry->mode) || S_ISDIR(entry->mode)))
        return 0;
    TD_AUTOCLOSE int fd = td_open_beneath(locating->root, entry->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOATIME, 0);
    locating->found = locating->count;
    if (fd < 0 || td_extents_each(fd, look_up, locating) < 0 || locating->found == locating->count)
        return 0;
    return locating->each(locating->ctx, entry->path, locating->found);
}

int td_locate(int root, const struct td_range *places, size_t count, const atomic_bool *cancel,
              int (*each)(void *ctx, const char *path, size_t place), void *ctx, struct td_error *err) {
    const struct td_walk_options options = {.one_filesystem = true, .cancel = cancel};
    struct locating locating = {.root = root, .places = places, .count = count, .each = each, .ctx = ctx};
    return count == 0 ? 0 : td_walk(root, &options, look_at, &locating, err);
}
