#include "twindock/model/row.h"

const char *const td_action_names[TD_ACTIONS] = {
    [TD_ACT_NONE] = "none",       [TD_ACT_MKDIR] = "mkdir",           [TD_ACT_COPY] = "copy",
    [TD_ACT_SPECIAL] = "special", [TD_ACT_ATTRIBUTES] = "attributes", [TD_ACT_LINK] = "link",
    [TD_ACT_MOVE] = "move",       [TD_ACT_DELETE] = "delete",         [TD_ACT_ENTER] = "enter",
};

const char *const td_why_names[TD_WHYS] = {
    [TD_WHY_NONE] = "none",   [TD_WHY_NEW] = "new",         [TD_WHY_EDITED] = "edited",
    [TD_WHY_STALE] = "stale", [TD_WHY_ALTERED] = "altered", [TD_WHY_MISSING] = "missing",
    [TD_WHY_TYPE] = "type",   [TD_WHY_LINKS] = "links",     [TD_WHY_ATTRIBUTES] = "attributes",
    [TD_WHY_GONE] = "gone",   [TD_WHY_REPAIR] = "repair",
};
