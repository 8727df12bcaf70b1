/* Members of the JSON that others build on, with one way to say "unknown": null. */
#ifndef TWINDOCK_REPORT_FIELDS_H
#define TWINDOCK_REPORT_FIELDS_H

#include "twindock/platform/json.h"

#include <stdint.h>

/* NULL and "" become null. */
void td_field_text(struct td_json *object, const char *key, const char *value);
/* Above INT64_MAX: INT64_MAX. */
void td_field_count(struct td_json *object, const char *key, uint64_t value);
/* Wall seconds as "2014-09-03T03:00:04Z"; 0 becomes null. */
void td_field_time(struct td_json *object, const char *key, int64_t seconds);
/* 'A' becomes "A"; 0 becomes null. */
void td_field_letter(struct td_json *object, const char *key, char letter);

#endif
