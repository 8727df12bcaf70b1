#!/usr/bin/env bash
# Rot on the disks, and the run that repairs it is cut off: the run that goes on from there tells of every file that had
# rotted, whether it was repaired before the cut or after it, once each, and of nothing else.
#
#   EVERY=1      after each call (default: a sample of SAMPLES calls, other ones for each SEED)
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$HERE/kill.sh"

SAMPLES=${SAMPLES:-6}
RANDOM=${SEED:-1}
ROTTEN='docs/t4.txt A,docs/t7.txt B,kept.bin B,links/one B,photos/2014/p3.raw A'

told() { # what the last run had to say of rot that it repaired
    python3 - "$OUT" <<'END'
import json, sys
run = json.load(open(sys.argv[1]))
print(",".join(sorted(f"{i['path']} {i['member']}" for i in run["repaired"] if i["cause"] == "backup-rot")))
END
}
goes_on() { # goes_on NAME
    no_mails
    td_is 5 "$1: rot is what the next run ends with" run --json
    equal "$1: it tells of each" "$ROTTEN" "$(told)"
    equal "$1: by mail" 1 "$(mails)"
    equal "$1: nothing is left to be told" 0 "$(ledger 'SELECT count(*) FROM repair')"
    td_is 0 "$1: then all is well" run --json
    equal "$1: and nothing is told again" '' "$(told)"
    undock
    check "$1: A is the source" same_tree "$A"
    check "$1: B is the source" same_tree "$B"
}

handed_on() { # handed_on NAME: the run had come to its end, and the mail was written, if not handed over
    ledger 'UPDATE mail SET claimed = claimed - 600 WHERE claimed > 0' # whoever died with it in hand has had time enough
    td_is 0 "$1: at its end; the next run finds all well" run --json
    check "$1: what it had found is mailed" grep -q 'docs/t7.txt' "$MAILS"/*
}

export MNT=$T/mnt/m
mkdir -p "$MNT" "$SRC/links"
small_tree
head -c 30000 /dev/urandom >"$SRC/links/one"
ln "$SRC/links/one" "$SRC/links/two"; ln "$SRC/links/one" "$SRC/links/three"
head -c 50000 /dev/urandom >"$SRC/kept.bin"
claim_slots
configure '' 'max_delete = 100%'
new_pair 64M
td_is 0 "first run" run
head -c 50000 /dev/urandom >"$SRC/kept.bin"
td_is 0 "one file has a version" run
undock
flip "$A" M/photos/2014/p3.raw 5000
flip "$A" M/docs/t4.txt
flip "$B" M/docs/t7.txt 2
flip "$B" M/links/two 777
flip "$B" ".twindock/history/$(ledger "SELECT CAST(place AS TEXT) FROM kept WHERE member = 2 AND kind = 'whole'")" 99
save
dock "$A" "$B"
run_shimmed KILL_COUNT="$T/calls"
wait "$RUN"
equal "undisturbed: rot is what it ends with" 5 $?
calls=$(cat "$T/calls")
echo "# $calls calls"
bring_back "$KEEP"
goes_on "undisturbed"
died=0
for n in $(if [[ ${EVERY:-} ]]; then seq "$calls"; else for i in $(seq "$SAMPLES"); do echo $((calls / 3 + RANDOM % (calls * 2 / 3))); done; fi); do
    bring_back "$KEEP"
    no_mails
    dies_after "$n" || continue # the calls of one run are not those of another to the last
    died=$((died + 1))
    if [[ $(ledger 'SELECT count(*) FROM run WHERE id = 3 AND ended IS NOT NULL') = 0 ]]; then
        goes_on "killed after call $n"
    else
        handed_on "killed after call $n"
    fi
    [[ $FAILED -lt 20 ]] || finish
done
check "the runs really died ($died)" test "$died" -gt 0
finish
