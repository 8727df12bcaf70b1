#!/usr/bin/env bash
# A pair that the dock itself mirrors. The dock is played by hand: in mirror mode the program sees the disk in the source
# slot alone, and afterwards that image is copied over the other one; or not, where the other disk was not there.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

OLD=$T/old.img C=$T/c.img D=$T/d.img

sums() { cksum "$@" | cut -d' ' -f1,2 | tr '\n' ' '; } # faster than lib.sh's, and enough
claim_slots
configure
cp "$CONF" "$T/plain.conf"
sed 's/^mode = individual/mode = mirror/; /^destination = /d' "$CONF" >"$T/mirror.conf"
printf 'prove_every = 3\n' >>"$T/mirror.conf" # the last section is the collection's
small_tree

as() { CONF=$T/$1.conf; } # as mirror: the dock's switch says so; as plain: it shows both disks
mirrored() { cp --sparse=always "$1" "$2"; } # what the dock does
card_of() { debugfs -R 'cat /.twindock/card.json' "$1" 2>/dev/null | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$2"; }
# A run in the mirroring dock with A in the source slot; B gets the same.
backed_up() {
    as mirror; dock "$A" ''
    td_is 0 "$1" run --json
    undock
    mirrored "$A" "$B"
}
# untouched NAME CODE COMMAND...: nothing of what is in the dock (images $IN) is changed by it.
untouched() {
    local name=$1 code=$2 before; shift 2
    before=$(sums $IN)
    dock $IN
    td_is "$code" "$name: exit $code" "$@" </dev/null
    undock
    equal "$name: no byte of it is changed" "$before" "$(sums $IN)"
}

# --- made in the dock -------------------------------------------------------------------------------------------

new_disk "$A" 32M
as mirror; dock "$A" ''
printf 'no\n' | "$TWINDOCK" format M -c "$CONF" >"$OUT" 2>"$ERR"
equal "format in a mirroring dock asks" 2 $?
matches "and says that both disks are meant" 'mirrors\. Everything on the disk that it shows and on the one in its other slot' "$(cat "$ERR")"
td_is 0 "format in a mirroring dock" format M --yes
matches "it says that the other half is not proven" 'not proven yet.*check --full' "$(tr '\n' ' ' <"$OUT")"
undock; mirrored "$A" "$B"
equal "the layout is on the card" mirrored "$(card_of "$A" layout)"
backed_up "the first run"
equal "one disk is seen, and proven" 'ok unseen' "$(json members A state) $(json members B state)"
equal "the generation is raised" 1 "$(card_of "$A" generation)"
equal "and confirmed for the disk that was seen, alone" '1 0' "$(ledger "SELECT group_concat(generation, ' ') FROM (SELECT generation FROM member ORDER BY letter)")"
equal "copies on the other one are not called proven" "0" "$(ledger 'SELECT count(*) FROM file WHERE b_proven <> 0')"
check "they are on the disk that was seen" [ "$(ledger 'SELECT count(*) FROM file WHERE a_proven <> 0 AND sha256 IS NOT NULL')" = "$(find "$SRC" -type f | wc -l)" ]
check "A is the source" same_tree "$A"
matches "RESTORE.txt tells a half from a twin" 'one half of a mirrored pair' "$(debugfs -R 'cat /RESTORE.txt' "$A" 2>/dev/null)"
check "A is sound" e2fsck -fn "$A"
dock "$A" ''
td_is 0 "again, for people" run
matches "the report tells what was not seen" 'member A alone and proven\. Member B was not seen' "$(tr '\n' ' ' <"$OUT")"
matches "both may be taken out" 'Both disks are safe to remove' "$(cat "$OUT")"
undock; mirrored "$A" "$B"
td info --json
check "it counts as a backup" [ "$(json collections 0 last_backup)" != null ]

# --- seen one by one: read, never written ------------------------------------------------------------------------

as plain; IN="$A $B"
untouched "check" 2 check --json
equal "the verdict" wrong-layout "$(json docks 0 verdict)"
equal "each half is told by its place" 'A B card' "$(json docks 0 slots source member) $(json docks 0 slots destination member) $(json docks 0 slots source identity)"
untouched "run" 2 run
untouched "run with everything allowed" 2 run --accept-changes --accept-ahead
untouched "verify" 2 verify
untouched "format" 2 format M --yes --erase
untouched "enroll as twins" 2 enroll M
untouched "enroll as a mirrored pair" 0 enroll M --layout mirrored
untouched "check --full" 0 check --full
matches "they are the same" 'halves of M are the same' "$(cat "$OUT")"
untouched "check --full as JSON" 0 check --full --json
equal "they are the same" 'true 0 0' "$(json docks 0 full comparison equal) $(json docks 0 full exit) $(json docks 0 full comparison different)"
untouched "check --full --every-block" 0 check --full --every-block --json
equal "every byte was compared" "$((32 << 20)) true" "$(json docks 0 full comparison compared) $(json docks 0 full comparison every_block)"
equal "both halves have the generation now" '2 2' "$(ledger "SELECT group_concat(generation, ' ') FROM (SELECT generation FROM member ORDER BY letter)")"
equal "what was proven of one is proven of both" "0" "$(ledger 'SELECT count(*) FROM file WHERE sha256 IS NOT NULL AND (a_proven <> b_proven OR a_proven = 0)')"
td info
equal "nothing is wrong in the table" "$(printf 'M ')" "$(sed -n '2s/^\(M *[!?*]\{0,1\}\).*/\1/p' "$OUT" | cut -c1-2)"
no_mails

# --- the half that is not seen must be proven by turns --------------------------------------------------------------

for i in 1 2 3; do
    echo "round $i" >"$SRC/docs/t$i.txt"
    backed_up "run $i after the proof"
done
td info
equal "the table tells how to prove it" 'M  member B was not seen when the other was written; compare them with `twindock check --full`' "$(tail -n 1 "$OUT")"
as mirror; IN="$A"
untouched "the next one" 2 run --json
equal "it is refused: the other half was not seen for too long" unproven-pair "$(json verdict)"
matches "what to do: drives that say nothing are not told by turns" 'has not been read for 3 runs\. Set the dock to show' "$(json reason)"
equal "somebody is told" 1 "$(mails)"
no_mails
as plain; IN="$A $B"
untouched "the comparison" 0 check --full
td info --json
equal "the proof is there: the refusal stands no longer" '' "$(json collections 0 flag)"
backed_up "and the run goes on"

# --- a half that was not there --------------------------------------------------------------------------------------

cp --sparse=always "$B" "$OLD" # one half is taken away
echo more >"$SRC/docs/more.txt"
backed_up "a run without the half in the drawer"
cp --sparse=always "$OLD" "$B"
mkdir -p "$T/mnt/elsewhere" # and written elsewhere
mount_image "$B" "$T/mnt/elsewhere"
echo spoiled >"$T/mnt/elsewhere/M/docs/t7.txt"
umount "$T/mnt/elsewhere"
as mirror; IN="$B"
untouched "back in the source slot" 2 run --json
equal "it is refused at once" stale-source "$(json verdict)"
as mirror; IN="$A"
before=$(sums "$A")
dock "$A" ''
td_is 0 "in the destination slot it cannot be seen at once" run --json
undock
check "and the run has written" [ "$before" != "$(sums "$A")" ]
no_mails
as plain; IN="$A $B"
untouched "but the comparison names it" 5 check --full --json
equal "the file, and whose copy is right" 'right wrong' "$(python3 -c 'import json, sys
for f in json.load(open(sys.argv[1]))["docks"][0]["full"]["comparison"]["files"]:
    if f["path"] == "M/docs/t7.txt": print(f["A"], f["B"])' "$OUT")"
equal "the root of the disk is among them, once" 1 "$(python3 -c 'import json, sys
print(sum(f["path"] == "." for f in json.load(open(sys.argv[1]))["docks"][0]["full"]["comparison"]["files"]))' "$OUT")"
matches "which one is behind" 'Member B missed backups' "$(json docks 0 full reason)"
matches "and what to do" 'copy A over B' "$(json docks 0 full reason)"
equal "somebody is told" 1 "$(mails)"
matches "in these words" 'M: its two halves differ' "$(grep -h ^Subject: "$MAILS"/*)"
td info
matches "the table shows it" '^M +!' "$(sed -n 2p "$OUT")"
matches "with what was found" '^M  [^:]+:[0-9:]+: The two halves of M differ' "$(tail -n 1 "$OUT")"
equal "nothing was refused" 0 "$(grep -c 'refused\|wrong-layout' <(cat "$OUT" "$MAILS"/*))"
as mirror; IN="$A"
untouched "until they are the same again" 2 run --json
equal "nothing is written to either" 'unproven-pair' "$(json verdict)"
matches "and it says why" 'were found to differ' "$(json reason)"
mirrored "$A" "$B"
as plain; IN="$A $B"
untouched "copied by the dock, compared" 0 check --full
backed_up "and the run goes on"

# By turns alone it is caught within prove_every runs.
cp --sparse=always "$OLD" "$B"
runs=0
as mirror; dock "$A" ''
while td run --json && [[ $runs -lt 10 ]]; do runs=$((runs + 1)); done
equal "a stale half is not run over more often than prove_every says" 'unproven-pair' "$(json verdict)"
check "that is 3 times at most" [ "$runs" -le 3 ]
undock
mirrored "$A" "$B"
as plain; dock "$A" "$B"
td_is 0 "proven again" check --full
undock

# --- rot on one half -------------------------------------------------------------------------------------------------

no_mails
flip "$B" M/photos/2014/p3.raw 5000
as plain; IN="$A $B"
untouched "a bit that flipped on one half" 5 check --full
matches "is named, by file" 'differs: M/photos/2014/p3\.raw, at byte [0-9]+ of the disk, right on A, wrong on B' "$(cat "$OUT")"
mirrored "$A" "$B"
dock "$A" "$B"; td check --full; undock
free=$(debugfs -R 'ffb 1' "$B" 2>/dev/null | grep -oE '[0-9]+' | tail -n 1)
printf 'x' | dd of="$B" bs=1 seek=$((free * 4096 + 17)) conv=notrunc status=none
untouched "a difference in what is free" 0 check --full
untouched "is found when it is asked for" 5 check --full --every-block --json
equal "by its place" "$((free * 4096)) 512" "$(json docks 0 full comparison places 0 offset) $(json docks 0 full comparison places 0 length)"
mirrored "$A" "$B"; dock "$A" "$B"; td check --full; undock

# A dock that mirrors has nothing to compare.
as mirror; IN="$A"
untouched "check --full in a mirroring dock" 2 check --full
matches "says so" 'Set it to show both' "$(cat "$OUT")"

# --- twins in a mirroring dock ---------------------------------------------------------------------------------------

printf '[collection T]\nsource = %s\n' "$SRC" | tee -a "$T/plain.conf" >>"$T/mirror.conf"
new_disk "$C" 32M; new_disk "$D" 32M
as plain; dock "$C" "$D"
td_is 0 "a pair of twins" format T --yes
td_is 0 "with a backup" run T
undock
both=$(sums "$C" "$D")
as mirror
for IN in "$C" "$D"; do
    untouched "twins in a mirroring dock" 2 run --accept-changes --accept-ahead --json
    equal "are refused" wrong-layout "$(json verdict)"
done
equal "both are as they were" "$both" "$(sums "$C" "$D")"
as plain; IN="$C $D"
untouched "check --full reads twins against the ledger" 0 check --full --json
equal "all copies of them" "verify $(($(find "$SRC" -type f | wc -l) * 2))" "$(json docks 0 full command) $(json docks 0 full proven)"
flip "$D" T/big.bin 70000
untouched "and finds rot" 5 check --full --json
equal "by name" '"big.bin" "B"' "$(python3 -c 'import json, sys; i = json.load(open(sys.argv[1]))["docks"][0]["full"]["unreadable"][0]; print(json.dumps(i["path"]), json.dumps(i["member"]))' "$OUT")"

finish
