/*
 * libinih reads lines from a function of ours. It has room for some 200 bytes as Debian builds it, cuts long lines and
 * long section names without a word, says nothing of sections without keys, takes an indented line for a continuation,
 * and goes on after an error. So the lines are read, counted and checked here, sections are recognised here, and
 * libinih gets one clean pair at a time.
 */
#include "twindock/platform/ini.h"

#include "twindock/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct ini_source {
    FILE *stream;
    const char *file;
    td_ini_handler handler;
    void *ctx;
    struct td_error *err;
    int line;
    int rc;       /* what ended the parse, 0 while it goes on */
    bool pending; /* a line was handed to libinih and no pair has come back for it yet */
    char section[TD_INI_LINE_MAX];
    char text[TD_INI_LINE_MAX];
};

static bool blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static char *trim(char *text) {
    size_t len = strlen(text);
    while (len > 0 && blank(text[len - 1]))
        len--;
    text[len] = '\0';
    while (blank(*text))
        text++;
    return text;
}

/* Cut what an inline comment says: from the first ';' that begins the text or follows a blank. */
static void cut_comment(char *text) {
    for (char *c = text; *c; c++) {
        if (*c == ';' && (c == text || blank(c[-1]))) {
            *c = '\0';
            return;
        }
    }
}

/* The next line without its end into source->text. 1, 0 at the end of the file, or a negative errno. */
static int next_line(struct ini_source *source) {
    size_t len = 0;
    int c = 0;
    while ((c = getc(source->stream)) != EOF && c != '\n') {
        if (c == '\0')
            return td_fail_text(source->err, EINVAL, "%s:%d: a NUL byte, expected text", source->file,
                                source->line + 1);
        if (len + 1 == sizeof source->text)
            return td_fail_text(source->err, EINVAL, "%s:%d: a longer line than %zu bytes, expected a shorter one",
                                source->file, source->line + 1, sizeof source->text - 1);
        source->text[len++] = (char)c;
    }
    if (c == EOF && ferror(source->stream))
        return td_fail(source->err, errno > 0 ? errno : EIO, "%s: cannot be read", source->file);
    if (c == EOF && len == 0)
        return 0;
    source->text[len] = '\0';
    source->line++;
    return 1;
}

/* `text` begins with '['. Notes the section and tells the handler. */
static int begin_section(struct ini_source *source, char *text) {
    char *end = strchr(text, ']');
    if (!end)
        return td_fail_text(source->err, EINVAL, "%s:%d: '%.100s', expected a section's name in '[' and ']'",
                            source->file, source->line, text);
    char *rest = end + 1;
    *end = '\0';
    cut_comment(rest);
    rest = trim(rest);
    if (*rest && *rest != '#')
        return td_fail_text(source->err, EINVAL, "%s:%d: '%.100s' after ']', expected the end of the line or a comment",
                            source->file, source->line, rest);
    snprintf(source->section, sizeof source->section, "%s", trim(text + 1));
    return source->handler(source->ctx, source->section, NULL, NULL, source->line);
}

static int no_pair(struct ini_source *source) {
    source->pending = false;
    return td_fail_text(source->err, EINVAL, "%s:%d: a line without '=', expected 'key = value' or '[section]'",
                        source->file, source->line);
}

/* A pair that is too long for libinih, split as it does: at the first '=' or ':', without the blanks around. */
static int pass_long_pair(struct ini_source *source, char *text) {
    char *at = strpbrk(text, "=:");
    if (at == NULL)
        return no_pair(source);
    *at = '\0';
    return source->handler(source->ctx, source->section, trim(text), trim(at + 1), source->line);
}

/* Look at the line just read. *pair is what libinih shall see, NULL when there is nothing for it. */
static int take_line(struct ini_source *source, size_t room, char **pair) {
    static const char bom[] = "\xef\xbb\xbf";
    char *text = source->text;
    *pair = NULL;
    if (source->line == 1 && strncmp(text, bom, sizeof bom - 1) == 0)
        text += sizeof bom - 1;
    text = trim(text);
    if (!*text || *text == ';' || *text == '#')
        return 0;
    if (*text == '[')
        return begin_section(source, text);
    cut_comment(text);
    text = trim(text);
    if (strlen(text) >= room)
        return pass_long_pair(source, text);
    *pair = text;
    source->pending = true;
    return 0;
}

/* libinih's ini_reader: the next pair, or NULL to end. */
static char *read_pair(char *out, int room, void *stream) {
    struct ini_source *source = stream;
    char *pair = NULL;
    if (source->pending && source->rc == 0)
        source->rc = no_pair(source);
    while (source->rc == 0 && !pair) {
        int rc = next_line(source);
        if (rc == 0)
            return NULL;
        source->rc = rc < 0 ? rc : take_line(source, (size_t)room, &pair);
    }
    if (source->rc != 0)
        return NULL;
    memcpy(out, pair, strlen(pair) + 1); /* take_line() saw to it that it fits */
    return out;
}

/* libinih's ini_handler. Its `section` is ignored: it never heard of one. */
static int pass_pair(void *user, const char *section, const char *key, const char *value) {
    struct ini_source *source = user;
    (void)section;
    source->pending = false;
    if (source->rc == 0)
        source->rc = source->handler(source->ctx, source->section, key, value, source->line);
    return source->rc == 0;
}

static int open_stream(const char *file, FILE **out, struct td_error *err) {
    TD_AUTOCLOSE int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return td_fail(err, errno, "%s: cannot be read", file);
    if (S_ISDIR(st.st_mode))
        return td_fail(err, EISDIR, "%s: cannot be read", file);
    *out = fdopen(fd, "r");
    if (!*out)
        return td_fail(err, errno, "%s: cannot be read", file);
    td_take_fd(&fd);
    return 0;
}

int td_ini_parse(const char *file, td_ini_handler handler, void *ctx, struct td_error *err) {
    FILE *stream = NULL;
    int rc = open_stream(file, &stream, err);
    if (rc < 0)
        return rc;
    struct ini_source source = {.stream = stream, .file = file, .handler = handler, .ctx = ctx, .err = err};
    int faulty = ini_parse_stream(read_pair, &source, pass_pair, &source);
    if (source.rc == 0 && source.pending)
        source.rc = no_pair(&source);
    if (source.rc == 0 && faulty != 0)
        source.rc = td_fail(err, ENOMEM, "%s: cannot be parsed", file);
    fclose(stream);
    return source.rc;
}
