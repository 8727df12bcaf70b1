#include "twindock/platform/extents.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

int td_extents_first(int fd, uint64_t *place) {
    /* The map and room for one extent behind it, as the ioctl wants them. */
    union {
        struct fiemap map;
        char room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
    } ask;
    const uint32_t nowhere = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_DATA_INLINE;
    memset(&ask, 0, sizeof ask);
    *place = 0;
    ask.map.fm_length = FIEMAP_MAX_OFFSET;
    ask.map.fm_extent_count = 1;
    if (ioctl(fd, FS_IOC_FIEMAP, &ask.map) != 0)
        return -errno;
    if (ask.map.fm_mapped_extents > 0 && (ask.map.fm_extents[0].fe_flags & nowhere) == 0)
        *place = ask.map.fm_extents[0].fe_physical;
    return 0;
}

#define AT_ONCE 64 /* extents asked for in one go */

/* One of the file's maps: of its data, or of its attributes. */
static int each_of(int fd, uint32_t flags, int (*each)(void *ctx, const struct td_range *where), void *ctx) {
    union {
        struct fiemap map;
        char room[sizeof(struct fiemap) + AT_ONCE * sizeof(struct fiemap_extent)];
    } ask;
    const uint32_t nowhere = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC;
    uint64_t from = 0;
    for (;;) {
        memset(&ask, 0, sizeof ask);
        ask.map.fm_start = from;
        ask.map.fm_length = FIEMAP_MAX_OFFSET - from;
        ask.map.fm_flags = flags;
        ask.map.fm_extent_count = AT_ONCE;
        if (ioctl(fd, FS_IOC_FIEMAP, &ask.map) != 0)
            return -errno;
        for (uint32_t i = 0; i < ask.map.fm_mapped_extents; i++) {
            const struct fiemap_extent *extent = &ask.map.fm_extents[i];
            struct td_range where = {extent->fe_physical, extent->fe_length};
            int rc = (extent->fe_flags & nowhere) == 0 ? each(ctx, &where) : 0;
            if (rc != 0 || (extent->fe_flags & FIEMAP_EXTENT_LAST) != 0)
                return rc;
            from = extent->fe_logical + extent->fe_length;
        }
        if (ask.map.fm_mapped_extents == 0)
            return 0;
    }
}

int td_extents_each(int fd, int (*each)(void *ctx, const struct td_range *where), void *ctx) {
    int rc = each_of(fd, 0, each, ctx);
    return rc != 0 ? rc : each_of(fd, FIEMAP_FLAG_XATTR, each, ctx);
}
