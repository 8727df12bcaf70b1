#!/usr/bin/env bash
# What may be too much for a plan may not come in behind it: files that change while the run goes on, or without a new time.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
export MNT=$T/mnt/m
FILES=120

claim_slots
configure
mkdir "$SRC/notes"
for ((i = 0; i < FILES; i++)); do echo "note number $i, as it was written" >"$SRC/notes/n$i.txt"; done
new_pair
td_is 0 "first run" run
cp -a "$SRC" "$T/first"

ruin() { # ruin HOW NUMBER: that many files of the source
    local i
    for ((i = 0; i < $2; i++)); do
        local file=$SRC/notes/n$i.txt
        touch -r "$file" "$T/time"
        case $1 in
        written) echo "note number $i, and something behind it that was not there" >"$file" ;;
        emptied) : >"$file" ;;
        quietly) tr 'a-z' 'A-Z' <"$T/first/notes/n$i.txt" >"$file"; touch -r "$T/time" "$file" ;;
        esac
    done
}
put_back() { rsync -aHAXS --numeric-ids --delete --checksum "$T/first/" "$SRC/"; }
meanwhile() { # meanwhile COMMAND...: a run with one new file, and the command once the plan is made
    echo "new" >"$SRC/new$1.txt"
    "$TWINDOCK" -c "$CONF" run --json >"$OUT" 2>"$ERR" &
    RUN=$!
    planned
    while [[ $(ledger "SELECT phase FROM run WHERE ended IS NULL") = planning ]]; do
        kill -CONT "$RUN"; sleep 0.002; kill -STOP "$RUN"
    done
    "$@"
    kill -CONT "$RUN"
    wait "$RUN"
}
kept_everywhere() { # kept_everywhere NAME: both members hold the first notes
    local image
    undock
    for image in "$A" "$B"; do
        check "$1: ${image##*/} has what it had" mounted "$image" diff -r "$T/first/notes" "$MNT/M/notes"
        check "$1: its manifest holds" manifest_holds "$image"
    done
    dock "$A" "$B"
}
count() { json "$1" | python3 -c 'import json,sys; print(len(json.load(sys.stdin)))'; }

for how in written emptied; do
    number=$FILES
    [[ $how = written ]] || number=3
    no_mails
    meanwhile ruin $how $number
    equal "$how meanwhile: exit code" 3 $?
    equal "$how meanwhile: each is told" "$number" "$(count unreadable)"
    matches "$how meanwhile: with its cause" '"cause": "brake"' "$(json unreadable)"
    equal "$how meanwhile: a mail" 1 "$(mails)"
    matches "$how meanwhile: says how many" "$number of $FILES files|$number of 12[0-9] files" "$(json reason)"
    matches "$how meanwhile: and what to do" '--accept-changes' "$(json reason)"
    equal "$how meanwhile: what was planned is done" 1 "$(json copied)"
    equal "$how meanwhile: is flagged" '!' "$(td info --json; json collections 0 flag)"
    kept_everywhere "$how meanwhile"
    td_is 2 "$how meanwhile: the next run refuses" run --json
    put_back
    td_is 0 "$how meanwhile: put back" run --accept-changes
done

# A few are nothing to stop for.
meanwhile ruin written 5
equal "a few meanwhile: exit code" 0 $?
equal "a few meanwhile: all copied" 6 "$(json copied)"
put_back
td_is 0 "a few meanwhile: put back" run --accept-changes

ruin quietly $FILES
td_is 3 "without a new time: are not copied" run --json
equal "without a new time: each is told" "$FILES" "$(count unreadable)"
matches "without a new time: says how many" "$FILES of $FILES files" "$(json reason)"
equal "without a new time: the members are proven" 'ok ok' "$(json members A state) $(json members B state)"
kept_everywhere "without a new time"
td_is 3 "without a new time: nor the next time" run --json
td_is 0 "verify finds the members as they should be" verify
td_is 0 "without a new time: accepted" run --accept-changes --json
equal "without a new time: and told once more" "$FILES" "$(count noted)"
matches "who accepted is on record" "uid 0.*$FILES of $FILES files" "$(ledger "SELECT accepted FROM run ORDER BY id DESC LIMIT 1")"
undock
check "at the end A equals the source" same_tree "$A"
check "at the end B equals the source" same_tree "$B"
finish
