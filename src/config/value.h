/* From the text of a value to the field of a struct. Private to config. */
#ifndef TWINDOCK_SRC_CONFIG_VALUE_H
#define TWINDOCK_SRC_CONFIG_VALUE_H

#include "keys.h"

#include "twindock/base/buf.h"

/* Parse `text` as the key's type and put it into the field of `owner` (struct td_config, td_dock_config or
 * td_collection_config, as the key's section says). 0, -EINVAL (nothing changed), -ENOMEM. */
int config_value_set(const struct config_key *key, void *owner, const char *text);

/* Append what the key takes: "a duration such as 30s, 10m, 2h, 21d or 4w". */
void config_value_expected(const struct config_key *key, struct td_buf *out);

/* Give every field of the section that has a default its default. 0 or -ENOMEM. */
int config_value_defaults(enum key_section section, void *owner);

#endif
