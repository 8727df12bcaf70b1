#!/usr/bin/env bash
# One drive through any dock: enrolled where the drives speak, then in docks that pass on their serials, that tell serials
# of their own, that mirror; and a copy in each of them. The drives' answers are put before the loop devices.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

gcc -shared -fPIC -O1 -o "$T/says.so" "$(dirname "${BASH_SOURCE[0]}")/drive-says.c" -ldl || { flunk "compiling"; finish; }
C=$T/c.img
claim_slots
configure
mkdir -p "$SRC/docs"
for i in 1 2 3; do head -c "${i}00000" /dev/urandom >"$SRC/docs/t$i.txt"; done
number() { echo $((0x$(stat -Lc %t "$1"))):$((0x$(stat -Lc %T "$1"))); }
# says WHAT-SOURCE WHAT-DESTINATION: "ata WD-1", "usb-vpd DOCK-1"; '' for a slot that is empty or says nothing.
says() {
    SAYS=
    [[ $1 ]] && SAYS="$(number "$SLOT1") $1"
    [[ $2 ]] && SAYS+=";$(number "$SLOT2") $2"
    export SAYS
}
td() {
    env LD_PRELOAD="$T/says.so" ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
        "$TWINDOCK" "$1" -c "$CONF" "${@:2}" >"$OUT" 2>"$ERR"
}
told() { # verdict and the two identities
    td check --json
    sqlite3 -separator ' ' :memory: "SELECT v->>'verdict', v->>'$.slots.source.identity', v->>'$.slots.destination.identity'
        FROM (SELECT readfile('$OUT') -> '$.docks[0]' AS v)"
}
advice() { sqlite3 :memory: "SELECT readfile('$OUT') ->> '$.docks[0].advice'"; }
drives() { ledger "SELECT group_concat(identity || ' ' || serial, ', ') FROM (SELECT * FROM member
    WHERE pair = (SELECT id FROM pair WHERE retired IS NULL) ORDER BY letter)"; }
said() { cat "$OUT" "$ERR" | tr -s ' \n' ' '; } # without its line ends

new_disk "$A" 32M; new_disk "$B" 32M
dock "$A" "$B"
says 'ata WD-WCC4M7' 'ata WD-WCC4N0'
td_is 0 "format where the drives speak" format M --yes
td_is 0 "first backup" run
equal "the ledger has their own word" 'ata WD-WCC4M7, ata WD-WCC4N0' "$(drives)"
equal "there" 'ok ata ata' "$(told)"
sync "$A" "$B"
cp --sparse=always "$A" "$C"

says 'usb-ata WD-WCC4M7' 'usb-ata WD-WCC4N0'
equal "a USB dock that passes on ATA commands" 'ok ata ata' "$(told)"
says 'usb-vpd WD-WCC4M7' 'usb-vpd DWW-CCN4 0'
equal "one that passes on serials, each in its way" 'ok bridge bridge' "$(told)"
says 'usb-vpd DOCK-0' 'usb-vpd DOCK-1'
equal "one that has its own" 'ok card card' "$(told)"
matches "it says so" 'cards alone tell' "$(advice)"
echo more >"$SRC/more"
td_is 0 "a run there" run
says 'usb-vpd DOCK-7' 'usb-vpd DOCK-7'
equal "one that has one for both" 'ok card card' "$(told)"
says 'vpd WD-BAY1' 'vpd WD-BAY2'
equal "SCSI drives with other serials are other drives" 'unknown-member scsi scsi' "$(told)"

# --- one disk where there may be two ---------------------------------------------------------------------------------

before=$(sums "$A" "$B")
dock "$A" ''
says 'usb-vpd JOCKEY-1' ''
equal "a dock that shows one" 'dock-merged card none' "$(told)"
sed -i 's/^settle = 0s/&\nsingle = allow/' "$CONF"
td_is 2 "no run, though one may be alone" run
equal "that is why" dock-merged "$(ledger "SELECT verdict FROM run ORDER BY id DESC LIMIT 1")"
matches "and what to do" 'member A of M \(WD-WCC4M7\).*both disks are in.*mirrors or combines.*member B \(WD-WCC4N0\)' "$(said)"
td_is 0 "what it holds may be taken from it" restore M docs/t1.txt --to "$T/taken"
check "as it was" cmp "$SRC/docs/t1.txt" "$T/taken/docs/t1.txt"
says 'ata 0JOCKEY1' ''
equal "another drive of the same model" 'unknown-member ata none' "$(told)"
sed -i '/^single/d; s/^mode = .*/mode = mirror/; /^destination/d' "$CONF"
equal "in a dock that is to mirror, twins are twins" 'wrong-layout ata none' "$(told)"
says 'usb-vpd JOCKEY-1' ''
equal "also by a bridge" 'wrong-layout card none' "$(told)"
td_is 2 "no run there" run
matches "and why" 'independent twins.*show its two disks one by one' "$(said)"
undock
equal "not a byte was written" "$before" "$(sums "$A" "$B")"
configure

# --- a copy of A -------------------------------------------------------------------------------------------------------

copy=$(sums "$C")
dock "$C" "$B"
for dock in 'ata' 'usb-ata' 'usb-vpd' 'vpd'; do
    says "$dock ST-COPY" "$dock WD-WCC4N0"
    matches "a copy: $dock" '^unknown-member' "$(told)"
done
says 'usb-vpd WD-WCC4N0' ''
matches "A's card on B's drive" '^unknown-member' "$(told)"
undock
equal "it was not written to" "$copy" "$(sums "$C")"

# --- enrolled in a dock with serials of its own ------------------------------------------------------------------------

dock "$A" "$B"
td_is 0 "retire" retire M --yes
says 'usb-vpd DOCK-0' 'usb-vpd DOCK-1'
td_is 0 "enroll there" enroll M
equal "the ledger has what it said" 'bridge DOCK-0, bridge DOCK-1' "$(drives)"
says 'ata WD-WCC4M7' 'ata WD-WCC4N0'
equal "the drives are heard: no strangers" 'ok card card' "$(told)"
matches "what to do" 'twindock enroll M' "$(advice)"
td_is 0 "enroll again" enroll M
matches "it has learnt" 'member A: the disk in the source slot, serial WD-WCC4M7' "$(<"$OUT")"
equal "there" 'ok ata ata' "$(told)"
td_is 0 "and again" enroll M
matches "nothing to do" '^Nothing to do' "$(<"$OUT")"
says 'usb-vpd DOCK-0' 'usb-vpd DOCK-1'
td_is 0 "where the dock speaks" enroll M
matches "a dock's word does not take their place" '^Nothing to do' "$(<"$OUT")"
td_is 0 "a run there" run
undock
check "A is as the source" same_tree "$A"
check "B is as the source" same_tree "$B"

# --- a member whose superblock is lost, known by its drive ---------------------------------------------------------------

N=$T/n.img
printf '\n[collection N]\nsource = %s\n' "$SRC" >>"$CONF"
dd if=/dev/zero of="$B" bs=4096 count=1 conv=notrunc status=none
new_disk "$N" 32M
before=$(sums "$N" "$B")
dock "$N" "$B"
says 'ata WD-NEW' 'ata WD-WCC4N0'
told >/dev/null
matches "check says whose drive it is" 'Its drive is that of member B of M \(WD-WCC4N0\), whose filesystem is gone or damaged. Do not format it' "$(advice)"
check "and offers no pair of the two" sh -c "! grep -q 'twindock format' '$OUT'"
for erase in '' --erase; do
    # shellcheck disable=SC2086
    td_is 2 "it is not formatted${erase:+, whatever is said}" format N --yes $erase
    matches "for whose it is" 'that of member B of M \(WD-WCC4N0\), which is enrolled.*e2fsck -n -b 32768.*twindock retire M B' "$(said)"
done
undock
equal "not a byte was written" "$before" "$(sums "$N" "$B")"
dock "$A" "$B"
says 'ata WD-WCC4M7' 'ata WD-WCC4N0'
td_is 2 "it does not take its own place by the way" enroll M --replace B --yes
matches "but is named" 'very one that is to be replaced.*member B of M.*--erase' "$(said)"
td_is 0 "it does when that is meant" enroll M --replace B --yes --erase
td_is 0 "and is filled" run
undock
check "B is as the source again" same_tree "$B"

# Where a dock has a name for each bay, whatever is in them has it.
dock "$A" "$B"
td_is 0 "retire the pair" retire M --yes
says 'usb-vpd DOCK-0' 'usb-vpd DOCK-1'
td_is 0 "enroll it where the dock speaks" enroll M
new_disk "$C" 32M
dock "$N" "$C"
says 'usb-vpd DOCK-0' 'usb-vpd DOCK-1'
told >/dev/null
matches "new disks by their names" 'By the serial that the dock reports its drive is that of member A of M' "$(advice)"
td_is 2 "are not formatted just so" format N --yes
matches "and it says why" 'By the serial that the dock reports, the disk in the source slot is member A of M.*--erase' "$(said)"
dock "$A" "$N"
says 'usb-vpd DOCK-0' 'usb-vpd DOCK-1'
td_is 0 "a new disk in the bay of the one it replaces is nothing special" enroll M --replace B --yes
new_disk "$N" 32M
dock "$N" "$C"
says 'usb-vpd DOCK-0' 'usb-vpd DOCK-1'
td_is 0 "--erase makes a second pair" format N --yes --erase
new_disk "$N" 32M; new_disk "$C" 32M
printf '\n[collection O]\nsource = %s\n' "$SRC" >>"$CONF"
dock "$N" "$C"
says 'usb-vpd DOCK-0' 'usb-vpd DOCK-1'
td_is 0 "after which the names are known for the dock's" format O --yes
undock
finish
