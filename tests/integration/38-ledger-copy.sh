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
finish
