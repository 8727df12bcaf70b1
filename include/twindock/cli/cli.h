/* The command line as data: commands and options are rows; parser, help and completion are made from them. */
#ifndef TWINDOCK_CLI_CLI_H
#define TWINDOCK_CLI_CLI_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"
#include "twindock/run/commands.h"

#include <stdbool.h>
#include <stddef.h>

/* Options, as bits: which of them a command takes. */
enum td_option {
    TD_OPT_CONFIG = 1 << 0,
    TD_OPT_JSON = 1 << 1,
    TD_OPT_DRY_RUN = 1 << 2,
    TD_OPT_DEVICE = 1 << 3,
    TD_OPT_NIGHTLY = 1 << 4,
    TD_OPT_ACCEPT_CHANGES = 1 << 5,
    TD_OPT_ACCEPT_AHEAD = 1 << 6,
    TD_OPT_YES = 1 << 7,
    TD_OPT_ERASE = 1 << 8,
    TD_OPT_LAYOUT = 1 << 9,
    TD_OPT_DOCK = 1 << 10,
    TD_OPT_INFO = 1 << 11,
    TD_OPT_HELP = 1 << 12,
    TD_OPT_VERSION = 1 << 13,
    TD_OPT_FULL = 1 << 14,
    TD_OPT_EVERY_BLOCK = 1 << 15,
    TD_OPT_REPLACE = 1 << 16,
    TD_OPT_LIST = 1 << 17,
    TD_OPT_ALL = 1 << 20,
    TD_OPT_AS_OF = 1 << 21,
    TD_OPT_TO = 1 << 22,
    TD_OPT_DRILL = 1 << 23
};

struct td_cli_option {
    enum td_option bit;
    const char *name;     /* long name */
    char letter;          /* short name, 0: none */
    const char *argument; /* what it takes, NULL: nothing */
    const char *help;
};
extern const struct td_cli_option td_cli_options[]; /* ends with name NULL */

/* What was said on the command line. Texts point into argv. */
struct td_cli {
    unsigned given; /* set of td_option bits */
    const char *config, *device, *layout, *dock, *replace;
    const char *as_of, *to;
    const struct td_cli_command *command;
    const char *const *arguments;
    size_t argument_count;
};

struct td_cli_command {
    const char *name;
    const char *arguments; /* for the usage line */
    const char *help;      /* one line */
    unsigned options;      /* beyond --help */
    size_t least, most;    /* number of arguments */
    bool needs_config;
    bool needs_root; /* disks and mounts */
    int (*run)(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err);
};
extern const struct td_cli_command td_cli_commands[]; /* ends with name NULL */

/* 0, or -EINVAL with the sentence (exit 64); then only command (NULL: none is clear) and TD_OPT_JSON count. --help and
 * --version are left to the caller: command may be NULL then. */
int td_cli_parse(int argc, char **argv, struct td_cli *out, struct td_error *err);

/* --help: of the program (command NULL) or of one command. */
void td_cli_help(const struct td_cli_command *command, struct td_buf *out);

#endif
