#!/usr/bin/env bash
# Much history on a small disk: the copy of the ledger and the lists of checksums, which grow with it, find their room, as
# the oldest history goes. A disk is full only when the collection itself is too large.
#
#   ROUNDS=20    runs in which every file is a new version
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

ROUNDS=${ROUNDS:-20}
export MNT=$T/mnt/m
edit_all() { local i; for i in $(seq 300); do echo "$i $1" >"$SRC/d/f$i"; done; }
mkdir -p "$SRC/d"
edit_all 0
claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
new_pair 32M
td_is 0 "first run" run
given_up=0
for round in $(seq "$ROUNDS"); do
    edit_all "$round"
    td_is 0 "round $round: the disks are not full" run --json
    given_up=$((given_up + $(json given_up)))
    [[ $FAILED = 0 ]] || break
done
check "older history was given up for that ($given_up)" test "$given_up" -gt 0
undock
for image in "$A" "$B"; do
    check "$(basename "$image"): the source is there" same_tree "$image"
    check "$(basename "$image"): so are its checksums" manifest_holds "$image"
    check "$(basename "$image"): and those of the history" mounted "$image" sh -c 'cd "$MNT/.twindock/history" && sha256sum --strict --quiet -c SHA256SUMS'
done
finish
