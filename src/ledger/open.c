#include "private.h"

#include "twindock/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SCHEMA "schema/"
#define APPLICATION_ID 1415005259 /* "TWDK", as sql/schema/001-initial.sql sets it */

struct kind {
    int64_t application, version, objects;
};

static int identify(struct td_sql *sql, struct kind *out, struct td_error *err) {
    TD_AUTOSQL struct td_sql_stmt *q = NULL;
    int rc = td_sql_take(sql, "queries/identify.sql", &q, err);

    rc = rc < 0 ? rc : td_sql_step(q, err);
    if (rc < 0)
        return rc;
    out->application = td_sql_int(q, 0);
    out->version = td_sql_int(q, 1);
    out->objects = td_sql_int(q, 2);
    return 0;
}

static bool is_new(const struct kind *kind) {
    return kind->objects == 0 && kind->version == 0;
}

/* The number of a schema script, 0 for other texts. */
static int64_t script_number(const char *name) {
    if (strncmp(name, SCHEMA, strlen(SCHEMA)) != 0)
        return 0;
    return strtol(name + strlen(SCHEMA), NULL, 10);
}

static int64_t newest_schema(void) {
    int64_t newest = 0;

    for (const struct td_sql_text *text = td_sql_texts; text->name; text++) {
        int64_t number = script_number(text->name);
        newest = number > newest ? number : newest;
    }
    return newest;
}

static int check_kind(const struct kind *kind, const char *path, struct td_error *err) {
    if (is_new(kind))
        return 0;
    if (kind->application != APPLICATION_ID)
        return td_fail_text(err, EUCLEAN, "%s is a database of some other program, not a twindock ledger", path);
    if (kind->version > newest_schema())
        return td_fail_text(err, EPROTO,
                            "the ledger %s was written by a newer twindock (schema %lld, this one knows %lld): "
                            "upgrade twindock",
                            path, (long long)kind->version, (long long)newest_schema());
    return 0;
}

#define WAL_TRIES 500 /* of 20 ms each */

/* One script in one transaction, unless another process was quicker. */
static int migrate_one(struct td_sql *sql, const char *script, int64_t number, struct td_error *err) {
    struct kind kind;
    int rc = td_sql_begin(sql, true, err);

    if (rc < 0)
        return rc;
    rc = identify(sql, &kind, err);
    if (rc == 0 && kind.version < number) {
        rc = td_sql_script(sql, script, err);
        rc = rc < 0 ? rc : identify(sql, &kind, err);
        if (rc == 0 && kind.version != number)
            rc = td_fail_text(err, EINVAL, "%s leaves the schema at version %lld", script, (long long)kind.version);
    }
    if (rc == 0)
        return td_sql_commit(sql, err);
    td_sql_rollback(sql);
    return td_wrap(err, rc, "upgrading the ledger with %s", script);
}

int td_ledger_migrate(struct td_sql *sql, struct td_error *err) {
    struct kind kind;
    int rc = identify(sql, &kind, err);

    for (const struct td_sql_text *text = td_sql_texts; rc == 0 && text->name; text++) {
        int64_t number = script_number(text->name);
        if (number > kind.version)
            rc = migrate_one(sql, text->name, number, err);
    }
    return rc;
}

/* Make the missing directories above `path`. */
static int make_directories(const char *path, struct td_error *err) {
    TD_AUTOFREE char *dir = strdup(path);
    if (!dir)
        return td_fail(err, ENOMEM, "opening the ledger");
    for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(dir, 0700) < 0 && errno != EEXIST)
            return td_fail(err, errno, "making the ledger's directory %s", dir);
        *slash = '/';
    }
    return 0;
}

/* SQLite would create it with the umask's mode. The files beside it take theirs from it. */
static int create_private(const char *path, struct td_error *err) {
    int rc = make_directories(path, err);
    if (rc < 0)
        return rc;
    TD_AUTOCLOSE int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST)
        return td_fail(err, errno, "creating the ledger %s", path);
    return 0;
}

static int wrap_connection(struct td_sql *sql, struct td_ledger **out, struct td_error *err) {
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return td_fail(err, ENOMEM, "opening the ledger");
    (*out)->sql = sql;
    return 0;
}

/* SQLite does not wait when two processes make the same new file a write-ahead one at the same moment: we do. */
static int set_up_writer(struct td_sql *sql, struct td_error *err) {
    const struct timespec pause = {.tv_nsec = 20000000};
    int rc = td_sql_script(sql, "setup/writer.sql", err);

    for (int tries = 0; rc == -EBUSY && tries < WAL_TRIES; tries++) {
        nanosleep(&pause, NULL);
        rc = td_sql_script(sql, "setup/writer.sql", err);
    }
    return rc;
}

int td_ledger_open(const char *path, struct td_ledger **out, struct td_error *err) {
    const char *name = path ? path : "(temporary)";
    struct td_sql *sql = NULL;
    struct kind kind;

    *out = NULL;
    int rc = path ? create_private(path, err) : 0;
    rc = rc < 0 ? rc : td_sql_open(path, &sql, err);
    /* Look before anything is set: a database of another program must not be changed, not even in its journal mode. */
    rc = rc < 0 ? rc : identify(sql, &kind, err);
    rc = rc < 0 ? rc : check_kind(&kind, name, err);
    rc = rc < 0 ? rc : set_up_writer(sql, err);
    rc = rc < 0 ? rc : td_ledger_migrate(sql, err);
    rc = rc < 0 ? rc : wrap_connection(sql, out, err);
    if (rc < 0)
        td_sql_close(sql);
    return rc;
}

int td_ledger_open_reader(const char *path, struct td_ledger **out, struct td_error *err) {
    struct td_sql *sql = NULL;
    struct kind kind;

    *out = NULL;
    int rc = td_sql_open_reader(path, &sql, err);
    rc = rc < 0 ? rc : identify(sql, &kind, err);
    rc = rc < 0 ? rc : check_kind(&kind, path, err);
    if (rc == 0 && is_new(&kind))
        rc = td_fail_text(err, ENOENT, "the ledger %s is empty", path);
    if (rc == 0 && kind.version < newest_schema())
        rc = td_fail_text(err, EPROTO, "the ledger %s has an older schema (%lld): `twindock run` will upgrade it", path,
                          (long long)kind.version);
    rc = rc < 0 ? rc : td_sql_script(sql, "setup/reader.sql", err);
    rc = rc < 0 ? rc : wrap_connection(sql, out, err);
    if (rc < 0)
        td_sql_close(sql);
    return rc;
}

void td_ledger_close(struct td_ledger *ledger) {
    if (!ledger)
        return;
    td_sql_rollback(ledger->sql);
    td_sql_close(ledger->sql);
    td_buf_free(&ledger->file_texts);
    td_buf_free(&ledger->entry_texts);
    free(ledger);
}

void td_ledger_patience(struct td_ledger *ledger, int milliseconds) {
    td_sql_patience(ledger->sql, milliseconds);
}
