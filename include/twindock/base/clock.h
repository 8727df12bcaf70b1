/*
 * Time and sizes, as people read them. Wall time is for people and for the ledger only; durations are
 * measured on CLOCK_BOOTTIME, which goes on while the machine sleeps.
 */
#ifndef TWINDOCK_BASE_CLOCK_H
#define TWINDOCK_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t td_wall_seconds(void); /* seconds since 1970 */
int64_t td_boot_ns(void);      /* nanoseconds since boot, suspend included */

#define TD_DATE_MAX 64
/* As date(1) prints in the C locale, local time: "Tue Sep  2 20:00:04 PDT 2014". Into out[TD_DATE_MAX]. */
void td_format_date(char *out, int64_t seconds);
/* The same without zone and year: "Wed Sep 10 18:00:04". */
void td_format_date_short(char *out, int64_t seconds);

/* "30s" "10m" "2h" "21d" "4w"; a bare "0" is allowed. Seconds, or -EINVAL. */
int64_t td_parse_duration(const char *text);
/* "07:00" -> seconds since midnight, or -EINVAL. */
int td_parse_clock(const char *text);
/* "10%" or "2.5%" -> hundredths of a percent (1000, 250), 0..10000, or -EINVAL. */
int td_parse_percent(const char *text);
/* The next time after `now` (wall seconds) at which the local clock shows `clock` (seconds since midnight). */
int64_t td_next_clock(int64_t now, int clock);

/* "2014-09-02 20:00:04", seconds or the time of day left out, local: wall seconds; a date alone means its end. -EINVAL.
 */
int64_t td_parse_moment(const char *text);
#define TD_MOMENT_MAX 32
/* The same the other way, to the second; "-" for 0. Into out[TD_MOMENT_MAX]. */
void td_format_moment(char *out, int64_t seconds);

#define TD_SIZE_MAX 5
/* At most four characters, powers of 1024 without "i": "0" "999" "1.3T" "66G" "374G" "9.9K". Rounds
 * up as df -h does, so a full disk never looks roomier than it is. Into out[TD_SIZE_MAX]. */
void td_format_size(char *out, uint64_t bytes);
/* For sentences and progress: "2 h 5 min", "40 s". Into out[32]. */
void td_format_span(char *out, int64_t seconds);

#endif
