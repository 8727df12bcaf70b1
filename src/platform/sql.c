#include "twindock/platform/sql.h"

#include "twindock/base/buf.h"
#include "twindock/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct td_sql_stmt {
    struct td_sql *sql;
    sqlite3_stmt *raw;
    size_t text; /* index in td_sql_texts */
    int fault;   /* SQLite's code of a bind that failed */
};

struct td_sql {
    sqlite3 *db;
    char *label; /* for sentences */
    size_t texts;
    struct td_sql_stmt **kept; /* one per text; NULL while it is out or was never used */
};

/* --- faults ------------------------------------------------------------------------------------------ */

static int errno_of_constraint(int rc) {
    switch (rc) {
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return ENOENT;
    case SQLITE_CONSTRAINT_CHECK:
    case SQLITE_CONSTRAINT_NOTNULL:
    case SQLITE_CONSTRAINT_DATATYPE:
        return EINVAL;
    default:
        return EEXIST;
    }
}

static int errno_of(sqlite3 *db, int rc) {
    int system = db ? sqlite3_system_errno(db) : 0;

    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return EBUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return EUCLEAN;
    case SQLITE_FULL:
        return ENOSPC;
    case SQLITE_IOERR:
        if (rc == SQLITE_IOERR_NOMEM)
            return ENOMEM;
        return system == ENOSPC || system == EDQUOT ? ENOSPC : EIO;
    case SQLITE_READONLY:
        return EROFS;
    case SQLITE_CONSTRAINT:
        return errno_of_constraint(rc);
    case SQLITE_NOMEM:
        return ENOMEM;
    case SQLITE_CANTOPEN:
        return system > 0 && system != ENOENT ? system : EIO; /* the file was there: a file beside it is meant */
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return EACCES;
    default:
        return EINVAL;
    }
}

/* `what`: the statement or step, named only where the fault is ours and not the machine's. */
static int fault(const struct td_sql *sql, int rc, const char *what, struct td_error *err) {
    int code = errno_of(sql->db, rc);
    const char *words = sqlite3_errmsg(sql->db);

    switch (code) {
    case EBUSY:
        return td_fail_text(err, code, "the database %s is held by another process", sql->label);
    case EUCLEAN:
        return td_fail_text(err, code, "the database %s is damaged: %s", sql->label, words);
    case ENOSPC:
        return td_fail_text(err, code, "no room left to write the database %s", sql->label);
    case EINVAL:
    case EEXIST:
    case ENOENT:
        return td_fail_text(err, code, "the database %s, %s: %s", sql->label, what, words);
    default:
        return td_fail_text(err, code, "the database %s: %s", sql->label, words);
    }
}

/* --- texts ------------------------------------------------------------------------------------------- */

static size_t count_texts(void) {
    size_t count = 0;
    while (td_sql_texts[count].name)
        count++;
    return count;
}

/* Index of the text `name`, or -1. */
static ssize_t find_text(const struct td_sql *sql, const char *name) {
    size_t low = 0;
    size_t high = sql->texts;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, td_sql_texts[middle].name);
        if (order == 0)
            return (ssize_t)middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

static int no_text(const struct td_sql *sql, const char *name, struct td_error *err) {
    return td_fail_text(err, EINVAL, "the database %s: there is no statement %s", sql->label, name);
}

/* --- connections ------------------------------------------------------------------------------------- */

/* Settings that must hold before the first statement looks at what may be a hostile file. */
static int set_up(struct td_sql *sql, struct td_error *err) {
    static const struct {
        int option;
        int value;
    } options[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1}, {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0}, {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
        {SQLITE_DBCONFIG_DQS_DML, 0},   {SQLITE_DBCONFIG_DQS_DDL, 0},
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        int rc = sqlite3_db_config(sql->db, options[i].option, options[i].value, (int *)NULL);
        if (rc != SQLITE_OK)
            return fault(sql, rc, "settings", err);
    }
    sqlite3_extended_result_codes(sql->db, 1);
    td_sql_patience(sql, TD_SQL_PATIENCE);
    return 0;
}

/* SQLite gives names such as ":memory:" and "file:..." a meaning of their own; a leading "./" or "/" takes it away. */
char *td_sql_plain_name(const char *file) {
    struct td_buf name = {0};

    if (file[0] != '/')
        td_buf_puts(&name, "./");
    td_buf_puts(&name, file);
    return td_buf_take(&name);
}

/* The same name as a URI that says: nobody can write this, look at the file alone. */
static char *fixed_name(const char *file) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    struct td_buf name = {0};

    td_buf_puts(&name, "file:");
    for (const char *at = file; *at; at++)
        if (strchr(plain, *at))
            td_buf_putc(&name, *at);
        else
            td_buf_printf(&name, "%%%02X", (unsigned char)*at);
    td_buf_puts(&name, "?immutable=1");
    return td_buf_take(&name);
}

/* A write-ahead log wants files beside the database, which nobody can make on a filesystem that is read-only. Nobody
 * can be writing there either, so without a log the file can be read as it is. */
static bool is_fixed(const char *file) {
    TD_AUTOFREE char *log = NULL;
    TD_AUTOFREE char *dir = strdup(file);
    struct stat st;

    if (file[0] != '/' || !dir || asprintf(&log, "%s-wal", file) < 0)
        return false;
    return access(dirname(dir), W_OK) < 0 && errno == EROFS && (stat(log, &st) < 0 || st.st_size == 0);
}

static int open_with(const char *file, int flags, struct td_sql **out, struct td_error *err) {
    TD_AUTOFREE char *name = !file ? strdup("") : flags & SQLITE_OPEN_URI ? fixed_name(file) : td_sql_plain_name(file);
    struct td_sql *sql = calloc(1, sizeof(*sql));

    *out = NULL;
    if (sql) {
        sql->texts = count_texts();
        sql->label = strdup(file ? file : "(temporary)");
        sql->kept = calloc(sql->texts + 1, sizeof(struct td_sql_stmt *));
    }
    if (!name || !sql || !sql->label || !sql->kept) {
        td_sql_close(sql);
        return td_fail(err, ENOMEM, "opening the database");
    }
    int rc = sqlite3_open_v2(name, &sql->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    rc = rc == SQLITE_OK ? set_up(sql, err) : fault(sql, rc, "open", err);
    if (rc < 0) {
        td_sql_close(sql);
        return rc;
    }
    *out = sql;
    return 0;
}

int td_sql_open(const char *file, struct td_sql **out, struct td_error *err) {
    return open_with(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, out, err);
}

int td_sql_open_reader(const char *file, struct td_sql **out, struct td_error *err) {
    *out = NULL;
    /* SQLite says "unable to open" for anything; the system says which. */
    if (access(file, R_OK) < 0)
        return td_fail(err, errno, "opening the database %s", file);
    return open_with(file, SQLITE_OPEN_READONLY | (is_fixed(file) ? SQLITE_OPEN_URI : 0), out, err);
}

static void free_statement(struct td_sql_stmt *stmt) {
    if (!stmt)
        return;
    sqlite3_finalize(stmt->raw);
    free(stmt);
}

void td_sql_close(struct td_sql *sql) {
    if (!sql)
        return;
    for (size_t i = 0; sql->kept && i < sql->texts; i++)
        free_statement(sql->kept[i]);
    sqlite3_close(sql->db);
    free(sql->kept);
    free(sql->label);
    free(sql);
}

void td_sql_patience(struct td_sql *sql, int milliseconds) {
    sqlite3_busy_timeout(sql->db, milliseconds);
}

int td_sql_script(struct td_sql *sql, const char *name, struct td_error *err) {
    ssize_t text = find_text(sql, name);
    if (text < 0)
        return no_text(sql, name, err);
    int rc = sqlite3_exec(sql->db, td_sql_texts[text].text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : fault(sql, rc, name, err);
}

/* --- transactions ------------------------------------------------------------------------------------ */

int td_sql_begin(struct td_sql *sql, bool write, struct td_error *err) {
    int rc = sqlite3_exec(sql->db, write ? "BEGIN IMMEDIATE" : "BEGIN", NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : fault(sql, rc, "begin", err);
}

int td_sql_commit(struct td_sql *sql, struct td_error *err) {
    int rc = sqlite3_exec(sql->db, "COMMIT", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return 0;
    rc = fault(sql, rc, "commit", err);
    td_sql_rollback(sql);
    return rc;
}

void td_sql_rollback(struct td_sql *sql) {
    if (td_sql_in_transaction(sql))
        sqlite3_exec(sql->db, "ROLLBACK", NULL, NULL, NULL);
}

bool td_sql_in_transaction(const struct td_sql *sql) {
    return !sqlite3_get_autocommit(sql->db);
}

/* --- statements -------------------------------------------------------------------------------------- */

int td_sql_take(struct td_sql *sql, const char *name, struct td_sql_stmt **out, struct td_error *err) {
    ssize_t text = find_text(sql, name);

    *out = NULL;
    if (text < 0)
        return no_text(sql, name, err);
    if (sql->kept[text]) {
        *out = sql->kept[text];
        sql->kept[text] = NULL;
        return 0;
    }
    struct td_sql_stmt *stmt = calloc(1, sizeof(*stmt));
    if (!stmt)
        return td_fail(err, ENOMEM, "preparing %s", name);
    stmt->sql = sql;
    stmt->text = (size_t)text;
    int rc = sqlite3_prepare_v3(sql->db, td_sql_texts[text].text, -1, SQLITE_PREPARE_PERSISTENT, &stmt->raw, NULL);
    if (rc != SQLITE_OK) {
        rc = fault(sql, rc, name, err);
        free_statement(stmt);
        return rc;
    }
    *out = stmt;
    return 0;
}

void td_sql_release(struct td_sql_stmt **out) {
    struct td_sql_stmt *stmt = *out;

    *out = NULL;
    if (!stmt)
        return;
    sqlite3_reset(stmt->raw);
    sqlite3_clear_bindings(stmt->raw);
    stmt->fault = SQLITE_OK;
    if (stmt->sql->kept[stmt->text])
        free_statement(stmt);
    else
        stmt->sql->kept[stmt->text] = stmt;
}

static void bound(struct td_sql_stmt *stmt, int rc) {
    if (rc != SQLITE_OK && stmt->fault == SQLITE_OK)
        stmt->fault = rc;
}

void td_sql_bind_int(struct td_sql_stmt *stmt, int param, int64_t value) {
    bound(stmt, sqlite3_bind_int64(stmt->raw, param, value));
}

void td_sql_bind_u64(struct td_sql_stmt *stmt, int param, uint64_t value) {
    td_sql_bind_int(stmt, param, (int64_t)value);
}

void td_sql_bind_text(struct td_sql_stmt *stmt, int param, const char *text) {
    bound(stmt, sqlite3_bind_text64(stmt->raw, param, text, text ? strlen(text) : 0, SQLITE_STATIC, SQLITE_UTF8));
}

void td_sql_bind_blob(struct td_sql_stmt *stmt, int param, const void *data, size_t len) {
    bound(stmt, sqlite3_bind_blob64(stmt->raw, param, data, len, SQLITE_STATIC));
}

void td_sql_bind_bytes(struct td_sql_stmt *stmt, int param, const char *bytes) {
    td_sql_bind_blob(stmt, param, bytes, bytes ? strlen(bytes) : 0);
}

void td_sql_bind_null(struct td_sql_stmt *stmt, int param) {
    bound(stmt, sqlite3_bind_null(stmt->raw, param));
}

int td_sql_step(struct td_sql_stmt *stmt, struct td_error *err) {
    const char *name = td_sql_texts[stmt->text].name;

    if (stmt->fault != SQLITE_OK)
        return td_fail_text(err, EINVAL, "the database %s, %s: a value cannot be bound: %s", stmt->sql->label, name,
                            sqlite3_errstr(stmt->fault));
    int rc = sqlite3_step(stmt->raw);
    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : fault(stmt->sql, rc, name, err);
}

int td_sql_run(struct td_sql_stmt *stmt, int64_t *changes, struct td_error *err) {
    int rc;

    while ((rc = td_sql_step(stmt, err)) > 0)
        continue;
    if (changes)
        *changes = rc == 0 ? sqlite3_changes64(stmt->sql->db) : 0;
    return rc;
}

int64_t td_sql_last_id(const struct td_sql *sql) {
    return sqlite3_last_insert_rowid(sql->db);
}

bool td_sql_is_null(struct td_sql_stmt *stmt, int column) {
    return sqlite3_column_type(stmt->raw, column) == SQLITE_NULL;
}

int64_t td_sql_int(struct td_sql_stmt *stmt, int column) {
    return sqlite3_column_int64(stmt->raw, column);
}

uint64_t td_sql_u64(struct td_sql_stmt *stmt, int column) {
    return (uint64_t)sqlite3_column_int64(stmt->raw, column);
}

const char *td_sql_text(struct td_sql_stmt *stmt, int column) {
    if (td_sql_is_null(stmt, column))
        return NULL;
    /* As text, for the NUL behind it: SQLite converts a blob to text byte for byte. */
    const unsigned char *text = sqlite3_column_text(stmt->raw, column);
    return text ? (const char *)text : "";
}

bool td_sql_hash(struct td_sql_stmt *stmt, int column, void *out, size_t len) {
    const void *data = sqlite3_column_blob(stmt->raw, column);

    if (!data || (size_t)sqlite3_column_bytes(stmt->raw, column) != len)
        return false;
    memcpy(out, data, len);
    return true;
}
