#!/usr/bin/env bash
# Two docks: what reads or writes whatever is docked does so in both, tells of both, and answers for every name.
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

finish
