/* What `check` says of a dock to a person. */
#include "twindock/report/document.h"
#include "twindock/report/text.h"

#include <inttypes.h>

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
    td_text_refusal(out, check->verdict, check->advice);
    td_buf_putc(out, '\n');
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
