/*
 * Word of repairs, kept until somebody has been told: what is set out to is on record before it is begun, and what a
 * run that was cut off had found bad and put right is told of by the run that goes on from there.
 */
#include "twindock/run/engine.h"

int td_engine_repair_begins(struct td_engine *engine, const struct td_incident *bad, const char *place,
                            struct td_error *err) {
    int rc = td_engine_write(engine, err);
    return rc != 0 ? rc : td_ledger_repair(engine->ledger, engine->pair, bad, place, 0, err);
}

static int tell(struct td_engine *engine, const struct td_incident *bad, struct td_error *err) {
    enum td_side side = bad->member == 'A' ? TD_A : TD_B;
    return td_engine_incident(engine, TD_INCIDENT_REPAIRED, bad->cause, bad->path, side, bad->detail, err);
}

int td_engine_repair_done(struct td_engine *engine, const struct td_incident *bad, const char *place,
                          struct td_error *err) {
    int rc = tell(engine, bad, err);
    return rc != 0 ? rc : td_ledger_repair(engine->ledger, engine->pair, bad, place, engine->run, err);
}

int td_engine_repair_failed(struct td_engine *engine, const struct td_incident *bad, const char *place,
                            struct td_error *err) {
    int rc = td_engine_write(engine, err);
    return rc != 0 ? rc : td_ledger_repair_failed(engine->ledger, engine->pair, bad, place, err);
}

struct telling {
    struct td_engine *engine;
    struct td_error *err;
};

static int tell_left(void *ctx, const struct td_incident *incident) {
    struct telling *telling = ctx;
    return tell(telling->engine, incident, telling->err);
}

int td_engine_tell_repairs(struct td_engine *engine, struct td_error *err) {
    struct telling telling = {engine, err};
    int rc = td_engine_write(engine, err);
    return rc != 0 ? rc
                   : td_ledger_repairs_left(engine->ledger, engine->pair, engine->run, engine->cycle, tell_left,
                                            &telling, err);
}
