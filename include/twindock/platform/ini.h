/* INI files through libinih: sections, keys, values, line numbers. ';' and '#' begin comments; no inline joins. */
#ifndef TWINDOCK_PLATFORM_INI_H
#define TWINDOCK_PLATFORM_INI_H

#include "twindock/base/error.h"

/* Called for every pair in the file's order. Non-zero ends the parse and is returned. */
typedef int (*td_ini_handler)(void *ctx, const char *section, const char *key, const char *value, int line);

/* 0, the handler's value, -EINVAL with "FILE:LINE: ..." for a line that is no INI, or the error of opening it. */
int td_ini_parse(const char *file, td_ini_handler handler, void *ctx, struct td_error *err);

#endif
