#include "twindock/report/fields.h"

#include "twindock/report/text.h"

void td_field_text(struct td_json *object, const char *key, const char *value) {
    td_json_text(object, key, value != NULL && *value != '\0' ? value : NULL);
}

void td_field_count(struct td_json *object, const char *key, uint64_t value) {
    td_json_int(object, key, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

void td_field_time(struct td_json *object, const char *key, int64_t seconds) {
    char iso[TD_ISO_MAX];
    td_json_text(object, key, td_text_iso(iso, seconds));
}

void td_field_letter(struct td_json *object, const char *key, char letter) {
    char text[2] = {letter, '\0'};
    td_field_text(object, key, text);
}
