/* One dock after the other: what goes wrong at one is no reason to leave out the next. */
#ifndef TWINDOCK_RUN_DOCKS_H
#define TWINDOCK_RUN_DOCKS_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"
#include "twindock/run/commands.h"

/* What several docks have to report, as one. Begin with zeros but for the first three. */
struct td_docks {
    const struct td_app *app;
    struct td_buf *out;
    struct td_error *err;
    size_t reports;
    int worst;  /* exit code */
    int failed; /* exit code or negative errno of the failure that `err` tells of; 0: none */
};

/* What was done somewhere ended with `rc` (exit code or negative errno), and has said this. Several JSON objects become
 * one: {"runs": [...]}. A failure without a word is told by `why`: of several the one that tells most is kept in
 * `err`, the others are told at once. */
void td_docks_add(struct td_docks *docks, int rc, const struct td_buf *said, const struct td_error *why);

/* All is said. An exit code; or the failure in `err`, which is the caller's to tell when there is no report. */
int td_docks_end(struct td_docks *docks);

/* Visit every dock of the configuration, until somebody asks to stop. `visit` returns as its command does, 0 for a dock
 * that does not concern it. */
void td_docks_visit(struct td_docks *docks,
                    int (*visit)(void *ctx, const struct td_dock_config *dock, struct td_buf *said,
                                 struct td_error *err),
                    void *ctx);

#endif
