/* The card of a member, to and from `.twindock/card.json`. Anything on a disk is hostile input. */
#ifndef TWINDOCK_DOCK_CARD_H
#define TWINDOCK_DOCK_CARD_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"
#include "twindock/model/pair.h"

#include <stddef.h>

#define TD_DIR ".twindock"
#define TD_CARD_NAME "card.json"
#define TD_CARD_MAX 65536 /* bytes */

int td_card_parse(const char *text, size_t len, struct td_card *out, struct td_error *err);
void td_card_print(const struct td_card *card, struct td_buf *out);

/* Below the root of a mounted member. read: -ENOENT when there is no card (err untouched), -EINVAL when it is no card.
 * write: makes `.twindock` (0700... 0755) if needed, replaces the card durably and whole. */
int td_card_read(int root, struct td_card *out, struct td_error *err);
int td_card_write(int root, const struct td_card *card, struct td_error *err);
/* A new random token. */
int td_card_token(char out[TD_TOKEN_MAX], struct td_error *err);

#endif
