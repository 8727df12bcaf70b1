#include "twindock/cli/cli.h"
#include "twindock/model/verdict.h"

#include <stdio.h>
#include <string.h>

static void show_options(unsigned options, struct td_buf *out) {
    for (int i = 0; td_cli_options[i].name != NULL; i++) {
        const struct td_cli_option *row = &td_cli_options[i];
        char left[64];
        if ((row->bit & options) == 0)
            continue;
        int n = row->letter != 0 ? snprintf(left, sizeof left, "-%c, ", row->letter) : 0;
        snprintf(left + n, sizeof left - (size_t)n, "--%s%s%s", row->name, row->argument != NULL ? " " : "",
                 row->argument != NULL ? row->argument : "");
        td_buf_printf(out, "  %-20s %s\n", left, row->help);
    }
}

static void show_commands(struct td_buf *out) {
    int widest = 0;
    for (const struct td_cli_command *command = td_cli_commands; command->name != NULL; command++)
        if ((int)strlen(command->name) > widest)
            widest = (int)strlen(command->name);
    for (const struct td_cli_command *command = td_cli_commands; command->name != NULL; command++)
        td_buf_printf(out, "  %-*s %s\n", widest, command->name, command->help);
}

static void show_program(struct td_buf *out) {
    td_buf_puts(out, "twindock keeps mirror backups on pairs of disks in a two-bay dock.\n\n"
                     "Usage: twindock [-c FILE] COMMAND [ARGUMENT...] [OPTION...]\n"
                     "       twindock --info\n\nCommands:\n");
    show_commands(out);
    td_buf_puts(out, "\nOptions:\n");
    show_options(TD_OPT_CONFIG | TD_OPT_JSON | TD_OPT_HELP | TD_OPT_VERSION, out);
    td_buf_puts(out, "\ntwindock COMMAND --help tells more about a command.\n\nExit codes:\n");
    for (const struct td_exit_row *row = td_exit_table; row->meaning != NULL; row++) {
        char code[16];
        const char *named = strchr(row->meaning, ':'); /* "128+N: ended by signal N" */
        snprintf(code, sizeof code, "%d", row->code);
        if (named != NULL)
            snprintf(code, sizeof code, "%.*s", (int)(named - row->meaning), row->meaning);
        td_buf_printf(out, "  %-6s %s\n", code, named != NULL ? named + 2 : row->meaning);
    }
}

void td_cli_help(const struct td_cli_command *command, struct td_buf *out) {
    if (command == NULL) {
        show_program(out);
        return;
    }
    td_buf_printf(out, "Usage: twindock %s%s%s [OPTION...]\n\n%s\n\nOptions:\n", command->name,
                  command->arguments[0] != '\0' ? " " : "", command->arguments, command->help);
    show_options(command->options | TD_OPT_HELP, out);
}
