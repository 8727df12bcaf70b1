#include "twindock/model/pair.h"

#include <stddef.h>
#include <string.h>

static const char *const layouts[] = {[TD_LAYOUT_TWINS] = "twins", [TD_LAYOUT_MIRRORED] = "mirrored"};
#define COUNT (sizeof(layouts) / sizeof(layouts[0]))

const char *td_layout_name(enum td_layout layout) {
    return (size_t)layout < COUNT ? layouts[layout] : "unknown";
}

bool td_layout_from(const char *name, enum td_layout *out) {
    for (size_t i = 0; name && i < COUNT; i++) {
        if (strcmp(layouts[i], name) == 0) {
            *out = (enum td_layout)i;
            return true;
        }
    }
    return false;
}

bool td_pair_member_is_new(const struct td_pair *pair, int index) {
    const struct td_member *member = &pair->members[index];
    return pair->layout == TD_LAYOUT_TWINS && member->letter != 0 && member->generation == 0 && pair->generation > 0;
}
