#include "twindock/model/version.h"

#include <string.h>

const char *const td_version_names[TD_VERSION_KINDS] = {"whole", "delta", "directory", "attributes"};

bool td_version_from(const char *name, enum td_version_kind *out) {
    for (int kind = 0; kind < TD_VERSION_KINDS; kind++)
        if (strcmp(name, td_version_names[kind]) == 0) {
            *out = (enum td_version_kind)kind;
            return true;
        }
    return false;
}
