/*
 * What lies in a member's history. Contents are found by their SHA-256, wherever they are: in the collection, whole in
 * history, or as a delta against another content. So nothing has to be written anew when content moves, is linked, or
 * is replaced once more.
 */
#ifndef TWINDOCK_MODEL_VERSION_H
#define TWINDOCK_MODEL_VERSION_H

#include "twindock/model/entry.h"

#include <stdbool.h>
#include <stdint.h>

enum td_version_kind {
    TD_VERSION_WHOLE,      /* "whole": the file, symlink or device itself */
    TD_VERSION_DELTA,      /* "delta": rdiff makes it from the content `base` */
    TD_VERSION_DIRECTORY,  /* "directory": a directory with its attributes */
    TD_VERSION_ATTRIBUTES, /* "attributes": nothing but a holder of extended attributes */
    TD_VERSION_KINDS
};
extern const char *const td_version_names[TD_VERSION_KINDS];
bool td_version_from(const char *name, enum td_version_kind *out);

/* One thing kept on one member. */
struct td_version {
    enum td_version_kind kind;
    const char *path;      /* in the collection; "" when it is not known any more */
    const char *place;     /* below .twindock/history/ */
    struct td_entry entry; /* of the version: mode, owner, size, mtime, xattrs; its texts are not used */
    bool has_hash;         /* regular files */
    uint8_t hash[TD_HASH_LEN];
    uint8_t base[TD_HASH_LEN];   /* DELTA */
    uint8_t stored[TD_HASH_LEN]; /* of the bytes at `place`; WHOLE: the same as hash */
    uint64_t stored_size;
    int64_t run; /* that put it there; 0: unknown */
};

#endif
