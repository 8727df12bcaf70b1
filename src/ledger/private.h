/* What the files of the ledger share among themselves. */
#ifndef TWINDOCK_LEDGER_PRIVATE_H
#define TWINDOCK_LEDGER_PRIVATE_H

#include "twindock/base/buf.h"
#include "twindock/ledger/ledger.h"
#include "twindock/model/row.h"
#include "twindock/platform/sql.h"

struct td_ledger {
    struct td_sql *sql;
    int depth;       /* transactions begun and not yet committed */
    int64_t touched; /* pair whose sums this transaction has already declared out of date */
    bool batching;   /* a transaction of the working tables alone is open */
    int batched;     /* writes in it */
    int64_t live_of; /* pair of which temp.live tells where contents are, 0: none */
    uint64_t source; /* device of the source's root, 0: not known */
    int64_t lists;   /* job lists made so far: each has its number */
    /* Texts of the last td_ledger_file() and td_work_entry(), and paths on their way through td_work_evidence(). */
    struct td_buf file_texts, entry_texts;
};

/* --- open.c ------------------------------------------------------------------------------------------ */
/* Run the numbered scripts that this database has not seen yet. */
int td_ledger_migrate(struct td_sql *sql, struct td_error *err);

/* --- transactions.c ---------------------------------------------------------------------------------- */
/*
 * Statements are taken by what they touch. A commit costs more than a row even in the working tables, so writes to
 * these gather in a transaction of their own, which locks nothing in the ledger. It ends when it has grown, and before
 * anything touches the ledger: a reader must not keep a view of it longer than its one statement.
 */
int td_work_take(struct td_ledger *ledger, const char *name, struct td_sql_stmt **out, struct td_error *err);
/* One that reads the ledger. */
int td_ledger_take(struct td_ledger *ledger, const char *name, struct td_sql_stmt **out, struct td_error *err);
/* One that writes to the ledger. Fails when the transaction it would belong to is gone. */
int td_write_take(struct td_ledger *ledger, const char *name, struct td_sql_stmt **out, struct td_error *err);
/* What one function writes stands between td_ledger_begin() and this: `rc` of the work decides, and is returned unless
 * the commit fails. */
int td_write_end(struct td_ledger *ledger, int rc, struct td_error *err);
/* Run a statement that must meet a row: -ENOENT with "<what> is not in the ledger" otherwise. */
int td_run_found(struct td_sql_stmt *stmt, const char *what, struct td_error *err);

/* --- runs.c ------------------------------------------------------------------------------------------ */
/* How a run ended, by a statement with the parameters of queries/run_end.sql. */
int td_run_write_end(struct td_sql_stmt *q, const struct td_run *run, struct td_error *err);

/* --- incidents.c ------------------------------------------------------------------------------------- */
/* A run has come to its end: its repairs have been told of. */
int td_repairs_told(struct td_ledger *ledger, int64_t run, struct td_error *err);

/* --- columns.c --------------------------------------------------------------------------------------- */
/* Of the column "held". */
#define TD_HELD 1
#define TD_ACCEPTED 2

#define TD_ENTRY_COLUMNS 16 /* path, dev, ino, ... target, xattrs, in the order of the tables */

void td_bind_entry(struct td_sql_stmt *stmt, int first, const struct td_entry *entry);
/* One of the source: its device as it is entered. */
void td_bind_source(const struct td_ledger *ledger, struct td_sql_stmt *stmt, int first, const struct td_entry *entry);
/* Columns 0 to 15; texts live as the statement's. error is 0. */
void td_read_entry(struct td_sql_stmt *stmt, struct td_entry *entry);
void td_read_file(struct td_sql_stmt *stmt, struct td_file *file);
/* Move an entry's texts into `texts`, which is emptied first. */
void td_keep_texts(struct td_buf *texts, struct td_entry *entry);

/* --- pager.c ----------------------------------------------------------------------------------------- */
/* The files of a pair in path order, some hundred at a time, so that no statement stays open on the ledger meanwhile:
 * a long reader would keep the write-ahead log from being emptied, and would lose against another writer. */
struct td_pager;
int td_pager_open(struct td_ledger *ledger, int64_t pair, struct td_pager **out, struct td_error *err);
/* 1: *out is the next file, valid until the next call; 0: the end; or a negative errno. */
int td_pager_next(struct td_pager *pager, const struct td_file **out, struct td_error *err);
void td_pager_close(struct td_pager **pager);

/* --- proofs.c ---------------------------------------------------------------------------------------- */
/* Forget what is noted of a pair: of one side, or (-1) of all. */
int td_proofs_drop(struct td_ledger *ledger, int64_t pair, int side, struct td_error *err);

/* --- summary.c --------------------------------------------------------------------------------------- */
/* Before a write to a pair's files, within the transaction: its sums are out of date. */
int td_summary_spoil(struct td_ledger *ledger, int64_t pair, struct td_error *err);
/* Files with a hash, and the oldest proof of their copies on enrolled members: as kept, or counted. */
int td_summary_get(struct td_ledger *ledger, const struct td_pair *pair, uint64_t *files, int64_t *oldest,
                   bool *counted, struct td_error *err);
/* Count if they are out of date, and keep. */
int td_summary_refresh(struct td_ledger *ledger, int64_t pair, struct td_error *err);
void td_text_copy(char *out, size_t size, const char *text); /* cut to size; NULL as "" */

/* --- work.c ------------------------------------------------------------------------------------------ */
/* One column more than td_read_entry(): the error. */
void td_read_scan(struct td_sql_stmt *stmt, struct td_entry *entry);
/* A statement without parameters or rows. */
int td_work_simply(struct td_ledger *ledger, const char *statement, struct td_error *err);

#endif
