#!/usr/bin/env bash
# Runs that version and delete, killed at random moments: every version that the ledger lists can be had, nothing is
# listed twice, and nothing lies in history that is not listed.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

KILLS=${KILLS:-8}
SEED=${SEED:-3}
RANDOM=$SEED
export MNT=$T/mnt/m

change() {
    "$HERE/mutate-tree" "$SRC/tree" $((SEED * 1000 + $1)) 6 small >>"$T/mutations"
    python3 - "$SRC/large.bin" "$1" <<'END'
import random, sys
rng = random.Random(int(sys.argv[2]))
with open(sys.argv[1], "r+b") as f:
    for _ in range(20):
        f.seek(rng.randrange(4000000))
        f.write(rng.randbytes(500))
END
    rm -f "$SRC/gone.$(($1 - 1))"
    head -c 200000 /dev/urandom >"$SRC/gone.$1"
}

mkdir -p "$SRC/tree/a/b" "$SRC/tree/c/d"
for i in $(seq 30); do head -c $((i * 3001)) /dev/urandom >"$SRC/tree/a/p$i"; echo "$i" >"$SRC/tree/c/t$i"; echo "$i" >"$SRC/tree/c/d/u$i"; done
head -c 5000000 /dev/urandom >"$SRC/large.bin"
claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
new_pair 200M
td_is 0 "first run" run
began=$(date +%s%3N)
change 0
td_is 0 "a run with changes" run
span=$(($(date +%s%3N) - began))
ended=0
for kill in $(seq "$KILLS"); do
    change "$kill"
    "$TWINDOCK" run -c "$CONF" >"$OUT" 2>"$ERR" & RUN=$!
    nap=$((RANDOM * span / 32768))
    sleep "$((nap / 1000)).$(printf %03d $((nap % 1000)))"
    kill -9 "$RUN" 2>/dev/null || ended=$((ended + 1))
    wait "$RUN" 2>/dev/null
    [[ $((kill % ${EVERY:-4})) = 0 ]] || continue
    before=$FAILED
    td run --json || flunk "kill $kill: the run after it"
    undock
    check "kill $kill: A holds what is listed, once" mounted "$A" history_listed A
    check "kill $kill: B holds what is listed, once" mounted "$B" history_listed B
    mkdir "$T/plain"
    mounted "$A" "$HERE/bring-back" "$MNT" "$T/plain" >"$T/said" 2>&1 || { flunk "kill $kill: all versions on A come back"; cat "$T/said"; }
    rm -rf "$T/plain"
    dock "$A" "$B"
    td restore --drill 1000 --json || flunk "kill $kill: everything that the ledger lists comes back"
    equal "kill $kill: all of it" 0 "$(json failed)"
    [[ $FAILED = "$before" ]] || break
done
echo "# $ended of $KILLS had ended by themselves"
finish
