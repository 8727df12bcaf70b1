#!/usr/bin/env bash
# Things that stand where a backup's own should be: a symlink or a file in the place of the collection's directory on a
# disk, and names in the source that a disk's root has for itself.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

export MNT=$T/mnt/m
mkdir -p "$MNT"
on_both() { local image; for image in "$A" "$B"; do on_disk "$image" "$@"; done; }
noted() { python3 -c 'import json, sys; print(";".join(i["path"] + " " + i["cause"] for i in json.load(open(sys.argv[1]))["noted"]))' "$OUT"; }
states() { echo "$(json members A state) $(json members B state)"; }

# --- in the place of the collection -------------------------------------------------------------------------------

claim_slots
configure
small_tree
new_pair
td_is 0 "first run" run
undock
on_disk "$A" sh -c 'mv "$MNT/M" "$MNT/N" && ln -s N "$MNT/M"'
echo new >"$SRC/docs/new"
before=$(mounted "$A" sh -c 'cd "$MNT/N" && find . -printf "%p %y %s %T@ %C@\n" | sort | sha256sum')
dock "$A" "$B"
td_is 4 "a symlink: dry run" run --dry-run --json
matches "a symlink: dry run says so" 'what stands at M on it is no directory' "$(json reason)"
td_is 4 "a symlink: run" run --json
equal "a symlink: states" 'lost ok' "$(states)"
matches "a symlink: the sentence" 'Member A .*was left out: what stands at M on it is no directory\. Member B is complete\. Put the directory back, or move' "$(json reason)"
td_is 4 "a symlink: verify" verify --json
matches "a symlink: verify names it" 'Member A could not be read: .*M on it is no directory, but a symlink' "$(json reason)"
equal "a symlink: verify reads the other" 'lost ok' "$(states)"
undock
check "a symlink: B equals the source" same_tree "$B"
equal "a symlink: A is as it was" "$before" "$(mounted "$A" sh -c 'cd "$MNT/N" && find . -printf "%p %y %s %T@ %C@\n" | sort | sha256sum')"
check "a symlink: it is still there" mounted "$A" test -L "$MNT/M"
on_disk "$A" sh -c 'rm "$MNT/M" && mv "$MNT/N" "$MNT/M"'
dock "$A" "$B"
td_is 0 "the directory is back: run" run --json
equal "the directory is back: what was missed is copied" '1 []' "$(json copied) $(json repaired)"
undock
check "the directory is back: A equals the source" same_tree "$A"

# An inode that has rotted: nothing has noted it in the superblock, as nothing was written.
debugfs -w -R 'sif /M checksum 0x1234' "$B" 2>/dev/null
echo newer >"$SRC/docs/newer"
dock "$A" "$B"
td_is 4 "a damaged directory: run" run --json
equal "a damaged directory: states" 'ok lost' "$(states)"
matches "a damaged directory: the sentence" 'Member B .*cannot open the directory M: .*; repair its filesystem with .e2fsck -f /dev/' "$(json reason)"
td_is 4 "a damaged directory: verify" verify --json
equal "a damaged directory: verify reads the other" 'lost' "$(json members B state)"
undock
check "a damaged directory: A equals the source" same_tree "$A"
e2fsck -fy "$B" >/dev/null 2>&1
dock "$A" "$B"
td_is 0 "a damaged directory that was repaired: run" run
undock
check "a damaged directory that was repaired: B equals the source" same_tree "$B"

on_both sh -c 'rm -r "$MNT/M" && echo mine >"$MNT/M"'
dock "$A" "$B"
td_is 4 "files on both: run" run --json
equal "files on both: states" 'lost lost' "$(states)"
undock
check "files on both: they are left alone" mounted "$B" grep -q mine "$MNT/M"
on_both rm "$MNT/M"
dock "$A" "$B"
td run --json # what was proven is gone: the exit code tells of it
undock
check "the files are gone: A equals the source" same_tree "$A"
check "the files are gone: B equals the source" same_tree "$B"

configure '' 'target = in/here
max_change = 100%'
dock "$A" "$B"
td_is 0 "a target further down: dry run" run --dry-run
td_is 0 "a target further down: run" run --json
equal "a target further down: told, and nothing is missed" ' left-out; left-out []' "$(noted) $(json repaired)"
matches "a target further down: what was before" 'backed up to M before' "$(json noted 0 detail)"
td_is 0 "a target further down: another run" run --json
equal "a target further down: told once" '' "$(noted)"
undock
on_disk "$B" sh -c 'mv "$MNT/in" "$MNT/elsewhere" && ln -s elsewhere "$MNT/in"'
dock "$A" "$B"
td_is 4 "a symlink above the target: run" run --json
equal "a symlink above the target: states" 'ok lost' "$(states)"
matches "a symlink above the target: the sentence" 'Member B .*what stands at in/here on it is no directory' "$(json reason)"
undock
check "a symlink above the target: A equals the source" same_tree "$A" in/here
on_disk "$B" sh -c 'rm "$MNT/in" && mv "$MNT/elsewhere" "$MNT/in"'

on_both sh -c 'mv "$MNT/in/here" "$MNT/renamed"'
configure '' 'target = renamed'
dock "$A" "$B"
td_is 0 "a target that was renamed on both disks: run" run --json
equal "a target that was renamed on both disks: nothing is copied" '0 []' "$(json copied) $(json repaired)"
td_is 0 "a target that was renamed on both disks: another run" run --json
equal "a target that was renamed on both disks: no word of it" '' "$(noted)"
configure '' 'target = .
max_delete = 100%
max_change = 100%'
td_is 0 "to the root: run" run --json
equal "to the root: told, and nothing is missed" ' left-out; left-out []' "$(noted) $(json repaired)"
configure '' 'target = M
max_delete = 100%
max_change = 100%'
td_is 0 "from the root: run" run --json
matches "from the root: told" 'backed up to the root of the disk before' "$(json noted 0 detail)"
equal "from the root: nothing is missed" '[]' "$(json repaired)"
undock
check "from the root: the manifest holds" manifest_holds "$A"

# --- names that the root of a disk has for itself -----------------------------------------------------------------

configure '' 'target = .
max_change = 100%
max_delete = 100%'
rm -rf "$T/ledger"; new_pair
mkdir "$SRC/lost+found" "$SRC/docs/lost+found"
echo rescued >"$SRC/docs/lost+found/f"
td_is 0 "at the root: an empty one" run --json
equal "at the root: an empty one needs no word" '' "$(noted)"
echo rescued >"$SRC/lost+found/#12"
mkdir "$SRC/.twindock"
echo mine >"$SRC/.twindock/card.json"
td_is 0 "at the root: run" run --json
equal "at the root: told" '.twindock left-out;lost+found left-out' "$(noted)"
td_is 0 "at the root: in words" run
check "at the root: in words, it says why" grep -q 'M/lost+found: is left out: the disks have one of their own' "$OUT"
td_is 0 "at the root: dry run" run --dry-run
undock
check "at the root: further down there is no such thing" mounted "$A" test -s "$MNT/docs/lost+found/f"
check "at the root: the card is the disk's own" mounted "$A" grep -q '"token"' "$MNT/.twindock/card.json"
dock "$A" "$B"
configure '' 'target = .
exclude = /lost+found
exclude = /.twindock'
td_is 0 "at the root: excluded" run --json
equal "at the root: what is excluded needs no word" '' "$(noted)"
configure '' 'max_change = 100%
max_delete = 100%'
rm -rf "$T/ledger"; new_pair
td_is 0 "in a directory: run" run --json
equal "in a directory: all is taken" '' "$(noted)"
undock
check "in a directory: A equals the source" same_tree "$A"

mkdir "$T/copy"
"$TWINDOCK" sync "$SRC" "$T/copy" --json >"$OUT" 2>"$ERR"
equal "sync: exit code" 0 $?
equal "sync: told" 'lost+found left-out' "$(noted)"
check "sync: the rest is there" test -s "$T/copy/.twindock/card.json"
finish
