#include "found.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int collect(void *ctx, const struct td_incident *incident) {
    struct td_found *found = ctx;
    if (found->count == TD_FOUND_MOST)
        return 0;
    struct td_incident *kept = &found->list[found->count];
    *kept = *incident;
    kept->path = strdup(incident->path != NULL ? incident->path : "");
    kept->detail = incident->detail != NULL ? strdup(incident->detail) : NULL;
    if (kept->path == NULL || (incident->detail != NULL && kept->detail == NULL))
        return -ENOMEM;
    found->count++;
    return 0;
}

int td_found_load(struct td_ledger *ledger, int64_t run, struct td_found *out, struct td_error *err) {
    *out = (struct td_found){.list = calloc(TD_FOUND_MOST, sizeof *out->list)};
    if (out->list == NULL)
        return td_fail(err, ENOMEM, "collecting what was found");
    return run == 0 ? 0 : td_ledger_incidents(ledger, run, collect, out, err);
}

void td_found_free(struct td_found *found) {
    for (size_t i = 0; i < found->count; i++) {
        free((char *)(uintptr_t)found->list[i].path);
        free((char *)(uintptr_t)found->list[i].detail);
    }
    free(found->list);
}
