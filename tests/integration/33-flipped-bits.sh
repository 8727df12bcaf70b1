#!/usr/bin/env bash
# Single bits that flip anywhere, on a disk, in the source, in both: every one is found and put down to the right side,
# every copy on a disk is repaired, none of the source's is copied. And where none has flipped, none is found.
#
#   FILES=100000 BITS=1000 SOURCE_BITS=200 SEED=1   (defaults: few, for every day)
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

FILES=${FILES:-300} BITS=${BITS:-40} SOURCE_BITS=${SOURCE_BITS:-18} SEED=${SEED:-1}
SIZE=${SIZE:-$((FILES > 20000 ? 3072 : 256))M}
export MNT=$T/mnt/m
ARRAY=$T/array.img
SRC=$T/mnt/array/src

map() { mounted "$1" "$HERE/flip-bits" map "$1" "$MNT/$2"; }
alarms() { python3 -c 'import json,sys
v=json.load(open(sys.argv[1]))
print(sum(len(v[k]) for k in ("held","repaired","unreadable","noted")))' "$OUT"; }
# told KIND CAUSE MEMBER: the paths on record of the last run, one a line. (JSON lists a thousand at most.)
told() { ledger "SELECT hex(path) FROM incident WHERE run = (SELECT max(id) FROM run) AND kind = '$1' AND cause = '$2' AND member = '$3' ORDER BY 1"; }
all_told() { ledger "SELECT count(*) FROM incident WHERE run = (SELECT max(id) FROM run)"; }
paths() { python3 -c 'import sys
print("\n".join(sorted({r.rsplit(b" ", 2)[0].hex().upper() for r in open(sys.argv[1], "rb").read().split(b"\0")[:-1]})))' "$1"; }
sums_of() { (cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum); }
stats_of() { (cd "$1" && find . -printf '%p %s %T@ %C@ %i\n' | LC_ALL=C sort | sha256sum); }

mkdir -p "$T/mnt/array"
truncate -s "$SIZE" "$ARRAY"
mkfs.ext4 -q -F -b 4096 -i 8192 "$ARRAY"
mount_image "$ARRAY" "$T/mnt/array"
mkdir "$SRC"
python3 - "$SRC" "$FILES" "$SEED" <<'END'
import os, random, sys
root, count, rng = sys.argv[1], int(sys.argv[2]), random.Random(int(sys.argv[3]))
noise = rng.randbytes(4 << 20)
for i in range(count):
    directory = os.path.join(root, "d%03d" % (i // 250))
    os.makedirs(directory, exist_ok=True)
    size = min(int(rng.lognormvariate(7, 1.3)), 3 << 20) if i % 997 else 1 + rng.randrange(3 << 20)
    at = rng.randrange(len(noise) - size)
    with open(os.path.join(directory, "f%06d" % i), "wb") as f:
        f.write(noise[at:at + size])
END
claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
new_pair "$SIZE"
td_is 0 "first run" run

# --- nothing has flipped ------------------------------------------------------------------------------------------

for i in 1 2; do
    began=$SECONDS
    td_is 0 "untouched, run $i" run --json
    equal "untouched, run $i: not one false alarm in $(json files) files" 0 "$(alarms)"
    equal "untouched, run $i: every copy is proven" "$((2 * FILES))" "$(json proven)"
    echo "# $((SECONDS - began)) s"
done
td_is 0 "untouched: verify" verify --json
equal "untouched: verify finds nothing" 0 "$(alarms)"
equal "untouched: nothing is on record" 0 "$(ledger 'SELECT count(*) FROM incident')"

# --- bits ---------------------------------------------------------------------------------------------------------

undock
good=$(sums_of "$SRC") stats=$(stats_of "$SRC")
umount "$T/mnt/array"; released "$ARRAY"
map "$ARRAY" src >"$T/array.map"; map "$A" M >"$T/a.map"; map "$B" M >"$T/b.map"
"$HERE/flip-bits" flip "$A" "$T/a.map" "$SEED" "$BITS" >"$T/a.flipped"
"$HERE/flip-bits" flip "$ARRAY" "$T/array.map" $((SEED + 1)) "$SOURCE_BITS" --again "$T/a.flipped" >"$T/array.flipped"
cat "$T/array.flipped" "$T/a.flipped" >"$T/not-b"
"$HERE/flip-bits" flip "$B" "$T/b.map" $((SEED + 2)) $((BITS / 10)) --not "$T/not-b" >"$T/b.flipped"
mount_image "$ARRAY" "$T/mnt/array"
for list in a array b; do paths "$T/$list.flipped" >"$T/$list.paths"; done
both=$(comm -12 "$T/a.paths" "$T/array.paths" | wc -l)
echo "# $BITS bits in $(wc -l <"$T/a.paths") files on A, $SOURCE_BITS in $(wc -l <"$T/array.paths") in the source, $both in both, $((BITS / 10)) on B"
check "(some files are bad on both sides)" test "$both" -gt 3
equal "(no time, no size has changed in the source)" "$stats" "$(stats_of "$SRC")"
rotten=$(sums_of "$SRC")
check "(the source has changed)" test "$good" != "$rotten"
dock "$A" "$B"
td_is 5 "flipped bits: run" run
for side in A B; do
    equal "flipped bits: on $side all are found, no other, and repaired" "$(cat "$T/${side,}.paths")" "$(told repaired backup-rot $side)"
done
equal "flipped bits: in the source all are found, no other, and held" "$(cat "$T/array.paths")" "$(told held source-rot '')"
equal "flipped bits: nothing else is told" "$(cat "$T"/{a,b,array}.paths | wc -l)" "$(all_told)"
equal "flipped bits: the source is left alone" "$rotten" "$(sums_of "$SRC")"
undock
for image in "$A" "$B"; do
    equal "flipped bits: no rot is on $(basename "$image")" "$good" "$(mounted "$image" sums_of "$MNT/M")"
    check "flipped bits: the manifest holds on $(basename "$image")" manifest_holds "$image"
done
equal "flipped bits: the bad bytes are in A's quarantine" "$(wc -l <"$T/a.paths")" \
    "$(mounted "$A" sh -c 'find "$MNT"/.twindock/quarantine -type f | wc -l')"
dock "$A" "$B"
td_is 5 "flipped bits: the run after it" run
equal "flipped bits: which finds the source's again, and nothing else" "$(cat "$T/array.paths")" "$(told held source-rot '')"
equal "flipped bits: and tells nothing else" "$(wc -l <"$T/array.paths")" "$(all_told)"
td_is 0 "flipped bits: heal" heal M .
equal "flipped bits: the source is as it was" "$good" "$(sums_of "$SRC")"
td_is 0 "flipped bits: then all is well" run --json
equal "flipped bits: and nothing is found" 0 "$(alarms)"
undock
check "flipped bits: A equals the source" same_tree "$A"
check "flipped bits: B equals the source" same_tree "$B"
umount "$T/mnt/array"
finish
