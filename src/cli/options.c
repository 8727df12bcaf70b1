#include "twindock/cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct td_cli_option td_cli_options[] = {
    {TD_OPT_CONFIG, "config", 'c', "FILE", "read this configuration (/etc/twindock/twindock.conf)"},
    {TD_OPT_JSON, "json", 0, NULL, "say it as one JSON object"},
    {TD_OPT_DRY_RUN, "dry-run", 'n', NULL, "show what would be done; write nothing"},
    {TD_OPT_DEVICE, "device", 0, "NODE", "as started for an inserted disk: settle, then the dock it is in"},
    {TD_OPT_NIGHTLY, "nightly", 0, NULL, "as started at 18:00: every dock; mail about overdue pairs"},
    {TD_OPT_ACCEPT_CHANGES, "accept-changes", 0, NULL, "this once, go on although very much changed"},
    {TD_OPT_ACCEPT_AHEAD, "accept-ahead", 0, NULL, "this once, go on although a disk is newer than the ledger"},
    {TD_OPT_YES, "yes", 'y', NULL, "do not ask"},
    {TD_OPT_ERASE, "erase", 0, NULL, "also disks that are not empty: everything on them is lost"},
    {TD_OPT_FULL, "full", 0, NULL, "read the disks: mirrored halves against each other, twins against the ledger"},
    {TD_OPT_EVERY_BLOCK, "every-block", 0, NULL, "mirrored halves: compare what is free as well"},
    {TD_OPT_LAYOUT, "layout", 0, "LAYOUT",
     "what the pair is: twins (two filesystems), or mirrored (the dock writes both)"},
    {TD_OPT_REPLACE, "replace", 0, "MEMBER", "the new disk takes the place of A or B, which is gone"},
    {TD_OPT_LIST, "list", 0, NULL, "only list the disks that are there now; wait for none"},
    {TD_OPT_DOCK, "dock", 0, "NAME", "the dock, when more than one holds two disks"},
    {TD_OPT_ALL, "all", 0, NULL, "everything"},
    {TD_OPT_AS_OF, "as-of", 0, "TIME", "as it was then: 2014-09-02 20:00:04, or a date alone; local time"},
    {TD_OPT_TO, "to", 0, "DIR", "the directory that receives it; nothing in it is overwritten"},
    {TD_OPT_DRILL, "drill", 0, NULL, "an exercise: N random files and versions (20), proven and thrown away"},
    {TD_OPT_INFO, "info", 0, NULL, "the same as the command info"},
    {TD_OPT_HELP, "help", 'h', NULL, "this text"},
    {TD_OPT_VERSION, "version", 0, NULL, "the version"},
    {0, NULL, 0, NULL, NULL},
};

enum { OPTIONS = sizeof td_cli_options / sizeof *td_cli_options, LONG_ONLY = 256 };

/* getopt's own tables, made from ours. */
static void fill(struct option longs[OPTIONS], char shorts[3 * OPTIONS]) {
    size_t at = 0;
    shorts[at++] = ':'; /* we word the errors ourselves */
    for (int i = 0; td_cli_options[i].name != NULL; i++) {
        const struct td_cli_option *row = &td_cli_options[i];
        longs[i] =
            (struct option){row->name, row->argument != NULL ? required_argument : no_argument, NULL, LONG_ONLY + i};
        if (row->letter == 0)
            continue;
        shorts[at++] = row->letter;
        if (row->argument != NULL)
            shorts[at++] = ':';
    }
    longs[OPTIONS - 1] = (struct option){0};
    shorts[at] = '\0';
}

static const struct td_cli_option *find_option(int answer) {
    if (answer >= LONG_ONLY)
        return &td_cli_options[answer - LONG_ONLY];
    for (int i = 0; td_cli_options[i].name != NULL; i++)
        if (td_cli_options[i].letter == answer)
            return &td_cli_options[i];
    return NULL;
}

static void take(struct td_cli *cli, const struct td_cli_option *option, const char *argument) {
    cli->given |= option->bit;
    switch (option->bit) {
    case TD_OPT_CONFIG:
        cli->config = argument;
        break;
    case TD_OPT_DEVICE:
        cli->device = argument;
        break;
    case TD_OPT_LAYOUT:
        cli->layout = argument;
        break;
    case TD_OPT_REPLACE:
        cli->replace = argument;
        break;
    case TD_OPT_AS_OF:
        cli->as_of = argument;
        break;
    case TD_OPT_TO:
        cli->to = argument;
        break;
    case TD_OPT_DOCK:
        cli->dock = argument;
        break;
    default:
        break;
    }
}

static const struct td_cli_command *find_command(const char *name) {
    for (const struct td_cli_command *command = td_cli_commands; command->name != NULL; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

static int check_fit(const struct td_cli *cli, struct td_error *err) {
    const struct td_cli_command *command = cli->command;
    unsigned always = TD_OPT_HELP | TD_OPT_VERSION | TD_OPT_INFO;
    for (int i = 0; td_cli_options[i].name != NULL; i++)
        if ((cli->given & td_cli_options[i].bit & ~(command->options | always)) != 0)
            return td_fail_text(err, EINVAL, "%s does not take --%s; see twindock %s --help", command->name,
                                td_cli_options[i].name, command->name);
    if (cli->argument_count < command->least)
        return td_fail_text(err, EINVAL, "%s needs %s; see twindock %s --help", command->name, command->arguments,
                            command->name);
    if (cli->argument_count > command->most)
        return td_fail_text(err, EINVAL, "%s does not take \"%s\"; see twindock %s --help", command->name,
                            cli->arguments[command->most], command->name);
    return 0;
}

static int choose_command(struct td_cli *cli, int argc, char **argv, int at, struct td_error *err) {
    if ((cli->given & TD_OPT_INFO) != 0) {
        cli->command = find_command("info");
    } else if (at < argc) {
        cli->command = find_command(argv[at]);
        if (cli->command == NULL)
            return td_fail_text(err, EINVAL, "unknown command \"%s\"; see twindock --help", argv[at]);
        at++;
    } else {
        return (cli->given & (TD_OPT_HELP | TD_OPT_VERSION)) != 0
                   ? 0
                   : td_fail_text(err, EINVAL, "no command given; see twindock --help");
    }
    cli->arguments = (const char *const *)&argv[at];
    cli->argument_count = (size_t)(argc - at);
    return (cli->given & (TD_OPT_HELP | TD_OPT_VERSION)) != 0 ? 0 : check_fit(cli, err);
}

/* Where help is to be had about a command line that makes no sense: with the command, when it has one. Its name is the
 * first word that is one. */
static const char *help_of(int argc, char **argv, char text[64]) {
    const struct td_cli_command *command = NULL;
    for (int i = 1; i < argc && command == NULL; i++)
        command = strcmp(argv[i], "--info") == 0 ? find_command("info") : find_command(argv[i]);
    snprintf(text, 64, "twindock %s%s--help", command != NULL ? command->name : "", command != NULL ? " " : "");
    return text;
}

/* getopt takes any beginning of a long option's name. For options that disarm a safeguard that is too little, so none
 * is taken unless it is written out. */
static int check_spelling(int argc, char **argv, struct td_error *err) {
    char help[64];
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--", 2) != 0)
            continue;
        size_t len = strcspn(argv[i] + 2, "=");
        const struct td_cli_option *row = td_cli_options;
        while (row->name != NULL && (strlen(row->name) != len || strncmp(row->name, argv[i] + 2, len) != 0))
            row++;
        if (row->name == NULL)
            return td_fail_text(err, EINVAL, "unknown option %s; see %s", argv[i], help_of(argc, argv, help));
        if (row->argument == NULL && argv[i][2 + len] == '=')
            return td_fail_text(err, EINVAL, "--%s takes no value; see %s", row->name, help_of(argc, argv, help));
    }
    return 0;
}

static int parse(int argc, char **argv, struct td_cli *out, struct td_error *err) {
    struct option longs[OPTIONS];
    char shorts[3 * OPTIONS], help[64];
    int answer;
    *out = (struct td_cli){0};
    int spelled = check_spelling(argc, argv, err);
    if (spelled != 0)
        return spelled;
    fill(longs, shorts);
    opterr = 0;
    optind = 0;
    while ((answer = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (answer == ':')
            return td_fail_text(err, EINVAL, "%s needs a value; see %s", argv[optind - 1], help_of(argc, argv, help));
        if (answer == '?')
            return td_fail_text(err, EINVAL, "unknown option %s; see %s", argv[optind - 1], help_of(argc, argv, help));
        take(out, find_option(answer), optarg);
    }
    return choose_command(out, argc, argv, optind, err);
}

/* Whoever asked for JSON is to get it, wherever the rest stopped making sense. */
static bool asks_for_json(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

int td_cli_parse(int argc, char **argv, struct td_cli *out, struct td_error *err) {
    int rc = parse(argc, argv, out, err);
    if (rc != 0 && asks_for_json(argc, argv))
        out->given |= TD_OPT_JSON;
    return rc;
}
