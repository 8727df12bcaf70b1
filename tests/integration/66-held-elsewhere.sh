#!/usr/bin/env bash
# A file that has rotted in the source is held by whatever name it goes: also by one that another file had, and when
# another file takes its own.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
export MNT=$T/mnt/m

found() { # found KIND: "path member cause" of the last run's JSON, joined by ";"
    python3 -c 'import json,sys
v=json.load(open(sys.argv[1]))[sys.argv[2]]
print(";".join(sorted("%s %s %s" % (i["path"], i["member"] or "-", i["cause"]) for i in v)))' "$OUT" "$1"
}
rot() { # rot PATH...: a bit of each in the source, as a bad disk would: no time moves
    umount "$SRC" && released "$T/array.img"
    local path
    for path; do flip "$T/array.img" "$path" 7 || flunk "flipping $path"; done
    mount_image "$T/array.img" "$SRC"
}
hash_of() { sha256sum <"$1" | cut -d' ' -f1; }
hash_on() { mounted "$1" sha256sum "$MNT/M/$2" | cut -d' ' -f1; } # hash_on IMAGE PATH
in_history() { mounted "$1" sh -c 'cd "$MNT/.twindock/history" && sha256sum */"$1" 2>/dev/null | cut -d" " -f1 | tail -n 1' sh "$2"; }

claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
truncate -s 64M "$T/array.img"
mkfs.ext4 -q "$T/array.img"
mkdir -p "$T/mnt"
mount_image "$T/array.img" "$SRC"
release() { local status=$?; umount "$SRC" 2>/dev/null; return $status; }
trap 'release; tear_down' EXIT
small_tree
for i in 1 2 3; do head -c $((20000 + i)) /dev/urandom >"$SRC/docs/r$i"; head -c $((30000 + i)) /dev/urandom >"$SRC/docs/other$i"; done
sync -f "$SRC"
new_pair
td_is 0 "first run" run
for i in 1 2 3; do good[i]=$(hash_of "$SRC/docs/r$i"); other[i]=$(hash_of "$SRC/docs/other$i"); done
rot docs/r1 docs/r2 docs/r3
td_is 5 "three files have rotted" run --json
equal "and are held" 'docs/r1 - source-rot;docs/r2 - source-rot;docs/r3 - source-rot' "$(found held)"
bad=$(hash_of "$SRC/docs/r1")

mv "$SRC/docs/r1" "$SRC/docs/other1"                                           # over another file
mv "$SRC/docs/r2" "$SRC/docs/r2~"; head -c 25000 /dev/urandom >"$SRC/docs/r2"  # as an editor does
mv "$SRC/docs/r3" "$SRC/docs/other3"; head -c 26000 /dev/urandom >"$SRC/docs/r3" # both
cp "$T/ledger/twindock.db" "$T/before.db"
td_is 5 "run" run --json
equal "they are held by their new names" 'docs/other1 - source-rot;docs/other3 - source-rot;docs/r2~ - source-rot' "$(found held)"
matches "(the first is the rotten one)" "^$bad" "$(hash_of "$SRC/docs/other1")"
are_right() { # are_right NAME
    undock
    local image
    for image in "$A" "$B"; do
        equal "$1: $(basename "$image") has the good ones there" "${good[*]}" "$(hash_on "$image" docs/other1) $(hash_on "$image" docs/r2~) $(hash_on "$image" docs/other3)"
        equal "$1: and the new ones" "$(hash_of "$SRC/docs/r2") $(hash_of "$SRC/docs/r3")" "$(hash_on "$image" docs/r2) $(hash_on "$image" docs/r3)"
        equal "$1: and what they replaced in its history" "${other[1]} ${other[3]}" "$(in_history "$image" docs/other1) $(in_history "$image" docs/other3)"
        check "$1: its manifest holds" manifest_holds "$image"
    done
    dock "$A" "$B"
}
are_right "moved"
td_is 5 "the next run" run --json
equal "holds the same" 'docs/other1 - source-rot;docs/other3 - source-rot;docs/r2~ - source-rot' "$(found held)"
equal "and moves nothing" '0 0 0' "$(json copied) $(json renamed) $(json deleted)"

# As if that run had been cut off before the ledger knew.
rm -f "$T/ledger"/twindock.db*
cp "$T/before.db" "$T/ledger/twindock.db"
td_is 5 "with the ledger of before" run --accept-ahead --json
equal "they are held all the same" 'docs/other1 - source-rot;docs/other3 - source-rot;docs/r2~ - source-rot' "$(found held)"
are_right "with the ledger of before"

td_is 0 "heal by the new names" heal M docs/other1 docs/other3
equal "the source is good" "${good[1]} ${good[3]}" "$(hash_of "$SRC/docs/other1") $(hash_of "$SRC/docs/other3")"
td_is 0 "accept by the new name" accept M docs/r2~
td_is 0 "then all is well" run --json
undock
check "A equals the source" same_tree "$A"
check "B too" same_tree "$B"
finish
