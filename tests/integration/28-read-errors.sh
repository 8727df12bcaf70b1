#!/usr/bin/env bash
# Files that the medium does not give back any more, in the source and on the disks; and a disk whose inodes are damaged.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

export MNT=$T/mnt/m
command -v gcc >/dev/null || { echo "ok - read errors # SKIP needs a compiler"; finish; }

# Reading these files fails: a list of DEVICE:INODE in $BAD_FILES. (There is no bad sector to be had from a loop device.)
cat >"$T/bad.c" <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* Small files are bad at their beginning, large ones behind their second megabyte. What is read of small files from
 * their device (O_DIRECT) is bad wherever a file on it is, but for the superblock. */
static long first_bad(int fd) {
    struct stat st;
    char key[64];
    const char *list = getenv("BAD_FILES");
    if (!list || fstat(fd, &st) != 0)
        return LONG_MAX;
    if (S_ISBLK(st.st_mode)) {
        snprintf(key, sizeof key, " %lu:", (unsigned long)st.st_rdev);
        return (fcntl(fd, F_GETFL) & O_DIRECT) && strstr(list, key) ? 65536 : LONG_MAX;
    }
    snprintf(key, sizeof key, " %lu:%lu ", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
    return strstr(list, key) == NULL ? LONG_MAX : st.st_size > 2 << 20 ? 2 << 20 : 0;
}
#define SHIM(name) \
    ssize_t name(int fd, void *to, size_t count, off_t at) { \
        static ssize_t (*next)(int, void *, size_t, off_t); \
        if (!next) next = (ssize_t (*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, #name); \
        if (at >= (off_t)first_bad(fd)) { errno = EIO; return -1; } \
        return next(fd, to, count, at); \
    }
SHIM(pread)
SHIM(pread64)
END
gcc -shared -fPIC -O1 -o "$T/bad.so" "$T/bad.c" -ldl || { flunk "compiling"; finish; }

key() { stat -c '%d:%i' "$1"; }
key_on() { # key_on SLOT IMAGE PATH: as the run will see it
    local device
    device=$(stat -Lc '%t %T' "$1")
    printf '%d:%s' "$((0x${device% *} << 8 | 0x${device#* }))" "$(debugfs -R "stat \"/M/$3\"" "$2" 2>/dev/null | sed -n 's/^Inode: \([0-9]*\).*/\1/p')"
}
bad_is() { # bad_is CODE NAME KEYS COMMAND...
    local want=$1 name=$2 keys=$3 got; shift 3
    LD_PRELOAD=$T/bad.so ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0 BAD_FILES=" $keys " \
        "$TWINDOCK" "$1" -c "$CONF" "${@:2}" >"$OUT" 2>"$ERR"
    got=$?
    if [[ $got = "$want" ]]; then pass "$name"; else flunk "$name (exit $got, expected $want)"; fi
}
hash_on() { mounted "$1" sha256sum "$MNT/M/$2" | cut -d' ' -f1; } # hash_on IMAGE PATH
content() { # content NAME: without the bad places the next run is quiet, and the members equal the source
    td_is 0 "$1: afterwards" run --json
    equal "$1: afterwards nothing is found" '///' "$(found held)/$(found repaired)/$(found unreadable)/$(found noted)"
    undock
    check "$1: A equals the source" same_tree "$A"
    check "$1: B equals the source" same_tree "$B"
    check "$1: the manifest holds on A" manifest_holds "$A"
    dock "$A" "$B"
}

claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
small_tree
new_pair
td_is 0 "first run" run

# --- in the source ------------------------------------------------------------------------------------------------

bad=$(key "$SRC/docs/t1.txt")
bad_is 3 "source unreadable: run" "$bad" run --json
equal "source unreadable: named" 'docs/t1.txt - read-error' "$(found unreadable)"
equal "source unreadable: nothing else" '//' "$(found held)/$(found repaired)/$(found noted)"
equal "source unreadable: the members are fine" 'ok ok' "$(json members A state) $(json members B state)"
undock
equal "source unreadable: A keeps its copy" "text number 1" "$(mounted "$A" cat "$MNT/M/docs/t1.txt")"
equal "source unreadable: B, too" "text number 1" "$(mounted "$B" cat "$MNT/M/docs/t1.txt")"
check "source unreadable: it is in the manifest still" mounted "$A" grep -q ' M/docs/t1.txt$' "$MNT/.twindock/SHA256SUMS"
dock "$A" "$B"

echo "edited, then unreadable" >"$SRC/docs/t2.txt"
cp "$SRC/docs/t3.txt" "$SRC/docs/new.txt"
bad="$(key "$SRC/docs/t2.txt")  $(key "$SRC/docs/new.txt")"
echo "edited and readable" >"$SRC/docs/t4.txt"
bad_is 3 "edited and new files unreadable: run" "$bad" run --json
equal "edited and new files unreadable: named" 'docs/new.txt - read-error;docs/t2.txt - read-error' "$(found unreadable)"
undock
equal "edited file unreadable: A keeps the old version" "text number 2" "$(mounted "$A" cat "$MNT/M/docs/t2.txt")"
equal "edited file unreadable: what is readable is copied" "edited and readable" "$(mounted "$B" cat "$MNT/M/docs/t4.txt")"
check "edited file unreadable: the manifest holds" manifest_holds "$A"
dock "$A" "$B"
content "source unreadable"

# A file that breaks off in the middle: nothing of it may get onto a member.
head -c 3000000 /dev/urandom >"$SRC/half.bin"
bad_is 3 "unreadable in the middle: run" "$(key "$SRC/half.bin")" run --json
undock
equal "unreadable in the middle: no half of it is on A" '' "$(mounted "$A" find "$MNT/M" -name 'half*'; mounted "$A" find "$MNT/.twindock/staging" -mindepth 1)"
dock "$A" "$B"
content "unreadable in the middle"

# --- on a disk ----------------------------------------------------------------------------------------------------

bad=$(key_on "$SLOT2" "$B" docs/t5.txt)
matches "(the inode on B is known)" '^[0-9]+:[0-9]+$' "$bad"
bad_is 5 "B's copy unreadable: verify" "$bad" verify --json
equal "B's copy unreadable: verify names it" 'docs/t5.txt B read-error' "$(found unreadable)$(found held)"
bad_is 5 "B's copy unreadable: run" "$bad" run --json
equal "B's copy unreadable: repaired" 'docs/t5.txt B read-error' "$(found repaired)"
equal "B's copy unreadable: B is not given up" 'ok ok' "$(json members A state) $(json members B state)"
undock
check "B's copy unreadable: it lies in a new place" test "$(key_on "$T/src" "$B" docs/t5.txt | cut -d: -f2)" != "${bad#*:}"
dock "$A" "$B"
content "B's copy unreadable"

bad="$(key_on "$SLOT1" "$A" docs/t6.txt)  $(key "$SRC/docs/t6.txt")"
bad_is 5 "A's copy and the source unreadable: run" "$bad" run --json
equal "A's copy and the source unreadable: repaired from B" 'docs/t6.txt A read-error' "$(found repaired)"
equal "A's copy and the source unreadable: the source named" 'docs/t6.txt - read-error' "$(found unreadable)"
undock
equal "A's copy and the source unreadable: A's is good" "text number 6" "$(mounted "$A" cat "$MNT/M/docs/t6.txt")"
dock "$A" "$B"
content "A's copy and the source unreadable"

undock
was="$(hash_on "$A" docs/t7.txt) $(hash_on "$B" docs/t7.txt)"
dock "$A" "$B"
bad="$(key_on "$SLOT1" "$A" docs/t7.txt)  $(key_on "$SLOT2" "$B" docs/t7.txt)  $(key "$SRC/docs/t7.txt")"
bad_is 5 "all three unreadable: run" "$bad" run --json
matches "all three unreadable: said" 'docs/t7.txt . no-good-copy' "$(found held)"
undock
equal "all three unreadable: left alone" "$was" "$(hash_on "$A" docs/t7.txt) $(hash_on "$B" docs/t7.txt)"
dock "$A" "$B"
content "all three unreadable"

# --- damaged inodes -----------------------------------------------------------------------------------------------

undock
debugfs -w -R 'set_inode_field /M/docs/t8.txt checksum 0x1234' "$B" 2>/dev/null
dock "$A" "$B"
td run --json
status=$?
matches "a damaged inode on B: is noticed" '^(2|4|5)$' "$status"
undock
check "a damaged inode on B: A is complete" same_tree "$A"
cp --sparse=always "$B" "$T/mended.img"
e2fsck -fy "$T/mended.img" >/dev/null 2>&1
mv "$T/mended.img" "$B"
dock "$A" "$B"
td run
status=$?
matches "a damaged inode on B: after e2fsck a run goes well" '^(0|5)$' "$status"
content "a damaged inode on B"
finish
