/* What `check` says of a dock to a person. */
#include "twindock/report/document.h"
#include "twindock/report/text.h"

#include <inttypes.h>
#include <string.h>

#define WIDTH 79

static const char *const slot_names[2] = {"source", "destination"};

static void print_slot(const struct td_check_slot *slot, const char *name, struct td_buf *out) {
    td_buf_printf(out, "  %-11s  ", name);
    if (!slot->present) {
        td_buf_puts(out, "empty\n");
        return;
    }
    td_text_prose(out, slot->device);
    if (slot->description != NULL) {
        td_buf_puts(out, "  ");
        td_text_prose(out, slot->description);
    }
    if (slot->identity != NULL)
        td_buf_printf(out, ", identity: %s", slot->identity);
    if (slot->generation >= 0)
        td_buf_printf(out, ", generation %" PRId64, slot->generation);
    td_buf_putc(out, '\n');
}

/* The verdict stands in a line of its own, and below it what to do. */
static void print_verdict(const struct td_check *check, struct td_buf *out) {
    TD_AUTOBUF struct td_buf text = {0}, head = {0};
    td_text_refusal(&text, check->verdict, check->advice);
    td_buf_printf(&head, "%s. ", td_verdict_name(check->verdict));
    const char *rest = td_buf_text(&text);
    if (strncmp(rest, td_buf_text(&head), head.len) == 0) {
        td_buf_printf(out, "%s.\n", td_verdict_name(check->verdict));
        rest += head.len;
    }
    td_text_wrap(out, rest, WIDTH, "  ");
}

static void print_dock(const struct td_check *check, struct td_buf *out) {
    td_buf_puts(out, "dock ");
    td_text_prose(out, check->dock);
    td_buf_printf(out, " (%s)", check->mode);
    if (check->collection[0] != '\0')
        td_buf_printf(out, ": %s", check->collection);
    if (check->uuid[0] != '\0')
        td_buf_printf(out, ", pair %s", check->uuid);
    td_buf_putc(out, '\n');
    for (int i = 0; i < 2; i++)
        print_slot(&check->slots[i], slot_names[i], out);
    print_verdict(check, out);
    if (check->full != NULL) {
        td_buf_putc(out, '\n');
        td_buf_puts(out, check->full); /* lines that are escaped already */
    }
}

void td_check_print(const struct td_check *checks, size_t count, struct td_buf *out) {
    if (count == 0)
        td_buf_puts(out, "No dock is configured.\n");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            td_buf_putc(out, '\n');
        print_dock(&checks[i], out);
    }
}
