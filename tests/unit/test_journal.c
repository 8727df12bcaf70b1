/* The journal's native protocol, over a real datagram socket; and the progress that is sent there. */
#include "twindock/base/buf.h"
#include "twindock/platform/journal.h"
#include "twindock/report/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define S INT64_C(1000000000)

static char directory[] = "/tmp/twindock-journal-XXXXXX", path[64];
static int listener = -1;

static int set_up(void **state) {
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/socket", directory);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return bind(listener, (const struct sockaddr *)&address, sizeof address);
}

static int tear_down(void **state) {
    (void)state;
    close(listener);
    unlink(path);
    return rmdir(directory);
}

static void receive(struct td_buf *out) {
    char piece[8192];
    ssize_t got = recv(listener, piece, sizeof piece, 0);
    td_buf_clear(out);
    if (got > 0)
        td_buf_add(out, piece, (size_t)got);
}

static void an_entry_arrives_as_one_datagram(void **state) {
    (void)state;
    static const struct td_journal_field fields[] = {{"MESSAGE", "all is well"}, {"PRIORITY", "6"}, {"EMPTY", ""}};
    TD_AUTOBUF struct td_buf got = {0};
    int fd = td_journal_open(path);
    assert_true(fd >= 0);
    assert_int_equal(td_journal_send(fd, fields, 3), 0);
    receive(&got);
    assert_string_equal(td_buf_text(&got), "MESSAGE=all is well\nPRIORITY=6\nEMPTY=\n");
    close(fd);
}

/* A label with line ends makes no fields of its own. */
static void line_ends_are_sent_with_a_length(void **state) {
    (void)state;
    static const struct td_journal_field fields[] = {{"MESSAGE", "a\nPRIORITY=0"}, {"PRIORITY", "6"}};
    static const char expected[] = "MESSAGE\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\nPRIORITY=6\n";
    TD_AUTOBUF struct td_buf out = {0};
    td_journal_encode(fields, 2, &out);
    assert_int_equal(out.len, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.len);
}

static void nobody_listens(void **state) {
    (void)state;
    assert_int_equal(td_journal_open("/no/such/socket"), -ENOENT);
    char longer[200];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(td_journal_open(longer), -ENAMETOOLONG);
}

static void the_journal_is_told_by_device_and_inode(void **state) {
    (void)state;
    struct stat st;
    char stream[64];
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    assert_true(td_journal_has(fd, stream));
    assert_false(td_journal_has(listener, stream)); /* redirected: what is said there does not reach the journal */
    assert_false(td_journal_has(fd, NULL));
    assert_false(td_journal_has(fd, "nonsense"));
    assert_false(td_journal_has(-1, stream));
    close(fd);
}

static struct td_progress_state proving(uint64_t a, uint64_t b) {
    return (struct td_progress_state){
        .phase = "proving",
        .done = a + b,
        .all = 400,
        .side = {{false, 0, 0}, {true, a, 200}, {true, b, 200}},
    };
}

static void progress_has_fields(void **state) {
    (void)state;
    TD_AUTOBUF struct td_buf got = {0};
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    struct td_progress *progress = td_progress_new(ends[1], true); /* quiet, but not for the journal */
    td_progress_name(progress, "M", "server");
    td_progress_to_journal(progress, td_journal_open(path));
    for (int second = 0; second <= 60; second++) {
        struct td_progress_state now = proving((uint64_t)second * 3, (uint64_t)second);
        td_progress_show(progress, &now, second * S);
    }
    receive(&got);
    assert_string_equal(td_buf_text(&got),
                        "MESSAGE=proving   60 %  A 180/200  B 60/200  4/s  2:20 left\n" /* B is the slower one */
                        "PRIORITY=6\nSYSLOG_IDENTIFIER=twindock\nTWINDOCK_COLLECTION=M\nTWINDOCK_DOCK=server\n"
                        "TWINDOCK_PHASE=proving\nTWINDOCK_DONE=240\nTWINDOCK_ALL=400\nTWINDOCK_RATE=4\n"
                        "TWINDOCK_LEFT_SECONDS=140\nTWINDOCK_A_DONE=180\nTWINDOCK_A_ALL=200\nTWINDOCK_B_DONE=60\n"
                        "TWINDOCK_B_ALL=200\n");
    td_progress_say(progress, "Member B was\npulled out.");
    receive(&got);
    assert_string_equal(td_buf_text(&got), "MESSAGE=Member B was\\x0apulled out.\nPRIORITY=4\n"
                                           "SYSLOG_IDENTIFIER=twindock\nTWINDOCK_COLLECTION=M\nTWINDOCK_DOCK=server\n");
    char nothing[1];
    assert_int_equal(read(ends[0], nothing, 1), -1); /* and not on stderr as well */
    td_progress_free(progress);
    close(ends[0]);
    close(ends[1]);
}

static void words_on_a_pipe(void **state) {
    (void)state;
    int ends[2];
    char text[64] = "";
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    struct td_progress *progress = td_progress_new(ends[1], false);
    td_progress_say(progress, "It is gone.");
    assert_int_equal(read(ends[0], text, sizeof text - 1), 12);
    assert_string_equal(text, "It is gone.\n");
    td_progress_free(progress);
    progress = td_progress_new(ends[1], true);
    td_progress_say(progress, "It is gone.");
    assert_int_equal(read(ends[0], text, 1), -1);
    td_progress_free(progress);
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_arrives_as_one_datagram),
        cmocka_unit_test(line_ends_are_sent_with_a_length),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(the_journal_is_told_by_device_and_inode),
        cmocka_unit_test(progress_has_fields),
        cmocka_unit_test(words_on_a_pipe),
    };
    return cmocka_run_group_tests_name("journal", tests, set_up, tear_down);
}
