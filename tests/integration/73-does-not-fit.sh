#!/usr/bin/env bash
# What the source's filesystem holds and a member's cannot: large extended attributes, times before 1901 and after 2446.
# Everything else of such a file is backed up, once, and what is left out is told.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

SRC=$T/mnt/src
mkdir -p "$SRC" "$T/mnt/other"
mount -t tmpfs -o size=64M tmpfs "$SRC" || { echo "# skipped: no tmpfs"; exit 77; }
BIG=$(head -c 6000 /dev/zero | tr '\0' x)
export MNT=$T/mnt/m

attribute() { # attribute IMAGE PATH NAME: its value
    mounted "$1" sh -c 'getfattr -h --only-values -n "$2" "$MNT/M/$1" 2>/dev/null' sh "$2" "$3"
}
content() { mounted "$1" cat "$MNT/M/$2"; }
holders() { mounted "$1" sh -c 'find "$MNT/.twindock" -path "*/history/*/.attributes/*" | wc -l'; }
mtime() { mounted "$1" stat -c %y "$MNT/M/$2"; }
sync_is() { # sync_is CODE NAME: from $SRC to the other filesystem
    local got
    "$TWINDOCK" sync "$SRC" "$T/mnt/other" --json >"$OUT" 2>"$ERR"; got=$?
    equal "$2" "$1" "$got"
}
found() { # found KIND: path, member and cause of each
    python3 -c 'import json, sys; print(";".join(" ".join(str(i[k] or "-") for k in ("path", "member", "cause"))
                for i in json.load(open(sys.argv[1]))[sys.argv[2]]))' "$OUT" "$1"
}
lacking() { # lacking PATH...: what is to be reported of them
    local path all=''
    for path; do all+="$path A attributes-not-kept;$path B attributes-not-kept;"; done
    echo "${all%;}"
}

claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
mkdir "$SRC/docs" "$SRC/dir"
for i in 1 2 3 4 5 6 7 8 9; do echo "text $i" >"$SRC/docs/t$i"; done
echo inside >"$SRC/dir/inside"
ln -s docs "$SRC/link"
if ! setfattr -n trusted.big -v "$BIG" "$SRC/docs/t1" 2>/dev/null; then
    echo "# skipped: this filesystem takes no large attributes"
    exit 77
fi

# --- attributes ---------------------------------------------------------------------------------------------------

setfattr -n trusted.small -v fits "$SRC/docs/t1"
setfattr -n trusted.big -v "$BIG" "$SRC/dir"
setfattr -h -n trusted.big -v "$BIG" "$SRC/link"
new_pair
td_is 3 "too large: run" run --json
equal "too large: told of each" "$(lacking dir docs/t1 link)" "$(found unreadable)"
matches "too large: names the attribute" 'trusted.big \(6000 bytes\)' "$(json unreadable 2 detail)"
matches "too large: what to do" 'lack extended attributes on the disks, where they do not fit.*contents are safe' "$(json reason)"
undock
for image in "$A" "$B"; do
    equal "too large: the content is on $(basename "$image")" "text 1" "$(content "$image" docs/t1)"
    equal "too large: and the attribute that fits" fits "$(attribute "$image" docs/t1 trusted.small)"
    check "too large: and the rest" mounted "$image" sh -c 'test -L "$MNT/M/link" && test -s "$MNT/M/dir/inside"'
    check "too large: the manifest holds" manifest_holds "$image"
done

dock "$A" "$B"
td_is 3 "nothing new: run" run --json
equal "nothing new: told again" "$(lacking dir docs/t1 link)" "$(found unreadable)"
equal "nothing new: nothing is done" '0 0 []' "$(json copied) $(json updated) $(json repaired)"
td_is 3 "in words: run" run
check "in words" grep -q 'docs/t1: lacks extended attributes on member A (the extended attribute trusted.big' "$OUT"
undock
equal "nothing new: history does not grow" '0 0' "$(holders "$A") $(holders "$B")"

echo "an edit" >>"$SRC/docs/t1"
chmod 4711 "$SRC/docs/t2"
setfattr -n trusted.grows -v small "$SRC/docs/t3"
dock "$A" "$B"
td_is 3 "an edit: run" run --json
equal "an edit: is copied" '1 2' "$(json copied) $(json updated)"
undock
equal "an edit: is on both" "$(cat "$SRC/docs/t1")" "$(content "$B" docs/t1)"

# An attribute that has become too large: what it was before is history.
setfattr -n trusted.grows -v "$BIG" "$SRC/docs/t3"
chmod 600 "$SRC/docs/t3"
dock "$A" "$B"
td_is 3 "has grown: run" run --json
equal "has grown: told" "$(lacking dir docs/t1 docs/t3 link)" "$(found unreadable)"
td_is 3 "has grown: another run" run --json
equal "has grown: done once" 0 "$(json updated)"
undock
equal "has grown: the old value is no longer there" '' "$(attribute "$A" docs/t3 trusted.grows)"
equal "has grown: it is in history, once" '1 1' "$(holders "$A") $(holders "$B")"
equal "has grown: the mode is set" 600 "$(mounted "$A" stat -c %a "$MNT/M/docs/t3")"

dock "$A" "$B"
td_is 3 "restore" restore M docs/t1 --to "$T/back"
equal "restore: the content" "$(cat "$SRC/docs/t1")" "$(cat "$T"/back/docs/t1)"
equal "restore: what did fit" fits "$(getfattr --only-values -n trusted.small "$T/back/docs/t1" 2>/dev/null)"
check "restore: says so" grep -q 'docs/t1.*without extended attributes that did not fit' "$OUT"

setfattr -x trusted.big "$SRC/dir"
setfattr -h -x trusted.big "$SRC/link"
setfattr -x trusted.big "$SRC/docs/t1"
setfattr -n trusted.grows -v fits "$SRC/docs/t3"
td_is 0 "all of it fits: run" run --json
undock
for image in "$A" "$B"; do check "all of it fits: $(basename "$image") equals the source" same_tree "$image"; done

# --- times --------------------------------------------------------------------------------------------------------

touch -d '1601-01-01 00:00:00 UTC' "$SRC/docs/t4"
touch -h -d '2500-01-01 00:00:00 UTC' "$SRC/link"
touch -d '1800-01-01 00:00:00 UTC' "$SRC/dir"
touch -d '2446-05-10 22:38:55.5 UTC' "$SRC/docs/t5"
dock "$A" "$B"
td_is 0 "times: run" run --json
far="dir A time-not-kept;dir B time-not-kept"
for path in docs/t4 docs/t5 link; do far+=";$path A time-not-kept;$path B time-not-kept"; done
equal "times: noted" "$far" "$(found noted)"
equal "times: in words" '1601-01-01 is kept as 1901-12-13' "$(json noted 2 detail)"
td_is 0 "times: another run" run --json
equal "times: nothing is done" '0 0 [] []' "$(json copied) $(json updated) $(json repaired) $(json noted)"
td_is 0 "times: dry run" run --dry-run
check "times: nothing is planned" grep -q 'nothing to copy' "$OUT"
undock
equal "times: on a disk" '1901-12-13 20:45:52.000000000 +0000' "$(mtime "$A" docs/t4)"

echo "text X" >"$SRC/docs/t4" # as long as before, and as early for the disks
touch -d '1602-02-02 00:00:00 UTC' "$SRC/docs/t4"
dock "$A" "$B"
td_is 0 "times: an edit that the disks' times do not show" run --json
equal "times: no rot" '[] []' "$(json held) $(json repaired)"
undock
equal "times: it is on A" "text X" "$(content "$A" docs/t4)"
equal "times: it is on B" "text X" "$(content "$B" docs/t4)"
dock "$A" "$B"
mount -t tmpfs tmpfs "$T/mnt/other"
td_is 0 "times: brought back" restore M docs/t4 --to "$T/mnt/other/back"
equal "times: as they were" '1602-02-02 00:00:00.000000000 +0000' "$(stat -c %y "$T/mnt/other/back/docs/t4")"
umount "$T/mnt/other"

# --- sync ---------------------------------------------------------------------------------------------------------

truncate -s 64M "$T/other.img"
mkfs.ext4 -q -F -I 256 "$T/other.img"
mount -o loop "$T/other.img" "$T/mnt/other"
setfattr -n trusted.big -v "$BIG" "$SRC/docs/t1"
setfattr -n trusted.big -v "$BIG" "$SRC"
sync_is 3 "sync"
equal "sync: told" '- A attributes-not-kept;docs/t1 A attributes-not-kept' "$(found unreadable)"
equal "sync: copied" "$(cat "$SRC/docs/t1")" "$(cat "$T/mnt/other/docs/t1")"
sync_is 3 "sync: again"
equal "sync: nothing is done" '0 0 []' "$(json copied) $(json updated) $(json repaired)"
finish
