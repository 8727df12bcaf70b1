#include "twindock/platform/extents.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

int td_extents_first(int fd, uint64_t size, uint64_t *place, bool *whole) {
    /* The map and room for one extent behind it, as the ioctl wants them. */
    union {
        struct fiemap map;
        char room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
    } ask;
    const uint32_t nowhere = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_DATA_INLINE;
    memset(&ask, 0, sizeof ask);
    *place = 0;
    *whole = false;
    ask.map.fm_length = FIEMAP_MAX_OFFSET;
    ask.map.fm_extent_count = 1;
    if (ioctl(fd, FS_IOC_FIEMAP, &ask.map) != 0)
        return -errno;
    const struct fiemap_extent *extent = &ask.map.fm_extents[0];
    if (ask.map.fm_mapped_extents == 0 || (extent->fe_flags & nowhere) != 0)
        return 0;
    *place = extent->fe_physical;
    *whole = extent->fe_logical == 0 && extent->fe_length >= size &&
             (extent->fe_flags & ~(uint32_t)FIEMAP_EXTENT_MERGED) == FIEMAP_EXTENT_LAST;
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

int td_extents_device(int fd, struct td_blockdev *out, struct td_error *err) {
    struct statfs fs;
    struct stat st;
    if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
        return td_fail(err, errno, "cannot tell the device of a filesystem");
    if (fs.f_type != EXT4_SUPER_MAGIC && fs.f_type != XFS_SUPER_MAGIC)
        return td_fail_text(err, EOPNOTSUPP, "this kind of filesystem does not lie on one device");
    return td_blockdev_from_number(st.st_dev, out, err);
}
