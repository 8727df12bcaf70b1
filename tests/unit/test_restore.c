/*
 * RESTORE.txt: plain ASCII in 72 columns, true paths, and its commands do what they promise when somebody types them:
 * they are taken out of the text and run on a directory that stands for the mounted disk.
 */
#include "twindock/platform/process.h"
#include "twindock/report/document.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct td_restore_facts make_facts(const char *target) {
    return (struct td_restore_facts){.collection = "M",
                                     .target = target,
                                     .uuid = "18e61a61-6502-6510-8086-0065d1917f97",
                                     .source = "/array/music",
                                     .host = "nas",
                                     .member = 'B',
                                     .last_change = 1410397204};
}

static void make_text(const char *target, struct td_buf *out) {
    struct td_restore_facts facts = make_facts(target);
    td_restore_text(&facts, out);
}

static void assert_has(const struct td_buf *text, const char *part) {
    if (strstr(td_buf_text(text), part) == NULL)
        fail_msg("not there: %s", part);
}

static void assert_plain(const char *text) {
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 72);
    for (; *text != '\0'; text++)
        assert_true(*text == '\n' || (*text >= ' ' && *text <= '~'));
}

static void test_says_what_this_disk_is(void **state) {
    (void)state;
    setenv("TZ", "UTC0", 1);
    tzset();
    TD_AUTOBUF struct td_buf text = {0};
    make_text("M", &text);
    assert_plain(td_buf_text(&text));
    assert_has(&text, "    Collection    M\n"
                      "    Copied from   /array/music\n"
                      "    On the host   nas\n"
                      "    This disk is  B\n"
                      "    UUID          18e61a61-6502-6510-8086-0065d1917f97\n"
                      "    Last change   Thu Sep 11 01:00:04 UTC 2014\n");
    assert_has(&text, "SAME filesystem UUID");
    assert_has(&text, "\n    mount -o ro /dev/sdX /mnt\n");
    assert_has(&text, "\n    mount -o ro,noload /dev/sdX /mnt\n");
    assert_has(&text, "\n    cd /mnt && sha256sum -c --quiet .twindock/SHA256SUMS\n");
    assert_has(&text, ".twindock/SHA256SUMS.long");
    assert_has(&text, "\n    rsync -aHAXS --numeric-ids /mnt/M/ /where/\n");
    assert_has(&text, "\n    /mnt/.twindock/history/RUN/PATH\n");
    assert_has(&text, ".twindock/quarantine/");
    assert_has(&text, "sqlite3 ledger.db");
    assert_has(&text, "\n    M/\n");
    assert_int_equal(td_buf_text(&text)[text.len - 1], '\n');
    assert_int_not_equal(td_buf_text(&text)[text.len - 2], '\n');
}

static void test_collection_at_the_root(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf text = {0};
    make_text(".", &text);
    assert_has(&text, "\n    rsync -aHAXS --numeric-ids --exclude=/.twindock --exclude=/lost+found /mnt/ /where/\n");
    assert_has(&text, "\n    everything outside .twindock/\n");
    assert_null(strstr(td_buf_text(&text), "/mnt/M"));
    assert_null(strstr(td_buf_text(&text), "/mnt/./"));
}

/* Whatever a dock that mirrors has written to the one half is on the other as well, this text too. */
static void test_half_of_a_mirrored_pair(void **state) {
    (void)state;
    struct td_restore_facts facts = make_facts("M");
    TD_AUTOBUF struct td_buf text = {0}, line = {0};
    facts.member = 'A';
    facts.mirrored = true;
    td_restore_text(&facts, &text);
    assert_plain(td_buf_text(&text));
    for (size_t i = 0; i < text.len; i++)
        td_buf_putc(&line, text.data[i] == '\n' ? ' ' : text.data[i]);
    assert_has(&line,
               "This is one half of a mirrored pair. The dock wrote both disks, so both say A, and both carry the "
               "SAME filesystem UUID. Never mount them by UUID");
    assert_has(&line, "One is enough if step 2 finds nothing damaged; if it does, try the other.");
    assert_has(&line, "A damaged file can be taken from the other disk.");
    assert_null(strstr(td_buf_text(&line), "twins"));
}

static void test_no_run_yet(void **state) {
    (void)state;
    struct td_restore_facts facts = make_facts("M");
    TD_AUTOBUF struct td_buf text = {0};
    facts.last_change = 0;
    td_restore_text(&facts, &text);
    assert_has(&text, "    Last change   none yet\n");
}

static void test_same_but_for_the_date(void **state) {
    (void)state;
    struct td_restore_facts facts = make_facts("M");
    TD_AUTOBUF struct td_buf text = {0}, later = {0}, other = {0};
    td_restore_text(&facts, &text);
    facts.last_change += 86400;
    td_restore_text(&facts, &later);
    assert_string_not_equal(td_buf_text(&text), td_buf_text(&later));
    assert_true(td_restore_same(td_buf_text(&text), td_buf_text(&later)));
    facts.host = "another";
    td_restore_text(&facts, &other);
    assert_false(td_restore_same(td_buf_text(&later), td_buf_text(&other)));
    later.data[later.len - 2]++;
    assert_false(td_restore_same(td_buf_text(&text), td_buf_text(&later)));
    assert_false(td_restore_same(td_buf_text(&text), ""));
    assert_false(td_restore_same("", td_buf_text(&text)));
}

static void test_hostile_facts_stay_ascii_and_in_line(void **state) {
    (void)state;
    struct td_restore_facts facts = make_facts("a b/it's\n\xc3\xa9"
                                               "1");
    TD_AUTOBUF struct td_buf text = {0};
    facts.source = "/x\nrm -rf /\x1b\xc3\xa9\\";
    td_restore_text(&facts, &text);
    assert_has(&text, "    Copied from   /x\\x0arm -rf /\\x1b\\xc3\\xa9\\\n");
    assert_has(&text, " $'/mnt/a b/it\\'s\\012\\303\\2511/' /where/\n");
    for (size_t i = 0; i < text.len; i++)
        assert_true(text.data[i] == '\n' || (text.data[i] >= ' ' && text.data[i] <= '~'));
}

/* --- typed by somebody ------------------------------------------------------------------------------- */

/* What the shell says, and its exit status. */
static int shell(const char *command, struct td_buf *output) {
    const char *const argv[] = {"/bin/bash", "-c", command, NULL};
    struct td_process process = {.argv = argv, .output = output, .timeout_s = 60};
    struct td_error err = {0};
    return td_process_run(&process, &err);
}

static void assert_shell(const char *command) {
    TD_AUTOBUF struct td_buf output = {0};
    int status = shell(command, &output);
    if (status != 0)
        fail_msg("%s: %d: %s", command, status, td_buf_text(&output));
}

/* The one command line of the text that begins with `start`, with /mnt and /where put below `dir`. */
static void typed_command(const struct td_buf *text, const char *start, const char *dir, struct td_buf *out) {
    const char *line = strstr(td_buf_text(text), start);
    assert_non_null(line);
    for (size_t left = strcspn(line, "\n"); left > 0; left--, line++) {
        bool place = strncmp(line, "/mnt", 4) == 0 || strncmp(line, "/where/", 7) == 0;
        if (place)
            td_buf_puts(out, dir);
        td_buf_putc(out, *line);
    }
}

/* A disk in DIR/mnt: files with odd names and a hard link in `target`, and what twindock puts beside them. */
static void make_disk(const char *dir, const char *target) {
    TD_AUTOBUF struct td_buf script = {0};
    td_buf_printf(&script,
                  "set -e; mkdir -p %s/mnt/.twindock/history %s/where; cd %s/mnt; mkdir -p %s; cd %s; "
                  "mkdir d; echo one > d/one; ln d/one two; printf x > $'odd\\n\\303\\251\\\\ name'; ln -s two link; "
                  "cd %s/mnt; find . -path ./.twindock -prune -o -type f -printf '%%P\\0' | "
                  "xargs -0 sha256sum > .twindock/SHA256SUMS",
                  dir, dir, dir, target, target, dir);
    assert_shell(td_buf_text(&script));
}

static void check_typed(const char *target, const char *shell_target) {
    char dir[] = "/tmp/test_restore.XXXXXX";
    TD_AUTOBUF struct td_buf text = {0}, check = {0}, copy = {0}, compare = {0}, output = {0}, sweep = {0};
    assert_non_null(mkdtemp(dir));
    make_disk(dir, shell_target);
    make_text(target, &text);
    typed_command(&text, "cd /mnt && sha256sum", dir, &check);
    typed_command(&text, "rsync -aHAXS", dir, &copy);
    assert_int_equal(shell(td_buf_text(&check), &output), 0);
    assert_string_equal(td_buf_text(&output), "");
    assert_shell(td_buf_text(&copy));
    td_buf_printf(&compare,
                  "cd %s && diff -r --no-dereference -x .twindock mnt/%s where && test where/two -ef where/d/one && "
                  "test ! -e where/.twindock",
                  dir, shell_target);
    assert_shell(td_buf_text(&compare));
    td_buf_clear(&compare);
    td_buf_printf(&compare, "echo rotten > %s/mnt/%s/two", dir, shell_target);
    assert_shell(td_buf_text(&compare));
    assert_int_equal(shell(td_buf_text(&check), &output), 1);
    assert_non_null(strstr(td_buf_text(&output), "two: FAILED"));
    td_buf_printf(&sweep, "rm -r %s", dir);
    assert_shell(td_buf_text(&sweep));
}

static void test_commands_work(void **state) {
    (void)state;
    if (access("/usr/bin/rsync", X_OK) != 0)
        skip();
    check_typed("M", "M");
    check_typed(".", ".");
    check_typed("a b/it's\n\xc3\xa9"
                "1",
                "$'a b/it\\'s\\n\\303\\2511'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_says_what_this_disk_is),  cmocka_unit_test(test_collection_at_the_root),
        cmocka_unit_test(test_half_of_a_mirrored_pair), cmocka_unit_test(test_no_run_yet),
        cmocka_unit_test(test_same_but_for_the_date),   cmocka_unit_test(test_hostile_facts_stay_ascii_and_in_line),
        cmocka_unit_test(test_commands_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
