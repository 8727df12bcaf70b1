#!/usr/bin/env bash
# What is on record as right has been read and found right: also of names that are links, after a verify, and when a disk
# goes while its history is read.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
export MNT=$T/mnt/m

claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
small_tree
mkdir "$SRC/links" "$SRC/shut"
head -c 90000 /dev/urandom >"$SRC/links/one"
ln "$SRC/links/one" "$SRC/links/two"
new_pair
td_is 0 "first run" run
proven() { ledger "SELECT count(*) FROM file WHERE CAST(path AS TEXT) = '$2' AND ${1}_proven > 0"; } # proven a|b PATH

# --- names that are links in the source, and none on a member -----------------------------------------------------

break_link() { # what a program does that writes a new file: the name is another file from then on
    mkdir -p "$T/mnt/w"
    mount_image "$B" "$T/mnt/w" || return 1
    cp -p "$T/mnt/w/M/links/two" "$T/mnt/w/M/links/new" && printf x | dd of="$T/mnt/w/M/links/new" bs=1 seek=99 conv=notrunc status=none
    touch -r "$T/mnt/w/M/links/one" "$T/mnt/w/M/links/new"
    mv "$T/mnt/w/M/links/new" "$T/mnt/w/M/links/two"
    umount "$T/mnt/w" && released "$B"
}
undock
check "on B a name of the group becomes a file of its own" break_link
dock "$A" "$B"
td_is 5 "verify finds it" verify --json
matches "and names it" 'links/two' "$(json unreadable)$(json held)"
undock
mkdir -p "$T/mnt/w"
mount_image "$B" "$T/mnt/w"; rm "$T/mnt/w/M/links/two"; umount "$T/mnt/w"; released "$B"
dock "$A" "$B"
td_is 5 "verify finds that a name is missing" verify --json
matches "and names that" 'links/two' "$(json unreadable)$(json held)"
td_is 5 "a run links it, and says so" run
td_is 0 "then all is well" verify

# A link that could not be made.
undock
mount_image "$B" "$T/mnt/w"; chattr +i "$T/mnt/w/M/shut"; umount "$T/mnt/w"; released "$B"
dock "$A" "$B"
ln "$SRC/links/one" "$SRC/shut/three"
td_is 3 "a directory takes no link on B" run --json
equal "it is proven on A, and not on B" '1 0' "$(proven a shut/three) $(proven b shut/three)"
undock
check "B's manifest holds" manifest_holds "$B"
mount_image "$B" "$T/mnt/w"; chattr -i "$T/mnt/w/M/shut"; umount "$T/mnt/w"; released "$B"
dock "$A" "$B"
td_is 0 "it is made by the next run" run
equal "and proven" '1 1' "$(proven a shut/three) $(proven b shut/three)"

# --- what a verify has found, while a round of proving is open ----------------------------------------------------

open_round() { ledger 'UPDATE pair SET cycle = (SELECT max(id) FROM run WHERE command = '"'run'"')'; } # as out of time
place() { ledger "SELECT CAST(place AS TEXT) FROM kept WHERE member = $1 AND CAST(path AS TEXT) = '$2' ORDER BY run DESC LIMIT 1"; }
listed() { json "$1" | python3 -c 'import json,sys; print(*sorted(i["path"] + " " + (i["member"] or "-") for i in json.load(sys.stdin)), sep=";")'; }
for name in one two three; do echo "$name, new" >"$SRC/docs/$name"; done
rm "$SRC/photos/2014/p3.raw" "$SRC/docs/t3.txt" "$SRC/docs/t4.txt"
td_is 0 "a run that keeps something" run
undock
check "a bit flips on B" flip "$B" M/photos/2014/p2.raw 77
check "and in its history" flip "$B" ".twindock/history/$(place 2 photos/2014/p3.raw)" 78
open_round
dock "$A" "$B"
td_is 5 "verify finds both" verify --json
equal "and names them" 'photos/2014/p2.raw B;photos/2014/p3.raw B' "$(listed unreadable)"
equal "what is damaged in the history is not on record as read and right" 0 \
    "$(ledger "SELECT count(*) FROM kept WHERE member = 2 AND CAST(path AS TEXT) = 'photos/2014/p3.raw' AND cycle >= (SELECT max(id) FROM run)")"
open_round
td_is 5 "the next run reads them again, although both were proven in its round" run --json
equal "and repairs them" 'photos/2014/p2.raw B;photos/2014/p3.raw B' "$(listed repaired)"
td_is 0 "then all is well" verify

# --- a disk that dies while its history is read -------------------------------------------------------------------

if ! command -v gcc >/dev/null; then
    echo "# no compiler: a disk that dies is left out"
    finish
fi
# All reads from the filesystem DEAD_FROM (DEVICE:INODE) fail from the first one of that inode on.
cat >"$T/dead.c" <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
static int is_dead(int fd) {
    static volatile int dead;
    unsigned long device, inode;
    struct stat st;
    const char *from = getenv("DEAD_FROM");
    if (!from || sscanf(from, "%lu:%lu", &device, &inode) != 2 || fstat(fd, &st) != 0)
        return 0;
    if (st.st_dev == device && st.st_ino == inode)
        dead = 1;
    return dead && (st.st_dev == device || st.st_rdev == device);
}
#define SHIM(name) \
    ssize_t name(int fd, void *to, size_t count, off_t at) { \
        static ssize_t (*next)(int, void *, size_t, off_t); \
        if (!next) next = (ssize_t (*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, #name); \
        if (is_dead(fd)) { errno = EIO; return -1; } \
        return next(fd, to, count, at); \
    }
SHIM(pread)
SHIM(pread64)
END
gcc -shared -fPIC -O1 -o "$T/dead.so" "$T/dead.c" -ldl || { flunk "compiling"; finish; }
inode=$(debugfs -R "stat \"/.twindock/history/$(place 2 docs/t3.txt)\"" "$B" 2>/dev/null | sed -n 's/^Inode: \([0-9]*\).*/\1/p')
device=$(stat -Lc '%t %T' "$SLOT2")
kept=$(ledger 'SELECT count(*) FROM kept WHERE member = 2')
LD_PRELOAD=$T/dead.so ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0 \
    DEAD_FROM=$((0x${device% *} << 8 | 0x${device#* })):$inode "$TWINDOCK" run -c "$CONF" --json >"$OUT" 2>"$ERR"
equal "B dies in the middle of its history: it is lost" '4 lost' "$? $(json members B state)"
equal "and nothing is said of what it keeps" '' "$(listed unreadable)$(listed repaired)"
equal "nor on record" "$kept 0" "$(ledger 'SELECT count(*), sum(lost) FROM kept WHERE member = 2' | tr '|' ' ')"
td_is 0 "when it is back all is well" run --json
finish
