#!/usr/bin/env bash
# A run that gives up old history is cut off in the midst of it: what is given up is gone from the ledger, too, and the next
# run does not take it for lost.
#
#   EVERY=1      after each call (default: each third)
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$HERE/kill.sh"

export MNT=$T/mnt/m
listed() { ledger "SELECT CAST(place AS TEXT) FROM kept WHERE member = $1 AND kind = 'whole' ORDER BY 1"; }
lying() { mounted "$1" sh -c 'cd "$MNT/.twindock/history" && find . -mindepth 2 -type f -printf "%P\n"' | sort; }

small_tree
mkdir "$SRC/old" "$SRC/old/sub"
for i in $(seq 12); do echo "old $i" >"$SRC/old/o$i"; echo "sub $i" >"$SRC/old/sub/s$i"; done
claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
new_pair 64M
td_is 0 "first run" run
rm -r "$SRC/old"
td_is 0 "files are deleted" run
equal "they are in history" 24 "$(listed 1 | wc -l)"
ledger 'UPDATE run SET started = started - 200 * 86400, ended = ended - 200 * 86400'
td_is 0 "half a year later" run
ledger 'UPDATE run SET started = started - 2 * 86400, ended = ended - 2 * 86400 WHERE id = (SELECT max(id) FROM run)'
rm "$SRC/docs/t1.txt"
save
dock "$A" "$B"
run_shimmed KILL_COUNT="$T/calls"
wait "$RUN"
equal "undisturbed: the run ends well" 0 $?
equal "undisturbed: the old ones have been given up, two days later" docs/t1.txt "$(listed 1 | sed 's|[^/]*/||')"
calls=$(cat "$T/calls")
echo "# $calls calls"
died=0 halfway=0
for n in $(seq 1 "$([[ ${EVERY:-} ]] && echo 1 || echo 3)" "$calls"); do
    bring_back "$KEEP"
    dies_after "$n" || continue # the calls of one run are not those of another to the last
    died=$((died + 1))
    undock
    here=$(lying "$A" | grep -c /old/)
    [[ $here -gt 0 && $here -lt 24 ]] && halfway=$((halfway + 1))
    dock "$A" "$B"
    td_is 0 "killed after call $n: nothing is missing" run
    undock
    equal "killed after call $n: A holds what is listed" "$(listed 1)" "$(lying "$A")"
    equal "killed after call $n: B holds what is listed" "$(listed 2)" "$(lying "$B")"
    equal "killed after call $n: no staging is left" '' "$(staged "$A")$(staged "$B")"
    [[ $FAILED -lt 20 ]] || finish
done
equal "no run is ever half given up" 0 "$halfway"
check "the runs really died ($died)" test "$died" -gt 0
finish
