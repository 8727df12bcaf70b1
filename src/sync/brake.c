/* The brake: a plan that takes away too much is more likely a mistake than a wish. */
#include "twindock/base/clock.h"
#include "twindock/sync/plan.h"

#include <stddef.h>
#include <stdint.h>

#define WHOLE 10000 /* hundredths of a percent */
#define EMPTIED 100 /* 1 % */
#define SCRAMBLED 100
#define SCRAMBLED_LEAST 10 /* fewer are somebody's own doing */
#define PAGE 4096
#define VALUES 256

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
    const char *unit = bytes < 1024 && brake->base_bytes >= 1024 ? bytes == 1 ? " byte" : " bytes" : "";
    td_format_size(part, bytes);
    td_format_size(whole, brake->base_bytes);
    td_buf_printf(why, "The run would %s %ju of %ju file%s (%s%s of %s%s); the limit is ", verb, (uintmax_t)files,
                  (uintmax_t)brake->base_files, brake->base_files == 1 ? "" : "s", part, unit, whole,
                  brake->base_bytes < 1024 ? " bytes" : "");
    if (share % 100 != 0)
        td_buf_printf(why, "%d.%02d %%.", share / 100, share % 100);
    else
        td_buf_printf(why, "%d %%.", share / 100);
}

/*
 * Chi-squared over the values of the bytes: for random ones it is about 255, with a deviation of 23 whatever the
 * length. What compressors write comes near it, but they put headers and tables in between; text, tables and programs
 * are thousands away.
 */
bool td_brake_scrambled(const unsigned char *data, size_t len) {
    uint64_t count[VALUES] = {0};
    double chi = 0, expected = (double)len / VALUES;
    if (len < PAGE)
        return false;
    for (size_t i = 0; i < len; i++)
        count[data[i]]++;
    for (int value = 0; value < VALUES; value++)
        chi += ((double)count[value] - expected) * ((double)count[value] - expected) / expected;
    return chi < 400;
}

bool td_brake_check(const struct td_brake *brake, int max_delete, int max_change, struct td_buf *why) {
    if (!off(max_change) && brake->scrambled_files >= SCRAMBLED_LEAST &&
        more_than(brake->scrambled_files, brake->base_files, SCRAMBLED)) {
        td_buf_printf(
            why,
            "%ju of %ju files have gone and come again with a further ending and content that looks encrypted; "
            "the limit is 1 %%.",
            (uintmax_t)brake->scrambled_files, (uintmax_t)brake->base_files);
        return true;
    }
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
