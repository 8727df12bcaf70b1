#include "twindock/report/progress.h"

#include "twindock/base/buf.h"
#include "twindock/base/clock.h"
#include "twindock/base/io.h"
#include "twindock/model/pair.h"
#include "twindock/platform/journal.h"
#include "twindock/report/text.h"

#include <inttypes.h>
#include <stdio.h>
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
    uint64_t side[TD_SIDES];
};

struct td_progress {
    int fd;
    int journal; /* its socket, -1: none */
    bool quiet, terminal, drawn, begun;
    char collection[TD_NAME_MAX], dock[TD_NAME_MAX];
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
    } else if (state->done > 0) {
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

/* A new phase counts its own work, so it begins its own rate. True when one has begun. */
static bool take_sample(struct td_progress *progress, const struct td_progress_state *state, int64_t now) {
    const char *phase = state->phase != NULL ? state->phase : "";
    bool turned = strncmp(progress->phase, phase, PHASE_MAX - 1) != 0;
    if (turned || (progress->count > 0 && state->done < newest(progress)->done)) {
        progress->count = 0;
        memset(progress->phase, 0, sizeof progress->phase);
        memcpy(progress->phase, phase, strnlen(phase, PHASE_MAX - 1));
    }
    if (progress->count > 0 && now - newest(progress)->when < NS_PER_S)
        return turned;
    struct sample *sample = &progress->samples[progress->next];
    *sample = (struct sample){.when = now, .done = state->done};
    for (int side = 0; side < TD_SIDES; side++)
        sample->side[side] = state->side[side].done;
    progress->next = (progress->next + 1) % SAMPLES;
    if (progress->count < SAMPLES)
        progress->count++;
    return turned;
}

/* Bytes a second, 0: not known yet. */
static uint64_t pace(uint64_t from, uint64_t to, int64_t span) {
    return span < NS_PER_S || to <= from ? 0 : (uint64_t)((double)(to - from) / ((double)span / (double)NS_PER_S));
}

static uint64_t rate_of(const struct td_progress *progress, uint64_t done, int64_t now) {
    if (progress->count == 0)
        return 0;
    const struct sample *from = oldest(progress);
    return pace(from->done, done, now - from->when);
}

static int64_t seconds_for(uint64_t done, uint64_t all, uint64_t rate) {
    if (rate == 0 || all == 0)
        return -1;
    return done >= all ? 0 : (int64_t)((all - done) / rate);
}

/* The disks work side by side: it ends when the slowest of them does. -1: not known. */
static int64_t left_of(const struct td_progress *progress, const struct td_progress_state *state, uint64_t rate,
                       int64_t now) {
    int64_t left = seconds_for(state->done, state->all, rate);
    for (int side = 0; left >= 0 && side < TD_SIDES; side++) {
        const struct td_progress_side *disk = &state->side[side];
        const struct sample *from = oldest(progress);
        if (!disk->active || disk->all == 0)
            continue;
        int64_t alone = seconds_for(disk->done, disk->all, pace(from->side[side], disk->done, now - from->when));
        left = alone > left ? alone : left;
    }
    return left;
}

/* --- printing ---------------------------------------------------------------------------------------- */

struct td_progress *td_progress_new(int fd, bool quiet) {
    struct td_progress *progress = calloc(1, sizeof *progress);
    if (progress == NULL)
        abort();
    progress->fd = fd;
    progress->terminal = isatty(fd) == 1;
    progress->journal = td_journal_has(fd, getenv("JOURNAL_STREAM")) ? td_journal_open(TD_JOURNAL_SOCKET) : -1;
    progress->quiet = quiet && progress->journal < 0;
    return progress;
}

void td_progress_name(struct td_progress *progress, const char *collection, const char *dock) {
    snprintf(progress->collection, sizeof progress->collection, "%s", collection);
    snprintf(progress->dock, sizeof progress->dock, "%s", dock);
}

void td_progress_to_journal(struct td_progress *progress, int socket) {
    if (progress->journal >= 0)
        close(progress->journal);
    progress->journal = socket;
    progress->quiet = false;
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

/* --- the journal --------------------------------------------------------------------------------------- */

#define NUMBER 24 /* characters of a 64-bit number */

struct entry {
    struct td_journal_field fields[24];
    char numbers[16][NUMBER];
    size_t count, numbered;
};

static void add_field(struct entry *entry, const char *name, const char *value) {
    if (*value != '\0' && entry->count < sizeof entry->fields / sizeof *entry->fields)
        entry->fields[entry->count++] = (struct td_journal_field){name, value};
}

static void add_number(struct entry *entry, const char *name, uint64_t number) {
    if (entry->numbered == sizeof entry->numbers / sizeof *entry->numbers)
        return;
    char *text = entry->numbers[entry->numbered++];
    snprintf(text, NUMBER, "%" PRIu64, number);
    add_field(entry, name, text);
}

static void begin_entry(const struct td_progress *progress, struct entry *entry, int priority, const char *text) {
    *entry = (struct entry){0};
    add_field(entry, "MESSAGE", text);
    add_number(entry, "PRIORITY", (uint64_t)priority);
    add_field(entry, "SYSLOG_IDENTIFIER", "twindock");
    add_field(entry, "TWINDOCK_COLLECTION", progress->collection);
    add_field(entry, "TWINDOCK_DOCK", progress->dock);
}

static bool send_progress(const struct td_progress *progress, const struct td_progress_state *state, uint64_t rate,
                          int64_t left, const char *text) {
    static const char *const done[TD_SIDES] = {"TWINDOCK_SOURCE_DONE", "TWINDOCK_A_DONE", "TWINDOCK_B_DONE"};
    static const char *const all[TD_SIDES] = {"TWINDOCK_SOURCE_ALL", "TWINDOCK_A_ALL", "TWINDOCK_B_ALL"};
    struct entry entry;
    begin_entry(progress, &entry, TD_JOURNAL_INFO, text);
    add_field(&entry, "TWINDOCK_PHASE", state->phase != NULL ? state->phase : "");
    add_number(&entry, "TWINDOCK_DONE", state->done);
    add_number(&entry, "TWINDOCK_ALL", state->all);
    add_number(&entry, "TWINDOCK_RATE", rate);
    if (left >= 0)
        add_number(&entry, "TWINDOCK_LEFT_SECONDS", (uint64_t)left);
    for (int side = 0; side < TD_SIDES; side++) {
        if (!state->side[side].active)
            continue;
        add_number(&entry, done[side], state->side[side].done);
        add_number(&entry, all[side], state->side[side].all);
    }
    return td_journal_send(progress->journal, entry.fields, entry.count) == 0;
}

static bool send_words(const struct td_progress *progress, const char *text) {
    struct entry entry;
    begin_entry(progress, &entry, TD_JOURNAL_WARNING, text);
    return td_journal_send(progress->journal, entry.fields, entry.count) == 0;
}

/* --- what is called ------------------------------------------------------------------------------------ */

/* On a terminal a new phase shows at once: what comes after it may be silent for a while. */
static bool is_time(struct td_progress *progress, int64_t now, bool turned) {
    if (!progress->begun) {
        progress->begun = true;
        progress->printed = progress->terminal ? now - REDRAW_NS : now;
    }
    if (now - progress->printed < (progress->terminal ? REDRAW_NS : LINE_NS) && !(turned && progress->terminal))
        return false;
    progress->printed = now;
    return true;
}

void td_progress_show(struct td_progress *progress, const struct td_progress_state *state, int64_t now) {
    if (progress->quiet)
        return;
    bool turned = take_sample(progress, state, now);
    if (!is_time(progress, now, turned))
        return;
    TD_AUTOBUF struct td_buf text = {0};
    uint64_t rate = rate_of(progress, state->done, now);
    int64_t left = left_of(progress, state, rate, now);
    int width = progress->terminal ? columns_of(progress->fd) : 200;
    if (progress->journal >= 0) {
        td_progress_line(state, rate, left, width, &text);
        if (send_progress(progress, state, rate, left, td_buf_text(&text)))
            return;
        td_buf_clear(&text);
    }
    if (progress->terminal)
        td_buf_putc(&text, '\r');
    td_progress_line(state, rate, left, width, &text);
    td_buf_puts(&text, progress->terminal ? "\033[K" : "\n");
    progress->drawn = progress->terminal;
    put(progress, &text);
}

void td_progress_say(struct td_progress *progress, const char *words) {
    TD_AUTOBUF struct td_buf text = {0};
    if (progress->quiet)
        return;
    td_text_prose(&text, words);
    if (progress->journal >= 0 && send_words(progress, td_buf_text(&text)))
        return;
    td_progress_clear(progress);
    td_buf_putc(&text, '\n');
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
    if (progress->journal >= 0)
        close(progress->journal);
    free(progress);
}
