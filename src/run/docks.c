#include "twindock/run/docks.h"

#include "twindock/config/config.h"
#include "twindock/model/verdict.h"

static void add_report(struct td_docks *docks, const struct td_buf *one) {
    struct td_buf *all = docks->out;
    bool json = docks->app->json;
    if (one->len == 0)
        return;
    if (json && docks->reports == 1) {
        TD_AUTOBUF struct td_buf first = {0};
        td_buf_add(&first, td_buf_text(all), all->len);
        td_buf_clear(all);
        td_buf_printf(all, "{\"runs\": [%s", td_buf_text(&first));
    }
    if (json && docks->reports >= 1)
        td_buf_puts(all, ",");
    td_buf_add(all, td_buf_text(one), one->len);
    docks->reports++;
}

static void note_failure(struct td_docks *docks, int rc, const struct td_error *why) {
    int before = td_exit_of(docks->failed);
    bool keep = td_exit_worse(before, td_exit_of(rc)) != before;
    if (docks->failed != 0)
        docks->app->complain(keep ? docks->err : why);
    if (!keep)
        return;
    docks->failed = rc;
    *docks->err = *why;
}

void td_docks_add(struct td_docks *docks, int rc, const struct td_buf *said, const struct td_error *why) {
    bool untold = rc < 0 || (rc > 0 && said->len == 0 && why->code != 0);
    add_report(docks, said);
    if (untold)
        note_failure(docks, rc, why);
    docks->worst = td_exit_worse(docks->worst, td_exit_of(rc));
}

int td_docks_end(struct td_docks *docks) {
    if (docks->app->json && docks->reports > 1)
        td_buf_puts(docks->out, "]}\n");
    if (docks->reports == 0)
        return docks->failed != 0 ? docks->failed : docks->worst;
    if (docks->failed != 0)
        docks->app->complain(docks->err);
    return docks->worst;
}

void td_docks_visit(struct td_docks *docks,
                    int (*visit)(void *ctx, const struct td_dock_config *dock, struct td_buf *said,
                                 struct td_error *err),
                    void *ctx) {
    const struct td_config *config = docks->app->config;
    for (size_t i = 0; i < config->dock_count && !td_stop_asked(docks->app->stop); i++) {
        TD_AUTOBUF struct td_buf said = {0};
        struct td_error why = {0};
        int rc = visit(ctx, &config->docks[i], &said, &why);
        td_docks_add(docks, rc, &said, &why);
    }
}
