/*
 * `.twindock/SHA256SUMS`, in the form of sha256sum(1) (GNU coreutils): "<hex>  <path>", with a leading backslash
 * and \n, \r, \\ escaped where the path holds newline, carriage return or backslash. Paths are relative to the
 * filesystem's root. Paths that no program could open by name (PATH_MAX and longer) go to SHA256SUMS.long beside it.
 */
#ifndef TWINDOCK_SYNC_MANIFEST_H
#define TWINDOCK_SYNC_MANIFEST_H

#include "twindock/base/buf.h"
#include "twindock/base/error.h"
#include "twindock/model/entry.h"

#include <stdbool.h>
#include <stdint.h>

#define TD_MANIFEST_NAME "SHA256SUMS"
#define TD_MANIFEST_LONG_NAME "SHA256SUMS.long"

struct td_manifest;

/* One line into a buffer: pure. `prefix` is the collection's directory on the member ("M"), "" or "." for the root. */
void td_manifest_line(struct td_buf *out, const uint8_t hash[TD_HASH_LEN], const char *prefix, const char *path);

/* Write it anew beside the old one: begin, add in path order, commit. Commit compares with what is there and writes
 * nothing (removes the temporary) when it is equal (*changed false); else fsync, rename, fsync the directory, read
 * back. Cancel (NULL allowed) removes the temporary files. */
int td_manifest_begin(int store, const char *prefix, struct td_manifest **out, struct td_error *err);
int td_manifest_add(struct td_manifest *manifest, const char *path, const uint8_t hash[TD_HASH_LEN],
                    struct td_error *err);
int td_manifest_commit(struct td_manifest *manifest, bool *changed, struct td_error *err); /* frees it */
void td_manifest_cancel(struct td_manifest *manifest);

#endif
