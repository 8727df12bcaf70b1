#include "twindock/base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MINUTE 60
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define WEEK (7 * DAY)
/* Longer durations are typing errors; the bound also keeps sums with a wall time far from overflow. */
#define DURATION_MAX ((int64_t)1000 * 366 * DAY)

/* date(1) in the C locale, whatever locale the process has. */
static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

int64_t td_wall_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

int64_t td_boot_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* False: beyond what a struct tm can say; then the bare seconds are in `out`. */
static bool local(char *out, int64_t seconds, struct tm *tm) {
    time_t t = (time_t)seconds;
    if (localtime_r(&t, tm))
        return true;
    snprintf(out, TD_DATE_MAX, "@%" PRId64, seconds);
    return false;
}

void td_format_date(char *out, int64_t seconds) {
    struct tm tm;
    if (local(out, seconds, &tm))
        snprintf(out, TD_DATE_MAX, "%s %s %2d %02d:%02d:%02d %s %" PRId64, day_names[tm.tm_wday],
                 month_names[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_zone,
                 (int64_t)tm.tm_year + 1900);
}

void td_format_date_short(char *out, int64_t seconds) {
    struct tm tm;
    if (local(out, seconds, &tm))
        snprintf(out, TD_DATE_MAX, "%s %s %2d %02d:%02d:%02d", day_names[tm.tm_wday], month_names[tm.tm_mon],
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* Digits at *text, at least one, at most `max`: their value, and *text behind them. -EINVAL otherwise. */
static int64_t digits(const char **text, int max) {
    int64_t value = 0;
    int count = 0;
    for (; **text >= '0' && **text <= '9'; (*text)++, count++) {
        if (count == max)
            return -EINVAL;
        value = value * 10 + (**text - '0');
    }
    return count ? value : -EINVAL;
}

int64_t td_parse_duration(const char *text) {
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', MINUTE}, {'h', HOUR}, {'d', DAY}, {'w', WEEK}};

    int64_t value = digits(&text, 12);
    if (value < 0)
        return -EINVAL;
    if (value == 0 && *text == '\0')
        return 0;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (text[0] == units[i].unit && text[1] == '\0')
            return value <= DURATION_MAX / units[i].seconds ? value * units[i].seconds : -EINVAL;
    }
    return -EINVAL;
}

int td_parse_clock(const char *text) {
    int64_t hour = digits(&text, 2);
    if (hour < 0 || hour > 23 || *text++ != ':')
        return -EINVAL;
    const char *minutes = text;
    int64_t minute = digits(&text, 2);
    if (text - minutes != 2 || minute < 0 || minute > 59 || *text != '\0')
        return -EINVAL;
    return (int)(hour * HOUR + minute * MINUTE);
}

int td_parse_percent(const char *text) {
    int64_t value = digits(&text, 3);
    if (value < 0)
        return -EINVAL;
    value *= 100;
    if (*text == '.') {
        const char *fraction = ++text;
        int64_t part = digits(&text, 2);
        if (part < 0)
            return -EINVAL;
        value += text - fraction == 1 ? part * 10 : part;
    }
    if (text[0] != '%' || text[1] != '\0' || value > 10000)
        return -EINVAL;
    return (int)value;
}

/*
 * The first moment after `now` on the day `day` days after today's at which the clock shows `clock`; -1: none. When
 * clocks are set back a day has two of them, when they are set forward it may have none: then the moment that mktime()
 * makes of it stands in, as a night must not lose its end.
 */
static int64_t clock_on_day(int64_t now, const struct tm *today, int day, int clock) {
    int64_t best = -1, stand_in = -1;
    for (int dst = -1; dst <= 1; dst++) {
        struct tm tm = {.tm_year = today->tm_year,
                        .tm_mon = today->tm_mon,
                        .tm_mday = today->tm_mday + day,
                        .tm_hour = clock / HOUR,
                        .tm_min = clock % HOUR / MINUTE,
                        .tm_sec = clock % MINUTE,
                        .tm_isdst = dst};
        int64_t t = mktime(&tm);
        if (dst < 0)
            stand_in = t;
        bool shows = tm.tm_hour * HOUR + tm.tm_min * MINUTE + tm.tm_sec == clock;
        if (shows && t > now && (best < 0 || t < best))
            best = t;
    }
    if (best < 0 && stand_in > now)
        best = stand_in;
    return best;
}

int64_t td_next_clock(int64_t now, int clock) {
    struct tm today;
    time_t t = (time_t)now;
    if (!localtime_r(&t, &today))
        return now + DAY;
    for (int day = 0; day <= 2; day++) {
        int64_t next = clock_on_day(now, &today, day, clock);
        if (next > now)
            return next;
    }
    return now + DAY;
}

void td_format_size(char *out, uint64_t bytes) {
    static const char units[] = "KMGTPE";
    if (bytes < 1024) {
        snprintf(out, TD_SIZE_MAX, "%u", (unsigned)bytes);
        return;
    }
    uint64_t unit = 1024;
    for (size_t i = 0; units[i]; i++, unit *= 1024) {
        uint64_t whole = bytes / unit, rest = bytes % unit;
        uint64_t tenths = rest / (unit / 2) * 5; /* in two steps, so that nothing overflows at exabytes */
        rest %= unit / 2;
        tenths += (rest * 10 + unit - 1) / unit;
        if (whole < 10 && whole * 10 + tenths < 100) {
            uint64_t all = whole * 10 + tenths;
            snprintf(out, TD_SIZE_MAX, "%u.%u%c", (unsigned)(all / 10 % 10), (unsigned)(all % 10), units[i]);
            return;
        }
        whole += tenths > 0;
        if (whole < 1000) {
            snprintf(out, TD_SIZE_MAX, "%u%c", (unsigned)(whole % 1000), units[i]);
            return;
        }
    }
}

void td_format_span(char *out, int64_t seconds) {
    const size_t size = 32;
    if (seconds < 0)
        seconds = 0;
    int64_t days = seconds / DAY;
    int hours = (int)(seconds % DAY / HOUR), minutes = (int)(seconds % HOUR / MINUTE);

    if (seconds < MINUTE)
        snprintf(out, size, "%d s", (int)seconds);
    else if (seconds < HOUR)
        snprintf(out, size, "%d min", minutes);
    else if (days == 0 && minutes == 0)
        snprintf(out, size, "%d h", hours);
    else if (days == 0)
        snprintf(out, size, "%d h %d min", hours, minutes);
    else if (hours == 0)
        snprintf(out, size, "%" PRId64 " d", days);
    else
        snprintf(out, size, "%" PRId64 " d %d h", days, hours);
}

int64_t td_parse_moment(const char *text) {
    static const char *const forms[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
                                        "%Y-%m-%d"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = {.tm_isdst = -1}, asked;
        const char *end = strptime(text, forms[i], &tm);
        if (end == NULL || *end != '\0')
            continue;
        tm.tm_isdst = -1;
        bool date = strchr(forms[i], 'H') == NULL;
        if (date) {
            tm.tm_hour = 23;
            tm.tm_min = 59;
            tm.tm_sec = 59;
        }
        asked = tm;
        time_t seconds = mktime(&tm);
        if (seconds == (time_t)-1 || tm.tm_mday != asked.tm_mday) /* there is no 30th of February */
            return -EINVAL;
        return seconds;
    }
    return -EINVAL;
}

void td_format_moment(char *out, int64_t seconds) {
    time_t when = (time_t)seconds;
    struct tm tm;
    if (seconds == 0 || localtime_r(&when, &tm) == NULL || strftime(out, TD_MOMENT_MAX, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        snprintf(out, TD_MOMENT_MAX, "-");
}
