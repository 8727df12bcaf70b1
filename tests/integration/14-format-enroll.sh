#!/usr/bin/env bash
# Making a pair: format takes empty disks and asks; what is not empty is left alone without --erase, what is enrolled always.
# enroll takes two filesystems of one UUID as they are, with what is on them, and begins a lost ledger anew.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

X=$T/x.img Y=$T/y.img

# refuses NAME REGEX SOURCE-IMAGE DESTINATION-IMAGE COMMAND [ARG...]: exit 2, the sentence, and not a bit changed.
refuses() {
    local name=$1 regex=$2 one=$3 two=$4 before enrolled; shift 4
    before=$(sums "$one" "$two") enrolled=$(pairs)
    dock "$one" "$two"
    td_is 2 "$name: exit 2" "$@" </dev/null
    matches "$name: the sentence" "$regex" "$(cat "$OUT" "$ERR")"
    undock
    equal "$name: no disk is changed" "$before" "$(sums "$one" "$two")"
    equal "$name: nothing is enrolled by it" "$enrolled" "$(pairs)"
}
pairs() { [[ -e $T/ledger/twindock.db ]] && ledger 'SELECT count(*) FROM pair' || echo 0; }
uuid_of() { dumpe2fs -h "$1" 2>/dev/null | awk '/^Filesystem UUID:/ { print $3 }'; }
features_of() { dumpe2fs -h "$1" 2>/dev/null | sed -n 's/^Filesystem features: *//p'; }
card() { debugfs -R 'cat /.twindock/card.json' "$1" 2>/dev/null; }
card_of() { card "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$2"; }
lose_ledger() { rm -rf "$T/ledger"; }

claim_slots
configure
small_tree
read -r FILES BYTES < <(find "$SRC" -type f -printf '%s\n' | awk '{ bytes += $1 } END { print NR, bytes }')

# --- format -------------------------------------------------------------------------------------------------------

td_is 2 "format of an empty dock is refused" format M --yes
matches "it says to put disks in" 'disk into each slot' "$(cat "$ERR")"
new_disk "$A" 32M; new_disk "$B" 32M
new_disk "$X" 32M; new_disk "$Y" 32M
dock "$A" ''
td_is 2 "format of one disk alone is refused" format M --yes
undock

for answer in '' no m M.; do
    before=$(sums "$A" "$B")
    dock "$A" "$B"
    printf '%s\n' "$answer" | "$TWINDOCK" format M -c "$CONF" >"$OUT" 2>"$ERR"
    equal "answer '$answer': exit 2" 2 $?
    matches "answer '$answer': it was asked, with both disks shown" "lost:.*source slot: .*32M.*destination slot: .*32M.*Type M" "$(cat "$ERR")"
    matches "answer '$answer': it says that nothing was written" 'nothing was written' "$(cat "$ERR")"
    undock
    equal "answer '$answer': nothing was written" "$before 0" "$(sums "$A" "$B") $(pairs)"
done

mkfs.ext4 -q "$X"
refuses "an ext4 in the destination slot" 'destination slot holds an ext4 disk.*--erase' "$A" "$X" format M --yes
refuses "an ext4 in the source slot" 'source slot holds an ext4 disk.*--erase' "$X" "$A" format M --yes
printf 'label: gpt\n,,\n' | sfdisk -q "$Y"
refuses "a partition table" 'destination slot holds .*partitioned disk.*--erase' "$A" "$Y" format M --yes
printf 'label: dos\n' | sfdisk -q -w always -W always "$Y"
refuses "an empty partition table" 'destination slot holds .*partitioned disk.*--erase' "$A" "$Y" format M --yes
new_disk "$Y" 32M
mkswap -q "$Y" 2>/dev/null
refuses "swap space" 'destination slot holds .*swap.*--erase' "$A" "$Y" format M --yes
refuses "not empty, and not even asked" '--erase' "$X" "$Y" format M

# What libblkid does not know is no empty disk.
new_disk "$Y" 32M
mkfs.ext4 -q -b 1024 "$Y"
dd if=/dev/zero of="$Y" bs=1M count=1 conv=notrunc status=none
refuses "an ext4 that has lost its first MiB" 'a disk without a known filesystem but with data on it.*--erase' "$A" "$Y" format M --yes
dock "$A" "$Y"
td check
check "check does not speak of it as if it could be formatted" sh -c "! tr -s ' \n' ' ' <'$OUT' | grep -q 'make these two a pair'"
undock
new_disk "$Y" 32M
printf 'label: gpt\n,10M\n' | sfdisk -q "$Y"
dd if=/dev/zero of="$Y" bs=512 count=34 conv=notrunc status=none
refuses "the second table of a GPT alone" 'with data on it.*--erase' "$A" "$Y" format M --yes
openssl enc -aes-128-ctr -K 0 -iv 0 </dev/zero 2>/dev/null | head -c 32M >"$Y"
refuses "what looks random" 'with data on it.*--erase' "$A" "$Y" format M --yes
new_disk "$Y" 32M
head -c 8M "$SRC/big.bin" | dd of="$Y" bs=1M seek=20 conv=notrunc status=none
refuses "files in the middle alone" 'with data on it.*--erase' "$A" "$Y" format M --yes
head -c 32M /dev/zero | tr '\0' '\377' >"$Y"
cp "$Y" "$X"
dock "$X" "$Y"
td_is 0 "disks full of ones are empty" format M --yes
undock
lose_ledger
new_disk "$X" 32M; mkfs.ext4 -q "$X"

new_disk "$Y" 4M
refuses "a disk too small for a journal" 'destination slot holds .*too small.* 8 MiB' "$A" "$Y" format M --yes
put "$SLOT1" "$A"; ln -s "$(readlink "$SLOT1")" "$SLOT2"
td_is 2 "two slots that lead to one device are refused" format M --yes
matches "it says so" 'Both slots of dock test lead to one disk' "$(cat "$ERR")"
rm "$SLOT2"; undock
new_disk "$Y" 32M
dock "$Y" "$Y" # as some bridges do
td_is 6 "one disk that is shown as two makes no pair" format M --yes
matches "it says so, too" 'Both slots of dock test lead to one disk' "$(cat "$ERR")"
undock
equal "none is enrolled" 0 "$(pairs)"
check "the disk is whole, and A's in the making" sh -c "e2fsck -fn '$Y' && [ \"\$(e2label '$Y')\" = M-A ]"
dock "$Y" "$Y"
td_is 6 "nor by enroll" enroll M
matches "that says so" 'Both slots of dock test lead to one disk' "$(cat "$ERR")"
undock
equal "nothing is enrolled" 0 "$(pairs)"
check "the disk is whole, and has no card" sh -c "e2fsck -fn '$Y' && ! debugfs -R 'stat /.twindock/card.json' '$Y' 2>/dev/null | grep -q Inode:"
lose_ledger
mkswap -q "$Y" 2>/dev/null

# Slots given as partitions' nodes mean these alone, whatever lies beside them.
partitioned() { # partitioned NAME IMAGE: the device of a disk with two partitions, their nodes NAME1 and NAME2
    local device part
    device=$(losetup -f --show "$2") || return 1
    partx -u "$device"
    for part in 1 2; do
        IFS=: read -r major minor <"/sys/block/${device#/dev/}/${device#/dev/}p$part/dev" || return 1
        mknod "$1$part" b "$major" "$minor"
    done
    echo "$device"
}
for image in "$X" "$Y"; do new_disk "$image" 64M; printf 'label: gpt\n,24M\n,24M\n' | sfdisk -q "$image"; done
one=$(partitioned "$T/x" "$X") two=$(partitioned "$T/y" "$Y")
mkfs.ext4 -q -L holiday "$T/x2"; seq 100000 | dd of="$T/y2" conv=notrunc status=none
beside=$(cksum <"$T/x2"; cksum <"$T/y2")
ln -s "$T/x1" "$SLOT1"; ln -s "$T/y1" "$SLOT2"
td_is 0 "partitions are formatted" format M --yes
equal "their labels" 'M-A M-B' "$(e2label "$T/x1") $(e2label "$T/y1")"
td_is 0 "a run writes to them" run
td_is 0 "retire one" retire M B --yes
wipefs -qa "$T/y1"
td_is 2 "a wiped one is not empty" enroll M --replace B --yes
matches "it says so" "partition without a known filesystem but with data on it.*--erase" "$(cat "$ERR")"
td_is 0 "another one takes its place" enroll M --replace B --yes --erase
td_is 0 "it is filled" run
blockdev --flushbufs "$one"; blockdev --flushbufs "$two"
equal "what lies beside them is untouched" "$beside" "$(cksum <"$T/x2"; cksum <"$T/y2")"
check "the tables are whole" sh -c "sfdisk -V '$X' && sfdisk -V '$Y'"
rm "$SLOT1" "$SLOT2"
forget_partitions "$one"; forget_partitions "$two"
losetup -d "$one" "$two"
lose_ledger
new_disk "$X" 32M; new_disk "$Y" 32M
mkfs.ext4 -q "$X"; mkswap -q "$Y" 2>/dev/null

dock "$X" "$Y"
mkdir -p "$T/mnt/held"
mount "$SLOT1" "$T/mnt/held"
td_is 2 "a mounted disk is refused even with --erase" format M --yes --erase
matches "it says that it is in use" 'source slot is in use' "$(cat "$ERR")"
umount "$T/mnt/held"
td_is 0 "--erase takes both" format M --yes --erase
undock
check "--erase left no old mark on the disk" sh -c "[ \"\$(wipefs -n '$Y' | tail -n +2 | wc -l)\" = 1 ] && wipefs -n '$Y' | grep -q ext4"
lose_ledger

dock "$A" "$B"
printf 'M\n' | "$TWINDOCK" format M -c "$CONF" >"$OUT" 2>"$ERR"
equal "the name typed: exit 0" 0 $?
matches "it says which disk is which" 'member A: the disk in the source slot.*member B: the disk in the destination slot' "$(cat "$OUT")"
undock
equal "labels" 'M-A M-B' "$(e2label "$A") $(e2label "$B")"
equal "one UUID" "$(uuid_of "$A")" "$(uuid_of "$B")"
equal "and the ledger knows it" "$(uuid_of "$A")" "$(ledger 'SELECT uuid FROM pair')"
equal "the cards' letters" 'A B' "$(card_of "$A" member) $(card_of "$B" member)"
check "the cards' tokens differ" [ "$(card_of "$A" token)" != "$(card_of "$B" token)" ]
matches "checksummed metadata" 'metadata_csum' "$(features_of "$A")"
matches "big inodes, for times to the nanosecond" '256' "$(dumpe2fs -h "$A" 2>/dev/null | awk '/^Inode size:/ { print $3 }')"
check "A is sound" e2fsck -fn "$A"
check "B is sound" e2fsck -fn "$B"

for erase in '' --erase; do
    # shellcheck disable=SC2086
    refuses "enrolled disks${erase:+ with $erase}" 'enrolled' "$A" "$B" format M --yes $erase
done
cat >>"$CONF" <<EOF
[collection N]
source = $SRC
EOF
new_disk "$X" 32M
refuses "enrolled disks as another collection" 'source slot holds member A of M.*enrolled' "$A" "$B" format N --yes --erase
refuses "an enrolled disk beside an empty one" 'destination slot holds member B of M.*enrolled' "$X" "$B" format N --yes --erase
refuses "swapped enrolled disks" 'enrolled' "$B" "$A" format N --yes --erase
new_disk "$Y" 32M
refuses "a second pair for one collection" 'M has an enrolled pair' "$X" "$Y" format M --yes
cp --sparse=always "$A" "$Y"
debugfs -w -R 'rm /.twindock/card.json' "$Y" 2>/dev/null >/dev/null
refuses "a disk with an enrolled UUID and no card" 'enrolled' "$X" "$Y" format N --yes --erase

refuses "enrolled disks taken up as another collection" 'enrolled as the pair of M.*twindock retire M' "$A" "$B" enroll N
refuses "swapped disks taken up again" 'Swap the two disks' "$B" "$A" enroll M
mkfs.ext4 -q "$X"
refuses "a member and a stranger" 'destination slot belongs to no enrolled pair.*put in member B of M' "$A" "$X" enroll M
new_disk "$Y" 32M
mkfs.ext4 -q -I 256 -U "$(uuid_of "$X")" "$Y"
refuses "another pair for a collection that has one" 'M has an enrolled pair already.*twindock retire M' "$X" "$Y" enroll M
dock "$X" "$Y"
mount "$SLOT2" "$T/mnt/held"
td_is 2 "a mounted disk is not taken up" enroll N
matches "it says that it is mounted, not to check it" 'destination slot is in use' "$(cat "$ERR")"
umount "$T/mnt/held"
undock

# A ledger that is lost must not make the disks fair game.
dock "$A" "$B"
td_is 0 "a first backup" run --json
undock
lose_ledger
refuses "members of a lost ledger, without --erase" 'not empty' "$A" "$B" format M --yes

# --- a lost ledger ------------------------------------------------------------------------------------------------

generation=$(card_of "$A" generation) token=$(card_of "$A" token) last_run=$(card_of "$A" last_run)
dock "$A" "$B"
td_is 2 "without the ledger the disks are strangers" check --json
equal "strangers" foreign-disk "$(json docks 0 verdict)"
dock "$B" "$A"
td_is 2 "enroll of the two in each other's slots is refused" enroll M
matches "it says why" 'A \(source slot\) and B' "$(cat "$ERR")"
dock "$A" "$B"
td_is 2 "enroll as another collection is refused" enroll N
td_is 0 "enroll after the ledger was lost" enroll M
undock
equal "the runs go on after the last of the lost ledger" "$((last_run + 1)) enroll" "$(ledger "SELECT max(id) || ' ' || command FROM run")"
equal "the cards are kept" "$generation $token" "$(card_of "$A" generation) $(card_of "$A" token)"
dock "$A" "$B"
td_is 0 "check" check --json
td_is 0 "run" run --json
equal "it copies nothing and finds nothing wrong" '0 0 0 [] []' "$(json copied) $(json deleted) $(json renamed) $(json held) $(json repaired)"
equal "and proves every copy" "$((FILES * 2)) $((BYTES * 2))" "$(json proven) $(json proven_bytes)"
td_is 0 "enroll twice" enroll M
matches "it says that they are enrolled" 'enrolled already' "$(cat "$OUT")"
td_is 0 "enroll twice, as JSON" enroll M --json
equal "one object" 'done' "$(json result)"
undock
check "A is the source" same_tree "$A"
check "B is the source" same_tree "$B"

# --- disks that somebody else filled ------------------------------------------------------------------------------

lose_ledger
cp -a "$CONF" "$CONF.two"
sed -i '/^\[collection N\]/,$d' "$CONF"
fill() { # fill IMAGE [MKFS-OPTION...]: an ext4 made by hand that holds the files
    local image=$1; shift
    new_disk "$image" 32M
    mkfs.ext4 -q -b 4096 "$@" "$image"
    mkdir -p "$T/mnt/hand"
    mount_image "$image" "$T/mnt/hand"
    cp -a "$SRC" "$T/mnt/hand/M"
    umount "$T/mnt/hand"
}
UUID=0cfdeff4-6502-6510-8086-145408f4e658
fill "$A" -U "$UUID"
fill "$B"
refuses "different UUIDs" 'different UUIDs' "$A" "$B" enroll M
new_disk "$Y" 32M
refuses "an empty disk" 'destination slot .*holds no ext4' "$A" "$Y" enroll M
fill "$Y" -U "$UUID" -O mmp
refuses "a feature that twindock refuses" 'destination slot .*cannot be enrolled: .*mmp' "$A" "$Y" enroll M
fill "$Y" -U "$UUID"
debugfs -w -R 'ssv state 2' "$Y" 2>/dev/null
refuses "recorded errors" 'destination slot .*cannot be enrolled: .*errors' "$A" "$Y" enroll M
fill "$B" -U "$UUID"
stamp() { mounted "$1" stamp_to "$2"; } # stamp IMAGE FILE
stamp_to() { "$HERE/tree-compare" stamp "$MNT/M" >"$1"; }
stamp "$A" "$T/a.1"; stamp "$B" "$T/b.1"
dock "$A" "$B"
td_is 0 "enroll of two filesystems of one UUID" enroll M --json
equal "its pair" "$UUID" "$(json pair)"
td_is 0 "check of them" check --json
td_is 0 "the plan for them" run --dry-run
matches "the plan is empty" 'nothing to copy, move or delete' "$(cat "$OUT")"
td_is 0 "the first run" run --json
equal "it copies, renames, deletes and updates nothing" '0 0 0 0' "$(json copied) $(json renamed) $(json deleted) $(json updated)"
equal "it proves every copy" "$((FILES * 2)) $((BYTES * 2))" "$(json proven) $(json proven_bytes)"
equal "and finds nothing wrong" '[] [] []' "$(json held) $(json repaired) $(json noted)"
undock
stamp "$A" "$T/a.2"; stamp "$B" "$T/b.2"
check "the files on A are untouched, inode by inode" diff "$T/a.1" "$T/a.2"
check "the files on B are untouched, inode by inode" diff "$T/b.1" "$T/b.2"
check "the manifest of A holds" manifest_holds "$A"
check "the manifest of B holds" manifest_holds "$B"

# Bytes that were wrong before anybody knew: there is no ledger to tell who is right; the source wins, and it is said.
lose_ledger
fill "$A" -U "$UUID"; fill "$B" -U "$UUID"
check "a bit is flipped on B before it is enrolled" flip "$B" M/big.bin 5000
dock "$A" "$B"
td_is 0 "enroll of them" enroll M
td run --json
matches "it is told" 'big.bin' "$(json noted) $(json repaired)"
undock
check "A is the source" same_tree "$A"
check "B is the source" same_tree "$B"

# --- an enrolling that was cut short -------------------------------------------------------------------------------

# A write-protected disk: refused, and neither disk is touched. (A card on one alone would be in the way for ever.)
lose_ledger
for protected in source destination; do
    fill "$A" -U "$UUID"; fill "$B" -U "$UUID"
    before=$(sums "$A" "$B")
    ln -sfn "$(losetup $([[ $protected = source ]] && echo -r) -f --show "$A")" "$SLOT1"
    ln -sfn "$(losetup $([[ $protected = destination ]] && echo -r) -f --show "$B")" "$SLOT2"
    td_is 2 "enroll with a write-protected disk in the $protected slot is refused" enroll M
    matches "write-protected $protected: the sentence" "$protected slot .*write-protected.*Nothing was written" "$(cat "$ERR")"
    undock
    equal "write-protected $protected: nothing was written" "$before 0" "$(sums "$A" "$B") $(pairs)"
done

# Killed between the two cards: one disk has a card that no ledger knows. Enrolling again gives it its other half.
drop_card() { debugfs -w -R 'rm /.twindock/card.json' "$1" >/dev/null 2>&1; }
for lone in A B; do
    lose_ledger
    fill "$A" -U "$UUID"; fill "$B" -U "$UUID"
    dock "$A" "$B"
    td enroll M
    undock
    lose_ledger
    if [[ $lone = A ]]; then kept=$A dropped=$B; else kept=$B dropped=$A; fi
    drop_card "$dropped"
    token=$(card_of "$kept" token)
    refuses "the lone card of $lone in the other one's slot" 'do not belong together' "$B" "$A" enroll M
    dock "$A" "$B"
    td_is 0 "enroll after $lone alone got its card" enroll M
    undock
    equal "lone $lone: its card is kept" "$token" "$(card_of "$kept" token)"
    equal "lone $lone: the letters" 'A B' "$(card_of "$A" member) $(card_of "$B" member)"
    check "lone $lone: the tokens differ" [ "$(card_of "$A" token)" != "$(card_of "$B" token)" ]
    dock "$A" "$B"
    td_is 0 "lone $lone: the first run" run
    undock
done
# A member that was written to, beside a disk without a card, stays a case for a person.
lose_ledger
drop_card "$A"
refuses "a lone card that a run has used" 'do not belong together' "$A" "$B" enroll M

# --- a lost ledger must not end in two empty disks ---------------------------------------------------------------
rm -rf "$T/ledger"
new_pair 64M
undock
before=$(sums "$A" "$B")
rm -rf "$T/ledger"
dock "$A" "$B"
td_is 2 "the ledger is lost: format --erase of a backup is refused" format M --yes --erase
matches "the ledger is lost: the sentence names the member and enroll" 'member A of M.*twindock enroll M' "$(cat "$ERR")"
undock
equal "the ledger is lost: nothing was written" "$before" "$(sums "$A" "$B")"
dock "$A" "$B"
td_is 0 "the ledger is lost: enroll takes the pair in" enroll M

finish
