#include "fuzz_targets.h"

#include "twindock/base/buf.h"
#include "twindock/base/escape.h"
#include "twindock/base/io.h"
#include "twindock/config/config.h"
#include "twindock/dock/card.h"
#include "twindock/platform/delta.h"
#include "twindock/platform/drive.h"
#include "twindock/platform/ext4.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const struct fuzz_target fuzz_targets[] = {
    {"ata", fuzz_ata},       {"vpd80", fuzz_vpd80},         {"vpd83", fuzz_vpd83}, {"serial", fuzz_serial},
    {"wwid", fuzz_wwid},     {"passed_on", fuzz_passed_on}, {"card", fuzz_card},   {"ext4", fuzz_ext4},
    {"config", fuzz_config}, {"escape", fuzz_escape},       {"delta", fuzz_delta}, {NULL, NULL},
};

static void must_(bool holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}
#define must(condition) must_((condition), #condition)

/* A copy of exactly `size` bytes (at least one), or with a NUL behind them. */
static void *exactly(const uint8_t *data, size_t size, bool text) {
    uint8_t *copy = malloc(text ? size + 1 : size > 0 ? size : 1);
    must(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    if (text)
        copy[size] = '\0';
    return copy;
}

/* --- who a drive says it is ---------------------------------------------------------------------------------- */

/* Printable, trimmed, without two blanks in a row, and ended. */
static void check_text(const char *text, size_t size) {
    size_t len = strnlen(text, size);
    must(len < size);
    for (size_t i = 0; i < len; i++) {
        must(text[i] >= ' ' && text[i] <= '~');
        must(text[i] != ' ' || (i > 0 && i + 1 < len && text[i + 1] != ' '));
    }
}

static void check_wwn(const char *wwn) {
    size_t len = strlen(wwn);
    must(len == 0 || len == 18 || len == 34);
    must(len == 0 || strncmp(wwn, "0x", 2) == 0);
    must(len == 0 || strspn(wwn + 2, "0123456789abcdef") == len - 2);
}

static void check_identity(int rc, const struct td_identity *id) {
    must(rc == 0 || rc == -EINVAL);
    check_text(id->serial, sizeof id->serial);
    check_text(id->wwn, sizeof id->wwn);
    check_text(id->model, sizeof id->model);
    check_wwn(id->wwn);
    must((rc == 0) == (id->serial[0] != '\0' || id->wwn[0] != '\0'));
}

/* The same bytes name the same drive, each time. */
static void ask(int (*parse)(const uint8_t *, size_t, struct td_identity *), const uint8_t *data, size_t size) {
    struct td_identity first, second;
    memset(&first, 0xa5, sizeof first);
    memset(&second, 0x5a, sizeof second);
    uint8_t *copy = exactly(data, size, false);
    int rc = parse(copy, size, &first);
    must(parse(copy, size, &second) == rc);
    free(copy);
    check_identity(rc, &first);
    must(strcmp(first.serial, second.serial) == 0 && strcmp(first.wwn, second.wwn) == 0);
}

static void ask_text(int (*parse)(const char *, struct td_identity *), const uint8_t *data, size_t size) {
    struct td_identity id;
    memset(&id, 0xa5, sizeof id);
    char *copy = exactly(data, size, true);
    int rc = parse(copy, &id);
    free(copy);
    check_identity(rc, &id);
}

void fuzz_ata(const uint8_t *data, size_t size) {
    uint8_t whole[512] = {0};
    ask(td_drive_parse_ata, data, size);
    memcpy(whole, data, size < sizeof whole ? size : sizeof whole);
    ask(td_drive_parse_ata, whole, sizeof whole);
    /* With the checksum made right, as a drive would, so that what lies behind it is reached. */
    whole[510] = 0xa5;
    whole[511] = 0;
    uint8_t sum = 0;
    for (size_t i = 0; i < sizeof whole; i++)
        sum = (uint8_t)(sum + whole[i]);
    whole[511] = (uint8_t)-sum;
    ask(td_drive_parse_ata, whole, sizeof whole);
}

void fuzz_vpd80(const uint8_t *data, size_t size) {
    ask(td_drive_parse_vpd80, data, size);
}

void fuzz_vpd83(const uint8_t *data, size_t size) {
    ask(td_drive_parse_vpd83, data, size);
}

void fuzz_serial(const uint8_t *data, size_t size) {
    ask_text(td_drive_parse_serial, data, size);
}

void fuzz_passed_on(const uint8_t *data, size_t size) {
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t first = end != NULL ? (size_t)(end - data) : size;
    char *one = exactly(data, first, true);
    char *other = exactly(data + first, size - first, true);
    must(td_identity_serial_passed_on(one, one));
    must(td_identity_serial_passed_on(other, other));
    (void)td_identity_serial_passed_on(one, other[0] == '\n' ? other + 1 : other);
    free(one);
    free(other);
}

void fuzz_wwid(const uint8_t *data, size_t size) {
    ask_text(td_drive_parse_wwid, data, size);
}

/* --- what lies on a disk --------------------------------------------------------------------------------------- */

/* A card that is taken prints as one that is taken, and says the same. */
void fuzz_card(const uint8_t *data, size_t size) {
    struct td_card card, again;
    struct td_error err = {0};
    TD_AUTOBUF struct td_buf first = {0}, second = {0};
    char *copy = exactly(data, size, false);
    int rc = td_card_parse(copy, size, &card, &err);
    free(copy);
    must(rc == 0 || (rc == -EINVAL && err.text[0] != '\0'));
    if (rc != 0)
        return;
    must(card.member == 'A' || card.member == 'B');
    must(card.generation >= 0 && card.last_run >= 0);
    must(strlen(card.pair) == 36 && strlen(card.token) == 32 && card.collection[0] != '\0');
    td_card_print(&card, &first);
    must(td_card_parse(td_buf_text(&first), first.len, &again, NULL) == 0);
    td_card_print(&again, &second);
    must(strcmp(td_buf_text(&first), td_buf_text(&second)) == 0);
}

void fuzz_ext4(const uint8_t *data, size_t size) {
    uint8_t super[TD_EXT4_SUPER_SIZE] = {0};
    struct td_ext4 fs;
    memcpy(super, data, size < sizeof super ? size : sizeof super);
    int rc = td_ext4_parse(super, &fs);
    must(rc == 0 || rc == -EINVAL);
    if (rc != 0)
        return;
    must(fs.block_size >= 1024 && fs.block_size <= 65536 && (fs.block_size & (fs.block_size - 1)) == 0);
    must(strlen(fs.uuid) == 36 && strlen(fs.label) <= 16);
    const char *refused = td_ext4_refused(&fs);
    must(refused == NULL || refused[0] != '\0');
    must(refused != NULL || (!fs.checksum_bad && !fs.external_journal && fs.inode_size >= 256));
}

/* --- what a person writes ---------------------------------------------------------------------------------------- */

void fuzz_config(const uint8_t *data, size_t size) {
    struct td_config config;
    struct td_error err = {0};
    char path[64];
    int fd = memfd_create("config", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int rc = td_config_load(path, &config, &err);
    close(fd);
    must(rc == 0 || err.text[0] != '\0');
    must(rc == 0 || (config.dock_count == 0 && config.collection_count == 0));
    for (size_t i = 0; rc == 0 && i < config.collection_count; i++)
        must(config.collections[i].source != NULL && config.collections[i].target != NULL);
    for (size_t i = 0; rc == 0 && i < config.dock_count; i++)
        must(config.docks[i].source != NULL && config.docks[i].settle >= 0);
    if (rc == 0)
        td_config_free(&config);
}

/* No control byte reaches a terminal, and what goes into JSON is UTF-8 (jansson says so by taking it). */
void fuzz_escape(const uint8_t *data, size_t size) {
    TD_AUTOBUF struct td_buf text = {0}, json = {0};
    uint8_t *copy = exactly(data, size, false);
    td_escape(&text, copy, size);
    td_escape_json(&json, copy, size);
    free(copy);
    for (size_t i = 0; i < text.len; i++)
        must((unsigned char)text.data[i] >= ' ' && text.data[i] != 0x7f);
    must(text.len >= size && json.len >= size);
}

/* --- deltas ------------------------------------------------------------------------------------------------------ */

static int delta_file(const uint8_t *data, size_t size) {
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    must(fd >= 0 && td_pwrite_all(fd, data, size, 0) == 0);
    return fd;
}

static void must_be_equal(int one, int other, uint64_t size) {
    static uint8_t a[4096], b[4096];
    for (uint64_t at = 0; at < size; at += sizeof a) {
        ssize_t got = td_pread_all(one, a, sizeof a, (off_t)at);
        must(got > 0 && td_pread_all(other, b, sizeof b, (off_t)at) == got && memcmp(a, b, (size_t)got) == 0);
    }
}

/* Applied, and gone through with what is wanted: both give the same, or both give nothing. */
void fuzz_delta(const uint8_t *data, size_t size) {
    static uint8_t base[4096];
    for (size_t i = 0; i < sizeof base; i++)
        base[i] = (uint8_t)(i * 7 + i / 256);
    int from = delta_file(base, sizeof base), delta = delta_file(data, size);
    int patched = delta_file(base, 0), resolved = delta_file(base, 0);
    struct td_delta_sums sums = {0}, again = {0};
    struct td_delta_spans wanted = {0};
    int rc = td_delta_patch(from, delta, patched, NULL, &sums, NULL);
    must(td_delta_spans_all(&wanted) == 0);
    int other = td_delta_resolve(delta, rc == 0 ? sums.size : 1 << 20, resolved, &wanted, NULL, &again, NULL);
    if (other == 0)
        other = td_delta_complete(from, resolved, &wanted, NULL, NULL);
    must((rc == 0) == (other == 0));
    if (rc == 0) {
        must(ftruncate(resolved, (off_t)sums.size) == 0);
        must(again.size == sums.size && memcmp(again.delta, sums.delta, sizeof sums.delta) == 0);
        must_be_equal(patched, resolved, sums.size);
    }
    td_delta_spans_free(&wanted);
    close(from);
    close(delta);
    close(patched);
    close(resolved);
}
