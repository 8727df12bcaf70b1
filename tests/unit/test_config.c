#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"
#include "twindock/config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define EXAMPLE "doc/twindock.conf.example" /* from the top of the tree, where the suite runs */

static char file[] = "/tmp/twindock-config-XXXXXX";

static void put(const char *text) {
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(td_write_all(fd, text, strlen(text)), 0);
    assert_int_equal(close(fd), 0);
}

static void load(const char *text, struct td_config *config) {
    struct td_error err = {0};
    put(text);
    int rc = td_config_load(file, config, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
}

static void accepts(const char *text) {
    struct td_config config;
    load(text, &config);
    td_config_free(&config);
}

static const struct td_config nothing;

/* The whole error text after "FILE:". */
static void refuses(const char *text, const char *expected) {
    struct td_config config;
    struct td_error err = {0};
    char whole[TD_ERROR_TEXT];
    put(text);
    memset(&config, 0xee, sizeof config);
    assert_int_equal(td_config_load(file, &config, &err), -EINVAL);
    snprintf(whole, sizeof whole, "%s:%s", file, expected);
    assert_string_equal(err.text, whole);
    assert_int_equal(err.code, EINVAL);
    assert_memory_equal(&config, &nothing, sizeof config);
    assert_int_equal(td_config_load(file, &config, NULL), -EINVAL);
}

/* The example that the specification gives, comments and all. */
static const char model[] = "[twindock]\n"
                            "ledger = /var/lib/twindock/twindock.db\n"
                            "mail_to = root                      ; empty: no mail\n"
                            "mail_on = failure                   ; failure | change | always\n"
                            "sendmail = /usr/sbin/sendmail\n"
                            "finish_by = 07:00\n"
                            "\n"
                            "[dock server]\n"
                            "mode = individual\n"
                            "source = pci-0000:00:14.0-usb-0:3:1.0-scsi-0:0:0:0\n"
                            "destination = pci-0000:00:14.0-usb-0:3:1.0-scsi-0:0:0:1\n"
                            "slots = strict                      ; strict | any\n"
                            "single = refuse                     ; refuse | allow\n"
                            "settle = 30s\n"
                            "eject = standby\n"
                            "\n"
                            "[collection M]\n"
                            "source = /array/music\n"
                            "source_mount = /array               ; refuse unless this is a mount point\n"
                            "overdue = 21d\n"
                            "exclude = *.tmp\n"
                            "keep_history = 90d\n"
                            "max_delete = 10%                    ; of the files or bytes\n"
                            "max_change = 40%\n";

static void reads_the_model(void **state) {
    (void)state;
    struct td_config config;
    load(model, &config);
    assert_string_equal(config.file, file);
    assert_string_equal(config.ledger, "/var/lib/twindock/twindock.db");
    assert_string_equal(config.mail_to, "root");
    assert_int_equal(config.mail_on, TD_MAIL_FAILURE);
    assert_string_equal(config.sendmail, "/usr/sbin/sendmail");
    assert_int_equal(config.finish_by, 7 * 3600);

    assert_int_equal(config.dock_count, 1);
    const struct td_dock_config *dock = &config.docks[0];
    assert_string_equal(dock->name, "server");
    assert_int_equal(dock->mode, TD_MODE_INDIVIDUAL);
    assert_string_equal(dock->source, "pci-0000:00:14.0-usb-0:3:1.0-scsi-0:0:0:0");
    assert_string_equal(dock->destination, "pci-0000:00:14.0-usb-0:3:1.0-scsi-0:0:0:1");
    assert_false(dock->slots_any);
    assert_false(dock->single_allow);
    assert_int_equal(dock->settle, 30);
    assert_int_equal(dock->eject, TD_EJECT_STANDBY);

    assert_int_equal(config.collection_count, 1);
    const struct td_collection_config *m = td_config_collection(&config, "M");
    assert_ptr_equal(m, &config.collections[0]);
    assert_null(td_config_collection(&config, "m"));
    assert_string_equal(m->name, "M");
    assert_string_equal(m->source, "/array/music");
    assert_string_equal(m->source_mount, "/array");
    assert_null(m->source_uuid);
    assert_string_equal(m->target, "M");
    assert_int_equal(m->excludes, 1);
    assert_string_equal(m->exclude[0], "*.tmp");
    assert_int_equal(m->overdue, 21 * 86400);
    assert_int_equal(m->keep_history, 90 * 86400);
    assert_int_equal(m->max_delete, 1000);
    assert_int_equal(m->max_change, 4000);
    td_config_free(&config);
    assert_memory_equal(&config, &nothing, sizeof config);
    td_config_free(&config);
}

static void expect_collection_defaults(const struct td_collection_config *c) {
    assert_null(c->source_mount);
    assert_null(c->source_uuid);
    assert_null(c->exclude);
    assert_int_equal(c->excludes, 0);
    assert_true(c->one_filesystem);
    assert_int_equal(c->source_wait, -1);
    assert_int_equal(c->overdue, 21 * 86400);
    assert_int_equal(c->prove_within, 30 * 86400);
    assert_int_equal(c->prove_every, 4);
    assert_int_equal(c->keep_history, 90 * 86400);
    assert_int_equal(c->history_reserve, 500);
    assert_int_equal(c->max_delete, 1000);
    assert_int_equal(c->max_change, 4000);
    assert_int_equal(c->files, TD_FILES_NORMAL);
}

static void defaults(void **state) {
    (void)state;
    struct td_config config;
    load("", &config);
    assert_string_equal(config.ledger, "/var/lib/twindock/twindock.db");
    assert_string_equal(config.mail_to, "root");
    assert_int_equal(config.mail_on, TD_MAIL_FAILURE);
    assert_string_equal(config.sendmail, "/usr/sbin/sendmail");
    assert_int_equal(config.finish_by, -1);
    assert_int_equal(config.dock_count, 0);
    assert_int_equal(config.collection_count, 0);
    assert_null(td_config_collection(&config, "M"));
    td_config_free(&config);

    load("[dock d]\nsource = a\ndestination = b\n[collection Tb]\nsource = /t\n", &config);
    const struct td_dock_config *dock = &config.docks[0];
    assert_int_equal(dock->mode, TD_MODE_INDIVIDUAL);
    assert_false(dock->slots_any);
    assert_false(dock->single_allow);
    assert_int_equal(dock->settle, 30);
    assert_int_equal(dock->eject, TD_EJECT_STANDBY);
    expect_collection_defaults(&config.collections[0]);
    assert_string_equal(config.collections[0].target, "Tb");
    td_config_free(&config);

    struct td_collection_config collection;
    memset(&collection, 0xee, sizeof collection);
    td_config_collection_defaults(&collection);
    expect_collection_defaults(&collection);
    assert_null(collection.source);
    assert_null(collection.target);
    assert_string_equal(collection.name, "");
}

/* Every key with something else than its default. */
static void every_key_is_set(void **state) {
    (void)state;
    struct td_config config;
    load("[collection a-b_9]\nsource = /s/\nsource_mount = /\nsource_uuid = 0A-ff\nsource_wait = 2h\n"
         "target = x/y z/\none_filesystem = no\noverdue = 4w\nprove_within = 1d\nprove_every = 7\n"
         "keep_history = 0\nhistory_reserve = 2.5%\nmax_delete = 100%\nmax_change = 0%\nfiles = large\n"
         "exclude = #x\nexclude = a b [;]c\nexclude = !#x\n"
         "[dock 1]\nmode = mirror\nsource = /dev/sdb/\nslots = any\nsingle = allow\nsettle = 0\neject = power-off\n"
         "[twindock]\nledger = /l.db\nmail_to =\nmail_on = always\nsendmail = /s\nfinish_by = 23:59\n",
         &config);
    assert_string_equal(config.ledger, "/l.db");
    assert_string_equal(config.mail_to, "");
    assert_int_equal(config.mail_on, TD_MAIL_ALWAYS);
    assert_string_equal(config.sendmail, "/s");
    assert_int_equal(config.finish_by, 23 * 3600 + 59 * 60);
    const struct td_dock_config *dock = &config.docks[0];
    assert_int_equal(dock->mode, TD_MODE_MIRROR);
    assert_string_equal(dock->name, "1");
    assert_null(dock->destination);
    assert_true(dock->slots_any);
    assert_true(dock->single_allow);
    assert_int_equal(dock->settle, 0);
    assert_int_equal(dock->eject, TD_EJECT_POWER_OFF);
    const struct td_collection_config *c = &config.collections[0];
    assert_string_equal(c->name, "a-b_9");
    assert_string_equal(c->source, "/s");
    assert_string_equal(c->source_mount, "/");
    assert_string_equal(c->source_uuid, "0A-ff");
    assert_int_equal(c->source_wait, 7200);
    assert_string_equal(c->target, "x/y z");
    assert_false(c->one_filesystem);
    assert_int_equal(c->overdue, 28 * 86400);
    assert_int_equal(c->prove_within, 86400);
    assert_int_equal(c->prove_every, 7);
    assert_int_equal(c->keep_history, 0);
    assert_int_equal(c->history_reserve, 250);
    assert_int_equal(c->max_delete, 10000);
    assert_int_equal(c->max_change, 0);
    assert_int_equal(c->files, TD_FILES_LARGE);
    assert_int_equal(c->excludes, 3);
    assert_string_equal(c->exclude[0], "#x");
    assert_string_equal(c->exclude[1], "a b [;]c");
    assert_string_equal(c->exclude[2], "!#x");
    td_config_free(&config);

    load("[twindock]\nmail_on = change\n[dock d]\nmode=mirror\nsource = x\neject = no\n", &config);
    assert_int_equal(config.mail_on, TD_MAIL_CHANGE);
    assert_int_equal(config.docks[0].eject, TD_EJECT_NO);
    td_config_free(&config);
}

static void many_of_each(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf text = {0};
    struct td_config config;
    for (int i = 0; i < 40; i++)
        td_buf_printf(&text, "[dock d%d]\nsource = s%d\ndestination = t%d\n[collection c%d]\nsource = /c/%d\n", i, i, i,
                      i, i);
    load(td_buf_text(&text), &config);
    assert_int_equal(config.dock_count, 40);
    assert_int_equal(config.collection_count, 40);
    for (size_t i = 0; i < 40; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "t%zu", i);
        assert_string_equal(config.docks[i].destination, expected);
        snprintf(expected, sizeof expected, "c%zu", i);
        assert_string_equal(config.collections[i].target, expected);
        assert_string_equal(td_config_collection(&config, expected)->source + 3, expected + 1);
    }
    td_config_free(&config);
}

#define KNOWN "expected [twindock], [dock NAME] or [collection NAME]"

static void sections(void **state) {
    (void)state;
    refuses("\n[nonsense]\n", "2: unknown section [nonsense], " KNOWN);
    refuses("[]\n", "1: unknown section [], " KNOWN);
    refuses("[colection M]\nsource = /x\n", "1: unknown section [colection M], " KNOWN "; did you mean 'collection'?");
    refuses("[Dock a]\n", "1: unknown section [Dock a], " KNOWN "; did you mean 'dock'?");
    refuses("[twindock x]\n", "1: a name in [twindock x], expected [twindock]");
    refuses("mail_to = root\n", "1: key 'mail_to' before any section, expected [twindock] or another first");
    refuses("[twindock]\n[twindock]\n", "2: [twindock] again, expected each section once; the first is on line 1");
    refuses("[dock a]\nsource = x\ndestination = y\n[dock  a]\n",
            "4: [dock a] again, expected each section once; the first is on line 1");
    accepts("[dock a]\nsource = x\ndestination = y\n[collection a]\nsource = /x\n");
}

#define NAMING(form) ", expected " form " with a name of 1 to 63 letters, digits, '-' or '_'"
#define A63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static void names(void **state) {
    (void)state;
    refuses("[dock]\n", "1: [dock]" NAMING("[dock NAME]"));
    refuses("[collection ]\n", "1: [collection]" NAMING("[collection NAME]"));
    refuses("[collection a b]\n", "1: [collection a b]" NAMING("[collection NAME]"));
    refuses("[collection ../x]\n", "1: [collection ../x]" NAMING("[collection NAME]"));
    refuses("[collection \xc3\xa4]\n", "1: [collection \xc3\xa4]" NAMING("[collection NAME]"));
    refuses("[collection l" A63 "]\n", "1: [collection l" A63 "]" NAMING("[collection NAME]"));
    struct td_config config;
    load("[collection " A63 "]\nsource = /x\n", &config);
    assert_string_equal(config.collections[0].name, A63);
    assert_string_equal(config.collections[0].target, A63);
    td_config_free(&config);
    refuses("[collection " A63 "]\n[collection " A63 "]\n",
            "2: [collection " A63 "] again, expected each section once; the first is on line 1");
}

static void keys(void **state) {
    (void)state;
    static const char all[] =
        "expected one of source, source_mount, source_uuid, source_wait, target, exclude, one_filesystem, overdue, "
        "prove_within, prove_every, keep_history, history_reserve, max_delete, max_change, files";
    char expected[800];
    snprintf(expected, sizeof expected, "2: unknown key 'overdeu' in [collection M], %s; did you mean 'overdue'?", all);
    refuses("[collection M]\noverdeu = 3d\n", expected);
    snprintf(expected, sizeof expected, "3: unknown key 'zzz' in [collection M], %s", all);
    refuses("[collection M]\n\nzzz = 3d\n", expected);
    snprintf(expected, sizeof expected, "2: unknown key 'Max-Delete' in [collection M], %s; did you mean 'max_delete'?",
             all);
    refuses("[collection M]\nMax-Delete = 3%\n", expected);
    refuses("[twindock]\n = x\n", "2: unknown key '' in [twindock], expected one of ledger, mail_to, mail_on, "
                                  "sendmail, finish_by");
    refuses("[twindock]\nsettle = 3s\n", "2: key 'settle' in [twindock], expected it in [dock NAME]");
    refuses("[dock d]\nledger = /x\n", "2: key 'ledger' in [dock d], expected it in [twindock]");
    refuses("[dock d]\nsettle = 3s\nslots = any\nsettle = 3s\n",
            "4: 'settle' again in [dock d], expected it once; the first is on line 2");
    refuses("[twindock]\nnonsense\n", "2: a line without '=', expected 'key = value' or '[section]'");
}

/* One bad value in one line of the section; `rest` is what the text says after "KEY = 'VALUE' in SECTION, expected ".
 */
static void bad(const char *section, const char *key, const char *value, const char *rest) {
    char text[512], expected[512];
    snprintf(text, sizeof text, "%s\n%s = %s\n", section, key, value);
    snprintf(expected, sizeof expected, "2: %s = '%s' in %s, expected %s", key, value, section, rest);
    refuses(text, expected);
}

static void bad_values(void **state) {
    (void)state;
    static const char duration[] = "a duration such as 30s, 10m, 2h, 21d or 4w";
    static const char period[] = "a duration above 0 such as 30s, 10m, 2h, 21d or 4w";
    static const char percent[] = "a percentage from 0% to 100%";
    static const char path[] = "an absolute path";
    bad("[dock d]", "settle", "soon", duration);
    bad("[dock d]", "settle", "-3s", duration);
    bad("[dock d]", "settle", "", duration);
    bad("[dock d]", "settle", "30", duration);
    bad("[dock d]", "mode", "Mirror", "individual or mirror");
    bad("[dock d]", "slots", "loose", "strict or any");
    bad("[dock d]", "single", "yes", "refuse or allow");
    bad("[dock d]", "eject", "off", "standby, power-off or no");
    bad("[twindock]", "mail_on", "never", "failure, change or always");
    bad("[twindock]", "finish_by", "7", "a time of day such as 07:00, or nothing for no limit");
    bad("[twindock]", "finish_by", "25:00", "a time of day such as 07:00, or nothing for no limit");
    bad("[twindock]", "ledger", "twindock.db", path);
    bad("[twindock]", "sendmail", "", path);
    static const char recipient[] = "one mail address or user, or nothing for no mail";
    bad("[twindock]", "mail_to", "-oQ", recipient);
    bad("[twindock]", "mail_to", "a, b", recipient);
    bad("[twindock]", "mail_to", "a b", recipient);
    bad("[collection M]", "source", "music", path);
    bad("[collection M]", "source_mount", "", path);
    bad("[collection M]", "source_uuid", "UUID=1", "a filesystem's UUID, as blkid prints it");
    bad("[collection M]", "exclude", "", "a pattern as in gitignore(5)");
    bad("[collection M]", "one_filesystem", "true", "no or yes");
    bad("[collection M]", "overdue", "0", period);
    bad("[collection M]", "prove_within", "0d", period);
    bad("[collection M]", "prove_every", "0", "a number from 1 to 999999");
    bad("[collection M]", "prove_every", "4x", "a number from 1 to 999999");
    bad("[collection M]", "prove_every", "99999999999", "a number from 1 to 999999");
    bad("[collection M]", "max_delete", "10", percent);
    bad("[collection M]", "max_delete", "101%", percent);
    bad("[collection M]", "history_reserve", "-1%", percent);
    bad("[collection M]", "files", "big", "normal, large or small");
}

static void targets(void **state) {
    (void)state;
    static const char *const wrong[] = {"/x",          "..",          "../x",         "a/../b",     "a/..",
                                        "./a",         "a/.",         "a//b",         ".twindock",  ".twindock/x",
                                        "RESTORE.txt", "lost+found/", ".twindock///", "a/b/../..//"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        bad("[collection M]", "target", wrong[i],
            "a relative path without . and .., or . alone; .twindock, RESTORE.txt and lost+found are taken");
    static const char *const right[][2] = {{".", "."},
                                           {"./", "."},
                                           {"a/b", "a/b"},
                                           {"..a", "..a"},
                                           {"a b/", "a b"},
                                           {".twindocks", ".twindocks"},
                                           {"a/.twindock", "a/.twindock"}};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        struct td_config config;
        char text[128];
        snprintf(text, sizeof text, "[collection M]\nsource = /x\ntarget = %s\n", right[i][0]);
        load(text, &config);
        assert_string_equal(config.collections[0].target, right[i][1]);
        td_config_free(&config);
    }
}

static void slots(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "", "a b", "dev/sdb", "/", "/dev/disk/by-uuid/x", "/dev/disk/by-id/x", "/dev/disk/by-label/M-A"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        bad("[dock d]", "source", wrong[i],
            "a place: an ID_PATH (twindock slots shows it) or a device node such as /dev/sdb, not a link that follows "
            "a "
            "disk");
    accepts("[dock d]\nsource = /dev/disk/by-path/x\ndestination = /dev/loop3\n");
    refuses("[dock d]\nsource = x\n\ndestination = x\n",
            "4: destination = 'x' in [dock d] is the source of [dock d] on line 2 already, expected a slot of its own");
    refuses("[dock d]\nsource = x\ndestination = y\n[dock e]\ndestination = /dev/disk/by-path/x\nsource = z\n",
            "5: destination = '/dev/disk/by-path/x' in [dock e] is the source of [dock d] on line 2 already, expected "
            "a slot of its own");
    refuses("[dock d]\nsource = x\ndestination = y\n[collection M]\nsource = /y\n[dock e]\nmode = mirror\nsource = y\n",
            "8: source = 'y' in [dock e] is the destination of [dock d] on line 3 already, expected a slot of its own");
    refuses("[dock d]\nsource = /dev/sdb\ndestination = y\n[dock e]\nsource = q\ndestination = /dev/sdb/\n",
            "6: destination = '/dev/sdb' in [dock e] is the source of [dock d] on line 2 already, expected a slot of "
            "its own");
}

static void what_must_be_there(void **state) {
    (void)state;
    refuses("\n[dock d]\nslots = any\n", "2: [dock d] without 'source', expected its source slot");
    refuses("[dock d]\nsource = x\n",
            "1: [dock d] without 'destination', expected its destination slot, or mode = mirror");
    refuses("[dock d]\nsource = x\ndestination = y\nmode = mirror\n",
            "3: 'destination' in [dock d], expected none with mode = mirror: that dock shows one disk");
    refuses("[collection M]\ntarget = .\n", "1: [collection M] without 'source', expected the directory to back up");
    accepts("[twindock]\n");
    accepts("[collection M]\nsource = /x\n");
}

static void files_that_cannot_be_read(void **state) {
    (void)state;
    struct td_config config;
    struct td_error err = {0};
    assert_int_equal(td_config_load("/nonexistent/twindock.conf", &config, &err), -ENOENT);
    assert_string_equal(err.text, "/nonexistent/twindock.conf: cannot be read: No such file or directory, expected a "
                                  "configuration file such as twindock.conf.example");
    assert_memory_equal(&config, &nothing, sizeof config);
    assert_int_equal(td_config_load("/tmp", &config, &err), -EISDIR);
    assert_string_equal(err.text, "/tmp: cannot be read: Is a directory, expected a configuration file such as "
                                  "twindock.conf.example");
}

static void files_that_must_not_be_read(void **state) {
    (void)state;
    struct td_config config;
    struct td_error err = {0};
    put("[twindock]\n");
    assert_int_equal(chmod(file, 0), 0);
    if (geteuid() == 0)
        setfsuid(65534); /* this drops the power to read everything, too */
    int rc = td_config_load(file, &config, &err);
    setfsuid(geteuid());
    assert_int_equal(chmod(file, 0600), 0);
    assert_int_equal(rc, -EACCES);
    assert_non_null(strstr(err.text, ": cannot be read: Permission denied, expected a configuration file"));
}

/* Take the '#' of every line that begins with one and no blank after it: the example's settings. */
static void uncomment(const char *text, struct td_buf *out) {
    while (*text) {
        size_t len = strcspn(text, "\n");
        size_t skip = text[0] == '#' && len > 1 && text[1] != ' ';
        td_buf_add(out, text + skip, len - skip);
        td_buf_putc(out, '\n');
        text += len + (text[len] == '\n');
    }
}

static void the_example_parses(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf text = {0}, open_text = {0};
    struct td_config config;
    assert_int_equal(td_read_small(AT_FDCWD, EXAMPLE, 1 << 16, &text, NULL), 0);
    load(td_buf_text(&text), &config); /* as it is installed: no dock and no collection yet */
    assert_int_equal(config.dock_count, 0);
    assert_int_equal(config.collection_count, 0);
    assert_int_equal(config.finish_by, -1);
    td_config_free(&config);

    uncomment(td_buf_text(&text), &open_text);
    load(td_buf_text(&open_text), &config);
    assert_int_equal(config.dock_count, 1);
    assert_int_equal(config.collection_count, 1);
    assert_int_equal(config.finish_by, 7 * 3600);
    assert_string_equal(config.collections[0].source, "/array/music");
    assert_int_equal(config.collections[0].excludes, 3);
    td_config_free(&config);
}

/* The description has a line for every key, and the example shows every key, with its default where it has one. */
static void description_and_example_agree(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf description = {0}, text = {0};
    assert_int_equal(td_read_small(AT_FDCWD, EXAMPLE, 1 << 16, &text, NULL), 0);
    td_config_describe(&description);
    char *rest = description.data;
    int lines = 0;
    for (char *line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n"), lines++) {
        const char *section = strsep(&line, "\t");
        const char *key = strsep(&line, "\t");
        const char *fallback = strsep(&line, "\t");
        assert_int_equal(*section, '[');
        const char *meaning = strsep(&line, "\t");
        assert_true(meaning && strlen(meaning) > 10);
        assert_true(line && strlen(line) > 5 && !strchr(line, '\t'));
        char setting[128];
        snprintf(setting, sizeof setting, *fallback ? "\n#%s = %s\n" : "\n#%s = ", key, fallback);
        if (!strstr(td_buf_text(&text), setting))
            fail_msg("the example does not show '%s'", setting + 1);
    }
    assert_int_equal(lines, 27);
}

static int make_file(void **state) {
    (void)state;
    int fd = mkstemp(file);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) {
    (void)state;
    return unlink(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_model),
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_key_is_set),
        cmocka_unit_test(many_of_each),
        cmocka_unit_test(sections),
        cmocka_unit_test(names),
        cmocka_unit_test(keys),
        cmocka_unit_test(bad_values),
        cmocka_unit_test(targets),
        cmocka_unit_test(slots),
        cmocka_unit_test(what_must_be_there),
        cmocka_unit_test(files_that_cannot_be_read),
        cmocka_unit_test(files_that_must_not_be_read),
        cmocka_unit_test(the_example_parses),
        cmocka_unit_test(description_and_example_agree),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
