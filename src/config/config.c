#include "twindock/config/config.h"

#include "value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void free_collection(struct td_collection_config *collection) {
    for (size_t i = 0; i < collection->excludes; i++)
        free(collection->exclude[i]);
    free(collection->exclude);
    free(collection->source);
    free(collection->source_mount);
    free(collection->source_uuid);
    free(collection->target);
}

void td_config_free(struct td_config *config) {
    for (size_t i = 0; i < config->dock_count; i++) {
        free(config->docks[i].source);
        free(config->docks[i].destination);
    }
    for (size_t i = 0; i < config->collection_count; i++)
        free_collection(&config->collections[i]);
    free(config->docks);
    free(config->collections);
    free(config->file);
    free(config->ledger);
    free(config->mail_to);
    free(config->sendmail);
    *config = (struct td_config){0};
}

const struct td_collection_config *td_config_collection(const struct td_config *config, const char *name) {
    for (size_t i = 0; i < config->collection_count; i++) {
        if (strcmp(config->collections[i].name, name) == 0)
            return &config->collections[i];
    }
    return NULL;
}

int td_config_defaults(const char *file, struct td_config *out) {
    *out = (struct td_config){.file = strdup(file)};
    int rc = out->file == NULL ? -ENOMEM : config_value_defaults(SECTION_TWINDOCK, out);
    if (rc < 0)
        td_config_free(out);
    return rc;
}

void td_config_collection_defaults(struct td_collection_config *out) {
    *out = (struct td_collection_config){0};
    if (config_value_defaults(SECTION_COLLECTION, out) < 0)
        abort(); /* none of a collection's defaults takes memory */
}
