/* The bytes of the commands that stop and start a drive, and of what it answers. Pure. */
#include "twindock/platform/drive_power.h"

#include <string.h>

struct command {
    uint8_t length;
    uint8_t bytes[TD_CDB_MAX];
};

/* ATA PASS-THROUGH: protocol non-data (3 << 1), no transfer, no ATA registers back (CK_COND=0). START STOP UNIT without
 * IMMED: it answers when the motor has stopped. */
static const struct command commands[TD_POWER_COMMANDS] = {
    [TD_POWER_SYNC] = {10, {[0] = 0x35}},
    [TD_POWER_STOP] = {6, {[0] = 0x1b}},
    [TD_POWER_START] = {6, {[0] = 0x1b, [4] = 0x01}},
    [TD_POWER_READY] = {6, {0}},
    [TD_POWER_ATA_STANDBY_16] = {16, {[0] = 0x85, [1] = 3 << 1, [14] = 0xe0}},
    [TD_POWER_ATA_STANDBY_12] = {12, {[0] = 0xa1, [1] = 3 << 1, [9] = 0xe0}},
};

size_t td_power_cdb(enum td_power_command command, uint8_t out[TD_CDB_MAX]) {
    memcpy(out, commands[command].bytes, TD_CDB_MAX);
    return commands[command].length;
}

enum { NO_SENSE = 0, RECOVERED = 1, NOT_READY = 2, ILLEGAL_REQUEST = 5 };

enum td_sense td_sense_parse(const uint8_t *sense, size_t len) {
    if (len < 4)
        return TD_SENSE_FAILED;
    unsigned format = sense[0] & 0x7fU;
    bool fixed = format == 0x70 || format == 0x71, descriptor = format == 0x72 || format == 0x73;
    if ((!fixed && !descriptor) || (fixed && len < 14))
        return TD_SENSE_FAILED;
    unsigned key = (fixed ? sense[2] : sense[1]) & 0x0fU;
    unsigned code = fixed ? sense[12] : sense[2], qualifier = fixed ? sense[13] : sense[3];
    switch (key) {
    case NO_SENSE:
    case RECOVERED:
        return TD_SENSE_NONE;
    case ILLEGAL_REQUEST:
        return TD_SENSE_UNKNOWN;
    case NOT_READY:
        if (code == 0x04 && qualifier == 0x02)
            return TD_SENSE_STOPPED;
        return code == 0x3a ? TD_SENSE_GONE : TD_SENSE_FAILED;
    default:
        return TD_SENSE_FAILED;
    }
}
