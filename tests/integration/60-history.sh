#!/usr/bin/env bash
# What history costs and what it says: differences of large files, the index, room, and the brakes before anything goes.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

LARGE=${LARGE:-6}      # MB; SPACE=1 measures with 100
ROUNDS=${ROUNDS:-2}
[[ ${SPACE:-} ]] && LARGE=100 ROUNDS=10
export MNT=$T/mnt/m

scatter() { python3 - "$1" "$2" "$3" <<'END' # FILE SEED PARTS-IN-A-HUNDRED: change so many of its 4 KiB blocks
import os, random, sys
rng = random.Random(int(sys.argv[2]))
with open(sys.argv[1], "r+b") as f:
    blocks = os.fstat(f.fileno()).st_size // 4096
    for block in rng.sample(range(blocks), max(1, blocks * int(sys.argv[3]) // 100)):
        f.seek(block * 4096)
        f.write(rng.randbytes(4096))
END
}
in_history() { mounted "$1" du -s -B1 "$MNT/.twindock/history" | cut -f1; }
written() { # sectors written to both images' loop devices so far
    local slot n=0
    for slot in "$SLOT1" "$SLOT2"; do n=$((n + $(awk '{ print $7 }' "/sys/block/$(basename "$(readlink "$slot")")/stat"))); done
    echo "$n"
}

claim_slots
configure '' 'max_change = 100%'
small_tree
head -c $((LARGE << 20)) /dev/urandom >"$SRC/disk.img"
new_pair $((LARGE * 8 + 64))M
td_is 0 "first run" run

# --- space --------------------------------------------------------------------------------------------------------------

most=0
for round in $(seq "$ROUNDS"); do
    scatter "$SRC/disk.img" "$round" 1
    before=$(written)
    td_is 0 "1 % of a large file, round $round" run
    bytes=$((($(written) - before) * 512 / 2))
    [[ $bytes -gt $most ]] && most=$bytes
done
undock
grown=$(in_history "$A")
echo "# history takes $grown bytes after $ROUNDS changes of 1 % of $LARGE MB; an update wrote at most $most bytes to a disk"
check "history grows by little: $grown bytes" test "$grown" -le $((LARGE * 150000 * ROUNDS / 10 + 300000))
check "and an update writes about the file: $most bytes" test "$most" -le $(((LARGE << 20) * 13 / 10 + 3000000))
equal "each is a delta" "$ROUNDS" "$(ledger "SELECT count(*) FROM kept WHERE kind = 'delta' AND member = 1")"
dock "$A" "$B"
head -c $((LARGE << 20)) /dev/urandom >"$SRC/disk.img"
configure
before=$(written)
td_is 0 "all of it is new" run --accept-changes
bytes=$((($(written) - before) * 512 / 2))
echo "# an update of everything wrote $bytes bytes to a disk"
check "it wrote $bytes bytes" test "$bytes" -le $(((LARGE << 20) * 13 / 10 + 3000000))
equal "the old one is kept whole" "$ROUNDS" "$(ledger "SELECT count(*) FROM kept WHERE kind = 'delta' AND member = 1")"
matches "who accepted it is on record" 'uid 0.*would change' "$(ledger 'SELECT accepted FROM run ORDER BY id DESC LIMIT 1')"

# --- the index --------------------------------------------------------------------------------------------------------------

printf old >"$SRC/docs/a"$'\n'"b	c\\d"
ln -s nowhere "$SRC/docs/link"
td_is 0 "a hostile name" run
run_before=$(ledger 'SELECT max(id) FROM run')
printf newer >"$SRC/docs/a"$'\n'"b	c\\d"
rm "$SRC/docs/link"
td_is 0 "changed" run
undock
index=$(mounted "$A" sh -c 'cat "$MNT"/.twindock/history/*'"$(printf %d $((run_before + 1)))"'-*.index')
matches "it is in the index, escaped" $'\n\\\\whole\t'"$(printf old | sha256sum | cut -c1-64)"$'\t3\t[0-7]{4}\t0\t0\t[0-9.]+\t-\t[0-9TZ-]+/docs/a\\\\nb\\\\tc\\\\\\\\d\tdocs/a\\\\nb\\\\tc\\\\\\\\d' "$index"
matches "and the link" $'\nwhole\t-\t0\t0777\t.*docs/link' "$index"
equal "every index lists what the ledger has" "$(ledger 'SELECT count(*) FROM kept WHERE member = 1')" "$(mounted "$A" sh -c 'cat "$MNT"/.twindock/history/*.index | grep -vc "^#"')"
dock "$A" "$B"

# --- brakes --------------------------------------------------------------------------------------------------------------------

mv "$SRC" "$T/aside"; mkdir "$SRC"
brake() { # brake NAME REGEX: refused, nothing written, and said why
    undock; local was now; was=$(sums "$A" "$B"); dock "$A" "$B"; no_mails
    td_is 2 "$1: refused" run --json
    matches "$1: it says why" "$2" "$(json reason)"
    matches "$1: and so does the mail" "$2" "$(cat "$MAILS"/* | tr -s '\n ' '  ')"
    undock; now=$(sums "$A" "$B"); dock "$A" "$B"
    equal "$1: nothing was written" "$was" "$now"
}
brake "an empty source" 'is empty'
rmdir "$SRC"; cp -a "$T/aside" "$SRC"
for f in $(find "$SRC/docs" -name 't*.txt' | head -n 8); do rm "$f"; done
brake "15 % deleted" 'would delete 8 of [0-9]+ files'
rm -rf "$SRC"; cp -a "$T/aside" "$SRC"
for f in "$SRC"/docs/t[0-9]*.txt; do echo rewritten >>"$f"; done
brake "most of it rewritten" 'would change 40 of [0-9]+ files'
rm -rf "$SRC"; cp -a "$T/aside" "$SRC"
for f in "$SRC"/photos/2014/*; do head -c 70001 /dev/urandom >"$f.locked"; rm "$f"; done
for i in 1 2 3; do head -c 9000 /dev/urandom >"$SRC/docs/t$i.txt.locked"; rm "$SRC/docs/t$i.txt"; done
brake "encrypted" '1[01] of [0-9]+ files have gone .*looks encrypted'
rm -rf "$SRC"; cp -a "$T/aside" "$SRC"
for f in "$SRC"/docs/t1*.txt; do gzip "$f"; done
td_is 2 "packed files are deleted ones" run --json
matches "and are not called encrypted" 'would delete' "$(json reason)"
rm -rf "$SRC"; cp -a "$T/aside" "$SRC"
mkdir "$SRC/moved"
mv "$SRC"/docs/t1*.txt "$SRC/moved/"
td_is 0 "15 % moved is no deletion" run
for f in "$SRC"/docs/t2*.txt; do rm "$f"; done
td_is 2 "deleted" run
td_is 0 "and accepted" run --accept-changes

# --- room -----------------------------------------------------------------------------------------------------------------------

rm -rf "${SRC:?}"/*
undock
configure '' 'max_delete = 100%
max_change = 100%'
rm -rf "$T/ledger"
head -c 3000000 /dev/urandom >"$SRC/one"
echo keep >"$SRC/two"
new_pair 64M
td_is 0 "a small disk" run
for i in 1 2 3 4 5 6 7 8; do
    head -c $((3000000 + i)) /dev/urandom >"$SRC/one"
    td_is 0 "it fills up: $i" run
done
rm "$SRC/one"
head -c 30000000 /dev/urandom >"$SRC/two"
td_is 0 "a file that has room when older history goes" run --json
check "what was given up is counted" test "$(json given_up)" -ge 1
equal "and the ledger lists no more of it than there is" "$(ledger 'SELECT count(*) FROM kept WHERE member = 1')" "$(undock; mounted "$A" sh -c 'cat "$MNT"/.twindock/history/*.index | grep -vc "^#"')"
dock "$A" "$B"
cp "$SRC/two" "$T/two"
truncate -s 0 "$SRC/two"; head -c 60000000 /dev/urandom >"$SRC/two"
td_is 3 "a file that has no room at all is refused" run --json
equal "by name" two "$(json unreadable 0 path)"
undock
check "the old content is in its place" mounted "$A" cmp "$MNT/M/two" "$T/two"
check "on both" mounted "$B" cmp "$MNT/M/two" "$T/two"
dock "$A" "$B"
td_is 0 "and comes back" restore M two --to "$T/back"
check "whole" cmp "$T/back/two" "$T/two"

# --- the source has another device number ---------------------------------------------------------------------------------

undock
rm -rf "$T/ledger"
truncate -s 64M "$T/array.img" "$T/between.img"
mkfs.ext4 -q "$T/array.img"
mkdir -p "$T/mnt/array"
SRC=$T/mnt/array
configure '' 'max_delete = 100%
max_change = 100%'
remount() { # with another number, as after a reboot
    local before device
    before=$(stat -c %d "$SRC")
    device=$(losetup -nlO NAME -j "$T/array.img")
    umount "$SRC"
    released "$T/array.img" && losetup "$device" "$T/between.img"
    mount_image "$T/array.img" "$SRC"
    losetup -d "$device"
    [[ $(stat -c %d "$SRC") != "$before" ]]
}
mount_image "$T/array.img" "$SRC"
for name in one two; do
    echo $name >"$SRC/$name"
    ln "$SRC/$name" "$SRC/$name.also"
    ln "$SRC/$name" "$SRC/$name.third"
done
new_pair 64M
td_is 0 "hard links" run
WHEN=$(ledger "SELECT datetime(max(started), 'unixepoch') FROM run")
cp -a "$SRC" "$T/linked"
sleep 1.1
check "the source is mounted again, with another number" remount
td_is 0 "a run" run
equal "nothing has changed" 0 "$(ledger 'SELECT count(*) FROM version')"
rm "$SRC/one.also"
ln "$SRC/one" "$SRC/one.other"
td_is 0 "a name goes, another comes" run
check "the source is mounted once more" remount
td_is 0 "a run then" run
equal "nothing has changed but that name" 1 "$(ledger "SELECT count(*) FROM version WHERE CAST(path AS TEXT) LIKE 'one.%' OR CAST(path AS TEXT) LIKE 'two%'")"
rm -rf "$T/back"
td_is 0 "the first of them comes back" restore M --all --as-of "$WHEN" --to "$T/back"
check "its links, too" "$HERE/tree-compare" equal "$T/linked" "$T/back"
# A ledger that has the numbers themselves, as they were before.
ledger "UPDATE file SET dev = 4711; UPDATE version SET dev = 4711"
before=$(ledger 'SELECT count(*) FROM version')
td_is 0 "a run with an older ledger" run
equal "nothing has changed for it" "$before" "$(ledger 'SELECT count(*) FROM version')"
equal "all that is on one filesystem is so in the ledger" 0 "$(ledger 'SELECT count(*) FROM (SELECT dev FROM file UNION ALL SELECT dev FROM version) WHERE dev <> 0')"
umount "$SRC"
finish
