/*
 * The manual pages and the shell completion, made at build time: a template comes in, the same text with the program's
 * own tables in it goes out. Commands, options, exit codes, verdicts and configuration keys are never listed by hand.
 *
 *   @commands@ @options@ @exit-codes@ @verdicts@ @keys SECTION@    a line of its own: that table, in man(7)
 *   @about THING@                                                  what follows, up to @end@, stands below the row
 * THING of its table: "run", "--erase", "ok", "dock settle"
 *   @bash-commands@ @bash-cases@ @bash-takes@                      the same tables for the completion
 *   @version@                                                      anywhere
 *
 * A row without an @about@ is shown all the same; an @about@ without a row is an error, as is an unknown @word@.
 */
#include "twindock/base/buf.h"
#include "twindock/cli/cli.h"
#include "twindock/config/config.h"
#include "twindock/model/verdict.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ABOUT_MAX 128

struct about {
    const char *thing, *text; /* into the template */
    size_t len;
    bool used;
};

struct page {
    char *template;
    struct about abouts[ABOUT_MAX];
    size_t about_count;
    struct td_buf out;
};

/* --- man(7) ---------------------------------------------------------------------------------------------- */

/* Text that is typed or read as it is: a '-' stays one when it is copied off the page. */
static void add_literal(struct td_buf *out, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '-')
            td_buf_puts(out, "\\-");
        else if (text[i] == '\\')
            td_buf_puts(out, "\\e");
        else
            td_buf_putc(out, text[i]);
    }
}

static void add_bold(struct td_buf *out, const char *text) {
    td_buf_puts(out, "\\fB");
    add_literal(out, text, strlen(text));
    td_buf_puts(out, "\\fR");
}

/* A usage such as "COLLECTION [PATH...]": what stands for something else is in capitals. */
static void add_usage(struct td_buf *out, const char *usage) {
    while (*usage != '\0') {
        size_t capitals = strspn(usage, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        td_buf_puts(out, capitals > 0 ? "\\fI" : "");
        add_literal(out, usage, capitals > 0 ? capitals : 1);
        td_buf_puts(out, capitals > 0 ? "\\fR" : "");
        usage += capitals > 0 ? capitals : 1;
    }
}

/* A row's words as a sentence on a line of its own. A first word with a colon is a value, to be typed as it is. */
static void add_sentence(struct td_buf *out, const char *text) {
    size_t len = strlen(text);
    char first = (char)toupper((unsigned char)*text);
    bool is_word = (islower((unsigned char)text[1]) || text[1] == ' ') && text[strcspn(text, " :")] != ':';
    if (len == 0)
        return;
    if (*text == '.' || *text == '\'')
        td_buf_puts(out, "\\&");
    add_literal(out, is_word ? &first : text, 1);
    for (size_t i = 1; i < len; i++) {
        bool option = text[i] == '-' && (text[i - 1] == ' ' || text[i - 1] == '-');
        if (option || text[i] == '\\')
            add_literal(out, &text[i], 1);
        else
            td_buf_putc(out, text[i]);
    }
    td_buf_puts(out, text[len - 1] == '.' ? "\n" : ".\n");
}

static void add_about(struct page *page, const char *thing) {
    for (size_t i = 0; i < page->about_count; i++) {
        struct about *about = &page->abouts[i];
        size_t len = strlen(thing);
        if (strncmp(about->thing, thing, len) == 0 && about->thing[len] == '@') {
            td_buf_add(&page->out, about->text, about->len);
            about->used = true;
        }
    }
}

static void add_commands(struct page *page) {
    struct td_buf *out = &page->out;
    for (const struct td_cli_command *command = td_cli_commands; command->name != NULL; command++) {
        td_buf_puts(out, ".TP\n");
        add_bold(out, command->name);
        td_buf_puts(out, command->arguments[0] != '\0' ? " " : "");
        add_usage(out, command->arguments);
        td_buf_puts(out, "\n");
        add_sentence(out, command->help);
        add_about(page, command->name);
        const char *before = ".br\nOptions:\n";
        for (const struct td_cli_option *option = td_cli_options; option->name != NULL; option++) {
            if ((option->bit & command->options & ~(unsigned)TD_OPT_CONFIG) == 0)
                continue;
            td_buf_puts(out, before);
            td_buf_puts(out, "\\fB\\-\\-");
            add_literal(out, option->name, strlen(option->name));
            td_buf_puts(out, "\\fR");
            before = ",\n";
        }
        td_buf_puts(out, *before == ',' ? ".\n" : "");
    }
}

static void add_options(struct page *page) {
    struct td_buf *out = &page->out;
    for (const struct td_cli_option *option = td_cli_options; option->name != NULL; option++) {
        char name[64];
        snprintf(name, sizeof name, "--%s", option->name);
        td_buf_puts(out, ".TP\n");
        if (option->letter != 0)
            td_buf_printf(out, "\\fB\\-%c\\fR, ", option->letter);
        add_bold(out, name);
        if (option->argument != NULL)
            td_buf_printf(out, " \\fI%s\\fR", option->argument);
        td_buf_puts(out, "\n");
        add_sentence(out, option->help);
        add_about(page, name);
    }
}

static void add_exit_codes(struct page *page) {
    for (const struct td_exit_row *row = td_exit_table; row->meaning != NULL; row++) {
        char code[16];
        size_t named = strcspn(row->meaning, ":"); /* "128+N: ended by signal N" */
        bool own = row->meaning[named] != '\0';
        snprintf(code, sizeof code, "%d", row->code);
        td_buf_puts(&page->out, ".TP\n\\fB");
        td_buf_add(&page->out, own ? row->meaning : code, own ? named : strlen(code));
        td_buf_puts(&page->out, "\\fR\n");
        add_sentence(&page->out, own ? row->meaning + named + 2 : row->meaning);
        add_about(page, code);
    }
}

static void add_verdicts(struct page *page) {
    for (int verdict = 0; verdict < TD_VERDICTS; verdict++) {
        td_buf_puts(&page->out, ".TP\n");
        add_bold(&page->out, td_verdict_table[verdict].name);
        td_buf_puts(&page->out, "\n");
        add_sentence(&page->out, td_verdict_table[verdict].meaning);
        add_about(page, td_verdict_table[verdict].name);
    }
}

/* The keys of one section: td_config_describe gives section, key, default, meaning, what it takes. */
static bool add_keys(struct page *page, const char *section) {
    struct td_buf *out = &page->out;
    TD_AUTOBUF struct td_buf all = {0};
    bool any = false;
    td_config_describe(&all);
    char *rest = all.data, *line;
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        const char *form = strsep(&line, "\t") + 1, *key = strsep(&line, "\t"), *fallback = strsep(&line, "\t");
        const char *meaning = strsep(&line, "\t"), *expected = line;
        char thing[64];
        if (strncmp(form, section, strlen(section)) != 0 || strchr("] ", form[strlen(section)]) == NULL)
            continue;
        any = true;
        td_buf_puts(out, ".TP\n");
        add_bold(out, key);
        td_buf_puts(out, " =");
        if (*fallback != '\0') {
            td_buf_puts(out, " ");
            add_literal(out, fallback, strlen(fallback));
        }
        td_buf_puts(out, "\n");
        add_sentence(out, meaning);
        td_buf_puts(out, "Takes ");
        add_literal(out, expected, strlen(expected));
        td_buf_puts(out, *fallback != '\0' ? "; what is shown is the default.\n" : ".\n");
        snprintf(thing, sizeof thing, "%s %s", section, key);
        add_about(page, thing);
    }
    return any;
}

/* --- bash ------------------------------------------------------------------------------------------------ */

static void add_bash_commands(struct page *page) {
    for (const struct td_cli_command *command = td_cli_commands; command->name != NULL; command++)
        td_buf_printf(&page->out, "%s%s", command == td_cli_commands ? "    local commands='" : " ", command->name);
    td_buf_puts(&page->out, "'\n");
}

static void add_bash_cases(struct page *page) {
    for (const struct td_cli_command *command = td_cli_commands; command->name != NULL; command++) {
        td_buf_printf(&page->out, "    %s) arguments='%s' options='", command->name, command->arguments);
        for (const struct td_cli_option *option = td_cli_options; option->name != NULL; option++)
            if ((option->bit & (command->options | TD_OPT_HELP)) != 0)
                td_buf_printf(&page->out, "--%s ", option->name);
        td_buf_puts(&page->out, "' ;;\n");
    }
    td_buf_puts(&page->out, "    '') options='");
    for (const struct td_cli_option *option = td_cli_options; option->name != NULL; option++)
        if ((option->bit & (TD_OPT_CONFIG | TD_OPT_JSON | TD_OPT_INFO | TD_OPT_HELP | TD_OPT_VERSION)) != 0)
            td_buf_printf(&page->out, "--%s ", option->name);
    td_buf_puts(&page->out, "' ;;\n");
}

static void add_bash_takes(struct page *page) {
    for (const struct td_cli_option *option = td_cli_options; option->name != NULL; option++) {
        if (option->argument == NULL)
            continue;
        td_buf_printf(&page->out, "    --%s", option->name);
        if (option->letter != 0)
            td_buf_printf(&page->out, " | -%c", option->letter);
        td_buf_printf(&page->out, ") takes=%s ;;\n", option->argument);
    }
}

/* --- the template ---------------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    void (*add)(struct page *page);
} tables[] = {
    {"commands", add_commands},           {"options", add_options},       {"exit-codes", add_exit_codes},
    {"verdicts", add_verdicts},           {"bash-cases", add_bash_cases}, {"bash-takes", add_bash_takes},
    {"bash-commands", add_bash_commands},
};

static bool add_table(struct page *page, const char *word) {
    if (strncmp(word, "keys ", 5) == 0)
        return add_keys(page, word + 5);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (strcmp(tables[i].word, word) != 0)
            continue;
        tables[i].add(page);
        return true;
    }
    return false;
}

static void add_line(struct td_buf *out, const char *line, size_t len) {
    static const char mark[] = "@version@";
    const char *at = memmem(line, len, mark, strlen(mark));
    if (at != NULL) {
        td_buf_add(out, line, (size_t)(at - line));
        td_buf_puts(out, TD_VERSION);
        len -= (size_t)(at - line) + strlen(mark);
        line = at + strlen(mark);
    }
    td_buf_add(out, line, len);
}

/* A line "@word@" gives its word; any other line gives none. */
static bool is_mark(const char *line, size_t len, char *word, size_t size) {
    if (len < 4 || line[0] != '@' || line[len - 2] != '@' || line[len - 1] != '\n' || len - 3 >= size)
        return false;
    memcpy(word, line + 1, len - 3);
    word[len - 3] = '\0';
    return strchr(word, '@') == NULL;
}

static const char *next_line(const char *line) {
    return line + strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n');
}

/* Where the text of an @about@ ends: at its @end@. */
static const char *find_end(const char *line) {
    while (*line != '\0' && strncmp(line, "@end@\n", 6) != 0)
        line = next_line(line);
    return line;
}

static int collect_abouts(struct page *page) {
    for (const char *line = page->template; *line != '\0'; line = next_line(line)) {
        if (strncmp(line, "@about ", 7) != 0)
            continue;
        const char *text = next_line(line), *end = find_end(text);
        if (*end == '\0' || page->about_count == ABOUT_MAX) {
            fprintf(stderr, "tables: no @end@, or no room: %.40s\n", line);
            return -1;
        }
        page->abouts[page->about_count++] = (struct about){line + 7, text, (size_t)(end - text), false};
        line = end;
    }
    return 0;
}

static int fill(struct page *page) {
    char word[64];
    for (const char *line = page->template; *line != '\0'; line = next_line(line)) {
        size_t len = (size_t)(next_line(line) - line);
        if (strncmp(line, "@about ", 7) == 0) {
            line = find_end(line);
        } else if (!is_mark(line, len, word, sizeof word)) {
            add_line(&page->out, line, len);
        } else if (!add_table(page, word)) {
            fprintf(stderr, "tables: no such table: %s\n", word);
            return -1;
        }
    }
    for (size_t i = 0; i < page->about_count; i++) {
        if (!page->abouts[i].used) {
            fprintf(stderr, "tables: no row for @about %.40s\n", page->abouts[i].thing);
            return -1;
        }
    }
    return 0;
}

int main(void) {
    struct td_buf template = {0};
    char piece[4096];
    size_t got;
    while ((got = fread(piece, 1, sizeof piece, stdin)) > 0)
        td_buf_add(&template, piece, got);
    struct page page = {.template = td_buf_take(&template)};
    int rc = page.template == NULL || collect_abouts(&page) != 0 || fill(&page) != 0;
    if (rc == 0)
        rc = fwrite(td_buf_text(&page.out), 1, page.out.len, stdout) != page.out.len || fflush(stdout) != 0;
    free(page.template);
    td_buf_free(&page.out);
    return rc;
}
