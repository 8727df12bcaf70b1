#include "twindock/report/mail.h"

#include "twindock/base/clock.h"
#include "twindock/report/mime.h"
#include "twindock/report/subject.h"
#include "twindock/report/text.h"

#include <string.h>

#define WIDTH 60 /* a phone shows that much in a line, or nearly */
#define SUBJECT_COLUMNS 120
/* RFC 5322 allows 998 bytes in a line. */
#define LINE_BYTES 990

/* --- subject ----------------------------------------------------------------------------------------- */

static void compose_subject(const struct td_mail *mail, struct td_buf *out) {
    TD_AUTOBUF struct td_buf subject = {0};
    td_buf_puts(&subject, "twindock on ");
    td_text_prose(&subject, mail->host);
    td_buf_puts(&subject, ": ");
    if (mail->report != NULL)
        td_subject_of_run(mail->report, &subject);
    else
        td_text_prose(&subject, mail->subject);
    size_t fits = td_text_fit(td_buf_text(&subject), subject.len, SUBJECT_COLUMNS);
    if (fits < subject.len)
        fits = td_text_fit(td_buf_text(&subject), subject.len, SUBJECT_COLUMNS - 3);
    td_buf_add(out, td_buf_text(&subject), fits);
    if (fits < subject.len)
        td_buf_puts(out, "...");
}

/* --- body -------------------------------------------------------------------------------------------- */

/* One line as it is, cut where a mail server would break it. */
static void add_line(struct td_buf *out, const char *line, size_t len) {
    TD_AUTOBUF struct td_buf raw = {0}, clean = {0};
    td_buf_add(&raw, line, len);
    td_text_prose(&clean, td_buf_text(&raw));
    size_t fits = clean.len;
    if (fits > LINE_BYTES) {
        fits = LINE_BYTES;
        while (fits > 0 && ((unsigned char)clean.data[fits] & 0xc0U) == 0x80U)
            fits--;
    }
    td_buf_add(out, td_buf_text(&clean), fits);
    td_buf_puts(out, fits < clean.len ? "...\n" : "\n");
}

/* Lines that must keep their form: the table, the flagged files. */
static void add_lines(struct td_buf *out, const char *text) {
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        add_line(out, text, len);
        text += len + (text[len] == '\n');
    }
}

/* Prose: each line of the text is wrapped by itself. Further lines are set in, so that a word of somebody's file name
 * never stands where a line of ours begins. */
static void add_prose(struct td_buf *out, const char *text) {
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        TD_AUTOBUF struct td_buf raw = {0}, clean = {0}, wrapped = {0};
        td_buf_add(&raw, text, len);
        td_text_prose(&clean, td_buf_text(&raw));
        td_text_wrap(&wrapped, td_buf_text(&clean), WIDTH, "  ");
        if (wrapped.len == 0)
            td_buf_putc(out, '\n');
        add_lines(out, td_buf_text(&wrapped));
        text += len + (text[len] == '\n');
    }
}

/* What else a person should know; NULL where the sentence says all of it. */
static const char *advice_for(const struct td_run *run) {
    if (run->result == TD_RESULT_REFUSED && (run->verdict == TD_BRAKE || run->verdict == TD_SOURCE_MISSING))
        return "Nothing was written to any disk.";
    if (run->result == TD_RESULT_REFUSED)
        return "Nothing was written to any disk. When the dock is as it should be, the next run starts when a disk is "
               "inserted, at the nightly hour, or by `twindock run`.";
    switch (run->exit) {
    case TD_EXIT_OK:
    case TD_EXIT_MEMBER_LOST:
    case TD_EXIT_UNREADABLE:
        return NULL;
    case TD_EXIT_ROT:
        return run->counts.held == 0 ? NULL
                                     : "RESTORE.txt on each disk says how to get at the good copies by hand. Have a "
                                       "look at the array, too.";
    case TD_EXIT_BUSY:
        return "Nothing needs to be done: the other run goes on.";
    default:
        return run->exit > TD_EXIT_SIGNAL
                   ? NULL
                   : "Run it again: it goes on from where it ended. If it fails again, the system's log may say why.";
    }
}

static void add_fact(struct td_buf *out, const char *name, const char *value) {
    if (*value == '\0')
        return;
    TD_AUTOBUF struct td_buf line = {0};
    td_buf_printf(&line, "%s: %s", name, value);
    add_line(out, td_buf_text(&line), line.len);
}

static void add_facts(struct td_buf *out, const struct td_mail *mail) {
    const struct td_run *run = mail->report->run;
    char started[TD_DATE_MAX] = "", ended[TD_DATE_MAX] = "";
    if (run->started != 0)
        td_format_date(started, run->started);
    if (run->ended != 0)
        td_format_date(ended, run->ended);
    add_fact(out, "Host", mail->host);
    add_fact(out, "Dock", run->dock);
    add_fact(out, "Pair", run->uuid);
    add_fact(out, "Started", started);
    add_fact(out, "Ended", ended);
}

static void add_report(struct td_buf *out, const struct td_mail *mail) {
    TD_AUTOBUF struct td_buf sentence = {0}, list = {0};
    const char *advice = advice_for(mail->report->run);
    td_report_sentence(mail->report, &sentence);
    if (mail->report->safe != NULL) {
        td_text_next(&sentence);
        td_text_prose(&sentence, mail->report->safe);
    }
    add_prose(out, td_buf_text(&sentence));
    if (advice != NULL) {
        td_buf_putc(out, '\n');
        td_text_wrap(out, advice, WIDTH, "");
    }
    td_buf_putc(out, '\n');
    add_facts(out, mail);
    td_report_list(mail->report, TD_MAIL_INCIDENTS, &list);
    if (list.len > 0) {
        td_buf_puts(out, "\nFiles:\n");
        add_lines(out, td_buf_text(&list));
    }
}

void td_mail_compose(const struct td_mail *mail, struct td_buf *out, struct td_buf *subject_out) {
    TD_AUTOBUF struct td_buf subject = {0};
    compose_subject(mail, &subject);
    if (subject_out != NULL)
        td_buf_add(subject_out, td_buf_text(&subject), subject.len);
    td_mime_address(out, "To", mail->to);
    td_mime_text(out, "Subject", td_buf_text(&subject));
    td_mime_date(out, mail->when);
    td_buf_puts(out, "MIME-Version: 1.0\n"
                     "Content-Type: text/plain; charset=utf-8\n"
                     "Content-Transfer-Encoding: 8bit\n"
                     "Auto-Submitted: auto-generated\n"
                     "\n");
    if (mail->report != NULL)
        add_report(out, mail);
    else if (mail->body != NULL)
        add_prose(out, mail->body);
    if (mail->info != NULL && *mail->info != '\0') {
        td_buf_putc(out, '\n');
        add_lines(out, mail->info);
    }
}
