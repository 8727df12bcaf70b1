#!/usr/bin/env bash
# Disks that hold the files at their root already (target = .): they are taken up as they are. Nothing that is equal is
# written again, as counted at the device; what differs is, and nothing else at the root is touched.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

UUID=0cfdeff4-6502-6510-8086-145408f4e658
claim_slots
configure '' 'target = .'
small_tree
head -c 24000000 /dev/urandom >"$SRC/film.mkv"
mkdir "$SRC/links" && ln "$SRC/big.bin" "$SRC/links/again" && ln -s ../docs "$SRC/links/docs"
read -r FILES BYTES < <(find "$SRC" -type f -printf '%i %s\n' | sort -u | awk '{ bytes += $2 } END { print NR, bytes }')

fill() { # an ext4 made by hand that holds the files at its root
    new_disk "$1" 96M
    mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 -U "$UUID" "$1"
    mkdir -p "$T/mnt/hand"
    mount_image "$1" "$T/mnt/hand"
    cp -a "$SRC/." "$T/mnt/hand"
    umount "$T/mnt/hand"; released "$1"
}
# Bytes written to the disk in a slot since it was put in.
written() { awk '{ printf "%.0f\n", $7 * 512 }' "/sys/block/$(basename "$(readlink "$1")")/stat"; }
stamp() { mounted "$1" stamp_to "$2"; } # stamp IMAGE FILE: inode by inode, without what is not the collection's, and the root, which is both's
stamp_to() { "$HERE/tree-compare" stamp "$MNT" | grep -av "twindock\|lost+found\|^b'' " >"$1"; }
compare_root() { rsync -aHAXSc --numeric-ids --delete -n -i --exclude=/lost+found --exclude=/.twindock "$SRC/" "$MNT/" 2>&1; }

fill "$A"; fill "$B"
stamp "$A" "$T/a.1"; stamp "$B" "$T/b.1"
check "the stamps say something" [ "$(wc -l <"$T/a.1")" -gt 50 ]
dock "$A" "$B"
before1=$(written "$SLOT1") before2=$(written "$SLOT2")
td_is 0 "enroll" enroll M --json
td_is 0 "the plan" run --dry-run
matches "is empty" 'nothing to copy, move or delete' "$(cat "$OUT")"
td_is 0 "the first run" run --json
equal "it copies, renames, deletes and updates nothing" '0 0 0 0' "$(json copied) $(json renamed) $(json deleted) $(json updated)"
equal "it proves every copy" "$((FILES * 2)) $((BYTES * 2))" "$(json proven) $(json proven_bytes)"
one=$(($(written "$SLOT1") - before1)) two=$(($(written "$SLOT2") - before2))
undock
echo "# $BYTES bytes of files; written to A: $one, to B: $two"
check "what was written to A is a small part of what it holds" [ "$one" -gt 0 -a "$one" -lt $((BYTES / 10)) ]
check "what was written to B is a small part of what it holds" [ "$two" -gt 0 -a "$two" -lt $((BYTES / 10)) ]
stamp "$A" "$T/a.2"; stamp "$B" "$T/b.2"
check "the files on A are untouched, inode by inode" diff "$T/a.1" "$T/a.2"
check "the files on B are untouched, inode by inode" diff "$T/b.1" "$T/b.2"
check "the manifest of A holds" manifest_holds "$A"
check "the manifest of B holds" manifest_holds "$B"
equal "nothing of ours lies at the root but .twindock" '.twindock' "$(mounted "$A" sh -c 'cd "$0" && ls -A' "$T/mnt/m" | grep -Fxv -f <(ls -A "$SRC") | grep -v '^lost+found$')"

# A file more, one less: only that is written.
head -c 500000 /dev/urandom >"$SRC/more.bin"; rm "$SRC/docs/t7.txt"
dock "$A" "$B"
before1=$(written "$SLOT1")
td_is 0 "the next run" run --json
equal "it copies one and deletes one" '1 1' "$(json copied) $(json deleted)"
one=$(($(written "$SLOT1") - before1))
undock
check "and writes little more than that" [ "$one" -ge 500000 -a "$one" -lt $((500000 + BYTES / 10)) ]
equal "A is the source" '' "$(mounted "$A" compare_root)"
equal "B is the source" '' "$(mounted "$B" compare_root)"
finish
