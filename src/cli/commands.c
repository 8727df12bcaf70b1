/* One row for each command, and the few lines that turn what was typed into a request. */
#include "twindock/cli/cli.h"
#include "twindock/config/config.h"
#include "twindock/model/verdict.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASK_AGAIN_MS 200 /* how soon a signal is noticed while a question waits for its answer */
#define DRILL_FILES 20
#define COMMON (TD_OPT_CONFIG | TD_OPT_JSON)

static int do_info(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    (void)cli;
    return td_command_info(app, out, err);
}

static int do_check(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    struct td_check_request request = {
        .full = (cli->given & TD_OPT_FULL) != 0,
        .every_block = (cli->given & TD_OPT_EVERY_BLOCK) != 0,
    };
    if (request.every_block && !request.full) {
        td_fail_text(err, EINVAL, "--every-block says what --full is to read; say both");
        return TD_EXIT_USAGE;
    }
    return td_command_check(app, &request, out, err);
}

static int do_run(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    struct td_run_request request = {
        .dry_run = (cli->given & TD_OPT_DRY_RUN) != 0,
        .nightly = (cli->given & TD_OPT_NIGHTLY) != 0,
        .accept_changes = (cli->given & TD_OPT_ACCEPT_CHANGES) != 0,
        .accept_ahead = (cli->given & TD_OPT_ACCEPT_AHEAD) != 0,
        .device = cli->device,
        .collections = cli->arguments,
        .collection_count = cli->argument_count,
    };
    return td_command_run(app, &request, out, err);
}

static int do_verify(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    return td_command_verify(app, cli->argument_count > 0 ? cli->arguments[0] : NULL, out, err);
}

struct question {
    const char *name;
    const struct td_stop *stop;
};

/* Wait for a line, or for a signal: reading alone would go on after Ctrl-C. */
static bool line_comes(const struct td_stop *stop) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    while (!td_stop_asked(stop))
        if (poll(&input, 1, ASK_AGAIN_MS) > 0)
            return true;
    return false;
}

/* The name has to be typed: a "y" is too easily given. */
static bool ask_for_name(void *ctx, const char *text) {
    const struct question *question = ctx;
    char answer[128] = "";
    fprintf(stderr, "%s\nType %s to go on, anything else to leave: ", text, question->name);
    fflush(stderr);
    if (!line_comes(question->stop) || fgets(answer, sizeof answer, stdin) == NULL) {
        fputc('\n', stderr); /* nobody has ended the line */
        return false;
    }
    answer[strcspn(answer, "\n")] = '\0';
    return strcmp(answer, question->name) == 0;
}

static int do_format(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    struct question question = {cli->arguments[0], app->stop};
    struct td_format_request request = {
        .collection = cli->arguments[0],
        .dock = cli->dock,
        .erase = (cli->given & TD_OPT_ERASE) != 0,
        .ask = (cli->given & TD_OPT_YES) != 0 ? NULL : ask_for_name,
        .ctx = &question,
    };
    return td_command_format(app, &request, out, err);
}

static int do_replace(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    struct question question = {cli->arguments[0], app->stop};
    struct td_replace_request request = {
        .collection = cli->arguments[0],
        .member = cli->replace,
        .dock = cli->dock,
        .erase = (cli->given & TD_OPT_ERASE) != 0,
        .ask = (cli->given & TD_OPT_YES) != 0 ? NULL : ask_for_name,
        .ctx = &question,
    };
    return td_command_replace(app, &request, out, err);
}

static int do_enroll(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    if (cli->replace != NULL && cli->layout != NULL) {
        td_fail_text(err, EINVAL, "enroll --replace keeps the pair's layout; leave out --layout");
        return TD_EXIT_USAGE;
    }
    if (cli->replace != NULL)
        return do_replace(app, cli, out, err);
    if ((cli->given & (TD_OPT_YES | TD_OPT_ERASE)) != 0) {
        td_fail_text(err, EINVAL, "enroll takes --yes and --erase only together with --replace");
        return TD_EXIT_USAGE;
    }
    return td_command_enroll(app, cli->arguments[0], cli->layout, cli->dock, out, err);
}

static int do_heal(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    return td_command_heal(app, cli->arguments[0], &cli->arguments[1], cli->argument_count - 1, out, err);
}

static int do_accept(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    return td_command_accept(app, cli->arguments[0], &cli->arguments[1], cli->argument_count - 1, out, err);
}

static int do_watch(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    (void)cli;
    return td_command_watch(app, out, err);
}

static int do_retire(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    struct question question = {cli->arguments[0], app->stop};
    struct td_retire_request request = {
        .collection = cli->arguments[0],
        .member = cli->argument_count > 1 ? cli->arguments[1] : NULL,
        .ask = (cli->given & TD_OPT_YES) != 0 ? NULL : ask_for_name,
        .ctx = &question,
    };
    return td_command_retire(app, &request, out, err);
}

static void tell(void *ctx, const char *text) {
    (void)ctx;
    fprintf(stderr, "%s\n", text);
}

static int do_slots(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    struct td_slots_request request = {.list = (cli->given & TD_OPT_LIST) != 0, .tell = tell};
    return td_command_slots(app, &request, out, err);
}

static int do_history(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    return td_command_history(app, cli->arguments[0], cli->argument_count > 1 ? cli->arguments[1] : NULL, out, err);
}

static int misuse(struct td_error *err, const char *text) {
    td_fail_text(err, EINVAL, "%s; see twindock restore --help", text);
    return TD_EXIT_USAGE;
}

/* `restore --drill [COLLECTION] [N]` */
static int do_drill(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    struct td_restore_request request = {.drill = DRILL_FILES};
    for (size_t i = 0; i < cli->argument_count; i++) {
        char *end;
        long long count = strtoll(cli->arguments[i], &end, 10);
        if (*end == '\0' && end != cli->arguments[i])
            request.drill = count;
        else if (request.collection == NULL)
            request.collection = cli->arguments[i];
        else
            return misuse(err, "restore --drill takes a collection and a number");
    }
    if (request.drill < 1 || (cli->given & (TD_OPT_ALL | TD_OPT_TO | TD_OPT_AS_OF)) != 0)
        return misuse(err, "restore --drill takes a collection and a number from 1 up, and nothing else");
    return td_command_restore(app, &request, out, err);
}

static int do_restore(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    if ((cli->given & TD_OPT_DRILL) != 0)
        return do_drill(app, cli, out, err);
    struct td_restore_request request = {
        .collection = cli->argument_count > 0 ? cli->arguments[0] : NULL,
        .to = cli->to,
        .as_of = cli->as_of,
        .paths = cli->arguments + 1,
        .path_count = cli->argument_count > 0 ? cli->argument_count - 1 : 0,
        .all = (cli->given & TD_OPT_ALL) != 0,
    };
    if (request.collection == NULL)
        return misuse(err, "restore needs a collection");
    if (request.all == (request.path_count > 0))
        return misuse(err, "restore needs either paths or --all");
    if (request.to == NULL)
        return misuse(err, "restore needs --to DIR, the directory that receives the files");
    return td_command_restore(app, &request, out, err);
}

static int do_mail_test(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    (void)cli;
    return td_command_mail_test(app, out, err);
}

static int do_mail_failure(const struct td_app *app, const struct td_cli *cli, struct td_buf *out,
                           struct td_error *err) {
    const char *file = cli->config != NULL ? cli->config : TD_CONFIG_FILE;
    return td_command_mail_failure(app, file, cli->arguments[0], out, err);
}

static int do_sync(const struct td_app *app, const struct td_cli *cli, struct td_buf *out, struct td_error *err) {
    return td_command_sync(app, cli->arguments[0], &cli->arguments[1], cli->argument_count - 1, out, err);
}

const struct td_cli_command td_cli_commands[] = {
    {"info", "", "every backup at a glance; reads the ledger only, spins up no disk", COMMON, 0, 0, true, false,
     do_info},
    {"check", "", "identify what is docked and judge it, or read all of it (--full); writes to no disk",
     COMMON | TD_OPT_FULL | TD_OPT_EVERY_BLOCK, 0, 0, true, true, do_check},
    {"run", "[COLLECTION...]", "back up what is docked, and prove it",
     COMMON | TD_OPT_DRY_RUN | TD_OPT_DEVICE | TD_OPT_NIGHTLY | TD_OPT_ACCEPT_CHANGES | TD_OPT_ACCEPT_AHEAD, 0,
     SIZE_MAX, true, true, do_run},
    {"verify", "[COLLECTION]", "read both docked disks in full against the ledger; needs no source", COMMON, 0, 1, true,
     true, do_verify},
    {"format", "COLLECTION", "make a new pair of the two disks in the dock, and enroll it",
     COMMON | TD_OPT_YES | TD_OPT_ERASE | TD_OPT_DOCK, 1, 1, true, true, do_format},
    {"enroll", "COLLECTION", "register the docked pair and write its cards; or replace a member that is gone",
     COMMON | TD_OPT_LAYOUT | TD_OPT_DOCK | TD_OPT_REPLACE | TD_OPT_YES | TD_OPT_ERASE, 1, 1, true, true, do_enroll},
    {"slots", "", "learn the two slots of a dock: which path appears when a disk goes in", TD_OPT_JSON | TD_OPT_LIST, 0,
     0, false, false, do_slots},
    {"retire", "COLLECTION [MEMBER]", "forget a pair, or a member that is gone; its runs stay on record",
     COMMON | TD_OPT_YES, 1, 2, true, true, do_retire},
    {"heal", "COLLECTION PATH...", "copy a proven backup over a file of the source that has rotted and is held", COMMON,
     2, SIZE_MAX, true, true, do_heal},
    {"accept", "COLLECTION PATH...", "take what the source holds of a held file as right: the next run copies it",
     COMMON, 2, SIZE_MAX, true, true, do_accept},
    {"watch", "", "wait for insertions by itself, where there is no systemd; the nightly run is cron's", TD_OPT_CONFIG,
     0, 0, true, true, do_watch},
    {"history", "COLLECTION [PATH]", "what changed when; reads the ledger only", COMMON, 1, 2, true, false, do_history},
    {"restore", "COLLECTION PATH...|--all --to DIR", "bring back files, also as they were; or --drill [COLLECTION] [N]",
     COMMON | TD_OPT_ALL | TD_OPT_AS_OF | TD_OPT_TO | TD_OPT_DRILL, 0, SIZE_MAX, true, true, do_restore},
    {"mail-test", "", "send a mail the way a failure would", TD_OPT_CONFIG, 0, 0, true, false, do_mail_test},
    {"mail-failure", "UNIT", "mail that a systemd unit of twindock's failed; for units, not for hands", TD_OPT_CONFIG,
     1, 1, false, false, do_mail_failure},
    {"sync", "SRC DST [DST]", "the engine alone: bring directories up to date and prove them; no dock, no ledger",
     TD_OPT_JSON, 2, 3, false, false, do_sync},
    {NULL, NULL, NULL, 0, 0, 0, false, false, NULL},
};
