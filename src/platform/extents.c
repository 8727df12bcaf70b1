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
