#!/usr/bin/env bash
# Learning the slots: one disk goes in, then the other; what appears is told, and the lines for the configuration come
# out at the end. (Loop devices count only where no udevd runs; elsewhere there are no docks to be had here.)
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
[[ -e /run/udev/control ]] && { echo "# skipped: udevd runs, and has no names for loop devices"; exit 77; }

# Where loop devices count as docks, those of others are disks that are put in: the VM suite waits meanwhile.
exec 9>/run/lock/twindock-loops && flock 9

claim_slots
new_disk "$A" 32M; new_disk "$B" 32M; new_disk "$T/c.img" 48M; new_disk "$T/d.img" 48M

# Wait until the program has said something: said FILE REGEX
said() { local i; for i in $(seq 200); do grep -Eq "$2" <(tr '\n' ' ' <"$1") && return 0; sleep 0.1; done; return 1; }
ended() { # wait for the program, but not for ever
    local i
    for i in $(seq 200); do kill -0 "$PROGRAM" 2>/dev/null || break; sleep 0.1; done
    kill "$PROGRAM" 2>/dev/null
    wait "$PROGRAM"
}
begin() { # begin [OPTION...]: in the background, in a directory with nothing to read but the program
    : >"$OUT"; : >"$ERR"
    "$TWINDOCK" slots "$@" >"$OUT" 2>"$ERR" & PROGRAM=$!
    check "it asks for the first disk" said "$ERR" 'put one into the SOURCE slot'
}

td_list() { "$TWINDOCK" slots --list "$@" >"$OUT" 2>"$ERR"; }
put "$SLOT1" "$A"
check "--list" td_list
matches "shows what is there, on standard output" "$(readlink "$SLOT1") .*32M" "$(cat "$OUT")"
check "--list --json" td_list --json
matches "shows it, too" "$(readlink "$SLOT1")" "$(json disks)"
equal "and no slot yet" 'null null' "$(json source) $(json destination)"
take "$SLOT1"

before=$(sums "$A" "$B")
begin
put "$SLOT1" "$A"
check "it tells the first slot" said "$ERR" "The source slot is $(readlink "$SLOT1") .*32M.*DESTINATION slot"
sleep 0.5
first=$(readlink "$SLOT1")
put "$SLOT2" "$T/c.img"
check "it tells the second slot" said "$ERR" "The destination slot is $(readlink "$SLOT2") .*48M"
ended
equal "it ends with 0" 0 $?
equal "nothing but the section is on standard output" "[dock NAME]|mode = individual|source = $first|destination = $(readlink "$SLOT2")|" \
    "$(grep -v '^;' "$OUT" | tr '\n' '|')"
# What it prints is a configuration.
{ sed 's/NAME/mine/' "$OUT"; printf '[twindock]\nledger = %s\n' "$T/ledger/twindock.db"; } >"$CONF"
td check --json
matches "and can be pasted" 'foreign-disk' "$(json docks 0 verdict)"
undock
equal "no disk is written to" "$before" "$(sums "$A" "$B")"

# Two at once cannot be told apart; a disk that was there before is no news.
put "$SLOT1" "$T/d.img"
begin --json
put "$T/slot3" "$A"; put "$SLOT2" "$B"
check "two at once: it says so" said "$ERR" 'Several disks appeared at once'
take "$SLOT2"; take "$T/slot3"
sleep 3
put "$SLOT2" "$B"
check "one at a time: the first" said "$ERR" "The source slot is $(readlink "$SLOT2")"
second=$(readlink "$SLOT2")
put "$T/slot3" "$A"
ended
equal "one at a time: the answer as JSON" "$second $(readlink "$T/slot3")" "$(json source) $(json destination)"
take "$T/slot3"
undock

begin
kill -INT "$PROGRAM"
ended
equal "Ctrl-C: exit 130" 130 $?
equal "Ctrl-C: nothing on standard output" '' "$(cat "$OUT")"
finish
