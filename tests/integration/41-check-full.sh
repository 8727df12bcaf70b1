#!/usr/bin/env bash
# Two disks that somebody's dock has made the same become a mirrored pair: only when every block in use has been compared,
# and without a byte written. What check --full looks at, what it leaves out, how it ends early.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

sums() { cksum "$@" | cut -d' ' -f1,2 | tr '\n' ' '; } # faster than lib.sh's, and enough
claim_slots
configure
cp "$CONF" "$T/plain.conf"
sed 's/^mode = individual/mode = mirror/; /^destination = /d' "$CONF" >"$T/mirror.conf"
small_tree
as() { CONF=$T/$1.conf; }
mirrored() { cp --sparse=always "$1" "$2"; }
pairs() { [[ -e $T/ledger/twindock.db ]] && ledger 'SELECT count(*) FROM pair' || echo 0; }
poke() { printf '\x5a' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; } # poke IMAGE OFFSET
# untouched NAME CODE COMMAND...: both images, docked and one by one, are as they were.
untouched() {
    local name=$1 code=$2 before; shift 2
    before=$(sums "$A" "$B")
    dock "$A" "$B"
    td_is "$code" "$name: exit $code" "$@" </dev/null
    undock
    equal "$name: no byte is changed" "$before" "$(sums "$A" "$B")"
}
refuses() { # refuses NAME REGEX: as a mirrored pair
    untouched "$1" 2 enroll M --layout mirrored
    matches "$1: the sentence" "$2" "$(cat "$OUT" "$ERR")"
    equal "$1: nothing is enrolled" 0 "$(pairs)"
}

# --- enroll -------------------------------------------------------------------------------------------------------

as plain
new_disk "$A" 24M
mkfs.ext4 -q -b 4096 -L music "$A"
mkdir -p "$T/mnt/hand"
mount_image "$A" "$T/mnt/hand"
cp -a "$SRC" "$T/mnt/hand/M"
umount "$T/mnt/hand"
mirrored "$A" "$B"

at=$(debugfs -R 'blocks /M/big.bin' "$B" 2>/dev/null | tr ' ' '\n' | grep -m1 '^[1-9]')
poke "$B" $((at * 4096 + 900))
refuses "one byte of a file" 'cannot be enrolled as a mirrored pair\. The two halves of M differ .*M/big\.bin'
mirrored "$A" "$B"
poke "$B" $((24 * 1024 * 1024 - 1)) # free
mirrored "$A" "$B"
tune2fs -L other "$B" >/dev/null 2>&1
refuses "another label" 'halves of M differ .*first at byte [0-9]+, in what the filesystem keeps for itself'
mirrored "$A" "$B"
tune2fs -U random "$B" >/dev/null 2>&1
refuses "another UUID" 'different UUIDs'
mirrored "$A" "$B"
debugfs -w -R 'feature needs_recovery' "$B" >/dev/null 2>&1
refuses "a journal to be replayed" 'destination slot .*cannot be enrolled'
mirrored "$A" "$B"
as mirror
refuses "in a dock that mirrors" 'Set it to show both'
as plain
td_is 64 "an unknown layout" enroll M --layout triplets
td_is 64 "--every-block alone" check --every-block

free=$(debugfs -R 'ffb 1' "$B" 2>/dev/null | grep -oE '[0-9]+' | tail -n 1)
poke "$B" $((free * 4096)) # what is free may differ
untouched "two that are the same" 0 enroll M --layout mirrored
matches "it says what was compared" 'halves of M are the same: .*all that is in use' "$(tr '\n' ' ' <"$OUT")"
matches "and that nothing was written" 'Nothing was written to the disks' "$(cat "$OUT")"
matches "and what silent drives mean" 'do not tell which' "$(tr '\n' ' ' <"$OUT")"
equal "the ledger knows it" 'mirrored 2' "$(ledger 'SELECT layout FROM pair') $(ledger 'SELECT count(*) FROM member')"
untouched "again" 0 enroll M --layout mirrored --json
untouched "as twins" 2 enroll M
untouched "check" 2 check --json
equal "it is told without a card" 'wrong-layout A B' "$(json docks 0 verdict) $(json docks 0 slots source member) $(json docks 0 slots destination member)"
untouched "check --full before the first run" 0 check --full
mirrored "$A" "$T/first.img"

# Somebody has written to it since: then nothing says that this is the disk that was compared.
mount_image "$A" "$T/mnt/hand"; umount "$T/mnt/hand"
as mirror; dock "$A" ''
td_is 2 "a half that was mounted meanwhile" run --json
equal "is not known" unknown-member "$(json verdict)"
undock
mirrored "$T/first.img" "$A"

# The first run in a dock that mirrors writes the card, and copies nothing that is there.
dock "$A" ''
td_is 0 "the first run" run --json
undock; mirrored "$A" "$B"
equal "everything was there" '0 ok unseen' "$(json copied) $(json members A state) $(json members B state)"
matches "the card is there" '"layout": "mirrored"' "$(debugfs -R 'cat /.twindock/card.json' "$A" 2>/dev/null)"
as plain
untouched "the halves are the same" 0 check --full --json
equal "with the generation of the run" '1 1' "$(json docks 0 slots source generation) $(json docks 0 slots destination generation)"

# The ledger is lost: the card is kept.
card=$(debugfs -R 'cat /.twindock/card.json' "$A" 2>/dev/null)
rm -rf "$T/ledger"
untouched "as twins, with the card of a mirrored pair" 2 enroll M
untouched "enrolled anew" 0 enroll M --layout mirrored
equal "the card is the same" "$card" "$(debugfs -R 'cat /.twindock/card.json' "$B" 2>/dev/null)"
as mirror; dock "$A" ''
td_is 0 "and the runs go on" run --json
undock; mirrored "$A" "$B"
as plain

# --- what is compared ---------------------------------------------------------------------------------------------

# A bitmap that says "free" on one disk does not hide what the other keeps there.
debugfs -w -R "freeb $at" "$B" >/dev/null 2>&1
poke "$B" $((at * 4096 + 5))
untouched "a block that only one disk thinks is used" 5 check --full --json
check "is among the differences" python3 -c 'import json, sys
places = json.load(open(sys.argv[1]))["docks"][0]["full"]["comparison"]["places"]
sys.exit(not any(p["offset"] <= int(sys.argv[2]) < p["offset"] + p["length"] for p in places))' "$OUT" $((at * 4096 + 5))
mirrored "$A" "$B"

# Before the journal is replayed the bitmaps are not the last word.
free=$(debugfs -R 'ffb 1' "$B" 2>/dev/null | grep -oE '[0-9]+' | tail -n 1)
debugfs -w -R 'feature needs_recovery' "$A" >/dev/null 2>&1; mirrored "$A" "$B"
poke "$B" $((free * 4096))
untouched "with a journal to be replayed" 5 check --full --json
equal "every block is compared" 'true the journal has not been replayed' "$(json docks 0 full comparison every_block) $(json docks 0 full comparison why_every_block)"
debugfs -w -R 'feature -needs_recovery' "$A" >/dev/null 2>&1; mirrored "$A" "$B"
untouched "put right" 0 check --full


# --- stopped, gone, busy ------------------------------------------------------------------------------------------

dock "$A" "$B"
(exec 9>"$T/ledger/pair-$(ledger 'SELECT uuid FROM pair').lock"; flock 9; td_is 11 "while another run has the pair" check --full; echo "$PASSED $FAILED" >"$T/counts")
read -r PASSED FAILED <"$T/counts"
undock

# Large disks take their time.
rm -rf "$T/ledger"
truncate -s 2G "$T/large.img"
mkfs.ext4 -q -b 4096 "$T/large.img"
mirrored "$T/large.img" "$A"; mirrored "$T/large.img" "$B"
dock "$A" "$B"
td_is 0 "a large pair" enroll M --layout mirrored
"$TWINDOCK" check --full --every-block -c "$CONF" >"$OUT" 2>"$ERR" &
pid=$!
for _ in $(seq 100); do [[ $(ledger 'SELECT phase FROM run ORDER BY id DESC LIMIT 1') = comparing ]] && break; sleep 0.05; done
kill -INT $pid
wait $pid
equal "Ctrl-C ends it" 130 $?
matches "nothing is proven by it" 'stopped; nothing is' "$(cat "$OUT")"
equal "and recorded so" 'interrupted 130' "$(ledger "SELECT result || ' ' || exit FROM run ORDER BY id DESC LIMIT 1")"
undock

finish
