#include "twindock/run/need.h"

#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"
#include "twindock/config/config.h"
#include "twindock/model/verdict.h"

#include <errno.h>

#define NAMED 8 /* more names do not help */

int td_need_dock(const struct td_config *config, struct td_error *err) {
    if (config->dock_count > 0)
        return 0;
    td_fail_text(err, EINVAL,
                 "%s has no section [dock NAME], so there is nothing to look at; add one with the help of "
                 "`twindock slots`",
                 config->file);
    return TD_EXIT_CONFIG;
}

int td_need_collection(const struct td_config *config, const char *name, struct td_error *err) {
    TD_AUTOBUF struct td_buf names = {0};
    size_t count = config->collection_count;
    if (td_config_collection(config, name) != NULL)
        return 0;
    for (size_t i = 0; i < count && i < NAMED; i++)
        td_buf_printf(&names, "%s%s", i == 0 ? "; there is " : ", ", config->collections[i].name);
    td_fail_text(err, EINVAL, "%s has no section [collection %s]%s%s", config->file, name,
                 count > 0 ? td_buf_text(&names) : "; add it first", count > NAMED ? " and others" : "");
    return TD_EXIT_USAGE;
}

int td_need_section(const struct td_config *config, const char *name, struct td_error *err) {
    if (td_config_collection(config, name) != NULL)
        return 0;
    td_fail_text(err, EINVAL, "%s: collection %s is enrolled but has no section [collection %s]; add it", config->file,
                 name, name);
    return TD_EXIT_CONFIG;
}
