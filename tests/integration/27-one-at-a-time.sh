#!/usr/bin/env bash
# single = allow: one member is brought up to date while the other is away, and the other one catches up later.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

export MNT=$T/mnt/m
ARRAY=$T/array.img # the source lies on a filesystem of its own, so that bits can be flipped below it
SRC=$T/mnt/array/src

flip_source() { # flip_source PATH: no time, no size changes
    umount "$T/mnt/array"
    released "$ARRAY"
    flip "$ARRAY" "src/$1" || flunk "(finding the blocks of $1 in the source)"
    mount_image "$ARRAY" "$T/mnt/array"
}
hash_on() { mounted "$1" sha256sum "$MNT/M/$2" | cut -d' ' -f1; } # hash_on IMAGE PATH
content() { # content NAME: the last run has found nothing
    equal "$1: nothing is found" '///' "$(found held)/$(found repaired)/$(found unreadable)/$(found noted)"
}
last_backup() { td info --json; json collections 0 last_backup; }

mkdir -p "$T/mnt/array"
truncate -s 64M "$ARRAY"
mkfs.ext4 -q -F -b 4096 "$ARRAY"
mount_image "$ARRAY" "$T/mnt/array"
mkdir "$SRC"
claim_slots
configure 'single = allow' 'max_delete = 100%
max_change = 100%'
small_tree
new_pair
td_is 0 "both: first run" run
was=$(last_backup)
sleep 1.1

# --- in turn ------------------------------------------------------------------------------------------------------

echo edited >"$SRC/docs/t1.txt"
rm "$SRC/docs/t2.txt"
mv "$SRC/photos/2014" "$SRC/photos/2015"
dock "$A" ''
td_is 0 "A alone: run" run --json
equal "A alone: states" 'ok absent' "$(json members A state) $(json members B state)"
content "A alone"
equal "A alone: is no backup of the pair" "$was" "$(last_backup)"
undock
check "A alone: A equals the source" same_tree "$A"
equal "A alone: B is as it was" "text number 1" "$(mounted "$B" cat "$MNT/M/docs/t1.txt")"

echo "edited as well" >"$SRC/docs/t3.txt"
dock '' "$B"
td_is 0 "B alone: run" run --json
equal "B alone: states" 'absent ok' "$(json members A state) $(json members B state)"
content "B alone"
undock
check "B alone: B equals the source" same_tree "$B"
check "B alone: its manifest holds" manifest_holds "$B"

dock "$A" "$B"
td_is 0 "both again: run" run --json
equal "both again: states" 'ok ok' "$(json members A state) $(json members B state)"
content "both again"
equal "both again: nothing is left to prove" 0 "$(json left)"
check "both again: is a backup" test "$(last_backup)" != "$was"
undock
for image in "$A" "$B"; do
    check "both again: equals the source" same_tree "$image"
    check "both again: the manifest holds" manifest_holds "$image"
done

# A copy that is older than the ledger, because its disk was away, is not called rotten.
echo "newer" >>"$SRC/docs/t4.txt"
dock "$A" ''
td_is 0 "B is behind: A alone" run
td info
equal "B is behind: what to do" 'M  member B has missed the last backup; dock both disks. The disk is safe to remove.' "$(tail -n 1 "$OUT")"
dock "$A" "$B"
td_is 0 "B is behind: verify calls nothing rotten" verify --json
equal "B is behind: verify vouches for A, not for B" 'ok unproven' "$(json members A state) $(json members B state)"
td_is 0 "B is behind: run" run --json
content "B is behind"
undock
check "B is behind: B equals the source" same_tree "$B"

# --- what happened while a member was away is nobody's doing ------------------------------------------------------

dock '' "$B"
touch "$SRC/docs/t6.txt"
td_is 0 "touched while A is away: B alone" run
dock "$A" "$B"
td_is 0 "touched while A was away: both" run --json
content "touched while A was away"

dock "$A" ''
echo "seen by A alone" >"$SRC/docs/t7.txt"
td_is 0 "edited while B is away: A alone" run
touch -r "$SRC/docs/t7.txt" "$T/reference"
echo "seen by B alone" >"$SRC/docs/t7.txt"
touch -r "$T/reference" "$SRC/docs/t7.txt"
dock '' "$B"
td_is 0 "edited again, its time kept: B alone" run --json
equal "edited again, its time kept: is told" 'docs/t7.txt - edited-mtime-kept' "$(found noted)"
dock "$A" "$B"
td_is 0 "edited again, its time kept: both" run
undock
check "edited again, its time kept: A equals the source" same_tree "$A"
check "edited again, its time kept: B equals the source" same_tree "$B"

# --- rot while the good copy is away ------------------------------------------------------------------------------

old=$(hash_on "$B" docs/t5.txt)
echo "the version that A alone has" >"$SRC/docs/t5.txt"
good=$(sha256sum <"$SRC/docs/t5.txt" | cut -d' ' -f1)
dock "$A" ''
td_is 0 "rot while A is away: A alone has the new version" run
undock
flip_source docs/t5.txt
dock '' "$B"
td run --json
equal "rot while A is away: exit code" 5 $?
equal "rot while A is away: held" 'docs/t5.txt - source-rot' "$(found held)"
undock
equal "rot while A is away: B keeps what it has" "$old" "$(hash_on "$B" docs/t5.txt)"
dock "$A" "$B"
td_is 5 "rot while A was away: both" run --json
equal "rot while A was away: still held" 'docs/t5.txt - source-rot' "$(found held)"
undock
equal "rot while A was away: A has the good copy" "$good" "$(hash_on "$A" docs/t5.txt)"
equal "rot while A was away: B has it from A" "$good" "$(hash_on "$B" docs/t5.txt)"
mounted "$A" cp -p "$MNT/M/docs/t5.txt" "$SRC/docs/t5.txt"
dock "$A" "$B"
td_is 0 "rot while A was away: the good copy put back" run --json
content "rot while A was away: the good copy put back"
undock
check "at the end A equals the source" same_tree "$A"
check "at the end B equals the source" same_tree "$B"

# --- what a member that stayed away has still -----------------------------------------------------------------------------

setfattr -n user.label -v before "$SRC/docs/t6.txt"
dock "$A" "$B"
td_is 0 "what B has still: both" run
WHEN=$(ledger "SELECT datetime(max(started), 'unixepoch') FROM run")
cp -a "$SRC" "$T/before"
sleep 1.1 # a time names the last run of its second
echo "edited while B was away" >"$SRC/docs/t7.txt"
rm "$SRC/docs/t8.txt"
mv "$(find "$SRC/photos" -type f | sort | head -n 1)" "$SRC/photos/moved by hand"
printf 1234 | dd of="$SRC/big.bin" bs=1 seek=70000 conv=notrunc status=none
setfattr -n user.label -v after "$SRC/docs/t6.txt"
dock "$A" ''
td_is 0 "what B has still: A alone" run
td_is 0 "what B has still: history" history M docs/t7.txt --json
equal "what B has still: where it is" 'whole AB' "$(python3 -c 'import json,sys; print([v["kept"] for v in json.load(open(sys.argv[1]))["versions"] if v["until"]][0])' "$OUT")"
dock '' "$B"
td_is 0 "what B has still: comes back from it" restore M --all --as-of "$WHEN" --to "$T/back" --json
check "what B has still: all of it" "$HERE/tree-compare" equal "$T/before" "$T/back"
td_is 3 "what B has still: what it never had does not" restore M --all --to "$T/back2" --json
equal "what B has still: nor what it had before" no "$([[ -e $T/back2/docs/t7.txt ]] && echo yes || echo no)"
td_is 0 "what B has still: retired is A" retire M A --yes
td_is 0 "what B has still: comes back then, too" restore M --all --as-of "$WHEN" --to "$T/back3" --json
check "what B has still: all of it, then, too" "$HERE/tree-compare" equal "$T/before" "$T/back3"
undock
finish
