#include "twindock/report/progress.h"

#include "twindock/base/buf.h"
#include "twindock/base/clock.h"
#include "twindock/base/io.h"
#include "twindock/report/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)
#define REDRAW_NS (NS_PER_S / 5)
#define LINE_NS (60 * NS_PER_S)
#define DEFAULT_COLUMNS 80
#define PHASE_MAX 32

/* The rate is taken over the last SAMPLES - 1 seconds or a little more: long enough to be calm, short enough to follow
 * a disk that slows down. */
#define SAMPLES 31

struct sample {
    int64_t when;
    uint64_t done;
};

struct td_progress {
    int fd;
    bool quiet, terminal, drawn, begun;
    int64_t printed; /* when the last line was printed; without a terminal, at first the beginning */
    char phase[PHASE_MAX];
    struct sample samples[SAMPLES];
    unsigned count, next; /* how many are valid; where the next one goes */
};

/* --- the line ---------------------------------------------------------------------------------------- */

static void add_amount(uint64_t done, uint64_t all, struct td_buf *out) {
    char size[TD_SIZE_MAX];
    td_format_size(size, done);
    td_buf_puts(out, size);
    if (all > 0) {
        td_format_size(size, all);
        td_buf_printf(out, "/%s", size);
    }
}

static void add_head(const struct td_progress_state *state, struct td_buf *out) {
    TD_AUTOBUF struct td_buf phase = {0};
    td_text_prose(&phase, state->phase);
    td_buf_printf(out, "%-8s ", td_buf_text(&phase));
    if (state->all > 0) {
        uint64_t done = state->done < state->all ? state->done : state->all;
        td_buf_printf(out, "%3d %%", (int)((double)done * 100.0 / (double)state->all));
    } else {
        add_amount(state->done, 0, out);
    }
}

static void add_sides(const struct td_progress_state *state, struct td_buf *out) {
    static const char *const names[TD_SIDES] = {"source", "A", "B"};
    for (int side = 0; side < TD_SIDES; side++) {
        if (!state->side[side].active)
            continue;
        td_buf_printf(out, "  %s ", names[side]);
        add_amount(state->side[side].done, state->side[side].all, out);
    }
}

static void add_pace(uint64_t rate, int64_t left_s, struct td_buf *out) {
    if (rate > 0) {
        char size[TD_SIZE_MAX];
        td_format_size(size, rate);
        td_buf_printf(out, "  %s/s", size);
    }
    if (left_s < 0)
        return;
    int64_t hours = left_s / 3600, minutes = left_s / 60 % 60, seconds = left_s % 60;
    if (hours > 0)
        td_buf_printf(out, "  %" PRId64 ":%02" PRId64 ":%02" PRId64 " left", hours, minutes, seconds);
    else
        td_buf_printf(out, "  %" PRId64 ":%02" PRId64 " left", minutes, seconds);
}

void td_progress_line(const struct td_progress_state *state, uint64_t rate, int64_t left_s, int width,
                      struct td_buf *out) {
    TD_AUTOBUF struct td_buf line = {0};
    size_t columns = width > 0 ? (size_t)width : 0;
    add_head(state, &line);
    add_sides(state, &line);
    add_pace(rate, left_s, &line);
    if (td_text_fit(td_buf_text(&line), line.len, columns) < line.len) {
        /* Too narrow: the time left tells more than the single disks do. */
        td_buf_clear(&line);
        add_head(state, &line);
        add_pace(rate, left_s, &line);
    }
    td_buf_add(out, td_buf_text(&line), td_text_fit(td_buf_text(&line), line.len, columns));
}

/* --- rate -------------------------------------------------------------------------------------------- */

static const struct sample *newest(const struct td_progress *progress) {
    return &progress->samples[(progress->next + SAMPLES - 1) % SAMPLES];
}

static const struct sample *oldest(const struct td_progress *progress) {
    return &progress->samples[(progress->next + SAMPLES - progress->count) % SAMPLES];
}

/* A new phase counts its own work, so it begins its own rate. */
static void take_sample(struct td_progress *progress, const struct td_progress_state *state, int64_t now) {
    const char *phase = state->phase != NULL ? state->phase : "";
    if (strncmp(progress->phase, phase, PHASE_MAX - 1) != 0 ||
        (progress->count > 0 && state->done < newest(progress)->done)) {
        progress->count = 0;
        memset(progress->phase, 0, sizeof progress->phase);
        memcpy(progress->phase, phase, strnlen(phase, PHASE_MAX - 1));
    }
    if (progress->count > 0 && now - newest(progress)->when < NS_PER_S)
        return;
    progress->samples[progress->next] = (struct sample){now, state->done};
    progress->next = (progress->next + 1) % SAMPLES;
    if (progress->count < SAMPLES)
        progress->count++;
}

/* Bytes a second, 0: not known yet. */
static uint64_t rate_of(const struct td_progress *progress, uint64_t done, int64_t now) {
    if (progress->count == 0)
        return 0;
    const struct sample *from = oldest(progress);
    int64_t span = now - from->when;
    if (span < NS_PER_S || done <= from->done)
        return 0;
    return (uint64_t)((double)(done - from->done) / ((double)span / (double)NS_PER_S));
}

static int64_t left_of(const struct td_progress_state *state, uint64_t rate) {
    if (rate == 0 || state->all == 0)
        return -1;
    return state->done >= state->all ? 0 : (int64_t)((state->all - state->done) / rate);
}

/* --- printing ---------------------------------------------------------------------------------------- */

struct td_progress *td_progress_new(int fd, bool quiet) {
    struct td_progress *progress = calloc(1, sizeof *progress);
    if (progress == NULL)
        abort();
    progress->fd = fd;
    progress->quiet = quiet;
    progress->terminal = isatty(fd) == 1;
    return progress;
}

/* One column less than there is: a terminal wraps when the last one is filled. Asked each time: windows change. */
static int columns_of(int fd) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return DEFAULT_COLUMNS - 1;
    return size.ws_col - 1;
}

static void put(const struct td_progress *progress, const struct td_buf *text) {
    (void)td_write_all(progress->fd, td_buf_text(text), text->len); /* a lost line of progress is no loss */
}

void td_progress_show(struct td_progress *progress, const struct td_progress_state *state, int64_t now) {
    if (progress->quiet)
        return;
    take_sample(progress, state, now);
    if (!progress->begun) {
        progress->begun = true;
        progress->printed = progress->terminal ? now - REDRAW_NS : now;
    }
    if (now - progress->printed < (progress->terminal ? REDRAW_NS : LINE_NS))
        return;
    progress->printed = now;
    TD_AUTOBUF struct td_buf text = {0};
    uint64_t rate = rate_of(progress, state->done, now);
    if (progress->terminal)
        td_buf_putc(&text, '\r');
    td_progress_line(state, rate, left_of(state, rate), progress->terminal ? columns_of(progress->fd) : 200, &text);
    td_buf_puts(&text, progress->terminal ? "\033[K" : "\n");
    progress->drawn = progress->terminal;
    put(progress, &text);
}

void td_progress_clear(struct td_progress *progress) {
    if (!progress->drawn)
        return;
    TD_AUTOBUF struct td_buf text = {0};
    td_buf_puts(&text, "\r\033[K");
    put(progress, &text);
    progress->drawn = false;
}

void td_progress_free(struct td_progress *progress) {
    if (progress == NULL)
        return;
    td_progress_clear(progress);
    free(progress);
}
