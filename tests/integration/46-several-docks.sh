#!/usr/bin/env bash
# Two docks: what reads or writes whatever is docked does so in both, tells of both, and answers for every name. And with
# --json there is always one object, also where people are told nothing.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

C=$T/c.img D=$T/d.img SLOT3=$T/slot3 SLOT4=$T/slot4

dock_both() { dock "$A" "$B"; put "$SLOT3" "$C"; put "$SLOT4" "$D"; }
undock_both() { undock; take "$SLOT3"; take "$SLOT4"; }
trap 'take "$SLOT3"; take "$SLOT4"; tear_down' EXIT
each() { # each KEY...: of all reports in the last JSON object, a word each
    python3 -c 'import json, sys
for run in json.load(open(sys.argv[1]))["runs"]:
    print(*[run[key] for key in sys.argv[2:]])' "$OUT" "$@" | tr '\n' ' ' | sed 's/ $//'
}
# says CODE NAME RESULT REGEX ARG...: one object, with these fields.
says() {
    local code=$1 name=$2 result=$3 reason=$4; shift 4
    "$TWINDOCK" "$@" >"$OUT" 2>"$ERR" </dev/null
    equal "$name: exit, result" "$code $code $result" "$? $(json exit) $(json result)"
    matches "$name: reason" "$reason" "$(json reason)"
}

claim_slots
configure '' "
[collection N]
source = $T/src2

[dock other]
source = $SLOT3
destination = $SLOT4
settle = 0s
eject = no"
mkdir -p "$SRC" "$T/src2"
for i in $(seq 20); do echo "$i" >"$SRC/m$i"; echo "$i" >"$T/src2/n$i"; done
for image in "$A" "$B" "$C" "$D"; do new_disk "$image" 16M; done
dock "$A" "$B"
td_is 0 "the first pair" format M --yes
put "$SLOT3" "$C"; put "$SLOT4" "$D"
td_is 0 "the second pair" format N --yes --dock other

# --- verify and the drill -----------------------------------------------------------------------------------------

td_is 0 "run of both" run M
td_is 2 "one of them has no backup: verify" verify --json
equal "one of them has no backup: both are told of" 'M done 0 N refused 2' "$(each collection result exit)"
td_is 2 "one of them has no backup: drill" restore --drill
equal "one of them has no backup: the drill's words" 'M  drill: N refused: ' "$(grep -oE '^M  drill: |^N refused: ' "$OUT" | tr -d '\n')"
td_is 0 "run of the other one" run N
td_is 0 "verify of both" verify --json
equal "verify of both: both are told of" 'M verify 0 40 N verify 0 40' "$(each collection command exit proven)"
undock_both
flip "$C" N/n3 0
dock_both
no_mails
td_is 5 "rot on a disk in the second dock: verify" verify --json
equal "rot on a disk in the second dock: the reports" 'M 0 N 5' "$(each collection exit)"
equal "rot on a disk in the second dock: a mail" 1 "$(mails)"
td_is 5 "rot on a disk in the second dock: for people" verify
equal "rot on a disk in the second dock: both sentences" '1 1' "$(grep -c '^M on both disks was read' "$OUT") $(grep -c 'N/n3: has rotted on member A' "$OUT")"
td_is 0 "by name it is one dock" verify M --json
equal "by name it is one object" 'M 0' "$(json collection) $(json exit)"
td_is 5 "rot on a disk in the second dock: drill" restore --drill --json
equal "rot on a disk in the second dock: both drills" 'M drill 0 N drill 5' "$(each collection command exit)"
td_is 0 "a drill by name is one" restore --drill M 3 --json
equal "a drill by name is one object" 'M 3' "$(json collection) $(json files)"
exec 9<"$T/ledger/dock-test.lock"; flock 9 # as a run that is going on in it
td_is 5 "the first dock cannot be had: verify" verify --json
equal "the first dock cannot be had: the other one is read" 'N 5' "$(json collection) $(json exit)"
check "the first dock cannot be had: it is said" grep -q 'in use' "$ERR"
exec 9<&-
td_is 5 "a run repairs it" run

# --- every name that is asked for -----------------------------------------------------------------------------------

undock
td_is 2 "a run of two, of which one is docked" run M N --json
equal "a run of two, of which one is docked: both are told of" 'N ok 0 M empty 2' "$(each collection verdict exit)"
td_is 2 "a run of two, for people" run M N
check "a run of two: the one is backed up" grep -q '^N is backed up on both disks' "$OUT"
check "a run of two: the other one is not there" grep -q 'Collection M is not docked' "$OUT"
td_is 0 "a run without a name" run
take "$SLOT3"; take "$SLOT4"
td_is 2 "a run of two, of which none is docked" run M N M --json
equal "a run of two, of which none is docked: each is told of once" 'M empty 2 N empty 2' "$(each collection verdict exit)"

# --- one object, whatever comes -------------------------------------------------------------------------------------

says 0 "nightly, nothing docked" "done" 'nothing is docked' run --nightly -c "$CONF" --json
says 0 "a device in no slot" "done" '/dev/null is in no slot' run --device /dev/null -c "$CONF" --json
says 0 "a device that is not there" "done" '/dev/nonexist is in no slot' run --device /dev/nonexist --nightly -c "$CONF" --json
dock "$A" "$B"
exec 9<"$T/ledger/dock-test.lock"; flock 9
says 0 "nightly, a dock in use" "done" 'another run is going on' run --nightly -c "$CONF" --json
says 11 "a dock in use" refused 'in use' run -c "$CONF" --json
exec 9<&-
says 64 "an argument too many" failed 'does not take "foo"' check foo --json
equal "an argument too many: whose" check "$(json command)"
says 64 "no such option" failed 'unknown option --ful' check --ful --json
says 64 "a value that is missing" failed 'needs a value' check --json -c
says 64 "no such command" failed 'unknown command "chekc"' chekc --json
says 64 "no command" failed 'no command given' --json
"$TWINDOCK" check foo >"$OUT" 2>"$ERR"
equal "without --json, errors leave standard output alone" '' "$(cat "$OUT")"
"$TWINDOCK" check -- --json >"$OUT" 2>"$ERR"
equal "nor does an argument that looks like it" '' "$(cat "$OUT")"
td_is 0 "people hear nothing of a disk in no slot" run --device /dev/null
equal "nothing at all" '' "$(cat "$OUT" "$ERR")"
finish
