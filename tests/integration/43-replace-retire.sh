#!/usr/bin/env bash
# A member dies: a new disk takes its place, is filled from the source and proven by the next run, and the disk that
# stays is not touched by it. Pairs and members are forgotten on request, and the ledger keeps its history.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

N=$T/n.img X=$T/x.img

card_of() { debugfs -R 'cat /.twindock/card.json' "$1" 2>/dev/null | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$2"; }
uuid_of() { dumpe2fs -h "$1" 2>/dev/null | awk '/^Filesystem UUID:/ { print $3 }'; }
copy() { cp --sparse=always "$1" "$2"; }
members() { ledger "SELECT count(*) || ' ' || sum(retired IS NULL) FROM member"; } # all, enrolled
# refuses NAME REGEX SOURCE-IMAGE DESTINATION-IMAGE COMMAND [ARG...]: exit 2, the sentence, no bit changed, nothing entered.
refuses() {
    local name=$1 regex=$2 one=$3 two=$4 before entered images=(); shift 4
    [[ $one ]] && images+=("$one"); [[ $two ]] && images+=("$two")
    before=$(sums "${images[@]}") entered="$(members) $(ledger 'SELECT count(*) FROM run')"
    dock "$one" "$two"
    td_is 2 "$name: exit 2" "$@" </dev/null
    matches "$name: the sentence" "$regex" "$(cat "$OUT" "$ERR")"
    undock
    equal "$name: no disk is changed" "$before" "$(sums "${images[@]}")"
    equal "$name: nothing is entered" "$entered" "$(members) $(ledger 'SELECT count(*) FROM run')"
}

claim_slots
configure
small_tree
FILES=$(find "$SRC" -type f | wc -l)
new_pair 32M
td_is 0 "a first backup" run
undock
UUID=$(uuid_of "$A")
OLD=$(card_of "$B" token)
copy "$B" "$T/b.old"
new_disk "$N" 32M; new_disk "$X" 32M

# --- what is refused ----------------------------------------------------------------------------------------------

dock "$A" "$B"
td_is 64 "--replace takes a letter" enroll M --replace C
td_is 64 "--layout does not go with --replace" enroll M --replace B --layout mirrored --yes
check "--layout does not go with --replace: it is said why" grep -q "keeps the pair's layout" "$ERR"
td_is 64 "--erase goes with --replace only" enroll M --erase
td_is 64 "an unknown collection" enroll Q --replace B
undock
refuses "both members are there" 'Member B of M is in the destination slot.*nothing to replace' "$A" "$B" enroll M --replace B --yes
refuses "the other one is there" 'Member A of M is in the source slot.*nothing to replace' "$A" "$N" enroll M --replace A --yes
refuses "the one that stays is not there" 'Neither disk is member A of M.*source slot holds a disk without' "$N" "$X" enroll M --replace B --yes
refuses "two strangers" 'Neither disk is member A of M' "$N" "$X" enroll M --replace B --yes
refuses "the one that stays in the wrong slot" 'Member A of M is in the destination slot\. Move it to the source slot' "$N" "$A" enroll M --replace B --yes
refuses "alone" 'one disk into each slot' "$A" '' enroll M --replace B --yes
mkfs.ext4 -q -L holiday "$N"
refuses "a new disk that is not empty" 'destination slot holds an ext4 disk.*holiday.*--erase' "$A" "$N" enroll M --replace B --yes
new_disk "$N" 32M
refuses "not confirmed" 'Everything on this disk will be lost.*destination slot.*It becomes member B of M.*not written to.*source slot: .*member A of M.*Not confirmed' "$A" "$N" enroll M --replace B
copy "$A" "$X"
refuses "a clone of the one that stays" 'Both disks say that they are member A' "$A" "$X" enroll M --replace B --yes --erase
copy "$T/b.old" "$X"
check "a pair of another machine" sh -c "e2fsck -fy '$X' && tune2fs -U 01234567-89ab-cdef-0123-456789abcdef '$X'"
refuses "a backup of somebody else's" 'holds member B of M, a backup made by twindock.*wipefs' "$A" "$X" enroll M --replace B --yes --erase
new_disk "$X" 5M
refuses "a disk that is too small" 'destination slot is too small: M needs .*5.0M' "$A" "$X" enroll M --replace B --yes
copy "$A" "$X"
debugfs -w -R 'ssv state 2' "$X" 2>/dev/null
refuses "the one that stays is damaged" 'Member A of M in the source slot is the last one.*errors are recorded' "$X" "$N" enroll M --replace B --yes
dock "$A" "$N"
td check
matches "check says how a new disk takes the place" 'twindock enroll M --replace B' "$(tr -s ' \n' ' ' <"$OUT")"
undock

# --- member B is replaced -----------------------------------------------------------------------------------------

before=$(sums "$A")
mkfs.ext4 -q -L holiday "$N"
dock "$A" "$N"
printf 'M\n' | "$TWINDOCK" enroll M --replace B --erase -c "$CONF" >"$OUT" 2>"$ERR"
equal "the name typed: exit 0" 0 $?
matches "it says what is next" 'destination slot.* is member B of M now, and still empty.*twindock run' "$(cat "$OUT")"
undock
equal "the one that stays is not touched" "$before" "$(sums "$A")"
equal "the new one is a member: UUID, label" "$UUID M-B" "$(uuid_of "$N") $(e2label "$N")"
equal "its card" "$UUID M B 0 0" "$(for key in pair collection member generation last_run; do card_of "$N" $key; done | tr '\n' ' ' | sed 's/ $//')"
check "its token is new" [ "$(card_of "$N" token)" != "$OLD" ]
check "it is sound" e2fsck -fn "$N"
equal "the old identity is retired" '3 2' "$(members)"
equal "and stays in the ledger" "$OLD" "$(ledger 'SELECT token FROM member WHERE retired IS NOT NULL')"
equal "nothing is proven on it" 0 "$(ledger 'SELECT count(*) FROM file WHERE b_proven > 0')"
equal "what is proven on the other stays" "$FILES" "$(ledger 'SELECT count(*) FROM file WHERE a_proven > 0')"
td info --json
equal "--info flags the pair" '?' "$(json collections 0 flag)"
matches "and says why" 'member B is new and has no backup yet' "$(json collections 0 reason)"
equal "the new member was never proven" null "$(json collections 0 members B last_proven)"
td info
matches "for people, too" 'M \?.*M  member B is new and has no backup yet; dock the pair, a run will fill it' "$(tr '\n' ' ' <"$OUT")"
refuses "the old member beside the one that stays" 'its card is not the one that is enrolled' "$A" "$T/b.old" check --json
dock "$A" "$N"
td_is 0 "check of the new pair" check --json
no_mails
td_is 2 "verify: one backup is not two" verify --json
equal "verify vouches for A alone" 'done ok new' "$(json result) $(json members A state) $(json members B state)"
equal "verify: nothing is told as wrong" "[] [] [] 0 $FILES" "$(json held) $(json repaired) $(json unreadable) $(json left) $(json proven)"
equal "verify: the sentence" 'M on member A alone was read in full and is proven. The source was not looked at. Member B is new and has no backup yet; `twindock run` fills it.' "$(json reason)"
matches "verify: the mail" 'Subject: .*M: member B has no backup yet' "$(cat "$MAILS"/*)"
dock '' "$N"
sed -i 's/^eject = no/&\nsingle = allow/' "$CONF"
runs=$(ledger 'SELECT count(*) FROM run')
td_is 2 "verify of the new one alone" verify --json
matches "verify of the new one alone: the sentence" 'Member B is new and has no backup yet.*nothing to verify' "$(json reason)"
equal "verify of the new one alone: nothing is entered" "$runs" "$(ledger 'SELECT count(*) FROM run')"
sed -i '/^single/d' "$CONF"
dock "$A" "$N"
td_is 0 "the next run fills it, and no brake holds it" run --json
equal "every file is copied" "$FILES" "$(json copied)"
equal "every copy is proven" "$((FILES * 2))" "$(json proven)"
equal "and nothing is told as wrong" '[] [] []' "$(json held) $(json repaired) $(json noted)"
td_is 0 "the run after that" run --json
equal "copies nothing" 0 "$(json copied)"
undock
check "A is the source" same_tree "$A"
check "the new B is the source" same_tree "$N"
check "the manifest of the new B holds" manifest_holds "$N"
td info --json
equal "--info flags nothing" '' "$(json collections 0 flag)"
check "the new member is proven" [ "$(json collections 0 members B last_proven)" != null ]

# --- member A is replaced, on a whole disk that was partitioned, by a larger one; cut off in between ---------------------

new_disk "$X" 48M
printf 'label: gpt\n,,\n' | sfdisk -q "$X"
dock "$X" "$N"
td_is 0 "a partitioned disk takes the place of A" enroll M --replace A --yes --erase
undock
rm -rf "$T/ledger.cut" && cp -a "$T/ledger" "$T/ledger.cut"
# As if it had been killed before the ledger had it: the card is there, and nobody knows its token.
sqlite3 "$T/ledger/twindock.db" "UPDATE member SET token = 'ffffffffffffffffffffffffffffffff' WHERE letter = 'A' AND retired IS NULL"
refuses "a leftover is refused without --erase" 'It is not empty' "$X" "$N" enroll M --replace A --yes
dock "$X" "$N"
td_is 0 "a replacing that was cut short is done again" enroll M --replace A --yes --erase
td_is 0 "and filled" run --json
equal "every file is copied to A" "$FILES" "$(json copied)"
undock
check "the new A is the source" same_tree "$X"
dock "$X" "$N"
refuses "a member that a run has used is never formatted" 'Member A of M is in the source slot' "$X" "$N" enroll M --replace A --yes --erase

# --- a source that has rotted must not become the new member's truth --------------------------------------------------

copy "$X" "$A"; copy "$N" "$B"
stamp=$(stat -c %y "$SRC/big.bin")
python3 - "$SRC/big.bin" <<'P'
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
byte = os.pread(fd, 1, 5000)
os.pwrite(fd, bytes([byte[0] ^ 1]), 5000)
P
touch -d "$stamp" "$SRC/big.bin"
# The ledger knows the file with its ctime; as if nothing but the bytes had changed.
sqlite3 "$T/ledger/twindock.db" "UPDATE file SET ctime = $(stat -c %Z "$SRC/big.bin"), ctime_ns = $(stat -c %z "$SRC/big.bin" | sed 's/.*\.0*\([0-9]*\) .*/\1/') WHERE path = CAST('big.bin' AS BLOB)"
new_disk "$N" 32M
dock "$A" "$N"
td_is 0 "B is replaced while the source has rotted" enroll M --replace B --yes
td_is 5 "the run finds the rot" run --json
matches "and holds the file" 'big.bin' "$(json held)"
undock
good=$(mounted "$B" sh -c 'sha256sum <"$0"/M/big.bin' "$T/mnt/m")
equal "A keeps the good copy" "$good" "$(mounted "$A" sh -c 'sha256sum <"$0"/M/big.bin' "$T/mnt/m")"
equal "the new B has the good copy, not the rotted one" "$good" "$(mounted "$N" sh -c 'sha256sum <"$0"/M/big.bin' "$T/mnt/m")"

# --- retire -------------------------------------------------------------------------------------------------------

small_tree
td_is 2 "retire of what is not enrolled" retire Q --yes
matches "it says so" 'Q is not enrolled' "$(cat "$ERR")"
td_is 64 "retire of a member C" retire M C --yes
echo no | "$TWINDOCK" retire M B -c "$CONF" >"$OUT" 2>"$ERR"
equal "retire asks by name" 2 $?
matches "and says what is left" 'member B.* will be forgotten\. What is left is member A.*last proven.*Type M' "$(cat "$ERR")"
runs=$(ledger 'SELECT count(*) FROM run')
td_is 0 "a member is retired" retire M B --yes --json
equal "as JSON" 'retire M B done' "$(json command) $(json collection) $(json member) $(json result)"
td info --json
equal "--info flags the pair" '?' "$(json collections 0 flag)"
matches "and says what to do" 'member B is retired.*twindock enroll M --replace B' "$(json collections 0 reason)"
td_is 2 "it is retired once" retire M B --yes
td_is 2 "the last member is not retired alone" retire M A --yes
matches "but the pair" 'twindock retire M' "$(cat "$ERR")"
dock "$A" ''
td check
matches "check of what is left asks for a new disk" 'Member A of M.* is alone.*a new disk.*twindock enroll M --replace B' "$(tr -s ' \n' ' ' <"$OUT")"
undock
new_disk "$B" 32M
dock "$A" "$B"
td_is 0 "a new disk takes the place of a retired one" enroll M --replace B --yes
td run --accept-changes
td_is 0 "and is filled" run
undock
check "B is the source" same_tree "$B"

echo M | "$TWINDOCK" retire M -c "$CONF" >"$OUT" 2>"$ERR"
equal "the pair is retired" 0 $?
matches "with what becomes of old versions" 'old versions too \(RESTORE.txt says how to get at them\)' "$(<"$OUT")"
matches "it says how to take it up again" 'twindock enroll M' "$(cat "$OUT")"
td_is 0 "--info" info --json
equal "--info does not show it" '[]' "$(json collections)"
check "its runs stay on record" [ "$(ledger 'SELECT count(*) FROM run')" -gt "$runs" ]
check "its files, too" [ "$(ledger 'SELECT count(*) FROM file')" -ge "$FILES" ]
dock "$A" "$B"
td check --json
equal "its disks are strangers" foreign-disk "$(json docks 0 verdict)"
td_is 0 "it is taken up again" enroll M
td_is 0 "and run" run --json
equal "nothing is copied" 0 "$(json copied)"
undock

# --- a collection gets another name -------------------------------------------------------------------------------

card_name() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["collection"])' "$MNT/.twindock/card.json"; }
renames() { # renames NAME REGEX COLLECTION: enroll is refused with a sentence, and writes nothing
    local before
    undock; before=$(sums "$A" "$B"); dock "$A" "$B"
    td_is 2 "$1" enroll "$3"
    matches "$1: the sentence" "$2" "$(cat "$ERR")"
    undock; equal "$1: nothing was written" "$before" "$(sums "$A" "$B")"; dock "$A" "$B"
}
sed -i 's/^\[collection M\]/[collection Music]/' "$CONF"
dock "$A" "$B"
renames "another name, while it is enrolled" 'enrolled as the pair of M. If Music is its new name.*target = M.*twindock retire M.*twindock enroll Music' Music
td_is 0 "another name: retire" retire M --yes
matches "another name: retire says how it goes on" 'needs a section \[collection M\]. Under another name,.*target = M' "$(tr '\n' ' ' <"$OUT")"
renames "another name, without a target" 'the backup of M, of which .* has no section.*target = M.*twindock enroll Music. again' Music
printf '%s\n' '[collection M]' "source = $SRC" >>"$CONF"
renames "another name, with a section for the old one" 'the backup of M, which .twindock enroll M. takes up again' Music
sed -i '/^\[collection M\]/,$d' "$CONF"
echo 'target = M' >>"$CONF"
dock "$B" "$A"
td_is 2 "another name: in each other's slots" enroll Music
dock "$A" "$B"
td_is 0 "another name: enroll" enroll Music
td_is 0 "another name: run" run --json
equal "another name: nothing is copied" '0 Music' "$(json copied) $(json collection)"
equal "another name: nothing is wrong" '[] [] []' "$(json repaired) $(json unreadable) $(json noted)"
undock
equal "another name: on the cards" 'Music Music' "$(mounted "$A" card_name) $(mounted "$B" card_name)"
check "another name: A equals the source" same_tree "$A" M
check "another name: B's manifest holds" manifest_holds "$B"
finish
