#include "twindock/dock/card.h"

#include "twindock/base/beneath.h"
#include "twindock/base/cleanup.h"
#include "twindock/base/escape.h"
#include "twindock/base/io.h"
#include "twindock/base/sys.h"
#include "twindock/platform/json.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

/* No ledger gets there, and what follows can be counted without overflow. */
#define NUMBER_MAX INT64_C(1000000000000000)

static bool is_uuid(const char *text) {
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (strlen(text) != sizeof(shape) - 1)
        return false;
    for (size_t i = 0; shape[i] != '\0'; i++) {
        if (shape[i] == 'x' ? !isxdigit((unsigned char)text[i]) : text[i] != '-')
            return false;
    }
    return true;
}

static bool is_collection(const char *text) {
    size_t len = strlen(text);
    return len > 0 && len < TD_NAME_MAX &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

static bool is_member(const char *text) {
    return strcmp(text, "A") == 0 || strcmp(text, "B") == 0;
}

static bool is_token(const char *text) {
    uint8_t bytes[(TD_TOKEN_MAX - 1) / 2];
    return td_unhex(bytes, sizeof(bytes), text);
}

static bool is_layout(const char *text) {
    enum td_layout layout;
    return td_layout_from(text, &layout);
}

static bool is_host(const char *text) {
    return strlen(text) < TD_NAME_MAX;
}

/* One text of the card: there, a text, and of the right shape. `size` is that of `out`, and a shape's longest fits. */
static int take_text(const struct td_json *json, const char *key, bool (*shape)(const char *), char *out, size_t size,
                     struct td_error *err) {
    const char *value;
    if (!td_json_get_text(json, key, &value))
        return td_fail_text(err, EINVAL, "the card has no text \"%s\"", key);
    size_t len = strlen(value);
    if (!shape(value) || len >= size)
        return td_fail_text(err, EINVAL, "the card's \"%s\" is not one", key);
    memcpy(out, value, len + 1);
    return 0;
}

static int take_number(const struct td_json *json, const char *key, int64_t *out, struct td_error *err) {
    if (!td_json_get_int(json, key, out))
        return td_fail_text(err, EINVAL, "the card has no number \"%s\"", key);
    if (*out < 0 || *out > NUMBER_MAX)
        return td_fail_text(err, EINVAL, "the card's \"%s\" is out of range", key);
    return 0;
}

static int take_all(const struct td_json *json, struct td_card *card, struct td_error *err) {
    char member[2], layout[16];
    const struct {
        const char *key;
        bool (*shape)(const char *);
        char *out;
        size_t size;
    } texts[] = {
        {"pair", is_uuid, card->pair, sizeof(card->pair)},
        {"collection", is_collection, card->collection, sizeof(card->collection)},
        {"member", is_member, member, sizeof(member)},
        {"token", is_token, card->token, sizeof(card->token)},
        {"layout", is_layout, layout, sizeof(layout)},
        {"host", is_host, card->host, sizeof(card->host)},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int rc = take_text(json, texts[i].key, texts[i].shape, texts[i].out, texts[i].size, err);
        if (rc < 0)
            return rc;
    }
    card->member = member[0];
    td_layout_from(layout, &card->layout);
    int rc = take_number(json, "generation", &card->generation, err);
    return rc < 0 ? rc : take_number(json, "last_run", &card->last_run, err);
}

int td_card_parse(const char *text, size_t len, struct td_card *out, struct td_error *err) {
    *out = (struct td_card){0};
    if (len > TD_CARD_MAX)
        return td_fail_text(err, EINVAL, "the card is too long");
    struct td_json *json = td_json_parse(text, len, err);
    if (json == NULL) {
        td_wrap(err, -EINVAL, "the card is no JSON");
        return -EINVAL;
    }
    struct td_card card = {0};
    int rc = take_all(json, &card, err);
    td_json_free(json);
    if (rc == 0)
        *out = card;
    return rc;
}

void td_card_print(const struct td_card *card, struct td_buf *out) {
    const char member[2] = {card->member, '\0'};
    struct td_json *json = td_json_object();
    td_json_text(json, "pair", card->pair);
    td_json_text(json, "collection", card->collection);
    td_json_text(json, "member", member);
    td_json_text(json, "token", card->token);
    td_json_text(json, "layout", td_layout_name(card->layout));
    td_json_int(json, "generation", card->generation);
    td_json_int(json, "last_run", card->last_run);
    td_json_text(json, "host", card->host);
    td_json_print(json, out);
    td_json_free(json);
}

/* What lies in the card's place but is something else (a symlink, a fifo, far too long) is no card. */
static int no_card(int rc) {
    return rc == -ELOOP || rc == -ENOTDIR || rc == -EISDIR || rc == -EFBIG || rc == -ENXIO ? -EINVAL : rc;
}

int td_card_read(int root, struct td_card *out, struct td_error *err) {
    *out = (struct td_card){0};
    TD_AUTOCLOSE int dir = td_open_beneath(root, TD_DIR, O_RDONLY | O_DIRECTORY, 0);
    if (dir == -ENOENT)
        return -ENOENT;
    if (dir < 0)
        return no_card(td_fail(err, -dir, "cannot open %s", TD_DIR));

    TD_AUTOBUF struct td_buf text = {0};
    struct td_error cause = {0};
    int rc = td_read_small(dir, TD_CARD_NAME, TD_CARD_MAX, &text, &cause);
    if (rc == -ENOENT)
        return -ENOENT;
    if (rc < 0) {
        if (err != NULL)
            *err = cause;
        return no_card(rc);
    }
    return td_card_parse(td_buf_text(&text), text.len, out, err);
}

/* `.twindock`, made if need be. Its entry in the root is made durable too: the card must survive a power cut. */
static int open_store(int root, struct td_error *err) {
    int dir = td_open_beneath(root, TD_DIR, O_RDONLY | O_DIRECTORY, 0);
    if (dir != -ENOENT)
        return dir < 0 ? td_fail(err, -dir, "cannot open %s", TD_DIR) : dir;
    if (mkdirat(root, TD_DIR, 0755) < 0)
        return td_fail(err, errno, "cannot make %s", TD_DIR);
    TD_AUTOCLOSE int made = td_open_beneath(root, TD_DIR, O_RDONLY | O_DIRECTORY, 0);
    if (made < 0)
        return td_fail(err, -made, "cannot open %s", TD_DIR);
    if (fchmod(made, 0755) < 0 || td_sys.fsync(made) < 0 || td_sys.fsync(root) < 0)
        return td_fail(err, errno, "cannot make %s durable", TD_DIR);
    return td_take_fd(&made);
}

int td_card_write(int root, const struct td_card *card, struct td_error *err) {
    TD_AUTOBUF struct td_buf text = {0};
    td_card_print(card, &text);
    /* A card that could not be read back would make a stranger of the disk. */
    struct td_card back;
    int rc = td_card_parse(td_buf_text(&text), text.len, &back, err);
    if (rc < 0)
        return td_wrap(err, rc, "refused to write a card");
    TD_AUTOCLOSE int dir = open_store(root, err);
    return dir < 0 ? dir : td_replace_small(dir, TD_CARD_NAME, td_buf_text(&text), text.len, err);
}

int td_card_token(char out[TD_TOKEN_MAX], struct td_error *err) {
    uint8_t bytes[(TD_TOKEN_MAX - 1) / 2];
    size_t have = 0;
    while (have < sizeof(bytes)) {
        ssize_t got = getrandom(bytes + have, sizeof(bytes) - have, 0);
        if (got < 0 && errno != EINTR)
            return td_fail(err, errno, "cannot draw a random token");
        have += got > 0 ? (size_t)got : 0;
    }
    td_hex(out, bytes, sizeof(bytes));
    return 0;
}
