/* The brake: a plan that takes away too much is more likely a mistake than a wish. */
#include "twindock/base/clock.h"
#include "twindock/sync/plan.h"

#include <stdint.h>

#define WHOLE 10000 /* hundredths of a percent */
#define EMPTIED 100 /* 1 % */

__extension__ typedef unsigned __int128 wide;

static bool more_than(uint64_t part, uint64_t whole, int share) {
    return whole > 0 && (wide)part * WHOLE > (wide)whole * (unsigned)share;
}

/* Of files or of bytes: a few of the largest files are a loss as well. */
static bool exceeds(const struct td_brake *brake, uint64_t files, uint64_t bytes, int share) {
    return more_than(files, brake->base_files, share) || more_than(bytes, brake->base_bytes, share);
}

static bool off(int share) {
    return share >= WHOLE;
}

static void say(struct td_buf *why, const char *verb, const struct td_brake *brake, uint64_t files, uint64_t bytes,
                int share) {
    char part[TD_SIZE_MAX], whole[TD_SIZE_MAX];
    td_format_size(part, bytes);
    td_format_size(whole, brake->base_bytes);
    td_buf_printf(why, "The run would %s %ju of %ju file%s (%s of %s); the limit is ", verb, (uintmax_t)files,
                  (uintmax_t)brake->base_files, brake->base_files == 1 ? "" : "s", part, whole);
    if (share % 100 != 0)
        td_buf_printf(why, "%d.%02d %%.", share / 100, share % 100);
    else
        td_buf_printf(why, "%d %%.", share / 100);
}

bool td_brake_check(const struct td_brake *brake, int max_delete, int max_change, struct td_buf *why) {
    if (!off(max_delete) && exceeds(brake, brake->deleted_files, brake->deleted_bytes, max_delete)) {
        say(why, "delete", brake, brake->deleted_files, brake->deleted_bytes, max_delete);
        return true;
    }
    if (off(max_change))
        return false;
    if (exceeds(brake, brake->changed_files, brake->changed_bytes, max_change)) {
        say(why, "change", brake, brake->changed_files, brake->changed_bytes, max_change);
        return true;
    }
    if (more_than(brake->emptied_files, brake->base_files, EMPTIED)) {
        td_buf_printf(why, "The run would turn %ju of %ju file%s empty; the limit is 1 %%.",
                      (uintmax_t)brake->emptied_files, (uintmax_t)brake->base_files, brake->base_files == 1 ? "" : "s");
        return true;
    }
    return false;
}
