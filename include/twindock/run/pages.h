/*
 * Changing an SQLite database in place to be another one of which most pages are the same: only those that differ are
 * written. The old pages stand in a rollback journal beside it meanwhile, so that whoever opens the database after a
 * power cut has the one or the other. Source: SQLite's file format, sections 1 and 3 (sqlite.org/fileformat2.html).
 */
#ifndef TWINDOCK_RUN_PAGES_H
#define TWINDOCK_RUN_PAGES_H

#include <stdint.h>

#define TD_PAGE 4096U      /* bytes; databases with other pages are not for this */
#define TD_PAGES_MOST 256U /* that are changed in place */

struct td_pages {
    uint32_t before, count;       /* pages of the database as it is; pages that differ */
    uint32_t page[TD_PAGES_MOST]; /* their numbers, from 1 */
    uint8_t (*old)[TD_PAGE];      /* owned */
    uint8_t (*new)[TD_PAGE];
};

/* Which pages of the open file `have` have to change for it to be `want`? -E2BIG: it is not worth it, or not possible.
 */
int td_pages_compare(int have, int want, struct td_pages *out);
/* Write them; durable on return. `journal`: the journal's name in the directory `dir`. */
int td_pages_write(int dir, int have, const char *journal, const struct td_pages *pages);
/* The journal alone, durable: what td_pages_write() does first. */
int td_pages_write_journal(int dir, const char *journal, const struct td_pages *pages);
int td_pages_drop_journal(int dir, const char *journal); /* durable; harmless where there is none */
void td_pages_free(struct td_pages *pages);

#endif
