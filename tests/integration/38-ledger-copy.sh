#!/bin/bash
# The copy of the ledger on the members: true after every run, and little is written where little has changed.
. "$(dirname "$0")/../support/lib.sh"

copy_is() { # copy_is RUNS FILES: whole, and with so many runs and files
    local said
    cp "$MNT/.twindock/ledger.db" "$T/copy.db" || return 1
    [[ ! -e $MNT/.twindock/ledger.db-journal && ! -e $MNT/.twindock/ledger.db.new ]] || { ls "$MNT/.twindock"; return 1; }
    said=$(sqlite3 "$T/copy.db" 'PRAGMA integrity_check; SELECT count(*) FROM run; SELECT count(sha256) FROM file;
        SELECT count(*) FROM pair; SELECT count(*) FROM member; SELECT count(*) FROM pragma_foreign_key_check' | tr '\n' ' ')
    rm -f "$T/copy.db"
    [[ $said = "ok $1 $2 1 2 0 " ]] || { echo "$said"; return 1; }
}
generation_is() { [[ $(sqlite3 "$MNT/.twindock/ledger.db" 'SELECT generation FROM pair') = "$1" ]]; }
inode() { stat -c %i "$MNT/.twindock/ledger.db"; }
paper() { stat -c %i "$MNT/RESTORE.txt" && grep '^    Last change' "$MNT/RESTORE.txt"; }
on_both() { local name=$1; shift; check "$name, member A" mounted "$A" "$@"; check "$name, member B" mounted "$B" "$@"; }

claim_slots
configure
small_tree
for i in $(seq 400); do echo "$i" >"$SRC/docs/more-$i"; done
FILES=$(find "$SRC" -type f | wc -l)
new_pair

td_is 0 "the first run" run
undock
on_both "the copy is whole" copy_is 1 "$FILES"
was=$(mounted "$A" inode) paper=$(mounted "$A" paper)
matches "RESTORE.txt is dated" "Last change   [A-Z]" "$paper"

dock "$A" "$B"
td_is 0 "a run with nothing changed" run
sectors() { awk '{ print $7 }' "/sys/block/$(basename "$(readlink "$SLOT1")")/stat"; }
before=$(sectors)
td_is 0 "and another" run
sync
wrote=$((($(sectors) - before) * 512))
[[ $wrote -lt 1000000 ]] && pass "little was written" || flunk "$wrote bytes were written"
generation=$(ledger 'SELECT generation FROM pair')
undock
on_both "the copy knows of all runs" copy_is 3 "$FILES"
on_both "and the generation" generation_is "$generation"
equal "it was changed in place" "$was" "$(mounted "$A" inode)"
equal "RESTORE.txt, dated by the last change, was left alone" "$paper" "$(mounted "$A" paper)"

echo new >"$SRC/docs/new"
dock "$A" "$B"
td_is 0 "a run with a new file" run
undock
on_both "the copy has it" copy_is 4 $((FILES + 1))
check "and RESTORE.txt has the date" [ "$paper" != "$(mounted "$A" paper)" ]

flip "$A" .twindock/ledger.db 9000
dock "$A" "$B"
td_is 0 "a run after the copy of A has rotted" run
undock
on_both "the copy is whole again" copy_is 5 $((FILES + 1))

# --- the ledger is lost ---------------------------------------------------------------------------------------------------

WHEN=$(ledger "SELECT datetime(max(started), 'unixepoch') FROM run")
cp -a "$SRC" "$T/before"
sleep 1.1 # a time names the last run of its second
echo edited >"$SRC/docs/t1.txt"
rm "$SRC/docs/t2.txt"
printf 1234 | dd of="$SRC/big.bin" bs=1 seek=70000 conv=notrunc status=none
dock "$A" "$B"
td_is 0 "a run with a history" run --accept-changes
td_is 0 "what there was" history M
cp "$OUT" "$T/history"
undock
cp "$A" "$T/a.was"
cp "$B" "$T/b.was"
mkdir "$T/enrolled"
mounted "$A" cp "$T/mnt/m/.twindock/ledger.db" "$T/enrolled/copy-a.db"
mounted "$B" cp "$T/mnt/m/.twindock/ledger.db" "$T/enrolled/copy.db"
equal "in the copy its own run has ended well" 'done|0|ok|ok' "$(sqlite3 "$T/enrolled/copy.db" 'SELECT result, exit, state_a, state_b FROM run ORDER BY id DESC LIMIT 1')"
same_back() { # same_back NAME: the tree before the change comes back
    rm -rf "$T/back"
    td_is 0 "$1: restore" restore M --all --as-of "$WHEN" --to "$T/back"
    check "$1: it is the tree of that time" "$HERE/tree-compare" equal "$T/before" "$T/back"
}

rm -r "$T/ledger"
mkdir -m 700 "$T/ledger"
cp "$T/enrolled/copy.db" "$T/ledger/twindock.db"
td_is 0 "a member's copy in its place: the table" --info
equal "it shows no fault" "" "$(grep '^M *[!?*]' "$OUT")"
dock "$A" "$B"
td_is 0 "check" check
td_is 0 "the history" history M
equal "is what it was" "$(<"$T/history")" "$(<"$OUT")"
same_back "a member's copy in its place"
td_is 0 "and a run" run --json
equal "copies nothing" 0 "$(json copied)"
equal "nothing says that a run was cut off" '' "$(grep -h 'cut off' "$OUT" "$ERR" "$MAILS"/* 2>/dev/null)"
equal "nor has one been" 0 "$(ledger "SELECT count(*) FROM run WHERE result = 'interrupted' OR after_interrupted")"
undock

# Enrolled anew instead: the copy on the disks is the only one that knows the versions, and stays.
cp "$T/a.was" "$A"
cp "$T/b.was" "$B"
rm -r "$T/ledger"
dock "$A" "$B"
td_is 0 "enrolled anew" enroll M
aside=$(grep -o 'ledger-[0-9]*\.db' "$OUT")
matches "the copy is kept, and that is said" '^ledger-[0-9]+\.db$' "$aside"
td_is 0 "a run with the new ledger" run
undock
check "it is as it was on A" mounted "$A" cmp "$T/mnt/m/.twindock/$aside" "$T/enrolled/copy-a.db"
check "and on B" mounted "$B" cmp "$T/mnt/m/.twindock/$aside" "$T/enrolled/copy.db"
on_both "RESTORE.txt names it" grep -F '.twindock/ledger-*.db' "$T/mnt/m/RESTORE.txt"
on_both "the new ledger has its copy, too" test -s "$T/mnt/m/.twindock/ledger.db"
# And back to it, as the manual has it.
rm -r "$T/ledger"
mkdir -m 700 "$T/ledger"
cp "$T/enrolled/copy.db" "$T/ledger/twindock.db"
dock "$A" "$B"
td_is 2 "the old ledger is behind then" run
td_is 0 "which can be accepted" run --accept-ahead
same_back "the old ledger again"
undock
on_both "and the copy is there still" test -s "$T/mnt/m/.twindock/$aside"
finish
