/*
 * twindock: mirror backups on pairs of disks.
 *
 *   cli/      this: the command line
 *   run/      what a command does, step by step: the only place where the layers below meet
 *   dock/     which disks are where, who they are, may we write
 *   sync/     trees: walk, hash, plan, judge, write
 *   ledger/   what is known: pairs, runs, files, proofs (SQL in sql/)
 *   report/   tables, JSON, mails, progress
 *   config/   the configuration file
 *   platform/ one file per foreign interface
 *   model/    plain structs and tables that the layers share
 *   base/     errors, buffers, time, I/O loops
 *
 * A good place to begin reading: run/backup.c, then dock/verdict.c, sync/plan.c and sync/judge.c.
 */
#include "twindock/base/cleanup.h"
#include "twindock/base/escape.h"
#include "twindock/base/io.h"
#include "twindock/cli/cli.h"
#include "twindock/config/config.h"
#include "twindock/model/outcome.h"
#include "twindock/model/verdict.h"
#include "twindock/platform/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Without standard streams the next files that are opened would take their numbers, and what is said would be written
 * into them. Nobody listens: it goes nowhere. */
static int open_standard(void) {
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    return fd < 0 ? -errno : close(fd);
}

/* Errors are one line on standard error, whatever bytes they hold. */
static void complain(const struct td_error *err) {
    TD_AUTOBUF struct td_buf text = {0};
    td_buf_puts(&text, "twindock: ");
    td_escape_text(&text, err->text);
    td_buf_putc(&text, '\n');
    (void)!write(STDERR_FILENO, text.data, text.len);
}

/* With --json there is an object on standard output also when a command ends before it has a report, or has none. */
static void add_json(const struct td_cli *cli, const struct td_error *err, int code, struct td_buf *out) {
    enum td_result result = code == TD_EXIT_OK                                ? TD_RESULT_DONE
                            : code > TD_EXIT_SIGNAL                           ? TD_RESULT_INTERRUPTED
                            : code == TD_EXIT_REFUSED || code == TD_EXIT_BUSY ? TD_RESULT_REFUSED
                                                                              : TD_RESULT_FAILED;
    struct td_json *json = td_json_object();
    td_json_text(json, "command", cli->command != NULL ? cli->command->name : NULL);
    td_json_text(json, "result", td_result_names[result]);
    td_json_int(json, "exit", code);
    td_json_text(json, "reason", err->text[0] != '\0' ? err->text : NULL);
    td_json_print(json, out);
    td_json_free(json);
}

static int fail(const struct td_cli *cli, const struct td_error *err, int code, struct td_buf *out) {
    complain(err);
    if ((cli->given & TD_OPT_JSON) != 0)
        add_json(cli, err, code, out);
    return code;
}

/* What was said is given out early when something slow follows. */
static void flush_out(struct td_output *output, struct td_buf *out) {
    int rc = out->len > 0 ? td_write_all(STDOUT_FILENO, td_buf_text(out), out->len) : 0;
    output->error = output->error != 0 ? output->error : rc;
    output->any = output->any || out->len > 0;
    td_buf_clear(out);
}

/* Deep trees and two members want more descriptors than the usual 1024. */
static void raise_limits(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* The ledger is root's: what only reads it fails for others, and that is no fault of ours. */
static bool needs_root_for_ledger(const struct td_config *config) {
    return geteuid() != 0 && config->ledger != NULL && access(config->ledger, R_OK) != 0 && errno == EACCES;
}

static int carry_out(const struct td_cli *cli, struct td_output *output, struct td_buf *out) {
    static struct td_stop stop;
    struct td_config config = {0};
    struct td_error err = {0};
    struct td_app app = {.config = &config,
                         .stop = &stop,
                         .json = (cli->given & TD_OPT_JSON) != 0,
                         .flush = flush_out,
                         .complain = complain,
                         .output = output};
    if (cli->command->needs_config &&
        td_config_load(cli->config != NULL ? cli->config : TD_CONFIG_FILE, &config, &err) != 0)
        return fail(cli, &err, TD_EXIT_CONFIG, out);
    if (cli->command->needs_root && geteuid() != 0) {
        td_fail_text(&err, EPERM, "%s works with disks and mounts and needs root; try sudo twindock %s",
                     cli->command->name, cli->command->name);
        td_config_free(&config);
        return fail(cli, &err, TD_EXIT_REFUSED, out);
    }
    raise_limits();
    td_stop_on_signals(&stop);
    int rc = cli->command->run(&app, cli, out, &err);
    if (rc == -EINTR && td_stop_asked(&stop)) {
        td_fail_text(&err, EINTR, "stopped before anything was written");
        rc = TD_EXIT_SIGNAL + atomic_load(&stop.signal);
    }
    if (rc < 0 && needs_root_for_ledger(&config)) {
        td_fail_text(&err, EACCES, "%s reads the ledger %s and needs root for it; try sudo twindock %s",
                     cli->command->name, config.ledger, cli->command->name);
        rc = TD_EXIT_REFUSED;
    }
    rc = td_exit_of(rc);
    bool silent = out->len == 0 && !output->any;
    if (silent && err.code != 0 && rc != 0)
        fail(cli, &err, rc, out);
    else if (silent && app.json)
        add_json(cli, &err, rc, out);
    td_config_free(&config);
    return rc;
}

int main(int argc, char **argv) {
    TD_AUTOBUF struct td_buf out = {0};
    struct td_error err = {0};
    struct td_output output = {0};
    struct td_cli cli;
    int code = TD_EXIT_OK;
    if (open_standard() != 0)
        return TD_EXIT_INTERNAL;
    if (td_cli_parse(argc, argv, &cli, &err) != 0)
        code = fail(&cli, &err, TD_EXIT_USAGE, &out);
    else if ((cli.given & TD_OPT_VERSION) != 0)
        td_buf_puts(&out, "twindock " TD_VERSION "\n");
    else if ((cli.given & TD_OPT_HELP) != 0)
        td_cli_help(cli.command, &out);
    else
        code = carry_out(&cli, &output, &out);
    flush_out(&output, &out);
    if (output.error != 0) {
        td_fail(&err, -output.error, "standard output cannot be written");
        complain(&err);
    }
    return output.error != 0 && code == 0 ? TD_EXIT_INTERNAL : code;
}
