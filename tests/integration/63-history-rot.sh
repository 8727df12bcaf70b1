#!/usr/bin/env bash
# Bits that flip in history are found by the next full proof, and made good from the other member, or told as lost.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
export MNT=$T/mnt/m

claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
small_tree
head -c 2000000 /dev/urandom >"$SRC/disk.img"
new_pair
td_is 0 "first run" run
sleep 1.1 # so that its second is its own: a time names the last run of its second
echo changed | dd of="$SRC/disk.img" bs=1 seek=700000 conv=notrunc status=none
cp "$SRC/photos/2014/p3.raw" "$T/p3"
rm "$SRC/photos/2014/p3.raw"
head -c 90000 /dev/urandom >"$SRC/photos/2014/p5.raw"
td_is 0 "a delta and two whole ones" run
undock
place() { ledger "SELECT CAST(place AS TEXT) FROM kept WHERE member = $1 AND CAST(path AS TEXT) = '$2' AND kind = '$3' LIMIT 1"; }
p3=.twindock/history/$(place 1 photos/2014/p3.raw whole)
p5=.twindock/history/$(place 2 photos/2014/p5.raw whole)
delta=.twindock/history/$(place 1 disk.img delta)

check "a bit flips in a whole version on A" flip "$A" "$p3" 5
check "in a delta on A" flip "$A" "$delta" 300
check "and in another version on B" flip "$B" "$p5" 7
dock "$A" "$B"
td_is 5 "restore takes the other member's" restore M photos/2014/p3.raw --as-of "$(ledger "SELECT datetime(min(started), 'unixepoch') FROM run")" --to "$T/back" --json
check "and it is right" cmp "$T/back/photos/2014/p3.raw" "$T/p3"
matches "and says so" 'member A.*damaged' "$(json trouble)"
equal "it is complete" true "$(json complete)"
td_is 5 "verify finds them" verify --json
equal "all three" 3 "$(json unreadable | python3 -c 'import json,sys; print(len(json.load(sys.stdin)))')"
td_is 5 "a run repairs them" run --json
equal "and says which" 'disk.img photos/2014/p3.raw photos/2014/p5.raw' "$(json repaired | python3 -c 'import json,sys; print(*sorted(r["path"] for r in json.load(sys.stdin)))')"
td_is 0 "then all is well" run --json
td_is 0 "for verify as well" verify
undock
check "the checksums hold on A" mounted "$A" sh -c 'cd "$MNT/.twindock/history" && sha256sum --strict --quiet -c SHA256SUMS'
check "and on B" mounted "$B" sh -c 'cd "$MNT/.twindock/history" && sha256sum --strict --quiet -c SHA256SUMS'

check "now on both disks: A" flip "$A" "$p3" 9
check "and B" flip "$B" ".twindock/history/$(place 2 photos/2014/p3.raw whole)" 10
dock "$A" "$B"
td_is 5 "it is lost" run --json
matches "and told with path and date" '"path": "photos/2014/p3.raw".*in the history: its version of [A-Z][a-z]+ ' "$(json unreadable | tr '\n' ' ')"
td_is 0 "once" run
td_is 5 "it does not come back" restore M photos/2014/p3.raw --as-of "$(ledger "SELECT datetime(min(started), 'unixepoch') FROM run")" --to "$T/back2" --json
equal "and that is said" false "$(json complete)"
equal "and nothing wrong does instead" '' "$(find "$T/back2" -type f)"

# --- rot that is found when its file has been edited --------------------------------------------------------------

# The bytes that rotted may not enter history as if they were the old version.
sleep 1.1
before=$(ledger "SELECT datetime(max(started), 'unixepoch') FROM run")
cp "$SRC/disk.img" "$T/disk.img"
undock
check "a bit flips on A" flip "$A" M/disk.img 900000
printf edited | dd of="$SRC/disk.img" bs=1 seek=100 conv=notrunc status=none
dock "$A" "$B"
td_is 5 "edited, and rotten on A before that" run --json
matches "is told" '"path": "disk.img"[^}]*"member": "A"[^}]*"backup-rot"' "$(json repaired)"
for image in "$A" "$B"; do
    undock
    if [[ $image = "$A" ]]; then dock "$A" ''; else dock '' "$B"; fi
    rm -rf "$T/back3"
    td_is 0 "${image##*/} has the old version" restore M disk.img --as-of "$before" --to "$T/back3"
    check "as it was" cmp "$T/back3/disk.img" "$T/disk.img"
done
undock
check "a bit flips on A again" flip "$A" M/disk.img 900000
check "and one on B" flip "$B" M/disk.img 900000
printf again! | dd of="$SRC/disk.img" bs=1 seek=100 conv=notrunc status=none
dock "$A" "$B"
td_is 5 "edited, and rotten on both before that" run --json
matches "it is told that the old version is lost" '"path": "disk.img"[^}]*"backup-rot"' "$(json unreadable)"
# --- a long chain of deltas -----------------------------------------------------------------------------------------------

dock "$A" "$B"
cp "$SRC/disk.img" "$T/oldest"
WHEN=$(ledger "SELECT datetime(max(started), 'unixepoch') FROM run")
sleep 1.1
for i in $(seq 24); do
    echo "version $i" | dd of="$SRC/disk.img" bs=1 seek=$((i * 20011)) conv=notrunc status=none
    td run || flunk "version $i"
done
undock
# Is the oldest version back, with few descriptors and in little time? oldest NAME CODE
oldest() {
    local code
    rm -rf "$T/back"
    (ulimit -n 40; exec timeout 60 "$TWINDOCK" restore -c "$CONF" M disk.img --as-of "$WHEN" --to "$T/back" >"$OUT" 2>"$ERR")
    code=$?
    equal "$1" "$2" "$code"
}
link() { ledger "SELECT CAST(place AS TEXT) FROM kept WHERE member = $1 AND kind = 'delta' AND CAST(path AS TEXT) = 'disk.img' ORDER BY run DESC LIMIT 1 OFFSET $2"; }
dock "$A" ''
oldest "the oldest of many versions" 0
check "it is right" cmp "$T/back/disk.img" "$T/oldest"
undock
check "a delta of the chain is damaged on A" flip "$A" ".twindock/history/$(link 1 3)" 20
check "and another on B" flip "$B" ".twindock/history/$(link 2 9)" 20
dock "$A" "$B"
oldest "each member has the one that the other lacks" 5
check "together they have it" cmp "$T/back/disk.img" "$T/oldest"
matches "and a run would repair them" 'Complete.*taken from elsewhere. A run repairs them' "$(tr '\n' ' ' <"$OUT")"
undock
check "the same one is damaged on B" flip "$B" ".twindock/history/$(link 2 3)" 20
dock "$A" "$B"
oldest "none has it" 5
check "it is not there" test ! -e "$T/back/disk.img"
matches "and nobody says that it can be repaired" 'no other copy of that is here' "$(tr '\n' ' ' <"$OUT")"
equal "nor that it can" '' "$(grep 'A run repairs' "$OUT")"
td_is 5 "a run finds both, and ends" run
undock
finish
