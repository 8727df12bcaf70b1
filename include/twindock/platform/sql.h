/*
 * A thin wrapper over SQLite (sqlite.org): connections, statements by name, and its faults as errno.
 *
 * Statements are texts under sql/, embedded at build time and named by their path below it, such as
 * "queries/put_file.sql": one statement in each. Nothing is ever built from strings; values are bound. Scripts (schema,
 * settings) hold several statements and are run by td_sql_script().
 *
 * Faults: -EBUSY another writer holds it, -EUCLEAN damaged or no database, -ENOSPC, -EIO, -EROFS, -EEXIST a unique key
 * is taken, -EINVAL a value or statement that does not fit, -ENOENT a row that is referred to is missing, -ENOMEM. One
 * connection belongs to one thread.
 */
#ifndef TWINDOCK_PLATFORM_SQL_H
#define TWINDOCK_PLATFORM_SQL_H

#include "twindock/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct td_sql_text {
    const char *name; /* "queries/put_file.sql" */
    const char *text;
};
/* Sorted by name (strcmp), ends with {NULL, NULL}. Generated from sql/. */
extern const struct td_sql_text td_sql_texts[];

/* --- connections ------------------------------------------------------------------------------------- */
struct td_sql;

#define TD_SQL_PATIENCE 30000 /* milliseconds to wait for another writer */

/* Open `file`, which is created when missing; NULL: a temporary database, gone on close. Hostile schemas are not
 * trusted, double-quoted strings are off. Settings beyond that are the caller's (td_sql_script). */
int td_sql_open(const char *file, struct td_sql **out, struct td_error *err);
/* Read-only: -ENOENT when there is no such file. */
int td_sql_open_reader(const char *file, struct td_sql **out, struct td_error *err);
/* NULL is allowed. Every statement must have been released. */
void td_sql_close(struct td_sql *sql);
/* A file's name as SQLite takes it for no more than that: malloc'ed, NULL without memory. For ATTACH. */
char *td_sql_plain_name(const char *file);
/* How long to wait for another writer. */
void td_sql_patience(struct td_sql *sql, int milliseconds);

/* Run a script of one or more statements without parameters; rows are thrown away. */
int td_sql_script(struct td_sql *sql, const char *name, struct td_error *err);

/* --- transactions ------------------------------------------------------------------------------------ */
/* `write` takes the write lock at once, so that it cannot fail half-way for want of it. */
int td_sql_begin(struct td_sql *sql, bool write, struct td_error *err);
int td_sql_commit(struct td_sql *sql, struct td_error *err); /* on failure everything is rolled back */
void td_sql_rollback(struct td_sql *sql);                    /* harmless where none is open */
/* Whether a transaction is open: false also after SQLite has rolled one back by itself (disk full, I/O error). */
bool td_sql_in_transaction(const struct td_sql *sql);

/* --- statements -------------------------------------------------------------------------------------- */
struct td_sql_stmt;

/*
 * Take the statement `name`, reset, nothing bound, and give it back with td_sql_release(). One of each is kept prepared
 * for the next time; taking the same one again while it is out prepares another, so cursors and recursion are no
 * problem.
 */
int td_sql_take(struct td_sql *sql, const char *name, struct td_sql_stmt **out, struct td_error *err);
void td_sql_release(struct td_sql_stmt **stmt); /* NULL inside is allowed; leaves NULL */
#define TD_AUTOSQL __attribute__((cleanup(td_sql_release)))

/* Parameters count from 1. Texts and blobs are not copied: they must live until the release or the next bind. NULL
 * binds NULL. A fault shows in the next td_sql_step(). Unsigned 64-bit values keep their bits. */
void td_sql_bind_int(struct td_sql_stmt *stmt, int param, int64_t value);
void td_sql_bind_u64(struct td_sql_stmt *stmt, int param, uint64_t value);
void td_sql_bind_text(struct td_sql_stmt *stmt, int param, const char *text);
void td_sql_bind_blob(struct td_sql_stmt *stmt, int param, const void *data, size_t len);
/* The bytes of a C string as a blob: for paths, which are bytes and sort as bytes. */
void td_sql_bind_bytes(struct td_sql_stmt *stmt, int param, const char *bytes);
void td_sql_bind_null(struct td_sql_stmt *stmt, int param);

/* 1: a row, 0: the end, or a negative errno. */
int td_sql_step(struct td_sql_stmt *stmt, struct td_error *err);
/* Step to the end, whatever rows there are. 0 or a negative errno. *changes (may be NULL): rows written. */
int td_sql_run(struct td_sql_stmt *stmt, int64_t *changes, struct td_error *err);
int64_t td_sql_last_id(const struct td_sql *sql); /* of the last row inserted */

/* Columns count from 0; values are valid until the next step or release. */
bool td_sql_is_null(struct td_sql_stmt *stmt, int column);
int64_t td_sql_int(struct td_sql_stmt *stmt, int column); /* NULL is 0 */
uint64_t td_sql_u64(struct td_sql_stmt *stmt, int column);
const char *td_sql_text(struct td_sql_stmt *stmt,
                        int column); /* bytes of a text or blob, NUL-terminated; NULL for NULL */
bool td_sql_hash(struct td_sql_stmt *stmt, int column, void *out, size_t len); /* false: no blob of that length */

#endif
