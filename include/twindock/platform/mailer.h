/* Hand a finished message to sendmail(1), as `sendmail -i -- RECIPIENT`. */
#ifndef TWINDOCK_PLATFORM_MAILER_H
#define TWINDOCK_PLATFORM_MAILER_H

#include "twindock/base/error.h"

#include <stddef.h>

#define TD_MAILER_TIMEOUT_S 60

/* `message` has headers, an empty line and a body, lines ended by \n. 0 or a negative errno with the reason; a
 * mailer that hangs is killed after `timeout_s`. */
int td_mailer_send(const char *program, const char *recipient, const char *message, size_t len, int timeout_s,
                   struct td_error *err);

#endif
