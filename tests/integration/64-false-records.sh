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
td_is 0 "a run links it" run
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

finish
